/*
 * sched.h - what the scheduler, the explorer and the operating system of tests/weave share.
 */
#ifndef GYRE_TESTS_WEAVE_SCHED_H
#define GYRE_TESTS_WEAVE_SCHED_H

#include "sync.h"
#include "weave.h"

/* What may happen next.  The first option of a choice is the default, which costs nothing. */
enum weave_move {
    WEAVE_GO = 'g',      /* go on, or a store goes straight to memory */
    WEAVE_SWITCH = 's',  /* another role runs from here */
    WEAVE_DRAIN = 'd',   /* the oldest store in a role's buffer reaches memory */
    WEAVE_HOLD = 'h',    /* the store stays in its buffer */
    WEAVE_KILL = 'k',    /* a role dies */
    WEAVE_TIMEOUT = 't', /* a role's sleep ends by its slice, early */
};

struct weave_option {
    char     move;
    uint8_t  role;
    uint16_t entry;   /* which of the buffer's stores, if they may overtake each other */
    bool     is_free; /* somebody has to move: the default is no better */
};

#define WEAVE_OPTIONS_MAX 64u

/* explore.c: which of the options it shall be.  `step` counts the steps of the run. */
unsigned weave_choose(const struct weave_option *options, unsigned count, unsigned step);

/* Runs once from the beginning.  False: it failed, weave_failure() says why. */
bool        weave_run(const struct weave_scenario *scenario);
const char *weave_failure(void);
unsigned    weave_steps(void);

/* True if the last run found a word to be shared that was not known as such when it began. */
bool weave_has_learnt(void);
void weave_forget_learnt(void);

/* Stores that are not release may overtake each other in their buffer, which x86 does not do. */
extern bool weave_is_weak;

/* Prints each step. */
extern bool weave_is_talking;
void        weave_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A step that is a system call: others may run before it, and it is a full fence of the caller. */
void weave_system_call(const char *name);
void weave_drain_all(bool only_registered);
void weave_register(void);

/* Waits of the operating system. */
struct weave_sleep {
    struct sync_bell *const *bells;
    uint32_t                 bell_count;
    struct sync_site        *site;
    uint32_t                 peer_role; /* SYNC_ROLE_NONE */
    uint64_t                 deadline_ns;
    bool                     is_timer; /* to end by its deadline is what it is for */
};
enum sync_wake weave_sleep(const struct weave_sleep *sleep);
void           weave_ring(const uint32_t *word);

extern uint64_t           weave_now_ns;
extern enum weave_barrier weave_barrier;
extern bool               weave_is_visible_early;

/* sync_site.c */
void weave_sites_reset(void);
void weave_sites_bury(unsigned role);
bool weave_lease_is_free(const struct sync_site *site, uint32_t role); /* no step */

/* ring_reset.c: the library's list of open rings, of which a dead role's are never taken out. */
void weave_ring_reset(void);

/* names.c */
void        weave_name_map(const void *base, size_t size, bool is_data);
void        weave_names_reset(void);
const char *weave_name_of(const void *word);

void *weave_alloc_aligned(size_t size, size_t alignment);

#endif
