/* SPDX-License-Identifier: MIT
 * bench/deep.c: networks that no cache holds: a step of training, and
 * predictions.
 *
 * usage: bench_deep LAYERS WIDTH THREADS
 *
 * So many hidden layers of so many units behind 784 inputs, Adam at batch 256,
 * predictions for 512 rows. Prints the median milliseconds of a step and of a
 * prediction; bench/deep.py takes turns with PyTorch. */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS 1024
#define FEATURES 784
#define CLASSES 10
#define PREDICTED 512
#define TAKEN 5

static float x[ROWS * FEATURES], out[PREDICTED * CLASSES];
static int32_t y[ROWS];

static void check(int32_t rc)
{
    char text[512] = "";

    if (rc >= 0)
        return;
    mopt_last_error(text, sizeof text, NULL);
    fprintf(stderr, "bench_deep: %s\n", text);
    exit(1);
}

static mopt_context *make_context(int64_t threads)
{
    mopt_context *ctx = NULL;
    mopt_config *config = NULL;

    check(mopt_context_create(NULL, NULL, &ctx));
    check(mopt_config_create(ctx, "context", &config));
    check(mopt_config_set_int(config, "threads", threads));
    check(mopt_context_configure(ctx, config));
    mopt_config_free(config);
    return ctx;
}

static mopt_dataset *make_data(mopt_context *ctx)
{
    mopt_dataset *data = NULL;

    for (int i = 0; i < ROWS * FEATURES; i++)
        x[i] = (float)rand() / (float)RAND_MAX;
    for (int i = 0; i < ROWS; i++)
        y[i] = i % CLASSES;
    check(mopt_dataset_from_memory(ctx, ROWS, FEATURES, x, MOPT_F32, 0, y,
                                   MOPT_I32, 1, CLASSES, NULL, NULL, &data));
    return data;
}

static mopt_model *make_model(mopt_context *ctx, int layers, int64_t width)
{
    mopt_model *model = NULL;

    check(mopt_model_build(ctx, FEATURES, &model));
    for (int i = 0; i < layers; i++)
        check(mopt_model_add_dense(model, width, "relu"));
    check(mopt_model_add_dense(model, CLASSES, NULL));
    return model;
}

static mopt_trainer *make_trainer(mopt_context *ctx, mopt_model *model,
                                  const mopt_dataset *data)
{
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;

    check(mopt_config_create(ctx, "train", &config));
    check(mopt_config_set_json(config, "{\"batch_size\": 256, \"epochs\": "
                                       "1000, \"optimizer\": \"adam\"}"));
    check(mopt_trainer_create(ctx, model, data, NULL, config, &trainer));
    mopt_config_free(config);
    return trainer;
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The median; the first one warms up. */
static double time_of(mopt_trainer *trainer, const mopt_model *model)
{
    double times[TAKEN];

    for (int i = -1; i < TAKEN; i++) {
        double start = now_ms();

        check(trainer != NULL
                  ? mopt_trainer_step(trainer, NULL)
                  : mopt_model_predict(model, x, PREDICTED, out, NULL));
        if (i >= 0)
            times[i] = now_ms() - start;
    }
    qsort(times, TAKEN, sizeof *times, compare);
    return times[TAKEN / 2];
}

int main(int count, char **words)
{
    if (count != 4) {
        fprintf(stderr, "usage: bench_deep LAYERS WIDTH THREADS\n");
        return 2;
    }
    mopt_context *ctx = make_context(atoi(words[3]));
    mopt_dataset *data = make_data(ctx);
    mopt_model *model = make_model(ctx, atoi(words[1]), atoi(words[2]));
    mopt_trainer *trainer = make_trainer(ctx, model, data);

    printf("%.2f ", time_of(trainer, NULL));
    printf("%.2f\n", time_of(NULL, model));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    mopt_dataset_free(data);
    mopt_context_free(ctx);
    return 0;
}
