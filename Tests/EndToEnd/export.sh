#!/usr/bin/env bash
# What forage export writes, TensorBoard's own reader and Python's csv read: every step and every
# evaluation of a run, number by number as metrics.jsonl has them.
# deadline: 120
. "$(dirname "$0")/common.sh"
python=${FORAGE_PYTHON:-}
[ -n "$python" ] || {
  echo "${FORAGE_NO_PYTHON:-FORAGE_PYTHON names no Python with tensorboard}"
  exit 77
}
run export --anyway --run.steps=4 --warmStart.maximumSteps=0 --evaluation.every=2
"$forage" export "$work/export" --csv "$work/table.csv" --tensorboard "$work/boards" > /dev/null
"$python" - "$work" << 'PYTHON'
import csv, json, math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

work = sys.argv[1]
lines = [json.loads(line) for line in open(work + "/export/metrics.jsonl")]
lines = [line for line in lines if "step" in line or "evaluation" in line]
numbers = {}
for record in lines:
    place = record.get("step", record.get("evaluation"))
    for key, value in record.items():
        if key not in ("step", "evaluation") and isinstance(value, (int, float)):
            numbers[key, place] = value
board = EventAccumulator(work + "/boards/export")
board.Reload()
seen = {(key, e.step): e.value for key in board.Tags()["scalars"] for e in board.Scalars(key)}
assert seen.keys() == numbers.keys(), seen.keys() ^ numbers.keys()
for place, value in numbers.items():
    assert math.isclose(seen[place], value, rel_tol=1e-6, abs_tol=1e-30), (place, value)
rows = list(csv.DictReader(open(work + "/table.csv")))
assert len(rows) == len(lines), (len(rows), len(lines))
for row in rows:
    for key, cell in row.items():
        place = int(row["step"] or row["evaluation"])
        if (key, place) in numbers and cell and key not in ("step", "evaluation"):
            assert float(cell) == numbers[key, place], (key, cell)
print(f"{len(rows)} rows, {len(seen)} scalars: equal")
PYTHON
