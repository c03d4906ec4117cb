/* SPDX-License-Identifier: MIT
 * lib/backend/backend.h: finding a backend, and calling it with arguments that
 * were checked.
 *
 * `openblas` keeps OpenBLAS on one thread by staying below the size at which
 * it would take more: its results are the same whatever its process-wide
 * thread count, and callers in several threads do not wait for each other. */
#ifndef MOI_BACKEND_BACKEND_H
#define MOI_BACKEND_BACKEND_H

#include <modelopt/backend.h>

#include "base/context.h"

extern const mopt_backend moi_backend_openblas;
extern const mopt_backend moi_backend_reference;

/* The backend of a new context: openblas. */
const mopt_backend *moi_backend_default(void);

/* A built-in or registered backend by name; MOPT_EKEY names those there are. */
int32_t moi_backend_find(mopt_context *ctx, const char *name,
                         const mopt_backend **out);

/* OpenBLAS's description of itself: version, options, processor. */
const char *moi_backend_blas_config(void);

/* OpenBLAS's process-wide thread count. */
void moi_backend_set_blas_threads(int32_t count);
int32_t moi_backend_blas_threads(void);

/* The entries of the context's backend: see mopt_backend. MOPT_EINVAL for a
 * negative size, a leading dimension below the row length or NULL where there
 * is something to read; MOPT_ERANGE beyond what the backend counts;
 * MOPT_EBACKEND when it fails. */
int32_t moi_sgemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                  int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                  int64_t lda, const float *b, int64_t ldb, float beta,
                  float *c, int64_t ldc);
int32_t moi_dgemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                  int64_t m, int64_t n, int64_t k, double alpha,
                  const double *a, int64_t lda, const double *b, int64_t ldb,
                  double beta, double *c, int64_t ldc);
int32_t moi_dqr(mopt_context *ctx, int64_t m, int64_t n, double *a,
                int64_t lda, double *r);
/* 1 when A is not positive definite. */
int32_t moi_dposv(mopt_context *ctx, int64_t n, int64_t nrhs, double *a,
                  int64_t lda, double *b, int64_t ldb);

#endif
