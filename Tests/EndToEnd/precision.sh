#!/usr/bin/env bash
# A policy that works in BF16: versions travel at half the bytes, no log-prob of the actors differs
# from the learner's, a learner that is killed comes back with its master weights, and the run can
# be trained again.
# deadline: 120
. "$(dirname "$0")/common.sh"

options=(--learner.lagMax=0 --run.steps=100 --evaluation.every=0 --learner.checkpointEvery=10
  --actor.count=1)
run full "${options[@]}"
run quiet "${options[@]}" --model.precision=bf16
"$forage" run "$config" --plain --folder "$work/killed" "${options[@]}" --model.precision=bf16 \
  > "$work/killed.out" 2>&1 &
job=$!
wait_for_step killed 14
kill -9 "$(process_of killed learner)"
wait $job || { status=$?; cat "$work/killed.out"; fail "the run ended with status $status"; }
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest killed)" = "$(final_digest quiet)" ] || fail "the last weights differ"
[ "$(final_digest full)" != "$(final_digest quiet)" ] || fail "nothing was rounded"

python3 - "$work" << 'PYTHON' || fail "what a version weighs, or a log-prob"
import json, statistics, sys

def steps(name):
    lines = map(json.loads, open(f"{sys.argv[1]}/{name}/metrics.jsonl"))
    return [line for line in lines if "step" in line]

for line in steps("quiet"):
    assert line["exact/fresh_tokens"] > 0 and line["exact/mismatched_tokens"] == 0, line
# One actor at lag 0 fetches one version a step; whether the last line counts the fetch of the last
# version too is a matter of when it is written, so a step in the middle speaks. Headers are alike.
served = [statistics.median(line["bytes/weights_served"] for line in steps(name))
          for name in ("full", "quiet")]
assert 0.5 <= served[1] / served[0] < 0.53, served
print("bytes served in a step:", *served)
PYTHON
"$forage" verify "$work/killed" > "$work/verified" || { cat "$work/verified"; fail "verify"; }
tail -n 1 "$work/verified"
echo "equal: $(final_digest quiet)"
