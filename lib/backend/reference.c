/* SPDX-License-Identifier: MIT
 * lib/backend/reference.c: the backend "reference": plain loops, the oracle of
 * the tests.
 *
 * Products add up in double, one after the other in the order of k, so that
 * the single precision result is right but for its last rounding. */
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/factor.h"

/* Columns of C that are added up at a time, in an array on the stack. */
#define STRIP 64

/* Element (i, j) of op(X) is x[i * rows + j * columns]. */
typedef struct strides {
    int64_t rows, columns;
} strides;

static strides strides_of(int32_t trans, int64_t stride)
{
    if (trans)
        return (strides){1, stride};
    return (strides){stride, 1};
}

/* C = alpha * sum + beta * C for one strip of a row. */
static void finish_strip_s(int64_t count, float alpha, const double *sum,
                           float beta, float *c)
{
    for (int64_t j = 0; j < count; j++) {
        double value = alpha == 0 ? 0 : (double)alpha * sum[j];
        c[j] = (float)(beta == 0 ? value : value + (double)beta * c[j]);
    }
}

static void finish_strip_d(int64_t count, double alpha, const double *sum,
                           double beta, double *c)
{
    for (int64_t j = 0; j < count; j++) {
        double value = alpha == 0 ? 0 : alpha * sum[j];
        c[j] = beta == 0 ? value : value + beta * c[j];
    }
}

static int32_t reference_sgemm(void *user, int32_t trans_a, int32_t trans_b,
                               int64_t m, int64_t n, int64_t k, float alpha,
                               const float *a, int64_t lda, const float *b,
                               int64_t ldb, float beta, float *c, int64_t ldc)
{
    (void)user;
    const strides sa = strides_of(trans_a, lda), sb = strides_of(trans_b, ldb);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j += STRIP) {
            const int64_t count = n - j < STRIP ? n - j : STRIP;
            double sum[STRIP] = {0};
            for (int64_t p = 0; alpha != 0 && p < k; p++) {
                const double left = a[i * sa.rows + p * sa.columns];
                const float *right = b + p * sb.rows + j * sb.columns;
                for (int64_t q = 0; q < count; q++)
                    sum[q] += left * right[q * sb.columns];
            }
            finish_strip_s(count, alpha, sum, beta, c + i * ldc + j);
        }
    }
    return 0;
}

static int32_t reference_dgemm(void *user, int32_t trans_a, int32_t trans_b,
                               int64_t m, int64_t n, int64_t k, double alpha,
                               const double *a, int64_t lda, const double *b,
                               int64_t ldb, double beta, double *c,
                               int64_t ldc)
{
    (void)user;
    const strides sa = strides_of(trans_a, lda), sb = strides_of(trans_b, ldb);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j += STRIP) {
            const int64_t count = n - j < STRIP ? n - j : STRIP;
            double sum[STRIP] = {0};
            for (int64_t p = 0; alpha != 0 && p < k; p++) {
                const double left = a[i * sa.rows + p * sa.columns];
                const double *right = b + p * sb.rows + j * sb.columns;
                for (int64_t q = 0; q < count; q++)
                    sum[q] += left * right[q * sb.columns];
            }
            finish_strip_d(count, alpha, sum, beta, c + i * ldc + j);
        }
    }
    return 0;
}

double moi_reflector(int64_t m, int64_t j, double *a, int64_t lda)
{
    double scale = 0;
    for (int64_t i = j + 1; i < m; i++)
        scale = fmax(scale, fabs(a[i * lda + j]));
    const double alpha = a[j * lda + j];
    if (scale == 0)
        return 0;
    scale = fmax(scale, fabs(alpha));
    double sum = alpha / scale * (alpha / scale);
    for (int64_t i = j + 1; i < m; i++) {
        const double part = a[i * lda + j] / scale;
        sum += part * part;
    }
    const double beta = -copysign(scale * sqrt(sum), alpha);
    for (int64_t i = j + 1; i < m; i++)
        a[i * lda + j] /= alpha - beta;
    a[j * lda + j] = beta;
    return (beta - alpha) / beta;
}

void moi_reflect(int64_t m, int64_t j, double tau, int64_t from, int64_t to,
                 double *a, int64_t lda)
{
    for (int64_t q = from; q < to; q += STRIP) {
        const int64_t count = to - q < STRIP ? to - q : STRIP;
        double sum[STRIP];
        memcpy(sum, a + j * lda + q, (size_t)count * sizeof(sum[0]));
        for (int64_t i = j + 1; i < m; i++) {
            for (int64_t p = 0; p < count; p++)
                sum[p] += a[i * lda + j] * a[i * lda + q + p];
        }
        for (int64_t p = 0; p < count; p++)
            a[j * lda + q + p] -= tau * sum[p];
        for (int64_t i = j + 1; i < m; i++) {
            for (int64_t p = 0; p < count; p++)
                a[i * lda + q + p] -= tau * a[i * lda + j] * sum[p];
        }
    }
}

void moi_reflect_unit(int64_t m, int64_t j, double tau, double *a, int64_t lda)
{
    a[j * lda + j] = 1 - tau;
    for (int64_t i = j + 1; i < m; i++)
        a[i * lda + j] *= -tau;
}

/* Householder QR, tau of each reflector kept on the diagonal; then Q is built
 * backwards in their place. */
static int32_t reference_dqr(void *user, int64_t m, int64_t n, double *a,
                             int64_t lda, double *r)
{
    (void)user;
    for (int64_t j = 0; j < n; j++) {
        const double tau = moi_reflector(m, j, a, lda);
        moi_reflect(m, j, tau, j + 1, n, a, lda);
        r[j] = a[j * lda + j];
        a[j * lda + j] = tau;
    }
    for (int64_t j = n - 1; j >= 0; j--) {
        const double tau = a[j * lda + j];
        for (int64_t i = 0; i < j; i++)
            a[i * lda + j] = 0;
        for (int64_t q = j + 1; q < n; q++)
            a[j * lda + q] = 0;
        moi_reflect(m, j, tau, j + 1, n, a, lda);
        moi_reflect_unit(m, j, tau, a, lda);
    }
    return 0;
}

/* L of A = L L^T into the lower triangle; the index of the first pivot that
 * is not positive, -1 if all are. */
static int64_t cholesky(int64_t n, double *a, int64_t lda)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double sum = a[i * lda + j];
            for (int64_t p = 0; p < j; p++)
                sum -= a[i * lda + p] * a[j * lda + p];
            if (i != j)
                a[i * lda + j] = sum / a[j * lda + j];
            else if (!(sum > 0))
                return i;
            else
                a[i * lda + i] = sqrt(sum);
        }
    }
    return -1;
}

static int32_t reference_dposv(void *user, int64_t n, int64_t nrhs, double *a,
                               int64_t lda, double *b, int64_t ldb)
{
    (void)user;
    if (cholesky(n, a, lda) >= 0)
        return 1;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t p = 0; p < i; p++) {
            for (int64_t q = 0; q < nrhs; q++)
                b[i * ldb + q] -= a[i * lda + p] * b[p * ldb + q];
        }
        for (int64_t q = 0; q < nrhs; q++)
            b[i * ldb + q] /= a[i * lda + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t p = i + 1; p < n; p++) {
            for (int64_t q = 0; q < nrhs; q++)
                b[i * ldb + q] -= a[p * lda + i] * b[p * ldb + q];
        }
        for (int64_t q = 0; q < nrhs; q++)
            b[i * ldb + q] /= a[i * lda + i];
    }
    return 0;
}

const mopt_backend moi_backend_reference = {
    .struct_size = sizeof(mopt_backend),
    .abi_version = MOPT_BACKEND_ABI,
    .name = "reference",
    .sgemm = reference_sgemm,
    .dgemm = reference_dgemm,
    .dqr = reference_dqr,
    .dposv = reference_dposv,
};
