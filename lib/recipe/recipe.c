/* SPDX-License-Identifier: MIT
 * lib/recipe/recipe.c: a recipe: its document, read, checked and changed. */
#include "recipe/recipe.h"

#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recipe/cases.h"
#include "recipe/mentor.h"

const char *const moi_recipe_searched[] = {"data", "model", "train",
                                           "distill", "finetune", NULL};

static const char *const sections[] = {"data", "model", "train", "search",
                                       "distill", "finetune",
                                       "parallel", "objectives",
                                       "constraints", "seed", "description",
                                       "$schema", "quick", "published",
                                       "repeats", "cases"};

static const char *section_name(const void *list, int64_t i)
{
    (void)list;
    return sections[i];
}

/* --- The document's own level ------------------------------------------- */

static int32_t check_sections(const json_t *doc)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)doc, key, member) {
        int64_t i = 0;
        while (i < MOI_COUNT(sections) && strcmp(key, sections[i]) != 0)
            i++;
        if (i < MOI_COUNT(sections))
            continue;
        i = moi_text_nearest(key, MOI_COUNT(sections), section_name, NULL);
        return moi_fail(MOPT_EKEY,
                        "%.64s: a recipe has no such section%s%s%s; it has "
                        "data, model, train, distill, finetune, parallel, "
                        "search, objectives, constraints, seed, description, "
                        "quick, published, repeats, cases", key,
                        i < 0 ? "" : ", did you mean '",
                        i < 0 ? "" : sections[i], i < 0 ? "" : "'?");
    }
    return MOPT_OK;
}

static int32_t check_types(const json_t *doc)
{
    char excerpt[MOI_EXCERPT_SIZE];
    int32_t sourced = json_object_get(doc, "finetune") != NULL;
    for (int64_t i = 0; i < 7; i++) {
        const json_t *section = json_object_get(doc, sections[i]);
        if (section == NULL && (i == 0 || (i == 1 && !sourced)))
            return moi_fail(MOPT_EINVAL, "%s: a recipe needs this section",
                            sections[i]);
        if (section != NULL && !json_is_object(section))
            return moi_fail(MOPT_EINVAL, "%s: must be an object, not %s",
                            sections[i], moi_json_excerpt(section, excerpt));
    }
    const json_t *seed = json_object_get(doc, "seed");
    if (seed != NULL &&
        (!json_is_integer(seed) || json_integer_value(seed) < 0))
        return moi_fail(MOPT_EINVAL, "seed: must be a whole number from 0, "
                        "not %s", moi_json_excerpt(seed, excerpt));
    return MOPT_OK;
}

/* --- Making one --------------------------------------------------------- */

void mopt_recipe_free(mopt_recipe *recipe)
{
    if (recipe == NULL)
        return;
    mopt_context *ctx = recipe->ctx;
    moi_slots_free(&recipe->slots);
    json_decref(recipe->doc);
    moi_free(ctx, recipe->base);
    moi_free(ctx, recipe);
    moi_context_release(ctx);
}

static int32_t read_document(mopt_recipe *recipe)
{
    char excerpt[MOI_EXCERPT_SIZE];
    if (!json_is_object(recipe->doc))
        return moi_fail(MOPT_EINVAL, "a recipe is an object, not %s",
                        moi_json_excerpt(recipe->doc, excerpt));
    int32_t rc = check_sections(recipe->doc);
    if (rc == MOPT_OK)
        rc = check_types(recipe->doc);
    for (int64_t i = 0; rc == MOPT_OK && moi_recipe_searched[i] != NULL; i++)
        rc = moi_slots_find(&recipe->slots, moi_recipe_searched[i],
                            json_object_get(recipe->doc,
                                            moi_recipe_searched[i]));
    if (rc == MOPT_OK)
        rc = moi_slots_finish(&recipe->slots);
    if (rc == MOPT_OK)
        rc = moi_aims_read(json_object_get(recipe->doc, "objectives"),
                           json_object_get(recipe->doc, "constraints"),
                           &recipe->aims);
    if (rc == MOPT_OK)
        rc = moi_mentors_check(recipe);
    if (rc == MOPT_OK)
        rc = moi_recipe_check(recipe);
    return rc == MOPT_OK ? moi_cases_check(recipe) : rc;
}

int32_t moi_recipe_new(mopt_context *ctx, json_t *doc, const char *base,
                       mopt_recipe **out)
{
    mopt_recipe *recipe = moi_calloc(ctx, 1, sizeof(*recipe));
    if (recipe == NULL)
        return MOPT_ENOMEM;
    recipe->ctx = moi_context_hold(ctx);
    recipe->doc = json_incref(doc);
    moi_slots_init(&recipe->slots, ctx);
    int32_t rc = MOPT_OK;
    if (base != NULL && (recipe->base = moi_strdup(ctx, base)) == NULL)
        rc = MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = read_document(recipe);
    if (rc == MOPT_OK)
        *out = recipe;
    else
        mopt_recipe_free(recipe);
    return rc;
}

int32_t mopt_recipe_parse(mopt_context *ctx, const char *json,
                          const char *base, mopt_recipe **out)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_recipe_parse", "ctx");
    if (json == NULL)
        return moi_fail_null("mopt_recipe_parse", "json");
    if (out == NULL)
        return moi_fail_null("mopt_recipe_parse", "out");
    json_t *doc = NULL;
    int32_t rc = moi_json_parse(json, &doc);
    if (rc == MOPT_OK)
        rc = moi_recipe_new(ctx, doc, base, out);
    json_decref(doc);
    return rc;
}

/* The folder of a file: all before the last '/'. NULL and MOPT_OK when it is
 * the current one. */
static int32_t folder_of(mopt_context *ctx, const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return MOPT_OK;
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    *out = moi_strndup(ctx, path, length);
    return *out == NULL ? MOPT_ENOMEM : MOPT_OK;
}

int32_t mopt_recipe_load(mopt_context *ctx, const char *path,
                         mopt_recipe **out)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_recipe_load", "ctx");
    if (path == NULL)
        return moi_fail_null("mopt_recipe_load", "path");
    if (out == NULL)
        return moi_fail_null("mopt_recipe_load", "out");
    json_t *doc = NULL;
    char *folder = NULL;
    int32_t rc = moi_json_load(ctx, path, &doc);
    if (rc == MOPT_OK)
        rc = folder_of(ctx, path, &folder);
    if (rc == MOPT_OK)
        rc = moi_recipe_new(ctx, doc, folder, out);
    moi_free(ctx, folder);
    json_decref(doc);
    return rc;
}

int32_t moi_recipe_has(const mopt_recipe *recipe, const char *section)
{
    return json_object_get(recipe->doc, section) != NULL ||
           (strcmp(section, "distill") != 0 &&
            strcmp(section, "finetune") != 0);
}

const char *moi_recipe_mentor(const mopt_recipe *recipe)
{
    return json_object_get(recipe->doc, "distill") != NULL    ? "distill"
           : json_object_get(recipe->doc, "finetune") != NULL ? "finetune"
                                                              : NULL;
}

/* --- Sections ----------------------------------------------------------- */

int32_t moi_recipe_pick(const mopt_recipe *recipe, const char *section,
                        const json_t *params, json_t **out)
{
    const json_t *value = json_object_get(recipe->doc, section);
    if (value != NULL)
        return moi_slots_pick(section, value, params, out);
    json_t *empty = json_object();
    if (empty == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    *out = empty;
    return MOPT_OK;
}

/* A config of a kind from a section; the recipe's seed where it has none. A
 * section that knows no seed is one with mentors. */
static int32_t read_section(const mopt_recipe *recipe, const char *section,
                            const char *kind, const json_t *value,
                            const char *seed_key, mopt_config **out)
{
    static const char *const apart[] = {"warm_start", NULL};
    const moi_path path = {NULL, section, 0};
    const json_t *seed = json_object_get(recipe->doc, "seed");
    mopt_config *config = NULL;
    int32_t rc = mopt_config_create(recipe->ctx, kind, &config);
    if (rc == MOPT_OK && value != NULL)
        rc = moi_config_read(config, value, &path,
                             seed_key == NULL ? moi_mentor_keys
                             : strcmp(section, "search") == 0 ? apart : NULL);
    if (rc == MOPT_OK && (rc = moi_config_check(config)) != MOPT_OK)
        rc = moi_fail_at(rc, "%s.", section);
    if (rc == MOPT_OK && seed != NULL && seed_key != NULL &&
        !moi_config_has(config, seed_key))
        rc = moi_config_set_value(config, seed_key, seed);
    if (rc == MOPT_OK)
        *out = config;
    else
        mopt_config_free(config);
    return rc;
}

/* Paths of the data start from "base", and that from the recipe's own. */
static int32_t rebase(const mopt_recipe *recipe, mopt_config *config)
{
    const char *said = moi_config_text(config, "base");
    if (recipe->base == NULL || said[0] == '/')
        return MOPT_OK;
    moi_text text;
    moi_text_init(&text, recipe->ctx);
    moi_text_addf(&text, "%s%s%s", recipe->base, said[0] != '\0' ? "/" : "",
                  said);
    int32_t rc = text.status;
    if (rc == MOPT_OK)
        rc = mopt_config_set_text(config, "base", moi_text_get(&text));
    moi_text_free(&text);
    return rc;
}

int32_t moi_recipe_data(const mopt_recipe *recipe, const json_t *picked,
                        mopt_config **out)
{
    mopt_config *config = NULL;
    int32_t rc = read_section(recipe, "data", "data", picked, "split.seed",
                              &config);
    if (rc == MOPT_OK)
        rc = rebase(recipe, config);
    if (rc == MOPT_OK)
        *out = config;
    else
        mopt_config_free(config);
    return rc;
}

int32_t moi_recipe_train(const mopt_recipe *recipe, const json_t *picked,
                         mopt_config **out)
{
    return read_section(recipe, "train", "train", picked, "seed", out);
}

int32_t moi_recipe_mentoring(const mopt_recipe *recipe, const char *section,
                             const json_t *picked, mopt_config **out)
{
    return read_section(recipe, section, section, picked, NULL, out);
}

int32_t moi_recipe_study(const mopt_recipe *recipe, mopt_config **out)
{
    const json_t *search = json_object_get(recipe->doc, "search");
    mopt_config *config = NULL;
    if (json_object_get(search, "direction") != NULL)
        return moi_fail(MOPT_EINVAL, "search.direction: a recipe says this in "
                        "'objectives', such as {\"metric\": \"loss\", "
                        "\"direction\": \"min\"}");
    int32_t rc = read_section(recipe, "search", "study", search, "seed",
                              &config);
    /* There is one way only to run what varies nothing. */
    if (rc == MOPT_OK && recipe->slots.count == 0)
        rc = mopt_config_set_int(config, "trials", 1);
    /* And nothing else to do, however often its host is taken away. */
    if (rc == MOPT_OK && recipe->slots.count == 0 &&
        !moi_config_has(config, "retries"))
        rc = mopt_config_set_int(config, "retries", 1000000000);
    if (rc == MOPT_OK)
        *out = config;
    else
        mopt_config_free(config);
    return rc;
}

/* Where a recipe learns from models, a student or a copy of a source is what
 * ranks would share: data parallel alone, which needs no section. */
int32_t moi_recipe_parallel(const mopt_recipe *recipe, mopt_config **out)
{
    const moi_path path = {NULL, "parallel", 0};
    const json_t *said = json_object_get(recipe->doc, "parallel");
    const char *mentor = moi_recipe_mentor(recipe);
    mopt_config *config = NULL;
    if (said != NULL && mentor != NULL)
        return moi_fail(MOPT_EUNSUPPORTED, "parallel: ranks share a recipe "
                        "with the section \"%s\" by its data alone; leave "
                        "this section out", mentor);
    int32_t rc = mopt_config_create(recipe->ctx, "parallel", &config);
    if (rc == MOPT_OK && said != NULL)
        rc = moi_config_read(config, said, &path, NULL);
    if (rc == MOPT_OK)
        *out = config;
    else
        mopt_config_free(config);
    return rc;
}

/* Mentors have weights of their own to give. */
int32_t moi_recipe_warm_start(const mopt_recipe *recipe, mopt_config **out)
{
    const moi_path search = {NULL, "search", 0};
    const moi_path path = {&search, "warm_start", 0};
    const json_t *said = json_object_get(
        json_object_get(recipe->doc, "search"), "warm_start");
    const char *mentor = moi_recipe_mentor(recipe);
    mopt_config *config = NULL;
    if (said == NULL)
        return MOPT_OK;
    if (mentor != NULL)
        return moi_fail(MOPT_EUNSUPPORTED, "search.warm_start: trials of a "
                        "recipe with the section \"%s\" cannot start from "
                        "each other", mentor);
    int32_t rc = mopt_config_create(recipe->ctx, "warm_start", &config);
    if (rc == MOPT_OK)
        rc = moi_config_read(config, said, &path, NULL);
    if (rc == MOPT_OK)
        *out = config;
    else
        mopt_config_free(config);
    return rc;
}

int32_t mopt_recipe_space(const mopt_recipe *recipe, mopt_space **out)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_space", "recipe");
    if (out == NULL)
        return moi_fail_null("mopt_recipe_space", "out");
    return moi_slots_space(&recipe->slots, out);
}

/* --- Groups ------------------------------------------------------------- */

int32_t mopt_recipe_set_group(mopt_recipe *recipe, mopt_group *group)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_set_group", "recipe");
    recipe->group = group;
    return MOPT_OK;
}

int32_t moi_recipe_writes(const mopt_recipe *recipe)
{
    return recipe->group == NULL || mopt_group_rank(recipe->group) == 0;
}
