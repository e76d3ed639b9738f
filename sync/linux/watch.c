/*
 * watch.c - to be told of a death: inotify on the lock file.
 *
 * The kernel closes the descriptors of a process that dies and tells of each close, a moment before
 * the locks that go with it are gone.  So after an event leases are looked at again and again, at
 * growing intervals.  Whether somebody died the leases alone decide: an event may be anybody's
 * close, and where inotify cannot be had slices do.
 */
#include "site.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define FIRST_PAUSE_NS UINT64_C(20000)
#define CALL_NS UINT64_C(1000000000) /* then the caller looks around */
#define SLICE_NS UINT64_C(100000000) /* a disk shared with others may tell nothing */

/* An inotify descriptor for closes of the lock file; -1 and errno. */
static int watch_lock_file(const struct sync_site *site)
{
    char path[64];
    int  fd = sync_calls.inotify_init(IN_CLOEXEC | IN_NONBLOCK);

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", site->lock_fd);
    if (fd >= 0 && sync_calls.inotify_add_watch(fd, path, IN_CLOSE_WRITE) < 0) {
        (void)sync_calls.close(fd);
        fd = -1;
    }
    return fd;
}

/* True if there was an event before `until_ns`; a descriptor of -1 is never ready. */
static bool await_close(int fd, uint64_t until_ns)
{
    struct pollfd   watched = {.fd = fd, .events = POLLIN, .revents = 0};
    char            events[4096];
    uint64_t        now = sync_clock_now_ns();
    struct timespec timeout = clock_timespec(until_ns > now ? until_ns - now : 0);

    if (sync_calls.ppoll(&watched, 1, &timeout) <= 0)
        return false;
    while (sync_calls.read(fd, events, sizeof(events)) > 0)
        continue;
    return true;
}

enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns)
{
    int      fd = watch_lock_file(site);
    uint64_t end_ns = sync_clock_now_ns() + CALL_NS;
    uint64_t pause_ns = SLICE_NS;
    uint64_t now;
    bool     is_free;

    if (end_ns > deadline_ns)
        end_ns = deadline_ns;
    while (!(is_free = sync_lease_is_free(site, role)) && (now = sync_clock_now_ns()) < end_ns) {
        bool is_event = await_close(fd, now + pause_ns < end_ns ? now + pause_ns : end_ns);
        pause_ns = is_event ? FIRST_PAUSE_NS : pause_ns * 2;
        if (pause_ns > SLICE_NS)
            pause_ns = SLICE_NS;
    }
    if (fd >= 0)
        (void)sync_calls.close(fd);
    return is_free || sync_clock_now_ns() < deadline_ns ? GYRE_OK : GYRE_TIMEOUT;
}
