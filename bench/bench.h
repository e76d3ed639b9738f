/*
 * bench.h - sessions, contests and their figures: how a quantity is measured, not what it is.
 *
 * A contest lets several systems do the same thing.  Each round runs every system once, in an
 * order that rotates, between two looks at the raw limit L1; a round in which L1 changed by more
 * than PLACEMENT_CHANGE is dropped and counted, because the cores were moved.  A figure is the
 * median over the kept rounds; a ratio is the median of the rounds' own ratios.
 */
#ifndef GYRE_BENCH_BENCH_H
#define GYRE_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>

#include "carrier.h"
#include "chart.h"
#include "host.h"
#include "job.h"

#define CONTEST_ENTRIES_MAX 32
#define CONTEST_ROUNDS_MAX 64
#define PLACEMENT_CHANGE 1.5

enum figure {
    FIGURE_MEAN, /* of a one-way trip, from an untimed pass, ns */
    FIGURE_P50,  /* of a one-way trip, from a timed pass, ns */
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_RATE,      /* million messages a second, to each consumer */
    FIGURE_BANDWIDTH, /* GB/s of payload, to each consumer */
    FIGURE_IDLE_CPU,  /* of a blocked consumer, percent of one core */
    FIGURE_COUNT
};

struct figure_kind {
    const char *name;
    const char *unit;
    int         is_lower_better;
};
extern const struct figure_kind figure_kinds[FIGURE_COUNT];

/* One system in a contest.  A figure it does not have is NaN in every round. */
struct entry {
    const struct carrier *carrier;
    const char           *system; /* its name in tables and JSON */
    struct job_setup      setup;
    int                   is_limit;
    const char           *absent;                  /* why it does not take part; NULL: it does */
    char                  reason[JOB_REASON_SIZE]; /* which is not known before it is tried */
    double                value[FIGURE_COUNT][CONTEST_ROUNDS_MAX];
};

struct contest {
    const char   *bench;
    char          title[120];
    uint32_t      size; /* 0: each entry has its own */
    uint32_t      consumer_count;
    enum figure   figures[FIGURE_COUNT]; /* the columns; the first is the one that is compared */
    uint32_t      figure_count;
    struct entry *limit;        /* ratio_to_limit refers to it; NULL: to nothing */
    enum figure   limit_figure; /* and to this figure only; FIGURE_COUNT: to each of them */
    struct entry *gyre;
    struct entry  entries[CONTEST_ENTRIES_MAX];
    uint32_t      entry_count;
    uint32_t      round_count;
    uint32_t      dropped_count;
    double        word_p50[CONTEST_ROUNDS_MAX]; /* L1 before each round, ns one way */
    double        others; /* cores\' worth of CPU time that other programs used meanwhile; or NaN */
};

struct session {
    int           is_quick;
    uint32_t      round_count;
    uint32_t      batch;
    uint64_t      capacity;
    uint64_t      pass_ns; /* how long a pass should last */
    uint64_t      idle_ns;
    uint64_t      wake_count;
    FILE         *json;
    struct job   *job;
    double        ns_per_stamp;
    int           cores[HOST_CORES_MAX];
    int           core_count;
    uint64_t      serial;
    double        word_after; /* L1 after the last round; 0: not fresh */
    struct chart *chart;
};

/* The quantities, one a file.  0, or -1 and the reason is on stderr. */
int bench_limits(struct session *session);
int bench_one_to_one_latency(struct session *session);
int bench_one_to_one_throughput(struct session *session);
int bench_one_to_many_throughput(struct session *session);
int bench_wake_latency(struct session *session);

/* A contest without entries.  `figures` ends with FIGURE_COUNT.  NULL: no memory, and said so. */
struct contest *contest_make(const char *bench, uint32_t size, uint32_t consumer_count,
                             const enum figure *figures);

/* Adds a system; its setup may be changed before contest_run.  Never NULL. */
struct entry *contest_add(struct contest *contest, const struct session *session,
                          const struct carrier *carrier, enum job_task task);

/* Adds Gyre and every contestant this system has. */
void contest_add_field(struct contest *contest, const struct session *session, enum job_task task);

int contest_run(struct contest *contest, struct session *session);

/* The median of an entry's figure; and of its ratio to another's: how many times as much. */
double contest_median(const struct contest *contest, const struct entry *entry, enum figure figure);
double contest_ratio(const struct contest *contest, const struct entry *entry,
                     const struct entry *other, enum figure figure);

/* Runs one job and takes its figures.  0, or -1; 1: the carrier is not to be had here. */
int measure(struct session *session, const struct job_setup *setup, double figures[FIGURE_COUNT]);

/* Finds a count with which a pass lasts about session->pass_ns. */
int measure_count(struct session *session, struct job_setup *setup);

/* L1 now, p50 one way in ns; below zero: it failed. */
double measure_word(struct session *session);

/* Prints the table and writes the JSON lines. */
void report_contest(const struct contest *contest, struct session *session);

/* Is it a number?  (Some systems' isnan does not take a double without a warning.) */
static inline int stats_is_known(double value)
{
    return value - value <= 0 && value - value >= 0;
}

double stats_median(const double *values, uint32_t count);
double stats_min(const double *values, uint32_t count);
double stats_max(const double *values, uint32_t count);

/* Sorts the samples.  `share` from 0 to 1. */
void   stats_sort(uint32_t *samples, uint32_t count);
double stats_percentile(const uint32_t *sorted, uint32_t count, double share);

#endif
