/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_gradients.c: every layer, activation and loss against
 * central differences, in double.
 *
 * A difference quotient over a kink (relu, mae) says nothing: where the slopes
 * to both sides differ, the coordinate is left out, and few may be. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kit.h"
#include "learn/nn/activation.h"
#include "learn/nn/loss.h"
#include "learn/nn/plan.h"

#define LIMIT 1e-6 /* relative error allowed */
#define STEP 1e-5  /* of the differences; their own error is about 1e-9 */
#define SHAPES 24

static moi_rng rng;

static int64_t below(int64_t bound)
{
    return (int64_t)moi_rng_below(&rng, (uint64_t)bound);
}

/* ---- comparing ---- */

typedef struct tally {
    int64_t compared, kinks;
} tally;

/* Analytic against numeric slope, given the values at -h, 0 and +h; scale is
 * the largest slope around. */
static void compare(tally *t, double slope, double minus, double here,
                    double plus, double scale, const char *what)
{
    double numeric = (plus - minus) / (2 * STEP);
    double bend = fabs(plus - 2 * here + minus) / STEP;
    if (bend > 1e-3 * (fabs(slope) + fabs(numeric) + scale)) {
        t->kinks++;
        return;
    }
    double size = fmax(fmax(fabs(slope), fabs(numeric)),
                       fmax(1e-2 * scale, 1e-4));
    ck_assert_msg(fabs(slope - numeric) <= LIMIT * size,
                  "%s: slope %.17g, by differences %.17g", what, slope,
                  numeric);
    t->compared++;
}

static void check_tally(const tally *t, const char *what)
{
    ck_assert_msg(t->kinks * 10 <= t->compared, "%s: %lld kinks of %lld",
                  what, (long long)t->kinks, (long long)t->compared);
}

static double largest(const double *values, int64_t count)
{
    double top = 0;
    for (int64_t i = 0; i < count; i++)
        top = fmax(top, fabs(values[i]));
    return top;
}

static void fill_normal(double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = moi_rng_normal(&rng);
}

/* Targets that a loss takes. */
static void fill_targets(const moi_loss_kind *kind, int64_t rows, int64_t n,
                         int32_t *classes, double *numbers,
                         moi_targets *targets)
{
    int32_t of_class = (kind->flags & MOI_LOSS_CLASS) != 0 &&
                       ((kind->flags & MOI_LOSS_SOFTMAX) != 0 || n == 1);
    *targets = (moi_targets){0};
    for (int64_t r = 0; r < rows; r++)
        classes[r] = (int32_t)below(n == 1 &&
                                    (kind->flags & MOI_LOSS_SIGMOID) ? 2 : n);
    for (int64_t i = 0; i < rows * n; i++)
        numbers[i] = (kind->flags & MOI_LOSS_SIGMOID)
                         ? moi_rng_uniform(&rng)
                         : moi_rng_normal(&rng);
    if (of_class)
        targets->classes = classes;
    else
        targets->numbers = numbers;
}

/* ---- losses ---- */

/* A loss with settings, through a config with one VARIANT key. */
static moi_loss *make_loss(mopt_context *ctx, const moi_loss_kind *kind,
                           const char *json, int64_t outputs)
{
    static const moi_key keys[] = {
        MOI_VARIANT("loss", "mse", moi_loss_schemas, "a loss"),
        MOI_KEYS_END,
    };
    static const moi_schema schema = {"test", "", keys};
    moi_loss *loss = NULL;
    mopt_config *config = NULL;
    kit_ok(moi_config_new(ctx, &schema, &config));
    if (json != NULL)
        kit_ok(mopt_config_set_json(config, json));
    moi_options options = {config, "loss."};
    kit_ok(moi_loss_create(ctx, kind, json != NULL ? &options : NULL, outputs,
                           &loss));
    mopt_config_free(config);
    return loss;
}

static void check_loss(const moi_loss *loss, int64_t rows, int64_t n)
{
    const moi_loss_kind *kind = moi_loss_get_kind(loss);
    int64_t all = rows * n;
    double *x = calloc((size_t)all + 1, sizeof *x);
    double *grad = calloc((size_t)all + 1, sizeof *grad);
    double *numbers = calloc((size_t)all + 1, sizeof *numbers);
    int32_t *classes = calloc((size_t)rows + 1, sizeof *classes);
    moi_targets targets;
    tally t = {0, 0};
    fill_normal(x, all);
    fill_targets(kind, rows, n, classes, numbers, &targets);
    double value = moi_loss_compute(loss, rows, n, x, &targets, grad);
    double plain = moi_loss_compute(loss, rows, n, x, &targets, NULL);
    ck_assert_double_le(fabs(value - plain), 1e-12 * (1 + fabs(value)));
    if (all == 0)
        ck_assert_double_eq(value, 0);
    double scale = largest(grad, all);
    for (int64_t i = 0; i < all; i += 1 + all / 500) {
        double keep = x[i];
        x[i] = keep - STEP;
        double minus = moi_loss_compute(loss, rows, n, x, &targets, NULL);
        x[i] = keep + STEP;
        double plus = moi_loss_compute(loss, rows, n, x, &targets, NULL);
        x[i] = keep;
        compare(&t, grad[i], minus, plain, plus, scale, kind->schema->name);
    }
    check_tally(&t, kind->schema->name);
    free(x);
    free(grad);
    free(numbers);
    free(classes);
}

START_TEST(losses)
{
    mopt_context *ctx = kit_begin();
    const moi_loss_kind *kind = moi_loss_kinds[_i];
    const char *settings[] = {
        NULL, NULL,
        "{\"loss\": {\"type\": \"cross_entropy\", \"label_smoothing\": 0.1}}",
        "{\"loss\": {\"type\": \"huber\", \"delta\": 0.3}}",
    };
    moi_rng_init(&rng, 1, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    for (int64_t shape = 0; shape < SHAPES; shape++) {
        int64_t rows = shape < 4 ? shape % 2 : 1 + below(9);
        int64_t n = shape < 4 ? 1 + shape / 2 : 1 + below(12);
        const char *json = settings[shape % 4];
        if (json != NULL && strstr(json, kind->schema->name) == NULL)
            json = NULL;
        moi_loss *loss = make_loss(ctx, kind, json, n);
        check_loss(loss, rows, n);
        moi_loss_free(loss);
    }
    moi_loss *wide = make_loss(ctx, kind, NULL, 1500);
    check_loss(wide, 3, 1500);
    moi_loss_free(wide);
    kit_end(ctx);
}
END_TEST

START_TEST(weighted_losses)
{
    mopt_context *ctx = kit_begin();
    moi_rng_init(&rng, 2, 0, MOI_RNG_GENERATE, 0);
    moi_loss *loss = make_loss(
        ctx, moi_loss_find("cross_entropy"),
        "{\"loss\": {\"type\": \"cross_entropy\", \"label_smoothing\": 0.2, "
        "\"class_weights\": [0.5, 2, 0, 1.25]}}", 4);
    for (int64_t rows = 0; rows < SHAPES; rows++)
        check_loss(loss, rows, 4);
    moi_loss_free(loss);
    loss = make_loss(ctx, moi_loss_find("binary_cross_entropy"),
                     "{\"loss\": {\"type\": \"binary_cross_entropy\", "
                     "\"class_weights\": [0.25, 3]}}", 1);
    for (int64_t rows = 0; rows < SHAPES; rows++)
        check_loss(loss, rows, 1);
    moi_loss_free(loss);
    kit_end(ctx);
}
END_TEST

/* ---- layers ---- */

/* A model's gradients on random data. flags: MOI_PLAN_LOGITS or 0. */
static void check_model(mopt_context *ctx, mopt_model *model,
                        const moi_loss *loss, int64_t rows, int32_t flags,
                        const char *what)
{
    int64_t size = moi_model_size(model), n = moi_model_outputs(model);
    int64_t inputs = moi_model_inputs(model);
    double *w = moi_model_weights(model);
    double *grads = calloc((size_t)size, sizeof *grads);
    double *numbers = calloc((size_t)(rows * n) + 1, sizeof *numbers);
    double *x = calloc((size_t)(rows * inputs) + 1, sizeof *x);
    int32_t *classes = calloc((size_t)rows + 1, sizeof *classes);
    moi_targets targets;
    moi_plan *plan = NULL;
    tally t = {0, 0};
    moi_pass pass = {.training = 1, .seed = 7, .step = 3};
    kit_ok(moi_plan_create(ctx, model, rows + 2, flags | MOI_PLAN_TRAIN,
                           &plan));
    fill_normal(x, rows * inputs);
    memcpy(moi_plan_input(plan), x, (size_t)(rows * inputs) * sizeof *x);
    fill_targets(moi_loss_get_kind(loss), rows, n, classes, numbers, &targets);
    kit_ok(moi_plan_forward(plan, w, rows, &pass));
    double here = moi_loss_compute(loss, rows, n, moi_plan_output(plan),
                                   &targets, moi_plan_output_grad(plan));
    int64_t before = kit_allocations();
    kit_ok(moi_plan_backward(plan, w, rows, &pass, grads, NULL, NULL));
    ck_assert_int_eq(kit_allocations(), before);
    for (int64_t k = 0; k < moi_model_param_count(model); k++) {
        const moi_param *param = moi_model_param(model, k);
        double scale = largest(grads + param->offset, param->count);
        for (int64_t i = 0; i < param->count; i += 1 + param->count / 60) {
            double *at = w + param->offset + i, keep = *at, side[2];
            for (int32_t s = 0; s < 2; s++) {
                *at = keep + (s == 0 ? -STEP : STEP);
                kit_ok(moi_plan_forward(plan, w, rows, &pass));
                side[s] = moi_loss_compute(loss, rows, n,
                                           moi_plan_output(plan), &targets,
                                           NULL);
            }
            *at = keep;
            compare(&t, grads[param->offset + i], side[0], here, side[1],
                    scale, what);
        }
    }
    check_tally(&t, what);
    moi_plan_free(plan);
    free(grads);
    free(numbers);
    free(x);
    free(classes);
}

/* Make, initialise, nudge (so that biases are not 0) and check a model. */
static void check_json(mopt_context *ctx, const char *json, int64_t inputs,
                       int64_t rows, const char *loss_name, int32_t flags)
{
    mopt_model *model = NULL;
    kit_ok(mopt_model_create(ctx, json, inputs, 0, &model));
    kit_ok(mopt_model_init(model, 5));
    double *w = moi_model_weights(model);
    for (int64_t k = 0; k < moi_model_param_count(model); k++) {
        const moi_param *param = moi_model_param(model, k);
        for (int64_t i = 0; i < param->count; i++)
            w[param->offset + i] += 0.1 * moi_rng_normal(&rng);
    }
    moi_loss *loss = NULL;
    kit_ok(moi_loss_create(ctx, moi_loss_find(loss_name), NULL,
                           moi_model_outputs(model), &loss));
    check_model(ctx, model, loss, rows, flags, json);
    moi_loss_free(loss);
    mopt_model_free(model);
}

/* Each activation after a dense layer, as a layer, and last of all. */
START_TEST(activations)
{
    static const char *const forms[] = {
        "{\"layers\": [{\"type\": \"dense\", \"units\": %lld, \"activation\": "
        "\"%s\"}, {\"type\": \"dense\", \"units\": %lld}]}",
        "{\"layers\": [{\"type\": \"dense\", \"units\": %lld}, {\"type\": "
        "\"activation\", \"activation\": \"%s\"}, {\"type\": \"dense\", "
        "\"units\": %lld, \"bias\": false}]}",
        "{\"layers\": [{\"type\": \"dense\", \"units\": %lld, \"activation\": "
        "\"%s\"}, {\"type\": \"dropout\", \"rate\": 0.3}, {\"type\": "
        "\"dropout\", \"rate\": 0.1}, {\"type\": \"dense\", \"units\": "
        "%lld}]}",
        "{\"layers\": [{\"type\": \"dropout\", \"rate\": 0.2}, {\"type\": "
        "\"dense\", \"units\": %lld}, {\"type\": \"dense\", \"activation\": "
        "\"%s\", \"units\": %lld}]}",
    };
    mopt_context *ctx = kit_begin();
    const char *name = moi_activations[_i]->schema->name;
    char json[1024];
    moi_rng_init(&rng, 3, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    for (int64_t shape = 0; shape < SHAPES; shape++) {
        int64_t rows = shape < 2 ? shape : 1 + below(8);
        int64_t hidden = shape < 4 ? 1 : 1 + below(9);
        int64_t outputs = shape < 4 ? 1 + shape / 2 : 1 + below(9);
        snprintf(json, sizeof json, forms[shape % 4], (long long)hidden, name,
                 (long long)outputs);
        check_json(ctx, json, 1 + below(9), rows, "mse", 0);
    }
    kit_end(ctx);
}
END_TEST

/* A last softmax or sigmoid that the loss on logits leaves out. */
START_TEST(logits)
{
    mopt_context *ctx = kit_begin();
    moi_rng_init(&rng, 4, 0, MOI_RNG_GENERATE, 0);
    for (int64_t rows = 0; rows < 5; rows++) {
        check_json(ctx, "{\"layers\": [{\"type\": \"dense\", \"units\": 5, "
                        "\"activation\": \"relu\"}, {\"type\": \"dense\", "
                        "\"units\": 3, \"activation\": \"softmax\"}]}",
                   4, rows, "cross_entropy", MOI_PLAN_LOGITS);
        check_json(ctx, "{\"layers\": [{\"type\": \"dense\", \"units\": 1}, "
                        "{\"type\": \"activation\", \"activation\": "
                        "\"sigmoid\"}]}",
                   4, rows, "binary_cross_entropy", MOI_PLAN_LOGITS);
    }
    kit_end(ctx);
}
END_TEST

/* One layer of a random stack, as JSON. */
static void random_layer(char *json, size_t cap)
{
    const char *name = moi_activations[below(8)]->schema->name;
    char function[64];
    snprintf(function, sizeof function, "\"%s\"", name);
    if (strcmp(name, "leaky_relu") == 0)
        snprintf(function, sizeof function,
                 "{\"type\": \"leaky_relu\", \"slope\": 0.%lld}",
                 (long long)below(10));
    switch (below(5)) {
    case 0:
        snprintf(json, cap, "{\"type\": \"activation\", \"activation\": %s}",
                 function);
        break;
    case 1:
        snprintf(json, cap, "{\"type\": \"dropout\", \"rate\": 0.%lld}",
                 (long long)below(8));
        break;
    default:
        snprintf(json, cap,
                 "{\"type\": \"dense\", \"units\": %lld, \"bias\": %s, "
                 "\"activation\": %s}", (long long)(1 + below(8)),
                 below(4) > 0 ? "true" : "false", function);
    }
}

START_TEST(random_stacks)
{
    mopt_context *ctx = kit_begin();
    moi_rng_init(&rng, 5, 0, MOI_RNG_GENERATE, 0);
    for (int32_t net = 0; net < 150; net++) {
        char json[2048] = "{\"layers\": [", layer[256];
        int64_t depth = 1 + below(6);
        for (int64_t i = 0; i < depth; i++) {
            random_layer(layer, sizeof layer);
            strncat(json, layer, sizeof json - strlen(json) - 1);
            strncat(json, i + 1 < depth ? ", " : "]}",
                    sizeof json - strlen(json) - 1);
        }
        const char *loss = moi_loss_kinds[below(5)]->schema->name;
        check_json(ctx, json, 1 + below(7), below(6), loss, 0);
    }
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_gradients");
    TCase *tests = tcase_create("gradients");
    tcase_add_loop_test(tests, losses, 0, 5);
    tcase_add_test(tests, weighted_losses);
    tcase_add_loop_test(tests, activations, 0, 8);
    tcase_add_test(tests, logits);
    tcase_add_test(tests, random_stacks);
    suite_add_tcase(suite, tests);
    return suite;
}
