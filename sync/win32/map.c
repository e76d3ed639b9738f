/*
 * map.c - the sections of a ring, mapped as a whole.
 *
 * It knows sections that live in the page file and are committed at creation; it never looks at the
 * bytes.  The handle stays open with the view, because a section loses its name with its last
 * handle, views or not.
 */
#include <assert.h>

#include "pages.h"
#include "site.h"

static void object_name(const struct sync_site *site, enum sync_object object,
                        wchar_t name[SYNC_OBJECT_NAME_SIZE])
{
    assert(object == SYNC_DATA || site->id[0] != '\0');
    if (object == SYNC_DATA)
        sync_object_name(name, site->scope, site->name, "");
    else
        sync_object_name(name, site->scope, site->id, "!ctrl");
}

static const char *field_of(enum sync_object object)
{
    return object == SYNC_DATA ? "data" : "ctrl";
}

static enum gyre_status fail_section(struct gyre_error *error, DWORD os_code, const char *call)
{
    if (os_code == ERROR_INVALID_HANDLE)
        return sync_fail(error, GYRE_BAD_LAYOUT, (int32_t)os_code, call);
    return sync_fail_os(error, os_code, call);
}

/*
 * Maps all of the section, whoever made it and however large.  Pages that are only reserved would
 * fault on access, so such a section is none of ours.
 */
enum gyre_status sync_map_whole(HANDLE section, DWORD access, struct sync_map *map,
                                struct gyre_error *error)
{
    MEMORY_BASIC_INFORMATION region;
    enum gyre_status         status = GYRE_OK;
    void                    *base = sync_calls.MapViewOfFile(section, access, 0, 0, 0);

    if (base == NULL)
        return fail_section(error, GetLastError(), "MapViewOfFile");
    if (sync_calls.VirtualQuery(base, &region, sizeof(region)) == 0)
        status = sync_fail_os(error, GetLastError(), "VirtualQuery");
    else if (region.State != MEM_COMMIT)
        status = sync_fail(error, GYRE_BAD_LAYOUT, 0, NULL);
    if (status != GYRE_OK) {
        sync_calls.UnmapViewOfFile(base);
        return status;
    }
    map->base = base;
    map->size = region.RegionSize;
    map->os = (intptr_t)section;
    return GYRE_OK;
}

/*
 * Refused: because what has the name is not for us, or, where nothing has it, because only some may
 * make a section in Global\.
 */
static enum gyre_status fail_creation(struct sync_site *site, const wchar_t *name, DWORD os_code,
                                      struct gyre_error *error)
{
    HANDLE there = NULL;

    if (os_code != ERROR_ACCESS_DENIED || site->scope != SYNC_SCOPE_GLOBAL)
        return fail_section(error, os_code, "CreateFileMapping");
    there = sync_calls.OpenFileMappingW(READ_CONTROL, FALSE, name);
    if (there != NULL)
        sync_calls.CloseHandle(there);
    else if (GetLastError() == ERROR_FILE_NOT_FOUND)
        error->field = "scope";
    return fail_section(error, os_code, "CreateFileMapping");
}

static enum gyre_status blame_object(struct gyre_error *error, enum gyre_status status,
                                     enum sync_object object)
{
    if (status < 0 && status != GYRE_NOT_FOUND && error->field == NULL)
        error->field = field_of(object);
    return status;
}

/* DATA has a name that anybody can guess: what another user put there is not opened. */
static enum gyre_status check_owner(const struct sync_site *site, HANDLE section,
                                    struct gyre_error *error)
{
    if (site->is_sealed) /* what was given leads to names that nobody else knows */
        return GYRE_OK;
    if (sync_guard_owns(&site->guard, section))
        return GYRE_OK;
    return sync_fail(error, GYRE_DENIED, ERROR_INVALID_OWNER, "GetKernelObjectSecurity");
}

enum gyre_status sync_map_obtain(struct sync_site *site, enum sync_object object, uint64_t size,
                                 struct sync_map *map, bool *is_new, struct gyre_error *error)
{
    wchar_t          name[SYNC_OBJECT_NAME_SIZE];
    enum gyre_status status = GYRE_OK;

    object_name(site, object, name);
    struct sync_guard_list *list = object == SYNC_DATA ? &site->guard.data : &site->guard.other;
    const wchar_t          *known_as = object == SYNC_DATA && site->is_sealed ? NULL : name;
    HANDLE section = sync_calls.CreateFileMappingW(INVALID_HANDLE_VALUE, &list->attributes,
                                                   PAGE_READWRITE | SEC_COMMIT, (DWORD)(size >> 32),
                                                   (DWORD)(size & UINT32_MAX), known_as);
    DWORD  os_code = GetLastError();
    if (section == NULL)
        return blame_object(error, fail_creation(site, name, os_code, error), object);
    if (os_code == ERROR_ALREADY_EXISTS)
        status = check_owner(site, section, error);
    GYRE_FAULT(map_made);
    if (status == GYRE_OK)
        status = sync_map_whole(section, FILE_MAP_READ | FILE_MAP_WRITE, map, error);
    if (status == GYRE_OK)
        *is_new = os_code != ERROR_ALREADY_EXISTS;
    else
        sync_calls.CloseHandle(section);
    GYRE_FAULT(map_committed);
    return blame_object(error, status, object);
}

/* The object has had its name since it was made; a waiter that is not told finds it in a slice. */
enum gyre_status sync_map_publish(struct sync_site *site, enum sync_object object,
                                  struct sync_map *map, struct gyre_error *error)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];

    (void)map;
    (void)error;
    if (object != SYNC_DATA || site->is_sealed)
        return GYRE_OK;
    sync_object_name(name, site->scope, site->name, "!born");
    HANDLE born = sync_calls.OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
    if (born == NULL)
        return GYRE_OK;
    sync_calls.SetEvent(born);
    sync_calls.CloseHandle(born);
    return GYRE_OK;
}

enum gyre_status sync_map_open(struct sync_site *site, enum sync_object object, bool is_writable,
                               struct sync_map *map, struct gyre_error *error)
{
    wchar_t          name[SYNC_OBJECT_NAME_SIZE];
    DWORD            access = is_writable ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ;
    enum gyre_status status;

    if (object == SYNC_DATA && site->is_sealed)
        return sync_sealed_take(site, map, error);
    object_name(site, object, name);
    HANDLE section = sync_calls.OpenFileMappingW(access | READ_CONTROL, FALSE, name);
    if (section == NULL)
        return blame_object(error, fail_section(error, GetLastError(), "OpenFileMapping"), object);
    status = check_owner(site, section, error);
    if (status == GYRE_OK)
        status = sync_map_whole(section, access, map, error);
    if (status != GYRE_OK)
        sync_calls.CloseHandle(section);
    return blame_object(error, status, object);
}

void sync_map_discard(struct sync_site *site, enum sync_object object)
{
    (void)site;
    (void)object;
}

void sync_map_prefault(const struct sync_map *map, bool is_writable)
{
    pages_touch(map, is_writable);
}

void sync_map_close(struct sync_map *map)
{
    if (map->base == NULL)
        return;
    sync_calls.UnmapViewOfFile(map->base);
    sync_calls.CloseHandle((HANDLE)map->os);
    map->base = NULL;
    map->size = 0;
    map->os = 0;
}
