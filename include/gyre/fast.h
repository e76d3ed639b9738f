/*
 * fast.h - claim, publish, peek and release: the fast path, inline, and the argument for its order.
 *
 * It knows where the frames lie and which access needs which order.  It knows no operating system
 * and no lifecycle: whatever happens less often than once in some dozen messages is behind one of
 * the gyre__ functions that are declared below the handles.
 *
 *  edge  written first                     read after                         therefore
 *  E1    publish: payload, zero of the     peek: header (acquire), then       a frame is whole
 *        next header; then header          payload                            before it is seen
 *        (release)
 *  E2    release: reads of the payload;    refresh: released_pos (acquire),   bytes are reused only
 *        then released_pos (release)       then writes                        after their reader
 *                                                                             left them
 *  E3    publish: header; then a plain     sleep: own bit (locked RMW), the   nobody sleeps through
 *        load of sleepers                  remote barrier, then the header    the last frame
 *  E4    create: the map; then magic       attach: magic (acquire), then the  a map with magic is
 *        (release)                         map                                complete
 *  E5    refresh: horizon_pos; full fence; join: the seat; full fence; then   no newcomer is
 *        then the seats                    horizon_pos                        overrun
 *  E6    release: released_pos; then a     block: room_pos, the remote        the producer sleeps
 *        plain load of room_pos            barrier, then the seats            through no release
 *  E7    refresh: horizon_pos, then        read: payload; acquire fence;      an overwritten frame
 *        granted_pos; then the writes      then horizon_pos (lossy) or        is never taken for a
 *        it allows                         granted_pos (reliable)             good one
 *  E8    landmark: pos NONE, seq, then pos resume: pos (acquire), seq         a landmark's number
 *        (release each)                    (acquire), then pos again          belongs to its
 *                                                                             position
 *  E9    close: frames, final_pos; then    wait: state (acquire), final_pos,  CLOSED comes behind
 *        state (release)                   then the header again              the last message
 *  E10   join: the seat's fields; then its scan: control (acquire), then the  a seat that counts
 *        control (CAS)                     fields                             has a cursor
 *  E11   take over: is_registered; then    sleep: epoch (acquire), then       a sleeper knows how
 *        epoch, state (release)            is_registered                      to reach the new
 *                                                                             producer
 *  E12   fence mode: needs_fence, FENCE    publish: FENCE; full fence; ack.   a long sleep only
 *        (RMW); then fence_ack             relax: ack, FENCE, then            beside a producer
 *                                          needs_fence                        that fences
 *  E13   interrupt: the flag (RMW); then   wait: the bell cleared; then the   no interrupt is slept
 *        the bell                          flag                               through
 *  E14   claim: released_pos, then the     refresh: next_pos (acquire), then  a claimed message
 *        seat's claim; then next_pos (CAS) the seats' claims                  holds the producer
 *  E15   claim: the last claimer's claim   reap: claim, next_tag (acquire),   it is known what a
 *        HELD; then next_tag (CAS)         then claim again                   dead member claimed
 *  E16   a member sleeps: asleep, the      publish: header; bit; then asleep, no member sleeps
 *        group's bit (RMWs), the remote    then permits (acquire)             while work waits
 *        barrier, next_pos's header
 *  E17   release behind the end: claim;    a member sleeps: asleep (RMW),     the last to be done
 *        full fence; then asleep           then the others' claims            tells that all is
 *
 * The remote barrier: publish and release order nothing between their store and their load, so the
 * store may still be in the CPU's buffer when the load is done.  The side that wants to sleep is
 * the rare one and pays for both: on Linux membarrier(GLOBAL_EXPEDITED) makes every registered
 * process execute a full fence.  sleep.c has the schemes for systems that lack it.
 *
 * Aliasing: the header a consumer polls lies where payload may have lain one lap before, so whoever
 * supplies payload could forge the next header.  Therefore publish stores the first header of what
 * was claimed only when the header behind the last is zero: a reachable header is either zero or
 * genuine.  Small frames find that zero written ahead, behind a store that published before, so
 * that the fetch of its line delays no message; whoever claims more than is zero ahead fetches so
 * many lines that one more does not matter, and asks for the one where the next zero will go.
 */
#ifndef GYRE_FAST_H
#define GYRE_FAST_H

#include <stdint.h>

#include <gyre/layout.h>
#include <gyre/status.h>

/*
 * GYRE_FAST says how the four functions are made: inline in every program that can; plain
 * declarations of the library's symbols for MSVC and for whoever defines GYRE_NO_INLINE; the
 * exported symbols themselves in src/fast.c.
 */
#if defined(GYRE_FAST_EXPORTS)
#define GYRE_FAST GYRE_API
#elif !defined(GYRE_NO_INLINE) && !defined(_MSC_VER)
#define GYRE_FAST static inline
#define GYRE_FAST_INLINE 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct gyre_producer;
struct gyre_consumer;

#ifndef GYRE_FAST_INLINE
GYRE_API void            *gyre_claim(struct gyre_producer *producer, uint32_t size);
GYRE_API void             gyre_publish(struct gyre_producer *producer);
GYRE_API const void      *gyre_peek(struct gyre_consumer *consumer, uint32_t *size);
GYRE_API enum gyre_status gyre_release(struct gyre_consumer *consumer);
#endif

#ifdef GYRE_FAST

#include <gyre/atomic.h>

#ifndef GYRE_FAULT
#define GYRE_FAULT(name) ((void)0) /* the tests put their faults here */
#endif

/*
 * Zeros ahead: where the next frames will begin there are zeros already.  When fewer than ZERO_NEAR
 * bytes of them are left behind the last frame, publish writes new ones up to ZERO_AHEAD bytes
 * behind it.  After a large publish it writes none.
 */
#define GYRE_ZERO_NEAR 128u
#define GYRE_ZERO_AHEAD 512u

/*
 * Frames aligned to less than this can begin at several places in a line: gyre__zero_lines then
 * writes whole lines of zeros.
 */
#define GYRE_ZERO_LINE 64u

/* How far ahead of a claimed frame the producer asks for lines that it will write. */
#define GYRE_FETCH_AHEAD 512u

/*
 * More bytes at once are written by whole lines, which cores take from each other without their
 * contents: zeros ahead would spoil that.
 */
#define GYRE_LARGE 128u

/*
 * The first member of struct gyre_producer.  Private: it changes with the library's major version,
 * before 1.0 with the minor one.
 */
struct gyre_fast_producer {
    unsigned char *ring;       /* the first byte of the ring, in this process */
    uint64_t       mask;       /* capacity - 1 */
    uint64_t       align_mask; /* frame_align - 1 */
    uint64_t       claim_pos;  /* where the next frame goes */
    uint64_t       open_pos;   /* a frame that ends at or before it needs no slow path */
    uint64_t       seq;        /* the number of the next message */
    uint64_t  published_pos;   /* the end of what is published: where the first claimed frame is */
    uint64_t  first_header;    /* and its withheld header, if there is a claimed frame */
    uint64_t  zero_pos;        /* every header-to-be in [claim_pos, zero_pos) is zero */
    uint64_t  limit_pos;       /* bytes before it may be written: E5 */
    uintptr_t lap_base;        /* a position of this lap and this: the address of its byte */
    const uint64_t *sleepers;  /* gyre_shared_sleepers.mask */
};

/* The first member of struct gyre_consumer.  Private likewise. */
struct gyre_fast_consumer {
    const unsigned char *ring;
    uint64_t             mask;
    uint64_t             align_mask;
    uint64_t             peek_pos; /* where the next frame is expected */
    uint64_t             peek_seq; /* and the number of its message */
    uint64_t             held_pos; /* where the first frame not yet released begins */
    uint64_t             held_seq;
    uint64_t            *released_pos; /* of the seat; a tap's own word */
    const uint64_t      *room_pos;
    const uint64_t      *horizon_pos;     /* reliable: granted_pos, which no joiner takes back */
    uint64_t             last_size;       /* of the last message's payload, */
    uint64_t             last_frame_size; /* of its frame, */
    uint64_t             last_offset; /* and the last offset at which another one like it fits */
    uint64_t             flush_pos;   /* a release behind it calls gyre__flush_behind */
};

/* The slow side of the four, in producer.c, consumer.c, wake.c and flush.c. */
GYRE_API void       *gyre__claim_slow(struct gyre_producer *producer, uint32_t size);
GYRE_API void        gyre__zero_lines(struct gyre_producer *producer, uint64_t pos, uint64_t end);
GYRE_API void        gyre__wake_sleepers(struct gyre_producer *producer);
GYRE_API const void *gyre__peek_slow(struct gyre_consumer *consumer, uint32_t *size);
GYRE_API enum gyre_status gyre__release_slow(struct gyre_consumer *consumer);
GYRE_API void             gyre__room_freed(struct gyre_consumer *consumer);
GYRE_API void             gyre__flush_behind(struct gyre_consumer *consumer, uint64_t pos);

/* The header word at a position; frames are aligned to at least 8 bytes. */
static inline uint64_t *gyre__header_at(unsigned char *ring, uint64_t offset)
{
    return (uint64_t *)(void *)(ring + offset);
}

/* True if position a lies behind position b. */
static inline int gyre__pos_after(uint64_t a, uint64_t b)
{
    return (int64_t)(b - a) < 0;
}

/* Where a frame with a payload of `size` bytes ends that begins at a position of the alignment. */
static inline uint64_t gyre__frame_end(uint64_t pos, uint64_t size, uint64_t align_mask)
{
    return (pos + size + GYRE_FRAME_HEADER_SIZE + align_mask) & ~align_mask;
}

/* The frame of a payload of `size` bytes: header and payload, rounded up. */
static inline uint64_t gyre__frame_size(uint64_t size, uint64_t align_mask)
{
    return gyre__frame_end(0, size, align_mask);
}

/*
 * Reserves room for one message of `size` bytes and returns it, aligned to 8, to be written before
 * the next gyre_publish.  Several claims make a batch that appears at once.  NULL: there is no room
 * now, or the message is larger than gyre_producer_max_size; nothing was claimed.  Never sleeps.
 *
 * Plain stores, memcpy too, are seen with the publish.  Non-temporal ones (x86: movnt), which pay
 * for large messages to a core that shares no cache, are weakly ordered: an sfence goes between
 * them and the publish.
 */
GYRE_FAST void *gyre_claim(struct gyre_producer *producer, uint32_t size)
{
    struct gyre_fast_producer *p = (struct gyre_fast_producer *)(void *)producer;
    uint64_t                   pos = p->claim_pos;
    uint64_t                   end = gyre__frame_end(pos, size, p->align_mask);
    uint64_t                   header = p->seq << 32 | GYRE_FRAME_PUBLISHED | size;
    uint64_t                  *frame;

    if (gyre__pos_after(end, p->open_pos))
        return gyre__claim_slow(producer, size);
    frame = (uint64_t *)(p->lap_base + (uintptr_t)pos);
    gyre_prefetch_write((unsigned char *)frame + GYRE_FETCH_AHEAD);
    if (pos == p->published_pos)
        p->first_header = header;
    else
        gyre_store_relaxed_64(frame, header); /* reachable only through the batch's first: E1 */
    GYRE_FAULT(claim_header);
    p->claim_pos = end;
    p->seq++;
    return frame + 1;
}

/*
 * Makes all that was claimed visible to the consumers, in order and at once, and wakes those that
 * sleep.  Without a claim it does nothing.  Makes a system call only if a consumer sleeps.
 */
GYRE_FAST void gyre_publish(struct gyre_producer *producer)
{
    struct gyre_fast_producer *p = (struct gyre_fast_producer *)(void *)producer;
    unsigned char             *ring = p->ring;
    uint64_t                   mask = p->mask;
    uint64_t                   pos = p->published_pos;
    uint64_t                   end = p->claim_pos;
    uint64_t                   zero = p->zero_pos;
    int                        is_due; /* more zeros */

    if (pos == end)
        return;
    if (!gyre__pos_after(zero, end)) { /* more was claimed than is zero ahead */
        gyre_store_relaxed_64(gyre__header_at(ring, end & mask), 0); /* E1 */
        zero = end + p->align_mask + 1;
        /* Where the next zero goes, if what comes next is as long. */
        gyre_prefetch_write(gyre__header_at(ring, (end + (end - pos)) & mask));
    }
    GYRE_FAULT(publish_ready);
    gyre_store_release_64(gyre__header_at(ring, pos & mask), p->first_header); /* E1 E3 */
    GYRE_FAULT(publish_stored);
    is_due = gyre__pos_after(end + GYRE_ZERO_NEAR, zero) && end - p->published_pos <= GYRE_LARGE;
    p->published_pos = end;
    if (is_due) {
        uint64_t step = p->align_mask + 1;
        uint64_t ahead = end + GYRE_ZERO_AHEAD;
        if (gyre__pos_after(ahead, p->limit_pos))
            ahead = p->limit_pos;
        if (step < GYRE_ZERO_LINE) {
            gyre__zero_lines(producer, zero, ahead);
        } else {
            for (; gyre__pos_after(ahead, zero); zero += step)
                gyre_store_relaxed_64(gyre__header_at(ring, zero & mask), 0); /* for a later E1 */
            p->zero_pos = zero;
        }
    }
    if (gyre_load_relaxed_64(p->sleepers) != 0) /* E3 */
        gyre__wake_sleepers(producer);
    GYRE_FAULT(publish_woken);
}

/*
 * Returns the next message, in place, and its size; NULL if there is none now, or if gyre_wait has
 * something to tell (a gap, the end).  Valid until gyre_release; several peeks return successive
 * messages.  A reliable consumer's message stays as it is until then, unless it lost its seat.  A
 * lossy consumer's may be overwritten while it is read.  gyre_release tells of both.  Never sleeps.
 */
GYRE_FAST const void *gyre_peek(struct gyre_consumer *consumer, uint32_t *size)
{
    struct gyre_fast_consumer *c = (struct gyre_fast_consumer *)(void *)consumer;
    uint64_t                   offset = c->peek_pos & c->mask;
    const unsigned char       *frame = c->ring + offset;
    uint64_t header = gyre_load_acquire_64((const uint64_t *)(const void *)frame); /* E1 */
    uint64_t payload = header ^ (c->peek_seq << 32 | GYRE_FRAME_PUBLISHED);

    /* Where the next frame begins is known without the header if this one is like the last. */
    if (payload != c->last_size || offset > c->last_offset) {
        if (header == 0)
            return NULL;
        /* Another number, padding, or a size that leads out of the ring. */
        if (payload > GYRE_FRAME_SIZE_MASK ||
            payload + GYRE_FRAME_HEADER_SIZE > c->mask + 1 - offset)
            return gyre__peek_slow(consumer, size);
        c->last_size = payload;
        c->last_frame_size = gyre__frame_size(payload, c->align_mask);
        c->last_offset = c->mask + 1 - GYRE_FRAME_HEADER_SIZE - payload;
    }
    GYRE_FAULT(peek_seen);
    c->peek_pos += c->last_frame_size;
    c->peek_seq++;
    *size = (uint32_t)payload;
    return frame + GYRE_FRAME_HEADER_SIZE;
}

/*
 * Gives back all that was peeked.  A lossy consumer or a tap gets GAP if any of it may have been
 * overwritten while it was read: then none of it was a message, all of it counts in
 * gyre_consumer_gap unless it is delivered again, and the next peek is behind the gap.  A reliable
 * consumer gets EVICTED likewise: the seats lie in memory that every consumer may write, so a
 * broken one can take another's seat or move its cursor, but not without its owner being told.  The
 * word that is read for it lies in the line of room_pos.  A consumer that has the only seat and
 * is no member of a group also flushes what it gives back from the caches, where streams gain by it
 * (src/flush.c).  Makes a system call only if the producer sleeps until this room is free.
 */
GYRE_FAST enum gyre_status gyre_release(struct gyre_consumer *consumer)
{
    struct gyre_fast_consumer *c = (struct gyre_fast_consumer *)(void *)consumer;
    uint64_t                   pos = c->peek_pos;
    uint64_t                   room;

    gyre_fence_acquire();                                                   /* E7 */
    if (gyre__pos_after(gyre_load_relaxed_64(c->horizon_pos), c->held_pos)) /* E7 */
        return gyre__release_slow(consumer);
    if (gyre__pos_after(pos, c->flush_pos))
        gyre__flush_behind(consumer, pos);
    c->held_pos = pos;
    c->held_seq = c->peek_seq;
    GYRE_FAULT(release_ready);
    gyre_store_release_64(c->released_pos, pos); /* E2 E6 */
    GYRE_FAULT(release_stored);
    room = gyre_load_relaxed_64(c->room_pos); /* E6 */
    if (room != 0 && !gyre__pos_after(room, pos))
        gyre__room_freed(consumer);
    return GYRE_OK;
}

#endif

/*
 * Runs: as gyre_claim and gyre_peek for up to `*count` messages at once, all of one size and side
 * by side: number i lies `i * *stride` bytes behind the one returned.  `*count` receives how many
 * they are, at least 1; a run also ends at the end of the ring, where the room or the messages end,
 * and before a message of another size.  NULL likewise, or if `*count` is 0.  For small messages
 * far less work than as many single calls.
 */
GYRE_API void       *gyre_claim_run(struct gyre_producer *producer, uint32_t size, uint32_t *count,
                                    uint32_t *stride);
GYRE_API const void *gyre_peek_run(struct gyre_consumer *consumer, uint32_t *size, uint32_t *count,
                                   uint32_t *stride);

#ifdef __cplusplus
}
#endif

#endif
