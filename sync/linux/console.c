/*
 * console.c - what the command needs of a terminal and its pipes.
 */
#include "calls.h"
#include "sync.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static void (*call_interrupted)(void);
static int nothing_fd = -1; /* /dev/null */

/*
 * What is closed would be the number of the next file that is opened, and messages would go into a
 * ring's lock file: instead it becomes something that can be neither read nor written.
 */
void sync_console_prepare(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)sync_calls.open("/", O_PATH); /* takes the lowest number that is free */
    (void)signal(SIGPIPE, SIG_IGN);
}

static void on_signal(int number)
{
    int code = errno;

    (void)signal(number, SIG_DFL); /* the second one ends the process */
    call_interrupted();
    /* A read that is about to begin would not be interrupted: it finds the end of input instead. */
    if (nothing_fd >= 0)
        (void)dup2(nothing_fd, STDIN_FILENO);
    errno = code;
}

void sync_console_on_interrupt(void (*interrupted)(void))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    call_interrupted = interrupted;
    if (nothing_fd < 0)
        nothing_fd = sync_calls.open("/dev/null", O_RDONLY | O_CLOEXEC);
    memset(&action, 0, sizeof(action)); /* no SA_RESTART: a blocking read ends */
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

int64_t sync_console_read(void *buffer, uint64_t size)
{
    ssize_t got = sync_calls.read(STDIN_FILENO, buffer, (size_t)size);

    if (got < 0)
        return errno == EINTR ? -2 : -1;
    return got;
}
