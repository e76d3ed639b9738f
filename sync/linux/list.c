/*
 * list.c - the rings that are there: the files of their names in our user's directory.
 */
#include "site.h"

#include <string.h>

/* True in doubt: whoever opens it will be told. */
static bool is_regular(int dir_fd, const char *file)
{
    struct stat status;

    return sync_calls.fstatat(dir_fd, file, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
           S_ISREG(status.st_mode);
}

enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    struct site_access access;
    DIR               *dir;
    enum gyre_status   status = site_list_dir(&access, &dir, error);
    struct dirent     *entry;

    if (status == GYRE_NOT_FOUND)
        return GYRE_OK; /* no directory, no rings */
    if (status != GYRE_OK)
        return status;
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".data") != 0 ||
            entry->d_name[0] == '.' || !is_regular(dirfd(dir), entry->d_name))
            continue;
        entry->d_name[length - 5] = '\0';
        if (visit(entry->d_name, context) != 0)
            break;
    }
    (void)closedir(dir);
    return GYRE_OK;
}
