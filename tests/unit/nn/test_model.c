/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_model.c: models from JSON and call by call, what they
 * tell, what they refuse, and what failing memory leaves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "learn/nn/layer.h"
#include "learn/nn/model.h"

static char text[1 << 20];

static const char *describe(const mopt_model *model)
{
    kit_ok(mopt_model_describe(model, text, sizeof text, NULL));
    return text;
}

/* ---- reading ---- */

START_TEST(a_tree_is_expanded)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    kit_ok(mopt_model_create(
        ctx,
        "{\"layers\": [{\"type\": \"dense\", \"units\": 8, \"activation\": "
        "\"relu\"}, {\"repeat\": 2, \"layers\": [{\"type\": \"dropout\", "
        "\"rate\": 0.25}, {\"repeat\": 2.0, \"layers\": [{\"type\": \"dense\","
        " \"units\": 4, \"activation\": {\"type\": \"leaky_relu\", \"slope\": "
        "0.2}}]}]}, {\"repeat\": 0, \"layers\": [{\"type\": \"dense\"}]}, "
        "{\"type\": \"dense\", \"bias\": false}]}", 5, 3, &model));
    static const char want[] = /* longer than Check's messages may be */
        "{\"inputs\": 5, \"outputs\": 3, \"params\": 156, \"bytes\": 624, "
        "\"flops\": 312, \"target\": null, \"layers\": ["
        "{\"type\": \"dense\", \"units\": 8, \"activation\": \"relu\"}, "
        "{\"type\": \"dropout\", \"rate\": 0.25}, "
        "{\"type\": \"dense\", \"units\": 4, \"activation\": {\"type\": "
        "\"leaky_relu\", \"slope\": 0.2}}, "
        "{\"type\": \"dense\", \"units\": 4, \"activation\": {\"type\": "
        "\"leaky_relu\", \"slope\": 0.2}}, "
        "{\"type\": \"dropout\", \"rate\": 0.25}, "
        "{\"type\": \"dense\", \"units\": 4, \"activation\": {\"type\": "
        "\"leaky_relu\", \"slope\": 0.2}}, "
        "{\"type\": \"dense\", \"units\": 4, \"activation\": {\"type\": "
        "\"leaky_relu\", \"slope\": 0.2}}, "
        "{\"type\": \"dense\", \"units\": 3, \"bias\": false}], "
        "\"tensors\": [{\"name\": \"layers.0.weight\", \"shape\": [8, 5]}, "
        "{\"name\": \"layers.0.bias\", \"shape\": [8]}, "
        "{\"name\": \"layers.2.weight\", \"shape\": [4, 8]}, "
        "{\"name\": \"layers.2.bias\", \"shape\": [4]}, "
        "{\"name\": \"layers.3.weight\", \"shape\": [4, 4]}, "
        "{\"name\": \"layers.3.bias\", \"shape\": [4]}, "
        "{\"name\": \"layers.5.weight\", \"shape\": [4, 4]}, "
        "{\"name\": \"layers.5.bias\", \"shape\": [4]}, "
        "{\"name\": \"layers.6.weight\", \"shape\": [4, 4]}, "
        "{\"name\": \"layers.6.bias\", \"shape\": [4]}, "
        "{\"name\": \"layers.7.weight\", \"shape\": [3, 4]}]}";
    ck_assert_int_eq(strcmp(describe(model), want), 0);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

#define DENSE "{\"type\": \"dense\", \"units\": 2}"

static const struct {
    const char *json;
    int32_t code;
    const char *says[2];
} wrong[] = {
    {"", MOPT_EFORMAT, {"line 1"}},
    {"{\"layers\": [", MOPT_EFORMAT, {"line 1"}},
    {"{\"layers\": [" DENSE "], \"layers\": []}", MOPT_EFORMAT, {"uplicate"}},
    {"7", MOPT_EINVAL, {"layers"}},
    {"{}", MOPT_EINVAL, {"layers: "}},
    {"{\"layers\": {}}", MOPT_EINVAL, {"layers: "}},
    {"{\"layers\": []}", MOPT_EINVAL, {"one layer or more"}},
    {"{\"layers\": [" DENSE "], \"name\": 1}", MOPT_EKEY, {"name: "}},
    {"{\"layers\": [7]}", MOPT_EINVAL, {"layers[0]: ", "7"}},
    {"{\"layers\": [{}]}", MOPT_EINVAL, {"layers[0].type: is missing"}},
    {"{\"layers\": [{\"type\": 1}]}", MOPT_EINVAL, {"layers[0].type: ", "1"}},
    {"{\"layers\": [{\"type\": \"dens\"}]}", MOPT_EKEY,
     {"layers[0].type: there is no layer 'dens'", "nearest is dense"}},
    {"{\"layers\": [" DENSE ", {\"type\": \"dense\", \"unit\": 3}]}",
     MOPT_EKEY, {"layers[1].unit: ", "layers[1].units"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 0}]}", MOPT_EINVAL,
     {"layers[0].units: ", "at least 1"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": -5}]}", MOPT_EINVAL,
     {"layers[0].units: ", "-5"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 2.5}]}", MOPT_EINVAL,
     {"layers[0].units: ", "2.5"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": \"many\"}]}", MOPT_EINVAL,
     {"layers[0].units: ", "many"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 3e9}]}", MOPT_EINVAL,
     {"layers[0].units: ", "2147483647"}},
    {"{\"layers\": [{\"type\": \"dense\"}]}", MOPT_EINVAL,
     {"layers[0].units: is missing"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 2, \"activation\": "
     "\"rely\"}]}", MOPT_EINVAL, {"layers[0].activation: 'rely'", "'relu'"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 2, \"activation\": "
     "{\"type\": \"relu\", \"slope\": 1}}]}", MOPT_EKEY,
     {"layers[0].activation.slope"}},
    {"{\"layers\": [{\"type\": \"activation\", \"activation\": {\"type\": "
     "\"leaky_relu\", \"slope\": -1}}]}", MOPT_EINVAL,
     {"layers[0].activation.slope: ", "-1"}},
    {"{\"layers\": [{\"type\": \"dropout\", \"rate\": 1}]}", MOPT_EINVAL,
     {"layers[0].rate: must be below 1"}},
    {"{\"layers\": [{\"type\": \"dropout\", \"rate\": -0.1}]}", MOPT_EINVAL,
     {"layers[0].rate: ", "-0.1"}},
    {"{\"layers\": [{\"type\": \"dense\", \"units\": 2, \"init\": \"he\"}]}",
     MOPT_EINVAL, {"layers[0].init: 'he'"}},
    {"{\"layers\": [{\"repeat\": 2, \"layers\": [" DENSE ", {\"type\": "
     "\"dropout\", \"rate\": 2}]}]}", MOPT_EINVAL,
     {"layers[0].layers[1].rate: "}},
    {"{\"layers\": [{\"repeat\": -1, \"layers\": [" DENSE "]}]}", MOPT_EINVAL,
     {"layers[0].repeat: ", "-1"}},
    {"{\"layers\": [{\"repeat\": 1.5, \"layers\": [" DENSE "]}]}", MOPT_EINVAL,
     {"layers[0].repeat: ", "1.5"}},
    {"{\"layers\": [{\"repeat\": 1e300, \"layers\": [" DENSE "]}]}",
     MOPT_EINVAL, {"layers[0].repeat: ", "0 .. 4096"}},
    {"{\"layers\": [{\"repeat\": null, \"layers\": [" DENSE "]}]}",
     MOPT_EINVAL, {"layers[0].repeat: ", "null"}},
    {"{\"layers\": [{\"repeat\": 2}]}", MOPT_EINVAL, {"layers[0].layers: "}},
    {"{\"layers\": [{\"repeat\": 2, \"layers\": []}]}", MOPT_EINVAL,
     {"layers[0].layers: "}},
    {"{\"layers\": [{\"repeat\": 2, \"layer\": [" DENSE "]}]}", MOPT_EKEY,
     {"layers[0].layer: "}},
    {"{\"layers\": [{\"repeat\": 0, \"layers\": [" DENSE "]}]}", MOPT_EINVAL,
     {"no layer at all"}},
    {"{\"layers\": [{\"repeat\": 64, \"layers\": [{\"repeat\": 64, "
     "\"layers\": [{\"repeat\": 4096, \"layers\": [" DENSE "]}]}]}]}",
     MOPT_ERANGE, {"at most 4096 layers"}},
    {"{\"layers\": [{\"repeat\": 9, \"layers\": [{\"type\": \"dense\", "
     "\"units\": 2147483647}]}]}", MOPT_ERANGE, {"too many weights"}},
};

START_TEST(wrong_trees_are_refused)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    kit_fails(mopt_model_create(ctx, wrong[_i].json, 5, 0, &model),
              wrong[_i].code);
    for (int32_t k = 0; k < 2; k++)
        if (wrong[_i].says[k] != NULL)
            kit_says(wrong[_i].says[k]);
    ck_assert_ptr_null(model);
    kit_end(ctx);
}
END_TEST

/* Only the last dense layer may leave its units out. */
START_TEST(units_left_out)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    kit_fails(mopt_model_create(ctx, "{\"layers\": [{\"type\": \"dense\"}, "
                                     DENSE "]}", 5, 3, &model), MOPT_EINVAL);
    kit_says("layers[0].units: is missing: only the last dense layer");
    kit_fails(mopt_model_create(
                  ctx, "{\"layers\": [{\"repeat\": 2, \"layers\": [{\"type\": "
                       "\"dense\"}]}]}", 5, 3, &model), MOPT_EINVAL);
    kit_says("layers[0].layers[0].units");
    kit_ok(mopt_model_create(
        ctx, "{\"layers\": [{\"type\": \"dense\"}, {\"type\": \"activation\", "
             "\"activation\": \"softmax\"}]}", 5, 3, &model));
    ck_assert_int_eq(moi_model_outputs(model), 3);
    ck_assert_int_eq(moi_model_ends_in_probability(model), 1);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* 4,096 to the tenth rounds, none of which adds a layer. */
START_TEST(groups_of_nothing_take_no_time)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    strcpy(text, "{\"layers\": [");
    for (int i = 0; i < 10; i++)
        strcat(text, "{\"repeat\": 4096, \"layers\": [");
    strcat(text, "{\"repeat\": 0, \"layers\": [" DENSE "]}");
    for (int i = 0; i < 10; i++)
        strcat(text, "]}");
    strcat(text, "]}");
    kit_fails(mopt_model_create(ctx, text, 5, 3, &model), MOPT_EINVAL);
    kit_says("comes to no layer at all");
    kit_end(ctx);
}
END_TEST

/* ---- call by call ---- */

START_TEST(calls_make_what_json_makes)
{
    mopt_context *ctx = kit_begin();
    mopt_model *a = NULL, *b = NULL;
    mopt_config *config = NULL;
    static char other[4096];
    kit_ok(mopt_model_create(
        ctx, "{\"layers\": [{\"type\": \"dense\", \"units\": 7, "
             "\"activation\": \"tanh\"}, {\"type\": \"dropout\", \"rate\": "
             "0.5}, {\"type\": \"activation\", \"activation\": \"silu\"}, "
             "{\"type\": \"dense\", \"units\": 2, \"init\": \"orthogonal\"}]}",
        3, 0, &a));
    kit_ok(mopt_model_build(ctx, 3, &b));
    kit_ok(mopt_model_add_dense(b, 7, "tanh"));
    kit_ok(mopt_model_add_dropout(b, 0.5));
    kit_ok(mopt_config_create(ctx, "layer.activation", &config));
    kit_ok(mopt_config_set_text(config, "activation", "silu"));
    kit_ok(mopt_model_add(b, config));
    mopt_config_free(config);
    kit_ok(mopt_config_create(ctx, "layer.dense", &config));
    kit_ok(mopt_config_set_int(config, "units", 2));
    kit_ok(mopt_config_set_text(config, "init", "orthogonal"));
    kit_ok(mopt_model_add(b, config));
    mopt_config_free(config);
    snprintf(other, sizeof other, "%s", describe(a));
    ck_assert_str_eq(describe(b), other);
    kit_ok(mopt_model_init(a, 4));
    kit_ok(mopt_model_init(b, 4));
    ck_assert_int_eq(moi_model_size(a), moi_model_size(b));
    ck_assert_mem_eq(moi_model_weights(a), moi_model_weights(b),
                     (size_t)moi_model_size(a) * sizeof(moi_real));
    mopt_model_free(a);
    mopt_model_free(b);
    kit_end(ctx);
}
END_TEST

START_TEST(misuse)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    mopt_config *config = NULL;
    float values[8] = {0};
    kit_fails(mopt_model_build(NULL, 1, &model), MOPT_EINVAL);
    kit_fails(mopt_model_build(ctx, 1, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_build(ctx, 0, &model), MOPT_EINVAL);
    kit_fails(mopt_model_build(ctx, -1, &model), MOPT_EINVAL);
    kit_fails(mopt_model_build(ctx, INT64_MAX, &model), MOPT_EINVAL);
    kit_fails(mopt_model_create(NULL, "{}", 1, 1, &model), MOPT_EINVAL);
    kit_fails(mopt_model_create(ctx, NULL, 1, 1, &model), MOPT_EINVAL);
    kit_fails(mopt_model_create(ctx, "{}", 1, 1, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_create(ctx, "{\"layers\": [" DENSE "]}", 0, 1,
                                &model), MOPT_EINVAL);
    kit_fails(mopt_model_create(ctx, "{\"layers\": [" DENSE "]}", 1, -1,
                                &model), MOPT_EINVAL);
    kit_fails(mopt_model_create(ctx, "{\"layers\": [" DENSE "]}", 1,
                                INT64_MAX, &model), MOPT_EINVAL);
    kit_ok(mopt_model_build(ctx, 2, &model));
    kit_fails(mopt_model_init(NULL, 1), MOPT_EINVAL);
    kit_fails(mopt_model_init(model, 1), MOPT_ESTATE);
    kit_fails(mopt_model_add(NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_add(model, NULL), MOPT_EINVAL);
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_fails(mopt_model_add(model, config), MOPT_EINVAL);
    kit_says("'context'");
    mopt_config_free(config);
    kit_ok(mopt_config_create(ctx, "layer.dense", &config));
    kit_fails(mopt_model_add(model, config), MOPT_EINVAL);
    kit_says("units");
    mopt_config_free(config);
    kit_fails(mopt_model_add_dense(NULL, 1, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_add_dense(model, 0, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_add_dense(model, INT64_MAX, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_add_dense(model, 1, "rely"), MOPT_EINVAL);
    kit_says("'relu'");
    kit_fails(mopt_model_add_dropout(NULL, 0.5), MOPT_EINVAL);
    kit_fails(mopt_model_add_dropout(model, NAN), MOPT_EINVAL);
    kit_fails(mopt_model_add_dropout(model, 1), MOPT_EINVAL);
    kit_fails(mopt_model_add_dropout(model, -0.5), MOPT_EINVAL);
    ck_assert_int_eq(moi_model_outputs(model), 2);
    kit_ok(mopt_model_add_dense(model, 3, NULL));
    kit_fails(mopt_model_get_tensor(model, "layers.0.bias", values, 3),
              MOPT_ESTATE);
    kit_fails(mopt_model_set_tensor(model, "layers.0.bias", values, 3),
              MOPT_ESTATE);
    kit_ok(mopt_model_init(model, -1));
    kit_fails(mopt_model_add_dropout(model, 0.5), MOPT_ESTATE);
    kit_fails(mopt_model_get_tensor(NULL, "layers.0.bias", values, 3),
              MOPT_EINVAL);
    kit_fails(mopt_model_get_tensor(model, NULL, values, 3), MOPT_EINVAL);
    kit_fails(mopt_model_get_tensor(model, "layers.0.bias", NULL, 3),
              MOPT_EINVAL);
    kit_fails(mopt_model_get_tensor(model, "layers.0.bias", values, 2),
              MOPT_EINVAL);
    kit_says("3 values");
    kit_fails(mopt_model_get_tensor(model, "layers.0.bia", values, 3),
              MOPT_EKEY);
    kit_says("layers.0.bias");
    values[1] = NAN;
    kit_fails(mopt_model_set_tensor(model, "layers.0.bias", values, 3),
              MOPT_EINVAL);
    kit_says("value 1");
    values[1] = -INFINITY;
    kit_fails(mopt_model_set_tensor(model, "layers.0.bias", values, 3),
              MOPT_EINVAL);
    kit_fails(mopt_model_describe(NULL, text, sizeof text, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_describe(model, NULL, 5, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_describe(model, text, 5, NULL), MOPT_ERANGE);
    kit_fails(mopt_model_copy(NULL, &model), MOPT_EINVAL);
    kit_fails(mopt_model_copy(model, NULL), MOPT_EINVAL);
    mopt_model_free(NULL);
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

START_TEST(the_schema)
{
    mopt_context *ctx = kit_begin();
    for (int32_t domains = 0; domains < 2; domains++) {
        json_t *schema = moi_model_schema(domains);
        json_t *layers = json_object_get(json_object_get(schema, "properties"),
                                         "layers");
        json_t *forms = json_object_get(json_object_get(layers, "items"),
                                        "anyOf");
        ck_assert_str_eq(json_string_value(json_object_get(layers, "$anchor")),
                         "layers");
        ck_assert_uint_eq(json_array_size(forms), 4 + (size_t)domains);
        for (size_t i = 0; i < 3; i++) {
            json_t *keys = json_object_get(json_array_get(forms, i),
                                           "properties");
            json_t *type = json_object_get(keys, "type");
            ck_assert_ptr_nonnull(moi_layer_find(
                json_string_value(json_object_get(type, "const"))));
        }
        json_decref(schema);
    }
    kit_end(ctx);
}
END_TEST

/* ---- tensors ---- */

START_TEST(tensors_are_seen_as_pytorch_has_them)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL, *copy = NULL;
    float w[6] = {1, 2, 3, 4, 5, 6}, back[6], y[3];
    const float x[2] = {10, 100}, b[3] = {0.5f, 0.25f, 0.125f};
    kit_ok(mopt_model_build(ctx, 2, &model));
    kit_ok(mopt_model_add_dense(model, 3, NULL));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(mopt_model_set_tensor(model, "layers.0.weight", w, 6));
    kit_ok(mopt_model_set_tensor(model, "layers.0.bias", b, 3));
    kit_ok(mopt_model_get_tensor(model, "layers.0.weight", back, 6));
    ck_assert_mem_eq(w, back, sizeof w);
    kit_ok(mopt_model_predict(model, x, 1, y, NULL));
    ck_assert_float_eq(y[0], 210.5f);
    ck_assert_float_eq(y[1], 430.25f);
    ck_assert_float_eq(y[2], 650.125f);
    /* A copy has weights of its own. */
    kit_ok(mopt_model_copy(model, &copy));
    w[0] = 9;
    kit_ok(mopt_model_set_tensor(model, "layers.0.weight", w, 6));
    kit_ok(mopt_model_get_tensor(copy, "layers.0.weight", back, 6));
    ck_assert_float_eq(back[0], 1);
    mopt_model_free(model);
    kit_ok(mopt_model_predict(copy, x, 1, y, NULL));
    ck_assert_float_eq(y[0], 210.5f);
    mopt_model_free(copy);
    kit_end(ctx);
}
END_TEST

START_TEST(references)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    kit_ok(mopt_model_build(ctx, 2, &model));
    ck_assert_ptr_eq(moi_model_hold(model), model);
    mopt_model_free(model);
    kit_ok(mopt_model_add_dense(model, 3, NULL));
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* Gaps between tensors are 0, places multiples of 16. */
START_TEST(the_block)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    kit_ok(mopt_model_build(ctx, 3, &model));
    kit_ok(mopt_model_add_dense(model, 5, "relu"));
    kit_ok(mopt_model_add_dense(model, 17, NULL));
    kit_ok(mopt_model_init(model, 1));
    ck_assert_int_eq(moi_model_weight_count(model), 15 + 5 + 85 + 17);
    ck_assert_int_eq(moi_model_size(model), 16 + 16 + 96 + 32);
    ck_assert_int_eq(moi_model_serving_bytes(model), (122 + 3 + 34) * 4);
    const moi_real *w = moi_model_weights(model);
    ck_assert_uint_eq((uintptr_t)w % 64, 0);
    int64_t at = 0;
    for (int64_t k = 0; k < 4; k++) {
        const moi_param *param = moi_model_param(model, k);
        ck_assert_int_eq(param->offset % 16, 0);
        for (; at < param->offset; at++)
            ck_assert_float_eq((float)w[at], 0);
        at += param->count;
    }
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* ---- failing memory ---- */

#define TREE                                                                \
    "{\"layers\": [{\"type\": \"dense\", \"units\": 4, \"activation\": "     \
    "\"gelu\"}, {\"type\": \"dropout\", \"rate\": 0.5}, {\"repeat\": 6, "    \
    "\"layers\": [{\"type\": \"dense\", \"units\": 3, \"init\": "            \
    "\"orthogonal\"}]}, {\"type\": \"dense\", \"units\": 2}]}"

/* Everything that a model does; the first failure ends it. */
static int32_t work(mopt_context *ctx)
{
    mopt_model *model = NULL, *copy = NULL, *built = NULL;
    static float x[10], y[4];
    int32_t rc = mopt_model_create(ctx, TREE, 5, 0, &model);
    if (rc == MOPT_OK)
        rc = mopt_model_init(model, 1);
    if (rc == MOPT_OK)
        rc = mopt_model_init(model, 2);
    if (rc == MOPT_OK)
        rc = mopt_model_copy(model, &copy);
    if (rc == MOPT_OK)
        rc = mopt_model_describe(copy, text, sizeof text, NULL);
    if (rc == MOPT_OK)
        rc = mopt_model_predict(copy, x, 2, y, NULL);
    if (rc == MOPT_OK)
        rc = mopt_model_build(ctx, 2, &built);
    if (rc == MOPT_OK)
        rc = mopt_model_add_dense(built, 2, "relu");
    if (rc == MOPT_OK)
        rc = mopt_model_add_dropout(built, 0.5);
    /* What is left of a failed model can still be asked and freed. */
    if (model != NULL)
        ck_assert_int_eq(moi_model_outputs(model), 2);
    mopt_model_free(model);
    mopt_model_free(copy);
    mopt_model_free(built);
    return rc;
}

START_TEST(memory_may_fail_anywhere)
{
    int64_t last = 0;
    for (int64_t at = 0; at < 4000; at++) {
        mopt_context *ctx = kit_begin();
        kit_fail_allocation(at, _i);
        int32_t rc = work(ctx);
        kit_fail_allocation(-1, 0);
        kit_end(ctx);
        if (rc == MOPT_OK)
            break;
        kit_fails(rc, MOPT_ENOMEM);
        last = at;
    }
    ck_assert_int_gt(last, 100);
    ck_assert_int_lt(last, 3999);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_model");
    TCase *tests = tcase_create("model");
    tcase_add_test(tests, a_tree_is_expanded);
    tcase_add_test(tests, groups_of_nothing_take_no_time);
    tcase_add_loop_test(tests, wrong_trees_are_refused, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, units_left_out);
    tcase_add_test(tests, calls_make_what_json_makes);
    tcase_add_test(tests, misuse);
    tcase_add_test(tests, the_schema);
    tcase_add_test(tests, tensors_are_seen_as_pytorch_has_them);
    tcase_add_test(tests, references);
    tcase_add_test(tests, the_block);
    tcase_add_loop_test(tests, memory_may_fail_anywhere, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
