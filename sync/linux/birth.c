/*
 * birth.c - the wait for a ring to appear: inotify on the directory of rings.
 *
 * It knows that a ring is there once a file NAME.data is; it opens nothing.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>

#define SLICE_NS                                                                                   \
    UINT64_C(1000000000) /* a directory on a disk shared with others may tell nothing */

struct sync_birth {
    int fd;
};

static enum gyre_status watch_dir(int dir_fd, int *watch_fd, struct gyre_error *error)
{
    char path[64];
    int  fd = sync_calls.inotify_init(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return site_fail(error, errno, "inotify_init1");
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
    if (sync_calls.inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) < 0) {
        int code = errno;
        (void)sync_calls.close(fd);
        return site_fail(error, code, "inotify_add_watch");
    }
    *watch_fd = fd;
    return GYRE_OK;
}

enum gyre_status sync_birth_open(const char *name, struct sync_birth **birth,
                                 struct gyre_error *error)
{
    struct sync_birth *made = calloc(1, sizeof(*made));
    enum gyre_status   status;
    int                dir_fd;

    (void)name;
    if (made == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, ENOMEM, "malloc");
    status = site_open_dir(true, &dir_fd, error);
    if (status == GYRE_OK) {
        status = watch_dir(dir_fd, &made->fd, error);
        (void)sync_calls.close(dir_fd);
    }
    if (status != GYRE_OK) {
        free(made);
        return status;
    }
    *birth = made;
    return GYRE_OK;
}

enum gyre_status sync_birth_wait(struct sync_birth *birth, uint64_t deadline_ns)
{
    struct pollfd   watched = {.fd = birth->fd, .events = POLLIN, .revents = 0};
    char            events[4096];
    uint64_t        now = sync_clock_now_ns();
    struct timespec timeout;

    if (now >= deadline_ns)
        return GYRE_TIMEOUT;
    timeout = clock_timespec(deadline_ns - now < SLICE_NS ? deadline_ns - now : SLICE_NS);
    if (sync_calls.ppoll(&watched, 1, &timeout) > 0)
        while (sync_calls.read(birth->fd, events, sizeof(events)) > 0)
            continue;
    return GYRE_OK;
}

void sync_birth_close(struct sync_birth *birth)
{
    if (birth == NULL)
        return;
    (void)sync_calls.close(birth->fd);
    free(birth);
}
