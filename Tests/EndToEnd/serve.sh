#!/usr/bin/env bash
# PyPI's openai client against forage serve: a tiny chat model with a byte-level vocabulary, then
# the newest checkpoint of a run, whose name says its step and whose greedy text is generate's, and
# the ones that come after it while somebody asks.
# deadline: 150
. "$(dirname "$0")/common.sh"
python=${FORAGE_PYTHON:-}
[ -n "$python" ] || {
  echo "${FORAGE_NO_PYTHON:-FORAGE_PYTHON names no Python with openai}"
  exit 77
}
"$python" Tests/Interop/chat_model.py "$work/chatty"
"$python" Tests/Interop/openai_client.py "$forage" "$work/chatty"

run served --anyway --run.steps=2 --learner.checkpointEvery=2 --learner.keepCheckpoints=9 \
  --warmStart.maximumSteps=0 --evaluation.every=0 --evaluation.finalPrompts=4
"$forage" serve --run "$work/served" --follow --listen 127.0.0.1:0 \
  > "$work/serve.out" 2> "$work/serve.err" &
server=$!
for _ in $(seq 200); do grep -q '^serving' "$work/serve.out" && break; sleep 0.05; done
address=$(sed -n 's/^serving served-step-000002 at \(http[^ ]*\)\/v1:.*/\1/p' "$work/serve.out")
[ -n "$address" ] || fail "no address: $(cat "$work/serve.out" "$work/serve.err")"
ours=$("$forage" generate --model "$work/served/checkpoints/step-000002" --prompt 1+2= \
  --temperature 0 --max-new-tokens 12)
"$python" - "$address" "$ours" << 'PYTHON'
import sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
for name in ("served-step-000002", "served"):
    reply = client.completions.create(model=name, prompt="1+2=", temperature=0, max_tokens=12)
    assert reply.choices[0].text == sys.argv[2], (reply, sys.argv[2])
    assert reply.model == "served-step-000002"
try:
    client.completions.create(model="served", prompt="x", max_tokens=2)
    raise SystemExit("a letter without a token was taken")
except openai.BadRequestError as error:
    assert error.param == "prompt" and 'no token for "x"' in error.message, error
try:
    messages = [{"role": "user", "content": "1"}]
    client.chat.completions.create(model="served", messages=messages)
    raise SystemExit("a chat was taken without a template")
except openai.BadRequestError as error:
    assert error.code == "no_chat_template", error
PYTHON
# A second server finds the port taken and says so.
status=0
"$forage" serve --run "$work/served" --listen "${address#http://}" 2> "$work/second.err" \
  || status=$?
[ $status = 82 ] && grep -q "address already in use" "$work/second.err" \
  || fail "status $status: $(cat "$work/second.err")"
# The run goes on: its next checkpoints take their places while a client asks without a pause, each
# answer says whose it is, and is what generate says of that one.
"$forage" run --resume "$work/served" --run.steps=6 --allow-change run.steps --anyway --plain \
  > "$work/resumed.out" 2>&1 &
resumed=$!
"$python" - "$address" "$forage" "$work/served/checkpoints" << 'PYTHON'
import subprocess, sys, time, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
seen, end = {}, time.monotonic() + 90
while "served-step-000006" not in seen:
    assert time.monotonic() < end, f"only {sorted(seen)} within 90 s"
    reply = client.completions.create(model="served", prompt="1+2=", temperature=0, max_tokens=12)
    assert seen.setdefault(reply.model, reply.choices[0].text) == reply.choices[0].text, reply
assert [model.id for model in client.models.list()] == ["served-step-000006"]
for name, text in seen.items():
    words = [sys.argv[2], "generate", "--model", f"{sys.argv[3]}/{name.removeprefix('served-')}",
             "--prompt", "1+2=", "--temperature", "0", "--max-new-tokens", "12"]
    ours = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert ours.rstrip("\n") == text, (name, ours, text)
print(f"followed from {min(seen)} to {max(seen)}")
PYTHON
wait $resumed || { cat "$work/resumed.out"; fail "the resumed run ended with $?"; }
kill -TERM $server
wait $server || fail "the server ended with $?"
