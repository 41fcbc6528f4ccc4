#!/usr/bin/env bash
# forage bench link: what wrong addresses, sizes and keys get, and that a live run does not notice.
# What it reads on links that are known: Scripts/links.
# deadline: 120
. "$(dirname "$0")/common.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "making network namespaces needs root"
. Tests/Faults/hosts.sh
. Tests/EndToEnd/links-common.sh

listen $head 47000
# Bad input: one sentence, and a status that is not 0.
refused() {
  local wanted=$1 words=$2 status=0
  shift 2
  "$@" > "$work/refused" 2>&1 || status=$?
  [ $status = "$wanted" ] || { cat "$work/refused"; fail "$* ended with $status, not $wanted"; }
  [ "$(wc -l < "$work/refused")" = 1 ] || { cat "$work/refused"; fail "$*: not one line"; }
  grep -q "$words" "$work/refused" || { cat "$work/refused"; fail "$*: not '$words'"; }
}
refused 69 "connection refused" in_other "$forage" bench link tcp://10.78.0.1:47999
refused 2 "67108864" "$forage" bench link tcp://127.0.0.1:47000 --sizes 64,99999999999
refused 2 "tcp://HOST:PORT" "$forage" bench link tcp://10.78.0.1
kill $end && wait $end || fail "the far end did not stop well"

# Under keys: the key that was let in measures, a stranger's does not.
"$forage" keys make far --keys "$work/keys" > /dev/null
"$forage" keys make stranger --keys "$work/others" > /dev/null
listen $head 47020 --keys "$work/keys"
in_other "$forage" bench link tcp://10.78.0.1:47020 --keys "$work/keys/far.key" --sizes 64 \
  --seconds 0.1 --repeats 1 --json > "$work/curve" 2>> "$work/progress" || fail "under keys"
between "a round trip under keys, in ms" "$(figure "$work/curve" "curve 64 B round trip p50")" 0 50
refused 86 "keys" in_other "$forage" bench link tcp://10.78.0.1:47020
refused 86 "another key\|under another" in_other "$forage" bench link tcp://10.78.0.1:47020 \
  --keys "$work/others/stranger.key"
kill $end && wait $end || fail "the far end did not stop well"

# A live run: replay and the weights are measured while it goes, and its weights are those of a run
# that nobody measured.
options=(--learner.lagMax=0 --run.steps=900)
run alone "${options[@]}"
ip netns exec $head "$forage" run "$config" --plain --folder "$work/live" "${options[@]}" \
  --listen 10.78.0.1 --network.replayPort=47030 --network.weightsPort=47031 \
  --network.announcePort=47032 --network.allowUnauthenticated=true > "$work/live.out" 2>&1 &
job=$!
wait_for_step live 2
in_other timeout 60 "$forage" bench link tcp://10.78.0.1:47030 tcp://10.78.0.1:47031 \
  --sizes 64,1048576 --seconds 0.1 --repeats 1 --json > "$work/running" 2>> "$work/progress" \
  || { cat "$work/progress"; fail "a live run could not be measured"; }
# An actor measures its own, told by replay.
in_other timeout 60 "$forage" bench link tcp://10.78.0.1:47030 --from actor-0 \
  --sizes 64,1048576 --seconds 0.1 --repeats 1 --json > "$work/from" 2>> "$work/progress" \
  || { cat "$work/progress"; fail "an actor measured no link"; }
refused 85 "no actor nobody" in_other "$forage" bench link tcp://10.78.0.1:47030 --from nobody
kill -0 $job 2> /dev/null || fail "the run was over before its links were measured"
for service in 47030 47031; do
  for file in running from; do
    rate=$(figure "$work/$file" "tcp://10.78.0.1:$service zeromq 1 MiB back")
    between "a live run's MB/s ($file)" "$rate" 1 100000
  done
done
wait $job || { cat "$work/live.out"; fail "the measured run failed"; }
[ "$(final_digest live)" = "$(final_digest alone)" ] || fail "measuring changed the weights"
echo "refusals in one line each; a live run was measured, from outside and by its own actor, and" \
  "its weights are the same"
