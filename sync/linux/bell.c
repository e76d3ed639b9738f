/*
 * bell.c - the wake-up of one waiter: a futex on a word in shared memory.
 *
 * The word is 1 from a ring until the waiter clears it, so a ring before the wait is not lost.  The
 * futex is never FUTEX_PRIVATE: the ringer is another process.  futex(2) has no way to wait for a
 * death as well, so a wait with a peer is cut into slices and the peer's lease is looked at in
 * between.  A bell for an event loop has a FIFO in the ring's directory besides: no descriptor
 * needs to be passed, and file modes decide who may ring.
 */
#include "site.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <unistd.h>

#include <gyre/atomic.h>

#define PEER_SLICE_NS UINT64_C(100000000)
#define OUT_OF_MEMORY_SLICE_NS UINT64_C(1000000)
#define DEAF_SLICE_NS UINT64_C(1000000) /* between looks at words that cannot be waited for */

enum gyre_status sync_bell_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_bell *bell, struct gyre_error *error)
{
    (void)site, (void)which, (void)error; /* the word is all there is */
    bell->word = word;
    bell->os = NULL;
    bell->poll = 0;
    return GYRE_OK;
}

void sync_bell_close(struct sync_bell *bell)
{
    if (bell->poll != 0)
        (void)sync_calls.close(bell->poll - 1);
    bell->word = NULL;
    bell->poll = 0;
}

void sync_bell_ring(struct sync_bell *bell)
{
    int code = errno; /* this may be a signal handler */

    gyre_store_release_32(bell->word, 1);
    (void)sync_calls.futex(bell->word, FUTEX_WAKE, 1, NULL, 0);
    if (bell->poll != 0) /* a full FIFO is readable already */
        (void)!sync_calls.write(bell->poll - 1, "", 1);
    errno = code;
}

static void drain(struct sync_bell *bell)
{
    char bytes[64];

    while (sync_calls.read(bell->poll - 1, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        continue;
}

void sync_bell_clear(struct sync_bell *bell)
{
    /* Where our own wait drains what it found readable, a system call a bell can be spared. */
    if (bell->poll != 0 && (!bell->is_ours || gyre_load_relaxed_32(bell->word) != 0))
        drain(bell);
    gyre_store_relaxed_32(bell->word, 0);
}

/*
 * Both sides open the FIFO for reading and writing: a ringer that only wrote would get EPIPE and
 * SIGPIPE when the waiter dies, a waiter that only read would see the end of file.
 */
static enum gyre_status open_fifo(struct sync_site *site, const char *file, struct sync_bell *bell,
                                  struct gyre_error *error)
{
    struct stat status;
    int fd = sync_calls.openat(site->dir_fd, file, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
    int code = errno;

    if (fd < 0)
        return site_fail(error, code, "openat");
    code = sync_calls.fstat(fd, &status) != 0 ? errno : 0;
    if (code != 0 || !S_ISFIFO(status.st_mode) || status.st_nlink > 1 ||
        (status.st_uid != site->access.owner && status.st_uid != 0)) {
        (void)sync_calls.close(fd);
        return code != 0 ? site_fail(error, code, "fstat") : sync_fail(error, GYRE_DENIED, 0, NULL);
    }
    bell->poll = fd + 1;
    bell->is_ours = true;
    return GYRE_OK;
}

enum gyre_status sync_bell_make_pollable(struct sync_site *site, uint32_t which, bool is_waiter,
                                         struct sync_bell *bell, struct gyre_error *error)
{
    char             file[SITE_FILE_SIZE];
    enum gyre_status status;

    if (bell->poll != 0)
        return GYRE_OK;
    if (site->is_sealed) { /* a FIFO needs a name */
        error->field = "sealed";
        return sync_fail(error, GYRE_UNSUPPORTED, 0, NULL);
    }
    site_bell_file(site, which, file);
    if (is_waiter) {
        if (!sync_site_is_named(site)) /* removed by force: the name may be another ring's */
            return sync_fail(error, GYRE_NOT_FOUND, ENOENT, "fstat");
        (void)sync_calls.unlinkat(site->dir_fd, file, 0); /* a dead waiter's, perhaps with bytes */
        if (sync_calls.mkfifoat(site->dir_fd, file, 0600) != 0)
            return site_fail(error, errno, "mkfifoat");
    }
    status = open_fifo(site, file, bell, error);
    if (status != GYRE_OK && is_waiter)
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
    return status;
}

intptr_t sync_bell_handle(struct sync_bell *bell)
{
    bell->is_ours = false;
    return bell->poll - 1;
}

#define WAITV_MAX 128u
#define WAITV_32_BITS 2u /* FUTEX_32, and not FUTEX_PRIVATE_FLAG */

static long wait_by_waitv(struct sync_bell *const *bells, uint32_t count,
                          const struct timespec *until)
{
    struct sync_waitv waiters[WAITV_MAX];

    for (uint32_t i = 0; i < count; i++) {
        waiters[i].value = 0;
        waiters[i].address = (uint64_t)(uintptr_t)bells[i]->word;
        waiters[i].flags = WAITV_32_BITS;
        waiters[i].zero = 0;
    }
    return sync_calls.futex_waitv(waiters, count, until);
}

/*
 * One futex wait; returns at `until_ns` with TIMED_OUT.  The kernel ends futex(2) up to the
 * thread's timer slack late, 50 us by default, and futex_waitv(2) without it: measured, 60 and 10
 * us.  To be woken takes as long in the one as in the other.
 */
static enum sync_wake wait_once(struct sync_bell *bell, uint64_t until_ns)
{
    struct timespec until = clock_timespec(until_ns);
    long            result;

    if (gyre_load_acquire_32(bell->word) != 0)
        return SYNC_RUNG;
    if (until_ns != UINT64_MAX) {
        result = wait_by_waitv(&bell, 1, &until);
        if (result >= 0 || (errno != ENOSYS && errno != EPERM))
            return result < 0 && errno == ETIMEDOUT ? SYNC_TIMED_OUT : SYNC_RUNG;
    }
    /* FUTEX_WAIT_BITSET is the form whose deadline is absolute and on the monotonic clock. */
    result = sync_calls.futex(bell->word, FUTEX_WAIT_BITSET, 0,
                              until_ns == UINT64_MAX ? NULL : &until, FUTEX_BITSET_MATCH_ANY);
    return result != 0 && errno == ETIMEDOUT ? SYNC_TIMED_OUT : SYNC_RUNG;
}

uint64_t bell_until(uint32_t peer_role, uint64_t deadline_ns)
{
    uint64_t slice_ns;

    if (peer_role == SYNC_ROLE_NONE)
        return deadline_ns;
    slice_ns = sync_clock_now_ns() + PEER_SLICE_NS;
    return slice_ns < deadline_ns ? slice_ns : deadline_ns;
}

enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns)
{
    for (;;) {
        uint64_t until_ns = bell_until(peer_role, deadline_ns);

        if (wait_once(bell, until_ns) == SYNC_RUNG)
            return SYNC_RUNG;
        if (peer_role != SYNC_ROLE_NONE && sync_lease_is_free(site, peer_role))
            return SYNC_PEER_GONE;
        if (until_ns == deadline_ns)
            return SYNC_TIMED_OUT;
    }
}

uint32_t sync_bell_many_limit(void)
{
    struct sync_waitv none = {0, 0, 0, 0};

    /* With no waiters EINVAL is the answer; ENOSYS is an old kernel's, EPERM a sandbox's. */
    if (sync_calls.futex_waitv(&none, 0, NULL) != 0 && errno == EINVAL)
        return WAITV_MAX;
    return 1;
}

static enum sync_wake wait_by_futex(struct sync_bell *const *bells, uint32_t count,
                                    const struct timespec *until)
{
    return wait_by_waitv(bells, count, until) < 0 && errno == ETIMEDOUT ? SYNC_TIMED_OUT
                                                                        : SYNC_RUNG;
}

static enum sync_wake poll_once(struct pollfd *fds, struct sync_bell *const *bells, uint32_t count,
                                uint64_t until_ns)
{
    uint64_t        now_ns = sync_clock_now_ns();
    struct timespec timeout = clock_timespec(until_ns > now_ns ? until_ns - now_ns : 0);
    int             result = sync_calls.ppoll(fds, count, until_ns == UINT64_MAX ? NULL : &timeout);

    for (uint32_t i = 0; result > 0 && i < count; i++)
        if (fds[i].revents != 0)
            drain(bells[i]);
    return result == 0 ? SYNC_TIMED_OUT : SYNC_RUNG;
}

static bool is_any_rung(struct sync_bell *const *bells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (gyre_load_acquire_32(bells[i]->word) != 0)
            return true;
    return false;
}

/* Sleeps while the FIFOs are empty, and looks at all words after each slice. */
static enum sync_wake poll_in_slices(struct pollfd *fds, struct sync_bell *const *bells,
                                     uint32_t count, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t slice_ns = sync_clock_now_ns() + DEAF_SLICE_NS;
        uint64_t until_ns = slice_ns < deadline_ns ? slice_ns : deadline_ns;

        if (poll_once(fds, bells, count, until_ns) == SYNC_RUNG || is_any_rung(bells, count))
            return SYNC_RUNG;
        if (until_ns == deadline_ns)
            return SYNC_TIMED_OUT;
    }
}

static enum sync_wake wait_by_poll(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns)
{
    struct pollfd *fds = calloc(count, sizeof(*fds));
    bool           is_deaf = false;
    enum sync_wake woken;

    if (fds == NULL) { /* no memory for a sleep among many: sleep on one, but not for long */
        uint64_t slice_ns = sync_clock_now_ns() + OUT_OF_MEMORY_SLICE_NS;
        (void)wait_once(bells[0], slice_ns < deadline_ns ? slice_ns : deadline_ns);
        return SYNC_RUNG;
    }
    for (uint32_t i = 0; i < count; i++) {
        fds[i].fd = bells[i]->poll - 1; /* -1 is never ready: a sealed ring's bell has no FIFO */
        fds[i].events = POLLIN;
        is_deaf |= bells[i]->poll == 0;
    }
    woken = is_deaf ? poll_in_slices(fds, bells, count, deadline_ns)
                    : poll_once(fds, bells, count, deadline_ns);
    free(fds);
    return woken;
}

enum sync_wake sync_bell_wait_many(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns)
{
    struct timespec until = clock_timespec(deadline_ns);

    if (count == 1)
        return wait_once(bells[0], deadline_ns);
    if (count <= sync_bell_many_limit())
        return wait_by_futex(bells, count, deadline_ns == UINT64_MAX ? NULL : &until);
    return wait_by_poll(bells, count, deadline_ns);
}
