#!/usr/bin/env bash
# What each process of a real run spent its time on: every name there is has a span, nothing was
# dropped, each trained group went its whole way, and a step's phases sum to its time.
# deadline: 120
. "$(dirname "$0")/common.sh"
run spans --run.steps=12
python3 - "$work/spans" << 'PYTHON'
import glob, json, struct, sys

def read(path):
    data = open(path, "rb").read()
    head = json.loads(data[:4096])
    spans = [struct.unpack_from("<BBHIqqq", data, at) for at in range(4096, len(data) - 31, 32)]
    return head, [(head["names"][s[0]], head["threads"][s[1]], s[4], s[5], s[6]) for s in spans]

files = {}
for path in glob.glob(sys.argv[1] + "/spans/*.spans"):
    head, spans = read(path)
    files[head["process"]] = spans
assert set(files) == {"learner", "replay", "actor-0", "actor-1"}, files.keys()
seen = {span[0] for spans in files.values() for span in spans}
rare = {"proximal", "pause", "dropped", "clock"}
assert seen | rare >= set(head["names"]), set(head["names"]) - seen - rare
assert "dropped" not in seen

# The way of each ticket.
ways = {}
for spans in files.values():
    for name, thread, number, start, duration in spans:
        ways.setdefault(name, {}).setdefault(number, []).append((start, start + duration))
tickets = set(range(12 * 8))
for name in ["ticket", "rollout", "verify", "encode", "send_queue", "submit", "in_flight",
             "receive", "validate", "group_wait", "fsync", "acknowledge", "queued"]:
    missing = tickets - ways[name].keys()
    assert not missing, (name, missing)
for ticket in tickets:
    # A group may be there before the call that sent it is back, so that one is left out.
    order = ["rollout", "send_queue", "receive", "validate", "group_wait", "fsync"]
    ends = [max(end for _, end in ways[name][ticket]) for name in order]
    # In one clock, on one host: each hop ends after the one before it.
    assert ends == sorted(ends), (ticket, list(zip(order, ends)))
for version in range(1, 12):
    for name in ["snapshot", "encode_weights", "announce"]:
        assert version in ways[name], (name, version)

# Phases sum to the step, but for what lies between two of them.
phases = {"lease_wait", "fetch", "credit", "reference", "proximal", "pack", "forward", "slopes",
          "backward", "optimizer", "digest", "checkpoint", "commit_wait", "publish", "record"}
whole = covered = 0
for name, thread, number, start, duration in files["learner"]:
    if name != "step": continue
    inside = sum(d for n, t, i, s, d in files["learner"]
                 if n in phases and start <= s and s + d <= start + duration)
    assert inside >= 0.98 * duration, (number, inside / duration)
    whole += duration
    covered += inside
print(f"{sum(map(len, files.values()))} spans; phases cover {covered / whole:.4f} of the steps")
PYTHON
