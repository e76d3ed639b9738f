/*
 * clock.c - CLOCK_MONOTONIC, common to all processes of the machine.
 */
#include "site.h"

#define NS_PER_S UINT64_C(1000000000)

struct timespec clock_timespec(uint64_t ns)
{
    struct timespec time;

    time.tv_sec = (time_t)(ns / NS_PER_S);
    time.tv_nsec = (long)(ns % NS_PER_S);
    return time;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time = {0, 0};

    (void)sync_calls.clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t sync_clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t sync_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sync_clock_sleep_until(uint64_t deadline_ns)
{
    struct timespec deadline = clock_timespec(deadline_ns);

    (void)sync_calls.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline);
}
