#!/usr/bin/env bash
# fault: F7
# claim: on a full disk nothing is acknowledged, everybody holds and waits by name, the run goes on
# seconds: 75
# Runs on a small tmpfs that is filled until the run stands, wherever that is, and emptied again:
# with a reserve, without one, and on a disk that the ledger's own log would nearly fill; one more
# is stopped while the disk is full. The last weights are those of a quiet run.
. "$(dirname "$0")/common.sh"
options=(--anyway --learner.lagMax=0 --run.steps=160 --learner.checkpointEvery=4)
trials=0 longest=0

mkdir "$work/small" "$work/tiny"
mount -t tmpfs -o size=96m forage-f07 "$work/small" 2> "$work/mount" || {
  echo "a tmpfs of its own: $(cat "$work/mount")"
  exit 77
}
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait
  umount -l "$work/small" "$work/tiny" 2> /dev/null || true; rm -rf "$work"; exit $status' EXIT
mount -t tmpfs -o size=24m forage-f07 "$work/tiny"
disk=$work/small

run quiet "${options[@]}"
quiet=$(final_digest quiet)
rm -rf "$work/quiet"

# start NAME: a run on the small disk; $job and $run are its process and folder.
start() {
  run=$disk/$1
  "$forage" run "$config" --plain --folder "$run" "${options[@]}" "${@:2}" > "$work/$1.out" 2>&1 &
  job=$!
  ln -s "$run" "$work/$1"
  wait_for_step "$1" 10
}
fill() { dd if=/dev/zero of="$disk/filler" bs=64k 2> /dev/null || true; }
# Frees what was filled after a while of a full disk, which counts from $began.
empty() {
  local held
  sleep $((RANDOM % 8 + 3))
  held=$((SECONDS - began))
  [ $held -gt $longest ] && longest=$held
  rm "$disk/filler"
}
steps() { wc -l < "$run/metrics.jsonl"; }
# The run stands: no step in 3 s. It may take a while until every part has met the full disk.
stands() {
  local before
  for _ in $(seq 20); do
    before=$(steps); sleep 3
    [ "$(steps)" = "$before" ] && return 0
  done
  fail "the run went on for a minute on a full disk"
}
finish() {
  wait $job || { status=$?; cat "$work/$1.out" "$run"/logs/*.log; fail "$1 ended with $status"; }
  [ "$(final_digest "$1")" = "$quiet" ] || fail "$1: the last weights differ"
  ! grep -q "starting it again" "$run/logs/run.log" || {
    cat "$run/logs/run.log"
    fail "$1: somebody died of the full disk"
  }
  rm -rf "$run" "${work:?}/$1"
  trials=$((trials + 1))
}

round=0
while :; do
  # The reserve refuses groups while there is still room for what must be written.
  start reserve-$round --replay.diskReserveBytes=8000000
  began=$SECONDS
  fill
  stands
  "$forage" status "$run" > "$work/status"
  grep -q "replay.* waits for the disk to have room" "$work/status" || fail "$(cat "$work/status")"
  grep -q "groups are refused until there is more" "$run/logs/replay.log" || fail "not refused"
  empty
  finish reserve-$round

  # Without a reserve every writer meets the full disk itself: ledger, checkpoint, metrics.
  start full-$round --replay.diskReserveBytes=1
  began=$SECONDS
  fill
  stands
  "$forage" status "$run" > "$work/status"
  grep -q "the disk" "$work/status" || fail "nobody names the disk: $(cat "$work/status")"
  empty
  finish full-$round

  # The log of this run is longer than what this disk has room for beside the reserve.
  disk=$work/tiny
  start tiny-$round --replay.diskReserveBytes=8000000
  fill
  began=$SECONDS
  stands
  empty
  finish tiny-$round
  disk=$work/small

  # Stopped while the disk is full: status 0 in time, and a resume ends as if nothing had been.
  start stopped-$round --replay.diskReserveBytes=1
  began=$SECONDS
  fill
  stands
  asked=$SECONDS
  kill -TERM $job
  wait $job || { status=$?; cat "$work/stopped-$round.out"; fail "stopping ended with $status"; }
  [ $((SECONDS - asked)) -le 25 ] || fail "stopping took $((SECONDS - asked)) s"
  empty
  "$forage" run --resume "$run" --plain > "$work/stopped-$round.out" 2>&1 &
  job=$!
  finish stopped-$round
  round=$((round + 1))
  is_time_left || break
done
echo "measured: $trials trials; nothing lost, nobody died, the longest full disk lasted $longest s"
