/*
 * calls.c - fills the table of Win32 calls with the real ones.
 *
 * It knows how calls of ntdll are found; what they are for is the business of the other files.
 */
#include "calls.h"

#include <string.h>

#define ENTRY_POINT_NOT_FOUND ((NTSTATUS)0xC0000139L)

typedef NTSTATUS(WINAPI *open_directory_call)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
typedef NTSTATUS(WINAPI *query_semaphore_call)(HANDLE, int, void *, ULONG, ULONG *);
typedef NTSTATUS(WINAPI *query_directory_call)(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *,
                                               ULONG *);

/* Goes through memcpy because no cast from FARPROC to another kind of function is beyond doubt. */
static int find_in_ntdll(const char *name, void *call, size_t size)
{
    HMODULE ntdll = sync_calls.GetModuleHandleW(L"ntdll.dll");
    FARPROC found = ntdll != NULL ? sync_calls.GetProcAddress(ntdll, name) : NULL;

    memcpy(call, &found, size);
    return found != NULL;
}

NTSTATUS WINAPI sync_open_directory(HANDLE *directory, ACCESS_MASK access, OBJECT_ATTRIBUTES *which)
{
    open_directory_call call;

    if (!find_in_ntdll("NtOpenDirectoryObject", &call, sizeof(call)))
        return ENTRY_POINT_NOT_FOUND;
    return call(directory, access, which);
}

NTSTATUS WINAPI sync_query_directory(HANDLE directory, void *buffer, ULONG size,
                                     BOOLEAN is_single_entry, BOOLEAN is_restarted, ULONG *context,
                                     ULONG *length)
{
    query_directory_call call;

    if (!find_in_ntdll("NtQueryDirectoryObject", &call, sizeof(call)))
        return ENTRY_POINT_NOT_FOUND;
    return call(directory, buffer, size, is_single_entry, is_restarted, context, length);
}

NTSTATUS WINAPI sync_query_semaphore(HANDLE semaphore, ULONG *count)
{
    query_semaphore_call call;
    ULONG                counts[2] = {0, 0}; /* the current one and the maximum */
    NTSTATUS             result;

    if (!find_in_ntdll("NtQuerySemaphore", &call, sizeof(call)))
        return ENTRY_POINT_NOT_FOUND;
    result = call(semaphore, 0, counts, sizeof(counts), NULL);
    if (result >= 0)
        *count = counts[0];
    return result;
}

struct sync_calls sync_calls = {
#define SYNC_CALL_ENTRY(name) .name = name,
    SYNC_CALL_LIST(SYNC_CALL_ENTRY)
#undef SYNC_CALL_ENTRY
};
