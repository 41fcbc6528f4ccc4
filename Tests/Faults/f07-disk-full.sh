#!/usr/bin/env bash
# fault: F7
# claim: on a full disk nothing is acknowledged, everybody holds and waits by name, the run goes on
# seconds: 100
# One run on a small tmpfs that is filled until the run stands, wherever that is, and emptied again;
# one whose every write of the ledger finds no room for a while (strace); one stopped while full.
# The last weights are those of a quiet run.
. "$(dirname "$0")/../EndToEnd/common.sh"
options=(--learner.lagMax=0 --run.steps=160 --learner.checkpointEvery=4)
deadline=$((SECONDS + ${FORAGE_FAULT_SECONDS:-0})) trials=0 longest=0

mkdir "$work/small"
mount -t tmpfs -o size=96m forage-f07 "$work/small" 2> "$work/mount" || {
  echo "a tmpfs of its own: $(cat "$work/mount")"
  exit 77
}
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait; umount -l "$work/small" || true
  rm -rf "$work"; exit $status' EXIT

run quiet "${options[@]}"
quiet=$(final_digest quiet)
rm -rf "$work/quiet"

# start NAME: a run on the small disk; $job and $run are its process and folder.
start() {
  run=$work/small/$1
  "$forage" run "$config" --plain --folder "$run" "${options[@]}" "${@:2}" > "$work/$1.out" 2>&1 &
  job=$!
  ln -s "$run" "$work/$1"
  wait_for_step "$1" 10
}
fill() { dd if=/dev/zero of="$work/small/filler" bs=64k 2> /dev/null || true; }
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
  fill
  stands
  "$forage" status "$run" > "$work/status"
  grep -q "replay.* waits for the disk to have room" "$work/status" || fail "$(cat "$work/status")"
  grep -q "groups are refused until there is more" "$run/logs/replay.log" || fail "not refused"
  rm "$work/small/filler"
  finish reserve-$round

  # Without a reserve every writer meets the full disk itself: ledger, checkpoint, metrics.
  start full-$round --replay.diskReserveBytes=1
  fill
  began=$SECONDS
  stands
  "$forage" status "$run" > "$work/status"
  grep -q "the disk" "$work/status" || fail "nobody names the disk: $(cat "$work/status")"
  held=$((SECONDS - began))
  [ $held -gt $longest ] && longest=$held
  rm "$work/small/filler"
  finish full-$round

  # Stopped while the disk is full: status 0 in time, and a resume ends as if nothing had been.
  start stopped-$round --replay.diskReserveBytes=1
  fill
  stands
  began=$SECONDS
  kill -TERM $job
  wait $job || { status=$?; cat "$work/stopped-$round.out"; fail "stopping ended with $status"; }
  [ $((SECONDS - began)) -le 25 ] || fail "stopping took $((SECONDS - began)) s"
  rm "$work/small/filler"
  "$forage" run --resume "$run" --plain > "$work/stopped-$round.out" 2>&1 &
  job=$!
  finish stopped-$round
  round=$((round + 1))
  [ $SECONDS -lt $deadline ] || break
done
echo "measured: $trials trials; nothing lost, nobody died, the longest full disk lasted $longest s"
