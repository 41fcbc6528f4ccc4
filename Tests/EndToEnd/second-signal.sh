#!/usr/bin/env bash
# Ctrl-C twice: the run ends at once with status 130 and nobody is left, even while a role is
# stopped and could not have ended by itself.
# deadline: 60
. "$(dirname "$0")/common.sh"
command -v python3 > /dev/null || { echo "python3 is not installed"; exit 77; }
# A job of a script ignores SIGINT unless it is started with the default action.
python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$forage" run "$config" --plain --folder "$work/twice" \
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
