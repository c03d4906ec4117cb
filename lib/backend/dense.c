/* SPDX-License-Identifier: MIT
 * lib/backend/dense.c: the products of a dense layer. */
#include "backend/dense.h"

#include "backend/backend.h"
#include "backend/kernels.h"

int32_t moi_gemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                 int64_t m, int64_t n, int64_t k, moi_real alpha,
                 const moi_real *a, int64_t lda, const moi_real *b,
                 int64_t ldb, moi_real beta, moi_real *c, int64_t ldc)
{
#ifdef MOI_DOUBLE
    return moi_dgemm(ctx, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb,
                     beta, c, ldc);
#else
    return moi_sgemm(ctx, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb,
                     beta, c, ldc);
#endif
}

int64_t moi_dense_scratch(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out)
{
    (void)ctx;
    (void)rows;
    (void)in;
    (void)out;
    return 0;
}

MOI_CLONES static void add_bias(int64_t rows, int64_t out,
                                const moi_real *bias, moi_real *y)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < out; j++)
            y[i * out + j] += bias[j];
    }
}

/* NaN stays NaN: a diverging network must not look like a dead one. */
MOI_CLONES static void relu(int64_t count, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = y[i] < 0 ? 0 : y[i];
}

MOI_CLONES static void mask(int64_t count, const moi_real *relu_out,
                            moi_real *dx)
{
    for (int64_t i = 0; i < count; i++)
        dx[i] = relu_out[i] > 0 ? dx[i] : 0;
}

MOI_CLONES static void column_sums(int64_t rows, int64_t out,
                                   const moi_real *dy, moi_real *db)
{
    for (int64_t j = 0; j < out; j++)
        db[j] = 0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < out; j++)
            db[j] += dy[i * out + j];
    }
}

/* A leading dimension is at least 1. */
static int64_t stride_of(int64_t columns)
{
    return columns > 0 ? columns : 1;
}

int32_t moi_dense_forward(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out, const moi_real *x, const moi_real *w,
                          const moi_real *bias, int32_t fuse, moi_real *y,
                          moi_real *scratch)
{
    (void)scratch;
    int32_t rc = moi_gemm(ctx, 0, 0, rows, out, in, 1, x, stride_of(in), w,
                          stride_of(out), 0, y, stride_of(out));
    if (rc != MOPT_OK)
        return rc;
    if (bias != NULL)
        add_bias(rows, out, bias, y);
    if (fuse == MOI_FUSE_RELU)
        relu(rows * out, y);
    return MOPT_OK;
}

int32_t moi_dense_backward_input(mopt_context *ctx, int64_t rows, int64_t in,
                                 int64_t out, const moi_real *dy,
                                 const moi_real *w, const moi_real *relu_out,
                                 moi_real *dx, moi_real *scratch)
{
    (void)scratch;
    int32_t rc = moi_gemm(ctx, 0, 1, rows, in, out, 1, dy, stride_of(out), w,
                          stride_of(out), 0, dx, stride_of(in));
    if (rc == MOPT_OK && relu_out != NULL)
        mask(rows * in, relu_out, dx);
    return rc;
}

int32_t moi_dense_backward_weight(mopt_context *ctx, int64_t rows, int64_t in,
                                  int64_t out, const moi_real *x,
                                  const moi_real *dy, moi_real *dw,
                                  moi_real *db, moi_real *scratch)
{
    (void)scratch;
    if (db != NULL)
        column_sums(rows, out, dy, db);
    return moi_gemm(ctx, 1, 0, in, out, rows, 1, x, stride_of(in), dy,
                    stride_of(out), 0, dw, stride_of(out));
}
