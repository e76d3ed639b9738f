/*
 * producer.c - the writer's seat: open and close, and the credit that lets it write.
 *
 * The producer writes freely up to limit_pos.  When that is used up, at least GYRE_LANDMARK_STEPS
 * times a lap, it looks at the seats of the reliable consumers, announces what may be overwritten
 * from now on (the horizon) and goes on.  Sleeping for room is in room.c, deaths are in recover.c.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

/* The end of what consumers can see: the first claimed frame is still without its header. */
static struct gyre_mark published_mark(const struct gyre_producer *producer)
{
    const struct gyre_fast_producer *fast = &producer->fast;
    struct gyre_mark                 mark = {fast->published_pos, fast->seq};

    if (fast->published_pos != fast->claim_pos)
        mark.seq -= (uint32_t)fast->seq - (uint32_t)(fast->first_header >> 32);
    return mark;
}

/* The cursors that hold the producer back, as far as they have been looked at. */
struct lag {
    uint64_t published;
    uint64_t horizon;
    uint64_t max;
};

/* True if the cursor is not before the horizon; one that is half of all positions away is. */
static bool is_retained(const struct lag *lag, uint64_t cursor)
{
    return lag->published - cursor <= lag->published - lag->horizon;
}

/* True if a cursor that can be one is the slowest so far. */
static bool lags_most(struct lag *lag, uint64_t cursor)
{
    if (!is_retained(lag, cursor) || lag->published - cursor < lag->max)
        return false;
    lag->max = lag->published - cursor;
    return true;
}

/* A cursor beyond what is published, off the grid or before the last one is none. */
static bool cursor_is_good(const struct gyre_producer *producer, const struct gyre_seat_seen *here,
                           const struct gyre_seat_seen *last)
{
    if (gyre__pos_after(here->pos, producer->fast.published_pos) ||
        (here->pos & producer->fast.align_mask) != 0)
        return false;
    return here->control != last->control || !gyre__pos_after(last->pos, here->pos);
}

void gyre__count_eviction(struct gyre_ring *ring)
{
    uint64_t *count = &ring->front->evicted_count;

    gyre_store_relaxed_64(count, gyre_load_relaxed_64(count) + 1);
}

/*
 * What no member of a group has claimed yet.  Before the seats: a claim that has moved next_pos is
 * in its seat then (E14).
 */
static void look_at_groups(struct gyre_producer *producer, struct lag *lag)
{
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++) {
        struct gyre_shared_group *group = &producer->ring.groups[i];
        struct gyre_seat_seen    *last = &producer->seen_groups[i];
        struct gyre_seat_seen     here = {gyre_load_acquire_64(&group->control), 0}; /* E5 E10 */
        uint64_t evicted = (here.control & ~GYRE_SEAT_STATE_MASK) | GYRE_GROUP_EVICTED;
        if (gyre__seat_state(here.control) != GYRE_GROUP_ACTIVE ||
            (gyre__seat_kind(here.control) & GYRE_GROUP_FLAG_LOSSY) != 0)
            continue;
        here.pos = gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]); /* E14 */
        if (!cursor_is_good(producer, &here, last)) {
            if (gyre_compare_exchange_64(&group->control, here.control, evicted) == /* E10 */
                here.control)
                gyre__count_eviction(&producer->ring);
            continue;
        }
        if (lags_most(lag, here.pos))
            producer->slowest_group = i;
        if (is_retained(lag, here.pos))
            *last = here;
    }
}

/* True if the seat's cursor counts: a reliable consumer's, or a member's that holds a claim. */
bool gyre__seat_counts(const struct gyre_ring *ring, uint32_t idx, uint64_t control)
{
    const struct gyre_shared_seat *seat = &ring->seats[idx];
    uint32_t                       state = gyre__seat_state(control);
    uint64_t                       end_pos;

    if (gyre__seat_kind(control) != GYRE_RELIABLE)
        return false;
    if (gyre_load_relaxed_32(&seat->group) == 0)
        return state == GYRE_SEAT_ACTIVE;
    return (state == GYRE_SEAT_ACTIVE || state == GYRE_SEAT_ORPHANED) &&
           gyre__claim_is_held(ring, idx, &end_pos);
}

/* Whoever broke the rules loses its seat, and everybody can see that it happened. */
static void punish(struct gyre_ring *ring, uint32_t seat_idx, uint64_t control)
{
    if (gyre__evict(ring, seat_idx, control))
        gyre__count_eviction(ring);
}

/*
 * The smallest cursor of the reliable consumers, or `published` if there is none.  A cursor before
 * the horizon is a joiner's that chose too late and will choose again (E5); of an occupant that was
 * believed before it is a step back.
 */
static uint64_t slowest_cursor(struct gyre_producer *producer, uint64_t published, uint64_t horizon)
{
    struct gyre_ring *ring = &producer->ring;
    struct lag        lag = {published, horizon, 0};

    producer->slowest_idx = GYRE_NO_INDEX;
    producer->slowest_group = GYRE_NO_INDEX;
    look_at_groups(producer, &lag);
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        struct gyre_shared_seat *seat = &ring->seats[i];
        struct gyre_seat_seen    here = {gyre_load_acquire_64(&seat->control), 0}; /* E10 */
        if (!gyre__seat_counts(ring, i, here.control))
            continue;
        here.pos = gyre_load_acquire_64(&seat->released_pos); /* E2 E5 E6 E14 */
        if (!cursor_is_good(producer, &here, &producer->seen[i])) {
            punish(ring, i, here.control);
            continue;
        }
        if (lags_most(&lag, here.pos))
            producer->slowest_idx = i;
        if (is_retained(&lag, here.pos))
            producer->seen[i] = here;
        GYRE_FAULT(credit_scan);
    }
    return published - lag.max;
}

/*
 * Sets a landmark at the end of what is published, if the last one is far enough behind or about to
 * be overwritten.  It is a frame boundary for good: a producer that dies leaves the next one there.
 */
static void set_landmark(struct gyre_producer *producer, uint64_t horizon)
{
    struct gyre_mark mark = published_mark(producer);
    uint64_t         step = producer->ring.geometry.capacity / GYRE_LANDMARK_STEPS;

    if (mark.pos - producer->mark_pos < step && !gyre__pos_after(horizon, producer->mark_pos))
        return;
    producer->mark_idx = (producer->mark_idx + 1) % GYRE_LANDMARK_COUNT;
    producer->mark_pos = mark.pos;
    gyre__mark_write(&producer->ring, producer->mark_idx, &mark);
}

/*
 * Raises the limit to at least `need_pos` if the consumers allow it.  The horizon is announced
 * before the seats are read for the second time, and a joiner stores its seat before it reads the
 * horizon: one of the two sees the other (E5).
 */
static bool refresh_credit(struct gyre_producer *producer, uint64_t need_pos)
{
    struct gyre_shared_front *front = producer->ring.front;
    uint64_t                  capacity = producer->fast.mask + 1;
    uint64_t                  published = producer->fast.published_pos;
    uint64_t                  old_limit = producer->fast.limit_pos;
    uint64_t                  want = producer->fast.claim_pos + capacity / GYRE_LANDMARK_STEPS;
    uint64_t limit = slowest_cursor(producer, published, old_limit - capacity) + capacity;
    uint64_t again;

    if (gyre__pos_after(need_pos, want))
        want = need_pos;
    if (gyre__pos_after(limit, want))
        limit = want;
    if (gyre__pos_after(need_pos, limit))
        return false;
    if (!gyre__pos_after(limit, old_limit))
        return true;
    set_landmark(producer, limit - capacity);
    gyre_store_release_64(&front->horizon_pos, limit - capacity); /* E5 E7 */
    gyre_fence_full();                                            /* E5 */
    GYRE_FAULT(credit_announced);
    again = slowest_cursor(producer, published, old_limit - capacity) + capacity;
    if (gyre__pos_after(limit, again)) { /* a newcomer: fall back to what it needs */
        limit = again;
        gyre_store_release_64(&front->horizon_pos, limit - capacity); /* E5 E7 */
    }
    gyre_store_release_64(&front->granted_pos, limit - capacity); /* E5 E7 */
    gyre_fence_release();                                         /* E7 */
    GYRE_FAULT(credit_granted);
    producer->fast.limit_pos = limit;
    gyre__relax_fence(producer);
    return !gyre__pos_after(need_pos, limit);
}

/* Where a frame for `size` bytes would end, and where it would begin: behind padding, perhaps. */
static uint64_t plan_frame(const struct gyre_producer *producer, uint32_t size, uint64_t *begin)
{
    const struct gyre_fast_producer *fast = &producer->fast;
    uint64_t                         lap_end = (fast->claim_pos | fast->mask) + 1;
    uint64_t                         frame = gyre__frame_size(size, fast->align_mask);

    *begin = gyre__pos_after(fast->claim_pos + frame, lap_end) ? lap_end : fast->claim_pos;
    return *begin + frame;
}

bool gyre__has_room(struct gyre_producer *producer, uint32_t size, uint64_t *need_pos)
{
    uint64_t begin, now;

    /* Behind the frame there is always room for the zero that ends the stream. */
    *need_pos = plan_frame(producer, size, &begin) + producer->fast.align_mask + 1;
    if (!gyre__pos_after(*need_pos, producer->fast.limit_pos) ||
        refresh_credit(producer, *need_pos))
        return true;
    now = sync_clock_now_ns();
    if (now >= producer->dead_check_ns) {
        producer->dead_check_ns = now + GYRE_DEAD_CHECK_NS;
        if (gyre__recover_slowest(producer) && refresh_credit(producer, *need_pos))
            return true;
    }
    return producer->stalls != NULL && gyre__evict_stalled(producer, *need_pos, now) &&
           refresh_credit(producer, *need_pos);
}

/* Writes the header of a claimed frame, or withholds it if the frame is the batch's first. */
static void put_header(struct gyre_fast_producer *fast, uint64_t pos, uint64_t header)
{
    if (pos == fast->published_pos)
        fast->first_header = header;
    else
        gyre_store_relaxed_64(gyre__header_at(fast->ring, pos & fast->mask), header); /* E1 */
}

void *gyre__claim_slow(struct gyre_producer *producer, uint32_t size)
{
    struct gyre_fast_producer *fast = &producer->fast;
    uint64_t                   align = fast->align_mask + 1;
    uint64_t                   frame_max = gyre__max_size(fast->mask + 1) + GYRE_FRAME_HEADER_SIZE;
    uint64_t                   begin, end, lap_end, need;

    if (producer->ring.is_forked || size > frame_max - GYRE_FRAME_HEADER_SIZE)
        return NULL;
    if (!gyre__has_room(producer, size, &need))
        return NULL;
    GYRE_FAULT(claim_room);
    end = plan_frame(producer, size, &begin);
    if (begin != fast->claim_pos) {
        uint64_t pad = begin - fast->claim_pos - GYRE_FRAME_HEADER_SIZE;
        put_header(fast, fast->claim_pos,
                   fast->seq << 32 | GYRE_FRAME_PUBLISHED | GYRE_FRAME_PADDING | pad);
        GYRE_FAULT(claim_pad);
    }
    put_header(fast, begin, fast->seq << 32 | GYRE_FRAME_PUBLISHED | size);
    fast->seq++;
    fast->claim_pos = end;
    fast->lap_base = (uintptr_t)fast->ring + (uintptr_t)(end & fast->mask) - (uintptr_t)end;
    lap_end = (end | fast->mask) + 1;
    fast->open_pos = fast->limit_pos - align;
    if (gyre__pos_after(fast->open_pos, lap_end))
        fast->open_pos = lap_end;
    if (gyre__pos_after(fast->open_pos, end + frame_max)) /* in rings of 32 GiB and more */
        fast->open_pos = end + frame_max;
    return fast->ring + (begin & fast->mask) + GYRE_FRAME_HEADER_SIZE;
}

/* Word by word up to a line, then the lines that are whole. */
void gyre__zero_lines(struct gyre_producer *producer, uint64_t pos, uint64_t end)
{
    struct gyre_fast_producer *fast = &producer->fast;

    end -= end % GYRE_ZERO_LINE;
    for (; gyre__pos_after(end, pos) && pos % GYRE_ZERO_LINE != 0; pos += fast->align_mask + 1)
        gyre_store_relaxed_64(gyre__header_at(fast->ring, pos & fast->mask),
                              0); /* for a later E1 */
    for (; gyre__pos_after(end, pos); pos += GYRE_ZERO_LINE)
        gyre_store_relaxed_zeros(gyre__header_at(fast->ring, pos & fast->mask)); /* likewise */
    fast->zero_pos = pos;
}

/*
 * In a forked child: every claim takes the slow path, which refuses; every publish finds nothing.
 */
static void forget_producer(struct gyre_ring *ring)
{
    struct gyre_producer *producer =
        (void *)((unsigned char *)ring - offsetof(struct gyre_producer, ring));

    producer->fast.open_pos = producer->fast.claim_pos;
    producer->fast.published_pos = producer->fast.claim_pos;
}

/* What is kept of each seat. */
static bool make_tables(struct gyre_producer *producer)
{
    uint32_t seats = producer->ring.geometry.seat_count;

    producer->bells = calloc(seats, sizeof(*producer->bells));
    producer->seen = calloc(seats, sizeof(*producer->seen));
    if (producer->stall_timeout_ns != 0)
        producer->stalls = calloc(seats + GYRE_GROUP_COUNT, sizeof(*producer->stalls));
    return producer->bells != NULL && producer->seen != NULL &&
           (producer->stalls != NULL || producer->stall_timeout_ns == 0);
}

static void free_tables(struct gyre_producer *producer)
{
    free(producer->stalls);
    free(producer->seen);
    free(producer->bells);
}

enum gyre_status gyre_producer_open(const char *name, const struct gyre_ring_options *options,
                                    struct gyre_producer **producer, struct gyre_error *error)
{
    struct gyre_error        ignored;
    struct gyre_ring_options checked;
    struct gyre_producer    *made;
    enum gyre_status         status;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (producer == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "producer");
    if (!gyre__name_is_good(name))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "name");
    status = gyre__check_ring_options(options, &checked, error);
    if (status != GYRE_OK)
        return status;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
    made->wait = checked.wait;
    made->spin = gyre__spin_from(checked.spin_ns);
    made->stall_timeout_ns = checked.stall_timeout_ns;
    made->ring.forget = forget_producer;
    status = gyre__ring_obtain(&made->ring, name, &checked, error);
    if (status == GYRE_OK) {
        status = make_tables(made) ? gyre__watch_consumers(made, checked.watch, error)
                                   : sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
        if (status == GYRE_OK)
            status = gyre__take_over(made, error);
        if (status != GYRE_OK) {
            free_tables(made);
            gyre__ring_close(&made->ring);
        }
    }
    if (status != GYRE_OK) {
        free(made);
        return status;
    }
    *producer = made;
    memset(error, 0, sizeof(*error)); /* what was expected to fail */
    return GYRE_OK;
}

void gyre_producer_close(struct gyre_producer *producer)
{
    struct gyre_shared_front *front;
    struct gyre_mark          end;

    if (producer == NULL)
        return;
    if (!producer->ring.is_forked) {
        front = producer->ring.front;
        end = published_mark(producer);
        gyre_store_relaxed_64(&front->final_seq, end.seq);
        gyre_store_relaxed_64(&front->final_pos, end.pos);      /* E9 */
        gyre_store_release_32(&front->state, GYRE_RING_CLOSED); /* E9 */
        GYRE_FAULT(close_closed);
        gyre__wake_all(producer);
        GYRE_FAULT(close_woken);
        sync_lease_drop(producer->ring.site, SYNC_ROLE_PRODUCER);
    }
    for (uint32_t i = 0; i < producer->ring.geometry.seat_count; i++)
        sync_bell_close(&producer->bells[i].bell);
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++)
        sync_gate_close(&producer->gates[i]);
    free_tables(producer);
    gyre__ring_close(&producer->ring);
    free(producer);
}

uint32_t gyre_producer_max_size(const struct gyre_producer *producer)
{
    return gyre__max_size(producer->ring.geometry.capacity);
}

uint64_t gyre_producer_seq(const struct gyre_producer *producer)
{
    return producer->fast.seq;
}
