/*
 * scenario_join.c - rings that come to be, and consumers that come and go while messages flow.
 */
#include "flow.h"
#include "scenarios.h"

static struct gyre_producer *producer;
static struct flow_reader    readers[2];
static unsigned              has_opened;
static unsigned              has_left;

static uint32_t equal_sizes(uint64_t seq)
{
    (void)seq;
    return 56;
}

/* --- E4 --------------------------------------------------------------------------------------- */

static void begin(void)
{
    flow_begin(equal_sizes);
    has_opened = 0;
    has_left = 0;
}

static void create_and_send(void)
{
    producer = flow_open_producer(0, 1);
    has_opened = 1;
    flow_send(producer, 1);
}

static void attach_and_read(void)
{
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_OLDEST);
    WEAVE_CHECK(readers[0].next_seq == 0);
    flow_read_until(&readers[0], 1);
}

static void inspect_until_there(void)
{
    for (;;) {
        struct gyre_ring_info info = {.size = sizeof(info)};
        unsigned              was_there = has_opened;
        enum gyre_status      status = gyre_ring_inspect(FLOW_NAME, &info, NULL, 0, NULL, NULL);
        if (status == GYRE_OK) {
            WEAVE_CHECK(info.capacity == FLOW_CAPACITY);
            WEAVE_CHECK(info.next_seq <= 1 && info.oldest_seq == 0);
            return;
        }
        if (status != GYRE_NOT_FOUND || was_there)
            weave_fail("inspect: %s", gyre_status_name(status));
        weave_block_until(flow_is_set, &has_opened);
    }
}

static void attach_tap(void)
{
    weave_block_until(flow_is_set, &has_opened);
    flow_open_reader(&readers[1], 2, GYRE_TAP, GYRE_START_OLDEST);
    WEAVE_CHECK(readers[1].next_seq == 0);
    flow_read_until(&readers[1], 1);
}

static void open_as_other(void)
{
    struct gyre_producer    *other;
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    enum gyre_status         status;

    options.capacity = FLOW_CAPACITY;
    options.seat_count = 1;
    status = gyre_producer_open(FLOW_NAME, &options, &other, NULL);
    if (status != GYRE_OK && status != GYRE_BUSY)
        weave_fail("producer_open: %s", gyre_status_name(status));
    has_opened += status == GYRE_OK;
}

static void check_one_producer(void)
{
    WEAVE_CHECK(has_opened == 1);
}

/* --- E5, E8: a joiner beside a producer that overwrites --------------------------------------- */

/* A ring of two laps and more, so that each landmark written replaces an older one. */
static void fill_laps(void)
{
    begin();
    producer = flow_open_producer(0, 2);
    flow_send(producer, 140);
}

static void send_six(void)
{
    flow_send(producer, 6);
}

static void join(enum gyre_consumer_kind kind, enum gyre_start start)
{
    uint64_t least = flow_done() - 64;

    flow_open_reader(&readers[0], 1, kind, start);
    if (start == GYRE_START_OLDEST)
        WEAVE_CHECK(readers[0].next_seq + 1 >= least && readers[0].next_seq < 146);
    else
        WEAVE_CHECK(readers[0].next_seq >= 140 && readers[0].next_seq <= 146);
}

/* From the oldest message it reads a few, then the last: all lie beyond the horizon for good. */
static void join_at_oldest(void)
{
    join(GYRE_RELIABLE, GYRE_START_OLDEST);
    for (unsigned i = 0; i < 3; i++)
        WEAVE_CHECK(flow_read_one(&readers[0]));
    flow_release(&readers[0]);
    weave_undisturbed(true); /* what is left is not what this is about */
    while (flow_read_one(&readers[0]))
        flow_release(&readers[0]);
    weave_undisturbed(false);
    flow_read_until(&readers[0], 146);
}

static void join_at_newest(void)
{
    join(GYRE_RELIABLE, GYRE_START_NEWEST);
    flow_read_until(&readers[0], 146);
}

static void join_lossy(void)
{
    join(GYRE_LOSSY, GYRE_START_NEWEST);
    flow_read_until(&readers[0], 146);
}

static void join_tap(void)
{
    join(GYRE_TAP, GYRE_START_OLDEST);
    for (unsigned i = 0; i < 2; i++)
        (void)flow_read_one(&readers[0]);
    weave_undisturbed(true);
    while (flow_read_one(&readers[0]))
        continue;
    weave_undisturbed(false);
    flow_read_until(&readers[0], 146);
}

static void join_at_seq(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    enum gyre_status             status;

    options.start = GYRE_START_SEQ;
    options.start_seq = 77; /* just about to be overwritten */
    options.wait = GYRE_WAIT_SLEEP;
    status = gyre_consumer_open(FLOW_NAME, &options, &readers[0].consumer, NULL);
    WEAVE_CHECK(status == GYRE_OK);
    readers[0].next_seq = 77;
    readers[0].is_lossy = false;
    status = gyre_wait(readers[0].consumer, GYRE_FOREVER);
    weave_end_wait(true);
    if (status == GYRE_GAP)
        readers[0].next_seq += gyre_consumer_gap(readers[0].consumer);
    else
        WEAVE_CHECK(status == GYRE_OK);
    WEAVE_CHECK(gyre_consumer_seq(readers[0].consumer) == readers[0].next_seq);
    for (unsigned i = 0; i < 2; i++)
        WEAVE_CHECK(flow_read_one(&readers[0]));
    flow_release(&readers[0]);
    weave_undisturbed(true);
    while (flow_read_one(&readers[0]))
        flow_release(&readers[0]);
    weave_undisturbed(false);
    flow_read_until(&readers[0], 146);
}

/* --- E10: one seat, taken and left ------------------------------------------------------------ */

static void fill_for_leaver(void)
{
    begin();
    producer = flow_open_producer(0, 1);
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_NEWEST);
    weave_act_as(0);
    flow_send(producer, 62);
}

static void read_two_and_leave(void)
{
    for (unsigned i = 0; i < 2; i++)
        WEAVE_CHECK(flow_read_one(&readers[0]));
    flow_release(&readers[0]);
    gyre_consumer_close(readers[0].consumer);
    has_left = 1;
}

static void send_four(void)
{
    flow_send(producer, 4);
}

static void send_eight(void)
{
    flow_send(producer, 8);
}

static void join_after_leaver(void)
{
    weave_block_until(flow_is_set, &has_left);
    flow_open_reader(&readers[1], 2, GYRE_RELIABLE, GYRE_START_NEWEST);
    flow_read_until(&readers[1], 66);
}

/* Takes the seat as soon as it is free, in the midst of the other's leaving. */
static void join_beside_leaver(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    enum gyre_status             status;
    unsigned                     had_left;

    options.wait = GYRE_WAIT_SLEEP;
    do {
        had_left = has_left;
        status = gyre_consumer_open(FLOW_NAME, &options, &readers[1].consumer, NULL);
        if (status == GYRE_NO_SEAT && !had_left)
            weave_block_until(flow_is_set, &has_left);
    } while (status == GYRE_NO_SEAT && !had_left);
    WEAVE_CHECK(status == GYRE_OK);
    readers[1].next_seq = gyre_consumer_seq(readers[1].consumer);
    readers[1].is_lossy = false;
    WEAVE_CHECK(readers[1].next_seq >= 62);
    flow_read_until(&readers[1], 66);
}

#define TWO(first, first_run, second, second_run)                                                  \
    .roles = {{first, first_run, false}, {second, second_run, false}}
#define THREE(first, first_run, second, second_run, third, third_run)                              \
    .roles = {{first, first_run, false}, {second, second_run, false}, {third, third_run, false}}

const struct weave_scenario scenarios_join[] = {
    {.name = "create_attach",
     .edges = "E4",
     .setup = begin,
     TWO("creator", create_and_send, "joiner", attach_and_read),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "create_inspect",
     .edges = "E4",
     .setup = begin,
     TWO("creator", create_and_send, "inspector", inspect_until_there),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000,
     .barrier = WEAVE_BARRIER_MISSING,
     .is_visible_early = true},
    {.name = "create_all",
     .edges = "E4",
     .setup = begin,
     THREE("creator", create_and_send, "joiner", attach_and_read, "tap", attach_tap),
     .bounds = {1, 1, 0, 0},
     .random_runs = 5000,
     .is_visible_early = true},
    {.name = "two_creators",
     .edges = "E4",
     .setup = begin,
     TWO("creator", open_as_other, "other", open_as_other),
     .finish = check_one_producer,
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "join_oldest",
     .edges = "E5 E8",
     .setup = fill_laps,
     TWO("producer", send_six, "joiner", join_at_oldest),
     .bounds = {2, 1, 0, 0},
     .random_runs = 10000},
    {.name = "join_newest",
     .edges = "E5 E8",
     .setup = fill_laps,
     TWO("producer", send_six, "joiner", join_at_newest),
     .bounds = {2, 1, 0, 0},
     .random_runs = 40000},
    {.name = "join_seq",
     .edges = "E5 E8",
     .setup = fill_laps,
     TWO("producer", send_six, "joiner", join_at_seq),
     .bounds = {2, 1, 0, 0},
     .random_runs = 10000},
    {.name = "join_lossy",
     .edges = "E5 E7 E8",
     .setup = fill_laps,
     TWO("producer", send_six, "joiner", join_lossy),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "join_tap",
     .edges = "E7 E8",
     .setup = fill_laps,
     TWO("producer", send_six, "joiner", join_tap),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "leave_blocked",
     .edges = "E10 E6",
     .setup = fill_for_leaver,
     TWO("producer", send_eight, "leaver", read_two_and_leave),
     .bounds = {2, 1, 0, 0},
     .random_runs = 5000},
    {.name = "leave_then_join",
     .edges = "E10 E6",
     .setup = fill_for_leaver,
     THREE("producer", send_four, "leaver", read_two_and_leave, "joiner", join_after_leaver),
     .bounds = {1, 1, 0, 0},
     .random_runs = 5000},
    {.name = "leave_and_join",
     .edges = "E10 E6",
     .setup = fill_for_leaver,
     THREE("producer", send_four, "leaver", read_two_and_leave, "joiner", join_beside_leaver),
     .bounds = {1, 1, 0, 0},
     .random_runs = 5000},
    {.name = NULL},
};
