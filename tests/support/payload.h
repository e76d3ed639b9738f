/*
 * payload.h - messages that show whether they are whole: every word follows from their number.
 */
#ifndef GYRE_TESTS_PAYLOAD_H
#define GYRE_TESTS_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define PAYLOAD_WORDS_MIN 2u

static inline uint64_t payload_word(uint64_t number, uint64_t salt, uint32_t idx)
{
    uint64_t z = (number ^ salt << 40) + (idx + 1u) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return z ^ z >> 32;
}

/* The number of words of a message: few mostly, `words_max` at times. */
static inline uint32_t payload_words(uint64_t number, uint32_t words_max)
{
    uint64_t random = payload_word(number, 77, 0);
    uint32_t span = random % 16 == 0 ? words_max - PAYLOAD_WORDS_MIN + 1u : 8u;

    if (span > words_max - PAYLOAD_WORDS_MIN + 1u)
        span = words_max - PAYLOAD_WORDS_MIN + 1u;
    return PAYLOAD_WORDS_MIN + (uint32_t)(random >> 8) % span;
}

/* The salt is the writer's (its epoch, say): two writers' messages of one number differ. */
static inline void payload_write(void *message, uint32_t words, uint64_t number, uint64_t salt)
{
    uint64_t *word = message;

    /* Atomic: a joiner may look for a header here, and then sees that it was overwritten (E7). */
    __atomic_store_n(&word[0], number, __ATOMIC_RELAXED);
    __atomic_store_n(&word[1], salt, __ATOMIC_RELAXED);
    for (uint32_t i = PAYLOAD_WORDS_MIN; i < words; i++)
        __atomic_store_n(&word[i], payload_word(number, salt, i), __ATOMIC_RELAXED);
}

/* True if it is message `number`, whole. */
static inline bool payload_check(const void *message, uint32_t size, uint64_t number,
                                 uint32_t words_max)
{
    const uint64_t *word = message;

    if (size != payload_words(number, words_max) * 8u || word[0] != number)
        return false;
    for (uint32_t i = PAYLOAD_WORDS_MIN; i < size / 8u; i++)
        if (word[i] != payload_word(number, word[1], i))
            return false;
    return true;
}

#endif
