/* SPDX-License-Identifier: MIT
 * lib/learn/train/trainer.h: the inside of a trainer.
 *
 * Everything that a training goes on from is in `now`, the weights, the state
 * of the rule, the plateau of the schedule, the kept weights and the history:
 * that is what a checkpoint holds. The rest follows from model, data and
 * config. */
#ifndef MOI_LEARN_TRAINER_H
#define MOI_LEARN_TRAINER_H

#include <modelopt/trainer.h>
#include <stdatomic.h>

#include "base/config.h"
#include "base/status.h"
#include "learn/data/augment.h"
#include "learn/data/dataset.h"
#include "learn/nn/loss.h"
#include "learn/nn/metrics.h"
#include "learn/nn/model.h"
#include "learn/nn/plan.h"
#include "learn/nn/runner.h"
#include "learn/optim/optimizer.h"
#include "learn/optim/schedule.h"
#include "learn/parallel/pipeline.h"
#include "learn/parallel/parts.h"
#include "learn/train/extend.h"
#include "learn/train/local.h"
#include "learn/train/team.h"

extern const moi_schema moi_train_schema, moi_group_schema;

/* The settings of a config of kind "train", read once. Texts belong to the
 * config. */
typedef struct moi_settings {
    int64_t epochs, batch, chunk, threads, parts, max_steps;
    int64_t local_steps, local_workers;
    double outer_rate, outer_momentum, topk_share;
    double max_seconds, tolerance;
    uint64_t seed;
    int32_t shuffle, restore_best, asynchronous;
    double clip_norm, clip_value, max_norm;
    int64_t patience;
    double min_delta;
    const char *monitor, *checkpoint, *compression, *overlap;
    int64_t checkpoint_every;
    double checkpoint_seconds;
} moi_settings;

/* What a weight tensor is trained with. */
typedef struct moi_tuning {
    double rate; /* multiplies the learning rate */
    double decay;
    int64_t thaw;  /* the first epoch that changes it */
    double anchor; /* how strongly it is pulled to where it was */
} moi_tuning;

/* Some of a tensor's reals. Its state lies so much before where it would in
 * arrays of the whole. */
typedef struct moi_slice {
    int64_t tensor, first, count, shift;
} moi_slice;

/* Settings for the tensors that match a pattern. */
typedef struct moi_group {
    char *pattern;
    mopt_config *config;
} moi_group;

/* An extra term of the loss. */
typedef struct moi_term {
    double weight;
    moi_term_fn fn;
    void *user;
    mopt_destroy_fn destroy;
} moi_term;

/* A callback after steps or epochs. */
typedef struct moi_listener {
    mopt_trainer_fn fn;
    void *user;
    mopt_destroy_fn destroy;
} moi_listener;

/* What works a chunk of a batch out. */
typedef struct moi_worker {
    moi_plan *plan;
    moi_real *grads;    /* a block laid out as the weights */
    int32_t *classes;   /* targets of the chunk: one of the two */
    moi_real *numbers;
    moi_real *tap[MOI_TAPS], *tap_grad[MOI_TAPS]; /* of the plan */
} moi_worker;

/* Where a training stands. */
typedef struct moi_progress {
    int64_t epoch; /* whole epochs done */
    int64_t row;   /* rows of the running epoch done; all of them: the epoch
                      waits to be closed */
    int64_t step;  /* steps done */
    double seconds;
    double loss_sum, weight_sum; /* over the running epoch */
    double rate;                 /* of the last step */
    int64_t best;   /* the best epoch, from 1; 0: none yet */
    double mark;    /* the monitored figure that patience counts from; NaN */
    int64_t stale;  /* epochs since */
    int32_t ended;  /* early stopping, tolerance, or no way down */
} moi_progress;

/* A row of the history: an epoch's figures, then its validation metrics. */
#define MOI_FIGURE_EPOCH 0
#define MOI_FIGURE_STEP 1
#define MOI_FIGURE_LOSS 2
#define MOI_FIGURE_RATE 3
#define MOI_FIGURES 4

#define MOI_TRAINER_RUNNING 1 /* inside a call: callbacks may not call again */
#define MOI_TRAINER_BEGUN 2   /* groups and terms are fixed */
#define MOI_TRAINER_SETTLED 4 /* the model has the best weights, kept the
                                 last */
#define MOI_TRAINER_CLOSED 8  /* closing is valid */
#define MOI_TRAINER_RESCUE 16 /* its checkpoint is for others, should it be cut
                                 short: none is written at the end */

struct mopt_trainer {
    mopt_context *ctx;
    mopt_model *model; /* what is trained here */
    mopt_model *whole; /* what it is a part of, in a mesh; else the same */
    mopt_dataset *train, *validation; /* validation may be NULL */
    mopt_config *config;              /* a copy */
    moi_settings set;
    moi_optimizer rule;
    double momentum; /* of the rule, where the schedule has no wish */
    moi_schedule schedule;
    moi_loss *loss; /* NULL if nothing is labelled */
    double loss_weight;
    int64_t loss_from; /* the first epoch in which it counts */
    moi_augment augment;

    moi_tuning *tuning; /* [tensors of the model] */
    int32_t *frozen;    /* the same: not 0 for those that stay as they are */
    int32_t *spared;    /* of these, the ones that nobody asks gradients of */
    const moi_real *anchors; /* a block as the model's, or NULL */
    moi_group *groups;
    int64_t group_count, group_room;
    moi_term *terms;
    int64_t term_count, term_room;
    moi_listener on_step, on_epoch;
    int64_t tap_layers[MOI_TAPS], tap_count;

    const moi_annex *annex; /* or NULL */
    moi_real *annex_kept, *annex_state[MOI_STATES]; /* as kept and state */

    moi_team *team; /* or NULL: nobody else, and no parts */
    moi_mesh *mesh; /* or NULL: the model is here as a whole */
    moi_pipeline *pipeline; /* with a mesh: works the parts out */
    int64_t mesh_blocks;    /* that a rank has at most */
    double *mesh_sums;      /* of blocks: this rank's, then the whole copy's */
    moi_local *local; /* or NULL: one step for all */

    int64_t rows;  /* of the training data */
    int64_t size;  /* of a block, in reals */
    moi_worker worker;
    moi_real *total;             /* gradients of a batch of several chunks */
    moi_real *state[MOI_STATES + 1]; /* of the rule: moi_slice.shift; and what
                                        was left out of moved weights */
    int32_t states; /* of these there are */
    moi_real *kept;              /* the best weights, or the last good ones */
    moi_real *origin;            /* where a line search starts */
    moi_real *norms; /* room for max_norm, a unit each: one a lane */
    int64_t norms_size;
    int32_t lanes;   /* threads of a step, at most */
    moi_real *rooms; /* for augmentation, a row each: one a lane */
    moi_slice *blocks; /* all weights in pieces, by the model alone */
    int64_t block_count;
    double *sums; /* one a block */
    int64_t *order;              /* [rows], for epoch `ordered` */
    int64_t ordered;
    int32_t fused;   /* weights change while their gradients are in the cache */
    atomic_int touched; /* the running step has changed weights */
    double norm;     /* of the last gradients before clipping; NaN: not asked */

    moi_runner *judge; /* for validation */
    int64_t judge_rows;
    moi_real *judged; /* [judge_rows][outputs] */
    int64_t *places; /* [judge_rows], rows in turn */
    moi_metrics *metrics;

    moi_progress now;
    double *history; /* [now.epoch][columns] */
    int64_t history_room, columns;
    int64_t monitor;   /* the column that says which epoch is best */
    int32_t direction; /* 1: larger is better, -1: smaller */
    double *closing;   /* [columns], of an epoch that a limit cut short */

    int32_t flags;  /* MOI_TRAINER_* */
    int32_t broken; /* the status that ended this training for good, or 0 */
    double started; /* clock when the running call began */
    double saved;   /* seconds, and step, of the last checkpoint */
    int64_t saved_step;
    uint64_t digest;  /* of the data, once it was asked for */
    int32_t digested;
    mopt_cancel *cancel; /* of the running call */
};

/* What a trainer is made of; validation and config may be NULL. */
typedef struct moi_trainer_of {
    mopt_context *ctx;
    mopt_model *model;
    const mopt_dataset *train, *validation;
    const mopt_config *config;
} moi_trainer_of;

/* trainer.c: a trainer with its settings, and no model to train yet; and then
 * all that follows from the model. */
int32_t moi_trainer_make(const char *function, const moi_trainer_of *of,
                         mopt_trainer **out);
int32_t moi_trainer_set_up(mopt_trainer *t);

/* Both, for a model that is here as a whole; and let such a trainer share the
 * work with a group, in so many parts unless the settings say how many. */
int32_t moi_trainer_make_whole(const char *function, const moi_trainer_of *of,
                               mopt_trainer **out);
int32_t moi_trainer_share(mopt_trainer *t, mopt_group *group, int64_t parts);

/* The ranks that train together; NULL: there is only this one. */
mopt_group *moi_trainer_group(const mopt_trainer *t);

/* keys.c */
void moi_settings_read(moi_settings *set, const mopt_config *config);

/* layout.c: everything that memory is needed for, once model, data and
 * settings are known. */
int32_t moi_trainer_lay_out(mopt_trainer *t);
void moi_trainer_clear(mopt_trainer *t);

/* MOI_PLAN_LOGITS if the loss takes the outputs so, else 0. */
int32_t moi_trainer_logits(const mopt_trainer *t);

/* update.c: change a piece of a tensor by its gradients; MOPT_EDIVERGED. */
int32_t moi_update_slice(mopt_trainer *t, const moi_slice *slice, double rate,
                         moi_real *grads);

/* Is a tensor not to be changed in this epoch? */
int32_t moi_update_sleeps(const mopt_trainer *t, int64_t tensor);

/* Obey max_norm, after all updates of a step. */
void moi_update_cap(mopt_trainer *t);

/* What clip_norm scales all gradients by; MOPT_EDIVERGED. */
int32_t moi_update_clip(mopt_trainer *t, double *scale);

/* Change the weights of some blocks by gradients times scale; or all, those of
 * this rank first and then everybody's; MOPT_EDIVERGED. */
int32_t moi_update_blocks(mopt_trainer *t, int64_t first, int64_t limit,
                          double rate, double scale);
int32_t moi_step_update(mopt_trainer *t, double rate, double scale);

/* Sums of all blocks that are here, added up in order. */
double moi_update_sums(const mopt_trainer *t);

/* Fail because the gradient of a tensor is not finite. */
int32_t moi_step_fail(const mopt_trainer *t, const char *name);
moi_real *moi_step_gradient(const mopt_trainer *t);
double moi_step_gradient_norm(const mopt_trainer *t);

/* bucket.c: the buckets of a team in the making. */
int32_t moi_buckets_make(const mopt_trainer *t, struct moi_team *team);

/* Once this rank's gradients of some buckets are there: sum them up over the
 * ranks and, if the team is eager, change the weights and hand them round. */
int32_t moi_buckets_carry(mopt_trainer *t, int64_t first, int64_t count);

/* Begin a step; and some of this rank's gradients are there, as places in the
 * block of weights: what can go does. */
void moi_buckets_begin(moi_team *team);
void moi_buckets_note(moi_team *team, int64_t first, int64_t count);

/* Before this rank changes its weights of a bucket, and after; and once that is
 * so for some, to all. */
void moi_bucket_mark(const mopt_trainer *t, const moi_bucket *b);
void moi_bucket_put(const mopt_trainer *t, const moi_bucket *b);
int32_t moi_buckets_hand(mopt_trainer *t, int64_t first, int64_t count);

/* Hand every rank's piece of the team's gradient to all. */
int32_t moi_buckets_gather(const struct moi_team *team);

/* shard.c: say of every block where its state lies. */
void moi_shard_place(mopt_trainer *t);

/* Keep the state of this rank's piece alone, unless there is no memory for
 * changing; have room for all of it, the own piece right; and the same at the
 * first rank, with everybody's piece right, which is a call of the group. */
void moi_shard_fold(mopt_trainer *t);
int32_t moi_shard_unfold(mopt_trainer *t);
int32_t moi_shard_collect(mopt_trainer *t);

/* Arrays of which each rank has some, all of those that belong to an item, as
 * parts are dealt: the first rank takes memory for what it has not, and
 * receives them; and lets them go. Collective; nothing for one rank. */
int32_t moi_shard_fetch(mopt_trainer *t, moi_real **arrays, int64_t items,
                        int64_t each);
void moi_shard_forget(const mopt_trainer *t, moi_real **arrays, int64_t items,
                      int64_t each);

/* After this rank has changed its weights, with a status: give them to all. */
int32_t moi_shard_share(mopt_trainer *t, int32_t status);

/* Make the sums of all blocks of those of each rank's own, and add them up:
 * over the whole model. */
int32_t moi_shard_sums(mopt_trainer *t, double *sum);

/* meshed.c: outputs of some rows of the validation data, for a mesh; into
 * t->judged at the last stage. */
int32_t moi_meshed_predict(mopt_trainer *t, int64_t count);

/* What the last stage found goes to all. */
int32_t moi_meshed_tell(mopt_trainer *t, double *row);

/* Of the weights, is this rank's piece that of another, too, which counts
 * it? */
int32_t moi_meshed_repeats(const mopt_trainer *t, int64_t tensor);

/* What works the parts of a team in the making out. */
int32_t moi_meshed_make_pipeline(mopt_trainer *t, const moi_team *team);

/* checkpoint.c: does the clock want one? */
int32_t moi_checkpoint_late(const mopt_trainer *t);

/* terms.c: values and gradients of the extra terms of a chunk, whose part of
 * the batch is share. */
int32_t moi_terms_add(const mopt_trainer *t, const moi_sight *given,
                      double share, double *loss);

/* extend.c: what an anchor adds to the gradients of a slice; and the annex,
 * where there is one, as the steps of a training need it. */
void moi_anchor_pull(const mopt_trainer *t, const moi_slice *slice,
                     moi_real *grads);
void moi_annex_keep(mopt_trainer *t);
void moi_annex_restore(mopt_trainer *t);
void moi_annex_exchange(mopt_trainer *t);
void moi_annex_clear_grads(mopt_trainer *t);
int32_t moi_annex_pull(mopt_trainer *t);
double moi_annex_norm2(const mopt_trainer *t);
int32_t moi_annex_update(mopt_trainer *t, double rate, double scale);

/* fit.c: settle groups and terms, before the first step. */
void moi_trainer_begin(mopt_trainer *t);

/* Weights were spoilt: put the kept ones back. Returns code. */
int32_t moi_trainer_break(mopt_trainer *t, int32_t code);
double moi_trainer_seconds(const mopt_trainer *t);
int32_t moi_trainer_tell(mopt_trainer *t, const moi_listener *listener,
                         const char *which);

/* step.c: rows of the batch that begins at a row of the epoch. */
int64_t moi_step_rows(const mopt_trainer *t);

/* What the rows of the running batch weigh in the loss. */
double moi_step_weight(mopt_trainer *t);

/* A step on some rows of the running batch alone, which stays the running one;
 * their mean loss, and what they weigh. */
int32_t moi_step_share(mopt_trainer *t, int64_t first, int64_t rows,
                       double *loss, double *weight);

/* One step on the next batch; its loss before. */
int32_t moi_step_take(mopt_trainer *t, double *loss);

/* The loss of the running batch with the present weights. */
int32_t moi_step_loss(mopt_trainer *t, double *loss);

/* Threads that a pass may take now. */
int32_t moi_step_lanes(const mopt_trainer *t);

/* Targets of some rows of a data set, into the worker's room. */
moi_targets moi_worker_targets(moi_worker *w, const mopt_dataset *data,
                               const int64_t *rows, int64_t count);

/* descent.c: the step of gradient descent by Armijo's rule, from a batch's
 * loss and gradient; *rate becomes the one that was taken. */
int32_t moi_descent_step(mopt_trainer *t, double *rate, double scale,
                         double loss);

/* epoch.c */
int32_t moi_epoch_close(mopt_trainer *t);
int32_t moi_epoch_glance(mopt_trainer *t); /* into closing, changes nothing */
int32_t moi_epoch_setup(mopt_trainer *t);  /* columns and monitor */
int64_t moi_epoch_column(const mopt_trainer *t, const char *name);
void moi_epoch_name(const mopt_trainer *t, int64_t column, char *buf,
                    size_t cap);
const double *moi_epoch_row(const mopt_trainer *t, int64_t epoch);

/* checkpoint.c: save if the config asks for it now. */
int32_t moi_checkpoint_due(mopt_trainer *t, int32_t closed_epoch);

#endif
