/* SPDX-License-Identifier: MIT
 * lib/learn/data/fit.c: learning a transform from a training part.
 *
 * Two passes over the rows: counts, means and bounds, then deviations from the
 * means; all in double and in the order of the rows, so that a result does not
 * depend on threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/data/source.h"
#include "learn/data/transform.h"

/* What the passes gather of a column. */
typedef struct tally {
    int64_t present;
    double sum, squares; /* of distances from the mean */
    double low, high;
    int64_t *counts; /* rows of each category, NULL for numbers */
} tally;

static double mean_of(const tally *t)
{
    return t->present ? t->sum / (double)t->present : 0;
}

static void first_pass(const mopt_dataset *data, tally *tallies,
                       double *cells)
{
    int64_t i, j, width = data->store->width;

    for (i = 0; i < data->rows; i++) {
        moi_store_row(data->store, moi_dataset_row(data, i), cells);
        for (j = 0; j < width; j++) {
            tally *t = &tallies[j];
            double x = cells[j];
            if (x != x)
                continue;
            t->present++;
            if (t->counts) {
                t->counts[(int64_t)x]++;
                continue;
            }
            t->sum += x;
            t->low = x < t->low ? x : t->low;
            t->high = x > t->high ? x : t->high;
        }
    }
}

static void second_pass(const mopt_dataset *data, tally *tallies,
                        double *cells)
{
    int64_t i, j, width = data->store->width;
    double *means = cells + width;

    for (j = 0; j < width; j++)
        means[j] = mean_of(&tallies[j]);
    for (i = 0; i < data->rows; i++) {
        moi_store_row(data->store, moi_dataset_row(data, i), cells);
        for (j = 0; j < width; j++) {
            double d = cells[j] - means[j];
            if (d == d)
                tallies[j].squares += d * d;
        }
    }
}

static void free_tallies(mopt_context *ctx, tally *tallies, int64_t width)
{
    int64_t j;

    for (j = 0; tallies && j < width; j++)
        moi_free(ctx, tallies[j].counts);
    moi_free(ctx, tallies);
}

static int32_t take_tallies(const mopt_dataset *data, tally **out)
{
    mopt_context *ctx = data->store->ctx;
    const moi_column *columns = data->store->columns;
    int64_t j, width = data->store->width;
    tally *tallies = moi_calloc(ctx, width, sizeof(*tallies));
    double *cells = moi_alloc(ctx, 2 * width, sizeof(*cells));
    int32_t rc = tallies && cells ? MOPT_OK : MOPT_ENOMEM;

    for (j = 0; j < width && !rc; j++) {
        tallies[j].low = INFINITY;
        tallies[j].high = -INFINITY;
        if (!columns || !columns[j].category)
            continue;
        tallies[j].counts = moi_calloc(ctx, columns[j].categories.count,
                                       sizeof(*tallies[j].counts));
        if (!tallies[j].counts)
            rc = MOPT_ENOMEM;
    }
    if (!rc) {
        first_pass(data, tallies, cells);
        second_pass(data, tallies, cells);
        *out = tallies;
    } else {
        free_tallies(ctx, tallies, width);
    }
    moi_free(ctx, cells);
    return rc;
}

/* 1 / size, and 1 for what does not vary. */
static double inverse(double size)
{
    return size > 0 && isfinite(1 / size) ? 1 / size : 1;
}

static double deviation_of(const tally *t)
{
    /* Rounding of the mean must not make a constant vary. */
    if (!t->present || t->low == t->high)
        return 0;
    return sqrt(t->squares / (double)t->present);
}

/* Mean and deviation over all numbers of all columns together. */
static void set_global(mopt_transform *t, const tally *tallies)
{
    double present = 0, sum = 0, squares = 0, mean, scale;
    int64_t j;

    for (j = 0; j < t->columns; j++) {
        if (tallies[j].counts)
            continue;
        present += (double)tallies[j].present;
        sum += tallies[j].sum;
    }
    mean = present > 0 ? sum / present : 0;
    for (j = 0; j < t->columns; j++) {
        double off = mean_of(&tallies[j]) - mean;
        if (!tallies[j].counts)
            squares += tallies[j].squares +
                       (double)tallies[j].present * off * off;
    }
    scale = inverse(present > 0 ? sqrt(squares / present) : 0);
    for (j = 0; j < t->columns; j++) {
        t->encoders[j].center = mean;
        t->encoders[j].scale = scale;
    }
}

static void set_number(moi_encoder *e, const tally *t, const char *scale)
{
    double low = t->present ? t->low : 0, high = t->present ? t->high : 0;

    e->fill = mean_of(t);
    if (strcmp(scale, "standard") == 0) {
        e->center = e->fill;
        e->scale = inverse(deviation_of(t));
    } else if (strcmp(scale, "minmax") == 0) {
        e->center = low;
        e->scale = inverse(high - low);
    } else if (strcmp(scale, "unit") == 0) {
        e->scale = inverse(fmax(fabs(low), fabs(high)));
    }
}

typedef struct frequency {
    int64_t count;
    int64_t code;
} frequency;

static int by_count(const void *a, const void *b)
{
    const frequency *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->code < y->code ? -1 : 1;
}

static int by_code(const void *a, const void *b)
{
    const frequency *x = a, *y = b;

    return x->code < y->code ? -1 : x->code > y->code;
}

/* The categories that training saw, the most frequent if there are too many,
 * in their order. */
static int32_t set_category(mopt_context *ctx, moi_encoder *e, const tally *t,
                            const moi_names *names, int64_t most)
{
    frequency *seen = moi_alloc(ctx, names->count, sizeof(*seen));
    moi_piece *pieces = moi_alloc(ctx, names->count, sizeof(*pieces));
    int32_t rc = MOPT_ENOMEM;
    int64_t i, n = 0;

    if (!seen || !pieces)
        goto out;
    for (i = 0; i < names->count; i++) {
        if (t->counts[i] == 0)
            continue;
        seen[n].count = t->counts[i];
        seen[n++].code = i;
    }
    if (n > most) {
        qsort(seen, (size_t)n, sizeof(*seen), by_count);
        n = most;
        qsort(seen, (size_t)n, sizeof(*seen), by_code);
    }
    for (i = 0; i < n; i++) {
        pieces[i].text = names->text[seen[i].code];
        pieces[i].length = (int64_t)strlen(pieces[i].text);
    }
    e->category = 1;
    rc = moi_names_build(ctx, pieces, n, &e->categories);
out:
    moi_free(ctx, seen);
    moi_free(ctx, pieces);
    return rc;
}

static int32_t set_columns(mopt_transform *t, const mopt_dataset *train,
                           const mopt_config *config, const char *scale)
{
    const moi_store *store = train->store;
    int32_t tell = moi_config_bool(config, "missing_indicator");
    tally *tallies = NULL;
    int64_t j;
    int32_t rc = take_tallies(train, &tallies);

    for (j = 0; j < t->columns && !rc; j++) {
        moi_encoder *e = &t->encoders[j];
        int32_t missing = tallies[j].present < train->rows;
        if (tallies[j].counts) {
            rc = set_category(t->ctx, e, &tallies[j],
                              &store->columns[j].categories,
                              moi_config_int(config, "max_categories"));
            e->indicator = missing;
        } else {
            set_number(e, &tallies[j], scale);
            e->indicator = missing && tell;
        }
    }
    if (!rc && strcmp(scale, "global") == 0)
        set_global(t, tallies);
    free_tallies(t->ctx, tallies, t->columns);
    return rc;
}

/* Sums of the target numbers, and then of their squared distances from the
 * means, over the training rows. */
static void target_pass(const mopt_dataset *train, const double *means,
                        double *sums, double *numbers)
{
    int64_t i, k, n = train->store->targets;

    for (i = 0; i < train->rows; i++) {
        moi_store_numbers(train->store, moi_dataset_row(train, i), numbers);
        for (k = 0; k < n; k++) {
            double d = numbers[k] - (means ? means[k] : 0);
            sums[k] += means ? d * d : d;
        }
    }
}

/* Mean and deviation of each target number; 0 and 1 if they are not wanted. */
static int32_t set_numbers(mopt_transform *t, const mopt_dataset *train,
                           int32_t wanted)
{
    int64_t k, n = train->store->targets;
    double *numbers = moi_alloc(t->ctx, n, sizeof(*numbers));
    int32_t rc = MOPT_ENOMEM;

    t->target_center = moi_calloc(t->ctx, n, sizeof(*t->target_center));
    t->target_scale = moi_calloc(t->ctx, n, sizeof(*t->target_scale));
    if (!numbers || !t->target_center || !t->target_scale)
        goto out;
    if (wanted) {
        target_pass(train, NULL, t->target_center, numbers);
        for (k = 0; k < n; k++)
            t->target_center[k] /= (double)train->rows;
        target_pass(train, t->target_center, t->target_scale, numbers);
    }
    for (k = 0; k < n; k++)
        t->target_scale[k] = inverse(sqrt(t->target_scale[k] /
                                          (double)train->rows));
    rc = MOPT_OK;
out:
    moi_free(t->ctx, numbers);
    return rc;
}

static int32_t set_target(mopt_transform *t, const mopt_dataset *train,
                          const mopt_config *config)
{
    const moi_store *store = train->store;
    int32_t rc = moi_names_copy(t->ctx, &store->class_names,
                                &t->class_names);

    if (!rc)
        rc = moi_names_copy(t->ctx, &store->target_names, &t->target_names);
    if (rc)
        return rc;
    t->target = store->target;
    t->targets = store->targets;
    t->drop_unknown = strcmp(moi_config_text(config, "unknown_class"),
                             "drop") == 0;
    if (store->target == MOPT_TARGET_NUMBER)
        rc = set_numbers(t, train, moi_config_bool(config, "scale_target"));
    return rc;
}

/* What "scale" means for data of this type. */
static const char *choose_scale(const moi_store *store,
                                const mopt_config *config)
{
    const char *scale = moi_config_text(config, "scale");

    if (strcmp(scale, "auto") != 0)
        return scale;
    if (store->type == MOPT_BOOL)
        return "none";
    return store->type == MOPT_U8 ? "unit" : "standard";
}

/* Plain numbers that are all treated alike need no look at the rows. */
static int32_t is_uniform(const moi_store *store, const char *scale)
{
    if (store->columns || store->gaps || store->column_names.text)
        return 0;
    return strcmp(scale, "none") == 0 ||
           (strcmp(scale, "unit") == 0 && (store->type == MOPT_U8 ||
                                           store->type == MOPT_BOOL));
}

int32_t mopt_transform_fit(const mopt_dataset *train,
                           const mopt_config *config, mopt_transform **out)
{
    const moi_store *store;
    const char *scale;
    mopt_transform *t = NULL;
    int32_t rc, uniform;

    if (!train || !out)
        return moi_fail_null("mopt_transform_fit", !train ? "train" : "out");
    rc = moi_data_config_check("mopt_transform_fit", config);
    if (rc)
        return rc;
    if (train->transform)
        return moi_fail(MOPT_EINVAL, "mopt_transform_fit: these data have "
                        "been transformed already");
    store = train->store;
    scale = choose_scale(store, config);
    uniform = is_uniform(store, scale);
    rc = moi_transform_create(store->ctx, store->width, uniform, &t);
    if (rc)
        return rc;
    if (uniform)
        t->encoders[0].scale = strcmp(scale, "unit") == 0 &&
                               store->type == MOPT_U8 ? 1 / 255.0 : 1;
    else
        rc = set_columns(t, train, config, scale);
    if (!rc)
        rc = moi_names_copy(t->ctx, &store->column_names, &t->column_names);
    if (!rc)
        rc = set_target(t, train, config);
    if (!rc)
        rc = moi_transform_finish(t);
    if (rc)
        moi_transform_release(t);
    else
        *out = t;
    return rc;
}
