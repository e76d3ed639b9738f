/*
 * bell.c - the wake-up of one waiter: a futex on a word in shared memory.
 *
 * The word is 1 from a ring until the waiter clears it, so a ring before the wait is not lost.  The
 * futex is never FUTEX_PRIVATE: the ringer is another process.  futex(2) has no way to wait for a
 * death as well, so a wait with a peer is cut into slices and the peer's lease is looked at in
 * between.
 */
#include "site.h"

#include <errno.h>
#include <linux/futex.h>

#include <gyre/atomic.h>

#define PEER_SLICE_NS UINT64_C(100000000)

enum gyre_status sync_bell_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_bell *bell, struct gyre_error *error)
{
    (void)site, (void)which, (void)error; /* the word is all there is */
    bell->word = word;
    bell->os = NULL;
    return GYRE_OK;
}

void sync_bell_close(struct sync_bell *bell)
{
    bell->word = NULL;
}

void sync_bell_ring(struct sync_bell *bell)
{
    gyre_store_release_32(bell->word, 1);
    (void)sync_calls.futex(bell->word, FUTEX_WAKE, 1, NULL, 0);
}

void sync_bell_clear(struct sync_bell *bell)
{
    gyre_store_relaxed_32(bell->word, 0);
}

/* One futex wait; returns at `until_ns` with TIMED_OUT. */
static enum sync_wake wait_once(struct sync_bell *bell, uint64_t until_ns)
{
    struct timespec until = clock_timespec(until_ns);
    long            result;

    if (gyre_load_acquire_32(bell->word) != 0)
        return SYNC_RUNG;
    /* FUTEX_WAIT_BITSET is the form whose deadline is absolute and on the monotonic clock. */
    result = sync_calls.futex(bell->word, FUTEX_WAIT_BITSET, 0,
                              until_ns == UINT64_MAX ? NULL : &until, FUTEX_BITSET_MATCH_ANY);
    return result != 0 && errno == ETIMEDOUT ? SYNC_TIMED_OUT : SYNC_RUNG;
}

enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns)
{
    for (;;) {
        uint64_t until_ns = deadline_ns;

        if (peer_role != SYNC_ROLE_NONE) {
            uint64_t slice_ns = sync_clock_now_ns() + PEER_SLICE_NS;
            if (slice_ns < until_ns)
                until_ns = slice_ns;
        }
        if (wait_once(bell, until_ns) == SYNC_RUNG)
            return SYNC_RUNG;
        if (peer_role != SYNC_ROLE_NONE && sync_lease_is_free(site, peer_role))
            return SYNC_PEER_GONE;
        if (until_ns == deadline_ns)
            return SYNC_TIMED_OUT;
    }
}
