/*
 * explore.c - which move is made where: exhaustively within bounds, at random, or by a trace.
 *
 * The exhaustive search is a depth-first walk through the choices of the scheduler, repeated with
 * one more preemption each time (the idea is CHESS's: most bugs need few).  Each run starts from
 * the beginning: the first choices are those of the last run, the one behind them is the next
 * alternative, and all later ones are defaults.
 *
 * A random run takes its manner from its seed: roles with random priorities that change at a few
 * random steps (PCT), or a walk that turns with some probability.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched.h"

#define PATH_MAX_LENGTH 20000u
#define TRACE_MAX 1000u
#define CHANGES_MAX 4u

enum mode { BY_PATH, AT_RANDOM, BY_TRACE };

struct departure {
    unsigned step;
    char     move;
    unsigned role;
    unsigned entry;
};

static enum mode        mode;
static struct departure trace[TRACE_MAX];
static unsigned         trace_length;
static char             trace_text[TRACE_MAX * 12];

/* BY_PATH */
static struct {
    uint16_t pick;
    uint16_t count;
} path[PATH_MAX_LENGTH];
static unsigned            path_length;
static unsigned            path_at;
static struct weave_bounds left;

/* AT_RANDOM */
static uint64_t random_state;
static struct {
    bool     is_by_priority;
    unsigned priorities[WEAVE_ROLES_MAX];
    unsigned lowest;
    unsigned changes[CHANGES_MAX];
    unsigned turn_in; /* one choice in so many */
    unsigned drain_in;
    unsigned hold_in;
    unsigned timeout_in;
    unsigned death_step;
    unsigned deaths;
} manner;

/* BY_TRACE */
static struct departure wanted[TRACE_MAX];
static unsigned         wanted_count;
static unsigned         wanted_at;

static void note(const struct weave_option *option, unsigned step)
{
    if (trace_length < TRACE_MAX)
        trace[trace_length++] = (struct departure){step, option->move, option->role, option->entry};
}

const char *weave_trace(void)
{
    size_t at = 0;

    trace_text[0] = '\0';
    for (unsigned i = 0; i < trace_length; i++) {
        const struct departure *departure = &trace[i];
        int length = snprintf(trace_text + at, sizeof(trace_text) - at, "%s%u%c%u", i ? "," : "",
                              departure->step, departure->move, departure->role);
        at += (size_t)length;
        if (departure->entry != 0)
            at +=
                (size_t)snprintf(trace_text + at, sizeof(trace_text) - at, ".%u", departure->entry);
    }
    return trace_length != 0 ? trace_text : "-";
}

/* --- exhaustively ----------------------------------------------------------------------------- */

static unsigned *budget_of(const struct weave_option *option)
{
    switch ((enum weave_move)option->move) {
    case WEAVE_HOLD:
        return &left.holds;
    case WEAVE_KILL:
        return &left.deaths;
    case WEAVE_TIMEOUT:
        return &left.timeouts;
    case WEAVE_GO:
    case WEAVE_SWITCH:
    case WEAVE_DRAIN:
        break;
    }
    return &left.preemptions;
}

static unsigned choose_by_path(const struct weave_option *options, unsigned count)
{
    unsigned affordable[WEAVE_OPTIONS_MAX];
    unsigned n = 0, pick;

    for (unsigned i = 0; i < count; i++)
        if (options[i].is_free || *budget_of(&options[i]) > 0)
            affordable[n++] = i;
    if (n == 1)
        return affordable[0];
    if (path_at == path_length) {
        if (path_length == PATH_MAX_LENGTH)
            weave_fail("more than %u choices in a run", PATH_MAX_LENGTH);
        path[path_length].pick = 0;
        path[path_length].count = (uint16_t)n;
        path_length++;
    }
    if (path[path_at].count != n)
        weave_fail("the harness is not deterministic: %u choices, not %u", n, path[path_at].count);
    pick = affordable[path[path_at++].pick];
    if (!options[pick].is_free)
        --*budget_of(&options[pick]);
    return pick;
}

/* The next path, or false if that was the last one. */
static bool advance(void)
{
    while (path_length > 0) {
        if (++path[path_length - 1].pick < path[path_length - 1].count)
            return true;
        path_length--;
    }
    return false;
}

static bool run(const struct weave_scenario *scenario, struct weave_result *result)
{
    bool is_good;

    trace_length = 0;
    path_at = 0;
    wanted_at = 0;
    is_good = weave_run(scenario);
    if (weave_steps() > result->steps)
        result->steps = weave_steps();
    if (is_good)
        result->run_count++;
    else
        result->has_failed = true;
    return is_good;
}

/* True if all was seen; false if something failed, or the limit was reached. */
static bool explore_within(const struct weave_scenario *scenario, const struct weave_bounds *bounds,
                           uint64_t limit, struct weave_result *result)
{
    uint64_t before = result->run_count;

    path_length = 0;
    do {
        left = *bounds;
        if (!run(scenario, result))
            return false;
        if (weave_has_learnt()) {
            /* There are more choices than the path knows of: once again from the start. */
            path_length = 0;
            result->run_count = before;
            continue;
        }
        if (!advance())
            return true;
        if (result->run_count - before >= limit) {
            result->is_cut = true;
            return false;
        }
    } while (true);
}

void weave_explore(const struct weave_scenario *scenario, uint64_t limit,
                   struct weave_result *result)
{
    struct weave_bounds bounds = scenario->bounds;

    mode = BY_PATH;
    for (unsigned n = 0; n <= scenario->bounds.preemptions; n++) {
        uint64_t before = result->run_count;
        bounds.preemptions = n;
        result->preemptions = n;
        if (!explore_within(scenario, &bounds, limit, result))
            return;
        if (n < scenario->bounds.preemptions)
            result->run_count = before; /* all of them will come again */
    }
}

/* --- at random -------------------------------------------------------------------------------- */

/* xorshift64* */
static unsigned roll(unsigned sides)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * UINT64_C(2685821657736338717)) >> 33) % sides;
}

static void choose_manner(const struct weave_scenario *scenario, uint64_t seed, unsigned steps)
{
    static const unsigned rates[] = {2, 8, 32, 128};

    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < 8; i++)
        (void)roll(2);
    manner.is_by_priority = roll(2) == 0;
    for (unsigned i = 0; i < WEAVE_ROLES_MAX; i++)
        manner.priorities[i] = 1000 + roll(1000);
    manner.lowest = 1000;
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        manner.changes[i] = 1 + roll(steps);
    manner.turn_in = rates[roll(4)];
    manner.drain_in = rates[roll(4)];
    manner.hold_in = roll(3) == 0 ? UINT32_MAX : rates[roll(3)];
    manner.timeout_in = roll(4) == 0 ? 256 : UINT32_MAX;
    manner.deaths = roll(4) == 0 ? 0 : scenario->bounds.deaths;
    manner.death_step = 1 + roll(steps);
}

static bool one_in(unsigned sides)
{
    return sides != UINT32_MAX && roll(sides) == 0;
}

static unsigned find_move(const struct weave_option *options, unsigned count, char move)
{
    unsigned found = 0, n = 0;

    for (unsigned i = 0; i < count; i++)
        if (options[i].move == move && roll(++n) == 0)
            found = i;
    return found;
}

static unsigned choose_role(const struct weave_option *options, unsigned count, unsigned step)
{
    unsigned best = 0;

    if (!manner.is_by_priority) {
        if (options[0].move == WEAVE_GO && !one_in(manner.turn_in))
            return 0;
        return find_move(options, count, WEAVE_SWITCH);
    }
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        if (manner.changes[i] != 0 && manner.changes[i] <= step) {
            manner.changes[i] = 0;
            manner.priorities[options[0].role] = --manner.lowest;
        }
    for (unsigned i = 0; i < count; i++)
        if ((options[i].move == WEAVE_GO || options[i].move == WEAVE_SWITCH) &&
            manner.priorities[options[i].role] > manner.priorities[options[best].role])
            best = i;
    return best;
}

static unsigned choose_at_random(const struct weave_option *options, unsigned count, unsigned step)
{
    unsigned pick = 0;

    if (count == 2 && options[1].move == WEAVE_HOLD)
        return one_in(manner.hold_in) ? 1 : 0;
    if (manner.deaths > 0 && step >= manner.death_step) {
        pick = find_move(options, count, WEAVE_KILL);
        if (pick != 0) {
            manner.deaths--;
            manner.death_step = step + 1 + roll(step + 1);
            return pick;
        }
    }
    if (one_in(manner.drain_in))
        pick = find_move(options, count, WEAVE_DRAIN);
    if (pick == 0 && one_in(manner.timeout_in))
        pick = find_move(options, count, WEAVE_TIMEOUT);
    return pick != 0 ? pick : choose_role(options, count, step);
}

void weave_roam(const struct weave_scenario *scenario, uint64_t first_seed, uint64_t count,
                struct weave_result *result)
{
    unsigned steps = 100;

    mode = AT_RANDOM;
    for (uint64_t seed = first_seed; seed < first_seed + count; seed++) {
        /* The same for each seed by itself, so that a seed alone repeats a run. */
        choose_manner(scenario, seed, steps << (seed % 5));
        if (!run(scenario, result)) {
            result->seed = seed;
            return;
        }
    }
}

/* --- by a trace ------------------------------------------------------------------------------- */

static unsigned choose_by_trace(const struct weave_option *options, unsigned count, unsigned step)
{
    const struct departure *next = &wanted[wanted_at];

    while (wanted_at < wanted_count && next->step < step)
        next = &wanted[++wanted_at];
    if (wanted_at == wanted_count || next->step != step)
        return 0;
    for (unsigned i = 1; i < count; i++)
        if (options[i].move == next->move && options[i].role == next->role &&
            options[i].entry == next->entry) {
            wanted_at++;
            return i;
        }
    return 0;
}

static bool run_wanted(const struct weave_scenario *scenario)
{
    struct weave_result ignored = {0};

    mode = BY_TRACE;
    /* What is shared has to be known, or there would be no choice where the trace wants one. */
    for (unsigned i = 0; i < 10; i++) {
        bool is_good = run(scenario, &ignored);
        if (!weave_has_learnt())
            return is_good;
    }
    return true;
}

bool weave_replay(const struct weave_scenario *scenario, const char *text)
{
    wanted_count = 0;
    while (*text != '\0' && wanted_count < TRACE_MAX) {
        struct departure *departure = &wanted[wanted_count];
        int               length = 0;
        departure->entry = 0;
        if (sscanf(text, "%u%c%u%n", &departure->step, &departure->move, &departure->role,
                   &length) != 3)
            break;
        text += length;
        if (sscanf(text, ".%u%n", &departure->entry, &length) == 1)
            text += length;
        if (*text == ',')
            text++;
        wanted_count++;
    }
    return run_wanted(scenario);
}

void weave_shorten(const struct weave_scenario *scenario)
{
    static struct departure all[TRACE_MAX];
    unsigned                count = trace_length;

    memcpy(all, trace, sizeof(all));
    for (unsigned out = count; out-- > 0;) {
        wanted_count = count - 1;
        memcpy(wanted, all, out * sizeof(all[0]));
        memcpy(wanted + out, all + out + 1, (count - out - 1) * sizeof(all[0]));
        if (!run_wanted(scenario)) {
            memcpy(all, wanted, sizeof(all));
            count--;
        }
    }
    wanted_count = count;
    memcpy(wanted, all, sizeof(all));
    if (run_wanted(scenario))
        printf("# the shortened schedule does not fail again\n");
}

unsigned weave_choose(const struct weave_option *options, unsigned count, unsigned step)
{
    unsigned pick = 0;

    switch (mode) {
    case BY_PATH:
        pick = choose_by_path(options, count);
        break;
    case AT_RANDOM:
        pick = choose_at_random(options, count, step);
        break;
    case BY_TRACE:
        pick = choose_by_trace(options, count, step);
        break;
    }
    if (pick != 0)
        note(&options[pick], step);
    return pick;
}
