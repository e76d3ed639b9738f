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
#include <unistd.h>

#define SLICE_NS                                                                                   \
    UINT64_C(1000000000) /* a directory on a disk shared with others may tell nothing */
#define BLIND_SLICE_NS UINT64_C(100000000)

struct sync_birth {
    struct site_access access;
    int                fd;      /* -1: nothing to watch, or no right to */
    bool               is_lent; /* it is the socket from which a sealed site will come */
};

static enum gyre_status watch_dir(int dir_fd, int *watch_fd, struct gyre_error *error)
{
    char path[64];
    int  code;
    int  fd = sync_calls.inotify_init(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0) {
        (void)site_fail(error, errno, "inotify_init1");
        error->field = "inotify"; /* EMFILE is mostly a limit of its own */
        return error->status;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
    if (sync_calls.inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) < 0) {
        code = errno;
        (void)sync_calls.close(fd);
        (void)site_fail(error, code, "inotify_add_watch");
        if (code == ENOSPC)
            error->field = "inotify";
        return error->status;
    }
    *watch_fd = fd;
    return GYRE_OK;
}

/*
 * Another user's directory may be missing still, and it may be closed to inotify, which needs the
 * right to read it: then slices have to do.
 */
static enum gyre_status try_to_watch(struct sync_birth *birth, struct gyre_error *error)
{
    bool             is_ours = birth->access.owner == geteuid();
    int              dir_fd;
    enum gyre_status status = site_open_dir(&birth->access, SITE_DIR_MAKE, &dir_fd, error);

    if (status == GYRE_OK) {
        status = watch_dir(dir_fd, &birth->fd, error);
        (void)sync_calls.close(dir_fd);
    }
    if (!is_ours && (status == GYRE_NOT_FOUND || status == GYRE_DENIED))
        return GYRE_OK;
    return status;
}

enum gyre_status sync_birth_open_at(const struct sync_place *place, struct sync_birth **birth,
                                    struct gyre_error *error)
{
    struct sync_birth *made = calloc(1, sizeof(*made));
    enum gyre_status   status;

    if (made == NULL)
        return site_fail(error, ENOMEM, "malloc");
    if (place->is_sealed) {
        made->fd = (int)place->from;
        made->is_lent = true;
        *birth = made;
        return GYRE_OK;
    }
    made->fd = -1;
    status = site_read_place(place, &made->access, error);
    if (status == GYRE_OK)
        status = try_to_watch(made, error);
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
    uint64_t        slice_ns = birth->fd >= 0 ? SLICE_NS : BLIND_SLICE_NS;
    uint64_t        now = sync_clock_now_ns();
    struct timespec timeout;

    if (now >= deadline_ns)
        return GYRE_TIMEOUT;
    timeout = clock_timespec(deadline_ns - now < slice_ns ? deadline_ns - now : slice_ns);
    if (sync_calls.ppoll(&watched, 1, &timeout) > 0) /* a descriptor of -1 is never ready */
        while (!birth->is_lent && sync_calls.read(birth->fd, events, sizeof(events)) > 0)
            continue;
    return GYRE_OK;
}

void sync_birth_close(struct sync_birth *birth)
{
    if (birth == NULL)
        return;
    if (birth->fd >= 0 && !birth->is_lent)
        (void)sync_calls.close(birth->fd);
    free(birth);
}
