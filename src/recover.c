/*
 * recover.c - who died, and what must be put right.
 *
 * It decides by leases alone: no pid, no heartbeat, no time-out.  A process that is stopped is
 * alive.
 */
#include "internal.h"

#include <gyre/atomic.h>

bool gyre__evict(struct gyre_ring *ring, uint32_t seat_idx, uint64_t control)
{
    uint64_t *word = &ring->seats[seat_idx].control;
    uint64_t  evicted = (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_EVICTED;

    return gyre_compare_exchange_64(word, control, evicted) == control; /* E10 */
}

bool gyre__evict_if_dead(struct gyre_ring *ring, uint32_t seat_idx)
{
    struct gyre_shared_seat *seat = &ring->seats[seat_idx];
    uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
    uint64_t                 freed = (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;

    if (gyre__seat_state(control) == GYRE_SEAT_ORPHANED)
        return false;
    if (gyre__seat_state(control) != GYRE_SEAT_ACTIVE)
        return true;
    if (!sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(seat_idx)))
        return false;
    GYRE_FAULT(evict_dead);
    if (gyre__seat_group(ring, seat) != NULL) {
        gyre__seat_bequeath(ring, seat_idx, control);
        return gyre__seat_state(gyre_load_acquire_64(&seat->control)) != /* E10 */
               GYRE_SEAT_ORPHANED;
    }
    /* A joiner that takes the seat meanwhile changes the generation, and wins. */
    (void)gyre_compare_exchange_64(&seat->control, control, freed); /* E10 */
    return true;
}

bool gyre__clear_dead(struct gyre_ring *ring, const struct gyre_shared_seat *own,
                      const struct gyre_shared_group *group)
{
    bool is_any = false;

    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        struct gyre_shared_seat *seat = &ring->seats[i];
        uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
        if (seat == own || gyre__seat_state(control) != GYRE_SEAT_ACTIVE ||
            (group != NULL && gyre__seat_group(ring, seat) != group))
            continue;
        (void)gyre__evict_if_dead(ring, i);
        is_any |= gyre_load_acquire_64(&seat->control) != control; /* E10 */
    }
    return is_any;
}

bool gyre__claim_is_held(const struct gyre_ring *ring, uint32_t seat_idx, uint64_t *end_pos)
{
    const struct gyre_shared_seat  *seat = &ring->seats[seat_idx];
    const struct gyre_shared_group *group = gyre__seat_group(ring, seat);
    uint64_t                        claim = gyre_load_acquire_64(&seat->claim); /* E14 E15 */
    uint64_t                        tag;

    *end_pos = claim & ~GYRE_CLAIM_STATE_MASK;
    if ((claim & GYRE_CLAIM_STATE_MASK) == GYRE_CLAIM_TRIED && group != NULL) {
        if (gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]) == *end_pos) { /* E14 */
            tag = gyre_load_acquire_64(&group->next[GYRE_NEXT_TAG]);         /* E15 */
            if (gyre_load_relaxed_64(&group->next[GYRE_NEXT_POS]) == *end_pos)
                return (tag & GYRE_GROUP_NOBODY) == seat_idx;
        }
        /* It did not move next_pos, or the one who did so after it has said that it did. */
        if (gyre_load_acquire_64(&seat->claim) != (*end_pos | GYRE_CLAIM_HELD)) /* E15 */
            return false;
        claim = *end_pos | GYRE_CLAIM_HELD;
    }
    return (claim & GYRE_CLAIM_STATE_MASK) == GYRE_CLAIM_HELD;
}

void gyre__orphan_hint(struct gyre_ring *ring, uint32_t seat_idx)
{
    struct gyre_shared_seat  *seat = &ring->seats[seat_idx];
    struct gyre_shared_group *group = gyre__seat_group(ring, seat);

    if (group != NULL &&
        gyre__seat_state(gyre_load_acquire_64(&seat->control)) == GYRE_SEAT_ORPHANED) /* E10 */
        gyre_or_64(&group->orphans[seat_idx / 64], gyre__seat_bit(seat_idx)); /* no edge: a hint */
}

void gyre__seat_bequeath(struct gyre_ring *ring, uint32_t seat_idx, uint64_t control)
{
    struct gyre_shared_seat  *seat = &ring->seats[seat_idx];
    struct gyre_shared_group *group = gyre__seat_group(ring, seat);
    uint64_t                  rest = control & ~GYRE_SEAT_STATE_MASK;
    uint64_t                  end_pos;
    bool is_held = group != NULL && gyre__seat_state(control) != GYRE_SEAT_EVICTED &&
                   gyre__claim_is_held(ring, seat_idx, &end_pos);
    uint32_t state = is_held ? GYRE_SEAT_ORPHANED : GYRE_SEAT_FREE;

    if (gyre__seat_state(control) != state &&
        gyre_compare_exchange_64(&seat->control, control, rest | state) != control) /* E10 */
        return;
    gyre__orphan_hint(ring, seat_idx);
}

bool gyre__recover_slowest(struct gyre_producer *producer)
{
    struct gyre_ring         *ring = &producer->ring;
    struct gyre_shared_seat  *seat;
    struct gyre_shared_group *group;
    uint32_t                  group_idx = producer->slowest_group;

    if (producer->slowest_idx != GYRE_NO_INDEX) {
        if (gyre__evict_if_dead(ring, producer->slowest_idx))
            return true;
        seat = &ring->seats[producer->slowest_idx];
        group = gyre__seat_group(ring, seat);
        if (group == NULL || gyre__seat_state(gyre_load_acquire_64(&seat->control)) != /* E10 */
                                 GYRE_SEAT_ORPHANED)
            return false; /* it lives */
        group_idx = (uint32_t)(group - ring->groups);
    }
    if (group_idx == GYRE_NO_INDEX)
        return false;
    if (gyre__group_end_if_dead(ring, group_idx))
        return true;
    gyre__wake_group(producer, group_idx, 1); /* an orphan may wait for somebody */
    return false;
}

enum gyre_status gyre__take_over(struct gyre_producer *producer, struct gyre_error *error)
{
    struct gyre_ring          *ring = &producer->ring;
    struct gyre_shared_front  *front = ring->front;
    struct gyre_fast_producer *fast = &producer->fast;
    struct gyre_mark           end;
    uint64_t                   granted;

    if (GYRE_FAULT_FAILS(takeover_leased))
        return sync_fail(error, GYRE_SYSTEM, 0, "fault");
    if (!gyre__mark_newest(ring, &end, &producer->mark_idx))
        return gyre__blame(error, GYRE_CORRUPT, "landmarks");
    producer->mark_pos = end.pos;
    if (!gyre__mark_walk(ring, &end, UINT64_MAX))
        return gyre__blame(error, GYRE_CORRUPT, "frames");
    fast->ring = ring->bytes;
    fast->mask = ring->geometry.capacity - 1;
    fast->align_mask = ring->geometry.frame_align - 1;
    fast->claim_pos = end.pos;
    fast->published_pos = end.pos;
    fast->seq = end.seq;
    fast->zero_pos = end.pos + ring->geometry.frame_align;
    fast->open_pos = end.pos; /* the first claim looks around */
    /*
     * A horizon that its producer announced and did not live to confirm counts for nothing: a
     * consumer may have joined behind it and be right.  Nothing was written beyond the granted one.
     */
    granted = gyre_load_relaxed_64(&front->granted_pos); /* E5 */
    gyre_store_release_64(&front->horizon_pos, granted); /* E5 E7 */
    fast->limit_pos = granted + ring->geometry.capacity;
    fast->sleepers = &ring->sleepers->mask;
    if (fast->limit_pos - fast->zero_pos > ring->geometry.capacity)
        return gyre__blame(error, GYRE_CORRUPT, "granted_pos");
    GYRE_FAULT(takeover_walked);
    gyre_store_relaxed_64(&front->room_pos, 0);
    gyre_store_relaxed_32(&front->fence_ack, 0);
    gyre_store_relaxed_32(&front->producer_pid, sync_host_process_id());
    gyre_store_relaxed_32(&front->is_registered, sync_barrier_register());
    gyre_store_release_32(&front->epoch, gyre_load_relaxed_32(&front->epoch) + 1); /* E11 */
    GYRE_FAULT(takeover_epoch);
    gyre_store_release_32(&front->state, GYRE_RING_ACTIVE); /* E9 */
    GYRE_FAULT(takeover_active);
    gyre__wake_all(producer);
    return GYRE_OK;
}

bool gyre__is_orphaned(const struct gyre_consumer *consumer, uint32_t epoch)
{
    const struct gyre_shared_front *front = consumer->ring.front;

    return consumer->orphan_epoch != epoch &&
           gyre_load_acquire_32(&front->epoch) == epoch && /* E11 */
           gyre_load_acquire_32(&front->state) == GYRE_RING_ACTIVE &&
           sync_lease_is_free(consumer->ring.site, SYNC_ROLE_PRODUCER);
}
