/*
 * main.c - runs the scenarios.  One TAP line each.
 *
 * weave [--only PATTERN] [--hunt] [--weak] [--seed N] [--limit N]
 * weave --replay SCENARIO TRACE
 * weave --list
 *
 * --hunt    ends with the first failure, which is a success: for tests/weave/bugs.sh
 * --weak    stores without release may overtake each other, as on ARM; x86 does not do that
 * GYRE_LONG=1 makes a hundred times as many random runs and lifts the limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "scenarios.h"
#include "sched.h"

static const struct weave_scenario *const lists[] = {scenarios_flow,  scenarios_sleep,
                                                     scenarios_join,  scenarios_death,
                                                     scenarios_group, scenarios_random};

static const char *only;
static bool        is_hunt;
static uint64_t    seed = 1;
static uint64_t    limit = 60000;
static uint64_t    total;

static void tell_failure(const struct weave_scenario *scenario, const struct weave_result *result)
{
    printf("# %s\n", weave_failure());
    if (result->seed != 0)
        printf("# found by seed %llu\n", (unsigned long long)result->seed);
    printf("# schedule: %s\n", weave_trace());
    weave_shorten(scenario);
    printf("# shortened, %s\n", weave_failure());
    printf("# replay: weave%s --replay %s %s\n", weave_is_weak ? " --weak" : "", scenario->name,
           weave_trace());
}

/* How far the exhaustive search came: the bounds are preemptions, holds, deaths, time-outs. */
static void describe(const struct weave_scenario *scenario, const struct weave_result *result,
                     char *text, size_t size)
{
    const struct weave_bounds *bounds = &scenario->bounds;

    if (scenario->is_random_only)
        (void)snprintf(text, size, "none exhaustively");
    else if (result->is_cut)
        (void)snprintf(text, size, "%llu within %u+%u+%u+%u, cut",
                       (unsigned long long)result->run_count, result->preemptions, bounds->holds,
                       bounds->deaths, bounds->timeouts);
    else
        (void)snprintf(text, size, "all %llu within %u+%u+%u+%u",
                       (unsigned long long)result->run_count, bounds->preemptions, bounds->holds,
                       bounds->deaths, bounds->timeouts);
}

/* False: it failed. */
static bool run_scenario(const struct weave_scenario *scenario, bool is_long)
{
    struct weave_result result = {0};
    struct weave_result random = {0};
    uint64_t            random_runs = scenario->random_runs * (is_long ? UINT64_C(100) : 1);
    char                exhaustive[96] = "";

    weave_forget_learnt();
    weave_roam(scenario, seed, 200, &random); /* to learn what is shared */
    if (!random.has_failed && !scenario->is_random_only)
        weave_explore(scenario, is_long ? UINT64_MAX : limit, &result);
    if (!random.has_failed && !result.has_failed && random_runs > 200)
        weave_roam(scenario, seed + 200, random_runs - 200, &random);
    total += result.run_count + random.run_count;
    total += random.has_failed || result.has_failed; /* and that one */
    if (random.has_failed || result.has_failed) {
        if (is_hunt)
            printf("found by %s in %llu schedules: %s\n", scenario->name, (unsigned long long)total,
                   weave_failure());
        else
            tell_failure(scenario, random.has_failed ? &random : &result);
        if (!is_hunt)
            printf("not ok - weave %s (%s)\n", scenario->name, scenario->edges);
        return false;
    }
    if (is_hunt)
        return true;
    describe(scenario, &result, exhaustive, sizeof(exhaustive));
    printf("ok - weave %s (%s): %llu schedules: %s, %llu random\n", scenario->name, scenario->edges,
           (unsigned long long)(result.run_count + random.run_count), exhaustive,
           (unsigned long long)random.run_count);
    return true;
}

static const struct weave_scenario *find_scenario(const char *name)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct weave_scenario *scenario = lists[i]; scenario->name != NULL; scenario++)
            if (strcmp(scenario->name, name) == 0)
                return scenario;
    return NULL;
}

static int replay(const char *name, const char *trace)
{
    const struct weave_scenario *scenario = find_scenario(name);
    bool                         is_good;

    if (scenario == NULL) {
        fprintf(stderr, "weave: no scenario %s\n", name);
        return 2;
    }
    (void)weave_replay(scenario, trace); /* once to learn what is shared, once to be printed */
    weave_is_talking = true;
    is_good = weave_replay(scenario, trace);
    if (is_good)
        printf("ok - weave %s does not fail\n", name);
    else
        printf("# %s\nnot ok - weave %s\n", weave_failure(), name);
    return is_good ? 0 : 1;
}

static int run_all(void)
{
    const char *is_long = getenv("GYRE_LONG");
    bool        has_failed = false;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct weave_scenario *scenario = lists[i]; scenario->name != NULL; scenario++) {
            if (only != NULL && strstr(scenario->name, only) == NULL)
                continue;
            if (!run_scenario(scenario, is_long != NULL && is_long[0] == '1'))
                has_failed = true;
            fflush(stdout);
            if (has_failed && is_hunt)
                return 0;
        }
    if (is_hunt)
        printf("not found in %llu schedules\n", (unsigned long long)total);
    return has_failed || is_hunt ? 1 : 0;
}

static void list_all(void)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct weave_scenario *scenario = lists[i]; scenario->name != NULL; scenario++)
            printf("%-28s %s\n", scenario->name, scenario->edges);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--replay") == 0 && i + 2 < argc)
            return replay(argv[i + 1], argv[i + 2]);
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc) {
            limit = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--hunt") == 0) {
            is_hunt = true;
        } else if (strcmp(argv[i], "--weak") == 0) {
            weave_is_weak = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            list_all();
            return 0;
        } else {
            fprintf(stderr, "weave: unknown argument %s\n", argv[i]);
            return 2;
        }
    }
    return run_all();
}
