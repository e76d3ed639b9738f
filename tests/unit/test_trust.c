/*
 * test_trust.c - a consumer that breaks the rules, and a producer that does: what the others see.
 *
 * The rogue writes what its rights let it write: all of CTRL.  A rogue producer writes DATA.  Each
 * scenario writes the words of the map by hand, at the moment that hurts most; words that change
 * while they are read are the fuzz targets' business.
 */
#include "handles.h"

#include "internal.h"

#ifndef _WIN32
#include "linux/calls.h"
#endif

#define CAPACITY 4096u

/* Moves another consumer's cursor to the end of what is published, as if it had read it all. */
static void steal_cursor(struct gyre_producer *producer, struct gyre_consumer *victim)
{
    victim->seat->released_pos = producer->fast.published_pos;
}

/* A lap and more, which the producer would not write if it knew where the victim is. */
static void overrun(struct gyre_producer *producer, struct gyre_consumer *victim)
{
    for (uint32_t i = 0; i < 100; i++) {
        steal_cursor(producer, victim);
        put(producer, 56);
    }
}

SCENARIO(trust, a_reader_whose_cursor_was_moved_is_told_before_it_believes_a_byte)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *victim = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              size = 0;

    for (uint32_t i = 0; i < 10; i++)
        put(producer, 56);
    look(victim, 0, 56);
    overrun(producer, victim);
    CHECK_EQ(gyre_release(victim), GYRE_EVICTED);
    CHECK(gyre_peek(victim, &size) == NULL);
    CHECK_EQ(gyre_wait(victim, GYRE_FOREVER), GYRE_EVICTED);
    CHECK_EQ(gyre__seat_state(victim->seat->control), GYRE_SEAT_EVICTED);
    gyre_consumer_close(victim);
    gyre_producer_close(producer);
}

SCENARIO(trust, a_forked_child_that_releases_does_not_cost_its_parent_the_seat)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *parent = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer  child = *parent; /* as the child has it after the fork */

    child.ring.is_forked = true;
    child.ring.forget(&child.ring);
    for (uint32_t seq = 0; seq < 200; seq++) {
        put(producer, 56);
        take(parent, seq, 56);
    }
    CHECK_EQ(gyre_release(&child), GYRE_FORKED);
    put(producer, 56);
    take(parent, 200, 56);
    CHECK_EQ(gyre_wait(parent, 0), GYRE_TIMEOUT);
    gyre_consumer_close(parent);
    gyre_producer_close(producer);
}

SCENARIO(trust, recv_gives_no_byte_to_a_reader_whose_cursor_was_moved)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *victim = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    unsigned char         buffer[64];
    uint32_t              size = 77;
    uint64_t              forged = UINT64_C(0) << 32 | GYRE_FRAME_PUBLISHED | 56;

    put(producer, 56);
    overrun(producer, victim);
    /* Payload may lie where the header was; the worst that it can be is a good header. */
    memcpy(producer->ring.bytes, &forged, sizeof(forged));
    CHECK_EQ(gyre_recv(victim, buffer, sizeof(buffer), &size, 0), GYRE_EVICTED);
    CHECK_EQ(size, 77);
    CHECK_EQ(gyre_recv(victim, buffer, 8, &size, GYRE_FOREVER), GYRE_EVICTED);
    gyre_consumer_close(victim);
    gyre_producer_close(producer);
}

SCENARIO(trust, a_reader_that_lost_its_place_does_not_wait_at_a_zero_for_ever)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *victim = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              zero = 0;

    put(producer, 56);
    overrun(producer, victim);
    memcpy(producer->ring.bytes, &zero, sizeof(zero));
    CHECK_EQ(gyre_wait(victim, GYRE_FOREVER), GYRE_EVICTED);
    gyre_consumer_close(victim);
    gyre_producer_close(producer);
}

SCENARIO(trust, what_is_held_stays_when_the_cursor_was_moved_to_where_the_reader_is)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *victim = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              size = 0;

    for (uint32_t i = 0; i < 62; i++) {
        put(producer, 56);
        take(victim, i, 56);
    }
    put(producer, 56);  /* the last frame but one of the lap */
    put(producer, 120); /* does not fit: padding, and a message behind it */
    look(victim, 62, 56);
    victim->seat->released_pos = victim->fast.peek_pos;
    CHECK(gyre_peek(victim, &size) != NULL); /* over the padding: no release of its own accord */
    CHECK_EQ(victim->fast.held_pos, 62u * 64u);
    gyre_consumer_close(victim);
    gyre_producer_close(producer);
}

SCENARIO(trust, who_was_told_that_it_is_evicted_stays_so)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *victim = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              control = victim->seat->control;
    uint32_t              size = 0;

    put(producer, 56);
    victim->seat->control ^= 2;
    CHECK_EQ(gyre_wait(victim, 0), GYRE_EVICTED);
    victim->seat->control = control;
    CHECK_EQ(gyre_wait(victim, 0), GYRE_EVICTED);
    CHECK(gyre_peek(victim, &size) == NULL);
    gyre_consumer_close(victim);
    gyre_producer_close(producer);
}

/* The horizon stands ahead of a joiner for a moment, until the producer has seen the joiner. */
SCENARIO(trust, an_announced_horizon_that_was_not_confirmed_evicts_nobody)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *joiner = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              horizon = producer->ring.front->horizon_pos;

    put(producer, 56);
    look(joiner, 0, 56);
    producer->ring.front->horizon_pos = 2048;
    CHECK_EQ(gyre_release(joiner), GYRE_OK);
    producer->ring.front->horizon_pos = horizon;
    gyre_consumer_close(joiner);
    gyre_producer_close(producer);
}

static uint64_t evicted_count(const char *name)
{
    struct gyre_ring_info info;

    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, NULL), GYRE_OK);
    return info.evicted_count;
}

/* To a place that is still in the ring, or to one that is not. */
static void step_back_to(uint64_t pos)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *rogue = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    for (uint64_t seq = 0; seq < 100; seq++) {
        put(producer, 56);
        take(rogue, seq, 56);
    }
    CHECK_EQ(evicted_count(name), 0);
    rogue->seat->released_pos = pos;
    for (uint32_t i = 0; i < 100; i++)
        put(producer, 56);
    CHECK_EQ(gyre_wait(rogue, 0), GYRE_EVICTED);
    CHECK_EQ(evicted_count(name), 1);
    gyre_consumer_close(rogue);
    gyre_producer_close(producer);
    CHECK_EQ(gyre_ring_remove(name, 1, NULL), GYRE_NOT_FOUND);
}

SCENARIO(trust, whoever_takes_a_release_back_is_evicted_and_counted)
{
    step_back_to(64 * 64);
}

SCENARIO(trust, whoever_goes_back_to_what_is_overwritten_is_evicted_and_counted)
{
    step_back_to(64);
}

/* Neither before nor behind what is published, by a difference of 64 bits with a sign. */
SCENARIO(trust, a_cursor_half_of_all_positions_away_lends_no_room)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *rogue = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              count = 0;

    while (gyre_claim(producer, 56) != NULL)
        count++;
    CHECK_EQ(count, CAPACITY / 64 - 1);
    rogue->seat->released_pos ^= UINT64_C(1) << 63;
    CHECK(gyre_claim(producer, 56) == NULL);
    CHECK_EQ(producer->ring.front->granted_pos, 0);
    gyre_consumer_close(rogue);
    gyre_producer_close(producer);
}

SCENARIO(trust, the_count_of_evictions_outlives_the_producer)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *rogue = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    rogue->seat->released_pos = 8;
    for (uint32_t i = 0; i < 70; i++)
        put(producer, 56);
    CHECK_EQ(evicted_count(name), 1);
    gyre_producer_close(producer);
    producer = open_producer(name, CAPACITY, 64);
    CHECK_EQ(evicted_count(name), 1);
    gyre_producer_close(producer);
    gyre_consumer_close(rogue);
}

/* --- a producer that breaks the rules --------------------------------------------------------- */

SCENARIO(trust, corrupt_bytes_are_told_with_their_place)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              header = UINT64_C(77) << 32 | GYRE_FRAME_PUBLISHED | 8;
    uint32_t              size = 0;

    put(producer, 56);
    put(producer, 100);
    take(consumer, 0, 56);
    CHECK_EQ(gyre_consumer_pos(consumer), 64);
    memcpy(producer->ring.bytes + 64, &header, sizeof(header));
    CHECK(gyre_peek(consumer, &size) == NULL);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_CORRUPT);
    CHECK_EQ(gyre_consumer_pos(consumer), 64);
    CHECK_EQ(gyre_consumer_seq(consumer), 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* The horizon is ahead of every landmark: to a reader, a producer that is always faster. */
SCENARIO(trust, a_horizon_that_runs_away_is_corrupt_and_no_loop)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *oldest = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer *newest;

    {
        struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
        options.kind = GYRE_TAP;
        options.on_gap = GYRE_RESUME_NEWEST;
        CHECK_EQ(gyre_consumer_open(name, &options, &newest, NULL), GYRE_OK);
    }
    for (uint32_t i = 0; i < 50; i++)
        put(producer, 56);
    producer->ring.front->horizon_pos = 1u << 20;
    CHECK_EQ(gyre_wait(newest, 0), GYRE_CORRUPT); /* nothing is left that it could go on with */
    CHECK_EQ(gyre_wait(oldest, 0), GYRE_CORRUPT);
    gyre_consumer_close(newest);
    gyre_consumer_close(oldest);
    gyre_producer_close(producer);
}

#ifndef _WIN32

/* A seat that nobody holds, which becomes another living one whenever its lease is asked for. */
static struct gyre_shared_seat *restless;
static int (*real_fcntl)(int fd, int command, struct flock *lock);

static int fcntl_and_revive(int fd, int command, struct flock *lock)
{
    if (command == F_OFD_GETLK)
        restless->control += UINT64_C(1) << GYRE_SEAT_GENERATION_SHIFT;
    return real_fcntl(fd, command, lock);
}

SCENARIO(trust, a_seat_that_comes_to_life_again_and_again_does_not_hold_up_who_counts_consumers)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);

    restless = &producer->ring.seats[7];
    restless->control = gyre__seat_control(1, GYRE_RELIABLE, GYRE_SEAT_ACTIVE);
    real_fcntl = sync_calls.fcntl_lock;
    sync_calls.fcntl_lock = fcntl_and_revive;
    CHECK_EQ(gyre_producer_wait_consumers(producer, 1, 0), GYRE_TIMEOUT);
    sync_calls.fcntl_lock = real_fcntl;
    gyre_producer_close(producer);
}

#endif
