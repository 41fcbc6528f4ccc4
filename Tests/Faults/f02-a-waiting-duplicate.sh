#!/usr/bin/env bash
# fault: F2
# claim: a kill of replay while a duplicate waits on its original's commit leaves no group stuck and
#   loses nothing acknowledged; a dead actor's tickets are given out again when their lease ends
# seconds: 40
. "$(dirname "$0")/common.sh"
need_python
"$FORAGE_PYTHON" Tests/Faults/f02-waiting-duplicate.py "$seconds"
