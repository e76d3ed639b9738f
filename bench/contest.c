/*
 * contest.c - rounds: who runs when, which rounds count, medians and ratios.
 *
 * It knows neither how a figure is measured (measure.c) nor how it is shown (report.c).
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static char
    wanted_id[sizeof(((struct contest *)0)->id)]; /* contest_is_wanted's, for contest_make */

#define ROUNDS_TRIED_MOST 2u /* times as many as are wanted */

const struct carrier *const carrier_list[] = {
    &carrier_gyre,         &carrier_pipe,
#ifdef _WIN32
    &carrier_named_pipe,
#else
    &carrier_unix_stream,
#endif
    &carrier_tcp,
#ifdef _WIN32
    &carrier_mailslot,     &carrier_copydata,  &carrier_dde,
#ifdef GYRE_BENCH_RPC
    &carrier_rpc,
#endif
    &carrier_shared_event, &carrier_clipboard,
#else
    &carrier_posix_mq,
#endif
#ifdef GYRE_BENCH_CK
    &carrier_ck_ring,
#endif
#ifdef GYRE_BENCH_DPDK
    &carrier_rte_ring,
#endif
#ifdef GYRE_BENCH_BOOST
    &carrier_boost_spsc,   &carrier_boost_mq,
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
    &limit_word,           &limit_line,        &limit_stream, &limit_memcpy, &limit_bell, NULL,
};

uint32_t carrier_idx(const struct carrier *carrier)
{
    uint32_t idx = 0;
    while (carrier_list[idx] != carrier)
        idx++;
    return idx;
}

/* Wildcards: `*` alone.  Patterns are short, so trying every place is good enough. */
static int glob_matches(const char *pattern, const char *text)
{
    for (; *pattern != '\0' && *pattern != '*'; pattern++, text++)
        if (*pattern != *text)
            return 0;
    if (*pattern == '\0')
        return *text == '\0';
    while (!glob_matches(pattern + 1, text))
        if (*text++ == '\0')
            return 0;
    return 1;
}

int pattern_matches(const char *const *patterns, uint32_t count, const char *text)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *pattern = patterns[i];
        int         is_glob = strchr(pattern, '*') != NULL;
        if (is_glob ? glob_matches(pattern, text) : strstr(text, pattern) != NULL)
            return 1;
    }
    return 0;
}

int contest_is_wanted(struct session *session, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(wanted_id, sizeof(wanted_id), format, list);
    va_end(list);
    if (session->only_count > 0 && !pattern_matches(session->only, session->only_count, wanted_id))
        return 0;
    session->wanted_count++;
    if (session->is_list)
        (void)printf("%s\n", wanted_id);
    return !session->is_list;
}

struct contest *contest_make(const struct session *session, uint32_t size, uint32_t consumer_count,
                             const enum figure *figures)
{
    struct contest *contest = calloc(1, sizeof(*contest));
    (void)session;
    if (contest == NULL) {
        (void)fprintf(stderr, "gyre-bench: no memory\n");
        return NULL;
    }
    (void)snprintf(contest->id, sizeof(contest->id), "%s", wanted_id);
    (void)snprintf(contest->bench, sizeof(contest->bench), "%.*s", (int)strcspn(wanted_id, "/"),
                   wanted_id);
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
    (void)session;
    entry->carrier = carrier;
    entry->system = carrier->name;
    entry->setup.task = task;
    entry->setup.carrier_idx = carrier_idx(carrier);
    entry->setup.size = contest->size;
    entry->setup.consumer_count = contest->consumer_count;
    entry->setup.batch = 1;
    entry->setup.capacity = DEFAULT_CAPACITY;
    if (carrier->size_max != 0 && contest->size > carrier->size_max)
        entry->absent = "messages of this size do not fit";
    return entry;
}

void contest_add_field(struct contest *contest, const struct session *session, enum job_task task)
{
    contest->gyre = contest_add(contest, session, &carrier_gyre, task);
    for (uint32_t i = 1; carrier_list[i] != &limit_word; i++) {
        const struct carrier *carrier = carrier_list[i];
        if (session->system_count > 0 &&
            !pattern_matches(session->systems, session->system_count, carrier->name))
            continue;
        if (task == JOB_WAKE && carrier->never_sleeps)
            continue;
        (void)contest_add(contest, session, carrier, task);
    }
}

/* A contestant that fails is out of the contest, and the others go on: 0.  Else -1. */
static int leave_out(struct entry *entry)
{
    if (host_is_interrupted() || entry->is_limit || entry->carrier == &carrier_gyre)
        return -1;
    entry->has_failed = 1;
    entry->absent = "it failed; standard error says how";
    return 0;
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
        if (result < 0 && leave_out(entry) != 0)
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
        if (measure(session, &entry->setup, figures) != 0) {
            if (leave_out(entry) != 0)
                return -1;
            continue;
        }
        for (uint32_t figure = 0; figure < FIGURE_COUNT; figure++)
            entry->value[figure][round] = figures[figure];
    }
    return 0;
}

static int is_alike(double before, double after)
{
    return before < after * PLACEMENT_CHANGE && after < before * PLACEMENT_CHANGE;
}

static int is_same_place(const struct limits_now *before, const struct limits_now *after)
{
    return is_alike(before->word, after->word) && is_alike(before->line, after->line) &&
           placement_of(before) == placement_of(after);
}

uint32_t contest_place_count(const struct contest *contest, enum placement place)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < contest->round_count; i++)
        count += contest->place[i] == place;
    return count;
}

static int is_enough(const struct contest *contest, const struct session *session)
{
    return contest_place_count(contest, PLACE_NEAR) >= session->round_count ||
           contest_place_count(contest, PLACE_FAR) >= session->round_count;
}

/* Rounds until one placement has as many as are wanted, but not for ever. */
static int run_rounds(struct contest *contest, struct session *session)
{
    uint32_t          tried_most = session->round_count * ROUNDS_TRIED_MOST;
    struct limits_now before;
    struct limits_now after;

    if (measure_limits(session, &before) != 0)
        return -1;
    for (uint32_t i = 0; i < tried_most && !is_enough(contest, session); i++, before = after) {
        if (placement_await(session, &before) != 0) /* what was kept is worth telling */
            return contest->round_count > 0 && !host_is_interrupted() ? 0 : -1;
        if (run_round(contest, session, i) != 0 || measure_limits(session, &after) != 0)
            return -1;
        if (!is_same_place(&before, &after)) {
            contest->dropped_count++;
            continue;
        }
        contest->before[contest->round_count] = before;
        contest->after[contest->round_count] = after;
        contest->place[contest->round_count++] = placement_of(&before);
    }
    return 0;
}

static void report(struct contest *contest, struct session *session)
{
    enum placement most = PLACE_NEAR;

    for (enum placement place = PLACE_NEAR; place < PLACE_COUNT; place++) {
        if (contest_place_count(contest, place) == 0)
            continue;
        contest->shown = place;
        report_contest(contest, session);
        if (contest->judge != NULL)
            contest->judge(contest, session);
        if (contest_place_count(contest, place) > contest_place_count(contest, most))
            most = place;
    }
    contest->shown = most; /* for the charts */
    if (contest->round_count == 0)
        (void)printf("\n%s: the cores moved in every one of %u rounds\n", contest->id,
                     contest->dropped_count);
}

int contest_run(struct contest *contest, struct session *session)
{
    struct limits_now now;
    uint64_t          began_ns;
    int64_t           others_ns;

    if (placement_await(session, &now) != 0 || prepare(contest, session) != 0)
        return -1;
    began_ns = host_now_ns();
    others_ns = host_others_ns();
    if (run_rounds(contest, session) != 0)
        return -1;
    contest->others = NAN;
    if (others_ns >= 0)
        contest->others =
            (double)(host_others_ns() - others_ns) / (double)(host_now_ns() - began_ns);
    report(contest, session);
    return 0;
}

uint32_t contest_values(const struct contest *contest, const struct entry *entry,
                        enum figure figure, double values[CONTEST_ROUNDS_MAX])
{
    uint32_t count = 0;
    if (entry == NULL || entry->absent != NULL)
        return 0;
    for (uint32_t i = 0; i < contest->round_count; i++)
        if (contest->place[i] == contest->shown && stats_is_known(entry->value[figure][i]))
            values[count++] = entry->value[figure][i];
    return count;
}

struct limits_now contest_limits(const struct contest *contest)
{
    double            words[CONTEST_ROUNDS_MAX];
    double            lines[CONTEST_ROUNDS_MAX];
    struct limits_now limits;
    uint32_t          count = 0;

    for (uint32_t i = 0; i < contest->round_count; i++) {
        if (contest->place[i] != contest->shown)
            continue;
        words[count] = contest->before[i].word;
        lines[count++] = contest->before[i].line;
    }
    limits.word = stats_median(words, count);
    limits.line = stats_median(lines, count);
    return limits;
}

double contest_median(const struct contest *contest, const struct entry *entry, enum figure figure)
{
    double values[CONTEST_ROUNDS_MAX];
    return stats_median(values, contest_values(contest, entry, figure, values));
}

double contest_ratio(const struct contest *contest, const struct entry *entry,
                     const struct entry *other, enum figure figure)
{
    double   ratios[CONTEST_ROUNDS_MAX];
    uint32_t count = 0;

    if (entry == NULL || other == NULL || entry->absent != NULL || other->absent != NULL)
        return NAN;
    for (uint32_t i = 0; i < contest->round_count; i++) {
        double ratio = entry->value[figure][i] / other->value[figure][i];
        if (contest->place[i] == contest->shown && stats_is_known(ratio))
            ratios[count++] = ratio;
    }
    return stats_median(ratios, count);
}

double contest_advantage(const struct contest *contest, const struct entry *entry,
                         const struct entry *other, enum figure figure)
{
    if (figure_kinds[figure].is_lower_better)
        return contest_ratio(contest, other, entry, figure);
    return contest_ratio(contest, entry, other, figure);
}

const struct entry *contest_rival(const struct contest *contest, const struct entry *entry,
                                  enum figure figure)
{
    const struct entry *rival = NULL;
    double              least = NAN;

    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *other = &contest->entries[i];
        double              times = contest_advantage(contest, entry, other, figure);
        if (other->is_limit || other->carrier == &carrier_gyre || !stats_is_known(times))
            continue;
        if (rival == NULL || times < least) {
            rival = other;
            least = times;
        }
    }
    return rival;
}

const struct entry *contest_find(const struct contest *contest, const char *system)
{
    for (uint32_t i = 0; i < contest->entry_count; i++)
        if (strcmp(contest->entries[i].system, system) == 0)
            return &contest->entries[i];
    return NULL;
}
