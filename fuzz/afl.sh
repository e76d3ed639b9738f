#!/usr/bin/env bash
# afl.sh - the fuzz targets under AFL++, which knows other ways to a new path than libFuzzer.
# Prints a TAP line for each target: what it executed, and 0 crashes and 0 hangs over 1 s.
#
# Usage: fuzz/afl.sh [SECONDS]   for each target, two at a time (60); needs the packages of
#                                `tests/packages.sh afl`.  Findings stay in build/afl/found.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
seconds=${1:-60}
directory=$root/build/afl
failed=0
command -v afl-fuzz >/dev/null || {
    echo "ok - afl # SKIP there is no afl-fuzz: bash tests/packages.sh afl"
    exit 0
}

# It finds the entry of libFuzzer by itself; its own instrumentation replaces the other.
export AFL_QUIET=1
cmake --preset fuzz -B "$directory" -DCMAKE_C_COMPILER=afl-clang-fast -DGYRE_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all" \
    >"$directory.log" 2>&1 && cmake --build "$directory" >>"$directory.log" 2>&1 || {
    tail -n 20 "$directory.log"
    echo "not ok - afl: it does not build"
    exit 1
}

figure() { # figure FILE NAME
    sed -n "s/^$2 *: *//p" "$1"
}

fuzz_one() { # fuzz_one NAME
    local name=$1 log=$directory/$1.log found=$directory/found/$1 stats crashes hangs
    rm -rf "$found"
    mkdir -p "$found"
    # A core pattern, a governor, a known crash in the corpus: none of them is ours to judge.
    AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 \
        AFL_HANG_TMOUT=1000 AFL_NO_STARTUP_CALIBRATION=1 \
        ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0 \
        UBSAN_OPTIONS=abort_on_error=1:symbolize=0 \
        timeout $((seconds + 120)) afl-fuzz -V "$seconds" -t 1000 -m none -g 1 -G 4096 \
        -i "fuzz/corpus/${name#fuzz_}" -o "$found" -- "$directory/fuzz/$name" >"$log" 2>&1 || true
    stats=$found/default/fuzzer_stats
    if [ ! -e "$stats" ]; then
        tail -n 20 "$log"
        echo "not ok - afl $name: it did not run"
        return 1
    fi
    crashes=$(figure "$stats" saved_crashes)
    hangs=$(figure "$stats" saved_hangs)
    printf '%s - afl %s: %s runs in %s s, %s a second, %s inputs, coverage %s, %s crashes, %s hangs over 1 s\n' \
        "$([ "$crashes$hangs" = 00 ] && echo ok || echo not ok)" "$name" \
        "$(figure "$stats" execs_done)" "$(figure "$stats" run_time)" \
        "$(figure "$stats" execs_per_sec)" "$(figure "$stats" corpus_count)" \
        "$(figure "$stats" bitmap_cvg)" "$crashes" "$hangs"
    [ "$crashes$hangs" = 00 ]
}

pids=()
for source in fuzz/fuzz_*.c; do
    if [ ${#pids[@]} -ge 2 ]; then
        wait "${pids[0]}" || failed=1
        pids=("${pids[@]:1}")
    fi
    fuzz_one "$(basename "$source" .c)" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
done
exit $failed
