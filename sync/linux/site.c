/*
 * site.c - the directory and the lock file of a ring.
 *
 * The lock file is the anchor: whoever creates, joins or removes a ring holds its admin byte, and
 * whoever has the ring open holds a shared lock on its attach byte.  Open-file-description locks
 * are the authority because they end with the last descriptor of a process, whatever way it dies,
 * and know neither pids nor threads.  A lock file that was unlinked while somebody waited for it is
 * recognised by its link count, so no two processes ever hold "the" admin byte at once.
 */
#include "site.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIR_PATH_SIZE 4096

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

enum gyre_status site_fail(struct gyre_error *error, int code, const char *call)
{
    switch (code) {
    case ENOENT:
        return sync_fail(error, GYRE_NOT_FOUND, code, call);
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
        return sync_fail(error, GYRE_DENIED, code, call);
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
        return sync_fail(error, GYRE_NO_MEMORY, code, call);
    default:
        return sync_fail(error, GYRE_SYSTEM, code, call);
    }
}

bool site_trusts(const struct stat *status)
{
    bool is_ours = status->st_uid == geteuid() || status->st_uid == 0;

    return S_ISREG(status->st_mode) && status->st_nlink <= 1 && is_ours &&
           (status->st_mode & S_IWOTH) == 0;
}

int site_lock_byte(int fd, int command, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    while (sync_calls.fcntl_lock(fd, command, &lock) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* $GYRE_DIR, or one directory a user on the system's tmpfs. */
static void dir_path(char path[DIR_PATH_SIZE])
{
    const char *chosen = secure_getenv("GYRE_DIR");

    if (chosen != NULL && chosen[0] != '\0')
        (void)snprintf(path, DIR_PATH_SIZE, "%s", chosen);
    else
        (void)snprintf(path, DIR_PATH_SIZE, "/dev/shm/gyre-%lu", (unsigned long)geteuid());
}

enum gyre_status site_open_dir(bool is_creating, int *dir_fd, struct gyre_error *error)
{
    char        path[DIR_PATH_SIZE];
    struct stat status;
    int         fd;

    dir_path(path);
    if (is_creating && sync_calls.mkdir(path, 0700) != 0 && errno != EEXIST) {
        error->field = "GYRE_DIR";
        if (errno == ENOENT) /* its parent: no ring is missing */
            return sync_fail(error, GYRE_BAD_ARGUMENT, ENOENT, "mkdir");
        return site_fail(error, errno, "mkdir");
    }
    fd = sync_calls.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return site_fail(error, errno == ENOTDIR ? EACCES : errno, "open");
    if (sync_calls.fstat(fd, &status) != 0) {
        int code = errno;
        (void)sync_calls.close(fd);
        return site_fail(error, code, "fstat");
    }
    /* Whoever may write the directory may replace the ring under us. */
    if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & S_IWOTH) != 0) {
        (void)sync_calls.close(fd);
        error->field = "GYRE_DIR";
        return sync_fail(error, GYRE_DENIED, 0, "fstat");
    }
    *dir_fd = fd;
    return GYRE_OK;
}

/* Opens the lock file; it holds no bytes, so it cannot be half-built. */
static enum gyre_status open_lock_file(struct sync_site *site, struct gyre_error *error)
{
    char        file[SITE_FILE_SIZE];
    struct stat status;
    int         flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int         fd;

    if (site->mode == SYNC_SITE_CREATE)
        flags |= O_CREAT;
    site_file(site, ".lock", file);
    fd = sync_calls.openat(site->dir_fd, file, flags, 0600);
    if (fd < 0)
        return site_fail(error, errno, "openat");
    if (sync_calls.fstat(fd, &status) != 0) {
        int code = errno;
        (void)sync_calls.close(fd);
        return site_fail(error, code, "fstat");
    }
    if (!site_trusts(&status)) {
        (void)sync_calls.close(fd);
        return sync_fail(error, GYRE_DENIED, 0, "fstat");
    }
    site->lock_fd = fd;
    return GYRE_OK;
}

enum gyre_status sync_site_open(const char *name, enum sync_site_mode mode, struct sync_site **site,
                                struct gyre_error *error)
{
    struct sync_site *made = calloc(1, sizeof(*made));
    enum gyre_status  status;

    if (made == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, ENOMEM, "malloc");
    made->mode = mode;
    made->lock_fd = -1;
    (void)snprintf(made->name, sizeof(made->name), "%s", name);
    status = site_open_dir(mode == SYNC_SITE_CREATE, &made->dir_fd, error);
    if (status != GYRE_OK) {
        free(made);
        return status;
    }
    if (mode != SYNC_SITE_LOOK)
        status = open_lock_file(made, error);
    if (status != GYRE_OK) {
        sync_site_close(made);
        return status;
    }
    *site = made;
    return GYRE_OK;
}

void sync_site_abandon(struct sync_site *site)
{
    if (site->lock_fd >= 0)
        (void)sync_calls.close(site->lock_fd);
    if (site->dir_fd >= 0)
        (void)sync_calls.close(site->dir_fd);
    site->lock_fd = -1;
    site->dir_fd = -1;
}

void sync_site_close(struct sync_site *site)
{
    if (site == NULL)
        return;
    sync_site_abandon(site);
    free(site);
}

enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error)
{
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
        (void)sync_calls.close(site->lock_fd);
        site->lock_fd = -1;
        result = open_lock_file(site, error);
        if (result != GYRE_OK)
            return result;
    }
}

bool sync_site_hold(struct sync_site *site, bool is_waiting)
{
    int command = is_waiting ? F_OFD_SETLKW : F_OFD_SETLK;

    return site_lock_byte(site->lock_fd, command, F_WRLCK, SITE_BYTE_ADMIN) == 0;
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

/* True if no other handle has the ring open: then nobody can while we hold the admin byte. */
static bool is_last(struct sync_site *site)
{
    return site_lock_byte(site->lock_fd, F_OFD_SETLK, F_WRLCK, SITE_BYTE_ATTACH) == 0;
}

/*
 * DATA first: without it there is no ring, whatever else is left if we die in between.  The lock
 * file last: with it goes our right to the names, and a later remove would not know what is left.
 */
static void unlink_all(struct sync_site *site)
{
    static const enum sync_object objects[] = {SYNC_DATA, SYNC_CTRL};
    char                          file[SITE_FILE_SIZE];

    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        site_file(site, site_suffix(objects[i]), file);
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
        site_building_file(site, objects[i], file); /* a dead creator's */
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
    }
    for (uint32_t i = 0; i < SITE_BELL_COUNT; i++) { /* FIFOs of event loops that died */
        site_bell_file(site, i, file);
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
    }
    site_file(site, ".lock", file);
    (void)sync_calls.unlinkat(site->dir_fd, file, 0);
}

void sync_site_leave(struct sync_site *site, bool is_kept)
{
    struct stat status;

    if (site->lock_fd < 0)
        return;
    if (is_kept || site_lock_byte(site->lock_fd, F_OFD_SETLKW, F_WRLCK, SITE_BYTE_ADMIN) != 0) {
        (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
        return;
    }
    /* A lock file without a name is that of a ring removed by force: the name may be another's. */
    if (sync_calls.fstat(site->lock_fd, &status) == 0 && status.st_nlink > 0 && is_last(site))
        unlink_all(site);
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
    sync_site_unlock(site);
}

/* True if there is a ring, or in doubt. */
static bool has_data(struct sync_site *site)
{
    char file[SITE_FILE_SIZE];
    int  fd;

    site_file(site, ".data", file);
    fd = sync_calls.openat(site->dir_fd, file, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return errno != ENOENT;
    (void)sync_calls.close(fd);
    return true;
}

/* With the admin byte held: no ring and nobody attached leaves only litter. */
static void sweep(struct sync_site *site)
{
    if (!has_data(site) && is_last(site))
        unlink_all(site);
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
}

void sync_site_discard(struct sync_site *site)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};

    if (site->lock_fd < 0 || sync_site_lock(site, &ignored) != GYRE_OK)
        return;
    sweep(site);
    sync_site_unlock(site);
}

enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error)
{
    enum gyre_status status = sync_site_lock(site, error);

    if (status != GYRE_OK)
        return status;
    if (!has_data(site)) {
        sweep(site); /* what a creator left that died before there was a ring */
        status = sync_fail(error, GYRE_NOT_FOUND, ENOENT, "openat");
    } else if (!is_forced && !is_last(site)) {
        status = sync_fail(error, GYRE_BUSY, 0, NULL);
    } else {
        unlink_all(site);
    }
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
    sync_site_unlock(site);
    return status;
}

bool sync_site_can_keep(void)
{
    return true;
}

bool sync_site_is_named(struct sync_site *site)
{
    struct stat status;

    if (site->lock_fd < 0)
        return true;
    return sync_calls.fstat(site->lock_fd, &status) != 0 || status.st_nlink > 0;
}

int site_lock_fd_for_looking(struct sync_site *site)
{
    char file[SITE_FILE_SIZE];

    if (site->lock_fd < 0 && site->dir_fd >= 0 && site->mode == SYNC_SITE_LOOK) {
        site_file(site, ".lock", file);
        site->lock_fd = sync_calls.openat(site->dir_fd, file,
                                          O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    }
    return site->lock_fd;
}

enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    int              dir_fd;
    enum gyre_status status = site_open_dir(false, &dir_fd, error);
    DIR             *dir;
    struct dirent   *entry;

    if (status == GYRE_NOT_FOUND)
        return GYRE_OK; /* no directory, no rings */
    if (status != GYRE_OK)
        return status;
    dir = fdopendir(dir_fd);
    if (dir == NULL) {
        int code = errno;
        (void)sync_calls.close(dir_fd);
        return site_fail(error, code, "fdopendir");
    }
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".data") != 0)
            continue;
        entry->d_name[length - 5] = '\0';
        if (entry->d_name[0] != '.' && visit(entry->d_name, context) != 0)
            break;
    }
    (void)closedir(dir);
    return GYRE_OK;
}
