/*
 * history.c - where frames begin: landmarks, and the walk from one of them along the frames.
 *
 * It serves whoever needs a position without having followed the stream: joiners, lapped readers,
 * the next producer, inspection.  The bytes may be hostile or be overwritten while they are read:
 * whatever it returns is inside the ring, and the caller checks the horizon afterwards.
 */
#include "internal.h"

#include <gyre/atomic.h>

void gyre__mark_write(struct gyre_ring *ring, uint32_t idx, const struct gyre_mark *mark)
{
    struct gyre_shared_landmark *slot = &ring->landmarks[idx];

    gyre_store_relaxed_64(&slot->pos, GYRE_LANDMARK_NONE);
    gyre_store_release_64(&slot->seq, mark->seq); /* E8 */
    gyre_store_release_64(&slot->pos, mark->pos); /* E8 */
}

bool gyre__mark_read(const struct gyre_ring *ring, uint32_t idx, struct gyre_mark *mark)
{
    const struct gyre_shared_landmark *slot = &ring->landmarks[idx];
    uint64_t                           pos = gyre_load_acquire_64(&slot->pos); /* E8 */
    uint64_t                           seq = gyre_load_acquire_64(&slot->seq); /* E8 */

    if (pos == GYRE_LANDMARK_NONE || gyre_load_relaxed_64(&slot->pos) != pos)
        return false;
    if ((pos & (ring->geometry.frame_align - 1)) != 0)
        return false;
    mark->pos = pos;
    mark->seq = seq;
    return true;
}

bool gyre__mark_newest(const struct gyre_ring *ring, struct gyre_mark *mark, uint32_t *idx)
{
    bool is_found = false;

    for (uint32_t i = 0; i < GYRE_LANDMARK_COUNT; i++) {
        struct gyre_mark here;
        if (!gyre__mark_read(ring, i, &here))
            continue;
        if (is_found && !gyre__pos_after(here.pos, mark->pos))
            continue;
        *mark = here;
        *idx = i;
        is_found = true;
    }
    return is_found;
}

bool gyre__mark_oldest(const struct gyre_ring *ring, struct gyre_mark *mark)
{
    uint64_t horizon = gyre_load_acquire_64(&ring->front->horizon_pos); /* E5 E7 */
    bool     is_found = false;

    for (uint32_t i = 0; i < GYRE_LANDMARK_COUNT; i++) {
        struct gyre_mark here;
        if (!gyre__mark_read(ring, i, &here) || gyre__pos_after(horizon, here.pos))
            continue;
        if (is_found && gyre__pos_after(here.pos, mark->pos))
            continue;
        *mark = here;
        is_found = true;
    }
    return is_found;
}

bool gyre__mark_before(const struct gyre_ring *ring, uint64_t seq, struct gyre_mark *mark)
{
    bool is_found = gyre__mark_oldest(ring, mark);

    for (uint32_t i = 0; is_found && i < GYRE_LANDMARK_COUNT; i++) {
        struct gyre_mark here;
        if (!gyre__mark_read(ring, i, &here) || !gyre__pos_after(here.pos, mark->pos))
            continue;
        if (here.seq <= seq)
            *mark = here;
    }
    return is_found;
}

enum gyre_frame gyre__frame_judge(const struct gyre_ring *ring, const struct gyre_mark *at,
                                  uint64_t *frame_size, uint32_t *payload_size)
{
    uint64_t capacity = ring->geometry.capacity;
    uint64_t offset = at->pos & (capacity - 1);
    uint64_t header = gyre_load_acquire_64(gyre__header_at(ring->bytes, offset)); /* E1 */
    uint64_t payload = header & GYRE_FRAME_SIZE_MASK;
    uint64_t align_mask = ring->geometry.frame_align - 1;
    uint64_t expected = at->seq << 32 | GYRE_FRAME_PUBLISHED;

    if (header == 0)
        return GYRE_FRAME_NONE;
    /* Padding is shorter than a frame, so none leads from the ring's start to its end, for ever. */
    if (payload > gyre__max_size(capacity) || payload + GYRE_FRAME_HEADER_SIZE > capacity - offset)
        return GYRE_FRAME_BAD;
    *frame_size = gyre__frame_size(payload, align_mask);
    if (payload_size != NULL)
        *payload_size = (uint32_t)payload;
    if ((header ^ payload) == expected)
        return GYRE_FRAME_MESSAGE;
    if ((header ^ payload) == (expected | GYRE_FRAME_PADDING) && offset + *frame_size == capacity)
        return GYRE_FRAME_PAD;
    return GYRE_FRAME_BAD;
}

bool gyre__mark_walk(const struct gyre_ring *ring, struct gyre_mark *mark, uint64_t seq)
{
    uint64_t begin = mark->pos;

    while (mark->seq != seq) {
        uint64_t size;
        switch (gyre__frame_judge(ring, mark, &size, NULL)) {
        case GYRE_FRAME_NONE:
            return true;
        case GYRE_FRAME_MESSAGE:
            mark->pos += size;
            mark->seq++;
            break;
        case GYRE_FRAME_PAD:
            mark->pos += size;
            break;
        case GYRE_FRAME_BAD:
            return false;
        }
        /* A walker that is a lap behind its start runs in front of a producer that feeds it. */
        if (mark->pos - begin > ring->geometry.capacity)
            return true;
    }
    return true;
}
