/* SPDX-License-Identifier: MIT
 * tests/unit/train/school.c: see school.h. */
#include "school.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "learn/nn/model.h"

static mopt_dataset *wrap(mopt_context *ctx, int64_t rows, float *x,
                          const void *y, int32_t y_type, int64_t targets,
                          void (*destroy)(void *), void *user)
{
    mopt_dataset *data = NULL;

    kit_ok(mopt_dataset_from_memory(ctx, rows, SCHOOL_FEATURES, x, MOPT_F32, 0,
                                    y, y_type, targets, 0, user, destroy,
                                    &data));
    return data;
}

mopt_dataset *school_clouds(mopt_context *ctx, int64_t rows, double noise,
                            int64_t seed)
{
    size_t points = (size_t)rows * SCHOOL_FEATURES * sizeof(float);
    char *block = malloc(points + (size_t)rows * sizeof(int32_t));
    float *x = (float *)(void *)block;
    int32_t *y = (int32_t *)(void *)(block + points);
    moi_rng rng;

    moi_rng_init(&rng, (uint64_t)seed, 0, MOI_RNG_GENERATE, 0);
    for (int64_t i = 0; i < rows; i++) {
        y[i] = (int32_t)(i % SCHOOL_CLASSES);
        for (int64_t k = 0; k < SCHOOL_FEATURES; k++)
            x[i * SCHOOL_FEATURES + k] =
                (float)(cos((double)(y[i] * 5 + k)) +
                        noise * moi_rng_normal(&rng));
    }
    return wrap(ctx, rows, x, y, MOPT_I32, 1, free, block);
}

void school_fill(int64_t rows, int64_t features, float *x, int32_t *y)
{
    for (int64_t i = 0; i < rows; i++) {
        y[i] = (int32_t)(i % SCHOOL_CLASSES);
        for (int64_t k = 0; k < features; k++)
            x[i * features + k] = (float)((i * 7 + k * 13) % 31) / 31;
    }
}

mopt_dataset *school_numbers(mopt_context *ctx, int64_t rows, int64_t seed)
{
    size_t points = (size_t)rows * SCHOOL_FEATURES * sizeof(float);
    char *block = malloc(points + (size_t)rows * 2 * sizeof(float));
    float *x = (float *)(void *)block, *y = (float *)(void *)(block + points);
    moi_rng rng;

    moi_rng_init(&rng, (uint64_t)seed, 0, MOI_RNG_GENERATE, 1);
    for (int64_t i = 0; i < rows; i++) {
        float *row = x + i * SCHOOL_FEATURES;

        for (int64_t k = 0; k < SCHOOL_FEATURES; k++)
            row[k] = (float)moi_rng_normal(&rng);
        y[i * 2] = row[0] - 0.5f * row[1];
        y[i * 2 + 1] = (float)sin(row[2]) + 0.3f * row[3];
    }
    return wrap(ctx, rows, x, y, MOPT_F32, 2, free, block);
}

mopt_model *school_model(mopt_context *ctx, int64_t outputs, double dropout)
{
    mopt_model *model = NULL;

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &model));
    kit_ok(mopt_model_add_dense(model, 8, "relu"));
    if (dropout > 0)
        kit_ok(mopt_model_add_dropout(model, dropout));
    kit_ok(mopt_model_add_dense(model, outputs, "none"));
    kit_ok(mopt_model_init(model, 5));
    return model;
}

mopt_config *school_config(mopt_context *ctx, const char *kind,
                           const char *json)
{
    mopt_config *config = NULL;

    kit_ok(mopt_config_create(ctx, kind, &config));
    kit_ok(mopt_config_set_json(config, json));
    return config;
}

mopt_trainer *school_trainer(mopt_context *ctx, mopt_model *model,
                             const mopt_dataset *train,
                             const mopt_dataset *validation, const char *json)
{
    mopt_config *config = school_config(ctx, "train", json);
    mopt_trainer *trainer = NULL;

    kit_ok(mopt_trainer_create(ctx, model, train, validation, config,
                               &trainer));
    mopt_config_free(config);
    return trainer;
}

/* ---- tests of ranks ---- */

mopt_context *school_open_with(int64_t rows, int64_t measured, double noise,
                               mopt_dataset **train,
                               mopt_dataset **validation)
{
    mopt_context *ctx = kit_begin();

    *train = school_clouds(ctx, rows, noise, 1);
    *validation = school_clouds(ctx, measured, noise, 2);
    return ctx;
}

mopt_context *school_open(mopt_dataset **train, mopt_dataset **validation)
{
    return school_open_with(SCHOOL_CLASS_ROWS, 60, 1.5, train, validation);
}

void school_close(mopt_context *ctx, mopt_dataset *train,
                  mopt_dataset *validation)
{
    mopt_dataset_free(train);
    mopt_dataset_free(validation);
    kit_end(ctx);
}

mopt_model *school_wide_model(mopt_context *ctx, double dropout)
{
    mopt_model *model = NULL;

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &model));
    kit_ok(mopt_model_add_dense(model, 400, "relu"));
    if (dropout > 0)
        kit_ok(mopt_model_add_dropout(model, dropout));
    kit_ok(mopt_model_add_dense(model, 401, "relu"));
    kit_ok(mopt_model_add_dense(model, SCHOOL_CLASSES, "none"));
    kit_ok(mopt_model_init(model, 5));
    return model;
}

void school_freeze(mopt_context *ctx, mopt_trainer *trainer,
                   const char *pattern)
{
    mopt_config *group;

    if (pattern == NULL)
        return;
    group = school_config(ctx, "group", "{\"frozen\": true}");
    kit_ok(mopt_trainer_add_group(trainer, pattern, group));
    mopt_config_free(group);
}

static int32_t stop(void *user, mopt_trainer *trainer)
{
    (void)user;
    (void)trainer;
    return MOPT_STOPPED;
}

int32_t school_learn(mopt_trainer *trainer, const char *resume,
                     const char *save, mopt_cancel *cancel)
{
    int32_t rc = resume ? mopt_trainer_resume(trainer, resume) : MOPT_OK;

    if (rc == MOPT_OK && save)
        rc = mopt_trainer_on_epoch(trainer, stop, NULL, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, cancel);
    return rc == MOPT_STOPPED && save ? mopt_trainer_save(trainer, save) : rc;
}

void school_refused(mopt_context *ctx, mopt_model *model,
                    const mopt_dataset *train, const char *json,
                    const char *says)
{
    mopt_config *config = school_config(ctx, "train", json);
    mopt_trainer *trainer = NULL;

    kit_fails(mopt_trainer_create(ctx, model, train, NULL, config, &trainer),
              MOPT_EINVAL);
    kit_says(says);
    mopt_config_free(config);
}

void school_starved(mopt_context *ctx, mopt_model *model,
                    const mopt_dataset *train, const char *json)
{
    mopt_config *config = school_config(ctx, "train", json);
    int32_t rc = MOPT_ENOMEM;

    for (int64_t at = 0; rc == MOPT_ENOMEM; at++) {
        mopt_trainer *trainer = NULL;

        kit_fail_allocation(at, 0);
        rc = mopt_trainer_create(ctx, model, train, NULL, config, &trainer);
        kit_fail_allocation(-1, 0);
        mopt_trainer_free(trainer);
    }
    ck_assert_int_eq(rc, MOPT_OK);
    mopt_config_free(config);
}

uint64_t school_digest(const mopt_model *model)
{
    return moi_hash_block(MOI_HASH_START, moi_model_weights(model),
                          (size_t)moi_model_size(model) * sizeof(moi_real));
}

double school_loss(const mopt_model *model, const mopt_dataset *data)
{
    json_t *metrics = NULL;
    double loss;

    kit_ok(moi_model_measure(model, data, NULL, NULL, &metrics));
    loss = json_number_value(json_object_get(metrics, "loss"));
    json_decref(metrics);
    return loss;
}

mopt_parallel *school_plan(mopt_context *ctx, const char *layers,
                           int64_t inputs, const char *config,
                           const char *training, int32_t ranks)
{
    mopt_config *how = school_config(ctx, "parallel", config);
    mopt_config *settings = school_config(ctx, "train", training);
    mopt_model *model = NULL;
    mopt_parallel *plan = NULL;

    kit_ok(mopt_model_create(ctx, layers, inputs, SCHOOL_CLASSES, &model));
    kit_ok(mopt_parallel_create(ctx, model, how, settings, ranks, NULL, &plan));
    mopt_config_free(how);
    mopt_config_free(settings);
    mopt_model_free(model);
    return plan;
}

/* ---- what came out ---- */

static int64_t add_tensor(const mopt_model *model, const char *name,
                          int64_t count, float *to)
{
    kit_ok(mopt_model_get_tensor(model, name, to, count));
    return count;
}

int64_t school_weights(const mopt_model *model, float weights[SCHOOL_WEIGHTS])
{
    char text[4096], name[32];
    int64_t at = 0, outputs;
    const char *found;

    kit_ok(mopt_model_describe(model, text, sizeof text, NULL));
    found = strstr(text, "\"outputs\"");
    ck_assert_ptr_nonnull(found);
    outputs = strtoll(found + 10 + strspn(found + 10, " :"), NULL, 10);
    at += add_tensor(model, "layers.0.weight", 8 * SCHOOL_FEATURES, weights);
    at += add_tensor(model, "layers.0.bias", 8, weights + at);
    snprintf(name, sizeof name, "layers.%d.weight",
             strstr(text, "layers.1.weight") ? 1 : 2);
    at += add_tensor(model, name, 8 * outputs, weights + at);
    snprintf(strrchr(name, '.'), 8, ".bias");
    at += add_tensor(model, name, outputs, weights + at);
    return at;
}

double school_get(const mopt_trainer *trainer, const char *figure)
{
    double value = NAN;

    kit_ok(mopt_trainer_get(trainer, figure, &value));
    return value;
}

const char *school_history(const mopt_trainer *trainer)
{
    static char text[2][1 << 16];
    static int turn;

    turn = !turn;
    kit_ok(mopt_trainer_history(trainer, text[turn], sizeof text[turn], NULL));
    return text[turn];
}

static atomic_int products_left;

static int32_t stumble(void *user, int32_t trans_a, int32_t trans_b, int64_t m,
                       int64_t n, int64_t k, float alpha, const float *a,
                       int64_t lda, const float *b, int64_t ldb, float beta,
                       float *c, int64_t ldc)
{
    (void)user;
    if (atomic_fetch_sub(&products_left, 1) == 0)
        return -1;
    return moi_backend_reference.sgemm(NULL, trans_a, trans_b, m, n, k, alpha,
                                       a, lda, b, ldb, beta, c, ldc);
}

const mopt_backend *school_stumble(mopt_context *ctx, int32_t after)
{
    static const mopt_backend stumbling = {
        .struct_size = sizeof(mopt_backend),
        .abi_version = MOPT_BACKEND_ABI,
        .name = "stumbling",
        .sgemm = stumble,
    };
    const mopt_backend *usual = ctx->backend;
    atomic_store(&products_left, after);
    ctx->backend = &stumbling;
    return usual;
}
