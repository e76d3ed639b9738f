/*
 * carrier_rpc_win32.c - contestant: local RPC (ncalrpc) with the stubs of an IDL compiler.
 *
 * Whoever receives is a server.  Each message is a call, which returns when a thread of the server
 * has put it into the inbox of the reader; a condition variable wakes that one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include <rpc.h>

#include "carrier.h"
#include "host.h"
#include "inbox_win32.h"
#include "message.h"
#include "rpc_message.h"

#define TEXT_SIZE 64
#define PROTOCOL "ncalrpc"

struct port {
    RPC_BINDING_HANDLE out[JOB_CONSUMERS_MAX];
    uint32_t           out_count;
    unsigned char     *written; /* one batch */
    uint32_t           written_count;
    struct inbox       read; /* the reader's own */
    CRITICAL_SECTION   lock; /* of what follows */
    struct inbox       inbox;
    CONDITION_VARIABLE has_come;
    uint32_t           role;
    struct job        *job;
};

static struct port *receiver; /* a call names no port */

void *__RPC_USER MIDL_user_allocate(SIZE_T size)
{
    return malloc(size);
}

void __RPC_USER MIDL_user_free(void *memory)
{
    free(memory);
}

static int port_fail(struct port *port, const char *call, long status)
{
    return role_fail(port->job, port->role, "%s: error %ld", call, status);
}

/* In a thread of the server.  0, or an error. */
LONG server_rpc_message_send(handle_t from, ULONG size, const unsigned char *message)
{
    struct port *port = receiver;
    LONG         result = RPC_S_INVALID_ARG;

    (void)from;
    EnterCriticalSection(&port->lock);
    if (size == port->job->setup.size)
        result = inbox_put(&port->inbox, message, size) == 0 ? RPC_S_OK : RPC_S_OUT_OF_MEMORY;
    WakeConditionVariable(&port->has_come);
    LeaveCriticalSection(&port->lock);
    return result;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + (size_t)size * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    for (uint32_t k = 0; k < port->written_count; k++)
        for (uint32_t i = 0; i < port->out_count; i++) {
            long status = rpc_message_send(port->out[i], size, port->written + (size_t)size * k);
            if (status != RPC_S_OK)
                return port_fail(port, "rpc_message_send", status);
        }
    port->written_count = 0;
    return 0;
}

/* The empty inbox of the reader for the one that calls fill, when there is something in that. */
__attribute__((noinline)) static void take_inbox(struct port *port)
{
    struct inbox empty = port->read;

    EnterCriticalSection(&port->lock);
    while (inbox_is_empty(&port->inbox) && port->job->setup.is_blocking)
        (void)SleepConditionVariableCS(&port->has_come, &port->lock, INFINITE);
    port->read = port->inbox;
    port->inbox = empty;
    LeaveCriticalSection(&port->lock);
    if (inbox_is_empty(&port->read))
        host_yield();
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    (void)size;
    while (inbox_is_empty(&port->read))
        take_inbox(port);
    return inbox_first(&port->read);
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    inbox_drop(&port->read, size);
}

static unsigned char *endpoint_of(unsigned char name[TEXT_SIZE], uint64_t pid)
{
    (void)snprintf((char *)name, TEXT_SIZE, "gyre-bench.%llu", (unsigned long long)pid);
    return name;
}

/* Once in a process: there is no way to take an endpoint back. */
static int serve(struct port *port)
{
    static int    is_serving;
    unsigned char endpoint[TEXT_SIZE];
    RPC_STATUS    status = RPC_S_OK;

    if (!is_serving)
        status = RpcServerUseProtseqEpA((unsigned char *)PROTOCOL, RPC_C_PROTSEQ_MAX_REQS_DEFAULT,
                                        endpoint_of(endpoint, host_pid()), NULL);
    if (!is_serving && status == RPC_S_OK)
        status = RpcServerRegisterIf(server_rpc_message_v1_0_s_ifspec, NULL, NULL);
    if (!is_serving && status == RPC_S_OK)
        status = RpcServerListen(1, RPC_C_LISTEN_MAX_CALLS_DEFAULT, TRUE);
    if (status != RPC_S_OK)
        return port_fail(port, "RpcServerListen", status);
    is_serving = 1;
    atomic_store(&port->job->meeting[port->role], host_pid());
    return 0;
}

static int bind_to(struct port *port, uint32_t role)
{
    unsigned char  endpoint[TEXT_SIZE];
    unsigned char *text = NULL;
    uint64_t       pid;
    RPC_STATUS     status;

    while ((pid = atomic_load(&port->job->meeting[role])) == 0)
        host_yield();
    status = RpcStringBindingComposeA(NULL, (unsigned char *)PROTOCOL, NULL,
                                      endpoint_of(endpoint, pid), NULL, &text);
    if (status == RPC_S_OK)
        status = RpcBindingFromStringBindingA(text, &port->out[port->out_count]);
    (void)RpcStringFreeA(&text);
    if (status != RPC_S_OK)
        return port_fail(port, "RpcBindingFromStringBinding", status);
    port->out_count++;
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;

    receiver = NULL;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)RpcBindingFree(&port->out[i]);
    DeleteCriticalSection(&port->lock);
    free(port->written);
    free(port->read.bytes);
    free(port->inbox.bytes);
    free(port);
}

/* Each is bound to whoever it may send to; a ping-pong's answers go back this way. */
static int connect_all(struct port *port, const struct carrier_end *end)
{
    if (serve(port) != 0 || (!end->is_producer && bind_to(port, 0) != 0))
        return -1;
    for (uint32_t i = 1; end->is_producer && i <= port->job->setup.consumer_count; i++)
        if (bind_to(port, i) != 0)
            return -1;
    return 0;
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    InitializeCriticalSection(&port->lock);
    InitializeConditionVariable(&port->has_come);
    receiver = port;
    if (port->written != NULL && connect_all(port, end) == 0)
        return port;
    port_close(port);
    return NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_rpc = {
    .name = "local RPC",
    .is_duplex = 1,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
