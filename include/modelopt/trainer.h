/* SPDX-License-Identifier: MIT
 * modelopt/trainer.h: the one training loop.
 *
 * A trainer joins a model, data and a config of kind "train". Two extension
 * points serve what is built on it: parameter groups and extra loss terms. A
 * step is shared among the context's threads where that pays (key "threads"),
 * with the same bits for any number of them; callbacks and terms run on the
 * thread that called. */
#ifndef MODELOPT_TRAINER_H
#define MODELOPT_TRAINER_H

#include "group.h"
#include "model.h"
#include "parallel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_trainer mopt_trainer;

/** Called after a step or an epoch.
 *
 *  @param user    as registered.
 *  @param trainer the trainer; mopt_trainer_get, _history and _save may be
 *                 called, and the model may be read.
 *  @return 0 to go on, MOPT_STOPPED to end training (the best weights are
 *          kept), MOPT_PRUNED the same with that status; anything else ends it
 *          with MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_trainer_fn)(void *user, mopt_trainer *trainer);

/** An extra term of the loss, called once for each mini-batch, or for each
 *  chunk of one that is worked on in several (key "chunk").
 *
 *  @param user    as registered.
 *  @param rows    rows of the batch or chunk.
 *  @param outputs numbers a row.
 *  @param index   [rows], row numbers in the training data.
 *  @param output  [rows][outputs], what the last layer gave (logits where the
 *                 loss takes logits).
 *  @param grad    [rows][outputs], zeros; add the gradient of the term's value
 *                 to it. It is weighted afterwards.
 *  @param loss    add the term's value (mean over the rows) to it.
 *  @return 0, or a value that ends training with MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_loss_fn)(void *user, int64_t rows, int64_t outputs,
                                const int64_t *index, const float *output,
                                float *grad, double *loss);

/** Create a trainer.
 *
 *  @param model  kept alive; its weights are set from "seed" unless they are
 *                set already.
 *  @param train  data to learn from, transformed; kept alive. Rows without
 *                targets are learned from by extra terms alone.
 *  @param validation data to measure on after each epoch; NULL for none.
 *  @param config kind "train"; NULL for the defaults. Read, not kept.
 *  @return MOPT_OK; MOPT_EINVAL (sizes of model and data differ, a loss that
 *          does not fit the target, a figure to monitor that there is not, keys
 *          of a variant that is not chosen); MOPT_ESTATE (a model without
 *          layers); MOPT_ERANGE; MOPT_EBACKEND; MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_create(mopt_context *ctx, mopt_model *model,
                                     const mopt_dataset *train,
                                     const mopt_dataset *validation,
                                     const mopt_config *config,
                                     mopt_trainer **out);

/** Free a trainer; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_trainer_free(mopt_trainer *trainer);

/** Give the parameters whose names match a pattern settings of their own.
 *
 *  @param pattern a glob over tensor names: "layers.0.*", "*.bias".
 *  @param config  kind "group": "rate" (multiplies the learning rate),
 *                 "weight_decay", "frozen". Later groups win.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY (nothing matches), MOPT_ESTATE
 *          (training has begun), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_add_group(mopt_trainer *trainer,
                                        const char *pattern,
                                        const mopt_config *config);

/** Add a term to the loss.
 *
 *  @param weight  multiplies the term's value and gradient; finite.
 *  @param destroy called with user when the trainer is freed; may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (training has begun), ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_add_loss(mopt_trainer *trainer, double weight,
                                       mopt_loss_fn term, void *user,
                                       mopt_destroy_fn destroy);

/** Scale the trainer's own loss (the one of the config's "loss"): 1 unless
 *  set, 0 to train on the extra terms alone.
 *  @param weight finite, not negative.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (training has begun).
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_trainer_set_loss_weight(mopt_trainer *trainer,
                                              double weight);

/** Let the ranks of a group train one model together (data parallel). Every
 *  rank has a trainer of its own, with the same model, data and config; each
 *  works on some parts of each batch (key "parts"), gradients are added up by
 *  pairs of parts, and all change their weights alike: to the same bits for any
 *  number of ranks, and for a trainer with that key and no group.
 *
 *  All ranks call this, and then the same functions in the same order, with
 *  callbacks of the same kinds; a token, time limit or callback of one rank
 *  ends a step for all. A rank that fails in between aborts the group; one that
 *  is refused it here only makes this call fail for all. Each
 *  rank keeps the optimizer's state of its own piece of the weights alone
 *  (ZeRO, stage 1). Rank 0 writes checkpoints; any number of ranks resumes
 *  from them. "gradient_norm" is known with "clip_norm" only. Where all ranks
 *  are processes of one host, what they see of each other is POSIX shared
 *  memory, and not the allocator's: the model's weights, too, until the
 *  trainer is freed.
 *
 *  @param group outlives the trainer; not used otherwise while it trains.
 *  @return MOPT_OK; MOPT_EINVAL (a NULL; the ranks do not have the same
 *          library, settings, data, layers or weights); MOPT_ESTATE (training
 *          has begun); MOPT_EPEER (also: another rank was refused);
 *          MOPT_EUNSUPPORTED (hints that need projections); MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_set_group(mopt_trainer *trainer,
                                        mopt_group *group);

/** Create a trainer of a model that is spread over the ranks of a group by a
 *  plan. No rank holds more than its part: weights, gradients, state and
 *  activations. Each rank makes a trainer of its own, with the same model, data
 *  and config, and then calls the same functions in the same order; what
 *  mopt_trainer_set_group says of tokens, limits, callbacks and failures holds
 *  here too. A token is looked at once a part of a batch, or once a step where
 *  layers are split.
 *
 *  Stages of a pipeline and copies of the model change no bit: the weights are
 *  those of one rank with as many parts. Sums over pieces of a layer round
 *  otherwise than a whole product does; the same plan gives the same bits.
 *  Where a plan leaves the whole model to each rank, the trainer works as one
 *  with mopt_trainer_set_group: threads, "overlap", "compression",
 *  "local_steps" and line searches go with it. What refuses one rank is an
 *  error of all, who may try again with the same group.
 *
 *  @param model  kept alive; without weights the parts get the first values
 *                that the whole would have ("seed"), else pieces of its
 *                weights. It stays as it is: mopt_trainer_gather fetches what
 *                was learned, mopt_trainer_export writes it.
 *  @param plan   for as many ranks as the group has; not kept. Its parts are
 *                used where the config has no "parts" (nor "local_steps" or
 *                "compression", which choose their own).
 *  @param group  outlives the trainer; not used otherwise while it trains.
 *  @param train  data to learn from; every rank has all of them.
 *  @param validation data to measure on after each epoch; NULL for none.
 *  @param config kind "train"; NULL for the defaults. Read, not kept.
 *  @return as mopt_trainer_create; MOPT_EINVAL also for a plan of another model
 *          or number of ranks, and where ranks differ in library, plan, layers,
 *          settings, data or weights; MOPT_EUNSUPPORTED (where the model is
 *          cut: a line search, more than one thread, "max_norm" with a layer
 *          split by rows, "local_steps", "compression"; extra terms later on);
 *          MOPT_EPEER (also: another rank was refused).
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_create_parallel(
    mopt_context *ctx, mopt_model *model, const mopt_dataset *train,
    const mopt_dataset *validation, const mopt_config *config,
    const mopt_parallel *plan, mopt_group *group, mopt_trainer **out);

/** Fetch the weights of all ranks: into a model that is then whole, for
 *  predicting, measuring and saving. All ranks of the trainer's plan call this;
 *  without a plan it copies.
 *
 *  @param model with the layers of the trainer's (that one itself, or a copy);
 *               NULL on a rank that wants none. After an error some of its
 *               weights may be set.
 *  @return MOPT_OK, MOPT_EINVAL (NULL; other layers), MOPT_EPEER, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_gather(mopt_trainer *trainer,
                                     mopt_model *model);

/** Write the weights of all ranks as one model file, as mopt_model_save does:
 *  each rank of a trainer's plan writes its pieces, so that none needs room for
 *  the whole. All ranks call this; where each has all of it, the first writes.
 *
 *  @param path of a file that all ranks see.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EDIVERGED (weights that are not finite),
 *          MOPT_EIO (the file is the old one or the new one, whole),
 *          MOPT_ENOENT, MOPT_EPEER, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_export(mopt_trainer *trainer, const char *path);

/** Register what is called after each step, or epoch; NULL for nothing.
 *
 *  @param destroy called with user when replaced or freed; may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (from inside a callback).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_on_step(mopt_trainer *trainer,
                                      mopt_trainer_fn fn, void *user,
                                      mopt_destroy_fn destroy);
MOPT_API int32_t mopt_trainer_on_epoch(mopt_trainer *trainer,
                                       mopt_trainer_fn fn, void *user,
                                       mopt_destroy_fn destroy);

/** Train until a limit of the config is reached or a callback ends it. With
 *  "restore_best" the model then has the weights of the best epoch, on every
 *  way out; before the first epoch is done it has those it came to.
 *
 *  May be called again, and goes on where it was; the model's weights must not
 *  have been set in between. An epoch that "max_steps" or "max_seconds" cuts
 *  short is measured as far as it came. With "checkpoint" one is written where
 *  a limit, a token or MOPT_STOPPED ends it; if the last two do and it cannot
 *  be written, the log has a warning.
 *
 *  @param cancel may be NULL.
 *  @return MOPT_OK (a limit was reached, or early stopping), MOPT_STOPPED,
 *          MOPT_PRUNED, MOPT_ECANCELED, MOPT_ECALLBACK, MOPT_EDIVERGED (the
 *          message names the step; the weights are those of the best, or the
 *          last good, epoch, and only mopt_trainer_resume leads on),
 *          MOPT_ESTATE (from inside a callback; or nothing to learn from: the
 *          loss has no weight and no term was added), MOPT_EIO (checkpoint),
 *          MOPT_EBACKEND, MOPT_ENOMEM, MOPT_EINVAL.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_fit(mopt_trainer *trainer, mopt_cancel *cancel);

/** Take one step on the next mini-batch; the last of an epoch also closes it,
 *  as mopt_trainer_fit would. The model has the weights of that step.
 *
 *  @param loss receives the batch's loss before the step; may be NULL.
 *  @return as mopt_trainer_fit; MOPT_EXHAUSTED (a limit is reached).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_step(mopt_trainer *trainer, double *loss);

/** Read a figure of the training so far: "epoch", "step", "seconds", "loss"
 *  (mean over the last epoch), "learning_rate" and "gradient_norm" (before
 *  clipping by it) of the last step, "validation.loss", "validation.accuracy"
 *  and other metrics of the last epoch; "best.epoch", "best.loss",
 *  "best.accuracy", ... of the best: on the validation data if there are any.
 *  Several ranks know "gradient_norm" with "clip_norm" only: each has the
 *  gradients of its own piece.
 *
 *  @param out receives the value.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY (no such figure; the message names
 *          the nearest), MOPT_ESTATE (not known yet, or NaN).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_get(const mopt_trainer *trainer,
                                  const char *figure, double *out);

/** The figures of all epochs as a JSON array of objects.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_trainer_history(const mopt_trainer *trainer, char *buf,
                                      size_t cap, size_t *needed);

/** Write everything that training goes on from, atomically: weights, optimizer
 *  state, schedule, counters, best weights. A training resumed from it gives
 *  the same bits as one that was never interrupted. With a group all ranks call
 *  it, and rank 0 writes; if it cannot, all hear of that.
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (the training diverged), MOPT_EIO
 *          (the file is the old one or the new one, whole), MOPT_EPEER,
 *          MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_save(const mopt_trainer *trainer,
                                   const char *path);

/** Go on from a checkpoint that a trainer with the same model, data, config,
 *  groups and weights of terms wrote. What may differ are "epochs",
 *  "max_steps", "max_seconds", "tolerance", "early_stopping.*" and
 *  "checkpoint*"; a schedule that spans the whole training spans the new one.
 *  With a group all ranks call it and go on from the same file, or none does;
 *  the group can be used afterwards.
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (from inside a callback),
 *          MOPT_ENOENT, MOPT_EIO, MOPT_EFORMAT (damaged, or of another
 *          training: the message names what differs), MOPT_ENOMEM. In a group
 *          also MOPT_EPEER (another rank could not: the message names it) and
 *          MOPT_EINVAL (ranks have different checkpoints). After an error the
 *          trainer is as before.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trainer_resume(mopt_trainer *trainer, const char *path);

#ifdef __cplusplus
}
#endif

#endif
