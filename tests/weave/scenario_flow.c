/*
 * scenario_flow.c - messages: whole when they are seen, not overwritten before they are read.
 */
#include "flow.h"
#include "scenarios.h"

static struct gyre_producer *producer;
static struct flow_reader    reader;

/* --- E1: publish and peek --------------------------------------------------------------------- */

static uint32_t small_sizes(uint64_t seq)
{
    return 8u + 8u * (uint32_t)(seq % 3);
}

static void open_both(void)
{
    flow_begin(small_sizes);
    producer = flow_open_producer(0, 2);
    flow_open_reader(&reader, 1, GYRE_RELIABLE, GYRE_START_NEWEST);
}

static void publish_one_then_two(void)
{
    flow_send(producer, 1);
    WEAVE_CHECK(flow_claim(producer));
    WEAVE_CHECK(flow_claim(producer));
    flow_publish(producer);
}

static void read_three(void)
{
    flow_read_until(&reader, 3);
}

/* --- E2, E6: one lap later -------------------------------------------------------------------- */

/* Four large messages and, into the second lap, small ones. */
static uint32_t lap_sizes(uint64_t seq)
{
    return seq < 4 ? 952 : 8u + 8u * (uint32_t)(seq % 3);
}

/* The fifth does not fit in what is left of the lap. */
static uint32_t padded_sizes(uint64_t seq)
{
    return seq < 4 ? 952 : seq == 4 ? 400 : 56;
}

static void fill_lap(uint32_t (*size_of)(uint64_t seq), enum gyre_consumer_kind kind)
{
    flow_begin(size_of);
    producer = flow_open_producer(0, 2);
    flow_open_reader(&reader, 1, kind, GYRE_START_NEWEST);
    weave_act_as(0);
    flow_send(producer, 4);
}

/* Four large messages and, into the second lap, small ones of one size. */
static uint32_t run_sizes(uint64_t seq)
{
    return seq < 4 ? 952 : 24;
}

static void fill_for_runs(void)
{
    fill_lap(run_sizes, GYRE_RELIABLE);
}

static void fill_for_reliable(void)
{
    fill_lap(lap_sizes, GYRE_RELIABLE);
}

static void fill_padded(void)
{
    fill_lap(padded_sizes, GYRE_RELIABLE);
}

static void send_eight(void)
{
    flow_send(producer, 8);
}

static void send_four(void)
{
    flow_send(producer, 4);
}

/* A short run, what is left of eight messages, and one more. */
static void send_runs(void)
{
    unsigned count = flow_claim_run(producer, 2);

    flow_publish(producer);
    while (count < 8) {
        count += flow_claim_run(producer, 8 - count);
        flow_publish(producer);
    }
    flow_send(producer, 1);
}

static void read_all_in_runs(void)
{
    while (reader.next_seq < 13) {
        WEAVE_CHECK(flow_wait(&reader) == GYRE_OK);
        while (flow_read_run(&reader, 8))
            continue;
        flow_release(&reader);
    }
}

static void read_twelve(void)
{
    flow_read_until(&reader, 12);
}

static void read_eight(void)
{
    flow_read_until(&reader, 8);
}

/* Reads what is there, and gives it back at once. */
static void read_twelve_in_bulk(void)
{
    while (reader.next_seq < 12) {
        WEAVE_CHECK(flow_wait(&reader) == GYRE_OK);
        while (flow_read_one(&reader))
            continue;
        flow_release(&reader);
    }
}

/* Reads what there was, and has other things to do. */
static void read_four_and_stop(void)
{
    for (unsigned i = 0; i < 4; i++) {
        WEAVE_CHECK(flow_read_one(&reader));
        flow_release(&reader);
    }
}

/* Gives one message back, keeps three and waits for more. */
static void hold_and_wait(void)
{
    WEAVE_CHECK(flow_read_one(&reader));
    flow_release(&reader);
    while (reader.next_seq < 12) {
        WEAVE_CHECK(flow_wait(&reader) == GYRE_OK);
        while (flow_read_one(&reader))
            continue;
    }
}

/* --- E7: overwritten while it is read --------------------------------------------------------- */

static void fill_for_lossy(void)
{
    fill_lap(lap_sizes, GYRE_LOSSY);
}

static void fill_padded_for_lossy(void)
{
    fill_lap(padded_sizes, GYRE_LOSSY);
}

static void fill_for_tap(void)
{
    fill_lap(lap_sizes, GYRE_TAP);
}

/* The first ones are messages of 56 bytes that fill the ring, so all of a frame may be replaced. */
static uint32_t equal_sizes(uint64_t seq)
{
    (void)seq;
    return 56;
}

static void fill_equal_for_lossy(void)
{
    flow_begin(equal_sizes);
    producer = flow_open_producer(0, 2);
    flow_open_reader(&reader, 1, GYRE_LOSSY, GYRE_START_NEWEST);
    weave_act_as(0);
    flow_send(producer, 62);
}

static void read_all_equal(void)
{
    flow_read_until(&reader, 66);
    WEAVE_CHECK(reader.received + reader.lost == 66);
}

static void read_what_is_left(void)
{
    flow_read_until(&reader, 12);
    WEAVE_CHECK(reader.received + reader.lost == 12);
}

const struct weave_scenario scenarios_flow[] = {
    {.name = "publish_peek",
     .edges = "E1 E3",
     .setup = open_both,
     .roles = {{"producer", publish_one_then_two, false}, {"consumer", read_three, false}},
     .bounds = {3, 1, 0, 0},
     .random_runs = 5000},
    {.name = "reuse",
     .edges = "E1 E2 E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_twelve, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "reuse_bulk",
     .edges = "E2 E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_twelve_in_bulk, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "reuse_runs",
     .edges = "E1 E2",
     .setup = fill_for_runs,
     .roles = {{"producer", send_runs, false}, {"consumer", read_all_in_runs, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "reuse_padded",
     .edges = "E1 E2 E6",
     .setup = fill_padded,
     .roles = {{"producer", send_four, false}, {"consumer", read_eight, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "room_polled",
     .edges = "E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_four_and_stop, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "room_polled_slices",
     .edges = "E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_four_and_stop, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "room_held",
     .edges = "E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", hold_and_wait, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "reuse_refused",
     .edges = "E2 E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_twelve, false}},
     .bounds = {1, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "reuse_slices",
     .edges = "E2 E6",
     .setup = fill_for_reliable,
     .roles = {{"producer", send_eight, false}, {"consumer", read_twelve, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "lossy_reader",
     .edges = "E7 E8",
     .setup = fill_for_lossy,
     .roles = {{"producer", send_eight, false}, {"consumer", read_what_is_left, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "lossy_reader_equal",
     .edges = "E7 E8",
     .setup = fill_equal_for_lossy,
     .roles = {{"producer", send_four, false}, {"consumer", read_all_equal, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "lossy_reader_padded",
     .edges = "E7 E8",
     .setup = fill_padded_for_lossy,
     .roles = {{"producer", send_four, false}, {"consumer", read_eight, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "tap_reader",
     .edges = "E7 E8",
     .setup = fill_for_tap,
     .roles = {{"producer", send_eight, false}, {"consumer", read_what_is_left, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = NULL},
};
