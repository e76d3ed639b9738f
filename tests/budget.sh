#!/usr/bin/env bash
# budget.sh - what a message costs: instructions, counted by callgrind, and no locked one among them.
# TAP lines.  Needs a build of the preset release.
#
# The budget is for gcc -O2 on x86-64, messages of 56 bytes.  A count is the difference of two runs,
# so that neither the start nor a slow path is in it, and is the same on every machine.  Who needs
# more than the budget says why in the commit that raises it.
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:-$root/build/release}
program=$build/tests/fast_paths
few=640 many=1280 # all within the first sixteenth of the ring: no slow path
failed=0
work=$(mktemp -d)
GYRE_DIR=$(mktemp -d /dev/shm/gyre-budget.XXXXXX)
export GYRE_DIR
trap 'rm -rf "$work" "$GYRE_DIR"' EXIT

pass() { echo "ok - $1"; }
fail() { # fail NAME [WHY]
    echo "not ok - $1${2:+: $2}"
    failed=1
}

[ -x "$program" ] || { fail "fast_paths is built" "$program is missing"; exit 1; }

# ---- no locked instruction, no fence, no system call --------------------------------------------

# code BINARY FUNCTION: its instructions, the parts that the compiler put aside included.
code() {
    objdump -d --no-show-raw-insn "$1" | awk -v name="$2" '
        /^[0-9a-f]+ <.*>:$/ {
            of = $2; gsub(/[<>:]/, "", of)
            inside = of == name || index(of, name ".") == 1; next
        }
        inside && NF { sub(/^ *[0-9a-f]+:[ \t]*/, ""); print }'
}

# An exchange with memory is locked without saying so; `xchg %ax,%ax` is a no-op.
locked='^(lock|[a-z]fence|cpuid|syscall|sysenter|int[ \t])|^xchg.*\('
# What may be called, all seldom.
slow='<gyre(__(claim_slow|zero_lines|wake_sleepers|peek_slow|release_slow|room_freed|flush_behind)|_(claim|peek))(@plt)?>$'

# flaws BINARY FUNCTION: what the fast path must not hold; 1 if there is no such function.
flaws() {
    code "$1" "$2" >"$work/code"
    [ -s "$work/code" ] || return 1
    grep -E "$locked" "$work/code"
    grep -E '^call' "$work/code" | grep -vE "$slow"
    return 0
}

looks_clean() { # looks_clean BINARY FUNCTION NAME
    if ! flaws "$1" "$2" >"$work/flaws"; then
        fail "$3" "$2 was not found"
    elif [ -s "$work/flaws" ]; then
        fail "$3" "$(head -n 1 "$work/flaws")"
    else
        pass "$3"
    fi
}

for function in fast_publish fast_publish_dense fast_publish_batch fast_receive fast_receive_batch; do
    looks_clean "$program" $function "$function: no locked instruction, fence or system call"
done
library=$(find "$build" -maxdepth 1 -name 'libgyre.so.*' -type f | head -n 1)
for function in gyre_claim gyre_publish gyre_peek gyre_release gyre_claim_run gyre_peek_run \
    gyre__zero_lines; do
    looks_clean "$library" $function "$function of the library: likewise"
done
if code "$library" gyre__flush_behind | grep -q clflushopt; then # no test can see what it does
    pass "gyre__flush_behind flushes lines"
else
    fail "gyre__flush_behind flushes lines" "no clflushopt"
fi
if flaws "$program" fenced >"$work/flaws" && grep -q '^lock' "$work/flaws" &&
    grep -q '^xchg' "$work/flaws"; then
    pass "a locked instruction and an exchange would be found"
else
    fail "a locked instruction and an exchange would be found"
fi

# ---- the budget ---------------------------------------------------------------------------------

# count FUNCTION MESSAGES: the instructions in it and below it.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect="$1" "$program" "$2" \
        >"$work/out" 2>"$work/log" || return 1
    sed -n 's/^==[0-9]*== Collected : \([0-9]*\)$/\1/p' "$work/log"
}

budget() { # budget FUNCTION MOST NAME: at most so many instructions a message
    local before after each name="$3: at most $2 instructions a message"
    if ! command -v valgrind >/dev/null; then
        echo "ok - $name # SKIP valgrind is missing"
        return
    fi
    before=$(count "$1" $few) && after=$(count "$1" $many)
    if [ -z "${before:-}" ] || [ -z "${after:-}" ]; then
        tail -n 5 "$work/log" | sed 's/^/# /'
        fail "$name" "callgrind does not run it"
        return
    fi
    each=$(((after - before + many - few - 1) / (many - few)))
    echo "# $1: $each instructions a message"
    if [ "$each" -gt 0 ] && [ "$each" -le "$2" ]; then
        pass "$name"
    else
        fail "$name" "$each"
    fi
}

budget fast_publish 58 "claim, write, publish"
budget fast_publish_dense 53 "the same with 8 bytes, in frames aligned to 8"
budget fast_publish_batch 32 "claim and write, publish every 8"
budget fast_publish_run 12 "claim a run of 64, write, publish"
budget fast_receive 53 "peek, read, release"
budget fast_receive_batch 35 "peek and read, release every 8"
budget fast_receive_run 16 "peek a run of 64, read, release"
exit $failed
