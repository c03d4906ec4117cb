/* SPDX-License-Identifier: MIT
 * lib/backend/kernels.c: elementwise functions on vectors, and softmax.
 *
 * Single precision: polynomials of our own, fitted by Remez exchange to the
 * relative error of the result (absolute where it is added to 1), in plain
 * loops without a branch, which compilers turn into vectors. Sums and products
 * are never fused, so that every instruction set gives the same bits. In the
 * double build, which only checks gradients, the C library serves. */
#include "backend/kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "backend/product.h"

const char *moi_isa_name(void)
{
    return moi_product_isa_at(0)->name;
}

#ifdef MOI_DOUBLE

void moi_vec_exp(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = exp(x[i]);
}

void moi_vec_tanh(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = tanh(x[i]);
}

void moi_vec_sigmoid(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++) {
        const double e = exp(-fabs(x[i]));
        y[i] = (x[i] < 0 ? e : 1) / (1 + e);
    }
}

void moi_vec_erf(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = erf(x[i]);
}

static void logs(int64_t count, double *x)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = log(x[i]);
}

#else

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* exp(x) = 2^n exp(r), |r| <= log(2) / 2. Adding 1.5 * 2^23 rounds to an
 * integer, which then stands in the low bits. log(2) is split in two, so that
 * n times its first part is exact; 1 + r is rounded, and what is lost added
 * again. 2^n is applied in two halves: the result may
 * overflow or become subnormal. NaN passes both comparisons and stays. */
static inline float exp_of(float x)
{
    const float round = 12582912.0f;
    x = x > 104.0f ? 104.0f : x;
    x = x < -104.0f ? -104.0f : x;
    const float shifted = x * 1.44269504f + round;
    const float n = shifted - round;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    const float q = (((0.00139506033f * r + 0.00836895313f) * r
                      + 0.041666206f) * r + 0.166665182f) * r + 0.5f;
    const float high = 1.0f + r, low = (1.0f - high) + r;
    const uint32_t power = bits_of(shifted) - bits_of(round);
    const uint32_t half = (uint32_t)((int32_t)power >> 1);
    return (high + (r * r * q + low)) * float_of((half + 127) << 23)
        * float_of((power - half + 127) << 23);
}

MOI_CLONES
void moi_vec_exp(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = exp_of(x[i]);
}

/* x + x^3 P(x^2) near 0, else 1 - 2 / (exp(2 |x|) + 1). */
MOI_CLONES
void moi_vec_tanh(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++) {
        const float size = fabsf(x[i]), s = x[i] * x[i];
        const float near =
            ((((-0.00618863897f * s + 0.0210142788f) * s - 0.0538392477f) * s
              + 0.133324713f) * s - 0.333333135f) * s * x[i] + x[i];
        const float far = 1.0f - 2.0f / (exp_of(2.0f * size) + 1.0f);
        y[i] = size < 0.5625f ? near : copysignf(far, x[i]);
    }
}

/* exp of -|x| only: no overflow, and full precision at both ends. What is lost
 * in 1 + e is given back: 1 / (1 + e) is y or 1 - y. */
MOI_CLONES
void moi_vec_sigmoid(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++) {
        const float e = exp_of(-fabsf(x[i]));
        const float sum = 1.0f + e, lost = (1.0f - sum) + e;
        const float rough = (x[i] < 0.0f ? e : 1.0f) / sum;
        y[i] = rough - rough * lost * (x[i] < 0.0f ? 1.0f - rough : rough);
    }
}

/* x P(x^2) near 0, else 1 - exp(-Q(|x|)), Q being -log(erfc); from 4 on erf
 * is 1. */
MOI_CLONES
void moi_vec_erf(int64_t count, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < count; i++) {
        const float size = fabsf(x[i]), s = x[i] * x[i];
        const float near =
            (((((-0.000674951356f * s + 0.00511434581f) * s - 0.0268346239f)
               * s + 0.112833768f) * s - 0.3761262f) * s + 0.128379166f)
            * x[i] + x[i];
        const float t = size > 4.0f ? 4.0f : size;
        const float q =
            (((((-0.000211863517f * t + 0.00319421198f) * t - 0.0228072293f)
               * t + 0.105089404f) * t + 0.635916531f) * t + 1.12839508f) * t
            + 2.93516314e-05f;
        y[i] = size < 0.75f ? near : copysignf(1.0f - exp_of(-q), x[i]);
    }
}

/* log of numbers of 1 and more, in double: x = 2^n m, m about 1, and
 * log(m) = 2 atanh((m - 1) / (m + 1)) by its series, whose next term is below
 * 1e-16. NaN and infinity become NaN. */
MOI_CLONES
static void logs(int64_t count, double *x)
{
    const uint64_t half_root = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        double m, n;
        memcpy(&bits, &x[i], sizeof(bits));
        const uint64_t power = (bits - half_root) >> 52;
        bits -= power << 52;
        memcpy(&m, &bits, sizeof(m));
        n = (double)(int32_t)power;
        const double s = (m - 1) / (m + 1), t = s * s;
        double sum = 1.0 / 19;
        sum = sum * t + 1.0 / 17;
        sum = sum * t + 1.0 / 15;
        sum = sum * t + 1.0 / 13;
        sum = sum * t + 1.0 / 11;
        sum = sum * t + 1.0 / 9;
        sum = sum * t + 1.0 / 7;
        sum = sum * t + 1.0 / 5;
        sum = sum * t + 1.0 / 3;
        sum = sum * t + 1.0;
        x[i] = n * 0.693147180559945309 + 2 * s * sum + (x[i] - x[i]);
    }
}

#endif

/* Rows at a time, so that what one pass leaves is in the cache for the next
 * and exp runs over all of them at once. */
#define ROWS 64
#define NUMBERS 2048

/* x less its row's greatest; NaN anywhere in the row comes through. */
static void below_top(int64_t rows, int64_t n, const moi_real *x, moi_real *y,
                      double *top)
{
    for (int64_t i = 0; i < rows; i++, x += n, y += n) {
        moi_real most = x[0];
        for (int64_t j = 1; j < n; j++)
            most = x[j] > most ? x[j] : most;
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] - most;
        top[i] = (double)most;
    }
}

static void normalise(int64_t rows, int64_t n, moi_real *y, double *sums)
{
    for (int64_t i = 0; i < rows; i++, y += n) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += (double)y[j];
        const moi_real scale = (moi_real)(1 / sum);
        for (int64_t j = 0; j < n; j++)
            y[j] *= scale;
        sums[i] = sum;
    }
}

void moi_softmax_rows(int64_t rows, int64_t n, const moi_real *x, moi_real *y,
                      double *lse)
{
    const int64_t most = n < NUMBERS / ROWS ? ROWS : n < NUMBERS ? NUMBERS / n
                                                                 : 1;
    for (int64_t i = 0; n > 0 && i < rows; i += most) {
        const int64_t count = rows - i < most ? rows - i : most;
        double top[ROWS], sums[ROWS];
        below_top(count, n, x + i * n, y + i * n, top);
        moi_vec_exp(count * n, y + i * n, y + i * n);
        normalise(count, n, y + i * n, sums);
        if (lse == NULL)
            continue;
        logs(count, sums);
        for (int64_t k = 0; k < count; k++)
            lse[i + k] = top[k] + sums[k];
    }
}
