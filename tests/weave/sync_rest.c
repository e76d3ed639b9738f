/*
 * sync_rest.c - bells, the barrier, the clock and the host as sync.h promises them.
 *
 * A bell is the futex of sync/linux: the word is stored, then whoever sleeps on it is woken.  The
 * clock is virtual: it moves a little each time it is read, and far when nothing else can happen.
 */
#include <string.h>

#include <gyre/atomic.h>

#include "sched.h"

#define CLOCK_STEP_NS 500u
#define MANY_MAX 8u

enum gyre_status sync_fail(struct gyre_error *error, enum gyre_status status, int32_t os_code,
                           const char *call)
{
    error->status = status;
    error->os_code = os_code;
    error->call = call;
    error->field = NULL;
    return status;
}

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
}

void sync_bell_ring(struct sync_bell *bell)
{
    gyre_store_release_32(bell->word, 1);
    weave_system_call("bell ring");
    weave_ring(bell->word);
}

void sync_bell_clear(struct sync_bell *bell)
{
    gyre_store_relaxed_32(bell->word, 0);
}

enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns)
{
    struct sync_bell *const bells[1] = {bell};
    struct weave_sleep      sleep = {bells, 1, site, peer_role, deadline_ns, false};

    if (gyre_load_acquire_32(bell->word) != 0)
        return SYNC_RUNG;
    weave_system_call("bell wait");
    return weave_sleep(&sleep);
}

enum sync_wake sync_bell_wait_many(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns)
{
    struct weave_sleep sleep = {bells, count, NULL, SYNC_ROLE_NONE, deadline_ns, false};

    weave_system_call("bell wait many");
    return weave_sleep(&sleep);
}

uint32_t sync_bell_many_limit(void)
{
    return MANY_MAX;
}

enum gyre_status sync_bell_make_pollable(struct sync_site *site, uint32_t which, bool is_waiter,
                                         struct sync_bell *bell, struct gyre_error *error)
{
    (void)site, (void)which, (void)is_waiter, (void)bell;
    return sync_fail(error, GYRE_UNSUPPORTED, 0, "make_pollable");
}

intptr_t sync_bell_handle(struct sync_bell *bell)
{
    (void)bell;
    return -1;
}

/* --- gate: the word counts permits ------------------------------------------------------------ */

enum gyre_status sync_gate_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_gate *gate, struct gyre_error *error)
{
    (void)site, (void)which, (void)error;
    gate->word = word;
    return GYRE_OK;
}

void sync_gate_close(struct sync_gate *gate)
{
    gate->word = NULL;
}

static void add_permits(struct sync_gate *gate, uint32_t count)
{
    uint32_t seen = gyre_load_relaxed_32(gate->word);
    uint32_t was;

    while ((was = gyre_compare_exchange_32(gate->word, seen, seen + count)) != seen)
        seen = was;
}

void sync_gate_post(struct sync_gate *gate, uint32_t count)
{
    add_permits(gate, count);
    weave_system_call("gate post");
    for (uint32_t i = 0; i < count && i < WEAVE_ROLES_MAX; i++)
        weave_ring(gate->word);
}

uint32_t sync_gate_permits(struct sync_gate *gate)
{
    return gyre_load_acquire_32(gate->word);
}

static bool take_permit(struct sync_gate *gate)
{
    uint32_t seen = gyre_load_relaxed_32(gate->word);

    while (seen != 0) {
        uint32_t was = gyre_compare_exchange_32(gate->word, seen, seen - 1);
        if (was == seen)
            return true;
        seen = was;
    }
    return false;
}

void sync_gate_ring_bell(struct sync_gate *gate, struct sync_bell *bell)
{
    (void)gate;
    sync_bell_ring(bell);
}

enum sync_wake sync_gate_wait(struct sync_gate *gate, struct sync_bell *bell,
                              struct sync_site *site, uint32_t peer_role, uint64_t deadline_ns)
{
    struct sync_bell        at_gate = {.word = gate->word};
    struct sync_bell *const bells[2] = {&at_gate, bell};
    struct weave_sleep      sleep = {bells, 2, site, peer_role, deadline_ns, false};
    enum sync_wake          woken;

    if (take_permit(gate) || gyre_load_acquire_32(bell->word) != 0)
        return SYNC_RUNG;
    weave_system_call("gate wait");
    woken = weave_sleep(&sleep);
    return take_permit(gate) ? SYNC_RUNG : woken;
}

/* --- barrier ---------------------------------------------------------------------------------- */

bool sync_barrier_exists(void)
{
    return weave_barrier != WEAVE_BARRIER_MISSING;
}

bool sync_barrier_register(void)
{
    if (weave_barrier != WEAVE_BARRIER_WORKS)
        return false;
    weave_system_call("barrier register");
    weave_register();
    return true;
}

bool sync_barrier_remote(void)
{
    weave_system_call("barrier");
    if (weave_barrier != WEAVE_BARRIER_WORKS)
        return false;
    weave_drain_all(true);
    return true;
}

/* --- clock, host ------------------------------------------------------------------------------ */

uint64_t sync_clock_now_ns(void)
{
    weave_now_ns += CLOCK_STEP_NS;
    return weave_now_ns;
}

uint64_t sync_clock_wall_ns(void)
{
    return weave_now_ns;
}

void sync_clock_sleep_until(uint64_t deadline_ns)
{
    struct weave_sleep sleep = {NULL, 0, NULL, SYNC_ROLE_NONE, deadline_ns, true};

    weave_system_call("sleep");
    (void)weave_sleep(&sleep);
}

enum gyre_status sync_host_random(uint64_t words[2], struct gyre_error *error)
{
    (void)error;
    words[0] = weave_self() + 1;
    words[1] = weave_now_ns;
    return GYRE_OK;
}

uint32_t sync_host_process_id(void)
{
    return weave_self() + 1;
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
