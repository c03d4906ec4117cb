/* SPDX-License-Identifier: MIT
 * lib/learn/data/split.c: train, validation and test parts; folds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "learn/data/classes.h"
#include "learn/data/source.h"

#define PARTS 3 /* MOPT_PART_* */

/* Streams of MOI_RNG_SPLIT. */
#define STREAM_SPLIT 0
#define STREAM_FOLD 1

/* Rows of the view in the order in which they are dealt out. */
static int64_t *make_order(const mopt_dataset *data, int32_t shuffle,
                           int64_t seed, uint32_t stream)
{
    int64_t i, *order = moi_alloc(data->store->ctx, data->rows,
                                  sizeof(*order));
    moi_rng rng;

    for (i = 0; order && i < data->rows; i++)
        order[i] = i;
    if (order && shuffle) {
        moi_rng_init(&rng, (uint64_t)seed, 0, MOI_RNG_SPLIT, stream);
        moi_rng_shuffle(&rng, order, data->rows);
    }
    return order;
}

static int64_t class_of(const mopt_dataset *data, int64_t i)
{
    return moi_store_class(data->store, moi_dataset_row(data, i));
}

/* A share of the rows, or a number of rows from 1 on. */
static int32_t count_part(const mopt_dataset *data, const mopt_config *config,
                          const char *key, int64_t *count)
{
    char text[MOI_NUMBER_SIZE];
    double wanted = moi_config_float(config, key);
    double rows = (double)data->rows;

    if (wanted >= 1 && wanted != floor(wanted))
        return moi_fail(MOPT_EINVAL, "%s is %s; a share below 1 or a whole "
                        "number of rows is needed", key,
                        moi_number_text(wanted, text));
    if (wanted >= rows)
        return moi_fail(MOPT_EINVAL, "%s is %s, but there are %lld rows in "
                        "all", key, moi_number_text(wanted, text),
                        (long long)data->rows);
    *count = (int64_t)(wanted < 1 ? floor(wanted * rows + 0.5) : wanted);
    return MOPT_OK;
}

static int32_t count_parts(const mopt_dataset *data,
                           const mopt_config *config, int64_t sizes[PARTS])
{
    int32_t rc = count_part(data, config, "split.validation",
                            &sizes[MOPT_PART_VALIDATION]);

    if (!rc)
        rc = count_part(data, config, "split.test", &sizes[MOPT_PART_TEST]);
    if (rc)
        return rc;
    sizes[MOPT_PART_TRAIN] = data->rows - sizes[MOPT_PART_VALIDATION] -
                             sizes[MOPT_PART_TEST];
    if (sizes[MOPT_PART_TRAIN] < 1)
        return moi_fail(MOPT_EINVAL, "split.validation (%lld rows) and "
                        "split.test (%lld) leave none of the %lld rows to "
                        "train on", (long long)sizes[MOPT_PART_VALIDATION],
                        (long long)sizes[MOPT_PART_TEST],
                        (long long)data->rows);
    return MOPT_OK;
}

/* How many rows of each class go where. */
typedef struct quota {
    int64_t classes, rows;
    int64_t *count;       /* [classes], rows of the class */
    int64_t *room;        /* [classes], rows that may still be given away */
    int64_t *part[PARTS]; /* [classes] each */
    struct lack *lacks;   /* [classes], scratch */
} quota;

typedef struct lack {
    double size; /* rows that a class is short of its share */
    int64_t class_index;
} lack;

static void quota_free(mopt_context *ctx, quota *q)
{
    moi_free(ctx, q->count);
    moi_free(ctx, q->lacks);
}

static int32_t quota_create(const mopt_dataset *data, quota *q)
{
    mopt_context *ctx = data->store->ctx;
    int64_t i, n = moi_dataset_targets(data);

    memset(q, 0, sizeof(*q));
    q->count = moi_calloc(ctx, (2 + PARTS) * n, sizeof(*q->count));
    q->lacks = moi_alloc(ctx, n, sizeof(*q->lacks));
    if (!q->count || !q->lacks) {
        quota_free(ctx, q);
        return MOPT_ENOMEM;
    }
    q->classes = n;
    q->rows = data->rows;
    q->room = q->count + n;
    for (i = 0; i < PARTS; i++)
        q->part[i] = q->room + (1 + i) * n;
    for (i = 0; i < data->rows; i++)
        q->count[class_of(data, i)]++;
    /* Training keeps a row of each class as long as there are others. */
    for (i = 0; i < n; i++)
        q->room[i] = q->count[i] > 0 ? q->count[i] - 1 : 0;
    return MOPT_OK;
}

static int by_lack(const void *a, const void *b)
{
    const lack *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->class_index < y->class_index ? -1 : 1;
}

/* Give left more rows to a part of size rows, one a class and round, to those
 * that are furthest below their share first. Returns what found no place. */
static int64_t top_up(quota *q, int32_t part, int64_t size, int64_t left)
{
    int64_t c, i, n = 1;

    while (left > 0 && n > 0) {
        n = 0;
        for (c = 0; c < q->classes; c++) {
            if (q->room[c] == 0)
                continue;
            q->lacks[n].class_index = c;
            q->lacks[n++].size = (double)q->count[c] * (double)size /
                                     (double)q->rows -
                                 (double)q->part[part][c];
        }
        qsort(q->lacks, (size_t)n, sizeof(*q->lacks), by_lack);
        for (i = 0; i < n && left > 0; i++, left--) {
            c = q->lacks[i].class_index;
            q->part[part][c]++;
            q->room[c]--;
        }
    }
    return left;
}

/* Spread size rows of a part over the classes in proportion to their rows
 * (largest remainders). */
static int64_t spread(quota *q, int32_t part, int64_t size)
{
    int64_t c, left = size;

    for (c = 0; c < q->classes; c++) {
        int64_t n = (int64_t)floor((double)q->count[c] * (double)size /
                                   (double)q->rows);
        n = n < q->room[c] ? n : q->room[c];
        q->part[part][c] = n;
        q->room[c] -= n;
        left -= n;
    }
    return top_up(q, part, size, left);
}

static int32_t quota_fill(const mopt_dataset *data,
                          const int64_t sizes[PARTS], quota *q)
{
    int64_t c, test, validation;
    int32_t rc = quota_create(data, q);

    if (rc)
        return rc;
    test = spread(q, MOPT_PART_TEST, sizes[MOPT_PART_TEST]);
    validation = spread(q, MOPT_PART_VALIDATION, sizes[MOPT_PART_VALIDATION]);
    if (test + validation > 0) {
        for (c = 0; c < q->classes; c++)
            q->room[c] += q->count[c] > 0;
        top_up(q, MOPT_PART_TEST, sizes[MOPT_PART_TEST], test);
        top_up(q, MOPT_PART_VALIDATION, sizes[MOPT_PART_VALIDATION],
               validation);
    }
    for (c = 0; c < q->classes; c++)
        q->part[MOPT_PART_TRAIN][c] = q->count[c] -
                                      q->part[MOPT_PART_TEST][c] -
                                      q->part[MOPT_PART_VALIDATION][c];
    return MOPT_OK;
}

/* Deal the rows of order out: training first, so that without shuffling the
 * later rows are the ones that are tested on. */
static void deal(const mopt_dataset *data, const int64_t *order,
                 const int64_t sizes[PARTS], quota *q, int64_t *part[PARTS])
{
    int64_t i, taken[PARTS] = {0};

    for (i = 0; i < data->rows; i++) {
        int32_t p = MOPT_PART_TRAIN;
        if (q) {
            int64_t c = class_of(data, order[i]);
            while (q->part[p][c] == 0)
                p++;
            q->part[p][c]--;
        } else {
            while (taken[p] == sizes[p])
                p++;
        }
        part[p][taken[p]++] = order[i];
    }
}

/* Views from the row numbers that deal gave; the parts of no rows are NULL. */
static int32_t make_views(const mopt_dataset *data, const int64_t *sizes,
                          int64_t **part, int32_t parts,
                          mopt_dataset **views)
{
    int32_t p, rc = MOPT_OK;

    for (p = 0; p < parts; p++)
        views[p] = NULL;
    for (p = 0; p < parts && !rc; p++) {
        if (sizes[p] == 0)
            continue;
        rc = moi_dataset_view(data, part[p], sizes[p], &views[p]);
        part[p] = NULL;
    }
    for (p = 0; p < parts && rc; p++) {
        mopt_dataset_free(views[p]);
        views[p] = NULL;
    }
    return rc;
}

/* Hand a view to the caller, or drop it. */
static void hand_over(mopt_dataset *view, mopt_dataset **out)
{
    if (out)
        *out = view;
    else
        mopt_dataset_free(view);
}

int32_t mopt_dataset_split(const mopt_dataset *data,
                           const mopt_config *config, mopt_dataset **train,
                           mopt_dataset **validation, mopt_dataset **test)
{
    int64_t sizes[PARTS], *order = NULL, *part[PARTS] = {NULL};
    mopt_dataset *views[PARTS];
    mopt_context *ctx;
    quota q = {0};
    int32_t rc, p, stratify;

    if (!data)
        return moi_fail_null("mopt_dataset_split", "data");
    rc = moi_data_config_check("mopt_dataset_split", config);
    if (!rc)
        rc = count_parts(data, config, sizes);
    if (rc)
        return rc;
    ctx = data->store->ctx;
    stratify = moi_config_bool(config, "split.stratify") &&
               data->store->target == MOPT_TARGET_CLASS;
    if (stratify)
        rc = quota_fill(data, sizes, &q);
    if (rc)
        return rc;
    rc = MOPT_ENOMEM;
    for (p = 0; p < PARTS; p++) {
        part[p] = moi_alloc(ctx, sizes[p], sizeof(*part[p]));
        if (!part[p])
            goto out;
    }
    order = make_order(data, moi_config_bool(config, "split.shuffle"),
                       moi_config_int(config, "split.seed"), STREAM_SPLIT);
    if (!order)
        goto out;
    deal(data, order, sizes, stratify ? &q : NULL, part);
    rc = moi_classes_thin(data, config, part[MOPT_PART_TRAIN],
                          &sizes[MOPT_PART_TRAIN]);
    if (rc)
        goto out;
    rc = make_views(data, sizes, part, PARTS, views);
    if (rc)
        goto out;
    hand_over(views[MOPT_PART_TRAIN], train);
    hand_over(views[MOPT_PART_VALIDATION], validation);
    hand_over(views[MOPT_PART_TEST], test);
out:
    for (p = 0; p < PARTS; p++)
        moi_free(ctx, part[p]);
    moi_free(ctx, order);
    quota_free(ctx, &q);
    return rc;
}

/* Which rows are in a fold: rows are dealt to the folds in turn, class by
 * class when stratified (counting sort of order). */
static int32_t hold_out(const mopt_dataset *data, const int64_t *order,
                        int32_t stratify, int64_t folds, int64_t fold,
                        uint8_t *held)
{
    mopt_context *ctx = data->store->ctx;
    int64_t i, classes = stratify ? moi_dataset_targets(data) : 1;
    int64_t *next = moi_calloc(ctx, classes + 1, sizeof(*next));

    if (!next)
        return MOPT_ENOMEM;
    for (i = 0; stratify && i < data->rows; i++)
        next[class_of(data, i) + 1]++;
    for (i = 0; stratify && i < classes; i++)
        next[i + 1] += next[i];
    for (i = 0; i < data->rows; i++) {
        int64_t c = stratify ? class_of(data, order[i]) : 0;
        held[order[i]] = next[c]++ % folds == fold;
    }
    moi_free(ctx, next);
    return MOPT_OK;
}

static int32_t check_fold(const mopt_dataset *data, int64_t folds,
                          int64_t fold)
{
    if (folds < 2 || folds > data->rows)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_fold: folds is %lld; 2 to "
                        "%lld (the rows) are possible", (long long)folds,
                        (long long)data->rows);
    if (fold < 0 || fold >= folds)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_fold: fold is %lld, "
                        "outside 0 .. %lld", (long long)fold,
                        (long long)(folds - 1));
    return MOPT_OK;
}

int32_t mopt_dataset_fold(const mopt_dataset *data, int64_t folds,
                          int64_t fold, int64_t seed, int32_t stratify,
                          mopt_dataset **train, mopt_dataset **validation)
{
    int64_t i, *order = NULL, sizes[2], *part[2] = {NULL};
    uint8_t *held = NULL;
    mopt_dataset *views[2];
    mopt_context *ctx;
    int32_t rc;

    if (!data)
        return moi_fail_null("mopt_dataset_fold", "data");
    rc = check_fold(data, folds, fold);
    if (rc)
        return rc;
    ctx = data->store->ctx;
    stratify = stratify && data->store->target == MOPT_TARGET_CLASS;
    sizes[1] = (data->rows - fold + folds - 1) / folds;
    sizes[0] = data->rows - sizes[1];
    rc = MOPT_ENOMEM;
    order = make_order(data, 1, seed, STREAM_FOLD);
    held = moi_alloc(ctx, data->rows, sizeof(*held));
    part[0] = moi_alloc(ctx, sizes[0], sizeof(*part[0]));
    part[1] = moi_alloc(ctx, sizes[1], sizeof(*part[1]));
    if (!order || !held || !part[0] || !part[1])
        goto out;
    rc = hold_out(data, order, stratify, folds, fold, held);
    if (rc)
        goto out;
    sizes[0] = sizes[1] = 0;
    for (i = 0; i < data->rows; i++) {
        int32_t p = held[order[i]];
        part[p][sizes[p]++] = order[i];
    }
    rc = make_views(data, sizes, part, 2, views);
    if (rc)
        goto out;
    hand_over(views[0], train);
    hand_over(views[1], validation);
out:
    moi_free(ctx, order);
    moi_free(ctx, held);
    moi_free(ctx, part[0]);
    moi_free(ctx, part[1]);
    return rc;
}
