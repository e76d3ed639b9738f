/*
 * test_join_faults.c - consumers that are overtaken while others join: none goes back, so that it
 * would read twice, or be taken for one that broke the rules.
 */
#include <gyre/atomic.h>

#include "internal.h"
#include "trial.h"

#define CAPACITY 4096u
#define SENT 140u   /* more than two laps of frames of 64 bytes */
#define LARGE 1500u /* so much room at once moves the horizon over several landmarks */
#define JOINERS 3u

/* What a joiner has come to; it goes on from each when it may. */
enum step { STEP_NONE, STEP_CHOSEN, STEP_OVERTAKEN, STEP_OPEN };

struct joiner {
    uint64_t step;    /* the last that it has reached */
    uint64_t may;     /* it may go on from that one */
    uint64_t pos;     /* where it begins */
    uint64_t choices; /* how often it chose a place */
};

struct stage {
    struct joiner joiners[JOINERS];
    uint64_t      end_seq; /* they read up to here */
};
_Static_assert(sizeof(struct stage) <= TRIAL_STAGE_SIZE, "the stage is too small");

static struct stage *stage(void)
{
    return trial_stage();
}

/* --- the joiner ------------------------------------------------------------------------------- */

static struct joiner *self;
static uint64_t       choose_count;

static void reach(enum step step)
{
    gyre_store_release_64(&self->step, step);
    trial_await(&self->may, step);
}

static int hold_joiner(enum gyre__fault point)
{
    if (point == GYRE__FAULT_join_choose && ++choose_count == 2)
        reach(STEP_OVERTAKEN);
    if (point == GYRE__FAULT_join_cursor && choose_count == 1)
        reach(STEP_CHOSEN);
    return 0;
}

static int join(uint32_t idx)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;

    self = &stage()->joiners[idx];
    gyre__fault_hook = hold_joiner;
    options.start = GYRE_START_OLDEST;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    self->pos = gyre_consumer_pos(consumer);
    self->choices = choose_count;
    reach(STEP_OPEN);
    for (uint64_t seq = gyre_consumer_seq(consumer); seq < stage()->end_seq; seq++) {
        uint64_t message[LARGE / 8 + 1];
        uint32_t size = 0;
        EXPECT_STATUS(gyre_recv(consumer, message, sizeof(message), &size, trial_patience()),
                      GYRE_OK);
        EXPECT_EQ(message[0], seq);
    }
    gyre_consumer_close(consumer);
    return 0;
}

/* A lossy reader, overtaken with one message released and one in its hands. */
static int read_lossily(uint32_t idx)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    uint64_t                     good_seq;
    uint32_t                     size;

    self = &stage()->joiners[idx];
    options.kind = GYRE_LOSSY;
    options.start = GYRE_START_OLDEST;
    options.on_gap = GYRE_RESUME_OLDEST;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    choose_count = 1;
    gyre__fault_hook = hold_joiner;
    EXPECT_TRUE(gyre_peek(consumer, &size) != NULL);
    EXPECT_STATUS(gyre_release(consumer), GYRE_OK);
    good_seq = gyre_consumer_seq(consumer);
    self->pos = gyre_consumer_pos(consumer);
    EXPECT_TRUE(gyre_peek(consumer, &size) != NULL);
    reach(STEP_CHOSEN);
    EXPECT_STATUS(gyre_release(consumer), GYRE_GAP);
    EXPECT_EQ(choose_count, 2);
    EXPECT_EQ(gyre_consumer_seq(consumer), good_seq + gyre_consumer_gap(consumer));
    EXPECT_EQ(gyre_consumer_lost(consumer), gyre_consumer_gap(consumer));
    EXPECT_TRUE(gyre_consumer_gap(consumer) < SENT);
    reach(STEP_OPEN);
    gyre_consumer_close(consumer);
    return 0;
}

/* --- the producer, and who says when ---------------------------------------------------------- */

static struct process processes[JOINERS];

static void await_step(uint32_t idx, enum step step)
{
    trial_await(&stage()->joiners[idx].step, step);
}

static void start_as(const char *role, uint32_t idx)
{
    trial_start(&processes[idx], role, idx);
    await_step(idx, STEP_CHOSEN);
}

static void start(uint32_t idx)
{
    start_as("join", idx);
}

static void go_on(uint32_t idx, enum step from)
{
    gyre_store_release_64(&stage()->joiners[idx].may, from);
}

static void (*when_announced)(void);

/* The horizon has been announced; the seats have not been looked at again. */
static int hold_producer(enum gyre__fault point)
{
    if (point == GYRE__FAULT_credit_announced && when_announced != NULL) {
        void (*act)(void) = when_announced;
        when_announced = NULL;
        act();
    }
    return 0;
}

/* Until there is no room, or until what was to be done when a horizon is announced has been. */
static void claim(struct gyre_producer *producer, uint32_t size)
{
    for (uint32_t i = 0; i < SENT; i++) {
        uint64_t *room = gyre_claim(producer, size);
        if (room == NULL)
            return;
        *room = stage()->end_seq++;
        gyre_publish(producer);
        if (gyre__fault_hook != NULL && when_announced == NULL)
            return;
    }
}

/* More than two laps are sent, and nobody reads yet. */
static struct gyre_producer *open_full(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = CAPACITY;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    claim(producer, 8);
    EXPECT_EQ(stage()->end_seq, SENT);
    gyre__fault_hook = hold_producer;
    return producer;
}

/* A horizon behind 0's place: 1 chooses behind it, and 0 is seen there after all. */
static void overtake_first(void)
{
    start(1);
    go_on(0, STEP_CHOSEN);
    await_step(0, STEP_OVERTAKEN);
}

/* A horizon behind 1's place and 2's, which is before it. */
static void overtake_both(void)
{
    for (uint32_t i = 1; i < JOINERS; i++) {
        go_on(i, STEP_CHOSEN);
        await_step(i, STEP_OVERTAKEN);
    }
}

/*
 * The horizon falls back to 0's place, 0 leaves, and 2 chooses that place.  Then 1 and 2 are both
 * overtaken, and seen; the horizon falls back to 2's place, and 1 chooses again.  Where it was seen
 * last is behind that place: were it to choose it, it would seem to have stepped back.
 */
static void who_is_overtaken_beside_another_does_not_step_back(void)
{
    struct gyre_producer *producer = open_full();

    start(0);
    when_announced = overtake_first;
    claim(producer, 8);
    go_on(0, STEP_OPEN);
    trial_finish(&processes[0]);

    start(2);
    when_announced = overtake_both;
    claim(producer, LARGE);
    EXPECT_TRUE(when_announced == NULL);
    gyre__fault_hook = NULL;
    for (uint32_t i = 1; i < JOINERS; i++) {
        go_on(i, STEP_OVERTAKEN);
        await_step(i, STEP_OPEN);
    }
    for (uint32_t i = 0; i < JOINERS; i++)
        EXPECT_EQ(stage()->joiners[i].choices, 2); /* it was overtaken, once */
    EXPECT_EQ(stage()->joiners[2].pos, stage()->joiners[0].pos);
    EXPECT_TRUE(stage()->joiners[1].pos > stage()->joiners[2].pos);
    claim(producer, 8);
    EXPECT_EQ(gyre_load_relaxed_64(&producer->ring.front->evicted_count), 0);
    for (uint32_t i = 1; i < JOINERS; i++) {
        go_on(i, STEP_OPEN);
        trial_finish(&processes[i]);
    }
    gyre_producer_close(producer);
}

/* The horizon is announced behind both, and falls back to the joiner's place before the reader. */
static void a_lossy_reader_overtaken_beside_a_joiner_does_not_go_back(void)
{
    struct gyre_producer *producer = open_full();

    start_as("read_lossily", 2);
    start(1);
    when_announced = overtake_both;
    claim(producer, LARGE);
    EXPECT_TRUE(when_announced == NULL);
    gyre__fault_hook = NULL;
    go_on(1, STEP_OPEN);
    await_step(1, STEP_OPEN);
    EXPECT_TRUE(stage()->joiners[1].pos < stage()->joiners[2].pos);
    go_on(2, STEP_OPEN);
    for (uint32_t i = 1; i < JOINERS; i++)
        trial_finish(&processes[i]);
    gyre_producer_close(producer);
}

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"join_faults.who_is_overtaken_beside_another_does_not_step_back",
         who_is_overtaken_beside_another_does_not_step_back},
        {"join_faults.a_lossy_reader_overtaken_beside_a_joiner_does_not_go_back",
         a_lossy_reader_overtaken_beside_a_joiner_does_not_go_back},
    };
    static const struct role roles[] = {
        {"join", join},
        {"read_lossily", read_lossily},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
