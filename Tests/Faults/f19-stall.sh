#!/usr/bin/env bash
# fault: F19
# claim: a hung thread of any role ends its process with status 80; one that waits is only named
# seconds: 170

# A thread that could go on and does not is found by the watchdog of its process, which prints who
# does what and the last events; the supervisor starts the process again, and the last weights are
# those of a quiet run. A supervisor that hangs ends the same way and leaves nobody behind.
. "$(dirname "$0")/../EndToEnd/common.sh"
patience=3
# Steps enough that no turn below is among a run's last: there a hung process is stopped first.
options=(--learner.lagMax=0 --supervisor.hangSeconds=$patience --supervisor.stallSeconds=60
  --run.steps=96)
deadline=$((SECONDS + ${FORAGE_FAULT_SECONDS:-0})) trials=0 slowest=0

run quiet "${options[@]}"
quiet=$(final_digest quiet)
[ -n "$quiet" ] || fail "no digest"

# hang STRAND TURN ROLE: one process of the role hangs once at that turn of that strand.
hang() {
  local strand=$1 turn=$2 role=$3 name=$1-$2 began=$SECONDS
  FORAGE_HANG_AT=$strand:$turn:$work/$name.hung run "$name" "${options[@]}"
  [ -e "$work/$name.hung" ] || fail "$strand never came to turn $turn"
  cat "$work/$name"/logs/$role*.log > "$work/$name.log"
  grep -q "$strand could go on and has not for $patience s" "$work/$name.log" || {
    cat "$work/$name.log"
    fail "no watchdog spoke of $strand"
  }
  grep -q "/$strand: .*; its last turn was" "$work/$name.log" || fail "$strand: no account"
  grep -q "the last events:" "$work/$name.log" || fail "$strand: no events"
  grep -q "exited with status 80" "$work/$name/logs/run.log" || fail "$strand: not status 80"
  [ "$(final_digest "$name")" = "$quiet" ] || fail "$strand: the last weights differ"
  trials=$((trials + 1))
  [ $((SECONDS - began)) -le $slowest ] || slowest=$((SECONDS - began))
  echo "$strand hung at turn $turn of $role: found, ended, started again"
  rm -rf "${work:?}/$name"
}

# The supervisor itself: status 80, and its processes end by themselves.
hang_supervisor() {
  local name=supervisor-$1 status=0
  FORAGE_HANG_AT=supervise:$1 timeout 120 "$forage" run "$config" --plain --folder "$work/$name" \
    "${options[@]}" --run.steps=400 > "$work/$name.out" 2>&1 || status=$?
  [ $status = 80 ] || { cat "$work/$name.out"; fail "the hung supervisor ended with $status"; }
  grep -q "supervise could go on and has not" "$work/$name/logs/run.log" || fail "no last words"
  for role in replay learner actor-0 actor-1; do
    process=$(process_of "$name" $role)
    for _ in $(seq 250); do kill -0 "${process:-0}" 2> /dev/null || break; sleep 0.1; done
    [ -z "$process" ] || ! kill -0 "$process" 2> /dev/null || fail "$role outlived the supervisor"
  done
  trials=$((trials + 1))
}

# A learner that is stopped is no fault of the others: they wait for it by name, and live.
wait_by_name() {
  "$forage" run "$config" --plain --folder "$work/stopped" "${options[@]}" --run.steps=300 \
    > "$work/stopped.out" 2>&1 &
  local job=$! learner
  wait_for_step stopped 5
  learner=$(process_of stopped learner)
  kill -STOP "$learner"
  sleep $((2 * patience + 2))
  "$forage" status "$work/stopped" > "$work/status" 2>&1 || fail "status: $(cat "$work/status")"
  kill -CONT "$learner"
  grep -q "learner \[stopped by a signal\]" "$work/status" || fail "status: $(cat "$work/status")"
  grep -q "actor-.* waits for the learner .*-> learner" "$work/status" || {
    fail "status: $(cat "$work/status")"
  }
  grep -q "compute has been waiting for the learner" "$work"/stopped/logs/actor-*.log || {
    fail "no actor said that it waits"
  }
  kill -TERM $job
  wait $job || fail "the run with a stopped learner ended with status $?"
  ! grep -q "starting it again" "$work/stopped/logs/run.log" || {
    cat "$work/stopped/logs/run.log"
    fail "somebody died of waiting"
  }
  trials=$((trials + 1))
  rm -rf "$work/stopped"
}

round=0
while :; do
  for strand in compute:$((40 + 7 * round)):actor sockets:$((60 + 11 * round)):actor \
    train:$((150 + 13 * round)):learner weights:$((8 + round)):learner \
    serve:$((120 + 17 * round)):replay; do
    IFS=: read -r name turn role <<< "$strand"
    hang "$name" "$turn" "$role"
  done
  hang_supervisor $((100 + round))
  wait_by_name
  round=$((round + 1))
  [ $SECONDS -lt $deadline ] || break
done
echo "measured: $trials trials; found after $patience s each time, the longest whole run" \
  "with a hang took $slowest s"
