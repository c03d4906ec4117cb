/* SPDX-License-Identifier: MIT
 * bench/distill.c: what a teacher's cached outputs cost a step of the student
 * (784-800-800-10, batch 128), and what a probe in closed form saves against
 * training the head to the same loss. */
#include <inttypes.h>
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROWS 12800
#define STEPS 40

static void need(int32_t status)
{
    char text[512];
    if (status >= MOPT_OK)
        return;
    mopt_last_error(text, sizeof(text), NULL);
    fprintf(stderr, "bench_distill: %s\n", text);
    exit(1);
}

static mopt_config *config_of(mopt_context *ctx, const char *kind,
                              const char *json)
{
    mopt_config *config = NULL;
    need(mopt_config_create(ctx, kind, &config));
    need(mopt_config_set_json(config, json));
    return config;
}

static mopt_dataset *make_rows(mopt_context *ctx)
{
    char json[128];
    mopt_dataset *raw = NULL, *rows = NULL;
    mopt_transform *transform = NULL;
    snprintf(json, sizeof(json), "{\"source\": {\"type\": \"glyphs\", "
             "\"count\": %d}}", ROWS);
    mopt_config *config = config_of(ctx, "data", json);
    need(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &raw));
    need(mopt_transform_fit(raw, config, &transform));
    need(mopt_transform_apply(transform, raw, &rows));
    mopt_transform_free(transform);
    mopt_dataset_free(raw);
    mopt_config_free(config);
    return rows;
}

static mopt_model *make_model(mopt_context *ctx, int64_t units)
{
    mopt_model *model = NULL;
    need(mopt_model_build(ctx, 784, &model));
    need(mopt_model_add_dense(model, units, "relu"));
    need(mopt_model_add_dense(model, units, "relu"));
    need(mopt_model_add_dense(model, 10, NULL));
    need(mopt_model_init(model, 1));
    return model;
}

/* --- Steps with and without a teacher ----------------------------------- */

static void run_steps(void *user)
{
    for (int i = 0; i < STEPS; i++)
        need(mopt_trainer_step(user, NULL));
}

static void compare_steps(mopt_context *ctx, const mopt_dataset *rows)
{
    mopt_config *training = config_of(
        ctx, "train", "{\"epochs\": 100000, \"batch_size\": 128}");
    mopt_model *teacher = make_model(ctx, 64);
    const char *settings[] = {NULL, "{\"method\": \"kd\"}",
                              "{\"cache\": \"bench-outputs.safetensors\"}"};
    const char *names[] = {"plain", "outputs in memory", "outputs in a file"};
    bench_fn runs[3];
    void *trainers[3];
    double seconds[3];
    for (int i = 0; i < 3; i++) {
        mopt_model *student = make_model(ctx, 800);
        mopt_distill *distill = NULL;
        mopt_trainer *trainer = NULL;
        if (settings[i] == NULL) {
            need(mopt_trainer_create(ctx, student, rows, NULL, training,
                                     &trainer));
        } else {
            mopt_config *config = config_of(ctx, "distill", settings[i]);
            need(mopt_distill_create(ctx, student, rows, NULL, config,
                                     training, &distill));
            need(mopt_distill_add_model(distill, teacher, 1));
            need(mopt_distill_trainer(distill, &trainer));
            mopt_config_free(config);
        }
        trainers[i] = trainer;
        runs[i] = run_steps;
    }
    bench_compare(3, runs, trainers, 1.0, seconds);
    for (int i = 0; i < 3; i++)
        printf("{\"bench\": \"distill\", \"what\": \"%s\", "
               "\"ms_a_step\": %.4f, \"times_plain\": %.4f}\n", names[i],
               1e3 * seconds[i] / STEPS, seconds[i] / seconds[0]);
    remove("bench-outputs.safetensors");
}

/* --- A head in closed form ---------------------------------------------- */

static double loss_of(const mopt_model *model, const mopt_dataset *rows)
{
    char text[8192];
    need(mopt_model_evaluate(model, rows, NULL, NULL, text, sizeof(text),
                             NULL));
    return strtod(strstr(text, "\"loss\":") + 7, NULL);
}

static mopt_finetune *begin(mopt_context *ctx, const mopt_model *source,
                            const mopt_dataset *rows, const char *settings,
                            double rate)
{
    mopt_config *config = config_of(ctx, "finetune", settings);
    mopt_config *training = config_of(
        ctx, "train", "{\"epochs\": 100, \"batch_size\": 128}");
    mopt_finetune *tune = NULL;
    need(mopt_config_set_float(training, "optimizer.learning_rate", rate));
    need(mopt_finetune_create(ctx, source, rows, NULL, config, training,
                              &tune));
    mopt_config_free(config);
    mopt_config_free(training);
    return tune;
}

typedef struct goal {
    double loss;
    int64_t epochs;
} goal;

static int32_t reached(void *user, mopt_trainer *trainer)
{
    goal *g = user;
    double loss = 0;
    g->epochs++;
    return mopt_trainer_get(trainer, "loss", &loss) == MOPT_OK &&
                   loss <= g->loss
               ? MOPT_STOPPED : MOPT_OK;
}

/* Both from rows of pixels: features, which training works out anew in each
 * epoch, are in both times. The loss is the mean over the training rows: of
 * the probe's model, and of an epoch while it trains. */
static double time_probe(mopt_context *ctx, const mopt_model *source,
                         const mopt_dataset *rows, double *loss)
{
    mopt_model *model = NULL;
    double times[5];
    for (int i = 0; i < 5; i++) {
        mopt_finetune *probe = begin(ctx, source, rows, "{\"method\": "
                                     "\"probe\", \"head\": \"new\", "
                                     "\"baseline\": false}", 0.001);
        double start = bench_seconds();
        need(mopt_finetune_fit(probe, NULL));
        times[i] = bench_seconds() - start;
        need(mopt_finetune_model(probe, &model));
        *loss = loss_of(model, rows);
        mopt_model_free(model);
        mopt_finetune_free(probe);
    }
    return bench_median(5, times);
}

static double time_head(mopt_context *ctx, const mopt_model *source,
                        const mopt_dataset *rows, double rate, goal *g)
{
    mopt_finetune *head = begin(ctx, source, rows, "{\"method\": \"head\", "
                                "\"head\": \"new\", \"baseline\": false}",
                                rate);
    mopt_trainer *trainer = NULL;
    need(mopt_finetune_trainer(head, &trainer));
    need(mopt_trainer_on_epoch(trainer, reached, g, NULL));
    double start = bench_seconds();
    need(mopt_finetune_fit(head, NULL));
    double seconds = bench_seconds() - start;
    mopt_finetune_free(head);
    return seconds;
}

static void compare_heads(mopt_context *ctx, const mopt_dataset *rows)
{
    static const double rates[] = {0.001, 0.003, 0.01, 0.03, 0.1};
    mopt_model *source = make_model(ctx, 128);
    goal g = {0, 0};
    double probed = time_probe(ctx, source, rows, &g.loss);
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        g.epochs = 0;
        double trained = time_head(ctx, source, rows, rates[i], &g);
        printf("{\"bench\": \"probe\", \"what\": \"%d rows, 128 features; "
               "adam, batch 128, until the mean loss of an epoch is the "
               "probe's, or 100 epochs\", \"probe_s\": %.4f, \"loss\": %.4f, "
               "\"rate\": %g, \"head_s\": %.4f, \"head_epochs\": %" PRId64
               ", \"times_faster\": %.1f}\n", ROWS, probed, g.loss, rates[i],
               trained, g.epochs, trained / probed);
    }
    mopt_model_free(source);
}

int main(void)
{
    mopt_context *ctx = NULL;
    need(mopt_context_create(NULL, NULL, &ctx));
    mopt_dataset *rows = make_rows(ctx);
    compare_heads(ctx, rows);
    compare_steps(ctx, rows);
    return 0;
}
