/* SPDX-License-Identifier: MIT
 * lib/learn/nn/model_inside.h: the struct of a model, for the files that make
 * it what it is. Everybody else asks model.h. */
#ifndef MOI_LEARN_MODEL_INSIDE_H
#define MOI_LEARN_MODEL_INSIDE_H

#include <stdatomic.h>

#include "learn/nn/layer.h"

#define MOI_MODEL_LAYERS 4096 /* after "repeat" was expanded */

struct mopt_model {
    mopt_context *ctx;
    atomic_int refs;
    int64_t inputs;
    moi_layer *layers;
    int64_t count, capacity;
    moi_param *params;
    int64_t param_count, param_capacity;
    int64_t size;      /* reals of the block */
    moi_real *weights; /* the block; NULL until they are set */
    moi_real *home;    /* the model's own, where another is lent; or NULL */
    mopt_transform *transform;
};

/* Append a layer; takes config over, on failure too. Messages begin with the
 * key. */
int32_t moi_model_append(mopt_model *model, const moi_layer_kind *kind,
                         mopt_config *config);

/* The same for a piece of a layer of another model. */
int32_t moi_model_append_piece(mopt_model *model, const moi_layer_kind *kind,
                               mopt_config *config, const moi_extent *piece);

/* Where the tensors of a layer lie in the block. */
void moi_model_offsets(const mopt_model *model, const moi_layer *layer,
                       int64_t offset[MOI_LAYER_TENSORS]);

/* First values in a new block; and a block as the model's weights, taken
 * over. */
int32_t moi_model_draw(const mopt_model *model, int64_t seed, moi_real **out);
void moi_model_take(mopt_model *model, moi_real *block);

#endif
