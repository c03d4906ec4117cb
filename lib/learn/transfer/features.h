/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/features.h: what a hidden layer gives. */
#ifndef MOI_LEARN_FEATURES_H
#define MOI_LEARN_FEATURES_H

#include "learn/data/dataset.h"
#include "learn/nn/model.h"
#include "learn/nn/runner.h"

/* The layer that is meant (-1: what the head reads) and its width, MOPT_EINVAL
 * if there is none. *layer is -1 where the head reads the inputs. */
int32_t moi_features_layer(const mopt_model *model, int64_t said,
                           int64_t *layer, int64_t *width);

/* The layers up to one, run over rows on the context's threads; the bits do
 * not depend on how many there are. */
typedef struct moi_features {
    mopt_model *body;   /* NULL: the inputs as they are */
    moi_runner *runner; /* or NULL */
    int64_t layer, width;
} moi_features;

/* For up to rows rows at a time; said as above. */
int32_t moi_features_open(const mopt_model *model, int64_t said, int64_t rows,
                          moi_features *f);
void moi_features_close(moi_features *f);

/* Of rows first .. first+count-1 of ready data into [count][width], floats or
 * reals: one of the two is NULL. */
int32_t moi_features_read(const moi_features *f, const mopt_dataset *data,
                          int64_t first, int64_t count, float *floats,
                          moi_real *reals, const mopt_cancel *cancel);

#endif
