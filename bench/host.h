/*
 * host.h - what the benches need of an operating system: processes, cores, clocks, a shared page.
 *
 * host_linux.c and host_win32.c keep its promises.  It knows nothing of rings, carriers or
 * figures.
 */
#ifndef GYRE_BENCH_HOST_H
#define GYRE_BENCH_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct job;

#define HOST_CORES_MAX 64

/* Outcomes of host_run. */
enum host_outcome {
    HOST_DONE = 0,
    HOST_FAILED = 1,     /* some role failed; its reason is in the job */
    HOST_DIED = 2,       /* some process ended without being asked to */
    HOST_TIMEOUT = 3,    /* the roles did not finish in time */
    HOST_INTERRUPTED = 4 /* Ctrl-C, or asked to terminate */
};

struct host_machine {
    char cpu[128];
    char system[128];
    char caches[128];
    char governor[64];
    int  core_count;
};

/* Monotonic nanoseconds, one clock for all processes; and the CPU time of this process. */
uint64_t host_now_ns(void);
uint64_t host_cpu_ns(void);

void host_sleep_ns(uint64_t ns);
void host_yield(void);

/* The cores this process may use, two that share no execution units first; returns their number. */
int host_cores(int cores[HOST_CORES_MAX]);

/* Keeps this process on one core; -1 lets it run on all.  Returns 0 or -1. */
int host_pin(int core);

uint64_t host_pid(void);

/* The CPU time that all other programs of the machine have used so far; below zero: unknown. */
int64_t host_others_ns(void);
void    host_describe(struct host_machine *machine);

/* "linux", "win32", or "wine". */
const char *host_platform(void);

/*
 * Creates the page that the bench and its role processes share, and prepares to start them.  NULL:
 * it failed, said on stderr.  host_end ends every process that is left.
 */
struct job *host_begin(void);
void        host_end(void);

/*
 * Runs roles 0 to role_count - 1, each a process of its own in which role_main(job, role) runs,
 * and waits for them; if one fails or time runs out, ends them all first.  Never leaves one
 * behind.
 */
enum host_outcome host_run(struct job *job, uint32_t role_count, uint64_t timeout_ns);

/* 1 once Ctrl-C or a request to terminate has been seen. */
int host_is_interrupted(void);

/*
 * Windows: if this process was started to play a role, does so until the end and returns its exit
 * status; -1 if it is not such a process.  Linux: -1.
 */
int host_worker(int argc, char **argv);

/* Windows: moves a handle to the process of a role; returns its value there.  Linux: unchanged. */
uint64_t host_give(uint32_t role, uint64_t handle);

/*
 * The system's raw way to sleep and to wake, for the limit: a futex on Linux, which is always
 * slept on (a ring lasts until somebody has been woken); on Windows an auto-reset event, which is
 * not if it was set before.
 */
struct host_bell;
struct host_bell *host_bell_open(struct job *job, uint32_t bell_idx);
void              host_bell_close(struct host_bell *bell);
void              host_bell_ring(struct host_bell *bell);
void              host_bell_wait(struct host_bell *bell);

#ifdef __cplusplus
}
#endif

#endif
