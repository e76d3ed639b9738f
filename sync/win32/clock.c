/*
 * clock.c - QueryPerformanceCounter in nanoseconds, and timers finer than the scheduler's tick.
 *
 * The counter is one for all processors and processes.  A wait's own timeout ends on a tick, up to
 * 15.6 ms late, so whoever has a deadline waits for a timer as well.
 */
#include "site.h"

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u
#define LONGEST_TIMER_NS (3600ull * NS_PER_S)
#define UNIX_EPOCH_FILETIME 116444736000000000ull /* in 100 ns since 1601 */

/* Constant since boot.  A pointer's size is read and written whole, also by 32-bit programs. */
static uint64_t counter_frequency(void)
{
    static volatile uintptr_t cached;
    uintptr_t                 known = cached;
    LARGE_INTEGER             frequency;

    if (known != 0)
        return known;
    sync_calls.QueryPerformanceFrequency(&frequency);
    known = (uintptr_t)frequency.QuadPart;
    if ((uint64_t)known == (uint64_t)frequency.QuadPart)
        cached = known;
    return (uint64_t)frequency.QuadPart;
}

uint64_t sync_clock_now_ns(void)
{
    uint64_t      frequency = counter_frequency();
    LARGE_INTEGER counter;

    sync_calls.QueryPerformanceCounter(&counter);
    uint64_t count = (uint64_t)counter.QuadPart;
    return count / frequency * NS_PER_S + count % frequency * NS_PER_S / frequency;
}

uint64_t sync_clock_wall_ns(void)
{
    FILETIME now;

    sync_calls.GetSystemTimePreciseAsFileTime(&now);
    uint64_t ticks = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
    return (ticks - UNIX_EPOCH_FILETIME) * 100;
}

DWORD sync_clock_ms_until(uint64_t deadline_ns)
{
    uint64_t now_ns = sync_clock_now_ns();

    if (deadline_ns == UINT64_MAX)
        return INFINITE;
    if (deadline_ns <= now_ns)
        return 0;
    uint64_t ms = (deadline_ns - now_ns - 1) / NS_PER_MS + 1;
    return ms < INT32_MAX ? (DWORD)ms : (DWORD)INT32_MAX;
}

bool sync_clock_arm(HANDLE *timer, uint64_t deadline_ns)
{
    const DWORD   access = SYNCHRONIZE | TIMER_MODIFY_STATE;
    uint64_t      now_ns = sync_clock_now_ns();
    LARGE_INTEGER due;

    if (deadline_ns <= now_ns || deadline_ns - now_ns > LONGEST_TIMER_NS)
        return false;
    if (*timer == NULL)
        *timer = sync_calls.CreateWaitableTimerExW(NULL, NULL,
                                                   CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, access);
    if (*timer == NULL) /* before Windows 10 1803 */
        *timer = sync_calls.CreateWaitableTimerExW(NULL, NULL, 0, access);
    if (*timer == NULL)
        return false;
    due.QuadPart = -(LONGLONG)((deadline_ns - now_ns + 99) / 100); /* negative: from now */
    return sync_calls.SetWaitableTimer(*timer, &due, 0, NULL, NULL, FALSE);
}

void sync_clock_sleep_until(uint64_t deadline_ns)
{
    HANDLE timer = NULL;

    while (sync_clock_now_ns() < deadline_ns) {
        DWORD ms = sync_clock_ms_until(deadline_ns);
        if (!sync_clock_arm(&timer, deadline_ns) ||
            sync_calls.WaitForSingleObject(timer, ms) == WAIT_FAILED)
            sync_calls.Sleep(ms);
    }
    if (timer != NULL)
        sync_calls.CloseHandle(timer);
}
