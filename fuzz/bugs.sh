#!/usr/bin/env bash
# bugs.sh - bugs that reviews miss, each put into a copy of the sources and found by a fuzz target
# that starts from the committed corpus.  TAP lines.  Needs clang.
#
# Usage: fuzz/bugs.sh   (GYRE_BUG_SECONDS: how long a target may look, 60)
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
limit=${GYRE_BUG_SECONDS:-60}
copy=$root/build/fuzz-bugs
failed=0
without_aslr=()
if setarch "$(uname -m)" -R true 2>/dev/null; then
    without_aslr=(setarch "$(uname -m)" -R)
fi

# replace FILE OLD NEW: once, or the bug is not there any more.
replace() {
    broken=$1
    FILE=$copy/$1 OLD=$2 NEW=$3 perl -0777 -i -pe '
        my $count = () = /\Q$ENV{OLD}\E/g;
        die "$ENV{FILE}: the place of the bug is there $count times\n" if $count != 1;
        s/\Q$ENV{OLD}\E/$ENV{NEW}/' "$copy/$1"
}

# hunt NAME TARGET: builds the copy's target, lets it look, and mends the copy.
hunt() {
    local name=$1 target=$2 log=$copy/$2.log begin status=0
    if cmake --build "$copy/build" --target "$target" >"$copy/build.log" 2>&1; then
        rm -rf "$copy/found"
        mkdir -p "$copy/found"
        begin=$(date +%s%N)
        "${without_aslr[@]}" timeout $((limit + 30)) "$copy/build/fuzz/$target" \
            -max_total_time="$limit" -timeout=10 -artifact_prefix="$copy/" \
            "$copy/found" "fuzz/corpus/${target#fuzz_}" >"$log" 2>&1 || status=$?
        if [ $status -ne 0 ] && grep -qaE 'found:|ERROR: AddressSanitizer|runtime error' "$log"; then
            printf 'ok - bug %s: found by %s in %s s (%s)\n' "$name" "$target" \
                "$(awk "BEGIN { printf \"%.1f\", ($(date +%s%N) - $begin) / 1e9 }")" \
                "$(grep -aoE 'found: .*|AddressSanitizer: [a-z-]+|runtime error: .{0,60}' "$log" | head -n 1)"
        else
            tail -n 5 "$log"
            echo "not ok - bug $name: $target did not find it in $limit s"
            failed=1
        fi
    else
        tail -n 20 "$copy/build.log"
        echo "not ok - bug $name: it does not compile"
        failed=1
    fi
    cp "$broken" "$copy/$broken" # newer than any object that was made of the broken one
}

rm -rf "$copy"
mkdir -p "$copy"
for part in include src sync fuzz tests cmake CMakeLists.txt CMakePresets.json; do
    [ ! -e "$part" ] || cp -r "$part" "$copy/"
done
cmake --preset fuzz -S "$copy" -B "$copy/build" -DGYRE_BUILD_EXAMPLES=OFF >"$copy/cmake.log" 2>&1 || {
    tail -n 20 "$copy/cmake.log"
    echo "not ok - seeded bugs: cmake fails"
    exit 1
}

replace include/gyre/fast.h '    *size = (uint32_t)payload;
    return frame' '    *size = (uint32_t)(gyre_load_relaxed_64((const uint64_t *)(const void *)frame) &
                       GYRE_FRAME_SIZE_MASK);
    return frame'
hunt "double fetch of a length" fuzz_hostile_producer

replace src/member.c '        *size = payload_size;' '        *size = (uint32_t)(gyre_load_relaxed_64(gyre__header_at(
                               ring->bytes, at.pos & (ring->geometry.capacity - 1))) &
                           GYRE_FRAME_SIZE_MASK);'
hunt "double fetch of a length by a member" fuzz_hostile_producer

replace src/run.c '(pos | fast->mask) + 1' 'pos + fast->mask + 1'
hunt "a run that goes on behind the ring" fuzz_hostile_producer

replace src/producer.c '    if (gyre__pos_after(here->pos, producer->fast.published_pos) ||
        (here->pos & producer->fast.align_mask) != 0)
        return false;' '    (void)producer;'
hunt "unchecked cursor" fuzz_hostile_consumer

replace src/history.c '    if ((pos & (ring->geometry.frame_align - 1)) != 0)
        return false;' ''
hunt "unchecked landmark" fuzz_hostile_producer

exit $failed
