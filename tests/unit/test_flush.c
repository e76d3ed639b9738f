/*
 * test_flush.c - flush behind: when a consumer does it, in simulated laps; and what it does.
 */
#include "handles.h"
#include "internal.h"

#define LAP_SIZE (UINT64_C(4) << 20)
#define LAP_NS UINT64_C(1000000) /* a stream */
#define SLOW_NS (2 * LAP_SIZE)   /* none: two nanoseconds a byte */
#define ROUND_LAPS 520u          /* no longer passes between two trials */
#define TRIAL_LAPS 3u            /* of a round, the other way */

/* A ring whose laps take as long as the laps before them have made it. */
struct world {
    struct gyre_flush flush;
    uint64_t          took_ns[2]; /* behind a lap without and with */
    bool              was_on;
    uint32_t          on_count;
};

static void lap_of(struct world *world, uint64_t took_ns)
{
    world->was_on = world->flush.is_on;
    world->on_count += world->was_on;
    gyre__flush_lap(&world->flush, LAP_SIZE, took_ns);
}

static void laps(struct world *world, uint32_t count)
{
    world->on_count = 0;
    for (uint32_t i = 0; i < count; i++)
        lap_of(world, world->took_ns[world->was_on]);
}

SCENARIO(flush, a_stream_that_gains_has_it_after_few_laps_and_keeps_it)
{
    struct world world = {.took_ns = {LAP_NS, LAP_NS / 3}};

    laps(&world, 6);
    CHECK(world.flush.is_on);
    laps(&world, 10 * ROUND_LAPS);
    SCENARIO_ASSERT(world.on_count >= 10 * (ROUND_LAPS - TRIAL_LAPS - 1), "%u laps with",
                    world.on_count);
}

SCENARIO(flush, one_that_does_not_tries_it_seldom)
{
    const uint64_t with_ns[] = {LAP_NS * 20, LAP_NS * 2, LAP_NS, LAP_NS * 9 / 10};

    for (uint32_t i = 0; i < sizeof(with_ns) / sizeof(with_ns[0]); i++) {
        struct world world = {.took_ns = {LAP_NS, with_ns[i]}};
        laps(&world, 10 * ROUND_LAPS);
        SCENARIO_ASSERT(world.on_count <= 11 * TRIAL_LAPS, "case %u: %u laps with", i,
                        world.on_count);
        CHECK(world.on_count >= 9 * TRIAL_LAPS);
    }
}

SCENARIO(flush, a_lap_that_was_disturbed_changes_nothing)
{
    for (uint32_t disturbed = 0; disturbed < 8; disturbed++)
        for (uint32_t gains = 0; gains < 2; gains++) {
            struct world world = {.took_ns = {LAP_NS, gains ? LAP_NS / 2 : LAP_NS}};
            for (uint32_t lap = 0; lap < 12; lap++)
                lap_of(&world, world.took_ns[world.was_on] * (lap == disturbed ? 20 : 1));
            SCENARIO_ASSERT(world.flush.is_on == gains, "lap %u", disturbed);
        }
}

SCENARIO(flush, when_cores_move_the_next_round_finds_it)
{
    struct world world = {.took_ns = {LAP_NS, LAP_NS / 2}};

    for (uint32_t i = 0; i < 6; i++) {
        bool gains = i % 2 == 0;
        world.took_ns[1] = gains ? LAP_NS / 2 : LAP_NS * 2;
        laps(&world, 2 * ROUND_LAPS);
        CHECK_EQ(world.flush.is_better, gains);
    }
}

SCENARIO(flush, a_gain_that_is_small_is_kept_but_not_begun)
{
    struct world world = {.took_ns = {LAP_NS, LAP_NS / 2}};

    laps(&world, 2 * ROUND_LAPS);
    CHECK(world.flush.is_better);
    world.took_ns[1] = LAP_NS * 19 / 20;
    laps(&world, 4 * ROUND_LAPS);
    CHECK(world.flush.is_better);
    world.took_ns[1] = LAP_NS * 21 / 20;
    laps(&world, 2 * ROUND_LAPS);
    CHECK(!world.flush.is_better);
    world.took_ns[1] = LAP_NS * 19 / 20;
    laps(&world, 4 * ROUND_LAPS);
    CHECK(!world.flush.is_better);
}

SCENARIO(flush, laps_of_any_length_are_compared_by_the_byte)
{
    struct gyre_flush flush = {.lap_idx = 0};

    for (uint32_t lap = 0; lap < 6; lap++)
        gyre__flush_lap(&flush, flush.is_on ? 4 * LAP_SIZE : LAP_SIZE,
                        flush.is_on ? 2 * LAP_NS : LAP_NS);
    CHECK(flush.is_better);
}

SCENARIO(flush, where_there_is_no_stream_it_is_off_until_there_is_one)
{
    struct world world = {.took_ns = {LAP_NS, LAP_NS / 2}};

    laps(&world, 6);
    CHECK(world.flush.is_on);
    for (uint32_t i = 0; i < 2 * ROUND_LAPS; i++) {
        lap_of(&world, SLOW_NS);
        CHECK(!world.flush.is_on);
    }
    laps(&world, 1);
    CHECK(world.flush.is_on);
}

SCENARIO(flush, bursts_do_not_begin_with_a_trial_each)
{
    struct world world = {.took_ns = {LAP_NS, LAP_NS}};
    uint32_t     on_count = 0;

    for (uint32_t burst = 0; burst < ROUND_LAPS; burst++) {
        laps(&world, 10);
        on_count += world.on_count;
        lap_of(&world, SLOW_NS);
    }
    SCENARIO_ASSERT(on_count <= 11 * TRIAL_LAPS, "%u laps with", on_count);
}

/* ---- a consumer ------------------------------------------------------------------------------ */

#define CAPACITY 65536u
#define SIZE 56u
#define FRAME 64u

static struct gyre_consumer *open_flusher(const char *name, enum gyre_consumer_kind kind)
{
    struct gyre_consumer *consumer = open_consumer(name, kind, GYRE_START_OLDEST, 0);

    if (!consumer->flush.is_tried) {
        struct gyre_consumer *other = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
        CHECK(!other->flush.is_tried);
        SKIP_SCENARIO("this processor has no clflushopt");
    }
    return consumer;
}

static void put_and_take(struct gyre_producer *producer, struct gyre_consumer *consumer,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t seq = gyre_producer_seq(producer);
        put(producer, SIZE);
        take(consumer, seq, SIZE);
    }
}

static void flush_round_the_ring(enum gyre_consumer_kind kind)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_flusher(name, kind);

    consumer->flush.is_on = true;
    consumer->fast.flush_pos = 0;
    for (uint32_t i = 0; i < 3 * CAPACITY / FRAME; i++) {
        put_and_take(producer, consumer, 1);
        /* What is not flushed yet is less than a step and what one release brings. */
        CHECK(consumer->fast.held_pos - consumer->flush.done_pos <= 1024);
        CHECK_EQ(consumer->fast.flush_pos, consumer->flush.done_pos + 1024);
    }
    CHECK_EQ(consumer->flush.done_pos % FRAME, 0);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flush, what_was_released_is_flushed_round_the_ring)
{
    flush_round_the_ring(GYRE_RELIABLE);
}

SCENARIO(flush, what_a_lossy_consumer_has_read_is_too)
{
    flush_round_the_ring(GYRE_LOSSY);
}

SCENARIO(flush, messages_packed_densely_stay_whole)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_flusher(name, GYRE_RELIABLE);

    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t size = 1 + i % 200;
        put(producer, size);
        put(producer, size);
        for (uint32_t k = 0; k < 2; k++) {
            consumer->flush.is_on = true;
            consumer->fast.flush_pos = 0;
            take(consumer, 2 * i + k, size);
            CHECK(consumer->fast.held_pos - consumer->flush.done_pos <= 1024); /* padding: more */
        }
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* What a gap jumps over was not read: there is nothing to flush, and it is no part of the lap. */
SCENARIO(flush, a_gap_is_no_progress)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_LOSSY, GYRE_START_OLDEST, 0);
    uint64_t              begin_pos, lap_left, look_left;

    put_and_take(producer, consumer, 100);
    begin_pos = consumer->fast.held_pos;
    lap_left = consumer->flush.lap_end_pos - begin_pos;
    look_left = consumer->flush.look_pos - begin_pos;
    for (uint32_t i = 0; i < 3 * CAPACITY / FRAME; i++)
        put(producer, SIZE);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_GAP);
    CHECK(consumer->fast.held_pos - begin_pos > CAPACITY);
    CHECK_EQ(consumer->flush.done_pos, consumer->fast.held_pos);
    CHECK_EQ(consumer->flush.lap_end_pos - consumer->fast.held_pos, lap_left);
    CHECK_EQ(consumer->flush.look_pos - consumer->fast.held_pos, look_left);
    CHECK_EQ(consumer->fast.flush_pos, consumer->flush.lap_end_pos);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* Is it on an eighth of a lap later, in the midst of a round that found it better? */
static bool goes_on(struct gyre_producer *producer, struct gyre_consumer *consumer)
{
    consumer->flush.is_on = consumer->flush.is_better = true;
    consumer->flush.lap_idx = 7;
    consumer->fast.flush_pos = 0;
    put_and_take(producer, consumer, LAP_SIZE / 8 / FRAME);
    return consumer->flush.is_better;
}

SCENARIO(flush, it_ends_when_another_consumer_comes)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_flusher(name, GYRE_RELIABLE), *other;

    CHECK(goes_on(producer, consumer));
    other = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    CHECK(!goes_on(producer, consumer));
    CHECK(!consumer->flush.is_on);
    gyre_consumer_close(other);
    CHECK(goes_on(producer, consumer));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* A seat whose holder is dead: nobody has its lease. */
SCENARIO(flush, the_dead_are_no_company_for_who_comes)
{
    const char              *name = ring_dir_name();
    struct gyre_producer    *producer = open_producer(name, CAPACITY, 0);
    struct gyre_shared_seat *seat = &producer->ring.seats[1];
    struct gyre_consumer    *consumer;

    gyre_store_release_64(&seat->control, gyre__seat_control(1, GYRE_LOSSY, GYRE_SEAT_ACTIVE));
    consumer = open_flusher(name, GYRE_LOSSY);
    CHECK_EQ(consumer->seat_idx, 0);
    CHECK_EQ(gyre__seat_state(gyre_load_acquire_64(&seat->control)), GYRE_SEAT_FREE);
    CHECK(goes_on(producer, consumer));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flush, it_ends_soon_when_the_stream_does)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_flusher(name, GYRE_RELIABLE);

    consumer->flush.is_on = true;
    consumer->flush.lap_idx = 7;
    consumer->fast.flush_pos = 0;
    consumer->flush.lap_begin_ns -= 1000 * SLOW_NS;
    put_and_take(producer, consumer, LAP_SIZE / 8 / FRAME);
    CHECK(!consumer->flush.is_on);
    CHECK_EQ(consumer->flush.lap_idx, 7);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flush, taps_and_large_rings_have_none)
{
    const char           *name = ring_dir_name(), *large = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);

    CHECK(!consumer->flush.is_tried);
    consumer->fast.flush_pos = 0; /* as if it had gone half round all positions */
    put_and_take(producer, consumer, 1);
    CHECK(gyre__pos_after(consumer->fast.flush_pos, consumer->fast.held_pos + LAP_SIZE));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    producer = open_producer(large, UINT64_C(64) << 20, 0);
    consumer = open_consumer(large, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK(!consumer->flush.is_tried);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}
