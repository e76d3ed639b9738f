/*
 * gate.c - a counting wake-up for many waiters: a futex on a word in shared memory.
 *
 * The low half of the word counts permits, so that a post before the wait is not lost.  The high
 * half changes when somebody's own bell is rung: he may be about to sleep on this word, where the
 * kernel compares all of it.
 */
#include "site.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

#include <gyre/atomic.h>

#define PERMITS_MASK UINT32_C(0xffff)
#define ONE_RING (PERMITS_MASK + 1)

enum gyre_status sync_gate_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_gate *gate, struct gyre_error *error)
{
    (void)site, (void)which, (void)error; /* the word is all there is */
    gate->word = word;
    gate->os = NULL;
    return GYRE_OK;
}

void sync_gate_close(struct sync_gate *gate)
{
    gate->word = NULL;
}

/* Adds to the word, where `count` permits still have room. */
static void add(struct sync_gate *gate, uint32_t count, uint32_t rings)
{
    uint32_t seen = gyre_load_relaxed_32(gate->word);

    for (;;) {
        uint32_t permits = (seen & PERMITS_MASK) + count;
        uint32_t next, was;
        if (permits > SYNC_GATE_PERMITS_MAX)
            permits = SYNC_GATE_PERMITS_MAX;
        next = ((seen & ~PERMITS_MASK) + rings) | permits;
        was = gyre_compare_exchange_32(gate->word, seen, next);
        if (was == seen)
            return;
        seen = was;
    }
}

void sync_gate_post(struct sync_gate *gate, uint32_t count)
{
    add(gate, count, 0);
    (void)sync_calls.futex(gate->word, FUTEX_WAKE, count, NULL, 0);
}

uint32_t sync_gate_permits(struct sync_gate *gate)
{
    return gyre_load_acquire_32(gate->word) & PERMITS_MASK;
}

void sync_gate_ring_bell(struct sync_gate *gate, struct sync_bell *bell)
{
    int code = errno; /* this may be a signal handler */

    sync_bell_ring(bell);
    add(gate, 0, ONE_RING);
    (void)sync_calls.futex(gate->word, FUTEX_WAKE, INT_MAX, NULL, 0);
    errno = code;
}

static bool take_permit(struct sync_gate *gate)
{
    uint32_t seen = gyre_load_relaxed_32(gate->word);

    while ((seen & PERMITS_MASK) != 0) {
        uint32_t was = gyre_compare_exchange_32(gate->word, seen, seen - 1);
        if (was == seen)
            return true;
        seen = was;
    }
    return false;
}

enum sync_wake sync_gate_wait(struct sync_gate *gate, struct sync_bell *bell,
                              struct sync_site *site, uint32_t peer_role, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t        seen = gyre_load_acquire_32(gate->word);
        uint64_t        until_ns = bell_until(peer_role, deadline_ns);
        struct timespec until = clock_timespec(until_ns);

        if (take_permit(gate) || gyre_load_acquire_32(bell->word) != 0)
            return SYNC_RUNG;
        if (sync_calls.futex(gate->word, FUTEX_WAIT_BITSET, seen,
                             until_ns == UINT64_MAX ? NULL : &until, FUTEX_BITSET_MATCH_ANY) == 0 ||
            errno != ETIMEDOUT) {
            (void)take_permit(gate);
            return SYNC_RUNG;
        }
        if (take_permit(gate))
            return SYNC_RUNG;
        if (peer_role != SYNC_ROLE_NONE && sync_lease_is_free(site, peer_role))
            return SYNC_PEER_GONE;
        if (until_ns == deadline_ns)
            return SYNC_TIMED_OUT;
    }
}
