/*
 * flush.c - flush behind: a consumer gives the lines it has read back to memory.
 *
 * A line that stays in the reader's caches must be taken from there when the producer writes it in
 * the next lap.  Where the two share no cache that is the slowest way there is to get a line, a
 * round trip for each, and a fetch from memory is not: streams become 2 to 4 times as fast.  Where
 * they share one it is the other way about, and nothing tells the two apart for certain: virtual
 * machines hide caches and move cores.  So both are tried, and the better one is kept for a while.
 * The first lap of the other way does not count, since it finds what the laps before it left.
 *
 * It is off where there is no stream, which would gain little, and beside others with a seat, who
 * would have to fetch each line from memory.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define LAP_SIZE_MIN (UINT64_C(4) << 20)  /* shorter laps are hard to time */
#define CAPACITY_MAX (UINT64_C(32) << 20) /* of larger rings, most caches hold no lap */
#define LOOK_SIZE (UINT64_C(256) << 10)   /* while it is on: how often to look whether to end */
#define STEP_SIZE 1024u                   /* so many bytes at once, at least */
#define LINE_SIZE 64u
#define UNIT_SIZE 65536u
#define UNIT_NS_MAX 98304u /* a stream takes less for a unit: 1.5 ns a byte */

/* The laps of a round: a rest, two to be compared with, one to settle, two the other way. */
#define LAPS_OF_REST 512u
#define SETTLING_LAP (LAPS_OF_REST + 3u)
#define LAST_LAP (SETTLING_LAP + 2u)

/* clflushopt waits for nothing; clflush, its elder, would cost more than is gained. */
#if defined(__x86_64__) && defined(__GNUC__)

static void read_cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__("cpuid"
            : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
            : "a"(leaf), "c"(0));
}

static bool can_flush(void)
{
    uint32_t registers[4];

    read_cpuid(0, registers);
    if (registers[0] < 7)
        return false;
    read_cpuid(7, registers);
    return (registers[1] >> 23 & 1) != 0;
}

static void flush_line(const unsigned char *line)
{
    __asm__ volatile("clflushopt %0" : : "m"(*line));
}

#else

static bool can_flush(void)
{
    return false;
}

static void flush_line(const unsigned char *line)
{
    (void)line;
}

#endif

/* An eighth to begin with, or it is not worth the work. */
static bool is_gain(const struct gyre_flush *flush)
{
    uint64_t with_ns = flush->best_ns[1];

    return with_ns + (flush->is_better ? 0 : with_ns / 8) < flush->best_ns[0];
}

void gyre__flush_lap(struct gyre_flush *flush, uint64_t size, uint64_t took_ns)
{
    uint64_t *best_ns = &flush->best_ns[flush->is_on];
    uint64_t  unit_ns = took_ns / (size / UNIT_SIZE);

    /* No stream now: when there is one again, the round goes on.  A slow trial has failed. */
    if (unit_ns > UNIT_NS_MAX && flush->lap_idx < SETTLING_LAP) {
        flush->is_on = false;
        if (flush->lap_idx > LAPS_OF_REST)
            flush->lap_idx = LAPS_OF_REST;
        return;
    }
    if (flush->lap_idx == 0)
        flush->lap_idx = LAPS_OF_REST; /* the first stream: the trial is near */
    if (flush->lap_idx == LAPS_OF_REST)
        flush->best_ns[0] = flush->best_ns[1] = UINT64_MAX / 2;
    else if (flush->lap_idx > LAPS_OF_REST && flush->lap_idx != SETTLING_LAP && unit_ns < *best_ns)
        *best_ns = unit_ns;
    if (flush->lap_idx == LAST_LAP) {
        flush->is_better = is_gain(flush);
        flush->lap_idx = 0;
    }
    flush->lap_idx++;
    flush->is_on = flush->is_better != (flush->lap_idx >= SETTLING_LAP);
}

static bool is_alone(const struct gyre_consumer *consumer)
{
    const struct gyre_ring *ring = &consumer->ring;

    for (uint32_t i = 0; i < ring->geometry.seat_count; i++)
        if (i != consumer->seat_idx && gyre__seat_state(gyre_load_acquire_64(
                                           &ring->seats[i].control)) == GYRE_SEAT_ACTIVE) /* E10 */
            return false;
    return true;
}

static uint64_t lap_size(const struct gyre_consumer *consumer)
{
    uint64_t capacity = consumer->ring.geometry.capacity;

    return capacity > LAP_SIZE_MIN ? capacity : LAP_SIZE_MIN;
}

static void end_lap(struct gyre_consumer *consumer, uint64_t pos)
{
    struct gyre_flush *flush = &consumer->flush;
    uint64_t           now_ns = sync_clock_now_ns();
    uint64_t           begin_pos = flush->lap_end_pos - lap_size(consumer);

    if (is_alone(consumer)) {
        gyre__flush_lap(flush, pos - begin_pos, now_ns - flush->lap_begin_ns);
    } else {
        flush->lap_idx = 0;
        flush->is_on = flush->is_better = false;
    }
    flush->lap_begin_ns = now_ns;
    flush->lap_end_pos = pos + lap_size(consumer);
    flush->look_pos = pos + LOOK_SIZE;
}

/* While it is on: there is no stream any more, or somebody else has come. */
static bool is_to_end(struct gyre_consumer *consumer, uint64_t pos)
{
    struct gyre_flush *flush = &consumer->flush;

    if (gyre__pos_after(flush->look_pos, pos))
        return false;
    flush->look_pos = pos + LOOK_SIZE;
    return sync_clock_now_ns() - flush->lap_begin_ns >
               lap_size(consumer) / UNIT_SIZE * UNIT_NS_MAX ||
           !is_alone(consumer);
}

void gyre__flush_begin(struct gyre_consumer *consumer)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    struct gyre_flush         *flush = &consumer->flush;

    flush->is_tried = consumer->seat != NULL && consumer->member.group == NULL &&
                      consumer->ring.geometry.capacity <= CAPACITY_MAX && can_flush();
    /* Nobody else looks whether one is dead that holds up nobody, and only here is there time. */
    if (flush->is_tried)
        (void)gyre__clear_dead(&consumer->ring, consumer->seat, NULL);
    flush->done_pos = fast->held_pos;
    flush->look_pos = fast->held_pos + LOOK_SIZE;
    flush->lap_begin_ns = sync_clock_now_ns();
    flush->lap_end_pos = fast->held_pos + lap_size(consumer);
    fast->flush_pos = flush->lap_end_pos;
}

void gyre__flush_jump(struct gyre_consumer *consumer, uint64_t from_pos)
{
    struct gyre_flush *flush = &consumer->flush;
    uint64_t           size = consumer->fast.held_pos - from_pos;

    flush->done_pos = consumer->fast.held_pos;
    flush->look_pos += size;
    flush->lap_end_pos += size;
    consumer->fast.flush_pos += size;
}

void gyre__flush_behind(struct gyre_consumer *consumer, uint64_t pos)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    struct gyre_flush         *flush = &consumer->flush;

    if (!flush->is_tried) {
        fast->flush_pos = pos + INT64_MAX;
        return;
    }
    /* The line at pos may hold what has not been read. */
    if (flush->is_on)
        for (uint64_t at = flush->done_pos & ~(uint64_t)(LINE_SIZE - 1);
             gyre__pos_after(pos & ~(uint64_t)(LINE_SIZE - 1), at); at += LINE_SIZE)
            flush_line(fast->ring + (at & fast->mask));
    flush->done_pos = pos;
    if (!gyre__pos_after(flush->lap_end_pos, pos) || (flush->is_on && is_to_end(consumer, pos)))
        end_lap(consumer, pos);
    fast->flush_pos = flush->is_on ? pos + STEP_SIZE : flush->lap_end_pos;
}
