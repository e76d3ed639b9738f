/*
 * test_hostile.c - one consumer writes random bytes over all that it may write, for as long as the
 * trial lasts, beside a producer and two reliable consumers that check every byte.
 *
 * The hostile one has every right of a consumer: CTRL for writing, all of it, so the seats of the
 * others too; the bells; DATA for reading.  So the honest ones may lose their seat, and are told,
 * and join again.  They may never get a wrong byte; the producer may be delayed and must not stop.
 */
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "payload.h"
#include "trial.h"

#define CAPACITY (UINT64_C(1) << 20)
#define WORDS_MAX 500u
#define HONEST 2u
#define NS_PER_MS UINT64_C(1000000)

struct stage {
    uint64_t ready_count;
    uint64_t sent_count;
    uint64_t progress_ns; /* when the producer last sent something */
    uint64_t is_over;     /* the producer closes */
    uint64_t is_calm;     /* the hostile one stops */
    uint64_t hostile_writes;
    uint64_t hostile_evictions;
    uint64_t received_count[HONEST];
    uint64_t evicted_count[HONEST];
    uint64_t lost_count[HONEST];
};

static struct stage *stage(void)
{
    return trial_stage();
}

static void add(uint64_t *word, uint64_t count)
{
    gyre_store_release_64(word, gyre_load_relaxed_64(word) + count);
}

/* --- the producer ----------------------------------------------------------------------------- */

static int play_producer(uint32_t argument)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    uint64_t                 message[WORDS_MAX];

    (void)argument;
    options.capacity = CAPACITY;
    options.seat_count = 8;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    add(&stage()->ready_count, 1);
    while (gyre_load_acquire_64(&stage()->is_over) == 0) {
        uint64_t         seq = gyre_producer_seq(producer);
        uint32_t         words = payload_words(seq, WORDS_MAX);
        enum gyre_status status;
        payload_write(message, words, seq, 5);
        status = gyre_send(producer, message, words * 8, gyre_now_ns() + 100 * NS_PER_MS);
        EXPECT(status == GYRE_OK || status == GYRE_TIMEOUT, "send: %s", gyre_status_name(status));
        if (status != GYRE_OK)
            continue;
        add(&stage()->sent_count, 1);
        gyre_store_release_64(&stage()->progress_ns, gyre_now_ns());
    }
    gyre_producer_close(producer);
    return 0;
}

/* --- the honest ------------------------------------------------------------------------------- */

/* At message `seq`, or at the oldest that is left. */
static struct gyre_consumer *join(uint64_t seq)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    uint64_t                     patience = trial_patience();
    enum gyre_status             status;

    options.start = GYRE_START_SEQ;
    options.start_seq = seq;
    /* A seat that the hostile one made look taken is there again when its lease is looked at. */
    do
        status = gyre_consumer_open(trial_ring(), &options, &consumer, NULL);
    while (status == GYRE_NO_SEAT && gyre_now_ns() < patience);
    EXPECT_STATUS(status, GYRE_OK);
    return consumer;
}

static int play_honest(uint32_t idx)
{
    static uint64_t       message[WORDS_MAX];
    struct gyre_consumer *consumer = join(0);
    uint64_t              next = 0;

    add(&stage()->ready_count, 1);
    for (;;) {
        uint32_t         size = 0;
        enum gyre_status status =
            gyre_recv(consumer, message, sizeof(message), &size, gyre_now_ns() + 100 * NS_PER_MS);
        if (status == GYRE_CLOSED)
            break;
        if (status == GYRE_OK) {
            EXPECT(payload_check(message, size, next, WORDS_MAX), "message %llu is wrong",
                   (unsigned long long)next);
            next++;
            add(&stage()->received_count[idx], 1);
        } else if (status == GYRE_EVICTED) {
            gyre_consumer_close(consumer);
            consumer = join(next);
            add(&stage()->evicted_count[idx], 1);
        } else if (status == GYRE_GAP) {
            next += gyre_consumer_gap(consumer);
            EXPECT_EQ(next, gyre_consumer_seq(consumer));
            add(&stage()->lost_count[idx], gyre_consumer_gap(consumer));
        } else {
            EXPECT(status == GYRE_TIMEOUT, "recv: %s", gyre_status_name(status));
        }
    }
    gyre_consumer_close(consumer);
    return 0;
}

/* --- the hostile ------------------------------------------------------------------------------ */

/* One word of CTRL behind its header: mostly rubbish, at times something that hurts more. */
static void write_somewhere(struct gyre_consumer *consumer, uint64_t *random)
{
    unsigned char *ctrl = consumer->ring.ctrl.base;
    uint64_t       size = gyre__ctrl_size(consumer->ring.geometry.seat_count);
    uint64_t       choice = trial_random(random);
    uint64_t       value = trial_random(random);
    uint64_t       offset = GYRE_SLEEPERS_OFF + choice / 8 % ((size - GYRE_SLEEPERS_OFF) / 8) * 8;
    uint32_t       seat = (uint32_t)(choice / 8 % consumer->ring.geometry.seat_count);

    switch (choice % 8) {
    case 0: /* somebody's cursor, somewhere near the truth */
        offset = GYRE_SEATS_OFF + seat * GYRE_LINE_SIZE;
        value = consumer->ring.front->granted_pos + value % CAPACITY / 64 * 64;
        break;
    case 1:
        offset = GYRE_SEATS_OFF + seat * GYRE_LINE_SIZE + 8;
        value =
            gyre__seat_control(value % 4, (uint32_t)(value / 4 % 3), (uint32_t)(value / 16 % 3));
        break;
    case 2:
        offset = GYRE_SLEEPERS_OFF;
        break;
    default:
        break;
    }
    gyre_store_relaxed_64((uint64_t *)(void *)(ctrl + offset), value);
    if (choice / 64 % 64 == 0)
        gyre__ring_room(&consumer->ring);
}

static int play_hostile(uint32_t pace)
{
    struct gyre_consumer *consumer = join(0);
    uint64_t              random = 11;
    uint32_t              size;

    add(&stage()->ready_count, 1);
    while (gyre_load_acquire_64(&stage()->is_calm) == 0) {
        uint64_t until = gyre_now_ns() + pace;
        for (uint32_t i = 0; i < 8; i++)
            write_somewhere(consumer, &random);
        add(&stage()->hostile_writes, 8);
        while (gyre_now_ns() < until)
            gyre_pause();
        (void)gyre_peek(consumer, &size);
        (void)gyre_release(consumer);
        if (gyre_wait(consumer, 0) == GYRE_EVICTED) {
            add(&stage()->hostile_evictions, 1);
            gyre_consumer_close(consumer);
            consumer = join(0);
        }
    }
    gyre_consumer_close(consumer);
    return 0;
}

/* --- the trial -------------------------------------------------------------------------------- */

static uint64_t evictions(void)
{
    struct gyre_ring_info info;

    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, NULL), GYRE_OK);
    return info.evicted_count;
}

/* For so long the producer goes on; returns messages a second that it sent. */
static double watch(uint64_t duration_ns, uint64_t *longest_ns)
{
    uint64_t begin = gyre_now_ns();
    uint64_t sent = gyre_load_acquire_64(&stage()->sent_count);

    while (gyre_now_ns() - begin < duration_ns) {
        uint64_t progress = gyre_load_acquire_64(&stage()->progress_ns);
        uint64_t now = gyre_now_ns();
        uint64_t since = now > progress ? now - progress : 0;
        if (since > now - begin)
            since = now - begin;
        if (since > *longest_ns)
            *longest_ns = since;
        EXPECT(since < PROCESS_PATIENCE_NS / 2, "the producer is stuck");
        process_nap();
    }
    return (double)(gyre_load_acquire_64(&stage()->sent_count) - sent) * 1e9 /
           (double)(gyre_now_ns() - begin);
}

/* Where processes are slow few of the writes are seen by the producer: it goes on until one is. */
static void await_eviction(void)
{
    uint64_t begin = gyre_now_ns();

    while (evictions() == 0) {
        EXPECT(gyre_now_ns() - begin < PROCESS_PATIENCE_NS / 2, "no seat was taken");
        process_nap();
    }
}

static void run_beside_hostile(uint64_t duration_ns, uint32_t pace_ns)
{
    struct process producer, honest[HONEST], hostile;
    uint64_t       longest = 0, calm_longest = 0;
    double         before, during, after;
    uint64_t       received[HONEST];

    trial_start(&producer, "producer", 0);
    trial_await(&stage()->ready_count, 1);
    for (uint32_t i = 0; i < HONEST; i++)
        trial_start(&honest[i], "honest", i);
    trial_await(&stage()->ready_count, 1 + HONEST);
    before = watch(duration_ns / 8, &calm_longest);
    trial_start(&hostile, "hostile", pace_ns);
    trial_await(&stage()->ready_count, 2 + HONEST);
    during = watch(duration_ns, &longest);
    await_eviction();
    gyre_store_release_64(&stage()->is_calm, 1);
    trial_finish(&hostile);
    for (uint32_t i = 0; i < HONEST; i++)
        received[i] = gyre_load_acquire_64(&stage()->received_count[i]);
    after = watch(duration_ns / 8, &calm_longest);
    for (uint32_t i = 0; i < HONEST; i++)
        trial_await(&stage()->received_count[i], received[i] + 1);
    EXPECT_TRUE(stage()->hostile_evictions > 0);
    gyre_store_release_64(&stage()->is_over, 1);
    trial_finish(&producer);
    for (uint32_t i = 0; i < HONEST; i++)
        trial_finish(&honest[i]);
    trial_note("%.2f M/s before, %.2f during, %.2f after; the longest silence %.1f ms during",
               before / 1e6, during / 1e6, after / 1e6, (double)longest / 1e6);
    trial_note(
        "%llu hostile writes; it was evicted %llu times; the honest received %llu and %llu, "
        "0 wrong, were evicted %llu and %llu times and missed %llu and %llu",
        (unsigned long long)stage()->hostile_writes, (unsigned long long)stage()->hostile_evictions,
        (unsigned long long)stage()->received_count[0],
        (unsigned long long)stage()->received_count[1],
        (unsigned long long)stage()->evicted_count[0],
        (unsigned long long)stage()->evicted_count[1], (unsigned long long)stage()->lost_count[0],
        (unsigned long long)stage()->lost_count[1]);
}

static void random_bytes_from_a_consumer_reach_nobody(void)
{
    run_beside_hostile((uint64_t)trial_rounds(6, 6) * 1000 * NS_PER_MS, 20000);
}

static void random_bytes_as_fast_as_can_be_reach_nobody(void)
{
    run_beside_hostile((uint64_t)trial_rounds(2, 2) * 1000 * NS_PER_MS, 0);
}

static const struct trial trials[] = {
    {"random_bytes_from_a_consumer_reach_nobody", random_bytes_from_a_consumer_reach_nobody},
    {"random_bytes_as_fast_as_can_be_reach_nobody", random_bytes_as_fast_as_can_be_reach_nobody},
};

static const struct role roles[] = {
    {"producer", play_producer},
    {"honest", play_honest},
    {"hostile", play_hostile},
};

int main(int argc, char **argv)
{
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
