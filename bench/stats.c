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

/* Between two values, in proportion. */
double stats_quantile(const double *values, uint32_t count, double share)
{
    double   sorted[CONTEST_ROUNDS_MAX];
    double   rank = count == 0 ? 0 : share * (count - 1);
    uint32_t below = (uint32_t)rank;

    if (count == 0 || count > CONTEST_ROUNDS_MAX)
        return NAN;
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (rank - below);
}

double stats_median(const double *values, uint32_t count)
{
    return stats_quantile(values, count, 0.5);
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
