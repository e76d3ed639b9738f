/*
 * gate.c - a counting wake-up for many waiters: a named semaphore.
 *
 * Its count is the number of permits that nobody has taken; the shared word is not used, because no
 * word could be right about the permits of those who die.
 */
#include <stdio.h>

#include "site.h"

enum gyre_status sync_gate_open(struct sync_site *site, uint32_t which, uint32_t *word,
                                struct sync_gate *gate, struct gyre_error *error)
{
    wchar_t name[SYNC_OBJECT_NAME_SIZE];
    char    suffix[24];

    snprintf(suffix, sizeof(suffix), "!gate.%u", (unsigned)which);
    sync_object_name(name, site->scope, site->id, suffix);
    HANDLE semaphore = sync_calls.CreateSemaphoreExW(
        &site->guard.other.attributes, 0, SYNC_GATE_PERMITS_MAX, name, 0,
        SYNCHRONIZE | SEMAPHORE_MODIFY_STATE | SYNC_SEMAPHORE_QUERY);
    if (semaphore == NULL)
        return sync_fail_os(error, GetLastError(), "CreateSemaphoreExW");
    gate->word = word;
    gate->os = semaphore;
    return GYRE_OK;
}

void sync_gate_close(struct sync_gate *gate)
{
    if (gate->os != NULL)
        sync_calls.CloseHandle(gate->os);
    gate->word = NULL;
    gate->os = NULL;
}

/* One by one at the limit: a release of more than there is room for releases none. */
void sync_gate_post(struct sync_gate *gate, uint32_t count)
{
    if (sync_calls.ReleaseSemaphore(gate->os, (LONG)count, NULL))
        return;
    while (count-- > 0 && sync_calls.ReleaseSemaphore(gate->os, 1, NULL))
        continue;
}

uint32_t sync_gate_permits(struct sync_gate *gate)
{
    ULONG count = 0;

    return sync_calls.sync_query_semaphore(gate->os, &count) >= 0 ? (uint32_t)count : 0;
}

void sync_gate_ring_bell(struct sync_gate *gate, struct sync_bell *bell)
{
    (void)gate; /* a waiter at the gate waits for its bell as well */
    sync_bell_ring(bell);
}

enum sync_wake sync_gate_wait(struct sync_gate *gate, struct sync_bell *bell,
                              struct sync_site *site, uint32_t peer_role, uint64_t deadline_ns)
{
    const HANDLE bells[2] = {gate->os, bell->os};

    return sync_object_wait(site, bells, peer_role, deadline_ns);
}
