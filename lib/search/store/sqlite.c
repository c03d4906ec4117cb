/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite.c: studies in an SQLite file, in the tables of
 * Optuna's relational schema.
 *
 * One connection a study, used under its gate. Every change is one BEGIN
 * IMMEDIATE .. COMMIT; whoever waits for another process does so before the
 * transaction, never within. With the write-ahead log a commit survives the
 * end of the process at once; it survives a loss of power when it, or a later
 * one, was lasting: then the log is flushed to the disk. */
#include "search/store/sqlite.h"

#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"

/* Seconds to wait for other processes before giving up. */
#define PATIENCE 60

/* The longest text or blob that is read: files may be hostile. */
#define LENGTH_LIMIT (64 << 20)

static const char *const sql[MOI_SQL_COUNT] = {
    [MOI_SQL_VERSION] = "PRAGMA data_version",
    [MOI_SQL_TRIALS] =
        "SELECT trial_id, number, state, datetime_start, datetime_complete "
        "FROM trials WHERE study_id = ?1 AND trial_id > ?2 ORDER BY trial_id",
    [MOI_SQL_STATE] =
        "SELECT state, datetime_start, datetime_complete FROM trials "
        "WHERE trial_id = ?1 AND study_id = ?2",
    [MOI_SQL_PARAMS] =
        "SELECT t.trial_id, p.param_name, p.param_value, p.distribution_json "
        "FROM trials t JOIN trial_params p ON p.trial_id = t.trial_id "
        "WHERE t.study_id = ?1 AND t.trial_id BETWEEN ?2 AND ?3 "
        "ORDER BY t.trial_id",
    [MOI_SQL_VALUES] =
        "SELECT t.trial_id, v.objective, v.value, v.value_type "
        "FROM trials t JOIN trial_values v ON v.trial_id = t.trial_id "
        "WHERE t.study_id = ?1 AND t.trial_id BETWEEN ?2 AND ?3",
    [MOI_SQL_REPORTS] =
        "SELECT t.trial_id, i.step, i.intermediate_value, "
        "i.intermediate_value_type FROM trials t "
        "JOIN trial_intermediate_values i ON i.trial_id = t.trial_id "
        "WHERE t.study_id = ?1 AND t.trial_id BETWEEN ?2 AND ?3 "
        "ORDER BY t.trial_id, i.step",
    [MOI_SQL_NOTES] =
        "SELECT t.trial_id, a.\"key\", a.value_json FROM trials t "
        "JOIN trial_user_attributes a ON a.trial_id = t.trial_id "
        "WHERE t.study_id = ?1 AND t.trial_id BETWEEN ?2 AND ?3",
    [MOI_SQL_ATTRIBUTES] =
        "SELECT t.trial_id, a.\"key\", a.value_json FROM trials t "
        "JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
        "WHERE t.study_id = ?1 AND t.trial_id BETWEEN ?2 AND ?3 "
        "AND (a.\"key\" IN ('fixed_params', 'fail_reason', 'constraints') "
        "OR a.\"key\" LIKE 'constraints:%')",
    [MOI_SQL_STUDY_NOTES] =
        "SELECT study_id, \"key\", value_json FROM study_user_attributes "
        "WHERE study_id = ?1",
    [MOI_SQL_WORKERS] =
        "SELECT w.trial_id, w.host, w.boot, w.room, w.pid, w.started "
        "FROM modelopt_workers w JOIN trials t ON t.trial_id = w.trial_id "
        "WHERE t.study_id = ?1 AND t.state = 'RUNNING'",
    [MOI_SQL_ADD_TRIAL] =
        "INSERT INTO trials (number, study_id, state, datetime_start) "
        "VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_PARAM] =
        "INSERT INTO trial_params (trial_id, param_name, param_value, "
        "distribution_json) VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_WORKER] =
        "INSERT OR REPLACE INTO modelopt_workers (trial_id, host, boot, "
        "room, pid, started) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [MOI_SQL_DROP_WORKER] = "DELETE FROM modelopt_workers WHERE trial_id = ?1",
    [MOI_SQL_START] =
        "UPDATE trials SET state = 'RUNNING', datetime_start = ?2 "
        "WHERE trial_id = ?1 AND state = 'WAITING'",
    [MOI_SQL_FINISH] =
        "UPDATE trials SET state = ?2, datetime_complete = ?3 "
        "WHERE trial_id = ?1 AND state IN ('RUNNING', 'WAITING')",
    [MOI_SQL_GIVE_BACK] =
        "UPDATE trials SET state = 'WAITING', datetime_start = NULL "
        "WHERE trial_id = ?1 AND state = 'RUNNING'",
    [MOI_SQL_DROP_REPORTS] =
        "DELETE FROM trial_intermediate_values WHERE trial_id = ?1",
    [MOI_SQL_DROP_CONSTRAINTS] =
        "DELETE FROM trial_system_attributes WHERE trial_id = ?1 "
        "AND (\"key\" = 'constraints' OR \"key\" LIKE 'constraints:%')",
    [MOI_SQL_ADD_VALUE] =
        "INSERT INTO trial_values (trial_id, objective, value, value_type) "
        "VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_REPORT] =
        "INSERT INTO trial_intermediate_values (trial_id, step, "
        "intermediate_value, intermediate_value_type) VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_SET_NOTE] =
        "INSERT INTO trial_user_attributes (trial_id, \"key\", value_json) "
        "VALUES (?1, ?2, ?3) ON CONFLICT (trial_id, \"key\") "
        "DO UPDATE SET value_json = excluded.value_json",
    [MOI_SQL_SET_ATTRIBUTE] =
        "INSERT INTO trial_system_attributes (trial_id, \"key\", value_json) "
        "VALUES (?1, ?2, ?3) ON CONFLICT (trial_id, \"key\") "
        "DO UPDATE SET value_json = excluded.value_json",
    [MOI_SQL_SET_STUDY_NOTE] =
        "INSERT INTO study_user_attributes (study_id, \"key\", value_json) "
        "VALUES (?1, ?2, ?3) ON CONFLICT (study_id, \"key\") "
        "DO UPDATE SET value_json = excluded.value_json",
    [MOI_SQL_SET_STUDY_ATTRIBUTE] =
        "INSERT INTO study_system_attributes (study_id, \"key\", value_json) "
        "VALUES (?1, ?2, ?3) ON CONFLICT (study_id, \"key\") "
        "DO UPDATE SET value_json = excluded.value_json",
};

const char *const moi_sqlite_states[5] = {"RUNNING", "COMPLETE", "PRUNED",
                                          "FAIL", "WAITING"};

int32_t moi_sqlite_bad(const moi_sqlite *self)
{
    return self->opened ? MOPT_ESTORE : MOPT_EFORMAT;
}

int32_t moi_sqlite_fail(const moi_sqlite *self, int code, const char *doing)
{
    int32_t status = MOPT_ESTORE;

    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return moi_fail(MOPT_ENOMEM, "%s: no memory %s", self->place, doing);
    case SQLITE_BUSY:
        if (mopt_cancel_requested(self->cancel))
            return moi_fail(MOPT_ECANCELED, "%s: canceled while waiting for "
                            "another process", self->place);
        return moi_fail(MOPT_ESTORE, "%s: another process has locked it for "
                        "%d seconds", self->place, PATIENCE);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
        status = moi_sqlite_bad(self);
        break;
    default:
        break;
    }
    return moi_fail(status, "%s: %s %s (SQLite %d)", self->place,
                    self->db ? sqlite3_errmsg(self->db)
                             : sqlite3_errstr(code), doing, code);
}

int32_t moi_sqlite_prepare(moi_sqlite *self, moi_sql which,
                           sqlite3_stmt **out)
{
    sqlite3_stmt **slot = &self->statements[which];
    int code;

    if (!*slot) {
        code = sqlite3_prepare_v3(self->db, sql[which], -1,
                                  SQLITE_PREPARE_PERSISTENT, slot, NULL);
        if (code != SQLITE_OK) {
            *out = NULL;
            return moi_sqlite_fail(self, code, "on reading its tables");
        }
    }
    *out = *slot;
    return MOPT_OK;
}

int32_t moi_sqlite_step(moi_sqlite *self, sqlite3_stmt *statement,
                        int32_t *row)
{
    const int code = sqlite3_step(statement);
    int32_t rc = MOPT_OK;

    *row = code == SQLITE_ROW;
    if (*row)
        return MOPT_OK;
    if (code != SQLITE_DONE)
        rc = moi_sqlite_fail(self, code, "on a statement");
    sqlite3_reset(statement);
    return rc;
}

int32_t moi_sqlite_run(moi_sqlite *self, sqlite3_stmt *statement)
{
    int32_t row, rc = moi_sqlite_step(self, statement, &row);

    if (!rc && row)
        sqlite3_reset(statement);
    return rc;
}

int32_t moi_sqlite_execute(moi_sqlite *self, const char *text)
{
    const int code = sqlite3_exec(self->db, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? MOPT_OK
                             : moi_sqlite_fail(self, code, "on a statement");
}

const char *moi_sqlite_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    return text ? (const char *)text : "";
}

/* Called while somebody else has the lock: 1 to try again. Naps are short, so
 * that a cancel token is seen in time. */
static int wait_for_others(void *argument, int tries)
{
    const moi_sqlite *self = argument;

    if (mopt_cancel_requested(self->cancel) ||
        moi_clock_seconds() > self->patience)
        return 0;
    sqlite3_sleep(tries < 10 ? 1 : 5);
    return 1;
}

static void be_patient(moi_sqlite *self, const mopt_cancel *cancel)
{
    self->cancel = cancel;
    self->patience = moi_clock_seconds() + PATIENCE;
}

static void close_store(moi_store *store)
{
    moi_sqlite *self = (moi_sqlite *)store;
    mopt_context *ctx = store->ctx;
    int64_t i, params;

    for (i = 0; i < MOI_SQL_COUNT; i++)
        sqlite3_finalize(self->statements[i]);
    sqlite3_close(self->db);
    params = store->history ? store->history->space->count : 0;
    for (i = 0; i < params; i++) {
        if (self->distributions)
            moi_free(ctx, self->distributions[i]);
        if (self->seen)
            moi_free(ctx, self->seen[i]);
    }
    moi_free(ctx, self->distributions);
    moi_free(ctx, self->seen);
    moi_free(ctx, self->fits);
    moi_free(ctx, self->space);
    moi_free(ctx, self->place);
    moi_free(ctx, self);
}

/* Nothing that a file's schema says may run. */
static void distrust(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LENGTH_LIMIT);
    sqlite3_exec(db, "PRAGMA trusted_schema = OFF", NULL, NULL, NULL);
    sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
#ifdef SQLITE_DBCONFIG_ENABLE_VIEW
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
#endif
}

/* A handle with its connection; create: the file need not exist. */
static int32_t connect_file(mopt_context *ctx, const char *place,
                            int32_t create, moi_sqlite **out)
{
    moi_sqlite *self = moi_calloc(ctx, 1, sizeof(*self));
    int code;

    if (!self)
        return MOPT_ENOMEM;
    self->head.ctx = ctx;
    self->version = -1;
    self->lasting = -1;
    self->place = moi_strdup(ctx, place);
    if (!self->place) {
        close_store(&self->head);
        return MOPT_ENOMEM;
    }
    code = sqlite3_open_v2(place, &self->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               (create ? SQLITE_OPEN_CREATE : 0), NULL);
    if (code != SQLITE_OK) {
        int32_t rc = moi_sqlite_fail(self, code, "on opening it");

        if ((code & 0xFF) == SQLITE_CANTOPEN && !create)
            rc = moi_fail(MOPT_ENOENT, "%s: there is no such study file",
                          place);
        close_store(&self->head);
        return rc;
    }
    distrust(self->db);
    be_patient(self, NULL);
    sqlite3_busy_handler(self->db, wait_for_others, self);
    moi_worker_self(ctx, &self->self);
    *out = self;
    return MOPT_OK;
}

/* Switch to the write-ahead log, if the file's place and others allow it (a
 * log needs shared memory, and nobody else in the file at that moment), or see
 * whether it has one. */
static int32_t use_log(moi_sqlite *self, int32_t make)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, make ? "PRAGMA journal_mode = WAL"
                                                 : "PRAGMA journal_mode", -1,
                                  &statement, NULL);

    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        self->wal = code == SQLITE_ROW &&
                    strcmp(moi_sqlite_text(statement, 0), "wal") == 0;
        sqlite3_finalize(statement);
    }
    if (code == SQLITE_NOMEM || (code & 0xFF) == SQLITE_NOTADB ||
        (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_IOERR)
        return moi_sqlite_fail(self, code, "on opening it");
    return MOPT_OK;
}

/* Look at the tables and the study, or make them, in one transaction. */
static int32_t enter_study(moi_sqlite *self, int32_t how,
                           moi_study_head *head)
{
    const int32_t create = how & MOI_STORE_NEW;
    int32_t rc = moi_sqlite_execute(self,
                                    create ? "BEGIN IMMEDIATE" : "BEGIN");

    if (rc)
        return rc;
    rc = moi_sqlite_check_tables(self, create);
    if (!rc)
        rc = moi_sqlite_find_study(self, how, head);
    if (!rc)
        rc = moi_sqlite_execute(self, "COMMIT");
    if (rc && !sqlite3_get_autocommit(self->db))
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int32_t open_store(mopt_context *ctx, const char *place, int32_t how,
                          moi_study_head *head, moi_store **out);
static int32_t list(mopt_context *ctx, const char *place, json_t *names);
static int32_t attach(moi_store *store, moi_history *history);

static int32_t begin(moi_store *store, int32_t lasting,
                     const mopt_cancel *cancel)
{
    moi_sqlite *self = (moi_sqlite *)store;
    int32_t rc = MOPT_OK;

    be_patient(self, cancel);
    /* Without the log every commit is flushed: half a journal is no good. */
    lasting = lasting || !self->wal;
    if (lasting != self->lasting)
        rc = moi_sqlite_execute(self, lasting ? "PRAGMA synchronous = FULL"
                                              : "PRAGMA synchronous = NORMAL");
    if (rc)
        return rc;
    self->lasting = lasting;
    rc = moi_sqlite_execute(self, "BEGIN IMMEDIATE");
    if (rc)
        return rc;
    rc = moi_sqlite_load(self);
    if (rc)
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static void rollback(moi_store *store)
{
    moi_sqlite *self = (moi_sqlite *)store;

    if (!sqlite3_get_autocommit(self->db))
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
}

static int32_t commit(moi_store *store)
{
    moi_sqlite *self = (moi_sqlite *)store;
    int32_t rc = moi_sqlite_execute(self, "COMMIT");

    if (rc)
        rollback(store);
    return rc;
}

extern const moi_store_kind moi_store_sqlite;
const moi_store_kind moi_store_sqlite = {
    .name = "sqlite",
    .open = open_store,
    .close = close_store,
    .list = list,
    .attach = attach,
    .pull = moi_sqlite_pull,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .census = moi_sqlite_census,
    .add = moi_sqlite_add,
    .start = moi_sqlite_start,
    .finish = moi_sqlite_finish,
    .report = moi_sqlite_report,
    .note = moi_sqlite_note,
};

static int32_t open_store(mopt_context *ctx, const char *place, int32_t how,
                          moi_study_head *head, moi_store **out)
{
    moi_sqlite *self = NULL;
    int32_t rc = connect_file(ctx, place, how & MOI_STORE_NEW, &self);

    if (rc)
        return rc;
    self->head.kind = &moi_store_sqlite;
    self->strict = how & MOI_STORE_NEW;
    rc = use_log(self, how & MOI_STORE_NEW);
    if (!rc)
        rc = enter_study(self, how, head);
    if (rc) {
        close_store(&self->head);
        return rc;
    }
    *out = &self->head;
    return MOPT_OK;
}

static int32_t list(mopt_context *ctx, const char *place, json_t *names)
{
    moi_sqlite *self = NULL;
    int32_t rc = connect_file(ctx, place, 0, &self);

    if (rc)
        return rc;
    rc = moi_sqlite_check_tables(self, 0);
    if (!rc)
        rc = moi_sqlite_names(self, names);
    close_store(&self->head);
    return rc;
}

static int32_t attach(moi_store *store, moi_history *history)
{
    moi_sqlite *self = (moi_sqlite *)store;
    const int64_t count = history->space->count;
    int64_t p;
    int32_t rc;

    self->distributions = moi_calloc(store->ctx, count, sizeof(char *));
    self->seen = moi_calloc(store->ctx, count, sizeof(char *));
    self->fits = moi_calloc(store->ctx, count, 1);
    if (!self->distributions || !self->seen || !self->fits)
        return MOPT_ENOMEM;
    for (p = 0; p < count; p++) {
        self->distributions[p] = moi_distribution_write(
            store->ctx, &history->space->params[p].domain);
        if (!self->distributions[p])
            return MOPT_ENOMEM;
    }
    rc = moi_sqlite_pull(store);
    self->opened = rc == MOPT_OK;
    return rc;
}
