/*
 * seat.c - take a seat and give it back; the start position.
 *
 * It knows the joining half of edge E5: whoever joins while the producer runs is never overrun.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define START_TRIES 1000 /* each fails only if the producer wrote a sixteenth of a lap meanwhile */

static void set_cursor(struct gyre_consumer *consumer, const struct gyre_mark *mark)
{
    struct gyre_fast_consumer *fast = &consumer->fast;

    fast->peek_pos = mark->pos;
    fast->peek_seq = mark->seq;
    fast->held_pos = mark->pos;
    fast->held_seq = mark->seq;
    if (consumer->member.is_founding)
        gyre_store_relaxed_64(&consumer->member.group->next[GYRE_NEXT_TAG],
                              mark->seq << GYRE_GROUP_TAG_BITS | GYRE_GROUP_NOBODY);
    gyre_store_release_64(fast->released_pos, mark->pos); /* E2 E5 E6 */
}

bool gyre__is_overwritten(const struct gyre_consumer *consumer, uint64_t pos)
{
    return gyre__pos_after(gyre_load_relaxed_64(consumer->fast.horizon_pos), pos); /* E7 */
}

bool gyre__is_overrun(const struct gyre_consumer *consumer)
{
    return consumer->member.group == NULL &&
           gyre__is_overwritten(consumer, consumer->fast.held_pos);
}

/*
 * Puts the cursor on a landmark and, for a reliable consumer, makes the producer respect it: the
 * seat is stored before the horizon is read (E5).  False: overwritten meanwhile, choose again.
 */
static bool settle(struct gyre_consumer *consumer, const struct gyre_mark *mark)
{
    set_cursor(consumer, mark);
    GYRE_FAULT(join_cursor);
    if (consumer->member.is_founding) {
        gyre__group_activate(consumer);
    } else if (consumer->seat != NULL) {
        uint64_t idle = (consumer->control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;
        (void)gyre_compare_exchange_64(&consumer->seat->control, idle, consumer->control); /* E5 */
    }
    GYRE_FAULT(join_active);
    gyre_fence_full();                                                                /* E5 */
    return !gyre__pos_after(gyre_load_relaxed_64(&consumer->ring.front->horizon_pos), /* E5 */
                            mark->pos);
}

/* From where to look for the start: the landmark nearest before it. */
static bool find_landmark(const struct gyre_ring *ring, enum gyre_start start, uint64_t seq,
                          struct gyre_mark *mark)
{
    uint32_t idx;

    switch (start) {
    case GYRE_START_NEWEST:
        return gyre__mark_newest(ring, mark, &idx);
    case GYRE_START_SEQ:
        return gyre__mark_before(ring, seq, mark);
    case GYRE_START_OLDEST:
        break;
    }
    return gyre__mark_oldest(ring, mark);
}

/*
 * The number of the next message to be published, as it was at some moment.  Statuses as those of
 * gyre__seat_go_to.
 */
static enum gyre_status find_newest(const struct gyre_consumer *consumer, uint64_t *seq)
{
    uint64_t         walk_size = 0;
    enum gyre_status status = GYRE_CORRUPT;

    for (uint32_t i = 0; i < START_TRIES; i++) {
        struct gyre_mark mark;
        uint64_t         begin;
        bool             is_good;
        if (!find_landmark(&consumer->ring, GYRE_START_NEWEST, 0, &mark))
            continue;
        begin = mark.pos;
        is_good = gyre__mark_walk(&consumer->ring, &mark, UINT64_MAX);
        *seq = mark.seq;
        gyre_fence_acquire();                       /* E7 */
        if (!gyre__is_overwritten(consumer, begin)) /* E7 */
            return is_good ? GYRE_OK : GYRE_CORRUPT;
        status = GYRE_TIMEOUT;
        walk_size += mark.pos - begin;
        if (walk_size > GYRE_WALK_LAPS * consumer->ring.geometry.capacity)
            break;
    }
    return status;
}

/*
 * The newest message is chosen before the seat is stored: whatever a producer publishes that has
 * seen the seat (gyre_producer_wait_consumers) is received.
 *
 * Never back: the horizon may fall back to a newcomer's place after it was announced.  A joiner
 * that was seen at one place and then chose one before it would seem to break the rules (E5);
 * whoever read on would read twice.  So whoever is overtaken may start a little later than it
 * could.
 */
enum gyre_status gyre__seat_go_to(struct gyre_consumer *consumer, enum gyre_start start,
                                  uint64_t seq, const struct gyre_mark *was_at)
{
    uint64_t         walk_size = 0;
    enum gyre_status status = GYRE_CORRUPT;
    struct gyre_mark tried;

    if (start == GYRE_START_NEWEST) {
        if (find_newest(consumer, &seq) == GYRE_CORRUPT)
            return GYRE_CORRUPT;
        start = GYRE_START_SEQ;
    }
    for (uint32_t i = 0; i < START_TRIES; i++) {
        struct gyre_mark mark;
        bool             is_good;
        uint64_t         horizon;
        GYRE_FAULT(join_choose);
        if (!find_landmark(&consumer->ring, start, seq, &mark))
            continue;
        if (was_at != NULL && gyre__pos_after(was_at->pos, mark.pos))
            mark = *was_at;
        tried = mark;
        was_at = &tried;
        status = GYRE_TIMEOUT;
        if (!settle(consumer, &mark))
            continue;
        if (start == GYRE_START_OLDEST)
            return GYRE_OK;
        if (start == GYRE_START_SEQ && seq < mark.seq)
            return GYRE_OK; /* gone already: the oldest, and a gap to be told */
        is_good = gyre__mark_walk(&consumer->ring, &mark, seq);
        gyre_fence_acquire();                                               /* E7 */
        horizon = gyre_load_relaxed_64(&consumer->ring.front->horizon_pos); /* E5 E7 */
        if (gyre__pos_after(horizon, consumer->fast.held_pos)) {
            walk_size += mark.pos - consumer->fast.held_pos;
            if (walk_size > GYRE_WALK_LAPS * consumer->ring.geometry.capacity)
                break;
            continue;
        }
        if (!is_good || gyre__pos_after(horizon, mark.pos))
            return GYRE_CORRUPT; /* nobody has overwritten it: it was never a frame */
        set_cursor(consumer, &mark);
        return GYRE_OK;
    }
    return status;
}

void gyre__seat_show(struct gyre_consumer *consumer)
{
    consumer->fast.ring = consumer->ring.bytes;
    consumer->fast.mask = consumer->ring.geometry.capacity - 1;
}

void gyre__seat_hide(struct gyre_consumer *consumer)
{
    consumer->fast.ring = (const unsigned char *)&consumer->own_header;
    consumer->fast.mask = 0;
}

/*
 * With the lease of a dead consumer's seat.  What a member had claimed is another member's to work
 * on: then the seat stays.
 */
static bool may_be_taken(struct gyre_ring *ring, uint32_t seat_idx)
{
    struct gyre_shared_seat *seat = &ring->seats[seat_idx];
    uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */

    if (gyre__seat_group(ring, seat) != NULL)
        gyre__seat_bequeath(ring, seat_idx, control);
    control = gyre_load_acquire_64(&seat->control); /* E10 */
    if (gyre__seat_state(control) != GYRE_SEAT_ORPHANED)
        return true;
    sync_lease_drop(ring->site, SYNC_ROLE_SEAT(seat_idx));
    return false;
}

/* Free seats first, then those whose holders died. */
static enum gyre_status take_seat(struct gyre_consumer *consumer, struct gyre_error *error)
{
    struct gyre_ring *ring = &consumer->ring;

    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
            struct gyre_shared_seat *seat = &ring->seats[i];
            uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
            bool                     is_free = gyre__seat_state(control) == GYRE_SEAT_FREE;
            enum gyre_status         status;
            if (is_free != (pass == 0))
                continue;
            if (!is_free && !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(i)))
                continue; /* to ask is quick; to take it from the living is not, on Windows */
            status = sync_lease_take(ring->site, SYNC_ROLE_SEAT(i), error);
            if (status == GYRE_BUSY)
                continue;
            if (status != GYRE_OK)
                return status;
            if (!is_free && !may_be_taken(ring, i))
                continue;
            consumer->seat = seat;
            consumer->seat_idx = i;
            control = gyre_load_acquire_64(&seat->control) >> GYRE_SEAT_GENERATION_SHIFT; /* E10 */
            consumer->control =
                gyre__seat_control((uint32_t)(control + 1), consumer->kind, GYRE_SEAT_ACTIVE);
            return GYRE_OK;
        }
    }
    return gyre__blame(error, GYRE_NO_SEAT, "seat_count");
}

/* A dead holder's state ends here; the seat stays FREE until the cursor is set. */
static void clear_seat(struct gyre_consumer *consumer)
{
    struct gyre_shared_seat *seat = consumer->seat;
    uint64_t                 idle = (consumer->control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;

    gyre_store_release_64(&seat->control, idle); /* E10 */
    gyre_store_relaxed_32(&seat->is_registered, sync_barrier_register());
    gyre_store_relaxed_32(&seat->needs_fence, 0);
    gyre_store_relaxed_32(&seat->is_pollable, 0);
    gyre_store_relaxed_32(&seat->group, 0);
    gyre_store_relaxed_32(&seat->wakes_by_bell, 0);
    gyre_store_relaxed_64(&seat->claim, GYRE_CLAIM_NONE);
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++) { /* of groups that an earlier holder was in */
        struct gyre_shared_group *group = &consumer->ring.groups[i];
        uint64_t                  bit = gyre__seat_bit(consumer->seat_idx);
        uint32_t                  word = consumer->seat_idx / 64;
        if ((gyre_load_relaxed_64(&group->members[word]) & bit) != 0)
            gyre_and_64(&group->members[word], ~bit); /* E10 */
        if ((gyre_load_relaxed_64(&group->asleep[word]) & bit) != 0)
            gyre_and_64(&group->asleep[word], ~bit); /* E16 */
    }
    gyre_store_relaxed_32(&seat->pid, sync_host_process_id());
    gyre_store_relaxed_64(&seat->lost_count, 0);
    gyre_store_relaxed_64(&seat->sleep_count, 0);
    gyre_store_relaxed_64(&seat->missed_count, 0);
}

enum gyre_status gyre__seat_check_start(struct gyre_consumer               *consumer,
                                        const struct gyre_consumer_options *options,
                                        struct gyre_error                  *error)
{
    uint64_t seq = consumer->fast.peek_seq;

    if (options->start != GYRE_START_SEQ || options->start_seq == seq)
        return GYRE_OK;
    if (options->start_seq > seq)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "start_seq"); /* not published yet */
    consumer->gap_pending = seq - options->start_seq;
    return GYRE_OK;
}

enum gyre_status gyre__seat_join(struct gyre_consumer               *consumer,
                                 const struct gyre_consumer_options *options,
                                 struct gyre_error                  *error)
{
    struct gyre_ring          *ring = &consumer->ring;
    struct gyre_fast_consumer *fast = &consumer->fast;
    enum gyre_status           status;

    gyre__seat_show(consumer);
    fast->align_mask = ring->geometry.frame_align - 1;
    fast->last_frame_size = gyre__frame_size(0, fast->align_mask);
    fast->last_offset = ring->geometry.capacity - GYRE_FRAME_HEADER_SIZE;
    fast->horizon_pos =
        consumer->kind == GYRE_RELIABLE ? &ring->front->granted_pos : &ring->front->horizon_pos;
    fast->room_pos = &ring->front->room_pos;
    fast->released_pos = &consumer->own_released_pos;
    if (consumer->kind != GYRE_TAP) {
        status = take_seat(consumer, error);
        if (status == GYRE_OK && GYRE_FAULT_FAILS(join_leased))
            status = sync_fail(error, GYRE_SYSTEM, 0, "fault");
        if (status != GYRE_OK)
            return status;
        clear_seat(consumer);
        GYRE_FAULT(join_cleared);
        fast->released_pos = &consumer->seat->released_pos;
        status = sync_bell_open(ring->site, SYNC_BELL_SEAT(consumer->seat_idx),
                                &consumer->seat->bell, &consumer->bell, error);
        if (status != GYRE_OK)
            return status;
    } else {
        fast->room_pos = &consumer->own_header; /* zero: a tap frees nobody's room */
    }
    if (options->group != NULL) {
        status = gyre__group_join(consumer, options, error);
        if (status == GYRE_OK)
            gyre__ring_room(ring); /* as below */
        return status;
    }
    /* Who is overtaken and lossy has a place to tell the gap from. */
    status = gyre__seat_go_to(consumer, options->start, options->start_seq, NULL);
    if (status == GYRE_CORRUPT || (status != GYRE_OK && consumer->kind == GYRE_RELIABLE))
        return gyre__blame(error, GYRE_CORRUPT, "landmarks");
    status = gyre__seat_check_start(consumer, options, error);
    if (status != GYRE_OK)
        return status;
    if (consumer->gap_pending != 0)
        gyre__seat_hide(consumer); /* gyre_wait tells the gap before gyre_peek shows a message */
    consumer->burst_pos = fast->peek_pos;
    if (consumer->seat != NULL)
        gyre__ring_room(ring); /* the producer may wait for consumers */
    return GYRE_OK;
}

void gyre__seat_leave(struct gyre_consumer *consumer)
{
    struct gyre_shared_seat *seat = consumer->seat;
    uint64_t                 freed = (consumer->control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;

    if (consumer->member.group != NULL) {
        gyre__group_leave(consumer);
        gyre__ring_room(&consumer->ring); /* the producer may wait for what we held */
        return;
    }
    gyre_store_release_64(&seat->control, freed); /* E10 */
    GYRE_FAULT(leave_freed);
    gyre__say_awake(consumer);
    GYRE_FAULT(leave_awake);
    sync_lease_drop(consumer->ring.site, SYNC_ROLE_SEAT(consumer->seat_idx));
    gyre__ring_room(&consumer->ring); /* the producer may wait for our cursor */
}
