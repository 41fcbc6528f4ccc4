#!/usr/bin/env bash
# Kills the learner of a synchronous run with -9 once in each phase of a step, by FORAGE_CRASH_AT,
# and holds every file of every checkpoint it ends with against those of a quiet run.
#
# fault: F3
# claim: a learner killed in any phase resumes from the last step commit, and weights, moments,
#   schedule and counters end bit-equal to the uninterrupted run, no group in two committed steps
# seconds: 105
. "$(dirname "$0")/common.sh"

settings=(--learner.lagMax=0 --run.steps=24 --evaluation.finalPrompts=1 --evaluation.every=0
  --supervisor.firstBackoffSeconds=0.05)

# Every file of every checkpoint but the run's own name for itself, which is drawn by chance. A
# crash between the rename and the commit leaves a folder nobody committed; the same step's next
# attempt stands beside it as step-000016-2 and must be the same too.
states() {
  (cd "$work/$1/checkpoints" && {
    sed 's/-2$//' latest
    for file in step-*/*; do
      case $file in
        */state.json) grep -vE '"(lineage|seal)"' "$file" ;;
        *) cat "$file" ;;
      esac | sha256sum | sed "s|-\$|${file/-2\//\/}|"
    done
  } | sort -u)
}

run quiet "${settings[@]}"
states quiet > "$work/quiet.states"
[ "$(wc -l < "$work/quiet.states")" -gt 20 ] || fail "too few files: $(cat "$work/quiet.states")"

# trial POINT COUNT: killed the COUNT-th time it gets there.
trials=0
trial() {
  rm -rf "$work/killed" "$work/once"
  FORAGE_CRASH_AT="$1:$2:$work/once" run killed "${settings[@]}"
  [ -e "$work/once" ] || fail "the learner never got to $1 for the ${2}th time"
  grep -q "learner ended by SIGKILL" "$work/killed/logs/run.log" \
    || fail "$1: the learner did not die: $(cat "$work/killed/logs/run.log")"
  states killed | diff "$work/quiet.states" - || fail "killed at $1:$2, the run ends otherwise"
  "$forage" verify "$work/killed" --records-only > "$work/out" \
    || { cat "$work/out"; fail "killed at $1:$2, the ledger does not add up"; }
  trials=$((trials + 1))
}

points="lease_wait fetch credit reference pack forward slopes backward optimizer digest commit_wait
  committed record published publish"
while :; do
  for point in $points; do trial "$point" $((2 + RANDOM % 18)); done
  # At steps 8, 16 and 24; the second is in the middle. The run's first save is forage run's own.
  for point in checkpoint.files checkpoint.whole checkpoint.renamed latest; do
    trial $point $((2 + RANDOM % 2))
  done
  is_time_left || break
done
kept=$(grep -c state.json "$work/quiet.states")
echo "measured: $trials trials; 19 phases, every file of $kept checkpoints bit-equal each time," \
  "no ticket in two commits"
