/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite_schema.c: the tables of a study file.
 *
 * Thirteen of them are Optuna's (alembic revision v3.2.0.a, the head from
 * Optuna 3.2 to 5.0), word for word, so that Optuna and its dashboard take the
 * file as their own. One is ours: who works on a running trial. */
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "search/store/sqlite.h"

#define REVISION "v3.2.0.a"
#define SCHEMA_VERSION 12 /* of version_info; frozen since alembic came */

/* The attribute of a study that has its space as JSON. */
#define SPACE_KEY "modelopt:space"

#define ATTRIBUTES(table, id, owner, owners)                                \
    "CREATE TABLE IF NOT EXISTS " table " (" id " INTEGER NOT NULL, " owner \
    " INTEGER, \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (" id     \
    "), UNIQUE (" owner ", \"key\"), FOREIGN KEY(" owner                    \
    ") REFERENCES " owners " (" owner "));"

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

static const char our_table[] =
    "CREATE TABLE IF NOT EXISTS modelopt_workers "
    "(trial_id INTEGER NOT NULL PRIMARY KEY, host TEXT NOT NULL, "
    "boot TEXT NOT NULL, room TEXT NOT NULL, pid INTEGER NOT NULL, "
    "started INTEGER NOT NULL)";

static const char stamps[] =
    "INSERT INTO version_info (version_info_id, schema_version, "
    "library_version) VALUES (1, 12, 'modelopt');"
    "INSERT INTO alembic_version (version_num) VALUES ('" REVISION "');";

/* The first column of a statement's first row, copied; *out stays NULL when
 * there is no row. */
static int32_t ask_text(moi_sqlite *self, const char *text, char **out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, text, -1, &statement, NULL);
    int32_t rc = MOPT_OK;

    *out = NULL;
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *out = moi_strdup(self->head.ctx, moi_sqlite_text(statement, 0));
        rc = *out ? MOPT_OK : MOPT_ENOMEM;
    } else if (code != SQLITE_DONE) {
        rc = moi_sqlite_fail(self, code, "on looking at its tables");
    }
    sqlite3_finalize(statement);
    return rc;
}

/* Does a table exist? */
static int32_t has_table(moi_sqlite *self, const char *name, int32_t *found)
{
    char text[160], *row;
    int32_t rc;

    sqlite3_snprintf(sizeof(text), text, "SELECT name FROM sqlite_master "
                     "WHERE type = 'table' AND name = %Q COLLATE NOCASE",
                     name);
    rc = ask_text(self, text, &row);
    *found = row != NULL;
    moi_free(self->head.ctx, row);
    return rc;
}

static int32_t fail_revision(const moi_sqlite *self, const char *revision)
{
    return moi_fail(MOPT_EFORMAT, "%s: its tables are of revision '%.32s', "
                    "but must be '%s': run `optuna storage upgrade --storage "
                    "sqlite:///%s`", self->place, revision, REVISION,
                    self->place);
}

/* The tables' revision is one that we know? v3.0.0.d lacks no more than an
 * index. A file without a stamp is taken by its old version number. */
static int32_t check_revision(moi_sqlite *self)
{
    char *revision = NULL;
    int32_t found, rc = has_table(self, "alembic_version", &found);

    if (!rc && found)
        rc = ask_text(self, "SELECT version_num FROM alembic_version",
                      &revision);
    if (!rc && revision) {
        if (strcmp(revision, REVISION) != 0 &&
            strcmp(revision, "v3.0.0.d") != 0)
            rc = fail_revision(self, revision);
        moi_free(self->head.ctx, revision);
        return rc;
    }
    if (!rc)
        rc = has_table(self, "version_info", &found);
    if (rc || !found)
        return rc;
    rc = ask_text(self, "SELECT schema_version FROM version_info", &revision);
    if (!rc && revision && strcmp(revision, "12") != 0)
        rc = fail_revision(self, revision);
    moi_free(self->head.ctx, revision);
    return rc;
}

int32_t moi_sqlite_check_tables(moi_sqlite *self, int32_t create)
{
    char *any = NULL;
    int32_t found, rc = has_table(self, "studies", &found);

    if (rc)
        return rc;
    if (found) {
        rc = check_revision(self);
        return !rc && create ? moi_sqlite_execute(self, our_table) : rc;
    }
    rc = ask_text(self, "SELECT name FROM sqlite_master LIMIT 1", &any);
    if (!rc && any)
        rc = moi_fail(MOPT_EFORMAT, "%s: holds a table '%.64s' but no "
                      "studies: it is no study file", self->place, any);
    else if (!rc && !create)
        rc = moi_fail(MOPT_ENOENT, "%s: is empty: there is no study in it",
                      self->place);
    moi_free(self->head.ctx, any);
    if (!rc)
        rc = moi_sqlite_execute(self, tables);
    if (!rc)
        rc = moi_sqlite_execute(self, stamps);
    return rc ? rc : moi_sqlite_execute(self, our_table);
}

/* A statement with the study's id, or name, as ?1. */
static int32_t prepare_for(moi_sqlite *self, const char *text,
                           const char *name, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v2(self->db, text, -1, out, NULL);

    if (code == SQLITE_OK && name)
        code = sqlite3_bind_text(*out, 1, name, -1, SQLITE_STATIC);
    else if (code == SQLITE_OK)
        code = sqlite3_bind_int64(*out, 1, self->study_id);
    if (code == SQLITE_OK)
        return MOPT_OK;
    sqlite3_finalize(*out);
    *out = NULL;
    return moi_sqlite_fail(self, code, "on looking at its tables");
}

/* Id of the study of a name; -1 if there is none. */
static int32_t find_id(moi_sqlite *self, const char *name)
{
    sqlite3_stmt *statement;
    int32_t row = 0;
    int32_t rc = prepare_for(self, "SELECT study_id FROM studies "
                                   "WHERE study_name = ?1", name, &statement);

    if (rc)
        return rc;
    self->study_id = -1;
    rc = moi_sqlite_step(self, statement, &row);
    if (row)
        self->study_id = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

/* "'a', 'b'" of the studies that are there. */
static int32_t fail_missing(moi_sqlite *self, const char *name)
{
    json_t *names = json_array();
    char *text = NULL;
    int32_t rc = moi_sqlite_names(self, names);

    if (!rc)
        text = moi_json_dump(self->head.ctx, names);
    json_decref(names);
    if (!text)
        return rc ? rc : MOPT_ENOMEM;
    rc = moi_fail(MOPT_ENOENT, "%s: there is no study '%s' in it, only %.400s",
                  self->place, name, text);
    moi_free(self->head.ctx, text);
    return rc;
}

static int32_t read_directions(moi_sqlite *self, moi_study_head *head)
{
    sqlite3_stmt *statement;
    int32_t row;
    int32_t rc = prepare_for(
        self, "SELECT objective, direction FROM study_directions "
              "WHERE study_id = ?1 ORDER BY objective", NULL, &statement);

    if (rc)
        return rc;
    head->objectives = 0;
    while (!(rc = moi_sqlite_step(self, statement, &row)) && row) {
        if (head->objectives == MOI_OBJECTIVE_LIMIT ||
            sqlite3_column_int64(statement, 0) != head->objectives) {
            rc = moi_fail(MOPT_EFORMAT, "%s: the directions of the study '%s' "
                          "make no sense", self->place, head->name);
            break;
        }
        head->maximize[head->objectives++] =
            strcmp(moi_sqlite_text(statement, 1), "MAXIMIZE") == 0;
    }
    sqlite3_finalize(statement);
    if (!rc && head->objectives == 0)
        rc = moi_fail(MOPT_EFORMAT, "%s: the study '%s' has no direction",
                      self->place, head->name);
    return rc;
}

/* The space that we have left in the study, if we made it. */
static int32_t read_space(moi_sqlite *self)
{
    sqlite3_stmt *statement;
    int32_t row;
    int32_t rc = prepare_for(
        self, "SELECT value_json FROM study_system_attributes "
              "WHERE study_id = ?1 AND \"key\" = '" SPACE_KEY "'", NULL,
        &statement);

    if (rc)
        return rc;
    rc = moi_sqlite_step(self, statement, &row);
    if (!rc && row) {
        self->space = moi_strdup(self->head.ctx,
                                 moi_sqlite_text(statement, 0));
        rc = self->space ? MOPT_OK : MOPT_ENOMEM;
    }
    sqlite3_finalize(statement);
    return rc;
}

/* Parameters that are common enough in the trials to be worth a column: a file
 * with a name of its own in each trial must not make us take its square. Each
 * with the domain that it had last. */
static int32_t find_space(moi_sqlite *self, moi_study_head *head)
{
    sqlite3_stmt *statement;
    int32_t row;
    int32_t rc = prepare_for(
        self, "SELECT p.param_name, p.distribution_json, max(p.param_id) "
              "FROM trials t JOIN trial_params p ON p.trial_id = t.trial_id "
              "WHERE t.study_id = ?1 GROUP BY p.param_name "
              "HAVING count(*) * 64 >= (SELECT count(*) FROM trials "
              "WHERE study_id = ?1) ORDER BY min(p.param_id)", NULL,
        &statement);

    if (rc)
        return rc;
    rc = mopt_space_create(self->head.ctx, &head->found);
    while (!rc && !(rc = moi_sqlite_step(self, statement, &row)) && row) {
        moi_domain domain;

        rc = moi_distribution_read(moi_sqlite_text(statement, 1), &domain);
        if (!rc)
            rc = moi_space_add_param(head->found,
                                     moi_sqlite_text(statement, 0), &domain);
        if (rc && rc != MOPT_ENOMEM)
            rc = moi_fail_at(MOPT_EFORMAT, "%s: parameter '%.64s': ",
                             self->place, moi_sqlite_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return rc;
}

static int32_t set_space(moi_sqlite *self, const char *space)
{
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_SET_STUDY_ATTRIBUTE,
                                    &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, self->study_id);
    sqlite3_bind_text(statement, 2, SPACE_KEY, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, space, -1, SQLITE_TRANSIENT);
    return moi_sqlite_run(self, statement);
}

/* Add the study to the file. */
static int32_t make_study(moi_sqlite *self, const moi_study_head *head)
{
    sqlite3_stmt *statement;
    int64_t i;
    int32_t rc = prepare_for(self, "INSERT INTO studies (study_name) "
                                   "VALUES (?1)", head->name, &statement);

    if (rc)
        return rc;
    rc = moi_sqlite_run(self, statement);
    sqlite3_finalize(statement);
    self->study_id = sqlite3_last_insert_rowid(self->db);
    for (i = 0; !rc && i < head->objectives; i++) {
        rc = prepare_for(self, "INSERT INTO study_directions (study_id, "
                               "direction, objective) VALUES (?1, ?2, ?3)",
                         NULL, &statement);
        if (rc)
            return rc;
        sqlite3_bind_text(statement, 2, head->maximize[i] ? "MAXIMIZE"
                                                          : "MINIMIZE", -1,
                          SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, i);
        rc = moi_sqlite_run(self, statement);
        sqlite3_finalize(statement);
    }
    return rc ? rc : set_space(self, head->space);
}

/* An old study: take over what it is, or leave our space in it. */
static int32_t enter_old(moi_sqlite *self, moi_study_head *head)
{
    int32_t rc = read_directions(self, head);

    if (!rc)
        rc = read_space(self);
    if (rc)
        return rc;
    if (head->space)
        return self->space && strcmp(self->space, head->space) == 0
                   ? MOPT_OK
                   : set_space(self, head->space);
    if (!self->space)
        return find_space(self, head);
    head->space = self->space;
    self->space = NULL;
    return MOPT_OK;
}

int32_t moi_sqlite_find_study(moi_sqlite *self, int32_t how,
                              moi_study_head *head)
{
    int32_t rc = find_id(self, head->name);

    if (rc)
        return rc;
    if (self->study_id < 0)
        return how & MOI_STORE_NEW ? make_study(self, head)
                                   : fail_missing(self, head->name);
    if (!(how & MOI_STORE_OLD))
        return moi_fail(MOPT_EEXIST, "%s: there is a study '%s' already; set "
                        "'resume' to go on with it", self->place, head->name);
    return enter_old(self, head);
}

int32_t moi_sqlite_names(moi_sqlite *self, json_t *names)
{
    sqlite3_stmt *statement;
    int32_t row;
    int32_t rc = prepare_for(self, "SELECT study_name FROM studies "
                                   "WHERE ?1 NOTNULL ORDER BY study_id",
                             "", &statement);

    if (rc)
        return rc;
    while (!(rc = moi_sqlite_step(self, statement, &row)) && row) {
        char *name = moi_strdup(self->head.ctx,
                                moi_sqlite_text(statement, 0));

        if (name)
            moi_clean_text(name);
        if (!name || json_array_append_new(names, json_string(name)))
            rc = MOPT_ENOMEM;
        moi_free(self->head.ctx, name);
        if (rc)
            break;
    }
    sqlite3_finalize(statement);
    return rc;
}
