/* SPDX-License-Identifier: MIT
 * lib/learn/data/linear.c: normal features; the class of a row is the largest
 * of as many random linear functions of it.
 *
 * Row i depends on (seed, part, i) alone, the functions on the seed. */
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "learn/data/source.h"

/* The stream of the functions; those of rows have a part below. */
#define STREAM_MAP 0xffffffffu

typedef struct making {
    uint64_t seed;
    int32_t part;
    int64_t rows, features, classes;
    const double *map; /* [features][classes] */
    double *sums;      /* [tasks][classes] */
    float *x;
    int32_t *y;
} making;

#define ROWS_A_TASK 256

static void make_row(const making *m, int64_t row, double *sums)
{
    float *x = m->x + row * m->features;
    int64_t j, c, best = 0;
    moi_rng rng;

    moi_source_row_rng(&rng, m->seed, m->part, row);
    memset(sums, 0, (size_t)m->classes * sizeof(*sums));
    for (j = 0; j < m->features; j++) {
        x[j] = (float)moi_rng_normal(&rng);
        for (c = 0; c < m->classes; c++)
            sums[c] += (double)x[j] * m->map[j * m->classes + c];
    }
    for (c = 1; c < m->classes; c++)
        if (sums[c] > sums[best])
            best = c;
    m->y[row] = (int32_t)best;
}

static void make_rows(void *work, int64_t task)
{
    const making *m = work;
    int64_t i, end = (task + 1) * ROWS_A_TASK;

    for (i = task * ROWS_A_TASK; i < end && i < m->rows; i++)
        make_row(m, i, m->sums + task * m->classes);
}

static int32_t make(mopt_context *ctx, making *m)
{
    int64_t i, size, tasks = (m->rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
    int32_t rc = moi_multiply(m->features, m->classes, "features times "
                              "classes", &size);
    double *map = rc ? NULL : moi_alloc(ctx, size, sizeof(*map));
    moi_rng rng;

    if (!map)
        return rc ? rc : MOPT_ENOMEM;
    m->sums = moi_alloc(ctx, tasks * m->classes, sizeof(*m->sums));
    if (m->sums) {
        moi_rng_init(&rng, m->seed, STREAM_MAP, MOI_RNG_GENERATE, 0);
        for (i = 0; i < size; i++)
            map[i] = moi_rng_normal(&rng);
        m->map = map;
        /* Without threads the rows are made by this one all the same. */
        moi_parallel(ctx, tasks, 0, make_rows, m);
    }
    moi_free(ctx, map);
    moi_free(ctx, m->sums);
    return m->sums ? MOPT_OK : MOPT_ENOMEM;
}

static int32_t load(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out)
{
    moi_store *store = NULL;
    making m = {0};
    int32_t rc = moi_source_count(config, part, &m.rows);

    m.seed = (uint64_t)moi_config_int(config, "source.seed");
    m.part = part;
    m.features = moi_config_int(config, "source.features");
    m.classes = moi_config_int(config, "source.classes");
    if (!rc)
        rc = moi_store_create(ctx, &store);
    if (!rc)
        rc = moi_store_reserve(store, m.rows, m.features, MOPT_F32);
    if (!rc) {
        store->own_labels = moi_alloc(ctx, m.rows, sizeof(*m.y));
        rc = store->own_labels ? MOPT_OK : MOPT_ENOMEM;
    }
    if (!rc) {
        store->labels = m.y = store->own_labels;
        m.x = store->own_cells;
        rc = make(ctx, &m);
    }
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    store->target = MOPT_TARGET_CLASS;
    store->label_type = MOPT_I32;
    store->targets = m.classes;
    *out = store;
    return MOPT_OK;
}

static const moi_key keys[] = {
    MOI_INT("count", 20000, 1, 1e9, "rows"),
    MOI_INT("test_count", 0, 0, 1e9, "other rows to test on"),
    MOI_INT("features", 100, 1, 1e6, "numbers a row"),
    MOI_INT("classes", 10, 2, 1e5, "linear functions, and classes"),
    MOI_INT("seed", 0, 0, 0, "of functions and rows"),
    MOI_KEYS_END,
};

const moi_source moi_source_linear = {
    {"linear", "normal numbers, classes by random linear functions", keys},
    load,
};
