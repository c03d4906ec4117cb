/* SPDX-License-Identifier: MIT
 * modelopt/parallel.h: a plan of how the ranks of a group share one training.
 *
 * Ranks stand in a mesh of data x tensor x pipeline. Along "data" each works
 * on rows of its own; along "tensor" each has a piece of every layer that is
 * split; along "pipeline" each has some of the layers, a stage, and parts of
 * the batch go through the stages one behind the other. A plan along "data"
 * alone leaves each rank the whole model: mopt_trainer_create_parallel then
 * does what mopt_trainer_set_group does, with all that goes with it.
 *
 *   mopt_config_create(ctx, "parallel", &config);
 *   mopt_config_set_int(config, "pipeline", 2);
 *   mopt_parallel_create(ctx, model, config, training, 4, NULL, &plan);
 *   mopt_parallel_json(plan, buf, sizeof buf, NULL); */
#ifndef MODELOPT_PARALLEL_H
#define MODELOPT_PARALLEL_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_parallel mopt_parallel;

/** Plan the training of a model by some ranks. Whatever the config leaves open
 *  is chosen: of all meshes, cuts, splits and (for a pipeline, where the
 *  training says no "parts") sizes of parts the fastest by estimate that keeps
 *  within "memory_limit". The same arguments give the same plan everywhere.
 *
 *  The estimate takes a core for each rank, and a machine as "speed",
 *  "memory_speed", "update_speed", "cache", "far_speed", "overhead",
 *  "link_latency", "link_bandwidth" and "link_work" tell it; bench/costs.py
 *  measures these. Where "host_ranks" says that one host has all ranks, as
 *  processes, those with the same weights read and write each other's memory,
 *  and send nothing.
 *
 *  @param model    its layers are looked at; it needs no weights. Not kept.
 *  @param config   kind "parallel"; NULL for the defaults. Read, not kept.
 *  @param training kind "train": the batch, "parts" (the micro-batches) and
 *                  the optimizer count; NULL for the defaults. Read, not kept.
 *  @param ranks    of the group that is to train, 1 to 65536.
 *  @param cancel   may be NULL.
 *  @param out      receives the plan; the caller frees it.
 *  @return MOPT_OK; MOPT_EINVAL (a NULL; a config of another kind; a mesh that
 *          is not of as many ranks; cuts or splits that do not fit the model;
 *          "memory_limit": nothing fits, the message says what the least would
 *          take: messages name the key, the value and what is allowed);
 *          MOPT_ERANGE; MOPT_ESTATE (a model without layers);
 *          MOPT_ECANCELED; MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_parallel_create(mopt_context *ctx,
                                      const mopt_model *model,
                                      const mopt_config *config,
                                      const mopt_config *training,
                                      int32_t ranks, mopt_cancel *cancel,
                                      mopt_parallel **out);

/** Free a plan; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_parallel_free(mopt_parallel *parallel);

/** The plan as one JSON object: "ranks", "data", "tensor", "pipeline",
 *  "schedule", "batch" (rows a step), "parts" (micro-batches of a batch, over
 *  all ranks); what is estimated:
 *
 *  "seconds" of a step; "costs", where they go: "compute", "tensor" (sums over
 *  tensor ranks), "transfer" (between stages), "bubble" (waiting for stages),
 *  "sums" (of the gradients of parts), "gradients" (over data ranks, and
 *  weights back), "update", "agreement" (small messages of all ranks);
 *  "memory", bytes that the fullest rank holds, without data and validation;
 *  "sent", bytes a step in messages, of the rank that sends the most; "alone":
 *  "seconds" and "memory" of one rank without others.
 *
 *  "stages", for each "first" and "layers" (its layers), "splits" (how each of
 *  them is split over the tensor ranks: "none", "columns", "rows"), "weights"
 *  and "flops" (of the whole stage, forward, a row), "seconds" (a step, of one
 *  rank's computing and tensor sums), "memory" (of one rank: "weights",
 *  "gradients", "state", "activations").
 *
 *  "alternatives", every mesh that was looked at, the fastest first: "data",
 *  "tensor", "pipeline", "parts", "seconds", "memory", "fits" (into the limit).
 *  "machine": what was taken for it.
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_parallel_json(const mopt_parallel *parallel, char *buf,
                                    size_t cap, size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
