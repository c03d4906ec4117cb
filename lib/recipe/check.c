/* SPDX-License-Identifier: MIT
 * lib/recipe/check.c: everything about a recipe that can be known without its
 * data. Every slot is tried with its bounds and each of its choices, by those
 * who will read the section: nothing is checked in two places. */
#include <string.h>

#include "base/config.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/mentor.h"

extern const moi_schema *const moi_schema_kinds[];

/* --- One section with values in its slots ------------------------------- */

static int32_t check_data(const mopt_recipe *recipe, const json_t *picked)
{
    mopt_config *config = NULL;
    int32_t rc = moi_recipe_data(recipe, picked, &config);
    mopt_config_free(config);
    return rc;
}

/* Sizes of rows are not known yet: a model for one input and one output. */
static int32_t check_model(const mopt_recipe *recipe, const json_t *picked)
{
    const moi_path path = {NULL, "model", 0};
    mopt_model *model = NULL;
    int32_t rc = moi_model_from_json(recipe->ctx, picked, &path, 1, 1, &model);
    mopt_model_free(model);
    return rc;
}

static int32_t check_train(const mopt_recipe *recipe, const json_t *picked)
{
    mopt_config *config = NULL;
    int32_t rc = moi_recipe_train(recipe, picked, &config);
    mopt_config_free(config);
    return rc;
}

static int32_t check_mentoring(const mopt_recipe *recipe, const char *section,
                               const json_t *picked)
{
    mopt_config *config = NULL;
    int32_t rc = moi_recipe_mentoring(recipe, section, picked, &config);
    mopt_config_free(config);
    return rc;
}

static int32_t check_section(const mopt_recipe *recipe, const char *section,
                             const json_t *params)
{
    json_t *picked = NULL;
    if (!moi_recipe_has(recipe, section) ||
        (strcmp(section, "model") == 0 &&
         json_object_get(recipe->doc, section) == NULL))
        return MOPT_OK; /* left out, or a model that comes from a source */
    int32_t rc = moi_recipe_pick(recipe, section, params, &picked);
    if (rc != MOPT_OK)
        return rc;
    if (strcmp(section, "data") == 0)
        rc = check_data(recipe, picked);
    else if (strcmp(section, "model") == 0)
        rc = check_model(recipe, picked);
    else if (strcmp(section, "train") == 0)
        rc = check_train(recipe, picked);
    else
        rc = check_mentoring(recipe, section, picked);
    json_decref(picked);
    return rc;
}

/* --- Slots -------------------------------------------------------------- */

const char *const moi_recipe_shared[] = {
    "source", "base", "split", "test_mask", "test_mask_column", "classes",
    "relabel", "image", NULL,
};

/* Is the key, or one that it stands in, the same for all trials? */
static int32_t is_shared(const char *section, const char *key)
{
    int32_t mentored = strcmp(section, "distill") == 0 ||
                       strcmp(section, "finetune") == 0;
    for (int64_t i = 0; mentored && moi_mentor_keys[i] != NULL; i++)
        if (strncmp(key, moi_mentor_keys[i], strlen(moi_mentor_keys[i])) == 0)
            return 1;
    if (strcmp(section, "data") != 0)
        return 0;
    if (*key == '\0')
        return 1; /* the section as a whole */
    for (int64_t i = 0; moi_recipe_shared[i] != NULL; i++) {
        size_t length = strlen(moi_recipe_shared[i]);
        if (strncmp(key, moi_recipe_shared[i], length) == 0 &&
            (key[length] == '\0' || key[length] == '.'))
            return 1;
    }
    return 0;
}

/* Some values belong to all trials: of the data, and what says so itself. */
static int32_t check_place(const moi_slot *slot, const char *section)
{
    const char *key = slot->name + strlen(section);
    if (*key == '.')
        key++;
    if (is_shared(section, key))
        return moi_fail(MOPT_EINVAL, "%s: this cannot be searched: all trials "
                        "learn from the same rows", slot->name);
    for (int64_t i = 0; moi_schema_kinds[i] != NULL; i++) {
        const moi_schema *schema = moi_schema_kinds[i];
        const moi_key *found = strcmp(schema->name, section) == 0
                                   ? moi_schema_key(schema, key) : NULL;
        if (found != NULL && (found->flags & MOI_KEY_FIXED))
            return moi_fail(MOPT_EINVAL, "%s: this cannot be searched",
                            slot->name);
    }
    return MOPT_OK;
}

static const char *section_of(const moi_slot *slot)
{
    for (int64_t i = 0; moi_recipe_searched[i] != NULL; i++) {
        const char *section = moi_recipe_searched[i];
        if (strncmp(slot->name, section, strlen(section)) == 0)
            return section;
    }
    return NULL;
}

static int32_t check_slot(const mopt_recipe *recipe, int64_t i)
{
    const moi_slot *slot = &recipe->slots.items[i];
    int32_t rc = check_place(slot, section_of(slot));
    if (rc != MOPT_OK)
        return rc;
    json_t *samples = moi_slot_samples(slot);
    if (samples == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    for (size_t s = 0; s < json_array_size(samples) && rc == MOPT_OK; s++) {
        json_t *params = moi_slots_example(&recipe->slots, i,
                                           json_array_get(samples, s));
        if (params != NULL)
            rc = check_section(recipe, section_of(slot), params);
        json_decref(params);
    }
    json_decref(samples);
    return rc;
}

int32_t moi_recipe_check(const mopt_recipe *recipe)
{
    mopt_config *study = NULL, *warm_start = NULL, *parallel = NULL;
    json_t *params = moi_slots_example(&recipe->slots, -1, NULL);
    int32_t rc = params == NULL
                     ? moi_fail(MOPT_ENOMEM, "no memory for the recipe")
                     : moi_recipe_study(recipe, &study);
    if (rc == MOPT_OK)
        rc = moi_recipe_warm_start(recipe, &warm_start);
    if (rc == MOPT_OK)
        rc = moi_recipe_parallel(recipe, &parallel);
    for (int64_t i = 0; moi_recipe_searched[i] != NULL && rc == MOPT_OK; i++)
        rc = check_section(recipe, moi_recipe_searched[i], params);
    for (int64_t i = 0; i < recipe->slots.count && rc == MOPT_OK; i++)
        rc = check_slot(recipe, i);
    mopt_config_free(study);
    mopt_config_free(warm_start);
    mopt_config_free(parallel);
    json_decref(params);
    return rc;
}
