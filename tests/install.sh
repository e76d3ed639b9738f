#!/usr/bin/env bash
# install.sh - the installed library, as its users find it.  TAP lines.
#
# Usage: tests/install.sh native   after a build of the preset release
#        tests/install.sh mingw    after a build of the preset mingw, with WINEPREFIX set
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
kind=${1:?native or mingw}
case $kind in native) preset=release ;; *) preset=mingw ;; esac
work=$root/build/install-$kind
prefix=$work/prefix
failed=0

check() {
    local name=$1 log=$work/log status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    if [ $status -eq 0 ]; then
        echo "ok - $name"
    else
        cat "$log"
        echo "not ok - $name: status $status"
        failed=1
    fi
}

rm -rf "$work"
mkdir -p "$work/user"
cd "$work" || exit 1
cat >user/main.c <<'END'
#include <stdio.h>
#include <string.h>
#include <gyre/gyre.h>

int main(void)
{
    static uint32_t  size;
    /* Never called: the inline functions must link, in the library or in the program. */
    if (gyre_now_ns() == 0)
        return gyre_peek(NULL, &size) != NULL || gyre_claim(NULL, 1) != NULL;
    printf("%s %s\n", gyre_version(), gyre_status_name(GYRE_BUSY));
    return strcmp(gyre_version(), GYRE_VERSION_STRING);
}
END
cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
if(GYRE_SOURCE)
    add_subdirectory("${GYRE_SOURCE}" gyre)
    foreach(target gyre_test_support bench)
        if(TARGET ${target})
            message(FATAL_ERROR "a part of a larger project must not build tests")
        endif()
    endforeach()
else()
    find_package(gyre 0.1 REQUIRED)
endif()
add_executable(user main.c)
target_link_libraries(user PRIVATE gyre::gyre)
END

user() { # user DIRECTORY CMAKE-ARGUMENT...
    cmake -S user -B "$1" -G Ninja "${@:2}" && cmake --build "$1" --target user && "$1/user"
}

compile_by_pkg_config() { # compile_by_pkg_config OUTPUT PKG-CONFIG-ARGUMENT...
    local flags
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name gyre.pc)") pkg-config "${@:2}" gyre) || return
    # shellcheck disable=SC2086
    cc -std=c11 -Wall -Wextra -Werror user/main.c -o "$1" $flags
}

static_by_pkg_config() {
    local flags
    compile_by_pkg_config user-static --static --cflags --libs || return
    flags=$(readelf -d user-static) || return
    LD_LIBRARY_PATH=$libdir ./user-static
}

shared_by_pkg_config() {
    compile_by_pkg_config user-shared --cflags --libs && LD_LIBRARY_PATH=$libdir ./user-shared
}

check "install" cmake --install "$root/build/$preset" --prefix "$prefix"
if [ "$kind" = native ]; then
    libdir=$(dirname "$(find "$prefix" -name libgyre.a)")
    check "the command is installed" test -x "$prefix/bin/gyre"
    check "find_package, static" user by-package-static "-DCMAKE_PREFIX_PATH=$prefix"
    check "find_package, shared" user by-package-shared "-DCMAKE_PREFIX_PATH=$prefix" -DBUILD_SHARED_LIBS=ON
    check "add_subdirectory" user by-source "-DGYRE_SOURCE=$root"
    check "pkg-config, shared" shared_by_pkg_config
    check "pkg-config, static" static_by_pkg_config
else
    # Each in a file of its own: Wine may still hold the one of a program that has just ended.
    run_with_dll() { # run_with_dll PROGRAM GCC-ARGUMENT...
        local program=$prefix/bin/$1.exe
        x86_64-w64-mingw32-gcc -std=c11 -Wall -Wextra -Werror user/main.c -o "$program" \
            -isystem "$prefix/include/gyre-ck" -I"$prefix/include" "${@:2}" \
            -L"$prefix/lib" -lgyre || return
        echo "built"
        timeout 120 "${GYRE_WINE_PROGRAM:-/usr/lib/wine/wine64}" "$program"
    }
    check "the DLL, inline fast path" run_with_dll inline
    check "the DLL, exported fast path" run_with_dll exported -DGYRE_NO_INLINE
fi
exit $failed
