#!/usr/bin/env bash
# fault: F7
# claim: ENOSPC or EDQUOT from any write of ledger, checkpoint or metrics, once in a while or for
#   seconds on end, loses nothing and kills nobody
# seconds: 90
# strace makes writes fail on a disk that has room. It is put on a running process and taken off
# again. The ledger is written by pwrite64 alone; what else `write` reaches in the learner, such as
# the descriptors by which its threads wake each other, is left out by naming the files.
. "$(dirname "$0")/common.sh"
need_tool strace
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"
options=(--learner.lagMax=0 --run.steps=160 --learner.checkpointEvery=4)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

# files_of NAME PROCESS: what a learner may write between steps 10 and 160, as options of strace.
files_of() {
  local run=$work/$1 step file
  printf '%s\n' -P "$run/metrics.jsonl"
  for step in $(seq 8 4 160); do
    for file in config.json tokenizer.json model.safetensors "optimizer.safetensors.$2.part" \
      "state.json.$2.part"; do
      printf '%s\n' -P "$run/checkpoints/.writing-$step-$2/$file"
    done
  done
}

trials=0 failed=0 longest=0
# refuse ROLE CALL WHEN SECONDS [ERROR]: such calls of the role fail for so long, or to the run's
# end.
refuse() {
  local role=$1 call=$2 when=$3 during=$4 error=${5:-ENOSPC} name=$1-$trials process tracer files=()
  local now
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" > "$work/$name.out" 2>&1 &
  local job=$!
  wait_for_step "$name" 10
  process=$(process_of "$name" "$role")
  [ "$role" = replay ] || mapfile -t files < <(files_of "$name" "$process")
  strace -f -p "$process" -o "$work/$name.trace" "${files[@]}" -e trace="$call" \
    -e inject="$call:error=$error$when" 2> /dev/null &
  tracer=$!
  if [ "$during" -gt 0 ]; then
    sleep "$during"
    "$forage" status "$work/$name" > "$work/status"
    grep -q "the disk" "$work/status" || fail "$name: nobody names the disk: $(cat "$work/status")"
    kill $tracer
    [ "$during" -le $longest ] || longest=$during
  fi
  wait $job || { status=$?; cat "$work/$name.out" "$work/$name"/logs/*.log; fail "$name: $status"; }
  wait $tracer 2> /dev/null || true
  now=$(grep -c INJECTED "$work/$name.trace" || true)
  [ "$now" -gt 0 ] || fail "$name: no $call failed"
  ! grep -q "starting it again" "$work/$name/logs/run.log" || {
    cat "$work/$name/logs/run.log"
    fail "$name: somebody died of it"
  }
  [ "$(final_digest "$name")" = "$want" ] || fail "$name: the last weights differ"
  rm -rf "${work:?}/$name"
  trials=$((trials + 1)) failed=$((failed + now))
  echo "$name: $call$when failed with $error $now times, went on, equal"
}

while :; do
  refuse replay pwrite64 "" $((3 + RANDOM % 4))
  refuse learner write "" $((3 + RANDOM % 4))
  # A quota is full in another way.
  refuse replay pwrite64 "" 3 EDQUOT
  refuse learner write "" 3 EDQUOT
  # Every so many calls one fails: now this write of a commit or a checkpoint, now that. Each costs
  # the second until the next try; with fewer between than a commit takes, none would succeed.
  refuse replay pwrite64 ":when=$((1 + RANDOM % 40))+$((500 + RANDOM % 400))" 0
  refuse learner write ":when=$((1 + RANDOM % 20))+$((40 + RANDOM % 40))" 0
  is_time_left || break
done
echo "measured: $trials trials; $failed writes refused, up to $longest s on end:" \
  "nothing lost, nobody died, the disk named; the same last weights ${want:0:12}"
