/* SPDX-License-Identifier: MIT
 * lib/recipe/cases.c: one recipe, several runs. */
#include "recipe/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "recipe/result.h"
#include "recipe/run.h"

static int64_t case_count(const mopt_recipe *recipe)
{
    const json_t *cases = json_object_get(recipe->doc, "cases");
    return cases != NULL ? (int64_t)json_array_size(cases) : 1;
}

static int64_t repeat_count(const mopt_recipe *recipe)
{
    const json_t *repeats = json_object_get(recipe->doc, "repeats");
    return repeats != NULL ? json_integer_value(repeats) : 1;
}

/* NULL for the recipe as it is. */
static const json_t *case_at(const mopt_recipe *recipe, int64_t i)
{
    return json_array_get(json_object_get(recipe->doc, "cases"), (size_t)i);
}

int32_t moi_cases_are_several(const mopt_recipe *recipe)
{
    return json_object_get(recipe->doc, "cases") != NULL ||
           repeat_count(recipe) > 1;
}

/* --- The recipe of one run ---------------------------------------------- */

/* Values by path. They are copied: a later path may change an earlier one. */
static int32_t replace_values(json_t *doc, const json_t *values)
{
    const char *path;
    json_t *value;
    int32_t rc = MOPT_OK;
    json_object_foreach((json_t *)values, path, value) {
        json_t *copy = json_deep_copy(value);
        rc = copy != NULL ? moi_recipe_put(doc, path, copy)
                          : moi_fail(MOPT_ENOMEM, "no memory for the recipe");
        json_decref(copy);
        if (rc != MOPT_OK)
            return rc;
    }
    if (json_object_get(doc, "cases") != NULL ||
        json_object_get(doc, "repeats") != NULL)
        return moi_fail(MOPT_EINVAL, "'cases' and 'repeats' are of the whole "
                        "recipe; a case cannot set them");
    return MOPT_OK;
}

static int32_t move_seed(json_t *section, const char *key, int64_t by)
{
    json_t *seed = json_object_get(section, key);
    if (!json_is_integer(seed))
        return MOPT_OK;
    if (json_integer_value(seed) > INT64_MAX - by)
        return moi_fail(MOPT_ERANGE, "%s: %lld is too large to count on from",
                        key, (long long)json_integer_value(seed));
    return moi_json_add_int(section, key, json_integer_value(seed) + by);
}

/* The seed, and those that sections have for themselves, go on by one a
 * repeat; those of teachers and sources stay. */
static int32_t move_seeds(json_t *doc, int64_t by)
{
    json_t *data = json_object_get(doc, "data");
    int32_t rc = by == 0 || json_object_get(doc, "seed") != NULL
                     ? MOPT_OK : moi_json_add_int(doc, "seed", 0);
    if (rc == MOPT_OK)
        rc = move_seed(doc, "seed", by);
    if (rc == MOPT_OK)
        rc = move_seed(json_object_get(doc, "train"), "seed", by);
    if (rc == MOPT_OK)
        rc = move_seed(json_object_get(doc, "search"), "seed", by);
    return rc == MOPT_OK
               ? move_seed(json_object_get(data, "split"), "seed", by) : rc;
}

/* Runs that share a study's file have studies of their own in it. */
static int32_t name_study(json_t *doc, int64_t number, int64_t repeat)
{
    json_t *search = json_object_get(doc, "search");
    const char *said = json_string_value(json_object_get(search, "name"));
    char name[256];
    if (json_object_get(search, "storage") == NULL)
        return MOPT_OK;
    snprintf(name, sizeof(name), "%.200s-%d-%d", said ? said : "study",
             (int)number, (int)repeat);
    return moi_json_add_text(search, "name", name);
}

static int32_t make_recipe(const mopt_recipe *recipe, int64_t number,
                           int64_t repeat, mopt_recipe **out)
{
    const json_t *set = json_object_get(case_at(recipe, number), "set");
    json_t *doc = json_deep_copy(recipe->doc);
    if (doc == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    json_object_del(doc, "cases");
    json_object_del(doc, "repeats");
    int32_t rc = replace_values(doc, set);
    if (rc == MOPT_OK)
        rc = move_seeds(doc, repeat);
    if (rc == MOPT_OK)
        rc = name_study(doc, number, repeat);
    if (rc == MOPT_OK)
        rc = moi_recipe_new(recipe->ctx, doc, recipe->base, out);
    json_decref(doc);
    if (rc != MOPT_OK && set != NULL)
        rc = moi_fail_at(rc, "cases[%d].set: ", (int)number);
    return rc;
}

/* --- Checks ------------------------------------------------------------- */

static int32_t check_member(int64_t i, const char *key, const json_t *value)
{
    char excerpt[MOI_EXCERPT_SIZE];
    int32_t is_name = strcmp(key, "name") == 0;
    if (!is_name && strcmp(key, "set") != 0 && strcmp(key, "published") != 0)
        return moi_fail(MOPT_EKEY, "cases[%d].%.64s: a case has no such key; "
                        "it has name, set, published", (int)i, key);
    if (is_name ? json_is_string(value) : json_is_object(value))
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "cases[%d].%s: must be %s, not %s", (int)i,
                    key, is_name ? "a text" : "an object",
                    moi_json_excerpt(value, excerpt));
}

static int32_t check_case(const mopt_recipe *recipe, int64_t i)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const json_t *one = case_at(recipe, i);
    mopt_recipe *made = NULL;
    const char *key;
    json_t *value;
    if (!json_is_object(one))
        return moi_fail(MOPT_EINVAL, "cases[%d]: must be an object, not %s",
                        (int)i, moi_json_excerpt(one, excerpt));
    json_object_foreach((json_t *)one, key, value) {
        int32_t rc = check_member(i, key, value);
        if (rc != MOPT_OK)
            return rc;
    }
    int32_t rc = make_recipe(recipe, i, 0, &made);
    mopt_recipe_free(made);
    return rc;
}

int32_t moi_cases_check(const mopt_recipe *recipe)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const json_t *cases = json_object_get(recipe->doc, "cases");
    const json_t *repeats = json_object_get(recipe->doc, "repeats");
    int32_t rc = MOPT_OK;
    if (repeats != NULL && (!json_is_integer(repeats) ||
                            json_integer_value(repeats) < 1 ||
                            json_integer_value(repeats) > MOI_CASES_MAX))
        return moi_fail(MOPT_EINVAL, "repeats: must be a whole number from 1 "
                        "to %d, not %s", MOI_CASES_MAX,
                        moi_json_excerpt(repeats, excerpt));
    if (cases == NULL)
        return MOPT_OK;
    if (!json_is_array(cases) || json_array_size(cases) < 1 ||
        json_array_size(cases) > MOI_CASES_MAX)
        return moi_fail(MOPT_EINVAL, "cases: must be a list of 1 to %d "
                        "objects, not %s", MOI_CASES_MAX,
                        moi_json_excerpt(cases, excerpt));
    for (int64_t i = 0; i < case_count(recipe) && rc == MOPT_OK; i++)
        rc = check_case(recipe, i);
    return rc;
}

/* --- The runs ----------------------------------------------------------- */

/* What all runs share. */
typedef struct several {
    const mopt_recipe *recipe;
    mopt_event_fn on_event; /* may be NULL */
    void *user;
    mopt_cancel *cancel;
} several;

static int32_t tell_case(const several *all, int64_t number, int64_t repeat)
{
    const mopt_recipe *recipe = all->recipe;
    json_t *name = json_object_get(case_at(recipe, number), "name");
    if (all->on_event == NULL)
        return MOPT_OK;
    json_t *doc = json_pack(
        "{sIsIsO*sIsI}", "case", (json_int_t)number, "cases",
        (json_int_t)case_count(recipe), "name", name, "repeat",
        (json_int_t)repeat, "repeats", (json_int_t)repeat_count(recipe));
    char *text = doc != NULL ? moi_json_dump(recipe->ctx, doc) : NULL;
    json_decref(doc);
    if (text == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for an event");
    int32_t rc = all->on_event(all->user, MOPT_EVENT_CASE, text);
    moi_free(recipe->ctx, text);
    if (rc == MOPT_OK || rc == MOPT_STOPPED)
        return rc;
    return moi_fail(MOPT_ECALLBACK, "on_event returned what it may not");
}

/* One run; its result is added when it went to its end. */
static int32_t run_one(const several *all, int64_t number, int64_t repeat,
                       json_t *runs)
{
    mopt_recipe *made = NULL;
    mopt_result *result = NULL;
    int32_t rc = tell_case(all, number, repeat);
    if (rc == MOPT_OK)
        rc = make_recipe(all->recipe, number, repeat, &made);
    if (rc == MOPT_OK)
        rc = mopt_recipe_set_group(made, all->recipe->group);
    if (rc == MOPT_OK)
        rc = moi_recipe_run_once(made, all->on_event, all->user, all->cancel,
                                 &result);
    if (rc == MOPT_OK && json_array_append(runs, result->doc) != 0)
        rc = moi_fail(MOPT_ENOMEM, "no memory for the result");
    mopt_result_free(result);
    mopt_recipe_free(made);
    return rc;
}

/* {"name", "published", "summary", "runs"}, added to cases; nothing when no
 * run went to its end. Takes runs over. */
static int32_t add_case(const mopt_recipe *recipe, int64_t number,
                        json_t *runs, json_t *cases)
{
    const json_t *one = case_at(recipe, number);
    const json_t *published = json_object_get(one, "published");
    if (json_array_size(runs) == 0) {
        json_decref(runs);
        return MOPT_OK;
    }
    if (published == NULL)
        published = json_object_get(recipe->doc, "published");
    json_t *told = json_pack("{sO*sO*so*so}", "name",
                             json_object_get(one, "name"), "published",
                             published, "summary",
                             moi_tally_summary(recipe, runs), "runs", runs);
    if (json_object_get(told, "summary") == NULL) {
        json_decref(told);
        return moi_fail(MOPT_ENOMEM, "no memory for the result");
    }
    return json_array_append_new(cases, told) == 0
               ? MOPT_OK : moi_fail(MOPT_ENOMEM, "no memory for the result");
}

static int32_t run_case(const several *all, int64_t number, json_t *cases)
{
    json_t *runs = json_array();
    int32_t rc = runs != NULL ? MOPT_OK
                              : moi_fail(MOPT_ENOMEM, "no memory to run");
    for (int64_t i = 0; i < repeat_count(all->recipe) && rc == MOPT_OK; i++)
        rc = run_one(all, number, i, runs);
    int32_t added = add_case(all->recipe, number, runs, cases);
    return added != MOPT_OK ? added : rc;
}

static int32_t tell_result(const mopt_recipe *recipe, double started,
                           json_t *cases, mopt_result *result)
{
    json_t *written = NULL, *info = NULL;
    result->ctx = moi_context_hold(recipe->ctx);
    result->doc = json_pack("{so*sOsf}", "figures", moi_tally_names(recipe),
                            "cases", cases, "seconds",
                            moi_clock_seconds() - started);
    int32_t rc = json_object_get(result->doc, "figures") != NULL
                     ? moi_json_from_recipe(recipe->ctx, recipe, &written)
                     : moi_fail(MOPT_ENOMEM, "no memory for the result");
    if (rc == MOPT_OK)
        rc = moi_json_from_info(recipe->ctx, &info);
    result->story = json_pack("{sO*so*so*}", "result", result->doc, "recipe",
                              written, "environment", info);
    if (rc == MOPT_OK && result->story == NULL)
        rc = moi_fail(MOPT_ENOMEM, "no memory for the result");
    return rc;
}

static int32_t conclude(const mopt_recipe *recipe, double started,
                        json_t *cases, mopt_result **out)
{
    mopt_result *result = moi_calloc(recipe->ctx, 1, sizeof(*result));
    int32_t rc = result != NULL ? tell_result(recipe, started, cases, result)
                                : MOPT_ENOMEM;
    if (rc == MOPT_OK)
        *out = result;
    else
        mopt_result_free(result);
    return rc;
}

int32_t moi_cases_run(const mopt_recipe *recipe, mopt_event_fn on_event,
                      void *user, mopt_cancel *cancel, mopt_result **out)
{
    const several all = {recipe, on_event, user, cancel};
    double started = moi_clock_seconds();
    json_t *cases = json_array();
    int32_t rc = cases != NULL ? MOPT_OK
                               : moi_fail(MOPT_ENOMEM, "no memory to run");
    for (int64_t i = 0; i < case_count(recipe) && rc == MOPT_OK; i++)
        rc = run_case(&all, i, cases);
    if ((rc == MOPT_OK || rc == MOPT_STOPPED || rc == MOPT_ECANCELED) &&
        json_array_size(cases) > 0) {
        int32_t told = conclude(recipe, started, cases, out);
        rc = told != MOPT_OK ? told : rc;
    }
    json_decref(cases);
    return rc;
}
