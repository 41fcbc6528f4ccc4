#!/usr/bin/env bash
# fault: F10
# claim: delay, loss and a thin link cause no false death, and throughput stays near the bound of
#   the link
# seconds: 100
# tbf makes the link thin, nft drops packets at random, a proxy delays every byte.
. "$(dirname "$0")/common.sh"
need_python
need_root "making network namespaces"
need_tool nft
. Tests/Faults/hosts.sh
# A model of 0.86 M parameters: 3.4 MB a version, so that the link is what limits.
options=(--anyway --learner.lagMax=0 --evaluation.every=0 --model.hiddenSize=128 --model.layers=4
  --model.heads=4 --model.keyValueHeads=4 --model.feedForwardSize=384 --warmStart.stopAtLeast=0
  --warmStart.stopAtMost=0.99 --warmStart.maximumSteps=20 --warmStart.evaluateEvery=20)

# Nothing was taken for dead: nobody reconnected, no ticket was given to another.
no_false_death() {
  local name=$1
  finish_far "$name"
  grep -hE "silent|reconnecting|gave up" "$work"/far-*.out && fail "$name: a false death"
  [ "$(count_rows "$name" drops)" = 0 ] || fail "$name: $(count_rows "$name" drops) drops"
  [ "$(count_rows "$name" groups)" = $(($2 * 8)) ] || fail "$name: not each group once"
}

bytes_in() { in_other cat "/sys/class/net/fgfo$$/statistics/rx_bytes"; }

# Thin: the best second of the link while it carries versions, in percent of its rate.
rate=12 # Mbit/s: two actors fetch 6.8 MB a version in about 4.5 s
for end in "in_head fgfh$$" "in_other fgfo$$"; do
  ${end% *} tc qdisc add dev "${end#* }" root tbf rate ${rate}mbit burst 32kb latency 400ms
done
start_far thin "${options[@]}" --run.steps=5
begun=$(date +%s%N) total=$(bytes_in) seen=() busy=0
while kill -0 $job 2> /dev/null; do
  sleep 0.25
  now=$(bytes_in)
  # A second back: four samples.
  seen+=("$now $(date +%s%N)")
  if [ ${#seen[@]} -gt 4 ]; then
    read -r old then <<< "${seen[-5]}"
    read -r new later <<< "${seen[-1]}"
    share=$(((new - old) * 8 * 100 * 1000 / (later - then) / rate))
    [ $share -gt $busy ] && busy=$share
  fi
done
no_false_death thin 5
thin=$busy
[ $thin -ge 80 ] || fail "the thin link carried $thin % of its rate at best"
for end in "in_head fgfh$$" "in_other fgfo$$"; do ${end% *} tc qdisc del dev "${end#* }" root; done

# Lossy: one packet in fifty, both ways.
in_other nft -f - <<NFT
table inet lossy {
  chain input { type filter hook input priority 0; numgen random mod 100 < 2 counter drop; }
  chain output { type filter hook output priority 0; numgen random mod 100 < 2 counter drop; }
}
NFT
start_far lossy "${options[@]}" --run.steps=5
finish=$SECONDS
no_false_death lossy 5
dropped=$(in_other nft list table inet lossy | sed -n 's/.*packets \([0-9]*\).*/\1/p' \
  | awk '{ n += $1 } END { print n }')
[ "$dropped" -gt 10 ] || fail "only $dropped packets were dropped"
in_other nft delete table inet lossy

# Delayed: 150 ms each way, on what goes to replay and to the weights.
delay=0.15
for port in 45910 45911; do
  ip netns exec $head "$FORAGE_PYTHON" Tests/Faults/proxy.py $((port + 500)) 10.78.0.1:$port \
    --delay $delay --bind 10.78.0.1 > "$work/proxy-$port.out" 2>&1 &
done
in_head nft -f - <<NFT
table inet slow {
  chain prerouting {
    type nat hook prerouting priority -100;
    iifname "fgfh$$" tcp dport 45910 redirect to :46410
    iifname "fgfh$$" tcp dport 45911 redirect to :46411
  }
}
NFT
start_far delayed "${options[@]}" --run.steps=10
no_false_death delayed 10
in_head nft delete table inet slow
start_far plain "${options[@]}" --run.steps=10
no_false_death plain 10
# A step asks for tickets, where the version is, for its seven chunks at once, for tickets again,
# and brings the groups: five round trips of twice the delay beside the work, and one to spare.
steps_of() {
  "$FORAGE_PYTHON" -c 'import json, statistics, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
print(int(1000 * statistics.median([line["time/step"] for line in lines if "step" in line][2:])))
' "$work/$1/metrics.jsonl"
}
slow=$(steps_of delayed) fast=$(steps_of plain)
[ "$slow" -le $((fast + 6 * 300)) ] || fail "a step took $slow ms with the delay, $fast without"
[ "$slow" -ge $((fast + 300)) ] || fail "a step took $slow ms and $fast: there was no delay"
echo "measured: 3 trials; a link of $rate Mbit/s was used to $thin % in its best second; with 2 %" \
  "of packets lost each way ($dropped in all) and with $delay s of delay each way (a step of" \
  "$slow ms, $fast without) nobody was taken for dead, no group was dropped or doubled"
