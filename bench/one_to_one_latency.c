/*
 * one_to_one_latency.c - how long a message of 32 bytes takes: a ping-pong, both ends polling.
 *
 * Everything is one way, half the round trip.  The mean is from a pass without time stamps (the
 * median of its 16 slices' means), the percentiles from one with a stamp a round trip.  The limits
 * are L1 and L2; ratios refer to L2.
 */
#include <stdlib.h>

#include "bench.h"
#include "stamp.h"

#define SIZE 32u

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

int bench_one_to_one_latency(struct session *session)
{
    static const enum figure figures[] = {FIGURE_MEAN, FIGURE_P50, FIGURE_P99, FIGURE_P999,
                                          FIGURE_COUNT};
    struct contest          *contest = contest_make("one_to_one_latency", SIZE, 1, figures);
    struct entry            *word;

    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "ping-pong, %u bytes, one way, both ends polling (stamps: %s)", SIZE,
                   STAMP_NAME);
    word = contest_add(contest, session, &limit_word, JOB_PING_PONG);
    word->is_limit = 1;
    contest->limit = contest_add(contest, session, &limit_line, JOB_PING_PONG);
    contest->limit->is_limit = 1;
    contest_add_field(contest, session, JOB_PING_PONG);
    if (contest_run(contest, session) != 0) {
        free(contest);
        return -1;
    }
    report_contest(contest, session);
    draw(contest, session);
    free(contest);
    return 0;
}
