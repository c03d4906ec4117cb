/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/head.h: models that differ in their last layer alone. */
#ifndef MOI_LEARN_HEAD_H
#define MOI_LEARN_HEAD_H

#include "learn/nn/model.h"

/* A copy of a model with a new head of a width, its first values from seed. */
int32_t moi_head_replace(const mopt_model *source, int64_t outputs,
                         uint64_t seed, mopt_model **out);

/* Copy every tensor below the head from one model to another of the same
 * layers; to the head too if with_head. */
void moi_head_copy_body(const mopt_model *from, mopt_model *to,
                        int32_t with_head);

/* Does a tensor belong to the head? And how many layers with tensors lie
 * between its layer and the head: 0 for the head itself. */
int64_t moi_head_distance(const mopt_model *model, int64_t tensor);

#endif
