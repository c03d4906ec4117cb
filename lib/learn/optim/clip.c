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

MOI_CLONES
void moi_reals_swap(int64_t count, moi_real *restrict a, moi_real *restrict b)
{
    for (int64_t i = 0; i < count; i++) {
        moi_real x = a[i];

        a[i] = b[i];
        b[i] = x;
    }
}

/* The factors of all units into room; 1 if any is below 1. */
MOI_CLONES
static int32_t column_factors(int64_t units, int64_t inputs,
                              const moi_real *restrict w, double limit,
                              moi_real *restrict room)
{
    double most = limit * limit;
    int32_t any = 0;

    for (int64_t u = 0; u < units; u++)
        room[u] = 0;
    for (int64_t i = 0; i < inputs; i++, w += units)
        for (int64_t u = 0; u < units; u++)
            room[u] += w[u] * w[u];
    for (int64_t u = 0; u < units; u++) {
        double square = (double)room[u];

        any |= square > most;
        room[u] = (moi_real)(square > most ? limit / sqrt(square) : 1);
    }
    return any;
}

MOI_CLONES
static void scale_columns(int64_t units, int64_t inputs,
                          const moi_real *restrict room, moi_real *restrict w)
{
    for (int64_t i = 0; i < inputs; i++, w += units)
        for (int64_t u = 0; u < units; u++)
            w[u] *= room[u];
}

void moi_weights_cap(int64_t units, int64_t inputs, int32_t by_column,
                     moi_real *w, double limit, moi_real *room)
{
    if (by_column) {
        if (column_factors(units, inputs, w, limit, room))
            scale_columns(units, inputs, room, w);
        return;
    }
    for (int64_t u = 0; u < units; u++, w += inputs) {
        double norm = sqrt(moi_grads_dot(inputs, w, w));

        if (norm > limit)
            moi_grads_scale(inputs, w, limit / norm);
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
