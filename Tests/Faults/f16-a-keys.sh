#!/usr/bin/env bash
# fault: F16
# claim: whoever dials in with a wrong key, an unknown key, no key or the key of another role is
#   refused, logged and counted, and ends with a status and a hint; the run goes on, its last
#   weights are those of a run without strangers, and no secret stands outside its key file
# seconds: 40
. "$(dirname "$0")/common.sh"
keys=$work/keys foreign=$work/foreign
free_ports 3
options=(--learner.lagMax=0 --run.steps=60)
export XDG_CONFIG_HOME=$work/config
{
  "$forage" keys make actor-7 --keys "$keys"
  "$forage" keys make actor-8 --keys "$keys"
  "$forage" keys make stranger --keys "$foreign"
  "$forage" keys check --keys "$keys"
} > "$work/keys.out" 2>&1 || { cat "$work/keys.out"; fail "forage keys"; }
# A pair the head does not know, that expects the head's server.
{ grep -v ^server: "$foreign/stranger.key"; grep ^server: "$keys/actor-7.key"; } \
  > "$work/unknown.key"
chmod 600 "$work/unknown.key"

run quiet "${options[@]}"
trials=0 refused=0
# refuses STATUS TEXT COMMAND...: it ends with the status and says the text, soon.
refuses() {
  local wanted=$1 text=$2 status=0
  shift 2
  timeout 30 "$@" > "$work/refused.out" 2>&1 || status=$?
  cat "$work/refused.out" >> "$work/all.out"
  [ $status = "$wanted" ] || { cat "$work/refused.out"; fail "$* ended with $status"; }
  grep -qF -- "$text" "$work/refused.out" || { cat "$work/refused.out"; fail "no \"$text\""; }
  refused=$((refused + 1))
}
actor=.build/release/forage-actor

# The run has no actors of its own: it waits while strangers knock, and then the one with a key
# comes.
while :; do
  trials=$((trials + 1)) name=guarded-$trials
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" --actor.count=0 \
    --listen 0.0.0.0 --keys "$keys" "${ports[@]}" > "$work/$name.out" 2>&1 &
  job=$!
  for _ in $(seq 300); do
    grep -qs "serving" "$work/$name/logs/replay.log" && break
    kill -0 $job 2> /dev/null || { cat "$work/$name.out"; fail "the run ended"; }
    sleep 0.1
  done
  at=tcp://127.0.0.1:$port
  refuses 86 "does not let this key in" "$actor" $at --keys "$work/unknown.key"
  refuses 86 "under another key than the one expected" "$actor" $at \
    --keys "$foreign/stranger.key"
  refuses 86 "wants keys, and this side has none" "$actor" $at
  refuses 65 "whose role is looker" "$actor" $at --keys "$keys/looker.key"
  # An actor's pair in a file that says looker: the head's list knows better.
  sed 's/^role: .*/role: looker/' "$keys/actor-8.key" > "$work/posing.key"
  chmod 600 "$work/posing.key"
  "$forage" status $at --keys "$work/posing.key" > "$work/status.out" 2>&1 \
    || { cat "$work/status.out"; fail "an actor's key may ask for the status"; }
  refuses 86 "" "$forage" status $at
  # The weight server's own door.
  refuses 86 "" "$forage" status tcp://127.0.0.1:$((port + 1)) --keys "$keys/looker.key"
  chmod 644 "$keys/actor-8.key"
  refuses 77 "chmod 600" "$actor" $at --keys "$keys/actor-8.key"
  chmod 600 "$keys/actor-8.key"
  "$forage" status "$work/$name" > "$work/status.out" 2>&1 || fail "forage status"
  for reason in unknown-key other-server; do
    grep -q "turned away at the door:.*$reason [1-9]" "$work/status.out" \
      || { cat "$work/status.out"; fail "$reason is not counted"; }
    grep -q "turned away .*: $reason" "$work/$name/logs/replay.log" || fail "$reason: no log"
  done
  grep -q "turned away 127.0.0.1: unknown-key" "$work/$name/logs/replay.log" || fail "no address"
  grep -q "turned away .*: other-role" "$work/$name/logs/learner.log" || fail "no looker's weights"
  # The learner's own door: a process says what it counts once a second.
  for _ in $(seq 30); do
    "$forage" status "$work/$name" > "$work/status.out" 2>&1 || fail "forage status"
    grep -q "turned away at the door of the learner: [1-9]" "$work/status.out" && break
    sleep 0.2
  done
  grep -q "turned away at the door of the learner: [1-9]" "$work/status.out" \
    || { cat "$work/status.out"; fail "the learner's strangers are not counted"; }
  "$actor" $at --name far --keys "$keys/actor-7.key" > "$work/far.out" 2>&1 &
  far=$!
  for process in "$(process_of "$name" replay)" "$(process_of "$name" learner)" $job $far; do
    tr '\0' '\n' < "/proc/$process/cmdline" > "$work/$process-line.out" || fail "no $process"
    tr '\0' '\n' < "/proc/$process/environ" > "$work/$process-environment.out"
  done
  wait $job || { status=$?; cat "$work/$name.out"; fail "the run ended with status $status"; }
  wait $far || { status=$?; cat "$work/far.out"; fail "the far actor ended with status $status"; }
  [ "$(final_digest $name)" = "$(final_digest quiet)" ] || fail "the last weights differ"
  "$forage" inspect "$work/$name" > "$work/inspect.out" 2>&1
  # Every secret, by itself, in whatever the run and its programs left: nowhere.
  sed -n 's/^secret: //p' "$keys"/*.key "$foreign"/*.key > "$work/secrets.txt"
  found=$(grep -rlF -f "$work/secrets.txt" "$work/$name" "$work"/*.out || true)
  [ "$(wc -l < "$work/secrets.txt")" = 11 ] || fail "not the eleven secrets"
  [ -z "$found" ] || fail "a secret stands in $found"
  rm -rf "${work:?}/$name"
  is_time_left || break
done
echo "measured: $trials trials; $refused dials refused with a status and a hint, the run's last" \
  "weights unchanged, 11 secrets nowhere in the run's folder and output"
