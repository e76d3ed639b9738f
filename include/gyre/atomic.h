/*
 * atomic.h - the verbs that order memory, named by their ordering.
 *
 * It is the only file that knows how an atomic access is made: the shipped body is Concurrency
 * Kit's ck_pr.h; with GYRE_ATOMIC_BUILTIN it is the compiler's __atomic builtins, for
 * ThreadSanitizer (which cannot see CK's assembly) and for 32-bit x86 (where CK has no plain 64-bit
 * load).  Which access needs which verb is argued in fast.h and nowhere else.
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

#ifdef GYRE_ATOMIC_BUILTIN

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

static inline void gyre_pause(void)
{
    ck_pr_stall();
}

#endif

#endif
