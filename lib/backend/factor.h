/* SPDX-License-Identifier: MIT
 * lib/backend/factor.h: QR and Cholesky, by columns and in blocks. In place:
 * no memory is taken. */
#ifndef MOI_BACKEND_FACTOR_H
#define MOI_BACKEND_FACTOR_H

#include <modelopt/backend.h>

/* The reflector I - tau v v^T (v[0] = 1) that takes column j of A[m][], from
 * row j on, to (beta, 0, ...): v then stands below the diagonal, beta on it.
 * Returns tau. Golub and Van Loan, Matrix Computations, 5.1.3; LAPACK's choice
 * of signs. */
double moi_reflector(int64_t m, int64_t j, double *a, int64_t lda);

/* (I - tau v v^T) A for columns from .. to-1, v being in column j. */
void moi_reflect(int64_t m, int64_t j, double tau, int64_t from, int64_t to,
                 double *a, int64_t lda);

/* v is replaced by (I - tau v v^T) (1, 0, ...). */
void moi_reflect_unit(int64_t m, int64_t j, double tau, double *a,
                      int64_t lda);

/* The entries dqr and dposv of mopt_backend, their bulk done by dgemm. */
typedef int32_t (*moi_dgemm_fn)(void *user, int32_t trans_a, int32_t trans_b,
                                int64_t m, int64_t n, int64_t k, double alpha,
                                const double *a, int64_t lda, const double *b,
                                int64_t ldb, double beta, double *c,
                                int64_t ldc);
int32_t moi_blocked_dqr(moi_dgemm_fn dgemm, int64_t m, int64_t n, double *a,
                        int64_t lda, double *r);
int32_t moi_blocked_dposv(moi_dgemm_fn dgemm, int64_t n, int64_t nrhs,
                          double *a, int64_t lda, double *b, int64_t ldb);

#endif
