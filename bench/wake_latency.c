/*
 * wake_latency.c - how long a message takes to a consumer that sleeps, and what sleeping costs.
 *
 * 32 bytes, one message every 200 us, one way by the clock that all processes share; waits are the
 * default ones.  Then the consumer is left blocked, and the CPU time its process uses meanwhile is
 * given in percent of a core.  The limit is the system's raw wake: two processes waking each other
 * in turn ("limit ... ping-pong", which ratios refer to), and one waking the other every 200 us, as
 * the contestants do.  The second takes longer, because the sleeper's core has fallen asleep more
 * deeply; what is left between it and a contestant is the contestant's own.
 */
#include <stdlib.h>

#include "bench.h"

#define SIZE 32u

static void draw(const struct contest *contest, struct session *session)
{
    chart_panel(session->chart, CHART_BARS, "Waking a consumer that sleeps, 32 bytes every 200 us",
                "one way, ns: p50; whisker: p99", "");
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *entry = &contest->entries[i];
        chart_point(session->chart, entry->system, 0, contest_median(contest, entry, FIGURE_P50),
                    contest_median(contest, entry, FIGURE_P99));
    }
}

static void judge(const struct contest *contest, struct session *session)
{
    const struct entry *bell = contest_find(contest, limit_bell.name);

    verdict_most(session, contest, "wake from sleep: p50 over the raw one's every 200 us",
                 contest_ratio(contest, contest->gyre, bell, FIGURE_P50), 1.1);
    verdict_most(session, contest, "wake from sleep: p50 over " LIMIT_BELL_PING_PONG "'s",
                 contest_ratio(contest, contest->gyre, contest->limit, FIGURE_P50), 1.1);
}

int bench_wake_latency(struct session *session)
{
    static const enum figure figures[] = {FIGURE_P50, FIGURE_P99, FIGURE_IDLE_CPU, FIGURE_COUNT};
    struct contest          *contest;
    struct entry            *every;

    if (!contest_is_wanted(session, "wake_latency/%uB", SIZE))
        return 0;
    contest = contest_make(session, SIZE, 1, figures);
    if (contest == NULL)
        return -1;
    (void)snprintf(
        contest->title, sizeof(contest->title),
        "%u bytes to a sleeping consumer every 200 us; its CPU while blocked for %llu ms", SIZE,
        (unsigned long long)session->idle_ns / 1000000);
    contest->limit = contest_add(contest, session, &limit_bell, JOB_PING_PONG);
    contest->limit->system = LIMIT_BELL_PING_PONG;
    contest->limit->is_limit = 1;
    every = contest_add(contest, session, &limit_bell, JOB_WAKE);
    every->is_limit = 1;
    contest_add_field(contest, session, JOB_WAKE);
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        contest->entries[i].setup.is_blocking = 1;
        contest->entries[i].setup.count = session->wake_count;
    }
    contest->judge = judge;
    if (contest_run(contest, session) != 0) {
        free(contest);
        return -1;
    }
    draw(contest, session);
    free(contest);
    return 0;
}
