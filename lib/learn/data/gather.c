/* SPDX-License-Identifier: MIT
 * lib/learn/data/gather.c: rows of a view into a packed batch.
 *
 * Training asks for rows in random order, so the row after next is fetched
 * while this one is converted. */
#include <string.h>

#include "backend/kernels.h"
#include "learn/data/transform.h"

/* What the kernels need of a view. */
typedef struct job {
    const char *cells;
    int64_t stride, width;
    const int64_t *index; /* of the view, or NULL */
    const int64_t *rows;
    int64_t count;
    const moi_real *center, *scale; /* [width], or NULL: the same for all */
    moi_real all_center, all_scale;
} job;

static inline const void *cells_of(const job *j, int64_t i)
{
    int64_t row = j->index ? j->index[j->rows[i]] : j->rows[i];

    return j->cells + row * j->stride;
}

/* Bytes of a row that are worth fetching ahead; the hardware goes on alone. */
#define AHEAD 512

static inline void fetch(const job *j, int64_t i, int64_t bytes)
{
    const char *at;
    int64_t k;

    if (i + 2 >= j->count)
        return;
    at = cells_of(j, i + 2);
    for (k = 0; k < bytes && k < AHEAD; k += 64)
        __builtin_prefetch(at + k);
}

/* One kernel an element type: out = (cell - center) * scale. */
#define KERNEL(NAME, TYPE, VALUE)                                         \
    MOI_CLONES static void NAME(const job *g, moi_real *out)              \
    {                                                                     \
        int64_t i, k, width = g->width;                                   \
        moi_real c = g->all_center, s = g->all_scale;                     \
        for (i = 0; i < g->count; i++, out += width) {                    \
            const TYPE *restrict x = cells_of(g, i);                      \
            fetch(g, i, width * (int64_t)sizeof(TYPE));                   \
            if (g->center) {                                              \
                const moi_real *restrict cs = g->center;                  \
                const moi_real *restrict ss = g->scale;                   \
                for (k = 0; k < width; k++)                               \
                    out[k] = ((VALUE) - cs[k]) * ss[k];                   \
            } else {                                                      \
                for (k = 0; k < width; k++)                               \
                    out[k] = ((VALUE) - c) * s;                           \
            }                                                             \
        }                                                                 \
    }

KERNEL(gather_f32, float, (moi_real)x[k])
KERNEL(gather_f64, double, (moi_real)x[k])
KERNEL(gather_u8, uint8_t, (moi_real)x[k])
KERNEL(gather_i8, int8_t, (moi_real)x[k])
KERNEL(gather_i16, int16_t, (moi_real)x[k])
KERNEL(gather_i32, int32_t, (moi_real)x[k])
KERNEL(gather_i64, int64_t, (moi_real)x[k])
KERNEL(gather_bool, uint8_t, (moi_real)(x[k] != 0))

/* Rows that are reals already. */
static void copy_rows(const job *g, moi_real *out)
{
    int64_t i;

    for (i = 0; i < g->count; i++, out += g->width) {
        fetch(g, i, g->width * (int64_t)sizeof(*out));
        memcpy(out, cells_of(g, i), (size_t)g->width * sizeof(*out));
    }
}

static void convert(const job *g, int32_t type, moi_real *out)
{
    static const int32_t real =
        sizeof(moi_real) == sizeof(float) ? MOPT_F32 : MOPT_F64;
    int32_t plain = !g->center && g->all_center == 0 && g->all_scale == 1;

    switch (type) {
    case MOPT_F32:
    case MOPT_F64:
        if (plain && type == real)
            copy_rows(g, out);
        else if (type == MOPT_F32)
            gather_f32(g, out);
        else
            gather_f64(g, out);
        break;
    case MOPT_U8: gather_u8(g, out); break;
    case MOPT_I8: gather_i8(g, out); break;
    case MOPT_I16: gather_i16(g, out); break;
    case MOPT_I32: gather_i32(g, out); break;
    case MOPT_I64: gather_i64(g, out); break;
    default: gather_bool(g, out); break;
    }
}

/* Encoded rows: numbers are copied, a code becomes a 1 among zeros. */
MOI_CLONES static void expand(const job *g, const mopt_transform *t,
                              moi_real *out)
{
    int64_t i, k, r;

    for (i = 0; i < g->count; i++) {
        const float *x = cells_of(g, i);
        fetch(g, i, g->width * (int64_t)sizeof(*x));
        for (r = 0; r < t->run_count; r++) {
            const moi_run *run = &t->runs[r];
            if (run->category) {
                memset(out, 0, (size_t)run->inputs * sizeof(*out));
                if (*x >= 0)
                    out[(int64_t)*x] = 1;
            } else {
                for (k = 0; k < run->cells; k++)
                    out[k] = (moi_real)x[k];
            }
            x += run->cells;
            out += run->inputs;
        }
    }
}

void moi_dataset_gather_raw(const mopt_dataset *data, const int64_t *rows,
                            int64_t count, moi_real *x)
{
    const moi_store *store = data->store;
    job g = {store->cells, store->stride, store->width, data->index, rows,
             count, NULL, NULL, 0, 1};

    convert(&g, store->type, x);
}

MOI_CLONES
void moi_dataset_scale(const mopt_dataset *data, moi_real *restrict x)
{
    const mopt_transform *t = data->encoded ? NULL : data->transform;
    int64_t width = data->store->width;

    if (t && t->center) {
        const moi_real *restrict center = t->center, *restrict scale = t->scale;
        for (int64_t k = 0; k < width; k++)
            x[k] = (x[k] - center[k]) * scale[k];
    } else if (t) {
        moi_real center = (moi_real)t->encoders[0].center;
        moi_real scale = (moi_real)t->encoders[0].scale;
        for (int64_t k = 0; k < width; k++)
            x[k] = (x[k] - center) * scale;
    }
}

void moi_dataset_gather(const mopt_dataset *data, const int64_t *rows,
                        int64_t count, moi_real *x)
{
    const moi_store *store = data->store;
    const mopt_transform *t = data->transform;
    job g = {store->cells, store->stride, store->width, data->index, rows,
             count, NULL, NULL, 0, 1};

    if (data->encoded && t->expands) {
        expand(&g, t, x);
        return;
    }
    if (t && !data->encoded) {
        g.center = t->center;
        g.scale = t->scale;
        g.all_center = (moi_real)t->encoders[0].center;
        g.all_scale = (moi_real)t->encoders[0].scale;
    }
    convert(&g, store->type, x);
}

/* What a second-level cache holds beside the work itself. */
#define NEXT_BATCH 65536

void moi_dataset_fetch(const mopt_dataset *data, const int64_t *rows,
                       int64_t count)
{
    const moi_store *store = data->store;
    int64_t bytes = store->width * moi_type_size(store->type), i, k;

    if (bytes > NEXT_BATCH)
        return;
    for (i = 0; i < count && i * bytes < NEXT_BATCH; i++) {
        const char *at = (const char *)store->cells +
                         moi_dataset_row(data, rows[i]) * store->stride;

        for (k = 0; k < bytes; k += 64)
            __builtin_prefetch(at + k, 0, 2);
    }
}

void moi_dataset_classes(const mopt_dataset *data, const int64_t *rows,
                         int64_t count, int32_t *classes)
{
    int64_t i;

    for (i = 0; i < count; i++)
        classes[i] = (int32_t)moi_store_class(data->store,
                                              moi_dataset_row(data, rows[i]));
}

void moi_dataset_numbers(const mopt_dataset *data, const int64_t *rows,
                         int64_t count, moi_real *numbers)
{
    const moi_store *store = data->store;
    const mopt_transform *t = data->transform;
    int64_t i, k, n = store->targets;
    const float *narrow = store->labels;
    const double *wide = store->labels;

    for (i = 0; i < count; i++, numbers += n) {
        int64_t first = moi_dataset_row(data, rows[i]) * n;
        for (k = 0; k < n; k++) {
            double y = store->label_type == MOPT_F32
                           ? (double)narrow[first + k] : wide[first + k];
            if (t && t->target == MOPT_TARGET_NUMBER)
                y = (y - t->target_center[k]) * t->target_scale[k];
            numbers[k] = (moi_real)y;
        }
    }
}
