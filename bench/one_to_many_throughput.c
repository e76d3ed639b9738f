/*
 * one_to_many_throughput.c - how many messages a second reach each of several consumers.
 *
 * 56 bytes; every consumer gets every message.  All waits sleep: Gyre's by the default strategy,
 * the others' in their system calls.  A contestant that cannot broadcast has a channel for each
 * consumer and writes to one after the other.
 */
#include <stdlib.h>

#include "bench.h"

#define SIZE 56u

static const uint32_t counts[] = {1, 2, 4, 8};
#define COUNT_COUNT (sizeof(counts) / sizeof(counts[0]))

static int run_count(struct session *session, uint32_t consumer_count)
{
    static const enum figure figures[] = {FIGURE_RATE, FIGURE_COUNT};
    struct contest *contest = contest_make("one_to_many_throughput", SIZE, consumer_count, figures);
    int             result;

    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "%u bytes to each of %u consumers, batch of %u, sleeping waits", SIZE,
                   consumer_count, session->batch);
    contest_add_field(contest, session, JOB_STREAM);
    for (uint32_t i = 0; i < contest->entry_count; i++)
        contest->entries[i].setup.is_blocking = 1;
    result = contest_run(contest, session);
    if (result == 0) {
        report_contest(contest, session);
        for (uint32_t i = 0; i < contest->entry_count; i++)
            chart_point(session->chart, contest->entries[i].system, consumer_count,
                        contest_median(contest, &contest->entries[i], FIGURE_RATE), 0);
    }
    free(contest);
    return result;
}

int bench_one_to_many_throughput(struct session *session)
{
    chart_panel(session->chart, CHART_LINES,
                "One producer, many consumers, sleeping waits, 56 bytes", "consumers",
                "million messages a second to each");
    for (uint32_t i = 0; i < COUNT_COUNT; i++)
        if (run_count(session, counts[i]) != 0)
            return -1;
    return 0;
}
