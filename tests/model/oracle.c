/*
 * oracle.c - see oracle.h.
 */
#include "oracle.h"

#include <stddef.h>
#include <string.h>

static bool is_after(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) > 0;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void oracle_create(struct oracle *oracle, const struct gyre_ring_options *options)
{
    memset(oracle, 0, sizeof(*oracle));
    oracle->capacity = options->capacity;
    oracle->align = options->frame_align;
    oracle->seat_count = options->seat_count;
    oracle->first_pos = options->first_pos;
    oracle->claim_pos = options->first_pos;
    oracle->published_pos = options->first_pos;
    oracle->limit_pos =
        options->first_pos + oracle->align; /* room for the zero of an empty stream */
    oracle_producer_open(oracle);
}

void oracle_producer_open(struct oracle *oracle)
{
    oracle->epoch++;
    oracle->state = GYRE_RING_ACTIVE;
}

/* What was claimed and not published is gone; the horizon stays where it is. */
void oracle_producer_close(struct oracle *oracle)
{
    oracle->claim_pos = oracle->published_pos;
    oracle->claim_seq = oracle->published_seq;
    oracle->state = GYRE_RING_CLOSED;
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct oracle_message plan(const struct oracle *oracle, uint32_t size)
{
    uint64_t lap_end = (oracle->claim_pos | (oracle->capacity - 1)) + 1;
    uint64_t frame = ((uint64_t)size + 8 + oracle->align - 1) / oracle->align * oracle->align;
    struct oracle_message message;

    message.begin_pos = oracle->claim_pos;
    message.frame_pos = oracle->claim_pos;
    if (frame > lap_end - oracle->claim_pos)
        message.frame_pos = lap_end;
    message.end_pos = message.frame_pos + frame;
    message.size = size;
    return message;
}

static uint64_t slowest_pos(const struct oracle *oracle)
{
    uint64_t slowest = oracle->published_pos;

    for (uint32_t i = 0; i < ORACLE_CONSUMERS; i++) {
        const struct oracle_consumer *consumer = &oracle->consumers[i];
        if (consumer->is_open && consumer->kind == GYRE_RELIABLE &&
            is_after(slowest, consumer->held_pos))
            slowest = consumer->held_pos;
    }
    return slowest;
}

bool oracle_has_room(struct oracle *oracle, uint32_t size)
{
    struct oracle_message message = plan(oracle, size);
    uint64_t              need = message.end_pos + oracle->align; /* and the zero behind it */
    uint64_t              room = slowest_pos(oracle) + oracle->capacity;
    uint64_t              step = oracle->claim_pos + oracle->capacity / 16;

    if (size > oracle->capacity / 2 - 8 || is_after(need, room))
        return false;
    if (is_after(need, oracle->limit_pos)) {
        if (is_after(need, step))
            step = need;
        oracle->limit_pos = is_after(step, room) ? room : step;
        /* Until that is used up no landmark is set, even if the frame is never claimed. */
        oracle->frame_max = max_of(oracle->frame_max, need - oracle->claim_pos);
    }
    return true;
}

bool oracle_claim(struct oracle *oracle, uint32_t size)
{
    struct oracle_message message = plan(oracle, size);

    if (!oracle_has_room(oracle, size))
        return false;
    oracle->messages[oracle->claim_seq % ORACLE_MESSAGES] = message;
    oracle->claim_seq++;
    oracle->claim_pos = message.end_pos;
    oracle->batch_max = max_of(oracle->batch_max, message.end_pos - oracle->published_pos);
    return true;
}

void oracle_publish(struct oracle *oracle)
{
    oracle->published_pos = oracle->claim_pos;
    oracle->published_seq = oracle->claim_seq;
}

uint64_t oracle_horizon(const struct oracle *oracle)
{
    return oracle->limit_pos - oracle->capacity;
}

const struct oracle_message *oracle_message(const struct oracle *oracle, uint64_t seq)
{
    return &oracle->messages[seq % ORACLE_MESSAGES];
}

/* --- where a reader may begin ----------------------------------------------------------------- */

/* The boundary before message `seq`, which is retained or the next to be published. */
static uint64_t boundary(const struct oracle *oracle, uint64_t seq)
{
    return seq == oracle->published_seq ? oracle->published_pos
                                        : oracle_message(oracle, seq)->begin_pos;
}

static const char *judge_boundary(const struct oracle *oracle, uint64_t seq, uint64_t pos)
{
    if (seq > oracle->published_seq || oracle->published_seq - seq > ORACLE_MESSAGES / 2)
        return "a number that is not in the ring";
    if (boundary(oracle, seq) != pos)
        return "a position that is not the message's";
    if (is_after(oracle_horizon(oracle), pos))
        return "a position that is overwritten";
    return NULL;
}

/* The oldest retained: a landmark behind the horizon, no further than landmarks are apart. */
static const char *judge_oldest(const struct oracle *oracle, uint64_t seq, uint64_t pos)
{
    const char *wrong = judge_boundary(oracle, seq, pos);
    uint64_t    apart = oracle->capacity / 8 + 3 * oracle->frame_max + 2 * oracle->batch_max;

    if (wrong != NULL)
        return wrong;
    if (!is_after(oracle_horizon(oracle), oracle->first_pos) && seq != 0)
        return "not the first message although nothing is overwritten";
    if (is_after(oracle_horizon(oracle), oracle->first_pos) && pos - oracle_horizon(oracle) > apart)
        return "far behind the oldest";
    return NULL;
}

static void set_cursor(struct oracle_consumer *consumer, uint64_t seq, uint64_t pos)
{
    consumer->pos = consumer->held_pos = pos;
    consumer->seq = consumer->held_seq = seq;
}

const char *oracle_join(struct oracle *oracle, struct oracle_consumer *consumer,
                        const struct gyre_consumer_options *options, uint64_t seq, uint64_t pos)
{
    const char *wrong = NULL;

    memset(consumer, 0, sizeof(*consumer));
    consumer->is_open = true;
    consumer->kind = options->kind;
    consumer->on_gap = options->on_gap;
    consumer->begin_seq = seq;
    set_cursor(consumer, seq, pos);
    if (options->start == GYRE_START_NEWEST) {
        wrong = judge_boundary(oracle, seq, pos);
        return seq != oracle->published_seq ? "not the newest" : wrong;
    }
    if (options->start == GYRE_START_SEQ && seq == options->start_seq)
        return judge_boundary(oracle, seq, pos);
    if (options->start == GYRE_START_SEQ) {
        if (seq < options->start_seq)
            return "a message before the one that was asked for";
        consumer->begin_seq = options->start_seq;
        consumer->gap_pending = seq - options->start_seq;
    }
    return judge_oldest(oracle, seq, pos);
}

void oracle_leave(struct oracle_consumer *consumer)
{
    consumer->is_open = false;
}

const char *oracle_resume(struct oracle *oracle, struct oracle_consumer *consumer, uint64_t seq,
                          uint64_t pos)
{
    const char *wrong = consumer->on_gap == GYRE_RESUME_NEWEST ? judge_boundary(oracle, seq, pos)
                                                               : judge_oldest(oracle, seq, pos);

    if (wrong == NULL && consumer->on_gap == GYRE_RESUME_NEWEST && seq != oracle->published_seq)
        wrong = "not the newest";
    if (wrong == NULL && !is_after(pos, consumer->held_pos))
        wrong = "no step forward";
    consumer->gap = seq - consumer->held_seq;
    consumer->lost += consumer->gap;
    set_cursor(consumer, seq, pos);
    return wrong;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool oracle_is_overrun(const struct oracle *oracle, const struct oracle_consumer *consumer)
{
    return consumer->kind != GYRE_RELIABLE && is_after(oracle_horizon(oracle), consumer->held_pos);
}

bool oracle_look(struct oracle *oracle, struct oracle_consumer *consumer)
{
    const struct oracle_message *message = oracle_message(oracle, consumer->seq);

    if (consumer->gap_pending != 0 || consumer->seq == oracle->published_seq)
        return false;
    if (consumer->pos == message->begin_pos && message->begin_pos != message->frame_pos) {
        /* A reliable reader that holds nothing gives the padding back at once. */
        if (consumer->held_pos == consumer->pos && consumer->kind == GYRE_RELIABLE)
            consumer->held_pos = message->frame_pos;
        consumer->pos = message->frame_pos;
    }
    return true;
}

const struct oracle_message *oracle_peek(struct oracle *oracle, struct oracle_consumer *consumer)
{
    const struct oracle_message *message = oracle_message(oracle, consumer->seq);

    if (!oracle_look(oracle, consumer))
        return NULL;
    consumer->pos = message->end_pos;
    consumer->seq++;
    return message;
}

enum gyre_status oracle_wait(struct oracle *oracle, struct oracle_consumer *consumer)
{
    if (consumer->gap_pending != 0) {
        consumer->gap = consumer->gap_pending;
        consumer->lost += consumer->gap;
        consumer->gap_pending = 0;
        return GYRE_GAP;
    }
    if (oracle_look(oracle, consumer))
        return GYRE_OK;
    return oracle->state == GYRE_RING_CLOSED ? GYRE_CLOSED : GYRE_TIMEOUT;
}

void oracle_release(struct oracle_consumer *consumer)
{
    consumer->received += consumer->seq - consumer->held_seq;
    consumer->held_seq = consumer->seq;
    consumer->held_pos = consumer->pos;
}
