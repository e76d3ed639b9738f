#!/usr/bin/env bash
# bugs.sh - breaks the sources, one line at a time, and shows which test of life and death sees it.
#
# Usage: tests/bugs.sh [WORD]    only the bugs whose names hold WORD
#
# Each bug is put into a copy of the sources in build/bugs, with the library and the tests it needs
# built anew.  A bug counts as found when one of its tests fails and says why.  The unbroken copy
# must pass all of them first.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
work=$root/build/bugs
chosen=${1:-}
failed=0

# Nothing of an earlier run: an object that was made of a broken source may look new.
rm -rf "$work"
mkdir -p "$work/source"
for part in CMakeLists.txt CMakePresets.json cmake include src sync tests; do
    [ ! -e "$part" ] || cp -r "$part" "$work/source/"
done
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS_DEBUG=-g0 -DGYRE_TESTS_CRITERION=OFF \
    -DGYRE_BUILD_FUZZ=OFF -DGYRE_BUILD_BENCH=OFF -DGYRE_BUILD_EXAMPLES=OFF -DGYRE_INSTALL=OFF >"$work/configure.log" 2>&1

build() { # build TEST...: their programs
    cmake --build "$work/build" --target "${@%%:*}" >"$work/build.log" 2>&1
}

# run_tests TEST...: each `program:trial`, up to the first one that fails; that is success here.
found=
run_tests() {
    local test program trial line status
    found=
    for test in "$@"; do
        program=${test%%:*} trial=${test#*:}
        status=0
        timeout 120 "$work/build/tests/$program" "$trial" >"$work/test.log" 2>&1 || status=$?
        line=$(grep -a '^not ok' "$work/test.log" | head -n 1 || true)
        if [ -n "$line" ]; then
            found=${line#not ok - }
            # A role that ended itself knows better than those who miss it.
            line=$(grep -aE '^# [a-z_ ]+: test_[a-z_]+\.c:[0-9]+: ' "$work/test.log" | head -n 1 || true)
            found="${found%%: *}: ${line:-${found#*: }}"
            return 0
        fi
        # Without any line it crashed, or hangs, which no test may either.
        if ! grep -aq '^ok' "$work/test.log"; then
            found="$test: it ended with status $status"
            [ $status -ne 124 ] || found="$test: it hangs"
            return 0
        fi
    done
    return 1
}

# bug NAME FILE SUBSTITUTION TEST...: the substitution, in Perl, must hit once.
bug() {
    local name=$1 file=$2 substitution=$3
    shift 3
    [[ $name == *"$chosen"* ]] || return 0
    cp "$root/$file" "$work/source/$file"
    if ! perl -0pi -e "\$n = $substitution; END { exit(\$n != 1) }" "$work/source/$file"; then
        echo "not ok - bug: $name: nothing to break in $file"
        failed=1
    elif ! build "$@"; then
        grep -a 'error' "$work/build.log" | head -n 3 | sed 's/^/    /'
        echo "not ok - bug: $name: it does not compile"
        failed=1
    elif run_tests "$@"; then
        echo "ok - bug: $name: found by $found"
    else
        echo "not ok - bug: $name: no test sees it"
        failed=1
    fi
    cp "$root/$file" "$work/source/$file"
}

instructions=test_instructions_linux:instructions
wanted=("$instructions.a_producer_may_die_anywhere_in_claim"
    "$instructions.a_producer_may_die_anywhere_in_a_batch"
    "$instructions.a_producer_may_die_anywhere_at_the_end"
    "$instructions.a_producer_may_die_anywhere_in_a_credit"
    "$instructions.a_joiner"
    "$instructions.a_creator"
    test_stops_linux:stops
    test_creation:creation.racers
    test_roles:roles.a_producer_takes_over
    test_roles:roles.seats
    test_faults:faults.members_die)

build "${wanted[@]}" || { tail -n 20 "$work/build.log"; echo "not ok - bugs: the sources do not build"; exit 1; }
if run_tests "${wanted[@]}"; then
    echo "not ok - bugs: without a bug: $found"
    exit 1
fi
echo "ok - bugs: without a bug every test passes"

bug "a header is stored before its payload is written" include/gyre/fast.h \
    's/if \(pos == p->published_pos\)\s+(p->first_header = header;)\s+else\s+gyre_store/$1 gyre_store/' \
    "$instructions.a_producer_may_die_anywhere_in_claim"
bug "a batch's first header is not withheld" src/producer.c \
    's/(fast->first_header = header;)\s+else\s/$1\n/' \
    "$instructions.a_producer_may_die_anywhere_in_a_batch" \
    "$instructions.a_producer_may_die_anywhere_at_the_end"
bug "the zeros ahead are not written" include/gyre/fast.h \
    's/gyre_store_relaxed_64\(gyre__header_at\(ring, zero & mask\), 0\);/;/' \
    "$instructions.a_producer_may_die_anywhere_in_claim"
bug "the header behind a large frame is not zeroed" include/gyre/fast.h \
    's/gyre_store_relaxed_64\(gyre__header_at\(ring, end & mask\), 0\);/;/' \
    "$instructions.a_producer_may_die_anywhere_at_the_end"
bug "the horizon is stored after the writes that it allows" src/producer.c \
    's/(horizon_pos, )limit( - capacity\); \/\* E5 E7 \*\/\s+gyre_fence_full)/$1old_limit$2/' \
    test_stops_linux:stops "$instructions.a_producer_may_die_anywhere_in_a_credit"
bug "a release of a lossy reader does not look at the horizon" include/gyre/fast.h \
    's/gyre__pos_after\(gyre_load_relaxed_64\(c->horizon_pos\), c->held_pos\)/0/' \
    "$instructions.a_producer_may_die_anywhere_in_a_credit" test_stops_linux:stops
bug "a take-over does not look for the last message" src/recover.c \
    's/!gyre__mark_walk\(ring, &end, UINT64_MAX\)/false/' \
    "$instructions.a_producer_may_die_anywhere_in_claim"
bug "a take-over trusts a horizon that nobody confirmed" src/recover.c \
    's/gyre_load_relaxed_64\(&front->granted_pos\)/gyre_load_relaxed_64(&front->horizon_pos)/' \
    "$instructions.a_joiner"
bug "a take-over does not raise the epoch" src/recover.c \
    's/(&front->epoch\)) \+ 1/$1/' \
    test_roles:roles.a_producer_takes_over
bug "the name and the magic come before the contents" src/ring.c \
    's/(    gyre__write_data\(ring->data.base, &geometry\);)/    gyre__write_magic(ring->data.base, GYRE_DATA_MAGIC);\n    (void)sync_map_publish(ring->site, SYNC_DATA, &ring->data, error);\n$1/' \
    "$instructions.a_creator"
bug "an attacher does not look whether the lock file is still linked" sync/linux/site.c \
    's/if \(status.st_nlink > 0\)\s+return GYRE_OK/if (status.st_size >= 0)\n return GYRE_OK/' \
    test_creation:creation.racers
bug "the producer's lease is not taken" src/ring.c \
    's/status = sync_lease_take\(ring->site, SYNC_ROLE_PRODUCER, error\)/status = GYRE_OK/' \
    test_stops_linux:stops
bug "a stopped consumer is taken for a dead one" src/recover.c \
    's/if \(!sync_lease_is_free\(ring->site, SYNC_ROLE_SEAT\(seat_idx\)\)\)/if (false)/' \
    test_stops_linux:stops
bug "the seats of the dead are not given back" src/seat.c \
    's/pass < 2/pass < 1/' \
    test_roles:roles.seats
bug "a member does not note its claim before it makes it" src/member.c \
    's/gyre_store_release_64\(&seat->claim, end->pos \| GYRE_CLAIM_TRIED\);/;/' \
    test_faults:faults.members_die
bug "what a dead member had claimed is forgotten" src/recover.c \
    's/is_held \? GYRE_SEAT_ORPHANED/false ? GYRE_SEAT_ORPHANED/' \
    test_faults:faults.members_die
exit $failed
