/* SPDX-License-Identifier: MIT
 * lib/learn/optim/clip.h: sums over gradients, and keeping them small. */
#ifndef MOI_LEARN_CLIP_H
#define MOI_LEARN_CLIP_H

#include "backend/real.h"
#include <stdint.h>

/* Sum of a[i] b[i], in double, in a fixed order. */
double moi_grads_dot(int64_t count, const moi_real *a, const moi_real *b);

/* g[i] *= factor. */
void moi_grads_scale(int64_t count, moi_real *g, double factor);

/* total[i] += g[i]. */
void moi_grads_add(int64_t count, const moi_real *g, moi_real *total);

/* Each g[i] into [-limit, limit]; NaN stays. */
void moi_grads_clamp(int64_t count, moi_real *g, double limit);

/* The factor that brings gradients of a norm down to a limit, at most 1. */
double moi_clip_factor(double norm, double limit);

/* a and b change places. */
void moi_reals_swap(int64_t count, moi_real *a, moi_real *b);

/* Scale the weights of each unit down to a norm of at most limit: w is
 * [units][inputs], or [inputs][units] with by_column, which takes room for
 * units reals. */
void moi_weights_cap(int64_t units, int64_t inputs, int32_t by_column,
                     moi_real *w, double limit, moi_real *room);

/* How many of values are NaN or infinite: 0, or some number above it. */
int32_t moi_spoilt(int64_t count, const moi_real *values);

#endif
