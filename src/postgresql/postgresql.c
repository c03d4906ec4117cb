/* SPDX-License-Identifier: MIT
 * src/postgresql/postgresql.c: PostgreSQL as a database of studies. */
#include "connection.h"

#define TYPE(name, labels)                                         \
    "DO $$ BEGIN CREATE TYPE " name " AS ENUM (" labels "); "      \
    "EXCEPTION WHEN duplicate_object THEN NULL; END $$;"

#define ATTRIBUTES(table, id, owner, owners)                               \
    "CREATE TABLE IF NOT EXISTS " table " (" id " SERIAL NOT NULL, " owner \
    " INTEGER, key VARCHAR(512), value_json TEXT, PRIMARY KEY (" id        \
    "), UNIQUE (" owner ", key), FOREIGN KEY(" owner                       \
    ") REFERENCES " owners " (" owner "));"

/* As Optuna 5 makes them by SQLAlchemy. */
static const char tables[] =
    TYPE("studydirection", "'NOT_SET', 'MINIMIZE', 'MAXIMIZE'")
    TYPE("trialstate", "'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING'")
    TYPE("trialvaluetype", "'FINITE', 'INF_POS', 'INF_NEG'")
    TYPE("trialintermediatevaluetype",
         "'FINITE', 'INF_POS', 'INF_NEG', 'NAN'")
    "CREATE TABLE IF NOT EXISTS studies (study_id SERIAL NOT NULL, "
    "study_name VARCHAR(512) NOT NULL, PRIMARY KEY (study_id));"
    "CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name "
    "ON studies (study_name);"
    "CREATE TABLE IF NOT EXISTS version_info "
    "(version_info_id INTEGER NOT NULL, schema_version INTEGER, "
    "library_version VARCHAR(256), PRIMARY KEY (version_info_id), "
    "CHECK (version_info_id = 1));"
    "CREATE TABLE IF NOT EXISTS study_directions "
    "(study_direction_id SERIAL NOT NULL, direction studydirection NOT NULL, "
    "study_id INTEGER NOT NULL, objective INTEGER NOT NULL, "
    "PRIMARY KEY (study_direction_id), UNIQUE (study_id, objective), "
    "FOREIGN KEY(study_id) REFERENCES studies (study_id));"
    ATTRIBUTES("study_user_attributes", "study_user_attribute_id", "study_id",
               "studies")
    ATTRIBUTES("study_system_attributes", "study_system_attribute_id",
               "study_id", "studies")
    "CREATE TABLE IF NOT EXISTS trials (trial_id SERIAL NOT NULL, "
    "number INTEGER, study_id INTEGER, state trialstate NOT NULL, "
    "datetime_start TIMESTAMP WITHOUT TIME ZONE, "
    "datetime_complete TIMESTAMP WITHOUT TIME ZONE, PRIMARY KEY (trial_id), "
    "FOREIGN KEY(study_id) REFERENCES studies (study_id));"
    "CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id);"
    ATTRIBUTES("trial_user_attributes", "trial_user_attribute_id", "trial_id",
               "trials")
    ATTRIBUTES("trial_system_attributes", "trial_system_attribute_id",
               "trial_id", "trials")
    "CREATE TABLE IF NOT EXISTS trial_params (param_id SERIAL NOT NULL, "
    "trial_id INTEGER, param_name VARCHAR(512), "
    "param_value DOUBLE PRECISION, distribution_json TEXT, "
    "PRIMARY KEY (param_id), UNIQUE (trial_id, param_name), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_values "
    "(trial_value_id SERIAL NOT NULL, trial_id INTEGER NOT NULL, "
    "objective INTEGER NOT NULL, value DOUBLE PRECISION, "
    "value_type trialvaluetype NOT NULL, PRIMARY KEY (trial_value_id), "
    "UNIQUE (trial_id, objective), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_intermediate_values "
    "(trial_intermediate_value_id SERIAL NOT NULL, "
    "trial_id INTEGER NOT NULL, step INTEGER NOT NULL, "
    "intermediate_value DOUBLE PRECISION, "
    "intermediate_value_type trialintermediatevaluetype NOT NULL, "
    "PRIMARY KEY (trial_intermediate_value_id), UNIQUE (trial_id, step), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS trial_heartbeats "
    "(trial_heartbeat_id SERIAL NOT NULL, trial_id INTEGER NOT NULL, "
    "heartbeat TIMESTAMP WITHOUT TIME ZONE NOT NULL, "
    "PRIMARY KEY (trial_heartbeat_id), UNIQUE (trial_id), "
    "FOREIGN KEY(trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE IF NOT EXISTS alembic_version "
    "(version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));";

int32_t mopt_postgresql_register(mopt_context *ctx)
{
    const mopt_database table = {
        .struct_size = sizeof(table),
        .abi_version = MOPT_DATABASE_ABI,
        .name = "postgresql",
        .flags = MOPT_DATABASE_SHARED,
        .tables = tables,
        .find_table = "SELECT relname FROM pg_class "
                      "WHERE oid = to_regclass(?1)",
        .last_id = "SELECT lastval()",
        .next_id = "SELECT nextval(pg_get_serial_sequence('trials', "
                   "'trial_id'))",
        .lock = " FOR UPDATE",
        .age = "CAST(EXTRACT(EPOCH FROM LOCALTIMESTAMP - h.heartbeat) "
               "AS DOUBLE PRECISION)",
        .open = pg_open,
        .close = pg_close,
        .reopen = pg_reopen,
        .settle = pg_settle,
        .begin = pg_begin,
        .commit = pg_commit,
        .rollback = pg_rollback,
        .run = pg_run,
        .step = pg_step,
        .changes = pg_changes,
        .drop = pg_drop,
        .script = pg_script,
        .now = "clock_timestamp()",
    };

    return mopt_database_register(ctx, &table, NULL);
}
