/* SPDX-License-Identifier: MIT
 * modelopt/finetune.h: transfer learning: what a model has learnt on one task
 * goes on to another.
 *
 *   mopt_model_load(ctx, "source.safetensors", &source);
 *   mopt_finetune_create(ctx, source, train, validation, NULL, NULL, &f);
 *   mopt_finetune_fit(f, NULL);
 *   mopt_finetune_evaluate(f, test, NULL, NULL, buf, sizeof buf, NULL);
 *   mopt_finetune_model(f, &model);
 *   mopt_model_save(model, "target.safetensors"); */
#ifndef MODELOPT_FINETUNE_H
#define MODELOPT_FINETUNE_H

#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_finetune mopt_finetune;
typedef struct mopt_adapter mopt_adapter;

/** Create a fine-tuning: a copy of a source model, for other data.
 *
 *  Raw data go through the source's encoding of inputs, with a target of their
 *  own; numbers that a kept head tells stay in the source's unit. The head (the
 *  last layer with weights) is replaced by a new one where the target needs
 *  another width, or has other class names ("head").
 *
 *  "method" says what learns: "full" (everything: kept layers at "rate" times
 *  the learning rate, divided by "layer_decay" for each layer further below
 *  the head, Howard and Ruder 2018; a new head at the whole rate), "head",
 *  "probe" (the head in closed form: ridge regression, its strength chosen by
 *  leave-one-out), "lora" (low-rank factors, Hu et al. 2021; with "biases",
 *  biases too), "bias" (Ben Zaken et al. 2021). "freeze" keeps tensors as they
 *  are, "unfreeze_every" lets the layers in one by one, "l2_sp" pulls them
 *  back to the source (Li, Grandvalet and Davoine 2018).
 *
 *  @param source     its weights are set; copied, not changed.
 *  @param train      labelled; raw, or transformed. Kept alive.
 *  @param validation labelled; NULL for none.
 *  @param config     kind "finetune"; NULL for the defaults. Read, not kept.
 *  @param training   kind "train"; NULL for the defaults. Read, not kept.
 *  @return MOPT_OK; MOPT_EINVAL (a NULL, a config of another kind, data that do
 *          not fit the source, or went through another encoding of inputs; all
 *          tensors are frozen);
 *          MOPT_EKEY (a pattern that matches no tensor); MOPT_ESTATE (the
 *          source has no weights); MOPT_EUNSUPPORTED (a head that cannot have
 *          another width); MOPT_EBACKEND; MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_create(mopt_context *ctx,
                                      const mopt_model *source,
                                      const mopt_dataset *train,
                                      const mopt_dataset *validation,
                                      const mopt_config *config,
                                      const mopt_config *training,
                                      mopt_finetune **out);

/** Free a fine-tuning; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_finetune_free(mopt_finetune *finetune);

/** The model for the new task.
 *
 *  @param out receives the model; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_model(const mopt_finetune *finetune,
                                     mopt_model **out);

/** Its trainer, for callbacks, history, checkpoints and resume.
 *
 *  @param out receives the trainer; it lives as long as the fine-tuning.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (method "probe" has none).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_trainer(mopt_finetune *finetune,
                                       mopt_trainer **out);

/** Fine-tune, and unless "baseline" is off train the same architecture from
 *  scratch with the same settings. After a cancelled or stopped call it goes on
 *  where it was.
 *
 *  @param cancel may be NULL.
 *  @return as mopt_trainer_fit; MOPT_EUNSUPPORTED (method "probe", and a head
 *          with a function after it that is not softmax or sigmoid).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_fit(mopt_finetune *finetune,
                                   mopt_cancel *cancel);

/** What was won and lost, as JSON: "method"; "params", "trained_params" and
 *  "frozen" (names of tensors); "target": the tuned model; "scratch": the same
 *  architecture from scratch (null without a baseline); "untuned": the source
 *  as it is (null with a new head); "gain": target over scratch; "source":
 *  {"before", "after", "forgotten"} on the source's task, null without
 *  source_test; "warnings". Models are told as by mopt_distill_evaluate,
 *  differences in points of 100 for classes, in rmse for numbers.
 *
 *  @param test        labelled rows of the target; NULL for the validation.
 *  @param source_test labelled rows of the source's task; NULL for none. With
 *                     a new head the source's own is put back for them.
 *  @param cancel      may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (no labelled rows), MOPT_ESTATE (not fitted
 *          yet), MOPT_ECANCELED, MOPT_EBACKEND, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_evaluate(mopt_finetune *finetune,
                                        const mopt_dataset *test,
                                        const mopt_dataset *source_test,
                                        mopt_cancel *cancel, char *buf,
                                        size_t cap, size_t *needed);

/** What method "lora" has learnt, apart from the source.
 *
 *  @param out receives the adapter as it stands now; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (another method), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_finetune_adapter(const mopt_finetune *finetune,
                                       mopt_adapter **out);

/** Read an adapter that mopt_adapter_save wrote.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOENT, MOPT_EIO, MOPT_EFORMAT (the
 *          message says where), MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_adapter_load(mopt_context *ctx, const char *path,
                                   mopt_adapter **out);

/** Write an adapter as one safetensors file, atomically: "<tensor>.lora_A"
 *  [rank][inputs] and "<tensor>.lora_B" [outputs][rank] for each matrix that it
 *  changes, and whole tensors (a new head, biases).
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EIO, MOPT_ENOENT, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_adapter_save(const mopt_adapter *adapter,
                                   const char *path);

/** Merge into a model: W + scale B A, and the whole tensors. Where the tuning
 *  took a new head, the model gets that head and the target that it tells,
 *  class names and all.
 *
 *  @param model one with the weights that the adapter was learnt on, of the
 *               same context.
 *  @return MOPT_OK, MOPT_EINVAL (a tensor is missing, or has another shape),
 *          MOPT_ESTATE (it is merged into a model already; or it has a new
 *          head, and a trainer or the like uses the model), MOPT_EBACKEND,
 *          MOPT_ENOMEM. After an error the model is as before.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_adapter_apply(mopt_adapter *adapter, mopt_model *model);

/** Take it out again: the model has the head and the bits that it had before.
 *  Freed without that, an adapter stays merged.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (it is not merged into this
 *          model). Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_adapter_remove(mopt_adapter *adapter,
                                     mopt_model *model);

/** As JSON: "rank", "scale", "params" (numbers in it), "outputs" (of a new
 *  head, where it has one), "tensors" (names of those it changes).
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_adapter_describe(const mopt_adapter *adapter, char *buf,
                                       size_t cap, size_t *needed);

/** Free an adapter; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_adapter_free(mopt_adapter *adapter);

/** Set a model's weights from any safetensors file.
 *
 *  @param model from mopt_model_create; all of its tensors are set, or after an
 *               error none.
 *  @param map   JSON object from this model's names to those of the file, a
 *               text, or {"name": .., "transpose": true} for a matrix that is
 *               [in][out] there; NULL, and what it leaves out: the same names.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY (no such tensor here, or there: the
 *          message names the nearest), MOPT_ENOENT, MOPT_EIO, MOPT_EFORMAT (of
 *          another shape, or not finite), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_model_load_weights(mopt_model *model, const char *path,
                                         const char *map);

/** What a layer gives for each row: features for other learners.
 *
 *  @param layer number of the layer, from 0; -1: what the head reads (the
 *               inputs, if there is no layer below it).
 *  @param data  as for mopt_model_predict_dataset.
 *  @param out   receives [rows][width of the layer].
 *  @param count floats at out; must be rows * width.
 *  @return as mopt_model_predict_dataset.
 *  Thread: any; the model is only read. Since 0.1.
 */
MOPT_API int32_t mopt_model_features(const mopt_model *model, int64_t layer,
                                     const mopt_dataset *data, float *out,
                                     int64_t count, mopt_cancel *cancel);

/** The same into an NPY file, float32 [rows][width], written atomically.
 *  @return as mopt_model_features; MOPT_EIO, MOPT_ENOENT (no such folder).
 *  Thread: any; the model is only read. Since 0.1. */
MOPT_API int32_t mopt_model_save_features(const mopt_model *model,
                                          int64_t layer,
                                          const mopt_dataset *data,
                                          const char *path,
                                          mopt_cancel *cancel);

#ifdef __cplusplus
}
#endif

#endif
