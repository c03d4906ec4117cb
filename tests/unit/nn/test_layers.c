/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_layers.c: the float layers against plain loops in double,
 * dropout's masks, and what a plan promises. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kit.h"
#include "learn/nn/activation.h"
#include "learn/nn/plan.h"

static moi_rng rng;

static int64_t below(int64_t bound)
{
    return (int64_t)moi_rng_below(&rng, (uint64_t)bound);
}

/* ---- a plain network, the oracle ---- */

#define MOST 64 /* units of any layer here */

static double slope_of_leaky = 0.01; /* the default */

static void plain_function(const char *name, int64_t n, const double *z,
                           double *y)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += exp(z[j]);
    for (int64_t j = 0; j < n; j++) {
        double x = z[j], s = 1 / (1 + exp(-x));
        y[j] = strcmp(name, "relu") == 0         ? fmax(x, 0)
               : strcmp(name, "leaky_relu") == 0 ? (x < 0 ? slope_of_leaky * x
                                                          : x)
               : strcmp(name, "tanh") == 0       ? tanh(x)
               : strcmp(name, "sigmoid") == 0    ? s
               : strcmp(name, "gelu") == 0 ? x / 2 * (1 + erf(x / sqrt(2)))
               : strcmp(name, "silu") == 0 ? x * s
               : strcmp(name, "softmax") == 0 ? exp(x) / sum
                                              : x;
    }
}

/* dz from dy, by the derivative written out. */
static void plain_derivative(const char *name, int64_t n, const double *z,
                             const double *y, const double *dy, double *dz)
{
    double dot = 0;
    for (int64_t j = 0; j < n; j++)
        dot += y[j] * dy[j];
    for (int64_t j = 0; j < n; j++) {
        double x = z[j], s = 1 / (1 + exp(-x));
        double d = strcmp(name, "relu") == 0 ? x > 0
                   : strcmp(name, "leaky_relu") == 0
                       ? (x > 0 ? 1 : slope_of_leaky)
                   : strcmp(name, "tanh") == 0    ? 1 - y[j] * y[j]
                   : strcmp(name, "sigmoid") == 0 ? s * (1 - s)
                   : strcmp(name, "gelu") == 0
                       ? (1 + erf(x / sqrt(2))) / 2 +
                             x * exp(-x * x / 2) / sqrt(2 * M_PI)
                   : strcmp(name, "silu") == 0 ? s + x * s * (1 - s)
                                               : 1;
        dz[j] = strcmp(name, "softmax") == 0 ? y[j] * (dy[j] - dot)
                                             : dy[j] * d;
    }
}

/* One row through the net and back; gradients are added to grads. */
static void plain_row(const mopt_model *model, const char *const *functions,
                      int64_t depth, const float *x, const float *dy_last,
                      double *out, double *grads)
{
    double y[8][MOST], z[8][MOST], dy[MOST], dz[MOST], dx[MOST];
    const float *w = moi_model_weights(model);
    int64_t n[8];
    n[0] = moi_model_inputs(model);
    for (int64_t i = 0; i < n[0]; i++)
        y[0][i] = (double)x[i];
    for (int64_t l = 0; l < depth; l++) {
        const moi_param *weight = moi_model_param(model, 2 * l);
        const moi_param *bias = moi_model_param(model, 2 * l + 1);
        n[l + 1] = bias->count;
        for (int64_t j = 0; j < n[l + 1]; j++) {
            z[l + 1][j] = (double)w[bias->offset + j];
            for (int64_t i = 0; i < n[l]; i++)
                z[l + 1][j] +=
                    y[l][i] * (double)w[weight->offset + i * n[l + 1] + j];
        }
        plain_function(functions[l], n[l + 1], z[l + 1], y[l + 1]);
    }
    for (int64_t j = 0; j < n[depth]; j++) {
        out[j] = y[depth][j];
        dy[j] = (double)dy_last[j];
    }
    for (int64_t l = depth - 1; l >= 0; l--) {
        const moi_param *weight = moi_model_param(model, 2 * l);
        const moi_param *bias = moi_model_param(model, 2 * l + 1);
        plain_derivative(functions[l], n[l + 1], z[l + 1], y[l + 1], dy, dz);
        memset(dx, 0, sizeof dx);
        for (int64_t j = 0; j < n[l + 1]; j++) {
            grads[bias->offset + j] += dz[j];
            for (int64_t i = 0; i < n[l]; i++) {
                int64_t at = weight->offset + i * n[l + 1] + j;
                grads[at] += y[l][i] * dz[j];
                dx[i] += (double)w[at] * dz[j];
            }
        }
        memcpy(dy, dx, sizeof dy);
    }
}

static void near(double got, double want, double scale, const char *what)
{
    ck_assert_msg(fabs(got - want) <= 1e-4 * fmax(fabs(want), scale),
                  "%s: %.9g, not %.9g", what, got, want);
}

/* ---- a net of float layers against it ---- */

typedef struct seen {
    int64_t next, calls;
} seen;

/* Layers are told from the last to the first, their two tensors in order, each
 * once and as a whole. */
static int32_t on_grads(void *user, int64_t tensor, int64_t first,
                        int64_t count)
{
    seen *s = user;
    int64_t odd = s->calls % 2;
    ck_assert_int_eq(tensor, odd ? s->next + 1 : s->next - 2);
    ck_assert_int_eq(first, 0);
    ck_assert_int_gt(count, 0);
    s->next = odd ? s->next : tensor;
    s->calls++;
    return MOPT_OK;
}

static void check_net(mopt_context *ctx, const char *const *functions,
                      int64_t depth, int64_t rows, int64_t spare)
{
    mopt_model *model = NULL;
    moi_plan *plan = NULL;
    moi_pass pass = {.training = 1};
    kit_ok(mopt_model_build(ctx, 1 + below(30), &model));
    for (int64_t l = 0; l < depth; l++)
        kit_ok(mopt_model_add_dense(model, 1 + below(40), functions[l]));
    kit_ok(mopt_model_init(model, 11));
    int64_t inputs = moi_model_inputs(model);
    int64_t outputs = moi_model_outputs(model), size = moi_model_size(model);
    kit_ok(moi_plan_create(ctx, model, rows + spare, MOI_PLAN_TRAIN, &plan));
    float *x = moi_plan_input(plan), *dy = moi_plan_output_grad(plan);
    float *grads = calloc((size_t)size, sizeof *grads);
    float *last = calloc((size_t)(rows * outputs), sizeof *last);
    double *want = calloc((size_t)size, sizeof *want), out[MOST];
    for (int64_t i = 0; i < rows * inputs; i++)
        x[i] = (float)moi_rng_normal(&rng);
    for (int64_t i = 0; i < rows * outputs; i++)
        dy[i] = last[i] = (float)moi_rng_normal(&rng);
    int64_t before = kit_allocations();
    seen s = {moi_model_param_count(model), 0};
    kit_ok(moi_plan_forward(plan, moi_model_weights(model), rows, &pass));
    kit_ok(moi_plan_backward(plan, moi_model_weights(model), rows, &pass,
                             grads, on_grads, &s));
    ck_assert_int_eq(kit_allocations(), before);
    ck_assert_int_eq(s.next, 0);
    ck_assert_int_eq(s.calls, 2 * depth);
    for (int64_t r = 0; r < rows; r++) {
        plain_row(model, functions, depth, x + r * inputs, last + r * outputs,
                  out, want);
        for (int64_t j = 0; j < outputs; j++)
            near((double)moi_plan_output(plan)[r * outputs + j], out[j], 0.1,
                 functions[depth - 1]);
    }
    for (int64_t i = 0; i < size; i++)
        near((double)grads[i], want[i], 1, "a gradient");
    moi_plan_free(plan);
    mopt_model_free(model);
    free(grads);
    free(last);
    free(want);
}

START_TEST(nets_are_what_plain_loops_say)
{
    mopt_context *ctx = kit_begin();
    moi_rng_init(&rng, 6, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    const char *name = moi_activations[_i]->schema->name;
    for (int64_t shape = 0; shape < 20; shape++) {
        const char *functions[6];
        int64_t depth = 1 + below(4);
        for (int64_t l = 0; l < depth; l++)
            functions[l] = moi_activations[below(8)]->schema->name;
        functions[below(depth)] = name;
        check_net(ctx, functions, depth, 1 + below(20), below(5));
    }
    kit_end(ctx);
}
END_TEST

START_TEST(a_batch_of_no_rows)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    moi_plan *plan = NULL;
    moi_pass pass = {.training = 1};
    kit_ok(mopt_model_build(ctx, 3, &model));
    kit_ok(mopt_model_add_dense(model, 4, "relu"));
    kit_ok(mopt_model_add_dense(model, 2, NULL));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(moi_plan_create(ctx, model, 1, MOI_PLAN_TRAIN, &plan));
    float grads[128];
    for (int64_t i = 0; i < 128; i++)
        grads[i] = 7;
    kit_ok(moi_plan_forward(plan, moi_model_weights(model), 0, &pass));
    kit_ok(moi_plan_backward(plan, moi_model_weights(model), 0, &pass, grads,
                             NULL, NULL));
    for (int64_t k = 0; k < moi_model_param_count(model); k++) {
        const moi_param *param = moi_model_param(model, k);
        for (int64_t i = 0; i < param->count; i++)
            ck_assert_float_eq(grads[param->offset + i], 0);
    }
    moi_plan_free(plan);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* NaN reaches the output whatever the activation, and infinity is no NaN. */
START_TEST(what_is_not_finite)
{
    const moi_activation *f = moi_activations[_i + 1];
    float x[3] = {NAN, 1, -2}, y[3];
    f->forward(0.01, 1, 3, x, y);
    ck_assert_msg(isnan(y[0]), "%s hides NaN", f->schema->name);
    if (strcmp(f->schema->name, "softmax") == 0)
        return;
    float far[2] = {-200, 200};
    f->forward(0.01, 1, 2, far, y);
    ck_assert_msg(isfinite(y[0]) && isfinite(y[1]), "%s at -200, 200: %g %g",
                  f->schema->name, (double)y[0], (double)y[1]);
}
END_TEST

static int32_t stop(void *user, int64_t tensor, int64_t first, int64_t count)
{
    (void)first;
    (void)count;
    *(int64_t *)user = tensor;
    return MOPT_STOPPED;
}

START_TEST(a_hook_may_end_the_pass)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    moi_plan *plan = NULL;
    moi_pass pass = {.training = 1};
    float grads[128];
    int64_t told = -1;
    kit_ok(mopt_model_build(ctx, 3, &model));
    kit_ok(mopt_model_add_dense(model, 4, "relu"));
    kit_ok(mopt_model_add_dense(model, 2, NULL));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(moi_plan_create(ctx, model, 5, MOI_PLAN_TRAIN, &plan));
    ck_assert_int_ge(moi_plan_bytes(plan), 5 * (3 + 4 + 2) * 4);
    memset(moi_plan_input(plan), 0, sizeof(float) * 15);
    memset(moi_plan_output_grad(plan), 0, sizeof(float) * 10);
    kit_ok(moi_plan_forward(plan, moi_model_weights(model), 5, &pass));
    ck_assert_int_eq(moi_plan_backward(plan, moi_model_weights(model), 5,
                                       &pass, grads, stop, &told),
                     MOPT_STOPPED);
    ck_assert_int_eq(told, 2);
    moi_plan_free(plan);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* ---- dropout ---- */

#define WIDE 1000

static mopt_model *dropout_model(mopt_context *ctx, double rate)
{
    mopt_model *model = NULL;
    kit_ok(mopt_model_build(ctx, WIDE, &model));
    kit_ok(mopt_model_add_dropout(model, rate));
    kit_ok(mopt_model_add_dense(model, 1, NULL));
    kit_ok(mopt_model_init(model, 1));
    return model;
}

/* The masked rows themselves: dropout alone, of ones. */
static void masks(mopt_context *ctx, double rate, int64_t rows, moi_pass pass,
                  float *out)
{
    mopt_model *model = NULL;
    moi_plan *plan = NULL;
    kit_ok(mopt_model_build(ctx, WIDE, &model));
    kit_ok(mopt_model_add_dropout(model, rate));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(moi_plan_create(ctx, model, rows, MOI_PLAN_TRAIN, &plan));
    for (int64_t i = 0; i < rows * WIDE; i++)
        moi_plan_input(plan)[i] = 1;
    kit_ok(moi_plan_forward(plan, moi_model_weights(model), rows, &pass));
    memcpy(out, moi_plan_output(plan), (size_t)(rows * WIDE) * sizeof *out);
    moi_plan_free(plan);
    mopt_model_free(model);
}

START_TEST(dropout_drops_its_share)
{
    /* Multiples of 1/65536, which a rate is rounded to. */
    static const double rates[] = {0, 0x1999 / 65536.0, 0.25, 0.5,
                                   0xE666 / 65536.0};
    static float out[100 * WIDE];
    mopt_context *ctx = kit_begin();
    double rate = rates[_i], sum = 0, dropped = 0, pairs = 0;
    double n = 100 * WIDE;
    masks(ctx, rate, 100, (moi_pass){1, 3, 4, 0, NULL}, out);
    for (int64_t i = 0; i < 100 * WIDE; i++) {
        if (out[i] != 0)
            ck_assert_double_eq_tol((double)out[i], 1 / (1 - rate), 1e-6);
        sum += (double)out[i];
        dropped += out[i] == 0;
        pairs += i > 0 && out[i] == 0 && out[i - 1] == 0;
    }
    /* Four standard deviations of a binomial count. */
    double four = 4 * sqrt(n * rate * (1 - rate));
    ck_assert_double_le(fabs(dropped - n * rate), four);
    ck_assert_double_le(fabs(sum - n), four / (1 - rate));
    double both = rate * rate; /* neighbours are independent */
    ck_assert_double_le(fabs(pairs - n * both),
                        6 * sqrt(n * both * (1 - both)) + 1e-9);
    kit_end(ctx);
}
END_TEST

START_TEST(masks_belong_to_seed_step_layer_and_row)
{
    static float a[8 * WIDE], b[8 * WIDE];
    mopt_context *ctx = kit_begin();
    masks(ctx, 0.5, 8, (moi_pass){1, 3, 4, 0, NULL}, a);
    masks(ctx, 0.5, 8, (moi_pass){1, 3, 4, 0, NULL}, b);
    ck_assert_mem_eq(a, b, sizeof a);
    /* The second half alone, told where it stands. */
    masks(ctx, 0.5, 4, (moi_pass){1, 3, 4, 4, NULL}, b);
    ck_assert_mem_eq(a + 4 * WIDE, b, sizeof a / 2);
    masks(ctx, 0.5, 8, (moi_pass){1, 3, 5, 0, NULL}, b);
    ck_assert_mem_ne(a, b, sizeof a);
    masks(ctx, 0.5, 8, (moi_pass){1, 2, 4, 0, NULL}, b);
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert_mem_ne(a, a + WIDE, sizeof(float) * WIDE);
    /* Outside of training nothing is dropped. */
    masks(ctx, 0.5, 8, (moi_pass){0, 3, 4, 0, NULL}, b);
    for (int64_t i = 0; i < 8 * WIDE; i++)
        ck_assert_float_eq(b[i], 1);
    kit_end(ctx);
}
END_TEST

/* The words are those of base/rng.h, in dropout's own order. */
START_TEST(masks_are_philox)
{
    static float out[2 * WIDE];
    mopt_context *ctx = kit_begin();
    masks(ctx, 0.5, 2, (moi_pass){1, 99, 7, 0, NULL}, out);
    int64_t groups = (WIDE + 127) / 128;
    for (int64_t i = 0; i < 2 * WIDE; i++) {
        int64_t row = i / WIDE, at = i % WIDE;
        uint32_t words[4];
        moi_rng_init(&rng, 99, 7, MOI_RNG_DROPOUT, 0);
        moi_rng_seek(&rng, (uint64_t)((row * groups + at / 128) * 16 +
                                      at % 16));
        moi_rng_fill(&rng, words, 4);
        uint32_t word = words[at % 64 / 16];
        int32_t kept = (at % 128 < 64 ? word & 0xFFFF : word >> 16) >= 0x8000;
        ck_assert_int_eq(out[i] != 0, kept);
    }
    kit_end(ctx);
}
END_TEST

START_TEST(inference_leaves_dropout_out)
{
    mopt_context *ctx = kit_begin();
    mopt_model *with = dropout_model(ctx, 0.7), *without = NULL;
    static float x[WIDE];
    float a = 0, b = 0, w[WIDE], bias;
    for (int64_t i = 0; i < WIDE; i++)
        x[i] = (float)i / WIDE;
    kit_ok(mopt_model_build(ctx, WIDE, &without));
    kit_ok(mopt_model_add_dense(without, 1, NULL));
    kit_ok(mopt_model_init(without, 2));
    kit_ok(mopt_model_get_tensor(with, "layers.1.weight", w, WIDE));
    kit_ok(mopt_model_get_tensor(with, "layers.1.bias", &bias, 1));
    kit_ok(mopt_model_set_tensor(without, "layers.0.weight", w, WIDE));
    kit_ok(mopt_model_set_tensor(without, "layers.0.bias", &bias, 1));
    kit_ok(mopt_model_predict(with, x, 1, &a, NULL));
    kit_ok(mopt_model_predict(without, x, 1, &b, NULL));
    ck_assert_float_eq(a, b);
    mopt_model_free(with);
    mopt_model_free(without);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_layers");
    TCase *nets = tcase_create("nets");
    tcase_add_loop_test(nets, nets_are_what_plain_loops_say, 0, 8);
    tcase_add_test(nets, a_batch_of_no_rows);
    tcase_add_loop_test(nets, what_is_not_finite, 0, 7);
    tcase_add_test(nets, a_hook_may_end_the_pass);
    suite_add_tcase(suite, nets);
    TCase *dropout = tcase_create("dropout");
    tcase_add_loop_test(dropout, dropout_drops_its_share, 0, 5);
    tcase_add_test(dropout, masks_belong_to_seed_step_layer_and_row);
    tcase_add_test(dropout, masks_are_philox);
    tcase_add_test(dropout, inference_leaves_dropout_out);
    suite_add_tcase(suite, dropout);
    return suite;
}
