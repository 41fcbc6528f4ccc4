# What a machine must have before anything is built: Swift and some Debian packages. Sourced by the
# other scripts, which say what they need and go on once it is there.
#
# Nothing is installed without a word: the missing packages are named with their sizes first, and
# installed only as root or through a sudo that asks no password. Otherwise the line to type is
# printed, and the script stops with status 1.

# What Swift's own programs do not start without.
swift_packages="libcurl4 libncurses6 libsqlite3-0 libxml2"
# Libraries with their headers, and what Swift itself links with.
build_packages="libzmq3-dev libsqlite3-dev libopenblas-dev libpcre2-dev libsodium-dev libyaml-dev
  libjansson-dev libmicrohttpd-dev binutils libc6-dev libstdc++-12-dev"
# An oracle in another language, faults at a system call, network namespaces.
test_packages="curl python3 python3-venv strace iproute2 procps util-linux iperf3"
# Scripts/faults besides: links that drop, clocks that jump, a kernel as a process to cut its power.
fault_packages="nftables faketime user-mode-linux e2fsprogs"

say() { printf '%s\n' "$*" >&2; }

swift_version() { swift --version 2> /dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p'; }

need_swift() {
  local version=""
  version=$(swift_version) || true
  if [ -z "$version" ] && command -v swift > /dev/null; then
    # It is there and does not start: a fresh machine lacks libraries it links with.
    need_packages $swift_packages
    version=$(swift_version) || swift --version >&2 || true
  fi
  if [ -n "$version" ] && [ "$(printf '6.3\n%s\n' "$version" | sort -V | head -n 1)" = 6.3 ]; then
    return 0
  fi
  local name=debian12
  [ "$(uname -m)" = aarch64 ] && name=debian12-aarch64
  say "Swift 6.3 or later is needed; found: ${version:-none}."
  say "On Debian 12, as root, it is about 1 GB to fetch and 3 GB on disk:"
  local release=swift-6.3.1-RELEASE
  local url=https://download.swift.org/swift-6.3.1-release/$name/$release/$release-$name.tar.gz
  say "  cd /opt && curl -L $url | tar xz"
  say "  export PATH=/opt/$release-$name/usr/bin:\$PATH"
  say "Other systems: https://www.swift.org/install/linux"
  exit 1
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

# As root, or through sudo; fails where neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }

# Kilobytes to fetch and on disk for some packages and what they bring; "0 0" if unknown.
package_sizes() {
  local fetched names=""
  fetched=$(apt-get install --no-install-recommends --print-uris -qq -y "$@" 2> /dev/null) || true
  names=$(awk '{ sub(/_.*/, "", $2); print $2 }' <<< "$fetched")
  local kilobytes=0
  [ -n "$names" ] && kilobytes=$(apt-cache show --no-all-versions $names 2> /dev/null \
    | awk '/^Installed-Size:/ { total += $2 } END { print total + 0 }')
  awk -v disk="$kilobytes" '{ total += $3 } END { printf "%d %d\n", total / 1024, disk }' \
    <<< "$fetched"
}

# need_packages PACKAGE...
need_packages() {
  if ! command -v dpkg-query > /dev/null; then
    say "This is not Debian: make sure that the equivalents of these are there: $(echo $*)"
    return 0
  fi
  local missing=() package
  for package in $*; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return 0
  local line="apt-get install --no-install-recommends -y ${missing[*]}"
  if ! apt-cache show "${missing[@]}" > /dev/null 2>&1; then
    if can_be_root; then
      say "Fetching the lists of packages (apt-get update), about 10 MB."
      as_root apt-get update -qq >&2
    fi
    line="apt-get update && sudo $line"
  fi
  local fetch disk
  read -r fetch disk < <(package_sizes "${missing[@]}")
  say "Missing Debian packages: ${missing[*]}"
  [ "$disk" -gt 0 ] && say "With what they bring:" \
    "$(((fetch + 1023) / 1024)) MB to fetch, $(((disk + 1023) / 1024)) MB on disk."
  if ! can_be_root; then
    say "They are installed by this line, which needs an administrator:"
    say "  sudo $line"
    exit 1
  fi
  local log
  log=$(mktemp)
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends -y -qq \
    "${missing[@]}" > "$log" 2>&1 || {
    cat "$log" >&2
    say "apt-get could not install them; its message is above."
    exit 1
  }
  rm -f "$log"
}
