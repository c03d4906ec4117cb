/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/run_kit.c: see run_kit.h. */
#include "run_kit.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

mopt_context *ctx;

json_t *trials[64];
int64_t epochs[64];
json_t *data_told, *test_told;
static int32_t order_broken;

static void forget(void)
{
    for (int i = 0; i < 64; i++) {
        json_decref(trials[i]);
        trials[i] = NULL;
        epochs[i] = 0;
    }
    json_decref(data_told);
    json_decref(test_told);
    data_told = test_told = NULL;
    order_broken = 0;
}

void setup(void)
{
    ctx = kit_begin();
}

void teardown(void)
{
    forget();
    kit_end(ctx);
}

static int32_t remember(void *user, int32_t event, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    (void)user;
    if (json == NULL || (data_told == NULL) != (event == MOPT_EVENT_DATA) ||
        test_told != NULL)
        order_broken = 1;
    if (event == MOPT_EVENT_DATA)
        data_told = json_incref(json);
    if (event == MOPT_EVENT_TEST)
        test_told = json_incref(json);
    if (event == MOPT_EVENT_TRIAL)
        trials[json_integer_value(json_object_get(json, "number"))] =
            json_incref(json);
    if (event == MOPT_EVENT_EPOCH)
        epochs[json_integer_value(json_object_get(json, "trial"))]++;
    json_decref(json);
    return 0;
}

double value_of(int64_t trial)
{
    const json_t *value = json_array_get(
        json_object_get(trials[trial], "values"), 0);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

double param_of(int64_t trial, const char *name)
{
    return json_number_value(json_object_get(
        json_object_get(trials[trial], "params"), name));
}

const char *state_of(int64_t trial)
{
    return json_string_value(json_object_get(trials[trial], "state"));
}

mopt_recipe *parse(const char *json)
{
    mopt_recipe *recipe = NULL;
    kit_ok(mopt_recipe_parse(ctx, json, NULL, &recipe));
    return recipe;
}

/* Run a recipe that must succeed, remembering its events. */
mopt_result *run(const mopt_recipe *recipe)
{
    mopt_result *result = NULL;
    forget();
    kit_ok(mopt_recipe_run(recipe, remember, NULL, NULL, &result));
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(order_broken, 0);
    return result;
}

json_t *told(const mopt_result *result)
{
    static char text[1 << 20];
    kit_ok(mopt_result_to_json(result, text, sizeof text, NULL));
    json_t *json = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

const json_t *at(const json_t *json, const char *key,
                        const char *inner)
{
    const json_t *value = json_object_get(json, key);
    return inner == NULL ? value : json_object_get(value, inner);
}

void same_weights(const mopt_model *a, const mopt_model *b)
{
    static char text[1 << 16];
    kit_ok(mopt_model_describe(a, text, sizeof text, NULL));
    json_t *json = json_loads(text, 0, NULL);
    kit_ok(mopt_model_describe(b, text, sizeof text, NULL));
    json_t *other = json_loads(text, 0, NULL);
    ck_assert(json_equal(at(json, "layers", NULL), at(other, "layers", NULL)));
    json_decref(other);
    const json_t *tensors = json_object_get(json, "tensors");
    int64_t count = 0;
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        const json_t *shape = json_object_get(tensor, "shape");
        const char *name = json_string_value(json_object_get(tensor, "name"));
        float x[4096], y[4096];
        int64_t size = 1;
        for (size_t k = 0; k < json_array_size(shape); k++)
            size *= json_integer_value(json_array_get(shape, k));
        ck_assert_int_le(size, 4096);
        kit_ok(mopt_model_get_tensor(a, name, x, size));
        kit_ok(mopt_model_get_tensor(b, name, y, size));
        ck_assert_mem_eq(x, y, (size_t)size * sizeof *x);
        count += size;
    }
    ck_assert_int_gt(count, 0);
    json_decref(json);
}

void run_and_die(void (*act)(void *user), void *user)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        act(user);
        _exit(1);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void set_text(mopt_recipe *recipe, const char *path, const char *value)
{
    char json[600];
    snprintf(json, sizeof json, "\"%s\"", value);
    kit_ok(mopt_recipe_set(recipe, path, json));
}

static int32_t stop(void *user, int32_t event, const char *json)
{
    stopper *s = user;
    (void)json;
    if (event != s->event || s->calls-- > 0)
        return 0;
    mopt_cancel_request(s->cancel);
    return s->answer;
}

int32_t stopped(const mopt_recipe *recipe, stopper s,
                       mopt_result **result)
{
    int32_t rc;
    mopt_cancel *cancel = s.cancel;
    *result = NULL;
    rc = mopt_recipe_run(recipe, stop, &s, cancel, result);
    if (cancel != NULL)
        mopt_cancel_reset(cancel);
    return rc;
}
