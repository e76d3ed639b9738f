/*
 * orphan.c - what a dead or leaving member had claimed: who notices, and who works on it.
 *
 * An orphan stays in the seat that claimed it, so that nothing has to be moved and the producer is
 * held back without a break.  Whoever works on it holds that seat's lease: no two can, and if the
 * second dies as well, the lease is free for a third.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define LOOK_POLLS 256u /* a busy member looks at the clock this often */
#define LOOK_MATES 8u   /* and at so many of the others at a time */

/*
 * The number of the message at `pos`: its header has the low half.  `near_seq` may be a little
 * behind it or before it: it was stored on its own.
 */
static uint64_t full_seq(const struct gyre_ring *ring, uint64_t pos, uint64_t near_seq)
{
    uint64_t offset = pos & (ring->geometry.capacity - 1);
    uint32_t low =
        (uint32_t)(gyre_load_acquire_64(gyre__header_at(ring->bytes, offset)) >> 32); /* E1 */

    return near_seq + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near_seq);
}

void gyre__free_orphan(struct gyre_ring *ring, uint32_t seat_idx)
{
    struct gyre_shared_seat *seat = &ring->seats[seat_idx];
    uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */

    gyre_store_release_64(&seat->claim, GYRE_CLAIM_NONE); /* E14 E2 */
    GYRE_FAULT(orphan_freed);
    if (gyre__seat_state(control) == GYRE_SEAT_ORPHANED)
        (void)gyre_compare_exchange_64(&seat->control, control, /* E10 */
                                       (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE);
    sync_lease_drop(ring->site, SYNC_ROLE_SEAT(seat_idx));
}

/* With its lease: works on what the seat has left.  False: there is nothing. */
static bool adopt_held(struct gyre_consumer *consumer, uint32_t seat_idx)
{
    struct gyre_ring         *ring = &consumer->ring;
    struct gyre_shared_group *group = consumer->member.group;
    struct gyre_shared_seat  *seat = &ring->seats[seat_idx];
    struct gyre_mark          from, end;
    uint64_t                  seq;

    if (gyre__seat_group(ring, seat) != group || !gyre__claim_is_held(ring, seat_idx, &end.pos))
        return false;
    from.pos = gyre_load_acquire_64(&seat->released_pos); /* E2 */
    from.seq = gyre_load_relaxed_64(&seat->claim_seq);
    end.seq = gyre_load_relaxed_64(&seat->claim_end_seq);
    if (from.pos == end.pos || end.pos - from.pos > ring->geometry.capacity ||
        (from.pos & consumer->fast.align_mask) != 0 || gyre__is_beyond(consumer, end.pos))
        return false;
    seq = full_seq(ring, from.pos, from.seq);
    /* Overwritten, what was read as its header may be another message's bytes. */
    if (!gyre__member_is_overwritten(consumer, from.pos))
        from.seq = seq;
    gyre__member_take_up(consumer, seat_idx, &from, &end);
    consumer->member.is_redelivered = true;
    GYRE_FAULT(adopt_done);
    gyre__group_count(&group->redelivered_count, 1);
    return true;
}

/* Takes the lease of an orphan's seat, which nobody else has then, and its claim. */
static bool adopt(struct gyre_consumer *consumer, uint32_t seat_idx)
{
    struct gyre_ring *ring = &consumer->ring;
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};
    uint64_t         *hints = &consumer->member.group->orphans[seat_idx / 64];
    uint64_t          control;

    gyre_and_64(hints, ~gyre__seat_bit(seat_idx)); /* no edge: a hint */
    if (seat_idx >= ring->geometry.seat_count ||
        sync_lease_take(ring->site, SYNC_ROLE_SEAT(seat_idx), &ignored) != GYRE_OK)
        return false;
    GYRE_FAULT(adopt_leased);
    control = gyre_load_acquire_64(&ring->seats[seat_idx].control); /* E10 */
    if (gyre__seat_state(control) != GYRE_SEAT_ORPHANED) {
        sync_lease_drop(ring->site, SYNC_ROLE_SEAT(seat_idx));
        return false;
    }
    if (adopt_held(consumer, seat_idx))
        return true;
    gyre__free_orphan(ring, seat_idx);
    return false;
}

bool gyre__adopt_any(struct gyre_consumer *consumer)
{
    struct gyre_shared_group *group = consumer->member.group;

    for (uint32_t i = 0; i < GYRE_BITMAP_WORDS; i++) {
        uint64_t bits = gyre_load_relaxed_64(&group->orphans[i]);
        for (uint32_t bit = 0; bits != 0; bit++, bits >>= 1)
            if ((bits & 1) != 0 && adopt(consumer, i * 64 + bit))
                return true;
    }
    return false;
}

/* Is this one dead?  Or an orphan whose adopter died?  Then say so. */
static void look_at(struct gyre_consumer *consumer, uint32_t seat_idx)
{
    struct gyre_error        ignored = {GYRE_OK, 0, NULL, NULL};
    struct gyre_ring        *ring = &consumer->ring;
    struct gyre_shared_seat *seat = &ring->seats[seat_idx];
    uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
    uint32_t                 state = gyre__seat_state(control);

    if (seat == consumer->seat || gyre__seat_group(ring, seat) != consumer->member.group ||
        (state != GYRE_SEAT_ACTIVE && state != GYRE_SEAT_ORPHANED) ||
        !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(seat_idx)) ||
        sync_lease_take(ring->site, SYNC_ROLE_SEAT(seat_idx), &ignored) != GYRE_OK)
        return;
    if (gyre_load_acquire_64(&seat->control) == control) {          /* E10: nobody was quicker */
        gyre_and_64(&consumer->member.group->asleep[seat_idx / 64], /* E16 */
                    ~gyre__seat_bit(seat_idx));
        gyre__seat_bequeath(ring, seat_idx, control);
    }
    sync_lease_drop(ring->site, SYNC_ROLE_SEAT(seat_idx));
    gyre__orphan_hint(ring, seat_idx);
}

void gyre__look_at_mates(struct gyre_consumer *consumer)
{
    struct gyre_member *member = &consumer->member;
    uint32_t            seat_count = consumer->ring.geometry.seat_count;
    uint64_t            now;

    if (++member->polls % LOOK_POLLS != 0 && !member->is_idle)
        return;
    now = sync_clock_now_ns();
    if (now < member->look_ns)
        return;
    member->look_ns = now + GYRE_PEER_CHECK_NS;
    for (uint32_t i = 0, looked = 0; i < seat_count && looked < LOOK_MATES; i++) {
        uint32_t idx = member->look_idx++ % seat_count;
        uint64_t bits = gyre_load_relaxed_64(&member->group->members[idx / 64]);
        if ((bits & gyre__seat_bit(idx)) == 0)
            continue;
        look_at(consumer, idx);
        looked++;
    }
}
