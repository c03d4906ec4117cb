/* SPDX-License-Identifier: MIT
 * lib/search/trial/points.c: the points that a study has drawn already. */
#include "search/trial/points.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

int32_t moi_points_init(moi_points *points, const moi_history *history)
{
    memset(points, 0, sizeof(*points));
    points->history = history;
    points->point = moi_alloc(history->ctx, history->space->count,
                              sizeof(double));
    return points->point ? MOPT_OK : MOPT_ENOMEM;
}

void moi_points_clear(moi_points *points)
{
    if (!points->history)
        return;
    moi_free(points->history->ctx, points->rows);
    moi_free(points->history->ctx, points->open);
    moi_free(points->history->ctx, points->point);
}

/* FNV-1a over the bits, finished by the mixer of splitmix64 (Steele, Lea,
 * Flood 2014). Every NaN is the same: the parameter does not exist. */
static uint64_t hash_point(const moi_points *points, const double *point)
{
    const int64_t count = points->history->space->count;
    uint64_t hash = UINT64_C(14695981039346656037), bits;
    int64_t p;

    for (p = 0; p < count; p++) {
        const double value = isnan(point[p]) ? NAN : point[p] + 0.0;

        memcpy(&bits, &value, sizeof(bits));
        if (isnan(value))
            bits = 1;
        hash = (hash ^ bits) * UINT64_C(1099511628211);
        hash ^= hash >> 29;
    }
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94D049BB133111EB);
    return hash ^ (hash >> 31);
}

static int32_t same(const moi_points *points, int64_t row,
                    const double *point)
{
    const moi_history *history = points->history;
    int64_t p;

    for (p = 0; p < history->space->count; p++) {
        const double value = history->params[p][row];

        if (value != point[p] && !(isnan(value) && isnan(point[p])))
            return 0;
    }
    return 1;
}

/* The slot of a point: where it stands, or the free one where it belongs. */
static int64_t find_slot(const moi_points *points, const double *point)
{
    const uint64_t mask = (uint64_t)points->size - 1;
    uint64_t at = hash_point(points, point) & mask;

    while (points->rows[at] && !same(points, points->rows[at] - 1, point))
        at = (at + 1) & mask;
    return (int64_t)at;
}

static int32_t grow(moi_points *points)
{
    mopt_context *ctx = points->history->ctx;
    const int64_t old_size = points->size;
    int64_t *old = points->rows;
    int64_t i, size = old_size ? 2 * old_size : 64;
    int64_t *rows = moi_calloc(ctx, size, sizeof(*rows));
    double *point;

    if (!rows)
        return MOPT_ENOMEM;
    points->rows = rows;
    points->size = size;
    point = points->point;
    for (i = 0; i < old_size; i++) {
        if (!old[i])
            continue;
        moi_history_point(points->history, old[i] - 1, point);
        rows[find_slot(points, point)] = old[i];
    }
    moi_free(ctx, old);
    return MOPT_OK;
}

/* Put a row's point into the table if it is one of the space. */
static int32_t add_row(moi_points *points, int64_t row, int32_t *complete)
{
    int64_t slot;

    if (2 * (points->count + 1) > points->size && grow(points))
        return MOPT_ENOMEM;
    moi_history_point(points->history, row, points->point);
    *complete = moi_space_holds(points->history->space, points->point);
    if (!*complete)
        return MOPT_OK;
    slot = find_slot(points, points->point);
    if (!points->rows[slot]) {
        points->rows[slot] = row + 1;
        points->count++;
    }
    return MOPT_OK;
}

/* Look again at the rows that were not complete. */
static int32_t update_open(moi_points *points)
{
    int64_t i, kept = 0;
    int32_t complete, rc = MOPT_OK;

    for (i = 0; i < points->open_count; i++) {
        const int64_t row = points->open[i];

        complete = 0;
        if (!rc)
            rc = add_row(points, row, &complete);
        if (rc || (!complete && moi_history_is_open(points->history, row)))
            points->open[kept++] = row;
    }
    points->open_count = kept;
    return rc;
}

int32_t moi_points_update(moi_points *points)
{
    const moi_history *history = points->history;
    int32_t complete, rc = update_open(points);

    for (; !rc && points->seen < history->count; points->seen++) {
        rc = moi_grow(history->ctx, (void **)&points->open,
                      &points->open_capacity, points->open_count + 1,
                      sizeof(int64_t));
        if (!rc)
            rc = add_row(points, points->seen, &complete);
        if (rc)
            break;
        if (!complete && moi_history_is_open(history, points->seen))
            points->open[points->open_count++] = points->seen;
    }
    return rc;
}

int32_t moi_points_have(const moi_points *points, const double *point)
{
    return points->size > 0 && points->rows[find_slot(points, point)] != 0;
}
