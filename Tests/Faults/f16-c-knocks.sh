#!/usr/bin/env bash
# fault: F16
# claim: raw connections that speak no ZeroMQ, or half a greeting, or nothing, are hung up on within
#   the handshake's time and counted; a run under them asks and answers as before
# seconds: 40
# FORAGE_FAULT_FILES limits the descriptors of each process, as some hosts do.
. "$(dirname "$0")/common.sh"
need_python
ulimit -Sn "${FORAGE_FAULT_FILES:-$(ulimit -Sn)}"
keys=$work/keys
free_ports 3
export XDG_CONFIG_HOME=$work/config
"$forage" keys make far --keys "$keys" > "$work/keys.out"
options=(--learner.lagMax=0 --run.steps=60)
run quiet "${options[@]}"
trials=0 knocks=0 worst=0 slowest=0
# knock SECONDS: at all three doors, in the background.
knock() {
  knockers=()
  for at in $port $((port + 1)) $((port + 2)); do
    "$FORAGE_PYTHON" Tests/Faults/f16-knock.py 127.0.0.1 $at --seconds "$1" --open 300 \
      > "$work/knock-$at.out" 2>&1 &
    knockers+=($!)
  done
}
while :; do
  trials=$((trials + 1)) name=knocked-$trials
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" --actor.count=0 \
    --listen 127.0.0.1 --keys "$keys" "${ports[@]}" > "$work/$name.out" 2>&1 &
  job=$!
  for _ in $(seq 300); do
    grep -qs "starts at version" "$work/$name/logs/learner.log" && break
    kill -0 $job 2> /dev/null || { cat "$work/$name.out"; fail "the run ended"; }
    sleep 0.1
  done
  knock 5
  # Somebody with a key is answered meanwhile, within the second that status has.
  for _ in 1 2 3 4 5; do
    sleep 0.5
    from=$(date +%s%N)
    "$forage" status tcp://127.0.0.1:$port --keys "$keys/looker.key" > "$work/status.out" 2>&1 \
      || { cat "$work/status.out"; fail "no answer under knocks"; }
    took=$((($(date +%s%N) - from) / 1000000))
    [ $took -gt $worst ] && worst=$took
  done
  for knocker in "${knockers[@]}"; do wait "$knocker" || fail "a knocker"; done
  for at in $port $((port + 1)) $((port + 2)); do
    cat "$work/knock-$at.out"
    grep -q '"left": 0' "$work/knock-$at.out" || fail "connections are left"
    knocks=$((knocks + $(sed -n 's/.*"made": \([0-9]*\).*/\1/p' "$work/knock-$at.out")))
    now=$(sed -n 's/.*"slowest_seconds": \([0-9]*\).*/\1/p' "$work/knock-$at.out")
    [ "$now" -gt "$slowest" ] && slowest=$now
  done
  # The whole run under a second round, which it outlives or not.
  knock 60
  .build/release/forage-actor tcp://127.0.0.1:$port --name far --keys "$keys/far.key" \
    > "$work/far.out" 2>&1 &
  far=$!
  wait $job || { status=$?; cat "$work/$name.out"; fail "the run ended with status $status"; }
  wait $far || { status=$?; cat "$work/far.out"; fail "the actor ended with status $status"; }
  [ "$(final_digest $name)" = "$(final_digest quiet)" ] || fail "the last weights differ"
  kill "${knockers[@]}"
  wait "${knockers[@]}" || true
  lines=$(grep -c "turned away" "$work/$name/logs/replay.log")
  [ "$lines" -ge 1 ] && [ "$lines" -le 40 ] || fail "$lines lines of log for $knocks knocks"
  rm -rf "${work:?}/$name"
  is_time_left || break
done
echo "measured: $trials trials; $knocks raw connections, the last hung up on after $slowest s," \
  "forage status answered in $worst ms at worst, the run's last weights unchanged, $lines lines" \
  "of log"
