/*
 * pattern.c - see pattern.h.
 */
#include "pattern.h"

#include <string.h>

uint64_t pattern_random(uint64_t *state)
{
    uint64_t word = *state += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

void pattern_fill(void *message, uint32_t size, uint64_t seq)
{
    unsigned char *bytes = message;
    uint64_t       state = seq ^ (uint64_t)size << 40;

    for (uint32_t at = 0; at < size; at += 8) {
        uint64_t word = pattern_random(&state);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

bool pattern_matches(const void *message, uint32_t size, uint64_t seq)
{
    const unsigned char *bytes = message;
    uint64_t             state = seq ^ (uint64_t)size << 40;

    for (uint32_t at = 0; at < size; at += 8) {
        uint64_t word = pattern_random(&state);
        if (memcmp(bytes + at, &word, size - at < 8 ? size - at : 8) != 0)
            return false;
    }
    return true;
}
