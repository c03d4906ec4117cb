/* SPDX-License-Identifier: MIT
 * bench/many.c: what asking and telling costs when many processes share a
 * study: 10 parameters, random search, no work in between. One JSON line a
 * result; it also checks that no trial was lost or done twice.
 *
 * usage: many STORAGE [PROCESSES [TRIALS [DURABILITY]]]   TRIALS are each
 * process's; the study in STORAGE is a new one */
#include <modelopt/modelopt.h>
#ifdef HAVE_POSTGRESQL
#include <postgresql.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *storage, *durability = "power";
static char name[64];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t open_study(mopt_context **ctx, mopt_study **study)
{
    mopt_config *config = NULL;
    mopt_space *space = NULL;
    char param[8];
    int32_t i, rc = mopt_context_create(NULL, NULL, ctx);

#ifdef HAVE_POSTGRESQL
    if (!rc)
        rc = mopt_postgresql_register(*ctx);
#endif
    if (!rc)
        rc = mopt_space_create(*ctx, &space);
    for (i = 0; !rc && i < 10; i++) {
        snprintf(param, sizeof(param), "p%d", (int)i);
        rc = mopt_space_add_float(space, param, 0, 1, MOPT_LINEAR);
    }
    if (!rc)
        rc = mopt_config_create(*ctx, "study", &config);
    if (!rc)
        rc = mopt_config_set_text(config, "storage", storage);
    if (!rc)
        rc = mopt_config_set_text(config, "name", name);
    if (!rc)
        rc = mopt_config_set_text(config, "durability", durability);
    if (!rc)
        rc = mopt_config_set_bool(config, "resume", 1);
    if (!rc)
        rc = mopt_study_create(*ctx, space, config, study);
    mopt_config_free(config);
    mopt_space_free(space);
    return rc;
}

static int32_t fail(int32_t rc)
{
    char message[512];

    if (rc) {
        mopt_last_error(message, sizeof(message), NULL);
        fprintf(stderr, "%s\n", message);
    }
    return rc;
}

/* One process: waits for the start, then asks and tells. */
static int32_t work(int start, int64_t trials)
{
    mopt_context *ctx = NULL;
    mopt_study *study = NULL;
    int64_t i;
    char byte;
    int32_t rc = open_study(&ctx, &study);

    if (read(start, &byte, 1) < 0)
        return 1;
    for (i = 0; !rc && i < trials; i++) {
        mopt_trial *trial = NULL;
        double value = (double)i;

        rc = mopt_study_ask(study, &trial);
        if (!rc)
            rc = mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                                 NULL);
        mopt_trial_free(trial);
    }
    fail(rc);
    mopt_study_free(study);
    mopt_context_free(ctx);
    return rc;
}

int main(int argc, char **argv)
{
    const int64_t processes = argc > 2 ? atoll(argv[2]) : 8;
    const int64_t trials = argc > 3 ? atoll(argv[3]) : 500;
    mopt_context *ctx = NULL;
    mopt_study *study = NULL;
    int64_t i, all = 0, complete = 0;
    int start[2], status, bad = 0;
    double begin, seconds;

    if (argc < 2 || pipe(start) != 0)
        return 2;
    storage = argv[1];
    durability = argc > 4 ? argv[4] : durability;
    snprintf(name, sizeof(name), "many-%ld", (long)getpid());
    if (fail(open_study(&ctx, &study)))
        return 1;
    fflush(stdout);
    for (i = 0; i < processes; i++)
        if (fork() == 0) {
            close(start[1]);
            _exit(work(start[0], trials) != MOPT_OK);
        }
    sleep(1);
    begin = now();
    close(start[1]);
    while (wait(&status) > 0)
        bad |= status;
    seconds = now() - begin;
    bad |= fail(mopt_study_count(study, -1, &all));
    bad |= fail(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &complete));
    bad |= all != processes * trials || complete != all;
    printf("{\"bench\": \"many\", \"store\": \"%.*s\", \"durability\": "
           "\"%s\", \"processes\": %lld, \"trials\": %lld, \"complete\": "
           "%lld, \"per_second\": %.0f, \"fine\": %s}\n",
           (int)strcspn(storage, ":"), storage, durability,
           (long long)processes, (long long)all, (long long)complete,
           (double)(processes * trials) / seconds, bad ? "false" : "true");
    mopt_study_free(study);
    mopt_context_free(ctx);
    return bad != 0;
}
