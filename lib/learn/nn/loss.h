/* SPDX-License-Identifier: MIT
 * lib/learn/nn/loss.h: losses: one function a loss, one line in a table.
 *
 * A loss is the mean over the rows, weighted by class weights if there are
 * any; over several target numbers it is the mean too. */
#ifndef MOI_LEARN_LOSS_H
#define MOI_LEARN_LOSS_H

#include "backend/real.h"
#include "base/config.h"

typedef struct moi_targets {
    const int32_t *classes;  /* [rows], or NULL */
    const moi_real *numbers; /* [rows][outputs], or NULL */
} moi_targets;

typedef struct moi_loss moi_loss; /* settings of one loss */

typedef struct moi_loss_kind {
    const moi_schema *schema; /* name and keys: "cross_entropy", ... */
    int32_t target;           /* MOPT_TARGET_CLASS or MOPT_TARGET_NUMBER */
    int32_t logits;           /* takes logits: a final softmax is left out */
    /* Value, and the gradient by output into grad unless that is NULL. */
    double (*compute)(const moi_loss *loss, int64_t rows, int64_t outputs,
                      const moi_real *output, const moi_targets *targets,
                      moi_real *grad);
} moi_loss_kind;

/* All losses, NULL-terminated; and their schemas for a VARIANT key. */
extern const moi_loss_kind *const moi_loss_kinds[];
extern const moi_schema *const moi_loss_schemas[];
const moi_loss_kind *moi_loss_find(const char *name);

/* A loss with the settings "<prefix>..." of a config (config NULL: defaults);
 * outputs is checked against class weights and the like. */
int32_t moi_loss_create(mopt_context *ctx, const moi_loss_kind *kind,
                        const moi_options *options, int64_t outputs,
                        moi_loss **out);
void moi_loss_free(moi_loss *loss);
const moi_loss_kind *moi_loss_get_kind(const moi_loss *loss);
double moi_loss_compute(const moi_loss *loss, int64_t rows, int64_t outputs,
                        const moi_real *output, const moi_targets *targets,
                        moi_real *grad);

#endif
