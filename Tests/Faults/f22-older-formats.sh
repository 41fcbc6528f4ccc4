#!/usr/bin/env bash
# fault: F22
# claim: a ledger of an older format is brought up to date with all that is in it; a newer one is
#   refused by its number and left as it is, by whatever program opens it
# seconds: 20
. "$(dirname "$0")/common.sh"
need_python
timeout 60 swift test -c release --skip-build --disable-xctest --filter MigrationTests \
  > "$work/tests.out" 2>&1 || { tail "$work/tests.out"; fail "the tests of migrations"; }
tests=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed.*/\1/p' "$work/tests.out")
[ "${tests:-0}" -ge 4 ] || fail "${tests:-no} tests of migrations ran"

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
echo "measured: $((tests + refusals)) trials; $tests tests on a kept ledger of format 1, and" \
  "$refusals programs that refuse one of format 99 by its number and leave it unchanged"
