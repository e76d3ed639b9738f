/*
 * carrier_fd.h - stream_write and stream_read of carrier_stream.h on a Linux file descriptor, and
 * the lanes of carriers whose descriptors the bench makes and the roles inherit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef int stream_handle;

static inline const char *stream_error(void)
{
    return strerror(errno);
}

static inline int64_t stream_result(ssize_t moved, ssize_t end)
{
    if (moved > 0)
        return moved;
    return moved < end && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static inline int64_t stream_write(stream_handle out, const void *bytes, uint32_t size)
{
    return stream_result(write(out, bytes, size), 0);
}

static inline int64_t stream_read(stream_handle in, void *bytes, uint32_t size)
{
    return stream_result(read(in, bytes, size), 0);
}

#include "carrier_stream.h"

/* The descriptors of this job: [lane][consumer][0: to read, 1: to write]; -1: none. */
static int fd_lane[2][JOB_CONSUMERS_MAX][2];

/* Makes one lane or, for a ping-pong over one-way streams, two; 0 or -1 with errno. */
static int fd_prepare(struct job *job, uint32_t lane_count, int (*make)(int fd[2]))
{
    memset(fd_lane, -1, sizeof(fd_lane));
    for (uint32_t lane = 0; lane < lane_count; lane++) {
        for (uint32_t i = 0; i < job->setup.consumer_count; i++) {
            int *fd = fd_lane[lane][i];
            if (make(fd) != 0)
                return -1;
            if (!job->setup.is_blocking &&
                (fcntl(fd[0], F_SETFL, O_NONBLOCK) != 0 || fcntl(fd[1], F_SETFL, O_NONBLOCK) != 0))
                return -1;
        }
    }
    return 0;
}

static void fd_dispose(struct job *job)
{
    (void)job;
    for (uint32_t lane = 0; lane < 2; lane++)
        for (uint32_t i = 0; i < JOB_CONSUMERS_MAX; i++)
            for (uint32_t side = 0; side < 2; side++)
                if (fd_lane[lane][i][side] >= 0)
                    (void)close(fd_lane[lane][i][side]);
    memset(fd_lane, -1, sizeof(fd_lane));
}

/* A producer has its own ends of all streams of the lane, a consumer those of one. */
static void *fd_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);
    if (port == NULL)
        return NULL;
    if (!end->is_producer) {
        port->in = port->out[0] = fd_lane[end->lane][end->consumer_idx][0];
        port->out_count = 1;
        return port;
    }
    port->in = fd_lane[end->lane][0][1];
    for (uint32_t i = 0; i < job->setup.consumer_count; i++)
        port->out[port->out_count++] = fd_lane[end->lane][i][1];
    return port;
}

/* The descriptors go with the process of the role. */
static void fd_close(void *port)
{
    port_free(port);
}
