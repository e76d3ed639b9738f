/*
 * test_loops_linux.c - rings in the event loops of Linux: epoll, poll and, if it is there, libuv.
 *
 * A loop here does with a ring only what the ring's own event told it to do: nothing else wakes it
 * by the way, so a lost wake-up hangs it.
 */
#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifdef GYRE_TESTS_LIBUV
#include <uv.h>
#endif

#include <gyre/atomic.h>

#include "internal.h"
#include "linux/calls.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define STUCK_NS (5000 * NS_PER_MS)
#define SLICE_NS (90 * NS_PER_MS)
#define RING_COUNT 2u
#define PIPE_BYTES 300u

struct stage {
    uint64_t is_ready;
    uint64_t may_go;
    uint64_t message_count; /* to each ring */
    uint64_t write_count;   /* bytes the feeder wrote to FIFOs */
    uint64_t received;
    uint64_t armed;
    uint64_t pipe_fd;
};

static struct stage *stage(void)
{
    return trial_stage();
}

/* Files of rings that earlier trials left behind because they failed. */
static uint32_t litter_count;

static uint32_t count_files(void)
{
    return process_list_rings(NULL) - litter_count;
}

static const char *ring_name(uint32_t idx)
{
    return idx == 0 ? trial_ring() : trial_other_ring();
}

static struct gyre_producer *open_producer(uint32_t idx, uint32_t seat_count)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = 65536;
    options.seat_count = seat_count;
    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_producer_open(ring_name(idx), &options, &producer, NULL), GYRE_OK);
    return producer;
}

/* --- what feeds the loops --------------------------------------------------------------------- */

static ssize_t (*real_write)(int, const void *, size_t);

static ssize_t count_write(int fd, const void *bytes, size_t size)
{
    ssize_t result = real_write(fd, bytes, size);

    stage()->write_count += result > 0 ? (uint64_t)result : 0;
    return result;
}

static void put(struct gyre_producer *producer, uint64_t number)
{
    uint64_t message[2] = {number, gyre_now_ns()};

    EXPECT_STATUS(gyre_send(producer, message, sizeof(message), trial_patience()), GYRE_OK);
}

/* Sends to both rings and writes to the pipe, with pauses in which the loop falls asleep. */
static int feed(uint32_t seed)
{
    struct gyre_producer *producers[RING_COUNT];
    uint64_t              next[RING_COUNT] = {0, 0}, random = seed;
    uint64_t              total = RING_COUNT * stage()->message_count;
    uint32_t              pipe_bytes = 0;

    for (uint32_t i = 0; i < RING_COUNT; i++)
        producers[i] = open_producer(i, 0);
    real_write = sync_calls.write;
    sync_calls.write = count_write;
    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    for (uint64_t i = 0; i < total; i++) {
        uint32_t idx = trial_random(&random) % 2;
        uint64_t pause = trial_random(&random) % 1024;
        if (next[idx] == stage()->message_count)
            idx = 1 - idx;
        put(producers[idx], next[idx]++);
        if (pause < 256)
            sync_clock_sleep_until(gyre_now_ns() + pause * 500);
        if (pipe_bytes < PIPE_BYTES && i % (total / PIPE_BYTES) == 0)
            pipe_bytes += write((int)stage()->pipe_fd, "p", 1) == 1;
    }
    while (pipe_bytes < PIPE_BYTES)
        pipe_bytes += write((int)stage()->pipe_fd, "p", 1) == 1;
    for (uint32_t i = 0; i < RING_COUNT; i++)
        gyre_producer_close(producers[i]);
    return 0;
}

/* --- what a loop does with a ring ------------------------------------------------------------- */

struct reader {
    struct gyre_consumer *consumer;
    int                   fd;
    uint64_t              next;
    uint64_t              rearm_ns;
    uint64_t              sleep_count; /* arms that returned TIMEOUT */
    uint64_t              slow_count;
    bool                  is_closed;
};

static void open_reader(struct reader *reader, uint32_t idx)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    intptr_t                     handle = -1, again = -1;

    memset(reader, 0, sizeof(*reader));
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(ring_name(idx), &options, &reader->consumer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(reader->consumer, &handle, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(reader->consumer, &again, NULL), GYRE_OK);
    EXPECT_TRUE(handle >= 0 && handle == again);
    reader->fd = (int)handle;
}

/* Reads all there is, and arms.  After this the loop may sleep. */
static void serve(struct reader *reader)
{
    enum gyre_status status;

    while ((status = gyre_consumer_arm(reader->consumer, &reader->rearm_ns)) == GYRE_OK) {
        const uint64_t *message;
        uint32_t        size;
        while ((message = gyre_peek(reader->consumer, &size)) != NULL) {
            EXPECT_EQ(message[0], reader->next++);
            reader->slow_count += gyre_now_ns() - message[1] >= SLICE_NS;
        }
        EXPECT_STATUS(gyre_release(reader->consumer), GYRE_OK);
    }
    EXPECT(status == GYRE_TIMEOUT || status == GYRE_CLOSED, "armed: %s", gyre_status_name(status));
    reader->is_closed = status == GYRE_CLOSED;
    reader->sleep_count += status == GYRE_TIMEOUT;
}

static int bytes_in(int fd)
{
    int count = -1;

    EXPECT_TRUE(ioctl(fd, FIONREAD, &count) == 0);
    return count;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static uint64_t barrier_count;
static long (*real_membarrier)(int);

static void expect_everything(struct reader *readers, uint64_t pipe_bytes, uint64_t tick_count)
{
    uint64_t sleeps = readers[0].sleep_count + readers[1].sleep_count;

    sync_calls.membarrier = real_membarrier;
    trial_note("2 x %llu messages, %llu pipe bytes, %llu ticks; %llu sleeps, %llu announced, "
               "%llu bytes rung, %llu messages late",
               (unsigned long long)stage()->message_count, (unsigned long long)pipe_bytes,
               (unsigned long long)tick_count, (unsigned long long)sleeps,
               (unsigned long long)barrier_count, (unsigned long long)stage()->write_count,
               (unsigned long long)(readers[0].slow_count + readers[1].slow_count));
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        EXPECT_EQ(readers[i].next, stage()->message_count);
        EXPECT_EQ(readers[i].consumer->seat->missed_count, 0);
        EXPECT_TRUE(readers[i].slow_count <= 2);
        gyre_consumer_close(readers[i].consumer);
    }
    EXPECT_EQ(pipe_bytes, PIPE_BYTES);
    EXPECT_TRUE(tick_count > 0);
    EXPECT(sleeps >= stage()->message_count / 50, "the test did not test sleeps");
    EXPECT(stage()->write_count <= barrier_count + RING_COUNT, "more than a byte a sleep");
    EXPECT(count_files() == 0, "%u files are left", count_files());
}

/* One barrier for each sleep that is announced, though it may be taken back. */
static long count_barrier(int command)
{
    barrier_count++;
    return real_membarrier(command);
}

/* Starts the feeder; the reading end of its pipe. */
static int start_feeding(struct process *feeder, struct reader *readers)
{
    int ends[2];

    litter_count = process_list_rings(NULL);
    EXPECT_TRUE(pipe(ends) == 0); /* the feeder inherits it */
    stage()->message_count = trial_rounds(10000, 0);
    stage()->pipe_fd = (uint64_t)ends[1];
    trial_start(feeder, "feed", 1);
    trial_await(&stage()->is_ready, 1);
    (void)close(ends[1]);
    EXPECT_TRUE(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    for (uint32_t i = 0; i < RING_COUNT; i++)
        open_reader(&readers[i], i);
    real_membarrier = sync_calls.membarrier;
    sync_calls.membarrier = count_barrier;
    barrier_count = 0;
    gyre_store_release_64(&stage()->may_go, 1);
    return ends[0];
}

/* --- epoll ------------------------------------------------------------------------------------ */

enum source { SOURCE_RING_0, SOURCE_RING_1, SOURCE_TIMER, SOURCE_PIPE, SOURCE_COUNT };

static void watch(int epoll, int fd, enum source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};

    EXPECT_TRUE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static int open_ticks(void)
{
    const struct itimerspec every_ms = {{0, 1000000}, {0, 1000000}};
    int                     fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    EXPECT_TRUE(fd >= 0 && timerfd_settime(fd, 0, &every_ms, NULL) == 0);
    return fd;
}

/* In sandboxes without membarrier an armed ring must be armed again now and then. */
static int timeout_ms(struct reader *readers)
{
    uint64_t now = gyre_now_ns(), until = now + STUCK_NS;

    for (uint32_t i = 0; i < RING_COUNT; i++) {
        if (!readers[i].is_closed && readers[i].rearm_ns <= now)
            serve(&readers[i]);
        if (!readers[i].is_closed)
            until = gyre__sooner(until, readers[i].rearm_ns);
    }
    return until > now ? (int)((until - now) / NS_PER_MS + 1) : 0;
}

static void an_epoll_loop_serves_rings_a_timer_and_a_pipe(void)
{
    struct reader      readers[RING_COUNT];
    struct process     feeder;
    struct epoll_event events[SOURCE_COUNT];
    int                pipe_fd = start_feeding(&feeder, readers), ticks = open_ticks();
    int                epoll = epoll_create1(0);
    uint64_t           tick_count = 0, pipe_bytes = 0, progress_ns = gyre_now_ns();
    bool               is_pipe_open = true;

    EXPECT_TRUE(epoll >= 0);
    watch(epoll, ticks, SOURCE_TIMER);
    watch(epoll, pipe_fd, SOURCE_PIPE);
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        watch(epoll, readers[i].fd, (enum source)i);
        serve(&readers[i]);
    }
    while (!readers[0].is_closed || !readers[1].is_closed || is_pipe_open) {
        int  ready = epoll_wait(epoll, events, SOURCE_COUNT, timeout_ms(readers));
        char bytes[64];
        EXPECT_TRUE(ready >= 0 || errno == EINTR);
        for (int i = 0; i < ready; i++) {
            uint64_t expirations;
            ssize_t  got;
            switch (events[i].data.u32) {
            case SOURCE_TIMER:
                tick_count += read(ticks, &expirations, sizeof(expirations)) > 0;
                EXPECT(gyre_now_ns() < progress_ns + STUCK_NS, "only the timer runs");
                continue;
            case SOURCE_PIPE:
                got = read(pipe_fd, bytes, sizeof(bytes));
                pipe_bytes += got > 0 ? (uint64_t)got : 0;
                is_pipe_open = got != 0;
                if (!is_pipe_open)
                    EXPECT_TRUE(epoll_ctl(epoll, EPOLL_CTL_DEL, pipe_fd, NULL) == 0);
                break;
            default:
                serve(&readers[events[i].data.u32]);
                if (readers[events[i].data.u32].is_closed)
                    EXPECT_TRUE(
                        epoll_ctl(epoll, EPOLL_CTL_DEL, readers[events[i].data.u32].fd, NULL) == 0);
                break;
            }
            progress_ns = gyre_now_ns();
        }
    }
    trial_finish(&feeder);
    (void)close(epoll), (void)close(ticks), (void)close(pipe_fd);
    expect_everything(readers, pipe_bytes, tick_count);
}

/* --- the FIFO --------------------------------------------------------------------------------- */

static void a_sleep_is_rung_with_one_byte(void)
{
    struct gyre_producer *producer;
    struct reader         reader;
    uint64_t              number = 0;

    litter_count = process_list_rings(NULL);
    producer = open_producer(0, 0);
    open_reader(&reader, 0);
    EXPECT(count_files() == 4, "data, ctrl, lock and a FIFO");
    for (uint32_t i = 0; i < 10; i++)
        put(producer, number++);
    EXPECT(bytes_in(reader.fd) == 0, "nobody sleeps");
    for (uint32_t round = 0; round < 100; round++) {
        serve(&reader);
        EXPECT_EQ(reader.next, number);
        EXPECT_EQ(reader.rearm_ns, GYRE_FOREVER);
        EXPECT_EQ(bytes_in(reader.fd), 0);
        EXPECT_TRUE(!is_readable(reader.fd, 0));
        for (uint32_t i = 0; i <= round % 5; i++)
            put(producer, number++);
        EXPECT_EQ(bytes_in(reader.fd), 1);
        EXPECT_TRUE(is_readable(reader.fd, 0));
    }
    serve(&reader);
    serve(&reader); /* armed twice: still one byte */
    put(producer, number++);
    EXPECT_EQ(bytes_in(reader.fd), 1);
    serve(&reader);
    gyre_consumer_interrupt(reader.consumer);
    EXPECT_TRUE(is_readable(reader.fd, 0));
    EXPECT_STATUS(gyre_consumer_arm(reader.consumer, &reader.rearm_ns), GYRE_INTERRUPTED);
    serve(&reader);
    EXPECT_TRUE(!is_readable(reader.fd, 0));
    gyre_producer_close(producer);
    EXPECT_TRUE(is_readable(reader.fd, 0));
    serve(&reader);
    EXPECT_TRUE(reader.is_closed);
    gyre_consumer_close(reader.consumer);
    EXPECT(count_files() == 0, "the FIFO goes with its ring");
}

static void a_full_fifo_blocks_nobody(void)
{
    struct gyre_producer *producer = open_producer(0, 0);
    struct reader         reader;
    char                  bytes[4096] = {0};

    open_reader(&reader, 0);
    serve(&reader);
    while (write(reader.fd, bytes, sizeof(bytes)) > 0)
        continue;
    while (write(reader.fd, bytes, 1) > 0)
        continue;
    put(producer, 0);
    EXPECT_TRUE(is_readable(reader.fd, 0));
    serve(&reader);
    EXPECT_EQ(reader.next, 1);
    EXPECT_EQ(bytes_in(reader.fd), 0);
    put(producer, 1);
    EXPECT_EQ(bytes_in(reader.fd), 1);
    gyre_consumer_close(reader.consumer);
    gyre_producer_close(producer);
}

/* Waits that are long enough to sleep, behind their spin, forget the byte of an earlier ring. */
static void plain_waits_and_arms_mix(void)
{
    struct gyre_producer *producer = open_producer(0, 0);
    struct reader         reader;
    struct gyre_consumer *crowd[1];
    uint64_t              message[2];
    uint32_t              size, which;

    open_reader(&reader, 0);
    crowd[0] = reader.consumer;
    for (uint64_t i = 0; i < 300; i += 3) {
        serve(&reader);
        put(producer, i);
        EXPECT_STATUS(gyre_recv(reader.consumer, message, sizeof(message), &size, 0), GYRE_OK);
        EXPECT_STATUS(gyre_wait(reader.consumer, gyre_now_ns() + NS_PER_MS), GYRE_TIMEOUT);
        EXPECT_EQ(bytes_in(reader.fd), 0);
        put(producer, i + 1);
        EXPECT_STATUS(gyre_wait_any(crowd, 1, trial_patience(), &which), GYRE_OK);
        EXPECT_STATUS(gyre_recv(reader.consumer, message, sizeof(message), &size, 0), GYRE_OK);
        EXPECT_STATUS(gyre_wait_any(crowd, 1, gyre_now_ns() + NS_PER_MS, &which), GYRE_TIMEOUT);
        reader.next = i + 2;
        serve(&reader);
        put(producer, i + 2);
        EXPECT_TRUE(is_readable(reader.fd, 1000));
    }
    gyre_consumer_close(reader.consumer);
    gyre_producer_close(producer);
}

/* A consumer that lives in epoll until it is killed, or until it has got `count` messages. */
static int live_in_epoll(uint32_t count)
{
    struct reader      reader;
    struct epoll_event event;
    int                epoll = epoll_create1(0);

    open_reader(&reader, 0);
    reader.next = gyre_consumer_seq(reader.consumer);
    watch(epoll, reader.fd, SOURCE_RING_0);
    for (;;) {
        uint64_t now = gyre_now_ns();
        serve(&reader);
        gyre_store_release_64(&stage()->received, reader.next);
        gyre_store_release_64(&stage()->armed, stage()->armed + 1);
        if (reader.is_closed || (count != 0 && reader.next >= count))
            break;
        EXPECT(epoll_wait(epoll, &event, 1,
                          reader.rearm_ns == GYRE_FOREVER
                              ? 10000
                              : (int)((reader.rearm_ns - now) / NS_PER_MS + 1)) == 1 ||
                   reader.rearm_ns != GYRE_FOREVER,
               "not woken");
    }
    gyre_consumer_close(reader.consumer);
    return 0;
}

static void the_successor_on_a_dead_loops_seat_is_woken(void)
{
    struct gyre_producer *producer;
    uint32_t              rounds = trial_rounds(20, 0);
    uint64_t              number = 0, worst = 0;

    litter_count = process_list_rings(NULL);
    producer = open_producer(0, 1);
    for (uint32_t round = 0; round < rounds; round++) {
        struct process reader;
        gyre_store_release_64(&stage()->armed, 0);
        trial_start(&reader, "live_in_epoll", 0);
        trial_await(&stage()->armed, 1);
        for (uint32_t i = 0; i < 3; i++) {
            uint64_t sent_ns = gyre_now_ns();
            put(producer, number++);
            trial_await(&stage()->received, number);
            worst = gyre_now_ns() - sent_ns > worst ? gyre_now_ns() - sent_ns : worst;
        }
        process_kill(&reader);
        if (round % 2 == 0) /* rung for a dead one: into a FIFO that nobody reads */
            put(producer, number++);
    }
    trial_note("%u loops killed, the next one always woken, %.1f ms after a message at most",
               rounds, (double)worst / 1e6);
    EXPECT(worst < 1000 * NS_PER_MS, "woken late");
    gyre_producer_close(producer);
    (void)gyre_ring_remove(trial_ring(), 0, NULL);
    EXPECT(count_files() == 0, "%u files are left", count_files());
}

/* --- sandboxes -------------------------------------------------------------------------------- */

static long refuse_membarrier(int command)
{
    (void)command;
    errno = EPERM;
    return -1;
}

static void without_membarrier_arms_are_short_until_the_producer_fences(void)
{
    long (*real)(int) = sync_calls.membarrier;
    struct gyre_producer *producer;
    struct reader         reader;
    uint64_t              now;

    sync_calls.membarrier = refuse_membarrier;
    producer = open_producer(0, 0);
    open_reader(&reader, 0);
    now = gyre_now_ns();
    serve(&reader);
    EXPECT_TRUE(reader.rearm_ns != GYRE_FOREVER && reader.rearm_ns > now);
    EXPECT(reader.rearm_ns - gyre__sooner(gyre_now_ns(), reader.rearm_ns) <= 2 * NS_PER_MS,
           "a short slice");
    put(producer, 0); /* the producer sees that it must fence */
    EXPECT_EQ(bytes_in(reader.fd), 1);
    serve(&reader);
    EXPECT_EQ(reader.next, 1);
    EXPECT_EQ(reader.rearm_ns, GYRE_FOREVER);
    sync_calls.membarrier = real;
    gyre_consumer_close(reader.consumer);
    gyre_producer_close(producer);
}

/* --- libuv ------------------------------------------------------------------------------------ */

#ifdef GYRE_TESTS_LIBUV

struct uv_reader {
    uv_poll_t     poll;
    struct reader reader;
};

struct uv_party {
    uv_loop_t        loop;
    struct uv_reader rings[RING_COUNT];
    uv_timer_t       timer;
    uv_poll_t        pipe;
    int              pipe_fd;
    uint64_t         pipe_bytes;
    uint64_t         tick_count;
    uint64_t         progress_ns;
    uint32_t         open_count;
};

/* When the last source has ended, so does the loop. */
static void leave_loop(struct uv_party *party, uv_poll_t *poll)
{
    uv_close((uv_handle_t *)poll, NULL);
    if (--party->open_count == 0)
        uv_close((uv_handle_t *)&party->timer, NULL);
}

static void on_ring(uv_poll_t *poll, int status, int events)
{
    struct uv_party  *party = poll->loop->data;
    struct uv_reader *ring = poll->data;

    EXPECT_TRUE(status == 0 && events == UV_READABLE);
    party->progress_ns = gyre_now_ns();
    serve(&ring->reader);
    if (ring->reader.is_closed)
        leave_loop(party, poll);
}

static void on_pipe(uv_poll_t *poll, int status, int events)
{
    struct uv_party *party = poll->loop->data;
    char             bytes[64];
    ssize_t          got = read(party->pipe_fd, bytes, sizeof(bytes));

    (void)status, (void)events;
    party->progress_ns = gyre_now_ns();
    party->pipe_bytes += got > 0 ? (uint64_t)got : 0;
    if (got == 0)
        leave_loop(party, poll);
}

static void on_tick(uv_timer_t *timer)
{
    struct uv_party *party = timer->loop->data;

    party->tick_count++;
    EXPECT(gyre_now_ns() < party->progress_ns + STUCK_NS, "only the timer runs");
    for (uint32_t i = 0; i < RING_COUNT; i++)
        if (!party->rings[i].reader.is_closed && party->rings[i].reader.rearm_ns <= gyre_now_ns())
            serve(&party->rings[i].reader);
}

static void a_libuv_loop_serves_rings_a_timer_and_a_pipe(void)
{
    struct uv_party party;
    struct reader   readers[RING_COUNT];
    struct process  feeder;

    memset(&party, 0, sizeof(party));
    party.pipe_fd = start_feeding(&feeder, readers);
    party.progress_ns = gyre_now_ns();
    party.open_count = RING_COUNT + 1;
    EXPECT_TRUE(uv_loop_init(&party.loop) == 0);
    party.loop.data = &party;
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        struct uv_reader *ring = &party.rings[i];
        ring->reader = readers[i];
        EXPECT_TRUE(uv_poll_init(&party.loop, &ring->poll, ring->reader.fd) == 0);
        ring->poll.data = ring;
        EXPECT_TRUE(uv_poll_start(&ring->poll, UV_READABLE, on_ring) == 0);
        serve(&ring->reader);
    }
    EXPECT_TRUE(uv_poll_init(&party.loop, &party.pipe, party.pipe_fd) == 0);
    EXPECT_TRUE(uv_poll_start(&party.pipe, UV_READABLE, on_pipe) == 0);
    EXPECT_TRUE(uv_timer_init(&party.loop, &party.timer) == 0);
    EXPECT_TRUE(uv_timer_start(&party.timer, on_tick, 1, 1) == 0);
    EXPECT_TRUE(uv_run(&party.loop, UV_RUN_DEFAULT) == 0);
    EXPECT_TRUE(uv_loop_close(&party.loop) == 0);
    trial_finish(&feeder);
    (void)close(party.pipe_fd);
    for (uint32_t i = 0; i < RING_COUNT; i++)
        readers[i] = party.rings[i].reader;
    expect_everything(readers, party.pipe_bytes, party.tick_count);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "loops." #name, name                                                                       \
    }
    static const struct trial trials[] = {
        TRIAL(an_epoll_loop_serves_rings_a_timer_and_a_pipe),
        TRIAL(a_sleep_is_rung_with_one_byte),
        TRIAL(a_full_fifo_blocks_nobody),
        TRIAL(plain_waits_and_arms_mix),
        TRIAL(the_successor_on_a_dead_loops_seat_is_woken),
        TRIAL(without_membarrier_arms_are_short_until_the_producer_fences),
#ifdef GYRE_TESTS_LIBUV
        TRIAL(a_libuv_loop_serves_rings_a_timer_and_a_pipe),
#endif
    };
    static const struct role roles[] = {
        {"feed", feed},
        {"live_in_epoll", live_in_epoll},
    };
    int code = trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));

#ifndef GYRE_TESTS_LIBUV
    if (argc == 1)
        printf(
            "ok - loops.a_libuv_loop_serves_rings_a_timer_and_a_pipe # SKIP libuv was not found\n");
#endif
    return code;
}

#else

#include <stdio.h>

int main(void)
{
    printf(
        "ok - loops # SKIP the loops of Linux; win32/test_message_loop.c has those of Windows\n");
    return 0;
}

#endif
