/*
 * steps_win32.c - steps.h over sync/win32/calls.h.
 */
#include "steps.h"

#ifdef _WIN32

#include "win32/calls.h"

#include "process.h"

static struct sync_calls real;
static volatile LONG64   count; /* the keeper thread makes calls as well */
static uint64_t          deadly;
static bool              kills_after;
static HANDLE            heir;
static uint64_t         *left_handles;
static uint32_t          left_count;

static bool begin(void)
{
    bool is_deadly = (uint64_t)InterlockedIncrement64(&count) == deadly;

    if (is_deadly && !kills_after)
        process_kill_self();
    return is_deadly;
}

static void end(bool is_deadly)
{
    DWORD code = GetLastError();

    if (is_deadly)
        process_kill_self();
    SetLastError(code);
}

#define STEP(type, name, parameters, arguments)                                                    \
    static type WINAPI step_##name parameters                                                      \
    {                                                                                              \
        bool is_deadly = begin();                                                                  \
        type result = real.name arguments;                                                         \
        end(is_deadly);                                                                            \
        return result;                                                                             \
    }

STEP(HANDLE, CreateMutexExW, (LPSECURITY_ATTRIBUTES a, LPCWSTR name, DWORD flags, DWORD access),
     (a, name, flags, access))
STEP(HANDLE, OpenMutexW, (DWORD access, BOOL is_inherited, LPCWSTR name),
     (access, is_inherited, name))
STEP(HANDLE, CreateEventExW, (LPSECURITY_ATTRIBUTES a, LPCWSTR name, DWORD flags, DWORD access),
     (a, name, flags, access))
STEP(HANDLE, OpenEventW, (DWORD access, BOOL is_inherited, LPCWSTR name),
     (access, is_inherited, name))
STEP(HANDLE, OpenFileMappingW, (DWORD access, BOOL is_inherited, LPCWSTR name),
     (access, is_inherited, name))
STEP(LPVOID, MapViewOfFile, (HANDLE section, DWORD access, DWORD high, DWORD low, SIZE_T size),
     (section, access, high, low, size))
STEP(WINBOOL, UnmapViewOfFile, (LPCVOID base), (base))
STEP(SIZE_T, VirtualQuery, (LPCVOID at, PMEMORY_BASIC_INFORMATION region, SIZE_T size),
     (at, region, size))
STEP(WINBOOL, CloseHandle, (HANDLE handle), (handle))
STEP(DWORD, WaitForSingleObject, (HANDLE handle, DWORD ms), (handle, ms))
STEP(WINBOOL, ReleaseMutex, (HANDLE handle), (handle))
STEP(WINBOOL, SetEvent, (HANDLE handle), (handle))
STEP(NTSTATUS, BCryptGenRandom, (BCRYPT_ALG_HANDLE a, PUCHAR buffer, ULONG size, ULONG flags),
     (a, buffer, size, flags))
STEP(HANDLE, CreateThread,
     (LPSECURITY_ATTRIBUTES a, SIZE_T stack, LPTHREAD_START_ROUTINE run, LPVOID context,
      DWORD flags, LPDWORD id),
     (a, stack, run, context, flags, id))

static HANDLE WINAPI step_CreateFileMappingW(HANDLE file, LPSECURITY_ATTRIBUTES a, DWORD protection,
                                             DWORD high, DWORD low, LPCWSTR name)
{
    bool   is_deadly = begin();
    HANDLE section = real.CreateFileMappingW(file, a, protection, high, low, name);
    DWORD  code = GetLastError();
    HANDLE copy;

    if (section != NULL && heir != NULL && left_count < 4 &&
        DuplicateHandle(GetCurrentProcess(), section, heir, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        left_handles[left_count++] = (uint64_t)(uintptr_t)copy;
    SetLastError(code);
    end(is_deadly);
    return section;
}

void steps_arm(uint64_t step, bool is_after)
{
    real = sync_calls;
    count = 0;
    deadly = step;
    kills_after = is_after;
    sync_calls.CreateMutexExW = step_CreateMutexExW;
    sync_calls.OpenMutexW = step_OpenMutexW;
    sync_calls.CreateEventExW = step_CreateEventExW;
    sync_calls.OpenEventW = step_OpenEventW;
    sync_calls.OpenFileMappingW = step_OpenFileMappingW;
    sync_calls.MapViewOfFile = step_MapViewOfFile;
    sync_calls.UnmapViewOfFile = step_UnmapViewOfFile;
    sync_calls.VirtualQuery = step_VirtualQuery;
    sync_calls.CloseHandle = step_CloseHandle;
    sync_calls.WaitForSingleObject = step_WaitForSingleObject;
    sync_calls.ReleaseMutex = step_ReleaseMutex;
    sync_calls.SetEvent = step_SetEvent;
    sync_calls.BCryptGenRandom = step_BCryptGenRandom;
    sync_calls.CreateThread = step_CreateThread;
    sync_calls.CreateFileMappingW = step_CreateFileMappingW;
}

uint64_t steps_count(void)
{
    return (uint64_t)count;
}

void steps_refuse_tmpfile(void)
{
}

void steps_leave_sections_to(uint32_t process_id, uint64_t handles[4])
{
    heir = OpenProcess(PROCESS_DUP_HANDLE, FALSE, process_id);
    left_handles = handles;
}

#else
typedef int steps_win32_is_not_this_system;
#endif
