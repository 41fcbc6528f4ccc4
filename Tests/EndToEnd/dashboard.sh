#!/usr/bin/env bash
# forage dashboard shows a run while it works and after, two over each other, and a completion token
# by token, the probabilities being those of the ledger.
# deadline: 120
. "$(dirname "$0")/common.sh"
mkdir "$work/runs"
run runs/first --anyway --run.steps=4 --warmStart.maximumSteps=0 --evaluation.every=2
"$forage" run "$config" --plain --anyway --folder "$work/runs/second" --run.steps=100000 \
  --objective.beta=0.5 --warmStart.maximumSteps=0 > "$work/second.out" 2>&1 &
second=$!
"$forage" dashboard "$work/runs" --listen 127.0.0.1:0 > "$work/dashboard.out" &
for _ in $(seq 100); do grep -qs http: "$work/dashboard.out" && break; sleep 0.1; done
site=$(sed -n 's/^dashboard: \(http:.*\)\/$/\1/p' "$work/dashboard.out")
[ -n "$site" ] || fail "the dashboard does not say where it is"
ask() { curl --silent --show-error --max-time 20 "$site$1"; }
code() { curl --silent --max-time 20 -o /dev/null -w '%{http_code}' "${@:2}" "$site$1"; }
has() { grep -qF -- "$2" <<< "$1" || fail "no \"$2\" in: ${1:0:600}"; }

wait_for_step runs/second 3
has "$(ask /)" "<td>running</td>"
has "$(ask /)" "<td>finished</td>"
has "$(ask /run/second)" 'fetch("/run/second/live?mark='
has "$(ask /run/second/live)" "of 100000</b>"
kill -TERM "$second"
wait "$second" || fail "the run ended with status $?"

mark=$(curl --silent -D - -o /dev/null "$site/run/first/live" | sed -n 's/^X-Mark: \(.*\)\r$/\1/p')
[ "$(code "/run/first/live?mark=$mark")" = 204 ] || fail "what is shown is sent again"
[ "$(code "/run/first/live?mark=old")" = 200 ] || fail "what is not shown is not sent"
has "$(ask "/compare?run=first&run=second")" "<td>objective.beta</td>"
has "$(ask "/run/first/completions?step=2")" "/run/first/completion?ticket=16&amp;sample=0"
has "$(ask "/run/first/completions?step=x")" "expected a step, or two as 10-20"

page=$(ask "/run/first/completion?ticket=16&sample=0")
has "$page" "ratio: what step-000004 gives it"
"$forage" inspect "$work/runs/first" --ticket 16 --sample 0 --json > "$work/whole.json"
tokens=$(grep -o '"logprob"' "$work/whole.json" | wc -l)
shown=$(grep -o 'title="[^"]*probability [0-9.]*, ratio [0-9.]*"' <<< "$page" | wc -l)
[ "$tokens" = "$shown" ] && [ "$shown" -gt 0 ] || fail "$shown tokens colored of $tokens"

[ "$(code /run/third)" = 404 ] || fail "a run that is not there"
[ "$(code "/run/..%2f..%2fetc/live")" = 404 ] || fail "a path that leaves"
[ "$(code "/run/first/completion?ticket=99999&sample=0")" = 404 ] || fail "no such completion"
[ "$(code / -X POST)" = 405 ] || fail "something can be posted"
status=0
"$forage" dashboard "$work/runs" --listen 0.0.0.0:0 > "$work/open.out" 2>&1 || status=$?
[ "$status" = 77 ] || fail "an open address: status $status"
has "$(cat "$work/open.out")" "ssh -L"
mkdir "$work/empty"
status=0
"$forage" dashboard "$work/empty" > "$work/empty.out" 2>&1 || status=$?
[ "$status" = 66 ] || fail "a folder without runs: status $status"
has "$(cat "$work/empty.out")" "there is no run"
echo "live, finished, compared, and $shown tokens of a completion"
