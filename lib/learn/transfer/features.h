/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/features.h: what a hidden layer gives. */
#ifndef MOI_LEARN_FEATURES_H
#define MOI_LEARN_FEATURES_H

#include "learn/data/dataset.h"
#include "learn/nn/model.h"

/* The layer that is meant (-1: what the head reads) and its width, MOPT_EINVAL
 * if there is none. *layer is -1 where the head reads the inputs. */
int32_t moi_features_layer(const mopt_model *model, int64_t said,
                           int64_t *layer, int64_t *width);

/* Of all rows of ready data, into floats or doubles [rows][width]: one of the
 * two is NULL. */
int32_t moi_features_read(const mopt_model *model, int64_t layer,
                          const mopt_dataset *data, float *floats,
                          double *doubles, mopt_cancel *cancel);

#endif
