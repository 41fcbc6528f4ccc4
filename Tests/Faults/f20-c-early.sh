#!/usr/bin/env bash
# fault: F20
# claim: SIGTERM a few milliseconds after a program's start ends it with 0: of the roles as their
#   supervisor starts them at any moment, of forage run from its first instruction on
# seconds: 60
. "$(dirname "$0")/common.sh"
need_python
"$forage" run "$config" --plain --folder "$work/base" --run.steps=100000 --evaluation.every=0 \
  > "$work/base.out" 2>&1 &
job=$!
wait_for_step base 8
kill -TERM $job
wait $job || fail "SIGTERM ended with status $?"
"$FORAGE_PYTHON" Tests/Faults/f20-early.py "$seconds" "$work/base"
