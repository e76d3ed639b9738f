/*
 * carrier_rte_ring.c - contestant: DPDK's ring for one producer and consumer, by its zero-copy API.
 *
 * Only the headers are used: the ring is initialised here field by field, in memory that DPDK's own
 * allocator does not know.  Messages are written and read in their slots, a whole batch at a time.
 */
#include <stdlib.h>
#include <string.h>

/* The headers want to know for which CPU they are compiled. */
#include <rte_config.h>
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#include "carrier_slots.h"

struct port {
    struct rte_ring        *out[JOB_CONSUMERS_MAX];
    struct rte_ring        *in;
    struct rte_ring_zc_data slots; /* claimed of out[0], or peeked of in */
    uint32_t                slot_count;
    uint32_t                used_count;
    uint32_t                out_count;
    uint32_t                batch;
    uint32_t                role;
    struct job             *job;
};

static inline unsigned char *slot_at(const struct rte_ring_zc_data *slots, uint32_t i,
                                     uint32_t size)
{
    unsigned char *first = slots->ptr1;
    unsigned char *second = slots->ptr2;
    return i < slots->n1 ? first + (size_t)size * i : second + (size_t)size * (i - slots->n1);
}

MESSAGE_INLINE void ring_claim(struct port *port, uint32_t i, uint32_t size,
                               struct rte_ring_zc_data *slots, uint32_t count)
{
    uint32_t poll_count = 0;
    while (rte_ring_enqueue_zc_bulk_elem_start(port->out[i], size, count, slots, NULL) == 0)
        slots_wait(port->job, port->role, ++poll_count);
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    if (port->slot_count == 0)
        return 0;
    for (uint32_t i = 1; i < port->out_count; i++) {
        struct rte_ring_zc_data slots;
        ring_claim(port, i, size, &slots, port->used_count);
        for (uint32_t k = 0; k < port->used_count; k++)
            memcpy(slot_at(&slots, k, size), slot_at(&port->slots, k, size), size);
        rte_ring_enqueue_zc_elem_finish(port->out[i], port->used_count);
    }
    rte_ring_enqueue_zc_elem_finish(port->out[0], port->used_count);
    port->slot_count = port->used_count = 0;
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    if (port->slot_count == 0) {
        port->slot_count = port->batch;
        ring_claim(port, 0, size, &port->slots, port->batch);
    }
    return slot_at(&port->slots, port->used_count++, size);
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    uint32_t poll_count = 0;
    if (port->slot_count == 0)
        while ((port->slot_count = rte_ring_dequeue_zc_burst_elem_start(port->in, size, port->batch,
                                                                        &port->slots, NULL)) == 0)
            slots_wait(port->job, port->role, ++poll_count);
    return slot_at(&port->slots, port->used_count++, size);
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    if (port->used_count < port->slot_count)
        return;
    rte_ring_dequeue_zc_elem_finish(port->in, port->slot_count);
    port->slot_count = port->used_count = 0;
}

#define PORT_HAS_RUNS 1

/* Of what is claimed or peeked, what is not used yet, up to the end of the slots. */
MESSAGE_INLINE unsigned char *take_run(struct port *port, uint32_t size, struct run *run)
{
    unsigned char *first = slot_at(&port->slots, port->used_count, size);
    uint32_t       end = port->used_count < port->slots.n1 ? port->slots.n1 : port->slot_count;
    end = end < port->slot_count ? end : port->slot_count;
    run->count = end - port->used_count;
    run->stride = size;
    port->used_count = end;
    return first;
}

MESSAGE_INLINE void *port_claim_run(struct port *port, uint32_t size, struct run *run)
{
    if (port->slot_count == port->used_count) {
        if (port->slot_count != 0)
            (void)port_publish(port, size);
        port->slot_count = run->count;
        ring_claim(port, 0, size, &port->slots, run->count);
    }
    return take_run(port, size, run);
}

MESSAGE_INLINE const void *port_peek_run(struct port *port, uint32_t size, struct run *run)
{
    uint32_t poll_count = 0;
    if (port->slot_count == 0)
        while ((port->slot_count = rte_ring_dequeue_zc_burst_elem_start(port->in, size, run->count,
                                                                        &port->slots, NULL)) == 0)
            slots_wait(port->job, port->role, ++poll_count);
    return take_run(port, size, run);
}

MESSAGE_INLINE void port_release_run(struct port *port, uint32_t count)
{
    (void)count;
    port_release(port, 0);
}

/* The ring's slots begin right behind its struct. */
static void ring_init(struct rte_ring *ring, uint32_t count)
{
    memset(ring, 0, sizeof(*ring));
    ring->flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
    ring->prod.sync_type = RTE_RING_SYNC_ST;
    ring->cons.sync_type = RTE_RING_SYNC_ST;
    ring->size = count;
    ring->mask = count - 1;
    ring->capacity = ring->mask;
}

static int prepare(struct job *job)
{
    if (slots_fit(job) != 0)
        return -1;
    if (job->setup.batch >= slots_count(job))
        return role_fail(job, 0, "a batch does not fit the ring");
    for (uint32_t i = 0; i < slots_ring_count(job); i++)
        ring_init((struct rte_ring *)(void *)slots_ring(job, 0, i), slots_count(job));
    return 0;
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->batch = job->setup.batch;
    port->out_count = end->is_producer ? job->setup.consumer_count : 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        port->out[i] = (struct rte_ring *)(void *)slots_ring(job, end->lane, i);
    port->in = (struct rte_ring *)(void *)slots_ring(job, end->lane, end->consumer_idx);
    return port;
}

static void port_close(void *port)
{
    free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_rte_ring = {
    .name = "rte_ring",
    .is_ring = 1,
    .never_sleeps = 1,
    .prepare = prepare,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
