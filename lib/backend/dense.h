/* SPDX-License-Identifier: MIT
 * lib/backend/dense.h: the products of a dense layer, over the context's
 * backend or over kernels of our own where those are faster.
 *
 * All matrices are row-major and packed. Weights are w[in][out]: then forward
 * and weight gradient read every operand in memory order, and only the input
 * gradient, which the first and largest layer does not need, transposes. */
#ifndef MOI_BACKEND_DENSE_H
#define MOI_BACKEND_DENSE_H

#include <modelopt/backend.h>

#include "backend/real.h"

/* Activations that are fused into the product. */
#define MOI_FUSE_NONE 0
#define MOI_FUSE_RELU 1

/* Reals of scratch that the three calls need for up to rows rows; the caller
 * hands the same block to each of them. */
int64_t moi_dense_scratch(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out);

/* y[rows][out] = fuse(x[rows][in] w + bias); bias may be NULL. */
int32_t moi_dense_forward(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out, const moi_real *x, const moi_real *w,
                          const moi_real *bias, int32_t fuse, moi_real *y,
                          moi_real *scratch);

/* dx[rows][in] = dy[rows][out] w^T; where relu is not NULL, dx is 0 wherever
 * relu[rows][in] (an output of relu) is not above 0. */
int32_t moi_dense_backward_input(mopt_context *ctx, int64_t rows, int64_t in,
                                 int64_t out, const moi_real *dy,
                                 const moi_real *w, const moi_real *relu,
                                 moi_real *dx, moi_real *scratch);

/* Rows first .. first+count-1 of x^T dy, which is [in][out], into
 * dw[count][out]; db[out] = column sums of dy (db may be NULL). A sum is that
 * of `chain` rows at a time, added up by pairs (group/pairs.h), as passes
 * afterwards would do (0: of all rows at once); and with onto it is added to
 * what is there. Only where moi_dense_adds says that so many rows can be:
 * moi_dense_chains times `chain` at most. */
int32_t moi_dense_backward_weight(mopt_context *ctx, int64_t rows, int64_t in,
                                  int64_t out, int64_t first, int64_t count,
                                  const moi_real *x, const moi_real *dy,
                                  int64_t chain, int32_t onto, moi_real *dw,
                                  moi_real *db, moi_real *scratch);
int32_t moi_dense_adds(const mopt_context *ctx, int64_t rows, int64_t chain);
int64_t moi_dense_chains(int64_t chain);

/* General product through the backend, in moi_real: see mopt_backend.sgemm. */
int32_t moi_gemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                 int64_t m, int64_t n, int64_t k, moi_real alpha,
                 const moi_real *a, int64_t lda, const moi_real *b,
                 int64_t ldb, moi_real beta, moi_real *c, int64_t ldc);

#endif
