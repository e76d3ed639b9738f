/*
 * process_linux.c - process.h on Linux: fork and exec of /proc/self/exe, an inherited memfd.
 */
#include "process.h"

#ifdef __linux__

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gyre/atomic.h>

#define STARTED_MAX 1024
#define PATH_SIZE 512

static int         scratch_fd = -1;
static pid_t       started[STARTED_MAX];
static const char *limited = "";
static char        ring_dir[PATH_SIZE];

static void die(const char *what)
{
    (void)fprintf(stderr, "# process: %s: %s\n", what, strerror(errno));
    _exit(3);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *map_scratch(void)
{
    void *base =
        mmap(NULL, PROCESS_SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, scratch_fd, 0);

    if (base == MAP_FAILED)
        die("mmap");
    return base;
}

void *process_scratch_make(void)
{
    scratch_fd = memfd_create("gyre-scratch", 0); /* inherited: not close-on-exec */
    if (scratch_fd < 0 || ftruncate(scratch_fd, PROCESS_SCRATCH_SIZE) != 0)
        die("memfd_create");
    return map_scratch();
}

void *process_scratch_join(const char *argument)
{
    scratch_fd = atoi(argument);
    return map_scratch();
}

static void remember(pid_t pid, pid_t instead_of)
{
    for (uint32_t i = 0; i < STARTED_MAX; i++) {
        if (started[i] != instead_of)
            continue;
        started[i] = pid;
        return;
    }
}

bool process_start(struct process *process, const char *role, uint32_t argument)
{
    char  number[16], scratch[16];
    char *arguments[] = {(char *)(uintptr_t) "gyre-test",
                         (char *)(uintptr_t) "--role",
                         (char *)(uintptr_t)role,
                         number,
                         scratch,
                         NULL};
    pid_t parent = getpid();
    pid_t pid;

    (void)snprintf(number, sizeof(number), "%u", argument);
    (void)snprintf(scratch, sizeof(scratch), "%d", scratch_fd);
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
            (void)execv("/proc/self/exe", arguments);
        _exit(127);
    }
    if (pid < 0)
        return false;
    process->os = pid;
    process->id = (uint32_t)pid;
    process->is_running = true;
    remember(pid, 0);
    return true;
}

bool process_fork(struct process *process)
{
    pid_t parent = getpid();
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        memset(started, 0, sizeof(started));
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(127);
        return true;
    }
    if (pid < 0)
        die("fork");
    process->os = pid;
    process->id = (uint32_t)pid;
    process->is_running = true;
    remember(pid, 0);
    return false;
}

static int reaped(struct process *process, int status)
{
    process->is_running = false;
    remember(0, (pid_t)process->os);
    return WIFEXITED(status) ? WEXITSTATUS(status) : PROCESS_KILLED;
}

void process_kill(struct process *process)
{
    int status;

    if (!process->is_running)
        return;
    (void)kill((pid_t)process->os, SIGKILL);
    if (waitpid((pid_t)process->os, &status, 0) != (pid_t)process->os)
        die("waitpid");
    (void)reaped(process, status);
}

int process_wait(struct process *process, uint64_t timeout_ns)
{
    uint64_t deadline = now_ns() + timeout_ns;

    if (!process->is_running)
        return PROCESS_KILLED;
    for (;;) {
        int   status;
        pid_t pid = waitpid((pid_t)process->os, &status, WNOHANG);
        if (pid == (pid_t)process->os)
            return reaped(process, status);
        if (pid < 0)
            die("waitpid");
        if (now_ns() >= deadline)
            return PROCESS_LATE;
        process_nap();
    }
}

void process_kill_all(void)
{
    for (uint32_t i = 0; i < STARTED_MAX; i++) {
        if (started[i] == 0)
            continue;
        (void)kill(started[i], SIGKILL);
        (void)waitpid(started[i], NULL, 0);
        started[i] = 0;
    }
}

void process_kill_self(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

void process_stop(struct process *process)
{
    int status;

    (void)kill((pid_t)process->os, SIGSTOP);
    if (waitpid((pid_t)process->os, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
        die("waitpid for a stop");
}

void process_continue(struct process *process)
{
    (void)kill((pid_t)process->os, SIGCONT);
}

uint64_t process_cpu_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

uint32_t process_id(void)
{
    return (uint32_t)getpid();
}

uint32_t process_cpu_count(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

void process_nap(void)
{
    const struct timespec moment = {0, 200000};

    (void)nanosleep(&moment, NULL);
}

bool process_await(const uint64_t *word, uint64_t value, uint64_t timeout_ns)
{
    uint64_t deadline = now_ns() + timeout_ns;

    while (gyre_load_acquire_64(word) < value) {
        if (now_ns() >= deadline)
            return false;
        process_nap();
    }
    return true;
}

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    say("\nnot ok - ");
    say(limited);
    say(": it hangs\n");
    _exit(3);
}

void process_limit(const char *what, uint32_t seconds)
{
    limited = what;
    (void)signal(SIGALRM, on_alarm);
    (void)alarm(seconds);
}

static uint32_t each_file(void (*visit)(const char *file))
{
    DIR           *dir = opendir(ring_dir);
    struct dirent *entry;
    uint32_t       count = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (visit != NULL)
            visit(entry->d_name);
    }
    (void)closedir(dir);
    return count;
}

static void remove_file(const char *file)
{
    char path[PATH_SIZE + 300];

    (void)snprintf(path, sizeof(path), "%s/%s", ring_dir, file);
    (void)unlink(path);
}

void process_private_rings(bool is_made)
{
    const char *base = getenv("GYRE_DIR");

    if (!is_made) {
        (void)each_file(remove_file);
        (void)rmdir(ring_dir);
        return;
    }
    if (base == NULL || base[0] == '\0')
        base = "/dev/shm";
    (void)snprintf(ring_dir, sizeof(ring_dir), "%.400s/gyre-process.XXXXXX", base);
    if (mkdtemp(ring_dir) == NULL || setenv("GYRE_DIR", ring_dir, 1) != 0)
        die("mkdtemp");
}

uint32_t process_list_rings(void (*visit)(const char *file))
{
    return each_file(visit);
}

static void *run_thread(void *thread)
{
    struct process_thread *self = thread;

    self->run(self->context);
    return NULL;
}

void process_thread_start(struct process_thread *thread, void (*run)(void *), void *context)
{
    pthread_t id;

    thread->run = run;
    thread->context = context;
    if (pthread_create(&id, NULL, run_thread, thread) != 0)
        die("pthread_create");
    thread->os = (intptr_t)id;
}

void process_thread_join(struct process_thread *thread)
{
    (void)pthread_join((pthread_t)thread->os, NULL);
}

#else
typedef int process_linux_is_not_this_system;
#endif
