/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_hostile.c: recipes that mean harm: every value of a
 * good one replaced by anything, documents cut anywhere, far too much of
 * everything. Each is read or refused, never more. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

static mopt_context *ctx;
static uint64_t state;

static void setup(void)
{
    ctx = kit_begin();
    state = 42;
}

static void teardown(void)
{
    kit_end(ctx);
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* Something of every kind of thing that a recipe may hold. */
static const char rich[] =
    "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 30, "
    "\"features\": 3, \"classes\": 2, \"seed\": 1}, \"split\": {\"validation\":"
    " 0.3, \"test\": 5}, \"scale\": {\"choice\": [\"none\", \"minmax\"]}}, "
    "\"model\": {\"layers\": [{\"repeat\": {\"int\": [1, 2]}, \"layers\": "
    "[{\"type\": \"dense\", \"units\": {\"int\": [2, 8], \"step\": 2}, "
    "\"activation\": {\"choice\": [\"relu\", \"tanh\"]}}, {\"type\": "
    "\"dropout\", \"rate\": {\"float\": [0.1, 0.5]}}]}, {\"choice\": [null, "
    "{\"type\": \"dense\", \"units\": {\"choice\": [3, 4]}}]}, {\"type\": "
    "\"dense\"}]}, \"train\": {\"epochs\": 1, \"batch_size\": {\"int\": [4, "
    "16], \"log\": true}, \"optimizer\": {\"choice\": [{\"type\": \"sgd\", "
    "\"momentum\": {\"float\": [0, 0.9]}}, {\"type\": \"adam\", "
    "\"learning_rate\": {\"float\": [1e-3, 0.1], \"log\": true}}]}, "
    "\"clip_norm\": {\"float\": [1, 2], \"when\": {\"train.optimizer\": "
    "\"adam\"}}}, \"search\": {\"trials\": 2, \"sampler\": \"random\"}, "
    "\"objectives\": [\"loss\", {\"metric\": \"params\", \"direction\": "
    "\"min\"}], \"constraints\": [{\"metric\": \"params\", \"max\": 1000}], "
    "\"seed\": 3, \"description\": \"x\"}";

/* Read it; what is read can be told and measured. Returns 1 if it was. */
static int32_t try_out(const char *json)
{
    mopt_recipe *recipe = NULL, *one = NULL;
    mopt_space *space = NULL;
    int32_t rc = mopt_recipe_parse(ctx, json, NULL, &recipe);
    char message[1024] = "", text[64];
    int64_t count;
    size_t needed;
    if (rc != MOPT_OK) {
        mopt_last_error(message, sizeof message, NULL);
        ck_assert_ptr_null(recipe);
        ck_assert_msg(rc == MOPT_EINVAL || rc == MOPT_EKEY ||
                          rc == MOPT_EFORMAT || rc == MOPT_ERANGE,
                      "%s: %s: %s", mopt_status_name(rc), message, json);
        ck_assert_msg(message[0] != '\0', "no message: %s", json);
        return 0;
    }
    kit_ok(mopt_recipe_to_json(recipe, NULL, 0, &needed));
    kit_ok(mopt_recipe_space(recipe, &space));
    kit_ok(mopt_space_count(space, &count));
    ck_assert_int_ge(count, 1);
    if (mopt_recipe_apply(recipe, "{}", &one) == MOPT_OK)
        mopt_recipe_free(one);
    mopt_space_to_json(space, text, sizeof text, &needed);
    mopt_space_free(space);
    mopt_recipe_free(recipe);
    return 1;
}

/* --- Every value replaced ------------------------------------------------ */

static json_t *anything(void)
{
    static const char *const things[] = {
        "null", "true", "false", "0", "-1", "1", "2.5", "-0.0", "1e308",
        "9223372036854775807", "-9223372036854775808", "1e-320", "\"\"",
        "\"adam\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "[]", "{}", "[[]]",
        "{\"\": 1}", "[null, null]", "{\"type\": \"dense\"}",
        "{\"float\": [0, 1]}", "{\"int\": [1, 2]}", "{\"choice\": [1, 2]}",
        "{\"float\": [1, 0]}", "{\"choice\": [{\"choice\": [1, 2]}, 3]}",
        "{\"repeat\": 3, \"layers\": []}", "{\"float\": [-1e308, 1e308]}",
        ("{\"repeat\": {\"int\": [0, 64]}, \"layers\": [{\"type\": \"dense\", "
         "\"units\": {\"int\": [1, 9]}}]}"), "{\"int\": [1, 9007199254740992]}",
        "{\"choice\": [1, 2], \"when\": {\"train.batch_size\": {\"min\": 8}}}",
    };
    size_t i = draw(sizeof things / sizeof *things);
    json_t *value = json_loads(things[i], JSON_DECODE_ANY | JSON_ALLOW_NUL,
                               NULL);
    ck_assert_ptr_nonnull(value);
    return value;
}

static int64_t count_values(const json_t *value)
{
    int64_t count = 1;
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        count += count_values(member);
    for (size_t i = 0; i < json_array_size(value); i++)
        count += count_values(json_array_get(value, i));
    return count;
}

/* Replace the value number *left, counted as count_values does. */
static void replace(json_t *value, int64_t *left)
{
    const char *key;
    json_t *member;
    void *next;
    json_object_foreach_safe(value, next, key, member) {
        if (--*left == 0) {
            if (draw(4) == 0)
                json_object_del(value, key);
            else
                json_object_set_new(value, key, anything());
            return;
        }
        replace(member, left);
        if (*left <= 0)
            return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (--*left == 0) {
            json_array_set_new(value, i, anything());
            return;
        }
        replace(json_array_get(value, i), left);
        if (*left <= 0)
            return;
    }
}

START_TEST(any_value_may_be_anything)
{
    json_t *good = json_loads(rich, 0, NULL);
    int64_t count = count_values(good), read = 0;
    const int64_t rounds = 3000;
    ck_assert_int_eq(try_out(rich), 1);
    for (int64_t i = 0; i < rounds; i++) {
        json_t *bad = json_deep_copy(good);
        for (uint64_t k = 1 + draw(2); k > 0; k--) {
            int64_t left = 1 + (int64_t)draw((uint64_t)count - 1);
            replace(bad, &left);
        }
        char *text = json_dumps(bad, 0);
        read += try_out(text);
        free(text);
        json_decref(bad);
    }
    /* Neither are all of them refused, nor none. */
    ck_assert_int_gt(read, rounds / 50);
    ck_assert_int_lt(read, rounds / 2);
    json_decref(good);
}
END_TEST

START_TEST(any_byte_may_be_any_other)
{
    char text[sizeof rich];
    for (int32_t i = 0; i < 4000; i++) {
        memcpy(text, rich, sizeof rich);
        for (uint64_t k = 1 + draw(3); k > 0; k--)
            text[draw(sizeof rich - 1)] = (char)(1 + draw(255));
        try_out(text);
    }
}
END_TEST

START_TEST(any_end_may_be_missing)
{
    char text[sizeof rich];
    memcpy(text, rich, sizeof rich);
    for (size_t length = sizeof rich - 2; length > 0; length--) {
        text[length] = '\0';
        ck_assert_int_eq(try_out(text), 0);
    }
}
END_TEST

/* --- Too much ------------------------------------------------------------ */

/* Levels of nested opening, then of closing, around a middle. */
static char *nested(const char *before, const char *open, const char *middle,
                    const char *close, const char *after, int32_t levels)
{
    size_t size = strlen(before) + strlen(middle) + strlen(after) + 1 +
                  (size_t)levels * (strlen(open) + strlen(close));
    char *text = malloc(size), *at = text;
    ck_assert_ptr_nonnull(text);
    at = stpcpy(at, before);
    for (int32_t i = 0; i < levels; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (int32_t i = 0; i < levels; i++)
        at = stpcpy(at, close);
    stpcpy(at, after);
    return text;
}

START_TEST(depth_has_an_end)
{
    static const char data[] = "{\"data\": {\"source\": \"linear\"}, ";
    static const struct {
        const char *open, *middle, *close;
    } forms[] = {
        {"[", "1", "]"},
        {"{\"a\": ", "1", "}"},
        {"{\"choice\": [", "1", "]}"},
        {"{\"repeat\": 2, \"layers\": [", "{\"type\": \"dense\"}", "]}"},
        {"{\"repeat\": 64, \"layers\": [",
         "{\"type\": \"dense\", \"units\": {\"int\": [1, 2]}}", "]}"},
        {"{\"repeat\": {\"int\": [0, 64]}, \"layers\": [",
         "{\"type\": \"dense\", \"units\": {\"int\": [1, 2]}}", "]}"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (int32_t levels = 1; levels < 20000; levels *= 7) {
            char before[128];
            snprintf(before, sizeof before, "%s\"model\": {\"layers\": [",
                     data);
            char *text = nested(before, forms[i].open, forms[i].middle,
                                forms[i].close, "]}}", levels);
            try_out(text);
            free(text);
        }
    }
}
END_TEST

START_TEST(names_have_an_end)
{
    char text[4096], key[2000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    snprintf(text, sizeof text, "{\"data\": {\"source\": \"linear\"}, "
             "\"model\": {\"%s\": {\"int\": [1, 2]}, \"layers\": []}}", key);
    ck_assert_int_eq(try_out(text), 0);
    snprintf(text, sizeof text, "{\"data\": {\"source\": \"linear\"}, "
             "\"model\": {\"layers\": [{\"type\": \"dense\"}]}, \"%s\": 1}",
             key);
    ck_assert_int_eq(try_out(text), 0);
}
END_TEST

START_TEST(many_choices)
{
    static char text[200000];
    size_t used = (size_t)snprintf(
        text, sizeof text, "{\"data\": {\"source\": \"linear\"}, \"model\": "
        "{\"layers\": [{\"type\": \"dense\"}]}, \"train\": {\"epochs\": "
        "{\"choice\": [1");
    for (int32_t i = 2; i <= 1001; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ", %d",
                                 (int)i);
    snprintf(text + used, sizeof text - used, "]}}}");
    ck_assert_int_eq(try_out(text), 0);
    kit_says("1 to 1000 options");
}
END_TEST

START_TEST(a_model_that_no_machine_holds)
{
    ck_assert_int_eq(
        try_out("{\"data\": {\"source\": \"linear\"}, \"model\": {\"layers\": "
                "[{\"type\": \"dense\", \"units\": 1000000000}, {\"type\": "
                "\"dense\", \"units\": {\"int\": [1, 1000000000]}}]}}"), 0);
    kit_says("model");
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("hostile recipes");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, any_value_may_be_anything);
    tcase_add_test(all, any_byte_may_be_any_other);
    tcase_add_test(all, any_end_may_be_missing);
    tcase_add_test(all, depth_has_an_end);
    tcase_add_test(all, names_have_an_end);
    tcase_add_test(all, many_choices);
    tcase_add_test(all, a_model_that_no_machine_holds);
    suite_add_tcase(suite, all);
    return suite;
}
