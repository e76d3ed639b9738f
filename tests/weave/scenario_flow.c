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

const struct weave_scenario scenarios_flow[] = {
    {.name = "publish_peek",
     .edges = "E1 E3",
     .setup = open_both,
     .roles = {{"producer", publish_one_then_two, false}, {"consumer", read_three, false}},
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = NULL},
};
