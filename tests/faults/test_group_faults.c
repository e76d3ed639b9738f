/*
 * test_group_faults.c - what is left when a group's members die one after the other, or its founder
 * before it is done: whoever comes later, and the producer, go on.
 */
#include <stdio.h>
#include <string.h>

#include <gyre/atomic.h>

#include "faults.h"
#include "internal.h"
#include "trial.h"

#ifdef GYRE_HAS_PAIRS

#define CAPACITY 65536u
#define LAPS 5000u /* messages: more than the ring holds */

struct stage {
    struct fault_plan   plan; /* nth 0: none */
    struct fault_report struck;
    uint64_t            kind;
    uint64_t            flags;
    uint64_t            claim_count;
    uint64_t            joined; /* how many members */
    uint64_t            peeked; /* has a claim, and holds it */
    uint64_t            may_leave;
};
_Static_assert(sizeof(struct stage) <= TRIAL_STAGE_SIZE, "the stage is too small");

static struct stage *stage(void)
{
    return trial_stage();
}

static struct gyre_producer *open_producer(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = CAPACITY;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    return producer;
}

static struct gyre_consumer *join(const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *member;

    options.group = group;
    options.kind = (uint32_t)stage()->kind;
    options.group_flags = (uint32_t)stage()->flags;
    options.claim_count = (uint32_t)stage()->claim_count;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &member, NULL), GYRE_OK);
    return member;
}

static void send(struct gyre_producer *producer, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        EXPECT_STATUS(gyre_send(producer, &i, sizeof(i), trial_patience()), GYRE_OK);
}

/* All at once, so that one claim takes them. */
static void send_together(struct gyre_producer *producer, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        void *room = gyre_claim(producer, sizeof(i));
        EXPECT_TRUE(room != NULL);
        memcpy(room, &i, sizeof(i));
    }
    gyre_publish(producer);
}

static void receive(struct gyre_consumer *member, uint64_t number)
{
    uint64_t message = 0;
    uint32_t size = 0;

    EXPECT_STATUS(gyre_recv(member, &message, sizeof(message), &size, trial_patience()), GYRE_OK);
    EXPECT_EQ(message, number);
}

/* Joins, and holds one claim until it is killed. */
static int hold_a_claim(uint32_t unused)
{
    struct gyre_consumer *member = join("group");
    uint32_t              size;

    (void)unused;
    gyre_store_release_64(&stage()->joined, 1);
    EXPECT_STATUS(gyre_wait(member, trial_patience()), GYRE_OK);
    EXPECT_TRUE(gyre_peek(member, &size) != NULL);
    gyre_store_release_64(&stage()->peeked, 1);
    trial_await(&stage()->may_leave, UINT64_MAX);
    return 0;
}

/* Joins, and closes when it may; dies where the plan says. */
static int join_and_leave(uint32_t unused)
{
    struct gyre_consumer *member = join("group");

    (void)unused;
    gyre_store_release_64(&stage()->joined, 2);
    trial_await(&stage()->may_leave, 1);
    faults_arm(&stage()->plan, &stage()->struck);
    gyre_consumer_close(member);
    return 0;
}

/* A member with a claim is dead, and another one is there. */
static struct gyre_producer *leave_a_claim(struct process *second)
{
    struct gyre_producer *producer = open_producer();
    struct process        first;

    stage()->claim_count = 1;
    trial_start(&first, "hold_a_claim", 0);
    trial_await(&stage()->joined, 1);
    send(producer, 0, 1);
    trial_await(&stage()->peeked, 1);
    if (second != NULL) {
        trial_start(second, "join_and_leave", 0);
        trial_await(&stage()->joined, 2);
    }
    process_kill(&first);
    (void)process_wait(&first, trial_patience());
    return producer;
}

static void plan_to_die_at(enum gyre__fault point, uint64_t nth)
{
    stage()->plan.point = point;
    stage()->plan.nth = nth;
    stage()->plan.action = FAULT_KILL;
}

static struct gyre_producer *both_die(void)
{
    struct process        second;
    struct gyre_producer *producer;

    plan_to_die_at(GYRE__FAULT_group_ended, 1);
    producer = leave_a_claim(&second);
    gyre_store_release_64(&stage()->may_leave, 1);
    (void)process_wait(&second, trial_patience());
    EXPECT_EQ(stage()->struck.struck, 1);
    return producer;
}

static void a_claim_does_not_outlive_its_group(void)
{
    struct gyre_producer *producer = both_die();

    send(producer, 1, LAPS);
    gyre_producer_close(producer);
}

static void a_claim_of_an_old_group_does_not_hold_up_a_new_one(void)
{
    struct gyre_producer *producer = both_die();
    struct gyre_consumer *member = join("another");

    for (uint64_t i = 1; i < LAPS; i++) {
        send(producer, i, 1);
        receive(member, i);
    }
    gyre_consumer_close(member);
    gyre_producer_close(producer);
}

/* A member broke the rules: its group is evicted, and then it died as well. */
static void a_claim_does_not_outlive_an_evicted_group(void)
{
    struct gyre_producer     *producer = leave_a_claim(NULL);
    struct gyre_shared_group *group = &producer->ring.groups[0];

    gyre_store_release_64(&group->next[GYRE_NEXT_POS], UINT64_C(1) << 40);
    send(producer, 1, LAPS);
    EXPECT_EQ(gyre__seat_state(gyre_load_acquire_64(&group->control)), GYRE_GROUP_EVICTED);
    gyre_producer_close(producer);
}

static void a_dead_member_with_a_claim_is_no_consumer(void)
{
    struct gyre_producer *producer = leave_a_claim(NULL);

    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, gyre_now_ns()), GYRE_TIMEOUT);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, gyre_now_ns()), GYRE_TIMEOUT);
    gyre_producer_close(producer);
}

static struct gyre_consumer *mate;
static enum gyre_status      mate_found;

static int look_while_the_other_leaves(enum gyre__fault point)
{
    if (point == GYRE__FAULT_group_bequeathed)
        mate_found = gyre_wait(mate, 0);
    return 0;
}

/* What is left is told of while nobody can have it yet; who looked then looks again. */
static void what_a_member_leaves_is_found_by_who_looked_too_early(void)
{
    struct gyre_producer *producer = open_producer();
    struct gyre_consumer *first;

    stage()->claim_count = 1;
    first = join("group");
    mate = join("group");
    send(producer, 0, 1);
    EXPECT_STATUS(gyre_wait(first, 0), GYRE_OK);
    EXPECT_STATUS(gyre_wait(mate, 0),
                  GYRE_TIMEOUT); /* it will not look for the dead again so soon */
    gyre__fault_hook = look_while_the_other_leaves;
    gyre_consumer_close(first);
    gyre__fault_hook = NULL;
    EXPECT_EQ(mate_found, GYRE_TIMEOUT);
    EXPECT_STATUS(gyre_wait(mate, 0), GYRE_OK);
    receive(mate, 0);
    gyre_consumer_close(mate);
    gyre_producer_close(producer);
}

/* Dies where the plan says. */
static int found(uint32_t unused)
{
    (void)unused;
    faults_arm(&stage()->plan, &stage()->struck);
    gyre_consumer_close(join("group"));
    return 0;
}

/*
 * The founder goes to the landmark before the start and from there to the start: dead in between,
 * it left neither a position that nobody asked for nor half of one.
 */
static struct gyre_producer *founder_dies(uint64_t sent)
{
    struct gyre_producer *producer = open_producer();
    struct process        founder;

    plan_to_die_at(GYRE__FAULT_group_founded, 1);
    stage()->claim_count = 1;
    send(producer, 0, sent);
    trial_start(&founder, "found", 0);
    (void)process_wait(&founder, trial_patience());
    EXPECT_EQ(stage()->struck.struck, 1);
    return producer;
}

static void a_group_starts_where_it_should_although_its_founder_died(void)
{
    struct gyre_producer *producer = founder_dies(5);
    struct gyre_consumer *member = join("group"); /* at the newest */

    for (uint64_t i = 5; i < LAPS; i++) {
        send(producer, i, 1);
        receive(member, i);
    }
    gyre_consumer_close(member);
    gyre_producer_close(producer);
}

static void a_kept_group_starts_where_it_should_although_its_founder_died(void)
{
    stage()->flags = GYRE_GROUP_KEEP;
    a_group_starts_where_it_should_although_its_founder_died();
}

/* Nobody comes: what a dead founder left holds nobody back. */
static void a_kept_group_that_was_not_founded_holds_nobody_back(void)
{
    struct gyre_producer *producer;

    stage()->flags = GYRE_GROUP_KEEP;
    producer = founder_dies(0);
    send(producer, 0, LAPS);
    gyre_producer_close(producer);
}

/* Reads three messages of one claim; dies where the plan says. */
static int work_and_die(uint32_t unused)
{
    struct gyre_consumer *member = join("group");

    (void)unused;
    gyre_store_release_64(&stage()->joined, 1);
    faults_arm(&stage()->plan, &stage()->struck);
    for (uint64_t i = 0; i < 3; i++)
        receive(member, i);
    return 0;
}

static void die_while_releasing(enum gyre_consumer_kind kind)
{
    struct gyre_producer *producer = open_producer();
    struct gyre_consumer *member;
    struct process        other;

    plan_to_die_at(GYRE__FAULT_group_numbered, 2);
    stage()->kind = kind;
    stage()->claim_count = 4;
    member = join("group");
    trial_start(&other, "work_and_die", 0);
    trial_await(&stage()->joined, 1);
    send_together(producer, 0, 4);
    (void)process_wait(&other, trial_patience());
    EXPECT_EQ(stage()->struck.struck, 1);
    for (uint64_t i = 1; i < 4; i++) {
        receive(member, i);
        EXPECT_EQ(gyre_consumer_is_redelivered(member), 1);
    }
    send(producer, 4, 1);
    receive(member, 4);
    EXPECT_EQ(gyre_consumer_is_redelivered(member), 0);
    gyre_consumer_close(member);
    gyre_producer_close(producer);
}

static void a_reliable_member_that_dies_in_a_release_leaves_whole_messages(void)
{
    die_while_releasing(GYRE_RELIABLE);
}

static void a_lossy_member_that_dies_in_a_release_leaves_whole_messages(void)
{
    die_while_releasing(GYRE_LOSSY);
}

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "group_faults." #name, name                                                                \
    }
    static const struct trial trials[] = {
        TRIAL(a_claim_does_not_outlive_its_group),
        TRIAL(a_claim_of_an_old_group_does_not_hold_up_a_new_one),
        TRIAL(a_claim_does_not_outlive_an_evicted_group),
        TRIAL(a_dead_member_with_a_claim_is_no_consumer),
        TRIAL(what_a_member_leaves_is_found_by_who_looked_too_early),
        TRIAL(a_group_starts_where_it_should_although_its_founder_died),
        TRIAL(a_kept_group_starts_where_it_should_although_its_founder_died),
        TRIAL(a_kept_group_that_was_not_founded_holds_nobody_back),
        TRIAL(a_reliable_member_that_dies_in_a_release_leaves_whole_messages),
        TRIAL(a_lossy_member_that_dies_in_a_release_leaves_whole_messages),
    };
    static const struct role roles[] = {
        {"hold_a_claim", hold_a_claim},
        {"join_and_leave", join_and_leave},
        {"found", found},
        {"work_and_die", work_and_die},
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}

#else

int main(void)
{
    printf("ok - groups # SKIP no 16-byte compare and exchange here\n");
    return 0;
}

#endif
