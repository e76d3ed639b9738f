/*
 * measure.c - runs one job and turns what came out into figures.
 *
 * It knows how long a pass should last and which core a role gets; it knows no contest.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define WORD_COUNT 4000u
#define TRIPS_LEAST 128u /* a multiple of JOB_SLICES */
#define TRIES_MOST 3u
#define LONG_ENOUGH 100      /* times */
#define SAMPLES_FOR_P99 100u /* with fewer it would be the worst sample, no percentile */
#define SAMPLES_FOR_P999 1000u

const struct figure_kind figure_kinds[FIGURE_COUNT] = {
    [FIGURE_MEAN] = {"mean", "ns", 1},    [FIGURE_P50] = {"p50", "ns", 1},
    [FIGURE_P99] = {"p99", "ns", 1},      [FIGURE_P999] = {"p99.9", "ns", 1},
    [FIGURE_RATE] = {"rate", "M/s", 0},   [FIGURE_BANDWIDTH] = {"bandwidth", "GB/s", 0},
    [FIGURE_WAKE_CPU] = {"cpu", "ns", 1}, [FIGURE_IDLE_CPU] = {"idle_cpu", "%", 1},
};

static uint32_t role_count_of(const struct job_setup *setup)
{
    return setup->task == JOB_ALONE ? 1 : 1 + setup->consumer_count;
}

static void say_why(const struct job *job, enum host_outcome outcome)
{
    static const char *const words[] = {"done", "failed", "a process died", "took too long",
                                        "interrupted"};
    (void)fflush(stdout);
    (void)fprintf(stderr, "gyre-bench: %s, %u bytes, %u consumers: %s\n",
                  carrier_list[job->setup.carrier_idx]->name, job->setup.size,
                  job->setup.consumer_count, words[outcome]);
    for (uint32_t role = 0; role < role_count_of(&job->setup); role++)
        if (job->outcome[role].reason[0] != '\0')
            (void)fprintf(stderr, "gyre-bench:   role %u: %s\n", role, job->outcome[role].reason);
}

/* Producer and consumer have a core each; where cores are short for it, all roles share all. */
static void place(struct job *job, const struct session *session)
{
    uint32_t role_count = role_count_of(&job->setup);
    for (uint32_t role = 0; role < role_count; role++)
        job->core[role] = (int)role_count <= session->core_count ? session->cores[role] : -1;
}

static int run(struct session *session, const struct job_setup *setup)
{
    const struct carrier *carrier = carrier_list[setup->carrier_idx];
    struct job           *job = session->job;
    enum host_outcome     outcome;
    int                   result = 0;
    int                   prepare_errno;

    job->setup = *setup;
    job->serial = ++session->serial;
    job->sample_count = 0;
    atomic_store(&job->arrived, 0);
    for (uint32_t i = 0; i < JOB_MEETINGS; i++)
        atomic_store(&job->meeting[i], 0);
    memset(job->outcome, 0, sizeof(job->outcome));
    place(job, session);
    errno = 0;
    if (carrier->prepare != NULL)
        result = carrier->prepare(job);
    prepare_errno = errno;
    if (result != 0 && job->outcome[0].reason[0] == '\0')
        (void)role_fail(job, 0, "%s", strerror(prepare_errno));
    outcome = result == 0 ? host_run(job, role_count_of(setup), JOB_TIMEOUT_NS) : HOST_DONE;
    if (carrier->dispose != NULL)
        carrier->dispose(job);
    if (result != 0)
        return 1;
    if (outcome == HOST_DONE)
        return 0;
    say_why(job, outcome);
    return -1;
}

/* How long the measured pass took: from the producer's first message to the last one's arrival. */
static uint64_t elapsed_ns(const struct job *job)
{
    uint64_t end_ns = job->outcome[0].end_ns;
    if (job->setup.task == JOB_STREAM)
        for (uint32_t role = 1; role < role_count_of(&job->setup); role++)
            if (job->outcome[role].end_ns > end_ns)
                end_ns = job->outcome[role].end_ns;
    end_ns -= job->outcome[0].begin_ns;
    return end_ns == 0 ? 1 : end_ns;
}

static void take_samples(struct job *job, double ns_per_sample, double figures[FIGURE_COUNT])
{
    stats_sort(job->samples, job->sample_count);
    figures[FIGURE_P50] = stats_percentile(job->samples, job->sample_count, 0.5) * ns_per_sample;
    if (job->sample_count < SAMPLES_FOR_P99)
        return;
    figures[FIGURE_P99] = stats_percentile(job->samples, job->sample_count, 0.99) * ns_per_sample;
    if (job->sample_count < SAMPLES_FOR_P999)
        return;
    figures[FIGURE_P999] = stats_percentile(job->samples, job->sample_count, 0.999) * ns_per_sample;
}

/* Of the slices' means, the median: of one trip one way, or of one message. */
static double slice_mean_ns(const struct job *job)
{
    double slices[JOB_SLICES];
    for (uint32_t i = 0; i < JOB_SLICES; i++)
        slices[i] = (double)job->slice_ns[i];
    return stats_median(slices, JOB_SLICES) * JOB_SLICES / (double)job->setup.count;
}

int measure(struct session *session, const struct job_setup *setup, double figures[FIGURE_COUNT])
{
    struct job *job = session->job;
    double      count = (double)setup->count;
    double      ns;
    int         result = run(session, setup);

    for (uint32_t i = 0; i < FIGURE_COUNT; i++)
        figures[i] = NAN;
    if (result != 0)
        return result;
    ns = (double)elapsed_ns(job);
    switch (setup->task) {
    case JOB_PING_PONG:
        figures[FIGURE_MEAN] = slice_mean_ns(job) / 2;
        take_samples(job, session->ns_per_stamp / 2, figures);
        break;
    case JOB_WAKE:
        take_samples(job, 1, figures);
        figures[FIGURE_WAKE_CPU] = (double)job->outcome[1].wake_cpu_ns / job->sample_count;
        figures[FIGURE_IDLE_CPU] =
            100 * (double)job->outcome[1].idle_cpu_ns / (double)job->outcome[1].idle_wall_ns;
        break;
    case JOB_ATTACHED:
        figures[FIGURE_MEAN] = slice_mean_ns(job);
        break;
    default:
        figures[FIGURE_RATE] = count * 1e3 / ns;
        figures[FIGURE_BANDWIDTH] = count * setup->size / ns;
        break;
    }
    return 0;
}

/*
 * How long the pass takes that the setup asks for, in ns; below zero: there is none.  The least of
 * some tries if it seems long enough, because a role that had to wait for its core makes any count
 * look so.
 */
static double try_count(struct session *session, const struct job_setup *setup, double enough_ns,
                        int *result)
{
    double figures[FIGURE_COUNT];
    double least_ns = HUGE_VAL;

    for (uint32_t i = 0; i < TRIES_MOST && least_ns >= enough_ns; i++) {
        *result = measure(session, setup, figures);
        if (*result != 0)
            return -1;
        least_ns = fmin(least_ns, (double)elapsed_ns(session->job));
        if (least_ns > enough_ns * LONG_ENOUGH)
            break; /* slow by itself */
    }
    return least_ns;
}

int measure_count(struct session *session, struct job_setup *setup)
{
    double wanted_ns = (double)session->pass_ns;
    double ns = 0;
    int    result = 0;

    if (setup->task == JOB_WAKE || setup->task == JOB_ALONE)
        return 0;
    setup->count = TRIPS_LEAST;
    while ((ns = try_count(session, setup, wanted_ns / 10, &result)) >= 0 && ns < wanted_ns / 10)
        setup->count *= 8;
    /* Again, because what got in the way of the first tries may be gone. */
    for (uint32_t i = 0; result == 0 && ns < wanted_ns * 0.7 && i < TRIES_MOST; i++) {
        setup->count = (uint64_t)((double)setup->count * wanted_ns / ns) + 1;
        setup->count = (setup->count + JOB_SLICES - 1) / JOB_SLICES * JOB_SLICES;
        ns = try_count(session, setup, wanted_ns * 0.7, &result);
    }
    return result;
}

static double measure_limit(struct session *session, const struct carrier *carrier)
{
    struct job_setup setup = {.task = JOB_PING_PONG, .size = 8, .consumer_count = 1, .batch = 1};
    double           figures[FIGURE_COUNT];

    setup.carrier_idx = carrier_idx(carrier);
    setup.count = WORD_COUNT;
    return measure(session, &setup, figures) == 0 ? figures[FIGURE_P50] : -1;
}

int measure_limits(struct session *session, struct limits_now *now)
{
    now->word = measure_limit(session, &limit_word);
    now->line = measure_limit(session, &limit_line);
    return now->word < 0 || now->line < 0 ? -1 : 0;
}
