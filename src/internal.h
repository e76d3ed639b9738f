/*
 * internal.h - the private handles, and what the files of src/ ask of each other.
 */
#ifndef GYRE_INTERNAL_H
#define GYRE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <gyre/gyre.h>

#include "flush.h"
#include "groups.h"
#include "pace.h"
#include "sync.h"
#include "words.h"

/* The constant facts of a ring: options that were checked, or a header that was judged. */
struct gyre_geometry {
    uint64_t capacity;
    uint64_t ring_id[2];
    uint64_t created_ns;
    uint64_t first_pos;
    uint32_t frame_align;
    uint32_t seat_count;
    uint32_t options;
};

/*
 * A ring as this process has it open.  The pointers lie in the two maps; the geometry is our
 * copy.
 */
struct gyre_ring {
    struct gyre_geometry         geometry;
    struct gyre_shared_front    *front;
    struct gyre_shared_landmark *landmarks;
    unsigned char               *bytes;
    struct gyre_shared_sleepers *sleepers; /* NULL for taps, as all of CTRL */
    struct gyre_shared_room     *room;
    struct gyre_shared_group    *groups;
    struct gyre_shared_seat     *seats;
    struct sync_site            *site;
    struct sync_map              data;
    struct sync_map              ctrl;
    struct sync_bell             room_bell;
    struct sync_watch           *watch;
    struct gyre_ring            *next; /* in the list of this process's open rings */
    struct gyre_ring            *previous;
    void (*forget)(struct gyre_ring *ring); /* in a forked child: makes the fast path harmless */
    uint32_t is_interrupted;                /* set by any thread, taken by the one that waits */
    bool     is_listed;
    bool     is_attached;
    bool     is_forked;
};

/* A consumer's bell as its producer rings it. */
struct gyre_seat_bell {
    struct sync_bell bell;
    uint64_t         control;  /* the occupant for whom it was opened */
    uint64_t         retry_ns; /* its FIFO could not be opened: not tried before; 0: it could */
};

/* The last cursor of a seat's occupant that was believed: the next one is not before it. */
struct gyre_seat_seen {
    uint64_t control;
    uint64_t pos;
};

/* For how long a cursor that leaves the producer no room has stood still. */
struct gyre_stall {
    struct gyre_seat_seen seen;
    uint64_t              stood_ns;
};

struct gyre_producer {
    struct gyre_fast_producer fast;
    struct gyre_ring          ring;
    uint64_t                  mark_pos; /* the newest landmark */
    uint64_t                  dead_check_ns;
    uint64_t                  sleep_count;
    uint64_t                  missed_count; /* slices that ended though the room was there */
    uint32_t                  mark_idx;
    uint32_t                  slowest_idx;   /* the seat that held us back last; or GYRE_NO_INDEX */
    uint32_t                  slowest_group; /* or the group whose unclaimed messages did */
    uint32_t                  wait;
    struct gyre_spin          spin;
    struct gyre_seat_bell    *bells;                   /* one a seat, opened when first rung */
    struct gyre_seat_seen    *seen;                    /* one a seat */
    struct sync_gate          gates[GYRE_GROUP_COUNT]; /* likewise */
    struct gyre_seat_seen     seen_groups[GYRE_GROUP_COUNT];
    uint64_t                  stall_timeout_ns; /* 0: none */
    uint64_t                  stall_look_ns;
    struct gyre_stall        *stalls; /* one a seat, one a group; NULL without a time-out */
};

/* What a member of a group has besides: all zero for other consumers. */
struct gyre_member {
    struct gyre_shared_group *group; /* NULL: no member */
    struct gyre_shared_seat  *work; /* whose claim it works on: its own seat or an orphan's; NULL */
    struct sync_gate          gate;
    uint64_t                  control; /* what the group's control word must be */
    uint64_t                  end_pos; /* of the claim */
    uint64_t                  end_seq;
    uint64_t                  peek_header; /* what gyre_peek polls: it takes the slow path */
    uint64_t                  far_pos;     /* what gyre_release looks at: likewise */
    uint64_t                  look_ns;     /* when to look for dead members again */
    uint32_t                  group_idx;
    uint32_t                  work_idx;
    uint32_t                  claim_count;
    uint32_t                  look_idx; /* who is looked at next */
    uint32_t                  polls;
    bool                      is_founding; /* the group is not yet active */
    bool                      is_redelivered;
    bool                      is_at_gate; /* sleeps there, not on its bell */
    bool                      is_idle;    /* it found nothing to claim */
};

struct gyre_consumer {
    struct gyre_fast_consumer fast;
    struct gyre_ring          ring;
    struct gyre_shared_seat  *seat; /* NULL for taps */
    struct sync_bell          bell;
    uint64_t                  control; /* what the seat's control word must be for it to be ours */
    uint64_t                  own_released_pos; /* a tap's cursor: nobody else sees it */
    uint64_t                  own_header;       /* zero; what a forked child polls */
    uint64_t                  gap_count;
    uint64_t                  lost_count;
    uint64_t                  burst_pos;   /* where the ring was found empty last */
    uint64_t                  look_ns;     /* gyre_wait_any: when to look for the dead again */
    uint64_t                  gap_pending; /* a gap found at open, to be told by the first wait */
    enum gyre_status          verdict;     /* CORRUPT once found; OK until then */
    uint32_t                  kind;
    uint32_t                  on_gap;
    uint32_t                  wait;
    struct gyre_spin          spin;
    struct gyre_pace          pace;
    struct gyre_flush         flush;
    uint32_t                  seat_idx;
    uint32_t                  slice_idx; /* how many slices in a row ended with nothing: D3 */
    bool               is_slicing;   /* the bit of the last slice stands: the next one goes on */
    uint32_t           turn;         /* gyre_wait_any: who is looked at first next time */
    uint32_t           place;        /* gyre_wait_any: where it stands in the array */
    uint32_t           orphan_epoch; /* the epoch whose death was told; 0: none */
    uint32_t           dead_epoch;   /* the epoch found dead before its last message was read */
    uint32_t           told_epoch;   /* the one that the watching thread found dead; 0: none */
    struct sync_bell   watch_bell;   /* that thread's handle of our bell */
    struct gyre_member member;
};

#define GYRE_NO_INDEX UINT32_MAX
#define GYRE_DEAD_CHECK_NS UINT64_C(10000000) /* a busy producer looks for dead seats this often */
#define GYRE_PEER_CHECK_NS UINT64_C(100000000)

/* A frame boundary and the number of the message that begins there. */
struct gyre_mark {
    uint64_t pos;
    uint64_t seq;
};

/* layout.c: pure arithmetic and judgement */
uint64_t gyre__data_size(uint64_t capacity);
uint64_t gyre__ctrl_size(uint32_t seat_count);
uint32_t gyre__max_size(uint64_t capacity);
bool     gyre__name_is_good(const char *name);

/* Checks options and fills in the defaults.  BAD_ARGUMENT with error->field. */
enum gyre_status gyre__check_ring_options(const struct gyre_ring_options *given,
                                          struct gyre_ring_options       *checked,
                                          struct gyre_error              *error);
enum gyre_status gyre__check_consumer_options(const struct gyre_consumer_options *given,
                                              struct gyre_consumer_options       *checked,
                                              struct gyre_error                  *error);

/* The geometry of a new ring, without identity. */
void gyre__geometry_from(const struct gyre_ring_options *options, struct gyre_geometry *geometry);

/* Writes everything of a new object but its magic: `base` holds zeros. */
void gyre__write_data(void *base, const struct gyre_geometry *geometry);
void gyre__write_ctrl(void *base, const struct gyre_geometry *geometry);
void gyre__write_magic(void *base, uint64_t magic);

/*
 * Judges foreign bytes: nothing outside [base, base + size) is read, each word once.  OK fills the
 * geometry; NOT_FOUND: no magic yet; BAD_LAYOUT with error->field.
 */
enum gyre_status gyre__judge_data(const void *base, uint64_t size, struct gyre_geometry *geometry,
                                  struct gyre_error *error);
enum gyre_status gyre__judge_ctrl(const void *base, uint64_t size,
                                  const struct gyre_geometry *geometry, struct gyre_error *error);

/* A call that found a culprit among arguments, options or the fields of a map. */
enum gyre_status gyre__blame(struct gyre_error *error, enum gyre_status status, const char *field);

/* ring.c: open and close, shared by producers, consumers and inspection */
enum gyre_status gyre__ring_obtain(struct gyre_ring *ring, const char *name,
                                   const struct gyre_ring_options *options,
                                   struct gyre_error              *error);
enum gyre_status gyre__ring_join(struct gyre_ring *ring, const struct sync_place *place,
                                 struct gyre_error *error);
enum gyre_status gyre__ring_look(struct gyre_ring *ring, const struct sync_place *place,
                                 bool with_ctrl, struct gyre_error *error);
void             gyre__ring_bind(struct gyre_ring *ring);
void             gyre__ring_list(struct gyre_ring *ring);
void             gyre__ring_close(struct gyre_ring *ring);

/* history.c: where frames begin */
void gyre__mark_write(struct gyre_ring *ring, uint32_t idx, const struct gyre_mark *mark);
bool gyre__mark_read(const struct gyre_ring *ring, uint32_t idx, struct gyre_mark *mark);

/*
 * The newest landmark and its index; the oldest one that is not overwritten; the last before
 * `seq`.
 */
bool gyre__mark_newest(const struct gyre_ring *ring, struct gyre_mark *mark, uint32_t *idx);
bool gyre__mark_oldest(const struct gyre_ring *ring, struct gyre_mark *mark);
bool gyre__mark_before(const struct gyre_ring *ring, uint64_t seq, struct gyre_mark *mark);

/*
 * Follows the frames from *mark until message `seq` or the end of what is published.  False: it met
 * bytes that are no frame, because they were overwritten meanwhile or the ring is corrupt.
 */
bool gyre__mark_walk(const struct gyre_ring *ring, struct gyre_mark *mark, uint64_t seq);

/* A producer whose horizon runs away makes each walk vain; it stops us after so many laps. */
#define GYRE_WALK_LAPS 4u

/*
 * What the header says of a frame expected at a mark.  It is loaded once: `payload_size`, unless it
 * is NULL, gets the size that was judged, as `frame_size` does with header and padding.
 */
enum gyre_frame { GYRE_FRAME_NONE, GYRE_FRAME_MESSAGE, GYRE_FRAME_PAD, GYRE_FRAME_BAD };
enum gyre_frame gyre__frame_judge(const struct gyre_ring *ring, const struct gyre_mark *at,
                                  uint64_t *frame_size, uint32_t *payload_size);

/* producer.c */
bool gyre__has_room(struct gyre_producer *producer, uint32_t size, uint64_t *need_pos);

bool gyre__seat_counts(const struct gyre_ring *ring, uint32_t idx, uint64_t control);
void gyre__count_eviction(struct gyre_ring *ring);

/* stall.c: takes the seats of those who stalled.  True if there may be room now. */
bool     gyre__evict_stalled(struct gyre_producer *producer, uint64_t need_pos, uint64_t now_ns);
uint64_t gyre__stall_slice_ns(const struct gyre_producer *producer);

/* watch.c: deaths are told at once, by another thread */
enum gyre_status gyre__watch_consumers(struct gyre_producer *producer, uint32_t watch,
                                       struct gyre_error *error);
enum gyre_status gyre__watch_producer(struct gyre_consumer *consumer, struct gyre_error *error);
bool             gyre__is_told(const struct gyre_consumer *consumer);

/* The epoch whose producer this consumer would have to be told dead; 0: none. */
uint32_t gyre__watched_epoch(const struct gyre_consumer *consumer);

/* room.c: true if `wanted` reliable consumers are there and alive.  A call for each seat taken. */
bool gyre__has_consumers(struct gyre_producer *producer, uint32_t wanted);

/* seat.c */

/* Takes a seat (a tap needs none) and goes to the start position. */
enum gyre_status gyre__seat_join(struct gyre_consumer               *consumer,
                                 const struct gyre_consumer_options *options,
                                 struct gyre_error                  *error);
void             gyre__seat_leave(struct gyre_consumer *consumer);

/* What a start at a number came to: a gap, or BAD_ARGUMENT if it is not published yet. */
enum gyre_status gyre__seat_check_start(struct gyre_consumer               *consumer,
                                        const struct gyre_consumer_options *options,
                                        struct gyre_error                  *error);

/*
 * Puts the cursor where `start` says, but not before `was_at`, unless that is NULL.  CORRUPT: there
 * are no landmarks, or the bytes there are no frames.  TIMEOUT: the producer, if it is one, was
 * faster each time; the cursor is on a frame that is overwritten.
 */
enum gyre_status gyre__seat_go_to(struct gyre_consumer *consumer, enum gyre_start start,
                                  uint64_t seq, const struct gyre_mark *was_at);

/* What gyre_peek polls: the ring, or a header that stays zero. */
void gyre__seat_show(struct gyre_consumer *consumer);
void gyre__seat_hide(struct gyre_consumer *consumer);

/* True if bytes at or after `pos` may have been overwritten. */
bool gyre__is_overwritten(const struct gyre_consumer *consumer, uint64_t pos);

/* Bytes that it holds may be gone.  False for members of groups, which look for themselves. */
bool gyre__is_overrun(const struct gyre_consumer *consumer);

/* consumer.c */

/* Opens the ring at a place, of which the options say more. */
enum gyre_status gyre__consumer_open_at(struct sync_place                  *place,
                                        const struct gyre_consumer_options *given,
                                        struct gyre_consumer **consumer, struct gyre_error *error);

/* True if there is something at the next position.  No system call, no side effect. */
bool gyre__is_ready(const struct gyre_consumer *consumer);

/* Counts a gap of so many messages.  GAP. */
enum gyre_status gyre__tell_gap(struct gyre_consumer *consumer, uint64_t count);

/* OK: peek has a message.  TIMEOUT: nothing to tell.  Anything else is what gyre_wait returns. */
enum gyre_status gyre__consumer_poll(struct gyre_consumer *consumer);

/* sleep.c and room.c: what both waiting sides share */
#define GYRE_PAUSES_MAX 32u
#define GYRE_SHORT_SLICE_NS UINT64_C(1000000)
#define GYRE_LONG_SLICE_NS UINT64_C(100000000)
#define GYRE_SETTLE_NS UINT64_C(10000) /* for a store to reach memory, with a margin */

extern uint64_t gyre__ring_grace_ns; /* a ring may be under way so long: tests; else 0 */

bool     gyre__take_interrupt(struct gyre_ring *ring);
void     gyre__let_settle(void);
uint64_t gyre__slice_ns(uint32_t idx);

/*
 * The steps of a consumer's sleep (E3): say it, for one or several consumers; call the remote
 * barrier once; ask each how long it may sleep; look once more; sleep; take it back.
 */
void     gyre__say_asleep(struct gyre_consumer *consumer);
bool     gyre__barrier(void);
uint64_t gyre__sleep_limit_ns(struct gyre_consumer *consumer, bool is_barrier_done);
void     gyre__say_awake(struct gyre_consumer *consumer);
void     gyre__end_sleep(struct gyre_consumer *consumer, enum sync_wake woken);
void     gyre__end_slices(struct gyre_consumer *consumer); /* when the whole wait is over */
bool     gyre__must_look(const struct gyre_consumer *consumer);
uint64_t gyre__tap_limit_ns(struct gyre_consumer *consumer);

/*
 * One sleep.  True if the producer was found dead.  `is_due`: at the deadline a message is due, so
 * one that is there by then was not missed.
 */
bool gyre__sleep(struct gyre_consumer *consumer, uint64_t deadline_ns, bool is_due);

/*
 * A blocked producer hopes for more room than it needs.  All that we are going to free for now is
 * free, so it shall look whether that is enough.
 */
void gyre__ring_if_blocked(struct gyre_consumer *consumer);

/* Gives the consumer's bell a handle.  UNSUPPORTED for taps, and for sealed rings on Linux. */
enum gyre_status gyre__make_pollable(struct gyre_consumer *consumer, struct gyre_error *error);

/* Counts a sleep, and one whose slice ended although there was data. */
void gyre__count_sleep(struct gyre_consumer *consumer);
void gyre__count_missed(struct gyre_consumer *consumer);

/* OK, or what gyre_wait has to say of a producer found dead. */
enum gyre_status gyre__tell_death(struct gyre_consumer *consumer, uint32_t epoch);

static inline uint64_t gyre__sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* wake.c */
void gyre__wake_all(struct gyre_producer *producer);

/* Wakes up to `count` sleeping members. */
void gyre__wake_group(struct gyre_producer *producer, uint32_t group_idx, uint32_t count);

/* Ends the fence mode of E3 once nobody is left who needs it. */
void gyre__relax_fence(struct gyre_producer *producer);

/* Rings the producer's bell, unless it is ringing already. */
void gyre__ring_room(struct gyre_ring *ring);

/* recover.c */

/* Frees the seat if its holder is dead.  True if it is free now. */
bool gyre__evict_if_dead(struct gyre_ring *ring, uint32_t seat_idx);

/*
 * The same with all seats, or with a group's alone, but for that of the one who asks.  A system
 * call each.  True if a dead holder was found.
 */
bool gyre__clear_dead(struct gyre_ring *ring, const struct gyre_shared_seat *own,
                      const struct gyre_shared_group *group);

/* A producer that waits: is whoever holds it back dead?  True if there may be room now. */
bool gyre__recover_slowest(struct gyre_producer *producer);

/* Takes the seat from this occupant.  False: it had lost it already. */
bool gyre__evict(struct gyre_ring *ring, uint32_t seat_idx, uint64_t control);

/* Finds the end of what earlier producers published, and continues there. */
enum gyre_status gyre__take_over(struct gyre_producer *producer, struct gyre_error *error);

/* True if the producer of `epoch` died and nobody has told this consumer yet.  A system call. */
bool gyre__is_orphaned(const struct gyre_consumer *consumer, uint32_t epoch);

#endif
