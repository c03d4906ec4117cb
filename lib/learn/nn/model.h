/* SPDX-License-Identifier: MIT
 * lib/learn/nn/model.h: a model inside the library: the flat list of its
 * layers and one block of weights. */
#ifndef MOI_LEARN_MODEL_H
#define MOI_LEARN_MODEL_H

#include <modelopt/model.h>

#include "backend/real.h"
#include "base/json.h"

#define MOI_PARAM_RANK 4
#define MOI_PARAM_NO_DECAY 1  /* biases and the like: weight decay skips it */
#define MOI_PARAM_TRANSPOSED 2 /* kept [in][out]; outside it is [out][in] */

/* One tensor of weights, a piece of the model's block. Tensors are in the
 * order of the layers; the block has no gaps but alignment, which is 0. */
typedef struct moi_param {
    char *name; /* "layers.0.weight" */
    int32_t flags;
    int32_t rank;
    int64_t shape[MOI_PARAM_RANK]; /* as seen from outside */
    int64_t count;
    int64_t offset; /* into the block, in reals; a multiple of 16 */
} moi_param;

mopt_model *moi_model_hold(mopt_model *model);

/* A copy of the first layers, 1 or more, and their weights. */
int32_t moi_model_cut(const mopt_model *model, int64_t layers,
                      mopt_model **out);

/* Two models of one context change places behind their handles. */
void moi_model_swap(mopt_model *a, mopt_model *b);
int32_t moi_model_shared(const mopt_model *model); /* by more than one? */

mopt_context *moi_model_context(const mopt_model *model);
int64_t moi_model_inputs(const mopt_model *model);
int64_t moi_model_outputs(const mopt_model *model);
int64_t moi_model_param_count(const mopt_model *model);
const moi_param *moi_model_param(const mopt_model *model, int64_t index);

/* Layers, what one gives a row, and the last one that has tensors (-1: none):
 * the head. */
int64_t moi_model_layer_count(const mopt_model *model);
const struct moi_layer *moi_model_layer(const mopt_model *model,
                                        int64_t layer);
int64_t moi_model_layer_width(const mopt_model *model, int64_t layer);
int64_t moi_model_head(const mopt_model *model);

/* The tensors of a layer: first .. first+count-1 of the model's. */
void moi_model_layer_params(const mopt_model *model, int64_t layer,
                            int64_t *first, int64_t *count);

/* The block of weights, NULL before they are set, and its size in reals,
 * alignment included. */
moi_real *moi_model_weights(const mopt_model *model);
int64_t moi_model_size(const mopt_model *model);
/* Another block of this size takes the place of the one that is there, which
 * the caller holds then. */
void moi_model_exchange(mopt_model *model, moi_real **block);

/* The weights live in a block that is lent from now on: 1; 0 where they do so
 * already. And they come home, as they are. */
int32_t moi_model_lodge(mopt_model *model, moi_real *block);
void moi_model_come_home(mopt_model *model);
int32_t moi_model_ready(const mopt_model *model); /* weights are set? */

/* Give a model without weights its block, all 0: it is ready then, and its
 * layers are fixed. Does nothing for a model that has one. */
int32_t moi_model_alloc(mopt_model *model);

/* As mopt_model_grow, but only look whether it can be done; and without a
 * message: fits is 0 where it cannot. */
int32_t moi_model_fits(const mopt_model *source, const mopt_model *model,
                       int32_t *fits);

/* The block in the form seen from outside, for files: values[size], tensor i
 * at its offset, PyTorch's order inside; and back. */
void moi_model_export(const mopt_model *model, const moi_real *block,
                      float *values);
void moi_model_import(const mopt_model *model, const float *values,
                      moi_real *block);

/* What a file says of the model, as an object of texts, NULL without memory;
 * and of a tensor. For those who write files in pieces. */
struct moi_tensor;
json_t *moi_model_metadata(const mopt_model *model);
void moi_model_tensor(const mopt_model *model, int64_t k,
                      struct moi_tensor *out);

/* Does it end in softmax or sigmoid (MOI_PLAN_LOGITS leaves that out)? And in
 * plain sums, with no function of them after the head? */
int32_t moi_model_ends_in_probability(const mopt_model *model);
int32_t moi_model_ends_in_sums(const mopt_model *model);
mopt_transform *moi_model_transform(const mopt_model *model);

/* As mopt_model_create, from a document at a path; errors name the path. */
int32_t moi_model_from_json(mopt_context *ctx, const json_t *tree,
                            const moi_path *path, int64_t inputs,
                            int64_t outputs, mopt_model **out);

/* As mopt_model_evaluate, the metrics as an object. */
int32_t moi_model_measure(const mopt_model *model, const mopt_dataset *data,
                          const char *loss, const mopt_cancel *cancel,
                          json_t **out);

/* The same for outputs from elsewhere, logits for classes: answer gives those
 * of rows first .. first+count-1, in turn. By the usual loss of the target. */
typedef int32_t (*moi_answer_fn)(void *user, int64_t first, int64_t count,
                                 moi_real *out, const mopt_cancel *cancel);
int32_t moi_answers_measure(const mopt_dataset *data, int64_t outputs,
                            moi_answer_fn answer, void *user,
                            const mopt_cancel *cancel, json_t **out);

/* The description as a new JSON object; NULL without memory. */
json_t *moi_model_tree(const mopt_model *model);

/* The JSON Schema of descriptions; domains as in moi_schema_to_json. NULL
 * without memory. */
json_t *moi_model_schema(int32_t domains);

/* What serving costs: numbers of weights, multiplications and additions a row,
 * bytes that serving one row takes (weights and activations). */
int64_t moi_model_weight_count(const mopt_model *model);
int64_t moi_model_flops(const mopt_model *model);
int64_t moi_model_serving_bytes(const mopt_model *model);

/* Rows that a pass over all layers takes some 40 ms for, on one core (100
 * GFLOP/s); and those that the largest layer does: a token is looked at before
 * each. At least 1. */
int64_t moi_model_pass_rows(const mopt_model *model);
int64_t moi_model_layer_rows(const mopt_model *model);

#endif
