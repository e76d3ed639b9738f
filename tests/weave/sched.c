/*
 * sched.c - the scheduler: whose turn it is at each step, and where each store is.
 *
 * It knows roles, steps, store buffers, sleeps and deaths.  It knows no ring, and which of the
 * possible moves is made is the explorer's business.
 */
#include "sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gyre/atomic.h>

#include "fibre.h"

#define STEPS_MAX 100000u
#define BUFFER_MAX 32u
#define OVERSLEEPS_MAX 64u
#define LONG_SLEEP_NS UINT64_C(50000000) /* shorter ones may end with data there: E12 */

struct store {
    void    *word;
    uint64_t value;
    unsigned bits;
    bool     is_release;
};

enum state { READY, SLEEPING, WAITING, RETURNED, DEAD };

struct fibre {
    void              *stack;
    enum state         state;
    struct weave_sleep sleep;
    uint64_t           slept_ns; /* when it fell asleep */
    enum sync_wake     woken;
    bool               is_woken;
    bool               is_overslept; /* its slice ended when nothing else could happen */
    unsigned           overslept_at; /* how many turns there had been */
    bool               is_registered;
    bool               is_undisturbed;
    unsigned           pauses; /* in a row */
    unsigned           store_count;
    struct store       stores[BUFFER_MAX];
    bool (*is_met)(void *context);
    void *context;
};

uint64_t           weave_now_ns;
enum weave_barrier weave_barrier;
bool               weave_is_visible_early;
bool               weave_is_weak;
bool               weave_is_talking;

static const struct weave_scenario *scenario;
static struct fibre                 fibres[WEAVE_ROLES_MAX];
static unsigned                     fibre_count;
static unsigned                     self;
static unsigned                     steps;
static unsigned                     death_count;
static unsigned                     turns;      /* how often another role went on */
static unsigned                     oversleeps; /* since a call that waits has returned */
static bool                         is_running; /* not setup, not finish */
static bool                         is_alone;   /* who overslept shows first what it has missed */
static void                        *main_stack;
static jmp_buf                      main_jump;
static char                         failure[512];
static char                         word_name[64];

/* --- memory ----------------------------------------------------------------------------------- */

#define REGION_SIZE (128u * 1024u)
#define REGION_WORDS (REGION_SIZE / 8u)

#define LEARNT_MAX 4096u

/* One region a role, so that addresses do not depend on the order of steps. */
static unsigned char memory[WEAVE_ROLES_MAX][REGION_SIZE] __attribute__((aligned(4096)));
static size_t        memory_used[WEAVE_ROLES_MAX];
static uint8_t       readers[WEAVE_ROLES_MAX * REGION_WORDS];
static uint8_t       writers[WEAVE_ROLES_MAX * REGION_WORDS];
static bool          is_shared[WEAVE_ROLES_MAX * REGION_WORDS];
static uint32_t      learnt[LEARNT_MAX];
static unsigned      learnt_count;

void *weave_alloc_aligned(size_t size, size_t alignment)
{
    size_t begin = (memory_used[self] + alignment - 1) & ~(alignment - 1);

    if (begin + size > REGION_SIZE)
        weave_fail("the harness is out of memory for role %u", self);
    memory_used[self] = begin + size;
    return memory[self] + begin;
}

void *weave_alloc(size_t size)
{
    return weave_alloc_aligned(size, 64);
}

/* Called by the library, which is compiled with calloc and free of these names. */
void *weave_calloc(size_t count, size_t size);
void  weave_free(void *pointer);

void *weave_calloc(size_t count, size_t size)
{
    return weave_alloc(count * size);
}

void weave_free(void *pointer)
{
    (void)pointer;
}

static bool is_contended(size_t idx)
{
    unsigned users = readers[idx] | writers[idx];

    return writers[idx] != 0 && (users & (users - 1)) != 0;
}

/*
 * Notes the access.  True if some role writes this word and another one uses it, by all that was
 * known when the run began: only there does it matter who comes first.
 */
static bool touch(const void *word, bool is_write)
{
    uintptr_t offset = (uintptr_t)word - (uintptr_t)memory;
    size_t    idx = offset / 8;

    if (offset >= sizeof(memory))
        return false;
    *(is_write ? &writers[idx] : &readers[idx]) |= (uint8_t)(1u << self);
    if (!is_shared[idx] && is_contended(idx) && learnt_count < LEARNT_MAX)
        learnt[learnt_count++] = (uint32_t)idx;
    return is_shared[idx];
}

static void remember_learnt(void)
{
    while (learnt_count > 0)
        is_shared[learnt[--learnt_count]] = true;
}

bool weave_has_learnt(void)
{
    return learnt_count > 0;
}

void weave_forget_learnt(void)
{
    memset(readers, 0, sizeof(readers));
    memset(writers, 0, sizeof(writers));
    memset(is_shared, 0, sizeof(is_shared));
    learnt_count = 0;
}

/* --- the end of a run ------------------------------------------------------------------------- */

void weave_say(const char *format, ...)
{
    va_list arguments;

    if (!weave_is_talking)
        return;
    printf("# %5u %-10s ", steps, is_running ? scenario->roles[self].name : "setup");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void weave_fail(const char *format, ...)
{
    va_list arguments;
    int     length;

    length = snprintf(failure, sizeof(failure),
                      "%s: ", is_running ? scenario->roles[self].name : "setup or finish");
    va_start(arguments, format);
    (void)vsnprintf(failure + length, sizeof(failure) - (size_t)length, format, arguments);
    va_end(arguments);
    if (is_running) {
        void *here;
        weave_switch(&here, main_stack);
    }
    longjmp(main_jump, 1);
}

const char *weave_failure(void)
{
    return failure;
}

unsigned weave_steps(void)
{
    return steps;
}

unsigned weave_self(void)
{
    return self;
}

void weave_act_as(unsigned role)
{
    self = role;
}

bool weave_is_dead(unsigned role)
{
    return fibres[role].state == DEAD;
}

bool weave_is_gone(unsigned role)
{
    return fibres[role].state == DEAD || fibres[role].state == RETURNED;
}

bool weave_had_deaths(void)
{
    return death_count != 0;
}

/* --- store buffers ---------------------------------------------------------------------------- */

static void commit(const struct store *store)
{
    if (store->bits == 32) {
        uint32_t value = (uint32_t)store->value;
        memcpy(store->word, &value, sizeof(value));
    } else {
        memcpy(store->word, &store->value, sizeof(store->value));
    }
}

static void drain_entry(unsigned role, unsigned entry)
{
    struct fibre *fibre = &fibres[role];

    if (weave_is_talking)
        weave_say("  .. %s's store to %s reaches memory", scenario->roles[role].name,
                  weave_name_of(fibre->stores[entry].word));
    commit(&fibre->stores[entry]);
    fibre->store_count--;
    memmove(&fibre->stores[entry], &fibre->stores[entry + 1],
            (fibre->store_count - entry) * sizeof(fibre->stores[0]));
}

static void drain(unsigned role)
{
    while (fibres[role].store_count > 0)
        drain_entry(role, 0);
}

void weave_drain_all(bool only_registered)
{
    for (unsigned i = 0; i < fibre_count; i++)
        if (!only_registered || fibres[i].is_registered)
            drain(i);
}

void weave_register(void)
{
    fibres[self].is_registered = true;
}

/* True if the store may leave the buffer: the oldest, or on a weak machine one that overtakes. */
static bool may_drain(const struct fibre *fibre, unsigned entry)
{
    if (entry == 0)
        return true;
    if (!weave_is_weak || fibre->stores[entry].is_release)
        return false;
    for (unsigned i = 0; i < entry; i++)
        if (fibre->stores[i].word == fibre->stores[entry].word)
            return false;
    return true;
}

/* --- moves ------------------------------------------------------------------------------------ */

static bool is_enabled(unsigned role)
{
    struct fibre *fibre = &fibres[role];

    switch (fibre->state) {
    case READY:
        return true;
    case SLEEPING:
        return fibre->is_woken;
    case WAITING:
        return fibre->is_met(fibre->context);
    case RETURNED:
    case DEAD:
        break;
    }
    return false;
}

static bool is_peer_gone(const struct fibre *fibre)
{
    return fibre->sleep.peer_role != SYNC_ROLE_NONE &&
           weave_lease_is_free(fibre->sleep.site, fibre->sleep.peer_role);
}

struct options {
    struct weave_option list[WEAVE_OPTIONS_MAX];
    unsigned            count;
};

static void add_option(struct options *options, enum weave_move move, unsigned role, unsigned entry,
                       bool is_free)
{
    if (options->count < WEAVE_OPTIONS_MAX)
        options->list[options->count++] =
            (struct weave_option){(char)move, (uint8_t)role, (uint16_t)entry, is_free};
}

/* All that may happen now, beginning with the roles behind `self`. */
static void list_options(struct options *options, bool may_go)
{
    options->count = 0;
    if (may_go)
        add_option(options, WEAVE_GO, self, 0, true);
    for (unsigned n = 1; n <= fibre_count; n++) {
        unsigned i = (self + n) % fibre_count;
        if (is_enabled(i) && !(may_go && i == self))
            add_option(options, WEAVE_SWITCH, i, 0, !may_go);
    }
    if (options->count == 0)
        return; /* nothing but time goes on */
    for (unsigned i = 0; i < fibre_count; i++)
        for (unsigned entry = 0; entry < fibres[i].store_count; entry++)
            if (may_drain(&fibres[i], entry))
                add_option(options, WEAVE_DRAIN, i, entry, false);
    for (unsigned i = 0; i < fibre_count; i++) {
        if (scenario->roles[i].may_die && !weave_is_gone(i))
            add_option(options, WEAVE_KILL, i, 0, false);
        if (fibres[i].state == SLEEPING && !fibres[i].is_woken &&
            (fibres[i].sleep.deadline_ns != UINT64_MAX || is_peer_gone(&fibres[i])))
            add_option(options, WEAVE_TIMEOUT, i, 0, false);
    }
}

static void wake(unsigned role, enum sync_wake woken)
{
    if (woken == SYNC_RUNG)
        fibres[role].is_overslept = false;
    fibres[role].is_woken = true;
    fibres[role].woken = woken;
}

static void kill_role(unsigned role)
{
    weave_say("  .. %s dies", scenario->roles[role].name);
    drain(role); /* what it has executed happens */
    fibres[role].state = DEAD;
    death_count++;
    weave_sites_bury(role);
}

static void go_to(unsigned role)
{
    unsigned from = self;

    fibres[role].state = READY;
    if (role == from)
        return;
    self = role;
    turns++;
    weave_switch(&fibres[from].stack, fibres[role].stack);
}

/* True if `self` runs on: it was told to, or it was its turn again. */
static bool make_move(const struct weave_option *option)
{
    switch ((enum weave_move)option->move) {
    case WEAVE_GO:
    case WEAVE_HOLD:
        return true;
    case WEAVE_SWITCH:
        go_to(option->role);
        return true;
    case WEAVE_DRAIN:
        drain_entry(option->role, option->entry);
        break;
    case WEAVE_KILL:
        kill_role(option->role);
        break;
    case WEAVE_TIMEOUT:
        weave_say("  .. the slice of %s ends early", scenario->roles[option->role].name);
        fibres[option->role].is_overslept = false;
        wake(option->role, is_peer_gone(&fibres[option->role]) ? SYNC_PEER_GONE : SYNC_TIMED_OUT);
        break;
    }
    return false;
}

/*
 * Nobody can move, and no store is under way: a slice ends, or the system finds that a peer died.
 * Whoever finds now what it was waiting for should have been woken, so nobody disturbs it.
 */
static void let_time_pass(void)
{
    unsigned next = WEAVE_ROLES_MAX;

    for (unsigned i = 0; i < fibre_count; i++) {
        if (fibres[i].state != SLEEPING)
            continue;
        if (next == WEAVE_ROLES_MAX || fibres[i].sleep.deadline_ns < fibres[next].sleep.deadline_ns)
            next = i;
        if (is_peer_gone(&fibres[i])) {
            next = i;
            break;
        }
    }
    if (next == WEAVE_ROLES_MAX) {
        for (unsigned i = 0; i < fibre_count; i++)
            if (!weave_is_gone(i))
                weave_fail("deadlock: %s waits for ever", scenario->roles[i].name);
        weave_switch(&fibres[self].stack, main_stack); /* all have returned */
    }
    if (is_peer_gone(&fibres[next])) {
        wake(next, SYNC_PEER_GONE);
    } else if (fibres[next].sleep.deadline_ns == UINT64_MAX) {
        weave_fail("deadlock: %s sleeps for ever", scenario->roles[next].name);
    } else {
        if (weave_now_ns < fibres[next].sleep.deadline_ns)
            weave_now_ns = fibres[next].sleep.deadline_ns;
        wake(next, SYNC_TIMED_OUT);
    }
    if (!fibres[next].sleep.is_timer) {
        uint64_t slice_ns = fibres[next].sleep.deadline_ns - fibres[next].slept_ns;
        is_alone = true;
        /* A second, shorter sleep of one that overslept, with nobody in between, hides nothing. */
        fibres[next].is_overslept =
            slice_ns >= LONG_SLEEP_NS || weave_barrier == WEAVE_BARRIER_MISSING ||
            (fibres[next].is_overslept && fibres[next].overslept_at == turns);
        fibres[next].overslept_at = next == self ? turns : turns + 1;
    }
    if (++oversleeps > OVERSLEEPS_MAX)
        weave_fail("nobody gets on: %u slices have ended in vain", oversleeps);
}

/* Somebody else's turn.  Returns when `self` runs again, if ever. */
static void give_way(void)
{
    unsigned me = self;

    for (;;) {
        struct options options;
        unsigned       pick = 0;
        list_options(&options, false);
        if (options.count == 0) {
            bool is_drained = true;
            for (unsigned i = 0; i < fibre_count; i++)
                is_drained = is_drained && fibres[i].store_count == 0;
            if (is_drained)
                let_time_pass();
            else
                weave_drain_all(false);
            continue;
        }
        if (options.count > 1 && !is_alone)
            pick = weave_choose(options.list, options.count, steps);
        if (make_move(&options.list[pick]) && fibres[me].state == READY)
            return;
    }
}

/* Before a step: others may come first. */
static void point(bool matters)
{
    if (!is_running)
        return;
    if (++steps > STEPS_MAX)
        weave_fail("does not end");
    if (fibres[self].is_undisturbed || is_alone || !matters)
        return;
    for (;;) {
        struct options options;
        unsigned       pick = 0;
        list_options(&options, true);
        if (options.count > 1)
            pick = weave_choose(options.list, options.count, steps);
        if (make_move(&options.list[pick]))
            return;
        if (fibres[self].state == DEAD)
            give_way();
    }
}

/* --- the verbs of atomic.h -------------------------------------------------------------------- */

static uint64_t read_word(const void *word, unsigned bits)
{
    uint64_t wide = 0;

    memcpy(&wide, word, bits / 8);
    return wide;
}

uint64_t gyre_weave_load(const void *word, unsigned bits, int is_acquire)
{
    struct fibre *fibre = &fibres[self];
    uint64_t      value;

    if (!is_running)
        return read_word(word, bits);
    point(touch(word, false));
    fibre->pauses = 0;
    value = read_word(word, bits);
    for (unsigned i = fibre->store_count; i > 0; i--)
        if (fibre->stores[i - 1].word == word) {
            value = fibre->stores[i - 1].value;
            break;
        }
    if (weave_is_talking)
        weave_say("load%s %s: 0x%llx", is_acquire ? ".acquire" : "", weave_name_of(word),
                  (unsigned long long)value);
    return value;
}

/* True if the store stays in its buffer, behind those that are there or by choice. */
static bool is_held(struct fibre *fibre, bool matters)
{
    static const struct weave_option list[2] = {{WEAVE_GO, 0, 0, true}, {WEAVE_HOLD, 0, 0, false}};

    if (fibres[self].is_undisturbed || is_alone)
        return false;
    if (fibre->store_count == BUFFER_MAX)
        drain_entry(self, 0);
    if (fibre->store_count > 0)
        return true;
    return matters && weave_choose(list, 2, steps) == 1;
}

void gyre_weave_store(void *word, unsigned bits, uint64_t value, int is_release)
{
    struct fibre *fibre = &fibres[self];
    struct store  store = {word, value, bits, is_release != 0};
    bool          matters, stays;

    if (!is_running) {
        commit(&store);
        return;
    }
    matters = touch(word, true);
    point(matters);
    fibre->pauses = 0;
    stays = is_held(fibre, matters);
    if (weave_is_talking)
        weave_say("store%s %s = 0x%llx%s", is_release ? ".release" : "", weave_name_of(word),
                  (unsigned long long)value, stays ? ", in the buffer" : "");
    if (stays)
        fibre->stores[fibre->store_count++] = store;
    else
        commit(&store);
    /* Plain stores may follow, which are no steps: a map's before its magic. */
    if (is_release && weave_is_visible_early)
        point(matters);
}

/* A locked instruction: what is in the buffer comes first. */
static void before_locked(const void *word, const char *verb)
{
    bool matters;

    if (!is_running)
        return;
    matters = touch(word, true);
    point(matters || fibres[self].store_count > 0);
    fibres[self].pauses = 0;
    drain(self);
    if (weave_is_talking) {
        (void)snprintf(word_name, sizeof(word_name), "%s", weave_name_of(word));
        weave_say("%s %s", verb, word_name);
    }
}

uint64_t gyre_weave_exchange(void *word, unsigned bits, uint64_t value)
{
    struct store store = {word, value, bits, true};
    uint64_t     was;

    before_locked(word, "exchange");
    was = read_word(word, bits);
    commit(&store);
    return was;
}

uint64_t gyre_weave_compare_exchange(uint64_t *word, uint64_t expected, uint64_t desired)
{
    uint64_t was;

    before_locked(word, "compare_exchange");
    was = *word;
    if (was == expected)
        *word = desired;
    return was;
}

uint32_t gyre_weave_compare_exchange_32(uint32_t *word, uint32_t expected, uint32_t desired)
{
    uint32_t was;

    before_locked(word, "compare_exchange");
    was = *word;
    if (was == expected)
        *word = desired;
    return was;
}

int gyre_weave_compare_exchange_pair(uint64_t pair[2], const uint64_t expected[2],
                                     const uint64_t desired[2])
{
    before_locked(pair, "compare_exchange_pair");
    if (pair[0] != expected[0] || pair[1] != expected[1])
        return 0;
    pair[0] = desired[0];
    pair[1] = desired[1];
    return 1;
}

uint64_t gyre_weave_update(uint64_t *word, uint64_t kept, uint64_t added)
{
    before_locked(word, kept == UINT64_MAX ? "or" : "and");
    *word = (*word & kept) | added;
    return *word;
}

void gyre_weave_fence(int is_full)
{
    if (!is_running || !is_full)
        return;
    point(fibres[self].store_count > 0);
    drain(self);
    weave_say("fence");
}

/* sleep.c: after 64 pauses, some 2 us, no store is in a buffer any more, by all that is known. */
void gyre_weave_pause(void)
{
    if (is_running && ++fibres[self].pauses == 64)
        weave_drain_all(false);
}

/* --- the operating system --------------------------------------------------------------------- */

void weave_system_call(const char *name)
{
    if (!is_running)
        return;
    point(true);
    drain(self);
    weave_say("%s", name);
}

enum sync_wake weave_sleep(const struct weave_sleep *sleep)
{
    struct fibre *fibre = &fibres[self];

    for (uint32_t i = 0; i < sleep->bell_count; i++)
        if (*sleep->bells[i]->word != 0)
            return SYNC_RUNG;
    if (sleep->deadline_ns <= weave_now_ns)
        return SYNC_TIMED_OUT;
    if (!is_running)
        weave_fail("setup or finish would sleep");
    is_alone = false;
    fibre->sleep = *sleep;
    fibre->slept_ns = weave_now_ns;
    fibre->is_woken = false;
    fibre->state = SLEEPING;
    weave_say("sleeps");
    give_way();
    weave_say("woken: %s", fibre->woken == SYNC_RUNG        ? "rung"
                           : fibre->woken == SYNC_TIMED_OUT ? "time"
                                                            : "peer gone");
    return fibre->woken;
}

void weave_ring(const uint32_t *word)
{
    for (unsigned i = 0; i < fibre_count; i++) {
        if (fibres[i].state != SLEEPING || fibres[i].is_woken)
            continue;
        for (uint32_t n = 0; n < fibres[i].sleep.bell_count; n++)
            if (fibres[i].sleep.bells[n]->word == word) {
                wake(i, SYNC_RUNG);
                return;
            }
    }
}

void weave_end_wait(bool has_found)
{
    struct fibre *fibre = &fibres[self];

    if (fibre->is_overslept && has_found && death_count == 0)
        weave_fail("a missed wake-up: a slice ended, and what it waited for was there before");
    fibre->is_overslept = false;
    is_alone = false;
    oversleeps = 0;
}

void weave_block_until(bool (*is_met)(void *context), void *context)
{
    if (!is_running || is_met(context))
        return;
    drain(self);
    is_alone = false;
    fibres[self].is_met = is_met;
    fibres[self].context = context;
    fibres[self].state = WAITING;
    weave_say("waits");
    give_way();
}

void weave_undisturbed(bool is_on)
{
    if (is_on && is_running)
        drain(self);
    fibres[self].is_undisturbed = is_on;
}

/* --- one run ---------------------------------------------------------------------------------- */

static void enter(void)
{
    scenario->roles[self].run();
    fibres[self].state = RETURNED;
    is_alone = false;
    oversleeps = 0;
    weave_say("returns");
    give_way();
}

static void begin(const struct weave_scenario *it)
{
    scenario = it;
    remember_learnt();
    failure[0] = '\0';
    for (unsigned i = 0; i < WEAVE_ROLES_MAX; i++) {
        memset(memory[i], 0, memory_used[i]);
        memory_used[i] = 0;
        memset(&fibres[i], 0, offsetof(struct fibre, stores));
    }
    for (fibre_count = 0; fibre_count < WEAVE_ROLES_MAX && it->roles[fibre_count].run != NULL;)
        fibre_count++;
    for (unsigned i = 0; i < fibre_count; i++)
        fibres[i].stack = weave_stack_begin(i, enter);
    self = 0;
    steps = 0;
    turns = 0;
    death_count = 0;
    oversleeps = 0;
    is_alone = false;
    is_running = false;
    weave_now_ns = UINT64_C(1000000000);
    weave_barrier = it->barrier;
    weave_is_visible_early = it->is_visible_early;
    weave_sites_reset();
    weave_names_reset();
    weave_ring_reset();
}

/* As give_way, but from no role: who is the first is a choice as well. */
static void start(void)
{
    struct options options;
    unsigned       pick;

    self = fibre_count - 1; /* so that role 0 is the default */
    is_running = true;
    do {
        list_options(&options, false);
        pick = options.count > 1 ? weave_choose(options.list, options.count, steps) : 0;
        if (options.list[pick].move == WEAVE_SWITCH)
            break;
    } while (!make_move(&options.list[pick]));
    self = options.list[pick].role;
    weave_switch(&main_stack, fibres[self].stack);
}

bool weave_run(const struct weave_scenario *it)
{
    begin(it);
    if (setjmp(main_jump) != 0)
        return false;
    if (it->setup != NULL)
        it->setup();
    start();
    is_running = false;
    if (failure[0] != '\0')
        return false;
    self = 0;
    if (it->finish != NULL)
        it->finish();
    return true;
}
