/*
 * site.h - what the files of sync/win32 share with each other and with nobody else.
 *
 * Names.  A ring's name has only A-Z a-z 0-9 . _ - in it.  Every object but DATA has a '!' in its
 * name, so no ring, whatever it is called, can meet another ring's auxiliary object:
 *
 *      Local\Gyre.NAME              DATA                          guessable (Global\ by option)
 *      Local\Gyre.NAME!init         the site's lock               guessable
 *      Local\Gyre.NAME!born         rung when DATA is published   guessable; harmless
 *      (none)                       DATA of a sealed ring: others get its handle
 *      Local\Gyre.ID!init           the lock of a sealed ring
 *      Local\Gyre.ID!ctrl           CTRL
 *      Local\Gyre.ID!producer       the mutex of a role           owned by the keeper of lease.c
 *      Local\Gyre.ID!seat.N
 *      Local\Gyre.ID!producer.held  exists while the holder's process does; see lease.c
 *      Local\Gyre.ID!seat.N.held
 *      Local\Gyre.ID!bell.N         the event of a bell
 *      Local\Gyre.ID!gate.N         the semaphore of a group
 */
#ifndef GYRE_SYNC_WIN32_SITE_H
#define GYRE_SYNC_WIN32_SITE_H

#include "calls.h"
#include "sync.h"

#define SYNC_OBJECT_PREFIX "Gyre."
#define SYNC_RING_NAME_SIZE 101   /* the longest name of a ring and its zero */
#define SYNC_OBJECT_NAME_SIZE 160 /* "Local\Gyre.", a ring's name, the longest suffix */
#define SYNC_ROLE_COUNT 256u      /* the producer and 255 seats */

/*
 * Who may touch our objects: this user, who also owns them, the system, whoever owns the site, and
 * those to whom a security descriptor gives rights.  Points into itself, so it is never copied.
 */
#define SYNC_GUARD_ACL_SIZE 2048u

union sync_guard_sid {
    SID     sid;
    uint8_t bytes[SECURITY_MAX_SID_SIZE];
};

struct sync_guard_list {
    SECURITY_ATTRIBUTES attributes;
    SECURITY_DESCRIPTOR descriptor;
    union {
        ACL     acl;
        uint8_t bytes[SYNC_GUARD_ACL_SIZE];
    } dacl;
};

struct sync_guard {
    union {
        TOKEN_USER token;
        uint8_t    bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } user;
    union sync_guard_sid   owner;  /* of the site: another user; the user if nobody was named */
    PSECURITY_DESCRIPTOR   parsed; /* the descriptor that was given, or NULL */
    struct sync_guard_list data;   /* of DATA: others at most read */
    struct sync_guard_list other;  /* of all other objects */
};

enum sync_scope { SYNC_SCOPE_LOCAL, SYNC_SCOPE_GLOBAL };

struct sync_site {
    char            name[SYNC_RING_NAME_SIZE];
    char            id[33]; /* the ring's identity in hexadecimal; empty: not identified */
    uint64_t        ring_id[2];
    enum sync_scope scope;
    HANDLE          init_mutex; /* NULL in mode LOOK; of a sealed site made when it is needed */
    bool            is_sealed;  /* DATA has no name; the others are named by the ring's identity */
    HANDLE          given;      /* the DATA of a sealed site, until it is mapped; or NULL */
    bool            is_locked;
    HANDLE          timer;                 /* for short deadlines; made at the first one */
    PVOID volatile peers[SYNC_ROLE_COUNT]; /* mutexes of roles we have asked about */
    struct sync_guard guard;
};

/* host.c: the status for an error of the system, recorded. */
enum gyre_status sync_fail_os(struct gyre_error *error, DWORD os_code, const char *call);

/*
 * access.c: fills a guard for the user of this process and what the place says; freed by close,
 * also after a failure.  BAD_ARGUMENT, UNSUPPORTED, DENIED, NO_MEMORY, SYSTEM.
 */
enum gyre_status sync_guard_init(struct sync_guard *guard, const struct sync_place *place,
                                 struct gyre_error *error);
void             sync_guard_close(struct sync_guard *guard);

/*
 * access.c: true if the object, opened with READ_CONTROL, belongs to the site's owner, the system
 * or the administrators.
 */
bool sync_guard_owns(const struct sync_guard *guard, HANDLE object);

/* site.c: "Local\Gyre." or "Global\Gyre.", stem, suffix.  The stem is a ring's name or identity. */
void sync_object_name(wchar_t name[SYNC_OBJECT_NAME_SIZE], enum sync_scope scope, const char *stem,
                      const char *suffix);

/* map.c: maps all of a section; the handle is the map's if it is OK. */
enum gyre_status sync_map_whole(HANDLE section, DWORD access, struct sync_map *map,
                                struct gyre_error *error);

/* sealed.c: the lock of a sealed site; the DATA that was given. */
enum gyre_status sync_sealed_make_mutex(struct sync_site *site, struct gyre_error *error);
enum gyre_status sync_sealed_take(struct sync_site *site, struct sync_map *map,
                                  struct gyre_error *error);

/* lease.c: gives back what a closing site still holds, and its handles of peers' mutexes. */
void sync_lease_drop_all(struct sync_site *site);
void sync_lease_forget_peers(struct sync_site *site);

/*
 * lease.c: the mutex of a role, which stays the site's.  NULL if there is none, which is
 * ERROR_FILE_NOT_FOUND, or none to be had.
 */
HANDLE sync_lease_peer(struct sync_site *site, uint32_t role, DWORD *os_code);

/*
 * lease.c: true if the process that held the role last can store no more.  To be asked with the
 * role's mutex, so that no new holder is meant.
 */
bool sync_lease_is_over(const struct sync_site *site, uint32_t role);

/* bell.c: waits for one or two objects (bells[1] may be NULL), and for the peer's death. */
enum sync_wake sync_object_wait(struct sync_site *site, const HANDLE bells[2], uint32_t peer_role,
                                uint64_t deadline_ns);

/* clock.c: milliseconds to the deadline, rounded up; INFINITE for UINT64_MAX, else at most 2^31. */
DWORD sync_clock_ms_until(uint64_t deadline_ns);

/* clock.c: makes the timer if it is NULL and sets it; false: do without. */
bool sync_clock_arm(HANDLE *timer, uint64_t deadline_ns);

#endif
