/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_predict.c: figures by hand, and models run over many rows
 * by any number of threads. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/context.h"
#include "base/rng.h"
#include "kit.h"
#include "learn/data/dataset.h"
#include "learn/nn/metrics.h"
#include "learn/nn/model.h"
#include "learn/nn/runner.h"

/* ---- losses and metrics by hand ---- */

static moi_loss *loss_of(mopt_context *ctx, const char *name, int64_t outputs)
{
    moi_loss *loss = NULL;
    kit_ok(moi_loss_create(ctx, moi_loss_find(name), NULL, outputs, &loss));
    return loss;
}

START_TEST(losses)
{
    static const moi_real x[4] = {1, -2, 0.5f, 3};
    static const moi_real t[4] = {0, 1, 0.25f, 0.5f};
    static const int32_t y[2] = {0, 1};
    static const struct {
        const char *name;
        double want;
    } of_number[] = {
        {"mse", (1 + 9 + 0.0625 + 6.25) / 4},
        {"mae", (1 + 3 + 0.25 + 2.5) / 4},
        {"huber", (0.5 + 2.5 + 0.03125 + 2) / 4},
    };
    mopt_context *ctx = kit_begin();
    moi_loss *loss = NULL;
    moi_real grad[4];
    for (int32_t i = 0; i < 3; i++) {
        loss = loss_of(ctx, of_number[i].name, 2);
        ck_assert_double_eq_tol(
            moi_loss_compute(loss, 2, 2, x, &(moi_targets){NULL, t}, grad),
            of_number[i].want, 1e-6);
        moi_loss_free(loss);
    }
    loss = loss_of(ctx, "cross_entropy", 2);
    double a = log1p(exp(-3)), b = log1p(exp(-2.5)); /* of the two rows */
    moi_targets labels = {y, NULL};
    ck_assert_double_eq_tol(moi_loss_compute(loss, 2, 2, x, &labels, grad),
                            (a + b) / 2, 1e-6);
    ck_assert_double_eq_tol((double)grad[0], -0.5 / (1 + exp(3)), 1e-6);
    ck_assert_double_eq(moi_loss_weight(loss, 2, &labels), 2);
    moi_loss_free(loss);
    loss = loss_of(ctx, "binary_cross_entropy", 1);
    ck_assert_double_eq_tol(moi_loss_compute(loss, 2, 1, x, &labels, grad),
                            (log1p(exp(1)) + log1p(exp(2))) / 2, 1e-6);
    moi_loss_free(loss);
    kit_end(ctx);
}
END_TEST

/* Weights of classes divide, too: as many of them as the rows have. */
START_TEST(class_weights)
{
    static const moi_key keys[] = {
        MOI_VARIANT("loss", "mse", moi_loss_schemas, "a loss"),
        MOI_KEYS_END,
    };
    static const moi_schema schema = {"test", "", keys};
    static const char *const wrong[] = {"[1]", "[1, 2, 3]", "[1, -1]", "7",
                                        "[0, 0]", "[1, \"2\"]", "[1, 1e13]"};
    static const moi_real x[4] = {1, -2, 0.5f, 3};
    static const int32_t y[2] = {0, 1};
    mopt_context *ctx = kit_begin();
    mopt_config *config = NULL;
    moi_loss *loss = NULL;
    moi_options options = {NULL, "loss."};
    moi_targets labels = {y, NULL};
    kit_ok(moi_config_new(ctx, &schema, &config));
    options.config = config;
    kit_ok(mopt_config_set_json(
        config, "{\"loss\": {\"type\": \"cross_entropy\", "
                "\"class_weights\": [1, 3]}}"));
    kit_ok(moi_loss_create(ctx, moi_loss_find("cross_entropy"), &options, 2,
                           &loss));
    ck_assert_double_eq_tol(moi_loss_compute(loss, 2, 2, x, &labels, NULL),
                            (log1p(exp(-3)) + 3 * log1p(exp(-2.5))) / 4, 1e-6);
    ck_assert_double_eq(moi_loss_weight(loss, 2, &labels), 4);
    moi_loss_free(loss);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        kit_ok(mopt_config_set_text(config, "loss.class_weights", wrong[i]));
        kit_fails(moi_loss_create(ctx, moi_loss_find("cross_entropy"),
                                  &options, 2, &loss), MOPT_EINVAL);
        kit_says("loss.class_weights");
    }
    mopt_config_free(config);
    kit_end(ctx);
}
END_TEST

START_TEST(class_figures)
{
    /* Truth 0 0 1 1 2, said 0 1 1 1 3; class 4 never comes up. */
    static const moi_real x[5][5] = {{3, 1, 0, 0, 0},
                                     {0, 1, 0, 0, 0},
                                     {0, 2, 1, 0, 0},
                                     {0, 5, 0, 0, 0},
                                     {0, 0, 0, 1, 0}};
    static const int32_t y[5] = {0, 0, 1, 1, 2};
    mopt_context *ctx = kit_begin();
    moi_loss *loss = loss_of(ctx, "cross_entropy", 5);
    moi_metrics *m = NULL;
    double want = 0;
    kit_ok(moi_metrics_create(ctx, loss, MOPT_TARGET_CLASS, 5, 5, 5,
                              MOI_METRICS_AUC, NULL, &m));
    moi_metrics_finish(m, NULL);
    for (int64_t i = 0; i < moi_metrics_count(m); i++)
        ck_assert_msg(isnan(moi_metrics_value(m, i)), "no rows: %s",
                      moi_metrics_name(m, i));
    for (int32_t round = 0; round < 2; round++) {
        moi_metrics_reset(m);
        for (int64_t r = 0; r < 5; r++)
            moi_metrics_add(m, 1, x[r], &(moi_targets){y + r, NULL});
        moi_metrics_add(m, 0, x[0], &(moi_targets){y, NULL});
        moi_metrics_finish(m, NULL);
    }
    for (int64_t r = 0; r < 5; r++) {
        double sum = 0;
        for (int64_t j = 0; j < 5; j++)
            sum += exp((double)x[r][j]);
        want += (log(sum) - (double)x[r][y[r]]) / 5;
    }
    ck_assert_double_eq_tol(moi_metrics_get(m, "loss"), want, 1e-6);
    ck_assert_double_eq_tol(moi_metrics_get(m, "accuracy"), 0.6, 1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "error"), 0.4, 1e-12);
    /* Over classes 0 .. 3: precision 1, 2/3, 0/0, 0; recall 1/2, 1, 0, 0/0. */
    ck_assert_double_eq_tol(moi_metrics_get(m, "macro_precision"),
                            (1 + 2.0 / 3) / 4, 1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "macro_recall"), 1.5 / 4,
                            1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "macro_f1"),
                            (2.0 / 3 + 0.8) / 4, 1e-12);
    ck_assert_int_eq(moi_metrics_confusion(m, 0, 1), 1);
    ck_assert_int_eq(moi_metrics_confusion(m, 1, 1), 2);
    ck_assert_int_eq(moi_metrics_confusion(m, 2, 3), 1);
    ck_assert(isnan(moi_metrics_get(m, "rmse")));
    moi_metrics_free(m);
    moi_loss_free(loss);
    kit_end(ctx);
}
END_TEST

static double auc_of(mopt_context *ctx, int64_t rows, const moi_real *x,
                     const int32_t *y)
{
    moi_loss *loss = loss_of(ctx, "binary_cross_entropy", 1);
    moi_metrics *m = NULL;
    kit_ok(moi_metrics_create(ctx, loss, MOPT_TARGET_CLASS, 2, 1, rows,
                              MOI_METRICS_AUC, NULL, &m));
    moi_metrics_add(m, rows, x, &(moi_targets){y, NULL});
    moi_metrics_finish(m, NULL);
    double auc = moi_metrics_get(m, "auc");
    moi_metrics_free(m);
    moi_loss_free(loss);
    return auc;
}

START_TEST(auc)
{
    static const moi_real x[6] = {0.1f, 0.4f, 0.35f, 0.8f, 0.35f, 0.35f};
    static const int32_t one[6] = {1, 1, 1, 1, 1, 1};
    static const moi_real same[6] = {2, 2, 2, 2, 2, 2};
    mopt_context *ctx = kit_begin();
    ck_assert_double_eq(auc_of(ctx, 4, x, (int32_t[]){0, 0, 1, 1}), 0.75);
    ck_assert_double_eq(auc_of(ctx, 4, x, (int32_t[]){0, 1, 0, 1}), 1);
    ck_assert_double_eq(auc_of(ctx, 4, x, (int32_t[]){1, 0, 1, 0}), 0);
    /* 0.35 three times: ties count half. */
    ck_assert_double_eq(auc_of(ctx, 6, x, (int32_t[]){0, 1, 1, 1, 0, 0}),
                        (3 + 3 + 1 + 2 * 0.5) / 9);
    ck_assert_double_eq(auc_of(ctx, 6, same, (int32_t[]){0, 1, 1, 1, 0, 0}),
                        0.5);
    ck_assert(isnan(auc_of(ctx, 6, x, one)));
    kit_end(ctx);
}
END_TEST

START_TEST(number_figures)
{
    static const moi_real x[4][2] = {{1, 0}, {2, 5}, {3, 5}, {5, 5}};
    static const moi_real y[4][2] = {{1, 5}, {2, 5}, {3, 5}, {4, 5}};
    mopt_context *ctx = kit_begin();
    moi_loss *loss = loss_of(ctx, "mse", 2);
    moi_metrics *m = NULL;
    kit_ok(moi_metrics_create(ctx, loss, MOPT_TARGET_NUMBER, 2, 2, 4, 0, NULL,
                              &m));
    for (int64_t r = 0; r < 4; r += 2)
        moi_metrics_add(m, 2, x[r], &(moi_targets){NULL, y[r]});
    moi_metrics_finish(m, NULL);
    ck_assert_double_eq_tol(moi_metrics_get(m, "loss"), 26.0 / 8, 1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "mse"), 26.0 / 8, 1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "rmse"), sqrt(26.0 / 8), 1e-12);
    ck_assert_double_eq_tol(moi_metrics_get(m, "mae"), 6.0 / 8, 1e-12);
    /* 1 - 1/5 for the first; the second's truth never varies, and is missed. */
    ck_assert_double_eq_tol(moi_metrics_get(m, "r2"), (0.8 + 0) / 2, 1e-12);
    moi_metrics_free(m);
    moi_loss_free(loss);
    for (int64_t i = 0; moi_metrics_names[i] != NULL; i++)
        ck_assert_int_ne(moi_metrics_direction(moi_metrics_names[i]), 0);
    ck_assert_int_eq(moi_metrics_direction("loss"), -1);
    ck_assert_int_eq(moi_metrics_direction("auc"), 1);
    ck_assert_int_eq(moi_metrics_direction("speed"), 0);
    kit_end(ctx);
}
END_TEST

START_TEST(losses_say_what_they_fit)
{
    const moi_loss_kind *ce = moi_loss_find("cross_entropy");
    const moi_loss_kind *binary = moi_loss_find("binary_cross_entropy");
    const moi_loss_kind *mse = moi_loss_find("mse");
    kit_ok(moi_loss_fits(ce, MOPT_TARGET_CLASS, 5, 5));
    kit_fails(moi_loss_fits(ce, MOPT_TARGET_CLASS, 5, 4), MOPT_EINVAL);
    kit_says("5 classes");
    kit_fails(moi_loss_fits(ce, MOPT_TARGET_NUMBER, 5, 5), MOPT_EINVAL);
    kit_fails(moi_loss_fits(mse, MOPT_TARGET_CLASS, 5, 5), MOPT_EINVAL);
    kit_ok(moi_loss_fits(mse, MOPT_TARGET_NUMBER, 1, 1));
    kit_fails(moi_loss_fits(mse, MOPT_TARGET_NUMBER, 1, 2), MOPT_EINVAL);
    kit_fails(moi_loss_fits(mse, MOPT_TARGET_NONE, 0, 2), MOPT_EINVAL);
    kit_ok(moi_loss_fits(binary, MOPT_TARGET_CLASS, 2, 1));
    kit_fails(moi_loss_fits(binary, MOPT_TARGET_CLASS, 2, 2), MOPT_EINVAL);
    kit_fails(moi_loss_fits(binary, MOPT_TARGET_CLASS, 3, 1), MOPT_EINVAL);
    kit_ok(moi_loss_fits(binary, MOPT_TARGET_NUMBER, 4, 4));
    ck_assert_ptr_null(moi_loss_find("cross_entrop"));
    kit_says("nearest is cross_entropy");
    ck_assert_ptr_eq(moi_loss_usual(MOPT_TARGET_CLASS, 3), ce);
    ck_assert_ptr_eq(moi_loss_usual(MOPT_TARGET_CLASS, 1), binary);
    ck_assert_ptr_eq(moi_loss_usual(MOPT_TARGET_NUMBER, 3), mse);
}
END_TEST

/* ---- predicting ---- */

#define ROWS 3000
#define IN 100

static float *rows_of(int64_t count)
{
    float *x = malloc((size_t)count * sizeof *x);
    moi_rng rng;
    moi_rng_init(&rng, 31, 0, MOI_RNG_GENERATE, 0);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)moi_rng_normal(&rng);
    return x;
}

static mopt_model *make_model(mopt_context *ctx, const char *last)
{
    mopt_model *model = NULL;
    kit_ok(mopt_model_build(ctx, IN, &model));
    kit_ok(mopt_model_add_dense(model, 128, "relu"));
    kit_ok(mopt_model_add_dropout(model, 0.5));
    kit_ok(mopt_model_add_dense(model, 64, "gelu"));
    kit_ok(mopt_model_add_dense(model, 10, last));
    kit_ok(mopt_model_init(model, 8));
    return model;
}

static void set_threads(mopt_context *ctx, int64_t threads)
{
    mopt_config *config = NULL;
    const char *backend = getenv("MODELOPT_TEST_BACKEND");
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_int(config, "threads", threads));
    if (backend != NULL && backend[0] != '\0')
        kit_ok(mopt_config_set_text(config, "backend", backend));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
}

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    static float first[ROWS * 10], out[ROWS * 10];
    float *x = rows_of((int64_t)ROWS * IN);
    static const int64_t threads[] = {1, 2, 3, 8};
    for (int32_t i = 0; i < 4; i++) {
        mopt_context *ctx = kit_begin();
        set_threads(ctx, threads[i]);
        mopt_model *model = make_model(ctx, "softmax");
        kit_ok(mopt_model_predict(model, x, ROWS, i == 0 ? first : out, NULL));
        if (i > 0)
            ck_assert_mem_eq(first, out, sizeof out);
        mopt_model_free(model);
        kit_end(ctx);
    }
    for (int64_t r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int64_t j = 0; j < 10; j++)
            sum += (double)first[r * 10 + j];
        ck_assert_double_eq_tol(sum, 1, 1e-5);
    }
    free(x);
}
END_TEST

/* Chunks are not seen: rows one by one come to the same but for rounding. */
START_TEST(rows_do_not_know_each_other)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, NULL);
    float *x = rows_of((int64_t)700 * IN);
    static float all[700 * 10], one[10];
    kit_ok(mopt_model_predict(model, x, 700, all, NULL));
    for (int64_t r = 0; r < 700; r += 23) {
        kit_ok(mopt_model_predict(model, x + r * IN, 1, one, NULL));
        for (int64_t j = 0; j < 10; j++)
            ck_assert_double_eq_tol((double)one[j], (double)all[r * 10 + j],
                                    1e-5);
    }
    kit_ok(mopt_model_predict(model, x, 0, all, NULL));
    kit_ok(mopt_model_predict(model, NULL, 0, NULL, NULL));
    free(x);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

START_TEST(misuse)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, NULL), *bare = NULL;
    mopt_dataset *data = NULL, *wide = NULL, *plain = NULL;
    static float x[3 * IN], y[30];
    static int32_t labels[3] = {0, 1, 9};
    char text[4000];
    kit_fails(mopt_model_predict(NULL, x, 1, y, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_predict(model, NULL, 1, y, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_predict(model, x, 1, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_predict(model, x, -1, y, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_predict(model, x, INT64_MAX, y, NULL), MOPT_EINVAL);
    kit_ok(mopt_model_build(ctx, IN, &bare));
    kit_fails(mopt_model_predict(bare, x, 1, y, NULL), MOPT_ESTATE);
    kit_ok(mopt_model_add_dense(bare, 2, NULL));
    kit_fails(mopt_model_predict(bare, x, 1, y, NULL), MOPT_ESTATE);
    kit_ok(mopt_dataset_from_memory(ctx, 3, IN, x, MOPT_F32, 0, labels,
                                    MOPT_I32, 1, 10, NULL, NULL, &data));
    kit_ok(mopt_dataset_from_memory(ctx, 3, IN - 1, x, MOPT_F32, 0, labels,
                                    MOPT_I32, 1, 10, NULL, NULL, &wide));
    kit_ok(mopt_dataset_from_memory(ctx, 3, IN, x, MOPT_F32, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &plain));
    kit_fails(mopt_model_predict_dataset(NULL, data, y, 30, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_model_predict_dataset(model, NULL, y, 30, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_model_predict_dataset(model, data, NULL, 30, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_model_predict_dataset(model, data, y, 29, NULL),
              MOPT_EINVAL);
    kit_says("30");
    kit_fails(mopt_model_predict_dataset(model, wide, y, 30, NULL),
              MOPT_EINVAL);
    kit_says("99 features");
    kit_fails(mopt_model_predict_dataset(bare, data, y, 6, NULL), MOPT_ESTATE);
    kit_ok(mopt_model_predict_dataset(model, plain, y, 30, NULL));
    kit_fails(mopt_model_evaluate(NULL, data, NULL, NULL, text, sizeof text,
                                  NULL), MOPT_EINVAL);
    kit_fails(mopt_model_evaluate(model, NULL, NULL, NULL, text, sizeof text,
                                  NULL), MOPT_EINVAL);
    kit_fails(mopt_model_evaluate(model, data, NULL, NULL, NULL, 9, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_model_evaluate(model, data, "mes", NULL, text, sizeof text,
                                  NULL), MOPT_EKEY);
    kit_says("nearest is mse");
    kit_fails(mopt_model_evaluate(model, data, "mse", NULL, text, sizeof text,
                                  NULL), MOPT_EINVAL);
    kit_fails(mopt_model_evaluate(model, plain, NULL, NULL, text, sizeof text,
                                  NULL), MOPT_EINVAL);
    kit_says("no target");
    kit_fails(mopt_model_evaluate(bare, data, NULL, NULL, text, sizeof text,
                                  NULL), MOPT_ESTATE);
    kit_fails(mopt_model_evaluate(model, data, NULL, NULL, text, 9, NULL),
              MOPT_ERANGE);
    mopt_dataset_free(data);
    mopt_dataset_free(wide);
    mopt_dataset_free(plain);
    mopt_model_free(model);
    mopt_model_free(bare);
    kit_end(ctx);
}
END_TEST

/* ---- evaluating ---- */

static double figure(const char *json, const char *name)
{
    json_t *object = json_loads(json, 0, NULL);
    double value = json_number_value(json_object_get(object, name));
    json_decref(object);
    return value;
}

START_TEST(evaluation_is_of_the_predictions)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, "softmax");
    mopt_dataset *data = NULL;
    float *x = rows_of((int64_t)ROWS * IN);
    static float y[ROWS * 10];
    static int32_t labels[ROWS];
    char text[8000];
    double loss = 0, hits = 0;
    kit_ok(mopt_model_predict(model, x, ROWS, y, NULL));
    for (int64_t r = 0; r < ROWS; r++) {
        int64_t best = 0;
        for (int64_t j = 1; j < 10; j++)
            best = y[r * 10 + j] > y[r * 10 + best] ? j : best;
        labels[r] = r % 3 == 0 ? (int32_t)(r % 10) : (int32_t)best;
        hits += labels[r] == best;
        loss -= log((double)y[r * 10 + labels[r]]) / ROWS;
    }
    kit_ok(mopt_dataset_from_memory(ctx, ROWS, IN, x, MOPT_F32, 0, labels,
                                    MOPT_I32, 1, 10, NULL, NULL, &data));
    kit_ok(mopt_model_evaluate(model, data, NULL, NULL, text, sizeof text,
                               NULL));
    ck_assert_double_eq_tol(figure(text, "loss"), loss, 1e-5);
    ck_assert_double_eq_tol(figure(text, "accuracy"), hits / ROWS, 1e-9);
    ck_assert_double_eq(figure(text, "rows"), ROWS);
    ck_assert_double_ge(figure(text, "auc"), 0.6);
    mopt_dataset_free(data);
    free(x);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* Numbers are learnt in a unit of their own and come back in the target's. */
START_TEST(numbers_in_their_own_unit)
{
    mopt_context *ctx = kit_begin();
    static float x[200], y[200], out[200], inner[200];
    mopt_dataset *raw = NULL, *ready = NULL;
    mopt_config *config = NULL;
    mopt_transform *transform = NULL;
    mopt_model *model = NULL;
    const float w = 1, b = 0;
    char text[1000];
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < 200; i++) {
        x[i] = (float)(i % 37);
        y[i] = 1000 + 50 * x[i]; /* exactly linear */
        mean += (double)y[i] / 200;
    }
    for (int64_t i = 0; i < 200; i++)
        variance += ((double)y[i] - mean) * ((double)y[i] - mean) / 200;
    kit_ok(mopt_dataset_from_memory(ctx, 200, 1, x, MOPT_F32, 0, y, MOPT_F32,
                                    1, 0, NULL, NULL, &raw));
    kit_ok(mopt_config_create(ctx, "data", &config));
    kit_ok(mopt_config_set_text(config, "scale", "standard"));
    kit_ok(mopt_config_set_bool(config, "scale_target", 1));
    kit_ok(mopt_transform_fit(raw, config, &transform));
    mopt_config_free(config);
    /* In standardised units the line is the identity. */
    kit_ok(mopt_model_build(ctx, 1, &model));
    kit_ok(mopt_model_add_dense(model, 1, NULL));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(mopt_model_set_tensor(model, "layers.0.weight", &w, 1));
    kit_ok(mopt_model_set_tensor(model, "layers.0.bias", &b, 1));
    kit_ok(mopt_model_set_transform(model, transform));
    kit_ok(mopt_model_predict_dataset(model, raw, out, 200, NULL));
    for (int64_t i = 0; i < 200; i++)
        ck_assert_double_eq_tol((double)out[i], (double)y[i], 0.01);
    /* Data that were transformed already give the same. */
    kit_ok(mopt_transform_apply(transform, raw, &ready));
    kit_ok(mopt_model_predict_dataset(model, ready, inner, 200, NULL));
    ck_assert_mem_eq(out, inner, sizeof out);
    const float zero = 0;
    kit_ok(mopt_model_set_tensor(model, "layers.0.weight", &zero, 1));
    for (int32_t k = 0; k < 2; k++) {
        kit_ok(mopt_model_evaluate(model, k == 0 ? raw : ready, NULL, NULL,
                                   text, sizeof text, NULL));
        ck_assert_double_eq_tol(figure(text, "rmse"), sqrt(variance), 0.1);
        ck_assert_double_eq_tol(figure(text, "loss"), 1, 1e-3);
        ck_assert_double_eq_tol(figure(text, "r2"), 0, 1e-3);
    }
    mopt_dataset_free(raw);
    mopt_dataset_free(ready);
    mopt_transform_free(transform);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* A transform must make as many inputs as the model takes. */
START_TEST(transforms_must_fit)
{
    mopt_context *ctx = kit_begin();
    static const float x[4] = {1, 2, 3, 4};
    mopt_dataset *data = NULL;
    mopt_config *config = NULL;
    mopt_transform *transform = NULL;
    mopt_model *model = NULL;
    kit_ok(mopt_dataset_from_memory(ctx, 2, 2, x, MOPT_F32, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data));
    kit_ok(mopt_config_create(ctx, "data", &config));
    kit_ok(mopt_transform_fit(data, config, &transform));
    kit_ok(mopt_model_build(ctx, 3, &model));
    kit_fails(mopt_model_set_transform(model, transform), MOPT_EINVAL);
    kit_says("makes 2 inputs");
    kit_fails(mopt_model_set_transform(NULL, transform), MOPT_EINVAL);
    kit_ok(mopt_model_set_transform(model, NULL));
    mopt_model_free(model);
    mopt_transform_free(transform);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* ---- cancelling ---- */

static void *cancel_soon(void *token)
{
    struct timespec pause = {0, 5000000};
    nanosleep(&pause, NULL);
    mopt_cancel_request(token);
    return NULL;
}

/* Predict until a call is cancelled: it leaves rows undone, and the model is as
 * before. */
START_TEST(cancelling)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    mopt_cancel *token = NULL;
    pthread_t thread;
    int32_t rc = MOPT_OK;
    int64_t rows = 2000, undone = 0;
    float *x = rows_of(rows * 50), *y = malloc((size_t)rows * 4);
    kit_ok(mopt_model_build(ctx, 50, &model));
    for (int32_t i = 0; i < 6; i++)
        kit_ok(mopt_model_add_dense(model, 256, "relu"));
    kit_ok(mopt_model_add_dense(model, 1, NULL));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(mopt_cancel_create(ctx, &token));
    pthread_create(&thread, NULL, cancel_soon, token);
    while (rc == MOPT_OK) {
        for (int64_t r = 0; r < rows; r++)
            y[r] = NAN;
        rc = mopt_model_predict(model, x, rows, y, token);
    }
    pthread_join(thread, NULL);
    kit_fails(rc, MOPT_ECANCELED);
    for (int64_t r = 0; r < rows; r++)
        undone += isnan(y[r]) != 0;
    ck_assert_int_gt(undone, 0);
    kit_fails(mopt_model_predict(model, x, 1, y, token), MOPT_ECANCELED);
    mopt_cancel_reset(token);
    kit_ok(mopt_model_predict(model, x, rows, y, token));
    for (int64_t r = 0; r < rows; r++)
        ck_assert(!isnan(y[r]));
    mopt_cancel_free(token);
    mopt_model_free(model);
    free(x);
    free(y);
    kit_end(ctx);
}
END_TEST

/* ---- many threads, one model ---- */

typedef struct caller {
    const mopt_model *model;
    const float *x, *want;
    int32_t wrong;
} caller;

static void *predict_often(void *user)
{
    caller *c = user;
    static _Thread_local float y[64 * 10];
    for (int32_t i = 0; i < 60; i++) {
        int64_t rows = i % 3 == 0 ? 64 : 1;
        if (mopt_model_predict(c->model, c->x, rows, y, NULL) != MOPT_OK)
            c->wrong++;
        if (rows == 64 && memcmp(y, c->want, sizeof y) != 0)
            c->wrong++;
    }
    return NULL;
}

START_TEST(a_model_may_be_read_by_many)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, "softmax");
    float *x = rows_of(64 * IN), want[64 * 10];
    pthread_t threads[4];
    caller callers[4];
    kit_ok(mopt_model_predict(model, x, 64, want, NULL));
    for (int32_t i = 0; i < 4; i++) {
        callers[i] = (caller){model, x, want, 0};
        pthread_create(&threads[i], NULL, predict_often, &callers[i]);
    }
    for (int32_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(callers[i].wrong, 0);
    }
    free(x);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_predict");
    TCase *metrics = tcase_create("metrics");
    tcase_add_test(metrics, losses);
    tcase_add_test(metrics, class_weights);
    tcase_add_test(metrics, class_figures);
    tcase_add_test(metrics, auc);
    tcase_add_test(metrics, number_figures);
    tcase_add_test(metrics, losses_say_what_they_fit);
    suite_add_tcase(suite, metrics);
    TCase *predict = tcase_create("predict");
    tcase_add_test(predict, any_number_of_threads_gives_the_same_bits);
    tcase_add_test(predict, rows_do_not_know_each_other);
    tcase_add_test(predict, misuse);
    tcase_add_test(predict, evaluation_is_of_the_predictions);
    tcase_add_test(predict, numbers_in_their_own_unit);
    tcase_add_test(predict, transforms_must_fit);
    tcase_add_test(predict, cancelling);
    tcase_add_test(predict, a_model_may_be_read_by_many);
    suite_add_tcase(suite, predict);
    return suite;
}
