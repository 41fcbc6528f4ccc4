#!/usr/bin/env bash
# Every process of a run on /metrics, as Prometheus' own parser reads it, /healthz and /readyz,
# while the run goes on; and what is refused before a folder is made.
# deadline: 150
. "$(dirname "$0")/common.sh"
python=${FORAGE_PYTHON:-}
[ -n "$python" ] || {
  echo "${FORAGE_NO_PYTHON:-FORAGE_PYTHON names no Python with prometheus_client}"
  exit 77
}
port=$("$python" Tests/Interop/metrics_client.py free 5)

refused() {
  local expected=$1 words=$2 status=0
  shift 2
  "$forage" run "$config" --plain --folder "$work/refused" "$@" > "$work/refused.out" 2>&1 \
    || status=$?
  [ $status = "$expected" ] && grep -q "$words" "$work/refused.out" \
    || fail "$* ended with $status: $(cat "$work/refused.out")"
  [ ! -e "$work/refused" ] || fail "$* made a folder"
}
refused 77 "others can reach this address" --metrics "0.0.0.0:$port"
refused 78 "last port is 65535" --metrics 127.0.0.1:65534
"$python" Tests/Interop/metrics_client.py hold $((port + 2)) > "$work/held" &
holder=$!
for _ in $(seq 200); do grep -qs held "$work/held" && break; sleep 0.05; done
refused 82 "127.0.0.1:$((port + 2)) failed: address already in use" --metrics "127.0.0.1:$port"
kill $holder
wait $holder || true

"$forage" run "$config" --plain --folder "$work/watched" --metrics "127.0.0.1:$port" \
  --run.steps=10000 --actor.count=2 > "$work/watched.out" 2>&1 &
job=$!
wait_for_step watched 5
"$python" Tests/Interop/metrics_client.py look "$port" Docs/METRICS.md || {
  cat "$work/watched.out"
  fail "see above"
}
kill -TERM $job
wait $job || fail "the run ended with status $?"
