/*
 * inbox_win32.h - for contestants that call the receiver back: what came waits here until it is
 * read.  It locks nothing.
 */
#ifndef GYRE_BENCH_INBOX_WIN32_H
#define GYRE_BENCH_INBOX_WIN32_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct inbox {
    unsigned char *bytes; /* what has not been read lies in [begin, end) */
    uint32_t       begin;
    uint32_t       end;
    uint32_t       size;
};

/* 0, or -1: no memory. */
static inline int inbox_put(struct inbox *inbox, const void *message, uint32_t size)
{
    if (inbox->size - inbox->end < size) {
        uint32_t       left = inbox->end - inbox->begin;
        uint32_t       grown_size = 2 * (left + size);
        unsigned char *grown = malloc(grown_size);
        if (grown == NULL)
            return -1;
        if (left != 0)
            memcpy(grown, inbox->bytes + inbox->begin, left);
        free(inbox->bytes);
        *inbox = (struct inbox){grown, 0, left, grown_size};
    }
    memcpy(inbox->bytes + inbox->end, message, size);
    inbox->end += size;
    return 0;
}

static inline int inbox_is_empty(const struct inbox *inbox)
{
    return inbox->begin == inbox->end;
}

static inline const void *inbox_first(const struct inbox *inbox)
{
    return inbox->bytes + inbox->begin;
}

static inline void inbox_drop(struct inbox *inbox, uint32_t size)
{
    inbox->begin += size;
    if (inbox_is_empty(inbox))
        inbox->begin = inbox->end = 0;
}

#endif
