#!/usr/bin/env bash
# fault: F22
# claim: a ledger of an older format, or one whose making was cut short, is brought up to date by a
#   resume with all that is in it, and the run goes on bit for bit; an older state.json, moments and
#   metrics are read; newer ones are refused by their number, a newer ledger is left as it is by
#   whatever program opens it
# seconds: 30
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

# A resumed run on a ledger of the format before, and on one of this format.
run young --run.steps=4 --learner.lagMax=0
cp -a "$work/young" "$work/same"
cp -a "$work/young" "$work/older"
"$FORAGE_PYTHON" -c 'import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("ALTER TABLE commits DROP COLUMN curriculum")
file.execute("PRAGMA user_version = 2")
file.commit()' "$work/older/ledger.sqlite"
resume() {
  "$forage" run --resume "$work/$1" --plain "${@:2}" > "$work/$1.out" 2>&1 \
    || { cat "$work/$1.out"; fail "the resume of $1"; }
}
"$forage" inspect "$work/older" --step 1 > "$work/refused.out" 2>&1 \
  && fail "a ledger of the format before was read without being brought up to date"
grep -q "run --resume" "$work/refused.out" || { cat "$work/refused.out"; fail "no remedy"; }
for name in same older; do resume $name --run.steps=8 --allow-change run.steps; done
[ "$(final_digest older)" = "$(final_digest same)" ] || fail "the older ledger's run differs"
grep -q "brought up to date" "$work/older.out" || fail "nothing was brought up to date"
grep -q "brought up to date" "$work/same.out" && fail "there was nothing to bring up to date"
# The power went when the file had been made and nothing was in it.
cp -a "$work/young" "$work/cut"
rm "$work/cut/metrics.jsonl" "$work/cut"/ledger.sqlite*
find "$work/cut/checkpoints" -mindepth 1 -maxdepth 1 -name 'step-*' ! -name step-000000 \
  -exec rm -r {} +
echo step-000000 > "$work/cut/checkpoints/latest"
: > "$work/cut/ledger.sqlite"
resume cut
[ "$(final_digest cut)" = "$(final_digest young)" ] || fail "the run begun anew differs"
# A ledger that lost all it had is no reason to begin again.
cp -a "$work/young" "$work/lost"
rm "$work/lost"/ledger.sqlite*
: > "$work/lost/ledger.sqlite"
status=0
"$forage" run --resume "$work/lost" --plain > "$work/refused.out" 2>&1 || status=$?
[ $status = 66 ] && grep -q "is empty, and checkpoint" "$work/refused.out" \
  || { cat "$work/refused.out"; fail "an empty ledger: status $status"; }

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
echo "measured: $((tests + refusals + 4)) trials; a run on the format before and one whose ledger" \
  "was empty went on bit for bit; $tests tests, on a kept ledger of format 1 and" \
  "on older and newer state.json, moments, settings and metrics; $refusals programs refuse a" \
  "ledger of format 99 by its number and leave it unchanged"
