/* SPDX-License-Identifier: MIT
 * bench/train.c: training jobs of DESIGN.md section 6 on one thread, by the
 * public interface, as a share of the machine's limit measured beside them.
 *
 * usage: bench_train [ROUNDS] */
#include <cblas.h>
#include <inttypes.h>
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

typedef struct job {
    const char *name;
    int64_t widths[5]; /* inputs, units, ..., outputs; ends with 0 */
    int64_t rows, batch, epochs;
} job;

static const job jobs[] = {
    {"article", {100, 128, 64, 10}, 20000, 32, 2},
    {"article", {100, 128, 64, 10}, 20000, 64, 2},
    {"article", {100, 128, 64, 10}, 20000, 128, 2},
    {"784-512-512-10", {784, 512, 512, 10}, 6400, 128, 1},
};

static void must(int32_t rc)
{
    char text[512];
    if (rc == MOPT_OK)
        return;
    mopt_last_error(text, sizeof(text), NULL);
    fprintf(stderr, "bench_train: %s\n", text);
    exit(1);
}

/* A job's data, model and settings; a trainer is made for each round. */
typedef struct setting {
    mopt_context *ctx;
    mopt_dataset *data;
    mopt_config *config;
    mopt_model *model;
    const job *job;
} setting;

static setting prepare(mopt_context *ctx, const job *j)
{
    setting s = {.ctx = ctx, .job = j};
    const int64_t in = j->widths[0];
    int32_t *labels = calloc((size_t)j->rows, sizeof(*labels));
    for (int64_t i = 0; i < j->rows; i++)
        labels[i] = (int32_t)(i * 7 % 10);
    must(mopt_dataset_from_memory(ctx, j->rows, in,
                                  bench_floats(j->rows * in), MOPT_F32, 0,
                                  labels, MOPT_I32, 1, 10, NULL, NULL,
                                  &s.data));
    must(mopt_config_create(ctx, "train", &s.config));
    must(mopt_config_set_int(s.config, "batch_size", j->batch));
    must(mopt_config_set_int(s.config, "epochs", j->epochs));
    return s;
}

static double train(setting *s)
{
    mopt_trainer *trainer = NULL;
    const job *j = s->job;
    must(mopt_model_build(s->ctx, j->widths[0], &s->model));
    for (int32_t i = 1; j->widths[i] != 0; i++)
        must(mopt_model_add_dense(s->model, j->widths[i],
                                  j->widths[i + 1] ? "relu" : "softmax"));
    const double start = bench_seconds();
    must(mopt_trainer_create(s->ctx, s->model, s->data, NULL, s->config,
                             &trainer));
    must(mopt_trainer_fit(trainer, NULL));
    const double seconds = bench_seconds() - start;
    mopt_trainer_free(trainer);
    mopt_model_free(s->model);
    return seconds;
}

static double limit_of(const job *j, double sgemm_rate)
{
    double flops = 0;
    int64_t params = 0;
    for (int32_t i = 0; j->widths[i + 1] != 0; i++) {
        params += (j->widths[i] + 1) * j->widths[i + 1];
        flops += 2.0 * (double)(j->widths[i] * j->widths[i + 1])
            * (i == 0 ? 2 : 3);
    }
    const double epochs = (double)j->epochs;
    const double steps =
        epochs * (double)((j->rows + j->batch - 1) / j->batch);
    return bench_limit(sgemm_rate, bench_state_rate(params),
                       flops * epochs * (double)j->rows, steps, params, 2);
}

int main(int argc, char **argv)
{
    const int64_t count = sizeof(jobs) / sizeof(jobs[0]);
    const int64_t rounds = argc > 1 ? atoll(argv[1]) : BENCH_ROUNDS;
    mopt_context *ctx = NULL;
    must(mopt_context_create(NULL, NULL, &ctx));
    for (int64_t i = 0; i < count; i++) {
        double seconds[64], limits[64];
        setting s = prepare(ctx, &jobs[i]);
        for (int64_t r = 0; r < rounds && r < 64; r++) {
            limits[r] = limit_of(&jobs[i], bench_sgemm_rate());
            seconds[r] = train(&s);
        }
        const double limit = bench_median(rounds, limits);
        const double taken = bench_median(rounds, seconds);
        printf("{\"bench\": \"train\", \"job\": \"%s\", \"batch\": %" PRId64
               ", \"seconds\": %.4f, \"limit_s\": %.4f, \"share\": %.3f}\n",
               jobs[i].name, jobs[i].batch, taken, limit, limit / taken);
        fflush(stdout);
        mopt_dataset_free(s.data);
        mopt_config_free(s.config);
    }
    mopt_context_free(ctx);
    return 0;
}
