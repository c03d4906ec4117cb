/* SPDX-License-Identifier: MIT
 * lib/learn/optim/adam.c: Adam (Kingma, Ba, ICLR 2015, algorithm 1):
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * w -= rate * m' / (sqrt(v') + epsilon) with m' = m / (1 - beta1^t) and
 * v' = v / (1 - beta2^t). With "epsilon_hat" the form at the end of the paper's
 * section 2: w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) +
 * epsilon). AMSGrad (Reddi, Kale, Kumar, ICLR 2018) divides by the largest v so
 * far, taken before the bias correction, as PyTorch has it. */
#include "learn/optim/adam.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.001, 0),
    MOI_ADAM_KEYS,
    MOI_KEYS_END,
};

const moi_schema moi_adam_schema = {
    "adam", "mean gradient over the root of its mean square", keys};

int32_t moi_adam_setup(moi_optimizer *o, const moi_options *options)
{
    o->momentum = moi_options_float(options, "beta1");
    o->cycles = 1;
    o->beta = moi_options_float(options, "beta2");
    o->epsilon = moi_options_float(options, "epsilon");
    o->hat = moi_options_bool(options, "epsilon_hat");
    o->maximum = moi_options_bool(options, "amsgrad");
    o->states = o->maximum ? 3 : 2;
    o->state[0] = "mean";
    o->state[1] = "square_mean";
    o->state[2] = "square_max";
    return MOPT_OK;
}

/* Both corrections go into two factors, so that an element costs one root and
 * one division: a = sqrt(1 - beta2^t) / (1 - beta1^t) scales the rate, and
 * b = epsilon * sqrt(1 - beta2^t) is added to sqrt(v). */
void moi_adam_begin(moi_optimizer *o)
{
    double t = (double)o->step;
    double root = sqrt(1 - pow(o->beta, t));

    o->a = root / (1 - pow(o->momentum, t));
    o->b = o->hat ? o->epsilon : o->epsilon * root;
}

typedef struct coefficients {
    moi_real decay, keep, beta1, fresh1, beta2, fresh2, rate, epsilon;
} coefficients;

/* max is NULL without AMSGrad. */
__attribute__((always_inline)) static inline int32_t
descend(int64_t count, moi_real *restrict w, const moi_real *restrict g,
        moi_real *restrict m, moi_real *restrict v, moi_real *restrict max,
        const coefficients *k, int32_t has_max)
{
    const coefficients c = *k;
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + c.decay * w[i];
        moi_real mean = c.beta1 * m[i] + c.fresh1 * d;
        moi_real square = c.beta2 * v[i] + c.fresh2 * d * d;

        spoilt |= MOI_SPOILT(g[i]);
        m[i] = MOI_FLUSH(mean);
        v[i] = MOI_FLUSH(square);
        if (has_max) {
            square = max[i] > v[i] ? max[i] : v[i];
            max[i] = square;
        }
        w[i] = c.keep * w[i] - c.rate * mean / (sqrt(square) + c.epsilon);
    }
    return spoilt;
}

MOI_CLONES
static int32_t plain(int64_t count, moi_real *w, const moi_real *g,
                     moi_real *m, moi_real *v, const coefficients *k)
{
    return descend(count, w, g, m, v, NULL, k, 0);
}

MOI_CLONES
static int32_t maximal(int64_t count, moi_real *w, const moi_real *g,
                       moi_real *m, moi_real *v, moi_real *max,
                       const coefficients *k)
{
    return descend(count, w, g, m, v, max, k, 1);
}

int32_t moi_adam_update(const moi_optimizer *o, double rate, double coupled,
                        double keep, int64_t count, moi_real *w,
                        const moi_real *g, moi_real *const *state)
{
    coefficients k = {(moi_real)coupled,           (moi_real)keep,
                      (moi_real)o->momentum,       (moi_real)(1 - o->momentum),
                      (moi_real)o->beta,           (moi_real)(1 - o->beta),
                      (moi_real)(rate * o->a), (moi_real)o->b};

    if (o->maximum)
        return maximal(count, w, g, state[0], state[1], state[2], &k);
    return plain(count, w, g, state[0], state[1], &k);
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    return moi_adam_update(o, rate, decay, 1, count, w, g, state);
}

const moi_optimizer_kind moi_rule_adam = {
    &moi_adam_schema, 0, moi_adam_setup, moi_adam_begin, update};
