/*
 * scenario.h - one way to write a test: Criterion runs it natively, a plain main runs it elsewhere.
 *
 * It knows how a test is declared and how it fails; it knows nothing of rings.  Criterion has no
 * package for MinGW and aborts under ThreadSanitizer, so with GYRE_TEST_PLAIN the same files are
 * compiled with plain_main.c, which runs the scenarios one after another in one process.
 *
 *     SCENARIO(flow, peek_returns_null_on_an_empty_ring)
 *     {
 *         CHECK(gyre_peek(consumer, &size) == NULL);
 *         CHECK_EQ(gyre_consumer_seq(consumer), 0);
 *     }
 *
 * A failed check ends its scenario.  Checks belong to the scenario's own thread: another thread
 * leaves what it saw in a variable, to be checked after the join.
 */
#ifndef GYRE_TESTS_SCENARIO_H
#define GYRE_TESTS_SCENARIO_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef GYRE_TEST_PLAIN

#ifdef __MINGW_PRINTF_FORMAT
#define SCENARIO_FORMAT __MINGW_PRINTF_FORMAT
#else
#define SCENARIO_FORMAT printf
#endif

struct scenario {
    const char      *name; /* suite.name */
    int              line;
    void             (*run)(void);
    struct scenario *next;
};

/* Adds a scenario to those that main runs, in the order of their lines. */
void scenario_enlist(struct scenario *scenario);

/* Ends the running scenario as failed, or as left out. */
__attribute__((noreturn, format(SCENARIO_FORMAT, 3, 4)))
void scenario_fail(const char *file, int line, const char *format, ...);
__attribute__((noreturn)) void scenario_skip(const char *reason);

#define SCENARIO(suite, name)                                                                      \
    static void scenario_run_##suite##_##name(void);                                               \
    static struct scenario scenario_##suite##_##name = {#suite "." #name, __LINE__,                \
                                                        scenario_run_##suite##_##name, NULL};      \
    __attribute__((constructor)) static void scenario_enlist_##suite##_##name(void)                \
    {                                                                                              \
        scenario_enlist(&scenario_##suite##_##name);                                               \
    }                                                                                              \
    static void scenario_run_##suite##_##name(void)

#define SCENARIO_ASSERT(condition, ...)                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            scenario_fail(__FILE__, __LINE__, __VA_ARGS__);                                        \
    } while (0)

#define SKIP_SCENARIO(reason) scenario_skip(reason)

#else

#include <criterion/criterion.h>

#define SCENARIO(suite, name) Test(suite, name)
#define SCENARIO_ASSERT(condition, ...) cr_assert(condition, __VA_ARGS__)
#define SKIP_SCENARIO(reason) cr_skip_test(reason)

#endif

#define CHECK(expression) SCENARIO_ASSERT((expression), "%s", #expression)

/* Compares integers of any width as 64-bit ones. */
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        uint64_t check_a_ = (uint64_t)(a);                                                         \
        uint64_t check_b_ = (uint64_t)(b);                                                         \
        SCENARIO_ASSERT(check_a_ == check_b_, "%s is %lld (0x%llx), but %s is %lld (0x%llx)", #a,  \
                        (long long)check_a_, (unsigned long long)check_a_, #b,                     \
                        (long long)check_b_, (unsigned long long)check_b_);                        \
    } while (0)

/* Compares strings; a NULL equals nothing. */
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *check_a_ = (a);                                                                \
        const char *check_b_ = (b);                                                                \
        SCENARIO_ASSERT(check_a_ != NULL && check_b_ != NULL && strcmp(check_a_, check_b_) == 0,   \
                        "%s is \"%s\", but %s is \"%s\"", #a,                                      \
                        check_a_ != NULL ? check_a_ : "NULL", #b,                                  \
                        check_b_ != NULL ? check_b_ : "NULL");                                     \
    } while (0)

#endif
