/*
 * litter.c - what dead processes leave behind: here, nothing.  The system removes each object with
 * the last process that has it open.
 */
#include "site.h"

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
