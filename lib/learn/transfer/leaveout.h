/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/leaveout.h: what a ridge regression would tell its rows
 * without them.
 *
 * A row left out has the residual r_i / (1 - h_i), h_i being its leverage: no
 * second fit is needed (Allen 1974, "The relationship between variable
 * selection and data augmentation and a method for prediction", PRESS). Nor is
 * one for another penalty: once the products are tridiagonal, T = Q^T X^T X Q,
 * each costs a few operations a number of X Q (Elden 1977, "Algorithms for the
 * regularization of ill-conditioned least squares problems"). */
#ifndef MOI_LEARN_LEAVEOUT_H
#define MOI_LEARN_LEAVEOUT_H

#include "learn/transfer/ridge.h"

typedef struct moi_leaveout {
    const moi_ridge *r;
    int64_t width;             /* even: one more, of 0, than r's if need be */
    double *turned;            /* [width][kept], Q^T X^T */
    double *diagonal, *beside; /* [width], of T; beside[k] couples k-1, k */
    double *wanted;            /* [width][targets], Q^T X^T Y */
} moi_leaveout;

/* For a closed regression, which must outlive it. */
int32_t moi_leaveout_create(const moi_ridge *r, mopt_cancel *cancel,
                            moi_leaveout *out);
void moi_leaveout_clear(moi_leaveout *l);

/* What each kept row would be told: out[kept][targets], y's mean included. */
int32_t moi_leaveout_tell(const moi_leaveout *l, double penalty, double *out);

/* The power of ten, times the features' mean square, whose squares of
 * residuals are smallest. */
int32_t moi_leaveout_choose(const moi_leaveout *l, mopt_cancel *cancel,
                            double *penalty);

#endif
