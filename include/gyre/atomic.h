/*
 * atomic.h - the verbs that order memory, named by their ordering.
 *
 * It is the only file that knows how an atomic access is made: the shipped body is Concurrency
 * Kit's ck_pr.h; with GYRE_ATOMIC_BUILTIN it is the compiler's __atomic builtins, for
 * ThreadSanitizer (which cannot see CK's assembly) and for 32-bit x86 (where CK has no plain 64-bit
 * load); with GYRE_ATOMIC_WEAVE it is the scheduler of tests/weave, which decides at each verb who
 * runs next.  Which access needs which verb is argued in fast.h and nowhere else.
 *
 * "Relaxed" means a single access that is not torn and not optimised away, with no order; x86 gives
 * acquire and release to every plain load and store, so on it these verbs only hold the compiler
 * back.  The full fence is a locked no-op, not mfence: mfence costs about twice as much.
 */
#ifndef GYRE_ATOMIC_H
#define GYRE_ATOMIC_H

#include <stdint.h>

#if defined(__i386__) && !defined(GYRE_ATOMIC_BUILTIN)
#define GYRE_ATOMIC_BUILTIN 1
#endif

/*
 * gyre_compare_exchange_pair: two neighbouring words, aligned to 16 bytes, at once; nonzero if it
 * replaced them.  A full fence.  Not there on 32-bit machines.
 */
#if defined(__x86_64__) || defined(__aarch64__)
#define GYRE_HAS_PAIRS 1
#endif

#ifdef GYRE_ATOMIC_WEAVE

/* Each is a step of the scheduler, which keeps the store buffers too.  `bits` is 32 or 64. */
uint64_t gyre_weave_load(const void *word, unsigned bits, int is_acquire);
void     gyre_weave_store(void *word, unsigned bits, uint64_t value, int is_release);
uint64_t gyre_weave_exchange(void *word, unsigned bits, uint64_t value);
uint64_t gyre_weave_compare_exchange(uint64_t *word, uint64_t expected, uint64_t desired);
uint32_t gyre_weave_compare_exchange_32(uint32_t *word, uint32_t expected, uint32_t desired);
int      gyre_weave_compare_exchange_pair(uint64_t pair[2], const uint64_t expected[2],
                                          const uint64_t desired[2]);
uint64_t gyre_weave_update(uint64_t *word, uint64_t kept, uint64_t added);
void     gyre_weave_fence(int is_full);
void     gyre_weave_pause(void);

#define GYRE_ATOMIC_VERBS(bits)                                                                    \
    static inline uint##bits##_t gyre_load_relaxed_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        return (uint##bits##_t)gyre_weave_load(word, bits, 0);                                     \
    }                                                                                              \
    static inline uint##bits##_t gyre_load_acquire_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        return (uint##bits##_t)gyre_weave_load(word, bits, 1);                                     \
    }                                                                                              \
    static inline void gyre_store_relaxed_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        gyre_weave_store(word, bits, value, 0);                                                    \
    }                                                                                              \
    static inline void gyre_store_release_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        gyre_weave_store(word, bits, value, 1);                                                    \
    }                                                                                              \
    static inline uint##bits##_t gyre_exchange_##bits(uint##bits##_t *word, uint##bits##_t value)  \
    {                                                                                              \
        return (uint##bits##_t)gyre_weave_exchange(word, bits, value);                             \
    }

GYRE_ATOMIC_VERBS(32)
GYRE_ATOMIC_VERBS(64)
#undef GYRE_ATOMIC_VERBS

static inline uint64_t gyre_compare_exchange_64(uint64_t *word, uint64_t expected, uint64_t desired)
{
    return gyre_weave_compare_exchange(word, expected, desired);
}

static inline uint32_t gyre_compare_exchange_32(uint32_t *word, uint32_t expected, uint32_t desired)
{
    return gyre_weave_compare_exchange_32(word, expected, desired);
}

static inline int gyre_compare_exchange_pair(uint64_t pair[2], const uint64_t expected[2],
                                             const uint64_t desired[2])
{
    return gyre_weave_compare_exchange_pair(pair, expected, desired);
}

static inline void gyre_or_64(uint64_t *word, uint64_t bits)
{
    (void)gyre_weave_update(word, UINT64_MAX, bits);
}

static inline void gyre_and_64(uint64_t *word, uint64_t bits)
{
    (void)gyre_weave_update(word, bits, 0);
}

static inline void gyre_fence_acquire(void)
{
    gyre_weave_fence(0);
}

static inline void gyre_fence_release(void)
{
    gyre_weave_fence(0);
}

static inline void gyre_fence_full(void)
{
    gyre_weave_fence(1);
}

static inline void gyre_pause(void)
{
    gyre_weave_pause();
}

static inline void gyre_prefetch_write(const void *line)
{
    (void)line;
}

#elif defined(GYRE_ATOMIC_BUILTIN)

static inline void gyre_prefetch_write(const void *line)
{
    __builtin_prefetch(line, 1);
}

/* Before each access; the fuzz targets let a hostile peer write there and then. */
#ifdef GYRE_ATOMIC_HOOK
void gyre_atomic_step(const void *word);
#define GYRE_ATOMIC_STEP(word) gyre_atomic_step(word)
#else
#define GYRE_ATOMIC_STEP(word) ((void)0)
#endif

#define GYRE_ATOMIC_VERBS(bits)                                                                    \
    static inline uint##bits##_t gyre_load_relaxed_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        GYRE_ATOMIC_STEP(word);                                                                    \
        return __atomic_load_n(word, __ATOMIC_RELAXED);                                            \
    }                                                                                              \
    static inline uint##bits##_t gyre_load_acquire_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        GYRE_ATOMIC_STEP(word);                                                                    \
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);                                            \
    }                                                                                              \
    static inline void gyre_store_relaxed_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        GYRE_ATOMIC_STEP(word);                                                                    \
        __atomic_store_n(word, value, __ATOMIC_RELAXED);                                           \
    }                                                                                              \
    static inline void gyre_store_release_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        GYRE_ATOMIC_STEP(word);                                                                    \
        __atomic_store_n(word, value, __ATOMIC_RELEASE);                                           \
    }                                                                                              \
    static inline uint##bits##_t gyre_exchange_##bits(uint##bits##_t *word, uint##bits##_t value)  \
    {                                                                                              \
        GYRE_ATOMIC_STEP(word);                                                                    \
        return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);                                 \
    }

GYRE_ATOMIC_VERBS(32)
GYRE_ATOMIC_VERBS(64)
#undef GYRE_ATOMIC_VERBS

/* Replaces `*word` by `desired` if it is `expected`; returns what was there.  A full fence. */
static inline uint64_t gyre_compare_exchange_64(uint64_t *word, uint64_t expected, uint64_t desired)
{
    GYRE_ATOMIC_STEP(word);
    __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

static inline uint32_t gyre_compare_exchange_32(uint32_t *word, uint32_t expected, uint32_t desired)
{
    GYRE_ATOMIC_STEP(word);
    __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

/* Sets or clears bits.  A full fence. */
static inline void gyre_or_64(uint64_t *word, uint64_t bits)
{
    GYRE_ATOMIC_STEP(word);
    (void)__atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static inline void gyre_and_64(uint64_t *word, uint64_t bits)
{
    GYRE_ATOMIC_STEP(word);
    (void)__atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

#if defined(__SANITIZE_THREAD__)
#define GYRE_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GYRE_UNDER_TSAN 1
#endif
#endif

#ifdef GYRE_HAS_PAIRS
#if defined(__x86_64__) && defined(__clang__)
__attribute__((target("cx16"), noinline)) /* inlined, it would forget that it may use cx16 */
#elif defined(__x86_64__)
__attribute__((target("cx16")))
#endif
static inline int
gyre_compare_exchange_pair(uint64_t pair[2], const uint64_t expected[2], const uint64_t desired[2])
{
    __extension__ typedef unsigned __int128 both;
    both                                    was = (both)expected[1] << 64 | expected[0];
    both                                    next = (both)desired[1] << 64 | desired[0];
    GYRE_ATOMIC_STEP(pair);
#ifdef GYRE_UNDER_TSAN
    return __atomic_compare_exchange_n((both *)(void *)pair, &was, next, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
#else
    return __sync_bool_compare_and_swap((both *)(void *)pair, was, next);
#endif
}
#endif

static inline void gyre_fence_acquire(void)
{
#ifndef GYRE_UNDER_TSAN /* it knows no fences, and gcc refuses to compile them */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

static inline void gyre_fence_release(void)
{
#ifndef GYRE_UNDER_TSAN
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

static inline void gyre_fence_full(void)
{
    uint32_t here = 0;
    (void)__atomic_fetch_or(&here, 0, __ATOMIC_SEQ_CST);
#ifndef GYRE_UNDER_TSAN
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void gyre_pause(void)
{
#if defined(GYRE_ATOMIC_HOOK)
    __asm__ __volatile__("" ::: "memory"); /* nobody runs meanwhile */
#elif defined(__i386__) || defined(__x86_64__)
    __asm__ __volatile__("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#else

#include <ck_pr.h>

/* x86's locked instructions are full fences already. */
static inline void gyre_fence_after_atomic(void)
{
#ifndef __x86_64__
    ck_pr_fence_memory();
#endif
}

#define GYRE_ATOMIC_VERBS(bits)                                                                    \
    static inline uint##bits##_t gyre_load_relaxed_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        return ck_pr_load_##bits(word);                                                            \
    }                                                                                              \
    static inline uint##bits##_t gyre_load_acquire_##bits(const uint##bits##_t *word)              \
    {                                                                                              \
        uint##bits##_t value = ck_pr_load_##bits(word);                                            \
        ck_pr_fence_acquire();                                                                     \
        return value;                                                                              \
    }                                                                                              \
    static inline void gyre_store_relaxed_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        ck_pr_store_##bits(word, value);                                                           \
    }                                                                                              \
    static inline void gyre_store_release_##bits(uint##bits##_t *word, uint##bits##_t value)       \
    {                                                                                              \
        ck_pr_fence_release();                                                                     \
        ck_pr_store_##bits(word, value);                                                           \
    }                                                                                              \
    static inline uint##bits##_t gyre_exchange_##bits(uint##bits##_t *word, uint##bits##_t value)  \
    {                                                                                              \
        uint##bits##_t was = ck_pr_fas_##bits(word, value);                                        \
        gyre_fence_after_atomic();                                                                 \
        return was;                                                                                \
    }

GYRE_ATOMIC_VERBS(32)
GYRE_ATOMIC_VERBS(64)
#undef GYRE_ATOMIC_VERBS

static inline void gyre_fence_acquire(void)
{
    ck_pr_fence_acquire();
}

static inline void gyre_fence_release(void)
{
    ck_pr_fence_release();
}

static inline void gyre_fence_full(void)
{
#if defined(__x86_64__)
    uint32_t here = 0;
    ck_pr_or_32(&here, 0);
#else
    ck_pr_fence_memory();
#endif
}

/* Replaces `*word` by `desired` if it is `expected`; returns what was there.  A full fence. */
static inline uint64_t gyre_compare_exchange_64(uint64_t *word, uint64_t expected, uint64_t desired)
{
    uint64_t was;
    gyre_fence_after_atomic();
    (void)ck_pr_cas_64_value(word, expected, desired, &was);
    gyre_fence_after_atomic();
    return was;
}

static inline uint32_t gyre_compare_exchange_32(uint32_t *word, uint32_t expected, uint32_t desired)
{
    uint32_t was;
    gyre_fence_after_atomic();
    (void)ck_pr_cas_32_value(word, expected, desired, &was);
    gyre_fence_after_atomic();
    return was;
}

/* Sets or clears bits.  A full fence. */
static inline void gyre_or_64(uint64_t *word, uint64_t bits)
{
    ck_pr_or_64(word, bits);
    gyre_fence_after_atomic();
}

static inline void gyre_and_64(uint64_t *word, uint64_t bits)
{
    ck_pr_and_64(word, bits);
    gyre_fence_after_atomic();
}

#ifdef GYRE_HAS_PAIRS
static inline int gyre_compare_exchange_pair(uint64_t pair[2], const uint64_t expected[2],
                                             const uint64_t desired[2])
{
    uint64_t was[2] = {expected[0], expected[1]};
    uint64_t next[2] = {desired[0], desired[1]};
    int      is_done;
    gyre_fence_after_atomic();
    is_done = ck_pr_cas_64_2(pair, was, next);
    gyre_fence_after_atomic();
    return is_done;
}
#endif

static inline void gyre_pause(void)
{
    ck_pr_stall();
}

/*
 * Asks for a line that will be written, from whoever has it; never faults.  gcc's builtin only asks
 * to read it unless it is told that the CPU has prefetchw; one that has not ignores it.
 */
static inline void gyre_prefetch_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw %0" ::"m"(*(const unsigned char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

#endif

/*
 * Eight words, aligned to 64 bytes, become zero: relaxed stores, in no order.  With Concurrency Kit
 * they are as wide as the compiler has any; no word is torn.
 */
static inline void gyre_store_relaxed_zeros(uint64_t words[8])
{
#if defined(GYRE_ATOMIC_WEAVE) || defined(GYRE_ATOMIC_BUILTIN)
    for (uint32_t i = 0; i < 8; i++)
        gyre_store_relaxed_64(words + i, 0);
#else
    __builtin_memset(__builtin_assume_aligned(words, 64), 0, 64);
#endif
}

#endif
