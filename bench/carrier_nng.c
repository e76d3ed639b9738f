/*
 * carrier_nng.c - contestant: nng PAIR sockets over ipc, with the default buffers.
 *
 * With several consumers each has a socket of its own.  A consumer listens and says when; the
 * producer dials.  nng has threads of its own that do the work: they run where the role runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include "carrier_slots.h"

#define NAME_SIZE 96

struct port {
    nng_socket  out[JOB_CONSUMERS_MAX];
    nng_socket  in;
    nng_msg    *received;
    nng_msg   **claimed; /* one batch */
    uint32_t    claimed_count;
    uint32_t    out_count;
    uint32_t    role;
    int         flags;
    void       *aligned; /* one message */
    struct job *job;
};

static int port_fail(struct port *port, const char *call, int code)
{
    return role_fail(port->job, port->role, "%s: %s", call, nng_strerror(code));
}

static int send_one(struct port *port, nng_socket socket, nng_msg *message)
{
    uint32_t poll_count = 0;
    int      code;
    while ((code = nng_sendmsg(socket, message, port->flags)) != 0) {
        if (code != NNG_EAGAIN)
            return port_fail(port, "nng_sendmsg", code);
        slots_wait(port->job, port->role, ++poll_count);
    }
    return 0;
}

static int send_all(struct port *port, nng_msg *message)
{
    for (uint32_t i = 1; i < port->out_count; i++) {
        nng_msg *copy;
        int      code = nng_msg_dup(&copy, message);
        if (code != 0)
            return port_fail(port, "nng_msg_dup", code);
        if (send_one(port, port->out[i], copy) != 0)
            return -1;
    }
    return send_one(port, port->out[0], message);
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    nng_msg **message = &port->claimed[port->claimed_count];
    int       code = nng_msg_alloc(message, size);
    if (code != 0) {
        (void)port_fail(port, "nng_msg_alloc", code);
        return NULL;
    }
    port->claimed_count++;
    return nng_msg_body(*message);
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    for (uint32_t k = 0; k < port->claimed_count; k++)
        if (send_all(port, port->claimed[k]) != 0)
            return -1;
    port->claimed_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    uint32_t poll_count = 0;
    int      code;
    while ((code = nng_recvmsg(port->in, &port->received, port->flags)) != 0) {
        if (code != NNG_EAGAIN) {
            (void)port_fail(port, "nng_recvmsg", code);
            return NULL;
        }
        slots_wait(port->job, port->role, ++poll_count);
    }
    if (nng_msg_len(port->received) == size)
        return message_aligned(nng_msg_body(port->received), size, port->aligned);
    (void)port_fail(port, "nng_recvmsg", NNG_EMSGSIZE);
    return NULL;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    nng_msg_free(port->received);
}

/* An abstract address: no file is left. */
static void endpoint(char name[NAME_SIZE], const struct job *job, uint32_t consumer_idx)
{
    (void)snprintf(name, NAME_SIZE, "abstract://gyre-bench.nng.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial,
                   consumer_idx);
}

static int connect_all(struct port *port)
{
    char name[NAME_SIZE];
    int  code;

    for (uint32_t i = 0; i < port->job->setup.consumer_count; i++) {
        while (atomic_load(&port->job->meeting[i]) == 0)
            host_yield();
        endpoint(name, port->job, i);
        code = nng_pair0_open(&port->out[i]);
        if (code == 0)
            code = nng_dial(port->out[i], name, NULL, 0);
        if (code != 0)
            return port_fail(port, "nng_dial", code);
        port->out_count++;
    }
    port->in = port->out[0];
    return 0;
}

static int listen_one(struct port *port, uint32_t consumer_idx)
{
    char name[NAME_SIZE];
    int  code;

    endpoint(name, port->job, consumer_idx);
    code = nng_pair0_open(&port->in);
    if (code == 0)
        code = nng_listen(port->in, name, NULL, 0);
    if (code != 0)
        return port_fail(port, "nng_listen", code);
    port->out[port->out_count++] = port->in;
    atomic_store(&port->job->meeting[consumer_idx], 1);
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)nng_close(port->out[i]);
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
    port->flags = job->setup.is_blocking ? 0 : NNG_FLAG_NONBLOCK;
    port->claimed = calloc(job->setup.batch, sizeof(nng_msg *));
    port->aligned = malloc(job->setup.size);
    if (port->claimed == NULL || port->aligned == NULL)
        return NULL; /* the process ends */
    result = end->is_producer ? connect_all(port) : listen_one(port, end->consumer_idx);
    return result == 0 ? port : NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_nng = {
    .name = "nng ipc",
    .is_duplex = 1,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
