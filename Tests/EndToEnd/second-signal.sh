#!/usr/bin/env bash
# Ctrl-C twice: the run ends at once with status 130 and nobody is left, even while a role is
# stopped and could not have ended by itself. A lost terminal stops a run as Ctrl-C does, but for
# one that was started with nohup.
# deadline: 90
. "$(dirname "$0")/common.sh"
command -v python3 > /dev/null || { echo "python3 is not installed"; exit 77; }
# A job of a script ignores SIGINT, and one of a script under nohup SIGHUP, unless it is started
# with the default action.
default_signals='import os, signal, sys
for number in signal.SIGINT, signal.SIGHUP: signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])'
python3 -c "$default_signals" "$forage" run "$config" --plain --folder "$work/twice" \
  --run.steps=1000 > "$work/twice.out" 2>&1 &
job=$!
wait_for_step twice 5
processes=$(for role in replay learner actor-0 actor-1; do process_of twice $role; done)
kill -STOP "$(process_of twice learner)"
kill -INT $job
sleep 0.5
kill -INT $job
began=$SECONDS status=0
wait $job || status=$?
[ $status = 130 ] || { cat "$work/twice.out"; fail "it ended with $status, not 130"; }
[ $((SECONDS - began)) -le 10 ] || fail "it took $((SECONDS - began)) s"
for process in $processes; do
  ! kill -0 "$process" 2> /dev/null || fail "process $process is left"
done
echo "status 130 after $((SECONDS - began)) s, nobody left"

short=(--run.steps=200 --evaluation.every=0 --evaluation.finalPrompts=4)
nohup "$forage" run "$config" --plain --folder "$work/kept" "${short[@]}" > "$work/kept.out" 2>&1 &
kept=$!
python3 -c "$default_signals" "$forage" run "$config" --plain --folder "$work/lost" \
  --run.steps=10000 > "$work/lost.out" 2>&1 &
lost=$!
wait_for_step kept 3
kill -HUP $kept
wait_for_step lost 3
kill -HUP $lost
wait $lost || { status=$?; cat "$work/lost.out"; fail "a lost terminal ended it with $status"; }
grep -q "continue with" "$work/lost.out" || { cat "$work/lost.out"; fail "it was not stopped"; }
wait $kept || { status=$?; cat "$work/kept.out"; fail "under nohup it ended with $status"; }
grep -q "^report:" "$work/kept.out" || { cat "$work/kept.out"; fail "nohup did not keep it"; }
echo "a lost terminal stops a run, and none that was started with nohup"
