# Two hosts for fault scripts, each a network namespace, joined by a veth pair: the head runs replay
# and learner, the other one actors. What happens to their link is the scripts' own.
head=fgf-head-$$ other=fgf-other-$$
clean_hosts() {
  ip netns del $head 2> /dev/null || true
  ip netns del $other 2> /dev/null || true
}
ip netns add $head 2> "$work/netns" || skip "network namespaces: $(cat "$work/netns")"
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait; clean_hosts; rm -rf "$work"
  exit $status' EXIT
ip netns add $other
ip link add fgfh$$ netns $head type veth peer name fgfo$$ netns $other
ip -n $head addr add 10.78.0.1/24 dev fgfh$$
ip -n $other addr add 10.78.0.2/24 dev fgfo$$
for host in $head:fgfh$$ $other:fgfo$$; do
  ip -n "${host%:*}" link set lo up
  ip -n "${host%:*}" link set "${host#*:}" up
done
# For commands that end by themselves: of what goes to the background `$!` must be the process.
in_head() { ip netns exec $head "$@"; }
in_other() { ip netns exec $other "$@"; }

# start_far NAME OVERRIDES...: the tiny job at the head, and two actors at the other host. Sets job
# and actors.
start_far() {
  local name=$1
  shift
  ip netns exec $head "$forage" run "$config" --plain --folder "$work/$name" --actor.count=0 \
    --listen 10.78.0.1 --network.allowUnauthenticated=true "$@" > "$work/$name.out" 2>&1 &
  job=$!
  actors=()
  for far in far-0 far-1; do
    ip netns exec $other .build/release/forage-actor tcp://10.78.0.1:45910 --name $far \
      --threads 1 --verbose > "$work/$far.out" 2>&1 &
    actors+=($!)
  done
}

# finish_far NAME: the run and its actors end by themselves, well.
finish_far() {
  wait $job || {
    status=$?
    tail -n 30 "$work/$1.out" "$work/$1/logs/"*.log "$work"/far-*.out
    fail "the head ended with status $status"
  }
  local actor
  for actor in "${actors[@]}"; do
    wait "$actor" || { status=$?; cat "$work"/far-*.out; fail "an actor ended with $status"; }
  done
}

# The last step recorded; -1 before the first.
last_step() {
  local step
  step=$(tail -n 1 "$work/$1/metrics.jsonl" 2> /dev/null | sed -n 's/^{"step":\([0-9]*\),.*/\1/p')
  echo "${step:--1}"
}

# Groups of a whole run: each ticket once, and what was dropped.
count_rows() { "$FORAGE_PYTHON" Tests/Faults/count.py "$work/$1/ledger.sqlite" "${@:2}"; }
