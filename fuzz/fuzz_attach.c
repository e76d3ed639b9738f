/*
 * fuzz_attach.c - arbitrary bytes as the two maps of a ring: judged, then read as joiners, readers,
 * inspectors and the next producer would.
 *
 * The first byte chooses how the others make the maps; the second what is done with them.
 *
 *   0  bytes:    two bytes are the size of CTRL, CTRL follows, then DATA
 *   1  patches:  a good ring of 4 KiB with some messages, changed in many places.  A patch is
 *                {u16 where, u8 how, u8 n}: a word of DATA or CTRL, 8-byte aligned, to be replaced,
 *                shifted, masked or taken from elsewhere
 *
 * Both maps lie on the heap at their exact sizes, so that a sanitizer sees every read behind them.
 * No file, no lease and no other process: whatever is called works without a site.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct maps {
    unsigned char *data;
    unsigned char *ctrl;
    uint64_t       data_size;
    uint64_t       ctrl_size;
};

struct input {
    const uint8_t *bytes;
    size_t         size;
};

static uint64_t take(struct input *input, uint32_t count)
{
    uint64_t word = 0;

    for (uint32_t i = 0; i < count && input->size > 0; i++, input->bytes++, input->size--)
        word |= (uint64_t)*input->bytes << 8 * i;
    return word;
}

/* What a read changed may be anything; this keeps the compiler from leaving it out. */
static volatile uint64_t sink;

/* malloc of no bytes may be NULL, and NULL is no map. */
static void *copy_of(const void *bytes, uint64_t size)
{
    void *copy = malloc(size != 0 ? (size_t)size : 1);

    if (copy == NULL)
        abort();
    if (size != 0)
        memcpy(copy, bytes, (size_t)size);
    return copy;
}

/* --- the maps --------------------------------------------------------------------------------- */

static void make_from_bytes(struct maps *maps, struct input *input)
{
    uint64_t ctrl_size = take(input, 2);

    maps->ctrl_size = ctrl_size < input->size ? ctrl_size : input->size;
    maps->ctrl = copy_of(input->bytes, maps->ctrl_size);
    maps->data_size = input->size - maps->ctrl_size;
    maps->data = copy_of(input->bytes + maps->ctrl_size, maps->data_size);
}

/* Some frames behind the first position, and a landmark a few frames on. */
static void write_frames(struct maps *maps, const struct gyre_geometry *geometry, uint32_t count)
{
    struct gyre_shared_front    *front = (void *)(maps->data + GYRE_FRONT_OFF);
    struct gyre_shared_landmark *landmarks = (void *)(maps->data + GYRE_LANDMARKS_OFF);
    uint64_t                     pos = geometry->first_pos;
    uint64_t                     align = geometry->frame_align;

    for (uint64_t seq = 0; seq < count; seq++) {
        uint64_t payload = seq * 13 % 90;
        uint64_t header = seq << 32 | GYRE_FRAME_PUBLISHED | payload;
        memcpy(maps->data + GYRE_RING_OFF + pos % geometry->capacity, &header, sizeof(header));
        pos += (payload + 8 + align - 1) / align * align;
        if (seq % 5 == 4) {
            landmarks[seq / 5 + 1].pos = pos;
            landmarks[seq / 5 + 1].seq = seq + 1;
        }
    }
    front->horizon_pos = pos + 256 - geometry->capacity;
    front->epoch = 3;
    front->state = GYRE_RING_ACTIVE;
}

static void make_template(struct maps *maps, uint32_t choice)
{
    struct gyre_geometry     geometry;
    struct gyre_shared_seat *seats;

    memset(&geometry, 0, sizeof(geometry));
    geometry.capacity = GYRE_CAPACITY_MIN;
    geometry.frame_align = 8u << choice % 4;
    geometry.seat_count = 1 + choice / 4 % 4;
    geometry.first_pos = (choice & 128) != 0 ? UINT64_C(0) - GYRE_CAPACITY_MIN : 0;
    geometry.ring_id[0] = 1;
    maps->data_size = gyre__data_size(geometry.capacity);
    maps->ctrl_size = gyre__ctrl_size(geometry.seat_count);
    maps->data = calloc(1, (size_t)maps->data_size);
    maps->ctrl = calloc(1, (size_t)maps->ctrl_size);
    if (maps->data == NULL || maps->ctrl == NULL)
        abort();
    gyre__write_data(maps->data, &geometry);
    gyre__write_ctrl(maps->ctrl, &geometry);
    write_frames(maps, &geometry, choice / 16 % 8 * 4);
    seats = (void *)(maps->ctrl + GYRE_SEATS_OFF);
    for (uint32_t i = 0; i < geometry.seat_count; i++) {
        seats[i].control = gyre__seat_control(1, i % 2, GYRE_SEAT_ACTIVE);
        seats[i].released_pos = geometry.first_pos;
    }
    gyre__write_magic(maps->data, GYRE_DATA_MAGIC);
    gyre__write_magic(maps->ctrl, GYRE_CTRL_MAGIC);
}

static uint64_t *word_at(struct maps *maps, uint64_t where)
{
    uint64_t words = (maps->data_size + maps->ctrl_size) / 8;
    uint64_t offset = where % words * 8;

    return (void *)(offset < maps->data_size ? maps->data + offset
                                             : maps->ctrl + (offset - maps->data_size));
}

static void apply_patch(struct maps *maps, struct input *input)
{
    uint64_t *word = word_at(maps, take(input, 2));
    uint32_t  how = (uint32_t)take(input, 1);
    uint64_t  n = take(input, 1);
    uint64_t  value = *word;

    switch (how % 8) {
    case 0:
        value = take(input, 8);
        break;
    case 1:
        value += n;
        break;
    case 2:
        value -= n;
        break;
    case 3:
        value ^= UINT64_C(1) << n % 64;
        break;
    case 4:
        value = *word_at(maps, take(input, 2));
        break;
    case 5: /* a frame: padding or message, of any number and size */
        value = n << 32 | GYRE_FRAME_PUBLISHED | (take(input, 4) & ~GYRE_FRAME_PUBLISHED);
        break;
    case 6:
        value = 0 - n;
        break;
    default:
        value = (value & ~UINT64_C(0xffff)) | take(input, 2);
    }
    memcpy(word, &value, sizeof(value));
}

/* --- what is done with them ------------------------------------------------------------------- */

static void read_history(const struct gyre_ring *ring)
{
    struct gyre_mark mark;
    uint64_t         size = 0;
    uint32_t         idx;

    for (idx = 0; idx < GYRE_LANDMARK_COUNT; idx++) {
        if (!gyre__mark_read(ring, idx, &mark))
            continue;
        sink += gyre__frame_judge(ring, &mark, &size, NULL);
        sink += gyre__mark_walk(ring, &mark, UINT64_MAX);
        sink += gyre__mark_walk(ring, &mark, mark.seq + 3);
        sink += gyre__frame_judge(ring, &mark, &size, NULL);
    }
    if (gyre__mark_newest(ring, &mark, &idx))
        sink += gyre__mark_walk(ring, &mark, UINT64_MAX);
    if (gyre__mark_oldest(ring, &mark))
        sink += gyre__mark_walk(ring, &mark, UINT64_MAX);
    for (uint64_t seq = 0; seq < 40; seq += 7)
        if (gyre__mark_before(ring, seq, &mark))
            sink += gyre__mark_walk(ring, &mark, seq);
}

static void read_all(const void *payload, uint32_t size)
{
    const volatile unsigned char *bytes = payload;

    for (uint32_t i = 0; i < size; i++)
        sink += bytes[i];
}

/* A horizon ahead of every landmark makes each gap a long search. */
#define GAPS_MAX 4u

static void consume(struct gyre_consumer *consumer)
{
    static unsigned char buffer[256];
    uint32_t             size, gaps = 0;

    for (uint32_t i = 0; i < 100 && gaps < GAPS_MAX; i++) {
        enum gyre_status status = gyre_wait(consumer, 0);
        const void      *payload = gyre_peek(consumer, &size);
        if (payload != NULL)
            read_all(payload, size);
        if (i % 3 == 0)
            (void)gyre_release(consumer);
        if (i % 5 == 0)
            (void)gyre_recv(consumer, buffer, i % 2 == 0 ? sizeof(buffer) : 20, &size, 0);
        if (status != GYRE_OK && status != GYRE_GAP)
            break;
        gaps += status == GYRE_GAP;
    }
    sink += gyre_consumer_seq(consumer) + gyre_consumer_lost(consumer) +
            gyre_consumer_epoch(consumer) + gyre_consumer_max_size(consumer);
}

static void join_as_tap(const struct gyre_ring *ring, uint32_t choice)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer         consumer;
    struct gyre_error            error = {GYRE_OK, 0, NULL, NULL};

    memset(&consumer, 0, sizeof(consumer));
    consumer.ring = *ring;
    consumer.ring.ctrl.base = NULL;
    consumer.ring.sleepers = NULL;
    consumer.ring.room = NULL;
    consumer.ring.seats = NULL;
    consumer.kind = options.kind = GYRE_TAP;
    consumer.on_gap = choice / 3 % 2;
    options.start = choice % 3;
    options.start_seq = choice / 6;
    if (gyre__seat_join(&consumer, &options, &error) == GYRE_OK)
        consume(&consumer);
}

/* A consumer on seat 0, without the lease that only a site can give. */
static void join_with_seat(const struct gyre_ring *ring, uint32_t choice)
{
    struct gyre_consumer consumer;

    memset(&consumer, 0, sizeof(consumer));
    consumer.ring = *ring;
    consumer.kind = choice / 3 % 2;
    consumer.seat = &ring->seats[0];
    consumer.control = consumer.seat->control;
    consumer.fast.ring = ring->bytes;
    consumer.fast.mask = ring->geometry.capacity - 1;
    consumer.fast.align_mask = ring->geometry.frame_align - 1;
    consumer.fast.horizon_pos = &ring->front->horizon_pos;
    consumer.fast.room_pos = &ring->front->room_pos;
    consumer.fast.released_pos = &consumer.seat->released_pos;
    ring->room->bell = 1; /* rings already: nobody rings it again */
    if (gyre__seat_go_to(&consumer, (enum gyre_start)(choice % 3), choice / 6, NULL) == GYRE_OK)
        consume(&consumer);
}

/* The next producer, on whatever the last one and the consumers left. */
static void take_over(struct gyre_ring *ring, uint32_t choice)
{
    struct gyre_producer producer;
    struct gyre_error    error = {GYRE_OK, 0, NULL, NULL};
    uint32_t             max_size = gyre__max_size(ring->geometry.capacity);

    memset(&producer, 0, sizeof(producer));
    producer.ring = *ring;
    producer.dead_check_ns = UINT64_MAX; /* leases need a site */
    producer.bells = calloc(ring->geometry.seat_count, sizeof(*producer.bells));
    producer.seen = calloc(ring->geometry.seat_count, sizeof(*producer.seen));
    if (producer.bells == NULL || producer.seen == NULL)
        abort();
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        ring->seats[i].is_pollable = 0; /* a bell with a handle needs a site ... */
#ifdef _WIN32
        ring->seats[i].control = 0; /* ... and so does each bell there */
#endif
    }
    if (gyre__take_over(&producer, &error) == GYRE_OK) {
        for (uint32_t i = 0; i < 60; i++) {
            uint32_t size = (i * 37 + choice) % (i % 9 == 8 ? max_size + 1 : 200);
            void    *payload = gyre_claim(&producer, size);
            if (payload != NULL)
                memset(payload, (int)i, size);
            if (i % 3 != 0)
                gyre_publish(&producer);
        }
        sink += (uint64_t)gyre__has_consumers(&producer, GYRE_SEATS_MAX + 1) +
                gyre_producer_seq(&producer);
    }
    free(producer.seen);
    free(producer.bells);
}

/* Judges, and if the verdict is good, binds a ring to copies of exactly the size that it tells. */
static bool attach(const struct maps *maps, struct gyre_ring *ring)
{
    struct gyre_error error = {GYRE_OK, 0, NULL, NULL};

    memset(ring, 0, sizeof(*ring));
    if (gyre__judge_data(maps->data, maps->data_size, &ring->geometry, &error) != GYRE_OK)
        return false;
    if (gyre__judge_ctrl(maps->ctrl, maps->ctrl_size, &ring->geometry, &error) != GYRE_OK)
        return false;
    ring->data.size = gyre__data_size(ring->geometry.capacity);
    ring->ctrl.size = gyre__ctrl_size(ring->geometry.seat_count);
    ring->data.base = copy_of(maps->data, ring->data.size);
    ring->ctrl.base = copy_of(maps->ctrl, ring->ctrl.size);
    gyre__ring_bind(ring);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input     input = {data, size};
    struct maps      maps = {NULL, NULL, 0, 0};
    struct gyre_ring ring;
    uint32_t         mode = (uint32_t)take(&input, 1);
    uint32_t         choice = (uint32_t)take(&input, 1);

    if (mode % 2 == 0) {
        make_from_bytes(&maps, &input);
    } else {
        make_template(&maps, mode / 2 | choice << 7);
        while (input.size >= 4)
            apply_patch(&maps, &input);
    }
    if (attach(&maps, &ring)) {
        read_history(&ring);
        join_as_tap(&ring, choice);
        join_with_seat(&ring, choice);
        take_over(&ring, choice);
        read_history(&ring);
        free(ring.data.base);
        free(ring.ctrl.base);
    }
    free(maps.data);
    free(maps.ctrl);
    return 0;
}
