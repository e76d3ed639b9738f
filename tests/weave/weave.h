/*
 * weave.h - what a scenario is, and what its roles may ask of the scheduler.
 *
 * Roles are fibres of one thread.  Each stands for a process: it owns leases, has a store buffer,
 * may die.  All of them run the real src/ and the real inline functions; README.md has the rest.
 */
#ifndef GYRE_TESTS_WEAVE_H
#define GYRE_TESTS_WEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEAVE_ROLES_MAX 6u

enum weave_barrier {
    WEAVE_BARRIER_WORKS,   /* Linux: it reaches every process that registered */
    WEAVE_BARRIER_REFUSED, /* Linux in a sandbox: neither registered nor called */
    WEAVE_BARRIER_MISSING  /* Windows: sleeps are cut into slices */
};

struct weave_role {
    const char *name;
    void (*run)(void);
    bool may_die; /* the scheduler may kill it at any step */
};

/* The bounds of the exhaustive search: how often a run departs from the scheduler's default. */
struct weave_bounds {
    unsigned preemptions; /* another role runs, or a store leaves its buffer, though none had to */
    unsigned holds;       /* a store stays in its buffer, and all later ones behind it */
    unsigned deaths;
    unsigned timeouts; /* a slice ends early */
};

struct weave_scenario {
    const char *name;
    const char *edges;    /* the rows of fast.h it is about */
    void (*setup)(void);  /* as role 0 unless it says otherwise; nobody interrupts it */
    void (*finish)(void); /* looks at the result; may be NULL */
    struct weave_role   roles[WEAVE_ROLES_MAX];
    struct weave_bounds bounds;
    unsigned            random_runs; /* besides; the bounds do not count for them but deaths */
    bool                is_random_only;
    enum weave_barrier  barrier;
    bool                is_visible_early; /* a map has its name before it is complete: Windows */
};

/* Ends the run as failed; does not return. */
_Noreturn void weave_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define WEAVE_CHECK(condition)                                                                     \
    ((condition) ? (void)0 : weave_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition))

/* The role that runs: an index into roles. */
unsigned weave_self(void);

/* In setup: what is opened from now on belongs to that role. */
void weave_act_as(unsigned role);

/*
 * While it is on, nobody else runs between the steps of this role, unless it waits, and no store is
 * held.  For what a run is not about.
 */
void weave_undisturbed(bool is_on);

/* Lets others run until the condition holds. */
void weave_block_until(bool (*is_met)(void *context), void *context);

bool weave_is_dead(unsigned role);
bool weave_is_gone(unsigned role); /* dead, or its function returned */
bool weave_had_deaths(void);

/*
 * A call that waits has returned.  Fails if it was its slice that ended the sleep although what it
 * was waiting for had been there before: a missed wake-up.
 */
void weave_end_wait(bool has_found);

/* Zeroed memory that is gone with the run.  The library gets its own from here as well. */
void *weave_alloc(size_t size);

#endif
