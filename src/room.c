/*
 * room.c - the producer waits: for room (E6), or sends as soon as there is some, and for consumers.
 *
 * The schemes that make sure that the other side knows are told in sleep.c.
 */
#include "internal.h"

#include <string.h>

#include <gyre/atomic.h>

/* Where the producer is in its slices, on systems without a remote barrier. */
struct slices {
    uint32_t idx;
    bool     is_said; /* room_pos stands since the last slice */
};

/* True if the remote barrier of E6 reaches every consumer that holds us back. */
static bool all_registered(const struct gyre_ring *ring)
{
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        const struct gyre_shared_seat *seat = &ring->seats[i];
        if (gyre__seat_state(gyre_load_acquire_64(&seat->control)) == GYRE_SEAT_ACTIVE && /* E10 */
            gyre_load_relaxed_32(&seat->is_registered) == 0)
            return false;
    }
    return true;
}

/*
 * Says what cursor the producer waits for, and makes sure that releases know (E6).  Without a
 * barrier a longer slice goes on with what was said before the first, as a consumer's does.
 */
static uint64_t announce_block(struct gyre_producer *producer, uint64_t room_pos,
                               struct slices *slices)
{
    struct gyre_ring *ring = &producer->ring;

    if (slices->is_said && gyre_load_relaxed_32(&ring->room->bell) == 0) /* E6 */
        return gyre__slice_ns(slices->idx++);
    slices->idx = 0;
    sync_bell_clear(&ring->room_bell);
    gyre_store_relaxed_32(&ring->room->bell, 0);
    gyre_store_release_64(&ring->front->room_pos, room_pos); /* E6 */
    gyre_fence_full();                                       /* E6 */
    if (!sync_barrier_exists()) {
        gyre__let_settle();
        return gyre__slice_ns(slices->idx++);
    }
    return all_registered(ring) && sync_barrier_remote() /* E6 */ ? GYRE_LONG_SLICE_NS
                                                                  : GYRE_SHORT_SLICE_NS;
}

static bool is_reliable(uint64_t control)
{
    return gyre__seat_state(control) == GYRE_SEAT_ACTIVE &&
           gyre__seat_kind(control) == GYRE_RELIABLE;
}

/*
 * True if all that the producer waited for was freed and nobody rings: a lost wake-up.  A release
 * that comes in the very moment in which the slice ends is none: in tests its ring is given time.
 */
static bool is_missed(struct gyre_producer *producer, uint64_t room_pos)
{
    struct gyre_ring *ring = &producer->ring;

    if (producer->slowest_group != GYRE_NO_INDEX)
        return false; /* its members work on what they claimed: nobody says how long */
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        const struct gyre_shared_seat *seat = &ring->seats[i];
        uint64_t                       control = gyre_load_acquire_64(&seat->control); /* E10 */
        if (is_reliable(control) &&
            gyre__pos_after(room_pos, gyre_load_acquire_64(&seat->released_pos))) /* E6 */
            return false;
    }
    return gyre__ring_grace_ns == 0 ||
           sync_bell_wait(&ring->room_bell, ring->site, SYNC_ROLE_NONE,
                          sync_clock_now_ns() + gyre__ring_grace_ns) != SYNC_RUNG;
}

/* What a wait of the producer is for: `is_met` looks, without a system call. */
struct producer_wait {
    bool (*is_met)(struct gyre_producer *producer, uint32_t wanted, uint64_t *need_pos);
    uint32_t wanted;
};

bool gyre__has_consumers(struct gyre_producer *producer, uint32_t wanted)
{
    struct gyre_ring *ring = &producer->ring;
    uint32_t          count = 0;

    for (uint32_t i = 0; i < ring->geometry.seat_count && count < wanted; i++)
        if (is_reliable(gyre_load_acquire_64(&ring->seats[i].control))) /* E10 */
            count++;
    if (count < wanted)
        return false;
    /* Enough seats are taken: those of the dead do not count. */
    count = 0;
    for (uint32_t i = 0; i < ring->geometry.seat_count && count < wanted; i++) {
        const uint64_t *control = &ring->seats[i].control;
        uint64_t        seen = gyre_load_acquire_64(control); /* E10 */
        if (is_reliable(seen) && !gyre__evict_if_dead(ring, i) &&
            gyre_load_acquire_64(control) == seen) /* E10: else a dead member left a claim */
            count++;
    }
    return count >= wanted;
}

static bool has_consumers(struct gyre_producer *producer, uint32_t wanted, uint64_t *need_pos)
{
    *need_pos = producer->fast.claim_pos + 1;
    producer->slowest_idx = GYRE_NO_INDEX;
    producer->slowest_group = GYRE_NO_INDEX;
    return gyre__has_consumers(producer, wanted);
}

/*
 * The cursor to wait for.  A quarter of the ring beyond what is needed, so that a consumer that
 * goes on reading does not wake us for each message; a consumer that goes to sleep rings in any
 * case.
 */
static uint64_t room_target(const struct gyre_producer *producer, uint64_t need_pos)
{
    uint64_t capacity = producer->ring.geometry.capacity;
    uint64_t target = need_pos - capacity + capacity / 4;
    uint64_t published = producer->fast.published_pos;

    if (gyre__pos_after(target, published))
        target = published;
    return target != 0 ? target : 1;
}

static bool spin_met(struct gyre_producer *producer, const struct producer_wait *wait,
                     uint64_t until_ns)
{
    uint64_t need_pos;
    uint32_t pauses = 1;

    do {
        if (wait->is_met(producer, wait->wanted, &need_pos))
            return true;
        for (uint32_t i = 0; i < pauses; i++)
            gyre_pause();
        if (pauses < GYRE_PAUSES_MAX)
            pauses++;
        if (gyre_load_relaxed_32(&producer->ring.is_interrupted) != 0)
            return false;
    } while (sync_clock_now_ns() < until_ns);
    return false;
}

/* Who is watched: whoever holds us back, unless it is dead already and waits for an heir. */
static uint32_t slowest_role(const struct gyre_producer *producer)
{
    uint32_t idx = producer->slowest_idx;

    if (idx == GYRE_NO_INDEX ||
        gyre__seat_state(gyre_load_acquire_64(&producer->ring.seats[idx].control)) != /* E10 */
            GYRE_SEAT_ACTIVE)
        return SYNC_ROLE_NONE;
    return SYNC_ROLE_SEAT(idx);
}

/*
 * Who holds us back and is dead already, as one that was killed while it was awake mostly is, costs
 * no slice.  Several may have died together; nobody who writes seats full again holds us for ever.
 */
static bool meet_by_deaths(struct gyre_producer *producer, const struct producer_wait *wait)
{
    uint32_t limit = producer->ring.geometry.seat_count + GYRE_GROUP_COUNT;
    uint64_t need_pos;

    for (uint32_t i = 0; i < limit && gyre__recover_slowest(producer); i++)
        if (wait->is_met(producer, wait->wanted, &need_pos))
            return true;
    return false;
}

/* One sleep of the producer. */
static bool block_once(struct gyre_producer *producer, const struct producer_wait *wait,
                       struct slices *slices, uint64_t deadline_ns)
{
    struct gyre_ring *ring = &producer->ring;
    enum sync_wake    woken = SYNC_RUNG;
    uint64_t          evicted = gyre_load_relaxed_64(&ring->front->evicted_count);
    uint64_t          need_pos, room_pos, slice;
    bool              is_met = wait->is_met(producer, wait->wanted, &need_pos);

    if (is_met || meet_by_deaths(producer, wait))
        return true;
    room_pos = room_target(producer, need_pos);
    slice = announce_block(producer, room_pos, slices);
    GYRE_FAULT(room_blocked);
    is_met = wait->is_met(producer, wait->wanted, &need_pos); /* E6 */
    if (!is_met && gyre_load_relaxed_32(&ring->is_interrupted) == 0) {
        uint64_t until;
        slice = gyre__sooner(slice, gyre__stall_slice_ns(producer));
        until = gyre__sooner(deadline_ns, sync_clock_now_ns() + slice);
        producer->sleep_count++;
        GYRE_FAULT(room_sleep);
        woken = sync_bell_wait(&ring->room_bell, ring->site, slowest_role(producer), until);
        if (woken == SYNC_TIMED_OUT && wait->is_met(producer, wait->wanted, &need_pos) &&
            gyre_load_relaxed_64(&ring->front->evicted_count) == evicted)
            producer->missed_count += is_missed(producer, room_pos);
        if (woken != SYNC_RUNG)
            (void)gyre__recover_slowest(producer);
    }
    slices->is_said = woken == SYNC_TIMED_OUT && !sync_barrier_exists();
    if (!slices->is_said)
        gyre_store_relaxed_64(&ring->front->room_pos, 0);
    return is_met || wait->is_met(producer, wait->wanted, &need_pos);
}

static enum gyre_status wait_met(struct gyre_producer *producer, const struct producer_wait *wait,
                                 uint64_t deadline_ns)
{
    struct slices    slices = {0, false};
    enum gyre_status status = GYRE_OK;
    uint64_t         need_pos, began = 0;
    bool             is_met = wait->is_met(producer, wait->wanted, &need_pos);

    while (!is_met) {
        uint64_t now = deadline_ns == 0 ? 0 : sync_clock_now_ns();
        if (gyre__take_interrupt(&producer->ring))
            status = GYRE_INTERRUPTED;
        else if (now >= deadline_ns)
            status = GYRE_TIMEOUT;
        if (status != GYRE_OK)
            break;
        began = began != 0 ? began : now;
        is_met = producer->wait != GYRE_WAIT_SLEEP &&
                 spin_met(producer, wait, gyre__sooner(deadline_ns, now + producer->spin.ns));
        if (!is_met && producer->wait != GYRE_WAIT_SPIN)
            is_met = block_once(producer, wait, &slices, deadline_ns);
    }
    if (slices.is_said)
        gyre_store_relaxed_64(&producer->ring.front->room_pos, 0);
    if (began != 0)
        gyre__spin_learn(&producer->spin, is_met, began);
    return status;
}

enum gyre_status gyre_wait_room(struct gyre_producer *producer, uint32_t size, uint64_t deadline_ns)
{
    const struct producer_wait wait = {gyre__has_room, size};

    if (producer->ring.is_forked)
        return GYRE_FORKED;
    if (size > gyre_producer_max_size(producer))
        return GYRE_TOO_LARGE;
    return wait_met(producer, &wait, deadline_ns);
}

enum gyre_status gyre_send(struct gyre_producer *producer, const void *message, uint32_t size,
                           uint64_t deadline_ns)
{
    void *payload;

    while ((payload = gyre_claim(producer, size)) == NULL) {
        enum gyre_status status = gyre_wait_room(producer, size, deadline_ns);
        if (status != GYRE_OK)
            return status;
    }
    if (size != 0)
        memcpy(payload, message, size);
    gyre_publish(producer);
    return GYRE_OK;
}

enum gyre_status gyre_producer_wait_consumers(struct gyre_producer *producer, uint32_t count,
                                              uint64_t deadline_ns)
{
    const struct producer_wait wait = {has_consumers, count};

    if (producer->ring.is_forked)
        return GYRE_FORKED;
    return wait_met(producer, &wait, deadline_ns);
}

void gyre_producer_interrupt(struct gyre_producer *producer)
{
    (void)gyre_exchange_32(&producer->ring.is_interrupted, 1); /* E13 */
    sync_bell_ring(&producer->ring.room_bell);
}
