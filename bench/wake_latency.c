/*
 * wake_latency.c - how long a message takes to a consumer that sleeps, and what sleeping costs.
 *
 * 32 bytes, one message every 200 us, or, irregularly, after 100 to 300 us; one way by the clock
 * that all processes share; waits are the default ones.  The CPU time of the consumer's process is
 * given for a message, and then, while it is left blocked, in percent of a core.  The limit is the
 * system's raw wake: two processes waking each other in turn ("limit ... ping-pong", which ratios
 * refer to), and one waking the other as the contestants do.  The second takes longer, because the
 * sleeper's core has fallen asleep more deeply; what is left between it and a contestant is the
 * contestant's own.  At a steady pace Gyre's waits need no wake-up, but for "gyre sleeping", which
 * never spins.
 */
#include <stdlib.h>

#include "bench.h"

#define SIZE 32u

static void draw(const struct contest *contest, struct session *session, const char *title)
{
    chart_panel(session->chart, CHART_BARS, title, "one way, ns: p50; whisker: p99", "");
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *entry = &contest->entries[i];
        chart_point(session->chart, entry->system, 0, contest_median(contest, entry, FIGURE_P50),
                    contest_median(contest, entry, FIGURE_P99));
    }
}

static void judge_steady(const struct contest *contest, struct session *session)
{
    verdict_most(session, contest, "wake from sleep, steady: p50 over " LIMIT_BELL_PING_PONG "'s",
                 contest_ratio(contest, contest->gyre, contest->limit, FIGURE_P50), 1.1);
    verdict_least(
        session, contest, "wake from sleep, steady: over the pipe",
        contest_advantage(contest, contest->gyre, contest_find(contest, "pipe"), FIGURE_P50), 1);
}

static void judge_irregular(const struct contest *contest, struct session *session)
{
    const struct entry *bell = contest_find(contest, limit_bell.name);

    verdict_most(session, contest, "wake from sleep, irregular: p50 over the raw one's",
                 contest_ratio(contest, contest->gyre, bell, FIGURE_P50), 1.1);
    verdict_least(
        session, contest, "wake from sleep, irregular: over the pipe",
        contest_advantage(contest, contest->gyre, contest_find(contest, "pipe"), FIGURE_P50), 1);
}

static struct contest *make(struct session *session, uint32_t is_irregular)
{
    static const enum figure figures[] = {FIGURE_P50, FIGURE_P99, FIGURE_WAKE_CPU, FIGURE_IDLE_CPU,
                                          FIGURE_COUNT};
    struct contest          *contest = contest_make(session, SIZE, 1, figures);

    if (contest == NULL)
        return NULL;
    (void)snprintf(
        contest->title, sizeof(contest->title),
        "%u bytes to a sleeping consumer, one %s; its CPU a message, and in %llu ms of rest", SIZE,
        is_irregular ? "after 100 to 300 us" : "every 200 us",
        (unsigned long long)session->idle_ns / 1000000);
    contest->limit = contest_add(contest, session, &limit_bell, JOB_PING_PONG);
    contest->limit->system = LIMIT_BELL_PING_PONG;
    contest->limit->is_limit = 1;
    contest_add(contest, session, &limit_bell, JOB_WAKE)->is_limit = 1;
    contest_add_field(contest, session, JOB_WAKE);
    if (!is_irregular) {
        struct entry *sleeping = contest_add(contest, session, &carrier_gyre, JOB_WAKE);
        sleeping->system = "gyre sleeping";
        sleeping->setup.never_spins = 1;
    }
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        contest->entries[i].setup.is_blocking = 1;
        contest->entries[i].setup.is_irregular = is_irregular;
        contest->entries[i].setup.count = session->wake_count;
    }
    contest->judge = is_irregular ? judge_irregular : judge_steady;
    return contest;
}

int bench_wake_latency(struct session *session)
{
    static const char *const names[] = {"wake_latency/%uB", "wake_latency/%uB/irregular"};
    static const char *const titles[] = {"Waking a consumer that sleeps, 32 bytes every 200 us",
                                         "Waking it irregularly, after 100 to 300 us"};
    int                      result = 0;

    for (uint32_t i = 0; i < 2 && result == 0; i++) {
        struct contest *contest;
        if (!contest_is_wanted(session, names[i], SIZE))
            continue;
        contest = make(session, i);
        if (contest == NULL)
            return -1;
        result = contest_run(contest, session);
        if (result == 0)
            draw(contest, session, titles[i]);
        free(contest);
    }
    return result;
}
