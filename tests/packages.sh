#!/usr/bin/env bash
# packages.sh - installs the Debian packages that a set of tasks needs, if they are missing.
#
# Usage: bash tests/packages.sh tests|bench|afl...   (root, or a user who may use sudo)
# Quiet and quick when nothing is missing; safe to repeat.
set -euo pipefail

packages_of() {
    local common="gcc libc6-dev cmake ninja-build libck-dev gcc-mingw-w64-x86-64-win32 mingw-w64-tools wine wine64"
    case $1 in
    tests) echo "$common g++ clang libclang-rt-14-dev llvm gcc-multilib pkg-config libcriterion-dev" \
        "libuv1-dev binutils spin strace valgrind procps qemu-user" ;;
    bench) echo "$common g++ libboost-dev libqb-dev libzmq3-dev libnng-dev" ;;
    afl) echo "$common clang libclang-rt-14-dev afl++" ;;
    *)
        echo "packages.sh: unknown set '$1' (tests, bench, afl)" >&2
        exit 2
        ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

fail() {
    echo "packages.sh: $1" >&2
    echo "packages.sh: these packages are missing: ${missing[*]}" >&2
    exit 1
}

[ $# -gt 0 ] || {
    echo "usage: packages.sh tests|bench|afl..." >&2
    exit 2
}
missing=()
for set in "$@"; do
    wanted=$(packages_of "$set")
    for package in $wanted; do
        is_installed "$package" || missing+=("$package")
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

command -v apt-get >/dev/null || fail "there is no apt-get here: install their like by hand"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo: nothing can be installed"
    as_root=(sudo)
fi
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "apt-get failed"
fi
