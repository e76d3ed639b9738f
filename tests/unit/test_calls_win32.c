/*
 * test_calls_win32.c - every system call of sync/win32/calls.h that can fail does so, the first
 * time, the second and so on, with each error it may give.  Whatever the library was about to do
 * then succeeds in another way or fails with a clear status; no handle and no view is left, and the
 * same thing done again succeeds.
 */
#include "operations.h"

#ifndef _WIN32

SCENARIO(calls, fail_one_by_one_on_windows)
{
    SKIP_SCENARIO("these are the calls of Windows");
}

#else

#include "win32/calls.h"

/* --- the faulty table ------------------------------------------------------------------------- */

#define REFUSED                                                                                    \
    {                                                                                              \
        ERROR_ACCESS_DENIED, ERROR_NOT_ENOUGH_MEMORY, ERROR_NO_SYSTEM_RESOURCES                    \
    }
#define SQUATTED                                                                                   \
    {                                                                                              \
        ERROR_ACCESS_DENIED, ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_HANDLE                         \
    }
#define COMMITTED                                                                                  \
    {                                                                                              \
        ERROR_ACCESS_DENIED, ERROR_COMMITMENT_LIMIT, ERROR_INVALID_HANDLE                          \
    }
#define BROKEN                                                                                     \
    {                                                                                              \
        ERROR_NOT_ENOUGH_MEMORY, ERROR_NO_SYSTEM_RESOURCES                                         \
    }

/* X(result, name, parameters, arguments, what it returns when it fails, errors) */
#define FAILING_CALLS(X)                                                                           \
    X(HANDLE, CreateEventExW, (LPSECURITY_ATTRIBUTES a, LPCWSTR name, DWORD flags, DWORD access),  \
      (a, name, flags, access), NULL, SQUATTED)                                                    \
    X(HANDLE, CreateFileMappingW,                                                                  \
      (HANDLE file, LPSECURITY_ATTRIBUTES a, DWORD how, DWORD high, DWORD low, LPCWSTR name),      \
      (file, a, how, high, low, name), NULL, COMMITTED)                                            \
    X(HANDLE, CreateMutexExW, (LPSECURITY_ATTRIBUTES a, LPCWSTR name, DWORD flags, DWORD access),  \
      (a, name, flags, access), NULL, SQUATTED)                                                    \
    X(HANDLE, CreateSemaphoreExW,                                                                  \
      (LPSECURITY_ATTRIBUTES a, LONG count, LONG most, LPCWSTR name, DWORD flags, DWORD access),   \
      (a, count, most, name, flags, access), NULL, SQUATTED)                                       \
    X(HANDLE, CreateThread,                                                                        \
      (LPSECURITY_ATTRIBUTES a, SIZE_T stack, LPTHREAD_START_ROUTINE run, LPVOID context,          \
       DWORD flags, LPDWORD id),                                                                   \
      (a, stack, run, context, flags, id), NULL, BROKEN)                                           \
    X(HANDLE, CreateWaitableTimerExW,                                                              \
      (LPSECURITY_ATTRIBUTES a, LPCWSTR name, DWORD flags, DWORD access),                          \
      (a, name, flags, access), NULL, BROKEN)                                                      \
    X(HANDLE, OpenEventW, (DWORD access, BOOL is_inherited, LPCWSTR name),                         \
      (access, is_inherited, name), NULL, REFUSED)                                                 \
    X(HANDLE, OpenFileMappingW, (DWORD access, BOOL is_inherited, LPCWSTR name),                   \
      (access, is_inherited, name), NULL, REFUSED)                                                 \
    X(HANDLE, OpenMutexW, (DWORD access, BOOL is_inherited, LPCWSTR name),                         \
      (access, is_inherited, name), NULL, REFUSED)                                                 \
    X(LPVOID, MapViewOfFile, (HANDLE section, DWORD access, DWORD high, DWORD low, SIZE_T size),   \
      (section, access, high, low, size), NULL, REFUSED)                                           \
    X(SIZE_T, VirtualQuery, (LPCVOID at, PMEMORY_BASIC_INFORMATION region, SIZE_T size),           \
      (at, region, size), 0, BROKEN)                                                               \
    X(WINBOOL, OpenProcessToken, (HANDLE process, DWORD access, PHANDLE token),                    \
      (process, access, token), FALSE, REFUSED)                                                    \
    X(WINBOOL, GetTokenInformation,                                                                \
      (HANDLE token, TOKEN_INFORMATION_CLASS what, LPVOID to, DWORD size, PDWORD length),          \
      (token, what, to, size, length), FALSE, BROKEN)                                              \
    X(WINBOOL, InitializeAcl, (PACL acl, DWORD size, DWORD revision), (acl, size, revision),       \
      FALSE, BROKEN)                                                                               \
    X(WINBOOL, AddAccessAllowedAce, (PACL acl, DWORD revision, DWORD mask, PSID sid),              \
      (acl, revision, mask, sid), FALSE, BROKEN)                                                   \
    X(WINBOOL, InitializeSecurityDescriptor, (PSECURITY_DESCRIPTOR which, DWORD revision),         \
      (which, revision), FALSE, BROKEN)                                                            \
    X(WINBOOL, SetSecurityDescriptorOwner,                                                         \
      (PSECURITY_DESCRIPTOR which, PSID owner, WINBOOL is_default), (which, owner, is_default),    \
      FALSE, BROKEN)                                                                               \
    X(WINBOOL, SetSecurityDescriptorDacl,                                                          \
      (PSECURITY_DESCRIPTOR which, WINBOOL is_there, PACL acl, WINBOOL is_default),                \
      (which, is_there, acl, is_default), FALSE, BROKEN)                                           \
    X(WINBOOL, GetKernelObjectSecurity,                                                            \
      (HANDLE which, SECURITY_INFORMATION what, PSECURITY_DESCRIPTOR to, DWORD size,               \
       LPDWORD length),                                                                            \
      (which, what, to, size, length), FALSE, REFUSED)                                             \
    X(WINBOOL, GetSecurityDescriptorOwner,                                                         \
      (PSECURITY_DESCRIPTOR which, PSID * owner, LPBOOL is_default), (which, owner, is_default),   \
      FALSE, BROKEN)                                                                               \
    X(WINBOOL, GetModuleHandleExW, (DWORD flags, LPCWSTR name, HMODULE * module),                  \
      (flags, name, module), FALSE, BROKEN)                                                        \
    X(WINBOOL, ProcessIdToSessionId, (DWORD id, DWORD * session), (id, session), FALSE, BROKEN)    \
    X(WINBOOL, ReleaseSemaphore, (HANDLE which, LONG count, LPLONG before),                        \
      (which, count, before), FALSE, BROKEN)                                                       \
    X(WINBOOL, SetWaitableTimer,                                                                   \
      (HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE run, LPVOID context,  \
       WINBOOL wakes),                                                                             \
      (timer, due, period, run, context, wakes), FALSE, BROKEN)                                    \
    X(WINBOOL, SetEvent, (HANDLE event), (event), FALSE, BROKEN)                                   \
    X(WINBOOL, ResetEvent, (HANDLE event), (event), FALSE, BROKEN)                                 \
    X(DWORD, WaitForSingleObject, (HANDLE which, DWORD ms), (which, ms), WAIT_FAILED, BROKEN)      \
    X(DWORD, WaitForMultipleObjects,                                                               \
      (DWORD count, CONST HANDLE * which, WINBOOL is_for_all, DWORD ms),                           \
      (count, which, is_for_all, ms), WAIT_FAILED, BROKEN)                                         \
    X(NTSTATUS, BCryptGenRandom, (BCRYPT_ALG_HANDLE a, PUCHAR buffer, ULONG size, ULONG flags),    \
      (a, buffer, size, flags), (NTSTATUS)fault.code, NT)                                          \
    X(NTSTATUS, sync_open_directory,                                                               \
      (HANDLE * directory, ACCESS_MASK access, OBJECT_ATTRIBUTES * which),                         \
      (directory, access, which), (NTSTATUS)fault.code, NT)                                        \
    X(NTSTATUS, sync_query_directory,                                                              \
      (HANDLE directory, void *buffer, ULONG size, BOOLEAN is_single, BOOLEAN is_restarted,        \
       ULONG *context, ULONG *length),                                                             \
      (directory, buffer, size, is_single, is_restarted, context, length), (NTSTATUS)fault.code,   \
      NT)                                                                                          \
    X(NTSTATUS, sync_query_semaphore, (HANDLE semaphore, ULONG * count), (semaphore, count),       \
      (NTSTATUS)fault.code, NT)

#define NT                                                                                         \
    {                                                                                              \
        0xC000009Au, 0xC0000022u /* insufficient resources, access denied */                       \
    }

enum call {
#define CALL_ENUM(result, name, parameters, arguments, failed, codes) CALL_##name,
    FAILING_CALLS(CALL_ENUM)
#undef CALL_ENUM
        CALL_COUNT
};

static const struct {
    const char *name;
    DWORD       codes[4];
} errors[CALL_COUNT] = {
#define CALL_ERRORS(result, name, parameters, arguments, failed, codes) {#name, codes},
    FAILING_CALLS(CALL_ERRORS)
#undef CALL_ERRORS
};

static struct sync_calls real;

static struct {
    enum call     call;
    uint32_t      nth; /* 0: none fails */
    DWORD         code;
    volatile LONG seen; /* the keeper thread makes calls as well */
    volatile LONG has_struck;
} fault;

static bool strikes(enum call call)
{
    if (call != fault.call || fault.nth == 0 ||
        (uint32_t)InterlockedIncrement(&fault.seen) != fault.nth)
        return false;
    fault.has_struck = 1;
    SetLastError(fault.code);
    return true;
}

/* --- what must not leak: what a call of the table gave and none took back -------------------- */

static volatile LONG held;

static void hold(uintptr_t handle)
{
    if (handle != 0)
        InterlockedIncrement(&held);
}

static void hold_nothing(uintptr_t result)
{
    (void)result;
}

/* Handles and views are pointers, and no other call gives one. */
#define HOLD(value) _Generic((value), void * : hold, default : hold_nothing)((uintptr_t)(value))

#define BAD_CALL(result, name, parameters, arguments, failed, codes)                               \
    static result WINAPI bad_##name parameters                                                     \
    {                                                                                              \
        result given;                                                                              \
        if (strikes(CALL_##name))                                                                  \
            return failed;                                                                         \
        given = real.name arguments;                                                               \
        HOLD(given);                                                                               \
        return given;                                                                              \
    }
FAILING_CALLS(BAD_CALL)
#undef BAD_CALL

static WINBOOL WINAPI counted_OpenProcessToken(HANDLE process, DWORD access, PHANDLE token)
{
    WINBOOL is_done = bad_OpenProcessToken(process, access, token);

    if (is_done)
        hold(1);
    return is_done;
}

static NTSTATUS WINAPI counted_open_directory(HANDLE *directory, ACCESS_MASK access,
                                              OBJECT_ATTRIBUTES *which)
{
    NTSTATUS result = bad_sync_open_directory(directory, access, which);

    if (result >= 0)
        hold(1);
    return result;
}

static WINBOOL WINAPI counted_CloseHandle(HANDLE handle)
{
    InterlockedDecrement(&held);
    return real.CloseHandle(handle);
}

static WINBOOL WINAPI counted_UnmapViewOfFile(LPCVOID base)
{
    InterlockedDecrement(&held);
    return real.UnmapViewOfFile(base);
}

static void break_calls(void)
{
    if (real.SetEvent == NULL)
        real = sync_calls;
    memset(&fault, 0, sizeof(fault));
#define CALL_SET(result, name, parameters, arguments, failed, codes) sync_calls.name = bad_##name;
    FAILING_CALLS(CALL_SET)
#undef CALL_SET
    sync_calls.OpenProcessToken = counted_OpenProcessToken;
    sync_calls.sync_open_directory = counted_open_directory;
    sync_calls.CloseHandle = counted_CloseHandle;
    sync_calls.UnmapViewOfFile = counted_UnmapViewOfFile;
}

/* The keeper gives up its own handle a moment after the last lease is dropped. */
static LONG count_held(LONG wanted)
{
    for (int i = 0; i < 200 && held != wanted; i++)
        Sleep(1);
    return held;
}

/* --- the operations --------------------------------------------------------------------------- */

static const struct operation operations[] = {
    {"a new ring", false, false, create, GYRE_OK},
    {"a ring without producer", false, true, create, GYRE_OK},
    {"a ring with a producer", true, false, create, GYRE_BUSY},
    {"a consumer", true, false, join, GYRE_OK},
    {"a tap", true, false, tap, GYRE_OK},
    {"a consumer of no ring", false, false, join, GYRE_NOT_FOUND},
    {"a birth", false, false, await_birth, GYRE_TIMEOUT},
    {"inspect", true, true, inspect, GYRE_OK},
    {"inspect groups", true, false, inspect_groups, GYRE_OK},
    {"list", true, false, list, GYRE_OK},
    {"remove a ring in use", true, false, remove_unforced, GYRE_BUSY},
    {"remove no ring", false, false, remove_missing, GYRE_NOT_FOUND},
    {"close", true, true, close_all, GYRE_OK},
    {"send and recv", true, true, send_and_recv, GYRE_OK},
    {"wait", true, true, wait_in_vain, GYRE_TIMEOUT},
    {"send to a full ring", true, true, send_in_vain, GYRE_TIMEOUT},
    {"wait for consumers", true, true, await_nobody, GYRE_TIMEOUT},
    {"a member of a group", true, false, be_member, GYRE_OK},
    {"arm a handle", true, true, arm_handle, GYRE_TIMEOUT},
    {"wait for any of two", true, true, wait_for_any, GYRE_TIMEOUT},
    {"wait as a tap", true, false, tap_in_vain, GYRE_TIMEOUT},
};
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

#define EXPECT(condition)                                                                          \
    SCENARIO_ASSERT(condition,                                                                     \
                    "%s, %s number %u fails with %lu: not so: %s (status %s, call %s, "            \
                    "os_code %ld; %ld handles and views, before %ld)",                             \
                    operation->name, errors[fault.call].name, (unsigned)nth,                       \
                    (unsigned long)fault.code, #condition, gyre_status_name(status),               \
                    scene.error.call != NULL ? scene.error.call : "none",                          \
                    (long)scene.error.os_code, (long)after, (long)before)

/* An owner that cannot be asked for is told as a stranger. */
static bool tells_of_owner(enum call call)
{
    return call == CALL_GetKernelObjectSecurity || call == CALL_GetSecurityDescriptorOwner;
}

/* One fault in one operation.  False: the operation makes no such call any more. */
static bool fails_well(const struct operation *operation, enum call call, uint32_t nth, DWORD code)
{
    LONG             before = count_held(0), after = before;
    struct scene     scene = set_scene(operation);
    enum gyre_status status;

    fault.seen = 0;
    fault.has_struck = 0;
    fault.call = call;
    fault.code = code;
    fault.nth = nth;
    status = operation->run(&scene);
    fault.nth = 0;
    if (fault.has_struck && status != operation->wanted) {
        EXPECT(status < 0 || status == GYRE_TIMEOUT);
        if (status < 0 && status != GYRE_BUSY) {
            EXPECT(scene.error.status == status);
            EXPECT(scene.error.call != NULL);
            EXPECT(scene.error.os_code == (int32_t)code || tells_of_owner(call));
        }
    } else {
        EXPECT(status == operation->wanted);
    }
    if (operation->run != close_all) {
        gyre_consumer_close(scene.opened_consumer);
        gyre_producer_close(scene.opened_producer);
        scene.opened_consumer = NULL;
        scene.opened_producer = NULL;
        status = operation->run(&scene);
        EXPECT(status == operation->wanted);
    }
    strike_set(&scene);
    after = count_held(before);
    EXPECT(after == before);
    return fault.has_struck != 0;
}

static uint32_t each_call_fails_in(const struct operation *operation)
{
    uint32_t struck = 0;

    for (uint32_t call = 0; call < CALL_COUNT; call++)
        for (uint32_t i = 0; i < 4 && errors[call].codes[i] != 0; i++)
            for (uint32_t nth = 1; nth < 60; nth++)
                if (fails_well(operation, (enum call)call, nth, errors[call].codes[i]))
                    struck++;
                else
                    break;
    return struck;
}

static void group(size_t first, size_t last)
{
    uint32_t struck = 0;

    break_calls();
    for (size_t i = first; i < last; i++)
        struck += each_call_fails_in(&operations[i]);
    printf("# %u calls failed\n", struck);
    CHECK(struck > 3);
    sync_calls = real;
}

SCENARIO(calls, fail_one_by_one_while_a_producer_opens_on_windows)
{
    group(0, 3);
}

SCENARIO(calls, fail_one_by_one_while_a_consumer_opens_on_windows)
{
    group(3, 7);
}

SCENARIO(calls, fail_one_by_one_while_rings_are_looked_at_on_windows)
{
    group(7, 12);
}

SCENARIO(calls, fail_one_by_one_while_messages_flow_on_windows)
{
    group(12, OPERATION_COUNT);
}

/* --- a directory that changes while it is walked ---------------------------------------------- */

static struct {
    const char *ring;
    uint32_t    walks;
    uint32_t    blind_walks; /* in so many the ring's entry moves to where the walk has been */
    bool        is_skipped;
} shift;

static bool is_of_ring(const UNICODE_STRING *name, const char *ring)
{
    static const char prefix[] = "Gyre.";
    size_t            skip = sizeof(prefix) - 1;

    if (name->Length != (skip + strlen(ring)) * sizeof(wchar_t))
        return false;
    for (size_t i = 0; i < strlen(ring); i++)
        if (name->Buffer[skip + i] != (wchar_t)ring[i])
            return false;
    return true;
}

static NTSTATUS WINAPI query_shifted(HANDLE directory, void *buffer, ULONG size, BOOLEAN is_single,
                                     BOOLEAN is_restarted, ULONG *context, ULONG *length)
{
    const struct sync_directory_entry *entry = buffer;
    NTSTATUS                           result;

    shift.walks += is_restarted;
    result = real.sync_query_directory(directory, buffer, size, is_single, is_restarted, context,
                                       length);
    if (result < 0 || shift.walks > shift.blind_walks || !is_of_ring(&entry->name, shift.ring))
        return result;
    shift.is_skipped = true;
    return real.sync_query_directory(directory, buffer, size, is_single, FALSE, context, length);
}

static int find(const char *name, void *context)
{
    *(uint32_t *)context += strcmp(name, shift.ring) == 0;
    return 0;
}

SCENARIO(calls, a_ring_that_moves_while_the_directory_is_walked_is_listed_once)
{
    struct gyre_producer *producer;

    shift.ring = ring_dir_name();
    producer = open_producer(shift.ring, OPERATION_CAPACITY, 64);
    real = sync_calls;
    sync_calls.sync_query_directory = query_shifted;
    for (shift.blind_walks = 0; shift.blind_walks < 2; shift.blind_walks++) {
        uint32_t found = 0;
        shift.walks = 0;
        shift.is_skipped = false;
        CHECK_EQ(gyre_ring_list(find, &found, NULL), GYRE_OK);
        CHECK_EQ(found, 1);
        CHECK(shift.walks >= 2 + shift.blind_walks);
        CHECK_EQ(shift.is_skipped, shift.blind_walks != 0);
    }
    gyre_producer_close(producer);
    sync_calls = real;
}

#endif
