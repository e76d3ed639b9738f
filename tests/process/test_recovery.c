/*
 * test_recovery.c - how those who live go on: a producer past consumers that died or stopped, a
 * standby in a dead producer's place, a watcher that notices deaths at once.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define CAPACITY 4096u
#define SIZE 56u
#define SEATS_MAX 4u

struct stage {
    uint64_t joined; /* consumers that have */
    uint64_t may_end;
};

static struct stage *stage(void)
{
    return trial_stage();
}

static struct gyre_ring_options small_ring(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = CAPACITY;
    options.seat_count = SEATS_MAX;
    options.wait = GYRE_WAIT_SLEEP;
    return options;
}

static struct gyre_producer *open_producer(const struct gyre_ring_options *options)
{
    struct gyre_producer *producer = NULL;

    EXPECT_STATUS(gyre_producer_open(trial_ring(), options, &producer, NULL), GYRE_OK);
    return producer;
}

static struct gyre_consumer *open_consumer(const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.start = GYRE_START_OLDEST;
    options.wait = GYRE_WAIT_SLEEP;
    options.group = group;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

/* The number of the message is what it says. */
static bool try_put(struct gyre_producer *producer)
{
    uint64_t number = gyre_producer_seq(producer);
    void    *payload = gyre_claim(producer, SIZE);

    if (payload == NULL)
        return false;
    memset(payload, 0, SIZE);
    memcpy(payload, &number, sizeof(number));
    gyre_publish(producer);
    return true;
}

static void fill(struct gyre_producer *producer)
{
    uint64_t first = gyre_producer_seq(producer);

    while (try_put(producer))
        EXPECT(gyre_producer_seq(producer) - first <= CAPACITY / 64, "nobody holds it back");
}

static void put(struct gyre_producer *producer)
{
    EXPECT_STATUS(gyre_wait_room(producer, SIZE, trial_patience()), GYRE_OK);
    EXPECT_TRUE(try_put(producer));
}

/* --- consumers that died ---------------------------------------------------------------------- */

/* Sits there, with as many seats as it is told; as members of a group if told so. */
#define IN_A_GROUP 100u
static int sit(uint32_t count)
{
    for (uint32_t i = 0; i < count % IN_A_GROUP; i++) {
        struct gyre_consumer *consumer = open_consumer(count >= IN_A_GROUP ? "g" : NULL);
        if (count >= IN_A_GROUP) /* with a claim each */
            EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_OK);
    }
    gyre_store_release_64(&stage()->joined, 1);
    trial_await(&stage()->may_end, 1);
    return 0;
}

/* Returns how long a producer is held up that has just seen them alive. */
static uint64_t go_past_the_dead(uint32_t seats)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer = open_producer(&options);
    struct process           process;
    uint64_t                 began, end;

    stage()->joined = 0;
    for (uint32_t i = 0; i < SEATS_MAX; i++)
        EXPECT_TRUE(try_put(producer));
    trial_start(&process, "sit", seats);
    trial_await(&stage()->joined, 1);
    fill(producer);
    process_kill(&process);
    began = gyre_now_ns();
    put(producer);
    end = gyre_now_ns();
    gyre_producer_close(producer);
    return end - began;
}

static void a_producer_that_is_about_to_sleep_sees_who_is_dead(void)
{
    static const uint32_t seats[] = {1, SEATS_MAX, IN_A_GROUP + 1, IN_A_GROUP + SEATS_MAX};
    uint32_t              rounds = trial_rounds(20, 4);
    uint64_t              times[200];

    for (uint32_t kind = 0; kind < sizeof(seats) / sizeof(seats[0]); kind++) {
        uint64_t median;
        for (uint32_t i = 0; i < rounds; i++)
            times[i] = go_past_the_dead(seats[kind]);
        median = trial_median(times, rounds);
        trial_note("%u seats%s: it goes on after %.2f ms median, %.2f ms at most",
                   seats[kind] % IN_A_GROUP, seats[kind] >= IN_A_GROUP ? " of a group" : "",
                   (double)median / 1e6, (double)times[rounds - 1] / 1e6);
        EXPECT(median < 50 * NS_PER_MS, "it slept through a slice");
    }
}

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"recovery.a_producer_that_is_about_to_sleep_sees_who_is_dead",
         a_producer_that_is_about_to_sleep_sees_who_is_dead},
    };
    static const struct role roles[] = {
        {"sit", sit},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
