/* SPDX-License-Identifier: MIT
 * tests/unit/base/test_config.c: configs over a schema of the test's own, with
 * a variant and a group, and through every public function. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "kit.h"

static const moi_key plain_keys[] = {
    MOI_FLOAT("rate", 0.01, 0, 10, "speed"),
    MOI_KEYS_END,
};
static const moi_key heavy_keys[] = {
    {"rate", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, 0.001, 0, 1, NULL, NULL, NULL,
     "speed"},
    MOI_FLOAT("momentum", 0.9, 0, 1, "inertia"),
    MOI_KEYS_END,
};
static const moi_schema plain = {"plain", "no state", plain_keys};
static const moi_schema heavy = {"heavy", "with state", heavy_keys};
static const moi_schema *const movers[] = {&plain, &heavy, NULL};
static const moi_key test_keys[] = {
    MOI_INT("epochs", 10, 1, 1000, "passes"),
    MOI_BOOL("shuffle", 1, "in another order each time"),
    MOI_TEXT("name", "job", "what it is called"),
    MOI_CHOICE("mode", "fast", "fast|slow", "which way"),
    MOI_VARIANT("mover", "plain", movers, "who moves"),
    MOI_INT("split.test", 5, 0, 100, "rows kept back"),
    MOI_JSON("extra", "anything"),
    MOI_KEYS_END,
};
static const moi_schema test_schema = {"test", "for the test", test_keys};

static mopt_context *ctx;
static mopt_config *config;

static void begin(void)
{
    ctx = kit_begin();
    kit_ok(moi_config_new(ctx, &test_schema, &config));
}

static void end(void)
{
    mopt_config_free(config);
    kit_end(ctx);
}

START_TEST(defaults)
{
    int64_t whole;
    int32_t flag;
    double number;
    char text[40];
    kit_ok(mopt_config_get_int(config, "epochs", &whole));
    ck_assert_int_eq(whole, 10);
    kit_ok(mopt_config_get_bool(config, "shuffle", &flag));
    ck_assert_int_eq(flag, 1);
    kit_ok(mopt_config_get_float(config, "mover.rate", &number));
    ck_assert(number == 0.01);
    kit_ok(mopt_config_get_text(config, "mover", text, sizeof text, NULL));
    ck_assert_str_eq(text, "plain");
    /* A default follows the variant in force. */
    kit_ok(mopt_config_set_text(config, "mover", "heavy"));
    kit_ok(mopt_config_get_float(config, "mover.rate", &number));
    ck_assert(number == 0.001);
}
END_TEST

START_TEST(setting_and_reading)
{
    int64_t whole;
    char text[40];
    kit_ok(mopt_config_set_int(config, "epochs", 7));
    kit_ok(mopt_config_set_float(config, "epochs", 8.0));
    kit_ok(mopt_config_get_int(config, "epochs", &whole));
    ck_assert_int_eq(whole, 8);
    kit_ok(mopt_config_set_text(config, "epochs", "9"));
    kit_ok(mopt_config_get_text(config, "epochs", text, sizeof text, NULL));
    ck_assert_str_eq(text, "9");
    kit_ok(mopt_config_set_text(config, "mover.type", "heavy"));
    kit_ok(mopt_config_set_text(config, "mover.momentum", "5e-1"));
    kit_ok(mopt_config_get_text(config, "mover.momentum", text, 40, NULL));
    ck_assert_str_eq(text, "0.5");
    kit_ok(mopt_config_set_text(config, "shuffle", "false"));
    kit_ok(mopt_config_set_int(config, "split.test", 0));
    kit_ok(mopt_config_set_text(config, "extra", "[1, {\"a\": null}]"));
    kit_ok(mopt_config_get_text(config, "extra", text, sizeof text, NULL));
    ck_assert_str_eq(text, "[1, {\"a\": null}]");
}
END_TEST

START_TEST(errors_name_key_value_and_bounds)
{
    kit_fails(mopt_config_set_int(config, "epochs", 0), MOPT_EINVAL);
    kit_says("epochs: must be at least 1, not 0");
    kit_fails(mopt_config_set_float(config, "epochs", 1.5), MOPT_EINVAL);
    kit_says("epochs: must be an integer, not 1.5");
    kit_fails(mopt_config_set_float(config, "mover.rate", NAN), MOPT_EINVAL);
    kit_fails(mopt_config_set_float(config, "mover.rate", INFINITY),
              MOPT_EINVAL);
    kit_fails(mopt_config_set_int(config, "epoch", 3), MOPT_EKEY);
    kit_says("'epochs'");
    kit_fails(mopt_config_set_float(config, "mover.momentun", 3), MOPT_EKEY);
    kit_says("'mover.momentum'");
    kit_fails(mopt_config_set_text(config, "mode", "fats"), MOPT_EINVAL);
    kit_says("'fats' is not one of fast|slow; the nearest is 'fast'");
    kit_fails(mopt_config_set_text(config, "mover", "heavi"), MOPT_EINVAL);
    kit_says("plain|heavy");
    kit_fails(mopt_config_set_bool(config, "shuffle", 2), MOPT_EINVAL);
    kit_fails(mopt_config_set_int(config, "name", 2), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "mover", "heavy"));
    kit_fails(mopt_config_set_float(config, "mover.rate", 0), MOPT_EINVAL);
    kit_says("above 0");
}
END_TEST

START_TEST(json_sets_all_or_nothing)
{
    int64_t whole;
    double number;
    kit_ok(mopt_config_set_json(
        config, "{\"epochs\": 3, \"split\": {\"test\": 9},"
                " \"mover\": {\"momentum\": 0.5, \"type\": \"heavy\"}}"));
    kit_ok(mopt_config_get_int(config, "split.test", &whole));
    ck_assert_int_eq(whole, 9);
    kit_ok(mopt_config_get_float(config, "mover.momentum", &number));
    ck_assert(number == 0.5);
    kit_fails(mopt_config_set_json(config,
                                   "{\"epochs\": 4, \"mover\": {\"rate\": 2}}"),
              MOPT_EINVAL);
    kit_says("mover.rate: must be at most 1, not 2");
    kit_ok(mopt_config_get_int(config, "epochs", &whole));
    ck_assert_int_eq(whole, 3);
    kit_fails(mopt_config_set_json(config, "{\"epochs\": }"), MOPT_EFORMAT);
    kit_says("line 1");
    kit_fails(mopt_config_set_json(config, "[]"), MOPT_EINVAL);
    kit_fails(mopt_config_set_json(config, "{\"epochs\": {\"a\": 1}}"),
              MOPT_EINVAL);
    kit_fails(mopt_config_set_json(config, "{\"a\": 1, \"a\": 2}"),
              MOPT_EFORMAT);
}
END_TEST

START_TEST(check_refuses_keys_of_another_variant)
{
    kit_ok(mopt_config_set_float(config, "mover.momentum", 0.5));
    kit_fails(moi_config_check(config), MOPT_EKEY);
    kit_says("mover.momentum");
    kit_ok(mopt_config_set_text(config, "mover", "heavy"));
    kit_ok(moi_config_check(config));
    /* A value that the variant in force does not allow. */
    kit_ok(mopt_config_set_text(config, "mover", "plain"));
    kit_ok(mopt_config_set_float(config, "mover.rate", 5));
    kit_ok(mopt_config_set_text(config, "mover", "heavy"));
    kit_fails(moi_config_check(config), MOPT_EINVAL);
}
END_TEST

START_TEST(as_a_document)
{
    kit_ok(mopt_config_set_text(config, "mover", "heavy"));
    kit_ok(mopt_config_set_int(config, "split.test", 3));
    json_t *set = moi_config_to_json(config, 0);
    ck_assert_int_eq((int)json_object_size(set), 2);
    json_t *all = moi_config_to_json(config, 1);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(all, "mover"),
                                          "type")), "heavy");
    mopt_config *again;
    kit_ok(moi_config_new(ctx, &test_schema, &again));
    kit_ok(moi_config_read(again, all, NULL, NULL));
    kit_ok(moi_config_check(again));
    json_t *back = moi_config_to_json(again, 1);
    ck_assert(json_equal(all, back));
    json_decref(set);
    json_decref(all);
    json_decref(back);
    mopt_config_free(again);
}
END_TEST

START_TEST(json_schema_has_every_key)
{
    json_t *schema = moi_schema_to_json(&test_schema, 1);
    json_t *properties = json_object_get(schema, "properties");
    ck_assert_int_eq((int)json_object_size(properties), 7);
    json_t *split = json_object_get(properties, "split");
    ck_assert_ptr_nonnull(
        json_object_get(json_object_get(split, "properties"), "test"));
    json_t *mover = json_object_get(json_object_get(properties, "mover"),
                                    "anyOf");
    ck_assert_int_eq((int)json_array_size(mover), 4);
    json_decref(schema);
}
END_TEST

START_TEST(paths_lead_the_message)
{
    json_t *object;
    moi_path root = {NULL, "train", 0}, item = {&root, NULL, 2};
    kit_ok(moi_json_parse("{\"epochs\": 0}", &object));
    kit_fails(moi_config_read(config, object, &item, NULL), MOPT_EINVAL);
    kit_says("train[2].epochs: must be at least 1");
    json_decref(object);
}
END_TEST

START_TEST(public_kinds)
{
    mopt_config *other = NULL;
    char text[100];
    size_t needed;
    kit_fails(mopt_config_create(ctx, "contxt", &other), MOPT_EKEY);
    kit_says("'context'");
    kit_ok(mopt_config_describe(ctx, NULL, NULL, 0, &needed));
    kit_ok(mopt_config_describe(ctx, "context", NULL, 0, &needed));
    kit_fails(mopt_config_describe(ctx, "context", text, 100, &needed),
              MOPT_ERANGE);
    kit_fails(mopt_config_describe(ctx, "no", text, 100, NULL), MOPT_EKEY);
}
END_TEST

static int32_t use_all(void)
{
    mopt_config *made = NULL, *copy = NULL;
    char text[4000];
    int32_t status = mopt_config_create(ctx, "context", &made);
    if (status == MOPT_OK)
        status = mopt_config_set_int(made, "threads", 1);
    if (status == MOPT_OK)
        status = mopt_config_get_text(made, "backend", text, 4000, NULL);
    if (status == MOPT_OK)
        status = mopt_config_describe(ctx, "context", text, 4000, NULL);
    if (status == MOPT_OK)
        status = moi_config_copy(made, &copy);
    mopt_config_free(copy);
    mopt_config_free(made);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    for (int32_t forever = 0; forever <= 1; forever++) {
        int32_t status = MOPT_ENOMEM;
        int64_t at = 0;
        for (; status != MOPT_OK && at < 1000; at++) {
            kit_fail_allocation(at, forever);
            status = use_all();
            kit_fail_allocation(-1, 0);
            ck_assert(status == MOPT_OK || status == MOPT_ENOMEM);
        }
        ck_assert_int_eq(status, MOPT_OK);
        ck_assert_int_gt(at, 2);
    }
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *all = tcase_create("config");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, defaults);
    tcase_add_test(all, setting_and_reading);
    tcase_add_test(all, errors_name_key_value_and_bounds);
    tcase_add_test(all, json_sets_all_or_nothing);
    tcase_add_test(all, check_refuses_keys_of_another_variant);
    tcase_add_test(all, as_a_document);
    tcase_add_test(all, json_schema_has_every_key);
    tcase_add_test(all, paths_lead_the_message);
    tcase_add_test(all, public_kinds);
    tcase_add_test(all, every_allocation_may_fail);
    suite_add_tcase(suite, all);
    return suite;
}
