/*
 * site.h - what the files of sync/linux share: the site, and small helpers.
 */
#ifndef GYRE_SYNC_LINUX_SITE_H
#define GYRE_SYNC_LINUX_SITE_H

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

struct sync_site {
    int                 dir_fd;
    int                 lock_fd; /* -1 in mode LOOK, until a lease is looked at */
    enum sync_site_mode mode;
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

/* Opens the directory of this user's rings; makes it if told to. */
enum gyre_status site_open_dir(bool is_creating, int *dir_fd, struct gyre_error *error);

/* The lock file for looking only; -1 if it cannot be opened. */
int site_lock_fd_for_looking(struct sync_site *site);

/* One OFD lock command on one byte: 0 or an errno. */
int site_lock_byte(int fd, int command, short type, off_t byte);

/* errno -> status: ENOENT, EACCES, ENOSPC and their like; anything else is SYSTEM. */
enum gyre_status site_fail(struct gyre_error *error, int code, const char *call);

/*
 * A file that a ring may use: regular, of this user or root, one link at most, writable by no
 * other.
 */
bool site_trusts(const struct stat *status);

/* Absolute monotonic nanoseconds as the kernel wants them. */
struct timespec clock_timespec(uint64_t ns);

#endif
