/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_read.c: bringing the history up to date.
 *
 * Where a database tells by a version that nobody else has committed, there is
 * nothing to read. Otherwise the trials behind the last known one are added,
 * and those that were not finished are looked at again. Trials that are
 * finished do not change.
 *
 * Statements may see the database at different moments. So workers are read
 * before states, and states before what hangs on trials: who begins has a
 * worker, and what hangs on a finished trial was there before it was. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/store/relational.h"

/* The row of a trial's id, -1 if it has none. Ids ascend with the rows. */
static int64_t find_row(const moi_history *history, int64_t id)
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
        row = find_row(history, moi_rel_int_of(&fields[1]));
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

/* Take every row of the statement that runs already. */
typedef int32_t (*row_fn)(moi_relational *self, const mopt_value *fields);

static int32_t take_rows(moi_relational *self, row_fn take)
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

static int32_t load_new(moi_relational *self, int64_t known)
{
    const moi_history *history = self->head.history;
    block some = {.count = 0};
    int64_t row;
    int32_t rc = MOPT_OK;

    for (row = known; !rc && row < history->count; row++) {
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
    const int64_t row = find_row(history, moi_rel_int_of(&fields[0]));
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

static void set_states(moi_history *history, const block *changed,
                       const int32_t *states)
{
    int32_t i;

    for (i = 0; i < changed->count; i++)
        moi_history_set_state(history, changed->rows[i], states[i]);
}

/* The next rows from *row on, below known, that are not finished. */
static void gather_open(const moi_history *history, int64_t known,
                        int64_t *row, int64_t *left, block *some)
{
    some->count = 0;
    for (; *left > 0 && *row < known && some->count < MOI_SQL_BLOCK; ++*row)
        if (history->state[*row] == MOPT_TRIAL_RUNNING ||
            history->state[*row] == MOPT_TRIAL_WAITING) {
            some->rows[some->count++] = *row;
            --*left;
        }
}

/* Of a block, the rows that run elsewhere: of these all is read again. */
static void pick_others(const moi_history *history, const block *some,
                        block *others)
{
    int32_t i;

    others->count = 0;
    for (i = 0; i < some->count; i++)
        if (history->state[some->rows[i]] == MOPT_TRIAL_RUNNING &&
            history->claim[some->rows[i]] <= 0)
            others->rows[others->count++] = some->rows[i];
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

/* Rows of changed that were not among others, which were read already. */
static void drop_others(block *changed, int32_t *states, const block *others,
                        moi_history *history)
{
    int32_t i, j, kept = 0;

    for (i = 0; i < changed->count; i++) {
        for (j = 0; j < others->count; j++)
            if (others->rows[j] == changed->rows[i])
                break;
        if (j < others->count) {
            moi_history_set_state(history, changed->rows[i], states[i]);
            continue;
        }
        states[kept] = states[i];
        changed->rows[kept++] = changed->rows[i];
    }
    changed->count = kept;
}

/* More rows that are not finished than one block has. */
static int32_t load_block(moi_relational *self, const block *some)
{
    moi_history *history = self->head.history;
    int32_t states[MOI_SQL_BLOCK];
    block changed;
    int32_t rc = ask_block(self, MOI_SQL_STATES, some);

    if (!rc)
        rc = take_states(self, some, &changed, states);
    if (rc)
        return rc;
    clear_rows(history, &changed);
    rc = load_details(self, &changed);
    if (!rc)
        set_states(history, &changed, states);
    return rc;
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

/* ---- who works on what ------------------------------------------------ */

static void copy_text(const mopt_value *value, char *buf, size_t size)
{
    const char *text = moi_rel_text_of(value);
    const size_t length = strlen(text) < size ? strlen(text) : size - 1;

    memcpy(buf, text, length);
    buf[length] = '\0';
}

/* One row of workers. */
static int32_t take_holder(moi_relational *self, const mopt_value *fields)
{
    moi_holder *holder;
    int32_t rc = moi_grow(self->head.ctx, (void **)&self->holders,
                          &self->holder_capacity, self->holder_count + 1,
                          sizeof(*holder));

    if (rc)
        return rc;
    holder = &self->holders[self->holder_count++];
    memset(holder, 0, sizeof(*holder));
    holder->id = moi_rel_int_of(&fields[0]);
    holder->row = -1;
    copy_text(&fields[1], holder->worker.host, sizeof(holder->worker.host));
    copy_text(&fields[2], holder->worker.boot, sizeof(holder->worker.boot));
    copy_text(&fields[3], holder->worker.room, sizeof(holder->worker.room));
    holder->worker.pid = moi_rel_int_of(&fields[4]);
    holder->worker.started = moi_rel_int_of(&fields[5]);
    holder->seen = moi_clock_seconds() - moi_rel_real_of(&fields[6]);
    return MOPT_OK;
}

static int32_t ask_holders(moi_relational *self)
{
    return moi_rel_ask(self, self->table->age ? MOI_SQL_WORKERS_AGED
                                              : MOI_SQL_WORKERS, NULL, NULL,
                       0);
}

static int32_t take_holders(moi_relational *self)
{
    self->holder_count = 0;
    return take_rows(self, take_holder);
}

/* The next row from row on that runs, left of them to come; -1 at the end. */
static int64_t next_running(const moi_history *history, int64_t row,
                            int64_t *left)
{
    for (; *left > 0 && row < history->count; row++)
        if (history->state[row] == MOPT_TRIAL_RUNNING) {
            --*left;
            return row;
        }
    return -1;
}

/* Mark a claim of ours as one that is to be confirmed, and back. */
static int64_t turn(int64_t claim)
{
    return MOI_CLAIM_OTHER - claim;
}

/* Whose every running trial is. What runs here stays ours as long as the
 * database says so. */
static void claim_trials(moi_relational *self)
{
    moi_history *history = self->head.history;
    int64_t *claim = history->claim;
    int64_t i, row, left = history->tally[MOPT_TRIAL_RUNNING];

    for (row = -1; (row = next_running(history, row + 1, &left)) >= 0;)
        if (claim[row] > 0)
            claim[row] = turn(claim[row]);
    for (i = 0; i < self->holder_count; i++) {
        moi_holder *holder = &self->holders[i];

        row = holder->row = find_row(history, holder->id);
        if (row < 0 || history->state[row] != MOPT_TRIAL_RUNNING)
            continue;
        claim[row] = claim[row] < MOI_CLAIM_OTHER &&
                             moi_worker_same(&self->self, &holder->worker)
                         ? turn(claim[row])
                         : MOI_CLAIM_OTHER;
    }
    left = history->tally[MOPT_TRIAL_RUNNING];
    for (row = -1; (row = next_running(history, row + 1, &left)) >= 0;)
        if (claim[row] < MOI_CLAIM_OTHER)
            claim[row] = MOI_CLAIM_OTHER;
}

/* ---- all of it -------------------------------------------------------- */

/* One journey to the server: what is asked for at once. */
typedef struct journey {
    int64_t known; /* rows */
    int64_t row, left; /* where the search for open rows stands */
    block open, others;
    int32_t notes; /* those of the study, too */
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
    int32_t rc = self->can_hold ? ask_holders(self) : MOPT_OK;

    if (!rc)
        rc = ask_new(self);
    if (!rc && way->open.count > 0)
        rc = ask_block(self, MOI_SQL_STATES, &way->open);
    if (!rc && way->others.count > 0)
        rc = ask_block(self, MOI_SQL_DETAILS, &way->others);
    if (!rc && self->horizon > 0)
        rc = ask_details_new(self);
    if (!rc && way->notes)
        rc = ask_study_notes(self);
    if (!rc && self->wants_id)
        rc = moi_rel_ask(self, MOI_SQL_NEXT_ID, NULL, NULL, 0);
    return rc;
}

/* The open rows of the first block, as they are now. */
static int32_t take_open(moi_relational *self, const journey *way)
{
    moi_history *history = self->head.history;
    int32_t states[MOI_SQL_BLOCK], rc = MOPT_OK;
    block changed = {.count = 0};

    if (way->open.count > 0)
        rc = take_states(self, &way->open, &changed, states);
    if (!rc && way->others.count > 0) {
        clear_rows(history, &way->others);
        rc = take_details(self);
        if (!rc)
            drop_others(&changed, states, &way->others, history);
    }
    if (!rc && self->horizon > 0)
        rc = take_details(self);
    if (!rc && way->notes)
        rc = take_rows(self, take_study_note);
    if (!rc && self->wants_id)
        rc = take_next_id(self);
    if (rc)
        return rc;
    clear_rows(history, &changed);
    rc = load_details(self, &changed);
    if (!rc)
        set_states(history, &changed, states);
    return rc;
}

static int32_t take_all(moi_relational *self, journey *way)
{
    moi_history *history = self->head.history;
    int32_t rc = self->can_hold ? take_holders(self) : MOPT_OK;

    if (rc)
        return rc;
    claim_trials(self);
    rc = take_rows(self, take_trial);
    if (!rc)
        rc = take_open(self, way);
    while (!rc && way->open.count == MOI_SQL_BLOCK) {
        gather_open(history, way->known, &way->row, &way->left, &way->open);
        if (way->open.count > 0)
            rc = load_block(self, &way->open);
    }
    if (!rc && self->horizon == 0)
        rc = load_new(self, way->known);
    if (!rc)
        claim_trials(self);
    return rc;
}

static int32_t read_version(moi_relational *self, int64_t *version)
{
    if (!self->table->version)
        return MOPT_OK;
    return moi_rel_fail(self, self->table->version(self->db, version));
}

int32_t moi_rel_load(moi_relational *self, int32_t notes)
{
    moi_history *history = self->head.history;
    journey way = {
        .known = history->count,
        .left = history->tally[MOPT_TRIAL_RUNNING] +
                history->tally[MOPT_TRIAL_WAITING],
        .notes = notes || self->table->version,
    };
    int64_t version = -2;
    int32_t rc = read_version(self, &version);

    if (rc || version == self->version)
        return rc;
    gather_open(history, way.known, &way.row, &way.left, &way.open);
    pick_others(history, &way.open, &way.others);
    moi_history_lock(history);
    rc = ask_all(self, &way);
    if (!rc)
        rc = take_all(self, &way);
    if (rc)
        moi_history_cut(history, way.known);
    moi_history_unlock(history);
    if (rc)
        return rc;
    self->version = version == -2 ? -1 : version;
    if (self->wants_id)
        self->horizon = self->next_id;
    return MOPT_OK;
}

int32_t moi_rel_pull(moi_store *store)
{
    moi_relational *self = (moi_relational *)store;
    int64_t version = -2;
    int32_t rc = read_version(self, &version);

    if (rc || version == self->version)
        return rc;
    /* One snapshot for all that is read. */
    rc = moi_rel_fail(self, self->table->begin(self->db, MOPT_DATABASE_READ,
                                               0));
    if (rc)
        return rc;
    self->wants_id = 0;
    rc = moi_rel_load(self, 1);
    if (!rc)
        rc = moi_rel_fail(self, self->table->commit(self->db));
    if (rc)
        self->table->rollback(self->db);
    return rc;
}
