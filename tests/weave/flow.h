/*
 * flow.h - messages that can be told apart, and readers that notice what is wrong with them.
 *
 * Payloads are written and read in relaxed 64-bit steps of the scheduler: a memcpy would be no step
 * and would never be torn.  Word i of message n says n, i and who made it; where a word lies at a
 * place from which a header will be read one lap later, it is a copy of that very header.
 */
#ifndef GYRE_TESTS_WEAVE_FLOW_H
#define GYRE_TESTS_WEAVE_FLOW_H

#include <gyre/gyre.h>

#include "weave.h"

#define FLOW_NAME "flow"
#define FLOW_CAPACITY 4096u

/* Begins the books of a run: message n has size_of(n) bytes, at most 2040. */
void flow_begin(uint32_t (*size_of)(uint64_t seq));

/* Opens for `role`, or fails. */
struct gyre_producer *flow_open_producer(unsigned role, uint32_t seat_count);
struct gyre_producer *flow_open_strict(unsigned role);

bool flow_claim(struct gyre_producer *producer);
void flow_publish(struct gyre_producer *producer);
void flow_send(struct gyre_producer *producer, unsigned count); /* waits for room */

/* Claims a run of messages of one size, as many of `count` as there is room for; waits for one. */
unsigned flow_claim_run(struct gyre_producer *producer, unsigned count);

struct flow_reader {
    struct gyre_consumer *consumer;
    uint64_t              next_seq;
    uint64_t              lost;
    uint64_t              received;
    bool                  is_lossy;
};

void flow_open_reader(struct flow_reader *reader, unsigned role, enum gyre_consumer_kind kind,
                      enum gyre_start start);

/* Waits and reads until the next message is `end_seq`, or gone; each message is looked at. */
void flow_read_until(struct flow_reader *reader, uint64_t end_seq);

/* One wait and what it says; the messages there are, read but not released, are `*count`. */
enum gyre_status flow_wait(struct flow_reader *reader);
bool             flow_read_one(struct flow_reader *reader);
bool             flow_read_run(struct flow_reader *reader, unsigned count); /* a reliable one */
void             flow_release(struct flow_reader *reader);

/* Until the producer has closed, and once more after the last message. */
void flow_read_to_end(struct flow_reader *reader);

/* The producer continues another's messages: all that were published, none that were not. */
void flow_take_over(const struct gyre_producer *producer);

/* For the role whose handle it is: what block_until takes. */
bool flow_is_set(void *flag); /* an unsigned that is not zero */

uint64_t flow_started(void); /* messages before it may be seen */
uint64_t flow_done(void);    /* those before it must be seen */

#endif
