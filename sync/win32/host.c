/*
 * host.c - what else the library asks of Windows: errors, chance, the process, the user.
 *
 * It knows who may touch our objects and how a system's error becomes a status; it knows no object.
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
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
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

static enum gyre_status find_user(struct sync_guard *guard, struct gyre_error *error)
{
    HANDLE token;
    DWORD  length;

    if (!sync_calls.OpenProcessToken(sync_calls.GetCurrentProcess(), TOKEN_QUERY, &token))
        return sync_fail_os(error, GetLastError(), "OpenProcessToken");
    BOOL  is_done = sync_calls.GetTokenInformation(token, TokenUser, &guard->user,
                                                   sizeof(guard->user), &length);
    DWORD os_code = GetLastError();
    sync_calls.CloseHandle(token);
    return is_done ? GYRE_OK : sync_fail_os(error, os_code, "GetTokenInformation");
}

/*
 * The owner is set by name: an elevated process would else give its objects to the administrators,
 * and the same user without elevation would take them for a stranger's.
 */
enum gyre_status sync_guard_init(struct sync_guard *guard, struct gyre_error *error)
{
    SID local_system = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};
    enum gyre_status status = find_user(guard, error);

    if (status != GYRE_OK)
        return status;
    PSID user = guard->user.token.User.Sid;
    ACL *acl = &guard->dacl.acl;
    if (!sync_calls.InitializeAcl(acl, sizeof(guard->dacl), ACL_REVISION))
        return sync_fail_os(error, GetLastError(), "InitializeAcl");
    if (!sync_calls.AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, &local_system) ||
        !sync_calls.AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, user))
        return sync_fail_os(error, GetLastError(), "AddAccessAllowedAce");
    if (!sync_calls.InitializeSecurityDescriptor(&guard->descriptor, SECURITY_DESCRIPTOR_REVISION))
        return sync_fail_os(error, GetLastError(), "InitializeSecurityDescriptor");
    if (!sync_calls.SetSecurityDescriptorOwner(&guard->descriptor, user, FALSE))
        return sync_fail_os(error, GetLastError(), "SetSecurityDescriptorOwner");
    if (!sync_calls.SetSecurityDescriptorDacl(&guard->descriptor, TRUE, acl, FALSE))
        return sync_fail_os(error, GetLastError(), "SetSecurityDescriptorDacl");
    guard->attributes.nLength = sizeof(guard->attributes);
    guard->attributes.lpSecurityDescriptor = &guard->descriptor;
    guard->attributes.bInheritHandle = FALSE; /* a child's copy would keep leases' names alive */
    return GYRE_OK;
}

/* Wine may forget an object's owner; there, and only there, "unknown" has to do. */
static bool is_wine(void)
{
    HMODULE ntdll = sync_calls.GetModuleHandleW(L"ntdll.dll");

    return ntdll != NULL && sync_calls.GetProcAddress(ntdll, "wine_get_version") != NULL;
}

bool sync_guard_owns(const struct sync_guard *guard, HANDLE object)
{
    union {
        SECURITY_DESCRIPTOR descriptor;
        uint8_t             bytes[sizeof(SECURITY_DESCRIPTOR) + SECURITY_MAX_SID_SIZE];
    } security;
    DWORD length;
    PSID  owner = NULL;
    BOOL  is_defaulted;

    if (!sync_calls.GetKernelObjectSecurity(object, OWNER_SECURITY_INFORMATION,
                                            &security.descriptor, sizeof(security), &length) ||
        !sync_calls.GetSecurityDescriptorOwner(&security.descriptor, &owner, &is_defaulted))
        return false;
    if (owner == NULL)
        return is_wine();
    return sync_calls.EqualSid(owner, guard->user.token.User.Sid);
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
