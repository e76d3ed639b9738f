/*
 * carrier_pipe_win32.c - contestant: anonymous pipes of 64 KiB, one each way.
 *
 * The bench makes them and moves each end to the process that uses it; what they are called there
 * stands in job.meeting: [2 * slot] to read, [2 * slot + 1] to write.
 */
#include "carrier_handle_win32.h"

#include "host.h"

#define PIPE_SIZE 65536u

/* A ping-pong has two lanes with one consumer each, a stream one lane with many. */
static uint32_t slot_of(uint32_t lane, uint32_t consumer_idx)
{
    return 2 * (lane + consumer_idx);
}

static int prepare(struct job *job)
{
    uint32_t lane_count = job->setup.task == JOB_PING_PONG ? 2 : 1;

    for (uint32_t lane = 0; lane < lane_count; lane++) {
        for (uint32_t i = 0; i < job->setup.consumer_count; i++) {
            uint32_t producer = lane;
            uint32_t consumer = lane == 0 ? 1 + i : 0;
            HANDLE   in;
            HANDLE   out;
            if (!CreatePipe(&in, &out, NULL, PIPE_SIZE))
                return -1;
            atomic_store(&job->meeting[slot_of(lane, i)],
                         host_give(consumer, (uint64_t)(uintptr_t)in));
            atomic_store(&job->meeting[slot_of(lane, i) + 1],
                         host_give(producer, (uint64_t)(uintptr_t)out));
        }
    }
    return 0;
}

static void take(struct port *port, uint32_t slot, uint32_t is_producer)
{
    uint64_t value = atomic_load(&port->job->meeting[slot + is_producer]);
    port->out[port->out_count++] = (HANDLE)(uintptr_t)value;
}

static void *pipe_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);
    if (port == NULL)
        return NULL;
    if (end->is_producer)
        for (uint32_t i = 0; i < job->setup.consumer_count; i++)
            take(port, slot_of(end->lane, i), 1);
    else
        take(port, slot_of(end->lane, end->consumer_idx), 0);
    port->in = port->out[0];
    for (uint32_t i = 0; i < port->out_count; i++) {
        if (!job->setup.is_blocking && stream_set_polling(port->out[i]) != 0) {
            (void)port_fail(port, "SetNamedPipeHandleState");
            port_free(port);
            return NULL;
        }
    }
    return port;
}

static void pipe_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)CloseHandle(port->out[i]);
    port_free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_pipe = {
    .name = "pipe",
    .prepare = prepare,
    .open = pipe_open,
    .close = pipe_close,
    LOOPS,
};
