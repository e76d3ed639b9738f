/*
 * list.c - the rings that are there: the sections of their names in the directory of the session.
 *
 * Win32 cannot list names, so the native calls do it.  A directory is walked by position, one entry
 * a call, as Wine knows no other way; whatever comes or goes meanwhile moves the entries behind it,
 * and one can be shown twice or not at all.  So it is walked until two walks saw the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

#define NAME_NOT_FOUND ((NTSTATUS)0xC0000034L)
#define PATH_NOT_FOUND ((NTSTATUS)0xC000003AL)
#define ACCESS_REFUSED ((NTSTATUS)0xC0000022L)
#define NO_MORE_ENTRIES ((NTSTATUS)0x8000001AL)
#define DIRECTORY_QUERY_RIGHT 0x0001u
#define ENTRY_SIZE (132u * 1024u) /* holds the longest name and type that can exist */
#define WALKS_MAX 32u

/* The names that were found. */
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
    const size_t prefix_length = sizeof(SYNC_OBJECT_PREFIX) - 1;
    size_t       length = entry->name.Length / sizeof(wchar_t);

    if (entry->type.Length != sizeof(L"Section") - sizeof(wchar_t) ||
        memcmp(entry->type.Buffer, L"Section", entry->type.Length) != 0)
        return false;
    if (length <= prefix_length || length >= prefix_length + SYNC_RING_NAME_SIZE)
        return false;
    for (size_t idx = 0; idx < length; idx++) {
        wchar_t letter = entry->name.Buffer[idx];
        if (idx < prefix_length && letter != (wchar_t)SYNC_OBJECT_PREFIX[idx])
            return false;
        if (letter == 0 || letter > 127 || strchr(allowed, (int)letter) == NULL)
            return false;
        if (idx >= prefix_length)
            name[idx - prefix_length] = (char)letter;
    }
    name[length - prefix_length] = '\0';
    return true;
}

/* Another user's section may be in the same session; one that is gone is nobody's. */
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

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const UNICODE_STRING *text)
{
    const unsigned char *bytes = (const unsigned char *)text->Buffer;

    for (USHORT idx = 0; idx < text->Length; idx++)
        hash = (hash ^ bytes[idx]) * UINT64_C(0x100000001B3);
    return hash;
}

/* One walk; *seen tells what it saw from what another one did. */
static enum gyre_status walk(HANDLE directory, struct sync_directory_entry *entry,
                             struct name_list *list, uint64_t *seen, struct gyre_error *error)
{
    char    name[SYNC_RING_NAME_SIZE];
    BOOLEAN is_first = TRUE;
    ULONG   position = 0;
    ULONG   length;

    *seen = UINT64_C(0xCBF29CE484222325);
    for (;;) {
        NTSTATUS result = sync_calls.sync_query_directory(directory, entry, ENTRY_SIZE, TRUE,
                                                          is_first, &position, &length);
        if (result == NO_MORE_ENTRIES)
            return GYRE_OK;
        if (result < 0)
            return fail_nt(error, result, "NtQueryDirectoryObject");
        is_first = FALSE;
        *seen = mix(*seen, &entry->name);
        if (ring_of_entry(entry, name) && !add_name(list, name))
            return sync_fail(error, GYRE_NO_MEMORY, 0, "realloc");
    }
}

/* Where there is never rest it is what all the walks found. */
static enum gyre_status collect(struct name_list *list, struct gyre_error *error)
{
    struct sync_directory_entry *entry = NULL;
    HANDLE                       directory;
    uint64_t                     seen = 0, seen_before;
    uint32_t                     walks = 0;
    enum gyre_status             status = open_local_directory(&directory, error);

    if (status != GYRE_OK)
        return status;
    entry = malloc(ENTRY_SIZE);
    if (entry == NULL)
        status = sync_fail(error, GYRE_NO_MEMORY, 0, "malloc");
    do {
        seen_before = seen;
        if (status == GYRE_OK)
            status = walk(directory, entry, list, &seen, error);
    } while (status == GYRE_OK && seen != seen_before && ++walks < WALKS_MAX);
    free(entry);
    sync_calls.CloseHandle(directory);
    return status;
}

/* The names are collected first: the directory may change under a visitor's hands. */
enum gyre_status sync_site_list(int (*visit)(const char *name, void *context), void *context,
                                struct gyre_error *error)
{
    struct name_list  list = {NULL, 0, 0};
    struct sync_place ours = {.name = NULL};
    struct sync_guard guard;
    enum gyre_status  status = sync_guard_init(&guard, &ours, error);

    if (status == GYRE_OK)
        status = collect(&list, error);
    if (status == GYRE_OK)
        for (size_t idx = 0; idx < list.count; idx++)
            if (is_of_this_user(&guard, list.names[idx]) && visit(list.names[idx], context) != 0)
                break;
    free(list.names);
    return status;
}
