/* SPDX-License-Identifier: MIT
 * lib/learn/optim/adam.h: what adam and adamw share: all but the decay. */
#ifndef MOI_LEARN_ADAM_H
#define MOI_LEARN_ADAM_H

#include "learn/optim/rule.h"

#define MOI_ADAM_KEYS \
    MOI_RULE_SHARE("beta1", 0.9, "memory of the mean gradient"), \
    MOI_RULE_SHARE("beta2", 0.999, "memory of the mean of squares"), \
    MOI_RULE_EPSILON(1e-8), \
    MOI_BOOL("epsilon_hat", 0, "add epsilon before the bias correction"), \
    MOI_BOOL("amsgrad", 0, "divide by the largest mean of squares so far")

int32_t moi_adam_setup(moi_optimizer *o, const moi_options *options);
void moi_adam_begin(moi_optimizer *o);

/* coupled is added to the gradient in units of w, w is multiplied by keep. */
int32_t moi_adam_update(const moi_optimizer *o, double rate, double coupled,
                        double keep, int64_t count, moi_real *w,
                        const moi_real *g, moi_real *const *state);

#endif
