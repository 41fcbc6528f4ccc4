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
is_time_left() { [ $SECONDS -lt "$seconds" ]; }
