/*
 * site.c - the names and the lock file of a ring.
 *
 * The lock file is the anchor: whoever creates, joins or removes a ring holds its admin byte, and
 * whoever has the ring open holds a shared lock on its attach byte.  Open-file-description locks
 * are the authority because they end with the last descriptor of a process, whatever way it dies,
 * and know neither pids nor threads.  A lock file that was unlinked while somebody waited for it is
 * recognised by its link count, so no two processes ever hold "the" admin byte at once.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void site_file(const struct sync_site *site, const char *suffix, char file[SITE_FILE_SIZE])
{
    (void)snprintf(file, SITE_FILE_SIZE, "%.200s%s", site->name, suffix);
}

void site_bell_file(const struct sync_site *site, uint32_t which, char file[SITE_FILE_SIZE])
{
    (void)snprintf(file, SITE_FILE_SIZE, "%.200s.bell.%u", site->name, (unsigned)which);
}

void site_building_file(const struct sync_site *site, enum sync_object object,
                        char file[SITE_FILE_SIZE])
{
    (void)snprintf(file, SITE_FILE_SIZE, ".%.200s%s", site->name, site_suffix(object));
}

const char *site_suffix(enum sync_object object)
{
    return object == SYNC_DATA ? ".data" : ".ctrl";
}

/* What is used up when a call says so. */
static const struct {
    int         code;
    const char *name;
} resources[] = {
    {ENOSPC, "space"},         {EDQUOT, "quota"},    {ENOMEM, "memory"}, {EFBIG, "RLIMIT_FSIZE"},
    {EMFILE, "RLIMIT_NOFILE"}, {ENFILE, "file-max"}, {ENOLCK, "locks"},
};

enum gyre_status site_fail(struct gyre_error *error, int code, const char *call)
{
    switch (code) {
    case ENOENT:
        return sync_fail(error, GYRE_NOT_FOUND, code, call);
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENXIO: /* a socket has the name */
        return sync_fail(error, GYRE_DENIED, code, call);
    default:
        break;
    }
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        if (resources[i].code == code) {
            error->field = resources[i].name;
            return sync_fail(error, GYRE_NO_MEMORY, code, call);
        }
    return sync_fail(error, GYRE_SYSTEM, code, call);
}

int site_lock_byte(int fd, int command, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    while (sync_calls.fcntl_lock(fd, command, &lock) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* A lock file is ours to repair if the umask took its owner's rights when it was made. */
static int check_lock_file(const struct sync_site *site, int fd)
{
    struct stat status;

    if (sync_calls.fstat(fd, &status) != 0)
        return errno;
    if (!site_trusts(&site->access, SITE_LOCK, &status))
        return EPERM;
    if (site->mode == SYNC_SITE_CREATE && (status.st_mode & 0600) != 0600 &&
        sync_calls.fchmod(fd, (status.st_mode & 0777) | 0600) != 0)
        return errno;
    return 0;
}

static void close_lock_file(struct sync_site *site)
{
    sync_host_lock();
    (void)sync_calls.close(site->lock_fd);
    site->lock_fd = -1;
    sync_host_unlock();
}

/* Opens the lock file; it holds no bytes, so it cannot be half-built. */
static enum gyre_status open_lock_file(struct sync_site *site, struct gyre_error *error)
{
    char file[SITE_FILE_SIZE];
    int  flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int  code;

    if (site->mode == SYNC_SITE_CREATE)
        flags |= O_CREAT;
    site_file(site, ".lock", file);
    sync_host_lock();
    site->lock_fd = sync_calls.openat(site->dir_fd, file, flags, 0600);
    code = errno;
    sync_host_unlock();
    if (site->lock_fd < 0)
        return site_blame_making(site, error, site_fail(error, code, "openat"), SITE_LOCK);
    code = check_lock_file(site, site->lock_fd);
    if (code != 0) {
        close_lock_file(site);
        return site_blame(error, site_fail(error, code, "fstat"), SITE_LOCK);
    }
    return GYRE_OK;
}

static enum gyre_status open_named(struct sync_site *site, struct gyre_error *error)
{
    enum site_dir    purpose = site->mode == SYNC_SITE_CREATE ? SITE_DIR_MAKE : SITE_DIR_FIND;
    enum gyre_status status = site_open_dir(&site->access, purpose, &site->dir_fd, error);

    if (status == GYRE_OK && site->mode != SYNC_SITE_LOOK)
        status = open_lock_file(site, error);
    return status;
}

enum gyre_status sync_site_open_at(const struct sync_place *place, enum sync_site_mode mode,
                                   struct sync_site **site, struct gyre_error *error)
{
    struct sync_site *made = calloc(1, sizeof(*made));
    enum gyre_status  status;

    if (made == NULL)
        return site_fail(error, ENOMEM, "malloc");
    made->mode = mode;
    made->dir_fd = -1;
    made->lock_fd = -1;
    made->given[SYNC_DATA] = -1;
    made->given[SYNC_CTRL] = -1;
    made->watch_fd = -1;
    (void)snprintf(made->name, sizeof(made->name), "%s", place->name);
    host_list_site(made);
    status = site_read_place(place, &made->access, error);
    if (status == GYRE_OK)
        status = place->is_sealed ? sealed_open(made, place, error) : open_named(made, error);
    if (status != GYRE_OK) {
        sync_site_close(made);
        return status;
    }
    *site = made;
    return GYRE_OK;
}

void site_abandon(struct sync_site *site)
{
    /* The watch last: it takes milliseconds. */
    int *const fds[] = {&site->lock_fd, &site->dir_fd, &site->given[SYNC_DATA],
                        &site->given[SYNC_CTRL], &site->watch_fd};

    for (uint32_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            (void)sync_calls.close(*fds[i]);
        *fds[i] = -1;
    }
}

void sync_site_close(struct sync_site *site)
{
    int watch_fd;

    if (site == NULL)
        return;
    sync_host_lock();
    host_unlist_site(site);
    watch_fd = site->watch_fd;
    site->watch_fd = -1;
    site_abandon(site);
    sync_host_unlock();
    if (watch_fd >= 0) /* a fork need not wait for it */
        (void)sync_calls.close(watch_fd);
    free(site);
}

enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error)
{
    if (site->is_sealed)
        return GYRE_OK; /* its maker is alone, and it is never removed */
    for (;;) {
        struct stat      status;
        enum gyre_status result;
        int              code;

        code = site_lock_byte(site->lock_fd, F_OFD_SETLKW, F_WRLCK, SITE_BYTE_ADMIN);
        if (code != 0)
            return site_fail(error, code, "fcntl(F_OFD_SETLKW)");
        if (sync_calls.fstat(site->lock_fd, &status) != 0) {
            code = errno;
            sync_site_unlock(site);
            return site_fail(error, code, "fstat");
        }
        if (status.st_nlink > 0)
            return GYRE_OK;
        /* The ring was removed while we waited: its lock file is nobody's any more. */
        close_lock_file(site);
        result = open_lock_file(site, error);
        if (result != GYRE_OK)
            return result;
    }
}

enum gyre_status sync_site_hold(struct sync_site *site, bool is_waiting, struct gyre_error *error)
{
    const char *call = is_waiting ? "fcntl(F_OFD_SETLKW)" : "fcntl(F_OFD_SETLK)";
    int code = site_lock_byte(site->lock_fd, is_waiting ? F_OFD_SETLKW : F_OFD_SETLK, F_WRLCK,
                              SITE_BYTE_ADMIN);

    if (code == EAGAIN || code == EACCES)
        return sync_fail(error, GYRE_BUSY, code, call);
    return code == 0 ? GYRE_OK : site_fail(error, code, call);
}

void sync_site_unlock(struct sync_site *site)
{
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ADMIN);
}

enum gyre_status sync_site_identify(struct sync_site *site, const uint64_t ring_id[2],
                                    struct gyre_error *error)
{
    (void)site, (void)ring_id, (void)error; /* the directory keeps rings apart */
    return GYRE_OK;
}

enum gyre_status sync_site_attach(struct sync_site *site, struct gyre_error *error)
{
    int code = site_lock_byte(site->lock_fd, F_OFD_SETLK, F_RDLCK, SITE_BYTE_ATTACH);

    return code == 0 ? GYRE_OK : site_fail(error, code, "fcntl(F_OFD_SETLK)");
}

bool sync_site_can_keep(void)
{
    return true;
}

bool sync_site_is_named(struct sync_site *site)
{
    struct stat status;

    if (site->lock_fd < 0 || site->is_sealed)
        return true;
    return sync_calls.fstat(site->lock_fd, &status) != 0 || status.st_nlink > 0;
}

int site_lock_fd_for_looking(struct sync_site *site)
{
    char        file[SITE_FILE_SIZE];
    struct stat status;
    int         fd;

    if (site->lock_fd < 0 && site->dir_fd >= 0 && site->mode == SYNC_SITE_LOOK) {
        site_file(site, ".lock", file);
        fd = sync_calls.openat(site->dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                               0);
        if (fd >= 0 && (sync_calls.fstat(fd, &status) != 0 ||
                        !site_trusts(&site->access, SITE_LOCK, &status))) {
            (void)sync_calls.close(fd);
            fd = -1;
        }
        site->lock_fd = fd; /* it carries no leases */
    }
    return site->lock_fd;
}
