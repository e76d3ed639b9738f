/*
 * placement.c - are two cores near each other, and how to come by others?
 *
 * Where cores are virtual their host moves them, when it likes: rather apart if both are busy, and
 * near each other if one wakes the other, but nothing is certain.  So they do the one or the other,
 * and rest, until L1 says that they are where they are wanted.  Real cores stay where they are.
 */
#include "bench.h"

#define PATIENCE_NS UINT64_C(600000000000)
#define WAKE_COUNT 2500u    /* half a second */
#define TRIP_COUNT 2000000u /* about as long */
#define REST_NS UINT64_C(1000000000)

const char *const placement_names[PLACE_COUNT] = {"near", "far"};

enum placement placement_of(const struct limits_now *now)
{
    return now->word <= NEAR_MOST_NS ? PLACE_NEAR : PLACE_FAR;
}

static int urge(struct session *session, enum placement wanted)
{
    struct job_setup setup = {.size = 8, .consumer_count = 1, .batch = 1};
    double           figures[FIGURE_COUNT];

    if (wanted == PLACE_NEAR) {
        setup.task = JOB_WAKE;
        setup.carrier_idx = carrier_idx(&limit_bell);
        setup.count = WAKE_COUNT;
    } else {
        setup.task = JOB_PING_PONG;
        setup.carrier_idx = carrier_idx(&limit_word);
        setup.count = TRIP_COUNT;
    }
    return measure(session, &setup, figures);
}

int placement_await(struct session *session, struct limits_now *now)
{
    enum placement wanted = session->wanted_place;
    uint64_t       until_ns = host_now_ns() + PATIENCE_NS;

    if (wanted == PLACE_COUNT)
        return 0;
    for (;;) {
        if (measure_limits(session, now) != 0)
            return -1;
        if (placement_of(now) == wanted)
            return 0;
        if (host_now_ns() > until_ns) {
            (void)fflush(stdout);
            (void)fprintf(stderr, "gyre-bench: the cores do not come %s: L1 is %.0f ns\n",
                          wanted == PLACE_NEAR ? "near each other" : "apart", now->word);
            return -1;
        }
        if (urge(session, wanted) != 0)
            return -1;
        if (wanted == PLACE_NEAR)
            host_sleep_ns(REST_NS);
        if (host_is_interrupted())
            return -1;
    }
}
