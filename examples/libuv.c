/*
 * libuv.c - a ring in a libuv loop, until the ring is closed.  Linux.
 *
 * Usage: libuv RING        Feed it with: gyre pub RING
 */
#include <stdio.h>
#include <uv.h>

#include <gyre/gyre.h>

/* Prints all there is and arms the handle, so that the next message makes it readable. */
static void serve(uv_timer_t *timer)
{
    struct gyre_consumer *ring = timer->data;
    enum gyre_status      status;
    const char           *message;
    uint32_t              size;
    uint64_t              rearm_ns;

    while ((status = gyre_consumer_arm(ring, &rearm_ns)) == GYRE_OK) {
        while ((message = gyre_peek(ring, &size)) != NULL)
            printf("ring: %.*s\n", (int)size, message);
        gyre_release(ring);
    }
    fflush(stdout);
    if (status != GYRE_TIMEOUT)
        uv_stop(timer->loop);
    else if (rearm_ns != GYRE_FOREVER) /* in sandboxes that refuse membarrier */
        uv_timer_start(timer, serve, 1, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    serve(poll->data);
}

int main(int argc, char **argv)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *ring;
    intptr_t                     handle;
    uv_timer_t                   timer;
    uv_poll_t                    poll;

    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = GYRE_FOREVER;
    if (argc != 2 || gyre_consumer_open(argv[1], &options, &ring, NULL) != GYRE_OK ||
        gyre_consumer_handle(ring, &handle, NULL) != GYRE_OK)
        return 1;
    uv_timer_init(uv_default_loop(), &timer);
    uv_poll_init(uv_default_loop(), &poll, (int)handle);
    timer.data = ring;
    poll.data = &timer;
    uv_poll_start(&poll, UV_READABLE, on_readable);
    serve(&timer);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    gyre_consumer_close(ring);
    return 0;
}
