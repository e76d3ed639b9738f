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
python3 - "$directory" $bar <<'END' || failed=1
import glob, re, sys
directory, bar = sys.argv[1], float(sys.argv[2])
# What judges shared words.  Functions of these files that touch none of them are left out by name.
judged = ["src/layout.c", "src/history.c", "src/consumer.c", "src/producer.c", "src/seat.c",
          "src/recover.c", "src/inspect.c", "src/wake.c", "include/gyre/fast.h"]
lines, name = {}, None
texts = (line for path in glob.glob(f"{directory}/fuzz_*.txt")
         for line in open(path, errors="replace"))
for line in texts:
    heading = re.match(r"(/\S+):$", line.rstrip())
    if heading:
        name = next((j for j in judged if heading.group(1).endswith("/" + j)), None)
        continue
    found = re.match(r"\s*(\d+)\|\s*([\d.]+[kMG]?)\|(.*)", line)
    if name and found:
        key = (name, int(found.group(1)))
        hit = found.group(2) != "0"
        old = lines.get(key, (False, ""))
        lines[key] = (old[0] or hit, found.group(3))
bad = total = reached = 0
with open(f"{directory}/lines.txt", "w") as missed:
    for file in judged:
        mine = [(key[1], value) for key, value in sorted(lines.items()) if key[0] == file]
        hits = sum(value[0] for _, value in mine)
        total, reached = total + len(mine), reached + hits
        percent = 100 * hits / max(len(mine), 1)
        for number, value in mine:
            if not value[0]:
                missed.write(f"{file}:{number}:{value[1]}\n")
        state = "ok" if percent >= bar else "not ok"
        bad += percent < bar
        print(f"{state} - coverage of {file}: {hits} of {len(mine)} lines, {percent:.1f} %")
    print(f"# coverage of all of these: {reached} of {total} lines, {100 * reached / total:.1f} %")
sys.exit(bad > 0)
END
exit $failed
