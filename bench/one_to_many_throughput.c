/*
 * one_to_many_throughput.c - how many messages a second reach each of several consumers.
 *
 * 56 bytes; every consumer gets every message.  Waits sleep: Gyre's by the default strategy, the
 * others' in their system calls; the rings for one consumer know no sleep and yield instead.  Where
 * there are cores enough, "gyre spin" has spinning waits.  A contestant that cannot broadcast has a
 * channel for each consumer and writes to one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SIZE 56u
#define BAR_CONSUMERS 8u

static void judge(const struct contest *contest, struct session *session)
{
    verdict_rate(session, contest, "1 to 8 consumers, 56 bytes, sleeping waits: to each",
                 contest_median(contest, contest->gyre, FIGURE_RATE), 20);
    verdict_least(
        session, contest, "1 to 8 consumers, 56 bytes: over the pipe",
        contest_advantage(contest, contest->gyre, contest_find(contest, "pipe"), FIGURE_RATE), 100);
}

static int run_count(struct session *session, uint32_t consumer_count)
{
    static const enum figure figures[] = {FIGURE_RATE, FIGURE_COUNT};
    struct contest          *contest = contest_make(session, SIZE, consumer_count, figures);
    struct entry            *spin = NULL;
    int                      result;

    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "to each of %u consumers, sleeping waits on %d cores", consumer_count,
                   session->core_count);
    contest_add_field(contest, session, JOB_STREAM);
    if (1 + (int)consumer_count <= session->core_count) {
        spin = contest_add(contest, session, &carrier_gyre, JOB_STREAM);
        spin->system = "gyre spin";
    }
    for (uint32_t i = 0; i < contest->entry_count; i++)
        contest->entries[i].setup.is_blocking = &contest->entries[i] != spin;
    if (consumer_count == BAR_CONSUMERS)
        contest->judge = judge;
    result = contest_run(contest, session);
    if (result == 0)
        for (uint32_t i = 0; i < contest->entry_count; i++)
            chart_point(session->chart, contest->entries[i].system, consumer_count,
                        contest_median(contest, &contest->entries[i], FIGURE_RATE), 0);
    free(contest);
    return result;
}

int bench_one_to_many_throughput(struct session *session)
{
    static const struct list quick = {{1, 8}, 2};
    static const struct list full = {{1, 2, 4, 8}, 4};
    const struct list       *counts = session->consumers.count > 0 ? &session->consumers
                                      : session->is_quick          ? &quick
                                                                   : &full;

    chart_panel(session->chart, CHART_LINES,
                "One producer, many consumers, sleeping waits, 56 bytes", "consumers",
                "million messages a second to each");
    for (uint32_t i = 0; i < counts->count; i++) {
        uint32_t count = (uint32_t)counts->value[i];
        if (contest_is_wanted(session, "one_to_many_throughput/%uB/%uconsumers", SIZE, count) &&
            run_count(session, count) != 0)
            return -1;
    }
    return 0;
}
