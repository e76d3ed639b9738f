/*
 * test_recovery.c - how those who live go on: a producer past consumers that died or stopped, a
 * standby in a dead producer's place, a watcher that notices deaths at once.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "trial.h"

#ifdef __linux__
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define NS_PER_MS UINT64_C(1000000)
#define CAPACITY 4096u
#define SIZE 56u
#define SEATS_MAX 4u

#define STANDBYS 3u

struct stage {
    uint64_t joined; /* consumers that have */
    uint64_t may_end;
    uint64_t waiting; /* standbys that are about to */
    uint64_t turns;   /* producers that came to write */
    uint64_t writing[STANDBYS];
    uint64_t since_ns[STANDBYS]; /* when each became the producer */
    uint64_t cpu_ns[STANDBYS];   /* and what its wait cost */
    uint64_t may_close[STANDBYS];
    uint64_t pause;  /* readers that stall are to do so */
    uint64_t paused; /* so many have */
    uint64_t resume;
    uint64_t evictions;
    uint64_t received;
    uint64_t may_stop_writing;
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

/* --- standbys --------------------------------------------------------------------------------- */

/* Waits for its turn, writes ten messages, holds the ring until it is killed or told to close. */
static int stand_by(uint32_t idx)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    uint64_t                 cpu_ns = process_cpu_ns();

    options.open_deadline_ns = trial_patience();
    (void)gyre_exchange_64(&stage()->waiting, stage()->waiting + 1);
    producer = open_producer(&options);
    stage()->since_ns[idx] = gyre_now_ns();
    stage()->cpu_ns[idx] = process_cpu_ns() - cpu_ns;
    for (uint32_t i = 0; i < 10; i++)
        put(producer);
    gyre_store_release_64(&stage()->turns, stage()->turns + 1);
    gyre_store_release_64(&stage()->writing[idx], 1);
    trial_await(&stage()->may_close[idx], 1);
    gyre_producer_close(producer);
    return 0;
}

/* Takes messages up to number `end`, each exactly once. */
static void take_up_to(struct gyre_consumer *consumer, uint64_t end)
{
    while (gyre_consumer_seq(consumer) < end) {
        uint64_t         number[SIZE / 8], seq = gyre_consumer_seq(consumer);
        uint32_t         size;
        enum gyre_status status =
            gyre_recv(consumer, number, sizeof(number), &size, trial_patience());
        if (status == GYRE_ORPHANED || status == GYRE_CLOSED)
            continue;
        EXPECT_EQ(status, GYRE_OK);
        EXPECT_EQ(number[0], seq);
    }
}

/* Who writes now; exactly one more than before does. */
static uint32_t winner(uint64_t turns)
{
    uint32_t idx = STANDBYS;

    trial_await(&stage()->turns, turns);
    for (uint32_t i = 0; i < STANDBYS; i++) {
        if (gyre_load_acquire_64(&stage()->writing[i]) != 1)
            continue;
        EXPECT(idx == STANDBYS, "two standbys write at a time");
        idx = i;
    }
    EXPECT_TRUE(idx < STANDBYS);
    return idx;
}

/* One of the standbys after the other comes, whether its predecessor is killed or closes. */
static uint64_t succeed(struct gyre_consumer *consumer, struct process *standbys)
{
    uint64_t worst = 0;

    for (uint64_t turn = 1; turn <= STANDBYS; turn++) {
        uint32_t idx = winner(turn);
        uint64_t ended_ns;
        EXPECT_EQ(gyre_consumer_epoch(consumer), turn + 1);
        take_up_to(consumer, 5 + turn * 10);
        /* Nobody else came meanwhile, for as long as it takes to notice a death. */
        process_await(&stage()->turns, turn + 1, 150 * NS_PER_MS);
        EXPECT_EQ(stage()->turns, turn);
        stage()->writing[idx] = 2;
        ended_ns = gyre_now_ns();
        if (turn % 2 == 0)
            process_kill(&standbys[idx]);
        else
            gyre_store_release_64(&stage()->may_close[idx], 1);
        if (turn == STANDBYS)
            break;
        trial_await(&stage()->turns, turn + 1);
        idx = winner(turn + 1);
        if (stage()->since_ns[idx] - ended_ns > worst)
            worst = stage()->since_ns[idx] - ended_ns;
    }
    return worst;
}

static void of_several_standbys_exactly_one_takes_over(void)
{
    uint32_t rounds = trial_rounds(6, 2);
    uint64_t worst = 0, cpu_ns = 0;

    for (uint32_t round = 0; round < rounds; round++) {
        struct gyre_ring_options options = small_ring();
        struct gyre_producer    *producer = open_producer(&options);
        struct gyre_consumer    *consumer = open_consumer(NULL);
        struct process           standbys[STANDBYS];
        uint64_t                 took;
        memset(stage(), 0, sizeof(*stage()));
        for (uint32_t i = 0; i < STANDBYS; i++)
            trial_start(&standbys[i], "stand_by", i);
        trial_await(&stage()->waiting, 1);
        process_await(&stage()->turns, 1, 300 * NS_PER_MS);
        EXPECT_EQ(stage()->turns, 0);
        for (uint32_t i = 0; i < 5; i++)
            put(producer);
        gyre_producer_close(producer);
        took = succeed(consumer, standbys);
        worst = took > worst ? took : worst;
        for (uint32_t i = 0; i < STANDBYS; i++) {
            cpu_ns = stage()->cpu_ns[i] > cpu_ns ? stage()->cpu_ns[i] : cpu_ns;
            if (process_wait(&standbys[i], PROCESS_PATIENCE_NS) == PROCESS_LATE)
                EXPECT(false, "standby %u hangs", i);
        }
        gyre_consumer_close(consumer);
        EXPECT_EQ(process_list_rings(NULL), 0);
    }
    trial_note("a standby writes at most %.2f ms after its predecessor's end; a wait of 300 ms and "
               "more costs at most %.1f ms of processor",
               (double)worst / 1e6, (double)cpu_ns / 1e6);
    EXPECT(worst < 1000 * NS_PER_MS, "a standby was late");
    EXPECT(cpu_ns < 100 * NS_PER_MS, "a standby is busy while it waits");
}

static void a_standby_waits_no_longer_than_its_deadline(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer = open_producer(&options);
    struct gyre_producer    *second = NULL;
    struct gyre_error        error;
    uint64_t                 began;

    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &second, &error), GYRE_BUSY);
    options.open_deadline_ns = 1; /* has passed: looks once */
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &second, &error), GYRE_TIMEOUT);
    EXPECT_EQ(error.status, GYRE_TIMEOUT);
    began = gyre_now_ns();
    options.open_deadline_ns = began + 250 * NS_PER_MS;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &second, &error), GYRE_TIMEOUT);
    EXPECT_TRUE(gyre_now_ns() >= options.open_deadline_ns && second == NULL);
    EXPECT(gyre_now_ns() - began < 2000 * NS_PER_MS, "it came late");
    /* The refused ones have harmed nothing; who finds nobody there waits for nobody. */
    put(producer);
    gyre_producer_close(producer);
    options.open_deadline_ns = 1;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &second, &error), GYRE_OK);
    gyre_producer_close(second);
}

/* The ring is removed by force under the standby: it makes the one that has the name now. */
static void a_standby_writes_to_the_ring_that_has_the_name(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer = open_producer(&options);
    struct gyre_consumer    *consumer;
    struct process           standby;

    trial_start(&standby, "stand_by", 0);
    trial_await(&stage()->waiting, 1);
    process_await(&stage()->turns, 1, 200 * NS_PER_MS);
    if (gyre_ring_remove(trial_ring(), 1, NULL) == GYRE_OK) { /* not on Windows */
        trial_await(&stage()->turns, 1);
        consumer = open_consumer(NULL);
        EXPECT_EQ(gyre_consumer_epoch(consumer), 1);
        gyre_store_release_64(&stage()->may_close[0], 1);
        trial_finish(&standby);
        take_up_to(consumer, 10);
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
    } else {
        gyre_producer_close(producer);
        trial_await(&stage()->turns, 1);
        gyre_store_release_64(&stage()->may_close[0], 1);
        trial_finish(&standby);
    }
}

/* --- those who live and do not read on -------------------------------------------------------- */

#define STALL_NS (80 * NS_PER_MS)

static struct gyre_consumer *join_newest(const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.wait = GYRE_WAIT_SLEEP;
    options.group = group;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

/* One message.  OK: it is whole and has its number. */
static enum gyre_status read_one(struct gyre_consumer *consumer)
{
    uint64_t         seq = gyre_consumer_seq(consumer), number = UINT64_MAX;
    enum gyre_status status = gyre_wait(consumer, trial_patience());
    const void      *message;
    uint32_t         size;

    if (status != GYRE_OK)
        return status;
    message = gyre_peek(consumer, &size);
    if (message != NULL)
        memcpy(&number, message, sizeof(number));
    if (gyre_load_acquire_64(&stage()->pause) != 0) {
        (void)gyre_exchange_64(&stage()->paused, 1);
        trial_await(&stage()->resume, 1);
    }
    status = gyre_release(consumer); /* stores into the seat, if it still may */
    if (status == GYRE_OK && message != NULL)
        EXPECT(number == seq && size == SIZE, "message %llu is torn", (unsigned long long)seq);
    return status;
}

/* Reads until the end; whoever is evicted comes back. */
static int read_and_stall(uint32_t unused)
{
    struct gyre_consumer *consumer = open_consumer(NULL);
    enum gyre_status      status;

    (void)unused;
    gyre_store_release_64(&stage()->joined, 1);
    while ((status = read_one(consumer)) != GYRE_CLOSED) {
        EXPECT(status == GYRE_OK || status == GYRE_EVICTED, "told %s", gyre_status_name(status));
        if (status == GYRE_OK) {
            gyre_store_release_64(&stage()->received, stage()->received + 1);
            continue;
        }
        EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_EVICTED); /* again */
        gyre_consumer_close(consumer);
        consumer = join_newest(NULL);
        gyre_store_release_64(&stage()->evictions, stage()->evictions + 1);
    }
    gyre_consumer_close(consumer);
    return 0;
}

/* Writes until it is told to stop, though somebody stalls. */
static int write_past_the_stalled(uint32_t unused)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;

    (void)unused;
    options.stall_timeout_ns = STALL_NS;
    options.seat_count = 2;
    producer = open_producer(&options);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    while (gyre_load_acquire_64(&stage()->may_stop_writing) == 0) {
        put(producer);
        gyre_store_release_64(&stage()->turns, gyre_producer_seq(producer));
    }
    gyre_producer_close(producer);
    return 0;
}

/* The seat of the stalled one, as its neighbours see it. */
static void expect_evicted(uint32_t seat_idx)
{
    struct gyre_ring_info info = {.size = sizeof(info)};
    struct gyre_seat_info seats[SEATS_MAX];
    uint32_t              taken;

    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, SEATS_MAX, &taken, NULL), GYRE_OK);
    for (uint32_t i = 0; i < taken; i++)
        if (seats[i].seat_idx == seat_idx)
            EXPECT(seats[i].is_evicted && seats[i].is_alive, "evicted %u, alive %u",
                   seats[i].is_evicted, seats[i].is_alive);
}

/*
 * While one is stalled, another joins: it gets the other seat, a third gets none, and whatever the
 * first one stores when it goes on, the second reads on without a fault.
 */
static void join_meanwhile(struct process *reader, bool by_signal)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *successor, *third = NULL;
    uint64_t                     evictions = stage()->evictions;
    uint64_t                     seq = gyre_load_acquire_64(&stage()->turns);

    trial_await(&stage()->turns, seq + 2 * CAPACITY / 64); /* past it */
    expect_evicted(0);
    successor = join_newest(NULL);
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &third, NULL), GYRE_NO_SEAT);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_STATUS(read_one(successor), GYRE_OK);
    if (by_signal)
        process_continue(reader);
    stage()->pause = 0;
    gyre_store_release_64(&stage()->resume, 1);
    while (gyre_load_acquire_64(&stage()->evictions) == evictions)
        EXPECT_STATUS(read_one(successor), GYRE_OK);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_STATUS(read_one(successor), GYRE_OK);
    EXPECT_EQ(stage()->evictions, evictions + 1);
    gyre_consumer_close(successor);
}

static void stall_again_and_again(bool by_signal)
{
    uint32_t       rounds = trial_rounds(10, 5);
    uint64_t       random = 77, received;
    struct process writer, reader;

    trial_start(&writer, "write_past_the_stalled", 0);
    trial_start(&reader, "read_and_stall", 0);
    trial_await(&stage()->joined, 1);
    for (uint32_t i = 0; i < rounds; i++) {
        received = gyre_load_acquire_64(&stage()->received);
        trial_await(&stage()->received, received + 1 + trial_random(&random) % 1000);
        stage()->resume = 0;
        stage()->paused = 0;
        if (by_signal)
            process_stop(&reader); /* wherever it is */
        else
            gyre_store_release_64(&stage()->pause, 1);
        if (!by_signal)
            trial_await(&stage()->paused, 1); /* between peek and release */
        gyre_store_release_64(&stage()->pause, 0);
        join_meanwhile(&reader, by_signal);
    }
    gyre_store_release_64(&stage()->may_stop_writing, 1);
    trial_finish(&reader);
    trial_finish(&writer);
    EXPECT_EQ(stage()->evictions, rounds);
    EXPECT_EQ(process_list_rings(NULL), 0);
    trial_note("%u evictions, %llu messages", rounds, (unsigned long long)stage()->turns);
}

static void a_stalled_consumer_is_evicted_and_harms_no_successor(void)
{
    stall_again_and_again(false);
}

static void a_stopped_consumer_is_evicted_and_harms_no_successor(void)
{
    if (!TRIAL_IS_WINDOWS)
        stall_again_and_again(true);
}

/* Returns how long the producer is held up; at the end the consumer reads one message a slice. */
static uint64_t hold_up(struct gyre_producer *producer, struct gyre_consumer *consumer,
                        uint64_t timeout_ns)
{
    uint64_t began;

    fill(producer);
    began = gyre_now_ns();
    EXPECT_STATUS(gyre_wait_room(producer, SIZE, began + timeout_ns / 2), GYRE_TIMEOUT);
    EXPECT_STATUS(gyre_wait(consumer, 0), GYRE_OK); /* not evicted yet */
    began = gyre_now_ns();
    put(producer);
    return gyre_now_ns() - began;
}

static void a_slow_consumer_that_reads_on_is_not_evicted(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumer;
    struct gyre_ring_info    info = {.size = sizeof(info)};
    uint64_t                 took_ns;

    options.stall_timeout_ns = 3 * STALL_NS;
    producer = open_producer(&options);
    consumer = open_consumer(NULL);
    fill(producer);
    for (uint32_t i = 0; i < 20; i++) { /* for much longer than the time-out, a bit at a time */
        EXPECT_STATUS(gyre_wait_room(producer, 1024, gyre_now_ns() + STALL_NS / 2), GYRE_TIMEOUT);
        EXPECT_STATUS(read_one(consumer), GYRE_OK);
        (void)try_put(producer);
    }
    took_ns = hold_up(producer, consumer, options.stall_timeout_ns);
    EXPECT(took_ns >= options.stall_timeout_ns / 4, "evicted after %llu ms",
           (unsigned long long)(took_ns / NS_PER_MS));
    EXPECT_STATUS(gyre_wait(consumer, 0), GYRE_EVICTED);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, NULL), GYRE_OK);
    EXPECT_EQ(info.evicted_count, 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* A shell's Ctrl-Z stops a whole pipeline: when it goes on, nobody was slow. */
static void who_was_stopped_with_the_producer_is_not_evicted(void)
{
    struct process writer, reader;
    uint64_t       received;

    if (TRIAL_IS_WINDOWS)
        return;
    trial_start(&writer, "write_past_the_stalled", 0);
    trial_start(&reader, "read_and_stall", 0);
    trial_await(&stage()->joined, 1);
    for (uint32_t i = 0; i < 5; i++) {
        received = gyre_load_acquire_64(&stage()->received);
        trial_await(&stage()->received, received + 100);
        process_stop(&reader);
        process_await(&stage()->resume, 1, STALL_NS / 4); /* the writer begins to count */
        process_stop(&writer);
        process_await(&stage()->resume, 1, 3 * STALL_NS);
        process_continue(&writer);
        process_await(&stage()->resume, 1, STALL_NS / 8);
        process_continue(&reader);
    }
    gyre_store_release_64(&stage()->may_stop_writing, 1);
    trial_finish(&reader);
    trial_finish(&writer);
    EXPECT_EQ(stage()->evictions, 0);
}

static void a_stalled_group_is_evicted(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    struct gyre_consumer    *member, *other;
    struct gyre_group_info   groups[2];
    uint32_t                 count;

    options.stall_timeout_ns = STALL_NS;
    producer = open_producer(&options);
    member = open_consumer("g");
    other = open_consumer("g");
    EXPECT_TRUE(try_put(producer));
    EXPECT_STATUS(gyre_wait(member, trial_patience()), GYRE_OK); /* has claimed it, and stalls */
    fill(producer);
    while (gyre_wait(other, 0) == GYRE_OK) /* its mate reads on */
        EXPECT_STATUS(read_one(other), GYRE_OK);
    put(producer);
    EXPECT_STATUS(gyre_wait(member, 0), GYRE_EVICTED);
    EXPECT_STATUS(gyre_ring_inspect_groups(trial_ring(), groups, 2, &count, NULL), GYRE_OK);
    EXPECT_TRUE(count == 1 && groups[0].lost_count == 1);
    gyre_consumer_close(member);
    EXPECT_STATUS(read_one(other), GYRE_OK);
    fill(producer); /* now all that is left of the group stalls, with nothing claimed */
    put(producer);
    EXPECT_STATUS(gyre_wait(other, 0), GYRE_EVICTED);
    gyre_consumer_close(other);
    gyre_producer_close(producer);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

/* --- watchers --------------------------------------------------------------------------------- */

/*
 * 99 of 100: within a slice and a little more, or, watched, at once.  From the kill to the one who
 * is told four threads must get a processor, each as late as this machine's timers then are.
 */
#define SLICED_P99_NS (150 * NS_PER_MS)
#define MEMBER_P99_NS (TRIAL_IS_WINDOWS ? 1050 * NS_PER_MS : SLICED_P99_NS) /* its own slices */
#define WATCHED_P99_NS (5 * NS_PER_MS)
#define HOPS 4u

static struct gyre_consumer *open_watching(enum gyre_watch watch, const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.wait = GYRE_WAIT_SLEEP;
    options.watch = watch;
    options.group = group;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

struct killer {
    struct process *victim;
    uint64_t        after_ns;
    uint64_t        killed_ns;
};

static uint64_t late_ns; /* of the last killer's timer */

/* Some time of a sleep that is cut into slices, or of one that is not. */
static uint64_t into_the_sleep(enum gyre_watch watch, uint64_t *random)
{
    uint64_t longest = watch == GYRE_WATCH_SLICES ? 110 * NS_PER_MS : 10 * NS_PER_MS;

    return 5 * NS_PER_MS + trial_random(random) % longest;
}

/* In another thread, while the trial's own sleeps. */
static void kill_while_asleep(void *context)
{
    struct killer *killer = context;
    uint64_t       never = 0, due_ns = gyre_now_ns() + killer->after_ns;

    process_await(&never, 1, killer->after_ns);
    killer->killed_ns = gyre_now_ns();
    late_ns = killer->killed_ns > due_ns ? killer->killed_ns - due_ns : 0;
    process_kill(killer->victim);
}

static int hold(uint32_t unused)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer = open_producer(&options);

    (void)unused;
    gyre_store_release_64(&stage()->turns, 1);
    trial_await(&stage()->may_end, 1);
    gyre_producer_close(producer);
    return 0;
}

static uint64_t die_under_a_consumer(enum gyre_watch watch, uint64_t *random)
{
    struct process        holder;
    struct killer         killer = {&holder, into_the_sleep(watch, random), 0};
    struct process_thread thread;
    struct gyre_consumer *consumer;
    uint64_t              told_ns;

    stage()->turns = 0;
    trial_start(&holder, "hold", 0);
    trial_await(&stage()->turns, 1);
    consumer = open_watching(watch, NULL);
    process_thread_start(&thread, kill_while_asleep, &killer);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_ORPHANED);
    told_ns = gyre_now_ns();
    process_thread_join(&thread);
    gyre_consumer_close(consumer);
    return told_ns - killer.killed_ns;
}

static uint64_t die_under_a_producer(enum gyre_watch watch, uint64_t *random)
{
    struct gyre_ring_options options = small_ring();
    struct process           sitter;
    struct killer            killer = {&sitter, into_the_sleep(watch, random), 0};
    struct process_thread    thread;
    struct gyre_producer    *producer;
    uint64_t                 went_on_ns;

    options.watch = watch;
    producer = open_producer(&options);
    stage()->joined = 0;
    trial_start(&sitter, "sit", 1);
    trial_await(&stage()->joined, 1);
    fill(producer);
    process_thread_start(&thread, kill_while_asleep, &killer);
    EXPECT_STATUS(gyre_wait_room(producer, SIZE, trial_patience()), GYRE_OK);
    went_on_ns = gyre_now_ns();
    process_thread_join(&thread);
    gyre_producer_close(producer);
    return went_on_ns - killer.killed_ns;
}

/* What a killed member had claimed comes to its mate. */
static uint64_t die_in_a_group(enum gyre_watch watch, uint64_t *random)
{
    struct gyre_ring_options options = small_ring();
    struct process           sitter;
    struct killer            killer = {&sitter, into_the_sleep(watch, random), 0};
    struct process_thread    thread;
    struct gyre_producer    *producer = open_producer(&options);
    struct gyre_consumer    *mate = open_watching(watch, "g");
    uint64_t                 told_ns;

    stage()->joined = 0;
    trial_start(&sitter, "sit", IN_A_GROUP + 1);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 2, trial_patience()), GYRE_OK);
    EXPECT_TRUE(try_put(producer));
    trial_await(&stage()->joined, 1);
    process_thread_start(&thread, kill_while_asleep, &killer);
    EXPECT_STATUS(gyre_wait(mate, trial_patience()), GYRE_OK);
    told_ns = gyre_now_ns();
    EXPECT_STATUS(read_one(mate), GYRE_OK);
    EXPECT_TRUE(gyre_consumer_is_redelivered(mate) == 1);
    process_thread_join(&thread);
    gyre_consumer_close(mate);
    gyre_producer_close(producer);
    return told_ns - killer.killed_ns;
}

static void measure_deaths(const char *what, uint64_t sliced_p99_ns,
                           uint64_t (*run)(enum gyre_watch watch, uint64_t *random))
{
    static uint64_t times[2000], late[2000];
    uint64_t        random = 11, median;

    for (int watch = GYRE_WATCH_SLICES; watch <= GYRE_WATCH_THREAD; watch++) {
        uint32_t rounds = trial_rounds(watch == GYRE_WATCH_THREAD ? 200 : 20, 5);
        uint64_t p99, late_p99, bound = sliced_p99_ns;
        if (watch == GYRE_WATCH_THREAD && !TRIAL_IS_WINDOWS)
            bound = WATCHED_P99_NS;
        for (uint32_t i = 0; i < rounds; i++) {
            times[i] = run((enum gyre_watch)watch, &random);
            late[i] = late_ns;
        }
        median = trial_median(times, rounds);
        (void)trial_median(late, rounds);
        p99 = times[(rounds * 99 + 99) / 100 - 1];
        late_p99 = late[(rounds * 99 + 99) / 100 - 1];
        trial_note("%s, %s: %u kills, recovery %.2f ms median, %.2f ms p99, %.2f ms at most "
                   "(timers %.2f ms late, p99)",
                   what, watch == GYRE_WATCH_THREAD ? "watched" : "in slices", rounds,
                   (double)median / 1e6, (double)p99 / 1e6, (double)times[rounds - 1] / 1e6,
                   (double)late_p99 / 1e6);
        EXPECT(median <= bound && p99 <= bound + HOPS * late_p99, "%s: p99 is over %llu ms", what,
               (unsigned long long)(bound / NS_PER_MS));
    }
}

static void a_producers_death_is_told_at_once_to_who_watches(void)
{
    measure_deaths("a consumer under a dead producer", SLICED_P99_NS, die_under_a_consumer);
}

static void a_consumers_death_lets_a_watching_producer_go_on_at_once(void)
{
    measure_deaths("a producer behind a dead consumer", SLICED_P99_NS, die_under_a_producer);
}

static void a_members_death_is_told_at_once_to_a_watching_mate(void)
{
    measure_deaths("a member beside a dead one", MEMBER_P99_NS, die_in_a_group);
}

#ifdef __linux__

static uint32_t count_entries(const char *path)
{
    DIR     *dir = opendir(path);
    uint32_t count = 0;

    EXPECT_TRUE(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* The program that embeds the library keeps its signals, and gets back its threads and files. */
static void a_watch_takes_no_signals_and_leaves_nothing_behind(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumer;
    struct sigaction         action = {.sa_handler = count_signal};
    sigset_t                 set, pending;
    uint32_t                 files = count_entries("/proc/self/fd");
    uint32_t                 threads = count_entries("/proc/self/task");

    options.watch = GYRE_WATCH_THREAD;
    EXPECT_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (uint32_t i = 0; i < 20; i++) {
        producer = open_producer(&options);
        consumer = open_watching(GYRE_WATCH_THREAD, i % 2 == 0 ? NULL : "g");
        EXPECT_EQ(count_entries("/proc/self/task"), threads + 2);
        EXPECT_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
        EXPECT_EQ(kill(getpid(), SIGUSR1), 0); /* to whichever thread takes it */
        EXPECT_TRUE(try_put(producer));
        EXPECT_STATUS(read_one(consumer), GYRE_OK);
        EXPECT_TRUE(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
        EXPECT_EQ(signals, i);
        EXPECT_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
        EXPECT_EQ(signals, i + 1);
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
    }
    EXPECT_EQ(count_entries("/proc/self/task"), threads);
    EXPECT_EQ(count_entries("/proc/self/fd"), files);
}

/* A watched handle in an event loop, and one in a wait for several, tell of the death, once. */
static void a_watched_handle_becomes_readable_at_a_death(void)
{
    struct gyre_consumer *consumers[2];
    struct process        holder;
    struct pollfd         polled = {.events = POLLIN};
    intptr_t              handle;
    uint64_t              rearm_ns, began;
    uint32_t              which = 9;

    trial_start(&holder, "hold", 0);
    trial_await(&stage()->turns, 1);
    consumers[0] = open_watching(GYRE_WATCH_THREAD, NULL);
    consumers[1] = open_watching(GYRE_WATCH_THREAD, NULL);
    EXPECT_STATUS(gyre_consumer_handle(consumers[0], &handle, NULL), GYRE_OK);
    polled.fd = (int)handle;
    EXPECT_STATUS(gyre_consumer_arm(consumers[0], &rearm_ns), GYRE_TIMEOUT);
    EXPECT_EQ(poll(&polled, 1, 0), 0);
    process_kill(&holder);
    began = gyre_now_ns();
    EXPECT_EQ(poll(&polled, 1, 20000), 1);
    EXPECT_STATUS(gyre_consumer_arm(consumers[0], &rearm_ns), GYRE_ORPHANED);
    EXPECT_STATUS(gyre_consumer_arm(consumers[0], &rearm_ns), GYRE_TIMEOUT); /* told once */
    EXPECT_EQ(poll(&polled, 1, 150), 0);
    EXPECT_STATUS(gyre_wait_any(consumers, 2, trial_patience(), &which), GYRE_ORPHANED);
    EXPECT_EQ(which, 1);
    trial_note("told after %.2f ms, the poll of 150 ms that finds nothing included",
               (double)(gyre_now_ns() - began) / 1e6);
    EXPECT_STATUS(gyre_wait_any(consumers, 2, gyre_now_ns() + 150 * NS_PER_MS, &which),
                  GYRE_TIMEOUT);
    /* A successor, and its death, are told of likewise. */
    stage()->turns = 0;
    trial_start(&holder, "hold", 0);
    trial_await(&stage()->turns, 1);
    EXPECT_STATUS(gyre_wait(consumers[0], 0), GYRE_TIMEOUT);
    process_kill(&holder);
    EXPECT_STATUS(gyre_wait(consumers[0], trial_patience()), GYRE_ORPHANED);
    EXPECT_STATUS(gyre_wait_any(consumers, 2, trial_patience(), &which), GYRE_ORPHANED);
    EXPECT_EQ(which, 1);
    gyre_consumer_close(consumers[0]);
    gyre_consumer_close(consumers[1]);
}

/* A child that forked while its parent watched: it keeps nothing of it alive. */
static void a_forked_child_has_no_watch(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumer;
    struct process           child;

    options.watch = GYRE_WATCH_THREAD;
    producer = open_producer(&options);
    consumer = open_watching(GYRE_WATCH_THREAD, NULL);
    if (process_fork(&child)) {
        uint64_t never = 0;
        EXPECT_STATUS(gyre_wait(consumer, 0), GYRE_FORKED);
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
        stage()->joined = 1;
        process_await(&never, 1, PROCESS_PATIENCE_NS);
        process_kill_self();
    }
    trial_await(&stage()->joined, 1);
    EXPECT_TRUE(try_put(producer));
    EXPECT_STATUS(read_one(consumer), GYRE_OK);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    process_kill(&child);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

static bool is_watch(int fd)
{
    char    path[64], target[64] = "";
    ssize_t size;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    size = readlink(path, target, sizeof(target) - 1);
    return size > 0 && strstr(target, "inotify") != NULL;
}

/* Just then another thread may open a file, which gets the number, and fork. */
static int close_and_fork(int fd)
{
    bool           was_watch = is_watch(fd);
    int            result = close(fd);
    struct process child;
    int            file;

    if (!was_watch)
        return result;
    file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file != fd) {
        EXPECT_EQ(dup2(file, fd), fd);
        EXPECT_EQ(close(file), 0);
    }
    sync_calls.close = close; /* the child's, too */
    if (process_fork(&child))
        _exit(fcntl(fd, F_GETFD) >= 0 ? 0 : 1);
    sync_calls.close = close_and_fork;
    EXPECT_EQ(process_wait(&child, PROCESS_PATIENCE_NS), 0); /* 1: it was closed */
    EXPECT_EQ(close(fd), 0);
    stage()->turns++;
    return result;
}

static void a_child_forked_while_a_watch_closes_keeps_its_own_files(void)
{
    struct gyre_ring_options options = small_ring();
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumer;

    options.watch = GYRE_WATCH_THREAD;
    producer = open_producer(&options);
    consumer = open_watching(GYRE_WATCH_THREAD, NULL);
    sync_calls.close = close_and_fork;
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    sync_calls.close = close;
    EXPECT_EQ(stage()->turns, 2);
}

#endif

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"recovery.a_producers_death_is_told_at_once_to_who_watches",
         a_producers_death_is_told_at_once_to_who_watches},
        {"recovery.a_consumers_death_lets_a_watching_producer_go_on_at_once",
         a_consumers_death_lets_a_watching_producer_go_on_at_once},
        {"recovery.a_members_death_is_told_at_once_to_a_watching_mate",
         a_members_death_is_told_at_once_to_a_watching_mate},
#ifdef __linux__
        {"recovery.a_watch_takes_no_signals_and_leaves_nothing_behind",
         a_watch_takes_no_signals_and_leaves_nothing_behind},
        {"recovery.a_watched_handle_becomes_readable_at_a_death",
         a_watched_handle_becomes_readable_at_a_death},
        {"recovery.a_forked_child_has_no_watch", a_forked_child_has_no_watch},
        {"recovery.a_child_forked_while_a_watch_closes_keeps_its_own_files",
         a_child_forked_while_a_watch_closes_keeps_its_own_files},
#endif
        {"recovery.a_stalled_consumer_is_evicted_and_harms_no_successor",
         a_stalled_consumer_is_evicted_and_harms_no_successor},
        {"recovery.a_stopped_consumer_is_evicted_and_harms_no_successor",
         a_stopped_consumer_is_evicted_and_harms_no_successor},
        {"recovery.a_slow_consumer_that_reads_on_is_not_evicted",
         a_slow_consumer_that_reads_on_is_not_evicted},
        {"recovery.who_was_stopped_with_the_producer_is_not_evicted",
         who_was_stopped_with_the_producer_is_not_evicted},
        {"recovery.a_stalled_group_is_evicted", a_stalled_group_is_evicted},
        {"recovery.of_several_standbys_exactly_one_takes_over",
         of_several_standbys_exactly_one_takes_over},
        {"recovery.a_standby_waits_no_longer_than_its_deadline",
         a_standby_waits_no_longer_than_its_deadline},
        {"recovery.a_standby_writes_to_the_ring_that_has_the_name",
         a_standby_writes_to_the_ring_that_has_the_name},
        {"recovery.a_producer_that_is_about_to_sleep_sees_who_is_dead",
         a_producer_that_is_about_to_sleep_sees_who_is_dead},
    };
    static const struct role roles[] = {
        {"sit", sit},
        {"stand_by", stand_by},
        {"hold", hold},
        {"read_and_stall", read_and_stall},
        {"write_past_the_stalled", write_past_the_stalled},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
