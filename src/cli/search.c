/* SPDX-License-Identifier: MIT
 * src/cli/search.c: modelopt search, modelopt train: a recipe in, the best
 * model out. */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "trials.h"

/* ---- search ----------------------------------------------------------- */

static void print_plan(job *j, const json_t *space, int64_t points)
{
    cli *c = j->c;
    char count[32];

    fprintf(c->out.file, "recipe     %s: all right\n", j->path);
    if (points == INT64_MAX)
        snprintf(count, sizeof count, "more than can be counted");
    else
        screen_count((double)points, count);
    fprintf(c->out.file, "points     %s\n", count);
    if (j->total > 0)
        fprintf(c->out.file, "trials     %lld\n", (long long)j->total);
    if (json_object_size(space) > 0) {
        fputs("space\n", c->out.file);
        trials_params(c, space, "  ");
    }
}

/* What would be searched, without data and without training. */
static int dry_run(job *j)
{
    int64_t points = 0;
    json_t *json = NULL;
    int code = job_space(j, &points, &json);

    if (code != 0)
        return code;
    j->total = job_total(j);
    job_hide_password(j);
    if (j->c->json)
        return cli_print_json(j->c,
                              json_pack("{s:o, s:o, s:I, s:O}", "space", json,
                                        "points",
                                        points == INT64_MAX
                                            ? json_null()
                                            : json_integer(points),
                                        "trials", (json_int_t)j->total,
                                        "recipe", j->doc));
    print_plan(j, json, points);
    json_decref(json);
    return EXIT_DONE;
}

static int work(job *j)
{
    int code = cli_context(j->c);

    if (code == 0)
        code = job_read(j);
    if (code == 0)
        code = job_apply(j);
    if (code == 0 && j->dry_run)
        return dry_run(j);
    if (code == 0)
        code = job_check_outputs(j);
    if (code == 0)
        code = job_run(j);
    return code == 0 ? job_finish(j) : code;
}

int verb_search(cli *c, int argc, char **argv)
{
    job j = {.c = c};
    const option options[] = {
        JOB_SET(j, "train.epochs=5"),
        {"trials", 0, OPTION_SET_INT, "N", &j.set,
         "end when N trials are finished", "search.trials", 0, 0},
        {"timeout", 0, OPTION_SET_REAL, "SECONDS", &j.set,
         "end after so many seconds", "search.timeout", 0, 0},
        {"workers", 0, OPTION_SET_INT, "N", &j.set,
         "run N trials at a time", "search.workers", 0, 0},
        {"ranks-per-trial", 0, OPTION_SET_INT, "N", &j.set,
         "under mpirun: N ranks train each trial together\n"
         "(default 1)", "search.ranks_per_trial", 0, 0},
        JOB_RANK_TIMEOUT(j),
        JOB_SEED(j, "result"),
        {"storage", 0, OPTION_SET_TEXT, "FILE", &j.set,
         "keep the trials in FILE, a study file, or in a\n"
         "database: postgresql://USER@HOST/NAME",
         "search.storage", 0, 0},
        {"resume", 0, OPTION_SET_TRUE, NULL, &j.set,
         "go on with the trials that are in FILE already",
         "search.resume", 0, 0},
        JOB_OUTPUTS(j, "winner"),
        {"dry-run", 0, OPTION_FLAG, NULL, &j.dry_run,
         "check the recipe and show what it would search", NULL, 0, 0},
        OPTIONS_END,
    };
    int count, code;

    j.command = job_command("search", argc, argv);
    code = args_parse(c, options, argc, argv, 1, 1, &count);
    if (code == ARGS_GO) {
        j.path = argv[0];
        code = work(&j);
    }
    job_free(&j);
    return code;
}

/* ---- train ------------------------------------------------------------ */

/* Where the values come from that a recipe leaves open. */
typedef struct origin {
    const char *path, *name; /* study file, and study in it */
    int64_t number;          /* trial; -1: the best */
} origin;

static int32_t pick_trial(mopt_study *study, const origin *from,
                          mopt_trial **trial)
{
    return from->number < 0 ? mopt_study_best(study, trial)
                            : mopt_study_trial(study, from->number, trial);
}

/* Fix the recipe's open values as a trial had them. */
static int take_from(job *j, const origin *from)
{
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    mopt_recipe *fixed = NULL;
    reply t = {0};
    json_t *json;
    char *params = NULL;
    int32_t rc;
    int code = trials_open(j->c, from->path, from->name, &study);

    if (code != 0)
        return code;
    rc = pick_trial(study, from, &trial);
    if (rc == MOPT_OK)
        ASK(rc, &t, mopt_trial_to_json, trial);
    json = rc == MOPT_OK ? reply_json(&t) : NULL;
    if (rc == MOPT_OK) {
        params = json_dumps(json_object_get(json, "params"), 0);
        rc = params ? mopt_recipe_apply(j->recipe, params, &fixed)
                    : MOPT_ENOMEM;
    }
    if (rc != MOPT_OK) {
        code = cli_library(j->c, rc, from->path);
    } else {
        mopt_recipe_free(j->recipe);
        j->recipe = fixed;
    }
    free(params);
    json_decref(json);
    reply_free(&t);
    mopt_trial_free(trial);
    mopt_study_free(study);
    return code;
}

static int train(job *j, const origin *from)
{
    int code = cli_context(j->c);

    if (code == 0)
        code = job_read(j);
    if (code == 0 && from->path)
        code = take_from(j, from);
    if (code == 0)
        code = job_apply(j);
    if (code == 0)
        code = job_check_closed(j, "'modelopt search', or --from STUDY, or ");
    if (code == 0)
        code = job_check_outputs(j);
    if (code == 0)
        code = job_run(j);
    return code == 0 ? job_finish(j) : code;
}

int verb_train(cli *c, int argc, char **argv)
{
    job j = {.c = c};
    origin from = {.number = -1};
    const option options[] = {
        JOB_SET(j, "train.epochs=5"),
        {"from", 0, OPTION_TEXT, "STUDY", &from.path,
         "take open values from the best trial of a study\n"
         "file", NULL, 0, 0},
        {"trial", 0, OPTION_INT, "N", &from.number,
         "with --from: from trial N", NULL, 0, INT64_MAX},
        {"name", 0, OPTION_TEXT, "NAME", &from.name,
         "with --from: the study of that name", NULL, 0, 0},
        JOB_RANK_TIMEOUT(j),
        JOB_SEED(j, "weights"),
        {"storage", 0, OPTION_SET_TEXT, "FILE", &j.set,
         "keep a checkpoint beside FILE, a study file, while\n"
         "it trains", "search.storage", 0, 0},
        {"resume", 0, OPTION_SET_TRUE, NULL, &j.set,
         "go on from there", "search.resume", 0, 0},
        JOB_OUTPUTS(j, "model"),
        OPTIONS_END,
    };
    int count, code;

    j.command = job_command("train", argc, argv);
    code = args_parse(c, options, argc, argv, 1, 1, &count);
    if (code == ARGS_GO && !from.path && (from.number >= 0 || from.name))
        code = cli_fail(c, EXIT_USAGE, "--%s needs --from STUDY",
                        from.name ? "name" : "trial");
    if (code == ARGS_GO) {
        j.path = argv[0];
        code = train(&j, &from);
    }
    job_free(&j);
    return code;
}
