/* SPDX-License-Identifier: MIT
 * lib/recipe/run.h: a recipe at work. */
#ifndef MOI_RECIPE_RUN_H
#define MOI_RECIPE_RUN_H

#include <modelopt/study.h>
#include <pthread.h>
#include <stdatomic.h>

#include "recipe/crew.h"
#include "recipe/starts.h"

/* A run. The recipe, the data and the aims do not change while it is at work;
 * what follows lock is guarded by it, so that events come one at a time. */
typedef struct moi_job {
    mopt_context *ctx;
    const mopt_recipe *recipe; /* the crew's own */
    moi_crew crew;
    moi_aims aims;
    moi_parts parts;
    mopt_study *study;
    mopt_cancel *cancel; /* may be NULL */
    double end;          /* of the search, on the clock: no trial begins later,
                            however often the study is asked */
    double rescue_seconds; /* between two checkpoints of a trial; 0: none */
    char digest[17];     /* of what makes values comparable, in hex */
    moi_starts starts;
    atomic_int stop;     /* 0, or the status that on_event ended the run with */

    pthread_mutex_t lock;
    mopt_event_fn on_event; /* may be NULL */
    void *user;
    moi_course course; /* of the best trial of this run so far */
    mopt_model *model; /* of the best trial of this run so far; or NULL */
    moi_rank rank;
} moi_job;

/* Run a recipe as it stands, whatever cases and repeats it says; *out is NULL
 * when it is called. */
int32_t moi_recipe_run_once(const mopt_recipe *recipe, mopt_event_fn on_event,
                            void *user, mopt_cancel *cancel,
                            mopt_result **out);

/* Tell an event; json is released. Returns job->stop. */
int32_t moi_job_tell(moi_job *job, int32_t event, json_t *json);

/* Search: run trials until the study has enough (search.c). */
int32_t moi_job_search(moi_job *job);

/* A trial as a document (search.c). */
int32_t moi_job_read(moi_job *job, int64_t number, json_t **out);

/* Train the parameters of a trial once more and keep the model (search.c). */
int32_t moi_job_retrain(moi_job *job, const json_t *params, int64_t number,
                        double expected);

/* Gather what came out (conclude.c). rc is how the search ended; *out is
 * NULL when no trial is complete. */
int32_t moi_job_conclude(moi_job *job, int32_t rc, double seconds,
                         mopt_result **out);

#endif
