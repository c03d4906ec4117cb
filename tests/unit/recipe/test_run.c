/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_run.c: recipes at work: the same bits as a program by
 * hand and for any number of workers; objectives, constraints, failures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_kit.h"

/* --- By hand ------------------------------------------------------------ */

typedef struct hand {
    mopt_dataset *train, *validation, *test;
    mopt_transform *transform;
} hand;

static void hand_load(hand *h)
{
    mopt_config *config = NULL;
    mopt_dataset *all = NULL, *train = NULL, *validation = NULL;
    kit_ok(mopt_config_create(ctx, "data", &config));
    kit_ok(mopt_config_set_text(config, "source", "linear"));
    kit_ok(mopt_config_set_int(config, "source.count", 400));
    kit_ok(mopt_config_set_int(config, "source.features", 8));
    kit_ok(mopt_config_set_int(config, "source.classes", 3));
    kit_ok(mopt_config_set_int(config, "source.seed", 4));
    kit_ok(mopt_config_set_float(config, "split.validation", 0.25));
    kit_ok(mopt_config_set_float(config, "split.test", 0.25));
    kit_ok(mopt_config_set_int(config, "split.seed", 9));
    kit_ok(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &all));
    kit_ok(mopt_dataset_split(all, config, &train, &validation, &h->test));
    kit_ok(mopt_transform_fit(train, config, &h->transform));
    kit_ok(mopt_transform_apply(h->transform, train, &h->train));
    kit_ok(mopt_transform_apply(h->transform, validation, &h->validation));
    mopt_dataset_free(train);
    mopt_dataset_free(validation);
    mopt_dataset_free(all);
    mopt_config_free(config);
}

static void hand_free(hand *h)
{
    mopt_dataset_free(h->train);
    mopt_dataset_free(h->validation);
    mopt_dataset_free(h->test);
    mopt_transform_free(h->transform);
}

/* The training of one trial, its parameters read from what was told. */
static double hand_train(const hand *h, int64_t trial, mopt_model **model)
{
    const json_t *params = json_object_get(trials[trial], "params");
    const char *rule = json_string_value(json_object_get(params,
                                                         "train.optimizer"));
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;
    double value = NAN;
    kit_ok(mopt_model_build(ctx, 8, model));
    kit_ok(mopt_model_add_dense(
        *model, (int64_t)param_of(trial, "model.layers[0].units"), "relu"));
    kit_ok(mopt_model_add_dropout(*model,
                                  param_of(trial, "model.layers[1].rate")));
    kit_ok(mopt_model_add_dense(*model, 3, NULL));
    kit_ok(mopt_config_create(ctx, "train", &config));
    kit_ok(mopt_config_set_int(config, "epochs", 4));
    kit_ok(mopt_config_set_int(config, "seed", 3));
    kit_ok(mopt_config_set_int(config, "batch_size",
                               (int64_t)param_of(trial, "train.batch_size")));
    kit_ok(mopt_config_set_text(config, "optimizer", rule));
    kit_ok(mopt_config_set_text(config, "monitor", "validation.loss"));
    if (strcmp(rule, "adam") == 0) {
        kit_ok(mopt_config_set_float(
            config, "optimizer.learning_rate",
            param_of(trial, "train.optimizer.adam.learning_rate")));
    } else {
        kit_ok(mopt_config_set_float(config, "optimizer.learning_rate", 0.1));
        kit_ok(mopt_config_set_float(
            config, "optimizer.momentum",
            param_of(trial, "train.optimizer.sgd.momentum")));
    }
    kit_ok(mopt_trainer_create(ctx, *model, h->train, h->validation, config,
                               &trainer));
    kit_ok(mopt_trainer_fit(trainer, NULL));
    kit_ok(mopt_trainer_get(trainer, "best.loss", &value));
    mopt_trainer_free(trainer);
    mopt_config_free(config);
    return value;
}

START_TEST(the_bits_of_a_program_by_hand)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    mopt_model *winner = NULL;
    int64_t best = json_integer_value(at(json, "best", "number"));
    int32_t kinds = 0;
    hand h = {0};
    hand_load(&h);
    kit_ok(mopt_result_model(result, &winner));
    for (int64_t i = 0; i < 8; i++) {
        mopt_model *model = NULL;
        double value = hand_train(&h, i, &model);
        ck_assert_msg(value == value_of(i), "trial %d: %.17g by hand, %.17g",
                      (int)i, value, value_of(i));
        kinds |= json_object_get(json_object_get(trials[i], "params"),
                                 "train.optimizer.sgd.momentum") ? 1 : 2;
        ck_assert(value_of(best) <= value);
        if (i == best) {
            same_weights(model, winner);
            char text[8192];
            kit_ok(mopt_model_set_transform(model, h.transform));
            kit_ok(mopt_model_evaluate(model, h.test, NULL, NULL, text,
                                       sizeof text, NULL));
            json_t *test = json_loads(text, 0, NULL);
            ck_assert(json_equal(test, at(json, "test", NULL)));
            ck_assert(json_equal(test, test_told));
            json_decref(test);
        }
        mopt_model_free(model);
    }
    ck_assert_int_eq(kinds, 3); /* both rules were tried */
    ck_assert(json_number_value(json_object_get(
                  at(json, "best", "values"), "validation.loss")) ==
              value_of(best));
    /* The kept weights are those of the best epoch. */
    ck_assert(json_number_value(at(json, "validation", "loss")) ==
              value_of(best));
    ck_assert_int_eq(json_integer_value(json_object_get(data_told, "train")),
                     200);
    hand_free(&h);
    mopt_model_free(winner);
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- The same again ----------------------------------------------------- */

START_TEST(workers_give_the_same_bits)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *one = run(recipe), *two;
    mopt_model *a = NULL, *b = NULL;
    double values[8];
    for (int64_t i = 0; i < 8; i++)
        values[i] = value_of(i);
    kit_ok(mopt_recipe_set(recipe, "search.workers", "2"));
    two = run(recipe);
    for (int64_t i = 0; i < 8; i++)
        ck_assert(values[i] == value_of(i));
    kit_ok(mopt_result_model(one, &a));
    kit_ok(mopt_result_model(two, &b));
    same_weights(a, b);
    mopt_model_free(a);
    mopt_model_free(b);
    mopt_result_free(one);
    mopt_result_free(two);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(a_trial_once_more)
{
    mopt_recipe *recipe = parse(SEARCHED), *one = NULL;
    mopt_result *result = run(recipe), *again;
    mopt_model *a = NULL, *b = NULL;
    json_t *json = told(result);
    double value = value_of(json_integer_value(at(json, "best", "number")));
    char *params = json_dumps(at(json, "best", "params"), 0);
    kit_ok(mopt_recipe_apply(recipe, params, &one));
    again = run(one);
    ck_assert(value_of(0) == value);
    kit_ok(mopt_result_model(result, &a));
    kit_ok(mopt_result_model(again, &b));
    same_weights(a, b);
    json_decref(json);
    json = told(again);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 1);
    ck_assert_uint_eq(json_object_size(at(json, "best", "params")), 0);
    free(params);
    mopt_model_free(a);
    mopt_model_free(b);
    json_decref(json);
    mopt_result_free(again);
    mopt_result_free(result);
    mopt_recipe_free(one);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Objectives --------------------------------------------------------- */

#define FIXED_TRAIN \
    "\"train\": {\"epochs\": 2, \"batch_size\": 32, \"seed\": 1}"

START_TEST(costs_are_objectives)
{
    mopt_recipe *recipe = parse(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": "
        "{\"choice\": [4, 16]}, \"activation\": \"tanh\"}, {\"type\": "
        "\"dense\"}]}, " FIXED_TRAIN ", \"search\": {\"sampler\": \"grid\"}, "
        "\"objectives\": [\"params\", \"accuracy\", \"bytes\", \"flops\", "
        "\"memory\", \"latency.p50\", \"latency.p99\", \"throughput\"]}");
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    const json_t *values = at(json, "best", "values");
    const json_t *costs = at(json, "costs", NULL);
    /* 8*4+4 + 4*3+3 weights; fewer are better. */
    ck_assert_uint_eq(json_object_size(values), 8);
    ck_assert(json_number_value(json_object_get(values, "params")) == 51);
    ck_assert(json_number_value(json_object_get(values, "bytes")) == 204);
    ck_assert(json_number_value(json_object_get(values, "flops")) >=
              2 * (32 + 12));
    ck_assert(json_number_value(json_object_get(values, "memory")) > 204);
    double p50 = json_number_value(json_object_get(values, "latency.p50"));
    double p99 = json_number_value(json_object_get(values, "latency.p99"));
    ck_assert(p50 > 0 && p50 <= p99 && p99 < 10);
    ck_assert(json_number_value(json_object_get(values, "throughput")) > 0);
    ck_assert_int_eq(json_integer_value(json_object_get(costs, "params")), 51);
    ck_assert(json_number_value(json_object_get(costs, "latency.p50")) > 0);
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(figures_that_epochs_do_not_tell)
{
    static const char *const metrics[] = {"auc", "macro_f1", "macro_recall",
                                          "macro_precision", "error",
                                          "accuracy"};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        char text[2048];
        snprintf(text, sizeof text, "{" DATA ", \"model\": {\"layers\": "
                 "[{\"type\": \"dense\"}]}, " FIXED_TRAIN ", \"objectives\": "
                 "[\"%s\"]}", metrics[i]);
        mopt_recipe *recipe = parse(text);
        mopt_result *result = run(recipe);
        json_t *json = told(result);
        ck_assert_msg(value_of(0) == json_number_value(
                                         at(json, "validation", metrics[i])),
                      "%s", metrics[i]);
        json_decref(json);
        mopt_result_free(result);
        mopt_recipe_free(recipe);
    }
}
END_TEST

/* A table: y = 2a - b, and a little that cannot be known. */
static void write_table(const char *path)
{
    char text[16384];
    size_t used = (size_t)snprintf(text, sizeof text, "a,b,y\n");
    for (int i = 0; i < 200; i++) {
        double a = (i * 37 % 100) / 50.0 - 1, b = (i * 61 % 100) / 50.0 - 1;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%.3f,%.3f,%.4f\n", a, b,
                                 2 * a - b + (i % 7) * 0.01);
    }
    kit_write(path, text, used);
}

START_TEST(numbers_are_ranked_by_rmse)
{
    char text[2048];
    write_table(kit_path("table.csv"));
    snprintf(text, sizeof text, "{\"data\": {\"source\": {\"type\": \"csv\", "
             "\"path\": \"%s\", \"target\": \"y\"}, \"split\": "
             "{\"validation\": 0.2, \"test\": 0.2}}, \"model\": {\"layers\": "
             "[{\"type\": \"dense\"}]}, \"train\": {\"epochs\": 20, "
             "\"optimizer\": {\"type\": \"adam\", \"learning_rate\": "
             "{\"choice\": [0.05, 1e-6]}}}, \"search\": {\"sampler\": "
             "\"grid\"}}", kit_path("table.csv"));
    mopt_recipe *recipe = parse(text);
    mopt_result *result = run(recipe), *none = NULL;
    json_t *json = told(result);
    double rmse = json_number_value(json_object_get(
        at(json, "best", "values"), "validation.rmse"));
    ck_assert_int_eq(json_integer_value(at(json, "best", "number")), 0);
    /* In the target's own unit: the unknowable part is 0.02. */
    ck_assert(rmse > 0.01 && rmse < 0.2);
    ck_assert(json_number_value(at(json, "test", "r2")) > 0.95);
    kit_ok(mopt_recipe_set(recipe, "objectives", "[\"accuracy\"]"));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &none), MOPT_EINVAL);
    kit_says("objectives[0]: 'validation.accuracy' is for classes, this data "
             "has numbers");
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(nothing_to_validate_on)
{
    mopt_recipe *recipe = parse(
        "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 100}, "
        "\"split\": {\"validation\": 0}}, \"model\": {\"layers\": [{\"type\": "
        "\"dense\"}]}, \"train\": {\"epochs\": 1}}");
    mopt_result *result = NULL;
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_EINVAL);
    kit_says("data.split.validation");
    kit_ok(mopt_recipe_set(recipe, "objectives", "[\"train_seconds\"]"));
    result = run(recipe);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Constraints -------------------------------------------------------- */

#define SIZES \
    "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": " \
    "{\"choice\": [64, 4, 8]}}, {\"type\": \"dense\"}]}, " FIXED_TRAIN \
    ", \"search\": {\"sampler\": \"grid\"}, "

START_TEST(large_models_are_not_trained)
{
    mopt_recipe *recipe = parse(SIZES "\"constraints\": [{\"metric\": "
                                "\"params\", \"max\": 100}]}");
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    ck_assert_str_eq(state_of(0), "pruned");
    ck_assert_int_eq(epochs[0], 0);
    ck_assert_int_eq(epochs[1], 2);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(trials[0], "notes"), "rejected")),
                     "params is 771, the constraint is at most 100");
    ck_assert_int_eq(json_integer_value(at(json, "trials", "pruned")), 1);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 2);
    ck_assert(json_is_true(at(json, "best", "feasible")));
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(none_is_small_enough)
{
    mopt_recipe *recipe = parse(SIZES "\"constraints\": [{\"metric\": "
                                "\"params\", \"max\": 10}]}");
    mopt_result *result = NULL;
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_ENOENT);
    kit_says("no trial completed; trial 0: params is 771");
    ck_assert_ptr_null(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(feasible_goes_first)
{
    /* The best by loss is turned down: its accuracy bound cannot be met. */
    mopt_recipe *recipe = parse(
        SIZES "\"objectives\": [\"params\"], \"constraints\": [{\"metric\": "
        "\"params\", \"min\": 60}, {\"metric\": \"train_seconds\", \"max\": "
        "1e6}]}");
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    ck_assert_int_eq(json_integer_value(at(json, "best", "number")), 2);
    ck_assert_str_eq(state_of(1), "pruned");
    json_decref(json);
    mopt_result_free(result);

    /* Known after training only: the trial is complete, but not the best. */
    kit_ok(mopt_recipe_set(recipe, "constraints",
                           "[{\"metric\": \"loss\", \"max\": -1}]"));
    result = run(recipe);
    json = told(result);
    ck_assert_str_eq(state_of(1), "complete");
    ck_assert(json_is_false(at(json, "best", "feasible")));
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(pruners_are_told_each_epoch)
{
    mopt_recipe *recipe = parse(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\"}]}, "
        "\"train\": {\"epochs\": 6, \"optimizer\": {\"type\": \"sgd\", "
        "\"learning_rate\": {\"choice\": [0.5, 0.3, 1e-9]}}}, \"search\": "
        "{\"sampler\": \"grid\", \"pruner\": {\"type\": \"median\", "
        "\"startup_trials\": 2}}, \"objectives\": [\"loss\"]}");
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    ck_assert_str_eq(state_of(2), "pruned");
    ck_assert_int_lt(epochs[2], 6);
    ck_assert_int_eq(epochs[0], 6);
    ck_assert_uint_eq(json_array_size(json_object_get(trials[0],
                                                     "intermediate")), 6);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "pruned")), 1);
    json_decref(json);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Trials that fail --------------------------------------------------- */

START_TEST(failures_do_not_end_a_search)
{
    /* The middle one leaves every number behind. */
    mopt_recipe *recipe = parse(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": "
        "32}, {\"type\": \"dense\", \"units\": 32}, {\"type\": \"dense\"}]}, "
        "\"train\": {\"epochs\": 3, \"optimizer\": {\"type\": \"sgd\", "
        "\"learning_rate\": {\"choice\": [0.01, 1e6, 0.02]}}}, \"search\": "
        "{\"sampler\": \"grid\"}}");
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    ck_assert_str_eq(state_of(1), "failed");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(
                                     trials[1], "reason")), "MOPT_EDIVERGED"));
    ck_assert_int_eq(json_integer_value(at(json, "trials", "failed")), 1);
    ck_assert_int_eq(json_integer_value(at(json, "trials", "complete")), 2);
    json_decref(json);
    mopt_result_free(result);
    kit_ok(mopt_recipe_set(recipe, "train.optimizer.learning_rate", "1e6"));
    result = NULL;
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_ENOENT);
    kit_says("no trial completed; trial 0: MOPT_EDIVERGED");
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Preparing rows ----------------------------------------------------- */

START_TEST(preparing_may_be_searched)
{
    mopt_recipe *recipe = parse(
        "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 200, "
        "\"features\": 5, \"classes\": 2}, \"split\": {\"validation\": 0.3}, "
        "\"scale\": {\"choice\": [\"none\", \"standard\", \"minmax\"]}}, "
        "\"model\": {\"layers\": [{\"type\": \"dense\"}]}, " FIXED_TRAIN
        ", \"search\": {\"sampler\": \"grid\", \"workers\": 2}, "
        "\"objectives\": [\"loss\"]}");
    mopt_result *result = run(recipe);
    ck_assert(value_of(0) != value_of(1));
    ck_assert(value_of(1) != value_of(2));
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* The first layer's weights: [count]. */
static void weights_of(const mopt_model *model, float *values, int64_t count)
{
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", values, count));
}

START_TEST(two_classes_one_output)
{
    mopt_recipe *recipe = parse(
        "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 300, "
        "\"features\": 5, \"classes\": 2}}, \"model\": {\"layers\": "
        "[{\"type\": \"dense\"}]}, \"train\": {\"epochs\": 10, \"loss\": "
        "\"binary_cross_entropy\"}}");
    mopt_result *result = run(recipe);
    mopt_model *model = NULL;
    float values[5];
    kit_ok(mopt_result_model(result, &model));
    weights_of(model, values, 5); /* 5 inputs, 1 output */
    mopt_model_free(model);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *runs = tcase_create("runs");
    tcase_add_checked_fixture(runs, setup, teardown);
    tcase_add_test(runs, the_bits_of_a_program_by_hand);
    tcase_add_test(runs, workers_give_the_same_bits);
    tcase_add_test(runs, a_trial_once_more);
    tcase_add_test(runs, costs_are_objectives);
    tcase_add_test(runs, figures_that_epochs_do_not_tell);
    tcase_add_test(runs, numbers_are_ranked_by_rmse);
    tcase_add_test(runs, nothing_to_validate_on);
    tcase_add_test(runs, large_models_are_not_trained);
    tcase_add_test(runs, none_is_small_enough);
    tcase_add_test(runs, feasible_goes_first);
    tcase_add_test(runs, pruners_are_told_each_epoch);
    tcase_add_test(runs, failures_do_not_end_a_search);
    tcase_add_test(runs, preparing_may_be_searched);
    tcase_add_test(runs, two_classes_one_output);
    suite_add_tcase(suite, runs);
    return suite;
}
