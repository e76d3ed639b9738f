/*
 * oracle.h - a sequential model of a ring: what each operation must do when nobody else is at it.
 *
 * It knows the arithmetic that layout.h and fast.h document (frames, padding, the zero behind the
 * last frame, the credit step of a sixteenth of a lap) and no byte of shared memory.  Everything is
 * exact but one thing: where the oldest retained message begins.  There it accepts any frame
 * boundary that is not overwritten and not further from the horizon than the spacing of landmarks
 * allows.
 */
#ifndef GYRE_TESTS_ORACLE_H
#define GYRE_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include <gyre/gyre.h>

#define ORACLE_MESSAGES 16384u /* remembered: at least twice what a ring of 64 KiB can hold */
#define ORACLE_CONSUMERS 6u

struct oracle_message {
    uint64_t begin_pos; /* the boundary before it, and before its padding */
    uint64_t frame_pos; /* its header */
    uint64_t end_pos;
    uint32_t size;
};

struct oracle_consumer {
    bool     is_open;
    uint32_t kind;
    uint32_t on_gap;
    uint64_t pos; /* where the next peek looks, and the number it expects */
    uint64_t seq;
    uint64_t held_pos; /* what is not released yet */
    uint64_t held_seq;
    uint64_t gap; /* the last one */
    uint64_t lost;
    uint64_t gap_pending; /* found at open, not told yet */
    uint64_t begin_seq;   /* the number it was opened for */
    uint64_t received;    /* released messages */
};

struct oracle {
    uint64_t               capacity;
    uint64_t               align;
    uint64_t               first_pos;
    uint64_t               claim_pos;
    uint64_t               claim_seq;
    uint64_t               published_pos;
    uint64_t               published_seq;
    uint64_t               limit_pos; /* less the capacity: the horizon */
    uint64_t               frame_max; /* the longest frame that needed credit, with its padding */
    uint64_t               batch_max; /* the longest batch so far */
    uint32_t               epoch;
    uint32_t               state; /* GYRE_RING_... */
    uint32_t               seat_count;
    struct oracle_consumer consumers[ORACLE_CONSUMERS];
    struct oracle_message  messages[ORACLE_MESSAGES];
};

/* A new ring with its first producer. */
void oracle_create(struct oracle *oracle, const struct gyre_ring_options *options);

void oracle_producer_open(struct oracle *oracle);
void oracle_producer_close(struct oracle *oracle);

/* True if a claim must succeed; then it is claimed. */
bool oracle_claim(struct oracle *oracle, uint32_t size);
void oracle_publish(struct oracle *oracle);

/* True if a wait for room must succeed; it may move the horizon. */
bool oracle_has_room(struct oracle *oracle, uint32_t size);

uint64_t                     oracle_horizon(const struct oracle *oracle);
const struct oracle_message *oracle_message(const struct oracle *oracle, uint64_t seq);

/*
 * Joins.  `seq` and `pos` are what the real consumer has; `start_seq` is what was asked for.  NULL,
 * or what is wrong with it.  The caller has made sure that the open must succeed.
 */
const char *oracle_join(struct oracle *oracle, struct oracle_consumer *consumer,
                        const struct gyre_consumer_options *options, uint64_t seq, uint64_t pos);
void        oracle_leave(struct oracle_consumer *consumer);

/* True if the consumer's next message is gone or might be: what it peeks now is anything. */
bool oracle_is_overrun(const struct oracle *oracle, const struct oracle_consumer *consumer);

/* Where an overrun consumer went on.  NULL, or what is wrong with it. */
const char *oracle_resume(struct oracle *oracle, struct oracle_consumer *consumer, uint64_t seq,
                          uint64_t pos);

/* For consumers that are not overrun.  NULL: nothing to peek.  Wait: deadline 0. */
const struct oracle_message *oracle_peek(struct oracle *oracle, struct oracle_consumer *consumer);
enum gyre_status             oracle_wait(struct oracle *oracle, struct oracle_consumer *consumer);
void                         oracle_release(struct oracle_consumer *consumer);

/* Looks behind padding, as peek and wait do.  True if there is a message. */
bool oracle_look(struct oracle *oracle, struct oracle_consumer *consumer);

#endif
