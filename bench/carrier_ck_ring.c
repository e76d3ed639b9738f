/*
 * carrier_ck_ring.c - contestant: Concurrency Kit's ring for one producer and one consumer.
 *
 * Messages are written in their slots (reserve, commit) and copied out, for it has no other way to
 * read.  A commit is for one slot, so a batch is as many commits.
 */
#include <stdlib.h>
#include <string.h>

#include <ck_ring.h>

#include "carrier_slots.h"

#define SLOT(size)                                                                                 \
    struct slot_##size {                                                                           \
        uint64_t words[(size) / 8];                                                                \
    };                                                                                             \
    CK_RING_PROTOTYPE(size, slot_##size)
MESSAGE_SIZES(SLOT)

struct port {
    struct ck_ring *out[JOB_CONSUMERS_MAX];
    struct ck_ring *in;
    unsigned char  *in_slots;
    unsigned char  *claimed; /* the slot of out[0]; NULL: none */
    uint32_t        out_count;
    uint32_t        role;
    struct job     *job;
    _Alignas(64) unsigned char message[MESSAGE_SIZE_MAX];
};

/* The slots of a ring lie behind its indices. */
static inline unsigned char *slots_of(struct ck_ring *ring)
{
    return (unsigned char *)ring + SLOTS_RING_EXTRA;
}

MESSAGE_INLINE void *ring_reserve(struct ck_ring *ring, uint32_t size)
{
    void *slots = slots_of(ring);
    switch (size) {
#define RESERVE(of)                                                                                \
    case of:                                                                                       \
        return ck_ring_enqueue_reserve_spsc_##of(ring, slots);
        MESSAGE_SIZES(RESERVE)
    default:
        return NULL;
    }
}

MESSAGE_INLINE int ring_dequeue(struct port *port, uint32_t size)
{
    void *to = port->message;
    void *slots = port->in_slots;
    switch (size) {
#define DEQUEUE(of)                                                                                \
    case of:                                                                                       \
        return ck_ring_dequeue_spsc_##of(port->in, slots, to);
        MESSAGE_SIZES(DEQUEUE)
    default:
        return 0;
    }
}

MESSAGE_INLINE void *ring_wait_slot(struct port *port, uint32_t i, uint32_t size)
{
    uint32_t poll_count = 0;
    void    *slot;
    while ((slot = ring_reserve(port->out[i], size)) == NULL)
        slots_wait(port->job, port->role, ++poll_count);
    return slot;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    if (port->claimed == NULL)
        return 0;
    for (uint32_t i = 1; i < port->out_count; i++) {
        memcpy(ring_wait_slot(port, i, size), port->claimed, size);
        ck_ring_enqueue_commit_spsc(port->out[i]);
    }
    ck_ring_enqueue_commit_spsc(port->out[0]);
    port->claimed = NULL;
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    (void)port_publish(port, size);
    port->claimed = ring_wait_slot(port, 0, size);
    return port->claimed;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    uint32_t poll_count = 0;
    while (!ring_dequeue(port, size))
        slots_wait(port->job, port->role, ++poll_count);
    return port->message;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)port;
    (void)size;
}

static int prepare(struct job *job)
{
    if (slots_fit(job) != 0)
        return -1;
    for (uint32_t i = 0; i < slots_ring_count(job); i++)
        ck_ring_init((struct ck_ring *)(void *)slots_ring(job, 0, i), slots_count(job));
    return 0;
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = aligned_alloc(64, sizeof(*port));
    if (port == NULL)
        return NULL;
    memset(port, 0, sizeof(*port));
    port->job = job;
    port->role = role;
    port->out_count = end->is_producer ? job->setup.consumer_count : 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        port->out[i] = (struct ck_ring *)(void *)slots_ring(job, end->lane, i);
    port->in = (struct ck_ring *)(void *)slots_ring(job, end->lane, end->consumer_idx);
    port->in_slots = slots_of(port->in);
    return port;
}

static void port_close(void *port)
{
    free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_ck_ring = {
    .name = "ck_ring",
    .is_ring = 1,
    .never_sleeps = 1,
    .prepare = prepare,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
