#!/usr/bin/env bash
# What forage bench loop predicts of one, two and four actors over a thin link, against what as many
# then take: two hosts, each a network namespace, joined by a link of 20 Mbit/s, which connections
# share evenly. Each must be within 15 %.
. "$(dirname "$0")/../EndToEnd/common.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "making network namespaces needs root"
command -v nft > /dev/null || skip "nftables is not installed"
. Tests/Faults/hosts.sh
. Tests/EndToEnd/links-common.sh
# 3.4 MB a version, so that the link counts, and batches that four actors can share.
options=(--model.hiddenSize=128 --model.layers=4 --model.heads=4 --model.keyValueHeads=4
  --model.feedForwardSize=384 --warmStart.stopAtLeast=0 --warmStart.stopAtMost=0.99
  --warmStart.maximumSteps=20 --warmStart.evaluateEvery=20 --evaluation.every=0
  --evaluation.finalPrompts=1 --learner.lagMax=0 --learner.groupsPerStep=16
  --actor.ticketsPerRequest=4 --actor.threads=1)
"$forage" bench loop "$config" --link 20Mbit --repeats 8 --json "${options[@]}" \
  > "$work/predicted" 2> "$work/progress" || { cat "$work/progress"; fail "bench loop"; }
share_evenly $head fgfh$$ 20
share_evenly $other fgfo$$ 20
rows=()
for count in 1 2 4; do
  ip netns exec $head "$forage" run "$config" --plain --folder "$work/n$count" "${options[@]}" \
    --run.steps=18 --actor.count=0 --listen 10.78.0.1 --network.allowUnauthenticated=true \
    --network.replayPort=47110 --network.weightsPort=47111 --network.announcePort=47112 \
    > "$work/n$count.out" 2>&1 &
  job=$!
  actors=()
  for name in $(seq "$count"); do
    ip netns exec $other .build/release/forage-actor tcp://10.78.0.1:47110 --name "far-$name" \
      --threads 1 > "$work/far-$count-$name.out" 2>&1 &
    actors+=($!)
  done
  wait $job || { tail "$work/n$count.out" "$work/n$count/logs/"*.log; fail "$count actors"; }
  wait "${actors[@]}" || fail "an actor of $count"
  rows+=("$(python3 - "$work/predicted" "$work/n$count/metrics.jsonl" "$count" << 'PYTHON'
import json, statistics, sys

figures = {f["name"]: f["median"] for f in json.load(open(sys.argv[1]))["figures"]}
predicted = figures[f"{sys.argv[3]} actors on these cores: step"]
waits = figures[f"{sys.argv[3]} actors on these cores: learner waits"]
steps = [json.loads(line) for line in open(sys.argv[2])]
steps = [line for line in steps if "step" in line][2:]
took = statistics.median(line["time/step"] for line in steps)
idle = 100 * statistics.median(line["learner/idle_share"] for line in steps)
print(f"{sys.argv[3]} actors: {predicted:.2f} s predicted, {took:.2f} taken "
      f"({100 * (predicted / took - 1):+.0f} %), the learner waited {idle:.0f} %, "
      f"{waits:.0f} predicted")
PYTHON
)")
  echo "${rows[-1]}"
done
for row in "${rows[@]}"; do
  off=$(sed -n 's/.*(\([+-][0-9]*\) %).*/\1/p' <<< "$row")
  [ "${off#[+-]}" -le 15 ] || fail "$row"
done
sed -n 's/.*"sentence": *"\(.*\)".*/\1/p' "$work/predicted"
