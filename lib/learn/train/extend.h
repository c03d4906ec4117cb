/* SPDX-License-Identifier: MIT
 * lib/learn/train/extend.h: what distillation and transfer hang onto a trainer,
 * beside the public groups and terms.
 *
 * All of it is settled before the first step (MOPT_ESTATE after it), recorded
 * in checkpoints and compared when one is resumed. */
#ifndef MOI_LEARN_EXTEND_H
#define MOI_LEARN_EXTEND_H

#include <modelopt/trainer.h>

#include "learn/nn/loss.h"
#include "learn/nn/model.h"

#define MOI_TAPS 2 /* layers that one trainer looks into at most */

/* What an inner term of the loss sees of a chunk of a batch. */
typedef struct moi_sight {
    int64_t rows, outputs;
    const int64_t *index; /* [rows] in the training data */
    int64_t epoch;        /* from 0 */
    int64_t view;         /* of the augmentation; 0 without */
    const moi_real *input, *output; /* [rows][inputs], [rows][outputs] */
    moi_targets targets;            /* NULLs where nothing is labelled */
    moi_real *tap[MOI_TAPS];        /* [rows][width] of a tapped layer */
    moi_real scale;                 /* gradients are added times this */
    moi_real *grad;     /* [rows][outputs]; NULL: only the value is wanted */
    moi_real *tap_grad[MOI_TAPS]; /* as grad, for what the taps show */
} moi_sight;

/* Adds its gradient; *loss receives the mean over the rows, not scaled. A
 * negative status ends the training with it. */
typedef int32_t (*moi_term_fn)(void *user, const moi_sight *sight,
                               double *loss);
int32_t moi_trainer_add_term(mopt_trainer *t, double weight, moi_term_fn fn,
                             void *user, mopt_destroy_fn destroy);

/* Let terms see what a layer gives; *tap is its place in a sight. */
int32_t moi_trainer_add_tap(mopt_trainer *t, int64_t layer, int64_t *tap);

/* The trainer's own loss counts from this epoch on. */
int32_t moi_trainer_loss_from(mopt_trainer *t, int64_t epoch);

/* A tensor of the model stays as it is before this epoch. */
int32_t moi_trainer_thaw(mopt_trainer *t, int64_t tensor, int64_t epoch);

/* Pull a tensor towards where it was: its gradient grows by strength times
 * (w - origin). origin is a block laid out as the model's, that lives as long
 * as the trainer; the same for all tensors. */
int32_t moi_trainer_anchor(mopt_trainer *t, int64_t tensor, double strength,
                           const moi_real *origin);

/* Parameters beside the model's own, trained by the same rule: projections of
 * hints, low-rank factors. */
typedef struct moi_annex {
    int64_t count;
    const moi_param *params; /* offsets into a block of their own, times 16 */
    int64_t size;            /* reals of that block, a multiple of 16 */
    moi_real *weights, *grads; /* blocks of the owner; grads is 0 before each
                                  batch, and terms add to it */
    /* Tensors of the model whose gradients pull needs although they are
     * frozen; NULL: none. */
    const int32_t *wanted;
    /* Add what follows from the gradients of the model's weights, once those
     * of a batch are whole; NULL: nothing does. */
    int32_t (*pull)(void *user, const moi_real *grads);
    /* After each step: let the model's weights follow. NULL: they need not. */
    int32_t (*settle)(void *user);
    void *user;
} moi_annex;

/* One a trainer; the annex and all that it points to outlive the trainer. */
int32_t moi_trainer_set_annex(mopt_trainer *t, const moi_annex *annex);

#endif
