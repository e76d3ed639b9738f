/*
 * scenario_random.c - everything at once, over several laps: too large to be explored.
 */
#include "flow.h"
#include "scenarios.h"

#define MESSAGES 24u

static struct gyre_producer *producer;
static struct flow_reader    readers[4];

/* From 0 to half of the ring, so that laps, padding and blocking come soon. */
static uint32_t mixed_sizes(uint64_t seq)
{
    static const uint32_t sizes[] = {8,  40, 952, 0,   120, 2040, 56,   64, 1400,
                                     16, 48, 57,  952, 300, 8,    1016, 24, 13};

    return sizes[seq % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void open_all(void)
{
    flow_begin(mixed_sizes);
    producer = flow_open_producer(0, 4);
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
    flow_open_reader(&readers[1], 2, GYRE_LOSSY, GYRE_START_NEWEST);
    flow_open_reader(&readers[2], 3, GYRE_TAP, GYRE_START_NEWEST);
}

static void send_all(void)
{
    while (gyre_producer_seq(producer) < MESSAGES) {
        /* Batches of up to three, as far as there is room at once. */
        unsigned count = 0;
        while (count <= gyre_producer_seq(producer) % 3 && flow_claim(producer))
            count++;
        if (count > 0)
            flow_publish(producer);
        else
            flow_send(producer, 1);
    }
    gyre_producer_close(producer);
}

static void read_reliable(void)
{
    flow_read_to_end(&readers[0]);
    WEAVE_CHECK(readers[0].lost == 0);
}

static void read_lossy(void)
{
    flow_read_to_end(&readers[1]);
    WEAVE_CHECK(readers[1].received + readers[1].lost == flow_done());
}

static void read_tap(void)
{
    flow_read_to_end(&readers[2]);
    WEAVE_CHECK(readers[2].received + readers[2].lost == flow_done());
}

static void join_and_read(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.wait = GYRE_WAIT_SLEEP;
    if (gyre_consumer_open(FLOW_NAME, &options, &readers[3].consumer, NULL) != GYRE_OK)
        weave_fail("consumer_open");
    readers[3].next_seq = gyre_consumer_seq(readers[3].consumer);
    flow_read_to_end(&readers[3]);
    gyre_consumer_close(readers[3].consumer);
}

#define EVERYBODY                                                                                  \
    .roles = {{"producer", send_all, false},                                                       \
              {"reliable", read_reliable, false},                                                  \
              {"lossy", read_lossy, false},                                                        \
              {"tap", read_tap, false},                                                            \
              {"joiner", join_and_read, false}}
#define WITH_DEATH                                                                                 \
    .roles = {{"producer", send_all, false},                                                       \
              {"reliable", read_reliable, false},                                                  \
              {"lossy", read_lossy, true},                                                         \
              {"tap", read_tap, true},                                                             \
              {"joiner", join_and_read, true}}

const struct weave_scenario scenarios_random[] = {
    {.name = "mixed_barrier",
     .edges = "E1 to E10",
     .setup = open_all,
     EVERYBODY,
     .is_random_only = true,
     .random_runs = 8000},
    {.name = "mixed_refused",
     .edges = "E1 to E12",
     .setup = open_all,
     EVERYBODY,
     .is_random_only = true,
     .random_runs = 8000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "mixed_slices",
     .edges = "E1 to E10",
     .setup = open_all,
     EVERYBODY,
     .is_random_only = true,
     .random_runs = 8000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "mixed_deaths",
     .edges = "E1 to E10",
     .setup = open_all,
     WITH_DEATH,
     .bounds = {0, 0, 2, 0},
     .is_random_only = true,
     .random_runs = 8000},
    {.name = NULL},
};
