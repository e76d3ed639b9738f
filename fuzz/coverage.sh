#!/usr/bin/env bash
# coverage.sh - how many lines of the code that judges foreign bytes the fuzz targets' corpora reach.
# Prints a TAP line for each file: at least 95 % of its lines.  Needs clang and llvm.
#
# Usage: fuzz/coverage.sh   (build/coverage/lines.txt has the lines that were not reached)
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
directory=$root/build/coverage
bar=95
failed=0
suffix=
command -v llvm-profdata >/dev/null || suffix=-14

cmake --preset fuzz -B "$directory" -DGYRE_FUZZER=OFF -DGYRE_BUILD_FUZZ=ON \
    -DGYRE_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="-O1 -fprofile-instr-generate -fcoverage-mapping" >"$directory.log" 2>&1
cmake --build "$directory" >>"$directory.log" 2>&1
rm -f "$directory"/*.profraw "$directory"/fuzz_*.txt
# Each target by itself: two of them have an engine of their own, compiled otherwise.
for source in fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    program=$directory/fuzz/$name
    LLVM_PROFILE_FILE=$directory/$name.profraw \
        "$program" "fuzz/corpus/${name#fuzz_}" >"$directory/$name.log" 2>&1
    llvm-profdata$suffix merge -o "$directory/$name.profdata" "$directory/$name.profraw"
    llvm-cov$suffix show "$program" -instr-profile "$directory/$name.profdata" \
        -show-instantiations=false >"$directory/$name.txt"
done
awk -v bar="$bar" -v missed="$directory/lines.txt" '
    BEGIN {
        # What judges shared words.
        count = split("src/layout.c src/history.c src/consumer.c src/producer.c src/seat.c " \
                      "src/recover.c src/inspect.c src/wake.c src/group.c src/member.c " \
                      "src/orphan.c include/gyre/fast.h", judged, " ")
        printf "" >missed
    }
    /^\/.*:$/ {
        name = ""
        for (i = 1; i <= count; i++)
            if (index($0, "/" judged[i] ":")) name = judged[i]
        next
    }
    name != "" && match($0, /^ *[0-9]+\| *[0-9.]+[kMG]?\|/) {
        split(substr($0, 1, RLENGTH), part, "|")
        line = part[1] + 0
        sub(/^ */, "", part[2])
        if (line > last[name]) last[name] = line
        text[name, line] = substr($0, RLENGTH + 1)
        if (part[2] != "0") hit[name, line] = 1
    }
    END {
        for (i = 1; i <= count; i++) {
            name = judged[i]
            lines = hits = 0
            for (line = 1; line <= last[name]; line++) {
                if (!((name, line) in text)) continue
                lines++
                if ((name, line) in hit) hits++
                else print name ":" line ":" text[name, line] >missed
            }
            percent = lines ? 100 * hits / lines : 0
            if (percent < bar) bad = 1
            printf "%s - coverage of %s: %d of %d lines, %.1f %%\n",
                   percent < bar ? "not ok" : "ok", name, hits, lines, percent
            all += lines
            reached += hits
        }
        printf "# coverage of all of these: %d of %d lines, %.1f %%\n",
               reached, all, all ? 100 * reached / all : 0
        exit bad
    }' "$directory"/fuzz_*.txt || failed=1
exit $failed
