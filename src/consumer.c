/*
 * consumer.c - open and close; gaps, the end, and what peek cannot do inline.
 *
 * It knows the reader's side of the protocols and never sleeps: waiting is in wait.c, seats are in
 * seat.c.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <gyre/atomic.h>

/* A sound ring is done with in three; a horizon that moves at each look must not hold us. */
#define POLL_ROUNDS 100u

/* The ring is listed still: the child of a fork must not abandon what is being closed. */
static void end_watch(struct gyre_ring *ring)
{
    struct sync_watch *watch;

    sync_host_lock();
    watch = ring->watch;
    ring->watch = NULL;
    sync_host_unlock();
    sync_watch_close(watch);
}

static void leave(struct gyre_consumer *consumer)
{
    end_watch(&consumer->ring);
    sync_bell_close(&consumer->watch_bell);
    if (consumer->seat != NULL && !consumer->ring.is_forked)
        gyre__seat_leave(consumer);
    sync_bell_close(&consumer->bell);
    gyre__ring_close(&consumer->ring);
    free(consumer);
}

/* In a forked child: polls a header that stays zero, and stores into its own word. */
static void forget_consumer(struct gyre_ring *ring)
{
    struct gyre_consumer *consumer =
        (void *)((unsigned char *)ring - offsetof(struct gyre_consumer, ring));

    gyre__seat_hide(consumer);
    consumer->fast.released_pos = &consumer->own_released_pos;
    consumer->fast.room_pos = &consumer->own_header;
    consumer->member.far_pos = 0; /* a release changes nothing */
    consumer->member.work = NULL;
}

static enum gyre_status open_once(const struct sync_place            *place,
                                  const struct gyre_consumer_options *options,
                                  struct gyre_consumer **consumer, struct gyre_error *error)
{
    struct gyre_consumer *made = calloc(1, sizeof(*made));
    enum gyre_status      status;

    if (made == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
    made->kind = options->kind;
    made->on_gap = options->on_gap;
    made->wait = options->wait;
    made->spin = gyre__spin_from(options->spin_ns);
    if (options->kind == GYRE_TAP)
        status = gyre__ring_look(&made->ring, place, false, error);
    else
        status = gyre__ring_join(&made->ring, place, error);
    if (status != GYRE_OK) {
        free(made);
        return status;
    }
    made->ring.forget = forget_consumer;
    gyre__ring_list(&made->ring);
    sync_map_prefault(&made->ring.data, false); /* now: with a seat it would hold up the producer */
    status = gyre__seat_join(made, options, error);
    if (status != GYRE_OK) {
        leave(made);
        return status;
    }
    gyre__flush_begin(made);
    if (options->watch != GYRE_WATCH_SLICES)
        status = gyre__watch_producer(made, error);
    if (status != GYRE_OK) {
        leave(made);
        return status;
    }
    *consumer = made;
    memset(error, 0, sizeof(*error)); /* what was expected to fail */
    return GYRE_OK;
}

enum gyre_status gyre__consumer_open_at(struct sync_place                  *place,
                                        const struct gyre_consumer_options *given,
                                        struct gyre_consumer **consumer, struct gyre_error *error)
{
    struct gyre_consumer_options checked;
    struct sync_birth           *birth = NULL;
    enum gyre_status             status;

    if (consumer == NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "consumer");
    status = gyre__check_consumer_options(given, &checked, error);
    if (status != GYRE_OK)
        return status;
    if (place->is_sealed && checked.owner != NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "owner");
    place->owner = checked.owner;
    place->is_global = checked.scope == GYRE_SCOPE_GLOBAL;
    status = open_once(place, &checked, consumer, error);
    if (status != GYRE_NOT_FOUND || checked.open_deadline_ns == 0)
        return status;
    status = sync_birth_open_at(place, &birth, error);
    while (status == GYRE_OK) {
        memset(error, 0, sizeof(*error));
        status = open_once(place, &checked, consumer, error);
        if (status != GYRE_NOT_FOUND)
            break;
        status = sync_birth_wait(birth, checked.open_deadline_ns);
        if (status != GYRE_OK)
            (void)sync_fail(error, status, 0, NULL);
    }
    sync_birth_close(birth);
    return status;
}

enum gyre_status gyre_consumer_open(const char *name, const struct gyre_consumer_options *options,
                                    struct gyre_consumer **consumer, struct gyre_error *error)
{
    struct gyre_error ignored;
    struct sync_place place = {.name = name};

    if (error == NULL)
        error = &ignored;
    memset(error, 0, sizeof(*error));
    if (!gyre__name_is_good(name))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "name");
    return gyre__consumer_open_at(&place, options, consumer, error);
}

void gyre_consumer_close(struct gyre_consumer *consumer)
{
    if (consumer != NULL)
        leave(consumer);
}

/* --- reading ---------------------------------------------------------------------------------- */

enum gyre_status gyre__tell_gap(struct gyre_consumer *consumer, uint64_t count)
{
    consumer->gap_count = count;
    consumer->lost_count += count;
    if (consumer->seat != NULL)
        gyre_store_relaxed_64(&consumer->seat->lost_count, consumer->lost_count);
    return GYRE_GAP;
}

/* The end of what this handle can read: nothing is shown any more. */
static enum gyre_status give_up(struct gyre_consumer *consumer, enum gyre_status verdict)
{
    consumer->verdict = verdict;
    gyre__seat_hide(consumer);
    return verdict;
}

/* To be called when bytes at or after held_pos may have been overwritten. */
static enum gyre_status overrun(struct gyre_consumer *consumer)
{
    struct gyre_mark good = {consumer->fast.held_pos, consumer->fast.held_seq};
    bool             is_idle = consumer->fast.peek_seq == good.seq;
    bool             is_newest = consumer->on_gap == GYRE_RESUME_NEWEST;
    enum gyre_status status;

    if (consumer->ring.is_forked)
        return GYRE_FORKED; /* the seat is the parent's */
    if (consumer->verdict != GYRE_OK)
        return consumer->verdict;
    if (consumer->kind == GYRE_RELIABLE) {
        /* Somebody wrote over our seat.  What is left of it shall not hold the producer back. */
        (void)gyre__evict(&consumer->ring, consumer->seat_idx, consumer->control);
        return give_up(consumer, GYRE_EVICTED);
    }
    status =
        gyre__seat_go_to(consumer, is_newest ? GYRE_START_NEWEST : GYRE_START_OLDEST, 0, &good);
    gyre__flush_jump(consumer, good.pos);
    if (status == GYRE_CORRUPT)
        return give_up(consumer, GYRE_CORRUPT);
    if (status == GYRE_OK && is_idle && consumer->fast.held_seq == good.seq)
        return GYRE_OK; /* only padding was overwritten */
    return gyre__tell_gap(consumer, consumer->fast.held_seq - good.seq);
}

enum gyre_status gyre__release_slow(struct gyre_consumer *consumer)
{
    return consumer->member.group != NULL ? gyre__member_release(consumer) : overrun(consumer);
}

/* What is behind the next frame, when it is not the plain message that gyre_peek knows. */
static enum gyre_frame look_ahead(struct gyre_consumer *consumer, uint64_t *frame_size)
{
    struct gyre_mark next = {consumer->fast.peek_pos, consumer->fast.peek_seq};

    return gyre__frame_judge(&consumer->ring, &next, frame_size, NULL);
}

static void skip_padding(struct gyre_consumer *consumer, uint64_t frame_size)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    bool                       is_all = fast->held_pos == fast->peek_pos;

    fast->peek_pos += frame_size;
    if (is_all && consumer->kind == GYRE_RELIABLE)
        (void)gyre_release(consumer); /* nothing else is held: the room is free at once */
}

const void *gyre__peek_slow(struct gyre_consumer *consumer, uint32_t *size)
{
    uint64_t frame_size = 0;

    if (consumer->member.group != NULL)
        return gyre__member_peek(consumer, size);
    if (look_ahead(consumer, &frame_size) != GYRE_FRAME_PAD)
        return NULL; /* gyre_wait judges: a gap, an eviction or corrupt bytes */
    skip_padding(consumer, frame_size);
    return gyre_peek(consumer, size);
}

bool gyre__is_ready(const struct gyre_consumer *consumer)
{
    const struct gyre_fast_consumer *fast = &consumer->fast;
    const void                      *header = fast->ring + (fast->peek_pos & fast->mask);

    if (consumer->member.group != NULL)
        return gyre__member_is_ready(consumer);
    return gyre_load_acquire_64(header) != 0; /* E1 E3 */
}

static bool is_evicted(const struct gyre_consumer *consumer)
{
    return consumer->seat != NULL &&
           gyre_load_acquire_64(&consumer->seat->control) != consumer->control; /* E10 */
}

/* With nothing ready: the end of the stream, or nothing to tell. */
static enum gyre_status poll_end(struct gyre_consumer *consumer)
{
    const struct gyre_shared_front *front = consumer->ring.front;

    if (gyre_load_acquire_32(&front->state) != GYRE_RING_CLOSED) /* E9 */
        return GYRE_TIMEOUT;
    if (gyre_load_relaxed_64(&front->final_pos) != consumer->fast.peek_pos) /* E9 */
        return GYRE_TIMEOUT;
    return gyre__is_ready(consumer) ? GYRE_OK : GYRE_CLOSED; /* E9 */
}

enum gyre_status gyre__consumer_poll(struct gyre_consumer *consumer)
{
    uint64_t frame_size = 0;

    if (consumer->ring.is_forked)
        return GYRE_FORKED;
    if (gyre__take_interrupt(&consumer->ring))
        return GYRE_INTERRUPTED;
    if (consumer->verdict != GYRE_OK)
        return consumer->verdict;
    if (is_evicted(consumer))
        return give_up(consumer, GYRE_EVICTED);
    if (consumer->gap_pending != 0) {
        uint64_t count = consumer->gap_pending;
        consumer->gap_pending = 0;
        if (consumer->member.group == NULL)
            gyre__seat_show(consumer);
        return gyre__tell_gap(consumer, count);
    }
    if (consumer->member.group != NULL)
        return gyre__member_poll(consumer);
    for (uint32_t i = 0; i < POLL_ROUNDS; i++) {
        enum gyre_frame frame = look_ahead(consumer, &frame_size);
        gyre_fence_acquire(); /* E7 */
        if (gyre__is_overwritten(consumer, consumer->fast.held_pos)) {
            enum gyre_status status = overrun(consumer);
            if (status != GYRE_OK)
                return status;
            continue;
        }
        if (frame == GYRE_FRAME_MESSAGE)
            return GYRE_OK;
        if (frame == GYRE_FRAME_NONE)
            return poll_end(consumer);
        if (frame == GYRE_FRAME_BAD)
            return give_up(consumer, is_evicted(consumer) ? GYRE_EVICTED : GYRE_CORRUPT);
        skip_padding(consumer, frame_size);
    }
    return GYRE_TIMEOUT;
}

enum gyre_status gyre_recv(struct gyre_consumer *consumer, void *buffer, uint32_t capacity,
                           uint32_t *size, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t         message_size = 0;
        const void      *message = gyre_peek(consumer, &message_size);
        enum gyre_status status;

        if (message == NULL) {
            status = gyre_wait(consumer, deadline_ns);
            if (status != GYRE_OK)
                return status;
            continue;
        }
        if (message_size > capacity) {
            /* The message stays.  Whoever was overrun may have read a size that never was. */
            struct gyre_fast_consumer *fast = &consumer->fast;
            fast->peek_seq--;
            fast->peek_pos -= gyre__frame_size(message_size, fast->align_mask);
            gyre_fence_acquire(); /* E7 */
            if (gyre__is_overrun(consumer)) {
                status = overrun(consumer);
                if (status != GYRE_OK)
                    return status;
                continue;
            }
            *size = message_size;
            return GYRE_TOO_LARGE;
        }
        if (message_size != 0)
            memcpy(buffer, message, message_size);
        status = gyre_release(consumer);
        if (status == GYRE_OK)
            *size = message_size;
        return status;
    }
}

uint32_t gyre_consumer_max_size(const struct gyre_consumer *consumer)
{
    return gyre__max_size(consumer->ring.geometry.capacity);
}

uint64_t gyre_consumer_gap(const struct gyre_consumer *consumer)
{
    return consumer->gap_count;
}

uint64_t gyre_consumer_lost(const struct gyre_consumer *consumer)
{
    return consumer->lost_count;
}

uint64_t gyre_consumer_seq(const struct gyre_consumer *consumer)
{
    return consumer->fast.peek_seq;
}

uint64_t gyre_consumer_pos(const struct gyre_consumer *consumer)
{
    return consumer->fast.peek_pos;
}

uint32_t gyre_consumer_epoch(const struct gyre_consumer *consumer)
{
    return gyre_load_acquire_32(&consumer->ring.front->epoch); /* E11 */
}
