/*
 * takeover.pml - edge E1 and its zeros, across the deaths of producers.
 *
 * Models: gyre_claim and gyre_publish (fast.h); claim_slow, put_header, set_landmark and the limit
 * of refresh_credit (producer.c); mark_walk (history.c); take_over (recover.c); peek and release of
 * one reliable consumer.  The producer is killed at any step, KILLS times; the next one starts when
 * the lease is free, that is, when nothing more of the dead one's stores can come.  Memory: in
 * program order, which on x86 is what the others see of one writer.
 * A word of the ring is one step.  Frames are 1 to 3 words, header included, in batches of up to
 * two; payload words look like headers, and the reader takes every word that is not zero for one.
 * Properties: the consumer gets each published message once, in order, at its place and whole, and
 * nothing else; the next producer continues at the end of what was published; no message is left.
 *
 * Cannot find: memory weaker than TSO; faults of leases, of several consumers or of joiners
 * (join.pml); wrap of the numbers in headers; more than MESSAGES.
 */
#define WORDS 6
#define ZERO_NEAR 2  /* zeros are written when fewer than so many are ahead, */
#define ZERO_AHEAD 3 /* until so many are */
#define STEP 2  /* the limit moves and a landmark is set this often */
#define PADDING 8
#define NONE 255
#define LOOKS_LIKE_HEADER(seq) (1 + (seq) % 3)
#define AT(pos) ring[(pos) % WORDS]

byte ring[WORDS];
byte horizon, cursor;
byte mark_pos[2], mark_seq[2];
byte epoch;
bit  dead, over;
/* ghosts: what was published, and what else was claimed */
byte place[MESSAGES + 1], size_of[MESSAGES + 1], sent, end_pos;

#define LAP_END(pos) ((pos) + WORDS - (pos) % WORDS)
#define OPEN (limit - 1 < lap_end -> limit - 1 : lap_end)

inline take_over()
{
    atomic {
        idx = (mark_pos[0] != NONE && (mark_pos[1] == NONE || mark_pos[0] > mark_pos[1]) -> 0 : 1);
        pos = mark_pos[idx]; seq = mark_seq[idx];
        do
        :: AT(pos) == 0 -> break
        :: AT(pos) > PADDING -> pos = pos + AT(pos) - PADDING
        :: else -> pos = pos + AT(pos); seq++
        od;
        assert(pos == end_pos && seq == sent);
        published = pos; zero_pos = pos + 1; open_pos = pos; lap_end = LAP_END(pos);
        limit = horizon + WORDS;
        begin = 0; size = 0; first = 0; word = 0
    };
    epoch++
}

inline set_landmark(new)
{
    if
    :: published - mark_pos[idx] >= STEP || new - WORDS > mark_pos[idx] ->
        idx = 1 - idx;
        mark_pos[idx] = NONE;
        mark_seq[idx] = sent;
        mark_pos[idx] = published
    :: else
    fi
}

/* Waits until the words before `need` may be written. */
inline refresh(need)
{
    if
    :: need > limit ->
        (cursor + WORDS >= need);
        limit = (pos + STEP > need -> pos + STEP : need);
        limit = (cursor + WORDS < limit -> cursor + WORDS : limit);
#ifdef BUG_LANDMARK_LATE
        horizon = limit - WORDS
#else
        set_landmark(limit);
        horizon = limit - WORDS
#endif
    :: else
    fi
}

inline put_header(where, header)
{
#ifdef BUG_NOT_WITHHELD
    first = header;
    AT(where) = header
#else
    if :: where == published -> first = header :: else -> AT(where) = header fi
#endif
}

inline claim()
{
    if :: size = 1 :: size = 2 :: size = 3 fi;
    begin = (pos % WORDS + size > WORDS -> LAP_END(pos) : pos);
    if
    :: pos != published && begin + size + 1 > limit && begin + size + 1 > cursor + WORDS ->
        skip /* NULL: publish what is claimed first */
    :: else ->
        atomic { place[seq] = begin; size_of[seq] = size };
        if
        :: pos + size > open_pos -> /* claim_slow */
            refresh(begin + size + 1);
            if :: begin != pos -> put_header(pos, PADDING + begin - pos) :: else fi;
            put_header(begin, size);
            lap_end = LAP_END(begin + size);
            open_pos = OPEN
        :: else -> put_header(pos, size)
        fi;
        pos = begin + size;
#ifdef BUG_HEADER_FIRST
        atomic { AT(published) = first; sent = seq + 1; end_pos = pos };
#endif
        word = 1;
        do
        :: word < size -> AT(begin + word) = LOOKS_LIKE_HEADER(seq); word++
        :: else -> word = 0; break
        od;
        seq++
    fi;
    size = 0;
    begin = 0
}

inline publish()
{
    if
    :: zero_pos <= pos ->
#ifndef BUG_NOT_ZEROED
        AT(pos) = 0;
#endif
        zero_pos = pos + 1
    :: else
    fi;
    atomic { AT(published) = first; first = 0; sent = seq; end_pos = pos };
    published = pos;
    if
    :: zero_pos < pos + ZERO_NEAR ->
        do
        :: zero_pos < pos + ZERO_AHEAD && zero_pos < limit -> AT(zero_pos) = 0; zero_pos++
        :: else -> break
        od
    :: else
    fi
}

active proctype producer()
{
    byte pos, seq, published, zero_pos, open_pos, lap_end, limit, idx, begin, size, first, word;
    mark_pos[1] = NONE;
    do
    :: over -> break
    :: else ->
        {
            take_over();
            do
            :: seq < MESSAGES ->
                claim();
                if :: seq < MESSAGES -> claim() :: skip fi;
                publish()
            :: else -> over = 1; break
            od
        } unless { atomic { dead -> dead = 0 } }
    od
}

active proctype killer()
{
    byte kills;
    do
    :: kills < KILLS && !over && !dead -> kills++; dead = 1
    :: over || kills == KILLS -> break
    od
}

active proctype consumer()
{
    byte at, seq, header;
    do
    :: seq == MESSAGES -> break
    :: atomic { AT(at) != 0 -> header = AT(at) };
        if
        :: header > PADDING -> at = at + header - PADDING
        :: else ->
            atomic {
                assert(seq < sent && at == place[seq] && header == size_of[seq]);
                assert(header < 2 || AT(at + 1) == LOOKS_LIKE_HEADER(seq));
                assert(header < 3 || AT(at + 2) == LOOKS_LIKE_HEADER(seq));
                seq++; at = at + header; header = 0
            }
        fi;
        cursor = at
    od
}
