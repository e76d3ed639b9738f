/*
 * test_runs.c - gyre_claim_run and gyre_peek_run: a run is what single calls would have given.
 */
#include "handles.h"
#include "internal.h"

#define CAPACITY 4096u

/* Claims up to `wanted` messages in one run and fills them; how many they are. */
static uint32_t claim_run(struct gyre_producer *producer, uint32_t size, uint32_t wanted)
{
    uint64_t       seq = gyre_producer_seq(producer);
    uint32_t       align = producer->ring.geometry.frame_align;
    uint32_t       count = wanted;
    uint32_t       stride = 0;
    unsigned char *first = gyre_claim_run(producer, size, &count, &stride);

    if (first == NULL) {
        CHECK_EQ(count, wanted);
        CHECK_EQ(stride, 0);
        CHECK_EQ(gyre_producer_seq(producer), seq);
        return 0;
    }
    CHECK(count >= 1 && count <= wanted);
    CHECK_EQ(stride, (size + 8 + align - 1) / align * align);
    CHECK_EQ(gyre_producer_seq(producer), seq + count);
    for (uint32_t i = 0; i < count; i++)
        pattern_fill(first + (size_t)i * stride, size, seq + i);
    return count;
}

/* Peeks up to `wanted` messages in one run and checks them; how many they are. */
static uint32_t peek_run(struct gyre_consumer *consumer, uint32_t size, uint32_t wanted)
{
    uint64_t             seq = gyre_consumer_seq(consumer);
    uint32_t             count = wanted;
    uint32_t             stride = 0;
    uint32_t             got = 0;
    const unsigned char *first = gyre_peek_run(consumer, &got, &count, &stride);

    if (first == NULL) {
        CHECK_EQ(count, wanted);
        CHECK_EQ(stride, 0);
        return 0;
    }
    CHECK_EQ(got, size);
    CHECK(count >= 1 && count <= wanted);
    CHECK_EQ(gyre_consumer_seq(consumer), seq + count);
    for (uint32_t i = 0; i < count; i++)
        CHECK(pattern_matches(first + (size_t)i * stride, size, seq + i));
    return count;
}

/* Room is found in sixteenths of the ring, and a run ends with it. */
#define LONG_CAPACITY (4 * CAPACITY)

/* Runs of many lengths round the ring many times, read by runs and by single peeks in turn. */
static void runs_pass(uint32_t align, uint32_t size, uint64_t first_seq)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, LONG_CAPACITY, align);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              longest = 0;

    producer->fast.seq = consumer->fast.peek_seq = consumer->fast.held_seq = first_seq;
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t sent = claim_run(producer, size, 1 + round % 23);
        uint32_t seen = 0;
        CHECK(sent > 0);
        CHECK_EQ(peek_run(consumer, size, 1), 0);
        gyre_publish(producer);
        while (seen < sent) {
            uint32_t here = peek_run(consumer, size, 1 + round % 11);
            CHECK(here > 0);
            seen += here;
            longest = here > longest ? here : longest;
            if (round % 3 == 0 && seen < sent) {
                uint32_t single = 0;
                uint64_t seq = gyre_consumer_seq(consumer);
                CHECK(pattern_matches(gyre_peek(consumer, &single), size, seq));
                CHECK_EQ(single, size);
                seen++;
            }
        }
        CHECK_EQ(seen, sent);
        CHECK_EQ(peek_run(consumer, size, 5), 0);
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
    }
    CHECK(longest > 4);
    CHECK_EQ(gyre_consumer_seq(consumer), gyre_producer_seq(producer));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(runs, runs_of_tiny_messages_pass_densely_packed)
{
    runs_pass(8, 8, 0);
}

SCENARIO(runs, runs_of_empty_messages_pass)
{
    runs_pass(8, 0, 0);
}

SCENARIO(runs, runs_of_a_line_each_pass)
{
    runs_pass(64, 56, 0);
}

SCENARIO(runs, runs_of_several_lines_each_pass)
{
    runs_pass(64, 100, 0);
}

SCENARIO(runs, runs_pass_where_the_low_half_of_the_number_wraps)
{
    runs_pass(8, 24, UINT64_C(0xfffffc00));
}

SCENARIO(runs, a_run_ends_before_a_message_of_another_size)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    for (uint32_t round = 0; round < 30; round++) {
        for (uint32_t i = 0; i < 3; i++)
            put(producer, 16);
        put(producer, 17); /* a frame as long as that of 24 */
        put(producer, 24);
        for (uint32_t seen = 0; seen < 3;)
            seen += peek_run(consumer, 16, 10);
        CHECK_EQ(peek_run(consumer, 17, 10), 1);
        CHECK_EQ(peek_run(consumer, 24, 10), 1);
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* Wherever among those that are looked at together the other one lies. */
SCENARIO(runs, a_run_is_as_long_as_messages_of_its_size_lie_there)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, LONG_CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    for (uint32_t length = 1; length <= 10; length++) {
        for (uint32_t i = 0; i < length; i++)
            put(producer, 16);
        put(producer, 24); /* a frame as long as that of 16 */
        for (uint32_t i = 0; i < 5; i++)
            put(producer, 16);
        CHECK_EQ(peek_run(consumer, 16, 20), length);
        CHECK_EQ(peek_run(consumer, 24, 20), 1);
        CHECK_EQ(peek_run(consumer, 16, 20), 5);
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(runs, a_run_ends_where_the_room_ends)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              sent = 0, seen = 0, here;

    while ((here = claim_run(producer, 56, 1000)) != 0) {
        sent += here;
        gyre_publish(producer);
    }
    CHECK_EQ(sent, CAPACITY / 64 - 1); /* behind the last there is a zero */
    while ((here = peek_run(consumer, 56, 1000)) != 0)
        seen += here;
    CHECK_EQ(seen, sent);
    CHECK_EQ(claim_run(producer, 56, 1), 0);
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
    CHECK(claim_run(producer, 56, 1) == 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(runs, a_run_of_none_or_of_what_is_too_large_is_null)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    CHECK_EQ(claim_run(producer, 8, 0), 0);
    CHECK_EQ(claim_run(producer, CAPACITY, 3), 0);
    put(producer, 8);
    CHECK_EQ(peek_run(consumer, 8, 0), 0);
    CHECK_EQ(peek_run(consumer, 8, 3), 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(runs, a_member_of_a_group_peeks_runs_of_one)
{
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    uint32_t                     size, count, stride;

    options.group = "workers";
    options.claim_count = 4;
    if (sizeof(void *) < 8)
        SKIP_SCENARIO("32-bit machines have no groups");
    CHECK_EQ(gyre_consumer_open(name, &options, &consumer, NULL), GYRE_OK);
    for (uint32_t i = 0; i < 8; i++)
        put(producer, 8);
    for (uint64_t i = 0; i < 8; i++) {
        const void *message;
        count = 10;
        message = gyre_peek_run(consumer, &size, &count, &stride);
        if (message == NULL) { /* what it has claimed is used up */
            CHECK_EQ(gyre_release(consumer), GYRE_OK);
            count = 10;
            message = gyre_peek_run(consumer, &size, &count, &stride);
        }
        CHECK(message != NULL);
        CHECK_EQ(count, 1);
        CHECK_EQ(size, 8);
        CHECK(pattern_matches(message, 8, i));
    }
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}
