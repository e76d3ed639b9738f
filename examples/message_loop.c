/*
 * message_loop.c - one message loop for a ring and the thread's own messages, until the ring is
 * closed.  Windows.
 *
 * Usage: message_loop RING        Feed it with: gyre pub RING
 */
#include <stdio.h>
#include <windows.h>

#include <gyre/gyre.h>

/* Prints all there is and arms the event, so that the next message sets it. */
static enum gyre_status serve(struct gyre_consumer *ring, uint64_t *rearm_ns)
{
    enum gyre_status status;
    const char      *message;
    uint32_t         size;

    while ((status = gyre_consumer_arm(ring, rearm_ns)) == GYRE_OK) {
        while ((message = gyre_peek(ring, &size)) != NULL)
            printf("ring: %.*s\n", (int)size, message);
        gyre_release(ring);
    }
    fflush(stdout);
    return status;
}

int main(int argc, char **argv)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *ring;
    intptr_t                     handle;
    uint64_t                     rearm_ns;
    MSG                          message;

    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = GYRE_FOREVER;
    if (argc != 2 || gyre_consumer_open(argv[1], &options, &ring, NULL) != GYRE_OK ||
        gyre_consumer_handle(ring, &handle, NULL) != GYRE_OK)
        return 1;
    SetTimer(NULL, 0, 100, NULL);
    while (serve(ring, &rearm_ns) == GYRE_TIMEOUT) {
        HANDLE   event = (HANDLE)handle;
        uint64_t now = gyre_now_ns();
        DWORD    ms = rearm_ns > now ? (DWORD)((rearm_ns - now) / 1000000 + 1) : 0;
        /* After `ms` it is time to arm again: Windows cannot promise that the event was set. */
        MsgWaitForMultipleObjectsEx(1, &event, ms, QS_ALLINPUT, MWMO_INPUTAVAILABLE);
        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)) {
            if (message.message == WM_TIMER)
                printf("timer\n");
            DispatchMessageW(&message);
        }
    }
    gyre_consumer_close(ring);
    return 0;
}
