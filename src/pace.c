/*
 * pace.c - messages at a steady pace: a wait ends its sleep before the next one is due.
 *
 * A wake-up by the producer takes some 5 to 50 us.  One by a timer takes at least as long, but that
 * can be allowed for: where messages come at equal intervals a wait sleeps until `lead_ns` before
 * the next is due and spins for it, for a sixteenth of the interval, or 10 us; longer, up to a
 * quarter, if the timer was not as late as usual.  The lead follows what happens as one tracks a
 * quantile: up by much if the message was there before us (by more if it happens again at once, and
 * at once to what timers have been late by), down by little if it was not, until one in some thirty
 * is; and down by an eighth of what the spin took too long.
 *
 * When a message came that was slept through nobody knows, only that it was not there when the wait
 * looked last.  On virtual machines a ring wakes in 10 us and a timer in 40 to 60.  So where one
 * was expected it is taken to have come when it was due, if that is between the last look, or as
 * long ago as timers are late, and now: a guess by what a timer takes would be off by more than the
 * spin is long, and every miss would cause the next.
 *
 * Trust is lost fast and takes long to win again: messages without a pace must not cost vain
 * wake-ups.  But hosts that take a virtual processor away for a moment, a thousand times a second,
 * make every fifth of 5,000 messages a second late: one that is late among others that are not says
 * nothing of the pace.
 */
#include "internal.h"

#define PERIOD_MIN_NS UINT64_C(100000)
#define PERIOD_MAX_NS UINT64_C(1000000000)
#define SPIN_MIN_NS UINT64_C(10000)
#define SPIN_MAX_NS UINT64_C(100000)
#define SPIN_SHARE 16u
#define SPIN_SHARE_MOST 4u
#define LEAD_MAX_NS (2 * SPIN_MAX_NS)
#define STEP_MIN_NS UINT64_C(4000)
#define STEPS_DOWN 32u
#define SKIPPED_MAX 8u /* so many intervals without a message may pass within a pace */
#define STEADY_ENOUGH 5
#define JITTER_MIN_NS UINT64_C(250)
#define TRUST_MAX 16u
#define REST_COUNT 64 /* so many steady messages are let pass after trust was lost */

/* What a spin takes, but for what a timer was early by. */
static uint64_t share_ns(const struct gyre_pace *pace)
{
    uint64_t spin_ns = gyre__sooner(pace->period_ns / SPIN_SHARE, SPIN_MAX_NS);

    return spin_ns > SPIN_MIN_NS ? spin_ns : SPIN_MIN_NS;
}

static void distrust(struct gyre_pace *pace, uint32_t count)
{
    pace->trust = pace->trust > count ? pace->trust - count : 0;
    pace->steady_count = pace->trust == 0 ? -REST_COUNT : 0;
}

static void confirm(struct gyre_pace *pace)
{
    if (pace->trust != 0 && pace->trust < TRUST_MAX)
        pace->trust++;
    if (pace->trust == 0 && ++pace->steady_count >= STEADY_ENOUGH) {
        pace->trust = TRUST_MAX;
        pace->jitter_ns = share_ns(pace) / 4;
    }
}

static void deny(struct gyre_pace *pace)
{
    if (pace->trust != 0)
        distrust(pace, 4);
    else if (pace->steady_count > 0)
        pace->steady_count--;
}

static bool is_a_period(uint64_t ns)
{
    return ns >= PERIOD_MIN_NS && ns <= PERIOD_MAX_NS;
}

static void keep(struct gyre_pace *pace, uint64_t at_ns)
{
    pace->last_ns = at_ns;
    pace->odd_ns = 0;
}

/* How many intervals that is, to the nearest; 0 if the interval is not known. */
static uint64_t intervals(const struct gyre_pace *pace, uint64_t gap_ns)
{
    return pace->period_ns != 0 ? (gap_ns + pace->period_ns / 2) / pace->period_ns : 0;
}

static bool is_steady(const struct gyre_pace *pace, uint64_t gap_ns, uint64_t count)
{
    uint64_t want_ns = count * pace->period_ns;

    return want_ns != 0 &&
           (gap_ns > want_ns ? gap_ns - want_ns : want_ns - gap_ns) <= pace->period_ns / 8;
}

/* A message came at `at_ns`.  One that was late breaks no pace if the next one keeps it. */
static void observe(struct gyre_pace *pace, uint64_t at_ns)
{
    bool     was_odd = pace->odd_ns != 0;
    uint64_t gap_ns = at_ns - pace->last_ns;
    uint64_t count = intervals(pace, gap_ns);

    if (count > SKIPPED_MAX && pace->trust != 0) {
        keep(pace, at_ns);
        return; /* the stream had a rest */
    }
    /* Two intervals may be two or one of a slower pace: they are no proof of this one. */
    if ((count == (was_odd ? 2 : 1) || pace->trust != 0) && is_steady(pace, gap_ns, count)) {
        keep(pace, at_ns);
        pace->period_ns +=
            (uint64_t)((int64_t)(gap_ns - count * pace->period_ns) / (int64_t)(4 * count));
        confirm(pace);
        if (pace->period_ns < PERIOD_MIN_NS / 8 * 7) { /* it may drift, but not so far */
            pace->trust = 0;
            pace->steady_count = 0;
        }
        return;
    }
    gap_ns = at_ns - (was_odd ? pace->odd_ns : pace->last_ns);
    if (was_odd && is_steady(pace, gap_ns, 1)) {
        keep(pace, at_ns); /* the same pace, from another time on */
        return;
    }
    deny(pace);
    if (pace->trust == 0 && pace->steady_count <= 0) {
        pace->period_ns = is_a_period(gap_ns) ? gap_ns : 0;
    } else if (!was_odd) {
        pace->odd_ns = at_ns;
        return;
    }
    keep(pace, at_ns);
}

uint64_t gyre__pace_next(struct gyre_pace *pace, uint64_t now_ns)
{
    if (pace->lead_ns == 0) {
        pace->lead_ns = share_ns(pace);
        pace->step_ns = STEP_MIN_NS;
    }
    pace->lead_ns = gyre__sooner(pace->lead_ns, pace->period_ns / 2);
    pace->wake_ns = pace->last_ns + pace->period_ns - pace->lead_ns;
    pace->looked_ns = now_ns;
    if (pace->trust == 0 || pace->wake_ns < now_ns + SPIN_MIN_NS)
        pace->wake_ns = 0; /* none is due, or too soon for a sleep */
    return pace->wake_ns;
}

static void note_lateness(struct gyre_pace *pace, uint64_t now_ns)
{
    uint64_t late_ns = gyre__sooner(now_ns - pace->wake_ns, LEAD_MAX_NS);

    if (pace->late_ns == 0)
        pace->late_ns = late_ns;
    else
        pace->late_ns = pace->late_ns - pace->late_ns / 8 + late_ns / 8;
}

uint64_t gyre__pace_woken(struct gyre_pace *pace, uint64_t now_ns)
{
    uint64_t spin_ns = share_ns(pace);
    uint64_t until_ns = pace->wake_ns + pace->lead_ns + spin_ns / 2; /* when it is due, and a bit */

    note_lateness(pace, now_ns);
    if (until_ns > now_ns + spin_ns)
        spin_ns = gyre__sooner(until_ns - now_ns, pace->period_ns / SPIN_SHARE_MOST);
    pace->woken_ns = now_ns;
    pace->looked_ns = now_ns + spin_ns;
    return spin_ns;
}

/* When the message was due that came at about `at_ns`; only where one is expected. */
static uint64_t due_ns(const struct gyre_pace *pace, uint64_t at_ns)
{
    uint64_t count = intervals(pace, at_ns - pace->last_ns);

    return pace->last_ns + (count != 0 ? count : 1) * pace->period_ns;
}

/*
 * When the message came that a sleep ended for, late_ns ago at most: when it was due, as far as
 * that agrees with what was seen.
 */
static uint64_t arrived_ns(const struct gyre_pace *pace, uint64_t now_ns)
{
    uint64_t late_ns =
        gyre__sooner(pace->late_ns, pace->period_ns / 4); /* of another pace, perhaps */
    uint64_t first_ns = now_ns - late_ns;
    uint64_t at_ns;

    if (pace->trust == 0)
        return now_ns; /* what is the same each time does not matter to an interval */
    at_ns = due_ns(pace, first_ns);
    if (first_ns < pace->looked_ns && pace->looked_ns < now_ns)
        first_ns = pace->looked_ns;
    return at_ns < first_ns ? first_ns : gyre__sooner(at_ns, now_ns);
}

/* A message that was met shows how exactly they come: a median, because some are disturbed. */
static void note_jitter(struct gyre_pace *pace, uint64_t at_ns)
{
    uint64_t due = due_ns(pace, at_ns);
    uint64_t error_ns = at_ns < due ? due - at_ns : at_ns - due;

    if (error_ns > pace->jitter_ns)
        pace->jitter_ns += pace->jitter_ns / 4;
    else if (pace->jitter_ns > JITTER_MIN_NS)
        pace->jitter_ns -= pace->jitter_ns / 4;
}

void gyre__pace_learn(struct gyre_pace *pace, enum gyre_arrival arrival, uint64_t now_ns)
{
    uint64_t spin_ns = share_ns(pace);
    uint64_t lead_max_ns = gyre__sooner(pace->period_ns / 2, LEAD_MAX_NS);
    uint64_t due = pace->wake_ns + pace->lead_ns; /* if one was expected */
    uint64_t at_ns, vain_ns;
    bool     has_skipped, is_exact;

    if (arrival == GYRE_ARRIVAL_EARLY && now_ns > pace->wake_ns)
        note_lateness(pace, now_ns);
    if (arrival == GYRE_ARRIVAL_MET)
        at_ns = gyre__sooner(now_ns, pace->looked_ns); /* later only if we were stopped meanwhile */
    else
        at_ns = arrived_ns(pace, now_ns);
    switch (arrival) {
    case GYRE_ARRIVAL_RUNG:
        observe(pace, at_ns);
        break;
    case GYRE_ARRIVAL_EARLY:
        if (now_ns + pace->period_ns / 8 < pace->wake_ns) { /* not the one that was due */
            observe(pace, at_ns);
            break;
        }
        keep(pace, at_ns);
        pace->lead_ns += pace->step_ns;
        if (pace->lead_ns < pace->late_ns)
            pace->lead_ns = pace->late_ns;
        pace->lead_ns = gyre__sooner(pace->lead_ns, lead_max_ns);
        pace->step_ns = gyre__sooner(pace->step_ns * 2, spin_ns / 2);
        distrust(pace, 1);
        break;
    case GYRE_ARRIVAL_MET:
        if (pace->trust != 0)
            note_jitter(pace, at_ns);
        observe(pace, at_ns);
        pace->step_ns = STEP_MIN_NS;
        vain_ns = at_ns - pace->woken_ns;
        vain_ns = vain_ns > spin_ns ? (vain_ns - spin_ns) / 8 : 0;
        pace->lead_ns -= gyre__sooner(pace->lead_ns, STEP_MIN_NS / STEPS_DOWN + vain_ns);
        break;
    case GYRE_ARRIVAL_LATE:
        has_skipped = at_ns > due + pace->period_ns / 2;
        observe(pace, at_ns);
        if (due > pace->looked_ns) { /* we gave up before */
            vain_ns = due - pace->looked_ns + spin_ns / 4;
            pace->lead_ns -= gyre__sooner(pace->lead_ns, vain_ns);
        }
        /* Of the time of this one there is but a guess, which confirmed itself. */
        is_exact = pace->jitter_ns <= spin_ns / 4;
        distrust(pace, (has_skipped ? 2u : 1u) + (is_exact ? 0 : 2));
        break;
    }
}
