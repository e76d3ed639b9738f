/*
 * map.c - the two shared objects of a ring: files on tmpfs.  Those without names: sealed.c.
 *
 * A new object is an unnamed file until it is published, so its name never denotes a half-built one
 * and a creator that dies leaves nothing.  Its memory is committed by posix_fallocate: ftruncate
 * and MAP_POPULATE report success on a full tmpfs, and the first touch is then SIGBUS.
 */
#include "pages.h"
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define POPULATE_LIMIT (UINT64_C(1) << 30) /* larger maps fault in page by page */
#define COMMIT_PIECE (UINT64_C(1) << 20)

enum gyre_status site_map(int fd, uint64_t size, bool is_writable, struct sync_map *map,
                          struct gyre_error *error)
{
    int   protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
    int   flags = size <= POPULATE_LIMIT ? MAP_SHARED | MAP_POPULATE : MAP_SHARED;
    void *base;

    if (size > SIZE_MAX)
        return sync_fail(error, GYRE_NO_MEMORY, ENOMEM, "mmap");
    base = sync_calls.mmap(NULL, (size_t)size, protection, flags, fd, 0);
    if (base == MAP_FAILED)
        return site_fail(error, errno, "mmap");
    map->base = base;
    map->size = size;
    return GYRE_OK;
}

static int open_unnamed(struct sync_site *site, enum sync_object object)
{
    char file[SITE_FILE_SIZE];
    int  fd = sync_calls.openat(site->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    site_building_file(site, object, file);
    (void)sync_calls.unlinkat(site->dir_fd, file, 0); /* a dead creator's: we hold the admin byte */
    return sync_calls.openat(site->dir_fd, file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
}

enum site_file site_file_of(enum sync_object object)
{
    return object == SYNC_DATA ? SITE_DATA : SITE_CTRL;
}

/*
 * Over its limit of file size a process gets SIGXFSZ, which ends it: the limit is asked first.  The
 * kernel may undo what it has done when a signal comes; what was interrupted goes on in pieces,
 * since under a quick timer all at once might never be done.
 */
int site_commit(int fd, uint64_t size)
{
    struct rlimit limit;
    int           code;

    if (sync_calls.getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur)
        return EFBIG;
    code = sync_calls.fallocate(fd, 0, (off_t)size);
    if (code != EINTR)
        return code;
    code = 0;
    for (uint64_t done = 0, piece = 0; done < size && code == 0; done += piece) {
        piece = size - done < COMMIT_PIECE ? size - done : COMMIT_PIECE;
        do {
            code = sync_calls.fallocate(fd, (off_t)done, (off_t)piece);
        } while (code == EINTR);
    }
    return code;
}

/* The lock file is from before the ring, perhaps from before an earlier one with other rights. */
static enum gyre_status protect_object(struct sync_site *site, enum sync_object object, int fd,
                                       struct gyre_error *error)
{
    enum gyre_status status = site_protect(site, site_file_of(object), fd, error);

    if (status == GYRE_OK && object == SYNC_DATA)
        status = site_protect(site, SITE_LOCK, site->lock_fd, error);
    return status;
}

static enum gyre_status make_object(struct sync_site *site, enum sync_object object, uint64_t size,
                                    struct sync_map *map, struct gyre_error *error)
{
    int              fd = open_unnamed(site, object);
    int              code;
    enum gyre_status status;

    if (fd < 0)
        return site_blame_making(site, error, site_fail(error, errno, "openat"),
                                 site_file_of(object));
    GYRE_FAULT(map_made);
    code = site_commit(fd, size);
    GYRE_FAULT(map_committed);
    if (code != 0)
        status = site_fail(error, code, "posix_fallocate");
    else
        status = protect_object(site, object, fd, error);
    if (status == GYRE_OK)
        status = site_map(fd, size, true, map, error);
    if (status != GYRE_OK) {
        (void)sync_calls.close(fd);
        return status;
    }
    map->os = fd + 1; /* kept for publish; 0 is "none" */
    return GYRE_OK;
}

bool site_is_whole(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_size > 0 &&
           status->st_blocks * 512 >= status->st_size; /* a hole's touch may be SIGBUS */
}

static enum gyre_status judge_file(struct sync_site *site, enum sync_object object,
                                   const struct stat *status, struct gyre_error *error)
{
    if (!site_is_whole(status))
        return sync_fail(error, GYRE_BAD_LAYOUT, 0, NULL);
    if (!site_trusts(&site->access, site_file_of(object), status))
        return sync_fail(error, GYRE_DENIED, 0, NULL);
    if (site->mode == SYNC_SITE_CREATE)
        return site_compare(site, site_file_of(object), status, error);
    return GYRE_OK;
}

enum gyre_status sync_map_open(struct sync_site *site, enum sync_object object, bool is_writable,
                               struct sync_map *map, struct gyre_error *error)
{
    char             file[SITE_FILE_SIZE];
    struct stat      file_status;
    enum gyre_status status;
    int flags = (is_writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd;

    if (site->is_sealed)
        return sealed_take(site, object, is_writable, map, error);
    site_file(site, site_suffix(object), file);
    fd = sync_calls.openat(site->dir_fd, file, flags, 0);
    if (fd < 0)
        return site_blame(error, site_fail(error, errno, "openat"), site_file_of(object));
    if (sync_calls.fstat(fd, &file_status) != 0)
        status = site_fail(error, errno, "fstat");
    else
        status = judge_file(site, object, &file_status, error);
    if (status == GYRE_OK)
        status = site_map(fd, (uint64_t)file_status.st_size, is_writable, map, error);
    (void)sync_calls.close(fd);
    if (status == GYRE_OK)
        map->os = 0;
    return site_blame(error, status, site_file_of(object));
}

enum gyre_status sync_map_obtain(struct sync_site *site, enum sync_object object, uint64_t size,
                                 struct sync_map *map, bool *is_new, struct gyre_error *error)
{
    enum gyre_status status;

    *is_new = true;
    if (site->is_sealed)
        return sealed_make(site, object, size, map, error);
    status = sync_map_open(site, object, true, map, error);
    *is_new = status == GYRE_NOT_FOUND;
    if (status != GYRE_NOT_FOUND)
        return status;
    return make_object(site, object, size, map, error);
}

/* 0 or an errno.  The admin byte is held, so nobody makes the name between unlink and link. */
static int name_object(struct sync_site *site, enum sync_object object, int fd)
{
    char        from[SITE_FILE_SIZE];
    char        name[SITE_FILE_SIZE];
    struct stat status;

    site_file(site, site_suffix(object), name);
    if (sync_calls.fstat(fd, &status) != 0)
        return errno;
    if (status.st_nlink > 0) {
        site_building_file(site, object, from);
        return sync_calls.renameat(site->dir_fd, from, site->dir_fd, name) == 0 ? 0 : errno;
    }
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    (void)sync_calls.unlinkat(site->dir_fd, name, 0);
    if (sync_calls.linkat(AT_FDCWD, from, site->dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    /* Without /proc only a privileged process can link a descriptor. */
    if (errno == ENOENT && sync_calls.linkat(fd, "", site->dir_fd, name, AT_EMPTY_PATH) == 0)
        return 0;
    return errno;
}

enum gyre_status sync_map_publish(struct sync_site *site, enum sync_object object,
                                  struct sync_map *map, struct gyre_error *error)
{
    int              fd = (int)map->os - 1;
    int              code;
    enum gyre_status status;

    if (fd < 0 || site->is_sealed)
        return GYRE_OK;
    status = object == SYNC_DATA ? site_open_to_others(site, error) : GYRE_OK;
    if (status != GYRE_OK)
        return status;
    code = name_object(site, object, fd);
    (void)sync_calls.close(fd);
    map->os = 0;
    return code == 0 ? GYRE_OK : site_fail(error, code, "linkat");
}

void sync_map_discard(struct sync_site *site, enum sync_object object)
{
    char file[SITE_FILE_SIZE];

    if (site->is_sealed)
        return;
    site_file(site, site_suffix(object), file);
    (void)sync_calls.unlinkat(site->dir_fd, file, 0);
}

void sync_map_prefault(const struct sync_map *map, bool is_writable)
{
    pages_touch(map, is_writable);
}

void sync_map_close(struct sync_map *map)
{
    if (map->os > 0)
        (void)sync_calls.close((int)map->os - 1);
    if (map->base != NULL)
        (void)sync_calls.munmap(map->base, (size_t)map->size);
    map->os = 0;
    map->base = NULL;
    map->size = 0;
}
