# What the fault scripts share, beside what the end-to-end scripts do: skipping, and their time.
. "$(dirname "${BASH_SOURCE[0]}")/../EndToEnd/common.sh"

export PYTHONDONTWRITEBYTECODE=1
skip() { echo "$*"; exit 77; }
need_tool() { command -v "$1" > /dev/null || skip "$1 is not installed"; }
need_python() {
  FORAGE_PYTHON=${FORAGE_PYTHON:-$(Scripts/test-setup)} \
    || skip "${FORAGE_NO_PYTHON:-no Python with pyzmq, safetensors and numpy}"
  export FORAGE_PYTHON
}
need_root() { [ "$(id -u)" = 0 ] || skip "$* needs root"; }

# The time to spend: what Scripts/faults gives, or what the script says it takes.
seconds=${FORAGE_FAULT_SECONDS:-$(sed -n 's/^# seconds: *\([0-9]*\).*/\1/p' "$0" | head -n 1)}
# Asked at the end of each round of trials: whether there is time for one more, should it take as
# long as they did so far. A script that began one without takes the time of the scripts after it.
rounds_done=0
is_time_left() {
  rounds_done=$((rounds_done + 1))
  [ $((SECONDS + SECONDS / rounds_done)) -le "$seconds" ]
}

# free_ports COUNT: sets `port` to the first of so many in a row at which nobody listens, drawn
# below those that the kernel gives out by itself, and `ports` to the settings of a run at the
# first three.
free_ports() {
  local taken next
  taken=$(ss -Hltn | awk '{ sub(/.*:/, "", $4); print $4 }')
  while :; do
    port=$((20000 + RANDOM % 12000))
    for ((next = port; next < port + $1; next++)); do
      ! grep -qx "$next" <<< "$taken" || continue 2
    done
    ports=("--network.replayPort=$port" "--network.weightsPort=$((port + 1))"
      "--network.announcePort=$((port + 2))")
    return 0
  done
}
