/* SPDX-License-Identifier: MIT
 * bench/parallel.c: one training on one thread and on several.
 *
 * usage: bench_parallel [ROUNDS [THREADS [JOBS]]]   7 rounds, 2 threads, all
 *        bench_parallel --steps N THREADS    seconds a step of the wide job,
 *                                            for parallel.py
 *
 * Each job takes steps of Adam with one thread and with several in turn, in
 * rounds of about 0.15 s a side; figures are medians over the rounds. "speedup"
 * is the median of the rounds' own ratios, so that whatever else the machine
 * does comes on both sides of each. "cpu" is processor time, waiting awake
 * included, against that of one thread: on idle cores the speedup is about
 * threads / cpu, and on a busy machine only this figure means anything. The
 * line "hand_over" is what a piece of work without any work costs. */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/threads.h"
#include "bench.h"

typedef struct job {
    const char *name;
    int64_t features, widths[4], batch;
} job;

static const job jobs[] = {
    {"wide", 784, {512, 512, 10}, 256},  {"wide", 784, {512, 512, 10}, 128},
    {"wide", 784, {512, 512, 10}, 32},   {"digits", 784, {128, 10}, 128},
    {"digits", 784, {128, 10}, 32},      {"article", 100, {128, 64, 10}, 256},
    {"article", 100, {128, 64, 10}, 128}, {"article", 100, {128, 64, 10}, 64},
    {"article", 100, {128, 64, 10}, 32},
};
#define JOBS ((int32_t)(sizeof jobs / sizeof jobs[0]))
#define ROWS 12800
#define ROUNDS_MOST 99
#define ROUND_SECONDS 0.15

static mopt_context *ctx;

static void must(int32_t rc, const char *what)
{
    char message[500] = "";

    if (!rc)
        return;
    mopt_last_error(message, sizeof message, NULL);
    fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

static void make_context(int64_t threads)
{
    mopt_config *config = NULL;

    must(mopt_context_create(NULL, NULL, &ctx), "context");
    must(mopt_config_create(ctx, "context", &config), "config");
    must(mopt_config_set_int(config, "threads", threads), "threads");
    must(mopt_context_configure(ctx, config), "configure");
    mopt_config_free(config);
}

static mopt_dataset *make_data(const job *j)
{
    mopt_config *config = NULL;
    mopt_dataset *data = NULL;

    must(mopt_config_create(ctx, "data", &config), "config");
    must(mopt_config_set_text(config, "source", "linear"), "source");
    must(mopt_config_set_int(config, "source.count", ROWS), "rows");
    must(mopt_config_set_int(config, "source.features", j->features),
         "features");
    must(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &data), "data");
    mopt_config_free(config);
    return data;
}

static mopt_trainer *make_trainer(const job *j, const mopt_dataset *data,
                                  int64_t threads)
{
    mopt_model *model = NULL;
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;

    must(mopt_model_build(ctx, j->features, &model), "model");
    for (int32_t i = 0; j->widths[i]; i++)
        must(mopt_model_add_dense(model, j->widths[i],
                                  j->widths[i + 1] ? "relu" : "softmax"),
             "layer");
    must(mopt_config_create(ctx, "train", &config), "config");
    must(mopt_config_set_int(config, "epochs", 1000000), "epochs");
    must(mopt_config_set_int(config, "batch_size", j->batch), "batch");
    must(mopt_config_set_int(config, "threads", threads), "threads");
    must(mopt_config_set_float(config, "optimizer.learning_rate", 1e-3),
         "rate");
    must(mopt_trainer_create(ctx, model, data, NULL, config, &trainer),
         "trainer");
    mopt_config_free(config);
    mopt_model_free(model);
    return trainer;
}

static double processor_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds of one step; those of all processors into *cpu unless NULL. */
static double step_time(mopt_trainer *trainer, int64_t steps, double *cpu)
{
    double begin = bench_seconds(), used = processor_seconds();

    for (int64_t i = 0; i < steps; i++)
        must(mopt_trainer_step(trainer, NULL), "step");
    if (cpu)
        *cpu = (processor_seconds() - used) / (double)steps;
    return (bench_seconds() - begin) / (double)steps;
}

static void tell(const job *j, int64_t rounds, int64_t threads)
{
    double times[2][ROUNDS_MOST], ratios[ROUNDS_MOST], cpu[ROUNDS_MOST];
    double used[2], one, all;
    mopt_dataset *data = make_data(j);
    mopt_trainer *sides[2] = {make_trainer(j, data, 1),
                              make_trainer(j, data, threads)};
    int64_t steps;

    step_time(sides[0], 5, NULL);
    step_time(sides[1], 5, NULL);
    steps = 1 + (int64_t)(ROUND_SECONDS / step_time(sides[0], 10, NULL));
    for (int64_t i = 0; i < rounds; i++) {
        for (int32_t k = 0; k < 2; k++)
            times[k][i] = step_time(sides[k], steps, &used[k]);
        ratios[i] = times[0][i] / times[1][i];
        cpu[i] = used[1] / used[0];
    }
    one = bench_median(rounds, times[0]);
    all = bench_median(rounds, times[1]);
    printf("{\"bench\": \"parallel\", \"job\": \"%s\", \"batch\": %lld, "
           "\"threads\": %lld, \"rounds\": %lld, \"steps_s_1\": %.1f, "
           "\"steps_s\": %.1f, \"step_us_1\": %.1f, \"speedup\": %.3f, "
           "\"cpu\": %.3f}\n",
           j->name, (long long)j->batch, (long long)threads,
           (long long)rounds, 1 / one, 1 / all, one * 1e6,
           bench_median(rounds, ratios), bench_median(rounds, cpu));
    fflush(stdout);
    mopt_trainer_free(sides[0]);
    mopt_trainer_free(sides[1]);
    mopt_dataset_free(data);
}

static int32_t nothing(void *work, int32_t lane, int64_t piece)
{
    (void)work;
    (void)lane;
    (void)piece;
    return 0;
}

static void hand_over(void *user)
{
    const int64_t *threads = user;

    moi_share(ctx, (int32_t)*threads, *threads, nothing, NULL);
}

int main(int argc, char **argv)
{
    int32_t one = argc > 3 && strcmp(argv[1], "--steps") == 0;
    int64_t rounds = argc > 1 && !one ? strtoll(argv[1], NULL, 10) : 7;
    int64_t threads = one        ? strtoll(argv[3], NULL, 10)
                      : argc > 2 ? strtoll(argv[2], NULL, 10)
                                 : 2;

    int32_t most = argc > 3 && !one ? atoi(argv[3]) : JOBS;

    threads = threads < 1 ? 1 : threads;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    make_context(threads);
    if (one) {
        mopt_dataset *data = make_data(&jobs[0]);
        mopt_trainer *trainer = make_trainer(&jobs[0], data, threads);

        step_time(trainer, 5, NULL);
        printf("%.9f\n", step_time(trainer, strtoll(argv[2], NULL, 10), NULL));
        mopt_trainer_free(trainer);
        mopt_dataset_free(data);
    } else {
        const bench_fn run = hand_over;
        void *const user = &threads;
        double seconds;

        bench_compare(1, &run, &user, 0.02, &seconds);
        printf("{\"bench\": \"hand_over\", \"threads\": %lld, \"us\": %.2f}\n",
               (long long)threads, seconds * 1e6);
        for (int32_t i = 0; i < JOBS && i < most; i++)
            tell(&jobs[i], rounds, threads);
    }
    mopt_context_free(ctx);
    return 0;
}
