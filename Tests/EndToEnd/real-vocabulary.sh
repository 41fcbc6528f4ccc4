#!/usr/bin/env bash
# A folder as people download it, but small: a Qwen3 model of tiny size in BF16 and two shards, with
# a real vocabulary and ChatML as its chat template. It is asked in chats through all processes,
# stopped, resumed; its last checkpoint carries on what was in the folder. A chat template that
# nobody knows is refused by the list of those that are.
# deadline: 150
. "$(dirname "$0")/common.sh"
python=${FORAGE_PYTHON:-}
[ -n "$python" ] || {
  echo "${FORAGE_NO_PYTHON:-FORAGE_PYTHON names no Python with safetensors and numpy}"
  exit 77
}
# The vocabularies in use are too large to keep here; a small one of their kind is.
tokenizer=../shared/data/tokenizers/qwen2/tokenizer.json problems=../shared/data/gsm8k/train.jsonl
[ -r $tokenizer ] || tokenizer=Tests/PolicyTests/Fixtures/tokenizers/qwen2.json
if [ -r $problems ]; then head -n 200 $problems > "$work/problems.jsonl"; else
  for left in $(seq 1 14); do
    for right in $(seq 1 14); do
      echo "{\"question\":\"What is $left + $right?\",\"answer\":\"So #### $((left + right))\"}"
    done
  done > "$work/problems.jsonl"
fi
"$python" Tests/Interop/tiny_model.py "$work/model" $tokenizer \
  Tests/PolicyTests/Fixtures/chats/expected.json chatml
cat > "$work/chat.yaml" << END
run: {name: chat, steps: 4}
task:
  kind: file
  file: $work/problems.jsonl
  chat: model
  system: "End with #### and the number."
  heldOutCount: 8
  validationCount: 8
  # Random weights solve nothing: a form that some completions have by chance gives the spread.
  verifier:
    kind: weighted
    parts:
      - {kind: gsm8k}
      - {kind: regex, pattern: '^[^_@|~!]*\$'}
model: {path: $work/model}
sampling: {maximumNewTokens: 12, groupSize: 8}
learner: {groupsPerStep: 2, lagMax: 0, checkpointEvery: 2, learningRate: 1.0e-3}
evaluation: {every: 0, finalPrompts: 4, finalSamples: 1}
actor: {ticketsPerRequest: 2}
END
config=$work/chat.yaml
run whole --anyway
"$forage" run "$config" --plain --anyway --folder "$work/stopped" > "$work/stopped.out" 2>&1 &
job=$!
wait_for_step stopped 0
kill -TERM $job
wait $job || { status=$?; cat "$work/stopped.out"; fail "stopping ended with status $status"; }
"$forage" run --resume "$work/stopped" --plain --anyway > "$work/stopped.out" 2>&1 || {
  cat "$work/stopped.out"
  fail "resume"
}
[ -n "$(final_digest whole)" ] || fail "no digest"
[ "$(final_digest whole)" = "$(final_digest stopped)" ] || fail "the last weights differ"
# What was asked: the template's own tokens, the system's words, a question, the assistant's turn.
"$forage" inspect "$work/whole" --ticket 0 --sample 0 > "$work/inspect.out"
for part in '<|im_start|>system' 'End with #### and the number.' '<|im_start|>assistant'; do
  tr -d '\n' < "$work/inspect.out" | sed 's/␣/ /g' | grep -qF -- "$part" || {
    cat "$work/inspect.out"
    fail "the prompt has no $part"
  }
done
grep -q 'chat: *chatml' "$work/whole/settings.yaml" || fail "the settings do not name the template"
# What the folder held is carried on; numpy opens the weights and finds them trained.
last=$work/whole/checkpoints/$(cat "$work/whole/checkpoints/latest")
for file in tokenizer.json tokenizer_config.json chat_template.jinja; do
  cmp "$work/model/$file" "$last/$file" || fail "$file was changed"
done
"$python" Tests/Interop/tiny_model.py --compare "$last"
# A template of somebody's own is a program, and no program is run.
echo "{{ messages }}" > "$work/model/chat_template.jinja"
if "$forage" run "$config" --plain --folder "$work/bad" > "$work/bad.out" 2>&1; then
  fail "an unknown chat template started a run"
fi
grep -q "is not known; known are chatml, qwen2" "$work/bad.out" || fail "$(cat "$work/bad.out")"
[ ! -e "$work/bad" ] || fail "a refused run left a folder"
echo "equal, stopped and not: $(final_digest whole)"
