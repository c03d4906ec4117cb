/* SPDX-License-Identifier: MIT
 * modelopt/backend.h: linear algebra behind one table.
 *
 * The library brings "openblas" (the default) and "reference" (plain C, the
 * oracle of the tests). A host may register its own. Matrices are row-major;
 * the library checks every argument before it calls a backend. */
#ifndef MODELOPT_BACKEND_H
#define MODELOPT_BACKEND_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOPT_BACKEND_ABI 1

/** A backend. Members are only ever appended; the library copies
 *  min(struct_size, its own size) bytes. NULL members other than the marked
 *  ones are taken from "reference". Functions return 0 or a negative status,
 *  must be callable from several threads at a time, and must give the same
 *  bits for the same arguments. */
typedef struct mopt_backend {
    uint32_t struct_size; /* sizeof(mopt_backend) of the host's header */
    uint32_t abi_version; /* MOPT_BACKEND_ABI */
    const char *name;     /* copied */
    void *user;           /* handed to every function */

    /** C[m][n] = alpha * op(A)[m][k] * op(B)[k][n] + beta * C. op transposes
     *  when trans is 1. beta 0 must not read C; sizes may be 0. Required. */
    int32_t (*sgemm)(void *user, int32_t trans_a, int32_t trans_b, int64_t m,
                     int64_t n, int64_t k, float alpha, const float *a,
                     int64_t lda, const float *b, int64_t ldb, float beta,
                     float *c, int64_t ldc);
    int32_t (*dgemm)(void *user, int32_t trans_a, int32_t trans_b, int64_t m,
                     int64_t n, int64_t k, double alpha, const double *a,
                     int64_t lda, const double *b, int64_t ldb, double beta,
                     double *c, int64_t ldc);

    /** QR of A[m][n], m >= n, in double: on return A holds Q with orthonormal
     *  columns, r[n] the diagonal of R. */
    int32_t (*dqr)(void *user, int64_t m, int64_t n, double *a, int64_t lda,
                   double *r);

    /** Solve the symmetric positive definite A[n][n] X = B[n][nrhs]; A is
     *  overwritten by its Cholesky factor, B by X. Returns a positive value
     *  when A is not positive definite. */
    int32_t (*dposv)(void *user, int64_t n, int64_t nrhs, double *a,
                     int64_t lda, double *b, int64_t ldb);
} mopt_backend;

/** Register a backend with a context; choose it by the key "backend" of
 *  mopt_context_configure.
 *
 *  @param backend copied; user must live until destroy is called.
 *  @param destroy called with backend->user when the context ends; may be
 *                 NULL.
 *  @return MOPT_OK, MOPT_EINVAL (NULL, no name, too small a struct_size, wrong
 *          abi_version, no sgemm), MOPT_EEXIST (the name is taken),
 *          MOPT_ENOMEM.
 *  Thread: one at a time, before objects are made. Since 0.1.
 */
MOPT_API int32_t mopt_backend_register(mopt_context *ctx,
                                       const mopt_backend *backend,
                                       mopt_destroy_fn destroy);

#ifdef __cplusplus
}
#endif

#endif
