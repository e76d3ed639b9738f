/*
 * layout.h - the shared map, byte by byte.
 *
 * It knows where everything lies in the two shared objects of a ring and who may write it.  It
 * knows neither ordering (fast.h) nor how the objects come to be (sync/).  All of it is ABI: the
 * same bytes for 32- and 64-bit programs, Linux and Windows, gcc, clang and MSVC, little-endian.
 *
 * DATA is written by the creator and the producer only; consumers map it read-only.
 *
 *      byte   written by     struct                  read by
 *         0   creator        gyre_shared_header      everyone, once, on attach
 *       256   producer       gyre_shared_front       everyone, on slow paths and by lossy readers
 *       512   producer       gyre_shared_landmark[32]  joiners, lapped readers, the next producer
 *      4096   producer       the bytes of the ring   everyone
 *
 * CTRL is written by consumers and the producer.
 *
 *      byte   written by     struct                  read by
 *         0   creator        gyre_shared_ctrl        everyone, on attach
 *       128   both           gyre_shared_sleepers    the producer after every publish
 *       256   both           gyre_shared_room        consumers that free room, the producer
 *      4096   its members    gyre_shared_group[16]   its members; the producer as it does the seats
 *     12288   its consumer   gyre_shared_seat[n]     the producer when its credit is used up
 *
 * A frame is an 8-byte header and its payload, padded to the frame alignment:
 *
 *      bits  0..29  payload size in bytes
 *      bit   30     the frame is padding up to the end of the ring
 *      bit   31     always one in a published frame, so that its header is never zero
 *      bits 32..63  the low half of the message's sequence number (of the next one, for padding)
 *
 * Whoever may write CTRL may write all of it.  So the producer believes a cursor only if it lies
 * between the one it saw last and the end of what is published, on the frame alignment, and takes
 * the seat away otherwise; and a consumer believes what it has read only if DATA, which the
 * producer alone writes, says that it was not overwritten (E7).
 *
 * One line, one writer.  A line is 128 bytes because x86 prefetches 64-byte lines in pairs.
 * Positions are 64-bit byte counts since creation; they only grow, are masked only to index, and
 * are compared by difference.  The idea of the message's number in its own line is from MengRao's
 * SPMC_Queue and Firedancer's tango; bytes that differ in rights on different pages are the
 * kernel's BPF ring buffer's.
 */
#ifndef GYRE_LAYOUT_H
#define GYRE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GYRE_STATIC_ASSERT(condition, message) static_assert(condition, message)
#else
#define GYRE_STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#endif

#define GYRE_LAYOUT_VERSION UINT32_C(1)
#define GYRE_DATA_MAGIC UINT64_C(0x4154414445525947) /* "GYREDATA" */
#define GYRE_CTRL_MAGIC UINT64_C(0x4c52544345525947) /* "GYRECTRL" */

#define GYRE_LINE_SIZE 128u
#define GYRE_LANDMARK_COUNT 32u
#define GYRE_LANDMARK_STEPS 16u /* the horizon moves, and a landmark is set, this often a lap */
#define GYRE_RING_OFF 4096u
#define GYRE_GROUPS_OFF 4096u
#define GYRE_GROUP_COUNT 16u
#define GYRE_SEATS_OFF 12288u
#define GYRE_SEAT_LIMIT 255u

#define GYRE_CAPACITY_MIN UINT64_C(4096)
#define GYRE_CAPACITY_MAX (UINT64_C(1) << 40)
#define GYRE_FRAME_ALIGN_MIN 8u
#define GYRE_FRAME_ALIGN_MAX 64u

#define GYRE_FRAME_HEADER_SIZE 8u
#define GYRE_FRAME_SIZE_MASK UINT64_C(0x3fffffff)
#define GYRE_FRAME_PADDING (UINT64_C(1) << 30)
#define GYRE_FRAME_PUBLISHED (UINT64_C(1) << 31)
#define GYRE_FRAME_SIZE_LIMIT (UINT64_C(1) << 30) /* the largest frame, header included */

/* gyre_shared_front.state */
#define GYRE_RING_IDLE 0u   /* no producer has opened it yet */
#define GYRE_RING_ACTIVE 1u /* a producer opened it and has not closed it */
#define GYRE_RING_CLOSED 2u /* the last producer closed it at final_pos */

/* gyre_shared_header.options */
#define GYRE_OPTION_STRICT_WAKE                                                                    \
    (UINT32_C(1) << 0)                      /* every publish fences before it looks for sleepers */
#define GYRE_OPTION_KEEP (UINT32_C(1) << 1) /* the ring outlives its last process (Linux) */

/* All of it is constant once the magic is there. */
struct gyre_shared_header {
    uint64_t magic; /* E4: stored last */
    uint32_t layout_version;
    uint32_t header_size;
    uint64_t required_features; /* an unknown bit here: refuse the map */
    uint64_t optional_features; /* an unknown bit here: read on */
    uint64_t capacity;          /* bytes of the ring, a power of two */
    uint32_t frame_align;       /* 8, 16, 32 or 64 */
    uint32_t seat_count;
    uint64_t ring_id[2]; /* random; names the other objects and tells rings of one name apart */
    uint64_t created_ns; /* wall clock, nanoseconds since 1970 */
    uint64_t first_pos;  /* where positions began */
    uint32_t options;
    uint32_t zero[43];
};

/*
 * Written by the producer, rarely: some GYRE_LANDMARK_STEPS times a lap, more often where little
 * room is free, and on its slow paths.
 */
struct gyre_shared_front {
    uint64_t horizon_pos; /* E5 E7: bytes at or after it are not overwritten */
    uint64_t room_pos;    /* E6: a blocked producer waits for cursors to reach it; 0: none waits */
    uint64_t final_pos;   /* E9: CLOSED: the end of everything */
    uint64_t final_seq;
    uint32_t epoch; /* one more for each producer that opened the ring */
    uint32_t state;
    uint32_t is_registered; /* the remote barrier reaches the producer */
    uint32_t fence_ack;     /* the producer has seen GYRE_SLEEPERS_FENCE and fences */
    uint32_t producer_pid;  /* for people; decides nothing */
    uint32_t zero_a;
    uint64_t granted_pos;   /* E5 E7: the last horizon that the seats have confirmed */
    uint64_t evicted_count; /* seats taken from the living: they stalled or broke the rules */
    uint64_t zero[23];
};

/* A frame boundary and the number of the message that begins there; pos is stored last. */
struct gyre_shared_landmark {
    uint64_t pos; /* GYRE_LANDMARK_NONE while it is rewritten */
    uint64_t seq;
};
#define GYRE_LANDMARK_NONE UINT64_MAX

struct gyre_shared_ctrl {
    uint64_t magic; /* E4: stored last */
    uint32_t layout_version;
    uint32_t seat_count;
    uint64_t ring_id[2];
    uint64_t zero[12];
};

/* Bit i: some consumer on a seat with index i mod 63 sleeps or is about to. */
struct gyre_shared_sleepers {
    uint64_t mask; /* E3 */
    uint64_t zero[15];
};
#define GYRE_SLEEPERS_PER_WORD 63u
#define GYRE_SLEEPERS_FENCE (UINT64_C(1) << 63) /* somebody sleeps whom no remote barrier helps */

/* The bell of a producer that waits for room or for consumers. */
struct gyre_shared_room {
    uint32_t bell;
    uint32_t zero_a;
    uint64_t zero[15];
};

/* A consumer's seat.  `control` is generation << 32 | kind << 8 | state. */
struct gyre_shared_seat {
    uint64_t released_pos; /* E2 E5 E6: everything before it has been read */
    uint64_t control;
    uint32_t bell;          /* E3: set by the producer, cleared by the consumer */
    uint32_t is_registered; /* the remote barrier of E6 reaches this consumer */
    uint32_t needs_fence;   /* this consumer cannot call the remote barrier of E3 */
    uint32_t pid;           /* for people; decides nothing */
    uint64_t lost_count;    /* messages lost in gaps */
    uint64_t sleep_count;   /* times it went to sleep */
    uint64_t missed_count;  /* slices that ended with data ready: wake-ups that came too late */
    uint32_t is_pollable;   /* E3: the bell has a handle that must be rung as well */
    uint32_t group;         /* one more than the index of its work-sharing group; 0: none */
    uint64_t claim;         /* E14: a member's: where what it claimed ends, and GYRE_CLAIM_ */
    uint64_t claim_seq;     /* the number of the message at released_pos, while it claims */
    uint64_t claim_end_seq; /* and of the one behind the claim */
    uint32_t wakes_by_bell; /* E16: this member sleeps on its own bell, not at the group's gate */
    uint32_t zero_a;
    uint64_t zero[4];
};

/* gyre_shared_seat.claim, in the low bits of a position */
#define GYRE_CLAIM_NONE UINT64_C(0)
#define GYRE_CLAIM_TRIED UINT64_C(1) /* its member tries to move next_pos to the claim's end */
#define GYRE_CLAIM_HELD UINT64_C(2)  /* it has; what lies between released_pos and the end is its */
#define GYRE_CLAIM_STATE_MASK UINT64_C(7)

/*
 * A work-sharing group: each message goes to one of its members.  next_pos and next_tag change
 * together, by one CAS of 16 bytes.  The bitmaps have a bit a seat.
 */
struct gyre_shared_group {
    uint64_t next[2]; /* E14 E15: by GYRE_NEXT_ */
    uint64_t zero_a[14];
    uint64_t asleep[4]; /* E16: members that sleep or are about to */
    uint32_t permits;   /* E16: Linux: of the gate */
    uint32_t zero_b;
    uint64_t zero_c[11];
    uint64_t control; /* E10: generation << 32 | flags << 8 | state */
    uint8_t  name[32];
    uint64_t members[4]; /* seats that belong to it, or did before they were free */
    uint64_t orphans[4]; /* hints: seats that hold a claim and have no holder */
    uint64_t lost_count; /* of a lossy group */
    uint64_t redelivered_count;
    uint64_t zero_d[17];
};
#define GYRE_NEXT_POS 0 /* next_pos: where what nobody has claimed begins */
#define GYRE_NEXT_TAG 1 /* next_tag: the message's number << 8 | the seat that claimed last */
#define GYRE_GROUP_NOBODY UINT64_C(255) /* in next_tag: no seat claimed last */
#define GYRE_GROUP_TAG_BITS 8u

/* group states and flags */
#define GYRE_GROUP_FREE 0u
#define GYRE_GROUP_ACTIVE 1u
#define GYRE_GROUP_EVICTED 2u /* its next_pos is no position of this ring */
#define GYRE_GROUP_FLAGS_SHIFT 8u
#define GYRE_GROUP_FLAG_LOSSY 1u
#define GYRE_GROUP_FLAG_KEEP 2u
#define GYRE_GROUP_FLAG_FOUNDING 4u /* its founder is not done, or died before it was */

/* seat states */
#define GYRE_SEAT_FREE 0u
#define GYRE_SEAT_ACTIVE 1u
#define GYRE_SEAT_EVICTED 2u
#define GYRE_SEAT_ORPHANED 3u /* its member is gone, and its claim waits for another one */
#define GYRE_SEAT_STATE_MASK UINT64_C(0xff)
#define GYRE_SEAT_KIND_SHIFT 8u
#define GYRE_SEAT_GENERATION_SHIFT 32u

GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_header) == 256, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_header, capacity) == 32, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_header, ring_id) == 48, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_header, options) == 80, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_front) == 256, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_front, room_pos) == 8, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_front, epoch) == 32, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_front, producer_pid) == 48, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_front, granted_pos) == 56, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_front, evicted_count) == 64, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_landmark) == 16, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_ctrl) == GYRE_LINE_SIZE, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_sleepers) == GYRE_LINE_SIZE, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_room) == GYRE_LINE_SIZE, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_seat) == GYRE_LINE_SIZE, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_seat, bell) == 16, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_seat, lost_count) == 32, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_seat, claim) == 64, "the layout is ABI");
GYRE_STATIC_ASSERT(sizeof(struct gyre_shared_group) == 4 * GYRE_LINE_SIZE, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_group, asleep) == 128, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_group, control) == 256, "the layout is ABI");
GYRE_STATIC_ASSERT(offsetof(struct gyre_shared_group, members) == 296, "the layout is ABI");

#define GYRE_FRONT_OFF 256u
#define GYRE_LANDMARKS_OFF 512u
#define GYRE_SLEEPERS_OFF 128u
#define GYRE_ROOM_OFF 256u
GYRE_STATIC_ASSERT(GYRE_LANDMARKS_OFF + GYRE_LANDMARK_COUNT * 16u <= GYRE_RING_OFF,
                   "DATA overlaps");
GYRE_STATIC_ASSERT(GYRE_ROOM_OFF + GYRE_LINE_SIZE <= GYRE_GROUPS_OFF, "CTRL overlaps");
GYRE_STATIC_ASSERT(GYRE_GROUPS_OFF + GYRE_GROUP_COUNT * 512u <= GYRE_SEATS_OFF, "CTRL overlaps");

#endif
