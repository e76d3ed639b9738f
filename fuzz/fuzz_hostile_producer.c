/*
 * fuzz_hostile_producer.c - a producer writes anything to DATA, before and during whatever
 * consumers, taps, inspection and the next producer do.  They stay inside the maps and every call
 * ends; what they are told may be nonsense.
 *
 * The first two bytes choose the ring; then come operations, a byte each with its arguments.  A
 * real producer makes a sound ring first, so that the flips find something to hit.
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "internal.h"
#include "memory_sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONSUMERS 5u /* one of each kind at first, and two members of a group */
#define FIRST_MEMBER 3u
#define OPERATIONS_MAX 300u
#define NAME "ring"

static struct gyre_ring_options options;
static struct gyre_producer    *producer;
static struct gyre_consumer    *consumers[CONSUMERS];

/* What a read gave may be anything; this keeps the compiler from leaving it out. */
static volatile uint64_t sink;

static void read_all(const struct gyre_ring *ring, const unsigned char *payload, uint32_t size)
{
    HOSTILE_CHECK(payload >= ring->bytes && size <= ring->geometry.capacity &&
                  payload + size <= ring->bytes + ring->geometry.capacity);
    for (uint32_t i = 0; i < size; i += 8)
        sink += payload[i];
    if (size > 0)
        sink += payload[size - 1];
}

/* The producer's rights are a hostile one's too; its successor inherits what it left. */
static void produce(uint32_t count, uint32_t size)
{
    for (uint32_t i = 0; i < count && producer != NULL; i++) {
        unsigned char *payload;
        hostile_call();
        payload = gyre_claim(producer, size);
        if (payload == NULL)
            return;
        HOSTILE_CHECK(payload >= producer->ring.bytes &&
                      payload + size <= producer->ring.bytes + options.capacity);
        HOSTILE_CHECK((uintptr_t)payload % 8 == 0);
        memset(payload, (int)i, size);
        if (i % 4 != 3)
            gyre_publish(producer);
    }
}

static void replace_producer(void)
{
    if (producer != NULL) {
        memory_sync_bury(producer->ring.site);
        producer->ring.is_forked = true; /* so that close leaves the ring as it is */
        producer->ring.is_attached = false;
        gyre_producer_close(producer);
        producer = NULL;
    }
    hostile_call();
    (void)gyre_producer_open(NAME, &options, &producer, NULL);
}

/* From FIRST_MEMBER on, consumers are members. */
static void reopen(uint32_t idx, uint32_t choice)
{
    struct gyre_consumer_options how = GYRE_CONSUMER_OPTIONS_INIT;

    gyre_consumer_close(consumers[idx]);
    consumers[idx] = NULL;
    how.kind = choice % 3;
    how.start = choice / 3 % 3;
    how.on_gap = choice / 9 % 2;
    how.start_seq = choice / 18;
    how.spin_ns = 1;
    if (idx >= FIRST_MEMBER) {
        how.group = choice % 8 < 6 ? "a" : "b";
        how.kind = choice / 8 % 4 == 3 ? GYRE_LOSSY : GYRE_RELIABLE;
        how.group_flags = choice % 32 == 31 ? GYRE_GROUP_KEEP : 0;
        how.claim_count = choice / 16;
    }
    hostile_call();
    if (gyre_consumer_open(NAME, &how, &consumers[idx], NULL) != GYRE_OK)
        consumers[idx] = NULL;
}

/* Its process dies between two calls. */
static void kill_consumer(uint32_t idx)
{
    if (consumers[idx] == NULL)
        return;
    memory_sync_bury(consumers[idx]->ring.site);
    consumers[idx]->ring.is_forked = true; /* so that close leaves the ring as it is */
    consumers[idx]->ring.is_attached = false;
    gyre_consumer_close(consumers[idx]);
    consumers[idx] = NULL;
}

static void consume_run(struct gyre_consumer *consumer, uint32_t wanted)
{
    uint32_t             size = 0, count = wanted, stride = 0;
    const unsigned char *payload = gyre_peek_run(consumer, &size, &count, &stride);

    if (payload == NULL)
        return;
    HOSTILE_CHECK(count >= 1 && count <= wanted);
    for (uint32_t i = 0; i < count; i++)
        read_all(&consumer->ring, payload + (uint64_t)i * stride, size);
}

static void consume(struct gyre_consumer *consumer, uint32_t how)
{
    static unsigned char buffer[256];
    const unsigned char *payload;
    uint32_t             size = 0;
    uint32_t             which = 0;
    uint64_t             rearm_ns = 0;

    if (consumer == NULL)
        return;
    switch (how % 6) {
    case 0:
        sink += (uint64_t)gyre_recv(consumer, buffer, how % 4 == 0 ? 16 : sizeof(buffer), &size, 0);
        break;
    case 1:
        if (how / 6 % 2 != 0)
            consume_run(consumer, 1 + how / 12);
        else if ((payload = gyre_peek(consumer, &size)) != NULL)
            read_all(&consumer->ring, payload, size);
        break;
    case 2:
        sink += (uint64_t)gyre_release(consumer);
        break;
    case 3:
        sink += (uint64_t)gyre_wait(consumer, how < 128 ? 0 : gyre_now_ns() + 200000);
        break;
    case 4:
        sink += (uint64_t)gyre_consumer_arm(consumer, &rearm_ns);
        break;
    default:
        sink += (uint64_t)gyre_wait_any(&consumer, 1, gyre_now_ns() + 200000, &which);
    }
    HOSTILE_CHECK(gyre_consumer_pos(consumer) % options.frame_align == 0);
    sink += gyre_consumer_seq(consumer) + gyre_consumer_gap(consumer) +
            gyre_consumer_epoch(consumer) + (uint64_t)gyre_consumer_is_redelivered(consumer);
}

/* A pointer in options is the caller's: it leads to some string, or nowhere. */
static void aim(const char **string)
{
    static char              long_name[200];
    static const char *const strings[] = {NULL, "", "a", "-", "0", "S-1-5-18", "D:P(A;;GA;;;SY)"};
    uintptr_t                choice = (uintptr_t)*string % 8;

    memset(long_name, 'n', sizeof(long_name) - 1);
    *string = choice < 7 ? strings[choice] : long_name;
}

/* Options of any version and content; the first four bytes say how long they are. */
static void open_with_any_options(struct input *input, bool is_producer)
{
    static uint64_t       words[1024];
    struct gyre_producer *other_producer = NULL;
    struct gyre_consumer *other_consumer = NULL;
    uint32_t              count = (uint32_t)take_bytes(input, 1);

    memset(words, 0, sizeof(words));
    for (uint32_t i = 0; i < count && input->size > 0; i++)
        ((unsigned char *)words)[i] = (unsigned char)take_bytes(input, 1);
    if (is_producer) {
        struct gyre_ring_options *how = (void *)words;
        aim(&how->owner_group);
        aim(&how->sddl);
        (void)gyre_producer_open("other", how, &other_producer, NULL);
    } else {
        struct gyre_consumer_options *how = (void *)words;
        aim(&how->owner);
        aim(&how->group);
        (void)gyre_consumer_open(NAME, how, &other_consumer, NULL);
    }
    gyre_producer_close(other_producer);
    gyre_consumer_close(other_consumer);
}

/* What a forked child does with its parent's handle: nothing that its parent would notice. */
static void use_in_child(struct gyre_consumer *consumer)
{
    struct gyre_consumer child;

    if (consumer == NULL)
        return;
    child = *consumer;
    child.ring.is_forked = true;
    child.ring.forget(&child.ring);
    sink += (uint64_t)gyre_release(&child) + (uint64_t)gyre_wait(&child, 0);
}

static void inspect(void)
{
    struct gyre_ring_info  info;
    struct gyre_seat_info  seats[2];
    struct gyre_group_info groups[2];
    uint32_t               taken = 0, count = 0;

    info.size = sizeof(info);
    if (gyre_ring_inspect(NAME, &info, seats, 2, &taken, NULL) == GYRE_OK)
        HOSTILE_CHECK(taken <= 2);
    if (gyre_ring_inspect_groups(NAME, groups, 2, &count, NULL) == GYRE_OK)
        HOSTILE_CHECK(count <= 2);
}

static void operate(struct input *input)
{
    uint32_t code = (uint32_t)take_bytes(input, 1);
    uint32_t argument = (uint32_t)take_bytes(input, 1);
    uint32_t idx = code / 16 % CONSUMERS;

    hostile_call();
    switch (code % 16) {
    case 0:
    case 1:
        produce(1 + argument % 32, argument / 2);
        break;
    case 2:
        produce(1, argument * 17);
        break;
    case 3:
        replace_producer();
        break;
    case 4:
        reopen(idx, argument);
        break;
    case 5:
        inspect();
        break;
    case 6:
    case 7:
        hostile_flip(input);
        break;
    case 8:
    case 9:
    case 10:
        hostile_arm(input);
        break;
    case 15:
        if (argument % 4 == 0 && argument >= 128)
            kill_consumer(idx);
        else if (argument % 4 == 0)
            use_in_child(consumers[idx]);
        else
            open_with_any_options(input, argument % 4 == 1);
        break;
    default:
        consume(consumers[idx], code % 16 == 11 ? 0 : argument);
    }
    if (producer != NULL)
        hostile_hint(producer->fast.published_pos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t     shape = (uint32_t)take_bytes(&input, 1);
    uint32_t     more = (uint32_t)take_bytes(&input, 1);

    memory_sync_reset((enum memory_barrier)(more % 3));
    hostile_begin((struct area){NULL, 0}, (struct area){NULL, 0}, NULL);
    options = (struct gyre_ring_options)GYRE_RING_OPTIONS_INIT;
    options.capacity = GYRE_CAPACITY_MIN;
    options.frame_align = 8u << shape % 4;
    options.seat_count = CONSUMERS;
    options.first_pos = (shape & 64) != 0 ? 0 - 4 * options.capacity : 0;
    options.spin_ns = 1;
    HOSTILE_CHECK(gyre_producer_open(NAME, &options, &producer, NULL) == GYRE_OK);
    for (uint32_t i = 0; i < CONSUMERS; i++)
        reopen(i, i);
    hostile_begin((struct area){producer->ring.data.base, producer->ring.data.size},
                  (struct area){producer->ring.ctrl.base, producer->ring.ctrl.size}, NULL);
    produce(more / 3 % 32, 40);
    for (uint32_t i = 0; i < OPERATIONS_MAX && input.size > 0 && !hostile_is_spent(); i++)
        operate(&input);
    hostile_call();
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        gyre_consumer_close(consumers[i]);
        consumers[i] = NULL;
    }
    gyre_producer_close(producer);
    producer = NULL;
    return 0;
}
