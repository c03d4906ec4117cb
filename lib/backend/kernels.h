/* SPDX-License-Identifier: MIT
 * lib/backend/kernels.h: elementwise work in the widest instruction set of the
 * machine, chosen at run time.
 *
 * MOI_CLONES before a function definition compiles it for several instruction
 * sets; plain loops inside are vectorised. Not under sanitizers, whose runtime
 * starts after the choice is made. */
#ifndef MOI_BACKEND_KERNELS_H
#define MOI_BACKEND_KERNELS_H

#include <stdint.h>

#include "backend/real.h"

#ifdef MOI_HAVE_CLONES
#define MOI_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", \
                                 "default")))
#else
#define MOI_CLONES
#endif

/* Vector exp, tanh, sigmoid (<= 2 ulp, the same bits on every backend):
 * y[i] = f(x[i]); x and y may be the same. */
void moi_vec_exp(int64_t count, const moi_real *x, moi_real *y);
void moi_vec_tanh(int64_t count, const moi_real *x, moi_real *y);
void moi_vec_sigmoid(int64_t count, const moi_real *x, moi_real *y);
void moi_vec_erf(int64_t count, const moi_real *x, moi_real *y);

/* Row-wise softmax of x[rows][n] into y (may be x), and its log-sum-exp per
 * row into lse when not NULL. */
void moi_softmax_rows(int64_t rows, int64_t n, const moi_real *x, moi_real *y,
                      double *lse);

/* Name of the instruction set in use: "avx512", "avx2", "baseline". */
const char *moi_isa_name(void);

#endif
