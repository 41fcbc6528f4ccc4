#!/usr/bin/env bash
# Flips one bit of one file of a stopped run, or takes the file away, and resumes it.
#
# fault: F6
# claim: a damaged or missing file is found before use and named; the checkpoint before it is used,
#   or the run is refused; it never ends with other weights than the quiet run
# seconds: 110
. "$(dirname "$0")/common.sh"

settings=(--learner.lagMax=0 --run.steps=28 --evaluation.finalPrompts=1 --evaluation.every=0)
run quiet "${settings[@]}"
wanted=$(final_digest quiet)
# The same run, its learner gone after step 21: checkpoints of steps 8 and 16, and five steps to
# be repeated.
FORAGE_CRASH_AT=lease_wait:23 "$forage" run "$config" --plain --folder "$work/base" \
  "${settings[@]}" --supervisor.maximumDeaths=1 > "$work/base.out" 2>&1 && fail "it did not die"
ls -d "$work"/base/checkpoints/step-0000{08,16} > /dev/null || fail "no two checkpoints"

# flip FILE: one bit at a place drawn by chance, which it prints.
flip() {
  python3 - "$1" << 'PYTHON'
import random, sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
place, bit = random.randrange(len(data)), random.randrange(8)
data[place] ^= 1 << bit
open(path, "wb").write(data)
print(f"bit {bit} of byte {place} of {len(data)}")
PYTHON
}

trials=0 refused=0 mended=0
# damage KIND FILE NAMED [quiet]: the run, resumed with its FILE flipped or missing, says NAMED and
# ends as the quiet one or is refused. With "quiet" it may end so without a word: the bit may be in
# a page nobody reads, or change a value on which nothing depends.
damage() {
  local kind=$1 file=$2 named=$3 status=0 how=missing
  rm -rf "$work/one" && cp -r "$work/base" "$work/one"
  sed -i 's/maximumDeaths: 1/maximumDeaths: 5/' "$work/one/settings.yaml"
  if [ "$kind" = flip ]; then how=$(flip "$work/one/$file"); else rm "$work/one/$file"; fi
  "$forage" run --resume "$work/one" --plain > "$work/one.out" 2>&1 || status=$?
  cat "$work"/one/logs/*.log "$work/one.out" > "$work/said"
  if ! grep -qE -- "$named" "$work/said"; then
    [ "$kind" = flip ] && [ $status = 0 ] && [ "${4:-}" = quiet ] \
      || { cat "$work/one.out"; fail "$file, $how: it is not named (status $status)"; }
  fi
  if [ $status = 0 ]; then
    [ "$(final_digest one)" = "$wanted" ] || fail "$file, $how: it ended with other weights"
    mended=$((mended + 1))
  else
    refused=$((refused + 1))
  fi
  trials=$((trials + 1))
}

checkpoint=checkpoints/step-000016
while :; do
  for file in config.json tokenizer.json model.safetensors optimizer.safetensors state.json; do
    for kind in flip miss; do
      damage $kind $checkpoint/$file "step-000016 is passed over"
    done
  done
  for file in config.json model.safetensors state.json; do
    damage flip checkpoints/step-000000/$file step-000000
  done
  damage flip checkpoints/latest "latest names no checkpoint" quiet
  damage miss checkpoints/latest "latest names no checkpoint"
  damage flip lineage "written anew from the ledger"
  damage miss lineage "written anew from the ledger"
  damage miss settings.yaml "settings.yaml"
  damage miss ledger.sqlite "ledger.sqlite is gone"
  for _ in 1 2 3; do
    damage flip settings.yaml "settings.yaml|changed: " quiet
    damage flip ledger.sqlite "ledger.sqlite" quiet
  done
  is_time_left || break
done
echo "measured: $trials trials; $mended ended with the quiet run's weights, $refused were refused" \
  "with the file named"
