#!/usr/bin/env bash
# What a person gets wrong is refused with a sentence and a status of its own, and nothing is made.
# deadline: 120
. "$(dirname "$0")/common.sh"
cd "$work"

# refuses STATUS TEXT ARGUMENTS...: forage ends with the status and says the text.
refuses() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$forage" "$@" > out 2>&1 || status=$?
  [ $status = "$wanted" ] || { cat out; fail "forage $* ended with $status, not $wanted"; }
  grep -qF -- "$text" out || { cat out; fail "forage $* does not say: $text"; }
  echo "refused: $(head -n 1 out)"
}

refuses 2 "did you mean run" rnu
refuses 2 "CONFIG" run
refuses 66 "no-such.yaml" run no-such.yaml
refuses 78 "did you mean learningRate" run "$config" --learner.learningRat=1
refuses 78 "learner.lagMax" run "$config" --learner.lagMax=-1
refuses 78 "did you mean digits" run "$config" --task.digit=2
refuses 78 "validation split has" run "$config" --evaluation.prompts=100000
refuses 78 "maximumPositions" run "$config" --model.maximumPositions=8
refuses 78 "others can reach" run "$config" --listen 0.0.0.0
refuses 66 "settings.yaml" run --resume "$work"
[ ! -e runs ] || fail "a refused run left a folder"

"$forage" run "$config" --dry-run > dry || fail "--dry-run"
grep -q "learningRate: 0.001" dry && grep -q "memory" dry || {
  cat dry
  fail "--dry-run says too little"
}
[ ! -e runs ] || fail "--dry-run left a folder"

mkdir other && touch other/file
refuses 73 "holds" run "$config" --folder "$work/other"
