/*
 * sync_absent.c - the rooms of sync.h that a system of plain memory does without: no other process
 * to give to, no threads that watch, no files that are left.  For fuzz/memory_sync.c and
 * tests/weave.
 */
#include "sync.h"

enum gyre_status sync_site_share(struct sync_site *site, const struct sync_map *data,
                                 const struct sync_map *ctrl, intptr_t to, intptr_t *ticket,
                                 struct gyre_error *error)
{
    (void)site, (void)data, (void)ctrl, (void)to, (void)ticket;
    return sync_fail(error, GYRE_UNSUPPORTED, 0, "share");
}

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

/* There are no files. */
enum gyre_status sync_litter_find(void (*visit)(const struct sync_finding *finding, void *context),
                                  void *context, struct gyre_error *error)
{
    (void)visit, (void)context, (void)error;
    return GYRE_OK;
}

bool sync_litter_remove(const struct sync_finding *finding)
{
    (void)finding;
    return false;
}

enum gyre_status sync_litter_space(uint64_t *size, uint64_t *free_size, struct gyre_error *error)
{
    (void)error;
    *size = UINT64_MAX;
    *free_size = UINT64_MAX;
    return GYRE_OK;
}
