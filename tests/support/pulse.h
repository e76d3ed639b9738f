/*
 * pulse.h - how long a process that looks at the clock all the time was stopped, at the longest.
 *
 * A store that waits in the buffer of a processor that stands still may stay there until it goes
 * on, seen on a virtual machine for up to 56 us: nothing but a fence in the storing process, or a
 * remote barrier, makes it leave sooner.
 */
#ifndef GYRE_TESTS_PULSE_H
#define GYRE_TESTS_PULSE_H

#include <stdint.h>

#include <gyre/gyre.h>

struct pulse {
    uint64_t last_ns;
    uint64_t longest_ns;
};

static inline struct pulse pulse_begin(void)
{
    struct pulse pulse = {.last_ns = gyre_now_ns()};

    return pulse;
}

/* Returns the time. */
static inline uint64_t pulse_beat(struct pulse *pulse)
{
    uint64_t now_ns = gyre_now_ns();

    if (now_ns - pulse->last_ns > pulse->longest_ns)
        pulse->longest_ns = now_ns - pulse->last_ns;
    pulse->last_ns = now_ns;
    return now_ns;
}

#endif
