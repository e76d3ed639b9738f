/*
 * inspect.c - look at a ring without joining it, list the rings, remove one.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#define LOOK_TRIES 100

/* The oldest retained frame and the end of what is published, as they were at some moment. */
static bool find_ends(const struct gyre_ring *ring, struct gyre_mark *oldest, struct gyre_mark *end)
{
    uint64_t limit_size = GYRE_WALK_LAPS * ring->geometry.capacity;
    uint64_t walk_size = 0;

    for (uint32_t i = 0; i < LOOK_TRIES && walk_size <= limit_size; i++) {
        struct gyre_mark begin;
        uint32_t         idx;
        bool             is_good;
        if (!gyre__mark_oldest(ring, oldest) || !gyre__mark_newest(ring, &begin, &idx))
            continue;
        *end = begin;
        is_good = gyre__mark_walk(ring, end, UINT64_MAX);
        gyre_fence_acquire(); /* E7 */
        walk_size += end->pos - begin.pos;
        if (!gyre__pos_after(gyre_load_relaxed_64(&ring->front->horizon_pos), begin.pos)) /* E7 */
            return is_good; /* what nobody has overwritten and is no frame never was one */
    }
    return false;
}

static void describe_seat(const struct gyre_ring *ring, uint32_t idx, uint64_t control,
                          struct gyre_seat_info *info)
{
    const struct gyre_shared_seat  *seat = &ring->seats[idx];
    const struct gyre_shared_group *group = gyre__seat_group(ring, seat);
    uint64_t                        bit = gyre__sleeper_bit(idx);
    const uint64_t                 *asleep = &ring->sleepers->mask;

    if (group != NULL) { /* the bit in the mask is the group's, and stays */
        bit = gyre__seat_bit(idx);
        asleep = &group->asleep[idx / 64];
    }
    memset(info, 0, sizeof(*info));
    info->seat_idx = idx;
    info->kind = gyre__seat_kind(control);
    info->is_alive = !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(idx));
    info->is_asleep = (gyre_load_relaxed_64(asleep) & bit) != 0;
    info->is_evicted = gyre__seat_state(control) == GYRE_SEAT_EVICTED;
    info->pid = gyre_load_relaxed_32(&seat->pid);
    info->lag_bytes = gyre_load_acquire_64(&seat->released_pos); /* E10 */
    info->is_orphaned = gyre__seat_state(control) == GYRE_SEAT_ORPHANED;
    if (group != NULL)
        memcpy(info->group, group->name, sizeof(info->group) - 1);
    info->lost_count = gyre_load_relaxed_64(&seat->lost_count);
    info->sleep_count = gyre_load_relaxed_64(&seat->sleep_count);
    info->missed_count = gyre_load_relaxed_64(&seat->missed_count);
}

/* The lag holds a cursor until the end is known: read first, so that no lag comes out negative. */
static uint32_t describe_seats(const struct gyre_ring *ring, struct gyre_seat_info *seats,
                               uint32_t capacity)
{
    uint32_t taken = 0;

    if (ring->seats == NULL)
        return 0;
    for (uint32_t i = 0; i < ring->geometry.seat_count && taken < capacity; i++) {
        uint64_t control = gyre_load_acquire_64(&ring->seats[i].control); /* E10 */
        if (gyre__seat_state(control) != GYRE_SEAT_FREE)
            describe_seat(ring, i, control, &seats[taken++]);
    }
    return taken;
}

static void describe_ring(const struct gyre_ring *ring, struct gyre_ring_info *info)
{
    const struct gyre_shared_front *front = ring->front;
    uint32_t                        size = info->size;

    memset(info, 0, size);
    info->size = size;
    info->capacity = ring->geometry.capacity;
    info->frame_align = ring->geometry.frame_align;
    info->seat_count = ring->geometry.seat_count;
    info->flags = ring->geometry.options;
    info->ring_id[0] = ring->geometry.ring_id[0];
    info->ring_id[1] = ring->geometry.ring_id[1];
    info->created_ns = ring->geometry.created_ns;
    info->epoch = gyre_load_acquire_32(&front->epoch); /* E11 */
    info->state = gyre_load_acquire_32(&front->state); /* E9 */
    info->producer_pid = gyre_load_relaxed_32(&front->producer_pid);
    info->producer_alive = !sync_lease_is_free(ring->site, SYNC_ROLE_PRODUCER);
    info->horizon_pos = gyre_load_relaxed_64(&front->horizon_pos);
    info->evicted_count = gyre_load_relaxed_64(&front->evicted_count);
}

enum gyre_status gyre_ring_inspect(const char *name, struct gyre_ring_info *info,
                                   struct gyre_seat_info *seats, uint32_t seat_capacity,
                                   uint32_t *seat_taken, struct gyre_error *error)
{
    struct sync_place place = {.name = name};
    struct gyre_error ignored;
    struct gyre_ring  ring;
    struct gyre_mark  oldest, end;
    enum gyre_status  status;
    uint32_t          taken;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    memset(&ring, 0, sizeof(ring));
    if (!gyre__name_is_good(name))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "name");
    if (info == NULL || info->size != sizeof(*info))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "info");
    if ((seats == NULL || seat_taken == NULL) && seat_capacity != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "seats");
    status = gyre__ring_look(&ring, &place, true, error);
    if (status != GYRE_OK)
        return status;
    describe_ring(&ring, info);
    taken = describe_seats(&ring, seats, seat_capacity);
    if (!find_ends(&ring, &oldest, &end)) {
        gyre__ring_close(&ring);
        return gyre__blame(error, GYRE_CORRUPT, "landmarks");
    }
    info->oldest_pos = oldest.pos;
    info->oldest_seq = oldest.seq;
    info->next_pos = end.pos;
    info->next_seq = end.seq;
    for (uint32_t i = 0; i < taken; i++) {
        uint64_t claim_end;
        if (seats[i].group[0] == '\0')
            seats[i].lag_bytes = end.pos - seats[i].lag_bytes;
        else if (gyre__claim_is_held(&ring, seats[i].seat_idx, &claim_end))
            seats[i].lag_bytes = claim_end - seats[i].lag_bytes;
        else
            seats[i].lag_bytes = 0;
    }
    if (seat_taken != NULL)
        *seat_taken = taken;
    gyre__ring_close(&ring);
    memset(error, 0, sizeof(*error)); /* what was expected to fail */
    return GYRE_OK;
}

static void describe_group(struct gyre_ring *ring, uint32_t idx, uint64_t control, uint64_t end_pos,
                           struct gyre_group_info *info)
{
    const struct gyre_shared_group *group = &ring->groups[idx];

    memset(info, 0, sizeof(*info));
    memcpy(info->name, group->name, sizeof(info->name) - 1);
    info->kind =
        (gyre__seat_kind(control) & GYRE_GROUP_FLAG_LOSSY) != 0 ? GYRE_LOSSY : GYRE_RELIABLE;
    info->flags = (gyre__seat_kind(control) & GYRE_GROUP_FLAG_KEEP) != 0 ? GYRE_GROUP_KEEP : 0;
    info->next_seq = gyre_load_relaxed_64(&group->next[GYRE_NEXT_TAG]) >> GYRE_GROUP_TAG_BITS;
    info->lag_bytes = end_pos - gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]); /* E14 */
    info->lost_count = gyre_load_relaxed_64(&group->lost_count);
    info->redelivered_count = gyre_load_relaxed_64(&group->redelivered_count);
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        const struct gyre_shared_seat *seat = &ring->seats[i];
        uint32_t state = gyre__seat_state(gyre_load_acquire_64(&seat->control)); /* E10 */
        if (gyre_load_relaxed_32(&seat->group) != idx + 1)
            continue;
        info->member_count +=
            state == GYRE_SEAT_ACTIVE && !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(i));
        info->orphan_count += state == GYRE_SEAT_ORPHANED;
    }
}

enum gyre_status gyre_ring_inspect_groups(const char *name, struct gyre_group_info *groups,
                                          uint32_t capacity, uint32_t *group_count,
                                          struct gyre_error *error)
{
    struct sync_place place = {.name = name};
    struct gyre_error ignored;
    struct gyre_ring  ring;
    struct gyre_mark  oldest, end;
    enum gyre_status  status;
    uint32_t          count = 0;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    memset(&ring, 0, sizeof(ring));
    if (!gyre__name_is_good(name))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "name");
    if (group_count == NULL || (groups == NULL && capacity != 0))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "groups");
    status = gyre__ring_look(&ring, &place, true, error);
    if (status != GYRE_OK)
        return status;
    if (!find_ends(&ring, &oldest, &end)) {
        gyre__ring_close(&ring);
        return gyre__blame(error, GYRE_CORRUPT, "landmarks");
    }
    for (uint32_t i = 0; ring.groups != NULL && i < GYRE_GROUP_COUNT && count < capacity; i++) {
        uint64_t control = gyre_load_acquire_64(&ring.groups[i].control); /* E10 */
        if (gyre__seat_state(control) == GYRE_GROUP_ACTIVE)
            describe_group(&ring, i, control, end.pos, &groups[count++]);
    }
    *group_count = count;
    gyre__ring_close(&ring);
    memset(error, 0, sizeof(*error)); /* what was expected to fail */
    return GYRE_OK;
}

struct listing {
    int (*visit)(const char *name, void *context);
    void *context;
};

/* Others may name objects, too: not every name is a ring's. */
static int visit_if_good(const char *name, void *context)
{
    const struct listing *listing = context;

    return gyre__name_is_good(name) ? listing->visit(name, listing->context) : 0;
}

enum gyre_status gyre_ring_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    struct listing    listing = {visit, context};
    struct gyre_error ignored;
    enum gyre_status  status;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (visit == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "visit");
    status = sync_site_list(visit_if_good, &listing, error);
    if (status == GYRE_OK)
        memset(error, 0, sizeof(*error));
    return status;
}

enum gyre_status gyre_ring_remove(const char *name, int force, struct gyre_error *error)
{
    struct gyre_error ignored;
    struct sync_site *site;
    enum gyre_status  status;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (!gyre__name_is_good(name))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "name");
    status = sync_site_open(name, SYNC_SITE_JOIN, &site, error);
    if (status != GYRE_OK)
        return status;
    status = sync_site_remove(site, force != 0, error);
    sync_site_close(site);
    return status;
}
