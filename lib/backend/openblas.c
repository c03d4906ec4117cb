/* SPDX-License-Identifier: MIT
 * lib/backend/openblas.c: the backend "openblas": CBLAS and LAPACKE. */
#include <cblas.h>
#include <lapacke.h>

#include "backend/backend.h"

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

/* Do the sizes fit the integers of the BLAS? They are 0 or more. */
static int32_t fits(int64_t a, int64_t b, int64_t c)
{
    const int64_t limit = sizeof(blasint) == 4 ? INT32_MAX : INT64_MAX;
    return a <= limit && b <= limit && c <= limit;
}

static CBLAS_TRANSPOSE transpose(int32_t trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

static int32_t openblas_sgemm(void *user, int32_t trans_a, int32_t trans_b,
                              int64_t m, int64_t n, int64_t k, float alpha,
                              const float *a, int64_t lda, const float *b,
                              int64_t ldb, float beta, float *c, int64_t ldc)
{
    (void)user;
    if (!fits(m, n, k) || !fits(lda, ldb, ldc))
        return MOPT_ERANGE;
    cblas_sgemm(CblasRowMajor, transpose(trans_a), transpose(trans_b),
                (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b,
                (blasint)ldb, beta, c, (blasint)ldc);
    return 0;
}

static int32_t openblas_dgemm(void *user, int32_t trans_a, int32_t trans_b,
                              int64_t m, int64_t n, int64_t k, double alpha,
                              const double *a, int64_t lda, const double *b,
                              int64_t ldb, double beta, double *c,
                              int64_t ldc)
{
    (void)user;
    if (!fits(m, n, k) || !fits(lda, ldb, ldc))
        return MOPT_ERANGE;
    cblas_dgemm(CblasRowMajor, transpose(trans_a), transpose(trans_b),
                (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b,
                (blasint)ldb, beta, c, (blasint)ldc);
    return 0;
}

/* What LAPACKE returned; it allocates a little inside. */
static int32_t lapack_status(lapack_int info)
{
    if (info == LAPACK_WORK_MEMORY_ERROR)
        return MOPT_ENOMEM;
    return info < 0 ? MOPT_EBACKEND : (int32_t)info;
}

static int32_t openblas_dqr(void *user, int64_t m, int64_t n, double *a,
                            int64_t lda, double *r)
{
    return moi_backend_reference.dqr(user, m, n, a, lda, r);
}

/* The lower triangle by rows is the upper one by columns; B is solved row by
 * row of its transpose. */
static int32_t openblas_dposv(void *user, int64_t n, int64_t nrhs, double *a,
                              int64_t lda, double *b, int64_t ldb)
{
    (void)user;
    if (!fits(n, nrhs, lda) || !fits(ldb, 0, 0))
        return MOPT_ERANGE;
    if (n == 0)
        return 0;
    int32_t rc = lapack_status(LAPACKE_dpotrf_work(
        LAPACK_COL_MAJOR, 'U', (lapack_int)n, a, (lapack_int)lda));
    if (rc != 0 || nrhs == 0)
        return rc;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans,
                CblasNonUnit, (blasint)n, (blasint)nrhs, 1, a, (blasint)lda,
                b, (blasint)ldb);
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans,
                CblasNonUnit, (blasint)n, (blasint)nrhs, 1, a, (blasint)lda,
                b, (blasint)ldb);
    return 0;
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
