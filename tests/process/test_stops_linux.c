/*
 * test_stops_linux.c - stopped, not dead: SIGSTOP and SIGCONT at random moments.
 *
 * A producer, reliable consumers, a lossy one and a tap are stopped and continued while messages
 * flow, and while they sleep.  Nobody takes over from a process that is stopped, nobody loses its
 * seat, the reliable lose nothing, and the others are told exactly what they lost.
 */
#include <stdio.h>

#ifdef __linux__

#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define CAPACITY (16u * 1024u)
#define WORDS_MAX 100u
#define BURST_MAX 400u
#define READER_COUNT 4u
#define WRITER READER_COUNT /* its place among the processes */
#define LONG_LIMIT_S 1200u

enum { SPINNER, SLEEPER, LOSSY, TAP };

struct report {
    uint64_t is_joined;
    uint64_t seq; /* the next message's number; received + lost */
    uint64_t received;
    uint64_t lost;
    uint64_t gaps;
    uint64_t torn; /* messages that were overwritten while they were read, and told so */
};

struct stage {
    struct report reports[READER_COUNT];
    uint64_t      published;
    uint64_t      is_hushed; /* the writer shall keep still */
    uint64_t      hushed;    /* and it does */
    uint64_t      may_end;
};

static struct stage *stage(void)
{
    return trial_stage();
}

static int write_in_bursts(uint32_t unused)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    uint64_t                 buffer[WORDS_MAX], random = 3;

    (void)unused;
    options.capacity = CAPACITY;
    options.seat_count = 8;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_await(&stage()->reports[i].is_joined, 1);
    while (gyre_load_acquire_64(&stage()->may_end) == 0) {
        for (uint64_t i = trial_random(&random) % BURST_MAX; i > 0; i--) {
            uint64_t number = gyre_producer_seq(producer);
            uint32_t words = payload_words(number, WORDS_MAX);
            payload_write(buffer, words, number, 1);
            EXPECT_STATUS(gyre_send(producer, buffer, words * 8, trial_patience()), GYRE_OK);
            gyre_store_release_64(&stage()->published, number + 1);
        }
        while (gyre_load_acquire_64(&stage()->is_hushed) != 0) {
            gyre_store_release_64(&stage()->hushed, 1);
            process_nap();
        }
        gyre_store_release_64(&stage()->hushed, 0);
        /* Long enough at times for those who read to fall asleep. */
        process_await(&stage()->is_hushed, 1, trial_random(&random) % NS_PER_MS);
    }
    gyre_producer_close(producer);
    return 0;
}

static enum gyre_status copy_one(struct gyre_consumer *consumer, struct report *report)
{
    uint64_t         buffer[WORDS_MAX], seq = gyre_consumer_seq(consumer);
    uint32_t         size = 0;
    enum gyre_status status = gyre_recv(consumer, buffer, sizeof(buffer), &size, trial_patience());

    if (status != GYRE_OK)
        return status;
    EXPECT(payload_check(buffer, size, seq, WORDS_MAX), "message %llu is torn: it says %llu",
           (unsigned long long)seq, (unsigned long long)buffer[0]);
    report->received++;
    return status;
}

/* What is read in place may be torn under a lossy reader; then the release must say so. */
static enum gyre_status read_in_place(struct gyre_consumer *consumer, struct report *report)
{
    uint64_t         seq = gyre_consumer_seq(consumer);
    enum gyre_status status = gyre_wait(consumer, trial_patience());
    const void      *message;
    uint32_t         size;
    bool             is_whole;

    if (status != GYRE_OK)
        return status;
    seq = gyre_consumer_seq(consumer);
    message = gyre_peek(consumer, &size);
    if (message == NULL)
        return GYRE_OK; /* overwritten since: the next wait tells */
    is_whole = size <= WORDS_MAX * 8 && payload_check(message, size, seq, WORDS_MAX);
    status = gyre_release(consumer);
    EXPECT(is_whole || status == GYRE_GAP, "message %llu is torn, and released with %s",
           (unsigned long long)seq, gyre_status_name(status));
    report->torn += !is_whole;
    report->received += status == GYRE_OK;
    return status;
}

static int read_all(uint32_t idx)
{
    static const enum gyre_consumer_kind kinds[READER_COUNT] = {GYRE_RELIABLE, GYRE_RELIABLE,
                                                                GYRE_LOSSY, GYRE_TAP};
    struct gyre_consumer_options         options = GYRE_CONSUMER_OPTIONS_INIT;
    struct report                       *report = &stage()->reports[idx];
    struct gyre_consumer                *consumer;
    enum gyre_status                     status = GYRE_OK;

    options.kind = kinds[idx];
    options.start = GYRE_START_OLDEST;
    options.wait = idx == SLEEPER ? GYRE_WAIT_SLEEP : GYRE_WAIT_SPIN_THEN_SLEEP;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    gyre_store_release_64(&report->is_joined, 1);
    for (uint32_t turn = 0; status != GYRE_CLOSED; turn++) {
        status = turn % 2 == 0 ? copy_one(consumer, report) : read_in_place(consumer, report);
        if (status == GYRE_GAP) {
            EXPECT(idx >= LOSSY, "a reliable consumer is told of a gap");
            report->gaps++;
            report->lost += gyre_consumer_gap(consumer);
        } else {
            EXPECT(status == GYRE_OK || status == GYRE_CLOSED, "reader %u is told %s", idx,
                   gyre_status_name(status));
        }
        EXPECT_EQ(report->received + report->lost, gyre_consumer_seq(consumer));
        gyre_store_release_64(&report->seq, gyre_consumer_seq(consumer));
    }
    EXPECT_EQ(report->lost, gyre_consumer_lost(consumer));
    gyre_consumer_close(consumer);
    return 0;
}

/* The first producer's epoch, three seats, nobody evicted. */
static bool are_all_asleep(void)
{
    struct gyre_ring_info info;
    struct gyre_seat_info seats[8];
    uint32_t              taken, asleep = 0;

    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, 8, &taken, NULL), GYRE_OK);
    EXPECT_EQ(info.epoch, 1);
    EXPECT_EQ(info.producer_alive, 1);
    EXPECT_EQ(taken, 3);
    for (uint32_t i = 0; i < taken; i++) {
        EXPECT_TRUE(seats[i].is_alive && !seats[i].is_evicted);
        asleep += seats[i].is_asleep != 0;
    }
    return asleep == taken;
}

static void hush(void)
{
    uint64_t deadline = trial_patience();

    gyre_store_release_64(&stage()->is_hushed, 1);
    trial_await(&stage()->hushed, 1);
    while (!are_all_asleep()) {
        EXPECT(gyre_now_ns() < deadline, "somebody finds no sleep");
        process_nap();
    }
}

/* All that is published by now comes to everybody. */
static void expect_progress(void)
{
    uint64_t published = gyre_load_acquire_64(&stage()->published);

    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_await(&stage()->reports[i].seq, published);
}

static void stop_for(struct process *process, bool is_asleep, uint64_t ns)
{
    struct gyre_producer *producer;

    if (is_asleep)
        hush();
    process_stop(process);
    gyre_store_release_64(&stage()->is_hushed, 0);
    process_await(&stage()->may_end, 1, ns);
    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_BUSY);
    (void)are_all_asleep();
    process_continue(process);
}

static void who_is_stopped_and_continued_loses_nothing(void)
{
    uint32_t       rounds = trial_rounds(200, 0), asleep = 0;
    uint32_t       stops[READER_COUNT + 1] = {0, 0, 0, 0, 0};
    uint64_t       random = 9;
    struct process processes[READER_COUNT + 1];

    process_limit("stops.who_is_stopped_and_continued_loses_nothing", LONG_LIMIT_S);
    trial_start(&processes[WRITER], "write_in_bursts", 0);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        trial_start(&processes[i], "read_all", i);
    trial_await(&stage()->published, 1);
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t who = (uint32_t)(trial_random(&random) % (READER_COUNT + 1));
        bool     is_asleep = trial_random(&random) % 4 == 0;
        /* At times for longer than it takes to notice a death. */
        uint64_t ns = trial_random(&random) % (i % 16 == 0 ? 300 * NS_PER_MS : 4 * NS_PER_MS);
        process_await(&stage()->may_end, 1, trial_random(&random) % (3 * NS_PER_MS));
        stop_for(&processes[who], is_asleep, ns);
        stops[who]++;
        asleep += is_asleep;
        if (i % 4 == 0)
            expect_progress();
        for (uint32_t at = 0; at <= READER_COUNT; at++)
            EXPECT(process_wait(&processes[at], 0) == PROCESS_LATE, "process %u gave up", at);
    }
    gyre_store_release_64(&stage()->may_end, 1);
    for (uint32_t i = 0; i <= READER_COUNT; i++)
        trial_finish(&processes[i]);
    for (uint32_t i = 0; i < READER_COUNT; i++)
        EXPECT_EQ(stage()->reports[i].seq, stage()->published);
    EXPECT_EQ(stage()->reports[SPINNER].received, stage()->published);
    EXPECT_EQ(stage()->reports[SLEEPER].received, stage()->published);
    EXPECT_EQ(process_list_rings(NULL), 0);
    trial_note("%u stops (reliable %u and %u, lossy %u, tap %u, producer %u; %u asleep), %llu "
               "messages",
               rounds, stops[SPINNER], stops[SLEEPER], stops[LOSSY], stops[TAP], stops[WRITER],
               asleep, (unsigned long long)stage()->published);
    for (uint32_t i = LOSSY; i <= TAP; i++)
        trial_note("%s: %llu received, %llu lost in %llu gaps, %llu told torn",
                   i == TAP ? "tap" : "lossy", (unsigned long long)stage()->reports[i].received,
                   (unsigned long long)stage()->reports[i].lost,
                   (unsigned long long)stage()->reports[i].gaps,
                   (unsigned long long)stage()->reports[i].torn);
    EXPECT_TRUE(stage()->reports[LOSSY].gaps > 0 && stage()->reports[TAP].gaps > 0);
}

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"stops.who_is_stopped_and_continued_loses_nothing",
         who_is_stopped_and_continued_loses_nothing},
    };
    static const struct role roles[] = {
        {"write_in_bursts", write_in_bursts},
        {"read_all", read_all},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}

#else

int main(void)
{
    printf("ok - stops # SKIP nobody is stopped by a signal here\n");
    return 0;
}

#endif
