/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite.c: SQLite as a database of studies.
 *
 * Every transaction that writes is one BEGIN IMMEDIATE .. COMMIT: whoever waits
 * for another process does so before the transaction, never within. With the
 * write-ahead log a commit survives the end of the process at once; it survives
 * a loss of power when it, or a later one, was lasting: then the log is flushed
 * to the disk. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "search/store/database.h"

/* The longest text or blob that is read: files may be hostile. */
#define LENGTH_LIMIT (64 << 20)

#define KEYS 64    /* statements that are kept, by key */
#define AHEAD 8    /* statements that are run ahead */
#define COLUMNS 16 /* of a row */

struct mopt_connection {
    sqlite3 *db;
    mopt_database_host host;
    sqlite3_stmt *kept[KEYS];
    /* Statements that have rows to be read, oldest first. */
    sqlite3_stmt *ahead[AHEAD];
    int32_t ahead_kept[AHEAD];
    int32_t count;
    int64_t changes;
    mopt_value row[COLUMNS];
    int32_t wal;     /* it has a write-ahead log */
    int32_t lasting; /* commits wait for the disk; -1: not set yet */
};

#define ATTRIBUTES(table, id, owner, owners)                                \
    "CREATE TABLE IF NOT EXISTS " table " (" id " INTEGER NOT NULL, " owner \
    " INTEGER, \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (" id     \
    "), UNIQUE (" owner ", \"key\"), FOREIGN KEY(" owner                    \
    ") REFERENCES " owners " (" owner "));"

/* Word for word as Optuna makes them. */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS studies (study_id INTEGER NOT NULL, "
    "study_name VARCHAR(512) NOT NULL, PRIMARY KEY (study_id));"
    "CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name "
    "ON studies (study_name);"
    "CREATE TABLE IF NOT EXISTS study_directions "
    "(study_direction_id INTEGER NOT NULL, direction VARCHAR(8) NOT NULL, "
    "study_id INTEGER NOT NULL, objective INTEGER NOT NULL, "
    "PRIMARY KEY (study_direction_id), UNIQUE (study_id, objective), "
    "FOREIGN KEY(study_id) REFERENCES studies (study_id));"
    ATTRIBUTES("study_user_attributes", "study_user_attribute_id", "study_id",
               "studies")
    ATTRIBUTES("study_system_attributes", "study_system_attribute_id",
               "study_id", "studies")
    "CREATE TABLE IF NOT EXISTS trials (trial_id INTEGER NOT NULL, "
    "number INTEGER, study_id INTEGER, state VARCHAR(8) NOT NULL, "
    "datetime_start DATETIME, datetime_complete DATETIME, "
    "PRIMARY KEY (trial_id), "
    "FOREIGN KEY(study_id) REFERENCES studies (study_id));"
    "CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id);"
    ATTRIBUTES("trial_user_attributes", "trial_user_attribute_id", "trial_id",
               "trials")
    ATTRIBUTES("trial_system_attributes", "trial_system_attribute_id",
               "trial_id", "trials")
    "CREATE TABLE IF NOT EXISTS trial_params (param_id INTEGER NOT NULL, "
    "trial_id INTEGER, param_name VARCHAR(512), param_value FLOAT, "
    "distribution_json TEXT, PRIMARY KEY (param_id), "
    "UNIQUE (trial_id, param_name), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_values "
    "(trial_value_id INTEGER NOT NULL, trial_id INTEGER NOT NULL, "
    "objective INTEGER NOT NULL, value FLOAT, "
    "value_type VARCHAR(7) NOT NULL, PRIMARY KEY (trial_value_id), "
    "UNIQUE (trial_id, objective), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_intermediate_values "
    "(trial_intermediate_value_id INTEGER NOT NULL, "
    "trial_id INTEGER NOT NULL, step INTEGER NOT NULL, "
    "intermediate_value FLOAT, "
    "intermediate_value_type VARCHAR(7) NOT NULL, "
    "PRIMARY KEY (trial_intermediate_value_id), UNIQUE (trial_id, step), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_heartbeats "
    "(trial_heartbeat_id INTEGER NOT NULL, trial_id INTEGER NOT NULL, "
    "heartbeat DATETIME NOT NULL, PRIMARY KEY (trial_heartbeat_id), "
    "UNIQUE (trial_id), FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS version_info "
    "(version_info_id INTEGER NOT NULL, schema_version INTEGER, "
    "library_version VARCHAR(256), PRIMARY KEY (version_info_id), "
    "CHECK (version_info_id=1));"
    "CREATE TABLE IF NOT EXISTS alembic_version "
    "(version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));";

/* Turn a result of SQLite into MOPT_DATABASE_*, with a message. */
static int32_t fail(mopt_connection *self, int code)
{
    const mopt_database_host *host = &self->host;

    snprintf(host->message, host->message_size, "%s (SQLite %d)",
             self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(code), code);
    switch (code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return MOPT_OK;
    case SQLITE_NOMEM:
        return MOPT_DATABASE_NOMEM;
    case SQLITE_BUSY:
        return MOPT_DATABASE_BUSY;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
        return MOPT_DATABASE_CONTENT;
    default:
        return MOPT_DATABASE_FAILED;
    }
}

static int32_t execute(mopt_connection *self, const char *sql)
{
    const int code = sqlite3_exec(self->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? MOPT_OK : fail(self, code);
}

/* The oldest statement ahead has no more rows. */
static void end_oldest(mopt_connection *self)
{
    if (self->ahead_kept[0])
        sqlite3_reset(self->ahead[0]);
    else
        sqlite3_finalize(self->ahead[0]);
    self->count--;
    memmove(self->ahead, self->ahead + 1,
            (size_t)self->count * sizeof(self->ahead[0]));
    memmove(self->ahead_kept, self->ahead_kept + 1,
            (size_t)self->count * sizeof(self->ahead_kept[0]));
}

static void drop(mopt_connection *self)
{
    while (self->count > 0)
        end_oldest(self);
}

/* Called while somebody else has the lock: 1 to try again. Naps are short, so
 * that the host is asked in time. */
static int wait_for_others(void *argument, int tries)
{
    const mopt_connection *self = argument;

    if (!self->host.wait(self->host.user))
        return 0;
    sqlite3_sleep(tries < 10 ? 1 : 5);
    return 1;
}

static void close_file(mopt_connection *self)
{
    int32_t i;

    drop(self);
    for (i = 0; i < KEYS; i++)
        sqlite3_finalize(self->kept[i]);
    sqlite3_close(self->db);
    self->host.alloc(self->host.alloc_user, self, sizeof(*self), 0);
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

/* Switch to the write-ahead log, if the file's place and others allow it (a
 * log needs shared memory, and nobody else in the file at that moment), or see
 * whether it has one. */
static int32_t use_log(mopt_connection *self, int32_t make)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, make ? "PRAGMA journal_mode = WAL"
                                                 : "PRAGMA journal_mode", -1,
                                  &statement, NULL);

    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        self->wal =
            code == SQLITE_ROW &&
            strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
        sqlite3_finalize(statement);
    }
    if (code == SQLITE_NOMEM || (code & 0xFF) == SQLITE_NOTADB ||
        (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_IOERR)
        return fail(self, code);
    return MOPT_OK;
}

static int32_t open_file(void *user, const char *place, int32_t create,
                         const mopt_database_host *host,
                         mopt_connection **db)
{
    mopt_connection *self = host->alloc(host->alloc_user, NULL, 0,
                                        sizeof(*self));
    int32_t rc;
    int code;

    (void)user;
    if (!self)
        return MOPT_DATABASE_NOMEM;
    memset(self, 0, sizeof(*self));
    self->host = *host;
    self->lasting = -1;
    code = sqlite3_open_v2(place, &self->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               (create ? SQLITE_OPEN_CREATE : 0), NULL);
    if (code != SQLITE_OK) {
        rc = fail(self, code);
        close_file(self);
        if ((code & 0xFF) == SQLITE_CANTOPEN && !create) {
            snprintf(host->message, host->message_size,
                     "there is no such study file");
            rc = MOPT_DATABASE_MISSING;
        }
        return rc;
    }
    distrust(self->db);
    sqlite3_busy_handler(self->db, wait_for_others, self);
    rc = use_log(self, create);
    if (rc) {
        close_file(self);
        return rc;
    }
    *db = self;
    return MOPT_OK;
}

static int32_t set_lasting(mopt_connection *self, int32_t lasting)
{
    int32_t rc;

    /* Without the log every commit is flushed: half a journal is no good. */
    lasting = lasting || !self->wal;
    if (lasting == self->lasting)
        return MOPT_OK;
    rc = execute(self, lasting ? "PRAGMA synchronous = FULL"
                               : "PRAGMA synchronous = NORMAL");
    if (!rc)
        self->lasting = lasting;
    return rc;
}

static int32_t begin(mopt_connection *self, int32_t kind, int32_t lasting)
{
    int32_t rc;

    if (kind == MOPT_DATABASE_READ)
        return execute(self, "BEGIN");
    rc = set_lasting(self, lasting);
    return rc ? rc : execute(self, "BEGIN IMMEDIATE");
}

static void rollback(mopt_connection *self)
{
    drop(self);
    if (!sqlite3_get_autocommit(self->db))
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
}

static int32_t commit(mopt_connection *self)
{
    int32_t rc;

    drop(self);
    rc = execute(self, "COMMIT");
    if (rc)
        rollback(self);
    return rc;
}

static int bind(sqlite3_stmt *statement, int at, const mopt_value *value,
                int32_t quiet)
{
    switch (value->type) {
    case MOPT_VALUE_INT:
        return sqlite3_bind_int64(statement, at, value->integer);
    case MOPT_VALUE_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case MOPT_VALUE_TEXT:
        /* What is run ahead outlives its parameters. */
        return sqlite3_bind_text(statement, at, value->text, -1,
                                 quiet ? SQLITE_STATIC : SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(statement, at);
    }
}

static int32_t prepare(mopt_connection *self, int32_t key, const char *sql,
                       sqlite3_stmt **out)
{
    int code = SQLITE_OK;

    *out = self->kept[key];
    if (!*out)
        code = sqlite3_prepare_v3(self->db, sql, -1,
                                  key ? SQLITE_PREPARE_PERSISTENT : 0, out,
                                  NULL);
    if (key)
        self->kept[key] = *out;
    return code == SQLITE_OK ? MOPT_OK : fail(self, code);
}

/* Run a statement whose rows nobody wants. */
static int32_t run_quietly(mopt_connection *self, sqlite3_stmt *statement,
                           int32_t kept)
{
    const int code = sqlite3_step(statement);
    int32_t rc = code == SQLITE_DONE || code == SQLITE_ROW ? MOPT_OK
                                                           : fail(self, code);

    if (kept)
        sqlite3_reset(statement);
    else
        sqlite3_finalize(statement);
    return rc;
}

static int32_t run(mopt_connection *self, int32_t key, const char *sql,
                   const mopt_value *params, int32_t count, int32_t quiet)
{
    sqlite3_stmt *statement;
    int32_t i, rc = prepare(self, key, sql, &statement);
    int code = SQLITE_OK;

    for (i = 0; !rc && i < count && code == SQLITE_OK; i++)
        code = bind(statement, i + 1, &params[i], quiet);
    if (!rc && (code != SQLITE_OK || self->count == AHEAD)) {
        rc = fail(self, code ? code : SQLITE_MISUSE);
        if (!key)
            sqlite3_finalize(statement);
    }
    if (rc) {
        drop(self);
        return rc;
    }
    if (quiet)
        return run_quietly(self, statement, key != 0);
    self->ahead[self->count] = statement;
    self->ahead_kept[self->count++] = key != 0;
    return MOPT_OK;
}

static void read_value(sqlite3_stmt *statement, int column, mopt_value *value)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        value->type = MOPT_VALUE_NULL;
        break;
    case SQLITE_INTEGER:
        value->type = MOPT_VALUE_INT;
        value->integer = sqlite3_column_int64(statement, column);
        break;
    case SQLITE_FLOAT:
        value->type = MOPT_VALUE_REAL;
        value->real = sqlite3_column_double(statement, column);
        break;
    default:
        value->type = MOPT_VALUE_TEXT;
        value->text = (const char *)sqlite3_column_text(statement, column);
        if (!value->text)
            value->text = "";
    }
}

static int32_t step(mopt_connection *self, const mopt_value **row)
{
    sqlite3_stmt *statement = self->ahead[0];
    int code = SQLITE_MISUSE, i, columns;
    int32_t rc;

    if (self->count > 0)
        code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = fail(self, code);
        drop(self);
        return rc;
    }
    if (code == SQLITE_DONE) {
        self->changes = sqlite3_changes(self->db);
        end_oldest(self);
        return MOPT_OK;
    }
    columns = sqlite3_column_count(statement);
    for (i = 0; i < columns && i < COLUMNS; i++)
        read_value(statement, i, &self->row[i]);
    *row = self->row;
    return MOPT_DATABASE_ROW;
}

static int64_t changes(mopt_connection *self)
{
    return self->changes;
}


static int32_t version(mopt_connection *self, int64_t *out)
{
    const mopt_value *row;
    int32_t rc = run(self, KEYS - 1, "PRAGMA data_version", NULL, 0, 0);

    if (!rc)
        rc = step(self, &row);
    if (rc != MOPT_DATABASE_ROW)
        return rc ? rc : MOPT_DATABASE_FAILED;
    *out = row[0].integer;
    drop(self);
    return MOPT_OK;
}

const mopt_database moi_database_sqlite = {
    .struct_size = sizeof(mopt_database),
    .abi_version = MOPT_DATABASE_ABI,
    .name = "sqlite",
    .tables = tables,
    .find_table = "SELECT name FROM sqlite_master WHERE type = 'table' "
                  "AND name = ?1 COLLATE NOCASE",
    .any_table = "SELECT name FROM sqlite_master LIMIT 1",
    .last_id = "SELECT last_insert_rowid()",
    .lock = "",
    .open = open_file,
    .close = close_file,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = run,
    .step = step,
    .changes = changes,
    .drop = drop,
    .script = execute,
    .version = version,
};
