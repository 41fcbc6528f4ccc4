#!/usr/bin/env bash
# Writes NaN into a gradient or a weight of a running learner by FORAGE_NAN_AT. The clamp of a
# behavior log-prob of -100 is a room test.
#
# fault: F17
# claim: a number that is not finite leaves weights, moments and checkpoints as they were, its batch
#   can be looked at, and three such steps in a row end the run with a status of its own
# seconds: 20
. "$(dirname "$0")/common.sh"

settings=(--learner.lagMax=0 --run.steps=24 --evaluation.finalPrompts=1 --evaluation.every=0
  --supervisor.firstBackoffSeconds=0.05)
run quiet "${settings[@]}"

trials=0
while :; do
  rm -rf "$work"/{two,three,weight} "$work/once"
  # Two steps in a row, the second of which a checkpoint was due at: skipped, and the run goes on.
  FORAGE_NAN_AT=gradient:6-7 run two "${settings[@]}"
  [ "$(grep -c '"outcome":"skipped"' "$work/two/metrics.jsonl")" = 2 ] || fail "not two skipped"
  [ ! -e "$work/two/checkpoints/step-000008" ] || fail "a skipped step made a checkpoint"
  "$forage" verify "$work/two" --records-only > "$work/out" || { cat "$work/out"; fail "records"; }
  grep -q " + skipped 16 " "$work/out" || { cat "$work/out"; fail "not 16 groups skipped"; }
  "$forage" inspect "$work/two" --step 7 > "$work/out" || fail "inspect"
  grep -q "completions" "$work/out" || { cat "$work/out"; fail "the batch cannot be looked at"; }
  # What repeats it without the fault says where it was.
  status=0
  "$forage" verify "$work/two" > "$work/out" || status=$?
  [ $status = 88 ] && grep -q "DIFFERS: step 6" "$work/out" || { cat "$work/out"; fail "verify"; }

  status=0
  FORAGE_NAN_AT=gradient:10-12 "$forage" run "$config" --plain --folder "$work/three" \
    "${settings[@]}" > "$work/three.out" 2>&1 || status=$?
  [ $status = 87 ] || { cat "$work/three.out"; fail "three in a row ended with $status, not 87"; }
  [ "$(cat "$work/three/checkpoints/latest")" = step-000008 ] || fail "a checkpoint after step 10"
  "$forage" inspect "$work/three" --step 11 > "$work/out" || fail "inspect"
  grep -q completions "$work/out" || { cat "$work/out"; fail "the batch is gone"; }

  # A weight that changes in memory is caught before it is kept; the learner starts again.
  FORAGE_NAN_AT="weight:13:$work/once" run weight "${settings[@]}"
  grep -q "memory was overwritten" "$work/weight/logs/learner.log" || fail "NaN was not noticed"
  [ -n "$(final_digest quiet)" ] && [ "$(final_digest weight)" = "$(final_digest quiet)" ] \
    || fail "NaN in a weight left its mark"
  trials=$((trials + 3))
  is_time_left || break
done
swift test -c release --skip-build --filter \
  "CohortTrainerTests.*(behavior log-prob of -100|not finite)" > "$work/room" 2>&1 \
  || { cat "$work/room"; fail "the room's tests"; }
grep -q "with 2 tests" "$work/room" || { cat "$work/room"; fail "the room's tests were not found"; }
echo "measured: $trials trials; skipped without a checkpoint, status 87 after three, NaN in a" \
  "weight caught before its step was kept; the clamp by 2 room tests"
