/*
 * faults.h - what happens to this process when it comes by a fault point (src/fault.h).
 *
 * One plan at a time: at the n-th time that it comes by the point.  The report lies in the scratch,
 * so that others read it when the process is gone.  Only for programs that link gyre_faults.
 */
#ifndef GYRE_TESTS_FAULTS_H
#define GYRE_TESTS_FAULTS_H

#include <stdint.h>

enum fault_action {
    FAULT_KILL,        /* as process_kill_self */
    FAULT_KILL_LATER,  /* some moments later, when it has gone on, or asleep */
    FAULT_STOP,        /* SIGSTOP; Linux */
    FAULT_EXIT_THREAD, /* the thread ends, the process does not */
    FAULT_SLEEP,       /* for some moments, this time and each later time */
    FAULT_FAIL         /* what comes next fails */
};

struct fault_plan {
    uint64_t point; /* enum gyre__fault */
    uint64_t nth;   /* 1: the first time; 0: never */
    uint64_t action;
};

struct fault_report {
    uint64_t seen;   /* how often it came by */
    uint64_t struck; /* 1: it has happened */
    uint64_t ns;     /* when */
};

/* From now on, in this process. */
void faults_arm(const struct fault_plan *plan, struct fault_report *report);

const char *faults_name(uint32_t point);

#endif
