/*
 * hostile.h - a peer that writes shared words at chosen moments, by script, alike at each replay.
 *
 * The engine is compiled so that it calls gyre_atomic_step before each of its atomic accesses.  A
 * flip waits for the n-th access to the maps, then changes one word of the area it may write: any
 * word, or the very word that is about to be accessed, which is how a double fetch is found.  What
 * the fuzzer cannot reach: changes between the plain reads of a payload.
 */
#ifndef GYRE_FUZZ_HOSTILE_H
#define GYRE_FUZZ_HOSTILE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *bytes;
    size_t         size;
};

/* The next bytes as a number, zeros behind the end. */
uint64_t take_bytes(struct input *input, uint32_t count);

struct area {
    unsigned char *base;
    uint64_t       size;
};

/*
 * Forgets all flips.  `written` is what the peer may write; accesses to it and to `other` count.
 * `touched` is told each word that changes, by its offset; it may be NULL.
 */
void hostile_begin(struct area written, struct area other, void (*touched)(uint64_t offset));

/* Words are often changed to a number near this one, such as the end of what is published. */
void hostile_hint(uint64_t number);

/* A flip at once; a flip that waits. */
void hostile_flip(struct input *input);
void hostile_arm(struct input *input);

/* Before each call of the library: it may make so many accesses, and no more. */
void hostile_call(void);

/* True if the calls so far were so long that another input is worth more than their sequel. */
bool hostile_is_spent(void);

/*
 * The caller's process dies at the n-th access from now: control goes to the jmp_buf.  0 accesses:
 * it lives on.
 */
void hostile_die(uint32_t accesses, jmp_buf *grave);

/* Ends the run as a finding. */
__attribute__((noreturn)) void hostile_found(const char *what);

#define HOSTILE_CHECK(condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            hostile_found(#condition);                                                             \
    } while (0)

#endif
