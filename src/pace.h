/*
 * pace.h - what the waits of a handle teach it: how long to spin before a sleep, and when the
 * next message is due.
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

/* What is known of the pace of the messages. */
struct gyre_pace {
    uint64_t last_ns;      /* about when the last message came that kept the pace */
    uint64_t odd_ns;       /* when one came since that did not; 0: none */
    uint64_t period_ns;    /* from one to the next; 0: unknown */
    uint64_t lead_ns;      /* how long before the next one is due the sleep ends */
    uint64_t step_ns;      /* by how much the lead grows next */
    uint64_t wake_ns;      /* when this sleep ends; 0: when it is rung */
    uint64_t woken_ns;     /* when it ended */
    uint64_t looked_ns;    /* there was none yet, if the wait slept then */
    uint64_t jitter_ns;    /* how far from due half of those come that are met */
    uint64_t late_ns;      /* how much later sleeps end than they should */
    uint32_t trust;        /* 0: no message is expected */
    int32_t  steady_count; /* without trust: messages that kept the pace, less those that did not */
};

/* How the message of a wait that slept came. */
enum gyre_arrival {
    GYRE_ARRIVAL_RUNG,  /* none was due: it woke us */
    GYRE_ARRIVAL_EARLY, /* it was there before we could spin for it */
    GYRE_ARRIVAL_MET,   /* we spun for it */
    GYRE_ARRIVAL_LATE   /* we had spun in vain, and slept again */
};

/* spin.c: zero is the default, which adapts. */
struct gyre_spin gyre__spin_from(uint32_t spin_ns);

/* After a wait: it came to something or not, and slept, as a whole since then, or not (0). */
void gyre__spin_learn(struct gyre_spin *spin, bool is_met, uint64_t slept_since_ns);

/* pace.c: when a sleep that begins now shall end because a message is due; 0: none is. */
uint64_t gyre__pace_next(struct gyre_pace *pace, uint64_t now_ns);

/* That sleep is over: for how long to spin now. */
uint64_t gyre__pace_woken(struct gyre_pace *pace, uint64_t now_ns);

/* A message came, and a wait slept for it. */
void gyre__pace_learn(struct gyre_pace *pace, enum gyre_arrival arrival, uint64_t now_ns);

#endif
