/*
 * wake.c - wake those who sleep: the waking half of edges E3 and E6.
 *
 * The schemes are told in wait.c.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define POLLABLE_RETRY_NS UINT64_C(1000000)

void gyre__ring_room(struct gyre_ring *ring)
{
    uint32_t *word = &ring->room->bell;

    /* One ring is enough until the producer clears the word before its next sleep. */
    if (gyre_load_relaxed_32(word) == 0 && gyre_exchange_32(word, 1) == 0) /* E6 */
        sync_bell_ring(&ring->room_bell);
}

void gyre__room_freed(struct gyre_consumer *consumer)
{
    gyre__ring_room(&consumer->ring);
}

/*
 * A FIFO that is not there or finds no descriptor is tried again, for the same occupant once in a
 * while only: a consumer that says it has one and has none must not cost calls at each publish.
 */
static bool make_pollable(struct gyre_producer *producer, uint32_t idx)
{
    struct gyre_seat_bell *known = &producer->bells[idx];
    struct gyre_error      ignored = {GYRE_OK, 0, NULL, NULL};

    if (sync_bell_make_pollable(producer->ring.site, SYNC_BELL_SEAT(idx), false, &known->bell,
                                &ignored) == GYRE_OK)
        return true;
    known->retry_ns = sync_clock_now_ns() + POLLABLE_RETRY_NS;
    return false;
}

/* Opens the bell of a seat's occupant, unless it is open: the successor's handle is another one. */
static bool open_bell(struct gyre_producer *producer, uint32_t idx, uint64_t control)
{
    struct gyre_shared_seat *seat = &producer->ring.seats[idx];
    struct gyre_seat_bell   *known = &producer->bells[idx];
    struct sync_site        *site = producer->ring.site;
    struct gyre_error        ignored = {GYRE_OK, 0, NULL, NULL};
    bool                     is_pollable = gyre_load_acquire_32(&seat->is_pollable) != 0; /* E3 */

    if (known->control != control) {
        if (known->bell.word != NULL)
            sync_bell_close(&known->bell);
        known->retry_ns = 0;
    }
    known->control = control;
    if (known->bell.word == NULL &&
        sync_bell_open(site, SYNC_BELL_SEAT(idx), &seat->bell, &known->bell, &ignored) != GYRE_OK)
        return false;
    return !is_pollable || make_pollable(producer, idx);
}

/* False: no handle is left for the bell, and its owner may still sleep. */
static bool ring_seat(struct gyre_producer *producer, uint32_t idx)
{
    const struct gyre_seat_bell *known = &producer->bells[idx];
    uint64_t control = gyre_load_acquire_64(&producer->ring.seats[idx].control); /* E10 */
    bool     is_open;

    if (gyre__seat_state(control) != GYRE_SEAT_ACTIVE)
        return true;
    if (known->control == control && known->retry_ns != 0 && sync_clock_now_ns() < known->retry_ns)
        return false; /* rung already, as far as that goes */
    is_open = open_bell(producer, idx, control);
    if (producer->bells[idx].bell.word != NULL)
        sync_bell_ring(&producer->bells[idx].bell);
    return is_open;
}

/* Who cannot be rung stays a sleeper: the next publish tries again. */
static void ring_all(struct gyre_producer *producer, uint64_t mask)
{
    struct gyre_ring *ring = &producer->ring;
    uint64_t          missed = 0;

    for (uint32_t i = 0; i < ring->geometry.seat_count; i++)
        if ((mask & gyre__sleeper_bit(i)) != 0 && !ring_seat(producer, i))
            missed |= gyre__sleeper_bit(i);
    if (missed != 0)
        gyre_or_64(&ring->sleepers->mask, missed); /* E3 */
}

void gyre__wake_sleepers(struct gyre_producer *producer)
{
    struct gyre_ring *ring = &producer->ring;
    uint64_t          mask = gyre_load_relaxed_64(&ring->sleepers->mask); /* E3 */

    if ((mask & GYRE_SLEEPERS_FENCE) != 0) {
        gyre_fence_full();                                  /* E3, the fence mode */
        gyre_store_release_32(&ring->front->fence_ack, 1);  /* E12 */
        mask = gyre_load_relaxed_64(&ring->sleepers->mask); /* E3 */
    }
    if ((mask & ~GYRE_SLEEPERS_FENCE) == 0)
        return;
    /* In one step: consumers that change the word without end must not hold us in a loop. */
    gyre_and_64(&ring->sleepers->mask, ~mask | GYRE_SLEEPERS_FENCE); /* E3 */
    ring_all(producer, mask);
}

void gyre__wake_all(struct gyre_producer *producer)
{
    gyre_fence_full();                                                /* E12 */
    gyre_and_64(&producer->ring.sleepers->mask, GYRE_SLEEPERS_FENCE); /* E3 */
    ring_all(producer, ~GYRE_SLEEPERS_FENCE);
}

static bool needs_fence(const struct gyre_ring *ring)
{
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        const struct gyre_shared_seat *seat = &ring->seats[i];
        if (gyre_load_relaxed_32(&seat->needs_fence) != 0 &&
            gyre__seat_state(gyre_load_acquire_64(&seat->control)) == GYRE_SEAT_ACTIVE) /* E10 */
            return true;
    }
    return false;
}

/*
 * The ack falls before the bit and the seats are read once more after it: a consumer that set its
 * needs_fence in between is seen, or sees the ack gone and sleeps in short slices.
 */
void gyre__relax_fence(struct gyre_producer *producer)
{
    struct gyre_ring *ring = &producer->ring;

    if (gyre_load_relaxed_32(&ring->front->fence_ack) == 0 ||
        (ring->geometry.options & GYRE_OPTION_STRICT_WAKE) != 0 || needs_fence(ring))
        return;
    gyre_store_release_32(&ring->front->fence_ack, 0);        /* E12 */
    gyre_fence_full();                                        /* E12 */
    gyre_and_64(&ring->sleepers->mask, ~GYRE_SLEEPERS_FENCE); /* E12 */
    if (needs_fence(ring)) {
        gyre_or_64(&ring->sleepers->mask, GYRE_SLEEPERS_FENCE); /* E12 */
        gyre_store_release_32(&ring->front->fence_ack, 1);      /* E12 */
    }
}
