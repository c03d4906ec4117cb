/* SPDX-License-Identifier: MIT
 * lib/learn/optim/sgd.c: stochastic gradient descent with momentum, in
 * PyTorch's form: b = momentum b + (1 - dampening) g (the first b is g);
 * w -= rate * b, or with Nesterov's momentum w -= rate * (g + momentum b). */
#include "learn/optim/rule.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.01, 0),
    MOI_RULE_SHARE("momentum", 0, "share of the last step that is kept"),
    MOI_FLOAT("dampening", 0, 0, 1, "share of the gradient that is left out"),
    MOI_BOOL("nesterov", 0, "look ahead along the momentum"),
    MOI_KEYS_END,
};

const moi_schema moi_sgd_schema = {"sgd", "stochastic gradient descent", keys};

static int32_t setup(moi_optimizer *o, const moi_options *options)
{
    o->momentum = moi_options_float(options, "momentum");
    o->dampening = moi_options_float(options, "dampening");
    o->nesterov = moi_options_bool(options, "nesterov");
    if (o->nesterov && (!(o->momentum > 0) || o->dampening > 0))
        return moi_fail(MOPT_EINVAL, "optimizer.nesterov: needs a momentum "
                                     "above 0 and no dampening");
    if (o->momentum > 0) {
        o->states = 1;
        o->state[0] = "momentum";
        o->cycles = 1;
    }
    return MOPT_OK;
}

static void begin(moi_optimizer *o)
{
    o->a = o->step == 1 ? 1 : 1 - o->dampening;
}

MOI_CLONES
static int32_t plain(int64_t count, moi_real *restrict w,
                     const moi_real *restrict g, moi_real rate, moi_real decay)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        spoilt |= MOI_SPOILT(g[i]);
        w[i] -= rate * (g[i] + decay * w[i]);
    }
    return spoilt;
}

MOI_CLONES
static int32_t heavy(int64_t count, moi_real *restrict w,
                     const moi_real *restrict g, moi_real *restrict b,
                     moi_real rate, moi_real decay, moi_real momentum,
                     moi_real fresh)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + decay * w[i];
        moi_real next = momentum * b[i] + fresh * d;

        spoilt |= MOI_SPOILT(g[i]);
        b[i] = MOI_FLUSH(next);
        w[i] -= rate * next;
    }
    return spoilt;
}

MOI_CLONES
static int32_t ahead(int64_t count, moi_real *restrict w,
                     const moi_real *restrict g, moi_real *restrict b,
                     moi_real rate, moi_real decay, moi_real momentum)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        moi_real d = g[i] + decay * w[i];
        moi_real next = momentum * b[i] + d;

        spoilt |= MOI_SPOILT(g[i]);
        b[i] = MOI_FLUSH(next);
        w[i] -= rate * (d + momentum * next);
    }
    return spoilt;
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    moi_real r = (moi_real)rate, d = (moi_real)decay;
    moi_real momentum = (moi_real)o->momentum;

    if (!o->states)
        return plain(count, w, g, r, d);
    if (o->nesterov)
        return ahead(count, w, g, state[0], r, d, momentum);
    return heavy(count, w, g, state[0], r, d, momentum, (moi_real)o->a);
}

const moi_optimizer_kind moi_rule_sgd = {&moi_sgd_schema, 0, setup, begin,
                                         update};
