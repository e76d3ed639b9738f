/*
 * access.c - who may use a ring: owners, groups and modes, and what is trusted.
 *
 * Whoever may write a directory may replace what is in it, so a ring is trusted as far as its
 * directory: both belong to the owner whom the caller named (itself, if nobody), or to root, and
 * nobody else may write there.  Modes are set on descriptors, so that neither the umask nor a name
 * that changes hands decides.  Those who may only read get DATA alone: with a descriptor of the
 * lock file, even one for reading, they could hold up every creation and take-over.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIR_PATH_SIZE 4096
#define ENTRY_SIZE 16384 /* a line of passwd or group, long members' lists included */
#define OTHERS 0077u
#define OTHERS_MAY_READ 0044u
#define GROUP_MAY_WRITE 0020u

/* True if the text is a number, as user and group names never are. */
static bool read_number(const char *text, uint32_t *number)
{
    char         *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return *end == '\0' && errno == 0 && value < UINT32_MAX;
}

static enum gyre_status fail_name(struct gyre_error *error, int code, const char *call,
                                  const char *field)
{
    if (code == 0)
        (void)sync_fail(error, GYRE_BAD_ARGUMENT, 0, NULL);
    else
        (void)site_fail(error, code, call);
    error->field = field;
    return error->status;
}

static enum gyre_status find_owner(const char *name, uid_t *owner, struct gyre_error *error)
{
    char           buffer[ENTRY_SIZE];
    struct passwd  entry;
    struct passwd *found = NULL;
    int            code;

    if (read_number(name, owner))
        return GYRE_OK;
    code = sync_calls.getpwnam(name, &entry, buffer, sizeof(buffer), &found);
    if (found == NULL)
        return fail_name(error, code == ENOENT ? 0 : code, "getpwnam_r", "owner");
    *owner = found->pw_uid;
    return GYRE_OK;
}

static enum gyre_status find_group(const char *name, gid_t *group, struct gyre_error *error)
{
    char          buffer[ENTRY_SIZE];
    struct group  entry;
    struct group *found = NULL;
    int           code;

    if (read_number(name, group))
        return GYRE_OK;
    code = sync_calls.getgrnam(name, &entry, buffer, sizeof(buffer), &found);
    if (found == NULL)
        return fail_name(error, code == ENOENT ? 0 : code, "getgrnam_r", "owner_group");
    *group = found->gr_gid;
    return GYRE_OK;
}

enum gyre_status site_read_place(const struct sync_place *place, struct site_access *access,
                                 struct gyre_error *error)
{
    enum gyre_status status = GYRE_OK;

    access->owner = geteuid();
    access->group = SITE_ANY_GROUP;
    access->mode = place->mode;
    if (place->sddl != NULL) {
        error->field = "sddl";
        return sync_fail(error, GYRE_UNSUPPORTED, 0, NULL);
    }
    if (place->owner != NULL)
        status = find_owner(place->owner, &access->owner, error);
    if (status == GYRE_OK && place->group != NULL)
        status = find_group(place->group, &access->group, error);
    return status;
}

/* $GYRE_DIR, or one directory a user on the system's tmpfs. */
static void dir_path(const struct site_access *access, char path[DIR_PATH_SIZE])
{
    const char *chosen = secure_getenv("GYRE_DIR");

    if (chosen != NULL && chosen[0] != '\0')
        (void)snprintf(path, DIR_PATH_SIZE, "%s", chosen);
    else
        (void)snprintf(path, DIR_PATH_SIZE, "/dev/shm/gyre-%lu", (unsigned long)access->owner);
}

static enum gyre_status fail_dir(struct gyre_error *error, enum gyre_status status, int code,
                                 const char *call)
{
    error->field = "GYRE_DIR";
    return sync_fail(error, status, code, call);
}

static enum gyre_status make_dir(const char *path, bool *is_new, struct gyre_error *error)
{
    *is_new = sync_calls.mkdir(path, 0700) == 0;
    if (*is_new || errno == EEXIST)
        return GYRE_OK;
    if (errno == ENOENT) /* its parent: no ring is missing */
        return fail_dir(error, GYRE_BAD_ARGUMENT, ENOENT, "mkdir");
    (void)site_fail(error, errno, "mkdir");
    if (error->status != GYRE_NO_MEMORY)
        error->field = "GYRE_DIR";
    return error->status;
}

static enum gyre_status check_dir(const struct site_access *access, int fd, bool is_new,
                                  struct gyre_error *error)
{
    struct stat status;

    if (is_new && sync_calls.fchmod(fd, 0700) != 0) /* the umask does not decide */
        return site_fail(error, errno, "fchmod");
    if (sync_calls.fstat(fd, &status) != 0)
        return site_fail(error, errno, "fstat");
    if ((status.st_uid != access->owner && status.st_uid != 0) ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail_dir(error, GYRE_DENIED, 0, NULL);
    return GYRE_OK;
}

enum gyre_status site_open_dir(const struct site_access *access, enum site_dir purpose, int *dir_fd,
                               struct gyre_error *error)
{
    char             path[DIR_PATH_SIZE];
    bool             is_ours = access->owner == geteuid();
    bool             is_new = false;
    enum gyre_status status = GYRE_OK;
    int              fd;

    dir_path(access, path);
    if (purpose == SITE_DIR_MAKE && is_ours)
        status = make_dir(path, &is_new, error);
    if (status != GYRE_OK)
        return status;
    /* Others may search the directory of a ring that is theirs to read, but not list it. */
    fd = sync_calls.open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC |
                                   (is_ours || purpose == SITE_DIR_LIST ? O_RDONLY : O_PATH));
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == EACCES))
        return fail_dir(error, GYRE_DENIED, errno, "open");
    if (fd < 0)
        return site_fail(error, errno, "open");
    status = check_dir(access, fd, is_new, error);
    if (status != GYRE_OK) {
        (void)sync_calls.close(fd);
        return status;
    }
    *dir_fd = fd;
    return GYRE_OK;
}

enum gyre_status site_list_dir(struct site_access *access, DIR **dir, struct gyre_error *error)
{
    struct sync_place ours = {.name = NULL};
    int               dir_fd, code;
    enum gyre_status  status = site_read_place(&ours, access, error);

    if (status == GYRE_OK)
        status = site_open_dir(access, SITE_DIR_LIST, &dir_fd, error);
    if (status != GYRE_OK)
        return status;
    *dir = fdopendir(dir_fd);
    if (*dir != NULL)
        return GYRE_OK;
    code = errno;
    (void)sync_calls.close(dir_fd);
    return site_fail(error, code, "fdopendir");
}

bool site_trusts(const struct site_access *access, enum site_file file, const struct stat *status)
{
    mode_t bad = file == SITE_DATA ? S_IWGRP | S_IWOTH : S_IWOTH;

    return S_ISREG(status->st_mode) && status->st_nlink <= 1 &&
           (status->st_uid == access->owner || status->st_uid == 0) && (status->st_mode & bad) == 0;
}

static mode_t mode_of(mode_t asked, enum site_file file)
{
    if (file == SITE_DATA)
        return 0600 | (asked & OTHERS_MAY_READ);
    return (asked & GROUP_MAY_WRITE) != 0 ? 0660 : 0600;
}

enum gyre_status site_protect(const struct sync_site *site, enum site_file file, int fd,
                              struct gyre_error *error)
{
    const struct site_access *access = &site->access;

    /* The group first: until then its rights would be another group's. */
    if (access->group != SITE_ANY_GROUP && sync_calls.fchown(fd, (uid_t)-1, access->group) != 0) {
        (void)site_fail(error, errno, "fchown");
        error->field = "owner_group";
        return error->status;
    }
    if (sync_calls.fchmod(fd, mode_of(access->mode, file)) != 0)
        return site_fail(error, errno, "fchmod");
    return GYRE_OK;
}

enum gyre_status site_open_to_others(const struct sync_site *site, struct gyre_error *error)
{
    struct stat status;

    if ((site->access.mode & OTHERS) == 0)
        return GYRE_OK;
    if (sync_calls.fstat(site->dir_fd, &status) != 0)
        return site_fail(error, errno, "fstat");
    if ((status.st_mode & 0011) == 0011 ||
        sync_calls.fchmod(site->dir_fd, (status.st_mode & 07777) | 0011) == 0)
        return GYRE_OK;
    (void)site_fail(error, errno, "fchmod");
    error->field = "GYRE_DIR";
    return error->status;
}

static enum gyre_status differs(struct gyre_error *error, const char *field)
{
    error->field = field;
    return sync_fail(error, GYRE_EXISTS, 0, NULL);
}

enum gyre_status site_compare(struct sync_site *site, enum site_file file,
                              const struct stat *status, struct gyre_error *error)
{
    struct site_access *access = &site->access;
    struct stat         lock;

    if (access->mode != 0 && (status->st_mode & 0777) != mode_of(access->mode, file))
        return differs(error, "mode");
    if (access->group != SITE_ANY_GROUP && status->st_gid != access->group)
        return differs(error, "owner_group");
    /* What has to be made anew gets the rights that the rest has. */
    if (file == SITE_DATA && access->mode == 0) {
        access->mode = 0600 | (status->st_mode & OTHERS_MAY_READ);
        access->group = status->st_gid;
        if (sync_calls.fstat(site->lock_fd, &lock) == 0)
            access->mode |= lock.st_mode & GROUP_MAY_WRITE;
    }
    return GYRE_OK;
}

static const char *const file_names[] = {"data", "ctrl", "lock"};

enum gyre_status site_blame_making(const struct sync_site *site, struct gyre_error *error,
                                   enum gyre_status status, enum site_file file)
{
    char        suffix[8], name[SITE_FILE_SIZE];
    struct stat there;

    (void)snprintf(suffix, sizeof(suffix), ".%s", file_names[file]);
    site_file(site, suffix, name);
    if (status == GYRE_DENIED && site->mode == SYNC_SITE_CREATE &&
        sync_calls.fstatat(site->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        error->field = "GYRE_DIR";
    return site_blame(error, status, file);
}

enum gyre_status site_blame(struct gyre_error *error, enum gyre_status status, enum site_file file)
{
    if (status < 0 && status != GYRE_NOT_FOUND && error->field == NULL)
        error->field = file_names[file];
    return status;
}
