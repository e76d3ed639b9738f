/*
 * inspect.h - rings as seen from outside: what they are, who sits there, which there are; and their
 * removal.
 *
 * Included by gyre.h; it opens a ring only to look, and nobody in it notices.
 */
#ifndef GYRE_INSPECT_H
#define GYRE_INSPECT_H

#include <stdint.h>

#include <gyre/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GYRE_NAME_SIZE 101 /* the longest name and its zero */
#define GYRE_SEATS_MAX 255
#define GYRE_GROUP_NAME_SIZE 32 /* the longest name of a group and its zero */
#define GYRE_GROUPS_MAX 16      /* groups a ring can have at a time */

/* What gyre_ring_inspect tells.  `size` is sizeof(struct gyre_ring_info), set by the caller. */
struct gyre_ring_info {
    uint32_t size;
    uint32_t frame_align;
    uint64_t capacity;
    uint64_t ring_id[2];
    uint64_t created_ns; /* wall clock, since 1970 */
    uint64_t oldest_seq; /* the oldest message a joiner can start at */
    uint64_t oldest_pos;
    uint64_t next_seq; /* the number of the next message to be published */
    uint64_t next_pos;
    uint64_t horizon_pos; /* bytes before it may be overwritten */
    uint32_t epoch;
    uint32_t state;          /* GYRE_RING_IDLE, _ACTIVE or _CLOSED of layout.h */
    uint32_t producer_alive; /* 1 if some process holds the producer's role */
    uint32_t producer_pid;   /* as it said itself */
    uint32_t seat_count;
    uint32_t flags;         /* GYRE_STRICT_WAKE, GYRE_KEEP */
    uint64_t evicted_count; /* seats taken from the living: they stalled or broke the rules */
};

struct gyre_seat_info {
    uint32_t seat_idx;
    uint32_t kind;     /* enum gyre_consumer_kind */
    uint32_t is_alive; /* some process holds the seat */
    uint32_t is_asleep;
    uint32_t is_evicted;
    uint32_t pid;       /* as it said itself */
    uint64_t lag_bytes; /* published and not yet released; a member: claimed and not released */
    uint64_t lost_count;
    uint64_t sleep_count;
    uint64_t missed_count; /* sleeps that ended by a time slice although data was there */
    uint32_t is_orphaned;  /* a member that is gone; its claim waits for another one */
    char     group[GYRE_GROUP_NAME_SIZE]; /* of the group it is a member of; empty: none */
};

struct gyre_group_info {
    char     name[GYRE_GROUP_NAME_SIZE];
    uint32_t kind;         /* enum gyre_consumer_kind: GYRE_RELIABLE or GYRE_LOSSY */
    uint32_t flags;        /* GYRE_GROUP_KEEP */
    uint32_t member_count; /* alive */
    uint32_t orphan_count; /* claims that wait for another member */
    uint64_t next_seq;     /* the number of the first message that nobody has claimed */
    uint64_t lag_bytes;    /* published and not yet claimed */
    uint64_t lost_count;
    uint64_t redelivered_count; /* claims that went to another member */
};

/*
 * Looks at a ring without joining it.  Up to `seat_capacity` taken seats are written to `seats`,
 * their number to `*seat_taken`.  NOT_FOUND, BAD_LAYOUT, CORRUPT, DENIED, BAD_ARGUMENT, NO_MEMORY,
 * SYSTEM.
 */
GYRE_API enum gyre_status gyre_ring_inspect(const char *name, struct gyre_ring_info *info,
                                            struct gyre_seat_info *seats, uint32_t seat_capacity,
                                            uint32_t *seat_taken, struct gyre_error *error);

/* The same for the groups of a ring; up to `capacity` of them are written to `groups`. */
GYRE_API enum gyre_status gyre_ring_inspect_groups(const char *name, struct gyre_group_info *groups,
                                                   uint32_t capacity, uint32_t *group_count,
                                                   struct gyre_error *error);

/* Calls `visit` with the name of each ring of the current user; stops when it returns non-zero. */
GYRE_API enum gyre_status gyre_ring_list(int (*visit)(const char *name, void *context),
                                         void *context, struct gyre_error *error);

/*
 * Removes a ring.  BUSY while some process has it open, unless `force`: then its name goes, and
 * those who have it open keep it to themselves.  Windows removes rings itself: BUSY or NOT_FOUND.
 */
GYRE_API enum gyre_status gyre_ring_remove(const char *name, int force, struct gyre_error *error);

#ifdef __cplusplus
}
#endif

#endif
