/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_growth.c: models that grow compute what they did; which
 * layers take whose part, what is refused and why. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kit.h"
#include "learn/nn/model.h"

#define INPUTS 7
#define OUTPUTS 3
#define ROWS 50

static mopt_context *ctx;
static char json[4096];

static void setup(void)
{
    ctx = kit_begin();
}

static void teardown(void)
{
    kit_end(ctx);
}

/* A model from the inside of its list of layers. */
static mopt_model *make(const char *layers, int64_t seed)
{
    mopt_model *model = NULL;
    snprintf(json, sizeof json, "{\"layers\": [%s]}", layers);
    kit_ok(mopt_model_create(ctx, json, INPUTS, OUTPUTS, &model));
    if (seed >= 0)
        kit_ok(mopt_model_init(model, seed));
    return model;
}

/* Weights that are no special case: biases other than 0 too. */
static mopt_model *make_trained(const char *layers)
{
    mopt_model *model = make(layers, 3);
    moi_real *block = moi_model_weights(model);
    for (int64_t k = 0; k < moi_model_param_count(model); k++) {
        const moi_param *param = moi_model_param(model, k);
        for (int64_t i = 0; i < param->count; i++)
            block[param->offset + i] +=
                (moi_real)(0.1 * sin(1.7 * (double)(i + 3 * k)));
    }
    return model;
}

/* The greatest difference of their outputs, as a share of the largest one. */
static double difference(const mopt_model *a, const mopt_model *b)
{
    static float x[ROWS * INPUTS], ya[ROWS * OUTPUTS], yb[ROWS * OUTPUTS];
    double worst = 0, largest = 0;
    for (int i = 0; i < ROWS * INPUTS; i++)
        x[i] = (float)(2 * sin(0.37 * i * i + 1));
    kit_ok(mopt_model_predict(a, x, ROWS, ya, NULL));
    kit_ok(mopt_model_predict(b, x, ROWS, yb, NULL));
    for (int i = 0; i < ROWS * OUTPUTS; i++) {
        worst = fmax(worst, fabs((double)ya[i] - (double)yb[i]));
        largest = fmax(largest, fabs((double)ya[i]));
    }
    ck_assert(largest > 0);
    return worst / largest;
}

static void check_same(const char *old, const char *new)
{
    mopt_model *source = make_trained(old), *model = make(new, -1);
    kit_ok(mopt_model_grow(source, model, 11));
    double error = difference(source, model);
    ck_assert_msg(error < 2e-6, "%s -> %s: %g", old, new, error);
    mopt_model_free(source);
    mopt_model_free(model);
}

/* ---- functions that stay ---- */

#define D(units, f) "{\"type\":\"dense\",\"units\":" #units \
                    ",\"activation\":\"" f "\"}"
#define HEAD "{\"type\":\"dense\"}"
#define F(f) "{\"type\":\"activation\",\"activation\":\"" f "\"}"
#define DROP "{\"type\":\"dropout\",\"rate\":0.3}"

static const char *const hidden[] = {"none", "relu", "leaky_relu", "tanh",
                                     "sigmoid", "gelu", "silu"};

/* A stack of two hidden layers, as dense layers' own functions or apart. */
static const char *stack(char *text, int a, int b, const char *f, int apart)
{
    if (apart)
        sprintf(text, "{\"type\":\"dense\",\"units\":%d}," F("%s") ","
                "{\"type\":\"dense\",\"units\":%d}," F("%s") "," HEAD, a, f,
                b, f);
    else
        sprintf(text, "{\"type\":\"dense\",\"units\":%d,\"activation\":\"%s\"}"
                ",{\"type\":\"dense\",\"units\":%d,\"activation\":\"%s\"},"
                HEAD, a, f, b, f);
    return text;
}

START_TEST(wider_with_every_activation)
{
    char old[512], new[512];
    for (int apart = 0; apart < 2; apart++) {
        const char *f = hidden[_i];
        check_same(stack(old, 9, 5, f, apart), stack(new, 40, 23, f, apart));
        check_same(stack(old, 9, 5, f, apart), stack(new, 9, 6, f, apart));
        check_same(stack(old, 9, 5, f, apart), stack(new, 300, 5, f, apart));
    }
}
END_TEST

static const struct {
    const char *old, *new;
} deeper[] = {
    {D(9, "relu") "," HEAD, D(9, "relu") "," D(9, "relu") "," HEAD},
    {D(9, "relu") "," HEAD, D(9, "relu") "," D(20, "relu") "," HEAD},
    {D(9, "relu") "," HEAD,
     D(30, "relu") "," D(9, "relu") "," D(70, "relu") "," HEAD},
    {D(9, "relu") "," HEAD, D(9, "relu") ",{\"repeat\":5,\"layers\":["
     D(12, "relu") "," DROP "]}," HEAD},
    {D(9, "tanh") "," HEAD, D(9, "none") "," D(9, "tanh") "," HEAD},
    {D(9, "tanh") "," HEAD, D(9, "tanh") "," D(9, "none") "," HEAD},
    {D(9, "tanh") "," HEAD, D(9, "tanh") "," HEAD "," F("none")},
    {D(9, "tanh") "," HEAD, D(9, "tanh") "," D(3, "none") "," D(3, "none")},
    {D(9, "sigmoid") "," HEAD, D(9, "sigmoid") "," D(11, "relu") "," HEAD},
    {D(9, "sigmoid") "," HEAD,
     D(9, "sigmoid") "," D(11, "leaky_relu") "," F("relu") "," HEAD},
    {D(9, "relu") "," HEAD, D(9, "relu") "," D(11, "leaky_relu") "," HEAD},
    {D(9, "tanh") "," F("relu") "," D(5, "relu") "," HEAD,
     D(12, "tanh") "," F("relu") "," D(12, "relu") "," D(8, "relu") "," HEAD},
    {DROP "," D(9, "relu") "," DROP "," HEAD, D(18, "relu") "," HEAD},
    {D(9, "gelu") "," HEAD, DROP "," D(18, "gelu") "," DROP "," HEAD},
    {D(4, "relu") "," D(3, "softmax"), D(8, "relu") "," D(3, "softmax")},
    {D(4, "relu") "," D(6, "softmax") "," HEAD,
     D(8, "relu") "," D(6, "softmax") "," D(6, "relu") "," HEAD},
    {HEAD, D(7, "none") "," D(50, "none") "," HEAD},
    {HEAD "," F("softmax"), HEAD "," F("softmax") "," F("relu")},
    {"{\"type\":\"dense\",\"units\":6,\"bias\":false},{\"type\":\"dense\","
     "\"bias\":false}",
     "{\"type\":\"dense\",\"units\":9},{\"type\":\"dense\"}"},
    {"{\"type\":\"dense\",\"units\":6,\"activation\":{\"type\":\"leaky_relu\","
     "\"slope\":0.3}}," HEAD,
     "{\"type\":\"dense\",\"units\":9,\"activation\":{\"type\":\"leaky_relu\","
     "\"slope\":0.3},\"init\":\"orthogonal\",\"bias_init\":2}," HEAD},
};

START_TEST(deeper_where_values_go_through)
{
    check_same(deeper[_i].old, deeper[_i].new);
}
END_TEST

/* ---- what stands for what ---- */

static float weight(const mopt_model *model, const char *name, int64_t count,
                    int64_t i)
{
    float values[512];
    kit_ok(mopt_model_get_tensor(model, name, values, count));
    return values[i];
}

/* Of two places the one of equal width; of two of these the first. */
START_TEST(equal_widths_go_first)
{
    mopt_model *source = make_trained(D(8, "relu") "," D(4, "relu") "," HEAD);
    mopt_model *model = make(D(8, "relu") "," D(8, "relu") "," D(4, "relu") ","
                             D(4, "relu") "," HEAD, -1);
    kit_ok(mopt_model_grow(source, model, 1));
    ck_assert(weight(model, "layers.0.weight", 56, 5) ==
              weight(source, "layers.0.weight", 56, 5));
    for (int i = 0; i < 64; i++) /* hands on */
        ck_assert(weight(model, "layers.1.weight", 64, i) ==
                  (float)(i / 8 == i % 8));
    ck_assert(weight(model, "layers.2.weight", 32, 9) ==
              weight(source, "layers.1.weight", 32, 9));
    ck_assert(weight(model, "layers.3.weight", 16, 5) == 1);
    ck_assert(difference(source, model) < 2e-6);
    mopt_model_free(source);
    mopt_model_free(model);
}
END_TEST

START_TEST(new_units_are_drawn_and_not_read)
{
    mopt_model *source = make_trained(D(4, "tanh") "," HEAD);
    mopt_model *model = make(D(6, "tanh") "," HEAD, -1);
    mopt_model *fresh = make(D(6, "tanh") "," HEAD, 5);
    kit_ok(mopt_model_grow(source, model, 5));
    for (int i = 28; i < 42; i++)
        ck_assert(weight(model, "layers.0.weight", 42, i) ==
                  weight(fresh, "layers.0.weight", 42, i));
    for (int i = 0; i < 18; i++)
        if (i % 6 >= 4)
            ck_assert(weight(model, "layers.1.weight", 18, i) == 0);
    mopt_model_free(source);
    mopt_model_free(model);
    mopt_model_free(fresh);
}
END_TEST

static int same_bits(const mopt_model *a, const mopt_model *b)
{
    return memcmp(moi_model_weights(a), moi_model_weights(b),
                  (size_t)moi_model_size(a) * sizeof(moi_real)) == 0;
}

START_TEST(seeds)
{
    const char *big = D(30, "relu") "," D(30, "relu") "," HEAD;
    mopt_model *source = make_trained(D(9, "relu") "," HEAD);
    mopt_model *a = make(big, -1), *b = make(big, 77), *c = make(big, -1);
    kit_ok(mopt_model_grow(source, a, 5));
    kit_ok(mopt_model_grow(source, b, 5));
    kit_ok(mopt_model_grow(source, c, 6));
    ck_assert(same_bits(a, b));
    ck_assert(!same_bits(a, c));
    mopt_model_free(source);
    mopt_model_free(a);
    mopt_model_free(b);
    mopt_model_free(c);
}
END_TEST

START_TEST(equals_are_copied)
{
    mopt_model *source = make_trained(D(9, "tanh") "," DROP "," HEAD);
    mopt_model *model = make(D(9, "tanh") "," DROP "," HEAD, -1);
    kit_ok(mopt_model_grow(source, model, 5));
    ck_assert(same_bits(source, model));
    mopt_model_free(source);
    mopt_model_free(model);
}
END_TEST

/* Each step trains on, so that models grow again and again. */
START_TEST(growing_again)
{
    mopt_model *first = make_trained(D(5, "relu") "," HEAD);
    mopt_model *second = make(D(8, "relu") "," D(6, "relu") "," HEAD, -1);
    mopt_model *third = make(D(9, "relu") "," D(8, "relu") "," D(7, "relu")
                             "," HEAD, -1);
    kit_ok(mopt_model_grow(first, second, 1));
    kit_ok(mopt_model_grow(second, third, 2));
    ck_assert(difference(first, third) < 2e-6);
    mopt_model_free(first);
    mopt_model_free(second);
    mopt_model_free(third);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *old, *new;
    const char *says[3];
} refused[] = {
    {D(9, "tanh") "," HEAD, D(9, "tanh") "," D(9, "tanh") "," HEAD,
     {"layers.1 (dense, 9 wide, tanh)", "activation is another",
      "changes what goes through"}},
    {D(9, "relu") "," HEAD, D(8, "relu") "," HEAD,
     {"layers.0 (dense, 8 wide, relu)", "layers.0 (dense, 9 wide, relu)",
      "too narrow"}},
    {D(9, "relu") "," HEAD, D(9, "gelu") "," HEAD,
     {"layers.0 (dense, 9 wide, gelu)", "activation is another", "gelu"}},
    {D(9, "relu") "," D(9, "relu") "," HEAD, D(20, "relu") "," HEAD,
     {"layers.1 (dense, 3 wide)", "layers.1 (dense, 9 wide, relu)",
      "activation is another"}},
    {D(9, "relu") "," HEAD, D(9, "relu") "," D(8, "relu") "," HEAD,
     {"layers.1 (dense, 8 wide, relu)", "hand on", "too narrow"}},
    {D(9, "softmax") "," HEAD, D(10, "softmax") "," HEAD,
     {"layers.0 (dense, 10 wide, softmax)", "whole row", "new"}},
    {D(9, "none") "," F("softmax") "," HEAD,
     D(10, "none") "," F("softmax") "," HEAD,
     {"layers.1 (activation, 10 wide, softmax)", "whole row", "new"}},
    {D(9, "relu") "," HEAD,
     "{\"type\":\"dense\",\"units\":9,\"activation\":\"relu\",\"bias\":false},"
     HEAD, {"layers.0", "no bias", "hand on"}},
    {HEAD, HEAD "," F("tanh"),
     {"layers.1 (activation, 3 wide, tanh)", "comes after all", "changes"}},
    {HEAD "," F("tanh"), HEAD,
     {"nothing in the model", "layers.1 (activation, 3 wide, tanh)", ""}},
    {D(9, "leaky_relu") "," HEAD,
     "{\"type\":\"dense\",\"units\":9,\"activation\":{\"type\":\"leaky_relu\","
     "\"slope\":0.5}}," HEAD, {"layers.0", "activation is another", ""}},
};

START_TEST(what_does_not_fit_is_told)
{
    mopt_model *source = make_trained(refused[_i].old);
    mopt_model *model = make(refused[_i].new, 4), *before = NULL;
    int32_t fits = 1;
    kit_ok(mopt_model_copy(model, &before));
    kit_fails(mopt_model_grow(source, model, 1), MOPT_EUNSUPPORTED);
    for (int i = 0; i < 3; i++)
        kit_says(refused[_i].says[i]);
    ck_assert(same_bits(model, before));
    kit_ok(moi_model_fits(source, model, &fits));
    ck_assert_int_eq(fits, 0);
    mopt_model_free(source);
    mopt_model_free(model);
    mopt_model_free(before);
}
END_TEST

START_TEST(other_ends)
{
    mopt_model *source = make_trained(D(4, "relu") "," HEAD), *other = NULL;
    mopt_model *bare = make(D(4, "relu") "," HEAD, -1);
    mopt_model *two = make(D(4, "relu") "," D(2, "none"), -1);
    int32_t fits = 1;
    kit_ok(mopt_model_build(ctx, INPUTS + 1, &other));
    kit_ok(mopt_model_add_dense(other, OUTPUTS, NULL));
    kit_fails(mopt_model_grow(source, other, 1), MOPT_EINVAL);
    kit_says("7 inputs");
    kit_ok(moi_model_fits(source, other, &fits));
    ck_assert_int_eq(fits, 0);
    kit_fails(mopt_model_grow(source, two, 1), MOPT_EINVAL);
    kit_says("2");
    kit_fails(mopt_model_grow(source, source, 1), MOPT_EINVAL);
    kit_fails(mopt_model_grow(bare, source, 1), MOPT_ESTATE);
    kit_ok(moi_model_fits(source, bare, &fits));
    ck_assert_int_eq(fits, 1);
    mopt_model_free(source);
    mopt_model_free(other);
    mopt_model_free(bare);
    mopt_model_free(two);
}
END_TEST

START_TEST(without_memory)
{
    mopt_model *source = make_trained(D(4, "relu") "," HEAD);
    mopt_model *model = make(D(6, "relu") "," D(6, "relu") "," HEAD, 2);
    mopt_model *before = NULL;
    kit_ok(mopt_model_copy(model, &before));
    int32_t rc = MOPT_ENOMEM;
    for (int64_t at = 0; rc == MOPT_ENOMEM; at++) {
        ck_assert(same_bits(model, before));
        kit_fail_allocation(at, 0);
        rc = mopt_model_grow(source, model, 1);
        kit_fail_allocation(-1, 0);
    }
    kit_ok(rc);
    ck_assert(difference(source, model) < 2e-6);
    mopt_model_free(source);
    mopt_model_free(model);
    mopt_model_free(before);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("growth");
    TCase *tcase = tcase_create("growth");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, wider_with_every_activation, 0,
                        (int)(sizeof hidden / sizeof hidden[0]));
    tcase_add_loop_test(tcase, deeper_where_values_go_through, 0,
                        (int)(sizeof deeper / sizeof deeper[0]));
    tcase_add_test(tcase, equal_widths_go_first);
    tcase_add_test(tcase, new_units_are_drawn_and_not_read);
    tcase_add_test(tcase, seeds);
    tcase_add_test(tcase, equals_are_copied);
    tcase_add_test(tcase, growing_again);
    tcase_add_loop_test(tcase, what_does_not_fit_is_told, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tcase, other_ends);
    tcase_add_test(tcase, without_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
