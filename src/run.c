/*
 * run.c - runs: messages of one size, side by side, claimed or peeked by one call.
 *
 * It is the fast path for whoever has many small messages at hand: between two messages nothing is
 * read from the handle or written to it, and the caller's loop knows where the next one is.  It
 * knows nothing that fast.h does not know; what ends a run early is left to the next call.
 */
#include "internal.h"

#include <gyre/atomic.h>

void *gyre_claim_run(struct gyre_producer *producer, uint32_t size, uint32_t *count,
                     uint32_t *stride)
{
    struct gyre_fast_producer *fast = &producer->fast;
    unsigned char             *ring = fast->ring;
    void                      *first = *count == 0 ? NULL : gyre_claim(producer, size);
    uint64_t                   frame =
        ((uint64_t)size + GYRE_FRAME_HEADER_SIZE + fast->align_mask) & ~fast->align_mask;
    uint64_t pos = fast->claim_pos;
    uint64_t mask = fast->mask;
    uint64_t end_pos = (pos & mask) == 0 ? pos : fast->open_pos; /* in this lap */
    uint64_t header = fast->seq << 32 | GYRE_FRAME_PUBLISHED | size;
    uint32_t done = 1;

    if (first == NULL)
        return NULL;
    for (; done < *count && !gyre__pos_after(pos + frame, end_pos); done++) {
        gyre_store_relaxed_64(gyre__header_at(ring, pos & mask), header); /* as in gyre_claim: E1 */
        header += UINT64_C(1) << 32;
        pos += frame;
    }
    fast->claim_pos = pos;
    fast->seq += done - 1;
    *count = done;
    *stride = (uint32_t)frame;
    return first;
}

const void *gyre_peek_run(struct gyre_consumer *consumer, uint32_t *size, uint32_t *count,
                          uint32_t *stride)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    const void                *first = *count == 0 ? NULL : gyre_peek(consumer, size);
    const unsigned char       *ring = fast->ring;
    uint64_t                   mask = fast->mask;
    uint64_t                   pos = fast->peek_pos;
    uint64_t                   frame, expected, end_pos;
    uint32_t                   done = 1;

    if (first == NULL)
        return NULL;
    frame = ((uint64_t)*size + GYRE_FRAME_HEADER_SIZE + fast->align_mask) & ~fast->align_mask;
    expected = fast->peek_seq << 32 | GYRE_FRAME_PUBLISHED | *size;
    /* In this lap.  A member's mask is zero: what it polls is no message. */
    end_pos = (pos & mask) == 0 ? pos : (pos | mask) + 1;
    while (done < *count && !gyre__pos_after(pos + frame, end_pos)) {
        const void *header = ring + (pos & mask);
        if (gyre_load_acquire_64((const uint64_t *)header) != expected) /* E1 */
            break;
        expected += UINT64_C(1) << 32;
        pos += frame;
        done++;
    }
    fast->peek_pos = pos;
    fast->peek_seq += done - 1;
    *count = done;
    *stride = (uint32_t)frame;
    return first;
}
