#!/usr/bin/env bash
# fault: F16
# claim: a service whose authenticator lets anybody in, answers nobody or is gone binds nothing; a
#   role's key may ask what its role asks and nothing else; hang-ups are not taken for wrong keys
# seconds: 20
. "$(dirname "$0")/common.sh"
trials=0 tests=0
while :; do
  trials=$((trials + 1))
  swift test -c release --skip-build --filter 'AuthenticatorTests|KeyFileTests|RolesTests' \
    > "$work/tests.out" 2>&1 || { cat "$work/tests.out"; fail "a test"; }
  now=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed.*/\1/p' "$work/tests.out")
  [ "${now:-0}" -ge 20 ] || { cat "$work/tests.out"; fail "only ${now:-0} tests ran"; }
  tests=$((tests + now))
  is_time_left || break
done
echo "measured: $trials trials; $tests tests passed"
