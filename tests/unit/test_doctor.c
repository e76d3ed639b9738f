/*
 * test_doctor.c - what the doctor finds where nothing is dead, and where the system refuses
 * membarrier.  Dead processes are in process/cli.sh.
 */
#include <string.h>

#include <gyre/doctor.h>

#include "handles.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

/* A file in the directory of rings: some bytes, then zeros. */
static void lay(const char *file, const void *bytes, size_t count, off_t size)
{
    char path[256];
    int  fd;

    (void)snprintf(path, sizeof(path), "%s/%s", ring_dir_path(), file);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, bytes, count), count);
    CHECK(size == 0 || posix_fallocate(fd, 0, size) == 0);
    CHECK_EQ(close(fd), 0);
}

static bool is_there(const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", ring_dir_path(), file);
    return access(path, F_OK) == 0;
}

/* Takes it away, too. */
static void check_there(const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", ring_dir_path(), file);
    SCENARIO_ASSERT(unlink(path) == 0, "%s is gone", file);
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

#ifdef __linux__

SCENARIO(doctor, leaves_files_alone_that_never_were_a_ring)
{
    static const uint64_t    data_magic = GYRE_DATA_MAGIC;
    static const char *const names[] = {"notes.data", "zeros.data", "empty.data", "other.data",
                                        "x.ctrl",     "nulls.ctrl", "yarn.lock",  ".w.data",
                                        ".v.data",    ".u.lock",    "-t.lock"};
    static const uint32_t    name_count = sizeof(names) / sizeof(names[0]);
    struct found             found = {{0}, 0};

    lay("notes.data", "to do", 5, 9000);
    lay("zeros.data", "", 0, 100000);
    lay("empty.data", "", 0, 0);
    lay("other.data", &data_magic, 8, 8192); /* a ring, perhaps, of another layout */
    lay("x.ctrl", "as it was", 9, 9);
    lay("nulls.ctrl", "", 0, 20608);
    lay("yarn.lock", "{}", 2, 2);
    lay(".w.data", "to do to do", 11, 8192);
    lay(".v.data", "", 0, 8191);
    lay(".u.lock", "{}", 2, 2);
    lay("-t.lock", "{}", 2, 2);
    for (int fix = 0; fix <= 1; fix++) {
        memset(&found, 0, sizeof(found));
        CHECK_EQ(gyre_doctor(fix, count, &found, NULL), GYRE_OK);
        CHECK_EQ(found.counts[GYRE_FOUND_FOREIGN], name_count);
        CHECK_EQ(sum(&found), name_count);
    }
    for (uint32_t i = 0; i < name_count; i++)
        check_there(names[i]);
}

SCENARIO(doctor, removes_what_a_creator_left_and_nothing_beside_it)
{
    static const uint64_t    data_magic = GYRE_DATA_MAGIC;
    static const uint64_t    ctrl_magic = GYRE_CTRL_MAGIC;
    static const char *const names[] = {"a.lock",  "a.ctrl",  "b.ctrl", ".c.data",
                                        ".c.ctrl", ".d.data", "e.lock"};
    static const uint32_t    name_count = sizeof(names) / sizeof(names[0]);
    struct found             found = {{0}, 0};

    lay("a.lock", "", 0, 0);
    lay("a.ctrl", &ctrl_magic, 8, 20608);
    lay("b.ctrl", "", 0, 0);
    lay(".c.data", &data_magic, 8, 8192);
    lay(".c.ctrl", "", 0, (off_t)(GYRE_SEATS_OFF + 63 * sizeof(struct gyre_shared_seat)));
    lay(".d.data", "", 0, GYRE_RING_OFF + 65536);
    lay("e.lock", "", 0, 0);
    lay("e.ctrl", "my own", 6, 6);
    lay("a.md", "my own", 6, 6);
    lay(".a.data", "my own", 6, 6);
    CHECK_EQ(gyre_doctor(0, count, &found, NULL), GYRE_OK);
    CHECK_EQ(found.counts[GYRE_FOUND_FILE], name_count);
    CHECK_EQ(found.counts[GYRE_FOUND_FOREIGN], 3);
    CHECK_EQ(found.mended, 0);
    memset(&found, 0, sizeof(found));
    CHECK_EQ(gyre_doctor(1, count, &found, NULL), GYRE_OK);
    CHECK_EQ(found.counts[GYRE_FOUND_FILE], found.mended);
    for (uint32_t i = 0; i < name_count; i++)
        SCENARIO_ASSERT(!is_there(names[i]), "%s is left", names[i]);
    check_there("e.ctrl");
    check_there("a.md");
    check_there(".a.data");
    memset(&found, 0, sizeof(found));
    CHECK_EQ(gyre_doctor(1, count, &found, NULL), GYRE_OK);
    CHECK_EQ(sum(&found), 0);
}

#endif

SCENARIO(doctor, wants_to_be_told_whom_to_tell)
{
    struct gyre_error error;

    CHECK_EQ(gyre_doctor(0, NULL, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "visit");
}
