/* SPDX-License-Identifier: MIT
 * lib/learn/optim/adagrad.c: AdaGrad (Duchi, Hazan, Singer, JMLR 12, 2011):
 * s += g^2; w -= rate_t * g / (sqrt(s) + epsilon), where
 * rate_t = rate / (1 + (t - 1) rate_decay). */
#include "learn/optim/rule.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.01, 0),
    MOI_RULE_EPSILON(1e-10),
    MOI_FLOAT("rate_decay", 0, 0, 1e6,
              "how fast the rate falls from step to step"),
    MOI_KEYS_END,
};

const moi_schema moi_adagrad_schema = {
    "adagrad", "steps shrink with the sum of squared gradients", keys};

static int32_t setup(moi_optimizer *o, const moi_options *options)
{
    o->epsilon = moi_options_float(options, "epsilon");
    o->dampening = moi_options_float(options, "rate_decay");
    o->states = 1;
    o->state[0] = "square_sum";
    return MOPT_OK;
}

static void begin(moi_optimizer *o)
{
    o->a = 1 / (1 + (double)(o->step - 1) * o->dampening);
}

MOI_CLONES
static int32_t descend(int64_t count, moi_real *restrict w,
                       const moi_real *restrict g, moi_real *restrict s,
                       moi_real rate, moi_real decay, moi_real epsilon)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + decay * w[i];
        moi_real sum = s[i] + d * d;

        spoilt |= MOI_SPOILT(g[i]);
        s[i] = MOI_FLUSH(sum);
        w[i] -= rate * d / (sqrt(sum) + epsilon);
    }
    return spoilt;
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    return descend(count, w, g, state[0], (moi_real)(rate * o->a),
                   (moi_real)decay, (moi_real)o->epsilon);
}

const moi_optimizer_kind moi_rule_adagrad = {&moi_adagrad_schema, 0, setup,
                                             begin, update};
