/*
 * stepper_linux.c - stepper.h by ptrace.
 */
#include "stepper.h"

#if STEPPER_EXISTS

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_MAX_COUNT 2000000u
#define PASSING_COST 3u /* of a breakpoint's passing, in steps */
#define RIP_OFF offsetof(struct user_regs_struct, rip)

/* This program's own code: breakpoints are set nowhere else. */
extern const char __executable_start, etext;

static long trace(enum __ptrace_request request, const struct process *process, uint64_t address,
                  uint64_t data)
{
    return ptrace(request, (pid_t)process->os, (void *)(uintptr_t)address, (void *)(uintptr_t)data);
}

/* True if it has stopped with SIGTRAP; any other end or signal is none of ours. */
static bool await_trap(struct process *process)
{
    int status;

    while (waitpid((pid_t)process->os, &status, __WALL) < 0)
        if (errno != EINTR)
            return false;
    if (WIFSTOPPED(status))
        return WSTOPSIG(status) == SIGTRAP;
    process->is_running = false;
    return false;
}

static bool step_once(struct process *process)
{
    return trace(PTRACE_SINGLESTEP, process, 0, 0) == 0 && await_trap(process);
}

static uint64_t place_of(const struct process *process)
{
    return (uint64_t)trace(PTRACE_PEEKUSER, process, RIP_OFF, 0);
}

/* After a step: it was a mark that was executed. */
static bool is_at_mark(const struct process *process)
{
    siginfo_t info = {0};

    return trace(PTRACE_GETSIGINFO, process, 0, (uintptr_t)&info) == 0 && info.si_code == SI_KERNEL;
}

bool stepper_begin(void)
{
    struct process process;
    cpu_set_t      here;
    bool           is_good;

    CPU_ZERO(&here);
    CPU_SET((unsigned)sched_getcpu(), &here);
    (void)sched_setaffinity(0, sizeof(here), &here);
    if (process_fork(&process)) {
        stepper_offer();
        STEPPER_MARK();
        _exit(0);
    }
    is_good = await_trap(&process) && is_at_mark(&process);
    process_kill(&process);
    return is_good;
}

void stepper_offer(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(5);
}

static bool go_to_mark(struct process *process)
{
    if (!await_trap(process))
        return false;
    (void)trace(PTRACE_SETOPTIONS, process, 0, PTRACE_O_EXITKILL);
    return true;
}

static bool add_place(struct stepper_path *path, uint64_t place)
{
    if (path->count == path->capacity) {
        uint32_t capacity = path->capacity == 0 ? 4096 : 2 * path->capacity;
        void    *places = realloc(path->places, capacity * sizeof(*path->places));
        if (places == NULL || capacity > PATH_MAX_COUNT)
            return false;
        path->places = places;
        path->capacity = capacity;
    }
    path->places[path->count++] = place;
    return true;
}

static const struct stepper_path *sorted_path;

static int compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t at_x = sorted_path->places[x], at_y = sorted_path->places[y];

    if (at_x != at_y)
        return at_x < at_y ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool count_passings(struct stepper_path *path)
{
    uint32_t *order = malloc(path->count * sizeof(*order));

    path->passings = malloc(path->count * sizeof(*path->passings));
    if (order == NULL || path->passings == NULL) {
        free(order);
        return false;
    }
    for (uint32_t i = 0; i < path->count; i++)
        order[i] = i;
    sorted_path = path;
    qsort(order, path->count, sizeof(*order), compare_places);
    for (uint32_t i = 0; i < path->count; i++) {
        bool is_again = i > 0 && path->places[order[i - 1]] == path->places[order[i]];
        path->passings[order[i]] = is_again ? path->passings[order[i - 1]] + 1 : 1;
    }
    free(order);
    return true;
}

/* The quickest way to each instruction: a breakpoint at a place of ours, and steps. */
static bool find_waypoints(struct stepper_path *path)
{
    uint32_t cost = 0, last = 0;

    path->waypoints = malloc(path->count * sizeof(*path->waypoints));
    if (path->waypoints == NULL || !count_passings(path))
        return false;
    for (uint32_t i = 0; i < path->count; i++) {
        uint64_t place = path->places[i];
        bool     is_ours = place >= (uintptr_t)&__executable_start && place < (uintptr_t)&etext;
        if (is_ours && path->passings[i] <= cost / PASSING_COST) {
            cost = path->passings[i] * PASSING_COST;
            last = i;
        }
        path->waypoints[i] = last;
        cost++;
    }
    return true;
}

bool stepper_survey(struct process *process, struct stepper_path *path)
{
    bool is_over = false;

    if (!go_to_mark(process))
        return false;
    while (!is_over) {
        if (!add_place(path, place_of(process)) || !step_once(process))
            return false;
        is_over = is_at_mark(process);
    }
    path->count--; /* the mark itself */
    return find_waypoints(path);
}

uint32_t stepper_first_at(const struct stepper_path *path, uint32_t step)
{
    uint32_t i = 0;

    while (path->places[i] != path->places[step])
        i++;
    return i;
}

uint32_t stepper_last_at(const struct stepper_path *path, uint32_t step)
{
    uint32_t i = path->count - 1;

    while (path->places[i] != path->places[step])
        i--;
    return i;
}

void stepper_free(struct stepper_path *path)
{
    free(path->places);
    free(path->passings);
    free(path->waypoints);
    path->places = NULL;
    path->passings = NULL;
    path->waypoints = NULL;
    path->count = 0;
    path->capacity = 0;
}

/* Runs to the next passing of a place where it does not stand now.  False: it never came there. */
static bool run_to(struct process *process, uint64_t place)
{
    long word, broken;
    bool is_there;

    errno = 0;
    word = trace(PTRACE_PEEKTEXT, process, place, 0);
    broken = (long)(((uint64_t)word & ~UINT64_C(0xff)) | 0xcc);
    if (errno != 0 || trace(PTRACE_POKETEXT, process, place, (uint64_t)broken) != 0 ||
        trace(PTRACE_CONT, process, 0, 0) != 0 || !await_trap(process))
        return false;
    (void)trace(PTRACE_POKETEXT, process, place, (uint64_t)word);
    is_there = place_of(process) == place + 1;
    if (is_there)
        (void)trace(PTRACE_POKEUSER, process, RIP_OFF, place);
    return is_there;
}

static bool run_to_passing(struct process *process, uint64_t place, uint32_t passings)
{
    for (uint32_t i = 0; i < passings; i++)
        if ((i > 0 && !step_once(process)) || !run_to(process, place))
            return false;
    return true;
}

enum stepper_stop stepper_step(struct process *process, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        if (!step_once(process))
            return STEPPER_ENDED;
        if (is_at_mark(process))
            return STEPPER_OVER;
    }
    return STEPPER_THERE;
}

enum stepper_stop stepper_go(struct process *process, const struct stepper_path *path,
                             uint32_t step)
{
    uint32_t          at = step < path->count ? path->waypoints[step] : 0;
    enum stepper_stop stop;

    if (!go_to_mark(process))
        return STEPPER_ENDED;
    if (step >= path->count) {
        if (trace(PTRACE_CONT, process, 0, 0) != 0 || !await_trap(process))
            return STEPPER_ENDED;
        return STEPPER_OVER;
    }
    if (at != 0 && !run_to_passing(process, path->places[at], path->passings[at]))
        return process->is_running ? STEPPER_OVER : STEPPER_ENDED;
    stop = stepper_step(process, step - at);
    if (stop != STEPPER_THERE)
        return stop;
    return place_of(process) == path->places[step] ? STEPPER_THERE : STEPPER_ELSEWHERE;
}

#else
typedef int stepper_linux_is_not_this_system;
#endif
