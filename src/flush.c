/*
 * flush.c - flush behind: a consumer gives the lines it has read back to memory.
 *
 * A line that stays in the reader's caches must be taken from there when the producer writes it in
 * the next lap.  Where the two share no cache that is the slowest way there is to get a line, a
 * round trip for each, and a fetch from memory is not: streams become 2 to 3 times as fast.  Where
 * they share one it is the other way about, and nothing tells the two apart for certain: virtual
 * machines hide caches and move cores.  So both are tried, and the better one is kept for a while.
 * The first lap of the other way does not count, since it finds what the laps before it left.  A
 * stream slower than a byte a nanosecond gains nothing, so there it is off; and so it is beside
 * other consumers, who would have to fetch each line from memory.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define LAP_SIZE_MIN (UINT64_C(4) << 20)      /* shorter laps are hard to time */
#define CAPACITY_MAX (UINT64_C(32) << 20)     /* of larger rings, lines leave the caches anyway */
#define STEP_SIZE 1024u                       /* so many bytes at once, at least */
#define LINE_SIZE 64u

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

void gyre__flush_lap(struct gyre_flush *flush, uint64_t size, uint64_t took_ns)
{
    uint64_t *best_ns = &flush->best_ns[flush->is_on];

    if (took_ns > size) {
        *flush = (struct gyre_flush){.done_pos = flush->done_pos};
        return;
    }
    if (flush->lap_idx == 0)
        flush->lap_idx = LAPS_OF_REST; /* a stream: the trial is near */
    else if (flush->lap_idx > LAPS_OF_REST && flush->lap_idx != SETTLING_LAP && took_ns < *best_ns)
        *best_ns = took_ns;
    if (flush->lap_idx == LAST_LAP) {
        /* An eighth at least, or it is not worth the work. */
        flush->is_better = flush->best_ns[1] + flush->best_ns[1] / 8 < flush->best_ns[0];
        flush->lap_idx = 0;
    }
    if (flush->lap_idx == 0 || flush->lap_idx == LAPS_OF_REST)
        flush->best_ns[0] = flush->best_ns[1] = UINT64_MAX / 2;
    flush->lap_idx++;
    flush->is_on = flush->is_better != (flush->lap_idx >= SETTLING_LAP);
}

static bool is_alone(const struct gyre_consumer *consumer)
{
    const struct gyre_ring *ring = &consumer->ring;

    for (uint32_t i = 0; i < ring->geometry.seat_count; i++)
        if (i != consumer->seat_idx &&
            gyre__seat_state(gyre_load_acquire_64(&ring->seats[i].control)) ==
                GYRE_SEAT_ACTIVE) /* E10 */
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

    gyre__flush_lap(flush, lap_size(consumer),
                    is_alone(consumer) ? now_ns - flush->lap_begin_ns : UINT64_MAX);
    flush->lap_begin_ns = now_ns;
    flush->lap_end_pos = pos + lap_size(consumer);
}

void gyre__flush_begin(struct gyre_consumer *consumer)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    bool is_tried = consumer->kind == GYRE_RELIABLE && consumer->member.group == NULL &&
                    consumer->ring.geometry.capacity <= CAPACITY_MAX && can_flush();

    consumer->flush.done_pos = fast->held_pos;
    consumer->flush.lap_begin_ns = sync_clock_now_ns();
    consumer->flush.lap_end_pos =
        fast->held_pos + (is_tried ? lap_size(consumer) : (uint64_t)INT64_MAX);
    fast->flush_pos = consumer->flush.lap_end_pos;
}

void gyre__flush_behind(struct gyre_consumer *consumer, uint64_t pos)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    struct gyre_flush         *flush = &consumer->flush;

    /* The line at pos may hold what has not been read. */
    if (flush->is_on)
        for (uint64_t at = flush->done_pos & ~(uint64_t)(LINE_SIZE - 1);
             gyre__pos_after(pos & ~(uint64_t)(LINE_SIZE - 1), at); at += LINE_SIZE)
            flush_line(fast->ring + (at & fast->mask));
    flush->done_pos = pos;
    if (!gyre__pos_after(flush->lap_end_pos, pos))
        end_lap(consumer, pos);
    fast->flush_pos = flush->is_on ? pos + STEP_SIZE : flush->lap_end_pos;
}
