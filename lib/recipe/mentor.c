/* SPDX-License-Identifier: MIT
 * lib/recipe/mentor.c: the trained models that a recipe learns from.
 *
 * A file of a model; or a job of its own, {"file", "model", "train", ...},
 * whose model is trained where the file is missing, and saved there. */
#include "recipe/mentor.h"

#include <math.h>
#include <string.h>

#include "base/config.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "learn/data/dataset.h"
#include "recipe/parts.h"

const char *const moi_mentor_keys[] = {"teacher", "source", "source_data",
                                       NULL};

void moi_mentors_free(moi_mentors *mentors)
{
    for (int64_t i = 0; i < mentors->count; i++) {
        mopt_model_free(mentors->models[i]);
        moi_free(mentors->ctx, mentors->outputs[i]);
    }
    mopt_dataset_free(mentors->source_test);
}

/* --- Jobs of their own -------------------------------------------------- */

static const char *const job_keys[] = {"data", "model", "train", "search",
                                       "objectives", "constraints", "seed"};

/* The recipe of a mentor; it has the data of the recipe around it unless it
 * says its own. */
static int32_t make_job(const mopt_recipe *recipe, const json_t *said,
                        mopt_recipe **out)
{
    json_t *doc = json_object();
    int32_t rc = doc != NULL ? MOPT_OK
                             : moi_fail(MOPT_ENOMEM, "no memory for a recipe");
    for (int64_t i = 0; rc == MOPT_OK && i < MOI_COUNT(job_keys); i++) {
        const char *key = job_keys[i];
        json_t *value = json_object_get(said, key);
        if (value == NULL && (i == 0 || strcmp(key, "seed") == 0))
            value = json_object_get(recipe->doc, key);
        if (value != NULL && json_object_set(doc, key, value) != 0)
            rc = moi_fail(MOPT_ENOMEM, "no memory for a recipe");
    }
    /* Without a choice to make there is nothing to be validated. */
    if (rc == MOPT_OK && json_object_get(said, "objectives") == NULL)
        rc = moi_json_add(doc, "objectives", json_pack("[s]", "params"));
    if (rc == MOPT_OK)
        rc = moi_recipe_new(recipe->ctx, doc, recipe->base, out);
    json_decref(doc);
    return rc;
}

static int32_t train_job(const mopt_recipe *recipe, const json_t *said,
                         const char *file, mopt_cancel *cancel,
                         mopt_model **out)
{
    mopt_recipe *job = NULL;
    mopt_result *result = NULL;
    int32_t rc = make_job(recipe, said, &job);
    if (rc == MOPT_OK)
        rc = mopt_recipe_set_group(job, recipe->group);
    if (rc == MOPT_OK)
        rc = mopt_recipe_run(job, NULL, NULL, cancel, &result);
    if (rc == MOPT_OK)
        rc = mopt_result_model(result, out);
    if (rc == MOPT_OK && file != NULL && moi_recipe_writes(recipe))
        rc = mopt_model_save(*out, file);
    mopt_result_free(result);
    mopt_recipe_free(job);
    return rc;
}

/* --- One of them -------------------------------------------------------- */

static int32_t fail_said(const char *place, const json_t *said)
{
    char excerpt[MOI_EXCERPT_SIZE];
    return moi_fail(MOPT_EINVAL, "%s: must be the path of a model's file, or "
                    "an object with \"file\" and the \"model\" to train, not "
                    "%s", place, moi_json_excerpt(said, excerpt));
}

/* The sections of a job are checked as a recipe's; outputs are just a path. */
static int32_t check_one(const mopt_recipe *recipe, const char *place,
                         const json_t *said)
{
    mopt_recipe *job = NULL;
    if (json_is_string(said) ||
        json_is_string(json_object_get(said, "outputs")))
        return MOPT_OK;
    if (!json_is_object(said) || (!json_object_get(said, "model") &&
                                  !json_object_get(said, "file")))
        return fail_said(place, said);
    if (json_object_get(said, "model") == NULL)
        return MOPT_OK;
    int32_t rc = make_job(recipe, said, &job);
    mopt_recipe_free(job);
    return rc == MOPT_OK ? rc : moi_fail_at(rc, "%s.", place);
}

static int32_t load_one(const mopt_recipe *recipe, const char *place,
                        const json_t *said, mopt_cancel *cancel,
                        moi_mentors *mentors)
{
    const char *outputs = json_string_value(json_object_get(said, "outputs"));
    const char *file = json_is_string(said)
                           ? json_string_value(said)
                           : json_string_value(json_object_get(said, "file"));
    mopt_model *model = NULL;
    int64_t i = mentors->count;
    int32_t rc = MOPT_OK;
    if (i == MOI_MENTORS_MAX)
        return moi_fail(MOPT_ERANGE, "%s: %d at most", place, MOI_MENTORS_MAX);
    if (outputs != NULL) {
        mentors->outputs[i] = moi_strdup(recipe->ctx, outputs);
        rc = mentors->outputs[i] != NULL ? MOPT_OK : MOPT_ENOMEM;
    } else {
        rc = file != NULL ? mopt_model_load(recipe->ctx, file, &model)
                          : MOPT_ENOENT;
        if (rc == MOPT_ENOENT && json_object_get(said, "model") != NULL)
            rc = train_job(recipe, said, file, cancel, &model);
    }
    if (rc != MOPT_OK) {
        mopt_model_free(model);
        return moi_fail_at(rc, "%s: ", place);
    }
    mentors->models[i] = model;
    mentors->count++;
    return MOPT_OK;
}

/* --- All of them -------------------------------------------------------- */

/* Call one for each teacher, or the source; they are one or a list. */
static int32_t each(const mopt_recipe *recipe, mopt_cancel *cancel,
                    moi_mentors *mentors)
{
    static const char *const places[][2] = {{"distill", "teacher"},
                                            {"finetune", "source"}};
    int32_t rc = MOPT_OK;
    for (int64_t p = 0; p < MOI_COUNT(places); p++) {
        const json_t *said = json_object_get(
            json_object_get(recipe->doc, places[p][0]), places[p][1]);
        size_t count = json_is_array(said) ? json_array_size(said)
                                           : said != NULL;
        char place[32];
        snprintf(place, sizeof(place), "%s.%s", places[p][0], places[p][1]);
        for (size_t i = 0; i < count && rc == MOPT_OK; i++) {
            const json_t *one = json_is_array(said)
                                    ? json_array_get(said, i) : said;
            rc = mentors == NULL
                     ? check_one(recipe, place, one)
                     : load_one(recipe, place, one, cancel, mentors);
        }
    }
    return rc;
}

int32_t moi_mentors_check(const mopt_recipe *recipe)
{
    const json_t *tune = json_object_get(recipe->doc, "finetune");
    if (tune != NULL && json_object_get(recipe->doc, "distill") != NULL)
        return moi_fail(MOPT_EINVAL, "finetune: a recipe distils or "
                        "fine-tunes; it has both sections");
    if (tune != NULL && json_object_get(tune, "source") == NULL)
        return moi_fail(MOPT_EINVAL, "finetune.source: the model to start "
                        "from is needed");
    return each(recipe, NULL, NULL);
}

/* Test rows: those apart from others, those that are split off, or all. */
static int32_t load_test(mopt_context *ctx, const mopt_config *config,
                         mopt_dataset **out)
{
    mopt_dataset *all = NULL;
    if (moi_parts_has_test(config))
        return mopt_dataset_load(ctx, config, MOPT_PART_TEST, out);
    int32_t rc = mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &all);
    if (rc == MOPT_OK && moi_config_float(config, "split.test") > 0)
        rc = mopt_dataset_split(all, config, NULL, NULL, out);
    else if (rc == MOPT_OK)
        *out = moi_dataset_hold(all);
    mopt_dataset_free(all);
    return rc;
}

/* Of the source's own task. */
static int32_t load_source_data(const mopt_recipe *recipe,
                                moi_mentors *mentors)
{
    const json_t *said = json_object_get(
        json_object_get(recipe->doc, "finetune"), "source_data");
    mopt_config *config = NULL;
    if (said == NULL)
        return MOPT_OK;
    int32_t rc = moi_recipe_data(recipe, said, &config);
    if (rc == MOPT_OK)
        rc = load_test(recipe->ctx, config, &mentors->source_test);
    mopt_config_free(config);
    return rc == MOPT_OK ? rc : moi_fail_at(rc, "finetune.source_data: ");
}

int32_t moi_mentors_load(const mopt_recipe *recipe, mopt_cancel *cancel,
                         moi_mentors *mentors)
{
    *mentors = (moi_mentors){.ctx = recipe->ctx, .accuracy = NAN};
    int32_t rc = each(recipe, cancel, mentors);
    return rc == MOPT_OK ? load_source_data(recipe, mentors) : rc;
}
