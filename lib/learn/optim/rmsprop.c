/* SPDX-License-Identifier: MIT
 * lib/learn/optim/rmsprop.c: RMSProp (Tieleman, Hinton, Coursera lecture 6.5,
 * 2012): s = beta s + (1 - beta) g^2; w -= rate * g / (sqrt(s) + epsilon).
 * Centred (Graves, arXiv 1308.0850, equations 38 to 45): sqrt(s - m^2), m the
 * mean gradient. With momentum: b = momentum b + g / (...); w -= rate * b. */
#include "learn/optim/rule.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.01, 0),
    MOI_RULE_SHARE("beta", 0.99, "memory of the mean of squared gradients"),
    MOI_RULE_EPSILON(1e-8),
    MOI_BOOL("centered", 0, "divide by the deviation, not the mean square"),
    MOI_RULE_SHARE("momentum", 0, "share of the last step that is kept"),
    MOI_KEYS_END,
};

const moi_schema moi_rmsprop_schema = {
    "rmsprop", "steps shrink with the mean of squared gradients", keys};

static int32_t setup(moi_optimizer *o, const moi_options *options)
{
    o->beta = moi_options_float(options, "beta");
    o->epsilon = moi_options_float(options, "epsilon");
    o->centered = moi_options_bool(options, "centered");
    o->momentum = moi_options_float(options, "momentum");
    o->cycles = o->momentum > 0;
    o->state[o->states++] = "square_mean";
    if (o->momentum > 0)
        o->state[o->states++] = "momentum";
    if (o->centered)
        o->state[o->states++] = "mean";
    return MOPT_OK;
}

typedef struct coefficients {
    moi_real rate, decay, beta, fresh, epsilon, momentum;
} coefficients;

/* The four forms are one loop: b is NULL without momentum, m unless centred;
 * inlined with constants so that each gets a loop without branches. */
__attribute__((always_inline)) static inline int32_t
descend(int64_t count, moi_real *restrict w, const moi_real *restrict g,
        moi_real *restrict s, moi_real *restrict b, moi_real *restrict m,
        const coefficients *k, int32_t has_b, int32_t has_m)
{
    const coefficients c = *k;
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + c.decay * w[i];
        moi_real square = c.beta * s[i] + c.fresh * d * d;
        moi_real divisor = square, step;

        spoilt |= MOI_SPOILT(g[i]);
        s[i] = MOI_FLUSH(square);
        if (has_m) {
            moi_real mean = c.beta * m[i] + c.fresh * d;

            m[i] = MOI_FLUSH(mean);
            divisor -= mean * mean;
            /* Rounding may leave less than nothing of the variance. */
            divisor = divisor < 0 ? 0 : divisor;
        }
        step = d / (sqrt(divisor) + c.epsilon);
        if (has_b) {
            step += c.momentum * b[i];
            b[i] = MOI_FLUSH(step);
        }
        w[i] -= c.rate * step;
    }
    return spoilt;
}

MOI_CLONES
static int32_t plain(int64_t count, moi_real *w, const moi_real *g,
                     moi_real *s, const coefficients *k)
{
    return descend(count, w, g, s, NULL, NULL, k, 0, 0);
}

MOI_CLONES
static int32_t heavy(int64_t count, moi_real *w, const moi_real *g,
                     moi_real *s, moi_real *b, const coefficients *k)
{
    return descend(count, w, g, s, b, NULL, k, 1, 0);
}

MOI_CLONES
static int32_t centred(int64_t count, moi_real *w, const moi_real *g,
                       moi_real *s, moi_real *m, const coefficients *k)
{
    return descend(count, w, g, s, NULL, m, k, 0, 1);
}

MOI_CLONES
static int32_t both(int64_t count, moi_real *w, const moi_real *g, moi_real *s,
                    moi_real *b, moi_real *m, const coefficients *k)
{
    return descend(count, w, g, s, b, m, k, 1, 1);
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    coefficients k = {(moi_real)rate,
                      (moi_real)decay,
                      (moi_real)o->beta,
                      (moi_real)(1 - o->beta),
                      (moi_real)o->epsilon,
                      (moi_real)o->momentum};

    if (o->states == 3)
        return both(count, w, g, state[0], state[1], state[2], &k);
    if (o->centered)
        return centred(count, w, g, state[0], state[1], &k);
    if (o->states == 2)
        return heavy(count, w, g, state[0], state[1], &k);
    return plain(count, w, g, state[0], &k);
}

const moi_optimizer_kind moi_rule_rmsprop = {&moi_rmsprop_schema, 0, setup,
                                             NULL, update};
