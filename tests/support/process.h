/*
 * process.h - real processes for the tests: this program again, in another role.
 *
 * It knows how each system starts, kills and measures a process, and nothing of rings.  Processes
 * talk through the scratch: memory that a program shares with all it starts.  Nobody sleeps and
 * hopes: whoever waits for another process waits for a word of the scratch, with a time limit.
 */
#ifndef GYRE_TESTS_PROCESS_H
#define GYRE_TESTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_SCRATCH_SIZE (16u << 20)
#define PROCESS_PATIENCE_NS UINT64_C(30000000000)

/* What process_wait returns besides exit codes. */
#define PROCESS_LATE (-1)
#define PROCESS_KILLED (-2)

struct process {
    intptr_t os;
    uint32_t id;
    bool     is_running;
};

/* The parent's side of the scratch, all zeros; or the child's, by the argument its parent made. */
void *process_scratch_make(void);
void *process_scratch_join(const char *argument);

/* Starts this program with `--role NAME ARGUMENT SCRATCH`.  It dies with its parent. */
bool process_start(struct process *process, const char *role, uint32_t argument);

/* Linux: a copy of this process, in which it returns true.  It dies with its parent. */
bool process_fork(struct process *process);

/* Ends it as the system ends a process that has no say in it, and returns when it is gone. */
void process_kill(struct process *process);

/* The exit code; PROCESS_KILLED; or PROCESS_LATE if it still runs after `timeout_ns`. */
int process_wait(struct process *process, uint64_t timeout_ns);

/* Kills what runs still of all that was started. */
void process_kill_all(void);

/* The end of this process by its own hand, as by process_kill. */
void process_kill_self(void);

/* SIGSTOP and SIGCONT; stop returns when the process has stopped.  Linux. */
void process_stop(struct process *process);
void process_continue(struct process *process);

/* Processor time of this process, all its threads, user and system. */
uint64_t process_cpu_ns(void);
uint32_t process_id(void);
uint32_t process_cpu_count(void);

/* Lets others run for a moment: what a loop does that looks at something again and again. */
void process_nap(void);

/* Until the word, written by another process with a release store, is at least `value`. */
bool process_await(const uint64_t *word, uint64_t value, uint64_t timeout_ns);

/* Ends the process with a message and code 3 after so many seconds; replaces an earlier limit. */
void process_limit(const char *what, uint32_t seconds);

/* A directory of this run alone for the rings (Linux); removed again with all that is in it. */
void process_private_rings(bool is_made);

/* Calls `visit` for each file of that directory; their number.  Windows: none. */
uint32_t process_list_rings(void (*visit)(const char *file));

struct process_thread {
    void (*run)(void *context);
    void    *context;
    intptr_t os;
};
void process_thread_start(struct process_thread *thread, void (*run)(void *), void *context);
void process_thread_join(struct process_thread *thread);

#endif
