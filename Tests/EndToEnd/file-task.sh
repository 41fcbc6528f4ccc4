#!/usr/bin/env bash
# A task of free text, read from a file, with a model read from a folder, through all processes: the
# run keeps a copy of the file, actors fetch it by digest, and what was asked is in the file. A
# verifier that its gold answers do not satisfy keeps the run from starting.
# deadline: 120
. "$(dirname "$0")/common.sh"

"$forage" sft "$config" --output "$work/model" --steps 2 > "$work/sft.out" 2>&1 || {
  cat "$work/sft.out"
  fail "no model to begin with"
}
for left in $(seq 1 8); do
  for right in $(seq 1 8); do
    echo "{\"question\":\"$left+$right=\",\"answer\":\"$((left + right))\"}"
  done
done > "$work/sums.jsonl"
cat > "$work/file.yaml" << END
run: {name: file, steps: 3}
task:
  kind: file
  file: $work/sums.jsonl
  template: "{question}"
  heldOutCount: 8
  validationCount: 8
  gold: "<think></think><answer>{answer}</answer>"
  verifier:
    kind: weighted
    parts:
      - {kind: numeric, place: block}
      - {kind: think-answer, weight: 0.2}
model: {path: $work/model}
sampling: {maximumNewTokens: 16, groupSize: 4}
learner: {groupsPerStep: 4, learningRate: 1.0e-3, checkpointEvery: 3}
evaluation: {every: 2, prompts: 8, finalPrompts: 8}
actor: {ticketsPerRequest: 2}
END
"$forage" data check "$work/file.yaml" > "$work/check.out" || {
  cat "$work/check.out"
  fail "data check"
}
grep -q "64 of 64 get full marks" "$work/check.out" || fail "$(cat "$work/check.out")"
grep -q "prompt tokens    least 5," "$work/check.out" || fail "$(cat "$work/check.out")"
grep -q "0 prompts have more than 48 tokens" "$work/check.out" || fail "$(cat "$work/check.out")"
config=$work/file.yaml
# Two steps of supervised learning teach nothing that a preflight would begin with.
run file --anyway
cmp -s "$work/sums.jsonl" "$work/file/task/task-train.jsonl" || fail "the run kept no copy"
# The folder's copy is the run's: the file it came from may go.
mv "$work/sums.jsonl" "$work/moved.jsonl"
"$forage" inspect "$work/file" --step 0 > "$work/inspect.out"
grep -q "line [0-9]" "$work/inspect.out" || fail "$(cat "$work/inspect.out")"
"$forage" eval --run "$work/file" --prompts 4 --samples 1 > "$work/eval.out" 2>&1 || {
  cat "$work/eval.out"
  fail "eval needs the file that was moved"
}
mv "$work/moved.jsonl" "$work/sums.jsonl"
if "$forage" run "$config" --plain --folder "$work/bad" --task.gold='x{answer}' \
  > "$work/bad.out" 2>&1; then
  fail "gold answers without marks started a run"
fi
grep -q "64 gold answers do not get full marks" "$work/bad.out" || fail "$(cat "$work/bad.out")"
# The vocabulary of the model has ten digits and no letters.
if "$forage" run "$config" --plain --folder "$work/bad" --task.template='Add {question}' \
  > "$work/bad.out" 2>&1; then
  fail "prompts that the tokenizer cannot read started a run"
fi
grep -q 'no token for "A"' "$work/bad.out" || fail "$(cat "$work/bad.out")"
[ ! -e "$work/bad" ] || fail "a refused run left a folder"
# A program that thinks over each completion: the head judges more of them in a row than its
# watchdog's patience holds, and is not taken for hung.
cat > "$work/judge" << 'END'
#!/bin/sh
while read -r line; do sleep 0.1; echo '{"reward":1,"strict":true}'; done
END
chmod +x "$work/judge"
run slow --anyway --run.steps=1 --evaluation.every=0 --evaluation.finalPrompts=5 \
  --supervisor.hangSeconds=1.5 --preflight.enabled=false \
  --task.verifier="{kind: command, command: [$work/judge]}"
grep -q "to 1.000 greedy" "$work/slow.out" || { cat "$work/slow.out"; fail "no verdicts"; }
# One that is in a loop when the run is stopped ends with it.
cat > "$work/looping" << 'END'
#!/bin/sh
while read -r line; do
  case $line in *'"<think></think><answer>'*) ;; *) while :; do :; done ;; esac
  echo '{"reward":1,"strict":true}'
done
END
chmod +x "$work/looping"
"$forage" run "$config" --plain --anyway --folder "$work/looped" --evaluation.every=0 \
  --evaluation.finalPrompts=1 --evaluation.finalSamples=1 --preflight.enabled=false \
  --task.verifier="{kind: command, command: [$work/looping], seconds: 4}" \
  > "$work/looped.out" 2>&1 &
job=$!
judges() { pgrep -fx "/bin/sh $work/looping" | wc -l; }
for _ in $(seq 300); do
  grep -qs "joined run" "$work"/looped/logs/actor-*.log && [ "$(judges)" -ge 2 ] && break
  sleep 0.1
done
sleep 1
[ "$(judges)" -ge 1 ] || fail "no program was at work"
kill -TERM $job
wait $job || { cat "$work/looped.out"; fail "stopping ended with $?"; }
[ "$(judges)" = 0 ] || fail "$(judges) programs outlived their actors"
echo "a run from a file: $(tail -n 4 "$work/file.out" | head -n 1)"
