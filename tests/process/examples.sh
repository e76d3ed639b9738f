#!/usr/bin/env bash
# examples.sh - the programs of examples/ do what they say, fed by the gyre command.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/tap.sh"

trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tap_dir"' EXIT
prefix=examples.$$

built() { # built NAME: or says that it is left out
    [ -x "$GYRE_BUILD/examples/$1$exe" ] || {
        skip "the example $1 works" "it is not built here"
        return 1
    }
}

example() { # example NAME ARGUMENT...
    timeout 60 ${GYRE_RUN:+"$GYRE_RUN"} "$GYRE_BUILD/examples/$1$exe" "${@:2}"
}

publish() { # publish RING LINE...: when there is somebody to read them
    printf '%s\n' "${@:2}" | gyre pub "$1" --subscribers 1 >/dev/null 2>&1
}

# printed NAME LINE...: the file out holds these lines, in any order, and perhaps a timer's.
printed() {
    if diff <(tr -d '\r' <out | grep -v '^timer$' | sort) <(printf '%s\n' "${@:2}" | sort) >&2; then
        pass "$1"
    else
        fail "$1" "see the difference above"
    fi
}

if built wait_any; then
    example wait_any "$prefix.a" "$prefix.b" >out 2>err </dev/null &
    reader=$!
    publish "$prefix.b" one two &
    publish "$prefix.a" three
    check "wait_any ends when its rings are closed" wait "$reader"
    printed "wait_any prints the messages of all rings" \
        "$prefix.a: three" "$prefix.b: one" "$prefix.b: two"
fi
if built epoll; then
    echo typed | example epoll "$prefix.epoll" >out 2>err &
    reader=$!
    { # the ring is there and empty until what was typed has been read
        for ((i = 0; i < 1000; i++)); do
            grep -q typed out && break
            sleep 0.02
        done
        printf '%s\n' one two
    } | gyre pub "$prefix.epoll" >/dev/null 2>&1
    check "epoll ends when its ring is closed" wait "$reader"
    printed "epoll prints what comes from the ring and from stdin" \
        "stdin: typed" "ring: one" "ring: two"
fi
if built group; then
    example group "$prefix.group" workers >out.1 2>err.1 </dev/null &
    reader=$!
    example group "$prefix.group" workers >out.2 2>err.2 </dev/null &
    second=$!
    seq 1 1000 | gyre pub "$prefix.group" --subscribers 2 >/dev/null 2>&1
    check "group ends when its ring is closed" wait "$reader"
    check "and so does its mate" wait "$second"
    cat out.1 out.2 >out
    # shellcheck disable=SC2046
    printed "each job is done by one of the two" $(seq 1 1000)
fi
for name in libuv message_loop; do
    built $name || continue
    example $name "$prefix.$name" >out 2>err </dev/null &
    reader=$!
    publish "$prefix.$name" one two
    check "$name ends when its ring is closed" wait "$reader"
    printed "$name prints what comes from the ring" "ring: one" "ring: two"
done
finish
