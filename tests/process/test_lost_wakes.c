/*
 * test_lost_wakes.c - the hunt for lost wake-ups, over every form of waiting.
 *
 * Two processes: the sleeper, consumer or producer, says that it is about to wait and waits; the
 * caller hears of it and then publishes, or frees room, at a moment that moves over all phases of
 * falling asleep: aimed at the edge between "it saw it" and "it slept", at random around it, and
 * after gaps in which slices end.  A sleep that only its slice ended although there was something
 * is a lost wake-up.  The library counts those of its own waits, for consumers in the seat and for
 * producers in the handle; for event loops this test counts.  None is allowed, but where the caller
 * was stopped between its store and its ring until the slice ended: then its call returns after the
 * sleeper woke, and not a slice before.  Nor, on Windows, which has no remote barrier, where the
 * caller's processor stood still with the store and the caller did not see the sleeper: such a
 * sleep ends with the first slice.  They are counted apart, and are few.
 *
 * The same hunt with the remote barrier taken out must find some, or it could not see any.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "pulse.h"
#include "trial.h"

#ifdef _WIN32
#include <windows.h>

#include "win32/calls.h"
#else
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define RING_MAX 130u
#define CAPACITY 4096u
#define EDGE_DELAY 3000u /* loops: time for the caller to aim */
#define LIMIT_S 1400u
#define SPIN_LOOPS 100000u
#define COLD_SIZE (64u << 20)
#define COLD_STORES 32u
#define STEP_MIN 4u
#define STEP_MAX 2048u
#define WARM_ROUNDS 300u
#define LOOP_SLICE_NS (100 * NS_PER_MS)
#define FIRST_SLICE_NS (2 * NS_PER_MS)
#define SLICE_LATE_NS (8 * NS_PER_MS) /* by which a slice may end later */
#define STALLED_ONE_IN 1000u          /* rounds: aimed at the edge behind cold stores */
#define GAP_NS ((TRIAL_IS_WINDOWS ? 40 : 3) * NS_PER_MS)

enum way { BY_WAIT, BY_RECV, BY_WAIT_ANY, BY_EVENT_LOOP, BY_WAIT_ROOM, BY_SEND };

/* Which process does without what; bits. */
enum {
    SLEEPER_REFUSES_BARRIER = 1,
    CALLER_REFUSES_BARRIER = 2,
    SLEEPER_PRETENDS_BARRIER = 4, /* what must be found */
    SLEEPER_REFUSES_WAITV = 8
};

struct form {
    enum way                way;
    uint32_t                ring_count;
    enum gyre_consumer_kind kind;
    enum gyre_wait_strategy wait;
    uint32_t                flags;
    uint32_t                without;
    bool                    is_group; /* the sleeper is a member of one */
};

struct stage {
    struct form form;
    uint64_t    is_over;
    uint64_t    pad_a[31];
    uint64_t    round; /* the sleeper is about to wait for its end */
    uint64_t    slept;
    uint64_t    missed;
    uint64_t    switches;
    uint64_t    woken_ns; /* the end of the last wait */
    uint64_t    pad_b[27];
    uint64_t    heard; /* the caller knows of that round */
    uint64_t    pad_c[31];
};

static struct stage *stage(void)
{
    return trial_stage();
}

static bool is_producer_form(void)
{
    return stage()->form.way >= BY_WAIT_ROOM;
}

static const char *ring_name(uint32_t idx)
{
    static char name[GYRE_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "%s.%u", trial_ring(), idx);
    return name;
}

static void delay(uint64_t loops)
{
    for (volatile uint64_t i = 0; i < loops; i++)
        continue;
}

/* --- what a process does without -------------------------------------------------------------- */

static uint32_t rings; /* of this process; counted on Windows */

#ifdef _WIN32

static BOOL(WINAPI *real_set_event)(HANDLE);
static BOOL(WINAPI *real_release_semaphore)(HANDLE, LONG, LPLONG);

static BOOL WINAPI count_set_event(HANDLE event)
{
    rings++;
    return real_set_event(event);
}

static BOOL WINAPI count_release_semaphore(HANDLE semaphore, LONG count, LPLONG before)
{
    rings++;
    return real_release_semaphore(semaphore, count, before);
}

/* Nothing, but from now on rings are counted. */
static void do_without(uint32_t what)
{
    (void)what;
    if (real_set_event != NULL)
        return;
    real_set_event = sync_calls.SetEvent;
    real_release_semaphore = sync_calls.ReleaseSemaphore;
    sync_calls.SetEvent = count_set_event;
    sync_calls.ReleaseSemaphore = count_release_semaphore;
}

static uint64_t context_switches(void)
{
    return 0;
}

#else

static long refuse_barrier(int command)
{
    (void)command;
    errno = EPERM;
    return -1;
}

static long pretend_barrier(int command)
{
    (void)command;
    return 0;
}

static long refuse_waitv(const struct sync_waitv *waiters, uint32_t count,
                         const struct timespec *deadline)
{
    (void)waiters, (void)count, (void)deadline;
    errno = ENOSYS;
    return -1;
}

static void do_without(uint32_t what)
{
    struct rlimit limit;

    if ((what & (SLEEPER_REFUSES_BARRIER | CALLER_REFUSES_BARRIER)) != 0)
        sync_calls.membarrier = refuse_barrier;
    if ((what & SLEEPER_PRETENDS_BARRIER) != 0)
        sync_calls.membarrier = pretend_barrier;
    if ((what & SLEEPER_REFUSES_WAITV) != 0)
        sync_calls.futex_waitv = refuse_waitv;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* some hundred rings */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The sleeps in which the processor was given up. */
static uint64_t context_switches(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_nvcsw : 0;
}

#endif

/* --- both sides ------------------------------------------------------------------------------- */

static struct gyre_producer *producers[RING_MAX];
static struct gyre_consumer *consumers[RING_MAX];

static void open_producers(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = CAPACITY;
    options.seat_count = 2;
    options.flags = stage()->form.flags;
    options.wait = is_producer_form() ? (uint32_t)stage()->form.wait : GYRE_WAIT_SLEEP;
    for (uint32_t i = 0; i < stage()->form.ring_count; i++)
        EXPECT_STATUS(gyre_producer_open(ring_name(i), &options, &producers[i], NULL), GYRE_OK);
}

static void open_consumers(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.kind = stage()->form.kind;
    options.wait = stage()->form.wait;
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = trial_patience();
    if (stage()->form.is_group)
        options.group = "sleepers";
    for (uint32_t i = 0; i < stage()->form.ring_count; i++)
        EXPECT_STATUS(gyre_consumer_open(ring_name(i), &options, &consumers[i], NULL), GYRE_OK);
}

static void close_all(void)
{
    for (uint32_t i = 0; i < stage()->form.ring_count; i++) {
        gyre_consumer_close(consumers[i]);
        gyre_producer_close(producers[i]);
        consumers[i] = NULL;
        producers[i] = NULL;
    }
}

static void release_all(struct gyre_consumer *consumer)
{
    uint32_t size;

    while (gyre_peek(consumer, &size) != NULL)
        continue;
    EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
}

/* --- the sleeper ------------------------------------------------------------------------------ */

static uint64_t loop_slept, loop_missed;

#ifdef _WIN32

static intptr_t make_loop(struct gyre_consumer *consumer)
{
    intptr_t handle = 0;

    EXPECT_STATUS(gyre_consumer_handle(consumer, &handle, NULL), GYRE_OK);
    return handle;
}

static bool loop_sleep(intptr_t loop, uint64_t until_ns)
{
    HANDLE   handles[1] = {(HANDLE)loop};
    uint64_t now_ns = gyre_now_ns();
    uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;

    return WaitForMultipleObjects(1, handles, FALSE, (DWORD)((ns + NS_PER_MS - 1) / NS_PER_MS)) ==
           WAIT_OBJECT_0;
}

#else

static intptr_t make_loop(struct gyre_consumer *consumer)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = 1}};
    intptr_t           handle = -1;
    int                loop = epoll_create1(EPOLL_CLOEXEC);

    EXPECT_STATUS(gyre_consumer_handle(consumer, &handle, NULL), GYRE_OK);
    EXPECT_TRUE(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, (int)handle, &event) == 0);
    return loop;
}

static bool loop_sleep(intptr_t loop, uint64_t until_ns)
{
    struct epoll_event event;
    uint64_t           now_ns = gyre_now_ns();
    uint64_t           ns = until_ns > now_ns ? until_ns - now_ns : 0;

    return epoll_wait((int)loop, &event, 1, (int)((ns + NS_PER_MS - 1) / NS_PER_MS)) == 1;
}

#endif

/* An event loop that does nothing but what the ring's event tells it; slices as an arm asks. */
static enum gyre_status wait_in_loop(struct gyre_consumer *consumer)
{
    static intptr_t loop;

    if (loop == 0)
        loop = make_loop(consumer);
    for (;;) {
        uint64_t         rearm_ns = GYRE_FOREVER, slice_ns;
        enum gyre_status status = gyre_consumer_arm(consumer, &rearm_ns);
        if (status != GYRE_TIMEOUT)
            return status;
        slice_ns = gyre_now_ns() + LOOP_SLICE_NS;
        loop_slept++;
        if (!loop_sleep(loop, rearm_ns < slice_ns ? rearm_ns : slice_ns) &&
            gyre__is_ready(consumer) && !loop_sleep(loop, gyre_now_ns() + TRIAL_RING_GRACE_NS))
            loop_missed++;
    }
}

static enum gyre_status wait_as_told(uint32_t *which)
{
    uint64_t deadline_ns = trial_patience();
    char     message[8];
    uint32_t size;

    *which = 0;
    switch (stage()->form.way) {
    case BY_WAIT:
        return gyre_wait(consumers[0], deadline_ns);
    case BY_RECV:
        return gyre_recv(consumers[0], message, sizeof(message), &size, deadline_ns);
    case BY_WAIT_ANY:
        return gyre_wait_any(consumers, stage()->form.ring_count, deadline_ns, which);
    case BY_EVENT_LOOP:
        return wait_in_loop(consumers[0]);
    case BY_WAIT_ROOM:
        return gyre_wait_room(producers[0], 8, deadline_ns);
    default:
        return gyre_send(producers[0], "sleeper", 8, deadline_ns);
    }
}

/* The sleeps so far and what was missed.  Every consumer of a wait_any sleeps with the first. */
static void tell_counts(void)
{
    const struct form *form = &stage()->form;
    uint64_t           slept = loop_slept, missed = loop_missed;

    if (is_producer_form()) {
        slept = producers[0]->sleep_count;
        missed = producers[0]->missed_count;
    } else {
        slept += consumers[0]->seat->sleep_count;
        for (uint32_t i = 0; i < form->ring_count; i++)
            missed += consumers[i]->seat->missed_count;
    }
    stage()->slept = slept;
    stage()->missed = missed;
}

/* From here on both run at once: a caller is long in the call that woke the sleeper. */
static void meet(uint64_t round)
{
    uint64_t deadline_ns = trial_patience();

    gyre_store_release_64(&stage()->round, round);
    for (uint32_t i = 0; gyre_load_acquire_64(&stage()->heard) != round; i++) {
        if (i < SPIN_LOOPS)
            continue;
        process_nap(); /* it does not run just now */
        EXPECT(gyre_now_ns() < deadline_ns, "the caller hangs");
    }
}

static void fill(struct gyre_producer *producer)
{
    enum gyre_status status;

    do
        status = gyre_send(producer, "message", 8, 0);
    while (status == GYRE_OK);
    EXPECT_STATUS(status, GYRE_TIMEOUT);
}

static int sleep_again_and_again(uint32_t unused)
{
    enum gyre_status status = GYRE_OK;
    uint32_t         which;
    uint64_t         switches = 0;

    (void)unused;
    do_without(stage()->form.without & ~(uint32_t)CALLER_REFUSES_BARRIER);
    if (is_producer_form()) {
        open_producers();
        EXPECT_STATUS(gyre_producer_wait_consumers(producers[0], 1, trial_patience()), GYRE_OK);
    } else {
        open_consumers();
    }
    process_limit("sleep_again_and_again", LIMIT_S);
    for (uint64_t round = 1; status == GYRE_OK; round++) {
        if (is_producer_form() && stage()->is_over == 0)
            fill(producers[0]);
        tell_counts();
        stage()->switches = switches;
        if (is_producer_form() && gyre_load_acquire_64(&stage()->is_over) != 0)
            break;
        meet(round);
        switches -= context_switches();
        delay(EDGE_DELAY);
        status = wait_as_told(&which);
        stage()->woken_ns = gyre_now_ns();
        switches += context_switches();
        if (status == GYRE_OK && !is_producer_form() && stage()->form.way != BY_RECV)
            release_all(consumers[which]);
    }
    EXPECT(status == (is_producer_form() ? GYRE_OK : GYRE_CLOSED), "a wait ended with %s",
           gyre_status_name(status));
    close_all();
    return 0;
}

/* --- the caller ------------------------------------------------------------------------------- */

static void await_round(uint64_t round)
{
    uint64_t deadline_ns = trial_patience();

    for (uint32_t i = 0; gyre_load_acquire_64(&stage()->round) < round; i++) {
        if (i < SPIN_LOOPS)
            continue;
        process_nap();
        EXPECT(gyre_now_ns() < deadline_ns, "the sleeper hangs");
    }
}

/*
 * Stores to lines that are in no cache: stores leave their buffer in order, so the one that the
 * sleeper looks for stays there for longer, as behind a large payload.
 */
static void fill_store_buffer(void)
{
    static unsigned char cold[COLD_SIZE];
    static uint64_t      random = 21;

    if (random == 21) /* its pages are there from now on */
        memset(cold, 1, sizeof(cold));

    for (uint32_t i = 0; i < COLD_STORES; i++)
        gyre_store_relaxed_64(
            (uint64_t *)(void *)&cold[trial_random(&random) % COLD_SIZE & ~UINT64_C(63)], random);
}

/* `pulse` begins with the store that the sleeper looks for. */
static void end_the_sleep(uint32_t ring_idx, struct pulse *pulse)
{
    void    *payload;
    uint32_t size;

    if (is_producer_form()) {
        while (gyre_peek(consumers[0], &size) != NULL)
            continue;
        fill_store_buffer();
        *pulse = pulse_begin();
        EXPECT_STATUS(gyre_release(consumers[0]), GYRE_OK);
        return;
    }
    payload = gyre_claim(producers[ring_idx], 8);
    if (payload == NULL) {
        *pulse = pulse_begin();
        EXPECT_STATUS(gyre_send(producers[ring_idx], "message", 8, trial_patience()), GYRE_OK);
        return;
    }
    memcpy(payload, "message", 8);
    fill_store_buffer();
    *pulse = pulse_begin();
    gyre_publish(producers[ring_idx]);
}

struct aim {
    uint64_t loops;
    uint64_t slept;
    uint64_t random;
    uint64_t round_ns;  /* when the sleeper said it */
    uint64_t called_ns; /* when the call returned that ended the last sleep */
    uint64_t missed;    /* by the library's count */
    uint64_t lost;      /* without those under way */
    uint64_t stall_ns;  /* the caller stood still for so long, in the call or just after it */
    uint64_t stalled;   /* misses because of that */
    uint64_t step;
    bool     is_aimed; /* the last round was */
    bool     is_late;  /* it slept, then */
    bool     has_rung; /* in the last call */
};

/*
 * Three of four: at the edge, sooner after each sleep and later after each that was cancelled, by
 * steps that grow while they lead the same way.  The others at random, at the ends of slices, too.
 */
static void wait_for_the_moment(struct aim *aim)
{
    uint64_t choice = trial_random(&aim->random);
    uint64_t slept = stage()->slept;
    uint64_t gap_ns = 0;

    if (aim->is_aimed) {
        bool is_late = slept != aim->slept;
        aim->step = is_late != aim->is_late ? STEP_MIN : aim->step * 2;
        aim->step = aim->step < STEP_MAX ? aim->step : STEP_MAX;
        aim->is_late = is_late;
        if (!is_late)
            aim->loops += aim->step;
        else
            aim->loops -= aim->loops > aim->step ? aim->step : aim->loops;
    }
    aim->slept = slept;
    aim->is_aimed = choice % 4 != 0;
    if (aim->is_aimed) {
        delay(aim->loops + trial_random(&aim->random) % 16);
        return;
    }
    if (choice % 64 == 0)
        gap_ns = trial_random(&aim->random) % GAP_NS;
    else
        gap_ns = trial_random(&aim->random) % (60 * NS_PER_US);
    if (!TRIAL_IS_WINDOWS && choice % 8192 == 0) /* the sleeper begins its second slice */
        gap_ns = LOOP_SLICE_NS - 20 * NS_PER_US + trial_random(&aim->random) % (300 * NS_PER_US);
    if (gap_ns > NS_PER_MS)
        sync_clock_sleep_until(aim->round_ns + gap_ns - NS_PER_MS / 2);
    while (gyre_now_ns() < aim->round_ns + gap_ns)
        continue;
}

/* With GYRE_LONG every sleep is wanted; otherwise as many as a busy machine has time for. */
static uint32_t seconds_for(uint64_t sleeps)
{
    if (sleeps == 0)
        return 180; /* a second or two, when both have a processor to themselves */
    return trial_rounds(1, 1) == 1 ? 1 : 1200;
}

/*
 * The sleeps so far: on Linux those in which the processor was given up, without those that a ring
 * cut short.
 */
static uint64_t real_sleeps(void)
{
    return TRIAL_IS_WINDOWS ? stage()->slept : stage()->switches;
}

/* The caller's processor kept the store for longer than the sleeper spins, without a fence. */
static bool is_stalled(const struct aim *aim, int64_t waited_ns)
{
    return TRIAL_IS_WINDOWS && (stage()->form.flags & GYRE_STRICT_WAKE) == 0 && !aim->has_rung &&
           aim->stall_ns >= GYRE_SETTLE_NS / 2 &&
           waited_ns < (int64_t)(FIRST_SLICE_NS + SLICE_LATE_NS + TRIAL_RING_GRACE_NS);
}

/* After a round.  In the fence mode and on Windows a slice may be as short as 1 ms. */
static void count_lost(struct aim *aim, bool is_short)
{
    uint64_t before_ns = is_short ? NS_PER_MS / 10 : LOOP_SLICE_NS / 2;
    uint64_t missed = stage()->missed, woken_ns = stage()->woken_ns;
    int64_t  waited_ns = (int64_t)(woken_ns - aim->called_ns);

    if (missed != aim->missed)
        trial_note("woken %.3f ms after the call, %.3f ms after the round began, %s; the caller "
                   "stood still for %.1f us",
                   (double)waited_ns / 1e6, (double)(int64_t)(woken_ns - aim->round_ns) / 1e6,
                   aim->is_aimed ? "aimed" : "at random", (double)aim->stall_ns / 1e3);
    if (missed != aim->missed && waited_ns > (int64_t)before_ns) {
        if (is_stalled(aim, waited_ns))
            aim->stalled += missed - aim->missed;
        else
            aim->lost += missed - aim->missed;
    }
    aim->missed = missed;
}

/* Ends the sleep and watches the clock for as long as its store may be under way. */
static void call(struct aim *aim)
{
    struct pulse pulse;
    uint32_t     before = rings;

    end_the_sleep((uint32_t)(trial_random(&aim->random) % stage()->form.ring_count), &pulse);
    aim->called_ns = pulse_beat(&pulse);
    aim->has_rung = rings != before;
    while (TRIAL_IS_WINDOWS && pulse_beat(&pulse) < aim->called_ns + GYRE_SETTLE_NS)
        continue;
    aim->stall_ns = pulse.longest_ns;
}

/* Until so many sleeps, or, with none wanted, until a miss.  Returns the misses that count. */
static uint64_t call_again_and_again(uint64_t sleeps, uint64_t *rounds)
{
    const struct form *form = &stage()->form;
    struct aim         aim = {.loops = EDGE_DELAY, .random = 11, .step = STEP_MIN};
    uint64_t           until_ns = gyre_now_ns() + seconds_for(sleeps) * NS_PER_S;
    bool is_fenced = (form->without & (SLEEPER_REFUSES_BARRIER | CALLER_REFUSES_BARRIER)) != 0;

    for (*rounds = 1;; (*rounds)++) {
        await_round(*rounds);
        count_lost(&aim, is_fenced || TRIAL_IS_WINDOWS);
        gyre_store_release_64(&stage()->heard, *rounds);
        aim.round_ns = gyre_now_ns();
        /* The first sleeps of the fence mode are short: the other side does not fence yet. */
        if (is_fenced && *rounds == WARM_ROUNDS)
            aim.lost = 0;
        if ((sleeps != 0 ? real_sleeps() >= sleeps && *rounds > WARM_ROUNDS : aim.lost != 0) ||
            aim.round_ns > until_ns)
            break;
        wait_for_the_moment(&aim);
        call(&aim);
    }
    if (aim.stalled != 0)
        trial_note("%llu stores stayed with a processor that stood still",
                   (unsigned long long)aim.stalled);
    EXPECT(aim.stalled <= 1 + *rounds / STALLED_ONE_IN, "%llu stores stayed too long",
           (unsigned long long)aim.stalled);
    return aim.lost;
}

static uint64_t hunt(const struct form *form, uint64_t sleeps)
{
    struct process sleeper;
    uint64_t       rounds, missed, began_ns;
    struct pulse   pulse;
    long           barrier_is_refused = (form->without & CALLER_REFUSES_BARRIER) != 0;
#ifndef _WIN32
    struct sync_calls real = sync_calls;
#endif

    process_limit("the hunt", LIMIT_S);
    stage()->form = *form;
    do_without(barrier_is_refused ? CALLER_REFUSES_BARRIER : 0);
    if (is_producer_form()) {
        trial_start(&sleeper, "sleep_again_and_again", 0);
        open_consumers();
    } else {
        open_producers();
        trial_start(&sleeper, "sleep_again_and_again", 0);
        for (uint32_t i = 0; form->kind == GYRE_RELIABLE && i < form->ring_count; i++)
            EXPECT_STATUS(gyre_producer_wait_consumers(producers[i], 1, trial_patience()), GYRE_OK);
    }
    began_ns = gyre_now_ns();
    missed = call_again_and_again(sleeps, &rounds);
    trial_note("%llu rounds, %llu sleeps, %llu of them gave up the processor, %llu missed, %.1f s",
               (unsigned long long)rounds, (unsigned long long)stage()->slept,
               (unsigned long long)stage()->switches, (unsigned long long)missed,
               (double)(gyre_now_ns() - began_ns) / 1e9);
    gyre_store_release_64(&stage()->is_over, 1);
    if (is_producer_form())
        end_the_sleep(0, &pulse);
    else
        close_all();
    trial_finish(&sleeper);
    close_all();
#ifndef _WIN32
    sync_calls = real;
#endif
    return missed;
}

static void expect_none(struct form form, uint32_t on_linux, uint32_t on_windows)
{
    uint64_t sleeps = trial_rounds(on_linux, on_windows);
    uint64_t missed = hunt(&form, sleeps);

    EXPECT(real_sleeps() >= (trial_rounds(1, 1) == 1 ? sleeps / 500 : sleeps), "too few sleeps");
    EXPECT(missed == 0, "%llu wake-ups were lost", (unsigned long long)missed);
}

static struct form form_of(enum way way, uint32_t ring_count)
{
    struct form form = {.way = way, .ring_count = ring_count, .wait = GYRE_WAIT_SLEEP};

    return form;
}

/* --- the forms -------------------------------------------------------------------------------- */

static void gyre_wait_loses_none(void)
{
    expect_none(form_of(BY_WAIT, 1), 30000, 700);
}

static void a_lossy_consumer_loses_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.kind = GYRE_LOSSY;
    expect_none(form, 15000, 300);
}

static void gyre_recv_loses_none(void)
{
    expect_none(form_of(BY_RECV, 1), 20000, 500);
}

static void wait_any_over_a_few_rings_loses_none(void)
{
    expect_none(form_of(BY_WAIT_ANY, 5), 20000, 500);
}

static void wait_any_over_more_than_the_system_takes_loses_none(void)
{
    expect_none(form_of(BY_WAIT_ANY, TRIAL_IS_WINDOWS ? 70 : RING_MAX), 4000, 100);
}

static void an_event_loop_loses_none(void)
{
    expect_none(form_of(BY_EVENT_LOOP, 1), 20000, 700);
}

static void a_member_of_a_group_loses_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.is_group = true;
    expect_none(form, 15000, 300);
}

static void a_member_in_an_event_loop_loses_none(void)
{
    struct form form = form_of(BY_EVENT_LOOP, 1);

    form.is_group = true;
    expect_none(form, 5000, 200);
}

static void wait_room_loses_none(void)
{
    expect_none(form_of(BY_WAIT_ROOM, 1), 25000, 700);
}

static void send_on_a_full_ring_loses_none(void)
{
    expect_none(form_of(BY_SEND, 1), 15000, 500);
}

static void a_ring_of_strict_wakes_loses_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.flags = GYRE_STRICT_WAKE;
    expect_none(form, 15000, 500);
}

static void a_consumer_that_spins_first_loses_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.wait = GYRE_WAIT_SPIN_THEN_SLEEP;
    expect_none(form, 15000, 500);
}

static void a_producer_that_spins_first_loses_none(void)
{
    struct form form = form_of(BY_SEND, 1);

    form.wait = GYRE_WAIT_SPIN_THEN_SLEEP;
    expect_none(form, 5000, 200);
}

#ifdef __linux__

static void wait_any_without_futex_waitv_loses_none(void)
{
    struct form form = form_of(BY_WAIT_ANY, 3);

    form.without = SLEEPER_REFUSES_WAITV;
    expect_none(form, 10000, 0);
}

static void a_consumer_without_membarrier_loses_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.without = SLEEPER_REFUSES_BARRIER;
    expect_none(form, 10000, 0);
}

static void an_event_loop_without_membarrier_loses_none(void)
{
    struct form form = form_of(BY_EVENT_LOOP, 1);

    form.without = SLEEPER_REFUSES_BARRIER;
    expect_none(form, 5000, 0);
}

static void a_producer_without_membarrier_is_slept_through_by_none(void)
{
    struct form form = form_of(BY_WAIT, 1);

    form.without = CALLER_REFUSES_BARRIER;
    expect_none(form, 10000, 0);
}

/* The hunt sees what it hunts. */
static void expect_some(enum way way)
{
    struct form form = form_of(way, 1);

    if (process_cpu_count() < 2) {
        trial_note("one processor: two processes never run at once, so there is no race to see");
        return;
    }
    form.without = SLEEPER_PRETENDS_BARRIER;
    EXPECT(hunt(&form, 0) > 0, "this test cannot see the race that it is for");
}

static void without_the_barrier_consumers_lose_some(void)
{
    expect_some(BY_WAIT);
}

static void without_the_barrier_event_loops_lose_some(void)
{
    expect_some(BY_EVENT_LOOP);
}

static void without_the_barrier_producers_lose_some(void)
{
    expect_some(BY_WAIT_ROOM);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "test_lost_wakes." #name, name                                                             \
    }
    static const struct trial trials[] = {
        TRIAL(gyre_wait_loses_none),
        TRIAL(a_lossy_consumer_loses_none),
        TRIAL(gyre_recv_loses_none),
        TRIAL(wait_any_over_a_few_rings_loses_none),
        TRIAL(wait_any_over_more_than_the_system_takes_loses_none),
        TRIAL(an_event_loop_loses_none),
        TRIAL(a_member_of_a_group_loses_none),
        TRIAL(a_member_in_an_event_loop_loses_none),
        TRIAL(wait_room_loses_none),
        TRIAL(send_on_a_full_ring_loses_none),
        TRIAL(a_ring_of_strict_wakes_loses_none),
        TRIAL(a_consumer_that_spins_first_loses_none),
        TRIAL(a_producer_that_spins_first_loses_none),
#ifdef __linux__
        TRIAL(wait_any_without_futex_waitv_loses_none),
        TRIAL(a_consumer_without_membarrier_loses_none),
        TRIAL(an_event_loop_without_membarrier_loses_none),
        TRIAL(a_producer_without_membarrier_is_slept_through_by_none),
        TRIAL(without_the_barrier_consumers_lose_some),
        TRIAL(without_the_barrier_event_loops_lose_some),
        TRIAL(without_the_barrier_producers_lose_some),
#endif
    };
    static const struct role roles[] = {{"sleep_again_and_again", sleep_again_and_again}};

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
