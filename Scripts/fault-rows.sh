# The rows of the table that Scripts/faults prints: what a script says of itself, how it ended, and
# what the same programs have proved before (.build/fault-results.tsv: build, row). Sourced.

# The row of a script that these programs have passed; fails without one.
known() {
  [ $continues = 1 ] && awk -F'\t' -v build="$build" -v script="$1" \
    '$1 == build && $3 == "proved" && $5 == script { row = $0; sub(/^[^\t]*\t/, "", row) }
     END { if (row == "") exit 1; print row }' "$results"
}

# What "# KEY: words" at the head of a script says; lines that are indented further continue it.
header() {
  awk -v key="^# $2: *" 'on && /^#   +/ { sub(/^# +/, " "); printf "%s", $0; next } { on = 0 }
    !done && $0 ~ key { sub(key, ""); printf "%s", $0; on = done = 1 }' "$1"
}
# At least 10 s each: a script that says less, or nothing, must still be counted.
smallest() {
  local seconds
  seconds=$(header "$1" seconds | sed 's/[^0-9].*//')
  echo $((${seconds:-0} > 10 ? seconds : 10))
}

declare -A state=()
# A fault with several scripts is as its worst: failed, not run, skipped, proved.
declare -A rank=([proved]=1 [skipped]=2 ["no time"]=3 [failed]=4)

# row SCRIPT STATUS SECONDS WORDS
row() {
  local fault
  fault=$(header "$1" fault)
  rows+=("$(printf '%s\t%s\t%s\t%s\t%s\t%s' "$fault" "$2" "$3" "$(basename "$1")" \
    "$(header "$1" claim)" "$4")")
  printf '%s\t%s\n' "$build" "${rows[-1]}" >> "$results"
  count_state "$fault" "$2"
  say "$fault $2 after $3 s: $4"
}
count_state() {
  local before=${state[$1]:-proved}
  state[$1]=$2
  [ "${rank[$before]}" -gt "${rank[$2]}" ] && state[$1]=$before
  return 0
}

# The table of all rows, then how many faults ended how.
print_table() {
  local line fault status seconds name claim words
  say ""
  for line in "${rows[@]}"; do
    IFS=$'\t' read -r fault status seconds name claim words <<< "$line"
    if [ $markdown = 1 ]; then
      echo "| $fault | $claim | \`$name\` | $status | $words; $seconds s |"
    else
      printf '%-5s %-8s %5s s  %s\n%17s%s\n' "$fault" "$status" "$seconds" "$claim" "" "$words"
    fi
  done
  count() { printf '%s\n' "${state[@]}" | grep -cx "$1" || true; }
  say "Of ${#state[@]} faults $(count proved) proved, $(count failed) failed," \
    "$(count skipped) skipped, $(count "no time") left out for lack of time:" \
    "$SECONDS s; logs: $logs"
}
