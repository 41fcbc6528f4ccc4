#!/usr/bin/env bash
# Resumes a run with settings that were edited or typed, and with models that were exchanged.
#
# fault: F21
# claim: settings or a model that changed are refused by name, with both values, before a process is
#   started; a flag allows each, and the history keeps it
# seconds: 15
. "$(dirname "$0")/common.sh"

settings=(--learner.lagMax=0 --run.steps=24 --evaluation.finalPrompts=1 --evaluation.every=0)
run one "${settings[@]}"
run two "${settings[@]}" --run.seed=2
began=$(final_digest one)
trials=0

# refuses STATUS TEXT ARGUMENTS...: a resume of the run ends with the status, says the text, and
# starts nothing.
refuses() {
  local wanted=$1 text=$2 status=0 lines
  lines=$(wc -l < "$work/one/logs/replay.log")
  shift 2
  "$forage" run --resume "$work/one" --plain "$@" > "$work/out" 2>&1 || status=$?
  [ $status = "$wanted" ] || { cat "$work/out"; fail "$* ended with $status, not $wanted"; }
  grep -qF -- "$text" "$work/out" || { cat "$work/out"; fail "$* does not say: $text"; }
  [ "$(wc -l < "$work/one/logs/replay.log")" = "$lines" ] || fail "$*: a process was started"
  trials=$((trials + 1))
}
edit() { sed -i "$1" "$work/one/settings.yaml"; }

cp "$work/one/settings.yaml" "$work/settings"
while :; do
  refuses 78 "learner.learningRate from 0.001 to 0.0005" --learner.learningRate=5e-4
  refuses 78 "objective.beta" --objective.beta=0.5
  refuses 78 "follows from it" --run.seed=3 --allow-change run.seed
  # While the run is under way elsewhere nothing of it is touched, whatever is allowed.
  exec 9> "$work/one/locks/run.lock"
  flock 9
  refuses 84 "holds it" --learner.learningRate=5e-4 --allow-change learner.learningRate
  cmp "$work/settings" "$work/one/settings.yaml" || fail "a run under way got other settings"
  exec 9>&-
  edit 's/microbatchTokens: .*/microbatchTokens: 64/'
  refuses 78 "learner.microbatchTokens"
  edit 's/digits: 1/digits: 2/'
  refuses 78 "task.digits from 1 to 2"
  cp "$work/settings" "$work/one/settings.yaml"
  # The first model of another run, whole in itself.
  mv "$work/one/checkpoints/step-000000" "$work/first"
  cp -r "$work/two/checkpoints/step-000000" "$work/one/checkpoints/"
  refuses 65 "restore the first model"
  rm -r "$work/one/checkpoints/step-000000"
  refuses 65 "restore the first model"
  mv "$work/first" "$work/one/checkpoints/step-000000"
  # Its newest checkpoint: passed over for the run's own.
  mv "$work/one/checkpoints/step-000024" "$work/newest"
  cp -r "$work/two/checkpoints/step-000024" "$work/one/checkpoints/"
  "$forage" run --resume "$work/one" --plain > "$work/out" 2>&1 \
    || { cat "$work/out"; fail "go on"; }
  grep -q "step-000024 is passed over" "$work/one/logs/learner.log" || fail "not passed over"
  # The steps after the older one were repeated, and committed again with equal digests.
  "$forage" verify "$work/one" --steps 16..24 > "$work/out" 2>&1 || true
  grep -q "8 steps trained again" "$work/out" || { cat "$work/out"; fail "not repeated"; }
  rm -r "$work/one/checkpoints/step-000024"
  mv "$work/newest" "$work/one/checkpoints/step-000024"
  trials=$((trials + 1))
  is_time_left || break
done
"$forage" run --resume "$work/one" --plain --actor.count=1 > "$work/out" 2>&1 || fail "a free key"
grep -q "actor.count from 2 to 1, on which no number depends" "$work/out" || fail "it is not said"
[ "$(final_digest one)" = "$began" ] || fail "the last weights changed"
"$forage" run --resume "$work/one" --plain --run.steps=32 --learner.learningRate=5e-4 \
  --allow-change run.steps,learner.learningRate > "$work/out" 2>&1 \
  || { cat "$work/out"; fail "a change that is allowed"; }
"$forage" verify "$work/one" > "$work/out" || { cat "$work/out"; fail "the history is lost"; }
grep -q "verified: 32 steps" "$work/out" || fail "verify"
echo "measured: $((trials + 2)) trials; each refused by name before a process was started, a" \
  "change that was allowed repeated by verify"
