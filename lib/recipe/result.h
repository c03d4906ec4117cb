/* SPDX-License-Identifier: MIT
 * lib/recipe/result.h: what came out of a run. */
#ifndef MOI_RECIPE_RESULT_H
#define MOI_RECIPE_RESULT_H

#include <modelopt/recipe.h>

#include "base/json.h"

struct mopt_result {
    mopt_context *ctx;
    json_t *doc;       /* what mopt_result_to_json tells */
    json_t *story;     /* what the report tells, see report/report.h */
    mopt_model *model; /* the winner's; NULL: a cancelled run may have none */
    mopt_finetune *finetune; /* that it comes from; or NULL */
};

/* Documents of objects that copy JSON out, as values. */
int32_t moi_json_from_trial(mopt_context *ctx, const mopt_trial *trial,
                            json_t **out);
int32_t moi_json_from_history(mopt_context *ctx, const mopt_trainer *trainer,
                              json_t **out);
int32_t moi_json_from_study(mopt_context *ctx, mopt_study *study,
                            json_t **out);
int32_t moi_json_from_model(mopt_context *ctx, const mopt_model *model,
                            json_t **out);
int32_t moi_json_from_recipe(mopt_context *ctx, const mopt_recipe *recipe,
                             json_t **out);
int32_t moi_json_from_data(mopt_context *ctx, const mopt_dataset *data,
                           json_t **out);
int32_t moi_json_from_info(mopt_context *ctx, json_t **out);

#endif
