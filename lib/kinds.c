/* SPDX-License-Identifier: MIT
 * lib/kinds.c: every kind of config, gathered from both wings. */
#include "base/schema.h"

extern const moi_schema moi_context_schema;
extern const moi_schema moi_data_schema;
extern const moi_schema moi_layer_dense_schema;
extern const moi_schema moi_layer_activation_schema;
extern const moi_schema moi_layer_dropout_schema;
extern const moi_schema moi_parallel_schema;
extern const moi_schema moi_train_schema;
extern const moi_schema moi_group_schema;
extern const moi_schema moi_distill_schema;
extern const moi_schema moi_finetune_schema;
extern const moi_schema moi_study_schema;
extern const moi_schema moi_warm_start_schema;

const moi_schema *const moi_schema_kinds[] = {
    &moi_context_schema,
    &moi_data_schema,
    &moi_layer_dense_schema,
    &moi_layer_activation_schema,
    &moi_layer_dropout_schema,
    &moi_train_schema,
    &moi_group_schema,
    &moi_parallel_schema,
    &moi_distill_schema,
    &moi_finetune_schema,
    &moi_study_schema,
    &moi_warm_start_schema,
    NULL,
};
