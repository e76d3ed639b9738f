/*
 * carrier_mailslot_win32.c - contestant: mailslots, one for each consumer.
 *
 * Windows queues what is written to a mailslot of the same machine without bound, so none is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include "carrier.h"
#include "host.h"
#include "message.h"

#define NAME_SIZE 96

struct port {
    HANDLE         slot[JOB_CONSUMERS_MAX];
    uint32_t       slot_count;
    unsigned char *read;
    unsigned char *written; /* one batch */
    uint32_t       written_count;
    uint32_t       role;
    struct job    *job;
};

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: error %lu", call, GetLastError());
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + (size_t)size * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    DWORD moved;
    for (uint32_t k = 0; k < port->written_count; k++)
        for (uint32_t i = 0; i < port->slot_count; i++)
            if (!WriteFile(port->slot[i], port->written + (size_t)size * k, size, &moved, NULL))
                return port_fail(port, "WriteFile");
    port->written_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    DWORD moved = 0;
    while (!ReadFile(port->slot[0], port->read, size, &moved, NULL) || moved != size) {
        if (GetLastError() != ERROR_SEM_TIMEOUT) {
            (void)port_fail(port, "ReadFile");
            return NULL;
        }
        host_yield();
    }
    return port->read;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)port;
    (void)size;
}

static void slot_name(char name[NAME_SIZE], const struct job *job, uint32_t slot)
{
    (void)snprintf(name, NAME_SIZE, "\\\\.\\mailslot\\gyre-bench.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial, slot);
}

static int make_slot(struct port *port, uint32_t slot)
{
    char name[NAME_SIZE];

    slot_name(name, port->job, slot);
    port->slot[0] =
        CreateMailslotA(name, 0, port->job->setup.is_blocking ? MAILSLOT_WAIT_FOREVER : 0, NULL);
    if (port->slot[0] == INVALID_HANDLE_VALUE)
        return port_fail(port, "CreateMailslot");
    port->slot_count = 1;
    atomic_store(&port->job->meeting[slot], 1);
    return 0;
}

static int open_slots(struct port *port, uint32_t lane)
{
    for (uint32_t i = 0; i < port->job->setup.consumer_count; i++) {
        char name[NAME_SIZE];
        while (atomic_load(&port->job->meeting[lane + i]) == 0)
            host_yield();
        slot_name(name, port->job, lane + i);
        port->slot[i] =
            CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        if (port->slot[i] == INVALID_HANDLE_VALUE)
            return port_fail(port, "CreateFile");
        port->slot_count++;
    }
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->slot_count; i++)
        (void)CloseHandle(port->slot[i]);
    free(port->read);
    free(port->written);
    free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    int          result = -1;

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->read = malloc(job->setup.size);
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    if (port->read != NULL && port->written != NULL)
        result = end->is_producer ? open_slots(port, end->lane)
                                  : make_slot(port, end->lane + end->consumer_idx);
    if (result == 0)
        return port;
    port_close(port);
    return NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_mailslot = {
    .name = "mailslot",
    .open = port_open,
    .close = port_close,
    LOOPS,
};
