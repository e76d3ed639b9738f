/*
 * test_consumers.c - kinds of consumer, where they start, gaps and their counts, seats, the end of
 * a stream and its continuation by the next producer, and who may open what.
 */
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "internal.h"

#define CAPACITY 4096u
#define FRAMES (CAPACITY / 64) /* frames of one 64-byte alignment in a lap */

static struct gyre_consumer *open_on_gap(const char *name, enum gyre_consumer_kind kind,
                                         enum gyre_on_gap on_gap)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.kind = (uint32_t)kind;
    options.on_gap = (uint32_t)on_gap;
    CHECK_EQ(gyre_consumer_open(name, &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

static struct gyre_ring_info inspect(const char *name)
{
    struct gyre_ring_info info;

    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, NULL), GYRE_OK);
    return info;
}

/* --- kinds ------------------------------------------------------------------------------------ */

SCENARIO(consumers, every_kind_receives_every_message)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumers[3];

    for (uint32_t kind = 0; kind < 3; kind++)
        consumers[kind] = open_consumer(name, (enum gyre_consumer_kind)kind, GYRE_START_NEWEST, 0);
    for (uint64_t seq = 0; seq < 500; seq++) {
        put(producer, (uint32_t)(seq % 200));
        for (uint32_t kind = 0; kind < 3; kind++)
            take(consumers[kind], seq, (uint32_t)(seq % 200));
    }
    for (uint32_t kind = 0; kind < 3; kind++) {
        CHECK_EQ(gyre_consumer_lost(consumers[kind]), 0);
        gyre_consumer_close(consumers[kind]);
    }
    gyre_producer_close(producer);
}

SCENARIO(consumers, lossy_ones_and_taps_hold_nobody_back)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);

    for (uint32_t i = 0; i < 10 * FRAMES; i++)
        put(producer, 56);
    CHECK_EQ(gyre_wait(lossy, 0), GYRE_GAP);
    CHECK_EQ(gyre_wait(tap, 0), GYRE_GAP);
    gyre_consumer_close(tap);
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_tap_takes_no_seat)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);
    struct gyre_consumer *lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_ring_info info;
    struct gyre_seat_info seats[4];
    uint32_t              taken = 99;

    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, seats, 4, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 1);
    CHECK_EQ(seats[0].kind, GYRE_LOSSY);
    CHECK_EQ(seats[0].is_alive, 1);
    CHECK(tap->ring.ctrl.base == NULL);
    gyre_consumer_close(lossy);
    CHECK_EQ(gyre_ring_inspect(name, &info, seats, 4, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 0);
    gyre_consumer_close(tap);
    gyre_producer_close(producer);
}

SCENARIO(consumers, wait_consumers_counts_reliable_ones)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);
    struct gyre_consumer *one, *two;

    CHECK_EQ(gyre_producer_wait_consumers(producer, 0, 0), GYRE_OK);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 1, 0), GYRE_TIMEOUT);
    one = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 1, GYRE_FOREVER), GYRE_OK);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 2, gyre_now_ns() + 5000000), GYRE_TIMEOUT);
    two = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 2, 0), GYRE_OK);
    gyre_consumer_close(one);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 2, 0), GYRE_TIMEOUT);
    gyre_consumer_close(two);
    gyre_consumer_close(tap);
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

/* --- where to start --------------------------------------------------------------------------- */

SCENARIO(consumers, newest_is_the_first_message_after_the_open)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);

    for (uint64_t seq = 0; seq < 200; seq++) {
        struct gyre_consumer *consumer =
            open_consumer(name, (enum gyre_consumer_kind)(seq % 3), GYRE_START_NEWEST, 0);
        check_empty(consumer);
        put(producer, 100);
        take(consumer, seq, 100);
        gyre_consumer_close(consumer);
    }
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_claimed_batch_is_newer_than_newest)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer;

    put(producer, 100);
    pattern_fill(gyre_claim(producer, 50), 50, 1);
    pattern_fill(gyre_claim(producer, 60), 60, 2);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    check_empty(consumer);
    gyre_publish(producer);
    take(consumer, 1, 50);
    take(consumer, 2, 60);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, oldest_is_the_first_message_of_a_young_ring)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);

    for (uint64_t sent = 0; sent < FRAMES - 1; sent++) {
        struct gyre_consumer *consumer =
            open_consumer(name, (enum gyre_consumer_kind)(sent % 3), GYRE_START_OLDEST, 0);
        for (uint64_t seq = 0; seq < sent; seq++)
            take(consumer, seq, 56);
        check_empty(consumer);
        gyre_consumer_close(consumer);
        put(producer, 56);
    }
    gyre_producer_close(producer);
}

SCENARIO(consumers, oldest_reaches_back_seven_eighths_of_a_lap)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);

    for (uint64_t sent = 1; sent < 6 * FRAMES; sent++) {
        struct gyre_consumer *consumer;
        uint64_t              first;
        put(producer, 56);
        consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
        first = gyre_consumer_seq(consumer);
        CHECK(sent - first >= (sent < FRAMES * 7 / 8 ? sent : FRAMES * 7 / 8 - 2));
        for (uint64_t seq = first; seq < sent; seq++)
            take(consumer, seq, 56);
        check_empty(consumer);
        gyre_consumer_close(consumer);
    }
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_reliable_joiner_at_the_oldest_is_never_overrun)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer;
    uint64_t              first, sent = 0;

    for (; sent < 333; sent++)
        put(producer, 56);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
    first = gyre_consumer_seq(consumer);
    while (try_put(producer, 56))
        sent++;
    for (uint64_t seq = first; seq < sent; seq++)
        take(consumer, seq, 56);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_number_that_is_retained_is_the_start)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    uint64_t              oldest;

    for (uint32_t i = 0; i < 777; i++)
        put(producer, i % 120);
    oldest = inspect(name).oldest_seq;
    CHECK(oldest > 600 && oldest < 777);
    for (uint64_t start = oldest; start <= 777; start++) { /* the next one to come, too */
        struct gyre_consumer *consumer =
            open_consumer(name, (enum gyre_consumer_kind)(start % 3), GYRE_START_SEQ, start);
        for (uint64_t seq = start; seq < 777; seq++)
            take(consumer, seq, (uint32_t)(seq % 120));
        check_empty(consumer);
        CHECK_EQ(gyre_consumer_lost(consumer), 0);
        gyre_consumer_close(consumer);
    }
    gyre_producer_close(producer);
}

/* How a consumer tells the gap between the number it was opened for and what is left. */
static void gap_at_open(enum gyre_consumer_kind kind, int by_recv)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer;
    unsigned char         message[56];
    uint32_t              size = 0;
    uint64_t              oldest;

    for (uint32_t i = 0; i < 1000; i++)
        put(producer, 56);
    oldest = inspect(name).oldest_seq;
    consumer = open_consumer(name, kind, GYRE_START_SEQ, 321);
    if (by_recv) {
        CHECK_EQ(gyre_recv(consumer, message, sizeof(message), &size, GYRE_FOREVER), GYRE_GAP);
    } else {
        CHECK(gyre_peek(consumer, &size) == NULL); /* there is something to tell first */
        CHECK_EQ(gyre_release(consumer), GYRE_OK);
        CHECK_EQ(gyre_wait(consumer, GYRE_FOREVER), GYRE_GAP);
    }
    CHECK_EQ(gyre_consumer_gap(consumer), oldest - 321);
    CHECK_EQ(gyre_consumer_lost(consumer), oldest - 321);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_OK);
    for (uint64_t seq = oldest; seq < 1000; seq++)
        take(consumer, seq, 56);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_number_that_is_gone_begins_with_an_exact_gap)
{
    gap_at_open(GYRE_RELIABLE, 0);
    gap_at_open(GYRE_LOSSY, 0);
    gap_at_open(GYRE_TAP, 0);
}

SCENARIO(consumers, recv_tells_the_gap_before_the_messages_behind_it)
{
    gap_at_open(GYRE_RELIABLE, 1);
    gap_at_open(GYRE_LOSSY, 1);
    gap_at_open(GYRE_TAP, 1);
}

SCENARIO(consumers, a_number_that_is_not_published_yet_is_a_bad_argument)
{
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;

    put(producer, 1);
    CHECK(gyre_claim(producer, 1) != NULL); /* claimed is not published */
    options.start = GYRE_START_SEQ;
    for (options.kind = GYRE_RELIABLE; options.kind <= GYRE_TAP; options.kind++) {
        options.start_seq = 2;
        CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_BAD_ARGUMENT);
        CHECK_STR(error.field, "start_seq");
        options.start_seq = UINT64_MAX;
        CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_BAD_ARGUMENT);
    }
    CHECK(consumer == NULL);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 1, 0), GYRE_TIMEOUT); /* no seat stays taken */
    gyre_producer_close(producer);
}

/* --- gaps ------------------------------------------------------------------------------------- */

/*
 * Sends `count` messages past a sleeping reader and reads what is left, several times: every number
 * is either received, with the right bytes, or counted.
 */
static void gaps_are_exact(enum gyre_consumer_kind kind, enum gyre_on_gap on_gap, uint32_t align)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, align);
    struct gyre_consumer *consumer = open_on_gap(name, kind, on_gap);
    uint64_t              sent = 0, next = 0, lost = 0, received = 0;
    uint32_t              gaps = 0;

    for (uint32_t round = 0; round < 120; round++) {
        uint32_t size, count = round * 3;
        for (uint32_t i = 0; i < count; i++, sent++)
            put(producer, (uint32_t)(sent * 7 % 250));
        for (;;) {
            enum gyre_status status = gyre_wait(consumer, 0);
            if (status == GYRE_TIMEOUT)
                break;
            if (status == GYRE_GAP) {
                CHECK(gyre_consumer_gap(consumer) > 0);
                next += gyre_consumer_gap(consumer);
                lost += gyre_consumer_gap(consumer);
                CHECK_EQ(gyre_consumer_seq(consumer), next);
                CHECK(on_gap != GYRE_RESUME_NEWEST || next == sent);
                gaps++;
                continue;
            }
            CHECK_EQ(status, GYRE_OK);
            size = (uint32_t)(next * 7 % 250);
            take(consumer, next++, size);
            received++;
        }
        CHECK_EQ(next, sent);
        CHECK_EQ(lost + received, sent);
        CHECK_EQ(gyre_consumer_lost(consumer), lost);
    }
    CHECK(gaps > 10 && received > 100);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, lossy_gaps_are_exact_when_resuming_at_the_oldest)
{
    for (uint32_t align = 8; align <= 64; align *= 2)
        gaps_are_exact(GYRE_LOSSY, GYRE_RESUME_OLDEST, align);
}

SCENARIO(consumers, lossy_gaps_are_exact_when_resuming_at_the_newest)
{
    for (uint32_t align = 8; align <= 64; align *= 2)
        gaps_are_exact(GYRE_LOSSY, GYRE_RESUME_NEWEST, align);
}

SCENARIO(consumers, a_taps_gaps_are_exact_too)
{
    gaps_are_exact(GYRE_TAP, GYRE_RESUME_OLDEST, 8);
    gaps_are_exact(GYRE_TAP, GYRE_RESUME_OLDEST, 64);
    gaps_are_exact(GYRE_TAP, GYRE_RESUME_NEWEST, 64);
}

SCENARIO(consumers, a_reader_resumes_at_the_oldest_message_that_a_joiner_would_get)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *lossy = open_on_gap(name, GYRE_LOSSY, GYRE_RESUME_OLDEST);

    for (uint32_t i = 0; i < 1234; i++)
        put(producer, 56);
    CHECK_EQ(gyre_wait(lossy, 0), GYRE_GAP);
    CHECK_EQ(gyre_consumer_gap(lossy), inspect(name).oldest_seq);
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

SCENARIO(consumers, release_tells_that_a_peeked_message_was_overwritten)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *lossy = open_on_gap(name, GYRE_LOSSY, GYRE_RESUME_OLDEST);
    uint64_t              next;

    for (uint32_t i = 0; i < 10; i++)
        put(producer, 56);
    for (uint32_t i = 0; i < 5; i++)
        look(lossy, i, 56);
    CHECK_EQ(gyre_release(lossy), GYRE_OK);
    for (uint32_t i = 5; i < 8; i++)
        look(lossy, i, 56);
    for (uint32_t i = 10; i < 500; i++)
        put(producer, 56);
    CHECK_EQ(gyre_release(lossy), GYRE_GAP);
    next = gyre_consumer_seq(lossy);
    CHECK_EQ(gyre_consumer_gap(lossy), next - 5); /* 5 to 7 were looked at, but in vain */
    take(lossy, next, 56);
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

SCENARIO(consumers, recv_never_returns_an_overwritten_message)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 8);
    struct gyre_consumer *lossy = open_on_gap(name, GYRE_LOSSY, GYRE_RESUME_OLDEST);
    unsigned char         message[64];
    uint64_t              sent = 0, expected = 0;
    uint32_t              size;

    for (uint32_t round = 1; round < 400; round++) {
        for (uint32_t i = 0; i < round; i++, sent++)
            put(producer, 64);
        for (;;) {
            uint64_t         seq = gyre_consumer_seq(lossy);
            enum gyre_status status = gyre_recv(lossy, message, sizeof(message), &size, 0);
            if (status == GYRE_TIMEOUT)
                break;
            if (status == GYRE_GAP) {
                expected += gyre_consumer_gap(lossy);
                continue;
            }
            CHECK_EQ(status, GYRE_OK);
            CHECK_EQ(seq, expected);
            CHECK_EQ(size, 64);
            CHECK(pattern_matches(message, 64, expected));
            expected++;
        }
        CHECK_EQ(expected, sent);
    }
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_gap_is_shown_in_the_seat)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *lossy = open_on_gap(name, GYRE_LOSSY, GYRE_RESUME_NEWEST);
    struct gyre_ring_info info;
    struct gyre_seat_info seat;
    uint32_t              taken;

    for (uint32_t i = 0; i < 321; i++)
        put(producer, 56);
    CHECK_EQ(gyre_wait(lossy, 0), GYRE_GAP);
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, &seat, 1, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 1);
    CHECK_EQ(seat.lost_count, 321);
    CHECK_EQ(seat.lag_bytes, 0);
    CHECK_EQ(info.next_seq, 321);
    gyre_consumer_close(lossy);
    gyre_producer_close(producer);
}

/* --- seats ------------------------------------------------------------------------------------ */

static void all_seats_can_be_taken(uint32_t count)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_consumer   **consumers = calloc(count, sizeof(struct gyre_consumer *));
    struct gyre_consumer    *tap, *extra = NULL;
    struct gyre_error        error;

    CHECK(consumers != NULL);
    options.capacity = CAPACITY;
    options.seat_count = count;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    for (uint32_t i = 0; i < count; i++)
        consumers[i] = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_producer_wait_consumers(producer, count, 0), GYRE_OK);
    CHECK_EQ(gyre_consumer_open(name, NULL, &extra, &error), GYRE_NO_SEAT);
    CHECK_STR(error.field, "seat_count");
    tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0); /* needs none */
    put(producer, 100);
    take(tap, 0, 100);
    for (uint32_t i = 0; i < count; i++)
        take(consumers[i], 0, 100);
    gyre_consumer_close(consumers[count / 2]);
    extra = open_consumer(name, GYRE_LOSSY, GYRE_START_OLDEST, 0);
    CHECK_EQ(extra->seat_idx, count / 2);
    take(extra, 0, 100);
    gyre_consumer_close(extra);
    for (uint32_t i = 0; i < count; i++)
        if (i != count / 2)
            gyre_consumer_close(consumers[i]);
    gyre_consumer_close(tap);
    gyre_producer_close(producer);
    free(consumers);
}

SCENARIO(consumers, a_ring_of_one_seat_has_one)
{
    all_seats_can_be_taken(1);
}

SCENARIO(consumers, up_to_255_consumers_join)
{
    all_seats_can_be_taken(255);
}

/* --- the end, and what comes after ------------------------------------------------------------ */

SCENARIO(consumers, a_closed_ring_is_drained_before_it_says_so)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumers[3];
    unsigned char         message[100];
    uint32_t              size;

    for (uint32_t kind = 0; kind < 3; kind++)
        consumers[kind] = open_consumer(name, (enum gyre_consumer_kind)kind, GYRE_START_NEWEST, 0);
    for (uint32_t i = 0; i < 20; i++)
        put(producer, 100);
    CHECK(gyre_claim(producer, 8) != NULL); /* never published: never seen */
    gyre_producer_close(producer);
    for (uint32_t kind = 0; kind < 3; kind++) {
        for (uint32_t seq = 0; seq < 20; seq++) {
            CHECK_EQ(gyre_wait(consumers[kind], GYRE_FOREVER), GYRE_OK);
            take(consumers[kind], seq, 100);
        }
        for (uint32_t again = 0; again < 3; again++) {
            CHECK(gyre_peek(consumers[kind], &size) == NULL);
            CHECK_EQ(gyre_wait(consumers[kind], GYRE_FOREVER), GYRE_CLOSED);
            CHECK_EQ(gyre_recv(consumers[kind], message, 100, &size, GYRE_FOREVER), GYRE_CLOSED);
        }
    }
    for (uint32_t kind = 3; kind > 0; kind--)
        gyre_consumer_close(consumers[kind - 1]);
}

SCENARIO(consumers, the_next_producer_continues_the_numbers_in_a_new_epoch)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);
    uint64_t              seq = 0;

    for (uint32_t epoch = 1; epoch <= 30; epoch++) {
        CHECK_EQ(gyre_consumer_epoch(consumer), epoch);
        CHECK_EQ(gyre_consumer_epoch(tap), epoch);
        CHECK_EQ(gyre_producer_seq(producer), seq);
        CHECK_EQ(gyre_wait(consumer, 0), GYRE_TIMEOUT);
        for (uint32_t i = 0; i < epoch; i++, seq++) {
            put(producer, 10 * epoch);
            take(consumer, seq, 10 * epoch);
            take(tap, seq, 10 * epoch);
        }
        gyre_producer_close(producer);
        CHECK_EQ(gyre_wait(consumer, 0), GYRE_CLOSED);
        CHECK_EQ(gyre_wait(tap, 0), GYRE_CLOSED);
        CHECK_EQ(inspect(name).state, GYRE_RING_CLOSED);
        CHECK_EQ(inspect(name).producer_alive, 0);
        producer = open_producer(name, epoch % 2 == 0 ? CAPACITY : 0, 0);
        CHECK_EQ(inspect(name).state, GYRE_RING_ACTIVE);
        CHECK_EQ(inspect(name).producer_alive, 1);
    }
    gyre_consumer_close(tap);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, what_was_not_read_before_a_close_is_read_after_the_next_open)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    uint64_t              sent = 0, read = 0;

    for (uint32_t round = 0; round < 20; round++) {
        while (try_put(producer, 56))
            sent++;
        gyre_producer_close(producer);
        for (uint32_t i = 0; i < 20; i++)
            take(consumer, read++, 56);
        producer = open_producer(name, 0, 0);
        CHECK_EQ(gyre_producer_seq(producer), sent);
    }
    while (read < sent)
        take(consumer, read++, 56);
    check_empty(consumer);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_closed_ring_can_still_be_joined)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *first = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer *late;

    for (uint32_t i = 0; i < 5; i++)
        put(producer, 9);
    gyre_producer_close(producer);
    late = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
    for (uint32_t seq = 0; seq < 5; seq++)
        take(late, seq, 9);
    CHECK_EQ(gyre_wait(late, GYRE_FOREVER), GYRE_CLOSED);
    gyre_consumer_close(late);
    late = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_wait(late, GYRE_FOREVER), GYRE_CLOSED);
    gyre_consumer_close(late);
    gyre_consumer_close(first);
}

/* --- who may open what ------------------------------------------------------------------------ */

SCENARIO(consumers, a_ring_that_does_not_exist_is_not_found)
{
    const char                  *name = ring_dir_name();
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_ring_info        info;
    struct gyre_error            error;
    uint64_t                     deadline;

    for (options.kind = GYRE_RELIABLE; options.kind <= GYRE_TAP; options.kind++)
        CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_NOT_FOUND);
    CHECK_EQ(error.status, GYRE_NOT_FOUND);
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, &error), GYRE_NOT_FOUND);
    CHECK_EQ(gyre_ring_remove(name, 0, &error), GYRE_NOT_FOUND);
    CHECK_EQ(gyre_ring_remove(name, 1, &error), GYRE_NOT_FOUND);
    for (options.kind = GYRE_RELIABLE; options.kind <= GYRE_TAP; options.kind++) {
        deadline = gyre_now_ns() + 20000000;
        options.open_deadline_ns = deadline;
        CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_TIMEOUT);
        CHECK(gyre_now_ns() >= deadline);
    }
    CHECK(consumer == NULL);
}

SCENARIO(consumers, a_second_producer_is_told_busy_at_once)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_producer *second = NULL;
    struct gyre_error     error;

    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(gyre_producer_open(name, NULL, &second, &error), GYRE_BUSY);
        CHECK_EQ(error.status, GYRE_BUSY);
        CHECK(second == NULL);
        put(producer, 10); /* and the first is none the worse */
        take(consumer, i, 10);
        CHECK_EQ(gyre_consumer_epoch(consumer), 1);
    }
    gyre_producer_close(producer);
    second = open_producer(name, 0, 0);
    CHECK_EQ(gyre_consumer_epoch(consumer), 2);
    gyre_consumer_close(consumer);
    gyre_producer_close(second);
}

SCENARIO(consumers, another_value_of_an_option_is_named)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL, *second = NULL;
    struct gyre_consumer    *consumer;
    struct gyre_error        error;

    options.capacity = 8192;
    options.frame_align = 16;
    options.seat_count = 5;
    options.first_pos = 81920;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    gyre_producer_close(producer);
    options.capacity = 4096;
    CHECK_EQ(gyre_producer_open(name, &options, &second, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "capacity");
    options.capacity = 8192;
    options.frame_align = 8;
    CHECK_EQ(gyre_producer_open(name, &options, &second, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "frame_align");
    options.frame_align = 16;
    options.seat_count = 6;
    CHECK_EQ(gyre_producer_open(name, &options, &second, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "seat_count");
    options.seat_count = 5;
    options.flags = GYRE_STRICT_WAKE;
    CHECK_EQ(gyre_producer_open(name, &options, &second, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "GYRE_STRICT_WAKE");
    options.flags = 0;
    options.first_pos = 8192;
    CHECK_EQ(gyre_producer_open(name, &options, &second, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "first_pos");
    options.first_pos = 81920;
    CHECK(second == NULL);
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    gyre_producer_close(producer);
    CHECK_EQ(gyre_producer_open(name, NULL, &producer, NULL), GYRE_OK); /* zero: whatever it has */
    CHECK_EQ(gyre_producer_max_size(producer), 4088);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, the_last_to_leave_removes_the_ring)
{
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer        *consumer = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer        *late = NULL;
    struct gyre_ring_info        before = inspect(name);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    put(producer, 10);
    gyre_producer_close(producer);
    gyre_consumer_close(consumer);
    CHECK_EQ(gyre_consumer_open(name, &options, &late, NULL), GYRE_NOT_FOUND);
    producer = open_producer(name, 2 * CAPACITY, 8); /* a new ring of the same name */
    CHECK_EQ(gyre_producer_seq(producer), 0);
    CHECK(inspect(name).ring_id[0] != before.ring_id[0]);
    gyre_producer_close(producer);
}

SCENARIO(consumers, two_rings_of_one_process_do_not_mix)
{
    const char           *names[2] = {ring_dir_name(), ring_dir_name()};
    struct gyre_producer *producers[2];
    struct gyre_consumer *consumers[2];

    for (uint32_t i = 0; i < 2; i++) {
        producers[i] = open_producer(names[i], CAPACITY << i, 8u << i);
        consumers[i] = open_consumer(names[i], GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    }
    for (uint64_t seq = 0; seq < 100; seq++) {
        put(producers[seq % 2], 10);
        take(consumers[seq % 2], seq / 2, 10);
        check_empty(consumers[0]);
        check_empty(consumers[1]);
    }
    for (uint32_t i = 0; i < 2; i++) {
        gyre_producer_close(producers[i]);
        gyre_consumer_close(consumers[i]);
    }
}

/* Waits for a ring that its own process makes meanwhile cannot be told here: see process/. */
SCENARIO(consumers, an_open_deadline_does_not_delay_the_open_of_a_ring_that_exists)
{
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.open_deadline_ns = GYRE_FOREVER;
    CHECK_EQ(gyre_consumer_open(name, &options, &consumer, NULL), GYRE_OK);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* --- keep, list, remove ----------------------------------------------------------------------- */

struct search {
    const char *name;
    int         found;
};

static int visit(const char *name, void *context)
{
    struct search *search = context;

    search->found += strcmp(name, search->name) == 0;
    return 0;
}

static int stop(const char *name, void *context)
{
    (void)name;
    ++*(int *)context;
    return 1;
}

SCENARIO(consumers, list_shows_each_ring_once_and_stops_when_told)
{
    const char           *name = ring_dir_name();
    const char           *other = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_producer *another = open_producer(other, CAPACITY, 64);
    struct search         search = {name, 0};
    int                   visits = 0;

    CHECK_EQ(gyre_ring_list(visit, &search, NULL), GYRE_OK);
    CHECK_EQ(search.found, 1);
    CHECK_EQ(gyre_ring_list(stop, &visits, NULL), GYRE_OK);
    CHECK_EQ(visits, 1);
    gyre_producer_close(producer);
    gyre_producer_close(another);
    search.found = 0;
    CHECK_EQ(gyre_ring_list(visit, &search, NULL), GYRE_OK);
    CHECK_EQ(search.found, 0);
}

static struct gyre_error litter(void)
{
    return (struct gyre_error){GYRE_CORRUPT, 1, "call", "field"};
}

static void check_clear(const struct gyre_error *error)
{
    CHECK_EQ(error->status, GYRE_OK);
    CHECK_EQ(error->os_code, 0);
    CHECK(error->call == NULL);
    CHECK(error->field == NULL);
}

SCENARIO(consumers, success_leaves_nothing_in_the_error)
{
    const char                  *name = ring_dir_name();
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_ring_info        info = {.size = sizeof(info)};
    struct gyre_producer        *producer;
    struct gyre_consumer        *consumer;
    struct search                search = {name, 0};
    struct gyre_error            error = litter();

    CHECK_EQ(gyre_producer_open(name, NULL, &producer, &error), GYRE_OK);
    check_clear(&error);
    for (uint32_t kind = GYRE_RELIABLE; kind <= GYRE_TAP; kind++) {
        options.kind = kind;
        error = litter();
        CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_OK);
        check_clear(&error);
        gyre_consumer_close(consumer);
    }
    error = litter();
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, &error), GYRE_OK);
    check_clear(&error);
    error = litter();
    CHECK_EQ(gyre_ring_list(visit, &search, &error), GYRE_OK);
    check_clear(&error);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_ring_in_use_is_removed_by_force_alone)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_error     error;

    CHECK_EQ(gyre_ring_remove(name, 0, &error), GYRE_BUSY);
    put(producer, 10);
    take(consumer, 0, 10);
#ifdef _WIN32
    CHECK_EQ(gyre_ring_remove(name, 1, &error), GYRE_BUSY);
#else
    struct gyre_consumer *late = NULL;
    struct gyre_producer *fresh;

    CHECK_EQ(gyre_ring_remove(name, 1, &error), GYRE_OK);
    CHECK_EQ(gyre_ring_remove(name, 1, &error), GYRE_NOT_FOUND);
    CHECK_EQ(gyre_consumer_open(name, NULL, &late, &error), GYRE_NOT_FOUND);
    fresh = open_producer(name, CAPACITY, 64); /* a new ring; the old one lives on, nameless */
    put(producer, 11);
    take(consumer, 1, 11);
    CHECK_EQ(gyre_producer_seq(fresh), 0);
    gyre_producer_close(producer);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_CLOSED);
    gyre_consumer_close(consumer);
    CHECK_EQ(inspect(name).next_seq, 0); /* whoever left the old ring did not remove the new one */
    producer = fresh;
    consumer = NULL;
#endif
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, a_kept_ring_outlives_its_last_process)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_error        error;

    options.capacity = CAPACITY;
    options.flags = GYRE_KEEP;
#ifdef _WIN32
    CHECK_EQ(gyre_producer_open(name, &options, &producer, &error), GYRE_UNSUPPORTED);
    CHECK_STR(error.field, "GYRE_KEEP");
#else
    struct gyre_consumer *consumer;

    CHECK_EQ(gyre_producer_open(name, &options, &producer, &error), GYRE_OK);
    put(producer, 10);
    gyre_producer_close(producer);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
    take(consumer, 0, 10);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_CLOSED);
    gyre_consumer_close(consumer);
    producer = open_producer(name, 0, 0);
    CHECK_EQ(gyre_producer_seq(producer), 1);
    gyre_producer_close(producer);
    CHECK_EQ(inspect(name).epoch, 2);
    CHECK_EQ(gyre_ring_remove(name, 0, &error), GYRE_OK);
    CHECK_EQ(gyre_ring_remove(name, 0, &error), GYRE_NOT_FOUND);
#endif
}

/* --- interrupts and eviction ------------------------------------------------------------------ */

SCENARIO(consumers, an_interrupt_ends_the_next_wait_and_only_that)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumers[3];
    unsigned char         message[64];
    uint32_t              size;

    for (uint32_t kind = 0; kind < 3; kind++) {
        struct gyre_consumer *consumer = consumers[kind] =
            open_consumer(name, (enum gyre_consumer_kind)kind, GYRE_START_NEWEST, 0);
        gyre_consumer_interrupt(consumer);
        CHECK_EQ(gyre_wait(consumer, GYRE_FOREVER), GYRE_INTERRUPTED);
        CHECK_EQ(gyre_wait(consumer, 0), GYRE_TIMEOUT);
        gyre_consumer_interrupt(consumer);
        gyre_consumer_interrupt(consumer);
        CHECK_EQ(gyre_recv(consumer, message, 64, &size, GYRE_FOREVER), GYRE_INTERRUPTED);
        CHECK_EQ(gyre_recv(consumer, message, 64, &size, 0), GYRE_TIMEOUT);
    }
    while (try_put(producer, 56))
        continue;
    gyre_producer_interrupt(producer);
    CHECK_EQ(gyre_wait_room(producer, 56, GYRE_FOREVER), GYRE_INTERRUPTED);
    CHECK_EQ(gyre_wait_room(producer, 56, 0), GYRE_TIMEOUT);
    gyre_producer_interrupt(producer);
    CHECK_EQ(gyre_send(producer, message, 56, GYRE_FOREVER), GYRE_INTERRUPTED);
    gyre_producer_interrupt(producer);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 9, GYRE_FOREVER), GYRE_INTERRUPTED);
    take(consumers[0], 0, 56);
    for (uint32_t kind = 0; kind < 3; kind++)
        gyre_consumer_close(consumers[kind]);
    gyre_producer_close(producer);
}

static void rogue_is_evicted(uint64_t cursor)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *rogue = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *honest = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_ring_info info;
    struct gyre_seat_info seats[2];
    uint32_t              taken;

    rogue->seat->released_pos = cursor;
    for (uint64_t seq = 0; seq < 200; seq++) {
        put(producer, 56);
        take(honest, seq, 56);
    }
    CHECK_EQ(gyre_wait(rogue, 0), GYRE_EVICTED);
    CHECK_EQ(gyre_wait(rogue, GYRE_FOREVER), GYRE_EVICTED);
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, seats, 2, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 2);
    CHECK_EQ(seats[0].is_evicted, 1);
    CHECK_EQ(seats[1].is_evicted, 0);
    gyre_consumer_close(rogue);
    rogue = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0); /* the seat is whole again */
    CHECK_EQ(rogue->seat_idx, 0);
    put(producer, 56);
    take(rogue, 200, 56);
    gyre_consumer_close(rogue);
    gyre_consumer_close(honest);
    gyre_producer_close(producer);
}

SCENARIO(consumers, whoever_claims_to_have_read_the_future_is_evicted)
{
    rogue_is_evicted(1u << 20);
}

SCENARIO(consumers, whoever_reads_between_frames_is_evicted)
{
    rogue_is_evicted(8);
}

/* --- what no correct producer writes ---------------------------------------------------------- */

/* Puts a frame of `header` where the consumer looks next. */
static void plant(struct gyre_producer *producer, struct gyre_consumer *consumer, uint64_t header)
{
    uint64_t offset = consumer->fast.peek_pos & consumer->fast.mask;

    memcpy(producer->ring.bytes + offset, &header, sizeof(header));
}

SCENARIO(consumers, bytes_that_are_no_frame_are_corrupt_and_stay_so)
{
    static const uint64_t headers[] = {
        UINT64_C(1) << 32 | GYRE_FRAME_PUBLISHED | 8,  /* another number */
        GYRE_FRAME_PUBLISHED | (CAPACITY - 7),         /* leads out of the ring */
        GYRE_FRAME_PUBLISHED | GYRE_FRAME_SIZE_MASK,   /* the same */
        8,                                             /* not published */
        GYRE_FRAME_PUBLISHED | GYRE_FRAME_PADDING | 8, /* padding that ends too early */
        GYRE_FRAME_PUBLISHED | GYRE_FRAME_PADDING | (CAPACITY - 8), /* padding for a whole lap */
        UINT64_MAX,
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        for (uint32_t kind = GYRE_RELIABLE; kind <= GYRE_TAP; kind++) {
            const char           *name = ring_dir_name();
            struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
            struct gyre_consumer *consumer =
                open_consumer(name, (enum gyre_consumer_kind)kind, GYRE_START_NEWEST, 0);
            struct gyre_ring_info info;
            struct gyre_error     error;
            unsigned char         message[64];
            uint32_t              size;

            plant(producer, consumer, headers[i]);
            CHECK(gyre_peek(consumer, &size) == NULL);
            CHECK_EQ(gyre_wait(consumer, GYRE_FOREVER), GYRE_CORRUPT);
            CHECK_EQ(gyre_recv(consumer, message, 64, &size, GYRE_FOREVER), GYRE_CORRUPT);
            CHECK_EQ(gyre_wait(consumer, 0), GYRE_CORRUPT);
            info.size = sizeof(info);
            CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, &error), GYRE_CORRUPT);
            gyre_consumer_close(consumer);
            gyre_producer_close(producer);
        }
    }
}

SCENARIO(consumers, a_corrupt_ring_refuses_joiners_and_the_next_producer)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *late = NULL;
    struct gyre_error            error;

    plant(producer, consumer, UINT64_MAX);
    for (options.kind = GYRE_RELIABLE; options.kind <= GYRE_TAP; options.kind++) {
        CHECK_EQ(gyre_consumer_open(name, &options, &late, &error), GYRE_CORRUPT);
        CHECK(late == NULL);
    }
    gyre_producer_close(producer);
    CHECK_EQ(gyre_producer_open(name, NULL, &producer, &error), GYRE_CORRUPT);
    gyre_consumer_close(consumer);
}

/* A join that retries without end on a ring of 64 MiB would take minutes. */
SCENARIO(consumers, a_large_corrupt_ring_is_refused_at_once)
{
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, 64u << 20, 8);
    struct gyre_consumer        *consumer = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *late = NULL;
    struct gyre_ring_info        info;
    struct gyre_error            error;
    uint64_t                     header;
    uint64_t                     begin;

    /* Half a lap of good frames, nothing but one landmark before them, then bytes that are none. */
    for (uint64_t seq = 0; seq < (4u << 20); seq++) {
        header = seq << 32 | GYRE_FRAME_PUBLISHED;
        memcpy(producer->ring.bytes + seq * 8, &header, sizeof(header));
    }
    header = UINT64_MAX;
    memcpy(producer->ring.bytes + (UINT64_C(4) << 20) * 8, &header, sizeof(header));
    begin = gyre_now_ns();
    CHECK_EQ(gyre_consumer_open(name, &options, &late, &error), GYRE_CORRUPT);
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, NULL, 0, NULL, &error), GYRE_CORRUPT);
    SCENARIO_ASSERT(gyre_now_ns() - begin < UINT64_C(3000000000), "took %llu ms",
                    (unsigned long long)((gyre_now_ns() - begin) / 1000000));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/*
 * A producer announces a horizon, then reads the seats again, then grants it.  Killed in between it
 * leaves a horizon behind which a consumer may have joined in good order.
 */
SCENARIO(consumers, a_horizon_that_a_dead_producer_did_not_confirm_overruns_nobody)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *consumer;
    uint64_t              seq;
    uint32_t              sent = 0;

    for (uint32_t i = 0; i < 2 * FRAMES; i++)
        put(producer, 56);
    consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
    seq = gyre_consumer_seq(consumer);
    producer->ring.front->horizon_pos += CAPACITY / 2; /* behind the consumer's cursor */
    gyre_producer_close(producer);
    producer = open_producer(name, 0, 0);
    while (sent < 4 * FRAMES && try_put(producer, 56))
        sent++;
    CHECK(sent < FRAMES);
    for (; seq < 2 * FRAMES + sent; seq++)
        take(consumer, seq, 56);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(consumers, one_that_leaves_does_not_disarm_another_on_the_same_bit)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_consumer    *consumers[GYRE_SLEEPERS_PER_WORD + 1];
    uint32_t                 last = GYRE_SLEEPERS_PER_WORD; /* its bit is that of seat 0 */
    uint64_t                 rearm_ns = 0;

    options.capacity = CAPACITY;
    options.seat_count = last + 1;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    for (uint32_t i = 0; i <= last; i++)
        consumers[i] = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_consumer_arm(consumers[last], &rearm_ns), GYRE_TIMEOUT);
    gyre_consumer_close(consumers[0]);
    CHECK(producer->ring.sleepers->mask & gyre__sleeper_bit(last));
    for (uint32_t i = 1; i <= last; i++)
        gyre_consumer_close(consumers[i]);
    gyre_producer_close(producer);
}

SCENARIO(consumers, the_dead_do_not_count_among_those_that_joined)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *alive = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *dead = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);

    CHECK_EQ(gyre_producer_wait_consumers(producer, 2, 0), GYRE_OK);
    sync_lease_drop(dead->ring.site, SYNC_ROLE_SEAT(dead->seat_idx)); /* all that a death leaves */
    CHECK_EQ(gyre_producer_wait_consumers(producer, 2, 0), GYRE_TIMEOUT);
    CHECK_EQ(gyre_producer_wait_consumers(producer, 1, 0), GYRE_OK);
    CHECK_EQ(gyre_wait(dead, 0), GYRE_EVICTED);
    gyre_consumer_close(dead);
    gyre_consumer_close(alive);
    gyre_producer_close(producer);
}
