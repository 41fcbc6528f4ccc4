#!/usr/bin/env bash
# Flips one bit of the log of a run whose processes were all killed at once, changes or removes the
# copy that a run keeps of its task's file, and resumes it.
#
# fault: F6
# claim: a flipped bit of the ledger's log, behind which commits would be lost, and a file of the
#   task that is not what the run began with, or gone, are found before use and named
# seconds: 40
. "$(dirname "$0")/common.sh"

settings=(--learner.lagMax=0 --evaluation.finalPrompts=1 --evaluation.every=0)
# Processes that die together leave the log as it is: nobody folds it.
"$forage" run "$config" --plain --folder "$work/base" "${settings[@]}" --run.steps=120 \
  > "$work/base.out" 2>&1 &
job=$!
wait_for_step base 12
victims=("$job")
for role in replay learner actor-0 actor-1; do victims+=("$(process_of base $role)"); done
kill -KILL "${victims[@]}"
wait $job 2> /dev/null || true
log=base/ledger.sqlite-wal
[ "$(stat -c %s "$work/$log")" -gt 100000 ] || fail "the log has $(stat -c %s "$work/$log") bytes"

# flip FILE FROM TO: one bit of the bytes between two shares of the file.
flip() {
  python3 - "$@" << 'PYTHON'
import random, sys
path, least, most = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
data = bytearray(open(path, "rb").read())
place = random.randrange(int(least * len(data)), max(1, int(most * len(data))))
data[place] ^= 1 << random.randrange(8)
open(path, "wb").write(data)
print(f"byte {place} of {len(data)}")
PYTHON
}

# refuses RUN TEXT WHAT: a resume says so, and takes no step.
refuses() {
  local status=0 before
  before=$(cat "$work/$1/metrics.jsonl" | sha256sum)
  "$forage" run --resume "$work/$1" --plain > "$work/out" 2>&1 || status=$?
  [ $status = 65 ] && grep -qF -- "$2" "$work/out" || {
    cat "$work/out"
    fail "$3: status $status, not 65 with: $2"
  }
  [ "$(cat "$work/$1/metrics.jsonl" | sha256sum)" = "$before" ] || fail "$3: a step was taken"
}

# A task of sums from a file, the last of them far beyond those that a build is told by.
"$forage" sft "$config" --output "$work/model" --steps 2 > "$work/sft.out" 2>&1 || {
  cat "$work/sft.out"
  fail "no model to begin with"
}
python3 -c 'for n in range(200):
    print("{\"question\":\"%d+%d=\",\"answer\":\"%d\"}" % (n // 2, n % 2, n // 2 + n % 2))' \
  > "$work/sums.jsonl"
cat > "$work/sums.yaml" << END
run: {name: sums, steps: 4}
task:
  kind: file
  file: $work/sums.jsonl
  template: "{question}"
  heldOutCount: 8
  validationCount: 8
  gold: "<think></think><answer>{answer}</answer>"
  verifier: {kind: numeric, place: block}
model: {path: $work/model}
sampling: {maximumNewTokens: 16, groupSize: 4}
learner: {groupsPerStep: 4, learningRate: 1.0e-3, checkpointEvery: 3}
evaluation: {every: 0, prompts: 8, finalPrompts: 8}
actor: {ticketsPerRequest: 2}
END
config=$work/sums.yaml
run sums --anyway
copy=$work/sums/task/task-train.jsonl
[ -e "$copy" ] || fail "the run keeps no copy of its task"

trials=0 flips=0
while :; do
  for _ in 1 2 3 4; do
    rm -rf "$work/one" && cp -r "$work/base" "$work/one"
    where=$(flip "$work/one/ledger.sqlite-wal" 0 0.6)
    refuses one "ledger.sqlite-wal is damaged" "the log, $where"
    flips=$((flips + 1)) trials=$((trials + 1))
  done
  cp "$copy" "$work/kept"
  sed -i '$ s/"answer":"100"/"answer":"101"/' "$copy"
  ! cmp -s "$copy" "$work/kept" || fail "the last answer is not 100"
  refuses sums "task-train.jsonl" "another answer"
  rm "$copy"
  refuses sums "it is gone, and the run began with it" "no copy"
  cp "$work/kept" "$copy"
  trials=$((trials + 2))
  is_time_left || break
done
# What was not touched goes on.
"$forage" run --resume "$work/base" --plain > "$work/out" 2>&1 \
  || { cat "$work/out"; fail "the log as it was"; }
"$forage" run --resume "$work/sums" --plain > "$work/out" 2>&1 || { cat "$work/out"; fail "sums"; }
echo "measured: $trials trials; $flips logs refused with a bit flipped, a changed answer and a" \
  "missing copy of the task named each time"
