/*
 * report.c - a contest as a table for people and as JSON, one object a line, for machines.
 *
 * JSON: `ratio_to_limit` is this figure over the limit's (latency: 1 is the limit, more is worse;
 * bandwidth: 1 is the limit, less is worse).  `ratio_to` says how many times as good as each
 * contestant Gyre is, so more is better for every kind of figure.  `others` is how many cores'
 * worth of CPU time other programs took meanwhile.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define CELL_SIZE 24
#define OTHERS_NOISY 0.15 /* cores */

static void format_figure(char cell[CELL_SIZE], double value)
{
    if (!stats_is_known(value))
        (void)snprintf(cell, CELL_SIZE, "-");
    else
        (void)snprintf(cell, CELL_SIZE, "%.*f", value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value);
}

static void format_ratio(char cell[CELL_SIZE], double ratio)
{
    format_figure(cell, ratio);
    if (stats_is_known(ratio))
        (void)snprintf(cell + strlen(cell), CELL_SIZE - strlen(cell), "x");
}

/* How many times as good as `other` Gyre is. */
static double advantage(const struct contest *contest, const struct entry *other,
                        enum figure figure)
{
    if (figure_kinds[figure].is_lower_better)
        return contest_ratio(contest, other, contest->gyre, figure);
    return contest_ratio(contest, contest->gyre, other, figure);
}

static double limit_ratio(const struct contest *contest, const struct entry *entry,
                          enum figure figure)
{
    if (contest->limit == NULL || figure == FIGURE_IDLE_CPU ||
        (contest->limit_figure != FIGURE_COUNT && contest->limit_figure != figure))
        return NAN;
    return contest_ratio(contest, entry, contest->limit, figure);
}

static void print_head(const struct contest *contest)
{
    double word = stats_median(contest->word_p50, contest->round_count);

    (void)printf("\n%s: %s\n", contest->bench, contest->title);
    (void)printf("  %s; %u rounds, %u more dropped because the cores moved; L1 p50 %.0f ns\n",
                 host_platform(), contest->round_count, contest->dropped_count, word);
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
    (void)printf(" %19s", "spread of the first");
    if (contest->limit != NULL)
        (void)printf(" %9s", "to limit");
    if (contest->gyre != NULL)
        (void)printf(" %8s", "gyre is");
    (void)printf("\n");
}

static void print_entry(const struct contest *contest, const struct entry *entry)
{
    const double *first = entry->value[contest->figures[0]];
    char          cell[CELL_SIZE];
    char          most[CELL_SIZE];

    (void)printf("  %-22s", entry->system);
    if (entry->absent != NULL) {
        (void)printf(" - %s\n", entry->absent);
        return;
    }
    for (uint32_t i = 0; i < contest->figure_count; i++) {
        format_figure(cell, contest_median(contest, entry, contest->figures[i]));
        (void)printf(" %14s", cell);
    }
    format_figure(cell, stats_min(first, contest->round_count));
    format_figure(most, stats_max(first, contest->round_count));
    (void)printf(" %9s .. %6s", cell, most);
    if (contest->limit != NULL) {
        enum figure figure = contest->limit_figure;
        format_ratio(cell, limit_ratio(contest, entry,
                                       figure == FIGURE_COUNT ? contest->figures[0] : figure));
        (void)printf(" %9s", cell);
    }
    if (contest->gyre != NULL) {
        format_ratio(cell, advantage(contest, entry, contest->figures[0]));
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
    if (entry != contest->gyre)
        return;
    (void)fprintf(json, ",\"ratio_to\":{");
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        const struct entry *other = &contest->entries[i];
        double              times = advantage(contest, other, figure);
        if (other->is_limit || other == entry || !stats_is_known(times))
            continue;
        (void)fprintf(json, "%s\"%s\":%.4g", comma, other->system, times);
        comma = ",";
    }
    (void)fprintf(json, "}");
}

static void write_entry(FILE *json, const struct contest *contest, const struct entry *entry)
{
    for (uint32_t i = 0; i < contest->figure_count; i++) {
        enum figure               figure = contest->figures[i];
        const struct figure_kind *kind = &figure_kinds[figure];
        const double             *values = entry->value[figure];
        double                    median = contest_median(contest, entry, figure);
        if (!stats_is_known(median))
            continue;
        (void)fprintf(
            json,
            "{\"bench\":\"%s\",\"platform\":\"%s\",\"system\":\"%s\",\"size\":%u,"
            "\"consumers\":%u,\"metric\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,"
            "\"min\":%.6g,\"max\":%.6g,\"rounds\":%u,\"dropped\":%u",
            contest->bench, host_platform(), entry->system,
            contest->size != 0 ? contest->size : entry->setup.size, contest->consumer_count,
            kind->name, kind->unit, median, stats_min(values, contest->round_count),
            stats_max(values, contest->round_count), contest->round_count, contest->dropped_count);
        write_rest(json, contest, entry, figure);
        (void)fprintf(json, "}\n");
    }
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
        write_entry(session->json, contest, &contest->entries[i]);
    (void)fflush(session->json);
}
