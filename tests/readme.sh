#!/usr/bin/env bash
# readme.sh - README.md tells the truth: its first C block is a program of at most 30 lines, and the
# first shell block behind it compiles and runs it.  TAP lines.  Needs a build of the preset release.
#
# The C block is saved as hello.c (or as NAME in ```c NAME) in an empty directory; the shell block
# runs there with `pkg-config gyre` and the gyre command at hand.  If a text block follows, it is the
# expected output.
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/build/readme
failed=0
say() { # say STATUS NAME
    [ "$1" -eq 0 ] && echo "ok - $2" && return
    echo "not ok - $2"
    failed=1
}

rm -rf "$work"
mkdir -p "$work/run"
cd "$work/run" || exit 1
cmake --install "$root/build/release" --prefix "$work/prefix" >/dev/null || exit 1
awk -v dir="$work" '
    /^```/ && inside { close(file); inside = 0; next }
    /^```c( |$)/ && !seen_c { name = $2 == "" ? "hello.c" : $2; file = dir "/run/" name; inside = seen_c = 1; next }
    /^```(sh|bash|console)( |$)/ && seen_c && !seen_sh { file = dir "/steps"; inside = seen_sh = 1; next }
    /^```text( |$)/ && seen_sh && !seen_text { file = dir "/expected"; inside = seen_text = 1; next }
    inside { print > file }' "$root/README.md"

source=$(ls "$work/run")
[ -n "$source" ] && [ "$(wc -l <"$source")" -le 30 ]
say $? "the example in README.md has at most 30 lines"

sed -i 's/^\$ //' "$work/steps" 2>/dev/null
libdir=$(dirname "$(find "$work/prefix" -name libgyre.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir PATH=$work/prefix/bin:$PATH
[ -s "$work/steps" ] && timeout 60 bash -euo pipefail "$work/steps" >"$work/output" 2>"$work/errors"
say $? "the example in README.md compiles and runs as it says"
cat "$work/output" "$work/errors" 2>/dev/null
if [ -e "$work/expected" ]; then
    diff -u "$work/expected" "$work/output"
    say $? "the example in README.md prints what it says"
fi
exit $failed
