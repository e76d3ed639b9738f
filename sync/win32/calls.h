/*
 * calls.h - every Win32 call the library makes, in one table.
 *
 * The rest of sync/win32 calls the system as sync_calls.Name(...), so that a test can replace an
 * entry and make the n-th call fail.  Outside the table are GetLastError and SetLastError alone: a
 * fake leaves its error there.  The table is written by tests only, and only while no other
 * thread uses the library.
 */
#ifndef GYRE_SYNC_WIN32_CALLS_H
#define GYRE_SYNC_WIN32_CALLS_H

#include <stdint.h>

#include <windows.h>

#include <bcrypt.h>
#include <io.h>
#include <sddl.h>
#include <winternl.h>

/* One entry of an object directory, as ntdll returns it. */
struct sync_directory_entry {
    UNICODE_STRING name;
    UNICODE_STRING type;
};

/*
 * No import library names these calls of ntdll on every toolchain, so they are looked up when they
 * are called; STATUS_ENTRYPOINT_NOT_FOUND if they are missing.
 */
NTSTATUS WINAPI sync_open_directory(HANDLE *directory, ACCESS_MASK access,
                                    OBJECT_ATTRIBUTES *which);
NTSTATUS WINAPI sync_query_directory(HANDLE directory, void *buffer, ULONG size,
                                     BOOLEAN is_single_entry, BOOLEAN is_restarted, ULONG *context,
                                     ULONG *length);

/* SEMAPHORE_QUERY_STATE, which no header of user mode names. */
#define SYNC_SEMAPHORE_QUERY 0x0001u

/* The current count of a semaphore, which no call of kernel32 tells without taking of it. */
NTSTATUS WINAPI sync_query_semaphore(HANDLE semaphore, ULONG *count);

#define SYNC_CALL_LIST(X)                                                                          \
    X(AcquireSRWLockExclusive)                                                                     \
    X(AddAccessAllowedAce)                                                                         \
    X(BCryptGenRandom)                                                                             \
    X(CancelIoEx)                                                                                  \
    X(CancelSynchronousIo)                                                                         \
    X(CloseHandle)                                                                                 \
    X(ConvertStringSecurityDescriptorToSecurityDescriptorW)                                        \
    X(ConvertStringSidToSidW)                                                                      \
    X(CreateEventExW)                                                                              \
    X(CreateFileMappingW)                                                                          \
    X(CreateMutexExW)                                                                              \
    X(CreateSemaphoreExW)                                                                          \
    X(CreateThread)                                                                                \
    X(CreateWaitableTimerExW)                                                                      \
    X(DuplicateHandle)                                                                             \
    X(EqualSid)                                                                                    \
    X(FreeLibrary)                                                                                 \
    X(FreeLibraryAndExitThread)                                                                    \
    X(GetAce)                                                                                      \
    X(GetCurrentProcess)                                                                           \
    X(GetCurrentProcessId)                                                                         \
    X(GetCurrentThread)                                                                            \
    X(GetKernelObjectSecurity)                                                                     \
    X(GetModuleHandleExW)                                                                          \
    X(GetModuleHandleW)                                                                            \
    X(GetProcAddress)                                                                              \
    X(GetSecurityDescriptorDacl)                                                                   \
    X(GetSecurityDescriptorOwner)                                                                  \
    X(GetSecurityDescriptorSacl)                                                                   \
    X(GetStdHandle)                                                                                \
    X(GetSystemTimePreciseAsFileTime)                                                              \
    X(GetTokenInformation)                                                                         \
    X(InitializeAcl)                                                                               \
    X(InitializeSecurityDescriptor)                                                                \
    X(LocalFree)                                                                                   \
    X(MapViewOfFile)                                                                               \
    X(OpenEventW)                                                                                  \
    X(OpenFileMappingW)                                                                            \
    X(OpenMutexW)                                                                                  \
    X(OpenProcessToken)                                                                            \
    X(ProcessIdToSessionId)                                                                        \
    X(QueryPerformanceCounter)                                                                     \
    X(QueryPerformanceFrequency)                                                                   \
    X(ReadFile)                                                                                    \
    X(ReleaseMutex)                                                                                \
    X(ReleaseSRWLockExclusive)                                                                     \
    X(ReleaseSemaphore)                                                                            \
    X(ResetEvent)                                                                                  \
    X(SetConsoleCtrlHandler)                                                                       \
    X(SetEvent)                                                                                    \
    X(SetSecurityDescriptorDacl)                                                                   \
    X(SetSecurityDescriptorOwner)                                                                  \
    X(SetSecurityDescriptorSacl)                                                                   \
    X(SetWaitableTimer)                                                                            \
    X(Sleep)                                                                                       \
    X(SleepConditionVariableSRW)                                                                   \
    X(UnmapViewOfFile)                                                                             \
    X(VirtualQuery)                                                                                \
    X(WaitForMultipleObjects)                                                                      \
    X(WaitForSingleObject)                                                                         \
    X(WakeAllConditionVariable)                                                                    \
    X(WakeConditionVariable)                                                                       \
    X(_setmode)                                                                                    \
    X(sync_open_directory)                                                                         \
    X(sync_query_directory)                                                                        \
    X(sync_query_semaphore)

/* Each field has the name and the type of the function it stands for. */
struct sync_calls {
#define SYNC_CALL_FIELD(name) __typeof__(name) *name;
    SYNC_CALL_LIST(SYNC_CALL_FIELD)
#undef SYNC_CALL_FIELD
};

extern struct sync_calls sync_calls;

#endif
