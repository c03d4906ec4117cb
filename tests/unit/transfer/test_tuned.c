/* SPDX-License-Identifier: MIT
 * tests/unit/transfer/test_tuned.c: what a report tells of each method, in
 * which unit; what is refused; maps that are wrong in one place. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../train/school.h"
#include "base/json.h"
#include "kit.h"
#include "learn/format/safetensors.h"
#include "learn/transfer/finetune.h"

#define TRAINING "{\"epochs\": 6, \"batch_size\": 16, \"seed\": 4}"

#define LORA(rank) \
    "{\"baseline\": false, \"method\": {\"type\": \"lora\", \"rank\": " \
    #rank "}}"

static mopt_context *ctx;

static void setup(void)
{
    ctx = kit_begin();
}

static void teardown(void)
{
    kit_end(ctx);
}

/* ---- what the tests share ---- */

static mopt_model *make_source(const mopt_dataset *data, int64_t outputs)
{
    mopt_model *model = school_model(ctx, outputs, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, data, NULL,
                                           "{\"epochs\": 20}");

    kit_ok(mopt_trainer_fit(trainer, NULL));
    mopt_trainer_free(trainer);
    return model;
}

static mopt_finetune *make(const mopt_model *source, const mopt_dataset *data,
                           const char *json, const char *training)
{
    mopt_config *how = school_config(ctx, "finetune", json);
    mopt_config *train = school_config(ctx, "train", training);
    mopt_finetune *f = NULL;

    kit_ok(mopt_finetune_create(ctx, source, data, NULL, how, train, &f));
    mopt_config_free(how);
    mopt_config_free(train);
    return f;
}

static json_t *report_of(mopt_finetune *f, const mopt_dataset *test,
                         const mopt_dataset *source_test)
{
    static char text[1 << 14];
    json_t *doc = NULL;

    kit_ok(mopt_finetune_evaluate(f, test, source_test, NULL, text,
                                  sizeof text, NULL));
    kit_ok(moi_json_parse(text, &doc));
    return doc;
}

static double figure(const json_t *doc, const char *part, const char *name)
{
    return json_number_value(json_object_get(json_object_get(doc, part),
                                             name));
}

static void tuned_weights(mopt_finetune *f, float *to)
{
    mopt_model *model = NULL;

    kit_ok(mopt_finetune_model(f, &model));
    school_weights(model, to);
    mopt_model_free(model);
}

/* Of a 5-8-3 model, in the order of school_weights. */
enum { W0 = 0, B0 = 40, W1 = 48, B1 = 72, END = 75 };

static int32_t same(const float *a, const float *b, int from, int to)
{
    return !memcmp(a + from, b + from, (size_t)(to - from) * sizeof *a);
}

/* ---- what learns ---- */

static const struct {
    const char *config;
    int32_t w0, b0, w1, b1, trained; /* which change */
} methods[] = {
    {"{\"baseline\": false}", 1, 1, 1, 1, 75},
    {"{\"baseline\": false, \"method\": \"head\"}", 0, 0, 1, 1, 27},
    {"{\"baseline\": false, \"method\": \"probe\"}", 0, 0, 1, 1, 27},
    {"{\"baseline\": false, \"method\": \"bias\"}", 0, 1, 0, 1, 11},
    {"{\"baseline\": false, \"method\": {\"type\": \"lora\", \"rank\": 1}}",
     1, 0, 1, 0, 24},
    {"{\"baseline\": false, \"method\": {\"type\": \"lora\", \"rank\": 1,"
     " \"targets\": \"layers.0.*\"}}", 1, 0, 0, 0, 13},
    {"{\"baseline\": false, \"method\": {\"type\": \"lora\", \"rank\": 1,"
     " \"biases\": true}}", 1, 1, 1, 1, 35},
    {"{\"baseline\": false, \"freeze\": \"layers.0.*,*.1.bias\"}",
     0, 0, 1, 0, 24},
    {"{\"baseline\": false, \"unfreeze_every\": 100}", 0, 0, 1, 1, 27},
};

START_TEST(only_what_the_method_names_learns)
{
    mopt_dataset *old = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    mopt_dataset *data = school_clouds(ctx, SCHOOL_ROWS, 0.9, 2);
    mopt_model *source = make_source(old, SCHOOL_CLASSES);
    mopt_finetune *f = make(source, data, methods[_i].config, TRAINING);
    float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];
    json_t *doc;

    school_weights(source, before);
    kit_ok(mopt_finetune_fit(f, NULL));
    tuned_weights(f, after);
    ck_assert_int_eq(!same(before, after, W0, B0), methods[_i].w0);
    ck_assert_int_eq(!same(before, after, B0, W1), methods[_i].b0);
    ck_assert_int_eq(!same(before, after, W1, B1), methods[_i].w1);
    ck_assert_int_eq(!same(before, after, B1, END), methods[_i].b1);
    doc = report_of(f, data, old);
    ck_assert_int_eq((int)json_integer_value(
                         json_object_get(doc, "trained_params")),
                     methods[_i].trained);
    ck_assert(json_is_null(json_object_get(doc, "scratch")));
    ck_assert(figure(doc, "untuned", "accuracy") > 0.5);
    ck_assert(figure(doc, "target", "accuracy") > 0.5);
    json_decref(doc);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(data);
    mopt_dataset_free(old);
}
END_TEST

/* From scratch, at another rate: the baseline alone is another one. */
START_TEST(scratch_has_a_rate_of_its_own)
{
    mopt_dataset *old = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    mopt_dataset *data = school_clouds(ctx, SCHOOL_ROWS, 0.9, 2);
    mopt_model *source = make_source(old, SCHOOL_CLASSES);
    double target[2], scratch[2];

    for (int i = 0; i < 2; i++) {
        mopt_finetune *f = make(source, data, i ? "{\"baseline_rate\": 9}"
                                               : "{}", TRAINING);
        json_t *doc;

        kit_ok(mopt_finetune_fit(f, NULL));
        doc = report_of(f, data, NULL);
        target[i] = figure(doc, "target", "loss");
        scratch[i] = figure(doc, "scratch", "loss");
        json_decref(doc);
        mopt_finetune_free(f);
    }
    ck_assert(target[0] == target[1]);
    ck_assert(scratch[0] > scratch[1]);
    mopt_model_free(source);
    mopt_dataset_free(data);
    mopt_dataset_free(old);
}
END_TEST

/* ---- heads and data ---- */

static mopt_dataset *raw_numbers(int64_t rows, double by, double plus)
{
    static float x[400], y[400];
    mopt_dataset *data = NULL;

    for (int64_t i = 0; i < rows; i++) {
        x[i] = (float)(i % 40) / 4;
        y[i] = (float)(by * (double)x[i] + plus);
    }
    kit_ok(mopt_dataset_from_memory(ctx, rows, 1, x, MOPT_F32, 0, y, MOPT_F32,
                                    1, 0, NULL, NULL, &data));
    return data;
}

/* A regression of raw_numbers(100, 3, 5), both sides standardised. */
static mopt_model *number_source(void)
{
    mopt_config *how = school_config(ctx, "data", "{\"scale\": \"standard\"}");
    mopt_dataset *raw = raw_numbers(100, 3, 5), *ready = NULL;
    mopt_transform *transform = NULL;
    mopt_model *model = NULL;
    mopt_trainer *trainer;

    kit_ok(mopt_transform_fit(raw, how, &transform));
    kit_ok(mopt_transform_apply(transform, raw, &ready));
    kit_ok(mopt_model_build(ctx, 1, &model));
    kit_ok(mopt_model_add_dense(model, 8, "tanh"));
    kit_ok(mopt_model_add_dense(model, 1, "none"));
    kit_ok(mopt_model_init(model, 1));
    kit_ok(mopt_model_set_transform(model, transform));
    trainer = school_trainer(ctx, model, ready, NULL, "{\"epochs\": 20}");
    kit_ok(mopt_trainer_fit(trainer, NULL));
    mopt_trainer_free(trainer);
    mopt_transform_free(transform);
    mopt_dataset_free(ready);
    mopt_dataset_free(raw);
    mopt_config_free(how);
    return model;
}

static double rmse_of(const mopt_model *model, const mopt_dataset *data)
{
    char text[4000];
    json_t *doc = NULL;
    double rmse;

    kit_ok(mopt_model_evaluate(model, data, NULL, NULL, text, sizeof text,
                               NULL));
    kit_ok(moi_json_parse(text, &doc));
    rmse = json_number_value(json_object_get(doc, "rmse"));
    json_decref(doc);
    return rmse;
}

/* A kept head goes on telling numbers in the source's unit: before it is tuned
 * it says what the source says, and the report measures both in that unit. */
START_TEST(a_kept_head_keeps_its_unit)
{
    mopt_model *source = number_source(), *tuned = NULL;
    mopt_dataset *few = raw_numbers(20, 6, 100), *old = raw_numbers(40, 3, 5);
    mopt_finetune *f = make(source, few, "{\"baseline\": false, \"rate\": 0}",
                            TRAINING);
    float says[2][20];
    json_t *doc;

    kit_ok(mopt_finetune_model(f, &tuned));
    kit_ok(mopt_model_predict_dataset(source, few, says[0], 20, NULL));
    kit_ok(mopt_model_predict_dataset(tuned, few, says[1], 20, NULL));
    ck_assert_mem_eq(says[0], says[1], sizeof says[0]);
    kit_ok(mopt_finetune_fit(f, NULL));
    doc = report_of(f, few, old);
    ck_assert_double_eq_tol(figure(doc, "untuned", "rmse"),
                            rmse_of(source, few), 1e-6);
    ck_assert_double_eq_tol(figure(doc, "target", "rmse"),
                            rmse_of(tuned, few), 1e-6);
    ck_assert_double_eq_tol(figure(doc, "source", "forgotten"), 0, 1e-9);
    json_decref(doc);
    mopt_model_free(tuned);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(old);
    mopt_dataset_free(few);
}
END_TEST

/* A new head learns in the unit of the rows it is given. */
START_TEST(a_new_head_learns_its_own_unit)
{
    mopt_model *source = number_source();
    mopt_dataset *few = raw_numbers(40, 6, 1000);
    mopt_finetune *f = make(source, few, "{\"baseline\": false,"
                            " \"head\": \"new\", \"rate\": 1}",
                            "{\"epochs\": 40, \"batch_size\": 8}");
    json_t *doc;

    kit_ok(mopt_finetune_fit(f, NULL));
    doc = report_of(f, few, NULL);
    ck_assert(json_is_null(json_object_get(doc, "untuned")));
    ck_assert(figure(doc, "target", "rmse") < 17); /* their deviation */
    json_decref(doc);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(few);
}
END_TEST

/* Data that went through another encoding of inputs would be misread. */
START_TEST(rows_of_another_encoding_are_refused)
{
    mopt_config *standard = school_config(ctx, "data",
                                          "{\"scale\": \"standard\"}");
    mopt_config *minmax = school_config(ctx, "data",
                                        "{\"scale\": \"minmax\"}");
    mopt_dataset *raw = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    mopt_dataset *ready = NULL;
    mopt_transform *one = NULL, *two = NULL;
    mopt_model *source = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_finetune *f = NULL;

    kit_ok(mopt_transform_fit(raw, standard, &one));
    kit_ok(mopt_transform_fit(raw, minmax, &two));
    kit_ok(mopt_model_set_transform(source, one));
    kit_ok(mopt_transform_apply(two, raw, &ready));
    kit_fails(mopt_finetune_create(ctx, source, ready, NULL, NULL, NULL, &f),
              MOPT_EINVAL);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_transform_free(one);
    mopt_transform_free(two);
    mopt_dataset_free(ready);
    mopt_dataset_free(raw);
    mopt_config_free(standard);
    mopt_config_free(minmax);
}
END_TEST

/* Ridge is no fit for a head that bends its outputs. */
START_TEST(a_probe_needs_a_plain_head)
{
    mopt_dataset *data = school_numbers(ctx, SCHOOL_ROWS, 2);
    mopt_config *how = school_config(ctx, "finetune",
                                     "{\"method\": \"probe\"}");
    mopt_model *source = NULL;
    mopt_finetune *f = NULL;
    int32_t rc;

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &source));
    kit_ok(mopt_model_add_dense(source, 8, "relu"));
    kit_ok(mopt_model_add_dense(source, 2, "tanh"));
    kit_ok(mopt_model_init(source, 1));
    rc = mopt_finetune_create(ctx, source, data, NULL, how, NULL, &f);
    if (!rc)
        rc = mopt_finetune_fit(f, NULL);
    ck_assert_int_eq(rc, MOPT_EUNSUPPORTED);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_config_free(how);
    mopt_dataset_free(data);
}
END_TEST

/* Without a hidden layer the head reads the inputs themselves. */
START_TEST(a_probe_may_read_the_inputs)
{
    mopt_dataset *data = school_clouds(ctx, SCHOOL_ROWS, 0.5, 2);
    mopt_model *source = NULL;
    mopt_finetune *f;
    json_t *doc;

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &source));
    kit_ok(mopt_model_add_dense(source, SCHOOL_CLASSES, "none"));
    kit_ok(mopt_model_init(source, 1));
    f = make(source, data, "{\"method\": \"probe\"}", TRAINING);
    kit_ok(mopt_finetune_fit(f, NULL));
    doc = report_of(f, data, NULL);
    ck_assert(figure(doc, "target", "accuracy") > 0.8);
    json_decref(doc);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(data);
}
END_TEST

/* ---- adapters ---- */

/* An adapter brings the new head that it was tuned with, in and out of the
 * source again; what something else uses keeps its head. */
START_TEST(an_adapter_brings_its_head)
{
    mopt_dataset *old = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    mopt_dataset *data = school_numbers(ctx, SCHOOL_ROWS, 2);
    mopt_model *source = make_source(old, SCHOOL_CLASSES), *model = NULL;
    mopt_finetune *f = make(source, data, methods[4].config, TRAINING);
    const char *path = kit_path("adapter");
    float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];
    float tuned[SCHOOL_WEIGHTS];
    mopt_adapter *made = NULL;
    mopt_trainer *user;
    int64_t count;

    school_weights(source, before);
    kit_ok(mopt_finetune_fit(f, NULL));
    kit_ok(mopt_finetune_model(f, &model));
    count = school_weights(model, tuned);
    kit_ok(mopt_finetune_adapter(f, &made));
    kit_ok(mopt_adapter_save(made, path));
    mopt_adapter_free(made);
    kit_ok(mopt_adapter_load(ctx, path, &made));
    user = school_trainer(ctx, source, old, NULL, "{}");
    kit_fails(mopt_adapter_apply(made, source), MOPT_ESTATE);
    kit_says("copy");
    mopt_trainer_free(user);
    kit_ok(mopt_adapter_apply(made, source));
    ck_assert_int_eq(school_weights(source, after), count);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(after[i], tuned[i], 1e-5);
    kit_ok(mopt_adapter_remove(made, source));
    ck_assert_int_eq(school_weights(source, after), END);
    ck_assert(same(before, after, 0, END));
    mopt_adapter_free(made);
    mopt_model_free(model);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(data);
    mopt_dataset_free(old);
}
END_TEST

/* A head that is announced, and is not there, or is too small. */
START_TEST(a_head_must_be_whole)
{
    static const float values[8] = {0};
    const char *path = kit_path("head.safetensors");
    moi_tensor b = {.name = "layers.1.bias", .type = MOPT_F32, .rank = 1,
                    .shape = {8}, .bytes = sizeof values, .data = values};
    json_t *texts = json_pack("{ssssssss}", "format", "modelopt adapter 1",
                              "rank", "1", "scale", "1", "outputs",
                              "2000000000");
    mopt_model *source = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_adapter *adapter = NULL;

    kit_ok(mopt_model_init(source, 1));
    kit_ok(moi_safetensors_write(ctx, path, texts, &b, 1));
    json_decref(texts);
    kit_ok(mopt_adapter_load(ctx, path, &adapter));
    kit_fails(mopt_adapter_apply(adapter, source), MOPT_EINVAL);
    kit_says("layers.1.weight");
    mopt_adapter_free(adapter);
    mopt_model_free(source);
}
END_TEST

/* One of a pair without the other. */
START_TEST(half_a_pair_is_told)
{
    static const float values[8] = {0};
    const char *path = kit_path("half.safetensors");
    moi_tensor b = {.name = "layers.0.weight.lora_B", .type = MOPT_F32,
                    .rank = 2, .shape = {8, 1}, .bytes = sizeof values,
                    .data = values};
    json_t *texts = json_pack("{ssssss}", "format", "modelopt adapter 1",
                              "rank", "1", "scale", "1");
    mopt_adapter *adapter = NULL;

    kit_ok(moi_safetensors_write(ctx, path, texts, &b, 1));
    json_decref(texts);
    kit_fails(mopt_adapter_load(ctx, path, &adapter), MOPT_EFORMAT);
    kit_says("layers.0.weight.lora_B");
    ck_assert_ptr_null(adapter);
}
END_TEST

/* ---- maps ---- */

static const struct {
    const char *map;
    int32_t status;
    const char *says;
} maps[] = {
    {"{}", MOPT_OK, NULL},
    {"{\"layers.0.weight\": \"layers.0.weight\"}", MOPT_OK, NULL},
    {"{\"layers.0.weigth\": \"x\"}", MOPT_EKEY, "layers.0.weight"},
    {"{\"layers.0.weight\": \"layers.0.weigth\"}", MOPT_EKEY,
     "layers.0.weight"},
    {"{\"layers.0.weight\": 3}", MOPT_EINVAL, "layers.0.weight"},
    {"{\"layers.0.weight\": {\"transpose\": true}}", MOPT_EINVAL, "name"},
    {"{\"layers.0.weight\": {\"name\": \"layers.0.weight\","
     " \"transposed\": true}}", MOPT_EINVAL, "transpose"},
    {"{\"layers.0.weight\": {\"name\": \"layers.0.weight\","
     " \"transpose\": true}}", MOPT_EFORMAT, "layers.0.weight"},
    {"{\"layers.0.weight\": \"layers.1.weight\"}", MOPT_EFORMAT, "[8, 5]"},
    {"{\"layers.0.bias\": {\"name\": \"layers.0.bias\","
     " \"transpose\": true}}", MOPT_EFORMAT, "layers.0.bias"},
    {"[]", MOPT_EINVAL, "object"},
    {"{", MOPT_EFORMAT, "map"},
    {"", MOPT_EFORMAT, "map"},
};

START_TEST(maps_are_checked)
{
    mopt_model *from = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_model *to = school_model(ctx, SCHOOL_CLASSES, 0);
    float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS], want[SCHOOL_WEIGHTS];
    const char *path = kit_path("source.safetensors");

    kit_ok(mopt_model_init(from, 77));
    school_weights(from, want);
    school_weights(to, before);
    kit_ok(mopt_model_save(from, path));
    kit_fails(mopt_model_load_weights(to, path, maps[_i].map),
              maps[_i].status);
    if (maps[_i].says)
        kit_says(maps[_i].says);
    school_weights(to, after);
    ck_assert(same(after, maps[_i].status ? before : want, 0, END));
    mopt_model_free(from);
    mopt_model_free(to);
}
END_TEST

/* ---- by several ranks ---- */

typedef struct crew {
    mopt_dataset *data;
    mopt_model *source;
    const char *method, *training;
    int32_t odd; /* the rank whose factors are others, -1: none */
    float weights[SCHOOL_WEIGHTS]; /* of rank 0; others have the same */
    float factors[SCHOOL_WEIGHTS];
} crew;

/* All factors of the adapter. */
static void factors_of(const mopt_finetune *f, float *to)
{
    memcpy(to, f->lora->annex.weights,
           (size_t)f->lora->annex.size * sizeof *to);
}

static int32_t tune(void *user, mopt_group *g)
{
    crew *c = user;
    int32_t odd = mopt_group_rank(g) == c->odd;
    float own[SCHOOL_WEIGHTS] = {0}, first[SCHOOL_WEIGHTS];
    mopt_trainer *trainer = NULL;
    mopt_finetune *f = make(c->source, c->data, odd ? LORA(2) : c->method,
                            c->training);
    kit_ok(mopt_finetune_trainer(f, &trainer));
    int32_t rc = mopt_trainer_set_group(trainer, g);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, NULL);
    if (rc == MOPT_OK) {
        tuned_weights(f, own);
        memcpy(first, own, sizeof own);
        kit_ok(mopt_group_broadcast(g, 0, first, sizeof first, NULL));
        ck_assert_mem_eq(first, own, sizeof own);
    }
    if (rc == MOPT_OK && mopt_group_rank(g) == 0) {
        memcpy(c->weights, own, sizeof own);
        factors_of(f, c->factors);
    }
    mopt_finetune_free(f);
    return rc;
}

#define CREW_TRAINING "{\"epochs\": 6, \"batch_size\": 16, \"seed\": 4"
static const struct {
    const char *method, *training;
} crews[] = {
    {LORA(1), CREW_TRAINING ", \"parts\": 8}"},
    {LORA(2), CREW_TRAINING ", \"parts\": 8, \"clip_norm\": 0.2, "
              "\"overlap\": \"always\"}"},
    {LORA(2), CREW_TRAINING ", \"parts\": 4, \"compression\": \"bf16\"}"},
    {LORA(1), CREW_TRAINING ", \"parts\": 4, \"compression\": \"topk\", "
              "\"topk_share\": 0.2}"},
};

START_TEST(any_number_of_ranks_tunes_to_the_same_bits)
{
    crew one = {.method = crews[_i].method, .training = crews[_i].training,
                .odd = -1};
    mopt_dataset *old = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    one.data = school_clouds(ctx, SCHOOL_ROWS, 0.9, 2);
    one.source = make_source(old, SCHOOL_CLASSES);
    crew two = one, four = one;
    float before[SCHOOL_WEIGHTS] = {0};

    kit_ok(mopt_group_run(ctx, 1, 60, tune, &one));
    kit_ok(mopt_group_run(ctx, 2, 60, tune, &two));
    kit_ok(mopt_group_run(ctx, 4, 60, tune, &four));
    ck_assert_mem_eq(one.weights, two.weights, sizeof one.weights);
    ck_assert_mem_eq(one.weights, four.weights, sizeof one.weights);
    ck_assert_mem_eq(one.factors, two.factors, sizeof one.factors);
    ck_assert_mem_eq(one.factors, four.factors, sizeof one.factors);
    school_weights(one.source, before);
    ck_assert(!same(before, one.weights, W0, B0));
    ck_assert(same(before, one.weights, B0, W1));
    mopt_model_free(one.source);
    mopt_dataset_free(one.data);
    mopt_dataset_free(old);
}
END_TEST

START_TEST(factors_that_differ_are_told)
{
    crew c = {.method = LORA(1), .training = TRAINING, .odd = 1};
    c.data = school_clouds(ctx, SCHOOL_ROWS, 0.9, 2);
    c.source = make_source(c.data, SCHOOL_CLASSES);
    kit_fails(mopt_group_run(ctx, 3, 60, tune, &c), MOPT_EINVAL);
    kit_says("same model: 1 of 3 differ from rank 0, the first is rank 1");
    mopt_model_free(c.source);
    mopt_dataset_free(c.data);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("tuned");
    TCase *tc = tcase_create("tuned");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, only_what_the_method_names_learns, 0, 9);
    tcase_add_test(tc, a_kept_head_keeps_its_unit);
    tcase_add_test(tc, a_new_head_learns_its_own_unit);
    tcase_add_test(tc, rows_of_another_encoding_are_refused);
    tcase_add_test(tc, a_probe_needs_a_plain_head);
    tcase_add_test(tc, a_probe_may_read_the_inputs);
    tcase_add_test(tc, an_adapter_brings_its_head);
    tcase_add_test(tc, scratch_has_a_rate_of_its_own);
    tcase_add_test(tc, a_head_must_be_whole);
    tcase_add_test(tc, half_a_pair_is_told);
    tcase_add_loop_test(tc, any_number_of_ranks_tunes_to_the_same_bits, 0,
                        (int)(sizeof crews / sizeof *crews));
    tcase_add_test(tc, factors_that_differ_are_told);
    tcase_add_loop_test(tc, maps_are_checked, 0,
                        (int)(sizeof maps / sizeof *maps));
    suite_add_tcase(suite, tc);
    return suite;
}
