/* SPDX-License-Identifier: MIT
 * src/cli/job.h: a recipe on its way from the command line to its result. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "args.h"
#include "progress.h"

typedef struct job {
    cli *c;
    char *command;     /* as it was typed, quoted for a shell */
    const char *path;  /* of the recipe; "-" is standard input */
    settings set;
    const char *model, *report; /* where to write; NULL: see below */
    const char *adapter; /* the same for what low ranks learnt, or NULL */
    char *own_model;   /* the path that was chosen when none was given */
    int no_model;
    int dry_run;
    int64_t rank_timeout; /* seconds; 0: the default */

    mopt_recipe *recipe;
    json_t *doc;       /* the recipe with its defaults */
    char *own_storage; /* a study file of ours, removed when all is done */
    int64_t total;     /* trials that the run is to have; 0: unknown */
    json_t *trials;    /* all that have ended, earlier runs included */
    int begun;         /* an epoch of a trial has ended */
    int maximize;      /* the first objective */
    int64_t failed;    /* trials of this run that failed */
    progress *bar;
    mopt_group *group; /* ranks that run it with this process, or NULL */
    int32_t status;    /* of the run */
    mopt_result *result;
    json_t *told;      /* result as JSON */
} job;

/* Rows of options that verbs share; j is the job. */
#define JOB_SET(j, example) \
    {"set", 0, OPTION_SET, "PATH=JSON", &(j).set, \
     "replace a value of the recipe, such as\n" \
     example "; may be given several times", NULL, 0, 0}
#define JOB_SEED(j, what) \
    {"seed", 0, OPTION_SET_INT, "N", &(j).set, \
     "the seed: the same gives the same " what, "seed", 0, 0}
#define JOB_RANK_TIMEOUT(j) \
    {"rank-timeout", 0, OPTION_INT, "SECONDS", &(j).rank_timeout, \
     "under mpirun: a rank that is silent for so long is\n" \
     "lost, and the others end (default 120)", NULL, 1, 1000000}
#define JOB_OUTPUTS(j, what) \
    {"model", 0, OPTION_TEXT, "FILE", &(j).model, \
     "write the " what " to FILE (default: the recipe's\n" \
     "name with .safetensors, in this folder)", NULL, 0, 0}, \
    {"no-model", 0, OPTION_FLAG, NULL, &(j).no_model, \
     "write no model", NULL, 0, 0}, \
    {"report", 0, OPTION_TEXT, "FILE", &(j).report, \
     "write a report, one HTML file, to FILE", NULL, 0, 0}

/* What was typed, for the hint how to go on; before arguments are parsed. */
char *job_command(const char *verb, int argc, char **argv);

/* Read the recipe; replace what the command line replaces. */
int job_read(job *j);
int job_apply(job *j);

/* What the recipe leaves open, as JSON to be released, and how many points that
 * has; 0, or an exit code. */
int job_space(job *j, int64_t *points, json_t **out);

/* A recipe of one model must leave nothing open; ways: other ways to close it
 * than --set, such as "--from STUDY, or ". */
int job_check_closed(job *j, const char *ways);

/* How many trials the recipe is to have, 0 when unknown. */
int64_t job_total(const job *j);

/* Let the recipe be shown: its storage without a password. */
void job_hide_password(job *j);

/* Look whether the files to write can be written, before hours of work. */
int job_check_outputs(job *j);

/* Run it: progress, Ctrl-C, messages. Returns 0 when there is a result or the
 * run was interrupted, else an exit code. */
int job_run(job *j);

/* Has it left something that another run can go on from? */
int job_left(const job *j);

/* Write model and report, print the result; returns the exit code. */
int job_finish(job *j);

void job_free(job *j);

#endif
