/*
 * limit_cores.c - what two cores can do at best: L1, L2 and the streaming bandwidth.
 *
 * L1 bounces one atomic word.  L2 bounces one line: the word at its start and 56 bytes of payload,
 * written in full and read in full.  The stream is the simplest lossless ring there is, written
 * line by line, its two indices stored once every message of (by default) 64 KiB.
 */
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "message.h"
#include "stamp.h"

#define LINE_PAYLOAD_SIZE 56u
#define STREAM_RING_OFF 4096u

struct limit_line {
    _Alignas(128) _Atomic uint64_t word;
    uint64_t payload[7];
};

static inline void poll_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int limit_prepare(struct job *job)
{
    memset(job->arena, 0, STREAM_RING_OFF);
    return 0;
}

static void *line_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    (void)role;
    (void)end;
    return job->arena;
}

static void line_close(void *port)
{
    (void)port;
}

/* No pause: the word is polled as fast as the core can. */
static inline void word_wait(_Atomic uint64_t *word, uint64_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        ;
}

static inline void sample_take(const struct carrier_pass *pass, uint64_t i, uint64_t *before)
{
    if (pass->samples != NULL) {
        uint64_t now = stamp_now();
        pass->samples[i] = (uint32_t)(now - *before);
        *before = now;
    }
}

static int word_ping(void *out, void *in, const struct carrier_pass *pass)
{
    _Atomic uint64_t *word = &((struct limit_line *)out)->word;
    uint64_t          before = stamp_now();
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t value = 2 * (pass->first + i) + 1;
        atomic_store_explicit(word, value, memory_order_release);
        word_wait(word, value + 1);
        sample_take(pass, i, &before);
    }
    return 0;
}

static int word_pong(void *out, void *in, const struct carrier_pass *pass)
{
    _Atomic uint64_t *word = &((struct limit_line *)out)->word;
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t value = 2 * (pass->first + i) + 1;
        word_wait(word, value);
        atomic_store_explicit(word, value + 1, memory_order_release);
    }
    return 0;
}

static inline void line_send(struct limit_line *line, uint64_t value)
{
    message_fill(line->payload, LINE_PAYLOAD_SIZE, value);
    atomic_store_explicit(&line->word, value, memory_order_release);
}

static inline uint64_t line_recv(struct limit_line *line, uint64_t value)
{
    word_wait(&line->word, value);
    return message_check(line->payload, LINE_PAYLOAD_SIZE, value);
}

static int line_ping(void *out, void *in, const struct carrier_pass *pass)
{
    struct limit_line *line = out;
    uint64_t           wrong = 0;
    uint64_t           before = stamp_now();
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t value = 2 * (pass->first + i) + 1;
        line_send(line, value);
        wrong |= line_recv(line, value + 1);
        sample_take(pass, i, &before);
    }
    return wrong == 0 ? 0 : role_fail(pass->job, pass->role, "a line came torn");
}

static int line_pong(void *out, void *in, const struct carrier_pass *pass)
{
    struct limit_line *line = out;
    uint64_t           wrong = 0;
    (void)in;
    for (uint64_t i = 0; i < pass->count; i++) {
        uint64_t value = 2 * (pass->first + i) + 1;
        wrong |= line_recv(line, value);
        line_send(line, value + 1);
    }
    return wrong == 0 ? 0 : role_fail(pass->job, pass->role, "a line came torn");
}

/* The ring of the stream: two indices on lines of their own, then `capacity` bytes. */
struct stream_indices {
    _Alignas(128) _Atomic uint64_t published_pos;
    _Alignas(128) _Atomic uint64_t released_pos;
};

struct port {
    struct stream_indices *indices;
    unsigned char         *ring;
    uint64_t               capacity;
    uint64_t               pos;
    uint64_t               limit_pos; /* what the other side was last seen to allow */
};

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    void *to = port->ring + (port->pos & (port->capacity - 1));
    while (port->limit_pos + port->capacity - port->pos < size) {
        poll_pause();
        port->limit_pos = atomic_load_explicit(&port->indices->released_pos, memory_order_acquire);
    }
    port->pos += size;
    return to;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    (void)size;
    atomic_store_explicit(&port->indices->published_pos, port->pos, memory_order_release);
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    const void *from = port->ring + (port->pos & (port->capacity - 1));
    while (port->limit_pos - port->pos < size) {
        poll_pause();
        port->limit_pos = atomic_load_explicit(&port->indices->published_pos, memory_order_acquire);
    }
    port->pos += size;
    return from;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)size;
    atomic_store_explicit(&port->indices->released_pos, port->pos, memory_order_release);
}

static void *stream_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    (void)role;
    (void)end;
    if (port == NULL)
        return NULL;
    port->indices = (struct stream_indices *)(void *)job->arena;
    port->ring = job->arena + STREAM_RING_OFF;
    port->capacity = job->setup.capacity;
    return port;
}

static void stream_close(void *port)
{
    free(port);
}

#include "carrier_loops.h"

const struct carrier limit_word = {
    .name = "limit L1",
    .is_duplex = 1,
    .prepare = limit_prepare,
    .open = line_open,
    .close = line_close,
    .ping = word_ping,
    .pong = word_pong,
};

const struct carrier limit_line = {
    .name = "limit L2",
    .is_duplex = 1,
    .prepare = limit_prepare,
    .open = line_open,
    .close = line_close,
    .ping = line_ping,
    .pong = line_pong,
};

const struct carrier limit_stream = {
    .name = "limit stream",
    .is_ring = 1,
    .prepare = limit_prepare,
    .open = stream_open,
    .close = stream_close,
    LOOPS,
};
