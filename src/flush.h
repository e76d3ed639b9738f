/*
 * flush.h - whether a consumer flushes what it has read from the caches: laps of the ring with and
 * without are compared.
 */
#ifndef GYRE_FLUSH_H
#define GYRE_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

/* Zero: not tried. */
struct gyre_flush {
    uint64_t best_ns[2];   /* this round's best laps, without and with: for 64 KiB */
    uint64_t done_pos;     /* where the next flush begins */
    uint64_t look_pos;     /* while it is on: when to look whether it is to end early */
    uint64_t lap_end_pos;  /* where this lap ends, */
    uint64_t lap_begin_ns; /* and when it began */
    uint32_t lap_idx;      /* of the round; 0: none was begun */
    bool     is_tried;     /* ever: by this consumer, of this ring, on this processor */
    bool     is_on;
    bool     is_better; /* what the last round found */
};

struct gyre_consumer;

/* Once it is placed; until then it flushes nothing. */
void gyre__flush_begin(struct gyre_consumer *consumer);

/* It went on from `from_pos` without releasing: no part of a lap, and little to flush. */
void gyre__flush_jump(struct gyre_consumer *consumer, uint64_t from_pos);

/* A lap of `size` bytes, at least 64 KiB, took `took_ns`; sets is_on for the next one. */
void gyre__flush_lap(struct gyre_flush *flush, uint64_t size, uint64_t took_ns);

#endif
