/* SPDX-License-Identifier: MIT
 * lib/learn/optim/rule.h: what the update rules share. */
#ifndef MOI_LEARN_RULE_H
#define MOI_LEARN_RULE_H

#include <float.h>
#include <tgmath.h>

#include "backend/kernels.h"
#include "base/status.h"
#include "learn/optim/optimizer.h"

/* The keys of every rule. */
#define MOI_RULE_KEYS(rate, decay) \
    {"learning_rate", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, rate, 0, 1e6, NULL, \
     NULL, NULL, "size of a step"}, \
    MOI_FLOAT("weight_decay", decay, 0, 1e6, \
              "how strongly weights are pulled towards 0"), \
    MOI_BOOL("decay_bias", 0, "let biases decay too")

#define MOI_RULE_EPSILON(preset) \
    MOI_FLOAT("epsilon", preset, 1e-30, 1, "keeps the divisor above 0")

/* A share in [0, 1). */
#define MOI_RULE_SHARE(name, preset, help) \
    {name, MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MAX, preset, 0, 1, NULL, NULL, NULL, \
     help}

/* 1 unless x is a finite number; a form that loops vectorise. */
#define MOI_SPOILT(x) (!((x) - (x) == 0))

/* State that decays below the normal numbers is 0: subnormal operands are slow
 * and say nothing. */
#ifdef MOI_DOUBLE
#define MOI_TINY DBL_MIN
#else
#define MOI_TINY FLT_MIN
#endif
#define MOI_FLUSH(x) (fabs(x) < MOI_TINY ? 0 : (x))

extern const moi_optimizer_kind moi_rule_gd, moi_rule_sgd, moi_rule_adagrad,
    moi_rule_rmsprop, moi_rule_adadelta, moi_rule_adam, moi_rule_adamw;

#endif
