/*
 * join.pml - edges E5 and E7: no newcomer is overrun, no overwritten frame is taken for a good one.
 *
 * Models: refresh_credit and slowest_cursor (producer.c); settle and seat_go_to (seat.c); the reads
 * of a reliable consumer; gyre_release and overrun of a lossy one (fast.h, consumer.c); limit_pos
 * in take_over (recover.c).  Memory: x86-TSO, a store buffer for each side.  The producer raises
 * its limit by one or two units; a landmark may be any position up to the end of what is published,
 * however old.
 * Properties: nothing is written at or beyond the cursor of a settled reliable consumer plus
 * CAPACITY, neither before nor after it settles; each reads exactly what was published; a lossy
 * reader never accepts another message's bytes.
 *
 * run.sh defines: MESSAGES of one unit, the ring's CAPACITY, CONSUMERS that are reliable (1 or 2).
 * LOSSY: one that is not takes part, beside one that is.  TAKEOVER: the producer is killed at any
 * step, and the next one goes on.
 *
 * Cannot find: memory weaker than TSO; a consumer that leaves or dies; false landmarks (E8);
 * sequences longer than MESSAGES, so no wrap of 64-bit positions.
 */
#define NOWHERE 255

mtype = { BYTES, HEADER, HORIZON, GRANTED };

byte bytes[CAPACITY];      /* one more than the number of the message that lies there */
byte published;
byte horizon;
byte granted;              /* the last horizon for which the seats were looked at again */
byte cursor[CONSUMERS];
bit  seated[CONSUMERS];
byte written;              /* ghost: the end of what was written, perhaps only to the buffer */
byte held[CONSUMERS] = NOWHERE; /* ghost: the true cursor of a settled reliable consumer */
bit  dead, over;
chan stores = [6] of { mtype, byte };
chan cursors[CONSUMERS] = [2] of { byte };

active proctype memory()
{
    byte v;
end: do
    :: atomic { stores ? BYTES(v) -> bytes[v % CAPACITY] = v + 1 }
    :: atomic { stores ? HEADER(v) -> published = v }
    :: atomic { stores ? HORIZON(v) -> horizon = v }
    :: atomic { stores ? GRANTED(v) -> granted = v }
    :: atomic { cursors[0] ? v -> cursor[0] = v }
#if CONSUMERS > 1
    :: atomic { cursors[1] ? v -> cursor[1] = v }
#endif
    od
}

/* The smallest cursor that is not before `low`, into `slow`. */
inline slowest(low)
{
    slow = next;
    do
    :: atomic { i < CONSUMERS ->
            if :: seated[i] && cursor[i] >= low && cursor[i] < slow -> slow = cursor[i] :: else fi;
            i++ }
    :: atomic { else -> i = 0; break }
    od
}

/* Raises `limit`, or leaves it: then the caller tries again. */
inline refresh()
{
    slowest(limit - CAPACITY);
    new = next + 1;
    if :: new++ :: skip fi; /* credit for one or for two */
    if :: slow + CAPACITY < new -> new = slow + CAPACITY :: else fi;
    if
    :: new > limit ->
#ifndef BUG_HORIZON_LATE
        stores ! HORIZON(new - CAPACITY);
#endif
#ifndef BUG_NO_PRODUCER_FENCE
        (empty(stores));
#endif
#ifndef BUG_NO_SECOND_LOOK
        slowest(limit - CAPACITY);
        if
        :: new > slow + CAPACITY -> new = slow + CAPACITY; stores ! HORIZON(new - CAPACITY)
        :: else
        fi;
#endif
        stores ! GRANTED(new - CAPACITY);
        limit = new
    :: else
    fi;
    new = 0
}

inline write_all()
{
    do
    :: next == MESSAGES -> break
    :: next < MESSAGES && next == limit -> refresh()
    :: next < MESSAGES && next < limit ->
        atomic {
            assert(held[0] == NOWHERE || next < held[0] + CAPACITY);
#if CONSUMERS > 1
            assert(held[1] == NOWHERE || next < held[1] + CAPACITY);
#endif
            stores ! BYTES(next);
            next++;
            if :: written < next -> written = next :: else fi
        };
        stores ! HEADER(next);
#ifdef BUG_HORIZON_LATE
        stores ! HORIZON(limit - CAPACITY)
#endif
    od
}

active proctype producer()
{
    byte next, limit = CAPACITY, new, slow, i;
    { write_all() } unless { dead };
    if
    :: dead -> atomic { empty(stores) -> next = published; i = 0; new = 0; slow = 0 };
#ifdef BUG_HORIZON_TRUSTED
        limit = horizon + CAPACITY;
#else
        limit = granted + CAPACITY;
        stores ! HORIZON(granted);
#endif
        write_all()
    :: else
    fi;
    over = 1
}

#ifdef TAKEOVER
active proctype killer() { if :: !over -> dead = 1 :: over fi }
#endif

inline choose() { at = 0; do :: at < published -> at++ :: break od }

proctype reliable(byte id)
{
    byte at;
    do
    :: atomic { choose() };
        cursors[id] ! at;
        if :: !seated[id] -> atomic { empty(cursors[id]) -> seated[id] = 1 } :: else fi;
#ifndef BUG_NO_JOINER_FENCE
        (empty(cursors[id]));
#endif
        if
        :: atomic { horizon <= at -> held[id] = at; assert(written <= at + CAPACITY); break }
        :: horizon > at
        fi
    od;
    do
    :: at == MESSAGES -> break
    :: atomic { at < published -> assert(bytes[at % CAPACITY] == at + 1) };
        atomic { at++; held[id] = at; cursors[id] ! at }
    od
}

proctype lossy()
{
    byte at, seen;
again:
    atomic { choose() };
    do
    :: at == MESSAGES -> break
    :: at < published ->
#ifdef BUG_HORIZON_READ_FIRST
        if :: horizon > at -> goto again :: else fi;
#endif
        seen = bytes[at % CAPACITY];
#ifndef BUG_HORIZON_READ_FIRST
        if :: horizon > at -> goto again :: else fi;
#endif
        assert(seen == at + 1);
        atomic { seen = 0; at++ }
    od
}

init
{
    atomic {
        run reliable(0);
#ifdef LOSSY
        run lossy();
#elif CONSUMERS > 1
        run reliable(1);
#endif
    }
}
