/*
 * test_sealed.c - rings without a name, given from process to process: what they carry, what those
 * who have them cannot do, and what comes of gifts that are none.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "internal.h"
#include "payload.h"
#include "trial.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/calls.h"
#endif

#define CAPACITY 4096u
#define WORDS_MAX 32u
#define SOMEBODY 61114u /* a user that nobody is */

struct stage {
    int64_t  ticket;
    uint64_t is_given;
    uint64_t received;
    uint64_t ended_with;
    uint64_t is_other_user;
};

static struct stage *stage(void)
{
    return trial_stage();
}

static struct gyre_producer *open_sealed(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    options.capacity = CAPACITY;
    options.seat_count = 4;
    options.flags = GYRE_SEALED;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    return producer;
}

static struct gyre_consumer_options options_of(enum gyre_consumer_kind kind)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.kind = kind;
    options.start = GYRE_START_OLDEST;
    options.open_deadline_ns = trial_patience();
    return options;
}

static void send_numbers(struct gyre_producer *producer, uint64_t from, uint64_t count)
{
    for (uint64_t i = from; i < from + count; i++) {
        uint64_t message[WORDS_MAX];
        uint32_t words = payload_words(i, WORDS_MAX);
        payload_write(message, words, i, 0);
        EXPECT_STATUS(gyre_send(producer, message, words * 8, trial_patience()), GYRE_OK);
    }
}

static enum gyre_status receive_number(struct gyre_consumer *consumer, uint64_t number)
{
    uint64_t         message[WORDS_MAX];
    uint32_t         size;
    enum gyre_status status =
        gyre_recv(consumer, message, sizeof(message), &size, trial_patience());

    EXPECT(status != GYRE_OK || payload_check(message, size, number, WORDS_MAX),
           "message %llu is another one", (unsigned long long)number);
    return status;
}

/* --- from process to process ------------------------------------------------------------------ */

#ifdef _WIN32

static int ends[2];

static void make_way(void)
{
}

static void give(struct gyre_producer *producer, enum gyre_consumer_kind kind,
                 const struct process *process)
{
    intptr_t ticket = 0;

    EXPECT_STATUS(gyre_ring_share(producer, kind, process->os, &ticket, NULL), GYRE_OK);
    stage()->ticket = ticket;
    gyre_store_release_64(&stage()->is_given, 1);
}

static intptr_t gift(uint32_t argument)
{
    (void)argument;
    EXPECT_TRUE(process_await(&stage()->is_given, 1, PROCESS_PATIENCE_NS));
    return (intptr_t)stage()->ticket;
}

static void be_somebody_else(void)
{
}

#else

static int ends[2];

static void make_way(void)
{
    EXPECT_TRUE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); /* inherited: no CLOEXEC */
}

static void give(struct gyre_producer *producer, enum gyre_consumer_kind kind,
                 const struct process *process)
{
    intptr_t ticket = 0;

    (void)process;
    EXPECT_STATUS(gyre_ring_share(producer, kind, ends[0], &ticket, NULL), GYRE_OK);
    EXPECT_TRUE(ticket == -1);
}

static intptr_t gift(uint32_t argument)
{
    return (intptr_t)argument;
}

static void be_somebody_else(void)
{
    if (geteuid() != 0)
        return;
    EXPECT_TRUE(setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    EXPECT_TRUE(setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    stage()->is_other_user = 1;
}

#endif

static int read_all(uint32_t argument, enum gyre_consumer_kind kind)
{
    struct gyre_consumer_options options = options_of(kind);
    struct gyre_consumer        *consumer;
    enum gyre_status             status;
    uint64_t                     number = 0;

    be_somebody_else();
    EXPECT_STATUS(gyre_consumer_adopt(gift(argument), &options, &consumer, NULL), GYRE_OK);
    while ((status = receive_number(consumer, number)) == GYRE_OK)
        gyre_store_release_64(&stage()->received, ++number);
    stage()->ended_with = (uint64_t)status;
    gyre_consumer_close(consumer);
    return 0;
}

static int read_reliably(uint32_t argument)
{
    return read_all(argument, GYRE_RELIABLE);
}

static int tap(uint32_t argument)
{
    return read_all(argument, GYRE_TAP);
}

/* Ten times the ring: whoever is reliable holds the producer back. */
static void it_carries_messages_to_another_user(void)
{
    uint64_t              count = 10 * CAPACITY / 64;
    struct gyre_producer *producer = open_sealed();
    struct process        reader;

    make_way();
    trial_start(&reader, "read_reliably", (uint32_t)ends[1]);
    give(producer, GYRE_RELIABLE, &reader);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    send_numbers(producer, 0, count);
    gyre_producer_close(producer);
    trial_finish(&reader);
    EXPECT_EQ(stage()->received, count);
    EXPECT_EQ(stage()->ended_with, GYRE_CLOSED);
    if (!TRIAL_IS_WINDOWS)
        trial_note("%llu messages, to %s user", (unsigned long long)count,
                   stage()->is_other_user != 0 ? "another" : "the same: not root");
}

static void a_tap_reads_it_too(void)
{
    struct gyre_producer *producer = open_sealed();
    struct process        reader;

    make_way();
    send_numbers(producer, 0, 20);
    trial_start(&reader, "tap", (uint32_t)ends[1]);
    give(producer, GYRE_TAP, &reader);
    EXPECT_TRUE(process_await(&stage()->received, 20, PROCESS_PATIENCE_NS));
    gyre_producer_close(producer);
    trial_finish(&reader);
    EXPECT_EQ(stage()->received, 20);
    EXPECT_EQ(stage()->ended_with, GYRE_CLOSED);
}

static void a_reader_that_dies_holds_nobody_back(void)
{
    struct gyre_producer *producer = open_sealed();
    struct process        reader;

    make_way();
    trial_start(&reader, "read_reliably", (uint32_t)ends[1]);
    give(producer, GYRE_RELIABLE, &reader);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    send_numbers(producer, 0, 1);
    EXPECT_TRUE(process_await(&stage()->received, 1, PROCESS_PATIENCE_NS));
    process_kill(&reader);
    send_numbers(producer, 1, 10 * CAPACITY / 64);
    gyre_producer_close(producer);
}

/* --- what is asked of it in vain -------------------------------------------------------------- */

static void what_cannot_be_is_said(void)
{
    struct gyre_ring_options     options = GYRE_RING_OPTIONS_INIT;
    struct gyre_consumer_options wanted = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = NULL;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    intptr_t                     ticket;

    options.flags = GYRE_SEALED | GYRE_KEEP;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, &error), GYRE_BAD_ARGUMENT);
    EXPECT_TRUE(strcmp(error.field, "flags") == 0);
    options.flags = GYRE_SEALED;
    options.mode = 0640;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, &error), GYRE_BAD_ARGUMENT);
    EXPECT_TRUE(strcmp(error.field, "mode") == 0);
    options.mode = 0;
    options.sddl = "nonsense";
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, &error),
                  TRIAL_IS_WINDOWS ? GYRE_BAD_ARGUMENT : GYRE_UNSUPPORTED);
    EXPECT_TRUE(strcmp(error.field, "sddl") == 0);
    wanted.owner = "0";
    EXPECT_STATUS(gyre_consumer_adopt(0, &wanted, &consumer, &error), GYRE_BAD_ARGUMENT);
    EXPECT_TRUE(strcmp(error.field, "owner") == 0);
    EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &producer, NULL), GYRE_OK);
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_RELIABLE, 0, &ticket, &error), GYRE_UNSUPPORTED);
    EXPECT_TRUE(strcmp(error.field, "producer") == 0 && ticket == -1);
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_RELIABLE, 0, NULL, &error), GYRE_BAD_ARGUMENT);
    EXPECT_TRUE(strcmp(error.field, "ticket") == 0);
    gyre_producer_close(producer);
}

/* Its name stands for nothing: others may use it, and open finds no ring. */
static void nobody_finds_it_by_its_name(void)
{
    struct gyre_producer *producer = open_sealed(), *again = open_sealed();
    struct gyre_consumer *consumer;

    EXPECT_STATUS(gyre_consumer_open(trial_ring(), NULL, &consumer, NULL), GYRE_NOT_FOUND);
    EXPECT_EQ(process_list_rings(NULL), 0);
    gyre_producer_close(again);
    gyre_producer_close(producer);
}

static void who_is_gone_is_told_of(void)
{
    struct gyre_producer *producer = open_sealed();
    struct process        reader;
    struct gyre_error     error = {GYRE_OK, 0, NULL, NULL};
    intptr_t              ticket, to;

    make_way();
    trial_start(&reader, "tap", (uint32_t)ends[1]);
#ifdef _WIN32
    EXPECT_TRUE(DuplicateHandle(GetCurrentProcess(), (HANDLE)reader.os, GetCurrentProcess(),
                                (HANDLE *)&to, 0, FALSE, DUPLICATE_SAME_ACCESS));
    process_kill(&reader);
    EXPECT_EQ(WaitForSingleObject((HANDLE)to, INFINITE), WAIT_OBJECT_0);
#else
    to = ends[0];
    (void)close(ends[1]);
    process_kill(&reader);
    (void)process_wait(&reader, trial_patience());
#endif
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_TAP, to, &ticket, &error), GYRE_CLOSED);
    EXPECT_TRUE(error.field != NULL && strcmp(error.field, "to") == 0 && error.os_code != 0);
    EXPECT_TRUE(ticket == -1);
    gyre_producer_close(producer);
}

#ifndef _WIN32

enum { FORK_DUE = 1, FORK_DONE, FORK_OVER };

struct forker {
    struct process_thread thread;
    struct process        child;
    uint64_t              state;
};
static struct forker forker;

/* The child lives as long as the thread that forked it. */
static void fork_one(void *unused)
{
    (void)unused;
    gyre_store_release_64(&forker.state, FORK_DUE);
    if (process_fork(&forker.child)) {
        uint64_t never = 0;
        (void)process_await(&never, 1, 2 * PROCESS_PATIENCE_NS);
        process_kill_self();
    }
    gyre_store_release_64(&forker.state, FORK_DONE);
    (void)process_await(&forker.state, FORK_OVER, 2 * PROCESS_PATIENCE_NS);
    process_kill(&forker.child);
}

/* Gives the fork 50 ms; one that has to wait for the gift comes behind it. */
static ssize_t send_beside_a_fork(int fd, const struct msghdr *message, int flags)
{
    process_thread_start(&forker.thread, fork_one, NULL);
    trial_await(&forker.state, FORK_DUE);
    (void)process_await(&forker.state, FORK_DONE, 50000000);
    return sendmsg(fd, message, flags);
}

/* The child of the giver, forked by another thread while it gave. */
static void a_child_forked_while_it_is_given_keeps_no_seat(void)
{
    struct gyre_producer *producer = open_sealed();
    struct process        reader;

    make_way();
    trial_start(&reader, "read_reliably", (uint32_t)ends[1]);
    sync_calls.sendmsg = send_beside_a_fork;
    give(producer, GYRE_RELIABLE, &reader);
    sync_calls.sendmsg = sendmsg;
    trial_await(&forker.state, FORK_DONE);
    EXPECT_STATUS(gyre_producer_wait_consumers(producer, 1, trial_patience()), GYRE_OK);
    process_kill(&reader);
    send_numbers(producer, 0, 10 * CAPACITY / 64);
    gyre_store_release_64(&forker.state, FORK_OVER);
    process_thread_join(&forker.thread);
    gyre_producer_close(producer);
}

#endif

#ifdef _WIN32

/* The right to read is all that a ticket carries, in whatever process. */
static void a_ticket_cannot_be_written_through(void)
{
    struct gyre_producer        *producer = open_sealed();
    struct gyre_consumer_options options = options_of(GYRE_RELIABLE);
    struct gyre_consumer        *consumer;
    struct gyre_error            error;
    intptr_t                     ticket;

    EXPECT_STATUS(
        gyre_ring_share(producer, GYRE_RELIABLE, (intptr_t)GetCurrentProcess(), &ticket, NULL),
        GYRE_OK);
    EXPECT_TRUE(MapViewOfFile((HANDLE)ticket, FILE_MAP_WRITE, 0, 0, 0) == NULL);
    EXPECT_EQ(GetLastError(), ERROR_ACCESS_DENIED);
    EXPECT_STATUS(gyre_consumer_adopt(ticket, &options, &consumer, NULL), GYRE_OK);
    send_numbers(producer, 0, 1);
    EXPECT_STATUS(receive_number(consumer, 0), GYRE_OK);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    EXPECT_STATUS(gyre_consumer_adopt((intptr_t)0x7ffc, &options, &consumer, &error),
                  GYRE_BAD_LAYOUT);
    EXPECT_TRUE(strcmp(error.field, "from") == 0);
}

#else

static uint32_t count_fds(void)
{
    DIR     *dir = opendir("/proc/self/fd");
    uint32_t count = 0;

    EXPECT_TRUE(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

/* Takes a gift apart: the descriptors as they come. */
static uint32_t take_fds(int from, int fds[3])
{
    char             bytes[64];
    struct iovec     to = {bytes, sizeof(bytes)};
    _Alignas(8) char control[CMSG_SPACE(8 * sizeof(int))];
    struct msghdr    message = {.msg_iov = &to, .msg_iovlen = 1};
    struct cmsghdr  *part;
    size_t           size;

    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    EXPECT_TRUE(recvmsg(from, &message, MSG_CMSG_CLOEXEC) > 0);
    part = CMSG_FIRSTHDR(&message);
    EXPECT_TRUE(part != NULL);
    size = part->cmsg_len - CMSG_LEN(0);
    EXPECT_TRUE(size <= 3 * sizeof(int));
    memcpy(fds, CMSG_DATA(part), size);
    return (uint32_t)(size / sizeof(int));
}

static void give_fds(int to, const void *bytes, size_t byte_count, const int *fds, size_t fd_count)
{
    struct iovec     from = {(void *)(uintptr_t)bytes, byte_count};
    _Alignas(8) char control[CMSG_SPACE(8 * sizeof(int))];
    struct msghdr    message = {.msg_iov = &from, .msg_iovlen = 1};

    memset(control, 0, sizeof(control));
    if (fd_count != 0) {
        struct cmsghdr *part = (struct cmsghdr *)(void *)control;
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(part), fds, fd_count * sizeof(int));
    }
    EXPECT_TRUE(sendmsg(to, &message, 0) == (ssize_t)byte_count);
}

static void expect_unwritable(int fd, const char *what)
{
    char  path[64];
    int   again;
    void *view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

    EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "%s", what);
    EXPECT(view != MAP_FAILED && mprotect(view, 4096, PROT_READ | PROT_WRITE) != 0, "%s", what);
    EXPECT(pwrite(fd, "x", 1, 0) < 0, "%s", what);
    EXPECT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0, "%s", what);
    (void)munmap(view, 4096);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDWR | O_CLOEXEC); /* the same user may */
    if (again < 0)
        return;
    EXPECT(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED, "%s again", what);
    EXPECT(pwrite(again, "x", 1, 0) < 0 && errno == EPERM, "%s again", what);
    (void)close(again);
}

static void whoever_has_it_cannot_harm_it(void)
{
    struct gyre_producer *producer = open_sealed();
    int                   fds[3] = {-1, -1, -1};
    intptr_t              ticket;
    uint32_t              fd_count = count_fds();

    make_way();
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_RELIABLE, ends[0], &ticket, NULL), GYRE_OK);
    EXPECT_EQ(count_fds(), fd_count + 2);
    EXPECT_EQ(take_fds(ends[1], fds), 3);
    expect_unwritable(fds[1], "DATA");
    for (int i = 0; i < 3; i++) {
        EXPECT_TRUE(i == 0 || ftruncate(fds[i], 0) != 0); /* the lock file has no bytes */
        EXPECT_TRUE(ftruncate(fds[i], 1 << 20) != 0);
        (void)close(fds[i]);
    }
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_TAP, ends[0], &ticket, NULL), GYRE_OK);
    EXPECT_EQ(take_fds(ends[1], fds), 2);
    expect_unwritable(fds[1], "DATA of a tap");
    (void)close(fds[0]);
    (void)close(fds[1]);
    gyre_producer_close(producer);
}

static void expect_gift(enum gyre_status wanted, const char *field)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    uint32_t                     fd_count = count_fds();
    enum gyre_status             status = gyre_consumer_adopt(ends[1], &options, &consumer, &error);

    EXPECT(status == wanted, "%s, not %s", gyre_status_name(status), gyre_status_name(wanted));
    EXPECT(field == NULL || (error.field != NULL && strcmp(error.field, field) == 0),
           "error.field is %s, not %s", error.field == NULL ? "NULL" : error.field, field);
    EXPECT(count_fds() <= fd_count, "descriptors are left");
}

static void gifts_that_are_none_are_refused(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    struct gyre_producer        *producer = open_sealed();
    uint64_t                     words[2] = {UINT64_C(0x3154464947525947), 3};
    int                          fds[8];
    intptr_t                     ticket;

    make_way();
    expect_gift(GYRE_NOT_FOUND, NULL);
    options.open_deadline_ns = gyre_now_ns() + 1000000;
    EXPECT_STATUS(gyre_consumer_adopt(ends[1], &options, &consumer, NULL), GYRE_TIMEOUT);
    give_fds(ends[0], "some bytes of somebody", 16, NULL, 0);
    expect_gift(GYRE_BAD_LAYOUT, "from");
    give_fds(ends[0], "less", 4, NULL, 0);
    expect_gift(GYRE_BAD_LAYOUT, "from");
    for (uint32_t i = 0; i < 8; i++)
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    give_fds(ends[0], words, sizeof(words), fds, 0);
    expect_gift(GYRE_BAD_LAYOUT, "from");
    give_fds(ends[0], words, sizeof(words), fds, 2); /* it says three */
    expect_gift(GYRE_BAD_LAYOUT, "from");
    give_fds(ends[0], words, sizeof(words), fds, 8);
    expect_gift(GYRE_NO_MEMORY, "RLIMIT_NOFILE"); /* more than a gift has were cut off */
    give_fds(ends[0], words, sizeof(words), fds, 3);
    expect_gift(GYRE_BAD_LAYOUT, "data");
    for (uint32_t i = 0; i < 8; i++)
        (void)close(fds[i]);
    for (uint32_t i = 0; i < 3; i++) { /* of a size that may change, and of no memory yet */
        fds[i] = memfd_create("gift", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        EXPECT_TRUE(fds[i] >= 0 && ftruncate(fds[i], 65536) == 0);
    }
    give_fds(ends[0], words, sizeof(words), fds, 3);
    expect_gift(GYRE_BAD_LAYOUT, "data"); /* all of it is a hole */
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_TRUE(posix_fallocate(fds[i], 0, 65536) == 0);
    give_fds(ends[0], words, sizeof(words), fds, 3);
    expect_gift(GYRE_DENIED, "data");
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_TRUE(fcntl(fds[i], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    give_fds(ends[0], words, sizeof(words), fds, 3);
    expect_gift(GYRE_NOT_FOUND, NULL); /* zeros: no ring is there */
    for (uint32_t i = 0; i < 3; i++)
        (void)close(fds[i]);
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_TAP, ends[0], &ticket, NULL), GYRE_OK);
    expect_gift(GYRE_DENIED, "ctrl");
    (void)close(ends[0]);
    expect_gift(GYRE_CLOSED, "from");
    gyre_producer_close(producer);
}

/* The first datagram that finds nobody loses the other's address. */
static void nobody_at_a_datagram_socket_is_told_of_each_time(void)
{
    struct gyre_producer *producer = open_sealed();
    struct gyre_error     error;
    intptr_t              ticket;

    EXPECT_TRUE(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    (void)close(ends[1]);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_STATUS(gyre_ring_share(producer, GYRE_TAP, ends[0], &ticket, &error), GYRE_CLOSED);
        EXPECT_TRUE(error.field != NULL && strcmp(error.field, "to") == 0);
    }
    (void)close(ends[0]);
    gyre_producer_close(producer);
}

static void a_full_socket_is_busy(void)
{
    struct gyre_producer *producer = open_sealed();
    enum gyre_status      status = GYRE_OK;
    intptr_t              ticket;
    uint32_t              fd_count, i;

    make_way();
    fd_count = count_fds();
    for (i = 0; i < 100000 && status == GYRE_OK; i++)
        status = gyre_ring_share(producer, GYRE_RELIABLE, ends[0], &ticket, NULL);
    EXPECT_TRUE(i > 1 && status == GYRE_BUSY);
    EXPECT_EQ(count_fds(), fd_count);
    gyre_producer_close(producer);
}

/* Lives as long as it publishes; then its consumers read on to the end and are told. */
static int give_and_die(uint32_t argument)
{
    struct gyre_producer *producer = open_sealed();
    intptr_t              ticket;

    send_numbers(producer, 0, 10);
    EXPECT_STATUS(gyre_ring_share(producer, GYRE_RELIABLE, (intptr_t)argument, &ticket, NULL),
                  GYRE_OK);
    process_kill_self();
    return 0;
}

static void a_producer_that_dies_leaves_what_it_published(void)
{
    struct gyre_consumer_options options = options_of(GYRE_RELIABLE);
    struct gyre_consumer        *consumer;
    struct process               giver;

    make_way();
    trial_start(&giver, "give_and_die", (uint32_t)ends[0]);
    EXPECT_STATUS(gyre_consumer_adopt(ends[1], &options, &consumer, NULL), GYRE_OK);
    for (uint64_t i = 0; i < 10; i++)
        EXPECT_STATUS(receive_number(consumer, i), GYRE_OK);
    EXPECT_STATUS(receive_number(consumer, 10), GYRE_ORPHANED);
    gyre_consumer_close(consumer);
    EXPECT_EQ(process_wait(&giver, PROCESS_PATIENCE_NS), PROCESS_KILLED);
}

#endif

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
        "sealed." #name, name                                                                      \
    }
    static const struct trial trials[] = {
        TRIAL(it_carries_messages_to_another_user),  TRIAL(a_tap_reads_it_too),
        TRIAL(a_reader_that_dies_holds_nobody_back), TRIAL(what_cannot_be_is_said),
        TRIAL(nobody_finds_it_by_its_name),          TRIAL(who_is_gone_is_told_of),
#ifdef _WIN32
        TRIAL(a_ticket_cannot_be_written_through),
#else
        TRIAL(whoever_has_it_cannot_harm_it),
        TRIAL(gifts_that_are_none_are_refused),
        TRIAL(a_full_socket_is_busy),
        TRIAL(nobody_at_a_datagram_socket_is_told_of_each_time),
        TRIAL(a_producer_that_dies_leaves_what_it_published),
        TRIAL(a_child_forked_while_it_is_given_keeps_no_seat),
#endif
    };
    static const struct role roles[] = {
        {"read_reliably", read_reliably},
        {"tap", tap},
#ifndef _WIN32
        {"give_and_die", give_and_die},
#endif
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
