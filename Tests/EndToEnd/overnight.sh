#!/usr/bin/env bash
# A run that is given a time ends by itself at a step boundary, with a checkpoint and a report, and
# goes on from there. Checkpoints by time change no digest: a learner killed between them goes on
# exactly, forage verify agrees, and the last weights are those of a run without either.
# deadline: 240
. "$(dirname "$0")/common.sh"

long="--learner.lagMax=0 --run.steps=600 --learner.checkpointEvery=300 --actor.count=1"
run quiet $long

# A tenth of a second between checkpoints, and seven seconds in all.
"$forage" run "$config" --plain --folder "$work/timed" $long --hours 0.002 \
  --learner.checkpointMinutes=0.002 > "$work/timed.out" 2>&1 &
job=$!
for _ in $(seq 300); do
  grep -qsv step-000000 "$work/timed/checkpoints/latest" && break
  sleep 0.02
done
kill -9 "$(process_of timed learner)"
wait $job || { status=$?; cat "$work/timed.out"; fail "the hours ended it with status $status"; }
grep -q "of 600 steps: the hours given are over" "$work/timed.out" || {
  cat "$work/timed.out"
  fail "it does not say that the hours are over"
}
grep -q "forage run --resume $work/timed" "$work/timed.out" || fail "it does not say how to go on"
grep -q "report.html" "$work/timed.out" || fail "it left no report"
last=$(sed -n 's/^{"step":\([0-9]*\),.*/\1/p' "$work/timed/metrics.jsonl" | tail -n 1)
[ "$last" -lt 599 ] || fail "it had time for all steps: nothing was tried"
grep -q "step-0*$((last + 1))\$" "$work/timed/checkpoints/latest" || {
  cat "$work/timed/logs/learner.log" "$work/timed/checkpoints/latest"
  fail "it ended after step $last without its checkpoint"
}
grep "starts at version" "$work/timed/logs/learner.log" | tail -n 1 | grep -qv "version 0" || {
  cat "$work/timed/logs/learner.log"
  fail "the learner that was killed had no checkpoint by time to go on from"
}

"$forage" run --resume "$work/timed" --plain > "$work/resumed.out" 2>&1 || {
  status=$?
  cat "$work/resumed.out"
  fail "the resumed run ended with status $status"
}
"$forage" verify "$work/timed" > "$work/verified.out" 2>&1 || {
  cat "$work/verified.out"
  fail "verify differs"
}
[ -n "$(final_digest quiet)" ] || fail "no digest"
[ "$(final_digest quiet)" = "$(final_digest timed)" ] || fail "the last weights differ"
echo "equal, with checkpoints by step and by time: $(final_digest quiet); ended after step $last"
