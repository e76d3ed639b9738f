/*
 * watch.c - deaths told at once: what the watching thread looks for, and whom it wakes.
 *
 * It runs beside the thread that has the handle.  Of the handle it reads what does not change while
 * it is open, and it writes told_epoch and a bell of its own.  Leases decide, as everywhere, and
 * whoever is woken looks for himself: this thread takes nothing from the living and no lease.
 */
#include "internal.h"

#include <gyre/atomic.h>

static void look_for_consumers(void *context)
{
    struct gyre_producer *producer = context;

    if (gyre__clear_dead(&producer->ring, NULL, NULL))
        sync_bell_ring(&producer->ring.room_bell);
}

static void ring_owner(struct gyre_consumer *consumer)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};
    struct sync_bell *bell = &consumer->watch_bell;
    uint32_t          which = SYNC_BELL_SEAT(consumer->seat_idx);

    if (bell->word == NULL && sync_bell_open(consumer->ring.site, which, &consumer->seat->bell,
                                             bell, &ignored) != GYRE_OK)
        return;
    if (gyre_load_acquire_32(&consumer->seat->is_pollable) != 0) /* E3 */
        (void)sync_bell_make_pollable(consumer->ring.site, which, false, bell, &ignored);
    if (consumer->member.group != NULL)
        sync_gate_ring_bell(&consumer->member.gate, bell);
    else
        sync_bell_ring(bell);
}

/* The epoch is told only if its producer was dead while it was the last one. */
static bool is_producer_dead(struct gyre_consumer *consumer)
{
    const struct gyre_shared_front *front = consumer->ring.front;
    uint32_t                        epoch = gyre_load_acquire_32(&front->epoch); /* E11 */

    if (gyre_load_acquire_32(&front->state) != GYRE_RING_ACTIVE || /* E11 */
        gyre_load_relaxed_32(&consumer->told_epoch) == epoch ||
        !sync_lease_is_free(consumer->ring.site, SYNC_ROLE_PRODUCER) ||
        gyre_load_acquire_32(&front->epoch) != epoch) /* E11 */
        return false;
    (void)gyre_exchange_32(&consumer->told_epoch, epoch); /* E13 */
    return true;
}

static void look_for_producer(void *context)
{
    struct gyre_consumer           *consumer = context;
    const struct gyre_shared_group *group = consumer->member.group;
    bool                            is_any = is_producer_dead(consumer);

    if (group != NULL && gyre__clear_dead(&consumer->ring, consumer->seat, group))
        is_any = true; /* it may have left a claim */
    if (is_any)
        ring_owner(consumer);
}

uint32_t gyre__watched_epoch(const struct gyre_consumer *consumer)
{
    const struct gyre_shared_front *front = consumer->ring.front;
    uint32_t                        epoch = gyre_load_acquire_32(&front->epoch); /* E11 */

    if (gyre_load_acquire_32(&front->state) != GYRE_RING_ACTIVE || /* E11 */
        consumer->orphan_epoch == epoch)
        return 0;
    return epoch;
}

bool gyre__is_told(const struct gyre_consumer *consumer)
{
    uint32_t epoch = gyre_load_acquire_32(&consumer->told_epoch); /* E13 */

    return epoch != 0 && epoch == gyre__watched_epoch(consumer);
}

enum gyre_status gyre__watch_consumers(struct gyre_producer *producer, uint32_t watch,
                                       struct gyre_error *error)
{
    if (watch == GYRE_WATCH_SLICES)
        return GYRE_OK;
    return sync_watch_open(producer->ring.site, look_for_consumers, producer, &producer->ring.watch,
                           error);
}

enum gyre_status gyre__watch_producer(struct gyre_consumer *consumer, struct gyre_error *error)
{
    return sync_watch_open(consumer->ring.site, look_for_producer, consumer, &consumer->ring.watch,
                           error);
}
