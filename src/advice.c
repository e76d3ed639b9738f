/*
 * advice.c - what a person can do about an error.
 *
 * It knows the words that error.field can hold and nothing of how they came there.
 */
#include "internal.h"

#include <string.h>

struct advice {
    enum gyre_status status;
    const char      *field;
    const char      *sentence;
};

static const struct advice advices[] = {
    {GYRE_NO_MEMORY, "space",
     "the file system of the rings is full: ask for a smaller capacity, remove rings (gyre list), "
     "or enlarge it (mount -o remount,size=..., docker run --shm-size=...)"},
    {GYRE_NO_MEMORY, "quota", "the user's quota on the file system of the rings is used up"},
    {GYRE_NO_MEMORY, "memory",
     "ask for a smaller capacity, or raise the limits of address space (ulimit -v) or of the "
     "control group"},
    {GYRE_NO_MEMORY, "RLIMIT_FSIZE",
     "ask for a smaller capacity, or raise the limit of file size (ulimit -f)"},
    {GYRE_NO_MEMORY, "RLIMIT_NOFILE",
     "raise this process's limit of open files (ulimit -n), or close some"},
    {GYRE_NO_MEMORY, "file-max", "the whole system's table of open files is full (fs.file-max)"},
    {GYRE_NO_MEMORY, "locks", "the file system of the rings grants no more locks"},
    {GYRE_NO_MEMORY, "inotify",
     "raise fs.inotify.max_user_instances or fs.inotify.max_user_watches"},
    {GYRE_NO_MEMORY, "commit", "ask for a smaller capacity, or enlarge the paging file"},
    {GYRE_DENIED, "GYRE_DIR",
     "the directory of the rings must belong to the ring's owner, be writable by the owner and "
     "nobody else, and be no symbolic link"},
    {GYRE_DENIED, "lock",
     "only the owner and, by --mode 0660, a group may take seats; a tap needs to read DATA alone"},
    {GYRE_DENIED, "ctrl",
     "only the owner and, by --mode 0660, a group may take seats; a tap needs to read DATA alone"},
    {GYRE_DENIED, "data",
     "only the owner publishes and removes; others may read by --mode 0640 or 0644, or --sddl"},
    {GYRE_DENIED, "owner_group", "choose a group of which the user is a member"},
    {GYRE_DENIED, "scope",
     "to create a Global ring needs the privilege SeCreateGlobalPrivilege, which services and "
     "administrators have"},
};

const char *gyre_error_advice(const struct gyre_error *error)
{
    if (error == NULL || error->field == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (advices[i].status == error->status && strcmp(advices[i].field, error->field) == 0)
            return advices[i].sentence;
    return NULL;
}
