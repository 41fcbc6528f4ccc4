#!/usr/bin/env bash
# The trace of a real run, read as a viewer reads it: a thread's spans nest or follow, async events
# are paired, every group's arrow goes from an actor over replay to the learner and never back, and
# the clocks stand in its head. The report beside it says what bounds the run.
# deadline: 120
. "$(dirname "$0")/common.sh"
run trace --run.steps=12
for section in "What bounds the run" "One step" "The life of one group" "Links"; do
  grep -q "<h2>$section</h2>" "$work/trace/report.html" || fail "the report has no: $section"
done
"$forage" status "$work/trace" --spans > "$work/status"
grep -q "^actor *decode " "$work/status" || { cat "$work/status"; fail "no durations"; }
python3 - "$work/trace/trace.json" << 'PYTHON'
import json, sys

trace = json.load(open(sys.argv[1]))
threads, open_spans, lanes, arrows, last = {}, {}, {}, {}, float("-inf")
spans = ways = 0
for event in trace["traceEvents"]:
    track = event["pid"], event["tid"]
    if event["ph"] == "M":
        if event["name"] == "thread_name":
            threads[track] = event["args"]["name"]
        continue
    assert event["ts"] >= last, ("time goes back", event, last)
    last = event["ts"]
    assert track in threads, ("a thread without a name", event)
    lane = event.get("cat"), event.get("id")
    stack = open_spans.setdefault(track, [])
    if event["ph"] == "X":
        spans += 1
        end = event["ts"] + event["dur"]
        # Nanoseconds as decimals: their sums are not exact in binary.
        while stack and stack[-1] <= event["ts"] + 1e-4:
            stack.pop()
        assert not stack or end <= stack[-1] + 1e-4, ("ends after what is around it", event, stack)
        stack.append(end)
    elif event["ph"] == "b":
        lanes.setdefault(lane, []).append(event["name"])
    elif event["ph"] == "e":
        ways += 1
        assert lanes[lane].pop() == event["name"], ("not what began last", event)
    else:
        assert event["ph"] in "stf", event
        assert any(end >= event["ts"] for end in stack), ("an arrow touches nothing", event)
        arrows.setdefault(lane, []).append((event["ph"], threads[track]))
assert not any(lanes.values()), "async events that never end"
ends = [("s", "sockets"), ("t", "serve"), ("f", "train")]
assert all(arrow == ends for arrow in arrows.values()), arrows
assert len(arrows) == 12 * 8, len(arrows)
assert trace["otherData"]["leftOut"] == 0, trace["otherData"]
clocks = {clock["process"]: clock for clock in trace["otherData"]["clocks"]}
assert set(clocks) == {"learner", "replay", "actor-0", "actor-1"}, clocks.keys()
assert all(clock["isPlaced"] and clock["errorNanoseconds"] == 0 for clock in clocks.values())
print(f"{spans} spans, {ways} ways, {len(arrows)} arrows: sound")
PYTHON
