/*
 * test_many.c - one wait for many rings: nothing is lost, nobody starves, nobody burns a processor.
 *
 * The hard moments are made to happen: a call of the system that lies between "nothing there" and
 * "I sleep" is replaced by one that first lets something come.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "trial.h"

#ifdef _WIN32
#include "win32/calls.h"
#else
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define NS_PER_MS UINT64_C(1000000)
#define SLICE_NS (90 * NS_PER_MS) /* a wake-up that takes so long on Linux was a slice's end */
#define LATE_NS ((TRIAL_IS_WINDOWS ? 1000 : 400) * NS_PER_MS)
#define RING_MAX 1000u
#define MESSAGE_SIZE 24u
#define WINDOW 32u /* messages on their way, so that a tap's ring is never overrun */

struct stage {
    uint64_t is_ready;
    uint64_t may_go;
    uint64_t told_ns;
    uint64_t message_count;
    uint64_t received;
    uint64_t sent[RING_MAX];
};

static struct stage *stage(void)
{
    return trial_stage();
}

static const char *ring_name(uint32_t idx)
{
    static char name[GYRE_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "%s.%u", trial_ring(), idx);
    return name;
}

/* Some hundred rings need more descriptors than a process has by default. */
static void allow_many_files(void)
{
#ifndef _WIN32
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
#endif
}

static struct gyre_producer *open_producer(uint32_t idx, uint64_t capacity)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = capacity;
    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_producer_open(ring_name(idx), &options, &producer, NULL), GYRE_OK);
    return producer;
}

static struct gyre_producer **open_producers(uint32_t count)
{
    struct gyre_producer **producers = calloc(count, sizeof(struct gyre_producer *));

    allow_many_files();
    EXPECT_TRUE(producers != NULL);
    for (uint32_t i = 0; i < count; i++)
        producers[i] = open_producer(i, 4096);
    return producers;
}

static void close_producers(struct gyre_producer **producers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        gyre_producer_close(producers[i]);
    free(producers);
}

/* Consumers of the rings 0 to count - 1; `kinds` kinds in turn. */
static struct gyre_consumer **open_consumers(uint32_t count, enum gyre_wait_strategy wait,
                                             uint32_t kinds)
{
    struct gyre_consumer       **consumers = calloc(count, sizeof(struct gyre_consumer *));
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    allow_many_files();
    EXPECT_TRUE(consumers != NULL);
    options.start = GYRE_START_OLDEST;
    options.wait = wait;
    for (uint32_t i = 0; i < count; i++) {
        options.kind = i % kinds;
        EXPECT_STATUS(gyre_consumer_open(ring_name(i), &options, &consumers[i], NULL), GYRE_OK);
    }
    return consumers;
}

static void close_consumers(struct gyre_consumer **consumers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        gyre_consumer_close(consumers[i]);
    free(consumers);
}

static void put(struct gyre_producer *producer, uint32_t idx, uint64_t number)
{
    uint64_t message[3] = {idx, number, gyre_now_ns()};

    EXPECT_STATUS(gyre_send(producer, message, sizeof(message), trial_patience()), GYRE_OK);
}

/* Takes message `number` of ring `idx`, which is there.  Returns how old it is. */
static uint64_t take(struct gyre_consumer *consumer, uint32_t idx, uint64_t number)
{
    uint64_t message[3] = {0, 0, 0};
    uint64_t now;
    uint32_t size = 0;

    EXPECT_STATUS(gyre_recv(consumer, message, sizeof(message), &size, 0), GYRE_OK);
    EXPECT_EQ(size, MESSAGE_SIZE);
    EXPECT_EQ(message[0], idx);
    EXPECT_EQ(message[1], number);
    now = gyre_now_ns();
    return now > message[2] ? now - message[2] : 0;
}

static uint64_t missed_count(const struct gyre_consumer *consumer)
{
    return consumer->seat != NULL ? consumer->seat->missed_count : 0;
}

/* Whatever the trials before have left behind, this one has left no more. */
static void expect_files(uint32_t count)
{
    EXPECT(process_list_rings(NULL) == count, "%u files instead of %u", process_list_rings(NULL),
           count);
}

/* --- every message once, in order ------------------------------------------------------------- */

/* Sends to rings at random, with pauses in which the reader falls asleep; then closes them all. */
static int publish_at_random(uint32_t ring_count)
{
    struct gyre_producer **producers = open_producers(ring_count);
    uint64_t               random = ring_count;
    uint64_t               longest_ns = 128000;

    if (TRIAL_IS_WINDOWS) /* where it takes its time to fall asleep */
        longest_ns += ring_count * UINT64_C(40000);
    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    for (uint64_t i = 0; i < stage()->message_count; i++) {
        uint32_t idx = (uint32_t)(trial_random(&random) % ring_count);
        uint64_t pause = trial_random(&random) % 1024;
        if (i >= WINDOW)
            trial_await(&stage()->received, i - WINDOW);
        if (pause < 256)
            sync_clock_sleep_until(gyre_now_ns() + pause * longest_ns / 256);
        put(producers[idx], idx, stage()->sent[idx]);
        gyre_store_release_64(&stage()->sent[idx], stage()->sent[idx] + 1);
    }
    close_producers(producers, ring_count);
    return 0;
}

struct tally {
    uint64_t wakes;
    uint64_t sleeps;
    uint64_t missed;
    uint64_t slow;
    uint64_t worst_ns;
};

static void leave(struct gyre_consumer **consumers, uint32_t *rings, uint32_t count, uint32_t which,
                  struct tally *tally)
{
    struct gyre_consumer *consumer = consumers[which];

    tally->missed += missed_count(consumer);
    if (consumer->seat != NULL && consumer->seat->sleep_count > tally->sleeps)
        tally->sleeps = consumer->seat->sleep_count;
    gyre_consumer_close(consumer);
    consumers[which] = consumers[count - 1];
    rings[which] = rings[count - 1];
}

/*
 * Receives until every ring is closed, one message a call or all there are.  How old a message is
 * says nothing any more once rings are removed, which takes its time.
 */
static void receive_all(struct gyre_consumer **consumers, uint32_t ring_count, struct tally *tally)
{
    uint32_t rings[RING_MAX], which, count = ring_count;
    uint64_t next[RING_MAX] = {0};

    for (uint32_t i = 0; i < count; i++)
        rings[i] = i;
    while (count > 0) {
        enum gyre_status status;
        which = UINT32_MAX;
        status = gyre_wait_any(consumers, count, trial_patience(), &which);
        EXPECT_TRUE(which < count);
        tally->wakes++;
        if (status == GYRE_CLOSED) {
            EXPECT_EQ(next[rings[which]], stage()->sent[rings[which]]);
            leave(consumers, rings, count--, which, tally);
            continue;
        }
        EXPECT_STATUS(status, GYRE_OK);
        do {
            uint64_t age = take(consumers[which], rings[which], next[rings[which]]++);
            if (count < ring_count)
                age = 0;
            tally->slow += age >= SLICE_NS;
            if (age > tally->worst_ns)
                tally->worst_ns = age;
            gyre_store_release_64(&stage()->received, stage()->received + 1);
        } while (rings[which] % 2 == 1 && gyre_wait(consumers[which], 0) == GYRE_OK);
    }
}

static void receive_from(uint32_t ring_count, uint32_t message_count, enum gyre_wait_strategy wait,
                         uint32_t kinds)
{
    struct gyre_consumer **consumers;
    struct process         sender;
    struct tally           tally = {0, 0, 0, 0, 0};
    uint32_t               files = process_list_rings(NULL);
    uint64_t               began;

    memset(stage(), 0, sizeof(*stage()));
    stage()->message_count = message_count;
    trial_start(&sender, "publish_at_random", ring_count);
    trial_await(&stage()->is_ready, 1);
    consumers = open_consumers(ring_count, wait, kinds);
    gyre_store_release_64(&stage()->may_go, 1);
    began = gyre_now_ns();
    receive_all(consumers, ring_count, &tally);
    began = gyre_now_ns() - began;
    free(consumers);
    trial_finish(&sender);
    trial_note("%u rings: %u messages in %.0f ms, %llu returns, up to %llu sleeps a ring, %llu "
               "missed; oldest message %.1f ms",
               ring_count, message_count, (double)began / 1e6, (unsigned long long)tally.wakes,
               (unsigned long long)tally.sleeps, (unsigned long long)tally.missed,
               (double)tally.worst_ns / 1e6);
    EXPECT_EQ(stage()->received, message_count);
    EXPECT_EQ(tally.missed, 0);
    EXPECT(TRIAL_IS_WINDOWS || tally.slow <= WINDOW + message_count / 1000,
           "%llu messages took the time of a slice", (unsigned long long)tally.slow);
    if (wait == GYRE_WAIT_SLEEP && kinds < 3)
        EXPECT(tally.sleeps >= message_count / 50, "the test did not test sleeps");
    expect_files(files);
}

static void every_message_of_many_rings_comes_once_and_in_order(void)
{
    static const uint32_t counts[] = {1, 2, 10, 64, 65, 129, 200, 1000};
    uint32_t              last = trial_rounds(1, 1) == 10 ? 8 : 7;

    for (uint32_t i = 0; i < last; i++)
        receive_from(counts[i], trial_rounds(6000, 500),
                     i % 3 == 2 ? GYRE_WAIT_SPIN_THEN_SLEEP : GYRE_WAIT_SLEEP, 2);
}

static void taps_wait_among_the_others(void)
{
    receive_from(9, trial_rounds(3000, 300), GYRE_WAIT_SLEEP, 3);
    receive_from(150, trial_rounds(1000, 200), GYRE_WAIT_SLEEP, 3);
}

/* --- nobody starves --------------------------------------------------------------------------- */

#define MESSAGES_PER_QUIET_ONE 100u

/* All rings but the last get messages as fast as they take them, the last one now and then. */
static int stream(uint32_t ring_count)
{
    struct gyre_producer **producers = open_producers(ring_count);
    uint64_t               quiet = 0;

    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    for (uint64_t i = 0; i < stage()->message_count; i++) {
        for (uint32_t idx = 0; idx + 1 < ring_count; idx++)
            put(producers[idx], idx, i);
        if (i % MESSAGES_PER_QUIET_ONE == 0)
            put(producers[ring_count - 1], ring_count - 1, quiet++);
    }
    trial_await(&stage()->may_go, 2);
    close_producers(producers, ring_count);
    return 0;
}

static void expect_fairness(uint32_t ring_count, uint32_t message_count)
{
    struct gyre_consumer **consumers;
    struct process         sender;
    uint64_t               next[16] = {0};
    uint64_t               quiet_count, total;
    uint32_t               quiet = ring_count - 1, waits = 0, worst = 0, contested = 0;

    memset(stage(), 0, sizeof(*stage()));
    stage()->message_count = message_count;
    quiet_count = (message_count - 1) / MESSAGES_PER_QUIET_ONE + 1;
    total = (uint64_t)message_count * quiet + quiet_count;
    trial_start(&sender, "stream", ring_count);
    trial_await(&stage()->is_ready, 1);
    consumers = open_consumers(ring_count, GYRE_WAIT_SLEEP, 1);
    gyre_store_release_64(&stage()->may_go, 1);
    for (uint64_t i = 0; i < total; i++) {
        uint32_t which = UINT32_MAX;
        bool     is_waiting;
        if (!gyre__is_ready(consumers[0]))
            process_nap(); /* until they have much to offer again */
        is_waiting = gyre__is_ready(consumers[quiet]);
        if (is_waiting && ++waits == 1)
            contested += gyre__is_ready(consumers[0]);
        EXPECT_STATUS(gyre_wait_any(consumers, ring_count, trial_patience(), &which), GYRE_OK);
        EXPECT_TRUE(which < ring_count);
        (void)take(consumers[which], which, next[which]++);
        if (which != quiet)
            continue;
        if (waits > worst)
            worst = waits;
        waits = 0;
    }
    trial_note(
        "%u of %u rings busy: a quiet ring's message is returned by call %u at the latest; %u "
        "of %llu found the others ready too",
        quiet, ring_count, worst, contested, (unsigned long long)quiet_count);
    EXPECT_EQ(next[quiet], quiet_count);
    EXPECT(worst <= ring_count, "a quiet ring waited for %u calls", worst);
    EXPECT(contested >= quiet_count / 10, "the test did not test fairness");
    gyre_store_release_64(&stage()->may_go, 2);
    close_consumers(consumers, ring_count);
    trial_finish(&sender);
}

static void a_busy_ring_starves_no_other(void)
{
    expect_fairness(2, trial_rounds(100000, 5000));
    expect_fairness(10, trial_rounds(10000, 1000));
}

/* --- outcomes --------------------------------------------------------------------------------- */

/* Closes its rings one by one, the last first, when the reader has heard of the one before. */
static int close_one_by_one(uint32_t ring_count)
{
    struct gyre_producer **producers = open_producers(ring_count);

    gyre_store_release_64(&stage()->is_ready, 1);
    for (uint32_t i = ring_count; i-- > 0;) {
        trial_await(&stage()->may_go, ring_count - i);
        sync_clock_sleep_until(gyre_now_ns() + (i % 4) * NS_PER_MS);
        gyre_store_release_64(&stage()->told_ns, gyre_now_ns());
        gyre_producer_close(producers[i]);
    }
    free(producers);
    return 0;
}

static void a_close_is_told_with_the_place_of_its_ring(void)
{
    const uint32_t         ring_count = trial_rounds(140, 80);
    struct gyre_consumer **consumers;
    struct process         sender;
    uint64_t               worst = 0;
    uint32_t               slow = 0, files = process_list_rings(NULL);

    trial_start(&sender, "close_one_by_one", ring_count);
    trial_await(&stage()->is_ready, 1);
    consumers = open_consumers(ring_count, GYRE_WAIT_SLEEP, 2);
    for (uint32_t count = ring_count; count > 0; count--) {
        uint32_t which = UINT32_MAX;
        uint64_t late;
        gyre_store_release_64(&stage()->may_go, ring_count - count + 1);
        EXPECT_STATUS(gyre_wait_any(consumers, count, trial_patience(), &which), GYRE_CLOSED);
        late = gyre_now_ns() - gyre_load_acquire_64(&stage()->told_ns);
        EXPECT_EQ(which, count - 1);
        EXPECT_STATUS(gyre_wait_any(consumers, count, 0, &which), GYRE_CLOSED); /* still */
        EXPECT_EQ(which, count - 1);
        gyre_consumer_close(consumers[count - 1]);
        slow += late >= SLICE_NS;
        if (late > worst)
            worst = late;
    }
    trial_finish(&sender);
    free(consumers);
    trial_note("%u closes, each told %.2f ms later at most", ring_count, (double)worst / 1e6);
    EXPECT(TRIAL_IS_WINDOWS || slow <= 1, "%u closes were told by a slice", slow);
    expect_files(files);
}

static int overrun_one(uint32_t idx)
{
    struct gyre_producer **producers = open_producers(3);

    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    for (uint64_t i = 0; i < stage()->message_count; i++)
        put(producers[idx], idx, i);
    gyre_store_release_64(&stage()->is_ready, 2);
    trial_await(&stage()->may_go, 2);
    close_producers(producers, 3);
    return 0;
}

static void a_gap_is_told_with_the_place_of_its_ring(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumers[3];
    struct process               sender;
    uint32_t                     which = UINT32_MAX;
    uint64_t                     next;

    stage()->message_count = 500; /* of 64 bytes: several laps */
    options.kind = GYRE_LOSSY;
    options.start = GYRE_START_OLDEST;
    trial_start(&sender, "overrun_one", 2);
    trial_await(&stage()->is_ready, 1);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_STATUS(gyre_consumer_open(ring_name(i), &options, &consumers[i], NULL), GYRE_OK);
    gyre_store_release_64(&stage()->may_go, 1);
    trial_await(&stage()->is_ready, 2);
    EXPECT_STATUS(gyre_wait_any(consumers, 3, trial_patience(), &which), GYRE_GAP);
    EXPECT_EQ(which, 2);
    next = gyre_consumer_gap(consumers[2]);
    EXPECT_TRUE(next > 400 && next < 500);
    while (next < 500) {
        which = UINT32_MAX;
        EXPECT_STATUS(gyre_wait_any(consumers, 3, trial_patience(), &which), GYRE_OK);
        EXPECT_EQ(which, 2);
        (void)take(consumers[2], 2, next++);
    }
    EXPECT_STATUS(gyre_wait_any(consumers, 3, gyre_now_ns() + NS_PER_MS, &which), GYRE_TIMEOUT);
    gyre_store_release_64(&stage()->may_go, 2);
    trial_finish(&sender);
    for (uint32_t i = 0; i < 3; i++)
        gyre_consumer_close(consumers[i]);
}

static int die_when_told(uint32_t ring_count)
{
    struct gyre_producer **producers = open_producers(ring_count);

    for (uint32_t i = 0; i < ring_count; i++)
        put(producers[i], i, 0);
    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    sync_clock_sleep_until(gyre_now_ns() + 20 * NS_PER_MS);
    gyre_store_release_64(&stage()->told_ns, gyre_now_ns());
    process_kill_self();
    return 1;
}

/* Consumer `living` of the crowd reads a ring whose producer lives. */
static void expect_orphans(struct gyre_consumer **consumers, uint32_t count, uint32_t living)
{
    bool     is_told[RING_MAX] = {false};
    uint64_t worst = 0;
    uint32_t which;

    for (uint32_t i = 0; i + 1 < count; i++) { /* what was published comes first */
        which = UINT32_MAX;
        EXPECT_STATUS(gyre_wait_any(consumers, count, trial_patience(), &which), GYRE_OK);
        (void)take(consumers[which], which, 0);
    }
    gyre_store_release_64(&stage()->may_go, 1);
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint64_t         late;
        enum gyre_status status;
        which = UINT32_MAX;
        status = gyre_wait_any(consumers, count, trial_patience(), &which);
        EXPECT(status == GYRE_ORPHANED, "%s of ring %u, not ORPHANED", gyre_status_name(status),
               which);
        late = gyre_now_ns() - gyre_load_acquire_64(&stage()->told_ns);
        EXPECT_TRUE(which < count && which != living && !is_told[which]);
        is_told[which] = true;
        if (i == 0)
            trial_note("%u rings: the first death is told after %.0f ms", count,
                       (double)late / 1e6);
        if (late > worst)
            worst = late;
    }
    EXPECT_STATUS(gyre_wait_any(consumers, count, gyre_now_ns() + 150 * NS_PER_MS, &which),
                  GYRE_TIMEOUT);
    trial_note("%u rings: the last death is told after %.0f ms", count, (double)worst / 1e6);
    EXPECT(worst < LATE_NS, "it was told too late");
}

static void kill_the_producers_of(uint32_t ring_count)
{
    struct gyre_consumer **consumers;
    struct gyre_producer  *living;
    struct process         sender;

    memset(stage(), 0, sizeof(*stage()));
    living = open_producer(ring_count, 4096);
    trial_start(&sender, "die_when_told", ring_count);
    trial_await(&stage()->is_ready, 1);
    consumers = open_consumers(ring_count + 1, GYRE_WAIT_SLEEP, 3);
    expect_orphans(consumers, ring_count + 1, ring_count);
    EXPECT_EQ(process_wait(&sender, PROCESS_PATIENCE_NS), PROCESS_KILLED);
    close_consumers(consumers, ring_count + 1);
    gyre_producer_close(living);
    for (uint32_t i = 0; i < ring_count; i++) /* a tap was the last to leave, and removes nothing */
        (void)gyre_ring_remove(ring_name(i), 0, NULL);
}

static void the_death_of_a_producer_is_told_once_a_ring(void)
{
    kill_the_producers_of(4);
    kill_the_producers_of(130);
}

/* Beside a ring that always has something to tell, and in waits that end before anybody looks. */
static void a_death_is_told_however_short_the_waits(void)
{
    for (uint32_t is_busy = 0; is_busy < 2; is_busy++) {
        struct gyre_consumer **consumers;
        struct gyre_producer  *living;
        struct process         sender;
        uint64_t               late, deadline = trial_patience(), number = 0;
        uint32_t               told = 0, which;
        memset(stage(), 0, sizeof(*stage()));
        living = open_producer(2, 4096);
        trial_start(&sender, "die_when_told", 2);
        trial_await(&stage()->is_ready, 1);
        consumers = open_consumers(3, GYRE_WAIT_SLEEP, 1);
        gyre_store_release_64(&stage()->may_go, 1);
        while (told < 2) {
            enum gyre_status status;
            if (is_busy)
                put(living, 2, number);
            status = gyre_wait_any(consumers, 3, gyre_now_ns() + 5 * NS_PER_MS, &which);
            EXPECT(gyre_now_ns() < deadline, "the death is told to nobody");
            EXPECT_TRUE(status != GYRE_ORPHANED || which < 2);
            if (status == GYRE_ORPHANED)
                told++;
            else if (status == GYRE_OK)
                (void)take(consumers[which], which, which == 2 ? number++ : 0);
            if (is_busy && (status != GYRE_OK || which != 2))
                (void)take(consumers[2], 2, number++);
        }
        late = gyre_now_ns() - gyre_load_acquire_64(&stage()->told_ns);
        trial_note("%s: the deaths are told after %.0f ms", is_busy ? "busy" : "short waits",
                   (double)late / 1e6);
        EXPECT(late < LATE_NS, "it was told too late");
        EXPECT_EQ(process_wait(&sender, PROCESS_PATIENCE_NS), PROCESS_KILLED);
        close_consumers(consumers, 3);
        gyre_producer_close(living);
    }
}

struct interrupter {
    struct gyre_consumer *consumer;
    uint64_t              rang_ns;
};

static void interrupt_soon(void *context)
{
    struct interrupter *interrupter = context;

    sync_clock_sleep_until(gyre_now_ns() + 5 * NS_PER_MS);
    gyre_store_release_64(&interrupter->rang_ns, gyre_now_ns());
    gyre_consumer_interrupt(interrupter->consumer);
}

static void an_interrupt_is_told_with_the_place_of_its_ring(void)
{
    static const uint32_t counts[] = {1, 3, 130};
    uint64_t              worst = 0;

    for (uint32_t i = 0; i < TRIAL_COUNT(counts); i++) {
        struct gyre_producer **producers = open_producers(counts[i]);
        struct gyre_consumer **consumers = open_consumers(counts[i], GYRE_WAIT_SLEEP, 1);
        for (uint32_t round = 0; round < 3; round++) {
            uint32_t              place = (counts[i] - 1) * round / 2, which = UINT32_MAX;
            struct interrupter    interrupter = {consumers[place], 0};
            struct process_thread thread;
            uint64_t              late;
            process_thread_start(&thread, interrupt_soon, &interrupter);
            EXPECT_STATUS(gyre_wait_any(consumers, counts[i], trial_patience(), &which),
                          GYRE_INTERRUPTED);
            late = gyre_now_ns() - gyre_load_acquire_64(&interrupter.rang_ns);
            process_thread_join(&thread);
            EXPECT_EQ(which, place);
            worst = late > worst ? late : worst;
            EXPECT_STATUS(gyre_wait_any(consumers, counts[i], 0, &which), GYRE_TIMEOUT);
            gyre_consumer_interrupt(consumers[place]); /* one that comes first */
            EXPECT_STATUS(gyre_wait_any(consumers, counts[i], 0, &which), GYRE_INTERRUPTED);
        }
        close_consumers(consumers, counts[i]);
        close_producers(producers, counts[i]);
    }
    trial_note("at most %.1f ms after the interrupt", (double)worst / 1e6);
    EXPECT(worst < (TRIAL_IS_WINDOWS ? LATE_NS : SLICE_NS), "ended by a slice");
}

/* --- bad input, deadlines --------------------------------------------------------------------- */

static void bad_input_is_refused_and_consumes_nothing(void)
{
    struct gyre_producer **producers = open_producers(3);
    struct gyre_consumer **good = open_consumers(3, GYRE_WAIT_SLEEP, 1);
    struct gyre_consumer  *bad[3] = {good[0], NULL, good[2]};
    uint32_t               which = 77;

    put(producers[1], 1, 0);
    gyre_consumer_interrupt(good[2]);
    EXPECT_STATUS(gyre_wait_any(good, 0, 0, &which), GYRE_BAD_ARGUMENT);
    EXPECT_STATUS(gyre_wait_any(NULL, 3, 0, &which), GYRE_BAD_ARGUMENT);
    EXPECT_STATUS(gyre_wait_any(good, 3, 0, NULL), GYRE_BAD_ARGUMENT);
    EXPECT_STATUS(gyre_wait_any(bad, 3, trial_patience(), &which), GYRE_BAD_ARGUMENT);
    bad[1] = good[0];
    EXPECT_STATUS(gyre_wait_any(bad, 3, trial_patience(), &which), GYRE_BAD_ARGUMENT);
    bad[1] = good[1];
    bad[0] = good[2];
    EXPECT_STATUS(gyre_wait_any(bad, 3, 0, &which), GYRE_BAD_ARGUMENT);
    EXPECT_EQ(which, 77);
    EXPECT_STATUS(gyre_wait_any(good, 3, 0, &which), GYRE_OK);
    EXPECT_EQ(which, 1);
    (void)take(good[1], 1, 0);
    EXPECT_STATUS(gyre_wait_any(good, 3, 0, &which), GYRE_INTERRUPTED);
    EXPECT_EQ(which, 2);
    close_consumers(good, 3);
    close_producers(producers, 3);
}

static void a_deadline_in_the_past_looks_once(void)
{
    struct gyre_producer **producers = open_producers(3);
    struct gyre_consumer **consumers = open_consumers(3, GYRE_WAIT_SPIN_THEN_SLEEP, 3);
    uint32_t               which = 77;

    EXPECT_STATUS(gyre_wait_any(consumers, 3, 0, &which), GYRE_TIMEOUT);
    EXPECT_STATUS(gyre_wait_any(consumers, 3, gyre_now_ns() - 1, &which), GYRE_TIMEOUT);
    EXPECT_EQ(which, 77);
    for (uint32_t i = 0; i < 3; i++) {
        put(producers[i], i, 0);
        EXPECT_STATUS(gyre_wait_any(consumers, 3, i == 1 ? gyre_now_ns() - 1 : 0, &which), GYRE_OK);
        EXPECT_EQ(which, i);
        (void)take(consumers[i], i, 0);
    }
    close_consumers(consumers, 3);
    close_producers(producers, 3);
}

static void a_short_deadline_is_met_and_never_early(void)
{
    static const uint32_t counts[] = {1, 10, 63, 64, 130};
    uint64_t              times[2000];
    uint32_t              rounds = trial_rounds(200, 20);

    for (uint32_t i = 0; i < TRIAL_COUNT(counts); i++) {
        struct gyre_producer **producers = open_producers(counts[i]);
        struct gyre_consumer **consumers = open_consumers(counts[i], GYRE_WAIT_SLEEP, 1);
        uint64_t               median;
        for (uint32_t round = 0; round < rounds; round++) {
            uint64_t deadline = gyre_now_ns() + 100000, now;
            uint32_t which = 77;
            EXPECT_STATUS(gyre_wait_any(consumers, counts[i], deadline, &which), GYRE_TIMEOUT);
            now = gyre_now_ns();
            EXPECT(now >= deadline, "%llu ns early", (unsigned long long)(deadline - now));
            EXPECT_EQ(which, 77);
            times[round] = now - deadline;
        }
        median = trial_median(times, rounds);
        trial_note("%u rings: a wait of 100 us ends %.0f us late median, %.2f ms at most",
                   counts[i], (double)median / 1e3, (double)times[rounds - 1] / 1e6);
        EXPECT_TRUE(median < (TRIAL_IS_WINDOWS ? 20 : 1) * NS_PER_MS);
        EXPECT_TRUE(times[rounds - 1] < LATE_NS);
        close_consumers(consumers, counts[i]);
        close_producers(producers, counts[i]);
    }
}

/* --- on the way to sleep ---------------------------------------------------------------------- */

/* What happens between a look that found nothing and the moment the sleep is announced. */
static void (*on_the_way)(void);
static struct gyre_producer *way_producer;
static struct gyre_consumer *way_consumer;

static void let_it_happen(void)
{
    void (*event)(void) = on_the_way;

    on_the_way = NULL;
    if (event != NULL)
        event();
}

/* The bell of an event loop is cleared before the sleep is announced: with one of these calls. */
#ifdef _WIN32
static BOOL WINAPI reset_on_the_way(HANDLE event)
{
    let_it_happen();
    return ResetEvent(event);
}

static void watch_the_way(bool is_watched)
{
    if (is_watched)
        sync_calls.ResetEvent = reset_on_the_way;
    else
        sync_calls.ResetEvent = ResetEvent;
}
#else
static ssize_t (*real_read)(int, void *, size_t);

static ssize_t read_on_the_way(int fd, void *buffer, size_t size)
{
    let_it_happen();
    return real_read(fd, buffer, size);
}

static void watch_the_way(bool is_watched)
{
    if (real_read == NULL)
        real_read = sync_calls.read;
    sync_calls.read = is_watched ? read_on_the_way : real_read;
}
#endif

static void way_publish(void)
{
    put(way_producer, 0, 0);
}

static void way_close(void)
{
    gyre_producer_close(way_producer);
    way_producer = NULL;
}

static void way_interrupt(void)
{
    gyre_consumer_interrupt(way_consumer);
}

/* A whole lap, so that zeros of a payload lie where a lossy reader expects the next header. */
static void way_overrun(void)
{
    static const unsigned char zeros[120];

    for (uint32_t i = 0; i < 40; i++)
        EXPECT_STATUS(gyre_send(way_producer, zeros, sizeof(zeros), 0), GYRE_OK);
    EXPECT_TRUE(!gyre__is_ready(way_consumer));
}

struct way {
    void (*event)(void);
    enum gyre_consumer_kind kind;
    enum gyre_status        status;
};

static const struct way ways[] = {
    {way_publish, GYRE_RELIABLE, GYRE_OK},         {way_publish, GYRE_LOSSY, GYRE_OK},
    {way_close, GYRE_RELIABLE, GYRE_CLOSED},       {way_close, GYRE_LOSSY, GYRE_CLOSED},
    {way_interrupt, GYRE_LOSSY, GYRE_INTERRUPTED}, {way_overrun, GYRE_LOSSY, GYRE_GAP},
};

/* A ring from which one message was read, and a consumer whose bell has a handle. */
static void begin_way(const struct way *way)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    unsigned char                bytes[64];
    intptr_t                     handle;
    uint32_t                     size;

    options.kind = way->kind;
    options.wait = GYRE_WAIT_SLEEP;
    way_producer = open_producer(0, 4096);
    EXPECT_STATUS(gyre_consumer_open(ring_name(0), &options, &way_consumer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(way_consumer, &handle, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_send(way_producer, "first", 5, 0), GYRE_OK);
    EXPECT_STATUS(gyre_recv(way_consumer, bytes, sizeof(bytes), &size, 0), GYRE_OK);
    sync_bell_ring(&way_consumer->bell); /* something to clear */
    on_the_way = way->event;
    watch_the_way(true);
}

static void end_way(void)
{
    watch_the_way(false);
    EXPECT(on_the_way == NULL, "nothing happened on the way");
    EXPECT_EQ(missed_count(way_consumer), 0);
    gyre_consumer_close(way_consumer);
    gyre_producer_close(way_producer);
}

static void arming_tells_what_came_on_the_way(void)
{
    for (uint32_t i = 0; i < TRIAL_COUNT(ways); i++) {
        uint64_t         rearm_ns = 0;
        enum gyre_status status;
        begin_way(&ways[i]);
        status = gyre_consumer_arm(way_consumer, &rearm_ns);
        EXPECT(status == ways[i].status, "way %u: %s, not %s", i, gyre_status_name(status),
               gyre_status_name(ways[i].status));
        end_way();
    }
}

static void a_wait_does_not_sleep_through_what_came_on_the_way(void)
{
    for (uint32_t i = 0; i < TRIAL_COUNT(ways); i++) {
        for (uint32_t is_any = 0; is_any < 2; is_any++) {
            struct gyre_producer *other_producer = open_producer(1, 4096);
            struct gyre_consumer *crowd[2], *other;
            uint32_t              which = UINT32_MAX;
            uint64_t              began;
            enum gyre_status      status;
            EXPECT_STATUS(gyre_consumer_open(ring_name(1), NULL, &other, NULL), GYRE_OK);
            begin_way(&ways[i]);
            crowd[0] = way_consumer;
            crowd[1] = other;
            began = gyre_now_ns();
            if (is_any)
                status = gyre_wait_any(crowd, 2, trial_patience(), &which);
            else
                status = gyre_wait(way_consumer, trial_patience());
            began = gyre_now_ns() - began;
            EXPECT(status == ways[i].status, "way %u: %s", i, gyre_status_name(status));
            EXPECT(began < SLICE_NS, "way %u: ended by a slice, after %llu ms", i,
                   (unsigned long long)(began / NS_PER_MS));
            EXPECT_EQ(which, is_any ? 0 : UINT32_MAX);
            end_way();
            gyre_consumer_close(other);
            gyre_producer_close(other_producer);
        }
    }
}

/* --- arming ----------------------------------------------------------------------------------- */

static void one_who_wakes_takes_nobody_elses_bit(void)
{
    enum { SEATS = 128 };
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_consumer    *consumers[SEATS];
    struct gyre_producer    *producer;
    uint64_t                 rearm_ns = 0;
    intptr_t                 handle;

    allow_many_files();
    options.capacity = 65536;
    options.seat_count = SEATS;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    for (uint32_t i = 0; i < SEATS; i++)
        EXPECT_STATUS(gyre_consumer_open(trial_ring(), NULL, &consumers[i], NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(consumers[0], &handle, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_arm(consumers[0], &rearm_ns), GYRE_TIMEOUT);
    for (uint32_t i = 1; i < SEATS; i++) /* everybody else sleeps for a moment */
        EXPECT_STATUS(gyre_wait(consumers[i], gyre_now_ns() + 1000), GYRE_TIMEOUT);
    EXPECT_TRUE((producer->ring.sleepers->mask & gyre__sleeper_bit(0)) != 0);
    EXPECT_STATUS(gyre_send(producer, "x", 1, 0), GYRE_OK);
    EXPECT_EQ(sync_bell_wait(&consumers[0]->bell, consumers[0]->ring.site, SYNC_ROLE_NONE,
                             gyre_now_ns() + 50 * NS_PER_MS),
              SYNC_RUNG);
    for (uint32_t i = 0; i < SEATS; i++)
        gyre_consumer_close(consumers[i]);
    gyre_producer_close(producer);
}

static void arming_says_until_when_it_is_certain(void)
{
    struct gyre_producer        *producer = open_producer(0, 4096);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer, *tap;
    intptr_t                     handle = 77;
    uint64_t                     rearm_ns = 77, first_ns, now;
    struct gyre_error            error;

    EXPECT_STATUS(gyre_consumer_open(ring_name(0), NULL, &consumer, NULL), GYRE_OK);
    options.kind = GYRE_TAP;
    EXPECT_STATUS(gyre_consumer_open(ring_name(0), &options, &tap, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(tap, &handle, &error), GYRE_UNSUPPORTED);
    EXPECT_STATUS(gyre_consumer_handle(consumer, NULL, &error), GYRE_BAD_ARGUMENT);
    EXPECT_EQ(handle, 77);
    EXPECT_STATUS(gyre_consumer_handle(consumer, &handle, &error), GYRE_OK);
    now = gyre_now_ns();
    EXPECT_STATUS(gyre_consumer_arm(consumer, &rearm_ns), GYRE_TIMEOUT);
    if (TRIAL_IS_WINDOWS) {
        EXPECT_TRUE(rearm_ns > now && rearm_ns < now + LATE_NS);
        first_ns = rearm_ns - now;
        for (uint32_t i = 0; i < 5; i++)
            EXPECT_STATUS(gyre_consumer_arm(consumer, &rearm_ns), GYRE_TIMEOUT);
        EXPECT(rearm_ns - gyre_now_ns() > first_ns, "the slices grow");
    } else {
        EXPECT_EQ(rearm_ns, GYRE_FOREVER);
    }
    for (uint32_t i = 0; i < 20; i++) {
        now = gyre_now_ns();
        EXPECT_STATUS(gyre_consumer_arm(tap, &rearm_ns), GYRE_TIMEOUT);
        EXPECT_TRUE(rearm_ns > now && rearm_ns < now + 100 * NS_PER_MS);
    }
    put(producer, 0, 0);
    rearm_ns = 77;
    EXPECT_STATUS(gyre_consumer_arm(tap, &rearm_ns), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_arm(consumer, &rearm_ns), GYRE_OK);
    EXPECT_EQ(rearm_ns, 77);
    (void)take(tap, 0, 0);
    (void)take(consumer, 0, 0);
    now = gyre_now_ns();
    EXPECT_STATUS(gyre_consumer_arm(tap, &rearm_ns), GYRE_TIMEOUT);
    EXPECT(rearm_ns - now < 5 * NS_PER_MS, "a tap that got something looks again soon");
    gyre_producer_close(producer);
    EXPECT_STATUS(gyre_consumer_arm(consumer, &rearm_ns), GYRE_CLOSED);
    EXPECT_STATUS(gyre_consumer_arm(tap, &rearm_ns), GYRE_CLOSED);
    gyre_consumer_close(consumer);
    gyre_consumer_close(tap);
}

/* --- what it costs ---------------------------------------------------------------------------- */

/* Rings of every kind that a wait may find and must forget. */
static void ring_all(struct gyre_consumer **consumers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sync_bell *bell = &consumers[i]->bell;
        if (TRIAL_IS_WINDOWS || i % 2 == 0 || bell->poll == 0)
            sync_bell_ring(bell);
#ifndef _WIN32
        else /* the end of a ring whose beginning was forgotten before */
            EXPECT_TRUE(sync_calls.write(bell->poll - 1, "", 1) == 1);
#endif
    }
}

/* The least of three seconds: others may be busy. */
static uint64_t idle_cpu_ns(struct gyre_consumer **consumers, uint32_t count, uint64_t limit_ns)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < 3 && least > limit_ns; i++) {
        uint64_t cpu, until = gyre_now_ns() + 50 * NS_PER_MS;
        uint32_t which;
        EXPECT_STATUS(gyre_wait_any(consumers, count, until, &which), GYRE_TIMEOUT); /* warm */
        ring_all(consumers, count);
        cpu = process_cpu_ns();
        until = gyre_now_ns() + 1000 * NS_PER_MS;
        EXPECT_STATUS(gyre_wait_any(consumers, count, until, &which), GYRE_TIMEOUT);
        cpu = process_cpu_ns() - cpu;
        least = cpu < least ? cpu : least;
    }
    return least;
}

#ifdef _WIN32

#define THREAD_TRIES 64u
#define BELLS_PER_THREAD 63u /* win32/bell.c */
#define SLEEPS_A_SECOND 12u  /* a slice is 128 ms at the longest; some are shorter */

static DWORD WINAPI do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

/*
 * Beyond 63 rings Windows needs threads for each sleep.  Wine takes one to six milliseconds to
 * start one that watches 63 handles, as the machine is: up to twice what one that does nothing
 * takes, which is measured here, and half of that again for the ticks in which it is counted.
 */
static uint64_t idle_limit_ns(uint32_t count, uint64_t least_ns)
{
    uint32_t threads = count > BELLS_PER_THREAD ? (count - 1) / BELLS_PER_THREAD + 1 : 0;
    uint64_t cpu = process_cpu_ns();

    for (uint32_t i = 0; i < THREAD_TRIES && threads > 0; i++) {
        HANDLE thread = CreateThread(NULL, 64 << 10, do_nothing, NULL, 0, NULL);
        EXPECT_TRUE(thread != NULL && WaitForSingleObject(thread, 10000) == WAIT_OBJECT_0);
        CloseHandle(thread);
    }
    cpu = (process_cpu_ns() - cpu) / THREAD_TRIES;
    return least_ns + 3 * threads * SLEEPS_A_SECOND * cpu;
}

#else

static uint64_t idle_limit_ns(uint32_t count, uint64_t least_ns)
{
    (void)count;
    return least_ns;
}

#endif

static void many_idle_rings_use_no_processor(void)
{
    static const struct {
        uint32_t ring_count;
        uint32_t linux_ms;
        uint32_t windows_ms;
    } cases[] = {{2, 10, 10}, {63, 10, 20}, {100, 10, 20}, {200, 20, 20}};

    for (uint32_t i = 0; i < TRIAL_COUNT(cases); i++) {
        uint32_t count = cases[i].ring_count;
        uint64_t limit = idle_limit_ns(
            count, (TRIAL_IS_WINDOWS ? cases[i].windows_ms : cases[i].linux_ms) * NS_PER_MS);
        struct gyre_producer **producers = open_producers(count);
        struct gyre_consumer **consumers = open_consumers(count, GYRE_WAIT_SPIN_THEN_SLEEP, 1);
        uint64_t               cpu = idle_cpu_ns(consumers, count, limit);
        trial_note("%u idle rings: %.2f ms of processor time in 1 s, %.2f at most", count,
                   (double)cpu / 1e6, (double)limit / 1e6);
        EXPECT(cpu <= limit, "over %llu ms", (unsigned long long)(limit / NS_PER_MS));
        close_consumers(consumers, count);
        close_producers(producers, count);
    }
}

/* Sends on ring `idx` what comes through the other ring, when the asker has fallen asleep. */
static int answer(uint32_t idx)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = open_producer(idx, 4096);
    struct gyre_consumer        *consumer;
    uint64_t                     message[3];
    uint32_t                     size;
    enum gyre_status             status;

    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_consumer_open(trial_other_ring(), &options, &consumer, NULL), GYRE_OK);
    gyre_store_release_64(&stage()->is_ready, 1);
    for (;;) {
        status = gyre_recv(consumer, message, sizeof(message), &size, trial_patience());
        if (status != GYRE_OK)
            break;
        sync_clock_sleep_until(gyre_now_ns() + (TRIAL_IS_WINDOWS ? 10 : 1) * NS_PER_MS / 2);
        put(producer, idx, message[1]);
    }
    EXPECT_STATUS(status, GYRE_CLOSED);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    return 0;
}

static void measure_wakes(uint32_t ring_count, uint32_t rounds)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer   **producers, *ask;
    struct gyre_consumer   **consumers;
    struct process           other;
    uint64_t                 times[10000], cpu;
    uint32_t                 active = ring_count / 2;

    memset(stage(), 0, sizeof(*stage()));
    options.capacity = 4096;
    EXPECT_STATUS(gyre_producer_open(trial_other_ring(), &options, &ask, NULL), GYRE_OK);
    producers = open_producers(ring_count);
    gyre_producer_close(producers[active]);
    producers[active] = NULL;
    trial_start(&other, "answer", active);
    trial_await(&stage()->is_ready, 1);
    consumers = open_consumers(ring_count, GYRE_WAIT_SLEEP, 1);
    cpu = process_cpu_ns();
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t which = UINT32_MAX;
        put(ask, 0, i);
        EXPECT_STATUS(gyre_wait_any(consumers, ring_count, trial_patience(), &which), GYRE_OK);
        EXPECT_EQ(which, active);
        times[i] = take(consumers[which], active, i);
    }
    cpu = process_cpu_ns() - cpu;
    gyre_producer_close(ask);
    trial_finish(&other);
    (void)trial_median(times, rounds);
    trial_note("one of %u rings active: %.1f us median from send to receipt, %.2f ms at most; %.1f "
               "us of processor time a sleep and wake",
               ring_count, (double)times[rounds / 2] / 1e3, (double)times[rounds - 1] / 1e6,
               (double)cpu / 1e3 / rounds);
    EXPECT_EQ(missed_count(consumers[active]), 0);
    close_consumers(consumers, ring_count);
    close_producers(producers, ring_count);
}

static void a_wake_among_many_rings_costs_little_more(void)
{
    measure_wakes(1, trial_rounds(1000, 100));
    measure_wakes(100, trial_rounds(1000, 50));
    if (trial_rounds(1, 1) == 10)
        measure_wakes(1000, 500);
}

#ifndef _WIN32

/* --- kernels and sandboxes without futex_waitv ------------------------------------------------ */

static int waitv_code;

static long refuse_waitv(const struct sync_waitv *waiters, uint32_t count,
                         const struct timespec *deadline)
{
    (void)waiters, (void)count, (void)deadline;
    errno = waitv_code;
    return -1;
}

static void without_futex_waitv_fifos_serve(void)
{
    static const int codes[] = {ENOSYS, EPERM};
    long (*real)(const struct sync_waitv *, uint32_t, const struct timespec *) =
        sync_calls.futex_waitv;

    for (uint32_t i = 0; i < TRIAL_COUNT(codes); i++) {
        struct gyre_producer **producers = open_producers(3);
        struct gyre_consumer **consumers = open_consumers(3, GYRE_WAIT_SLEEP, 1);
        uint64_t               cpu = process_cpu_ns();
        uint32_t               which, files = process_list_rings(NULL);
        waitv_code = codes[i];
        sync_calls.futex_waitv = refuse_waitv;
        EXPECT_STATUS(gyre_wait_any(consumers, 3, gyre_now_ns() + 250 * NS_PER_MS, &which),
                      GYRE_TIMEOUT);
        EXPECT(process_cpu_ns() - cpu < 25 * NS_PER_MS, "it polls, with errno %d", codes[i]);
        EXPECT_EQ(process_list_rings(NULL), files + 3); /* a FIFO each */
        close_consumers(consumers, 3);
        close_producers(producers, 3);
        receive_from(10, trial_rounds(2000, 0), GYRE_WAIT_SLEEP, 3);
        sync_calls.futex_waitv = real;
    }
}

/* The ring has no name: what it is called is for people. */
static struct gyre_consumer *adopt(uint32_t idx, struct gyre_producer **producer)
{
    struct gyre_ring_options     options = GYRE_RING_OPTIONS_INIT;
    struct gyre_consumer_options seated = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    intptr_t                     ticket;
    int                          ends[2];

    options.capacity = 4096;
    options.seat_count = 1;
    options.flags = GYRE_SEALED;
    seated.wait = GYRE_WAIT_SLEEP;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    EXPECT_STATUS(gyre_producer_open(ring_name(idx), &options, producer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_ring_share(*producer, GYRE_RELIABLE, ends[0], &ticket, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_adopt(ends[1], &seated, &consumer, NULL), GYRE_OK);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return consumer;
}

#define SEALED_MESSAGES 20u
#define SEALED_MAX 140u

struct sealed_sender {
    struct gyre_producer *producers[SEALED_MAX];
    uint64_t              received;
    uint32_t              ring_count;
};

/* When the reader has fallen asleep, to the first and the last ring in turn. */
static void send_to_sleeper(void *context)
{
    struct sealed_sender *sender = context;

    for (uint64_t i = 0; i < SEALED_MESSAGES; i++) {
        uint32_t idx = i % 2 == 0 ? sender->ring_count - 1 : 0;
        trial_await(&sender->received, i);
        sync_clock_sleep_until(gyre_now_ns() + 5 * NS_PER_MS);
        put(sender->producers[idx], idx, i / 2);
    }
}

/* The rings are sealed, but for the second one. */
static void wait_for_sealed(uint32_t ring_count)
{
    static struct sealed_sender  sender;
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct process_thread        thread;
    struct gyre_consumer        *consumers[SEALED_MAX];
    uint64_t                     ages[SEALED_MESSAGES], cpu, median;
    uint32_t                     which;

    memset(&sender, 0, sizeof(sender));
    sender.ring_count = ring_count;
    for (uint32_t i = 0; i < ring_count; i++)
        if (i != 1)
            consumers[i] = adopt(i, &sender.producers[i]);
    options.wait = GYRE_WAIT_SLEEP;
    sender.producers[1] = open_producer(1, 4096);
    EXPECT_STATUS(gyre_consumer_open(ring_name(1), &options, &consumers[1], NULL), GYRE_OK);
    cpu = process_cpu_ns();
    EXPECT_STATUS(gyre_wait_any(consumers, ring_count, gyre_now_ns() + 250 * NS_PER_MS, &which),
                  GYRE_TIMEOUT);
    EXPECT(process_cpu_ns() - cpu < 50 * NS_PER_MS, "it polls");
    process_thread_start(&thread, send_to_sleeper, &sender);
    for (uint64_t i = 0; i < SEALED_MESSAGES; i++) {
        EXPECT_STATUS(gyre_wait_any(consumers, ring_count, trial_patience(), &which), GYRE_OK);
        EXPECT_EQ(which, i % 2 == 0 ? ring_count - 1 : 0);
        ages[i] = take(consumers[which], which, i / 2);
        gyre_store_release_64(&sender.received, i + 1);
    }
    process_thread_join(&thread);
    median = trial_median(ages, SEALED_MESSAGES);
    trial_note("%u rings: messages %.2f ms old, at most %.2f", ring_count, (double)median / 1e6,
               (double)ages[SEALED_MESSAGES - 1] / 1e6);
    EXPECT(median < 10 * NS_PER_MS, "messages are slept through");
    for (uint32_t i = 0; i < ring_count; i++) {
        EXPECT_EQ(missed_count(consumers[i]), 0);
        gyre_consumer_close(consumers[i]);
        gyre_producer_close(sender.producers[i]);
    }
}

static void sealed_rings_without_handles_are_looked_at_each_millisecond(void)
{
    long (*real)(const struct sync_waitv *, uint32_t, const struct timespec *) =
        sync_calls.futex_waitv;

    allow_many_files();
    wait_for_sealed(SEALED_MAX); /* more than futex_waitv waits for */
    waitv_code = ENOSYS;
    sync_calls.futex_waitv = refuse_waitv;
    wait_for_sealed(3);
    sync_calls.futex_waitv = real;
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "many." #name, name                                                                        \
    }
    static const struct trial trials[] = {
        TRIAL(every_message_of_many_rings_comes_once_and_in_order),
        TRIAL(taps_wait_among_the_others),
        TRIAL(a_busy_ring_starves_no_other),
        TRIAL(a_close_is_told_with_the_place_of_its_ring),
        TRIAL(a_gap_is_told_with_the_place_of_its_ring),
        TRIAL(the_death_of_a_producer_is_told_once_a_ring),
        TRIAL(a_death_is_told_however_short_the_waits),
        TRIAL(an_interrupt_is_told_with_the_place_of_its_ring),
        TRIAL(bad_input_is_refused_and_consumes_nothing),
        TRIAL(a_deadline_in_the_past_looks_once),
        TRIAL(a_short_deadline_is_met_and_never_early),
        TRIAL(arming_tells_what_came_on_the_way),
        TRIAL(a_wait_does_not_sleep_through_what_came_on_the_way),
        TRIAL(one_who_wakes_takes_nobody_elses_bit),
        TRIAL(arming_says_until_when_it_is_certain),
        TRIAL(many_idle_rings_use_no_processor),
        TRIAL(a_wake_among_many_rings_costs_little_more),
#ifndef _WIN32
        TRIAL(without_futex_waitv_fifos_serve),
        TRIAL(sealed_rings_without_handles_are_looked_at_each_millisecond),
#endif
    };
    static const struct role roles[] = {
        {"publish_at_random", publish_at_random}, {"stream", stream},
        {"close_one_by_one", close_one_by_one},   {"overrun_one", overrun_one},
        {"die_when_told", die_when_told},         {"answer", answer},
    };
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
