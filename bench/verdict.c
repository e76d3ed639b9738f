/*
 * verdict.c - the bars that Gyre is to clear, and whether it did, at the end of a run.
 *
 * A bar is judged on the figures of one placement of the cores, of JUDGED_ROUNDS_LEAST rounds or
 * more.  It asks nothing of a machine that cannot show it: a bar in absolute figures is judged only
 * where L1 is at most CLOSE_MOST_NS.
 */
#include <math.h>
#include <stdio.h>

#include "bench.h"

static struct verdict *add(struct session *session, const struct contest *contest,
                           const char *quantity, double value)
{
    static struct verdict spill;
    struct verdict       *verdict = &spill;

    if (session->verdict_count < VERDICTS_MAX)
        verdict = &session->verdicts[session->verdict_count++];
    (void)snprintf(verdict->quantity, sizeof(verdict->quantity), "%s", quantity);
    verdict->note[0] = '\0';
    verdict->value = value;
    verdict->others = contest->others;
    verdict->place = contest->shown;
    verdict->is_met = -1;
    return verdict;
}

/* What few rounds show may be chance. */
static void judge(struct verdict *verdict, const struct contest *contest, int is_met)
{
    uint32_t rounds = contest_place_count(contest, contest->shown);

    if (rounds >= JUDGED_ROUNDS_LEAST)
        verdict->is_met = is_met;
    else
        (void)snprintf(verdict->note, sizeof(verdict->note), "only %u of %u rounds needed", rounds,
                       JUDGED_ROUNDS_LEAST);
}

void verdict_most(struct session *session, const struct contest *contest, const char *quantity,
                  double value, double bar)
{
    struct verdict *verdict = add(session, contest, quantity, value);
    (void)snprintf(verdict->bar, sizeof(verdict->bar), "<= %.4gx", bar);
    if (stats_is_known(value))
        judge(verdict, contest, value <= bar);
}

void verdict_least(struct session *session, const struct contest *contest, const char *quantity,
                   double value, double bar)
{
    struct verdict *verdict = add(session, contest, quantity, value);
    (void)snprintf(verdict->bar, sizeof(verdict->bar), ">= %.4gx", bar);
    if (stats_is_known(value))
        judge(verdict, contest, value >= bar);
}

void verdict_rate(struct session *session, const struct contest *contest, const char *quantity,
                  double value, double bar)
{
    struct verdict *verdict = add(session, contest, quantity, value);
    double          word = contest_limits(contest).word;

    (void)snprintf(verdict->bar, sizeof(verdict->bar), ">= %.4g M/s", bar);
    if (word > CLOSE_MOST_NS)
        (void)snprintf(verdict->note, sizeof(verdict->note), "L1 is %.0f ns, more than %.0f", word,
                       CLOSE_MOST_NS);
    else if (stats_is_known(value))
        judge(verdict, contest, value >= bar);
}

/* Nobody was left out: by the build, by the user, or because it failed. */
static int is_whole_field(const struct session *session, const struct contest *contest)
{
    if (session->system_count > 0 || BENCH_LEFT_OUT[0] != '\0')
        return 0;
    for (uint32_t i = 0; i < contest->entry_count; i++)
        if (contest->entries[i].has_failed)
            return 0;
    return 1;
}

void verdict_rivals(struct session *session, const struct contest *contest, const char *quantity,
                    const struct entry *entry, double bar)
{
    const struct entry *rival = contest_rival(contest, entry, contest->figures[0]);
    double              times;
    struct verdict     *verdict;

    if (rival == NULL)
        return;
    times = contest_advantage(contest, entry, rival, contest->figures[0]);
    verdict = add(session, contest, quantity, times);
    (void)snprintf(verdict->bar, sizeof(verdict->bar), bar > 1 ? ">= %.4gx" : "> %.4gx", bar);
    if (entry == contest->gyre)
        (void)snprintf(verdict->note, sizeof(verdict->note), "%s", rival->system);
    else
        (void)snprintf(verdict->note, sizeof(verdict->note), "%s over %s", entry->system,
                       rival->system);
    judge(verdict, contest, bar > 1 ? times >= bar : times > bar);
    if (verdict->is_met == 1 && !is_whole_field(session, contest)) {
        verdict->is_met = -1;
        (void)snprintf(verdict->note, sizeof(verdict->note), "some contestants took no part");
    }
}

static const char *word_of(const struct verdict *verdict)
{
    return verdict->is_met < 0 ? "not judged" : verdict->is_met ? "met" : "NOT MET";
}

static void write_verdict(FILE *json, const struct verdict *verdict)
{
    (void)fprintf(json,
                  "{\"bench\":\"verdict\",\"platform\":\"%s\",\"placement\":\"%s\","
                  "\"quantity\":\"%s\",\"bar\":\"%s\",\"note\":\"%s\",\"met\":%s",
                  host_platform(), placement_names[verdict->place], verdict->quantity, verdict->bar,
                  verdict->note,
                  verdict->is_met < 0    ? "null"
                  : verdict->is_met != 0 ? "true"
                                         : "false");
    if (stats_is_known(verdict->value))
        (void)fprintf(json, ",\"value\":%.4g", verdict->value);
    if (stats_is_known(verdict->others))
        (void)fprintf(json, ",\"others\":%.2f", verdict->others);
    (void)fprintf(json, "}\n");
}

void report_verdicts(struct session *session)
{
    uint32_t met_count = 0;
    uint32_t judged_count = 0;

    if (session->verdict_count == 0)
        return;
    (void)printf("\nthe bars, %s (a * means that other programs disturbed the measurement)\n",
                 host_platform());
    (void)printf("  %-56s %-5s %13s %11s  %s\n", "", "cores", "bar", "measured", "");
    for (uint32_t i = 0; i < session->verdict_count; i++) {
        const struct verdict *verdict = &session->verdicts[i];
        char                  value[24] = "-";
        if (stats_is_known(verdict->value))
            (void)snprintf(value, sizeof(value), "%.3g", verdict->value);
        (void)printf("  %-56s %-5s %13s %10s%s  %s%s%s%s\n", verdict->quantity,
                     placement_names[verdict->place], verdict->bar, value,
                     verdict->others > OTHERS_NOISY ? "*" : " ", word_of(verdict),
                     verdict->note[0] != '\0' ? " (" : "", verdict->note,
                     verdict->note[0] != '\0' ? ")" : "");
        met_count += verdict->is_met == 1;
        judged_count += verdict->is_met >= 0;
        if (session->json != NULL)
            write_verdict(session->json, verdict);
    }
    (void)printf("  %u of %u bars met, %u not judged\n", met_count, judged_count,
                 session->verdict_count - judged_count);
}
