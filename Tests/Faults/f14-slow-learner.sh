#!/usr/bin/env bash
# fault: F14
# claim: with the learner stopped memory stays flat, nobody dies, and the run ends exact
# seconds: 150
. "$(dirname "$0")/../EndToEnd/common.sh"
stopped=$((${FORAGE_FAULT_SECONDS:-0} > 150 ? FORAGE_FAULT_SECONDS - 30 : 120))
options=(--learner.lagMax=0 --run.steps=120 --supervisor.stallSeconds=86000)

run quiet "${options[@]}"
quiet=$(final_digest quiet)
"$forage" run "$config" --plain --folder "$work/slow" "${options[@]}" > "$work/slow.out" 2>&1 &
job=$!
wait_for_step slow 40
learner=$(process_of slow learner)
kill -STOP "$learner"
sleep 10
# KiB of a role's resident memory.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$(process_of slow "$1")/status"; }
declare -A first most
for role in replay actor-0 actor-1; do first[$role]=$(resident $role) most[$role]=0; done
end=$((SECONDS + stopped - 10))
while [ $SECONDS -lt $end ]; do
  for role in replay actor-0 actor-1; do
    now=$(resident $role)
    [ "$now" -gt "${most[$role]}" ] && most[$role]=$now
  done
  sleep 2
done
"$forage" status "$work/slow" > "$work/status"
grep -q "waits for .*-> learner" "$work/status" || {
  cat "$work/status"
  fail "nobody names the learner"
}
kill -CONT "$learner"
wait $job || { status=$?; cat "$work/slow.out"; fail "the run ended with $status"; }
! grep -q "starting it again" "$work/slow/logs/run.log" || fail "somebody died meanwhile"
[ "$(final_digest slow)" = "$quiet" ] || fail "the last weights differ"
words=
for role in replay actor-0 actor-1; do
  grown=$((most[$role] - first[$role]))
  words+="$role ${first[$role]} KiB, then at most $grown more; "
  # A page table and an allocator's slack; a queue of groups would grow by as much a second.
  [ $grown -le 2048 ] || fail "$role grew by $grown KiB in $stopped s"
done
echo "measured: 1 trials; learner stopped $stopped s; ${words%; }"
