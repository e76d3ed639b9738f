/*
 * one_to_one_throughput.c - how many messages a second reach one consumer, by size.
 *
 * Payload is written in full and read in full.  Gyre's consumer spins, as a program that has a
 * core to spare would; "gyre sleeping" is the same with the default waits on both sides.  The
 * others block in their system calls.  The limit is the stream between the two cores through a
 * ring of the same capacity; it bounds bytes, so ratios to it are given from 256 bytes on.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define LIMIT_MESSAGE_SIZE 65536u
#define LIMIT_FROM_SIZE 256u
#define DENSE_ALIGN 8u
#define DENSE_SIZE_MAX 24u /* larger messages take as many lines densely packed as not */

static const uint32_t sizes[] = {8, 56, 256, 4096, 65536};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

static void add_systems(struct contest *contest, struct session *session)
{
    struct entry *entry;

    contest_add_field(contest, session, JOB_STREAM);
    entry = contest_add(contest, session, &carrier_gyre, JOB_STREAM);
    entry->system = "gyre spin";
    if (contest->size <= DENSE_SIZE_MAX) {
        entry = contest_add(contest, session, &carrier_gyre, JOB_STREAM);
        entry->system = "gyre dense";
        entry->setup.frame_align = DENSE_ALIGN;
    }
    for (uint32_t i = 0; i < contest->entry_count; i++)
        contest->entries[i].setup.is_blocking =
            strcmp(contest->entries[i].system, "gyre spin") != 0;
    if (contest->size < LIMIT_FROM_SIZE)
        return;
    entry = contest_add(contest, session, &limit_stream, JOB_STREAM);
    entry->setup.size = LIMIT_MESSAGE_SIZE;
    entry->is_limit = 1;
    contest->limit = entry;
    contest->limit_figure = FIGURE_BANDWIDTH;
}

static struct contest *run_size(struct session *session, uint32_t size)
{
    static const enum figure figures[] = {FIGURE_RATE, FIGURE_BANDWIDTH, FIGURE_COUNT};
    struct contest          *contest = contest_make("one_to_one_throughput", size, 1, figures);

    if (contest == NULL)
        return NULL;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "%u bytes, batch of %u, ring of %llu KiB", size, session->batch,
                   (unsigned long long)session->capacity / 1024);
    add_systems(contest, session);
    if (contest_run(contest, session) == 0) {
        report_contest(contest, session);
        return contest;
    }
    free(contest);
    return NULL;
}

static void draw(struct contest *const contests[], struct session *session, enum figure figure)
{
    for (uint32_t i = 0; i < SIZE_COUNT; i++) {
        const struct contest *contest = contests[i];
        for (uint32_t k = 0; k < contest->entry_count; k++) {
            const struct entry *entry = &contest->entries[k];
            if (figure == FIGURE_RATE && entry->is_limit)
                continue; /* its messages have another size */
            chart_point(session->chart, entry->system, contest->size,
                        contest_median(contest, entry, figure), 0);
        }
    }
}

int bench_one_to_one_throughput(struct session *session)
{
    struct contest *contests[SIZE_COUNT] = {NULL};
    int             result = 0;

    for (uint32_t i = 0; i < SIZE_COUNT && result == 0; i++) {
        contests[i] = run_size(session, sizes[i]);
        result = contests[i] == NULL ? -1 : 0;
    }
    if (result == 0) {
        chart_panel(session->chart, CHART_LINES, "One producer, one consumer: messages",
                    "message size, bytes", "million messages a second");
        draw(contests, session, FIGURE_RATE);
        chart_panel(session->chart, CHART_LINES, "One producer, one consumer: bytes",
                    "message size, bytes", "GB/s of payload");
        draw(contests, session, FIGURE_BANDWIDTH);
    }
    for (uint32_t i = 0; i < SIZE_COUNT; i++)
        free(contests[i]);
    return result;
}
