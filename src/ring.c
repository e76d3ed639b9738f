/*
 * ring.c - create, attach, detach: how a process gets the two maps of a ring and lets go of them.
 *
 * It knows the order of creation (CTRL first, DATA's name last, magic last of all) and the list of
 * open rings that a fork has to forget.  It knows neither who writes nor who reads.
 */
#include "internal.h"

#include <string.h>

#include <gyre/atomic.h>

#define LOOK_TRIES 10

static struct gyre_ring *open_rings;

uint64_t gyre_now_ns(void)
{
    return sync_clock_now_ns();
}

/* The child of a fork shares no lease with its parent and must not store into the parent's ring. */
static void forget_all(void)
{
    for (struct gyre_ring *ring = open_rings; ring != NULL; ring = ring->next) {
        ring->is_forked = true;
        ring->forget(ring);
        sync_watch_abandon(ring->watch);
    }
}

void gyre__ring_list(struct gyre_ring *ring)
{
    sync_host_lock();
    sync_host_on_fork(forget_all);
    ring->previous = NULL;
    ring->next = open_rings;
    if (open_rings != NULL)
        open_rings->previous = ring;
    open_rings = ring;
    ring->is_listed = true;
    sync_host_unlock();
}

static void unlist(struct gyre_ring *ring)
{
    sync_host_lock();
    if (ring->previous != NULL)
        ring->previous->next = ring->next;
    else
        open_rings = ring->next;
    if (ring->next != NULL)
        ring->next->previous = ring->previous;
    ring->is_listed = false;
    sync_host_unlock();
}

void gyre__ring_bind(struct gyre_ring *ring)
{
    unsigned char *data = ring->data.base;
    unsigned char *ctrl = ring->ctrl.base;

    ring->front = (void *)(data + GYRE_FRONT_OFF);
    ring->landmarks = (void *)(data + GYRE_LANDMARKS_OFF);
    ring->bytes = data + GYRE_RING_OFF;
    if (ctrl != NULL) {
        ring->sleepers = (void *)(ctrl + GYRE_SLEEPERS_OFF);
        ring->room = (void *)(ctrl + GYRE_ROOM_OFF);
        ring->groups = (void *)(ctrl + GYRE_GROUPS_OFF);
        ring->seats = (void *)(ctrl + GYRE_SEATS_OFF);
    }
}

void gyre__ring_close(struct gyre_ring *ring)
{
    if (ring->is_listed)
        unlist(ring);
    sync_watch_close(ring->watch);
    ring->watch = NULL;
    sync_bell_close(&ring->room_bell);
    sync_map_close(&ring->ctrl);
    sync_map_close(&ring->data);
    if (ring->is_attached && !ring->is_forked)
        sync_site_leave(ring->site, (ring->geometry.options & GYRE_OPTION_KEEP) != 0);
    sync_site_close(ring->site);
    ring->site = NULL;
}

/* A ring that exists must be what the caller asked for, where the caller asked. */
static enum gyre_status compare_options(const struct gyre_geometry     *there,
                                        const struct gyre_ring_options *asked,
                                        struct gyre_error              *error)
{
    if (asked->capacity != 0 && asked->capacity != there->capacity)
        return gyre__blame(error, GYRE_EXISTS, "capacity");
    if (asked->frame_align != 0 && asked->frame_align != there->frame_align)
        return gyre__blame(error, GYRE_EXISTS, "frame_align");
    if (asked->seat_count != 0 && asked->seat_count != there->seat_count)
        return gyre__blame(error, GYRE_EXISTS, "seat_count");
    if (asked->first_pos != 0 && asked->first_pos != there->first_pos)
        return gyre__blame(error, GYRE_EXISTS, "first_pos");
    if ((asked->flags & ~there->options & GYRE_KEEP) != 0)
        return gyre__blame(error, GYRE_EXISTS, "GYRE_KEEP");
    if ((asked->flags & ~there->options) != 0)
        return gyre__blame(error, GYRE_EXISTS, "GYRE_STRICT_WAKE");
    return GYRE_OK;
}

/*
 * DATA: taken as it is, or made.  On Windows a creator that died may have left an object without
 * magic (somebody else held it open); we hold the site's lock, so it is ours to build anew.
 */
static enum gyre_status obtain_data(struct gyre_ring *ring, const struct gyre_ring_options *options,
                                    bool *is_new, struct gyre_error *error)
{
    struct gyre_geometry geometry;
    enum gyre_status     status;
    uint64_t             size;

    gyre__geometry_from(options, &geometry);
    size = gyre__data_size(geometry.capacity);
    status = sync_map_obtain(ring->site, SYNC_DATA, size, &ring->data, is_new, error);
    if (status != GYRE_OK)
        return status;
    if (!*is_new) {
        status = gyre__judge_data(ring->data.base, ring->data.size, &ring->geometry, error);
        if (status == GYRE_OK)
            return compare_options(&ring->geometry, options, error);
        if (status != GYRE_NOT_FOUND)
            return status;
        memset(error, 0, sizeof(*error));
        if (ring->data.size < size)
            return gyre__blame(error, GYRE_BAD_LAYOUT, "size");
        memset(ring->data.base, 0, GYRE_RING_OFF);
        memset((unsigned char *)ring->data.base + GYRE_RING_OFF, 0, (size_t)geometry.capacity);
        *is_new = true;
    }
    status = sync_host_random(geometry.ring_id, error);
    if (status != GYRE_OK)
        return status;
    geometry.created_ns = sync_clock_wall_ns();
    gyre__write_data(ring->data.base, &geometry);
    ring->geometry = geometry;
    return GYRE_OK;
}

/*
 * CTRL: taken as it is, or made.  It holds nothing that its members cannot say again, so a ring
 * that lost it with its last member (Windows) or in a creator's death (Linux) gets a new one.
 */
static enum gyre_status obtain_ctrl(struct gyre_ring *ring, bool is_data_new,
                                    struct gyre_error *error)
{
    uint64_t         size = gyre__ctrl_size(ring->geometry.seat_count);
    bool             is_new = false;
    enum gyre_status status;

    status = sync_site_identify(ring->site, ring->geometry.ring_id, error);
    if (status == GYRE_OK && is_data_new)
        sync_map_discard(ring->site, SYNC_CTRL); /* left by a creator that died before DATA */
    if (status == GYRE_OK)
        status = sync_map_obtain(ring->site, SYNC_CTRL, size, &ring->ctrl, &is_new, error);
    if (status != GYRE_OK)
        return status;
    if (is_new) {
        gyre__write_ctrl(ring->ctrl.base, &ring->geometry);
        gyre__write_magic(ring->ctrl.base, GYRE_CTRL_MAGIC);
        status = sync_map_publish(ring->site, SYNC_CTRL, &ring->ctrl, error);
        if (status != GYRE_OK)
            return status;
        GYRE_FAULT(ctrl_named);
    }
    return gyre__judge_ctrl(ring->ctrl.base, ring->ctrl.size, &ring->geometry, error);
}

/* With the site locked: both maps, named, complete, and this handle among those that hold them. */
static enum gyre_status obtain_locked(struct gyre_ring               *ring,
                                      const struct gyre_ring_options *options,
                                      struct gyre_error              *error)
{
    bool             is_new = false;
    enum gyre_status status = obtain_data(ring, options, &is_new, error);

    if (status == GYRE_OK)
        status = obtain_ctrl(ring, is_new, error);
    if (status != GYRE_OK)
        return status;
    if (is_new) {
        gyre__write_magic(ring->data.base, GYRE_DATA_MAGIC);
        if (GYRE_FAULT_FAILS(data_unnamed))
            return sync_fail(error, GYRE_SYSTEM, 0, "fault");
        status = sync_map_publish(ring->site, SYNC_DATA, &ring->data, error);
        if (status != GYRE_OK)
            return status;
        GYRE_FAULT(data_named);
    }
    status = sync_site_attach(ring->site, error);
    ring->is_attached = status == GYRE_OK;
    return status;
}

/*
 * A standby is attached, so the ring stays when its producer closes, and takes the lease under the
 * site's lock like everybody.  *is_gone: the ring was removed by force, and its name is free or
 * another ring's.
 */
static enum gyre_status await_turn(struct gyre_ring *ring, uint64_t deadline_ns, bool *is_gone,
                                   struct gyre_error *error)
{
    enum gyre_status status = GYRE_BUSY;

    (void)sync_barrier_register(); /* some 20 ms with several threads: now, not in the take-over */
    while (status == GYRE_BUSY) {
        if (sync_lease_wait(ring->site, SYNC_ROLE_PRODUCER, deadline_ns) != GYRE_OK)
            return sync_fail(error, GYRE_TIMEOUT, 0, NULL);
        status = sync_site_hold(ring->site, true, error);
        if (status != GYRE_OK)
            return status;
        *is_gone = !sync_site_is_named(ring->site);
        status = *is_gone ? sync_fail(error, GYRE_NOT_FOUND, 0, NULL)
                          : sync_lease_take(ring->site, SYNC_ROLE_PRODUCER, error);
        sync_site_unlock(ring->site);
    }
    if (status == GYRE_OK)
        memset(error, 0, sizeof(*error));
    return status;
}

static enum gyre_status obtain_once(struct gyre_ring *ring, const struct sync_place *place,
                                    const struct gyre_ring_options *options,
                                    struct gyre_error              *error)
{
    bool             is_gone = false;
    bool             is_standby;
    enum gyre_status status = sync_site_open_at(place, SYNC_SITE_CREATE, &ring->site, error);

    if (status != GYRE_OK)
        return status;
    status = sync_site_lock(ring->site, error);
    if (status == GYRE_OK) {
        GYRE_FAULT(site_locked);
        status = obtain_locked(ring, options, error);
        GYRE_FAULT(attached);
        if (status == GYRE_OK)
            status = sync_lease_take(ring->site, SYNC_ROLE_PRODUCER, error);
        sync_site_unlock(ring->site);
    }
    is_standby = status == GYRE_BUSY && ring->is_attached && options->open_deadline_ns != 0;
    if (status == GYRE_OK || is_standby) {
        gyre__ring_list(ring);
        sync_map_prefault(&ring->data, true);
    }
    if (is_standby)
        status = await_turn(ring, options->open_deadline_ns, &is_gone, error);
    if (status == GYRE_OK) {
        gyre__ring_bind(ring);
        status =
            sync_bell_open(ring->site, SYNC_BELL_ROOM, &ring->room->bell, &ring->room_bell, error);
    }
    if (status != GYRE_OK) {
        /* Leaves nothing behind of a ring that did not come to be. */
        if (!ring->is_attached && ring->site != NULL)
            sync_site_discard(ring->site);
        gyre__ring_close(ring);
    }
    return is_gone ? GYRE_BUSY : status;
}

enum gyre_status gyre__ring_obtain(struct gyre_ring *ring, const char *name,
                                   const struct gyre_ring_options *options,
                                   struct gyre_error              *error)
{
    struct sync_place place = {.name = name,
                               .group = options->owner_group,
                               .sddl = options->sddl,
                               .mode = options->mode,
                               .is_global = options->scope == GYRE_SCOPE_GLOBAL,
                               .is_sealed = (options->flags & GYRE_SEALED) != 0};
    enum gyre_status  status;

    if ((options->flags & GYRE_KEEP) != 0 && !sync_site_can_keep())
        return gyre__blame(error, GYRE_UNSUPPORTED, "GYRE_KEEP");
    do { /* once more only for a standby whose ring was removed by force */
        memset(error, 0, sizeof(*error));
        ring->is_attached = false;
        status = obtain_once(ring, &place, options, error);
    } while (status == GYRE_BUSY && options->open_deadline_ns != 0);
    return status;
}

static enum gyre_status join_locked(struct gyre_ring *ring, struct gyre_error *error)
{
    enum gyre_status status = sync_map_open(ring->site, SYNC_DATA, false, &ring->data, error);

    if (status == GYRE_OK)
        status = gyre__judge_data(ring->data.base, ring->data.size, &ring->geometry, error);
    if (status == GYRE_OK)
        status = sync_site_identify(ring->site, ring->geometry.ring_id, error);
    if (status == GYRE_OK)
        status = sync_map_open(ring->site, SYNC_CTRL, true, &ring->ctrl, error);
    if (status == GYRE_OK)
        status = gyre__judge_ctrl(ring->ctrl.base, ring->ctrl.size, &ring->geometry, error);
    if (status != GYRE_OK)
        return status;
    status = sync_site_attach(ring->site, error);
    ring->is_attached = status == GYRE_OK;
    return status;
}

enum gyre_status gyre__ring_join(struct gyre_ring *ring, const struct sync_place *place,
                                 struct gyre_error *error)
{
    enum gyre_status status;

    status = sync_site_open_at(place, SYNC_SITE_JOIN, &ring->site, error);
    if (status != GYRE_OK)
        return status;
    status = sync_site_lock(ring->site, error);
    if (status == GYRE_OK) {
        GYRE_FAULT(site_locked);
        status = join_locked(ring, error);
        sync_site_unlock(ring->site);
    }
    if (status == GYRE_OK) {
        gyre__ring_bind(ring);
        status =
            sync_bell_open(ring->site, SYNC_BELL_ROOM, &ring->room->bell, &ring->room_bell, error);
    }
    if (status != GYRE_OK)
        gyre__ring_close(ring);
    return status;
}

static enum gyre_status look_once(struct gyre_ring *ring, const struct sync_place *place,
                                  bool with_ctrl, struct gyre_error *error)
{
    enum gyre_status status;

    status = sync_site_open_at(place, SYNC_SITE_LOOK, &ring->site, error);
    if (status != GYRE_OK)
        return status;
    status = sync_map_open(ring->site, SYNC_DATA, false, &ring->data, error);
    if (status == GYRE_OK)
        status = gyre__judge_data(ring->data.base, ring->data.size, &ring->geometry, error);
    if (status == GYRE_OK)
        status = sync_site_identify(ring->site, ring->geometry.ring_id, error);
    if (status == GYRE_OK && with_ctrl) {
        /* Without members Windows keeps DATA only while a tap holds it: a ring without seats. */
        status = sync_map_open(ring->site, SYNC_CTRL, false, &ring->ctrl, error);
        if (status == GYRE_OK)
            status = gyre__judge_ctrl(ring->ctrl.base, ring->ctrl.size, &ring->geometry, error);
        else if (status == GYRE_NOT_FOUND)
            status = GYRE_OK;
    }
    if (status == GYRE_OK)
        gyre__ring_bind(ring);
    else
        gyre__ring_close(ring);
    return status;
}

/*
 * Nobody is held off while we look, so the two objects may be of two rings of one name, the first
 * removed when we came to the second.  Then we look again.
 */
enum gyre_status gyre__ring_look(struct gyre_ring *ring, const struct sync_place *place,
                                 bool with_ctrl, struct gyre_error *error)
{
    enum gyre_status status = look_once(ring, place, with_ctrl, error);

    for (uint32_t i = 1; i < LOOK_TRIES && status == GYRE_BAD_LAYOUT && with_ctrl; i++) {
        memset(error, 0, sizeof(*error));
        status = look_once(ring, place, with_ctrl, error);
    }
    return status;
}
