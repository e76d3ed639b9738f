/*
 * calls.h - every system call the library makes on Linux, in one table, so that a test can make the
 * n-th call fail with any error.  The idea is SQLite's.
 */
#ifndef GYRE_SYNC_LINUX_CALLS_H
#define GYRE_SYNC_LINUX_CALLS_H

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* struct futex_waitv of <linux/futex.h>, which older headers lack. */
struct sync_waitv {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t zero;
};

struct sync_calls {
    int (*mkdir)(const char *path, mode_t mode);
    int (*open)(const char *path, int flags);
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *status);
    int (*fstatat)(int dir, const char *path, struct stat *status, int flags);
    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t owner, gid_t group);
    int (*getpwnam)(const char *name, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **found);
    int (*getgrnam)(const char *name, struct group *entry, char *buffer, size_t size,
                    struct group **found);
    int (*getrlimit)(int resource, struct rlimit *limit);
    int (*fallocate)(int fd, off_t offset, off_t size);
    int (*linkat)(int from_dir, const char *from, int to_dir, const char *to, int flags);
    int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
    int (*unlinkat)(int dir, const char *path, int flags);
    int (*mkfifoat)(int dir, const char *path, mode_t mode);
    int (*fcntl_lock)(int fd, int command, struct flock *lock);
    void *(*mmap)(void *at, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *at, size_t size);
    long (*futex)(uint32_t *word, int operation, uint32_t value, const struct timespec *deadline,
                  uint32_t mask);
    long (*futex_waitv)(const struct sync_waitv *waiters, uint32_t count,
                        const struct timespec *deadline);
    long (*membarrier)(int command);
    int (*inotify_init)(int flags);
    int (*inotify_add_watch)(int fd, const char *path, uint32_t mask);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    int (*ppoll)(struct pollfd *fds, nfds_t count, const struct timespec *timeout);
    int (*clock_gettime)(clockid_t clock, struct timespec *time);
    int (*clock_nanosleep)(clockid_t clock, int flags, const struct timespec *deadline);
    ssize_t (*getrandom)(void *buffer, size_t size);
    int (*memfd_create)(const char *name, unsigned flags);
    int (*fcntl_seals)(int fd, int command, int seals);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
};

extern struct sync_calls sync_calls;

#endif
