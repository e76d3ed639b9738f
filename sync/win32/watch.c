/*
 * watch.c - to be told of a death: whoever waits for the mutex of a role gets it.
 */
#include "site.h"

#define SLICE_NS UINT64_C(1000000000)

/* Owns the mutex for a moment, as everybody does who looks. */
enum gyre_status sync_lease_wait(struct sync_site *site, uint32_t role, uint64_t deadline_ns)
{
    uint64_t end_ns = sync_clock_now_ns() + SLICE_NS; /* the caller looks around */
    DWORD    os_code = ERROR_SUCCESS;
    HANDLE   mutex = sync_lease_peer(site, role, &os_code);
    DWORD    woken = WAIT_FAILED;

    if (mutex == NULL && os_code == ERROR_FILE_NOT_FOUND)
        return GYRE_OK; /* every holder has it open */
    if (mutex != NULL)
        woken = sync_calls.WaitForSingleObject(
            mutex, sync_clock_ms_until(end_ns < deadline_ns ? end_ns : deadline_ns));
    if (woken == WAIT_OBJECT_0 || woken == WAIT_ABANDONED) {
        bool is_over = sync_lease_is_over(site, role);
        sync_calls.ReleaseMutex(mutex);
        if (is_over)
            return GYRE_OK;
        woken = WAIT_FAILED; /* its last thread has not ended yet */
    }
    if (woken == WAIT_FAILED)
        sync_calls.Sleep(1); /* the caller's loop must not burn the processor */
    return sync_clock_now_ns() < deadline_ns ? GYRE_OK : GYRE_TIMEOUT;
}

/* Waits for bells, gates and leases watch their peers themselves. */
enum gyre_status sync_watch_open(struct sync_site *site, void (*look)(void *context), void *context,
                                 struct sync_watch **watch, struct gyre_error *error)
{
    (void)site, (void)look, (void)context, (void)error;
    *watch = NULL;
    return GYRE_OK;
}

void sync_watch_close(struct sync_watch *watch)
{
    (void)watch;
}

void sync_watch_abandon(struct sync_watch *watch)
{
    (void)watch;
}
