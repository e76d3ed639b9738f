/*
 * test_access.c - who may do what with a ring on Windows, as far as Wine can show it.
 *
 * Wine has one user, and may forget an object's owner.  So the lists of rights are read back from
 * the real objects, a stranger's section is planted by hand with a list that does not know us, and
 * owners and privileges that Wine lacks are told by a table of calls that lies.
 */
#include "trial.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "win32/site.h"

#define EVERYBODY_READS "D:(A;;GR;;;WD)"
#define EVERYBODY_JOINS "D:(A;;GA;;;WD)"

static enum gyre_status open_as(const char *sddl, uint32_t scope, struct gyre_producer **producer,
                                struct gyre_error *error)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = 65536;
    options.sddl = sddl;
    options.scope = scope;
    return gyre_producer_open(trial_ring(), &options, producer, error);
}

static HANDLE open_object(HANDLE section)
{
    HANDLE copy = NULL;

    EXPECT_TRUE(DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &copy,
                                READ_CONTROL, FALSE, 0));
    return copy;
}

/* What the object's list grants to everybody; and to us. */
static ACCESS_MASK granted(HANDLE object, bool to_everybody)
{
    union {
        SECURITY_DESCRIPTOR descriptor;
        uint8_t             bytes[4096];
    } security;
    SID         everybody = {SID_REVISION, 1, {SECURITY_WORLD_SID_AUTHORITY}, {SECURITY_WORLD_RID}};
    DWORD       length;
    BOOL        is_there = FALSE, is_defaulted;
    ACL        *list = NULL;
    ACCESS_MASK mask = 0;
    HANDLE      readable = open_object(object);

    EXPECT_TRUE(GetKernelObjectSecurity(readable, DACL_SECURITY_INFORMATION, &security.descriptor,
                                        sizeof(security), &length));
    EXPECT_TRUE(GetSecurityDescriptorDacl(&security.descriptor, &is_there, &list, &is_defaulted));
    EXPECT_TRUE(is_there && list != NULL);
    for (DWORD i = 0; i < list->AceCount; i++) {
        void *entry;
        EXPECT_TRUE(GetAce(list, i, &entry));
        ACCESS_ALLOWED_ACE *ace = entry;
        EXPECT_EQ(ace->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
        if (EqualSid(&ace->SidStart, &everybody) == to_everybody)
            mask |= ace->Mask;
    }
    CloseHandle(readable);
    return mask;
}

#define MAY_READ (GENERIC_READ | GENERIC_ALL | SECTION_MAP_READ)
#define MAY_WRITE (GENERIC_WRITE | GENERIC_ALL | SECTION_MAP_WRITE | WRITE_DAC | WRITE_OWNER)

static void the_lists_grant_what_the_descriptor_says_and_no_writing_of_data(void)
{
    static const struct {
        const char *sddl;
        bool        data_read, ctrl_read, ctrl_write;
    } rows[] = {
        {NULL, false, false, false},
        {EVERYBODY_READS, true, false, false},
        {EVERYBODY_JOINS, true, true, true},
        {"D:(A;;GA;;;SY)", false, false, false},
        {"D:(A;;GW;;;WD)", false, false, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gyre_producer *producer;
        struct gyre_error     error;
        ACCESS_MASK           data, ctrl;
        enum gyre_status      status = open_as(rows[i].sddl, 0, &producer, &error);
        EXPECT(status == GYRE_OK, "%s: %s, field %s", rows[i].sddl, gyre_status_name(status),
               error.field);
        data = granted((HANDLE)producer->ring.data.os, true);
        ctrl = granted((HANDLE)producer->ring.ctrl.os, true);
        EXPECT(((data & MAY_READ) != 0) == rows[i].data_read, "%s: DATA grants 0x%lx", rows[i].sddl,
               (unsigned long)data);
        EXPECT((data & MAY_WRITE) == 0, "%s: DATA grants 0x%lx", rows[i].sddl, (unsigned long)data);
        EXPECT(((ctrl & MAY_READ) != 0) == rows[i].ctrl_read, "%s: CTRL grants 0x%lx", rows[i].sddl,
               (unsigned long)ctrl);
        EXPECT(((ctrl & MAY_WRITE) != 0) == rows[i].ctrl_write, "%s: CTRL grants 0x%lx",
               rows[i].sddl, (unsigned long)ctrl);
        EXPECT_TRUE((granted((HANDLE)producer->ring.data.os, false) & MAY_WRITE) != 0);
        gyre_producer_close(producer);
    }
}

static void a_descriptor_that_cannot_be_honoured_is_refused(void)
{
    static const struct {
        const char      *sddl;
        enum gyre_status status;
    } rows[] = {
        {"", GYRE_BAD_ARGUMENT},
        {"nonsense", GYRE_BAD_ARGUMENT},
        {"O:SY", GYRE_BAD_ARGUMENT}, /* no list is no limit */
        {"D:(D;;GA;;;WD)", GYRE_UNSUPPORTED},
        {"D:(A;;GR;;;\xc3\xa4)", GYRE_BAD_ARGUMENT},
    };
    struct gyre_ring_options     options = GYRE_RING_OPTIONS_INIT;
    struct gyre_consumer_options reading = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = NULL;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum gyre_status status = open_as(rows[i].sddl, 0, &producer, &error);
        EXPECT(status == rows[i].status && error.field != NULL && strcmp(error.field, "sddl") == 0,
               "%s: %s, field %s", rows[i].sddl, gyre_status_name(status), error.field);
    }
    options.mode = 0640;
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, &error), GYRE_UNSUPPORTED);
    EXPECT_TRUE(strcmp(error.field, "mode") == 0);
    options.mode = 0;
    options.owner_group = "users";
    EXPECT_STATUS(gyre_producer_open(trial_ring(), &options, &producer, &error), GYRE_UNSUPPORTED);
    EXPECT_TRUE(strcmp(error.field, "owner_group") == 0);
    reading.owner = "somebody";
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &reading, &consumer, &error), GYRE_BAD_ARGUMENT);
    EXPECT_TRUE(strcmp(error.field, "owner") == 0);
}

/*
 * An object of the ring's whose list gives us, as part of everybody, these rights alone.  Wine
 * makes a group the owner of what names none, so one that is to be ours says so.
 */
static HANDLE plant(const char *suffix, bool is_ours, const wchar_t *list, bool is_mutex)
{
    wchar_t             sddl[256] = L"";
    wchar_t             name[SYNC_OBJECT_NAME_SIZE];
    SECURITY_ATTRIBUTES attributes = {sizeof(attributes), NULL, FALSE};
    HANDLE              planted;

    if (is_ours) {
        struct sync_place place = {.name = trial_ring()};
        struct sync_guard guard;
        struct gyre_error error;
        wchar_t          *user = NULL;
        EXPECT_STATUS(sync_guard_init(&guard, &place, &error), GYRE_OK);
        EXPECT_TRUE(ConvertSidToStringSidW(guard.user.token.User.Sid, &user));
        wcscat(wcscat(sddl, L"O:"), user);
        LocalFree(user);
    }
    wcscat(sddl, list);
    sync_object_name(name, SYNC_SCOPE_LOCAL, trial_ring(), suffix);
    EXPECT_TRUE(ConvertStringSecurityDescriptorToSecurityDescriptorW(
        sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL));
    planted = is_mutex ? CreateMutexW(&attributes, FALSE, name)
                       : CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0,
                                            4096 + 65536, name);
    EXPECT(planted != NULL, "cannot plant: %lu", (unsigned long)GetLastError());
    LocalFree(attributes.lpSecurityDescriptor);
    return planted;
}

static void build(HANDLE section)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;
    struct gyre_geometry     geometry;
    void                    *base = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);

    EXPECT_TRUE(base != NULL);
    options.capacity = 65536;
    gyre__geometry_from(&options, &geometry);
    geometry.ring_id[0] = 17;
    geometry.ring_id[1] = (uint64_t)GetCurrentProcessId() << 32 | GetTickCount();
    gyre__write_data(base, &geometry);
    gyre__write_magic(base, GYRE_DATA_MAGIC);
    UnmapViewOfFile(base);
}

static void a_tap_needs_the_right_to_read_data_and_no_other(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer = NULL;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    HANDLE                       data = plant("", true, L"D:(A;;GR;;;WD)", false);
    HANDLE                       lock = plant("!init", true, L"D:(A;;RC;;;WD)", true);
    enum gyre_status             status;

    build(data);
    options.kind = GYRE_TAP;
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_OK, "tap: %s, field %s, call %s, code %d", gyre_status_name(status),
           error.field, error.call, (int)error.os_code);
    EXPECT_STATUS(gyre_wait(consumer, 0), GYRE_TIMEOUT);
    gyre_consumer_close(consumer);
    options.kind = GYRE_RELIABLE;
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "lock") == 0, "attach: %s, field %s",
           gyre_status_name(status), error.field);
    status = open_as(NULL, 0, &producer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "lock") == 0, "take over: %s, field %s",
           gyre_status_name(status), error.field);
    CloseHandle(lock);
    status = open_as(NULL, 0, &producer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "data") == 0, "take over: %s, field %s",
           gyre_status_name(status), error.field);
    EXPECT_TRUE(gyre_error_advice(&error) != NULL);
    CloseHandle(data);
    data = plant("", true, L"D:(A;;GW;;;WD)", false);
    options.kind = GYRE_TAP;
    lock = plant("!init", true, L"D:(A;;GA;;;WD)", true);
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "data") == 0, "tap: %s, field %s",
           gyre_status_name(status), error.field);
    CloseHandle(data);
    data = plant("", false, L"D:(A;;GA;;;WD)", false); /* all rights, but whose is it? */
    build(data);
    status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "data") == 0 &&
               strcmp(error.call, "GetKernelObjectSecurity") == 0,
           "tap: %s, field %s", gyre_status_name(status), error.field);
    status = open_as(NULL, 0, &producer, &error);
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "data") == 0, "squatted: %s, field %s",
           gyre_status_name(status), error.field);
    CloseHandle(lock);
    CloseHandle(data);
}

static void a_global_ring_is_found_in_global_alone(void)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer, *other;
    struct gyre_consumer        *consumer = NULL;
    struct gyre_error            error;
    wchar_t                      name[SYNC_OBJECT_NAME_SIZE];
    HANDLE                       section;
    DWORD                        session = 0;

    EXPECT_STATUS(open_as(NULL, GYRE_SCOPE_GLOBAL, &producer, &error), GYRE_OK);
    sync_object_name(name, SYNC_SCOPE_GLOBAL, trial_ring(), "");
    EXPECT_TRUE(wcsncmp(name, L"Global\\", 7) == 0);
    section = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
    EXPECT_TRUE(section != NULL);
    CloseHandle(section);
    options.scope = GYRE_SCOPE_GLOBAL;
    EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, &error), GYRE_OK);
    EXPECT_STATUS(gyre_send(producer, "hello", 5, trial_patience()), GYRE_OK);
    EXPECT_STATUS(gyre_wait(consumer, trial_patience()), GYRE_OK);
    gyre_consumer_close(consumer);
    EXPECT_TRUE(ProcessIdToSessionId(GetCurrentProcessId(), &session));
    if (session == 0) {
        trial_note("session 0 has no Local\\ of its own");
    } else {
        options.scope = GYRE_SCOPE_LOCAL;
        EXPECT_STATUS(gyre_consumer_open(trial_ring(), &options, &consumer, &error),
                      GYRE_NOT_FOUND);
        EXPECT_STATUS(open_as(NULL, GYRE_SCOPE_LOCAL, &other, &error), GYRE_OK);
        gyre_producer_close(other);
    }
    gyre_producer_close(producer);
}

static HANDLE WINAPI refuse_section(HANDLE file, SECURITY_ATTRIBUTES *attributes, DWORD protection,
                                    DWORD high, DWORD low, LPCWSTR name)
{
    (void)file, (void)attributes, (void)protection, (void)high, (void)low, (void)name;
    SetLastError(ERROR_ACCESS_DENIED);
    return NULL;
}

static void a_missing_privilege_is_told_from_a_squatted_name(void)
{
    struct sync_calls     real = sync_calls;
    struct gyre_producer *producer = NULL;
    struct gyre_error     error;
    enum gyre_status      status;

    sync_calls.CreateFileMappingW = refuse_section;
    status = open_as(NULL, GYRE_SCOPE_GLOBAL, &producer, &error);
    sync_calls = real;
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "scope") == 0 &&
               strcmp(error.call, "CreateFileMapping") == 0 && error.os_code == ERROR_ACCESS_DENIED,
           "global: %s, field %s, call %s", gyre_status_name(status), error.field, error.call);
    EXPECT_TRUE(gyre_error_advice(&error) != NULL);
    sync_calls.CreateFileMappingW = refuse_section;
    status = open_as(NULL, GYRE_SCOPE_LOCAL, &producer, &error);
    sync_calls = real;
    EXPECT(status == GYRE_DENIED && strcmp(error.field, "data") == 0, "local: %s, field %s",
           gyre_status_name(status), error.field);
}

/* The owner whom the lying table tells of every object. */
static SID told = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};

static BOOL WINAPI tell_owner(PSECURITY_DESCRIPTOR descriptor, PSID *owner, BOOL *is_defaulted)
{
    (void)descriptor;
    *owner = &told;
    *is_defaulted = FALSE;
    return TRUE;
}

static void what_a_stranger_made_first_is_refused_and_what_the_system_made_is_not(void)
{
    static const struct {
        DWORD            rid;
        const char      *owner;
        enum gyre_status status;
    } rows[] = {
        {SECURITY_LOCAL_SYSTEM_RID, NULL, GYRE_OK},
        {SECURITY_LOCAL_SERVICE_RID, NULL, GYRE_DENIED},
        {SECURITY_LOCAL_SERVICE_RID, "S-1-5-19", GYRE_OK},
        {SECURITY_NETWORK_SERVICE_RID, "S-1-5-19", GYRE_DENIED},
    };
    struct sync_calls            real = sync_calls;
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_producer        *producer;
    struct gyre_error            error;

    EXPECT_STATUS(open_as(NULL, 0, &producer, &error), GYRE_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint32_t kind = GYRE_RELIABLE; kind <= GYRE_TAP; kind += GYRE_TAP) {
            const char           *field = kind == GYRE_TAP ? "data" : "lock";
            struct gyre_consumer *consumer = NULL;
            enum gyre_status      status;
            told.SubAuthority[0] = rows[i].rid;
            options.owner = rows[i].owner;
            options.kind = kind;
            sync_calls.GetSecurityDescriptorOwner = tell_owner;
            status = gyre_consumer_open(trial_ring(), &options, &consumer, &error);
            sync_calls = real;
            EXPECT(status == rows[i].status, "owner %lu, kind %u: %s, field %s",
                   (unsigned long)rows[i].rid, kind, gyre_status_name(status), error.field);
            EXPECT(status == GYRE_OK || strcmp(error.field, field) == 0, "field %s", error.field);
            gyre_consumer_close(consumer);
        }
    }
    gyre_producer_close(producer);
}

int main(int argc, char **argv)
{
#define TRIAL(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct trial trials[] = {
        TRIAL(the_lists_grant_what_the_descriptor_says_and_no_writing_of_data),
        TRIAL(a_descriptor_that_cannot_be_honoured_is_refused),
        TRIAL(a_tap_needs_the_right_to_read_data_and_no_other),
        TRIAL(a_global_ring_is_found_in_global_alone),
        TRIAL(a_missing_privilege_is_told_from_a_squatted_name),
        TRIAL(what_a_stranger_made_first_is_refused_and_what_the_system_made_is_not),
    };

    return trial_main(argc, argv, trials, TRIAL_COUNT(trials), NULL, 0);
}
