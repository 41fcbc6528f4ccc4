# What the scripts about links share: a far end, and figures of forage bench link.

# figure FILE NAME: the median of a figure.
figure() {
  python3 -c 'import json, sys
for figure in json.load(open(sys.argv[1]))["figures"]:
    if figure["name"] == sys.argv[2]: print(figure["median"])' "$1" "$2"
}
# between WHAT NUMBER LEAST MOST
between() {
  awk -v n="$2" -v least="$3" -v most="$4" 'BEGIN { exit !(n != "" && n >= least && n <= most) }' \
    || fail "$1: $2, expected $3 to $4"
}

# listen WHERE PORT WORDS...: the far end, there once this returns; sets `end`.
listen() {
  local where=$1 port=$2
  shift 2
  ip netns exec "$where" "$forage" bench link --listen tcp://0.0.0.0:$port "$@" \
    > "$work/end-$port" 2>&1 &
  end=$!
  for _ in $(seq 100); do grep -qs Listening "$work/end-$port" && return 0; sleep 0.1; done
  fail "no far end: $(cat "$work/end-$port")"
}
