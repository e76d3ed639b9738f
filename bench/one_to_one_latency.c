/*
 * one_to_one_latency.c - how long a message takes: a ping-pong, both ends polling.
 *
 * Everything is one way, half the round trip.  The mean is from a pass without time stamps (the
 * median of its 16 slices' means), the percentiles from one with a stamp a round trip.  The limits
 * are L1 and L2; ratios refer to L2, whose line has room for 56 bytes.
 */
#include <stdlib.h>

#include "bench.h"
#include "stamp.h"

#define BAR_SIZE 32u
#define SIZES_MOST 16u

static void draw(const struct contest *contest, struct session *session)
{
    chart_panel(session->chart, CHART_BARS, "Ping-pong, 32 bytes, both ends polling",
                "one way, ns: mean; whisker: p99", "");
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *entry = &contest->entries[i];
        chart_point(session->chart, entry->system, 0, contest_median(contest, entry, FIGURE_MEAN),
                    contest_median(contest, entry, FIGURE_P99));
    }
}

static void judge(const struct contest *contest, struct session *session)
{
    const struct entry *gyre = contest->gyre;

    verdict_most(session, contest, "ping-pong, 32 bytes: untimed mean over L2's",
                 contest_ratio(contest, gyre, contest->limit, FIGURE_MEAN), 1.15);
    verdict_most(session, contest, "ping-pong, 32 bytes: p99 over L2's",
                 contest_ratio(contest, gyre, contest->limit, FIGURE_P99), 1.25);
    verdict_least(session, contest, "ping-pong, 32 bytes: over the pipe",
                  contest_advantage(contest, gyre, contest_find(contest, "pipe"), FIGURE_MEAN), 5);
}

/* NULL: failed; else the contest, to be freed. */
static struct contest *run_size(struct session *session, uint32_t size)
{
    static const enum figure figures[] = {FIGURE_MEAN, FIGURE_P50, FIGURE_P99, FIGURE_P999,
                                          FIGURE_COUNT};
    struct contest          *contest = contest_make(session, size, 1, figures);

    if (contest == NULL)
        return NULL;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "ping-pong, one way, both ends polling (stamps: %s)", STAMP_NAME);
    contest_add(contest, session, &limit_word, JOB_PING_PONG)->is_limit = 1;
    contest->limit = contest_add(contest, session, &limit_line, JOB_PING_PONG);
    contest->limit->is_limit = 1;
    contest_add_field(contest, session, JOB_PING_PONG);
    if (size == BAR_SIZE)
        contest->judge = judge;
    if (contest_run(contest, session) == 0)
        return contest;
    free(contest);
    return NULL;
}

int bench_one_to_one_latency(struct session *session)
{
    static const struct list quick = {{32}, 1};
    static const struct list full = {{8, 32, 56, 256, 1024, 4096}, 6};
    const struct list       *sizes = session->sizes.count > 0 ? &session->sizes
                                     : session->is_quick      ? &quick
                                                              : &full;
    struct contest          *contests[LIST_MAX];
    uint32_t                 count = 0;
    int                      result = 0;

    for (uint32_t i = 0; i < sizes->count && result == 0; i++) {
        uint32_t size = (uint32_t)sizes->value[i];
        if (!contest_is_wanted(session, "one_to_one_latency/%uB", size))
            continue;
        contests[count] = run_size(session, size);
        result = contests[count] == NULL ? -1 : 0;
        count += result == 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (contests[i]->size == BAR_SIZE)
            draw(contests[i], session);
    if (count > 1)
        chart_panel(session->chart, CHART_LINES, "Ping-pong by size, both ends polling",
                    "message size, bytes", "one way, ns: mean");
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; count > 1 && k < contests[i]->entry_count; k++)
            chart_point(session->chart, contests[i]->entries[k].system, contests[i]->size,
                        contest_median(contests[i], &contests[i]->entries[k], FIGURE_MEAN), 0);
        free(contests[i]);
    }
    return result;
}
