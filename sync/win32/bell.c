/*
 * bell.c - a sticky wake-up for one waiter: a named auto-reset event.
 *
 * It waits for the bell, the mutex of the peer's role and a timer at once, in this order: when
 * several are there, the bell wins.  What the bell means it does not know.
 */
#include <stdio.h>
#include <stdlib.h>

#include "site.h"

#include <gyre/atomic.h>

#define DOUBT_NS 100000000u

enum gyre_status sync_bell_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_bell *bell, struct gyre_error *error)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];
    char    suffix[24];

    snprintf(suffix, sizeof(suffix), "!bell.%u", (unsigned)which);
    sync_object_name(name, site->scope, site->id, suffix);
    HANDLE event = sync_calls.CreateEventExW(&site->guard.other.attributes, name, 0,
                                             SYNCHRONIZE | EVENT_MODIFY_STATE);
    if (event == NULL)
        return sync_fail_os(error, GetLastError(), "CreateEventExW");
    bell->word = word;
    bell->os = event;
    bell->poll = 0;
    return GYRE_OK;
}

void sync_bell_close(struct sync_bell *bell)
{
    if (bell->os != NULL)
        sync_calls.CloseHandle(bell->os);
    bell->word = NULL;
    bell->os = NULL;
}

void sync_bell_ring(struct sync_bell *bell)
{
    gyre_store_release_32(bell->word, 1);
    sync_calls.SetEvent(bell->os);
}

/*
 * A ring from before this call answers an earlier sleep, and its cause is visible already: the
 * waiter looks again after it has said that it will sleep.  Without the reset each such ring would
 * cost a sleep that ends at once.  The word spares the call where nobody has rung; a ring that is
 * between its two steps just now leaves the event set, and costs one such sleep.
 */
void sync_bell_clear(struct sync_bell *bell)
{
    if (gyre_load_relaxed_32(bell->word) == 0)
        return;
    gyre_store_relaxed_32(bell->word, 0);
    sync_calls.ResetEvent(bell->os);
}

/* The peer is known to be gone: a ring that came before counts first. */
static enum sync_wake rung_or_gone(const HANDLE bells[2], DWORD bell_count)
{
    DWORD woken = sync_calls.WaitForMultipleObjects(bell_count, bells, FALSE, 0);

    return woken < WAIT_OBJECT_0 + bell_count ? SYNC_RUNG : SYNC_PEER_GONE;
}

/*
 * We own the mutex of the peer's role.  A process that is being killed loses it a moment before its
 * last thread is stopped; that moment is slept through, so that nobody is called gone too early.
 */
static bool is_gone(const struct sync_site *site, HANDLE mutex, uint32_t role)
{
    bool is_over = sync_lease_is_over(site, role);

    sync_calls.ReleaseMutex(mutex);
    if (!is_over)
        sync_calls.Sleep(1);
    return is_over;
}

/* Watches the peer if its mutex is known; never reports a timeout early.  bells[1] may be NULL. */
static enum sync_wake wait_for_all(struct sync_site *site, const HANDLE bells[2],
                                   uint32_t peer_role, uint64_t deadline_ns)
{
    HANDLE peer = peer_role != SYNC_ROLE_NONE ? site->peers[peer_role] : NULL;
    HANDLE objects[4] = {bells[0], bells[1], NULL, NULL};
    DWORD  bell_count = bells[1] != NULL ? 2 : 1;

    for (;;) {
        DWORD count = bell_count;
        if (peer != NULL)
            objects[count++] = peer;
        if (sync_clock_arm(&site->timer, deadline_ns))
            objects[count++] = site->timer;
        DWORD woken = sync_calls.WaitForMultipleObjects(count, objects, FALSE,
                                                        sync_clock_ms_until(deadline_ns));
        if (woken < WAIT_OBJECT_0 + bell_count)
            return SYNC_RUNG;
        if (peer != NULL &&
            (woken == WAIT_OBJECT_0 + bell_count || woken == WAIT_ABANDONED_0 + bell_count) &&
            is_gone(site, peer, peer_role))
            return SYNC_PEER_GONE;
        if (woken == WAIT_FAILED) {
            sync_calls.Sleep(1); /* the caller's loop must not burn the processor */
            return SYNC_RUNG;
        }
        if (sync_clock_now_ns() >= deadline_ns)
            return SYNC_TIMED_OUT;
    }
}

enum sync_wake sync_object_wait(struct sync_site *site, const HANDLE bells[2], uint32_t peer_role,
                                uint64_t deadline_ns)
{
    DWORD os_code = ERROR_SUCCESS;

    if (peer_role == SYNC_ROLE_NONE || sync_lease_peer(site, peer_role, &os_code) != NULL)
        return wait_for_all(site, bells, peer_role, deadline_ns);
    if (os_code == ERROR_FILE_NOT_FOUND)
        return rung_or_gone(bells, bells[1] != NULL ? 2 : 1);

    /* The peer cannot be watched just now: do not sleep long on that, ask again. */
    uint64_t slice_ns = sync_clock_now_ns() + DOUBT_NS;
    if (deadline_ns <= slice_ns)
        return wait_for_all(site, bells, SYNC_ROLE_NONE, deadline_ns);
    wait_for_all(site, bells, SYNC_ROLE_NONE, slice_ns);
    return SYNC_RUNG;
}

enum sync_wake sync_bell_wait(struct sync_bell *bell, struct sync_site *site, uint32_t peer_role,
                              uint64_t deadline_ns)
{
    const HANDLE bells[2] = {bell->os, NULL};

    return sync_object_wait(site, bells, peer_role, deadline_ns);
}

enum gyre_status sync_bell_make_pollable(struct sync_site *site, uint32_t which, bool is_waiter,
                                         struct sync_bell *bell, struct gyre_error *error)
{
    (void)site, (void)which, (void)is_waiter, (void)error;
    bell->poll = 1; /* the event is a handle already */
    return GYRE_OK;
}

intptr_t sync_bell_handle(struct sync_bell *bell)
{
    return (intptr_t)bell->os;
}

/*
 * --- many bells: WaitForMultipleObjects takes 64 handles, so each thread watches 63
 * -------------
 */

#define BELLS_PER_THREAD (MAXIMUM_WAIT_OBJECTS - 1)
#define THREADS_MAX 64u
#define OUT_OF_THREADS_MS 2u

struct watch {
    HANDLE objects[MAXIMUM_WAIT_OBJECTS]; /* the end of the wait, then the bells */
    DWORD  count;
    bool   is_rung;
};

/* Whatever ends the wait of one watcher ends it for all. */
static DWORD WINAPI watch_bells(void *argument)
{
    struct watch *watch = argument;
    DWORD woken = sync_calls.WaitForMultipleObjects(watch->count, watch->objects, FALSE, INFINITE);

    watch->is_rung = woken > WAIT_OBJECT_0 && woken < WAIT_OBJECT_0 + watch->count;
    sync_calls.SetEvent(watch->objects[0]);
    return 0;
}

uint32_t sync_bell_many_limit(void)
{
    return UINT32_MAX;
}

/* Starts the watchers; returns how many are running. */
static DWORD start_watchers(struct watch *watches, HANDLE *threads, DWORD thread_count)
{
    for (DWORD i = 0; i < thread_count; i++) {
        threads[i] = sync_calls.CreateThread(NULL, 64 << 10, watch_bells, &watches[i],
                                             STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
        if (threads[i] == NULL)
            return i;
    }
    return thread_count;
}

static enum sync_wake wait_by_threads(struct sync_bell *const *bells, uint32_t count, HANDLE timer,
                                      uint64_t deadline_ns)
{
    DWORD          thread_count = (count + BELLS_PER_THREAD - 1) / BELLS_PER_THREAD;
    HANDLE         threads[THREADS_MAX];
    struct watch  *watches = calloc(thread_count, sizeof(*watches));
    HANDLE         over = sync_calls.CreateEventExW(NULL, NULL, CREATE_EVENT_MANUAL_RESET,
                                                    SYNCHRONIZE | EVENT_MODIFY_STATE);
    HANDLE         ends[2] = {over, timer};
    DWORD          started = 0;
    enum sync_wake woken = SYNC_RUNG;

    if (watches != NULL && over != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            struct watch *watch = &watches[i / BELLS_PER_THREAD];
            watch->objects[0] = over;
            watch->objects[1 + watch->count++] = bells[i]->os;
        }
        for (DWORD i = 0; i < thread_count; i++)
            watches[i].count++;
        started = start_watchers(watches, threads, thread_count);
    }
    if (started != thread_count || over == NULL)
        sync_calls.Sleep(OUT_OF_THREADS_MS); /* the caller looks again; do not burn the processor */
    else if (sync_calls.WaitForMultipleObjects(timer != NULL ? 2 : 1, ends, FALSE,
                                               sync_clock_ms_until(deadline_ns)) != WAIT_OBJECT_0)
        woken = SYNC_TIMED_OUT;
    if (over != NULL)
        sync_calls.SetEvent(over);
    for (DWORD i = 0; i < started; i++) {
        sync_calls.WaitForSingleObject(threads[i], INFINITE);
        sync_calls.CloseHandle(threads[i]);
        if (watches[i].is_rung) /* when the time ran out, perhaps, but the event is reset */
            woken = SYNC_RUNG;
    }
    if (over != NULL)
        sync_calls.CloseHandle(over);
    free(watches);
    return woken;
}

enum sync_wake sync_bell_wait_many(struct sync_bell *const *bells, uint32_t count,
                                   uint64_t deadline_ns)
{
    HANDLE         objects[MAXIMUM_WAIT_OBJECTS];
    HANDLE         timer = NULL;
    DWORD          woken, ms;
    enum sync_wake result;

    if (count > BELLS_PER_THREAD * THREADS_MAX) /* the rest is looked at after a slice */
        count = BELLS_PER_THREAD * THREADS_MAX;
    if (!sync_clock_arm(&timer, deadline_ns) && timer != NULL) {
        sync_calls.CloseHandle(timer);
        timer = NULL;
    }
    if (count > BELLS_PER_THREAD) {
        result = wait_by_threads(bells, count, timer, deadline_ns);
    } else {
        for (uint32_t i = 0; i < count; i++)
            objects[i] = bells[i]->os;
        objects[count] = timer;
        ms = sync_clock_ms_until(deadline_ns);
        woken = sync_calls.WaitForMultipleObjects(timer != NULL ? count + 1 : count, objects, FALSE,
                                                  ms);
        result = woken < WAIT_OBJECT_0 + count ? SYNC_RUNG : SYNC_TIMED_OUT;
        if (woken == WAIT_FAILED)
            sync_calls.Sleep(OUT_OF_THREADS_MS);
    }
    if (timer != NULL)
        sync_calls.CloseHandle(timer);
    return result;
}
