/*
 * host_win32.c - host.h on Windows: a role is a process of this program, started with --worker.
 *
 * Starting a process is slow here, so workers stay and play one role after the other; each waits
 * for `go` and answers with `done`.  After any failure all of them are ended and started afresh.
 * A job object ends them with the bench, however it ends.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "host.h"
#include "job.h"

#define WAITED_MAX (1 + 2 * JOB_ROLES_MAX)

struct worker {
    HANDLE process;
    HANDLE go;
    HANDLE done;
};

static struct worker workers[JOB_ROLES_MAX];
static HANDLE        page;
static HANDLE        group; /* the job object */
static HANDLE        interrupted;
static struct job   *shared;

uint64_t host_now_ns(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER        now;
    uint64_t             ticks;
    uint64_t             second;

    if (frequency.QuadPart == 0)
        (void)QueryPerformanceFrequency(&frequency);
    (void)QueryPerformanceCounter(&now);
    ticks = (uint64_t)now.QuadPart;
    second = (uint64_t)frequency.QuadPart;
    return ticks / second * 1000000000u + ticks % second * 1000000000u / second;
}

uint64_t host_cpu_ns(void)
{
    FILETIME unused[2];
    FILETIME kernel;
    FILETIME user;

    if (!GetProcessTimes(GetCurrentProcess(), &unused[0], &unused[1], &kernel, &user))
        return 0;
    return 100 * (((uint64_t)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime) +
                  ((uint64_t)user.dwHighDateTime << 32 | user.dwLowDateTime));
}

void host_sleep_ns(uint64_t ns)
{
    Sleep((DWORD)((ns + 999999) / 1000000));
}

void host_yield(void)
{
    (void)SwitchToThread();
}

uint64_t host_pid(void)
{
    return GetCurrentProcessId();
}

static DWORD_PTR all_cores(void)
{
    static DWORD_PTR mine;
    DWORD_PTR        system;
    if (mine == 0)
        (void)GetProcessAffinityMask(GetCurrentProcess(), &mine, &system);
    return mine;
}

/* The logical cores that share execution units with this one, itself included. */
static DWORD_PTR siblings_of(int core)
{
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION list[256];
    DWORD                                size = sizeof(list);
    DWORD_PTR                            bit = (DWORD_PTR)1 << core;

    if (!GetLogicalProcessorInformation(list, &size))
        return bit;
    for (DWORD i = 0; i < size / sizeof(list[0]); i++)
        if (list[i].Relationship == RelationProcessorCore && (list[i].ProcessorMask & bit) != 0)
            return list[i].ProcessorMask;
    return bit;
}

int host_cores(int cores[HOST_CORES_MAX])
{
    DWORD_PTR siblings;
    int       count = 0;

    for (int core = 0; core < (int)(8 * sizeof(DWORD_PTR)) && count < HOST_CORES_MAX; core++)
        if ((all_cores() >> core & 1) != 0)
            cores[count++] = core;
    siblings = count > 0 ? siblings_of(cores[0]) : 0;
    for (int i = 1; i < count; i++) {
        if ((siblings >> cores[i] & 1) == 0) {
            int core = cores[i];
            cores[i] = cores[1];
            cores[1] = core;
            break;
        }
    }
    return count;
}

int host_pin(int core)
{
    DWORD_PTR mask = core < 0 ? all_cores() : (DWORD_PTR)1 << core;
    return SetThreadAffinityMask(GetCurrentThread(), mask) != 0 ? 0 : -1;
}

typedef const char *(CDECL *wine_version)(void);

static const char *wine_version_text(void)
{
    HMODULE library = GetModuleHandleA("ntdll.dll");
    union {
        FARPROC      found;
        wine_version call;
    } function = {NULL};
    if (library != NULL)
        function.found = GetProcAddress(library, "wine_get_version");
    return function.found != NULL ? function.call() : NULL;
}

const char *host_platform(void)
{
    return wine_version_text() != NULL ? "wine" : "win32";
}

void host_describe(struct host_machine *machine)
{
    unsigned    words[13] = {0};
    const char *wine = wine_version_text();
    int         cores[HOST_CORES_MAX];

    for (unsigned i = 0; i < 3; i++)
        (void)__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                          &words[4 * i + 3]);
    (void)snprintf(machine->cpu, sizeof(machine->cpu), "%.48s", (const char *)words);
    (void)snprintf(machine->system, sizeof(machine->system), "%s%s",
                   wine != NULL ? "Win32 program under Wine " : "Windows",
                   wine != NULL ? wine : "");
    (void)snprintf(machine->caches, sizeof(machine->caches), "not asked");
    (void)snprintf(machine->governor, sizeof(machine->governor), "unknown");
    machine->core_count = host_cores(cores);
}

int64_t host_others_ns(void)
{
    return -1;
}

static BOOL WINAPI on_control(DWORD event)
{
    (void)event;
    (void)SetEvent(interrupted);
    return TRUE;
}

struct job *host_begin(void)
{
    SECURITY_ATTRIBUTES                  inherited = {sizeof(inherited), NULL, TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    group = CreateJobObjectA(NULL, NULL);
    if (group != NULL)
        (void)SetInformationJobObject(group, JobObjectExtendedLimitInformation, &limits,
                                      sizeof(limits));
    interrupted = CreateEventA(NULL, TRUE, FALSE, NULL);
    (void)SetConsoleCtrlHandler(on_control, TRUE);
    page = CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0,
                              (DWORD)sizeof(struct job), NULL);
    if (page != NULL)
        shared = MapViewOfFile(page, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    if (shared == NULL)
        (void)fprintf(stderr, "gyre-bench: no shared memory: error %lu\n", GetLastError());
    return shared;
}

static void end_worker(struct worker *worker)
{
    if (worker->process == NULL)
        return;
    (void)TerminateProcess(worker->process, 1);
    (void)WaitForSingleObject(worker->process, INFINITE);
    (void)CloseHandle(worker->process);
    (void)CloseHandle(worker->go);
    (void)CloseHandle(worker->done);
    memset(worker, 0, sizeof(*worker));
}

void host_end(void)
{
    for (uint32_t role = 0; role < JOB_ROLES_MAX; role++)
        end_worker(&workers[role]);
}

int host_is_interrupted(void)
{
    return WaitForSingleObject(interrupted, 0) == WAIT_OBJECT_0;
}

static unsigned long long number_of(HANDLE handle)
{
    return (unsigned long long)(uintptr_t)handle;
}

static int start_worker(uint32_t role)
{
    SECURITY_ATTRIBUTES inherited = {sizeof(inherited), NULL, TRUE};
    struct worker      *worker = &workers[role];
    STARTUPINFOA        startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION started;
    HANDLE              self;
    char                program[MAX_PATH];
    char                command[MAX_PATH + 160];

    if (worker->process != NULL)
        return 0;
    worker->go = CreateEventA(&inherited, FALSE, FALSE, NULL);
    worker->done = CreateEventA(&inherited, FALSE, FALSE, NULL);
    (void)GetModuleFileNameA(NULL, program, sizeof(program));
    if (!DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(), &self,
                         SYNCHRONIZE, TRUE, 0))
        return -1;
    (void)snprintf(command, sizeof(command), "\"%s\" --worker %llu %llu %llu %llu %u", program,
                   number_of(page), number_of(worker->go), number_of(worker->done), number_of(self),
                   role);
    if (!CreateProcessA(program, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &started))
        return -1;
    worker->process = started.hProcess;
    (void)AssignProcessToJobObject(group, worker->process);
    (void)CloseHandle(started.hThread);
    (void)CloseHandle(self);
    return 0;
}

uint64_t host_give(uint32_t role, uint64_t handle)
{
    HANDLE given = NULL;
    if (start_worker(role) != 0 ||
        !DuplicateHandle(GetCurrentProcess(), (HANDLE)(uintptr_t)handle, workers[role].process,
                         &given, 0, FALSE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE))
        return 0;
    return number_of(given);
}

/* Waits until one more role is done, or something else happens. */
static enum host_outcome wait_one(uint32_t role_count, char is_done[], uint64_t deadline_ns)
{
    HANDLE   waited[WAITED_MAX] = {interrupted};
    uint32_t role_of[WAITED_MAX] = {0};
    DWORD    count = 1;
    DWORD    seen;
    uint64_t now_ns = host_now_ns();

    for (uint32_t role = 0; role < role_count; role++) {
        if (is_done[role])
            continue;
        role_of[count] = role_of[count + 1] = role;
        waited[count++] = workers[role].done; /* before the process: it may end when it is done */
        waited[count++] = workers[role].process;
    }
    seen = WaitForMultipleObjects(
        count, waited, FALSE, now_ns < deadline_ns ? (DWORD)((deadline_ns - now_ns) / 1000000) : 0);
    if (seen == WAIT_TIMEOUT)
        return HOST_TIMEOUT;
    if (seen == WAIT_OBJECT_0)
        return HOST_INTERRUPTED;
    if (seen >= WAIT_OBJECT_0 + count || waited[seen] != workers[role_of[seen]].done)
        return HOST_DIED;
    is_done[role_of[seen]] = 1;
    return shared->outcome[role_of[seen]].has_failed ? HOST_FAILED : HOST_DONE;
}

enum host_outcome host_run(struct job *job, uint32_t role_count, uint64_t timeout_ns)
{
    enum host_outcome outcome = HOST_DONE;
    char              is_done[JOB_ROLES_MAX] = {0};
    uint64_t          deadline_ns = host_now_ns() + timeout_ns;

    (void)job;
    for (uint32_t role = 0; role < role_count; role++)
        if (start_worker(role) != 0)
            outcome = HOST_DIED;
    for (uint32_t role = 0; role < role_count && outcome == HOST_DONE; role++)
        (void)SetEvent(workers[role].go);
    for (uint32_t left = role_count; left > 0 && outcome == HOST_DONE; left--)
        outcome = wait_one(role_count, is_done, deadline_ns);
    if (outcome != HOST_DONE)
        host_end();
    return outcome;
}

static HANDLE handle_of(const char *text)
{
    return (HANDLE)(uintptr_t)strtoull(text, NULL, 10);
}

int host_worker(int argc, char **argv)
{
    struct job *job;
    HANDLE      waited[2];
    HANDLE      done;
    uint32_t    role;

    if (argc != 7 || strcmp(argv[1], "--worker") != 0)
        return -1;
    job = MapViewOfFile(handle_of(argv[2]), FILE_MAP_ALL_ACCESS, 0, 0, 0);
    waited[0] = handle_of(argv[3]);
    done = handle_of(argv[4]);
    waited[1] = handle_of(argv[5]); /* the bench */
    role = (uint32_t)strtoul(argv[6], NULL, 10);
    if (job == NULL || role >= JOB_ROLES_MAX)
        return 1;
    (void)all_cores();
    while (WaitForMultipleObjects(2, waited, FALSE, INFINITE) == WAIT_OBJECT_0) {
        job->outcome[role].has_failed = (uint32_t)role_main(job, role);
        (void)SetEvent(done);
    }
    return 0;
}

struct host_bell {
    HANDLE event;
};

struct host_bell *host_bell_open(struct job *job, uint32_t bell_idx)
{
    struct host_bell *bell = malloc(sizeof(*bell));
    char              name[80];

    if (bell == NULL)
        return NULL;
    (void)snprintf(name, sizeof(name), "Local\\gyre-bench.%llu.%llu.%u",
                   (unsigned long long)job->bench_pid, (unsigned long long)job->serial, bell_idx);
    bell->event = CreateEventA(NULL, FALSE, FALSE, name);
    if (bell->event != NULL)
        return bell;
    free(bell);
    return NULL;
}

void host_bell_close(struct host_bell *bell)
{
    (void)CloseHandle(bell->event);
    free(bell);
}

void host_bell_ring(struct host_bell *bell)
{
    (void)SetEvent(bell->event);
}

void host_bell_wait(struct host_bell *bell)
{
    (void)WaitForSingleObject(bell->event, INFINITE);
}
