/*
 * test_roles.c - who writes, who reads, and what their deaths leave behind.
 *
 * Producers are killed at random moments while consumers in other processes account for every
 * message: each has its number in it, every word follows from the number, and the dead producer's
 * last one must be where its successor goes on.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "trial.h"

#ifdef __linux__
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define NS_PER_MS UINT64_C(1000000)
#define READER_COUNT 4u
#define CAPACITY (64u * 1024u)
#define WORDS_MAX 1000u
#define BATCH_MAX 8u

/* How soon a death must be noticed: the promise is 100 ms on Linux, at once on Windows. */
#define NOTICE_NS (1000 * NS_PER_MS)

struct report {
    uint64_t is_joined;
    uint64_t received;
    uint64_t seq;
    uint64_t lost;
    uint64_t orphan_count;
    uint64_t orphan_seq;
    uint64_t orphan_ns;
    uint64_t orphan_epoch;
    uint64_t is_closed;
    uint64_t zero[7];
};

struct stage {
    struct report reports[READER_COUNT];
    uint64_t      started; /* how many writers have opened the ring */
    uint64_t      start_seq;
    uint64_t      published; /* what the writer knows that it has published */
    uint64_t      is_blocked;
    uint64_t      unblocked_ns;
    uint64_t      taken;
    uint64_t      may_end;
    uint64_t      strategy;
    uint64_t      forked_count;
    uint64_t      forked_pids[2];
    uint64_t      outcome;
    uint64_t      outcome_ns;
};

static struct stage *stage(void)
{
    return trial_stage();
}

/* --- the stream under kills ------------------------------------------------------------------- */

static struct gyre_producer *open_producer(uint32_t capacity)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct gyre_error        error;
    enum gyre_status         status;

    options.capacity = capacity;
    options.seat_count = 8;
    status = gyre_producer_open(trial_ring(), &options, &producer, &error);
    EXPECT(status == GYRE_OK, "gyre_producer_open is %s (%s, %d, %s)", gyre_status_name(status),
           error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return producer;
}

static struct gyre_consumer *open_consumer(enum gyre_consumer_kind kind,
                                           enum gyre_wait_strategy wait)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    struct gyre_error            error;
    enum gyre_status             status;

    options.kind = kind;
    options.start = GYRE_START_OLDEST;
    options.wait = wait;
    options.open_deadline_ns = trial_patience();
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_OK, "gyre_consumer_open is %s (%s, %d, %s)", gyre_status_name(status),
           error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return consumer;
}

static void *claim_patiently(struct gyre_producer *producer, uint32_t size)
{
    void *payload;

    while ((payload = gyre_claim(producer, size)) == NULL)
        EXPECT_STATUS(gyre_wait_room(producer, size, trial_patience()), GYRE_OK);
    return payload;
}

static void write_batch(struct gyre_producer *producer, uint32_t count, uint64_t salt)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = gyre_producer_seq(producer);
        uint32_t words = payload_words(number, WORDS_MAX);
        payload_write(claim_patiently(producer, words * 8), words, number, salt);
    }
    gyre_publish(producer);
    gyre_store_release_64(&stage()->published, gyre_producer_seq(producer));
}

/* A claim of a batch may have to wait for what the batch itself holds back: so, small batches. */
static int write_until_killed(uint32_t round)
{
    struct gyre_producer *producer = open_producer(CAPACITY);
    uint64_t              buffer[WORDS_MAX];
    uint64_t              salt = round + 1;

    gyre_store_release_64(&stage()->published, gyre_producer_seq(producer));
    gyre_store_release_64(&stage()->start_seq, gyre_producer_seq(producer));
    gyre_store_release_64(&stage()->started, round + 1);
    for (;;) {
        uint64_t number = gyre_producer_seq(producer);
        uint32_t words = payload_words(number, WORDS_MAX);
        if (round % 3 == 0) {
            write_batch(producer, 1, salt);
        } else if (round % 3 == 1) {
            write_batch(producer, 1 + (uint32_t)(number % BATCH_MAX) / 2, salt);
        } else {
            payload_write(buffer, words, number, salt);
            EXPECT_STATUS(gyre_send(producer, buffer, words * 8, trial_patience()), GYRE_OK);
            gyre_store_release_64(&stage()->published, number + 1);
        }
    }
}

static int write_and_close(uint32_t count)
{
    struct gyre_producer *producer = open_producer(CAPACITY);

    gyre_store_release_64(&stage()->start_seq, gyre_producer_seq(producer));
    for (uint32_t i = 0; i < count; i++)
        write_batch(producer, 1, 1000);
    gyre_producer_close(producer);
    return 0;
}

/* Everything that can be received now, checked.  Gaps may happen to those who hold nobody back. */
static enum gyre_status read_some(struct gyre_consumer *consumer, struct report *report,
                                  bool is_lossy)
{
    static uint64_t  buffer[WORDS_MAX];
    uint64_t         seq = gyre_consumer_seq(consumer);
    uint32_t         size = 0;
    enum gyre_status status = gyre_recv(consumer, buffer, sizeof(buffer), &size, trial_patience());

    if (status == GYRE_GAP) {
        EXPECT_TRUE(is_lossy && gyre_consumer_gap(consumer) > 0);
        EXPECT_EQ(gyre_consumer_seq(consumer), seq + gyre_consumer_gap(consumer));
        report->lost += gyre_consumer_gap(consumer);
    } else if (status == GYRE_OK) {
        EXPECT(payload_check(buffer, size, seq, WORDS_MAX), "message %llu is torn: it says %llu",
               (unsigned long long)seq, (unsigned long long)buffer[0]);
        EXPECT_EQ(gyre_consumer_seq(consumer), seq + 1);
        gyre_store_release_64(&report->received, report->received + 1);
    } else {
        EXPECT_EQ(gyre_consumer_seq(consumer), seq);
    }
    return status;
}

/* A reliable reader that does not copy, and releases several at once. */
static enum gyre_status read_in_place(struct gyre_consumer *consumer, struct report *report)
{
    enum gyre_status status = gyre_wait(consumer, trial_patience());
    const void      *message;
    uint32_t         size;

    for (uint32_t i = 0; status == GYRE_OK && i < BATCH_MAX; i++) {
        uint64_t seq = gyre_consumer_seq(consumer);
        message = gyre_peek(consumer, &size);
        if (message == NULL)
            break;
        EXPECT(payload_check(message, size, seq, WORDS_MAX), "message %llu is torn",
               (unsigned long long)seq);
        gyre_store_release_64(&report->received, report->received + 1);
    }
    EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
    return status;
}

static int read_stream(uint32_t idx)
{
    static const enum gyre_consumer_kind kinds[READER_COUNT] = {GYRE_RELIABLE, GYRE_RELIABLE,
                                                                GYRE_LOSSY, GYRE_TAP};
    struct report                       *report = &stage()->reports[idx];
    struct gyre_consumer                *consumer =
        open_consumer(kinds[idx], idx == 1 ? GYRE_WAIT_SLEEP : GYRE_WAIT_SPIN_THEN_SLEEP);

    EXPECT_EQ(gyre_consumer_seq(consumer), 0);
    gyre_store_release_64(&report->is_joined, 1);
    for (;;) {
        enum gyre_status status =
            idx == 0 ? read_in_place(consumer, report) : read_some(consumer, report, idx >= 2);
        EXPECT_EQ(report->received + report->lost, gyre_consumer_seq(consumer));
        if (status == GYRE_CLOSED)
            break;
        EXPECT(status == GYRE_OK || status == GYRE_GAP || status == GYRE_ORPHANED, "outcome %s",
               gyre_status_name(status));
        if (status != GYRE_ORPHANED)
            continue;
        report->orphan_ns = gyre_now_ns();
        report->orphan_seq = gyre_consumer_seq(consumer);
        report->orphan_epoch = gyre_consumer_epoch(consumer);
        gyre_store_release_64(&report->orphan_count, report->orphan_count + 1);
    }
    report->seq = gyre_consumer_seq(consumer);
    gyre_store_release_64(&report->is_closed, 1);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_CLOSED);
    gyre_consumer_close(consumer);
    return 0;
}

/* One producer's life and death; returns where its successor must go on. */
static uint64_t one_kill(uint32_t round, uint64_t end_seq, uint64_t *random, uint64_t *latencies)
{
    struct process writer;
    uint64_t       killed_ns, published, until;

    trial_start(&writer, "write_until_killed", round);
    trial_await(&stage()->started, round + 1);
    EXPECT_EQ(stage()->start_seq, end_seq);
    /* A random moment: after so many messages, and up to 300 us more. */
    until = end_seq + trial_random(random) % 4000;
    if (round % 5 != 4)
        trial_await(&stage()->reports[round % 2].received, until);
    until = gyre_now_ns() + trial_random(random) % 300000;
    while (gyre_now_ns() < until)
        gyre_pause();
    killed_ns = gyre_now_ns();
    process_kill(&writer);
    published = gyre_load_acquire_64(&stage()->published);
    for (uint32_t i = 0; i < READER_COUNT; i++) {
        struct report *report = &stage()->reports[i];
        EXPECT(process_await(&report->orphan_count, round + 1, PROCESS_PATIENCE_NS),
               "kill %u: reader %u is not told that the producer died", round, i);
        EXPECT_EQ(report->orphan_count, round + 1);
        EXPECT_EQ(report->orphan_epoch, round + 1);
        EXPECT_EQ(report->orphan_seq, stage()->reports[0].orphan_seq);
        latencies[i] = report->orphan_ns - killed_ns;
        EXPECT(latencies[i] <= NOTICE_NS, "kill %u: reader %u was told after %llu ms", round, i,
               (unsigned long long)(latencies[i] / NS_PER_MS));
    }
    end_seq = stage()->reports[0].orphan_seq;
    EXPECT(end_seq >= published, "kill %u: %llu were published, %llu received", round,
           (unsigned long long)published, (unsigned long long)end_seq);
    EXPECT(end_seq <= published + BATCH_MAX, "kill %u: unpublished messages were seen", round);
    return end_seq;
}

static void nothing_published_is_lost_when_producers_are_killed(void)
{
    uint32_t       kills = trial_rounds(40, 10);
    uint64_t      *latencies = calloc((size_t)kills * READER_COUNT, sizeof(*latencies));
    uint64_t       random = 20, end_seq = 0, median, worst[READER_COUNT] = {0, 0, 0, 0};
    struct process readers[READER_COUNT], writer;

    EXPECT_TRUE(latencies != NULL);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_start(&readers[i], "read_stream", i);
    /* The ring must be there for its readers before anything is in it. */
    trial_start(&writer, "hold_until_told", 0);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_await(&stage()->reports[i].is_joined, 1);
    process_kill(&writer);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_await(&stage()->reports[i].orphan_count, 1);
    stage()->started = 1;
    for (uint32_t round = 1; round <= kills; round++) {
        end_seq = one_kill(round, end_seq, &random, &latencies[(round - 1) * READER_COUNT]);
        if (round % 16 != 1)
            continue;
        /* Told once: in a wait that goes on for another slice, nothing more comes. */
        process_await(&stage()->may_end, 1, 250 * NS_PER_MS);
        for (uint32_t i = 0; i < READER_COUNT; i++)
            EXPECT_EQ(stage()->reports[i].orphan_count, round + 1);
    }
    trial_start(&writer, "write_and_close", 100);
    trial_finish(&writer);
    EXPECT_EQ(stage()->start_seq, end_seq);
    for (uint32_t i = 0; i < READER_COUNT; i++) {
        trial_finish(&readers[i]);
        EXPECT_EQ(stage()->reports[i].seq, end_seq + 100);
        EXPECT_EQ(stage()->reports[i].orphan_count, kills + 1);
    }
    EXPECT_EQ(stage()->reports[0].lost + stage()->reports[1].lost, 0);
    for (uint32_t i = 0; i < kills * READER_COUNT; i++)
        if (latencies[i] > worst[i % READER_COUNT])
            worst[i % READER_COUNT] = latencies[i];
    median = trial_median(latencies, kills * READER_COUNT);
    trial_note(
        "%u kills, %llu messages, lossy lost %llu, tap lost %llu; told after %.1f ms median, "
        "%.1f ms at most",
        kills, (unsigned long long)end_seq, (unsigned long long)stage()->reports[2].lost,
        (unsigned long long)stage()->reports[3].lost, (double)median / 1e6,
        (double)latencies[kills * READER_COUNT - 1] / 1e6);
    trial_note("the worst of each reader: %.1f, %.1f, %.1f, %.1f ms", (double)worst[0] / 1e6,
               (double)worst[1] / 1e6, (double)worst[2] / 1e6, (double)worst[3] / 1e6);
    EXPECT(median <= 150 * NS_PER_MS, "the median is over 150 ms");
    free(latencies);
}

/* --- the producer's role ---------------------------------------------------------------------- */

static int hold_until_told(uint32_t unused)
{
    struct gyre_producer *producer = open_producer(CAPACITY);

    (void)unused;
    gyre_store_release_64(&stage()->taken, 1);
    trial_await(&stage()->may_end, 1);
    gyre_producer_close(producer);
    return 0;
}

/* Opens a producer, says what came of it and how long it took, and closes. */
static int try_to_write(uint32_t unused)
{
    struct gyre_producer *producer = NULL;
    uint64_t              began = gyre_now_ns();
    enum gyre_status      status = gyre_producer_open(trial_ring(), NULL, &producer, NULL);

    (void)unused;
    stage()->outcome_ns = gyre_now_ns() - began;
    stage()->outcome = (uint64_t)(int64_t)status;
    gyre_producer_close(producer);
    return 0;
}

static enum gyre_status try_elsewhere(void)
{
    struct process other;

    trial_start(&other, "try_to_write", 0);
    trial_finish(&other);
    return (enum gyre_status)(int64_t)stage()->outcome;
}

static void a_second_producer_is_told_busy_at_once(void)
{
    struct gyre_producer *producer = open_producer(CAPACITY);
    struct gyre_producer *second = NULL;
    uint64_t              began = gyre_now_ns();
    uint64_t              here_ns;

    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &second, NULL), GYRE_BUSY);
    here_ns = gyre_now_ns() - began;
    EXPECT_TRUE(second == NULL);
    EXPECT_STATUS(try_elsewhere(), GYRE_BUSY);
    EXPECT(here_ns < 500 * NS_PER_MS && stage()->outcome_ns < 500 * NS_PER_MS,
           "BUSY took %llu ms here, %llu ms elsewhere", (unsigned long long)(here_ns / NS_PER_MS),
           (unsigned long long)(stage()->outcome_ns / NS_PER_MS));
    trial_note("BUSY after %.2f ms here, %.2f ms in another process", (double)here_ns / 1e6,
               (double)stage()->outcome_ns / 1e6);
    /* The refused ones have harmed nothing. */
    write_batch(producer, 3, 1);
    gyre_producer_close(producer);
    EXPECT_STATUS(try_elsewhere(), GYRE_OK);
}

static void a_producer_takes_over_from_a_killed_one_at_once(void)
{
    struct process        writer;
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    uint64_t              began, worst = 0;
    uint32_t              rounds = trial_rounds(20, 5);

    for (uint32_t i = 0; i < rounds; i++) {
        stage()->taken = 0;
        trial_start(&writer, "hold_until_told", 0);
        trial_await(&stage()->taken, 1);
        EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_BUSY);
        consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP); /* holds the ring */
        EXPECT_EQ(gyre_consumer_epoch(consumer), 1);
        process_kill(&writer);
        began = gyre_now_ns();
        producer = open_producer(CAPACITY);
        if (gyre_now_ns() - began > worst)
            worst = gyre_now_ns() - began;
        EXPECT_EQ(gyre_consumer_epoch(consumer), 2);
        /* Told of no death: there is a producer again. */
        EXPECT_STATUS(gyre_wait(consumer, gyre_now_ns() + 5 * NS_PER_MS), GYRE_TIMEOUT);
        write_batch(producer, 1, 1);
        EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_OK);
        gyre_producer_close(producer);
        gyre_consumer_close(consumer);
        EXPECT_EQ(process_list_rings(NULL), 0);
    }
    trial_note("a takeover took at most %.1f ms", (double)worst / 1e6);
    EXPECT(worst <= NOTICE_NS, "a takeover took too long");
}

/* --- dead consumers --------------------------------------------------------------------------- */

static int join_and_stall(uint32_t unused)
{
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);

    (void)unused;
    gyre_store_release_64(&stage()->taken, 1);
    trial_await(&stage()->may_end, 1);
    while (gyre_wait(consumer, gyre_now_ns() + 500 * NS_PER_MS) == GYRE_OK) {
        uint64_t    seq = gyre_consumer_seq(consumer);
        uint32_t    size;
        const void *message = gyre_peek(consumer, &size);
        EXPECT_TRUE(message != NULL && payload_check(message, size, seq, WORDS_MAX));
        EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
        gyre_store_release_64(&stage()->reports[0].received, seq + 1);
    }
    gyre_consumer_close(consumer);
    return 0;
}

static void fill(struct gyre_producer *producer)
{
    uint64_t first = gyre_producer_seq(producer);
    void    *payload;

    for (;;) {
        uint64_t number = gyre_producer_seq(producer);
        uint32_t words = payload_words(number, WORDS_MAX);
        EXPECT(number - first < CAPACITY / 8, "nobody holds the producer back");
        payload = gyre_claim(producer, words * 8);
        if (payload == NULL)
            break;
        payload_write(payload, words, number, 1);
        gyre_publish(producer);
    }
}

/* Fills the ring while a consumer stalls, then blocks until somebody makes room. */
static int block_in_send(uint32_t strategy)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    uint64_t                 buffer[WORDS_MAX], number;
    uint32_t                 words;

    options.capacity = CAPACITY;
    options.wait = strategy;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    fill(producer);
    number = gyre_producer_seq(producer);
    words = payload_words(number, WORDS_MAX);
    payload_write(buffer, words, number, 1);
    gyre_store_release_64(&stage()->is_blocked, 1);
    EXPECT_STATUS(gyre_send(producer, buffer, words * 8, trial_patience()), GYRE_OK);
    gyre_store_release_64(&stage()->unblocked_ns, gyre_now_ns());
    gyre_store_release_64(&stage()->is_blocked, 2);
    trial_await(&stage()->may_end, 1);
    gyre_producer_close(producer);
    return 0;
}

/* One living consumer, not evicted, on that seat; whoever else is there is dead. */
static void expect_one_live_seat(uint32_t seat_idx)
{
    struct gyre_ring_info info;
    struct gyre_seat_info seats[8];
    uint32_t              taken;

    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, 8, &taken, NULL), GYRE_OK);
    EXPECT_TRUE(taken >= 1);
    for (uint32_t i = 0; i < taken; i++) {
        EXPECT_EQ(seats[i].is_evicted, 0);
        EXPECT_EQ(seats[i].is_alive, seats[i].seat_idx == seat_idx);
    }
}

/* Returns the time from the kill until the producer goes on. */
static uint64_t kill_one_that_blocks(enum gyre_wait_strategy strategy, uint64_t *random)
{
    struct process        writer, reader;
    struct gyre_consumer *consumer;
    uint64_t              killed_ns;

    memset(stage(), 0, sizeof(*stage()));
    trial_start(&writer, "block_in_send", strategy);
    trial_start(&reader, "join_and_stall", 0);
    trial_await(&stage()->is_blocked, 1);
    /* A random depth of the wait, and so of the slice that runs when the consumer dies. */
    process_await(&stage()->is_blocked, 2, trial_random(random) % (130 * NS_PER_MS));
    EXPECT_EQ(stage()->is_blocked, 1);
    killed_ns = gyre_now_ns();
    process_kill(&reader);
    trial_await(&stage()->is_blocked, 2);
    consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    expect_one_live_seat(0);
    gyre_consumer_close(consumer);
    gyre_store_release_64(&stage()->may_end, 1);
    trial_finish(&writer);
    return stage()->unblocked_ns - killed_ns;
}

static void a_blocked_producer_goes_on_when_the_consumer_is_killed(void)
{
    uint64_t random = 5, times[300];
    uint32_t rounds = trial_rounds(21, 6);
    uint64_t median;

    for (uint32_t i = 0; i < rounds; i++) {
        times[i] = kill_one_that_blocks((enum gyre_wait_strategy)(i % 3), &random);
        EXPECT(times[i] <= NOTICE_NS, "strategy %u: it went on after %llu ms", i % 3,
               (unsigned long long)(times[i] / NS_PER_MS));
    }
    median = trial_median(times, rounds);
    trial_note("%u kills: the producer goes on after %.1f ms median, %.1f ms at most", rounds,
               (double)median / 1e6, (double)times[rounds - 1] / 1e6);
}

static int take_seats(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    gyre_store_release_64(&stage()->taken, 1);
    trial_await(&stage()->may_end, 1);
    return 0;
}

static void seats_of_killed_processes_are_given_back(void)
{
    const uint32_t               processes = 5, each = 51;
    struct gyre_ring_options     options = GYRE_RING_OPTIONS_INIT;
    struct gyre_consumer_options asked = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer;
    struct gyre_consumer        *consumer;
    struct process               takers[5];
    uint64_t                     began, refused_ns;

    options.seat_count = 255;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    for (uint32_t lap = 0; lap < 2; lap++) {
        for (uint32_t i = 0; i < processes; i++) {
            stage()->taken = 0;
            trial_start(&takers[i], "take_seats", each);
            trial_await(&stage()->taken, 1);
        }
        if (lap == 1)
            break;
        began = gyre_now_ns();
        EXPECT_STATUS(gyre_consumer_open(trial_ring(), &asked, &consumer, NULL), GYRE_NO_SEAT);
        refused_ns = gyre_now_ns() - began;
        trial_note("NO_SEAT after %.1f ms", (double)refused_ns / 1e6);
        for (uint32_t i = 0; i < processes; i++)
            process_kill(&takers[i]);
    }
    /* All 255 were taken again.  Those that are closed come back as well. */
    process_kill(&takers[0]);
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &asked, &consumer, NULL), GYRE_OK);
    for (uint32_t i = 1; i < processes; i++)
        process_kill(&takers[i]);
    EXPECT_STATUS(gyre_send(producer, "alive", 5, trial_patience()), GYRE_OK);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_OK);
    gyre_consumer_close(consumer);
    for (uint32_t i = 0; i < 300; i++) {
        EXPECT_STATUS(gyre_consumer_open(trial_ring(), &asked, &consumer, NULL), GYRE_OK);
        gyre_consumer_close(consumer);
    }
    gyre_producer_close(producer);
}

#ifdef __linux__

/* --- stopped, not dead ------------------------------------------------------------------------ */

static void a_stopped_consumer_keeps_its_seat(void)
{
    struct gyre_producer *producer = open_producer(CAPACITY);
    struct process        reader;
    uint64_t              buffer[WORDS_MAX], number;
    uint32_t              words;

    trial_start(&reader, "join_and_stall", 0);
    trial_await(&stage()->taken, 1);
    process_stop(&reader);
    fill(producer);
    number = gyre_producer_seq(producer);
    words = payload_words(number, WORDS_MAX);
    payload_write(buffer, words, number, 1);
    EXPECT_STATUS(gyre_send(producer, buffer, words * 8, gyre_now_ns() + 500 * NS_PER_MS),
                  GYRE_TIMEOUT);
    expect_one_live_seat(0);
    gyre_store_release_64(&stage()->may_end, 1);
    process_continue(&reader);
    EXPECT_STATUS(gyre_send(producer, buffer, words * 8, trial_patience()), GYRE_OK);
    trial_await(&stage()->reports[0].received, number + 1);
    trial_finish(&reader);
    gyre_producer_close(producer);
}

static void a_stopped_producer_is_not_succeeded(void)
{
    struct process        writer;
    struct gyre_consumer *consumer;
    struct gyre_producer *producer;

    trial_start(&writer, "hold_until_told", 0);
    trial_await(&stage()->taken, 1);
    process_stop(&writer);
    consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_BUSY);
    EXPECT_STATUS(gyre_wait(consumer, gyre_now_ns() + 350 * NS_PER_MS), GYRE_TIMEOUT);
    process_continue(&writer);
    gyre_store_release_64(&stage()->may_end, 1);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_CLOSED);
    trial_finish(&writer);
    gyre_consumer_close(consumer);
}

/* --- fork ------------------------------------------------------------------------------------- */

/* In the child: 0 if every call on the parent's handles says so and does nothing. */
static int use_forked_handles(struct gyre_producer *producer, struct gyre_consumer *consumer)
{
    uint32_t size = 0;
    char     buffer[64];

    if (gyre_claim(producer, 8) != NULL)
        return 10;
    gyre_publish(producer);
    if (gyre_send(producer, "child", 5, 0) != GYRE_FORKED)
        return 11;
    if (gyre_wait_room(producer, 8, trial_patience()) != GYRE_FORKED)
        return 12;
    if (gyre_producer_wait_consumers(producer, 0, trial_patience()) != GYRE_FORKED)
        return 13;
    if (gyre_peek(consumer, &size) != NULL)
        return 14;
    (void)gyre_release(consumer);
    if (gyre_wait(consumer, trial_patience()) != GYRE_FORKED)
        return 15;
    if (gyre_recv(consumer, buffer, sizeof(buffer), &size, trial_patience()) != GYRE_FORKED)
        return 16;
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    return 0;
}

static int reap(pid_t pid)
{
    int status = 0;

    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void a_forked_child_gets_forked_and_harms_nothing(void)
{
    struct gyre_producer *producer = open_producer(CAPACITY);
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    struct gyre_consumer *lossy = open_consumer(GYRE_LOSSY, GYRE_WAIT_SLEEP);
    char                  buffer[64];
    uint32_t              size;
    pid_t                 pid;

    EXPECT_STATUS(gyre_send(producer, "first", 5, 0), GYRE_OK);
    memcpy(gyre_claim(producer, 6), "second", 6); /* a batch is open while the process forks */
    pid = fork();
    if (pid == 0)
        _exit(use_forked_handles(producer, consumer));
    EXPECT_EQ(reap(pid), 0);
    pid = fork();
    if (pid == 0)
        _exit(use_forked_handles(producer, lossy));
    EXPECT_EQ(reap(pid), 0);
    gyre_publish(producer);
    EXPECT_STATUS(gyre_recv(consumer, buffer, 64, &size, trial_patience()), GYRE_OK);
    EXPECT_TRUE(size == 5 && memcmp(buffer, "first", 5) == 0);
    EXPECT_STATUS(gyre_recv(consumer, buffer, 64, &size, trial_patience()), GYRE_OK);
    EXPECT_TRUE(size == 6 && memcmp(buffer, "second", 6) == 0);
    EXPECT_STATUS(gyre_recv(lossy, buffer, 64, &size, trial_patience()), GYRE_OK);
    EXPECT_STATUS(try_elsewhere(), GYRE_BUSY);
    EXPECT_STATUS(gyre_wait(consumer, 0), GYRE_TIMEOUT);
    gyre_consumer_close(lossy);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

/* The child lives on. */
static void fork_one(void)
{
    uint64_t count = stage()->forked_count;
    pid_t    pid = fork();

    if (pid == 0) {
        process_limit("a forked child", 60);
        stage()->forked_pids[count] = process_id();
        gyre_store_release_64(&stage()->forked_count, count + 1);
        trial_await(&stage()->may_end, 1);
        _exit(0);
    }
    EXPECT_TRUE(pid > 0);
    trial_await(&stage()->forked_count, count + 1);
}

static bool is_fork_due;

/* As another thread may just then: the lock file is open, and no role is taken yet. */
static void *map_and_fork(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (is_fork_due)
        fork_one();
    is_fork_due = false;
    return mmap(at, size, protection, flags, fd, offset);
}

/* A process with both roles has forked, when it had them or while it got each of them. */
static int fork_and_hold(uint32_t while_opening)
{
    struct gyre_producer *producer;

    sync_calls.mmap = map_and_fork;
    is_fork_due = while_opening != 0;
    producer = open_producer(CAPACITY);
    is_fork_due = while_opening != 0;
    (void)open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    EXPECT_STATUS(gyre_send(producer, "before", 6, 0), GYRE_OK);
    if (while_opening == 0)
        fork_one();
    gyre_store_release_64(&stage()->taken, 1);
    trial_await(&stage()->may_end, 1);
    return 0;
}

static void expect_that_children_keep_no_role(uint32_t while_opening)
{
    struct process        parent;
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    uint64_t              began;

    EXPECT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    trial_start(&parent, "fork_and_hold", while_opening);
    trial_await(&stage()->taken, 1);
    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_BUSY);
    process_kill(&parent);
    EXPECT_EQ(stage()->forked_count, while_opening != 0 ? 2 : 1);
    for (uint64_t i = 0; i < stage()->forked_count; i++)
        EXPECT_EQ(kill((pid_t)stage()->forked_pids[i], 0), 0); /* the child lives */
    producer = open_producer(CAPACITY);
    EXPECT_EQ(gyre_producer_seq(producer), 1);
    consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    expect_one_live_seat(1); /* seat 0 has no holder any more */
    began = gyre_now_ns();
    for (uint32_t i = 0; i < 2 * CAPACITY / 64; i++) {
        uint32_t size;
        EXPECT_STATUS(gyre_send(producer, "message", 7, trial_patience()), GYRE_OK);
        EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_OK);
        EXPECT_TRUE(gyre_peek(consumer, &size) != NULL);
        EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
    }
    EXPECT_TRUE(gyre_now_ns() - began < NOTICE_NS); /* the dead seat held nobody up for long */
    gyre_producer_close(producer);
    gyre_consumer_close(consumer);
    EXPECT_EQ(process_list_rings(NULL), 0); /* the child does not count as somebody who is in */
    gyre_store_release_64(&stage()->may_end, 1);
    for (uint64_t i = 0; i < stage()->forked_count; i++)
        EXPECT_EQ(reap((pid_t)stage()->forked_pids[i]), 0);
}

static void a_forked_child_keeps_none_of_its_parents_roles(void)
{
    expect_that_children_keep_no_role(0);
}

static void a_child_forked_while_a_ring_opens_keeps_no_role(void)
{
    expect_that_children_keep_no_role(1);
}

/* --- the end of a ring ------------------------------------------------------------------------ */

static void the_last_one_out_removes_the_ring(void)
{
    struct gyre_producer *producer = open_producer(CAPACITY);
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    struct process        reader;

    trial_start(&reader, "join_and_stall", 0);
    trial_await(&stage()->taken, 1);
    EXPECT_EQ(process_list_rings(NULL), 3);
    EXPECT_STATUS(gyre_ring_remove(trial_ring(), 0, NULL), GYRE_BUSY);
    gyre_producer_close(producer);
    EXPECT_EQ(process_list_rings(NULL), 3);
    gyre_consumer_close(consumer);
    EXPECT_EQ(process_list_rings(NULL), 3);
    gyre_store_release_64(&stage()->may_end, 1);
    trial_finish(&reader);
    EXPECT_EQ(process_list_rings(NULL), 0);
    EXPECT_STATUS(gyre_ring_remove(trial_ring(), 0, NULL), GYRE_NOT_FOUND);
}

static void a_kept_ring_stays_and_goes_on(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumer;
    char                     buffer[8];
    uint32_t                 size;

    options.flags = GYRE_KEEP;
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
        EXPECT_EQ(gyre_producer_seq(producer), i);
        EXPECT_STATUS(gyre_send(producer, "kept", 4, 0), GYRE_OK);
        gyre_producer_close(producer);
        EXPECT_EQ(process_list_rings(NULL), 3);
    }
    consumer = open_consumer(GYRE_RELIABLE, GYRE_WAIT_SLEEP);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_STATUS(gyre_recv(consumer, buffer, 8, &size, trial_patience()), GYRE_OK);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_CLOSED);
    EXPECT_EQ(gyre_consumer_epoch(consumer), 3);
    gyre_consumer_close(consumer);
    EXPECT_EQ(process_list_rings(NULL), 3);
    EXPECT_STATUS(gyre_ring_remove(trial_ring(), 0, NULL), GYRE_OK);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "roles." #name, name                                                                       \
    }
    static const struct trial trials[] = {
        TRIAL(a_second_producer_is_told_busy_at_once),
        TRIAL(a_producer_takes_over_from_a_killed_one_at_once),
        TRIAL(nothing_published_is_lost_when_producers_are_killed),
        TRIAL(a_blocked_producer_goes_on_when_the_consumer_is_killed),
        TRIAL(seats_of_killed_processes_are_given_back),
#ifdef __linux__
        TRIAL(a_stopped_consumer_keeps_its_seat),
        TRIAL(a_stopped_producer_is_not_succeeded),
        TRIAL(a_forked_child_gets_forked_and_harms_nothing),
        TRIAL(a_forked_child_keeps_none_of_its_parents_roles),
        TRIAL(a_child_forked_while_a_ring_opens_keeps_no_role),
        TRIAL(the_last_one_out_removes_the_ring),
        TRIAL(a_kept_ring_stays_and_goes_on),
#endif
    };
    static const struct role roles[] = {
        {"write_until_killed", write_until_killed},
        {"write_and_close", write_and_close},
        {"read_stream", read_stream},
        {"hold_until_told", hold_until_told},
        {"try_to_write", try_to_write},
        {"join_and_stall", join_and_stall},
        {"block_in_send", block_in_send},
        {"take_seats", take_seats},
#ifdef __linux__
        {"fork_and_hold", fork_and_hold},
#endif
    };
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
