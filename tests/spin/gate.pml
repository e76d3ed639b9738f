/*
 * gate.pml - edges E16 and E17: no member of a group sleeps while work waits, nor behind the end.
 *
 * Models: wake_group and wake_all (wake.c); say_asleep, must_look and say_awake (sleep.c);
 * tell_end and member_is_at_end (member.c); group_is_done (group.c); sync_gate (sync.h).  Memory:
 * x86-TSO; the producer's header and the end of a member's claim have a store buffer each.  A
 * member's other stores are locked, or followed by a locked instruction with no load in between.
 * Property: no invalid end state.  A sleep without a time-out here is one of 100 ms there, so a
 * message that nobody has claimed while one member sleeps and nobody is on his way is a deadlock,
 * and so is a sleep behind the end of a closed ring when nothing is claimed any more.
 *
 * run.sh defines: MESSAGES, published one or two at a time; MEMBERS; REMOTE, the barrier reaches
 * producer and members; if not, the producer fences.  BUSY: a member keeps what it claimed until all is claimed, so each message
 * must wake another one.  SLICES: a sleep may end at any time.  CLOSE: the producer closes the
 * ring, and members stay until its end.  STALE: permits left by those who did not need them.
 *
 * Cannot find: memory weaker than TSO; a member that dies between its permit and its claim (a slice
 * ends the others' sleep then); sleep at bells; the first slice of Windows (wake.pml); a wake-up
 * that is late only, or for nothing.
 */
#define BIT(id) (1 << (id))
#define ALL 100
#define COUNT(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1))
#define LESSER(a, b) ((a) < (b) -> (a) : (b))

#ifdef CLOSE
#define WILL_CLOSE 1
#else
#define WILL_CLOSE 0
#endif

#ifdef SLICES
#define WITH_SLICES 1
#else
#define WITH_SLICES 0
#endif

mtype = { HEADER, CLOSED };

byte header, closed;      /* messages, and the state, visible in memory */
byte next_pos;
byte asleep;              /* gyre_shared_group.asleep */
byte permits = STALE;
bit  bit_set;             /* the group's bit in gyre_shared_sleepers */
bit  holds[MEMBERS];      /* a claim, as it is visible in memory */
chan buffer = [4] of { mtype, byte };
chan ends[MEMBERS] = [1] of { bit };

#define DRAINED empty(buffer)
#define OWN_DRAINED empty(ends[id])
#if MEMBERS > 2
#define MATES_DRAINED (empty(ends[0]) && empty(ends[1]) && empty(ends[2]))
#else
#define MATES_DRAINED (empty(ends[0]) && empty(ends[1]))
#endif

active proctype memory()
{
    byte v;
end: do
    :: atomic { buffer ? HEADER(v) -> header = v; v = 0 }
    :: atomic { buffer ? CLOSED(v) -> closed = v; v = 0 }
    :: atomic { ends[0] ? _ -> holds[0] = 0 }
    :: atomic { ends[1] ? _ -> holds[1] = 0 }
#if MEMBERS > 2
    :: atomic { ends[2] ? _ -> holds[2] = 0 }
#endif
    od
}

inline wake_group(count)
{
#ifdef BUG_PERMITS_FIRST
    had = permits;
#endif
    at_gate = COUNT(asleep);
#ifndef BUG_PERMITS_FIRST
    had = permits;
#endif
    atomic {
        wanted = (at_gate > had -> LESSER(at_gate - had, count) : 0);
        permits = permits + wanted
    };
#ifndef BUG_BIT_NOT_SET_AGAIN
    if :: at_gate > had + wanted -> bit_set = 1 :: else fi;
#endif
    atomic { at_gate = 0; had = 0; wanted = 0 }
}

active proctype producer()
{
    byte published, count, at_gate, had, wanted;
    do
    :: atomic { published < MESSAGES ->
            count = 1;
            if :: published + 2 <= MESSAGES -> count = 2 :: skip fi;
            published = published + count;
            buffer ! HEADER(published) };
#if !REMOTE
        (DRAINED); /* the fence mode */
#endif
        if
        :: bit_set -> atomic { DRAINED -> bit_set = 0 }; wake_group(count)
        :: !bit_set
        fi;
        count = 0
    :: published == MESSAGES -> break
    od;
#ifdef CLOSE
    buffer ! CLOSED(1);
    atomic { DRAINED -> bit_set = 0 };
    wake_group(ALL)
#endif
}

/* group_is_done behind a closed ring, one claim after the other */
inline look_for_end()
{
    is_done = (next_pos == MESSAGES);
    i = 0;
    do
    :: i < MEMBERS && is_done ->
        atomic { is_done = !(holds[i] && i != id); i++ }
    :: i == MEMBERS || !is_done -> i = 0; break
    od
}

inline sleep()
{
    asleep = asleep | BIT(id);
    bit_set = 1; /* both are locked */
#if REMOTE
    (DRAINED && MATES_DRAINED);
#else
    (OWN_DRAINED);
#endif
#if !REMOTE && !defined(BUG_LONG_SLEEP_BEHIND_END)
    is_short = closed; /* gyre__sleep_limit_ns: no barrier reaches those who release */
#endif
    atomic { at = next_pos; is_done = 0 };
    if
    :: header <= at ->
        if :: closed -> look_for_end() :: else fi;
        if
        :: is_done
        :: atomic { !is_done && permits > 0 -> permits-- }
        :: !is_done && next_pos == MESSAGES && !WILL_CLOSE /* it sleeps on, and rightly */
        :: !is_done && (is_short || WITH_SLICES)
        fi
    :: header > at
    fi;
    atomic { at = 0; is_done = 0; is_short = 0 };
    asleep = asleep & ~BIT(id)
}

inline tell_end()
{
    if
    :: closed ->
#ifndef BUG_NO_FENCE
        (OWN_DRAINED);
#endif
        look_for_end();
        if :: is_done -> permits = ALL :: else fi;
        is_done = 0
    :: else
    fi
}

proctype member(byte id)
{
    byte at, i;
    bit is_done, is_short;
    do
    :: atomic { header > next_pos && OWN_DRAINED -> next_pos++; holds[id] = 1 };
#ifdef BUSY
        (next_pos == MESSAGES);
#endif
        ends[id] ! 1;
        tell_end()
    :: header <= next_pos && closed ->
        look_for_end();
        if :: is_done -> break :: else -> sleep() fi
    :: header <= next_pos && !closed && (WILL_CLOSE || next_pos < MESSAGES) -> sleep()
    :: next_pos == MESSAGES && !WILL_CLOSE -> break
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < MEMBERS -> run member(i); i++
        :: else -> break
        od
    }
}
