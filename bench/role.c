/*
 * role.c - what a role process does: opens its ends, meets the others, runs its passes.
 *
 * It knows the order of passes of each task and no carrier.  Message numbers go on from pass to
 * pass.
 */
#include <stdarg.h>
#include <stdio.h>

#include "carrier.h"
#include "host.h"
#include "job.h"

#define WAKE_WARM_COUNT 8u

int role_fail(struct job *job, uint32_t role, const char *format, ...)
{
    char   *reason = job->outcome[role].reason;
    va_list list;
    if (reason[0] != '\0')
        return -1;
    va_start(list, format);
    (void)vsnprintf(reason, JOB_REASON_SIZE, format, list);
    va_end(list);
    return -1;
}

static uint32_t role_count(const struct job *job)
{
    return job->setup.task == JOB_ALONE ? 1 : 1 + job->setup.consumer_count;
}

void role_meet(struct job *job)
{
    uint32_t count = role_count(job);
    uint32_t target = (atomic_fetch_add(&job->arrived, 1) / count + 1) * count;
    while (atomic_load(&job->arrived) < target)
        host_yield();
}

static struct carrier_pass next_pass(const struct carrier_pass *before, uint64_t count)
{
    struct carrier_pass pass = *before;
    pass.first += before->count;
    pass.count = count;
    pass.samples = NULL;
    return pass;
}

static int trip(void *out, void *in, const struct carrier *carrier, const struct carrier_pass *pass)
{
    return (pass->role == 0 ? carrier->ping : carrier->pong)(out, in, pass);
}

/* The untimed pass in slices, each timed as a whole: whoever gets in between spoils few of them. */
static int trip_slices(void *out, void *in, const struct carrier *carrier,
                       struct carrier_pass *pass)
{
    struct job_outcome *outcome = &pass->job->outcome[pass->role];
    uint64_t            before = host_now_ns();

    outcome->begin_ns = before;
    for (uint32_t i = 0; i < JOB_SLICES; i++) {
        *pass = next_pass(pass, pass->job->setup.count / JOB_SLICES);
        if (trip(out, in, carrier, pass) != 0)
            return -1;
        outcome->end_ns = host_now_ns();
        if (pass->role == 0)
            pass->job->slice_ns[i] = outcome->end_ns - before;
        before = outcome->end_ns;
    }
    return 0;
}

/* A quarter of the measured pass; at least once around the ring, whose memory is then there. */
static uint64_t warm_count(const struct carrier *carrier, const struct job_setup *setup)
{
    uint64_t count = setup->count / 4 + 1;
    uint64_t around = setup->capacity / setup->size + 1;
    return carrier->is_ring && count < around ? around : count;
}

static int trips(void *out, void *in, const struct carrier *carrier, struct carrier_pass *pass)
{
    struct job *job = pass->job;
    uint64_t    count = job->setup.count;

    role_meet(job);
    *pass = next_pass(pass, warm_count(carrier, &job->setup));
    if (trip(out, in, carrier, pass) != 0)
        return -1;
    *pass = next_pass(pass, count < JOB_SAMPLES_MAX ? count : JOB_SAMPLES_MAX);
    if (pass->role == 0) {
        pass->samples = job->samples;
        job->sample_count = (uint32_t)pass->count;
    }
    role_meet(job);
    if (trip(out, in, carrier, pass) != 0)
        return -1;
    role_meet(job);
    return trip_slices(out, in, carrier, pass);
}

static int role_ping_pong(const struct carrier *carrier, struct carrier_pass *pass)
{
    struct carrier_end there = {0, pass->role == 0, 0};
    struct carrier_end back = {1, pass->role == 1, 0};
    void              *first = carrier->open(pass->job, pass->role, &there);
    void              *second = first;
    void              *out;
    void              *in;
    int                result;

    if (first != NULL && !carrier->is_duplex)
        second = carrier->open(pass->job, pass->role, &back);
    if (first == NULL || second == NULL)
        return role_fail(pass->job, pass->role, "no memory");
    out = pass->role == 0 ? first : second;
    in = pass->role == 0 ? second : first;
    result = trips(out, in, carrier, pass);
    if (result != 0)
        return result; /* the process ends, and with it what is open */
    role_meet(pass->job);
    if (second != first)
        carrier->close(second);
    carrier->close(first);
    return 0;
}

static void *open_one_way(const struct carrier *carrier, const struct carrier_pass *pass)
{
    uint32_t           role = pass->role;
    struct carrier_end end = {0, role == 0, role == 0 ? 0 : role - 1};
    void              *port = carrier->open(pass->job, role, &end);
    if (port == NULL)
        (void)role_fail(pass->job, role, "no memory");
    return port;
}

static int role_stream(const struct carrier *carrier, struct carrier_pass *pass)
{
    struct job_outcome *outcome = &pass->job->outcome[pass->role];
    int (*loop)(void *, const struct carrier_pass *) =
        pass->role == 0 ? carrier->produce : carrier->consume;
    void *port = open_one_way(carrier, pass);

    if (port == NULL)
        return -1;
    role_meet(pass->job);
    *pass = next_pass(pass, warm_count(carrier, &pass->job->setup));
    if (loop(port, pass) != 0)
        return -1;
    role_meet(pass->job);
    *pass = next_pass(pass, pass->job->setup.count);
    outcome->begin_ns = host_now_ns();
    if (loop(port, pass) != 0)
        return -1;
    outcome->end_ns = host_now_ns();
    role_meet(pass->job);
    carrier->close(port);
    return 0;
}

/* The consumer's CPU time while it is blocked for idle_ns, in its own eyes. */
static int idle(void *port, const struct carrier *carrier, struct carrier_pass *pass)
{
    struct job_outcome *outcome = &pass->job->outcome[pass->role];
    uint64_t            cpu_ns;
    uint64_t            now_ns;
    int                 result;

    *pass = next_pass(pass, 1);
    role_meet(pass->job);
    if (pass->role == 0) {
        host_sleep_ns(pass->job->idle_ns);
        return carrier->wake_send(port, pass);
    }
    cpu_ns = host_cpu_ns();
    now_ns = host_now_ns();
    result = carrier->wake_recv(port, pass);
    outcome->idle_wall_ns = host_now_ns() - now_ns;
    outcome->idle_cpu_ns = host_cpu_ns() - cpu_ns;
    return result;
}

static int role_wake(const struct carrier *carrier, struct carrier_pass *pass)
{
    struct job *job = pass->job;
    uint64_t    count = job->setup.count, cpu_ns;
    int (*loop)(void *, const struct carrier_pass *) =
        pass->role == 0 ? carrier->wake_send : carrier->wake_recv;
    void *port = open_one_way(carrier, pass);

    if (port == NULL)
        return -1;
    role_meet(job);
    *pass = next_pass(pass, WAKE_WARM_COUNT);
    if (loop(port, pass) != 0)
        return -1;
    *pass = next_pass(pass, count < JOB_SAMPLES_MAX ? count : JOB_SAMPLES_MAX);
    if (pass->role == 1) {
        pass->samples = job->samples;
        job->sample_count = (uint32_t)pass->count;
    }
    cpu_ns = host_cpu_ns();
    if (loop(port, pass) != 0)
        return -1;
    job->outcome[pass->role].wake_cpu_ns = host_cpu_ns() - cpu_ns;
    if (idle(port, carrier, pass) != 0)
        return -1;
    role_meet(job);
    carrier->close(port);
    return 0;
}

/* The time the producer takes, in slices; its consumers are there and do nothing at all. */
static int produce_slices(void *port, const struct carrier *carrier, struct carrier_pass *pass)
{
    struct job *job = pass->job;
    uint64_t    before;

    *pass = next_pass(pass, warm_count(carrier, &job->setup));
    if (carrier->produce(port, pass) != 0)
        return -1;
    before = host_now_ns();
    job->outcome[0].begin_ns = before;
    for (uint32_t i = 0; i < JOB_SLICES; i++) {
        *pass = next_pass(pass, job->setup.count / JOB_SLICES);
        if (carrier->produce(port, pass) != 0)
            return -1;
        job->outcome[0].end_ns = host_now_ns();
        job->slice_ns[i] = job->outcome[0].end_ns - before;
        before = job->outcome[0].end_ns;
    }
    return 0;
}

static int role_attached(const struct carrier *carrier, struct carrier_pass *pass)
{
    uint32_t count = pass->role == 0 ? 1 : pass->job->setup.attached_count;
    void    *port[JOB_ATTACHED_MAX];

    for (uint32_t i = 0; i < count; i++)
        if ((port[i] = open_one_way(carrier, pass)) == NULL)
            return -1;
    role_meet(pass->job);
    if (pass->role == 0 && produce_slices(port[0], carrier, pass) != 0)
        return -1;
    role_meet(pass->job);
    for (uint32_t i = 0; i < count; i++)
        carrier->close(port[i]);
    return 0;
}

int role_main(struct job *job, uint32_t role)
{
    const struct carrier *carrier = carrier_list[job->setup.carrier_idx];
    struct carrier_pass   pass = {.job = job, .role = role};

    pass.size = job->setup.size;
    pass.batch = job->setup.batch;
    if (host_pin(job->core[role]) != 0)
        return role_fail(job, role, "cannot pin to core %d", job->core[role]) != 0;
    switch (job->setup.task) {
    case JOB_PING_PONG:
        return role_ping_pong(carrier, &pass) != 0;
    case JOB_STREAM:
        return role_stream(carrier, &pass) != 0;
    case JOB_ATTACHED:
        return role_attached(carrier, &pass) != 0;
    case JOB_WAKE:
        return role_wake(carrier, &pass) != 0;
    default:
        break;
    }
    pass.count = job->setup.count;
    return carrier->alone(&pass) != 0;
}
