/*
 * doctor.h - what dead processes have left of this user's rings, and what ails this system.
 *
 * For tools: no program that sends or receives needs it.  Rings look after themselves; what is left
 * is what nobody has come back to.
 */
#ifndef GYRE_DOCTOR_H
#define GYRE_DOCTOR_H

#include <stdint.h>

#include <gyre/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What gyre_doctor finds. */
enum gyre_finding_kind {
    GYRE_FOUND_RING = 1, /* no process has it open, and it has not GYRE_KEEP */
    GYRE_FOUND_FILE = 2, /* a file of a ring or of a consumer that is gone; `name` is its name */
    GYRE_FOUND_SEAT = 3, /* seat `number` of the ring: its consumer died */
    GYRE_FOUND_PRODUCER = 4, /* the ring's producer died; the next one goes on */
    GYRE_FOUND_FOREIGN = 5,  /* a file that is no ring's, whatever its name, or not trusted */
    GYRE_FOUND_SPACE = 6,    /* little room for rings: `number` bytes free */
    GYRE_FOUND_BARRIER = 7   /* membarrier is refused: a sleeper costs each publish a fence */
};
struct gyre_finding {
    uint32_t    kind;
    uint32_t    is_mended;
    const char *name; /* valid during the visit; NULL for SPACE and BARRIER */
    uint64_t    number;
};

/*
 * Looks for what dead processes have left of this user's rings.  With `fix` it removes rings and
 * files and frees seats, each only while the kernel says that nobody holds it.  A ring that cannot
 * be looked at is left alone: NO_MEMORY or SYSTEM, after the visits to all others.  DENIED.
 */
GYRE_API enum gyre_status
gyre_doctor(int   fix, void (*visit)(const struct gyre_finding *finding, void *context),
            void *context, struct gyre_error *error);

#ifdef __cplusplus
}
#endif

#endif
