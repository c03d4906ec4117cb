/* SPDX-License-Identifier: MIT
 * lib/group/pairs.c: sums by pairs of neighbours. */
#include "group/pairs.h"

#include <stddef.h>

static void add(int64_t n, float *restrict to, const float *restrict from)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

void moi_pairs_add(int64_t count, float *const *part, int64_t n)
{
    for (int64_t step = 1; step < count; step *= 2)
        for (int64_t i = 0; i + step < count; i += 2 * step)
            if (part[i] != NULL && part[i + step] != NULL)
                add(n, part[i], part[i + step]);
}

static void add_doubles(int64_t n, double *restrict to,
                        const double *restrict from)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

void moi_pairs_add_doubles(int64_t count, double *const *part, int64_t n)
{
    for (int64_t step = 1; step < count; step *= 2)
        for (int64_t i = 0; i + step < count; i += 2 * step)
            if (part[i] != NULL && part[i + step] != NULL)
                add_doubles(n, part[i], part[i + step]);
}

int64_t moi_pairs_node(int64_t count, int64_t first, int64_t limit)
{
    int64_t width = 1, end;

    /* Nodes begin at multiples of their width; the last ones end early. */
    while (first % (2 * width) == 0 && width < count) {
        end = first + 2 * width < count ? first + 2 * width : count;
        if (end > limit)
            break;
        width *= 2;
    }
    end = first + width < count ? first + width : count;
    return end - first;
}

int64_t moi_pairs_deal(int64_t count, int32_t size, int32_t rank)
{
    return count / size * rank + count % size * rank / size;
}
