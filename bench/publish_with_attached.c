/*
 * publish_with_attached.c - what a publish costs by the number of consumers that are attached and
 * do nothing.
 *
 * 56 bytes.  The consumers are lossy, so that they do not hold the producer back, and live in one
 * other process; nobody reads, so the time is the producer's alone: claim, write, publish, and the
 * look at all seats that it takes now and then.
 */
#include <stdlib.h>

#include "bench.h"

#define SIZE 56u

static const struct attached {
    uint32_t    count;
    const char *system;
} many[] = {
    {1, "gyre, 1 attached"},
    {8, "gyre, 8 attached"},
    {64, "gyre, 64 attached"},
    {255, "gyre, 255 attached"},
};
#define MANY_COUNT (sizeof(many) / sizeof(many[0]))

static void judge(const struct contest *contest, struct session *session)
{
    verdict_most(session, contest, "publish with 64 idle consumers attached over 1",
                 contest_ratio(contest, contest_find(contest, many[2].system),
                               contest_find(contest, many[0].system), FIGURE_MEAN),
                 1.05);
}

int bench_publish_with_attached(struct session *session)
{
    static const enum figure figures[] = {FIGURE_MEAN, FIGURE_COUNT};
    struct contest          *contest;
    int                      result;

    if (!contest_is_wanted(session, "publish_with_attached/%uB", SIZE))
        return 0;
    contest = contest_make(session, SIZE, 1, figures);
    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "time of a claim, write and publish; ratios are to 1 consumer");
    for (uint32_t i = 0; i < MANY_COUNT; i++) {
        struct entry *entry = contest_add(contest, session, &carrier_gyre, JOB_ATTACHED);
        entry->system = many[i].system;
        entry->setup.attached_count = many[i].count;
    }
    contest->limit = &contest->entries[0];
    contest->judge = judge;
    result = contest_run(contest, session);
    chart_panel(session->chart, CHART_LINES, "A publish, by consumers that are attached and idle",
                "attached consumers", "ns");
    for (uint32_t i = 0; result == 0 && i < MANY_COUNT; i++)
        chart_point(session->chart, "gyre", many[i].count,
                    contest_median(contest, &contest->entries[i], FIGURE_MEAN), 0);
    free(contest);
    return result;
}
