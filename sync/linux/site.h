/*
 * site.h - what the files of sync/linux share: the site, and small helpers.
 */
#ifndef GYRE_SYNC_LINUX_SITE_H
#define GYRE_SYNC_LINUX_SITE_H

#include <dirent.h>
#include <limits.h>
#include <time.h>

#include "calls.h"
#include "sync.h"

#define SITE_FILE_SIZE 256 /* a file name: the ring's name, a suffix, a zero */

/*
 * Bytes of the lock file.  Each is a role; OFD locks on them end with their open file
 * description.
 */
#define SITE_BYTE_ATTACH 0
#define SITE_BYTE_ADMIN 1
#define SITE_BYTE_PRODUCER 2
#define SITE_BYTE_SEATS 16

/* Whose files they are, and who else may use them: access.c. */
struct site_access {
    uid_t  owner;
    gid_t  group; /* of new files; SITE_ANY_GROUP: that of the process */
    mode_t mode;  /* of new files, as sync_place says it; 0: as they are, or 0600 */
};
#define SITE_ANY_GROUP ((gid_t)-1)

struct sync_site {
    int                 dir_fd;
    int                 lock_fd;  /* -1 in mode LOOK, until a lease is looked at */
    int                 watch_fd; /* inotify's, of one who has waited for a lease; or -1 */
    enum sync_site_mode mode;
    struct site_access  access;
    bool                is_sealed; /* without directory and names: sealed.c */
    int                 given[2];  /* by sync_object: what was received; or -1 */
    struct sync_site   *next;      /* in the list of this process's open sites: host.c */
    struct sync_site   *previous;
    char                name[SITE_FILE_SIZE];
};

/* NAME and a suffix such as ".data". */
void site_file(const struct sync_site *site, const char *suffix, char file[SITE_FILE_SIZE]);

/* NAME.bell.N: the FIFO of a bell. */
void site_bell_file(const struct sync_site *site, uint32_t which, char file[SITE_FILE_SIZE]);
#define SITE_BELL_COUNT 256u

const char *site_suffix(enum sync_object object);

/* The name a new object has while it is built, where the file system has no unnamed files. */
void site_building_file(const struct sync_site *site, enum sync_object object,
                        char file[SITE_FILE_SIZE]);

/* The files of a ring, by what they are called in an error's field. */
enum site_file { SITE_DATA, SITE_CTRL, SITE_LOCK };

/* access.c: reads what a place says of people. */
enum gyre_status site_read_place(const struct sync_place *place, struct site_access *access,
                                 struct gyre_error *error);

/* access.c: what the directory is opened for. */
enum site_dir {
    SITE_DIR_FIND, /* to reach files by their names */
    SITE_DIR_LIST, /* to read it as well */
    SITE_DIR_MAKE  /* as FIND; made if it is missing and would be ours */
};
enum gyre_status site_open_dir(const struct site_access *access, enum site_dir purpose, int *dir_fd,
                               struct gyre_error *error);

/* access.c: opens our own directory of rings, to read it; NOT_FOUND if there is none. */
enum gyre_status site_list_dir(struct site_access *access, DIR **dir, struct gyre_error *error);

/*
 * access.c: true for a file that a ring may use: regular, one link at most, of the owner or root,
 * DATA writable by nobody else and the others not by everybody.
 */
bool site_trusts(const struct site_access *access, enum site_file file, const struct stat *status);

/* access.c: gives a new file its group and its mode, whatever the umask is. */
enum gyre_status site_protect(const struct sync_site *site, enum site_file file, int fd,
                              struct gyre_error *error);

/* access.c: lets others reach files in the directory, if the new ring is for others too. */
enum gyre_status site_open_to_others(const struct sync_site *site, struct gyre_error *error);

/* access.c: for an existing file: EXISTS if the place asked for other rights than it has. */
enum gyre_status site_compare(struct sync_site *site, enum site_file file,
                              const struct stat *status, struct gyre_error *error);

/* access.c: names the file in an error that names nothing yet. */
enum gyre_status site_blame(struct gyre_error *error, enum gyre_status status, enum site_file file);

/* access.c: the same where one may not be made: if it is not there, its directory is named. */
enum gyre_status site_blame_making(const struct sync_site *site, struct gyre_error *error,
                                   enum gyre_status status, enum site_file file);

/* map.c: true for a file that can be mapped: regular, not empty, no hole, whose touch may fail. */
bool site_is_whole(const struct stat *status);

/* map.c */
enum site_file   site_file_of(enum sync_object object);
int              site_commit(int fd, uint64_t size); /* 0 or an errno */
enum gyre_status site_map(int fd, uint64_t size, bool is_writable, struct sync_map *map,
                          struct gyre_error *error);

/* sealed.c: the site's part of sync_site_open_at; its objects, made or received. */
enum gyre_status sealed_open(struct sync_site *site, const struct sync_place *place,
                             struct gyre_error *error);
enum gyre_status sealed_make(struct sync_site *site, enum sync_object object, uint64_t size,
                             struct sync_map *map, struct gyre_error *error);
enum gyre_status sealed_take(struct sync_site *site, enum sync_object object, bool is_writable,
                             struct sync_map *map, struct gyre_error *error);

/* site.c: removes one file of a ring that is not there, and a lock file that was made for it. */
void site_discard_file(struct sync_site *site, const char *file);

/* The lock file for looking only; -1 if it cannot be opened. */
int site_lock_fd_for_looking(struct sync_site *site);

/*
 * host.c: the sites whose descriptors the child of a fork closes.  A descriptor that may carry
 * leases is opened and put into its site, and taken out and closed, with the host's lock held, so
 * that no fork comes in between: the child would keep the leases, or close somebody else's file.
 * Unlisted with the lock held.
 */
void host_list_site(struct sync_site *site);
void host_unlist_site(struct sync_site *site);

/* Closes the descriptors.  With the host's lock held. */
void site_abandon(struct sync_site *site);

/* One OFD lock command on one byte: 0 or an errno. */
int site_lock_byte(int fd, int command, short type, off_t byte);

/*
 * errno -> status: ENOENT, EACCES, ENOSPC and their like; anything else is SYSTEM.  NO_MEMORY names
 * in error->field what is used up.
 */
enum gyre_status site_fail(struct gyre_error *error, int code, const char *call);

/*
 * watch.c: a new inotify descriptor for `events` at what `fd` is of; *id is the watch in it.
 * NO_MEMORY names "inotify" where a limit of its own is used up.
 */
enum gyre_status site_watch(int fd, uint32_t events, int *watch_fd, int *id,
                            struct gyre_error *error);

/* bell.c: until when one may sleep before the peer, if there is one, is looked at. */
uint64_t bell_until(uint32_t peer_role, uint64_t deadline_ns);

/* Absolute monotonic nanoseconds as the kernel wants them. */
struct timespec clock_timespec(uint64_t ns);

#endif
