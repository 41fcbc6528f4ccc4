#!/usr/bin/env bash
# fault: F9
# claim: partitions of the actors' host, both ways and one way, of 1 s to a minute, lose nothing,
#   double nothing, keep memory bounded, and end within the reconnection's cap
# seconds: 200
. "$(dirname "$0")/common.sh"
need_python
need_root "making network namespaces"
need_tool nft
. Tests/Faults/hosts.sh
steps=1500
options=(--learner.lagMax=0 --run.steps=$steps --evaluation.every=0 --learner.checkpointEvery=200
  --supervisor.stallSeconds=200)
# Silence is noticed after 15 s at most, a hello and a connection take 8 s, a backoff 5 s.
cap=28

# Megabytes of the largest process of the run and its actors.
resident() {
  local most=0 kilobytes pid
  for pid in "${actors[@]}" $(process_of parted replay) $(process_of parted learner); do
    kilobytes=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2> /dev/null) || true
    [ "${kilobytes:-0}" -gt "$most" ] && most=$kilobytes
  done
  echo $((most / 1024))
}

# cut DIRECTION: what the other host's packets meet.
cut() {
  in_other nft add table inet cut
  for hook in input output; do
    [ "$1" = $hook ] || [ "$1" = both ] || continue
    in_other nft add chain inet cut $hook "{ type filter hook $hook priority 0; policy drop; }"
  done
}

run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
start_far parted "${options[@]}"
for _ in $(seq 300); do [ "$(last_step parted)" -ge 5 ] && break; sleep 0.1; done
before=$(resident)
[ "$before" -gt 1 ] || fail "the memory of the processes cannot be seen"
most=0 cuts=0 longest=0 slowest=0
directions=(both input output)
# The first three are fixed, so that the smallest number of trials has all directions and a minute.
plan=(60 12 3)
while [ "$(last_step parted)" -lt $((steps - 300)) ] \
  && { [ $cuts -lt 3 ] || [ $SECONDS -lt "$seconds" ]; }; do
  length=${plan[cuts]:-$((RANDOM % 20 + 1))} direction=${directions[cuts % 3]}
  cut $direction
  sleep 0.3
  stood=$(last_step parted)
  for _ in $(seq "$length"); do
    sleep 1
    now=$(resident)
    [ "$now" -gt "$most" ] && most=$now
  done
  [ "$length" -lt 3 ] || [ "$(last_step parted)" -le $((stood + 1)) ] \
    || fail "steps went on through a partition ($direction): it cut nothing"
  stood=$(last_step parted)
  in_other nft delete table inet cut
  healed=$(date +%s%N)
  while [ "$(last_step parted)" -le "$stood" ]; do
    took=$((($(date +%s%N) - healed) / 1000000))
    [ $took -lt $((cap * 1000)) ] || {
      tail "$work"/far-*.out
      fail "no step within $cap s of the end of a partition ($direction, $length s)"
    }
    sleep 0.05
  done
  took=$((($(date +%s%N) - healed) / 1000000))
  [ $took -gt "$slowest" ] && slowest=$took
  [ "$length" -gt "$longest" ] && longest=$length
  cuts=$((cuts + 1))
  echo "$direction, $length s: a step again after $took ms; $now MB"
  sleep 1
done
finish_far parted
[ $cuts -ge 3 ] || fail "only $cuts partitions before the run ended"
[ "$(final_digest parted)" = "$want" ] || fail "the last weights differ"
[ "$(count_rows parted groups)" = $((steps * 8)) ] || fail "$(count_rows parted groups) groups"
# What an actor may hold unacknowledged is 64 MiB.
[ "$most" -le $((before + 64)) ] || fail "memory grew from $before to $most MB"
echo "measured: $cuts trials; partitions of up to $longest s, both ways, in and out; a step again" \
  "within $slowest ms (cap $cap s); the largest process had $most MB ($before before);" \
  "$((steps * 8)) groups, each once, $(count_rows parted drops) dropped; the last weights of a" \
  "quiet run"
