/*
 * fuzz_ops.c - bytes are operations on a real ring; the oracle knows what each must do.
 *
 * The first two bytes choose the ring, the others are the script: tests/model/script.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A step may fill the ring: a long script is worth its time only on a small one. */
#define BYTES_MAX (UINT64_C(1) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gyre_ring_options options;
    const char              *difference;
    uint64_t                 length;

    if (size < 3)
        return 0;
    options = script_options(data[0] % SCRIPT_GEOMETRIES, data[1]);
    length = size - 2 < BYTES_MAX / options.capacity ? size - 2 : BYTES_MAX / options.capacity;
    difference = script_run(&options, data + 2, length);
    if (difference != NULL) {
        fprintf(stderr, "%s\n", difference);
        abort();
    }
    return 0;
}
