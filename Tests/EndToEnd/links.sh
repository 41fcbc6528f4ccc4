#!/usr/bin/env bash
# What forage bench link reads on links whose delay and rate are known: 40 ms there and back, 10
# Mbit/s, as much as iperf3; on a live run that does not notice; and what wrong addresses, sizes and
# keys get.
# deadline: 300
. "$(dirname "$0")/common.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "making network namespaces needs root"
command -v iperf3 > /dev/null || skip "iperf3 is not installed"
. Tests/Faults/hosts.sh

# figure FILE NAME: the median of a figure.
figure() {
  python3 -c 'import json, sys
for figure in json.load(open(sys.argv[1]))["figures"]:
    if figure["name"] == sys.argv[2]: print(figure["median"])' "$1" "$2"
}
# between WHAT NUMBER LEAST MOST
between() {
  awk -v n="$2" -v least="$3" -v most="$4" 'BEGIN { exit !(n != "" && n >= least && n <= most) }' \
    || fail "$1: $2, expected $3 to $4"
}


# listen WHERE PORT WORDS...: the far end, there once this returns; sets `end`.
listen() {
  local where=$1 port=$2
  shift 2
  ip netns exec "$where" "$forage" bench link --listen tcp://0.0.0.0:$port "$@" \
    > "$work/end-$port" 2>&1 &
  end=$!
  for _ in $(seq 100); do grep -qs Listening "$work/end-$port" && return 0; sleep 0.1; done
  fail "no far end: $(cat "$work/end-$port")"
}
shape() {
  for side in "in_head fgfh$$" "in_other fgfo$$"; do
    ${side% *} tc qdisc replace dev "${side#* }" root tbf rate "$1" burst 32kb latency 300ms
  done
}

listen $head 47000
# Delay: a proxy holds every byte for 20 ms each way, for bare TCP and for ZeroMQ. Ahead of what
# else runs on this machine, whose turns are no part of the delay.
first=(chrt -f 20)
"${first[@]}" true 2> /dev/null || first=(nice -n 0)
ip netns exec $head "${first[@]}" python3 Tests/EndToEnd/delay.py 47010 127.0.0.1:47000 0.020 &
ip netns exec $head "${first[@]}" python3 Tests/EndToEnd/delay.py 47011 127.0.0.1:47001 0.020 &
sleep 1
delayed=()
for way in "tcp 47010" "zeromq 47011"; do
  in_head "${first[@]}" "$forage" bench link tcp://127.0.0.1:${way#* } --sizes 64 --repeats 1 \
    --json > "$work/delay" 2>> "$work/progress" || { cat "$work/progress"; fail "a delayed link"; }
  delayed+=("$(figure "$work/delay" "${way% *} 64 B round trip p50")")
  between "a round trip of twice 20 ms by ${way% *}" "${delayed[-1]}" 40 41
done

# Rate: 10 Mbit/s on the wire, of which a full packet's headers are 4.4 %.
shape 10mbit
in_other "$forage" bench link tcp://10.78.0.1:47000 --sizes 64,65536 --seconds 5 --repeats 1 \
  --json > "$work/thin" 2>> "$work/progress" || fail "a thin link"
thin=()
for name in "tcp 64 KiB there" "tcp 64 KiB back" "zeromq 64 KiB there" "zeromq 64 KiB back"; do
  rate=$(figure "$work/thin" "$name")
  thin+=("$(awk -v n="$rate" 'BEGIN { printf "%.2f", 8 * n }')")
  between "$name, in MB/s" "$rate" 1.1875 1.25
done

# Against iperf3 on the same link, one after the other.
shape 300mbit
iperf() {
  ip netns exec $head iperf3 -s -1 -p 47050 > "$work/iperf-server" 2>&1 &
  sleep 0.5
  in_other iperf3 -c 10.78.0.1 -p 47050 -t 4 -O 1 -J > "$work/iperf"
  python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 8e6)' "$work/iperf"
}
theirs=$(iperf)
in_other "$forage" bench link tcp://10.78.0.1:47000 --sizes 64,1048576 --seconds 2 --repeats 1 \
  --json > "$work/fast" 2>> "$work/progress" || fail "a fast link"
ours=$(figure "$work/fast" "tcp 1 MiB there")
between "TCP in MB/s, beside iperf3's $theirs" "$ours" \
  "$(awk "BEGIN { print 0.9 * $theirs }")" "$(awk "BEGIN { print 1.1 * $theirs }")"
for side in "in_head fgfh$$" "in_other fgfo$$"; do
  ${side% *} tc qdisc del dev "${side#* }" root
done

# Bad input: one sentence, and a status that is not 0.
refused() {
  local wanted=$1 words=$2 status=0
  shift 2
  "$@" > "$work/refused" 2>&1 || status=$?
  [ $status = "$wanted" ] || { cat "$work/refused"; fail "$* ended with $status, not $wanted"; }
  [ "$(wc -l < "$work/refused")" = 1 ] || { cat "$work/refused"; fail "$*: not one line"; }
  grep -q "$words" "$work/refused" || { cat "$work/refused"; fail "$*: not '$words'"; }
}
refused 69 "connection refused" in_other "$forage" bench link tcp://10.78.0.1:47999
refused 2 "67108864" "$forage" bench link tcp://127.0.0.1:47000 --sizes 64,99999999999
refused 2 "tcp://HOST:PORT" "$forage" bench link tcp://10.78.0.1
kill $end && wait $end || fail "the far end did not stop well"

# Under keys: the key that was let in measures, a stranger's does not.
"$forage" keys make far --keys "$work/keys" > /dev/null
"$forage" keys make stranger --keys "$work/others" > /dev/null
listen $head 47020 --keys "$work/keys"
in_other "$forage" bench link tcp://10.78.0.1:47020 --keys "$work/keys/far.key" --sizes 64 \
  --seconds 0.1 --repeats 1 --json > "$work/curve" 2>> "$work/progress" || fail "under keys"
between "a round trip under keys, in ms" "$(figure "$work/curve" "curve 64 B round trip p50")" 0 50
refused 86 "keys" in_other "$forage" bench link tcp://10.78.0.1:47020
refused 86 "another key\|under another" in_other "$forage" bench link tcp://10.78.0.1:47020 \
  --keys "$work/others/stranger.key"
kill $end && wait $end || fail "the far end did not stop well"

# A live run: replay and the weights are measured while it goes, and its weights are those of a run
# that nobody measured.
options=(--learner.lagMax=0 --run.steps=60)
run alone "${options[@]}"
ip netns exec $head "$forage" run "$config" --plain --folder "$work/live" "${options[@]}" \
  --listen 10.78.0.1 --network.replayPort=47030 --network.weightsPort=47031 \
  --network.announcePort=47032 --network.allowUnauthenticated=true > "$work/live.out" 2>&1 &
job=$!
wait_for_step live 2
in_other timeout 60 "$forage" bench link tcp://10.78.0.1:47030 tcp://10.78.0.1:47031 \
  --sizes 64,1048576 --seconds 0.1 --repeats 1 --json > "$work/running" 2>> "$work/progress" \
  || { cat "$work/progress"; fail "a live run could not be measured"; }
kill -0 $job 2> /dev/null || fail "the run was over before its links were measured"
for service in 47030 47031; do
  rate=$(figure "$work/running" "tcp://10.78.0.1:$service zeromq 1 MiB back")
  between "a live run's MB/s" "$rate" 1 100000
done
wait $job || { cat "$work/live.out"; fail "the measured run failed"; }
[ "$(final_digest live)" = "$(final_digest alone)" ] || fail "measuring changed the weights"
echo "twice 20 ms: ${delayed[*]} ms; 10 Mbit/s: ${thin[*]}; iperf3 $theirs MB/s, here $ours;" \
  "a live run was measured and its weights are the same"
