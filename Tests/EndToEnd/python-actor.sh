#!/usr/bin/env bash
# An actor in another language fills a whole run: Tests/Interop/actor.py, written from Docs/WIRE.md
# alone, takes every ticket, submits made-up groups and fetches each version of the weights, all
# under keys.
# deadline: 120
. "$(dirname "$0")/common.sh"
python=${FORAGE_PYTHON:-}
[ -n "$python" ] || {
  echo "${FORAGE_NO_PYTHON:-FORAGE_PYTHON names no Python with pyzmq and safetensors}"
  exit 77
}

"$forage" keys make python --keys "$work/keys" > "$work/keys.out" || fail "forage keys make"
port=$((20000 + RANDOM % 20000))
"$forage" run "$config" --plain --anyway --folder "$work/python" --actor.count=0 --run.steps=3 \
  --warmStart.maximumSteps=0 --evaluation.every=0 --network.listen=127.0.0.1 --keys "$work/keys" \
  --network.replayPort=$port --network.weightsPort=$((port + 1)) \
  --network.announcePort=$((port + 2)) > "$work/python.out" 2>&1 &
job=$!
"$python" Tests/Interop/actor.py "tcp://127.0.0.1:$port" --groups 24 \
  --keys "$work/keys/python.key" > "$work/actor.out" 2>&1 || {
  status=$?
  cat "$work/actor.out" "$work/python.out"
  fail "the Python actor ended with status $status"
}
wait $job || { status=$?; cat "$work/python.out"; fail "the run ended with status $status"; }
cat "$work/actor.out"
grep -q '"acknowledged": 24' "$work/actor.out" || fail "not 24 groups acknowledged"
grep -qs '^{"step":2,' "$work/python/metrics.jsonl" || fail "the run did not take its three steps"
