/*
 * idle_publisher.c - for idle_syscalls.sh: publishes COUNT messages to consumers that never sleep.
 *
 * Both are in one process and take turns, so nobody ever waits: between the first message and the
 * last there is nothing to ask the operating system for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gyre/gyre.h>

int main(int argc, char **argv)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer;
    struct gyre_consumer        *reliable, *lossy;
    uint64_t                     count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    uint32_t                     size = 0;

    if (gyre_producer_open("idle", NULL, &producer, NULL) != GYRE_OK ||
        gyre_consumer_open("idle", &options, &reliable, NULL) != GYRE_OK)
        return 1;
    options.kind = GYRE_LOSSY;
    if (gyre_consumer_open("idle", &options, &lossy, NULL) != GYRE_OK)
        return 1;
    for (uint64_t i = 0; i < count; i++) {
        const void *message;
        void       *payload = gyre_claim(producer, 56);
        if (payload == NULL)
            return 2;
        memset(payload, 0, 56);
        memcpy(payload, &i, sizeof(i));
        gyre_publish(producer);
        /* It reads in lots of 100, waiting for each lot, though never long. */
        if (i % 100 != 99)
            continue;
        while (gyre_wait(reliable, 0) == GYRE_OK)
            while ((message = gyre_peek(reliable, &size)) != NULL)
                if (size != 56 || gyre_release(reliable) != GYRE_OK)
                    return 3;
        while (gyre_wait(lossy, 0) == GYRE_OK)
            while ((message = gyre_peek(lossy, &size)) != NULL)
                if (size != 56 || gyre_release(lossy) != GYRE_OK)
                    return 3;
    }
    if (gyre_consumer_seq(reliable) != count || gyre_consumer_seq(lossy) != count)
        return 4;
    gyre_consumer_close(lossy);
    gyre_consumer_close(reliable);
    gyre_producer_close(producer);
    printf("%llu\n", (unsigned long long)count);
    return 0;
}
