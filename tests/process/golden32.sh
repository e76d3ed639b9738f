#!/usr/bin/env bash
# golden32.sh - a 32-bit program writes and reads the same bytes: the golden ring, the layout's
# judgements and the flow of messages, built from the sources with gcc -m32.
root=$(cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/tests/support/tap.sh"

if [ -n "${GYRE_WINE:-}" ]; then
    skip "32-bit programs share the layout" "a Linux build tells; this one is for Windows"
    finish
fi

# build NAME: tests/unit/NAME.c and the library, for 32 bits, in the scratch directory.
build() {
    gcc -m32 -std=c11 -O1 -Wall -Wextra -D_GNU_SOURCE -DGYRE_STATIC -DGYRE_TEST_PLAIN=1 \
        -I"$root/include" -I"$root/src" -I"$root/sync" -I"$root/tests/support" \
        "$root/tests/unit/$1.c" "$root"/tests/support/{plain_main,ring_dir,pattern}.c \
        "$root"/src/*.c "$root"/sync/linux/*.c -pthread -o "$1" 2>"$1.log" || {
        cat "$1.log" >&2
        return 1
    }
}

# A kernel may run no 32-bit programs; then qemu does.
runner=
echo 'int main(void) { return 0; }' | gcc -m32 -x c - -o nothing
./nothing 2>/dev/null || runner=qemu-i386

for test in test_golden test_layout test_flow; do
    check "$test builds for 32 bits" build $test
    check "$test passes in a 32-bit program${runner:+ ($runner)}" $runner ./$test
done
finish
