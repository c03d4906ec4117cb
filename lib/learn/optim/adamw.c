/* SPDX-License-Identifier: MIT
 * lib/learn/optim/adamw.c: AdamW (Loshchilov, Hutter, "Decoupled Weight Decay
 * Regularization", ICLR 2019): Adam after w *= 1 - rate * weight_decay. */
#include "learn/optim/adam.h"

static const moi_key keys[] = {
    MOI_RULE_KEYS(0.001, 0.01),
    MOI_ADAM_KEYS,
    MOI_KEYS_END,
};

const moi_schema moi_adamw_schema = {
    "adamw", "adam with weight decay apart from the gradient", keys};

static int32_t update(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state)
{
    return moi_adam_update(o, rate, 0, 1 - rate * decay, count, w, g, state);
}

const moi_optimizer_kind moi_rule_adamw = {
    &moi_adamw_schema, 0, moi_adam_setup, moi_adam_begin, update};
