/* SPDX-License-Identifier: MIT
 * lib/learn/train/descent.c: gradient descent with backtracking.
 *
 * With F = loss + weight_decay / 2 |w|^2, and strength / 2 |w - origin|^2 of
 * what is anchored, the rate is halved until
 * F(w - rate d) <= F(w) - 1e-4 rate d^T grad F (Armijo's condition; Nocedal,
 * Wright, "Numerical Optimization", 2006, algorithm 3.1 and its c). When even
 * the smallest rate finds no descent, the weights stay and training ends. */
#include <math.h>
#include <string.h>

#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

#define ARMIJO 1e-4 /* c of the condition, as the book suggests */
#define HALVINGS 40

static double distance2(int64_t count, const moi_real *w,
                        const moi_real *origin)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        double way = (double)w[i] - (double)origin[i];

        sum += way * way;
    }
    return sum;
}

/* What F has beside the loss, over all tensors that learn. */
static double penalty(const mopt_trainer *t)
{
    const moi_real *weights = moi_model_weights(t->model);
    int64_t count = moi_model_param_count(t->model);
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        const moi_param *p = moi_model_param(t->model, i);
        const moi_tuning *tuning = &t->tuning[i];
        const moi_real *w = weights + p->offset;

        if (t->frozen[i])
            continue;
        if (tuning->decay > 0)
            sum += tuning->decay / 2 * moi_grads_dot(p->count, w, w);
        if (tuning->anchor > 0)
            sum += tuning->anchor / 2 *
                   distance2(p->count, w, t->anchors + p->offset);
    }
    return sum;
}

/* The gradient that steps go along, but for the decay. */
static void complete(mopt_trainer *t, double scale)
{
    moi_real *grads = moi_step_gradient(t);

    if (scale != 1)
        moi_grads_scale(t->size, grads, scale);
    for (int64_t i = 0; t->anchors && i < moi_model_param_count(t->model);
         i++) {
        const moi_param *p = moi_model_param(t->model, i);
        const moi_slice whole = {i, 0, p->count, 0};

        moi_anchor_pull(t, &whole, grads + p->offset);
    }
    if (t->set.clip_value > 0)
        moi_grads_clamp(t->size, grads, t->set.clip_value);
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

        if (!moi_update_sleeps(t, i))
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
    complete(t, scale);
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
