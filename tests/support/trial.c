/*
 * trial.c - runs trials and roles.
 */
#include "internal.h"
#include "trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RING_NAME_SIZE 64
#define TRIAL_LIMIT_S 240u

/* The first page of the scratch. */
struct trial_page {
    char ring[RING_NAME_SIZE];
    char other_ring[RING_NAME_SIZE];
};

static struct trial_page *page;
static const char        *running;
static jmp_buf            trial_end;
static char               trial_why[1024];
static _Thread_local bool is_trial_thread;
static bool               is_role;

const char *trial_ring(void)
{
    return page->ring;
}

const char *trial_other_ring(void)
{
    return page->other_ring;
}

void *trial_stage(void)
{
    return (unsigned char *)page + 4096;
}

uint32_t trial_rounds(uint32_t on_linux, uint32_t on_windows)
{
    const char *is_long = getenv("GYRE_LONG");
    uint32_t    rounds = TRIAL_IS_WINDOWS ? on_windows : on_linux;

    return is_long != NULL && strcmp(is_long, "1") == 0 ? 10 * rounds : rounds;
}

void trial_fail(const char *file, int line, const char *format, ...)
{
    const char *name = file;
    char        why[900];
    va_list     arguments;

    for (const char *at = file; *at != '\0'; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    (void)snprintf(trial_why, sizeof(trial_why), "%s:%d: %s", name, line, why);
    if (is_trial_thread)
        longjmp(trial_end, 1);
    if (is_role)
        (void)fprintf(stderr, "# %s: %s\n", running, trial_why);
    else
        printf("not ok - %s: %s\n", running, trial_why);
    (void)fflush(NULL);
    if (!is_role)
        process_private_rings(false);
    _Exit(2);
}

void trial_become(const char *role)
{
    is_role = true;
    is_trial_thread = false;
    running = role;
    process_limit(running, TRIAL_LIMIT_S);
}

void trial_note(const char *format, ...)
{
    va_list arguments;

    printf("# %s: ", running);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
}

void trial_start(struct process *process, const char *role, uint32_t argument)
{
    EXPECT(process_start(process, role, argument), "cannot start the role %s", role);
}

void trial_finish(struct process *process)
{
    int code = process_wait(process, PROCESS_PATIENCE_NS);

    EXPECT(code == 0, "a role ended with %d%s", code, code == PROCESS_LATE ? " (it hangs)" : "");
}

void trial_await(const uint64_t *word, uint64_t value)
{
    EXPECT(process_await(word, value, PROCESS_PATIENCE_NS), "another process hangs or died");
}

uint64_t trial_patience(void)
{
    return gyre_now_ns() + PROCESS_PATIENCE_NS;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t trial_median(uint64_t *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count != 0 ? values[count / 2] : 0;
}

static int run_role(char **arguments, const struct role *roles, uint32_t role_count)
{
    is_role = true;
    page = process_scratch_join(arguments[2]);
    for (uint32_t i = 0; i < role_count; i++) {
        if (strcmp(roles[i].name, arguments[0]) != 0)
            continue;
        running = roles[i].name;
        process_limit(running, TRIAL_LIMIT_S);
        return roles[i].run((uint32_t)strtoul(arguments[1], NULL, 10));
    }
    return 4;
}

static bool is_chosen(const struct trial *trial, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(trial->name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc <= 1;
}

/* True if it passed. */
static bool run_trial(const struct trial *trial, uint32_t number)
{
    volatile bool is_good = false;

    memset(page, 0, PROCESS_SCRATCH_SIZE);
    (void)snprintf(page->ring, sizeof(page->ring), "t%u.%u", process_id(), number);
    (void)snprintf(page->other_ring, sizeof(page->other_ring), "t%u.%u.other", process_id(),
                   number);
    running = trial->name;
    process_limit(trial->name, TRIAL_LIMIT_S);
    if (setjmp(trial_end) == 0) {
        trial->run();
        is_good = true;
    }
    process_kill_all();
    process_limit("", 0);
    if (is_good)
        printf("ok - %s\n", trial->name);
    else
        printf("not ok - %s: %s\n", trial->name, trial_why);
    (void)fflush(stdout);
    return is_good;
}

int trial_main(int argc, char **argv, const struct trial *trials, uint32_t trial_count,
               const struct role *roles, uint32_t role_count)
{
    uint32_t counts[2] = {0, 0};

    gyre__ring_grace_ns = TRIAL_RING_GRACE_NS;
    if (argc == 5 && strcmp(argv[1], "--role") == 0)
        return run_role(argv + 2, roles, role_count);
    is_trial_thread = true;
    page = process_scratch_make();
    process_private_rings(true);
    for (uint32_t i = 0; i < trial_count; i++)
        if (is_chosen(&trials[i], argc, argv))
            counts[run_trial(&trials[i], i)]++;
    process_private_rings(false);
    printf("# %u passed, %u failed\n", counts[1], counts[0]);
    return counts[0] == 0 && counts[1] > 0 ? 0 : 1;
}
