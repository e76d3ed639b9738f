/*
 * carrier_shared_event_win32.c - contestant: shared memory as in textbooks: room for one message,
 * a mutex around it, an event that it is full and one that it is empty.
 *
 * With several consumers each has a room of its own.  A batch is as many messages, one by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "carrier.h"
#include "host.h"
#include "message.h"

#define NAME_SIZE 96
#define ROOM_SIZE (65536u + 64u)

struct room {
    volatile LONG is_full; /* the mutex's */
    _Alignas(64) unsigned char message[];
};

struct channel {
    struct room *room;
    HANDLE       mutex;
    HANDLE       full;
    HANDLE       empty;
};

struct port {
    struct channel channel[JOB_CONSUMERS_MAX];
    uint32_t       channel_count;
    uint32_t       is_claimed;
    uint32_t       role;
    struct job    *job;
};

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: error %lu", call, GetLastError());
}

/* Enters the room when it is full, or empty. */
static int room_enter(struct port *port, struct channel *channel, LONG is_full)
{
    HANDLE event = is_full ? channel->full : channel->empty;
    DWORD  timeout_ms = port->job->setup.is_blocking ? INFINITE : 0;

    for (;;) {
        if (WaitForSingleObject(channel->mutex, INFINITE) != WAIT_OBJECT_0)
            return port_fail(port, "WaitForSingleObject");
        if (channel->room->is_full == is_full)
            return 0;
        (void)ReleaseMutex(channel->mutex);
        if (WaitForSingleObject(event, timeout_ms) == WAIT_TIMEOUT)
            host_yield();
    }
}

static void room_leave(struct channel *channel, LONG is_full)
{
    channel->room->is_full = is_full;
    (void)ReleaseMutex(channel->mutex);
    (void)SetEvent(is_full ? channel->full : channel->empty);
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    if (!port->is_claimed)
        return 0;
    for (uint32_t i = 1; i < port->channel_count; i++) {
        if (room_enter(port, &port->channel[i], 0) != 0)
            return -1;
        memcpy(port->channel[i].room->message, port->channel[0].room->message, size);
        room_leave(&port->channel[i], 1);
    }
    room_leave(&port->channel[0], 1);
    port->is_claimed = 0;
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    if (port_publish(port, size) != 0 || room_enter(port, &port->channel[0], 0) != 0)
        return NULL;
    port->is_claimed = 1;
    return port->channel[0].room->message;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    (void)size;
    return room_enter(port, &port->channel[0], 1) == 0 ? port->channel[0].room->message : NULL;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    room_leave(&port->channel[0], 0);
}

static int prepare(struct job *job)
{
    for (uint32_t i = 0; i < JOB_CONSUMERS_MAX; i++)
        ((struct room *)(void *)(job->arena + (size_t)ROOM_SIZE * i))->is_full = 0;
    return 0;
}

static const char *name_of(char name[NAME_SIZE], const struct job *job, uint32_t idx,
                           const char *what)
{
    (void)snprintf(name, NAME_SIZE, "Local\\gyre-bench.%llu.%llu.%u.%s",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial, idx, what);
    return name;
}

/* Whoever comes first makes them. */
static int channel_open(struct port *port, uint32_t idx)
{
    struct channel *channel = &port->channel[port->channel_count++];
    char            name[NAME_SIZE];

    channel->room = (struct room *)(void *)(port->job->arena + (size_t)ROOM_SIZE * idx);
    channel->mutex = CreateMutexA(NULL, FALSE, name_of(name, port->job, idx, "mutex"));
    channel->full = CreateEventA(NULL, FALSE, FALSE, name_of(name, port->job, idx, "full"));
    channel->empty = CreateEventA(NULL, FALSE, FALSE, name_of(name, port->job, idx, "empty"));
    if (channel->mutex == NULL || channel->full == NULL || channel->empty == NULL)
        return port_fail(port, "CreateMutex or CreateEvent");
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->channel_count; i++) {
        (void)CloseHandle(port->channel[i].mutex);
        (void)CloseHandle(port->channel[i].full);
        (void)CloseHandle(port->channel[i].empty);
    }
    free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    uint32_t     first = end->lane + end->consumer_idx;
    uint32_t     count = end->is_producer ? job->setup.consumer_count : 1;

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    for (uint32_t i = 0; i < count; i++)
        if (channel_open(port, first + i) != 0)
            return NULL;
    return port;
}

#include "carrier_loops.h"

const struct carrier carrier_shared_event = {
    .name = "shm, mutex, events",
    .prepare = prepare,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
