/*
 * words.h - the words of the shared map that hold several things, taken apart.
 */
#ifndef GYRE_WORDS_H
#define GYRE_WORDS_H

#include <stdint.h>

#include <gyre/layout.h>

static inline uint64_t gyre__seat_control(uint64_t generation, uint32_t kind, uint32_t state)
{
    return generation << GYRE_SEAT_GENERATION_SHIFT | (uint64_t)kind << GYRE_SEAT_KIND_SHIFT |
           state;
}

static inline uint32_t gyre__seat_state(uint64_t control)
{
    return (uint32_t)(control & GYRE_SEAT_STATE_MASK);
}

static inline uint32_t gyre__seat_kind(uint64_t control)
{
    return (uint32_t)(control >> GYRE_SEAT_KIND_SHIFT) & 0xffu;
}

/* The bitmaps of groups, by seat. */
#define GYRE_BITMAP_WORDS 4u
static inline uint64_t gyre__seat_bit(uint32_t seat_idx)
{
    return UINT64_C(1) << (seat_idx % 64);
}

/* A group's bit in the sleepers word, from the other end than the first seats'. */
static inline uint64_t gyre__group_bit(uint32_t group_idx)
{
    return UINT64_C(1) << (GYRE_SLEEPERS_PER_WORD - 1 - group_idx);
}

/* The bit of a seat in the sleepers word. */
static inline uint64_t gyre__sleeper_bit(uint32_t seat_idx)
{
    return UINT64_C(1) << (seat_idx % GYRE_SLEEPERS_PER_WORD);
}

/* The first seat of the lowest bit of such a word, which is not 0; the next is 63 behind it. */
static inline uint32_t gyre__lowest_sleeper(uint64_t mask)
{
    return (uint32_t)__builtin_ctzll(mask);
}

#endif
