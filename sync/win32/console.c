/*
 * console.c - how the command meets the terminal: bytes as they are, and Ctrl-C.
 *
 * It knows the standard streams and nothing of what flows through them.
 */
#include <fcntl.h>
#include <stdio.h>

#include "site.h"

#define CANCEL_COUNT 10
#define CANCEL_PAUSE_MS 20

static void (*volatile on_interrupt)(void);
static volatile LONG interrupt_count;
static HANDLE        reading_thread;

void sync_console_prepare(void)
{
    sync_calls._setmode(_fileno(stdin), _O_BINARY);
    sync_calls._setmode(_fileno(stdout), _O_BINARY);
}

/*
 * Ends a read of stdin that is under way.  Repeated, because the reader may have looked at its flag
 * and not yet begun to read.  A write must not be cut short, so the reader's thread as a whole is
 * only the second choice.
 */
static void end_reads(void)
{
    HANDLE input = sync_calls.GetStdHandle(STD_INPUT_HANDLE);

    for (int round = 0; round < CANCEL_COUNT; round++) {
        if (!sync_calls.CancelIoEx(input, NULL) && GetLastError() != ERROR_NOT_FOUND &&
            reading_thread != NULL)
            sync_calls.CancelSynchronousIo(reading_thread);
        sync_calls.Sleep(CANCEL_PAUSE_MS);
    }
}

/* Runs in a thread that the system makes for each event. */
static BOOL WINAPI handle_control(DWORD event)
{
    if (InterlockedIncrement(&interrupt_count) > 1)
        return FALSE; /* the next handler is the system's: it ends the process */
    on_interrupt();
    end_reads();
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        sync_calls.Sleep(INFINITE); /* to return from a close ends the process before it is done */
    return TRUE;
}

/* The caller's thread is the one that reads stdin. */
void sync_console_on_interrupt(void (*interrupted)(void))
{
    bool   is_first = on_interrupt == NULL;
    HANDLE process = sync_calls.GetCurrentProcess();

    on_interrupt = interrupted;
    if (!is_first)
        return;
    if (!sync_calls.DuplicateHandle(process, sync_calls.GetCurrentThread(), process,
                                    &reading_thread, 0, FALSE, DUPLICATE_SAME_ACCESS))
        reading_thread = NULL;
    sync_calls.SetConsoleCtrlHandler(handle_control, TRUE);
}

/*
 * The end of a pipe is an error, the end of a file and a pipe's read of nothing are not; Ctrl-C at
 * a terminal ends the read without bytes and without failure, but leaves its code behind.
 */
int64_t sync_console_read(void *buffer, uint64_t size)
{
    HANDLE input = sync_calls.GetStdHandle(STD_INPUT_HANDLE);
    DWORD  most = size < INT32_MAX ? (DWORD)size : (DWORD)INT32_MAX;
    DWORD  got = 0;

    SetLastError(ERROR_SUCCESS);
    BOOL  is_done = sync_calls.ReadFile(input, buffer, most, &got, NULL);
    DWORD os_code = GetLastError();
    if (got > 0)
        return got;
    if (os_code == ERROR_OPERATION_ABORTED || interrupt_count > 0)
        return -2;
    return is_done || os_code == ERROR_BROKEN_PIPE || os_code == ERROR_HANDLE_EOF ? 0 : -1;
}
