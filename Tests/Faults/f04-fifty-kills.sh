#!/usr/bin/env bash
# fault: F4
# claim: fifty kills -9 at random moments of one run, of any process or of all at once, end with the
#   last weights of a quiet run
# seconds: 165
# FORAGE_FAULT_CONFIG names another config, with its own number of steps: Configs/arithmetic.yaml is
# the main job whole.
. "$(dirname "$0")/common.sh"
need_python
config=${FORAGE_FAULT_CONFIG:-$config}
steps=$(sed -n 's/^  steps: \([0-9]*\)/\1/p' "$config")
# The tiny job has more steps here, so that fifty kills have room.
[ "$steps" -ge 800 ] || steps=800
options=(--learner.lagMax=0 --run.steps="$steps")

run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
kills=0 trials=0
while :; do
  trials=$((trials + 1))
  "$FORAGE_PYTHON" Tests/Faults/killer.py "$work/killed" --kills 50 --steps "$steps" -- \
    "$forage" run "$config" --plain --folder "$work/killed" "${options[@]}" | tee "$work/kills" \
    || fail "$(tail -n 1 "$work/kills")"
  [ "$(final_digest killed)" = "$want" ] || fail "the last weights differ: $(final_digest killed)"
  kills=$((kills + 50))
  is_time_left || break
  rm -rf "$work/killed" "$work/killed.out"
done
echo "measured: $trials trials; $kills kills in $trials runs of $steps steps" \
  "(the last: $(tail -n 1 "$work/kills")); the same digest ${want:0:12} each time"
