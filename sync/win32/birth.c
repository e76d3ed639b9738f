/*
 * birth.c - the wait for a ring to appear.
 *
 * It knows one event a name, which sync_map_publish sets.  The event stays set so that all who wait
 * now are woken; whoever wakes resets it, and so may hide a birth from one who was just about to
 * wait.  That is why nobody waits longer than a slice without looking again.
 */
#include <stdlib.h>

#include "site.h"

#define SLICE_NS 100000000u

struct sync_birth {
    HANDLE event;
};

enum gyre_status sync_birth_open_at(const struct sync_place *place, struct sync_birth **birth,
                                    struct gyre_error *error)
{
    wchar_t            event_name[SYNC_OBJECT_NAME_SIZE];
    struct sync_guard  guard;
    enum gyre_status   status;
    struct sync_birth *opened;

    if (place->is_sealed) /* whoever has the ticket has the ring, or comes too late */
        return sync_fail(error, GYRE_NOT_FOUND, 0, NULL);
    status = sync_guard_init(&guard, place, error);
    if (status != GYRE_OK)
        return status;
    opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return sync_fail(error, GYRE_NO_MEMORY, 0, "calloc");
    sync_object_name(event_name, place->is_global ? SYNC_SCOPE_GLOBAL : SYNC_SCOPE_LOCAL,
                     place->name, "!born");
    opened->event =
        sync_calls.CreateEventExW(&guard.other.attributes, event_name, CREATE_EVENT_MANUAL_RESET,
                                  SYNCHRONIZE | EVENT_MODIFY_STATE);
    if (opened->event == NULL) {
        status = sync_fail_os(error, GetLastError(), "CreateEventExW");
        free(opened);
        return status;
    }
    *birth = opened;
    return GYRE_OK;
}

enum gyre_status sync_birth_wait(struct sync_birth *birth, uint64_t deadline_ns)
{
    uint64_t slice_ns = sync_clock_now_ns() + SLICE_NS;
    uint64_t until_ns = slice_ns < deadline_ns ? slice_ns : deadline_ns;
    DWORD    woken = sync_calls.WaitForSingleObject(birth->event, sync_clock_ms_until(until_ns));

    if (woken == WAIT_OBJECT_0) {
        sync_calls.ResetEvent(birth->event); /* before the caller looks: the next birth sets it */
        return GYRE_OK;
    }
    if (woken == WAIT_FAILED)
        sync_calls.Sleep(1); /* the caller's loop must not burn the processor */
    return sync_clock_now_ns() < deadline_ns ? GYRE_OK : GYRE_TIMEOUT;
}

void sync_birth_close(struct sync_birth *birth)
{
    if (birth == NULL)
        return;
    sync_calls.CloseHandle(birth->event);
    free(birth);
}
