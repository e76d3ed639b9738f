/*
 * faults.c - see faults.h.
 */
#include "faults.h"

#ifdef GYRE_FAULTS

#include <stddef.h>

#include <gyre/atomic.h>
#include <gyre/gyre.h>

#include "process.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <pthread.h>
#include <signal.h>
#endif

int (*gyre__fault_hook)(enum gyre__fault point);

static struct fault_plan     planned;
static struct fault_report  *told;
static struct process_thread killer;
static const char *const     names[GYRE__FAULT_COUNT] = {
#define FAULT_NAME(name) #name,
    GYRE_FAULT_POINTS(FAULT_NAME)};

const char *faults_name(uint32_t point)
{
    return point < GYRE__FAULT_COUNT ? names[point] : "none";
}

static void tell(void)
{
    gyre_store_release_64(&told->ns, gyre_now_ns());
    gyre_store_release_64(&told->struck, 1);
}

static void kill_soon(void *unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++)
        process_nap();
    tell();
    process_kill_self();
}

static void exit_thread(void)
{
#ifdef _WIN32
    ExitThread(0);
#else
    pthread_exit(NULL);
#endif
}

static void stop(void)
{
#ifndef _WIN32
    (void)raise(SIGSTOP);
#endif
}

static int strike(void)
{
    switch ((enum fault_action)planned.action) {
    case FAULT_KILL:
        tell();
        process_kill_self();
        break;
    case FAULT_KILL_LATER:
        process_thread_start(&killer, kill_soon, NULL);
        break;
    case FAULT_STOP:
        tell();
        stop();
        break;
    case FAULT_EXIT_THREAD:
        tell();
        exit_thread();
        break;
    case FAULT_SLEEP:
        tell();
        process_nap();
        break;
    case FAULT_FAIL:
        tell();
        return 1;
    }
    return 0;
}

static int come_by(enum gyre__fault point)
{
    uint64_t seen;

    if (point != planned.point || planned.nth == 0)
        return 0;
    seen = gyre_load_relaxed_64(&told->seen) + 1;
    gyre_store_relaxed_64(&told->seen, seen);
    if (seen == planned.nth || (seen > planned.nth && planned.action == FAULT_SLEEP))
        return strike();
    return 0;
}

void faults_arm(const struct fault_plan *plan, struct fault_report *report)
{
    planned = *plan;
    told = report;
    gyre__fault_hook = come_by;
}

#else
typedef int faults_are_not_in_this_build;
#endif
