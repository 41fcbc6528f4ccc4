#!/usr/bin/env bash
# fault: F5
# claim: a power cut loses no acknowledged group and no committed step; with synchronous=NORMAL, or
#   with syncs that do nothing, the same test loses them
# seconds: 190
. "$(dirname "$0")/common.sh"
need_python
need_tool linux.uml
need_tool mkfs.ext4
"$FORAGE_PYTHON" Tests/Faults/f05-power-cut.py "$seconds" "$work"
