/* SPDX-License-Identifier: MIT
 * lib/learn/optim/gd.c: gradient descent: w -= rate * g, g over all the data.
 *
 * With "line_search" the trainer halves the rate until the loss falls as much
 * as Armijo's condition asks (Nocedal, Wright, "Numerical Optimization", 2006,
 * algorithm 3.1). */
#include "learn/optim/rule.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.1, 0),
    MOI_BOOL("line_search", 0,
             "halve each step until the loss falls enough (Armijo)"),
    MOI_KEYS_END,
};

const moi_schema moi_gd_schema = {
    "gd", "gradient descent over all the data at once", keys};

static int32_t setup(moi_optimizer *o, const moi_options *options)
{
    o->search = moi_options_bool(options, "line_search");
    return MOPT_OK;
}

MOI_CLONES
static int32_t descend(int64_t count, moi_real *restrict w,
                       const moi_real *restrict g, moi_real rate,
                       moi_real decay)
{
    int32_t spoilt = 0;

    for (int64_t i = 0; i < count; i++) {
        spoilt |= MOI_SPOILT(g[i]);
        w[i] -= rate * (g[i] + decay * w[i]);
    }
    return spoilt;
}

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    (void)o, (void)state;
    return descend(count, w, g, (moi_real)rate, (moi_real)decay);
}

const moi_optimizer_kind moi_rule_gd = {&moi_gd_schema, MOI_RULE_FULL_BATCH,
                                        setup, NULL, update};
