/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_resume.c: searches that are interrupted: by the host,
 * by a cancel token, at the end of one program; and go on. */
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* --- Workers that die ---------------------------------------------------- */

/* The checkpoint of trial 2 beside a study's file; "" if there is none. */
static const char *checkpoint_of(const char *file)
{
    static char path[500];
    glob_t found;
    snprintf(path, sizeof path, "%s.trial-*-2.safetensors", file);
    int none = glob(path, 0, NULL, &found);
    snprintf(path, sizeof path, "%s", none ? "" : found.gl_pathv[0]);
    globfree(&found);
    return path;
}

/* Dies in the middle of the trial, where there is a checkpoint. */
static int32_t die(void *user, int32_t event, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    if (event == MOPT_EVENT_EPOCH &&
        json_integer_value(at(json, "trial", NULL)) == 2 &&
        json_integer_value(at(json, "epoch", NULL)) == 7 &&
        checkpoint_of(user)[0] != '\0')
        kill(getpid(), SIGKILL);
    json_decref(json);
    return 0;
}

/* A run that an event ends. */
typedef struct doomed {
    const mopt_recipe *recipe;
    mopt_event_fn die;
    const char *file; /* what die is given */
} doomed;

static void run_doomed(void *user)
{
    const doomed *d = user;
    mopt_result *none = NULL;
    mopt_recipe_run(d->recipe, d->die, (void *)(uintptr_t)d->file, NULL,
                    &none);
}

/* What trial 2 reported, as its document tells it. */
static json_t *reports_of(const char *file)
{
    static char text[1 << 16];
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    mopt_config *config = NULL;
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_ok(mopt_config_set_text(config, "storage", file));
    kit_ok(mopt_study_create(ctx, NULL, config, &study));
    kit_ok(mopt_study_trial(study, 2, &trial));
    kit_ok(mopt_trial_to_json(trial, text, sizeof text, NULL));
    json_t *json = json_loads(text, 0, NULL);
    json_t *reports = json_incref(json_object_get(json, "intermediate"));
    json_decref(json);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_config_free(config);
    return reports;
}

static const char *const left[] = {"whole", "strange", "gone"};

START_TEST(a_killed_trial_goes_on)
{
    const char *file = kit_path("killed.db"), *calm = kit_path("calm.db");
    const char *how = left[_i];
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_model *a = NULL, *b = NULL;
    kit_ok(mopt_recipe_set(recipe, "train.epochs", "12"));
    kit_ok(mopt_recipe_set(recipe, "search.resume", "true"));
    kit_ok(mopt_recipe_set(recipe, "search.trials", "4"));
    set_text(recipe, "search.storage", calm);
    mopt_result *undisturbed = run(recipe);
    json_t *json = told(undisturbed), *reports = reports_of(calm);
    set_text(recipe, "search.storage", file);
    kit_ok(mopt_recipe_set(recipe, "search.checkpoint_seconds", "1e-9"));
    run_and_die(run_doomed, &(doomed){recipe, die, file});
    kit_ok(mopt_recipe_set(recipe, "search.checkpoint_seconds", "60"));
    if (strcmp(how, "strange") == 0)
        kit_write(checkpoint_of(file), "strange", 7);
    if (strcmp(how, "gone") == 0)
        unlink(checkpoint_of(file));

    mopt_result *rest = run(recipe);
    json_t *again = told(rest), *others = reports_of(file);
    ck_assert_int_eq(epochs[2], strcmp(how, "whole") == 0 ? 12 - 7 : 12);
    ck_assert_int_eq(epochs[3], 12);
    ck_assert(json_equal(at(json, "best", NULL), at(again, "best", NULL)));
    ck_assert(json_equal(at(json, "test", NULL), at(again, "test", NULL)));
    ck_assert_int_eq((int64_t)json_array_size(reports), 12);
    ck_assert(json_equal(reports, others));
    ck_assert_str_eq(checkpoint_of(file), "");
    kit_ok(mopt_result_model(undisturbed, &a));
    kit_ok(mopt_result_model(rest, &b));
    same_weights(a, b);
    json_decref(json);
    json_decref(again);
    json_decref(reports);
    json_decref(others);
    mopt_model_free(a);
    mopt_model_free(b);
    mopt_result_free(undisturbed);
    mopt_result_free(rest);
    mopt_recipe_free(recipe);
}
END_TEST

static int32_t die_soon(void *user, int32_t event, const char *text)
{
    (void)user;
    (void)text;
    if (event == MOPT_EVENT_EPOCH)
        kill(getpid(), SIGKILL);
    return 0;
}

/* What varies nothing is not given up: there is nothing else to be tried. */
START_TEST(one_training_outlives_any_number_of_deaths)
{
    mopt_recipe *recipe = parse(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\"}]}, "
        "\"train\": {\"epochs\": 2}, \"search\": {\"resume\": true}}");
    set_text(recipe, "search.storage", kit_path("often.db"));
    for (int i = 0; i < 5; i++)
        run_and_die(run_doomed, &(doomed){recipe, die_soon, NULL});
    mopt_result_free(run(recipe));
    ck_assert_str_eq(state_of(0), "complete");
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
    tcase_set_timeout(stops, 60);
    tcase_add_test(stops, resuming_gives_the_same_bits);
    tcase_add_loop_test(stops, a_killed_trial_goes_on, 0,
                        (int)(sizeof left / sizeof *left));
    tcase_add_test(stops, one_training_outlives_any_number_of_deaths);
    tcase_add_test(stops, events_may_stop);
    tcase_add_test(stops, events_may_answer_nonsense);
    tcase_add_test(stops, cancelling_keeps_what_is_finished);
    suite_add_tcase(suite, stops);
    return suite;
}
