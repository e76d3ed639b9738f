#!/usr/bin/env bash
# shipped.sh - nothing of the tests' fault points (src/fault.h) is in what is shipped: the objects of
# the libraries and of the command hold neither the hook's symbol nor the name of a point.  That the
# look sees them is shown by the library that has them.
set -uo pipefail

build=${GYRE_BUILD:?the build directory}
nm=nm
[ -z "${GYRE_WINE:-}" ] || nm=x86_64-w64-mingw32-nm
failed=0
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 1
points=$(grep -oE 'X\([a-z]+_[a-z_]+\)' src/fault.h | tr -d 'X()')

# traces FILE: what of the fault points is in it.
traces() {
    "$nm" "$1" 2>/dev/null | grep -oE '[A-Za-z_]*(fault_hook|faults_arm)[A-Za-z_]*'
    strings -a "$1" | grep -xF -e fault -e "$points"
}

for file in "$build"/libgyre.a "$build"/libgyre.so.*.*.* "$build"/libgyre.dll "$build"/libgyre-*.dll \
    "$build"/gyre "$build"/gyre.exe; do
    [ -e "$file" ] || continue
    found=$(traces "$file" | sort -u | tr '\n' ' ')
    if [ -z "$found" ]; then
        echo "ok - shipped: no fault point in $(basename "$file")"
    else
        echo "not ok - shipped: $(basename "$file") holds $found"
        failed=1
    fi
done

found=$(traces "$build/tests/libgyre_faults.a" | sort -u | wc -l)
if [ "$found" -ge 32 ]; then
    echo "ok - shipped: the tests' own library has $found of them, and that is seen"
else
    echo "not ok - shipped: of what the tests' own library has, $found are seen"
    failed=1
fi
exit $failed
