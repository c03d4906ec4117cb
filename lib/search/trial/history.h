/* SPDX-License-Identifier: MIT
 * lib/search/trial/history.h: every trial of a study, in columns.
 *
 * This is what samplers and pruners read, and all that the memory store is; a
 * store on disk keeps it up to date. Row and number of a trial are the same.
 * Rows are only added; a finished one does not change.
 *
 * Who changes a history holds its study's gate, so that whoever holds the gate
 * may read without more ado; changes themselves, and all other readers, hold
 * the lock. */
#ifndef MOI_SEARCH_HISTORY_H
#define MOI_SEARCH_HISTORY_H

#include <modelopt/study.h>
#include <pthread.h>

#include "search/space/space.h"

/* Objectives of a study at most. */
#define MOI_OBJECTIVE_LIMIT 64

/* A parameter of a trial that the space does not have: files of others. */
typedef struct moi_cell {
    char *name;
    moi_domain domain;
    double value;
} moi_cell;

typedef struct moi_note {
    char *key;
    char *json;
} moi_note;

typedef struct moi_report {
    int64_t step;
    double value;
} moi_report;

/* What only some trials have. */
typedef struct moi_extra {
    char *fixed;  /* what was enqueued: a JSON object, or NULL */
    char *reason; /* why it failed, or NULL */
    int64_t cell_count, cell_capacity;
    moi_cell *cells;
    int64_t note_count, note_capacity;
    moi_note *notes;
    int64_t report_count, report_capacity;
    moi_report *reports; /* ascending steps */
    int64_t constraint_count;
    double *constraints;
    int64_t retries; /* how often a worker died while it worked on it */
} moi_extra;

/* Whose a running trial is: nobody's that we know of, another process's; or
 * this one's, and then a number that each start makes anew. */
#define MOI_CLAIM_NONE 0
#define MOI_CLAIM_OTHER (-1)

typedef struct moi_history {
    mopt_context *ctx;
    const mopt_space *space;
    int64_t objectives;
    uint8_t maximize[MOI_OBJECTIVE_LIMIT];
    pthread_mutex_t lock;
    int64_t count;    /* trials */
    int64_t capacity; /* rows there is room for */
    uint8_t *state;   /* MOPT_TRIAL_* */
    int64_t *id;      /* the store's own key */
    int64_t *start;   /* UTC, microseconds since 1970; 0: not begun */
    int64_t *complete;
    int64_t *claim;    /* whose a running trial is, MOI_CLAIM_* */
    double *values;    /* [rows][objectives]; NaN: none */
    double *violation; /* sum of what exceeds the constraints; NaN: none set */
    double **params;   /* [parameters][rows]; NaN: does not exist */
    moi_extra **extra; /* NULL: nothing */
    uint8_t *blank;    /* the store has more of it and was not asked yet */
    int64_t tally[5];  /* trials by state */
    int64_t blanks;    /* rows that are blank */
    int64_t waiting;   /* no row before this one waits */
    int64_t open;      /* no row before this one waits or runs */
    int64_t claims;    /* starts so far */
    int64_t note_count, note_capacity;
    moi_note *notes; /* of the study */
} moi_history;

int32_t moi_history_init(moi_history *history, mopt_context *ctx,
                         const mopt_space *space, int64_t objectives,
                         const uint8_t *maximize);
void moi_history_clear(moi_history *history);

/* The lock may be taken again by who holds it. */
void moi_history_lock(moi_history *history);
void moi_history_unlock(moi_history *history);

/* Room for that many rows. Takes the lock: columns may move. */
int32_t moi_history_reserve(moi_history *history, int64_t rows);

/* Add a row, which there is room for; everything in it is unset. */
int64_t moi_history_push(moi_history *history, int32_t state, int64_t id);

/* Take the rows from count on out again. */
void moi_history_cut(moi_history *history, int64_t count);

void moi_history_set_state(moi_history *history, int64_t row, int32_t state);

/* Whether the store has more of a row. */
void moi_history_set_blank(moi_history *history, int64_t row, int32_t blank);

/* The running trial of a row is ours from now on. */
void moi_history_claim(moi_history *history, int64_t row);

/* Forget what a trial did since it began: its start, its reports and its
 * constraints. Its parameters and notes stay: a note may say where it can go
 * on. */
void moi_history_reset(moi_history *history, int64_t row);

/* A row's extra, made if need be; NULL without memory. */
moi_extra *moi_history_extra(moi_history *history, int64_t row);
void moi_extra_free(mopt_context *ctx, moi_extra *extra);

/* The point of a row into point[parameters]. */
void moi_history_point(const moi_history *history, int64_t row,
                       double *point);

/* Does a row wait or run? */
int32_t moi_history_is_open(const moi_history *history, int64_t row);

/* A row before which none does; no lower than it could be for long. */
int64_t moi_history_first_open(moi_history *history);

/* Running trials that somebody is known to work on. */
int64_t moi_history_live(moi_history *history);

/* The lowest row that waits, -1 if none does. */
int64_t moi_history_waiting(moi_history *history);

/* Trials that have come to an end, well or not. */
int64_t moi_history_finished(const moi_history *history);

/* The best complete row by the first objective, feasible ones first, the
 * lowest number among equals; -1 if none is complete. */
int64_t moi_history_best(const moi_history *history);

/* The value that was reported at a step; 0 if none was. */
int32_t moi_extra_report(const moi_extra *extra, int64_t step, double *value);

/* Add a report. There must be room for it. */
void moi_extra_put_report(moi_extra *extra, int64_t step, double value);

/* Take a report out again. */
void moi_extra_drop_report(moi_extra *extra, int64_t step);

/* The sum of what exceeds 0: how far constraints are from being met. */
double moi_violation(const double *constraints, int64_t count);

/* Set a note in a list: key and json are taken over. There must be room. */
void moi_note_put(mopt_context *ctx, moi_note *notes, int64_t *count,
                  char *key, char *json);
/* Make a text UTF-8, if it is not, by writing '?' for what is beyond ASCII. */
void moi_clean_text(char *text);

void moi_notes_free(mopt_context *ctx, moi_note *notes, int64_t count);

/* A text that should be JSON, as far as Python's is: NaN becomes null,
 * infinities the largest numbers; what is no JSON at all becomes a text. */
json_t *moi_json_lenient(mopt_context *ctx, const char *text);

#endif
