/*
 * calls.c - the table of system calls, filled with the real ones.
 *
 * It knows how each call is reached (some have no function in libc) and nothing else.
 */
#include "calls.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call_open(const char *path, int flags)
{
    return open(path, flags);
}

static int call_openat(int dir, const char *path, int flags, mode_t mode)
{
    return openat(dir, path, flags, mode);
}

static int call_getrlimit(int resource, struct rlimit *limit)
{
#ifdef __GLIBC__ /* whose parameter is an enumeration */
    return getrlimit((__rlimit_resource_t)resource, limit);
#else
    return getrlimit(resource, limit);
#endif
}

static int call_fcntl_lock(int fd, int command, struct flock *lock)
{
    return fcntl(fd, command, lock);
}

/* The kernel's time of 64-bit fields, which are not those of a timespec in 32-bit programs. */
static const int64_t *widen(const struct timespec *time, int64_t wide[2])
{
    if (time == NULL)
        return NULL;
    wide[0] = time->tv_sec;
    wide[1] = time->tv_nsec;
    return wide;
}

#ifdef SYS_futex_time64 /* a 32-bit system */
#ifndef SYS_futex       /* a new one */
#define SYS_futex SYS_futex_time64
#endif

/* Kernels before 5.1 have only the call that reads a time of two longs, whatever time_t is. */
static long call_futex(uint32_t *word, int operation, uint32_t value,
                       const struct timespec *deadline, uint32_t mask)
{
    int64_t wide[2] = {0, 0};
    long    narrow[2];
    long    result =
        syscall(SYS_futex_time64, word, operation, value, widen(deadline, wide), NULL, mask);

    if (result >= 0 || (errno != ENOSYS && errno != EPERM))
        return result;
    narrow[0] = wide[0] < LONG_MAX ? (long)wide[0] : LONG_MAX;
    narrow[1] = (long)wide[1];
    return syscall(SYS_futex, word, operation, value, deadline != NULL ? narrow : NULL, NULL, mask);
}

#else

static long call_futex(uint32_t *word, int operation, uint32_t value,
                       const struct timespec *deadline, uint32_t mask)
{
    return syscall(SYS_futex, word, operation, value, deadline, NULL, mask);
}

#endif

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* the same number on every architecture */
#endif

static long call_futex_waitv(const struct sync_waitv *waiters, uint32_t count,
                             const struct timespec *deadline)
{
    int64_t wide[2];

    return syscall(SYS_futex_waitv, waiters, count, 0, widen(deadline, wide), CLOCK_MONOTONIC);
}

static long call_membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static int call_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout)
{
    return ppoll(fds, count, timeout, NULL);
}

static int call_clock_nanosleep(clockid_t clock, int flags, const struct timespec *deadline)
{
    return clock_nanosleep(clock, flags, deadline, NULL);
}

static ssize_t call_getrandom(void *buffer, size_t size)
{
    return getrandom(buffer, size, 0);
}

static int call_fcntl_seals(int fd, int command, int seals)
{
    return fcntl(fd, command, seals);
}

struct sync_calls sync_calls = {
    .mkdir = mkdir,
    .open = call_open,
    .openat = call_openat,
    .close = close,
    .fstat = fstat,
    .fstatat = fstatat,
    .fchmod = fchmod,
    .fchown = fchown,
    .getpwnam = getpwnam_r,
    .getgrnam = getgrnam_r,
    .getrlimit = call_getrlimit,
    .fallocate = posix_fallocate,
    .linkat = linkat,
    .renameat = renameat,
    .unlinkat = unlinkat,
    .fstatvfs = fstatvfs,
    .mkfifoat = mkfifoat,
    .fcntl_lock = call_fcntl_lock,
    .mmap = mmap,
    .munmap = munmap,
    .futex = call_futex,
    .futex_waitv = call_futex_waitv,
    .membarrier = call_membarrier,
    .inotify_init = inotify_init1,
    .inotify_add_watch = inotify_add_watch,
    .inotify_rm_watch = inotify_rm_watch,
    .thread_create = pthread_create,
    .read = read,
    .write = write,
    .ppoll = call_ppoll,
    .clock_gettime = clock_gettime,
    .clock_nanosleep = call_clock_nanosleep,
    .getrandom = call_getrandom,
    .memfd_create = memfd_create,
    .fcntl_seals = call_fcntl_seals,
    .sendmsg = sendmsg,
    .recvmsg = recvmsg,
};
