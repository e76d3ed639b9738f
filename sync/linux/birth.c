/*
 * birth.c - the wait for a ring to appear: inotify on the directory of rings.
 *
 * It knows that a ring is there once a file NAME.data is; it opens nothing.
 */
#include "site.h"

#include <errno.h>
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

/*
 * Another user's directory may be missing still, and it may be closed to inotify, which needs the
 * right to read it: then slices have to do.
 */
static enum gyre_status try_to_watch(struct sync_birth *birth, struct gyre_error *error)
{
    bool             is_ours = birth->access.owner == geteuid();
    int              dir_fd, id;
    enum gyre_status status = site_open_dir(&birth->access, SITE_DIR_MAKE, &dir_fd, error);

    if (status == GYRE_OK) {
        status = site_watch(dir_fd, IN_CREATE | IN_MOVED_TO, &birth->fd, &id, error);
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
