#!/usr/bin/env bash
# big_file.sh - a text file of more than 100 MB through one pub to three subs and a tap at once.
# Each sub's output equals the file byte for byte; the tap's lines and gaps account for each line.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/tap.sh"

run=(${GYRE_RUN:+"$GYRE_RUN"} "$GYRE_BIN")
ring=big.$$
size_wanted=100000000
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tap_dir"' EXIT

# What Debian packages install as text, as often as it takes, each round behind a line of its own
# number, so that no two rounds look alike; then what text seldom has: long lines and empty ones.
make_file() {
    local round
    find /usr/share/doc /usr/include /usr/share/perl /usr/share/common-licenses /usr/lib/gcc \
        -type f \( -name copyright -o -name '*.h' -o -name '*.p[lm]' -o -name '*.txt' -o \
        -name '[A-Z]*' \) -size -2000k -print0 2>/dev/null | sort -z |
        xargs -0 grep -hI '' 2>/dev/null | head -c 60000000 >text
    [ "$(stat -c %s text)" -gt 100000 ] || return 1
    : >file
    for ((round = 1; $(stat -c %s file) < size_wanted; round++)); do
        { echo "round $round" && cat text && echo; } >>file
    done
    tr '\n' ' ' <text | head -c 1900000 >>file
    printf '\n\n\n' >>file
    tr -d '\n' <text | head -c 70001 >>file
    printf '\nthe last line\n' >>file
}

# The first line alone, until the tap has it: the ring is gone when all the others are done, and a
# tap that came so late would wait for ever.
feed() {
    head -n 1 file
    until [ -s out.tap ]; do :; done
    milliseconds >begin
    tail -n +2 file
}

milliseconds() {
    date +%s%3N
}

start() { # start WHO ARGUMENT...: sets $started; its stderr is a file, for gaps
    local who=$1
    shift
    "${run[@]}" "$@" >"out.$who" 2>"err.$who" &
    started=$!
}

check "a file is made of installed text" make_file
size=$(stat -c %s file)
lines=$(wc -l <file)
check "it has 100 MB" test "$size" -ge $size_wanted

subs=()
for i in 1 2 3; do
    start "sub.$i" sub "$ring"
    subs+=("$started")
done
start tap tail "$ring"
tap=$started
feed | gyre pub "$ring" --subscribers 3
check "pub ends with 0" test $? -eq 0
pub_ms=$(milliseconds)
for i in 1 2 3; do
    wait "${subs[i - 1]}"
    check "sub $i ends with 0" test $? -eq 0
done
end_ms=$(milliseconds)
begin_ms=$(cat begin)
wait $tap
tap_status=$?

for i in 1 2 3; do
    check "sub $i equals the file" cmp "out.sub.$i" file
    check "sub $i has nothing to say" test ! -s "err.sub.$i"
done
kept=$(wc -l <out.tap)
lost=$(awk '/^gyre: gap: / { sum += $3 } END { print sum + 0 }' err.tap)
check "the tap's lines and gaps account for each of $lines lines" test $((kept + lost)) -eq "$lines"
check "the tap's exit code tells whether it lost any" test $tap_status -eq $((lost > 0 ? 6 : 0))

# Where the gaps say so, and nowhere else, lines of the file are missing.
splice() { # the lines of the file that the gaps leave
    tr -d '\r' <err.tap | awk '
        FILENAME == "-" && /^gyre: gap: / { to[++count] = $8 + 0; from[count] = to[count] - $3 }
        FILENAME == "-" { next }
        FNR == 1 { at = 1 }
        at <= count && FNR > to[at] { at++ }
        at <= count && FNR > from[at] { next }
        { print }' - file
}
check "the tap's lines are the file's outside its gaps" cmp <(LC_ALL=C splice) out.tap

awk -v bytes="$size" -v lines="$lines" -v pub=$((pub_ms - begin_ms)) -v all=$((end_ms - begin_ms)) \
    -v kept="$kept" 'BEGIN {
        printf "# %.1f MB, %d lines; pub %.2f s, the last sub %.2f s after its start: ",
            bytes / 1e6, lines, pub / 1e3, all / 1e3
        printf "%.0f MB/s and %.2f million lines/s to each of 3; the tap kept %.1f %%\n",
            bytes / 1e3 / all, lines / 1e3 / all, 100 * kept / lines
    }'
finish
