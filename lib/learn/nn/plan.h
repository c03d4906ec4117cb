/* SPDX-License-Identifier: MIT
 * lib/learn/nn/plan.h: a model laid out for batches of up to a number of rows.
 *
 * Made once; holds every activation, gradient and scratch buffer in one block.
 * Running it allocates nothing. One pass at a time; it may be cut into pieces
 * that several threads work on (docs/design/parallel.md). Several plans may
 * share the weights of one model. */
#ifndef MOI_LEARN_PLAN_H
#define MOI_LEARN_PLAN_H

#include "learn/nn/model.h"

#define MOI_PLAN_TRAIN 1  /* keeps what the backward pass needs */
#define MOI_PLAN_LOGITS 2 /* leaves a final softmax or sigmoid out */
#define MOI_PLAN_BELOW 4  /* the backward pass goes on to the input */
#define MOI_PLAN_APART 8  /* passes in pieces, whatever the lanes */
#define MOI_PLAN_LENT 16  /* buffers of rows lie in memory that the caller
                             lends: moi_plan_lend */

typedef struct moi_plan moi_plan;

/* What the layers must know of the pass. */
typedef struct moi_pass {
    int32_t training; /* dropout and the like are on */
    uint64_t seed;    /* of the dropout streams */
    uint64_t step;    /* masks are keyed by (seed, layer, step, row) */
    int64_t row;      /* of the batch that is this plan's first: a batch cut
                         into pieces has the masks of the whole */
    const mopt_cancel *cancel; /* looked at before each layer, or NULL */
} moi_pass;

int32_t moi_plan_create(mopt_context *ctx, const mopt_model *model,
                        int64_t max_rows, int32_t flags, moi_plan **out);
void moi_plan_free(moi_plan *plan);

/* The same, for passes cut into pieces: as many as lanes may run at the same
 * time. More than one lane, or MOI_PLAN_APART, takes MOI_PLAN_TRAIN. */
int32_t moi_plan_create_lanes(mopt_context *ctx, const mopt_model *model,
                              int64_t max_rows, int32_t flags, int32_t lanes,
                              moi_plan **out);

/* With MOI_PLAN_LENT: what the buffers of rows take; and where they are, before
 * anything else. Plans of several processes may have the same, if each works
 * on rows of its own (passes in pieces). */
int64_t moi_plan_rows_bytes(const moi_plan *plan);
void moi_plan_lend(moi_plan *plan, void *room);

/* Spare work for tensors that nobody changes: frozen[i] is not 0 for tensor i
 * of the model. A layer whose tensors all are writes no gradients and is not
 * reported; where all layers below are so, the backward pass ends. Once a
 * plan. */
void moi_plan_freeze(moi_plan *plan, const int32_t *frozen);

/* Where the batch goes: [max_rows][inputs], packed for the rows in use. */
moi_real *moi_plan_input(moi_plan *plan);

/* weights: a block laid out as the model's (the model's own, or averaged ones
 * or another worker's). */
int32_t moi_plan_forward(moi_plan *plan, const moi_real *weights, int64_t rows,
                         const moi_pass *pass);

const moi_real *moi_plan_output(const moi_plan *plan); /* [rows][outputs] */

/* Where the gradient of the loss by the output goes: [rows][outputs]. */
moi_real *moi_plan_output_grad(moi_plan *plan);

/* What the backward pass came to there, with MOI_PLAN_BELOW: [rows][inputs],
 * right until the next pass. */
const moi_real *moi_plan_input_grad(const moi_plan *plan);

/* Look into a plan with a backward pass: *out is what a layer of the model
 * gives, *grad room [rows][width] for a gradient by it, that the backward pass
 * adds to the one from above. Before the first pass; MOPT_EINVAL if there is
 * no such layer. */
int32_t moi_plan_tap(moi_plan *plan, int64_t layer, moi_real **out,
                     moi_real **grad);

/* Set the gradients of all taps to 0, for some rows. */
void moi_plan_clear_taps(moi_plan *plan, int64_t rows);

/* Told when the gradients of reals first .. first+count-1 of a tensor are
 * final, from the last layer to the first: update them while they are in the
 * cache, or send them on their way. */
typedef int32_t (*moi_grads_fn)(void *user, int64_t tensor, int64_t first,
                                int64_t count);

/* Gradients by all weights into grads, a block laid out as the model's (every
 * tensor is written, nothing is added up). on_grads may be NULL. A tensor that
 * was reported may be changed in weights at once: its layer is done with it. */
int32_t moi_plan_backward(moi_plan *plan, const moi_real *weights,
                          int64_t rows, const moi_pass *pass, moi_real *grads,
                          moi_grads_fn on_grads, void *user);

/* Rows of a pass whose gradients are sums of their own; or some such. */
typedef struct moi_part {
    int64_t first, rows;
    int64_t chain;   /* rows that are a part of their own, where some are worked
                        out at once; they are added up by pairs; 0: all rows */
    int32_t onto;    /* the sum comes on top of what is there: as a pass that
                        adds afterwards, bit for bit */
    moi_real *grads; /* as above */
    moi_grads_fn on_grads; /* or NULL */
    void *user;
} moi_part;

/* Can gradients of so many rows come on top of others, or be made of so many
 * at a time (0: all at once)? */
int32_t moi_plan_adds(const moi_plan *plan, int64_t rows, int64_t chain);

/* The gradients of each part, which for every piece of a layer are worked out
 * in the order of the list. */
int32_t moi_plan_backward_parts(moi_plan *plan, const moi_real *weights,
                                int64_t rows, const moi_pass *pass,
                                const moi_part *parts, int64_t count);

/* ---- The passes in pieces ----
 *
 * Pieces that run at the same time have different lanes, from 0 to lanes-1;
 * together they give the bits of the whole. First forward for all rows, then
 * backward_rows for all rows, then gradients for all pieces. */

int32_t moi_plan_forward_rows(const moi_plan *plan, int32_t lane,
                              const moi_real *weights, int64_t first,
                              int64_t rows, const moi_pass *pass);

/* The gradients by what layers give, but not yet by weights. */
int32_t moi_plan_backward_rows(const moi_plan *plan, int32_t lane,
                               const moi_real *weights, int64_t first,
                               int64_t rows, const moi_pass *pass);

/* The gradients by weights are cut into so many pieces; as
 * moi_plan_backward_parts. */
int64_t moi_plan_pieces(const moi_plan *plan);
int32_t moi_plan_gradients(const moi_plan *plan, int32_t lane, int64_t piece,
                           const moi_part *parts, int64_t count);

/* Some units of a layer's gradients (layer.h). */
typedef struct moi_span {
    const struct moi_work *work;
    int64_t first, count;
} moi_span;

/* Those that come with reals first .. first + count - 1 of a tensor. */
moi_span moi_plan_span(const moi_plan *plan, int64_t tensor, int64_t first,
                       int64_t count);

/* The gradients of a span, and word of them; none of a layer that is frozen. */
int32_t moi_plan_span_gradients(const moi_plan *plan, int32_t lane,
                                const moi_span *span, const moi_part *part);

/* Where part number `part` of `parts` begins, of a count that is to be cut
 * evenly at multiples of 8: products like those. */
int64_t moi_plan_cut(int64_t count, int64_t parts, int64_t part);

int64_t moi_plan_bytes(const moi_plan *plan);

#endif
