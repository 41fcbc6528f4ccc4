#!/usr/bin/env bash
# fault: F13
# claim: forage-actor whose verifier does otherwise than the run's ends with status 85 and says why;
#   so does a resume under such a build, with 65
# seconds: 20
# The run's record of its verifier is altered: to it, the actor's build is another.
. "$(dirname "$0")/common.sh"
free_ports 3
"$forage" run "$config" --plain --folder "$work/run" --run.steps=100000 --network.listen=127.0.0.1 \
  "${ports[@]}" > "$work/run.out" 2>&1 &
job=$!
wait_for_step run 3
kill -TERM $job
wait $job || fail "SIGTERM ended with status $?"
sed -i 's/^verifier ..../verifier 0000/' "$work/run/definitions"

status=0
"$forage" run --resume "$work/run" --plain > "$work/resumed.out" 2>&1 || status=$?
[ $status = 65 ] || fail "the resume ended with $status, not 65: $(tail -n 3 "$work/resumed.out")"
grep -q "this build's verifier does otherwise" "$work/resumed.out" \
  || fail "the resume does not say why: $(tail -n 3 "$work/resumed.out")"

.build/release/forage-replay --run "$work/run" > "$work/replay.out" 2>&1 &
.build/release/forage-learner --run "$work/run" > "$work/learner.out" 2>&1 &
status=0
timeout 30 .build/release/forage-actor tcp://127.0.0.1:$port --name stranger --threads 1 \
  > "$work/actor.out" 2>&1 || status=$?
[ $status = 85 ] || fail "the actor ended with $status, not 85: $(tail -n 3 "$work/actor.out")"
grep -q "works with verifier" "$work/actor.out" || fail "the actor does not say why"
why=$(grep -o 'stranger works with.*' "$work/actor.out" | head -n 1)
echo "measured: 2 trials; a resume ended with 65, an actor with 85: $why"
