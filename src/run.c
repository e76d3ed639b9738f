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
    uint64_t room = gyre__pos_after(end_pos, pos) ? (end_pos - pos) / frame_size : 0;

    return room < wanted ? (uint32_t)room : wanted;
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
    for (uint32_t i = more; i > 0; i--, at += frame, header += NEXT_NUMBER) {
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
    const unsigned char       *at = fast->ring + (pos & fast->mask);
    const unsigned char       *end;
    uint64_t                   frame, header;
    uint32_t                   more;

    if (first == NULL)
        return NULL;
    frame = gyre__frame_size(*size, fast->align_mask);
    header = fast->peek_seq << 32 | GYRE_FRAME_PUBLISHED | *size;
    /* As above; and a member's mask is zero, because what it polls is no message. */
    more = (pos & fast->mask) == 0 ? 0 : fitting(pos, (pos | fast->mask) + 1, frame, *count - 1);
    end = at + more * frame;
    while (at != end && gyre_load_acquire_64((const void *)at) == header) { /* E1 */
        at += frame;
        header += NEXT_NUMBER;
    }
    more = (uint32_t)(header >> 32) - (uint32_t)fast->peek_seq;
    fast->peek_pos = pos + more * frame;
    fast->peek_seq += more;
    *count = more + 1;
    *stride = (uint32_t)frame;
    return first;
}
