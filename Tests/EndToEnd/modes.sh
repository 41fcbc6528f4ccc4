#!/usr/bin/env bash
# The other ways to come by a batch. Replay mode: groups are trained again, and a run whose learner
# is killed ends with the weights of a quiet one. Fork: going back to a checkpoint of a synchronous
# run and on from there ends where the parent ended. Offline: a run that learns from another's
# ledger needs no actor and repeats itself bit for bit. Each can be verified from its own folder.
# deadline: 300
. "$(dirname "$0")/common.sh"

replay="--learner.lagMax=0 --run.steps=60 --replay.mode=replay --replay.reusedGroups=3
  --replay.selection=prioritized"

verified() {
  "$forage" verify "$work/$1" > "$work/$1.verified" 2>&1 || {
    status=$?
    cat "$work/$1.verified"
    fail "verify $1 ended with status $status"
  }
}

# shellcheck disable=SC2086
run quiet $replay
grep -q '"reuse/groups":3' "$work/quiet/metrics.jsonl" || fail "no group was reused"
# shellcheck disable=SC2086
"$forage" run "$config" --plain --folder "$work/killed" $replay > "$work/killed.out" 2>&1 &
job=$!
wait_for_step killed 8
kill -9 "$(process_of killed learner)"
wait_for_step killed 20
kill -9 "$(process_of killed replay)"
wait $job || {
  status=$?
  cat "$work/killed.out"
  fail "the run with kills ended with status $status"
}
[ "$(grep -c 'starting it again' "$work/killed/logs/run.log")" = 2 ] || fail "not two restarts"
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest quiet)" = "$(final_digest killed)" ] || fail "the last weights differ"
verified killed
echo "replay mode, equal after two kills: $(final_digest quiet)"

# Killed on the way a fork leaves nothing under its name; the next one begins anew.
for point in checkpoints ledger settings; do
  status=0
  FORAGE_CRASH_AT=fork.$point:1 "$forage" fork "$work/quiet" --step 48 --folder "$work/fork" \
    > "$work/fork.out" 2>&1 || status=$?
  [ $status = 137 ] || fail "the fork killed at $point ended with $status"
  [ ! -e "$work/fork" ] || fail "a fork killed at $point is there"
done
"$forage" fork "$work/quiet" --step 48 --folder "$work/fork" > "$work/fork.out" || fail "fork"
[ -z "$(find "$work" -maxdepth 1 -name '.making-*')" ] || fail "a half fork is left"
grep -q "96 later groups" "$work/fork.out" || {
  cat "$work/fork.out"
  fail "not 12 steps of 8 groups were dropped"
}
"$forage" run --resume "$work/fork" --plain > "$work/fork.out" 2>&1 || {
  status=$?
  cat "$work/fork.out"
  fail "the fork ended with status $status"
}
[ "$(final_digest quiet)" = "$(final_digest fork)" ] || fail "the fork came to other weights"
for command in status inspect; do
  "$forage" $command "$work/fork" > "$work/said"
  grep -q "forked from .* after 48 steps" "$work/said" || fail "$command does not name the parent"
done
grep -q "forked from" "$work/fork/report.html" || fail "the report does not name the parent"
verified fork
echo "fork, equal to its parent: $(final_digest fork)"

offline="--replay.mode=offline --replay.source=$work/quiet --run.steps=40
  --model.path=$work/quiet/checkpoints/step-000000"
for name in offline again; do
  # shellcheck disable=SC2086
  run $name $offline
  grep -q "started actor" "$work/$name/logs/run.log" && fail "an offline run started an actor"
done
[ -n "$(final_digest offline)" ] || fail "no digest"
[ "$(final_digest offline)" = "$(final_digest again)" ] || fail "offline runs differ"
[ "$(final_digest offline)" != "$(final_digest quiet)" ] || fail "offline is no run of its own"
verified offline
echo "offline, twice the same: $(final_digest offline)"
