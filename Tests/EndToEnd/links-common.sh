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

# share_evenly HOST DEVICE MBIT: so much out of the device and no more, of which each connection has
# the same share while it has anything to send, as behind fq_codel, which most systems give a NIC.
# Behind one queue for all, one connection may run ahead of the others for a long time, and there is
# nothing to predict. Not every kernel has a fair queue: these are classes, one a connection.
share_evenly() {
  local host=$1 device=$2 rate=$3 connections=64 class classes=
  share() {
    printf 'class add dev %s parent 1:1 classid 1:%x htb %s quantum 1514\n' "$device" "$@"
  }
  {
    echo "qdisc add dev $device root handle 1: htb default ff"
    echo "class add dev $device parent 1: classid 1:1 htb rate ${rate}mbit burst 32kb quantum 1514"
    # What is no connection: the hosts' search for each other's addresses.
    share $((0xff)) "rate 64kbit ceil ${rate}mbit"
    for class in $(seq 0 $((connections - 1))); do
      share $((0x100 + class)) "rate $((rate * 1000 / connections))kbit ceil ${rate}mbit"
    done
  } | ip netns exec "$host" tc -batch -
  for class in $(seq 0 $((connections - 1))); do
    classes+="$class : 1:$(printf %x $((0x100 + class))), "
  done
  local count="ct state new ct mark set numgen inc mod $connections"
  ip netns exec "$host" nft -f - << RULES
table inet shares {
  chain heard { type filter hook input priority 0; $count; }
  chain asked { type filter hook output priority 0; $count; }
  chain sent {
    type filter hook postrouting priority 0
    meta priority set ct mark map { ${classes%, } }
  }
}
RULES
}
