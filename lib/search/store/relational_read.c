/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_read.c: bringing the history up to date.
 *
 * Where a database tells by a version that nobody else has committed, there is
 * nothing to read. Otherwise the trials behind the last known one are added.
 * Which of the others may have changed is told by the list of trials that
 * somebody works on: who was on it and is not has ended, or waits again. Rows
 * that wait, and running ones of others than us, are looked at each time.
 * Trials that are finished do not change.
 *
 * So much of what an ask reads grows with the number of workers alone: one id
 * for each. Telling reads one trial. What hangs on trials that have ended is
 * read where it is wanted: by a sampler that is not blind, by a pruner, or by
 * whoever reads the study.
 *
 * Statements may see the database at different moments. So workers are read
 * before states, and states before what hangs on trials: who begins has a
 * worker, and what hangs on a finished trial was there before it was. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/store/relational.h"

/* Ids ascend with the rows. */
int64_t moi_rel_find_row(const moi_history *history, int64_t id)
{
    int64_t low = 0, high = history->count;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (history->id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < history->count && history->id[low] == id ? low : -1;
}

static int64_t read_time(const mopt_value *value)
{
    int64_t micros;

    if (value->type == MOPT_VALUE_TIME)
        return value->integer;
    return moi_clock_parse(moi_rel_text_of(value), &micros) ? micros : 0;
}

/* MOPT_TRIAL_* of a name in the tables. */
static int32_t read_state(const moi_relational *self, const char *name,
                          int32_t *state)
{
    int32_t i;

    for (i = 0; i < 5; i++)
        if (strcmp(name, moi_rel_states[i]) == 0) {
            *state = i;
            return MOPT_OK;
        }
    return moi_fail(moi_rel_bad(self), "%s: a trial's state is '%.32s'",
                    self->shown, name);
}

/* Rows whose trials a statement asks for. */
typedef struct block {
    int64_t rows[MOI_SQL_BLOCK];
    int32_t count;
} block;

/* Ask for the trials of a block; where it is not full, its first one fills
 * it. */
static int32_t ask_block(moi_relational *self, moi_sql which,
                         const block *some)
{
    mopt_value ids[MOI_SQL_BLOCK];
    int32_t i;

    for (i = 0; i < MOI_SQL_BLOCK; i++)
        ids[i] = moi_rel_int(
            self->head.history->id[some->rows[i < some->count ? i : 0]]);
    return moi_rel_ask(self, which, NULL, ids, MOI_SQL_BLOCK);
}

/* Take what hangs on trials, from a statement that runs already. */
static int32_t take_details(moi_relational *self)
{
    const moi_history *history = self->head.history;
    const mopt_value *fields;
    int64_t row;
    int32_t rc;

    while (!(rc = moi_rel_step(self, &fields)) && fields) {
        row = moi_rel_find_row(history, moi_rel_int_of(&fields[1]));
        if (row >= 0)
            rc = moi_rel_take(self, row, fields);
        if (rc) {
            moi_rel_drop(self);
            break;
        }
    }
    return rc;
}

/* Read what hangs on the trials of a block. */
static int32_t load_details(moi_relational *self, const block *some)
{
    int32_t rc;

    if (some->count == 0)
        return MOPT_OK;
    rc = ask_block(self, MOI_SQL_DETAILS, some);
    return rc ? rc : take_details(self);
}

static int32_t take_trial(moi_relational *self, const mopt_value *fields)
{
    moi_history *history = self->head.history;
    const int64_t number = moi_rel_int_of(&fields[1]);
    int32_t state = 0;
    int64_t row;
    int32_t rc;

    if (number != history->count || fields[1].type != MOPT_VALUE_INT)
        return moi_fail(moi_rel_bad(self), "%s: trial %lld stands where "
                        "%lld should", self->shown, (long long)number,
                        (long long)history->count);
    if ((rc = read_state(self, moi_rel_text_of(&fields[2]), &state)) ||
        (rc = moi_history_reserve(history, history->count + 1)))
        return rc;
    row = moi_history_push(history, state, moi_rel_int_of(&fields[0]));
    history->start[row] = read_time(&fields[3]);
    history->complete[row] = read_time(&fields[4]);
    return MOPT_OK;
}

int32_t moi_rel_take_rows(moi_relational *self, moi_rel_row_fn take)
{
    const mopt_value *fields;
    int32_t rc;

    while (!(rc = moi_rel_step(self, &fields)) && fields)
        if ((rc = take(self, fields))) {
            moi_rel_drop(self);
            break;
        }
    return rc;
}

/* Read what hangs on new trials that do not run; all: on those that do, too.
 * What has ended is read when somebody wants it. */
static int32_t load_new(moi_relational *self, int64_t known, int32_t all)
{
    moi_history *history = self->head.history;
    block some = {.count = 0};
    int64_t row;
    int32_t rc = MOPT_OK;

    for (row = known; !rc && row < history->count; row++) {
        if (!moi_history_is_open(history, row))
            moi_history_set_blank(history, row, 1);
        else if (all || history->state[row] == MOPT_TRIAL_WAITING)
            some.rows[some.count++] = row;
        if (some.count == MOI_SQL_BLOCK || row + 1 == history->count) {
            rc = load_details(self, &some);
            some.count = 0;
        }
    }
    return rc;
}

/* Forget what hangs on a row, to read it again. */
static void clear_row(moi_history *history, int64_t row)
{
    int64_t i;

    moi_extra_free(history->ctx, history->extra[row]);
    history->extra[row] = NULL;
    history->violation[row] = NAN;
    for (i = 0; i < history->space->count; i++)
        history->params[i][row] = NAN;
    for (i = 0; i < history->objectives; i++)
        history->values[row * history->objectives + i] = NAN;
}

/* Does a row go on as it is known? A trial that runs here changes by nobody
 * else, and one that waits not at all. */
static int32_t is_known(const moi_history *history, int64_t row, int32_t state)
{
    return state == history->state[row] &&
           (state == MOPT_TRIAL_WAITING || history->claim[row] > 0);
}

static int32_t fail_gone(const moi_relational *self, int64_t row)
{
    return moi_fail(MOPT_ESTORE, "%s: trial %lld is gone: somebody has "
                    "deleted the study", self->shown, (long long)row);
}

/* One row of states: those that need a closer look go to changed. */
static int32_t take_state(moi_relational *self, const mopt_value *fields,
                          block *changed, int32_t *states)
{
    moi_history *history = self->head.history;
    const int64_t row = moi_rel_find_row(history, moi_rel_int_of(&fields[0]));
    int32_t state = 0;
    int32_t rc = read_state(self, moi_rel_text_of(&fields[2]), &state);

    if (rc)
        return rc;
    if (row < 0 || moi_rel_int_of(&fields[1]) != self->study_id)
        return fail_gone(self, row);
    if (is_known(history, row, state))
        return MOPT_OK;
    history->start[row] = read_time(&fields[3]);
    history->complete[row] = read_time(&fields[4]);
    states[changed->count] = state;
    changed->rows[changed->count++] = row;
    return MOPT_OK;
}

/* Take the states of a block, whose statement runs already; changed, with
 * states, receives the rows that need a closer look. */
static int32_t take_states(moi_relational *self, const block *some,
                           block *changed, int32_t *states)
{
    const mopt_value *fields;
    int32_t found = 0, rc;

    changed->count = 0;
    while (!(rc = moi_rel_step(self, &fields)) && fields) {
        found++;
        if (found > some->count)
            rc = fail_gone(self, some->rows[0]);
        else
            rc = take_state(self, fields, changed, states);
        if (rc) {
            moi_rel_drop(self);
            return rc;
        }
    }
    return !rc && found < some->count ? fail_gone(self, some->rows[0]) : rc;
}

static void clear_rows(moi_history *history, const block *some)
{
    int32_t i;

    for (i = 0; i < some->count; i++)
        clear_row(history, some->rows[i]);
}

/* Let rows be what they have become. What hangs on those that have not ended
 * is read at once. */
static int32_t load_changed(moi_relational *self, const block *changed,
                            const int32_t *states)
{
    moi_history *history = self->head.history;
    block open = {.count = 0};
    int32_t i, rc;

    for (i = 0; i < changed->count; i++)
        if (states[i] == MOPT_TRIAL_RUNNING || states[i] == MOPT_TRIAL_WAITING)
            open.rows[open.count++] = changed->rows[i];
    clear_rows(history, &open);
    rc = load_details(self, &open);
    for (i = 0; !rc && i < changed->count; i++) {
        moi_history_set_state(history, changed->rows[i], states[i]);
        moi_history_set_blank(history, changed->rows[i],
                              !moi_history_is_open(history,
                                                   changed->rows[i]));
    }
    return rc;
}

/* Read what hangs on blank rows. */
static int32_t load_blanks(moi_relational *self)
{
    moi_history *history = self->head.history;
    block some = {.count = 0};
    int64_t row, left = history->blanks;
    int32_t i, rc = MOPT_OK;

    for (row = 0; !rc && left > 0; row++) {
        if (!history->blank[row])
            continue;
        some.rows[some.count++] = row;
        if (--left > 0 && some.count < MOI_SQL_BLOCK)
            continue;
        clear_rows(history, &some);
        rc = load_details(self, &some);
        for (i = 0; !rc && i < some.count; i++)
            moi_history_set_blank(history, some.rows[i], 0);
        some.count = 0;
    }
    return rc;
}

/* The next rows from *row on, below known, that the list of workers says
 * nothing about: those that wait, and running ones that nobody has. */
static void gather_loose(const moi_history *history, int64_t known,
                         int64_t *row, int64_t *left, block *some)
{
    some->count = 0;
    for (; *left > 0 && *row < known && some->count < MOI_SQL_BLOCK; ++*row) {
        if (!moi_history_is_open(history, *row))
            continue;
        --*left;
        if (history->state[*row] == MOPT_TRIAL_WAITING ||
            history->claim[*row] == MOI_CLAIM_NONE)
            some->rows[some->count++] = *row;
    }
}

/* The id that new trials are behind. */
static mopt_value last_id(const moi_relational *self)
{
    const moi_history *history = self->head.history;
    int64_t id = history->count ? history->id[history->count - 1] : INT32_MIN;

    return moi_rel_int(id > self->horizon ? id : self->horizon);
}

static int32_t ask_new(moi_relational *self)
{
    const mopt_value params[] = {moi_rel_int(self->study_id), last_id(self)};

    return moi_rel_ask(self, MOI_SQL_TRIALS, NULL, params, 2);
}

static int32_t ask_details_new(moi_relational *self)
{
    const mopt_value last = last_id(self);

    return moi_rel_ask(self, MOI_SQL_DETAILS_NEW, NULL, &last, 1);
}

/* Look at rows that may have changed. */
static int32_t load_block(moi_relational *self, const block *some)
{
    int32_t states[MOI_SQL_BLOCK];
    block changed;
    int32_t rc = ask_block(self, MOI_SQL_STATES, some);

    if (!rc)
        rc = take_states(self, some, &changed, states);
    return rc ? rc : load_changed(self, &changed, states);
}

/* ---- notes of the study ----------------------------------------------- */

static int32_t ask_study_notes(moi_relational *self)
{
    const mopt_value id = moi_rel_int(self->study_id);

    return moi_rel_ask(self, MOI_SQL_STUDY_NOTES, NULL, &id, 1);
}

static int32_t take_study_note(moi_relational *self, const mopt_value *fields)
{
    moi_history *history = self->head.history;
    moi_note note;
    int32_t rc = moi_grow(self->head.ctx, (void **)&history->notes,
                          &history->note_capacity, history->note_count + 1,
                          sizeof(note));

    if (!rc)
        rc = moi_rel_copy_note(self, &fields[0], &fields[1], &note);
    if (!rc)
        moi_note_put(self->head.ctx, history->notes, &history->note_count,
                     note.key, note.json);
    return rc;
}

/* Look at those of whom the workers' list knows nothing more. */
static int32_t load_gone(moi_relational *self, int64_t known)
{
    const moi_history *history = self->head.history;
    moi_march way = moi_rel_march(self->head.history);
    block gone = {.count = 0};
    int64_t row;
    int32_t busy, rc = MOPT_OK;

    while (!rc && (row = moi_rel_march_on(self, &way, &busy)) >= 0 &&
           row < known) {
        if (busy || history->claim[row] == MOI_CLAIM_NONE)
            continue;
        gone.rows[gone.count++] = row;
        if (gone.count == MOI_SQL_BLOCK) {
            rc = load_block(self, &gone);
            gone.count = 0;
        }
    }
    return !rc && gone.count > 0 ? load_block(self, &gone) : rc;
}

/* ---- one trial -------------------------------------------------------- */

static int32_t look_at(moi_relational *self, int64_t row)
{
    const mopt_value id = moi_rel_int(self->head.history->id[row]);
    const block one = {.rows = {row}, .count = 1};
    int32_t state, rc = moi_rel_ask(self, MOI_SQL_LOCK_TRIAL, NULL, &id, 1);
    block changed;

    if (!rc && self->can_hold)
        rc = moi_rel_ask(self, MOI_SQL_WORKER, NULL, &id, 1);
    if (!rc)
        rc = take_states(self, &one, &changed, &state);
    if (!rc && self->can_hold)
        rc = moi_rel_take_worker(self, row);
    return rc ? rc : load_changed(self, &changed, &state);
}

/* ---- all of it -------------------------------------------------------- */

/* One journey to the server: what is asked for at once. */
typedef struct journey {
    int64_t known;     /* rows */
    int64_t row, left; /* where the search for loose rows stands */
    block loose;
    int32_t suspects;
    int32_t news;
    int32_t details; /* of all new trials, by their ids to come */
} journey;

static int32_t take_next_id(moi_relational *self)
{
    const mopt_value *fields;
    int32_t rc = moi_rel_step(self, &fields);

    if (!rc && fields) {
        self->next_id = moi_rel_int_of(&fields[0]);
        rc = moi_rel_step(self, &fields);
    }
    return rc;
}

/* Statements run together, in an order that matters: see the top. */
static int32_t ask_all(moi_relational *self, const journey *way)
{
    int32_t rc = self->can_hold ? moi_rel_ask_workers(self, way->suspects)
                                : MOPT_OK;

    if (!rc)
        rc = ask_new(self);
    if (!rc && way->loose.count > 0)
        rc = ask_block(self, MOI_SQL_STATES, &way->loose);
    if (!rc && way->details)
        rc = ask_details_new(self);
    if (!rc && way->news == MOI_NEWS_ALL)
        rc = ask_study_notes(self);
    if (!rc && self->wants_id)
        rc = moi_rel_ask(self, MOI_SQL_NEXT_ID, NULL, NULL, 0);
    return rc;
}

/* What ask_all has asked for, up to the details of changed rows. */
static int32_t take_answers(moi_relational *self, const journey *way)
{
    int32_t states[MOI_SQL_BLOCK];
    block changed = {.count = 0};
    int32_t rc = self->can_hold ? moi_rel_take_workers(self, way->suspects)
                                : MOPT_OK;

    if (!rc)
        rc = moi_rel_take_rows(self, take_trial);
    if (!rc && way->loose.count > 0)
        rc = take_states(self, &way->loose, &changed, states);
    if (!rc && way->details)
        rc = take_details(self);
    if (!rc && way->news == MOI_NEWS_ALL)
        rc = moi_rel_take_rows(self, take_study_note);
    if (!rc && self->wants_id)
        rc = take_next_id(self);
    return rc ? rc : load_changed(self, &changed, states);
}

/* Read again what running trials of others, known before, have so far. */
static int32_t load_others(moi_relational *self, int64_t known)
{
    moi_history *history = self->head.history;
    moi_march way = moi_rel_march(history);
    block others = {.count = 0};
    int64_t row;
    int32_t busy, rc = MOPT_OK;

    do {
        row = moi_rel_march_on(self, &way, &busy);
        row = row < known ? row : -1;
        if (row >= 0 && history->claim[row] == MOI_CLAIM_OTHER)
            others.rows[others.count++] = row;
        if (others.count == MOI_SQL_BLOCK || row < 0) {
            clear_rows(history, &others);
            rc = load_details(self, &others);
            others.count = 0;
        }
    } while (!rc && row >= 0);
    return rc;
}

static int32_t take_all(moi_relational *self, journey *way)
{
    moi_history *history = self->head.history;
    int32_t rc = take_answers(self, way);

    while (!rc && way->loose.count == MOI_SQL_BLOCK) {
        gather_loose(history, way->known, &way->row, &way->left, &way->loose);
        if (way->loose.count > 0)
            rc = load_block(self, &way->loose);
    }
    if (!rc)
        rc = load_gone(self, way->known);
    if (!rc && !way->details)
        rc = load_new(self, way->known,
                      way->news == MOI_NEWS_ALL || self->terms.points);
    if (!rc && way->news >= MOI_NEWS_RESULTS)
        rc = load_blanks(self);
    if (rc)
        return rc;
    moi_rel_claim(self);
    return way->news == MOI_NEWS_ALL ? load_others(self, way->known) : MOPT_OK;
}

static int32_t read_version(moi_relational *self, int64_t *version)
{
    *version = -2;
    if (!self->table->version)
        return MOPT_OK;
    return moi_rel_fail(self, self->table->version(self->db, version));
}

/* Does the history have the news of that version? */
static int32_t is_fresh(const moi_relational *self, int64_t version,
                        int32_t news)
{
    return version == self->versions[news];
}

/* It does from now on. */
static void keep_version(moi_relational *self, int64_t version, int32_t news)
{
    int32_t i;

    for (i = 0; i <= news; i++)
        self->versions[i] = version == -2 ? -1 : version;
    if (self->wants_id)
        self->horizon = self->next_id;
}

int32_t moi_rel_load(moi_relational *self, int32_t news)
{
    moi_history *history = self->head.history;
    journey way = {
        .known = history->count,
        .row = moi_history_first_open(history),
        .left = history->tally[MOPT_TRIAL_RUNNING] +
                history->tally[MOPT_TRIAL_WAITING],
        .suspects = moi_rel_is_due(self),
        .news = news,
        .details = self->terms.points && self->horizon > 0,
    };
    int64_t version;
    int32_t rc = read_version(self, &version);

    if (rc || is_fresh(self, version, news))
        return rc;
    gather_loose(history, way.known, &way.row, &way.left, &way.loose);
    moi_history_lock(history);
    rc = ask_all(self, &way);
    if (!rc)
        rc = take_all(self, &way);
    if (rc)
        moi_history_cut(history, way.known);
    moi_history_unlock(history);
    if (!rc)
        keep_version(self, version, news);
    return rc;
}

int32_t moi_rel_look(moi_relational *self, int64_t row)
{
    int64_t version;
    int32_t rc = read_version(self, &version);

    if (rc || is_fresh(self, version, MOI_NEWS_STATES))
        return rc;
    moi_history_lock(self->head.history);
    rc = look_at(self, row);
    moi_history_unlock(self->head.history);
    return rc;
}

int32_t moi_rel_pull(moi_store *store, int32_t news)
{
    moi_relational *self = (moi_relational *)store;
    int64_t version;
    int32_t rc = read_version(self, &version);

    if (rc || is_fresh(self, version, news))
        return rc;
    /* One snapshot for all that is read. */
    rc = moi_rel_fail(self, self->table->begin(self->db, MOPT_DATABASE_READ,
                                               0));
    if (rc)
        return rc;
    self->wants_id = 0;
    rc = moi_rel_load(self, news);
    if (!rc)
        rc = moi_rel_fail(self, self->table->commit(self->db));
    if (rc)
        self->table->rollback(self->db);
    return rc;
}
