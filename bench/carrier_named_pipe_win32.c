/*
 * carrier_named_pipe_win32.c - contestant: named pipes in byte mode, both directions in one.
 *
 * Each consumer makes the pipe it listens at and says when it is there; the producer opens all.
 */
#include "carrier_handle_win32.h"

#include "host.h"

#define PIPE_SIZE 65536u
#define NAME_SIZE 96

static void pipe_name(char name[NAME_SIZE], const struct job *job, uint32_t consumer_idx)
{
    (void)snprintf(name, NAME_SIZE, "\\\\.\\pipe\\gyre-bench.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial,
                   consumer_idx);
}

static int finish(struct port *port, HANDLE pipe)
{
    port->out[port->out_count++] = pipe;
    port->in = port->out[0];
    if (!port->job->setup.is_blocking && stream_set_polling(pipe) != 0)
        return port_fail(port, "SetNamedPipeHandleState");
    return 0;
}

static int open_all(struct port *port)
{
    for (uint32_t i = 0; i < port->job->setup.consumer_count; i++) {
        char   name[NAME_SIZE];
        HANDLE pipe;
        while (atomic_load(&port->job->meeting[i]) == 0)
            host_yield();
        pipe_name(name, port->job, i);
        pipe = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
        if (pipe == INVALID_HANDLE_VALUE)
            return port_fail(port, "CreateFile");
        if (finish(port, pipe) != 0)
            return -1;
    }
    return 0;
}

static int listen_one(struct port *port, uint32_t consumer_idx)
{
    char   name[NAME_SIZE];
    HANDLE pipe;

    pipe_name(name, port->job, consumer_idx);
    pipe = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, 1, PIPE_SIZE,
                            PIPE_SIZE, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE)
        return port_fail(port, "CreateNamedPipe");
    atomic_store(&port->job->meeting[consumer_idx], 1);
    if (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED)
        return port_fail(port, "ConnectNamedPipe");
    return finish(port, pipe);
}

static void *pipe_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);
    int          result;
    if (port == NULL)
        return NULL;
    result = end->is_producer ? open_all(port) : listen_one(port, end->consumer_idx);
    if (result == 0)
        return port;
    port_free(port);
    return NULL;
}

static void pipe_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)CloseHandle(port->out[i]);
    port_free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_named_pipe = {
    .name = "named pipe",
    .is_duplex = 1,
    .open = pipe_open,
    .close = pipe_close,
    LOOPS,
};
