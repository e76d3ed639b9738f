/*
 * scenario_death.c - somebody is killed at any step, and the others get on.
 */
#include "flow.h"
#include "scenarios.h"

static struct gyre_producer *producer;
static struct gyre_producer *heir;
static struct flow_reader    readers[2];
static unsigned              phase; /* 1: the heir has opened, 2: it has closed */
static uint64_t              last_seq;

static uint32_t equal_sizes(uint64_t seq)
{
    (void)seq;
    return 56;
}

static void begin(void)
{
    flow_begin(equal_sizes);
    phase = 0;
}

static bool is_gone(void *role)
{
    return weave_is_gone(*(const unsigned *)role);
}

static void await_end_of(unsigned role)
{
    weave_block_until(is_gone, &role);
}

/* --- E11, E1: the producer dies, another goes on ---------------------------------------------- */

static void open_for_heir(void)
{
    begin();
    producer = flow_open_producer(0, 2);
    flow_open_reader(&readers[0], 2, GYRE_RELIABLE, GYRE_START_NEWEST);
}

static void publish_three_and_close(void)
{
    flow_send(producer, 1);
    WEAVE_CHECK(flow_claim(producer));
    WEAVE_CHECK(flow_claim(producer));
    flow_publish(producer);
    gyre_producer_close(producer);
}

static void inherit(unsigned message_count)
{
    await_end_of(0);
    heir = flow_open_producer(1, 2);
    flow_take_over(heir);
    phase = 1;
    flow_send(heir, message_count);
    last_seq = flow_done();
    gyre_producer_close(heir);
    phase = 2;
}

static void inherit_and_send_one(void)
{
    inherit(1);
}

static bool has_moved(void *seen)
{
    return phase != *(const unsigned *)seen;
}

/* Until the heir has closed; who dies before it may be told, but no more than once. */
static void read_over_death(struct flow_reader *reader)
{
    unsigned orphaned = 0;

    for (;;) {
        unsigned         seen = phase;
        enum gyre_status status = flow_wait(reader);
        if (status == GYRE_ORPHANED)
            WEAVE_CHECK(++orphaned == 1 && weave_is_dead(0));
        while (flow_read_one(reader))
            flow_release(reader);
        if (status != GYRE_CLOSED)
            continue;
        if (seen == 2)
            break;
        weave_block_until(has_moved, &seen);
    }
    WEAVE_CHECK(reader->next_seq == last_seq);
}

static void read_over_death_first(void)
{
    read_over_death(&readers[0]);
}

/* --- the same while it opens ------------------------------------------------------------------ */

static void open_after_another(void)
{
    begin();
    producer = flow_open_producer(1, 2);
    flow_open_reader(&readers[0], 2, GYRE_RELIABLE, GYRE_START_NEWEST);
    weave_act_as(1);
    flow_send(producer, 1);
    gyre_producer_close(producer);
    weave_act_as(2);
    WEAVE_CHECK(flow_read_one(&readers[0]));
    flow_release(&readers[0]);
}

static void open_and_send_one(void)
{
    producer = flow_open_producer(0, 2);
    flow_send(producer, 1);
    gyre_producer_close(producer);
}

/* --- E5: it dies between the horizon and the grant -------------------------------------------- */

static void fill_lap(void)
{
    begin();
    producer = flow_open_producer(0, 2);
    flow_open_reader(&readers[1], 1, GYRE_LOSSY, GYRE_START_NEWEST); /* so that the ring stays */
    weave_act_as(0);
    flow_send(producer, 62);
}

/* As far as there is room: whoever joins holds it back. */
static void send_what_fits(struct gyre_producer *to, unsigned count)
{
    for (unsigned i = 0; i < count && flow_claim(to); i++)
        flow_publish(to);
}

static void send_four_and_close(void)
{
    send_what_fits(producer, 4);
    gyre_producer_close(producer);
}

/* What the heir and the joiner do is not cut into steps: when they do it is what matters. */
static void inherit_in_one_step(void)
{
    await_end_of(0);
    weave_undisturbed(true);
    heir = flow_open_producer(1, 2);
    flow_take_over(heir);
    send_what_fits(heir, 5);
    gyre_producer_close(heir);
    phase = 2;
}

static bool has_heir_closed(void *context)
{
    (void)context;
    return phase == 2;
}

static void join_oldest_in_one_step(void)
{
    weave_undisturbed(true);
    flow_open_reader(&readers[0], 2, GYRE_RELIABLE, GYRE_START_OLDEST);
    weave_undisturbed(false);
    weave_block_until(has_heir_closed, NULL);
    weave_undisturbed(true);
    flow_read_to_end(&readers[0]);
}

/* --- E10, E6: a consumer dies that holds the producer back ------------------------------------ */

static void fill_for_two(void)
{
    begin();
    producer = flow_open_producer(0, 2);
    for (unsigned i = 0; i < 2; i++)
        flow_open_reader(&readers[i], 1 + i, GYRE_RELIABLE, GYRE_START_NEWEST);
    weave_act_as(0);
    flow_send(producer, 62);
    /* All but the last ones are read. */
    for (unsigned i = 0; i < 2; i++) {
        weave_act_as(1 + i);
        while (readers[i].next_seq < 2 + 58 * i && flow_read_one(&readers[i]))
            continue;
        flow_release(&readers[i]);
    }
}

static void send_six(void)
{
    flow_send(producer, 6);
}

static void read_and_leave(void)
{
    for (unsigned i = 0; i < 6; i++) {
        WEAVE_CHECK(flow_read_one(&readers[0]));
        flow_release(&readers[0]);
    }
    gyre_consumer_close(readers[0].consumer);
}

static void read_all(void)
{
    flow_read_until(&readers[1], 68);
}

/* A consumer dies while it joins; its seat is taken by the next one. */
static void open_with_one_seat(void)
{
    begin();
    producer = flow_open_producer(0, 1);
}

static void join_and_leave(void)
{
    flow_open_reader(&readers[0], 1, GYRE_RELIABLE, GYRE_START_OLDEST);
    gyre_consumer_close(readers[0].consumer);
}

static void join_after_death(void)
{
    await_end_of(1);
    flow_open_reader(&readers[1], 2, GYRE_RELIABLE, GYRE_START_OLDEST);
    WEAVE_CHECK(readers[1].next_seq == 0);
    flow_read_until(&readers[1], 2);
}

static void send_two(void)
{
    flow_send(producer, 2);
}

/* --- E4: whoever creates the ring dies -------------------------------------------------------- */

static void create_and_close(void)
{
    producer = flow_open_producer(0, 2);
    flow_send(producer, 1);
    gyre_producer_close(producer);
}

static void create_again(void)
{
    enum gyre_status status;

    await_end_of(0);
    heir = flow_open_producer(1, 2);
    if (gyre_producer_seq(heir) != 0) /* else it may be a new ring */
        flow_take_over(heir);
    phase = 1;
    status = gyre_producer_wait_consumers(heir, 1, GYRE_FOREVER);
    weave_end_wait(status == GYRE_OK);
    WEAVE_CHECK(status == GYRE_OK);
    flow_send(heir, 1);
    last_seq = flow_done();
    gyre_producer_close(heir);
    phase = 2;
}

static void join_whatever_comes(void)
{
    flow_open_reader(&readers[0], 2, GYRE_RELIABLE, GYRE_START_OLDEST);
    WEAVE_CHECK(readers[0].next_seq == 0);
    read_over_death(&readers[0]);
}

const struct weave_scenario scenarios_death[] = {
    {.name = "producer_dies",
     .edges = "E11 E1 E3",
     .setup = open_for_heir,
     .roles = {{"producer", publish_three_and_close, true},
               {"heir", inherit_and_send_one, false},
               {"consumer", read_over_death_first, false}},
     .bounds = {1, 1, 1, 0},
     .random_runs = 20000},
    {.name = "producer_dies_refused",
     .edges = "E11 E12",
     .setup = open_for_heir,
     .roles = {{"producer", publish_three_and_close, true},
               {"heir", inherit_and_send_one, false},
               {"consumer", read_over_death_first, false}},
     .bounds = {1, 0, 1, 0},
     .random_runs = 10000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "opener_dies",
     .edges = "E11 E9",
     .setup = open_after_another,
     .roles = {{"opener", open_and_send_one, true},
               {"heir", inherit_and_send_one, false},
               {"consumer", read_over_death_first, false}},
     .bounds = {1, 0, 1, 0},
     .random_runs = 10000},
    {.name = "granter_dies",
     .edges = "E5 E11",
     .setup = fill_lap,
     .roles = {{"producer", send_four_and_close, true},
               {"heir", inherit_in_one_step, false},
               {"joiner", join_oldest_in_one_step, false}},
     .bounds = {2, 0, 1, 0},
     .random_runs = 20000},
    {.name = "consumer_dies",
     .edges = "E10 E6",
     .setup = fill_for_two,
     .roles = {{"producer", send_six, false},
               {"mortal", read_and_leave, true},
               {"consumer", read_all, false}},
     .bounds = {1, 0, 1, 0},
     .random_runs = 10000},
    {.name = "joiner_dies",
     .edges = "E10 E5",
     .setup = open_with_one_seat,
     .roles = {{"producer", send_two, false},
               {"mortal", join_and_leave, true},
               {"joiner", join_after_death, false}},
     .bounds = {1, 0, 1, 0},
     .random_runs = 10000},
    {.name = "creator_dies",
     .edges = "E4 E11",
     .setup = begin,
     .roles = {{"creator", create_and_close, true},
               {"other", create_again, false},
               {"joiner", join_whatever_comes, false}},
     .bounds = {1, 0, 1, 0},
     .random_runs = 20000},
    {.name = NULL},
};
