#!/usr/bin/env bash
# fault: F8
# claim: a failed fsync of ledger or checkpoint ends the process with 74; a restart goes on, exact
# seconds: 60
# strace makes the Nth fdatasync or fsync of one process fail with EIO, once. The process must call
# none after it: the kernel has called the pages clean, and a retry would lie.
. "$(dirname "$0")/common.sh"
command -v strace > /dev/null || { echo "strace is not installed"; exit 77; }
strace -o /dev/null true 2> /dev/null || { echo "strace may not trace here"; exit 77; }
options=(--learner.lagMax=0 --run.steps=120 --learner.checkpointEvery=4)
trials=0

run quiet "${options[@]}"
quiet=$(final_digest quiet)

# break_sync ROLE CALL N: the Nth such call of the role from now on fails.
break_sync() {
  local role=$1 call=$2 nth=$3 name=$1-$2-$3 process tracer
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" > "$work/$name.out" 2>&1 &
  local job=$!
  wait_for_step "$name" 10
  process=$(process_of "$name" "$role")
  strace -f -p "$process" -o "$work/$name.trace" -e trace=fsync,fdatasync \
    -e inject="$call:error=EIO:when=$nth" 2> /dev/null &
  tracer=$!
  wait $job || { status=$?; cat "$work/$name.out" "$work/$name"/logs/*.log; fail "$name: $status"; }
  wait $tracer 2> /dev/null || true
  grep -q INJECTED "$work/$name.trace" || fail "$name: no $call failed"
  [ "$(sed '1,/INJECTED/d' "$work/$name.trace" | grep -c 'sync(')" = 0 ] || {
    cat "$work/$name.trace"
    fail "$name: it synced again"
  }
  grep -q "$role exited with status 74" "$work/$name/logs/run.log" || {
    cat "$work/$name/logs/run.log"
    fail "$name: not status 74"
  }
  [ "$(final_digest "$name")" = "$quiet" ] || fail "$name: the last weights differ"
  rm -rf "${work:?}/$name"
  trials=$((trials + 1))
  echo "$name: status 74, no second try, started again, equal"
}

round=0
while :; do
  break_sync replay fdatasync $((1 + 5 * round))
  for nth in 1 2 3; do break_sync learner fsync $((nth + 3 * round)); done
  round=$((round + 1))
  is_time_left || break
done
echo "measured: $trials failed syncs; each ended its process with 74 and cost nothing acknowledged"
