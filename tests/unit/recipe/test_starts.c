/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_starts.c: searches whose trials start from earlier
 * ones: who starts from whom, the same bits for any number of workers and after
 * any interruption, and files that are gone. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run_kit.h"

#define TRIALS 12
#define ROUND 4

/* Widths and depths that often fit into each other, and rates. */
#define WARM(from) \
    "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": " \
    "{\"choice\": [4, 8, 12]}, \"activation\": \"relu\"}, {\"repeat\": " \
    "{\"int\": [0, 1]}, \"layers\": [{\"type\": \"dense\", \"units\": " \
    "12, \"activation\": \"relu\"}]}, {\"type\": \"dense\"}]}, " \
    "\"train\": {\"epochs\": 2, \"optimizer\": {\"type\": \"adam\", " \
    "\"learning_rate\": {\"float\": [1e-3, 1e-1], \"log\": true}}, " \
    "\"seed\": 3}, \"search\": {\"trials\": 12, \"seed\": 2, " \
    "\"warm_start\": {\"from\": \"" from "\", \"round\": 4, \"keep\": 3}}, " \
    "\"objectives\": [\"loss\"]}"

/* ---- reading what was told ---- */

static int64_t note(int64_t trial, const char *key)
{
    const json_t *value = at(trials[trial], "notes", key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Weights of a model with that trial's layers: 8 inputs, 3 outputs. */
static int64_t depth_of(int64_t trial)
{
    return json_integer_value(json_object_get(
        json_object_get(trials[trial], "params"), "model.layers[1].repeat"));
}

static int64_t width_of(int64_t trial)
{
    return json_integer_value(json_object_get(
        json_object_get(trials[trial], "params"), "model.layers[0].units"));
}

static int64_t weights_of(int64_t trial)
{
    int64_t width = width_of(trial), count = 9 * width;
    if (depth_of(trial) == 1) {
        count += 12 * (width + 1);
        width = 12;
    }
    return count + 3 * (width + 1);
}

/* May trial b grow from a? A second layer is 12 wide, so it hands on what any
 * first one gives. */
static int fits(int64_t a, int64_t b)
{
    return width_of(a) <= width_of(b) && depth_of(a) <= depth_of(b);
}

/* The rule, written once more: of the 3 best below the round, the best that
 * fits; or the one that fits with the most weights. */
static int64_t expected(int64_t trial, int nearest)
{
    int64_t border = trial / ROUND * ROUND, chosen = -1;
    int used[TRIALS] = {0};
    for (int k = 0; k < 3 && border > 0; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < border; i++)
            if (!used[i] && (best < 0 || value_of(i) < value_of(best)))
                best = i;
        used[best] = 1;
        if (!fits(best, trial))
            continue;
        if (chosen < 0 ||
            (nearest && weights_of(best) > weights_of(chosen)))
            chosen = best;
    }
    return chosen;
}

static void check_rule(int nearest)
{
    int started = 0;
    for (int64_t i = 0; i < TRIALS; i++) {
        int64_t from = expected(i, nearest);
        ck_assert_str_eq(state_of(i), "complete");
        ck_assert_int_eq(note(i, "started_from"), from);
        ck_assert_int_eq(note(i, "total_epochs"),
                         2 + (from < 0 ? 0 : note(from, "total_epochs")));
        started += from >= 0;
    }
    ck_assert_int_ge(started, 4);
}

/* Values, notes and the winner's weights of a run. */
typedef struct outcome {
    double values[TRIALS];
    int64_t from[TRIALS];
    json_t *best;
    mopt_model *model;
} outcome;

static outcome outcome_of(const mopt_result *result)
{
    outcome o = {.best = NULL};
    json_t *json = told(result);
    for (int64_t i = 0; i < TRIALS; i++) {
        o.values[i] = value_of(i);
        o.from[i] = note(i, "started_from");
    }
    o.best = json_incref(json_object_get(json, "best"));
    kit_ok(mopt_result_model(result, &o.model));
    json_decref(json);
    return o;
}

/* Trials that b did not run are left out. */
static void same_outcome(const outcome *a, const outcome *b)
{
    for (int64_t i = 0; i < TRIALS; i++)
        if (!isnan(b->values[i])) {
            ck_assert(a->values[i] == b->values[i]);
            ck_assert_int_eq(a->from[i], b->from[i]);
        }
    ck_assert(json_equal(a->best, b->best));
    same_weights(a->model, b->model);
}

static void end_outcome(outcome *o)
{
    json_decref(o->best);
    mopt_model_free(o->model);
}

static outcome run_for_outcome(mopt_recipe *recipe)
{
    mopt_result *result = run(recipe);
    outcome o = outcome_of(result);
    mopt_result_free(result);
    return o;
}

/* ---- the rule ---- */

START_TEST(trials_start_by_the_rule)
{
    mopt_recipe *recipe = parse(_i ? WARM("nearest") : WARM("best"));
    mopt_result *result = run(recipe);
    check_rule(_i);
    json_t *json = told(result);
    const json_t *best = json_object_get(json, "best");
    int64_t number = json_integer_value(json_object_get(best, "number"));
    ck_assert_int_eq(
        json_integer_value(json_object_get(best, "total_epochs")),
        note(number, "total_epochs"));
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* What a trial with a start ends at is what growing by hand ends at. */
START_TEST(a_start_is_the_weights_of_that_trial)
{
    mopt_recipe *recipe = parse(WARM("best"));
    kit_ok(mopt_recipe_set(recipe, "train.epochs", "1"));
    kit_ok(mopt_recipe_set(
        recipe, "train.optimizer",
        "{\"type\": \"sgd\", \"learning_rate\": {\"float\": [1e-30, 2e-30]}}"));
    mopt_result *result = run(recipe);
    for (int64_t i = 0; i < TRIALS; i++) { /* nothing is learned: as before */
        int64_t from = note(i, "started_from");
        if (from >= 0)
            ck_assert(fabs(value_of(i) - value_of(from)) < 1e-5);
    }
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* ---- the same bits ---- */

START_TEST(workers_do_not_matter)
{
    mopt_recipe *recipe = parse(WARM("best"));
    outcome one = run_for_outcome(recipe);
    kit_ok(mopt_recipe_set(recipe, "search.workers", "2"));
    outcome two = run_for_outcome(recipe);
    same_outcome(&one, &two);
    kit_ok(mopt_recipe_set(recipe, "search.workers", "7"));
    outcome seven = run_for_outcome(recipe);
    same_outcome(&one, &seven);
    end_outcome(&one);
    end_outcome(&two);
    end_outcome(&seven);
    mopt_recipe_free(recipe);
}
END_TEST

static void to_file(mopt_recipe *recipe, const char *path)
{
    set_text(recipe, "search.storage", path);
    kit_ok(mopt_recipe_set(recipe, "search.resume", "true"));
}

/* The file of a trial's weights, beside a study of the usual name, "study". */
static const char *weights_file(const char *study, int64_t trial)
{
    static char path[600];
    snprintf(path, sizeof path, "%s.start-da4a30de-%d.safetensors", study,
             (int)trial);
    return path;
}

static int is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

START_TEST(interrupted_between_trials)
{
    mopt_recipe *recipe = parse(WARM("best"));
    outcome whole = run_for_outcome(recipe);
    to_file(recipe, kit_path("between.db"));
    for (int64_t count = 3; count <= TRIALS; count += 3) {
        char number[8];
        snprintf(number, sizeof number, "%d", (int)count);
        kit_ok(mopt_recipe_set(recipe, "search.trials", number));
        mopt_result_free(run(recipe));
    }
    outcome last = run_for_outcome(recipe);
    same_outcome(&whole, &last);
    end_outcome(&whole);
    end_outcome(&last);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(cancelled_within_trials)
{
    mopt_recipe *recipe = parse(WARM("best"));
    mopt_cancel *cancel = NULL;
    kit_ok(mopt_cancel_create(ctx, &cancel));
    outcome whole = run_for_outcome(recipe);
    to_file(recipe, kit_path("within.db"));
    kit_ok(mopt_recipe_set(recipe, "search.workers", _i ? "2" : "1"));
    for (int i = 0; i < 4; i++) {
        mopt_result *result = NULL;
        kit_fails(stopped(recipe, (stopper){MOPT_EVENT_EPOCH, 0, 3, cancel},
                          &result), MOPT_ECANCELED);
        mopt_result_free(result);
        mopt_cancel_reset(cancel);
    }
    outcome last = run_for_outcome(recipe);
    same_outcome(&whole, &last);
    end_outcome(&whole);
    end_outcome(&last);
    mopt_cancel_free(cancel);
    mopt_recipe_free(recipe);
}
END_TEST

/* ---- files ---- */

static void count_files(const char *study, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < TRIALS; i++)
        *count += is_there(weights_file(study, i));
}

/* Those that may be started from stay, the rest goes. */
START_TEST(files_of_the_best_are_kept)
{
    mopt_recipe *recipe = parse(WARM("best"));
    const char *study = kit_path("kept.db");
    int64_t count;
    to_file(recipe, study);
    outcome o = run_for_outcome(recipe);
    count_files(study, &count);
    ck_assert_int_eq(count, 3);
    int64_t best = json_integer_value(json_object_get(o.best, "number"));
    ck_assert(is_there(weights_file(study, best)));
    end_outcome(&o);
    mopt_recipe_free(recipe);
}
END_TEST

/* Missing, cut, or the next one in turn: each has another trial's weights. */
static void spoil(const char *study, int how)
{
    char last[600], spare[600];
    snprintf(last, sizeof last, "%s", weights_file(study, 99));
    snprintf(spare, sizeof spare, "%s", last);
    for (int64_t i = 0; i < 8; i++) {
        const char *path = weights_file(study, i);
        if (!is_there(path))
            continue;
        ck_assert_int_eq(how == 0   ? unlink(path)
                         : how == 1 ? truncate(path, 100)
                                    : rename(path, last), 0);
        snprintf(last, sizeof last, "%s", path);
    }
    if (how == 2)
        ck_assert_int_eq(rename(spare, last), 0);
}

/* Such a trial is trained again, from where it started. */
START_TEST(files_that_are_gone_cost_time_only)
{
    mopt_recipe *recipe = parse(WARM("best"));
    outcome whole = run_for_outcome(recipe);
    const char *study = kit_path("gone.db");
    int64_t count;
    to_file(recipe, study);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "8"));
    mopt_result_free(run(recipe));
    count_files(study, &count);
    ck_assert_int_ge(count, 3);
    spoil(study, _i);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "12"));
    outcome last = run_for_outcome(recipe);
    same_outcome(&whole, &last);
    end_outcome(&whole);
    end_outcome(&last);
    mopt_recipe_free(recipe);
}
END_TEST

/* ---- trials of others ---- */

/* A trial that another holds, and gives back after a moment. */
static mopt_trial *held;
static pthread_t helper;

static void *give_back(void *unused)
{
    (void)unused;
    usleep(200000);
    mopt_trial_free(held);
    return NULL;
}

static int32_t on_last_of_round(void *unused, int32_t event, const char *text)
{
    (void)unused;
    json_t *json = json_loads(text, 0, NULL);
    if (event == MOPT_EVENT_TRIAL &&
        json_integer_value(json_object_get(json, "number")) == 7)
        ck_assert_int_eq(pthread_create(&helper, NULL, give_back, NULL), 0);
    json_decref(json);
    return 0;
}

/* The study of a recipe, opened beside it. */
static mopt_study *open_beside(const mopt_recipe *recipe, const char *path)
{
    mopt_space *space = NULL;
    mopt_config *config = NULL;
    mopt_study *study = NULL;
    kit_ok(mopt_recipe_space(recipe, &space));
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_ok(mopt_config_set_text(config, "storage", path));
    kit_ok(mopt_config_set_bool(config, "resume", 1));
    kit_ok(mopt_config_set_int(config, "seed", 2));
    kit_ok(mopt_study_create(ctx, space, config, &study));
    mopt_config_free(config);
    mopt_space_free(space);
    return study;
}

/* Trial 4 is held by somebody else while 5 to 7 are run; 8 waits for it, and
 * goes behind it when it is given back. */
START_TEST(a_trial_that_comes_back_goes_first)
{
    mopt_recipe *recipe = parse(WARM("best"));
    mopt_result *result = NULL;
    outcome whole = run_for_outcome(recipe);
    const char *path = kit_path("held.db");
    to_file(recipe, path);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "4"));
    mopt_result_free(run(recipe));
    mopt_study *study = open_beside(recipe, path);
    kit_ok(mopt_study_ask(study, &held));
    ck_assert_int_eq(mopt_trial_number(held), 4);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "12"));
    kit_ok(mopt_recipe_run(recipe, on_last_of_round, NULL, NULL, &result));
    mopt_result_free(result);
    pthread_join(helper, NULL);
    mopt_study_free(study);
    outcome last = run_for_outcome(recipe);
    same_outcome(&whole, &last);
    end_outcome(&whole);
    end_outcome(&last);
    mopt_recipe_free(recipe);
}
END_TEST

/* Trial 4 is never told: who waits for it can be cancelled, and obeys its
 * timeout. */
START_TEST(waiting_has_an_end)
{
    mopt_recipe *recipe = parse(WARM("best"));
    mopt_cancel *cancel = NULL;
    mopt_result *result = NULL;
    const char *path = kit_path("never.db");
    kit_ok(mopt_cancel_create(ctx, &cancel));
    to_file(recipe, path);
    kit_ok(mopt_recipe_set(recipe, "search.trials", "4"));
    mopt_result_free(run(recipe));
    mopt_study *study = open_beside(recipe, path);
    kit_ok(mopt_study_ask(study, &held));
    kit_ok(mopt_recipe_set(recipe, "search.trials", "12"));
    kit_fails(stopped(recipe, (stopper){MOPT_EVENT_TRIAL, 0, 2, cancel},
                      &result), MOPT_ECANCELED);
    mopt_result_free(result);
    mopt_cancel_reset(cancel);
    kit_ok(mopt_recipe_set(recipe, "search.timeout", "0.5"));
    mopt_result_free(run(recipe));
    ck_assert_ptr_null(trials[8]);
    mopt_trial_free(held);
    mopt_study_free(study);
    mopt_cancel_free(cancel);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(without_memory)
{
    mopt_recipe *recipe = parse(WARM("nearest"));
    int32_t failures = 0;
    for (int64_t i = 0; i < 100000; i += 41 + i / 8) {
        mopt_result *result = NULL;
        kit_fail_allocation(i, 0);
        int32_t rc = mopt_recipe_run(recipe, NULL, NULL, NULL, &result);
        kit_fail_allocation(-1, 0);
        mopt_result_free(result);
        ck_assert_msg(rc == MOPT_OK || rc == MOPT_ENOMEM || rc == MOPT_ENOENT,
                      "%s", mopt_status_name(rc));
        failures += rc != MOPT_OK;
    }
    ck_assert_int_gt(failures, 3);
    mopt_recipe_free(recipe);
}
END_TEST

/* ---- what is refused ---- */

static void refused(const char *path, const char *json, int32_t code,
                    const char *says)
{
    mopt_recipe *recipe = parse(WARM("best"));
    kit_fails(mopt_recipe_set(recipe, path, json), code);
    kit_says(says);
    mopt_recipe_free(recipe);
}

START_TEST(wrong_keys)
{
    refused("search.warm_start.from", "\"worst\"", MOPT_EINVAL,
            "search.warm_start.from");
    refused("search.warm_start.round", "0", MOPT_EINVAL,
            "search.warm_start.round");
    refused("search.warm_start.rounds", "4", MOPT_EKEY, "round");
    refused("search.warm_start", "true", MOPT_EINVAL, "search.warm_start");
    refused("search.warm_start.keep", "{\"int\": [1, 2]}", MOPT_EINVAL,
            "search.warm_start.keep");
    refused("train.warm_start", "{}", MOPT_EKEY, "warm_start");
    refused("distill", "{}", MOPT_EUNSUPPORTED, "distill");
}
END_TEST

START_TEST(a_study_stays_as_it_is)
{
    mopt_recipe *recipe = parse(WARM("best"));
    mopt_result *none = NULL;
    to_file(recipe, kit_path("stays.db"));
    kit_ok(mopt_recipe_set(recipe, "search.trials", "2"));
    mopt_result_free(run(recipe));
    kit_ok(mopt_recipe_set(recipe, "search.warm_start.round", "2"));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &none), MOPT_EINVAL);
    kit_says("another recipe");
    mopt_recipe_free(recipe);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("starts");
    TCase *tcase = tcase_create("starts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, trials_start_by_the_rule, 0, 2);
    tcase_add_test(tcase, a_start_is_the_weights_of_that_trial);
    tcase_add_test(tcase, workers_do_not_matter);
    tcase_add_test(tcase, interrupted_between_trials);
    tcase_add_loop_test(tcase, cancelled_within_trials, 0, 2);
    tcase_add_test(tcase, files_of_the_best_are_kept);
    tcase_add_loop_test(tcase, files_that_are_gone_cost_time_only, 0, 3);
    tcase_add_test(tcase, a_trial_that_comes_back_goes_first);
    tcase_add_test(tcase, waiting_has_an_end);
    tcase_add_test(tcase, without_memory);
    tcase_add_test(tcase, wrong_keys);
    tcase_add_test(tcase, a_study_stays_as_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
