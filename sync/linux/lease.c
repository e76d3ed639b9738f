/*
 * lease.c - roles held by living processes: OFD write locks on single bytes of the lock file.
 *
 * Such a lock ends when the last descriptor of its open file description is closed, which the
 * kernel does after the last thread of a dying process has left its memory: whoever finds a lease
 * free can rely on it that its holder stores nothing any more.
 */
#include "site.h"

#include <errno.h>

static off_t role_byte(uint32_t role)
{
    if (role == SYNC_ROLE_PRODUCER)
        return SITE_BYTE_PRODUCER;
    return SITE_BYTE_SEATS + (off_t)(role - SYNC_ROLE_SEAT(0));
}

enum gyre_status sync_lease_take(struct sync_site *site, uint32_t role, struct gyre_error *error)
{
    int code = site_lock_byte(site->lock_fd, F_OFD_SETLK, F_WRLCK, role_byte(role));

    if (code == EAGAIN || code == EACCES)
        return sync_fail(error, GYRE_BUSY, code, "fcntl(F_OFD_SETLK)");
    return code == 0 ? GYRE_OK : site_fail(error, code, "fcntl(F_OFD_SETLK)");
}

void sync_lease_drop(struct sync_site *site, uint32_t role)
{
    (void)site_lock_byte(site->lock_fd, F_OFD_SETLK, F_UNLCK, role_byte(role));
}

bool sync_lease_is_free(struct sync_site *site, uint32_t role)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int          fd = site_lock_fd_for_looking(site);

    lock.l_start = role_byte(role);
    if (fd < 0 || sync_calls.fcntl_lock(fd, F_OFD_GETLK, &lock) != 0)
        return false;
    return lock.l_type == F_UNLCK;
}
