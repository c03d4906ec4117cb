/* SPDX-License-Identifier: MIT
 * lib/learn/data/dataset.c: data sets: views on the rows of a store. */
#include <stdint.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/data/transform.h"

int32_t moi_dataset_wrap(moi_store *store, mopt_dataset **out)
{
    mopt_dataset *data = moi_calloc(store->ctx, 1, sizeof(*data));

    if (!data) {
        moi_store_release(store);
        return MOPT_ENOMEM;
    }
    atomic_init(&data->refs, 1);
    data->store = store;
    data->rows = store->rows;
    *out = data;
    return MOPT_OK;
}

int32_t moi_dataset_view(const mopt_dataset *data, int64_t *index,
                         int64_t count, mopt_dataset **out)
{
    mopt_dataset *view = NULL;
    int64_t i;

    if (moi_dataset_wrap(moi_store_hold(data->store), &view)) {
        moi_free(data->store->ctx, index);
        return MOPT_ENOMEM;
    }
    for (i = 0; data->index && i < count; i++)
        index[i] = data->index[index[i]];
    view->index = index;
    view->rows = count;
    view->image = data->image;
    view->encoded = data->encoded;
    if (data->transform)
        view->transform = moi_transform_hold(data->transform);
    *out = view;
    return MOPT_OK;
}

mopt_dataset *moi_dataset_hold(const mopt_dataset *data)
{
    mopt_dataset *held = (mopt_dataset *)(uintptr_t)data;

    atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    return held;
}

void mopt_dataset_free(mopt_dataset *data)
{
    mopt_context *ctx;

    if (!data || atomic_fetch_sub_explicit(&data->refs, 1,
                                           memory_order_acq_rel) != 1)
        return;
    ctx = moi_context_hold(data->store->ctx);
    moi_free(ctx, data->index);
    moi_transform_release(data->transform);
    moi_store_release(data->store);
    moi_free(ctx, data);
    moi_context_release(ctx);
}

mopt_context *moi_dataset_context(const mopt_dataset *data)
{
    return data->store->ctx;
}

int64_t moi_dataset_rows(const mopt_dataset *data)
{
    return data->rows;
}

int64_t moi_dataset_features(const mopt_dataset *data)
{
    return data->transform ? data->transform->outputs : data->store->width;
}

/* The transform knows all classes, the part that it is applied to may not. */
static int32_t asks_transform(const mopt_dataset *data)
{
    return data->transform && data->transform->target == data->store->target;
}

int64_t moi_dataset_targets(const mopt_dataset *data)
{
    return asks_transform(data) ? data->transform->targets
                                : data->store->targets;
}

int32_t moi_dataset_kind(const mopt_dataset *data)
{
    return data->store->target;
}

mopt_transform *moi_dataset_transform(const mopt_dataset *data)
{
    return data->transform;
}

int32_t moi_dataset_ready(const mopt_dataset *data)
{
    int64_t i;

    if (data->transform)
        return 1;
    for (i = 0; data->store->columns && i < data->store->width; i++)
        if (data->store->columns[i].category)
            return 0;
    return !data->store->gaps;
}

const char *moi_dataset_class_name(const mopt_dataset *data, int64_t index)
{
    const moi_names *names = asks_transform(data)
                                 ? &data->transform->class_names
                                 : &data->store->class_names;

    return names->text && index >= 0 && index < names->count
               ? names->text[index] : NULL;
}

int32_t mopt_dataset_shape(const mopt_dataset *data, int64_t *rows,
                           int64_t *features, int64_t *targets, int32_t *kind)
{
    if (!data)
        return moi_fail_null("mopt_dataset_shape", "data");
    if (rows)
        *rows = data->rows;
    if (features)
        *features = moi_dataset_features(data);
    if (targets)
        *targets = moi_dataset_targets(data);
    if (kind)
        *kind = data->store->target;
    return MOPT_OK;
}

/* Layout of the host's features; the stride in bytes goes into *stride. */
static int32_t check_features(int64_t rows, int64_t features, const void *x,
                              int32_t type, int64_t *stride)
{
    int64_t size = moi_type_size(type), packed, bytes;
    int32_t rc;

    if (rows < 1 || features < 1)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: %lld rows of "
                        "%lld features; both must be at least 1",
                        (long long)rows, (long long)features);
    if (!size)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: x_type is "
                        "%d, which is none of MOPT_F32 .. MOPT_BOOL",
                        (int)type);
    rc = moi_multiply(features, size, "features times bytes", &packed);
    if (rc)
        return rc;
    if (*stride == 0)
        *stride = packed;
    if (*stride < 0 || *stride % size != 0 || (uintptr_t)x % (size_t)size)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: x and "
                        "x_stride (%lld) must be multiples of the element's "
                        "%lld bytes, x_stride not negative",
                        (long long)*stride, (long long)size);
    rc = moi_multiply(rows, *stride, "rows times bytes a row", &bytes);
    if (rc)
        return rc;
    if (packed > INT64_MAX - bytes)
        return moi_fail(MOPT_ERANGE, "mopt_dataset_from_memory: %lld rows of "
                        "%lld features are too large", (long long)rows,
                        (long long)features);
    return MOPT_OK;
}

static int32_t check_target(const void *y, int32_t type, int64_t rows,
                            int64_t targets, int64_t classes)
{
    int64_t size = moi_type_size(type), count;

    if (!size)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: y_type is "
                        "%d, which is none of MOPT_F32 .. MOPT_BOOL",
                        (int)type);
    if ((uintptr_t)y % (size_t)size)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: y must be "
                        "aligned to its element's %lld bytes",
                        (long long)size);
    if (type == MOPT_F32 || type == MOPT_F64) {
        if (targets < 1)
            return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: targets "
                            "is %lld; at least 1 is needed",
                            (long long)targets);
        return moi_multiply(rows, targets, "rows times targets", &count);
    }
    if (targets != 1)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: targets is "
                        "%lld; class labels (y_type %s) are 1 a row",
                        (long long)targets, moi_type_name(type));
    if (classes < 0 || classes > MOI_CLASSES_MAX)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_from_memory: classes is "
                        "%lld; 0 to %d are possible", (long long)classes,
                        MOI_CLASSES_MAX);
    return MOPT_OK;
}

static void set_target(moi_store *store, const void *y, int32_t type,
                       int64_t targets, int64_t classes)
{
    store->labels = y;
    store->label_type = type;
    if (type == MOPT_F32 || type == MOPT_F64) {
        store->target = MOPT_TARGET_NUMBER;
        store->targets = targets;
    } else {
        store->target = MOPT_TARGET_CLASS;
        store->targets = type == MOPT_BOOL && !classes ? 2 : classes;
    }
}

int32_t mopt_dataset_from_memory(mopt_context *ctx, int64_t rows,
                                 int64_t features, const void *x,
                                 int32_t x_type, int64_t x_stride,
                                 const void *y, int32_t y_type,
                                 int64_t targets, int64_t classes, void *user,
                                 mopt_destroy_fn destroy, mopt_dataset **out)
{
    static const char place[] = "mopt_dataset_from_memory";
    mopt_dataset *data = NULL;
    moi_store *store;
    int32_t rc;

    if (!ctx || !x || !out)
        return moi_fail_null(place, !ctx ? "ctx" : !x ? "x" : "out");
    rc = check_features(rows, features, x, x_type, &x_stride);
    if (!rc && y)
        rc = check_target(y, y_type, rows, targets, classes);
    if (!rc)
        rc = moi_store_create(ctx, &store);
    if (rc)
        return rc;
    store->rows = rows;
    store->width = features;
    store->type = x_type;
    store->stride = x_stride;
    store->cells = x;
    if (y)
        set_target(store, y, y_type, targets, classes);
    rc = moi_store_scan(store, MOPT_EINVAL, place);
    if (!rc)
        rc = moi_store_scan_labels(store, MOPT_EINVAL, place);
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    rc = moi_dataset_wrap(store, &data);
    if (rc)
        return rc;
    store->user = user;
    store->destroy = destroy;
    *out = data;
    return MOPT_OK;
}

static int32_t check_span(const mopt_dataset *data, int64_t first,
                          int64_t count)
{
    if (first < 0 || count < 0 || first > data->rows ||
        count > data->rows - first)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_read: %lld rows from row "
                        "%lld on are not all in 0 .. %lld", (long long)count,
                        (long long)first, (long long)(data->rows - 1));
    return MOPT_OK;
}

/* As many rows as go through the kernels at once. */
#define CHUNK 64

/* Reals to floats, in the build where they differ. */
static void narrow(const moi_real *from, int64_t count, float *to)
{
    int64_t i;

    for (i = 0; i < count; i++)
        to[i] = (float)from[i];
}

static void read_targets(const mopt_dataset *data, const int64_t *rows,
                         int64_t count, moi_real *wide, float *y)
{
    int32_t classes[CHUNK];
    int64_t i;

    if (data->store->target == MOPT_TARGET_NUMBER) {
        moi_dataset_numbers(data, rows, count, wide);
        narrow(wide, count * moi_dataset_targets(data), y);
        return;
    }
    moi_dataset_classes(data, rows, count, classes);
    for (i = 0; i < count; i++)
        y[i] = (float)classes[i];
}

int32_t mopt_dataset_read(const mopt_dataset *data, int64_t first,
                          int64_t count, float *x, float *y)
{
    int64_t i, done, rows[CHUNK], features, targets;
    moi_real *wide;
    int32_t rc;

    if (!data)
        return moi_fail_null("mopt_dataset_read", "data");
    rc = check_span(data, first, count);
    if (rc)
        return rc;
    if (y && data->store->target == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_read: y is wanted, but "
                        "this data set has no target");
    features = moi_dataset_features(data);
    targets = data->store->target == MOPT_TARGET_NUMBER
                  ? moi_dataset_targets(data) : 1;
    wide = moi_alloc(data->store->ctx,
                     (count < CHUNK ? count : CHUNK) *
                         (features > targets ? features : targets),
                     sizeof(*wide));
    if (!wide)
        return MOPT_ENOMEM;
    for (done = 0; done < count; done += CHUNK) {
        int64_t now = count - done < CHUNK ? count - done : CHUNK;
        for (i = 0; i < now; i++)
            rows[i] = first + done + i;
        if (x) {
            moi_dataset_gather(data, rows, now, wide);
            narrow(wide, now * features, x + done * features);
        }
        if (y)
            read_targets(data, rows, now, wide, y + done * targets);
    }
    moi_free(data->store->ctx, wide);
    return MOPT_OK;
}

int32_t mopt_dataset_select(const mopt_dataset *data, const int64_t *rows,
                            int64_t count, mopt_dataset **out)
{
    int64_t i, *index;

    if (!data || !rows || !out)
        return moi_fail_null("mopt_dataset_select",
                             !data ? "data" : !rows ? "rows" : "out");
    if (count < 1)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_select: count is %lld; a "
                        "data set has at least 1 row", (long long)count);
    for (i = 0; i < count; i++)
        if (rows[i] < 0 || rows[i] >= data->rows)
            return moi_fail(MOPT_EINVAL, "mopt_dataset_select: rows[%lld] is "
                            "%lld, outside 0 .. %lld", (long long)i,
                            (long long)rows[i], (long long)(data->rows - 1));
    index = moi_alloc(data->store->ctx, count, sizeof(*index));
    if (!index)
        return MOPT_ENOMEM;
    memcpy(index, rows, (size_t)count * sizeof(*index));
    return moi_dataset_view(data, index, count, out);
}
