# Runs the rooms' tests within a bound and counts them by the events the test library writes as they
# happen, so that a run which hangs or crashes still says what passed and who stood still. Sourced
# by Scripts/test, whose counters it adds to.

# What the events of a kind say, with quotes and slashes unescaped: `"a test" failed after ...`.
event_texts() {
  sed -n "s/.*\"kind\":\"$1\".*\"text\":\"Test \(.*\)\"}\],\"testID\".*/\1/p" "$events" | unescaped
}

unescaped() { sed 's/\\\(["\/]\)/\1/g'; }

# Ids of functions, which alone have a place, for events of a kind.
event_ids() {
  sed -n "s/.*\"kind\":\"$1\".*\"testID\":\"\(.*[.]swift:[0-9:]*\)\".*/\1/p" "$events" | sort -u
}

run_room_tests() {
  local log=$logs/rooms.log events=$logs/rooms.jsonl status=0 limit=600
  if [ $limit -gt "$(left)" ]; then limit=$(left); fi
  timeout --kill-after=10 $limit swift test -c release --skip-build --disable-xctest \
    --event-stream-output-path "$events" > "$log" 2>&1 < /dev/null || status=$?
  touch "$events"
  local ended failures before=$failed
  ended=$(event_ids testEnded | wc -l)
  failures=$(grep '"kind":"testEnded"' "$events" | grep '"symbol":"fail"' \
    | grep -c '"testID":".*[.]swift:' || true)
  passed=$((passed + ended - failures))
  failed=$((failed + failures))
  skipped=$((skipped + $(event_ids testSkipped | wc -l)))

  sed -n 's/.*"kind":"issueRecorded","messages":\[\(.*\)\],"testID".*/\1/p' "$events" \
    | unescaped | head -n 100 >&2
  while read -r line; do note "failed: $line"; done \
    < <(event_texts testEnded | sed -n 's/ failed after.*//p' | head -n 50)
  while read -r line; do note "skipped: $line"; done \
    < <(event_texts testSkipped | sed 's/ skipped: "\(.*\)"$/ (\1)/; s/ skipped\.$/ (no reason)/')
  # Started and never ended: a crash or a hang was among them.
  while read -r line; do
    failed=$((failed + 1))
    note "did not finish: $line"
  done < <(comm -23 <(event_ids testStarted) <(event_ids testEnded) | unescaped)
  [ $status = 124 ] && note "the rooms' tests were ended after $limit s"
  if [ $status != 0 ] && [ "$failed" = "$before" ]; then
    failed=$((failed + 1))
    note "failed: swift test ended with status $status"
    tail -n 20 "$log" >&2
  fi
  return 0
}
