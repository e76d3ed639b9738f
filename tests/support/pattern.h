/*
 * pattern.h - message bytes that follow from the message's number, so that a reader can tell a
 * whole message from a torn, shifted or foreign one.
 */
#ifndef GYRE_TESTS_PATTERN_H
#define GYRE_TESTS_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

void pattern_fill(void *message, uint32_t size, uint64_t seq);
bool pattern_matches(const void *message, uint32_t size, uint64_t seq);

/* A step of a small random generator (splitmix64): the same numbers on every system. */
uint64_t pattern_random(uint64_t *state);

#endif
