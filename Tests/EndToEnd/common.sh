# What the end-to-end scripts share: a folder of their own, runs in it, and what a run came to.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
forage=$PWD/.build/release/forage
config=$PWD/Configs/tiny/grpo.yaml
work=$(mktemp -d)
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait; rm -rf "$work"; exit $status' EXIT

fail() { echo "FAILED: $*"; exit 1; }

# run NAME OVERRIDES...: the tiny job, whole, in $work/NAME.
run() {
  local name=$1
  shift
  "$forage" run "$config" --plain --folder "$work/$name" "$@" > "$work/$name.out" 2>&1 || {
    status=$?
    cat "$work/$name.out"
    fail "the run $name ended with status $status"
  }
}

# The digest of the newest version of a run.
final_digest() {
  local checkpoints=$work/$1/checkpoints
  sed -n 's/^ *"digest": *"\([0-9a-f]*\)".*/\1/p' \
    "$checkpoints/$(cat "$checkpoints/latest")/state.json"
}

# wait_for_step NAME N: until metrics.jsonl has a line of step N or a later one. Its own may be
# missing: of a step with a checkpoint whose learner was killed between commit and line.
wait_for_step() {
  local last
  for _ in $(seq 600); do
    last=$(tail -n 3 "$work/$1/metrics.jsonl" 2> /dev/null \
      | sed -n 's/^{"step":\([0-9]*\),.*/\1/p' | tail -n 1) || true
    [ "${last:--1}" -ge "$2" ] && return 0
    sleep 0.1
  done
  cat "$work/$1.out"
  fail "$1 did not reach step $2 in 60 s"
}

# The process of a role, as its supervisor logged it last.
process_of() {
  sed -n "s/.*started $2, process \([0-9]*\).*/\1/p" "$work/$1/logs/run.log" | tail -n 1
}
