/*
 * wake.c - wake those who sleep: the waking half of edges E3 and E6.
 *
 * The schemes are told in sleep.c.
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
static bool ring_bell(struct gyre_producer *producer, uint32_t idx, uint64_t control)
{
    const struct gyre_seat_bell *known = &producer->bells[idx];
    bool                         is_open;

    if (known->control == control && known->retry_ns != 0 && sync_clock_now_ns() < known->retry_ns)
        return false; /* rung already, as far as that goes */
    is_open = open_bell(producer, idx, control);
    if (producer->bells[idx].bell.word != NULL)
        sync_bell_ring(&producer->bells[idx].bell);
    GYRE_FAULT(wake_rung);
    return is_open;
}

/* As above. */
static bool ring_seat(struct gyre_producer *producer, uint32_t idx)
{
    uint64_t control = gyre_load_acquire_64(&producer->ring.seats[idx].control); /* E10 */

    if (gyre__seat_state(control) != GYRE_SEAT_ACTIVE ||
        gyre_load_relaxed_32(&producer->ring.seats[idx].group) != 0) /* its group's business */
        return true;
    return ring_bell(producer, idx, control);
}

/* Who of a group sleeps, and how many of them at its gate. */
struct sleepers {
    uint64_t asleep[GYRE_BITMAP_WORDS];
    uint32_t at_bells;
    uint32_t at_gate;
};

static void count_sleepers(const struct gyre_ring *ring, uint32_t group_idx,
                           struct sleepers *sleepers)
{
    sleepers->at_bells = 0;
    sleepers->at_gate = 0;
    for (uint32_t i = 0; i < GYRE_BITMAP_WORDS; i++)
        sleepers->asleep[i] = gyre_load_acquire_64(&ring->groups[group_idx].asleep[i]); /* E16 */
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        if ((sleepers->asleep[i / 64] & gyre__seat_bit(i)) == 0)
            continue;
        if (gyre_load_relaxed_32(&ring->seats[i].wakes_by_bell) != 0)
            sleepers->at_bells++;
        else
            sleepers->at_gate++;
    }
}

/* Rings the bells of up to `count` members; each is taken off the list of sleepers for that. */
static uint32_t ring_members(struct gyre_producer *producer, uint32_t group_idx,
                             struct sleepers *sleepers, uint32_t count)
{
    struct gyre_ring *ring = &producer->ring;
    uint32_t          rung = 0;

    for (uint32_t i = 0; i < ring->geometry.seat_count && rung < count; i++) {
        struct gyre_shared_seat *seat = &ring->seats[i];
        uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
        if ((sleepers->asleep[i / 64] & gyre__seat_bit(i)) == 0 ||
            gyre_load_relaxed_32(&seat->wakes_by_bell) == 0)
            continue;
        gyre_and_64(&ring->groups[group_idx].asleep[i / 64], ~gyre__seat_bit(i)); /* E16 */
        if (gyre__seat_state(control) == GYRE_SEAT_ACTIVE && !ring_bell(producer, i, control)) {
            gyre_or_64(&ring->groups[group_idx].asleep[i / 64], gyre__seat_bit(i)); /* E16 */
            continue; /* no handle is left for it: the next message tries again */
        }
        sleepers->at_bells--;
        rung += gyre__seat_state(control) == GYRE_SEAT_ACTIVE;
    }
    return rung;
}

/*
 * `count` messages wake at most as many members.  Permits that nobody has taken yet wake somebody
 * already; they are counted after the sleepers, so that none is missed who took one in between.
 */
void gyre__wake_group(struct gyre_producer *producer, uint32_t group_idx, uint32_t count)
{
    struct gyre_ring         *ring = &producer->ring;
    struct gyre_shared_group *group = &ring->groups[group_idx];
    struct sync_gate         *gate = &producer->gates[group_idx];
    struct gyre_error         ignored = {GYRE_OK, 0, NULL, NULL};
    struct sleepers           sleepers;
    uint32_t                  permits, wanted;

    count_sleepers(ring, group_idx, &sleepers);
    if (sleepers.at_bells != 0)
        count -= ring_members(producer, group_idx, &sleepers, count);
    if (sleepers.at_gate != 0 &&
        (gate->word != NULL ||
         sync_gate_open(ring->site, group_idx, &group->permits, gate, &ignored) == GYRE_OK)) {
        permits = sync_gate_permits(gate); /* E16 */
        wanted = sleepers.at_gate > permits ? sleepers.at_gate - permits : 0;
        if (wanted > count)
            wanted = count;
        if (wanted != 0)
            sync_gate_post(gate, wanted);
        sleepers.at_gate -=
            permits + wanted < sleepers.at_gate ? permits + wanted : sleepers.at_gate;
    }
    if (sleepers.at_gate + sleepers.at_bells != 0)                     /* for the next message */
        gyre_or_64(&ring->sleepers->mask, gyre__group_bit(group_idx)); /* E16 */
}

/* Who cannot be rung stays a sleeper: the next publish tries again. */
static void ring_all(struct gyre_producer *producer, uint64_t mask, uint32_t count)
{
    struct gyre_ring *ring = &producer->ring;
    uint64_t          missed = 0;

    for (uint64_t left = mask; left != 0; left &= left - 1)
        for (uint32_t i = gyre__lowest_sleeper(left); i < ring->geometry.seat_count;
             i += GYRE_SLEEPERS_PER_WORD)
            if (!ring_seat(producer, i))
                missed |= gyre__sleeper_bit(i);
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++)
        if ((mask & gyre__group_bit(i)) != 0)
            gyre__wake_group(producer, i, count);
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
    mask &= ~GYRE_SLEEPERS_FENCE;
    if (mask == 0)
        return;
    for (uint64_t left = mask; left != 0; left &= left - 1)
        if (gyre__lowest_sleeper(left) < ring->geometry.seat_count)
            gyre_prefetch_write(&ring->seats[gyre__lowest_sleeper(left)]);
    /* In one step: consumers that change the word without end must not hold us in a loop. */
    gyre_and_64(&ring->sleepers->mask, ~mask); /* E3 */
    GYRE_FAULT(wake_taken);
    /* The messages that are being published, of which the first header has its number. */
    ring_all(producer, mask,
             (uint32_t)producer->fast.seq - (uint32_t)(producer->fast.first_header >> 32));
}

void gyre__wake_all(struct gyre_producer *producer)
{
    gyre_fence_full();                                                /* E12 */
    gyre_and_64(&producer->ring.sleepers->mask, GYRE_SLEEPERS_FENCE); /* E3 */
    ring_all(producer, ~GYRE_SLEEPERS_FENCE, GYRE_SEAT_LIMIT);
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

void gyre_consumer_interrupt(struct gyre_consumer *consumer)
{
    (void)gyre_exchange_32(&consumer->ring.is_interrupted, 1); /* E13 */
    if (consumer->member.gate.word != NULL)
        sync_gate_ring_bell(&consumer->member.gate, &consumer->bell);
    else if (consumer->bell.word != NULL)
        sync_bell_ring(&consumer->bell);
}
