/*
 * loop.c - a consumer in somebody else's event loop: the handle, and how it is armed.
 *
 * The loop sleeps, not we: arming does what a sleep of sleep.c does up to the sleep itself.
 */
#include "internal.h"

#include <gyre/atomic.h>

enum gyre_status gyre__make_pollable(struct gyre_consumer *consumer, struct gyre_error *error)
{
    enum gyre_status status;

    if (consumer->ring.is_forked)
        return gyre__blame(error, GYRE_FORKED, "consumer");
    if (consumer->seat == NULL)
        return gyre__blame(error, GYRE_UNSUPPORTED, "kind"); /* nobody rings for a tap */
    status = sync_bell_make_pollable(consumer->ring.site, SYNC_BELL_SEAT(consumer->seat_idx), true,
                                     &consumer->bell, error);
    if (status == GYRE_OK)
        gyre_store_release_32(&consumer->seat->is_pollable, 1); /* E3 */
    return status;
}

enum gyre_status gyre_consumer_handle(struct gyre_consumer *consumer, intptr_t *handle,
                                      struct gyre_error *error)
{
    struct gyre_error ignored;
    enum gyre_status  status;

    if (error == NULL)
        error = &ignored;
    *error = (struct gyre_error){GYRE_OK, 0, NULL, NULL};
    if (handle == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "handle");
    status = gyre__make_pollable(consumer, error);
    if (status == GYRE_OK)
        *handle = sync_bell_handle(&consumer->bell);
    return status;
}

/* Words that others may write must not hold us, who promised not to sleep. */
#define ARM_ROUNDS 100u

enum gyre_status gyre_consumer_arm(struct gyre_consumer *consumer, uint64_t *rearm_ns)
{
    enum gyre_status status = gyre__consumer_poll(consumer);
    uint64_t         limit;

    if (status == GYRE_TIMEOUT && consumer->seat == NULL) {
        *rearm_ns = sync_clock_now_ns() + gyre__tap_limit_ns(consumer);
        return status;
    }
    if (consumer->member.is_at_gate)
        gyre__end_slices(consumer);
    consumer->member.is_at_gate = false;
    if (status == GYRE_TIMEOUT && gyre__is_told(consumer))
        status = gyre__tell_death(consumer, gyre__watched_epoch(consumer));
    for (uint32_t i = 0; status == GYRE_TIMEOUT; i++) {
        gyre__say_asleep(consumer);
        limit = gyre__sleep_limit_ns(consumer, gyre__barrier());
        if (i == ARM_ROUNDS)
            limit = GYRE_SHORT_SLICE_NS;
        if (i == ARM_ROUNDS || !gyre__must_look(consumer)) {
            consumer->is_slicing = !sync_barrier_exists();
            /* A member looks after the others as well. */
            *rearm_ns = sync_barrier_exists() && limit == GYRE_LONG_SLICE_NS &&
                                consumer->member.group == NULL
                            ? GYRE_FOREVER
                            : sync_clock_now_ns() + limit;
            return GYRE_TIMEOUT;
        }
        gyre__say_awake(consumer);
        status = gyre__is_told(consumer) ? gyre__tell_death(consumer, gyre__watched_epoch(consumer))
                                         : gyre__consumer_poll(consumer);
    }
    consumer->slice_idx = 0;
    return status;
}
