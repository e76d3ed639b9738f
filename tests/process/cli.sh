#!/usr/bin/env bash
# cli.sh - the command as its users meet it: pipelines, exit codes, what it says when it fails.
# Nothing here sleeps to let something happen: a tap that asks for no message (`tail -n 0`) waits
# for a ring, --subscribers for consumers, and a FIFO holds a producer's input open.  Its writing end
# is descriptor 3, which no other process may inherit: hence the 3>&- behind each of them.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/tap.sh"

run=(${GYRE_RUN:+"$GYRE_RUN"} "$GYRE_BIN")
gyre() {
    "${run[@]}" "$@" 3>&- 4<&-
}
prefix=cli.$$
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tap_dir"' EXIT

ring_count=0
new_ring() { # a name that nobody else uses, in $ring
    ring_count=$((ring_count + 1))
    ring=$prefix.$ring_count
}

# ended NAME WANTED PID: the background process ends with that code.
ended() {
    local got=0
    wait "$3" || got=$?
    if [ "$got" -eq "$2" ]; then pass "$1"; else fail "$1" "status $got, not $2"; fi
}

# await COMMAND...: until it succeeds; for what only a look can tell.
await() {
    local end=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $end ] || { fail "waited in vain for: $*"; return; }
    done
}

seat_taken() {
    gyre stat "$ring" | grep -q reliable
}

published() {
    gyre stat "$ring" --json | grep -q "\"next_seq\":$1,"
}

is_stuck() { # a full ring of 4 KiB, and nobody moves
    local before after
    before=$(gyre stat "$ring" --json 2>/dev/null)
    after=$(gyre stat "$ring" --json 2>/dev/null)
    grep -qE '"lag_bytes":[34][0-9]{3},' <<<"$after" && test "$after" = "$before"
}

has_lines() {
    [ "$(wc -l <"$1")" -ge "$2" ]
}

same() { # same NAME FILE WANTED
    if cmp "$2" "$3" >&2; then pass "$1"; else fail "$1" "$2 is not $3"; fi
}

has() { # has NAME FILE PATTERN
    if grep -qE -- "$3" "$2"; then
        pass "$1"
    else
        fail "$1" "no '$3' in: $(head -c 300 "$2" | tr '\r\n' ' |')"
    fi
}

# says NAME STATUS PATTERN ARGUMENT...: ends with that status and one line that matches on stderr.
says() {
    local name=$1 wanted=$2 pattern=$3 got=0
    shift 3
    gyre "$@" >out 2>err </dev/null || got=$?
    if [ "$got" -ne "$wanted" ]; then
        fail "$name" "status $got, not $wanted: $(cat err)"
    else
        has "$name" err "$pattern"
    fi
}

# pass_through NAME IN WANTED PUB_OPTIONS SUB_OPTIONS: what one sub writes of what pub read.
pass_through() {
    new_ring
    # shellcheck disable=SC2086
    "${run[@]}" sub "$ring" $5 >out 2>err &
    local sub=$!
    # shellcheck disable=SC2086
    gyre pub "$ring" --subscribers 1 $4 <"$2" || fail "$1: pub" "status $?"
    ended "$1: ends with the producer" 0 $sub
    same "$1" out "$3"
}

test_pipelines() {
    local pids=() i code=0
    new_ring
    printf 'first\n\n  spaces kept \nlast, without a newline' >in
    for i in 1 2 3; do
        "${run[@]}" sub "$ring" >"out.$i" &
        pids+=($!)
    done
    gyre pub "$ring" --subscribers 3 <in || code=$?
    check "pub ends with 0" test $code -eq 0
    { cat in && echo; } >wanted
    for i in 1 2 3; do
        ended "sub $i ends with 0 when the producer closes" 0 "${pids[i - 1]}"
        same "sub $i has every line, and a newline behind the last" "out.$i" wanted
    done

    : >empty
    pass_through "no input is no message" empty empty "" ""
    printf '\n' >in
    pass_through "an empty line is an empty message" in in "" ""
    printf 'crlf\r\nnul \0 and \032\n\377\n' >in
    pass_through "bytes are not touched" in in "" ""
    { printf 'short\n'; head -c 1500000 /dev/zero | tr '\0' x; printf '\nshort\n'; } >in
    pass_through "a line longer than a read" in in "" ""
    seq 1 200000 >in
    pass_through "a ring much smaller than the input" in in "--capacity 4K --align 8" ""
    pass_through "--strict-wake" in in "--strict-wake --seats 3" ""
    head -c 100003 /dev/urandom >in
    pass_through "raw blocks, the last one shorter" in in "--size 1000" "--raw"
    pass_through "blocks of one byte" in in "--size 1" "--raw"
    pass_through "blocks as large as the ring takes" in in "--size 2040 --capacity 4K" "--raw"
    printf 'abcdefg' >in
    printf 'abc\ndef\ng\n' >wanted
    pass_through "a newline behind each block" in wanted "--size=3" ""
}

test_prompt() {
    local line pub sub tap
    new_ring
    mkfifo feed drain
    "${run[@]}" pub "$ring" --subscribers 1 <feed &
    pub=$!
    exec 3>feed
    "${run[@]}" tail "$ring" --from oldest -n 1 >out.tap 3>&- &
    tap=$!
    gyre tail "$ring" -n 0
    "${run[@]}" sub "$ring" >drain 3>&- &
    sub=$!
    exec 4<drain
    echo one >&3
    IFS= read -r -t 60 line <&4
    check "a line comes out while its writer stays silent" test "$line" = one
    printf 'half a ' >&3
    printf 'line\nnext\n' >&3
    IFS= read -r -t 60 line <&4
    check "a line in two pieces is one message" test "$line" = "half a line"
    IFS= read -r -t 60 line <&4
    says "a second producer is refused" 1 "another process publishes" pub "$ring"
    gyre stat "$ring" >stat
    has "stat names the producer" stat '^producer +process [0-9]+'
    has "stat groups digits" stat '^capacity +4,194,304 bytes'
    has "stat shows the seat" stat '^ +0  reliable  (asleep|awake)'
    gyre stat "$ring" --json >stat
    has "stat --json is one object" stat \
        '^\{"name":"'"$ring"'",.*"next_seq":3,.*"seats":\[\{"seat_idx":0,"kind":"reliable".*,"group":null\}\],"groups":\[\]\}$'
    gyre list >names
    has "list names the ring" names "^$ring\$"
    gyre list --json >names
    has "list --json makes an object a line" names "^\{\"name\":\"$ring\"\}\$"
    [ -n "${GYRE_WINE:-}" ] || says "rm leaves an open ring" 1 "$ring: .*has it open" rm "$ring"
    exec 3>&-
    ended "pub ends with its input" 0 $pub
    ended "sub ends with the producer" 0 $sub
    ended "tail ends after -n messages" 0 $tap
    echo one >wanted
    same "tail saw the first message" out.tap wanted
    exec 4<&-
    rm feed drain
}

# open_producer OPTIONS LINE...: one that published the lines and waits for more from descriptor 3.
open_producer() { # sets $pub
    mkfifo feed
    # shellcheck disable=SC2086
    "${run[@]}" pub "$ring" $1 <feed &
    pub=$!
    exec 3>feed
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" >&3
    gyre tail "$ring" -n 0
    [ $# -eq 0 ] || await published $#
}

close_producer() {
    exec 3>&-
    ended "$1: pub ends" 0 $pub
    rm feed
}

test_starts() {
    local sub
    new_ring
    open_producer "" zero one two three
    printf '%s\n' zero one two three >wanted
    gyre sub "$ring" --from oldest -n 4 >out
    same "--from oldest" out wanted
    printf 'two\nthree\n' >wanted
    gyre sub "$ring" --from=2 -n2 >out
    same "--from a number, -n2" out wanted
    says "--from a message not yet published" 2 "--from 9: .*not published yet" sub "$ring" --from 9
    gyre sub "$ring" -n 0 >out
    check "-n 0 joins and leaves" test ! -s out
    "${run[@]}" sub "$ring" --from newest -n 1 >out 3>&- &
    sub=$!
    await seat_taken
    echo four >&3
    ended "--from newest ends" 0 $sub
    echo four >wanted
    same "--from newest" out wanted
    close_producer "starts"
}

test_gaps() {
    local kind line lost sub
    for kind in "sub --lossy" tail; do
        new_ring
        open_producer "--capacity 4K"
        mkfifo drain
        # shellcheck disable=SC2086
        "${run[@]}" ${kind% *} "$ring" ${kind#"${kind% *}"} --from oldest >drain 2>err 3>&- &
        sub=$!
        exec 4<drain
        echo start >&3
        IFS= read -r -t 60 line <&4
        # It can pass on no more than its buffer and the pipe's hold; pub does not wait for it.
        seq 1 300000 >&3
        close_producer "$kind"
        cat <&4 >rest
        ended "$kind: a gap seen is told by the exit code" 6 $sub
        exec 4<&-
        has "$kind: a gap is told on stderr" err \
            '^gyre: gap: [0-9]+ messages lost before message [0-9]+'
        lost=$(awk '/^gyre: gap: / { sum += $3 } END { print sum + 0 }' err)
        check "$kind: lines and gaps account for every message" \
            test $(($(wc -l <rest) + lost)) -eq 300000
        check "$kind: no line is damaged" \
            awk '!/^[0-9]+$/ || $0 <= last { exit 1 } { last = $0 + 0 }' rest
        rm drain
    done
    new_ring
    open_producer "--capacity 4K" $(seq 1 1000)
    says "a start that is gone is a gap" 6 '^gyre: gap: [0-9]+ messages lost before' \
        sub "$ring" --from 0 -n 1
    lost=$(awk '/^gyre: gap: / { print $3 }' err)
    check "the gap's size says what comes next" test "$(cat out)" = $((lost + 1))
    close_producer "gone"
}

test_limits() {
    new_ring
    { echo good; head -c 2041 /dev/zero | tr '\0' x; echo; echo after; } >in
    head -c 2040 /dev/zero | tr '\0' y >>in
    local code=0
    "${run[@]}" sub "$ring" >out &
    local sub=$!
    gyre pub "$ring" --capacity 4K --subscribers 1 <in 2>err || code=$?
    check "a line over the limit ends pub with 1" test $code -eq 1
    has "and is named with its size" err \
        "^gyre: pub: $ring: line 2 has 2041 bytes, the ring carries at most 2040"
    ended "sub ends" 0 $sub
    echo good >wanted
    same "what was before it is published" out wanted

    new_ring
    "${run[@]}" sub "$ring" >out &
    sub=$!
    code=0
    gyre pub "$ring" --capacity 4K --subscribers 1 --on-error skip <in 2>err || code=$?
    check "--on-error skip ends with 0" test $code -eq 0
    has "and names the line" err 'line 2 has 2041 bytes.*skipped'
    ended "sub ends after a skipped line" 0 $sub
    { echo good; echo after; head -c 2040 /dev/zero | tr '\0' y; echo; } >wanted
    same "all other lines are published, up to the limit" out wanted

    { echo one; head -c 3000000 /dev/zero; printf '\ntwo'; } >in
    new_ring
    "${run[@]}" sub "$ring" >out &
    sub=$!
    gyre pub "$ring" --capacity 64K --subscribers 1 --on-error skip <in 2>err
    has "a line that fits in no buffer is named" err 'line 2 has 3000000 bytes'
    ended "sub ends after it" 0 $sub
    printf 'one\ntwo\n' >wanted
    same "and only that line is missing" out wanted
    says "a block over the limit" 2 "--size 2041: .*at most 2040" \
        pub "$ring" --capacity 4K --size 2041
}

test_deaths() {
    new_ring
    open_producer "--subscribers 2"
    "${run[@]}" sub "$ring" >out 2>err 3>&- &
    local sub=$!
    "${run[@]}" sub "$ring" --follow >out.follow 2>err.follow 3>&- &
    local follow=$!
    echo before >&3
    await published 1
    kill -9 $pub
    wait $pub 2>/dev/null
    exec 3>&-
    rm feed
    ended "sub ends with 1 when the producer dies" 1 $sub
    has "and says so" err "$ring: the producer died"
    echo before >wanted
    same "after what was published" out wanted
    echo after | gyre pub "$ring" --subscribers 1
    check "a new producer goes on" test $? -eq 0
    echo again | gyre pub "$ring"
    gyre sub "$ring" --from 2 --follow -n 1 >out
    echo again >wanted
    same "the numbers go on" out wanted
    open_producer "" # with this one open, --follow cannot have ended
    echo last >&3
    await has_lines out.follow 4
    kill -9 $follow
    wait $follow 2>/dev/null
    printf '%s\n' before after again last >wanted
    same "--follow goes on with the next producers" out.follow wanted
    has "--follow tells of the death" err.follow 'the producer died'
    close_producer "deaths"
}

is_member_stuck() { # on its way to a full pipe with its claim of 8 messages, and nobody else moves
    local before after
    before=$(gyre stat "$ring" --json 2>/dev/null)
    after=$(gyre stat "$ring" --json 2>/dev/null)
    grep -qE '"lag_bytes":512,.*"groups":.*"next_seq":[0-9]{4}' <<<"$after" &&
        test "$after" = "$before"
}

group_has() { # group_has PATTERN: in what stat --json says of the groups
    gyre stat "$ring" --json | sed 's/.*"groups"//' | grep -qE "$1"
}

test_groups() {
    local one two i
    new_ring
    seq 1 20000 >in
    "${run[@]}" sub "$ring" --group work >out.1 2>err.1 &
    one=$!
    "${run[@]}" sub "$ring" --group work --claim 16 >out.2 2>err.2 &
    two=$!
    gyre pub "$ring" --capacity 4K --subscribers 2 <in
    ended "the first of a group ends with the producer" 0 $one
    ended "the second of a group ends with the producer" 0 $two
    sort -n out.1 out.2 >out
    same "two of a group share the lines, each is written once" out in
    check "and none is told as redelivered" test ! -s err.1 -a ! -s err.2

    # A pipe holds less than that, so the first of the two is killed with messages it cannot write.
    new_ring
    seq 1 30000 >in
    open_producer ""
    mkfifo drain
    "${run[@]}" sub "$ring" --group work --claim 8 >drain 3>&- &
    one=$!
    exec 4<drain
    await group_has work
    cat in >&3
    await published 30000
    await is_member_stuck
    gyre stat "$ring" >stat
    has "stat shows a group" stat '^reliable +no +1 +0 +[0-9,]{5,} +0 +0 +work'
    has "stat shows what a member has claimed" stat '^ +0  reliable .* 512 .* work'
    gyre stat "$ring" --json >stat
    has "stat --json shows both" stat '"lag_bytes":512,.*,"group":"work"\}\],"groups":\[\{"name":'\
'"work","kind":"reliable","keep":false,"member_count":1,"orphan_count":0,"next_seq":[0-9]+,'
    "${run[@]}" sub "$ring" --group work >out.2 2>err.2 3>&- 4<&- &
    two=$!
    await group_has '"member_count":2,'
    kill -9 $one
    wait $one 2>/dev/null
    cat <&4 >out.1
    exec 4<&-
    await group_has '"member_count":1,"orphan_count":0,.*"redelivered_count":1\}'
    close_producer "a group"
    ended "who is left of a group ends with the producer" 0 $two
    check "both wrote some" test -s out.1 -a -s out.2
    sort -nu out.1 out.2 >out
    same "nothing is lost when one of a group is killed" out in
    sed -n 's/^gyre: redelivered: message //p' err.2 | awk '{ print $1 + 1 }' >redelivered
    check "what it had claimed is redelivered" test "$(wc -l <redelivered)" -eq 8
    check "and told as such, as is every line that came twice" \
        test -z "$(sort out.1 out.2 | uniq -d | sort - redelivered redelivered | uniq -u)"
    rm drain
}

test_groups_kept() {
    local i lost
    new_ring
    open_producer "" zero one
    gyre sub "$ring" --group kept --keep-group --from 1 -n 0 || fail "a kept group" "status $?"
    printf 'two\nthree\n' >&3
    await published 4
    check "a kept group stays without members" group_has '"kept",.*"keep":true,"member_count":0,'
    gyre sub "$ring" --group kept --keep-group --claim 2 -n 1 >out
    gyre sub "$ring" --group kept --keep-group --claim 9 -n 2 >>out 2>err
    printf '%s\n' one two three >wanted
    same "and goes on where the last one left it" out wanted
    check "--claim takes no more than -n" test ! -s err
    says "a group of another kind" 1 "--group kept: .*without --lossy \(field kind\)" \
        sub "$ring" --group kept --keep-group --lossy
    says "a group with other flags" 1 "--group kept: .*with --keep-group \(field group_flags\)" \
        sub "$ring" --group kept
    for i in $(seq 2 16); do
        gyre sub "$ring" --group "kept.$i" --keep-group -n 0
    done
    says "a group too many" 1 "--group more: .*no place for another group" sub "$ring" --group more
    close_producer "kept"

    new_ring
    open_producer "--capacity 4K" start
    gyre sub "$ring" --lossy --group lossy --keep-group -n 0
    says "a lossy group" 1 "--group lossy: .*with --lossy \(field kind\)" \
        sub "$ring" --group lossy --keep-group
    seq 1 1000 >&3
    await published 1001
    says "a lossy group tells of a gap" 6 '^gyre: gap: [0-9]+ messages lost before' \
        sub "$ring" --lossy --group lossy --keep-group -n 1
    lost=$(awk '/^gyre: gap: / { print $3 }' err)
    check "and counts it" test "$(cat out)" = $((lost + 1))
    close_producer "lossy"
}

test_codes() {
    new_ring
    says "stat of no ring" 3 "^gyre: stat: $ring: no ring has this name" stat "$ring"
    says "rm of no ring" 3 "^gyre: rm: $ring: no ring has this name" rm "$ring"
    says "sub --timeout" 5 "^gyre: sub: $ring: .*in time" sub "$ring" --timeout 20ms
    says "tail --timeout 0" 5 "^gyre: tail: $ring: .*in time" tail "$ring" --timeout 0
    says "pub --subscribers --timeout" 5 "^gyre: pub: $ring: .*--subscribers" \
        pub "$ring" --subscribers 1 --timeout=0.02s
    says "--subscribers over the seats" 2 "--subscribers 4: .* 3 seats" \
        pub "$ring" --seats 3 --subscribers 4
    says "no verb" 2 "verb is missing"
    says "unknown verb" 2 "^gyre: publish: unknown verb" publish x
    says "unknown option" 2 "^gyre: pub: --capcity=4M: unknown option" pub x --capcity=4M
    says "unknown letter" 2 "^gyre: sub: -x: unknown option" sub x -x
    says "no name" 2 "^gyre: sub: NAME: .*missing" sub
    says "two names" 2 "^gyre: sub: y: " sub x y
    says "a name for list" 2 "^gyre: list: x: " list x
    says "a mode with too many rights" 2 "^gyre: pub: x: --mode 0666: .*0644" pub x --mode 0666
    says "a mode that is none" 2 "^gyre: pub: --mode 9: not a mode" pub x --mode 9
    says "an unknown scope" 2 "^gyre: tail: --scope all: neither" tail x --scope all
    says "an unknown owner" 2 "^gyre: tail: x: --owner no.body: .*a user" tail x --owner no.body
    if [ -n "${GYRE_WINE:-}" ]; then
        says "a mode on Windows" 1 "^gyre: pub: x: --mode 0640: .*cannot do that" pub x --mode 0640
        says "a bad SDDL" 2 "^gyre: pub: x: --sddl nonsense: " pub x --sddl nonsense
    else
        says "an SDDL on Linux" 1 "^gyre: pub: x: --sddl D:: .*cannot do that" pub x --sddl D:
        says "advice where memory is used up" 1 "^gyre: advice: " pub "$ring" --capacity 1T
    fi
    says "bad name" 2 "^gyre: pub: no/slash: .*1 to 100 of" pub no/slash
    says "bad name behind --" 2 "^gyre: stat: -x: .*none of \. - first" stat -- -x
    says "an empty name" 2 "^gyre: rm: \"\": .*1 to 100 of" rm ""
    says "an empty name of a group" 2 "^gyre: sub: x: --group \"\": .*1 to 31 of" sub x --group ""
    says "a word behind --version" 2 "^gyre: extra: " --version extra
    says "a value is missing" 2 "^gyre: sub: -n COUNT: .*missing" sub x -n
    says "a flag with a value" 2 "^gyre: sub: --raw=1: .*no value" sub x --raw=1
    says "capacity is no size" 2 "^gyre: pub: --capacity 4Q: not a size" pub x --capacity 4Q
    says "capacity is no power of two" 2 "^gyre: pub: x: --capacity 5000: .*power of two" \
        pub x --capacity 5000
    says "capacity too large" 2 "--capacity 2T: " pub x --capacity 2T
    says "capacity overflows" 2 "--capacity 99999999999T: " pub x --capacity 99999999999T
    says "capacity zero" 2 "--capacity 0: .*zero" pub x --capacity 0
    says "bad align" 2 "--align 7: .*8, 16, 32 or 64" pub x --align 7
    says "bad seats" 2 "--seats 256: 1 to 255" pub x --seats 256
    says "bad count" 2 "--count many: not a whole number" sub x --count many
    says "bad start" 2 "--from first: neither" sub x --from first
    says "bad duration" 2 "--timeout 1.x: not a duration" sub x --timeout 1.x
    says "--claim without a group" 2 "^gyre: sub: --claim: without --group" sub x --claim 2
    says "--claim of nothing" 2 "--claim 0: .*zero" sub x --group g --claim 0
    says "--keep-group without a group" 2 "^gyre: sub: --keep-group: without --group" \
        sub x --keep-group
    says "a tap in a group" 2 "^gyre: tail: --group: unknown option" tail x --group g
    says "bad name of a group" 2 "^gyre: sub: x: --group no/slash: .*1 to 31" \
        sub x --group no/slash
    says "long name of a group" 2 "--group g{32}: " sub x --group "$(printf 'g%.0s' {1..32})"
    says "bad --on-error" 2 "--on-error retry: neither" pub x --on-error retry
    says "--timeout for nothing" 2 "--timeout: without --subscribers" pub x --timeout 1
}

test_help() {
    local verb
    gyre --version >out
    has "--version" out '^gyre [0-9]+\.[0-9]+\.[0-9]+'
    gyre --help >out
    check "--help ends with 0" test $? -eq 0
    for verb in pub sub tail stat list rm doctor; do
        has "--help lists $verb" out "^  $verb "
        gyre "$verb" --help >out.verb
        has "$verb --help" out.verb "^usage: gyre $verb"
        gyre help "$verb" >out.help
        same "help $verb is the same" out.help out.verb
        has "$verb --help has the exit codes" out.verb '^  130 '
    done
    says "help of no verb" 2 "^gyre: help: nothing: unknown verb" help nothing
    has "and where there is some" err '^Try "gyre help"\.'
}

# What needs signals, permissions and rings that outlive their processes.
test_native() {
    local sub code=0
    new_ring
    seq 1 100000 >in
    { "${run[@]}" sub "$ring"; echo $? >code; } | head -n 1 >out &
    sub=$!
    gyre pub "$ring" --subscribers 1 <in
    wait $sub
    echo 1 >wanted
    same "head has its line" out wanted
    echo 0 >wanted
    same "a reader that leaves ends sub with 0" code wanted
    gyre help | true
    check "a reader that leaves ends help with 0" test "${PIPESTATUS[0]}" -eq 0
    gyre list >/dev/null
    gyre --version >/dev/full 2>err || code=$?
    check "a full device is an error" test $code -eq 1
    has "and is named" err 'stdout'

    new_ring
    open_producer "" one two
    code=0
    gyre sub "$ring" --group g --keep-group --from oldest >/dev/full 2>err || code=$?
    check "a group's line that cannot be written is an error" test $code -eq 1
    gyre sub "$ring" --group g --keep-group -n 2 >out 2>err
    printf 'one\ntwo\n' >wanted
    same "and goes to the next member" out wanted
    has "which is told so" err '^gyre: redelivered: message 0'
    rm code
    { "${run[@]}" sub "$ring" --group g --keep-group 3>&-; echo $? >code; } | head -n 1 >out &
    sub=$!
    await group_has '"member_count":1,'
    printf 'three\n' >&3
    await has_lines out 1
    until [ -s code ]; do echo more; done >&3
    wait $sub
    close_producer "full"
    echo 0 >wanted
    same "a reader that leaves ends a member with 0" code wanted

    new_ring
    printf 'one\ntwo\n' | gyre pub "$ring" --keep
    gyre sub "$ring" --from oldest >out
    printf 'one\ntwo\n' >wanted
    same "--keep keeps a ring without a process" out wanted
    gyre stat "$ring" >out
    has "stat of a closed ring" out '^state +closed'
    has "stat counts evictions" out '^evicted +0 seats'
    # The second message's header: byte 64 of the ring, which begins at byte 4096 of DATA.
    printf 'garbage!' | dd of="${GYRE_DIR:-/dev/shm/gyre-$(id -u)}/$ring.data" bs=1 seek=4160 conv=notrunc status=none
    says "corrupt bytes are told with their place" 1 "at byte 64 before message 1" \
        sub "$ring" --from oldest
    says "a flag that the ring has not" 1 "$ring: --strict-wake: .*exists" \
        pub "$ring" --keep --strict-wake
    says "another capacity" 1 "--capacity 8K: .*exists" pub "$ring" --capacity 8K
    check "rm" gyre rm "$ring"
    says "rm was done" 3 "no ring" stat "$ring"
    new_ring
    open_producer ""
    check "rm --force removes an open ring" gyre rm "$ring" --force
    close_producer "forced"
    test_closed_streams
    mkdir open && chmod 777 open
    GYRE_DIR=$tap_dir/open says "an open directory is not trusted" 4 "refuses access" pub x
    check "for which no call is blamed that did not fail" test "$(grep -c ', code' err)" -eq 0
}

test_closed_streams() {
    local code=0 dir=${GYRE_DIR:-/dev/shm/gyre-$(id -u)}
    new_ring
    echo one | gyre pub "$ring" --keep
    gyre sub "$ring" --from oldest <&- >&- 2>&- || code=$?
    check "a closed stdout is an error" test $code -eq 1
    check "of which nothing is written into the ring's files" test ! -s "$dir/$ring.lock"
    code=0
    gyre pub "$ring" <&- 2>err || code=$?
    check "a closed stdin is an error" test $code -eq 1
    has "and is named" err "stdin cannot be read"
    gyre rm "$ring"
}

# bash starts its jobs with SIGINT ignored, and so does whatever they start.
catches_int() { # the process has a handler for SIGINT
    local caught
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") && ((0x$caught & 2))
}

test_interrupts() {
    local pid line
    new_ring
    mkfifo feed drain
    env --default-signal=INT "${run[@]}" pub "$ring" --keep <feed &
    pid=$!
    exec 3>feed
    printf 'one\ntwo\nunfinished' >&3
    gyre tail "$ring" -n 0
    await published 2
    kill -INT $pid
    ended "Ctrl-C ends pub with 130" 130 $pid
    exec 3>&-
    rm feed
    gyre sub "$ring" --from oldest >out
    printf 'one\ntwo\n' >wanted
    same "what was whole is published, and the ring closed" out wanted
    gyre rm "$ring"

    open_producer ""
    env --default-signal=INT "${run[@]}" sub "$ring" --from oldest >drain 3>&- &
    pid=$!
    exec 4<drain
    echo hello >&3
    IFS= read -r -t 60 line <&4
    kill -INT $pid
    ended "Ctrl-C ends sub with 130" 130 $pid
    gyre stat "$ring" >stat
    has "and frees its seat" stat '^0 of 63 seats'
    close_producer "interrupts"
    exec 4<&-

    new_ring
    env --default-signal=INT "${run[@]}" pub "$ring" --subscribers 1 </dev/null 3>&- &
    pid=$!
    gyre tail "$ring" -n 0
    kill -INT $pid
    ended "Ctrl-C ends a wait for subscribers" 130 $pid
    new_ring
    env --default-signal=INT "${run[@]}" sub "$ring" 3>&- &
    pid=$!
    await catches_int $pid
    kill -INT $pid
    ended "Ctrl-C ends a wait for the ring" 130 $pid

    new_ring
    mkfifo feed
    exec 4<>drain # so that opening it waits for nobody, and nobody reads it
    env --default-signal=INT "${run[@]}" sub "$ring" >drain &
    pid=$!
    yes >feed 4<&- &
    env --default-signal=INT "${run[@]}" pub "$ring" --capacity 4K --subscribers 1 <feed &
    pub=$!
    await is_stuck
    kill -INT $pub
    ended "Ctrl-C ends a wait for room" 130 $pub
    kill -INT $pid
    ended "Ctrl-C ends a write that nobody reads" 130 $pid
    exec 4<&-
}

test_standby() {
    local standby
    new_ring
    open_producer --keep one two
    printf '%s\n' three four >in
    "${run[@]}" pub "$ring" --standby <in 3>&- &
    standby=$!
    says "a standby can be had" 1 "another process publishes .*--standby" pub "$ring"
    check "a standby waits for its turn" published 2
    kill -KILL $pub
    ended "a standby goes on where a producer was killed" 0 $standby
    exec 3>&-
    rm feed
    gyre sub "$ring" --from oldest >out
    printf '%s\n' one two three four >wanted
    same "everything of both producers is there" out wanted
    gyre rm "$ring"
}

# doctor_says NAME STATUS PATTERN ARGUMENT...: in a directory of rings of its own.
doctor_says() {
    local name=$1 wanted=$2 pattern=$3 got=0
    shift 3
    gyre doctor "$@" >out 2>err </dev/null || got=$?
    if [ "$got" -ne "$wanted" ]; then
        fail "$name" "status $got, not $wanted: $(cat out err)"
    else
        has "$name" out "$pattern"
    fi
}

# kill_producer: as it is killed with its whole pipeline; the ring stays, and so does a consumer.
kill_producer() {
    kill -KILL $pub
    wait $pub 2>/dev/null
    exec 3>&-
    rm feed
}

test_doctor() {
    local sub stale kept used file GYRE_DIR
    GYRE_DIR=$(mktemp -d /dev/shm/gyre-doctor.XXXXXX)
    export GYRE_DIR
    doctor_says "an empty directory has nothing to mend" 0 '^nothing to mend$'
    new_ring
    stale=$ring
    open_producer "" one
    kill_producer
    new_ring
    kept=$ring
    echo one | gyre pub "$kept" --keep --capacity 16M
    # In use: its producer died, and one of its two consumers.
    new_ring
    used=$ring
    open_producer "--subscribers 2"
    "${run[@]}" sub "$used" --follow >out.follow 2>err 3>&- &
    sub=$!
    await seat_taken
    "${run[@]}" sub "$used" >out.dead 2>err.dead 3>&- &
    local dead=$!
    echo one >&3
    await has_lines out.dead 1
    kill -9 $dead
    wait $dead 2>/dev/null
    kill_producer
    : >"$GYRE_DIR/gone.lock"
    : >"$GYRE_DIR/gone.ctrl"
    mkfifo "$GYRE_DIR/gone.bell.2" "$GYRE_DIR/$used.bell.200"
    : >"$GYRE_DIR/notes.txt"
    echo mine >"$GYRE_DIR/mine.data"
    echo '{}' >"$GYRE_DIR/gone.too.lock"
    doctor_says "a stale ring is named, and is an error" 1 "^stale ring: $stale\$"
    has "a dead producer is named" out "^dead producer: of $used: the next one goes on"
    has "a dead seat is named" out "^dead seat: 1 of $used\$"
    for file in gone.lock gone.ctrl gone.bell.2 "$used.bell.200"; do
        has "$file is stale" out "^stale file: $file\$"
    done
    has "a foreign file is named" out '^foreign file: notes.txt: left alone'
    for file in mine.data gone.too.lock; do
        has "$file is foreign" out "^foreign file: $file: left alone"
    done
    check "what is kept or in use is not stale" test "$(grep -c . out)" -eq 10
    gyre doctor --json >out
    has "doctor --json is an object a line" out \
        "^\{\"kind\":\"seat\",\"name\":\"$used\",\"number\":1,\"mended\":false\}\$"
    doctor_says "--fix removes the stale ring" 1 "^stale ring: $stale: removed\$" --fix
    has "and frees the dead seat" out "^dead seat: 1 of $used: freed\$"
    has "and the files" out "^stale file: $used.bell.200: removed\$"
    doctor_says "what is left is what it must not touch" 1 '^foreign file: notes.txt'
    check "and nothing else" test "$(grep -c . out)" -eq 4
    check "a file that never was a ring's stays" test "$(cat "$GYRE_DIR/mine.data")" = mine
    says "a ring in use is not removed" 1 "$used: .*has it open" rm "$used"
    echo two | gyre pub "$used"
    await has_lines out.follow 2
    kill $sub
    wait $sub 2>/dev/null
    gyre sub "$kept" --from oldest >out
    echo one >wanted
    same "a kept ring is untouched" out wanted
    (ulimit -v 12000 && gyre doctor --fix) >out 2>&1
    gyre list >names
    has "and stays where address space does not suffice to look at it" names "^$kept\$"
    gyre rm "$kept"
    rm "$GYRE_DIR/notes.txt" "$GYRE_DIR/mine.data" "$GYRE_DIR/gone.too.lock"
    doctor_says "mended" 0 '^nothing to mend$'
    test_small
    rmdir "$GYRE_DIR"
}

# A file system as small as that of a container; only root may make one.
test_small() {
    local got=0
    if ! unshare -m true 2>/dev/null; then
        skip "little room is named" "needs the right to mount"
        return
    fi
    # shellcheck disable=SC2016
    unshare -m sh -c 'mount -t tmpfs -o size=1m,mode=0700 none "$GYRE_DIR" && exec "$@"' sh \
        "${run[@]}" doctor >out 2>err || got=$?
    check "little room is an error" test $got -eq 1
    has "little room is named" out '^little room for rings: 1,0[0-9,]* bytes are free'
}

test_list() {
    local GYRE_DIR
    GYRE_DIR=$(mktemp -d /dev/shm/gyre-list.XXXXXX)
    export GYRE_DIR
    echo one | gyre pub kept --keep
    : >"$GYRE_DIR/a\"b.data"
    : >"$GYRE_DIR/"$'esc\e[31mred.data'
    : >"$GYRE_DIR/-x.data"
    ln -s kept.data "$GYRE_DIR/link.data"
    mkdir "$GYRE_DIR/dir.data"
    gyre list >names
    echo kept >wanted
    same "list names what may be a ring, and nothing else" names wanted
    gyre list --json >names
    echo '{"name":"kept"}' >wanted
    same "list --json names the same" names wanted
    rm -r "$GYRE_DIR"
}

test_stalls() {
    local sub
    new_ring
    "${run[@]}" sub "$ring" >out 2>err &
    sub=$!
    mkfifo feed
    "${run[@]}" pub "$ring" --capacity 4K --subscribers 1 --stall-timeout 100ms <feed &
    pub=$!
    exec 3>feed
    echo 1 >&3
    await has_lines out 1
    kill -STOP $sub
    seq 2 500 >&3
    await is_evicted
    kill -CONT $sub
    ended "who is stopped for longer than --stall-timeout is evicted" 1 $sub
    has "and told so" err "lost its seat"
    close_producer "stalls"
    says "--stall-timeout has a range" 2 "--stall-timeout 1us: .*at least 1ms" \
        pub "$ring" --stall-timeout 1us
}

is_evicted() {
    gyre stat "$ring" --json | grep -q '"evicted_count":1,'
}

test_pipelines
test_prompt
test_starts
test_gaps
test_limits
test_deaths
test_groups
test_groups_kept
test_codes
test_help
if [ -z "${GYRE_WINE:-}" ]; then
    test_native
    test_standby
    test_list
    test_stalls
    test_doctor
    test_interrupts
fi
finish
