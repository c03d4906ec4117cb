/* SPDX-License-Identifier: MIT
 * lib/recipe/starts.h: warm starts: trials that begin with the weights of
 * earlier ones.
 *
 * Trials come in rounds of fixed size, by their numbers. One of a later round
 * starts from a complete trial of the rounds before it, by a rule that goes by
 * numbers, values and architectures alone; so it waits until these rounds are
 * through, and the number of workers does not matter. Weights of the best
 * trials are kept, in memory and, for a study in a file, beside that file.
 * Those that are missing are trained once more. */
#ifndef MOI_RECIPE_STARTS_H
#define MOI_RECIPE_STARTS_H

#include <pthread.h>

#include "recipe/attempt.h"

struct moi_job;

/* A complete trial that others may start from. */
typedef struct moi_start {
    moi_rank rank;
    json_t *params;    /* NULL as long as it has not been told */
    char digest[17];   /* of its weights */
    mopt_model *model; /* NULL: not in memory */
} moi_start;

typedef struct moi_starts {
    int32_t on;      /* the recipe has search.warm_start */
    int32_t nearest; /* "from" */
    int64_t round, keep;
    char *place; /* what the names of files begin with; NULL: no files */
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a trial of this run has */
    int64_t settled;      /* trials 0 .. settled-1 are finished */
    int64_t busy;         /* trials at work here, and not waiting */
    int32_t again;        /* the search is to ask anew */
    moi_start *list;
    int64_t count, capacity;
} moi_starts;

/* Read the recipe; before trials run. To be freed on an error too. */
int32_t moi_starts_begin(struct moi_job *job);
void moi_starts_end(struct moi_job *job);

/* Has the search to go on although it ended with *rc? Otherwise what is not
 * needed any more is let go. */
int32_t moi_starts_again(struct moi_job *job, int32_t *rc);

/* One more trial is at work here (1), or one less (-1); and one of them has
 * been told. Thread: any, as the following. */
void moi_starts_count(struct moi_job *job, int32_t change);
void moi_starts_wake(struct moi_job *job);

/* Give the attempt of a trial the weights that it starts with, and the trial
 * a note of whose they are; nothing in the first round. MOPT_ECANCELED also
 * when the trial should be asked for again. */
int32_t moi_starts_give(struct moi_job *job, mopt_trial *trial,
                        moi_attempt *attempt);

/* Keep what a trial that will be told has learned, and note how many epochs
 * lie behind it. */
int32_t moi_starts_keep(struct moi_job *job, mopt_trial *trial,
                        moi_attempt *attempt);

/* The weights of a complete trial: kept ones, or trained again. */
int32_t moi_starts_recall(struct moi_job *job, int64_t number,
                          mopt_model **out);

#endif
