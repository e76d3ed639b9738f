/*
 * steps.h - makes a process die at its n-th system call.
 *
 * Every call that the library makes goes through sync_calls; here each entry is replaced by one
 * that counts, and that kills the process before or after the call whose turn it is.
 */
#ifndef GYRE_TESTS_STEPS_H
#define GYRE_TESTS_STEPS_H

#include <stdbool.h>
#include <stdint.h>

/* From now on.  Step 0 never comes: the calls are only counted. */
void steps_arm(uint64_t step, bool is_after);

/* How many calls have been made since. */
uint64_t steps_count(void);

/* Linux: the file system knows no unnamed files. */
void steps_refuse_tmpfile(void);

/* Windows: every section this process makes stays open in the process with this number. */
void steps_leave_sections_to(uint32_t process_id, uint64_t handles[4]);

#endif
