/* stats.c - medians and percentiles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double stats_median(const double *values, uint32_t count)
{
    double sorted[CONTEST_ROUNDS_MAX];
    if (count == 0 || count > CONTEST_ROUNDS_MAX || !stats_is_known(values[0]))
        return NAN;
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

double stats_min(const double *values, uint32_t count)
{
    double least = count > 0 ? values[0] : NAN;
    for (uint32_t i = 1; i < count; i++)
        least = fmin(least, values[i]);
    return least;
}

double stats_max(const double *values, uint32_t count)
{
    double most = count > 0 ? values[0] : NAN;
    for (uint32_t i = 1; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

void stats_sort(uint32_t *samples, uint32_t count)
{
    qsort(samples, count, sizeof(*samples), compare_samples);
}

double stats_percentile(const uint32_t *sorted, uint32_t count, double share)
{
    double rank = ceil(share * count);
    if (count == 0)
        return NAN;
    return sorted[rank < 1 ? 0 : (uint32_t)rank - 1];
}
