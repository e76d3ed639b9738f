/*
 * many.c - one wait for many consumers, of any rings.
 *
 * It sleeps with the steps of sleep.c: every consumer says that it sleeps, one barrier serves all,
 * each is looked at once more, then all bells are waited for at once.  Nothing is kept between
 * calls but whose turn it is, and when to look for dead producers.
 */
#include "internal.h"

#include <stdlib.h>

#include <gyre/atomic.h>

struct crowd {
    struct gyre_consumer *const *consumers;
    struct sync_bell           **bells; /* room for `count`; those with a seat */
    uint32_t                     count;
    uint32_t                     bell_count;
};

/* The first that has something to tell, from the one on whose turn it is. */
static enum gyre_status poll_all(const struct crowd *crowd, uint32_t *which)
{
    uint32_t first = crowd->consumers[0]->turn;

    for (uint32_t i = 0; i < crowd->count; i++) {
        uint32_t         idx = (first + i) % crowd->count;
        enum gyre_status status = gyre__consumer_poll(crowd->consumers[idx]);
        if (status == GYRE_TIMEOUT)
            continue;
        crowd->consumers[0]->turn = (idx + 1) % crowd->count;
        *which = idx;
        return status;
    }
    return GYRE_TIMEOUT;
}

static bool must_look(const struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->count; i++)
        if (gyre__must_look(crowd->consumers[i]))
            return true;
    return false;
}

/* Looks at all until one is ready or the time is up, without a system call but the clock's. */
static void spin_all(const struct crowd *crowd, uint64_t until_ns)
{
    uint32_t pauses = 1;

    while (!must_look(crowd) && sync_clock_now_ns() < until_ns) {
        for (uint32_t i = 0; i < pauses; i++)
            gyre_pause();
        if (pauses < GYRE_PAUSES_MAX)
            pauses++;
    }
}

/*
 * Beyond what the system can wait for by itself each bell needs a handle.  A tap has no bell; that
 * of a sealed ring can have no handle on Linux, so that the wait for it looks again and again.
 */
static enum gyre_status gather_bells(struct crowd *crowd)
{
    bool is_many;

    crowd->bell_count = 0;
    for (uint32_t i = 0; i < crowd->count; i++)
        if (crowd->consumers[i]->seat != NULL)
            crowd->bells[crowd->bell_count++] = &crowd->consumers[i]->bell;
    is_many = crowd->bell_count > 1 && crowd->bell_count > sync_bell_many_limit();
    for (uint32_t i = 0; is_many && i < crowd->count; i++) {
        struct gyre_error ignored;
        enum gyre_status  status = gyre__make_pollable(crowd->consumers[i], &ignored);
        if (status != GYRE_OK && status != GYRE_UNSUPPORTED)
            return status;
    }
    return GYRE_OK;
}

/* Everybody says that it sleeps.  Returns how long the sleep may be. */
static uint64_t say_all_asleep(const struct crowd *crowd)
{
    uint64_t limit = GYRE_LONG_SLICE_NS;
    bool     is_barrier_done;

    for (uint32_t i = 0; i < crowd->count; i++)
        if (crowd->consumers[i]->seat != NULL)
            gyre__say_asleep(crowd->consumers[i]);
    is_barrier_done = gyre__barrier();
    for (uint32_t i = 0; i < crowd->count; i++) {
        struct gyre_consumer *consumer = crowd->consumers[i];
        uint64_t one = consumer->seat != NULL ? gyre__sleep_limit_ns(consumer, is_barrier_done)
                                              : gyre__tap_limit_ns(consumer);
        limit = gyre__sooner(limit, one);
    }
    return limit;
}

/* One sleep of all. */
static void sleep_all(const struct crowd *crowd, uint64_t deadline_ns)
{
    uint64_t       until = say_all_asleep(crowd);
    enum sync_wake woken = SYNC_RUNG;

    if (!must_look(crowd)) {
        until = gyre__sooner(deadline_ns, sync_clock_now_ns() + until);
        for (uint32_t i = 0; i < crowd->count; i++)
            if (crowd->consumers[i]->seat != NULL)
                gyre__count_sleep(crowd->consumers[i]);
        if (crowd->bell_count == 0)
            sync_clock_sleep_until(until);
        else
            woken = sync_bell_wait_many(crowd->bells, crowd->bell_count, until);
    }
    for (uint32_t i = 0; i < crowd->count; i++) {
        struct gyre_consumer *consumer = crowd->consumers[i];
        if (consumer->seat == NULL)
            continue;
        if (woken == SYNC_TIMED_OUT)
            gyre__count_missed(consumer);
        gyre__end_sleep(consumer, woken);
    }
}

/*
 * TIMEOUT, or what there is to tell of a ring whose producer died.  Messages that are still unread
 * come first, when it is their turn.
 */
static enum gyre_status look_for_deaths(const struct crowd *crowd, uint32_t *which)
{
    for (uint32_t i = 0; i < crowd->count; i++) {
        struct gyre_consumer *consumer = crowd->consumers[i];
        uint32_t              epoch = gyre__watched_epoch(consumer);
        enum gyre_status      status;
        if (epoch == 0 || gyre__is_ready(consumer) ||
            (!gyre__is_told(consumer) && !gyre__is_orphaned(consumer, epoch)))
            continue;
        status = gyre__tell_death(consumer, epoch);
        if (status == GYRE_TIMEOUT)
            continue;
        *which = i;
        return status;
    }
    return GYRE_TIMEOUT;
}

static bool is_anybody_told(const struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->count; i++)
        if (gyre__is_told(crowd->consumers[i]))
            return true;
    return false;
}

/*
 * Some times a second, however short the waits are and however busy the other rings; after a death
 * at once again, for those who died with it.
 */
static enum gyre_status look_now_and_then(const struct crowd *crowd, uint32_t *which)
{
    struct gyre_consumer *leader = crowd->consumers[0];
    uint64_t              now = sync_clock_now_ns();
    enum gyre_status      status;

    if (now < leader->look_ns && !is_anybody_told(crowd))
        return GYRE_TIMEOUT;
    status = look_for_deaths(crowd, which);
    if (status == GYRE_TIMEOUT)
        leader->look_ns = now + GYRE_PEER_CHECK_NS;
    return status;
}

static enum gyre_status wait_crowd(struct crowd *crowd, uint64_t deadline_ns, uint32_t *which)
{
    struct gyre_consumer *leader = crowd->consumers[0];
    enum gyre_status      status = poll_all(crowd, which);
    uint64_t              began = 0;

    for (uint32_t i = 0; i < crowd->count; i++)
        crowd->consumers[i]->slice_idx = 0;
    while (status == GYRE_TIMEOUT) {
        uint64_t now = sync_clock_now_ns();
        if (now >= deadline_ns)
            break;
        began = began != 0 ? began : now;
        if (leader->wait != GYRE_WAIT_SLEEP)
            spin_all(crowd, gyre__sooner(deadline_ns, now + leader->spin.ns));
        if (leader->wait != GYRE_WAIT_SPIN && !must_look(crowd))
            sleep_all(crowd, gyre__sooner(deadline_ns, leader->look_ns));
        status = poll_all(crowd, which);
        if (status == GYRE_TIMEOUT)
            status = look_now_and_then(crowd, which);
    }
    for (uint32_t i = 0; i < crowd->count; i++)
        gyre__end_slices(crowd->consumers[i]);
    if (began != 0)
        gyre__spin_learn(&leader->spin, status != GYRE_TIMEOUT, began);
    return status;
}

/* A consumer that stands twice in the array would say that it is awake while it sleeps. */
static bool is_good(struct gyre_consumer *const *consumers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (consumers[i] == NULL)
            return false;
    for (uint32_t i = 0; i < count; i++)
        consumers[i]->place = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (consumers[i]->place != UINT32_MAX)
            return false;
        consumers[i]->place = i;
        consumers[i]->member.is_at_gate = false;
    }
    return true;
}

enum gyre_status gyre_wait_any(struct gyre_consumer *const *consumers, uint32_t count,
                               uint64_t deadline_ns, uint32_t *which)
{
    struct crowd     crowd = {consumers, NULL, count, 0};
    enum gyre_status status;

    if (consumers == NULL || which == NULL || count == 0 || !is_good(consumers, count))
        return GYRE_BAD_ARGUMENT;
    status = deadline_ns != 0 ? look_now_and_then(&crowd, which) : GYRE_TIMEOUT;
    if (status == GYRE_TIMEOUT)
        status = poll_all(&crowd, which);
    if (status != GYRE_TIMEOUT || deadline_ns == 0)
        return status;
    crowd.bells = calloc(count, sizeof(struct sync_bell *));
    if (crowd.bells == NULL)
        return GYRE_NO_MEMORY;
    status = gather_bells(&crowd);
    if (status == GYRE_OK)
        status = wait_crowd(&crowd, deadline_ns, which);
    free(crowd.bells);
    return status;
}
