/*
 * carrier_stream.h - the port of every carrier that moves bytes: pipes and stream sockets.
 *
 * The file that includes it has defined the type stream_handle and
 *
 *     int64_t stream_write(stream_handle, const void *bytes, uint32_t size)
 *     int64_t stream_read(stream_handle, void *bytes, uint32_t size)
 *
 * which return the bytes moved, 0 if none can be now, -1 on failure or at the end.  Messages have
 * one size, so no length goes before them.  Each publish is one write; a read takes whatever is
 * there, up to STREAM_READ_SIZE: the fewest system calls that a careful program would make.  With
 * several consumers each has a stream of its own and the producer writes to one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "message.h"

#define STREAM_READ_SIZE 65536u

struct port {
    stream_handle  out[JOB_CONSUMERS_MAX];
    uint32_t       out_count;
    stream_handle  in;
    unsigned char *written; /* one batch */
    uint32_t       written_size;
    unsigned char *read; /* what came and has not been peeked lies in [read_begin, read_end) */
    uint32_t       read_begin;
    uint32_t       read_end;
    uint32_t       read_size;
    uint32_t       role;
    struct job    *job;
};

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: %s", call, stream_error());
}

static int stream_write_all(struct port *port, stream_handle out)
{
    uint32_t done = 0;
    while (done < port->written_size) {
        int64_t moved = stream_write(out, port->written + done, port->written_size - done);
        if (moved < 0)
            return port_fail(port, "write");
        done += (uint32_t)moved;
    }
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    void *to = port->written + port->written_size;
    port->written_size += size;
    return to;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    if (port->written_size == 0)
        return 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        if (stream_write_all(port, port->out[i]) != 0)
            return -1;
    port->written_size = 0;
    return 0;
}

__attribute__((noinline)) static int stream_read_more(struct port *port, uint32_t size)
{
    uint32_t left = port->read_end - port->read_begin;

    memmove(port->read, port->read + port->read_begin, left);
    port->read_begin = 0;
    port->read_end = left;
    while (port->read_end < size) {
        int64_t moved =
            stream_read(port->in, port->read + port->read_end, port->read_size - port->read_end);
        if (moved < 0)
            return port_fail(port, "read");
        port->read_end += (uint32_t)moved;
    }
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    const void *from;
    if (port->read_end - port->read_begin < size && stream_read_more(port, size) != 0)
        return NULL;
    from = port->read + port->read_begin;
    port->read_begin += size;
    return from;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    (void)port;
}

static void port_free(struct port *port)
{
    free(port->written);
    free(port->read);
    free(port);
}

/* A port without its handles yet; NULL: no memory. */
static struct port *port_make(struct job *job, uint32_t role)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    port->read_size = job->setup.size > STREAM_READ_SIZE ? job->setup.size : STREAM_READ_SIZE;
    port->read = malloc(port->read_size);
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    if (port->read != NULL && port->written != NULL)
        return port;
    port_free(port);
    return NULL;
}
