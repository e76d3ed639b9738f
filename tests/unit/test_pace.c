/*
 * test_pace.c - what a wait makes of the pace of messages, in a simulated time in which timers and
 * rings are late by as much as we like.
 */
#include "internal.h"
#include "scenario.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define ARRIVALS 4u

struct world {
    struct gyre_pace pace;
    uint64_t         now_ns;
    uint64_t         late_min_ns; /* of timers and rings, and by how much more they can be late */
    uint64_t         late_spread_ns;
    uint64_t         ring_lead_ns; /* by which rings are quicker than timers */
    uint64_t         stop_ns;      /* for so long the processor is lost at the end of a spin */
    uint64_t         random;
    uint64_t         spun_ns;
    uint32_t         timer_count;
    uint32_t         count[ARRIVALS];
};

static uint64_t below(struct world *world, uint64_t limit)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->random >> 33) % limit;
}

static struct world world_of(uint64_t late_min_ns, uint64_t late_spread_ns)
{
    return (struct world){
        .now_ns = MS, .late_min_ns = late_min_ns, .late_spread_ns = late_spread_ns, .random = 1};
}

static uint64_t late_ns(struct world *world)
{
    return world->late_min_ns + below(world, world->late_spread_ns + 1);
}

static uint64_t ring_late_ns(struct world *world)
{
    return late_ns(world) - world->ring_lead_ns;
}

static void spin(struct world *world, uint64_t until_ns)
{
    world->spun_ns += until_ns - world->now_ns;
    world->now_ns = until_ns;
}

/* The wait for a message that comes at `at_ns`, as gyre_wait does it. */
static enum gyre_arrival wait_for(struct world *world, uint64_t at_ns)
{
    uint64_t          wake_ns = gyre__pace_next(&world->pace, world->now_ns);
    uint64_t          timer_ns = wake_ns + late_ns(world), ring_ns = at_ns + ring_late_ns(world);
    uint64_t          spin_ns;
    enum gyre_arrival arrival = GYRE_ARRIVAL_RUNG;

    world->timer_count += wake_ns != 0;
    if (wake_ns == 0) {
        world->now_ns = ring_ns;
    } else if (at_ns <= timer_ns) {
        arrival = GYRE_ARRIVAL_EARLY;
        world->now_ns = gyre__sooner(timer_ns, ring_ns);
    } else {
        world->now_ns = timer_ns;
        spin_ns = gyre__pace_woken(&world->pace, world->now_ns);
        if (at_ns <= world->now_ns + spin_ns) {
            spin(world, at_ns);
            world->now_ns += world->stop_ns;
            arrival = GYRE_ARRIVAL_MET;
        } else {
            spin(world, world->now_ns + spin_ns);
            world->now_ns = ring_ns;
            arrival = GYRE_ARRIVAL_LATE;
        }
    }
    gyre__pace_learn(&world->pace, arrival, world->now_ns);
    world->count[arrival]++;
    return arrival;
}

/* `count` messages, `period_ns` from one to the next, each early or late by up to `jitter_ns`. */
static void stream(struct world *world, uint32_t count, uint64_t period_ns, uint64_t jitter_ns)
{
    uint64_t due_ns = world->now_ns;

    for (uint32_t i = 0; i < ARRIVALS; i++)
        world->count[i] = 0;
    world->spun_ns = 0;
    world->timer_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        due_ns += period_ns;
        (void)wait_for(world, due_ns - jitter_ns + below(world, 2 * jitter_ns + 1));
    }
}

/* The same without jitter, and `more_ns` from each `every`-th one to the next. */
static void stream_with_rests(struct world *world, uint32_t count, uint64_t period_ns,
                              uint32_t every, uint64_t more_ns)
{
    uint64_t due_ns = world->now_ns;

    for (uint32_t i = 0; i < count; i++)
        (void)wait_for(world, due_ns += period_ns + (i % every == 0 ? more_ns : 0));
}

SCENARIO(pace, messages_at_a_steady_pace_are_met_and_hardly_spun_for)
{
    static const uint64_t periods[] = {100 * US, 200 * US, MS, 20 * MS, 900 * MS};

    for (uint32_t i = 0; i < 5; i++) {
        struct world world =
            world_of(5 * US, periods[i] / 40 < 30 * US ? periods[i] / 40 : 30 * US);
        stream(&world, 20, periods[i], US);
        stream(&world, 1000, periods[i], US);
        SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 900, "%u met at %llu ns",
                        world.count[GYRE_ARRIVAL_MET], (unsigned long long)periods[i]);
        SCENARIO_ASSERT(world.spun_ns / 1000 <=
                            (periods[i] / 16 > 10 * US ? periods[i] / 16 : 10 * US),
                        "%llu ns spun", (unsigned long long)world.spun_ns / 1000);
    }
}

/* As on virtual machines, which are told of a ring sooner than of a timer. */
static struct world virtual_world(void)
{
    struct world world = world_of(40 * US, 10 * US);

    world.ring_lead_ns = 30 * US;
    return world;
}

SCENARIO(pace, timers_may_be_later_than_rings)
{
    struct world world = virtual_world();

    stream(&world, 1000, 200 * US, 0);
    stream(&world, 1000, 200 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 900, "%u met, %u early, %u late",
                    world.count[GYRE_ARRIVAL_MET], world.count[GYRE_ARRIVAL_EARLY],
                    world.count[GYRE_ARRIVAL_LATE]);
}

SCENARIO(pace, late_timers_are_learnt_at_once)
{
    struct world world = virtual_world();

    stream(&world, 30, 400 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 20, "%u of 30 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, a_lead_far_too_long_is_cut_before_trust_is_lost)
{
    struct world world = world_of(90 * US, 5 * US);

    stream(&world, 1000, 400 * US, 0);
    world.late_min_ns = 5 * US;
    stream(&world, 60, 400 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 45, "%u of 60 met",
                    world.count[GYRE_ARRIVAL_MET]);
    CHECK(world.pace.lead_ns < 50 * US);
}

/* As where the sender loses its processor once a millisecond. */
SCENARIO(pace, a_message_in_five_may_be_late)
{
    struct world world = virtual_world();
    uint64_t     due_ns = world.now_ns;

    for (uint32_t i = 0; i < 1000; i++)
        (void)wait_for(&world, (due_ns += 200 * US) + (i % 5 == 0 ? 30 * US : 0));
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 300, "%u of 1000 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

/* As where a host takes the processor away once a millisecond, just then. */
SCENARIO(pace, a_wake_in_five_may_be_late)
{
    struct world world = virtual_world();
    uint64_t     due_ns = world.now_ns;

    for (uint32_t i = 0; i < 300; i++) {
        world.late_min_ns = i % 5 == 0 ? 80 * US : 40 * US;
        (void)wait_for(&world, due_ns += 200 * US);
    }
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 200, "%u of 300 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, a_pace_goes_on_from_another_time)
{
    struct world world = world_of(5 * US, 5 * US);

    stream(&world, 100, 200 * US, 0);
    world.now_ns += 70 * US;
    stream(&world, 20, 200 * US, 0);
    CHECK(world.pace.trust != 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 16, "%u of 20 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, a_sender_that_often_begins_anew_is_followed)
{
    struct world world = world_of(5 * US, 5 * US);

    stream_with_rests(&world, 1000, MS, 10, MS / 3);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 500, "%u of 1000 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, four_messages_and_a_rest_are_a_pace)
{
    struct world world = world_of(5 * US, 5 * US);

    stream_with_rests(&world, 1000, MS, 4, 11 * MS + MS / 3);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 600, "%u of 1000 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

/* The message comes meanwhile: that the spin took so long says nothing of the timer. */
SCENARIO(pace, who_is_stopped_in_a_spin_keeps_its_lead)
{
    struct world world = virtual_world();
    uint64_t     due_ns = world.now_ns;

    for (uint32_t i = 0; i < 2000; i++) {
        world.stop_ns = i % 5 == 0 ? 120 * US : 0;
        (void)wait_for(&world, due_ns += 200 * US);
    }
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 1700, "%u of 2000 met",
                    world.count[GYRE_ARRIVAL_MET]);
}

/* Timers late by 30 to 70 us: no spin of a sixteenth of the interval covers that. */
SCENARIO(pace, a_timer_that_is_early_is_spun_for_longer)
{
    struct world world = world_of(30 * US, 40 * US);

    world.ring_lead_ns = 20 * US;
    stream(&world, 1000, 200 * US, 0);
    stream(&world, 1000, 200 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 750, "%u of 1000 met",
                    world.count[GYRE_ARRIVAL_MET]);
    SCENARIO_ASSERT(world.spun_ns / 1000 <= 200 * US / 8, "%llu ns spun",
                    (unsigned long long)world.spun_ns / 1000);
}

SCENARIO(pace, a_quick_pace_is_found_after_late_timers_and_a_rest)
{
    static const uint64_t periods[] = {105 * US, 120 * US, 130 * US, 150 * US};

    for (uint32_t i = 0; i < 4; i++) {
        struct world world = virtual_world();
        stream(&world, 1000, MS, 0);
        stream(&world, 3, 1200 * MS, 0);
        stream(&world, 600, periods[i], 0);
        SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 400, "%u met at %llu ns",
                        world.count[GYRE_ARRIVAL_MET], (unsigned long long)periods[i]);
    }
}

SCENARIO(pace, late_timers_make_no_pace_of_messages_that_have_none)
{
    struct world world = virtual_world();

    stream(&world, 20000, 200 * US, 40 * US);
    SCENARIO_ASSERT(world.timer_count <= 2000, "%u timers for 20000 messages", world.timer_count);
    stream(&world, 20000, 200 * US, 20 * US);
    SCENARIO_ASSERT(world.timer_count <= 6000, "%u timers for 20000 messages", world.timer_count);
}

SCENARIO(pace, irregular_messages_cost_few_vain_wake_ups)
{
    struct world world = world_of(10 * US, 20 * US);

    stream(&world, 20000, MS, MS / 2);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_RUNG] >= 18000, "%u of 20000 messages rang",
                    world.count[GYRE_ARRIVAL_RUNG]);
    CHECK(world.spun_ns / 20000 <= MS / 16 / 10);
}

SCENARIO(pace, the_lead_follows_timers_that_become_slower_and_quicker)
{
    struct world world = world_of(5 * US, 5 * US);
    uint64_t     lead_ns;

    stream(&world, 1000, MS, 0);
    lead_ns = world.pace.lead_ns;
    world.late_min_ns = 60 * US;
    stream(&world, 100, MS, 0);
    stream(&world, 1000, MS, 0);
    CHECK(world.count[GYRE_ARRIVAL_MET] >= 900);
    CHECK(world.pace.lead_ns > lead_ns + 40 * US);
    world.late_min_ns = 5 * US;
    stream(&world, 1000, MS, 0);
    CHECK(world.pace.lead_ns < lead_ns + 20 * US);
    CHECK(world.count[GYRE_ARRIVAL_MET] >= 800);
}

SCENARIO(pace, another_pace_is_found_and_a_rest_forgets_none)
{
    struct world world = world_of(5 * US, 5 * US);

    stream(&world, 100, 200 * US, 0);
    stream(&world, 200, 310 * US, 0);
    stream(&world, 100, 310 * US, 0);
    CHECK(world.count[GYRE_ARRIVAL_MET] >= 90);
    world.now_ns += 1000 * MS + 100 * US;
    (void)wait_for(&world, world.now_ns + 100 * US);
    CHECK(world.pace.trust >= 15);
    stream(&world, 100, 310 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 85, "%u met after a rest",
                    world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, a_slower_pace_is_found_whatever_it_is_a_multiple_of)
{
    static const uint64_t firsts[] = {150 * US,  200 * US,  625 * US, MS,
                                      1250 * US, 1667 * US, 2500 * US};

    for (uint32_t i = 0; i < 7; i++) {
        struct world world = world_of(5 * US, 5 * US);
        stream(&world, 100, firsts[i], 0);
        stream(&world, 300, 5 * MS, US);
        stream(&world, 100, 5 * MS, US);
        SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 90, "%u met after %llu ns",
                        world.count[GYRE_ARRIVAL_MET], (unsigned long long)firsts[i]);
    }
    for (uint64_t first_ns = 100 * US; first_ns < 10 * MS; first_ns += 70 * US) {
        struct world world = world_of(5 * US, 5 * US);
        (void)wait_for(&world, world.now_ns);
        (void)wait_for(&world, world.now_ns + first_ns);
        stream(&world, 200, 10 * MS, US);
        stream(&world, 100, 10 * MS, US);
        SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 90, "%u met after %llu ns",
                        world.count[GYRE_ARRIVAL_MET], (unsigned long long)first_ns);
    }
}

SCENARIO(pace, a_pace_that_becomes_too_quick_ends)
{
    struct world world = world_of(2 * US, US);
    uint64_t     due_ns = world.now_ns;

    for (uint32_t i = 0; i < 2000; i++)
        (void)wait_for(&world, due_ns += 120 * US - i / 40 * 2 * US);
    CHECK_EQ(world.pace.trust, 0);
}

SCENARIO(pace, a_message_that_is_left_out_breaks_no_pace)
{
    struct world world = world_of(5 * US, 5 * US);

    stream(&world, 100, MS, 0);
    stream_with_rests(&world, 100, MS, 10, MS);
    CHECK(world.pace.trust != 0);
    CHECK(world.count[GYRE_ARRIVAL_MET] >= 150);
}

SCENARIO(pace, messages_that_come_long_before_they_are_due_end_it)
{
    struct world world = world_of(5 * US, 5 * US);

    stream(&world, 100, MS, 0);
    CHECK(world.pace.trust != 0);
    for (uint32_t i = 0; i < 4; i++)
        (void)wait_for(&world, world.now_ns + 300 * US + i * 150 * US);
    CHECK_EQ(world.pace.trust, 0);
}

SCENARIO(pace, the_spin_is_no_longer_than_the_timers_are_unsure)
{
    struct world world = world_of(5 * US, 10 * US);

    stream(&world, 1000, 2 * MS, 0);
    stream(&world, 1000, 2 * MS, 0);
    SCENARIO_ASSERT(world.spun_ns / 1000 <= 10 * US, "%llu ns spun",
                    (unsigned long long)world.spun_ns / 1000);
}

SCENARIO(pace, a_lead_longer_than_the_next_pace_allows_is_cut)
{
    struct world world = world_of(190 * US, 5 * US);

    stream(&world, 1000, 5 * MS, 0);
    CHECK(world.pace.lead_ns > 190 * US);
    world.late_min_ns = 5 * US;
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t spun_ns = world.spun_ns, period_ns = world.pace.period_ns;
        (void)wait_for(&world, world.now_ns + 200 * US);
        CHECK(world.spun_ns - spun_ns <= period_ns / 4);
    }
    stream(&world, 100, 200 * US, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_MET] >= 90, "%u met", world.count[GYRE_ARRIVAL_MET]);
}

SCENARIO(pace, what_is_too_frequent_or_too_rare_has_none)
{
    struct world often = world_of(2 * US, US), rare = world_of(5 * US, 5 * US);

    stream(&often, 1000, 90 * US, 0);
    CHECK_EQ(often.count[GYRE_ARRIVAL_RUNG], 1000);
    stream(&rare, 100, 1100 * MS, 0);
    CHECK_EQ(rare.count[GYRE_ARRIVAL_RUNG], 100);
}

SCENARIO(pace, a_wait_that_begins_when_the_message_is_due_sleeps_for_no_timer)
{
    struct world world = world_of(5 * US, 5 * US);

    stream(&world, 100, MS, 0);
    CHECK(gyre__pace_next(&world.pace, world.pace.last_ns) != 0);
    CHECK_EQ(gyre__pace_next(&world.pace, world.pace.last_ns + MS), 0);
    CHECK_EQ(gyre__pace_next(&world.pace, world.pace.last_ns + 500 * MS), 0);
}

SCENARIO(pace, timers_slower_than_the_spin_are_given_up)
{
    struct world world = world_of(US, 1000 * US); /* a tick, as of old */

    stream(&world, 10000, 5 * MS, 0);
    SCENARIO_ASSERT(world.count[GYRE_ARRIVAL_EARLY] + world.count[GYRE_ARRIVAL_LATE] <= 3000,
                    "%u were tried in vain",
                    world.count[GYRE_ARRIVAL_EARLY] + world.count[GYRE_ARRIVAL_LATE]);
}
