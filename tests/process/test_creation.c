/*
 * test_creation.c - creators that die at every point, and many that come and go at once.
 *
 * Whatever a dead process left, the next opener succeeds, nobody sees half a ring, there are never
 * two producers, and no file stays behind the last one to close.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "payload.h"
#include "steps.h"
#include "trial.h"

#ifdef _WIN32
#include <windows.h>
#endif

#define NS_PER_MS UINT64_C(1000000)
#define RACER_COUNT 4u
#define RACE_LIMIT_S 3000u
#define RACERS_MAX 16384u
#define WORDS_MAX 16u
#define STEPS_MAX 2000u
#define LIFE_MESSAGES 3u
#define SEAT_COUNT 8u
#define OTHER_SEAT_COUNT 100u

/* What a process does until it dies. */
enum life {
    LIFE_PRODUCER_LAST, /* makes the ring, writes, reads, closes the consumer, then the producer */
    LIFE_CONSUMER_LAST, /* the other way round */
    LIFE_WITHOUT_TMPFILE, /* as the first, on a file system that knows no unnamed files */
    LIFE_KEEP             /* as the first, a ring that stays */
};

/* What the next one does. */
enum heir { HEIR_WRITES, HEIR_READS, HEIR_REMOVES, HEIR_COUNT };

struct stage {
    uint64_t life;
    uint64_t is_after;
    uint64_t published; /* what the dying one knows that it has published */
    uint64_t parent_id;
    uint64_t leaves_sections;
    uint64_t sections[4];
    uint64_t round;
    uint64_t answers;
    uint64_t statuses[RACER_COUNT];
    uint64_t owner;
    uint64_t openings;
    uint64_t takeovers;
    uint64_t reads;
    uint32_t is_killed[RACERS_MAX];
    uint8_t  places[RACERS_MAX];
    uint64_t beats[RACER_COUNT]; /* what the racers of that place have done so far */
};

static struct stage *stage(void)
{
    return trial_stage();
}

static enum gyre_status open_ring(struct gyre_producer **producer, uint32_t seat_count,
                                  uint32_t flags, struct gyre_error *error)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = 4096;
    options.frame_align = 8;
    options.seat_count = seat_count;
    options.flags = flags;
    return gyre_producer_open(trial_ring(), &options, producer, error);
}

static enum gyre_status open_reader(struct gyre_consumer **consumer, enum gyre_consumer_kind kind,
                                    uint64_t deadline_ns, struct gyre_error *error)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.kind = kind;
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = deadline_ns;
    return gyre_consumer_open(trial_ring(), &options, consumer, error);
}

static void write_one(struct gyre_producer *producer)
{
    uint64_t message[WORDS_MAX];
    uint64_t number = gyre_producer_seq(producer);
    uint32_t words = payload_words(number, WORDS_MAX);

    payload_write(message, words, number, 7);
    EXPECT_STATUS(gyre_send(producer, message, words * 8, trial_patience()), GYRE_OK);
}

/* Reads what is there, checks it, and returns how the stream goes on. */
static enum gyre_status drain(struct gyre_consumer *consumer, uint64_t deadline_ns)
{
    uint64_t message[WORDS_MAX];
    uint32_t size;

    for (;;) {
        uint64_t         seq = gyre_consumer_seq(consumer);
        enum gyre_status status = gyre_recv(consumer, message, sizeof(message), &size, deadline_ns);
        if (status != GYRE_OK)
            return status;
        EXPECT(payload_check(message, size, seq, WORDS_MAX), "message %llu is torn",
               (unsigned long long)seq);
    }
}

/* --- death at every step ---------------------------------------------------------------------- */

static void live(enum life life, uint32_t flags)
{
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;

    EXPECT_STATUS(open_ring(&producer, SEAT_COUNT, flags, NULL), GYRE_OK);
    EXPECT_STATUS(open_reader(&consumer, GYRE_RELIABLE, 0, NULL), GYRE_OK);
    for (uint32_t i = 0; i < LIFE_MESSAGES; i++) {
        write_one(producer);
        gyre_store_release_64(&stage()->published, gyre_producer_seq(producer));
        (void)drain(consumer, 0);
    }
    if (life == LIFE_CONSUMER_LAST) {
        gyre_producer_close(producer);
        EXPECT_STATUS(drain(consumer, 0), GYRE_CLOSED);
        gyre_consumer_close(consumer);
    } else {
        gyre_consumer_close(consumer);
        gyre_producer_close(producer);
    }
}

static int live_and_die(uint32_t step)
{
    enum life life = (enum life)stage()->life;

    if (life == LIFE_WITHOUT_TMPFILE)
        steps_refuse_tmpfile();
    if (stage()->leaves_sections)
        steps_leave_sections_to((uint32_t)stage()->parent_id, stage()->sections);
    steps_arm(step, stage()->is_after != 0);
    live(life, life == LIFE_KEEP ? GYRE_KEEP : 0);
    return 0;
}

static char listed[400];

static void list_one(const char *file)
{
    size_t length = strlen(listed);

    (void)snprintf(listed + length, sizeof(listed) - length, " %s", file);
}

static void expect_no_file(const char *when, uint32_t step)
{
    listed[0] = '\0';
    if (process_list_rings(list_one) != 0)
        trial_fail(__FILE__, __LINE__, "step %u, life %u, after %u, %s: files are left:%s", step,
                   (uint32_t)stage()->life, (uint32_t)stage()->is_after, when, listed);
}

static void bad_outcome(const char *call, uint32_t step, enum gyre_status status,
                        const struct gyre_error *error)
{
    trial_fail(__FILE__, __LINE__, "step %u, life %u, after %u: %s is %s (%s, %d, %s)", step,
               (uint32_t)stage()->life, (uint32_t)stage()->is_after, call, gyre_status_name(status),
               error->call != NULL ? error->call : "", error->os_code,
               error->field != NULL ? error->field : "");
}

/* The successor goes on where the dead one stopped, or starts anew if there was no ring left. */
static void inherit_by_writing(uint32_t step, uint32_t flags)
{
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    struct gyre_error     error;
    uint64_t              published = stage()->published, seq;
    enum gyre_status      status;

    /* It asks for another ring: it gets that, or is told that there is one already. */
    status = open_ring(&producer, OTHER_SEAT_COUNT, flags, &error);
    if (status == GYRE_EXISTS)
        status = open_ring(&producer, SEAT_COUNT, flags, &error);

    if (status != GYRE_OK)
        bad_outcome("gyre_producer_open", step, status, &error);
    seq = gyre_producer_seq(producer);
    EXPECT((seq >= published && seq <= published + 1) || seq == 0,
           "step %u: %llu were published, the next one begins at %llu", step,
           (unsigned long long)published, (unsigned long long)seq);
    status = open_reader(&consumer, GYRE_RELIABLE, 0, &error);
    if (status != GYRE_OK)
        bad_outcome("gyre_consumer_open", step, status, &error);
    EXPECT_EQ(gyre_consumer_seq(consumer), 0);
    write_one(producer);
    EXPECT_STATUS(drain(consumer, 0), GYRE_TIMEOUT);
    EXPECT_EQ(gyre_consumer_seq(consumer), seq + 1);
    gyre_producer_close(producer);
    EXPECT_STATUS(drain(consumer, 0), GYRE_CLOSED);
    gyre_consumer_close(consumer);
}

static void inherit_by_reading(uint32_t step)
{
    struct gyre_consumer *consumer;
    struct gyre_error     error;
    enum gyre_status      status = open_reader(&consumer, GYRE_RELIABLE, 0, &error);

    if (status == GYRE_NOT_FOUND)
        return;
    if (status != GYRE_OK)
        bad_outcome("gyre_consumer_open", step, status, &error);
    status = drain(consumer, 0);
    EXPECT_TRUE(status == GYRE_TIMEOUT || status == GYRE_CLOSED);
    EXPECT_TRUE(gyre_consumer_seq(consumer) >= stage()->published);
    gyre_consumer_close(consumer);
}

static void look(uint32_t step)
{
    struct gyre_ring_info info;
    struct gyre_consumer *tap;
    struct gyre_error     error;
    enum gyre_status      status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, &error);
    if (status != GYRE_OK && status != GYRE_NOT_FOUND)
        bad_outcome("gyre_ring_inspect", step, status, &error);
    status = open_reader(&tap, GYRE_TAP, 0, &error);
    if (status == GYRE_NOT_FOUND)
        return;
    if (status != GYRE_OK)
        bad_outcome("gyre_consumer_open of a tap", step, status, &error);
    (void)drain(tap, 0);
    gyre_consumer_close(tap);
}

static void remove_ring(uint32_t step)
{
    struct gyre_error error;
    enum gyre_status  status = gyre_ring_remove(trial_ring(), 0, &error);

    if (status != GYRE_OK && status != GYRE_NOT_FOUND)
        bad_outcome("gyre_ring_remove", step, status, &error);
}

static void close_left_sections(void)
{
    for (uint32_t i = 0; i < 4; i++) {
#ifdef _WIN32
        if (stage()->sections[i] != 0)
            (void)CloseHandle((HANDLE)(uintptr_t)stage()->sections[i]);
#endif
        stage()->sections[i] = 0;
    }
}

/* One death and one succession.  False: the process did all it wanted before its step came. */
static bool die_and_inherit(uint32_t step, enum heir heir, uint32_t flags)
{
    struct process dying;
    int            code;

    stage()->published = 0;
    trial_start(&dying, "live_and_die", step);
    code = process_wait(&dying, PROCESS_PATIENCE_NS);
    EXPECT(code == PROCESS_KILLED || code == 0, "step %u: the dying process ended with %d", step,
           code);
    if (code == 0 && !stage()->leaves_sections)
        stage()->published = 0; /* it has removed its ring, unless that is kept */
    if (heir == HEIR_WRITES && !(code == 0 && (flags & GYRE_KEEP) != 0))
        inherit_by_writing(step, flags);
    else if (heir == HEIR_READS)
        inherit_by_reading(step);
    else
        look(step);
    close_left_sections();
    if ((flags & GYRE_KEEP) != 0 || heir != HEIR_WRITES)
        remove_ring(step);
    expect_no_file("when nobody has it open", step);
    return code != 0;
}

static void die_at_every_step(enum life life, uint32_t flags, uint32_t heirs)
{
    uint32_t deaths = 0, last = 0;

    stage()->life = life;
    stage()->parent_id = process_id();
    for (uint32_t is_after = 0; is_after < 2; is_after++) {
        stage()->is_after = is_after;
        /* To die after a call is to die before the next one, but for what lies between them. */
        for (uint32_t heir = 0; heir < (is_after ? 1 : heirs); heir++) {
            uint32_t step = 1;
            while (die_and_inherit(step, (enum heir)heir, flags)) {
                deaths++;
                EXPECT_TRUE(++step < STEPS_MAX);
            }
            last = step - 1;
        }
    }
    trial_note("%u deaths, at each of %u system calls", deaths, last);
    EXPECT(last > 20, "there are fewer steps than there must be");
}

static void a_creator_may_die_at_any_step(void)
{
    die_at_every_step(LIFE_PRODUCER_LAST, 0, TRIAL_IS_WINDOWS ? 2 : HEIR_COUNT);
}

static void the_last_consumer_may_die_at_any_step(void)
{
    die_at_every_step(LIFE_CONSUMER_LAST, 0, TRIAL_IS_WINDOWS ? 1 : HEIR_COUNT);
}

#ifdef __linux__

static void a_creator_may_die_where_there_are_no_unnamed_files(void)
{
    die_at_every_step(LIFE_WITHOUT_TMPFILE, 0, HEIR_COUNT);
}

static void the_creator_of_a_kept_ring_may_die_at_any_step(void)
{
    die_at_every_step(LIFE_KEEP, GYRE_KEEP, HEIR_COUNT);
}

#else

/* Somebody else has the sections open, so what the creator left half-built stays. */
static void a_half_built_section_is_built_again(void)
{
    stage()->leaves_sections = 1;
    die_at_every_step(LIFE_PRODUCER_LAST, 0, 2);
}

#endif

static int join_and_die(uint32_t step)
{
    struct gyre_producer *producer;

    steps_arm(step, stage()->is_after != 0);
    EXPECT_STATUS(open_ring(&producer, SEAT_COUNT, 0, NULL), GYRE_OK);
    for (uint32_t i = 0; i < LIFE_MESSAGES; i++) {
        write_one(producer);
        gyre_store_release_64(&stage()->published, gyre_producer_seq(producer));
    }
    gyre_producer_close(producer);
    return 0;
}

/* A reader stays; a producer dies in its open, its publishing or its close; another one comes. */
static void a_producer_may_die_at_any_step_of_a_living_ring(void)
{
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    struct gyre_error     error;
    uint32_t              deaths = 0;

    EXPECT_STATUS(open_ring(&producer, SEAT_COUNT, 0, NULL), GYRE_OK);
    EXPECT_STATUS(open_reader(&consumer, GYRE_RELIABLE, 0, NULL), GYRE_OK);
    gyre_producer_close(producer);
    for (uint32_t is_after = 0; is_after < 2; is_after++) {
        int code = PROCESS_KILLED;
        stage()->is_after = is_after;
        for (uint32_t step = 1; code == PROCESS_KILLED; step++) {
            struct process   dying;
            uint64_t         before = gyre_consumer_seq(consumer), seq;
            enum gyre_status status;
            stage()->published = before;
            EXPECT_TRUE(step < STEPS_MAX);
            trial_start(&dying, "join_and_die", step);
            code = process_wait(&dying, PROCESS_PATIENCE_NS);
            EXPECT(code == PROCESS_KILLED || code == 0, "step %u: it ended with %d", step, code);
            deaths += code != 0;
            status = open_ring(&producer, SEAT_COUNT, 0, &error);
            if (status != GYRE_OK)
                bad_outcome("gyre_producer_open", step, status, &error);
            seq = gyre_producer_seq(producer);
            EXPECT(seq >= stage()->published && seq <= stage()->published + 1,
                   "step %u: %llu were published, the next one begins at %llu", step,
                   (unsigned long long)stage()->published, (unsigned long long)seq);
            write_one(producer);
            EXPECT_STATUS(drain(consumer, 0), GYRE_TIMEOUT);
            EXPECT_EQ(gyre_consumer_seq(consumer), seq + 1);
            gyre_producer_close(producer);
            EXPECT_STATUS(drain(consumer, 0), GYRE_CLOSED);
        }
    }
    gyre_consumer_close(consumer);
    trial_note("%u deaths", deaths);
    expect_no_file("after the last close", 0);
}

/* --- all at once ------------------------------------------------------------------------------ */

static int create_at_once(uint32_t idx)
{
    for (uint64_t round = 1; round <= stage()->openings; round++) {
        struct gyre_producer *producer = NULL;
        while (gyre_load_acquire_64(&stage()->round) < 2 * round - 1)
            gyre_pause();
        stage()->statuses[idx] = (uint64_t)(int64_t)open_ring(&producer, SEAT_COUNT, 0, NULL);
        gyre_or_64(&stage()->answers, UINT64_C(1) << idx);
        trial_await(&stage()->round, 2 * round);
        gyre_producer_close(producer);
        gyre_or_64(&stage()->answers, UINT64_C(1) << (8 + idx));
    }
    return 0;
}

static void await_answers(uint64_t answers)
{
    uint64_t deadline = trial_patience();

    while ((gyre_load_acquire_64(&stage()->answers) & answers) != answers) {
        EXPECT(gyre_now_ns() < deadline, "a creator hangs or died");
        process_nap();
    }
    gyre_store_release_64(&stage()->answers, 0);
}

static void of_many_creators_one_becomes_the_producer(void)
{
    uint32_t       rounds = trial_rounds(300, 30);
    struct process creators[RACER_COUNT];

    stage()->openings = rounds;
    for (uint32_t i = 0; i < RACER_COUNT; i++)
        trial_start(&creators[i], "create_at_once", i);
    for (uint32_t round = 1; round <= rounds; round++) {
        uint32_t winners = 0;
        gyre_store_release_64(&stage()->round, 2 * round - 1);
        await_answers(0xf);
        for (uint32_t i = 0; i < RACER_COUNT; i++) {
            enum gyre_status status = (enum gyre_status)(int64_t)stage()->statuses[i];
            EXPECT(status == GYRE_OK || status == GYRE_BUSY, "creator %u is told %s", i,
                   gyre_status_name(status));
            winners += status == GYRE_OK;
        }
        EXPECT(winners == 1, "%u of %u creators became the producer", winners, RACER_COUNT);
        gyre_store_release_64(&stage()->round, 2 * round);
        await_answers(0xf00);
        expect_no_file("after the last close", round);
    }
    for (uint32_t i = 0; i < RACER_COUNT; i++)
        trial_finish(&creators[i]);
}

/* --- a race with kills ------------------------------------------------------------------------ */

/* Whoever has the ring open finds it under its name, and itself as its producer. */
static void expect_the_same(uint32_t id, bool is_producer)
{
    struct gyre_ring_info info;
    struct gyre_error     error;
    enum gyre_status      status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, &error);
    if (status != GYRE_OK)
        bad_outcome("gyre_ring_inspect of an open ring", id, status, &error);
    EXPECT(!is_producer || (info.producer_alive == 1 && info.producer_pid == process_id()),
           "racer %u: the producer of the ring of that name is %u, alive %u, and not %u", id,
           info.producer_pid, info.producer_alive, process_id());
}

static void race_to_write(uint32_t id, uint64_t *random)
{
    struct gyre_producer *producer;
    struct gyre_error     error;
    enum gyre_status      status = open_ring(&producer, SEAT_COUNT, 0, &error);
    uint64_t              before;

    if (status == GYRE_BUSY)
        return;
    if (status != GYRE_OK)
        bad_outcome("gyre_producer_open", id, status, &error);
    before = gyre_exchange_64(&stage()->owner, id);
    EXPECT(before == 0 || gyre_load_acquire_32(&stage()->is_killed[before]) != 0,
           "racers %u and %llu are producers at once", id, (unsigned long long)before);
    gyre_store_relaxed_64(&stage()->openings, gyre_load_relaxed_64(&stage()->openings) + 1);
    if (gyre_producer_seq(producer) != 0)
        gyre_store_relaxed_64(&stage()->takeovers, gyre_load_relaxed_64(&stage()->takeovers) + 1);
    expect_the_same(id, true);
    for (uint64_t i = trial_random(random) % 64; i > 0; i--) {
        uint64_t message[WORDS_MAX];
        uint64_t number = gyre_producer_seq(producer);
        uint32_t words = payload_words(number, WORDS_MAX);
        payload_write(message, words, number, 7);
        status = gyre_send(producer, message, words * 8, gyre_now_ns() + 2 * NS_PER_MS);
        EXPECT_TRUE(status == GYRE_OK || status == GYRE_TIMEOUT);
    }
    EXPECT_EQ(gyre_exchange_64(&stage()->owner, 0), id);
    gyre_producer_close(producer);
}

static void race_to_read(uint32_t id, uint64_t *random)
{
    enum gyre_consumer_kind kind = (enum gyre_consumer_kind)(trial_random(random) % 3);
    uint64_t                deadline = trial_random(random) % 2 * (gyre_now_ns() + 2 * NS_PER_MS);
    struct gyre_consumer   *consumer;
    struct gyre_error       error;
    enum gyre_status        status = open_reader(&consumer, kind, deadline, &error);
    uint64_t                first;

    if (status == (deadline != 0 ? GYRE_TIMEOUT : GYRE_NOT_FOUND))
        return;
    if (status != GYRE_OK)
        bad_outcome("gyre_consumer_open", id, status, &error);
    deadline = gyre_now_ns() + trial_random(random) % (3 * NS_PER_MS);
    first = gyre_consumer_seq(consumer);
    do {
        status = drain(consumer, deadline);
        EXPECT(status == GYRE_TIMEOUT || status == GYRE_CLOSED || status == GYRE_ORPHANED ||
                   (status == GYRE_GAP && kind != GYRE_RELIABLE),
               "a reader is told %s", gyre_status_name(status));
    } while (status == GYRE_GAP || status == GYRE_ORPHANED);
    if (kind != GYRE_TAP)
        expect_the_same(id, false);
    first = gyre_consumer_seq(consumer) - first;
    gyre_store_relaxed_64(&stage()->reads, gyre_load_relaxed_64(&stage()->reads) + first);
    gyre_consumer_close(consumer);
}

static void race_to_remove(uint32_t id)
{
    struct gyre_ring_info info;
    struct gyre_error     error;
    enum gyre_status      status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(trial_ring(), &info, NULL, 0, NULL, &error);
    if (status != GYRE_OK && status != GYRE_NOT_FOUND)
        bad_outcome("gyre_ring_inspect", id, status, &error);
    status = gyre_ring_remove(trial_ring(), 0, &error);
    if (status != GYRE_OK && status != GYRE_NOT_FOUND && status != GYRE_BUSY)
        bad_outcome("gyre_ring_remove", id, status, &error);
}

static int race(uint32_t id)
{
    uint64_t  random = id * UINT64_C(7919);
    uint64_t *beat = &stage()->beats[stage()->places[id]];

    /* For ever: nobody has number 0. */
    while (gyre_load_relaxed_32(&stage()->is_killed[0]) == 0) {
        switch (trial_random(&random) % 8) {
        case 0:
            race_to_remove(id);
            break;
        case 1:
        case 2:
        case 3:
            race_to_read(id, &random);
            break;
        default:
            race_to_write(id, &random);
        }
        gyre_store_relaxed_64(beat, gyre_load_relaxed_64(beat) + 1);
    }
    return 0;
}

/* Until the racers have got beyond `before`: where programs start slowly, kills wait for them. */
static void await_progress(const uint64_t *counter, uint64_t before)
{
    uint64_t deadline = gyre_now_ns() + PROCESS_PATIENCE_NS;

    while (gyre_load_relaxed_64(counter) <= before && gyre_now_ns() < deadline)
        process_await(&stage()->round, 1, NS_PER_MS);
}

static void start_racer(struct process *racer, uint32_t place, uint32_t id)
{
    stage()->places[id] = (uint8_t)place;
    trial_start(racer, "race", id);
}

/* None of them is stuck. */
static void expect_beats(void)
{
    for (uint32_t i = 0; i < RACER_COUNT; i++)
        trial_await(&stage()->beats[i], gyre_load_relaxed_64(&stage()->beats[i]) + 2);
}

static void racers_that_are_killed_leave_nothing_that_harms(void)
{
    uint32_t       kills = trial_rounds(1000, 40), id = 0;
    uint64_t       pause_ns = (TRIAL_IS_WINDOWS ? 25 : 6) * NS_PER_MS;
    uint64_t       random = 11;
    struct process racers[RACER_COUNT];
    uint32_t       ids[RACER_COUNT];

    process_limit("creation.racers_that_are_killed_leave_nothing_that_harms", RACE_LIMIT_S);
    for (uint32_t i = 0; i < RACER_COUNT; i++)
        start_racer(&racers[i], i, ids[i] = ++id);
    for (uint32_t i = 0; i < kills && id < RACERS_MAX - RACER_COUNT; i++) {
        uint32_t victim = (uint32_t)(trial_random(&random) % RACER_COUNT);
        await_progress(&stage()->openings, i);
        process_await(&stage()->round, 1, trial_random(&random) % pause_ns);
        for (uint32_t racer = 0; racer < RACER_COUNT; racer++)
            EXPECT(process_wait(&racers[racer], 0) == PROCESS_LATE, "a racer gave up");
        gyre_store_release_32(&stage()->is_killed[ids[victim]], 1);
        process_kill(&racers[victim]);
        start_racer(&racers[victim], victim, ids[victim] = ++id);
        if (i % 64 == 63)
            expect_beats();
    }
    await_progress(&stage()->openings, kills);
    await_progress(&stage()->reads, 0);
    for (uint32_t i = 0; i < RACER_COUNT; i++)
        process_kill(&racers[i]);
    trial_note("%u kills, %llu openings, %llu of them takeovers, %llu messages read", id,
               (unsigned long long)stage()->openings, (unsigned long long)stage()->takeovers,
               (unsigned long long)stage()->reads);
    EXPECT_TRUE(stage()->openings > kills && stage()->reads > 0);
    stage()->published = 0;
    remove_ring(id);
    inherit_by_writing(id, 0);
    expect_no_file("after the last close", id);
}

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "creation." #name, name                                                                    \
    }
    static const struct trial trials[] = {
        TRIAL(a_creator_may_die_at_any_step),
        TRIAL(the_last_consumer_may_die_at_any_step),
#ifdef __linux__
        TRIAL(a_creator_may_die_where_there_are_no_unnamed_files),
        TRIAL(the_creator_of_a_kept_ring_may_die_at_any_step),
#else
        TRIAL(a_half_built_section_is_built_again),
#endif
        TRIAL(a_producer_may_die_at_any_step_of_a_living_ring),
        TRIAL(of_many_creators_one_becomes_the_producer),
        TRIAL(racers_that_are_killed_leave_nothing_that_harms),
    };
    static const struct role roles[] = {
        {"live_and_die", live_and_die},
        {"join_and_die", join_and_die},
        {"create_at_once", create_at_once},
        {"race", race},
    };
    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
