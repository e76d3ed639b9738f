/*
 * message.h - what the benches send: every 8-byte word of a message carries the message's number.
 *
 * The producer writes all of it, the consumer reads all of it and compares all of it, so a torn,
 * lost, doubled or reordered message cannot pass.  Sizes are multiples of 8, from 8 on, addresses
 * aligned to 8.  It knows no carrier.
 */
#ifndef GYRE_BENCH_MESSAGE_H
#define GYRE_BENCH_MESSAGE_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MESSAGE_INLINE static inline __attribute__((always_inline))

/* The sizes that contestants with slots of a type know, and that the loops have as constants. */
#define MESSAGE_SIZES(each)                                                                        \
    each(8) each(24) each(32) each(56) each(64) each(256) each(1024) each(4096) each(16384)        \
        each(65536)
#define MESSAGE_SIZE_MAX 65536u

MESSAGE_INLINE int message_is_listed(uint32_t size)
{
    switch (size) {
#define MESSAGE_IS_LISTED(of) case of:
        MESSAGE_SIZES(MESSAGE_IS_LISTED)
        return 1;
    default:
        return 0;
    }
}

typedef uint64_t message_word __attribute__((may_alias));
typedef uint64_t message_aligned_pair __attribute__((vector_size(16), may_alias));

MESSAGE_INLINE void message_fill_pairs(void *to, uint32_t count, uint64_t number)
{
    message_aligned_pair *at = (message_aligned_pair *)to;
    message_aligned_pair  pair = {number, number};

#pragma GCC unroll 16
    for (uint32_t i = 0; i < count; i++)
        at[i] = pair;
}

/* Whole pairs from the first address that is aligned to them, and a word before or behind. */
MESSAGE_INLINE void message_fill(void *to, uint32_t size, uint64_t number)
{
    unsigned char *at = (unsigned char *)to;
    message_word  *last = (message_word *)(void *)(at + size - 8);

    if (((uintptr_t)at & 8) == 0) {
        message_fill_pairs(at, size / 16, number);
        if (size % 16 != 0)
            *last = number;
    } else {
        *(message_word *)(void *)at = number;
        message_fill_pairs(at + 8, (size - 8) / 16, number);
        if (size % 16 == 0)
            *last = number;
    }
}

/*
 * The same past the caches, where the processor can: whole lines are not fetched before they are
 * written.  Such stores are weakly ordered; the fence puts them before the publish.
 */
#ifdef __SSE2__
#define MESSAGE_HAS_NON_TEMPORAL 1

MESSAGE_INLINE void message_fill_non_temporal(void *to, uint32_t size, uint64_t number)
{
    unsigned char *at = (unsigned char *)to;
    unsigned char *end = at + size;
    __m128i        pair = _mm_set1_epi64x((long long)number);

    for (; at != end && ((uintptr_t)at & 63) != 0; at += 8)
        *(message_word *)(void *)at = number;
    for (; end - at >= 64; at += 64)
        for (uint32_t i = 0; i < 4; i++)
            _mm_stream_si128((__m128i *)(void *)at + i, pair);
    for (; at != end; at += 8)
        *(message_word *)(void *)at = number;
    _mm_sfence();
}

#else
#define MESSAGE_HAS_NON_TEMPORAL 0
#define message_fill_non_temporal message_fill
#endif

MESSAGE_INLINE uint64_t message_check_pairs(const void *from, uint32_t count, uint64_t number)
{
    const message_aligned_pair *at = (const message_aligned_pair *)from;
    message_aligned_pair        pair = {number, number};
    message_aligned_pair        wrong = {0, 0};
    message_aligned_pair        more = {0, 0};

#pragma GCC unroll 8
    for (uint32_t i = 0; i < count / 2; i++) {
        wrong |= at[2 * i] ^ pair;
        more |= at[2 * i + 1] ^ pair;
    }
    if (count % 2 != 0)
        wrong |= at[count - 1] ^ pair;
    wrong |= more;
    return wrong[0] | wrong[1];
}

/* Zero if every word of the message is `number`. */
MESSAGE_INLINE uint64_t message_check(const void *from, uint32_t size, uint64_t number)
{
    const unsigned char *at = (const unsigned char *)from;
    const message_word  *last = (const message_word *)(const void *)(at + size - 8);

    if (((uintptr_t)at & 8) == 0)
        return message_check_pairs(at, size / 16, number) | (size % 16 != 0 ? *last ^ number : 0);
    return (*(const message_word *)(const void *)at ^ number) |
           message_check_pairs(at + 8, (size - 8) / 16, number) |
           (size % 16 == 0 ? *last ^ number : 0);
}

/* `from`, or its copy in `room` if messages cannot be read there. */
MESSAGE_INLINE const void *message_aligned(const void *from, uint32_t size, void *room)
{
    return ((uintptr_t)from & 7) == 0 ? from : memcpy(room, from, size);
}

#endif
