/*
 * carrier_gyre.c - Gyre, by its public API: messages are written and read in the ring itself, and
 * batches by runs.
 *
 * A consumer of a stream gives room back when it has found the ring empty and after every
 * RELEASE_COUNT messages (or as many as the job says) or 1/RELEASE_SHARE of the ring, then calls
 * gyre_wait: with the strategy that spins where it may poll, else with the default one.  In a
 * ping-pong it is in haste: it peeks again after a pause, and gives each message back at once.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gyre/gyre.h>

#include "carrier.h"
#include "message.h"

#define RELEASE_COUNT 64u
#define RELEASE_SHARE 32u
#define POLLS_PER_LOOK (1u << 20)
#define OPEN_NS UINT64_C(5000000000)

struct port {
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    uint32_t              held_count;
    uint32_t              held_max;
    uint32_t              is_blocking;
    uint32_t              is_hasty;
    uint32_t              role;
    struct job           *job;
};

static int port_fail(struct port *port, const char *call, enum gyre_status status)
{
    return role_fail(port->job, port->role, "%s: %s", call, gyre_status_sentence(status));
}

__attribute__((noinline)) static int port_wait_room(struct port *port, uint32_t size)
{
    enum gyre_status status;

    gyre_publish(port->producer);
    status = gyre_wait_room(port->producer, size, GYRE_FOREVER);
    return status == GYRE_OK ? 0 : port_fail(port, "gyre_wait_room", status);
}

__attribute__((noinline)) static int port_wait_message(struct port *port, uint32_t poll_count)
{
    enum gyre_status status = GYRE_OK;

    if (port->held_count != 0) {
        port->held_count = 0;
        status = gyre_release(port->consumer);
    } else if (!port->is_hasty) {
        status = gyre_wait(port->consumer, GYRE_FOREVER);
    } else if (poll_count % POLLS_PER_LOOK == 0) {
        status = gyre_wait(port->consumer, 0); /* has it something else to tell? */
        status = status == GYRE_TIMEOUT ? GYRE_OK : status;
    } else {
        gyre_pause();
    }
    return status == GYRE_OK ? 0 : port_fail(port, "gyre_wait", status);
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    void *to;
    while ((to = gyre_claim(port->producer, size)) == NULL)
        if (port_wait_room(port, size) != 0)
            return NULL;
    return to;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    gyre_publish(port->producer);
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    const void *from;
    uint32_t    got_size = 0;
    uint32_t    poll_count = 0;
    while ((from = gyre_peek(port->consumer, &got_size)) == NULL)
        if (port_wait_message(port, ++poll_count) != 0)
            return NULL;
    if (got_size == size)
        return from;
    (void)role_fail(port->job, port->role, "a message of %u bytes came as %u", size, got_size);
    return NULL;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    if (++port->held_count < port->held_max)
        return;
    port->held_count = 0;
    (void)gyre_release(port->consumer); /* a reliable consumer's: always OK */
}

#define PORT_HAS_SEND 1

MESSAGE_INLINE int port_send(struct port *port, const void *message, uint32_t size)
{
    enum gyre_status status = gyre_send(port->producer, message, size, GYRE_FOREVER);
    return status == GYRE_OK ? 0 : port_fail(port, "gyre_send", status);
}

#define PORT_HAS_RUNS 1

MESSAGE_INLINE void *port_claim_run(struct port *port, uint32_t size, struct run *run)
{
    void *to;
    while ((to = gyre_claim_run(port->producer, size, &run->count, &run->stride)) == NULL)
        if (port_wait_room(port, size) != 0)
            return NULL;
    return to;
}

MESSAGE_INLINE const void *port_peek_run(struct port *port, uint32_t size, struct run *run)
{
    const void *from;
    uint32_t    got_size = 0;
    uint32_t    poll_count = 0;
    while ((from = gyre_peek_run(port->consumer, &got_size, &run->count, &run->stride)) == NULL)
        if (port_wait_message(port, ++poll_count) != 0)
            return NULL;
    if (got_size == size)
        return from;
    (void)role_fail(port->job, port->role, "a message of %u bytes came as %u", size, got_size);
    return NULL;
}

MESSAGE_INLINE void port_release_run(struct port *port, uint32_t count)
{
    port->held_count += count;
    if (port->held_count < port->held_max)
        return;
    port->held_count = 0;
    (void)gyre_release(port->consumer);
}

static void ring_name(char name[GYRE_NAME_SIZE], const struct job *job, uint32_t lane)
{
    (void)snprintf(name, GYRE_NAME_SIZE, "gyre-bench.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial, lane);
}

static enum gyre_status open_producer(struct port *port, const char *name, struct gyre_error *error)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = port->job->setup.capacity;
    options.frame_align = port->job->setup.frame_align;
    if (port->job->setup.task == JOB_ATTACHED)
        options.seat_count = GYRE_SEATS_MAX; /* the same ring for any number of them */
    options.wait = port->is_blocking ? GYRE_WAIT_SPIN_THEN_SLEEP : GYRE_WAIT_SPIN;
    return gyre_producer_open(name, &options, &port->producer, error);
}

static enum gyre_status open_consumer(struct port *port, const char *name, struct gyre_error *error)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    uint64_t held_max = port->job->setup.capacity / RELEASE_SHARE / port->job->setup.size;

    port->held_max =
        held_max < RELEASE_COUNT ? (uint32_t)(held_max + (held_max == 0)) : RELEASE_COUNT;
    if (port->job->setup.release_count != 0)
        port->held_max = port->job->setup.release_count;
    if (port->job->setup.task != JOB_STREAM)
        port->held_max = 1;
    /* One that does nothing must not hold the producer back. */
    options.kind = port->job->setup.task == JOB_ATTACHED ? GYRE_LOSSY : GYRE_RELIABLE;
    options.start = GYRE_START_OLDEST;
    options.wait = port->is_blocking ? GYRE_WAIT_SPIN_THEN_SLEEP : GYRE_WAIT_SPIN;
    if (port->job->setup.never_spins)
        options.wait = GYRE_WAIT_SLEEP;
    options.open_deadline_ns = gyre_now_ns() + OPEN_NS;
    return gyre_consumer_open(name, &options, &port->consumer, error);
}

static void port_close(void *of)
{
    struct port *port = of;
    gyre_producer_close(port->producer);
    gyre_consumer_close(port->consumer);
    free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port      *port = calloc(1, sizeof(*port));
    struct gyre_error error = {GYRE_OK, 0, NULL, NULL};
    char              name[GYRE_NAME_SIZE];
    enum gyre_status  status;

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->is_blocking = job->setup.is_blocking;
    port->is_hasty = job->setup.task == JOB_PING_PONG && !job->setup.is_blocking;
    ring_name(name, job, end->lane);
    status =
        end->is_producer ? open_producer(port, name, &error) : open_consumer(port, name, &error);
    if (status == GYRE_OK)
        return port;
    (void)role_fail(job, role, "gyre_%s_open: %s (%s %d %s)",
                    end->is_producer ? "producer" : "consumer", gyre_status_sentence(status),
                    error.call != NULL ? error.call : "no system call", (int)error.os_code,
                    error.field != NULL ? error.field : "");
    free(port);
    return NULL;
}

/* Only a role that was killed leaves a ring. */
static void dispose(struct job *job)
{
    for (uint32_t lane = 0; lane < 2; lane++) {
        char name[GYRE_NAME_SIZE];
        ring_name(name, job, lane);
        (void)gyre_ring_remove(name, 1, NULL);
    }
}

#include "carrier_loops.h"

const struct carrier carrier_gyre = {
    .name = "gyre",
    .is_ring = 1,
    .dispose = dispose,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
