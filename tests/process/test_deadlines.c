/*
 * test_deadlines.c - how late short waits end, beside the system's own sleep; and what spinning
 * before a sleep costs.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "trial.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define SHORT_NS (100 * NS_PER_US)
#define LATE_NS (300 * NS_PER_US)
#define WAITS_MAX 20000u

struct stage {
    uint64_t spin_ns;
    uint64_t cpu_ns;
    uint64_t budget_ns; /* what was learnt */
    uint64_t met;       /* messages that were expected */
    uint64_t way;       /* by which the next message comes */
    uint64_t heard;     /* messages received */
    uint64_t sent_ns;
    uint32_t pipe[2];
    uint64_t pad[16];
    uint32_t word; /* a bare futex */
};

static struct stage *stage(void)
{
    return trial_stage();
}

/* --- short deadlines -------------------------------------------------------------------------- */

static struct gyre_producer *producer, *full;
static struct gyre_consumer *sleeper, *spinner, *other, *tap, *blocker;

static struct gyre_consumer *open_consumer(const char *name, enum gyre_consumer_kind kind,
                                           enum gyre_wait_strategy wait, uint32_t spin_ns)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;

    options.kind = kind;
    options.wait = wait;
    options.spin_ns = spin_ns;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(name, &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

static struct gyre_producer *open_producer(const char *name)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *made;

    options.capacity = 4096;
    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_producer_open(name, &options, &made, NULL), GYRE_OK);
    return made;
}

/* The system's own sleep, at its best. */
static enum gyre_status by_system(uint64_t deadline_ns)
{
#ifdef _WIN32
    sync_clock_sleep_until(deadline_ns);
#else
    struct timespec until = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};

    EXPECT_TRUE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
#endif
    return GYRE_TIMEOUT;
}

static enum gyre_status by_wait(uint64_t deadline_ns)
{
    return gyre_wait(sleeper, deadline_ns);
}

static enum gyre_status by_recv(uint64_t deadline_ns)
{
    char     message[8];
    uint32_t size;

    return gyre_recv(spinner, message, sizeof(message), &size, deadline_ns);
}

static enum gyre_status by_wait_any(uint64_t deadline_ns)
{
    struct gyre_consumer *both[2] = {sleeper, other};
    uint32_t              which;

    return gyre_wait_any(both, 2, deadline_ns, &which);
}

static enum gyre_status by_wait_room(uint64_t deadline_ns)
{
    return gyre_wait_room(full, 8, deadline_ns);
}

static enum gyre_status by_tap(uint64_t deadline_ns)
{
    return gyre_wait(tap, deadline_ns);
}

static const struct {
    const char *what;
    enum gyre_status (*wait)(uint64_t deadline_ns);
} ways[] = {{"the system's sleep", by_system},         {"gyre_wait", by_wait},
            {"gyre_recv, which spins first", by_recv}, {"gyre_wait_any", by_wait_any},
            {"gyre_wait_room", by_wait_room},          {"gyre_wait of a tap", by_tap}};
#define WAY_COUNT 6u

struct lateness {
    uint64_t late_ns[WAITS_MAX];
    uint64_t cpu_ns;
    uint32_t good;
};

static void open_handles(void)
{
    producer = open_producer(trial_ring());
    full = open_producer(trial_other_ring());
    sleeper = open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SLEEP, 0);
    spinner = open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, 0);
    other = open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SLEEP, 0);
    tap = open_consumer(trial_ring(), GYRE_TAP, GYRE_WAIT_SLEEP, 0);
    blocker = open_consumer(trial_other_ring(), GYRE_RELIABLE, GYRE_WAIT_SLEEP, 0);
    while (gyre_send(full, "message", 8, 0) == GYRE_OK)
        continue;
}

static void close_handles(void)
{
    gyre_consumer_close(blocker);
    gyre_consumer_close(tap);
    gyre_consumer_close(other);
    gyre_consumer_close(spinner);
    gyre_consumer_close(sleeper);
    gyre_producer_close(full);
    gyre_producer_close(producer);
}

static void measure(uint32_t way, uint32_t round, struct lateness *lateness)
{
    uint64_t cpu_ns = process_cpu_ns();
    uint64_t deadline_ns = gyre_now_ns() + SHORT_NS;
    uint64_t now_ns;

    EXPECT_STATUS(ways[way].wait(deadline_ns), GYRE_TIMEOUT);
    now_ns = gyre_now_ns();
    EXPECT(now_ns >= deadline_ns, "%s ended early", ways[way].what);
    lateness->late_ns[round] = now_ns - deadline_ns;
    lateness->good += now_ns - deadline_ns <= LATE_NS;
    lateness->cpu_ns += process_cpu_ns() - cpu_ns;
}

/*
 * The ways take turns, so that a busy moment of the machine meets all alike.  On Windows the tick
 * of the scheduler would show as a median of milliseconds.
 */
static void short_waits_end_as_well_as_the_systems_own_sleep(void)
{
    uint32_t         rounds = trial_rounds(2000, 300);
    struct lateness *all = calloc(WAY_COUNT, sizeof(*all));
    uint64_t         medians[WAY_COUNT];

    EXPECT_TRUE(all != NULL && rounds <= WAITS_MAX);
    open_handles();
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t way = 0; way < WAY_COUNT; way++)
            measure((way + round) % WAY_COUNT, round, &all[(way + round) % WAY_COUNT]);
    close_handles();
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        medians[way] = trial_median(all[way].late_ns, rounds);
        trial_note("%-28s %u waits of 100 us: late by %.1f us median, %.1f us p99; %.2f %% within "
                   "300 us; %.1f us of processor time",
                   ways[way].what, rounds, (double)medians[way] / 1e3,
                   (double)all[way].late_ns[rounds * 99 / 100] / 1e3,
                   100.0 * all[way].good / rounds, (double)all[way].cpu_ns / 1e3 / rounds);
    }
    for (uint32_t way = 1; way < WAY_COUNT; way++) {
        EXPECT(all[way].good + rounds / 25 >= all[0].good, "%s is late more often", ways[way].what);
        EXPECT(medians[way] <= LATE_NS || medians[way] <= medians[0] + medians[0] / 2,
               "the median of %s is %.1f us", ways[way].what, (double)medians[way] / 1e3);
    }
    free(all);
}

/* --- the spin before a sleep ------------------------------------------------------------------ */

/* About a message a millisecond, each to a consumer that sleeps again. */
static int receive_now_and_then(uint32_t count)
{
    struct gyre_consumer *consumer = open_consumer(
        trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, (uint32_t)stage()->spin_ns);
    uint64_t cpu_ns = 0;
    char     message[8];
    uint32_t size;

    for (uint32_t i = 0; i < count; i++) {
        if (i == count / 10) /* it has learnt */
            cpu_ns = process_cpu_ns();
        EXPECT_STATUS(gyre_recv(consumer, message, sizeof(message), &size, trial_patience()),
                      GYRE_OK);
    }
    stage()->cpu_ns = process_cpu_ns() - cpu_ns;
    stage()->budget_ns = consumer->spin.ns;
    gyre_consumer_close(consumer);
    return 0;
}

static uint64_t cpu_of_a_wait(uint32_t spin_ns, uint32_t count)
{
    struct process        reader;
    struct gyre_producer *sender = open_producer(trial_ring());
    uint64_t              due_ns;

    stage()->spin_ns = spin_ns;
    trial_start(&reader, "receive_now_and_then", count);
    EXPECT_STATUS(gyre_producer_wait_consumers(sender, 1, trial_patience()), GYRE_OK);
    due_ns = gyre_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        due_ns += NS_PER_MS / 2 + i * 7919 % 1000 * NS_PER_US; /* at no pace */
        sync_clock_sleep_until(due_ns);
        EXPECT_STATUS(gyre_send(sender, "message", 8, trial_patience()), GYRE_OK);
    }
    trial_finish(&reader);
    gyre_producer_close(sender);
    return stage()->cpu_ns / (count - count / 10);
}

/* Fixed and learnt take turns; the least of three counts, others may be busy. */
static void rare_messages_are_not_spun_for(void)
{
    uint32_t count = trial_rounds(500, 500);
    uint64_t fixed = UINT64_MAX, learnt = UINT64_MAX, budget_ns = UINT64_MAX;

    for (uint32_t i = 0; i < 3; i++) {
        fixed = gyre__sooner(fixed, cpu_of_a_wait(20000, count));
        EXPECT_EQ(stage()->budget_ns, 20000);
        learnt = gyre__sooner(learnt, cpu_of_a_wait(0, count));
        budget_ns = gyre__sooner(budget_ns, stage()->budget_ns);
    }
    trial_note("processor time of a wait at 1 kHz: %.1f us spinning 20 us, %.1f us as learnt (%llu "
               "ns)",
               (double)fixed / 1e3, (double)learnt / 1e3, (unsigned long long)budget_ns);
    EXPECT(budget_ns <= 2500, "it still spins for %llu ns", (unsigned long long)budget_ns);
    EXPECT(TRIAL_IS_WINDOWS || learnt * 10 < fixed * 9, "it saves nothing");
}

/* --- a steady pace ---------------------------------------------------------------------------- */

/* True if the last wait has met the message that it expected: whoever missed it trusts less. */
static bool has_met(const struct gyre_pace *pace, const struct gyre_pace *before)
{
    return pace->wake_ns != before->wake_ns && pace->wake_ns != 0 && pace->trust >= before->trust;
}

static int receive_at_a_pace(uint32_t count)
{
    struct gyre_consumer *consumer =
        open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, 0);
    uint64_t number;
    uint32_t size;

    for (uint32_t i = 0; i < count; i++) {
        struct gyre_pace before = consumer->pace;
        EXPECT_STATUS(gyre_recv(consumer, &number, sizeof(number), &size, trial_patience()),
                      GYRE_OK);
        EXPECT_EQ(number, i);
        stage()->met += has_met(&consumer->pace, &before);
    }
    EXPECT_EQ(gyre_load_relaxed_64(&consumer->seat->missed_count), 0);
    gyre_consumer_close(consumer);
    return 0;
}

/*
 * How many are met depends on the machine, that none is lost does not: the sender stops, changes
 * its pace and sends bursts.
 */
static void messages_at_a_steady_pace_are_met_without_a_wake_up(void)
{
    enum { PACE_COUNT = 400 };
    static const uint32_t periods_us[] = {1000, 1000, 300, 2500};
    struct process        reader;
    struct gyre_producer *sender = open_producer(trial_ring());
    uint64_t              number = 0, due_ns;

    trial_start(&reader, "receive_at_a_pace", 4 * PACE_COUNT);
    EXPECT_STATUS(gyre_producer_wait_consumers(sender, 1, trial_patience()), GYRE_OK);
    for (uint32_t i = 0; i < 4; i++) {
        due_ns = gyre_now_ns();
        for (uint32_t k = 0; k < PACE_COUNT; k++, number++) {
            due_ns += k % 100 < 95 ? periods_us[i] * NS_PER_US : 0;
            sync_clock_sleep_until(due_ns);
            EXPECT_STATUS(gyre_send(sender, &number, sizeof(number), trial_patience()), GYRE_OK);
        }
    }
    trial_finish(&reader);
    gyre_producer_close(sender);
    trial_note("%u of %u met", (unsigned)stage()->met, (unsigned)(4 * PACE_COUNT));
    EXPECT(TRIAL_IS_WINDOWS || stage()->met != 0, "none was met");
}

static int pong(uint32_t count)
{
    struct gyre_producer *out = open_producer(trial_other_ring());
    struct gyre_consumer *in =
        open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, 0);
    char     message[8];
    uint32_t size;

    in->spin.ns = 1; /* both have learnt not to spin */
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_STATUS(gyre_recv(in, message, sizeof(message), &size, trial_patience()), GYRE_OK);
        EXPECT_STATUS(gyre_send(out, message, size, trial_patience()), GYRE_OK);
    }
    stage()->budget_ns = in->spin.ns;
    gyre_consumer_close(in);
    gyre_producer_close(out);
    return 0;
}

/* The last rounds of ping-pong: a median that only spinners have.  False: it took wake-ups. */
static void two_that_sleep_find_back_to_spinning(void)
{
    enum { ROUNDS = 2000 };
    struct gyre_producer *out = open_producer(trial_ring());
    struct gyre_consumer *in;
    struct process        other_side;
    uint64_t             *times = calloc(ROUNDS, sizeof(*times));
    char                  message[8];
    uint32_t              size, spun = 0;

    EXPECT_TRUE(times != NULL);
    trial_start(&other_side, "pong", ROUNDS);
    in = open_consumer(trial_other_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, 0);
    EXPECT_STATUS(gyre_producer_wait_consumers(out, 1, trial_patience()), GYRE_OK);
    in->spin.ns = 1;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        times[i] = gyre_now_ns();
        EXPECT_STATUS(gyre_send(out, "message", 8, trial_patience()), GYRE_OK);
        EXPECT_STATUS(gyre_recv(in, message, sizeof(message), &size, trial_patience()), GYRE_OK);
        times[i] = gyre_now_ns() - times[i];
        spun += in->spin.ns == 20000;
    }
    trial_finish(&other_side);
    gyre_consumer_close(in);
    gyre_producer_close(out);
    trial_note("%.2f us a round, median; the budget was whole in %u of %u",
               (double)trial_median(times, ROUNDS) / 1e3, spun, (unsigned)ROUNDS);
    free(times);
    EXPECT(TRIAL_IS_WINDOWS || spun >= ROUNDS / 10, "they go on sleeping");
}

#ifdef __linux__

/* --- what a wake-up costs --------------------------------------------------------------------- */

enum wake_way { WAKE_FUTEX, WAKE_SLEEPER, WAKE_SPINNER, WAKE_PIPE, WAKE_WAYS };
#define WAKE_BLOCK 25u
#ifdef NDEBUG
#define WAKE_TENTHS_MAX 13u
#else
#define WAKE_TENTHS_MAX 16u /* nothing is optimised but the kernel and libc */
#endif
#define WAKE_EVERY_NS (500 * NS_PER_US)

/* To the first or the last processor: a wake-up on the waker's own is another thing. */
static void stay_on(bool is_last)
{
    cpu_set_t allowed, chosen;
    unsigned  cpu = CPU_SETSIZE;

    EXPECT_TRUE(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed) && (cpu == CPU_SETSIZE || is_last))
            cpu = i;
    CPU_ZERO(&chosen);
    CPU_SET(cpu, &chosen);
    EXPECT_TRUE(sched_setaffinity(0, sizeof(chosen), &chosen) == 0);
}

static void wake_by(enum wake_way way, struct gyre_producer *sender)
{
    uint64_t message[4] = {gyre_now_ns(), 0, 0, 0};

    stage()->sent_ns = message[0];
    if (way == WAKE_FUTEX) {
        gyre_store_release_32(&stage()->word, 1);
        (void)sync_calls.futex(&stage()->word, FUTEX_WAKE, 1, NULL, 0);
    } else if (way == WAKE_PIPE) {
        EXPECT_TRUE(write((int)stage()->pipe[1], message, sizeof(message)) == sizeof(message));
    } else {
        EXPECT_STATUS(gyre_send(sender, message, sizeof(message), trial_patience()), GYRE_OK);
    }
}

/* One every 500 us, when the last one was received, by the way that the receiver waits for. */
static int wake_now_and_then(uint32_t count)
{
    struct gyre_producer *senders[WAKE_WAYS] = {NULL};
    uint64_t              due_ns = gyre_now_ns(), limit_ns = trial_patience() * 2;

    stay_on(false);
    senders[WAKE_SLEEPER] = open_producer(trial_ring());
    senders[WAKE_SPINNER] = open_producer(trial_other_ring());
    for (uint32_t i = WAKE_SLEEPER; i <= WAKE_SPINNER; i++)
        EXPECT_STATUS(gyre_producer_wait_consumers(senders[i], 1, trial_patience()), GYRE_OK);
    for (uint32_t i = 0; i < count; i++) {
        due_ns += WAKE_EVERY_NS;
        while (gyre_load_acquire_64(&stage()->heard) < i || gyre_now_ns() < due_ns)
            EXPECT(gyre_now_ns() < limit_ns, "the receiver hangs");
        due_ns = gyre_now_ns();
        wake_by((enum wake_way)stage()->way, senders[stage()->way]);
    }
    gyre_producer_close(senders[WAKE_SLEEPER]);
    gyre_producer_close(senders[WAKE_SPINNER]);
    return 0;
}

static void receive_by(enum wake_way way)
{
    uint64_t message[4];
    uint32_t size;

    if (way == WAKE_FUTEX) {
        while (gyre_load_acquire_32(&stage()->word) == 0)
            (void)sync_calls.futex(&stage()->word, FUTEX_WAIT_BITSET, 0, NULL,
                                   FUTEX_BITSET_MATCH_ANY);
        stage()->word = 0;
    } else if (way == WAKE_PIPE) {
        EXPECT_TRUE(read((int)stage()->pipe[0], message, sizeof(message)) == sizeof(message));
    } else {
        EXPECT_STATUS(gyre_recv(way == WAKE_SLEEPER ? sleeper : spinner, message, sizeof(message),
                                &size, trial_patience()),
                      GYRE_OK);
    }
}

/* In the same two processes and in turn, so that all have the same processors and neighbours. */
static void a_wake_up_costs_hardly_more_than_the_systems_own(void)
{
    static const char *const names[WAKE_WAYS] = {"a bare futex", "gyre_recv, asleep at once",
                                                 "gyre_recv, the default", "a pipe"};
    uint32_t                 blocks = trial_rounds(40, 0), count = blocks * WAKE_BLOCK;
    uint64_t                *times[WAKE_WAYS], medians[WAKE_WAYS];
    struct process           other_side;
    cpu_set_t                before;
    int                      fds[2];

    EXPECT_TRUE(sched_getaffinity(0, sizeof(before), &before) == 0);
    EXPECT_TRUE(pipe(fds) == 0); /* inherited: no CLOEXEC */
    stage()->pipe[0] = (uint32_t)fds[0];
    stage()->pipe[1] = (uint32_t)fds[1];
    trial_start(&other_side, "wake_now_and_then", WAKE_WAYS * count);
    stay_on(true);
    sleeper = open_consumer(trial_ring(), GYRE_RELIABLE, GYRE_WAIT_SLEEP, 0);
    spinner = open_consumer(trial_other_ring(), GYRE_RELIABLE, GYRE_WAIT_SPIN_THEN_SLEEP, 0);
    for (uint32_t way = 0; way < WAKE_WAYS; way++)
        EXPECT_TRUE((times[way] = calloc(count, sizeof(uint64_t))) != NULL);
    for (uint32_t i = 0; i < WAKE_WAYS * count; i++) {
        uint32_t way = i / WAKE_BLOCK % WAKE_WAYS, at = i / (WAKE_BLOCK * WAKE_WAYS);
        receive_by((enum wake_way)way);
        times[way][at * WAKE_BLOCK + i % WAKE_BLOCK] = gyre_now_ns() - stage()->sent_ns;
        stage()->way = (i + 1) / WAKE_BLOCK % WAKE_WAYS;
        gyre_store_release_64(&stage()->heard, i + 1);
    }
    trial_finish(&other_side);
    for (uint32_t way = 0; way < WAKE_WAYS; way++) {
        medians[way] = trial_median(times[way], count);
        trial_note("%-26s %5.1f us median, %5.1f us for three of four: %.2f times a bare futex",
                   names[way], (double)medians[way] / 1e3, (double)times[way][count * 3 / 4] / 1e3,
                   (double)medians[way] / (double)medians[0]);
        free(times[way]);
    }
    EXPECT_TRUE(sched_setaffinity(0, sizeof(before), &before) == 0);
    gyre_consumer_close(spinner);
    gyre_consumer_close(sleeper);
    (void)close(fds[0]);
    (void)close(fds[1]);
    for (uint32_t way = WAKE_SLEEPER; way <= WAKE_SPINNER; way++)
        EXPECT(medians[way] * 10 <= medians[WAKE_FUTEX] * WAKE_TENTHS_MAX, "%s: over %.1f times",
               names[way], WAKE_TENTHS_MAX / 10.0);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "deadlines." #name, name                                                                   \
    }
    static const struct trial trials[] = {
        TRIAL(short_waits_end_as_well_as_the_systems_own_sleep),
        TRIAL(rare_messages_are_not_spun_for),
        TRIAL(messages_at_a_steady_pace_are_met_without_a_wake_up),
        TRIAL(two_that_sleep_find_back_to_spinning),
#ifdef __linux__
        TRIAL(a_wake_up_costs_hardly_more_than_the_systems_own),
#endif
    };
    static const struct role roles[] = {
        {"receive_now_and_then", receive_now_and_then},
        {"receive_at_a_pace", receive_at_a_pace},
        {"pong", pong},
#ifdef __linux__
        {"wake_now_and_then", wake_now_and_then},
#endif
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
