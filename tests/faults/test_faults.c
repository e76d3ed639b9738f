/*
 * test_faults.c - killed at every named point of every protocol, under every load.
 *
 * Survivors of every kind read a ring: a reliable consumer, a lossy one, a tap and two members of a
 * group.  In each round a process in one role is ended at one point (src/fault.h) while the ring is
 * idle, streaming, full or everybody sleeps, and another process goes on.  Then every survivor has
 * received each published message once and whole, and nothing else; a member's message comes again
 * only with its mark; the seats and files are those from before; and the time from the
 * death to the next progress is measured.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "faults.h"
#include "internal.h"
#include "payload.h"
#include "trial.h"

#define NS_PER_MS UINT64_C(1000000)
#define CAPACITY 4096u
#define FRAME_ALIGN 8u
#define SEAT_COUNT 16u
#define WORDS_MAX 40u
#define TRACE_COUNT 65536u /* more than a ring holds, many times */
#define HEIR_MESSAGES 4u
#define BATCH_MAX 3u
#define RECOVERY_NS (150 * NS_PER_MS) /* of 9 in 10 */
#define LONG_LIMIT_S 7000u
#define ROUNDS_MAX 65536u
#define GROUP "workers"

#ifdef GYRE_HAS_PAIRS
#define MEMBER_COUNT 2u
#else
#define MEMBER_COUNT 0u
#endif

enum survivor { RELIABLE, LOSSY, TAP, MEMBER };
#define SURVIVOR_COUNT (MEMBER + MEMBER_COUNT)
#define SEATED_COUNT (SURVIVOR_COUNT - 1u)

enum load { IDLE = 1, STREAM = 2, FULL = 4, ASLEEP = 8 };
#define ANY_LOAD (IDLE | STREAM | FULL | ASLEEP)

/* What is done until the point is reached. */
enum deed {
    DEED_WRITE,   /* sends until it dies */
    DEED_OPEN,    /* as that, but it dies in the open */
    DEED_CLOSE,   /* sends a little and closes */
    DEED_INHERIT, /* sends while somebody dead has a seat */
    DEED_READ,    /* joins and reads until it dies */
    DEED_LEAVE,   /* reads a little and leaves */
    DEED_WORK,    /* as those two, as a member */
    DEED_QUIT,
    DEED_ADOPT, /* a member, where another one died with a claim */
    DEED_FOUND, /* makes a group of its own and leaves it */
    DEED_CREATE /* makes the ring, uses it and closes it, the last one to have it */
};

/* One point, by the role that comes there. */
struct stop {
    enum gyre__fault  point;
    enum deed         deed;
    uint32_t          loads;
    uint32_t          nth_max; /* dies at the first to this one, at most */
    enum fault_action action;
};

#define AT(name) GYRE__FAULT_##name

static const struct stop producer_stops[] = {
    {AT(claim_room), DEED_WRITE, ANY_LOAD, 40, FAULT_KILL},
    {AT(claim_header), DEED_WRITE, ANY_LOAD, 40, FAULT_KILL},
    {AT(claim_pad), DEED_WRITE, ANY_LOAD, 2, FAULT_KILL},
    {AT(payload_half), DEED_WRITE, ANY_LOAD, 90, FAULT_KILL},
    {AT(publish_ready), DEED_WRITE, ANY_LOAD, 90, FAULT_KILL},
    {AT(publish_stored), DEED_WRITE, ANY_LOAD, 90, FAULT_KILL},
    {AT(publish_woken), DEED_WRITE, ANY_LOAD, 90, FAULT_KILL},
    {AT(wake_taken), DEED_WRITE, ASLEEP, 3, FAULT_KILL},
    {AT(wake_rung), DEED_WRITE, ASLEEP, 3, FAULT_KILL},
    {AT(credit_scan), DEED_WRITE, ANY_LOAD, 20, FAULT_KILL},
    {AT(credit_announced), DEED_WRITE, ANY_LOAD, 3, FAULT_KILL},
    {AT(credit_granted), DEED_WRITE, ANY_LOAD, 3, FAULT_KILL},
    {AT(room_blocked), DEED_WRITE, FULL, 3, FAULT_KILL},
    {AT(room_sleep), DEED_WRITE, FULL, 2, FAULT_KILL},
    {AT(room_sleep), DEED_WRITE, FULL, 2, FAULT_KILL_LATER},
    {AT(evict_dead), DEED_INHERIT, FULL, 1, FAULT_KILL},
    {AT(takeover_leased), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(takeover_walked), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(takeover_epoch), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(takeover_active), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(site_locked), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(attached), DEED_OPEN, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(close_closed), DEED_CLOSE, ANY_LOAD, 1, FAULT_KILL},
    {AT(close_woken), DEED_CLOSE, ANY_LOAD, 1, FAULT_KILL},
};

static const struct stop consumer_stops[] = {
    {AT(join_leased), DEED_READ, ANY_LOAD, 1, FAULT_KILL},
    {AT(join_cleared), DEED_READ, ANY_LOAD, 1, FAULT_KILL},
    {AT(join_choose), DEED_READ, ANY_LOAD, 1, FAULT_KILL},
    {AT(join_cursor), DEED_READ, ANY_LOAD, 1, FAULT_KILL},
    {AT(join_active), DEED_READ, ANY_LOAD, 1, FAULT_KILL},
    {AT(peek_seen), DEED_READ, ANY_LOAD, 40, FAULT_KILL},
    {AT(release_ready), DEED_READ, ANY_LOAD, 40, FAULT_KILL},
    {AT(release_stored), DEED_READ, ANY_LOAD, 40, FAULT_KILL},
    {AT(sleep_bit), DEED_READ, IDLE | ASLEEP, 3, FAULT_KILL},
    {AT(sleep_wait), DEED_READ, IDLE | ASLEEP, 3, FAULT_KILL},
    {AT(sleep_wait), DEED_READ, IDLE | ASLEEP, 3, FAULT_KILL_LATER},
    {AT(sleep_over), DEED_READ, IDLE | ASLEEP, 3, FAULT_KILL},
    {AT(leave_freed), DEED_LEAVE, ANY_LOAD, 1, FAULT_KILL},
    {AT(leave_awake), DEED_LEAVE, ANY_LOAD, 1, FAULT_KILL},
};

static const struct stop member_stops[] = {
    {AT(group_bit), DEED_WORK, ANY_LOAD, 1, FAULT_KILL},
    {AT(group_joined), DEED_WORK, ANY_LOAD, 1, FAULT_KILL},
    {AT(claim_tried), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(claim_moved), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(claim_held), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(group_release), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(group_numbered), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(group_released), DEED_WORK, ANY_LOAD, 6, FAULT_KILL},
    {AT(sleep_bit), DEED_WORK, IDLE | ASLEEP, 3, FAULT_KILL},
    {AT(sleep_wait), DEED_WORK, IDLE | ASLEEP, 3, FAULT_KILL_LATER},
    {AT(group_leave), DEED_QUIT, ANY_LOAD, 1, FAULT_KILL},
    {AT(group_bequeathed), DEED_QUIT, ANY_LOAD, 1, FAULT_KILL},
    {AT(adopt_leased), DEED_ADOPT, IDLE, 1, FAULT_KILL},
    {AT(adopt_done), DEED_ADOPT, IDLE, 1, FAULT_KILL},
    {AT(orphan_freed), DEED_ADOPT, IDLE, 1, FAULT_KILL},
    {AT(group_founded), DEED_FOUND, ANY_LOAD, 1, FAULT_KILL},
    {AT(group_ended), DEED_FOUND, ANY_LOAD, 1, FAULT_KILL},
};

static const struct stop creator_stops[] = {
    {AT(site_locked), DEED_CREATE, IDLE | ASLEEP, 2, FAULT_KILL},
    {AT(map_made), DEED_CREATE, IDLE | ASLEEP, 2, FAULT_KILL},
    {AT(map_committed), DEED_CREATE, IDLE | ASLEEP, 2, FAULT_KILL},
    {AT(header_half), DEED_CREATE, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(ctrl_named), DEED_CREATE, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(data_unnamed), DEED_CREATE, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(data_named), DEED_CREATE, IDLE | ASLEEP, 1, FAULT_KILL},
    {AT(attached), DEED_CREATE, IDLE | ASLEEP, 1, FAULT_KILL},
#ifdef __linux__ /* Windows removes a ring by itself */
    {AT(remove_begun), DEED_CREATE, IDLE, 1, FAULT_KILL},
    {AT(remove_unnamed), DEED_CREATE, IDLE, 2, FAULT_KILL},
    {AT(remove_bare), DEED_CREATE, IDLE, 1, FAULT_KILL},
#endif
};

struct report {
    uint64_t seq; /* the next message */
    uint64_t received;
    uint64_t lost;
    uint64_t redelivered;
    uint64_t orphaned;
    uint64_t is_ready;
    uint64_t is_resting; /* does nothing, as it was told */
    uint64_t watched_ns; /* when it received what it watched for */
    uint64_t zero[8];
};

struct stage {
    struct fault_plan   plan;
    struct fault_report struck;
    uint64_t            deed;
    uint64_t            is_here; /* the one who dies has begun */
    uint64_t            load;
    uint64_t            attempt;   /* the end of what the writer is about to publish */
    uint64_t            published; /* of what it knows to be published */
    uint64_t            watched_seq;
    uint64_t            heir_dies;
    uint64_t            heir_began;
    uint64_t            heir_end;
    uint64_t            must_rest;  /* the members */
    uint64_t            is_halting; /* a reader may be stopped, and hold the producer back */
    uint64_t            may_end;
    struct report       reports[8];
    uint64_t            salts[TRACE_COUNT];                 /* by whom each message is */
    uint64_t            taken[SURVIVOR_COUNT][TRACE_COUNT]; /* the salt with which it came */
    uint8_t             done[TRACE_COUNT];                  /* by members */
};
_Static_assert(sizeof(struct stage) <= TRIAL_STAGE_SIZE, "the stage is too small");

#define DONE_NEW 1u
#define DONE_AGAIN 2u

static struct stage *stage(void)
{
    return trial_stage();
}

static enum load load_now(void)
{
    return (enum load)gyre_load_acquire_64(&stage()->load);
}

static void set_load(enum load load)
{
    gyre_store_release_64(&stage()->load, load);
}

/* Of this trial's ring: an earlier one that failed may have left its own. */
static uint32_t own_files;

static void count_if_own(const char *file)
{
    size_t length = strlen(trial_ring());

    own_files += strncmp(file, trial_ring(), length) == 0 && file[length] == '.';
    own_files += file[0] == '.' && strncmp(file + 1, trial_ring(), length) == 0;
}

static uint32_t count_own_files(void)
{
    own_files = 0;
    (void)process_list_rings(count_if_own);
    return own_files;
}

/* --- the round ------------------------------------------------------------------------------- */

static const struct stop *round_stop; /* NULL: in a role */
static enum load          round_load;
static uint32_t           round_number;
static enum fault_action  round_action; /* KILL: whatever the stop says */
static uint64_t           random_state;
static uint64_t          *times;
static uint32_t           time_count;

static const char *load_name(enum load load)
{
    return load == IDLE ? "idle" : load == STREAM ? "streaming" : load == FULL ? "full" : "asleep";
}

/* In which round, and who holds whom back. */
static void tell_round(void)
{
    struct gyre_seat_info  seats[SEAT_COUNT];
    struct gyre_group_info groups[GYRE_GROUPS_MAX];
    struct gyre_ring_info  info;
    uint32_t               taken = 0, count = 0;

    if (round_stop == NULL)
        return;
    trial_note("round %u: %s, %s, number %llu, action %llu", round_number,
               faults_name(round_stop->point), load_name(round_load),
               (unsigned long long)stage()->plan.nth, (unsigned long long)stage()->plan.action);
    info.size = sizeof(info);
    (void)gyre_ring_inspect(trial_ring(), &info, seats, SEAT_COUNT, &taken, NULL);
    (void)gyre_ring_inspect_groups(trial_ring(), groups, GYRE_GROUPS_MAX, &count, NULL);
    for (uint32_t i = 0; i < taken; i++)
        trial_note("seat %u of \"%s\": alive %u, asleep %u, evicted %u, orphaned %u, lag %llu",
                   seats[i].seat_idx, seats[i].group, seats[i].is_alive, seats[i].is_asleep,
                   seats[i].is_evicted, seats[i].is_orphaned,
                   (unsigned long long)seats[i].lag_bytes);
    for (uint32_t i = 0; i < count; i++)
        trial_note("group %s: %u members, %u orphans, lag %llu", groups[i].name,
                   groups[i].member_count, groups[i].orphan_count,
                   (unsigned long long)groups[i].lag_bytes);
}

#define EXPECT_ROUND(condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            tell_round();                                                                          \
            EXPECT(condition, __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)

/* --- the survivors ---------------------------------------------------------------------------- */

static struct gyre_consumer *open_reader(enum gyre_consumer_kind kind, const char *group,
                                         uint32_t claim_count)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    enum gyre_status             status;

    options.kind = kind;
    options.group = group;
    options.claim_count = group != NULL ? claim_count : 0;
    options.wait = GYRE_WAIT_SLEEP;
    options.start = GYRE_START_OLDEST;
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_OK, "gyre_consumer_open is %s (%s, %d, %s)", gyre_status_name(status),
           error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return consumer;
}

/* A message is whole, and that of the writer who published this number. */
static void check_message(const uint64_t *message, uint32_t size, uint64_t seq)
{
    EXPECT(payload_check(message, size, seq, WORDS_MAX),
           "message %llu is torn: %u bytes, it says %llu", (unsigned long long)seq, size,
           (unsigned long long)message[0]);
    EXPECT(message[1] == gyre_load_acquire_64(&stage()->salts[seq % TRACE_COUNT]),
           "message %llu was never published", (unsigned long long)seq);
}

static void mark_done(uint64_t seq, bool is_again)
{
    uint8_t *done = &stage()->done[seq % TRACE_COUNT];
    uint8_t  flag = is_again ? DONE_AGAIN : DONE_NEW;
    uint8_t  was = __atomic_fetch_or(done, flag, __ATOMIC_SEQ_CST);

    EXPECT(is_again || was == 0, "message %llu came to a second member without its mark",
           (unsigned long long)seq);
}

static void take(uint32_t who, const uint64_t *message, uint32_t size, uint64_t seq)
{
    struct report *report = &stage()->reports[who];

    check_message(message, size, seq);
    gyre_store_release_64(&stage()->taken[who][seq % TRACE_COUNT], message[1]);
    if (seq == gyre_load_acquire_64(&stage()->watched_seq))
        gyre_store_release_64(&report->watched_ns, gyre_now_ns());
    gyre_store_release_64(&report->received, report->received + 1);
}

/* Who is slow keeps the ring full. */
static void dawdle(void)
{
    if (load_now() == FULL)
        process_nap();
}

static enum gyre_status read_one(struct gyre_consumer *consumer, uint32_t who)
{
    uint64_t         message[WORDS_MAX];
    uint32_t         size;
    uint64_t         seq = gyre_consumer_seq(consumer);
    enum gyre_status status =
        gyre_recv(consumer, message, sizeof(message), &size, trial_patience());

    if (status == GYRE_OK)
        take(who, message, size, seq);
    return status;
}

/* Whatever was claimed is worked on; `who` is none of the survivors if it is MEMBER - 1. */
static enum gyre_status work_some(struct gyre_consumer *member, uint32_t who)
{
    const uint64_t  *message;
    uint32_t         size;
    enum gyre_status status = gyre_wait(member, trial_patience());

    if (status != GYRE_OK)
        return status;
    while ((message = gyre_peek(member, &size)) != NULL) {
        bool     is_again = gyre_consumer_is_redelivered(member) != 0;
        uint64_t seq = gyre_consumer_seq(member) - 1;
        check_message(message, size, seq);
        mark_done(seq, is_again);
        if (who >= MEMBER) {
            take(who, message, size, seq);
            stage()->reports[who].redelivered += is_again;
        }
        dawdle();
    }
    return gyre_release(member);
}

/* The ring is closed: until another producer opens it. */
static void await_epoch(struct gyre_consumer *consumer)
{
    uint32_t epoch = gyre_consumer_epoch(consumer);
    uint64_t until = trial_patience();

    while (gyre_consumer_epoch(consumer) == epoch && stage()->may_end == 0) {
        EXPECT(gyre_now_ns() < until, "no producer comes");
        process_nap();
        if (consumer->ring.front->state != GYRE_RING_CLOSED)
            break;
    }
}

static void rest(struct report *report)
{
    while (gyre_load_acquire_64(&stage()->must_rest) != 0) {
        gyre_store_release_64(&report->is_resting, 1);
        process_nap();
    }
    gyre_store_release_64(&report->is_resting, 0);
}

static int survive(uint32_t who)
{
    static const enum gyre_consumer_kind kinds[] = {GYRE_RELIABLE, GYRE_LOSSY, GYRE_TAP};
    struct report                       *report = &stage()->reports[who];
    bool                                 is_member = who >= MEMBER;
    struct gyre_consumer                *consumer =
        open_reader(is_member ? GYRE_RELIABLE : kinds[who], is_member ? GROUP : NULL,
                    is_member ? 1 + 2 * (who - MEMBER) : 1);

    process_limit("a survivor", LONG_LIMIT_S);
    gyre_store_release_64(&report->is_ready, 1);
    for (;;) {
        enum gyre_status status = is_member ? work_some(consumer, who) : read_one(consumer, who);
        if (status == GYRE_GAP) {
            EXPECT(who != RELIABLE && !is_member, "a gap");
            report->lost += gyre_consumer_gap(consumer);
        } else if (status == GYRE_CLOSED) {
            if (gyre_load_acquire_64(&stage()->may_end) != 0)
                break;
            await_epoch(consumer);
        } else if (status == GYRE_ORPHANED) {
            report->orphaned++;
        } else {
            EXPECT(status == GYRE_OK || status == GYRE_TIMEOUT, "survivor %u is told %s", who,
                   gyre_status_name(status));
        }
        gyre_store_release_64(&report->seq, gyre_consumer_seq(consumer));
        if (is_member)
            rest(report);
        dawdle();
    }
    gyre_consumer_close(consumer);
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct gyre_producer *open_producer(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_error        error;
    enum gyre_status         status;

    options.capacity = CAPACITY;
    options.frame_align = FRAME_ALIGN;
    options.seat_count = SEAT_COUNT;
    options.wait = GYRE_WAIT_SLEEP;
    status = gyre_producer_open(trial_ring(), &options, &producer, &error);
    EXPECT(status == GYRE_OK, "gyre_producer_open is %s (%s, %d, %s)", gyre_status_name(status),
           error.call != NULL ? error.call : "", error.os_code,
           error.field != NULL ? error.field : "");
    return producer;
}

/* False: who holds us back is alive and stopped, so there is no room for now. */
static bool await_room(struct gyre_producer *producer, uint32_t size)
{
    bool             may_block = gyre_load_acquire_64(&stage()->is_halting) != 0;
    uint64_t         until = may_block ? gyre_now_ns() + 2 * NS_PER_MS : trial_patience();
    enum gyre_status status = gyre_wait_room(producer, size, until);

    if (may_block && status == GYRE_TIMEOUT)
        return gyre_load_acquire_64(&stage()->struck.struck) == 0;
    EXPECT_ROUND(status == GYRE_OK, "a wait for room is told %s", gyre_status_name(status));
    return true;
}

/* Claims, writes in two halves and publishes so many messages at once. */
static void send_batch(struct gyre_producer *producer, uint32_t count, uint64_t salt)
{
    uint64_t first = gyre_producer_seq(producer);

    gyre_store_release_64(&stage()->attempt, first + count);
    for (uint64_t seq = first; seq < first + count; seq++) {
        uint32_t  words = payload_words(seq, WORDS_MAX);
        uint64_t  message[WORDS_MAX];
        uint64_t *payload;
        payload_write(message, words, seq, salt);
        gyre_store_release_64(&stage()->salts[seq % TRACE_COUNT], salt);
        stage()->done[seq % TRACE_COUNT] = 0;
        while ((payload = gyre_claim(producer, words * 8)) == NULL)
            if (!await_room(producer, words * 8))
                return;
        memcpy(payload, message, words / 2 * 8);
        GYRE_FAULT(payload_half);
        memcpy(payload + words / 2, message + words / 2, (words - words / 2) * 8);
    }
    gyre_publish(producer);
    gyre_store_release_64(&stage()->published, first + count);
}

static bool is_asleep(const struct gyre_ring *ring, uint32_t idx)
{
    const struct gyre_shared_seat *seat = &ring->seats[idx];
    uint32_t                       group = gyre_load_relaxed_32(&seat->group);

    if (gyre__seat_state(gyre_load_acquire_64(&seat->control)) != GYRE_SEAT_ACTIVE)
        return true;
    if (group != 0)
        return (gyre_load_relaxed_64(&ring->groups[group - 1].asleep[idx / 64]) &
                gyre__seat_bit(idx)) != 0;
    return (gyre_load_relaxed_64(&ring->sleepers->mask) & gyre__sleeper_bit(idx)) != 0;
}

/* Everybody with a seat sleeps, or somebody has died. */
static void await_sleepers(const struct gyre_ring *ring)
{
    uint64_t until = trial_patience();

    for (uint32_t i = 0; i < SEAT_COUNT; i++)
        while (!is_asleep(ring, i) && gyre_load_acquire_64(&stage()->struck.struck) == 0) {
            EXPECT(gyre_now_ns() < until, "seat %u does not go to sleep", i);
            process_nap();
        }
}

static void await_readers(uint64_t seq)
{
    uint64_t until = trial_patience();

    while (gyre_load_acquire_64(&stage()->reports[RELIABLE].seq) < seq) {
        EXPECT(gyre_now_ns() < until, "a survivor is stuck at %llu of %llu",
               (unsigned long long)stage()->reports[RELIABLE].seq, (unsigned long long)seq);
        process_nap();
    }
}

/* Before the next message. */
static void keep_pace(struct gyre_producer *producer)
{
    switch (load_now()) {
    case IDLE:
        await_readers(gyre_producer_seq(producer));
        break;
    case ASLEEP:
        await_sleepers(&producer->ring);
        break;
    case STREAM:
    case FULL:
        break;
    }
}

static void be_producer(uint64_t salt, bool closes)
{
    struct gyre_producer *producer = open_producer();
    uint64_t              count = closes ? 3 : 3000;

    gyre_store_release_64(&stage()->published, gyre_producer_seq(producer));
    gyre_store_release_64(&stage()->attempt, gyre_producer_seq(producer));
    for (uint64_t i = 0; i < count; i++) {
        keep_pace(producer);
        send_batch(producer, i % 4 == 3 ? BATCH_MAX : 1, salt);
    }
    keep_pace(producer);
    gyre_producer_close(producer);
}

/* --- the dying -------------------------------------------------------------------------------- */

static void be_consumer(bool leaves)
{
    struct gyre_consumer *consumer = open_reader(GYRE_RELIABLE, NULL, 1);

    for (uint32_t i = 0; i < (leaves ? 3 : 3000u); i++) {
        uint64_t         message[WORDS_MAX];
        uint32_t         size;
        uint64_t         seq = gyre_consumer_seq(consumer);
        enum gyre_status status =
            gyre_recv(consumer, message, sizeof(message), &size, trial_patience());
        EXPECT(status == GYRE_OK, "the dying consumer is told %s", gyre_status_name(status));
        check_message(message, size, seq);
        dawdle();
    }
    gyre_consumer_close(consumer);
}

static void be_member(const char *group, bool leaves)
{
    struct gyre_consumer *member = open_reader(GYRE_RELIABLE, group, 2);

    for (uint32_t i = 0; i < (leaves ? 2 : 3000u);) {
        enum gyre_status status = GYRE_OK;
        if (strcmp(group, GROUP) == 0)
            status = work_some(member, MEMBER - 1);
        i += status == GYRE_OK;
        EXPECT(status == GYRE_OK, "the dying member is told %s", gyre_status_name(status));
    }
    gyre_consumer_close(member);
}

static void be_creator(void)
{
    struct gyre_producer *producer = open_producer();
    struct gyre_consumer *consumer = open_reader(GYRE_RELIABLE, NULL, 1);

    send_batch(producer, BATCH_MAX, 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

static void do_deed(void *unused)
{
    (void)unused;
    switch ((enum deed)stage()->deed) {
    case DEED_WRITE:
    case DEED_OPEN:
    case DEED_INHERIT:
        be_producer(process_id(), false);
        break;
    case DEED_CLOSE:
        be_producer(process_id(), true);
        break;
    case DEED_READ:
        be_consumer(false);
        break;
    case DEED_LEAVE:
        be_consumer(true);
        break;
    case DEED_WORK:
    case DEED_ADOPT:
        be_member(GROUP, false);
        break;
    case DEED_QUIT:
        be_member(GROUP, true);
        break;
    case DEED_FOUND:
        be_member("founder", true);
        break;
    case DEED_CREATE:
        be_creator();
        break;
    }
}

/* In a thread of its own: the plan may be that the thread ends and the process does not. */
static int die(uint32_t unused)
{
    struct process_thread thread;

    (void)unused;
    faults_arm(&stage()->plan, &stage()->struck);
    gyre_store_release_64(&stage()->is_here, 1);
    if (stage()->plan.action != FAULT_EXIT_THREAD) {
        do_deed(NULL);
        return 0;
    }
    process_thread_start(&thread, do_deed, NULL);
    process_thread_join(&thread);
    while (gyre_load_acquire_64(&stage()->may_end) == 0)
        process_nap();
    return 0;
}

/* Takes a seat, reads nothing and dies. */
static int hold_and_die(uint32_t unused)
{
    (void)unused;
    (void)open_reader(GYRE_RELIABLE, NULL, 1);
    process_kill_self();
    return 0;
}

/* --- the heirs -------------------------------------------------------------------------------- */

static void inherit(bool dies)
{
    struct gyre_producer *producer = open_producer();
    uint64_t              seq = gyre_producer_seq(producer);
    uint64_t              published = stage()->published, attempt = stage()->attempt;

    EXPECT(seq == published || seq == attempt, "%llu or %llu were published, it begins at %llu",
           (unsigned long long)published, (unsigned long long)attempt, (unsigned long long)seq);
    gyre_store_release_64(&stage()->heir_began, seq);
    gyre_store_release_64(&stage()->watched_seq, seq);
    for (uint32_t i = 0; i < HEIR_MESSAGES; i++)
        send_batch(producer, 1, UINT64_C(1) << 20 | process_id());
    gyre_store_release_64(&stage()->heir_end, gyre_producer_seq(producer));
    if (dies)
        process_kill_self();
    gyre_producer_close(producer);
}

static int be_heir(uint32_t unused)
{
    (void)unused;
    inherit(stage()->heir_dies != 0);
    return 0;
}

/* --- the rounds ------------------------------------------------------------------------------- */

static void start_dying(struct process *victim, const struct stop *stop, enum load load)
{
    uint32_t nth_max = load == IDLE || load == STREAM ? stop->nth_max : 1 + stop->nth_max / 8;

    if (TRIAL_IS_WINDOWS && nth_max > 20)
        nth_max = 20;
    round_stop = stop;
    round_load = load;
    memset(&stage()->struck, 0, sizeof(stage()->struck));
    stage()->plan.point = stop->point;
    stage()->plan.action = round_action == FAULT_KILL ? stop->action : round_action;
    stage()->plan.nth =
        1 + trial_random(&random_state) % (nth_max < stop->nth_max ? nth_max : stop->nth_max);
    stage()->deed = stop->deed;
    stage()->is_here = 0;
    stage()->is_halting = round_action != FAULT_KILL && stop->deed >= DEED_READ;
    set_load(load);
    trial_start(victim, "die", 0);
}

/* Whoever opens, joins or leaves a ring waits for one who is stopped there. */
static bool holds_site(enum gyre__fault point)
{
    return point == AT(site_locked) || point == AT(attached);
}

/* It lives, whatever became of its thread: nobody takes its role.  Then it is killed after all. */
static void end_halted(struct process *victim)
{
    struct gyre_producer *producer;
    enum gyre_status      status;

    trial_await(&stage()->struck.struck, 1);
    if (round_action == FAULT_STOP)
        process_stop(victim);
    if (round_stop->deed <= DEED_INHERIT && !holds_site(round_stop->point) &&
        round_action != FAULT_SLEEP) {
        status = gyre_producer_open(trial_ring(), NULL, &producer, NULL);
        EXPECT_ROUND(status == GYRE_BUSY, "a second producer is told %s", gyre_status_name(status));
    }
    if (round_action == FAULT_STOP)
        process_continue(victim);
    for (uint32_t i = 0; i < 4 && round_action != FAULT_EXIT_THREAD; i++)
        process_nap();
    gyre_store_release_64(&stage()->struck.ns, gyre_now_ns());
    process_kill(victim);
    stage()->is_halting = 0;
    set_load(STREAM);
}

static void end_dying(struct process *victim)
{
    int code;

    if (round_action != FAULT_KILL) {
        end_halted(victim);
        return;
    }
    code = process_wait(victim, PROCESS_PATIENCE_NS);
    EXPECT_ROUND(code == PROCESS_KILLED, "it ended with %d%s", code,
                 code == PROCESS_LATE ? " (it hangs)" : "");
    EXPECT_ROUND(stage()->struck.struck != 0, "it was ended before it came there");
    set_load(STREAM);
}

static uint64_t now_done(uint64_t begin, uint64_t end)
{
    while (begin < end &&
           __atomic_load_n(&stage()->done[begin % TRACE_COUNT], __ATOMIC_SEQ_CST) != 0)
        begin++;
    return begin;
}

/* Everybody has received what was published up to `end`, and nothing else. */
static void account(struct process *survivors, uint64_t begin, uint64_t end)
{
    uint64_t until = trial_patience();

    for (uint32_t i = 0; i < SURVIVOR_COUNT; i++)
        for (;;) {
            bool is_done = i < MEMBER ? gyre_load_acquire_64(&stage()->reports[i].seq) >= end
                                      : now_done(begin, end) == end;
            int  code;
            if (is_done)
                break;
            code = process_wait(&survivors[i], 0);
            EXPECT_ROUND(code == PROCESS_LATE, "survivor %u ended with %d", i, code);
            EXPECT_ROUND(
                gyre_now_ns() < until, "survivor %u is stuck at %llu of %llu", i,
                (unsigned long long)(i < MEMBER ? stage()->reports[i].seq : now_done(begin, end)),
                (unsigned long long)end);
            process_nap();
        }
    for (uint32_t i = 0; i < MEMBER; i++)
        EXPECT_ROUND(stage()->reports[i].seq == end, "survivor %u has %llu of %llu", i,
                     (unsigned long long)stage()->reports[i].seq, (unsigned long long)end);
    for (uint64_t seq = begin; seq < end; seq++)
        EXPECT_ROUND(stage()->taken[RELIABLE][seq % TRACE_COUNT] ==
                         stage()->salts[seq % TRACE_COUNT],
                     "message %llu was received as another one's", (unsigned long long)seq);
    EXPECT_EQ(stage()->reports[RELIABLE].received, end);
    for (uint32_t i = LOSSY; i <= TAP; i++)
        EXPECT_EQ(stage()->reports[i].received + stage()->reports[i].lost, end);
}

static void note_time(uint64_t ns)
{
    EXPECT_TRUE(time_count < ROUNDS_MAX);
    times[time_count] = ns - stage()->struck.ns;
    if (times[time_count] > RECOVERY_NS)
        trial_note("round %u: %s, %s, number %llu, action %llu: %.2f ms", round_number,
                   faults_name(round_stop->point), load_name(round_load),
                   (unsigned long long)stage()->plan.nth, (unsigned long long)stage()->plan.action,
                   (double)times[time_count] / 1e6);
    time_count++;
}

static void prepare_times(void)
{
    random_state = 4;
    time_count = 0;
    round_number = 0;
    round_action = FAULT_KILL;
    free(times);
    times = calloc(ROUNDS_MAX, sizeof(*times));
    EXPECT_TRUE(times != NULL);
    stage()->watched_seq = UINT64_MAX;
    process_limit("faults", LONG_LIMIT_S);
}

static void start_survivors(struct process *survivors)
{
    struct gyre_producer *producer;

    prepare_times();
    set_load(STREAM);
    producer = open_producer();
    for (uint32_t i = 0; i < SURVIVOR_COUNT; i++) {
        trial_start(&survivors[i], "survive", i);
        trial_await(&stage()->reports[i].is_ready, 1);
    }
    gyre_producer_close(producer);
}

/*
 * A seat is nobody's or a survivor's; or that of one who died in its open with a cursor that was
 * gone already.  It holds nobody back, and is the next joiner's.
 */
static void expect_seats(void)
{
    struct gyre_seat_info seats[SEAT_COUNT];
    struct gyre_ring_info info;
    uint32_t              taken;

    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, SEAT_COUNT, &taken, NULL), GYRE_OK);
    for (uint32_t i = 0, alive = 0; i < taken; i++) {
        alive += seats[i].is_alive;
        EXPECT_ROUND(seats[i].is_alive != 0 || seats[i].lag_bytes > CAPACITY, "seat %u is dead",
                     seats[i].seat_idx);
        EXPECT_ROUND(!seats[i].is_evicted, "seat %u is evicted", seats[i].seat_idx);
        EXPECT_ROUND(i + 1 < taken || alive == SEATED_COUNT, "%u seats are taken", alive);
    }
    EXPECT_ROUND(info.evicted_count == 0, "somebody was punished");
}

/* Every seat that no survivor has can be had. */
static void take_all_seats(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumers[SEAT_COUNT];
    struct gyre_consumer        *none;

    for (uint32_t i = SEATED_COUNT; i < SEAT_COUNT; i++)
        EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumers[i], NULL), GYRE_OK);
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &none, NULL), GYRE_NO_SEAT);
    for (uint32_t i = SEATED_COUNT; i < SEAT_COUNT; i++)
        gyre_consumer_close(consumers[i]);
    expect_seats();
}

/* The same with other events than death, each stop under one of its loads. */
static uint32_t all_halts(struct process *survivors, const struct stop *stops, uint32_t count,
                          void (*one_round)(struct process *survivors, const struct stop *stop,
                                            enum load load))
{
    static const enum fault_action actions[] = {FAULT_STOP, FAULT_EXIT_THREAD, FAULT_SLEEP};
    uint32_t                       repeats = trial_rounds(2, 1);

    for (uint32_t i = TRIAL_IS_WINDOWS; i < TRIAL_COUNT(actions); i++)
        for (uint32_t at = 0; at < count * repeats; at++) {
            const struct stop *stop = &stops[at % count];
            uint32_t           load = (uint32_t)IDLE << (at % 4);
            while ((stop->loads & load) == 0)
                load = load == ASLEEP ? IDLE : load << 1;
            if (stop->action != FAULT_KILL)
                continue;
            round_number++;
            round_action = actions[i];
            one_round(survivors, stop, (enum load)load);
        }
    round_action = FAULT_KILL;
    return round_number;
}

static void print_times(const char *what, uint32_t kills)
{
    uint64_t median = trial_median(times, time_count);
    uint64_t late = time_count != 0 ? times[(uint64_t)time_count * 99 / 100] : 0;

    trial_note("%u kills of %s; from the death to the next progress %.2f ms p50, %.2f p99, %.2f at "
               "most",
               kills, what, (double)median / 1e6, (double)late / 1e6,
               time_count != 0 ? (double)times[time_count - 1] / 1e6 : 0.0);
    /* The last hundredth tells of the machine's load as well. */
    EXPECT(TRIAL_IS_WINDOWS || times[(uint64_t)time_count * 9 / 10] <= RECOVERY_NS,
           "recovery takes too long");
}

static void end_survivors(struct process *survivors, uint32_t files)
{
    struct gyre_producer *producer;

    take_all_seats();
    EXPECT(count_own_files() == files, "%u files were there, now there are %u", files,
           count_own_files());
    gyre_store_release_64(&stage()->may_end, 1);
    producer = open_producer();
    gyre_producer_close(producer);
    for (uint32_t i = 0; i < SURVIVOR_COUNT; i++)
        trial_finish(&survivors[i]);
    EXPECT_EQ(count_own_files(), 0);
}

static void round_of_producers(struct process *survivors, const struct stop *stop, enum load load)
{
    struct process victim, heir, holder;
    uint64_t       begin = stage()->heir_end;
    bool           is_here = TRIAL_IS_WINDOWS && round_number % 8 != 0;

    if (stop->deed == DEED_INHERIT) {
        trial_start(&holder, "hold_and_die", 0);
        EXPECT_EQ(process_wait(&holder, PROCESS_PATIENCE_NS), PROCESS_KILLED);
    }
    stage()->published = begin;
    stage()->attempt = begin;
    start_dying(&victim, stop, load);
    end_dying(&victim);
    stage()->heir_dies = !is_here && round_number % 2 == 0;
    if (is_here) {
        inherit(false);
    } else {
        int code;
        trial_start(&heir, "be_heir", 0);
        code = process_wait(&heir, PROCESS_PATIENCE_NS);
        EXPECT_ROUND(code == (stage()->heir_dies ? PROCESS_KILLED : 0), "its heir ended with %d",
                     code);
    }
    account(survivors, begin, stage()->heir_end);
    note_time(stage()->reports[RELIABLE].watched_ns);
    expect_seats();
}

/* All points of a list under all their loads, so many times. */
static uint32_t
all_rounds(struct process *survivors, const struct stop *stops, uint32_t count, uint32_t repeats,
           void (*one_round)(struct process *survivors, const struct stop *stop, enum load load))
{
    for (uint32_t i = 0; i < repeats; i++)
        for (uint32_t at = 0; at < count; at++)
            for (uint32_t load = IDLE; load <= ASLEEP; load <<= 1)
                if ((stops[at].loads & load) != 0) {
                    round_number++;
                    one_round(survivors, &stops[at], (enum load)load);
                }
    return round_number;
}

static void end_producers(bool is_death)
{
    struct process survivors[SURVIVOR_COUNT];
    uint32_t       files, kills;

    start_survivors(survivors);
    files = count_own_files();
    kills = is_death ? all_rounds(survivors, producer_stops, TRIAL_COUNT(producer_stops),
                                  trial_rounds(16, 3), round_of_producers)
                     : all_halts(survivors, producer_stops, TRIAL_COUNT(producer_stops),
                                 round_of_producers);
    print_times("producers", kills);
    end_survivors(survivors, files);
}

static void producers_die_at_any_point(void)
{
    end_producers(true);
}

static void producers_halt_at_any_point(void)
{
    end_producers(false);
}

/* --- the deaths of readers: the trial's own process is the producer --------------------------- */

static struct gyre_producer *own_producer;

static bool is_struck(void)
{
    return gyre_load_acquire_64(&stage()->struck.struck) != 0;
}

/* Sends, as the load says, until the victim has come to its point. */
static void feed_until_struck(struct process *victim)
{
    uint64_t until = trial_patience();

    for (uint32_t sent = 0; !is_struck(); sent++) {
        bool is_slow = sent > TRACE_COUNT / 4 || gyre_load_acquire_64(&stage()->is_here) == 0;
        EXPECT_ROUND(gyre_now_ns() < until, "it does not come to its point");
        EXPECT_ROUND(sent % 64 != 0 || is_struck() || process_wait(victim, 0) == PROCESS_LATE ||
                         is_struck(),
                     "it was ended before it came there");
        if (is_slow)
            process_nap();
        if (sent > TRACE_COUNT / 2)
            continue;
        if (gyre_load_acquire_64(&stage()->is_here) != 0)
            keep_pace(own_producer);
        send_batch(own_producer, 1, 7);
    }
}

/* A whole lap, which needs the room of whoever holds the producer back. */
static void send_lap(void)
{
    uint64_t end_pos = own_producer->fast.claim_pos + CAPACITY;

    while (gyre__pos_after(end_pos, own_producer->fast.claim_pos))
        send_batch(own_producer, 1, 7);
}

static void finish_round(struct process *survivors, uint64_t begin)
{
    send_lap();
    note_time(gyre_now_ns());
    account(survivors, begin, gyre_producer_seq(own_producer));
}

static void round_of_consumers(struct process *survivors, const struct stop *stop, enum load load)
{
    struct process victim;
    uint64_t       begin = gyre_producer_seq(own_producer);

    start_dying(&victim, stop, load);
    feed_until_struck(&victim);
    end_dying(&victim);
    finish_round(survivors, begin);
    expect_seats();
}

static void end_consumers(bool is_death)
{
    struct process survivors[SURVIVOR_COUNT];
    uint32_t       files, kills;

    start_survivors(survivors);
    own_producer = open_producer();
    files = count_own_files();
    kills = is_death ? all_rounds(survivors, consumer_stops, TRIAL_COUNT(consumer_stops),
                                  trial_rounds(8, 3), round_of_consumers)
                     : all_halts(survivors, consumer_stops, TRIAL_COUNT(consumer_stops),
                                 round_of_consumers);
    gyre_producer_close(own_producer);
    print_times("consumers", kills);
    end_survivors(survivors, files);
}

static void consumers_die_at_any_point(void)
{
    end_consumers(true);
}

static void consumers_halt_at_any_point(void)
{
    end_consumers(false);
}

#ifdef GYRE_HAS_PAIRS

/* A dead member without a claim holds nobody back; another one finds it when it looks around. */
static void await_seats(void)
{
    struct gyre_seat_info seats[SEAT_COUNT];
    struct gyre_ring_info info;
    uint32_t              taken;
    uint64_t              until = trial_patience();

    do {
        info.size = sizeof(info);
        EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, SEAT_COUNT, &taken, NULL),
                      GYRE_OK);
        EXPECT_ROUND(gyre_now_ns() < until, "%u seats stay taken", taken);
        process_nap();
    } while (taken != SEATED_COUNT);
    expect_seats();
}

static void expect_groups(void)
{
    struct gyre_group_info groups[GYRE_GROUPS_MAX];
    uint32_t               count;

    EXPECT_STATUS(gyre_ring_inspect_groups(trial_ring(), groups, GYRE_GROUPS_MAX, &count, NULL),
                  GYRE_OK);
    EXPECT_ROUND(count == 1, "there are %u groups", count);
    EXPECT_ROUND(groups[0].member_count == MEMBER_COUNT && groups[0].orphan_count == 0,
                 "%u members, %u orphans", groups[0].member_count, groups[0].orphan_count);
}

/* The members that live do nothing, and one that is killed leaves its claim. */
static void leave_orphan(void)
{
    static const struct stop held = {AT(claim_held), DEED_WORK, IDLE, 1, FAULT_KILL};
    struct process           victim;
    enum fault_action        action = round_action;

    round_action = FAULT_KILL;
    gyre_store_release_64(&stage()->must_rest, 1);
    for (uint32_t i = MEMBER; i < SURVIVOR_COUNT; i++)
        while (gyre_load_acquire_64(&stage()->reports[i].is_resting) == 0) {
            send_batch(own_producer, 1, 7);
            process_nap();
        }
    for (uint32_t i = 0; i < 4; i++) /* nobody else takes them */
        send_batch(own_producer, 1, 7);
    start_dying(&victim, &held, STREAM);
    trial_await(&stage()->struck.struck, 1);
    end_dying(&victim);
    round_action = action;
}

static void round_of_members(struct process *survivors, const struct stop *stop, enum load load)
{
    struct process victim;
    uint64_t       begin = gyre_producer_seq(own_producer);

    if (stop->deed == DEED_ADOPT)
        leave_orphan();
    start_dying(&victim, stop, load);
    if (stop->deed == DEED_ADOPT)
        trial_await(&stage()->struck.struck, 1);
    else
        feed_until_struck(&victim);
    end_dying(&victim);
    gyre_store_release_64(&stage()->must_rest, 0);
    finish_round(survivors, begin);
    if (round_number % 16 == 0)
        await_seats();
}

static void end_members(bool is_death)
{
    struct process survivors[SURVIVOR_COUNT];
    uint32_t       files, kills;
    uint64_t       redelivered = 0;

    start_survivors(survivors);
    own_producer = open_producer();
    files = count_own_files();
    kills = is_death
                ? all_rounds(survivors, member_stops, TRIAL_COUNT(member_stops), trial_rounds(8, 3),
                             round_of_members)
                : all_halts(survivors, member_stops, TRIAL_COUNT(member_stops), round_of_members);
    await_seats();
    expect_groups();
    for (uint32_t i = MEMBER; i < SURVIVOR_COUNT; i++)
        redelivered += stage()->reports[i].redelivered;
    trial_note("%llu messages came again, marked", (unsigned long long)redelivered);
    EXPECT(redelivered > 0 && redelivered <= 4 * (uint64_t)kills,
           "more came again than the dead can have had");
    gyre_producer_close(own_producer);
    print_times("members", kills);
    end_survivors(survivors, files);
}

static void members_die_at_any_point(void)
{
    end_members(true);
}

static void members_halt_at_any_point(void)
{
    end_members(false);
}

#endif

/* --- the deaths of creators, and of those who remove ------------------------------------------ */

/* Waits for the ring to appear, and reads it to its end. */
static int await_ring(uint32_t unused)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    enum gyre_status             status;

    (void)unused;
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = trial_patience();
    gyre_store_release_64(&stage()->reports[LOSSY].is_ready, 1);
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    gyre_store_release_64(&stage()->reports[RELIABLE].is_ready, 1);
    do {
        status = read_one(consumer, RELIABLE);
    } while (status == GYRE_OK || status == GYRE_ORPHANED);
    EXPECT_STATUS(status, GYRE_CLOSED);
    gyre_consumer_close(consumer);
    return 0;
}

/* Whatever a dead creator left: all of a ring, or nothing. */
static void inherit_alone(bool is_awaited)
{
    struct gyre_producer *producer = open_producer();
    struct gyre_consumer *reader;
    uint64_t              seq = gyre_producer_seq(producer);

    note_time(gyre_now_ns());
    EXPECT_ROUND(seq == 0 || seq == stage()->published || seq == stage()->attempt,
                 "it begins at %llu", (unsigned long long)seq);
    reader = open_reader(GYRE_RELIABLE, NULL, 1);
    for (uint64_t at = 0; at < seq; at++)
        EXPECT_STATUS(read_one(reader, TAP), GYRE_OK);
    if (is_awaited)
        trial_await(&stage()->reports[RELIABLE].is_ready, 1);
    for (uint32_t i = 0; i < HEIR_MESSAGES; i++) {
        send_batch(producer, 1, 1);
        EXPECT_STATUS(read_one(reader, TAP), GYRE_OK);
    }
    gyre_producer_close(producer);
    EXPECT_STATUS(read_one(reader, TAP), GYRE_CLOSED);
    gyre_consumer_close(reader);
}

static void round_of_creators(struct process *unused, const struct stop *stop, enum load load)
{
    struct process victim, waiter;
    bool           is_awaited = load == ASLEEP;

    (void)unused;
    stage()->published = 0;
    stage()->attempt = 0;
    stage()->reports[RELIABLE].is_ready = 0;
    stage()->reports[LOSSY].is_ready = 0;
    if (is_awaited) {
        trial_start(&waiter, "await_ring", 0);
        trial_await(&stage()->reports[LOSSY].is_ready, 1);
    }
    start_dying(&victim, stop, load);
    end_dying(&victim);
    inherit_alone(is_awaited);
    if (is_awaited)
        trial_finish(&waiter);
    EXPECT_ROUND(count_own_files() == 0, "%u files are left", count_own_files());
}

static void creators_die_at_any_point(void)
{
    uint32_t kills;

    prepare_times();
    kills = all_rounds(NULL, creator_stops, TRIAL_COUNT(creator_stops), trial_rounds(16, 3),
                       round_of_creators);
    print_times("creators", kills);
}

/* --- what fails instead ----------------------------------------------------------------------- */

static void fail_at(enum gyre__fault point)
{
    const struct fault_plan plan = {point, 1, FAULT_FAIL};

    memset(&stage()->struck, 0, sizeof(stage()->struck));
    faults_arm(&plan, &stage()->struck);
}

static void expect_failure(enum gyre_status status, const struct gyre_error *error)
{
    EXPECT(stage()->struck.struck == 1 && status == GYRE_SYSTEM && error->status == status,
           "the failure is told as %s", gyre_status_name(status));
}

static void open_that_fails(enum gyre__fault point)
{
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    fail_at(point);
    expect_failure(gyre_producer_open(trial_ring(), NULL, &producer, &error), &error);
    EXPECT_TRUE(producer == NULL);
    EXPECT(count_own_files() == 0, "%s: %u files are left", faults_name(point), count_own_files());
    gyre_producer_close(open_producer());
    EXPECT_EQ(count_own_files(), 0);
}

static void join_that_fails(enum gyre__fault point, const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = open_producer();
    struct gyre_consumer        *consumer = NULL;
    struct gyre_seat_info        seats[SEAT_COUNT];
    struct gyre_ring_info        info;
    struct gyre_error            error;
    uint32_t                     taken;

    options.group = group;
    fail_at(point);
    expect_failure(gyre_consumer_open(trial_ring(), &options, &consumer, &error), &error);
    EXPECT_TRUE(consumer == NULL);
    info.size = sizeof(info);
    EXPECT_STATUS(gyre_ring_inspect(trial_ring(), &info, seats, SEAT_COUNT, &taken, NULL), GYRE_OK);
    EXPECT(taken == 0, "%s: the seat is left", faults_name(point));
    consumer = open_reader(GYRE_RELIABLE, group, 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    EXPECT_EQ(count_own_files(), 0);
}

static void an_open_that_fails_leaves_nothing(void)
{
    prepare_times();
    open_that_fails(AT(data_unnamed));
    open_that_fails(AT(takeover_leased));
    join_that_fails(AT(join_leased), NULL);
#ifdef GYRE_HAS_PAIRS
    join_that_fails(AT(group_joined), GROUP);
#endif
}

/* --- no point is forgotten -------------------------------------------------------------------- */

static bool is_among(const struct stop *stops, uint32_t count, enum gyre__fault point)
{
    for (uint32_t i = 0; i < count; i++)
        if (stops[i].point == point)
            return true;
    return false;
}

static void every_point_has_its_deaths(void)
{
    for (uint32_t point = 0; point < GYRE__FAULT_COUNT; point++) {
        bool is_here = is_among(producer_stops, TRIAL_COUNT(producer_stops), point) ||
                       is_among(consumer_stops, TRIAL_COUNT(consumer_stops), point) ||
                       is_among(member_stops, TRIAL_COUNT(member_stops), point) ||
                       is_among(creator_stops, TRIAL_COUNT(creator_stops), point);
        bool is_of_windows = TRIAL_IS_WINDOWS && strncmp(faults_name(point), "remove_", 7) == 0;
        EXPECT(is_here != is_of_windows, "nobody dies at %s", faults_name(point));
    }
    trial_note("%u points", (uint32_t)GYRE__FAULT_COUNT);
}

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"faults.producers_die_at_any_point", producers_die_at_any_point},
        {"faults.producers_halt_at_any_point", producers_halt_at_any_point},
        {"faults.consumers_die_at_any_point", consumers_die_at_any_point},
        {"faults.consumers_halt_at_any_point", consumers_halt_at_any_point},
#ifdef GYRE_HAS_PAIRS
        {"faults.members_die_at_any_point", members_die_at_any_point},
        {"faults.members_halt_at_any_point", members_halt_at_any_point},
#endif
        {"faults.creators_die_at_any_point", creators_die_at_any_point},
        {"faults.an_open_that_fails_leaves_nothing", an_open_that_fails_leaves_nothing},
        {"faults.every_point_has_its_deaths", every_point_has_its_deaths},
    };
    static const struct role roles[] = {
        {"survive", survive},           {"die", die},
        {"hold_and_die", hold_and_die}, {"be_heir", be_heir},
        {"await_ring", await_ring},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
