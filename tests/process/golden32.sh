#!/usr/bin/env bash
# golden32.sh - a 32-bit program writes and reads the same bytes: the golden ring, the layout's
# judgements and the flow of messages, built from the sources with gcc -m32.  And waits last until
# their deadlines where time_t has 64 bits, which the kernel's older calls do not know.
root=$(cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/tests/support/tap.sh"

if [ -n "${GYRE_WINE:-}" ]; then
    skip "32-bit programs share the layout" "a Linux build tells; this one is for Windows"
    finish
fi

# build NAME FILE...: tests/unit/NAME.c with more files or options, for 32 bits, in the scratch
# directory.
build() {
    local name=$1
    shift
    gcc -m32 -std=c11 -O1 -Wall -Wextra -D_GNU_SOURCE -DGYRE_STATIC -DGYRE_TEST_PLAIN=1 \
        -I"$root/include" -I"$root/src" -I"$root/sync" -I"$root/tests/support" \
        "$root/tests/unit/$name.c" "$root"/tests/support/{plain_main,ring_dir}.c \
        "$@" "$root"/sync/linux/*.c -pthread -o "$name" 2>"$name.log" || {
        cat "$name.log" >&2
        return 1
    }
}

# A kernel may run no 32-bit programs; then qemu does.
runner=
echo 'int main(void) { return 0; }' | gcc -m32 -x c - -o nothing
./nothing 2>/dev/null || runner=qemu-i386

for test in test_golden test_layout test_flow; do
    check "$test builds for 32 bits" build $test "$root/tests/support/pattern.c" "$root"/src/*.c
    check "$test passes in a 32-bit program${runner:+ ($runner)}" $runner ./$test
done
check "test_sync builds for 32 bits and times of 64" \
    build test_sync -O0 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
for wait in a_wait a_wait_at_a_gate; do
    check "${wait}_ends_at_its_deadline with times of 64 bits${runner:+ ($runner)}" \
        $runner ./test_sync sync.${wait}_ends_at_its_deadline_and_not_before
done
finish
