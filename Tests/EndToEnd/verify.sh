#!/usr/bin/env bash
# An asynchronous run with two actors, one of them killed, is trained again from its first model
# and its ledger with every digest equal, and groups are sampled again token by token. Settings a
# step depends on cannot change unsaid, nor can the programs.
# deadline: 180
. "$(dirname "$0")/common.sh"

"$forage" run "$config" --plain --folder "$work/async" --learner.lagMax=2 --run.steps=60 \
  > "$work/async.out" 2>&1 &
job=$!
wait_for_step async 5
kill -9 "$(process_of async actor-0)"
"$forage" verify "$work/async" > "$work/live.out" || { cat "$work/live.out"; fail "a live run"; }
echo "while it ran: $(tail -n 1 "$work/live.out")"
wait $job || { status=$?; cat "$work/async.out"; fail "the run ended with status $status"; }
grep -qE '"lag/max":[12]' "$work/async/metrics.jsonl" || fail "no step trained an older version"

# ends STATUS TEXT ARGUMENTS...: forage ends with the status and says the text.
ends() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$forage" "$@" > "$work/out" 2>&1 || status=$?
  [ $status = "$wanted" ] || { cat "$work/out"; fail "forage $* ended with $status"; }
  grep -qF -- "$text" "$work/out" || { cat "$work/out"; fail "forage $* does not say: $text"; }
  tail -n 1 "$work/out"
}

ends 0 "verified: 60 steps trained again" verify "$work/async"
ends 0 "verified: 12 steps trained again" verify "$work/async" --steps 48..60
# Of versions that no checkpoint has any more, and of an evaluation.
ends 0 "same, token by token" regenerate "$work/async" --ticket 100
ends 0 "same, token by token" regenerate "$work/async" --ticket 333 --sample 2
ends 0 "1 completions" regenerate "$work/async" --evaluation 16 --ticket 3 --sample 1

ends 78 "learner.learningRate from 0.001 to 0.0005" \
  run --resume "$work/async" --learner.learningRate=5.0e-4
sed -i 's/lagMax: 2/lagMax: 1/' "$work/async/settings.yaml"
ends 78 "learner.lagMax from 2 to 1" run --resume "$work/async"
ends 0 "written anew" run --resume "$work/async" --plain --restore-settings
# Changes that are named go into the history: steps before them are repeated with the old settings.
ends 0 "70 steps" run --resume "$work/async" --plain --run.steps=70 \
  --learner.learningRate=5.0e-4 --allow-change run.steps,learner.learningRate
ends 0 "verified: 70 steps trained again" verify "$work/async"
# So may the task's, which the run and its actors then hold to.
ends 0 "75 steps" run --resume "$work/async" --plain --run.steps=75 --task.formatReward=0.3 \
  --allow-change run.steps,task.formatReward
ends 0 "verified: 75 steps trained again" verify "$work/async"
ends 0 "80 steps" run --resume "$work/async" --plain --run.steps=80 --allow-change run.steps

# A program that is not the one recorded is named before anything is guessed.
mkdir "$work/other" && cp .build/release/forage* "$work/other/" 2> /dev/null || true
echo >> "$work/other/forage-actor"
forage=$work/other/forage
ends 89 "forage-actor: recorded" verify "$work/async"
ends 89 "other forage-actor" run --resume "$work/async"
ends 0 "verified: 80 steps" verify "$work/async" --allow-other-build
