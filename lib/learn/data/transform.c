/* SPDX-License-Identifier: MIT
 * lib/learn/data/transform.c: a transform and what follows from its
 * encoders. */
#include "learn/data/transform.h"

#include <stdint.h>

#include "base/context.h"
#include "base/memory.h"

int32_t moi_transform_create(mopt_context *ctx, int64_t columns,
                             int32_t uniform, mopt_transform **out)
{
    mopt_transform *t = moi_calloc(ctx, 1, sizeof(*t));
    int64_t j, count = uniform ? 1 : columns;

    if (!t)
        return MOPT_ENOMEM;
    t->encoders = moi_calloc(ctx, count, sizeof(*t->encoders));
    if (!t->encoders) {
        moi_free(ctx, t);
        return MOPT_ENOMEM;
    }
    atomic_init(&t->refs, 1);
    t->ctx = moi_context_hold(ctx);
    t->columns = columns;
    t->uniform = uniform;
    for (j = 0; j < count; j++)
        t->encoders[j].scale = 1;
    *out = t;
    return MOPT_OK;
}

mopt_transform *moi_transform_hold(mopt_transform *transform)
{
    atomic_fetch_add_explicit(&transform->refs, 1, memory_order_relaxed);
    return transform;
}

void moi_transform_release(mopt_transform *t)
{
    mopt_context *ctx;
    int64_t j;

    if (!t || atomic_fetch_sub_explicit(&t->refs, 1,
                                        memory_order_acq_rel) != 1)
        return;
    ctx = t->ctx;
    for (j = 0; j < (t->uniform ? 1 : t->columns); j++)
        moi_names_free(ctx, &t->encoders[j].categories);
    moi_names_free(ctx, &t->column_names);
    moi_names_free(ctx, &t->class_names);
    moi_names_free(ctx, &t->target_names);
    moi_free(ctx, t->encoders);
    moi_free(ctx, t->center);
    moi_free(ctx, t->scale);
    moi_free(ctx, t->runs);
    moi_free(ctx, t->target_center);
    moi_free(ctx, t->target_scale);
    moi_free(ctx, t);
    moi_context_release(ctx);
}

void mopt_transform_free(mopt_transform *transform)
{
    moi_transform_release(transform);
}

int64_t moi_encoder_inputs(const moi_encoder *encoder)
{
    return (encoder->category ? encoder->categories.count : 1) +
           (encoder->indicator != 0);
}

int32_t moi_transform_encodes(const mopt_transform *t)
{
    return t->runs != NULL;
}

/* Cells of an encoded row: a category is one cell, whatever it becomes. */
static int64_t cells_of(const moi_encoder *encoder)
{
    return encoder->category ? 1 : moi_encoder_inputs(encoder);
}

/* The runs of an encoded row; neighbouring numbers are one run. */
static int32_t make_runs(mopt_transform *t)
{
    int64_t j;
    moi_run *run = NULL;

    t->runs = moi_calloc(t->ctx, t->columns, sizeof(*t->runs));
    if (!t->runs)
        return MOPT_ENOMEM;
    for (j = 0; j < t->columns; j++) {
        const moi_encoder *e = moi_encoder_at(t, j);
        if (!run || e->category || run->category) {
            run = &t->runs[t->run_count++];
            run->category = e->category;
        }
        run->cells += cells_of(e);
        run->inputs += moi_encoder_inputs(e);
        t->expands |= e->category;
    }
    return MOPT_OK;
}

static int32_t make_scales(mopt_transform *t)
{
    int64_t j;

    t->center = moi_alloc(t->ctx, t->columns, sizeof(*t->center));
    t->scale = moi_alloc(t->ctx, t->columns, sizeof(*t->scale));
    if (!t->center || !t->scale)
        return MOPT_ENOMEM;
    for (j = 0; j < t->columns; j++) {
        t->center[j] = (moi_real)t->encoders[j].center;
        t->scale[j] = (moi_real)t->encoders[j].scale;
    }
    return MOPT_OK;
}

int32_t moi_transform_finish(mopt_transform *t)
{
    int64_t j;
    int32_t rc, plain = 1;

    if (t->uniform) {
        t->cells = t->outputs = t->columns;
        return MOPT_OK;
    }
    for (j = 0; j < t->columns; j++) {
        const moi_encoder *e = moi_encoder_at(t, j);
        plain &= !e->category && !e->indicator;
        t->cells += cells_of(e);
        t->outputs += moi_encoder_inputs(e);
    }
    if (t->outputs == 0)
        return moi_fail(MOPT_EINVAL, "no column has a value in any of the "
                        "rows: nothing is left as an input");
    rc = plain ? MOPT_OK : make_runs(t);
    return rc ? rc : make_scales(t);
}

int64_t moi_transform_outputs(const mopt_transform *transform)
{
    return transform->outputs;
}

void moi_transform_restore(const mopt_transform *t, int64_t count,
                           float *numbers)
{
    int64_t i, k;

    if (t->target != MOPT_TARGET_NUMBER)
        return;
    for (i = 0; i < count; i++, numbers += t->targets)
        for (k = 0; k < t->targets; k++)
            numbers[k] = (float)((double)numbers[k] / t->target_scale[k] +
                                 t->target_center[k]);
}

int64_t moi_transform_numbers(const mopt_transform *t)
{
    return t->target == MOPT_TARGET_NUMBER ? t->targets : 0;
}

const char *moi_transform_class_name(const mopt_transform *t, int64_t index)
{
    return t->class_names.text && index >= 0 && index < t->class_names.count
               ? t->class_names.text[index] : NULL;
}
