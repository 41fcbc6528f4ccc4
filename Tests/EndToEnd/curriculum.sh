#!/usr/bin/env bash
# A curriculum is a part of a run like any other: a synchronous run with every role killed in it
# ends with the weights and the levels of a quiet one, an asynchronous one is verified and sampled
# again, and a fork goes on at the level its step had.
# deadline: 300
. "$(dirname "$0")/common.sh"
config=$PWD/Configs/tiny/curriculum.yaml
short=(--run.steps=60 --task.curriculum.window=64 --evaluation.every=0 --evaluation.finalPrompts=30)

# The level after each step, as the ledger has it: what metrics.jsonl says of the same steps.
levels() {
  grep -o '^{"step":[0-9]*\|"curriculum/level":[0-9]*' "$work/$1/metrics.jsonl" |
    paste - - | sort -u
}

run quiet --learner.lagMax=0 "${short[@]}"
"$forage" run "$config" --plain --folder "$work/killed" --learner.lagMax=0 "${short[@]}" \
  > "$work/killed.out" 2>&1 &
job=$!
for victim in actor-0:5 learner:12 replay:20; do
  wait_for_step killed "${victim#*:}"
  kill -9 "$(process_of killed "${victim%:*}")"
  echo "killed ${victim%:*} after step ${victim#*:}"
done
wait $job || { status=$?; cat "$work/killed.out"; fail "the run with kills ended with $status"; }
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest quiet)" = "$(final_digest killed)" ] || fail "the last weights differ"
[ "$(levels quiet)" = "$(levels killed)" ] || {
  diff <(levels quiet) <(levels killed) || true
  fail "the levels differ"
}
levels quiet | grep -q 'level":1' || { levels quiet; fail "no level was opened"; }
echo "equal: $(final_digest quiet), $(levels quiet | tail -n 1)"

run async --learner.lagMax=2 "${short[@]}"
"$forage" verify "$work/async" > "$work/out" || { cat "$work/out"; fail "verify"; }
tail -n 1 "$work/out"
for ticket in 3 400 900; do
  "$forage" regenerate "$work/async" --ticket $ticket > "$work/out" || {
    cat "$work/out"
    fail again
  }
done
"$forage" fork "$work/quiet" --step 40 --folder "$work/fork" > "$work/out" || {
  cat "$work/out"
  fail fork
}
"$forage" run --resume "$work/fork" --plain > "$work/out" 2>&1 || { cat "$work/out"; fail resume; }
[ "$(final_digest quiet)" = "$(final_digest fork)" ] || fail "the fork ends with other weights"
status=0
"$forage" run --resume "$work/quiet" --task.curriculum.window=65 > "$work/out" 2>&1 || status=$?
[ $status = 78 ] && grep -q "task.curriculum.window from 64 to 65" "$work/out" || {
  cat "$work/out"
  fail "a changed curriculum ended with $status"
}
echo "the fork ends as its parent; another window is refused"
