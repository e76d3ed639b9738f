/*
 * memory_sync.h - sync.h out of plain memory, for fuzz targets: no file, clock or other process.
 *
 * All handles live in one process and one thread.  A sleep that nobody can end ends at its deadline
 * at once: time is a number that every look at it moves on.  Objects have their exact size on the
 * heap, so that a sanitizer sees an access behind them.
 */
#ifndef GYRE_FUZZ_MEMORY_SYNC_H
#define GYRE_FUZZ_MEMORY_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "sync.h"

/* What the remote barrier does: works; is refused; does not exist, as on Windows. */
enum memory_barrier { MEMORY_BARRIER_WORKS, MEMORY_BARRIER_REFUSED, MEMORY_BARRIER_NONE };

/* Forgets every ring.  No handle may be open. */
void memory_sync_reset(enum memory_barrier barrier);

/* The holder of this site dies: its leases are free, nothing else happens. */
void memory_sync_bury(struct sync_site *site);

/* What sync_console_read reads from now on. */
void memory_sync_stdin(const uint8_t *bytes, size_t size);

/* Time goes on. */
void memory_sync_pass(uint64_t ns);

/* How often a sleep ended because its time was up, since the reset. */
uint32_t memory_sync_sleep_count(void);

#endif
