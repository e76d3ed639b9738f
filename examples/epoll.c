/*
 * epoll.c - one epoll loop for a ring and stdin, until the ring is closed.  Linux.
 *
 * Usage: epoll RING        Feed it with: gyre pub RING
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <gyre/gyre.h>

/* Prints all there is and arms the handle, so that the next message makes it readable. */
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
    struct epoll_event           event = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    int                          loop = epoll_create1(EPOLL_CLOEXEC);
    intptr_t                     handle;
    uint64_t                     rearm_ns;
    char                         bytes[256];

    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = GYRE_FOREVER;
    if (argc != 2 || gyre_consumer_open(argv[1], &options, &ring, NULL) != GYRE_OK ||
        gyre_consumer_handle(ring, &handle, NULL) != GYRE_OK)
        return 1;
    epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    event.data.fd = (int)handle;
    epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
    while (serve(ring, &rearm_ns) == GYRE_TIMEOUT) {
        /* rearm_ns is GYRE_FOREVER but in sandboxes that refuse membarrier. */
        if (epoll_wait(loop, &event, 1, rearm_ns == GYRE_FOREVER ? -1 : 1) < 1 ||
            event.data.fd != STDIN_FILENO)
            continue;
        ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (size > 0)
            printf("stdin: %.*s", (int)size, bytes);
        else
            epoll_ctl(loop, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    }
    close(loop);
    gyre_consumer_close(ring);
    return 0;
}
