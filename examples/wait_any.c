/*
 * wait_any.c - prints the messages of several rings as they come, until each is closed.
 *
 * Usage: wait_any RING...        Feed them with: gyre pub RING
 */
#include <stdio.h>
#include <stdlib.h>

#include <gyre/gyre.h>

static struct gyre_consumer *join(const char *name)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    enum gyre_status             status;

    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = GYRE_FOREVER; /* the ring may appear later */
    status = gyre_consumer_open(name, &options, &consumer, NULL);
    if (status == GYRE_OK)
        return consumer;
    fprintf(stderr, "%s: %s\n", name, gyre_status_sentence(status));
    exit(1);
}

int main(int argc, char **names)
{
    uint32_t               count = (uint32_t)argc - 1;
    struct gyre_consumer **consumers = calloc(count + 1, sizeof(struct gyre_consumer *));

    if (argc < 2 || consumers == NULL)
        return 2;
    names++;
    for (uint32_t i = 0; i < count; i++)
        consumers[i] = join(names[i]);
    while (count > 0) {
        uint32_t         which, size;
        const char      *message;
        enum gyre_status status = gyre_wait_any(consumers, count, GYRE_FOREVER, &which);
        if (status == GYRE_OK) {
            while ((message = gyre_peek(consumers[which], &size)) != NULL)
                printf("%s: %.*s\n", names[which], (int)size, message);
            gyre_release(consumers[which]);
            fflush(stdout);
            continue;
        }
        fprintf(stderr, "%s: %s\n", names[which], gyre_status_sentence(status));
        if (status == GYRE_ORPHANED)
            continue; /* another producer may take over */
        gyre_consumer_close(consumers[which]);
        count--; /* the last one takes its place */
        consumers[which] = consumers[count];
        names[which] = names[count];
    }
    free(consumers);
    return 0;
}
