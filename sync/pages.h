/*
 * pages.h - sync_map_prefault, which is the same on both sides.
 */
#ifndef GYRE_SYNC_PAGES_H
#define GYRE_SYNC_PAGES_H

#include <gyre/atomic.h>

#include "sync.h"

#define PAGE_SIZE_LEAST 4096u

/*
 * A writer exchanges zero for zero: that stores what is there, also while others write.  No edge:
 * nothing is learnt from what is read, and nothing is told.
 */
static inline void pages_touch(const struct sync_map *map, bool is_writable)
{
    unsigned char *base = map->base;
    uint64_t       end = map->size < SYNC_PREFAULT_LIMIT ? map->size : SYNC_PREFAULT_LIMIT;

    for (uint64_t off = 0; off < end; off += PAGE_SIZE_LEAST) {
        uint64_t *word = (uint64_t *)(void *)(base + off);
        if (is_writable)
            (void)gyre_compare_exchange_64(word, 0, 0);
        else
            (void)gyre_load_relaxed_64(word);
    }
}

#endif
