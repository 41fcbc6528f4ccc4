#!/usr/bin/env bash
# fault: F22
# claim: a ledger of an older format is brought up to date with all that is in it, an older
#   state.json, moments and metrics are read; newer ones are refused by their number, a newer ledger
#   is left as it is by whatever program opens it
# seconds: 20
. "$(dirname "$0")/common.sh"
need_python
# Ledgers; then state.json, the moments, settings.yaml and metrics.jsonl.
formats="MigrationTests|CheckpointTests.*(format 1 had no seal|moments of another format)"
formats+="|SettingsChangeTests.*later format is refused|MetricsTests.*a file says its format"
timeout 60 swift test -c release --skip-build --disable-xctest --filter "$formats" \
  > "$work/tests.out" 2>&1 || { tail "$work/tests.out"; fail "the tests of formats"; }
tests=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed.*/\1/p' "$work/tests.out")
[ "${tests:-0}" -ge 8 ] || { cat "$work/tests.out"; fail "${tests:-no} tests of formats ran"; }
for suite in MigrationTests CheckpointTests SettingsChangeTests MetricsTests; do
  grep -q "Suite $suite passed" "$work/tests.out" || fail "no test of $suite ran"
done

run young --run.steps=4
ledger=$work/young/ledger.sqlite
"$FORAGE_PYTHON" -c 'import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
file.execute("PRAGMA user_version = 99")
file.commit()' "$ledger"
before=$(sha256sum < "$ledger")
refusals=0
for command in "run --resume $work/young --plain" "inspect $work/young --step 1" \
  "verify $work/young"; do
  status=0
  "$forage" $command > "$work/refused.out" 2>&1 || status=$?
  [ $status != 0 ] || fail "forage $command took a ledger of format 99"
  grep -q "99" "$work/refused.out" || { cat "$work/refused.out"; fail "$command does not say 99"; }
  refusals=$((refusals + 1))
done
[ "$(sha256sum < "$ledger")" = "$before" ] || fail "the refused ledger was changed"
echo "measured: $((tests + refusals)) trials; $tests tests, on a kept ledger of format 1 and" \
  "on older and newer state.json, moments, settings and metrics; $refusals programs refuse a" \
  "ledger of format 99 by its number and leave it unchanged"
