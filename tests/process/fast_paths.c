/*
 * fast_paths.c - for tests/budget.sh: the fast path, inlined into functions that it can look at.
 *
 * fast_paths COUNT sends and receives COUNT messages of 56 bytes, one at a time, then as many in
 * batches of BATCH, then in runs of RUN.  Both ends are in one process and take turns, so nobody
 * ever waits.  The script counts the instructions of each function and reads its object code;
 * `fenced` shows that it would find what it looks for.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gyre/gyre.h>

#define SIZE 56u
#define BATCH 8u
#define RUN 64u

void fast_publish(struct gyre_producer *producer);
void fast_publish_batch(struct gyre_producer *producer);
int  fast_receive(struct gyre_consumer *consumer);
int  fast_receive_batch(struct gyre_consumer *consumer);
void fast_publish_dense(struct gyre_producer *producer);
void fast_publish_run(struct gyre_producer *producer);
int  fast_receive_run(struct gyre_consumer *consumer);
void fenced(uint64_t *word);

__attribute__((noinline)) void fast_publish(struct gyre_producer *producer)
{
    uint64_t *payload = gyre_claim(producer, SIZE);
    if (payload != NULL)
        *payload = 1;
    gyre_publish(producer);
}

/* Into a ring whose frames are aligned to 8 bytes. */
__attribute__((noinline)) void fast_publish_dense(struct gyre_producer *producer)
{
    uint64_t *payload = gyre_claim(producer, sizeof(*payload));
    if (payload != NULL)
        *payload = 1;
    gyre_publish(producer);
}

__attribute__((noinline)) void fast_publish_batch(struct gyre_producer *producer)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        uint64_t *payload = gyre_claim(producer, SIZE);
        if (payload != NULL)
            *payload = 1;
    }
    gyre_publish(producer);
}

__attribute__((noinline)) int fast_receive(struct gyre_consumer *consumer)
{
    uint32_t        size = 0;
    const uint64_t *payload = gyre_peek(consumer, &size);
    return payload != NULL && *payload == 1 && size == SIZE && gyre_release(consumer) == GYRE_OK;
}

__attribute__((noinline)) int fast_receive_batch(struct gyre_consumer *consumer)
{
    int is_good = 1;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t        size = 0;
        const uint64_t *payload = gyre_peek(consumer, &size);
        is_good &= payload != NULL && *payload == 1 && size == SIZE;
    }
    return is_good & (gyre_release(consumer) == GYRE_OK);
}

__attribute__((noinline)) void fast_publish_run(struct gyre_producer *producer)
{
    uint32_t       count = RUN;
    uint32_t       stride = 0;
    unsigned char *payload = gyre_claim_run(producer, SIZE, &count, &stride);
    if (payload == NULL || count != RUN)
        abort();
    for (uint32_t i = 0; i < RUN; i++, payload += stride)
        *(uint64_t *)(void *)payload = 1;
    gyre_publish(producer);
}

__attribute__((noinline)) int fast_receive_run(struct gyre_consumer *consumer)
{
    uint32_t             count = RUN;
    uint32_t             size = 0;
    uint32_t             stride = 0;
    const unsigned char *payload = gyre_peek_run(consumer, &size, &count, &stride);
    int                  is_good = payload != NULL && count == RUN && size == SIZE;
    for (uint32_t i = 0; is_good && i < RUN; i++, payload += stride)
        is_good = *(const uint64_t *)(const void *)payload == 1;
    return is_good & (gyre_release(consumer) == GYRE_OK);
}

/* A control: this is never called, and the script must find what is wrong with it. */
__attribute__((noinline)) void fenced(uint64_t *word)
{
    gyre_fence_full();
    (void)gyre_exchange_64(word, 1);
}

static void open_ring(uint32_t frame_align, struct gyre_producer **producer,
                      struct gyre_consumer **consumer)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.frame_align = frame_align;
    if (gyre_producer_open("paths", &options, producer, NULL) != GYRE_OK ||
        gyre_consumer_open("paths", NULL, consumer, NULL) != GYRE_OK)
        exit(1);
}

static void close_ring(struct gyre_producer *producer, struct gyre_consumer *consumer)
{
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

int main(int argc, char **argv)
{
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    uint64_t              count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    uint32_t              size;

    open_ring(0, &producer, &consumer);
    for (uint64_t i = 0; i < count; i++) {
        fast_publish(producer);
        if (!fast_receive(consumer))
            return 2;
    }
    for (uint64_t i = 0; i < count / BATCH; i++) {
        fast_publish_batch(producer);
        if (!fast_receive_batch(consumer))
            return 3;
    }
    for (uint64_t i = 0; i < count / RUN; i++) {
        fast_publish_run(producer);
        if (!fast_receive_run(consumer))
            return 4;
    }
    close_ring(producer, consumer);
    open_ring(8, &producer, &consumer);
    for (uint64_t i = 0; i < count; i++) {
        fast_publish_dense(producer);
        if (gyre_peek(consumer, &size) == NULL || gyre_release(consumer) != GYRE_OK)
            return 5;
    }
    close_ring(producer, consumer);
    printf("%llu\n", (unsigned long long)count);
    return 0;
}
