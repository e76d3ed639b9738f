/*
 * test_members.c - work-sharing groups among processes: their members are killed at any moment, and
 * every message is worked on; and who is woken by how many messages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "payload.h"
#include "trial.h"

#ifdef GYRE_HAS_PAIRS

#define MEMBER_COUNT 4u
#define WORDS_MAX 12u
#define SEEN_NEW 1u
#define SEEN_AGAIN 2u
#define MESSAGES_MAX (10u * 1000 * 1000)

struct member_report {
    uint64_t done;
    uint64_t redelivered;
    uint64_t wrong; /* a message that is not whole, or comes twice and is not marked */
    uint64_t is_ready;
    uint64_t sleeps;
    uint64_t missed;
    uint64_t zero[10];
};

struct stage {
    struct member_report members[MEMBER_COUNT];
    uint64_t             capacity;
    uint64_t             wait;
    uint64_t             sent;
    uint64_t             may_close;
    uint8_t              seen[MESSAGES_MAX];
};
_Static_assert(sizeof(struct stage) <= TRIAL_STAGE_SIZE, "the stage is too small");

static struct stage *stage(void)
{
    return trial_stage();
}

static struct gyre_consumer *open_member(uint32_t claim_count)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *member;

    options.group = "workers";
    options.claim_count = claim_count;
    options.wait = (uint32_t)stage()->wait;
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = trial_patience();
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &member, NULL), GYRE_OK);
    return member;
}

static void add(uint64_t *counter, uint64_t count)
{
    gyre_store_release_64(counter, gyre_load_relaxed_64(counter) + count);
}

/* Works on what is there.  A member that dies in here has done some of it, or all. */
static void work(struct gyre_consumer *member, struct member_report *report)
{
    const uint64_t *message;
    uint32_t        size;

    while ((message = gyre_peek(member, &size)) != NULL) {
        bool     is_again = gyre_consumer_is_redelivered(member) != 0;
        uint64_t number = message[0];
        if (number >= MESSAGES_MAX || !payload_check(message, size, number, WORDS_MAX) ||
            (!is_again && stage()->seen[number] != 0))
            add(&report->wrong, 1);
        else
            stage()->seen[number] |= is_again ? SEEN_AGAIN : SEEN_NEW;
        add(&report->redelivered, is_again);
        add(&report->done, 1);
    }
    EXPECT_STATUS(gyre_release(member), GYRE_OK);
}

static void report_sleeps(struct gyre_consumer *member, struct member_report *report)
{
    gyre_store_release_64(&report->sleeps, gyre_load_relaxed_64(&member->seat->sleep_count));
    gyre_store_release_64(&report->missed, gyre_load_relaxed_64(&member->seat->missed_count));
}

static int be_member(uint32_t number)
{
    struct member_report *report = &stage()->members[number];
    struct gyre_consumer *member = open_member(1 + 5 * (number % 2));
    enum gyre_status      status;

    gyre_store_release_64(&report->is_ready, 1);
    while ((status = gyre_wait(member, trial_patience())) == GYRE_OK) {
        work(member, report);
        report_sleeps(member, report);
    }
    EXPECT_STATUS(status, GYRE_CLOSED);
    gyre_consumer_close(member);
    return 0;
}

static struct gyre_producer *open_producer(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = stage()->capacity;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    return producer;
}

static void send(struct gyre_producer *producer, uint64_t number)
{
    uint64_t message[WORDS_MAX];
    uint32_t words = payload_words(number, WORDS_MAX);

    payload_write(message, words, number, 5);
    EXPECT_STATUS(gyre_send(producer, message, words * 8, trial_patience()), GYRE_OK);
}

static int feed(uint32_t count)
{
    struct gyre_producer *producer = open_producer();

    EXPECT_STATUS(gyre_producer_wait_consumers(producer, MEMBER_COUNT, trial_patience()), GYRE_OK);
    for (uint64_t i = 0; i < count; i++) {
        send(producer, i);
        gyre_store_release_64(&stage()->sent, i + 1);
    }
    trial_await(&stage()->may_close, 1);
    gyre_producer_close(producer);
    return 0;
}

static uint64_t total_done(void)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < MEMBER_COUNT; i++)
        total += gyre_load_acquire_64(&stage()->members[i].done);
    return total;
}

static void await_done(uint64_t count)
{
    uint64_t until = trial_patience();
    uint64_t last = 0;

    for (uint64_t done; (done = total_done()) < count; process_nap()) {
        if (done != last)
            until = trial_patience();
        last = done;
        EXPECT(gyre_now_ns() < until, "the group is stuck behind %llu of %llu messages",
               (unsigned long long)done, (unsigned long long)count);
    }
}

static void start_member(struct process *members, uint32_t number)
{
    gyre_store_release_64(&stage()->members[number].is_ready, 0);
    trial_start(&members[number], "be_member", number);
    trial_await(&stage()->members[number].is_ready, 1);
}

/* True if every message was seen; counts those that were seen again. */
static void count_seen(uint32_t count, uint64_t *lost, uint64_t *twice)
{
    *lost = 0;
    *twice = 0;
    for (uint32_t i = 0; i < count; i++) {
        *lost += stage()->seen[i] == 0;
        *twice += stage()->seen[i] == (SEEN_NEW | SEEN_AGAIN);
    }
}

static void kill_members(enum gyre_wait_strategy wait, uint64_t capacity, uint32_t count,
                         uint32_t kills)
{
    struct process members[MEMBER_COUNT], feeder;
    uint64_t       random = 99, redelivered = 0, lost, twice, began;

    stage()->wait = wait;
    stage()->capacity = capacity;
    trial_start(&feeder, "feed", count);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++)
        start_member(members, i);
    began = gyre_now_ns();
    for (uint32_t i = 0; i < kills; i++) {
        uint32_t victim = (uint32_t)(trial_random(&random) % MEMBER_COUNT);
        uint64_t step = (count - count / 10) / kills;
        await_done((uint64_t)i * step + trial_random(&random) % step);
        process_kill(&members[victim]);
        start_member(members, victim);
    }
    trial_await(&stage()->sent, count);
    gyre_store_release_64(&stage()->may_close, 1);
    trial_finish(&feeder);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) {
        trial_finish(&members[i]);
        EXPECT_EQ(stage()->members[i].wrong, 0);
        redelivered += stage()->members[i].redelivered;
    }
    count_seen(count, &lost, &twice);
    trial_note("%u messages, %u kills in %.1f s: %llu redelivered, %llu of them done before, "
               "%llu lost",
               count, kills, (double)(gyre_now_ns() - began) / 1e9, (unsigned long long)redelivered,
               (unsigned long long)twice, (unsigned long long)lost);
    EXPECT_EQ(lost, 0);
    EXPECT(redelivered <= kills * UINT64_C(6), "more came again than the dead can have had");
    EXPECT(twice <= redelivered, "a message came twice and was not marked");
}

static void members_that_are_killed_lose_nothing(void)
{
    kill_members(GYRE_WAIT_SPIN_THEN_SLEEP, 1u << 20, trial_rounds(1000000, 60000),
                 trial_rounds(20, 6));
}

/* In a small ring, the producer waits for those who are killed. */
static void members_that_are_killed_hold_nobody_up(void)
{
    kill_members(GYRE_WAIT_SLEEP, 4096, trial_rounds(20000, 2000), trial_rounds(20, 6));
}

/* --- waking ----------------------------------------------------------------------------------- */

static uint64_t total_sleeps(void)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < MEMBER_COUNT; i++)
        total += gyre_load_acquire_64(&stage()->members[i].sleeps);
    return total;
}

static void one_message_wakes_one_member_and_none_is_slept_through(void)
{
    uint32_t              rounds = trial_rounds(20000, 400);
    struct process        members[MEMBER_COUNT];
    struct gyre_producer *producer;
    uint64_t              began, worst = 0, missed = 0, slow = 0, slices;

    stage()->wait = GYRE_WAIT_SLEEP;
    stage()->capacity = 65536;
    producer = open_producer();
    for (uint32_t i = 0; i < MEMBER_COUNT; i++)
        start_member(members, i);
    began = gyre_now_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t sent_ns = gyre_now_ns();
        send(producer, i);
        await_done(i + 1);
        sent_ns = gyre_now_ns() - sent_ns;
        slow += sent_ns >= UINT64_C(95000000);
        if (sent_ns > worst)
            worst = sent_ns;
    }
    slices =
        MEMBER_COUNT * (1 + (gyre_now_ns() - began) / (TRIAL_IS_WINDOWS ? 2000000 : 100000000));
    gyre_producer_close(producer);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) {
        trial_finish(&members[i]);
        EXPECT_EQ(stage()->members[i].wrong, 0);
        missed += stage()->members[i].missed;
    }
    trial_note("%u messages, %llu sleeps of %u members, %.2f ms at worst, %llu missed", rounds,
               (unsigned long long)total_sleeps(), MEMBER_COUNT, (double)worst / 1e6,
               (unsigned long long)missed);
    EXPECT_EQ(missed, 0);
    EXPECT(slow <= rounds / 2000, "%llu rounds took the time of a slice", (unsigned long long)slow);
    EXPECT(total_sleeps() <= rounds + rounds / 4 + slices, "one message wakes several");
}

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        {"members_that_are_killed_lose_nothing", members_that_are_killed_lose_nothing},
        {"members_that_are_killed_hold_nobody_up", members_that_are_killed_hold_nobody_up},
        {"one_message_wakes_one_member_and_none_is_slept_through",
         one_message_wakes_one_member_and_none_is_slept_through},
    };
    static const struct role roles[] = {{"be_member", be_member}, {"feed", feed}};

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}

#else

int main(void)
{
    printf("ok - groups # SKIP no 16-byte compare and exchange here\n");
    return 0;
}

#endif
