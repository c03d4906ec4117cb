/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/pipeline.h: parts of a batch on their way through the
 * stages of a mesh, forward and back.
 *
 * Each part that is under way has a plan of its own, the weights are shared.
 * What goes from stage to stage is whole rows; a rank talks to those of its
 * copy that have the same t. Running allocates nothing. */
#ifndef MOI_LEARN_PIPELINE_H
#define MOI_LEARN_PIPELINE_H

#include "learn/nn/plan.h"
#include "learn/parallel/mesh.h"

typedef struct moi_pipeline moi_pipeline;

/* part: this rank's, kept by the caller, as the mesh is. rows: of a part of a
 * batch, at most. most: parts that this rank is dealt at a time, at most.
 * flags: MOI_PLAN_LOGITS or 0, for the last stage. */
int32_t moi_pipeline_create(const moi_mesh *mesh, const mopt_model *part,
                            int64_t rows, int64_t most, int32_t flags,
                            moi_pipeline **out);
void moi_pipeline_free(moi_pipeline *p);
void moi_pipeline_freeze(moi_pipeline *p, const int32_t *frozen);

/* Can gradients of a part come on top of another's? */
int32_t moi_pipeline_adds(const moi_pipeline *p);

/* One run. Parts have as many rows as the pipeline has, the last of all what
 * is left. Functions return a status; an error ends the run. */
typedef struct moi_run {
    void *user;
    int64_t rows;         /* of all parts */
    int64_t first, count; /* this rank's parts */
    const mopt_cancel *cancel; /* once requested, nothing is worked out any
                                  more, and the run goes on to its end, which
                                  is MOPT_ECANCELED */
    moi_pass pass;        /* row is filled in */

    /* First stage: the rows of a part into x. */
    int32_t (*feed)(void *user, int64_t part, int64_t rows, moi_real *x);

    /* Last stage: look at what came out of a part; the gradient by it into
     * grad, unless that is NULL. */
    int32_t (*judge)(void *user, int64_t part, int64_t rows,
                     const moi_real *output, moi_real *grad);

    /* Where the gradients of a part go, and who is told. */
    void (*list)(void *user, int64_t part, int64_t rows, moi_part *out);
} moi_run;

/* Forward and back, in the order of the mesh's schedule; parts go back in
 * order. */
int32_t moi_pipeline_train(moi_pipeline *p, const moi_run *run);

/* Forward alone. */
int32_t moi_pipeline_forward(moi_pipeline *p, const moi_run *run);

#endif
