/* SPDX-License-Identifier: MIT
 * lib/learn/data/dataset.h: what models and trainers read from a data set. */
#ifndef MOI_LEARN_DATASET_H
#define MOI_LEARN_DATASET_H

#include <modelopt/data.h>

#include "backend/real.h"
#include "base/json.h"

mopt_dataset *moi_dataset_hold(const mopt_dataset *data);
mopt_context *moi_dataset_context(const mopt_dataset *data);

int64_t moi_dataset_rows(const mopt_dataset *data);
int64_t moi_dataset_features(const mopt_dataset *data);
int64_t moi_dataset_targets(const mopt_dataset *data); /* classes or numbers */
int32_t moi_dataset_kind(const mopt_dataset *data);

/* Are its columns inputs already (numbers without gaps)? A table straight from
 * a file is not. */
int32_t moi_dataset_ready(const mopt_dataset *data);

/* The transform that made these columns, NULL: they are as they came. */
mopt_transform *moi_dataset_transform(const mopt_dataset *data);

/* Rows rows[0 .. count-1] of this view into packed x[count][features]. */
void moi_dataset_gather(const mopt_dataset *data, const int64_t *rows,
                        int64_t count, moi_real *x);

/* The same as they stand in the store, not scaled yet; and scale one such row
 * in place. For rows whose columns are all numbers. */
void moi_dataset_gather_raw(const mopt_dataset *data, const int64_t *rows,
                            int64_t count, moi_real *x);
void moi_dataset_scale(const mopt_dataset *data, moi_real *x);

/* Have some of these rows brought near: they are gathered next, after work
 * that leaves the memory alone. Nothing else changes. */
void moi_dataset_fetch(const mopt_dataset *data, const int64_t *rows,
                       int64_t count);

/* Their targets: classes[count], or numbers[count][targets]. */
void moi_dataset_classes(const mopt_dataset *data, const int64_t *rows,
                         int64_t count, int32_t *classes);
void moi_dataset_numbers(const mopt_dataset *data, const int64_t *rows,
                         int64_t count, moi_real *numbers);

/* A checksum of shape, features and targets of the view: keys of caches, and
 * the check that a checkpoint belongs to this data. */
uint64_t moi_dataset_digest(const mopt_dataset *data);

/* Name of a class, NULL when classes have none. */
const char *moi_dataset_class_name(const mopt_dataset *data, int64_t index);

/* Transforms as JSON, for model files; NULL without memory. */
json_t *moi_transform_to_json(const mopt_transform *transform);
/* Its member "target": "kind", "count", "names", and how to restore numbers. */
json_t *moi_transform_target(const mopt_transform *transform);
int32_t moi_transform_from_json(mopt_context *ctx, const json_t *json,
                                mopt_transform **out);
/* retarget.c: the same encoding of inputs, the target learnt from raw rows;
 * keep_unit: where both are as many numbers, in the unit they had. */
int32_t moi_transform_retarget(mopt_transform *transform,
                               const mopt_dataset *raw, int32_t keep_unit,
                               mopt_transform **out);
/* Do two encode inputs alike? And numbers as the target (0 for classes)? */
int32_t moi_transform_compare(const mopt_transform *one,
                              const mopt_transform *other,
                              int32_t *same_inputs, int32_t *same_numbers);
mopt_transform *moi_transform_hold(mopt_transform *transform);
int64_t moi_transform_outputs(const mopt_transform *transform);

/* Target numbers back in their own unit: numbers[count][targets]. */
void moi_transform_restore(const mopt_transform *transform, int64_t count,
                           float *numbers);

/* Target numbers a row that it gives back so; 0 for another target. */
int64_t moi_transform_numbers(const mopt_transform *transform);

/* Name of class index, NULL when classes have none. */
const char *moi_transform_class_name(const mopt_transform *transform,
                                     int64_t index);

#endif
