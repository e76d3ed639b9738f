/*
 * test_message_loop.c - rings in the event loops of Windows: a message loop, the waits of the
 * thread pool and an I/O completion port.
 */
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define RING_COUNT 2u
#define STUCK_MS 20000u

struct stage {
    uint64_t is_ready;
    uint64_t may_go;
    uint64_t message_count; /* to each ring */
};

static struct stage *stage(void)
{
    return trial_stage();
}

static const char *ring_name(uint32_t idx)
{
    return idx == 0 ? trial_ring() : trial_other_ring();
}

/* --- what feeds the loops --------------------------------------------------------------------- */

/* Sends to both rings, with pauses in which the loop falls asleep. */
static int feed(uint32_t seed)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producers[RING_COUNT];
    uint64_t                 next[RING_COUNT] = {0, 0}, random = seed;

    options.capacity = 65536;
    for (uint32_t i = 0; i < RING_COUNT; i++)
        EXPECT_STATUS(gyre_producer_open(ring_name(i), &options, &producers[i], NULL), GYRE_OK);
    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_go, 1);
    for (uint64_t i = 0; i < RING_COUNT * stage()->message_count; i++) {
        uint32_t idx = trial_random(&random) % 2;
        if (next[idx] == stage()->message_count)
            idx = 1 - idx;
        EXPECT_STATUS(gyre_send(producers[idx], &next[idx], sizeof(next[idx]), trial_patience()),
                      GYRE_OK);
        next[idx]++;
        if (trial_random(&random) % 8 == 0)
            Sleep((DWORD)(trial_random(&random) % 3));
    }
    for (uint32_t i = 0; i < RING_COUNT; i++)
        gyre_producer_close(producers[i]);
    return 0;
}

/* --- what a loop does with a ring ------------------------------------------------------------- */

struct reader {
    struct gyre_consumer *consumer;
    HANDLE                event;
    uint64_t              next;
    uint64_t              rearm_ns;
    uint64_t              sleep_count; /* arms that returned TIMEOUT */
    enum gyre_status      status;
    bool                  is_good;
};

static void open_reader(struct reader *reader, uint32_t idx)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    intptr_t                     handle = 0;

    memset(reader, 0, sizeof(*reader));
    options.start = GYRE_START_OLDEST;
    EXPECT_STATUS(gyre_consumer_open(ring_name(idx), &options, &reader->consumer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_handle(reader->consumer, &handle, NULL), GYRE_OK);
    EXPECT_TRUE(handle != 0);
    reader->event = (HANDLE)handle;
    reader->is_good = true;
}

/* Reads all there is, and arms; from any thread.  After TIMEOUT the loop may sleep. */
static void serve(struct reader *reader)
{
    while ((reader->status = gyre_consumer_arm(reader->consumer, &reader->rearm_ns)) == GYRE_OK) {
        const uint64_t *message;
        uint32_t        size;
        while ((message = gyre_peek(reader->consumer, &size)) != NULL)
            if (size != sizeof(*message) || *message != reader->next++)
                reader->is_good = false;
        if (gyre_release(reader->consumer) != GYRE_OK)
            reader->is_good = false;
    }
    reader->sleep_count += reader->status == GYRE_TIMEOUT;
}

static DWORD ms_until(uint64_t deadline_ns)
{
    uint64_t now = gyre_now_ns();

    return deadline_ns > now ? (DWORD)((deadline_ns - now) / NS_PER_MS + 1) : 0;
}

static void start_feeding(struct process *feeder, struct reader *readers)
{
    stage()->message_count = trial_rounds(0, 2000);
    trial_start(feeder, "feed", 5);
    trial_await(&stage()->is_ready, 1);
    for (uint32_t i = 0; i < RING_COUNT; i++)
        open_reader(&readers[i], i);
    gyre_store_release_64(&stage()->may_go, 1);
}

static void expect_everything(struct reader *readers)
{
    uint64_t sleeps = 0;

    for (uint32_t i = 0; i < RING_COUNT; i++) {
        EXPECT(readers[i].is_good, "ring %u: a message is missing or came twice", i);
        EXPECT_EQ(readers[i].next, stage()->message_count);
        EXPECT_STATUS(readers[i].status, GYRE_CLOSED);
        EXPECT_EQ(readers[i].consumer->seat->missed_count, 0);
        sleeps += readers[i].sleep_count;
        gyre_consumer_close(readers[i].consumer);
    }
    EXPECT(sleeps >= stage()->message_count / 20, "the test did not test sleeps");
    trial_note("2 x %llu messages, %llu sleeps", (unsigned long long)stage()->message_count,
               (unsigned long long)sleeps);
}

/* --- a message loop --------------------------------------------------------------------------- */

#define POSTED_COUNT 1500u
#define WM_NUMBER (WM_APP + 1)

struct poster {
    DWORD    thread_id;
    uint32_t refused_count;
};

static void post_numbers(void *context)
{
    struct poster *poster = context;
    uint64_t       random = 8;

    for (uint32_t i = 0; i < POSTED_COUNT; i++) {
        while (!PostThreadMessageW(poster->thread_id, WM_NUMBER, i, 0)) {
            poster->refused_count++;
            Sleep(1);
        }
        if (trial_random(&random) % 8 == 0)
            Sleep((DWORD)(trial_random(&random) % 3));
    }
}

static void a_message_loop_serves_rings_and_posted_messages(void)
{
    struct reader         readers[RING_COUNT];
    struct process        feeder;
    struct poster         poster = {GetCurrentThreadId(), 0};
    struct process_thread thread;
    uint32_t              posted = 0;
    ULONGLONG             limit = GetTickCount64() + STUCK_MS;
    MSG                   message;

    (void)PeekMessageW(&message, NULL, WM_USER, WM_USER, PM_NOREMOVE); /* makes the queue */
    start_feeding(&feeder, readers);
    process_thread_start(&thread, post_numbers, &poster);
    for (uint32_t i = 0; i < RING_COUNT; i++)
        serve(&readers[i]);
    for (;;) {
        HANDLE   events[RING_COUNT];
        uint32_t rings[RING_COUNT];
        DWORD    count = 0, woken;
        uint64_t until = gyre_now_ns() + STUCK_MS * NS_PER_MS;
        for (uint32_t i = 0; i < RING_COUNT; i++) {
            if (readers[i].status == GYRE_TIMEOUT && readers[i].rearm_ns <= gyre_now_ns())
                serve(&readers[i]);
            if (readers[i].status != GYRE_TIMEOUT)
                continue;
            until = gyre__sooner(until, readers[i].rearm_ns);
            rings[count] = i;
            events[count++] = readers[i].event;
        }
        if (count == 0 && posted == POSTED_COUNT)
            break;
        woken = MsgWaitForMultipleObjectsEx(count, events, ms_until(until), QS_ALLINPUT,
                                            MWMO_INPUTAVAILABLE);
        EXPECT(woken != WAIT_FAILED && GetTickCount64() < limit, "%u posted messages came", posted);
        if (woken < WAIT_OBJECT_0 + count)
            serve(&readers[rings[woken - WAIT_OBJECT_0]]);
        if (woken != WAIT_OBJECT_0 + count)
            continue;
        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
            if (message.message == WM_NUMBER)
                EXPECT_EQ(message.wParam, posted++);
    }
    process_thread_join(&thread);
    trial_finish(&feeder);
    EXPECT_EQ(posted, POSTED_COUNT);
    expect_everything(readers);
}

/* --- the thread pool -------------------------------------------------------------------------- */

/*
 * A wait of the pool ends once; whoever has served the ring registers the next one.  Its callback
 * may run before the call that registered it has returned.
 */
struct pooled {
    struct reader reader;
    SRWLOCK       lock; /* of `wait` */
    HANDLE        wait;
    HANDLE        port; /* NULL: the pool's thread serves the ring itself */
    HANDLE        over;
    uint64_t      call_count;
    ULONG_PTR     key;
};

static void on_event(void *context, BOOLEAN is_timeout);

static void register_wait(struct pooled *pooled)
{
    HANDLE old;

    AcquireSRWLockExclusive(&pooled->lock);
    old = pooled->wait;
    if (!RegisterWaitForSingleObject(&pooled->wait, pooled->reader.event, on_event, pooled,
                                     ms_until(pooled->reader.rearm_ns), WT_EXECUTEONLYONCE)) {
        pooled->wait = NULL;
        pooled->reader.is_good = false;
        SetEvent(pooled->over);
    }
    ReleaseSRWLockExclusive(&pooled->lock);
    if (old != NULL)
        (void)UnregisterWait(old);
}

/* Read all, arm, and wait again, until the ring is closed. */
static void serve_and_wait(struct pooled *pooled)
{
    serve(&pooled->reader);
    if (pooled->reader.status == GYRE_TIMEOUT)
        register_wait(pooled);
    else
        SetEvent(pooled->over);
}

static void on_event(void *context, BOOLEAN is_timeout)
{
    struct pooled *pooled = context;

    (void)is_timeout; /* then it is time to arm again */
    pooled->call_count++;
    if (pooled->port == NULL)
        serve_and_wait(pooled);
    else if (!PostQueuedCompletionStatus(pooled->port, 0, pooled->key, NULL))
        SetEvent(pooled->over);
}

static void open_pooled(struct pooled *pooled, const struct reader *reader, HANDLE port,
                        uint32_t idx)
{
    memset(pooled, 0, sizeof(*pooled));
    InitializeSRWLock(&pooled->lock);
    pooled->reader = *reader;
    pooled->port = port;
    pooled->key = idx;
    pooled->over = CreateEventW(NULL, TRUE, FALSE, NULL);
    EXPECT_TRUE(pooled->over != NULL);
}

static void close_pooled(struct pooled *pooled)
{
    if (pooled->wait != NULL)
        (void)UnregisterWaitEx(pooled->wait, INVALID_HANDLE_VALUE);
    (void)CloseHandle(pooled->over);
}

static void the_thread_pool_waits_for_rings(void)
{
    struct reader  readers[RING_COUNT];
    struct pooled  pooled[RING_COUNT];
    struct process feeder;

    start_feeding(&feeder, readers);
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        open_pooled(&pooled[i], &readers[i], NULL, i);
        serve_and_wait(&pooled[i]);
    }
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        EXPECT(WaitForSingleObject(pooled[i].over, STUCK_MS) == WAIT_OBJECT_0, "ring %u hangs", i);
        close_pooled(&pooled[i]);
        readers[i] = pooled[i].reader;
        trial_note("ring %u: %llu calls of the pool", i, (unsigned long long)pooled[i].call_count);
    }
    trial_finish(&feeder);
    expect_everything(readers);
}

/* --- an I/O completion port ------------------------------------------------------------------- */

#define KEY_WORK 99u
#define WORK_COUNT 1000u

static void post_work(void *port)
{
    for (uint32_t i = 0; i < WORK_COUNT; i++) {
        (void)PostQueuedCompletionStatus(port, i, KEY_WORK, NULL);
        if (i % 8 == 0)
            Sleep(1);
    }
}

static void a_completion_port_serves_rings_and_other_work(void)
{
    HANDLE                port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    struct reader         readers[RING_COUNT];
    struct pooled         pooled[RING_COUNT];
    struct process        feeder;
    struct process_thread thread;
    uint32_t              work = 0, closed = 0;

    EXPECT_TRUE(port != NULL);
    start_feeding(&feeder, readers);
    process_thread_start(&thread, post_work, port);
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        open_pooled(&pooled[i], &readers[i], port, i);
        serve_and_wait(&pooled[i]);
        closed += pooled[i].reader.status != GYRE_TIMEOUT;
    }
    while (work < WORK_COUNT || closed < RING_COUNT) {
        DWORD       bytes;
        ULONG_PTR   key;
        OVERLAPPED *overlapped;
        EXPECT(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, STUCK_MS),
               "the port hangs: %u of %u pieces of work, %u rings closed", work, WORK_COUNT,
               closed);
        if (key == KEY_WORK) {
            EXPECT_EQ(bytes, work++);
            continue;
        }
        EXPECT_TRUE(key < RING_COUNT);
        serve_and_wait(&pooled[key]);
        closed += pooled[key].reader.status != GYRE_TIMEOUT;
    }
    process_thread_join(&thread);
    trial_finish(&feeder);
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        close_pooled(&pooled[i]);
        readers[i] = pooled[i].reader;
    }
    (void)CloseHandle(port);
    expect_everything(readers);
}

/* --- the event -------------------------------------------------------------------------------- */

static void an_event_is_set_once_a_sleep(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct reader            reader;
    uint64_t                 number = 0;

    options.capacity = 4096;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    open_reader(&reader, 0);
    for (uint32_t round = 0; round < 100; round++) {
        serve(&reader);
        EXPECT_STATUS(reader.status, GYRE_TIMEOUT);
        EXPECT_EQ(WaitForSingleObject(reader.event, 0), WAIT_TIMEOUT);
        for (uint32_t i = 0; i <= round % 5; i++, number++)
            EXPECT_STATUS(gyre_send(producer, &number, sizeof(number), 0), GYRE_OK);
        EXPECT_EQ(WaitForSingleObject(reader.event, 0), WAIT_OBJECT_0);
        EXPECT_EQ(WaitForSingleObject(reader.event, 0), WAIT_TIMEOUT);
    }
    serve(&reader);
    EXPECT_EQ(reader.next, number);
    gyre_consumer_interrupt(reader.consumer);
    EXPECT_EQ(WaitForSingleObject(reader.event, 0), WAIT_OBJECT_0);
    serve(&reader);
    EXPECT_STATUS(reader.status, GYRE_INTERRUPTED);
    serve(&reader);
    gyre_producer_close(producer);
    EXPECT_EQ(WaitForSingleObject(reader.event, 0), WAIT_OBJECT_0);
    serve(&reader);
    EXPECT_STATUS(reader.status, GYRE_CLOSED);
    EXPECT_TRUE(reader.is_good);
    gyre_consumer_close(reader.consumer);
}

/* A killed loop's successor on the same seat is another handle, which the producer must find. */
static int live_in_a_loop(uint32_t argument)
{
    struct reader reader;

    (void)argument;
    open_reader(&reader, 0);
    reader.next = gyre_consumer_seq(reader.consumer);
    do {
        serve(&reader);
        gyre_store_release_64(&stage()->is_ready, reader.next + 1);
        (void)WaitForSingleObject(reader.event, ms_until(reader.rearm_ns));
    } while (reader.is_good);
    return 1;
}

static void the_successor_on_a_dead_loops_seat_is_woken(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    uint32_t                 rounds = trial_rounds(0, 5);
    uint64_t                 number = 0, worst = 0;

    options.capacity = 4096;
    options.seat_count = 1;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    for (uint32_t round = 0; round < rounds; round++) {
        struct process reader;
        gyre_store_release_64(&stage()->is_ready, 0);
        trial_start(&reader, "live_in_a_loop", 0);
        trial_await(&stage()->is_ready, number + 1);
        for (uint32_t i = 0; i < 3; i++) {
            uint64_t sent_ns;
            Sleep(10); /* into its longer slices */
            sent_ns = gyre_now_ns();
            EXPECT_STATUS(gyre_send(producer, &number, sizeof(number), 0), GYRE_OK);
            number++;
            trial_await(&stage()->is_ready, number + 1);
            worst = gyre_now_ns() - sent_ns > worst ? gyre_now_ns() - sent_ns : worst;
        }
        process_kill(&reader);
    }
    trial_note("%u loops killed, the next one always woken, %.1f ms after a message at most",
               rounds, (double)worst / 1e6);
    EXPECT(worst < 1000 * NS_PER_MS, "woken late");
    gyre_producer_close(producer);
}

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "message_loop." #name, name                                                                \
    }
    static const struct trial trials[] = {
        TRIAL(an_event_is_set_once_a_sleep),
        TRIAL(a_message_loop_serves_rings_and_posted_messages),
        TRIAL(the_thread_pool_waits_for_rings),
        TRIAL(a_completion_port_serves_rings_and_other_work),
        TRIAL(the_successor_on_a_dead_loops_seat_is_woken),
    };
    static const struct role roles[] = {
        {"feed", feed},
        {"live_in_a_loop", live_in_a_loop},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
