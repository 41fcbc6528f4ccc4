#!/usr/bin/env bash
# fault: F12
# claim: a stopped actor is marked, its lease ends, others fill its tickets, and it may come back
# seconds: 40
. "$(dirname "$0")/common.sh"
trials=0
options=(--learner.lagMax=0 --run.steps=300 --replay.ticketLeaseSeconds=3)

run quiet "${options[@]}"
quiet=$(final_digest quiet)
while :; do
  name=stopped-$trials
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" > "$work/$name.out" 2>&1 &
  job=$!
  wait_for_step "$name" $((20 + 7 * (trials % 10)))
  actor=$(process_of "$name" actor-0)
  kill -STOP "$actor"
  before=$(wc -l < "$work/$name/metrics.jsonl")
  sleep 6
  "$forage" status "$work/$name" > "$work/status"
  grep -q "actor-0 \[stopped by a signal\]" "$work/status" || fail "$(cat "$work/status")"
  # Past the end of its lease the other one fills what it held, and the run goes on.
  for _ in $(seq 100); do
    [ "$(wc -l < "$work/$name/metrics.jsonl")" -gt $((before + 5)) ] && break
    sleep 0.1
  done
  [ "$(wc -l < "$work/$name/metrics.jsonl")" -gt $((before + 5)) ] || fail "nobody went on"
  kill -CONT "$actor"
  wait $job || { status=$?; cat "$work/$name.out"; fail "the run ended with $status"; }
  ! grep -q "starting it again" "$work/$name/logs/run.log" || fail "somebody died meanwhile"
  [ "$(final_digest "$name")" = "$quiet" ] || fail "the last weights differ"
  rm -rf "${work:?}/$name"
  trials=$((trials + 1))
  is_time_left || break
done
echo "measured: $trials trials; marked, reissued after 3 s, the last weights equal"
