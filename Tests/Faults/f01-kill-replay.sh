#!/usr/bin/env bash
# fault: F1
# claim: kill -9 of replay at any system call loses no acknowledged group and doubles none; it
#   serves again within 2 s
# seconds: 150
. "$(dirname "$0")/common.sh"
need_python
need_tool strace
strace -qq -e trace=none true 2> /dev/null || skip "strace may not trace here"
"$FORAGE_PYTHON" Tests/Faults/f01-kill-replay.py "$seconds"
