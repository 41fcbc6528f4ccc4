#!/usr/bin/env bash
# What a default run's report says of its link and of more actors: the main job's learner and replay
# on one host, its actor on another, joined by a link of 50 Mbit/s, which connections share evenly.
# The link must read as shaped, phases must cover the steps, and what the report predicts of four
# actors must be within 15 % of what four actors then take. About 4 minutes of a machine that does
# little else.
. "$(dirname "$0")/../EndToEnd/common.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "making network namespaces needs root"
command -v nft > /dev/null || skip "nftables is not installed"
. Tests/Faults/hosts.sh
. Tests/EndToEnd/links-common.sh
config=$PWD/Configs/arithmetic.yaml
share_evenly $head fgfh$$ 50
share_evenly $other fgfo$$ 50

# far_run NAME ACTORS OPTIONS...: the main job's first 40 steps, all actors beyond the link.
far_run() {
  local name=$1 count=$2 job actors=()
  shift 2
  ip netns exec $head "$forage" run "$config" --plain --folder "$work/$name" --actor.count=0 \
    --run.steps=40 --evaluation.every=0 --evaluation.finalPrompts=64 --listen 10.78.0.1 \
    --network.allowUnauthenticated=true "$@" > "$work/$name.out" 2>&1 &
  job=$!
  for number in $(seq "$count"); do
    ip netns exec $other .build/release/forage-actor tcp://10.78.0.1:45910 --name "far-$number" \
      > "$work/far-$number.out" 2>&1 &
    actors+=($!)
  done
  wait $job || { tail "$work/$name.out" "$work/$name/logs/"*.log; fail "the run of $count"; }
  wait "${actors[@]}" || fail "an actor of $count"
}

far_run one 1
far_run four 4 --model.path="$work/one/checkpoints/step-000000" --warmStart.maximumSteps=0
for name in one four; do
  "$forage" status "$work/$name" --spans > "$work/$name.spans" || fail "the spans of $name"
done
if [ -n "${FORAGE_KEEP_REPORTS:-}" ]; then
  mkdir -p "$FORAGE_KEEP_REPORTS"
  for name in one four; do cp "$work/$name/report.html" "$FORAGE_KEEP_REPORTS/$name.html"; done
fi
python3 - "$work" << 'PYTHON' || { cat "$work/one.spans" "$work/four.spans"; fail "see above"; }
import json, re, statistics, sys

work = sys.argv[1]
units = {"ms": 1e-3, "s": 1.0, "us": 1e-6}

def report(name):
    return open(f"{work}/{name}.spans").read()

def step_of(text, actors):
    found = re.search(rf"^ *{actors}  +([0-9.]+) (s|ms|us) ", text, re.M)
    return float(found[1]) * units[found[2]]

def rate(text, link):
    line = next(line for line in text.splitlines() if line.startswith(link))
    number, unit = re.search(r"([0-9.]+) (KiB|MiB)/s$", line.strip()).groups()
    return float(number) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit]

def steps(name):
    lines = map(json.loads, open(f"{work}/{name}/metrics.jsonl"))
    return [line for line in lines if "step" in line][2:]

# 50 Mbit/s on the wire are 5.98 MB/s of payload in full packets.
shaped = 50e6 / 8 * 1448 / 1514
read = {"one": rate(report("one"), "far-1"), "four": rate(report("four"), "learner to all")}
for name, found in read.items():
    assert 0.93 < found / shaped < 1.02, f"the link of {name} reads {found / 1e6:.2f} MB/s"
coverage = min(line["time/coverage"] for line in steps("one"))
assert coverage > 0.98, coverage
predicted = {count: step_of(report("one"), count) for count in (1, 4)}
took = {count: statistics.median(line["time/step"] for line in steps(name))
        for count, name in ((1, "one"), (4, "four"))}
for count in (1, 4):
    off = predicted[count] / took[count] - 1
    print(f"{count} actors: {predicted[count]:.2f} s predicted by the run of one, "
          f"{took[count]:.2f} taken ({100 * off:+.0f} %)")
print(f"the link reads {read['one'] / 1e6:.2f} MB/s with one actor, {read['four'] / 1e6:.2f} with "
      f"four, shaped to {shaped / 1e6:.2f}; phases cover {coverage:.4f} of a step")
assert abs(predicted[4] / took[4] - 1) <= 0.15, "four actors"
PYTHON
grep -m1 "^One more actor" "$work/one.spans"
