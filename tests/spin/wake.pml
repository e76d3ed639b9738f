/*
 * wake.pml - edges E3, E11 and E12: nobody sleeps through the last message.
 *
 * Models: gyre_publish (fast.h); wake.c but ring_room; sleep_on_bell with its steps (sleep.c); leave
 * (seat.c); the stores of take_over (recover.c); producer_close.  Memory: x86-TSO; the producer's
 * store buffer is explicit.  A consumer has none: each of its plain stores is followed by a locked
 * instruction with no load in between, so to store at once shows the same.
 * Property: no invalid end state.  A sleep without a time-out here is one of 100 ms or for ever
 * there (16 ms and more on Windows), so one with data ready is a deadlock.  A short slice may end
 * at any time; the first slice on Windows ends when the stores older than it have left the buffer.
 *
 * run.sh defines: MESSAGES; CONSUMERS that sleep by SCHEME, the last by SCHEME_LAST; consumer 0
 * leaves after LAST0 messages, the others after LAST.  1 or 0: STRICT; CLOSE (LAST is NONE then);
 * SHARED, all seats have one bit; AWAKE_CLEARS, LEAVE_CLEARS, who clears it, usually !SHARED; REG1,
 * the barrier reaches the producer; TAKEOVER, it is killed at any step, and the barrier reaches the
 * next one if REG2.
 *
 * Cannot find: anything of weaker memory than TSO; a membarrier, futex or event that does not do
 * what it says; a wake-up that is late only; a killed consumer; more than MESSAGES.
 */
#define BARRIER 0 /* Linux */
#define REFUSED 1 /* Linux without membarrier: the fence mode */
#define SLICES 2  /* Windows */
#define NONE 255
#define FENCE 128
#define DRAINED empty(buffer) /* a full fence: go on once everything is in memory */
#define BIT(id) (SHARED -> 1 : 1 << (id))

mtype = { HEADER, ACK, REGISTERED, CLOSED };

byte header, published;   /* messages visible in memory; stored, perhaps only to the buffer */
byte mask = STRICT * FENCE; /* gyre_shared_sleepers */
bit  ack, closed, is_registered = REG1;
bit  in_reach = REG1;     /* the kernel's view: the barrier interrupts the producer */
bit  needs[CONSUMERS], seated[CONSUMERS], bell[CONSUMERS];
bit  dead, over;
chan buffer = [4] of { mtype, byte };

active proctype memory()
{
    byte v;
end: do
    :: atomic { buffer ? HEADER(v) -> header = v }
    :: atomic { buffer ? ACK(v) -> ack = v }
    :: atomic { buffer ? REGISTERED(v) -> is_registered = v }
    :: atomic { buffer ? CLOSED(v) -> closed = v }
    od
}

inline ring(bits)
{
    do
    :: atomic { i < CONSUMERS -> if :: seated[i] && (bits & BIT(i)) -> bell[i] = 1 :: else fi; i++ }
    :: atomic { else -> i = 0; break }
    od
}

inline wake_all() { atomic { DRAINED -> mask = mask & FENCE }; ring(NONE) }

inline wake_sleepers()
{
    m = mask;
    if :: m & FENCE -> (DRAINED); buffer ! ACK(1); acked = 1; m = mask :: else fi;
    if :: m & ~FENCE -> atomic { DRAINED -> mask = mask & (FENCE | ~m) }; ring(m) :: else fi
}

inline look_for_needs()
{
    found = 0;
    do
    :: atomic { i < CONSUMERS -> if :: needs[i] && seated[i] -> found = 1 :: else fi; i++ }
    :: atomic { else -> i = 0; break }
    od
}

inline relax_fence()
{
    look_for_needs();
    if
    :: acked && !found ->
        acked = 0;
#ifdef BUG_RELAX_BIT_FIRST
        atomic { DRAINED -> mask = mask & ~FENCE }; buffer ! ACK(0);
#else
        buffer ! ACK(0); atomic { DRAINED -> mask = mask & ~FENCE };
#endif
        look_for_needs();
        if
        :: found -> atomic { DRAINED -> mask = mask | FENCE }; buffer ! ACK(1); acked = 1
        :: else
        fi
    :: else
    fi
}

inline publish_all()
{
    do
    :: published == MESSAGES -> break
    :: published < MESSAGES ->
        atomic { published++; buffer ! HEADER(published) };
        wake_sleepers();
        if :: !STRICT -> relax_fence() :: skip fi /* now and then, with new credit */
    od;
    if :: CLOSE -> buffer ! CLOSED(1); wake_all() :: else fi
}

active proctype producer()
{
    byte m, i;
    bit acked, found;
    { publish_all() } unless { dead };
    if
    :: dead -> atomic { DRAINED -> published = header; acked = 0; i = 0; in_reach = REG2 };
        buffer ! ACK(0);
        buffer ! REGISTERED(REG2);
#ifndef BUG_NO_WAKE_ALL
        wake_all();
#endif
        publish_all()
    :: else
    fi;
    over = 1
}

active proctype killer() { end: (TAKEOVER && !over); dead = 1 }

inline barrier() { if :: in_reach -> (DRAINED) :: else fi }

inline sleep()
{
    if
#ifndef BUG_SLICE_CLEARS
    :: slice && (mask & BIT(id)) -> skip /* a slice ended: still said, and nobody rang */
    :: else -> slice = 0;
#else
    :: skip ->
#endif
        bell[id] = 0;
#ifdef BUG_BARRIER_FIRST
        barrier();
#endif
        mask = mask | BIT(id)
    fi;
    is_short = (scheme == SLICES && slice == 0);
    before = published;
#if !defined(BUG_NO_BARRIER) && !defined(BUG_BARRIER_FIRST)
    if :: scheme == BARRIER -> barrier() :: else fi;
#endif
    if
    :: scheme == REFUSED || scheme == BARRIER && !is_registered -> /* only the fence mode helps */
        needs[id] = 1;
        mask = mask | FENCE;
#ifndef BUG_NO_ACK
        is_short = !ack
#endif
    :: else
    fi;
    slice = 0;
    if
    :: header != got /* must_look */
#ifndef BUG_STATE_NOT_SEEN
    :: closed
#endif
    :: else ->
        if
        :: bell[id]
        :: is_short && (scheme != SLICES || header >= before) -> slice = (scheme == SLICES)
        fi
    fi;
    is_short = 0; before = 0;
#ifdef BUG_SLICE_CLEARS
    slice = 1; mask = mask & ~BIT(id)
#else
    if :: AWAKE_CLEARS && (!slice || header != got) -> mask = mask & ~BIT(id) :: else fi
#endif
}

active [CONSUMERS] proctype consumer()
{
    byte id = _pid - 3; /* memory, producer and killer come before */
    byte scheme = (_pid - 2 == CONSUMERS -> SCHEME_LAST : SCHEME);
    byte last = (_pid == 3 -> LAST0 : LAST);
    byte got, slice, before;
    bit is_short;
    seated[id] = 1;
    do
    :: got == last -> break
    :: got != last && header != got -> got++; slice = 0
    :: got != last && header == got && !closed -> sleep()
    :: closed && header == got -> break
    od;
    seated[id] = 0;
    if :: LEAVE_CLEARS -> mask = mask & ~BIT(id) :: else fi
}
