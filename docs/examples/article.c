/* SPDX-License-Identifier: MIT
 * docs/examples/article.c: three learning rates times three batch sizes for a
 * network 100-128-64-10, the best by validation accuracy.
 *
 *   cc article.c $(pkg-config --cflags --libs modelopt) -o article && ./article
 *
 * The recipe article.json beside this file says the same in 25 lines: its
 * trials have the same values, bit for bit. */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>

/* The data, ready for a model. */
typedef struct parts {
    mopt_context *ctx;
    mopt_dataset *train, *validation;
} parts;

/* End the program with the library's message if a call failed. */
static void check(int32_t status)
{
    char message[512];
    if (status == MOPT_OK)
        return;
    mopt_last_error(message, sizeof(message), NULL);
    fprintf(stderr, "article: %s: %s\n", mopt_status_name(status), message);
    exit(1);
}

/* 20,000 rows of 100 normal features; a fifth of them to validate on. The
 * transform is fitted on the training rows only. */
static void load(mopt_context *ctx, parts *data)
{
    mopt_config *config;
    mopt_dataset *all, *train, *validation;
    mopt_transform *transform;
    check(mopt_config_create(ctx, "data", &config));
    check(mopt_config_set_json(config,
        "{\"source\": {\"type\": \"linear\", \"count\": 20000,"
        " \"features\": 100, \"classes\": 10, \"seed\": 1},"
        " \"split\": {\"validation\": 0.2, \"seed\": 1}}"));
    check(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &all));
    check(mopt_dataset_split(all, config, &train, &validation, NULL));
    check(mopt_transform_fit(train, config, &transform));
    check(mopt_transform_apply(transform, train, &data->train));
    check(mopt_transform_apply(transform, validation, &data->validation));
    data->ctx = ctx;
    mopt_transform_free(transform);
    mopt_dataset_free(validation);
    mopt_dataset_free(train);
    mopt_dataset_free(all);
    mopt_config_free(config);
}

/* One trial: its parameters are keys of the config. */
static int32_t objective(void *user, mopt_trial *trial, double *values)
{
    const parts *data = user;
    mopt_model *model = NULL;
    mopt_config *config = NULL;
    mopt_trainer *trainer = NULL;
    int32_t rc = mopt_model_build(data->ctx, 100, &model);
    if (rc == MOPT_OK)
        rc = mopt_model_add_dense(model, 128, "relu");
    if (rc == MOPT_OK)
        rc = mopt_model_add_dense(model, 64, "relu");
    if (rc == MOPT_OK)
        rc = mopt_model_add_dense(model, 10, "softmax");
    if (rc == MOPT_OK)
        rc = mopt_config_create(data->ctx, "train", &config);
    if (rc == MOPT_OK)
        rc = mopt_config_set_json(config,
            "{\"optimizer\": \"adam\", \"epochs\": 10, \"seed\": 1,"
            " \"monitor\": \"validation.accuracy\"}");
    if (rc == MOPT_OK)
        rc = mopt_trial_apply(trial, config, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_create(data->ctx, model, data->train,
                                 data->validation, config, &trainer);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_get(trainer, "best.accuracy", values);
    mopt_trainer_free(trainer);
    mopt_config_free(config);
    mopt_model_free(model);
    return rc;
}

/* Every learning rate with every batch size. */
static mopt_study *make_study(mopt_context *ctx)
{
    mopt_space *space;
    mopt_config *config;
    mopt_study *study;
    check(mopt_space_create(ctx, &space));
    check(mopt_space_add_choice(space, "optimizer.learning_rate",
                                "[0.001, 0.01, 0.1]"));
    check(mopt_space_add_choice(space, "batch_size", "[32, 64, 128]"));
    check(mopt_config_create(ctx, "study", &config));
    check(mopt_config_set_json(config, "{\"sampler\": \"grid\","
                                       " \"direction\": \"maximize\"}"));
    check(mopt_study_create(ctx, space, config, &study));
    mopt_config_free(config);
    mopt_space_free(space);
    return study;
}

static void print_trial(const mopt_trial *trial)
{
    double rate, accuracy;
    int64_t batch;
    check(mopt_trial_get_float(trial, "optimizer.learning_rate", &rate));
    check(mopt_trial_get_int(trial, "batch_size", &batch));
    check(mopt_trial_value(trial, 0, &accuracy));
    printf("trial %d: learning rate %g, batch size %d: %.17g\n",
           (int)mopt_trial_number(trial), rate, (int)batch, accuracy);
}

int main(void)
{
    mopt_context *ctx;
    mopt_study *study;
    mopt_trial *trial;
    parts data;
    int64_t count;

    check(mopt_context_create(NULL, NULL, &ctx));
    load(ctx, &data);
    study = make_study(ctx);
    check(mopt_study_optimize(study, objective, &data, NULL));

    check(mopt_study_count(study, -1, &count));
    for (int64_t i = 0; i < count; i++) {
        check(mopt_study_trial(study, i, &trial));
        print_trial(trial);
        mopt_trial_free(trial);
    }
    check(mopt_study_best(study, &trial));
    printf("best ");
    print_trial(trial);

    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_dataset_free(data.validation);
    mopt_dataset_free(data.train);
    mopt_context_free(ctx);
    return 0;
}
