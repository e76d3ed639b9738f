/*
 * memory_sync.c - see memory_sync.h.
 */
#include "memory_sync.h"

#include <stdlib.h>
#include <string.h>

#define PLACE_COUNT 16u
#define ROLE_COUNT 256u
#define NAME_SIZE 128u
#define BURIED_MAX 1024u
#define OBJECT_SIZE_MAX (UINT64_C(5) << 20)
#define LOOK_NS UINT64_C(10000)
#define SLICE_NS UINT64_C(100000000)
#define PATIENCE 20u /* so many sleeps in vain are a Ctrl-C */

struct place {
    char              name[NAME_SIZE]; /* empty: removed */
    void             *base[2];
    uint64_t          size[2];
    struct sync_site *leases[ROLE_COUNT];
    bool              has_fifo[ROLE_COUNT + 1];
    uint32_t          attach_count;
};

struct sync_site {
    struct place *place;
    bool          is_attached;
};

struct sync_birth {
    int none;
};

static struct place        places[PLACE_COUNT];
static uint32_t            place_count;
static void               *buried[BURIED_MAX];
static uint32_t            buried_count;
static enum memory_barrier barrier_kind;
static uint64_t            now_ns;
static uint32_t            sleep_count;
static const uint8_t      *stdin_bytes;
static size_t              stdin_size;
static void (*on_interrupt)(void);

void memory_sync_reset(enum memory_barrier barrier)
{
    for (uint32_t i = 0; i < place_count; i++) {
        free(places[i].base[0]);
        free(places[i].base[1]);
    }
    while (buried_count > 0)
        free(buried[--buried_count]);
    memset(places, 0, sizeof(places[0]) * place_count);
    place_count = 0;
    barrier_kind = barrier;
    now_ns = UINT64_C(1000000000);
    sleep_count = 0;
    stdin_size = 0;
    on_interrupt = NULL;
}

void memory_sync_pass(uint64_t ns)
{
    now_ns += ns;
}

uint32_t memory_sync_sleep_count(void)
{
    return sleep_count;
}

void memory_sync_stdin(const uint8_t *bytes, size_t size)
{
    stdin_bytes = bytes;
    stdin_size = size;
}

enum gyre_status sync_fail(struct gyre_error *error, enum gyre_status status, int32_t os_code,
                           const char *call)
{
    error->status = status;
    error->os_code = os_code;
    error->call = call;
    return status;
}

/* --- sites ------------------------------------------------------------------------------------ */

static void remove_place(struct place *place)
{
    place->name[0] = '\0';
}

static struct place *find_place(const char *name)
{
    for (uint32_t i = 0; i < place_count; i++)
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    return NULL;
}

enum gyre_status sync_site_open_at(const struct sync_place *wanted, enum sync_site_mode mode,
                                   struct sync_site **site, struct gyre_error *error)
{
    const char       *name = wanted->name;
    struct place     *place = find_place(name);
    struct sync_site *made;

    if (place == NULL && mode != SYNC_SITE_CREATE)
        return sync_fail(error, GYRE_NOT_FOUND, 0, "open");
    if (place == NULL) {
        if (place_count == PLACE_COUNT || strlen(name) >= NAME_SIZE)
            return sync_fail(error, GYRE_NO_MEMORY, 0, "open");
        place = &places[place_count++];
        memcpy(place->name, name, strlen(name) + 1);
    }
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        abort();
    made->place = place;
    *site = made;
    return GYRE_OK;
}

void memory_sync_bury(struct sync_site *site)
{
    for (uint32_t i = 0; i < ROLE_COUNT; i++)
        if (site->place->leases[i] == site)
            site->place->leases[i] = NULL;
    if (site->is_attached)
        site->place->attach_count--;
    site->is_attached = false;
}

void sync_site_close(struct sync_site *site)
{
    if (site == NULL)
        return;
    memory_sync_bury(site);
    free(site);
}

enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error)
{
    (void)site, (void)error;
    return GYRE_OK;
}

void sync_site_unlock(struct sync_site *site)
{
    (void)site;
}

enum gyre_status sync_site_hold(struct sync_site *site, bool is_waiting, struct gyre_error *error)
{
    (void)is_waiting;
    return sync_site_lock(site, error);
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
    site->place->attach_count++;
    site->is_attached = true;
    return GYRE_OK;
}

void sync_site_leave(struct sync_site *site, bool is_kept)
{
    memory_sync_bury(site);
    if (site->place->attach_count == 0 && !is_kept)
        remove_place(site->place);
}

bool sync_site_can_keep(void)
{
    return true;
}

void sync_site_discard(struct sync_site *site)
{
    if (site->place->attach_count == 0)
        remove_place(site->place);
}

enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error)
{
    if (site->place->attach_count != 0 && !is_forced)
        return sync_fail(error, GYRE_BUSY, 0, "remove");
    remove_place(site->place);
    return GYRE_OK;
}

bool sync_site_is_named(struct sync_site *site)
{
    return site->place->name[0] != '\0';
}

enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    (void)error;
    for (uint32_t i = 0; i < place_count; i++)
        if (places[i].name[0] != '\0' && visit(places[i].name, context) != 0)
            break;
    return GYRE_OK;
}

/* --- births, maps, leases --------------------------------------------------------------------- */

static void idle(uint64_t deadline_ns)
{
    if (deadline_ns != UINT64_MAX && deadline_ns > now_ns)
        now_ns = deadline_ns;
    else
        now_ns += SLICE_NS;
    if (++sleep_count > PATIENCE && on_interrupt != NULL)
        on_interrupt();
}

enum gyre_status sync_birth_open_at(const struct sync_place *place, struct sync_birth **birth,
                                    struct gyre_error *error)
{
    static struct sync_birth none;

    (void)place, (void)error;
    *birth = &none;
    return GYRE_OK;
}

enum gyre_status sync_birth_wait(struct sync_birth *birth, uint64_t deadline_ns)
{
    (void)birth;
    if (now_ns >= deadline_ns)
        return GYRE_TIMEOUT;
    idle(deadline_ns);
    return GYRE_OK;
}

void sync_birth_close(struct sync_birth *birth)
{
    (void)birth;
}

static enum gyre_status map(const struct place *place, enum sync_object object,
                            struct sync_map *made)
{
    made->base = place->base[object];
    made->size = place->size[object];
    return GYRE_OK;
}

enum gyre_status sync_map_obtain(struct sync_site *site, enum sync_object object, uint64_t size,
                                 struct sync_map *made, bool *is_new, struct gyre_error *error)
{
    struct place *place = site->place;

    *is_new = place->base[object] == NULL;
    if (*is_new) {
        void *base = size <= OBJECT_SIZE_MAX ? calloc(1, (size_t)size) : NULL;
        if (base == NULL)
            return sync_fail(error, GYRE_NO_MEMORY, 28, "fallocate");
        place->base[object] = base;
        place->size[object] = size;
    }
    return map(place, object, made);
}

enum gyre_status sync_map_publish(struct sync_site *site, enum sync_object object,
                                  struct sync_map *made, struct gyre_error *error)
{
    (void)site, (void)object, (void)made, (void)error;
    return GYRE_OK;
}

void sync_map_discard(struct sync_site *site, enum sync_object object)
{
    void *base = site->place->base[object];

    if (base == NULL)
        return;
    if (buried_count == BURIED_MAX)
        abort();
    buried[buried_count++] = base; /* somebody may have it mapped */
    site->place->base[object] = NULL;
}

enum gyre_status sync_map_open(struct sync_site *site, enum sync_object object, bool is_writable,
                               struct sync_map *made, struct gyre_error *error)
{
    (void)is_writable;
    if (site->place->base[object] == NULL)
        return sync_fail(error, GYRE_NOT_FOUND, 2, "open");
    return map(site->place, object, made);
}

void sync_map_prefault(const struct sync_map *made, bool is_writable)
{
    (void)made;
    (void)is_writable;
}

void sync_map_close(struct sync_map *made)
{
    made->base = NULL;
}

enum gyre_status sync_lease_take(struct sync_site *site, uint32_t role, struct gyre_error *error)
{
    if (site->place->leases[role] != NULL)
        return sync_fail(error, GYRE_BUSY, 11, "lock");
    site->place->leases[role] = site;
    return GYRE_OK;
}

void sync_lease_drop(struct sync_site *site, uint32_t role)
{
    if (site->place->leases[role] == site)
        site->place->leases[role] = NULL;
}

bool sync_lease_is_free(struct sync_site *site, uint32_t role)
{
    return site->place->leases[role] == NULL;
}

enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns)
{
    if (!sync_lease_is_free(site, role))
        idle(deadline_ns);
    return sync_lease_is_free(site, role) ? GYRE_OK : GYRE_TIMEOUT;
}

/* --- bells ------------------------------------------------------------------------------------ */

enum gyre_status sync_bell_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_bell *bell, struct gyre_error *error)
{
    (void)site, (void)which, (void)error;
    memset(bell, 0, sizeof(*bell));
    bell->word = word;
    return GYRE_OK;
}

void sync_bell_close(struct sync_bell *bell)
{
    bell->word = NULL;
    bell->poll = 0;
}

void sync_bell_ring(struct sync_bell *bell)
{
    *(volatile uint32_t *)bell->word = 1;
}

void sync_bell_clear(struct sync_bell *bell)
{
    *(volatile uint32_t *)bell->word = 0;
}

enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns)
{
    return peer_role != SYNC_ROLE_NONE && *(volatile uint32_t *)bell->word == 0 &&
                   sync_lease_is_free(site, peer_role)
               ? SYNC_PEER_GONE
               : sync_bell_wait_many(&bell, 1, deadline_ns);
}

enum gyre_status sync_bell_make_pollable(struct sync_site *site, uint32_t which, bool is_waiter,
                                         struct sync_bell *bell, struct gyre_error *error)
{
    bool *has_fifo = &site->place->has_fifo[which < ROLE_COUNT ? which : ROLE_COUNT];

    if (is_waiter)
        *has_fifo = true;
    if (!*has_fifo)
        return sync_fail(error, GYRE_NOT_FOUND, 2, "openat");
    bell->poll = 1;
    return GYRE_OK;
}

intptr_t sync_bell_handle(struct sync_bell *bell)
{
    return bell->poll;
}

enum sync_wake sync_bell_wait_many(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns)
{
    for (uint32_t i = 0; i < count; i++)
        if (*(volatile uint32_t *)bells[i]->word != 0)
            return SYNC_RUNG;
    idle(deadline_ns);
    return deadline_ns != UINT64_MAX ? SYNC_TIMED_OUT : SYNC_RUNG;
}

uint32_t sync_bell_many_limit(void)
{
    return 2;
}

/* --- gates: the word counts, as on Linux ------------------------------------------------------ */

enum gyre_status sync_gate_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_gate *gate, struct gyre_error *error)
{
    (void)site, (void)which, (void)error;
    memset(gate, 0, sizeof(*gate));
    gate->word = word;
    return GYRE_OK;
}

void sync_gate_close(struct sync_gate *gate)
{
    gate->word = NULL;
}

void sync_gate_post(struct sync_gate *gate, uint32_t count)
{
    uint32_t permits = sync_gate_permits(gate) + count;

    *(volatile uint32_t *)gate->word =
        permits < SYNC_GATE_PERMITS_MAX ? permits : SYNC_GATE_PERMITS_MAX;
}

uint32_t sync_gate_permits(struct sync_gate *gate)
{
    return *(volatile uint32_t *)gate->word & UINT32_C(0xffff);
}

enum sync_wake sync_gate_wait(struct sync_gate *gate, struct sync_bell *bell,
                              struct sync_site *site, uint32_t peer_role, uint64_t deadline_ns)
{
    uint32_t permits = sync_gate_permits(gate);

    if (permits == 0)
        return sync_bell_wait(bell, site, peer_role, deadline_ns);
    *(volatile uint32_t *)gate->word = permits - 1;
    return SYNC_RUNG;
}

void sync_gate_ring_bell(struct sync_gate *gate, struct sync_bell *bell)
{
    (void)gate;
    sync_bell_ring(bell);
}

/* --- barrier, clock, host, console ------------------------------------------------------------ */

bool sync_barrier_exists(void)
{
    return barrier_kind != MEMORY_BARRIER_NONE;
}

bool sync_barrier_register(void)
{
    return barrier_kind == MEMORY_BARRIER_WORKS;
}

bool sync_barrier_remote(void)
{
    return barrier_kind == MEMORY_BARRIER_WORKS;
}

uint64_t sync_clock_now_ns(void)
{
    return now_ns += LOOK_NS;
}

uint64_t sync_clock_wall_ns(void)
{
    return UINT64_C(1700000000000000000) + now_ns;
}

void sync_clock_sleep_until(uint64_t deadline_ns)
{
    idle(deadline_ns);
}

enum gyre_status sync_host_random(uint64_t words[2], struct gyre_error *error)
{
    (void)error;
    words[0] = now_ns * UINT64_C(0x9e3779b97f4a7c15);
    words[1] = place_count;
    return GYRE_OK;
}

uint32_t sync_host_process_id(void)
{
    return 1;
}

void sync_host_lock(void)
{
}

void sync_host_unlock(void)
{
}

void sync_host_on_fork(void (*in_child)(void))
{
    (void)in_child;
}

void sync_console_prepare(void)
{
}

void sync_console_on_interrupt(void (*interrupted)(void))
{
    on_interrupt = interrupted;
}

int64_t sync_console_read(void *buffer, uint64_t size)
{
    size_t count = size < stdin_size ? (size_t)size : stdin_size;

    if (count == 0)
        return 0;
    memcpy(buffer, stdin_bytes, count);
    stdin_bytes += count;
    stdin_size -= count;
    return (int64_t)count;
}
