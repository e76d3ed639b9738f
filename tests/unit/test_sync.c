/*
 * test_sync.c - the contract of sync.h, the same file for both systems.  Where the contract lets
 * them differ, the expectation does.  What takes a second process (deaths, the site's lock) is in
 * process/.
 */
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#include <sys/resource.h>
#endif

#include "ring_dir.h"
#include "scenario.h"
#include "sync.h"

#define MS UINT64_C(1000000)
#define DATA_SIZE UINT64_C(8192)
#define CTRL_SIZE UINT64_C(5000) /* no whole number of pages */

static struct sync_site *open_site(const char *name, enum sync_site_mode mode)
{
    struct sync_site *site = NULL;
    struct gyre_error error;

    CHECK_EQ(sync_site_open(name, mode, &site, &error), GYRE_OK);
    CHECK(site != NULL);
    return site;
}

/* A place with both objects, as a creator leaves it; its handle is attached. */
struct place {
    const char       *name;
    struct sync_site *site;
    struct sync_map   data;
    struct sync_map   ctrl;
};

static struct place make_place(void)
{
    struct place      place;
    struct gyre_error error;
    bool              is_new = false;

    memset(&place, 0, sizeof(place));
    place.name = ring_dir_name();
    place.site = open_site(place.name, SYNC_SITE_CREATE);
    CHECK_EQ(sync_site_lock(place.site, &error), GYRE_OK);
    CHECK_EQ(sync_map_obtain(place.site, SYNC_DATA, DATA_SIZE, &place.data, &is_new, &error),
             GYRE_OK);
    CHECK(is_new);
    /* Different rings have different identities. */
    CHECK_EQ(sync_host_random(place.data.base, &error), GYRE_OK);
    CHECK_EQ(sync_site_identify(place.site, place.data.base, &error), GYRE_OK);
    CHECK_EQ(sync_map_obtain(place.site, SYNC_CTRL, CTRL_SIZE, &place.ctrl, &is_new, &error),
             GYRE_OK);
    CHECK(is_new);
    CHECK_EQ(sync_map_publish(place.site, SYNC_CTRL, &place.ctrl, &error), GYRE_OK);
    CHECK_EQ(sync_map_publish(place.site, SYNC_DATA, &place.data, &error), GYRE_OK);
    CHECK_EQ(sync_site_attach(place.site, &error), GYRE_OK);
    sync_site_unlock(place.site);
    return place;
}

/* Another handle of the same place, identified and attached. */
static struct place join_place(const struct place *there)
{
    struct place      place;
    struct gyre_error error;

    memset(&place, 0, sizeof(place));
    place.name = there->name;
    place.site = open_site(place.name, SYNC_SITE_JOIN);
    CHECK_EQ(sync_site_lock(place.site, &error), GYRE_OK);
    CHECK_EQ(sync_map_open(place.site, SYNC_DATA, false, &place.data, &error), GYRE_OK);
    CHECK_EQ(sync_site_identify(place.site, place.data.base, &error), GYRE_OK);
    CHECK_EQ(sync_map_open(place.site, SYNC_CTRL, true, &place.ctrl, &error), GYRE_OK);
    CHECK_EQ(sync_site_attach(place.site, &error), GYRE_OK);
    sync_site_unlock(place.site);
    return place;
}

static void leave_place(struct place *place)
{
    sync_map_close(&place->ctrl);
    sync_map_close(&place->data);
    sync_site_leave(place->site, false);
    sync_site_close(place->site);
}

/* --- failures --------------------------------------------------------------------------------- */

SCENARIO(sync, fail_records_what_it_is_told)
{
    struct gyre_error error = {GYRE_OK, 0, NULL, NULL};

    CHECK_EQ(sync_fail(&error, GYRE_DENIED, 13, "open"), GYRE_DENIED);
    CHECK_EQ(error.status, GYRE_DENIED);
    CHECK_EQ(error.os_code, 13);
    CHECK_STR(error.call, "open");
}

/* --- site ------------------------------------------------------------------------------------- */

SCENARIO(sync, a_site_that_was_never_made_is_not_found)
{
    const char       *name = ring_dir_name();
    struct sync_site *site = NULL;
    struct sync_map   map = {NULL, 0, 0};
    struct gyre_error error;
    enum gyre_status  status;

    CHECK_EQ(sync_site_open(name, SYNC_SITE_JOIN, &site, &error), GYRE_NOT_FOUND);
    CHECK(site == NULL);
    status = sync_site_open(name, SYNC_SITE_LOOK, &site, &error);
    if (status == GYRE_OK) /* a looker may learn it with the first object */
        status = sync_map_open(site, SYNC_DATA, false, &map, &error);
    CHECK_EQ(status, GYRE_NOT_FOUND);
    CHECK(map.base == NULL);
    sync_site_close(site);
    sync_site_close(NULL);
}

SCENARIO(sync, a_lock_can_be_taken_again_and_again)
{
    struct place      place = make_place();
    struct gyre_error error;

    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQ(sync_site_lock(place.site, &error), GYRE_OK);
        sync_site_unlock(place.site);
    }
    leave_place(&place);
}

SCENARIO(sync, a_discarded_site_leaves_nothing)
{
    const char       *name = ring_dir_name();
    struct sync_site *site = open_site(name, SYNC_SITE_CREATE);
    struct sync_site *other = NULL;
    struct gyre_error error;

    CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
    sync_site_unlock(site);
    sync_site_discard(site);
    sync_site_close(site);
    CHECK_EQ(sync_site_open(name, SYNC_SITE_JOIN, &other, &error), GYRE_NOT_FOUND);
}

SCENARIO(sync, a_discard_spares_a_ring_that_exists)
{
    struct place      place = make_place();
    struct sync_site *site = open_site(place.name, SYNC_SITE_CREATE);
    struct place      other;

    sync_site_discard(site);
    sync_site_close(site);
    other = join_place(&place);
    leave_place(&other);
    leave_place(&place);
}

SCENARIO(sync, the_last_to_leave_removes_the_objects)
{
    struct place      place = make_place();
    struct place      other = join_place(&place);
    struct sync_site *site = NULL;
    struct gyre_error error;

    leave_place(&place);
    place = join_place(&other); /* still there */
    leave_place(&other);
    leave_place(&place);
    CHECK_EQ(sync_site_open(place.name, SYNC_SITE_JOIN, &site, &error), GYRE_NOT_FOUND);
}

SCENARIO(sync, a_ring_in_use_is_not_removed)
{
    struct place      place = make_place();
    struct sync_site *site = open_site(place.name, SYNC_SITE_JOIN);
    struct gyre_error error;
    struct place      other;

    CHECK_EQ(sync_site_remove(site, false, &error), GYRE_BUSY);
    CHECK(sync_site_is_named(place.site));
    other = join_place(&place); /* and none the worse for it */
    leave_place(&other);
#ifdef _WIN32
    CHECK_EQ(sync_site_remove(site, true, &error), GYRE_BUSY);
    sync_site_close(site);
    leave_place(&place);
#else
    CHECK_EQ(sync_site_remove(site, true, &error), GYRE_OK);
    CHECK(!sync_site_is_named(place.site));
    sync_site_close(site);
    site = NULL;
    CHECK_EQ(sync_site_open(place.name, SYNC_SITE_JOIN, &site, &error), GYRE_NOT_FOUND);
    ((unsigned char *)place.data.base)[9] = 1; /* who has it mapped keeps it */
    leave_place(&place);
#endif
}

struct search {
    const char *name;
    uint32_t    found;
    uint32_t    visits;
};

static int visit(const char *name, void *context)
{
    struct search *search = context;

    search->visits++;
    search->found += strcmp(name, search->name) == 0;
    return 0;
}

SCENARIO(sync, list_visits_each_ring_once)
{
    struct place      first = make_place();
    struct place      second = make_place();
    struct search     search = {first.name, 0, 0};
    struct gyre_error error;

    CHECK_EQ(sync_site_list(visit, &search, &error), GYRE_OK);
    CHECK_EQ(search.found, 1);
    CHECK(search.visits >= 2);
    leave_place(&first);
    search.found = 0;
    CHECK_EQ(sync_site_list(visit, &search, &error), GYRE_OK);
    CHECK_EQ(search.found, 0);
    leave_place(&second);
}

/* --- map -------------------------------------------------------------------------------------- */

SCENARIO(sync, a_new_object_is_zero_and_at_least_as_large_as_asked)
{
    struct place         place = make_place();
    const unsigned char *bytes = place.ctrl.base;

    CHECK(place.data.size >= DATA_SIZE);
    CHECK(place.ctrl.size >= CTRL_SIZE);
    CHECK_EQ((uintptr_t)place.data.base % 4096, 0);
    for (uint64_t i = 0; i < place.ctrl.size; i++)
        CHECK(bytes[i] == 0);
    memset(place.ctrl.base, 0xff, (size_t)place.ctrl.size); /* all of it is memory */
    leave_place(&place);
}

SCENARIO(sync, an_object_is_shown_with_the_rights_that_were_asked_for)
{
    struct place      place = make_place();
    struct sync_site *looker = open_site(place.name, SYNC_SITE_LOOK);
    struct sync_site *writer = open_site(place.name, SYNC_SITE_JOIN);
    struct sync_map   read = {NULL, 0, 0}, write = {NULL, 0, 0};
    struct gyre_error error;

    CHECK_EQ(sync_map_open(looker, SYNC_DATA, false, &read, &error), GYRE_OK);
    CHECK_EQ(sync_map_open(writer, SYNC_DATA, true, &write, &error), GYRE_OK);
    CHECK_EQ(read.size, place.data.size);
    for (uint32_t i = 100; i < DATA_SIZE; i += 777) {
        ((unsigned char *)write.base)[i] = (unsigned char)i;
        CHECK_EQ(((const unsigned char *)read.base)[i], (unsigned char)i);
        CHECK_EQ(((const unsigned char *)place.data.base)[i], (unsigned char)i);
    }
    sync_map_close(&write);
    sync_map_close(&read);
    CHECK(read.base == NULL);
    sync_map_close(&read); /* allowed */
    sync_site_close(writer);
    sync_site_close(looker);
    leave_place(&place);
}

SCENARIO(sync, a_touched_object_stays_as_it_is)
{
    struct place      place = make_place();
    struct sync_site *looker = open_site(place.name, SYNC_SITE_LOOK);
    struct sync_map   read = {NULL, 0, 0};
    unsigned char    *bytes = place.data.base;
    struct gyre_error error;

    for (uint32_t i = 0; i < place.data.size; i++)
        bytes[i] = (unsigned char)(i * 7 + 1);
    CHECK_EQ(sync_map_open(looker, SYNC_DATA, false, &read, &error), GYRE_OK);
    sync_map_prefault(&place.data, true);
    sync_map_prefault(&read, false);
    for (uint32_t i = 0; i < place.data.size; i++)
        CHECK_EQ(bytes[i], (unsigned char)(i * 7 + 1));
    sync_map_close(&read);
    sync_site_close(looker);
    leave_place(&place);
}

#ifdef __linux__

#define TOUCHED_SIZE (UINT64_C(256) * 4096)

static uint64_t page_faults(void)
{
    struct rusage usage;

    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)usage.ru_minflt;
}

SCENARIO(sync, the_pages_of_a_touched_object_are_there)
{
    void *base =
        mmap(NULL, TOUCHED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sync_map map = {base, TOUCHED_SIZE, 0};
    uint64_t        faults;

    CHECK(base != MAP_FAILED);
    faults = page_faults();
    sync_map_prefault(&map, true);
    CHECK(page_faults() != faults);
    faults = page_faults();
    for (uint64_t off = 0; off < TOUCHED_SIZE; off += 8)
        *(volatile uint64_t *)(void *)((unsigned char *)base + off) = off;
    CHECK(page_faults() - faults < 128); /* 256, if they were not; some are a sanitizer's */
    CHECK_EQ(munmap(base, TOUCHED_SIZE), 0);
}

#endif

SCENARIO(sync, an_object_that_exists_is_obtained_as_it_is)
{
    struct place      place = make_place();
    struct sync_site *site = open_site(place.name, SYNC_SITE_CREATE);
    struct sync_map   map = {NULL, 0, 0};
    struct gyre_error error;
    bool              is_new = true;

    ((unsigned char *)place.data.base)[1000] = 77;
    CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
    CHECK_EQ(sync_map_obtain(site, SYNC_DATA, 2 * DATA_SIZE, &map, &is_new, &error), GYRE_OK);
    CHECK(!is_new);
    CHECK_EQ(map.size, place.data.size);
    CHECK_EQ(((unsigned char *)map.base)[1000], 77);
    sync_map_close(&map);
    sync_site_unlock(site);
    sync_site_close(site);
    leave_place(&place);
}

SCENARIO(sync, an_object_that_is_not_published_is_lost_with_its_maker)
{
    const char       *name = ring_dir_name();
    struct sync_site *site = open_site(name, SYNC_SITE_CREATE);
    struct sync_map   map = {NULL, 0, 0};
    struct gyre_error error;
    bool              is_new = false;

    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
        CHECK_EQ(sync_map_obtain(site, SYNC_DATA, DATA_SIZE, &map, &is_new, &error), GYRE_OK);
        CHECK(is_new);
        CHECK_EQ(((unsigned char *)map.base)[10], 0);
        ((unsigned char *)map.base)[10] = 1;
        sync_map_close(&map);
        sync_site_unlock(site);
    }
    sync_site_discard(site);
    sync_site_close(site);
}

SCENARIO(sync, more_memory_than_there_is_is_refused_at_creation)
{
    struct sync_site *site = open_site(ring_dir_name(), SYNC_SITE_CREATE);
    struct sync_map   map = {NULL, 0, 0};
    struct gyre_error error;
    bool              is_new = false;
    enum gyre_status  status;

    CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
    status = sync_map_obtain(site, SYNC_DATA, UINT64_C(1) << 46, &map, &is_new, &error);
    CHECK_EQ(status, GYRE_NO_MEMORY);
    CHECK(error.call != NULL);
    CHECK(map.base == NULL);
    sync_site_unlock(site);
    sync_site_discard(site);
    sync_site_close(site);
}

/* --- lease ------------------------------------------------------------------------------------ */

SCENARIO(sync, a_role_has_one_holder)
{
    static const uint32_t roles[] = {SYNC_ROLE_PRODUCER, SYNC_ROLE_SEAT(0), SYNC_ROLE_SEAT(1),
                                     SYNC_ROLE_SEAT(254)};
    struct place          one = make_place();
    struct place          two = join_place(&one);
    struct gyre_error     error;

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        CHECK(sync_lease_is_free(two.site, roles[i])); /* whatever the roles before it */
        CHECK_EQ(sync_lease_take(one.site, roles[i], &error), GYRE_OK);
        CHECK_EQ(sync_lease_take(two.site, roles[i], &error), GYRE_BUSY);
        CHECK(!sync_lease_is_free(two.site, roles[i]));
    }
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        sync_lease_drop(one.site, roles[i]);
        CHECK(sync_lease_is_free(two.site, roles[i]));
        CHECK_EQ(sync_lease_take(two.site, roles[i], &error), GYRE_OK);
        CHECK(!sync_lease_is_free(one.site, roles[i]));
    }
    sync_lease_drop(one.site, roles[0]); /* not ours: nothing happens */
    CHECK(!sync_lease_is_free(one.site, roles[0]));
    leave_place(&two);
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) /* closing the site ends them */
        CHECK(sync_lease_is_free(one.site, roles[i]));
    leave_place(&one);
}

SCENARIO(sync, a_looker_sees_who_holds_a_role)
{
    struct place      place = make_place();
    struct sync_site *looker = open_site(place.name, SYNC_SITE_LOOK);
    struct gyre_error error;

    CHECK_EQ(sync_site_identify(looker, place.data.base, &error), GYRE_OK);
    CHECK(sync_lease_is_free(looker, SYNC_ROLE_PRODUCER));
    CHECK_EQ(sync_lease_take(place.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    CHECK(!sync_lease_is_free(looker, SYNC_ROLE_PRODUCER));
    CHECK(sync_lease_is_free(looker, SYNC_ROLE_SEAT(3)));
    sync_lease_drop(place.site, SYNC_ROLE_PRODUCER);
    CHECK(sync_lease_is_free(looker, SYNC_ROLE_PRODUCER));
    sync_site_close(looker);
    leave_place(&place);
}

SCENARIO(sync, roles_of_different_rings_are_different)
{
    struct place      one = make_place();
    struct place      two = make_place();
    struct gyre_error error;

    CHECK_EQ(sync_lease_take(one.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    CHECK_EQ(sync_lease_take(two.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    leave_place(&two);
    leave_place(&one);
}

SCENARIO(sync, a_wait_for_a_role_ends_when_it_is_free_or_the_time_is_up)
{
    struct place      one = make_place();
    struct place      two = join_place(&one);
    struct gyre_error error;
    uint64_t          deadline = sync_clock_now_ns() + 20 * MS;
    enum gyre_status  status;

    CHECK_EQ(sync_lease_wait(two.site, SYNC_ROLE_PRODUCER, 0), GYRE_OK); /* never taken */
    CHECK_EQ(sync_lease_take(one.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    CHECK_EQ(sync_lease_wait(two.site, SYNC_ROLE_PRODUCER, 0), GYRE_TIMEOUT);
    while ((status = sync_lease_wait(two.site, SYNC_ROLE_PRODUCER, deadline)) == GYRE_OK)
        CHECK(sync_clock_now_ns() < deadline + 10000 * MS); /* "perhaps for no reason" */
    CHECK_EQ(status, GYRE_TIMEOUT);
    CHECK(sync_clock_now_ns() >= deadline);
    CHECK_EQ(sync_lease_take(two.site, SYNC_ROLE_PRODUCER, &error), GYRE_BUSY);
    sync_lease_drop(one.site, SYNC_ROLE_PRODUCER);
    CHECK_EQ(sync_lease_wait(two.site, SYNC_ROLE_PRODUCER, UINT64_MAX), GYRE_OK);
    CHECK_EQ(sync_lease_take(two.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    leave_place(&two);
    leave_place(&one);
}

/* --- bell ------------------------------------------------------------------------------------- */

struct bells {
    struct place     waiter, ringer;
    struct sync_bell ours, theirs;
};

static struct bells hang_bells(uint32_t which)
{
    struct bells      bells;
    struct gyre_error error;

    memset(&bells, 0, sizeof(bells));
    bells.waiter = make_place();
    bells.ringer = join_place(&bells.waiter);
    CHECK_EQ(sync_bell_open(bells.waiter.site, which, bells.waiter.ctrl.base, &bells.ours, &error),
             GYRE_OK);
    CHECK_EQ(
        sync_bell_open(bells.ringer.site, which, bells.ringer.ctrl.base, &bells.theirs, &error),
        GYRE_OK);
    return bells;
}

static void take_bells_down(struct bells *bells)
{
    sync_bell_close(&bells->theirs);
    sync_bell_close(&bells->ours);
    leave_place(&bells->ringer);
    leave_place(&bells->waiter);
}

static enum sync_wake wait_on(struct bells *bells, uint32_t peer, uint64_t deadline)
{
    return sync_bell_wait(&bells->ours, bells->waiter.site, peer, deadline);
}

SCENARIO(sync, a_ring_before_the_wait_ends_it_at_once)
{
    struct bells bells = hang_bells(SYNC_BELL_SEAT(3));

    sync_bell_ring(&bells.theirs);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
    sync_bell_clear(&bells.ours);
    sync_bell_ring(&bells.theirs);
    sync_bell_ring(&bells.theirs);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
    take_bells_down(&bells);
}

SCENARIO(sync, a_wait_ends_at_its_deadline_and_not_before)
{
    struct bells bells = hang_bells(SYNC_BELL_ROOM);

    for (uint64_t ms = 0; ms <= 40; ms += 8) {
        uint64_t       deadline = sync_clock_now_ns() + ms * MS;
        enum sync_wake woken;
        while ((woken = wait_on(&bells, SYNC_ROLE_NONE, deadline)) == SYNC_RUNG)
            CHECK(sync_clock_now_ns() < deadline + 10000 * MS); /* "perhaps for no reason" */
        CHECK_EQ(woken, SYNC_TIMED_OUT);
        CHECK(sync_clock_now_ns() >= deadline);
    }
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, 0), SYNC_TIMED_OUT);
    take_bells_down(&bells);
}

SCENARIO(sync, clear_forgets_earlier_rings)
{
    struct bells bells = hang_bells(SYNC_BELL_SEAT(0));

    sync_bell_ring(&bells.theirs);
    sync_bell_ring(&bells.ours); /* the waiter's own thread may ring, too: an interrupt */
    sync_bell_clear(&bells.ours);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    sync_bell_ring(&bells.ours);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
    take_bells_down(&bells);
}

SCENARIO(sync, bells_of_different_seats_are_different)
{
    struct bells      bells = hang_bells(SYNC_BELL_SEAT(0));
    struct sync_bell  other = {0};
    struct gyre_error error;

    CHECK_EQ(sync_bell_open(bells.ringer.site, SYNC_BELL_SEAT(1),
                            (uint32_t *)bells.ringer.ctrl.base + 32, &other, &error),
             GYRE_OK);
    sync_bell_ring(&other);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    sync_bell_close(&other);
    take_bells_down(&bells);
}

SCENARIO(sync, a_wait_ends_when_its_peer_is_gone)
{
    struct bells      bells = hang_bells(SYNC_BELL_SEAT(0));
    struct gyre_error error;
    uint64_t          begin;

    CHECK_EQ(sync_lease_take(bells.ringer.site, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_PRODUCER, sync_clock_now_ns() + 150 * MS), SYNC_TIMED_OUT);
    sync_lease_drop(bells.ringer.site, SYNC_ROLE_PRODUCER);
    begin = sync_clock_now_ns();
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_PRODUCER, UINT64_MAX), SYNC_PEER_GONE);
    CHECK(sync_clock_now_ns() - begin <
          3000 * MS);              /* 100 ms, on a machine that is not overloaded */
    sync_bell_ring(&bells.theirs); /* its last words come first */
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_PRODUCER, UINT64_MAX), SYNC_RUNG);
    take_bells_down(&bells);
}

/* --- gate ------------------------------------------------------------------------------------- */

struct gates {
    struct bells     bells; /* the waiter's own bell, and the same in the poster's hands */
    struct sync_gate ours, theirs;
};

static struct gates set_gates(void)
{
    struct gates      gates;
    struct gyre_error error;

    memset(&gates, 0, sizeof(gates));
    gates.bells = hang_bells(SYNC_BELL_SEAT(5));
    CHECK_EQ(sync_gate_open(gates.bells.waiter.site, 9,
                            (uint32_t *)gates.bells.waiter.ctrl.base + 32, &gates.ours, &error),
             GYRE_OK);
    CHECK_EQ(sync_gate_open(gates.bells.ringer.site, 9,
                            (uint32_t *)gates.bells.ringer.ctrl.base + 32, &gates.theirs, &error),
             GYRE_OK);
    return gates;
}

static void take_gates_down(struct gates *gates)
{
    sync_gate_close(&gates->theirs);
    sync_gate_close(&gates->ours);
    take_bells_down(&gates->bells);
}

static enum sync_wake pass(struct gates *gates, uint32_t peer, uint64_t deadline)
{
    return sync_gate_wait(&gates->ours, &gates->bells.ours, gates->bells.waiter.site, peer,
                          deadline);
}

SCENARIO(sync, each_permit_lets_one_through)
{
    struct gates gates = set_gates();

    CHECK_EQ(sync_gate_permits(&gates.ours), 0);
    sync_gate_post(&gates.theirs, 3);
    CHECK_EQ(sync_gate_permits(&gates.ours), 3);
    for (uint32_t left = 3; left > 0; left--) {
        CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
        CHECK_EQ(sync_gate_permits(&gates.theirs), left - 1);
    }
    CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, 0), SYNC_TIMED_OUT);
    take_gates_down(&gates);
}

SCENARIO(sync, a_wait_at_a_gate_ends_at_its_deadline_and_not_before)
{
    struct gates gates = set_gates();

    for (uint64_t ms = 8; ms <= 40; ms += 8) {
        uint64_t       deadline = sync_clock_now_ns() + ms * MS;
        enum sync_wake woken;
        while ((woken = pass(&gates, SYNC_ROLE_NONE, deadline)) == SYNC_RUNG)
            CHECK(sync_clock_now_ns() < deadline + 10000 * MS); /* "perhaps for no reason" */
        CHECK_EQ(woken, SYNC_TIMED_OUT);
        CHECK(sync_clock_now_ns() >= deadline);
    }
    take_gates_down(&gates);
}

SCENARIO(sync, a_gate_keeps_so_many_permits_and_no_more)
{
    struct gates gates = set_gates();

    sync_gate_post(&gates.theirs, SYNC_GATE_PERMITS_MAX - 2);
    sync_gate_post(&gates.theirs, 5);
    CHECK_EQ(sync_gate_permits(&gates.ours), SYNC_GATE_PERMITS_MAX);
    sync_gate_post(&gates.theirs, 1);
    for (uint32_t i = 0; i < SYNC_GATE_PERMITS_MAX; i++)
        CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, 0), SYNC_RUNG);
    CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, 0), SYNC_TIMED_OUT);
    take_gates_down(&gates);
}

SCENARIO(sync, who_waits_at_a_gate_hears_its_own_bell_and_takes_no_permit_for_it)
{
    struct gates gates = set_gates();

    sync_gate_ring_bell(&gates.theirs, &gates.bells.theirs);
    CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
    sync_bell_clear(&gates.bells.ours);
    CHECK_EQ(sync_gate_permits(&gates.ours), 0);
    CHECK_EQ(pass(&gates, SYNC_ROLE_NONE, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    take_gates_down(&gates);
}

SCENARIO(sync, a_wait_at_a_gate_ends_when_its_peer_is_gone)
{
    struct gates      gates = set_gates();
    struct sync_site *theirs = gates.bells.ringer.site;
    struct gyre_error error;

    CHECK_EQ(sync_lease_take(theirs, SYNC_ROLE_PRODUCER, &error), GYRE_OK);
    CHECK_EQ(pass(&gates, SYNC_ROLE_PRODUCER, sync_clock_now_ns() + 150 * MS), SYNC_TIMED_OUT);
    sync_lease_drop(theirs, SYNC_ROLE_PRODUCER);
    CHECK_EQ(pass(&gates, SYNC_ROLE_PRODUCER, UINT64_MAX), SYNC_PEER_GONE);
    sync_gate_post(&gates.theirs, 1); /* its last words come first */
    CHECK_EQ(pass(&gates, SYNC_ROLE_PRODUCER, UINT64_MAX), SYNC_RUNG);
    take_gates_down(&gates);
}

SCENARIO(sync, one_who_holds_the_site_keeps_others_off)
{
    struct bells      two = hang_bells(SYNC_BELL_SEAT(0));
    struct gyre_error error;

    CHECK_EQ(sync_site_hold(two.waiter.site, false, &error), GYRE_OK);
#ifndef _WIN32 /* there a thread may hold its mutex twice; other processes are in process/ */
    CHECK_EQ(sync_site_hold(two.ringer.site, false, &error), GYRE_BUSY);
#endif
    sync_site_unlock(two.waiter.site);
    CHECK_EQ(sync_site_hold(two.ringer.site, true, &error), GYRE_OK);
    sync_site_unlock(two.ringer.site);
    CHECK_EQ(sync_site_lock(two.waiter.site, &error), GYRE_OK);
    sync_site_unlock(two.waiter.site);
    take_bells_down(&two);
}

/* --- many bells ------------------------------------------------------------------------------- */

SCENARIO(sync, one_wait_watches_many_bells)
{
    struct bells      one = hang_bells(SYNC_BELL_SEAT(0));
    struct bells      two = hang_bells(SYNC_BELL_SEAT(7));
    struct sync_bell *both[2] = {&one.ours, &two.ours};

    CHECK(sync_bell_many_limit() >= 2);
    CHECK_EQ(sync_bell_wait_many(both, 2, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    sync_bell_ring(&two.theirs);
    CHECK_EQ(sync_bell_wait_many(both, 2, UINT64_MAX), SYNC_RUNG);
    sync_bell_clear(&one.ours);
    sync_bell_clear(&two.ours);
    CHECK_EQ(sync_bell_wait_many(both, 2, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    sync_bell_ring(&one.theirs);
    CHECK_EQ(sync_bell_wait_many(both, 2, UINT64_MAX), SYNC_RUNG);
    take_bells_down(&two);
    take_bells_down(&one);
}

SCENARIO(sync, a_pollable_bell_still_rings)
{
    struct bells      bells = hang_bells(SYNC_BELL_SEAT(2));
    struct gyre_error error;

    CHECK_EQ(
        sync_bell_make_pollable(bells.waiter.site, SYNC_BELL_SEAT(2), true, &bells.ours, &error),
        GYRE_OK);
    CHECK_EQ(
        sync_bell_make_pollable(bells.ringer.site, SYNC_BELL_SEAT(2), false, &bells.theirs, &error),
        GYRE_OK);
    CHECK(sync_bell_handle(&bells.ours) != -1);
    for (uint32_t i = 0; i < 100; i++) {
        sync_bell_clear(&bells.ours);
        sync_bell_ring(&bells.theirs);
        CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, UINT64_MAX), SYNC_RUNG);
    }
    sync_bell_clear(&bells.ours);
    CHECK_EQ(wait_on(&bells, SYNC_ROLE_NONE, sync_clock_now_ns() + 5 * MS), SYNC_TIMED_OUT);
    take_bells_down(&bells);
}

/* --- birth ------------------------------------------------------------------------------------ */

SCENARIO(sync, a_birth_that_does_not_come_ends_at_the_deadline)
{
    struct sync_birth *birth = NULL;
    struct gyre_error  error;
    uint64_t           deadline = sync_clock_now_ns() + 20 * MS;

    CHECK_EQ(sync_birth_open(ring_dir_name(), &birth, &error), GYRE_OK);
    while (sync_birth_wait(birth, deadline) == GYRE_OK)
        CHECK(sync_clock_now_ns() < deadline + 10000 * MS);
    CHECK(sync_clock_now_ns() >= deadline);
    CHECK_EQ(sync_birth_wait(birth, 0), GYRE_TIMEOUT);
    sync_birth_close(birth);
    sync_birth_close(NULL);
}

SCENARIO(sync, a_birth_before_the_wait_ends_it_at_once)
{
    const char        *name = ring_dir_name();
    struct sync_birth *birth = NULL;
    struct sync_site  *site;
    struct sync_map    map = {NULL, 0, 0};
    struct gyre_error  error;
    bool               is_new = false;
    uint64_t           begin;

    CHECK_EQ(sync_birth_open(name, &birth, &error), GYRE_OK);
    site = open_site(name, SYNC_SITE_CREATE);
    CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
    CHECK_EQ(sync_map_obtain(site, SYNC_DATA, DATA_SIZE, &map, &is_new, &error), GYRE_OK);
    CHECK_EQ(sync_map_publish(site, SYNC_DATA, &map, &error), GYRE_OK);
    sync_site_unlock(site);
    begin = sync_clock_now_ns();
    CHECK_EQ(sync_birth_wait(birth, UINT64_MAX), GYRE_OK);
    CHECK(sync_clock_now_ns() - begin < 90 * MS); /* less than any slice */
    sync_map_close(&map);
    CHECK_EQ(sync_site_lock(site, &error), GYRE_OK);
    CHECK_EQ(sync_site_attach(site, &error), GYRE_OK);
    sync_site_unlock(site);
    sync_site_leave(site, false);
    sync_site_close(site);
    sync_birth_close(birth);
}

/* --- barrier, clock, host --------------------------------------------------------------------- */

SCENARIO(sync, the_barrier_exists_or_refuses)
{
    if (!sync_barrier_exists()) {
        CHECK(!sync_barrier_remote());
        return;
    }
    if (!sync_barrier_register())
        SKIP_SCENARIO("this sandbox refuses membarrier");
    CHECK(sync_barrier_register()); /* once more does no harm */
    CHECK(sync_barrier_remote());
}

SCENARIO(sync, the_clock_never_goes_back)
{
    uint64_t last = sync_clock_now_ns();
    uint64_t steps = 0;

    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t now = sync_clock_now_ns();
        CHECK(now >= last);
        steps += now != last;
        last = now;
    }
    CHECK(steps > 1000); /* far finer than a scheduler's tick */
}

SCENARIO(sync, a_sleep_lasts_until_its_deadline)
{
    for (uint64_t ms = 0; ms <= 12; ms += 3) {
        uint64_t deadline = sync_clock_now_ns() + ms * MS;
        while (sync_clock_now_ns() < deadline) /* a signal may end it early */
            sync_clock_sleep_until(deadline);
        CHECK(sync_clock_now_ns() < deadline + 3000 * MS);
    }
    sync_clock_sleep_until(0);
}

SCENARIO(sync, the_wall_clock_tells_this_century)
{
    uint64_t wall = sync_clock_wall_ns();

    CHECK(wall > UINT64_C(1700000000) * 1000 * MS);
    CHECK(wall < UINT64_C(4100000000) * 1000 * MS);
}

SCENARIO(sync, random_words_differ)
{
    uint64_t          words[64][2];
    struct gyre_error error;

    for (uint32_t i = 0; i < 64; i++) {
        CHECK_EQ(sync_host_random(words[i], &error), GYRE_OK);
        CHECK(words[i][0] != words[i][1]);
        for (uint32_t j = 0; j < i; j++)
            CHECK(words[i][0] != words[j][0] && words[i][1] != words[j][1]);
    }
}

SCENARIO(sync, a_process_has_a_number_and_a_lock)
{
    CHECK(sync_host_process_id() != 0);
    CHECK_EQ(sync_host_process_id(), sync_host_process_id());
    sync_host_lock();
    sync_host_unlock();
    sync_host_lock();
    sync_host_unlock();
}
