/*
 * plain_main.c - runs the scenarios of one test program without Criterion.
 *
 * Prints `ok - suite.name` or `not ok - suite.name: file:line: why` for each, and a count at the
 * end.  Arguments choose scenarios by name (suite.name) or by suite.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include "win32/calls.h"
#else
#include "linux/calls.h"
#endif
#include "scenario.h"

enum outcome { PASSED, FAILED, SKIPPED };

static struct scenario *scenarios;
static jmp_buf          scenario_end;
static char             scenario_why[1024];

void scenario_enlist(struct scenario *scenario)
{
    struct scenario **place = &scenarios;
    while (*place != NULL && (*place)->line < scenario->line)
        place = &(*place)->next;
    scenario->next = *place;
    *place = scenario;
}

void scenario_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    int     used = snprintf(scenario_why, sizeof(scenario_why), "%s:%d: ", file, line);
    if (used < 0 || (size_t)used >= sizeof(scenario_why))
        used = 0;
    va_start(arguments, format);
    (void)vsnprintf(scenario_why + used, sizeof(scenario_why) - (size_t)used, format, arguments);
    va_end(arguments);
    longjmp(scenario_end, FAILED);
}

void scenario_skip(const char *reason)
{
    (void)snprintf(scenario_why, sizeof(scenario_why), "%s", reason);
    longjmp(scenario_end, SKIPPED);
}

static bool is_chosen(const struct scenario *scenario, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t length = strlen(argv[i]);
        if (strncmp(scenario->name, argv[i], length) == 0 &&
            (scenario->name[length] == '\0' || scenario->name[length] == '.'))
            return true;
    }
    return argc <= 1;
}

/* Each begins with the system's own calls, as it does where Criterion gives it a process. */
static enum outcome run(const struct scenario *scenario)
{
    static struct sync_calls own_calls;
    static bool              is_kept;

    if (!is_kept)
        own_calls = sync_calls;
    is_kept = true;
    sync_calls = own_calls;
    switch (setjmp(scenario_end)) {
    case PASSED:
        scenario->run();
        printf("ok - %s\n", scenario->name);
        return PASSED;
    case SKIPPED:
        printf("ok - %s # SKIP %s\n", scenario->name, scenario_why);
        return SKIPPED;
    default:
        printf("not ok - %s: %s\n", scenario->name, scenario_why);
        return FAILED;
    }
}

int main(int argc, char **argv)
{
    int counts[3] = {0, 0, 0};
    for (const struct scenario *scenario = scenarios; scenario != NULL; scenario = scenario->next) {
        if (!is_chosen(scenario, argc, argv))
            continue;
        counts[run(scenario)]++;
        (void)fflush(stdout);
    }
    printf("# %d passed, %d failed, %d skipped\n", counts[PASSED], counts[FAILED], counts[SKIPPED]);
    return counts[FAILED] == 0 && counts[PASSED] + counts[SKIPPED] > 0 ? 0 : 1;
}
