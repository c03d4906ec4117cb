/* SPDX-License-Identifier: MIT
 * modelopt/model.h: a model: a tree of layers, its weights, its files.
 *
 * A model is described by JSON or built layer by layer:
 *
 *   {"layers": [{"type": "dense", "units": 128, "activation": "relu"},
 *               {"type": "dropout", "rate": 0.2},
 *               {"repeat": 2, "layers": [{"type": "dense", "units": 64,
 *                                         "activation": "relu"}]},
 *               {"type": "dense"}]}
 *
 * The last dense layer may leave "units" out: the data's target decides. */
#ifndef MODELOPT_MODEL_H
#define MODELOPT_MODEL_H

#include "data.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_model mopt_model;

/** Create a model from a description.
 *
 *  @param json    UTF-8 text of one object with "layers".
 *  @param inputs  features a row, > 0.
 *  @param outputs what "units" of the last layer is when left out; 0 if it is
 *                 given.
 *  @param out     receives the model, its weights not yet set; the caller
 *                 frees it.
 *  @return MOPT_OK; MOPT_EFORMAT (not JSON); MOPT_EKEY, MOPT_EINVAL (the
 *          message names the JSON path, the value and what is allowed);
 *          MOPT_ERANGE (too many weights); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_model_create(mopt_context *ctx, const char *json,
                                   int64_t inputs, int64_t outputs,
                                   mopt_model **out);

/** Create a model without layers; mopt_model_add appends them.
 *
 *  @param inputs features a row, > 0.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_model_build(mopt_context *ctx, int64_t inputs,
                                  mopt_model **out);

/** Append a layer.
 *
 *  @param config a config of kind "layer.dense", "layer.activation" or
 *                "layer.dropout".
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (weights are set already),
 *          MOPT_ERANGE, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_add(mopt_model *model, const mopt_config *config);

/** Append a dense layer with defaults: units outputs, activation after it.
 *
 *  @param units      1 or more.
 *  @param activation "none", "relu", "leaky_relu", "tanh", "sigmoid", "gelu",
 *                    "silu", "softmax"; NULL means "none". gelu is the exact
 *                    one, x Phi(x).
 *  @return as mopt_model_add.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_add_dense(mopt_model *model, int64_t units,
                                      const char *activation);

/** Append dropout: in training each value is 0 with probability rate, the
 *  others are scaled by 1/(1-rate) (Srivastava et al. 2014, inverted form).
 *
 *  @param rate 0 <= rate < 1; rounded to a multiple of 1/65536.
 *  @return as mopt_model_add.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_add_dropout(mopt_model *model, double rate);

/** Give the weights their first values, from the initialisers of the layers.
 *
 *  @param seed streams are keyed by (seed, layer): the same seed gives the
 *              same bits.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (no layers), MOPT_EBACKEND,
 *          MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_init(mopt_model *model, int64_t seed);

/** Give a model the weights of a trained one, of the same architecture or a
 *  smaller one, so that it computes the same (Chen, Goodfellow and Shlens 2016,
 *  "Net2Net"): a warm start for further training.
 *
 *  Layers are matched in order. One of the model takes the part of one of the
 *  source if both are of one type with the same activation, and it is as wide
 *  or wider; the first units are the source's then, and the others are new:
 *  drawn as mopt_model_init draws them, with weights of 0 in what reads them.
 *  A layer without a part hands on what it gets: its activation must let that
 *  through ("none"; "relu" and "leaky_relu" behind relu, sigmoid, softmax).
 *  Dropout does not matter, on either side. Of several ways to match, the one
 *  with the most layers of equal width is taken, and of these the one that uses
 *  the earliest layers. Equal architectures give equal bits; otherwise outputs
 *  differ by how products of other sizes round, a few units in the last place
 *  of the largest terms of a sum.
 *
 *  Only weights are carried over, no optimizer's state. A model without a
 *  transform is given the source's.
 *
 *  @param source has weights; is only read.
 *  @param model  its weights are set or replaced; after an error they are as
 *                before.
 *  @param seed   of what is new: the same seed gives the same bits.
 *  @return MOPT_OK; MOPT_EINVAL (NULL, the same model twice, other inputs or
 *          outputs); MOPT_ESTATE (the source has no weights);
 *          MOPT_EUNSUPPORTED (the message names the layer that does not fit,
 *          and why); MOPT_EBACKEND; MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_grow(const mopt_model *source, mopt_model *model,
                                 int64_t seed);

/** A copy with weights of its own. Thread: one a handle. Since 0.1.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM. */
MOPT_API int32_t mopt_model_copy(const mopt_model *model, mopt_model **out);

/** Give up the caller's hold; NULL is fine. A trainer keeps its model alive.
 *  Thread: any. Since 0.1. */
MOPT_API void mopt_model_free(mopt_model *model);

/** Attach the transform that turns raw columns into this model's inputs: it is
 *  saved with the model and applied by evaluate and predict to raw data.
 *
 *  @param transform kept alive by the model; NULL detaches.
 *  @return MOPT_OK, MOPT_EINVAL (it makes another number of inputs).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_set_transform(mopt_model *model,
                                          mopt_transform *transform);

/** Sizes and costs as JSON: "inputs", "outputs", "layers" (the description),
 *  "params", "bytes", "flops" (a row, forward; a multiply-add counts 2),
 *  "target" (with a transform attached: "kind", "class" or "number"; "count";
 *  "names" where the data had some; else null), "tensors" (names and shapes).
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle; several readers are fine. Since 0.1. */
MOPT_API int32_t mopt_model_describe(const mopt_model *model, char *buf,
                                     size_t cap, size_t *needed);

/** Copy a weight tensor out, or in.
 *
 *  @param name  such as "layers.0.weight" (shape [units][inputs], as PyTorch
 *               has it) or "layers.0.bias" ([units]).
 *  @param count floats at values; must be the tensor's size.
 *  @return MOPT_OK, MOPT_EINVAL (also NaN going in), MOPT_EKEY (no such
 *          tensor), MOPT_ESTATE (weights not set yet).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_get_tensor(const mopt_model *model,
                                       const char *name, float *values,
                                       int64_t count);
MOPT_API int32_t mopt_model_set_tensor(mopt_model *model, const char *name,
                                       const float *values, int64_t count);

/** Outputs for rows in host memory.
 *
 *  A model that ends in softmax or sigmoid gives probabilities. Rows are what
 *  the first layer takes: an attached transform is not applied (wrap raw rows
 *  by mopt_dataset_from_memory and call mopt_model_predict_dataset for that).
 *
 *  @param x      [rows][inputs], row-major, packed.
 *  @param rows   0 or more; many rows are shared among the context's threads,
 *                and the bits do not depend on how many there are.
 *  @param out    receives [rows][outputs]; undefined after an error.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (weights not set), MOPT_ECANCELED,
 *          MOPT_EBACKEND, MOPT_ENOMEM.
 *  Thread: any; the model is only read. Since 0.1.
 */
MOPT_API int32_t mopt_model_predict(const mopt_model *model, const float *x,
                                    int64_t rows, float *out,
                                    mopt_cancel *cancel);

/** Outputs for a data set. Raw columns go through the attached transform; data
 *  that went through one already are taken as they are.
 *
 *  @param out receives [rows][outputs]; numbers are in the target's own unit.
 *  @param count floats at out; must be rows * outputs.
 *  @return as mopt_model_predict; MOPT_EINVAL also for data that do not fit the
 *          transform or the model.
 *  Thread: any; the model is only read. Since 0.1.
 */
MOPT_API int32_t mopt_model_predict_dataset(const mopt_model *model,
                                            const mopt_dataset *data,
                                            float *out, int64_t count,
                                            mopt_cancel *cancel);

/** Measure a model on labelled data: a JSON object of metrics.
 *
 *  Both: "rows" and "loss". Classes: "accuracy", "error", "macro_f1",
 *  "macro_precision", "macro_recall", "auc" (macro one-against-rest),
 *  "confusion" ([true][said], up to 1,024 classes). Numbers: "mse", "rmse",
 *  "mae", "r2", in the target's own unit (the loss is in the unit that the
 *  model learns in). What does not exist (an AUC of one class) is null.
 *
 *  @param loss the name of the loss to compute: "cross_entropy",
 *              "binary_cross_entropy", "mse", "mae", "huber"; NULL takes the
 *              usual one.
 *  @return as mopt_model_predict; MOPT_EKEY (no such loss); MOPT_ERANGE (cut).
 *  Thread: any; the model is only read. Since 0.1.
 */
MOPT_API int32_t mopt_model_evaluate(const mopt_model *model,
                                     const mopt_dataset *data,
                                     const char *loss, mopt_cancel *cancel,
                                     char *buf, size_t cap, size_t *needed);

/** Write a model as one safetensors file, atomically: weights, the tree of
 *  layers and the transform.
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (weights not set), MOPT_EDIVERGED
 *          (weights are NaN or infinite), MOPT_EIO, MOPT_ENOENT (no such
 *          folder), MOPT_ENOMEM. After an error the old file, if any, is
 *          unharmed.
 *  Thread: one a handle; the model is only read. Since 0.1.
 */
MOPT_API int32_t mopt_model_save(const mopt_model *model, const char *path);

/** Read a model that mopt_model_save wrote.
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOENT, MOPT_EIO, MOPT_EFORMAT (the
 *          message says where), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_model_load(mopt_context *ctx, const char *path,
                                 mopt_model **out);

#ifdef __cplusplus
}
#endif

#endif
