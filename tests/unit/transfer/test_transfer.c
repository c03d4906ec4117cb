/* SPDX-License-Identifier: MIT
 * tests/unit/transfer/test_transfer.c: fine-tuning, the probe, adapters, names
 * of weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../train/school.h"
#include "backend/backend.h"
#include "base/context.h"
#include "base/rng.h"
#include "learn/transfer/finetune.h"
#include "learn/transfer/leaveout.h"

static mopt_context *ctx;
static mopt_dataset *train, *other;
static mopt_model *source;
static mopt_finetune *tune;

static void setup(void)
{
    mopt_trainer *t;

    ctx = kit_begin();
    train = school_clouds(ctx, SCHOOL_ROWS, 1, 1);
    other = school_clouds(ctx, 60, 1, 2);
    source = school_model(ctx, SCHOOL_CLASSES, 0);
    t = school_trainer(ctx, source, train, NULL, "{\"epochs\": 10}");
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
    tune = NULL;
}

static void teardown(void)
{
    mopt_finetune_free(tune);
    mopt_model_free(source);
    mopt_dataset_free(train);
    mopt_dataset_free(other);
    kit_end(ctx);
}

static void begin(const char *settings, const char *training)
{
    mopt_config *config = school_config(ctx, "finetune", settings);
    mopt_config *how = school_config(ctx, "train", training);

    mopt_finetune_free(tune);
    kit_ok(mopt_finetune_create(ctx, source, train, other, config, how,
                                &tune));
    mopt_config_free(config);
    mopt_config_free(how);
}

static const char *report(void)
{
    static char text[1 << 14];

    kit_ok(mopt_finetune_evaluate(tune, NULL, other, NULL, text, sizeof text,
                                  NULL));
    return text;
}

/* Which tensors of the model differ from the source's: bit i for tensor i. */
static int changed(void)
{
    int bits = 0;

    for (int64_t i = 0; i < moi_model_param_count(source); i++) {
        const moi_param *p = moi_model_param(source, i);

        if (memcmp(moi_model_weights(tune->model) + p->offset,
                   moi_model_weights(source) + p->offset,
                   (size_t)p->count * sizeof(moi_real)) != 0)
            bits |= 1 << i;
    }
    return bits;
}

/* layers.0.weight is 1, layers.0.bias 2, layers.1.weight 4, its bias 8. */
START_TEST(what_learns)
{
    static const struct {
        const char *settings;
        int bits;
    } cases[] = {
        {"{\"method\": \"full\"}", 15},
        {"{\"method\": \"head\"}", 12},
        {"{\"method\": \"bias\"}", 10},
        {"{\"method\": {\"type\": \"lora\", \"rank\": 2}}", 5},
        {"{\"method\": {\"type\": \"lora\", \"targets\": \"*.0.weight\"}}", 1},
        {"{\"method\": \"probe\"}", 12},
        {"{\"freeze\": \"layers.0.*,*.1.bias\"}", 4},
        {"{\"rate\": 0}", 0},
        {"{\"unfreeze_every\": 100}", 12},
        {"{\"method\": \"bias\", \"head\": \"new\"}", 14},
    };

    begin(cases[_i].settings, "{\"epochs\": 3}");
    kit_ok(mopt_finetune_fit(tune, NULL));
    ck_assert_int_eq(changed(), cases[_i].bits);
    ck_assert_ptr_nonnull(strstr(report(), "\"forgotten\""));
}
END_TEST

/* Far stronger than the loss, the pull leaves the weights where they were. */
START_TEST(l2_sp_holds_on)
{
    const char *plain = "{\"epochs\": 20, \"optimizer\": {\"type\": \"sgd\","
                        " \"learning_rate\": 0.1}}";
    double loose = 0, held = 0;

    for (int k = 0; k < 2; k++) {
        const moi_real *w, *from = moi_model_weights(source);
        double sum = 0;

        begin(k ? "{\"l2_sp\": 10}" : "{}", plain);
        kit_ok(mopt_finetune_fit(tune, NULL));
        w = moi_model_weights(tune->model);
        for (int64_t i = 0; i < moi_model_size(source); i++)
            sum += ((double)w[i] - from[i]) * ((double)w[i] - from[i]);
        *(k ? &held : &loose) = sum;
    }
    ck_assert_double_gt(loose, 0);
    ck_assert_double_lt(held, loose / 20);
}
END_TEST

START_TEST(a_new_head_of_another_width)
{
    int32_t y[60];
    float x[60 * SCHOOL_FEATURES];
    mopt_dataset *wide = NULL;
    mopt_config *config = school_config(ctx, "finetune", "{}");

    kit_ok(mopt_dataset_read(other, 0, 60, x, NULL));
    for (int i = 0; i < 60; i++)
        y[i] = i % 7;
    kit_ok(mopt_dataset_from_memory(ctx, 60, SCHOOL_FEATURES, x, MOPT_F32, 0,
                                    y, MOPT_I32, 1, 7, NULL, NULL, &wide));
    kit_ok(mopt_finetune_create(ctx, source, wide, wide, config, NULL, &tune));
    mopt_config_free(config);
    ck_assert_int_eq(moi_model_outputs(tune->model), 7);
    ck_assert_int_eq(memcmp(moi_model_weights(tune->model),
                            moi_model_weights(source), 8 * sizeof(moi_real)),
                     0);
    kit_ok(mopt_finetune_fit(tune, NULL));
    ck_assert_ptr_nonnull(strstr(report(), "\"untuned\": null"));
    mopt_finetune_free(tune);
    tune = NULL;
    config = school_config(ctx, "finetune", "{\"head\": \"keep\"}");
    kit_fails(mopt_finetune_create(ctx, source, wide, wide, config, NULL,
                                   &tune), MOPT_EINVAL);
    kit_says("keep");
    mopt_config_free(config);
    mopt_dataset_free(wide);
}
END_TEST

START_TEST(freezing_all_is_refused)
{
    mopt_config *config = school_config(ctx, "finetune",
                                        "{\"freeze\": \"*\"}");

    kit_fails(mopt_finetune_create(ctx, source, other, other, config, NULL,
                                   &tune), MOPT_EINVAL);
    kit_says("freeze: '*' leaves no tensor that learns");
    mopt_config_free(config);
}
END_TEST

/* ---- the probe ---- */

#define N 40
#define D 6
#define K 2

/* N rows, or all but one of them. */
static void begin_ridge(moi_ridge *r, int32_t without)
{
    moi_real x[N][D], y[N][K];
    moi_rng rng;
    int64_t at = 0;

    moi_rng_init(&rng, 4, 0, MOI_RNG_GENERATE, 1);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < D; k++)
            x[at][k] = (moi_real)(3 + moi_rng_normal(&rng) * (k + 1));
        for (int k = 0; k < K; k++)
            y[at][k] = (moi_real)(2 + moi_rng_normal(&rng)) + x[at][k] -
                       x[at][k + 2] / 2;
        at += i != without;
    }
    kit_ok(moi_ridge_create(ctx, D, K, N, r));
    kit_ok(moi_ridge_add(r, 7, x[0], y[0]));
    kit_ok(moi_ridge_add(r, at - 7, x[7], y[7]));
    moi_ridge_close(r);
}

/* (X^T X + penalty) w = X^T y holds, in double. */
START_TEST(ridge_solves_its_equations)
{
    moi_ridge r;

    begin_ridge(&r, -1);
    kit_ok(moi_ridge_solve(&r, 2.5));
    for (int i = 0; i < D; i++)
        for (int k = 0; k < K; k++) {
            double left = 2.5 * r.weights[i * K + k], right = 0;

            for (int n = 0; n < N; n++) {
                const double *x = r.table + n * (D + K);
                double told = 0;

                for (int j = 0; j < D; j++)
                    told += x[j] * r.weights[j * K + k];
                left += x[i] * told;
                right += x[i] * x[D + k];
            }
            ck_assert_double_eq_tol(left, right, 1e-9 * (1 + fabs(right)));
        }
    moi_ridge_clear(&r);
}
END_TEST

/* What a row left out is told, by really leaving it out. */
START_TEST(left_out_rows)
{
    moi_ridge all, less;
    moi_leaveout left;
    double told[N * K];

    begin_ridge(&all, -1);
    kit_ok(moi_leaveout_create(&all, NULL, &left));
    kit_ok(moi_leaveout_tell(&left, 2.5, told));
    for (int i = 0; i < N; i++) {
        begin_ridge(&less, i);
        kit_ok(moi_ridge_solve(&less, 2.5));
        for (int k = 0; k < K; k++) {
            double sum = less.mean[D + k];

            for (int j = 0; j < D; j++)
                sum += (all.table[i * (D + K) + j] + all.mean[j] -
                        less.mean[j]) * less.weights[j * K + k];
            ck_assert_double_eq_tol(told[i * K + k], sum, 1e-9);
        }
        moi_ridge_clear(&less);
    }
    moi_leaveout_clear(&left);
    moi_ridge_clear(&all);
}
END_TEST

/* A probe on the features is as good as the head that they were trained with:
 * no other tensor differs. */
START_TEST(a_probe_classifies)
{
    double accuracy, trained;

    begin("{\"method\": \"probe\", \"head\": \"new\"}", "{\"epochs\": 30}");
    kit_ok(mopt_finetune_fit(tune, NULL));
    accuracy = strtod(strstr(strstr(report(), "\"target\""), "\"accuracy\"") +
                          12, NULL);
    trained = strtod(strstr(strstr(report(), "\"before\""), "\"accuracy\"") +
                         12, NULL);
    ck_assert_msg(accuracy >= trained, "%s", report());
    ck_assert_double_gt(tune->penalty, 0);
}
END_TEST

/* ---- low ranks ---- */

/* What pull says is how the loss changes with the factors: dW of a linear
 * function sum(C W) is C. */
START_TEST(factors_follow_gradients)
{
    moi_lora *lora = NULL;
    int64_t size = moi_model_size(source);
    moi_real *c = calloc((size_t)size, sizeof *c);
    moi_real *w = moi_model_weights(source);
    moi_rng rng;

    kit_ok(moi_lora_create(source, "*.weight", NULL, 2, 0.5, 7, &lora));
    moi_rng_init(&rng, 1, 0, MOI_RNG_GENERATE, 2);
    for (int64_t i = 0; i < size; i++)
        c[i] = (moi_real)moi_rng_normal(&rng);
    for (int64_t i = 0; i < lora->annex.size; i++)
        lora->annex.weights[i] = (moi_real)moi_rng_normal(&rng);
    kit_ok(lora->annex.pull(lora, c));
    for (int64_t p = 0; p < lora->annex.count; p++)
        for (int64_t k = 0; k < lora->params[p].count; k++) {
            int64_t at = lora->params[p].offset + k;
            double sums[2] = {0, 0};
            moi_real was = lora->annex.weights[at];

            for (int side = 0; side < 2; side++) {
                lora->annex.weights[at] = was + (side ? -1 : 1);
                kit_ok(lora->annex.settle(lora));
                for (int64_t i = 0; i < size; i++)
                    sums[side] += (double)c[i] * (double)w[i];
            }
            lora->annex.weights[at] = was;
            ck_assert_double_eq_tol(lora->annex.grads[at],
                                    (sums[0] - sums[1]) / 2, 1e-4);
        }
    free(c);
    moi_lora_free(lora);
}
END_TEST

/* The source with the adapter is the tuned model; without it, the source. */
START_TEST(adapters_come_and_go)
{
    const char *path = kit_path("adapter");
    float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];
    float tuned[SCHOOL_WEIGHTS];
    mopt_adapter *adapter = NULL;
    mopt_model *model = NULL;
    char text[1000];
    int64_t count;

    begin("{\"method\": {\"type\": \"lora\", \"rank\": 2}}", "{\"epochs\": 5}");
    kit_ok(mopt_finetune_fit(tune, NULL));
    kit_ok(mopt_finetune_model(tune, &model));
    kit_ok(mopt_finetune_adapter(tune, &adapter));
    kit_ok(mopt_adapter_save(adapter, path));
    mopt_adapter_free(adapter);
    kit_ok(mopt_adapter_load(ctx, path, &adapter));
    count = school_weights(source, before);
    school_weights(model, tuned);
    kit_ok(mopt_adapter_apply(adapter, source));
    kit_fails(mopt_adapter_apply(adapter, source), MOPT_ESTATE);
    school_weights(source, after);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(after[i], tuned[i], 1e-5);
    kit_fails(mopt_adapter_remove(adapter, model), MOPT_ESTATE);
    kit_ok(mopt_adapter_remove(adapter, source));
    school_weights(source, after);
    ck_assert_int_eq(memcmp(before, after, (size_t)count * sizeof *after), 0);
    kit_ok(mopt_adapter_describe(adapter, text, sizeof text, NULL));
    ck_assert_ptr_nonnull(strstr(text, "\"params\": 48"));
    mopt_adapter_free(adapter);
    mopt_model_free(model);
}
END_TEST

/* Every byte of an adapter cut off, or turned: an error, or numbers. */
START_TEST(hostile_adapters)
{
    char *path = strdup(kit_path("adapter")), bytes[8192];
    mopt_adapter *adapter = NULL;
    size_t size;
    FILE *file;

    begin("{\"method\": {\"type\": \"lora\", \"rank\": 2}}", "{\"epochs\": 1}");
    kit_ok(mopt_finetune_adapter(tune, &adapter));
    kit_ok(mopt_adapter_save(adapter, path));
    mopt_adapter_free(adapter);
    file = fopen(path, "rb");
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 0; i < size; i++) {
        for (int turn = 0; turn < 2; turn++) {
            bytes[i] ^= (char)(turn ? 0x15 : 0);
            kit_write(path, bytes, turn ? size : i);
            adapter = NULL;
            if (mopt_adapter_load(ctx, path, &adapter) == MOPT_OK &&
                mopt_adapter_apply(adapter, source) == MOPT_OK)
                kit_ok(mopt_adapter_remove(adapter, source));
            mopt_adapter_free(adapter);
            bytes[i] ^= (char)(turn ? 0x15 : 0);
        }
    }
    free(path);
}
END_TEST

/* ---- resume, names, features ---- */

static int32_t stop_at_2(void *user, mopt_trainer *t)
{
    (void)user;
    return school_get(t, "epoch") >= 2 ? MOPT_STOPPED : MOPT_OK;
}

START_TEST(resume_with_low_ranks)
{
    const char *settings = "{\"method\": {\"type\": \"lora\", \"rank\": 2},"
                           " \"baseline\": false}";
    const char *path = kit_path("state");
    float whole[SCHOOL_WEIGHTS], parts[SCHOOL_WEIGHTS];
    mopt_trainer *t = NULL;
    int64_t count;

    begin(settings, "{\"epochs\": 5}");
    kit_ok(mopt_finetune_fit(tune, NULL));
    count = school_weights(tune->model, whole);
    begin(settings, "{\"epochs\": 5}");
    kit_ok(mopt_finetune_trainer(tune, &t));
    kit_ok(mopt_trainer_on_epoch(t, stop_at_2, NULL, NULL));
    kit_fails(mopt_finetune_fit(tune, NULL), MOPT_STOPPED);
    kit_ok(mopt_trainer_save(t, path));
    begin(settings, "{\"epochs\": 5}");
    kit_ok(mopt_finetune_trainer(tune, &t));
    kit_ok(mopt_trainer_resume(t, path));
    kit_ok(mopt_finetune_fit(tune, NULL));
    school_weights(tune->model, parts);
    ck_assert_int_eq(memcmp(whole, parts, (size_t)count * sizeof *parts), 0);
}
END_TEST

START_TEST(weights_by_name)
{
    const char *path = kit_path("m.safetensors");
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.5);
    float one[SCHOOL_WEIGHTS], two[SCHOOL_WEIGHTS];

    kit_ok(mopt_model_save(source, path));
    kit_fails(mopt_model_load_weights(model, path, NULL), MOPT_EKEY);
    kit_says("layers.2.weight");
    kit_ok(mopt_model_load_weights(
        model, path, "{\"layers.2.weight\": \"layers.1.weight\","
                     " \"layers.2.bias\": {\"name\": \"layers.1.bias\"}}"));
    ck_assert_int_eq(school_weights(source, one), school_weights(model, two));
    ck_assert_int_eq(memcmp(one, two, 67 * sizeof *one), 0);
    kit_fails(mopt_model_load_weights(model, path, "{\"layers.2.weight\":"
                                      " \"layers.0.weight\"}"), MOPT_EFORMAT);
    kit_fails(mopt_model_load_weights(model, path, "{\"layer.2.weight\":"
                                      " \"x\"}"), MOPT_EKEY);
    kit_says("layers.2.weight");
    kit_fails(mopt_model_load_weights(model, path, "{\"layers.2.bias\": 3}"),
              MOPT_EINVAL);
    kit_fails(mopt_model_load_weights(model, path, "[]"), MOPT_EINVAL);
    kit_fails(mopt_model_load_weights(model, path, "{"), MOPT_EFORMAT);
    school_weights(model, two);
    ck_assert_int_eq(memcmp(one, two, 67 * sizeof *one), 0);
    mopt_model_free(model);
}
END_TEST

/* What the head reads, times its weights, is what it says. */
START_TEST(features)
{
    float x[60 * 8], w[8 * 3], b[3], y[60 * 3];

    kit_ok(mopt_model_features(source, -1, other, x, 60 * 8, NULL));
    kit_ok(mopt_model_get_tensor(source, "layers.1.weight", w, 24));
    kit_ok(mopt_model_get_tensor(source, "layers.1.bias", b, 3));
    kit_ok(mopt_model_predict_dataset(source, other, y, 180, NULL));
    for (int i = 0; i < 60; i++)
        for (int k = 0; k < 3; k++) {
            double sum = b[k];

            for (int j = 0; j < 8; j++)
                sum += (double)x[i * 8 + j] * w[k * 8 + j];
            ck_assert_double_eq_tol(sum, y[i * 3 + k], 1e-4);
        }
    kit_fails(mopt_model_features(source, 5, other, x, 480, NULL),
              MOPT_EINVAL);
    kit_says("layers 0 to 1");
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tests = tcase_create("transfer");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_learns, 0, 10);
    tcase_add_test(tests, l2_sp_holds_on);
    tcase_add_test(tests, a_new_head_of_another_width);
    tcase_add_test(tests, freezing_all_is_refused);
    tcase_add_test(tests, ridge_solves_its_equations);
    tcase_add_test(tests, left_out_rows);
    tcase_add_test(tests, a_probe_classifies);
    tcase_add_test(tests, factors_follow_gradients);
    tcase_add_test(tests, adapters_come_and_go);
    tcase_add_test(tests, hostile_adapters);
    tcase_add_test(tests, resume_with_low_ranks);
    tcase_add_test(tests, weights_by_name);
    tcase_add_test(tests, features);
    suite_add_tcase(suite, tests);
    return suite;
}
