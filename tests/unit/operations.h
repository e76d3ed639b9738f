/*
 * operations.h - everything that can be done with a ring, for the tests that make calls fail in it.
 */
#ifndef GYRE_TESTS_OPERATIONS_H
#define GYRE_TESTS_OPERATIONS_H

#include <stdbool.h>

#include "handles.h"
#include "internal.h"

#define OPERATION_CAPACITY 4096u
#define OPERATION_MS UINT64_C(1000000)

/* What lies ready when the faulty operation begins, and what it opened. */
struct scene {
    const char           *name;
    struct gyre_producer *producer;
    struct gyre_consumer *consumer;
    struct gyre_producer *opened_producer;
    struct gyre_consumer *opened_consumer;
    struct gyre_error     error;
};

struct operation {
    const char *name;
    bool        with_producer; /* the scene's ring exists and has one */
    bool        with_consumer;
    enum gyre_status (*run)(struct scene *scene);
    enum gyre_status wanted; /* without a fault */
};

static inline enum gyre_status create(struct scene *scene)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = OPERATION_CAPACITY;
    return gyre_producer_open(scene->name, &options, &scene->opened_producer, &scene->error);
}

static inline enum gyre_status open_as(struct scene *scene, enum gyre_consumer_kind kind)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.kind = (uint32_t)kind;
    return gyre_consumer_open(scene->name, &options, &scene->opened_consumer, &scene->error);
}

static inline enum gyre_status join(struct scene *scene)
{
    return open_as(scene, GYRE_RELIABLE);
}

static inline enum gyre_status tap(struct scene *scene)
{
    return open_as(scene, GYRE_TAP);
}

/* Opens a member, lets it claim, release and sleep, and leave with a claim. */
static inline enum gyre_status be_member(struct scene *scene)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    uint32_t                     size;
    enum gyre_status             status;

    options.group = "workers";
    status = gyre_consumer_open(scene->name, &options, &scene->opened_consumer, &scene->error);
    if (status != GYRE_OK)
        return status;
    for (int i = 0; i < 2 && status == GYRE_OK; i++)
        status = gyre_send(scene->producer, "work", 4, gyre_now_ns() + OPERATION_MS);
    if (status == GYRE_OK && gyre_peek(scene->opened_consumer, &size) != NULL)
        (void)gyre_release(scene->opened_consumer);
    (void)gyre_wait(scene->opened_consumer, 0);
    if (gyre_peek(scene->opened_consumer, &size) != NULL)
        (void)gyre_release(scene->opened_consumer);
    (void)gyre_wait(scene->opened_consumer, gyre_now_ns() + OPERATION_MS);
    (void)gyre_send(scene->producer, "work", 4, gyre_now_ns() + OPERATION_MS);
    (void)gyre_wait(scene->opened_consumer, 0);
    return status;
}

static inline enum gyre_status await_birth(struct scene *scene)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;

    options.open_deadline_ns = gyre_now_ns() + 2 * OPERATION_MS;
    return gyre_consumer_open(scene->name, &options, &scene->opened_consumer, &scene->error);
}

static inline enum gyre_status inspect(struct scene *scene)
{
    struct gyre_ring_info info;
    struct gyre_seat_info seats[4];
    uint32_t              taken;

    info.size = sizeof(info);
    return gyre_ring_inspect(scene->name, &info, seats, 4, &taken, &scene->error);
}

static inline int visit(const char *name, void *context)
{
    (void)name;
    (void)context;
    return 0;
}

static inline enum gyre_status list(struct scene *scene)
{
    return gyre_ring_list(visit, NULL, &scene->error);
}

static inline enum gyre_status remove_unforced(struct scene *scene)
{
    return gyre_ring_remove(scene->name, 0, &scene->error);
}

static inline enum gyre_status remove_missing(struct scene *scene)
{
    return gyre_ring_remove(scene->name, 1, &scene->error);
}

/* No status: whatever fails, the handles are gone. */
static inline enum gyre_status close_all(struct scene *scene)
{
    gyre_consumer_close(scene->consumer);
    gyre_producer_close(scene->producer);
    scene->consumer = NULL;
    scene->producer = NULL;
    return GYRE_OK;
}

static inline enum gyre_status send_and_recv(struct scene *scene)
{
    unsigned char message[100];
    uint32_t      size;

    for (uint64_t i = 0; i < 3; i++) {
        uint64_t         seq = gyre_producer_seq(scene->producer);
        enum gyre_status status;
        pattern_fill(message, 100, seq);
        status = gyre_send(scene->producer, message, 100, GYRE_FOREVER);
        if (status == GYRE_OK)
            status = gyre_recv(scene->consumer, message, 100, &size, GYRE_FOREVER);
        if (status != GYRE_OK)
            return status;
        CHECK(size == 100 && pattern_matches(message, 100, seq));
    }
    return GYRE_OK;
}

static inline enum gyre_status wait_in_vain(struct scene *scene)
{
    return gyre_wait(scene->consumer, gyre_now_ns() + OPERATION_MS);
}

static inline enum gyre_status send_in_vain(struct scene *scene)
{
    static const unsigned char message[56];
    enum gyre_status           status;

    while (gyre_claim(scene->producer, 56) != NULL)
        gyre_publish(scene->producer);
    status = gyre_send(scene->producer, message, 56, gyre_now_ns() + OPERATION_MS);
    if (status == GYRE_TIMEOUT)
        while (gyre_wait(scene->consumer, 0) == GYRE_OK) {
            uint32_t size;
            (void)gyre_peek(scene->consumer, &size);
            (void)gyre_release(scene->consumer);
        }
    return status;
}

static inline enum gyre_status await_nobody(struct scene *scene)
{
    return gyre_producer_wait_consumers(scene->producer, 9, gyre_now_ns() + OPERATION_MS);
}

/* Arms a handle, is rung, and arms it again. */
static inline enum gyre_status arm_handle(struct scene *scene)
{
    intptr_t         handle;
    uint64_t         rearm_ns;
    uint32_t         size;
    enum gyre_status status = gyre_consumer_handle(scene->consumer, &handle, &scene->error);

    if (status != GYRE_OK)
        return status;
    CHECK_EQ(gyre_consumer_arm(scene->consumer, &rearm_ns), GYRE_TIMEOUT);
    CHECK_EQ(gyre_send(scene->producer, "ring", 4, gyre_now_ns() + OPERATION_MS), GYRE_OK);
    CHECK_EQ(gyre_consumer_arm(scene->consumer, &rearm_ns), GYRE_OK);
    CHECK(gyre_peek(scene->consumer, &size) != NULL);
    CHECK_EQ(gyre_release(scene->consumer), GYRE_OK);
    return gyre_consumer_arm(scene->consumer, &rearm_ns);
}

/* With a second consumer besides the scene's. */
static inline enum gyre_status wait_for_any(struct scene *scene)
{
    struct gyre_consumer *consumers[2];
    uint32_t              which = 0;
    enum gyre_status      status = open_as(scene, GYRE_RELIABLE);

    if (status != GYRE_OK)
        return status;
    consumers[0] = scene->consumer;
    consumers[1] = scene->opened_consumer;
    return gyre_wait_any(consumers, 2, gyre_now_ns() + OPERATION_MS, &which);
}

static inline enum gyre_status tap_in_vain(struct scene *scene)
{
    enum gyre_status status = open_as(scene, GYRE_TAP);

    return status != GYRE_OK ? status
                             : gyre_wait(scene->opened_consumer, gyre_now_ns() + OPERATION_MS);
}

static inline enum gyre_status inspect_groups(struct scene *scene)
{
    struct gyre_group_info groups[GYRE_GROUPS_MAX];
    uint32_t               count;

    return gyre_ring_inspect_groups(scene->name, groups, GYRE_GROUPS_MAX, &count, &scene->error);
}

static inline struct scene set_scene(const struct operation *operation)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct scene                 scene;

    memset(&scene, 0, sizeof(scene));
    scene.name = ring_dir_name();
    if (operation->with_producer || operation->with_consumer) {
        scene.producer = open_producer(scene.name, OPERATION_CAPACITY, 64);
        options.spin_ns = 1; /* to sleep soon */
        scene.producer->spin = (struct gyre_spin){1, true};
    }
    if (operation->with_consumer)
        CHECK_EQ(gyre_consumer_open(scene.name, &options, &scene.consumer, NULL), GYRE_OK);
    if (!operation->with_producer && operation->with_consumer) {
        gyre_producer_close(scene.producer);
        scene.producer = NULL;
    }
    return scene;
}

static inline void strike_set(struct scene *scene)
{
    gyre_consumer_close(scene->opened_consumer);
    gyre_producer_close(scene->opened_producer);
    gyre_consumer_close(scene->consumer);
    gyre_producer_close(scene->producer);
}

#endif
