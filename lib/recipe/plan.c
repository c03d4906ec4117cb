/* SPDX-License-Identifier: MIT
 * lib/recipe/plan.c: how ranks would share the training of a recipe. */
#include "base/config.h"
#include "base/status.h"
#include "learn/data/dataset.h"
#include "learn/optim/optimizer.h"
#include "recipe/attempt.h"

/* A step takes no more rows than there are; or all of them. */
static int32_t fix_batch(mopt_config *training, int64_t rows)
{
    moi_optimizer rule;
    int32_t rc = moi_optimizer_init(&rule, training);
    if (rc == MOPT_OK && (rule.kind->flags & MOI_RULE_FULL_BATCH ||
                          moi_config_int(training, "batch_size") > rows))
        rc = mopt_config_set_int(training, "batch_size", rows);
    return rc;
}

static int32_t make_plan(const mopt_recipe *recipe, const mopt_model *model,
                         const mopt_config *config, const mopt_config *training,
                         int32_t ranks, mopt_cancel *cancel,
                         mopt_parallel **out)
{
    int32_t rc = mopt_parallel_create(recipe->ctx, model, config, training,
                                      ranks, cancel, out);
    return rc == MOPT_OK || rc == MOPT_ECANCELED
               ? rc : moi_fail_at(rc, "parallel.");
}

int32_t moi_recipe_plan(const mopt_recipe *recipe, const mopt_model *model,
                        const mopt_config *training, int64_t rows,
                        int32_t ranks, mopt_cancel *cancel,
                        mopt_parallel **out)
{
    mopt_config *config = NULL, *fixed = NULL;
    int32_t rc = moi_recipe_parallel(recipe, &config);
    if (rc == MOPT_OK)
        rc = moi_config_copy(training, &fixed);
    if (rc == MOPT_OK)
        rc = fix_batch(fixed, rows);
    if (rc == MOPT_OK)
        rc = make_plan(recipe, model, config, fixed, ranks, cancel, out);
    mopt_config_free(fixed);
    mopt_config_free(config);
    return rc;
}

static int32_t check_recipe(const mopt_recipe *recipe)
{
    const char *mentor = moi_recipe_mentor(recipe);
    if (mentor != NULL)
        return moi_fail(MOPT_EUNSUPPORTED, "mopt_recipe_plan: a recipe with "
                        "the section \"%s\" is shared by its data alone",
                        mentor);
    if (recipe->slots.count > 0)
        return moi_fail(MOPT_ESTATE, "%s: the recipe leaves this open; a plan "
                        "is for one model: set a value",
                        recipe->slots.items[0].name);
    return MOPT_OK;
}

int32_t moi_recipe_plan_parts(const mopt_recipe *recipe, moi_parts *parts,
                              int32_t ranks, mopt_cancel *cancel,
                              mopt_parallel **out)
{
    moi_aims aims = recipe->aims;
    moi_attempt attempt = {0};
    json_t *nothing = json_object();
    int32_t rc = nothing != NULL ? MOPT_OK
                                 : moi_fail(MOPT_ENOMEM, "no memory");
    if (rc == MOPT_OK)
        rc = moi_aims_settle(&aims, parts->target, parts->validation != NULL);
    if (rc == MOPT_OK)
        rc = moi_attempt_begin(&attempt, recipe, &aims, parts, nothing,
                               cancel);
    if (rc == MOPT_OK)
        rc = moi_recipe_plan(recipe, attempt.model, attempt.config,
                             moi_dataset_rows(attempt.data->train), ranks,
                             cancel, out);
    moi_attempt_end(&attempt);
    json_decref(nothing);
    return rc;
}

int32_t mopt_recipe_plan(const mopt_recipe *recipe, int32_t ranks,
                         mopt_cancel *cancel, mopt_parallel **out)
{
    moi_parts parts;
    if (recipe == NULL || out == NULL)
        return moi_fail_null("mopt_recipe_plan",
                             recipe == NULL ? "recipe" : "out");
    int32_t rc = check_recipe(recipe);
    if (rc != MOPT_OK)
        return rc;
    rc = moi_parts_load(recipe, cancel, &parts);
    if (rc == MOPT_OK)
        rc = moi_recipe_plan_parts(recipe, &parts, ranks, cancel, out);
    moi_parts_free(&parts);
    return rc;
}
