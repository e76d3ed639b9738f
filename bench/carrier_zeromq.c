/*
 * carrier_zeromq.c - contestant: ZeroMQ PAIR sockets over ipc, with the default high-water marks.
 *
 * A PAIR blocks when its mark is reached, so it is lossless; PUB and SUB would not.  With several
 * consumers each has a socket of its own.  A consumer listens and says when; the producer connects.
 * What it receives may lie at any address, so it may have to be copied before it is read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "carrier_slots.h"

#define NAME_SIZE 96

struct port {
    void       *context;
    void       *out[JOB_CONSUMERS_MAX];
    void       *in;
    zmq_msg_t   received;
    zmq_msg_t  *claimed; /* one batch */
    uint32_t    claimed_count;
    uint32_t    out_count;
    uint32_t    role;
    int         flags;
    void       *aligned; /* one message */
    struct job *job;
};

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: %s", call, zmq_strerror(zmq_errno()));
}

static int send_one(struct port *port, void *socket, zmq_msg_t *message)
{
    uint32_t poll_count = 0;
    while (zmq_msg_send(message, socket, port->flags) < 0) {
        if (zmq_errno() != EAGAIN && zmq_errno() != EINTR)
            return port_fail(port, "zmq_msg_send");
        slots_wait(port->job, port->role, ++poll_count);
    }
    return 0;
}

/* To all sockets but the first goes a copy, which shares what is large. */
static int send_all(struct port *port, zmq_msg_t *message)
{
    for (uint32_t i = 1; i < port->out_count; i++) {
        zmq_msg_t copy;
        if (zmq_msg_init(&copy) != 0 || zmq_msg_copy(&copy, message) != 0)
            return port_fail(port, "zmq_msg_copy");
        if (send_one(port, port->out[i], &copy) != 0)
            return -1;
    }
    return send_one(port, port->out[0], message);
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    zmq_msg_t *message = &port->claimed[port->claimed_count];
    if (zmq_msg_init_size(message, size) != 0) {
        (void)port_fail(port, "zmq_msg_init_size");
        return NULL;
    }
    port->claimed_count++;
    return zmq_msg_data(message);
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    for (uint32_t k = 0; k < port->claimed_count; k++)
        if (send_all(port, &port->claimed[k]) != 0)
            return -1;
    port->claimed_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    uint32_t poll_count = 0;
    int      got;
    (void)zmq_msg_init(&port->received);
    while ((got = zmq_msg_recv(&port->received, port->in, port->flags)) != (int)size) {
        if (got >= 0 || (zmq_errno() != EAGAIN && zmq_errno() != EINTR)) {
            (void)port_fail(port, "zmq_msg_recv");
            return NULL;
        }
        slots_wait(port->job, port->role, ++poll_count);
    }
    return message_aligned(zmq_msg_data(&port->received), size, port->aligned);
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    (void)zmq_msg_close(&port->received);
}

/* An abstract address: no file is left. */
static void endpoint(char name[NAME_SIZE], const struct job *job, uint32_t consumer_idx)
{
    (void)snprintf(name, NAME_SIZE, "ipc://@gyre-bench.zeromq.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial,
                   consumer_idx);
}

static int connect_all(struct port *port)
{
    char name[NAME_SIZE];

    for (uint32_t i = 0; i < port->job->setup.consumer_count; i++) {
        while (atomic_load(&port->job->meeting[i]) == 0)
            host_yield();
        endpoint(name, port->job, i);
        port->out[i] = zmq_socket(port->context, ZMQ_PAIR);
        if (port->out[i] == NULL || zmq_connect(port->out[i], name) != 0)
            return port_fail(port, "zmq_connect");
        port->out_count++;
    }
    port->in = port->out[0];
    return 0;
}

static int listen_one(struct port *port, uint32_t consumer_idx)
{
    char name[NAME_SIZE];

    endpoint(name, port->job, consumer_idx);
    port->in = zmq_socket(port->context, ZMQ_PAIR);
    if (port->in == NULL || zmq_bind(port->in, name) != 0)
        return port_fail(port, "zmq_bind");
    port->out[port->out_count++] = port->in;
    atomic_store(&port->job->meeting[consumer_idx], 1);
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)zmq_close(port->out[i]);
    (void)zmq_ctx_term(port->context);
    free(port->claimed);
    free(port->aligned);
    free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    int          result;

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->flags = job->setup.is_blocking ? 0 : ZMQ_DONTWAIT;
    port->claimed = calloc(job->setup.batch, sizeof(*port->claimed));
    port->aligned = malloc(job->setup.size);
    port->context = zmq_ctx_new();
    if (port->claimed == NULL || port->aligned == NULL || port->context == NULL)
        return NULL; /* the process ends */
    result = end->is_producer ? connect_all(port) : listen_one(port, end->consumer_idx);
    return result == 0 ? port : NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_zeromq = {
    .name = "zeromq ipc",
    .is_duplex = 1,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
