/*
 * site.c - the named place where the objects of one ring live.
 *
 * Windows removes an object with its last handle.  So a site is a name, the mutex that guards its
 * creation and what the other files keep per handle; to be attached is to have handles, and nobody
 * can remove what somebody has open.  It knows how names are made and how they are listed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

#define PREFIX "Gyre."
#define NAME_NOT_FOUND ((NTSTATUS)0xC0000034L)
#define PATH_NOT_FOUND ((NTSTATUS)0xC000003AL)
#define ACCESS_REFUSED ((NTSTATUS)0xC0000022L)
#define NO_MORE_ENTRIES ((NTSTATUS)0x8000001AL)
#define DIRECTORY_QUERY_RIGHT 0x0001u
#define ENTRY_SIZE (132u * 1024u) /* holds the longest name and type that can exist */

void sync_object_name(wchar_t name[SYNC_OBJECT_NAME_SIZE], enum sync_scope scope, const char *stem,
                      const char *suffix)
{
    const char *space = scope == SYNC_SCOPE_GLOBAL ? "Global\\" : "Local\\";
    char        ascii[SYNC_OBJECT_NAME_SIZE];
    int         length = snprintf(ascii, sizeof(ascii), "%s" PREFIX "%s%s", space, stem, suffix);

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

void sync_site_abandon(struct sync_site *site)
{
    (void)site;
}

/* The names that were found, collected first: the directory may change under a visitor's hands. */
struct name_list {
    char (*names)[SYNC_RING_NAME_SIZE];
    size_t count;
    size_t capacity;
};

/*
 * The name of the ring if the entry is the section of one: the prefix, then only characters that a
 * ring's name may have, which keeps the auxiliary objects out.
 */
static bool ring_of_entry(const struct sync_directory_entry *entry, char name[SYNC_RING_NAME_SIZE])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t prefix_length = sizeof(PREFIX) - 1;
    size_t       length = entry->name.Length / sizeof(wchar_t);

    if (entry->type.Length != sizeof(L"Section") - sizeof(wchar_t) ||
        memcmp(entry->type.Buffer, L"Section", entry->type.Length) != 0)
        return false;
    if (length <= prefix_length || length >= prefix_length + SYNC_RING_NAME_SIZE)
        return false;
    for (size_t idx = 0; idx < length; idx++) {
        wchar_t letter = entry->name.Buffer[idx];
        if (idx < prefix_length && letter != (wchar_t)PREFIX[idx])
            return false;
        if (letter == 0 || letter > 127 || strchr(allowed, (int)letter) == NULL)
            return false;
        if (idx >= prefix_length)
            name[idx - prefix_length] = (char)letter;
    }
    name[length - prefix_length] = '\0';
    return true;
}

/* Another user's section may be in the same session. */
static bool is_of_this_user(const struct sync_guard *guard, const char *ring)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];

    sync_object_name(name, SYNC_SCOPE_LOCAL, ring, "");
    HANDLE section = sync_calls.OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, name);
    if (section == NULL)
        return false;
    bool is_owned = sync_guard_owns(guard, section);
    sync_calls.CloseHandle(section);
    return is_owned;
}

/* The directory is walked by position, so a change meanwhile can show an entry twice. */
static bool add_name(struct name_list *list, const char *name)
{
    for (size_t idx = 0; idx < list->count; idx++)
        if (strcmp(list->names[idx], name) == 0)
            return true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        void  *names = realloc(list->names, capacity * sizeof(*list->names));
        if (names == NULL)
            return false;
        list->names = names;
        list->capacity = capacity;
    }
    strcpy(list->names[list->count++], name);
    return true;
}

static enum gyre_status fail_nt(struct gyre_error *error, NTSTATUS result, const char *call)
{
    return sync_fail(error, result == ACCESS_REFUSED ? GYRE_DENIED : GYRE_SYSTEM, (int32_t)result,
                     call);
}

static NTSTATUS open_at(const wchar_t *path, HANDLE *directory)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES which;

    name.Buffer = (wchar_t *)(uintptr_t)path;
    name.Length = (USHORT)(wcslen(path) * sizeof(wchar_t));
    name.MaximumLength = name.Length;
    InitializeObjectAttributes(&which, &name, 0, NULL, NULL);
    return sync_calls.sync_open_directory(directory, DIRECTORY_QUERY_RIGHT, &which);
}

/* Where Local\ leads: a directory of the session, and for session 0 the one common to all. */
static enum gyre_status open_local_directory(HANDLE *directory, struct gyre_error *error)
{
    wchar_t  path[64];
    DWORD    session = 0;
    NTSTATUS result = NAME_NOT_FOUND;

    if (!sync_calls.ProcessIdToSessionId(sync_calls.GetCurrentProcessId(), &session))
        return sync_fail_os(error, GetLastError(), "ProcessIdToSessionId");
    _snwprintf(path, sizeof(path) / sizeof(path[0]), L"\\Sessions\\%lu\\BaseNamedObjects", session);
    if (session != 0)
        result = open_at(path, directory);
    if (result == NAME_NOT_FOUND || result == PATH_NOT_FOUND)
        result = open_at(L"\\BaseNamedObjects", directory);
    return result >= 0 ? GYRE_OK : fail_nt(error, result, "NtOpenDirectoryObject");
}

/* One entry a call: Wine knows no other way. */
static enum gyre_status collect(HANDLE directory, const struct sync_guard *guard, void *buffer,
                                struct name_list *list, struct gyre_error *error)
{
    char    name[SYNC_RING_NAME_SIZE];
    BOOLEAN is_first = TRUE;
    ULONG   position = 0;
    ULONG   length;

    for (;;) {
        NTSTATUS result = sync_calls.sync_query_directory(directory, buffer, ENTRY_SIZE, TRUE,
                                                          is_first, &position, &length);
        if (result == NO_MORE_ENTRIES)
            return GYRE_OK;
        if (result < 0)
            return fail_nt(error, result, "NtQueryDirectoryObject");
        is_first = FALSE;
        if (ring_of_entry(buffer, name) && is_of_this_user(guard, name) && !add_name(list, name))
            return sync_fail(error, GYRE_NO_MEMORY, 0, "realloc");
    }
}

static enum gyre_status collect_all(struct name_list *list, struct gyre_error *error)
{
    HANDLE            directory;
    struct sync_place ours = {.name = NULL};
    struct sync_guard guard;
    enum gyre_status  status = sync_guard_init(&guard, &ours, error);

    if (status != GYRE_OK)
        return status;
    status = open_local_directory(&directory, error);
    if (status != GYRE_OK)
        return status;
    void *buffer = malloc(ENTRY_SIZE);
    if (buffer != NULL)
        status = collect(directory, &guard, buffer, list, error);
    else
        status = sync_fail(error, GYRE_NO_MEMORY, 0, "malloc");
    free(buffer);
    sync_calls.CloseHandle(directory);
    return status;
}

enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    struct name_list list = {NULL, 0, 0};
    enum gyre_status status = collect_all(&list, error);

    if (status == GYRE_OK)
        for (size_t idx = 0; idx < list.count; idx++)
            if (visit(list.names[idx], context) != 0)
                break;
    free(list.names);
    return status;
}
