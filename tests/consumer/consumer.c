/* SPDX-License-Identifier: MIT
 * tests/consumer/consumer.c: a host program that knows the library by its
 * installed tree alone. It compiles as C and as C++. */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <string.h>

/* (x - 1)^2: the best x is the one nearest to 1. */
static int32_t objective(void *user, mopt_trial *trial, double *values)
{
    double x = 0;
    int32_t status = mopt_trial_get_float(trial, "x", &x);
    *(int *)user += 1;
    values[0] = (x - 1) * (x - 1);
    return status;
}

static int32_t search(mopt_context *ctx, double *best)
{
    mopt_space *space = NULL;
    mopt_config *config = NULL;
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    int calls = 0;
    int32_t status = mopt_space_create(ctx, &space);
    if (status == MOPT_OK)
        status = mopt_space_add_float(space, "x", -2, 2, MOPT_LINEAR);
    if (status == MOPT_OK)
        status = mopt_config_create(ctx, "study", &config);
    if (status == MOPT_OK)
        status = mopt_config_set_json(config, "{\"trials\": 20, \"seed\": 3}");
    if (status == MOPT_OK)
        status = mopt_study_create(ctx, space, config, &study);
    if (status == MOPT_OK)
        status = mopt_study_optimize(study, objective, &calls, NULL);
    if (status == MOPT_OK)
        status = mopt_study_best(study, &trial);
    if (status == MOPT_OK)
        status = mopt_trial_value(trial, 0, best);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_config_free(config);
    mopt_space_free(space);
    return status == MOPT_OK && calls != 20 ? MOPT_EINTERNAL : status;
}

int main(void)
{
    mopt_context *ctx = NULL;
    int32_t major = -1, minor = -1, patch = -1;
    double best = 9;
    char message[512];
    mopt_version(&major, &minor, &patch);
    int32_t status = mopt_context_create(NULL, NULL, &ctx);
    if (status == MOPT_OK)
        status = search(ctx, &best);
    mopt_context_free(ctx);
    if (status != MOPT_OK) {
        mopt_last_error(message, sizeof message, NULL);
        fprintf(stderr, "%s: %s\n", mopt_status_name(status), message);
        return 1;
    }
    printf("modelopt %d.%d.%d best %.17g\n", (int)major, (int)minor,
           (int)patch, best);
    return best < 0.1 ? 0 : 1;
}
