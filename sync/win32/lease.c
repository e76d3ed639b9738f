/*
 * lease.c - a role held by one handle of one living process: a named mutex and its keeper.
 *
 * A mutex belongs to a thread and is abandoned when that thread ends.  So all mutexes of the
 * process belong to one thread of ours, the keeper, which takes and releases them for whoever asks,
 * and which lives from the first lease to the last.  The mutex is recursive for the keeper; what
 * keeps two handles of one process apart is the keeper's list.
 *
 * The end of a process is not one moment: the keeper may be gone, and its mutexes abandoned, while
 * another thread of the victim still stores.  So the holder also owns an event that it made anew
 * and that nobody else keeps open.  Its name vanishes when the process closes its handles, which it
 * does with its last thread; the next holder waits for that before it believes the mutex.
 *
 * Those who only look (sync_lease_is_free, sync_bell_wait) own the mutex for a moment.  They never
 * run in the keeper, so they see the truth about this process's own leases too.  sync_lease_take
 * waits a little so as not to take such a moment for a holder.
 *
 * Not to be used from DllMain: no thread can start while it runs.  At process exit the system has
 * killed the keeper before a static destructor of a DLL drops its leases; that is noticed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "site.h"

#define LOOK_MS 50u                /* longer than any peer looks at the mutex */
#define LAST_BREATH_NS 1000000000u /* what a dying process may take to end its last thread */
#define ANSWER_MS 50u              /* how often a waiter makes sure that the keeper lives */
#define KEEPER_STACK_SIZE (64u * 1024u)

enum lease_state {
    LEASE_WANTED,   /* the keeper is to take it */
    LEASE_HELD,     /* answer: the keeper has it */
    LEASE_REFUSED,  /* answer: no, see failure; no longer in the list */
    LEASE_UNWANTED, /* the keeper is to release it */
    LEASE_GONE      /* answer: released; no longer in the list */
};

struct lease {
    struct lease     *next;
    struct sync_site *site;
    uint32_t          role;
    enum lease_state  state;
    HANDLE            mutex;
    HANDLE            held; /* the event that lives as long as this process */
    struct gyre_error failure;
};

/* The lock guards all of it, and the `next` and `state` of every lease. */
static struct {
    SRWLOCK            lock;
    CONDITION_VARIABLE errand; /* for the keeper: a lease is wanted or unwanted */
    CONDITION_VARIABLE answer; /* for the others: an errand is done */
    HANDLE             thread; /* NULL: no keeper */
    struct lease      *leases;
} keeper = {SRWLOCK_INIT, CONDITION_VARIABLE_INIT, CONDITION_VARIABLE_INIT, NULL, NULL};

static void role_name(const struct sync_site *site, uint32_t role, const char *ending,
                      wchar_t name[SYNC_OBJECT_NAME_SIZE])
{
    char suffix[32];

    assert(site->id[0] != '\0' && role < SYNC_ROLE_COUNT);
    if (role == SYNC_ROLE_PRODUCER)
        snprintf(suffix, sizeof(suffix), "!producer%s", ending);
    else
        snprintf(suffix, sizeof(suffix), "!seat.%u%s", (unsigned)(role - SYNC_ROLE_SEAT(0)),
                 ending);
    sync_object_name(name, site->scope, site->id, suffix);
}

/* Makes the event that outlives every thread of this process, once a predecessor's has vanished. */
static enum gyre_status plant_held_event(struct lease *lease)
{
    wchar_t  name[SYNC_OBJECT_NAME_SIZE];
    uint64_t deadline_ns = sync_clock_now_ns() + LAST_BREATH_NS;

    role_name(lease->site, lease->role, ".held", name);
    do {
        HANDLE event =
            sync_calls.CreateEventExW(&lease->site->guard.other.attributes, name, 0, SYNCHRONIZE);
        DWORD os_code = GetLastError();
        if (event == NULL)
            return sync_fail_os(&lease->failure, os_code, "CreateEventExW");
        if (os_code != ERROR_ALREADY_EXISTS) {
            lease->held = event;
            return GYRE_OK;
        }
        sync_calls.CloseHandle(event);
        sync_calls.Sleep(1);
    } while (sync_clock_now_ns() < deadline_ns);
    return sync_fail(&lease->failure, GYRE_BUSY, ERROR_ALREADY_EXISTS, "CreateEventExW");
}

/* In the keeper.  An abandoned mutex is as good as a free one. */
static enum gyre_status seize(struct lease *lease)
{
    DWORD woken = sync_calls.WaitForSingleObject(lease->mutex, LOOK_MS);

    if (woken == WAIT_TIMEOUT)
        return sync_fail(&lease->failure, GYRE_BUSY, 0, NULL);
    if (woken != WAIT_OBJECT_0 && woken != WAIT_ABANDONED)
        return sync_fail_os(&lease->failure, GetLastError(), "WaitForSingleObject");
    enum gyre_status status = plant_held_event(lease);
    if (status != GYRE_OK)
        sync_calls.ReleaseMutex(lease->mutex);
    return status;
}

/* In the keeper.  In this order: whoever gets the mutex finds no event left. */
static void release(struct lease *lease)
{
    sync_calls.CloseHandle(lease->held);
    sync_calls.ReleaseMutex(lease->mutex);
}

static struct lease *next_errand(void)
{
    struct lease *lease = keeper.leases;

    while (lease != NULL && lease->state != LEASE_WANTED && lease->state != LEASE_UNWANTED)
        lease = lease->next;
    return lease;
}

static void unlink_lease(struct lease *lease)
{
    struct lease **link = &keeper.leases;

    while (*link != lease)
        link = &(*link)->next;
    *link = lease->next;
}

/* Does one errand without the lock: a lease in one of the two states is the keeper's alone. */
static void do_errand(struct lease *lease)
{
    enum lease_state answer = LEASE_GONE;

    sync_calls.ReleaseSRWLockExclusive(&keeper.lock);
    if (lease->state == LEASE_UNWANTED)
        release(lease);
    else
        answer = seize(lease) == GYRE_OK ? LEASE_HELD : LEASE_REFUSED;
    sync_calls.AcquireSRWLockExclusive(&keeper.lock);
    if (answer != LEASE_HELD)
        unlink_lease(lease);
    lease->state = answer;
    sync_calls.WakeAllConditionVariable(&keeper.answer);
}

/*
 * The keeper.  Nobody joins it: it gives up its handle and, with its last instruction, the hold it
 * has on this module, so that a DLL can be unloaded at any time and a drop never waits for a thread
 * to end, which it cannot while the loader's lock is held.
 */
static DWORD WINAPI keep(void *module)
{
    sync_calls.AcquireSRWLockExclusive(&keeper.lock);
    while (keeper.leases != NULL) {
        struct lease *lease = next_errand();
        if (lease != NULL)
            do_errand(lease);
        else
            sync_calls.SleepConditionVariableSRW(&keeper.errand, &keeper.lock, INFINITE, 0);
    }
    sync_calls.CloseHandle(keeper.thread);
    keeper.thread = NULL;
    sync_calls.ReleaseSRWLockExclusive(&keeper.lock);
    sync_calls.FreeLibraryAndExitThread(module, 0);
    return 0;
}

/* Sleeps until the keeper has answered.  False: the process ends and the keeper is dead. */
static bool await_answer(struct lease *lease, enum lease_state errand)
{
    lease->state = errand;
    sync_calls.WakeConditionVariable(&keeper.errand);
    while (lease->state == errand) {
        if (sync_calls.SleepConditionVariableSRW(&keeper.answer, &keeper.lock, ANSWER_MS, 0))
            continue;
        if (lease->state == errand &&
            sync_calls.WaitForSingleObject(keeper.thread, 0) == WAIT_OBJECT_0) {
            unlink_lease(lease);
            return false;
        }
    }
    return true;
}

static bool is_ours(const struct sync_site *site, uint32_t role)
{
    const struct lease *lease = keeper.leases;

    while (lease != NULL && (lease->role != role || lease->site->ring_id[0] != site->ring_id[0] ||
                             lease->site->ring_id[1] != site->ring_id[1]))
        lease = lease->next;
    return lease != NULL;
}

/* With the lock.  Takes `*module`, the keeper's hold on this module, if it starts a keeper. */
static enum gyre_status start_keeper(HMODULE *module, struct gyre_error *error)
{
    if (keeper.thread != NULL)
        return GYRE_OK;
    keeper.thread = sync_calls.CreateThread(NULL, KEEPER_STACK_SIZE, keep, *module,
                                            STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (keeper.thread == NULL)
        return sync_fail_os(error, GetLastError(), "CreateThread");
    *module = NULL;
    return GYRE_OK;
}

/* With the lock. */
static enum gyre_status ask_keeper(struct lease *lease, HMODULE *module, struct gyre_error *error)
{
    enum gyre_status status;

    if (is_ours(lease->site, lease->role))
        return sync_fail(error, GYRE_BUSY, 0, NULL);
    status = start_keeper(module, error);
    if (status != GYRE_OK)
        return status;
    lease->next = keeper.leases;
    keeper.leases = lease;
    if (!await_answer(lease, LEASE_WANTED))
        return sync_fail(error, GYRE_SYSTEM, 0, "CreateThread");
    if (lease->state == LEASE_HELD)
        return GYRE_OK;
    *error = lease->failure;
    return lease->failure.status;
}

/* The module is asked for before the lock: the loader's lock must never be wanted under ours. */
static enum gyre_status take_with_keeper(struct lease *lease, struct gyre_error *error)
{
    HMODULE          module;
    enum gyre_status status;

    if (!sync_calls.GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                                       (LPCWSTR)(void *)&keeper, &module))
        return sync_fail_os(error, GetLastError(), "GetModuleHandleExW");
    sync_calls.AcquireSRWLockExclusive(&keeper.lock);
    status = ask_keeper(lease, &module, error);
    sync_calls.ReleaseSRWLockExclusive(&keeper.lock);
    if (module != NULL)
        sync_calls.FreeLibrary(module);
    return status;
}

enum gyre_status sync_lease_take(struct sync_site *site, uint32_t role, struct gyre_error *error)
{
    wchar_t          name[SYNC_OBJECT_NAME_SIZE];
    enum gyre_status status;
    struct lease    *lease = calloc(1, sizeof(*lease));

    if (lease == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
    lease->site = site;
    lease->role = role;
    role_name(site, role, "", name);
    lease->mutex = sync_calls.CreateMutexExW(&site->guard.other.attributes, name, 0,
                                             SYNCHRONIZE | MUTEX_MODIFY_STATE);
    if (lease->mutex == NULL) {
        status = sync_fail_os(error, GetLastError(), "CreateMutexExW");
        free(lease);
        return status;
    }
    status = take_with_keeper(lease, error);
    if (status == GYRE_OK)
        return GYRE_OK; /* the list has it now */
    sync_calls.CloseHandle(lease->mutex);
    free(lease);
    return status;
}

static struct lease *find_lease(const struct sync_site *site, uint32_t role)
{
    struct lease *lease = keeper.leases;

    while (lease != NULL &&
           (lease->site != site || (role != SYNC_ROLE_NONE && lease->role != role)))
        lease = lease->next;
    return lease;
}

/* SYNC_ROLE_NONE stands for any role.  False: the site holds no such lease. */
static bool drop(struct sync_site *site, uint32_t role)
{
    sync_calls.AcquireSRWLockExclusive(&keeper.lock);
    struct lease *lease = find_lease(site, role);
    if (lease != NULL && !await_answer(lease, LEASE_UNWANTED))
        sync_calls.CloseHandle(lease->held); /* the mutex died with the keeper */
    sync_calls.ReleaseSRWLockExclusive(&keeper.lock);
    if (lease == NULL)
        return false;
    sync_calls.CloseHandle(lease->mutex);
    free(lease);
    return true;
}

void sync_lease_drop(struct sync_site *site, uint32_t role)
{
    drop(site, role);
}

void sync_lease_drop_all(struct sync_site *site)
{
    while (drop(site, SYNC_ROLE_NONE))
        continue;
}

/*
 * The handle is kept: to look at a role must cost one call.  Two threads may both open it; the one
 * that comes second closes its own.
 */
HANDLE sync_lease_peer(struct sync_site *site, uint32_t role, DWORD *os_code)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];
    HANDLE  known;

    assert(role < SYNC_ROLE_COUNT);
    known = site->peers[role];
    if (known != NULL)
        return known;
    role_name(site, role, "", name);
    HANDLE opened = sync_calls.OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, name);
    if (opened == NULL) {
        *os_code = GetLastError();
        return NULL;
    }
    known = InterlockedCompareExchangePointer(&site->peers[role], opened, NULL);
    if (known == NULL)
        return opened;
    sync_calls.CloseHandle(opened);
    return known;
}

void sync_lease_forget_peers(struct sync_site *site)
{
    for (uint32_t role = 0; role < SYNC_ROLE_COUNT; role++) {
        if (site->peers[role] != NULL)
            sync_calls.CloseHandle(site->peers[role]);
        site->peers[role] = NULL;
    }
}

bool sync_lease_is_over(const struct sync_site *site, uint32_t role)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];

    role_name(site, role, ".held", name);
    HANDLE event = sync_calls.OpenEventW(SYNCHRONIZE, FALSE, name);
    if (event == NULL)
        return GetLastError() == ERROR_FILE_NOT_FOUND;
    sync_calls.CloseHandle(event);
    return false;
}

/* One call while the role is held, which is when it matters. */
bool sync_lease_is_free(struct sync_site *site, uint32_t role)
{
    DWORD  os_code = ERROR_SUCCESS;
    HANDLE mutex = sync_lease_peer(site, role, &os_code);

    if (mutex == NULL)
        return os_code == ERROR_FILE_NOT_FOUND; /* every holder has the mutex open */
    DWORD woken = sync_calls.WaitForSingleObject(mutex, 0);
    if (woken != WAIT_OBJECT_0 && woken != WAIT_ABANDONED)
        return false;
    bool is_free = sync_lease_is_over(site, role);
    sync_calls.ReleaseMutex(mutex);
    return is_free;
}
