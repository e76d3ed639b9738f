/*
 * carrier_call_win32.h - the port of every carrier that calls the receiver for each message and is
 * not done before that one has put it into its inbox, so nothing is lost.
 *
 * The file that includes it has defined call_target, whom a message is sent to; CALL_MEMBERS, what
 * else its port holds; and
 *
 *     int call_send(struct port *, call_target, const void *message)   0 or -1
 *     void call_wait(struct port *)   until there may be something in the inbox
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "carrier.h"
#include "host.h"
#include "message.h"

struct inbox {
    unsigned char *bytes; /* what has not been read lies in [begin, end) */
    uint32_t       begin;
    uint32_t       end;
    uint32_t       size;
};

struct port {
    call_target    out[JOB_CONSUMERS_MAX];
    uint32_t       out_count;
    unsigned char *written; /* one batch */
    uint32_t       written_count;
    struct inbox   inbox;
    uint32_t       role;
    struct job    *job;
    CALL_MEMBERS
};

static int  call_send(struct port *port, call_target target, const void *message);
static void call_wait(struct port *port);

static inline int inbox_is_empty(const struct inbox *inbox)
{
    return inbox->begin == inbox->end;
}

/* 0, or -1: no memory.  It locks nothing. */
static inline int inbox_put(struct inbox *inbox, const void *message, uint32_t size)
{
    if (inbox->size - inbox->end < size) {
        uint32_t       left = inbox->end - inbox->begin;
        uint32_t       grown_size = 2 * (left + size);
        unsigned char *grown = malloc(grown_size);
        if (grown == NULL)
            return -1;
        if (left != 0)
            memcpy(grown, inbox->bytes + inbox->begin, left);
        free(inbox->bytes);
        *inbox = (struct inbox){grown, 0, left, grown_size};
    }
    memcpy(inbox->bytes + inbox->end, message, size);
    inbox->end += size;
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + (size_t)size * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    for (uint32_t k = 0; k < port->written_count; k++)
        for (uint32_t i = 0; i < port->out_count; i++)
            if (call_send(port, port->out[i], port->written + (size_t)size * k) != 0)
                return -1;
    port->written_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    (void)size;
    while (inbox_is_empty(&port->inbox))
        call_wait(port);
    return port->inbox.bytes + port->inbox.begin;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    port->inbox.begin += size;
    if (inbox_is_empty(&port->inbox))
        port->inbox.begin = port->inbox.end = 0;
}

/* Lets the system call back: sent messages while it looks, posted ones by dispatch. */
static inline void dispatch(void)
{
    MSG message;
    while (PeekMessageA(&message, NULL, 0, 0, PM_REMOVE))
        (void)DispatchMessageA(&message);
}

/* The wait of those whom messages of a window call back. */
static inline void wait_dispatching(struct port *port)
{
    dispatch();
    if (!inbox_is_empty(&port->inbox))
        return;
    if (port->job->setup.is_blocking)
        (void)MsgWaitForMultipleObjectsEx(0, NULL, INFINITE, QS_ALLINPUT, MWMO_INPUTAVAILABLE);
    else
        host_yield();
}

static struct port *port_make(struct job *job, uint32_t role)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    if (port->written != NULL)
        return port;
    free(port);
    return NULL;
}

static void port_free(struct port *port)
{
    free(port->written);
    free(port->inbox.bytes);
    free(port);
}
