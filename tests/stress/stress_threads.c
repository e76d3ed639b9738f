/*
 * stress_threads.c - a producer and its consumers as threads over one mapping.
 *
 * ThreadSanitizer sees a race only between threads, and only if both sides use one address: two
 * mappings of one file hide everything from it.  So mapping an object twice gives the same address
 * here.  It knows no fences either: what it is shown is that every payload byte is handed over by a
 * release and an acquire, on a header or on a cursor.  Lossy consumers read bytes that may be
 * overwritten meanwhile, by design: they are left to the builds without it.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "trial.h"

#ifdef __linux__
#include <pthread.h>
#include <sys/mman.h>

#include "linux/calls.h"
#endif

#define NS_PER_MS UINT64_C(1000000)
#define READERS_MAX 5u
#define WORDS_MAX 64u
#define BATCH_MAX 12u

/* --- one mapping for all ---------------------------------------------------------------------- */

#ifdef __linux__

#define SHARED_MAX 8u

struct shared_map {
    dev_t    device;
    ino_t    file;
    void    *base;
    size_t   size;
    uint32_t uses;
};

static struct shared_map shared_maps[SHARED_MAX];
static pthread_mutex_t   shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sync_calls real;
static uint32_t          shared_hits;

static struct shared_map *find_map(const struct stat *file, const void *base)
{
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        struct shared_map *map = &shared_maps[i];
        if (map->uses == 0)
            continue;
        if (file != NULL ? map->device == file->st_dev && map->file == file->st_ino
                         : map->base == base)
            return map;
    }
    return NULL;
}

static void *map_locked(const struct stat *file, size_t size, int protection, int flags, int fd)
{
    struct shared_map *map = find_map(file, NULL);

    if (map != NULL && map->size == size) {
        map->uses++;
        shared_hits++;
        return map->base;
    }
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        map = &shared_maps[i];
        if (map->uses != 0)
            continue;
        map->base = real.mmap(NULL, size, protection, flags, fd, 0);
        if (map->base == MAP_FAILED)
            return map->base;
        map->device = file->st_dev;
        map->file = file->st_ino;
        map->size = size;
        map->uses = 1;
        return map->base;
    }
    return MAP_FAILED;
}

/* The first to map is the creator, who may write; those who may only read get its address. */
static void *map_once(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    struct stat file;
    void       *base;

    (void)at, (void)offset;
    if (real.fstat(fd, &file) != 0)
        return MAP_FAILED;
    (void)pthread_mutex_lock(&shared_lock);
    base = map_locked(&file, size, protection, flags, fd);
    (void)pthread_mutex_unlock(&shared_lock);
    return base;
}

static int unmap_last(void *at, size_t size)
{
    struct shared_map *map;
    int                result = 0;

    (void)pthread_mutex_lock(&shared_lock);
    map = find_map(NULL, at);
    if (map == NULL || map->size != size)
        result = -1;
    else if (--map->uses == 0)
        result = real.munmap(at, size);
    (void)pthread_mutex_unlock(&shared_lock);
    return result;
}

static void share_mappings(void)
{
    real = sync_calls;
    sync_calls.mmap = map_once;
    sync_calls.munmap = unmap_last;
}

static void expect_shared_mappings(void)
{
    EXPECT(shared_hits > 0, "every handle got a mapping of its own");
}

#else

static void share_mappings(void)
{
}

static void expect_shared_mappings(void)
{
}

#endif

/* --- the load --------------------------------------------------------------------------------- */

struct load {
    const char *what;
    uint64_t    capacity;
    uint64_t    first_pos;
    uint64_t    messages;
    uint32_t    frame_align;
    uint32_t    flags;
    uint32_t    stayers; /* reliable consumers from the first message to the last */
    uint32_t    guests;  /* reliable consumers that come and go */
    uint32_t    lossy;
};

struct reader {
    const struct load    *load;
    struct process_thread thread;
    uint64_t              received;
    uint64_t              visits;
    uint32_t              idx;
};

static uint64_t joined, left, is_written;

static void add_one(uint64_t *counter)
{
    uint64_t seen = gyre_load_relaxed_64(counter);

    for (;;) {
        uint64_t was = gyre_compare_exchange_64(counter, seen, seen + 1);
        if (was == seen)
            return;
        seen = was;
    }
}

static void pause_randomly(uint64_t *random)
{
    uint64_t until;

    if (trial_random(random) % 512 != 0)
        return;
    until = gyre_now_ns() + trial_random(random) % 100000;
    while (gyre_now_ns() < until)
        process_nap();
}

/* One batch: several claims, one publish.  What has no room goes with the next batch. */
static void write_batch(struct gyre_producer *producer, uint64_t end, uint64_t *random)
{
    uint32_t count = 1 + (uint32_t)(trial_random(random) % BATCH_MAX);

    for (uint32_t i = 0; i < count && gyre_producer_seq(producer) < end; i++) {
        uint64_t number = gyre_producer_seq(producer);
        uint32_t words = payload_words(number, WORDS_MAX);
        void    *payload = gyre_claim(producer, words * 8);
        if (payload == NULL && i > 0)
            break;
        while (payload == NULL) {
            EXPECT_STATUS(gyre_wait_room(producer, words * 8, trial_patience()), GYRE_OK);
            payload = gyre_claim(producer, words * 8);
        }
        payload_write(payload, words, number, 3);
    }
    gyre_publish(producer);
}

/* A handle that keeps the ring, closed as it may be, for guests who are just coming. */
static struct gyre_consumer *open_keeper(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *keeper;

    options.kind = GYRE_LOSSY;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &keeper, NULL), GYRE_OK);
    return keeper;
}

static void write_all(void *context)
{
    const struct load       *load = context;
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct gyre_consumer    *keeper;
    uint64_t                 random = 1;

    options.capacity = load->capacity;
    options.first_pos = load->first_pos;
    options.frame_align = load->frame_align;
    options.flags = load->flags;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, load->stayers, trial_patience()), GYRE_OK);
    EXPECT_TRUE(process_await(&joined, load->stayers + load->lossy, PROCESS_PATIENCE_NS));
    while (gyre_producer_seq(producer) < load->messages) {
        write_batch(producer, load->messages, &random);
        pause_randomly(&random);
    }
    keeper = open_keeper();
    gyre_store_release_64(&is_written, 1);
    gyre_producer_close(producer);
    EXPECT_TRUE(process_await(&left, load->guests, PROCESS_PATIENCE_NS));
    gyre_consumer_close(keeper);
}

/* Up to `limit` messages, in batches, each looked at in place. */
static enum gyre_status read_in_place(struct gyre_consumer *consumer, uint64_t limit,
                                      uint64_t *received, uint64_t *random)
{
    enum gyre_status status = GYRE_OK;

    while (status == GYRE_OK && *received < limit) {
        uint32_t batch = 1 + (uint32_t)(trial_random(random) % BATCH_MAX);
        for (uint32_t i = 0; i < batch && *received < limit; i++) {
            uint64_t    seq = gyre_consumer_seq(consumer);
            uint32_t    size;
            const void *message = gyre_peek(consumer, &size);
            if (message == NULL)
                break;
            EXPECT(payload_check(message, size, seq, WORDS_MAX), "message %llu is torn",
                   (unsigned long long)seq);
            EXPECT_EQ(gyre_consumer_seq(consumer), seq + 1);
            (*received)++;
        }
        EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
        pause_randomly(random);
        status = gyre_wait(consumer, trial_patience());
    }
    return status;
}

static struct gyre_consumer *join(const struct reader *reader, enum gyre_consumer_kind kind,
                                  enum gyre_start start)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    enum gyre_status             status;

    options.kind = kind;
    options.start = start;
    options.wait = (reader->idx + (uint32_t)reader->visits) % 3;
    if (process_cpu_count() < 3 && options.wait == GYRE_WAIT_SPIN)
        options.wait = GYRE_WAIT_SLEEP; /* spinners without a processor only hold others up */
    options.open_deadline_ns = trial_patience();
    status = gyre_consumer_open(trial_ring(), &options, &consumer, NULL);
    EXPECT(status == GYRE_OK, "gyre_consumer_open is %s", gyre_status_name(status));
    return consumer;
}

static void stay(void *context)
{
    struct reader        *reader = context;
    struct gyre_consumer *consumer = join(reader, GYRE_RELIABLE, GYRE_START_OLDEST);
    uint64_t              random = 100 + reader->idx;

    EXPECT_EQ(gyre_consumer_seq(consumer), 0);
    add_one(&joined);
    EXPECT_STATUS(read_in_place(consumer, UINT64_MAX, &reader->received, &random), GYRE_CLOSED);
    EXPECT_EQ(gyre_consumer_seq(consumer), reader->load->messages);
    EXPECT_EQ(reader->received, reader->load->messages);
    gyre_consumer_close(consumer);
}

/* Joins at the oldest, the newest or some number, reads a while, leaves; again and again. */
static void visit(void *context)
{
    struct reader *reader = context;
    uint64_t       random = 200 + reader->idx;

    EXPECT_TRUE(process_await(&joined, reader->load->stayers, PROCESS_PATIENCE_NS));
    while (gyre_load_acquire_64(&is_written) == 0) {
        struct gyre_consumer *consumer =
            join(reader, GYRE_RELIABLE, (enum gyre_start)(trial_random(&random) % 2));
        uint64_t         received = 0;
        enum gyre_status status =
            read_in_place(consumer, trial_random(&random) % 300, &received, &random);
        EXPECT(status == GYRE_OK || status == GYRE_CLOSED, "a guest is told %s",
               gyre_status_name(status));
        gyre_consumer_close(consumer);
        reader->received += received;
        reader->visits++;
    }
    add_one(&left);
}

static void read_lossy(void *context)
{
    struct reader        *reader = context;
    struct gyre_consumer *consumer =
        join(reader, reader->idx % 2 == 0 ? GYRE_LOSSY : GYRE_TAP, GYRE_START_OLDEST);
    uint64_t         message[WORDS_MAX], random = 300 + reader->idx;
    enum gyre_status status;
    uint32_t         size;

    EXPECT_EQ(gyre_consumer_seq(consumer), 0);
    add_one(&joined);
    do {
        uint64_t seq = gyre_consumer_seq(consumer);
        status = gyre_recv(consumer, message, sizeof(message), &size, trial_patience());
        if (status == GYRE_OK) {
            EXPECT(payload_check(message, size, seq, WORDS_MAX), "message %llu is torn",
                   (unsigned long long)seq);
            reader->received++;
        }
        pause_randomly(&random);
    } while (status == GYRE_OK || status == GYRE_GAP);
    EXPECT_STATUS(status, GYRE_CLOSED);
    EXPECT_EQ(gyre_consumer_seq(consumer), reader->load->messages);
    EXPECT_EQ(reader->received + gyre_consumer_lost(consumer), reader->load->messages);
    gyre_consumer_close(consumer);
}

static void run_load(const struct load *load)
{
    struct reader         readers[READERS_MAX * 3];
    struct process_thread writer;
    uint32_t              count = load->stayers + load->guests + load->lossy;
    uint64_t              visits = 0, guest_messages = 0, began = gyre_now_ns();

    joined = 0;
    left = 0;
    is_written = 0;
    memset(readers, 0, sizeof(readers));
    process_thread_start(&writer, write_all, (void *)(uintptr_t)load);
    for (uint32_t i = 0; i < count; i++) {
        void (*run)(void *) = stay;
        if (i >= load->stayers)
            run = i < load->stayers + load->guests ? visit : read_lossy;
        readers[i].load = load;
        readers[i].idx = i;
        process_thread_start(&readers[i].thread, run, &readers[i]);
    }
    process_thread_join(&writer);
    for (uint32_t i = 0; i < count; i++) {
        process_thread_join(&readers[i].thread);
        if (i < load->stayers || i >= load->stayers + load->guests)
            continue;
        visits += readers[i].visits;
        guest_messages += readers[i].received;
    }
    expect_shared_mappings();
    EXPECT_TRUE(load->guests == 0 || visits > 0);
    trial_note("%s: %llu messages to %u, %llu visits read %llu, in %.2f s", load->what,
               (unsigned long long)load->messages, load->stayers, (unsigned long long)visits,
               (unsigned long long)guest_messages, (double)(gyre_now_ns() - began) / 1e9);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

#if defined(GYRE_UNDER_TSAN)
#define SOME 200000u
#else
#define SOME 1000000u
#endif

static struct load with(const char *what, uint64_t capacity, uint64_t first_pos)
{
    struct load load = {what, capacity, first_pos, trial_rounds(SOME, SOME / 4), 64, 0, 3, 0, 0};

    return load;
}

static void consumers_that_stay(void)
{
    struct load load = with("64-byte frames", 65536, 0);
    run_load(&load);
}

static void consumers_in_a_ring_of_tiny_frames(void)
{
    struct load load = with("8-byte frames", 8192, 0);
    load.frame_align = 8;
    run_load(&load);
}

static void consumers_that_come_and_go(void)
{
    struct load load = with("guests", 16384, 0);
    load.stayers = 1;
    load.guests = 2;
    run_load(&load);
}

static void strict_wakes(void)
{
    struct load load = with("strict", 8192, 0);
    load.flags = GYRE_STRICT_WAKE;
    run_load(&load);
}

static void positions_cross_2_to_the_32(void)
{
    struct load load = with("at 2^32", 16384, (UINT64_C(1) << 32) - 4 * 16384);
    load.guests = 1;
    run_load(&load);
}

static void positions_cross_2_to_the_63(void)
{
    struct load load = with("at 2^63", 16384, (UINT64_C(1) << 63) - 4 * 16384);
    load.guests = 1;
    run_load(&load);
}

#if !defined(GYRE_UNDER_TSAN)

static void lossy_consumers_account_for_every_message(void)
{
    struct load load = with("lossy", 16384, 0);
    load.stayers = 1;
    load.lossy = 3;
    run_load(&load);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "threads." #name, name                                                                     \
    }
    static const struct trial trials[] = {
        TRIAL(consumers_that_stay),
        TRIAL(consumers_in_a_ring_of_tiny_frames),
        TRIAL(consumers_that_come_and_go),
        TRIAL(strict_wakes),
        TRIAL(positions_cross_2_to_the_32),
        TRIAL(positions_cross_2_to_the_63),
#if !defined(GYRE_UNDER_TSAN)
        TRIAL(lossy_consumers_account_for_every_message),
#endif
    };

    share_mappings();
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), NULL, 0);
}
