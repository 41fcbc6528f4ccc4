#!/usr/bin/env bash
# SIGTERM in the middle of a synchronous run: a checkpoint, status 0 within 25 s; --resume needs no
# config and ends with the last weights of a run that was never stopped. kill -9 of the supervisor
# leaves no process behind.
# deadline: 240
. "$(dirname "$0")/common.sh"

run quiet --learner.lagMax=0 --run.steps=200 --actor.count=1
"$forage" run "$config" --plain --folder "$work/stopped" --learner.lagMax=0 --run.steps=200 \
  > "$work/stopped.out" 2>&1 &
job=$!
wait_for_step stopped 40
began=$SECONDS
kill -TERM $job
wait $job || { status=$?; cat "$work/stopped.out"; fail "SIGTERM ended with status $status"; }
[ $((SECONDS - began)) -le 25 ] || fail "stopping took $((SECONDS - began)) s"
grep -q -- "--resume $work/stopped" "$work/stopped.out" || fail "it does not say how to go on"
# The checkpoint is of the last step recorded, not of the last one that was due.
last=$(sed -n 's/^{"step":\([0-9]*\),.*/\1/p' "$work/stopped/metrics.jsonl" | tail -n 1)
grep -q "step-0*$((last + 1))\$" "$work/stopped/checkpoints/latest" || {
  cat "$work/stopped/logs/learner.log" "$work/stopped/checkpoints/latest"
  fail "stopped after step $last without its checkpoint"
}

"$forage" run --resume "$work/stopped" --plain > "$work/resumed.out" 2>&1 &
job=$!
wait_for_step stopped 100
processes=$(for role in replay learner actor-0 actor-1; do process_of stopped $role; done)
kill -9 $job
wait $job 2> /dev/null || true
for _ in $(seq 250); do
  alive=0
  for process in $processes; do kill -0 "$process" 2> /dev/null && alive=1; done
  [ $alive = 0 ] && break
  sleep 0.1
done
[ $alive = 0 ] || fail "a process outlived its supervisor by 25 s"

"$forage" run --resume "$work/stopped" --plain > "$work/resumed.out" 2>&1 || {
  status=$?
  cat "$work/resumed.out"
  fail "the resumed run ended with status $status"
}
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest quiet)" = "$(final_digest stopped)" ] || fail "the last weights differ"
echo "equal, with one actor and with two: $(final_digest quiet)"
