#!/usr/bin/env bash
# A task from a file on two hosts: the actor's host has neither the file nor the model, only the
# head's address and a key. It fetches both by digest, and the last weights are those of a run on
# one host. Where the verifier is a program, a host that lacks it is told so by its name.
# deadline: 150
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
# What the head has, in a folder that the other host does not see.
mkdir "$work/here"
"$forage" sft "$config" --output "$work/here/model" --steps 2 > "$work/sft.out" 2>&1 || {
  cat "$work/sft.out"
  fail "no model to begin with"
}
for left in $(seq 1 8); do
  for right in $(seq 1 8); do
    echo "{\"question\":\"$left+$right=\",\"answer\":\"$((left + right))\"}"
  done
done > "$work/here/sums.jsonl"
cat > "$work/here/judge" << 'END'
#!/bin/sh
while read -r line; do echo '{"reward":1,"strict":true,"lenient":true}'; done
END
chmod +x "$work/here/judge"
cat > "$work/here/file.yaml" << END
run: {name: file, steps: 6}
task:
  kind: file
  file: $work/here/sums.jsonl
  template: "{question}"
  heldOutCount: 8
  validationCount: 8
  gold: "<think></think><answer>{answer}</answer>"
  verifier: {kind: numeric, place: block}
model: {path: $work/here/model}
sampling: {maximumNewTokens: 16, groupSize: 4}
learner: {groupsPerStep: 4, lagMax: 0, learningRate: 1.0e-3, checkpointEvery: 3}
evaluation: {every: 0, finalPrompts: 8}
actor: {count: 1, ticketsPerRequest: 2}
END
"$forage" keys make far --keys "$work/here/keys" > "$work/far.made" || fail "forage keys make"
mkdir "$work/far" && cp "$work/here/keys/far.key" "$work/far/"
# far NAME: an actor of the other host; of this one's folder it sees nothing.
far() {
  exec ip netns exec $other sh -c 'mount -t tmpfs none "$1" && shift && exec "$@"' - "$work/here" \
    .build/release/forage-actor tcp://10.77.0.1:45910 --name "$1" --keys "$work/far/far.key"
}
# head NAME OVERRIDES...: a run on the head without actors of its own.
head() {
  local name=$1
  shift
  exec ip netns exec $head "$forage" run "$config" --plain --anyway --folder "$work/here/$name" \
    --actor.count=0 --listen 10.77.0.1 --keys "$work/here/keys" "$@"
}
config=$work/here/file.yaml
run one-host --anyway
head two > "$work/two.out" 2>&1 &
job=$!
far far > "$work/far.out" 2>&1 &
actor=$!
wait $job || { status=$?; cat "$work/two.out" "$work/far.out"; fail "the head ended with $status"; }
wait $actor || { status=$?; cat "$work/far.out"; fail "the actor ended with status $status"; }
[ -n "$(final_digest here/two)" ] || fail "no digest"
[ "$(final_digest here/two)" = "$(final_digest one-host)" ] || fail "the last weights differ"

head program --task.verifier="{kind: command, command: [$work/here/judge]}" \
  > "$work/program.out" 2>&1 &
job=$!
status=0
(far far) > "$work/lacking.out" 2>&1 || status=$?
[ $status = 66 ] || { cat "$work/lacking.out" "$work/program.out"; fail "status $status, not 66"; }
grep -q "$work/here/judge" "$work/lacking.out" || fail "$(cat "$work/lacking.out")"
kill -TERM $job
wait $job || { status=$?; cat "$work/program.out"; fail "the head was stopped with $status"; }
echo "equal: $(final_digest here/two)"
