/* SPDX-License-Identifier: MIT
 * lib/backend/openblas.c: the backend "openblas": CBLAS and LAPACKE.
 *
 * OpenBLAS shares a product of more than 262,144 multiplications (interface/
 * gemm.c: 65,536 times GEMM_MULTITHREAD_THRESHOLD, 4 by default) between its
 * threads, which changes the bits and lets callers wait for each other. Its
 * thread count belongs to the process, not to us: so products go to it in
 * pieces of 64 x 64 x 64, always, whatever that count is. */
#include <cblas.h>

#include "backend/backend.h"
#include "backend/factor.h"

#define PIECE 64

const char *moi_backend_blas_config(void)
{
    return openblas_get_config();
}

void moi_backend_set_blas_threads(int32_t count)
{
    openblas_set_num_threads(count);
}

int32_t moi_backend_blas_threads(void)
{
    return openblas_get_num_threads();
}

/* Does a leading dimension fit the integers of the BLAS? Sizes of pieces do. */
static int32_t fits(int64_t stride)
{
    return sizeof(blasint) == sizeof(int64_t) || stride <= INT32_MAX;
}

static CBLAS_TRANSPOSE transpose(int32_t trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

static blasint piece(int64_t left)
{
    return (blasint)(left < PIECE ? left : PIECE);
}

/* At least one piece along k, which applies beta. */
static int32_t openblas_sgemm(void *user, int32_t trans_a, int32_t trans_b,
                              int64_t m, int64_t n, int64_t k, float alpha,
                              const float *a, int64_t lda, const float *b,
                              int64_t ldb, float beta, float *c, int64_t ldc)
{
    (void)user;
    if (!fits(lda) || !fits(ldb) || !fits(ldc))
        return MOPT_ERANGE;
    for (int64_t i = 0; i < m; i += PIECE) {
        for (int64_t j = 0; j < n; j += PIECE) {
            int64_t p = 0;
            do {
                cblas_sgemm(CblasRowMajor, transpose(trans_a),
                            transpose(trans_b), piece(m - i), piece(n - j),
                            piece(k - p), alpha,
                            a + (trans_a ? p * lda + i : i * lda + p),
                            (blasint)lda,
                            b + (trans_b ? j * ldb + p : p * ldb + j),
                            (blasint)ldb, p == 0 ? beta : 1, c + i * ldc + j,
                            (blasint)ldc);
                p += PIECE;
            } while (p < k);
        }
    }
    return 0;
}

static int32_t openblas_dgemm(void *user, int32_t trans_a, int32_t trans_b,
                              int64_t m, int64_t n, int64_t k, double alpha,
                              const double *a, int64_t lda, const double *b,
                              int64_t ldb, double beta, double *c,
                              int64_t ldc)
{
    (void)user;
    if (!fits(lda) || !fits(ldb) || !fits(ldc))
        return MOPT_ERANGE;
    for (int64_t i = 0; i < m; i += PIECE) {
        for (int64_t j = 0; j < n; j += PIECE) {
            int64_t p = 0;
            do {
                cblas_dgemm(CblasRowMajor, transpose(trans_a),
                            transpose(trans_b), piece(m - i), piece(n - j),
                            piece(k - p), alpha,
                            a + (trans_a ? p * lda + i : i * lda + p),
                            (blasint)lda,
                            b + (trans_b ? j * ldb + p : p * ldb + j),
                            (blasint)ldb, p == 0 ? beta : 1, c + i * ldc + j,
                            (blasint)ldc);
                p += PIECE;
            } while (p < k);
        }
    }
    return 0;
}

static int32_t openblas_dqr(void *user, int64_t m, int64_t n, double *a,
                            int64_t lda, double *r)
{
    (void)user;
    if (!fits(lda))
        return MOPT_ERANGE;
    return moi_blocked_dqr(openblas_dgemm, m, n, a, lda, r);
}

static int32_t openblas_dposv(void *user, int64_t n, int64_t nrhs, double *a,
                              int64_t lda, double *b, int64_t ldb)
{
    (void)user;
    if (!fits(lda) || !fits(ldb))
        return MOPT_ERANGE;
    return moi_blocked_dposv(openblas_dgemm, n, nrhs, a, lda, b, ldb);
}

const mopt_backend moi_backend_openblas = {
    .struct_size = sizeof(mopt_backend),
    .abi_version = MOPT_BACKEND_ABI,
    .name = "openblas",
    .sgemm = openblas_sgemm,
    .dgemm = openblas_dgemm,
    .dqr = openblas_dqr,
    .dposv = openblas_dposv,
};
