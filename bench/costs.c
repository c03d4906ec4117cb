/* SPDX-License-Identifier: MIT
 * bench/costs.c: what plans are estimated from: the time of steps, and of
 * messages between ranks.
 *
 * usage: bench_costs steps                     one rank, many sizes
 *        bench_costs step NET BATCH PARTS [MESH [RANKS]]
 *        bench_costs link [RANKS]
 *
 * NET is "784-512-512-10", relu between; MESH "data,tensor,pipeline". With
 * RANKS that many threads of this process, under mpirun MPI ranks, else one.
 * Prints JSON lines; bench/costs.py fits and tells. Every rank has one thread;
 * times are the shortest of several rounds, as others may use the machine, and
 * of steps also their median. */
#include <dlfcn.h>
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 25
#define ROUND_SECONDS 0.02 /* of steps, or messages, at least */
#define WIDTHS 32
#define ROWS 2048

static mopt_context *ctx;

/* Of the wall; of the processor where this process is alone, so that others
 * on the machine count for less. */
static double seconds_now(const mopt_group *group)
{
    struct timespec now;

    clock_gettime(group ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void check(int32_t rc)
{
    char text[512] = "";

    if (rc >= 0)
        return;
    mopt_last_error(text, sizeof text, NULL);
    fprintf(stderr, "bench_costs: %s\n", text);
    exit(1);
}

/* ---- steps ---- */

typedef struct job {
    const char *net, *mesh; /* mesh NULL: alone */
    int batch, parts, chunk; /* chunk 0: as many rows as usual */
    const char *kind;
} job;

static mopt_dataset *make_data(int width, int classes)
{
    size_t size = (size_t)ROWS * (size_t)width;
    float *x = malloc(size * sizeof *x);
    int32_t *y = malloc(ROWS * sizeof *y);
    mopt_dataset *data = NULL;
    uint32_t state = 1;

    if (x == NULL || y == NULL)
        exit(1);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 16777216.0f;
    }
    for (int i = 0; i < ROWS; i++)
        y[i] = i % classes;
    check(mopt_dataset_from_memory(ctx, ROWS, width, x, MOPT_F32, 0, y,
                                   MOPT_I32, 1, classes, x, free, &data));
    return data; /* the labels stay until the program ends */
}

static int read_net(const char *net, int widths[WIDTHS])
{
    int count = 0;

    for (const char *at = net; *at && count < WIDTHS; count++) {
        widths[count] = atoi(at);
        at += strcspn(at, "-");
        at += *at == '-';
    }
    return count;
}

static mopt_model *make_model(const int *widths, int count)
{
    mopt_model *model = NULL;

    check(mopt_model_build(ctx, widths[0], &model));
    for (int i = 1; i < count; i++)
        check(mopt_model_add_dense(model, widths[i],
                                   i + 1 < count ? "relu" : NULL));
    return model;
}

static mopt_config *make_config(const job *j)
{
    mopt_config *config = NULL;
    char said[256];

    snprintf(said, sizeof said,
             "{\"batch_size\": %d, \"parts\": %d, \"chunk\": %d, "
             "\"epochs\": 1000000, \"threads\": 1}",
             j->batch, j->parts, j->chunk);
    check(mopt_config_create(ctx, "train", &config));
    check(mopt_config_set_json(config, said));
    return config;
}

static int leads(mopt_group *group)
{
    return group == NULL || mopt_group_rank(group) == 0;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Steps until a round is long enough, the same number at all ranks. Rounds in
 * ascending order. */
static void time_steps(mopt_trainer *trainer, mopt_group *group,
                       double seconds[ROUNDS])
{
    double start = seconds_now(group);
    int32_t steps = 1;

    for (int i = 0; i < 3; i++)
        check(mopt_trainer_step(trainer, NULL));
    steps += (int32_t)(ROUND_SECONDS / ((seconds_now(group) - start) / 3));
    if (group != NULL)
        check(mopt_group_broadcast(group, 0, &steps, sizeof steps, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        start = seconds_now(group);
        for (int32_t i = 0; i < steps; i++)
            check(mopt_trainer_step(trainer, NULL));
        seconds[round] = (seconds_now(group) - start) / steps;
    }
    qsort(seconds, ROUNDS, sizeof *seconds, compare);
}

static mopt_parallel *make_plan(const job *j, const mopt_model *model,
                                const mopt_config *training, int32_t ranks)
{
    mopt_config *config = NULL;
    mopt_parallel *plan = NULL;
    int data = 1, tensor = 1, pipeline = 1;

    if (sscanf(j->mesh, "%d,%d,%d", &data, &tensor, &pipeline) != 3)
        exit(2);
    check(mopt_config_create(ctx, "parallel", &config));
    check(mopt_config_set_int(config, "data", data));
    check(mopt_config_set_int(config, "tensor", tensor));
    check(mopt_config_set_int(config, "pipeline", pipeline));
    check(mopt_parallel_create(ctx, model, config, training, ranks, NULL,
                               &plan));
    mopt_config_free(config);
    return plan;
}

static mopt_trainer *make_trainer(const job *j, mopt_model *model,
                                  const mopt_dataset *data,
                                  const mopt_config *config,
                                  mopt_group *group)
{
    mopt_trainer *trainer = NULL;
    mopt_parallel *plan;

    if (group == NULL) {
        check(mopt_trainer_create(ctx, model, data, NULL, config, &trainer));
        return trainer;
    }
    if (strstr(j->mesh, ",1,1") != NULL) { /* all of it at each rank */
        check(mopt_trainer_create(ctx, model, data, NULL, config, &trainer));
        check(mopt_trainer_set_group(trainer, group));
        return trainer;
    }
    plan = make_plan(j, model, config, mopt_group_size(group));
    check(mopt_trainer_create_parallel(ctx, model, data, NULL, config, plan,
                                       group, &trainer));
    mopt_parallel_free(plan);
    return trainer;
}

static int32_t run_job(void *user, mopt_group *group)
{
    const job *j = user;
    int widths[WIDTHS] = {0}, count = read_net(j->net, widths);
    mopt_dataset *data = make_data(widths[0], widths[count - 1]);
    mopt_model *model = make_model(widths, count);
    mopt_config *config = make_config(j);
    mopt_trainer *trainer = make_trainer(j, model, data, config, group);
    double seconds[ROUNDS];

    time_steps(trainer, group, seconds);
    if (leads(group))
        printf("{\"bench\": \"costs\", \"what\": \"step\", \"kind\": \"%s\", "
               "\"ranks\": %d, \"mesh\": \"%s\", \"net\": \"%s\", "
               "\"batch\": %d, \"parts\": %d, \"chunk\": %d, "
               "\"seconds\": %.9f, \"median\": %.9f}\n",
               j->kind, group == NULL ? 1 : (int)mopt_group_size(group),
               j->mesh ? j->mesh : "", j->net, j->batch, j->parts, j->chunk,
               seconds[0], seconds[ROUNDS / 2]);
    mopt_trainer_free(trainer);
    mopt_config_free(config);
    mopt_model_free(model);
    mopt_dataset_free(data);
    return MOPT_OK;
}

static void run_many(void)
{
    static const char *const nets[] = {
        "784-512-512-10", "784-128-10", "256-256-256-256-256-10",
        "100-128-64-10", "512-1024-1024-10", "512-1024-1024-1024-10"};
    /* Parts that go through the layers by themselves, too: as in pipelines. */
    static const int sizes[][3] = {
        {16, 1, 0}, {32, 1, 0}, {64, 1, 0}, {128, 1, 0}, {256, 1, 0},
        {64, 4, 0}, {256, 8, 0}, {512, 16, 0},
        {128, 8, 16}, {256, 8, 32}, {256, 4, 64}};

    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            job j = {nets[i], NULL, sizes[k][0], sizes[k][1], sizes[k][2],
                     "alone"};

            run_job(&j, NULL);
            fflush(stdout);
        }
}

/* ---- messages ---- */

#define LARGEST (4 << 20)

/* Both of a pair send and receive at the same time, as in sums. */
static double time_exchange(mopt_group *pair, int64_t bytes, char *both)
{
    const char *own = both + mopt_group_rank(pair) * bytes;
    double best = 1e30, start = seconds_now(pair);
    int32_t count = 1;

    for (int i = 0; i < 10; i++)
        check(mopt_group_all_gather(pair, own, bytes, both, NULL));
    count += (int32_t)(ROUND_SECONDS / ((seconds_now(pair) - start) / 10));
    check(mopt_group_broadcast(pair, 0, &count, sizeof count, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        start = seconds_now(pair);
        for (int32_t i = 0; i < count; i++)
            check(mopt_group_all_gather(pair, own, bytes, both, NULL));
        if ((seconds_now(pair) - start) / count < best)
            best = (seconds_now(pair) - start) / count;
    }
    return best;
}

static int32_t run_link(void *user, mopt_group *group)
{
    char *both = calloc(2, LARGEST);
    mopt_group *pair = NULL;

    if (both == NULL || group == NULL)
        exit(1);
    check(mopt_group_split(group, mopt_group_rank(group) / 2, 0, &pair));
    for (int64_t bytes = 8; bytes <= LARGEST; bytes *= 8) {
        double seconds = time_exchange(pair, bytes, both);

        if (leads(group))
            printf("{\"bench\": \"costs\", \"what\": \"link\", \"kind\": "
                   "\"%s\", \"ranks\": %d, \"bytes\": %lld, "
                   "\"seconds\": %.9f}\n", (const char *)user,
                   (int)mopt_group_size(group), (long long)bytes, seconds);
    }
    mopt_group_free(pair);
    free(both);
    return MOPT_OK;
}

/* ---- ranks ---- */

static mopt_group *join_mpi(void)
{
    int32_t (*make)(mopt_context *, double, mopt_group **);
    void *library = dlopen("libmodelopt-mpi.so.0", RTLD_NOW | RTLD_GLOBAL);
    mopt_group *group = NULL;

    *(void **)&make = library ? dlsym(library, "mopt_mpi_group") : NULL;
    if (make == NULL) {
        fprintf(stderr, "bench_costs: %s\n", dlerror());
        exit(1);
    }
    check(make(ctx, 60, &group));
    return group;
}

/* By threads, by MPI ranks, or alone, whichever was asked for. */
static void run(mopt_rank_fn fn, void *user, const char **kind,
                const char *threads)
{
    if (threads != NULL) {
        *kind = "threads";
        check(mopt_group_run(ctx, atoi(threads), 60, fn, user));
    } else if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE")) {
        mopt_group *group = join_mpi();

        *kind = "mpi";
        check(fn(user, group));
        mopt_group_free(group);
    } else {
        *kind = "alone";
        check(fn(user, NULL));
    }
}

static int32_t link_by(void *user, mopt_group *group)
{
    const char **kind = user;

    return run_link((void *)(uintptr_t)*kind, group);
}

int main(int count, char **words)
{
    const char *verb = count > 1 ? words[1] : "";

    check(mopt_context_create(NULL, NULL, &ctx));
    if (strcmp(verb, "steps") == 0) {
        run_many();
    } else if (strcmp(verb, "step") == 0 && count >= 5) {
        job j = {words[2], count > 5 ? words[5] : NULL, atoi(words[3]),
                 atoi(words[4]), 0, ""};

        run(run_job, &j, &j.kind, count > 6 ? words[6] : NULL);
    } else if (strcmp(verb, "link") == 0) {
        const char *kind = "";

        run(link_by, &kind, &kind, count > 2 ? words[2] : NULL);
    } else {
        fputs("usage: bench_costs steps | step NET BATCH PARTS [MESH [RANKS]] "
              "| link [RANKS]\n", stderr);
        return 2;
    }
    mopt_context_free(ctx);
    return 0;
}
