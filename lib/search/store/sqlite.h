/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite.h: what the parts of the SQLite store share.
 *
 * sqlite.c opens, closes and has the transactions; sqlite_schema.c knows the
 * tables; sqlite_read.c brings the history up to date; sqlite_write.c makes
 * changes lasting. */
#ifndef MOI_SEARCH_SQLITE_H
#define MOI_SEARCH_SQLITE_H

#include <sqlite3.h>

#include "search/store/store.h"
#include "search/store/worker.h"

/* Statements that are prepared once; their text is in sqlite.c. */
typedef enum moi_sql {
    MOI_SQL_VERSION, /* of the data: changes with other connections' commits */
    MOI_SQL_TRIALS,
    MOI_SQL_STATE,
    MOI_SQL_PARAMS,
    MOI_SQL_VALUES,
    MOI_SQL_REPORTS,
    MOI_SQL_NOTES,
    MOI_SQL_ATTRIBUTES,
    MOI_SQL_STUDY_NOTES,
    MOI_SQL_WORKERS,
    MOI_SQL_ADD_TRIAL,
    MOI_SQL_ADD_PARAM,
    MOI_SQL_ADD_WORKER,
    MOI_SQL_DROP_WORKER,
    MOI_SQL_START,
    MOI_SQL_FINISH,
    MOI_SQL_GIVE_BACK,
    MOI_SQL_DROP_REPORTS,
    MOI_SQL_DROP_CONSTRAINTS,
    MOI_SQL_ADD_VALUE,
    MOI_SQL_ADD_REPORT,
    MOI_SQL_SET_NOTE,
    MOI_SQL_SET_ATTRIBUTE,
    MOI_SQL_SET_STUDY_NOTE,
    MOI_SQL_SET_STUDY_ATTRIBUTE,
    MOI_SQL_COUNT
} moi_sql;

typedef struct moi_sqlite {
    moi_store head;
    sqlite3 *db;
    char *place;
    sqlite3_stmt *statements[MOI_SQL_COUNT];
    int64_t study_id;
    int32_t opened; /* the history was filled once */
    int32_t strict; /* what is there must go with the space */
    int64_t version;   /* data version of the last pull; -1: pull anew */
    int32_t wal;       /* it has a write-ahead log */
    int32_t lasting;   /* commits wait for the disk; -1: not set yet */
    const mopt_cancel *cancel; /* of the call that is waiting, or NULL */
    double patience;   /* on the clock: when waiting for others ends */
    moi_worker self;
    char *space;       /* as JSON, as the file has it; NULL: has none */
    char **distributions; /* [parameters], as JSON */
    /* The distribution that was read last for each parameter, and whether it
     * goes with the space: most trials have the same. */
    char **seen;
    uint8_t *fits;
} moi_sqlite;

/* The status of content that makes no sense: MOPT_EFORMAT while the study is
 * being opened, MOPT_ESTORE later. */
int32_t moi_sqlite_bad(const moi_sqlite *self);

/* Turn a result of SQLite into a status, with a message. */
int32_t moi_sqlite_fail(const moi_sqlite *self, int code, const char *doing);

/* A statement, ready to be bound; NULL after an error. */
int32_t moi_sqlite_prepare(moi_sqlite *self, moi_sql which,
                           sqlite3_stmt **out);

/* Step a statement that gives no rows, and reset it. */
int32_t moi_sqlite_run(moi_sqlite *self, sqlite3_stmt *statement);

/* One step: *row tells if there is a row. After the last one, and after an
 * error, the statement is reset. */
int32_t moi_sqlite_step(moi_sqlite *self, sqlite3_stmt *statement,
                        int32_t *row);

int32_t moi_sqlite_execute(moi_sqlite *self, const char *sql);

/* A text of a row, "" for NULL and anything else that is none. */
const char *moi_sqlite_text(sqlite3_stmt *statement, int column);

/* sqlite_schema.c */
int32_t moi_sqlite_check_tables(moi_sqlite *self, int32_t create);
int32_t moi_sqlite_find_study(moi_sqlite *self, int32_t how,
                              moi_study_head *head);
int32_t moi_sqlite_names(moi_sqlite *self, json_t *names);

/* sqlite_read.c */
int32_t moi_sqlite_load(moi_sqlite *self);
int32_t moi_sqlite_pull(moi_store *store);

/* sqlite_write.c */
int32_t moi_sqlite_census(moi_store *store, int64_t *live);
int32_t moi_sqlite_add(moi_store *store, const moi_draft *draft, int64_t *id);
int32_t moi_sqlite_start(moi_store *store, int64_t row, int64_t when,
                         const double *point);
int32_t moi_sqlite_finish(moi_store *store, int64_t row,
                          const moi_ending *ending);
int32_t moi_sqlite_report(moi_store *store, int64_t row, int64_t step,
                          double value);
int32_t moi_sqlite_note(moi_store *store, int32_t whose, int64_t row,
                        const char *key, const char *json);

/* Names of states in the tables, by MOPT_TRIAL_*. */
extern const char *const moi_sqlite_states[5];

#endif
