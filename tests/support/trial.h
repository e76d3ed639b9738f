/*
 * trial.h - test programs of several processes: trials, roles, and one line for each result.
 *
 * Without arguments a program runs its trials, each with a new ring's name and a scratch of zeros,
 * and prints `ok - name` or `not ok - name: why`; arguments choose trials by name.  A trial starts
 * roles, which are functions of the same program in other processes.  Whatever a trial leaves
 * running is killed after it.
 */
#ifndef GYRE_TESTS_TRIAL_H
#define GYRE_TESTS_TRIAL_H

#include <stdint.h>
#include <stdio.h>

#include <gyre/gyre.h>

#include "process.h"

struct trial {
    const char *name;
    void (*run)(void);
};

struct role {
    const char *name;
    int (*run)(uint32_t argument);
};

int trial_main(int argc, char **argv, const struct trial *trials, uint32_t trial_count,
               const struct role *roles, uint32_t role_count);

#define TRIAL_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* The name of this trial's ring, in every process of the trial; and of a second one. */
const char *trial_ring(void);
const char *trial_other_ring(void);

/* What the processes of a trial share, behind what trial.c keeps there. */
void *trial_stage(void);
#define TRIAL_STAGE_SIZE (PROCESS_SCRATCH_SIZE - 4096u)

/* What a ring may take that is under way: the library of every trial waits so long for it. */
#define TRIAL_RING_GRACE_NS UINT64_C(10000000)

/* How often to repeat: on Linux, on Windows; ten times that with GYRE_LONG=1. */
uint32_t trial_rounds(uint32_t on_linux, uint32_t on_windows);
#ifdef _WIN32
#define TRIAL_IS_WINDOWS 1
#else
#define TRIAL_IS_WINDOWS 0
#endif

#ifdef __MINGW_PRINTF_FORMAT
#define TRIAL_FORMAT __MINGW_PRINTF_FORMAT
#else
#define TRIAL_FORMAT printf
#endif

/* In a fork of the trial's process: from now on it is a role of that name. */
void trial_become(const char *role);

/* Ends the trial; in a role or in another thread, the process, with exit code 2. */
__attribute__((noreturn, format(TRIAL_FORMAT, 3, 4))) void trial_fail(const char *file, int line,
                                                                      const char *format, ...);

/* A line about the trial that runs, for people. */
__attribute__((format(TRIAL_FORMAT, 1, 2))) void trial_note(const char *format, ...);

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            trial_fail(__FILE__, __LINE__, __VA_ARGS__);                                           \
    } while (0)

#define EXPECT_TRUE(condition) EXPECT(condition, "%s", #condition)

#define EXPECT_EQ(a, b)                                                                            \
    do {                                                                                           \
        uint64_t expect_a_ = (uint64_t)(a);                                                        \
        uint64_t expect_b_ = (uint64_t)(b);                                                        \
        EXPECT(expect_a_ == expect_b_, "%s is %llu, but %s is %llu", #a,                           \
               (unsigned long long)expect_a_, #b, (unsigned long long)expect_b_);                  \
    } while (0)

#define EXPECT_STATUS(call, wanted)                                                                \
    do {                                                                                           \
        enum gyre_status expect_status_ = (call);                                                  \
        EXPECT(expect_status_ == (wanted), "%s is %s, not %s", #call,                              \
               gyre_status_name(expect_status_), #wanted);                                         \
    } while (0)

/* Starts a role, or fails. */
void trial_start(struct process *process, const char *role, uint32_t argument);

/* The role ends with code 0 in good time, or the trial fails. */
void trial_finish(struct process *process);

/* The word comes to be at least `value` in good time, or the trial fails. */
void trial_await(const uint64_t *word, uint64_t value);

/* A deadline for whatever must not hang. */
uint64_t trial_patience(void);

/* The median and the largest of some times; sorts them. */
uint64_t trial_median(uint64_t *values, uint32_t count);

/* Random numbers, another stream for each seed. */
static inline uint64_t trial_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
