/*
 * carrier_loops.h - the loops of the benches, compiled once into each carrier.
 *
 * The file that includes it has defined struct port and four verbs:
 *
 *     void       *port_claim(struct port *, uint32_t size)    where to write one message; waits
 *     int         port_publish(struct port *, uint32_t size)  all that was claimed; 0 or -1
 *     const void *port_peek(struct port *, uint32_t size)     the next message; waits
 *     void        port_release(struct port *, uint32_t size)  the message has been read
 *
 * With PORT_HAS_RUNS it has three more, for batches: up to run->count messages, side by side.
 *
 *     void       *port_claim_run(struct port *, uint32_t size, struct run *run)
 *     const void *port_peek_run(struct port *, uint32_t size, struct run *run)
 *     void        port_release_run(struct port *, uint32_t count)   all of the run has been read
 *
 * With PORT_HAS_SEND it has one more, which copies:
 *
 *     int         port_send(struct port *, const void *message, uint32_t size)
 *
 * NULL and -1 mean that role_fail has been told.  It defines LOOPS, the last members of the
 * carrier. Sizes that the benches use are constants in the loops, as they are in programs that
 * send structs.
 */
#include "carrier.h"
#include "host.h"
#include "message.h"
#include "stamp.h"

static int loop_wrong(const struct carrier_pass *pass, uint64_t number)
{
    return role_fail(pass->job, pass->role, "message %llu of %u bytes is not what was sent",
                     (unsigned long long)number, pass->size);
}

MESSAGE_INLINE int loop_send_one(struct port *port, uint32_t size, uint64_t number)
{
    void *to = port_claim(port, size);
    if (to == NULL)
        return -1;
    message_fill(to, size, number);
    return port_publish(port, size);
}

/* 0, -1, or 1 if the message is not number `number`. */
MESSAGE_INLINE int loop_recv_one(struct port *port, uint32_t size, uint64_t number)
{
    const void *from = port_peek(port, size);
    uint64_t    wrong;
    if (from == NULL)
        return -1;
    wrong = message_check(from, size, number);
    port_release(port, size);
    return wrong != 0;
}

static int loop_ping(void *out_end, void *in_end, const struct carrier_pass *pass)
{
    struct port *out = (struct port *)out_end;
    struct port *in = (struct port *)in_end;
    uint64_t     number = pass->first;
    uint64_t     end = number + pass->count;
    uint32_t     size = pass->size;
    uint64_t     before = stamp_now();

    for (; number < end; number++) {
        if (loop_send_one(out, size, number) != 0)
            return -1;
        int result = loop_recv_one(in, size, number);
        if (result != 0)
            return result < 0 ? -1 : loop_wrong(pass, number);
        if (pass->samples != NULL) {
            uint64_t now = stamp_now();
            pass->samples[number - pass->first] = (uint32_t)(now - before);
            before = now;
        }
    }
    return 0;
}

static int loop_pong(void *out_end, void *in_end, const struct carrier_pass *pass)
{
    struct port *out = (struct port *)out_end;
    struct port *in = (struct port *)in_end;
    uint64_t     number = pass->first;
    uint64_t     end = number + pass->count;
    uint32_t     size = pass->size;

    for (; number < end; number++) {
        int result = loop_recv_one(in, size, number);
        if (result != 0)
            return result < 0 ? -1 : loop_wrong(pass, number);
        if (loop_send_one(out, size, number) != 0)
            return -1;
    }
    return 0;
}

MESSAGE_INLINE int loop_produce_sized(struct port *port, uint32_t size,
                                      const struct carrier_pass *pass,
                                      void (*fill)(void *to, uint32_t size, uint64_t number))
{
    uint64_t number = pass->first;
    uint64_t end = number + pass->count;
    uint32_t in_batch = 0;

    for (; number < end; number++) {
        void *to = port_claim(port, size);
        if (to == NULL)
            return -1;
        fill(to, size, number);
        if (++in_batch >= pass->batch) {
            in_batch = 0;
            if (port_publish(port, size) != 0)
                return -1;
        }
    }
    return port_publish(port, size);
}

MESSAGE_INLINE int loop_consume_sized(struct port *port, uint32_t size,
                                      const struct carrier_pass *pass)
{
    uint64_t number = pass->first;
    uint64_t end = number + pass->count;

    for (; number < end; number++) {
        int result = loop_recv_one(port, size, number);
        if (result != 0)
            return result < 0 ? -1 : loop_wrong(pass, number);
    }
    return 0;
}

#ifdef PORT_HAS_SEND

static int loop_produce_copied(struct port *port, const struct carrier_pass *pass)
{
    _Alignas(64) unsigned char message[MESSAGE_SIZE_MAX];

    for (uint64_t number = pass->first; number < pass->first + pass->count; number++) {
        message_fill(message, pass->size, number);
        if (port_send(port, message, pass->size) != 0)
            return -1;
    }
    return 0;
}

#endif

#ifdef PORT_HAS_RUNS

MESSAGE_INLINE int loop_produce_runs(struct port *port, uint32_t size,
                                     const struct carrier_pass *pass)
{
    uint64_t number = pass->first;
    uint64_t end = number + pass->count;
    uint32_t in_batch = 0;

    while (number < end) {
        struct run     run = {pass->batch - in_batch, 0};
        unsigned char *to;
        if (run.count > end - number)
            run.count = (uint32_t)(end - number);
        to = (unsigned char *)port_claim_run(port, size, &run);
        if (to == NULL)
            return -1;
        in_batch += run.count;
#pragma GCC unroll 4
        for (uint32_t i = 0; i < run.count; i++, to += run.stride)
            message_fill(to, size, number++);
        if (in_batch >= pass->batch) {
            in_batch = 0;
            if (port_publish(port, size) != 0)
                return -1;
        }
    }
    return port_publish(port, size);
}

MESSAGE_INLINE int loop_consume_runs(struct port *port, uint32_t size,
                                     const struct carrier_pass *pass)
{
    uint64_t number = pass->first;
    uint64_t end = number + pass->count;

    while (number < end) {
        struct run           run = {pass->batch, 0};
        const unsigned char *from;
        uint64_t             wrong = 0;
        if (run.count > end - number)
            run.count = (uint32_t)(end - number);
        from = (const unsigned char *)port_peek_run(port, size, &run);
        if (from == NULL)
            return -1;
#pragma GCC unroll 4
        for (uint32_t i = 0; i < run.count; i++, from += run.stride)
            wrong |= message_check(from, size, number++);
        if (wrong != 0)
            return loop_wrong(pass, number - run.count);
        port_release_run(port, run.count);
    }
    return 0;
}

#define LOOP_PRODUCE(size)                                                                         \
    (pass->batch > 1 ? loop_produce_runs(out, size, pass)                                          \
                     : loop_produce_sized(out, size, pass, message_fill))
#define LOOP_CONSUME(size)                                                                         \
    (pass->batch > 1 ? loop_consume_runs(in, size, pass) : loop_consume_sized(in, size, pass))

#else

#define LOOP_PRODUCE(size) loop_produce_sized(out, size, pass, message_fill)
#define LOOP_CONSUME(size) loop_consume_sized(in, size, pass)

#endif

static int loop_produce(void *out_end, const struct carrier_pass *pass)
{
    struct port *out = (struct port *)out_end;

    if (pass->job->setup.payload == JOB_NON_TEMPORAL)
        return loop_produce_sized(out, pass->size, pass, message_fill_non_temporal);
#ifdef PORT_HAS_SEND
    if (pass->job->setup.payload == JOB_COPIED)
        return loop_produce_copied(out, pass);
#endif
    switch (pass->size) {
#define LOOP_CASE(size)                                                                            \
    case size:                                                                                     \
        return LOOP_PRODUCE(size);
        MESSAGE_SIZES(LOOP_CASE)
#undef LOOP_CASE
    default:
        return LOOP_PRODUCE(pass->size);
    }
}

static int loop_consume(void *in_end, const struct carrier_pass *pass)
{
    struct port *in = (struct port *)in_end;
    switch (pass->size) {
#define LOOP_CASE(size)                                                                            \
    case size:                                                                                     \
        return LOOP_CONSUME(size);
        MESSAGE_SIZES(LOOP_CASE)
#undef LOOP_CASE
    default:
        return LOOP_CONSUME(pass->size);
    }
}

/* The first word of these messages is the time at which they were sent. */
static int loop_wake_send(void *out_end, const struct carrier_pass *pass)
{
    struct port *out = (struct port *)out_end;
    uint64_t     due_ns = host_now_ns();

    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t now_ns;
        void    *to = port_claim(out, pass->size);
        if (to == NULL)
            return -1;
        message_fill(to, pass->size, pass->first + i);
        due_ns += job_gap_ns(pass->job, pass->first + i);
        do
            now_ns = host_now_ns();
        while (now_ns < due_ns);
        due_ns = now_ns; /* a sender that was stopped sends no burst: nobody sleeps in one */
        *(message_word *)to = now_ns;
        if (port_publish(out, pass->size) != 0)
            return -1;
    }
    return 0;
}

static int loop_wake_recv(void *in_end, const struct carrier_pass *pass)
{
    struct port *in = (struct port *)in_end;

    for (uint64_t i = 0; i < pass->count; i++) {
        const unsigned char *from = (const unsigned char *)port_peek(in, pass->size);
        uint64_t             now_ns = host_now_ns();
        if (from == NULL)
            return -1;
        if (message_check(from + 8, pass->size - 8, pass->first + i) != 0)
            return loop_wrong(pass, pass->first + i);
        if (pass->samples != NULL)
            pass->samples[i] = (uint32_t)(now_ns - *(const message_word *)(const void *)from);
        port_release(in, pass->size);
    }
    return 0;
}

#define LOOPS                                                                                      \
    .ping = loop_ping, .pong = loop_pong, .produce = loop_produce, .consume = loop_consume,        \
    .wake_send = loop_wake_send, .wake_recv = loop_wake_recv
