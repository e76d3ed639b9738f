/*
 * carrier_dde_win32.c - contestant: Dynamic Data Exchange, by the DDE management library.
 *
 * Whoever receives registers a service; whoever sends has a conversation with it and pokes each
 * message, synchronously: the transaction ends when the receiver's callback has taken the message.
 */
#include <stdio.h>
#include <windows.h>

#include <ddeml.h>

typedef HCONV call_target;
#define CALL_MEMBERS                                                                               \
    DWORD instance;                                                                                \
    HSZ   service;                                                                                 \
    HSZ   subject; /* the topic, and the item that is poked */

#include "carrier_call_win32.h"

#define NAME_SIZE 96
#define TIMEOUT_MS 10000u

enum { IS_SERVING = 1, IS_CONNECTED }; /* a role's meeting */

static struct port *receiver; /* the callback is told of no other data */

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: DDEML error 0x%x", call,
                     DdeGetLastError(port->instance));
}

static HDDEDATA CALLBACK on_transaction(UINT kind, UINT format, HCONV conversation, HSZ first,
                                        HSZ second, HDDEDATA data, ULONG_PTR data1, ULONG_PTR data2)
{
    DWORD size = 0;
    void *bytes;
    int   result = -1;

    (void)format, (void)conversation, (void)first, (void)second, (void)data1, (void)data2;
    if (kind == XTYP_CONNECT)
        return (HDDEDATA)(ULONG_PTR)TRUE;
    if (kind != XTYP_POKE || receiver == NULL)
        return NULL;
    bytes = DdeAccessData(data, &size);
    if (bytes == NULL)
        return (HDDEDATA)DDE_FNOTPROCESSED;
    if (size >= receiver->job->setup.size)
        result = inbox_put(&receiver->inbox, bytes, receiver->job->setup.size);
    (void)DdeUnaccessData(data);
    return (HDDEDATA)(ULONG_PTR)(result == 0 ? DDE_FACK : DDE_FNOTPROCESSED);
}

static int call_send(struct port *port, HCONV conversation, const void *message)
{
    if (DdeClientTransaction((void *)(uintptr_t)message, port->job->setup.size, conversation,
                             port->subject, CF_TEXT, XTYP_POKE, TIMEOUT_MS, NULL) != NULL)
        return 0;
    return port_fail(port, "DdeClientTransaction");
}

__attribute__((noinline)) static void call_wait(struct port *port)
{
    wait_dispatching(port);
}

static HSZ service_of(const struct port *port, uint32_t role)
{
    char name[NAME_SIZE];

    (void)snprintf(name, sizeof(name), "gyre-bench.%llu.%llu.%u",
                   (unsigned long long)port->job->bench_pid, (unsigned long long)port->job->serial,
                   role);
    return DdeCreateStringHandleA(port->instance, name, CP_WINANSI);
}

static int serve(struct port *port)
{
    if (DdeInitializeA(&port->instance, on_transaction, APPCLASS_STANDARD, 0) != DMLERR_NO_ERROR)
        return role_fail(port->job, port->role, "DdeInitialize failed");
    receiver = port;
    port->subject = DdeCreateStringHandleA(port->instance, "message", CP_WINANSI);
    port->service = service_of(port, port->role);
    if (port->subject == NULL || port->service == NULL ||
        DdeNameService(port->instance, port->service, NULL, DNS_REGISTER) == NULL)
        return port_fail(port, "DdeNameService");
    atomic_store(&port->job->meeting[port->role], IS_SERVING);
    return 0;
}

/* Others may connect meanwhile: only a thread that dispatches its window's messages answers. */
static void await(const struct port *port, uint32_t role, uint64_t state)
{
    while (atomic_load(&port->job->meeting[role]) < state) {
        dispatch();
        host_yield();
    }
}

static int converse(struct port *port, uint32_t role)
{
    HSZ   service;
    HCONV conversation;

    await(port, role, IS_SERVING);
    service = service_of(port, role);
    conversation = DdeConnect(port->instance, service, port->subject, NULL);
    (void)DdeFreeStringHandle(port->instance, service);
    if (conversation == NULL)
        return port_fail(port, "DdeConnect");
    port->out[port->out_count++] = conversation;
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;

    receiver = NULL;
    if (port->instance != 0)
        (void)DdeUninitialize(port->instance); /* ends conversations, frees strings */
    port_free(port);
}

/*
 * The producer has a conversation with each consumer, and in a ping-pong, for the answers, that one
 * with it.  They connect one after the other: who tries to is not found meanwhile.
 */
static int connect_all(struct port *port, const struct carrier_end *end)
{
    int is_answered = port->job->setup.task == JOB_PING_PONG;

    if (serve(port) != 0)
        return -1;
    for (uint32_t i = 1; end->is_producer && i <= port->job->setup.consumer_count; i++)
        if (converse(port, i) != 0)
            return -1;
    if (!end->is_producer) {
        await(port, 0, IS_CONNECTED);
        if (is_answered && converse(port, 0) != 0)
            return -1;
    }
    atomic_store(&port->job->meeting[port->role], IS_CONNECTED);
    await(port, is_answered ? 1 : 0, IS_CONNECTED);
    return 0;
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);

    if (port == NULL || connect_all(port, end) == 0)
        return port;
    port_close(port);
    return NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_dde = {
    .name = "DDE",
    .is_duplex = 1,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
