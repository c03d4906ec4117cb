/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/probe.h: a head in closed form. */
#ifndef MOI_LEARN_PROBE_H
#define MOI_LEARN_PROBE_H

#include "learn/data/dataset.h"
#include "learn/nn/model.h"

/* Ridge regression of targets on features. */
typedef struct moi_ridge {
    mopt_context *ctx;
    int64_t rows, width, targets;
    double *x, *y;              /* [rows][..]; centred by moi_ridge_begin */
    double *mean_x, *mean_y;
    double *gram;               /* [width][width], x^T x */
    double *cross;              /* [width][targets], x^T y */
    double *weights;            /* [width][targets], after moi_ridge_solve */
    double penalty;
} moi_ridge;

/* Room for x and y, which the caller fills, then centres by begin. */
int32_t moi_ridge_create(mopt_context *ctx, int64_t rows, int64_t width,
                         int64_t targets, moi_ridge *r);
int32_t moi_ridge_begin(moi_ridge *r);
void moi_ridge_clear(moi_ridge *r);

/* (x^T x + penalty 1) weights = x^T y. */
int32_t moi_ridge_solve(moi_ridge *r, double penalty);

/* What each of the first count rows would be told had it been left out, for
 * the penalty solved last: out[count][targets], y's mean included. */
int32_t moi_ridge_left_out(const moi_ridge *r, int64_t count, double *out);

/* Solve for the penalty whose left-out squares are smallest. */
int32_t moi_ridge_choose(moi_ridge *r, mopt_cancel *cancel);

/* Set a model's head from labelled ready rows. penalty 0: by leave-one-out.
 * *chosen receives the penalty; may be NULL. */
int32_t moi_probe_fit(mopt_model *model, const mopt_dataset *data,
                      double penalty, mopt_cancel *cancel, double *chosen);

#endif
