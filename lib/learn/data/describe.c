/* SPDX-License-Identifier: MIT
 * lib/learn/data/describe.c: a data set in words: shape, target, columns. */
#include <math.h>

#include "base/context.h"
#include "base/memory.h"
#include "learn/data/transform.h"

/* What is told of a column of numbers, or a category's count of rows. */
typedef struct summary {
    int64_t missing;
    double low, high, sum;
} summary;

static void summarise(const mopt_dataset *data, summary *columns,
                      double *cells)
{
    int64_t i, j, width = data->store->width;

    for (j = 0; j < width; j++) {
        columns[j].low = INFINITY;
        columns[j].high = -INFINITY;
    }
    for (i = 0; i < data->rows; i++) {
        moi_store_row(data->store, moi_dataset_row(data, i), cells);
        for (j = 0; j < width; j++) {
            summary *s = &columns[j];
            if (cells[j] != cells[j]) {
                s->missing++;
                continue;
            }
            s->sum += cells[j];
            if (cells[j] < s->low)
                s->low = cells[j];
            if (cells[j] > s->high)
                s->high = cells[j];
        }
    }
}

static json_t *column_json(const mopt_dataset *data, int64_t j,
                           const summary *s)
{
    const moi_store *store = data->store;
    int32_t category = store->columns && store->columns[j].category;
    int64_t present = data->rows - s->missing;
    json_t *column = json_object();
    int32_t rc = column ? MOPT_OK : MOPT_ENOMEM;

    if (!rc && store->column_names.text)
        rc = moi_json_add_text(column, "name", store->column_names.text[j]);
    if (!rc)
        rc = moi_json_add_text(column, "kind",
                               category ? "category" : "number");
    if (!rc)
        rc = moi_json_add_int(column, "missing", s->missing);
    if (!rc && category)
        rc = moi_json_add(column, "categories",
                          moi_names_to_json(&store->columns[j].categories));
    if (!rc && !category && present > 0) {
        rc = moi_json_add_number(column, "min", s->low);
        if (!rc)
            rc = moi_json_add_number(column, "max", s->high);
        if (!rc)
            rc = moi_json_add_number(column, "mean",
                                     s->sum / (double)present);
    }
    if (rc) {
        json_decref(column);
        column = NULL;
    }
    return column;
}

/* Columns of a table; NULL without memory. */
static json_t *columns_json(const mopt_dataset *data)
{
    mopt_context *ctx = data->store->ctx;
    int64_t j, width = data->store->width;
    summary *summaries = moi_calloc(ctx, width, sizeof(*summaries));
    double *cells = moi_alloc(ctx, width, sizeof(*cells));
    json_t *list = summaries && cells ? json_array() : NULL;

    if (list)
        summarise(data, summaries, cells);
    for (j = 0; list && j < width; j++) {
        if (json_array_append_new(list, column_json(data, j,
                                                    &summaries[j])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    moi_free(ctx, summaries);
    moi_free(ctx, cells);
    return list;
}

/* How many rows each class has; NULL without memory. */
static json_t *counts_json(const mopt_dataset *data)
{
    mopt_context *ctx = data->store->ctx;
    int64_t i, classes = moi_dataset_targets(data);
    int64_t *counts = moi_calloc(ctx, classes, sizeof(*counts));
    json_t *list = counts ? json_array() : NULL;

    for (i = 0; list && i < data->rows; i++)
        counts[moi_store_class(data->store, moi_dataset_row(data, i))]++;
    for (i = 0; list && i < classes; i++) {
        if (json_array_append_new(list, json_integer(counts[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    moi_free(ctx, counts);
    return list;
}

static int32_t add_classes(json_t *target, const mopt_dataset *data)
{
    int64_t i, classes = moi_dataset_targets(data);
    json_t *names = NULL;
    int32_t rc;

    rc = moi_json_add_int(target, "classes", classes);
    if (!rc)
        rc = moi_json_add(target, "counts", counts_json(data));
    if (rc || !moi_dataset_class_name(data, 0))
        return rc;
    names = json_array();
    for (i = 0; names && i < classes; i++) {
        if (json_array_append_new(names, json_string(moi_dataset_class_name(
                                             data, i))) != 0) {
            json_decref(names);
            names = NULL;
        }
    }
    return moi_json_add(target, "names", names);
}

static json_t *target_json(const mopt_dataset *data)
{
    static const char *const kinds[] = {"none", "class", "number"};
    const moi_store *store = data->store;
    json_t *target = json_object();
    int32_t rc = target ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        rc = moi_json_add_text(target, "kind", kinds[store->target]);
    if (!rc && store->target == MOPT_TARGET_CLASS)
        rc = add_classes(target, data);
    if (!rc && store->target == MOPT_TARGET_NUMBER)
        rc = moi_json_add_int(target, "numbers", store->targets);
    if (!rc && store->target == MOPT_TARGET_NUMBER &&
        store->target_names.text)
        rc = moi_json_add(target, "names",
                          moi_names_to_json(&store->target_names));
    if (rc) {
        json_decref(target);
        target = NULL;
    }
    return target;
}

int32_t mopt_dataset_describe(const mopt_dataset *data, char *buf, size_t cap,
                              size_t *needed)
{
    json_t *whole;
    int32_t rc;

    if (!data)
        return moi_fail_null("mopt_dataset_describe", "data");
    if (!buf && cap > 0)
        return moi_fail_null("mopt_dataset_describe", "buf");
    whole = json_object();
    rc = whole ? MOPT_OK : MOPT_ENOMEM;
    if (!rc)
        rc = moi_json_add_int(whole, "rows", data->rows);
    if (!rc)
        rc = moi_json_add_int(whole, "features", moi_dataset_features(data));
    if (!rc)
        rc = moi_json_add(whole, "ready",
                          json_boolean(moi_dataset_ready(data)));
    if (!rc)
        rc = moi_json_add(whole, "target", target_json(data));
    if (!rc && !data->transform && data->store->columns)
        rc = moi_json_add(whole, "columns", columns_json(data));
    if (rc) {
        json_decref(whole);
        whole = NULL;
    }
    return moi_json_finish(data->store->ctx, whole, buf, cap, needed);
}
