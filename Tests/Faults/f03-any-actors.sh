#!/usr/bin/env bash
# Runs one synchronous job with 1, 2 and 4 actors, and with 4 of which one after another is killed;
# then an asynchronous one with kills of actors and learner, which it repeats from its ledger.
#
# fault: F3
# claim: with lagMax 0 the last weights depend neither on how many actors there are nor on their
#   deaths; with lagMax 2 and kills every step repeats from the ledger and the first model
# seconds: 40
. "$(dirname "$0")/common.sh"

settings=(--run.steps=60 --evaluation.finalPrompts=1 --supervisor.firstBackoffSeconds=0.05)

# killed NAME LAG ROLES...: a run in which each role is killed at a step drawn by chance.
killed() {
  local name=$1 lag=$2 job step=4
  shift 2
  rm -rf "${work:?}/$name"
  "$forage" run "$config" --plain --folder "$work/$name" "${settings[@]}" --actor.count=4 \
    --learner.lagMax="$lag" > "$work/$name.out" 2>&1 &
  job=$!
  for role in "$@"; do
    step=$((step + 1 + RANDOM % 10))
    wait_for_step "$name" $step
    kill -9 "$(process_of "$name" "$role")" && kills=$((kills + 1))
  done
  wait $job || { cat "$work/$name.out"; fail "the run $name with kills"; }
}

for actors in 1 2 4; do
  run actors-$actors "${settings[@]}" --learner.lagMax=0 --actor.count=$actors
  [ -n "$(final_digest actors-$actors)" ] || fail "no digest"
  [ "$(final_digest actors-$actors)" = "$(final_digest actors-1)" ] || fail "$actors actors differ"
done
trials=3 kills=0 steps=0
while :; do
  killed sync 0 actor-0 actor-1 actor-2 actor-3
  [ "$(final_digest sync)" = "$(final_digest actors-1)" ] || fail "killed actors left their mark"
  killed async 2 actor-1 learner actor-3
  "$forage" verify "$work/async" > "$work/out" || { cat "$work/out"; fail "it does not repeat"; }
  grep -q "verified: 60 steps trained again" "$work/out" || { cat "$work/out"; fail "not 60"; }
  trials=$((trials + 2)) steps=$((steps + 60))
  is_time_left || break
done
echo "measured: $trials trials; 1, 2 and 4 actors and $kills kills give one digest at lagMax 0," \
  "$steps asynchronous steps repeated with every digest equal"
