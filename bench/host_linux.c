/*
 * host_linux.c - host.h on Linux: a role is a forked child; the page is shared anonymous memory.
 *
 * The bench blocks the signals it cares about and takes them with sigtimedwait, so that it sleeps
 * while the roles run and no handler interrupts anything.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "job.h"

static int      is_interrupted;
static sigset_t signals_taken;
static sigset_t signals_before;

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t host_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static struct timespec timespec_of(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return time;
}

void host_sleep_ns(uint64_t ns)
{
    struct timespec left = timespec_of(ns);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void host_yield(void)
{
    (void)sched_yield();
}

uint64_t host_pid(void)
{
    return (uint64_t)getpid();
}

const char *host_platform(void)
{
    return "linux";
}

/* Do two cores share their execution units?  What sysfs does not say is taken for no. */
static int are_siblings(int core, int other)
{
    char  path[96];
    int   is_sibling = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path),
                   "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", core);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    for (int first, last; fscanf(file, "%d", &first) == 1;) {
        if (fscanf(file, "-%d", &last) != 1)
            last = first;
        is_sibling |= other >= first && other <= last;
        if (fgetc(file) != ',')
            break;
    }
    (void)fclose(file);
    return is_sibling;
}

int host_cores(int cores[HOST_CORES_MAX])
{
    cpu_set_t set;
    int       count = 0;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    for (int core = 0; core < CPU_SETSIZE && count < HOST_CORES_MAX; core++)
        if (CPU_ISSET((size_t)core, &set))
            cores[count++] = core;
    for (int i = 1; i < count; i++) {
        if (!are_siblings(cores[0], cores[i])) {
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
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core < 0)
        return 0;
    CPU_SET((size_t)core, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

/* The first line of a file of sysfs; empty: there is none. */
static void first_line(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    text[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(text, (int)size, file) == NULL)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void)fclose(file);
}

#define CACHE_DIR "/sys/devices/system/cpu/cpu0/cache/index"

static void describe_caches(char *text, size_t text_size)
{
    size_t used = 0;
    (void)snprintf(text, text_size, "unknown");
    for (int i = 0; i < 6 && used < text_size; i++) {
        char path[96];
        char level[8];
        char kind[16];
        char size[16];
        (void)snprintf(path, sizeof(path), CACHE_DIR "%d/level", i);
        first_line(level, sizeof(level), path);
        (void)snprintf(path, sizeof(path), CACHE_DIR "%d/type", i);
        first_line(kind, sizeof(kind), path);
        (void)snprintf(path, sizeof(path), CACHE_DIR "%d/size", i);
        first_line(size, sizeof(size), path);
        if (size[0] != '\0' && strcmp(kind, "Instruction") != 0)
            used += (size_t)snprintf(text + used, text_size - used, "%sL%s %s",
                                     used > 0 ? ", " : "", level, size);
    }
}

void host_describe(struct host_machine *machine)
{
    struct utsname system;
    int            cores[HOST_CORES_MAX];
    char           line[256];
    FILE          *file = fopen("/proc/cpuinfo", "r");

    (void)snprintf(machine->cpu, sizeof(machine->cpu), "unknown");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(machine->cpu, sizeof(machine->cpu), "%.100s", strchr(line, ':') + 2);
            break;
        }
    }
    if (file != NULL)
        (void)fclose(file);
    machine->core_count = host_cores(cores);
    describe_caches(machine->caches, sizeof(machine->caches));
    first_line(machine->governor, sizeof(machine->governor),
               "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    if (machine->governor[0] == '\0')
        (void)snprintf(machine->governor, sizeof(machine->governor),
                       "unknown: the system does not say (as in most virtual machines)");
    if (uname(&system) == 0)
        (void)snprintf(machine->system, sizeof(machine->system), "%.20s %.80s %.20s",
                       system.sysname, system.release, system.machine);
}

static int64_t used_ns(int who)
{
    struct rusage usage;
    if (getrusage(who, &usage) != 0)
        return 0;
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000000) +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * INT64_C(1000);
}

/* The kernel's sum over all programs less what this one and its roles, all of them reaped, used. */
int64_t host_others_ns(void)
{
    unsigned long long user;
    unsigned long long nice;
    unsigned long long kernel;
    int                count = 0;
    FILE              *file = fopen("/proc/stat", "r");

    if (file != NULL) {
        count = fscanf(file, "cpu %llu %llu %llu", &user, &nice, &kernel);
        (void)fclose(file);
    }
    if (count != 3)
        return -1;
    return (int64_t)(user + nice + kernel) * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)) -
           used_ns(RUSAGE_SELF) - used_ns(RUSAGE_CHILDREN);
}

struct job *host_begin(void)
{
    static const int taken[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct job      *job =
        mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)sigemptyset(&signals_taken);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        (void)sigaddset(&signals_taken, taken[i]);
    (void)sigprocmask(SIG_BLOCK, &signals_taken, &signals_before);
    if (job != MAP_FAILED)
        return job;
    perror("gyre-bench: mmap");
    return NULL;
}

void host_end(void)
{
}

int host_is_interrupted(void)
{
    static const struct timespec now = {0, 0};
    int                          signal_seen;
    while (!is_interrupted && (signal_seen = sigtimedwait(&signals_taken, NULL, &now)) > 0)
        is_interrupted = signal_seen != SIGCHLD;
    return is_interrupted;
}

static pid_t start(struct job *job, uint32_t role, pid_t bench)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    (void)sigprocmask(SIG_SETMASK, &signals_before, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != bench)
        _exit(1); /* it ended before the line above */
    _exit(role_main(job, role));
}

/* Takes in the children that have ended; a bad one decides the outcome. */
static void reap(pid_t child[], uint32_t role_count, uint32_t *left_count,
                 enum host_outcome *outcome)
{
    for (uint32_t role = 0; role < role_count; role++) {
        int status;
        if (child[role] <= 0 || waitpid(child[role], &status, WNOHANG) != child[role])
            continue;
        child[role] = 0;
        (*left_count)--;
        if (*outcome != HOST_DONE || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
            continue;
        *outcome = WIFEXITED(status) ? HOST_FAILED : HOST_DIED;
    }
}

static void end_all(pid_t child[], uint32_t role_count)
{
    for (uint32_t role = 0; role < role_count; role++) {
        if (child[role] <= 0)
            continue;
        (void)kill(child[role], SIGKILL);
        while (waitpid(child[role], NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

enum host_outcome host_run(struct job *job, uint32_t role_count, uint64_t timeout_ns)
{
    enum host_outcome outcome = HOST_DONE;
    pid_t             child[JOB_ROLES_MAX] = {0};
    pid_t             bench = getpid();
    uint32_t          left_count = 0;
    uint64_t          deadline_ns = host_now_ns() + timeout_ns;

    (void)fflush(NULL);
    for (uint32_t role = 0; role < role_count; role++) {
        child[role] = start(job, role, bench);
        if (child[role] < 0)
            outcome = HOST_DIED;
        else
            left_count++;
    }
    while (outcome == HOST_DONE && left_count > 0) {
        uint64_t        now_ns = host_now_ns();
        struct timespec left = timespec_of(now_ns < deadline_ns ? deadline_ns - now_ns : 0);
        int             signal_seen = sigtimedwait(&signals_taken, NULL, &left);
        if (signal_seen == SIGCHLD)
            reap(child, role_count, &left_count, &outcome);
        else if (signal_seen > 0)
            is_interrupted = 1;
        else if (errno == EAGAIN)
            outcome = HOST_TIMEOUT;
        if (is_interrupted)
            outcome = HOST_INTERRUPTED;
    }
    end_all(child, role_count);
    return outcome;
}

int host_worker(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return -1;
}

uint64_t host_give(uint32_t role, uint64_t handle)
{
    (void)role;
    return handle;
}

struct host_bell {
    _Atomic uint32_t *word;
};

struct host_bell *host_bell_open(struct job *job, uint32_t bell_idx)
{
    struct host_bell *bell = malloc(sizeof(*bell));
    if (bell != NULL)
        bell->word = &job->bell[bell_idx].word;
    return bell;
}

void host_bell_close(struct host_bell *bell)
{
    free(bell);
}

/* The word never changes: whether somebody sleeps is the kernel's to say. */
void host_bell_ring(struct host_bell *bell)
{
    while (syscall(SYS_futex, bell->word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
        ;
}

void host_bell_wait(struct host_bell *bell)
{
    while (syscall(SYS_futex, bell->word, FUTEX_WAIT, 0, NULL, NULL, 0) != 0 && errno == EINTR)
        ;
}
