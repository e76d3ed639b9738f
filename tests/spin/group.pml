/*
 * group.pml - edges E14 and E15: each message goes to exactly one member, whoever dies.
 *
 * Models: read_next, help_last, claim and give_back (member.c); orphan.c; claim_is_held and
 * seat_bequeath (recover.c); look_at_groups and seat_counts with the limit they give (producer.c);
 * take_seat, may_be_taken and clear_seat (seat.c).  Leases are free the moment their holder dies.
 * Memory: x86-TSO.  There is no store buffer: a member's stores up to TRIED are followed by the
 * locked CAS; of those behind it none is followed by a load that counts, but of next_pos, which
 * the next CAS confirms; and what a dead one has stored is in memory before its lease is free.
 * Properties: a message is taken up by one member at a time and by none once it is released, so it
 * is redelivered only if its claimer died; the producer overwrites none that is not released;
 * whoever adopts tells the right number; no invalid end state, so none is lost.
 *
 * run.sh defines: MESSAGES of one unit, the ring's CAPACITY, MEMBERS, of which KILLS are killed at
 * any step, CLAIM messages at a time.  REJOIN: another process takes the seat of each dead one.
 * REAPS: the producer, too, says who is dead.
 *
 * Cannot find: memory weaker than TSO; frames (takeover.pml), wrap of positions; the horizon
 * (join.pml); faults of a lossy group, of the life of groups, of sleep (gate.pml); a seat that
 * moves on to another group.
 */
#define NOBODY 255
#define NONE 0
#define TRIED 1
#define HELD 2
#define CLAIM_AT(end, state) (((end) << 2) | (state))
#define END(claim) ((claim) >> 2)
#define STATE(word) ((word) & 3)
#define FREE 0
#define ACTIVE 1
#define ORPHANED 2
#define NEXT_LIFE(control) (((control) & ~3) + 4)
#define LOW(seq) ((seq) & 3) /* of a message's number: its header has only that */
#define MATE ((id + 1) % MEMBERS)
#define OTHER ((id + 2) % MEMBERS)
#define IS_ALL_DONE (done_count == MESSAGES)

byte published;
byte next_pos, next_tag = NOBODY; /* who claimed last; they change together */
byte released[MEMBERS], claim_seq[MEMBERS], claim[MEMBERS];
byte control[MEMBERS] = ACTIVE; /* generation << 2 | state */
byte lease[MEMBERS] = NOBODY;
bit  orphans[MEMBERS];
bit  dead[MEMBERS];
/* ghosts: who works on a message, and is it released */
byte worker[MESSAGES] = NOBODY, done_count;
bit  done[MESSAGES];

/* gyre__claim_is_held of seat `s`, into `is_held`.  Each read of a shared word is a step. */
inline look_at_claim(s)
{
    atomic { word = claim[s]; is_held = (STATE(word) == HELD) };
    if
    :: STATE(word) == TRIED ->
        if
        :: atomic { next_pos == END(word) -> must_look = 0 };
            is_held = (next_tag == s);
#ifndef BUG_POS_NOT_READ_AGAIN
            atomic { if :: next_pos != END(word) -> must_look = 1; is_held = 0 :: else fi }
#endif
        :: atomic { next_pos != END(word) -> must_look = 1 }
        fi;
#ifndef BUG_NO_SECOND_LOOK
        if
        :: must_look -> atomic { is_held = (claim[s] == CLAIM_AT(END(word), HELD)); must_look = 0 }
        :: else
        fi
#endif
    :: else
    fi;
    must_look = 0
}

inline bequeath(s)
{
    look_at_claim(s);
    atomic {
        state = (is_held -> ORPHANED : FREE);
        word = 0;
        if
        :: STATE(seen) == state
        :: STATE(seen) != state && control[s] == seen -> control[s] = (seen & ~3) | state
        :: STATE(seen) != state && control[s] != seen -> is_held = 0
        fi;
        state = 0
    };
    atomic { if :: is_held -> orphans[s] = 1; is_held = 0 :: else fi }
}

inline look_at_mate(s)
{
    seen = control[s];
    if
    :: STATE(seen) != FREE && lease[s] == NOBODY -> bequeath(s)
    :: else
    fi;
    seen = 0
}

/* ghost: [at, end) is worked on */
inline take_up(s)
{
    work = s;
    i = at;
    do
    :: i < end -> assert(worker[i] == NOBODY && !done[i]); worker[i] = id; i++
    :: else -> i = 0; break
    od
}

inline help_last()
{
    if
    :: tag == NOBODY || claim[tag] != CLAIM_AT(at, TRIED)
    :: tag != NOBODY && claim[tag] == CLAIM_AT(at, TRIED) ->
        atomic {
            if :: claim[tag] == CLAIM_AT(at, TRIED) -> claim[tag] = CLAIM_AT(at, HELD) :: else fi
        }
    fi
}

inline claim_next()
{
    atomic { /* read_next gives what was there at one moment */
        published > next_pos ->
        at = next_pos;
        tag = next_tag;
        end = (published < at + CLAIM -> published : at + CLAIM)
    };
#ifndef BUG_CLAIM_AFTER_CAS
    atomic { released[id] = at; claim_seq[id] = at };
    claim[id] = CLAIM_AT(end, TRIED);
#endif
#ifndef BUG_NO_HELP
    help_last();
#endif
    atomic {
        if :: next_pos == at -> next_pos = end; next_tag = id; take_up(id) :: else fi;
        tag = 0
    };
#ifdef BUG_CLAIM_AFTER_CAS
    atomic { released[id] = at; claim_seq[id] = at };
#endif
    claim[id] = (work == id -> CLAIM_AT(end, HELD) : NONE)
}

inline free_orphan()
{
    atomic { seen = control[work]; claim[work] = NONE };
    atomic {
        if :: STATE(seen) == ORPHANED && control[work] == seen -> control[work] = seen & ~3 :: else fi;
        seen = 0
    };
    atomic { if :: lease[work] == id -> lease[work] = NOBODY :: else fi; work = NOBODY }
}

inline adopt(s)
{
    orphans[s] = 0;
#ifdef BUG_NO_LEASE
    is_mine = 1;
#else
    atomic { if :: lease[s] == NOBODY -> lease[s] = id; is_mine = 1 :: else fi };
#endif
    if
    :: is_mine && STATE(control[s]) == ORPHANED ->
        look_at_claim(s);
        atomic { /* nobody else changes it, unless there is no lease */
            end = END(word);
            at = (is_held -> released[s] : end);
#ifdef BUG_SEQ_FORWARD_ONLY
            seq = claim_seq[s] + LOW(LOW(at) - LOW(claim_seq[s]));
#else
            seq = claim_seq[s] + (LOW(LOW(at) - LOW(claim_seq[s])) ^ 2) - 2; /* signed */
#endif
            is_held = 0;
            word = 0;
            is_mine = 0;
            if :: at != end -> assert(seq == at); take_up(s) :: else -> work = s fi;
            seq = 0
        };
        if :: at == end -> free_orphan() :: else fi
    :: is_mine && STATE(control[s]) != ORPHANED -> atomic { lease[s] = NOBODY; is_mine = 0 }
    :: !is_mine
    fi
}

inline release_all()
{
    do
    :: atomic { at < end -> at++; if :: at < end -> at++ :: skip fi }; /* the next one first */
        claim_seq[work] = at;
        atomic { /* the store, and the ghosts of what it says */
            i = released[work];
            released[work] = at;
            do
            :: i < at ->
                assert(worker[i] == id);
                worker[i] = NOBODY;
                done[i] = 1;
                done_count++;
                i++
            :: else -> i = 0; break
            od
        }
    :: at == end -> break
    od;
    if
    :: work == id -> atomic { claim[id] = NONE; work = NOBODY }
    :: work != id -> free_orphan()
    fi
}

/* A new process on the seat of the one that died, if it is to be had. */
inline rejoin()
{
    atomic { /* lost with the process */
        at = 0; end = 0; tag = 0; work = NOBODY; word = 0; is_held = 0; must_look = 0; seen = 0;
        is_mine = 0
    };
    do
    :: IS_ALL_DONE -> goto gone
    :: !IS_ALL_DONE && lease[id] == NOBODY ->
        seen = control[id];
        atomic { if :: lease[id] == NOBODY -> lease[id] = id :: else fi };
        if
        :: lease[id] == id && STATE(seen) == FREE -> break
        :: lease[id] == id && STATE(seen) != FREE ->
            seen = control[id];
            bequeath(id);
            if
            :: STATE(control[id]) != ORPHANED -> break
            :: else -> lease[id] = NOBODY
            fi
        :: else
        fi
    od;
    seen = NEXT_LIFE(control[id]);
    control[id] = seen;
    claim[id] = NONE;
    atomic { if :: control[id] == seen -> control[id] = seen | ACTIVE :: else fi; seen = 0 }
}

#define IS_GONE(s) (lease[s] == NOBODY && STATE(control[s]) != FREE)

inline work_on()
{
    do
    :: IS_ALL_DONE -> break
    :: claim_next(); if :: work == id -> release_all() :: else fi
    :: IS_GONE(MATE) -> look_at_mate(MATE)
    :: orphans[MATE] -> adopt(MATE); if :: work != NOBODY -> release_all() :: else fi
#if MEMBERS > 2
    :: orphans[OTHER] -> adopt(OTHER); if :: work != NOBODY -> release_all() :: else fi
    :: IS_GONE(OTHER) -> look_at_mate(OTHER)
#endif
    od
}

proctype member(byte id)
{
    byte at, end, tag, work = NOBODY, word, seen, state, seq, i;
    bit is_held, must_look, is_mine;
    { work_on() } unless { dead[id] };
#ifdef REJOIN
    if
    :: dead[id] -> rejoin(); work_on()
    :: else
    fi;
#endif
gone:
    skip
}

/* What a process holds ends with it. */
inline kill(id)
{
    dead[id] = 1;
    i = 0;
    do :: i < MESSAGES -> if :: worker[i] == id -> worker[i] = NOBODY :: else fi; i++ :: else -> break od;
    i = 0;
    do :: i < MEMBERS -> if :: lease[i] == id -> lease[i] = NOBODY :: else fi; i++ :: else -> break od;
    i = 0;
    kills++
}

active proctype killer()
{
    byte kills, i;
    do
    :: atomic { kills < KILLS && !IS_ALL_DONE ->
            if
            :: !dead[0] -> kill(0)
            :: MEMBERS > 2 && !dead[1] -> kill(1)
            :: kills + 1 > KILLS
            fi }
    :: IS_ALL_DONE || kills == KILLS -> break
    od
}

proctype producer()
{
    byte limit = CAPACITY, low, s, word, seen, state;
    bit is_held, must_look;
    do
    :: atomic { published < MESSAGES && published < limit ->
            assert(published < CAPACITY || done[published - CAPACITY]);
            published++ }
    :: published < MESSAGES && published == limit ->
#ifndef BUG_SEATS_FIRST
        low = next_pos;
#else
        low = published;
#endif
        do
        :: s < MEMBERS ->
            seen = control[s];
            if
            :: STATE(seen) != FREE ->
#ifdef REAPS
                if :: STATE(seen) == ACTIVE && lease[s] == NOBODY -> bequeath(s) :: skip fi;
#endif
                look_at_claim(s);
                atomic {
                    if :: is_held && released[s] < low -> low = released[s] :: else fi;
                    is_held = 0;
                    word = 0
                }
            :: else
            fi;
            atomic { seen = 0; s++ }
        :: s == MEMBERS -> break
        od;
#ifdef BUG_SEATS_FIRST
        low = (next_pos < low -> next_pos : low);
#endif
        atomic { limit = low + CAPACITY; low = 0; s = 0 }
    :: published == MESSAGES -> break
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < MEMBERS -> lease[i] = i; run member(i); i++
        :: else -> break
        od;
        run producer()
    }
}
