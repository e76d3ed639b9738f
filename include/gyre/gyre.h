/*
 * gyre.h - the public API, in reading order: options, lifecycle, messages, waiting, inspection.
 *
 * A ring is a named piece of shared memory that carries messages from one producer at a time to any
 * number of consumers, in order and without copies.  Each handle belongs to one thread at a time;
 * only the interrupt calls may come from another thread or from a signal handler.
 *
 *     producer:  claim -> write -> publish            consumer:  wait -> peek -> read -> release
 *
 * Times are absolute, in nanoseconds of gyre_now_ns(): 0 has always passed (so a wait polls once),
 * GYRE_FOREVER never comes.  From claim to release there is no lock, no allocation and no system
 * call, except the one that wakes a sleeping consumer or a producer that waits for room.
 *
 * Compiles as C11 and as C++17 and includes no header of an operating system.
 */
#ifndef GYRE_GYRE_H
#define GYRE_GYRE_H

#include <stddef.h>
#include <stdint.h>

#include <gyre/inspect.h>
#include <gyre/status.h>

#define GYRE_VERSION_MAJOR 0
#define GYRE_VERSION_MINOR 1
#define GYRE_VERSION_PATCH 0
#define GYRE_VERSION_STRING "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#define GYRE_FOREVER UINT64_MAX

struct gyre_producer;
struct gyre_consumer;

/* The version of the library that runs, which may differ from GYRE_VERSION_STRING. */
GYRE_API const char *gyre_version(void);

/* Monotonic time in nanoseconds, the same clock for every process of the machine. */
GYRE_API uint64_t gyre_now_ns(void);

/*
 * How a handle waits once there is nothing to do.  `spin_ns` says how long it spins before a sleep.
 * A value other than zero is kept, and no timer is set: for a producer and a consumer that must not
 * spin on one processor.  With zero, the default, the spin adapts: it doubles after each wait, up
 * to 20 us, but halves after one that took over 320 us or came to nothing, down to 1 us.
 *
 * With zero the wait also keeps a steady pace, of one message every 0.1 ms to 1 s: a timer ends the
 * sleep before the next message is due, and the wait spins for it instead of being woken.  That
 * spin takes up to a sixteenth of the interval, but 10 us at least and 100 us at most; up to a
 * quarter, or 250 us, where the timer is not as late as usual.  It does not change the spin before
 * a sleep.  Only gyre_wait and gyre_recv do so, for consumers that are neither taps nor members.
 */
enum gyre_wait_strategy {
    GYRE_WAIT_SPIN_THEN_SLEEP = 0, /* spin for a while (`spin_ns`), then sleep: the default */
    GYRE_WAIT_SPIN = 1,            /* never sleep: the lowest latency, one whole core */
    GYRE_WAIT_SLEEP = 2            /* sleep at once: the least CPU */
};

/* gyre_ring_options.flags */
enum {
    /*
     * Every publish fences before it looks for sleepers (x86: a locked instruction, some 25 ns).
     * Linux does not need it.  Windows has no remote barrier: a consumer that is about to sleep
     * gives the producer's store 10 us to arrive.  If the producer's processor stands still for
     * longer just then, the consumer wakes at the end of a slice, some 2 ms late; with this flag
     * that cannot happen.  Releases, which wake a producer that waits for room, have no such flag.
     */
    GYRE_STRICT_WAKE = 1,
    /*
     * The ring stays when its last process is gone, until gyre_ring_remove or a reboot.  Without it
     * the last process to close removes the ring, as Windows always does.  Windows: UNSUPPORTED.
     */
    GYRE_KEEP = 2,
    /*
     * The ring has no name that others could open or guess, and always is a new one: its consumers
     * are those to whom gyre_ring_share gave it, of whatever user.  `name` is for people.  It ends
     * with its producer; there is no takeover.  What it is made of can be neither cut short nor,
     * but by its producer, written to, whatever its consumers do; nor is there anything to remove.
     * Linux: 5.1 or newer, `mode` and `owner_group` zero, consumers without gyre_consumer_handle.
     */
    GYRE_SEALED = 4
};

/* Where a ring's name is known.  Linux: always on the whole machine, or wherever GYRE_DIR is. */
enum gyre_scope {
    GYRE_SCOPE_LOCAL = 0, /* Windows: in this session: Local\ */
    GYRE_SCOPE_GLOBAL = 1 /* Windows: in all sessions: Global\; creation needs a privilege */
};

/* How soon a death is noticed. */
enum gyre_watch {
    GYRE_WATCH_SLICES = 0, /* Linux: within some 100 ms.  Windows: at once */
    /*
     * Linux: at once, by a thread of the library for each handle, which sleeps meanwhile and takes
     * no signals.  It also makes the handle of an event loop readable.  Costs a thread and an
     * inotify instance (NO_MEMORY if there is none), and some milliseconds at the close.
     */
    GYRE_WATCH_THREAD = 1
};

/*
 * What gyre_producer_open takes.  Start from GYRE_RING_OPTIONS_INIT, so that `size` is right and
 * all else is zero.  Zero means: the default for a new ring, or whatever an existing ring has.
 */
struct gyre_ring_options {
    uint32_t size;        /* sizeof(struct gyre_ring_options) */
    uint32_t frame_align; /* 8, 16, 32 or 64 (default): each message takes a multiple of it */
    uint64_t capacity;    /* bytes, a power of two from 4096 to 2^40; default 4 MiB */
    uint32_t seat_count;  /* 1 to 255 seats for consumers; default 63 */
    uint32_t flags;       /* GYRE_STRICT_WAKE, GYRE_KEEP, GYRE_SEALED */
    uint32_t wait;      /* enum gyre_wait_strategy, of gyre_send and gyre_producer_wait_consumers */
    uint32_t spin_ns;   /* how long to spin before a sleep; 0: it adapts */
    uint64_t first_pos; /* where positions of a new ring begin, a multiple of the capacity */
    /*
     * Who else may use a new ring; by default nobody.  Others never publish to it or remove it.
     *
     * Linux: `mode` has the bits of chmod.  0600 (default): its owner alone.  04 for the group or
     * for all others (0640, 0644): they may tap.  06 for the group (0660): it may also take seats.
     * Nothing depends on the umask.  Whatever others may do, the directory gets mode 0711.
     * `owner_group`: a group's name or number; NULL: the group of this process.
     *
     * Windows: `sddl` is a security descriptor as text, such as "D:(A;;GR;;;AU)".  GR: may tap; GA:
     * may also take a seat.  The owner and the system have all rights in any case.
     *
     * UNSUPPORTED where the other system's option is not zero.
     */
    uint32_t    mode;
    uint32_t    scope; /* enum gyre_scope */
    const char *owner_group;
    const char *sddl;
    /*
     * A standby: while another producer holds the ring, wait until this time for it to die or to
     * close, and go on behind its last message; of several exactly one does.  0: BUSY at once.
     */
    uint64_t open_deadline_ns;
    /*
     * How long a reliable consumer, a member of a group or a group may hold this producer back
     * without reading on, though its process lives (stopped, in a debugger, hung); then it loses
     * its seat and is told EVICTED; what a member had claimed is lost to its group (lost_count).
     * Counted while the producer waits or tries to claim.  At least 1 ms; 0: for ever.
     */
    uint64_t stall_timeout_ns;
    uint32_t watch; /* enum gyre_watch: a wait for room ends at the death of who held it up */
    uint32_t zero;
};
#define GYRE_RING_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(struct gyre_ring_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0        \
    }

enum gyre_consumer_kind {
    GYRE_RELIABLE = 0, /* holds the producer back; loses nothing */
    GYRE_LOSSY = 1,    /* never holds it back; told exactly how many messages it lost */
    GYRE_TAP = 2 /* as lossy, but maps DATA read-only and nothing else: unseen, sleeps by timer */
};

enum gyre_start {
    GYRE_START_NEWEST = 0, /* the first message published after the open */
    GYRE_START_OLDEST = 1, /* the oldest message still in the ring */
    GYRE_START_SEQ = 2     /* message number start_seq; a GAP is reported if it is gone already */
};

enum gyre_on_gap {
    GYRE_RESUME_OLDEST = 0, /* after a gap go on with the oldest message still in the ring */
    GYRE_RESUME_NEWEST = 1  /* skip everything up to the newest */
};

/* What gyre_consumer_open takes.  Start from GYRE_CONSUMER_OPTIONS_INIT; zero is the default. */
struct gyre_consumer_options {
    uint32_t size;   /* sizeof(struct gyre_consumer_options) */
    uint32_t kind;   /* enum gyre_consumer_kind */
    uint32_t start;  /* enum gyre_start */
    uint32_t on_gap; /* enum gyre_on_gap */
    uint64_t start_seq;
    uint32_t wait;             /* enum gyre_wait_strategy */
    uint32_t spin_ns;          /* how long to spin before a sleep; 0: it adapts */
    uint64_t open_deadline_ns; /* wait until this time for the ring to appear; 0: not at all */
    /*
     * Whose ring it is, if not this user's own: on Linux a user's name or number, and the ring is
     * looked for in /dev/shm/gyre-NUMBER unless GYRE_DIR is set; on Windows a SID, "S-1-5-...".
     * Whom you name here you trust not to cut the ring's memory short.  The rings of root, and on
     * Windows of the system and the administrators, need no such trust.
     */
    const char *owner;
    uint32_t    scope;       /* enum gyre_scope */
    uint32_t    group_flags; /* GYRE_GROUP_KEEP */
    const char *group;       /* NULL, or the name of a work-sharing group to be a member of */
    uint32_t    claim_count; /* a member: up to so many messages at once are its own; default 1 */
    uint32_t    watch; /* enum gyre_watch: a wait ends at the producer's death.  Not for taps */
};
#define GYRE_CONSUMER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(struct gyre_consumer_options), 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, NULL, 0, 0          \
    }

/*
 * Work-sharing groups.  Consumers that open the same group of a ring share it: each message goes to
 * exactly one member.  The first to open a group makes it and says where it starts; `kind` says
 * whether the group holds the producer back (GYRE_RELIABLE) or not (GYRE_LOSSY).  Names are like
 * those of rings, with 1 to 31 characters.  Groups, other consumers and taps live side by side.
 *
 * What a member has claimed is its own until gyre_release.  When it closes before that, or dies,
 * another member gets it, and gyre_consumer_is_redelivered says so: it may have been worked on
 * before.  Nothing else is ever delivered twice, and nothing is left out.  gyre_peek claims up to
 * claim_count messages at once and returns them one by one; it returns NULL behind the last until
 * they are released.  A member is told CLOSED when the whole group is done: until then it may be
 * needed for what another one leaves.
 *
 * A group ends with its last member: when that closes, or when all are dead and the producer wants
 * their room.  With GYRE_GROUP_KEEP it stays, and holds the producer back, until a member comes.
 */
enum { GYRE_GROUP_KEEP = 1 };

/*
 * Opens the ring `name` for writing and creates it if there is none.  Names have 1 to 100 of the
 * characters A-Z a-z 0-9 . _ - and do not begin with a dot or a dash.  `options` may be NULL.
 * `error` may be NULL.  May sleep for moments while another process creates or removes the ring.
 *
 * If an earlier producer died, this one goes on behind the last message it published; if it closed,
 * likewise.  Fails with BAD_ARGUMENT (error.field says which), BUSY while a living process holds
 * the producer's role (TIMEOUT if it did until options->open_deadline_ns), EXISTS if the ring has
 * another value of a non-zero option, BAD_LAYOUT, CORRUPT (an earlier producer's messages cannot be
 * followed to their end), DENIED, NO_MEMORY (all memory is committed here, never later),
 * UNSUPPORTED, SYSTEM.
 */
GYRE_API enum gyre_status gyre_producer_open(const char                     *name,
                                             const struct gyre_ring_options *options,
                                             struct gyre_producer          **producer,
                                             struct gyre_error              *error);

/*
 * Gives up what was claimed and not published, tells the consumers that nothing more will come, and
 * frees the handle.  NULL is allowed.
 */
GYRE_API void gyre_producer_close(struct gyre_producer *producer);

/*
 * Opens the ring `name` for reading; never creates it.  `options` and `error` may be NULL.  Sleeps
 * until the ring appears if options->open_deadline_ns says so.  Fails with NOT_FOUND, TIMEOUT (it
 * did not appear), NO_SEAT (error.field is "seat_count", or "group" if the ring has GYRE_GROUPS_MAX
 * groups already), EXISTS (the group has another "kind" or other "group_flags"), BAD_ARGUMENT,
 * BAD_LAYOUT, CORRUPT (no message to start at can be found), DENIED, NO_MEMORY, UNSUPPORTED (a
 * group, on a 32-bit machine), SYSTEM.
 */
GYRE_API enum gyre_status gyre_consumer_open(const char                         *name,
                                             const struct gyre_consumer_options *options,
                                             struct gyre_consumer              **consumer,
                                             struct gyre_error                  *error);

/*
 * Sealed rings (GYRE_SEALED).  gyre_ring_share gives the ring to another process, which opens it by
 * gyre_consumer_adopt: as GYRE_TAP alone, if `kind` says so (it gets nothing that it could write
 * to), else as any kind.  One share is one open.  Never sleeps.
 *
 * Linux: `to` is a Unix socket, connected to that process, of any type; the ring takes one message
 * of 16 bytes on it, and `ticket` receives -1.  The other side passes its end as `from`.
 * Windows: `to` is a handle of that process with the right PROCESS_DUP_HANDLE, and SYNCHRONIZE if
 * it is to be told that the process is dead; `ticket` receives a number that has to be brought to
 * it by whatever means, and is its `from`.  A process of another user also needs rights by `sddl`;
 * handles of all but DATA are opened by names nobody can guess.
 *
 * BUSY (the socket is full, or this user has too many descriptors on their way: again later),
 * CLOSED, a positive number, with error.field "to" (the other side of the socket is closed, or the
 * process is dead), UNSUPPORTED (the ring is not sealed: error.field is "producer"), FORKED,
 * BAD_ARGUMENT, DENIED, NO_MEMORY, SYSTEM.
 */
GYRE_API enum gyre_status gyre_ring_share(struct gyre_producer   *producer,
                                          enum gyre_consumer_kind kind, intptr_t to,
                                          intptr_t *ticket, struct gyre_error *error);

/*
 * Opens what gyre_ring_share gave, as gyre_consumer_open does.  Sleeps until it has come if
 * options->open_deadline_ns says so.  On Linux the socket stays the caller's; a ticket is used up,
 * whatever the outcome.  `owner` must be NULL.  Also fails with NOT_FOUND or TIMEOUT (nothing has
 * come), CLOSED (the other end of the socket is), BAD_LAYOUT with error.field "from" (something
 * else came), DENIED with "ctrl" (what came is for a tap).
 */
GYRE_API enum gyre_status gyre_consumer_adopt(intptr_t                            from,
                                              const struct gyre_consumer_options *options,
                                              struct gyre_consumer              **consumer,
                                              struct gyre_error                  *error);

/* Gives the seat back and frees the handle.  NULL is allowed. */
GYRE_API void gyre_consumer_close(struct gyre_consumer *consumer);

/* The largest message the ring can carry: half the capacity less 8 bytes, at most 2^30 - 8. */
GYRE_API uint32_t gyre_producer_max_size(const struct gyre_producer *producer);
GYRE_API uint32_t gyre_consumer_max_size(const struct gyre_consumer *consumer);

/* gyre_claim, gyre_publish, gyre_peek, gyre_release: inline here, exported too; and runs. */
#ifdef __cplusplus
}
#endif
#include <gyre/fast.h>
#ifdef __cplusplus
extern "C" {
#endif

/*
 * Sends one message: waits for room until the deadline, copies, publishes all that is claimed.
 * TIMEOUT: nothing was claimed or sent.  TOO_LARGE likewise.  INTERRUPTED, FORKED.
 */
GYRE_API enum gyre_status gyre_send(struct gyre_producer *producer, const void *message,
                                    uint32_t size, uint64_t deadline_ns);

/*
 * Waits until gyre_claim(producer, size) can succeed.  OK, TIMEOUT, TOO_LARGE, INTERRUPTED, FORKED.
 * What is claimed but not published still takes room.
 */
GYRE_API enum gyre_status gyre_wait_room(struct gyre_producer *producer, uint32_t size,
                                         uint64_t deadline_ns);

/*
 * Waits until at least `count` reliable consumers have joined.  OK, TIMEOUT, INTERRUPTED, FORKED.
 */
GYRE_API enum gyre_status gyre_producer_wait_consumers(struct gyre_producer *producer,
                                                       uint32_t count, uint64_t deadline_ns);

/*
 * Waits until gyre_peek has a message: OK.  Other outcomes, each after everything before it was
 * received: TIMEOUT; GAP (gyre_consumer_gap says how many were lost; the next peek is behind the
 * gap); CLOSED (again at each call, until a new producer opens the ring); ORPHANED (once for each
 * producer that dies); EVICTED; INTERRUPTED.  Errors: CORRUPT (gyre_consumer_pos says where),
 * FORKED.  For a member of a group OK means that a message is its own; BAD_ARGUMENT: all it has
 * claimed was peeked and must be released first.
 */
GYRE_API enum gyre_status gyre_wait(struct gyre_consumer *consumer, uint64_t deadline_ns);

/*
 * Waits for one message and copies it to `buffer`.  `size` receives its size.  TOO_LARGE: it has
 * more than `capacity` bytes; `size` receives its size and the message stays.  A lossy consumer or
 * a tap never gets a message that was being overwritten.  Otherwise as gyre_wait.  Releases the
 * message, and whatever was peeked before.
 */
GYRE_API enum gyre_status gyre_recv(struct gyre_consumer *consumer, void *buffer, uint32_t capacity,
                                    uint32_t *size, uint64_t deadline_ns);

/*
 * Waits until one of `count` consumers, of any rings, has something to tell, and says in `*which`
 * whose index that is: OK if gyre_peek has a message there, else what gyre_wait would have returned
 * for it (CLOSED again at each call: take that one out of the array).  TIMEOUT if none has,
 * `*which` is left alone.  Who is looked at first changes from call to call, so a busy ring starves
 * none.  The array may differ from call to call; the wait strategy is that of its first consumer.
 * Beyond 128 consumers on Linux (or beyond one where the kernel lacks futex_waitv) each needs a
 * descriptor, as gyre_consumer_handle does; those of sealed rings can have none, so there the call
 * looks each millisecond whether they were woken.  Beyond 63 on Windows threads wait.
 * BAD_ARGUMENT: no array, no `which`, a NULL or a consumer that stands in it twice; NO_MEMORY.
 */
GYRE_API enum gyre_status gyre_wait_any(struct gyre_consumer *const *consumers, uint32_t count,
                                        uint64_t deadline_ns, uint32_t *which);

/*
 * A handle for an event loop: on Linux a descriptor for poll, epoll, io_uring or libuv, on Windows
 * the HANDLE of an event for MsgWaitForMultipleObjectsEx, RegisterWaitForSingleObject and the like.
 * It belongs to the consumer and is closed with it; do not read from it or reset it.  It becomes
 * readable or signalled once after each gyre_consumer_arm that returned TIMEOUT.  UNSUPPORTED for
 * taps, which nobody can wake, and on Linux for sealed rings; NOT_FOUND if the ring was removed by
 * force; BAD_ARGUMENT, FORKED, NO_MEMORY, DENIED, SYSTEM.
 */
GYRE_API enum gyre_status gyre_consumer_handle(struct gyre_consumer *consumer, intptr_t *handle,
                                               struct gyre_error *error);

/*
 * Looks for a message, as gyre_wait with deadline 0 does; if there is none, arms the handle, so
 * that the next message makes it readable.  Call it before each sleep of the loop.  TIMEOUT: armed,
 * sleep, but arm again by `*rearm_ns` (absolute): GYRE_FOREVER where the wake-up is certain (Linux
 * with membarrier, the usual case), else the end of a slice (Windows, sandboxes).  OK and the other
 * outcomes of gyre_wait: not armed, do not sleep.  An armed handle tells of a producer's death
 * (ORPHANED) if the consumer has GYRE_WATCH_THREAD, on Linux.  Costs some microseconds; never
 * sleeps.
 */
GYRE_API enum gyre_status gyre_consumer_arm(struct gyre_consumer *consumer, uint64_t *rearm_ns);

/*
 * Ends the wait that runs on this handle, or the next one, with INTERRUPTED.  From any thread and
 * from a signal handler, while the handle is open.
 */
GYRE_API void gyre_producer_interrupt(struct gyre_producer *producer);
GYRE_API void gyre_consumer_interrupt(struct gyre_consumer *consumer);

/* The number of messages lost in the last gap, and in all gaps since the open. */
GYRE_API uint64_t gyre_consumer_gap(const struct gyre_consumer *consumer);
GYRE_API uint64_t gyre_consumer_lost(const struct gyre_consumer *consumer);

/*
 * The number of the next message that gyre_peek returns, or that gyre_claim makes.  The first is
 * 0.
 */
GYRE_API uint64_t gyre_consumer_seq(const struct gyre_consumer *consumer);
GYRE_API uint64_t gyre_producer_seq(const struct gyre_producer *producer);

/*
 * A member of a group: 1 if the message that gyre_peek or gyre_recv returned last was another
 * member's before, which did not release it; 0 if it is new.  0 for other consumers.
 */
GYRE_API int gyre_consumer_is_redelivered(const struct gyre_consumer *consumer);

/*
 * Where that message begins or will begin, in bytes since the ring was created: after CORRUPT,
 * where the bytes are that are no frame.
 */
GYRE_API uint64_t gyre_consumer_pos(const struct gyre_consumer *consumer);

/* How many producers have opened the ring so far. */
GYRE_API uint32_t gyre_consumer_epoch(const struct gyre_consumer *consumer);

#ifdef __cplusplus
}
#endif

#endif
