/* carrier_unix_stream.c - contestant: a pair of Unix stream sockets with the default buffers. */
#include <sys/socket.h>

#include "carrier_fd.h"

static int make_pair(int fd[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

static int prepare(struct job *job)
{
    return fd_prepare(job, 1, make_pair);
}

#include "carrier_loops.h"

const struct carrier carrier_unix_stream = {
    .name = "unix stream",
    .is_duplex = 1,
    .prepare = prepare,
    .dispose = fd_dispose,
    .open = fd_open,
    .close = fd_close,
    LOOPS,
};
