/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_write.c: making changes lasting. All of it
 * happens between begin and commit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/store/relational.h"

/* A time, with its text in buf; 0: none. */
static mopt_value time_of(int64_t micros, char buf[MOI_CLOCK_TEXT])
{
    return micros ? moi_rel_text(moi_clock_text(micros, buf))
                  : (mopt_value){.type = MOPT_VALUE_NULL};
}

/* A value and its type. */
static void set_value(double value, mopt_value pair[2])
{
    const char *type = isnan(value) ? "NAN"
                       : value == INFINITY ? "INF_POS"
                       : value == -INFINITY ? "INF_NEG"
                                            : "FINITE";

    pair[0] = isfinite(value) ? moi_rel_real(value)
                              : (mopt_value){.type = MOPT_VALUE_NULL};
    pair[1] = moi_rel_text(type);
}

/* Run a statement that only needs a trial's id. */
static int32_t run_for(moi_relational *self, moi_sql which, int64_t id)
{
    const mopt_value value = moi_rel_int(id);

    return moi_rel_run(self, which, &value, 1, NULL);
}

/* Say that this process works on a trial, and lives. */
static int32_t add_worker(moi_relational *self, int64_t id)
{
    const moi_worker *worker = &self->self;
    const mopt_value params[] = {
        moi_rel_int(id),
        moi_rel_text(worker->host),
        moi_rel_text(worker->boot),
        moi_rel_text(worker->room),
        moi_rel_int(worker->pid),
        moi_rel_int(worker->started),
    };
    int32_t rc = moi_rel_run(self, MOI_SQL_ADD_WORKER, params, 6, NULL);

    if (rc || !moi_rel_has_leases(self))
        return rc;
    if (!self->lease)
        rc = moi_lease_create(self->head.ctx, self->table, self->place,
                              self->terms.heartbeat, worker, &self->lease);
    return rc ? rc : run_for(self, MOI_SQL_HEARTBEAT, id);
}

/* Add count values of a trial, all at once if that is a full group; params has
 * its id, and three for each. */
static int32_t add_group(moi_relational *self, mopt_value *params,
                         int32_t count)
{
    int32_t i, rc = MOPT_OK;

    if (count == MOI_SQL_GROUP)
        return moi_rel_run(self, MOI_SQL_ADD_PARAMS, params, 1 + 3 * count,
                           NULL);
    for (i = 0; !rc && i < count; i++) {
        memmove(params + 1, params + 1 + 3 * i, 3 * sizeof(*params));
        rc = moi_rel_run(self, MOI_SQL_ADD_PARAM, params, 4, NULL);
    }
    return rc;
}

/* Add the values of a point that old_row lacks; -1 is none. */
static int32_t add_params(moi_relational *self, int64_t id,
                          const double *point, int64_t old_row)
{
    const moi_history *history = self->head.history;
    mopt_value params[1 + 3 * MOI_SQL_GROUP] = {moi_rel_int(id)};
    int64_t p;
    int32_t count = 0, rc = MOPT_OK;

    for (p = 0; !rc && p < history->space->count; p++) {
        if (isnan(point[p]) ||
            (old_row >= 0 && !isnan(history->params[p][old_row])))
            continue;
        params[1 + 3 * count] = moi_rel_text(history->space->params[p].name);
        params[2 + 3 * count] = moi_rel_real(point[p]);
        params[3 + 3 * count] = moi_rel_text(self->distributions[p]);
        if (++count == MOI_SQL_GROUP) {
            rc = add_group(self, params, count);
            count = 0;
        }
    }
    return rc ? rc : add_group(self, params, count);
}

static int32_t set_attribute(moi_relational *self, moi_sql which, int64_t id,
                             const char *key, const char *json)
{
    const mopt_value params[] = {moi_rel_int(id), moi_rel_text(key),
                                 moi_rel_text(json)};

    return moi_rel_run(self, which, params, 3, NULL);
}

/* The id that the database gave to the trial that was added last. */
static int32_t read_last_id(moi_relational *self, int64_t *id)
{
    const mopt_value *row = NULL;
    int32_t rc = moi_rel_ask(self, MOI_SQL_LAST_ID, NULL, NULL, 0);

    if (!rc)
        rc = moi_rel_step(self, &row);
    if (rc || !row)
        return rc ? rc : moi_fail(MOPT_ESTORE, "%s: a trial got no id",
                                  self->shown);
    *id = moi_rel_int_of(row);
    moi_rel_drop(self);
    return MOPT_OK;
}

/* Add a row of trials; its id. */
static int32_t add_trial(moi_relational *self, const moi_draft *draft,
                         int64_t *id)
{
    char text[MOI_CLOCK_TEXT];
    const mopt_value params[] = {
        moi_rel_int(self->head.history->count),
        moi_rel_int(self->study_id),
        moi_rel_text(moi_rel_states[draft->state]),
        time_of(draft->start, text),
        moi_rel_int(self->next_id),
    };
    int32_t rc;

    if (self->next_id > 0) {
        *id = self->next_id;
        self->next_id = 0;
        return moi_rel_run(self, MOI_SQL_ADD_TRIAL_AT, params, 5, NULL);
    }
    rc = moi_rel_run(self, MOI_SQL_ADD_TRIAL, params, 4, NULL);
    return rc ? rc : read_last_id(self, id);
}

int32_t moi_rel_add(moi_store *store, const moi_draft *draft, int64_t *id)
{
    moi_relational *self = (moi_relational *)store;
    int32_t rc = add_trial(self, draft, id);

    if (!rc && draft->point)
        rc = add_params(self, *id, draft->point, -1);
    if (!rc && draft->fixed)
        rc = set_attribute(self, MOI_SQL_SET_ATTRIBUTE, *id, "fixed_params",
                           draft->fixed);
    if (!rc && draft->state == MOPT_TRIAL_RUNNING)
        rc = add_worker(self, *id);
    return rc;
}

int32_t moi_rel_start(moi_store *store, int64_t row, int64_t when,
                      const double *point)
{
    moi_relational *self = (moi_relational *)store;
    const int64_t id = store->history->id[row];
    char text[MOI_CLOCK_TEXT];
    const mopt_value params[] = {moi_rel_int(id), time_of(when, text)};
    int64_t changes;
    int32_t rc = moi_rel_run(self, MOI_SQL_START, params, 2, &changes);

    if (!rc && changes != 1) {
        /* Optuna's workers do not lock the study for that. */
        self->lost = MOPT_DATABASE_AGAIN;
        rc = moi_fail(MOPT_ESTORE, "%s: trial %lld does not wait any more",
                      self->shown, (long long)row);
    }
    if (!rc)
        rc = add_params(self, id, point, row);
    return rc ? rc : add_worker(self, id);
}

/* Back to waiting: what the trial has done so far is forgotten. */
static int32_t give_back(moi_relational *self, int64_t id, int64_t *changes)
{
    const mopt_value value = moi_rel_int(id);
    int32_t rc = moi_rel_run(self, MOI_SQL_GIVE_BACK, &value, 1, changes);

    if (rc || *changes != 1)
        return rc;
    if ((rc = run_for(self, MOI_SQL_DROP_REPORTS, id)) ||
        (rc = run_for(self, MOI_SQL_DROP_CONSTRAINTS, id)))
        return rc;
    return run_for(self, MOI_SQL_DROP_WORKER, id);
}

static int32_t add_values(moi_relational *self, int64_t id,
                          const double *values)
{
    mopt_value params[4] = {moi_rel_int(id)};
    int64_t i;
    int32_t rc = MOPT_OK;

    for (i = 0; !rc && i < self->head.history->objectives; i++) {
        params[1] = moi_rel_int(i);
        set_value(values[i], &params[2]);
        rc = moi_rel_run(self, MOI_SQL_ADD_VALUE, params, 4, NULL);
    }
    return rc;
}

static int32_t add_reason(moi_relational *self, int64_t id, const char *reason)
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

/* The trial is known to run, and nobody else can end it in this
 * transaction: its changes need not be counted. */
static int32_t finish(moi_relational *self, int64_t id,
                      const moi_ending *ending)
{
    char text[MOI_CLOCK_TEXT];
    const mopt_value params[] = {
        moi_rel_int(id),
        moi_rel_text(moi_rel_states[ending->state]),
        time_of(ending->complete, text),
    };
    int32_t rc = moi_rel_run(self, MOI_SQL_FINISH, params, 3, NULL);

    if (!rc && ending->values)
        rc = add_values(self, id, ending->values);
    if (!rc && ending->reason)
        rc = add_reason(self, id, ending->reason);
    return rc ? rc : run_for(self, MOI_SQL_DROP_WORKER, id);
}

int32_t moi_rel_finish(moi_store *store, int64_t row,
                       const moi_ending *ending)
{
    moi_relational *self = (moi_relational *)store;
    const int64_t id = store->history->id[row];
    int64_t changes = 0;
    int32_t rc;

    if (ending->state != MOPT_TRIAL_WAITING)
        return finish(self, id, ending);
    rc = give_back(self, id, &changes);
    if (!rc && changes != 1)
        rc = moi_fail(MOPT_ESTATE, "%s: trial %lld was ended by somebody "
                      "else", self->shown, (long long)row);
    return rc;
}

int32_t moi_rel_report(moi_store *store, int64_t row, int64_t step,
                       double value)
{
    mopt_value params[4] = {moi_rel_int(store->history->id[row]),
                            moi_rel_int(step)};

    set_value(value, &params[2]);
    return moi_rel_run((moi_relational *)store, MOI_SQL_ADD_REPORT, params, 4,
                       NULL);
}

int32_t moi_rel_note(moi_store *store, int32_t whose, int64_t row,
                     const char *key, const char *json)
{
    static const moi_sql which[] = {
        [MOI_NOTE_STUDY] = MOI_SQL_SET_STUDY_NOTE,
        [MOI_NOTE_TRIAL] = MOI_SQL_SET_NOTE,
        [MOI_NOTE_CONSTRAINTS] = MOI_SQL_SET_ATTRIBUTE,
    };
    moi_relational *self = (moi_relational *)store;

    return set_attribute(self, which[whose],
                         whose == MOI_NOTE_STUDY ? self->study_id
                                                 : store->history->id[row],
                         key, json);
}

/* ---- those who have died ---------------------------------------------- */

/* Is whoever works on a trial gone? Where hosts share a database, silence
 * beyond the grace is death: who comes back finds its trial taken. */
static int32_t is_dead(const moi_relational *self, const moi_holder *holder)
{
    const int32_t who = moi_worker_look(self->head.ctx, &self->self,
                                        &holder->worker);

    if (who == MOI_WORKER_DEAD)
        return 1;
    if (!moi_rel_has_leases(self) || isnan(holder->seen))
        return 0;
    return moi_context_seconds(self->head.ctx) - holder->seen >
           self->terms.grace;
}

/* As Optuna's callback for retries notes it: whose retry this is, and the list
 * of all that failed; a trial of ours keeps its number. */
static int32_t note_retry(moi_relational *self, const moi_holder *holder,
                          const char *list)
{
    char number[24];
    int32_t rc = set_attribute(self, MOI_SQL_SET_ATTRIBUTE, holder->id,
                               "retry_history", list);

    snprintf(number, sizeof(number), "%lld", (long long)holder->row);
    return rc ? rc : set_attribute(self, MOI_SQL_SET_ATTRIBUTE, holder->id,
                                   "failed_trial", number);
}

/* Add the trial's number to its retry history. */
static int32_t add_retry(moi_relational *self, const moi_holder *holder)
{
    const mopt_value id = moi_rel_int(holder->id);
    const mopt_value *row = NULL;
    json_t *list = NULL;
    char *text = NULL;
    int32_t rc = moi_rel_ask(self, MOI_SQL_RETRIES, NULL, &id, 1);

    if (!rc)
        rc = moi_rel_step(self, &row);
    if (rc)
        return rc;
    if (row) {
        list = moi_json_lenient(self->head.ctx, moi_rel_text_of(row));
        moi_rel_drop(self);
    }
    if (!json_is_array(list)) {
        json_decref(list);
        list = json_array();
    }
    if (json_array_append_new(list, json_integer(holder->row)) == 0)
        text = moi_json_dump(self->head.ctx, list);
    json_decref(list);
    rc = text ? note_retry(self, holder, text) : MOPT_ENOMEM;
    moi_free(self->head.ctx, text);
    return rc;
}

static int32_t bury(moi_relational *self, const moi_holder *holder,
                    int32_t *buried)
{
    int64_t changes = 0;
    int32_t rc = give_back(self, holder->id, &changes);

    if (rc || changes != 1)
        return rc;
    ++*buried;
    snprintf(self->head.notice, sizeof(self->head.notice), "trial %lld waits "
             "again: process %lld on %.64s, which ran it, is gone",
             (long long)holder->row, (long long)holder->worker.pid,
             holder->worker.host);
    return add_retry(self, holder);
}

int32_t moi_rel_census(moi_store *store, int64_t *live, int32_t *buried)
{
    moi_relational *self = (moi_relational *)store;
    const moi_history *history = store->history;
    int64_t i;
    int32_t rc = MOPT_OK;

    *live = moi_history_live(store->history);
    for (i = 0; !rc && i < self->holder_count; i++) {
        const moi_holder *holder = &self->holders[i];

        if (holder->row >= 0 &&
            history->state[holder->row] == MOPT_TRIAL_RUNNING &&
            history->claim[holder->row] == MOI_CLAIM_OTHER &&
            is_dead(self, holder))
            rc = bury(self, holder, buried);
    }
    *live -= *buried;
    if (*buried > 0)
        moi_rel_distrust(self);
    return rc;
}
