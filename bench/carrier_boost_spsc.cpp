/*
 * carrier_boost_spsc.cpp - contestant: Boost.Lockfree's spsc_queue, its slots in shared memory.
 *
 * A message is written to a struct and pushed, which copies it; it is read where it lies (front)
 * and popped.  A batch is one push.
 */
#include <cstdlib>
#include <cstring>
#include <new>

#include <boost/lockfree/spsc_queue.hpp>

#include "carrier_slots.h"

namespace
{
template <uint32_t size> struct slot {
    uint64_t words[size / 8];
};

/* Hands out the memory behind the queue's own, once. */
template <typename type> struct slots_allocator {
    using value_type = type;
    unsigned char *memory;

    explicit slots_allocator(unsigned char *at) : memory(at)
    {
    }
    template <typename other>
    slots_allocator(const slots_allocator<other> &from) : memory(from.memory)
    {
    }
    type *allocate(std::size_t)
    {
        return reinterpret_cast<type *>(memory);
    }
    void deallocate(type *, std::size_t)
    {
    }
    template <typename other> struct rebind {
        using other_type = slots_allocator<other>;
    };
    friend bool operator==(const slots_allocator &, const slots_allocator &)
    {
        return true;
    }
};

template <uint32_t size>
using queue = boost::lockfree::spsc_queue<slot<size>,
                                          boost::lockfree::allocator<slots_allocator<slot<size>>>>;

struct port {
    unsigned char *out[JOB_CONSUMERS_MAX];
    unsigned char *in;
    unsigned char *written; /* one batch */
    uint32_t       written_count;
    uint32_t       out_count;
    uint32_t       role;
    struct job    *job;
};

template <uint32_t size> inline queue<size> &queue_at(unsigned char *memory)
{
    return *reinterpret_cast<queue<size> *>(memory);
}

template <uint32_t size> inline void push(struct port *port)
{
    const slot<size> *from = reinterpret_cast<const slot<size> *>(port->written);
    for (uint32_t i = 0; i < port->out_count; i++) {
        uint32_t poll_count = 0;
        if (port->written_count == 1) {
            while (!queue_at<size>(port->out[i]).push(*from))
                slots_wait(port->job, port->role, ++poll_count);
            continue;
        }
        for (std::size_t done = 0; done < port->written_count;) {
            std::size_t pushed =
                queue_at<size>(port->out[i]).push(from + done, port->written_count - done);
            if (pushed == 0)
                slots_wait(port->job, port->role, ++poll_count);
            done += pushed;
        }
    }
}

template <uint32_t size> inline const void *front(struct port *port)
{
    queue<size> &in = queue_at<size>(port->in);
    uint32_t     poll_count = 0;
    while (in.read_available() == 0)
        slots_wait(port->job, port->role, ++poll_count);
    return &in.front();
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + static_cast<std::size_t>(size) * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    if (port->written_count == 0)
        return 0;
    switch (size) {
#define PUSH(of)                                                                                   \
    case of:                                                                                       \
        push<of>(port);                                                                            \
        break;
        MESSAGE_SIZES(PUSH)
    }
    port->written_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    switch (size) {
#define FRONT(of)                                                                                  \
    case of:                                                                                       \
        return front<of>(port);
        MESSAGE_SIZES(FRONT)
    default:
        return nullptr;
    }
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    switch (size) {
#define POP(of)                                                                                    \
    case of:                                                                                       \
        queue_at<of>(port->in).pop();                                                              \
        break;
        MESSAGE_SIZES(POP)
    }
}

template <uint32_t size> void make(struct job *job, unsigned char *memory)
{
    using allocator = slots_allocator<slot<size>>;
    static_assert(sizeof(queue<size>) <= SLOTS_RING_EXTRA);
    /* One slot more than it is asked for is allocated: that one is always empty. */
    new (memory) queue<size>(slots_count(job) - 1, allocator(memory + SLOTS_RING_EXTRA));
}

int prepare(struct job *job)
{
    if (slots_fit(job) != 0)
        return -1;
    for (uint32_t i = 0; i < slots_ring_count(job); i++) {
        switch (job->setup.size) {
#define MAKE(of)                                                                                   \
    case of:                                                                                       \
        make<of>(job, slots_ring(job, 0, i));                                                      \
        break;
            MESSAGE_SIZES(MAKE)
        }
    }
    return 0;
}

void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = static_cast<struct port *>(std::calloc(1, sizeof(struct port)));
    if (port == nullptr)
        return nullptr;
    port->job = job;
    port->role = role;
    port->written = static_cast<unsigned char *>(
        std::malloc(static_cast<std::size_t>(job->setup.size) * job->setup.batch));
    port->out_count = end->is_producer ? job->setup.consumer_count : 0;
    for (uint32_t i = 0; i < port->out_count; i++)
        port->out[i] = slots_ring(job, end->lane, i);
    port->in = slots_ring(job, end->lane, end->consumer_idx);
    if (port->written != nullptr)
        return port;
    std::free(port);
    return nullptr;
}

void port_close(void *of)
{
    struct port *port = static_cast<struct port *>(of);
    std::free(port->written);
    std::free(port);
}
} // namespace

#include "carrier_loops.h"

const struct carrier carrier_boost_spsc = {
    .name = "boost spsc_queue",
    .is_ring = 1,
    .never_sleeps = 1,
    .prepare = prepare,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
