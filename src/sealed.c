/*
 * sealed.c - rings without a name: given to one process, opened by it.
 *
 * It knows nothing of how they are given; sync/ does.
 */
#include "internal.h"

#include <string.h>

enum gyre_status gyre_ring_share(struct gyre_producer *producer, enum gyre_consumer_kind kind,
                                 intptr_t to, intptr_t *ticket, struct gyre_error *error)
{
    struct gyre_error ignored;
    struct gyre_ring *ring = &producer->ring;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (ticket == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "ticket");
    if (kind > GYRE_TAP)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "kind");
    if (ring->is_forked)
        return gyre__blame(error, GYRE_FORKED, "producer");
    return sync_site_share(ring->site, &ring->data, kind == GYRE_TAP ? NULL : &ring->ctrl, to,
                           ticket, error);
}

enum gyre_status gyre_consumer_adopt(intptr_t from, const struct gyre_consumer_options *options,
                                     struct gyre_consumer **consumer, struct gyre_error *error)
{
    struct gyre_error ignored;
    struct sync_place place = {.name = "", .is_sealed = true, .from = from};

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    return gyre__consumer_open_at(&place, options, consumer, error);
}
