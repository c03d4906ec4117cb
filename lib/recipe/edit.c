/* SPDX-License-Identifier: MIT
 * lib/recipe/edit.c: recipes made from recipes: a value replaced, the values
 * of a trial put in, the defaults filled in. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/memory.h"
#include "base/status.h"
#include "recipe/recipe.h"

/* --- Replacing a value -------------------------------------------------- */

/* One step of a path: a key, or an index when the key is empty. */
typedef struct step {
    char key[MOI_PATH_SIZE];
    size_t index;
} step;

static int32_t fail_step(const char *path, const char *at)
{
    return moi_fail(MOPT_EINVAL, "path '%.100s': at '%.32s': a path is such as "
                    "'train.batch_size' or 'model.layers[0].units'", path, at);
}

/* Read the step at *at and go behind it. */
static int32_t next_step(const char *path, const char **at, step *out)
{
    const char *start = *at;
    out->key[0] = '\0';
    if (*start == '[') {
        char *end;
        if (start[1] < '0' || start[1] > '9')
            return fail_step(path, start);
        unsigned long index = strtoul(start + 1, &end, 10);
        if (*end != ']' || index > INT_MAX)
            return fail_step(path, start);
        out->index = index;
        *at = end + 1;
    } else {
        if (*start == '.' && start != path)
            start++;
        size_t length = strcspn(start, ".[");
        if (length == 0 || length >= sizeof(out->key))
            return fail_step(path, *at);
        memcpy(out->key, start, length);
        out->key[length] = '\0';
        *at = start + length;
    }
    return MOPT_OK;
}

static json_t *get_step(const json_t *value, const step *where)
{
    return where->key[0] != '\0' ? json_object_get(value, where->key)
                                 : json_array_get(value, where->index);
}

static int32_t put_step(json_t *value, const step *where, json_t *member,
                        const char *path)
{
    int failed, keyed = where->key[0] != '\0';
    if (keyed && json_is_object(value))
        failed = json_object_set(value, where->key, member);
    else if (!keyed && where->index < json_array_size(value))
        failed = json_array_set(value, where->index, member);
    else if (!keyed && json_is_array(value) &&
             where->index == json_array_size(value))
        failed = json_array_append(value, member);
    else
        return moi_fail(MOPT_EINVAL, "path '%.100s': there is no such place "
                        "in the recipe", path);
    return failed == 0 ? MOPT_OK
                       : moi_fail(MOPT_ENOMEM, "no memory for the recipe");
}

/* What stands at a step, made an object that can have keys: a name alone,
 * "adam", is short for {"type": "adam"}. */
static int32_t enter_step(json_t *value, const step *where, int32_t keys,
                          const char *path, json_t **out)
{
    json_t *member = get_step(value, where), *made = NULL;
    if (member == NULL && keys)
        made = json_object();
    else if (keys && json_is_string(member))
        made = json_pack("{sO}", "type", member);
    else if (member != NULL) {
        *out = member;
        return MOPT_OK;
    } else
        return moi_fail(MOPT_EINVAL, "path '%.100s': there is no such place "
                        "in the recipe", path);
    if (made == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    int32_t rc = put_step(value, where, made, path);
    json_decref(made);
    *out = made;
    return rc;
}

int32_t moi_recipe_put(json_t *doc, const char *path, json_t *value)
{
    const char *at = path;
    step where;
    int32_t rc = next_step(path, &at, &where);
    while (rc == MOPT_OK && *at != '\0') {
        rc = enter_step(doc, &where, *at == '.', path, &doc);
        if (rc == MOPT_OK)
            rc = next_step(path, &at, &where);
    }
    return rc == MOPT_OK ? put_step(doc, &where, value, path) : rc;
}

int32_t mopt_recipe_set(mopt_recipe *recipe, const char *path,
                        const char *json)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_set", "recipe");
    if (path == NULL)
        return moi_fail_null("mopt_recipe_set", "path");
    if (json == NULL)
        return moi_fail_null("mopt_recipe_set", "json");
    json_t *value = NULL, *doc = NULL;
    mopt_recipe *changed = NULL;
    int32_t rc = moi_json_parse(json, &value);
    if (rc == MOPT_OK && (doc = json_deep_copy(recipe->doc)) == NULL)
        rc = moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    if (rc == MOPT_OK)
        rc = moi_recipe_put(doc, path, value);
    if (rc == MOPT_OK)
        rc = moi_recipe_new(recipe->ctx, doc, recipe->base, &changed);
    if (rc == MOPT_OK) {
        mopt_recipe old = *recipe;
        changed->group = recipe->group;
        *recipe = *changed;
        *changed = old;
        mopt_recipe_free(changed);
    }
    json_decref(value);
    json_decref(doc);
    return rc;
}

/* --- The values of a trial ---------------------------------------------- */

static int32_t check_params(const moi_slots *slots, const json_t *params)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const char *name;
    json_t *value;
    if (!json_is_object(params))
        return moi_fail(MOPT_EINVAL, "params: must be an object of names and "
                        "values, not %s", moi_json_excerpt(params, excerpt));
    json_object_foreach((json_t *)params, name, value) {
        int64_t i = moi_slots_index(slots, name);
        if (i < 0)
            return moi_fail_at(moi_slots_fail_name(slots, name), "params: ");
        if (!moi_slot_allows(&slots->items[i], value))
            return moi_fail(MOPT_EINVAL, "params: '%s' cannot be %s", name,
                            moi_json_excerpt(value, excerpt));
    }
    for (int64_t i = 0; i < slots->count; i++) {
        name = slots->items[i].name;
        if (moi_slot_active(slots, i, params) &&
            json_object_get(params, name) == NULL)
            return moi_fail(MOPT_EINVAL, "params: '%s' is missing", name);
    }
    return MOPT_OK;
}

/* Values of slots that do not exist with these params would be misleading. */
static int32_t check_absent(const moi_slots *slots, const json_t *params)
{
    for (int64_t i = 0; i < slots->count; i++) {
        const char *name = slots->items[i].name;
        if (json_object_get(params, name) != NULL &&
            !moi_slot_active(slots, i, params))
            return moi_fail(MOPT_EINVAL, "params: '%s' does not exist with "
                            "the other values", name);
    }
    return MOPT_OK;
}

static int32_t apply_params(const mopt_recipe *recipe, const json_t *params,
                            json_t *doc)
{
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; moi_recipe_searched[i] != NULL && rc == MOPT_OK; i++) {
        json_t *picked = NULL;
        if (!moi_recipe_has(recipe, moi_recipe_searched[i]))
            continue;
        rc = moi_recipe_pick(recipe, moi_recipe_searched[i], params, &picked);
        if (rc == MOPT_OK)
            rc = moi_json_add(doc, moi_recipe_searched[i], picked);
    }
    return rc;
}

int32_t mopt_recipe_apply(const mopt_recipe *recipe, const char *params,
                          mopt_recipe **out)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_apply", "recipe");
    if (params == NULL)
        return moi_fail_null("mopt_recipe_apply", "params");
    if (out == NULL)
        return moi_fail_null("mopt_recipe_apply", "out");
    json_t *values = NULL, *doc = NULL;
    int32_t rc = moi_json_parse(params, &values);
    if (rc == MOPT_OK)
        rc = check_params(&recipe->slots, values);
    if (rc == MOPT_OK)
        rc = check_absent(&recipe->slots, values);
    if (rc == MOPT_OK && (doc = json_copy(recipe->doc)) == NULL)
        rc = moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    if (rc == MOPT_OK) {
        json_object_del(doc, "search");
        json_object_del(doc, "cases");
        json_object_del(doc, "repeats");
        rc = apply_params(recipe, values, doc);
    }
    if (rc == MOPT_OK)
        rc = moi_recipe_new(recipe->ctx, doc, recipe->base, out);
    json_decref(values);
    json_decref(doc);
    return rc;
}

/* --- Defaults ----------------------------------------------------------- */

/* A section without its slots; an object whose "type" is one goes whole. */
static json_t *without_slots(const json_t *section)
{
    json_t *rest = json_object();
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)section, key, member) {
        json_t *kept = NULL;
        if (moi_slot_is(member) ||
            moi_slot_is(json_object_get(member, "type")))
            continue;
        kept = json_is_object(member) ? without_slots(member)
                                      : json_incref(member);
        if (json_object_set_new(rest, key, kept) != 0) {
            json_decref(rest);
            return NULL;
        }
    }
    return rest;
}

/* Put what was said over the defaults, object by object. */
static int32_t overlay(json_t *defaults, const json_t *said)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)said, key, member) {
        json_t *under = json_object_get(defaults, key);
        if (json_is_object(under) && json_is_string(member))
            continue; /* "adam" for {"type": "adam", ...} */
        if (json_is_object(under) && json_is_object(member) &&
            !moi_slot_is(member) &&
            !moi_slot_is(json_object_get(member, "type"))) {
            if (overlay(under, member) != MOPT_OK)
                return MOPT_ENOMEM;
        } else if (json_object_set(defaults, key, member) != 0) {
            return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
        }
    }
    return MOPT_OK;
}

typedef int32_t (*config_fn)(const mopt_recipe *recipe, const json_t *picked,
                             mopt_config **out);

static int32_t study_config(const mopt_recipe *recipe, const json_t *picked,
                            mopt_config **out)
{
    (void)picked;
    return moi_recipe_study(recipe, out);
}

static int32_t fill_section(const mopt_recipe *recipe, const char *section,
                            config_fn make, json_t *doc)
{
    const json_t *said = json_object_get(recipe->doc, section);
    json_t *rest = without_slots(said), *full = NULL;
    mopt_config *config = NULL;
    if (moi_slot_is(said)) { /* the section as a whole is searched */
        json_decref(rest);
        return MOPT_OK;
    }
    if (rest == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    int32_t rc = make(recipe, rest, &config);
    if (rc == MOPT_OK && (full = moi_config_to_json(config, 1)) == NULL)
        rc = moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    /* Where the recipe stands is no part of it. */
    if (rc == MOPT_OK && json_object_get(said, "base") == NULL)
        json_object_del(full, "base");
    if (rc == MOPT_OK)
        rc = overlay(full, said);
    if (rc == MOPT_OK)
        rc = moi_json_add(doc, section, full);
    else
        json_decref(full);
    mopt_config_free(config);
    json_decref(rest);
    return rc;
}

int32_t mopt_recipe_to_json(const mopt_recipe *recipe, char *buf, size_t cap,
                            size_t *needed)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_to_json", "recipe");
    json_t *doc = json_copy(recipe->doc);
    if (doc == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    int32_t rc = fill_section(recipe, "data", moi_recipe_data, doc);
    if (rc == MOPT_OK)
        rc = fill_section(recipe, "train", moi_recipe_train, doc);
    if (rc == MOPT_OK)
        rc = fill_section(recipe, "search", study_config, doc);
    if (rc == MOPT_OK) {
        json_object_del(json_object_get(doc, "search"), "direction");
        return moi_json_finish(recipe->ctx, doc, buf, cap, needed);
    }
    json_decref(doc);
    return rc;
}
