/* SPDX-License-Identifier: MIT
 * lib/learn/nn/loss.h: losses: one function a loss, one line in a table.
 *
 * A loss is the mean over the rows, weighted by class weights if there are
 * any; over several target numbers it is the mean too. A loss is not changed
 * by computing: several threads may use one. */
#ifndef MOI_LEARN_LOSS_H
#define MOI_LEARN_LOSS_H

#include <modelopt/data.h>

#include "backend/real.h"
#include "base/config.h"

typedef struct moi_targets {
    const int32_t *classes;  /* [rows], or NULL */
    const moi_real *numbers; /* [rows][outputs], or NULL */
} moi_targets;

typedef struct moi_loss moi_loss; /* settings of one loss */

/* What a loss takes, and what its outputs mean. */
#define MOI_LOSS_CLASS 1   /* fits a class target */
#define MOI_LOSS_NUMBER 2  /* fits a number target */
#define MOI_LOSS_LOGITS 4  /* takes logits: a final softmax or sigmoid is left
                              out of the plan (MOI_PLAN_LOGITS) */
#define MOI_LOSS_SOFTMAX 8 /* softmax of its outputs is the probabilities */
#define MOI_LOSS_SIGMOID 16 /* sigmoid of its outputs is */

typedef struct moi_loss_kind {
    const moi_schema *schema; /* name and keys: "cross_entropy", ... */
    int32_t flags;            /* MOI_LOSS_* */
    /* Value, and the gradient by output into grad unless that is NULL. */
    double (*compute)(const moi_loss *loss, int64_t rows, int64_t outputs,
                      const moi_real *output, const moi_targets *targets,
                      moi_real *grad);
} moi_loss_kind;

/* All losses, NULL-terminated; and their schemas for a VARIANT key, "auto"
 * among them: moi_loss_usual. */
extern const moi_loss_kind *const moi_loss_kinds[];
extern const moi_schema *const moi_loss_schemas[];

/* By name; NULL if there is none, the message names the nearest (MOPT_EKEY). */
const moi_loss_kind *moi_loss_find(const char *name);

/* The one that is taken when none is named: cross_entropy for classes,
 * binary_cross_entropy for two of them and one output, mse for numbers. */
const moi_loss_kind *moi_loss_usual(int32_t target, int64_t outputs);

/* Does it go with a target (MOPT_TARGET_*, and classes or numbers a row) and a
 * model's outputs? MOPT_EINVAL says why not. */
int32_t moi_loss_fits(const moi_loss_kind *kind, int32_t target,
                      int64_t targets, int64_t outputs);

/* A loss with the settings "<prefix>..." of a config (options NULL or without
 * a config: defaults); outputs is checked against class weights and so on. */
int32_t moi_loss_create(mopt_context *ctx, const moi_loss_kind *kind,
                        const moi_options *options, int64_t outputs,
                        moi_loss **out);
void moi_loss_free(moi_loss *loss);
const moi_loss_kind *moi_loss_get_kind(const moi_loss *loss);
double moi_loss_compute(const moi_loss *loss, int64_t rows, int64_t outputs,
                        const moi_real *output, const moi_targets *targets,
                        moi_real *grad);

/* What a batch's value counts in a mean over several: its rows, or the sum of
 * its class weights. */
double moi_loss_weight(const moi_loss *loss, int64_t rows,
                       const moi_targets *targets);

#endif
