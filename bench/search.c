/* SPDX-License-Identifier: MIT
 * bench/search.c: what asking and telling costs: 10 parameters, random search,
 * in memory and in a file. One JSON line a result.
 *
 * usage: search [FOLDER]   where the study files go, else here */
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t run(mopt_context *ctx, const mopt_space *space,
                   const char *storage, const char *durability, int64_t trials)
{
    mopt_config *config = NULL;
    mopt_study *study = NULL;
    double start, seconds, value;
    int64_t i;
    int32_t rc = mopt_config_create(ctx, "study", &config);

    if (!rc)
        rc = mopt_config_set_text(config, "storage", storage);
    if (!rc)
        rc = mopt_config_set_text(config, "durability", durability);
    if (!rc)
        rc = mopt_study_create(ctx, space, config, &study);
    start = now();
    for (i = 0; !rc && i < trials; i++) {
        mopt_trial *trial = NULL;

        value = (double)i;
        rc = mopt_study_ask(study, &trial);
        if (!rc)
            rc = mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                                 NULL);
        mopt_trial_free(trial);
    }
    seconds = now() - start;
    if (!rc)
        printf("{\"bench\": \"ask-tell\", \"store\": \"%s\", "
               "\"durability\": \"%s\", \"params\": 10, \"trials\": %lld, "
               "\"per_second\": %.0f}\n", storage[0] ? "sqlite" : "memory",
               durability, (long long)trials, (double)trials / seconds);
    mopt_study_free(study);
    mopt_config_free(config);
    return rc;
}

int main(int argc, char **argv)
{
    mopt_context *ctx = NULL;
    mopt_space *space = NULL;
    char path[400], name[8], message[512];
    int32_t i, rc = mopt_context_create(NULL, NULL, &ctx);

    if (!rc)
        rc = mopt_space_create(ctx, &space);
    for (i = 0; !rc && i < 10; i++) {
        snprintf(name, sizeof(name), "p%d", (int)i);
        rc = mopt_space_add_float(space, name, 0, 1, MOPT_LINEAR);
    }
    snprintf(path, sizeof(path), "%s/bench-search.db",
             argc > 1 ? argv[1] : ".");
    unlink(path);
    if (!rc)
        rc = run(ctx, space, "", "process", 200000);
    if (!rc)
        rc = run(ctx, space, path, "process", 2000);
    unlink(path);
    if (!rc)
        rc = run(ctx, space, path, "power", 500);
    unlink(path);
    if (rc) {
        mopt_last_error(message, sizeof(message), NULL);
        fprintf(stderr, "%s\n", message);
    }
    mopt_space_free(space);
    mopt_context_free(ctx);
    return rc != MOPT_OK;
}
