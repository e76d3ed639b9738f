/*
 * carrier_rpc_win32.c - contestant: local RPC (ncalrpc) with the stubs of an IDL compiler.
 *
 * Whoever receives is a server.  Each message is a call, which returns when a thread of the server
 * has put it into the inbox of the reader; a condition variable wakes that one.
 */
#include <stdio.h>
#include <windows.h>

#include <rpc.h>

typedef RPC_BINDING_HANDLE call_target;
#define CALL_MEMBERS                                                                               \
    CRITICAL_SECTION   lock;  /* of what follows */                                                \
    struct inbox       calls; /* what came: the server's inbox; the other is the reader's own */   \
    CONDITION_VARIABLE has_come;

#include "carrier_call_win32.h"
#include "rpc_message.h"

#define TEXT_SIZE 64
#define PROTOCOL "ncalrpc"

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
        result = inbox_put(&port->calls, message, size) == 0 ? RPC_S_OK : RPC_S_OUT_OF_MEMORY;
    WakeConditionVariable(&port->has_come);
    LeaveCriticalSection(&port->lock);
    return result;
}

static int call_send(struct port *port, RPC_BINDING_HANDLE to, const void *message)
{
    long status = rpc_message_send(to, port->job->setup.size, message);
    return status == RPC_S_OK ? 0 : port_fail(port, "rpc_message_send", status);
}

/* The empty inbox of the reader for the one that calls fill, when there is something in that. */
__attribute__((noinline)) static void call_wait(struct port *port)
{
    struct inbox empty = port->inbox;

    EnterCriticalSection(&port->lock);
    while (inbox_is_empty(&port->calls) && port->job->setup.is_blocking)
        (void)SleepConditionVariableCS(&port->has_come, &port->lock, INFINITE);
    port->inbox = port->calls;
    port->calls = empty;
    LeaveCriticalSection(&port->lock);
    if (inbox_is_empty(&port->inbox))
        host_yield();
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
    free(port->calls.bytes);
    port_free(port);
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
    struct port *port = port_make(job, role);

    if (port == NULL)
        return NULL;
    InitializeCriticalSection(&port->lock);
    InitializeConditionVariable(&port->has_come);
    receiver = port;
    if (connect_all(port, end) == 0)
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
