/*
 * steps_linux.c - steps.h over sync/linux/calls.h.
 */
#include "steps.h"

#ifdef __linux__

#include <errno.h>
#include <string.h>

#include "linux/calls.h"

#include "process.h"

static struct sync_calls real;
static uint64_t          count, deadly;
static bool              kills_after, refuses_tmpfile;

/* Each call is a step; what is behind the call is written between the two. */
static void before(void)
{
    count++;
    if (count == deadly && !kills_after)
        process_kill_self();
}

static void after(void)
{
    int code = errno;

    if (count == deadly && kills_after)
        process_kill_self();
    errno = code;
}

#define STEP(type, name, parameters, arguments)                                                    \
    static type step_##name parameters                                                             \
    {                                                                                              \
        type result;                                                                               \
        before();                                                                                  \
        result = real.name arguments;                                                              \
        after();                                                                                   \
        return result;                                                                             \
    }

STEP(int, mkdir, (const char *path, mode_t mode), (path, mode))
STEP(int, open, (const char *path, int flags), (path, flags))
STEP(int, close, (int fd), (fd))
STEP(int, fstat, (int fd, struct stat *status), (fd, status))
STEP(int, fchmod, (int fd, mode_t mode), (fd, mode))
STEP(int, fallocate, (int fd, off_t offset, off_t size), (fd, offset, size))
STEP(int, linkat, (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags))
STEP(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
STEP(int, fcntl_lock, (int fd, int command, struct flock *lock), (fd, command, lock))
STEP(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset))
STEP(int, munmap, (void *at, size_t size), (at, size))
STEP(long, futex,
     (uint32_t * word, int operation, uint32_t value, const struct timespec *deadline,
      uint32_t mask),
     (word, operation, value, deadline, mask))
STEP(long, membarrier, (int command), (command))
STEP(ssize_t, getrandom, (void *buffer, size_t size), (buffer, size))

/* A ring has up to 256 FIFOs to remove: to die at the first few shows as much as to die at each. */
static int step_unlinkat(int dir, const char *path, int flags)
{
    const char *bell = strstr(path, ".bell.");
    int         result;

    if (bell != NULL && strlen(bell) > sizeof(".bell.1") - 1)
        return real.unlinkat(dir, path, flags);
    before();
    result = real.unlinkat(dir, path, flags);
    after();
    return result;
}

static int step_openat(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    before();
    if (refuses_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        fd = -1;
    } else {
        fd = real.openat(dir, path, flags, mode);
    }
    after();
    return fd;
}

void steps_arm(uint64_t step, bool is_after)
{
    real = sync_calls;
    count = 0;
    deadly = step;
    kills_after = is_after;
    sync_calls.mkdir = step_mkdir;
    sync_calls.open = step_open;
    sync_calls.openat = step_openat;
    sync_calls.close = step_close;
    sync_calls.fstat = step_fstat;
    sync_calls.fchmod = step_fchmod;
    sync_calls.fallocate = step_fallocate;
    sync_calls.linkat = step_linkat;
    sync_calls.renameat = step_renameat;
    sync_calls.unlinkat = step_unlinkat;
    sync_calls.fcntl_lock = step_fcntl_lock;
    sync_calls.mmap = step_mmap;
    sync_calls.munmap = step_munmap;
    sync_calls.futex = step_futex;
    sync_calls.membarrier = step_membarrier;
    sync_calls.getrandom = step_getrandom;
}

uint64_t steps_count(void)
{
    return count;
}

void steps_refuse_tmpfile(void)
{
    refuses_tmpfile = true;
}

void steps_leave_sections_to(uint32_t process_id, uint64_t handles[4])
{
    (void)process_id, (void)handles;
}

#else
typedef int steps_linux_is_not_this_system;
#endif
