/*
 * report.c - a contest as a table for people and as JSON, one object a line, for machines.
 *
 * Each placement of the cores has a table and lines of its own; q1 and q3 are the quartiles.
 * JSON: `ratio_to_limit` is this figure over the limit's (latency: 1 is the limit, more is worse;
 * bandwidth: 1 is the limit, less is worse).  `ratio_to` says how many times as good as each
 * contestant Gyre is, so more is better for every kind of figure.  `others` is how many cores'
 * worth of CPU time other programs took meanwhile.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "stamp.h"

#define CELL_SIZE 24
#ifdef __clang__
#define COMPILER "" /* its version names it */
#else
#define COMPILER "gcc "
#endif

static void format_figure(char cell[CELL_SIZE], double value)
{
    if (!stats_is_known(value))
        (void)snprintf(cell, CELL_SIZE, "-");
    else if (value < 0.0995)
        (void)snprintf(cell, CELL_SIZE, "%.2g", value);
    else
        (void)snprintf(cell, CELL_SIZE, "%.*f", value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value);
}

static void format_ratio(char cell[CELL_SIZE], double ratio)
{
    format_figure(cell, ratio);
    if (stats_is_known(ratio))
        (void)snprintf(cell + strlen(cell), CELL_SIZE - strlen(cell), "x");
}

static double limit_ratio(const struct contest *contest, const struct entry *entry,
                          enum figure figure)
{
    if (contest->limit == NULL || figure == FIGURE_IDLE_CPU || figure == FIGURE_WAKE_CPU ||
        (contest->limit_figure != FIGURE_COUNT && contest->limit_figure != figure))
        return NAN;
    return contest_ratio(contest, entry, contest->limit, figure);
}

static void print_head(const struct contest *contest)
{
    struct limits_now limits = contest_limits(contest);

    (void)printf("\n%s: %s\n", contest->id, contest->title);
    (void)printf("  %s; cores %s: L1 p50 %.0f ns, L2 %.0f ns; %u rounds, %u more dropped\n",
                 host_platform(), placement_names[contest->shown], limits.word, limits.line,
                 contest_place_count(contest, contest->shown), contest->dropped_count);
    if (contest->others > OTHERS_NOISY)
        (void)printf(
            "  Other programs used %.1f cores meanwhile: these figures cannot be trusted.\n",
            contest->others);
    (void)printf("  %-22s", "");
    for (uint32_t i = 0; i < contest->figure_count; i++) {
        const struct figure_kind *kind = &figure_kinds[contest->figures[i]];
        char                      cell[CELL_SIZE];
        (void)snprintf(cell, sizeof(cell), "%s %s", kind->name, kind->unit);
        (void)printf(" %14s", cell);
    }
    (void)printf(" %20s", "quartiles of first");
    if (contest->limit != NULL)
        (void)printf(" %9s", "to limit");
    if (contest->gyre != NULL)
        (void)printf(" %8s", "gyre is");
    (void)printf("\n");
}

static void print_entry(const struct contest *contest, const struct entry *entry)
{
    double   values[CONTEST_ROUNDS_MAX];
    uint32_t count = contest_values(contest, entry, contest->figures[0], values);
    char     cell[CELL_SIZE];
    char     most[CELL_SIZE];

    (void)printf("  %-22s", entry->system);
    if (entry->absent != NULL) {
        (void)printf(" - %s\n", entry->absent);
        return;
    }
    for (uint32_t i = 0; i < contest->figure_count; i++) {
        format_figure(cell, contest_median(contest, entry, contest->figures[i]));
        (void)printf(" %14s", cell);
    }
    format_figure(cell, stats_quantile(values, count, 0.25));
    format_figure(most, stats_quantile(values, count, 0.75));
    (void)printf(" %9s .. %7s", cell, most);
    if (contest->limit != NULL) {
        enum figure figure = contest->limit_figure;
        format_ratio(cell, limit_ratio(contest, entry,
                                       figure == FIGURE_COUNT ? contest->figures[0] : figure));
        (void)printf(" %9s", cell);
    }
    if (contest->gyre != NULL) {
        format_ratio(cell, contest_advantage(contest, contest->gyre, entry, contest->figures[0]));
        (void)printf(" %8s", entry->is_limit || entry == contest->gyre ? "" : cell);
    }
    (void)printf("\n");
}

static void write_rest(FILE *json, const struct contest *contest, const struct entry *entry,
                       enum figure figure)
{
    double      to_limit = limit_ratio(contest, entry, figure);
    const char *comma = "";

    if (stats_is_known(contest->others))
        (void)fprintf(json, ",\"others\":%.2f", contest->others);
    if (stats_is_known(to_limit))
        (void)fprintf(json, ",\"ratio_to_limit\":%.4g", to_limit);
    if (entry->carrier != &carrier_gyre)
        return;
    (void)fprintf(json, ",\"ratio_to\":{");
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *other = &contest->entries[i];
        double              times = contest_advantage(contest, entry, other, figure);
        if (other->is_limit || other == entry || !stats_is_known(times))
            continue;
        (void)fprintf(json, "%s\"%s\":%.4g", comma, other->system, times);
        comma = ",";
    }
    (void)fprintf(json, "}");
}

static void write_figure(FILE *json, const struct contest *contest, const struct entry *entry,
                         enum figure figure)
{
    const struct figure_kind *kind = &figure_kinds[figure];
    struct limits_now         limits = contest_limits(contest);
    double                    values[CONTEST_ROUNDS_MAX];
    uint32_t                  count = contest_values(contest, entry, figure, values);

    if (count == 0 && entry->absent == NULL)
        return;
    (void)fprintf(json,
                  "{\"bench\":\"%s\",\"id\":\"%s\",\"platform\":\"%s\",\"placement\":\"%s\","
                  "\"system\":\"%s\",\"size\":%u,\"consumers\":%u,\"batch\":%u,\"capacity\":%llu,",
                  contest->bench, contest->id, host_platform(), placement_names[contest->shown],
                  entry->system, contest->size != 0 ? contest->size : entry->setup.size,
                  contest->consumer_count, entry->setup.batch,
                  (unsigned long long)entry->setup.capacity);
    if (entry->absent != NULL) {
        (void)fprintf(json, "\"metric\":\"%s\",\"absent\":\"%s\"}\n", kind->name, entry->absent);
        return;
    }
    (void)fprintf(json,
                  "\"metric\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"q1\":%.6g,\"q3\":%.6g,"
                  "\"min\":%.6g,\"max\":%.6g,\"rounds\":%u,\"dropped\":%u,\"L1\":%.4g,\"L2\":%.4g",
                  kind->name, kind->unit, stats_median(values, count),
                  stats_quantile(values, count, 0.25), stats_quantile(values, count, 0.75),
                  stats_min(values, count), stats_max(values, count), count, contest->dropped_count,
                  limits.word, limits.line);
    write_rest(json, contest, entry, figure);
    (void)fprintf(json, "}\n");
}

void report_contest(const struct contest *contest, struct session *session)
{
    print_head(contest);
    for (uint32_t i = 0; i < contest->entry_count; i++)
        print_entry(contest, &contest->entries[i]);
    (void)fflush(stdout);
    if (session->json == NULL)
        return;
    for (uint32_t i = 0; i < contest->entry_count; i++)
        for (uint32_t k = 0; k < contest->figure_count; k++)
            write_figure(session->json, contest, &contest->entries[i], contest->figures[k]);
    (void)fflush(session->json);
}

/* What a system calls itself may contain anything. */
static void write_text(FILE *json, const char *key, const char *text)
{
    (void)fprintf(json, ",\"%s\":\"", key);
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= ' ')
            (void)fprintf(json, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    (void)fprintf(json, "\"");
}

void report_machine(const struct host_machine *machine, const struct limits_now *now,
                    struct session *session)
{
    (void)printf("cpu       %s, %d cores; producer on %d, consumer on %d\n", machine->cpu,
                 machine->core_count, session->cores[0], session->cores[1]);
    (void)printf("caches    %s\n", machine->caches);
    (void)printf("system    %s\n", machine->system);
    (void)printf("governor  %s\n", machine->governor);
    (void)printf("compiler  %s%s\n", COMPILER, __VERSION__);
    (void)printf("limits    L1 %.0f ns, L2 %.0f ns one way, p50, with a time stamp a round trip "
                 "(%s)\n",
                 now->word, now->line, STAMP_NAME);
    if (BENCH_LEFT_OUT[0] != '\0')
        (void)printf("left out  not found when this was built:%s\n", BENCH_LEFT_OUT);
    (void)fflush(stdout);
    if (session->json == NULL)
        return;
    (void)fprintf(session->json, "{\"bench\":\"machine\",\"platform\":\"%s\"", host_platform());
    write_text(session->json, "cpu", machine->cpu);
    write_text(session->json, "caches", machine->caches);
    write_text(session->json, "system", machine->system);
    write_text(session->json, "governor", machine->governor);
    write_text(session->json, "compiler", COMPILER __VERSION__);
    write_text(session->json, "stamp", STAMP_NAME);
    write_text(session->json, "left_out", BENCH_LEFT_OUT);
    (void)fprintf(session->json, ",\"cores\":%d,\"L1\":%.4g,\"L2\":%.4g}\n", machine->core_count,
                  now->word, now->line);
}
