#!/usr/bin/env bash
# rules.sh - the rules of the architecture, as a test.  TAP lines; what breaks a rule is listed above
# the line that says so.  Needs gcc, g++, clang and Concurrency Kit's headers; no build, but if there
# is one, the symbols of its shared library are checked as well.
set -uo pipefail
export LC_ALL=C.UTF-8

cd "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
failed=0
shopt -s nullglob globstar

# verdict NAME OFFENCES: passes if there are none.
verdict() {
    if [ -z "$2" ]; then
        echo "ok - $1"
    else
        printf '%s\n' "$2" | sed 's/^/    /'
        echo "not ok - $1"
        failed=1
    fi
}

# includes FILE...: one `file:line:<header>` or `file:line:"header"` for each include.
includes() {
    [ $# -eq 0 ] || grep -HnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]+[>"]' "$@" |
        sed -E 's/#[[:space:]]*include[[:space:]]*//; s/:[[:space:]]+/:/'
}

# includes_but PATTERN FILE...: the includes whose header does not match.
includes_but() {
    local pattern=$1
    shift
    includes "$@" | grep -vE ":($pattern)\$"
}

public=(include/gyre/*.h)
engine=(src/*.c src/*.h)
command=(src/cli/*.c src/cli/*.h)
linux=(sync/linux/*.[ch])
win32=(sync/win32/*.[ch])
product=("${public[@]}" "${engine[@]}" "${command[@]}" sync/*.h "${linux[@]}" "${win32[@]}")
others=(tests/**/*.[ch] fuzz/*.[ch] bench/*.[ch])

# Standard C without its views of the operating system (errno, signal, threads).
standard='<(assert|ctype|float|inttypes|limits|math|setjmp|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|time)\.h>'

# ---- includes point one way --------------------------------------------------------------------

verdict "only atomic.h includes Concurrency Kit, and the bench's contestant of that name its ring" \
    "$(includes "${product[@]}" "${others[@]}" | grep '[<"]ck_' | grep -vE \
        -e '^include/gyre/atomic.h:[0-9]*:<ck_pr.h>$' -e '^bench/carrier_ck_ring.c:[0-9]*:<ck_ring.h>$')"
verdict "public headers include standard C and public headers" \
    "$(includes_but "$standard|<gyre/[a-z]+\.h>|<ck_pr\.h>" "${public[@]}")"
verdict "src/ includes no header of an operating system" \
    "$(includes_but "$standard|<gyre/[a-z]+\.h>|\"(internal|flush|groups|pace|words|sync)\.h\"" "${engine[@]}")"
verdict "src/cli/ includes no header of an operating system and nothing private to the library" \
    "$(includes_but "$standard|<(errno|signal)\.h>|<gyre/[a-z]+\.h>|\"(cli|sync)\.h\"" "${command[@]}")"
verdict "sync.h includes standard C and status.h" \
    "$(includes_but "$standard|<gyre/status\.h>" sync/sync.h)"
verdict "sync/ knows no ring" \
    "$(includes sync/*.h "${linux[@]}" "${win32[@]}" | grep -E ':(<gyre/(gyre|layout|fast)\.h>|"(internal|cli|gyre/))')"
verdict "the two sides of sync/ do not know each other" \
    "$(includes "${linux[@]}" | grep win32; includes "${win32[@]}" | grep linux)"
verdict "status.h, layout.h and atomic.h include no other public header" \
    "$(includes include/gyre/{status,layout,atomic}.h | grep '<gyre/')"
verdict "fast.h includes layout.h, status.h and atomic.h alone" \
    "$(includes_but "<stdint\.h>|<gyre/(layout|status|atomic)\.h>" include/gyre/fast.h)"
verdict "gyre.h includes status.h, inspect.h and fast.h alone" \
    "$(includes_but "<(stddef|stdint)\.h>|<gyre/(status|inspect|fast)\.h>" include/gyre/gyre.h)"
verdict "inspect.h includes status.h alone" \
    "$(includes_but "<stdint\.h>|<gyre/status\.h>" include/gyre/inspect.h)"
verdict "benches use the public headers" "$(includes bench/*.[ch] | grep -E '"(\.\./src/)?internal\.h"')"
verdict "sync/linux and sync/win32 hold the same file names" \
    "$(diff <(cd sync/linux && printf '%s\n' *) <(cd sync/win32 && printf '%s\n' *) |
        sed -n 's/^< \(.*\)/only in sync\/linux: \1/p; s/^> \(.*\)/only in sync\/win32: \1/p')"

# ---- the ordering argument ---------------------------------------------------------------------

# One `edge file:line` for each edge named in a comment behind code.
tags() {
    grep -HnE '[^[:space:]*/].*/\*.*\bE[0-9]+\b' "$@" | awk '{
        place = $0; sub(/^[^:]*:[^:]*/, "&\t", place); split(place, part, "\t")
        comment = $0; sub(/.*\/\*/, "", comment)
        while (match(comment, /E[0-9]+/)) {
            before = RSTART > 1 ? substr(comment, RSTART - 1, 1) : " "
            if (before !~ /[A-Za-z0-9_]/) print substr(comment, RSTART, RLENGTH), part[1]
            comment = substr(comment, RSTART + RLENGTH)
        }
    }'
}
rows=$(grep -oE '^ \*  E[0-9]+ ' include/gyre/fast.h | tr -d ' *' | sort -V)
accesses=$(tags include/gyre/fast.h src/*.c)
everywhere=$(tags "${product[@]}")

verdict "fast.h has a table of edges, each once" \
    "$([ -n "$rows" ] || echo "no rows"; uniq -d <<<"$rows")"
verdict "every edge tag has a row in the table" \
    "$(awk 'NR == FNR { row[$1]; next } !($1 in row)' <(echo "$rows") <(echo "$everywhere"))"
verdict "every row of the table has accesses at both ends" \
    "$(for row in $rows; do
        count=$(grep -cE "^$row " <<<"$accesses")
        [ "$count" -ge 2 ] || echo "$row: $count tagged places in fast.h and src/"
    done)"
# A statement that orders memory names an edge, itself or in the comment above, or says "no edge" and
# why.
verdict "every ordered access names its edge" \
    "$(awk '
        function judge() { if (statement !~ /E[0-9]+|no edge/) print place }
        FNR == 1 { above = ""; place = "" }
        place == "" && /gyre_(load_acquire|store_release|exchange|compare_exchange|or|and)_(32|64)\(|gyre_fence_(acquire|full)\(/ {
            statement = above ~ /;/ ? "" : above; place = FILENAME ":" FNR ":" $0
        }
        place != "" {
            statement = statement " " $0
            if ($0 ~ /[;{}]/) { judge(); place = "" }
        }
        { above = $0 }' include/gyre/fast.h src/*.c)"

# ---- headers -----------------------------------------------------------------------------------

verdict "no typedef of a struct in the public headers" "$(grep -nE 'typedef[[:space:]]+(struct|union|enum)' "${public[@]}")"

# compile NAME COMPILER... : each public header alone.
compile_each() {
    local name=$1 header
    shift
    verdict "$name" "$(for header in "${public[@]}"; do
        printf '#include <%s>\n' "${header#include/}" |
            "$@" -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only - 2>&1
    done)"
}
compile_each "public headers compile alone as C11, gcc" gcc -std=c11 -x c
compile_each "public headers compile alone as C11, clang" clang -std=c11 -x c
compile_each "public headers compile alone as C++17, gcc" g++ -std=c++17 -x c++
compile_each "public headers compile alone as C++17, clang" clang++ -std=c++17 -x c++
compile_each "public headers compile alone with builtin atomics, C11" gcc -std=c11 -DGYRE_ATOMIC_BUILTIN=1 -x c
compile_each "public headers compile alone with builtin atomics, C++17" \
    g++ -std=c++17 -DGYRE_ATOMIC_BUILTIN=1 -x c++
compile_each "public headers compile alone without inline functions" clang -std=c11 -DGYRE_NO_INLINE -x c
compile_each "public headers compile alone for Windows" \
    x86_64-w64-mingw32-gcc -std=c11 -DGYRE_ATOMIC_BUILTIN=1 -x c
if printf '#include <stdint.h>\n' | gcc -m32 -x c -fsyntax-only - 2>/dev/null; then
    compile_each "public headers and the layout's asserts hold for 32 bits" gcc -m32 -std=c11 -x c
else
    echo "ok - public headers and the layout's asserts hold for 32 bits # SKIP no 32-bit headers"
fi

# ---- size and shape ----------------------------------------------------------------------------

verdict "no source file over 400 lines, no header over 450" \
    "$(for file in "${product[@]}"; do
        lines=$(wc -l <"$file")
        limit=400
        [[ $file == *.h ]] && limit=450
        [ "$lines" -le $limit ] || echo "$file: $lines lines"
    done)"
verdict "no line over 100 columns" "$(grep -nE '^.{101,}' "${product[@]}" "${others[@]}" | cut -c1-120)"
verdict "no tab in C sources" "$(grep -nP '\t' "${product[@]}" "${others[@]}")"
verdict "nothing is left to do later" \
    "$(grep -nwE 'TODO|FIXME|XXX' "${product[@]}" "${others[@]}")"
verdict "no names head and tail for the ends of the ring" \
    "$(grep -nwE '(\w+_)?(head|tail)(_pos|_off|_idx)?' "${public[@]}" "${engine[@]}" "${linux[@]}" "${win32[@]}")"

# ---- symbols -----------------------------------------------------------------------------------

libraries=(build/*/libgyre.so)
for library in "${libraries[@]}"; do
    case $library in *asan* | *tsan* | *fuzz* | *coverage* | */afl/*) continue ;; esac
    verdict "$library exports nothing outside gyre_" \
        "$(nm -D --defined-only "$library" | awk '$3 !~ /^gyre_/ { print $3 }')"
done
[ ${#libraries[@]} -gt 0 ] || echo "ok - the shared library exports nothing outside gyre_ # SKIP not built"

exit $failed
