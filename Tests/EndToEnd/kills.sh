#!/usr/bin/env bash
# Kills an actor, then the learner, then replay in the middle of a synchronous run: the supervisor
# starts each again, the run reaches its end, and its last weights are those of a quiet run, bit for
# bit. So nothing acknowledged was lost and nothing was trained twice.
# deadline: 240
. "$(dirname "$0")/common.sh"

run quiet --learner.lagMax=0 --run.steps=200
"$forage" run "$config" --plain --folder "$work/killed" --learner.lagMax=0 --run.steps=200 \
  > "$work/killed.out" 2>&1 &
job=$!
for victim in actor-0:20 learner:60 replay:105 learner:150; do
  wait_for_step killed "${victim#*:}"
  kill -9 "$(process_of killed "${victim%:*}")"
  echo "killed ${victim%:*} after step ${victim#*:}"
  sleep 1
done
wait $job || {
  status=$?
  cat "$work/killed.out"
  fail "the run with kills ended with status $status"
}
[ "$(grep -c 'starting it again' "$work/killed/logs/run.log")" = 4 ] || {
  status=$?
  cat "$work/killed/logs/run.log"
  fail "not four restarts"
}
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest quiet)" = "$(final_digest killed)" ] || fail "the last weights differ"
echo "equal: $(final_digest quiet)"
