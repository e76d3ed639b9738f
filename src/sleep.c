/*
 * sleep.c - a consumer sleeps, so that no message is slept through.
 *
 * It knows the schemes behind edges E3 and E6, that is, how a side that is about to sleep makes
 * sure that the other side, which fences nothing, sees it or is seen by it:
 *
 * - The remote barrier (Linux): say it, make every registered process execute a fence, look again.
 *   If the other side's store was still buffered, it is visible now; if its load comes later, it
 *   sees what we said.
 * - The fence mode (Linux where the call is refused): a sticky bit in the sleepers word makes the
 *   producer fence at every publish; until it says that it does (fence_ack), sleeps are short.
 * - Slices (Windows, which has no such barrier across processes): say it, spin 10 us and at least
 *   64 pauses, look again, sleep 2, 16, 128, 1000 ms, never for ever.  The schedule is that of
 *   Concurrency Kit's ck_ec.  Behind 32 stores to cold lines a store reached memory within 1 us (5
 *   million tried), but for those of a processor that stood still just then: they came when it went
 *   on, after 56 us at most (80 of 50 million, beside writes to disk on a virtual machine).  Such a
 *   sleep ends with its first slice, 2 ms late; publishes with GYRE_STRICT_WAKE cause none.
 *
 * Each sleep that ends by its slice although there is data is counted in the seat: the proof that a
 * scheme works is that this count stays zero.
 */
#include "internal.h"

#include <gyre/atomic.h>

#define NS_PER_MS UINT64_C(1000000)
#define SETTLE_PAUSES 64u
#define TAP_SLICE_MIN_NS UINT64_C(50000)
#define TAP_LOOK_SLICES 16u /* about every 100 ms it looks whether the producer lives */
#define TAP_SLICES 8u       /* 50 us doubled seven times: 6.4 ms */

static const uint64_t slices_ns[] = {2 * NS_PER_MS, 16 * NS_PER_MS, 128 * NS_PER_MS,
                                     1000 * NS_PER_MS};

bool gyre__take_interrupt(struct gyre_ring *ring)
{
    return gyre_load_relaxed_32(&ring->is_interrupted) != 0 &&
           gyre_exchange_32(&ring->is_interrupted, 0) != 0; /* E13 */
}

/* Lets every store of this CPU reach memory, by all we know, where no barrier can be asked for. */
void gyre__let_settle(void)
{
    uint64_t until = sync_clock_now_ns() + GYRE_SETTLE_NS;

    for (uint32_t i = 0; i < SETTLE_PAUSES || sync_clock_now_ns() < until; i++)
        gyre_pause();
}

uint64_t gyre__slice_ns(uint32_t idx)
{
    uint32_t last = (uint32_t)(sizeof(slices_ns) / sizeof(slices_ns[0])) - 1;

    return slices_ns[idx < last ? idx : last];
}

static void add_one(uint64_t *counter)
{
    gyre_store_relaxed_64(counter, gyre_load_relaxed_64(counter) + 1);
}

void gyre__ring_if_blocked(struct gyre_consumer *consumer)
{
    if (gyre_load_relaxed_64(consumer->fast.room_pos) != 0) /* E6 */
        gyre__ring_room(&consumer->ring);
}

/* A consumer's bit in the sleepers word: its seat's, or its group's. */
static uint64_t own_bit(const struct gyre_consumer *consumer)
{
    return consumer->member.group != NULL ? gyre__group_bit(consumer->member.group_idx)
                                          : gyre__sleeper_bit(consumer->seat_idx);
}

/*
 * Without a barrier each saying is a race anew, won all but always; so a longer slice goes on with
 * what was said before the first, which the producer has had all that time to see.
 */
void gyre__say_asleep(struct gyre_consumer *consumer)
{
    struct gyre_member *member = &consumer->member;
    uint64_t           *mask = &consumer->ring.sleepers->mask;
    uint64_t            bit = own_bit(consumer);

    if (consumer->is_slicing && (gyre_load_relaxed_64(mask) & bit) != 0) /* E3 */
        return;
    consumer->is_slicing = false;
    consumer->slice_idx = 0;
    sync_bell_clear(&consumer->bell);
    if (member->group != NULL) {
        gyre_store_relaxed_32(&consumer->seat->wakes_by_bell, !member->is_at_gate);
        gyre_or_64(&member->group->asleep[consumer->seat_idx / 64], /* E16 */
                   gyre__seat_bit(consumer->seat_idx));
    }
    gyre_or_64(mask, bit); /* E3 E16 */
    GYRE_FAULT(sleep_bit);
    gyre__ring_if_blocked(consumer);
}

void gyre__end_sleep(struct gyre_consumer *consumer, enum sync_wake woken)
{
    if (woken == SYNC_TIMED_OUT && !sync_barrier_exists() && !gyre__is_ready(consumer))
        consumer->is_slicing = true;
    else
        gyre__say_awake(consumer);
}

void gyre__end_slices(struct gyre_consumer *consumer)
{
    if (consumer->is_slicing)
        gyre__say_awake(consumer);
}

static bool is_groups(uint64_t bit)
{
    return bit >= gyre__group_bit(GYRE_GROUP_COUNT - 1);
}

/*
 * A bit that others set too stays, for one needless ring at most: a group's, that of a seat which
 * shares it with a group, and each if there are more seats than bits.
 */
void gyre__say_awake(struct gyre_consumer *consumer)
{
    struct gyre_member *member = &consumer->member;
    uint64_t           *mask = &consumer->ring.sleepers->mask;
    uint64_t            bit = own_bit(consumer);

    consumer->is_slicing = false;
    if (member->group != NULL) /* the group's bit stays: others may sleep */
        gyre_and_64(&member->group->asleep[consumer->seat_idx / 64], /* E16 */
                    ~gyre__seat_bit(consumer->seat_idx));
    else if (consumer->ring.geometry.seat_count <= GYRE_SLEEPERS_PER_WORD && !is_groups(bit) &&
             (gyre_load_relaxed_64(mask) & bit) != 0)
        gyre_and_64(mask, ~bit); /* E3 */
}

bool gyre__barrier(void)
{
    if (sync_barrier_exists())
        return sync_barrier_remote(); /* E3 */
    gyre__let_settle();
    return false;
}

/* How long a sleep may be that was said before the barrier: the schemes told above. */
uint64_t gyre__sleep_limit_ns(struct gyre_consumer *consumer, bool is_barrier_done)
{
    struct gyre_ring *ring = &consumer->ring;

    if (!sync_barrier_exists())
        return gyre__slice_ns(consumer->slice_idx++);
    if (is_barrier_done && gyre_load_acquire_32(&ring->front->is_registered) != 0) /* E11 */
        return GYRE_LONG_SLICE_NS;
    gyre_store_release_32(&consumer->seat->needs_fence, 1);   /* E12 */
    gyre_or_64(&ring->sleepers->mask, GYRE_SLEEPERS_FENCE);   /* E3 */
    if (gyre_load_acquire_32(&ring->front->fence_ack) != 0 && /* E12 */
        (consumer->member.group == NULL || /* behind the end it waits for members, who fence not */
         gyre_load_acquire_32(&ring->front->state) != GYRE_RING_CLOSED)) /* E17 */
        return GYRE_LONG_SLICE_NS;
    return GYRE_SHORT_SLICE_NS;
}

/* The end of the stream, as gyre__consumer_poll will tell it. */
static bool is_at_end(const struct gyre_consumer *consumer)
{
    const struct gyre_shared_front *front = consumer->ring.front;

    if (consumer->member.group != NULL)
        return gyre__member_is_at_end(consumer);
    return gyre_load_acquire_32(&front->state) == GYRE_RING_CLOSED && /* E9 */
           gyre_load_relaxed_64(&front->final_pos) == consumer->fast.peek_pos;
}

/* A ring is forgotten by say_asleep, so all that it may have told of is looked for once more. */
bool gyre__must_look(const struct gyre_consumer *consumer)
{
    return gyre__is_ready(consumer) ||                                  /* E3 */
           gyre_load_relaxed_32(&consumer->ring.is_interrupted) != 0 || /* E13 */
           gyre__is_told(consumer) || is_at_end(consumer) ||
           /* A lap behind, the next header may be a payload's zero. */
           gyre__is_overrun(consumer);
}

void gyre__count_sleep(struct gyre_consumer *consumer)
{
    add_one(&consumer->seat->sleep_count);
}

static enum sync_wake wait_for_ring(struct gyre_consumer *consumer, uint32_t peer, uint64_t until)
{
    struct gyre_member *member = &consumer->member;
    struct sync_site   *site = consumer->ring.site;
    enum sync_wake      woken;

    if (member->group != NULL && member->is_at_gate)
        woken = sync_gate_wait(&member->gate, &consumer->bell, site, peer, until);
    else
        woken = sync_bell_wait(&consumer->bell, site, peer, until);
    /* The lines that come next, at once. */
    __builtin_prefetch(&consumer->ring.sleepers->mask);
    __builtin_prefetch(&consumer->seat->control);
    __builtin_prefetch(consumer->fast.ring + (consumer->fast.peek_pos & consumer->fast.mask));
    return woken;
}

/* Where the message lies that would end a sleep: for a member, one that nobody has claimed. */
static uint64_t awaited_pos(const struct gyre_consumer *consumer)
{
    const struct gyre_shared_group *group = consumer->member.group;

    return group == NULL ? consumer->fast.peek_pos
                         : gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]); /* E14 */
}

uint64_t gyre__ring_grace_ns; /* nobody is kept waiting for the sake of a count, but tests are */

/*
 * A message that comes in the very moment in which the slice ends is not a missed one: its producer
 * may not have looked yet who sleeps, or be about to ring, and may be stopped there for
 * milliseconds, by a page fault or for another process.  Nor is one that another member is woken
 * for.  Only tests wait for that ring: here the message counts, and is delivered at once.
 */
void gyre__count_missed(struct gyre_consumer *consumer)
{
    uint64_t pos = awaited_pos(consumer);

    if (!gyre__is_ready(consumer))
        return;
    if (gyre__ring_grace_ns != 0 &&
        (wait_for_ring(consumer, SYNC_ROLE_NONE, sync_clock_now_ns() + gyre__ring_grace_ns) ==
             SYNC_RUNG ||
         awaited_pos(consumer) != pos))
        return;
    add_one(&consumer->seat->missed_count);
}

static bool sleep_on_bell(struct gyre_consumer *consumer, uint64_t deadline_ns, bool is_due)
{
    uint32_t       epoch = gyre__watched_epoch(consumer);
    uint32_t       peer = epoch != 0 ? SYNC_ROLE_PRODUCER : SYNC_ROLE_NONE;
    enum sync_wake woken = SYNC_RUNG;
    uint64_t       slice;

    gyre__say_asleep(consumer);
    slice = gyre__sleep_limit_ns(consumer, gyre__barrier());
    if (!gyre__must_look(consumer)) {
        uint64_t until = gyre__sooner(deadline_ns, sync_clock_now_ns() + slice);
        gyre__count_sleep(consumer);
        GYRE_FAULT(sleep_wait);
        woken = wait_for_ring(consumer, peer, until);
        if (woken == SYNC_TIMED_OUT && !(is_due && until == deadline_ns))
            gyre__count_missed(consumer);
    }
    GYRE_FAULT(sleep_over);
    gyre__end_sleep(consumer, woken);
    return woken == SYNC_PEER_GONE;
}

/* A tap cannot be woken: it sleeps by the clock, longer each time. */
uint64_t gyre__tap_limit_ns(struct gyre_consumer *consumer)
{
    uint32_t doublings = consumer->slice_idx < TAP_SLICES ? consumer->slice_idx : TAP_SLICES - 1;

    consumer->slice_idx++;
    return TAP_SLICE_MIN_NS << doublings;
}

static bool sleep_by_timer(struct gyre_consumer *consumer, uint64_t deadline_ns)
{
    uint64_t until = sync_clock_now_ns() + gyre__tap_limit_ns(consumer);

    sync_clock_sleep_until(gyre__sooner(deadline_ns, until));
    if (consumer->slice_idx % TAP_LOOK_SLICES != 0)
        return false;
    return gyre__is_orphaned(consumer,
                             gyre_load_acquire_32(&consumer->ring.front->epoch)); /* E11 */
}

bool gyre__sleep(struct gyre_consumer *consumer, uint64_t deadline_ns, bool is_due)
{
    if (consumer->kind == GYRE_TAP)
        return sleep_by_timer(consumer, deadline_ns);
    return sleep_on_bell(consumer, deadline_ns, is_due);
}
