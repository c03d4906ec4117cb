/* SPDX-License-Identifier: MIT
 * lib/search/study/study.h: the inside of a study and of a trial's handle.
 *
 * Two locks. The gate orders whatever changes the study, one call at a time;
 * it is held while the store writes. The history's own lock is held for
 * moments only, so that reading a trial never waits for a disk. Who needs both
 * takes the gate first. Neither is held while a callback of the host runs. */
#ifndef MOI_SEARCH_STUDY_H
#define MOI_SEARCH_STUDY_H

#include <modelopt/study.h>
#include <stdatomic.h>

#include "base/text.h"
#include "search/pruner/pruner.h"
#include "search/sampler/sampler.h"
#include "search/space/lattice.h"
#include "search/store/store.h"
#include "search/trial/history.h"
#include "search/trial/points.h"

struct mopt_study {
    mopt_context *ctx;
    atomic_int refs;
    char *name;
    mopt_space *space;  /* empty when it was opened without one */
    int32_t can_sample; /* it has a space */
    pthread_mutex_t gate;
    int32_t has_locks;
    moi_history history;
    moi_store *store;
    int32_t lasting; /* what is told is to survive a loss of power */
    const moi_sampler_kind *sampler;
    void *sampler_state;
    const moi_pruner_kind *pruner;
    void *pruner_state;
    uint64_t seed;
    /* Duplicates. */
    int32_t avoid;
    int32_t wants_points;
    moi_points points;
    moi_lattice *lattice; /* to find the last points; NULL if not wanted */
    double *fixed;        /* [parameters], scratch under the gate */
    double *point;        /* the same */
    int64_t retries;   /* deaths of its workers that a trial may outlive */
    char *checkpoints; /* what names of trials' files begin with, or NULL */
    /* For optimize. */
    int64_t trials;
    int32_t workers;
    double timeout;
    mopt_trial_fn on_trial;
    void *on_trial_user;
    mopt_destroy_fn on_trial_destroy;
};

struct mopt_trial {
    mopt_study *study;
    int64_t number;
    int32_t asked;   /* nobody has told yet what mopt_study_ask gave out */
    int64_t claim;   /* as the history has it; MOI_CLAIM_NONE: any will do */
    double params[]; /* [parameters], NaN: does not exist */
};

/* As mopt_study_create with a config of kind "study"; cancel, which may be
 * NULL, ends the waiting for a server that is down. MOPT_ECANCELED. */
int32_t moi_study_create(mopt_context *ctx, const mopt_space *space,
                         const mopt_config *config, const mopt_cancel *cancel,
                         mopt_study **out);

void moi_study_release(mopt_study *study);

/* A handle to a row; asked tells whether freeing it gives the trial back. */
int32_t moi_trial_new(mopt_study *study, mopt_trial **out);

/* As mopt_study_ask, but limit >= 0 trials are the most that may be finished
 * or running: MOPT_STOPPED, without a message, when they are. */
int32_t moi_study_ask(mopt_study *study, int64_t limit,
                      const mopt_cancel *cancel, mopt_trial **out);

/* As mopt_study_tell. */
int32_t moi_study_tell(mopt_study *study, int64_t row, int64_t claim,
                       const moi_ending *ending, const mopt_cancel *cancel);
int32_t moi_study_tell_trial(mopt_study *study, mopt_trial *trial,
                             int32_t state, const double *values,
                             const char *reason, const mopt_cancel *cancel);

/* Has the trial of a row come to an end, as far as the history knows? */
int32_t moi_study_has_ended(mopt_study *study, int64_t row);

/* Does the trial of a row run, and is it still of who made the claim? Under
 * the gate, the history up to date. MOPT_ESTATE. */
int32_t moi_study_check_claim(const mopt_study *study, int64_t row,
                              int64_t claim);

/* Give a trial back without waiting long for the store. */
void moi_study_give_back(mopt_study *study, int64_t row, int64_t claim);

/* The path of a trial's checkpoint, "" where there is no place for them; text
 * is initialised, and to be freed. */
int32_t moi_study_checkpoint(const mopt_study *study, int64_t row,
                             moi_text *text);

/* Remove the checkpoint of a trial that has ended, and free its path. */
void moi_study_forget(mopt_study *study, moi_text *path);

/* Send what the dead left running back to waiting. */
int32_t moi_study_census(mopt_study *study);

/* What is left to do for a search: *live trials are being worked on, here or
 * elsewhere, as far as the last census knows; *due, one waits and may be asked
 * for. */
int32_t moi_study_rest(mopt_study *study, int64_t *live, int32_t *due);

/* Take the gate, the history up to date: MOI_NEWS_*. */
int32_t moi_study_enter(mopt_study *study, int32_t news);

/* Free the gate, and log what could not be logged under it. */
void moi_study_leave(mopt_study *study);

/* The trial of a row as JSON, under the history's lock; NULL without
 * memory. */
json_t *moi_trial_document(const moi_history *history, int64_t row);

#endif
