/*
 * litmus_wake.c - the store-load race behind edge E3, and what the library does about it.
 *
 * First the bare race: a producer stores a header and loads the sleepers word, with nothing between
 * them; a consumer sets its bit and loads the header.  If both see the old value, the consumer
 * sleeps and the producer does not know.  Without a fence this must happen here, or the test sees
 * nothing; with each of the library's schemes it must not.  Then the library itself: a consumer
 * that sleeps again and again at the moment when its producer publishes, once as shipped, once with
 * the remote barrier taken out; the seat counts the sleeps that only a slice ended.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "pulse.h"
#include "trial.h"

#ifdef __linux__
#include "linux/calls.h"
#endif

#define NS_PER_S UINT64_C(1000000000)
#define ROUND_CHECK 1024u
#define MISSES_WANTED 2u
#define EDGE_DELAY 5000u
#define STALLED_ONE_IN 10000u /* rounds: ten times what was seen on a disturbed machine */

enum scheme {
    UNFENCED,       /* what must fail */
    REMOTE_BARRIER, /* Linux */
    PRODUCER_FENCE, /* strict wakes, and the fence mode */
    SETTLE,         /* Windows */
    WITHOUT_BARRIER /* the library, with a barrier that does nothing */
};

/* Each word that one side writes has lines of its own. */
struct stage {
    uint64_t header;
    uint64_t pad_a[31];
    uint64_t sleepers;
    uint64_t pad_b[31];
    uint64_t round;
    uint64_t pad_c[31];
    uint64_t consumer_round; /* finished by the consumer */
    uint64_t consumer_saw;
    uint64_t pad_d[30];
    uint64_t consumer_delay;
    uint64_t is_over;
    uint64_t scheme;
    uint64_t count;
    uint64_t is_registered;
    uint64_t received;
    uint64_t missed;
    uint64_t slept;
};

static struct stage *stage(void)
{
    return trial_stage();
}

static void delay(uint64_t loops)
{
    for (volatile uint64_t i = 0; i < loops; i++)
        continue;
}

/* --- the bare race ---------------------------------------------------------------------------- */

/* What a consumer does before it sleeps: sleep.c, without the sleep.  What it sees at last. */
static uint64_t fall_asleep(enum scheme scheme)
{
    gyre_or_64(&stage()->sleepers, 1); /* E3 */
    if (scheme == REMOTE_BARRIER)
        EXPECT_TRUE(sync_barrier_remote()); /* E3 */
    if (scheme == SETTLE)
        gyre__let_settle();
    return gyre_load_acquire_64(&stage()->header); /* E3 */
}

static int litmus_consumer(uint32_t unused)
{
    enum scheme scheme = (enum scheme)stage()->scheme;
    uint64_t    last = 0;

    (void)unused;
    for (;;) {
        uint64_t round = gyre_load_acquire_64(&stage()->round);
        if (round == last) {
            if (gyre_load_relaxed_64(&stage()->is_over) != 0)
                return 0;
            continue;
        }
        delay(stage()->consumer_delay);
        stage()->consumer_saw = fall_asleep(scheme);
        last = round;
        gyre_store_release_64(&stage()->consumer_round, round);
    }
}

/* What a producer does: fast.h.  What it sees of the sleepers. */
static uint64_t publish(enum scheme scheme, uint64_t round)
{
    gyre_store_release_64(&stage()->header, round); /* E3 */
    if (scheme == PRODUCER_FENCE)
        gyre_fence_full();                           /* E3 */
    return gyre_load_relaxed_64(&stage()->sleepers); /* E3 */
}

/*
 * Rounds until `trials` are done and, at least, until `misses_wanted` were found or the time is up.
 * The two sides' delays sweep against each other, so that the window is met whatever the machine.
 * A miss while the producer's processor stood still is not one of SETTLE: there the slice is the
 * promise; but it is rare.
 */
static uint64_t litmus(enum scheme scheme, uint64_t trials, uint64_t misses_wanted, uint64_t *done)
{
    struct process consumer;
    uint64_t       misses = 0, stalled = 0, random = 1, until = gyre_now_ns() + 20 * NS_PER_S;
    uint64_t       limit = until + 10 * NS_PER_S; /* on a machine that is busy otherwise */

    memset(stage(), 0, sizeof(*stage()));
    stage()->scheme = scheme;
    EXPECT_TRUE(scheme != REMOTE_BARRIER || sync_barrier_register());
    trial_start(&consumer, "litmus_consumer", 0);
    for (*done = 1;; (*done)++) {
        struct pulse pulse;
        uint64_t     round = *done, saw, deadline;
        bool         is_done;
        uint64_t     producer_delay = trial_random(&random) % 64;
        gyre_store_release_64(&stage()->sleepers, 0);
        stage()->consumer_delay = trial_random(&random) % 16;
        pulse = pulse_begin();
        gyre_store_release_64(&stage()->round, round);
        delay(producer_delay);
        deadline = pulse.last_ns + 20 * NS_PER_S;
        saw = publish(scheme, round);
        do {
            is_done = gyre_load_acquire_64(&stage()->consumer_round) == round;
            EXPECT_TRUE(pulse_beat(&pulse) < deadline);
        } while (!is_done);
        if (saw == 0 && stage()->consumer_saw != round) {
            bool is_stalled = scheme == SETTLE && pulse.longest_ns >= GYRE_SETTLE_NS / 2;
            stalled += is_stalled;
            misses += !is_stalled;
        }
        if (round % ROUND_CHECK != 0)
            continue;
        if (misses_wanted != 0 ? misses >= misses_wanted || gyre_now_ns() > until
                               : round >= trials || gyre_now_ns() > limit)
            break;
    }
    gyre_store_release_64(&stage()->is_over, 1);
    trial_finish(&consumer);
    if (stalled != 0)
        trial_note("%llu stores stayed with a processor that stood still",
                   (unsigned long long)stalled);
    EXPECT(stalled <= 1 + *done / STALLED_ONE_IN, "%llu stores stayed too long",
           (unsigned long long)stalled);
    return misses;
}

#if !defined(GYRE_UNDER_TSAN)

static void without_a_fence_the_race_is_lost(void)
{
    uint64_t done, misses;

    if (process_cpu_count() < 2) {
        trial_note("one processor: two processes never run at once, so there is no race to see");
        return;
    }
    misses = litmus(UNFENCED, 0, MISSES_WANTED, &done);
    trial_note("both sides missed in %llu of %llu trials (%.4f %%)", (unsigned long long)misses,
               (unsigned long long)done, 100.0 * (double)misses / (double)done);
    EXPECT(misses > 0, "this test cannot see the race that it is for");
}

#endif

static void expect_no_miss(enum scheme scheme, uint64_t trials)
{
    uint64_t done;
    uint64_t misses = litmus(scheme, trials, 0, &done);

    trial_note("%llu misses in %llu trials", (unsigned long long)misses, (unsigned long long)done);
    EXPECT(misses == 0, "%llu misses", (unsigned long long)misses);
    EXPECT(done >= trials / 20, "only %llu trials", (unsigned long long)done);
}

static void a_fence_in_the_producer_wins_the_race(void)
{
    expect_no_miss(PRODUCER_FENCE, trial_rounds(300000, 200000));
}

static void a_consumer_that_lets_stores_settle_wins_the_race(void)
{
    expect_no_miss(SETTLE, trial_rounds(200000, 200000));
}

#ifdef __linux__

static void the_remote_barrier_wins_the_race(void)
{
    expect_no_miss(REMOTE_BARRIER, trial_rounds(200000, 0));
}

/* --- the library itself ----------------------------------------------------------------------- */

static long pretend_barrier(int command)
{
    (void)command;
    return 0;
}

/* Reads each message as soon as it is there and goes to sleep for the next one. */
static int read_and_sleep(uint32_t unused)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    uint32_t                     size;

    (void)unused;
    if (stage()->scheme == WITHOUT_BARRIER)
        sync_calls.membarrier = pretend_barrier;
    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    for (;;) {
        enum gyre_status status = gyre_wait(consumer, trial_patience());
        if (status == GYRE_CLOSED)
            break;
        EXPECT_STATUS(status, GYRE_OK);
        while (gyre_peek(consumer, &size) != NULL)
            continue;
        EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
        gyre_store_release_64(&stage()->received, gyre_consumer_seq(consumer));
        delay(EDGE_DELAY); /* the producer hears of it and has time to aim */
    }
    gyre_consumer_close(consumer);
    return 0;
}

static void send_empty(struct gyre_producer *producer)
{
    while (gyre_claim(producer, 0) == NULL)
        EXPECT_STATUS(gyre_wait_room(producer, 0, trial_patience()), GYRE_OK);
    gyre_publish(producer);
}

/*
 * Publishes at the edge: a little sooner after each sleep, a little later after each that was
 * cancelled, so that the consumer's last look and the publish meet.
 */
static void aim(struct gyre_producer *producer, uint64_t seconds)
{
    const struct gyre_shared_seat *seat = &producer->ring.seats[0];
    uint64_t                       until = gyre_now_ns() + seconds * NS_PER_S;
    uint64_t                       wait = EDGE_DELAY, random = 5, slept = 0;

    for (stage()->count = 1;; stage()->count++) {
        uint64_t deadline = gyre_now_ns() + 20 * NS_PER_S;
        send_empty(producer);
        while (gyre_load_acquire_64(&stage()->received) < stage()->count)
            EXPECT_TRUE(gyre_now_ns() < deadline);
        if (gyre_load_relaxed_64(&seat->sleep_count) != slept) {
            slept = gyre_load_relaxed_64(&seat->sleep_count);
            wait -= wait > 8 ? 8 : 0;
        } else if (wait < 4 * EDGE_DELAY) {
            wait += 2;
        }
        delay(wait + trial_random(&random) % 16);
        stage()->missed = gyre_load_relaxed_64(&seat->missed_count);
        if (stage()->count % 64 == 0 && (gyre_now_ns() > until || stage()->missed >= MISSES_WANTED))
            break;
    }
    stage()->slept = slept;
}

static void sleep_at_the_edge(enum scheme scheme, uint64_t seconds)
{
    struct gyre_producer *producer;
    struct process        reader;

    memset(stage(), 0, sizeof(*stage()));
    stage()->scheme = scheme;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_OK);
    trial_start(&reader, "read_and_sleep", 0);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    aim(producer, seconds);
    gyre_producer_close(producer);
    trial_finish(&reader);
    trial_note("%llu times to the edge, %llu sleeps, %llu missed",
               (unsigned long long)stage()->count, (unsigned long long)stage()->slept,
               (unsigned long long)stage()->missed);
}

#if !defined(GYRE_UNDER_TSAN)

static void the_library_without_its_barrier_misses_wake_ups(void)
{
    if (process_cpu_count() < 2) {
        trial_note("one processor: there is no race to see");
        return;
    }
    sleep_at_the_edge(WITHOUT_BARRIER, 40);
    EXPECT(stage()->missed > 0, "this test cannot see the race that it is for");
}

#endif

static void the_library_as_it_is_misses_none(void)
{
    sleep_at_the_edge(REMOTE_BARRIER, trial_rounds(6, 0));
    EXPECT_EQ(stage()->missed, 0);
    EXPECT_TRUE(stage()->count > 1000);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "litmus." #name, name                                                                      \
    }
    static const struct trial trials[] = {
#if !defined(GYRE_UNDER_TSAN) /* its own locked instructions hide the race */
        TRIAL(without_a_fence_the_race_is_lost),
#endif
        TRIAL(a_fence_in_the_producer_wins_the_race),
        TRIAL(a_consumer_that_lets_stores_settle_wins_the_race),
#ifdef __linux__
        TRIAL(the_remote_barrier_wins_the_race),
#if !defined(GYRE_UNDER_TSAN)
        TRIAL(the_library_without_its_barrier_misses_wake_ups),
#endif
        TRIAL(the_library_as_it_is_misses_none),
#endif
    };
    static const struct role roles[] = {
        {"litmus_consumer", litmus_consumer},
#ifdef __linux__
        {"read_and_sleep", read_and_sleep},
#endif
    };
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
