/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_cases.c: cases and repeats: each run is what the
 * recipe of its own would give, and the figures are their means. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run_kit.h"

/* A recipe with more members put in before its end. */
static mopt_recipe *with(const char *more)
{
    char json[4096];
    snprintf(json, sizeof json, "{" DATA ", \"model\": {\"layers\": "
             "[{\"type\": \"dense\", \"units\": 5, \"activation\": \"relu\"}, "
             "{\"type\": \"dense\"}]}, \"train\": {\"epochs\": 2}, "
             "\"seed\": 3%s}", more);
    return parse(json);
}

#define CASES \
    ", \"repeats\": 2, \"published\": {\"accuracy\": 0.5}, \"cases\": [" \
    "{\"name\": \"small\", \"set\": {\"train.batch_size\": 16}}, " \
    "{\"set\": {\"model.layers[0].units\": 9, \"train.epochs\": 1}, " \
    "\"published\": {\"loss\": 2}}]"

static json_t *told_by(mopt_recipe *recipe)
{
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_run(recipe, NULL, NULL, NULL, &result));
    json_t *json = told(result);
    mopt_result_free(result);
    return json;
}

static const json_t *run_at(const json_t *json, size_t number, size_t repeat)
{
    const json_t *one = json_array_get(json_object_get(json, "cases"), number);
    return json_array_get(json_object_get(one, "runs"), repeat);
}

static double figure(const json_t *json, size_t number, const char *which,
                     const char *name)
{
    const json_t *one = json_array_get(json_object_get(json, "cases"), number);
    const json_t *value = json_object_get(at(one, "summary", which), name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The run of a case is that of a recipe with the same values and seeds. */
START_TEST(each_run_is_a_recipe_of_its_own)
{
    mopt_recipe *recipe = with(CASES);
    json_t *json = told_by(recipe);
    mopt_recipe_free(recipe);
    for (size_t number = 0; number < 2; number++) {
        for (size_t repeat = 0; repeat < 2; repeat++) {
            char seed[16];
            mopt_recipe *one = with("");
            snprintf(seed, sizeof seed, "%zu", 3 + repeat);
            kit_ok(mopt_recipe_set(one, "seed", seed));
            snprintf(seed, sizeof seed, "%zu", 9 + repeat);
            kit_ok(mopt_recipe_set(one, "data.split.seed", seed));
            if (number == 0) {
                kit_ok(mopt_recipe_set(one, "train.batch_size", "16"));
            } else {
                kit_ok(mopt_recipe_set(one, "model.layers[0].units", "9"));
                kit_ok(mopt_recipe_set(one, "train.epochs", "1"));
            }
            json_t *alone = told_by(one);
            ck_assert(json_equal(at(alone, "test", NULL),
                                 at(run_at(json, number, repeat), "test",
                                    NULL)));
            json_decref(alone);
            mopt_recipe_free(one);
        }
    }
    json_decref(json);
}
END_TEST

START_TEST(the_summary_is_mean_and_deviation)
{
    mopt_recipe *recipe = with(CASES);
    json_t *json = told_by(recipe);
    const json_t *cases = json_object_get(json, "cases");
    ck_assert_uint_eq(json_array_size(cases), 2);
    for (size_t i = 0; i < 2; i++) {
        double a = json_number_value(at(run_at(json, i, 0), "test", "loss"));
        double b = json_number_value(at(run_at(json, i, 1), "test", "loss"));
        ck_assert(a != b); /* another seed */
        ck_assert(fabs(figure(json, i, "mean", "loss") - (a + b) / 2) <
                  1e-12);
        ck_assert(fabs(figure(json, i, "sd", "loss") -
                       fabs(a - b) / sqrt(2)) < 1e-12);
        ck_assert(isnan(figure(json, i, "mean", "rmse")));
    }
    ck_assert(figure(json, 0, "mean", "params") == 8 * 5 + 5 + 5 * 3 + 3);
    ck_assert(figure(json, 1, "mean", "params") == 8 * 9 + 9 + 9 * 3 + 3);
    ck_assert_str_eq(json_string_value(at(json_array_get(cases, 0), "name",
                                          NULL)), "small");
    ck_assert_ptr_null(at(json_array_get(cases, 1), "name", NULL));
    ck_assert_ptr_nonnull(at(json_array_get(cases, 0), "published",
                             "accuracy"));
    ck_assert_ptr_nonnull(at(json_array_get(cases, 1), "published", "loss"));
    json_decref(json);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(a_single_repeat_is_a_plain_run)
{
    mopt_recipe *recipe = with(", \"repeats\": 1"), *plain = with("");
    json_t *one = told_by(recipe), *other = told_by(plain);
    ck_assert(json_equal(at(one, "test", NULL), at(other, "test", NULL)));
    json_decref(one);
    json_decref(other);
    mopt_recipe_free(recipe);
    mopt_recipe_free(plain);
}
END_TEST

typedef struct heard {
    int64_t count, answer_at;
    int32_t answer;
    json_t *last;
} heard;

static int32_t hear(void *user, int32_t event, const char *text)
{
    heard *h = user;
    if (event != MOPT_EVENT_CASE)
        return 0;
    json_decref(h->last);
    h->last = json_loads(text, 0, NULL);
    return h->count++ == h->answer_at ? h->answer : 0;
}

START_TEST(events_tell_which_run_begins)
{
    mopt_recipe *recipe = with(CASES);
    mopt_result *result = NULL;
    heard h = {.answer_at = -1};
    kit_ok(mopt_recipe_run(recipe, hear, &h, NULL, &result));
    ck_assert_int_eq(h.count, 4);
    ck_assert_int_eq(json_integer_value(at(h.last, "case", NULL)), 1);
    ck_assert_int_eq(json_integer_value(at(h.last, "cases", NULL)), 2);
    ck_assert_int_eq(json_integer_value(at(h.last, "repeat", NULL)), 1);
    ck_assert_int_eq(json_integer_value(at(h.last, "repeats", NULL)), 2);
    mopt_model *model = NULL;
    kit_fails(mopt_result_model(result, &model), MOPT_ESTATE);
    mopt_result_free(result);
    json_decref(h.last);
    mopt_recipe_free(recipe);
}
END_TEST

/* What went to its end before is told. */
START_TEST(stopped_between_runs)
{
    mopt_recipe *recipe = with(CASES);
    mopt_result *result = NULL;
    heard h = {.answer_at = 3, .answer = MOPT_STOPPED};
    ck_assert_int_eq(mopt_recipe_run(recipe, hear, &h, NULL, &result),
                     MOPT_STOPPED);
    json_t *json = told(result);
    ck_assert_ptr_nonnull(run_at(json, 1, 0));
    ck_assert_ptr_null(run_at(json, 1, 1));
    ck_assert(isnan(figure(json, 1, "sd", "loss")));
    json_decref(json);
    mopt_result_free(result);
    h = (heard){.answer_at = 0, .answer = MOPT_STOPPED, .last = h.last};
    ck_assert_int_eq(mopt_recipe_run(recipe, hear, &h, NULL, &result),
                     MOPT_STOPPED);
    ck_assert_ptr_null(result);
    h = (heard){.answer_at = 1, .answer = 5, .last = h.last};
    kit_fails(mopt_recipe_run(recipe, hear, &h, NULL, &result),
              MOPT_ECALLBACK);
    ck_assert_ptr_null(result);
    json_decref(h.last);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(canceled_in_a_run)
{
    mopt_recipe *recipe = with(CASES);
    mopt_result *result = NULL;
    mopt_cancel *cancel = NULL;
    kit_ok(mopt_cancel_create(ctx, &cancel));
    stopper s = {.event = MOPT_EVENT_EPOCH, .calls = 4, .cancel = cancel};
    kit_fails(stopped(recipe, s, &result), MOPT_ECANCELED);
    json_t *json = told(result);
    ck_assert_ptr_nonnull(run_at(json, 0, 1));
    ck_assert_ptr_null(run_at(json, 1, 0));
    json_decref(json);
    mopt_result_free(result);
    mopt_cancel_free(cancel);
    mopt_recipe_free(recipe);
}
END_TEST

/* Searches in one file have a study each, and go on there. */
START_TEST(runs_share_a_file)
{
    char more[512];
    snprintf(more, sizeof more, ", \"search\": {\"trials\": 2, \"storage\": "
             "\"%s\", \"name\": \"s\"}, \"cases\": [{\"set\": "
             "{\"train.batch_size\": {\"int\": [8, 64]}}}, {\"set\": "
             "{\"train.batch_size\": {\"int\": [8, 32]}}}]",
             kit_path("cases.db"));
    mopt_recipe *recipe = with(more);
    json_t *first = told_by(recipe);
    kit_ok(mopt_recipe_set(recipe, "search.resume", "true"));
    json_t *again = told_by(recipe);
    for (size_t i = 0; i < 2; i++)
        ck_assert(json_equal(at(run_at(first, i, 0), "best", NULL),
                             at(run_at(again, i, 0), "best", NULL)));
    json_decref(first);
    json_decref(again);
    mopt_recipe_free(recipe);
}
END_TEST

static void refused(const char *more, int32_t code, const char *words)
{
    char json[1024], text[1024];
    mopt_recipe *recipe = NULL;
    snprintf(json, sizeof json, "{" DATA ", \"model\": {\"layers\": "
             "[{\"type\": \"dense\"}]}, %s}", more);
    kit_fails(mopt_recipe_parse(ctx, json, NULL, &recipe), code);
    kit_ok(mopt_last_error(text, sizeof text, NULL));
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
}

START_TEST(wrong_cases)
{
    refused("\"repeats\": 0", MOPT_EINVAL, "repeats: must be a whole number "
            "from 1 to 1000, not 0");
    refused("\"repeats\": \"3\"", MOPT_EINVAL, "repeats");
    refused("\"repeats\": 1001", MOPT_EINVAL, "repeats");
    refused("\"cases\": []", MOPT_EINVAL, "cases: must be a list");
    refused("\"cases\": {}", MOPT_EINVAL, "cases: must be a list");
    refused("\"cases\": [1]", MOPT_EINVAL, "cases[0]: must be an object");
    refused("\"cases\": [{}, {\"sets\": {}}]", MOPT_EKEY,
            "cases[1].sets: a case has no such key; it has name");
    refused("\"cases\": [{\"name\": 1}]", MOPT_EINVAL, "cases[0].name");
    refused("\"cases\": [{\"set\": []}]", MOPT_EINVAL, "cases[0].set");
    refused("\"cases\": [{\"set\": {\"train.epochs\": -1}}]", MOPT_EINVAL,
            "cases[0].set: train.epochs");
    refused("\"cases\": [{\"set\": {\"train.epoch\": 1}}]", MOPT_EKEY,
            "cases[0].set: train.epoch");
    refused("\"cases\": [{\"set\": {\"a b[\": 1}}]", MOPT_EINVAL,
            "cases[0].set: path");
    refused("\"cases\": [{\"set\": {\"repeats\": 2}}]", MOPT_EINVAL,
            "cases[0].set: 'cases' and 'repeats'");
}
END_TEST

/* A trial's recipe is one run. */
START_TEST(a_trial_has_no_cases)
{
    mopt_recipe *recipe = with(CASES), *one = NULL;
    mopt_result *result = NULL;
    mopt_model *model = NULL;
    kit_ok(mopt_recipe_apply(recipe, "{}", &one));
    kit_ok(mopt_recipe_run(one, NULL, NULL, NULL, &result));
    kit_ok(mopt_result_model(result, &model));
    mopt_model_free(model);
    mopt_result_free(result);
    mopt_recipe_free(one);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(seeds_that_cannot_go_on)
{
    mopt_recipe *recipe = with(", \"repeats\": 2");
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_set(recipe, "train.seed", "1"));
    kit_ok(mopt_recipe_set(recipe, "search.seed", "1"));
    kit_ok(mopt_recipe_set(recipe, "seed", "9223372036854775807"));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_ERANGE);
    ck_assert_ptr_null(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(without_memory)
{
    mopt_recipe *recipe = with(CASES);
    int32_t failures = 0;
    for (int64_t i = 0; i < 200000; i += 97) {
        mopt_result *result = NULL;
        kit_fail_allocation(i, 0);
        int32_t rc = mopt_recipe_run(recipe, NULL, NULL, NULL, &result);
        kit_fail_allocation(-1, 0);
        mopt_result_free(result);
        if (rc == MOPT_OK)
            break;
        ck_assert(rc == MOPT_ENOMEM || rc == MOPT_ENOENT);
        failures++;
    }
    ck_assert_int_gt(failures, 3);
    mopt_recipe_free(recipe);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("recipe_cases");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, each_run_is_a_recipe_of_its_own);
    tcase_add_test(all, the_summary_is_mean_and_deviation);
    tcase_add_test(all, a_single_repeat_is_a_plain_run);
    tcase_add_test(all, events_tell_which_run_begins);
    tcase_add_test(all, stopped_between_runs);
    tcase_add_test(all, canceled_in_a_run);
    tcase_add_test(all, runs_share_a_file);
    tcase_add_test(all, wrong_cases);
    tcase_add_test(all, a_trial_has_no_cases);
    tcase_add_test(all, seeds_that_cannot_go_on);
    tcase_add_test(all, without_memory);
    suite_add_tcase(suite, all);
    return suite;
}
