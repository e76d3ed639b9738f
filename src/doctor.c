/*
 * doctor.c - what dead processes have left, named and, if wanted, put right.
 *
 * It knows which litter is a ring's that is meant to stay, and whose seats are dead.  It decides by
 * leases alone, like recover.c, and takes nothing that anybody holds.
 */
#include "internal.h"

#include <string.h>

#include <gyre/atomic.h>
#include <gyre/doctor.h>

#define SMALL_SIZE (UINT64_C(64) << 20) /* what containers give to /dev/shm by default */
#define SMALL_FREE (UINT64_C(16) << 20)

struct visitor {
    void (*visit)(const struct gyre_finding *finding, void *context);
    void             *context;
    bool              is_fixing;
    struct gyre_error error; /* the last ring that could not be looked at */
};

static void tell(const struct visitor *visitor, const struct gyre_finding *finding)
{
    visitor->visit(finding, visitor->context);
}

static void look_at_host(const struct visitor *visitor)
{
    struct gyre_finding found = {.kind = GYRE_FOUND_BARRIER};
    struct gyre_error   ignored = {GYRE_OK, 0, NULL, NULL};
    uint64_t            size, free_size;

    if (sync_barrier_exists() && !(sync_barrier_register() && sync_barrier_remote())) /* no edge */
        tell(visitor, &found);
    if (sync_litter_space(&size, &free_size, &ignored) != GYRE_OK ||
        (size > SMALL_SIZE && free_size > SMALL_FREE))
        return;
    found.kind = GYRE_FOUND_SPACE;
    found.number = free_size;
    tell(visitor, &found);
}

/* --- rings and files that nobody has open ----------------------------------------------------- */

/*
 * What a file NAME.data that nobody has open is.  Only a ring that says so itself was not made to
 * outlive its processes; whatever keeps us from reading it proves nothing.  0: not to be told.
 */
static uint32_t judge_ring(struct visitor *visitor, const char *name)
{
    struct sync_place place = {.name = name};
    struct gyre_error error = {GYRE_OK, 0, NULL, NULL};
    struct gyre_ring  ring;
    uint32_t          options;

    if (!gyre__name_is_good(name))
        return GYRE_FOUND_FOREIGN;
    memset(&ring, 0, sizeof(ring));
    switch (gyre__ring_look(&ring, &place, false, &error)) {
    case GYRE_OK:
        options = ring.geometry.options;
        gyre__ring_close(&ring);
        return (options & GYRE_OPTION_KEEP) != 0 ? 0 : GYRE_FOUND_RING;
    case GYRE_NOT_FOUND: /* gone meanwhile, or a file without magic, which no ring's DATA is */
        return error.field == NULL ? 0 : GYRE_FOUND_FOREIGN;
    case GYRE_BAD_LAYOUT:
    case GYRE_DENIED:
        return GYRE_FOUND_FOREIGN;
    default:
        visitor->error = error;
        return 0;
    }
}

/* With the site's lock, which a missing lock file is made for. */
static bool remove_ring(const char *name)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};
    struct sync_site *site;
    bool              is_gone;

    if (sync_site_open(name, SYNC_SITE_CREATE, &site, &ignored) != GYRE_OK)
        return false;
    is_gone = sync_site_remove(site, false, &ignored) == GYRE_OK;
    sync_site_close(site);
    return is_gone;
}

/* A size that DATA or CTRL has. */
static bool is_object_size(uint64_t size)
{
    for (uint64_t capacity = GYRE_CAPACITY_MIN; capacity <= GYRE_CAPACITY_MAX; capacity *= 2)
        if (gyre__data_size(capacity) == size)
            return true;
    for (uint32_t count = 1; count <= GYRE_SEAT_LIMIT; count++)
        if (gyre__ctrl_size(count) == size)
            return true;
    return false;
}

/*
 * True if a dead creator may have left the file: a finished object, a file without bytes, or an
 * object that has neither its name nor its magic yet.
 */
static bool may_be_left(const struct sync_finding *litter)
{
    if (litter->size == 0 || litter->magic == GYRE_DATA_MAGIC || litter->magic == GYRE_CTRL_MAGIC)
        return true;
    return litter->is_unfinished && litter->magic == 0 && is_object_size(litter->size);
}

static void judge_litter(const struct sync_finding *litter, void *context)
{
    struct visitor     *visitor = context;
    struct gyre_finding found = {.name = litter->file};

    switch (litter->kind) {
    case SYNC_LITTER_RING:
        found.kind = judge_ring(visitor, litter->ring);
        if (found.kind == 0)
            return;
        if (found.kind == GYRE_FOUND_RING) {
            found.name = litter->ring;
            found.is_mended = visitor->is_fixing && remove_ring(litter->ring);
        }
        break;
    case SYNC_LITTER_FILE:
    case SYNC_LITTER_BELL:
        found.kind = GYRE_FOUND_FOREIGN;
        if (!gyre__name_is_good(litter->ring) || !may_be_left(litter))
            break;
        found.kind = GYRE_FOUND_FILE;
        found.is_mended = visitor->is_fixing && sync_litter_remove(litter);
        break;
    case SYNC_LITTER_FOREIGN:
        found.kind = GYRE_FOUND_FOREIGN;
        break;
    }
    tell(visitor, &found);
}

/* --- rings in use ----------------------------------------------------------------------------- */

/* True if the seat is taken and nobody holds it; a claim that waits for another member is not. */
static bool is_dead(struct gyre_ring *ring, uint32_t seat_idx)
{
    uint32_t state =
        gyre__seat_state(gyre_load_acquire_64(&ring->seats[seat_idx].control)); /* E10 */

    return (state == GYRE_SEAT_ACTIVE || state == GYRE_SEAT_EVICTED) &&
           sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(seat_idx));
}

/* A joiner that takes the seat meanwhile changes the generation, and wins. */
static bool free_seat(struct gyre_ring *ring, uint32_t seat_idx)
{
    uint64_t *word = &ring->seats[seat_idx].control;
    uint64_t  control = gyre_load_acquire_64(word); /* E10 */

    if (gyre__seat_state(control) == GYRE_SEAT_EVICTED) {
        uint64_t freed = (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;
        return gyre_compare_exchange_64(word, control, freed) == control; /* E10 */
    }
    return gyre__evict_if_dead(ring, seat_idx);
}

static void look_at_seats(const struct visitor *visitor, struct gyre_ring *ring, const char *name)
{
    struct gyre_finding found = {.kind = GYRE_FOUND_SEAT, .name = name};

    for (uint32_t i = 0; ring->seats != NULL && i < ring->geometry.seat_count; i++) {
        if (!is_dead(ring, i))
            continue;
        found.number = i;
        found.is_mended = visitor->is_fixing && free_seat(ring, i);
        tell(visitor, &found);
    }
}

/* False for a ring that was told to be stale, or is about to take care of itself. */
static bool is_in_use(struct gyre_ring *ring)
{
    if ((ring->geometry.options & GYRE_OPTION_KEEP) != 0 ||
        !sync_lease_is_free(ring->site, SYNC_ROLE_PRODUCER))
        return true;
    for (uint32_t i = 0; ring->seats != NULL && i < ring->geometry.seat_count; i++) {
        uint32_t state = gyre__seat_state(gyre_load_acquire_64(&ring->seats[i].control)); /* E10 */
        if (state != GYRE_SEAT_FREE && !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(i)))
            return true;
    }
    return false;
}

/* To mend takes a handle like a consumer's; to look takes none. */
static int look_at_ring(const char *name, void *context)
{
    struct visitor     *visitor = context;
    struct gyre_finding found = {.kind = GYRE_FOUND_PRODUCER, .name = name};
    struct sync_place   place = {.name = name};
    struct gyre_error   error = {GYRE_OK, 0, NULL, NULL};
    struct gyre_ring    ring;
    enum gyre_status    status;

    memset(&ring, 0, sizeof(ring));
    if (!gyre__name_is_good(name))
        return 0;
    status = visitor->is_fixing ? gyre__ring_join(&ring, &place, &error)
                                : gyre__ring_look(&ring, &place, true, &error);
    if (status == GYRE_NO_MEMORY || status == GYRE_SYSTEM)
        visitor->error = error;
    if (status != GYRE_OK)
        return 0; /* it is gone, or its file was judged */
    if (is_in_use(&ring)) {
        if (gyre_load_acquire_32(&ring.front->state) == GYRE_RING_ACTIVE && /* E11 */
            sync_lease_is_free(ring.site, SYNC_ROLE_PRODUCER))
            tell(visitor, &found);
        look_at_seats(visitor, &ring, name);
    }
    gyre__ring_close(&ring);
    return 0;
}

enum gyre_status gyre_doctor(int fix,
                             void (*visit)(const struct gyre_finding *finding, void *context),
                             void *context, struct gyre_error *error)
{
    struct visitor    visitor = {visit, context, fix != 0, {GYRE_OK, 0, NULL, NULL}};
    struct gyre_error ignored;
    enum gyre_status  status;

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (visit == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "visit");
    look_at_host(&visitor);
    status = sync_litter_find(judge_litter, &visitor, error);
    if (status == GYRE_OK)
        status = sync_site_list(look_at_ring, &visitor, error);
    if (status == GYRE_OK)
        *error = visitor.error;
    return error->status;
}
