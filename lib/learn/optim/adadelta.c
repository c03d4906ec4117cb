/* SPDX-License-Identifier: MIT
 * lib/learn/optim/adadelta.c: AdaDelta (Zeiler, arXiv 1212.5701, algorithm 1):
 * s = beta s + (1 - beta) g^2; d = sqrt(u + epsilon) / sqrt(s + epsilon) * g;
 * u = beta u + (1 - beta) d^2; w -= rate * d. */
#include "learn/optim/rule.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(1.0, 0),
    MOI_RULE_SHARE("beta", 0.9, "memory of the means of squares"),
    MOI_RULE_EPSILON(1e-6),
    MOI_KEYS_END,
};

const moi_schema moi_adadelta_schema = {
    "adadelta", "steps in the unit of the weights, by two running means",
    keys};

static int32_t setup(moi_optimizer *o, const moi_options *options)
{
    o->beta = moi_options_float(options, "beta");
    o->epsilon = moi_options_float(options, "epsilon");
    o->states = 2;
    o->state[0] = "square_mean";
    o->state[1] = "step_mean";
    return MOPT_OK;
}

MOI_CLONES
static int32_t descend(int64_t count, moi_real *restrict w,
                       const moi_real *restrict g, moi_real *restrict s,
                       moi_real *restrict u, moi_real rate, moi_real decay,
                       moi_real beta, moi_real fresh, moi_real epsilon)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + decay * w[i];
        moi_real square = beta * s[i] + fresh * d * d;
        moi_real step = sqrt(u[i] + epsilon) / sqrt(square + epsilon) * d;
        moi_real mean = beta * u[i] + fresh * step * step;

        spoilt |= MOI_SPOILT(g[i]);
        s[i] = MOI_FLUSH(square);
        u[i] = MOI_FLUSH(mean);
        w[i] -= rate * step;
    }
    return spoilt;
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    return descend(count, w, g, state[0], state[1], (moi_real)rate,
                   (moi_real)decay, (moi_real)o->beta,
                   (moi_real)(1 - o->beta), (moi_real)o->epsilon);
}

const moi_optimizer_kind moi_rule_adadelta = {&moi_adadelta_schema, 0, setup,
                                              NULL, update};
