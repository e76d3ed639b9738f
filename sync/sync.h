/*
 * sync.h - the contract with the operating system.
 *
 * It knows named places, memory, bells, leases, clocks; it knows no ring and no layout.  sync/linux
 * and sync/win32 keep the same promises in files of the same names; tests/unit/test_sync.c proves
 * them on both.  Every system call goes through the table in calls.h of its side, so that a test
 * can make each one fail.
 *
 * Functions return a gyre_status and fill `error` (never NULL here) with the failing call and its
 * code when the status is negative.  Unless it is said, a function may be called from any thread
 * and does not sleep.
 */
#ifndef GYRE_SYNC_H
#define GYRE_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gyre/status.h>

#ifndef GYRE_FAULT /* the tests put their faults here */
#define GYRE_FAULT(name) ((void)0)
#endif
#ifndef GYRE_FAULT_FAILS
#define GYRE_FAULT_FAILS(name) 0
#endif

/* Records a failure and returns its status. */
enum gyre_status sync_fail(struct gyre_error *error, enum gyre_status status, int32_t os_code,
                           const char *call);

/*
 * site: the named place where the objects of one ring live.
 *
 * Linux: NAME.data, NAME.ctrl and NAME.lock in $GYRE_DIR or else /dev/shm/gyre-UID, a directory of
 * mode 0700, or 0711 once others may read a ring there.  Windows: Local\Gyre.NAME (DATA),
 * Local\Gyre.NAME!init (the site's lock) and, once the site is identified, Local\Gyre.ID!ctrl and
 * its like, where ID is 32 hexadecimal digits that nobody can guess.
 */
struct sync_site;

enum sync_site_mode {
    SYNC_SITE_CREATE, /* makes what is missing: directory, lock file, init mutex */
    SYNC_SITE_JOIN,   /* NOT_FOUND if there is no such site */
    SYNC_SITE_LOOK    /* as JOIN, with read rights only: no lock, no attach, no lease */
};

/*
 * Which site, and who may use the objects that are made there.  The strings are read by the call
 * that takes the place and not kept.  All but the name may be zero: this user alone.
 */
struct sync_place {
    const char *name;      /* has been checked */
    const char *owner;     /* whose site, if not ours: Linux: a user; Windows: a SID */
    const char *group;     /* Linux: the group of new objects */
    const char *sddl;      /* Windows: the rights to new objects */
    uint32_t    mode;      /* Linux: 04: may read DATA; 020: may lock and write CTRL */
    bool        is_global; /* Windows: Global\ instead of Local\ */
    /*
     * A sealed site has no name that anybody could guess: CREATE makes a new one, JOIN and LOOK
     * take what sync_site_share gave.  NOT_FOUND: nothing has been given yet.
     */
    bool     is_sealed;
    intptr_t from; /* JOIN and LOOK: Linux: a Unix socket, which stays open; Windows: the ticket */
};

/* DENIED, NOT_FOUND, NO_MEMORY, BAD_ARGUMENT and UNSUPPORTED with error->field, SYSTEM. */
enum gyre_status sync_site_open_at(const struct sync_place *place, enum sync_site_mode mode,
                                   struct sync_site **site, struct gyre_error *error);

static inline enum gyre_status sync_site_open(const char *name, enum sync_site_mode mode,
                                              struct sync_site **site, struct gyre_error *error)
{
    struct sync_place place = {.name = name};

    return sync_site_open_at(&place, mode, site, error);
}

/*
 * Frees the site and all it holds: lock, attachment, leases.  Removes nothing.  NULL is allowed.
 * Nothing but this may be called in the child of a fork, which holds nothing.
 */
void sync_site_close(struct sync_site *site);

/*
 * Holds everybody else off while a ring is created, joined or removed; freed by the holder's death.
 * May sleep for as long as another process creates a ring.  NOT_FOUND: the site was removed in the
 * meantime (only in mode JOIN).
 */
enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error);
void             sync_site_unlock(struct sync_site *site);

/*
 * The same for one who is attached, whether or not the ring still has its name.  BUSY: `is_waiting`
 * is false, and somebody else has it.
 */
enum gyre_status sync_site_hold(struct sync_site *site, bool is_waiting, struct gyre_error *error);

/* Tells the ring's identity, from which Windows makes the names of all objects but DATA. */
enum gyre_status sync_site_identify(struct sync_site *site, const uint64_t ring_id[2],
                                    struct gyre_error *error);

/* Counts this handle among those that have the ring open, until leave, close or death.  Locked. */
enum gyre_status sync_site_attach(struct sync_site *site, struct gyre_error *error);

/*
 * Ends the attachment; if it was the last one and `is_kept` is false, removes the ring.  Takes the
 * site's lock itself.  Windows removes rings by itself.
 */
void sync_site_leave(struct sync_site *site, bool is_kept);

/* True if a ring can stay when its last process is gone; Windows removes it then. */
bool sync_site_can_keep(void);

/*
 * After a failed creation: removes what this handle made (a lock file without a ring), if nobody
 * else has use for it.  Takes the site's lock itself.
 */
void sync_site_discard(struct sync_site *site);

/*
 * Removes the ring's names.  BUSY while somebody is attached, unless forced; NOT_FOUND.  Takes the
 * site's lock itself.  Windows cannot remove: BUSY or NOT_FOUND.
 */
enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error);

/* True if the ring still has its name: false once it was removed. */
bool sync_site_is_named(struct sync_site *site);

/* Calls visit(name) for each ring of this user until it returns non-zero.  DENIED, SYSTEM. */
enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error);

/*
 * litter: what processes that died have left in this user's directory of rings (Linux).
 */
enum sync_litter {
    SYNC_LITTER_RING,   /* by its name DATA, which nobody has open */
    SYNC_LITTER_FILE,   /* by its name part of a ring that is not there */
    SYNC_LITTER_BELL,   /* of a seat, `idx`, that nobody holds, in a ring that is there */
    SYNC_LITTER_FOREIGN /* no ring's, or of an owner or a kind that no ring would use */
};
struct sync_finding {
    enum sync_litter kind;
    const char      *ring; /* the name of the ring; empty for FOREIGN */
    const char      *file;
    uint32_t         idx;
    bool             is_unfinished; /* a FILE that was being built and never got its name */
    uint64_t         size;          /* of a FILE, and */
    uint64_t         magic;         /* its first eight bytes; 0: it has fewer */
};
enum gyre_status sync_litter_find(void (*visit)(const struct sync_finding *finding, void *context),
                                  void *context, struct gyre_error *error);

/*
 * Removes a FILE or a BELL, unless it has come to be of use since it was found.  True if it is
 * gone.
 */
bool sync_litter_remove(const struct sync_finding *finding);

/* The size of the file system for rings and what is free of it; UINT64_MAX: as large as memory. */
enum gyre_status sync_litter_space(uint64_t *size, uint64_t *free_size, struct gyre_error *error);

/*
 * birth: the wait for a ring to appear.  Open the birth, then try to open the ring, then wait: a
 * ring that appears after the open ends the wait at once.  Wait returns OK (look again; perhaps for
 * no reason) or TIMEOUT, and sleeps at most `deadline_ns`.
 */
struct sync_birth;
enum gyre_status sync_birth_open_at(const struct sync_place *place, struct sync_birth **birth,
                                    struct gyre_error *error);

static inline enum gyre_status sync_birth_open(const char *name, struct sync_birth **birth,
                                               struct gyre_error *error)
{
    struct sync_place place = {.name = name};

    return sync_birth_open_at(&place, birth, error);
}
enum gyre_status sync_birth_wait(struct sync_birth *birth, uint64_t deadline_ns);
void             sync_birth_close(struct sync_birth *birth);

/* map: one of the two shared objects of a ring, mapped as a whole. */
enum sync_object { SYNC_DATA, SYNC_CTRL };

struct sync_map {
    void    *base; /* page-aligned; NULL: not mapped */
    uint64_t size; /* what is mapped: at least what was asked for at creation, in whole pages */
    intptr_t os;
};

/*
 * Opens the object for reading and writing, or makes it with `size` zero bytes, all committed: no
 * later access can fail for want of memory.  *is_new tells which (on Windows through
 * ERROR_ALREADY_EXISTS).  The site is locked.  NO_MEMORY, DENIED, BAD_LAYOUT (what has the name is
 * not such an object), SYSTEM.
 */
enum gyre_status sync_map_obtain(struct sync_site *site, enum sync_object object, uint64_t size,
                                 struct sync_map *map, bool *is_new, struct gyre_error *error);

/*
 * Gives a new object its name, replacing any other; until then Linux shows it to nobody.  The site
 * is locked.  Tells those who wait for the ring's birth if the object is DATA.
 */
enum gyre_status sync_map_publish(struct sync_site *site, enum sync_object object,
                                  struct sync_map *map, struct gyre_error *error);

/*
 * Takes the name from an object of which nothing is worth keeping, so that obtain makes a new one.
 * The site is locked.  Windows: such an object is gone with its last user.
 */
void sync_map_discard(struct sync_site *site, enum sync_object object);

/* Opens an existing object.  NOT_FOUND, DENIED, BAD_LAYOUT, NO_MEMORY, SYSTEM. */
enum gyre_status sync_map_open(struct sync_site *site, enum sync_object object, bool is_writable,
                               struct sync_map *map, struct gyre_error *error);

/*
 * Touches each page of the first SYNC_PREFAULT_LIMIT bytes of a map, for writing if it is writable,
 * so that no later access is a first one: where the system faults its pages in one by one (Windows;
 * a virtual machine with shadow page tables, where what MAP_POPULATE did does not count) that takes
 * microseconds a page, 57 ms in all at the worst seen.  What lies there stays as it is, whoever
 * else writes to it meanwhile.
 */
#define SYNC_PREFAULT_LIMIT (UINT64_C(64) << 20)
void sync_map_prefault(const struct sync_map *map, bool is_writable);

/* Unmaps; a map that is not mapped is allowed. */
void sync_map_close(struct sync_map *map);

/*
 * Gives a sealed site's objects to another process: all of them, or for a tap DATA alone, for
 * reading.  Nobody who has them can change their sizes, or write to DATA.  Linux: sends them
 * through the Unix socket `to`, connected; BUSY: it is full, or too many are on their way.
 * Windows: `to` is a process, open for PROCESS_DUP_HANDLE; *ticket is what that process opens the
 * site with.
 * CLOSED with field "to": nobody is there any more (Windows: known with SYNCHRONIZE).  DENIED,
 * NO_MEMORY, SYSTEM, UNSUPPORTED (this site is not sealed).
 */
enum gyre_status sync_site_share(struct sync_site *site, const struct sync_map *data,
                                 const struct sync_map *ctrl, intptr_t to, intptr_t *ticket,
                                 struct gyre_error *error);

/*
 * lease: a role held by one handle of one living process.  It ends by drop, by sync_site_close and
 * by the death of the process, and by nothing else: not by a thread's exit, not by SIGSTOP.  The
 * child of a fork holds none of its parent's, whatever other threads were doing meanwhile: they end
 * with the parent.
 */
#define SYNC_ROLE_PRODUCER 0u
#define SYNC_ROLE_SEAT(idx) (1u + (uint32_t)(idx)) /* idx 0 to 254 */
#define SYNC_ROLE_NONE UINT32_MAX

/* BUSY: another handle, of this process or another, holds the role.  DENIED, NO_MEMORY, SYSTEM. */
enum gyre_status sync_lease_take(struct sync_site *site, uint32_t role, struct gyre_error *error);
void             sync_lease_drop(struct sync_site *site, uint32_t role);

/*
 * True if nobody holds the role.  False in doubt, and false for a role this very site holds.  One
 * system call.
 */
bool sync_lease_is_free(struct sync_site *site, uint32_t role);

/*
 * Sleeps until the role may be free or the deadline: at once on Windows and where Linux has
 * inotify, elsewhere within 100 ms.  OK (try to take it; perhaps for no reason) or TIMEOUT.
 */
enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns);

/*
 * watch: to be told of deaths at once.  look(context) is called, in a thread of the watch, whenever
 * a process that had the ring open may have died, and for some 100 ms more: a lease may fall
 * a moment later.  The thread takes no signals.  Windows, where each wait ends at its peer's death,
 * has none: OK, and *watch is NULL.  The site is attached.  NO_MEMORY, DENIED, SYSTEM.
 */
struct sync_watch;
enum gyre_status sync_watch_open(struct sync_site *site, void (*look)(void *context), void *context,
                                 struct sync_watch **watch, struct gyre_error *error);

/* No look runs any more when it returns.  NULL is allowed. */
void sync_watch_close(struct sync_watch *watch);

/* In the child of a fork, which has no such thread.  Only close may follow. */
void sync_watch_abandon(struct sync_watch *watch);

/*
 * bell: a sticky wake-up for one waiter.  A ring before the wait ends the wait at once.
 */
struct sync_bell {
    uint32_t *word;    /* in shared memory, zero at first; Linux waits on it */
    void     *os;      /* Windows: the event */
    int       poll;    /* Linux: one more than the descriptor of the FIFO; 0: not pollable */
    bool      is_ours; /* Linux: nobody but sync_bell_wait_many looks at the FIFO */
};
#define SYNC_BELL_ROOM 0u
#define SYNC_BELL_SEAT(idx) (1u + (uint32_t)(idx))

/* The site is identified.  `which` names the bell on Windows.  NO_MEMORY, DENIED, SYSTEM. */
enum gyre_status sync_bell_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_bell *bell, struct gyre_error *error);
void             sync_bell_close(struct sync_bell *bell);

/*
 * Wakes the waiter, or lets its next wait return at once.  One system call; from signal handlers
 * too.
 */
void sync_bell_ring(struct sync_bell *bell);

/* Forgets earlier rings.  Only by the waiter, before it says that it is about to sleep. */
void sync_bell_clear(struct sync_bell *bell);

enum sync_wake { SYNC_RUNG, SYNC_TIMED_OUT, SYNC_PEER_GONE };

/*
 * Sleeps until the bell is rung, the deadline, or the death of whoever holds `peer_role` (or
 * SYNC_ROLE_NONE): at once on Windows, within 100 ms on Linux.  May return SYNC_RUNG for no reason,
 * for instance on a signal.  Uses no CPU meanwhile.
 */
enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns);

/*
 * Gives the bell a handle for an event loop: from now on a ring also makes it readable (Linux, a
 * descriptor) or signalled (Windows, the event), until the next clear.  The waiter does this first;
 * then whoever rings does it with a bell of its own, with `is_waiter` false.  The site removes what
 * it made with the ring.  NOT_FOUND: the ring lost its name.  NO_MEMORY, DENIED, SYSTEM.
 */
enum gyre_status sync_bell_make_pollable(struct sync_site *site, uint32_t which, bool is_waiter,
                                         struct sync_bell *bell, struct gyre_error *error);
intptr_t         sync_bell_handle(struct sync_bell *bell);

/*
 * Sleeps until one of the bells is rung or the deadline; SYNC_RUNG perhaps for no reason.  Uses no
 * CPU meanwhile, but where there are more than sync_bell_many_limit() bells and not all of them are
 * pollable: Linux looks at those each millisecond.
 */
enum sync_wake sync_bell_wait_many(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns);
uint32_t       sync_bell_many_limit(void);

/*
 * gate: a counting wake-up for a group: each permit lets one waiter through, whoever it is.
 */
struct sync_gate {
    uint32_t *word; /* in shared memory, zero at first; Linux counts there */
    void     *os;   /* Windows: the semaphore */
};
#define SYNC_GATE_PERMITS_MAX 255u

/* The site is identified.  `which` names the gate on Windows.  NO_MEMORY, DENIED, SYSTEM. */
enum gyre_status sync_gate_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_gate *gate, struct gyre_error *error);
void             sync_gate_close(struct sync_gate *gate);

/* Adds permits; more than SYNC_GATE_PERMITS_MAX are not kept.  One system call. */
void sync_gate_post(struct sync_gate *gate, uint32_t count);

/* How many permits nobody has taken yet. */
uint32_t sync_gate_permits(struct sync_gate *gate);

/*
 * Sleeps until it has taken a permit, its own bell is rung, the deadline, or a death, as
 * sync_bell_wait does.  SYNC_RUNG perhaps for no reason.
 */
enum sync_wake sync_gate_wait(struct sync_gate *gate, struct sync_bell *bell,
                              struct sync_site *site, uint32_t peer_role, uint64_t deadline_ns);

/* Rings the bell of one who may wait at a gate.  From signal handlers too. */
void sync_gate_ring_bell(struct sync_gate *gate, struct sync_bell *bell);

/*
 * barrier: makes every running thread of every registered process execute a full fence.
 * sync_barrier_exists: false: this system has no such thing, so sleep in slices (Windows).
 * sync_barrier_register: this process is reached from now on; false: it cannot be.
 * sync_barrier_remote: false: refused to this process.  Costs some microseconds.
 */
bool sync_barrier_exists(void);
bool sync_barrier_register(void);
bool sync_barrier_remote(void);

/* clock: monotonic, common to all processes; its deadlines are those of every wait above. */
uint64_t sync_clock_now_ns(void);
uint64_t sync_clock_wall_ns(void);                     /* since 1970 */
void     sync_clock_sleep_until(uint64_t deadline_ns); /* may return early on a signal */

/* host: what else the library asks of the system. */
enum gyre_status sync_host_random(uint64_t words[2], struct gyre_error *error);
uint32_t         sync_host_process_id(void);

/* One lock a process, for the list of its open handles; a fork leaves it free in the child. */
void sync_host_lock(void);
void sync_host_unlock(void);

/* Calls `in_child` in the child of every later fork, with the lock held.  Windows has no fork. */
void sync_host_on_fork(void (*in_child)(void));

/*
 * console: for the command.  Makes stdin and stdout carry bytes as they are, lets a write to a
 * closed pipe fail instead of ending the process.  First of all: a stream that was closed stays
 * one that fails, whatever is opened later.
 */
void sync_console_prepare(void);

/*
 * Calls `interrupted` (which must be safe in a signal handler) on Ctrl-C or a polite request to
 * end, and lets blocking reads of stdin end; a second one ends the process.
 */
void sync_console_on_interrupt(void (*interrupted)(void));

/*
 * Reads what stdin has now, at most `size` bytes; sleeps until there is something.  Positive:
 * bytes; 0: the end; -1: an error; -2: interrupted.
 */
int64_t sync_console_read(void *buffer, uint64_t size);

#endif
