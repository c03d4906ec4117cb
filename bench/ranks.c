/* SPDX-License-Identifier: MIT
 * bench/ranks.c: steps a second of one training by several ranks.
 *
 * usage: bench_ranks threads N [SETTINGS [PLAN]]   N threads of this process
 *        mpirun -n N bench_ranks [SETTINGS [PLAN]] MPI ranks (libmodelopt-mpi)
 *        bench_ranks [SETTINGS]                    one rank, no group
 *        mpirun -n N bench_ranks turns ROUNDS SETTINGS...
 *
 * 784-512-512-10, Adam, global batch 256, 60 steps; every rank has one thread.
 * SETTINGS (JSON) are further ones of the kind "train", PLAN those of the kind
 * "parallel": the model is spread over the ranks then. Rank 0 prints a JSON
 * line. bench/ranks.py alternates runs, bench/overlap.py does so over a slow
 * link, bench/meshes.py does so for plans.
 *
 * With turns there is a trainer for each SETTINGS, and each takes a step in its
 * turn: what disturbs the machine disturbs all. Settings behind a "-" are of
 * trainers that each rank has for itself. Prints milliseconds of each step. */
#include <dlfcn.h>
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 6144
#define FEATURES 784
#define STEPS 60

static float x[ROWS][FEATURES];
static int32_t y[ROWS];

static void fill(void)
{
    uint32_t state = 1;

    for (int i = 0; i < ROWS; i++) {
        y[i] = i % 10;
        for (int k = 0; k < FEATURES; k++) {
            state = state * 1664525u + 1013904223u;
            x[i][k] = (float)(state >> 8) / 16777216.0f + (k % 10 == y[i]);
        }
    }
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct run {
    mopt_context *ctx;
    mopt_dataset *data;
    const char *kind, *settings, *plan;
    double seconds;
} run;

static void check(int32_t rc)
{
    char text[512] = "";

    if (rc >= 0)
        return;
    mopt_last_error(text, sizeof text, NULL);
    fprintf(stderr, "bench_ranks: %s\n", text);
    exit(1);
}

/* A trainer whose model is spread over the ranks, or by itself. */
static mopt_trainer *spread(run *r, mopt_model *model,
                            const mopt_config *config, mopt_group *group)
{
    mopt_config *keys = NULL;
    mopt_parallel *plan = NULL;
    mopt_trainer *trainer = NULL;

    if (r->plan == NULL || group == NULL) {
        check(mopt_trainer_create(r->ctx, model, r->data, NULL, config,
                                  &trainer));
        if (group != NULL)
            check(mopt_trainer_set_group(trainer, group));
        return trainer;
    }
    check(mopt_config_create(r->ctx, "parallel", &keys));
    check(mopt_config_set_json(keys, r->plan));
    check(mopt_parallel_create(r->ctx, model, keys, config,
                               mopt_group_size(group), NULL, &plan));
    check(mopt_trainer_create_parallel(r->ctx, model, r->data, NULL, config,
                                       plan, group, &trainer));
    mopt_parallel_free(plan);
    mopt_config_free(keys);
    return trainer;
}

static mopt_trainer *make_trainer(run *r, mopt_group *group)
{
    mopt_model *model = NULL;
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;

    check(mopt_model_build(r->ctx, FEATURES, &model));
    check(mopt_model_add_dense(model, 512, "relu"));
    check(mopt_model_add_dense(model, 512, "relu"));
    check(mopt_model_add_dense(model, 10, NULL));
    check(mopt_config_create(r->ctx, "train", &config));
    check(mopt_config_set_json(
        config, "{\"batch_size\": 256, \"epochs\": 1000, \"threads\": 1, "
                "\"optimizer\": \"adam\"}"));
    if (r->settings != NULL)
        check(mopt_config_set_json(config, r->settings));
    trainer = spread(r, model, config, group);
    mopt_config_free(config);
    mopt_model_free(model);
    return trainer;
}

static int32_t work(void *user, mopt_group *group)
{
    run *r = user;
    mopt_trainer *trainer = make_trainer(r, group);
    double start;

    for (int i = 0; i < 5; i++)
        check(mopt_trainer_step(trainer, NULL));
    start = seconds_now();
    for (int i = 0; i < STEPS; i++)
        check(mopt_trainer_step(trainer, NULL));
    if (group == NULL || mopt_group_rank(group) == 0) {
        r->seconds = seconds_now() - start;
        printf("{\"bench\": \"ranks\", \"kind\": \"%s\", \"ranks\": %d, "
               "\"steps_per_second\": %.2f}\n", r->kind,
               group == NULL ? 1 : (int)mopt_group_size(group),
               STEPS / r->seconds);
    }
    mopt_trainer_free(trainer);
    return MOPT_OK;
}

/* ---- in turns ---- */

/* All begin together, and it ends with the last. */
static double time_step(mopt_trainer *trainer, mopt_group *group)
{
    double start;

    check(mopt_group_barrier(group, NULL));
    start = seconds_now();
    check(mopt_trainer_step(trainer, NULL));
    check(mopt_group_barrier(group, NULL));
    return 1000 * (seconds_now() - start);
}

static void tell_turns(const char *settings, const double *times, int rounds)
{
    printf("{\"bench\": \"turns\", \"own\": %s, \"settings\": %s, "
           "\"ms\": [", *settings == '-' ? "true" : "false",
           settings + (*settings == '-'));
    for (int i = 0; i < rounds; i++)
        printf("%s%.3f", i > 0 ? ", " : "", times[i]);
    printf("]}\n");
}

/* The first round warms up. */
static void take_turns(run *r, mopt_group *group, int rounds, int count,
                       char **settings)
{
    mopt_trainer **trainers = calloc((size_t)count, sizeof(*trainers));
    double *times = calloc((size_t)(count * rounds), sizeof(*times));
    mopt_group *own = NULL;

    r->plan = NULL;
    check(mopt_group_create(r->ctx, 1, 60, &own));
    for (int i = 0; i < count; i++) {
        r->settings = settings[i] + (*settings[i] == '-');
        trainers[i] = make_trainer(r, *settings[i] == '-' ? own : group);
    }
    for (int k = -1; k < rounds; k++)
        for (int i = 0; i < count; i++) {
            double time = time_step(trainers[i], group);

            if (k >= 0)
                times[i * rounds + k] = time;
        }
    for (int i = 0; i < count; i++) {
        if (mopt_group_rank(group) == 0)
            tell_turns(settings[i], times + i * rounds, rounds);
        mopt_trainer_free(trainers[i]);
    }
    mopt_group_free(own);
    free(trainers);
    free(times);
}

/* ---- MPI ---- */

static mopt_group *join_mpi(mopt_context *ctx)
{
    int32_t (*make)(mopt_context *, double, mopt_group **);
    void *library = dlopen("libmodelopt-mpi.so.0", RTLD_NOW | RTLD_GLOBAL);
    mopt_group *group = NULL;

    *(void **)&make = library ? dlsym(library, "mopt_mpi_group") : NULL;
    if (make == NULL) {
        fprintf(stderr, "bench_ranks: %s\n", dlerror());
        exit(1);
    }
    check(make(ctx, 60, &group));
    return group;
}

int main(int count, char **words)
{
    run r = {.kind = "alone"};
    int threads = count >= 3 && strcmp(words[1], "threads") == 0;

    fill();
    if (count > 1 + 2 * threads)
        r.settings = words[1 + 2 * threads];
    if (count > 2 + 2 * threads)
        r.plan = words[2 + 2 * threads];
    check(mopt_context_create(NULL, NULL, &r.ctx));
    check(mopt_dataset_from_memory(r.ctx, ROWS, FEATURES, x, MOPT_F32, 0, y,
                                   MOPT_I32, 1, 10, NULL, NULL, &r.data));
    if (threads) {
        r.kind = "threads";
        check(mopt_group_run(r.ctx, atoi(words[2]), 60, work, &r));
    } else if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE")) {
        mopt_group *group = join_mpi(r.ctx);

        r.kind = "mpi";
        if (count > 3 && strcmp(words[1], "turns") == 0)
            take_turns(&r, group, atoi(words[2]), count - 3, words + 3);
        else
            work(&r, group);
        mopt_group_free(group);
    } else {
        work(&r, NULL);
    }
    mopt_dataset_free(r.data);
    mopt_context_free(r.ctx);
    return 0;
}
