/* SPDX-License-Identifier: MIT
 * lib/learn/train/descent.c: gradient descent with backtracking.
 *
 * With F = loss + weight_decay / 2 |w|^2, the rate is halved until
 * F(w - rate d) <= F(w) - 1e-4 rate d^T grad F (Armijo's condition; Nocedal,
 * Wright, "Numerical Optimization", 2006, algorithm 3.1 and its c). When even
 * the smallest rate finds no descent, the weights stay and training ends. */
#include <math.h>
#include <string.h>

#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

#define ARMIJO 1e-4 /* c of the condition, as the book suggests */
#define HALVINGS 40

/* weight_decay / 2 |w|^2 over all tensors that learn. */
static double penalty(const mopt_trainer *t)
{
    const moi_real *weights = moi_model_weights(t->model);
    int64_t count = moi_model_param_count(t->model);
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        const moi_param *p = moi_model_param(t->model, i);
        const moi_real *w = weights + p->offset;

        if (!t->frozen[i] && t->tuning[i].decay > 0)
            sum += t->tuning[i].decay / 2 * moi_grads_dot(p->count, w, w);
    }
    return sum;
}

/* How fast F falls along the step, a unit of rate. */
static double slope(const mopt_trainer *t)
{
    const moi_real *weights = moi_model_weights(t->model);
    const moi_real *grads = moi_step_gradient(t);
    int64_t count = moi_model_param_count(t->model);
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        const moi_param *p = moi_model_param(t->model, i);
        const moi_real *w = weights + p->offset, *g = grads + p->offset;
        double decay = t->tuning[i].decay;

        if (!t->frozen[i])
            sum += t->tuning[i].rate *
                   (moi_grads_dot(p->count, g, g) +
                    2 * decay * moi_grads_dot(p->count, g, w) +
                    decay * decay * moi_grads_dot(p->count, w, w));
    }
    return sum;
}

int32_t moi_descent_step(mopt_trainer *t, double *rate, double scale,
                         double loss)
{
    moi_real *weights = moi_model_weights(t->model);
    size_t bytes = (size_t)t->size * sizeof *weights;
    double before = loss + penalty(t), fall, value = NAN, taken = *rate;
    int32_t rc = MOPT_OK;

    memcpy(t->origin, weights, bytes);
    if (scale != 1)
        moi_grads_scale(t->size, moi_step_gradient(t), scale);
    fall = slope(t);
    for (int32_t i = 0; i < HALVINGS && !(fall <= 0); i++, taken /= 2) {
        rc = moi_step_update(t, taken, 1);
        if (rc)
            return rc;
        rc = moi_step_loss(t, &value);
        if (!rc && value + penalty(t) <= before - ARMIJO * taken * fall) {
            *rate = taken;
            return MOPT_OK;
        }
        memcpy(weights, t->origin, bytes);
        t->touched = 0;
        if (rc)
            return rc;
    }
    t->now.ended = 1;
    return MOPT_OK;
}
