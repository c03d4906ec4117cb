/* SPDX-License-Identifier: MIT
 * lib/recipe/parts.c: the data of a run. */
#include "recipe/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "learn/data/dataset.h"
#include "learn/nn/model.h"

/* --- Loading ------------------------------------------------------------ */

/* The section "data" as it stands in every trial: what may differ between
 * trials (how rows are prepared) does not matter here. */
static int32_t common_config(const mopt_recipe *recipe, mopt_config **out)
{
    json_t *params = moi_slots_example(&recipe->slots, -1, NULL);
    json_t *picked = NULL;
    int32_t rc = params == NULL
                     ? moi_fail(MOPT_ENOMEM, "no memory for the recipe")
                     : moi_recipe_pick(recipe, "data", params, &picked);
    if (rc == MOPT_OK)
        rc = moi_recipe_data(recipe, picked, out);
    json_decref(params);
    json_decref(picked);
    return rc;
}

int32_t moi_parts_has_test(const mopt_config *config)
{
    const moi_schema *source = moi_config_variant(config, "source");
    char name[MOI_PATH_SIZE];
    if (moi_config_text(config, "test_mask")[0] != '\0')
        return 1;
    for (const moi_key *key = source->keys; key->name != NULL; key++) {
        snprintf(name, sizeof(name), "source.%s", key->name);
        if (strncmp(key->name, "test", 4) != 0)
            continue;
        if (key->type == MOPT_TYPE_INT
                ? moi_config_int(config, name) > 0 &&
                      (moi_config_has(config, name) ||
                       moi_config_float(config, "split.test") == 0)
                : moi_config_has(config, name))
            return 1;
    }
    return 0;
}

/* A share that no row is left for is told here: what fails later for want of a
 * part would say that it was not asked for. */
static int32_t check_split(const mopt_config *config, const mopt_dataset *all,
                           const moi_parts *parts)
{
    char text[MOI_NUMBER_SIZE];
    double share = moi_config_float(config, "split.validation");
    if (share == 0 || parts->validation != NULL)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "data.split.validation: a share of %s leaves "
                    "no row for validation: there are %" PRId64 " rows in all",
                    moi_number_text(share, text), moi_dataset_rows(all));
}

/* One class teaches nothing. */
static int32_t check_classes(const mopt_dataset *all)
{
    if (moi_dataset_kind(all) != MOPT_TARGET_CLASS ||
        moi_dataset_targets(all) > 1)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "data: all rows (%" PRId64 ") are of one "
                    "class; two are needed to learn to tell them apart (is "
                    "the target the right column?)", moi_dataset_rows(all));
}

/* Rows of a source with a test file of its own are not split once more,
 * unless the recipe says so. */
static int32_t split(moi_parts *parts, mopt_config *config, mopt_dataset *all)
{
    int32_t rc = MOPT_OK;
    int32_t apart = parts->test != NULL;
    if (apart && !moi_config_has(config, "split.test"))
        rc = mopt_config_set_float(config, "split.test", 0);
    if (rc == MOPT_OK)
        rc = mopt_dataset_split(all, config, &parts->train,
                                &parts->validation,
                                apart ? NULL : &parts->test);
    if (rc == MOPT_OK)
        rc = check_split(config, all, parts);
    return rc;
}

static int32_t measure_mentor(const mopt_model *model, moi_parts *parts,
                              mopt_cancel *cancel)
{
    json_t *metrics = NULL;
    int32_t rc = moi_model_measure(model, parts->validation, NULL, cancel,
                                   &metrics);
    const json_t *accuracy = json_object_get(metrics, "accuracy");
    if (rc == MOPT_OK && json_is_number(accuracy))
        parts->mentors.accuracy = json_number_value(accuracy);
    json_decref(metrics);
    return rc == MOPT_OK ? rc : moi_fail_at(rc, "distill.teacher: ");
}

/* Numbers that a mentor tells, or a head that is kept, have its unit. */
static int32_t keeps_unit(const mopt_recipe *recipe)
{
    const json_t *head =
        json_object_get(json_object_get(recipe->doc, "finetune"), "head");
    return !json_is_string(head) ||
           strcmp(json_string_value(head), "new") != 0;
}

/* What a mentor was taught on is what it, and who learns from it, sees. */
static int32_t load_mentors(const mopt_recipe *recipe, mopt_cancel *cancel,
                            moi_parts *parts)
{
    int32_t rc = moi_mentors_load(recipe, cancel, &parts->mentors);
    mopt_model *first = parts->mentors.models[0];
    mopt_transform *seen = first != NULL ? moi_model_transform(first) : NULL;
    if (rc == MOPT_OK && seen != NULL)
        rc = moi_transform_retarget(seen, parts->train, keeps_unit(recipe),
                                    &parts->given);
    if (rc == MOPT_OK && first != NULL && parts->validation != NULL &&
        json_object_get(recipe->doc, "distill") != NULL)
        rc = measure_mentor(first, parts, cancel);
    return rc;
}

int32_t moi_parts_load(const mopt_recipe *recipe, mopt_cancel *cancel,
                       moi_parts *parts)
{
    mopt_config *config = NULL;
    mopt_dataset *all = NULL;
    *parts = (moi_parts){.ctx = recipe->ctx,
                         .lock = PTHREAD_MUTEX_INITIALIZER};
    int32_t rc = common_config(recipe, &config);
    if (rc == MOPT_OK)
        rc = mopt_dataset_load(recipe->ctx, config, MOPT_PART_TRAIN, &all);
    if (rc == MOPT_OK) {
        parts->target = moi_dataset_kind(all);
        if (parts->target == MOPT_TARGET_NONE)
            rc = moi_fail(MOPT_EINVAL, "data: these rows have no target to "
                          "learn");
        else
            rc = check_classes(all);
    }
    if (rc == MOPT_OK && moi_parts_has_test(config))
        rc = mopt_dataset_load(recipe->ctx, config, MOPT_PART_TEST,
                               &parts->test);
    if (rc == MOPT_OK)
        rc = split(parts, config, all);
    if (rc == MOPT_OK)
        rc = load_mentors(recipe, cancel, parts);
    mopt_dataset_free(all);
    mopt_config_free(config);
    return rc;
}

/* --- Preparing ---------------------------------------------------------- */

static void free_prepared(mopt_context *ctx, moi_prepared *prepared)
{
    json_decref(prepared->said);
    mopt_dataset_free(prepared->train);
    mopt_dataset_free(prepared->validation);
    mopt_transform_free(prepared->transform);
    moi_free(ctx, prepared);
}

void moi_parts_free(moi_parts *parts)
{
    while (parts->prepared != NULL) {
        moi_prepared *prepared = parts->prepared;
        parts->prepared = prepared->next;
        free_prepared(parts->ctx, prepared);
    }
    mopt_transform_free(parts->given);
    moi_mentors_free(&parts->mentors);
    mopt_dataset_free(parts->train);
    mopt_dataset_free(parts->validation);
    mopt_dataset_free(parts->test);
    pthread_mutex_destroy(&parts->lock);
}

static int32_t fit(const moi_parts *parts, const mopt_recipe *recipe,
                   moi_prepared *prepared)
{
    mopt_config *config = NULL;
    int32_t rc = moi_recipe_data(recipe, prepared->said, &config);
    if (rc == MOPT_OK && parts->given != NULL)
        prepared->transform = moi_transform_hold(parts->given);
    else if (rc == MOPT_OK)
        rc = mopt_transform_fit(parts->train, config, &prepared->transform);
    if (rc == MOPT_OK)
        rc = mopt_transform_apply(prepared->transform, parts->train,
                                  &prepared->train);
    if (rc == MOPT_OK && parts->validation != NULL)
        rc = mopt_transform_apply(prepared->transform, parts->validation,
                                  &prepared->validation);
    if (rc == MOPT_OK)
        rc = mopt_dataset_shape(prepared->train, NULL, &prepared->inputs,
                                &prepared->outputs, &prepared->target);
    mopt_config_free(config);
    return rc;
}

static int32_t add_prepared(moi_parts *parts, const mopt_recipe *recipe,
                            json_t *said, moi_prepared **out)
{
    moi_prepared *prepared = moi_calloc(parts->ctx, 1, sizeof(*prepared));
    if (prepared == NULL)
        return MOPT_ENOMEM;
    prepared->said = json_incref(said);
    int32_t rc = fit(parts, recipe, prepared);
    if (rc != MOPT_OK) {
        free_prepared(parts->ctx, prepared);
        return rc;
    }
    prepared->next = parts->prepared;
    parts->prepared = prepared;
    *out = prepared;
    return MOPT_OK;
}

int32_t moi_parts_prepare(moi_parts *parts, const mopt_recipe *recipe,
                          const json_t *params, const moi_prepared **out)
{
    json_t *said = NULL;
    int32_t rc = moi_recipe_pick(recipe, "data", params, &said);
    if (rc != MOPT_OK)
        return rc;
    pthread_mutex_lock(&parts->lock);
    moi_prepared *found = parts->prepared;
    while (found != NULL && !json_equal(found->said, said))
        found = found->next;
    if (found == NULL)
        rc = add_prepared(parts, recipe, said, &found);
    pthread_mutex_unlock(&parts->lock);
    json_decref(said);
    if (rc == MOPT_OK)
        *out = found;
    return rc;
}

/* --- Describing --------------------------------------------------------- */

static int64_t rows_of(const mopt_dataset *data)
{
    return data == NULL ? 0 : moi_dataset_rows(data);
}

json_t *moi_parts_describe(const moi_parts *parts)
{
    int32_t classes = parts->target == MOPT_TARGET_CLASS;
    return json_pack("{sIsIsIsIsI}", "train",
                     (json_int_t)rows_of(parts->train), "validation",
                     (json_int_t)rows_of(parts->validation), "test",
                     (json_int_t)rows_of(parts->test), "features",
                     (json_int_t)moi_dataset_features(parts->train),
                     classes ? "classes" : "targets",
                     (json_int_t)moi_dataset_targets(parts->train));
}
