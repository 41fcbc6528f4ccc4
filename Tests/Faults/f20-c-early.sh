#!/usr/bin/env bash
# fault: F20
# claim: SIGTERM a few milliseconds after a program's start ends it with 0: of the roles as their
#   supervisor starts them at any moment, of forage run from its first instruction on
# seconds: 60
. "$(dirname "$0")/common.sh"
need_python
run base --learner.lagMax=0 --run.steps=8
"$FORAGE_PYTHON" Tests/Faults/f20-early.py "$seconds" "$work/base"
