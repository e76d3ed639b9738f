/*
 * spin.c - how long a wait spins before it sleeps.
 *
 * A spin that meets the message saves a sleep and a wake-up, some 20 us; one that does not is
 * wasted, up to 2 % of a core at a thousand messages a second.  So the budget follows the waits: it
 * doubles after a wait that was short, up to 20 us, and halves after one that was long, down to
 * 1 us.  A wait is short if spinning through it would have cost at most sixteen budgets.  That is
 * far longer than the budget itself: two that play ping-pong and both sleep have waits as long as
 * two wake-ups, and must find back to spinning.
 */
#include "internal.h"

#define SPIN_MAX_NS 20000u
#define SPIN_MIN_NS 1000u
#define SHORT_WAIT_NS (16u * SPIN_MAX_NS)

struct gyre_spin gyre__spin_from(uint32_t spin_ns)
{
    struct gyre_spin spin = {spin_ns, true};

    if (spin_ns == 0)
        spin = (struct gyre_spin){SPIN_MAX_NS, false};
    return spin;
}

static void halve(struct gyre_spin *spin)
{
    spin->ns = spin->ns > SPIN_MIN_NS * 2 ? spin->ns / 2 : SPIN_MIN_NS;
}

static void double_it(struct gyre_spin *spin)
{
    spin->ns = spin->ns < SPIN_MAX_NS / 2 ? spin->ns * 2 : SPIN_MAX_NS;
}

void gyre__spin_learn(struct gyre_spin *spin, bool is_met, uint64_t slept_since_ns)
{
    if (spin->is_fixed)
        return;
    if (is_met && (slept_since_ns == 0 || sync_clock_now_ns() - slept_since_ns <= SHORT_WAIT_NS))
        double_it(spin);
    else
        halve(spin);
}
