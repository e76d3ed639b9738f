/*
 * scenario_sleep.c - nobody sleeps through anything, whatever the system offers.
 */
#include "flow.h"
#include "internal.h"
#include "scenarios.h"

static struct gyre_producer *producer;
static struct flow_reader    readers[3];

static uint32_t small_sizes(uint64_t seq)
{
    return 8u + 8u * (uint32_t)(seq % 3);
}

static void open_with(unsigned reader_count)
{
    flow_begin(small_sizes);
    producer = flow_open_producer(0, 3);
    for (unsigned i = 0; i < reader_count; i++)
        flow_open_reader(&readers[i], 1 + i, GYRE_RELIABLE, GYRE_START_NEWEST);
}

static void open_one(void)
{
    open_with(1);
}

static void open_two(void)
{
    open_with(2);
}

static void open_lossy(void)
{
    open_with(0);
    flow_open_reader(&readers[0], 1, GYRE_LOSSY, GYRE_START_NEWEST);
}

static void open_strict(void)
{
    flow_begin(small_sizes);
    producer = flow_open_strict(0);
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
}

static void send_one(void)
{
    flow_send(producer, 1);
}

static void send_two(void)
{
    flow_send(producer, 2);
}

static void read_two(void)
{
    flow_read_until(&readers[0], 2);
}

static void read_one_first(void)
{
    flow_read_until(&readers[0], 1);
}

static void read_one_second(void)
{
    flow_read_until(&readers[1], 1);
}

/* --- wait_any, arm ---------------------------------------------------------------------------- */

static void open_two_of_one(void)
{
    open_with(0);
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
    flow_open_reader(&readers[1], 1, GYRE_LOSSY, GYRE_START_NEWEST);
}

static void read_any(void)
{
    struct gyre_consumer *consumers[2] = {readers[0].consumer, readers[1].consumer};

    while (readers[0].next_seq < 2 || readers[1].next_seq < 2) {
        uint32_t         which = 0;
        enum gyre_status status = gyre_wait_any(consumers, 2, GYRE_FOREVER, &which);
        weave_end_wait(status != GYRE_TIMEOUT);
        if (status != GYRE_OK)
            weave_fail("wait_any: %s", gyre_status_name(status));
        WEAVE_CHECK(flow_read_one(&readers[which]));
        flow_release(&readers[which]);
    }
}

/* As an event loop: the bell's word stands for the handle. */
static void read_armed(void)
{
    struct gyre_consumer *consumer = readers[0].consumer;

    while (readers[0].next_seq < 2) {
        uint64_t         rearm_ns = 0;
        enum gyre_status status = gyre_consumer_arm(consumer, &rearm_ns);
        if (status == GYRE_TIMEOUT) {
            (void)sync_bell_wait(&consumer->bell, consumer->ring.site, SYNC_ROLE_NONE, rearm_ns);
            status = gyre_wait(consumer, 0);
            weave_end_wait(status == GYRE_OK);
        }
        while (status == GYRE_OK && flow_read_one(&readers[0]))
            flow_release(&readers[0]);
    }
}

/* --- E12: the fence mode is left while somebody enters it ------------------------------------- */

static uint32_t lap_sizes(uint64_t seq)
{
    return seq < 2 ? 104 : 8;
}

static void open_fenced(void)
{
    flow_begin(lap_sizes);
    producer = flow_open_producer(0, 3);
    for (unsigned i = 0; i < 2; i++)
        flow_open_reader(&readers[i], 1 + i, GYRE_RELIABLE, GYRE_START_NEWEST);
    /* The second one has slept, so that the producer fences. */
    gyre__say_asleep(readers[1].consumer);
    (void)gyre__sleep_limit_ns(readers[1].consumer, false);
    gyre__say_awake(readers[1].consumer);
    weave_act_as(0);
    flow_send(producer, 2);
    weave_act_as(1);
    flow_read_until(&readers[0], 2);
}

static void leave_second(void)
{
    gyre_consumer_close(readers[1].consumer);
}

static void send_two_by_refresh(void)
{
    flow_send(producer, 2);
}

static void read_four(void)
{
    flow_read_until(&readers[0], 4);
}

/* --- E9 --------------------------------------------------------------------------------------- */

static void send_and_close(void)
{
    flow_send(producer, 1);
    gyre_producer_close(producer);
}

static void read_to_end(void)
{
    flow_read_to_end(&readers[0]);
    WEAVE_CHECK(readers[0].received == 1);
}

/* --- E13 -------------------------------------------------------------------------------------- */

static void wait_interrupted(void)
{
    WEAVE_CHECK(flow_wait(&readers[0]) == GYRE_INTERRUPTED);
}

static void interrupt(void)
{
    gyre_consumer_interrupt(readers[0].consumer);
}

static void interrupt_producer(void)
{
    gyre_producer_interrupt(producer);
}

static uint32_t half_sizes(uint64_t seq)
{
    (void)seq;
    return 1912;
}

static void open_full(void)
{
    flow_begin(half_sizes);
    producer = flow_open_producer(0, 1);
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
    weave_act_as(0);
    flow_send(producer, 2);
}

static void wait_room_interrupted(void)
{
    enum gyre_status status = gyre_wait_room(producer, 1912, GYRE_FOREVER);

    weave_end_wait(true);
    WEAVE_CHECK(status == GYRE_INTERRUPTED);
}

/* --- waiting for consumers -------------------------------------------------------------------- */

static void open_producer_alone(void)
{
    open_with(0);
}

static void wait_consumer_and_send(void)
{
    enum gyre_status status = gyre_producer_wait_consumers(producer, 1, GYRE_FOREVER);

    weave_end_wait(status == GYRE_OK);
    WEAVE_CHECK(status == GYRE_OK);
    flow_send(producer, 1);
}

static void join_and_read_one(void)
{
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
    WEAVE_CHECK(readers[0].next_seq == 0);
    flow_read_until(&readers[0], 1);
}

static void wait_consumer(void)
{
    enum gyre_status status = gyre_producer_wait_consumers(producer, 1, GYRE_FOREVER);

    weave_end_wait(status == GYRE_OK);
    WEAVE_CHECK(status == GYRE_OK);
}

static void join_only(void)
{
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
}

#define TWO(first, first_run, second, second_run)                                                  \
    .roles = {{first, first_run, false}, {second, second_run, false}}

const struct weave_scenario scenarios_sleep[] = {
    {.name = "sleep_barrier",
     .edges = "E3",
     .setup = open_one,
     TWO("producer", send_two, "consumer", read_two),
     .bounds = {3, 1, 0, 0},
     .random_runs = 5000},
    {.name = "sleep_refused",
     .edges = "E3 E12",
     .setup = open_one,
     TWO("producer", send_two, "consumer", read_two),
     .bounds = {3, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "sleep_slices",
     .edges = "E3",
     .setup = open_one,
     TWO("producer", send_two, "consumer", read_two),
     .bounds = {2, 1, 0, 1},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "sleep_strict",
     .edges = "E3",
     .setup = open_strict,
     TWO("producer", send_two, "consumer", read_two),
     .bounds = {3, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "sleep_lossy",
     .edges = "E3",
     .setup = open_lossy,
     TWO("producer", send_two, "consumer", read_two),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "sleep_both",
     .edges = "E3",
     .setup = open_two,
     .roles = {{"producer", send_one, false},
               {"consumer", read_one_first, false},
               {"second", read_one_second, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "wait_any",
     .edges = "E3",
     .setup = open_two_of_one,
     TWO("producer", send_two, "consumer", read_any),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "arm",
     .edges = "E3",
     .setup = open_one,
     TWO("producer", send_two, "consumer", read_armed),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "arm_slices",
     .edges = "E3",
     .setup = open_one,
     TWO("producer", send_two, "consumer", read_armed),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "fence_relaxed",
     .edges = "E12 E3 E10",
     .setup = open_fenced,
     .roles = {{"producer", send_two_by_refresh, false},
               {"consumer", read_four, false},
               {"leaver", leave_second, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 20000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "close",
     .edges = "E9 E3",
     .setup = open_one,
     TWO("producer", send_and_close, "consumer", read_to_end),
     .bounds = {2, 1, 0, 1},
     .random_runs = 5000},
    {.name = "close_refused",
     .edges = "E9 E12",
     .setup = open_one,
     TWO("producer", send_and_close, "consumer", read_to_end),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "close_slices",
     .edges = "E9 E3",
     .setup = open_one,
     TWO("producer", send_and_close, "consumer", read_to_end),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "interrupt",
     .edges = "E13",
     .setup = open_one,
     TWO("interrupter", interrupt, "consumer", wait_interrupted),
     .bounds = {3, 1, 0, 0},
     .random_runs = 2000},
    {.name = "interrupt_producer",
     .edges = "E13 E6",
     .setup = open_full,
     TWO("producer", wait_room_interrupted, "interrupter", interrupt_producer),
     .bounds = {3, 1, 0, 0},
     .random_runs = 2000},
    {.name = "wait_consumers",
     .edges = "E6 E10",
     .setup = open_producer_alone,
     TWO("producer", wait_consumer_and_send, "joiner", join_and_read_one),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "wait_consumers_only",
     .edges = "E6 E10",
     .setup = open_producer_alone,
     TWO("producer", wait_consumer, "joiner", join_only),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = NULL},
};
