/* SPDX-License-Identifier: MIT
 * lib/search/store/store.h: where trials live.
 *
 * A store is one file and one line in moi_stores. The history is what the
 * study reads; a store keeps it up to date with what others do to the same
 * study, and makes lasting what this one does. Each change is made in a
 * transaction: begin, changes, commit; the history is changed by the caller
 * afterwards, so that a commit that fails leaves it as it was.
 *
 * All calls but list come under the study's gate: one at a time. */
#ifndef MOI_SEARCH_STORE_H
#define MOI_SEARCH_STORE_H

#include "search/trial/history.h"

/* What a study is, apart from its trials. */
typedef struct moi_study_head {
    char *name;
    int64_t objectives; /* 0: one, whatever is there */
    uint8_t maximize[MOI_OBJECTIVE_LIMIT];
    char *space; /* as JSON, or NULL */
    /* An old study that was made without us tells no space: what its trials
     * have had, without conditions; NULL otherwise. */
    mopt_space *found;
} moi_study_head;

/* How to open a study. */
#define MOI_STORE_NEW 1  /* make it if it is not there */
#define MOI_STORE_OLD 2  /* open it if it is there */

/* A transaction on more than one trial. */
#define MOI_STORE_ALL (-1)

/* What a transaction is like: what it changes survives a loss of power; one on
 * a single trial is to have the news of the others. */
#define MOI_STORE_LASTING 1
#define MOI_STORE_NEWS 2

typedef struct moi_store moi_store;

/* How much of what others did is news: which trials there are, and their
 * states; what hangs on those that have ended, too; and on those that run, and
 * on the study. Rows of which there is more are blank. */
#define MOI_NEWS_STATES 0
#define MOI_NEWS_RESULTS 1
#define MOI_NEWS_ALL 2
#define MOI_NEWS_LEVELS 3

/* What a study asks of its store. */
typedef struct moi_store_terms {
    double patience;  /* seconds to wait for others, or for a connection */
    double heartbeat; /* seconds between signs of life */
    double grace;     /* seconds without one after which a worker is dead */
    const mopt_cancel *cancel; /* of the opening; may be NULL */
    int32_t news;     /* MOI_NEWS_* that a transaction needs */
    int32_t points;   /* and those of running trials, once they are there */
} moi_store_terms;

/* A trial that is to be added. */
typedef struct moi_draft {
    int32_t state;       /* MOPT_TRIAL_RUNNING or _WAITING */
    int64_t start;       /* UTC, microseconds; 0 unless it is running */
    const double *point; /* [parameters], or NULL */
    const char *fixed;   /* JSON object of what was enqueued, or NULL */
} moi_draft;

/* How a trial ends. */
typedef struct moi_ending {
    int32_t state;        /* MOPT_TRIAL_*, any but RUNNING */
    int64_t complete;     /* UTC, microseconds */
    const double *values; /* [objectives], or NULL */
    const char *reason;   /* or NULL */
} moi_ending;

/* Whose note it is. */
#define MOI_NOTE_STUDY 0
#define MOI_NOTE_TRIAL 1
#define MOI_NOTE_CONSTRAINTS 2 /* the constraints of a trial */

/* Functions may be NULL: there is nothing to do then. All return MOPT_OK,
 * MOPT_ESTORE, MOPT_EFORMAT or MOPT_ENOMEM, and more where it says so. */
typedef struct moi_store_kind {
    const char *name;
    /* Open or make the study head->name at a place; head is what a new one is
     * to be, and receives what an old one is. MOPT_EEXIST, MOPT_ENOENT. */
    int32_t (*open)(mopt_context *ctx, const char *place, int32_t how,
                    const moi_store_terms *terms, moi_study_head *head,
                    moi_store **out);
    void (*close)(moi_store *store);
    /* Add the names of all studies at a place to an array. MOPT_ENOENT. */
    int32_t (*list)(mopt_context *ctx, const char *place, json_t *names);
    /* Fill the history for the first time, and remember it. */
    int32_t (*attach)(moi_store *store, moi_history *history);
    /* Bring the history up to date, outside of a transaction: MOI_NEWS_*. */
    int32_t (*pull)(moi_store *store, int32_t news);
    /* Start a transaction. It changes the trial of a row, of which the history
     * then knows whether it runs, and for whom; or anything, row
     * MOI_STORE_ALL: then the history has all trials, with the news that the
     * terms say, and nobody else adds a trial, or starts one, before it ends.
     * how is MOI_STORE_*: what is not lasting survives the end of the process.
     * cancel may be NULL: then waiting for others has its own end.
     * MOPT_ECANCELED. */
    int32_t (*begin)(moi_store *store, int64_t row, int32_t how,
                     const mopt_cancel *cancel);
    /* One that fails has rolled back. */
    int32_t (*commit)(moi_store *store);
    void (*rollback)(moi_store *store);
    /* After a transaction, or a pull, that failed with rc: 1 if it is worth
     * another try, because a connection was lost that is there again. */
    int32_t (*again)(moi_store *store, int32_t rc);
    /* Within a transaction of MOI_STORE_ALL: send running trials of processes
     * that have died back to waiting, *buried of them; they are to be
     * committed at once, and the history knows them with the next pull. *live
     * are those that somebody is known to work on. */
    int32_t (*census)(moi_store *store, int64_t *live, int32_t *buried);
    int32_t (*add)(moi_store *store, const moi_draft *draft, int64_t *id);
    /* Let a waiting trial run; point's values that the row lacks are added. */
    int32_t (*start)(moi_store *store, int64_t row, int64_t when,
                     const double *point);
    /* MOPT_ESTATE: somebody else has ended it. */
    int32_t (*finish)(moi_store *store, int64_t row,
                      const moi_ending *ending);
    int32_t (*report)(moi_store *store, int64_t row, int64_t step,
                      double value);
    int32_t (*note)(moi_store *store, int32_t whose, int64_t row,
                    const char *key, const char *json);
} moi_store_kind;

/* The head of every store. */
struct moi_store {
    const moi_store_kind *kind;
    mopt_context *ctx;
    moi_history *history;
    char notice[400]; /* to be logged once the gate is free, or "" */
};

/* The kind that serves a place: the empty text is memory, anything else is a
 * file or a database. *place loses the prefix that only chose the kind. */
const moi_store_kind *moi_store_find(const char **place);

int32_t moi_store_attach(moi_store *store, moi_history *history);
int32_t moi_store_pull(moi_store *store, int32_t news);
int32_t moi_store_begin(moi_store *store, int64_t row, int32_t how,
                        const mopt_cancel *cancel);
int32_t moi_store_commit(moi_store *store);
void moi_store_rollback(moi_store *store);
int32_t moi_store_again(moi_store *store, int32_t rc);
int32_t moi_store_census(moi_store *store, int64_t *live, int32_t *buried);
int32_t moi_store_add(moi_store *store, const moi_draft *draft, int64_t *id);
int32_t moi_store_start(moi_store *store, int64_t row, int64_t when,
                        const double *point);
int32_t moi_store_finish(moi_store *store, int64_t row,
                         const moi_ending *ending);
int32_t moi_store_report(moi_store *store, int64_t row, int64_t step,
                         double value);
int32_t moi_store_note(moi_store *store, int32_t whose, int64_t row,
                       const char *key, const char *json);

void moi_study_head_clear(mopt_context *ctx, moi_study_head *head);

#endif
