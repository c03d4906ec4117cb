/* SPDX-License-Identifier: MIT
 * lib/backend/dense.c: the products of a dense layer: on the backend
 * `openblas` by our own products, which fuse what stands around them; on any
 * other by its sgemm and plain loops. */
#include "backend/dense.h"

#include <assert.h>
#include <stddef.h>

#include "backend/backend.h"
#include "backend/product.h"

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

/* Do our own products serve this context? */
static int32_t ours(const mopt_context *ctx)
{
#ifdef MOI_DOUBLE
    (void)ctx;
    return 0;
#else
    return ctx->backend == &moi_backend_openblas;
#endif
}

int64_t moi_dense_scratch(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out)
{
    if (!ours(ctx))
        return 0;
    int64_t depth = in > out ? in : out;
    int64_t passes = moi_product_scratch(depth, 0);
    int64_t weight = moi_product_scratch(rows, in);
    return passes > weight ? passes : weight;
}

/* A leading dimension is at least 1. */
static int64_t stride_of(int64_t columns)
{
    return columns > 0 ? columns : 1;
}

static void add_bias(int64_t rows, int64_t out, const moi_real *bias,
                     moi_real *y)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < out; j++)
            y[i * out + j] += bias[j];
    }
}

/* NaN stays NaN: a network that diverges must not look like a dead one. */
static void apply_relu(int64_t count, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = y[i] < 0 ? 0 : y[i];
}

static int32_t plain_forward(mopt_context *ctx, int64_t rows, int64_t in,
                             int64_t out, const moi_real *x,
                             const moi_real *w, const moi_real *bias,
                             int32_t fuse, moi_real *y)
{
    int32_t rc = moi_gemm(ctx, 0, 0, rows, out, in, 1, x, stride_of(in), w,
                          stride_of(out), 0, y, stride_of(out));
    if (rc != MOPT_OK)
        return rc;
    if (bias != NULL)
        add_bias(rows, out, bias, y);
    if (fuse == MOI_FUSE_RELU)
        apply_relu(rows * out, y);
    return MOPT_OK;
}

static int32_t plain_backward_input(mopt_context *ctx, int64_t rows,
                                    int64_t in, int64_t out,
                                    const moi_real *dy, const moi_real *w,
                                    const moi_real *relu, moi_real *dx)
{
    int32_t rc = moi_gemm(ctx, 0, 1, rows, in, out, 1, dy, stride_of(out), w,
                          stride_of(out), 0, dx, stride_of(in));
    if (rc != MOPT_OK || relu == NULL)
        return rc;
    for (int64_t i = 0; i < rows * in; i++)
        dx[i] = relu[i] > 0 ? dx[i] : 0;
    return MOPT_OK;
}

/* x begins with the first column that is wanted. */
static int32_t plain_backward_weight(mopt_context *ctx, int64_t rows,
                                     int64_t in, int64_t out, int64_t count,
                                     const moi_real *x, const moi_real *dy,
                                     moi_real *dw, moi_real *db)
{
    for (int64_t j = 0; db != NULL && j < out; j++) {
        db[j] = 0;
        for (int64_t i = 0; i < rows; i++)
            db[j] += dy[i * out + j];
    }
    return moi_gemm(ctx, 1, 0, count, out, rows, 1, x, stride_of(in), dy,
                    stride_of(out), 0, dw, stride_of(out));
}

int32_t moi_dense_forward(mopt_context *ctx, int64_t rows, int64_t in,
                          int64_t out, const moi_real *x, const moi_real *w,
                          const moi_real *bias, int32_t fuse, moi_real *y,
                          moi_real *scratch)
{
    if (!ours(ctx))
        return plain_forward(ctx, rows, in, out, x, w, bias, fuse, y);
#ifndef MOI_DOUBLE
    const moi_product product = {
        .m = rows, .n = out, .k = in,
        .a = x, .a_row = in, .a_step = 1,
        .b = w, .ldb = out,
        .relu = fuse == MOI_FUSE_RELU, .bias = bias,
        .c = y, .ldc = out, .scratch = scratch,
    };
    moi_product_isa_at(0)->run(&product);
#else
    (void)scratch;
#endif
    return MOPT_OK;
}

int32_t moi_dense_backward_input(mopt_context *ctx, int64_t rows, int64_t in,
                                 int64_t out, const moi_real *dy,
                                 const moi_real *w, const moi_real *relu,
                                 moi_real *dx, moi_real *scratch)
{
    if (!ours(ctx))
        return plain_backward_input(ctx, rows, in, out, dy, w, relu, dx);
#ifndef MOI_DOUBLE
    const moi_product product = {
        .m = rows, .n = in, .k = out,
        .a = dy, .a_row = out, .a_step = 1,
        .b = w, .ldb = out, .trans_b = 1,
        .mask = relu,
        .c = dx, .ldc = in, .scratch = scratch,
    };
    moi_product_isa_at(0)->run(&product);
#else
    (void)scratch;
#endif
    return MOPT_OK;
}

int64_t moi_dense_chains(int64_t chain)
{
    int64_t most = chain > 0 ? MOI_PANEL_DEPTH / chain : 1;
    return most < 1 ? 1 : most < MOI_CHAINS ? most : MOI_CHAINS;
}

int32_t moi_dense_adds(const mopt_context *ctx, int64_t rows, int64_t chain)
{
    return ours(ctx) && rows <= MOI_PANEL_DEPTH &&
           (chain == 0 || rows <= moi_dense_chains(chain) * chain);
}

int32_t moi_dense_backward_weight(mopt_context *ctx, int64_t rows, int64_t in,
                                  int64_t out, int64_t first, int64_t count,
                                  const moi_real *x, const moi_real *dy,
                                  int64_t chain, int32_t onto, moi_real *dw,
                                  moi_real *db, moi_real *scratch)
{
    assert((!onto && chain == 0) || moi_dense_adds(ctx, rows, chain));
    if (!ours(ctx))
        return plain_backward_weight(ctx, rows, in, out, count, x + first, dy,
                                     dw, db);
#ifndef MOI_DOUBLE
    const moi_product product = {
        .m = count, .n = out, .k = rows,
        .a = x + first, .a_row = 1, .a_step = in,
        .b = dy, .ldb = out,
        .sums = db, .chain = chain, .onto = onto,
        .c = dw, .ldc = out, .scratch = scratch,
    };
    moi_product_isa_at(0)->run(&product);
#else
    (void)chain;
    (void)onto;
    (void)scratch;
#endif
    return MOPT_OK;
}
