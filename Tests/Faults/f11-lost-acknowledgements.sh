#!/usr/bin/env bash
# fault: F11
# claim: groups that are committed and whose acknowledgements are lost stand once in the ledger, and
#   the learner's result is unchanged
# seconds: 40
# The actor reaches replay through a proxy that cuts the connection after a random number of bytes
# of answers, again and again: most cuts fall behind a commit and before its acknowledgement.
. "$(dirname "$0")/common.sh"
need_python
options=(--learner.lagMax=0 --run.steps=60)
free_ports 4

run quiet "${options[@]}"
want=$(final_digest quiet)
[ -n "$want" ] || fail "no digest"
trials=0 cuts=0 groups=0
while :; do
  trials=$((trials + 1)) name=cut-$trials
  "$FORAGE_PYTHON" Tests/Faults/proxy.py $((port + 3)) 127.0.0.1:$port --cut-replies 300 12000 \
    > "$work/proxy.out" 2>&1 &
  proxy=$!
  "$forage" run "$config" --plain --folder "$work/$name" "${options[@]}" --actor.count=0 \
    --network.listen=127.0.0.1 "${ports[@]}" > "$work/$name.out" 2>&1 &
  job=$!
  .build/release/forage-actor tcp://127.0.0.1:$((port + 3)) --name far --threads 1 \
    > "$work/actor.out" 2>&1 &
  actor=$!
  wait $job || { status=$?; tail "$work/$name.out" "$work/actor.out"; fail "status $status"; }
  kill $actor 2> /dev/null || true
  wait $actor || true
  kill $proxy
  wait $proxy
  now=$(sed -n 's/.*"cuts": \([0-9]*\).*/\1/p' "$work/proxy.out")
  [ "$now" -ge 5 ] || fail "only $now cuts: $(cat "$work/proxy.out")"
  [ "$(final_digest $name)" = "$want" ] || fail "the last weights differ after $now cuts"
  # 60 steps of 8 tickets: each is there, and the file's key admits none twice.
  rows=$("$FORAGE_PYTHON" Tests/Faults/count.py "$work/$name/ledger.sqlite" groups "key >= 0")
  [ "$rows" = 480 ] || fail "$rows groups"
  cuts=$((cuts + now)) groups=$((groups + rows))
  rm -rf "${work:?}/$name"
  is_time_left || break
done
echo "measured: $trials trials; $cuts cuts of the reply direction, $groups groups, each once; the" \
  "same last weights ${want:0:12} as without a proxy"
