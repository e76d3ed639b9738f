/*
 * handles.h - the few lines that nearly every scenario begins with: a small ring, its producer, its
 * consumers, a message sent and a message taken.  A failure fails the scenario.
 */
#ifndef GYRE_TESTS_HANDLES_H
#define GYRE_TESTS_HANDLES_H

#include "pattern.h"
#include "ring_dir.h"
#include "scenario.h"

#include <gyre/gyre.h>

static inline struct gyre_producer *open_producer(const char *name, uint64_t capacity,
                                                  uint32_t frame_align)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct gyre_error        error;

    options.capacity = capacity;
    options.frame_align = frame_align;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, &error), GYRE_OK);
    CHECK(producer != NULL);
    return producer;
}

static inline struct gyre_consumer *open_consumer(const char *name, enum gyre_consumer_kind kind,
                                                  enum gyre_start start, uint64_t start_seq)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;

    options.kind = (uint32_t)kind;
    options.start = (uint32_t)start;
    options.start_seq = start_seq;
    CHECK_EQ(gyre_consumer_open(name, &options, &consumer, &error), GYRE_OK);
    CHECK(consumer != NULL);
    return consumer;
}

/* Publishes one message whose bytes follow from its number; false: no room. */
static inline int try_put(struct gyre_producer *producer, uint32_t size)
{
    uint64_t seq = gyre_producer_seq(producer);
    void    *payload = gyre_claim(producer, size);

    if (payload == NULL)
        return 0;
    pattern_fill(payload, size, seq);
    gyre_publish(producer);
    return 1;
}

static inline void put(struct gyre_producer *producer, uint32_t size)
{
    CHECK(try_put(producer, size));
}

/* Peeks message `seq` of `size` bytes without releasing it. */
static inline void look(struct gyre_consumer *consumer, uint64_t seq, uint32_t size)
{
    uint32_t    got = UINT32_MAX;
    const void *payload;

    CHECK_EQ(gyre_consumer_seq(consumer), seq);
    payload = gyre_peek(consumer, &got);
    CHECK(payload != NULL);
    CHECK_EQ(got, size);
    CHECK(pattern_matches(payload, size, seq));
}

/* Takes message `seq` of `size` bytes. */
static inline void take(struct gyre_consumer *consumer, uint64_t seq, uint32_t size)
{
    look(consumer, seq, size);
    CHECK_EQ(gyre_release(consumer), GYRE_OK);
}

/* Nothing to see and nothing to tell. */
static inline void check_empty(struct gyre_consumer *consumer)
{
    uint32_t size = 77;

    CHECK(gyre_peek(consumer, &size) == NULL);
    CHECK_EQ(size, 77);
    CHECK_EQ(gyre_wait(consumer, 0), GYRE_TIMEOUT);
}

#endif
