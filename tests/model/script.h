/*
 * script.h - bytes to operations: runs a script against a real ring and the oracle, step by step.
 *
 * Any bytes are a script, so that a fuzzer can write it.  Random bytes make a good one: the usual
 * operations are frequent and every boundary size has a code.
 */
#ifndef GYRE_TESTS_SCRIPT_H
#define GYRE_TESTS_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include <gyre/gyre.h>

/*
 * Creates a ring with `options` (all of it non-zero but first_pos and flags), runs the script and
 * closes everything.  NULL: ring and oracle agree.  Otherwise a sentence with the step and what
 * differs, valid until the next call.
 */
const char *script_run(const struct gyre_ring_options *options, const uint8_t *bytes, size_t size);

/* The options that two bytes choose: 4 to 64 KiB, each alignment, positions near each boundary. */
struct gyre_ring_options script_options(uint8_t geometry, uint8_t seats);
#define SCRIPT_GEOMETRIES 120u /* script_options differ for geometry 0 to 119 */

#endif
