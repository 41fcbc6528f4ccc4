#!/usr/bin/env bash
# Two hosts, each a network namespace, joined by a veth pair: the head runs replay and learner, the
# other one forage-actor with nothing but the head's address and a key file. The last weights are
# those of a run on one host; a stranger on the way is refused.
# deadline: 240
. "$(dirname "$0")/common.sh"
head=forage-head-$$ other=forage-other-$$
cleanup() { ip netns del $head 2> /dev/null || true; ip netns del $other 2> /dev/null || true; }
ip netns add $head 2> "$work/netns" || { echo "network namespaces: $(cat "$work/netns")"; exit 77; }
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait; cleanup; rm -rf "$work"
  exit $status' EXIT
ip netns add $other
ip link add fh$$ netns $head type veth peer name fo$$ netns $other
ip -n $head addr add 10.77.0.1/24 dev fh$$
ip -n $other addr add 10.77.0.2/24 dev fo$$
for host in $head:fh$$ $other:fo$$; do
  ip -n "${host%:*}" link set lo up
  ip -n "${host%:*}" link set "${host#*:}" up
done

for name in far-0 far-1; do
  "$forage" keys make $name --keys "$work/keys" > "$work/$name.out" || fail "forage keys make"
  # What is copied to the other host: one file.
  mkdir "$work/$name" && cp "$work/keys/$name.key" "$work/$name/"
done
# Long enough for some heartbeats, which carry the spans of actors on other hosts.
run one-host --learner.lagMax=0 --run.steps=300
ip netns exec $head "$forage" run "$config" --plain --folder "$work/head" --learner.lagMax=0 \
  --run.steps=300 --actor.count=0 --listen 10.77.0.1 --keys "$work/keys" \
  > "$work/head.out" 2>&1 &
job=$!
actors=()
for name in far-0 far-1; do
  ip netns exec $other .build/release/forage-actor tcp://10.77.0.1:45910 --name $name \
    --keys "$work/$name/$name.key" > "$work/$name.out" 2>&1 &
  actors+=($!)
done
status=0
ip netns exec $other .build/release/forage-actor tcp://10.77.0.1:45910 --name stranger \
  --give-up-seconds 60 > "$work/stranger.out" 2>&1 || status=$?
[ $status = 86 ] || { cat "$work/stranger.out"; fail "a stranger ended with status $status"; }
wait $job || {
  status=$?
  cat "$work/head.out" "$work/head/logs/"*.log
  fail "the head ended with status $status"
}
for actor in "${actors[@]}"; do
  wait "$actor" || { status=$?; cat "$work"/far-*.out; fail "an actor ended with status $status"; }
done
for name in far-0 far-1; do
  spans=$work/head/spans/far-$name.spans
  [ "$(stat -c %s "$spans")" -gt $((4096 + 100 * 32)) ] || fail "no spans of $name came over"
done
[ -n "$(final_digest head)" ] || fail "no digest"
[ "$(final_digest head)" = "$(final_digest one-host)" ] || fail "the last weights differ"
echo "equal: $(final_digest head)"
