/* SPDX-License-Identifier: MIT
 * lib/learn/nn/layer.h: what a kind of layer is: one table, one file.
 *
 * A layer takes rows of one shape to rows of another. Its kind says which keys
 * it has, which shape it makes, which tensors it learns, how they start, what
 * it costs, what it keeps from the forward pass for the backward pass, and how
 * to run both. Plans, files, descriptions and schemas know layers by this
 * table alone.
 *
 * Rows do not know of each other: forward and backward may be called for some
 * rows of a batch, on several threads at a time, and must give each row the
 * same bits whatever the cut. So must gradients, whatever cut of its units. */
#ifndef MOI_LEARN_LAYER_H
#define MOI_LEARN_LAYER_H

#include "base/config.h"
#include "learn/nn/activation.h"
#include "learn/nn/plan.h"

#define MOI_SHAPE_RANK 3    /* channels, height, width */
#define MOI_LAYER_TENSORS 4 /* tensors that one layer has at most */

/* What a row is. */
typedef struct moi_shape {
    int32_t rank;
    int64_t size[MOI_SHAPE_RANK];
} moi_shape;

int64_t moi_shape_count(const moi_shape *shape);
moi_shape moi_shape_flat(int64_t count);

typedef struct moi_layer_kind moi_layer_kind;

/* What of a layer is here, where ranks have a piece of it each: of so many
 * inputs and outputs those from the first on. */
typedef struct moi_extent {
    int64_t layer;      /* its number in the whole model: names and streams */
    int64_t tensor;     /* of its first tensor there: streams */
    int64_t in, ins;    /* the first input, of so many */
    int64_t out, outs;  /* the same of the outputs */
} moi_extent;

typedef struct moi_layer {
    const moi_layer_kind *kind;
    mopt_config *config; /* as it was said, "units" filled in */
    void *settings;      /* kind->settings_size bytes, made from config */
    moi_shape in, out;
    moi_extent piece;     /* of the layer as a whole; all of it, mostly */
    int64_t first, tensors; /* its part of the model's list of tensors */
} moi_layer;

/* A tensor that a layer learns, before the model gives it its place. */
typedef struct moi_layer_tensor {
    const char *name; /* "weight" */
    int32_t flags;    /* MOI_PARAM_* */
    int32_t rank;
    int64_t shape[MOI_PARAM_RANK];
} moi_layer_tensor;

/* A layer at work in a plan. Buffers are packed rows. */
typedef struct moi_work {
    const moi_layer *layer;
    mopt_context *ctx;
    int64_t offset[MOI_LAYER_TENSORS]; /* its tensors in the weights' block */
    int64_t count[MOI_LAYER_TENSORS];  /* their reals */
    int64_t units;                     /* what its gradients are cut by */
    int64_t in, out;                   /* reals a row */
    moi_real *x, *y;
    moi_real *dy; /* overwritten by the backward pass */
    moi_real *dx; /* may be dy (MOI_LAYER_IN_PLACE); NULL: nobody asks */
    moi_real *keep;    /* what the kind asked for, kept until backward */
    int64_t keep_width; /* reals of it a row */
    moi_real *scratch; /* the same, shared by all layers */
    int32_t train;     /* the plan has a backward pass */
    int32_t bare;      /* leave the activation at the end out */
    int32_t masks;     /* let dx be 0 where x is not above 0 (x ends in relu) */
    int32_t masked;    /* the next layer did so: dy is 0 where y is */
    int32_t frozen;    /* nobody asks for the gradients of its tensors */
    int64_t chain;     /* rows whose gradients are a sum of their own, and such
                          sums are added up by pairs; 0: all rows */
    int32_t onto;      /* gradients come on top of what is there */
    moi_real *tap_grad; /* added to dy before the backward pass; or NULL */
} moi_work;

/* Reals that a plan holds for a layer. */
typedef struct moi_buffers {
    int64_t keep;    /* a row */
    int64_t scratch; /* for up to rows rows, a thread */
} moi_buffers;

/* A place in a model that is to compute what its source does: of the values of
 * a row there, the first ones are the source's, in order; the others are new,
 * and nothing of the source reads them. */
typedef struct moi_place {
    int64_t values;       /* of the source */
    int32_t not_negative; /* none of these is below 0 */
} moi_place;

/* A layer that takes over what the source computes (growth.c). */
typedef struct moi_growth {
    const moi_layer *from; /* whose part it takes; NULL: it hands values on */
    const moi_real *old;   /* the source's block */
    const int64_t *old_offset; /* of the tensors of from */
    moi_real *weights;         /* the block of the layer, with first values */
    const int64_t *offset;     /* of its tensors */
    moi_place place;           /* where it stands */
} moi_growth;

/* Why a layer cannot take a part, where kinds agree. */
#define MOI_MISFIT_ACTIVATION "its activation is another"
#define MOI_MISFIT_CHANGES "its activation changes what goes through it"
#define MOI_MISFIT_NARROW "it is too narrow"
#define MOI_MISFIT_ROW "its activation is over the whole row, which has new " \
                       "values"

#define MOI_LAYER_IN_PLACE 1  /* dx may be dy, and without backward y x */
#define MOI_LAYER_TRAINING 2  /* does nothing outside of training */
#define MOI_LAYER_MASKS 4     /* obeys work->masks */
#define MOI_LAYER_KEEPS_ZERO 8 /* y is above 0 only where x is, and dx is 0
                                  where y is not above 0 and x is above */
#define MOI_LAYER_PASSES 32    /* y is x, always */

#define MOI_LAYER_SPLITS 16 /* its outputs are functions of their own of all
                               inputs, sums over them but for what it ends in:
                               tensor ranks may share either out */

struct moi_layer_kind {
    const moi_schema *schema; /* "layer.dense" */
    int32_t flags;            /* MOI_LAYER_* */
    size_t settings_size;

    /* Read settings from config, and out from in. May fail with a message that
     * begins with the key. */
    int32_t (*infer)(moi_layer *layer);

    /* Fill in the tensors, return how many. NULL: none. */
    int32_t (*tensors)(const moi_layer *layer,
                       moi_layer_tensor tensors[MOI_LAYER_TENSORS]);

    /* First values into the tensors at offset[] of weights: of a piece, those
     * that it has in the whole. */
    int32_t (*init)(const moi_layer *layer, mopt_context *ctx, uint64_t seed,
                    const int64_t *offset, moi_real *weights);

    int64_t (*flops)(const moi_layer *layer); /* a row, forward */

    /* The activation that it ends in; NULL: none. */
    const moi_activation *(*ends_in)(const moi_layer *layer);

    /* Why it cannot take the part of from, a layer of its kind, in a model that
     * grew (NULL: it can); or, with from NULL, hand on all values of the source
     * as they are. What it gives begins with what from gives, or with what it
     * was given. Without this, it takes the part of its equal only. */
    const char *(*misfit)(const moi_layer *layer, const moi_layer *from,
                          const moi_place *place);

    /* Set its tensors so. What is new keeps its first values, and counts
     * nothing in what is the source's. NULL: they are those of from. */
    void (*grow)(const moi_layer *layer, const moi_growth *growth);

    /* What it needs, given ctx, in, out, train, bare and masked. NULL:
     * nothing. */
    void (*buffers)(const moi_work *work, int64_t rows, moi_buffers *need);

    int32_t (*forward)(const moi_work *work, const moi_real *weights,
                       int64_t rows, const moi_pass *pass);

    /* From dy to dx, where that is asked for; dy may become whatever gradients
     * needs. */
    int32_t (*backward)(const moi_work *work, const moi_real *weights,
                        int64_t rows, const moi_pass *pass);

    /* Into how many equal runs of memory its first tensor can be cut, for
     * gradients. NULL: it stays whole. */
    int64_t (*units)(const moi_layer *layer);

    /* After backward of all rows: gradients of units first .. first+count-1
     * of its first tensor; and of the other tensors, if the last unit is among
     * them. Obeys work->chain and work->onto, where adds says that it can for
     * so many rows (NULL: never). NULL if it has no tensors. */
    int32_t (*gradients)(const moi_work *work, int64_t rows, int64_t first,
                         int64_t count, moi_real *grads);
    int32_t (*adds)(const moi_work *work, int64_t rows, int64_t chain);
};

/* All kinds, NULL-terminated; by the type of a description ("dense"); and the
 * type of a kind. */
extern const moi_layer_kind *const moi_layer_kinds[];
const moi_layer_kind *moi_layer_find(const char *type);
const char *moi_layer_type(const moi_layer_kind *kind);

#endif
