#include "flow.h"

#include <gyre/atomic.h>

#include <string.h>

#define MESSAGES_MAX 512u
#define ALIGN 64u

static struct {
    uint32_t (*size_of)(uint64_t seq);
    uint64_t started_seq;
    uint64_t done_seq;
    uint8_t  makers[MESSAGES_MAX];
    uint64_t places[MESSAGES_MAX + 1]; /* where the frame of message n begins */
} books;

void flow_begin(uint32_t (*size_of)(uint64_t seq))
{
    uint64_t pos = 0;

    memset(&books, 0, sizeof(books));
    books.size_of = size_of;
    for (uint64_t seq = 0; seq < MESSAGES_MAX; seq++) {
        uint64_t frame = (size_of(seq) + 8 + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
        uint64_t left = FLOW_CAPACITY - pos % FLOW_CAPACITY;
        if (frame > left)
            pos += left;
        books.places[seq] = pos;
        pos += frame;
    }
}

uint64_t flow_started(void)
{
    return books.started_seq;
}

uint64_t flow_done(void)
{
    return books.done_seq;
}

bool flow_is_set(void *flag)
{
    return *(const unsigned *)flag != 0;
}

void flow_take_over(const struct gyre_producer *producer)
{
    uint64_t seq = gyre_producer_seq(producer);

    if (seq < books.done_seq || seq > books.started_seq)
        weave_fail("continues at message %llu, not at %llu to %llu", (unsigned long long)seq,
                   (unsigned long long)books.done_seq, (unsigned long long)books.started_seq);
    books.started_seq = seq;
    books.done_seq = seq;
}

static struct gyre_producer *open_producer(unsigned role, uint32_t seat_count, uint32_t flags)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_error        error;
    enum gyre_status         status;

    options.capacity = FLOW_CAPACITY;
    options.seat_count = seat_count;
    options.wait = GYRE_WAIT_SLEEP;
    options.flags = flags;
    weave_act_as(role);
    status = gyre_producer_open(FLOW_NAME, &options, &producer, &error);
    if (status != GYRE_OK)
        weave_fail("producer_open: %s %s", gyre_status_name(status),
                   error.field != NULL ? error.field : "");
    return producer;
}

struct gyre_producer *flow_open_producer(unsigned role, uint32_t seat_count)
{
    return open_producer(role, seat_count, 0);
}

struct gyre_producer *flow_open_strict(unsigned role)
{
    return open_producer(role, 2, GYRE_STRICT_WAKE);
}

void flow_open_reader(struct flow_reader *reader, unsigned role, enum gyre_consumer_kind kind,
                      enum gyre_start start)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_error            error;
    enum gyre_status             status;

    options.kind = kind;
    options.start = start;
    options.wait = GYRE_WAIT_SLEEP;
    options.open_deadline_ns = GYRE_FOREVER;
    weave_act_as(role);
    memset(reader, 0, sizeof(*reader));
    status = gyre_consumer_open(FLOW_NAME, &options, &reader->consumer, &error);
    if (status != GYRE_OK)
        weave_fail("consumer_open: %s %s", gyre_status_name(status),
                   error.field != NULL ? error.field : "");
    reader->next_seq = gyre_consumer_seq(reader->consumer);
    reader->is_lossy = kind != GYRE_RELIABLE;
}

/* --- messages --------------------------------------------------------------------------------- */

/* What word `idx` of the message has to be; a header's likeness where a header will be. */
static uint64_t word_of(uint64_t seq, uint32_t idx, uint8_t maker)
{
    uint64_t pos = books.places[seq] + 8 + UINT64_C(8) * idx;

    if (pos % ALIGN == 0)
        for (uint64_t later = seq; later < MESSAGES_MAX; later++)
            if (books.places[later] == pos + FLOW_CAPACITY)
                return later << 32 | GYRE_FRAME_PUBLISHED | books.size_of(later);
    return UINT64_C(0x5a) << 56 | (uint64_t)maker << 48 | seq << 16 | idx;
}

static uint32_t word_count(uint64_t seq)
{
    return (books.size_of(seq) + 7) / 8;
}

static void write_message(uint64_t *payload, uint64_t seq)
{
    books.makers[seq] = (uint8_t)(weave_self() + 1);
    for (uint32_t i = 0; i < word_count(seq); i++)
        gyre_store_relaxed_64(&payload[i], word_of(seq, i, books.makers[seq]));
}

bool flow_claim(struct gyre_producer *producer)
{
    uint64_t  seq = gyre_producer_seq(producer);
    uint64_t *payload;

    WEAVE_CHECK(seq < MESSAGES_MAX);
    payload = gyre_claim(producer, books.size_of(seq));
    if (payload == NULL)
        return false;
    write_message(payload, seq);
    return true;
}

static void wait_room(struct gyre_producer *producer)
{
    uint32_t         size = books.size_of(gyre_producer_seq(producer));
    enum gyre_status status = gyre_wait_room(producer, size, GYRE_FOREVER);

    weave_end_wait(status == GYRE_OK);
    if (status != GYRE_OK)
        weave_fail("wait_room: %s", gyre_status_name(status));
}

unsigned flow_claim_run(struct gyre_producer *producer, unsigned count)
{
    uint64_t       seq = gyre_producer_seq(producer);
    uint32_t       run_count = count, stride;
    unsigned char *payload;

    WEAVE_CHECK(seq + count <= MESSAGES_MAX);
    while ((payload = gyre_claim_run(producer, books.size_of(seq), &run_count, &stride)) == NULL) {
        wait_room(producer);
        run_count = count;
    }
    for (uint32_t i = 0; i < run_count; i++)
        write_message((uint64_t *)(void *)(payload + i * stride), seq + i);
    return run_count;
}

void flow_publish(struct gyre_producer *producer)
{
    books.started_seq = gyre_producer_seq(producer);
    gyre_publish(producer);
    books.done_seq = gyre_producer_seq(producer);
}

void flow_send(struct gyre_producer *producer, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!flow_claim(producer))
            wait_room(producer);
        flow_publish(producer);
    }
}

/* --- readers ---------------------------------------------------------------------------------- */

struct sample {
    uint64_t first;
    uint64_t middle;
    uint64_t last;
};

/* Three words of a message, which is enough to see that it is torn. */
static void take_sample(const uint64_t *payload, uint32_t count, struct sample *sample)
{
    sample->first = count > 0 ? gyre_load_relaxed_64(&payload[0]) : 0;
    sample->middle = count > 2 ? gyre_load_relaxed_64(&payload[count / 2]) : 0;
    sample->last = count > 1 ? gyre_load_relaxed_64(&payload[count - 1]) : 0;
}

static void check_sample(uint64_t seq, uint32_t size, const struct sample *sample)
{
    uint32_t count = word_count(seq);
    uint8_t  maker = books.makers[seq];

    if (seq >= books.started_seq)
        weave_fail("message %llu is seen before it is published", (unsigned long long)seq);
    if (size != books.size_of(seq))
        weave_fail("message %llu has %u bytes, not %u", (unsigned long long)seq, size,
                   books.size_of(seq));
    if ((count > 0 && sample->first != word_of(seq, 0, maker)) ||
        (count > 2 && sample->middle != word_of(seq, count / 2, maker)) ||
        (count > 1 && sample->last != word_of(seq, count - 1, maker)))
        weave_fail("message %llu is torn: %llx %llx %llx", (unsigned long long)seq,
                   (unsigned long long)sample->first, (unsigned long long)sample->middle,
                   (unsigned long long)sample->last);
}

static void take_gap(struct flow_reader *reader)
{
    uint64_t gap = gyre_consumer_gap(reader->consumer);

    WEAVE_CHECK(reader->is_lossy);
    WEAVE_CHECK(gap > 0);
    reader->next_seq += gap;
    reader->lost += gap;
    WEAVE_CHECK(gyre_consumer_seq(reader->consumer) == reader->next_seq);
    WEAVE_CHECK(reader->next_seq <= books.started_seq);
    WEAVE_CHECK(gyre_consumer_lost(reader->consumer) == reader->lost);
}

void flow_release(struct flow_reader *reader)
{
    enum gyre_status status = gyre_release(reader->consumer);

    if (status == GYRE_GAP)
        take_gap(reader);
    else if (status != GYRE_OK)
        weave_fail("release: %s", gyre_status_name(status));
}

/* A lossy reader's message counts only once its release said so. */
static bool read_lossy(struct flow_reader *reader)
{
    uint32_t        size;
    struct sample   sample;
    const uint64_t *payload = gyre_peek(reader->consumer, &size);
    uint64_t        lost = reader->lost;

    if (payload == NULL)
        return false;
    take_sample(payload, size <= 2040 ? (size + 7) / 8 : 0, &sample);
    flow_release(reader);
    if (reader->lost != lost)
        return true;
    if (gyre_consumer_seq(reader->consumer) == reader->next_seq)
        return true; /* nothing but padding was overwritten: it comes again */
    check_sample(reader->next_seq, size, &sample);
    reader->next_seq++;
    reader->received++;
    WEAVE_CHECK(gyre_consumer_seq(reader->consumer) == reader->next_seq);
    return true;
}

/* A reliable reader's message. */
static void read_message(struct flow_reader *reader, const uint64_t *payload, uint32_t size)
{
    struct sample sample;

    take_sample(payload, size <= 2040 ? (size + 7) / 8 : 0, &sample);
    check_sample(reader->next_seq, size, &sample);
    reader->next_seq++;
    reader->received++;
}

bool flow_read_run(struct flow_reader *reader, unsigned count)
{
    uint32_t             size, run_count = count, stride;
    const unsigned char *payload = gyre_peek_run(reader->consumer, &size, &run_count, &stride);

    if (payload == NULL)
        return false;
    WEAVE_CHECK(run_count >= 1 && run_count <= count);
    for (uint32_t i = 0; i < run_count; i++)
        read_message(reader, (const uint64_t *)(const void *)(payload + i * stride), size);
    WEAVE_CHECK(gyre_consumer_seq(reader->consumer) == reader->next_seq);
    return true;
}

bool flow_read_one(struct flow_reader *reader)
{
    uint32_t        size;
    const uint64_t *payload;

    if (reader->is_lossy)
        return read_lossy(reader);
    payload = gyre_peek(reader->consumer, &size);
    if (payload == NULL)
        return false;
    read_message(reader, payload, size);
    WEAVE_CHECK(gyre_consumer_seq(reader->consumer) == reader->next_seq);
    return true;
}

enum gyre_status flow_wait(struct flow_reader *reader)
{
    enum gyre_status status = gyre_wait(reader->consumer, GYRE_FOREVER);

    weave_end_wait(status != GYRE_ORPHANED);
    if (status == GYRE_GAP)
        take_gap(reader);
    else if (status == GYRE_ORPHANED && !weave_had_deaths())
        weave_fail("a producer is told dead that is not");
    else if (status < 0 || status == GYRE_EVICTED || status == GYRE_TIMEOUT)
        weave_fail("wait: %s", gyre_status_name(status));
    return status;
}

void flow_read_until(struct flow_reader *reader, uint64_t end_seq)
{
    while (reader->next_seq < end_seq) {
        enum gyre_status status = flow_wait(reader);
        if (status != GYRE_OK && status != GYRE_GAP)
            weave_fail("wait: %s", gyre_status_name(status));
        while (reader->next_seq < end_seq && flow_read_one(reader))
            flow_release(reader);
    }
}

void flow_read_to_end(struct flow_reader *reader)
{
    for (;;) {
        enum gyre_status status = flow_wait(reader);
        if (status == GYRE_CLOSED)
            break;
        while (flow_read_one(reader))
            flow_release(reader);
    }
    if (reader->next_seq != books.done_seq)
        weave_fail("CLOSED at message %llu of %llu", (unsigned long long)reader->next_seq,
                   (unsigned long long)books.done_seq);
}
