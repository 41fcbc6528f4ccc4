#!/usr/bin/env bash
# fault: F13b
# claim: of two learners alive the older is fenced by its epoch: its commits are refused and it ends
#   with status 83, also when replay has closed its connection meanwhile and it says hello anew; no
#   folder of the new one is touched
# seconds: 100
# The lock of the run's folder keeps a second learner out on one host; here its file is replaced, as
# on a shared file system whose locks do not reach the other host.
. "$(dirname "$0")/common.sh"
need_python
steps=400
options=(--learner.lagMax=0 --run.steps=$steps --learner.checkpointEvery=2 --evaluation.every=0)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

# What stands in the folders of checkpoints, every byte.
contents() { (cd "$work/two/checkpoints" && find . -type f -exec sha256sum {} + | sort); }
# What is stopped ends with the script only if it is woken.
lost() { kill -CONT $new; fail "$*"; }

# How long replay hears nothing of a connection before it closes it, and a little.
silence=35
trials=0 silent=0
while :; do
  trials=$((trials + 1))
  rm -rf "$work/two"
  "$forage" run "$config" --plain --folder "$work/two" "${options[@]}" > "$work/two.out" 2>&1 &
  job=$!
  wait_for_step two $((RANDOM % 40 + 20))
  old=$(process_of two learner)
  # First that the lock holds: a second learner is turned away with 84.
  status=0
  .build/release/forage-learner --run "$work/two" > "$work/locked.out" 2>&1 || status=$?
  [ $status = 84 ] || fail "a second learner ended with $status, not 84: $(cat "$work/locked.out")"
  # Stopped anywhere in a step; the supervisor sees no death and starts nobody.
  sleep 0.0$((RANDOM % 90 + 10))
  kill -STOP "$old"
  stopped=$SECONDS
  rm "$work/two/locks/learner.lock"
  .build/release/forage-learner --run "$work/two" --threads 1 > "$work/new.out" 2>&1 &
  new=$!
  stood=$(tail -n 1 "$work/two/metrics.jsonl" | sed -n 's/^{"step":\([0-9]*\),.*/\1/p')
  wait_for_step two $((stood + 15))
  # The new one is stopped while the old one wakes, so that whatever changes is the old one's doing.
  kill -STOP $new
  # Every other time the old one is away so long that it is a stranger when it is back.
  if [ $((trials % 2)) = 1 ]; then
    silent=$((silent + 1))
    while [ $((SECONDS - stopped)) -lt $silence ]; do sleep 0.2; done
  fi
  contents > "$work/before"
  kill -CONT "$old"
  for _ in $(seq 200); do
    kill -0 "$old" 2> /dev/null || break
    sleep 0.1
  done
  kill -0 "$old" 2> /dev/null && lost "the old learner lives on"
  contents > "$work/after"
  # Stopped within a checkpoint it ends that one, under a name of its own, and `latest` stays.
  [ -z "$(comm -23 "$work/before" "$work/after" | tee "$work/changed")" ] || {
    cat "$work/changed"
    lost "the old learner changed a checkpoint"
  }
  grep -q "fenced" "$work/two/logs/learner.log" || {
    tail "$work/two/logs/learner.log"
    lost "the old learner's log has no fence"
  }
  # And by the way that is meant: at its hello, on a new connection.
  if [ $((trials % 2)) = 1 ]; then
    grep -q "saying hello again" "$work/two/logs/learner.log" \
      || lost "replay knew the old learner's connection after $silence s"
  fi
  # A fence is no death to mend: the supervisor gives up with the learner's own status.
  kill -CONT $new
  status=0
  wait $job || status=$?
  [ $status = 83 ] || { tail "$work/two.out"; fail "the run ended with $status, not 83"; }
  kill $new
  wait $new || { status=$?; tail "$work/new.out"; fail "the new learner ended with $status"; }
  "$forage" run --resume "$work/two" --plain > "$work/resumed.out" 2>&1 || {
    status=$?
    cat "$work/resumed.out"
    fail "the resumed run ended with $status"
  }
  [ "$(final_digest two)" = "$want" ] || fail "the last weights differ"
  is_time_left || break
done
echo "measured: $trials trials, in $silent of them away for $silence s or more; each time a" \
  "second learner was turned away by the lock (84), then let in: the old one ended with 83," \
  "$(wc -l < "$work/before") files of checkpoints untouched, and the run went on to the last" \
  "weights of a quiet one"
