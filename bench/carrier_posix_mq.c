/*
 * carrier_posix_mq.c - contestant: POSIX message queues with the limits every process has.
 *
 * A queue's name is removed as soon as it is made, so none can be left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carrier.h"
#include "message.h"

#define MQ_MESSAGES 10   /* /proc/sys/fs/mqueue/msg_max as it is by default */
#define MQ_SIZE_MAX 8192 /* and msgsize_max */

struct port {
    mqd_t          out[JOB_CONSUMERS_MAX];
    uint32_t       out_count;
    mqd_t          in;
    uint32_t       size;
    uint32_t       role;
    uint32_t       claimed_count;
    unsigned char *read;
    unsigned char *written; /* one batch */
    struct job    *job;
};

static mqd_t mq_lane[2][JOB_CONSUMERS_MAX];

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: %s", call, strerror(errno));
}

static int port_send(struct port *port, const unsigned char *message)
{
    for (uint32_t i = 0; i < port->out_count; i++)
        while (mq_send(port->out[i], (const char *)message, port->size, 0) != 0)
            if (errno != EAGAIN && errno != EINTR)
                return port_fail(port, "mq_send");
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + (size_t)size * port->claimed_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    for (uint32_t i = 0; i < port->claimed_count; i++)
        if (port_send(port, port->written + (size_t)port->size * i) != 0)
            return -1;
    port->claimed_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    ssize_t got;
    while ((got = mq_receive(port->in, (char *)port->read, size, NULL)) < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            (void)port_fail(port, "mq_receive");
            return NULL;
        }
    }
    return port->read;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    (void)port;
}

static int prepare(struct job *job)
{
    uint32_t       lane_count = job->setup.task == JOB_PING_PONG ? 2 : 1;
    struct mq_attr attr = {.mq_maxmsg = MQ_MESSAGES, .mq_msgsize = (long)job->setup.size};
    int            flags = O_CREAT | O_EXCL | O_RDWR | (job->setup.is_blocking ? 0 : O_NONBLOCK);
    char           name[64];

    memset(mq_lane, -1, sizeof(mq_lane));
    for (uint32_t lane = 0; lane < lane_count; lane++) {
        for (uint32_t i = 0; i < job->setup.consumer_count; i++) {
            (void)snprintf(name, sizeof(name), "/gyre-bench.%llu.%u.%u",
                           (unsigned long long)job->bench_pid, lane, i);
            mq_lane[lane][i] = mq_open(name, flags, 0600, &attr);
            if (mq_lane[lane][i] == (mqd_t)-1)
                return -1;
            (void)mq_unlink(name);
        }
    }
    return 0;
}

static void dispose(struct job *job)
{
    (void)job;
    for (uint32_t lane = 0; lane < 2; lane++)
        for (uint32_t i = 0; i < JOB_CONSUMERS_MAX; i++)
            if (mq_lane[lane][i] != (mqd_t)-1)
                (void)mq_close(mq_lane[lane][i]);
    memset(mq_lane, -1, sizeof(mq_lane));
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->size = job->setup.size;
    port->read = malloc(job->setup.size);
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    port->in = mq_lane[end->lane][end->consumer_idx];
    if (end->is_producer)
        for (uint32_t i = 0; i < job->setup.consumer_count; i++)
            port->out[port->out_count++] = mq_lane[end->lane][i];
    if (port->read != NULL && port->written != NULL)
        return port;
    free(port->read);
    free(port->written);
    free(port);
    return NULL;
}

static void port_close(void *of)
{
    struct port *port = of;
    free(port->read);
    free(port->written);
    free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_posix_mq = {
    .name = "posix mq",
    .size_max = MQ_SIZE_MAX,
    .prepare = prepare,
    .dispose = dispose,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
