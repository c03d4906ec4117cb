/* SPDX-License-Identifier: MIT
 * lib/learn/data/store.c: the rows that views share. */
#include "learn/data/store.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"

int64_t moi_type_size(int32_t type)
{
    static const int8_t sizes[] = {0, 4, 8, 1, 1, 2, 4, 8, 1};

    return type >= MOPT_F32 && type <= MOPT_BOOL ? sizes[type] : 0;
}

const char *moi_type_name(int32_t type)
{
    static const char *const names[] = {
        "none", "f32", "f64", "u8", "i8", "i16", "i32", "i64", "bool",
    };

    return names[type >= MOPT_F32 && type <= MOPT_BOOL ? type : 0];
}

int32_t moi_store_create(mopt_context *ctx, moi_store **out)
{
    moi_store *store = moi_calloc(ctx, 1, sizeof(*store));

    if (!store)
        return MOPT_ENOMEM;
    atomic_init(&store->refs, 1);
    store->ctx = moi_context_hold(ctx);
    *out = store;
    return MOPT_OK;
}

moi_store *moi_store_hold(moi_store *store)
{
    atomic_fetch_add_explicit(&store->refs, 1, memory_order_relaxed);
    return store;
}

void moi_store_release(moi_store *store)
{
    mopt_context *ctx;
    int64_t i;

    if (!store || atomic_fetch_sub_explicit(&store->refs, 1,
                                            memory_order_acq_rel) != 1)
        return;
    ctx = store->ctx;
    if (store->destroy)
        store->destroy(store->user);
    for (i = 0; store->columns && i < store->width; i++)
        moi_names_free(ctx, &store->columns[i].categories);
    moi_names_free(ctx, &store->column_names);
    moi_names_free(ctx, &store->class_names);
    moi_names_free(ctx, &store->target_names);
    moi_free(ctx, store->columns);
    moi_free(ctx, store->own_cells);
    moi_free(ctx, store->own_labels);
    moi_free(ctx, store);
    moi_context_release(ctx);
}

int32_t moi_store_reserve(moi_store *store, int64_t rows, int64_t width,
                          int32_t type)
{
    int64_t size = moi_type_size(type), cells;
    int32_t rc = moi_multiply(rows, width, "rows times features", &cells);

    if (rc)
        return rc;
    store->own_cells = moi_alloc(store->ctx, cells, (size_t)size);
    if (!store->own_cells)
        return MOPT_ENOMEM;
    store->cells = store->own_cells;
    store->rows = rows;
    store->width = width;
    store->type = type;
    store->stride = width * size;
    return MOPT_OK;
}

static const char *row_at(const moi_store *store, int64_t row)
{
    return (const char *)store->cells + row * store->stride;
}

#define ROW_OF(TYPE, VALUE)                                   \
    do {                                                      \
        const TYPE *x = (const void *)row_at(store, row);     \
        for (j = 0; j < store->width; j++)                    \
            cells[j] = VALUE;                                 \
    } while (0)

void moi_store_row(const moi_store *store, int64_t row, double *cells)
{
    int64_t j;

    switch (store->type) {
    case MOPT_F32: ROW_OF(float, (double)x[j]); break;
    case MOPT_F64: ROW_OF(double, x[j]); break;
    case MOPT_U8: ROW_OF(uint8_t, (double)x[j]); break;
    case MOPT_I8: ROW_OF(int8_t, (double)x[j]); break;
    case MOPT_I16: ROW_OF(int16_t, (double)x[j]); break;
    case MOPT_I32: ROW_OF(int32_t, (double)x[j]); break;
    case MOPT_I64: ROW_OF(int64_t, (double)x[j]); break;
    default: ROW_OF(uint8_t, x[j] ? 1.0 : 0.0); break;
    }
}

int64_t moi_store_class(const moi_store *store, int64_t row)
{
    switch (store->label_type) {
    case MOPT_U8: return ((const uint8_t *)store->labels)[row];
    case MOPT_I8: return ((const int8_t *)store->labels)[row];
    case MOPT_I16: return ((const int16_t *)store->labels)[row];
    case MOPT_I32: return ((const int32_t *)store->labels)[row];
    case MOPT_I64: return ((const int64_t *)store->labels)[row];
    default: return ((const uint8_t *)store->labels)[row] != 0;
    }
}

void moi_store_numbers(const moi_store *store, int64_t row, double *numbers)
{
    int64_t j, first = row * store->targets;

    for (j = 0; j < store->targets; j++)
        numbers[j] = store->label_type == MOPT_F32
                         ? (double)((const float *)store->labels)[first + j]
                         : ((const double *)store->labels)[first + j];
}

const char *moi_store_place(const moi_store *store, int64_t column,
                            char buf[MOI_PLACE_SIZE])
{
    if (store->column_names.text)
        snprintf(buf, MOI_PLACE_SIZE, "column '%.64s'",
                 store->column_names.text[column]);
    else
        snprintf(buf, MOI_PLACE_SIZE, "column %lld", (long long)column);
    return buf;
}

/* Numbers beyond float would turn infinite on the way into a model. */
static int32_t is_wild(double x)
{
    return fabs(x) > (double)FLT_MAX;
}

/* The first wild number of a row that has one. */
static int32_t refuse_row(const moi_store *store, int64_t row,
                          const double *cells, int32_t code,
                          const char *place)
{
    char where[MOI_PLACE_SIZE], number[MOI_NUMBER_SIZE];
    int64_t j = 0;

    while (!is_wild(cells[j]))
        j++;
    return moi_fail(code, "%s: row %lld, %s holds %s; a number of at most "
                    "3.4e38 is needed, or NaN for a missing value", place,
                    (long long)row, moi_store_place(store, j, where),
                    moi_number_text(cells[j], number));
}

int32_t moi_store_scan(moi_store *store, int32_t code, const char *place)
{
    double *cells;
    int64_t i, j;
    int32_t rc = MOPT_OK;

    if (store->type != MOPT_F32 && store->type != MOPT_F64)
        return MOPT_OK;
    cells = moi_alloc(store->ctx, store->width, sizeof(*cells));
    if (!cells)
        return MOPT_ENOMEM;
    for (i = 0; i < store->rows && !rc; i++) {
        int32_t wild = 0, gaps = 0;
        moi_store_row(store, i, cells);
        for (j = 0; j < store->width; j++) {
            wild |= is_wild(cells[j]);
            gaps |= cells[j] != cells[j];
        }
        store->gaps |= gaps;
        if (wild)
            rc = refuse_row(store, i, cells, code, place);
    }
    moi_free(store->ctx, cells);
    return rc;
}

static int32_t scan_classes(moi_store *store, int32_t code,
                            const char *place)
{
    int64_t i, largest = -1;
    int64_t bound = store->targets > 0 ? store->targets : MOI_CLASSES_MAX;

    for (i = 0; i < store->rows; i++) {
        int64_t label = moi_store_class(store, i);
        if (label < 0 || label >= bound)
            return moi_fail(code, "%s: the label of row %lld is %lld; labels "
                            "are 0 to %lld; to predict numbers, give floats",
                            place, (long long)i, (long long)label,
                            (long long)(bound - 1));
        if (label > largest)
            largest = label;
    }
    if (store->targets == 0)
        store->targets = largest + 1;
    return MOPT_OK;
}

static int32_t scan_numbers(const moi_store *store, int32_t code,
                            const char *place)
{
    double *numbers = moi_alloc(store->ctx, store->targets, sizeof(*numbers));
    char text[MOI_NUMBER_SIZE];
    int32_t rc = MOPT_OK;
    int64_t i, j;

    if (!numbers)
        return MOPT_ENOMEM;
    for (i = 0; i < store->rows && !rc; i++) {
        moi_store_numbers(store, i, numbers);
        for (j = 0; j < store->targets && !rc; j++)
            if (!(fabs(numbers[j]) <= (double)FLT_MAX))
                rc = moi_fail(code, "%s: the target of row %lld is %s; a "
                              "number of at most 3.4e38 is needed", place,
                              (long long)i,
                              moi_number_text(numbers[j], text));
    }
    moi_free(store->ctx, numbers);
    return rc;
}

int32_t moi_store_scan_labels(moi_store *store, int32_t code,
                              const char *place)
{
    if (store->target == MOPT_TARGET_CLASS)
        return scan_classes(store, code, place);
    if (store->target == MOPT_TARGET_NUMBER)
        return scan_numbers(store, code, place);
    return MOPT_OK;
}
