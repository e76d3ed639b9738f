/*
 * room.pml - edge E6: the producer sleeps through no release.
 *
 * Models: announce_block, block_once, wait_met and room_target (room.c); gyre_release (fast.h);
 * ring_room (wake.c); ring_if_blocked in say_asleep (sleep.c); leave (seat.c); the wait and the ring
 * of both bell.c.  Memory: x86-TSO, a store buffer for each consumer and one for the producer.
 * Property: no invalid end state.  A sleep of the producer without a time-out here is one of 100 ms
 * there (16 ms and more on Windows).  Consumers sleep until there is a message, without a slice.
 *
 * run.sh defines: MESSAGES of one unit, CONSUMERS (1 or 2), the ring's CAPACITY.  POLLS: consumers
 * never say that they sleep.  HOLDS: they may keep one message.  LEAVE: consumer 0 goes.  WINDOWS:
 * no barrier, a bell that is an event beside the word, slices: the first one ends after the stores
 * older than it have left the buffers, the later ones never.
 *
 * Cannot find: a consumer killed, stopped or busy elsewhere between the exchange and the ring, or
 * with less released than is waited for (a slice ends the sleep then); memory weaker than TSO; a
 * wake-up for nothing; faults of E3 (wake.pml) and E5 (join.pml).
 */

mtype = { BELL, ROOM };

byte published;
byte released[CONSUMERS]; /* the seats' cursors in memory */
byte at[CONSUMERS];       /* the consumers' cursors, perhaps only in their buffers */
bit  seated[CONSUMERS] = 1;
byte room_pos;            /* 0: the producer waits for nothing */
bit  bell;                /* gyre_shared_room.bell */
bit  rung;                /* Windows: the event; Linux: the futex call was woken */
chan buffers[CONSUMERS] = [3] of { byte };
chan own = [4] of { mtype, byte };

active proctype memory()
{
    byte v;
end: do
    :: atomic { buffers[0] ? v -> released[0] = v }
#if CONSUMERS > 1
    :: atomic { buffers[1] ? v -> released[1] = v }
#endif
    :: atomic { own ? BELL(v) -> bell = v }
    :: atomic { own ? ROOM(v) -> room_pos = v }
    od
}

#define OLDER_ARE_OUT (released[0] >= before0 && released[CONSUMERS - 1] >= before1)
#define ENOUGH(i) (!seated[i] || released[i] + CAPACITY > published)

inline look() /* slowest_cursor: one seat after the other */
{
    is_met = ENOUGH(0);
    is_met = is_met && ENOUGH(CONSUMERS - 1)
}

inline announce()
{
#ifdef WINDOWS
    rung = 0;
#endif
#ifndef BUG_CLEARED_LATE
    own ! BELL(0);
#endif
    own ! ROOM(target);
    (empty(own)); /* gyre_fence_full */
#if !defined(WINDOWS) && !defined(BUG_NO_BARRIER)
    (empty(buffers[0]));
    (empty(buffers[CONSUMERS - 1]))
#endif
}

inline sleep()
{
#ifdef WINDOWS
    before0 = at[0];
    before1 = at[CONSUMERS - 1];
    if
    :: atomic { rung -> rung = 0; slice = 0 }
    :: slice == 0 && OLDER_ARE_OUT -> slice = 1
    fi
#else
    if
    :: bell
    :: atomic { !bell -> rung = 0 }; (rung)
    fi
#endif
}

active proctype producer()
{
    byte target, before0, before1;
    bit is_met, slice;
    do
    :: published == MESSAGES -> break
    :: published < MESSAGES ->
        slice = 0;
        look();
        do
        :: is_met -> break
        :: !is_met ->
            if
#if defined(WINDOWS) && !defined(BUG_SLICE_ANNOUNCES)
            :: slice && !bell -> skip /* a slice ended: still announced, and nobody rang */
            :: else ->
                slice = 0;
#else
            :: skip ->
#endif
                target = published + 1 - CAPACITY; /* room_target: what is needed or more */
                do :: target < published -> target++ :: break od;
                announce()
            fi;
            look();
#ifdef BUG_CLEARED_LATE
            own ! BELL(0);
            (empty(own));
#endif
            if :: !is_met -> sleep() :: else fi;
#if defined(WINDOWS) && !defined(BUG_SLICE_ANNOUNCES)
            if :: slice == 0 -> own ! ROOM(0) :: else fi;
#else
            own ! ROOM(0);
#endif
            look()
        od;
        own ! ROOM(0);
        published++
    od
}

inline ring_room()
{
    if
    :: !bell ->
        atomic { empty(buffers[id]) -> was = bell; bell = 1 };
        if
#ifdef WINDOWS
        :: !was -> rung = 1
#else
        :: !was -> bell = 1; rung = 1
#endif
        :: else
        fi
    :: else
    fi
}

inline release()
{
    atomic { at[id] = got; buffers[id] ! got };
    room = room_pos;
    if :: room != 0 && got >= room -> ring_room() :: else fi
}

proctype consumer(byte id)
{
    byte got, room;
    bit was;
    do
    :: got == MESSAGES -> break
    :: got < published ->
        got++;
#ifdef HOLDS
        if :: release() :: got - at[id] == 1 && got < MESSAGES fi /* one message at most is held */
#else
        release()
#endif
    :: got == published && published < MESSAGES ->
#ifndef POLLS
        (empty(buffers[id])); /* the locked or of the sleepers' bit */
#ifndef BUG_NO_RING_BEFORE_SLEEP
        if :: room_pos != 0 -> ring_room() :: else fi;
#endif
#endif
        (got < published)
#ifdef LEAVE
    :: id == 0 ->
        atomic { empty(buffers[id]) -> seated[id] = 0; at[id] = MESSAGES; released[id] = MESSAGES };
        ring_room();
        break
#endif
    od
}

init
{
    atomic {
        run consumer(0);
#if CONSUMERS > 1
        run consumer(1)
#endif
    }
}
