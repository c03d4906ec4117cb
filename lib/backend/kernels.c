/* SPDX-License-Identifier: MIT
 * lib/backend/kernels.c: elementwise functions on vectors. */
#include "backend/kernels.h"

#include <math.h>
#include <stddef.h>

#include "backend/product.h"

#ifdef MOI_DOUBLE
#define REAL(function) function
#else
#define REAL(function) function##f
#endif

void moi_vec_exp(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = REAL(exp)(x[i]);
}

void moi_vec_tanh(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = REAL(tanh)(x[i]);
}

void moi_vec_sigmoid(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = 1 / (1 + REAL(exp)(-x[i]));
}

void moi_vec_erf(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = REAL(erf)(x[i]);
}

void moi_softmax_rows(int64_t rows, int64_t n, const moi_real *x, moi_real *y,
                      double *lse)
{
    for (int64_t i = 0; i < rows; i++, x += n, y += n) {
        moi_real most = n > 0 ? x[0] : 0;
        for (int64_t j = 1; j < n; j++)
            most = x[j] > most ? x[j] : most;
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] - most;
        moi_vec_exp(n, y, y);
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += (double)y[j];
        for (int64_t j = 0; j < n; j++)
            y[j] = (moi_real)(y[j] / sum);
        if (lse != NULL)
            lse[i] = (double)most + log(sum);
    }
}

const char *moi_isa_name(void)
{
    return moi_product_isa_at(0)->name;
}
