/*
 * pages.h - sync_map_prefault, which is the same on both sides.
 */
#ifndef GYRE_SYNC_PAGES_H
#define GYRE_SYNC_PAGES_H

#include <gyre/atomic.h>

#include "sync.h"

#define PAGE_SIZE_LEAST 4096u

/* A writer's or with zero is a store of what is there, also while others write. */
static inline void pages_touch(const struct sync_map *map, bool is_writable)
{
    unsigned char *base = map->base;

    if (map->size > SYNC_PREFAULT_LIMIT)
        return;
    for (uint64_t off = 0; off < map->size; off += PAGE_SIZE_LEAST) {
        uint64_t *word = (uint64_t *)(void *)(base + off);
        if (is_writable)
            gyre_or_64(word, 0);
        else
            (void)gyre_load_relaxed_64(word);
    }
}

#endif
