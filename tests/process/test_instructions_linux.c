/*
 * test_instructions_linux.c - killed before every instruction of each operation.
 *
 * A process is stepped through one operation on a ring and killed at its k-th instruction, for each
 * k (for the long operations at a stride).  Those who were there before account for every message,
 * and a fresh process goes on: what was published is received once and whole, by everybody alike,
 * and nothing else is; the ring is as good as new, and it leaves no file.
 *
 * Payloads forge: where the next lap's headers will lie there are words that would pass for them,
 * so a header that is reachable before it is genuine shows as a message that nobody published.
 */
#include <stdio.h>

#include "stepper.h"

#if STEPPER_EXISTS

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define CAPACITY 4096u
#define FIRST_POS ((UINT64_C(1) << 32) - 64 * CAPACITY)
#define SEAT_COUNT 3u
#define WORDS_MAX 60u /* the first message of each lap */
#define WORDS_MIN 3u
#define LAP_MESSAGES_MAX 128u
#define BATCH_MAX 4u
#define SALT_COUNT 65536u
#define RECOVERY_NS (150 * NS_PER_MS) /* of 99 in 100 */
#define EVERY_INSTRUCTION UINT32_MAX
#define JOINED_STEPS_MAX 251u
#define LONG_LIMIT_S 7000u

/* --- the messages ----------------------------------------------------------------------------- */

/*
 * Sizes depend on the number alone and repeat every two laps, so every frame's place is known in
 * advance, whoever writes it.
 */
struct lap {
    uint32_t count;
    uint32_t first; /* the number of its first message, in the first period */
    uint32_t words[LAP_MESSAGES_MAX];
    uint32_t offset[LAP_MESSAGES_MAX];
    uint32_t pad_offset;             /* CAPACITY: none */
    uint32_t frame_at[CAPACITY / 8]; /* one more than the index of the frame that begins there */
};

static struct lap laps[2];

static void plan_laps(void)
{
    static const uint32_t pattern[2][4] = {{1, 0, 0, 0}, {6, 1, 2, 0}};
    uint32_t              number = 0;

    for (uint32_t y = 0; y < 2; y++) {
        struct lap *lap = &laps[y];
        uint32_t    offset = 0, words = WORDS_MAX;
        lap->first = number;
        while (offset + WORDS_MAX * 8 + 8 <= CAPACITY || lap->count == 0) {
            lap->words[lap->count] = words;
            lap->offset[lap->count] = offset;
            lap->frame_at[offset / 8] = ++lap->count;
            offset += words * 8 + 8;
            words = WORDS_MIN + pattern[y][lap->count % 4];
            number++;
        }
        lap->pad_offset = offset;
    }
}

static uint32_t period(void)
{
    return laps[0].count + laps[1].count;
}

static const struct lap *lap_of(uint64_t number, uint32_t *idx)
{
    uint32_t          rest = (uint32_t)(number % period());
    const struct lap *lap = &laps[rest >= laps[1].first];

    *idx = rest - lap->first;
    return lap;
}

static uint32_t words_of(uint64_t number)
{
    uint32_t          idx;
    const struct lap *lap = lap_of(number, &idx);

    return lap->words[idx];
}

/* What would pass for a header at that offset of the lap behind that of message `number`. */
static uint64_t forged_word(uint64_t number, uint32_t offset)
{
    uint32_t          idx, frame;
    const struct lap *lap = lap_of(number, &idx);
    const struct lap *next = &laps[lap == &laps[0]];
    uint64_t          first = number - idx + lap->count;

    if (offset == next->pad_offset)
        return (first + next->count) << 32 | GYRE_FRAME_PUBLISHED | GYRE_FRAME_PADDING |
               (CAPACITY - offset - GYRE_FRAME_HEADER_SIZE);
    frame = next->frame_at[offset / 8];
    if (frame == 0)
        return number * UINT64_C(0x9e3779b97f4a7c15) + offset;
    return (first + frame - 1) << 32 | GYRE_FRAME_PUBLISHED | next->words[frame - 1] * 8u;
}

static uint64_t checksum(const uint64_t *words, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum = (sum ^ words[i]) * UINT64_C(0xd6e8feb86659fd93) + (sum >> 29);
    return sum;
}

static void message_make(uint64_t *words, uint64_t number, uint64_t salt)
{
    uint32_t          idx, count;
    const struct lap *lap = lap_of(number, &idx);

    count = lap->words[idx];
    words[0] = number;
    words[1] = salt;
    for (uint32_t i = 2; i < count - 1; i++)
        words[i] = forged_word(number, lap->offset[idx] + GYRE_FRAME_HEADER_SIZE + i * 8);
    words[count - 1] = checksum(words, count - 1);
}

static bool message_is_whole(const uint64_t *words, uint32_t size, uint64_t number)
{
    uint64_t wanted[WORDS_MAX];

    if (size != words_of(number) * 8)
        return false;
    message_make(wanted, number, words[1]);
    return memcmp(words, wanted, size) == 0;
}

/* --- the processes ---------------------------------------------------------------------------- */

struct stage {
    uint64_t began;     /* the next message's number when the stretch began */
    uint64_t target;    /* the heir sends until this is the next one */
    uint64_t joined;    /* the heir has joined, in this round */
    uint64_t opened_ns; /* the heir has opened the ring */
    uint64_t salts[SALT_COUNT];
};

/* Those of the trial's own process, who see it all. */
struct witnesses {
    struct gyre_producer *producer;
    struct gyre_consumer *reliable;
    struct gyre_consumer *tap;
    struct gyre_consumer *joiner; /* came while the dying one was about it, and reads late */
    struct gyre_consumer *lossy;  /* holds the oldest message while another process dies */
    const void           *held;
    uint32_t              held_size;
    uint64_t              held_copy[WORDS_MAX];
};

struct operation {
    void (*live)(const struct operation *operation);
    bool (*is_near)(struct gyre_producer *producer); /* true: the next message is the one */
    uint32_t kills;         /* so many without GYRE_LONG; or EVERY_INSTRUCTION */
    uint32_t long_stride;   /* with GYRE_LONG; 0 is 1 */
    uint32_t message_count; /* what it publishes */
    bool     is_joined;     /* somebody joins in the middle; it goes on a little, and dies */
    bool     wakes;         /* somebody sleeps */
    bool     wraps;         /* it begins at the end of a lap */
    bool     heirs_die;     /* so that the next producer takes over from a dead one */
};

static const struct operation *operation;
static struct witnesses        witness;
static uint32_t                round_number;
static uint64_t                killed_ns;

static struct stage *stage(void)
{
    return trial_stage();
}

static uint64_t *salt_of(uint64_t number)
{
    return &stage()->salts[number % SALT_COUNT];
}

static struct gyre_producer *open_producer(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_error        error;
    enum gyre_status         status;

    options.capacity = CAPACITY;
    options.frame_align = 8;
    options.seat_count = SEAT_COUNT;
    options.first_pos = FIRST_POS;
    status = gyre_producer_open(trial_ring(), &options, &producer, &error);
    EXPECT(status == GYRE_OK, "round %u: gyre_producer_open is %s (%s, %d, %s)", round_number,
           gyre_status_name(status), error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return producer;
}

static enum gyre_status try_consumer(enum gyre_consumer_kind kind, struct gyre_consumer **consumer)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_error            error;
    enum gyre_status             status;

    options.kind = kind;
    options.start = GYRE_START_OLDEST;
    status = gyre_consumer_open(trial_ring(), &options, consumer, &error);
    EXPECT(status == GYRE_OK || status == GYRE_NOT_FOUND,
           "round %u: gyre_consumer_open is %s (%s, %d, %s)", round_number,
           gyre_status_name(status), error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return status;
}

static struct gyre_consumer *open_consumer(enum gyre_consumer_kind kind)
{
    struct gyre_consumer *consumer = NULL;

    EXPECT_STATUS(try_consumer(kind, &consumer), GYRE_OK);
    return consumer;
}

static void send_one(struct gyre_producer *producer, uint64_t salt)
{
    uint64_t words[WORDS_MAX];
    uint64_t number = gyre_producer_seq(producer);

    message_make(words, number, salt);
    EXPECT_STATUS(gyre_send(producer, words, words_of(number) * 8, trial_patience()), GYRE_OK);
}

/*
 * Takes one message, checks it, and that everybody received the same.  `is_first`: nobody did
 * before.
 */
static enum gyre_status take_one(struct gyre_consumer *consumer, bool is_first,
                                 uint64_t deadline_ns)
{
    uint64_t         words[WORDS_MAX];
    uint64_t         number = gyre_consumer_seq(consumer);
    uint32_t         size = 0;
    enum gyre_status status = gyre_recv(consumer, words, sizeof(words), &size, deadline_ns);

    if (status == GYRE_GAP) {
        EXPECT_EQ(gyre_consumer_seq(consumer), number + gyre_consumer_gap(consumer));
    } else if (status == GYRE_OK) {
        EXPECT(message_is_whole(words, size, number),
               "round %u: message %llu is none that was published: %u bytes, it says %llu",
               round_number, (unsigned long long)number, size, (unsigned long long)words[0]);
        if (is_first)
            gyre_store_relaxed_64(salt_of(number), words[1]);
        EXPECT(gyre_load_relaxed_64(salt_of(number)) == words[1],
               "round %u: message %llu differs from reader to reader", round_number,
               (unsigned long long)number);
    } else {
        EXPECT(gyre_consumer_seq(consumer) == number, "round %u: %s, yet the cursor moved",
               round_number, gyre_status_name(status));
    }
    return status;
}

/* Takes all there is.  Only who holds nobody back may be told of gaps. */
static enum gyre_status take_all(struct gyre_consumer *consumer, bool is_first, bool has_gaps)
{
    enum gyre_status status;

    do {
        status = take_one(consumer, is_first, 0);
        EXPECT(status != GYRE_GAP || has_gaps, "round %u: a gap", round_number);
    } while (status == GYRE_OK || status == GYRE_GAP || status == GYRE_ORPHANED);
    EXPECT(status == GYRE_TIMEOUT || status == GYRE_CLOSED, "round %u: a reader is told %s",
           round_number, gyre_status_name(status));
    return status;
}

/* The word that the reader polls: with all published read, it must be zero. */
static void expect_end(const struct gyre_consumer *consumer)
{
    const struct gyre_fast_consumer *fast = &consumer->fast;
    const void                      *header = fast->ring + (fast->peek_pos & fast->mask);

    EXPECT(gyre_load_acquire_64(header) == 0, "round %u: behind the last message there is a header",
           round_number);
}

static char listed[400];

static void list_one(const char *file)
{
    const char *ring = trial_ring();
    size_t      length = strlen(listed);

    if (file[0] == '.')
        file++;
    /* An earlier trial that failed may have left its own. */
    if (strncmp(file, ring, strlen(ring)) == 0 && file[strlen(ring)] == '.')
        (void)snprintf(listed + length, sizeof(listed) - length, " %s", file);
}

static void expect_no_file(void)
{
    listed[0] = '\0';
    (void)process_list_rings(list_one);
    EXPECT(listed[0] == '\0', "round %u: files are left:%s", round_number, listed);
}

/* --- those who die ---------------------------------------------------------------------------- */

static uint64_t prepared[BATCH_MAX][WORDS_MAX];

static void prepare(uint64_t number)
{
    for (uint32_t i = 0; i < BATCH_MAX; i++)
        message_make(prepared[i], number + i, 1000000 + round_number);
}

static void put(struct gyre_producer *producer, const uint64_t *words, uint32_t count)
{
    uint64_t *payload = gyre_claim(producer, count * 8);

    if (payload == NULL)
        _exit(6);
    memcpy(payload, words, count * 8);
}

static void say_began(uint64_t number)
{
    gyre_store_release_64(&stage()->began, number);
}

/* Places at which messages of the same sizes follow. */
static bool is_like_others(uint64_t number)
{
    uint32_t          idx;
    const struct lap *lap = lap_of(number, &idx);

    return lap == &laps[0] && idx % 4 == 1 && idx < lap->count - 8;
}

static uint64_t next_end(struct gyre_producer *producer)
{
    return producer->fast.claim_pos + words_of(producer->fast.seq) * 8 + GYRE_FRAME_HEADER_SIZE;
}

static bool is_near_fast_path(struct gyre_producer *producer)
{
    return is_like_others(producer->fast.seq) &&
           !gyre__pos_after(next_end(producer), producer->fast.open_pos);
}

static bool is_near_batch(struct gyre_producer *producer)
{
    const struct gyre_fast_producer *fast = &producer->fast;
    uint64_t                         end = fast->claim_pos + 8;

    for (uint32_t i = 0; i < BATCH_MAX; i++)
        end += words_of(fast->seq + i) * 8 + GYRE_FRAME_HEADER_SIZE;
    return is_like_others(fast->seq) && !gyre__pos_after(end, fast->limit_pos);
}

static bool is_near_refresh(struct gyre_producer *producer)
{
    return gyre__pos_after(next_end(producer) + 8, producer->fast.limit_pos);
}

static bool is_near_wrap(struct gyre_producer *producer)
{
    return words_of(producer->fast.seq) == WORDS_MAX;
}

static void publish_and_die(const struct operation *self)
{
    struct gyre_producer *producer = open_producer();
    uint64_t              number;
    uint32_t              words[BATCH_MAX];

    while (!self->is_near(producer))
        send_one(producer, 1000000 + round_number);
    number = gyre_producer_seq(producer);
    prepare(number);
    for (uint32_t i = 0; i < self->message_count; i++)
        words[i] = words_of(number + i);
    if (self->wakes)
        gyre_or_64(&producer->ring.sleepers->mask, 1);
    say_began(number);
    STEPPER_MARK();
    for (uint32_t i = 0; i < self->message_count; i++)
        put(producer, prepared[i], words[i]);
    gyre_publish(producer);
    STEPPER_MARK();
}

static void close_and_die(const struct operation *self)
{
    struct gyre_producer *producer = open_producer();

    (void)self;
    send_one(producer, 1000000 + round_number);
    say_began(gyre_producer_seq(producer));
    STEPPER_MARK();
    gyre_producer_close(producer);
    STEPPER_MARK();
}

static void open_and_die(const struct operation *self)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    enum gyre_status         status;

    (void)self;
    options.capacity = CAPACITY;
    options.frame_align = 8;
    options.seat_count = SEAT_COUNT;
    options.first_pos = FIRST_POS;
    say_began(stage()->target);
    STEPPER_MARK();
    status = gyre_producer_open(trial_ring(), &options, &producer, NULL);
    STEPPER_MARK();
    EXPECT_STATUS(status, GYRE_OK);
}

static void join_and_die(const struct operation *self)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    enum gyre_status             status;

    (void)self;
    options.start = GYRE_START_OLDEST;
    STEPPER_MARK();
    status = gyre_consumer_open(trial_ring(), &options, &consumer, NULL);
    STEPPER_MARK();
    EXPECT_STATUS(status, GYRE_OK);
}

static void leave_and_die(const struct operation *self)
{
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE);

    (void)self;
    EXPECT_STATUS(take_one(consumer, false, 0), GYRE_OK);
    STEPPER_MARK();
    gyre_consumer_close(consumer);
    STEPPER_MARK();
}

static void read_and_die(const struct operation *self)
{
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE);
    volatile uint64_t     sum = 0;

    (void)self;
    STEPPER_MARK();
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t        size;
        const uint64_t *words = gyre_peek(consumer, &size);
        if (words == NULL)
            _exit(6);
        sum += words[0] + words[1];
    }
    (void)gyre_release(consumer);
    STEPPER_MARK();
    if (sum == 0)
        _exit(7);
}

static void create_and_die(const struct operation *self)
{
    gyre_store_release_64(&stage()->target, 0);
    open_and_die(self);
}

static void remove_and_die(const struct operation *self)
{
    struct gyre_producer *producer = open_producer();

    (void)self;
    for (uint32_t i = 0; i < 3; i++) {
        send_one(producer, 1);
        *salt_of(i) = 1;
    }
    say_began(3);
    STEPPER_MARK();
    gyre_producer_close(producer);
    STEPPER_MARK();
}

/* Runs the operation in a new process to its `step`-th instruction, and kills it there. */
static enum stepper_stop live_until(struct stepper_path *path, uint32_t step)
{
    struct process    process;
    enum stepper_stop stop;

    stage()->began = UINT64_MAX;
    if (process_fork(&process)) {
        trial_become("the dying process");
        stepper_offer();
        operation->live(operation);
        _exit(0);
    }
    if (path->places == NULL)
        stop = stepper_survey(&process, path) ? STEPPER_OVER : STEPPER_ENDED;
    else
        stop = stepper_go(&process, path, step);
    if (operation->is_joined && stop != STEPPER_ENDED) {
        witness.joiner = open_consumer(GYRE_RELIABLE);
        if (stop != STEPPER_OVER)
            (void)stepper_step(&process, round_number * 7 % JOINED_STEPS_MAX);
    }
    killed_ns = gyre_now_ns();
    EXPECT(stop != STEPPER_ENDED, "round %u: it died by itself", round_number);
    process_kill(&process);
    return stop;
}

/* --- those who come after --------------------------------------------------------------------- */

/* Goes on where the dead producer stopped; a reader that joins it sees the same as everybody. */
static void inherit_writing(uint64_t seq)
{
    struct gyre_producer *producer = open_producer();
    struct gyre_consumer *joiner;

    gyre_store_release_64(&stage()->opened_ns, gyre_now_ns());
    EXPECT(gyre_producer_seq(producer) == seq, "round %u: %llu were published, it begins at %llu",
           round_number, (unsigned long long)seq, (unsigned long long)gyre_producer_seq(producer));
    joiner = open_consumer(GYRE_RELIABLE);
    EXPECT_STATUS(take_all(joiner, false, false), GYRE_TIMEOUT);
    EXPECT_EQ(gyre_consumer_seq(joiner), seq);
    while (gyre_producer_seq(producer) != stage()->target) {
        *salt_of(gyre_producer_seq(producer)) = round_number;
        send_one(producer, round_number);
        EXPECT_STATUS(take_one(joiner, false, trial_patience()), GYRE_OK);
    }
    if (operation->heirs_die)
        _exit(0);
    gyre_consumer_close(joiner);
    gyre_producer_close(producer);
}

/* Of a ring that nobody else has open there is all or nothing. */
static void inherit_alone(void)
{
    struct gyre_ring_info info;
    struct gyre_producer *producer;
    struct gyre_consumer *reader = NULL;
    enum gyre_status      status;
    uint64_t              seq;

    info.size = sizeof(info);
    status = gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, NULL);
    EXPECT(status == GYRE_OK || status == GYRE_NOT_FOUND, "round %u: gyre_ring_inspect is %s",
           round_number, gyre_status_name(status));
    if (round_number % 2 == 0 && try_consumer(GYRE_RELIABLE, &reader) == GYRE_OK) {
        EXPECT_EQ(status, GYRE_OK);
        (void)take_all(reader, false, false);
        EXPECT_EQ(gyre_consumer_seq(reader), stage()->began);
    }
    producer = open_producer();
    gyre_store_release_64(&stage()->opened_ns, gyre_now_ns());
    seq = gyre_producer_seq(producer);
    EXPECT(seq == 0 || seq == stage()->began, "round %u: the next producer begins at %llu",
           round_number, (unsigned long long)seq);
    gyre_consumer_close(reader);
    reader = open_consumer(GYRE_RELIABLE);
    (void)take_all(reader, false, false);
    EXPECT_EQ(gyre_consumer_seq(reader), seq);
    for (uint32_t i = 0; i < 3; i++) {
        *salt_of(seq + i) = 1;
        send_one(producer, 1);
        EXPECT_STATUS(take_one(reader, false, trial_patience()), GYRE_OK);
    }
    gyre_producer_close(producer);
    EXPECT_STATUS(take_all(reader, false, false), GYRE_CLOSED);
    gyre_consumer_close(reader);
}

static void inherit_reading(void)
{
    struct gyre_consumer *consumer = open_consumer(GYRE_RELIABLE);

    (void)take_all(consumer, false, false);
    EXPECT_EQ(gyre_consumer_seq(consumer), stage()->began);
    gyre_store_release_64(&stage()->joined, round_number);
    while (gyre_consumer_seq(consumer) != stage()->target)
        EXPECT_STATUS(take_one(consumer, false, trial_patience()), GYRE_OK);
    gyre_consumer_close(consumer);
}

/* --- one round -------------------------------------------------------------------------------- */

static void hold_oldest(void)
{
    witness.lossy = open_consumer(GYRE_LOSSY);
    witness.held = gyre_peek(witness.lossy, &witness.held_size);
    if (witness.held == NULL)
        return;
    EXPECT_TRUE(witness.held_size <= sizeof(witness.held_copy));
    memcpy(witness.held_copy, witness.held, witness.held_size);
}

/* Whatever was overwritten while it was held is told to be a gap. */
static void let_go_oldest(void)
{
    enum gyre_status status;
    bool             is_intact =
        witness.held == NULL || memcmp(witness.held, witness.held_copy, witness.held_size) == 0;

    status = gyre_release(witness.lossy);
    EXPECT(status == GYRE_GAP || (status == GYRE_OK && is_intact),
           "round %u: an overwritten message was released as %s", round_number,
           gyre_status_name(status));
    (void)take_all(witness.lossy, false, true);
    EXPECT_EQ(gyre_consumer_seq(witness.lossy), gyre_consumer_seq(witness.reliable));
    gyre_consumer_close(witness.lossy);
    witness.lossy = NULL;
}

/* After a producer's death: how many messages of its last operation are there, all or none. */
static uint32_t count_published(void)
{
    uint64_t began = stage()->began;
    uint64_t published;

    (void)take_all(witness.reliable, true, false);
    EXPECT(gyre_consumer_seq(witness.reliable) >= began,
           "round %u: %llu were published, %llu are there", round_number, (unsigned long long)began,
           (unsigned long long)gyre_consumer_seq(witness.reliable));
    published = gyre_consumer_seq(witness.reliable) - began;
    EXPECT(published == 0 || published == operation->message_count,
           "round %u: of a batch of %u messages there are %llu", round_number,
           operation->message_count, (unsigned long long)published);
    for (uint64_t i = 0; i < published; i++)
        EXPECT_EQ(*salt_of(began + i), 1000000 + round_number);
    expect_end(witness.reliable);
    (void)take_all(witness.tap, false, true);
    EXPECT_EQ(gyre_consumer_seq(witness.tap), gyre_consumer_seq(witness.reliable));
    let_go_oldest();
    return (uint32_t)published;
}

static void take_or_blame(struct process *heir)
{
    enum gyre_status status;

    do {
        uint64_t patience_ns = witness.joiner != NULL ? 2 * NS_PER_MS : 100 * NS_PER_MS;
        status = take_one(witness.reliable, false, gyre_now_ns() + patience_ns);
        if (status == GYRE_TIMEOUT && witness.joiner != NULL)
            (void)take_all(witness.joiner, false, false); /* it holds the next producer back */
        if (status == GYRE_TIMEOUT || status == GYRE_CLOSED) {
            int code = process_wait(heir, 0);
            EXPECT(code == PROCESS_LATE || code == 0, "round %u: its heir ended with %d",
                   round_number, code);
        }
        EXPECT(gyre_now_ns() - killed_ns < PROCESS_PATIENCE_NS, "round %u: its heir hangs",
               round_number);
    } while (status != GYRE_OK);
}

static void await_heir(struct process *heir)
{
    int code = heir->is_running ? process_wait(heir, PROCESS_PATIENCE_NS) : 0;

    EXPECT(code == 0, "round %u: its heir ended with %d", round_number, code);
}

/* Where the next round shall begin. */
static uint64_t next_target(uint64_t seq)
{
    uint64_t target = seq + 2 + round_number % 7;

    /* The dying process begins near its target: it sends a few messages more before. */
    while (operation->wraps && words_of(target + 1) != WORDS_MAX)
        target++;
    while (!operation->wraps && !is_like_others(target + 1))
        target++;
    return target;
}

/* Returns the time from the death to the first message of the next producer. */
static uint64_t go_on_writing(void)
{
    struct process heir;
    uint64_t       seq = gyre_consumer_seq(witness.reliable), recovered_ns = 0;

    stage()->target = next_target(seq);
    if (process_fork(&heir)) {
        trial_become("the next producer");
        inherit_writing(seq);
        _exit(0);
    }
    while (gyre_consumer_seq(witness.reliable) != stage()->target) {
        take_or_blame(&heir);
        if (recovered_ns == 0)
            recovered_ns = gyre_now_ns();
    }
    await_heir(&heir);
    if (witness.joiner != NULL) {
        (void)take_all(witness.joiner, false, false);
        EXPECT_EQ(gyre_consumer_seq(witness.joiner), stage()->target);
        gyre_consumer_close(witness.joiner);
        witness.joiner = NULL;
    }
    (void)take_all(witness.reliable, false, false);
    (void)take_all(witness.tap, false, true);
    EXPECT_EQ(gyre_consumer_seq(witness.tap), stage()->target);
    return recovered_ns - killed_ns;
}

/* Returns the time until a whole lap has gone by, which needed the dead one's room. */
static uint64_t go_on_reading(void)
{
    struct gyre_seat_info seats[SEAT_COUNT];
    struct gyre_ring_info info;
    struct process        heir;
    uint64_t              recovered_ns;
    uint32_t              taken;

    stage()->began = gyre_producer_seq(witness.producer);
    stage()->target = stage()->began + period() / 2 + 5;
    if (process_fork(&heir)) {
        trial_become("the next consumer");
        inherit_reading();
        _exit(0);
    }
    while (!process_await(&stage()->joined, round_number, NS_PER_MS)) {
        int code = process_wait(&heir, 0);
        EXPECT(code == PROCESS_LATE, "round %u: its heir ended with %d", round_number, code);
    }
    while (gyre_producer_seq(witness.producer) != stage()->target) {
        *salt_of(gyre_producer_seq(witness.producer)) = round_number;
        send_one(witness.producer, round_number);
        EXPECT_STATUS(take_one(witness.reliable, false, 0), GYRE_OK);
    }
    recovered_ns = gyre_now_ns();
    await_heir(&heir);
    expect_end(witness.reliable);
    (void)take_all(witness.tap, false, true);
    EXPECT_EQ(gyre_consumer_seq(witness.tap), stage()->target);
    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, SEAT_COUNT, &taken, NULL), GYRE_OK);
    EXPECT(taken == 1, "round %u: %u seats are taken", round_number, taken);
    return recovered_ns - killed_ns;
}

static uint64_t go_on_alone(void)
{
    struct process heir;

    if (process_fork(&heir)) {
        trial_become("the next owner");
        inherit_alone();
        _exit(0);
    }
    await_heir(&heir);
    expect_no_file();
    return stage()->opened_ns - killed_ns;
}

/* --- the trials ------------------------------------------------------------------------------- */

struct tally {
    struct stepper_path path;
    uint64_t           *times;
    uint32_t            stride;
    uint32_t            kills;
    uint32_t            elsewhere;
    uint32_t            published_at; /* the first step that shows it published; or UINT32_MAX */
};

static void print_tally(struct tally *tally)
{
    uint32_t instructions = tally->path.count;
    uint64_t median = trial_median(tally->times, tally->kills);

    trial_note("%u instructions, stride %u: %u kills, %u of them on another path; recovery %.2f ms "
               "p50, %.2f p99, %.2f at most",
               instructions, tally->stride, tally->kills, tally->elsewhere, (double)median / 1e6,
               (double)tally->times[(uint64_t)tally->kills * 99 / 100] / 1e6,
               (double)tally->times[tally->kills - 1] / 1e6);
    EXPECT(tally->times[(uint64_t)tally->kills * 99 / 100] <= RECOVERY_NS,
           "recovery takes too long");
}

/* At places that are passed before and after it, an earlier passing may have been the last one. */
static void expect_in_order(struct tally *tally, uint32_t step, uint32_t published)
{
    uint32_t first;

    if (operation->message_count == 0)
        return;
    EXPECT(published != 0 || step < tally->path.count, "step %u: publish returned, in vain", step);
    if (step == tally->path.count)
        return;
    first = stepper_first_at(&tally->path, step);
    if (published != 0 && step < tally->published_at &&
        first == stepper_last_at(&tally->path, step))
        tally->published_at = step;
    EXPECT(published != 0 || first < tally->published_at,
           "step %u: published before step %u, and yet not", step, tally->published_at);
}

static uint32_t stride_of(const struct operation *what, uint32_t instructions)
{
    bool is_long = trial_rounds(1, 1) > 1;

    if (what->kills == EVERY_INSTRUCTION)
        return 1;
    if (!is_long)
        return 1 + instructions / what->kills;
    process_limit("instructions", LONG_LIMIT_S);
    return what->long_stride != 0 ? what->long_stride : 1;
}

/*
 * One death for each step, `one_round` being what the living do before and after it.  The first
 * one dies at the end of the operation and surveys its path.
 */
static void die_at_every_instruction(const struct operation *what,
                                     uint64_t (*one_round)(struct tally *tally, uint32_t step))
{
    struct tally tally;
    uint32_t     step = 0;

    memset(&tally, 0, sizeof(tally));
    operation = what;
    round_number = 1;
    tally.published_at = UINT32_MAX;
    (void)one_round(&tally, 0);
    EXPECT(tally.path.count > 10, "there are fewer instructions than there must be");
    tally.stride = stride_of(what, tally.path.count);
    tally.times = calloc(tally.path.count + 1, sizeof(*tally.times));
    EXPECT_TRUE(tally.times != NULL);
    for (; step <= tally.path.count; step += tally.stride) {
        round_number++;
        tally.times[tally.kills] = one_round(&tally, step);
        tally.kills++;
    }
    print_tally(&tally);
    EXPECT(tally.elsewhere <= tally.kills / 3, "the path differs from run to run");
    stepper_free(&tally.path);
    free(tally.times);
}

/* True if it died where the survey was at that step. */
static bool die_at(struct tally *tally, uint32_t step)
{
    enum stepper_stop stop = live_until(&tally->path, step);
    bool              is_elsewhere =
        stop == STEPPER_ELSEWHERE || (stop == STEPPER_OVER && step < tally->path.count);

    tally->elsewhere += is_elsewhere && tally->times != NULL;
    return !is_elsewhere && tally->times != NULL;
}

static uint64_t round_of_writers(struct tally *tally, uint32_t step)
{
    uint32_t published;
    bool     is_on_path;

    hold_oldest();
    is_on_path = die_at(tally, step) && !operation->is_joined;
    published = count_published();
    if (is_on_path)
        expect_in_order(tally, step, published);
    return go_on_writing();
}

static uint64_t round_of_readers(struct tally *tally, uint32_t step)
{
    /* It looked for the dead long ago, in most rounds: a busy one does it every 10 ms. */
    if (step % 16 != 0)
        witness.producer->dead_check_ns = 0;
    if (operation->wakes)
        gyre_store_release_64(&witness.producer->ring.front->room_pos, 1);
    (void)die_at(tally, step);
    if (operation->wakes)
        gyre_store_release_64(&witness.producer->ring.front->room_pos, 0);
    return go_on_reading();
}

static uint64_t round_of_owners(struct tally *tally, uint32_t step)
{
    (void)die_at(tally, step);
    return go_on_alone();
}

/* A ring with a lap behind it, and those who watch it. */
static void begin(void)
{
    memset(&witness, 0, sizeof(witness));
    witness.producer = open_producer();
    witness.reliable = open_consumer(GYRE_RELIABLE);
    witness.tap = open_consumer(GYRE_TAP);
    for (uint32_t i = 0; i < 2 * period(); i++) {
        send_one(witness.producer, 1);
        EXPECT_STATUS(take_one(witness.reliable, true, 0), GYRE_OK);
        EXPECT_STATUS(take_one(witness.tap, false, 0), GYRE_OK);
    }
}

static void end(void)
{
    gyre_producer_close(witness.producer);
    gyre_consumer_close(witness.tap);
    gyre_consumer_close(witness.reliable);
    expect_no_file();
}

static void kill_writers(const struct operation *what)
{
    uint64_t seq;

    begin();
    operation = what;
    seq = next_target(gyre_producer_seq(witness.producer));
    while (gyre_producer_seq(witness.producer) != seq) {
        send_one(witness.producer, 1);
        EXPECT_STATUS(take_one(witness.reliable, true, 0), GYRE_OK);
    }
    gyre_producer_close(witness.producer);
    witness.producer = NULL;
    stage()->target = seq;
    die_at_every_instruction(what, round_of_writers);
    end();
}

static void kill_readers(const struct operation *what)
{
    begin();
    die_at_every_instruction(what, round_of_readers);
    end();
}

static void a_producer_may_die_anywhere_in_claim_and_publish(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_fast_path,
                                          .kills = EVERY_INSTRUCTION,
                                          .message_count = 1};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_in_a_publish_that_wakes(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_fast_path,
                                          .kills = EVERY_INSTRUCTION,
                                          .message_count = 1,
                                          .wakes = true};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_in_a_batch(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_batch,
                                          .kills = EVERY_INSTRUCTION,
                                          .message_count = BATCH_MAX};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_at_the_end_of_a_lap(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_wrap,
                                          .kills = EVERY_INSTRUCTION,
                                          .message_count = 1,
                                          .wraps = true};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_in_a_credit_refresh(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_refresh,
                                          .kills = EVERY_INSTRUCTION,
                                          .message_count = 1};

    kill_writers(&what);
}

static void a_joiner_in_the_middle_of_a_refresh_outlives_its_producer(void)
{
    static const struct operation what = {.live = publish_and_die,
                                          .is_near = is_near_refresh,
                                          .kills = 1000,
                                          .message_count = 1,
                                          .is_joined = true};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_in_its_close(void)
{
    static const struct operation what = {.live = close_and_die, .kills = 600};

    kill_writers(&what);
}

static void a_producer_may_die_anywhere_in_a_takeover(void)
{
    static const struct operation what = {.live = open_and_die, .kills = 600, .heirs_die = true};

    kill_writers(&what);
}

static void a_consumer_may_die_anywhere_in_peek_and_release(void)
{
    static const struct operation what = {.live = read_and_die, .kills = EVERY_INSTRUCTION};

    kill_readers(&what);
}

static void a_consumer_may_die_anywhere_in_a_release_that_wakes(void)
{
    static const struct operation what = {
        .live = read_and_die, .kills = EVERY_INSTRUCTION, .wakes = true};

    kill_readers(&what);
}

static void a_consumer_may_die_anywhere_in_its_open(void)
{
    static const struct operation what = {.live = join_and_die, .kills = 600};

    kill_readers(&what);
}

static void a_consumer_may_die_anywhere_in_its_close(void)
{
    static const struct operation what = {.live = leave_and_die, .kills = 600};

    kill_readers(&what);
}

static void a_creator_may_die_anywhere(void)
{
    static const struct operation what = {.live = create_and_die, .kills = 600};

    die_at_every_instruction(&what, round_of_owners);
}

static void the_last_one_out_may_die_anywhere(void)
{
    static const struct operation what = {
        .live = remove_and_die,
        .kills = 600,
        .long_stride = 31, /* it removes what 255 seats may have left, one like the other */
    };

    die_at_every_instruction(&what, round_of_owners);
}

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "instructions." #name, name                                                                \
    }
    static const struct trial trials[] = {
        TRIAL(a_producer_may_die_anywhere_in_claim_and_publish),
        TRIAL(a_producer_may_die_anywhere_in_a_publish_that_wakes),
        TRIAL(a_producer_may_die_anywhere_in_a_batch),
        TRIAL(a_producer_may_die_anywhere_at_the_end_of_a_lap),
        TRIAL(a_producer_may_die_anywhere_in_a_credit_refresh),
        TRIAL(a_joiner_in_the_middle_of_a_refresh_outlives_its_producer),
        TRIAL(a_producer_may_die_anywhere_in_its_close),
        TRIAL(a_producer_may_die_anywhere_in_a_takeover),
        TRIAL(a_consumer_may_die_anywhere_in_peek_and_release),
        TRIAL(a_consumer_may_die_anywhere_in_a_release_that_wakes),
        TRIAL(a_consumer_may_die_anywhere_in_its_open),
        TRIAL(a_consumer_may_die_anywhere_in_its_close),
        TRIAL(a_creator_may_die_anywhere),
        TRIAL(the_last_one_out_may_die_anywhere),
    };

    plan_laps();
    if (!stepper_begin()) {
        printf("ok - instructions # SKIP nobody may be stepped here\n");
        return 0;
    }
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), NULL, 0);
}

#else

int main(void)
{
    printf("ok - instructions # SKIP they are stepped on Linux on x86-64\n");
    return 0;
}

#endif
