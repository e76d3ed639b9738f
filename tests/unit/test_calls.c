/*
 * test_calls.c - every system call of sync/linux/calls.h fails, the first time, the second and so
 * on, with each error it may give.  Whatever the library was about to do then succeeds in another
 * way or fails with a clear status; it leaves no descriptor, no mapping and no file behind, and the
 * same thing done again succeeds.
 *
 * The idea is SQLite's.  Linux only: the table of sync/win32 is another one.
 */
#include "handles.h"

#ifdef _WIN32

SCENARIO(calls, fail_one_by_one_on_linux)
{
    SKIP_SCENARIO("these are the calls of Linux");
}

#else

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gyre/doctor.h>

#include "internal.h"
#include "linux/calls.h"
#include "operations.h"

#define MS OPERATION_MS

/* --- the faulty table ------------------------------------------------------------------------- */

enum call {
    CALL_MKDIR,
    CALL_OPEN,
    CALL_OPENAT,
    CALL_CLOSE,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_FCHMOD,
    CALL_FCHOWN,
    CALL_GETPWNAM,
    CALL_GETGRNAM,
    CALL_GETRLIMIT,
    CALL_FALLOCATE,
    CALL_LINKAT,
    CALL_RENAMEAT,
    CALL_UNLINKAT,
    CALL_FSTATVFS,
    CALL_MKFIFOAT,
    CALL_LOCK,
    CALL_UNLOCK,
    CALL_GETLOCK,
    CALL_MMAP,
    CALL_MUNMAP,
    CALL_FUTEX,
    CALL_FUTEX_WAITV,
    CALL_MEMBARRIER,
    CALL_INOTIFY_INIT,
    CALL_INOTIFY_ADD_WATCH,
    CALL_INOTIFY_RM_WATCH,
    CALL_THREAD_CREATE,
    CALL_READ,
    CALL_WRITE,
    CALL_PPOLL,
    CALL_CLOCK_GETTIME,
    CALL_CLOCK_NANOSLEEP,
    CALL_GETRANDOM,
    CALL_MEMFD_CREATE,
    CALL_SEALS,
    CALL_SENDMSG,
    CALL_RECVMSG,
    CALL_COUNT
};

/* What each may fail with; a close and a munmap that fail have done their work all the same. */
static const struct {
    const char *name;
    int         codes[8];
} errors[CALL_COUNT] = {
    [CALL_MKDIR] = {"mkdir", {EACCES, ENOSPC, EROFS, EEXIST}},
    [CALL_OPEN] = {"open", {EACCES, EMFILE, ENFILE, ENOMEM, ENOTDIR, ELOOP}},
    [CALL_OPENAT] = {"openat", {EACCES, EMFILE, ENFILE, ENOMEM, ENOSPC, EIO, EOPNOTSUPP}},
    [CALL_CLOSE] = {"close", {EIO, EINTR}},
    [CALL_FSTAT] = {"fstat", {EIO, ENOMEM}},
    [CALL_FSTATAT] = {"fstatat", {EIO, ENOMEM}},
    [CALL_FCHMOD] = {"fchmod", {EPERM, EIO}},
    [CALL_FCHOWN] = {"fchown", {EPERM, EIO}},
    [CALL_GETPWNAM] = {"getpwnam_r", {EIO, EMFILE}},
    [CALL_GETGRNAM] = {"getgrnam_r", {EIO, EMFILE}},
    [CALL_GETRLIMIT] = {"getrlimit", {EINVAL}},
    [CALL_FALLOCATE] = {"fallocate", {ENOSPC, EINTR, EOPNOTSUPP, EFBIG}},
    [CALL_LINKAT] = {"linkat", {ENOENT, EACCES, ENOSPC, EIO}},
    [CALL_RENAMEAT] = {"renameat", {EACCES, ENOSPC, EIO}},
    [CALL_UNLINKAT] = {"unlinkat", {EACCES, EBUSY, EIO}},
    [CALL_FSTATVFS] = {"fstatvfs", {EIO, ENOSYS}},
    [CALL_MKFIFOAT] = {"mkfifoat", {EACCES, ENOSPC, EIO}},
    [CALL_LOCK] = {"fcntl(lock)", {EINTR, ENOLCK, EAGAIN}},
    [CALL_UNLOCK] = {"fcntl(unlock)", {EINTR}},
    [CALL_GETLOCK] = {"fcntl(F_OFD_GETLK)", {EINVAL, EBADF}},
    [CALL_MMAP] = {"mmap", {ENOMEM, EACCES, EAGAIN, ENODEV}},
    [CALL_MUNMAP] = {"munmap", {EINVAL}},
    [CALL_FUTEX] = {"futex", {EINTR, EAGAIN, EFAULT}},
    [CALL_FUTEX_WAITV] = {"futex_waitv", {EINTR, EAGAIN, ENOSYS}},
    [CALL_MEMBARRIER] = {"membarrier", {EPERM, ENOSYS, EINVAL}},
    [CALL_INOTIFY_INIT] = {"inotify_init1", {EMFILE, ENFILE, ENOMEM}},
    [CALL_INOTIFY_ADD_WATCH] = {"inotify_add_watch", {ENOSPC, ENOMEM, EACCES}},
    [CALL_INOTIFY_RM_WATCH] = {"inotify_rm_watch", {0}}, /* cannot fail with what we give it */
    [CALL_THREAD_CREATE] = {"pthread_create", {EAGAIN, EPERM}},
    [CALL_READ] = {"read", {EAGAIN, EINTR}},
    [CALL_WRITE] = {"write", {EAGAIN, EINTR}},
    [CALL_PPOLL] = {"ppoll", {EINTR, ENOMEM}},
    [CALL_CLOCK_GETTIME] = {"clock_gettime", {EINVAL}},
    [CALL_CLOCK_NANOSLEEP] = {"clock_nanosleep", {EINTR}},
    [CALL_GETRANDOM] = {"getrandom", {EINTR, ENOSYS, EAGAIN}},
    [CALL_MEMFD_CREATE] = {"memfd_create", {EMFILE, ENFILE, ENOMEM, EINVAL}},
    [CALL_SEALS] = {"fcntl(seals)", {EBUSY, EINVAL, EPERM}},
    [CALL_SENDMSG] = {"sendmsg", {EAGAIN, EINTR, EPIPE, ENOBUFS, ETOOMANYREFS}},
    [CALL_RECVMSG] = {"recvmsg", {EAGAIN, EINTR, ECONNRESET, ENOTSOCK}},
};

static struct sync_calls real;

static struct {
    enum call call;
    uint32_t  nth; /* 0: none fails; UINT32_MAX: each one does */
    int       code;
    uint32_t  seen;
    bool      has_struck;
    bool      no_unnamed_files; /* O_TMPFILE is refused, as some file systems do */
} fault;

static bool strikes(enum call call)
{
    if (call != fault.call || fault.nth == 0)
        return false;
    if (__atomic_add_fetch(&fault.seen, 1, __ATOMIC_SEQ_CST) != fault.nth &&
        fault.nth != UINT32_MAX)
        return false;
    fault.has_struck = true;
    errno = fault.code;
    return true;
}

static int bad_mkdir(const char *path, mode_t mode)
{
    return strikes(CALL_MKDIR) ? -1 : real.mkdir(path, mode);
}

static int bad_open(const char *path, int flags)
{
    return strikes(CALL_OPEN) ? -1 : real.open(path, flags);
}

static int bad_openat(int dir, const char *path, int flags, mode_t mode)
{
    if (strikes(CALL_OPENAT))
        return -1;
    if (fault.no_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return real.openat(dir, path, flags, mode);
}

static int bad_close(int fd)
{
    int result = real.close(fd);

    return strikes(CALL_CLOSE) ? -1 : result;
}

static int bad_fstat(int fd, struct stat *status)
{
    return strikes(CALL_FSTAT) ? -1 : real.fstat(fd, status);
}

static int bad_fstatat(int dir, const char *path, struct stat *status, int flags)
{
    return strikes(CALL_FSTATAT) ? -1 : real.fstatat(dir, path, status, flags);
}

static int bad_fchown(int fd, uid_t owner, gid_t group)
{
    return strikes(CALL_FCHOWN) ? -1 : real.fchown(fd, owner, group);
}

static int bad_getpwnam(const char *name, struct passwd *entry, char *buffer, size_t size,
                        struct passwd **found)
{
    return strikes(CALL_GETPWNAM) ? fault.code : real.getpwnam(name, entry, buffer, size, found);
}

static int bad_getgrnam(const char *name, struct group *entry, char *buffer, size_t size,
                        struct group **found)
{
    return strikes(CALL_GETGRNAM) ? fault.code : real.getgrnam(name, entry, buffer, size, found);
}

static int bad_getrlimit(int resource, struct rlimit *limit)
{
    return strikes(CALL_GETRLIMIT) ? -1 : real.getrlimit(resource, limit);
}

static int bad_fchmod(int fd, mode_t mode)
{
    return strikes(CALL_FCHMOD) ? -1 : real.fchmod(fd, mode);
}

static int bad_fallocate(int fd, off_t offset, off_t size)
{
    return strikes(CALL_FALLOCATE) ? fault.code : real.fallocate(fd, offset, size);
}

static int bad_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return strikes(CALL_LINKAT) ? -1 : real.linkat(from_dir, from, to_dir, to, flags);
}

static int bad_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return strikes(CALL_RENAMEAT) ? -1 : real.renameat(from_dir, from, to_dir, to);
}

static int bad_unlinkat(int dir, const char *path, int flags)
{
    return strikes(CALL_UNLINKAT) ? -1 : real.unlinkat(dir, path, flags);
}

static int bad_fstatvfs(int fd, struct statvfs *status)
{
    return strikes(CALL_FSTATVFS) ? -1 : real.fstatvfs(fd, status);
}

static int bad_mkfifoat(int dir, const char *path, mode_t mode)
{
    return strikes(CALL_MKFIFOAT) ? -1 : real.mkfifoat(dir, path, mode);
}

static int bad_fcntl_lock(int fd, int command, struct flock *lock)
{
    enum call call = CALL_LOCK;

    if (command == F_OFD_GETLK)
        call = CALL_GETLOCK;
    else if (lock->l_type == F_UNLCK)
        call = CALL_UNLOCK;
    return strikes(call) ? -1 : real.fcntl_lock(fd, command, lock);
}

static void *bad_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return strikes(CALL_MMAP) ? MAP_FAILED : real.mmap(at, size, protection, flags, fd, offset);
}

static int bad_munmap(void *at, size_t size)
{
    int result = real.munmap(at, size);

    return strikes(CALL_MUNMAP) ? -1 : result;
}

static long bad_futex(uint32_t *word, int operation, uint32_t value,
                      const struct timespec *deadline, uint32_t mask)
{
    return strikes(CALL_FUTEX) ? -1 : real.futex(word, operation, value, deadline, mask);
}

static long bad_futex_waitv(const struct sync_waitv *waiters, uint32_t count,
                            const struct timespec *deadline)
{
    return strikes(CALL_FUTEX_WAITV) ? -1 : real.futex_waitv(waiters, count, deadline);
}

static long bad_membarrier(int command)
{
    return strikes(CALL_MEMBARRIER) ? -1 : real.membarrier(command);
}

static int bad_inotify_init(int flags)
{
    return strikes(CALL_INOTIFY_INIT) ? -1 : real.inotify_init(flags);
}

static int bad_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return strikes(CALL_INOTIFY_ADD_WATCH) ? -1 : real.inotify_add_watch(fd, path, mask);
}

static int bad_inotify_rm_watch(int fd, int watch)
{
    return strikes(CALL_INOTIFY_RM_WATCH) ? -1 : real.inotify_rm_watch(fd, watch);
}

static int bad_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                             void *(*run)(void *), void              *context)
{
    return strikes(CALL_THREAD_CREATE) ? fault.code
                                       : real.thread_create(thread, attributes, run, context);
}

static ssize_t bad_read(int fd, void *buffer, size_t size)
{
    return strikes(CALL_READ) ? -1 : real.read(fd, buffer, size);
}

static ssize_t bad_write(int fd, const void *buffer, size_t size)
{
    return strikes(CALL_WRITE) ? -1 : real.write(fd, buffer, size);
}

static int bad_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout)
{
    return strikes(CALL_PPOLL) ? -1 : real.ppoll(fds, count, timeout);
}

static int bad_clock_gettime(clockid_t clock, struct timespec *time)
{
    return strikes(CALL_CLOCK_GETTIME) ? -1 : real.clock_gettime(clock, time);
}

static int bad_clock_nanosleep(clockid_t clock, int flags, const struct timespec *deadline)
{
    return strikes(CALL_CLOCK_NANOSLEEP) ? fault.code
                                         : real.clock_nanosleep(clock, flags, deadline);
}

static ssize_t bad_getrandom(void *buffer, size_t size)
{
    return strikes(CALL_GETRANDOM) ? -1 : real.getrandom(buffer, size);
}

static int bad_memfd_create(const char *name, unsigned flags)
{
    return strikes(CALL_MEMFD_CREATE) ? -1 : real.memfd_create(name, flags);
}

static int bad_fcntl_seals(int fd, int command, int seals)
{
    return strikes(CALL_SEALS) ? -1 : real.fcntl_seals(fd, command, seals);
}

static ssize_t bad_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return strikes(CALL_SENDMSG) ? -1 : real.sendmsg(fd, message, flags);
}

static ssize_t bad_recvmsg(int fd, struct msghdr *message, int flags)
{
    return strikes(CALL_RECVMSG) ? -1 : real.recvmsg(fd, message, flags);
}

static void break_calls(void)
{
    static const struct sync_calls bad = {
        .mkdir = bad_mkdir,
        .open = bad_open,
        .openat = bad_openat,
        .close = bad_close,
        .fstat = bad_fstat,
        .fstatat = bad_fstatat,
        .fchmod = bad_fchmod,
        .fchown = bad_fchown,
        .getpwnam = bad_getpwnam,
        .getgrnam = bad_getgrnam,
        .getrlimit = bad_getrlimit,
        .fallocate = bad_fallocate,
        .linkat = bad_linkat,
        .renameat = bad_renameat,
        .unlinkat = bad_unlinkat,
        .fstatvfs = bad_fstatvfs,
        .mkfifoat = bad_mkfifoat,
        .fcntl_lock = bad_fcntl_lock,
        .mmap = bad_mmap,
        .munmap = bad_munmap,
        .futex = bad_futex,
        .futex_waitv = bad_futex_waitv,
        .membarrier = bad_membarrier,
        .inotify_init = bad_inotify_init,
        .inotify_add_watch = bad_inotify_add_watch,
        .inotify_rm_watch = bad_inotify_rm_watch,
        .thread_create = bad_thread_create,
        .read = bad_read,
        .write = bad_write,
        .ppoll = bad_ppoll,
        .clock_gettime = bad_clock_gettime,
        .clock_nanosleep = bad_clock_nanosleep,
        .getrandom = bad_getrandom,
        .memfd_create = bad_memfd_create,
        .fcntl_seals = bad_fcntl_seals,
        .sendmsg = bad_sendmsg,
        .recvmsg = bad_recvmsg,
    };

    /* A call that is new in the table and not in this test would be a NULL. */
    for (size_t i = 0; i < sizeof(bad); i += sizeof(void (*)(void))) {
        static const unsigned char none[sizeof(void (*)(void))];
        CHECK(memcmp((const unsigned char *)&bad + i, none, sizeof(none)) != 0);
    }
    if (real.mkdir == NULL)
        real = sync_calls;
    sync_calls = bad;
    memset(&fault, 0, sizeof(fault));
}

/* --- what must not leak ----------------------------------------------------------------------- */

struct holdings {
    uint32_t fds;
    uint32_t files;
    uint32_t maps;
};

static uint32_t count_entries(const char *path)
{
    uint32_t       count = 0;
    struct dirent *entry;
    DIR           *dir = opendir(path);

    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return count;
}

static struct holdings take_stock(void)
{
    struct holdings holdings = {count_entries("/proc/self/fd"), count_entries(ring_dir_path()), 0};
    FILE           *maps = fopen("/proc/self/maps", "r");
    char            line[1024];

    CHECK(maps != NULL);
    while (fgets(line, sizeof(line), maps) != NULL)
        holdings.maps += strstr(line, ring_dir_path()) != NULL;
    (void)fclose(maps);
    return holdings;
}

/* --- what is done, besides what operations.h has --------------------------------------------- */

static enum gyre_status share(struct scene *scene)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = OPERATION_CAPACITY;
    options.mode = 0660;
    options.owner_group = "root";
    return gyre_producer_open(scene->name, &options, &scene->opened_producer, &scene->error);
}

static enum gyre_status tap_by_owner(struct scene *scene)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.kind = GYRE_TAP;
    options.owner = "root";
    return gyre_consumer_open(scene->name, &options, &scene->opened_consumer, &scene->error);
}

/* A sealed ring, given to this very process. */
static enum gyre_status share_and_adopt(struct scene *scene)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    intptr_t                 ticket;
    int                      ends[2];
    enum gyre_status         status;

    options.capacity = OPERATION_CAPACITY;
    options.flags = GYRE_SEALED;
    status = gyre_producer_open(scene->name, &options, &scene->opened_producer, &scene->error);
    if (status != GYRE_OK)
        return status;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    status =
        gyre_ring_share(scene->opened_producer, GYRE_RELIABLE, ends[0], &ticket, &scene->error);
    if (status == GYRE_OK)
        status = gyre_consumer_adopt(ends[1], NULL, &scene->opened_consumer, &scene->error);
    (void)close(ends[0]);
    (void)close(ends[1]);
    if (status != GYRE_OK) {
        gyre_producer_close(scene->opened_producer);
        scene->opened_producer = NULL;
    }
    return status;
}

static void hear(const struct gyre_finding *finding, void *context)
{
    (void)finding;
    (void)context;
}

static enum gyre_status mend(struct scene *scene)
{
    return gyre_doctor(1, hear, NULL, &scene->error);
}

static enum gyre_status stand_by(struct scene *scene)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.open_deadline_ns = gyre_now_ns() + 2 * MS;
    return gyre_producer_open(scene->name, &options, &scene->opened_producer, &scene->error);
}

static enum gyre_status watch_consumers(struct scene *scene)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.watch = GYRE_WATCH_THREAD;
    return gyre_producer_open(scene->name, &options, &scene->opened_producer, &scene->error);
}

static enum gyre_status watch_producer(struct scene *scene)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.watch = GYRE_WATCH_THREAD;
    return gyre_consumer_open(scene->name, &options, &scene->opened_consumer, &scene->error);
}

static const struct operation operations[] = {
    {"a new ring", false, false, create, GYRE_OK},
    {"a ring without producer", false, true, create, GYRE_OK},
    {"a ring with a producer", true, false, create, GYRE_BUSY},
    {"a consumer", true, false, join, GYRE_OK},
    {"a tap", true, false, tap, GYRE_OK},
    {"a consumer of no ring", false, false, join, GYRE_NOT_FOUND},
    {"a birth", false, false, await_birth, GYRE_TIMEOUT},
    {"inspect", true, true, inspect, GYRE_OK},
    {"list", true, false, list, GYRE_OK},
    {"remove a ring in use", true, false, remove_unforced, GYRE_BUSY},
    {"remove no ring", false, false, remove_missing, GYRE_NOT_FOUND},
    {"close", true, true, close_all, GYRE_OK},
    {"send and recv", true, true, send_and_recv, GYRE_OK},
    {"wait", true, true, wait_in_vain, GYRE_TIMEOUT},
    {"send to a full ring", true, true, send_in_vain, GYRE_TIMEOUT},
    {"wait for consumers", true, true, await_nobody, GYRE_TIMEOUT},
    {"a member of a group", true, false, be_member, GYRE_OK},
    {"arm a handle", true, true, arm_handle, GYRE_TIMEOUT},
    {"wait for any of two", true, true, wait_for_any, GYRE_TIMEOUT},
    {"wait as a tap", true, false, tap_in_vain, GYRE_TIMEOUT},
    {"inspect groups", true, false, inspect_groups, GYRE_OK},
    {"a sealed ring", false, false, share_and_adopt, GYRE_OK},
    {"the doctor", true, true, mend, GYRE_OK},
    {"a standby", true, false, stand_by, GYRE_TIMEOUT},
    {"a producer that watches", false, true, watch_consumers, GYRE_OK},
    {"a consumer that watches", true, false, watch_producer, GYRE_OK},
    {"a shared ring", false, false, share, GYRE_OK},
    {"a tap that names the owner", true, false, tap_by_owner, GYRE_OK},
};
#define SHARING_COUNT 2u /* the last ones, for root */
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

#define EXPECT(condition)                                                                          \
    SCENARIO_ASSERT(condition,                                                                     \
                    "%s, %s number %u fails with %s: not so: %s (status %s, call %s, "             \
                    "os_code %d)",                                                                 \
                    operation->name, errors[fault.call].name, (unsigned)nth, strerror(fault.code), \
                    #condition, gyre_status_name(status),                                          \
                    scene.error.call != NULL ? scene.error.call : "none",                          \
                    (int)scene.error.os_code)

/* The operation again, with no fault: it does what it should. */
static void retry(const struct operation *operation, struct scene *scene)
{
    enum gyre_status status;

    gyre_consumer_close(scene->opened_consumer);
    gyre_producer_close(scene->opened_producer);
    scene->opened_consumer = NULL;
    scene->opened_producer = NULL;
    status = operation->run(scene);
    SCENARIO_ASSERT(status == operation->wanted, "%s, %s failed with %s: the retry says %s",
                    operation->name, errors[fault.call].name, strerror(fault.code),
                    gyre_status_name(status));
}

/*
 * A fault that hits the clearing up itself may leave a file: it says so only to a later open, which
 * clears up.  Otherwise nothing stays.
 */
static bool may_leave_files(enum call call)
{
    return call == CALL_UNLINKAT || call == CALL_LOCK || call == CALL_FSTAT || call == CALL_FSTATAT;
}

/* One fault in one operation.  False: the operation makes no such call any more. */
static bool fails_well(const struct operation *operation, enum call call, uint32_t nth, int code)
{
    struct holdings  before = take_stock(), after;
    struct scene     scene = set_scene(operation);
    struct holdings  ready = take_stock();
    enum gyre_status status;
    bool             is_success;

    fault.seen = 0;
    fault.has_struck = false;
    fault.call = call;
    fault.code = code;
    fault.nth = nth;
    status = operation->run(&scene);
    fault.nth = 0;
    is_success = status == operation->wanted;
    if (fault.has_struck && !is_success) {
        EXPECT(code != EINTR); /* a signal is no reason to fail */
        EXPECT(status < 0 || status == GYRE_TIMEOUT || (status == GYRE_CLOSED && code == EPIPE));
        EXPECT(scene.opened_producer == NULL && scene.opened_consumer == NULL);
        if (status < 0) {
            EXPECT(scene.error.status == status);
            EXPECT(scene.error.call != NULL);
            EXPECT(scene.error.os_code == code || code == ENOTDIR); /* told as EACCES */
        }
        after = take_stock();
        EXPECT(after.fds == ready.fds);
        EXPECT(after.maps == ready.maps);
        if (!may_leave_files(call))
            EXPECT(after.files <= ready.files);
    } else {
        EXPECT(is_success);
    }
    if (operation->run != close_all)
        retry(operation, &scene);
    strike_set(&scene);
    after = take_stock();
    EXPECT(after.fds == before.fds);
    EXPECT(after.maps == before.maps);
    if (!fault.has_struck || !may_leave_files(call))
        EXPECT(after.files == before.files);
    /* A ring of this name can be made, used and removed, whatever was left. */
    if (after.files != before.files) {
        scene.opened_producer = NULL;
        status = create(&scene);
        EXPECT(status == GYRE_OK);
        gyre_producer_close(scene.opened_producer);
        after = take_stock();
        EXPECT(after.files == before.files);
    }
    return fault.has_struck;
}

static uint32_t each_call_fails_in(const struct operation *operation)
{
    uint32_t struck = 0;

    for (uint32_t call = 0; call < CALL_COUNT; call++)
        for (uint32_t i = 0; i < 8 && errors[call].codes[i] != 0; i++)
            for (uint32_t nth = 1; nth < 60; nth++)
                if (fails_well(operation, (enum call)call, nth, errors[call].codes[i]))
                    struck++;
                else
                    break;
    return struck;
}

static void group(size_t first, size_t last, bool no_unnamed_files)
{
    break_calls();
    fault.no_unnamed_files = no_unnamed_files;
    for (size_t i = first; i < last; i++) {
        uint32_t struck = each_call_fails_in(&operations[i]);
        if (operations[i].run == send_and_recv)
            CHECK_EQ(struck, 0); /* messages that need no sleep need no system call */
        else
            CHECK(struck > 3);
    }
}

SCENARIO(calls, fail_one_by_one_while_a_producer_opens)
{
    group(0, 3, false);
}

SCENARIO(calls, fail_one_by_one_where_no_file_can_be_without_a_name)
{
    group(0, 3, true);
}

SCENARIO(calls, fail_one_by_one_while_a_consumer_opens)
{
    group(3, 7, false);
}

SCENARIO(calls, fail_one_by_one_while_rings_are_looked_at_and_removed)
{
    group(7, 11, false);
}

SCENARIO(calls, fail_one_by_one_while_handles_close)
{
    group(11, 12, false);
}

SCENARIO(calls, fail_one_by_one_while_messages_flow)
{
    group(12, OPERATION_COUNT - SHARING_COUNT, false);
}

SCENARIO(calls, fail_one_by_one_while_a_ring_is_shared)
{
    if (geteuid() != 0)
        SKIP_SCENARIO("only root has root's group for certain");
    group(OPERATION_COUNT - SHARING_COUNT, OPERATION_COUNT, false);
}

/* --- where nothing can be made ---------------------------------------------------------------- */

static int making_code;

static int make_nothing(int dir, const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) == 0 && (flags & O_TMPFILE) != O_TMPFILE)
        return real.openat(dir, path, flags, mode);
    errno = making_code;
    return -1;
}

SCENARIO(calls, the_directory_is_blamed_where_no_file_can_be_made)
{
    static const int      codes[] = {EACCES, EROFS};
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    real = sync_calls;
    sync_calls.openat = make_nothing;
    for (size_t i = 0; i < 2; i++) {
        making_code = codes[i];
        CHECK_EQ(gyre_producer_open(ring_dir_name(), NULL, &producer, &error), GYRE_DENIED);
        CHECK_STR(error.field, "GYRE_DIR");
        CHECK_EQ(error.os_code, codes[i]);
    }
    CHECK(strstr(gyre_error_advice(&error), "writable by the owner") != NULL);
}

/* --- sleeping without the barrier ------------------------------------------------------------- */

struct sleeper {
    struct gyre_consumer *consumer;
    uint64_t              count;
    uint64_t              received;
    enum gyre_status      status;
};

static void *receive(void *context)
{
    struct sleeper *sleeper = context;
    unsigned char   message[64];
    uint32_t        size;

    while (sleeper->received < sleeper->count) {
        uint64_t seq = gyre_consumer_seq(sleeper->consumer);
        sleeper->status = gyre_recv(sleeper->consumer, message, sizeof(message), &size,
                                    gyre_now_ns() + 20000 * MS);
        if (sleeper->status != GYRE_OK || !pattern_matches(message, size, seq))
            break;
        __atomic_store_n(&sleeper->received, seq + 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Sends `count` messages, each when its reader is asleep, or about to be. */
static void send_to_a_sleeper(struct gyre_producer *producer, struct gyre_consumer *consumer,
                              uint64_t count)
{
    struct sleeper sleeper = {consumer, gyre_producer_seq(producer) + count, 0, GYRE_OK};
    pthread_t      thread;

    CHECK_EQ(pthread_create(&thread, NULL, receive, &sleeper), 0);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t patience = gyre_now_ns() + 10000 * MS;
        while (gyre_now_ns() < patience && (producer->ring.sleepers->mask & 1) == 0)
            continue;
        if (i % 2 == 0)
            sync_clock_sleep_until(gyre_now_ns() + MS);
        put(producer, 32);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(sleeper.status, GYRE_OK);
    CHECK_EQ(sleeper.received, sleeper.count);
}

static struct gyre_consumer *open_sleepy(const char *name)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.wait = GYRE_WAIT_SLEEP;
    CHECK_EQ(gyre_consumer_open(name, &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

SCENARIO(calls, a_sleeper_is_woken_although_its_membarrier_is_refused)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, OPERATION_CAPACITY, 64);
    struct gyre_consumer *consumer = open_sleepy(name);

    break_calls();
    fault.call = CALL_MEMBARRIER;
    fault.code = EPERM;
    fault.nth = UINT32_MAX;
    send_to_a_sleeper(producer, consumer, 100);
    CHECK(fault.has_struck);
    CHECK((producer->ring.sleepers->mask & GYRE_SLEEPERS_FENCE) != 0);
    CHECK_EQ(producer->ring.front->fence_ack, 1);
    CHECK_EQ(consumer->seat->needs_fence, 1);
    CHECK(consumer->seat->sleep_count >= 50);
    gyre_consumer_close(consumer);
    fault.nth = 0;
    for (uint32_t i = 0; i < 200;
         i++) /* some refreshes of credit: nobody needs the fence any more */
        put(producer, 56);
    CHECK_EQ(producer->ring.sleepers->mask, 0);
    CHECK_EQ(producer->ring.front->fence_ack, 0);
    gyre_producer_close(producer);
}

SCENARIO(calls, a_sleeper_is_woken_by_a_producer_that_cannot_be_reached)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;

    break_calls();
    fault.call = CALL_MEMBARRIER;
    fault.code = ENOSYS;
    fault.nth = UINT32_MAX;
    producer = open_producer(name, OPERATION_CAPACITY, 64);
    fault.nth = 0;
    CHECK_EQ(producer->ring.front->is_registered, 0);
    consumer = open_sleepy(name);
    send_to_a_sleeper(producer, consumer, 100);
    CHECK_EQ(producer->ring.front->fence_ack, 1);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

SCENARIO(calls, a_sleeper_is_woken_although_its_futex_calls_are_interrupted)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, OPERATION_CAPACITY, 64);
    struct gyre_consumer *consumer = open_sleepy(name);

    break_calls();
    fault.call = CALL_FUTEX;
    fault.code = EINTR;
    fault.nth = UINT32_MAX;
    send_to_a_sleeper(producer, consumer, 50);
    CHECK(fault.has_struck);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

/* A blocked producer in another thread, and a consumer whose releases no barrier reaches. */
struct blocked {
    struct gyre_producer *producer;
    enum gyre_status      status;
    uint32_t              sent;
};

static void *send_much(void *context)
{
    struct blocked *blocked = context;
    unsigned char   message[56];

    for (; blocked->sent < 1000 && blocked->status == GYRE_OK; blocked->sent++) {
        pattern_fill(message, 56, blocked->sent);
        blocked->status = gyre_send(blocked->producer, message, 56, gyre_now_ns() + 20000 * MS);
    }
    return NULL;
}

SCENARIO(calls, a_blocked_producer_goes_on_although_membarrier_is_refused)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    struct blocked        blocked = {NULL, GYRE_OK, 0};
    pthread_t             thread;

    break_calls();
    fault.call = CALL_MEMBARRIER;
    fault.code = EPERM;
    fault.nth = UINT32_MAX;
    producer = open_producer(name, OPERATION_CAPACITY, 64);
    producer->wait = GYRE_WAIT_SLEEP;
    consumer = open_sleepy(name);
    blocked.producer = producer;
    CHECK_EQ(pthread_create(&thread, NULL, send_much, &blocked), 0);
    for (uint64_t seq = 0; seq < 1000; seq++) {
        CHECK_EQ(gyre_wait(consumer, gyre_now_ns() + 20000 * MS), GYRE_OK);
        take(consumer, seq, 56);
        if (seq % 50 == 0)
            sync_clock_sleep_until(gyre_now_ns() + MS);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(blocked.status, GYRE_OK);
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

static bool is_readable(intptr_t handle)
{
    struct pollfd watched = {(int)handle, POLLIN, 0};

    return poll(&watched, 1, 0) == 1;
}

static void wait_ms(uint64_t ms)
{
    sync_clock_sleep_until(gyre_now_ns() + ms * 1000000);
}

SCENARIO(calls, an_armed_handle_is_rung_once_the_producer_has_a_descriptor_again)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, OPERATION_CAPACITY, 64);
    struct gyre_consumer *consumer = open_sleepy(name);
    uint64_t              rearm_ns = 0;
    intptr_t              handle = -1;

    CHECK_EQ(gyre_consumer_handle(consumer, &handle, NULL), GYRE_OK);
    CHECK_EQ(gyre_consumer_arm(consumer, &rearm_ns), GYRE_TIMEOUT);
    break_calls();
    fault.call = CALL_OPENAT;
    fault.code = EMFILE;
    fault.nth = UINT32_MAX;
    put(producer, 56);
    CHECK(fault.has_struck);
    CHECK(!is_readable(handle));
    fault.nth = 0;
    wait_ms(2); /* longer than the producer lets a FIFO be that it could not open */
    put(producer, 56);
    CHECK(is_readable(handle));
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
}

static uint32_t call_count;
static int (*real_openat)(int dir, const char *path, int flags, mode_t mode);
static long (*real_futex)(uint32_t *word, int operation, uint32_t value,
                          const struct timespec *deadline, uint32_t mask);

static int openat_and_count(int dir, const char *path, int flags, mode_t mode)
{
    call_count++;
    return real_openat(dir, path, flags, mode);
}

static long futex_and_count(uint32_t *word, int operation, uint32_t value,
                            const struct timespec *deadline, uint32_t mask)
{
    call_count++;
    return real_futex(word, operation, value, deadline, mask);
}

/* The rogue's flag says that there is a FIFO, its bit that it sleeps, and both are lies. */
SCENARIO(calls, a_fifo_that_is_not_there_costs_no_calls_at_each_publish)
{
    const char           *name = ring_dir_name();
    struct gyre_producer *producer = open_producer(name, OPERATION_CAPACITY, 64);
    struct gyre_consumer *rogue = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    uint64_t              begin_ns;

    rogue->seat->is_pollable = 1;
    real_openat = sync_calls.openat;
    real_futex = sync_calls.futex;
    sync_calls.openat = openat_and_count;
    sync_calls.futex = futex_and_count;
    begin_ns = gyre_now_ns();
    for (uint32_t i = 0; i < 20000; i++) {
        rogue->ring.sleepers->mask |= 1;
        put(producer, 56);
    }
    CHECK(call_count >= 2);
    CHECK(call_count <= 2 * (2 + (gyre_now_ns() - begin_ns) / 1000000)); /* two a millisecond */
    gyre_consumer_close(rogue);
    gyre_producer_close(producer);
}

/* --- what counts as slept through ------------------------------------------------------------- */

static struct {
    struct gyre_producer *producer;
    uint32_t              calls;
    bool                  has_bell; /* the producer goes on, and looks who sleeps */
} late;

/* The time is up; a message is visible by then, but its producer was stopped right behind it. */
static long publish_and_time_out(const struct sync_waitv *waiters, uint32_t count,
                                 const struct timespec *deadline)
{
    uint64_t *mask = &late.producer->ring.sleepers->mask;
    uint64_t  sleepers = *mask;

    (void)waiters, (void)count, (void)deadline;
    errno = ETIMEDOUT;
    if (late.calls++ == 0) {
        *mask = 0;
        put(late.producer, 56);
        *mask = sleepers;
    } else if (late.has_bell) {
        gyre__wake_sleepers(late.producer);
        errno = EAGAIN; /* the word is another one already */
    }
    return -1;
}

static void check_missed(uint64_t grace_ns, bool has_bell, bool is_any, uint64_t missed)
{
    const char           *name = ring_dir_name();
    struct gyre_consumer *consumer;
    struct sync_calls     before = sync_calls;
    uint32_t              which = 0;
    uint64_t              deadline_ns;

    late.producer = open_producer(name, OPERATION_CAPACITY, 64);
    late.calls = 0;
    late.has_bell = has_bell;
    consumer = open_consumer(name, GYRE_LOSSY, GYRE_START_NEWEST, 0);
    consumer->wait = GYRE_WAIT_SLEEP;
    sync_calls.futex_waitv = publish_and_time_out;
    gyre__ring_grace_ns = grace_ns;
    deadline_ns = gyre_now_ns() + 5 * MS;
    CHECK_EQ(is_any ? gyre_wait_any(&consumer, 1, deadline_ns, &which)
                    : gyre_wait(consumer, deadline_ns),
             GYRE_OK);
    gyre__ring_grace_ns = 0;
    sync_calls = before;
    CHECK_EQ(late.calls, grace_ns != 0 ? 2 : 1); /* the second waits for the ring */
    CHECK_EQ(consumer->seat->missed_count, missed);
    take(consumer, 0, 56);
    gyre_consumer_close(consumer);
    gyre_producer_close(late.producer);
}

SCENARIO(calls, a_message_whose_producer_is_stopped_before_it_looks_is_not_slept_through)
{
    check_missed(10 * MS, true, false, 0);
    check_missed(10 * MS, true, true, 0);
    check_missed(10 * MS, false, false, 1); /* nobody rings: it is */
    check_missed(10 * MS, false, true, 1);
}

SCENARIO(calls, nobody_is_kept_waiting_for_the_ring_of_a_message_that_is_there)
{
    check_missed(0, true, false, 1);
    check_missed(0, true, true, 1);
}

/* --- a creator under a quick timer ------------------------------------------------------------ */

static uint32_t interrupt_count;

/* A signal comes before 2 MiB are committed, each time; in the end it is told as no memory. */
static int commit_until_a_signal_comes(int fd, off_t offset, off_t size)
{
    if (size < (2 << 20))
        return posix_fallocate(fd, offset, size);
    return ++interrupt_count < 100 ? EINTR : ENOSPC;
}

SCENARIO(calls, a_ring_is_committed_although_signals_come_all_the_time)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;
    struct sync_calls        before = sync_calls;
    enum gyre_status         status;

    options.capacity = 8 << 20;
    interrupt_count = 0;
    sync_calls.fallocate = commit_until_a_signal_comes;
    status = gyre_producer_open(ring_dir_name(), &options, &producer, NULL);
    sync_calls = before;
    CHECK_EQ(status, GYRE_OK);
    gyre_producer_close(producer);
}

/* --- a ring that is larger than this machine -------------------------------------------------- */

#define COMMITTED_SIZE ((off_t)SYNC_PREFAULT_LIMIT + (1 << 20))

/* What an open touches is committed; the rest comes with its first touch, and few are touched. */
static int commit_little(int fd, off_t offset, off_t size)
{
    int code = posix_fallocate(fd, 0, size < COMMITTED_SIZE ? size : COMMITTED_SIZE);

    return code != 0 ? code : ftruncate(fd, offset + size) == 0 ? 0 : errno;
}

SCENARIO(calls, a_huge_ring_takes_no_message_over_the_limit)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;
    struct sync_calls        before = sync_calls;
    enum gyre_status         status;
    uint32_t                 most;

    options.capacity = UINT64_C(1) << 36;
    sync_calls.fallocate = commit_little;
    status = gyre_producer_open(ring_dir_name(), &options, &producer, NULL);
    sync_calls = before;
    if (status == GYRE_NO_MEMORY)
        SKIP_SCENARIO("64 GiB of addresses or 65 MiB of memory are not to be had");
    CHECK_EQ(status, GYRE_OK);
    most = gyre_producer_max_size(producer);
    CHECK(gyre_claim(producer, 8) != NULL);
    for (uint32_t i = 0; i < 40; i++) { /* 40 GiB: with the room of several refreshes */
        CHECK(gyre_claim(producer, most + 1) == NULL);
        CHECK(gyre_claim(producer, most / 2) != NULL);
        CHECK(gyre_claim(producer, UINT32_MAX) == NULL);
        CHECK(gyre_claim(producer, most / 2) != NULL);
        gyre_publish(producer);
    }
    CHECK(gyre_claim(producer, most) != NULL);
    gyre_producer_close(producer);
}

#endif
