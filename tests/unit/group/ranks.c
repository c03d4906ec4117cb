/* SPDX-License-Identifier: MIT
 * tests/unit/group/ranks.c: see ranks.h. */
#include "ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of its own: programs that only have the public headers
 * link this file too. */
float ranks_number(int32_t rank, int64_t i)
{
    uint64_t x = (uint64_t)(rank + 1) * 0x9E3779B97F4A7C15u + (uint64_t)i;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (float)(ldexp((double)(x >> 33), -20 - (int)(i % 9)) - 1);
}

/* The sum by pairs, as group.h says it, written as a recursion. */
static float by_pairs(int32_t first, int32_t width, int32_t size, int64_t i)
{
    if (width == 1)
        return ranks_number(first, i);
    float left = by_pairs(first, width / 2, size, i);
    if (first + width / 2 >= size)
        return left;
    return left + by_pairs(first + width / 2, width / 2, size, i);
}

float ranks_sum(int32_t size, int64_t i)
{
    int32_t width = 1;
    while (width < size)
        width *= 2;
    return by_pairs(0, width, size, i);
}

int32_t ranks_add_up(void *user, mopt_group *g)
{
    int64_t n = *(int64_t *)user;
    float *data = calloc((size_t)n + 1, sizeof *data);
    if (data == NULL)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        data[i] = ranks_number(mopt_group_rank(g), i);
    int32_t rc = mopt_group_all_reduce(g, MOPT_SUM, data, n, NULL);
    for (int64_t i = 0; i < n && rc == MOPT_OK; i += 97)
        if (data[i] != ranks_sum(mopt_group_size(g), i))
            rc = MOPT_EINTERNAL;
    free(data);
    return rc;
}

int32_t ranks_find_extremes(void *user, mopt_group *g)
{
    (void)user;
    float low = (float)mopt_group_rank(g), high = low;
    double sum = mopt_group_rank(g), nan = mopt_group_rank(g) == 1 ? NAN : 0;
    int32_t rc = mopt_group_all_reduce(g, MOPT_MIN, &low, 1, NULL);
    if (rc == MOPT_OK)
        rc = mopt_group_all_reduce(g, MOPT_MAX, &high, 1, NULL);
    if (rc == MOPT_OK)
        rc = mopt_group_all_reduce_double(g, MOPT_SUM, &sum, 1, NULL);
    if (rc == MOPT_OK)
        rc = mopt_group_all_reduce_double(g, MOPT_MAX, &nan, 1, NULL);
    if (rc != MOPT_OK)
        return rc;
    return low == 0 && high == 4 && sum == 10 && isnan(nan) ? MOPT_OK
                                                            : MOPT_EINTERNAL;
}

int32_t ranks_scatter(void *user, mopt_group *g)
{
    (void)user;
    enum { EACH = 33 };
    int32_t size = mopt_group_size(g), rank = mopt_group_rank(g);
    float all[8 * EACH], part[EACH];
    for (int32_t i = 0; i < size * EACH; i++)
        all[i] = ranks_number(rank, i);
    int32_t rc = mopt_group_reduce_scatter(g, MOPT_SUM, all, EACH, part, NULL);
    for (int32_t i = 0; i < EACH && rc == MOPT_OK; i++)
        if (part[i] != ranks_sum(size, rank * EACH + i))
            rc = MOPT_EINTERNAL;
    return rc;
}

/* Numbers of all, from a block of this rank's or in place. */
static int32_t gather(mopt_group *g, int64_t count, int64_t *all, int64_t *part)
{
    int32_t size = mopt_group_size(g), rank = mopt_group_rank(g);
    int64_t salt = part < all || part >= all + size * count ? 7 : -3;
    for (int64_t i = 0; i < count; i++)
        part[i] = salt * (rank * count + i) + 1;
    int32_t rc = mopt_group_all_gather(g, part, count * (int64_t)sizeof *part,
                                       all, NULL);
    for (int64_t i = 0; i < size * count && rc == MOPT_OK; i++)
        if (all[i] != salt * i + 1)
            rc = MOPT_EINTERNAL;
    return rc;
}

int32_t ranks_gather(void *user, mopt_group *g)
{
    (void)user;
    enum { MANY = 10000 };
    static const int64_t counts[] = {1, MANY};
    int64_t *all = calloc((size_t)mopt_group_size(g) + 1,
                          MANY * sizeof *all);
    int64_t *part = all + mopt_group_size(g) * MANY;
    int32_t rc = all != NULL ? MOPT_OK : MOPT_ENOMEM;
    for (int i = 0; i < 2 && rc == MOPT_OK; i++) {
        rc = gather(g, counts[i], all, part);
        if (rc == MOPT_OK)
            rc = gather(g, counts[i], all,
                        all + mopt_group_rank(g) * counts[i]);
    }
    free(all);
    return rc;
}

int32_t ranks_spread(void *user, mopt_group *g)
{
    (void)user;
    for (int32_t root = 0; root < mopt_group_size(g); root++) {
        int64_t data[3] = {-1, -1, -1};
        if (mopt_group_rank(g) == root)
            data[0] = data[1] = data[2] = root + 100;
        int32_t rc = mopt_group_broadcast(g, root, data, sizeof data, NULL);
        if (rc != MOPT_OK || data[0] != root + 100 || data[2] != root + 100)
            return rc != MOPT_OK ? rc : MOPT_EINTERNAL;
    }
    return MOPT_OK;
}

int32_t ranks_pass_on(void *user, mopt_group *g)
{
    (void)user;
    int32_t rank = mopt_group_rank(g), size = mopt_group_size(g), rc;
    int32_t token[2] = {0, 0};
    if (rank == 0) {
        rc = mopt_group_send(g, 1, token, sizeof token, NULL);
        return rc ? rc : mopt_group_receive(g, size - 1, token, sizeof token,
                                            NULL);
    }
    rc = mopt_group_receive(g, rank - 1, token, sizeof token, NULL);
    if (rc == MOPT_OK && token[0] != rank - 1)
        return MOPT_EINTERNAL;
    token[0] = rank;
    return rc ? rc : mopt_group_send(g, (rank + 1) % size, token,
                                     sizeof token, NULL);
}

/* Pairs of ranks are in a row, or a column, and in the whole group at once. */
int32_t ranks_make_mesh(void *user, mopt_group *g)
{
    (void)user;
    int32_t rank = mopt_group_rank(g), rc;
    mopt_group *row = NULL, *column = NULL;
    rc = mopt_group_split(g, rank / 3, rank, &row);
    if (rc == MOPT_OK)
        rc = mopt_group_split(g, rank % 3, -rank, &column);
    if (rc == MOPT_OK && (mopt_group_rank(row) != rank % 3 ||
                          mopt_group_size(row) != 3 ||
                          mopt_group_rank(column) != 1 - rank / 3 ||
                          mopt_group_size(column) != 2))
        rc = MOPT_EINTERNAL;
    for (int32_t i = 0; i < 20 && rc == MOPT_OK; i++) {
        float x = (float)rank, y = (float)rank, z = (float)rank;
        rc = mopt_group_all_reduce(row, MOPT_SUM, &x, 1, NULL);
        if (rc == MOPT_OK)
            rc = mopt_group_all_reduce(column, MOPT_SUM, &y, 1, NULL);
        if (rc == MOPT_OK)
            rc = mopt_group_all_reduce(g, MOPT_SUM, &z, 1, NULL);
        if (rc == MOPT_OK && (x != (float)(rank / 3 * 9 + 3) ||
                              y != (float)(2 * (rank % 3) + 3) || z != 15))
            rc = MOPT_EINTERNAL;
    }
    mopt_group_free(row);
    mopt_group_free(column);
    return rc;
}
