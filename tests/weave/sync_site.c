/*
 * sync_site.c - sites, maps and leases as sync.h promises them, out of plain memory.
 *
 * The order of names and locks is that of sync/linux: an object has no name until it is published
 * (or, where the scenario says so, from the start, as on Windows), the lock file's leases end with
 * their holder, and a lock file that lost its name is nobody's any more.
 */
#include <string.h>

#include "sched.h"

#define NAMES_MAX 4u
#define ROLES_MAX 32u
#define SITES_MAX 64u

struct lock_file {
    bool                    is_named;
    const struct sync_site *admin;
    const struct sync_site *leases[ROLES_MAX];
};

struct object {
    void    *base; /* NULL: there is none of this name */
    uint64_t size;
};

struct place {
    char              name[32];
    struct lock_file *lock;
    struct object     objects[2];
    unsigned          birth_count;
};

struct sync_site {
    struct place       *place;
    struct lock_file   *lock;
    enum sync_site_mode mode;
    unsigned            owner;
    bool                is_attached;
    bool                is_open;
};

struct sync_birth {
    struct place *place;
    unsigned      seen;
};

static struct place      places[NAMES_MAX];
static struct sync_site *sites[SITES_MAX];
static unsigned          site_count;

void weave_sites_reset(void)
{
    memset(places, 0, sizeof(places));
    site_count = 0;
}

static void let_go(struct sync_site *site)
{
    if (site->lock != NULL) {
        if (site->lock->admin == site)
            site->lock->admin = NULL;
        for (uint32_t i = 0; i < ROLES_MAX; i++)
            if (site->lock->leases[i] == site)
                site->lock->leases[i] = NULL;
    }
    site->is_attached = false;
    site->is_open = false;
}

void weave_sites_bury(unsigned role)
{
    for (unsigned i = 0; i < site_count; i++)
        if (sites[i]->owner == role && sites[i]->is_open)
            let_go(sites[i]);
}

static struct place *find_place(const char *name)
{
    unsigned i = 0;

    while (i < NAMES_MAX && places[i].name[0] != '\0' && strcmp(places[i].name, name) != 0)
        i++;
    if (i == NAMES_MAX || strlen(name) >= sizeof(places[i].name))
        weave_fail("the harness has no place for another name");
    if (places[i].name[0] == '\0')
        memcpy(places[i].name, name, strlen(name) + 1);
    return &places[i];
}

static struct lock_file *named_lock(struct sync_site *site)
{
    struct place *place = site->place;

    if (site->mode == SYNC_SITE_CREATE && (place->lock == NULL || !place->lock->is_named)) {
        place->lock = weave_alloc(sizeof(*place->lock));
        place->lock->is_named = true;
    }
    return place->lock != NULL && place->lock->is_named ? place->lock : NULL;
}

enum gyre_status sync_site_open_at(const struct sync_place *where, enum sync_site_mode mode,
                                   struct sync_site **site, struct gyre_error *error)
{
    struct sync_site *made = weave_alloc(sizeof(*made));

    weave_system_call("site open");
    made->place = find_place(where->name); /* rights are other tests' business */
    made->mode = mode;
    made->owner = weave_self();
    made->lock = named_lock(made);
    if (made->lock == NULL && mode == SYNC_SITE_JOIN)
        return sync_fail(error, GYRE_NOT_FOUND, 0, "open");
    if (site_count == SITES_MAX)
        weave_fail("the harness has no room for another site");
    made->is_open = true;
    sites[site_count++] = made;
    *site = made;
    return GYRE_OK;
}

void sync_site_close(struct sync_site *site)
{
    if (site == NULL)
        return;
    weave_system_call("site close");
    let_go(site);
}

static bool is_lock_free(void *context)
{
    return ((struct lock_file *)context)->admin == NULL;
}

enum gyre_status sync_site_hold(struct sync_site *site, bool is_waiting, struct gyre_error *error)
{
    if (!is_waiting && site->lock->admin != NULL)
        return sync_fail(error, GYRE_BUSY, 0, "hold");
    return sync_site_lock(site, error);
}

enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error)
{
    for (;;) {
        weave_system_call("site lock");
        if (!site->lock->is_named) { /* removed while we waited */
            site->lock = named_lock(site);
            if (site->lock == NULL)
                return sync_fail(error, GYRE_NOT_FOUND, 0, "lock");
        }
        if (site->lock->admin == NULL) {
            site->lock->admin = site;
            return GYRE_OK;
        }
        weave_block_until(is_lock_free, site->lock);
    }
}

void sync_site_unlock(struct sync_site *site)
{
    weave_system_call("site unlock");
    if (site->lock->admin == site)
        site->lock->admin = NULL;
}

enum gyre_status sync_site_identify(struct sync_site *site, const uint64_t ring_id[2],
                                    struct gyre_error *error)
{
    (void)site, (void)ring_id, (void)error;
    return GYRE_OK;
}

enum gyre_status sync_site_attach(struct sync_site *site, struct gyre_error *error)
{
    (void)error;
    weave_system_call("site attach");
    site->is_attached = true;
    return GYRE_OK;
}

static bool has_members(const struct lock_file *lock)
{
    for (unsigned i = 0; i < site_count; i++)
        if (sites[i]->is_attached && sites[i]->lock == lock)
            return true;
    return false;
}

static void remove_names(struct sync_site *site)
{
    memset(site->place->objects, 0, sizeof(site->place->objects));
    site->lock->is_named = false;
}

void sync_site_leave(struct sync_site *site, bool is_kept)
{
    struct gyre_error ignored;
    bool              is_locked = sync_site_lock(site, &ignored) == GYRE_OK;

    site->is_attached = false;
    if (is_locked && !is_kept && site->lock->is_named && !has_members(site->lock))
        remove_names(site);
    if (is_locked)
        sync_site_unlock(site);
}

bool sync_site_can_keep(void)
{
    return weave_barrier != WEAVE_BARRIER_MISSING;
}

void sync_site_discard(struct sync_site *site)
{
    struct gyre_error ignored;

    if (sync_site_lock(site, &ignored) != GYRE_OK)
        return;
    if (site->place->objects[SYNC_DATA].base == NULL && !has_members(site->lock))
        remove_names(site);
    sync_site_unlock(site);
}

enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error)
{
    enum gyre_status status = sync_site_lock(site, error);

    if (status != GYRE_OK)
        return status;
    if (!is_forced && has_members(site->lock))
        status = sync_fail(error, GYRE_BUSY, 0, "remove");
    else
        remove_names(site);
    sync_site_unlock(site);
    return status;
}

bool sync_site_is_named(struct sync_site *site)
{
    return site->lock != NULL && site->lock->is_named;
}

enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    (void)error;
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (places[i].objects[SYNC_DATA].base != NULL && visit(places[i].name, context) != 0)
            break;
    return GYRE_OK;
}

/* --- birth ------------------------------------------------------------------------------------ */

enum gyre_status sync_birth_open_at(const struct sync_place *where, struct sync_birth **birth,
                                    struct gyre_error *error)
{
    (void)error;
    weave_system_call("birth open");
    *birth = weave_alloc(sizeof(**birth));
    (*birth)->place = find_place(where->name);
    (*birth)->seen = (*birth)->place->birth_count;
    return GYRE_OK;
}

static bool is_born(void *context)
{
    const struct sync_birth *birth = context;

    return birth->place->birth_count != birth->seen;
}

enum gyre_status sync_birth_wait(struct sync_birth *birth, uint64_t deadline_ns)
{
    if (deadline_ns != UINT64_MAX)
        weave_fail("the harness waits for births without a deadline only");
    weave_system_call("birth wait");
    weave_block_until(is_born, birth);
    birth->seen = birth->place->birth_count;
    return GYRE_OK;
}

void sync_birth_close(struct sync_birth *birth)
{
    (void)birth;
}

/* --- maps ------------------------------------------------------------------------------------- */

static void map_object(const struct object *object, struct sync_map *map)
{
    map->base = object->base;
    map->size = object->size;
    map->os = 0;
}

enum gyre_status sync_map_obtain(struct sync_site *site, enum sync_object object, uint64_t size,
                                 struct sync_map *map, bool *is_new, struct gyre_error *error)
{
    struct object *there = &site->place->objects[object];
    struct object  made;

    (void)error;
    weave_system_call("map obtain");
    *is_new = there->base == NULL;
    if (!*is_new) {
        map_object(there, map);
        return GYRE_OK;
    }
    made.base = weave_alloc_aligned((size_t)size, 4096);
    made.size = size;
    weave_name_map(made.base, (size_t)size, object == SYNC_DATA);
    map_object(&made, map);
    map->os = 1;
    if (weave_is_visible_early)
        *there = made;
    return GYRE_OK;
}

enum gyre_status sync_map_publish(struct sync_site *site, enum sync_object object,
                                  struct sync_map *map, struct gyre_error *error)
{
    (void)error;
    if (map->os == 0)
        return GYRE_OK;
    weave_system_call(object == SYNC_DATA ? "publish DATA" : "publish CTRL");
    site->place->objects[object] = (struct object){map->base, map->size};
    map->os = 0;
    if (object == SYNC_DATA)
        site->place->birth_count++;
    return GYRE_OK;
}

void sync_map_discard(struct sync_site *site, enum sync_object object)
{
    weave_system_call("map discard");
    site->place->objects[object].base = NULL;
}

enum gyre_status sync_map_open(struct sync_site *site, enum sync_object object, bool is_writable,
                               struct sync_map *map, struct gyre_error *error)
{
    (void)is_writable;
    weave_system_call("map open");
    if (site->place->objects[object].base == NULL)
        return sync_fail(error, GYRE_NOT_FOUND, 0, "open");
    map_object(&site->place->objects[object], map);
    return GYRE_OK;
}

void sync_map_prefault(const struct sync_map *map, bool is_writable)
{
    (void)map;
    (void)is_writable;
}

void sync_map_close(struct sync_map *map)
{
    map->base = NULL;
    map->size = 0;
    map->os = 0;
}

/* --- leases ----------------------------------------------------------------------------------- */

enum gyre_status sync_lease_take(struct sync_site *site, uint32_t role, struct gyre_error *error)
{
    if (role >= ROLES_MAX)
        weave_fail("the harness has no more than %u leases", ROLES_MAX);
    weave_system_call("lease take");
    if (site->lock->leases[role] != NULL && site->lock->leases[role] != site)
        return sync_fail(error, GYRE_BUSY, 0, "lease");
    site->lock->leases[role] = site;
    return GYRE_OK;
}

void sync_lease_drop(struct sync_site *site, uint32_t role)
{
    weave_system_call("lease drop");
    if (site->lock->leases[role] == site)
        site->lock->leases[role] = NULL;
}

bool weave_lease_is_free(const struct sync_site *site, uint32_t role)
{
    const struct lock_file *lock = site->lock != NULL ? site->lock : site->place->lock;

    return lock == NULL || lock->leases[role] == NULL;
}

enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns)
{
    struct weave_sleep sleep = {NULL, 0, site, role, deadline_ns, true};

    weave_system_call("lease wait");
    return weave_lease_is_free(site, role) || weave_sleep(&sleep) == SYNC_PEER_GONE ? GYRE_OK
                                                                                    : GYRE_TIMEOUT;
}

bool sync_lease_is_free(struct sync_site *site, uint32_t role)
{
    weave_system_call("lease look");
    return weave_lease_is_free(site, role);
}
