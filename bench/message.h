/*
 * message.h - what the benches send: every 8-byte word of a message carries the message's number.
 *
 * The producer writes all of it, the consumer reads all of it and compares all of it, so a torn,
 * lost, doubled or reordered message cannot pass.  Sizes are multiples of 8, addresses aligned to
 * 8.  It knows no carrier.
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
typedef uint64_t message_pair __attribute__((vector_size(16), aligned(8), may_alias));
typedef uint64_t message_aligned_pair __attribute__((vector_size(16), may_alias));

MESSAGE_INLINE void message_fill(void *to, uint32_t size, uint64_t number)
{
    unsigned char       *at = (unsigned char *)to;
    unsigned char       *end = at + size;
    message_aligned_pair pair = {number, number};

    if (size >= 128) {
        if (((uintptr_t)at & 8) != 0) {
            *(message_word *)(void *)at = number;
            at += 8;
        }
        for (; end - at >= 64; at += 64) {
            message_aligned_pair *line = (message_aligned_pair *)(void *)at;
            line[0] = pair;
            line[1] = pair;
            line[2] = pair;
            line[3] = pair;
        }
    }
    size = (uint32_t)(end - at);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < size / 16; i++) /* counted, so that gcc unrolls it */
        *(message_pair *)(void *)(at + 16 * i) = pair;
    if (size % 16 != 0)
        *(message_word *)(void *)(end - 8) = number;
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

/* Zero if every word of the message is `number`. */
MESSAGE_INLINE uint64_t message_check(const void *from, uint32_t size, uint64_t number)
{
    const unsigned char *at = (const unsigned char *)from;
    const unsigned char *end = at + size;
    message_aligned_pair pair = {number, number};
    message_aligned_pair wrong = {0, 0};
    message_aligned_pair more = {0, 0};
    uint64_t             odd = 0;

    if (size >= 128) {
        if (((uintptr_t)at & 8) != 0) {
            odd = *(const message_word *)(const void *)at ^ number;
            at += 8;
        }
        for (; end - at >= 64; at += 64) {
            const message_aligned_pair *line = (const message_aligned_pair *)(const void *)at;
            wrong |= line[0] ^ pair;
            more |= line[1] ^ pair;
            wrong |= line[2] ^ pair;
            more |= line[3] ^ pair;
        }
    }
    size = (uint32_t)(end - at);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < size / 16; i++)
        wrong |= *(const message_pair *)(const void *)(at + 16 * i) ^ pair;
    if (size % 16 != 0)
        odd |= *(const message_word *)(const void *)(end - 8) ^ number;
    wrong |= more;
    return odd | wrong[0] | wrong[1];
}

/* `from`, or its copy in `room` if messages cannot be read there. */
MESSAGE_INLINE const void *message_aligned(const void *from, uint32_t size, void *room)
{
    return ((uintptr_t)from & 7) == 0 ? from : memcpy(room, from, size);
}

#endif
