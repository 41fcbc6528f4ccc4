#!/usr/bin/env bash
# fault: F13
# claim: an actor of another run, model, tokenizer, task, verifier, numeric class or protocol is
#   refused at hello and at submit, with a code, a sentence and a count; old weights mean "fetch"
# seconds: 10
. "$(dirname "$0")/common.sh"
need_python
"$FORAGE_PYTHON" Tests/Faults/f13-skews.py "$seconds"
