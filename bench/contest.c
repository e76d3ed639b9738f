/*
 * contest.c - rounds: who runs when, which rounds count, medians and ratios.
 *
 * It knows neither how a figure is measured (measure.c) nor how it is shown (report.c).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROUNDS_TRIED_MOST 2u /* times as many as are wanted */

const struct carrier *const carrier_list[] = {
    &carrier_gyre,       &carrier_pipe,
#ifdef _WIN32
    &carrier_named_pipe,
#else
    &carrier_unix_stream,
#endif
    &carrier_tcp,
#ifndef _WIN32
    &carrier_posix_mq,
#endif
#ifdef GYRE_BENCH_CK
    &carrier_ck_ring,
#endif
#ifdef GYRE_BENCH_DPDK
    &carrier_rte_ring,
#endif
#ifdef GYRE_BENCH_BOOST
    &carrier_boost_spsc, &carrier_boost_mq,
#endif
#ifdef GYRE_BENCH_LIBQB
    &carrier_libqb,
#endif
#ifdef GYRE_BENCH_ZEROMQ
    &carrier_zeromq,
#endif
#ifdef GYRE_BENCH_NNG
    &carrier_nng,
#endif
    &limit_word,         &limit_line,       &limit_stream, &limit_memcpy, &limit_bell, NULL,
};

uint32_t carrier_idx(const struct carrier *carrier)
{
    uint32_t idx = 0;
    while (carrier_list[idx] != carrier)
        idx++;
    return idx;
}

struct contest *contest_make(const char *bench, uint32_t size, uint32_t consumer_count,
                             const enum figure *figures)
{
    struct contest *contest = calloc(1, sizeof(*contest));
    if (contest == NULL) {
        (void)fprintf(stderr, "gyre-bench: no memory\n");
        return NULL;
    }
    contest->bench = bench;
    contest->size = size;
    contest->consumer_count = consumer_count;
    contest->limit_figure = FIGURE_COUNT;
    while (figures[contest->figure_count] != FIGURE_COUNT) {
        contest->figures[contest->figure_count] = figures[contest->figure_count];
        contest->figure_count++;
    }
    return contest;
}

struct entry *contest_add(struct contest *contest, const struct session *session,
                          const struct carrier *carrier, enum job_task task)
{
    struct entry *entry = &contest->entries[contest->entry_count++];

    if (contest->entry_count > CONTEST_ENTRIES_MAX)
        abort();
    entry->carrier = carrier;
    entry->system = carrier->name;
    entry->setup.task = task;
    entry->setup.carrier_idx = carrier_idx(carrier);
    entry->setup.size = contest->size;
    entry->setup.consumer_count = contest->consumer_count;
    entry->setup.batch = session->batch;
    entry->setup.capacity = session->capacity;
    if (carrier->size_max != 0 && contest->size > carrier->size_max)
        entry->absent = "messages of this size do not fit";
    return entry;
}

void contest_add_field(struct contest *contest, const struct session *session, enum job_task task)
{
    contest->gyre = contest_add(contest, session, &carrier_gyre, task);
    for (uint32_t i = 1; carrier_list[i] != &limit_word; i++)
        (void)contest_add(contest, session, carrier_list[i], task);
}

/* 0, or -1.  A contestant that this machine does not offer is left out and says why. */
static int prepare(struct contest *contest, struct session *session)
{
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        struct entry *entry = &contest->entries[i];
        int           result;
        if (entry->absent != NULL)
            continue;
        result = measure_count(session, &entry->setup);
        if (result < 0)
            return -1;
        if (result > 0) {
            (void)snprintf(entry->reason, sizeof(entry->reason), "%s",
                           session->job->outcome[0].reason);
            entry->absent = entry->reason;
        }
    }
    return 0;
}

static int run_round(struct contest *contest, struct session *session, uint32_t tried_count)
{
    uint32_t round = contest->round_count;

    for (uint32_t i = 0; i < contest->entry_count; i++) {
        struct entry *entry = &contest->entries[(i + tried_count) % contest->entry_count];
        double        figures[FIGURE_COUNT];
        if (entry->absent != NULL)
            continue;
        if (measure(session, &entry->setup, figures) != 0)
            return -1;
        for (uint32_t figure = 0; figure < FIGURE_COUNT; figure++)
            entry->value[figure][round] = figures[figure];
    }
    return 0;
}

static int is_same_place(double before, double after)
{
    return before < after * PLACEMENT_CHANGE && after < before * PLACEMENT_CHANGE;
}

static int run_rounds(struct contest *contest, struct session *session)
{
    uint32_t tried_count = 0;

    session->word_after = measure_word(session);
    while (contest->round_count < session->round_count) {
        double before = session->word_after;
        if (tried_count >= session->round_count * ROUNDS_TRIED_MOST)
            break;
        if (run_round(contest, session, tried_count++) != 0)
            return -1;
        session->word_after = measure_word(session);
        if (before < 0 || session->word_after < 0)
            return -1;
        if (is_same_place(before, session->word_after))
            contest->word_p50[contest->round_count++] = before;
        else
            contest->dropped_count++;
    }
    if (contest->round_count > 0)
        return 0;
    (void)fprintf(stderr, "gyre-bench: %s: the cores moved in every one of %u rounds\n",
                  contest->bench, tried_count);
    return -1;
}

int contest_run(struct contest *contest, struct session *session)
{
    uint64_t began_ns;
    int64_t  others_ns;
    int      result;

    if (prepare(contest, session) != 0)
        return -1;
    began_ns = host_now_ns();
    others_ns = host_others_ns();
    result = run_rounds(contest, session);
    contest->others = NAN;
    if (others_ns >= 0)
        contest->others =
            (double)(host_others_ns() - others_ns) / (double)(host_now_ns() - began_ns);
    return result;
}

double contest_median(const struct contest *contest, const struct entry *entry, enum figure figure)
{
    return entry->absent != NULL ? NAN : stats_median(entry->value[figure], contest->round_count);
}

double contest_ratio(const struct contest *contest, const struct entry *entry,
                     const struct entry *other, enum figure figure)
{
    double ratios[CONTEST_ROUNDS_MAX];
    if (entry->absent != NULL || other->absent != NULL)
        return NAN;
    for (uint32_t i = 0; i < contest->round_count; i++)
        ratios[i] = entry->value[figure][i] / other->value[figure][i];
    return stats_median(ratios, contest->round_count);
}
