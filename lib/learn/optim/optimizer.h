/* SPDX-License-Identifier: MIT
 * lib/learn/optim/optimizer.h: update rules: one file a rule, one line in a
 * table.
 *
 * A rule changes a slice of weights by its gradient and its state, in one pass
 * over memory. What depends on the step alone is worked out once a step. */
#ifndef MOI_LEARN_OPTIMIZER_H
#define MOI_LEARN_OPTIMIZER_H

#include "backend/real.h"
#include "base/config.h"

#define MOI_STATES 3 /* tensors of state, at most, that a weight tensor has */

#define MOI_RULE_FULL_BATCH 1 /* a step sees all the data */

typedef struct moi_optimizer moi_optimizer;

typedef struct moi_optimizer_kind {
    const moi_schema *schema; /* name and keys */
    int32_t flags;            /* MOI_RULE_* */

    /* Read the rule's own keys and name its states. */
    int32_t (*setup)(moi_optimizer *o, const moi_options *options);

    /* Work out what depends on the step alone; NULL if nothing does. */
    void (*begin)(moi_optimizer *o);

    /* One step for a slice. Not 0 if a gradient was NaN or infinite: the slice
     * is then spoilt. count may reach over zeros behind it: they stay 0. */
    int32_t (*update)(const moi_optimizer *o, double rate, double decay,
                      int64_t count, moi_real *w, const moi_real *g,
                      moi_real *const *state);
} moi_optimizer_kind;

/* A rule with its settings; plain data, no memory of its own. */
struct moi_optimizer {
    const moi_optimizer_kind *kind;
    int32_t states;
    const char *state[MOI_STATES]; /* their names, in files */

    double rate;        /* "learning_rate" */
    double decay;       /* "weight_decay" */
    int32_t decay_bias; /* biases decay too */
    double momentum;    /* or beta1; a schedule may change it */
    int32_t cycles;     /* has such a momentum to change */
    double dampening;
    double beta; /* of the mean of squares: beta2, alpha, rho */
    double epsilon;
    int32_t nesterov, centered, maximum, hat, search;

    int64_t step; /* the one being taken, from 1 */
    double a, b;  /* what begin worked out */
};

/* All rules, NULL-terminated; and their schemas for a VARIANT key. */
extern const moi_optimizer_kind *const moi_optimizer_kinds[];
extern const moi_schema *const moi_optimizer_schemas[];

/* Set up the rule that the key "optimizer" of a config chooses. */
int32_t moi_optimizer_init(moi_optimizer *o, const mopt_config *config);

/* Go to a step (from 1) before its updates. */
void moi_optimizer_begin(moi_optimizer *o, int64_t step);

int32_t moi_optimizer_update(const moi_optimizer *o, double rate, double decay,
                             int64_t count, moi_real *w, const moi_real *g,
                             moi_real *const *state);

#endif
