/*
 * barrier.c - the remote barrier: membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED).
 *
 * Some sandboxes refuse the call; then both functions say so and the callers use their other
 * schemes.
 */
#include "calls.h"
#include "sync.h"

#include <linux/membarrier.h>

bool sync_barrier_exists(void)
{
    return true;
}

bool sync_barrier_register(void)
{
    return sync_calls.membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

bool sync_barrier_remote(void)
{
    return sync_calls.membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0;
}
