#!/usr/bin/env bash
# idle_syscalls.sh - publishing while nobody sleeps makes no system call: a million messages cost as
# many as a thousand.  Linux, with strace.
. "$(dirname "$0")/../support/tap.sh"

if [ -n "${GYRE_WINE:-}" ]; then
    skip "publishing makes no system call while nobody sleeps" "strace would count those of Wine"
    finish
fi
if ! command -v strace >/dev/null; then
    fail "strace is there" "install strace"
    finish
fi
GYRE_DIR=$(mktemp -d /dev/shm/gyre-idle.XXXXXX)
export GYRE_DIR
trap 'rm -rf "$GYRE_DIR" "$tap_dir"' EXIT

# calls COUNT: how many system calls a run with so many messages makes, by name and in all.
calls() {
    strace -f -qq -e signal=none -c -S name -U name,calls -o "$tap_dir/calls.$1" \
        "$GYRE_BUILD/tests/idle_publisher" "$1" >"$tap_dir/out.$1" || return 1
    [ "$(cat "$tap_dir/out.$1")" = "$1" ]
}

check "strace runs the publisher with a thousand messages" calls 1000
check "strace runs the publisher with a million messages" calls 1000000
check "there are system calls to count" grep -q "^openat" "$tap_dir/calls.1000"
if diff "$tap_dir/calls.1000" "$tap_dir/calls.1000000" >"$tap_dir/difference"; then
    pass "publishing makes no system call while nobody sleeps"
else
    sed 's/^/# /' "$tap_dir/difference"
    fail "publishing makes no system call while nobody sleeps"
fi
check "no ring is left behind" [ -z "$(ls -A "$GYRE_DIR")" ]
finish
