/*
 * group.c - the life of a work-sharing group: found, join, leave, end; what it holds back.
 *
 * It knows the table of groups and who is a member.  How members share the messages is in member.c,
 * what becomes of the dead in recover.c.  Who joins, leaves or ends a group holds the site's lock;
 * who claims, releases or looks does not.
 */
#include "internal.h"

#include <string.h>

#include <gyre/atomic.h>

#define COUNT_ROUNDS 1000u /* a word that others never leave alone must not hold us */

struct gyre_shared_group *gyre__seat_group(const struct gyre_ring        *ring,
                                           const struct gyre_shared_seat *seat)
{
    uint32_t number = gyre_load_relaxed_32(&seat->group);

    return number == 0 || number > GYRE_GROUP_COUNT ? NULL : &ring->groups[number - 1];
}

void gyre__group_count(uint64_t *word, uint64_t count)
{
    uint64_t seen = gyre_load_relaxed_64(word);

    for (uint32_t i = 0; i < COUNT_ROUNDS; i++) {
        uint64_t was = gyre_compare_exchange_64(word, seen, seen + count); /* no edge: for people */
        if (was == seen)
            return;
        seen = was;
    }
}

static bool is_in(const uint64_t bitmap[GYRE_BITMAP_WORDS], uint32_t seat_idx)
{
    return (gyre_load_relaxed_64(&bitmap[seat_idx / 64]) & gyre__seat_bit(seat_idx)) != 0;
}

static bool is_taken(uint64_t control)
{
    uint32_t state = gyre__seat_state(control);

    return state == GYRE_SEAT_ACTIVE || state == GYRE_SEAT_ORPHANED;
}

/* The control word of a seat that belongs to the group, or 0. */
static uint64_t member_control(const struct gyre_ring *ring, uint32_t group_idx, uint32_t seat_idx)
{
    const struct gyre_shared_seat *seat = &ring->seats[seat_idx];
    uint64_t                       control = gyre_load_acquire_64(&seat->control); /* E10 */

    if (!is_in(ring->groups[group_idx].members, seat_idx) ||
        gyre_load_relaxed_32(&seat->group) != group_idx + 1)
        return 0;
    return is_taken(control) ? control : 0;
}

bool gyre__group_has_living(struct gyre_ring *ring, uint32_t group_idx)
{
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        uint64_t control = member_control(ring, group_idx, i);
        if (gyre__seat_state(control) == GYRE_SEAT_ACTIVE &&
            !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(i)))
            return true;
    }
    return false;
}

/*
 * Frees the seats that members of the group left behind, for nobody else does when the group is
 * over: a held claim would hold the producer back for ever.  With the site's lock, so nobody joins.
 */
static void sweep_seats(struct gyre_ring *ring, uint32_t group_idx)
{
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        struct gyre_shared_seat *seat = &ring->seats[i];
        uint64_t                 control = gyre_load_acquire_64(&seat->control); /* E10 */
        uint64_t                 generation = control >> GYRE_SEAT_GENERATION_SHIFT;

        if (gyre_load_relaxed_32(&seat->group) != group_idx + 1 || !is_taken(control) ||
            !sync_lease_is_free(ring->site, SYNC_ROLE_SEAT(i)))
            continue;
        /* Again if it became an orphan meanwhile; not if it is another one's by now. */
        while (is_taken(control) && control >> GYRE_SEAT_GENERATION_SHIFT == generation) {
            uint64_t freed = (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;
            uint64_t was = gyre_compare_exchange_64(&seat->control, control, freed); /* E10 */
            if (was == control)
                break;
            control = was;
        }
    }
}

/* With the site's lock. */
static void end_group(struct gyre_ring *ring, uint32_t group_idx)
{
    struct gyre_shared_group *group = &ring->groups[group_idx];
    uint64_t                  control = gyre_load_acquire_64(&group->control); /* E10 */
    uint64_t                  generation = (control >> GYRE_SEAT_GENERATION_SHIFT) + 1;

    gyre_store_release_64(&group->control, /* E10 */
                          gyre__seat_control((uint32_t)generation, 0, GYRE_GROUP_FREE));
    GYRE_FAULT(group_ended);
    sweep_seats(ring, group_idx);
}

/* One that waits for members although it has none: not before its founder was done. */
static bool is_kept(uint64_t control)
{
    return (gyre__seat_kind(control) & (GYRE_GROUP_FLAG_KEEP | GYRE_GROUP_FLAG_FOUNDING)) ==
           GYRE_GROUP_FLAG_KEEP;
}

bool gyre__group_end_if_dead(struct gyre_ring *ring, uint32_t group_idx)
{
    struct gyre_error         ignored = {GYRE_OK, 0, NULL, NULL};
    struct gyre_shared_group *group = &ring->groups[group_idx];
    uint64_t                  control = gyre_load_acquire_64(&group->control); /* E10 */
    bool                      is_over;

    if (gyre__seat_state(control) == GYRE_GROUP_ACTIVE &&
        (is_kept(control) || gyre__group_has_living(ring, group_idx)))
        return false;
    if (sync_site_hold(ring->site, false, &ignored) != GYRE_OK)
        return false;
    control = gyre_load_acquire_64(&group->control); /* E10 */
    is_over = gyre__seat_state(control) != GYRE_GROUP_ACTIVE;
    if (is_over) /* whoever ended it may have died before it was done */
        sweep_seats(ring, group_idx);
    else if (!gyre__group_has_living(ring, group_idx)) { /* whoever joined meanwhile counts */
        end_group(ring, group_idx);
        is_over = true;
    }
    sync_site_unlock(ring->site);
    return is_over;
}

uint64_t gyre__group_low(const struct gyre_ring *ring, const struct gyre_shared_group *group)
{
    uint32_t group_idx = (uint32_t)(group - ring->groups);
    uint64_t low = gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]); /* E14 */

    for (uint32_t i = 0; i < ring->geometry.seat_count; i++) {
        uint64_t end, begin;
        if (member_control(ring, group_idx, i) == 0 || !gyre__claim_is_held(ring, i, &end))
            continue;
        begin = gyre_load_relaxed_64(&ring->seats[i].released_pos); /* E14 */
        if (gyre__pos_after(low, begin))
            low = begin;
    }
    return low;
}

bool gyre__group_is_done(const struct gyre_ring *ring, const struct gyre_shared_group *group,
                         uint64_t final_pos)
{
    uint32_t group_idx = (uint32_t)(group - ring->groups);
    uint64_t end;

    if (gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]) != final_pos) /* E14 */
        return false;
    for (uint32_t i = 0; i < ring->geometry.seat_count; i++)
        if (member_control(ring, group_idx, i) != 0 && gyre__claim_is_held(ring, i, &end))
            return false;
    return true;
}

/* --- join ------------------------------------------------------------------------------------- */

static bool has_name(const struct gyre_shared_group *group, const char *name)
{
    return strncmp((const char *)group->name, name, GYRE_GROUP_NAME_SIZE) == 0;
}

/* The group of this name, or a free place for it.  NULL: neither. */
static struct gyre_shared_group *find_group(struct gyre_ring *ring, const char *name, bool *is_new)
{
    struct gyre_shared_group *place = NULL;

    *is_new = false;
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT; i++) {
        struct gyre_shared_group *group = &ring->groups[i];
        uint64_t                  control = gyre_load_acquire_64(&group->control); /* E10 */
        if (gyre__seat_state(control) == GYRE_GROUP_ACTIVE && has_name(group, name))
            return group;
        if (gyre__seat_state(control) != GYRE_GROUP_ACTIVE && !gyre__group_has_living(ring, i))
            place = place == NULL ? group : place;
    }
    for (uint32_t i = 0; i < GYRE_GROUP_COUNT && place == NULL; i++) {
        if (!is_kept(gyre_load_acquire_64(&ring->groups[i].control)) && /* E10 */
            !gyre__group_has_living(ring, i)) {
            end_group(ring, i);
            place = &ring->groups[i];
        }
    }
    *is_new = place != NULL;
    return place;
}

/*
 * A founder that died before it was done left a position that is not where the group was to start,
 * or that may be gone.
 */
static bool is_broken(struct gyre_ring *ring, const struct gyre_shared_group *group)
{
    uint32_t kind = gyre__seat_kind(gyre_load_acquire_64(&group->control)); /* E10 */
    uint64_t horizon = gyre_load_acquire_64(&ring->front->horizon_pos);     /* E5 */
    uint64_t next_pos = gyre_load_acquire_64(&group->next[GYRE_NEXT_POS]);  /* E14 */

    if ((kind & GYRE_GROUP_FLAG_FOUNDING) == 0 &&
        ((kind & GYRE_GROUP_FLAG_LOSSY) != 0 || !gyre__pos_after(horizon, next_pos)))
        return false;
    return !gyre__group_has_living(ring, (uint32_t)(group - ring->groups));
}

/* An empty group in a place where there was another one, perhaps; not active yet. */
static void clear_group(struct gyre_consumer *consumer, const char *name)
{
    struct gyre_shared_group *group = consumer->member.group;
    uint64_t                  control = gyre_load_acquire_64(&group->control); /* E10 */
    uint64_t                  generation = (control >> GYRE_SEAT_GENERATION_SHIFT) + 1;

    gyre_store_release_64(&group->control, /* E10 */
                          gyre__seat_control((uint32_t)generation, 0, GYRE_GROUP_FREE));
    sweep_seats(&consumer->ring, consumer->member.group_idx);
    memset(group->name, 0, sizeof(group->name));
    memcpy(group->name, name, strlen(name));
    for (uint32_t i = 0; i < GYRE_BITMAP_WORDS; i++) {
        gyre_store_relaxed_64(&group->asleep[i], 0);
        gyre_store_relaxed_64(&group->members[i], 0);
        gyre_store_relaxed_64(&group->orphans[i], 0);
    }
    gyre_store_relaxed_64(&group->lost_count, 0);
    gyre_store_relaxed_64(&group->redelivered_count, 0);
    consumer->member.control = gyre__seat_control(
        (uint32_t)generation,
        (uint32_t)(consumer->member.control >> GYRE_GROUP_FLAGS_SHIFT) & 0xffu, GYRE_GROUP_ACTIVE);
    consumer->member.is_founding = true;
}

#define FOUNDING ((uint64_t)GYRE_GROUP_FLAG_FOUNDING << GYRE_GROUP_FLAGS_SHIFT)

void gyre__group_activate(struct gyre_consumer *consumer)
{
    struct gyre_member *member = &consumer->member;

    gyre_store_release_64(&member->group->control, member->control | FOUNDING); /* E5 E10 */
    GYRE_FAULT(group_founded);
}

/* Founds the group where the options say that it starts. */
static enum gyre_status found(struct gyre_consumer               *consumer,
                              const struct gyre_consumer_options *options, struct gyre_error *error)
{
    struct gyre_member *member = &consumer->member;
    enum gyre_status    status;

    clear_group(consumer, options->group);
    consumer->fast.released_pos = &member->group->next[GYRE_NEXT_POS];
    status = gyre__seat_go_to(consumer, (enum gyre_start)options->start, options->start_seq, NULL);
    consumer->fast.released_pos = &consumer->own_released_pos;
    member->is_founding = false;
    status = status == GYRE_OK ? gyre__seat_check_start(consumer, options, error)
                               : gyre__blame(error, GYRE_CORRUPT, "landmarks");
    if (status != GYRE_OK)
        end_group(&consumer->ring, member->group_idx);
    else /* unless it was evicted meanwhile */
        (void)gyre_compare_exchange_64(&member->group->control, member->control | FOUNDING,
                                       member->control); /* E10 */
    return status;
}

static enum gyre_status join_locked(struct gyre_consumer               *consumer,
                                    const struct gyre_consumer_options *options,
                                    struct gyre_error                  *error)
{
    struct gyre_ring   *ring = &consumer->ring;
    struct gyre_member *member = &consumer->member;
    enum gyre_status    status = GYRE_OK;
    uint64_t            idle = (consumer->control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE;
    uint32_t flags = (options->group_flags & GYRE_GROUP_KEEP) != 0 ? GYRE_GROUP_FLAG_KEEP : 0;
    uint64_t control;
    bool     is_new;

    flags |= consumer->kind == GYRE_LOSSY ? GYRE_GROUP_FLAG_LOSSY : 0;
    member->group = find_group(ring, options->group, &is_new);
    if (member->group == NULL)
        return gyre__blame(error, GYRE_NO_SEAT, "group");
    member->group_idx = (uint32_t)(member->group - ring->groups);
    control = gyre_load_acquire_64(&member->group->control); /* E10 */
    if (!is_new && is_broken(ring, member->group)) {
        end_group(ring, member->group_idx);
        is_new = true;
    }
    if (!is_new && gyre__seat_kind(control) != flags)
        return gyre__blame(error, GYRE_EXISTS,
                           ((gyre__seat_kind(control) ^ flags) & GYRE_GROUP_FLAG_LOSSY) != 0
                               ? "kind"
                               : "group_flags");
    member->control = is_new ? (uint64_t)flags << GYRE_GROUP_FLAGS_SHIFT : control;
    if (is_new)
        status = found(consumer, options, error);
    if (status != GYRE_OK)
        return status;
    gyre_store_relaxed_32(&consumer->seat->group, member->group_idx + 1);
    gyre_or_64(&member->group->members[consumer->seat_idx / 64], /* E10 */
               gyre__seat_bit(consumer->seat_idx));
    GYRE_FAULT(group_bit);
    (void)gyre_compare_exchange_64(&consumer->seat->control, idle, consumer->control); /* E10 */
    return GYRE_OK;
}

enum gyre_status gyre__group_join(struct gyre_consumer               *consumer,
                                  const struct gyre_consumer_options *options,
                                  struct gyre_error                  *error)
{
    struct gyre_fast_consumer *fast = &consumer->fast;
    struct gyre_member        *member = &consumer->member;
    enum gyre_status           status = sync_site_hold(consumer->ring.site, true, error);

    if (status != GYRE_OK)
        return status;
    status = join_locked(consumer, options, error);
    if (status == GYRE_OK && GYRE_FAULT_FAILS(group_joined))
        status = sync_fail(error, GYRE_SYSTEM, 0, "fault");
    sync_site_unlock(consumer->ring.site);
    if (status == GYRE_OK)
        status = sync_gate_open(consumer->ring.site, member->group_idx, &member->group->permits,
                                &member->gate, error);
    if (status != GYRE_OK)
        return status;
    member->claim_count = options->claim_count;
    member->far_pos = 1;
    member->peek_header = GYRE_FRAME_PADDING;
    fast->held_pos = 0;
    fast->horizon_pos = &member->far_pos;
    fast->ring = (const unsigned char *)&member->peek_header;
    fast->mask = 0;
    member->end_pos = fast->peek_pos;
    return GYRE_OK;
}

/* --- leave ------------------------------------------------------------------------------------ */

void gyre__group_leave(struct gyre_consumer *consumer)
{
    struct gyre_error   ignored = {GYRE_OK, 0, NULL, NULL};
    struct gyre_ring   *ring = &consumer->ring;
    struct gyre_member *member = &consumer->member;
    bool                is_locked = sync_site_hold(ring->site, true, &ignored) == GYRE_OK;
    bool                is_kept = (gyre__seat_kind(member->control) & GYRE_GROUP_FLAG_KEEP) != 0;
    uint64_t            control;

    if (member->work != NULL && member->work != consumer->seat) {
        sync_lease_drop(ring->site, SYNC_ROLE_SEAT(member->work_idx));
        gyre__orphan_hint(ring, member->work_idx);
    }
    GYRE_FAULT(group_leave);
    gyre__say_awake(consumer);
    gyre__seat_bequeath(ring, consumer->seat_idx, consumer->control);
    GYRE_FAULT(group_bequeathed);
    control = (consumer->control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_EVICTED;
    (void)gyre_compare_exchange_64(&consumer->seat->control, control, /* E10 */
                                   (control & ~GYRE_SEAT_STATE_MASK) | GYRE_SEAT_FREE);
    sync_lease_drop(ring->site, SYNC_ROLE_SEAT(consumer->seat_idx));
    gyre__orphan_hint(ring, consumer->seat_idx);
    if (is_locked && !is_kept &&
        gyre_load_acquire_64(&member->group->control) == member->control && /* E10 */
        !gyre__group_has_living(ring, member->group_idx))
        end_group(ring, member->group_idx);
    if (is_locked)
        sync_site_unlock(ring->site);
    if (member->gate.word != NULL)
        sync_gate_post(&member->gate, 1); /* somebody may find work in what we left */
    sync_gate_close(&member->gate);
}
