/*
 * script.c - see script.h.
 */
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "oracle.h"
#include "pattern.h"
#include "ring_dir.h"

struct run {
    struct gyre_ring_options options;
    const char              *name;
    const uint8_t           *bytes;
    size_t                   size;
    size_t                   at;
    uint32_t                 step;
    const char              *operation;
    struct gyre_producer    *producer;
    struct gyre_consumer    *consumers[ORACLE_CONSUMERS];
    bool                     is_wild[ORACLE_CONSUMERS]; /* peeked while overrun */
    bool                     exists;                    /* the ring */
    struct oracle            oracle;
    unsigned char            buffer[32768];
};

static char mismatch_text[512];

static bool mismatch(const struct run *run, const char *format, ...)
{
    va_list arguments;
    int used = snprintf(mismatch_text, sizeof(mismatch_text), "step %u, %s: ", (unsigned)run->step,
                        run->operation);

    va_start(arguments, format);
    (void)vsnprintf(mismatch_text + used, sizeof(mismatch_text) - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return mismatch(run, "not so: %s (line %d)", #condition, __LINE__);                    \
    } while (0)

#define EXPECT_EQ(real, model)                                                                     \
    do {                                                                                           \
        uint64_t real_ = (uint64_t)(real);                                                         \
        uint64_t model_ = (uint64_t)(model);                                                       \
        if (real_ != model_)                                                                       \
            return mismatch(run, "%s is %lld, the oracle says %lld (line %d)", #real,              \
                            (long long)real_, (long long)model_, __LINE__);                        \
    } while (0)

/* --- the script's bytes ----------------------------------------------------------------------- */

static uint32_t next_byte(struct run *run)
{
    return run->at < run->size ? run->bytes[run->at++] : 0;
}

static uint32_t next_size(struct run *run)
{
    uint32_t largest = (uint32_t)(run->options.capacity / 2 - 8);
    uint32_t code = next_byte(run);
    uint64_t left;

    if (code < 160)
        return code;
    if (code < 216)
        return next_byte(run) * 8;
    if (code < 232)
        return (next_byte(run) << 8 | next_byte(run)) % (largest + 1);
    if (code < 244)
        return largest;
    switch (code) {
    case 244:
        return largest + 1;
    case 245:
        return UINT32_MAX;
    case 246:
        return (uint32_t)run->options.capacity;
    case 247:
        return largest - next_byte(run);
    default: /* a frame that ends exactly at the end of the ring, or one byte beyond */
        left = run->options.capacity - (run->oracle.claim_pos & (run->options.capacity - 1));
        left = left - 8 + code % 2;
        return left <= largest ? (uint32_t)left : 0;
    }
}

/* --- comparison ------------------------------------------------------------------------------- */

static const struct gyre_fast_consumer *fast_of(const struct gyre_consumer *consumer)
{
    return (const void *)consumer;
}

static bool compare_consumer(const struct run *run, uint32_t slot)
{
    const struct oracle_consumer    *model = &run->oracle.consumers[slot];
    const struct gyre_fast_consumer *fast = fast_of(run->consumers[slot]);

    EXPECT_EQ(gyre_consumer_lost(run->consumers[slot]), model->lost);
    EXPECT_EQ(gyre_consumer_gap(run->consumers[slot]), model->gap);
    EXPECT_EQ(gyre_consumer_epoch(run->consumers[slot]), run->oracle.epoch);
    EXPECT_EQ(*fast->released_pos, model->held_pos);
    if (model->kind != GYRE_RELIABLE) {
        EXPECT_EQ(fast->held_pos, model->held_pos);
        EXPECT_EQ(fast->held_seq, model->held_seq);
    }
    if (model->gap_pending == 0) /* every number is received, or lost, or still to come */
        EXPECT_EQ(model->begin_seq + model->received + model->lost, model->held_seq);
    if (run->is_wild[slot])
        return true;
    EXPECT_EQ(gyre_consumer_seq(run->consumers[slot]), model->seq);
    EXPECT_EQ(fast->peek_pos, model->pos);
    return true;
}

static bool compare_all(const struct run *run)
{
    const struct gyre_ring *ring = NULL;
    uint64_t                header;

    if (run->producer != NULL) {
        const struct gyre_fast_producer *fast = (const void *)run->producer;
        ring = &run->producer->ring;
        EXPECT_EQ(gyre_producer_seq(run->producer), run->oracle.claim_seq);
        EXPECT_EQ(fast->claim_pos, run->oracle.claim_pos);
        EXPECT_EQ(fast->limit_pos, run->oracle.limit_pos);
    }
    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++) {
        if (run->consumers[i] == NULL)
            continue;
        ring = &run->consumers[i]->ring;
        if (!compare_consumer(run, i))
            return false;
    }
    if (ring == NULL)
        return true;
    EXPECT_EQ(ring->front->horizon_pos, oracle_horizon(&run->oracle));
    EXPECT_EQ(ring->front->state, run->oracle.state);
    memcpy(&header, ring->bytes + (run->oracle.published_pos & (run->options.capacity - 1)), 8);
    EXPECT_EQ(header, 0); /* behind the last frame: no bytes of anybody's payload */
    return true;
}

static bool inspect(const struct run *run)
{
    const struct oracle         *oracle = &run->oracle;
    struct gyre_ring_info        info;
    struct gyre_seat_info        seats[ORACLE_CONSUMERS + 1];
    struct oracle_consumer       joiner;
    uint32_t                     taken = 0, found = 0;
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    const char                  *wrong;
    enum gyre_status             status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(run->name, &info, seats, ORACLE_CONSUMERS + 1, &taken, NULL);
    EXPECT_EQ(status, run->exists ? GYRE_OK : GYRE_NOT_FOUND);
    if (!run->exists)
        return true;
    EXPECT_EQ(info.capacity, oracle->capacity);
    EXPECT_EQ(info.frame_align, oracle->align);
    EXPECT_EQ(info.seat_count, oracle->seat_count);
    EXPECT_EQ(info.epoch, oracle->epoch);
    EXPECT_EQ(info.state, oracle->state);
    EXPECT_EQ(info.producer_alive, run->producer != NULL);
    EXPECT_EQ(info.next_seq, oracle->published_seq);
    EXPECT_EQ(info.next_pos, oracle->published_pos);
    EXPECT_EQ(info.horizon_pos, oracle_horizon(oracle));
    options.start = GYRE_START_OLDEST;
    wrong = oracle_join((struct oracle *)&run->oracle, &joiner, &options, info.oldest_seq,
                        info.oldest_pos);
    if (wrong != NULL)
        return mismatch(run, "the oldest is message %llu: %s", (unsigned long long)info.oldest_seq,
                        wrong);
    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++) {
        const struct oracle_consumer *model = &oracle->consumers[i];
        if (!model->is_open || model->kind == GYRE_TAP)
            continue;
        found++;
        for (uint32_t s = 0; s < taken; s++) {
            if (seats[s].seat_idx != run->consumers[i]->seat_idx)
                continue;
            EXPECT_EQ(seats[s].kind, model->kind);
            EXPECT_EQ(seats[s].is_alive, 1);
            EXPECT_EQ(seats[s].is_evicted, 0);
            EXPECT_EQ(seats[s].is_asleep, 0);
            EXPECT_EQ(seats[s].lag_bytes, oracle->published_pos - model->held_pos);
            EXPECT_EQ(seats[s].lost_count, model->lost);
        }
    }
    EXPECT_EQ(taken, found);
    return true;
}

/* --- the producer ----------------------------------------------------------------------------- */

static bool open_producer(struct run *run)
{
    struct gyre_producer *second = NULL;
    struct gyre_error     error;

    if (run->producer != NULL) {
        EXPECT_EQ(gyre_producer_open(run->name, &run->options, &second, &error), GYRE_BUSY);
        return true;
    }
    EXPECT_EQ(gyre_producer_open(run->name, &run->options, &run->producer, &error), GYRE_OK);
    if (run->exists)
        oracle_producer_open(&run->oracle);
    else
        oracle_create(&run->oracle, &run->options);
    run->exists = true;
    return true;
}

static uint32_t attached_count(const struct run *run)
{
    uint32_t count = run->producer != NULL;

    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++)
        count += run->consumers[i] != NULL && run->oracle.consumers[i].kind != GYRE_TAP;
    return count;
}

static void close_slot(struct run *run, uint32_t slot)
{
    gyre_consumer_close(run->consumers[slot]);
    run->consumers[slot] = NULL;
    run->is_wild[slot] = false;
    oracle_leave(&run->oracle.consumers[slot]);
}

/* Before the last handle that holds the ring goes: what taps keep differs between systems. */
static void close_taps_of_last(struct run *run)
{
    for (uint32_t i = 0; i < ORACLE_CONSUMERS && attached_count(run) == 1; i++)
        if (run->consumers[i] != NULL && run->oracle.consumers[i].kind == GYRE_TAP)
            close_slot(run, i);
}

static bool close_producer(struct run *run)
{
    close_taps_of_last(run);
    gyre_producer_close(run->producer);
    run->producer = NULL;
    oracle_producer_close(&run->oracle);
    run->exists = attached_count(run) > 0;
    return run->exists || inspect(run);
}

static bool claim(struct run *run)
{
    uint32_t       size = next_size(run);
    uint64_t       seq = run->oracle.claim_seq;
    bool           is_accepted = oracle_claim(&run->oracle, size);
    unsigned char *payload = gyre_claim(run->producer, size);

    EXPECT_EQ(payload != NULL, is_accepted);
    if (payload == NULL)
        return true;
    EXPECT_EQ((uintptr_t)payload % 8, 0);
    EXPECT_EQ((uint64_t)(payload - run->producer->ring.bytes),
              (oracle_message(&run->oracle, seq)->frame_pos & (run->options.capacity - 1)) + 8);
    pattern_fill(payload, size, seq);
    return true;
}

static bool send(struct run *run, uint32_t size)
{
    bool             is_accepted;
    enum gyre_status expected = GYRE_OK;
    uint64_t         seq = run->oracle.claim_seq;

    if (size > run->options.capacity / 2 - 8) {
        expected = GYRE_TOO_LARGE;
        is_accepted = false;
    } else {
        pattern_fill(run->buffer, size, seq);
        is_accepted = oracle_claim(&run->oracle, size);
        expected = is_accepted ? GYRE_OK : GYRE_TIMEOUT;
    }
    EXPECT_EQ(gyre_send(run->producer, run->buffer, size, 0), expected);
    if (is_accepted)
        oracle_publish(&run->oracle);
    return true;
}

static bool wait_room(struct run *run)
{
    uint32_t         size = next_size(run);
    enum gyre_status expected = GYRE_TOO_LARGE;

    if (size <= run->options.capacity / 2 - 8)
        expected = oracle_has_room(&run->oracle, size) ? GYRE_OK : GYRE_TIMEOUT;
    EXPECT_EQ(gyre_wait_room(run->producer, size, 0), expected);
    return true;
}

/* --- consumers -------------------------------------------------------------------------------- */

static bool open_consumer(struct run *run, uint32_t slot)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct oracle_consumer      *model = &run->oracle.consumers[slot];
    uint32_t                     code = next_byte(run);
    enum gyre_status             expected = GYRE_OK, status;
    struct gyre_error            error;
    uint64_t                     newest = run->exists ? run->oracle.published_seq : 0;
    const char                  *wrong;
    uint32_t                     seated = 0;

    options.kind = code % 3;
    options.on_gap = code / 3 % 2;
    options.start = code / 6 % 3;
    if (options.start == GYRE_START_SEQ) { /* around the newest, sometimes beyond it */
        uint64_t back = next_byte(run) * (uint64_t)(1 + code / 18 * 3);
        options.start_seq = newest + 2 > back ? newest + 2 - back : 0;
    }
    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++)
        seated += run->oracle.consumers[i].is_open && run->oracle.consumers[i].kind != GYRE_TAP;
    if (!run->exists)
        expected = GYRE_NOT_FOUND;
    else if (options.kind != GYRE_TAP && seated == run->options.seat_count)
        expected = GYRE_NO_SEAT;
    else if (options.start == GYRE_START_SEQ && options.start_seq > newest)
        expected = GYRE_BAD_ARGUMENT;
    status = gyre_consumer_open(run->name, &options, &run->consumers[slot], &error);
    EXPECT_EQ(status, expected);
    if (status != GYRE_OK)
        return true;
    wrong = oracle_join(&run->oracle, model, &options, fast_of(run->consumers[slot])->held_seq,
                        fast_of(run->consumers[slot])->held_pos);
    return wrong == NULL || mismatch(run, "start %u: %s", (unsigned)options.start, wrong);
}

static bool close_consumer(struct run *run, uint32_t slot)
{
    if (run->oracle.consumers[slot].kind != GYRE_TAP)
        close_taps_of_last(run);
    close_slot(run, slot);
    run->exists = attached_count(run) > 0;
    return run->exists || inspect(run);
}

static bool is_overrun(const struct run *run, uint32_t slot)
{
    return oracle_is_overrun(&run->oracle, &run->oracle.consumers[slot]);
}

/* The real consumer told a gap: takes its new place from it, if the oracle agrees. */
static bool resume(struct run *run, uint32_t slot)
{
    const struct gyre_fast_consumer *fast = fast_of(run->consumers[slot]);
    const char                      *wrong =
        oracle_resume(&run->oracle, &run->oracle.consumers[slot], fast->held_seq, fast->held_pos);

    run->is_wild[slot] = false;
    return wrong == NULL ||
           mismatch(run, "resumed at message %llu: %s", (unsigned long long)fast->held_seq, wrong);
}

/* Anything may be seen there, but nothing outside the ring. */
static bool peek_wildly(struct run *run, uint32_t slot)
{
    const struct gyre_ring *ring = &run->consumers[slot]->ring;
    uint32_t                size = 0;
    const unsigned char    *payload = gyre_peek(run->consumers[slot], &size);

    run->is_wild[slot] = true;
    if (payload == NULL)
        return true;
    EXPECT(payload >= ring->bytes + 8);
    EXPECT(payload + size <= ring->bytes + run->options.capacity);
    return true;
}

static bool peek(struct run *run, uint32_t slot, bool *is_there)
{
    struct oracle_consumer      *model = &run->oracle.consumers[slot];
    const struct oracle_message *message;
    const unsigned char         *payload;
    uint32_t                     size = 0;
    uint64_t                     seq = model->seq;

    *is_there = false;
    if (is_overrun(run, slot) && model->gap_pending == 0)
        return peek_wildly(run, slot);
    message = oracle_peek(&run->oracle, model);
    payload = gyre_peek(run->consumers[slot], &size);
    EXPECT_EQ(payload != NULL, message != NULL);
    if (payload == NULL)
        return true;
    *is_there = true;
    EXPECT_EQ(size, message->size);
    EXPECT_EQ((uint64_t)(payload - run->consumers[slot]->ring.bytes),
              (message->frame_pos & (run->options.capacity - 1)) + 8);
    EXPECT(pattern_matches(payload, size, seq));
    return true;
}

static bool release(struct run *run, uint32_t slot)
{
    struct gyre_consumer *consumer = run->consumers[slot];

    if (is_overrun(run, slot)) {
        EXPECT_EQ(gyre_release(consumer), GYRE_GAP);
        return resume(run, slot);
    }
    oracle_release(&run->oracle.consumers[slot]);
    EXPECT_EQ(gyre_release(consumer), GYRE_OK);
    return true;
}

static bool wait(struct run *run, uint32_t slot)
{
    struct oracle_consumer *model = &run->oracle.consumers[slot];

    if (is_overrun(run, slot) && model->gap_pending == 0) {
        EXPECT_EQ(gyre_wait(run->consumers[slot], 0), GYRE_GAP);
        return resume(run, slot);
    }
    EXPECT_EQ(gyre_wait(run->consumers[slot], 0), oracle_wait(&run->oracle, model));
    return true;
}

static bool recv(struct run *run, uint32_t slot)
{
    struct oracle_consumer      *model = &run->oracle.consumers[slot];
    uint32_t                     room = next_size(run) % sizeof(run->buffer);
    uint32_t                     size = 12345;
    const struct oracle_message *message;
    enum gyre_status status = gyre_recv(run->consumers[slot], run->buffer, room, &size, 0);

    if (is_overrun(run, slot) && model->gap_pending == 0) {
        EXPECT_EQ(status, GYRE_GAP);
        EXPECT_EQ(size, 12345);
        return resume(run, slot);
    }
    if (!oracle_look(&run->oracle, model)) {
        EXPECT_EQ(status, oracle_wait(&run->oracle, model));
        EXPECT_EQ(size, 12345);
        return true;
    }
    message = oracle_message(&run->oracle, model->seq);
    EXPECT_EQ(status, message->size > room ? GYRE_TOO_LARGE : GYRE_OK);
    EXPECT_EQ(size, message->size);
    if (status != GYRE_OK)
        return true;
    EXPECT(pattern_matches(run->buffer, size, model->seq));
    (void)oracle_peek(&run->oracle, model);
    oracle_release(model);
    return true;
}

static bool drain(struct run *run, uint32_t slot)
{
    bool is_there = true;

    for (uint32_t i = next_byte(run); is_there && i > 0; i--)
        if (!peek(run, slot, &is_there))
            return false;
    return release(run, slot);
}

/* --- the interpreter -------------------------------------------------------------------------- */

static bool act_on_producer(struct run *run, uint32_t code)
{
    uint32_t size, count;
    bool     is_good = true;

    if (run->producer == NULL && code % 3 != 0) /* mostly there is one */
        return open_producer(run);
    if (run->producer == NULL)
        return true;
    if (code < 8) {
        run->operation = "claim";
        return claim(run);
    }
    if (code < 12) {
        run->operation = "publish";
        gyre_publish(run->producer);
        oracle_publish(&run->oracle);
        return true;
    }
    if (code < 15) {
        run->operation = "send";
        return send(run, next_size(run));
    }
    if (code < 18) {
        run->operation = "send many";
        size = next_size(run);
        count = next_byte(run);
        while (is_good && count-- > 0)
            is_good = send(run, size);
        return is_good;
    }
    run->operation = "wait for room";
    return wait_room(run);
}

static bool act_rarely(struct run *run, uint32_t slot)
{
    switch (next_byte(run) % 4) {
    case 0:
        run->operation = "open or close the producer";
        return run->producer != NULL ? close_producer(run) : open_producer(run);
    case 1:
        run->operation = "open the producer";
        return open_producer(run);
    case 2:
        run->operation = "interrupt";
        if (run->consumers[slot] == NULL)
            return true;
        gyre_consumer_interrupt(run->consumers[slot]);
        EXPECT_EQ(gyre_wait(run->consumers[slot], GYRE_FOREVER), GYRE_INTERRUPTED);
        return true;
    default:
        run->operation = "inspect";
        return inspect(run);
    }
}

static bool act_on_consumer(struct run *run, uint32_t code, uint32_t slot)
{
    bool is_there = true;

    if (code == 30)
        return act_rarely(run, slot);
    if (run->consumers[slot] == NULL) {
        run->operation = "open a consumer";
        return open_consumer(run, slot);
    }
    if (code < 22) {
        run->operation = "peek";
        for (uint32_t i = 0; is_there && i < code - 18; i++)
            if (!peek(run, slot, &is_there))
                return false;
        return true;
    }
    if (code < 24) {
        run->operation = "release";
        return release(run, slot);
    }
    if (code < 26) {
        run->operation = "recv";
        return recv(run, slot);
    }
    if (code < 28) {
        run->operation = "wait";
        return wait(run, slot);
    }
    if (code == 28) {
        run->operation = "close a consumer";
        return close_consumer(run, slot);
    }
    run->operation = "drain";
    return drain(run, slot);
}

static bool take_step(struct run *run)
{
    uint32_t byte = next_byte(run);
    uint32_t code = byte % 32;
    uint32_t slot = byte / 32 % ORACLE_CONSUMERS;
    bool     is_good;

    run->operation = "step";
    run->step++;
    is_good = code < 19 ? act_on_producer(run, code) : act_on_consumer(run, code, slot);
    return is_good && compare_all(run);
}

const char *script_run(const struct gyre_ring_options *options, const uint8_t *bytes, size_t size)
{
    struct run *run = calloc(1, sizeof(*run));
    bool        is_good;

    if (run == NULL)
        return "no memory";
    run->options = *options;
    run->name = ring_dir_name();
    run->bytes = bytes;
    run->size = size;
    run->operation = "the first open";
    is_good = open_producer(run) && compare_all(run);
    while (is_good && run->at < run->size)
        is_good = take_step(run);
    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++)
        gyre_consumer_close(run->consumers[i]);
    gyre_producer_close(run->producer);
    free(run);
    return is_good ? NULL : mismatch_text;
}

struct gyre_ring_options script_options(uint8_t geometry, uint8_t seats)
{
    static const uint64_t boundaries[] = {
        0, UINT64_C(1) << 32, UINT64_C(1) << 40, UINT64_C(1) << 63, 0, UINT64_C(1) << 31};
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    uint32_t                 which = geometry / 20 % 6;

    options.frame_align = 8u << geometry % 4;
    options.capacity = UINT64_C(4096) << geometry / 4 % 5;
    options.seat_count = 1 + seats % ORACLE_CONSUMERS;
    if (which != 0) /* 0 itself, or two laps before the boundary; which 4: that of 64 bits */
        options.first_pos = boundaries[which] - 2 * options.capacity;
    return options;
}
