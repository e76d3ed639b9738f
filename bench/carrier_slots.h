/*
 * carrier_slots.h - what the contestants share that are rings of equal slots for one consumer each.
 *
 * Their memory lies in the job's arena, which all processes have at the same address; each lane and
 * each consumer has a ring of its own there.  They know no sleep: who finds nothing to do pauses,
 * and yields now and then if the roles have to share cores.  Slots have one of MESSAGE_SIZES, so
 * that the size is a constant for the library, as in a program that sends structs.
 */
#ifndef GYRE_BENCH_CARRIER_SLOTS_H
#define GYRE_BENCH_CARRIER_SLOTS_H

#include <stdint.h>

#include "carrier.h"
#include "host.h"
#include "message.h"

#define SLOTS_RING_EXTRA 8192u /* for the indices, in front of the slots */
#define SLOTS_POLLS_PER_YIELD 16u

/* The largest power of two of slots that fits the capacity; at least 2. */
static inline uint32_t slots_count(const struct job *job)
{
    uint64_t fit = job->setup.capacity / job->setup.size;
    uint32_t count = 2;
    while (count <= fit / 2)
        count *= 2;
    return count;
}

static inline uint64_t slots_stride(const struct job *job)
{
    uint64_t size = (uint64_t)slots_count(job) * job->setup.size + SLOTS_RING_EXTRA;
    return (size + 4095) / 4096 * 4096;
}

/* The memory of one ring. */
static inline unsigned char *slots_ring(struct job *job, uint32_t lane, uint32_t consumer_idx)
{
    return job->arena + slots_stride(job) * (lane + consumer_idx);
}

static inline uint32_t slots_ring_count(const struct job *job)
{
    return job->setup.task == JOB_PING_PONG ? 2 : job->setup.consumer_count;
}

/* 0, or -1 and the reason is told: there is no such slot, or no room for all rings. */
static inline int slots_fit(struct job *job)
{
    if (!message_is_listed(job->setup.size))
        return role_fail(job, 0, "there is no slot of this size");
    if (slots_stride(job) * slots_ring_count(job) > JOB_ARENA_SIZE)
        return role_fail(job, 0, "its rings do not fit the arena");
    return 0;
}

static inline void slots_wait(const struct job *job, uint32_t role, uint32_t poll_count)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if (job->core[role] < 0 && poll_count % SLOTS_POLLS_PER_YIELD == 0)
        host_yield();
}

#endif
