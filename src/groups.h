/*
 * groups.h - what the library's sources share of work-sharing groups: their life, their members,
 * and what dead members leave.
 */
#ifndef GYRE_GROUPS_H
#define GYRE_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include <gyre/gyre.h>

struct gyre_mark;
struct gyre_ring;
struct gyre_shared_group;
struct gyre_shared_seat;

/* group.c: the life of a group */

/* Makes the consumer, which has a seat, a member of its group.  Takes the site's lock. */
enum gyre_status gyre__group_join(struct gyre_consumer               *consumer,
                                  const struct gyre_consumer_options *options,
                                  struct gyre_error                  *error);
void             gyre__group_leave(struct gyre_consumer *consumer);

/* From now on the producer respects the group that this consumer founds (E5). */
void gyre__group_activate(struct gyre_consumer *consumer);

/* Ends a group of which all members are dead, unless it is kept.  True if it is no more. */
bool gyre__group_end_if_dead(struct gyre_ring *ring, uint32_t group_idx);
bool gyre__group_has_living(struct gyre_ring *ring, uint32_t group_idx);

/* The smallest position that some member, or the group, still needs. */
uint64_t gyre__group_low(const struct gyre_ring *ring, const struct gyre_shared_group *group);

/* True if everything up to `final_pos` was claimed and released. */
bool gyre__group_is_done(const struct gyre_ring *ring, const struct gyre_shared_group *group,
                         uint64_t final_pos);

/* The group of a seat, or NULL: none, or the index is out of range. */
struct gyre_shared_group *gyre__seat_group(const struct gyre_ring        *ring,
                                           const struct gyre_shared_seat *seat);

/* Adds to one of a group's counts for people. */
void gyre__group_count(uint64_t *word, uint64_t count);

/* member.c: the reader's side for members of groups; see their namesakes in consumer.c */
bool             gyre__member_is_ready(const struct gyre_consumer *consumer);
bool             gyre__member_is_at_end(const struct gyre_consumer *consumer);
enum gyre_status gyre__member_poll(struct gyre_consumer *consumer);
const void      *gyre__member_peek(struct gyre_consumer *consumer, uint32_t *size);
enum gyre_status gyre__member_release(struct gyre_consumer *consumer);

/* As gyre__is_overwritten. */
bool gyre__member_is_overwritten(const struct gyre_consumer *consumer, uint64_t pos);

/*
 * True if no frame that can be read now ends at `pos`: it is beyond all that the producer may have
 * written.  A position that somebody else wrote, whole laps ahead, would never seem overwritten.
 */
bool gyre__is_beyond(const struct gyre_consumer *consumer, uint64_t pos);

/* Begins to deliver a claim: the messages from `from` to `end`. */
void gyre__member_take_up(struct gyre_consumer *consumer, uint32_t seat_idx,
                          const struct gyre_mark *from, const struct gyre_mark *end);

/* orphan.c */

/* True if the member has taken up what another one left. */
bool gyre__adopt_any(struct gyre_consumer *consumer);

/* With the lease of an orphan's seat: the seat is free. */
void gyre__free_orphan(struct gyre_ring *ring, uint32_t seat_idx);

/* Some times a second looks at some of the other members in turn. */
void gyre__look_at_mates(struct gyre_consumer *consumer);

/* recover.c */

/*
 * What lies between released_pos and the claim's end belongs to the seat's member, dead or alive
 * (E15).  Gives the end.
 */
bool gyre__claim_is_held(const struct gyre_ring *ring, uint32_t seat_idx, uint64_t *end_pos);

/* The seat's member is dead or leaves: its claim is an orphan now, or its seat is free. */
void gyre__seat_bequeath(struct gyre_ring *ring, uint32_t seat_idx, uint64_t control);

/* Tells the members of an orphan once its lease can be had: who came before that met BUSY. */
void gyre__orphan_hint(struct gyre_ring *ring, uint32_t seat_idx);

#endif
