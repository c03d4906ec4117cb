/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/joint.h: where pieces of layers meet: layers inside a
 * rank's part of a model that talk to the ranks with the other pieces.
 *
 * enter:  before a layer that is split by columns: what comes back is added up.
 * gather: after one, where all of its output is wanted.
 * sum:    after a layer that is split by rows: outputs are added up, and its
 *         constants come on top. */
#ifndef MOI_LEARN_JOINT_H
#define MOI_LEARN_JOINT_H

#include "group/group.h"
#include "learn/nn/model_inside.h"

#define MOI_JOINT_ENTER 0
#define MOI_JOINT_GATHER 1
#define MOI_JOINT_SUM 2

/* A joint to be. */
typedef struct moi_joint {
    int32_t kind;      /* MOI_JOINT_* */
    int64_t layer;     /* of the whole model, that it belongs to */
    int64_t width;     /* what it gives */
    int32_t bias;      /* sum: are there constants, */
    double bias_init;  /* and what they begin with */
    mopt_group *group; /* of the ranks with the pieces; outlives the model */
} moi_joint;

int32_t moi_joint_append(mopt_model *model, const moi_joint *joint);

#endif
