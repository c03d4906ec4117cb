/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_init.c: the moments and shapes of first weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "learn/nn/model.h"

/* A model of one dense layer; its weights, as seen from outside. */
static float *weights(mopt_context *ctx, const char *keys, int64_t in,
                      int64_t out, int64_t seed)
{
    char json[512];
    mopt_model *model = NULL;
    float *w = calloc((size_t)(in * out), sizeof *w);
    snprintf(json, sizeof json,
             "{\"layers\": [{\"type\": \"dense\", \"units\": %lld, %s}]}",
             (long long)out, keys);
    kit_ok(mopt_model_create(ctx, json, in, 0, &model));
    kit_ok(mopt_model_init(model, seed));
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", w, in * out));
    mopt_model_free(model);
    return w;
}

typedef struct moments {
    double mean, variance, fourth, top;
} moments;

static moments measure(const float *w, int64_t n)
{
    moments m = {0, 0, 0, 0};
    for (int64_t i = 0; i < n; i++)
        m.mean += (double)w[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)w[i] - m.mean;
        m.variance += d * d / (double)n;
        m.fourth += d * d * d * d / (double)n;
        m.top = fmax(m.top, fabs((double)w[i]));
    }
    return m;
}

#define IN 300
#define OUT 200
#define GLOROT (2.0 / (IN + OUT))

static const struct {
    const char *keys;
    double variance;
    int32_t normal;
} scaled[] = {
    {"\"init\": \"he_normal\"", 2.0 / IN, 1},
    {"\"init\": \"he_uniform\"", 2.0 / IN, 0},
    {"\"init\": \"glorot_normal\"", GLOROT, 1},
    {"\"init\": \"glorot_uniform\"", GLOROT, 0},
    {"\"init\": \"lecun_normal\"", 1.0 / IN, 1},
    {"\"init\": \"lecun_uniform\"", 1.0 / IN, 0},
    {"\"init\": {\"type\": \"he_normal\"}, \"activation\": {\"type\": "
     "\"leaky_relu\", \"slope\": 0.5}", 2 / 1.25 / IN, 1},
    /* What "auto" is. */
    {"\"activation\": \"relu\"", 2.0 / IN, 1},
    {"\"activation\": \"leaky_relu\"", 2 / (1 + 1e-4) / IN, 1},
    {"\"activation\": \"gelu\"", 2.0 / IN, 1},
    {"\"activation\": \"silu\"", 2.0 / IN, 1},
    {"\"activation\": \"tanh\"", GLOROT, 0},
    {"\"activation\": \"sigmoid\"", GLOROT, 0},
    {"\"activation\": \"softmax\"", GLOROT, 0},
    {"\"activation\": \"none\"", GLOROT, 0},
};

START_TEST(moments_are_right)
{
    mopt_context *ctx = kit_begin();
    float *w = weights(ctx, scaled[_i].keys, IN, OUT, 17);
    moments m = measure(w, IN * OUT);
    double v = scaled[_i].variance, n = IN * OUT;
    /* Five standard errors of mean and variance; the fourth moment tells the
     * two kinds apart: 3 and 1.8 times the variance squared. */
    double kurtosis = scaled[_i].normal ? 3 : 1.8;
    ck_assert_double_le(fabs(m.mean), 5 * sqrt(v / n));
    ck_assert_double_le(fabs(m.variance - v),
                        5 * v * sqrt((kurtosis - 1) / n));
    ck_assert_double_eq_tol(m.fourth / (m.variance * m.variance), kurtosis,
                            0.1);
    if (!scaled[_i].normal)
        ck_assert_double_le(m.top, sqrt(3 * v) * (1 + 1e-6));
    free(w);
    kit_end(ctx);
}
END_TEST

/* W W^T or W^T W is gain^2 I, whichever is the smaller. */
START_TEST(orthogonal_is)
{
    static const int64_t shapes[][2] = {{7, 7},  {50, 20}, {20, 50},
                                        {1, 9},  {9, 1},   {1, 1},
                                        {64, 65}};
    mopt_context *ctx = kit_begin();
    int64_t in = shapes[_i][0], out = shapes[_i][1];
    float *w = weights(ctx, "\"init\": {\"type\": \"orthogonal\", \"gain\": "
                            "1.5}", in, out, 3);
    int32_t rows = out <= in; /* orthonormal rows (of [out][in]) or columns */
    int64_t n = rows ? out : in, m = rows ? in : out;
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++) {
            double dot = 0;
            for (int64_t k = 0; k < m; k++)
                dot += rows ? (double)w[a * in + k] * (double)w[b * in + k]
                            : (double)w[k * in + a] * (double)w[k * in + b];
            ck_assert_double_eq_tol(dot, a == b ? 2.25 : 0, 1e-5);
        }
    free(w);
    kit_end(ctx);
}
END_TEST

/* Over all rotations each sign of an entry is as likely: 5 standard deviations
 * of 400 coins. */
START_TEST(orthogonal_has_no_preferred_sign)
{
    mopt_context *ctx = kit_begin();
    double corner = 0, last = 0;
    for (int64_t seed = 0; seed < 400; seed++) {
        float *w = weights(ctx, "\"init\": \"orthogonal\"", 2, 2, seed);
        corner += w[0] > 0 ? 1 : -1;
        last += w[3] > 0 ? 1 : -1;
        free(w);
    }
    ck_assert_double_le(fabs(corner), 100);
    ck_assert_double_le(fabs(last), 100);
    kit_end(ctx);
}
END_TEST

START_TEST(constants)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    float w[12], b[3];
    kit_ok(mopt_model_create(
        ctx, "{\"layers\": [{\"type\": \"dense\", \"units\": 3, \"init\": "
             "{\"type\": \"constant\", \"value\": 0.5}, \"bias_init\": -2}, "
             "{\"type\": \"dense\", \"units\": 4, \"init\": \"zeros\"}]}",
        4, 0, &model));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", w, 12));
    kit_ok(mopt_model_get_tensor(model, "layers.0.bias", b, 3));
    for (int64_t i = 0; i < 12; i++)
        ck_assert_float_eq(w[i], 0.5f);
    for (int64_t i = 0; i < 3; i++)
        ck_assert_float_eq(b[i], -2);
    kit_ok(mopt_model_get_tensor(model, "layers.1.weight", w, 12));
    for (int64_t i = 0; i < 12; i++)
        ck_assert_float_eq(w[i], 0);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* Same seed, same bits; tensors and seeds have streams of their own. */
START_TEST(seeds)
{
    mopt_context *ctx = kit_begin();
    const char *keys = "\"activation\": \"relu\"";
    float *a = weights(ctx, keys, 9, 9, 5), *b = weights(ctx, keys, 9, 9, 5);
    float *c = weights(ctx, keys, 9, 9, 6);
    ck_assert_mem_eq(a, b, 81 * sizeof *a);
    ck_assert_mem_ne(a, c, 81 * sizeof *a);
    mopt_model *model = NULL;
    kit_ok(mopt_model_build(ctx, 9, &model));
    kit_ok(mopt_model_add_dense(model, 9, "relu"));
    kit_ok(mopt_model_add_dense(model, 9, "relu"));
    kit_ok(mopt_model_init(model, 5));
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", b, 81));
    kit_ok(mopt_model_get_tensor(model, "layers.1.weight", c, 81));
    ck_assert_mem_eq(a, b, 81 * sizeof *a);
    ck_assert_mem_ne(a, c, 81 * sizeof *a);
    /* Again: the weights are drawn anew, in the block that they have. */
    const moi_real *block = moi_model_weights(model);
    kit_ok(mopt_model_init(model, 6));
    ck_assert_ptr_eq(moi_model_weights(model), block);
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", b, 81));
    ck_assert_mem_ne(a, b, 81 * sizeof *a);
    mopt_model_free(model);
    free(a);
    free(b);
    free(c);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_init");
    TCase *tests = tcase_create("init");
    tcase_add_loop_test(tests, moments_are_right, 0,
                        (int)(sizeof scaled / sizeof scaled[0]));
    tcase_add_loop_test(tests, orthogonal_is, 0, 7);
    tcase_add_test(tests, orthogonal_has_no_preferred_sign);
    tcase_add_test(tests, constants);
    tcase_add_test(tests, seeds);
    suite_add_tcase(suite, tests);
    return suite;
}
