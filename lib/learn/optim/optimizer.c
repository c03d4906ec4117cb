/* SPDX-License-Identifier: MIT
 * lib/learn/optim/optimizer.c: the table of update rules.
 *
 * Weight decay is coupled (added to the gradient, after clipping) in the
 * classic rules and decoupled in adamw (Loshchilov, Hutter, "Decoupled Weight
 * Decay Regularization", ICLR 2019). Formulae and defaults are PyTorch's. */
#include "learn/optim/optimizer.h"

#include "learn/optim/rule.h"

const moi_optimizer_kind *const moi_optimizer_kinds[] = {
    &moi_rule_adam,    &moi_rule_adamw,    &moi_rule_sgd, &moi_rule_gd,
    &moi_rule_rmsprop, &moi_rule_adagrad, &moi_rule_adadelta, NULL,
};

extern const moi_schema moi_adam_schema, moi_adamw_schema, moi_sgd_schema,
    moi_gd_schema, moi_rmsprop_schema, moi_adagrad_schema,
    moi_adadelta_schema;

const moi_schema *const moi_optimizer_schemas[] = {
    &moi_adam_schema,    &moi_adamw_schema,   &moi_sgd_schema,
    &moi_gd_schema,      &moi_rmsprop_schema, &moi_adagrad_schema,
    &moi_adadelta_schema, NULL,
};

int32_t moi_optimizer_init(moi_optimizer *o, const mopt_config *config)
{
    const moi_schema *schema = moi_config_variant(config, "optimizer");
    moi_options options = {config, "optimizer."};
    const moi_optimizer_kind *const *kind = moi_optimizer_kinds;

    while (*kind && (*kind)->schema != schema)
        kind++;
    if (!*kind)
        return moi_fail(MOPT_EINTERNAL, "optimizer: '%s' is not in the table",
                        schema ? schema->name : "");
    *o = (moi_optimizer){.kind = *kind};
    o->rate = moi_options_float(&options, "learning_rate");
    o->decay = moi_options_float(&options, "weight_decay");
    o->decay_bias = moi_options_bool(&options, "decay_bias");
    return (*kind)->setup(o, &options);
}

void moi_optimizer_begin(moi_optimizer *o, int64_t step)
{
    o->step = step;
    if (o->kind->begin)
        o->kind->begin(o);
}

int32_t moi_optimizer_update(const moi_optimizer *o, double rate, double decay,
                             int64_t count, moi_real *w, const moi_real *g,
                             moi_real *const *state)
{
    return o->kind->update(o, rate, decay, count, w, g, state);
}
