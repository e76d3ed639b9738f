#!/usr/bin/env bash
# bugs.sh - breaks a copy of the source, one line at a time, and shows that weave finds it.
#
# Usage: tests/weave/bugs.sh [PATTERN]    only the bugs whose name matches the extended regexp
#
# TAP lines.  Needs cmake, ninja, perl and a C compiler; builds in build/weave-bugs.
set -uo pipefail
export LC_ALL=C

cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 1
pattern=${1:-.}
failed=0
work=$PWD/build/weave-bugs
tree=$work/tree

mkdir -p "$tree" || exit 1
# Fault points are nothing here, and would stand in the midst of the lines that are looked for.
plain() {
    sed '/^ *GYRE_FAULT([a-z_]*);$/d' "$1"
}

# Only what differs is copied, so that nothing else is compiled anew.
refresh() {
    local file
    while IFS= read -r file; do
        cmp -s <(plain "$file") "$tree/$file" && continue
        mkdir -p "$tree/${file%/*}" && plain "$file" >"$tree/$file" || return 1
    done < <(find include src -name '*.[ch]')
    while IFS= read -r file; do
        [ -e "$file" ] || rm -f "$tree/$file"
    done < <(cd "$tree" && find include src -name '*.[ch]')
}

if ! refresh || ! cmake --preset weave -B "$work/build" -DGYRE_WEAVE_TREE="$tree" \
    -DCMAKE_C_FLAGS_RELEASE="-O1 -g" -DGYRE_WERROR=OFF >"$work/log" 2>&1; then
    tail -n 20 "$work/log" | sed 's/^/    /'
    echo "not ok - weave bugs: the copy cannot be configured"
    exit 1
fi

fail() { # fail NAME WHY
    [ ! -s "$work/log" ] || tail -n 15 "$work/log" | sed 's/^/    /'
    echo "not ok - weave bug $1: $2"
    failed=1
}

# replace FILE FROM TO: once; any white space in FROM matches any other.
replace() {
    FROM=$2 TO=$3 perl -0777 -i -pe '
        BEGIN { $from = join "\\s+", map { quotemeta } split " ", $ENV{FROM} }
        $count = s/$from/$ENV{TO}/; END { exit($count ? 0 : 1) }' "$tree/$1"
}

# bug NAME SCENARIO FILE FROM TO [FILE FROM TO]...: SCENARIO is a part of some scenarios' names.
bug() {
    local name=$1 scenario=$2 result
    shift 2
    [[ $name =~ $pattern ]] || return 0
    : >"$work/log"
    while [ $# -gt 0 ]; do
        if ! replace "$1" "$2" "$3"; then
            fail "$name" "$1 holds no such line any more"
            refresh
            return
        fi
        shift 3
    done
    if ! cmake --build "$work/build" >"$work/log" 2>&1; then
        fail "$name" "does not compile"
    elif result=$(timeout 300 "$work/build/tests/weave/weave" "${arguments[@]}" --hunt --only "$scenario" 2>&1); then
        echo "ok - weave bug $name: ${result##*$'\n'}"
    else
        echo "$result" >"$work/log"
        fail "$name" "not found"
    fi
    refresh
}

arguments=()
fast=include/gyre/fast.h

bug "E1 the first header of a batch is stored by claim" publish_peek $fast \
    'p->first_header = header; else gyre_store_relaxed_64(frame, header);' \
    'p->first_header = header; gyre_store_relaxed_64(frame, header);'
bug "E1 the next header is not zeroed, behind a large claim" reuse $fast \
    'gyre_store_relaxed_64(gyre__header_at(ring, end & mask), 0);' ';'
bug "E1 the next header is not zeroed, ahead" reuse $fast \
    'gyre_store_relaxed_64(gyre__header_at(ring, zero & mask), 0);' '(void)0;'
bug "E1 the zeros are written behind the claim" reuse $fast \
    'for (; gyre__pos_after(ahead, zero);' 'zero += step; for (; gyre__pos_after(ahead, zero);'
bug "E1 a run looks at the last of four headers first" reuse_runs src/run.c \
    'uint64_t wrong = difference(at, header);' \
    'uint64_t wrong = difference(at + 3 * frame_size, header + 3 * NEXT_NUMBER);' \
    src/run.c 'wrong |= difference(at + 3 * frame_size, header + 3 * NEXT_NUMBER);' \
    'wrong |= difference(at, header);'
bug "E1 a run does not look at its last header" reuse_runs src/run.c \
    'for (; left > 0 && difference(at, header) == 0;' \
    'for (; left > 0 && (left == 1 || difference(at, header) == 0);'

bug "E2 the limit is one frame too far" reuse src/producer.c \
    'uint64_t limit = slowest_cursor(producer, published, old_limit - capacity) + capacity;' \
    'uint64_t limit = slowest_cursor(producer, published, old_limit - capacity) + capacity + 64;' \
    src/producer.c 'again = slowest_cursor(producer, published, old_limit - capacity) + capacity;' \
    'again = slowest_cursor(producer, published, old_limit - capacity) + capacity + 64;'

bug "E3 no barrier" sleep_barrier src/sleep.c 'return sync_barrier_remote();' 'return true;'
bug "E3 the barrier comes before the bit" sleep_barrier src/sleep.c \
    'gyre__say_asleep(consumer); slice = gyre__sleep_limit_ns(consumer, gyre__barrier());' \
    'bool done = gyre__barrier(); gyre__say_asleep(consumer);
     slice = gyre__sleep_limit_ns(consumer, done);'
bug "E3 no last look" sleep_barrier src/sleep.c \
    'slice = gyre__sleep_limit_ns(consumer, gyre__barrier()); if (!gyre__must_look(consumer)) {' \
    'slice = gyre__sleep_limit_ns(consumer, gyre__barrier()); {'
bug "E3 the bell is cleared after the last look" sleep_barrier src/sleep.c \
    'gyre__count_sleep(consumer); woken' \
    'gyre__count_sleep(consumer); sync_bell_clear(&consumer->bell); woken'
bug "E3 slices without time to settle" sleep_slices src/sleep.c \
    'gyre__let_settle(); return false;' 'return false;'
bug "E3 the bells are rung before the bits are taken" sleep_slices src/wake.c \
    'gyre_and_64(&ring->sleepers->mask, ~mask);' \
    'ring_all(producer, mask, 8);
     gyre_and_64(&ring->sleepers->mask, ~mask); return;'
bug "E3 a strict ring does not fence" sleep_strict src/wake.c \
    'gyre_fence_full(); /* E3, the fence mode */' ''

bug "E4 the magic is stored before the map" create_inspect src/ring.c \
    'gyre__write_data(ring->data.base, &geometry);' \
    'gyre__write_magic(ring->data.base, GYRE_DATA_MAGIC);
     gyre__write_data(ring->data.base, &geometry);'
bug "E4 DATA has its name before CTRL is there" create src/ring.c \
    'gyre__write_data(ring->data.base, &geometry);' \
    'gyre__write_data(ring->data.base, &geometry);
     gyre__write_magic(ring->data.base, GYRE_DATA_MAGIC);
     sync_site_unlock(ring->site); (void)sync_map_publish(ring->site, SYNC_DATA, &ring->data, error);
     (void)sync_site_lock(ring->site, error);'

bug "E5 refresh does not fence" join src/producer.c 'gyre_fence_full(); /* E5 */' ''
bug "E5 refresh does not look at the seats again" join src/producer.c \
    'again = slowest_cursor(producer, published, old_limit - capacity) + capacity;' 'again = limit;'
bug "E5 the seats are read before the horizon is announced" join src/producer.c \
    'gyre_fence_full(); /* E5 */ again = slowest_cursor(producer, published, old_limit - capacity) + capacity;' \
    'gyre_fence_full();' src/producer.c \
    'gyre_store_release_64(&front->horizon_pos, limit - capacity);' \
    'again = slowest_cursor(producer, published, old_limit - capacity) + capacity;
     gyre_store_release_64(&front->horizon_pos, limit - capacity);'
bug "E5 the horizon is read before the seat is stored" join src/seat.c \
    'set_cursor(consumer, mark); if (consumer->member.is_founding) {' \
    'uint64_t early = gyre_load_relaxed_64(&consumer->ring.front->horizon_pos);
     set_cursor(consumer, mark); if (consumer->member.is_founding) {' src/seat.c \
    'gyre__pos_after(gyre_load_relaxed_64(&consumer->ring.front->horizon_pos), /* E5 */ mark->pos)' \
    'gyre__pos_after(early, mark->pos)'
bug "E5 the horizon of a dead producer counts" granter_dies src/recover.c \
    'granted = gyre_load_relaxed_64(&front->granted_pos);' \
    'granted = gyre_load_relaxed_64(&front->horizon_pos);'
bug "E5 the newest message is chosen after the seat is seen" wait_consumers src/seat.c \
    'if (start == GYRE_START_NEWEST) {' 'if (0) {' src/seat.c \
    'is_good = gyre__mark_walk(&consumer->ring, &mark, seq);' \
    'is_good = gyre__mark_walk(&consumer->ring, &mark, start == GYRE_START_SEQ ? seq : UINT64_MAX);'

bug "E6 no barrier" room_polled src/room.c 'all_registered(ring) && sync_barrier_remote()' \
    'all_registered(ring)'
bug "E6 the last look comes before room_pos" room_polled src/room.c \
    'is_met = wait->is_met(producer, wait->wanted, &need_pos); /* E6 */ if' 'if'
bug "E6 the bell is cleared after the last look" reuse src/room.c \
    'woken = sync_bell_wait(' \
    'sync_bell_clear(&ring->room_bell); woken = sync_bell_wait('
bug "E6 a consumer that goes to sleep rings nobody" room_held src/sleep.c \
    'gyre_or_64(mask, bit); /* E3 E16 */ gyre__ring_if_blocked(consumer);' 'gyre_or_64(mask, bit);'
bug "E6 a consumer that leaves rings nobody" leave_blocked src/seat.c \
    'gyre__ring_room(&consumer->ring); /* the producer may wait for our cursor */' ''
bug "E6 a joiner rings nobody" wait_consumers_only src/seat.c \
    'gyre__ring_room(ring); /* the producer may wait for consumers */' '(void)0;'

bug "E7 the horizon is announced one refresh late" lossy_reader src/producer.c \
    'set_landmark(producer, limit - capacity); gyre_store_release_64(&front->horizon_pos, limit - capacity);' \
    'set_landmark(producer, limit - capacity);
     gyre_store_release_64(&front->horizon_pos, old_limit - capacity);'
bug "E7 release does not look at the horizon" lossy_reader $fast \
    'if (gyre__pos_after(gyre_load_relaxed_64(c->horizon_pos), c->held_pos))' 'if (0)'

bug "E8 a landmark's seq is stored after its pos" join_newest src/history.c \
    'gyre_store_release_64(&slot->seq, mark->seq); /* E8 */ gyre_store_release_64(&slot->pos, mark->pos);' \
    'gyre_store_release_64(&slot->pos, mark->pos); gyre_store_release_64(&slot->seq, mark->seq);'

bug "E9 final_pos is stored late, and the header not looked at again" close src/producer.c \
    'gyre_store_relaxed_64(&front->final_pos, end.pos);' '' src/producer.c \
    'gyre_store_release_32(&front->state, GYRE_RING_CLOSED);' \
    'gyre_store_release_32(&front->state, GYRE_RING_CLOSED);
     gyre_store_relaxed_64(&front->final_pos, end.pos);' src/consumer.c \
    'return gyre__is_ready(consumer) ? GYRE_OK : GYRE_CLOSED;' 'return GYRE_CLOSED;'
bug "E9 close wakes nobody" close src/producer.c 'gyre__wake_all(producer);' ''
bug "E9 the last look does not see the end" close src/sleep.c 'is_at_end(consumer) ||' ''
bug "E9 the lease falls before the state" close src/producer.c \
    'end = published_mark(producer);' \
    'end = published_mark(producer); sync_lease_drop(producer->ring.site, SYNC_ROLE_PRODUCER);'

bug "E10 the lease falls before the seat" leave src/seat.c \
    'gyre_store_release_64(&seat->control, freed);' \
    'sync_lease_drop(consumer->ring.site, SYNC_ROLE_SEAT(consumer->seat_idx));
     gyre_store_release_64(&seat->control, freed);'

bug "E11 take-over trusts the last landmark" dies src/recover.c \
    'if (!gyre__mark_walk(ring, &end, UINT64_MAX))' 'if (0)'

bug "E12 a long sleep without the ack" sleep_refused src/sleep.c \
    'return GYRE_LONG_SLICE_NS; return GYRE_SHORT_SLICE_NS;' 'return GYRE_LONG_SLICE_NS; return GYRE_LONG_SLICE_NS;'
bug "E12 the ack comes before the fence" sleep_refused src/wake.c \
    'gyre_fence_full(); /* E3, the fence mode */ gyre_store_release_32(&ring->front->fence_ack, 1);' \
    'gyre_store_release_32(&ring->front->fence_ack, 1);'
bug "E12 the fence bit falls before the ack" fence_relaxed src/wake.c \
    'gyre_store_release_32(&ring->front->fence_ack, 0); /* E12 */ gyre_fence_full(); /* E12 */ gyre_and_64(&ring->sleepers->mask, ~GYRE_SLEEPERS_FENCE); /* E12 */ if (needs_fence(ring)) {' \
    'gyre_and_64(&ring->sleepers->mask, ~GYRE_SLEEPERS_FENCE);
     gyre_store_release_32(&ring->front->fence_ack, 0); if (needs_fence(ring)) {'

bug "E13 the bell is rung before the flag" interrupt src/wake.c \
    '(void)gyre_exchange_32(&consumer->ring.is_interrupted, 1); /* E13 */' '' src/wake.c \
    'else if (consumer->bell.word != NULL) sync_bell_ring(&consumer->bell);' \
    'else if (consumer->bell.word != NULL) sync_bell_ring(&consumer->bell);
     (void)gyre_exchange_32(&consumer->ring.is_interrupted, 1);'
bug "E13 the last look does not see the flag" interrupt src/sleep.c \
    'gyre_load_relaxed_32(&consumer->ring.is_interrupted) != 0 || /* E13 */ gyre__is_told' 'gyre__is_told'

bug "E14 next_pos is moved without comparing" group src/member.c \
    'return gyre_compare_exchange_pair(consumer->member.group->next, next, moved);' \
    'gyre_store_release_64(&consumer->member.group->next[1], moved[1]);
     gyre_store_release_64(&consumer->member.group->next[0], moved[0]); return 1;'
bug "E14 a claim is said only after the move" group_member_dies src/member.c \
    'gyre_store_release_64(&seat->claim, end->pos | GYRE_CLAIM_TRIED);' ''
bug "E15 nobody helps the last claimer" group_member_dies src/member.c \
    'help_last(consumer, next);' '(void)help_last;'
bug "E16 a publish posts no permit" group src/wake.c 'sync_gate_post(gate, wanted);' '(void)gate;'
bug "E16 the bit is not set again for those who sleep on" group_one_each src/wake.c \
    'if (sleepers.at_gate + sleepers.at_bells != 0)' 'if (0)'
bug "E17 the last to be done tells nobody" group src/member.c 'tell_end(consumer);' '(void)tell_end;'
bug "E17 no fence before the last one looks" group_end src/member.c 'gyre_fence_full(); /* E17 */' ''

# What x86 forgives and other machines do not.
arguments=(--weak)
bug "E1 the header is stored without release" publish_peek $fast \
    'gyre_store_release_64(gyre__header_at(ring, pos & mask), p->first_header);' \
    'gyre_store_relaxed_64(gyre__header_at(ring, pos & mask), p->first_header);'
bug "E8 a landmark's pos is stored without release" join_newest src/history.c \
    'gyre_store_release_64(&slot->pos, mark->pos);' 'gyre_store_relaxed_64(&slot->pos, mark->pos);'

exit $failed
