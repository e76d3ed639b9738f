/*
 * host.c - what else the library asks of Windows: errors, chance, the process.
 *
 * It knows how a system's error becomes a status; it knows no object.
 */
#include "site.h"

static SRWLOCK host_lock = SRWLOCK_INIT;

enum gyre_status sync_fail(struct gyre_error *error, enum gyre_status status, int32_t os_code,
                           const char *call)
{
    error->status = status;
    error->os_code = os_code;
    error->call = call;
    return status;
}

enum gyre_status sync_fail_os(struct gyre_error *error, DWORD os_code, const char *call)
{
    enum gyre_status status = GYRE_SYSTEM;

    switch (os_code) {
    case ERROR_FILE_NOT_FOUND:
        status = GYRE_NOT_FOUND;
        break;
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_HANDLE: /* an object of another type squats on the name */
        status = GYRE_DENIED;
        break;
    case ERROR_COMMITMENT_LIMIT:
        error->field = "commit";
        status = GYRE_NO_MEMORY;
        break;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_MAX_THRDS_REACHED:
    case ERROR_DISK_FULL:
        status = GYRE_NO_MEMORY;
        break;
    default:
        break;
    }
    return sync_fail(error, status, (int32_t)os_code, call);
}

enum gyre_status sync_host_random(uint64_t words[2], struct gyre_error *error)
{
    uint64_t drawn[2];
    NTSTATUS result = sync_calls.BCryptGenRandom(NULL, (PUCHAR)drawn, sizeof(drawn),
                                                 BCRYPT_USE_SYSTEM_PREFERRED_RNG);

    if (result < 0)
        return sync_fail(error, GYRE_SYSTEM, (int32_t)result, "BCryptGenRandom");
    words[0] = drawn[0];
    words[1] = drawn[1];
    return GYRE_OK;
}

uint32_t sync_host_process_id(void)
{
    return (uint32_t)sync_calls.GetCurrentProcessId();
}

void sync_host_lock(void)
{
    sync_calls.AcquireSRWLockExclusive(&host_lock);
}

void sync_host_unlock(void)
{
    sync_calls.ReleaseSRWLockExclusive(&host_lock);
}

void sync_host_on_fork(void (*in_child)(void))
{
    (void)in_child;
}
