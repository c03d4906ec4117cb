/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_resume.c: searches that are interrupted: by the host,
 * by a cancel token, at the end of one program; and go on. */
#include <string.h>

#include "run_kit.h"

/* --- Going on ------------------------------------------------------------ */

START_TEST(resuming_gives_the_same_bits)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *whole = run(recipe), *part, *rest;
    mopt_model *a = NULL, *b = NULL;
    json_t *json = told(whole), *again;
    double values[8];
    for (int64_t i = 0; i < 8; i++)
        values[i] = value_of(i);
    set_text(recipe, "search.storage", kit_path("study.db"));
    kit_ok(mopt_recipe_set(recipe, "search.resume", "true"));
    kit_ok(mopt_recipe_set(recipe, "search.trials", "5"));
    part = run(recipe);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "8"));
    rest = run(recipe);
    for (int64_t i = 5; i < 8; i++)
        ck_assert(values[i] == value_of(i));
    again = told(rest);
    ck_assert(json_equal(at(json, "best", NULL), at(again, "best", NULL)));
    ck_assert(json_equal(at(json, "test", NULL), at(again, "test", NULL)));
    ck_assert(json_equal(at(json, "trials", NULL), at(again, "trials", NULL)));
    json_decref(again);
    mopt_result_free(rest);

    /* Nothing left to do: the winner is trained once more. */
    rest = run(recipe);
    again = told(rest);
    ck_assert(json_equal(at(json, "best", NULL), at(again, "best", NULL)));
    ck_assert(json_equal(at(json, "test", NULL), at(again, "test", NULL)));
    kit_ok(mopt_result_model(whole, &a));
    kit_ok(mopt_result_model(rest, &b));
    same_weights(a, b);
    json_decref(again);

    /* Another recipe may not go on with these trials. */
    mopt_result *none = NULL;
    kit_ok(mopt_recipe_set(recipe, "train.epochs", "5"));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &none), MOPT_EINVAL);
    kit_says("another recipe");
    ck_assert_ptr_null(none);
    mopt_model_free(a);
    mopt_model_free(b);
    json_decref(json);
    mopt_result_free(rest);
    mopt_result_free(part);
    mopt_result_free(whole);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Stopping ----------------------------------------------------------- */

START_TEST(events_may_stop)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *result = NULL;
    kit_fails(stopped(recipe, (stopper){MOPT_EVENT_TRIAL, MOPT_STOPPED, 2,
                                        NULL}, &result), MOPT_STOPPED);
    json_t *json = told(result);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 3);
    ck_assert_ptr_nonnull(at(json, "test", NULL));
    json_decref(json);
    mopt_result_free(result);
    /* In the middle of the fourth: three stand. */
    kit_fails(stopped(recipe, (stopper){MOPT_EVENT_EPOCH, MOPT_STOPPED, 13,
                                        NULL}, &result), MOPT_STOPPED);
    json = told(result);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 3);
    json_decref(json);
    mopt_result_free(result);
    kit_fails(stopped(recipe, (stopper){MOPT_EVENT_DATA, MOPT_STOPPED, 0,
                                        NULL}, &result), MOPT_STOPPED);
    ck_assert_ptr_null(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(events_may_answer_nonsense)
{
    static const int32_t events[] = {MOPT_EVENT_DATA, MOPT_EVENT_TRIAL,
                                     MOPT_EVENT_EPOCH, MOPT_EVENT_TEST};
    mopt_recipe *recipe = parse(SEARCHED);
    for (size_t i = 0; i < 4; i++) {
        mopt_result *result = NULL;
        kit_fails(stopped(recipe, (stopper){events[i], 12345, 0, NULL},
                          &result), MOPT_ECALLBACK);
        kit_says("on_event");
        ck_assert_ptr_null(result);
    }
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(cancelling_keeps_what_is_finished)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_cancel *cancel = NULL;
    mopt_result *result = NULL;
    mopt_model *model = NULL;
    kit_ok(mopt_cancel_create(ctx, &cancel));
    set_text(recipe, "search.storage", kit_path("cancelled.db"));
    kit_ok(mopt_recipe_set(recipe, "search.resume", "true"));
    kit_fails(stopped(recipe, (stopper){MOPT_EVENT_EPOCH, 0, 13, cancel},
                      &result), MOPT_ECANCELED);
    json_t *json = told(result), *again;
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 3);
    ck_assert_ptr_null(at(json, "test", NULL));
    kit_ok(mopt_result_model(result, &model));
    mopt_model_free(model);
    json_decref(json);
    mopt_result_free(result);

    /* Cancelled at once: the best is known, its weights are not. */
    mopt_cancel_request(cancel);
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, cancel, &result),
              MOPT_ECANCELED);
    mopt_cancel_reset(cancel);
    if (result != NULL)
        kit_fails(mopt_result_model(result, &model), MOPT_ESTATE);
    mopt_result_free(result);

    /* Going on gives what an undisturbed run gives. */
    result = run(recipe);
    json = told(result);
    mopt_result_free(result);
    kit_ok(mopt_recipe_set(recipe, "search.storage", "\"\""));
    result = run(recipe);
    again = told(result);
    ck_assert(json_equal(at(json, "best", NULL), at(again, "best", NULL)));
    ck_assert(json_equal(at(json, "test", NULL), at(again, "test", NULL)));
    json_decref(again);
    json_decref(json);
    mopt_result_free(result);
    mopt_cancel_free(cancel);
    mopt_recipe_free(recipe);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("resume");
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, teardown);
    tcase_add_test(stops, resuming_gives_the_same_bits);
    tcase_add_test(stops, events_may_stop);
    tcase_add_test(stops, events_may_answer_nonsense);
    tcase_add_test(stops, cancelling_keeps_what_is_finished);
    suite_add_tcase(suite, stops);
    return suite;
}
