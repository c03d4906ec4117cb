/* SPDX-License-Identifier: MIT
 * bench/article.c: the source article's job, and a larger network, beside the
 * limit of the machine.
 *
 * usage: bench_article [RUNS]
 *        bench_article --job NAME   one run of article or wide, in seconds
 *                                   peers.py
 *
 * The job: 20,000 rows of 100 normal features, 100-128-64-10, relu, softmax,
 * Adam, batches of 32, 64 and 128 by rates of 0.001, 0.01 and 0.1, 10 epochs,
 * one thread. The limit: all products at the machine's fastest rate, and
 * weights, gradients and both means of Adam read and written once a step at the
 * rate of a simple loop over as many bytes. Both are measured in the same run.
 */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef struct job {
    const char *name;
    int64_t rows, features;
    int64_t widths[4]; /* of the layers, 0 past the last */
    int64_t batches[4];
    double rates[4];
    int64_t epochs;
} job;

static const job jobs[] = {
    {"article", 20000, 100, {128, 64, 10}, {32, 64, 128}, {1e-3, 1e-2, 1e-1},
     10},
    {"wide", 12800, 784, {512, 512, 10}, {128}, {1e-3}, 1},
};

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

static mopt_dataset *make_data(const job *j)
{
    mopt_config *config = NULL;
    mopt_dataset *data = NULL;

    must(mopt_config_create(ctx, "data", &config), "config");
    must(mopt_config_set_text(config, "source", "linear"), "source");
    must(mopt_config_set_int(config, "source.count", j->rows), "rows");
    must(mopt_config_set_int(config, "source.features", j->features),
               "features");
    must(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &data), "data");
    mopt_config_free(config);
    return data;
}

static mopt_model *make_model(const job *j)
{
    mopt_model *model = NULL;

    must(mopt_model_build(ctx, j->features, &model), "model");
    for (int32_t i = 0; j->widths[i]; i++)
        must(mopt_model_add_dense(model, j->widths[i],
                                        j->widths[i + 1] ? "relu" : "softmax"),
                   "layer");
    return model;
}

/* Seconds of one training, its model included. */
static double train(const job *j, const mopt_dataset *data, int64_t batch,
                    double rate)
{
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;
    double begin = bench_seconds();
    mopt_model *model = make_model(j);

    must(mopt_config_create(ctx, "train", &config), "config");
    must(mopt_config_set_int(config, "epochs", j->epochs), "epochs");
    must(mopt_config_set_int(config, "batch_size", batch), "batch");
    must(mopt_config_set_int(config, "threads", 1), "threads");
    must(mopt_config_set_float(config, "optimizer.learning_rate", rate),
               "rate");
    must(mopt_trainer_create(ctx, model, data, NULL, config, &trainer),
               "trainer");
    must(mopt_trainer_fit(trainer, NULL), "training");
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    mopt_config_free(config);
    return bench_seconds() - begin;
}

/* Seconds of all cells of a job; each cell's into cells unless NULL. */
static double run(const job *j, const mopt_dataset *data, double *cells)
{
    double sum = 0, seconds;
    int32_t i = 0;

    for (int32_t b = 0; j->batches[b]; b++)
        for (int32_t r = 0; j->rates[r] > 0; r++) {
            seconds = train(j, data, j->batches[b], j->rates[r]);
            sum += seconds;
            if (cells)
                cells[i++] = seconds;
        }
    return sum;
}

/* ---- the limit ---- */

typedef struct limit {
    double products; /* operations a second */
    double bytes;    /* a second, over this job's state */
} limit;

static int64_t weights_of(const job *j)
{
    int64_t in = j->features, count = 0;

    for (int32_t i = 0; j->widths[i]; i++) {
        count += (in + 1) * j->widths[i];
        in = j->widths[i];
    }
    return count;
}

/* Forward and weight gradient of every layer, input gradient of all but the
 * first. */
static double flops_a_row(const job *j)
{
    int64_t in = j->features;
    double flops = 0;

    for (int32_t i = 0; j->widths[i]; i++) {
        flops += (i ? 6 : 4) * (double)(in * j->widths[i]);
        in = j->widths[i];
    }
    return flops;
}

static double limit_of(const job *j, const limit *l, int64_t batch)
{
    double rows = (double)(j->rows * j->epochs);
    int64_t steps = (j->rows + batch - 1) / batch * j->epochs;

    return bench_limit(l->products, l->bytes, rows * flops_a_row(j),
                       (double)steps, weights_of(j), 2);
}

/* ---- results ---- */

#define RUNS_MOST 99
#define CELLS 9

static void tell(const job *j, const limit *l, int64_t runs)
{
    static double cells[RUNS_MOST][CELLS], column[RUNS_MOST];
    mopt_dataset *data = make_data(j);
    double all = 0, bound = 0;
    int32_t cell = 0;

    run(j, data, NULL);
    for (int64_t i = 0; i < runs; i++)
        run(j, data, cells[i]);
    for (int32_t b = 0; j->batches[b]; b++)
        for (int32_t r = 0; j->rates[r] > 0; r++, cell++) {
            double most = limit_of(j, l, j->batches[b]), median;
            int64_t steps =
                (j->rows + j->batches[b] - 1) / j->batches[b] * j->epochs;

            for (int64_t i = 0; i < runs; i++)
                column[i] = cells[i][cell];
            median = bench_median(runs, column);
            all += median;
            bound += most;
            printf("{\"bench\": \"%s\", \"batch\": %lld, \"rate\": %g, "
                   "\"seconds\": %.4f, \"step_us\": %.2f, \"limit_us\": %.2f, "
                   "\"share\": %.3f}\n",
                   j->name, (long long)j->batches[b], j->rates[r], median,
                   median / (double)steps * 1e6, most / (double)steps * 1e6,
                   most / median);
        }
    printf("{\"bench\": \"%s\", \"runs\": %lld, \"seconds\": %.4f, \"limit\": "
           "%.4f, \"share\": %.3f, \"gflops\": %.1f, \"state_gb_s\": %.1f}\n",
           j->name, (long long)runs, all, bound, bound / all,
           l->products * 1e-9, l->bytes * 1e-9);
    fflush(stdout);
    mopt_dataset_free(data);
}

static int one_run(const char *name)
{
    for (int32_t i = 0; i < 2; i++)
        if (strcmp(jobs[i].name, name) == 0) {
            mopt_dataset *data = make_data(&jobs[i]);

            printf("%.6f\n", run(&jobs[i], data, NULL));
            mopt_dataset_free(data);
            return 0;
        }
    fprintf(stderr, "no job '%s'; there are article and wide\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    int64_t runs = argc > 1 ? strtoll(argv[1], NULL, 10) : 5;
    limit l;
    int rc = 0;

    must(mopt_context_create(NULL, NULL, &ctx), "context");
    if (argc > 2 && strcmp(argv[1], "--job") == 0) {
        rc = one_run(argv[2]);
    } else {
        runs = runs < 1 ? 1 : runs > RUNS_MOST ? RUNS_MOST : runs;
        l.products = bench_sgemm_rate();
        for (int32_t i = 0; i < 2; i++) {
            l.bytes = bench_state_rate(weights_of(&jobs[i]));
            tell(&jobs[i], &l, runs);
        }
    }
    mopt_context_free(ctx);
    return rc;
}
