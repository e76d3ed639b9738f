/*
 * stall.c - who lives and does not read on: the producer's patience, if it has an end.
 *
 * A stopped consumer may go on at any instruction, and then stores into its seat.  So who is
 * evicted loses what the seat means and not the seat: it stays his, and nobody else's, as long as
 * he has its lease, and the producer believes nothing in it any more.  What he still reads may be
 * overwritten under him, and his release says so (E7).
 *
 * Time is counted only while the producer itself looks, a little at each look: one that was stopped
 * together with its consumers does not find them guilty when all go on.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define LOOKS 8u /* so often within the time-out */

uint64_t gyre__stall_slice_ns(const struct gyre_producer *producer)
{
    return producer->stalls != NULL ? producer->stall_timeout_ns / LOOKS : UINT64_MAX;
}

/* True if the cursor has left no room for the whole time, without moving. */
static bool has_stalled(const struct gyre_producer *producer, struct gyre_stall *stall,
                        const struct gyre_seat_seen *here, uint64_t step_ns)
{
    if (here->control != stall->seen.control || here->pos != stall->seen.pos) {
        stall->seen = *here;
        stall->stood_ns = 0;
        return false;
    }
    stall->stood_ns += step_ns;
    return stall->stood_ns >= producer->stall_timeout_ns;
}

static bool leaves_no_room(const struct gyre_producer *producer, uint64_t pos, uint64_t need_pos)
{
    return gyre__pos_after(need_pos, pos + producer->ring.geometry.capacity);
}

static bool evict_group(struct gyre_producer *producer, uint32_t idx, uint64_t need_pos,
                        uint64_t step_ns)
{
    struct gyre_ring         *ring = &producer->ring;
    struct gyre_shared_group *group = &ring->groups[idx];
    struct gyre_stall        *stall = &producer->stalls[ring->geometry.seat_count + idx];
    struct gyre_seat_seen     here = {gyre_load_acquire_64(&group->control), 0}; /* E10 */
    uint64_t                  evicted = (here.control & ~GYRE_SEAT_STATE_MASK) | GYRE_GROUP_EVICTED;

    here.pos = gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]); /* E14 */
    if (gyre__seat_state(here.control) != GYRE_GROUP_ACTIVE ||
        (gyre__seat_kind(here.control) & GYRE_GROUP_FLAG_LOSSY) != 0 ||
        !leaves_no_room(producer, here.pos, need_pos)) {
        stall->stood_ns = 0;
        return false;
    }
    if (!has_stalled(producer, stall, &here, step_ns) ||
        gyre_compare_exchange_64(&group->control, here.control, evicted) != here.control) /* E10 */
        return false;
    gyre__count_eviction(ring);
    return true;
}

/* What a member had claimed is lost to its group with it. */
static void count_lost(struct gyre_ring *ring, uint32_t seat_idx)
{
    struct gyre_shared_seat  *seat = &ring->seats[seat_idx];
    struct gyre_shared_group *group = gyre__seat_group(ring, seat);
    uint64_t                  count =
        gyre_load_relaxed_64(&seat->claim_end_seq) - gyre_load_relaxed_64(&seat->claim_seq);

    if (group == NULL || count > ring->geometry.capacity / GYRE_FRAME_ALIGN_MIN)
        return;
    gyre__group_count(&group->lost_count, count);
}

static bool evict_seat(struct gyre_producer *producer, uint32_t idx, uint64_t need_pos,
                       uint64_t step_ns)
{
    struct gyre_ring     *ring = &producer->ring;
    struct gyre_stall    *stall = &producer->stalls[idx];
    struct gyre_seat_seen here = {gyre_load_acquire_64(&ring->seats[idx].control), 0}; /* E10 */

    here.pos = gyre_load_acquire_64(&ring->seats[idx].released_pos); /* E2 */
    if (!gyre__seat_counts(ring, idx, here.control) ||
        !leaves_no_room(producer, here.pos, need_pos)) {
        stall->stood_ns = 0;
        return false;
    }
    if (!has_stalled(producer, stall, &here, step_ns) || !gyre__evict(ring, idx, here.control))
        return false;
    count_lost(ring, idx);
    gyre__count_eviction(ring);
    return true;
}

bool gyre__evict_stalled(struct gyre_producer *producer, uint64_t need_pos, uint64_t now_ns)
{
    uint64_t slice_ns = gyre__stall_slice_ns(producer);
    uint64_t step_ns = gyre__sooner(now_ns - producer->stall_look_ns, slice_ns);
    bool     is_any = false;

    if (step_ns < slice_ns)
        return false;
    producer->stall_look_ns = now_ns;
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++)
        is_any |= evict_group(producer, i, need_pos, step_ns);
    for (uint32_t i = 0; i < producer->ring.geometry.seat_count; i++)
        is_any |= evict_seat(producer, i, need_pos, step_ns);
    return is_any;
}
