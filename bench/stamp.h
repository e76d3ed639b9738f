/*
 * stamp.h - the time stamps of timed passes: the CPU's time-stamp counter where there is one.
 *
 * `lfence; rdtsc` costs some 10 ns and no system call, which a clock does under Wine.  The bench
 * measures once how many nanoseconds a stamp is worth.  Only differences taken on one core are
 * used.
 */
#ifndef GYRE_BENCH_STAMP_H
#define GYRE_BENCH_STAMP_H

#include <stdint.h>

#include "host.h"

#if defined(__x86_64__) || defined(__i386__)
#define STAMP_NAME "lfence; rdtsc"
static inline uint64_t stamp_now(void)
{
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
}
#else
#define STAMP_NAME "monotonic clock"
static inline uint64_t stamp_now(void)
{
    return host_now_ns();
}
#endif

static inline double stamp_worth_ns(void)
{
    uint64_t ns = host_now_ns();
    uint64_t stamp = stamp_now();
    host_sleep_ns(50000000);
    uint64_t ns_after = host_now_ns();
    return (double)(ns_after - ns) / (double)(stamp_now() - stamp);
}

#endif
