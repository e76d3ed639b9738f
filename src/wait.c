/*
 * wait.c - a consumer waits: it spins, then sleeps.
 *
 * It knows how long, and what else ends a wait.  How to sleep is in sleep.c.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define BURST_SIZE_PER_PAUSE 64u
#define BURST_SIZE_MAX (512u * BURST_SIZE_PER_PAUSE)
#define LOOKS_PER_CLOCK 8u

/*
 * Polls until there is something to tell or the time is up.  The pauses between two looks grow: a
 * reader that looks again at once steals the line from a producer in mid-write.
 */
static enum gyre_status spin_for(struct gyre_consumer *consumer, uint64_t until_ns)
{
    uint32_t pauses = 1;

    do {
        for (uint32_t look = 0; look < LOOKS_PER_CLOCK; look++) {
            if (gyre__is_ready(consumer)) {
                enum gyre_status status = gyre__consumer_poll(consumer);
                if (status != GYRE_TIMEOUT) /* another member was quicker */
                    return status;
            }
            for (uint32_t i = 0; i < pauses; i++)
                gyre_pause();
            if (pauses < GYRE_PAUSES_MAX)
                pauses++;
        }
        if (gyre_load_relaxed_32(&consumer->ring.is_interrupted) != 0 || gyre__is_told(consumer))
            break;
        gyre__ring_if_blocked(consumer);
    } while (sync_clock_now_ns() < until_ns);
    return gyre__consumer_poll(consumer);
}

/*
 * A reader that keeps up takes each line from the producer in mid-write, and both crawl.  So one
 * that drained the ring after a burst stays away one pause a line of what it read, at most 512 (who
 * only spins: 256), and never while much of the ring could fill: docs/performance.md.
 */
static void stay_behind(struct gyre_consumer *consumer)
{
    uint64_t burst_size = consumer->fast.peek_pos - consumer->burst_pos;
    uint64_t most = consumer->wait == GYRE_WAIT_SPIN ? BURST_SIZE_MAX / 2 : BURST_SIZE_MAX;
    uint64_t limit_size = gyre__sooner(consumer->ring.geometry.capacity / 8, most);
    uint64_t pauses = gyre__sooner(burst_size, limit_size) / BURST_SIZE_PER_PAUSE;

    if (consumer->member.group != NULL)
        return; /* what it reads is not in one piece */
    consumer->burst_pos = consumer->fast.peek_pos;
    for (uint64_t i = 0; i < pauses; i++)
        gyre_pause();
}

static bool pause_or_sleep(struct gyre_consumer *consumer, uint64_t deadline_ns)
{
    if (consumer->wait == GYRE_WAIT_SPIN)
        return gyre__is_orphaned(consumer,
                                 gyre_load_acquire_32(&consumer->ring.front->epoch)); /* E11 */
    return gyre__sleep(consumer, deadline_ns);
}

/* The producer of `epoch` is dead and stores nothing any more: what it published comes first. */
enum gyre_status gyre__tell_death(struct gyre_consumer *consumer, uint32_t epoch)
{
    enum gyre_status status = gyre__consumer_poll(consumer);

    consumer->dead_epoch = epoch;
    if (status != GYRE_TIMEOUT)
        return status;
    if (!gyre__is_orphaned(consumer, epoch)) {
        (void)gyre_exchange_32(&consumer->told_epoch, 0); /* E13: there is a new one, or nearly */
        return status;
    }
    consumer->orphan_epoch = epoch;
    return GYRE_ORPHANED;
}

enum gyre_status gyre_wait(struct gyre_consumer *consumer, uint64_t deadline_ns)
{
    enum gyre_status status = gyre__consumer_poll(consumer);
    uint64_t         spin_ns = consumer->spin.ns;
    uint64_t         now, began = 0;
    bool             has_slept = false;

    consumer->slice_idx = 0;
    consumer->member.is_at_gate = true;
    if (consumer->wait == GYRE_WAIT_SPIN)
        spin_ns = GYRE_PEER_CHECK_NS;
    if (consumer->wait != GYRE_WAIT_SLEEP && status == GYRE_TIMEOUT && deadline_ns != 0)
        stay_behind(consumer);
    while (status == GYRE_TIMEOUT) {
        uint32_t epoch = gyre_load_acquire_32(&consumer->ring.front->epoch); /* E11 */
        if (gyre__is_told(consumer))
            status = gyre__tell_death(consumer, epoch);
        if (status != GYRE_TIMEOUT)
            break;
        now = deadline_ns == 0 ? 0 : sync_clock_now_ns();
        if (now >= deadline_ns)
            break;
        began = began != 0 ? began : now;
        if (consumer->wait != GYRE_WAIT_SLEEP) {
            status = spin_for(consumer, gyre__sooner(deadline_ns, now + spin_ns));
            if (status != GYRE_TIMEOUT)
                break;
        }
        has_slept = true;
        /* A death found with messages still unread is told behind them, without another sleep. */
        if ((consumer->dead_epoch == epoch && gyre__is_orphaned(consumer, epoch)) ||
            pause_or_sleep(consumer, deadline_ns))
            status = gyre__tell_death(consumer, epoch);
        else
            status = gyre__consumer_poll(consumer);
    }
    gyre__end_slices(consumer);
    if (began != 0)
        gyre__spin_learn(&consumer->spin, status != GYRE_TIMEOUT, has_slept ? began : 0);
    return status;
}
