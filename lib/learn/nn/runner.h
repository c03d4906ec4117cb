/* SPDX-License-Identifier: MIT
 * lib/learn/nn/runner.h: a model run over many rows, on the context's threads.
 *
 * Rows are cut into chunks whose size depends on the model alone, so that the
 * bits do not depend on how many threads there are. */
#ifndef MOI_LEARN_RUNNER_H
#define MOI_LEARN_RUNNER_H

#include "learn/data/dataset.h"
#include "learn/nn/plan.h"

/* Where rows come from: one of the two. */
typedef struct moi_rows {
    const float *x;           /* [rows][inputs] */
    const mopt_dataset *data; /* ready, with the model's inputs */
} moi_rows;

typedef struct moi_runner moi_runner;

/* For pieces of up to rows rows; flags: MOI_PLAN_LOGITS or 0; on at most some
 * threads, 0: as many as pay. */
int32_t moi_runner_create(const mopt_model *model, int64_t rows, int32_t flags,
                          int64_t threads, moi_runner **out);
void moi_runner_free(moi_runner *runner);

/* Outputs of rows first .. first+count-1 into out, as floats or reals: one of
 * the two is NULL. MOPT_ECANCELED soon after the token is triggered. */
int32_t moi_runner_run(moi_runner *runner, const moi_rows *rows,
                       int64_t first, int64_t count, float *floats,
                       moi_real *reals, const mopt_cancel *cancel);

/* Data as a model takes them: through its transform, unless they went through
 * one already. A new reference in *out. */
int32_t moi_model_prepare(const mopt_model *model, const mopt_dataset *data,
                          mopt_dataset **out);

#endif
