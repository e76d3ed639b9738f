/*
 * test_groups.c - work-sharing groups: who gets what, what becomes of a member's claim, how a group
 * begins and ends, and what it tells.  All in one process; deaths are in process/test_members.c.
 */
#include <string.h>

#include "handles.h"
#include "internal.h"

#ifdef GYRE_HAS_PAIRS

#define CAPACITY 4096u
#define FRAMES (CAPACITY / 64)

struct wishes {
    const char             *group;
    enum gyre_start         start;
    enum gyre_consumer_kind kind;
    uint32_t                flags;
    uint32_t                claim_count;
};

static enum gyre_status try_member(const char *name, const struct wishes *wishes,
                                   struct gyre_consumer **member, struct gyre_error *error)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.group = wishes->group;
    options.start = (uint32_t)wishes->start;
    options.kind = (uint32_t)wishes->kind;
    options.group_flags = wishes->flags;
    options.claim_count = wishes->claim_count;
    return gyre_consumer_open(name, &options, member, error);
}

static struct gyre_consumer *open_member(const char *name, const char *group)
{
    const struct wishes   wishes = {group, GYRE_START_NEWEST, GYRE_RELIABLE, 0, 0};
    struct gyre_consumer *member = NULL;

    CHECK_EQ(try_member(name, &wishes, &member, NULL), GYRE_OK);
    return member;
}

static void send(struct gyre_producer *producer, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        CHECK_EQ(gyre_send(producer, &i, sizeof(i), 0), GYRE_OK);
}

/* Peeks the next message, which is number `number`. */
static void peek(struct gyre_consumer *member, uint64_t number)
{
    uint64_t    found;
    uint32_t    size = 0;
    const void *message = gyre_peek(member, &size);

    CHECK(message != NULL);
    CHECK_EQ(size, sizeof(found));
    memcpy(&found, message, sizeof(found));
    CHECK_EQ(found, number);
}

static void take_one(struct gyre_consumer *member, uint64_t number)
{
    peek(member, number);
    CHECK_EQ(gyre_release(member), GYRE_OK);
}

static struct gyre_group_info inspect_group(const char *name)
{
    struct gyre_group_info info;
    uint32_t               count = 0;

    CHECK_EQ(gyre_ring_inspect_groups(name, &info, 1, &count, NULL), GYRE_OK);
    CHECK_EQ(count, 1);
    return info;
}

static void check_asleep(const char *name, uint32_t first, uint32_t second)
{
    struct gyre_ring_info info = {.size = sizeof(info)};
    struct gyre_seat_info seats[2];
    uint32_t              taken = 0;

    CHECK_EQ(gyre_ring_inspect(name, &info, seats, 2, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 2);
    CHECK_EQ(seats[0].is_asleep, first);
    CHECK_EQ(seats[1].is_asleep, second);
}

SCENARIO(groups, a_member_that_sleeps_is_shown_asleep)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *members[2] = {open_member(name, "g"), open_member(name, "g")};
    intptr_t              handle;
    uint64_t              rearm_ns;

    check_asleep(name, 0, 0);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(gyre_consumer_handle(members[i], &handle, NULL), GYRE_OK);
        CHECK_EQ(gyre_consumer_arm(members[i], &rearm_ns), GYRE_TIMEOUT);
        check_asleep(name, 1, i);
    }
    send(producer, 0, 1); /* wakes one of them */
    CHECK_EQ(gyre_consumer_arm(members[0], &rearm_ns), GYRE_OK);
    take_one(members[0], 0);
    gyre_consumer_close(members[0]);
    gyre_consumer_close(members[1]);
    gyre_producer_close(producer);
}

SCENARIO(groups, each_message_goes_to_one_member)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");
    uint32_t              size;

    send(producer, 0, 4);
    peek(a, 0);
    peek(b, 1);
    CHECK(gyre_peek(a, &size) == NULL);
    CHECK_EQ(gyre_wait(a, 0), GYRE_BAD_ARGUMENT); /* what it has is to be released first */
    CHECK_EQ(gyre_release(b), GYRE_OK);
    take_one(b, 2);
    CHECK_EQ(gyre_release(a), GYRE_OK);
    CHECK_EQ(gyre_wait(a, 0), GYRE_OK);
    CHECK_EQ(gyre_wait(b, 0), GYRE_TIMEOUT); /* a has claimed the last one */
    take_one(a, 3);
    CHECK_EQ(gyre_wait(a, 0), GYRE_TIMEOUT);
    CHECK_EQ(gyre_consumer_is_redelivered(a), 0);
    gyre_consumer_close(a);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

SCENARIO(groups, they_live_beside_each_other_and_beside_other_consumers)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "one");
    struct gyre_consumer *b = open_member(name, "two");
    struct gyre_consumer *all = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);

    for (uint64_t i = 0; i < 5 * FRAMES; i++) { /* laps, with padding */
        uint64_t message[9] = {i};
        uint32_t size = 0;
        CHECK_EQ(gyre_send(producer, message, sizeof(message), 0), GYRE_OK);
        CHECK_EQ(*(const uint64_t *)gyre_peek(a, &size), i);
        CHECK_EQ(*(const uint64_t *)gyre_peek(b, &size), i);
        CHECK_EQ(*(const uint64_t *)gyre_peek(all, &size), i);
        CHECK_EQ(*(const uint64_t *)gyre_peek(tap, &size), i);
        CHECK_EQ(size, sizeof(message));
        CHECK_EQ(gyre_consumer_seq(a), i + 1);
        CHECK_EQ(gyre_release(a), GYRE_OK);
        CHECK_EQ(gyre_release(b), GYRE_OK);
        CHECK_EQ(gyre_release(all), GYRE_OK);
        CHECK_EQ(gyre_release(tap), GYRE_OK);
    }
    gyre_consumer_close(a);
    gyre_consumer_close(b);
    gyre_consumer_close(all);
    gyre_consumer_close(tap);
    gyre_producer_close(producer);
}

SCENARIO(groups, what_a_member_leaves_goes_to_another_one_and_is_marked)
{
    const struct wishes   batch = {"workers", GYRE_START_NEWEST, GYRE_RELIABLE, 0, 3};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL, *b;

    CHECK_EQ(try_member(name, &batch, &a, NULL), GYRE_OK);
    b = open_member(name, "workers");
    send(producer, 0, 4);
    peek(a, 0);
    CHECK_EQ(gyre_release(a), GYRE_OK);
    peek(a, 1);
    gyre_consumer_close(a); /* 1 and 2 were its own */
    CHECK_EQ(inspect_group(name).orphan_count, 1);
    take_one(b, 1);
    CHECK_EQ(gyre_consumer_is_redelivered(b), 1);
    take_one(b, 2);
    CHECK_EQ(gyre_consumer_is_redelivered(b), 1);
    take_one(b, 3);
    CHECK_EQ(gyre_consumer_is_redelivered(b), 0);
    CHECK_EQ(gyre_wait(b, 0), GYRE_TIMEOUT);
    CHECK_EQ(inspect_group(name).orphan_count, 0);
    CHECK_EQ(inspect_group(name).redelivered_count, 1);
    CHECK_EQ(inspect_group(name).member_count, 1);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

/* One who dies between the two stores of a release leaves the number of the next message. */
SCENARIO(groups, what_is_taken_over_has_the_number_of_its_header)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");

    send(producer, 0, 1);
    peek(a, 0);
    gyre_store_relaxed_64(&a->seat->claim_seq, 1);
    gyre_consumer_close(a);
    take_one(b, 0);
    CHECK_EQ(gyre_consumer_is_redelivered(b), 1);
    CHECK_EQ(gyre_consumer_seq(b), 1);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

/* Else the last look before a sleep would see nothing, a lap of messages behind. */
SCENARIO(groups, an_overrun_lossy_group_is_ready_whatever_lies_at_its_next_header)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 0};
    const char            zeros[1000] = {0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    send(producer, 0, 1);
    take_one(a, 0);
    CHECK(!gyre__is_ready(a));
    for (int i = 0; i < 4; i++) /* the fourth is where the second was, but for its header */
        CHECK_EQ(gyre_send(producer, zeros, sizeof(zeros), 0), GYRE_OK);
    CHECK(gyre__is_ready(a));
    CHECK_EQ(gyre_wait(a, 0), GYRE_GAP);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

/* A member of another group has the seat that claimed last, and tries for the same end. */
SCENARIO(groups, nobody_helps_a_claim_of_another_group)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");
    struct gyre_consumer *other;
    uint64_t              tried;

    send(producer, 0, 1);
    take_one(a, 0);
    tried = a->own_released_pos | GYRE_CLAIM_TRIED;
    gyre_consumer_close(a);
    other = open_member(name, "others"); /* on the same seat */
    gyre_store_relaxed_64(&other->seat->claim, tried);
    send(producer, 1, 1);
    take_one(b, 1);
    CHECK_EQ(gyre_load_relaxed_64(&other->seat->claim), tried);
    gyre_store_relaxed_64(&other->seat->claim, GYRE_CLAIM_NONE);
    gyre_consumer_close(other);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

SCENARIO(groups, one_who_leaves_with_what_another_left_leaves_it_to_a_third)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");
    struct gyre_consumer *c = open_member(name, "workers");

    send(producer, 0, 1);
    peek(a, 0);
    gyre_consumer_close(a);
    peek(b, 0);
    CHECK_EQ(gyre_consumer_is_redelivered(b), 1);
    CHECK_EQ(gyre_wait(c, 0), GYRE_TIMEOUT); /* b has it */
    gyre_consumer_close(b);
    take_one(c, 0);
    CHECK_EQ(gyre_consumer_is_redelivered(c), 1);
    CHECK_EQ(gyre_wait(c, 0), GYRE_TIMEOUT);
    gyre_consumer_close(c);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_reliable_one_holds_the_producer_back)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");
    uint64_t              sent = 0, message = 0;

    while (gyre_send(producer, &sent, sizeof(sent), 0) == GYRE_OK)
        sent++;
    CHECK(sent >= FRAMES / 2 && sent < FRAMES);
    peek(a, 0);
    for (uint64_t i = 1; i < sent; i++)
        take_one(b, i);
    /* All are claimed, but a has the oldest. */
    CHECK_EQ(gyre_send(producer, &message, sizeof(message), 0), GYRE_TIMEOUT);
    CHECK_EQ(gyre_release(a), GYRE_OK);
    send(producer, sent, FRAMES / 2);
    for (uint64_t i = sent; i < sent + FRAMES / 2; i++)
        take_one(i % 2 == 0 ? a : b, i);
    gyre_consumer_close(a);
    send(producer, sent, FRAMES / 2);
    gyre_consumer_close(b); /* the group ends */
    send(producer, 0, 5 * FRAMES);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_kept_one_holds_the_producer_back_without_members)
{
    const struct wishes   kept = {"workers", GYRE_START_NEWEST, GYRE_RELIABLE, GYRE_GROUP_KEEP, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;
    uint64_t              sent = 0;

    CHECK_EQ(try_member(name, &kept, &a, NULL), GYRE_OK);
    gyre_consumer_close(a);
    while (gyre_send(producer, &sent, sizeof(sent), 0) == GYRE_OK)
        sent++;
    CHECK(sent >= FRAMES / 2 && sent < FRAMES);
    CHECK_EQ(inspect_group(name).member_count, 0);
    CHECK_EQ(try_member(name, &kept, &a, NULL), GYRE_OK);
    for (uint64_t i = 0; i < sent; i++)
        take_one(a, i);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_lossy_one_counts_exactly_what_it_lost)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL, *b = NULL;
    uint64_t              lost, next;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    CHECK_EQ(try_member(name, &lossy, &b, NULL), GYRE_OK);
    send(producer, 0, 3);
    take_one(a, 0);
    peek(b, 1);
    send(producer, 3, 10 * FRAMES);
    CHECK_EQ(gyre_release(b), GYRE_GAP); /* it was overwritten while b had it */
    CHECK_EQ(gyre_consumer_gap(b), 1);
    CHECK_EQ(gyre_wait(a, 0), GYRE_GAP);
    lost = gyre_consumer_gap(a);
    next = 2 + lost; /* 0 and 1 had been claimed */
    take_one(b, next);
    take_one(a, next + 1);
    CHECK_EQ(inspect_group(name).lost_count, lost + 1);
    gyre_consumer_close(a);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_gap_that_a_peek_meets_is_told_by_the_next_wait)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;
    uint64_t              lost;
    uint32_t              size;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    send(producer, 0, 10 * FRAMES);
    CHECK(gyre_peek(a, &size) == NULL);
    CHECK_EQ(gyre_wait(a, 0), GYRE_GAP);
    lost = gyre_consumer_gap(a);
    CHECK(lost >= 9 * FRAMES);
    CHECK_EQ(gyre_consumer_lost(a), lost);
    CHECK_EQ(inspect_group(name).lost_count, lost);
    take_one(a, lost);
    CHECK_EQ(gyre_wait(a, 0), GYRE_OK);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_member_that_joins_rings_a_producer_that_waits_for_consumers)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a;

    CHECK_EQ(producer->ring.room->bell, 0);
    a = open_member(name, "workers");
    CHECK_EQ(producer->ring.room->bell, 1);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

/* Peek finds no frame there any more; the caller cannot release what it was never given. */
SCENARIO(groups, a_lossy_claim_that_is_overwritten_before_it_is_peeked_is_a_gap)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 3};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;
    uint32_t              size;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    send(producer, 0, 3);
    CHECK_EQ(gyre_wait(a, 0), GYRE_OK); /* it has claimed all three */
    send(producer, 3, 10 * FRAMES);
    CHECK(gyre_peek(a, &size) == NULL);
    CHECK_EQ(gyre_wait(a, 0), GYRE_GAP);
    CHECK_EQ(gyre_consumer_gap(a), 3);
    CHECK_EQ(gyre_wait(a, 0), GYRE_GAP); /* and what the group lost meanwhile */
    CHECK_EQ(gyre_wait(a, 0), GYRE_OK);
    peek(a, 3 + gyre_consumer_gap(a));
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, all_are_told_the_end_when_the_last_claim_is_released)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = open_member(name, "workers");

    send(producer, 0, 1);
    peek(a, 0);
    gyre_producer_close(producer);
    CHECK_EQ(gyre_wait(b, 0), GYRE_TIMEOUT); /* a may yet die */
    CHECK_EQ(gyre_release(a), GYRE_OK);
    CHECK_EQ(gyre_wait(b, 0), GYRE_CLOSED);
    CHECK_EQ(gyre_wait(a, 0), GYRE_CLOSED);
    gyre_consumer_close(a);
    gyre_consumer_close(b);
}

SCENARIO(groups, the_first_member_says_where_a_group_starts)
{
    const struct wishes          oldest = {"old", GYRE_START_OLDEST, GYRE_RELIABLE, 0, 0};
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    const char                  *name = ring_dir_name();
    struct gyre_producer        *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer        *a = NULL, *b = NULL, *c = NULL;
    struct gyre_error            error;

    send(producer, 0, 8);
    CHECK_EQ(try_member(name, &oldest, &a, NULL), GYRE_OK);
    take_one(a, 0);
    b = open_member(name, "old"); /* joins where the group is */
    take_one(b, 1);
    options.group = "by-number";
    options.start = GYRE_START_SEQ;
    options.start_seq = 5;
    CHECK_EQ(gyre_consumer_open(name, &options, &c, NULL), GYRE_OK);
    take_one(c, 5);
    gyre_consumer_close(c);
    c = open_member(name, "new");
    CHECK_EQ(gyre_wait(c, 0), GYRE_TIMEOUT);
    gyre_consumer_close(c);
    options.start_seq = 9;
    options.group = "too-early";
    CHECK_EQ(gyre_consumer_open(name, &options, &c, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "start_seq");
    gyre_consumer_close(a);
    gyre_consumer_close(b);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_wish_that_does_not_fit_the_group_is_named)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 0};
    const struct wishes   kept = {"workers", GYRE_START_NEWEST, GYRE_RELIABLE, GYRE_GROUP_KEEP, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");
    struct gyre_consumer *b = NULL;
    struct gyre_error     error;
    struct gyre_ring_info info;
    uint32_t              taken;
    struct gyre_seat_info seats[4];

    CHECK_EQ(try_member(name, &lossy, &b, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "kind");
    CHECK_EQ(try_member(name, &kept, &b, &error), GYRE_EXISTS);
    CHECK_STR(error.field, "group_flags");
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect(name, &info, seats, 4, &taken, NULL), GYRE_OK);
    CHECK_EQ(taken, 1); /* nobody sits where those tried */
    CHECK_STR(seats[0].group, "workers");
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_ring_has_sixteen_and_the_next_is_refused)
{
    const struct wishes   more = {"more", GYRE_START_NEWEST, GYRE_RELIABLE, 0, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *members[GYRE_GROUPS_MAX], *another = NULL;
    struct gyre_error     error;

    for (uint32_t i = 0; i < GYRE_GROUPS_MAX; i++) {
        char group[2] = {(char)('a' + i), '\0'};
        members[i] = open_member(name, group);
    }
    CHECK_EQ(try_member(name, &more, &another, &error), GYRE_NO_SEAT);
    CHECK_STR(error.field, "group");
    send(producer, 0, 1);
    for (uint32_t i = 0; i < GYRE_GROUPS_MAX; i++)
        take_one(members[i], 0);
    gyre_consumer_close(members[3]);
    CHECK_EQ(try_member(name, &more, &another, &error), GYRE_OK);
    gyre_consumer_close(another);
    for (uint32_t i = 0; i < GYRE_GROUPS_MAX; i++)
        if (i != 3)
            gyre_consumer_close(members[i]);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_position_that_no_member_could_have_set_ends_the_group)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = open_member(name, "workers");

    a->member.group->next[GYRE_NEXT_POS] += UINT64_C(1) << 20;
    send(producer, 0, 5 * FRAMES);
    CHECK_EQ(gyre_wait(a, 0), GYRE_EVICTED);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

/* The same place in the ring, but a place that never seems overwritten. */
SCENARIO(groups, a_position_whole_laps_ahead_gives_nobody_a_byte)
{
    for (int kind = GYRE_RELIABLE; kind <= GYRE_LOSSY; kind++) {
        const struct wishes   wishes = {"workers", GYRE_START_NEWEST, (enum gyre_consumer_kind)kind,
                                        0, 0};
        const char           *name = ring_dir_name();
        struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
        struct gyre_consumer *a = NULL;
        uint32_t              size;

        CHECK_EQ(try_member(name, &wishes, &a, NULL), GYRE_OK);
        send(producer, 0, 2);
        take_one(a, 0);
        a->member.group->next[GYRE_NEXT_POS] += 3 * CAPACITY;
        CHECK(gyre_peek(a, &size) == NULL);
        CHECK_EQ(gyre_wait(a, 0), GYRE_EVICTED);
        a->member.group->next[GYRE_NEXT_POS] -= 3 * CAPACITY;
        CHECK(gyre_peek(a, &size) == NULL);
        gyre_consumer_close(a);
        gyre_producer_close(producer);
    }
}

/* No landmark is behind the horizon: to a member, a producer that is always faster. */
SCENARIO(groups, a_horizon_that_runs_away_is_corrupt_and_no_loop)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 0};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    send(producer, 0, 5);
    producer->ring.front->horizon_pos = 1u << 20;
    CHECK_EQ(gyre_wait(a, 0), GYRE_CORRUPT);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_member_that_was_told_that_it_is_evicted_stays_so)
{
    const struct wishes   lossy = {"workers", GYRE_START_NEWEST, GYRE_LOSSY, 0, 2};
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *a = NULL;
    uint32_t              size;

    CHECK_EQ(try_member(name, &lossy, &a, NULL), GYRE_OK);
    send(producer, 0, 2);
    peek(a, 0);
    a->member.group->control++;
    CHECK_EQ(gyre_wait(a, 0), GYRE_EVICTED);
    a->member.group->control--;
    CHECK_EQ(gyre_wait(a, 0), GYRE_EVICTED);
    CHECK(gyre_peek(a, &size) == NULL);
    send(producer, 2, 2 * FRAMES); /* what it holds is gone */
    CHECK_EQ(gyre_release(a), GYRE_EVICTED);
    CHECK_EQ(gyre_release(a), GYRE_EVICTED);
    gyre_consumer_close(a);
    gyre_producer_close(producer);
}

SCENARIO(groups, a_member_waits_together_with_others)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *crowd[3];
    uint32_t              which = 99;
    uint64_t              rearm;

    crowd[0] = open_member(name, "workers");
    crowd[1] = open_member(name, "workers");
    crowd[2] = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre_wait_any(crowd, 3, gyre_now_ns() + 2000000, &which), GYRE_TIMEOUT);
    CHECK_EQ(gyre_consumer_arm(crowd[0], &rearm), GYRE_TIMEOUT);
    CHECK(rearm != GYRE_FOREVER);
    send(producer, 0, 2);
    CHECK_EQ(gyre_wait_any(crowd, 2, 0, &which), GYRE_OK);
    take_one(crowd[which], 0);
    CHECK_EQ(gyre_wait_any(crowd, 3, GYRE_FOREVER, &which), GYRE_OK);
    for (uint32_t i = 0; i < 3; i++)
        gyre_consumer_close(crowd[i]);
    gyre_producer_close(producer);
}

/* The groups' bits in the sleepers word are the last seats' too. */
SCENARIO(groups, a_neighbour_that_wakes_up_does_not_say_that_the_group_is_awake)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, CAPACITY, 64);
    struct gyre_consumer *others[GYRE_SLEEPERS_PER_WORD - 1];
    struct gyre_consumer *member = open_member(name, "group");
    const uint32_t        last = GYRE_SLEEPERS_PER_WORD - 2;
    uint64_t              rearm;

    for (uint32_t i = 0; i <= last; i++)
        others[i] = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    CHECK_EQ(gyre__sleeper_bit(others[last]->seat_idx), gyre__group_bit(0));
    CHECK_EQ(gyre_consumer_arm(member, &rearm), GYRE_TIMEOUT);
    CHECK_EQ(gyre_wait(others[last], gyre_now_ns() + 1000000), GYRE_TIMEOUT);
    CHECK((producer->ring.sleepers->mask & gyre__group_bit(0)) != 0);
    gyre_consumer_close(others[last]);
    CHECK((producer->ring.sleepers->mask & gyre__group_bit(0)) != 0);
    for (uint32_t i = 0; i < last; i++)
        gyre_consumer_close(others[i]);
    gyre_consumer_close(member);
    gyre_producer_close(producer);
}

#else

SCENARIO(groups, need_a_machine_with_wide_exchanges)
{
    SKIP_SCENARIO("no 16-byte compare and exchange here");
}

#endif
