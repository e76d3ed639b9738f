/*
 * test_events.c - what is death, and what is not: exit without close, the end of a thread, exec,
 * children by vfork, posix_spawn and _Fork, closefrom.
 *
 * A process holds a role of each kind in turn, with something under way, and the event comes.  Then
 * the others find it gone, soon and for good, or alive, and nobody takes anything from it.
 */
#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

#include "trial.h"

#ifdef __linux__
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define NS_PER_MS UINT64_C(1000000)
#define NOTICE_NS (1000 * NS_PER_MS) /* a death is known by then, however busy the machine */
#define PEACE_NS (300 * NS_PER_MS)   /* a living one is let alone for longer than a slice */
#define CAPACITY 4096u
#define GROUP "workers"

enum kind { PRODUCER, CONSUMER, MEMBER, KIND_COUNT };
static const char *const kind_names[] = {"producer", "consumer", "member"};

enum event { EXIT, THREAD_END, EXEC, VFORK_EXEC, SPAWN, FORK_EXEC, RAW_FORK, CLOSEFROM };

struct stage {
    uint64_t event;
    uint64_t is_ready;
    uint64_t may_begin;
    uint64_t has_begun;
    uint64_t may_go_on;
    uint64_t child; /* of the holder */
};

static struct stage *stage(void)
{
    return trial_stage();
}

/* What the holder has, or the one who looks. */
struct hand {
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    uint32_t              kind;
};

static struct gyre_producer *open_producer(void)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_producer    *producer = NULL;

    options.capacity = CAPACITY;
    options.frame_align = 64;
    options.seat_count = 4;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, NULL), GYRE_OK);
    return producer;
}

static struct gyre_consumer *open_consumer(const char *group)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *consumer = NULL;

    options.group = group;
    options.start = GYRE_START_OLDEST;
    options.wait = GYRE_WAIT_SLEEP;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, NULL), GYRE_OK);
    return consumer;
}

static void expect_message(struct gyre_consumer *consumer, const char *text)
{
    char     buffer[64];
    uint32_t size = 0;

    EXPECT_STATUS(gyre_recv(consumer, buffer, sizeof(buffer), &size, trial_patience()), GYRE_OK);
    EXPECT(size == strlen(text) && memcmp(buffer, text, size) == 0, "it is not \"%s\"", text);
}

static void send(struct gyre_producer *producer, const char *text)
{
    EXPECT_STATUS(gyre_send(producer, text, (uint32_t)strlen(text), trial_patience()), GYRE_OK);
}

/* --- the holder ------------------------------------------------------------------------------- */

/* Takes the role and begins something. */
static void take_hold(void *context)
{
    struct hand *hand = context;
    uint32_t     size;

    if (hand->kind == PRODUCER) {
        hand->producer = open_producer();
        send(hand->producer, "one");
        memcpy(gyre_claim(hand->producer, 3), "two", 3);
        return;
    }
    hand->consumer = open_consumer(hand->kind == MEMBER ? GROUP : NULL);
    EXPECT_STATUS(gyre_wait(hand->consumer, trial_patience()), GYRE_OK);
    EXPECT_TRUE(gyre_peek(hand->consumer, &size) != NULL);
}

/* Ends in good order what it began. */
static void let_go(struct hand *hand)
{
    if (hand->kind == PRODUCER) {
        gyre_publish(hand->producer);
        gyre_producer_close(hand->producer);
        return;
    }
    EXPECT_STATUS(gyre_release(hand->consumer), GYRE_OK);
    gyre_consumer_close(hand->consumer);
}

#ifdef __linux__

static const char *const sleeper[] = {"sleep", "30", NULL};

static void become_sleeper(void)
{
    (void)execv("/bin/sleep", (char *const *)(uintptr_t)sleeper);
    _exit(9);
}

static pid_t make_child(enum event event)
{
    pid_t pid = -1;

    if (event == SPAWN) {
        EXPECT_EQ(
            posix_spawn(&pid, "/bin/sleep", NULL, NULL, (char *const *)(uintptr_t)sleeper, environ),
            0);
        return pid;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    pid = event == VFORK_EXEC ? vfork() : _Fork();
#pragma GCC diagnostic pop
    if (pid == 0 && event == RAW_FORK)
        for (;;)
            (void)pause();
    if (pid == 0)
        become_sleeper();
    return pid;
}

static void meet_event(enum event event)
{
    switch (event) {
    case EXIT:
        exit(0);
    case EXEC:
        become_sleeper();
        break;
    case CLOSEFROM:
        closefrom(3);
        break;
    case VFORK_EXEC:
    case SPAWN:
    case FORK_EXEC:
    case RAW_FORK:
        gyre_store_release_64(&stage()->child, (uint64_t)make_child(event));
        break;
    case THREAD_END:
        break;
    }
}

#else

static void meet_event(enum event event)
{
    if (event == EXIT)
        exit(0);
}

#endif

static int hold(uint32_t kind)
{
    struct hand           hand = {NULL, NULL, kind};
    enum event            event = (enum event)stage()->event;
    struct process_thread thread;

    if (event == THREAD_END) {
        process_thread_start(&thread, take_hold, &hand);
        process_thread_join(&thread);
    } else {
        take_hold(&hand);
    }
    gyre_store_release_64(&stage()->is_ready, 1);
    trial_await(&stage()->may_begin, 1);
    meet_event(event);
    gyre_store_release_64(&stage()->has_begun, 1);
    trial_await(&stage()->may_go_on, 1);
    let_go(&hand);
    return 0;
}

/* --- those who look --------------------------------------------------------------------------- */

/* What the trial's own process has, before the holder comes. */
static struct hand look_on(uint32_t kind)
{
    struct hand hand = {open_producer(), NULL, kind};

    if (kind == PRODUCER) {
        hand.consumer = open_consumer(NULL);
        gyre_producer_close(hand.producer);
        hand.producer = NULL;
    } else {
        send(hand.producer, "one");
    }
    return hand;
}

static void expect_alive(struct hand *hand)
{
    struct gyre_producer *second;

    if (hand->kind == PRODUCER) {
        EXPECT_STATUS(gyre_producer_open(trial_ring(), NULL, &second, NULL), GYRE_BUSY);
        EXPECT_STATUS(gyre_wait(hand->consumer, gyre_now_ns() + PEACE_NS), GYRE_TIMEOUT);
        return;
    }
    if (hand->kind == MEMBER) {
        EXPECT_STATUS(gyre_wait(hand->consumer, gyre_now_ns() + PEACE_NS), GYRE_TIMEOUT);
        return;
    }
    while (gyre_claim(hand->producer, 56) != NULL)
        gyre_publish(hand->producer);
    EXPECT_STATUS(gyre_wait_room(hand->producer, 56, gyre_now_ns() + PEACE_NS), GYRE_TIMEOUT);
}

/* Returns how long it took to know. */
static uint64_t expect_gone(struct hand *hand)
{
    uint64_t began = gyre_now_ns(), known;

    if (hand->kind == PRODUCER) {
        EXPECT_STATUS(gyre_wait(hand->consumer, began + NOTICE_NS), GYRE_ORPHANED);
        known = gyre_now_ns();
        hand->producer = open_producer();
        EXPECT_EQ(gyre_producer_seq(hand->producer), 1);
        send(hand->producer, "next");
        expect_message(hand->consumer, "next");
    } else if (hand->kind == MEMBER) {
        expect_message(hand->consumer, "one");
        known = gyre_now_ns();
        EXPECT_TRUE(gyre_consumer_is_redelivered(hand->consumer));
    } else {
        for (uint32_t i = 0; i < 2 * CAPACITY / 64; i++)
            send(hand->producer, "next");
        known = gyre_now_ns();
    }
    EXPECT(known - began < NOTICE_NS, "it took %.0f ms", (double)(known - began) / 1e6);
    return known - began;
}

static void leave(struct hand *hand)
{
    gyre_producer_close(hand->producer);
    gyre_consumer_close(hand->consumer);
    EXPECT_EQ(process_list_rings(NULL), 0);
}

/* The other half of the trial's process: a holder of that kind, to whom the event has happened. */
static struct hand begin(struct process *holder, uint32_t kind, enum event event)
{
    struct hand hand = look_on(kind);

    memset(stage(), 0, sizeof(*stage()));
    stage()->event = event;
    trial_start(holder, "hold", kind);
    trial_await(&stage()->is_ready, 1);
    if (kind == PRODUCER)
        expect_message(hand.consumer, "one");
    else if (kind == MEMBER)
        hand.consumer = open_consumer(GROUP);
    gyre_store_release_64(&stage()->may_begin, 1);
    return hand;
}

#ifdef GYRE_HAS_PAIRS
#define KINDS KIND_COUNT
#else
#define KINDS MEMBER
#endif

static void who_exits_without_a_close_is_gone(void)
{
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        struct process holder;
        struct hand    hand = begin(&holder, kind, EXIT);
        uint64_t       ns;
        EXPECT_EQ(process_wait(&holder, PROCESS_PATIENCE_NS), 0);
        ns = expect_gone(&hand);
        trial_note("%s: known after %.1f ms", kind_names[kind], (double)ns / 1e6);
        leave(&hand);
    }
}

/* Windows: the keeper has the role, not the thread that took it. */
static void whose_thread_ends_is_alive(void)
{
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        struct process holder;
        struct hand    hand = begin(&holder, kind, THREAD_END);
        trial_await(&stage()->has_begun, 1);
        expect_alive(&hand);
        gyre_store_release_64(&stage()->may_go_on, 1);
        trial_finish(&holder);
        if (kind == PRODUCER) {
            expect_message(hand.consumer, "two");
            EXPECT_STATUS(gyre_wait(hand.consumer, trial_patience()), GYRE_CLOSED);
        } else if (kind == MEMBER) {
            EXPECT_STATUS(gyre_wait(hand.consumer, gyre_now_ns()), GYRE_TIMEOUT);
        } else {
            EXPECT_STATUS(gyre_wait_room(hand.producer, 56, trial_patience()), GYRE_OK);
        }
        leave(&hand);
    }
}

#ifdef __linux__

static void expect_running(pid_t pid)
{
    EXPECT(kill(pid, 0) == 0, "the process has ended");
}

/* The process itself lives on, but has no more to do with the ring. */
static void live_on(enum event event)
{
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        struct process holder;
        struct hand    hand = begin(&holder, kind, event);
        uint64_t       ns = expect_gone(&hand);
        EXPECT_EQ(process_wait(&holder, 0), PROCESS_LATE);
        trial_note("%s: known after %.1f ms", kind_names[kind], (double)ns / 1e6);
        process_kill(&holder);
        leave(&hand);
    }
}

static void who_becomes_another_program_is_gone(void)
{
    live_on(EXEC);
}

/* What such a process stores after that is its own fault; this one does nothing. */
static void who_closes_all_descriptors_is_gone(void)
{
    live_on(CLOSEFROM);
}

static void reap(pid_t child)
{
    (void)kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, NULL, 0), child);
}

/* The child lives longer than the parent, whose roles it may keep, or not. */
static void outlive(enum event event, bool keeps_roles)
{
    EXPECT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        struct process holder;
        struct hand    hand = begin(&holder, kind, event);
        pid_t          child;
        trial_await(&stage()->has_begun, 1);
        child = (pid_t)stage()->child;
        process_kill(&holder);
        if (keeps_roles) {
            expect_alive(&hand);
            reap(child);
        }
        (void)expect_gone(&hand);
        if (!keeps_roles) {
            expect_running(child);
            reap(child);
        }
        leave(&hand);
    }
}

static void a_child_by_vfork_and_exec_keeps_none_of_its_parents_roles(void)
{
    outlive(VFORK_EXEC, false);
}

static void a_child_by_posix_spawn_keeps_none_of_its_parents_roles(void)
{
    outlive(SPAWN, false);
}

static void a_child_by_raw_fork_and_exec_keeps_none_of_its_parents_roles(void)
{
    outlive(FORK_EXEC, false);
}

/* Nothing is called in such a child, so its descriptors keep the roles: docs/promise.md says so. */
static void a_child_by_raw_fork_alone_keeps_its_parents_roles_while_it_lives(void)
{
    outlive(RAW_FORK, true);
}

#endif

#define TRIAL(name)                                                                                \
    {                                                                                              \
        "events." #name, name                                                                      \
    }

int main(int argc, char **argv)
{
    static const struct trial trials[] = {
        TRIAL(who_exits_without_a_close_is_gone),
        TRIAL(whose_thread_ends_is_alive),
#ifdef __linux__
        TRIAL(who_becomes_another_program_is_gone),
        TRIAL(who_closes_all_descriptors_is_gone),
        TRIAL(a_child_by_vfork_and_exec_keeps_none_of_its_parents_roles),
        TRIAL(a_child_by_posix_spawn_keeps_none_of_its_parents_roles),
        TRIAL(a_child_by_raw_fork_and_exec_keeps_none_of_its_parents_roles),
        TRIAL(a_child_by_raw_fork_alone_keeps_its_parents_roles_while_it_lives),
#endif
    };
    static const struct role roles[] = {{"hold", hold}};

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), roles, TRIAL_COUNT(roles));
}
