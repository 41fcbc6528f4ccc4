#!/usr/bin/env bash
# What forage bench link reads on links whose delay and rate are known: 40 ms there and back within
# 1 ms, 10 Mbit/s, as much as iperf3 within a tenth. About 5 minutes of a machine that does little
# else: a turn of another process is no part of a link.
. "$(dirname "$0")/../EndToEnd/common.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "making network namespaces needs root"
command -v iperf3 > /dev/null || skip "iperf3 is not installed"
. Tests/Faults/hosts.sh
. Tests/EndToEnd/links-common.sh

shape() {
  for side in "in_head fgfh$$" "in_other fgfo$$"; do
    ${side% *} tc qdisc replace dev "${side#* }" root tbf rate "$1" burst 32kb latency 300ms
  done
}

listen $head 47000
# Delay: a proxy holds every byte for 20 ms each way, for bare TCP and for ZeroMQ. Ahead of what
# else runs on this machine, and with processors that do not halt while they wait: on a virtual
# machine a halted one takes up to 0.1 ms to wake, six times a message. None of it is the delay's.
if [ -w /dev/cpu_dma_latency ]; then
  exec {awake}> /dev/cpu_dma_latency
  printf '\0\0\0\0' >&"$awake"
fi
first=(chrt -f 20)
"${first[@]}" true 2> /dev/null || first=(nice -n 0)
ip netns exec $head "${first[@]}" python3 Tests/Links/delay.py 47010 127.0.0.1:47000 0.020 &
ip netns exec $head "${first[@]}" python3 Tests/Links/delay.py 47011 127.0.0.1:47001 0.020 &
sleep 1
delayed=()
for way in "tcp 47010" "zeromq 47011"; do
  in_head "${first[@]}" "$forage" bench link tcp://127.0.0.1:${way#* } --sizes 64 --seconds 2 \
    --repeats 1 --json > "$work/delay" 2>> "$work/progress" \
    || { cat "$work/progress"; fail "a delayed link"; }
  delayed+=("$(figure "$work/delay" "${way% *} 64 B round trip p50")")
  between "a round trip of twice 20 ms by ${way% *}" "${delayed[-1]}" 40 41
done

[ -z "${awake:-}" ] || exec {awake}>&-

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

echo "twice 20 ms: ${delayed[*]} ms; 10 Mbit/s: ${thin[*]}; iperf3 $theirs MB/s, here $ours"
