#!/usr/bin/env bash
# fault: F15
# claim: hostile frames are refused before memory is taken for what they claim, counted per peer,
#   never reach the learner, and do not keep the others from their work
# seconds: 60
# A synchronous run is made quietly and again beside the attacker: it must end with the same digest.
. "$(dirname "$0")/common.sh"
need_python
free_ports 3
options=(--learner.lagMax=0 --run.steps=300 --evaluation.every=0 --network.listen=127.0.0.1
  "${ports[@]}")

# Groups a second over the run's steps, by the times of the ledger's commits.
rate() {
  "$FORAGE_PYTHON" - "$work/$1/ledger.sqlite" <<'PY'
import sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(
    "SELECT count(*), min(committed_ms), max(committed_ms) FROM commits").fetchone()
print(f"{1000 * (rows[0] - 1) / max(1, rows[2] - rows[1]):.1f}")
PY
}

run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

trials=0
while :; do
  trials=$((trials + 1))
  rm -rf "$work/attacked" "$work/stop"
  "$forage" run "$config" --plain --folder "$work/attacked" "${options[@]}" \
    > "$work/attacked.out" 2>&1 &
  job=$!
  wait_for_step attacked 0
  "$FORAGE_PYTHON" Tests/Faults/f15-hostile.py "tcp://127.0.0.1:$port" \
    "tcp://127.0.0.1:$((port + 1))" --until "$work/stop" > "$work/attack.out" 2>&1 &
  attacker=$!
  wait_for_step attacked 150
  "$forage" status "$work/attacked" > "$work/status" 2>&1 || fail "status: $(cat "$work/status")"
  for words in "refused of mallory: .*invalid" "refused of 127.0.0.1: .*malformed" \
    "faulty requests refused by the learner"; do
    grep -q "$words" "$work/status" || fail "no \"$words\": $(cat "$work/status")"
  done
  wait_for_step attacked 290
  touch "$work/stop"
  wait $attacker || { cat "$work/attack.out"; fail "the attacker was not refused everywhere"; }
  wait $job || { cat "$work/attacked.out"; fail "the run ended with status $?"; }
  lines=$(cat "$work"/attacked/logs/{replay,learner}.log | grep -cE " refused | dropped ") || true
  [ "$lines" -ge 2 ] && [ "$lines" -le 260 ] || fail "$lines lines of log for what was refused"
  [ "$(final_digest attacked)" = "$want" ] || fail "the attack changed the weights"
  said=$(tail -n 1 "$work/attack.out")
  "$FORAGE_PYTHON" - "$said" <<'PY' || fail "not refused, not counted, or memory was taken: $said"
import json, sys
done = json.loads(sys.argv[1])
refused = sum(done["refused"].values())
grown = done["mostBytes"] - done["firstBytes"]
# The blob cache and SQLite's pages grow in a quiet run too; one claim taken at its word is 2^40.
ok = refused > 50 and done["rounds"] > 0 and done["malformed"] > 10 and len(done["counted"]) == 2
sys.exit(0 if ok and grown < 128 << 20 else 1)
PY
  is_time_left || break
done
echo "measured: $trials trials; digest as without the attack; steps/s $(rate quiet) quiet," \
  "$(rate attacked) attacked; $said"
