/*
 * explore.h - which runs of a scenario are made.
 */
#ifndef GYRE_TESTS_WEAVE_EXPLORE_H
#define GYRE_TESTS_WEAVE_EXPLORE_H

#include "weave.h"

struct weave_result {
    uint64_t run_count; /* schedules in which nothing failed */
    bool     has_failed;
    bool     is_cut;      /* the exhaustive search was given up after too many schedules */
    unsigned preemptions; /* of the schedules that count; complete if not cut */
    uint64_t seed;        /* of the random run that failed; 0: the exhaustive search did */
    unsigned steps;       /* the longest run */
};

/* All schedules within the scenario's bounds, fewer preemptions first; at most `limit` of each. */
void weave_explore(const struct weave_scenario *scenario, uint64_t limit,
                   struct weave_result *result);

/* `count` random schedules: seeds first_seed and on. */
void weave_roam(const struct weave_scenario *scenario, uint64_t first_seed, uint64_t count,
                struct weave_result *result);

/* Where the last run departed from the default, as `weave --replay SCENARIO TRACE` takes it. */
const char *weave_trace(void);

/* One run by such a trace.  False: it failed. */
bool weave_replay(const struct weave_scenario *scenario, const char *trace);

/* Leaves out departures of the last trace as long as the run fails without them. */
void weave_shorten(const struct weave_scenario *scenario);

#endif
