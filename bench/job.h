/*
 * job.h - one measurement: what the role processes are to do, where they meet, what came out.
 *
 * It lies in memory shared by the bench and the roles and is plain data; C and C++ see the same.
 * The bench fills in the order (setup, count), starts the roles, and reads outcomes and samples
 * when they are gone.
 */
#ifndef GYRE_BENCH_JOB_H
#define GYRE_BENCH_JOB_H

#include <stdint.h>

#ifdef __cplusplus
#include <atomic>
#define _Alignas(size) alignas(size)
#define _Atomic(type) std::atomic<type>
extern "C" {
#else
#include <stdatomic.h>
#endif

#define JOB_ROLES_MAX 17
#define JOB_ATTACHED_MAX 255
#define JOB_CONSUMERS_MAX (JOB_ROLES_MAX - 1)
#define JOB_MEETINGS (2 * JOB_ROLES_MAX)
#define JOB_SAMPLES_MAX (1u << 17)
#define JOB_ARENA_SIZE (72u << 20)
#define JOB_SLICES 16u
#define JOB_REASON_SIZE 160
#define JOB_TIMEOUT_NS UINT64_C(20000000000)

enum job_task {
    JOB_PING_PONG, /* role 0 sends and waits for the answer of role 1 */
    JOB_STREAM,    /* role 0 sends as fast as it can to all others */
    JOB_WAKE,      /* role 0 sends now and then to role 1, which sleeps */
    JOB_ATTACHED,  /* role 0 sends, role 1 has attached_count consumers that do nothing */
    JOB_ALONE      /* role 0 does something by itself */
};

/* How Gyre's messages of an unbatched JOB_STREAM get into the ring. */
enum job_payload {
    JOB_IN_PLACE,     /* claim, write, publish */
    JOB_NON_TEMPORAL, /* the same, written past the caches */
    JOB_COPIED        /* written elsewhere, then gyre_send */
};

struct job_setup {
    uint32_t task;            /* enum job_task */
    uint32_t carrier_idx;     /* into carrier_list */
    uint32_t size;            /* of a message, a multiple of 8 */
    uint32_t consumer_count;  /* 1 but for JOB_STREAM */
    uint32_t batch;           /* messages that appear at once */
    uint32_t frame_align;     /* of Gyre's ring; 0: the default */
    uint32_t release_count;   /* messages that Gyre's consumer gives back at once; 0: its choice */
    uint32_t attached_count;  /* JOB_ATTACHED */
    uint32_t payload;         /* enum job_payload */
    uint32_t is_blocking;     /* waits sleep; otherwise they poll */
    uint32_t never_spins;     /* Gyre's consumer does not spin before it sleeps */
    uint32_t is_irregular;    /* JOB_WAKE: messages come at no pace */
    uint64_t capacity;        /* bytes of a ring, for carriers that have one */
    uint64_t count;           /* messages, or round trips */
};

struct job_outcome {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t wake_cpu_ns;  /* JOB_WAKE: the consumer's CPU time for all samples */
    uint64_t idle_wall_ns; /* how long the consumer was blocked, and what CPU time that took */
    uint64_t idle_cpu_ns;
    uint32_t has_failed;
    char     reason[JOB_REASON_SIZE]; /* and why */
};

struct job_bell {
    _Alignas(128) _Atomic(uint32_t) word;
};

struct job {
    struct job_setup setup;
    uint64_t         idle_ns;  /* JOB_WAKE: how long to leave the consumer blocked */
    uint64_t         every_ns; /* JOB_WAKE: from message to message, on average */
    uint64_t         serial;   /* makes names of this job unique, with bench_pid */
    uint64_t         bench_pid;
    double           ns_per_stamp;
    int32_t          core[JOB_ROLES_MAX]; /* -1: any */

    _Alignas(128) _Atomic(uint32_t) arrived;
    _Alignas(128) _Atomic(uint64_t) meeting[JOB_MEETINGS]; /* ports, handles: the carrier's */
    _Alignas(128) struct job_bell bell[2];                 /* host_bell's */

    struct job_outcome outcome[JOB_ROLES_MAX];
    uint64_t           slice_ns[JOB_SLICES]; /* JOB_PING_PONG: the untimed pass in equal parts */
    uint32_t           sample_count;
    uint32_t           samples[JOB_SAMPLES_MAX]; /* JOB_PING_PONG: stamps a trip; JOB_WAKE: ns */
    _Alignas(4096) unsigned char arena[JOB_ARENA_SIZE];
};

/* JOB_WAKE: from the message before to this one: the same, or a half of it more or less. */
static inline uint64_t job_gap_ns(const struct job *job, uint64_t number)
{
    if (!job->setup.is_irregular)
        return job->every_ns;
    return job->every_ns / 2 + number * UINT64_C(0x9e3779b97f4a7c15) % job->every_ns;
}

/* Plays a role; returns 0, or 1 with the reason in the job's outcome. */
int role_main(struct job *job, uint32_t role);

/* Writes a reason, unless there is one, and returns -1. */
int role_fail(struct job *job, uint32_t role, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Waits until all roles of the job have called it once more. */
void role_meet(struct job *job);

#ifdef __cplusplus
}
#endif

#endif
