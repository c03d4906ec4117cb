/* SPDX-License-Identifier: MIT
 * lib/learn/data/transform.h: what was learnt from a training part.
 *
 * Each raw column has an encoder: a number becomes (x - center) * scale, and
 * another input tells that it was missing if that ever happened in training; a
 * category becomes one input each, all 0 for what training never saw. */
#ifndef MOI_LEARN_TRANSFORM_H
#define MOI_LEARN_TRANSFORM_H

#include "learn/data/store.h"

typedef struct moi_encoder {
    int32_t category;
    int32_t indicator;    /* an input (or category) of its own for "missing" */
    double fill;          /* what a missing number is taken for */
    double center, scale;
    moi_names categories;
} moi_encoder;

/* A run of cells of an encoded row, and the inputs they become. */
typedef struct moi_run {
    int64_t cells;  /* numbers, copied; 1 for a category */
    int64_t inputs; /* the same; for a category the size of its block */
    int32_t category;
} moi_run;

struct mopt_transform {
    mopt_context *ctx;
    atomic_int refs;
    int64_t columns;        /* raw */
    int64_t cells;          /* of an encoded row */
    int64_t outputs;        /* inputs of the model */
    int32_t uniform;        /* all columns share encoder 0, a plain number */
    int32_t drop_unknown;   /* leave rows out whose class is unknown */
    moi_encoder *encoders;  /* [columns], or 1 */
    moi_names column_names; /* text NULL: known by their places */
    moi_real *center, *scale; /* [columns] for the gather; NULL if uniform or
                                 if rows are encoded */
    moi_run *runs; /* of an encoded row */
    int64_t run_count;
    int32_t expands; /* does any run make inputs of a category? */
    int32_t target;
    int64_t targets;
    moi_names class_names, target_names;
    double *target_center, *target_scale; /* [targets] of numbers */
};

static inline const moi_encoder *moi_encoder_at(const mopt_transform *t,
                                                int64_t column)
{
    return &t->encoders[t->uniform ? 0 : column];
}

/* Inputs that a column becomes. */
int64_t moi_encoder_inputs(const moi_encoder *encoder);

/* An empty transform for columns encoders (uniform: for one). */
int32_t moi_transform_create(mopt_context *ctx, int64_t columns,
                             int32_t uniform, mopt_transform **out);
void moi_transform_release(mopt_transform *transform);

/* Everything that follows from the encoders. */
int32_t moi_transform_finish(mopt_transform *transform);

/* Do rows have to be encoded beforehand (categories, indicators)? Otherwise
 * scaling while gathering is enough, unless there are gaps to fill. */
int32_t moi_transform_encodes(const mopt_transform *transform);

#endif
