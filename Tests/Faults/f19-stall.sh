#!/usr/bin/env bash
# fault: F19
# claim: a hung thread of any role ends its process with status 80; one that waits is only named;
#   a run without a step ends with 80 and says who waits for whom, and steps taken again are steps
# seconds: 205

# A thread that could go on and does not is found by the watchdog of its process, which prints who
# does what and the last events; the supervisor starts the process again, and the last weights are
# those of a quiet run. A supervisor that hangs ends the same way and leaves nobody behind.
. "$(dirname "$0")/common.sh"
patience=3
# Steps enough that no turn below is among a run's last: there a hung process is stopped first.
options=(--learner.lagMax=0 --supervisor.hangSeconds=$patience --supervisor.stallSeconds=60
  --run.steps=96)
trials=0 slowest=0

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

# No step for stallSeconds, with every process alive: the run ends and says who is in the way.
end_without_a_step() {
  local status=0 job
  "$forage" run "$config" --plain --folder "$work/stalled" "${options[@]}" --run.steps=400 \
    --replay.ticketLeaseSeconds=3 --supervisor.hangSeconds=4 --supervisor.stallSeconds=5 \
    > "$work/stalled.out" 2>&1 &
  job=$!
  wait_for_step stalled 5
  kill -STOP "$(process_of stalled learner)"
  wait $job || status=$?
  [ $status = 80 ] || { cat "$work/stalled.out"; fail "a run without steps ended with $status"; }
  grep -q "no step for 5.0 s; who waits for whom" "$work/stalled.out" \
    && grep -q "learner \[stopped by a signal\]" "$work/stalled.out" || {
    cat "$work/stalled.out"
    fail "it does not say who is in the way"
  }
  trials=$((trials + 1))
  rm -rf "$work/stalled"
}

# A learner that was killed takes its steps again for longer than stallSeconds: that is no stall.
redo_for_long() {
  local began job
  "$forage" run "$config" --plain --folder "$work/redone" "${options[@]}" --run.steps=70 \
    --learner.groupsPerStep=64 --learner.checkpointEvery=1000 --evaluation.every=0 \
    --replay.ticketLeaseSeconds=2 --supervisor.hangSeconds=2.5 --supervisor.stallSeconds=3 \
    > "$work/redone.out" 2>&1 &
  job=$!
  wait_for_step redone 64
  began=$(date +%s%N)
  kill -KILL "$(process_of redone learner)"
  wait_for_step redone 68
  redo=$((($(date +%s%N) - began) / 1000000))
  wait $job || { cat "$work/redone.out"; fail "a long redo ended the run with status $?"; }
  [ $redo -gt 3000 ] || fail "the redo took $redo ms: it shows nothing"
  grep -q "learner .*starting it again" "$work/redone/logs/run.log" || fail "nobody was killed"
  trials=$((trials + 1))
  rm -rf "$work/redone"
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
  end_without_a_step
  redo_for_long
  round=$((round + 1))
  is_time_left || break
done
echo "measured: $trials trials; found after $patience s each time, the longest whole run" \
  "with a hang took $slowest s; a redo of $redo ms was no stall of 3 s"
