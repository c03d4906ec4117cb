/* SPDX-License-Identifier: MIT
 * lib/search/store/relational.c: studies in a database, in the tables of
 * Optuna's relational schema.
 *
 * One connection a study, used under its gate. Where a database is one file,
 * a transaction that writes has it for itself. Elsewhere transactions that add
 * or start trials lock the study's row, as Optuna's do, which keeps numbers
 * without gaps; those on one trial lock that trial's row. */
#include "search/store/relational.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"

/* ?1 .. ?32 */
#define BLOCK                                                             \
    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, " \
    "?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, "   \
    "?29, ?30, ?31, ?32)"

/* Of all studies: there are only those of trials that run. */
#define WORKERS(age, which)                                             \
    "SELECT w.trial_id, w.host, w.boot, w.room, w.pid, w.started, " age \
    " FROM modelopt_workers w " which

/* All that hangs on trials: what it is, whose, a number, a text, a real number,
 * and another text. */
#define DETAILS(which)                                                  \
    "SELECT 0, trial_id, param_id, param_name, param_value, "           \
    "distribution_json FROM trial_params WHERE trial_id " which         \
    " UNION ALL "                                                       \
    "SELECT 1, trial_id, objective, CAST(value_type AS VARCHAR(7)), "   \
    "value, NULL FROM trial_values WHERE trial_id " which               \
    " UNION ALL "                                                       \
    "SELECT 2, trial_id, step, "                                        \
    "CAST(intermediate_value_type AS VARCHAR(7)), intermediate_value, " \
    "NULL FROM trial_intermediate_values WHERE trial_id " which         \
    " UNION ALL "                                                       \
    "SELECT 3, trial_id, 0, \"key\", NULL, value_json "                 \
    "FROM trial_user_attributes WHERE trial_id " which                  \
    " UNION ALL "                                                       \
    "SELECT 4, trial_id, 0, \"key\", NULL, value_json "                 \
    "FROM trial_system_attributes WHERE trial_id " which                \
    " AND (\"key\" IN ('fixed_params', 'fail_reason', 'constraints', "  \
    "'retry_history') "                                                 \
    "OR \"key\" LIKE 'constraints:%')"

#define SET(table, owner)                                                 \
    "INSERT INTO " table " (" owner ", \"key\", value_json) VALUES (?1, " \
    "?2, ?3) ON CONFLICT (" owner ", \"key\") "                           \
    "DO UPDATE SET value_json = excluded.value_json"

static const char *const sql[MOI_SQL_COUNT] = {
    [MOI_SQL_TRIALS] =
        "SELECT trial_id, number, state, datetime_start, datetime_complete "
        "FROM trials WHERE study_id = ?1 AND trial_id > ?2 ORDER BY trial_id",
    [MOI_SQL_STATES] =
        "SELECT trial_id, study_id, state, datetime_start, datetime_complete "
        "FROM trials WHERE trial_id IN " BLOCK,
    [MOI_SQL_DETAILS] = DETAILS("IN " BLOCK),
    /* Of all studies: a join would be looked up from its wrong end. */
    [MOI_SQL_DETAILS_NEW] = DETAILS("> ?1"),
    [MOI_SQL_STUDY_NOTES] =
        "SELECT \"key\", value_json FROM study_user_attributes "
        "WHERE study_id = ?1",
    [MOI_SQL_BUSY] = "SELECT trial_id FROM modelopt_workers ORDER BY trial_id",
    [MOI_SQL_WORKER] = WORKERS("NULL", "WHERE w.trial_id = ?1"),
    [MOI_SQL_WORKERS] = WORKERS("NULL", "ORDER BY w.trial_id"),
    [MOI_SQL_LOCK_STUDY] = "SELECT study_id FROM studies WHERE study_id = ?1",
    /* And what it is, as MOI_SQL_STATES has it. */
    [MOI_SQL_LOCK_TRIAL] =
        "SELECT trial_id, study_id, state, datetime_start, datetime_complete "
        "FROM trials WHERE trial_id = ?1",
    [MOI_SQL_ADD_TRIAL] =
        "INSERT INTO trials (number, study_id, state, datetime_start) "
        "VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_TRIAL_AT] =
        "INSERT INTO trials (number, study_id, state, datetime_start, "
        "trial_id) VALUES (?1, ?2, ?3, ?4, ?5)",
    [MOI_SQL_ADD_PARAM] =
        "INSERT INTO trial_params (trial_id, param_name, param_value, "
        "distribution_json) VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_PARAMS] =
        "INSERT INTO trial_params (trial_id, param_name, param_value, "
        "distribution_json) VALUES (?1, ?2, ?3, ?4), (?1, ?5, ?6, ?7), "
        "(?1, ?8, ?9, ?10), (?1, ?11, ?12, ?13), (?1, ?14, ?15, ?16), "
        "(?1, ?17, ?18, ?19), (?1, ?20, ?21, ?22), (?1, ?23, ?24, ?25)",
    [MOI_SQL_ADD_WORKER] =
        "INSERT INTO modelopt_workers (trial_id, host, boot, room, pid, "
        "started) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (trial_id) DO "
        "UPDATE SET host = excluded.host, boot = excluded.boot, "
        "room = excluded.room, pid = excluded.pid, started = excluded.started",
    [MOI_SQL_DROP_WORKER] = "DELETE FROM modelopt_workers WHERE trial_id = ?1",
    [MOI_SQL_HEARTBEAT] =
        "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (?1, %s) "
        "ON CONFLICT (trial_id) DO UPDATE SET heartbeat = %s",
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
    [MOI_SQL_RETRIES] =
        "SELECT value_json FROM trial_system_attributes WHERE trial_id = ?1 "
        "AND \"key\" = 'retry_history'",
    [MOI_SQL_ADD_VALUE] =
        "INSERT INTO trial_values (trial_id, objective, value, value_type) "
        "VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_ADD_REPORT] =
        "INSERT INTO trial_intermediate_values (trial_id, step, "
        "intermediate_value, intermediate_value_type) VALUES (?1, ?2, ?3, ?4)",
    [MOI_SQL_SET_NOTE] = SET("trial_user_attributes", "trial_id"),
    [MOI_SQL_SET_ATTRIBUTE] = SET("trial_system_attributes", "trial_id"),
    [MOI_SQL_SET_STUDY_NOTE] = SET("study_user_attributes", "study_id"),
    [MOI_SQL_SET_STUDY_ATTRIBUTE] =
        SET("study_system_attributes", "study_id"),
};

const char *const moi_rel_states[5] = {"RUNNING", "COMPLETE", "PRUNED",
                                       "FAIL", "WAITING"};

int32_t moi_rel_bad(const moi_relational *self)
{
    return self->opened ? MOPT_ESTORE : MOPT_EFORMAT;
}

static int32_t fail_busy(const moi_relational *self)
{
    if (mopt_cancel_requested(self->cancel))
        return moi_fail(MOPT_ECANCELED, "%s: canceled while waiting for it",
                        self->shown);
    return moi_fail(MOPT_ESTORE, "%s: another process has locked it, or it "
                    "does not answer, for %lld seconds", self->shown,
                    (long long)self->terms.patience);
}

int32_t moi_rel_fail(moi_relational *self, int32_t answer)
{
    switch (answer) {
    case MOPT_OK:
        return MOPT_OK;
    case MOPT_DATABASE_NOMEM:
        return moi_fail(MOPT_ENOMEM, "%s: no memory for it", self->shown);
    case MOPT_DATABASE_BUSY:
        return fail_busy(self);
    case MOPT_DATABASE_MISSING:
        return moi_fail(MOPT_ENOENT, "%s: %s", self->shown, self->message);
    case MOPT_DATABASE_CONTENT:
        return moi_fail(moi_rel_bad(self), "%s: %s", self->shown,
                        self->message);
    case MOPT_DATABASE_LOST:
    case MOPT_DATABASE_AGAIN:
    case MOPT_DATABASE_DOUBT:
        self->lost = answer;
        break;
    default:
        break;
    }
    return moi_fail(MOPT_ESTORE, "%s: %s", self->shown, self->message);
}

/* A trial begins when it is asked for, not when the waiting for that began. */
static const char *now_of(const moi_relational *self)
{
    return self->table->now ? self->table->now : "CURRENT_TIMESTAMP";
}

/* The text of a statement: those that name the dialect are put together. */
static const char *text_of(const moi_relational *self, moi_sql which,
                           const char *any, char *buf, size_t size)
{
    switch (which) {
    case MOI_SQL_ANY:
        return any;
    case MOI_SQL_LAST_ID:
        return self->table->last_id;
    case MOI_SQL_NEXT_ID:
        return self->table->next_id;
    case MOI_SQL_LOCK_STUDY:
    case MOI_SQL_LOCK_TRIAL:
        snprintf(buf, size, "%s%s", sql[which], self->table->lock);
        return buf;
    case MOI_SQL_HEARTBEAT:
        snprintf(buf, size, sql[which], now_of(self), now_of(self));
        return buf;
    case MOI_SQL_SUSPECTS:
        snprintf(buf, size, WORKERS("%s", "LEFT JOIN trial_heartbeats h "
                 "ON h.trial_id = w.trial_id WHERE w.host = ?1 OR %s > ?2"),
                 self->table->age, self->table->age);
        return buf;
    default:
        return sql[which];
    }
}

static int32_t run(moi_relational *self, moi_sql which, const char *any,
                   const mopt_value *params, int32_t count, int32_t quiet)
{
    char buf[1000];
    const char *text = text_of(self, which, any, buf, sizeof(buf));

    return moi_rel_fail(self, self->table->run(self->db, (int32_t)which, text,
                                               params, count, quiet));
}

int32_t moi_rel_ask(moi_relational *self, moi_sql which, const char *any,
                    const mopt_value *params, int32_t count)
{
    return run(self, which, any, params, count, 0);
}

int32_t moi_rel_step(moi_relational *self, const mopt_value **row)
{
    const int32_t answer = self->table->step(self->db, row);

    if (answer == MOPT_DATABASE_ROW)
        return MOPT_OK;
    *row = NULL;
    return moi_rel_fail(self, answer);
}

void moi_rel_drop(moi_relational *self)
{
    self->table->drop(self->db);
}

int32_t moi_rel_run(moi_relational *self, moi_sql which,
                    const mopt_value *params, int32_t count, int64_t *changes)
{
    const mopt_value *row;
    int32_t rc = run(self, which, NULL, params, count, changes == NULL);

    if (!rc && changes) {
        rc = moi_rel_step(self, &row);
        *changes = rc ? 0 : self->table->changes(self->db);
    }
    return rc;
}

void moi_rel_distrust(moi_relational *self)
{
    int32_t i;

    for (i = 0; i < MOI_NEWS_LEVELS; i++)
        self->versions[i] = -1;
}

int32_t moi_rel_has_leases(const moi_relational *self)
{
    return (self->table->flags & MOPT_DATABASE_SHARED) && self->table->age &&
           self->terms.heartbeat > 0;
}

mopt_value moi_rel_int(int64_t value)
{
    return (mopt_value){.type = MOPT_VALUE_INT, .integer = value};
}

mopt_value moi_rel_real(double value)
{
    return (mopt_value){.type = MOPT_VALUE_REAL, .real = value};
}

mopt_value moi_rel_text(const char *value)
{
    return (mopt_value){.type = MOPT_VALUE_TEXT, .text = value};
}

const char *moi_rel_text_of(const mopt_value *value)
{
    return value->type == MOPT_VALUE_TEXT ? value->text : "";
}

double moi_rel_real_of(const mopt_value *value)
{
    return value->type == MOPT_VALUE_REAL  ? value->real
           : value->type == MOPT_VALUE_INT ? (double)value->integer
                                           : NAN;
}

int64_t moi_rel_int_of(const mopt_value *value)
{
    if (value->type == MOPT_VALUE_REAL && fabs(value->real) < 0x1p62)
        return (int64_t)value->real;
    return value->type == MOPT_VALUE_INT ? value->integer : -1;
}

/* ---- waiting, and connections that were lost -------------------------- */

/* May a call go on waiting? */
static int32_t keep_waiting(void *user)
{
    const moi_relational *self = user;

    return !mopt_cancel_requested(self->cancel) &&
           moi_clock_seconds() < self->patience;
}

static void be_patient(moi_relational *self, const mopt_cancel *cancel)
{
    self->cancel = cancel;
    self->patience = moi_clock_seconds() + self->terms.patience;
}

/* Sleep, as long as the call may wait. */
static void nap(moi_relational *self, double seconds)
{
    const double end = moi_clock_seconds() + seconds;

    while (moi_clock_seconds() < end && keep_waiting(self))
        moi_clock_sleep(0.02);
}

/* Connect anew, with longer and longer pauses, as long as there is patience
 * since the trouble began. */
static int32_t reconnect(moi_relational *self)
{
    double pause = 0.05;
    int32_t answer;

    if (!self->table->reopen)
        return 0;
    self->patience = self->trouble + self->terms.patience;
    while (keep_waiting(self)) {
        answer = self->table->reopen(self->db);
        if (answer != MOPT_DATABASE_LOST)
            return answer == MOPT_OK;
        nap(self, pause);
        pause = pause < 1 ? pause * 2 : 2;
    }
    return 0;
}

static int32_t again(moi_store *store, int32_t rc)
{
    moi_relational *self = (moi_relational *)store;
    const int32_t why = self->lost;

    (void)rc;
    self->lost = 0;
    if (!why || mopt_cancel_requested(self->cancel))
        return 0;
    if (self->trouble == 0) {
        self->trouble = moi_clock_seconds();
        if (why != MOPT_DATABASE_AGAIN)
            snprintf(store->notice, sizeof(store->notice),
                     "%s: the connection was lost: %s", self->shown,
                     self->message);
    }
    if (why == MOPT_DATABASE_AGAIN)
        return keep_waiting(self);
    if (!reconnect(self)) {
        self->lost = 0;
        return 0;
    }
    moi_rel_distrust(self);
    return 1;
}

/* A transaction has come to its end: whatever was wrong is over. */
static void be_well(moi_relational *self)
{
    self->trouble = 0;
    self->lost = 0;
}

/* The connection went while a commit was under way: did it happen? */
static int32_t settle(moi_relational *self)
{
    int32_t committed = 0, answer = MOPT_DATABASE_FAILED;

    self->lost = 0;
    if (self->trouble == 0)
        self->trouble = moi_clock_seconds();
    while (self->table->settle && reconnect(self)) {
        answer = self->table->settle(self->db, &committed);
        while (answer == MOPT_DATABASE_AGAIN && keep_waiting(self)) {
            nap(self, 0.02);
            answer = self->table->settle(self->db, &committed);
        }
        if (answer != MOPT_DATABASE_LOST)
            break;
    }
    moi_rel_distrust(self);
    if (answer == MOPT_OK && committed)
        return MOPT_OK;
    if (answer == MOPT_OK) {
        /* It did not; and the connection is there again. */
        self->lost = MOPT_DATABASE_AGAIN;
        return moi_fail(MOPT_ESTORE, "%s: %s", self->shown, self->message);
    }
    return moi_fail(MOPT_ESTORE, "%s: the connection was lost during a "
                    "commit, and it is not known whether it happened: %s",
                    self->shown, self->message);
}

/* ---- transactions ----------------------------------------------------- */

static void rollback(moi_store *store)
{
    moi_relational *self = (moi_relational *)store;

    self->table->rollback(self->db);
}

/* Keep others from adding trials and from starting them. */
static int32_t lock_study(moi_relational *self)
{
    const mopt_value id = moi_rel_int(self->study_id);

    return self->table->lock[0]
               ? moi_rel_run(self, MOI_SQL_LOCK_STUDY, &id, 1, NULL)
               : MOPT_OK;
}

/* Keep others from what a transaction is about, and read what it needs. */
static int32_t enter(moi_relational *self, int64_t row, int32_t how)
{
    int32_t rc;

    if (row == MOI_STORE_ALL) {
        rc = lock_study(self);
        return rc ? rc : moi_rel_load(self, self->terms.news);
    }
    rc = moi_rel_look(self, row);
    /* Where many work, what a pruner knows may be as old as a heartbeat. */
    return !rc && (how & MOI_STORE_NEWS) && moi_rel_is_due(self)
               ? moi_rel_load(self, self->terms.news) : rc;
}

static int32_t begin(moi_store *store, int64_t row, int32_t how,
                     const mopt_cancel *cancel)
{
    moi_relational *self = (moi_relational *)store;
    /* Where a server can break down alone, other processes would remember
     * trials that it has forgotten. */
    const int32_t lasting =
        (how & MOI_STORE_LASTING) ||
        (row == MOI_STORE_ALL && (self->table->flags & MOPT_DATABASE_SHARED));
    int32_t rc;

    be_patient(self, cancel);
    rc = moi_rel_fail(self, self->table->begin(self->db, MOPT_DATABASE_WRITE,
                                               lasting));
    if (rc)
        return rc;
    self->next_id = 0;
    self->wants_id = row == MOI_STORE_ALL && self->table->next_id;
    rc = enter(self, row, how);
    if (rc)
        rollback(store);
    return rc;
}

static int32_t commit(moi_store *store)
{
    moi_relational *self = (moi_relational *)store;
    const int32_t answer = self->table->commit(self->db);
    int32_t rc = answer == MOPT_DATABASE_DOUBT ? settle(self)
                                               : moi_rel_fail(self, answer);

    if (!rc)
        be_well(self);
    return rc;
}

/* ---- opening and closing ---------------------------------------------- */

static void close_store(moi_store *store)
{
    moi_relational *self = (moi_relational *)store;
    mopt_context *ctx = store->ctx;
    int64_t i, params;

    moi_lease_free(self->lease);
    if (self->db)
        self->table->close(self->db);
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
    moi_free(ctx, self->busy);
    moi_free(ctx, self->holders);
    moi_free(ctx, self->space);
    moi_free(ctx, self->place);
    moi_free(ctx, self);
}

/* A server may be down for a moment when a worker starts, as it may be later.
 * Who only looks is told so at once. */
static int32_t open_patiently(moi_relational *self, int32_t create,
                              const mopt_database_host *host)
{
    const mopt_database *table = self->table;
    double pause = 0.05;
    int32_t answer = table->open(table->user, self->place, create, host,
                                 &self->db);

    if (answer == MOPT_DATABASE_LOST && create && keep_waiting(self))
        moi_log(self->head.ctx, MOPT_LOG_WARN, "study", "%s: %s; trying for "
                "%lld seconds", self->shown, self->message,
                (long long)self->terms.patience);
    while (answer == MOPT_DATABASE_LOST && create && keep_waiting(self)) {
        nap(self, pause);
        pause = pause < 1 ? pause * 2 : 2;
        answer = table->open(table->user, self->place, create, host,
                             &self->db);
    }
    return mopt_cancel_requested(self->cancel) && answer
               ? MOPT_DATABASE_BUSY : answer;
}

static int32_t open_database(moi_relational *self, int32_t create)
{
    const mopt_database_host host = {
        .struct_size = sizeof(host),
        .alloc = self->head.ctx->alloc,
        .alloc_user = self->head.ctx->alloc_user,
        .user = self,
        .wait = keep_waiting,
        .message = self->message,
        .message_size = sizeof(self->message),
    };
    int32_t rc = moi_database_find(self->head.ctx, self->place, &self->table);

    if (rc)
        return rc;
    be_patient(self, self->terms.cancel);
    return moi_rel_fail(self, open_patiently(self, create, &host));
}

/* A handle with its connection; create: the place may be made. */
static int32_t connect_to(mopt_context *ctx, const char *place, int32_t create,
                          const moi_store_terms *terms, moi_relational **out)
{
    moi_relational *self = moi_calloc(ctx, 1, sizeof(*self));
    int32_t rc;

    if (!self)
        return MOPT_ENOMEM;
    self->head.ctx = ctx;
    moi_rel_distrust(self);
    self->terms = *terms;
    moi_database_show(place, self->shown, sizeof(self->shown));
    self->place = moi_strdup(ctx, place);
    rc = self->place ? open_database(self, create) : MOPT_ENOMEM;
    if (rc) {
        close_store(&self->head);
        return rc;
    }
    moi_worker_self(ctx, &self->self);
    *out = self;
    return MOPT_OK;
}

/* Look at the tables and the study, or make them, in one transaction. */
static int32_t enter_study(moi_relational *self, int32_t how,
                           moi_study_head *head)
{
    const int32_t create = how & MOI_STORE_NEW;
    int32_t rc = moi_rel_fail(
        self, self->table->begin(self->db, create ? MOPT_DATABASE_CREATE
                                                  : MOPT_DATABASE_READ, 1));

    if (rc)
        return rc;
    rc = moi_rel_check_tables(self, create);
    if (!rc)
        rc = moi_rel_find_study(self, how, head);
    if (!rc)
        rc = moi_rel_fail(self, self->table->commit(self->db));
    if (rc)
        self->table->rollback(self->db);
    return rc;
}

extern const moi_store_kind moi_store_relational;

static int32_t open_store(mopt_context *ctx, const char *place, int32_t how,
                          const moi_store_terms *terms, moi_study_head *head,
                          moi_store **out)
{
    moi_relational *self = NULL;
    int32_t rc = connect_to(ctx, place, how & MOI_STORE_NEW, terms, &self);

    if (rc)
        return rc;
    self->head.kind = &moi_store_relational;
    self->strict = how & MOI_STORE_NEW;
    rc = enter_study(self, how, head);
    if (rc) {
        close_store(&self->head);
        return rc;
    }
    self->cancel = NULL;
    *out = &self->head;
    return MOPT_OK;
}

static int32_t list(mopt_context *ctx, const char *place, json_t *names)
{
    const moi_store_terms terms = {.patience = 60};
    moi_relational *self = NULL;
    int32_t rc = connect_to(ctx, place, 0, &terms, &self);

    if (rc)
        return rc;
    rc = moi_rel_check_tables(self, 0);
    if (!rc)
        rc = moi_rel_names(self, names);
    close_store(&self->head);
    return rc;
}

static int32_t attach(moi_store *store, moi_history *history)
{
    moi_relational *self = (moi_relational *)store;
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
    rc = moi_rel_pull(store, MOI_NEWS_ALL);
    self->opened = rc == MOPT_OK;
    return rc;
}

const moi_store_kind moi_store_relational = {
    .name = "relational",
    .open = open_store,
    .close = close_store,
    .list = list,
    .attach = attach,
    .pull = moi_rel_pull,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .again = again,
    .census = moi_rel_census,
    .add = moi_rel_add,
    .start = moi_rel_start,
    .finish = moi_rel_finish,
    .report = moi_rel_report,
    .note = moi_rel_note,
};
