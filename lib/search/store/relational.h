/* SPDX-License-Identifier: MIT
 * lib/search/store/relational.h: what the parts of the relational store share.
 *
 * The store speaks SQL to a database (modelopt/database.h). relational.c opens,
 * closes, has the transactions and outlives lost connections;
 * relational_schema.c knows the tables; relational_read.c brings the history
 * up to date, with relational_workers.c and relational_detail.c;
 * relational_write.c makes changes lasting; lease.c tells others that we
 * live. */
#ifndef MOI_SEARCH_RELATIONAL_H
#define MOI_SEARCH_RELATIONAL_H

#include "search/store/database.h"
#include "search/store/lease.h"
#include "search/store/store.h"
#include "search/store/worker.h"

/* Statements that are prepared once; their text is in relational.c. */
typedef enum moi_sql {
    MOI_SQL_ANY, /* any text, not kept */
    MOI_SQL_TRIALS,
    MOI_SQL_STATES,
    MOI_SQL_DETAILS,
    MOI_SQL_DETAILS_NEW,
    MOI_SQL_STUDY_NOTES,
    MOI_SQL_BUSY,
    MOI_SQL_WORKER,
    MOI_SQL_WORKERS,
    MOI_SQL_SUSPECTS,
    MOI_SQL_LOCK_STUDY,
    MOI_SQL_LOCK_TRIAL,
    MOI_SQL_LAST_ID,
    MOI_SQL_NEXT_ID,
    MOI_SQL_ADD_TRIAL,
    MOI_SQL_ADD_TRIAL_AT,
    MOI_SQL_ADD_PARAM,
    MOI_SQL_ADD_PARAMS,
    MOI_SQL_ADD_WORKER,
    MOI_SQL_DROP_WORKER,
    MOI_SQL_HEARTBEAT,
    MOI_SQL_START,
    MOI_SQL_FINISH,
    MOI_SQL_GIVE_BACK,
    MOI_SQL_DROP_REPORTS,
    MOI_SQL_DROP_CONSTRAINTS,
    MOI_SQL_RETRIES,
    MOI_SQL_ADD_VALUE,
    MOI_SQL_ADD_REPORT,
    MOI_SQL_SET_NOTE,
    MOI_SQL_SET_ATTRIBUTE,
    MOI_SQL_SET_STUDY_NOTE,
    MOI_SQL_SET_STUDY_ATTRIBUTE,
    MOI_SQL_COUNT
} moi_sql;

/* Trials that a statement asks for by their ids at a time. */
#define MOI_SQL_BLOCK 32

/* Parameters that MOI_SQL_ADD_PARAMS adds at a time. */
#define MOI_SQL_GROUP 8

/* Who works on a trial. */
typedef struct moi_holder {
    int64_t id, row; /* of the trial; row -1: not one of the study's */
    moi_worker worker;
    double seen; /* on our clock: its last sign of life; NaN: none is known */
} moi_holder;

typedef struct moi_relational {
    moi_store head;
    const mopt_database *table;
    mopt_connection *db; /* the connection */
    char *place;
    char shown[256];   /* the place for messages, without a password */
    char message[400]; /* of the database */
    moi_store_terms terms;
    int64_t study_id;
    int32_t opened; /* the history was filled once */
    int32_t strict; /* what is there must go with the space */
    int32_t can_hold;  /* there is the table of workers */
    int32_t wants_id;  /* the next pull is to bring an id for a new trial */
    int64_t next_id;   /* for a new trial; 0: the database gives it later */
    /* The last id that was drawn while the study was locked: its trials with
     * lower ones are all known. 0: none was. Without it, what hangs on new
     * trials is asked for when their ids are known, a journey later. */
    int64_t horizon;
    /* Data versions of what the history has, by MOI_NEWS_*; -1: read it. */
    int64_t versions[MOI_NEWS_LEVELS];
    int32_t lost;      /* MOPT_DATABASE_LOST or _AGAIN: worth another try */
    double trouble;    /* on the clock: since when; 0: all is well */
    const mopt_cancel *cancel; /* of the call that is waiting, or NULL */
    double patience;   /* on the clock: when waiting for others ends */
    moi_worker self;
    moi_lease *lease;  /* NULL until there is need for it */
    /* Trials that somebody works on, of all studies, ascending. */
    int64_t busy_count, busy_capacity;
    int64_t *busy;
    /* Those who may have died: where there are leases, who is silent or on
     * this host, and looked for from time to time; everybody elsewhere. */
    int64_t holder_count, holder_capacity;
    moi_holder *holders;
    double census; /* on the context's clock: when to look again */
    char *space;       /* as JSON, as the database has it; NULL: has none */
    char **distributions; /* [parameters], as JSON */
    /* The distribution that was read last for each parameter, and whether it
     * goes with the space: most trials have the same. */
    char **seen;
    uint8_t *fits;
} moi_relational;

/* The status of content that makes no sense: MOPT_EFORMAT while the study is
 * being opened, MOPT_ESTORE later. */
int32_t moi_rel_bad(const moi_relational *self);

/* Turn what a database's function answered into a status, with a message. */
int32_t moi_rel_fail(moi_relational *self, int32_t answer);

/* Run a statement whose rows are read by moi_rel_step. sql is for MOI_SQL_ANY
 * alone. */
int32_t moi_rel_ask(moi_relational *self, moi_sql which, const char *sql,
                    const mopt_value *params, int32_t count);

/* One step: *row is NULL when there are no more. */
int32_t moi_rel_step(moi_relational *self, const mopt_value **row);

/* Leave rows unread. */
void moi_rel_drop(moi_relational *self);

/* Run a statement that has no rows; changes may be NULL. */
int32_t moi_rel_run(moi_relational *self, moi_sql which,
                    const mopt_value *params, int32_t count, int64_t *changes);

/* Do workers have to show that they live? */
int32_t moi_rel_has_leases(const moi_relational *self);

/* Parameters. */
mopt_value moi_rel_int(int64_t value);
mopt_value moi_rel_real(double value);
mopt_value moi_rel_text(const char *value);

/* A text of a row, "" for anything else. */
const char *moi_rel_text_of(const mopt_value *value);

/* A number of a row: NaN, and -1, for anything else. */
double moi_rel_real_of(const mopt_value *value);
int64_t moi_rel_int_of(const mopt_value *value);

/* relational_schema.c */
int32_t moi_rel_check_tables(moi_relational *self, int32_t create);
int32_t moi_rel_find_study(moi_relational *self, int32_t how,
                           moi_study_head *head);
int32_t moi_rel_names(moi_relational *self, json_t *names);

/* Nothing that is known of the database is to be relied on. */
void moi_rel_distrust(moi_relational *self);

/* relational_read.c, within a transaction: bring all trials up to date, as a
 * store's pull, or one that the transaction is about. */
int32_t moi_rel_load(moi_relational *self, int32_t news);
int32_t moi_rel_look(moi_relational *self, int64_t row);
int32_t moi_rel_pull(moi_store *store, int32_t news);

/* Take every row of the statement that runs already. */
typedef int32_t (*moi_rel_row_fn)(moi_relational *self,
                                  const mopt_value *fields);
int32_t moi_rel_take_rows(moi_relational *self, moi_rel_row_fn take);

/* The row of a trial's id, -1 if it has none. */
int64_t moi_rel_find_row(const moi_history *history, int64_t id);

/* relational_workers.c: is it time to look for the dead? That costs a look at
 * each worker's heartbeat, of which a few are no matter. */
int32_t moi_rel_is_due(const moi_relational *self);

/* Ask who works on trials; suspects: and who of them may have died. Take the
 * answers. */
int32_t moi_rel_ask_workers(moi_relational *self, int32_t suspects);
int32_t moi_rel_take_workers(moi_relational *self, int32_t suspects);

/* The answer to MOI_SQL_WORKER about the trial of a row. */
int32_t moi_rel_take_worker(moi_relational *self, int64_t row);

/* Where a comparison of running rows with the list of workers stands: both
 * ascend. */
typedef struct moi_march {
    int64_t row, left; /* the next row, running ones to come */
    int64_t at;        /* of the list */
} moi_march;

moi_march moi_rel_march(moi_history *history);

/* The next row that runs, -1 at the end; *busy: somebody works on it. */
int64_t moi_rel_march_on(const moi_relational *self, moi_march *way,
                         int32_t *busy);

/* Say whose every running trial is. What runs here stays ours as long as the
 * database says so. */
void moi_rel_claim(moi_relational *self);

/* relational_detail.c: put a row of MOI_SQL_DETAILS into a row of the history;
 * copies of a key and a value. */
int32_t moi_rel_take(moi_relational *self, int64_t row,
                     const mopt_value *fields);
int32_t moi_rel_copy_note(moi_relational *self, const mopt_value *key,
                          const mopt_value *json, moi_note *note);

/* relational_write.c */
int32_t moi_rel_census(moi_store *store, int64_t *live, int32_t *buried);
int32_t moi_rel_add(moi_store *store, const moi_draft *draft, int64_t *id);
int32_t moi_rel_start(moi_store *store, int64_t row, int64_t when,
                      const double *point);
int32_t moi_rel_finish(moi_store *store, int64_t row,
                       const moi_ending *ending);
int32_t moi_rel_report(moi_store *store, int64_t row, int64_t step,
                       double value);
int32_t moi_rel_note(moi_store *store, int32_t whose, int64_t row,
                     const char *key, const char *json);

/* Names of states in the tables, by MOPT_TRIAL_*. */
extern const char *const moi_rel_states[5];

#endif
