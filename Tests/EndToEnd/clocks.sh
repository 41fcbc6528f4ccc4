#!/usr/bin/env bash
# What heartbeats say of a link whose delay is known: an actor reaches replay through a proxy that
# holds every byte for 20 ms each way, and then for 40 ms on the way back alone. Both must read 40
# ms of round trip; and as the two processes read one clock, whose offset is 0, what they make of it
# must lie within the bar they state.
# deadline: 180
. "$(dirname "$0")/common.sh"
settings=(--run.steps=150 --actor.count=0 --learner.lagMax=0 --evaluation.every=0
  --evaluation.finalPrompts=1 --network.replayPort=46510 --network.weightsPort=46511
  --network.announcePort=46512 --listen 127.0.0.1)
for way in "--delay 0.02" "--delay-replies 0.04"; do
  name=far${way%% *}
  # shellcheck disable=SC2086
  python3 Tests/Faults/proxy.py 46513 127.0.0.1:46510 $way > "$work/proxy.out" &
  proxy=$!
  .build/release/forage-actor tcp://127.0.0.1:46513 --name far > "$work/$name.log" 2>&1 &
  actor=$!
  run "$name" "${settings[@]}"
  wait $actor || { cat "$work/$name.log"; fail "the actor ended with status $?"; }
  kill $proxy
  wait $proxy || true
  python3 - "$work/$name/spans/far-far.spans" "$way" << 'PYTHON'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
names = json.loads(data[:4096])["names"]
records = [struct.unpack_from("<BBHIqqq", data, at) for at in range(4096, len(data) - 31, 32)]
clocks = [(duration, number) for name, _, _, _, number, _, duration in records
          if names[name] == "clock"]
assert len(clocks) >= 5, len(clocks)
trip, offset = min(clocks)
print(f"{sys.argv[2]}: {len(clocks)} samples, {trip / 1e6:.2f} ms of round trip at least, "
      f"the offset reads {offset / 1e6:.2f} ms, give or take {trip / 2e6:.2f}")
# What is above 40 is the proxy's own: it is Python, on a machine that others use too.
assert 40e6 <= trip <= 43e6, trip
for trip, offset in clocks:
    assert abs(offset) <= trip / 2 + 2000, (trip, offset)
PYTHON
done
