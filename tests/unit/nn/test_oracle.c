/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_oracle.c: losses, activations, metrics and model files
 * beside PyTorch, scikit-learn and the package safetensors. */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "learn/nn/activation.h"
#include "learn/nn/metrics.h"
#include "learn/nn/model.h"
#include "oracle.h"

#define ROWS 83
#define WIDE 5

static float x[ROWS * WIDE], numbers[ROWS * WIDE], shares[ROWS * WIDE];
static float weights[WIDE] = {0.5f, 2, 1.25f, 0, 3};
static int32_t classes[ROWS], binary[ROWS];

static void close_to(const char *what, double got, double want, double limit)
{
    ck_assert_msg(fabs(got - want) <= limit * fmax(1, fabs(want)),
                  "%s: %.9g, not %.9g", what, got, want);
}

/* Write what both sides work on. */
static const char *problem(mopt_context *ctx)
{
    const char *path = kit_path("given.safetensors");
    moi_rng rng;
    moi_rng_init(&rng, 21, 0, MOI_RNG_GENERATE, 0);
    for (int64_t i = 0; i < ROWS * WIDE; i++) {
        x[i] = (float)(2 * moi_rng_normal(&rng));
        numbers[i] = (float)moi_rng_normal(&rng);
        shares[i] = (float)moi_rng_uniform(&rng);
    }
    for (int64_t r = 0; r < ROWS; r++) {
        classes[r] = (int32_t)moi_rng_below(&rng, WIDE);
        binary[r] = classes[r] % 2;
    }
    moi_tensor tensors[] = {
        {"x", MOPT_F32, 2, {ROWS, WIDE}, sizeof x, x, 0},
        {"numbers", MOPT_F32, 2, {ROWS, WIDE}, sizeof numbers, numbers, 0},
        {"shares", MOPT_F32, 2, {ROWS, WIDE}, sizeof shares, shares, 0},
        {"classes", MOPT_I32, 1, {ROWS}, sizeof classes, classes, 0},
        {"weights", MOPT_F32, 1, {WIDE}, sizeof weights, weights, 0},
    };
    kit_ok(moi_safetensors_write(ctx, path, NULL, tensors, 5));
    return path;
}

/* ---- losses and activations ---- */

static const struct {
    const char *name, *kind, *settings;
    int32_t of_class; /* 1: classes, 2: two of them and one output */
} cases[] = {
    {"cross_entropy", "cross_entropy", NULL, 1},
    {"smoothed", "cross_entropy", "\"label_smoothing\": 0.1", 1},
    {"weighted", "cross_entropy", "\"class_weights\": [0.5, 2, 1.25, 0, 3]",
     1},
    {"both", "cross_entropy",
     "\"label_smoothing\": 0.3, \"class_weights\": [0.5, 2, 1.25, 0, 3]", 1},
    {"binary", "binary_cross_entropy", NULL, 2},
    {"binary_weighted", "binary_cross_entropy", "\"class_weights\": [0.5, 2]",
     2},
    {"binary_numbers", "binary_cross_entropy", NULL, 0},
    {"mse", "mse", NULL, 0},
    {"mae", "mae", NULL, 0},
    {"huber", "huber", "\"delta\": 0.3", 0},
};

static moi_loss *make_loss(mopt_context *ctx, const char *kind,
                           const char *settings, int64_t outputs)
{
    static const moi_key keys[] = {
        MOI_VARIANT("loss", "mse", moi_loss_schemas, "a loss"),
        MOI_KEYS_END,
    };
    static const moi_schema schema = {"test", "", keys};
    char json[256];
    mopt_config *config = NULL;
    moi_loss *loss = NULL;
    kit_ok(moi_config_new(ctx, &schema, &config));
    snprintf(json, sizeof json, "{\"loss\": {\"type\": \"%s\"%s%s}}", kind,
             settings != NULL ? ", " : "", settings != NULL ? settings : "");
    kit_ok(mopt_config_set_json(config, json));
    kit_ok(moi_loss_create(ctx, moi_loss_find(kind),
                           &(moi_options){config, "loss."}, outputs, &loss));
    mopt_config_free(config);
    return loss;
}

static void check_case(mopt_context *ctx, const moi_safetensors *file,
                       int64_t i)
{
    static float one[ROWS], grad[ROWS * WIDE];
    char name[64];
    int32_t two = cases[i].of_class == 2;
    int64_t n = two ? 1 : WIDE, step = two ? WIDE : 1;
    moi_loss *loss = make_loss(ctx, cases[i].kind, cases[i].settings, n);
    moi_targets targets = {two ? binary
                           : cases[i].of_class ? classes
                                               : NULL,
                           strcmp(cases[i].kind, "binary_cross_entropy") == 0
                               ? shares
                               : numbers};
    for (int64_t r = 0; r < ROWS; r++)
        one[r] = x[r * WIDE];
    double value = moi_loss_compute(loss, ROWS, n, two ? one : x, &targets,
                                    grad);
    close_to(cases[i].name, value, answer(file, cases[i].name, 1)[0], 1e-6);
    snprintf(name, sizeof name, "%s.grad", cases[i].name);
    const double *want = answer(file, name, ROWS * WIDE);
    for (int64_t k = 0; k < ROWS * n; k++)
        close_to(name, (double)grad[k], want[k * step], 1e-6);
    moi_loss_free(loss);
}

START_TEST(losses_and_activations)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = ask_oracle(ctx, "losses", problem(ctx));
    for (int64_t i = 0; file && i < (int64_t)(sizeof cases / sizeof *cases);
         i++)
        check_case(ctx, file, i);
    for (int64_t i = 1; file != NULL && moi_activations[i] != NULL; i++) {
        static float y[ROWS * WIDE], dx[ROWS * WIDE];
        const moi_activation *f = moi_activations[i];
        char name[64];
        f->forward(0.01, ROWS, WIDE, x, y);
        f->backward(0.01, ROWS, WIDE, x, y, numbers, dx);
        const double *want = answer(file, f->schema->name, ROWS * WIDE);
        for (int64_t k = 0; k < ROWS * WIDE; k++)
            close_to(f->schema->name, (double)y[k], want[k], 1e-6);
        snprintf(name, sizeof name, "%s.grad", f->schema->name);
        want = answer(file, name, ROWS * WIDE);
        for (int64_t k = 0; k < ROWS * WIDE; k++)
            close_to(name, (double)dx[k], want[k], 1e-6);
    }
    moi_safetensors_free(file);
    kit_end(ctx);
}
END_TEST

/* ---- metrics ---- */

/* Figures of n outputs a row against the oracle, in batches of 17 rows. */
static moi_metrics *measure(mopt_context *ctx, const char *kind,
                            int32_t target, int64_t targets, int64_t n,
                            const float *output, moi_loss **loss)
{
    moi_metrics *m = NULL;
    kit_ok(moi_loss_create(ctx, moi_loss_find(kind), NULL, n, loss));
    kit_ok(moi_metrics_create(ctx, *loss, target, targets, n, ROWS,
                              MOI_METRICS_AUC, NULL, &m));
    const int32_t *labels = targets == 2 ? binary : classes;
    int64_t asked = kit_allocations();
    for (int64_t r = 0; r < ROWS; r += 17) {
        int64_t count = ROWS - r < 17 ? ROWS - r : 17;
        moi_targets piece = {labels + r, numbers + r * n};
        moi_metrics_add(m, count, output + r * n, &piece);
    }
    moi_metrics_finish(m, NULL);
    ck_assert_int_eq(kit_allocations(), asked);
    return m;
}

static void compare(const moi_safetensors *file, const moi_metrics *m,
                    const char *name, const char *theirs)
{
    close_to(theirs, moi_metrics_get(m, name), answer(file, theirs, 1)[0],
             1e-6);
}

START_TEST(metrics)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = ask_oracle(ctx, "metrics", problem(ctx));
    static const char *const of_class[] = {"loss", "accuracy", "macro_f1",
                                           "macro_precision", "macro_recall",
                                           "auc"};
    static const char *const of_number[] = {"mse", "rmse", "mae", "r2"};
    static float one[ROWS];
    moi_loss *loss = NULL;
    if (file == NULL)
        goto out;
    moi_metrics *m = measure(ctx, "cross_entropy", MOPT_TARGET_CLASS, WIDE,
                             WIDE, x, &loss);
    for (int64_t i = 0; i < 6; i++)
        compare(file, m, of_class[i], of_class[i]);
    const double *confusion = answer(file, "confusion", WIDE * WIDE);
    for (int64_t i = 0; i < WIDE * WIDE; i++)
        ck_assert_double_eq((double)moi_metrics_confusion(m, i / WIDE,
                                                          i % WIDE),
                            confusion[i]);
    moi_metrics_free(m);
    moi_loss_free(loss);
    for (int32_t ties = 0; ties < 2; ties++) {
        for (int64_t r = 0; r < ROWS; r++)
            one[r] = ties ? rintf(x[r * WIDE]) : x[r * WIDE];
        m = measure(ctx, "binary_cross_entropy", MOPT_TARGET_CLASS, 2, 1, one,
                    &loss);
        compare(file, m, "auc", ties ? "auc_ties" : "auc_binary");
        if (!ties)
            compare(file, m, "accuracy", "accuracy_binary");
        moi_metrics_free(m);
        moi_loss_free(loss);
    }
    m = measure(ctx, "mse", MOPT_TARGET_NUMBER, WIDE, WIDE, x, &loss);
    for (int64_t i = 0; i < 4; i++)
        compare(file, m, of_number[i], of_number[i]);
    moi_metrics_free(m);
    moi_loss_free(loss);
    moi_safetensors_free(file);
out:
    kit_end(ctx);
}
END_TEST

/* ---- model files ---- */

/* What the package wrote is read, and gives nearly the same. */
static void check_type(mopt_context *ctx, const char *path, const char *type,
                       const float *in, const double *want, double limit)
{
    char name[500];
    float y[ROWS * 3];
    mopt_model *model = NULL;
    snprintf(name, sizeof name, "%s.%s", path, type);
    kit_ok(mopt_model_load(ctx, name, &model));
    kit_ok(mopt_model_predict(model, in, ROWS, y, NULL));
    for (int64_t i = 0; i < ROWS * 3; i++)
        close_to(type, (double)y[i], want[i], limit);
    mopt_model_free(model);
}

START_TEST(model_files)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    static float in[ROWS * 7];
    char path[400], beside[500];
    moi_rng rng;
    moi_rng_init(&rng, 22, 0, MOI_RNG_GENERATE, 0);
    for (int64_t i = 0; i < ROWS * 7; i++)
        in[i] = (float)moi_rng_normal(&rng);
    snprintf(path, sizeof path, "%s", kit_path("model.safetensors"));
    snprintf(beside, sizeof beside, "%s.x", path);
    kit_ok(mopt_model_build(ctx, 7, &model));
    kit_ok(mopt_model_add_dense(model, 11, "gelu"));
    kit_ok(mopt_model_add_dropout(model, 0.5));
    kit_ok(mopt_model_add_dense(model, 3, "softmax"));
    kit_ok(mopt_model_init(model, 3));
    kit_ok(mopt_model_save(model, path));
    moi_tensor tensor = {"x", MOPT_F32, 2, {ROWS, 7}, sizeof in, in, 0};
    kit_ok(moi_safetensors_write(ctx, beside, NULL, &tensor, 1));
    moi_safetensors *file = ask_oracle(ctx, "model", path);
    if (file != NULL) {
        const double *want = answer(file, "y", ROWS * 3);
        float y[ROWS * 3];
        kit_ok(mopt_model_predict(model, in, ROWS, y, NULL));
        for (int64_t i = 0; i < ROWS * 3; i++)
            close_to("prediction", (double)y[i], want[i], 1e-6);
        check_type(ctx, path, "f32", in, want, 1e-6);
        check_type(ctx, path, "f64", in, want, 1e-6);
        check_type(ctx, path, "f16", in, want, 5e-3);
        check_type(ctx, path, "bf16", in, want, 5e-2);
    }
    moi_safetensors_free(file);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_oracle");
    TCase *tests = tcase_create("oracle");
    tcase_add_test(tests, losses_and_activations);
    tcase_add_test(tests, metrics);
    tcase_add_test(tests, model_files);
    suite_add_tcase(suite, tests);
    return suite;
}
