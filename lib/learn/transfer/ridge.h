/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/ridge.h: ridge regression, its penalty by leave-one-out.
 *
 * Rows go by in pieces: what stays of them are products, and some rows to be
 * left out in turn. The bits depend neither on threads nor on the pieces'
 * timing, only on the pieces. */
#ifndef MOI_LEARN_RIDGE_H
#define MOI_LEARN_RIDGE_H

#include "backend/real.h"
#include "base/context.h"

/* Tables have the features of a row and its targets side by side: span is the
 * sum of both. */
typedef struct moi_ridge {
    mopt_context *ctx;
    int64_t width, targets, span;
    int64_t rows;         /* so far */
    int64_t room, kept;   /* rows that may be left out, and that there are */
    double *mean;         /* [span]; of what is above the shift until close */
    double *shift;        /* [span], the mean of the first rows */
    double *table;        /* [room][span], the first rows, centred */
    double *gram;         /* [width][span]: x^T x, x^T y */
    double *weights;      /* [width][targets], after moi_ridge_solve */
    double penalty;
} moi_ridge;

/* The first room rows may be left out. */
int32_t moi_ridge_create(mopt_context *ctx, int64_t width, int64_t targets,
                         int64_t room, moi_ridge *r);
void moi_ridge_clear(moi_ridge *r);

/* Add rows x[rows][width], y[rows][targets]; when all are there, close. */
int32_t moi_ridge_add(moi_ridge *r, int64_t rows, const moi_real *x,
                      const moi_real *y);
void moi_ridge_close(moi_ridge *r);

/* (x^T x + penalty 1) weights = x^T y, both centred. */
int32_t moi_ridge_solve(moi_ridge *r, double penalty);

#endif
