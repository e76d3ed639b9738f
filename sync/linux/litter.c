/*
 * litter.c - how a ring's files go, and what dead processes have left in the directory of rings.
 *
 * A file's name says what it may be of, its bytes whether it is, and the locks whether anybody has
 * use for it.  To look takes none; to remove takes those that keep everybody off, and looks again.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- how a ring's files go ------------------------------------------------------------------- */

/* True if no other handle has the ring open: then nobody can while we hold the admin byte. */
static bool is_last(struct sync_site *site)
{
    return site_lock_byte(site->lock_fd, F_OFD_SETLK, F_WRLCK, SITE_BYTE_ATTACH) == 0;
}

/* A lock file holds no bytes: one that does is somebody's own, whatever its name. */
static void unlink_lock(struct sync_site *site)
{
    char        file[SITE_FILE_SIZE];
    struct stat status;

    site_file(site, ".lock", file);
    if (sync_calls.fstat(site->lock_fd, &status) == 0 && status.st_size == 0)
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
}

/*
 * DATA first: without it there is no ring, whatever else is left if we die in between.  The lock
 * file last: with it goes our right to the names, and a later remove would not know what is left.
 */
static int unlink_all(struct sync_site *site)
{
    static const enum sync_object objects[] = {SYNC_DATA, SYNC_CTRL};
    char                          file[SITE_FILE_SIZE];
    int                           code = 0;

    GYRE_FAULT(remove_begun);
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        site_file(site, site_suffix(objects[i]), file);
        if (sync_calls.unlinkat(site->dir_fd, file, 0) != 0 && errno != ENOENT)
            code = errno;                           /* another user's: all of it stays */
        site_building_file(site, objects[i], file); /* a dead creator's */
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
        GYRE_FAULT(remove_unnamed);
    }
    for (uint32_t i = 0; i < SITE_BELL_COUNT; i++) { /* FIFOs of event loops that died */
        site_bell_file(site, i, file);
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
    }
    GYRE_FAULT(remove_bare);
    unlink_lock(site);
    return code;
}

void sync_site_leave(struct sync_site *site, bool is_kept)
{
    struct stat status;

    if (site->lock_fd < 0 || site->is_sealed)
        return;
    if (is_kept || site_lock_byte(site->lock_fd, F_OFD_SETLKW, F_WRLCK, SITE_BYTE_ADMIN) != 0) {
        (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
        return;
    }
    /* A lock file without a name is that of a ring removed by force: the name may be another's. */
    if (sync_calls.fstat(site->lock_fd, &status) == 0 && status.st_nlink > 0 && is_last(site))
        (void)unlink_all(site);
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
    sync_site_unlock(site);
}

/* True if there is a ring, or in doubt. */
static bool has_data(struct sync_site *site)
{
    char        file[SITE_FILE_SIZE];
    struct stat status;

    site_file(site, ".data", file); /* without a descriptor: they may be used up */
    return sync_calls.fstatat(site->dir_fd, file, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
           errno != ENOENT;
}

/* With the admin byte held: no ring and nobody attached leaves only litter. */
static void sweep(struct sync_site *site)
{
    if (!has_data(site) && is_last(site))
        (void)unlink_all(site);
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
}

void sync_site_discard(struct sync_site *site)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};

    if (site->lock_fd < 0 || site->is_sealed || sync_site_lock(site, &ignored) != GYRE_OK)
        return;
    sweep(site);
    sync_site_unlock(site);
}

void site_discard_file(struct sync_site *site, const char *file)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};

    if (sync_site_lock(site, &ignored) != GYRE_OK)
        return;
    if (!has_data(site) && is_last(site)) {
        (void)sync_calls.unlinkat(site->dir_fd, file, 0);
        unlink_lock(site);
    }
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
    sync_site_unlock(site);
}

enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error)
{
    enum gyre_status status = sync_site_lock(site, error);

    if (status != GYRE_OK)
        return status;
    if (!has_data(site)) {
        sweep(site); /* what a creator left that died before there was a ring */
        status = sync_fail(error, GYRE_NOT_FOUND, ENOENT, "fstatat");
    } else if (!is_forced && !is_last(site)) {
        status = sync_fail(error, GYRE_BUSY, 0, NULL);
    } else {
        int code = unlink_all(site);
        if (code != 0)
            status = site_blame(error, site_fail(error, code, "unlinkat"), SITE_DATA);
    }
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, SITE_BYTE_ATTACH);
    sync_site_unlock(site);
    return status;
}

/* --- what is left of rings ------------------------------------------------------------------- */

static bool ends_so(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

/* Cuts the suffix off.  False: the name does not end so. */
static bool cut(char *name, const char *suffix)
{
    if (!ends_so(name, suffix))
        return false;
    name[strlen(name) - strlen(suffix)] = '\0';
    return true;
}

/* NAME.bell.N */
static bool cut_bell(char *name, uint32_t *which)
{
    char *dot = strrchr(name, '.');
    char *end;

    if (dot == NULL || dot[1] < '0' || dot[1] > '9')
        return false;
    *which = (uint32_t)strtoul(dot + 1, &end, 10);
    if (*end != '\0' || *which == 0 || *which >= SITE_BELL_COUNT)
        return false;
    *dot = '\0';
    return cut(name, ".bell");
}

static bool is_there(int dir_fd, const char *ring, const char *suffix)
{
    char        file[SITE_FILE_SIZE];
    struct stat status;

    (void)snprintf(file, sizeof(file), "%.200s%s", ring, suffix);
    return sync_calls.fstatat(dir_fd, file, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* True in doubt. */
static bool is_locked(int lock_fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return sync_calls.fcntl_lock(lock_fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

/* True if somebody has the ring open, makes it or removes it, or in doubt. */
static bool is_used(int dir_fd, const char *ring, off_t byte)
{
    char file[SITE_FILE_SIZE];
    int  fd;
    bool result;

    (void)snprintf(file, sizeof(file), "%.200s.lock", ring);
    fd = sync_calls.openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return errno != ENOENT;
    result = byte >= SITE_BYTE_SEATS
                 ? is_locked(fd, byte)
                 : is_locked(fd, SITE_BYTE_ATTACH) || is_locked(fd, SITE_BYTE_ADMIN);
    (void)sync_calls.close(fd);
    return result;
}

/* Leaves the ring's name of a part's; .NAME.data and .NAME.ctrl are being built. */
static bool cut_part(char *ring, struct sync_finding *finding, uint32_t *which)
{
    finding->is_unfinished = ring[0] == '.';
    if (finding->is_unfinished)
        memmove(ring, ring + 1, strlen(ring));
    if (cut(ring, ".data")) {
        finding->kind = finding->is_unfinished ? SYNC_LITTER_FILE : SYNC_LITTER_RING;
        return true;
    }
    finding->kind = SYNC_LITTER_FILE;
    if (cut(ring, ".ctrl"))
        return true;
    return !finding->is_unfinished && (cut(ring, ".lock") || cut_bell(ring, which));
}

/* How large the file is and how it begins.  False in doubt. */
static bool read_start(int dir_fd, off_t size, struct sync_finding *finding)
{
    ssize_t got;
    int     fd;

    finding->size = (uint64_t)size;
    if (finding->size < sizeof(finding->magic))
        return true;
    fd =
        sync_calls.openat(dir_fd, finding->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return false;
    got = sync_calls.read(fd, &finding->magic, sizeof(finding->magic));
    (void)sync_calls.close(fd);
    return got == (ssize_t)sizeof(finding->magic);
}

static bool say_foreign(char *ring, struct sync_finding *finding)
{
    finding->kind = SYNC_LITTER_FOREIGN;
    ring[0] = '\0';
    return true;
}

/* What a file of that name is.  False: nothing to find fault with. */
static bool judge(int dir_fd, const struct site_access *access, char *ring,
                  struct sync_finding *finding)
{
    struct stat status;
    bool        is_ring_there;
    uint32_t    which = 0;
    bool        is_part = cut_part(ring, finding, &which);

    if (sync_calls.fstatat(dir_fd, finding->file, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false; /* gone meanwhile */
    if (!is_part || (which != 0) != S_ISFIFO(status.st_mode) ||
        (which == 0 && !site_trusts(access, SITE_LOCK, &status)))
        return say_foreign(ring, finding);
    if (finding->kind == SYNC_LITTER_RING)
        return !is_used(dir_fd, ring, SITE_BYTE_ATTACH);
    is_ring_there = is_there(dir_fd, ring, ".data");
    if (is_ring_there && which != 0) {
        finding->kind = SYNC_LITTER_BELL;
        finding->idx = which - 1;
        return !is_used(dir_fd, ring, SITE_BYTE_SEATS + (off_t)finding->idx);
    }
    if (is_ring_there && !finding->is_unfinished)
        return false;
    if (ends_so(finding->file, ".lock") && status.st_size > 0) /* a lock file holds no bytes */
        return say_foreign(ring, finding);
    return !is_used(dir_fd, ring, SITE_BYTE_ATTACH) && read_start(dir_fd, status.st_size, finding);
}

enum gyre_status sync_litter_find(void (*visit)(const struct sync_finding *finding, void *context),
                                  void *context, struct gyre_error *error)
{
    struct site_access access;
    DIR               *dir;
    enum gyre_status   status = site_list_dir(&access, &dir, error);
    struct dirent     *entry;

    if (status == GYRE_NOT_FOUND)
        return GYRE_OK; /* no directory, no litter */
    if (status != GYRE_OK)
        return status;
    while ((entry = readdir(dir)) != NULL) {
        char                ring[SITE_FILE_SIZE];
        struct sync_finding finding = {.ring = ring, .file = entry->d_name};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(ring, sizeof(ring), "%s", entry->d_name);
        if (judge(dirfd(dir), &access, ring, &finding))
            visit(&finding, context);
    }
    (void)closedir(dir);
    return GYRE_OK;
}

/* Whoever has the lease of the seat is the only one who makes or removes its FIFO. */
static void remove_bell(struct sync_site *site, const struct sync_finding *finding)
{
    struct gyre_error ignored = {GYRE_OK, 0, NULL, NULL};

    if (sync_site_lock(site, &ignored) != GYRE_OK)
        return;
    if (sync_lease_take(site, SYNC_ROLE_SEAT(finding->idx), &ignored) == GYRE_OK) {
        (void)sync_calls.unlinkat(site->dir_fd, finding->file, 0);
        sync_lease_drop(site, SYNC_ROLE_SEAT(finding->idx));
    }
    sync_site_unlock(site);
}

bool sync_litter_remove(const struct sync_finding *finding)
{
    struct gyre_error   ignored = {GYRE_OK, 0, NULL, NULL};
    enum sync_site_mode mode =
        finding->kind == SYNC_LITTER_BELL ? SYNC_SITE_JOIN : SYNC_SITE_CREATE;
    struct sync_site *site;
    struct stat       status;
    bool              is_gone;

    if (sync_site_open(finding->ring, mode, &site, &ignored) != GYRE_OK)
        return false;
    if (finding->kind == SYNC_LITTER_BELL)
        remove_bell(site, finding);
    else
        site_discard_file(site, finding->file);
    is_gone = sync_calls.fstatat(site->dir_fd, finding->file, &status, AT_SYMLINK_NOFOLLOW) != 0;
    sync_site_close(site);
    return is_gone;
}

enum gyre_status sync_litter_space(uint64_t *size, uint64_t *free_size, struct gyre_error *error)
{
    struct sync_place  ours = {.name = NULL};
    struct site_access access;
    struct statvfs     status;
    int                dir_fd;
    enum gyre_status   result = site_read_place(&ours, &access, error);

    if (result == GYRE_OK)
        result = site_open_dir(&access, SITE_DIR_MAKE, &dir_fd, error);
    if (result != GYRE_OK)
        return result;
    if (sync_calls.fstatvfs(dir_fd, &status) != 0)
        result = site_fail(error, errno, "fstatvfs");
    (void)sync_calls.close(dir_fd);
    if (result != GYRE_OK)
        return result;
    *size = (uint64_t)status.f_blocks * status.f_frsize;
    *free_size = (uint64_t)status.f_bavail * status.f_frsize;
    return GYRE_OK;
}
