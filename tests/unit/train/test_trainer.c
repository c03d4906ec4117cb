/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_trainer.c: the loop: what it learns, in which order,
 * how it ends, what its callbacks, groups and terms may do. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "school.h"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static mopt_model *model;
static float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];

static void setup(void)
{
    ctx = school_open_with(SCHOOL_ROWS, 40, 0.5, &train, &validation);
    model = school_model(ctx, SCHOOL_CLASSES, 0);
}

static void teardown(void)
{
    mopt_model_free(model);
    school_close(ctx, train, validation);
}

/* ---- learning ---- */

static const char *const optimizers[] = {
    "{\"type\": \"gd\", \"learning_rate\": 0.5}",
    "{\"type\": \"gd\", \"learning_rate\": 5, \"line_search\": true}",
    "{\"type\": \"sgd\", \"learning_rate\": 0.2}",
    "{\"type\": \"sgd\", \"learning_rate\": 0.05, \"momentum\": 0.9, "
    "\"nesterov\": true}",
    "{\"type\": \"adagrad\", \"learning_rate\": 0.05}",
    "{\"type\": \"rmsprop\", \"learning_rate\": 0.01, \"centered\": true, "
    "\"momentum\": 0.5}",
    "{\"type\": \"adadelta\", \"learning_rate\": 3}",
    "{\"type\": \"adam\", \"learning_rate\": 0.01}",
    "{\"type\": \"adam\", \"learning_rate\": 0.01, \"amsgrad\": true}",
    "{\"type\": \"adamw\", \"learning_rate\": 0.01}",
};
#define OPTIMIZERS ((int)(sizeof optimizers / sizeof *optimizers))

static const char *const schedules[] = {
    "\"constant\"",
    "{\"type\": \"step\", \"every\": 2}",
    "{\"type\": \"exponential\", \"warmup\": 1.5}",
    "\"cosine\"",
    "\"one_cycle\"",
    "{\"type\": \"reduce_on_plateau\", \"patience\": 0, \"threshold\": 0.2}",
};
#define SCHEDULES ((int)(sizeof schedules / sizeof *schedules))

START_TEST(every_rule_learns)
{
    char json[300];
    mopt_trainer *t;

    snprintf(json, sizeof json,
             "{\"epochs\": 60, \"batch_size\": 16, \"optimizer\": %s}",
             optimizers[_i]);
    t = school_trainer(ctx, model, train, validation, json);
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_eq(school_get(t, "epoch"), 60);
    ck_assert_double_eq(school_get(t, "step"), _i < 2 ? 60 : 60 * 7);
    ck_assert_msg(school_get(t, "best.accuracy") >= 0.9, "%s: accuracy %g",
                  optimizers[_i], school_get(t, "best.accuracy"));
    mopt_trainer_free(t);
}
END_TEST

START_TEST(every_schedule_learns)
{
    char json[300];
    mopt_trainer *t;

    snprintf(json, sizeof json,
             "{\"epochs\": 40, \"batch_size\": 16, \"schedule\": %s, "
             "\"optimizer\": {\"learning_rate\": 0.02}}",
             schedules[_i]);
    t = school_trainer(ctx, model, train, validation, json);
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_msg(school_get(t, "best.accuracy") >= 0.8, "%s: accuracy %g",
                  schedules[_i], school_get(t, "best.accuracy"));
    mopt_trainer_free(t);
}
END_TEST

START_TEST(numbers_are_learned)
{
    mopt_dataset *data = school_numbers(ctx, 200, 1);
    mopt_model *net = school_model(ctx, 2, 0);
    mopt_trainer *t = school_trainer(
        ctx, net, data, data,
        "{\"epochs\": 60, \"optimizer\": {\"learning_rate\": 0.01}, "
        "\"monitor\": \"validation.r2\"}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_gt(school_get(t, "best.r2"), 0.8);
    ck_assert_double_eq_tol(school_get(t, "best.mse"),
                            school_get(t, "best.loss"), 1e-6);
    mopt_trainer_free(t);
    mopt_model_free(net);
    mopt_dataset_free(data);
}
END_TEST

/* The loss of an epoch is the mean over its rows: with a rate of next to
 * nothing it is that of all rows at once. */
START_TEST(short_batches_weigh_by_their_rows)
{
    static const char *const sizes[] = {"101", "32", "7", "100", "1"};
    double want = 0;

    for (int i = 0; i < 5; i++) {
        char json[200];
        mopt_trainer *t;

        snprintf(json, sizeof json,
                 "{\"epochs\": 1, \"batch_size\": %s, \"optimizer\": "
                 "{\"type\": \"sgd\", \"learning_rate\": 1e-12}}",
                 sizes[i]);
        t = school_trainer(ctx, model, train, NULL, json);
        kit_ok(mopt_trainer_fit(t, NULL));
        if (i == 0)
            want = school_get(t, "loss");
        ck_assert_double_eq_tol(school_get(t, "loss"), want, 1e-6);
        mopt_trainer_free(t);
    }
}
END_TEST

/* A batch of several chunks has the gradient of the whole, dropout included. */
START_TEST(chunks_add_up)
{
    static const char *const json[] = {
        "{\"epochs\": 5, \"batch_size\": 50}",
        "{\"epochs\": 5, \"batch_size\": 50, \"chunk\": 7}",
        "{\"epochs\": 5, \"batch_size\": 50, \"chunk\": 49}",
    };
    mopt_model *net[3];
    int64_t count = 0;

    for (int i = 0; i < 3; i++) {
        mopt_trainer *t;

        net[i] = school_model(ctx, SCHOOL_CLASSES, 0.3);
        t = school_trainer(ctx, net[i], train, NULL, json[i]);
        kit_ok(mopt_trainer_fit(t, NULL));
        mopt_trainer_free(t);
        count = school_weights(net[i], i ? after : before);
        for (int64_t k = 0; i && k < count; k++)
            ck_assert_double_eq_tol(before[k], after[k], 1e-5);
    }
    for (int i = 0; i < 3; i++)
        mopt_model_free(net[i]);
}
END_TEST

/* ---- the same bits ---- */

static int32_t same_after(const char *json, const char *other)
{
    mopt_model *a = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_model *b = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *s = school_trainer(ctx, a, train, validation, json);
    mopt_trainer *t = school_trainer(ctx, b, train, validation, other);
    int64_t count;
    int32_t same;

    kit_ok(mopt_trainer_fit(s, NULL));
    kit_ok(mopt_trainer_fit(t, NULL));
    count = school_weights(a, before);
    school_weights(b, after);
    same = memcmp(before, after, (size_t)count * sizeof(float)) == 0 &&
           strcmp(school_history(s), school_history(t)) == 0;
    mopt_trainer_free(s);
    mopt_trainer_free(t);
    mopt_model_free(a);
    mopt_model_free(b);
    return same;
}

START_TEST(same_seed_same_bits)
{
    const char *json = "{\"epochs\": 3, \"seed\": 4}";

    ck_assert(same_after(json, json));
    ck_assert(!same_after(json, "{\"epochs\": 3, \"seed\": 5}"));
    ck_assert(!same_after(json,
                          "{\"epochs\": 3, \"seed\": 4, \"shuffle\": false}"));
}
END_TEST

START_TEST(weights_that_are_set_stay)
{
    mopt_model *net = NULL;
    mopt_trainer *t;
    float w[40];

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &net));
    kit_ok(mopt_model_add_dense(net, 8, "relu"));
    kit_ok(mopt_model_add_dense(net, SCHOOL_CLASSES, "softmax"));
    kit_fails(mopt_model_get_tensor(net, "layers.0.weight", w, 40),
              MOPT_ESTATE);
    t = school_trainer(ctx, net, train, NULL, "{\"seed\": 9}");
    kit_ok(mopt_model_get_tensor(net, "layers.0.weight", w, 40));
    mopt_trainer_free(t);
    mopt_model_free(net);
    school_weights(model, before);
    mopt_trainer_free(school_trainer(ctx, model, train, NULL, "{}"));
    school_weights(model, after);
    ck_assert_mem_eq(before, after, sizeof(float) * 40);
}
END_TEST

START_TEST(steps_by_hand_are_those_of_fit)
{
    mopt_model *other = school_model(ctx, SCHOOL_CLASSES, 0);
    const char *json = "{\"epochs\": 3, \"restore_best\": false}";
    mopt_trainer *s = school_trainer(ctx, model, train, validation, json);
    mopt_trainer *t = school_trainer(ctx, other, train, validation, json);
    double loss = -1;
    int64_t count;

    kit_ok(mopt_trainer_fit(s, NULL));
    for (int i = 0; i < 12; i++) {
        kit_ok(mopt_trainer_step(t, i % 2 ? &loss : NULL));
        ck_assert_double_eq(school_get(t, "step"), i + 1);
        ck_assert_double_eq(school_get(t, "epoch"), (i + 1) / 4);
    }
    ck_assert_double_gt(loss, 0);
    kit_fails(mopt_trainer_step(t, NULL), MOPT_EXHAUSTED);
    count = school_weights(model, before);
    school_weights(other, after);
    ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
    ck_assert_str_eq(school_history(s), school_history(t));
    mopt_trainer_free(s);
    mopt_trainer_free(t);
    mopt_model_free(other);
}
END_TEST

/* ---- descent ---- */

static int32_t loss_falls(void *user, mopt_trainer *t)
{
    double *last = user, now = school_get(t, "loss");

    ck_assert_double_lt(now, *last);
    *last = now;
    return 0;
}

START_TEST(line_search_never_climbs)
{
    double last = INFINITY;
    mopt_trainer *t = school_trainer(
        ctx, model, train, NULL,
        "{\"epochs\": 100, \"optimizer\": {\"type\": \"gd\", "
        "\"learning_rate\": 1000, \"line_search\": true}}");

    kit_ok(mopt_trainer_on_epoch(t, loss_falls, &last, NULL));
    kit_ok(mopt_trainer_step(t, NULL));
    ck_assert_double_lt(school_get(t, "learning_rate"), 1000);
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
}
END_TEST

/* ---- clipping ---- */

START_TEST(norm_is_clipped)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, NULL,
        "{\"clip_norm\": 0.01, \"optimizer\": {\"type\": \"sgd\", "
        "\"learning_rate\": 1}}");
    double sum = 0, norm;
    int64_t count = school_weights(model, before);

    kit_ok(mopt_trainer_step(t, NULL));
    norm = school_get(t, "gradient_norm");
    ck_assert_double_gt(norm, 0.1);
    school_weights(model, after);
    for (int64_t i = 0; i < count; i++)
        sum += pow((double)after[i] - (double)before[i], 2);
    ck_assert_double_eq_tol(sqrt(sum), 0.01 * norm / (norm + 1e-6), 1e-6);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(values_are_clipped)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, NULL,
        "{\"clip_value\": 0.001, \"optimizer\": {\"type\": \"sgd\", "
        "\"learning_rate\": 1}}");
    int64_t count = school_weights(model, before), cut = 0;

    kit_ok(mopt_trainer_step(t, NULL));
    school_weights(model, after);
    for (int64_t i = 0; i < count; i++) {
        double moved = fabs((double)after[i] - (double)before[i]);

        ck_assert_double_le(moved, 0.001 + 1e-6);
        cut += fabs(moved - 0.001) < 1e-6;
    }
    ck_assert_int_gt(cut, 10);
    mopt_trainer_free(t);
}
END_TEST

/* A limit that is never reached changes nothing but the order of the work. */
START_TEST(wide_clipping_changes_nothing)
{
    ck_assert(same_after("{\"epochs\": 3}",
                         "{\"epochs\": 3, \"clip_norm\": 1e6}"));
    ck_assert(same_after("{\"epochs\": 3}",
                         "{\"epochs\": 3, \"clip_value\": 1e6}"));
}
END_TEST

/* ---- figures ---- */

START_TEST(figures)
{
    mopt_trainer *t = school_trainer(ctx, model, train, validation,
                                     "{\"epochs\": 4}");
    double value = 7;
    char buf[8];
    size_t needed = 0;

    ck_assert_double_eq(school_get(t, "epoch"), 0);
    ck_assert_double_eq(school_get(t, "step"), 0);
    ck_assert_double_eq(school_get(t, "seconds"), 0);
    kit_fails(mopt_trainer_get(t, "loss", &value), MOPT_ESTATE);
    kit_fails(mopt_trainer_get(t, "best.loss", &value), MOPT_ESTATE);
    kit_fails(mopt_trainer_get(t, "learning_rate", &value), MOPT_ESTATE);
    kit_fails(mopt_trainer_get(t, "gradient_norm", &value), MOPT_ESTATE);
    kit_fails(mopt_trainer_get(t, "validation.acuracy", &value), MOPT_EKEY);
    kit_says("validation.accuracy");
    kit_fails(mopt_trainer_get(t, "best.", &value), MOPT_EKEY);
    kit_fails(mopt_trainer_get(NULL, "loss", &value), MOPT_EINVAL);
    kit_fails(mopt_trainer_get(t, NULL, &value), MOPT_EINVAL);
    kit_fails(mopt_trainer_get(t, "loss", NULL), MOPT_EINVAL);
    ck_assert_double_eq(value, 7);
    ck_assert_str_eq(school_history(t), "[]");
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_gt(school_get(t, "seconds"), 0);
    ck_assert_double_eq(school_get(t, "learning_rate"), 0.001);
    ck_assert_double_gt(school_get(t, "gradient_norm"), 0);
    ck_assert_double_le(school_get(t, "best.loss"),
                        school_get(t, "validation.loss"));
    ck_assert_double_eq(school_get(t, "best.loss"),
                        school_get(t, "best.validation.loss"));
    ck_assert_double_ge(school_get(t, "best.epoch"), 1);
    school_get(t, "validation.macro_f1");
    ck_assert_ptr_nonnull(strstr(school_history(t), "\"epoch\": 4"));
    kit_fails(mopt_trainer_history(NULL, buf, sizeof buf, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_history(t, NULL, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_history(t, buf, sizeof buf, &needed), MOPT_ERANGE);
    ck_assert_uint_gt(needed, sizeof buf);
    kit_ok(mopt_trainer_history(t, NULL, 0, &needed));
    mopt_trainer_free(t);
}
END_TEST

/* ---- creating ---- */

static void refuses(const mopt_dataset *a, const mopt_dataset *b,
                    const char *json, const char *says)
{
    mopt_config *config = school_config(ctx, "train", json);
    mopt_trainer *t = NULL;

    kit_fails(mopt_trainer_create(ctx, model, a, b, config, &t), MOPT_EINVAL);
    kit_says(says);
    ck_assert_ptr_null(t);
    mopt_config_free(config);
}

START_TEST(what_does_not_go_together)
{
    mopt_dataset *numbers = school_numbers(ctx, 10, 1), *narrow = NULL;
    mopt_config *data = school_config(ctx, "group", "{}");
    mopt_trainer *t = NULL;
    static const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int32_t y[4] = {0, 1, 2, 0};

    kit_ok(mopt_dataset_from_memory(ctx, 4, 2, x, MOPT_F32, 0, y, MOPT_I32, 1,
                                    0, NULL, NULL, &narrow));
    kit_fails(mopt_trainer_create(NULL, model, train, NULL, NULL, &t),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_create(ctx, NULL, train, NULL, NULL, &t),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_create(ctx, model, NULL, NULL, NULL, &t),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_create(ctx, model, train, NULL, NULL, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_create(ctx, model, train, NULL, data, &t),
              MOPT_EINVAL);
    kit_says("group");
    refuses(narrow, NULL, "{}", "2 features");
    refuses(train, narrow, "{}", "validation");
    refuses(numbers, NULL, "{}", "loss");
    refuses(train, numbers, "{}", "validation");
    refuses(train, validation, "{\"loss\": \"mse\"}", "loss");
    refuses(train, validation, "{\"monitor\": \"validation.r2\"}", "monitor");
    refuses(train, NULL, "{\"monitor\": \"validation.loss\"}", "monitor");
    refuses(train, NULL, "{\"monitor\": \"learning_rate\"}", "monitor");
    refuses(train, NULL,
            "{\"optimizer\": {\"type\": \"sgd\", \"nesterov\": true}}",
            "nesterov");
    mopt_config_free(data);
    mopt_dataset_free(numbers);
    mopt_dataset_free(narrow);
    mopt_trainer_free(NULL);
}
END_TEST

/* A trainer keeps what it was made from. */
START_TEST(a_trainer_stands_alone)
{
    mopt_model *net = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_dataset *rows = school_clouds(ctx, 50, 0.5, 7);
    mopt_trainer *t = school_trainer(ctx, net, rows, rows, "{}");

    mopt_model_free(net);
    mopt_dataset_free(rows);
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
}
END_TEST

static void sweep(int32_t forever)
{
    int64_t at = 0;

    for (;; at++) {
        mopt_trainer *t = NULL;
        int32_t rc;

        kit_fail_allocation(at, forever);
        rc = mopt_trainer_create(ctx, model, train, validation, NULL, &t);
        if (!rc)
            rc = mopt_trainer_fit(t, NULL);
        kit_fail_allocation(-1, 0);
        if (!rc) {
            mopt_trainer_free(t);
            break;
        }
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        if (t)
            kit_ok(mopt_trainer_fit(t, NULL)); /* and it is usable */
        mopt_trainer_free(t);
    }
    ck_assert_int_gt(at, 10);
}

START_TEST(every_allocation_may_fail)
{
    sweep(_i);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("trainer");
    TCase *c = tcase_create("trainer");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, every_rule_learns, 0, OPTIMIZERS);
    tcase_add_loop_test(c, every_schedule_learns, 0, SCHEDULES);
    tcase_add_test(c, numbers_are_learned);
    tcase_add_test(c, short_batches_weigh_by_their_rows);
    tcase_add_test(c, chunks_add_up);
    tcase_add_test(c, same_seed_same_bits);
    tcase_add_test(c, weights_that_are_set_stay);
    tcase_add_test(c, steps_by_hand_are_those_of_fit);
    tcase_add_test(c, line_search_never_climbs);
    tcase_add_test(c, norm_is_clipped);
    tcase_add_test(c, values_are_clipped);
    tcase_add_test(c, wide_clipping_changes_nothing);
    tcase_add_test(c, figures);
    tcase_add_test(c, what_does_not_go_together);
    tcase_add_test(c, a_trainer_stands_alone);
    tcase_add_loop_test(c, every_allocation_may_fail, 0, 2);
    suite_add_tcase(suite, c);
    return suite;
}
