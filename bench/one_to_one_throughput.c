/*
 * one_to_one_throughput.c - how many messages a second reach one consumer, by size, by the ring's
 * capacity and by batch.
 *
 * Payload is written in full and read in full.  "gyre" has spinning waits at both ends, as one
 * that has a core to spare would, and so have the rings for one consumer; "gyre sleeping" is the
 * same with the default waits; the others block in their system calls.  Gyre's consumer gives room
 * back every 64 messages or 1/32 of the ring; "gyre each" does it after every message; "gyre dense"
 * has frames aligned to 8 bytes, which saves small ones a part of a line.  From 4 KiB
 * on "gyre non-temporal" writes payload past the caches, and "gyre copied" writes it elsewhere, as
 * contestants that copy have to, and sends it.  The limit is the stream between the two cores
 * through a ring of the same capacity, whose reader flushes nothing: where they are far, those who
 * flush or copy exceed it.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/layout.h>

#include "bench.h"
#include "message.h"

#define LIMIT_MESSAGE_SIZE 65536u
#define DENSE_ALIGN 8u
#define LARGE_SIZE 4096u
#define DENSE_SIZE_MAX 256u /* all that is saved is a part of a line */
#define LINE_SIZE 64u
#define POINTS_MAX 64u

struct point {
    uint32_t size;
    uint64_t capacity;
    uint32_t batch;
};

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * 1024)

/* The first QUICK_COUNT have bars and are all that a quick run does. */
static const struct point points[] = {
    {8, 4 * MIB, 1},     {8, 4 * MIB, 64},    {56, 4 * MIB, 1},    {56, 1 * MIB, 1},
    {256, 4 * MIB, 1},   {4096, 4 * MIB, 1},  {65536, 4 * MIB, 1}, {1024, 4 * MIB, 1},
    {16384, 4 * MIB, 1}, {8, 4 * MIB, 8},     {56, 4 * MIB, 8},    {56, 4 * MIB, 64},
    {56, 256 * KIB, 1},  {56, 16 * MIB, 1},   {56, 64 * MIB, 1},   {4096, 256 * KIB, 1},
    {4096, 1 * MIB, 1},  {4096, 16 * MIB, 1}, {4096, 64 * MIB, 1},
};
#define POINT_COUNT (sizeof(points) / sizeof(points[0]))
#define QUICK_COUNT 7u

static void add_gyre(struct contest *contest, struct session *session, const char *system)
{
    contest_add(contest, session, &carrier_gyre, JOB_STREAM)->system = system;
}

static void add_systems(struct contest *contest, struct session *session, const struct point *point)
{
    contest_add_field(contest, session, JOB_STREAM);
    add_gyre(contest, session, "gyre sleeping");
    if (point->batch == 1)
        add_gyre(contest, session, "gyre each");
    if (point->size <= DENSE_SIZE_MAX && (point->size + GYRE_FRAME_HEADER_SIZE) % LINE_SIZE != 0)
        add_gyre(contest, session, "gyre dense");
    if (point->size >= LARGE_SIZE && point->batch == 1) {
        add_gyre(contest, session, "gyre copied");
        if (MESSAGE_HAS_NON_TEMPORAL)
            add_gyre(contest, session, "gyre non-temporal");
    }
    contest->limit = contest_add(contest, session, &limit_stream, JOB_STREAM);
    contest->limit->is_limit = 1;
    contest->limit_figure = FIGURE_BANDWIDTH;
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        struct entry *entry = &contest->entries[i];
        int           is_gyre = entry->carrier == &carrier_gyre;
        entry->setup.capacity = point->capacity;
        entry->setup.batch = point->batch;
        entry->setup.is_blocking = !is_gyre || strcmp(entry->system, "gyre sleeping") == 0;
        entry->setup.release_count = strcmp(entry->system, "gyre each") == 0;
        if (strcmp(entry->system, "gyre non-temporal") == 0)
            entry->setup.payload = JOB_NON_TEMPORAL;
        if (strcmp(entry->system, "gyre copied") == 0)
            entry->setup.payload = JOB_COPIED;
        entry->setup.frame_align = strcmp(entry->system, "gyre dense") == 0 ? DENSE_ALIGN : 0;
        if (is_gyre && point->capacity / 2 < (uint64_t)point->size + GYRE_FRAME_HEADER_SIZE)
            entry->absent = "messages of this size do not fit";
    }
    contest->limit->setup.size = LIMIT_MESSAGE_SIZE;
    if (point->capacity < 2 * LIMIT_MESSAGE_SIZE)
        contest->limit->setup.size = (uint32_t)(point->capacity / 2);
}

#define LABEL_SIZE 80

/* "1 to 1, 56 bytes, ring of 4 MiB" and what is said about it. */
static const char *label(char text[LABEL_SIZE], const struct contest *contest, const char *what)
{
    uint64_t kib = contest->gyre->setup.capacity / KIB;
    (void)snprintf(text, LABEL_SIZE, "1 to 1, %u bytes, ring of %llu %s%s", contest->size,
                   (unsigned long long)(kib < 1024 ? kib : kib / 1024), kib < 1024 ? "KiB" : "MiB",
                   what);
    return text;
}

static void judge_tiny(const struct contest *contest, struct session *session)
{
    const struct entry *dense = contest_find(contest, "gyre dense");
    char                text[LABEL_SIZE];

    verdict_rivals(session, contest,
                   label(text, contest,
                         contest->gyre->setup.batch == 1 ? ", dense: over the best other"
                                                         : ", dense, batch: over the best other"),
                   dense, 1.3);
    if (contest->gyre->setup.batch == 64)
        verdict_rate(session, contest, label(text, contest, ", dense, batch of 64"),
                     contest_median(contest, dense, FIGURE_RATE), 400);
}

static void judge_small(const struct contest *contest, struct session *session)
{
    uint64_t capacity = contest->gyre->setup.capacity;
    char     text[LABEL_SIZE];

    if (contest->gyre->setup.batch != 1 || (capacity != 4 * MIB && capacity != MIB))
        return;
    verdict_rivals(session, contest, label(text, contest, ": over the best other"), contest->gyre,
                   2);
    verdict_rate(session, contest, label(text, contest, ""),
                 contest_median(contest, contest->gyre, FIGURE_RATE), capacity == MIB ? 140 : 250);
    if (capacity != MIB)
        verdict_least(
            session, contest, label(text, contest, ": over the pipe"),
            contest_advantage(contest, contest->gyre, contest_find(contest, "pipe"), FIGURE_RATE),
            40);
}

/* `entry`, or the way of that name if it is there and quicker. */
static const struct entry *better(const struct contest *contest, const struct entry *entry,
                                  const char *name)
{
    const struct entry *way = contest_find(contest, name);
    return way != NULL && contest_advantage(contest, way, entry, FIGURE_RATE) > 1 ? way : entry;
}

/* Which way to write a large message is best depends on where the consumer is. */
static void judge_large(const struct contest *contest, struct session *session)
{
    const struct entry *in_place = better(contest, contest->gyre, "gyre dense");
    const struct entry *copied = better(contest, in_place, "gyre copied");
    const struct entry *best = better(contest, copied, "gyre non-temporal");
    char                text[LABEL_SIZE];

    verdict_least(
        session, contest,
        label(text, contest,
              in_place == contest->gyre ? ": over the stream" : ", dense: over the stream"),
        contest_ratio(contest, in_place, contest->limit, FIGURE_BANDWIDTH), 0.9);
    verdict_rivals(session, contest, label(text, contest, ": over the best other"), best, 1);
}

static void judge(const struct contest *contest, struct session *session)
{
    if (contest->size == 8)
        judge_tiny(contest, session);
    else if (contest->size == 56)
        judge_small(contest, session);
    else if (contest->size == 256 || contest->size == 4096 || contest->size == 65536)
        judge_large(contest, session);
}

static struct contest *run_point(struct session *session, const struct point *point)
{
    static const enum figure figures[] = {FIGURE_RATE, FIGURE_BANDWIDTH, FIGURE_COUNT};
    struct contest          *contest = contest_make(session, point->size, 1, figures);

    if (contest == NULL)
        return NULL;
    (void)snprintf(contest->title, sizeof(contest->title),
                   "one producer, one consumer, a core each, lossless");
    add_systems(contest, session, point);
    contest->judge = judge;
    if (contest_run(contest, session) == 0)
        return contest;
    free(contest);
    return NULL;
}

/* What a chart goes through; the other two are those of the bars. */
enum axis { AXIS_SIZE, AXIS_CAPACITY, AXIS_BATCH };

static int is_on(enum axis axis, const struct contest *contest, uint32_t size)
{
    const struct job_setup *setup = &contest->gyre->setup;

    switch (axis) {
    case AXIS_SIZE:
        return setup->capacity == DEFAULT_CAPACITY && setup->batch == 1;
    case AXIS_CAPACITY:
        return setup->batch == 1 && contest->size == size;
    default:
        return setup->capacity == DEFAULT_CAPACITY && contest->size == size;
    }
}

static double x_of(enum axis axis, const struct contest *contest)
{
    const struct job_setup *setup = &contest->gyre->setup;
    return axis == AXIS_SIZE       ? contest->size
           : axis == AXIS_CAPACITY ? (double)setup->capacity
                                   : setup->batch;
}

/* The points behind the panel just begun; fewer than two are no curve. */
static void draw(struct contest *const contests[], uint32_t count, struct session *session,
                 enum axis axis, uint32_t size, enum figure figure)
{
    uint32_t on_count = 0;

    for (uint32_t i = 0; i < count; i++)
        on_count += (uint32_t)is_on(axis, contests[i], size);
    for (uint32_t i = 0; on_count > 1 && i < count; i++) {
        const struct contest *contest = contests[i];
        for (uint32_t k = 0; k < contest->entry_count && is_on(axis, contest, size); k++) {
            const struct entry *entry = &contest->entries[k];
            if (figure == FIGURE_RATE && entry->is_limit)
                continue; /* its messages have another size */
            chart_point(session->chart, entry->system, x_of(axis, contest),
                        contest_median(contest, entry, figure), 0);
        }
    }
}

static void draw_all(struct contest *const contests[], uint32_t count, struct session *session)
{
    chart_panel(session->chart, CHART_LINES, "One to one, ring of 4 MiB: messages",
                "message size, bytes", "million messages a second");
    draw(contests, count, session, AXIS_SIZE, 0, FIGURE_RATE);
    chart_panel(session->chart, CHART_LINES, "One to one, ring of 4 MiB: bytes",
                "message size, bytes", "GB/s of payload");
    draw(contests, count, session, AXIS_SIZE, 0, FIGURE_BANDWIDTH);
    chart_panel(session->chart, CHART_LINES, "One to one, 56 bytes", "capacity of the ring, bytes",
                "million messages a second");
    draw(contests, count, session, AXIS_CAPACITY, 56, FIGURE_RATE);
    chart_panel(session->chart, CHART_LINES, "One to one, 4 KiB", "capacity of the ring, bytes",
                "GB/s of payload");
    draw(contests, count, session, AXIS_CAPACITY, 4096, FIGURE_BANDWIDTH);
    chart_panel(session->chart, CHART_LINES, "One to one, 8 bytes", "batch",
                "million messages a second");
    draw(contests, count, session, AXIS_BATCH, 8, FIGURE_RATE);
    chart_panel(session->chart, CHART_LINES, "One to one, 56 bytes, ring of 4 MiB", "batch",
                "million messages a second");
    draw(contests, count, session, AXIS_BATCH, 56, FIGURE_RATE);
}

static uint64_t value_of(const struct list *list, uint32_t i, uint64_t otherwise)
{
    return list->count > 0 ? list->value[i] : otherwise;
}

static uint32_t count_of(const struct list *list)
{
    return list->count > 0 ? list->count : 1;
}

/* The user's own points: every size with every capacity and every batch. */
static uint32_t own_points(const struct session *session, struct point own[POINTS_MAX])
{
    uint32_t count = 0;

    for (uint32_t s = 0; s < count_of(&session->sizes); s++)
        for (uint32_t c = 0; c < count_of(&session->capacities); c++)
            for (uint32_t b = 0; b < count_of(&session->batches) && count < POINTS_MAX; b++)
                own[count++] = (struct point){
                    .size = (uint32_t)value_of(&session->sizes, s, 56),
                    .capacity = value_of(&session->capacities, c, DEFAULT_CAPACITY),
                    .batch = (uint32_t)value_of(&session->batches, b, 1),
                };
    return count;
}

int bench_one_to_one_throughput(struct session *session)
{
    int is_own = session->sizes.count + session->capacities.count + session->batches.count > 0;
    struct point        own[POINTS_MAX];
    struct contest     *contests[POINTS_MAX];
    const struct point *all = is_own ? own : points;
    uint32_t            all_count = is_own              ? own_points(session, own)
                                    : session->is_quick ? QUICK_COUNT
                                                        : (uint32_t)POINT_COUNT;
    uint32_t            count = 0;
    int                 result = 0;

    for (uint32_t i = 0; i < all_count && result == 0; i++) {
        if (!contest_is_wanted(session, "one_to_one_throughput/%uB/%lluKiB/batch%u", all[i].size,
                               (unsigned long long)(all[i].capacity / 1024), all[i].batch))
            continue;
        contests[count] = run_point(session, &all[i]);
        result = contests[count] == NULL ? -1 : 0;
        count += result == 0;
    }
    if (result == 0)
        draw_all(contests, count, session);
    while (count > 0)
        free(contests[--count]);
    return result;
}
