/* limit_memcpy.c - how fast one core copies: `count` times `size` bytes between two buffers. */
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "host.h"

static int copy(const struct carrier_pass *pass)
{
    struct job_outcome *outcome = &pass->job->outcome[pass->role];
    unsigned char      *from = malloc(pass->size);
    unsigned char      *to = malloc(pass->size);

    if (from == NULL || to == NULL) {
        free(from);
        free(to);
        return role_fail(pass->job, pass->role, "no memory");
    }
    memset(from, 1, pass->size);
    memset(to, 2, pass->size);
    outcome->begin_ns = host_now_ns();
    for (uint64_t i = 0; i < pass->count; i++) {
        memcpy(to, from, pass->size);
        __asm__ __volatile__("" ::"r"(to), "r"(from) : "memory"); /* every copy is made */
    }
    outcome->end_ns = host_now_ns();
    free(from);
    free(to);
    return 0;
}

const struct carrier limit_memcpy = {
    .name = "limit memcpy",
    .alone = copy,
};
