/*
 * sealed.c - sites without a name: anonymous files, sealed, given away through a Unix socket.
 *
 * DATA is mapped for writing before the seal FUTURE_WRITE falls, so its maker goes on writing and
 * nobody else ever can: not by a map, not by mprotect, write or a hole, nor through another
 * descriptor of the file.  No size can change, so no touch is a SIGBUS.  The lock file has no
 * bytes; each receiver gets an open file description of its own, since leases belong to those.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define GIFT_MAGIC UINT64_C(0x3154464947525947) /* "GYRGIFT1" in memory */

/* What is sent, and in which order its descriptors are. */
struct gift {
    uint64_t magic;
    uint32_t fd_count; /* 3, or 2 for a tap: without CTRL */
    uint32_t zero;
};
enum { GIFT_LOCK, GIFT_DATA, GIFT_CTRL, GIFT_FDS };

union gift_control {
    struct cmsghdr header;
    char           bytes[CMSG_SPACE(GIFT_FDS * sizeof(int))];
};

static int anonymous(const struct sync_site *site, const char *suffix)
{
    char name[SITE_FILE_SIZE];

    (void)snprintf(name, sizeof(name), "gyre.%.200s%s", site->name, suffix);
    return sync_calls.memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static enum gyre_status add_seals(int fd, int seals, struct gyre_error *error)
{
    if (sync_calls.fcntl_seals(fd, F_ADD_SEALS, seals) == 0)
        return GYRE_OK;
    if (errno != EINVAL)
        return site_fail(error, errno, "fcntl(F_ADD_SEALS)");
    error->field = "flags"; /* a kernel before 5.1 */
    return sync_fail(error, GYRE_UNSUPPORTED, errno, "fcntl(F_ADD_SEALS)");
}

static enum gyre_status make_lock(struct sync_site *site, struct gyre_error *error)
{
    int code;

    sync_host_lock();
    site->lock_fd = anonymous(site, ".lock");
    code = errno;
    sync_host_unlock();
    if (site->lock_fd < 0)
        return site_fail(error, code, "memfd_create");
    return add_seals(site->lock_fd, SEALS_SIZE | F_SEAL_WRITE, error);
}

enum gyre_status sealed_make(struct sync_site *site, enum sync_object object, uint64_t size,
                             struct sync_map *map, struct gyre_error *error)
{
    int              seals = SEALS_SIZE | (object == SYNC_DATA ? F_SEAL_FUTURE_WRITE : 0);
    int              fd = anonymous(site, site_suffix(object));
    int              code;
    enum gyre_status status;

    if (fd < 0)
        return site_fail(error, errno, "memfd_create");
    code = site_commit(fd, size);
    if (code != 0)
        status = site_fail(error, code, "posix_fallocate");
    else
        status = site_map(fd, size, true, map, error);
    if (status == GYRE_OK)
        status = add_seals(fd, seals, error);
    map->os = fd + 1; /* kept for those who will get it */
    if (status != GYRE_OK)
        sync_map_close(map);
    return status;
}

/* --- giving ----------------------------------------------------------------------------------- */

/* The same file by another description, with no more rights than `flags` says. */
static int open_again(int fd, int flags)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return sync_calls.open(path, flags | O_CLOEXEC);
}

/* What is to be done about it: to wait, to forget who has gone, or to look closer. */
static enum gyre_status fail_to_send(struct gyre_error *error, int code)
{
    switch (code) {
    case EAGAIN:
    case ETOOMANYREFS: /* others have not taken theirs yet */
        return sync_fail(error, GYRE_BUSY, code, "sendmsg");
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOTCONN: /* nobody was there, or one to whom a datagram was sent already */
        error->field = "to";
        return sync_fail(error, GYRE_CLOSED, code, "sendmsg");
    default:
        return site_fail(error, code, "sendmsg");
    }
}

static enum gyre_status send_gift(int to, const int fds[GIFT_FDS], uint32_t count,
                                  struct gyre_error *error)
{
    struct gift        gift = {GIFT_MAGIC, count, 0};
    struct iovec       bytes = {&gift, sizeof(gift)};
    union gift_control control;
    struct msghdr      message = {.msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t            sent;

    memset(&control, 0, sizeof(control));
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    do {
        sent = sync_calls.sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)sizeof(gift))
        return GYRE_OK;
    return sent < 0 ? fail_to_send(error, errno)
                    : sync_fail(error, GYRE_SYSTEM, EMSGSIZE, "sendmsg");
}

/*
 * With the host's lock held: the lock file's new description will carry the receiver's leases, and
 * a child that had it, too, would keep them when the receiver dies.
 */
static enum gyre_status share_locked(const struct sync_site *site, const struct sync_map *data,
                                     const struct sync_map *ctrl, int to, struct gyre_error *error)
{
    int              fds[GIFT_FDS] = {-1, -1, -1};
    enum gyre_status status;

    fds[GIFT_LOCK] = open_again(site->lock_fd, ctrl == NULL ? O_RDONLY : O_RDWR);
    fds[GIFT_DATA] = open_again((int)data->os - 1, O_RDONLY);
    if (ctrl != NULL)
        fds[GIFT_CTRL] = (int)ctrl->os - 1;
    if (fds[GIFT_LOCK] < 0 || fds[GIFT_DATA] < 0)
        status = site_fail(error, errno, "open"); /* no /proc, or no descriptor left */
    else
        status = send_gift(to, fds, ctrl == NULL ? GIFT_CTRL : GIFT_FDS, error);
    if (fds[GIFT_LOCK] >= 0)
        (void)sync_calls.close(fds[GIFT_LOCK]);
    if (fds[GIFT_DATA] >= 0)
        (void)sync_calls.close(fds[GIFT_DATA]);
    return status;
}

enum gyre_status sync_site_share(struct sync_site *site, const struct sync_map *data,
                                 const struct sync_map *ctrl, intptr_t to, intptr_t *ticket,
                                 struct gyre_error *error)
{
    enum gyre_status status;

    *ticket = -1;
    if (!site->is_sealed || data->os <= 0 || (ctrl != NULL && ctrl->os <= 0)) {
        error->field = "producer";
        return sync_fail(error, GYRE_UNSUPPORTED, 0, NULL);
    }
    sync_host_lock();
    status = share_locked(site, data, ctrl, (int)to, error);
    sync_host_unlock();
    return status;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* How many descriptors came, into `fds`; all others of the message are closed. */
static uint32_t keep_fds(struct msghdr *message, int fds[GIFT_FDS])
{
    uint32_t count = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        size_t size = part->cmsg_len - CMSG_LEN(0);
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < size / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
            if (count < GIFT_FDS)
                fds[count++] = fd;
            else
                (void)sync_calls.close(fd);
        }
    }
    return count;
}

/* The descriptors are the caller's in any case, those that are not -1. */
static enum gyre_status receive_gift(int from, int fds[GIFT_FDS], struct gyre_error *error)
{
    struct gift        gift = {0, 0, 0};
    struct iovec       bytes = {&gift, sizeof(gift)};
    union gift_control control;
    struct msghdr      message = {.msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t            got;
    uint32_t           count;

    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    do {
        got = sync_calls.recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return sync_fail(error, GYRE_NOT_FOUND, errno, "recvmsg");
    if (got < 0)
        return site_fail(error, errno, "recvmsg");
    count = keep_fds(&message, fds);
    error->field = "from";
    if (got == 0) /* nobody is at the other end any more */
        return sync_fail(error, GYRE_CLOSED, 0, NULL);
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        error->field = "RLIMIT_NOFILE";
        return sync_fail(error, GYRE_NO_MEMORY, EMFILE, "recvmsg");
    }
    if (got != (ssize_t)sizeof(gift) || gift.magic != GIFT_MAGIC || gift.fd_count != count ||
        count < GIFT_CTRL)
        return sync_fail(error, GYRE_BAD_LAYOUT, 0, NULL);
    error->field = NULL;
    return GYRE_OK;
}

/* Whatever its giver does later, it keeps its size. */
static enum gyre_status check_seals(int fd, struct gyre_error *error)
{
    int seals = sync_calls.fcntl_seals(fd, F_GET_SEALS, 0);

    if (seals < 0)
        return sync_fail(error, GYRE_DENIED, errno, "fcntl(F_GET_SEALS)");
    if ((seals & SEALS_SIZE) != SEALS_SIZE)
        return sync_fail(error, GYRE_DENIED, 0, NULL);
    return GYRE_OK;
}

enum gyre_status sealed_open(struct sync_site *site, const struct sync_place *place,
                             struct gyre_error *error)
{
    int              fds[GIFT_FDS] = {-1, -1, -1};
    enum gyre_status status;

    site->is_sealed = true;
    if (site->mode == SYNC_SITE_CREATE)
        return make_lock(site, error);
    sync_host_lock();
    status = receive_gift((int)place->from, fds, error);
    site->lock_fd = fds[GIFT_LOCK]; /* whatever they are: closed with the site */
    site->given[SYNC_DATA] = fds[GIFT_DATA];
    site->given[SYNC_CTRL] = fds[GIFT_CTRL];
    sync_host_unlock();
    return status;
}

enum gyre_status sealed_take(struct sync_site *site, enum sync_object object, bool is_writable,
                             struct sync_map *map, struct gyre_error *error)
{
    int              fd = site->given[object];
    struct stat      file;
    enum gyre_status status;

    if (fd < 0) /* a tap's gift has no CTRL */
        return site_blame(error, sync_fail(error, GYRE_DENIED, 0, NULL), site_file_of(object));
    if (sync_calls.fstat(fd, &file) != 0)
        return site_fail(error, errno, "fstat");
    if (!site_is_whole(&file))
        return site_blame(error, sync_fail(error, GYRE_BAD_LAYOUT, 0, NULL), site_file_of(object));
    status = check_seals(fd, error);
    if (status == GYRE_OK)
        status = site_map(fd, (uint64_t)file.st_size, is_writable, map, error);
    if (status == GYRE_OK)
        map->os = 0;
    return site_blame(error, status, site_file_of(object));
}
