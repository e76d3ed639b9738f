/* carrier_pipe.c - contestant: anonymous pipes of the default size, one each way. */
#include "carrier_fd.h"

static int make_pipe(int fd[2])
{
    return pipe(fd);
}

static int prepare(struct job *job)
{
    return fd_prepare(job, job->setup.task == JOB_PING_PONG ? 2 : 1, make_pipe);
}

#include "carrier_loops.h"

const struct carrier carrier_pipe = {
    .name = "pipe",
    .prepare = prepare,
    .dispose = fd_dispose,
    .open = fd_open,
    .close = fd_close,
    LOOPS,
};
