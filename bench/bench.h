/*
 * bench.h - sessions, contests and their figures: how a quantity is measured, not what it is.
 *
 * A contest lets several systems do the same thing.  Each round runs every system once, in an
 * order that rotates, between two looks at the raw limits L1 and L2.  A round is dropped and
 * counted, because the cores were moved, if either limit changed by more than PLACEMENT_CHANGE or
 * L1 went from one side of NEAR_MOST_NS to the other.  Rounds with near and with far cores are told
 * apart: a figure is the median over the kept rounds of one placement, a ratio the median of their
 * own ratios.
 */
#ifndef GYRE_BENCH_BENCH_H
#define GYRE_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>

#include "carrier.h"
#include "chart.h"
#include "host.h"
#include "job.h"

/* What the build did not find. */
#ifdef GYRE_BENCH_LEFT_OUT
#define BENCH_LEFT_OUT GYRE_BENCH_LEFT_OUT
#else
#define BENCH_LEFT_OUT ""
#endif

#define CONTEST_ENTRIES_MAX 32
#define CONTEST_ROUNDS_MAX 128
#define ROUNDS_WANTED_MAX 64
#define PLACEMENT_CHANGE 1.5
#define NEAR_MOST_NS 100.0 /* L1, p50: beyond it the cores are far from each other */
#define CLOSE_MOST_NS 60.0 /* absolute bars are for machines where L1 is at most this */
#define JUDGED_ROUNDS_LEAST 3u
#define DEFAULT_CAPACITY (UINT64_C(4) << 20)
#define OTHERS_NOISY 0.15 /* cores; more, and figures cannot be trusted */
#define PATTERNS_MAX 16
#define LIST_MAX 16
#define VERDICTS_MAX 64

enum placement { PLACE_NEAR, PLACE_FAR, PLACE_COUNT };
extern const char *const placement_names[PLACE_COUNT];

/* L1 and L2 at one moment, p50 one way in ns. */
struct limits_now {
    double word;
    double line;
};

enum figure {
    FIGURE_MEAN, /* of a one-way trip, from an untimed pass, ns */
    FIGURE_P50,  /* of a one-way trip, from a timed pass, ns */
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_RATE,      /* million messages a second, to each consumer */
    FIGURE_BANDWIDTH, /* GB/s of payload, to each consumer */
    FIGURE_WAKE_CPU,  /* of the consumer, for a message that it sleeps for, ns */
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
    int                   has_failed;
    const char           *absent;                  /* why it does not take part; NULL: it does */
    char                  reason[JOB_REASON_SIZE]; /* which is not known before it is tried */
    double                value[FIGURE_COUNT][CONTEST_ROUNDS_MAX];
};

struct session;

struct contest {
    char          bench[32]; /* the first word of the id */
    char          id[96];    /* what --only looks at */
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
    uint32_t      round_count; /* all that were kept */
    uint32_t      dropped_count;
    struct limits_now before[CONTEST_ROUNDS_MAX];
    struct limits_now after[CONTEST_ROUNDS_MAX];
    enum placement    place[CONTEST_ROUNDS_MAX];
    enum placement    shown; /* statistics are of the rounds with this placement */
    /* Holds the figures shown against the bars, once for each placement.  May be NULL. */
    void (*judge)(const struct contest *contest, struct session *session);
    double others; /* cores\' worth of CPU time that other programs used meanwhile; or NaN */
};

/* Values of an option that takes several. */
struct list {
    uint64_t value[LIST_MAX];
    uint32_t count; /* 0: not given */
};

/* One bar and what was measured. */
struct verdict {
    char           quantity[80];
    char           bar[40];
    char           note[64]; /* the closest rival, or why it is not judged */
    double         value;
    double         others;
    int            is_met; /* 1, 0; -1: not judged here */
    enum placement place;
};

struct session {
    int            is_quick;
    int            is_list; /* only tell the contests' names */
    uint32_t       round_count;
    enum placement wanted_place;       /* PLACE_COUNT: as it comes */
    const char    *only[PATTERNS_MAX]; /* contests; none: all */
    uint32_t       only_count;
    const char    *systems[PATTERNS_MAX]; /* contestants likewise */
    uint32_t       system_count;
    uint32_t       wanted_count; /* contests that took place */
    struct list    sizes;
    struct list    capacities;
    struct list    batches;
    struct list    consumers;
    struct verdict verdicts[VERDICTS_MAX];
    uint32_t       verdict_count;
    uint64_t       pass_ns; /* how long a pass should last */
    uint64_t       idle_ns;
    uint64_t       wake_count;
    FILE          *json;
    struct job    *job;
    double         ns_per_stamp;
    int            cores[HOST_CORES_MAX];
    int            core_count;
    uint64_t       serial;
    struct chart  *chart;
};

/* The quantities, one a file.  0, or -1 and the reason is on stderr. */
int bench_limits(struct session *session);
int bench_one_to_one_latency(struct session *session);
int bench_one_to_one_throughput(struct session *session);
int bench_one_to_many_throughput(struct session *session);
int bench_publish_with_attached(struct session *session);
int bench_wake_latency(struct session *session);

/* Does the user want the contest of this name?  With is_list it is told and not wanted. */
int contest_is_wanted(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Does a text match one of the patterns, in which * stands for anything, or contain it? */
int pattern_matches(const char *const *patterns, uint32_t count, const char *text);

/*
 * A contest without entries, of the name last asked for.  `figures` ends with FIGURE_COUNT.  NULL:
 * no memory, and said so.
 */
struct contest *contest_make(const struct session *session, uint32_t size, uint32_t consumer_count,
                             const enum figure *figures);

/* Adds a system; its setup may be changed before contest_run.  Never NULL. */
struct entry *contest_add(struct contest *contest, const struct session *session,
                          const struct carrier *carrier, enum job_task task);

/* Adds Gyre and every contestant this system has. */
void contest_add_field(struct contest *contest, const struct session *session, enum job_task task);

/* Runs it, reports it and judges it, with each placement for itself. */
int contest_run(struct contest *contest, struct session *session);

/* The rounds with a placement. */
uint32_t contest_place_count(const struct contest *contest, enum placement place);

/* The values of an entry's figure with the shown placement; returns their number. */
uint32_t contest_values(const struct contest *contest, const struct entry *entry,
                        enum figure figure, double values[CONTEST_ROUNDS_MAX]);

/* The median of L1 (or, L2) before the rounds shown. */
struct limits_now contest_limits(const struct contest *contest);

/* How many times as good as `other` an entry is. */
double contest_advantage(const struct contest *contest, const struct entry *entry,
                         const struct entry *other, enum figure figure);

/* The same of its closest rival, neither Gyre nor a limit; NULL: there is none. */
const struct entry *contest_rival(const struct contest *contest, const struct entry *entry,
                                  enum figure figure);

/* The entry of this name; NULL: it did not take part. */
const struct entry *contest_find(const struct contest *contest, const char *system);

/* The median of an entry's figure; and of its ratio to another's: how many times as much. */
double contest_median(const struct contest *contest, const struct entry *entry, enum figure figure);
double contest_ratio(const struct contest *contest, const struct entry *entry,
                     const struct entry *other, enum figure figure);

/* Runs one job and takes its figures.  0, or -1; 1: the carrier is not to be had here. */
int measure(struct session *session, const struct job_setup *setup, double figures[FIGURE_COUNT]);

/* Finds a count with which a pass lasts about session->pass_ns. */
int measure_count(struct session *session, struct job_setup *setup);

/* 0, or -1. */
int measure_limits(struct session *session, struct limits_now *now);

enum placement placement_of(const struct limits_now *now);

/*
 * Until the cores are where the session wants them, if it does; `now` is what was measured last.
 * 0; -1: they stay away, and that is said.
 */
int placement_await(struct session *session, struct limits_now *now);

/* Prints the table of what is shown and writes the JSON lines. */
void report_contest(const struct contest *contest, struct session *session);
void report_machine(const struct host_machine *machine, const struct limits_now *now,
                    struct session *session);

/* Bars.  `value` may be unknown: then the verdict is that it was not measured. */
void verdict_most(struct session *session, const struct contest *contest, const char *quantity,
                  double value, double bar);
void verdict_least(struct session *session, const struct contest *contest, const char *quantity,
                   double value, double bar);
/* In M/s; for machines where L1 is at most CLOSE_MOST_NS. */
void verdict_rate(struct session *session, const struct contest *contest, const char *quantity,
                  double value, double bar);
/* At least `bar` times every contestant. */
void verdict_rivals(struct session *session, const struct contest *contest, const char *quantity,
                    const struct entry *entry, double bar);
void report_verdicts(struct session *session);

/* Is it a number?  (Some systems' isnan does not take a double without a warning.) */
static inline int stats_is_known(double value)
{
    return value - value <= 0 && value - value >= 0;
}

double stats_median(const double *values, uint32_t count);
double stats_quantile(const double *values, uint32_t count, double share);
double stats_min(const double *values, uint32_t count);
double stats_max(const double *values, uint32_t count);

/* Sorts the samples.  `share` from 0 to 1. */
void   stats_sort(uint32_t *samples, uint32_t count);
double stats_percentile(const uint32_t *sorted, uint32_t count, double share);

#endif
