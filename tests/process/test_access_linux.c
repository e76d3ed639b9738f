/*
 * test_access_linux.c - who may do what with a ring, what stands under its names, what is used up.
 *
 * Two users that nobody is, by their numbers, in real processes; what each may do with a ring of
 * each mode is a table, and each cell of it is tried.  Needs root; without it the table is skipped.
 */
#include "trial.h"

#ifndef __linux__

int main(void)
{
    printf("ok - access by modes # SKIP this is for Linux\n");
    return 0;
}

#else

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a forked child an expectation that fails ends the child. */
static bool is_child;
#undef EXPECT
#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            if (!is_child)                                                                         \
                trial_fail(__FILE__, __LINE__, __VA_ARGS__);                                       \
            fprintf(stderr, "# line %d: ", __LINE__);                                              \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            _exit(95);                                                                             \
        }                                                                                          \
    } while (0)

#define OWNER 61111u
#define STRANGER 61112u
#define GROUP 61113u
#define OWNER_NAME "61111"
#define OWNER_DIR "/dev/shm/gyre-61111"
#define STRANGER_DIR "/dev/shm/gyre-61112"
#define RING "shared"
#define CAPACITY 65536u

struct person {
    const char *name;
    uid_t       uid;
    bool        is_member; /* of the ring's group */
};

static const struct person owner = {"the owner", OWNER, true};
static const struct person member = {"a member of the group", STRANGER, true};
static const struct person stranger = {"a stranger", STRANGER, false};
static const struct person superuser = {"root", 0, false};

/* What a child did, told by shared memory. */
struct answer {
    int      status; /* enum gyre_status, or what the action returns */
    char     field[32];
    char     call[48];
    uint32_t mode; /* for the actions that need one */
    uint32_t is_ready;
};
static struct answer *answer;

static void become(const struct person *person)
{
    gid_t group = GROUP;

    if (setgroups(person->is_member ? 1 : 0, &group) != 0 ||
        setresgid(person->uid, person->uid, person->uid) != 0 ||
        setresuid(person->uid, person->uid, person->uid) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) /* behind the change of users, which ends it */
        _exit(90);
}

static int tell(enum gyre_status status, const struct gyre_error *error)
{
    answer->status = (int)status;
    (void)snprintf(answer->field, sizeof(answer->field), "%s", error->field ? error->field : "");
    (void)snprintf(answer->call, sizeof(answer->call), "%s", error->call ? error->call : "");
    return 0;
}

/* Runs an action in a child that is this person; what it says is in `answer`. */
static void as(const struct person *person, int (*action)(void))
{
    int   code = 0;
    pid_t child;

    answer->status = 1000;
    (void)fflush(stdout);
    child = fork();
    EXPECT(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        is_child = true;
        if (person != NULL)
            become(person);
        _exit(action());
    }
    EXPECT(waitpid(child, &code, 0) == child, "waitpid");
    EXPECT(WIFEXITED(code) && WEXITSTATUS(code) == 0, "a child ended with %s %d",
           WIFSIGNALED(code) ? "signal" : "code",
           WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code));
}

/* --- actions ---------------------------------------------------------------------------------- */

static enum gyre_status open_ring(struct gyre_producer **producer, struct gyre_error *error)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = CAPACITY;
    options.seat_count = 4;
    options.mode = answer->mode;
    options.owner_group = (answer->mode & 0077) != 0 ? "61113" : NULL;
    return gyre_producer_open(RING, &options, producer, error);
}

/* The owner: opens the ring, publishes a message, lives until it is killed. */
static int publish(void)
{
    struct gyre_producer *producer;
    struct gyre_error     error;
    enum gyre_status      status = open_ring(&producer, &error);

    (void)tell(status, &error);
    if (status == GYRE_OK)
        (void)gyre_send(producer, "hello", 5, GYRE_FOREVER);
    __atomic_store_n(&answer->is_ready, 1, __ATOMIC_RELEASE);
    while (pause() != 0)
        continue;
    return 0;
}

static int consume(enum gyre_consumer_kind kind)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    struct gyre_error            error;
    enum gyre_status             status;
    char                         message[8] = "";
    uint32_t                     size = 0;

    options.kind = (uint32_t)kind;
    options.start = GYRE_START_OLDEST;
    options.owner = OWNER_NAME;
    status = gyre_consumer_open(RING, &options, &consumer, &error);
    if (status == GYRE_OK) {
        if (gyre_recv(consumer, message, sizeof(message), &size, trial_patience()) != GYRE_OK ||
            size != 5 || memcmp(message, "hello", 5) != 0)
            return 91;
        gyre_consumer_close(consumer);
    }
    return tell(status, &error);
}

static int attach(void)
{
    return consume(GYRE_RELIABLE);
}

static int tap(void)
{
    return consume(GYRE_TAP);
}

/* In the owner's directory, wherever one's own is. */
static int take_over(void)
{
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    (void)setenv("GYRE_DIR", OWNER_DIR, 1);
    (void)tell(gyre_producer_open(RING, NULL, &producer, &error), &error);
    _exit(0); /* without closing: the ring stays */
}

static int create(void)
{
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    (void)setenv("GYRE_DIR", OWNER_DIR, 1);
    (void)tell(gyre_producer_open("another", NULL, &producer, &error), &error);
    gyre_producer_close(producer);
    return 0;
}

static int remove_ring(void)
{
    struct gyre_error error;

    (void)setenv("GYRE_DIR", OWNER_DIR, 1);
    return tell(gyre_ring_remove(RING, 0, &error), &error);
}

/* Without the library: a number of bits, 1 for each right that the system grants. */
#define CAN_READ_DATA 1
#define CAN_WRITE_DATA 2
#define CAN_READ_CTRL 4
#define CAN_WRITE_CTRL 8
#define CAN_READ_LOCK 16
#define CAN_WRITE_LOCK 32
#define CAN_LIST 64
#define CAN_ADD 128

static int try_rights(void)
{
    static const char *const files[] = {RING ".data", RING ".ctrl", RING ".lock"};
    char                     path[128];
    int                      rights = 0;

    for (uint32_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), OWNER_DIR "/%s", files[i]);
        if (open(path, O_RDONLY) >= 0)
            rights |= 1 << (2 * i);
        if (open(path, O_WRONLY) >= 0)
            rights |= 2 << (2 * i);
    }
    if (open(OWNER_DIR, O_RDONLY | O_DIRECTORY) >= 0)
        rights |= CAN_LIST;
    if (open(OWNER_DIR "/planted", O_CREAT | O_WRONLY, 0600) >= 0) {
        rights |= CAN_ADD;
        (void)unlink(OWNER_DIR "/planted");
    }
    answer->status = rights;
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static void clear_dir(const char *path)
{
    struct dirent *entry;
    DIR           *dir = opendir(path);

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    (void)rmdir(path);
}

static pid_t living_owner;

static void end_owner(pid_t child)
{
    living_owner = 0;
    (void)kill(child, SIGKILL);
    EXPECT(waitpid(child, NULL, 0) == child, "waitpid");
}

static void clear(void)
{
    if (living_owner != 0) /* of a trial that failed */
        end_owner(living_owner);
    clear_dir(OWNER_DIR);
    clear_dir(STRANGER_DIR);
}

static pid_t start_owner(uint32_t mode, mode_t mask)
{
    pid_t child;

    answer->mode = mode;
    answer->is_ready = 0;
    (void)fflush(stdout);
    child = fork();
    EXPECT(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        is_child = true;
        become(&owner);
        (void)umask(mask);
        _exit(publish());
    }
    living_owner = child;
    for (uint64_t end = trial_patience(); !__atomic_load_n(&answer->is_ready, __ATOMIC_ACQUIRE);) {
        EXPECT(gyre_now_ns() < end, "the owner hangs");
        process_nap();
    }
    EXPECT(answer->status == GYRE_OK, "mode 0%o: the owner gets %s, field %s, call %s", mode,
           gyre_status_name((enum gyre_status)answer->status), answer->field, answer->call);
    return child;
}

static void expect_cell(uint32_t mode, const struct person *person, const char *what,
                        int (*action)(void), const char *wanted)
{
    char        got[64];
    const char *status;

    as(person, action);
    status = gyre_status_name((enum gyre_status)answer->status);
    (void)snprintf(got, sizeof(got), "%s%s%s", status + strlen("GYRE_"),
                   answer->field[0] != '\0' ? " " : "", answer->field);
    EXPECT(strcmp(got, wanted) == 0, "mode 0%o, %s may %s: %s (%s), not %s", mode, person->name,
           what, got, answer->call, wanted);
}

struct row {
    uint32_t             mode;
    const struct person *person;
    const char          *create, *attach, *tap, *take_over, *remove;
    int                  rights;
};

#define ALL_RIGHTS 255
#define NO_RIGHT "DENIED GYRE_DIR" /* found out at the directory */

static const struct row rows[] = {
    {0600, &owner, "OK", "OK", "OK", "OK", "OK", ALL_RIGHTS},
    {0600, &member, NO_RIGHT, "DENIED lock", "DENIED data", NO_RIGHT, NO_RIGHT, 0},
    {0600, &stranger, NO_RIGHT, "DENIED lock", "DENIED data", NO_RIGHT, NO_RIGHT, 0},
    {0600, &superuser, NO_RIGHT, "OK", "OK", NO_RIGHT, NO_RIGHT, ALL_RIGHTS},
    {0640, &owner, "OK", "OK", "OK", "OK", "OK", ALL_RIGHTS},
    {0640, &member, NO_RIGHT, "DENIED lock", "OK", NO_RIGHT, NO_RIGHT, CAN_READ_DATA},
    {0640, &stranger, NO_RIGHT, "DENIED lock", "DENIED data", NO_RIGHT, NO_RIGHT, 0},
    {0640, &superuser, NO_RIGHT, "OK", "OK", NO_RIGHT, NO_RIGHT, ALL_RIGHTS},
    {0644, &owner, "OK", "OK", "OK", "OK", "OK", ALL_RIGHTS},
    {0644, &member, NO_RIGHT, "DENIED lock", "OK", NO_RIGHT, NO_RIGHT, CAN_READ_DATA},
    {0644, &stranger, NO_RIGHT, "DENIED lock", "OK", NO_RIGHT, NO_RIGHT, CAN_READ_DATA},
    {0660, &owner, "OK", "OK", "OK", "OK", "OK", ALL_RIGHTS},
    {0660, &member, NO_RIGHT, "OK", "OK", NO_RIGHT, NO_RIGHT,
     CAN_READ_DATA | CAN_READ_CTRL | CAN_WRITE_CTRL | CAN_READ_LOCK | CAN_WRITE_LOCK},
    {0660, &stranger, NO_RIGHT, "DENIED lock", "DENIED data", NO_RIGHT, NO_RIGHT, 0},
    {0664, &stranger, NO_RIGHT, "DENIED lock", "OK", NO_RIGHT, NO_RIGHT, CAN_READ_DATA},
};

static void each_user_may_do_what_the_mode_says(void)
{
    uint32_t cells = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        pid_t             child;
        clear();
        child = start_owner(row->mode, 022);
        as(row->person, try_rights);
        EXPECT(answer->status == row->rights, "mode 0%o: %s has rights 0x%x, not 0x%x", row->mode,
               row->person->name, (unsigned)answer->status, (unsigned)row->rights);
        expect_cell(row->mode, row->person, "create", create, row->create);
        expect_cell(row->mode, row->person, "attach", attach, row->attach);
        expect_cell(row->mode, row->person, "tap", tap, row->tap);
        end_owner(child);
        expect_cell(row->mode, row->person, "take over", take_over, row->take_over);
        expect_cell(row->mode, row->person, "remove", remove_ring, row->remove);
        cells += 6;
    }
    clear();
    trial_note("%u cells", cells);
}

static uint32_t mode_of(const char *path)
{
    struct stat status;

    EXPECT(stat(path, &status) == 0, "%s: %s", path, strerror(errno));
    return status.st_mode & 07777;
}

static void the_umask_does_not_decide(void)
{
    static const mode_t masks[] = {0, 022, 077, 0177, 0277};

    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        pid_t child;
        clear();
        child = start_owner(0, masks[i]);
        EXPECT_EQ(mode_of(OWNER_DIR), 0700);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".data"), 0600);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".ctrl"), 0600);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".lock"), 0600);
        end_owner(child);
        clear();
        child = start_owner(0660, masks[i]);
        EXPECT_EQ(mode_of(OWNER_DIR), 0711);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".data"), 0640);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".ctrl"), 0660);
        EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".lock"), 0660);
        end_owner(child);
    }
    clear();
}

/* A ring that exists is what was asked for, or an error; a new one takes no rights from an old. */
static int open_again(void)
{
    struct gyre_producer *producer;
    struct gyre_error     error;

    (void)tell(open_ring(&producer, &error), &error);
    _exit(0);
}

static void a_ring_keeps_its_mode(void)
{
    clear();
    end_owner(start_owner(0660, 022));
    answer->mode = 0640;
    expect_cell(0640, &owner, "open it again", open_again, "EXISTS mode");
    answer->mode = 0;
    expect_cell(0, &owner, "open it again", open_again, "OK");
    EXPECT(unlink(OWNER_DIR "/" RING ".ctrl") == 0, "unlink");
    expect_cell(0, &owner, "open it again", open_again, "OK");
    EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".ctrl"), 0660);
    EXPECT(unlink(OWNER_DIR "/" RING ".data") == 0, "unlink");
    expect_cell(0, &owner, "make it anew", open_again, "OK");
    EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".lock"), 0600);
    EXPECT_EQ(mode_of(OWNER_DIR "/" RING ".data"), 0600);
    clear();
}

/* Another user made the directory first: it is refused, and said so. */
static int make_dir_of_owner(void)
{
    answer->status = mkdir(OWNER_DIR, 0777) == 0 ? GYRE_OK : GYRE_SYSTEM;
    return 0;
}

static int open_plainly(void)
{
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    (void)tell(gyre_producer_open(RING, NULL, &producer, &error), &error);
    gyre_producer_close(producer);
    return 0;
}

static void a_squatted_directory_is_refused(void)
{
    clear();
    expect_cell(0, &stranger, "squat", make_dir_of_owner, "OK");
    expect_cell(0, &owner, "create", open_plainly, NO_RIGHT);
    expect_cell(0, &owner, "tap", tap, NO_RIGHT);
    clear();
}

/* A stranger that waits for a ring makes no directory in the owner's place, and finds the ring. */
static int await_ring(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer;
    struct gyre_error            error;

    options.kind = GYRE_TAP;
    options.owner = OWNER_NAME;
    options.open_deadline_ns = gyre_now_ns() + 1000000;
    if (gyre_consumer_open(RING, &options, &consumer, &error) != GYRE_TIMEOUT)
        return 92;
    if (access(OWNER_DIR, F_OK) == 0)
        return 93;
    __atomic_store_n(&answer->is_ready, 2, __ATOMIC_RELEASE);
    options.open_deadline_ns = trial_patience();
    return tell(gyre_consumer_open(RING, &options, &consumer, &error), &error);
}

static void a_stranger_may_wait_for_a_ring(void)
{
    pid_t child, waiter;
    int   code;

    clear();
    answer->is_ready = 0;
    (void)fflush(stdout);
    waiter = fork();
    EXPECT(waiter >= 0, "fork");
    if (waiter == 0) {
        is_child = true;
        become(&stranger);
        _exit(await_ring());
    }
    for (uint64_t end = trial_patience();
         __atomic_load_n(&answer->is_ready, __ATOMIC_ACQUIRE) != 2;) {
        EXPECT(gyre_now_ns() < end, "the waiter hangs");
        EXPECT(waitpid(waiter, &code, WNOHANG) == 0, "the waiter ended with %d", WEXITSTATUS(code));
        process_nap();
    }
    child = start_owner(0644, 022);
    EXPECT(waitpid(waiter, &code, 0) == waiter && code == 0, "the waiter ended with %d", code);
    EXPECT_EQ(answer->status, GYRE_OK);
    end_owner(child);
    clear();
}

/* --- what stands under a ring's names --------------------------------------------------------- */

enum plant { PLANT_SYMLINK, PLANT_HARD_LINK, PLANT_FIFO, PLANT_COUNT };

static const char *plant(enum plant what, const char *target, const char *path)
{
    (void)unlink(path);
    switch (what) {
    case PLANT_SYMLINK:
        EXPECT(symlink(target, path) == 0, "symlink");
        return "a symbolic link";
    case PLANT_HARD_LINK:
        EXPECT(link(target, path) == 0, "link");
        return "a hard link";
    default:
        EXPECT(mkfifo(path, 0600) == 0, "mkfifo");
        return "a FIFO";
    }
}

/* All ways to use the ring fail alike, say where, and leave what is planted as it is. */
static void expect_refusal(const char *what, const char *file, enum plant kind)
{
    struct gyre_producer        *producer = NULL;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    enum gyre_status             wanted = GYRE_DENIED;
    struct gyre_error            error;
    enum gyre_status             status = gyre_producer_open(RING, NULL, &producer, &error);

    if (kind == PLANT_FIFO && strcmp(file, "lock") != 0)
        wanted = GYRE_BAD_LAYOUT;
    EXPECT(status == wanted && error.field != NULL && strcmp(error.field, file) == 0,
           "%s as %s: a producer gets %s, field %s", what, file, gyre_status_name(status),
           error.field);
    status = gyre_consumer_open(RING, &options, &consumer, &error);
    EXPECT(status == wanted && error.field != NULL && strcmp(error.field, file) == 0,
           "%s as %s: a consumer gets %s, field %s", what, file, gyre_status_name(status),
           error.field);
    options.kind = GYRE_TAP;
    status = gyre_consumer_open(RING, &options, &consumer, &error);
    EXPECT(status == (strcmp(file, "data") == 0 ? wanted : GYRE_OK),
           "%s as %s: a tap gets %s, field %s", what, file, gyre_status_name(status), error.field);
    if (status == GYRE_OK)
        gyre_consumer_close(consumer);
}

static int plant_and_open(void)
{
    static const char *const files[] = {"data", "ctrl", "lock"};
    char                     path[4200], real[4200], target[4200];
    const char              *dir = getenv("GYRE_DIR");
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer;

    (void)snprintf(target, sizeof(target), "%s/target", dir);
    options.flags = GYRE_KEEP;
    for (size_t i = 0; i < 3; i++) {
        EXPECT_STATUS(gyre_producer_open(RING, &options, &producer, NULL), GYRE_OK);
        gyre_producer_close(producer);
        (void)snprintf(path, sizeof(path), "%s/" RING ".%s", dir, files[i]);
        (void)snprintf(real, sizeof(real), "%s/real", dir);
        EXPECT(rename(path, real) == 0, "rename");
        for (int what = 0; what < PLANT_COUNT; what++)
            expect_refusal(plant((enum plant)what, real, path), files[i], (enum plant)what);
        (void)unlink(path);
        EXPECT(rename(real, path) == 0, "rename");
        EXPECT_STATUS(gyre_ring_remove(RING, 1, NULL), GYRE_OK);
    }
    return 0;
}

static void what_is_planted_under_a_name_is_refused(void)
{
    (void)plant_and_open();
}

static void a_directory_that_others_may_write_is_refused(void)
{
    char                  path[4200], link_path[4300];
    char                 *dir = getenv("GYRE_DIR");
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;

    EXPECT(dir != NULL, "no GYRE_DIR");
    (void)snprintf(path, sizeof(path), "%s", dir);
    for (mode_t mode = 0720; mode <= 0722; mode += 2) {
        EXPECT(chmod(path, mode) == 0, "chmod");
        EXPECT_STATUS(gyre_producer_open(RING, NULL, &producer, &error), GYRE_DENIED);
        EXPECT(error.field != NULL && strcmp(error.field, "GYRE_DIR") == 0, "%s", error.field);
        EXPECT(gyre_error_advice(&error) != NULL, "no advice");
    }
    EXPECT(chmod(path, 0700) == 0, "chmod");
    (void)snprintf(link_path, sizeof(link_path), "%s.link", path);
    EXPECT(symlink(path, link_path) == 0, "symlink");
    (void)setenv("GYRE_DIR", link_path, 1);
    EXPECT_STATUS(gyre_producer_open(RING, NULL, &producer, &error), GYRE_DENIED);
    (void)setenv("GYRE_DIR", path, 1);
    (void)unlink(link_path);
}

/* --- what is used up -------------------------------------------------------------------------- */

static uint32_t count_entries(const char *path)
{
    uint32_t       count = 0;
    struct dirent *entry;
    DIR           *dir = opendir(path);

    EXPECT(dir != NULL, "%s: %s", path, strerror(errno));
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    (void)closedir(dir);
    return count;
}

static enum gyre_status open_sized(uint64_t capacity, struct gyre_producer **producer,
                                   struct gyre_error *error)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = capacity;
    return gyre_producer_open(RING, &options, producer, error);
}

/* A creation that must fail for want of `field`, with nothing left behind. */
static void expect_used_up(uint64_t capacity, const char *field, bool can_count)
{
    const char           *dir = getenv("GYRE_DIR");
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;
    uint32_t              files = can_count ? count_entries(dir) : 0;
    uint32_t              fds = can_count ? count_entries("/proc/self/fd") : 0;
    enum gyre_status      status = open_sized(capacity, &producer, &error);

    EXPECT(status == GYRE_NO_MEMORY && error.field != NULL && strcmp(error.field, field) == 0,
           "capacity %llu: %s, field %s, call %s, code %d; wanted %s", (unsigned long long)capacity,
           gyre_status_name(status), error.field, error.call, (int)error.os_code, field);
    EXPECT(producer == NULL, "a handle");
    EXPECT(error.call != NULL && error.os_code != 0, "no call");
    EXPECT(gyre_error_advice(&error) != NULL, "no advice for %s", field);
    if (can_count) {
        EXPECT_EQ(count_entries(dir), files);
        EXPECT_EQ(count_entries("/proc/self/fd"), fds);
    }
}

/* What is mounted below it from now on stays in this mount namespace; "/" may be no mount. */
static bool make_mount_private(const char *dir)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s", dir);
    while (mount(NULL, path, NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != EINVAL || slash == NULL || path[1] == '\0')
            return false;
        slash[slash == path] = '\0';
    }
    return true;
}

/* In a mount namespace of its own: a real tmpfs of that size over the directory of rings. */
static void mount_small(const char *size)
{
    char        options[64];
    const char *dir = getenv("GYRE_DIR");

    (void)snprintf(options, sizeof(options), "size=%s,mode=0700", size);
    EXPECT(mkdir(dir, 0700) == 0 || errno == EEXIST, "%s: %s", dir, strerror(errno));
    EXPECT(unshare(CLONE_NEWNS) == 0 && make_mount_private(dir) &&
               mount("tmpfs", dir, "tmpfs", 0, options) == 0,
           "no namespace: %s", strerror(errno));
}

/* Writes over every byte of the ring: a page that was not committed would be SIGBUS. */
static void fill(struct gyre_producer *producer, uint64_t capacity)
{
    uint32_t size = 4096 - 8;

    for (uint64_t i = 0; i < 2 * capacity / 4096; i++) {
        void *payload = gyre_claim(producer, size);
        EXPECT(payload != NULL, "no room");
        memset(payload, 0x5a, size);
        gyre_publish(producer);
    }
}

static int use_small_tmpfs(void)
{
    struct gyre_producer *producer;
    struct gyre_error     error;
    uint32_t              files;
    char                  path[4200];
    int                   fd;

    mount_small("1m");
    for (uint64_t capacity = 1u << 20; capacity <= UINT64_C(1) << 40; capacity *= 4)
        expect_used_up(capacity, "space", true);
    EXPECT_STATUS(open_sized(512u << 10, &producer, &error), GYRE_OK);
    fill(producer, 512u << 10);
    gyre_producer_close(producer);
    files = count_entries(getenv("GYRE_DIR"));
    EXPECT_EQ(files, 0);
    /* Full but for what DATA alone would take, then to the last page. */
    (void)snprintf(path, sizeof(path), "%s/ballast", getenv("GYRE_DIR"));
    fd = open(path, O_CREAT | O_RDWR, 0600);
    EXPECT(fd >= 0 && posix_fallocate(fd, 0, (1 << 20) - (512 << 10) - 3 * 4096) == 0, "ballast");
    expect_used_up(512u << 10, "space", true);
    EXPECT(posix_fallocate(fd, 0, 1 << 20) == 0, "ballast: %s", strerror(errno));
    expect_used_up(4096, "space", true);
    (void)close(fd);
    return 0;
}

static int use_container_shm(void)
{
    struct gyre_producer *producer;
    struct gyre_error     error;

    mount_small("64m");
    expect_used_up(64u << 20, "space", true);
    expect_used_up(1u << 30, "space", true);
    EXPECT_STATUS(open_sized(32u << 20, &producer, &error), GYRE_OK);
    fill(producer, 32u << 20);
    gyre_producer_close(producer);
    EXPECT_EQ(count_entries(getenv("GYRE_DIR")), 0);
    return 0;
}

static void set_limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit limit = {value, RLIM_INFINITY};

    EXPECT(getrlimit(resource, &limit) == 0, "getrlimit");
    limit.rlim_cur = value;
    EXPECT(setrlimit(resource, &limit) == 0, "setrlimit: %s", strerror(errno));
}

static int use_small_files(void)
{
    struct gyre_producer *producer;
    struct gyre_error     error;

    set_limit(RLIMIT_FSIZE, 1u << 20);
    expect_used_up(1u << 20, "RLIMIT_FSIZE", true); /* and no SIGXFSZ */
    EXPECT_STATUS(open_sized(512u << 10, &producer, &error), GYRE_OK);
    gyre_producer_close(producer);
    return 0;
}

/* So much address space as there is now and a little more. */
static int use_little_address_space(void)
{
    unsigned long         pages = 0;
    struct gyre_producer *producer;
    struct gyre_error     error;
    FILE                 *statm = fopen("/proc/self/statm", "r");

    EXPECT(statm != NULL && fscanf(statm, "%lu", &pages) == 1, "statm");
    (void)fclose(statm);
    set_limit(RLIMIT_AS, pages * 4096 + (16u << 20));
    expect_used_up(32u << 20, "memory", true);
    EXPECT_STATUS(open_sized(4u << 20, &producer, &error), GYRE_OK);
    gyre_producer_close(producer);
    EXPECT_EQ(count_entries(getenv("GYRE_DIR")), 0);
    return 0;
}

/* One descriptor more at each try, from none that is left until it works. */
static int use_few_descriptors(void)
{
    const char                  *dir = getenv("GYRE_DIR");
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = NULL;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    uint32_t                     refused = 0;
    enum gyre_status             status;
    int                          first = dup(0);

    EXPECT(first >= 0, "dup");
    (void)close(first);
    for (rlim_t extra = 0; producer == NULL; extra++) {
        set_limit(RLIMIT_NOFILE, (rlim_t)first + extra);
        status = open_sized(CAPACITY, &producer, &error);
        set_limit(RLIMIT_NOFILE, 256);
        if (status == GYRE_OK)
            break;
        refused++;
        EXPECT(status == GYRE_NO_MEMORY && strcmp(error.field, "RLIMIT_NOFILE") == 0,
               "%u descriptors: %s, field %s, call %s", (unsigned)extra, gyre_status_name(status),
               error.field, error.call);
        EXPECT(count_entries(dir) == 0, "%u descriptors: a file is left", (unsigned)extra);
        EXPECT(dup(0) == first && close(first) == 0, "a descriptor is left");
    }
    EXPECT(refused >= 3, "%u refusals", refused);
    first = dup(0);
    (void)close(first);
    for (rlim_t extra = 0; consumer == NULL; extra++) {
        set_limit(RLIMIT_NOFILE, (rlim_t)first + extra);
        status = gyre_consumer_open(RING, &options, &consumer, &error);
        set_limit(RLIMIT_NOFILE, 256);
        if (status == GYRE_OK)
            break;
        EXPECT(status == GYRE_NO_MEMORY && strcmp(error.field, "RLIMIT_NOFILE") == 0,
               "%u descriptors: %s, field %s, call %s", (unsigned)extra, gyre_status_name(status),
               error.field, error.call);
        EXPECT(dup(0) == first && close(first) == 0, "a descriptor is left");
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    EXPECT_EQ(count_entries(dir), 0);
    return 0;
}

static void a_full_tmpfs_is_an_error_at_creation(void)
{
    as(NULL, use_small_tmpfs);
}

static void the_small_shm_of_a_container_is_an_error_at_creation(void)
{
    as(NULL, use_container_shm);
}

static void a_limit_of_file_size_is_an_error_at_creation(void)
{
    as(NULL, use_small_files);
}

static void a_limit_of_address_space_is_an_error_at_creation(void)
{
    as(NULL, use_little_address_space);
}

static void a_limit_of_descriptors_is_an_error_at_the_open(void)
{
    as(NULL, use_few_descriptors);
}

/* The default directory, for the users of the table. */
static void without_gyre_dir(void (*run)(void))
{
    char dir[4200];

    (void)snprintf(dir, sizeof(dir), "%s", getenv("GYRE_DIR"));
    (void)unsetenv("GYRE_DIR");
    run();
    (void)setenv("GYRE_DIR", dir, 1);
}

#define AT_HOME(name)                                                                              \
    static void name##_(void)                                                                      \
    {                                                                                              \
        without_gyre_dir(name);                                                                    \
    }
AT_HOME(each_user_may_do_what_the_mode_says)
AT_HOME(the_umask_does_not_decide)
AT_HOME(a_ring_keeps_its_mode)
AT_HOME(a_squatted_directory_is_refused)
AT_HOME(a_stranger_may_wait_for_a_ring)

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
#define TRIAL_AT_HOME(name)                                                                        \
    {                                                                                              \
#name, name##_                                                                             \
    }
    static const struct trial for_root[] = {
        TRIAL_AT_HOME(each_user_may_do_what_the_mode_says),
        TRIAL_AT_HOME(the_umask_does_not_decide),
        TRIAL_AT_HOME(a_ring_keeps_its_mode),
        TRIAL_AT_HOME(a_squatted_directory_is_refused),
        TRIAL_AT_HOME(a_stranger_may_wait_for_a_ring),
        TRIAL(a_full_tmpfs_is_an_error_at_creation),
        TRIAL(the_small_shm_of_a_container_is_an_error_at_creation),
        TRIAL(what_is_planted_under_a_name_is_refused),
        TRIAL(a_directory_that_others_may_write_is_refused),
        TRIAL(a_limit_of_file_size_is_an_error_at_creation),
        TRIAL(a_limit_of_address_space_is_an_error_at_creation),
        TRIAL(a_limit_of_descriptors_is_an_error_at_the_open),
    };
    const uint32_t for_root_alone = 7;
    bool           is_root = geteuid() == 0;

    answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answer == MAP_FAILED)
        return 3;
    for (uint32_t i = 0; !is_root && i < for_root_alone; i++)
        printf("ok - %s # SKIP only root can be other users and mount\n", for_root[i].name);
    if (is_root)
        return trial_main(argc, argv, for_root, TRIAL_COUNT(for_root), NULL, 0);
    return trial_main(argc, argv, for_root + for_root_alone, TRIAL_COUNT(for_root) - for_root_alone,
                      NULL, 0);
}

#endif
