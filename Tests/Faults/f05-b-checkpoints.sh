#!/usr/bin/env bash
# fault: F5
# claim: after a power cut each checkpoint is the old one or the new one, never a mix, and the run
#   goes on to the last weights of a quiet run
# seconds: 280
. "$(dirname "$0")/common.sh"
need_python
need_tool linux.uml
need_tool mkfs.ext4
steps=120
run quiet --learner.lagMax=0 --learner.checkpointEvery=2 --evaluation.every=0 --run.steps=$steps
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
"$FORAGE_PYTHON" Tests/Faults/f05-checkpoints.py "$seconds" "$work" $steps "$want"
