/*
 * fault.h - the places at which a test may stop, fail or end whoever comes by.
 *
 * It knows the names of the places and nothing of what happens there.  Only tests/ includes it, by
 * the compiler's option, into a library of its own that nobody installs: everywhere else
 * GYRE_FAULT is empty (fast.h, sync.h), and tests/process/shipped.sh proves that nothing is left.
 *
 *     GYRE_FAULT(name);             whoever comes by may be ended, stopped or held up here
 *     if (GYRE_FAULT_FAILS(name))   or be told that what comes next has failed
 */
#ifndef GYRE_FAULT_H
#define GYRE_FAULT_H

/* clang-format off */
#define GYRE_FAULT_POINTS(X)                                                                       \
    /* The producer.  payload_half is in the tests: whoever writes the payload is the user. */     \
    X(claim_room) X(claim_header) X(claim_pad) X(payload_half) X(publish_ready)                    \
    X(publish_stored) X(publish_woken) X(wake_taken) X(wake_rung) X(credit_scan)                   \
    X(credit_announced) X(credit_granted) X(room_blocked) X(room_sleep) X(evict_dead)              \
    X(takeover_leased) X(takeover_walked) X(takeover_epoch) X(takeover_active)                     \
    X(close_closed) X(close_woken)                                                  \
    /* The consumer. */                                                                            \
    X(join_leased) X(join_cleared) X(join_choose) X(join_cursor) X(join_active) X(peek_seen)       \
    X(release_ready) X(release_stored) X(sleep_bit) X(sleep_wait) X(sleep_over)                    \
    X(leave_freed) X(leave_awake)                                                                  \
    /* The member of a group. */                                                                   \
    X(group_founded) X(group_bit) X(group_joined) X(claim_tried) X(claim_moved) X(claim_held)      \
    X(group_release) X(group_numbered) X(group_released) X(adopt_leased) X(adopt_done)             \
    X(orphan_freed) X(group_leave) X(group_bequeathed) X(group_ended)                              \
    /* Creation and removal. */                                                                    \
    X(site_locked) X(map_made) X(map_committed) X(header_half) X(ctrl_named) X(data_unnamed)       \
    X(data_named) X(attached) X(remove_begun) X(remove_unnamed) X(remove_bare)
/* clang-format on */

enum gyre__fault {
#define GYRE__FAULT_ENUM(name) GYRE__FAULT_##name,
    GYRE_FAULT_POINTS(GYRE__FAULT_ENUM)
#undef GYRE__FAULT_ENUM
        GYRE__FAULT_COUNT
};

/* The test's.  Returns non-zero if what comes next shall fail; looked at where that can be. */
extern int (*gyre__fault_hook)(enum gyre__fault point);

#define GYRE_FAULT_FAILS(name)                                                                     \
    (gyre__fault_hook != (void *)0 && gyre__fault_hook(GYRE__FAULT_##name) != 0)
#define GYRE_FAULT(name) ((void)GYRE_FAULT_FAILS(name))

#endif
