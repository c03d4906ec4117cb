/* SPDX-License-Identifier: MIT
 * lib/learn/optim/clip.c: sums over gradients, and keeping them small. */
#include "learn/optim/clip.h"

#include "learn/optim/rule.h"

#define LANES 16

/* Sixteen running sums, whatever the width of a vector: the same bits on every
 * instruction set. */
MOI_CLONES
double moi_grads_dot(int64_t count, const moi_real *a, const moi_real *b)
{
    double sums[LANES] = {0}, sum = 0;
    int64_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (int32_t j = 0; j < LANES; j++)
            sums[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < count; i++)
        sums[0] += (double)a[i] * (double)b[i];
    for (int32_t j = 0; j < LANES; j++)
        sum += sums[j];
    return sum;
}

MOI_CLONES
void moi_grads_scale(int64_t count, moi_real *g, double factor)
{
    moi_real f = (moi_real)factor;

    for (int64_t i = 0; i < count; i++)
        g[i] *= f;
}

MOI_CLONES
void moi_grads_add(int64_t count, const moi_real *restrict g,
                   moi_real *restrict total)
{
    for (int64_t i = 0; i < count; i++)
        total[i] += g[i];
}

MOI_CLONES
void moi_grads_clamp(int64_t count, moi_real *g, double limit)
{
    moi_real high = (moi_real)limit, low = -high;

    for (int64_t i = 0; i < count; i++) {
        moi_real x = g[i];

        x = x > high ? high : x;
        g[i] = x < low ? low : x;
    }
}

/* PyTorch's clip_grad_norm_, with its 1e-6. */
double moi_clip_factor(double norm, double limit)
{
    double factor = limit / (norm + 1e-6);

    return factor < 1 ? factor : 1;
}

MOI_CLONES
int32_t moi_spoilt(int64_t count, const moi_real *values)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++)
        spoilt |= MOI_SPOILT(values[i]);
    return spoilt;
}
