/*
 * scenario_group.c - work-sharing groups: each message goes to one member, and to no other unless
 * that one dies.
 */
#include "flow.h"
#include "scenarios.h"

#include <gyre/atomic.h>

#include <string.h>

#define MESSAGES 3u

static struct gyre_producer *producer;
static struct gyre_consumer *members[3];
static unsigned              message_count;
static unsigned              taken[MESSAGES]; /* how often it was given to somebody */
static unsigned              again[MESSAGES]; /* of these, flagged as redelivered */

static uint32_t equal_sizes(uint64_t seq)
{
    (void)seq;
    return 56;
}

static void open_members(unsigned member_count)
{
    message_count = MESSAGES;
    flow_begin(equal_sizes);
    memset(taken, 0, sizeof(taken));
    memset(again, 0, sizeof(again));
    producer = flow_open_producer(0, 4);
    for (unsigned i = 0; i < member_count; i++) {
        struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
        options.group = "workers";
        options.wait = GYRE_WAIT_SLEEP;
        weave_act_as(1 + i);
        WEAVE_CHECK(gyre_consumer_open(FLOW_NAME, &options, &members[i], NULL) == GYRE_OK);
    }
}

static void open_group(void)
{
    open_members(2);
}

static void send_all(void)
{
    flow_send(producer, MESSAGES);
    gyre_producer_close(producer);
}

/* The number is in the first word; the others have to be of the same message. */
static void take_one(struct gyre_consumer *member)
{
    uint32_t        size = 0;
    const uint64_t *payload = gyre_peek(member, &size);
    uint64_t        first, seq;

    if (payload == NULL)
        return; /* somebody else's by now */
    WEAVE_CHECK(size == 56);
    first = gyre_load_relaxed_64(&payload[0]);
    seq = first >> 16 & UINT32_MAX;
    WEAVE_CHECK(seq < MESSAGES && seq < flow_started());
    WEAVE_CHECK(gyre_load_relaxed_64(&payload[6]) == first + 6);
    taken[seq]++;
    again[seq] += gyre_consumer_is_redelivered(member) != 0;
    WEAVE_CHECK(gyre_release(member) == GYRE_OK);
}

static void work(struct gyre_consumer *member)
{
    for (;;) {
        enum gyre_status status = gyre_wait(member, GYRE_FOREVER);
        weave_end_wait(true);
        if (status == GYRE_CLOSED)
            return;
        if (status != GYRE_OK)
            weave_fail("wait: %s", gyre_status_name(status));
        take_one(member);
    }
}

static void work_first(void)
{
    work(members[0]);
}

static void work_second(void)
{
    work(members[1]);
}

static void check_once(void)
{
    for (unsigned i = 0; i < message_count; i++)
        WEAVE_CHECK(taken[i] == 1 && again[i] == 0);
}

/* What a dead member had and did not give back comes again, flagged. */
static void check_at_least_once(void)
{
    for (unsigned i = 0; i < message_count; i++) {
        WEAVE_CHECK(taken[i] >= 1);
        WEAVE_CHECK(taken[i] - again[i] <= 1);
        WEAVE_CHECK(taken[i] == 1 || weave_had_deaths());
    }
}

/* --- one message each: the second one is woken as well ---------------------------------------- */

static void open_for_two(void)
{
    open_members(2);
    message_count = 2;
}

static void send_two(void)
{
    flow_send(producer, 2);
}

static void work_once(struct gyre_consumer *member)
{
    enum gyre_status status = gyre_wait(member, GYRE_FOREVER);

    weave_end_wait(true);
    WEAVE_CHECK(status == GYRE_OK);
    take_one(member);
}

static void work_once_first(void)
{
    work_once(members[0]);
}

static void work_once_second(void)
{
    work_once(members[1]);
}

/* --- E17: two are the last to be done, a third one sleeps until then --------------------- */

static void open_closed(void)
{
    open_members(3);
    message_count = 2;
    weave_act_as(0);
    flow_send(producer, 2);
    gyre_producer_close(producer);
}

static void do_nothing(void)
{
}

static void work_third(void)
{
    work(members[2]);
}

#define WORKERS(may_die)                                                                           \
    .roles = {{"producer", send_all, false},                                                       \
              {"member", work_first, false},                                                       \
              {"mortal", work_second, may_die}}

const struct weave_scenario scenarios_group[] = {
    {.name = "group",
     .edges = "E14 E16 E17",
     .setup = open_group,
     .finish = check_once,
     WORKERS(false),
     .bounds = {1, 1, 0, 0},
     .random_runs = 20000},
    {.name = "group_refused",
     .edges = "E14 E16 E12",
     .setup = open_group,
     .finish = check_once,
     WORKERS(false),
     .bounds = {1, 0, 0, 0},
     .random_runs = 20000,
     .barrier = WEAVE_BARRIER_REFUSED},
    {.name = "group_slices",
     .edges = "E14 E16",
     .setup = open_group,
     .finish = check_once,
     WORKERS(false),
     .bounds = {1, 0, 0, 0},
     .random_runs = 20000,
     .barrier = WEAVE_BARRIER_MISSING},
    {.name = "group_member_dies",
     .edges = "E14 E15 E17",
     .setup = open_group,
     .finish = check_at_least_once,
     WORKERS(true),
     .bounds = {1, 0, 1, 0},
     .random_runs = 20000},
    {.name = "group_one_each",
     .edges = "E16",
     .setup = open_for_two,
     .finish = check_once,
     .roles = {{"producer", send_two, false},
               {"member", work_once_first, false},
               {"second", work_once_second, false}},
     .bounds = {1, 1, 0, 0},
     .random_runs = 20000},
    {.name = "group_end",
     .edges = "E17",
     .setup = open_closed,
     .finish = check_once,
     .roles = {{"producer", do_nothing, false},
               {"member", work_first, false},
               {"second", work_second, false},
               {"third", work_third, false}},
     .bounds = {2, 2, 0, 0},
     .random_runs = 20000},
    {.name = NULL},
};
