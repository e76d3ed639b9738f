/*
 * site.c - the named place where the objects of one ring live.
 *
 * Windows removes an object with its last handle.  So a site is a name, the mutex that guards its
 * creation and what the other files keep per handle; to be attached is to have handles, and nobody
 * can remove what somebody has open.  It knows how names are made.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

void sync_object_name(wchar_t name[SYNC_OBJECT_NAME_SIZE], enum sync_scope scope, const char *stem,
                      const char *suffix)
{
    const char *space = scope == SYNC_SCOPE_GLOBAL ? "Global\\" : "Local\\";
    char        ascii[SYNC_OBJECT_NAME_SIZE];
    int         length =
        snprintf(ascii, sizeof(ascii), "%s" SYNC_OBJECT_PREFIX "%s%s", space, stem, suffix);

    assert(length > 0 && (size_t)length < sizeof(ascii));
    for (int idx = 0; idx <= length; idx++)
        name[idx] = (wchar_t)ascii[idx];
}

static enum gyre_status blame_lock(struct gyre_error *error, enum gyre_status status)
{
    if (status == GYRE_DENIED)
        error->field = "lock";
    return status;
}

/* What tells us that a site is there is its mutex; one who only looks does not keep it. */
static enum gyre_status find_init_mutex(struct sync_site *site, const wchar_t *name,
                                        enum sync_site_mode mode, struct gyre_error *error)
{
    DWORD access =
        mode == SYNC_SITE_LOOK ? SYNCHRONIZE : SYNCHRONIZE | MUTEX_MODIFY_STATE | READ_CONTROL;
    HANDLE mutex = sync_calls.OpenMutexW(access, FALSE, name);
    DWORD  os_code = GetLastError();

    if (mutex == NULL && (mode == SYNC_SITE_JOIN || os_code == ERROR_FILE_NOT_FOUND))
        return blame_lock(error, sync_fail_os(error, os_code, "OpenMutexW"));
    if (mode == SYNC_SITE_JOIN)
        site->init_mutex = mutex;
    else if (mutex != NULL)
        sync_calls.CloseHandle(mutex);
    return GYRE_OK;
}

static enum gyre_status open_init_mutex(struct sync_site *site, enum sync_site_mode mode,
                                        struct gyre_error *error)
{
    wchar_t          name[SYNC_OBJECT_NAME_SIZE];
    enum gyre_status status = GYRE_OK;

    sync_object_name(name, site->scope, site->name, "!init");
    if (mode != SYNC_SITE_CREATE) {
        status = find_init_mutex(site, name, mode, error);
    } else {
        site->init_mutex =
            sync_calls.CreateMutexExW(&site->guard.other.attributes, name, 0,
                                      SYNCHRONIZE | MUTEX_MODIFY_STATE | READ_CONTROL);
        if (site->init_mutex == NULL)
            status = blame_lock(error, sync_fail_os(error, GetLastError(), "CreateMutexExW"));
    }
    if (status != GYRE_OK || site->init_mutex == NULL)
        return status;
    if (sync_guard_owns(&site->guard, site->init_mutex))
        return GYRE_OK;
    return blame_lock(
        error, sync_fail(error, GYRE_DENIED, ERROR_INVALID_OWNER, "GetKernelObjectSecurity"));
}

enum gyre_status sync_site_open_at(const struct sync_place *place, enum sync_site_mode mode,
                                   struct sync_site **site, struct gyre_error *error)
{
    struct sync_site *opened = calloc(1, sizeof(*opened));
    enum gyre_status  status;

    assert(strlen(place->name) < sizeof(opened->name));
    if (opened == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
    strcpy(opened->name, place->name);
    opened->scope = place->is_global ? SYNC_SCOPE_GLOBAL : SYNC_SCOPE_LOCAL;
    opened->is_sealed = place->is_sealed;
    if (place->is_sealed && mode != SYNC_SITE_CREATE)
        opened->given = (HANDLE)place->from;
    status = sync_guard_init(&opened->guard, place, error);
    if (status == GYRE_OK && !place->is_sealed)
        status = open_init_mutex(opened, mode, error);
    if (status == GYRE_OK)
        *site = opened;
    else
        sync_site_close(opened);
    return status;
}

void sync_site_close(struct sync_site *site)
{
    if (site == NULL)
        return;
    sync_lease_drop_all(site);
    sync_lease_forget_peers(site);
    sync_site_unlock(site);
    if (site->timer != NULL)
        sync_calls.CloseHandle(site->timer);
    if (site->init_mutex != NULL)
        sync_calls.CloseHandle(site->init_mutex);
    if (site->given != NULL)
        sync_calls.CloseHandle(site->given);
    sync_guard_close(&site->guard);
    free(site);
}

/* An abandoned mutex is no error: whoever reads the map finds out how far the dead one came. */
enum gyre_status sync_site_lock(struct sync_site *site, struct gyre_error *error)
{
    if (site->is_sealed)
        return GYRE_OK; /* its maker is alone, and whoever joins has it in hand */
    assert(site->init_mutex != NULL && !site->is_locked);
    return sync_site_hold(site, true, error);
}

enum gyre_status sync_site_hold(struct sync_site *site, bool is_waiting, struct gyre_error *error)
{
    enum gyre_status status = GYRE_OK;
    DWORD            woken;

    if (site->init_mutex == NULL)
        status = sync_sealed_make_mutex(site, error);
    if (status != GYRE_OK)
        return status;
    woken = sync_calls.WaitForSingleObject(site->init_mutex, is_waiting ? INFINITE : 0);
    if (woken == WAIT_TIMEOUT)
        return sync_fail(error, GYRE_BUSY, 0, NULL);
    if (woken != WAIT_OBJECT_0 && woken != WAIT_ABANDONED)
        return sync_fail_os(error, GetLastError(), "WaitForSingleObject");
    site->is_locked = true;
    return GYRE_OK;
}

/* In the thread that locked. */
void sync_site_unlock(struct sync_site *site)
{
    if (site->is_locked)
        sync_calls.ReleaseMutex(site->init_mutex);
    site->is_locked = false;
}

enum gyre_status sync_site_identify(struct sync_site *site, const uint64_t ring_id[2],
                                    struct gyre_error *error)
{
    (void)error;
    if (site->id[0] != '\0' && memcmp(site->ring_id, ring_id, sizeof(site->ring_id)) != 0)
        sync_lease_forget_peers(site);
    memcpy(site->ring_id, ring_id, sizeof(site->ring_id));
    for (unsigned idx = 0; idx < 2; idx++)
        snprintf(site->id + 16 * idx, sizeof(site->id) - 16 * idx, "%08lx%08lx",
                 (unsigned long)(ring_id[idx] >> 32), (unsigned long)(ring_id[idx] & UINT32_MAX));
    return GYRE_OK;
}

enum gyre_status sync_site_attach(struct sync_site *site, struct gyre_error *error)
{
    (void)site;
    (void)error;
    return GYRE_OK;
}

void sync_site_leave(struct sync_site *site, bool is_kept)
{
    (void)site;
    (void)is_kept;
}

/* The mutex goes with its last handle. */
void sync_site_discard(struct sync_site *site)
{
    (void)site;
}

/* Needs no lock: it changes nothing, and its answer may be out of date at once in any case. */
enum gyre_status sync_site_remove(struct sync_site *site, bool is_forced, struct gyre_error *error)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];

    (void)is_forced;
    sync_object_name(name, site->scope, site->name, "");
    HANDLE section = sync_calls.OpenFileMappingW(FILE_MAP_READ, FALSE, name);
    if (section == NULL)
        return sync_fail_os(error, GetLastError(), "OpenFileMapping");
    sync_calls.CloseHandle(section);
    return sync_fail(error, GYRE_BUSY, 0, NULL);
}

bool sync_site_can_keep(void)
{
    return false;
}

/* A section keeps its name as long as anybody has it open. */
bool sync_site_is_named(struct sync_site *site)
{
    (void)site;
    return true;
}
