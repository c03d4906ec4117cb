/* SPDX-License-Identifier: MIT
 * lib/recipe/check.c: everything about a recipe that can be known without its
 * data. Every slot is tried with its bounds and each of its choices, by those
 * who will read the section: nothing is checked in two places. */
#include <string.h>

#include "base/config.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/recipe.h"

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

static int32_t check_section(const mopt_recipe *recipe, const char *section,
                             const json_t *params)
{
    json_t *picked = NULL;
    int32_t rc = moi_recipe_pick(recipe, section, params, &picked);
    if (rc != MOPT_OK)
        return rc;
    if (strcmp(section, "data") == 0)
        rc = check_data(recipe, picked);
    else if (strcmp(section, "model") == 0)
        rc = check_model(recipe, picked);
    else
        rc = check_train(recipe, picked);
    json_decref(picked);
    return rc;
}

/* --- Slots -------------------------------------------------------------- */

/* Some values belong to all trials: where the data come from and how they are
 * split, and keys that say so themselves. */
static int32_t check_place(const moi_slot *slot)
{
    static const char *const kept[] = {"data.source", "data.split"};
    for (int64_t i = 0; i < MOI_COUNT(kept); i++) {
        size_t length = strlen(kept[i]);
        if (strncmp(slot->name, kept[i], length) == 0 &&
            (slot->name[length] == '\0' || slot->name[length] == '.'))
            return moi_fail(MOPT_EINVAL, "%s: this cannot be searched: all "
                            "trials learn from the same rows", slot->name);
    }
    const char *key = strchr(slot->name, '.');
    for (int64_t i = 0; key != NULL && moi_schema_kinds[i] != NULL; i++) {
        const moi_schema *schema = moi_schema_kinds[i];
        if (strncmp(slot->name, schema->name, strlen(schema->name)) != 0 ||
            slot->name[strlen(schema->name)] != '.')
            continue;
        const moi_key *found = moi_schema_key(schema, key + 1);
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
    int32_t rc = check_place(slot);
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
    mopt_config *study = NULL;
    json_t *params = moi_slots_example(&recipe->slots, -1, NULL);
    int32_t rc = params == NULL
                     ? moi_fail(MOPT_ENOMEM, "no memory for the recipe")
                     : moi_recipe_study(recipe, &study);
    for (int64_t i = 0; moi_recipe_searched[i] != NULL && rc == MOPT_OK; i++)
        rc = check_section(recipe, moi_recipe_searched[i], params);
    for (int64_t i = 0; i < recipe->slots.count && rc == MOPT_OK; i++)
        rc = check_slot(recipe, i);
    mopt_config_free(study);
    json_decref(params);
    return rc;
}
