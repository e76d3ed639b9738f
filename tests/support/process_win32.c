/*
 * process_win32.c - process.h on Windows: CreateProcess, an inherited section, a job that ends all.
 */
#include "process.h"

#ifdef _WIN32

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <gyre/atomic.h>

/*
 * Under load Wine's own start of a process fails now and then with ERROR_INTERNAL_ERROR, before the
 * program has executed anything: the process is created suspended.
 */
#define STARTS_MAX 5u
#define STARTED_MAX 1024
#define KILLED_CODE 137u

static HANDLE            scratch;
static HANDLE            job;
static HANDLE            started[STARTED_MAX];
static const char       *limited = "";
static volatile LONG     limit_number;
static volatile LONGLONG limit_ms;

static void die(const char *what)
{
    (void)fprintf(stderr, "# process: %s: error %lu\n", what, GetLastError());
    (void)fflush(NULL);
    TerminateProcess(GetCurrentProcess(), 3);
}

static void *map_scratch(void)
{
    void *base = MapViewOfFile(scratch, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, PROCESS_SCRATCH_SIZE);

    if (base == NULL)
        die("MapViewOfFile");
    return base;
}

void *process_scratch_make(void)
{
    SECURITY_ATTRIBUTES                  inherited = {sizeof(inherited), NULL, TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;

    scratch = CreateFileMappingW(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0,
                                 PROCESS_SCRATCH_SIZE, NULL);
    if (scratch == NULL)
        die("CreateFileMapping");
    job = CreateJobObjectW(NULL, NULL);
    memset(&limits, 0, sizeof(limits));
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    (void)SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
    return map_scratch();
}

void *process_scratch_join(const char *argument)
{
    scratch = (HANDLE)(uintptr_t)strtoull(argument, NULL, 10);
    return map_scratch();
}

static void remember(HANDLE handle, HANDLE instead_of)
{
    for (uint32_t i = 0; i < STARTED_MAX; i++) {
        if (started[i] != instead_of)
            continue;
        started[i] = handle;
        return;
    }
}

bool process_start(struct process *process, const char *role, uint32_t argument)
{
    char                program[MAX_PATH], line[MAX_PATH + 100];
    STARTUPINFOA        startup;
    PROCESS_INFORMATION made;

    if (GetModuleFileNameA(NULL, program, sizeof(program)) == 0)
        return false;
    (void)snprintf(line, sizeof(line), "\"%s\" --role %s %u %llu", program, role, argument,
                   (unsigned long long)(uintptr_t)scratch);
    memset(&startup, 0, sizeof(startup));
    startup.cb = sizeof(startup);
    (void)fflush(NULL);
    for (uint32_t i = 1; !CreateProcessA(program, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL,
                                         NULL, &startup, &made);
         i++) {
        DWORD code = GetLastError();
        printf("# CreateProcessA: error %lu\n", code);
        if (code != ERROR_INTERNAL_ERROR || i == STARTS_MAX)
            return false;
    }
    (void)AssignProcessToJobObject(job, made.hProcess);
    (void)ResumeThread(made.hThread);
    (void)CloseHandle(made.hThread);
    process->os = (intptr_t)made.hProcess;
    process->id = made.dwProcessId;
    process->is_running = true;
    remember(made.hProcess, NULL);
    return true;
}

static int reaped(struct process *process)
{
    DWORD code = 0;

    (void)GetExitCodeProcess((HANDLE)process->os, &code);
    (void)CloseHandle((HANDLE)process->os);
    remember(NULL, (HANDLE)process->os);
    process->is_running = false;
    return code == KILLED_CODE ? PROCESS_KILLED : (int)code;
}

void process_kill(struct process *process)
{
    if (!process->is_running)
        return;
    (void)TerminateProcess((HANDLE)process->os, KILLED_CODE);
    if (WaitForSingleObject((HANDLE)process->os, 30000) != WAIT_OBJECT_0)
        die("WaitForSingleObject");
    (void)reaped(process);
}

int process_wait(struct process *process, uint64_t timeout_ns)
{
    if (!process->is_running)
        return PROCESS_KILLED;
    if (WaitForSingleObject((HANDLE)process->os, (DWORD)(timeout_ns / 1000000u)) != WAIT_OBJECT_0)
        return PROCESS_LATE;
    return reaped(process);
}

void process_kill_all(void)
{
    for (uint32_t i = 0; i < STARTED_MAX; i++) {
        if (started[i] == NULL)
            continue;
        (void)TerminateProcess(started[i], KILLED_CODE);
        (void)WaitForSingleObject(started[i], 30000);
        (void)CloseHandle(started[i]);
        started[i] = NULL;
    }
}

void process_kill_self(void)
{
    (void)TerminateProcess(GetCurrentProcess(), KILLED_CODE);
    for (;;)
        Sleep(INFINITE);
}

void process_stop(struct process *process)
{
    (void)process; /* Windows stops threads, not processes */
}

void process_continue(struct process *process)
{
    (void)process;
}

static uint64_t filetime_ns(const FILETIME *time)
{
    return ((uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime) * 100;
}

uint64_t process_cpu_ns(void)
{
    FILETIME born, gone, kernel, user;

    if (!GetProcessTimes(GetCurrentProcess(), &born, &gone, &kernel, &user))
        die("GetProcessTimes");
    return filetime_ns(&kernel) + filetime_ns(&user);
}

uint32_t process_id(void)
{
    return GetCurrentProcessId();
}

uint32_t process_cpu_count(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwNumberOfProcessors;
}

void process_nap(void)
{
    Sleep(1);
}

bool process_await(const uint64_t *word, uint64_t value, uint64_t timeout_ns)
{
    ULONGLONG deadline = GetTickCount64() + timeout_ns / 1000000u;

    while (gyre_load_acquire_64(word) < value) {
        if (GetTickCount64() >= deadline)
            return false;
        process_nap();
    }
    return true;
}

static DWORD WINAPI watch(void *number)
{
    Sleep((DWORD)limit_ms);
    if (limit_number != (LONG)(intptr_t)number)
        return 0;
    printf("\nnot ok - %s: it hangs\n", limited);
    (void)fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 3);
    return 0;
}

void process_limit(const char *what, uint32_t seconds)
{
    HANDLE thread;

    limited = what;
    limit_ms = (LONGLONG)seconds * 1000;
    InterlockedIncrement(&limit_number);
    if (seconds == 0)
        return;
    thread = CreateThread(NULL, 65536, watch, (void *)(intptr_t)limit_number,
                          STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread != NULL)
        (void)CloseHandle(thread);
}

void process_private_rings(bool is_made)
{
    (void)is_made; /* names are made unique instead */
}

uint32_t process_list_rings(void (*visit)(const char *file))
{
    (void)visit;
    return 0;
}

static DWORD WINAPI run_thread(void *thread)
{
    struct process_thread *self = thread;

    self->run(self->context);
    return 0;
}

void process_thread_start(struct process_thread *thread, void (*run)(void *), void *context)
{
    HANDLE handle;

    thread->run = run;
    thread->context = context;
    handle = CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    if (handle == NULL)
        die("CreateThread");
    thread->os = (intptr_t)handle;
}

void process_thread_join(struct process_thread *thread)
{
    (void)WaitForSingleObject((HANDLE)thread->os, INFINITE);
    (void)CloseHandle((HANDLE)thread->os);
}

#else
typedef int process_win32_is_not_this_system;
#endif
