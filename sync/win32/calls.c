/*
 * calls.c - fills the table of Win32 calls with the real ones.
 *
 * It knows how two calls of ntdll are found; what they are for is site.c's business.
 */
#include "calls.h"

#include <string.h>

#define ENTRY_POINT_NOT_FOUND ((NTSTATUS)0xC0000139L)

typedef NTSTATUS(WINAPI *open_directory_call)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
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

struct sync_calls sync_calls = {
#define SYNC_CALL_ENTRY(name) .name = name,
    SYNC_CALL_LIST(SYNC_CALL_ENTRY)
#undef SYNC_CALL_ENTRY
};
