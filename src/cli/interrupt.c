/*
 * interrupt.c - Ctrl-C: remembered, and told to the handle that may be asleep.
 */
#include "cli.h"

#include <gyre/atomic.h>

#include "sync.h"

static uint32_t was_interrupted;
static struct gyre_producer *volatile open_producer;
static struct gyre_consumer *volatile open_consumer;

/* Runs in a signal handler on Linux and in a thread of its own on Windows. */
static void on_interrupt(void)
{
    struct gyre_producer *producer = open_producer;
    struct gyre_consumer *consumer = open_consumer;

    gyre_store_relaxed_32(&was_interrupted, 1);
    if (producer != NULL)
        gyre_producer_interrupt(producer);
    if (consumer != NULL)
        gyre_consumer_interrupt(consumer);
}

void cli_interrupt_arm(void)
{
    sync_console_on_interrupt(on_interrupt);
}

void cli_interrupt_producer(struct gyre_producer *producer)
{
    open_producer = producer;
}

void cli_interrupt_consumer(struct gyre_consumer *consumer)
{
    open_consumer = consumer;
}

bool cli_is_interrupted(void)
{
    return gyre_load_relaxed_32(&was_interrupted) != 0;
}
