/*
 * sealed.c - sites without a guessable name: DATA as a duplicated handle, the rest by its identity.
 *
 * Whoever got DATA reads the ring's identity in it, and with that the names of all other objects.
 */
#include "site.h"

enum gyre_status sync_sealed_make_mutex(struct sync_site *site, struct gyre_error *error)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];

    sync_object_name(name, site->scope, site->id, "!init");
    site->init_mutex = sync_calls.CreateMutexExW(&site->guard.other.attributes, name, 0,
                                                 SYNCHRONIZE | MUTEX_MODIFY_STATE);
    return site->init_mutex != NULL ? GYRE_OK
                                    : sync_fail_os(error, GetLastError(), "CreateMutexExW");
}

enum gyre_status sync_site_share(struct sync_site *site, const struct sync_map *data,
                                 const struct sync_map *ctrl, intptr_t to, intptr_t *ticket,
                                 struct gyre_error *error)
{
    HANDLE theirs = NULL;

    (void)ctrl; /* has a name, which who can read DATA knows */
    *ticket = -1;
    if (!site->is_sealed) {
        error->field = "producer";
        return sync_fail(error, GYRE_UNSUPPORTED, 0, NULL);
    }
    if (!sync_calls.DuplicateHandle(sync_calls.GetCurrentProcess(), (HANDLE)data->os, (HANDLE)to,
                                    &theirs, FILE_MAP_READ, FALSE, 0)) {
        DWORD code = GetLastError();
        if (sync_calls.WaitForSingleObject((HANDLE)to, 0) != WAIT_OBJECT_0)
            return sync_fail_os(error, code, "DuplicateHandle");
        error->field = "to";
        return sync_fail(error, GYRE_CLOSED, (int32_t)code, "DuplicateHandle");
    }
    *ticket = (intptr_t)theirs;
    return GYRE_OK;
}

/* A ticket is a number that somebody told us: whatever it is, it is used up. */
enum gyre_status sync_sealed_take(struct sync_site *site, struct sync_map *map,
                                  struct gyre_error *error)
{
    enum gyre_status status = sync_map_whole(site->given, FILE_MAP_READ, map, error);

    if (status == GYRE_OK)
        site->given = NULL;
    else
        error->field = "from";
    return status;
}
