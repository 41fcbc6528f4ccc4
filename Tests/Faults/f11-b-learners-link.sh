#!/usr/bin/env bash
# fault: F11
# claim: leases, commits and groups whose answers are lost on the way to the learner or an actor
#   stand once, and the learner's result is unchanged
# seconds: 60
# In a network namespace of its own, nftables leads whoever dials replay at 127.0.0.1, as the head's
# learner does, to a proxy that loses an answer, drawn by chance, and cuts the connection. The proxy
# itself dials 127.0.0.2. The actor has a proxy of its own.
. "$(dirname "$0")/common.sh"
need_python
need_tool nft
options=(--learner.lagMax=0 --run.steps=60)
port=46356
space=fgf11-$$
ip netns add $space 2> "$work/netns" || skip "network namespaces: $(cat "$work/netns")"
trap 'status=$?; kill $(jobs -p) 2> /dev/null || true; wait; ip netns del $space; rm -rf "$work"
  exit $status' EXIT
ip -n $space link set lo up
ip netns exec $space nft "add table ip cut
  add chain ip cut output { type nat hook output priority -100; }
  add rule ip cut output ip daddr 127.0.0.1 tcp dport $port redirect to :46357" 2> "$work/nft" \
  || skip "nftables: $(cat "$work/nft")"

run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"

# between NAME PORT OPTION...: a proxy in the namespace.
between() {
  ip netns exec $space "$FORAGE_PYTHON" Tests/Faults/proxy.py "$2" 127.0.0.2:$port "${@:3}" \
    > "$work/$1.proxy" 2>&1 &
}
# told NAME WORD: a number that a proxy, which has ended, says of itself; 0 where it says none.
told() {
  local number
  number=$(sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p" "$work/$1.proxy")
  echo "${number:-0}"
}

trials=0 learner_cuts=0 actor_cuts=0 groups=0 leases=0 commits=0
while :; do
  trials=$((trials + 1)) name=cut-$trials
  between learner 46357 --lose-replies 3 30
  proxies=($!)
  between actor 46358 --cut-replies 300 20000
  proxies+=($!)
  ip netns exec $space "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" \
    --actor.count=0 --network.listen=0.0.0.0 --network.allowUnauthenticated=true \
    --network.replayPort=$port --network.weightsPort=46352 --network.announcePort=46353 \
    > "$work/$name.out" 2>&1 &
  job=$!
  ip netns exec $space .build/release/forage-actor tcp://127.0.0.1:46358 --name far --threads 1 \
    > "$work/actor.out" 2>&1 &
  actor=$!
  wait $job || { status=$?; tail "$work/$name.out" "$work/actor.out"; fail "status $status"; }
  kill $actor 2> /dev/null || true
  wait $actor || true
  kill "${proxies[@]}"
  wait "${proxies[@]}"
  for who in learner actor; do
    [ "$(told $who cuts)" -ge 4 ] || fail "only $(told $who cuts) cuts: $(cat "$work/$who.proxy")"
  done
  [ "$(final_digest $name)" = "$want" ] || fail "the last weights differ"
  # 60 steps of 8 tickets: each is there, and the file's key admits none twice.
  count() { "$FORAGE_PYTHON" Tests/Faults/count.py "$work/$name/ledger.sqlite" "$@"; }
  rows=$(count groups "key >= 0") steps=$(count commits)
  [ "$rows" = 480 ] || fail "$rows groups"
  [ "$steps" = 60 ] || fail "$steps commits"
  learner_cuts=$((learner_cuts + $(told learner cuts)))
  actor_cuts=$((actor_cuts + $(told actor cuts)))
  leases=$((leases + $(told learner lease))) commits=$((commits + $(told learner committed)))
  groups=$((groups + rows))
  rm -rf "${work:?}/$name"
  is_time_left || break
done
[ $leases -gt 0 ] && [ $commits -gt 0 ] || fail "$leases leases and $commits commits were lost"
echo "measured: $trials trials; $learner_cuts answers to the learner lost ($leases leases," \
  "$commits commits) and $actor_cuts cuts of the answers to the actor: $groups groups and 60" \
  "steps a run, each once; the same last weights ${want:0:12} as without a proxy"
