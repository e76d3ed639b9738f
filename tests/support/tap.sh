# tap.sh - what the shell tests of process/ share.  Source it:  . "$(dirname "$0")/../support/tap.sh"
#
# From the environment:
#   GYRE_BIN    the gyre command
#   GYRE_BUILD  the build directory; helper programs are in $GYRE_BUILD/tests
#   GYRE_RUN    what runs a program of that build: empty natively, Wine otherwise
#   GYRE_WINE   1 under Wine, unset natively
#
# check NAME COMMAND...  prints `ok - NAME` or `not ok - NAME`; a test ends with `finish`.
set -uo pipefail

tap_failed=0
tap_dir=$(mktemp -d)
trap 'rm -rf "$tap_dir"' EXIT
cd "$tap_dir" || exit 1

# The suffix of the build's programs, and of the names of tests under Wine.
exe=${GYRE_WINE:+.exe}

gyre() {
    ${GYRE_RUN:+"$GYRE_RUN"} "$GYRE_BIN" "$@"
}

# program NAME ARGUMENT...: a helper program of tests/process.
program() {
    ${GYRE_RUN:+"$GYRE_RUN"} "$GYRE_BUILD/tests/$1$exe" "${@:2}"
}

pass() {
    echo "ok - $1"
}

fail() { # fail NAME [WHY]
    echo "not ok - $1${2:+: $2}"
    tap_failed=1
}

skip() { # skip NAME WHY
    echo "ok - $1 # SKIP $2"
}

check() {
    local name=$1
    shift
    if "$@"; then
        pass "$name"
    else
        fail "$name" "status $? of: $*"
    fi
}

# check_status NAME STATUS COMMAND...: the command must end with that status.
check_status() {
    local name=$1 wanted=$2 got=0
    shift 2
    "$@" || got=$?
    if [ "$got" -eq "$wanted" ]; then
        pass "$name"
    else
        fail "$name" "status $got, not $wanted, of: $*"
    fi
}

finish() {
    exit $tap_failed
}
