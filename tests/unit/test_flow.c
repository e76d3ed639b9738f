/*
 * test_flow.c - claim, publish, peek and release: what one producer and one consumer may rely on.
 *
 * The expected numbers follow from the frame arithmetic of layout.h: a frame is 8 bytes of header
 * and the payload, rounded up to the alignment; a frame that does not fit before the end of the
 * ring begins at its start, behind padding; behind the last frame one header's worth stays free for
 * the zero that ends the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "internal.h"

#define CAPACITY 4096u
#define LARGEST (CAPACITY / 2 - 8)

/* --- visibility ------------------------------------------------------------------------------- */

SCENARIO(flow, peek_returns_null_on_an_empty_ring)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    check_empty(consumer);
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
    CHECK_EQ(gyre_consumer_seq(consumer), 0);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, what_is_claimed_is_invisible_until_it_is_published)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    void                 *payload = gyre_claim(producer, 100);

    CHECK(payload != NULL);
    CHECK_EQ((uintptr_t)payload % 8, 0);
    pattern_fill(payload, 100, 0);
    check_empty(consumer);
    gyre_publish(producer);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_OK);
    take(consumer, 0, 100);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, publish_without_a_claim_does_nothing)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    gyre_publish(producer);
    gyre_publish(producer);
    check_empty(consumer);
    put(producer, 8);
    gyre_publish(producer);
    take(consumer, 0, 8);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_batch_appears_at_once_and_in_order)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;

    /* Long enough to lead round the end of the ring several times, each time with padding. */
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t count = 1 + round % 7;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = 40 * i + round;
            void    *payload = gyre_claim(producer, size);
            CHECK(payload != NULL);
            pattern_fill(payload, size, seq + i);
            check_empty(consumer);
        }
        CHECK_EQ(gyre_producer_seq(producer), seq + count);
        gyre_publish(producer);
        for (uint32_t i = 0; i < count; i++)
            look(consumer, seq + i, 40 * i + round);
        check_empty(consumer);
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
        seq += count;
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, peeked_messages_stay_until_their_release)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    const unsigned char  *kept;
    uint32_t              size, sent = 0;

    put(producer, 200);
    kept = gyre_peek(consumer, &size);
    CHECK(kept != NULL);
    while (try_put(producer, 48))
        sent++;
    CHECK(sent > 0);
    CHECK(pattern_matches(kept, 200, 0));
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
    CHECK(try_put(producer, 48));
    for (uint32_t i = 0; i <= sent; i++)
        take(consumer, 1 + i, 48);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* A deadline that the system misreads ends a sleep at once, again and again, or never. */
SCENARIO(flow, a_wait_for_nothing_sleeps_until_its_deadline)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              sleeps = 0, deadline_ns;

    for (uint32_t i = 0; i < 5; i++) {
        deadline_ns = gyre_now_ns() + UINT64_C(50000000);
        CHECK_EQ(gyre_wait(consumer, deadline_ns), GYRE_TIMEOUT);
        CHECK(gyre_now_ns() >= deadline_ns);
    }
    sleeps = consumer->seat->sleep_count;
    SCENARIO_ASSERT(sleeps <= 50, "%llu sleeps", (unsigned long long)sleeps);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void all_sizes_pass(uint32_t align)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, align);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    CHECK_EQ(gyre_producer_max_size(producer), LARGEST);
    CHECK_EQ(gyre_consumer_max_size(consumer), LARGEST);
    for (uint32_t size = 0; size <= LARGEST; size++) {
        put(producer, size);
        CHECK_EQ(gyre_wait(consumer, 0), GYRE_OK);
        take(consumer, size, size);
    }
    for (uint32_t i = 0; i < 100; i++) { /* the largest and the smallest in turn */
        put(producer, i % 2 == 0 ? LARGEST : 0);
        take(consumer, LARGEST + 1 + i, i % 2 == 0 ? LARGEST : 0);
    }
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, messages_of_every_size_pass_at_alignment_8)
{
    all_sizes_pass(8);
}

SCENARIO(flow, messages_of_every_size_pass_at_alignment_16)
{
    all_sizes_pass(16);
}

SCENARIO(flow, messages_of_every_size_pass_at_alignment_32)
{
    all_sizes_pass(32);
}

SCENARIO(flow, messages_of_every_size_pass_at_alignment_64)
{
    all_sizes_pass(64);
}

SCENARIO(flow, an_empty_message_is_a_message)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              size = 99;

    CHECK_EQ(gyre_send(producer, NULL, 0, 0), GYRE_OK);
    CHECK_EQ(gyre_send(producer, "", 0, 0), GYRE_OK);
    CHECK_EQ(gyre_recv(consumer, NULL, 0, &size, 0), GYRE_OK);
    CHECK_EQ(size, 0);
    take(consumer, 1, 0);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_message_over_the_limit_claims_nothing)
{
    static const uint32_t sizes[] = {LARGEST + 1, CAPACITY, 1u << 30, UINT32_MAX - 8, UINT32_MAX};
    static unsigned char  message[CAPACITY];
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK(gyre_claim(producer, sizes[i]) == NULL);
        CHECK_EQ(gyre_send(producer, message, sizes[i], GYRE_FOREVER), GYRE_TOO_LARGE);
        CHECK_EQ(gyre_wait_room(producer, sizes[i], GYRE_FOREVER), GYRE_TOO_LARGE);
    }
    CHECK_EQ(gyre_producer_seq(producer), 0);
    gyre_publish(producer);
    check_empty(consumer);
    put(producer, LARGEST);
    take(consumer, 0, LARGEST);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* --- room ------------------------------------------------------------------------------------- */

SCENARIO(flow, a_full_ring_holds_its_capacity_less_one_alignment)
{
    for (uint32_t align = 8; align <= 64; align *= 2) {
        const char           *name = ring_dir_name();
        struct gyre_producer *producer = open_producer(name, CAPACITY, align);
        struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
        uint32_t              size = align - 8; /* frames of one alignment: to the last byte */
        uint32_t              fits = CAPACITY / align - 1;

        for (uint32_t i = 0; i < fits; i++)
            put(producer, size);
        CHECK(!try_put(producer, size));
        CHECK(!try_put(producer, 0));
        CHECK_EQ(gyre_producer_seq(producer), fits);
        CHECK_EQ(gyre_wait_room(producer, LARGEST, 0), GYRE_TIMEOUT);
        for (uint64_t seq = 0; seq < fits; seq++)
            take(consumer, seq, size);
        check_empty(consumer);
        CHECK_EQ(gyre_wait_room(producer, LARGEST, 0), GYRE_OK);
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
    }
}

SCENARIO(flow, each_release_makes_room_for_just_as_much)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;

    while (try_put(producer, 56))
        seq++;
    CHECK_EQ(seq, CAPACITY / 64 - 1);
    for (uint64_t i = 0; i < 500; i++) {
        CHECK(!try_put(producer, 56));
        CHECK(!try_put(producer, 0));
        take(consumer, i, 56);
        CHECK(try_put(producer, 56));
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, the_slowest_reliable_consumer_decides)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *fast = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *slow = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              sent = 0;

    while (try_put(producer, 56))
        take(fast, sent++, 56);
    CHECK_EQ(sent, CAPACITY / 64 - 1);
    for (uint64_t i = 0; i < sent; i++)
        take(slow, i, 56);
    while (try_put(producer, 56))
        take(slow, sent++, 56);
    CHECK_EQ(sent, 2 * (CAPACITY / 64 - 1));
    gyre_consumer_close(fast); /* who leaves holds nobody back */
    for (uint64_t i = 0; i < 200; i++) {
        put(producer, 56);
        take(slow, sent++, 56);
    }
    gyre_consumer_close(slow);
    for (uint64_t i = 0; i < 200; i++)
        put(producer, 56);
    gyre_producer_close(producer);
}

SCENARIO(flow, an_unpublished_batch_takes_room_too)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    uint32_t              claimed = 0;

    /* Even without consumers: the batch must not overwrite itself. */
    while (gyre_claim(producer, 56) != NULL)
        claimed++;
    CHECK_EQ(claimed, CAPACITY / 64 - 1);
    CHECK_EQ(gyre_wait_room(producer, 0, 0), GYRE_TIMEOUT);
    gyre_publish(producer);
    CHECK_EQ(gyre_wait_room(producer, 0, 0), GYRE_OK);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_frame_that_does_not_fit_before_the_end_begins_at_the_start)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;
    unsigned char        *payload;

    for (; seq < 62; seq++) { /* 62 of 64 frames */
        put(producer, 56);
        take(consumer, seq, 56);
    }
    payload = gyre_claim(producer, 121); /* one byte more than the 128 that are left hold */
    CHECK(payload == producer->ring.bytes + 8);
    pattern_fill(payload, 121, seq);
    gyre_publish(producer);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_OK);
    take(consumer, seq++, 121);
    for (; seq < 63 + 59; seq++) { /* from offset 192 to 128 bytes before the end */
        put(producer, 40);
        take(consumer, seq, 40);
    }
    payload = gyre_claim(producer, 64); /* ends exactly at the end of the ring */
    CHECK(payload + 64 + 56 == producer->ring.bytes + CAPACITY);
    pattern_fill(payload, 64, seq);
    gyre_publish(producer);
    take(consumer, seq++, 64);
    payload = gyre_claim(producer, 0);
    CHECK(payload == producer->ring.bytes + 8);
    gyre_publish(producer);
    take(consumer, seq, 0);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_batch_may_begin_with_padding)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;

    for (; seq < 60; seq++) {
        put(producer, 56);
        take(consumer, seq, 56);
    }
    for (uint32_t i = 0; i < 3; i++) {
        void *payload = gyre_claim(producer, 400);
        CHECK(payload != NULL);
        pattern_fill(payload, 400, seq + i);
    }
    check_empty(consumer);
    gyre_publish(producer);
    for (uint32_t i = 0; i < 3; i++)
        take(consumer, seq + i, 400);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, the_room_of_skipped_padding_is_free_at_once)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    for (uint64_t seq = 0; seq < 40; seq++) {
        put(producer, 56);
        take(consumer, seq, 56);
    }
    put(producer,
        2000); /* 24 alignments of padding, then 32 of message: 8 are left, one unusable */
    CHECK(!try_put(producer, 500));
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_OK); /* the look at the next message skips the padding */
    CHECK(try_put(producer, 500));
    take(consumer, 40, 2000);
    take(consumer, 41, 500);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* --- aliasing --------------------------------------------------------------------------------- */

/* Payload that looks, at every 8 bytes, like the header of message `seq`. */
static void forge_headers(void *payload, uint32_t size, uint64_t seq, uint32_t forged_size)
{
    uint64_t header = seq << 32 | GYRE_FRAME_PUBLISHED | forged_size;

    for (uint32_t at = 0; at + 8 <= size; at += 8)
        memcpy((unsigned char *)payload + at, &header, sizeof(header));
}

static void no_forgery_is_seen(uint32_t align)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, align);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              random = align;

    for (uint64_t seq = 0; seq < 4000; seq++) {
        uint32_t size = (uint32_t)(pattern_random(&random) % (seq % 50 == 0 ? LARGEST : 300));
        void    *payload = gyre_claim(producer, size);
        uint32_t got;
        CHECK(payload != NULL);
        /* For the very next header, and for the one that comes here a lap later. */
        forge_headers(payload, size,
                      pattern_random(&random) % 2 == 0
                          ? seq + 1
                          : seq + 1 + pattern_random(&random) % (CAPACITY / align),
                      8);
        gyre_publish(producer);
        CHECK(gyre_peek(consumer, &got) != NULL);
        CHECK_EQ(got, size);
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
        check_empty(consumer); /* TIMEOUT: neither a forged message nor corrupt bytes */
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_header_forged_in_a_payload_is_never_seen)
{
    for (uint32_t align = 8; align <= 64; align *= 2)
        no_forgery_is_seen(align);
}

SCENARIO(flow, forged_headers_of_all_coming_messages_are_never_seen)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint32_t              got;

    for (uint64_t ahead = 1; ahead < 600; ahead++) {
        uint64_t seq = gyre_producer_seq(producer);
        /* A lap of large payloads, each word of which forges the header of seq + ahead ... */
        for (uint32_t i = 0; i < 4; i++) {
            void *payload = gyre_claim(producer, 1016);
            CHECK(payload != NULL);
            forge_headers(payload, 1016, seq + ahead, 16);
            gyre_publish(producer);
            CHECK(gyre_peek(consumer, &got) != NULL);
            CHECK_EQ(gyre_release(consumer), GYRE_OK);
        }
        /* ... and a few small ones over it. */
        for (uint32_t i = 0; i < 3; i++) {
            put(producer, 8 * i);
            take(consumer, seq + 4 + i, 8 * i);
            check_empty(consumer);
        }
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* The headers of an abandoned batch lie behind the end of the stream, as genuine as can be. */
SCENARIO(flow, an_abandoned_batch_is_never_seen)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;

    for (uint32_t round = 0; round < 100; round++) {
        put(producer, 24);
        take(consumer, seq++, 24);
        for (uint32_t i = 0; i < 20; i++) {
            void *payload = gyre_claim(producer, 24);
            CHECK(payload != NULL);
            memset(payload, 0xee, 24);
        }
        gyre_producer_close(producer);
        CHECK_EQ(gyre_wait(consumer, 0), GYRE_CLOSED);
        producer = open_producer(name, 0, 0);
        CHECK_EQ(gyre_producer_seq(producer), seq);
        check_empty(consumer);
        put(producer, 24); /* the header behind it was message seq + 1 of the batch */
        take(consumer, seq++, 24);
        check_empty(consumer);
        put(producer, round);
        take(consumer, seq++, round);
        check_empty(consumer);
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* --- positions and numbers -------------------------------------------------------------------- */

static void positions_near(uint64_t first_pos, uint32_t align)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_consumer    *reliable, *lossy, *tap;
    struct gyre_ring_info    info;
    uint64_t                 random = first_pos + align;

    options.capacity = CAPACITY;
    options.frame_align = align;
    options.first_pos = first_pos;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, NULL), GYRE_OK);
    CHECK_EQ(info.next_pos, first_pos);
    CHECK_EQ(info.oldest_pos, first_pos);
    reliable = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_OLDEST, 0);
    tap = open_consumer(name, GYRE_TAP, GYRE_START_SEQ, 0);
    for (uint64_t seq = 0; seq < 300; seq++) { /* many laps */
        uint32_t size = (uint32_t)(pattern_random(&random) % 900);
        put(producer, size);
        take(reliable, seq, size);
        take(lossy, seq, size);
        take(tap, seq, size);
        check_empty(reliable);
        check_empty(lossy);
        check_empty(tap);
    }
    while (try_put(producer, 56))
        continue;
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, NULL), GYRE_OK);
    CHECK(info.next_pos - first_pos > 10 * CAPACITY);
    CHECK(info.next_pos - info.oldest_pos <= CAPACITY);
    CHECK(info.next_pos - info.horizon_pos <= CAPACITY);
    gyre_producer_close(producer);
    for (uint64_t seq = 300; gyre_wait(reliable, 0) == GYRE_OK; seq++)
        take(reliable, seq, 56);
    CHECK_EQ(gyre_wait(reliable, 0), GYRE_CLOSED);
    gyre_consumer_close(tap);
    gyre_consumer_close(lossy);
    gyre_consumer_close(reliable);
}

SCENARIO(flow, positions_cross_2_to_the_32_40_63_and_64)
{
    for (uint32_t align = 8; align <= 64; align *= 2) {
        positions_near((UINT64_C(1) << 32) - 2 * CAPACITY, align);
        positions_near((UINT64_C(1) << 40) - 2 * CAPACITY, align);
        positions_near((UINT64_C(1) << 63) - 2 * CAPACITY, align);
        positions_near(UINT64_C(0) - 2 * CAPACITY, align);
    }
}

/* No ring gets there within a test, so the numbers of a new ring are moved. */
SCENARIO(flow, message_numbers_cross_2_to_the_32)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *reliable, *lossy, *late;
    uint64_t              seq = (UINT64_C(1) << 32) - 100;

    producer->ring.landmarks[0].seq = seq;
    producer->fast.seq = seq;
    reliable = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_consumer_seq(reliable), seq);
    for (uint32_t i = 0; i < 400; i += 2) { /* batches of two: the number of the first is rebuilt */
        void *first = gyre_claim(producer, 20);
        void *second = gyre_claim(producer, 30);
        CHECK(first != NULL && second != NULL);
        pattern_fill(first, 20, seq + i);
        pattern_fill(second, 30, seq + i + 1);
        gyre_publish(producer);
        take(reliable, seq + i, 20);
        take(reliable, seq + i + 1, 30);
    }
    CHECK_EQ(gyre_wait(lossy, 0), GYRE_GAP);
    CHECK_EQ(gyre_consumer_seq(lossy), seq + gyre_consumer_gap(lossy));
    late = open_consumer(name, GYRE_RELIABLE, GYRE_START_SEQ, seq + 398);
    take(late, seq + 398, 20);
    gyre_consumer_close(late);
    gyre_producer_close(producer);
    producer = open_producer(name, 0, 0);
    CHECK_EQ(gyre_producer_seq(producer), seq + 400);
    gyre_consumer_close(lossy);
    gyre_consumer_close(reliable);
    gyre_producer_close(producer);
}

/* --- send and recv ---------------------------------------------------------------------------- */

SCENARIO(flow, send_and_recv_carry_bytes)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    char                  buffer[16] = "";
    uint32_t              size = 0;

    CHECK_EQ(gyre_send(producer, "one", 3, 0), GYRE_OK);
    CHECK_EQ(gyre_send(producer, "three", 5, GYRE_FOREVER), GYRE_OK);
    CHECK_EQ(gyre_recv(consumer, buffer, sizeof(buffer), &size, 0), GYRE_OK);
    CHECK(size == 3 && memcmp(buffer, "one", 3) == 0);
    CHECK_EQ(gyre_recv(consumer, buffer, sizeof(buffer), &size, GYRE_FOREVER), GYRE_OK);
    CHECK(size == 5 && memcmp(buffer, "three", 5) == 0);
    size = 99;
    CHECK_EQ(gyre_recv(consumer, buffer, sizeof(buffer), &size, 0), GYRE_TIMEOUT);
    CHECK_EQ(size, 99);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, send_publishes_what_was_claimed_before)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    unsigned char         message[20];

    pattern_fill(gyre_claim(producer, 10), 10, 0);
    pattern_fill(message, 20, 1);
    CHECK_EQ(gyre_send(producer, message, 20, 0), GYRE_OK);
    take(consumer, 0, 10);
    take(consumer, 1, 20);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, recv_releases_what_was_peeked_before)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    unsigned char         message[56];
    uint32_t              size, count = 0;

    while (try_put(producer, 56))
        count++;
    look(consumer, 0, 56);
    look(consumer, 1, 56);
    CHECK(!try_put(producer, 56));
    CHECK_EQ(gyre_recv(consumer, message, sizeof(message), &size, 0), GYRE_OK);
    CHECK(pattern_matches(message, size, 2));
    for (uint32_t i = 0; i < 3; i++)
        put(producer, 56);
    CHECK(!try_put(producer, 56));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, a_message_too_large_for_the_buffer_stays)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    unsigned char         buffer[2048];

    for (uint32_t kind = GYRE_RELIABLE; kind <= GYRE_TAP; kind++) {
        struct gyre_consumer *consumer =
            open_consumer(name, (enum gyre_consumer_kind)kind, GYRE_START_NEWEST, 0);
        /* Three laps, so that the padding before such a message is met, too. */
        for (uint32_t i = 0; i < 40; i++) {
            uint64_t seq = gyre_producer_seq(producer);
            uint32_t size = 0;
            put(producer, 300);
            CHECK_EQ(gyre_recv(consumer, buffer, 299, &size, 0), GYRE_TOO_LARGE);
            CHECK_EQ(size, 300);
            CHECK_EQ(gyre_consumer_seq(consumer), seq);
            CHECK_EQ(gyre_recv(consumer, NULL, 0, &size, 0), GYRE_TOO_LARGE);
            CHECK_EQ(gyre_recv(consumer, buffer, 300, &size, 0), GYRE_OK);
            CHECK_EQ(size, 300);
            CHECK(pattern_matches(buffer, 300, seq));
        }
        gyre_consumer_close(consumer);
    }
    gyre_producer_close(producer);
}

SCENARIO(flow, waits_end_at_their_deadline)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);
    uint32_t              size;
    unsigned char         message[56];
    uint64_t              deadline = gyre_now_ns() + 20000000;

    CHECK_EQ(gyre_wait(consumer, deadline), GYRE_TIMEOUT);
    CHECK(gyre_now_ns() >= deadline);
    deadline = gyre_now_ns() + 20000000;
    CHECK_EQ(gyre_wait(tap, deadline), GYRE_TIMEOUT);
    CHECK(gyre_now_ns() >= deadline);
    deadline = gyre_now_ns() + 20000000;
    CHECK_EQ(gyre_recv(consumer, message, 56, &size, deadline), GYRE_TIMEOUT);
    CHECK(gyre_now_ns() >= deadline);
    while (try_put(producer, 56))
        continue;
    deadline = gyre_now_ns() + 20000000;
    CHECK_EQ(gyre_send(producer, message, 56, deadline), GYRE_TIMEOUT);
    CHECK(gyre_now_ns() >= deadline);
    CHECK_EQ(gyre_producer_seq(producer), CAPACITY / 64 - 1);
    CHECK_EQ(gyre_wait(consumer, gyre_now_ns() - 1), GYRE_OK); /* a passed deadline polls once */
    gyre_consumer_close(tap);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(flow, every_wait_strategy_meets_messages_and_deadlines)
{
    for (uint32_t wait = GYRE_WAIT_SPIN_THEN_SLEEP; wait <= GYRE_WAIT_SLEEP; wait++) {
        const char                  *name = ring_dir_name();
        struct gyre_ring_options     options = GYRE_RING_OPTIONS_INIT;
        struct gyre_consumer_options reading = GYRE_CONSUMER_OPTIONS_INIT;
        struct gyre_producer        *producer = NULL;
        struct gyre_consumer        *consumer = NULL;
        unsigned char                message[56];
        uint32_t                     size;

        options.capacity = CAPACITY;
        options.wait = reading.wait = wait;
        CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
        CHECK_EQ(gyre_consumer_open(name, &reading, &consumer, NULL), GYRE_OK);
        CHECK_EQ(gyre_wait(consumer, gyre_now_ns() + 3000000), GYRE_TIMEOUT);
        while (try_put(producer, 56))
            continue;
        CHECK_EQ(gyre_wait_room(producer, 56, gyre_now_ns() + 3000000), GYRE_TIMEOUT);
        CHECK_EQ(gyre_recv(consumer, message, 56, &size, GYRE_FOREVER), GYRE_OK);
        CHECK_EQ(gyre_wait_room(producer, 56, GYRE_FOREVER), GYRE_OK);
        CHECK_EQ(gyre_send(producer, message, 56, GYRE_FOREVER), GYRE_OK);
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
    }
}

SCENARIO(flow, a_strict_ring_carries_messages_too)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_consumer    *consumer;

    options.capacity = CAPACITY;
    options.flags = GYRE_STRICT_WAKE;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    for (uint64_t seq = 0; seq < 1000; seq++) {
        put(producer, 100);
        take(consumer, seq, 100);
    }
    CHECK(producer->ring.sleepers->mask == GYRE_SLEEPERS_FENCE); /* the fence stays on */
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}
