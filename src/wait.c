/*
 * wait.c - a consumer waits: it spins, then sleeps.
 *
 * It knows how long, and what else ends a wait.  How to sleep is in sleep.c, what waits learn is in
 * spin.c and pace.c.
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

static bool pause_or_sleep(struct gyre_consumer *consumer, uint64_t deadline_ns, bool is_due)
{
    if (consumer->wait == GYRE_WAIT_SPIN)
        return gyre__is_orphaned(consumer,
                                 gyre_load_acquire_32(&consumer->ring.front->epoch)); /* E11 */
    return gyre__sleep(consumer, deadline_ns, is_due);
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

/* The pace of messages is kept where the budget of the spins adapts. */
static bool keeps_pace(const struct gyre_consumer *consumer)
{
    return consumer->wait == GYRE_WAIT_SPIN_THEN_SLEEP && !consumer->spin.is_fixed &&
           consumer->kind != GYRE_TAP && consumer->member.group == NULL;
}

/* One wait. */
struct vigil {
    uint64_t          deadline_ns;
    uint64_t          began_ns; /* 0: there was no need to wait yet */
    uint64_t          wake_ns;  /* the sleep ends then, because a message is due; 0: it does not */
    uint64_t          spin_ns;
    enum gyre_arrival arrival; /* so it is if a message comes now */
    bool              has_slept;
};

static void begin_vigil(struct gyre_consumer *consumer, struct vigil *vigil, uint64_t now)
{
    vigil->began_ns = now;
    vigil->spin_ns = consumer->wait == GYRE_WAIT_SPIN ? GYRE_PEER_CHECK_NS : consumer->spin.ns;
    vigil->wake_ns = keeps_pace(consumer) ? gyre__pace_next(&consumer->pace, now) : 0;
    vigil->arrival = vigil->wake_ns != 0 ? GYRE_ARRIVAL_EARLY : GYRE_ARRIVAL_RUNG;
}

/* Spins, unless a message is due later, and then sleeps. */
static enum gyre_status spin_and_sleep(struct gyre_consumer *consumer, struct vigil *vigil,
                                       uint32_t epoch, uint64_t now)
{
    uint64_t         deadline_ns = vigil->deadline_ns;
    enum gyre_status status;

    if (vigil->wake_ns != 0 && now >= vigil->wake_ns) {
        gyre__end_slices(consumer); /* who spins needs no ring */
        vigil->wake_ns = 0;
        vigil->spin_ns = gyre__pace_woken(&consumer->pace, now);
        vigil->arrival = GYRE_ARRIVAL_MET;
    }
    if (vigil->wake_ns != 0) {
        deadline_ns = gyre__sooner(deadline_ns, vigil->wake_ns);
    } else if (consumer->wait != GYRE_WAIT_SLEEP) {
        status = spin_for(consumer, gyre__sooner(deadline_ns, now + vigil->spin_ns));
        if (status != GYRE_TIMEOUT)
            return status;
        if (vigil->arrival == GYRE_ARRIVAL_MET) {
            vigil->arrival = GYRE_ARRIVAL_LATE;
            vigil->spin_ns = consumer->spin.ns;
        }
    }
    vigil->has_slept = true;
    /* A death found with messages still unread is told behind them, without another sleep. */
    if ((consumer->dead_epoch == epoch && gyre__is_orphaned(consumer, epoch)) ||
        pause_or_sleep(consumer, deadline_ns, deadline_ns == vigil->wake_ns))
        return gyre__tell_death(consumer, epoch);
    return gyre__consumer_poll(consumer);
}

static void learn(struct gyre_consumer *consumer, const struct vigil *vigil,
                  enum gyre_status status)
{
    if (vigil->began_ns == 0)
        return;
    if (vigil->arrival == GYRE_ARRIVAL_RUNG)
        gyre__spin_learn(&consumer->spin, status != GYRE_TIMEOUT,
                         vigil->has_slept ? vigil->began_ns : 0);
    if (status == GYRE_OK && vigil->has_slept && keeps_pace(consumer))
        gyre__pace_learn(&consumer->pace, vigil->arrival, sync_clock_now_ns());
}

enum gyre_status gyre_wait(struct gyre_consumer *consumer, uint64_t deadline_ns)
{
    enum gyre_status status = gyre__consumer_poll(consumer);
    struct vigil     vigil = {.deadline_ns = deadline_ns};

    consumer->slice_idx = 0;
    consumer->member.is_at_gate = true;
    if (consumer->wait != GYRE_WAIT_SLEEP && status == GYRE_TIMEOUT && deadline_ns != 0)
        stay_behind(consumer);
    while (status == GYRE_TIMEOUT) {
        uint32_t epoch = gyre_load_acquire_32(&consumer->ring.front->epoch); /* E11 */
        uint64_t now;
        if (gyre__is_told(consumer))
            status = gyre__tell_death(consumer, epoch);
        if (status != GYRE_TIMEOUT)
            break;
        now = deadline_ns == 0 ? 0 : sync_clock_now_ns();
        if (now >= deadline_ns)
            break;
        if (vigil.began_ns == 0)
            begin_vigil(consumer, &vigil, now);
        status = spin_and_sleep(consumer, &vigil, epoch, now);
    }
    gyre__end_slices(consumer);
    learn(consumer, &vigil, status);
    return status;
}
