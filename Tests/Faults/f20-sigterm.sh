#!/usr/bin/env bash
# fault: F20
# claim: SIGTERM at any moment of a run: status 0 within 25 s, with a checkpoint of the last step;
#   the run goes on from there to the last weights of a quiet run
# seconds: 50
. "$(dirname "$0")/common.sh"
need_python
options=(--learner.lagMax=0 --run.steps=300 --learner.checkpointEvery=100)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

last_step() {
  local line
  line=$(tail -n 1 "$work/stopped/metrics.jsonl" 2> /dev/null) || return 0
  sed -n 's/^{"step":\([0-9]*\),.*/\1/p' <<< "$line"
}

runs=0 stops=0 slowest=0
while :; do
  runs=$((runs + 1)) command=(run "$config" --folder "$work/stopped" "${options[@]}")
  rm -rf "$work/stopped"
  while :; do
    "$forage" "${command[@]}" --plain > "$work/stopped.out" 2>&1 &
    job=$!
    # The first moments fall into the warm start and the starting of processes. Before its first
    # tenths of a second a program cannot know of signals.
    sleep $((RANDOM % 4)).$((RANDOM % 7 + 3))
    asked=$(date +%s%N)
    kill -TERM $job 2> /dev/null || true
    status=0
    wait $job || status=$?
    took=$((($(date +%s%N) - asked) / 1000000))
    [ $status = 0 ] || { cat "$work/stopped.out"; fail "SIGTERM ended with status $status"; }
    [ $took -le 25000 ] || fail "stopping took $took ms"
    grep -q "^report:" "$work/stopped.out" && break
    stops=$((stops + 1))
    [ $took -gt $slowest ] && slowest=$took
    step=$(last_step)
    # What was trained is in the checkpoint that `latest` names.
    if [ -n "$step" ]; then
      latest=$(cat "$work/stopped/checkpoints/latest")
      [ "$((10#${latest#step-}))" = $((step + 1)) ] || fail "stopped after step $step with $latest"
    fi
    [ -e "$work/stopped/settings.yaml" ] && command=(run --resume "$work/stopped")
  done
  [ "$(final_digest stopped)" = "$want" ] || fail "the last weights differ"
  is_time_left || break
done
[ $stops -ge 3 ] || fail "only $stops stops"
echo "measured: $stops trials; each ended with 0, the slowest after $slowest ms; $runs runs went" \
  "on to the last weights of a quiet run"
