/*
 * test_doctor.c - what the doctor finds where nothing is dead, and where the system refuses
 * membarrier.  Dead processes are in process/cli.sh.
 */
#include <string.h>

#include <gyre/doctor.h>

#include "handles.h"

#ifdef __linux__
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/calls.h"

static long refuse(int command)
{
    (void)command;
    errno = EPERM;
    return -1;
}

static void *lack(void *address, size_t size, int protection, int flags, int fd, off_t off)
{
    (void)address, (void)size, (void)protection, (void)flags, (void)fd, (void)off;
    errno = ENOMEM;
    return MAP_FAILED;
}
#endif

/* How often each kind was found; little room is this machine's affair. */
struct found {
    uint32_t counts[GYRE_FOUND_BARRIER + 1];
    uint32_t mended;
};

static void count(const struct gyre_finding *finding, void *context)
{
    struct found *found = context;

    CHECK(finding->kind >= GYRE_FOUND_RING && finding->kind <= GYRE_FOUND_BARRIER);
    found->counts[finding->kind]++;
    found->mended += finding->is_mended;
}

static uint32_t sum(const struct found *found)
{
    uint32_t all = 0;

    for (uint32_t i = 0; i <= GYRE_FOUND_BARRIER; i++)
        all += i == GYRE_FOUND_SPACE ? 0 : found->counts[i];
    return all;
}

SCENARIO(doctor, finds_nothing_among_the_living)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, 4096, 0);
    struct gyre_consumer *consumer = open_consumer(name, GYRE_RELIABLE, GYRE_START_NEWEST, 0);
    struct gyre_consumer *tap = open_consumer(name, GYRE_TAP, GYRE_START_NEWEST, 0);
    struct gyre_error     error;

    for (int fix = 0; fix <= 1; fix++) {
        struct found found = {{0}, 0};
        CHECK_EQ(gyre_doctor(fix, count, &found, &error), GYRE_OK);
        CHECK_EQ(sum(&found), 0);
        CHECK_EQ(found.mended, 0);
    }
    put(producer, 8);
    take(consumer, 0, 8);
    take(tap, 0, 8);
    gyre_consumer_close(tap);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(doctor, says_that_membarrier_is_refused)
{
#ifdef __linux__
    struct found found = {{0}, 0};

    sync_calls.membarrier = refuse;
    CHECK_EQ(gyre_doctor(1, count, &found, NULL), GYRE_OK);
    CHECK_EQ(found.counts[GYRE_FOUND_BARRIER], 1);
    CHECK_EQ(sum(&found), 1);
    CHECK_EQ(found.mended, 0);
#else
    SKIP_SCENARIO("there is none");
#endif
}

SCENARIO(doctor, leaves_a_ring_alone_that_it_has_no_memory_to_look_at)
{
#ifdef __linux__
    const char              *name = ring_dir_name();
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct gyre_consumer    *tap;
    struct gyre_error        error;
    struct found             found = {{0}, 0};

    options.capacity = 4096;
    options.flags = GYRE_KEEP;
    CHECK_EQ(gyre_producer_open(name, &options, &producer, NULL), GYRE_OK);
    put(producer, 8);
    gyre_producer_close(producer);
    sync_calls.mmap = lack;
    CHECK_EQ(gyre_doctor(1, count, &found, &error), GYRE_NO_MEMORY);
    CHECK_STR(error.field, "memory");
    CHECK_STR(error.call, "mmap");
    CHECK_EQ(sum(&found), 0);
    sync_calls.mmap = mmap;
    CHECK_EQ(gyre_doctor(1, count, &found, &error), GYRE_OK);
    CHECK_EQ(error.status, GYRE_OK);
    CHECK_EQ(sum(&found), 0);
    tap = open_consumer(name, GYRE_TAP, GYRE_START_OLDEST, 0);
    take(tap, 0, 8);
    gyre_consumer_close(tap);
    CHECK_EQ(gyre_ring_remove(name, 0, NULL), GYRE_OK);
#else
    SKIP_SCENARIO("no ring outlives its processes");
#endif
}

SCENARIO(doctor, wants_to_be_told_whom_to_tell)
{
    struct gyre_error error;

    CHECK_EQ(gyre_doctor(0, NULL, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "visit");
}
