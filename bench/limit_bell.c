/*
 * limit_bell.c - what the system's raw sleep and wake can do: a futex, or an event on Windows.
 *
 * Ping-pong: two processes, each asleep until the other wakes it.  Wake: one sleeps, the other
 * wakes it now and then, as in wake_latency.  Nothing is carried but the time.
 */
#include <stdlib.h>

#include "carrier.h"
#include "host.h"
#include "stamp.h"

struct bell_note {
    _Atomic uint64_t sent_ns;
    _Atomic uint64_t heard_count; /* the next ring waits for it: two rings of an event are one */
};

struct port {
    struct host_bell *bell[2];
    struct bell_note *note;
};

static void bell_close(void *of)
{
    struct port *port = of;
    host_bell_close(port->bell[0]);
    host_bell_close(port->bell[1]);
    free(port);
}

static void *bell_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    (void)end;
    if (port == NULL)
        return NULL;
    port->note = (struct bell_note *)(void *)job->arena;
    port->bell[0] = host_bell_open(job, 0);
    port->bell[1] = host_bell_open(job, 1);
    if (port->bell[0] != NULL && port->bell[1] != NULL)
        return port;
    (void)role_fail(job, role, "cannot make a bell");
    free(port);
    return NULL;
}

static int bell_prepare(struct job *job)
{
    struct bell_note *note = (struct bell_note *)(void *)job->arena;
    atomic_store(&note->heard_count, 0);
    atomic_store(&job->bell[0].word, 0);
    atomic_store(&job->bell[1].word, 0);
    return 0;
}

static int bell_ping(void *out, void *in, const struct carrier_pass *pass)
{
    struct port *port = out;
    uint64_t     before = stamp_now();
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        host_bell_ring(port->bell[0]);
        host_bell_wait(port->bell[1]);
        if (pass->samples != NULL) {
            uint64_t now = stamp_now();
            pass->samples[i] = (uint32_t)(now - before);
            before = now;
        }
    }
    return 0;
}

static int bell_pong(void *out, void *in, const struct carrier_pass *pass)
{
    struct port *port = out;
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        host_bell_wait(port->bell[0]);
        host_bell_ring(port->bell[1]);
    }
    return 0;
}

static int bell_wake_send(void *out, const struct carrier_pass *pass)
{
    struct port *port = out;
    uint64_t     due_ns = host_now_ns();

    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t now_ns;
        due_ns += job_gap_ns(pass->job, pass->first + i);
        do
            now_ns = host_now_ns();
        while (now_ns < due_ns || atomic_load(&port->note->heard_count) < pass->first + i);
        due_ns = now_ns;
        atomic_store_explicit(&port->note->sent_ns, now_ns, memory_order_relaxed);
        host_bell_ring(port->bell[0]);
    }
    return 0;
}

static int bell_wake_recv(void *in, const struct carrier_pass *pass)
{
    struct port *port = in;

    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t now_ns;
        host_bell_wait(port->bell[0]);
        now_ns = host_now_ns();
        if (pass->samples != NULL)
            pass->samples[i] = (uint32_t)(now_ns - atomic_load_explicit(&port->note->sent_ns,
                                                                        memory_order_relaxed));
        atomic_store(&port->note->heard_count, pass->first + i + 1);
    }
    return 0;
}

const struct carrier limit_bell = {
#ifdef _WIN32
    .name = "limit event",
#else
    .name = "limit futex",
#endif
    .is_duplex = 1,
    .prepare = bell_prepare,
    .open = bell_open,
    .close = bell_close,
    .ping = bell_ping,
    .pong = bell_pong,
    .wake_send = bell_wake_send,
    .wake_recv = bell_wake_recv,
};
