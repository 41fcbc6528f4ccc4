#!/usr/bin/env bash
# fault: F18
# claim: the wall clock jumps days forward and back in all processes: no timeout, lease or order
#   follows it, and the last weights are those of a quiet run
# seconds: 40
# faketime changes what the wall clock says and leaves the monotonic one alone, as setting a clock
# does. FAKETIME_SHARED names what is not there: libfaketime would otherwise change the environment
# before Swift's runtime has found the arguments that lie beside it.
. "$(dirname "$0")/common.sh"
need_python
library=$(find /usr/lib -name libfaketime.so.1 2> /dev/null | head -n 1)
[ -n "$library" ] || skip "libfaketime is not installed"
options=(--learner.lagMax=0 --run.steps=200 --replay.ticketLeaseSeconds=5)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
jumps=(+3d -2d +400d +0 -30d +1h +9d -1d)
trials=0 made=0
while :; do
  trials=$((trials + 1))
  echo +0 > "$work/clock"
  LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$work/clock FAKETIME_NO_CACHE=1 \
    FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_SHARED="/none /none" \
    "$forage" run "$config" --plain --folder "$work/jumping" "${options[@]}" \
    > "$work/jumping.out" 2>&1 &
  job=$!
  while kill -0 $job 2> /dev/null; do
    sleep 0.$((RANDOM % 5 + 2))
    echo "${jumps[RANDOM % ${#jumps[@]}]}" > "$work/clock.new"
    mv "$work/clock.new" "$work/clock"
    made=$((made + 1))
  done
  wait $job || { status=$?; cat "$work/jumping.out"; fail "status $status"; }
  [ "$(final_digest jumping)" = "$want" ] || fail "the last weights differ"
  # It proves nothing unless the processes saw the jumps, and nothing may have lapsed by them.
  days=$("$FORAGE_PYTHON" - "$work/jumping/ledger.sqlite" <<'PYTHON'
import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
least, most = file.execute("SELECT min(committed_ms), max(committed_ms) FROM commits").fetchone()
back = file.execute("SELECT count(*) FROM commits AS a JOIN commits AS b ON b.step = a.step + 1"
                    " WHERE b.committed_ms < a.committed_ms").fetchone()[0]
drops = file.execute("SELECT count(*) FROM drops").fetchone()[0]
print((most - least) // 86_400_000, back, drops)
PYTHON
)
  read -r span back drops <<< "$days"
  [ "$span" -gt 100 ] || fail "the recorded times span $span days: the jumps were not seen"
  [ "$back" -gt 0 ] || fail "no step was committed before the one it follows: no jump back"
  [ "$drops" = 0 ] || fail "$drops groups were dropped"
  grep -q "starting it again" "$work/jumping/logs/run.log" && fail "a process was started again"
  is_time_left || break
  rm -rf "$work/jumping"
done
echo "measured: $trials trials; $made jumps of up to 400 days; times of the last run's steps span" \
  "$span days and go back $back times; nothing lapsed, same last weights ${want:0:12}"
