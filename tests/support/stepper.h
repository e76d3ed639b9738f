/*
 * stepper.h - stops a process of this program before any instruction of a stretch of its code.
 *
 * The stretch lies between two marks.  A survey runs once through it, one instruction at a time,
 * and remembers the path; later runs get to their instruction by a breakpoint at a place
 * shortly before it, and step from there.  All of them are forks of one process,
 * so the same code lies at the same addresses.  Linux on x86-64 alone; knows nothing of rings.
 */
#ifndef GYRE_TESTS_STEPPER_H
#define GYRE_TESTS_STEPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

#if defined(__linux__) && defined(__x86_64__)
#define STEPPER_EXISTS 1
#define STEPPER_MARK() __asm__ volatile("int3" ::: "memory")
#else
#define STEPPER_EXISTS 0
#define STEPPER_MARK() ((void)0)
#endif

struct stepper_path {
    uint64_t *places;    /* the address of each instruction, in the order of their execution */
    uint32_t *passings;  /* how often the path has been at that place, this time included */
    uint32_t *waypoints; /* for each the one not behind it to which a breakpoint leads */
    uint32_t  count;
    uint32_t  capacity;
};

/*
 * Before all else: from now on this process and its forks have one processor, because whoever
 * steps and whoever is stepped take turns.  False: this system lets nobody be stepped.
 */
bool stepper_begin(void);

/* In the new process, before its first mark. */
void stepper_offer(void);

/* Runs a process from its first mark to its second one.  False: it ended, or it is endless. */
bool stepper_survey(struct process *process, struct stepper_path *path);

/*
 * The first and the last step of the path at the place of that one.  Where they differ, the place
 * alone does not tell how far a process has come whose path differs before it.
 */
uint32_t stepper_first_at(const struct stepper_path *path, uint32_t step);
uint32_t stepper_last_at(const struct stepper_path *path, uint32_t step);

/* Forgets the path. */
void stepper_free(struct stepper_path *path);

enum stepper_stop {
    STEPPER_THERE,     /* it stands before the instruction that the survey found there */
    STEPPER_ELSEWHERE, /* its path is another one; it stands somewhere between the marks */
    STEPPER_OVER,      /* it stands at the second mark */
    STEPPER_ENDED      /* it is no more */
};

/* Runs a process from its first mark to its `step`-th instruction, which is yet to be executed. */
enum stepper_stop stepper_go(struct process *process, const struct stepper_path *path,
                             uint32_t step);

/* Executes so many instructions more, or all up to the second mark. */
enum stepper_stop stepper_step(struct process *process, uint32_t steps);

#endif
