/*
 * barrier.c - the remote barrier, which Windows does not have.
 *
 * FlushProcessWriteBuffers makes the threads of the calling process execute a fence, and is
 * documented for no other process.  That it interrupts every processor of the machine today is an
 * accident to build nothing on.  So nobody is ever registered, and sleepers use slices.
 */
#include "sync.h"

bool sync_barrier_exists(void)
{
    return false;
}

bool sync_barrier_register(void)
{
    return false;
}

bool sync_barrier_remote(void)
{
    return false;
}
