/*
 * limits.c - what the machine can do at best, by itself: the figures that all others are held
 * against.
 *
 * L1 and L2 (limit_cores.c), the raw wake (limit_bell.c), the stream between two cores by the
 * ring's size, and memcpy by the buffer's size.
 */
#include <stdlib.h>

#include "bench.h"

#define STREAM_MESSAGE_SIZE 65536u
#define COPY_BYTES (UINT64_C(256) << 20) /* copied in all */

static const struct bandwidth {
    const struct carrier *carrier;
    const char           *system;
    uint32_t              capacity;
} bandwidths[] = {
    {&limit_stream, "limit stream 256 KiB", 256u << 10},
    {&limit_stream, "limit stream 1 MiB", 1u << 20},
    {&limit_stream, "limit stream 4 MiB", 4u << 20},
    {&limit_stream, "limit stream 16 MiB", 16u << 20},
    {&limit_stream, "limit stream 64 MiB", 64u << 20},
    {&limit_memcpy, "limit memcpy 256 KiB", 256u << 10},
    {&limit_memcpy, "limit memcpy 4 MiB", 4u << 20},
    {&limit_memcpy, "limit memcpy 64 MiB", 64u << 20},
};
#define BANDWIDTH_COUNT (sizeof(bandwidths) / sizeof(bandwidths[0]))

static int run_and_report(struct session *session, struct contest *contest)
{
    int result;

    for (uint32_t i = 0; i < contest->entry_count; i++)
        contest->entries[i].is_limit = 1;
    result = contest_run(contest, session);
    free(contest);
    return result;
}

static int run_latencies(struct session *session)
{
    static const enum figure figures[] = {FIGURE_MEAN, FIGURE_P50, FIGURE_P99, FIGURE_P999,
                                          FIGURE_COUNT};
    struct contest          *contest;

    if (!contest_is_wanted(session, "limits/cores"))
        return 0;
    contest = contest_make(session, 0, 1, figures);
    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title), "one way between two cores");
    contest_add(contest, session, &limit_word, JOB_PING_PONG)->setup.size = 8;
    contest_add(contest, session, &limit_line, JOB_PING_PONG)->setup.size = 56;
    contest_add(contest, session, &limit_bell, JOB_PING_PONG)->system = LIMIT_BELL_PING_PONG;
    return run_and_report(session, contest);
}

static int run_bandwidths(struct session *session)
{
    static const enum figure figures[] = {FIGURE_BANDWIDTH, FIGURE_COUNT};
    struct contest          *contest;

    if (!contest_is_wanted(session, "limits/bandwidth"))
        return 0;
    contest = contest_make(session, 0, 1, figures);
    if (contest == NULL)
        return -1;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "streams between two cores by ring size; copies on one core by buffer size");
    for (uint32_t i = 0; i < BANDWIDTH_COUNT; i++) {
        const struct bandwidth *bandwidth = &bandwidths[i];
        int                     is_copy = bandwidth->carrier == &limit_memcpy;
        struct entry           *entry =
            contest_add(contest, session, bandwidth->carrier, is_copy ? JOB_ALONE : JOB_STREAM);
        entry->system = bandwidth->system;
        entry->setup.size = is_copy ? bandwidth->capacity : STREAM_MESSAGE_SIZE;
        entry->setup.capacity = bandwidth->capacity;
        entry->setup.count = COPY_BYTES / bandwidth->capacity;
    }
    return run_and_report(session, contest);
}

int bench_limits(struct session *session)
{
    int result = run_latencies(session);
    return result == 0 ? run_bandwidths(session) : result;
}
