/*
 * member.c - a member of a work-sharing group claims messages, reads and releases them.
 *
 * A claim moves the group's next_pos behind the messages it takes, by one CAS that also says who
 * did it.  Before the CAS the member writes into its seat what it is about to claim; whoever moves
 * next_pos after it first marks that as HELD (E15).  So at any instruction it can be told from the
 * map which messages a dead member had claimed: neither is one lost, nor does a second member get
 * what a living one has.  A member holds one claim at a time: its own or, with the lease of the
 * seat that a dead or leaving member left, that one's.
 */
#include "internal.h"

#include <gyre/atomic.h>

/* Later it claims one message at a time, as quickly as any, and believes what it sees. */
#define FIRST_ROUNDS 16u
/* Honest members are done in a few; words that change at each look must not hold us. */
#define CLAIM_ROUNDS 1000u

static bool is_lossy(const struct gyre_consumer *consumer)
{
    return consumer->kind == GYRE_LOSSY;
}

static bool has_orphans(const struct gyre_shared_group *group)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < GYRE_BITMAP_WORDS; i++)
        any |= gyre_load_relaxed_64(&group->orphans[i]);
    return any != 0;
}

/*
 * Behind what was read: true if bytes at or after `pos` may have been overwritten.  That is a lossy
 * group's lot; under a reliable one only if somebody broke the rules.
 */
bool gyre__member_is_overwritten(const struct gyre_consumer *consumer, uint64_t pos)
{
    const struct gyre_shared_front *front = consumer->ring.front;

    gyre_fence_acquire();                                                                /* E7 */
    return gyre__pos_after(gyre_load_relaxed_64(is_lossy(consumer) ? &front->horizon_pos /* E7 */
                                                                   : &front->granted_pos),
                           pos);
}

bool gyre__is_beyond(const struct gyre_consumer *consumer, uint64_t pos)
{
    gyre_fence_acquire();                                                                  /* E7 */
    return gyre__pos_after(pos, gyre_load_relaxed_64(&consumer->ring.front->horizon_pos) + /* E7 */
                                    consumer->ring.geometry.capacity);
}

/* The group's position and tag as they were at one moment.  False: they changed meanwhile. */
static bool read_next(const struct gyre_shared_group *group, uint64_t next[2])
{
    next[0] = gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]);         /* E14 */
    next[1] = gyre_load_acquire_64(&group->next[GYRE_NEXT_TAG]);         /* E15 */
    return gyre_load_relaxed_64(&group->next[GYRE_NEXT_POS]) == next[0]; /* each CAS changes it */
}

bool gyre__member_is_ready(const struct gyre_consumer *consumer)
{
    const struct gyre_member *member = &consumer->member;
    const struct gyre_ring   *ring = &consumer->ring;
    uint64_t                  pos, mask = ring->geometry.capacity - 1;

    if (member->work != NULL)
        return consumer->fast.peek_pos != member->end_pos;
    pos = gyre_load_acquire_64(&member->group->next[GYRE_NEXT_POS]); /* E14 */
    return has_orphans(member->group) ||
           gyre_load_acquire_64(gyre__header_at(ring->bytes, pos & mask)) != 0 || /* E1 E16 */
           /* A lap behind, the next header may be a payload's zero. */
           (is_lossy(consumer) && gyre__member_is_overwritten(consumer, pos));
}

bool gyre__member_is_at_end(const struct gyre_consumer *consumer)
{
    const struct gyre_shared_front *front = consumer->ring.front;

    return gyre_load_acquire_32(&front->state) == GYRE_RING_CLOSED && /* E9 */
           gyre__group_is_done(&consumer->ring, consumer->member.group,
                               gyre_load_relaxed_64(&front->final_pos)); /* E17 */
}

/* --- claim ------------------------------------------------------------------------------------ */

void gyre__member_take_up(struct gyre_consumer *consumer, uint32_t seat_idx,
                          const struct gyre_mark *from, const struct gyre_mark *end)
{
    struct gyre_member *member = &consumer->member;

    member->work = &consumer->ring.seats[seat_idx];
    member->work_idx = seat_idx;
    member->end_pos = end->pos;
    member->end_seq = end->seq;
    consumer->own_released_pos = from->pos;
    consumer->fast.held_seq = from->seq;
    consumer->fast.peek_pos = from->pos;
    consumer->fast.peek_seq = from->seq;
}

/* Follows up to `count` messages.  False: it met bytes that are no frame. */
static bool look_ahead(const struct gyre_consumer *consumer, const struct gyre_mark *from,
                       uint32_t count, struct gyre_mark *end)
{
    struct gyre_mark at = *from; /* behind `end` by padding, if at all */
    uint64_t         size = 0;

    *end = *from;
    while (at.seq - from->seq < count) {
        switch (gyre__frame_judge(&consumer->ring, &at, &size, NULL)) {
        case GYRE_FRAME_NONE:
            return true;
        case GYRE_FRAME_BAD:
            return false;
        case GYRE_FRAME_PAD:
            at.pos += size;
            break;
        case GYRE_FRAME_MESSAGE:
            at.pos += size;
            at.seq++;
            *end = at;
            break;
        }
    }
    return true;
}

/*
 * Whoever claimed last may not have come to say so: it shall be known once next_tag has changed.
 * Its seat may have gone to a member of another group since, whose claims are none of ours.
 */
static void help_last(const struct gyre_consumer *consumer, const uint64_t next[2])
{
    const struct gyre_ring *ring = &consumer->ring;
    uint64_t                last = next[1] & GYRE_GROUP_NOBODY;
    uint64_t                tried = next[0] | GYRE_CLAIM_TRIED;

    if (last < ring->geometry.seat_count &&
        gyre__seat_group(ring, &ring->seats[last]) == consumer->member.group &&
        gyre_load_acquire_64(&ring->seats[last].claim) == tried)        /* E15 */
        (void)gyre_compare_exchange_64(&ring->seats[last].claim, tried, /* E15 */
                                       next[0] | GYRE_CLAIM_HELD);
}

static bool move_next(struct gyre_consumer *consumer, const uint64_t next[2],
                      const struct gyre_mark *to)
{
#ifdef GYRE_HAS_PAIRS
    uint64_t moved[2] = {to->pos, to->seq << GYRE_GROUP_TAG_BITS | consumer->seat_idx};

    help_last(consumer, next);
    return gyre_compare_exchange_pair(consumer->member.group->next, next, moved); /* E14 E15 */
#else
    (void)consumer, (void)next, (void)to, (void)help_last;
    return false; /* such a member cannot be opened */
#endif
}

/* Claims what lies between the group's next message and `end`.  False: another one was quicker. */
static bool claim(struct gyre_consumer *consumer, const uint64_t next[2],
                  const struct gyre_mark *from, const struct gyre_mark *end)
{
    struct gyre_shared_seat *seat = consumer->seat;

    gyre_store_relaxed_64(&seat->released_pos, from->pos); /* E14 */
    gyre_store_relaxed_64(&seat->claim_seq, from->seq);
    gyre_store_relaxed_64(&seat->claim_end_seq, end->seq);
    gyre_store_release_64(&seat->claim, end->pos | GYRE_CLAIM_TRIED); /* E14 */
    GYRE_FAULT(claim_tried);
    if (!move_next(consumer, next, end)) {
        gyre_store_release_64(&seat->claim, GYRE_CLAIM_NONE); /* E14 */
        return false;
    }
    GYRE_FAULT(claim_moved);
    gyre_store_release_64(&seat->claim, end->pos | GYRE_CLAIM_HELD); /* E14 E15 */
    GYRE_FAULT(claim_held);
    gyre__member_take_up(consumer, consumer->seat_idx, from, end);
    consumer->member.is_redelivered = false;
    return true;
}

static enum gyre_status lose(struct gyre_consumer *consumer, uint64_t count)
{
    gyre__group_count(&consumer->member.group->lost_count, count);
    return gyre__tell_gap(consumer, count);
}

/*
 * A lossy group was overrun: the member that moves next_pos on tells the gap.  TIMEOUT: another one
 * did, look again.  CORRUPT: there is no landmark ahead to go on from, or it was just rewritten.
 */
static enum gyre_status skip_overwritten(struct gyre_consumer *consumer, const uint64_t next[2])
{
    struct gyre_ring *ring = &consumer->ring;
    struct gyre_mark  to;
    uint32_t          idx;
    bool is_found = consumer->on_gap == GYRE_RESUME_NEWEST ? gyre__mark_newest(ring, &to, &idx)
                                                           : gyre__mark_oldest(ring, &to);

    if (!is_found || !gyre__pos_after(to.pos, next[0]))
        return GYRE_CORRUPT;
    if (!move_next(consumer, next, &to))
        return GYRE_TIMEOUT;
    return lose(consumer, to.seq - (next[1] >> GYRE_GROUP_TAG_BITS));
}

/* OK: there is a claim.  TIMEOUT: there is nothing to be claimed, or others were always quicker. */
static enum gyre_status claim_next(struct gyre_consumer *consumer)
{
    struct gyre_shared_group *group = consumer->member.group;

    for (uint32_t i = 0; i < CLAIM_ROUNDS; i++) {
        uint64_t         next[2];
        struct gyre_mark from, end;
        bool             is_good, is_gone;
        if (!read_next(group, next))
            continue;
        from.pos = next[0];
        from.seq = next[1] >> GYRE_GROUP_TAG_BITS;
        if ((from.pos & consumer->fast.align_mask) != 0)
            return GYRE_CORRUPT;
        is_good =
            look_ahead(consumer, &from, i < FIRST_ROUNDS ? consumer->member.claim_count : 1, &end);
        is_gone = gyre__member_is_overwritten(consumer, from.pos);
        if (gyre_load_relaxed_64(&group->next[GYRE_NEXT_POS]) != next[0])
            continue; /* somebody moved on, and the bytes may be anything by now */
        if ((is_gone && !is_lossy(consumer)) || gyre__is_beyond(consumer, end.pos))
            return GYRE_EVICTED; /* somebody wrote over our group */
        if (is_gone) {
            enum gyre_status status = skip_overwritten(consumer, next);
            if (status == GYRE_GAP || (status == GYRE_CORRUPT && i >= FIRST_ROUNDS))
                return status;
            continue;
        }
        if (end.pos == from.pos)
            return is_good ? GYRE_TIMEOUT : GYRE_CORRUPT;
        if (claim(consumer, next, &from, &end))
            return GYRE_OK;
    }
    return GYRE_TIMEOUT;
}

/* --- what gyre_wait, gyre_peek and gyre_release do -------------------------------------------- */

enum gyre_status gyre__member_poll(struct gyre_consumer *consumer)
{
    struct gyre_member *member = &consumer->member;
    enum gyre_status    status;

    if (gyre_load_acquire_64(&member->group->control) != member->control) /* E10 */
        return consumer->verdict = GYRE_EVICTED;
    if (member->work != NULL) {
        if (gyre__member_is_overwritten(consumer, consumer->own_released_pos))
            return gyre__member_release(consumer);
        return consumer->fast.peek_pos != member->end_pos ? GYRE_OK : GYRE_BAD_ARGUMENT;
    }
    if (gyre_load_acquire_64(&consumer->seat->control) != consumer->control) /* E10 */
        return consumer->verdict = GYRE_EVICTED;                             /* it claims no more */
    gyre__look_at_mates(consumer);
    if (has_orphans(member->group) && gyre__adopt_any(consumer))
        return GYRE_OK;
    status = claim_next(consumer);
    member->is_idle = status == GYRE_TIMEOUT;
    if (status == GYRE_CORRUPT || status == GYRE_EVICTED)
        consumer->verdict = status;
    if (status != GYRE_TIMEOUT || !gyre__member_is_at_end(consumer))
        return status;
    return gyre__member_is_ready(consumer) ? GYRE_TIMEOUT : GYRE_CLOSED; /* E9 */
}

/* What there is to tell is left to gyre_wait. */
static bool get_claim(struct gyre_consumer *consumer)
{
    enum gyre_status status;

    if (consumer->gap_pending != 0 || consumer->verdict != GYRE_OK)
        return false;
    status = gyre__member_poll(consumer);
    if (status == GYRE_GAP) {
        consumer->gap_pending = consumer->gap_count;
        consumer->lost_count -= consumer->gap_count; /* counted when it is told */
    }
    return status == GYRE_OK;
}

const void *gyre__member_peek(struct gyre_consumer *consumer, uint32_t *size)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    struct gyre_ring          *ring = &consumer->ring;

    if (consumer->verdict != GYRE_OK || (consumer->member.work == NULL && !get_claim(consumer)))
        return NULL;
    while (fast->peek_pos != consumer->member.end_pos) {
        struct gyre_mark at = {fast->peek_pos, fast->peek_seq};
        uint64_t         frame_size = 0;
        uint32_t         payload_size = 0;
        enum gyre_frame  frame = gyre__frame_judge(ring, &at, &frame_size, &payload_size);
        if (frame == GYRE_FRAME_NONE || frame == GYRE_FRAME_BAD) {
            fast->peek_pos = consumer->member.end_pos;
            if (!is_lossy(consumer) ||
                !gyre__member_is_overwritten(consumer, consumer->own_released_pos))
                consumer->verdict = GYRE_CORRUPT;
            return NULL;
        }
        fast->peek_pos += frame_size;
        if (frame == GYRE_FRAME_PAD)
            continue;
        fast->peek_seq++;
        *size = payload_size;
        return ring->bytes + (at.pos & (ring->geometry.capacity - 1)) + GYRE_FRAME_HEADER_SIZE;
    }
    return NULL;
}

/* A blocked producer waits for the slowest of the whole group (E6). */
static void ring_if_room(struct gyre_consumer *consumer)
{
    uint64_t room = gyre_load_relaxed_64(&consumer->ring.front->room_pos); /* E6 */

    if (room == 0 || is_lossy(consumer))
        return;
    gyre_fence_full(); /* E6: of two that release at once, one sees the other's */
    if (!gyre__pos_after(room, gyre__group_low(&consumer->ring, consumer->member.group)))
        gyre__ring_room(&consumer->ring);
}

/* Behind the last message: those who sleep wait for the last claim to be released. */
static void tell_end(struct gyre_consumer *consumer)
{
    if (gyre_load_acquire_32(&consumer->ring.front->state) != GYRE_RING_CLOSED) /* E9 */
        return;
    gyre_fence_full(); /* E17 */
    if (gyre__member_is_at_end(consumer))
        sync_gate_post(&consumer->member.gate, SYNC_GATE_PERMITS_MAX);
}

static void give_back(struct gyre_consumer *consumer, uint64_t pos)
{
    struct gyre_member *member = &consumer->member;

    GYRE_FAULT(group_release);
    gyre_store_relaxed_64(&member->work->claim_seq, consumer->fast.peek_seq);
    GYRE_FAULT(group_numbered);
    gyre_store_release_64(&member->work->released_pos, pos); /* E2 */
    GYRE_FAULT(group_released);
    consumer->own_released_pos = pos;
    if (pos == member->end_pos) {
        if (member->work != consumer->seat)
            gyre__free_orphan(&consumer->ring, member->work_idx);
        else
            gyre_store_release_64(&member->work->claim, GYRE_CLAIM_NONE); /* E2 E14 E17 */
        member->work = NULL;
        tell_end(consumer);
    }
    ring_if_room(consumer);
}

enum gyre_status gyre__member_release(struct gyre_consumer *consumer)
{
    struct gyre_member        *member = &consumer->member;
    struct gyre_fast_consumer *fast = &consumer->fast;
    uint64_t                   lost;

    if (consumer->ring.is_forked)
        return GYRE_OK;
    if (member->work == NULL)
        return consumer->verdict; /* of what it held, perhaps */
    if (gyre__member_is_overwritten(consumer, consumer->own_released_pos)) {
        lost = member->end_seq - fast->held_seq;
        fast->peek_seq = member->end_seq;
        give_back(consumer, member->end_pos);
        if (consumer->verdict != GYRE_OK)
            return consumer->verdict;
        if (is_lossy(consumer))
            return lose(consumer, lost);
        return consumer->verdict = GYRE_EVICTED; /* somebody wrote over our seat or our group */
    }
    fast->held_seq = fast->peek_seq;
    give_back(consumer, fast->peek_pos);
    return GYRE_OK;
}

int gyre_consumer_is_redelivered(const struct gyre_consumer *consumer)
{
    return consumer->member.is_redelivered;
}
