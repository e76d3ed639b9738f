/*
 * pace.h - what the waits of a handle teach it: how long to spin before a sleep.
 *
 * It knows times, and neither rings nor bells.
 */
#ifndef GYRE_PACE_H
#define GYRE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* How long to spin before a sleep: as the user said, or what the last waits taught. */
struct gyre_spin {
    uint32_t ns;
    bool     is_fixed;
};

/* spin.c: zero is the default, which adapts. */
struct gyre_spin gyre__spin_from(uint32_t spin_ns);

/* After a wait: it came to something or not, and slept, as a whole since then, or not (0). */
void gyre__spin_learn(struct gyre_spin *spin, bool is_met, uint64_t slept_since_ns);

#endif
