/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/mesh.h: a rank's place in a plan, and the groups that it
 * is in.
 *
 * Rank (stage * data + d) * tensor + t has the t-th piece of the layers of a
 * stage, in the d-th copy of the model. */
#ifndef MOI_LEARN_MESH_H
#define MOI_LEARN_MESH_H

#include "group/group.h"
#include "learn/parallel/parallel.h"

typedef struct moi_mesh {
    mopt_context *ctx;
    int32_t data, tensor, stages; /* how many there are */
    int32_t d, t, stage;          /* which this rank is */
    int32_t schedule;
    int64_t layers;
    int64_t *cuts;  /* [stages + 1], as in the plan */
    int32_t *split; /* [layers] */
    mopt_group *all;   /* everybody: the host's */
    mopt_group *peers; /* who has the same piece of the model: by d */
    mopt_group *copy;  /* who has a copy of the model together: by stage *
                          tensor + t */
    mopt_group *layer; /* who shares this rank's layers: by t */
} moi_mesh;

/* Collective; the group outlives the mesh, the plan need not. */
int32_t moi_mesh_create(mopt_context *ctx, const mopt_parallel *plan,
                        mopt_group *group, moi_mesh **out);
void moi_mesh_free(moi_mesh *mesh);

int32_t moi_mesh_is_first(const moi_mesh *mesh); /* of the stages? */
int32_t moi_mesh_is_last(const moi_mesh *mesh);

/* The rank in copy of a stage that has the same t. */
int32_t moi_mesh_in_copy(const moi_mesh *mesh, int32_t stage);

#endif
