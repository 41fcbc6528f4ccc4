#!/usr/bin/env bash
# fault: F20
# claim: SIGTERM while a role, or several at once, are stopped, and within an evaluation: status 0
#   within 25 s, nobody left, and the run goes on to the last weights of a quiet run
# seconds: 200
. "$(dirname "$0")/common.sh"
options=(--learner.lagMax=0 --run.steps=120 --learner.checkpointEvery=10)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
roles=(replay learner actor-0 actor-1)
# Who is stopped at once; each waits for its turn to be ended by force, and the times add up.
sets=(replay learner actor-0 actor-1 "replay learner" "replay actor-0" "learner actor-0 actor-1"
  "replay learner actor-0 actor-1")

# A supervisor that waits for the process it means to end must end it by force: what such a role did
# since its last checkpoint is taken again.
stops=0 slowest=0 slowest_in=
# stop_in PHASE NAME: SIGTERM to the run now; then it is resumed to its end.
stop_in() {
  local phase=$1 name=$2 asked took status=0 processes role process
  processes=$(for role in "${roles[@]}"; do process_of "$name" "$role"; done)
  asked=$(date +%s%N)
  kill -TERM $job
  wait $job || status=$?
  took=$((($(date +%s%N) - asked) / 1000000))
  [ $status = 0 ] || {
    cat "$work/$name.out" "$work/$name/logs/run.log"
    fail "$phase: SIGTERM ended with status $status"
  }
  [ $took -le 25000 ] || fail "$phase: stopping took $took ms"
  for process in $processes; do
    ! kill -0 "$process" 2> /dev/null || fail "$phase: process $process is left"
  done
  ! grep -q "^report:" "$work/$name.out" || fail "$phase: the run was over before"
  "$forage" run --resume "$work/$name" --plain > "$work/$name.out" 2>&1 || {
    status=$?
    cat "$work/$name.out"
    fail "$phase: the resume ended with status $status"
  }
  [ "$(final_digest "$name")" = "$want" ] || fail "$phase: the last weights differ"
  rm -rf "${work:?}/$name"
  stops=$((stops + 1))
  [ $took -gt $slowest ] && slowest=$took slowest_in=$phase
  echo "SIGTERM $phase: status 0 after $took ms, resumed, equal"
}
# begin NAME: the run, up to a step drawn at random.
begin() {
  "$forage" run "$config" --plain --folder "$work/$1" "${options[@]}" > "$work/$1.out" 2>&1 &
  job=$!
  wait_for_step "$1" $((10 + RANDOM % 50))
}

round=0
while :; do
  for set in "${sets[@]}"; do
    name=${set// /-}-$round
    begin "$name"
    kill -STOP $(for role in $set; do process_of "$name" "$role"; done)
    sleep 0.$((RANDOM % 10))
    stop_in "with $set stopped" "$name"
  done
  # Both actors are held until an evaluation is seen open, so that it is open still at the signal.
  name=evaluation-$round
  begin "$name"
  actors="$(process_of "$name" actor-0) $(process_of "$name" actor-1)"
  for _ in $(seq 300); do
    kill -STOP $actors
    "$forage" status "$work/$name" > "$work/status" 2>&1 || true
    grep -q "evaluation of version" "$work/status" && break
    kill -CONT $actors
    sleep 0.05
  done
  grep -q "evaluation of version" "$work/status" || fail "no evaluation: $(cat "$work/status")"
  kill -CONT $actors
  stop_in "within an evaluation" "$name"
  round=$((round + 1))
  is_time_left || break
done
echo "measured: $stops trials ($round rounds of ${#sets[@]} sets of stopped roles and one" \
  "evaluation); each ended with 0, the slowest after $slowest ms ($slowest_in); each went on to" \
  "the last weights of a quiet run"
