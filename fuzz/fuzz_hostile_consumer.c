/*
 * fuzz_hostile_consumer.c - a consumer writes anything to CTRL, before and during whatever the
 * producer and the honest consumers do.  What it may cost them is time, and their seat if its own
 * words were written; never a wrong byte, a lost one that is not told, or a call without an end.
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
#define SIZES 4096u
#define OPERATIONS_MAX 400u
#define NAME "ring"

struct reader {
    struct gyre_consumer *handle;
    uint64_t              next_seq;
    bool                  is_over; /* EVICTED */
    uint32_t              held_count;
    const void           *held[HELD_MAX];
    uint32_t              held_size[HELD_MAX];
};

static struct gyre_ring_options options;
static struct gyre_producer    *producer;
static struct reader            readers[CONSUMERS];
static uint32_t                 sizes[SIZES]; /* of the last messages, by their number */
static bool                     is_touched[GYRE_SEAT_LIMIT];
static bool                     is_ctrl_touched; /* its header: nobody can attach any more */

static void touch(uint64_t offset)
{
    if (offset >= GYRE_SEATS_OFF)
        is_touched[(offset - GYRE_SEATS_OFF) / GYRE_LINE_SIZE] = true;
    else if (offset < GYRE_SLEEPERS_OFF)
        is_ctrl_touched = true;
}

static uint64_t soon(void)
{
    return gyre_now_ns() + 200000;
}

static bool may_be_evicted(const struct reader *reader)
{
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
    sizes[seq % SIZES] = size;
    return true;
}

static void open_producer(void)
{
    enum gyre_status status = gyre_producer_open(NAME, &options, &producer, NULL);

    if (status != GYRE_OK)
        HOSTILE_CHECK(is_ctrl_touched);
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
    hostile_call();
    open_producer();
}

/* --- the honest consumers --------------------------------------------------------------------- */

static void open_reader(struct reader *reader, uint32_t choice)
{
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
    hostile_call();
    status = gyre_consumer_open(NAME, &how, &reader->handle, NULL);
    HOSTILE_CHECK(status == GYRE_OK || status == GYRE_NO_SEAT || status == GYRE_BAD_ARGUMENT ||
                  (status == GYRE_BAD_LAYOUT && is_ctrl_touched));
    if (status == GYRE_OK)
        reader->next_seq =
            how.start == GYRE_START_SEQ ? how.start_seq : gyre_consumer_seq(reader->handle);
    else
        reader->handle = NULL;
}

static void judge_status(struct reader *reader, enum gyre_status status)
{
    uint64_t pending;

    if (status == GYRE_EVICTED) {
        HOSTILE_CHECK(may_be_evicted(reader));
        reader->is_over = true;
        return;
    }
    HOSTILE_CHECK(!reader->is_over || status == GYRE_INTERRUPTED);
    HOSTILE_CHECK(status >= GYRE_OK || status == GYRE_TOO_LARGE);
    if (status != GYRE_GAP)
        return;
    reader->held_count = 0;
    /* A gap found at the open is told by a wait, behind one that a release may find before. */
    pending = reader->handle->gap_pending;
    HOSTILE_CHECK(gyre_consumer_seq(reader->handle) - reader->next_seq ==
                  gyre_consumer_gap(reader->handle) + pending);
    reader->next_seq = gyre_consumer_seq(reader->handle) - pending;
}

static void judge_message(struct reader *reader, const void *message, uint32_t size)
{
    HOSTILE_CHECK(size == sizes[reader->next_seq % SIZES]);
    HOSTILE_CHECK(pattern_matches(message, size, reader->next_seq));
    reader->next_seq++;
}

static void do_release(struct reader *reader)
{
    uint64_t         seq = reader->next_seq;
    bool             is_good = true;
    enum gyre_status status;

    for (uint32_t i = 0; i < reader->held_count; i++, seq++)
        is_good = is_good && reader->held_size[i] == sizes[seq % SIZES] &&
                  pattern_matches(reader->held[i], reader->held_size[i], seq);
    status = gyre_release(reader->handle);
    if (status == GYRE_OK) {
        HOSTILE_CHECK(is_good);
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
    if (status == GYRE_OK)
        judge_message(reader, buffer, size);
    else
        judge_status(reader, status);
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
        judge_status(reader, gyre_wait(reader->handle, choice / 4 % 2 == 0 ? 0 : soon()));
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

/* --- what must hold between two operations ---------------------------------------------------- */

static void check_all(void)
{
    const struct gyre_shared_front *front = producer->ring.front;
    uint64_t                        published = producer->fast.published_pos;

    hostile_hint(published);
    HOSTILE_CHECK(!gyre__pos_after(front->granted_pos, published));
    HOSTILE_CHECK(!gyre__pos_after(front->horizon_pos, published));
    HOSTILE_CHECK(!gyre__pos_after(producer->fast.claim_pos, producer->fast.limit_pos));
    for (uint32_t i = 0; i < CONSUMERS; i++)
        if (readers[i].handle != NULL && readers[i].handle->kind == GYRE_RELIABLE &&
            !is_touched[readers[i].handle->seat_idx])
            HOSTILE_CHECK(!gyre__pos_after(front->granted_pos, readers[i].handle->fast.held_pos));
}

static void inspect(void)
{
    struct gyre_ring_info info;
    struct gyre_seat_info seats[4];
    uint32_t              taken = 0;
    enum gyre_status      status;

    info.size = sizeof(info);
    status = gyre_ring_inspect(NAME, &info, seats, 4, &taken, NULL);
    HOSTILE_CHECK(status == GYRE_OK || (status == GYRE_BAD_LAYOUT && is_ctrl_touched));
    if (status == GYRE_OK)
        HOSTILE_CHECK(taken <= 4 && info.next_pos == producer->fast.published_pos);
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
        replace_producer(argument % 2 == 0);
        break;
    case 7:
        open_reader(reader, argument);
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
    is_ctrl_touched = false;
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
        operate(&input);
        if (producer != NULL)
            check_all();
    }
    hostile_call();
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        gyre_consumer_close(readers[i].handle);
        readers[i].handle = NULL;
        readers[i].held_count = 0;
    }
    gyre_producer_close(producer);
    producer = NULL;
    return 0;
}
