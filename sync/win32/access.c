/*
 * access.c - who may use a ring: owners, access lists, and what is trusted.
 *
 * Names that can be guessed can be taken before us, so what exists is used only if its owner is the
 * one whom the caller named (itself, if nobody), the system or the administrators, who can do all
 * things anyway.  Of the rights that a descriptor gives to others, DATA keeps those to read: a
 * consumer that may write CTRL still cannot write a message.
 */
#include "site.h"

#include <stdlib.h>
#include <string.h>

#define WIDE_LIMIT 4096u

/* What is in ASCII alone, as SIDs and descriptors are; freed by the caller.  NULL: not so. */
static wchar_t *widen(const char *text)
{
    size_t   length = strlen(text);
    wchar_t *wide = length < WIDE_LIMIT ? calloc(length + 1, sizeof(*wide)) : NULL;

    for (size_t i = 0; wide != NULL && i < length; i++) {
        if (text[i] <= 0 || text[i] > 126) {
            free(wide);
            return NULL;
        }
        wide[i] = (wchar_t)text[i];
    }
    return wide;
}

static enum gyre_status blame(struct gyre_error *error, enum gyre_status status, DWORD os_code,
                              const char *call, const char *field)
{
    error->field = field;
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

static void copy_sid(union sync_guard_sid *to, PSID from)
{
    const SID *sid = from;

    memset(to, 0, sizeof(*to));
    memcpy(to, sid,
           offsetof(SID, SubAuthority) + sid->SubAuthorityCount * sizeof(sid->SubAuthority[0]));
}

static enum gyre_status find_owner(struct sync_guard *guard, const char *text,
                                   struct gyre_error *error)
{
    PSID  sid = NULL;
    DWORD os_code;

    if (text == NULL) {
        copy_sid(&guard->owner, guard->user.token.User.Sid);
        return GYRE_OK;
    }
    wchar_t *wide = widen(text);
    if (wide == NULL)
        return blame(error, GYRE_BAD_ARGUMENT, 0, NULL, "owner");
    BOOL is_done = sync_calls.ConvertStringSidToSidW(wide, &sid);
    os_code = GetLastError();
    free(wide);
    if (!is_done)
        return blame(error, GYRE_BAD_ARGUMENT, os_code, "ConvertStringSidToSidW", "owner");
    copy_sid(&guard->owner, sid);
    sync_calls.LocalFree(sid);
    return GYRE_OK;
}

static bool is_known(const struct sync_guard *guard, PSID sid)
{
    SID local_system = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};

    return sync_calls.EqualSid(sid, guard->user.token.User.Sid) ||
           sync_calls.EqualSid(sid, (PSID)(uintptr_t)&guard->owner) ||
           sync_calls.EqualSid(sid, &local_system);
}

/*
 * What of an entry's rights holds for an object.  Others get no more of DATA than to read it, and
 * nothing of the rest unless they may write there: a right to wait for a mutex can hold up others.
 */
static ACCESS_MASK rights_to(ACCESS_MASK mask, bool is_data)
{
    const ACCESS_MASK reading = GENERIC_READ | GENERIC_ALL | SECTION_MAP_READ;
    const ACCESS_MASK writing = GENERIC_WRITE | GENERIC_ALL | SECTION_MAP_WRITE;

    if (is_data)
        return (mask & reading) != 0 ? GENERIC_READ : 0;
    return (mask & writing) != 0 ? mask : 0;
}

/* The entries of the given list, behind those of the owner and the system. */
static enum gyre_status add_given(struct sync_guard *guard, ACL *to, bool is_data,
                                  struct gyre_error *error)
{
    BOOL  is_there, is_defaulted;
    ACL  *given = NULL;
    void *entry;

    if (guard->parsed == NULL)
        return GYRE_OK;
    if (!sync_calls.GetSecurityDescriptorDacl(guard->parsed, &is_there, &given, &is_defaulted))
        return sync_fail_os(error, GetLastError(), "GetSecurityDescriptorDacl");
    if (!is_there || given == NULL) /* this would be: everybody may do everything */
        return blame(error, GYRE_BAD_ARGUMENT, 0, NULL, "sddl");
    for (DWORD i = 0; i < given->AceCount; i++) {
        if (!sync_calls.GetAce(given, i, &entry))
            return sync_fail_os(error, GetLastError(), "GetAce");
        ACCESS_ALLOWED_ACE *ace = entry;
        ACCESS_MASK         mask = rights_to(ace->Mask, is_data);
        if (ace->Header.AceType != ACCESS_ALLOWED_ACE_TYPE)
            return blame(error, GYRE_UNSUPPORTED, 0, NULL, "sddl"); /* deny: leave it out */
        if (mask == 0 || is_known(guard, &ace->SidStart))
            continue;
        if (!sync_calls.AddAccessAllowedAce(to, ACL_REVISION, mask, &ace->SidStart))
            return blame(error, GYRE_BAD_ARGUMENT, GetLastError(), "AddAccessAllowedAce", "sddl");
    }
    return GYRE_OK;
}

/* A mandatory label, which admits processes of low integrity. */
static enum gyre_status add_label(const struct sync_guard *guard, struct sync_guard_list *list,
                                  struct gyre_error *error)
{
    BOOL is_there = FALSE, is_defaulted;
    ACL *label = NULL;

    if (guard->parsed == NULL)
        return GYRE_OK;
    if (!sync_calls.GetSecurityDescriptorSacl(guard->parsed, &is_there, &label, &is_defaulted))
        return sync_fail_os(error, GetLastError(), "GetSecurityDescriptorSacl");
    if (is_there && label != NULL &&
        !sync_calls.SetSecurityDescriptorSacl(&list->descriptor, TRUE, label, FALSE))
        return sync_fail_os(error, GetLastError(), "SetSecurityDescriptorSacl");
    return GYRE_OK;
}

/*
 * The owner is set by name: an elevated process would else give its objects to the administrators,
 * and the same user without elevation would take them for a stranger's.
 */
static enum gyre_status make_list(struct sync_guard *guard, struct sync_guard_list *list,
                                  struct gyre_error *error)
{
    SID  local_system = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};
    PSID user = guard->user.token.User.Sid;
    PSID owner = &guard->owner;
    ACL *acl = &list->dacl.acl;
    enum gyre_status status;

    if (!sync_calls.InitializeAcl(acl, sizeof(list->dacl), ACL_REVISION))
        return sync_fail_os(error, GetLastError(), "InitializeAcl");
    if (!sync_calls.AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, &local_system) ||
        !sync_calls.AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, user) ||
        (!sync_calls.EqualSid(owner, user) &&
         !sync_calls.AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, owner)))
        return sync_fail_os(error, GetLastError(), "AddAccessAllowedAce");
    status = add_given(guard, acl, list == &guard->data, error);
    if (status != GYRE_OK)
        return status;
    if (!sync_calls.InitializeSecurityDescriptor(&list->descriptor, SECURITY_DESCRIPTOR_REVISION))
        return sync_fail_os(error, GetLastError(), "InitializeSecurityDescriptor");
    if (!sync_calls.SetSecurityDescriptorOwner(&list->descriptor, user, FALSE))
        return sync_fail_os(error, GetLastError(), "SetSecurityDescriptorOwner");
    if (!sync_calls.SetSecurityDescriptorDacl(&list->descriptor, TRUE, acl, FALSE))
        return sync_fail_os(error, GetLastError(), "SetSecurityDescriptorDacl");
    list->attributes.nLength = sizeof(list->attributes);
    list->attributes.lpSecurityDescriptor = &list->descriptor;
    list->attributes.bInheritHandle = FALSE; /* a child's copy would keep leases' names alive */
    return add_label(guard, list, error);
}

static enum gyre_status parse(struct sync_guard *guard, const char *text, struct gyre_error *error)
{
    wchar_t *wide = widen(text);

    if (wide == NULL)
        return blame(error, GYRE_BAD_ARGUMENT, 0, NULL, "sddl");
    BOOL is_done = sync_calls.ConvertStringSecurityDescriptorToSecurityDescriptorW(
        wide, SDDL_REVISION_1, &guard->parsed, NULL);
    DWORD os_code = GetLastError();
    free(wide);
    if (is_done)
        return GYRE_OK;
    guard->parsed = NULL;
    return blame(error, GYRE_BAD_ARGUMENT, os_code,
                 "ConvertStringSecurityDescriptorToSecurityDescriptorW", "sddl");
}

enum gyre_status sync_guard_init(struct sync_guard *guard, const struct sync_place *place,
                                 struct gyre_error *error)
{
    enum gyre_status status;

    guard->parsed = NULL;
    if (place->mode != 0)
        return blame(error, GYRE_UNSUPPORTED, 0, NULL, "mode");
    if (place->group != NULL)
        return blame(error, GYRE_UNSUPPORTED, 0, NULL, "owner_group");
    status = find_user(guard, error);
    if (status == GYRE_OK)
        status = find_owner(guard, place->owner, error);
    if (status == GYRE_OK && place->sddl != NULL)
        status = parse(guard, place->sddl, error);
    if (status == GYRE_OK)
        status = make_list(guard, &guard->data, error);
    if (status == GYRE_OK)
        status = make_list(guard, &guard->other, error);
    return status;
}

void sync_guard_close(struct sync_guard *guard)
{
    if (guard->parsed != NULL)
        sync_calls.LocalFree(guard->parsed);
    guard->parsed = NULL;
}

/* Wine may forget an object's owner; there, and only there, "unknown" has to do. */
static bool is_wine(void)
{
    HMODULE ntdll = sync_calls.GetModuleHandleW(L"ntdll.dll");

    return ntdll != NULL && sync_calls.GetProcAddress(ntdll, "wine_get_version") != NULL;
}

static bool is_system(PSID sid)
{
    SID system = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};
    union {
        SID     sid;
        uint8_t bytes[offsetof(SID, SubAuthority) + 2 * sizeof(DWORD)];
    } administrators = {{SID_REVISION, 2, {SECURITY_NT_AUTHORITY}, {SECURITY_BUILTIN_DOMAIN_RID}}};
    DWORD alias = DOMAIN_ALIAS_RID_ADMINS;

    memcpy(administrators.bytes + offsetof(SID, SubAuthority) + sizeof(DWORD), &alias,
           sizeof(alias));
    return sync_calls.EqualSid(sid, &system) || sync_calls.EqualSid(sid, &administrators);
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
    return sync_calls.EqualSid(owner, (PSID)(uintptr_t)&guard->owner) || is_system(owner);
}
