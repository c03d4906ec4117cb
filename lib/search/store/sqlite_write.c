/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite_write.c: making changes lasting. All of it happens
 * between begin and commit. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/store/sqlite.h"

static void bind_time(sqlite3_stmt *statement, int at, int64_t micros)
{
    char text[MOI_CLOCK_TEXT];

    if (micros)
        sqlite3_bind_text(statement, at, moi_clock_text(micros, text), -1,
                          SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(statement, at);
}

/* A value and its type. */
static void bind_value(sqlite3_stmt *statement, int at, double value)
{
    const char *type = isnan(value) ? "NAN"
                       : value == INFINITY ? "INF_POS"
                       : value == -INFINITY ? "INF_NEG"
                                            : "FINITE";

    if (isfinite(value))
        sqlite3_bind_double(statement, at, value);
    else
        sqlite3_bind_null(statement, at);
    sqlite3_bind_text(statement, at + 1, type, -1, SQLITE_STATIC);
}

/* Run a statement that only needs a trial's id. */
static int32_t run_for(moi_sqlite *self, moi_sql which, int64_t id)
{
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, which, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, id);
    return moi_sqlite_run(self, statement);
}

/* Say that this process works on a trial. */
static int32_t add_worker(moi_sqlite *self, int64_t id)
{
    const moi_worker *worker = &self->self;
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_ADD_WORKER, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, worker->host, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, worker->boot, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, worker->room, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, worker->pid);
    sqlite3_bind_int64(statement, 6, worker->started);
    return moi_sqlite_run(self, statement);
}

/* Add the values of a point that old lacks; old NULL is none. */
static int32_t add_params(moi_sqlite *self, int64_t id, const double *point,
                          int64_t old_row)
{
    const moi_history *history = self->head.history;
    sqlite3_stmt *statement;
    int64_t p;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_ADD_PARAM, &statement);

    for (p = 0; !rc && p < history->space->count; p++) {
        if (isnan(point[p]) ||
            (old_row >= 0 && !isnan(history->params[p][old_row])))
            continue;
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_text(statement, 2, history->space->params[p].name, -1,
                          SQLITE_STATIC);
        sqlite3_bind_double(statement, 3, point[p]);
        sqlite3_bind_text(statement, 4, self->distributions[p], -1,
                          SQLITE_STATIC);
        rc = moi_sqlite_run(self, statement);
    }
    return rc;
}

static int32_t set_attribute(moi_sqlite *self, moi_sql which, int64_t id,
                             const char *key, const char *json)
{
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, which, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, json, -1, SQLITE_STATIC);
    return moi_sqlite_run(self, statement);
}

int32_t moi_sqlite_add(moi_store *store, const moi_draft *draft, int64_t *id)
{
    moi_sqlite *self = (moi_sqlite *)store;
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_ADD_TRIAL, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, store->history->count);
    sqlite3_bind_int64(statement, 2, self->study_id);
    sqlite3_bind_text(statement, 3, moi_sqlite_states[draft->state], -1,
                      SQLITE_STATIC);
    bind_time(statement, 4, draft->start);
    rc = moi_sqlite_run(self, statement);
    if (rc)
        return rc;
    *id = sqlite3_last_insert_rowid(self->db);
    if (draft->point)
        rc = add_params(self, *id, draft->point, -1);
    if (!rc && draft->fixed)
        rc = set_attribute(self, MOI_SQL_SET_ATTRIBUTE, *id, "fixed_params",
                           draft->fixed);
    if (!rc && draft->state == MOPT_TRIAL_RUNNING)
        rc = add_worker(self, *id);
    return rc;
}

int32_t moi_sqlite_start(moi_store *store, int64_t row, int64_t when,
                         const double *point)
{
    moi_sqlite *self = (moi_sqlite *)store;
    const int64_t id = store->history->id[row];
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_START, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, id);
    bind_time(statement, 2, when);
    rc = moi_sqlite_run(self, statement);
    if (!rc && sqlite3_changes(self->db) != 1)
        rc = moi_fail(MOPT_ESTORE, "%s: trial %lld does not wait any more",
                      self->place, (long long)row);
    if (!rc)
        rc = add_params(self, id, point, row);
    return rc ? rc : add_worker(self, id);
}

/* Back to waiting: what the trial has done so far is forgotten. */
static int32_t give_back(moi_sqlite *self, int64_t id, int32_t *changed)
{
    int32_t rc = run_for(self, MOI_SQL_GIVE_BACK, id);

    *changed = !rc && sqlite3_changes(self->db) == 1;
    if (!rc)
        rc = run_for(self, MOI_SQL_DROP_REPORTS, id);
    if (!rc)
        rc = run_for(self, MOI_SQL_DROP_CONSTRAINTS, id);
    return rc ? rc : run_for(self, MOI_SQL_DROP_WORKER, id);
}

static int32_t add_values(moi_sqlite *self, int64_t id, const double *values)
{
    sqlite3_stmt *statement;
    int64_t i;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_ADD_VALUE, &statement);

    for (i = 0; !rc && i < self->head.history->objectives; i++) {
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_int64(statement, 2, i);
        bind_value(statement, 3, values[i]);
        rc = moi_sqlite_run(self, statement);
    }
    return rc;
}

static int32_t add_reason(moi_sqlite *self, int64_t id, const char *reason)
{
    json_t *value = json_string(reason);
    char *text = value ? moi_json_dump(self->head.ctx, value) : NULL;
    int32_t rc = MOPT_ENOMEM;

    if (text)
        rc = set_attribute(self, MOI_SQL_SET_ATTRIBUTE, id, "fail_reason",
                           text);
    moi_free(self->head.ctx, text);
    json_decref(value);
    return rc;
}

static int32_t finish(moi_sqlite *self, int64_t id, const moi_ending *ending,
                      int32_t *changed)
{
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_FINISH, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, moi_sqlite_states[ending->state], -1,
                      SQLITE_STATIC);
    bind_time(statement, 3, ending->complete);
    rc = moi_sqlite_run(self, statement);
    *changed = !rc && sqlite3_changes(self->db) == 1;
    if (!rc && ending->values)
        rc = add_values(self, id, ending->values);
    if (!rc && ending->reason)
        rc = add_reason(self, id, ending->reason);
    return rc ? rc : run_for(self, MOI_SQL_DROP_WORKER, id);
}

int32_t moi_sqlite_finish(moi_store *store, int64_t row,
                          const moi_ending *ending)
{
    moi_sqlite *self = (moi_sqlite *)store;
    const int64_t id = store->history->id[row];
    int32_t changed, rc;

    if (ending->state == MOPT_TRIAL_WAITING)
        rc = give_back(self, id, &changed);
    else
        rc = finish(self, id, ending, &changed);
    if (!rc && !changed)
        rc = moi_fail(MOPT_ESTATE, "%s: trial %lld was ended by somebody "
                      "else", self->place, (long long)row);
    return rc;
}

int32_t moi_sqlite_report(moi_store *store, int64_t row, int64_t step,
                          double value)
{
    moi_sqlite *self = (moi_sqlite *)store;
    sqlite3_stmt *statement;
    int32_t rc = moi_sqlite_prepare(self, MOI_SQL_ADD_REPORT, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, store->history->id[row]);
    sqlite3_bind_int64(statement, 2, step);
    bind_value(statement, 3, value);
    return moi_sqlite_run(self, statement);
}

int32_t moi_sqlite_note(moi_store *store, int32_t whose, int64_t row,
                        const char *key, const char *json)
{
    static const moi_sql which[] = {
        [MOI_NOTE_STUDY] = MOI_SQL_SET_STUDY_NOTE,
        [MOI_NOTE_TRIAL] = MOI_SQL_SET_NOTE,
        [MOI_NOTE_CONSTRAINTS] = MOI_SQL_SET_ATTRIBUTE,
    };
    moi_sqlite *self = (moi_sqlite *)store;

    return set_attribute(self, which[whose],
                         whose == MOI_NOTE_STUDY ? self->study_id
                                                 : store->history->id[row],
                         key, json);
}

/* Running trials by what is known of those who work on them. */
typedef struct census {
    int64_t live;
    int64_t dead_count, dead_capacity;
    int64_t *dead; /* ids */
} census;

static void read_text(sqlite3_stmt *statement, int column, char *buf,
                      size_t size)
{
    const char *text = moi_sqlite_text(statement, column);
    const size_t length = strlen(text) < size ? strlen(text) : size - 1;

    memcpy(buf, text, length);
    buf[length] = '\0';
}

static int32_t look(moi_sqlite *self, census *result)
{
    sqlite3_stmt *statement;
    moi_worker worker;
    int32_t found, rc = moi_sqlite_prepare(self, MOI_SQL_WORKERS, &statement);

    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, self->study_id);
    while (!(rc = moi_sqlite_step(self, statement, &found)) && found) {
        read_text(statement, 1, worker.host, sizeof(worker.host));
        read_text(statement, 2, worker.boot, sizeof(worker.boot));
        read_text(statement, 3, worker.room, sizeof(worker.room));
        worker.pid = sqlite3_column_int64(statement, 4);
        worker.started = sqlite3_column_int64(statement, 5);
        if (moi_worker_look(self->head.ctx, &self->self, &worker) !=
            MOI_WORKER_DEAD) {
            result->live++;
            continue;
        }
        rc = moi_grow(self->head.ctx, (void **)&result->dead,
                      &result->dead_capacity, result->dead_count + 1,
                      sizeof(int64_t));
        if (rc)
            break;
        result->dead[result->dead_count++] =
            sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return rc;
}

/* Send the trials of the dead back, all in one transaction. The version is
 * forgotten, so that the history takes it over with the next pull. */
static int32_t bury(moi_store *store, const census *result)
{
    moi_sqlite *self = (moi_sqlite *)store;
    int64_t i;
    int32_t ignored, rc = moi_store_begin(store, 0, self->cancel);

    if (rc)
        return rc;
    for (i = 0; !rc && i < result->dead_count; i++)
        rc = give_back(self, result->dead[i], &ignored);
    if (rc) {
        moi_store_rollback(store);
        return rc;
    }
    rc = moi_store_commit(store);
    if (rc)
        return rc;
    self->version = -1;
    return moi_sqlite_pull(store);
}

int32_t moi_sqlite_census(moi_store *store, int64_t *live)
{
    moi_sqlite *self = (moi_sqlite *)store;
    census result = {0};
    int32_t rc = moi_sqlite_pull(store);

    *live = 0;
    if (rc || store->history->tally[MOPT_TRIAL_RUNNING] == 0)
        return rc;
    rc = look(self, &result);
    if (!rc && result.dead_count > 0)
        rc = bury(store, &result);
    *live = result.live;
    moi_free(self->head.ctx, result.dead);
    return rc;
}
