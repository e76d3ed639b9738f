/*
 * run.c - runs: messages of one size, side by side, claimed or peeked by one call.
 *
 * It is the fast path for whoever has many small messages at hand: between two messages nothing is
 * read from the handle or written to it, and the caller's loop knows where the next one is.  It
 * knows nothing that fast.h does not know; what ends a run early is left to the next call.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define NEXT_NUMBER (UINT64_C(1) << 32) /* what it adds to a header */

/* How many more frames, at most `wanted`, begin at `pos` and end at or before `end_pos`. */
static uint32_t fitting(uint64_t pos, uint64_t end_pos, uint64_t frame_size, uint32_t wanted)
{
    uint64_t room = gyre__pos_after(end_pos, pos) ? end_pos - pos : 0;

    return wanted * frame_size <= room ? wanted : (uint32_t)(room / frame_size);
}

/* What is wrong with the header there; 0: it is published, and this one. */
static uint64_t difference(const unsigned char *at, uint64_t header)
{
    return gyre_load_acquire_64((const void *)at) ^ header; /* E1 */
}

/*
 * How many of `count` frames are published: the first with this header, the next with the next
 * number.  Four are compared at once, each after the one before it, which alone says that what is
 * found there is a header.
 */
static uint32_t published(const unsigned char *at, uint64_t frame_size, uint64_t header,
                          uint32_t count)
{
    uint32_t left = count;

    for (; left >= 4; left -= 4, at += 4 * frame_size, header += 4 * NEXT_NUMBER) {
        uint64_t wrong = difference(at, header);
        wrong |= difference(at + frame_size, header + NEXT_NUMBER);
        wrong |= difference(at + 2 * frame_size, header + 2 * NEXT_NUMBER);
        wrong |= difference(at + 3 * frame_size, header + 3 * NEXT_NUMBER);
        if (wrong != 0)
            break;
    }
    for (; left > 0 && difference(at, header) == 0; left--, at += frame_size)
        header += NEXT_NUMBER;
    return count - left;
}

void *gyre_claim_run(struct gyre_producer *producer, uint32_t size, uint32_t *count,
                     uint32_t *stride)
{
    struct gyre_fast_producer *fast = &producer->fast;
    void                      *first = *count == 0 ? NULL : gyre_claim(producer, size);
    uint64_t                   frame = gyre__frame_size(size, fast->align_mask);
    uint64_t                   pos = fast->claim_pos;
    uint64_t                   header = fast->seq << 32 | GYRE_FRAME_PUBLISHED | size;
    unsigned char             *at = fast->ring + (pos & fast->mask);
    uint32_t                   more;

    if (first == NULL)
        return NULL;
    /* Where a lap begins, what follows does not lie behind the first. */
    more = (pos & fast->mask) == 0 ? 0 : fitting(pos, fast->open_pos, frame, *count - 1);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < more; i++, at += frame, header += NEXT_NUMBER) {
        gyre_store_relaxed_64(gyre__header_at(at, 0), header); /* as in gyre_claim: E1 */
        gyre_prefetch_write(at + GYRE_FETCH_AHEAD);
    }
    fast->claim_pos = pos + more * frame;
    fast->seq += more;
    *count = more + 1;
    *stride = (uint32_t)frame;
    return first;
}

const void *gyre_peek_run(struct gyre_consumer *consumer, uint32_t *size, uint32_t *count,
                          uint32_t *stride)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    const void                *first = *count == 0 ? NULL : gyre_peek(consumer, size);
    uint64_t                   pos = fast->peek_pos;
    uint64_t                   frame, header;
    uint32_t                   more;

    if (first == NULL)
        return NULL;
    frame = gyre__frame_size(*size, fast->align_mask);
    header = fast->peek_seq << 32 | GYRE_FRAME_PUBLISHED | *size;
    /* As above; and a member's mask is zero, because what it polls is no message. */
    more = (pos & fast->mask) == 0 ? 0 : fitting(pos, (pos | fast->mask) + 1, frame, *count - 1);
    more = published(fast->ring + (pos & fast->mask), frame, header, more);
    fast->peek_pos = pos + more * frame;
    fast->peek_seq += more;
    *count = more + 1;
    *stride = (uint32_t)frame;
    return first;
}
