/*
 * test_golden.c - the layout, byte for byte: a small ring after a known script must hold the words
 * of golden_ring.h, on Linux, on Windows and in a 32-bit program (process/golden32.sh).
 *
 * What differs from run to run is masked: identities, times, process ids, what the system's barrier
 * answered, bells, and the bytes of the ring that nobody reads (overwritten, behind the end, or
 * between a payload and the next frame).
 * After a change that is meant to change the layout, GYRE_GOLDEN_PRINT=1 prints the new header.
 */
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "internal.h"

/* `count` equal words from a byte offset; all others are zero. */
struct golden_run {
    uint32_t offset;
    uint32_t count;
    uint64_t word;
};

#include "golden_ring.h"

#define CAPACITY UINT64_C(4096)
#define SEATS 4u
#define DATA_SIZE (GYRE_RING_OFF + CAPACITY)
#define CTRL_SIZE (GYRE_SEATS_OFF + SEATS * sizeof(struct gyre_shared_seat))

static union {
    unsigned char             bytes[DATA_SIZE];
    uint64_t                  words[DATA_SIZE / 8];
    struct gyre_shared_header header;
} data;

static union {
    unsigned char           bytes[CTRL_SIZE];
    uint64_t                words[CTRL_SIZE / 8];
    struct gyre_shared_ctrl ctrl;
} ctrl;

/* One message whose bytes are all its number, so that equal words stand together. */
static void say(struct gyre_producer *producer, uint32_t size)
{
    uint64_t seq = gyre_producer_seq(producer);
    void    *payload = gyre_claim(producer, size);

    CHECK(payload != NULL);
    memset(payload, (int)(seq % 255 + 1), size);
}

static void hear(struct gyre_consumer *consumer)
{
    uint32_t size;

    CHECK(gyre_peek(consumer, &size) != NULL);
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
}

/* The script.  Afterwards the maps are copied before anybody leaves. */
static void play(void)
{
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_consumer    *reliable, *lossy, *late;

    options.capacity = CAPACITY;
    options.frame_align = 64;
    options.seat_count = SEATS;
    options.flags = GYRE_STRICT_WAKE;
    options.first_pos = 3 * CAPACITY;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    reliable = open_consumer(name, GYRE_RELIABLE, GYRE_START_OLDEST, 0);
    lossy = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    for (uint32_t i = 0; i < 40; i++) {
        say(producer, i * 37 % 150);
        gyre_publish(producer);
        hear(reliable);
        if (i < 3)
            hear(lossy);
    }
    for (uint32_t i = 0; i < 20; i++) { /* batches, and padding at the end of the lap */
        say(producer, 250 - i);
        if (i % 3 != 1)
            continue;
        gyre_publish(producer);
        for (uint32_t heard = i == 1 ? 1 : 0; heard < 3; heard++)
            hear(reliable);
    }
    CHECK_EQ(gyre_wait(lossy, 0), GYRE_GAP);
    gyre_producer_close(producer);
    producer = open_producer(name, CAPACITY, 64);
    say(producer, 0);
    say(producer, 57);
    gyre_publish(producer);
    hear(reliable);
    late = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    gyre_consumer_close(late);
    say(producer, 100); /* never published */
    memcpy(data.bytes, producer->ring.data.base, sizeof(data.bytes));
    gyre_producer_close(producer);
    memcpy(data.bytes, reliable->ring.data.base, GYRE_RING_OFF);
    memcpy(ctrl.bytes, reliable->ring.ctrl.base, sizeof(ctrl.bytes));
    gyre_consumer_close(lossy);
    gyre_consumer_close(reliable);
}

/* Of the ring only what a reader may see: the frames from the oldest landmark on, and the zero. */
static void keep_frames(const struct gyre_shared_front *front)
{
    static unsigned char               kept[CAPACITY];
    const struct gyre_shared_landmark *landmarks = (void *)(data.bytes + GYRE_LANDMARKS_OFF);
    unsigned char                     *ring = data.bytes + GYRE_RING_OFF;
    uint64_t                           pos = front->final_pos;

    for (uint32_t i = 0; i < GYRE_LANDMARK_COUNT; i++)
        if (landmarks[i].pos >= front->horizon_pos && landmarks[i].pos < pos)
            pos = landmarks[i].pos;
    while (pos != front->final_pos) {
        uint64_t header, size;
        memcpy(&header, ring + pos % CAPACITY, sizeof(header));
        size = header & GYRE_FRAME_SIZE_MASK;
        CHECK(size + 8 <= CAPACITY - pos % CAPACITY && (header & GYRE_FRAME_PUBLISHED) != 0);
        memcpy(kept + pos % CAPACITY, &header, sizeof(header));
        if ((header & GYRE_FRAME_PADDING) == 0) /* padding holds no bytes of its own */
            memcpy(kept + pos % CAPACITY + 8, ring + pos % CAPACITY + 8, (size_t)size);
        pos += (size + 8 + 63) & ~UINT64_C(63);
    }
    memcpy(kept + pos % CAPACITY, ring + pos % CAPACITY, 8);
    memcpy(ring, kept, CAPACITY);
}

static void mask(void)
{
    struct gyre_shared_front *front = (void *)(data.bytes + GYRE_FRONT_OFF);
    struct gyre_shared_room  *room = (void *)(ctrl.bytes + GYRE_ROOM_OFF);
    struct gyre_shared_seat  *seats = (void *)(ctrl.bytes + GYRE_SEATS_OFF);

    memset(data.header.ring_id, 0, sizeof(data.header.ring_id));
    memset(ctrl.ctrl.ring_id, 0, sizeof(ctrl.ctrl.ring_id));
    data.header.created_ns = 0;
    front->producer_pid = 0;
    front->is_registered = 0;
    front->fence_ack = 0;
    room->bell = 0;
    for (uint32_t i = 0; i < SEATS; i++) {
        seats[i].bell = 0;
        seats[i].is_registered = 0;
        seats[i].needs_fence = 0;
        seats[i].pid = 0;
        seats[i].sleep_count = 0;
        seats[i].missed_count = 0;
    }
    keep_frames(front);
}

static void print_words(const char *name, const uint64_t *words, size_t count)
{
    printf("static const struct golden_run %s[] = {\n", name);
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && words[i + run] == words[i]; run++)
            continue;
        if (words[i] != 0)
            printf("    {%u, %u, UINT64_C(0x%016llx)},\n", (unsigned)(i * 8), (unsigned)run,
                   (unsigned long long)words[i]);
    }
    printf("};\n");
}

static void compare(const uint64_t *words, size_t count, const struct golden_run *golden,
                    size_t run_count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t expected = 0;
        for (size_t run = 0; run < run_count; run++)
            if (i * 8 >= golden[run].offset && i * 8 < golden[run].offset + golden[run].count * 8)
                expected = golden[run].word;
        SCENARIO_ASSERT(words[i] == expected, "byte %u: %016llx, not %016llx", (unsigned)(i * 8),
                        (unsigned long long)words[i], (unsigned long long)expected);
    }
}

SCENARIO(golden, a_ring_holds_these_bytes_after_this_script)
{
    play();
    mask();
    if (getenv("GYRE_GOLDEN_PRINT") != NULL) {
        printf(
            "/*\n * golden_ring.h - the words of the golden ring: see test_golden.c, which prints "
            "this file.\n */\n");
        print_words("golden_data", data.words, sizeof(data.words) / 8);
        print_words("golden_ctrl", ctrl.words, sizeof(ctrl.words) / 8);
        return;
    }
    compare(data.words, sizeof(data.words) / 8, golden_data,
            sizeof(golden_data) / sizeof(golden_data[0]));
    compare(ctrl.words, sizeof(ctrl.words) / 8, golden_ctrl,
            sizeof(golden_ctrl) / sizeof(golden_ctrl[0]));
}
