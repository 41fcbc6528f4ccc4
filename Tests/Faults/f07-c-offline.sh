#!/usr/bin/env bash
# fault: F7
# claim: an offline run whose disk is full while it copies groups waits by name and goes on; so it
#   does over kills of its learner and replay; without its source it ends by name, to be resumed
# seconds: 60
. "$(dirname "$0")/common.sh"
need_root "a tmpfs of its own"
mkdir "$work/small"
mount -t tmpfs -o size=96m forage-f07 "$work/small" 2> "$work/mount" \
  || skip "a tmpfs: $(cat "$work/mount")"
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait
  umount -l "$work/small" 2> /dev/null || true; rm -rf "$work"; exit $status' EXIT

run source --run.steps=60
options=(--replay.mode=offline "--replay.source=$work/source" --replay.maximumUses=8
  "--model.path=$work/source/checkpoints/step-000000" --run.steps=400 --learner.checkpointEvery=20
  --evaluation.every=0)
run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

# start NAME OVERRIDES...: an offline run that is at work; $job is its process.
start() {
  "$forage" run "$config" --plain --folder "$work/$1" "${options[@]}" "${@:2}" \
    > "$work/$1.out" 2>&1 &
  job=$!
  wait_for_step "$1" 20
}
finish() {
  wait $job || { status=$?; cat "$work/$1.out" "$work/$1"/logs/*.log; fail "$1: status $status"; }
  [ "$(final_digest "$1")" = "$want" ] || fail "$1: the last weights differ"
  "$forage" verify "$work/$1" > "$work/verify.out" 2>&1 || { cat "$work/verify.out"; fail "$1"; }
  rm -rf "$(realpath "$work/$1")" "${work:?}/$1"
  trials=$((trials + 1))
}
stands() {
  local before
  for _ in $(seq 20); do
    before=$(wc -l < "$work/$1/metrics.jsonl"); sleep 2
    [ "$(wc -l < "$work/$1/metrics.jsonl")" = "$before" ] && return 0
  done
  fail "$1 went on for forty seconds on a full disk"
}

trials=0 kills=0
while :; do
  name=killed-$trials
  start $name
  for role in learner replay learner; do
    kill -KILL "$(process_of $name $role)"
    kills=$((kills + 1))
    sleep 1.$((RANDOM % 10))
  done
  finish $name

  # Replay reads on from what it has opened; the one that is started in its place finds nothing.
  name=gone-$trials
  start $name
  mv "$work/source" "$work/elsewhere"
  kill -KILL "$(process_of $name replay)"
  status=0
  wait $job || status=$?
  [ $status != 0 ] || fail "$name: a run without its source ended well"
  grep -q "$work/source" "$work/$name.out" || {
    cat "$work/$name.out"
    fail "$name: status $status, and the source is not named"
  }
  mv "$work/elsewhere" "$work/source"
  "$forage" run --resume "$work/$name" --plain > "$work/$name.out" 2>&1 &
  job=$!
  finish $name

  # With a reserve replay copies no more while there is room still; without one every write fails.
  for reserve in 8000000 1; do
    name=full-$trials
    mkdir "$work/small/$name"
    ln -s "$work/small/$name" "$work/$name"
    start $name --replay.diskReserveBytes=$reserve
    dd if=/dev/zero of="$work/small/filler" bs=64k 2> /dev/null || true
    stands $name
    "$forage" status "$work/$name" > "$work/status"
    grep -q "the disk" "$work/status" || fail "$name: nobody names it: $(cat "$work/status")"
    rm "$work/small/filler"
    ! grep -q "starting it again" "$work/$name/logs/run.log" || fail "$name: somebody died of it"
    finish $name
  done
  is_time_left || break
done
echo "measured: $trials trials; $kills kills of learner and replay, the source taken away in one" \
  "of four and named, the disk full in two: the last weights ${want:0:12} of a quiet run, repeated"
