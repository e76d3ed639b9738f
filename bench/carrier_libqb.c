/*
 * carrier_libqb.c - contestant: libqb's ring buffer, its chunks written and read in place.
 *
 * Waits that sleep use its semaphore; polling ends have a ring without one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qb/qbrb.h>

#include "carrier_slots.h"

struct port {
    qb_ringbuffer_t *out[JOB_CONSUMERS_MAX];
    qb_ringbuffer_t *in;
    unsigned char   *claimed; /* the chunk of out[0]; NULL: none */
    uint32_t         out_count;
    uint32_t         role;
    struct job      *job;
};

static qb_ringbuffer_t *qb_lane[2][JOB_CONSUMERS_MAX];

static int port_fail(struct port *port, const char *call, int code)
{
    return role_fail(port->job, port->role, "%s: %s", call, strerror(code));
}

/* Waits for room; NULL: it failed, and said so. */
static inline void *chunk_alloc(struct port *port, uint32_t i, uint32_t size)
{
    uint32_t poll_count = 0;
    void    *chunk;
    while ((chunk = qb_rb_chunk_alloc(port->out[i], size)) == NULL) {
        if (errno != EAGAIN) {
            (void)port_fail(port, "qb_rb_chunk_alloc", errno);
            return NULL;
        }
        slots_wait(port->job, port->role, ++poll_count);
    }
    return chunk;
}

static inline int chunk_commit(struct port *port, uint32_t i, uint32_t size)
{
    int result = qb_rb_chunk_commit(port->out[i], size);
    return result == 0 ? 0 : port_fail(port, "qb_rb_chunk_commit", -result);
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    if (port->claimed == NULL)
        return 0;
    for (uint32_t i = 1; i < port->out_count; i++) {
        void *chunk = chunk_alloc(port, i, size);
        if (chunk == NULL)
            return -1;
        memcpy(chunk, port->claimed, size);
        if (chunk_commit(port, i, size) != 0)
            return -1;
    }
    port->claimed = NULL;
    return chunk_commit(port, 0, size);
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    if (port_publish(port, size) != 0)
        return NULL;
    port->claimed = chunk_alloc(port, 0, size);
    return port->claimed;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    int32_t  timeout_ms = port->job->setup.is_blocking ? -1 : 0;
    uint32_t poll_count = 0;
    void    *chunk = NULL;
    ssize_t  got;
    while ((got = qb_rb_chunk_peek(port->in, &chunk, timeout_ms)) != (ssize_t)size) {
        if (got > 0 || (got < 0 && got != -ETIMEDOUT && got != -EBADMSG && got != -EAGAIN)) {
            (void)port_fail(port, "qb_rb_chunk_peek", got < 0 ? (int)-got : EMSGSIZE);
            return NULL;
        }
        slots_wait(port->job, port->role, ++poll_count);
    }
    return chunk;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    qb_rb_chunk_reclaim(port->in);
}

static int prepare(struct job *job)
{
    uint32_t lane_count = job->setup.task == JOB_PING_PONG ? 2 : 1;
    uint32_t flags = QB_RB_FLAG_CREATE | QB_RB_FLAG_SHARED_PROCESS;
    char     name[80];

    if (!job->setup.is_blocking)
        flags |= QB_RB_FLAG_NO_SEMAPHORE;
    memset(qb_lane, 0, sizeof(qb_lane));
    for (uint32_t lane = 0; lane < lane_count; lane++) {
        for (uint32_t i = 0; i < job->setup.consumer_count; i++) {
            (void)snprintf(name, sizeof(name), "gyre-bench.%llu.%llu.%u.%u",
                           (unsigned long long)job->bench_pid, (unsigned long long)job->serial,
                           lane, i);
            qb_lane[lane][i] = qb_rb_open(name, job->setup.capacity, flags, 0);
            if (qb_lane[lane][i] == NULL)
                return -1;
        }
    }
    return 0;
}

/* The bench made them, so its close removes their files. */
static void dispose(struct job *job)
{
    (void)job;
    for (uint32_t lane = 0; lane < 2; lane++)
        for (uint32_t i = 0; i < JOB_CONSUMERS_MAX; i++)
            if (qb_lane[lane][i] != NULL)
                qb_rb_close(qb_lane[lane][i]);
    memset(qb_lane, 0, sizeof(qb_lane));
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->out_count = end->is_producer ? job->setup.consumer_count : 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        port->out[i] = qb_lane[end->lane][i];
    port->in = qb_lane[end->lane][end->consumer_idx];
    return port;
}

static void port_close(void *port)
{
    free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_libqb = {
    .name = "libqb ring",
    .is_ring = 1,
    .prepare = prepare,
    .dispose = dispose,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
