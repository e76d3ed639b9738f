/*
 * carrier_boost_mq.cpp - contestant: Boost.Interprocess' message_queue, in shared memory.
 *
 * Its name is removed as soon as it is made, so none can be left behind; the roles inherit it.
 */
#include <cstdlib>
#include <cstdio>

#include <boost/interprocess/ipc/message_queue.hpp>

#include "carrier_slots.h"

namespace
{
using queue = boost::interprocess::message_queue;

queue *lanes[2][JOB_CONSUMERS_MAX];

struct port {
    queue         *out[JOB_CONSUMERS_MAX];
    queue         *in;
    unsigned char *read;
    unsigned char *written; /* one batch */
    uint32_t       written_count;
    uint32_t       out_count;
    uint32_t       role;
    struct job    *job;
};

int port_fail(struct port *port, const boost::interprocess::interprocess_exception &error)
{
    return role_fail(port->job, port->role, "message_queue: %s", error.what());
}

int send(struct port *port, queue *out, const unsigned char *message)
{
    uint32_t poll_count = 0;
    try {
        if (port->job->setup.is_blocking)
            out->send(message, port->job->setup.size, 0);
        else
            while (!out->try_send(message, port->job->setup.size, 0))
                slots_wait(port->job, port->role, ++poll_count);
    } catch (const boost::interprocess::interprocess_exception &error) {
        return port_fail(port, error);
    }
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + static_cast<std::size_t>(size) * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    for (uint32_t k = 0; k < port->written_count; k++)
        for (uint32_t i = 0; i < port->out_count; i++)
            if (send(port, port->out[i], port->written + static_cast<std::size_t>(size) * k) != 0)
                return -1;
    port->written_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    queue::size_type got = 0;
    unsigned         priority;
    uint32_t         poll_count = 0;
    try {
        if (port->job->setup.is_blocking)
            port->in->receive(port->read, size, got, priority);
        else
            while (!port->in->try_receive(port->read, size, got, priority))
                slots_wait(port->job, port->role, ++poll_count);
    } catch (const boost::interprocess::interprocess_exception &error) {
        (void)port_fail(port, error);
        return nullptr;
    }
    return port->read;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)port;
    (void)size;
}

int make(struct job *job, uint32_t lane, uint32_t consumer_idx)
{
    using namespace boost::interprocess;
    char name[80];
    (void)std::snprintf(name, sizeof(name), "gyre-bench.%llu.%llu.%u.%u",
                        static_cast<unsigned long long>(job->bench_pid),
                        static_cast<unsigned long long>(job->serial), lane, consumer_idx);
    try {
        lanes[lane][consumer_idx] =
            new queue(create_only, name, slots_count(job), job->setup.size, permissions(0600));
    } catch (const interprocess_exception &error) {
        return role_fail(job, 0, "message_queue: %s", error.what());
    }
    (void)queue::remove(name);
    return 0;
}

int prepare(struct job *job)
{
    uint32_t lane_count = job->setup.task == JOB_PING_PONG ? 2 : 1;
    for (uint32_t lane = 0; lane < lane_count; lane++)
        for (uint32_t i = 0; i < job->setup.consumer_count; i++)
            if (make(job, lane, i) != 0)
                return -1;
    return 0;
}

void dispose(struct job *)
{
    for (auto &lane : lanes) {
        for (queue *&one : lane) {
            delete one;
            one = nullptr;
        }
    }
}

void port_close(void *of)
{
    struct port *port = static_cast<struct port *>(of);
    std::free(port->written);
    std::free(port->read);
    std::free(port);
}

void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = static_cast<struct port *>(std::calloc(1, sizeof(struct port)));
    if (port == nullptr)
        return nullptr;
    port->job = job;
    port->role = role;
    port->read = static_cast<unsigned char *>(std::malloc(job->setup.size));
    port->written = static_cast<unsigned char *>(
        std::malloc(static_cast<std::size_t>(job->setup.size) * job->setup.batch));
    port->out_count = end->is_producer ? job->setup.consumer_count : 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        port->out[i] = lanes[end->lane][i];
    port->in = lanes[end->lane][end->consumer_idx];
    if (port->read != nullptr && port->written != nullptr)
        return port;
    port_close(port);
    return nullptr;
}
} // namespace

#include "carrier_loops.h"

const struct carrier carrier_boost_mq = {
    .name = "boost message_queue",
    .is_ring = 1,
    .prepare = prepare,
    .dispose = dispose,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
