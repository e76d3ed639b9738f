/*
 * fuzz_hostile_consumer.c - a consumer writes anything to CTRL, before and during whatever the
 * producer and the honest consumers do.  What it may cost them is time, and their seat if its own
 * words were written; never a wrong byte, a lost one that is not told, or a call without an end.
 * Members of a group share words that the hostile one may write: once it has written to a group or
 * a seat, they may get a message twice or not at all, or take bytes inside a payload for a message.
 *
 * The first four bytes choose the ring; then come operations, a byte each with its arguments.  The
 * areas are whole maps, so a new word in CTRL is under attack without a change here; new operations
 * go to the end of the table.
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "internal.h"
#include "memory_sync.h"
#include "pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONSUMERS 4u
#define HELD_MAX 16u
#define MESSAGES 4096u
#define GROUPS 2u
#define OPERATIONS_MAX 400u
#define NAME "ring"

struct reader {
    struct gyre_consumer *handle;
    uint64_t              next_seq;
    bool                  is_over; /* EVICTED */
    uint32_t              held_count;
    const void           *held[HELD_MAX];
    uint32_t              held_size[HELD_MAX];
    uint64_t              held_seq[HELD_MAX];
    uint32_t              group; /* a member's */
};

struct message {
    uint64_t seq;
    uint64_t offset;
    uint32_t size;
};

static struct gyre_ring_options options;
static struct gyre_producer    *producer;
static struct reader            readers[CONSUMERS];
static struct message           messages[MESSAGES];     /* the last ones, by their number */
static uint64_t                 done[GROUPS][MESSAGES]; /* one more than what was released last */
static uint64_t group_controls[GROUPS]; /* the life of the group that `done` is of */
static bool     is_touched[GYRE_SEAT_LIMIT];
static bool     is_hurt;         /* some seat or group: members can tell nothing for sure */
static bool     is_ctrl_touched; /* its header: nobody can attach any more */

static void touch(uint64_t offset)
{
    if (offset >= GYRE_SEATS_OFF)
        is_touched[(offset - GYRE_SEATS_OFF) / GYRE_LINE_SIZE] = true;
    else if (offset < GYRE_SLEEPERS_OFF)
        is_ctrl_touched = true;
    is_hurt = is_hurt || offset >= GYRE_GROUPS_OFF;
}

static uint64_t soon(void)
{
    return gyre_now_ns() + 200000;
}

/* Long enough to look after the dead; a spinning wait would look too often until then. */
static uint64_t later(const struct reader *reader)
{
    return reader->handle->wait == GYRE_WAIT_SPIN ? soon() : gyre_now_ns() + 2 * GYRE_PEER_CHECK_NS;
}

static bool is_member(const struct reader *reader)
{
    return reader->handle->member.group != NULL;
}

static bool may_be_evicted(const struct reader *reader)
{
    if (is_member(reader))
        return is_hurt;
    return reader->handle->seat != NULL && is_touched[reader->handle->seat_idx];
}

/* --- the producer ----------------------------------------------------------------------------- */

/* True with a message claimed. */
static bool fill(void *payload, uint32_t size)
{
    uint64_t             seq = gyre_producer_seq(producer) - 1;
    const unsigned char *bytes = payload;
    const unsigned char *ring = producer->ring.bytes;

    if (payload == NULL)
        return false;
    HOSTILE_CHECK(bytes >= ring && bytes + size <= ring + producer->ring.geometry.capacity);
    pattern_fill(payload, size, seq);
    messages[seq % MESSAGES] = (struct message){seq, (uint64_t)(bytes - ring), size};
    return true;
}

static void open_producer(void)
{
    enum gyre_status status = gyre_producer_open(NAME, &options, &producer, NULL);

    if (status != GYRE_OK)
        HOSTILE_CHECK(is_ctrl_touched);
}

/* --- the honest consumers --------------------------------------------------------------------- */

static void open_reader(struct reader *reader, uint32_t choice, bool is_shared)
{
    static const char *const     names[GROUPS] = {"a", "b"};
    struct gyre_consumer_options how = GYRE_CONSUMER_OPTIONS_INIT;
    enum gyre_status             status;

    if (reader->handle != NULL)
        gyre_consumer_close(reader->handle);
    memset(reader, 0, sizeof(*reader));
    how.kind = choice % 3;
    how.start = choice / 3 % 3;
    how.on_gap = choice / 9 % 2;
    how.start_seq = choice / 18;
    how.spin_ns = 1;
    how.wait = choice / 7 % 3;
    if (is_shared) {
        reader->group = choice % GROUPS;
        how.group = names[reader->group];
        how.kind = choice / 4 % 2;
        how.group_flags = choice % 11 == 0 ? GYRE_GROUP_KEEP : 0;
        how.claim_count = choice / 16;
    }
    hostile_call();
    status = gyre_consumer_open(NAME, &how, &reader->handle, NULL);
    HOSTILE_CHECK(status == GYRE_OK || status == GYRE_NO_SEAT || status == GYRE_BAD_ARGUMENT ||
                  (status == GYRE_EXISTS && is_shared) ||
                  (status == GYRE_BAD_LAYOUT && is_ctrl_touched));
    if (status != GYRE_OK) {
        reader->handle = NULL;
        return;
    }
    reader->next_seq =
        how.start == GYRE_START_SEQ ? how.start_seq : gyre_consumer_seq(reader->handle);
    if (is_shared && group_controls[reader->group] != reader->handle->member.control) {
        group_controls[reader->group] = reader->handle->member.control;
        memset(done[reader->group], 0, sizeof(done[reader->group]));
    }
}

/* Its process dies between two calls. */
static void kill_reader(struct reader *reader)
{
    if (reader->handle == NULL)
        return;
    memory_sync_bury(reader->handle->ring.site);
    reader->handle->ring.is_forked = true; /* so that close leaves the ring as it is */
    reader->handle->ring.is_attached = false;
    gyre_consumer_close(reader->handle);
    memset(reader, 0, sizeof(*reader));
}

static void judge_status(struct reader *reader, enum gyre_status status)
{
    uint64_t pending;

    if (status == GYRE_EVICTED) {
        HOSTILE_CHECK(may_be_evicted(reader));
        reader->is_over = true;
        return;
    }
    if (status == GYRE_CORRUPT && is_member(reader) && is_hurt) {
        reader->is_over = true;
        return;
    }
    HOSTILE_CHECK(!reader->is_over || status == GYRE_INTERRUPTED);
    HOSTILE_CHECK(status >= GYRE_OK || status == GYRE_TOO_LARGE ||
                  (status == GYRE_BAD_ARGUMENT && is_member(reader) && reader->held_count != 0));
    if (status != GYRE_GAP)
        return;
    reader->held_count = 0;
    if (is_member(reader))
        return;
    /* A gap found at the open is told by a wait, behind one that a release may find before. */
    pending = reader->handle->gap_pending;
    HOSTILE_CHECK(gyre_consumer_seq(reader->handle) - reader->next_seq ==
                  gyre_consumer_gap(reader->handle) + pending);
    reader->next_seq = gyre_consumer_seq(reader->handle) - pending;
}

static bool is_whole(const void *payload, uint32_t size, uint64_t seq)
{
    const struct message *message = &messages[seq % MESSAGES];

    return size == message->size && seq == message->seq && pattern_matches(payload, size, seq);
}

/* What a member has released is a message, and was nobody else's. */
static void judge_share(struct reader *reader, const void *payload, uint32_t size, uint64_t seq)
{
    uint64_t *is_done = &done[reader->group][seq % MESSAGES];

    if (is_hurt)
        return;
    HOSTILE_CHECK(is_whole(payload, size, seq));
    HOSTILE_CHECK(*is_done != seq + 1);
    *is_done = seq + 1;
}

/* Where a message lies, and as long as it is, nothing else was given out. */
static bool is_good_if_message(const struct reader *reader, uint32_t idx)
{
    const unsigned char  *payload = reader->held[idx];
    const struct message *message = &messages[reader->held_seq[idx] % MESSAGES];

    return message->offset != (uint64_t)(payload - reader->handle->ring.bytes) ||
           message->size != reader->held_size[idx] || message->seq != reader->held_seq[idx] ||
           pattern_matches(payload, message->size, message->seq);
}

static void do_release(struct reader *reader)
{
    uint64_t         seq = reader->next_seq;
    bool             is_good = true;
    enum gyre_status status;

    for (uint32_t i = 0; i < reader->held_count; i++, seq++)
        is_good =
            is_good && (is_member(reader) ? is_good_if_message(reader, i)
                                          : is_whole(reader->held[i], reader->held_size[i], seq));
    status = gyre_release(reader->handle);
    if (status == GYRE_OK) {
        HOSTILE_CHECK(is_good);
        for (uint32_t i = 0; is_member(reader) && i < reader->held_count; i++)
            judge_share(reader, reader->held[i], reader->held_size[i], reader->held_seq[i]);
        reader->next_seq = seq;
    } else {
        judge_status(reader, status);
    }
    reader->held_count = 0;
}

static void do_peek(struct reader *reader)
{
    const unsigned char *ring = reader->handle->ring.bytes;
    const unsigned char *message;
    uint32_t             size = 0;

    if (reader->held_count == HELD_MAX)
        do_release(reader);
    message = gyre_peek(reader->handle, &size);
    if (message == NULL)
        return;
    HOSTILE_CHECK(message >= ring && message + size <= ring + options.capacity);
    reader->held[reader->held_count] = message;
    reader->held_seq[reader->held_count] = gyre_consumer_seq(reader->handle) - 1;
    reader->held_size[reader->held_count++] = size;
}

static void do_recv(struct reader *reader, uint32_t capacity)
{
    static unsigned char buffer[8192];
    uint32_t             size = 0;
    enum gyre_status     status;

    if (reader->held_count != 0)
        do_release(reader);
    hostile_call();
    status = gyre_recv(reader->handle, buffer, capacity, &size, 0);
    if (status != GYRE_OK)
        judge_status(reader, status);
    else if (is_member(reader))
        judge_share(reader, buffer, size, gyre_consumer_seq(reader->handle) - 1);
    else
        HOSTILE_CHECK(is_whole(buffer, size, reader->next_seq++));
}

static void do_wait(struct reader *reader, uint32_t choice)
{
    struct gyre_consumer *handles[CONSUMERS];
    struct reader        *owners[CONSUMERS];
    uint32_t              count = 0, which = 0;
    uint64_t              rearm_ns;
    intptr_t              handle;
    enum gyre_status      status;

    switch (choice % 4) {
    case 0:
        judge_status(reader, gyre_wait(reader->handle, choice / 4 % 2 == 0 ? 0
                                                       : choice < 128      ? soon()
                                                                           : later(reader)));
        break;
    case 1:
        (void)gyre_consumer_handle(reader->handle, &handle, NULL);
        judge_status(reader, gyre_consumer_arm(reader->handle, &rearm_ns));
        break;
    case 2:
        gyre_consumer_interrupt(reader->handle);
        break;
    default:
        for (uint32_t i = 0; i < CONSUMERS; i++)
            if (readers[i].handle != NULL && !readers[i].is_over) {
                owners[count] = &readers[i];
                handles[count++] = readers[i].handle;
            }
        status = gyre_wait_any(handles, count, soon(), &which);
        if (count > 0 && status != GYRE_TIMEOUT)
            judge_status(owners[which], status);
    }
}

/* What the readers are told while there is no producer. */
static void poll_readers(void)
{
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        hostile_call();
        if (readers[i].handle != NULL)
            judge_status(&readers[i], gyre_wait(readers[i].handle, 0));
    }
}

static void replace_producer(bool is_dead)
{
    if (is_dead) {
        memory_sync_bury(producer->ring.site);
        producer->ring.is_forked = true; /* so that close leaves the ring as it is */
        producer->ring.is_attached = false;
    }
    gyre_producer_close(producer);
    producer = NULL;
    poll_readers();
    hostile_call();
    open_producer();
}

/* Its process dies inside a call, at one of the first accesses to shared memory. */
static void kill_in_call(struct reader *reader, uint32_t choice)
{
    static unsigned char buffer[8192];
    jmp_buf              grave;
    uint32_t             size;

    if (reader->handle == NULL)
        return;
    if (setjmp(grave) == 0) {
        hostile_die(1 + choice % 64, &grave);
        if (choice / 64 == 0)
            (void)gyre_peek(reader->handle, &size);
        else if (choice / 64 == 1)
            (void)gyre_release(reader->handle);
        else
            (void)gyre_recv(reader->handle, buffer, sizeof(buffer), &size, 0);
        hostile_die(0, NULL);
    }
    kill_reader(reader);
}

/* --- what must hold between two operations ---------------------------------------------------- */

/* What the reader still needs is not overwritten. */
static void check_reader(const struct reader *reader, uint64_t granted)
{
    if (reader->handle == NULL || reader->handle->kind != GYRE_RELIABLE || may_be_evicted(reader))
        return;
    if (is_member(reader)) {
        if (reader->handle->member.work != NULL)
            HOSTILE_CHECK(!gyre__pos_after(granted, reader->handle->own_released_pos));
        granted -= reader->handle->member.group->next[GYRE_NEXT_POS];
        HOSTILE_CHECK((int64_t)granted <= 0);
        return;
    }
    HOSTILE_CHECK(!gyre__pos_after(granted, reader->handle->fast.held_pos));
}

static void check_all(void)
{
    const struct gyre_shared_front *front = producer->ring.front;
    uint64_t                        published = producer->fast.published_pos;

    hostile_hint(published);
    HOSTILE_CHECK(!gyre__pos_after(front->granted_pos, published));
    HOSTILE_CHECK(!gyre__pos_after(front->horizon_pos, published));
    HOSTILE_CHECK(front->granted_pos % options.frame_align == 0);
    HOSTILE_CHECK(!gyre__pos_after(producer->fast.claim_pos, producer->fast.limit_pos));
    for (uint32_t i = 0; i < CONSUMERS; i++)
        check_reader(&readers[i], front->granted_pos);
}

static void inspect(void)
{
    struct gyre_ring_info  info;
    struct gyre_group_info groups[4];
    struct gyre_seat_info  seats[4];
    uint32_t               taken = 0, count = 0;
    enum gyre_status       status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(NAME, &info, seats, 4, &taken, NULL);
    HOSTILE_CHECK(status == GYRE_OK || (status == GYRE_BAD_LAYOUT && is_ctrl_touched));
    if (status == GYRE_OK)
        HOSTILE_CHECK(taken <= 4 && info.next_pos == producer->fast.published_pos);
    hostile_call();
    status = gyre_ring_inspect_groups(NAME, groups, 4, &count, NULL);
    HOSTILE_CHECK(status == GYRE_OK || (status == GYRE_BAD_LAYOUT && is_ctrl_touched));
    for (uint32_t i = 0; i < count; i++)
        HOSTILE_CHECK(count <= 4 && memchr(groups[i].name, '\0', sizeof(groups[i].name)) != NULL);
}

static void operate(struct input *input)
{
    uint32_t       code = (uint32_t)take_bytes(input, 1);
    uint32_t       argument = (uint32_t)take_bytes(input, 1);
    struct reader *reader = &readers[code / 16 % CONSUMERS];
    uint32_t       max = gyre_producer_max_size(producer);
    uint32_t       size = argument < 224 ? argument : (argument * 67) % (max + 2);

    hostile_call();
    switch (code % 16) {
    case 0:
    case 1:
        (void)fill(gyre_claim(producer, size), size);
        break;
    case 2:
        gyre_publish(producer);
        break;
    case 3: /* a burst */
        for (uint32_t i = 0; i < 1 + argument % 32; i++) {
            hostile_call();
            if (!fill(gyre_claim(producer, argument), argument))
                break;
            gyre_publish(producer);
        }
        break;
    case 4:
        if (gyre_wait_room(producer, size, argument % 2 == 0 ? 0 : soon()) == GYRE_OK &&
            fill(gyre_claim(producer, size), size))
            gyre_publish(producer);
        break;
    case 5:
        (void)gyre_producer_wait_consumers(producer, argument % 5, argument < 128 ? 0 : soon());
        break;
    case 6:
        if (code / 64 % 2 == 0)
            replace_producer(argument % 2 == 0);
        else if (code / 64 == 1)
            kill_reader(reader);
        else
            kill_in_call(reader, argument);
        break;
    case 7:
        open_reader(reader, argument, code / 64 % 2 != 0);
        break;
    case 8:
        inspect();
        break;
    case 9:
        hostile_flip(input);
        break;
    case 10:
    case 11:
        hostile_arm(input);
        break;
    default:
        if (reader->handle == NULL)
            return;
        if (code % 16 == 12)
            do_recv(reader, argument % 4 == 0 ? argument : 8192);
        else if (code % 16 == 13)
            do_peek(reader);
        else if (code % 16 == 14)
            do_release(reader);
        else
            do_wait(reader, argument);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t     shape = (uint32_t)take_bytes(&input, 1);
    uint32_t     more = (uint32_t)take_bytes(&input, 1);

    memory_sync_reset((enum memory_barrier)(more % 3));
    hostile_begin((struct area){NULL, 0}, (struct area){NULL, 0}, NULL);
    memset(is_touched, 0, sizeof(is_touched));
    memset(messages, 0, sizeof(messages));
    memset(group_controls, 0, sizeof(group_controls));
    is_ctrl_touched = false;
    is_hurt = false;
    options = (struct gyre_ring_options)GYRE_RING_OPTIONS_INIT;
    options.capacity = GYRE_CAPACITY_MIN << shape % 2;
    options.frame_align = 8u << shape / 2 % 4;
    options.seat_count = 1 + shape / 8 % 4;
    options.flags = GYRE_KEEP | ((shape & 32) != 0 ? GYRE_STRICT_WAKE : 0); /* one for all */
    options.first_pos = (shape & 64) != 0 ? 0 - 4 * options.capacity : 0;
    options.spin_ns = 1;
    options.wait = more / 3 % 3;
    open_producer();
    hostile_begin((struct area){producer->ring.ctrl.base, producer->ring.ctrl.size},
                  (struct area){producer->ring.data.base, producer->ring.data.size}, touch);
    for (uint32_t i = 0; i < OPERATIONS_MAX && input.size > 0 && producer != NULL; i++) {
        if (hostile_is_spent())
            break;
        operate(&input);
        if (producer != NULL)
            check_all();
    }
    hostile_call();
    gyre_producer_close(producer);
    producer = NULL;
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        hostile_call();
        if (readers[i].handle != NULL)
            do_release(&readers[i]);
    }
    poll_readers();
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        hostile_call();
        gyre_consumer_close(readers[i].handle);
        memset(&readers[i], 0, sizeof(readers[i]));
    }
    return 0;
}
