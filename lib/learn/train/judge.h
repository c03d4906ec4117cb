/* SPDX-License-Identifier: MIT
 * lib/learn/train/judge.h: models measured beside each other, for reports. */
#ifndef MOI_LEARN_JUDGE_H
#define MOI_LEARN_JUDGE_H

#include <modelopt/model.h>

#include "base/json.h"

/* {"params", "flops", "loss", and "accuracy" and "errors", or "rmse"} on
 * labelled rows. */
int32_t moi_judge_model(const mopt_model *model, const mopt_dataset *data,
                        mopt_cancel *cancel, json_t **out);

/* Of these, what metrics say of the outputs. */
int32_t moi_judge_pick(const json_t *metrics, json_t *out);

/* How much better one of these is than another: points of 100 for classes, in
 * rmse for numbers; NaN if it cannot be told. */
double moi_judge_better(const json_t *one, const json_t *other);

/* Add a member, null where there is none; takes value over. Returns rc if that
 * is an error already. */
int32_t moi_judge_add(json_t *object, int32_t rc, const char *key,
                      json_t *value);

#endif
