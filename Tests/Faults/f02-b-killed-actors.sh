#!/usr/bin/env bash
# fault: F2
# claim: actors killed again and again cost their tickets' lease at most: the last weights are those
#   of a quiet run
# seconds: 90
. "$(dirname "$0")/common.sh"
need_python
options=(--learner.lagMax=0 --run.steps=1200 --replay.ticketLeaseSeconds=2)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
trials=0
while :; do
  trials=$((trials + 1))
  "$FORAGE_PYTHON" Tests/Faults/killer.py "$work/killed" --kills 30 --steps 1200 \
    --victims actor-0,actor-1 -- "$forage" run "$config" --plain --folder "$work/killed" \
    "${options[@]}" > "$work/kills" || fail "$(tail -n 1 "$work/kills")"
  [ "$(final_digest killed)" = "$want" ] || fail "the last weights differ: $(final_digest killed)"
  "$FORAGE_PYTHON" Tests/Faults/count.py "$work/killed/ledger.sqlite" groups > "$work/groups"
  is_time_left || break
  rm -rf "$work/killed" "$work/killed.out"
done
echo "measured: $trials trials of 30 kills each (the last: $(tail -n 1 "$work/kills"));" \
  "the same last weights ${want:0:12}"
