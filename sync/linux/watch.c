/*
 * watch.c - to be told of a death: inotify on the lock file.
 *
 * The kernel closes the descriptors of a process that dies and tells of each close, a moment before
 * the locks that go with it are gone.  So after an event leases are looked at again and again, at
 * growing intervals.  Whether somebody died the leases alone decide: an event may be anybody's
 * close, and where inotify cannot be had slices do.
 */
#include "site.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <gyre/atomic.h>

#define FIRST_PAUSE_NS UINT64_C(20000)
#define LAST_PAUSE_NS SLICE_NS /* a dying process may not get a processor for so long */
#define STACK_SIZE (256u * 1024u)
#define CALL_NS UINT64_C(1000000000) /* then the caller looks around */
#define SLICE_NS UINT64_C(100000000) /* a disk shared with others may tell nothing */

struct sync_watch {
    void (*look)(void *context);
    void     *context;
    int       fd; /* inotify's; -1: abandoned */
    int       id; /* of the watch in it */
    uint32_t  is_over;
    pthread_t thread;
};

enum gyre_status site_watch(int fd, uint32_t events, int *watch_fd, int *id,
                            struct gyre_error *error)
{
    char path[64];
    int  code;
    int  made = sync_calls.inotify_init(IN_CLOEXEC | IN_NONBLOCK);

    if (made < 0) {
        (void)site_fail(error, errno, "inotify_init1");
        error->field = "inotify"; /* EMFILE is mostly a limit of its own */
        return error->status;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *id = sync_calls.inotify_add_watch(made, path, events);
    if (*id < 0) {
        code = errno;
        (void)sync_calls.close(made);
        (void)site_fail(error, code, "inotify_add_watch");
        if (code == ENOSPC)
            error->field = "inotify";
        return error->status;
    }
    *watch_fd = made;
    return GYRE_OK;
}

/* True if there was an event within `pause_ns`; a descriptor of -1 is never ready. */
static bool await_close(int fd, uint64_t pause_ns)
{
    struct pollfd   watched = {.fd = fd, .events = POLLIN, .revents = 0};
    char            events[4096];
    struct timespec timeout = clock_timespec(pause_ns);
    int result = sync_calls.ppoll(&watched, 1, pause_ns == UINT64_MAX ? NULL : &timeout);

    if (result < 0) /* the caller's loop must not burn the processor */
        sync_clock_sleep_until(sync_clock_now_ns() + FIRST_PAUSE_NS);
    if (result <= 0)
        return false;
    while (sync_calls.read(fd, events, sizeof(events)) > 0)
        continue;
    return true;
}

/*
 * The descriptor stays with the site: to close it takes the kernel 4 to 20 ms, which a standby has
 * not when its moment comes.
 */
enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns)
{
    struct gyre_error ignored;
    int               id;
    uint64_t          end_ns = sync_clock_now_ns() + CALL_NS;
    uint64_t          pause_ns = SLICE_NS;
    uint64_t          now;
    bool              is_free;

    if (site->watch_fd < 0)
        (void)site_watch(site->lock_fd, IN_CLOSE_WRITE, &site->watch_fd, &id, &ignored);
    if (end_ns > deadline_ns)
        end_ns = deadline_ns;
    while (!(is_free = sync_lease_is_free(site, role)) && (now = sync_clock_now_ns()) < end_ns) {
        uint64_t left_ns = end_ns - now;
        bool     is_event = await_close(site->watch_fd, left_ns < pause_ns ? left_ns : pause_ns);
        pause_ns = is_event ? FIRST_PAUSE_NS : pause_ns * 2;
        if (pause_ns > SLICE_NS)
            pause_ns = SLICE_NS;
    }
    return is_free || sync_clock_now_ns() < deadline_ns ? GYRE_OK : GYRE_TIMEOUT;
}

/* The thread: asleep until a close, then looking at growing intervals. */
static void *keep_watch(void *argument)
{
    struct sync_watch *watch = argument;
    uint64_t           pause_ns = UINT64_MAX;

    for (;;) {
        bool is_event = await_close(watch->fd, pause_ns);
        if (gyre_load_acquire_32(&watch->is_over) != 0)
            return NULL;
        watch->look(watch->context);
        if (is_event)
            pause_ns = FIRST_PAUSE_NS;
        else
            pause_ns = pause_ns < LAST_PAUSE_NS ? pause_ns * 2 : UINT64_MAX;
    }
}

/* Signals are for the threads of others: this one starts with all of them blocked. */
static int start(struct sync_watch *watch)
{
    pthread_attr_t attributes;
    sigset_t       all, old;
    int            code = pthread_attr_init(&attributes);

    if (code != 0)
        return code;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    code = sync_calls.thread_create(&watch->thread, &attributes, keep_watch, watch);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attributes);
    return code;
}

enum gyre_status sync_watch_open(struct sync_site *site, void (*look)(void *context), void *context,
                                 struct sync_watch **watch, struct gyre_error *error)
{
    struct sync_watch *made = calloc(1, sizeof(*made));
    enum gyre_status   status;
    int                code;

    if (made == NULL)
        return site_fail(error, ENOMEM, "malloc");
    made->look = look;
    made->context = context;
    status = site_watch(site->lock_fd, IN_CLOSE_WRITE, &made->fd, &made->id, error);
    if (status == GYRE_OK && (code = start(made)) != 0) {
        (void)sync_calls.close(made->fd);
        status = sync_fail(error, GYRE_NO_MEMORY, code, "pthread_create");
        error->field = "threads";
    }
    if (status != GYRE_OK) {
        free(made);
        return status;
    }
    *watch = made;
    return GYRE_OK;
}

/* The end of the watch is an event of its own, which wakes the thread. */
void sync_watch_close(struct sync_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->fd >= 0) {
        gyre_store_release_32(&watch->is_over, 1);
        (void)sync_calls.inotify_rm_watch(watch->fd, watch->id);
        (void)pthread_join(watch->thread, NULL);
        (void)sync_calls.close(watch->fd);
    }
    free(watch);
}

void sync_watch_abandon(struct sync_watch *watch)
{
    if (watch == NULL)
        return;
    (void)sync_calls.close(watch->fd);
    watch->fd = -1;
}
