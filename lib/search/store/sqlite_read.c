/* SPDX-License-Identifier: MIT
 * lib/search/store/sqlite_read.c: bringing the history up to date.
 *
 * SQLite tells by its data version whether anybody else has committed; if not,
 * there is nothing to read. Otherwise the trials behind the last known one are
 * added, and those that were not finished are read again. Trials that are
 * finished do not change. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/store/sqlite.h"

/* The row of a trial's id among the rows from first on, -1 if it has none. Ids
 * ascend with the rows. */
static int64_t find_row(const moi_history *history, int64_t first, int64_t id)
{
    int64_t low = first, high = history->count;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (history->id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < history->count && history->id[low] == id ? low : -1;
}

static int64_t read_time(sqlite3_stmt *statement, int column)
{
    int64_t micros;

    return moi_clock_parse(moi_sqlite_text(statement, column), &micros)
               ? micros
               : 0;
}

/* MOPT_TRIAL_* of a name in the tables. */
static int32_t read_state(const moi_sqlite *self, const char *name,
                          int32_t *state)
{
    int32_t i;

    for (i = 0; i < 5; i++)
        if (strcmp(name, moi_sqlite_states[i]) == 0) {
            *state = i;
            return MOPT_OK;
        }
    return moi_fail(moi_sqlite_bad(self), "%s: a trial's state is '%.32s'",
                    self->place, name);
}

/* A value with its type: FINITE, INF_POS, INF_NEG, NAN. */
static double read_value(sqlite3_stmt *statement, int column)
{
    const char *type = moi_sqlite_text(statement, column + 1);

    if (strcmp(type, "INF_POS") == 0)
        return INFINITY;
    if (strcmp(type, "INF_NEG") == 0)
        return -INFINITY;
    if (strcmp(type, "FINITE") != 0 ||
        sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(statement, column);
}

/* Keep a parameter that the space does not have, or has otherwise. */
static int32_t add_cell(moi_sqlite *self, int64_t row,
                        sqlite3_stmt *statement, const char *name,
                        moi_domain *domain)
{
    mopt_context *ctx = self->head.ctx;
    moi_extra *extra = moi_history_extra(self->head.history, row);
    moi_cell cell = {NULL, *domain, NAN};

    if (sqlite3_column_type(statement, 2) != SQLITE_NULL)
        cell.value = sqlite3_column_double(statement, 2);
    if (extra)
        cell.name = moi_strdup(ctx, name);
    if (!cell.name ||
        moi_grow(ctx, (void **)&extra->cells, &extra->cell_capacity,
                 extra->cell_count + 1, sizeof(cell))) {
        moi_free(ctx, cell.name);
        moi_domain_free(domain);
        return MOPT_ENOMEM;
    }
    moi_clean_text(cell.name);
    extra->cells[extra->cell_count++] = cell;
    return MOPT_OK;
}

static int32_t read_domain(const moi_sqlite *self, const char *name,
                           const char *text, moi_domain *domain)
{
    int32_t rc = moi_distribution_read(text, domain);

    if (rc == MOPT_EFORMAT)
        return moi_fail_at(moi_sqlite_bad(self), "%s: parameter '%.64s': ",
                           self->place, name);
    return rc;
}

static int32_t fail_misfit(const moi_sqlite *self, const char *name,
                           const moi_domain *own, const moi_domain *old)
{
    char a[MOI_DOMAIN_TEXT], b[MOI_DOMAIN_TEXT];

    return moi_fail(MOPT_EINVAL, "%s: %s: a study cannot have both %s%s, as "
                    "in its trials, and %s%s", self->place, name,
                    moi_domain_text(old, a), old->log ? " (log)" : "",
                    moi_domain_text(own, b), own->log ? " (log)" : "");
}

/* Does the distribution go with parameter p of the space? The answer for the
 * last text is remembered. */
static int32_t check_fit(moi_sqlite *self, int64_t p, const char *name,
                         const char *text)
{
    const moi_domain *own = &self->head.history->space->params[p].domain;
    moi_domain domain;
    char *copy;
    int32_t rc;

    if (self->seen[p] && strcmp(self->seen[p], text) == 0)
        return MOPT_OK;
    rc = read_domain(self, name, text, &domain);
    if (rc)
        return rc;
    copy = moi_strdup(self->head.ctx, text);
    if (copy) {
        moi_free(self->head.ctx, self->seen[p]);
        self->seen[p] = copy;
        self->fits[p] = (uint8_t)moi_domain_compatible(own, &domain);
        if (!self->fits[p] && self->strict && !self->opened)
            rc = fail_misfit(self, name, own, &domain);
    } else {
        rc = MOPT_ENOMEM;
    }
    moi_domain_free(&domain);
    return rc;
}

static int32_t take_param(moi_sqlite *self, int64_t row,
                          sqlite3_stmt *statement)
{
    moi_history *history = self->head.history;
    const char *name = moi_sqlite_text(statement, 1);
    const char *text = moi_sqlite_text(statement, 3);
    const int64_t p = moi_space_find(history->space, name);
    moi_domain domain;
    int32_t rc;

    if (p >= 0) {
        rc = check_fit(self, p, name, text);
        if (rc)
            return rc;
        if (self->fits[p] &&
            sqlite3_column_type(statement, 2) != SQLITE_NULL) {
            history->params[p][row] =
                moi_domain_snap(&history->space->params[p].domain,
                                sqlite3_column_double(statement, 2));
            return MOPT_OK;
        }
    }
    rc = read_domain(self, name, text, &domain);
    return rc ? rc : add_cell(self, row, statement, name, &domain);
}

static int32_t take_value(moi_sqlite *self, int64_t row,
                          sqlite3_stmt *statement)
{
    moi_history *history = self->head.history;
    const int64_t objective = sqlite3_column_int64(statement, 1);

    if (objective < 0 || objective >= history->objectives)
        return moi_fail(moi_sqlite_bad(self), "%s: trial %lld has a value for "
                        "objective %lld of %lld", self->place, (long long)row,
                        (long long)objective,
                        (long long)history->objectives);
    history->values[row * history->objectives + objective] =
        read_value(statement, 2);
    return MOPT_OK;
}

static int32_t take_report(moi_sqlite *self, int64_t row,
                           sqlite3_stmt *statement)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    const int64_t step = sqlite3_column_int64(statement, 1);
    double known;

    if (!extra ||
        moi_grow(self->head.ctx, (void **)&extra->reports,
                 &extra->report_capacity, extra->report_count + 1,
                 sizeof(moi_report)))
        return MOPT_ENOMEM;
    if (!moi_extra_report(extra, step, &known))
        moi_extra_put_report(extra, step, read_value(statement, 2));
    return MOPT_OK;
}

/* Copies of a key and a value, as columns 1 and 2 have them. */
static int32_t copy_note(moi_sqlite *self, sqlite3_stmt *statement,
                         moi_note *note)
{
    note->key = moi_strdup(self->head.ctx, moi_sqlite_text(statement, 1));
    note->json = moi_strdup(self->head.ctx, moi_sqlite_text(statement, 2));
    if (note->key && note->json) {
        moi_clean_text(note->key);
        moi_clean_text(note->json);
        return MOPT_OK;
    }
    moi_free(self->head.ctx, note->key);
    moi_free(self->head.ctx, note->json);
    return MOPT_ENOMEM;
}

static int32_t take_note(moi_sqlite *self, int64_t row,
                         sqlite3_stmt *statement)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    moi_note note;

    if (!extra ||
        moi_grow(self->head.ctx, (void **)&extra->notes,
                 &extra->note_capacity, extra->note_count + 1,
                 sizeof(note)) ||
        copy_note(self, statement, &note))
        return MOPT_ENOMEM;
    moi_note_put(self->head.ctx, extra->notes, &extra->note_count, note.key,
                 note.json);
    return MOPT_OK;
}

/* Add constraints: a list of numbers, or one number. */
static int32_t take_constraints(moi_sqlite *self, int64_t row,
                                const char *text)
{
    moi_history *history = self->head.history;
    moi_extra *extra = history->extra[row];
    json_t *value = moi_json_lenient(self->head.ctx, text);
    const int64_t more =
        json_is_array(value) ? (int64_t)json_array_size(value) : 1;
    double *grown = moi_realloc(self->head.ctx, extra->constraints,
                                extra->constraint_count + more,
                                sizeof(*grown));
    int64_t i;

    if (grown)
        extra->constraints = grown;
    for (i = 0; grown && i < more; i++) {
        const json_t *item = json_is_array(value)
                                 ? json_array_get(value, (size_t)i)
                                 : value;

        grown[extra->constraint_count++] =
            json_is_number(item) ? json_number_value(item) : INFINITY;
    }
    if (grown)
        history->violation[row] =
            moi_violation(grown, extra->constraint_count);
    json_decref(value);
    return grown ? MOPT_OK : MOPT_ENOMEM;
}

/* A reason is a JSON text. */
static char *read_reason(mopt_context *ctx, const char *text)
{
    json_t *value = moi_json_lenient(ctx, text);
    const char *reason = json_string_value(value);
    char *copy = moi_strdup(ctx, reason ? reason : text);

    json_decref(value);
    if (copy)
        moi_clean_text(copy);
    return copy;
}

static int32_t take_attribute(moi_sqlite *self, int64_t row,
                              sqlite3_stmt *statement)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    const char *key = moi_sqlite_text(statement, 1);
    const char *text = moi_sqlite_text(statement, 2);
    char **slot;

    if (!extra)
        return MOPT_ENOMEM;
    if (strncmp(key, "constraints", 11) == 0)
        return take_constraints(self, row, text);
    slot = key[1] == 'i' ? &extra->fixed : &extra->reason;
    moi_free(self->head.ctx, *slot);
    *slot = key[1] == 'i' ? moi_strdup(self->head.ctx, text)
                          : read_reason(self->head.ctx, text);
    return *slot ? MOPT_OK : MOPT_ENOMEM;
}

/* What hangs on trials: one statement each, and who takes its rows. */
static const struct {
    moi_sql which;
    int32_t (*take)(moi_sqlite *self, int64_t row, sqlite3_stmt *statement);
} details[] = {
    {MOI_SQL_PARAMS, take_param},     {MOI_SQL_VALUES, take_value},
    {MOI_SQL_REPORTS, take_report},   {MOI_SQL_NOTES, take_note},
    {MOI_SQL_ATTRIBUTES, take_attribute},
};

/* Read what hangs on the trials in rows first .. last. */
static int32_t load_details(moi_sqlite *self, int64_t first, int64_t last)
{
    const moi_history *history = self->head.history;
    sqlite3_stmt *statement;
    int32_t found, rc;
    int64_t i, row;

    for (i = 0; i < MOI_COUNT(details); i++) {
        rc = moi_sqlite_prepare(self, details[i].which, &statement);
        if (rc)
            return rc;
        sqlite3_bind_int64(statement, 1, self->study_id);
        sqlite3_bind_int64(statement, 2, history->id[first]);
        sqlite3_bind_int64(statement, 3, history->id[last]);
        while (!(rc = moi_sqlite_step(self, statement, &found)) && found) {
            row = find_row(history, first, sqlite3_column_int64(statement, 0));
            if (row >= 0 &&
                (rc = details[i].take(self, row, statement)) != MOPT_OK)
                break;
        }
        sqlite3_reset(statement);
        if (rc)
            return rc;
    }
    return MOPT_OK;
}

static int32_t take_trial(moi_sqlite *self, sqlite3_stmt *statement)
{
    moi_history *history = self->head.history;
    const int64_t number = sqlite3_column_int64(statement, 1);
    int32_t state = 0;
    int64_t row;
    int32_t rc;

    if (number != history->count ||
        sqlite3_column_type(statement, 1) != SQLITE_INTEGER)
        return moi_fail(moi_sqlite_bad(self), "%s: trial %lld stands where "
                        "%lld should", self->place, (long long)number,
                        (long long)history->count);
    if ((rc = read_state(self, moi_sqlite_text(statement, 2), &state)) ||
        (rc = moi_history_reserve(history, history->count + 1)))
        return rc;
    row = moi_history_push(history, state,
                           sqlite3_column_int64(statement, 0));
    history->start[row] = read_time(statement, 3);
    history->complete[row] = read_time(statement, 4);
    return MOPT_OK;
}

/* Add the trials that are new. On failure none of them is there. */
static int32_t load_new(moi_sqlite *self)
{
    moi_history *history = self->head.history;
    const int64_t known = history->count;
    sqlite3_stmt *statement;
    int32_t found, rc;

    rc = moi_sqlite_prepare(self, MOI_SQL_TRIALS, &statement);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, self->study_id);
    sqlite3_bind_int64(statement, 2, known ? history->id[known - 1]
                                           : INT64_MIN);
    while (!(rc = moi_sqlite_step(self, statement, &found)) && found)
        if ((rc = take_trial(self, statement)))
            break;
    sqlite3_reset(statement);
    if (!rc && history->count > known)
        rc = load_details(self, known, history->count - 1);
    if (rc)
        moi_history_cut(history, known);
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

/* Read a row again that was not finished. */
static int32_t reload(moi_sqlite *self, int64_t row)
{
    moi_history *history = self->head.history;
    sqlite3_stmt *statement;
    int32_t found, state = 0, rc;

    rc = moi_sqlite_prepare(self, MOI_SQL_STATE, &statement);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, history->id[row]);
    sqlite3_bind_int64(statement, 2, self->study_id);
    rc = moi_sqlite_step(self, statement, &found);
    if (rc)
        return rc;
    if (!found)
        return moi_fail(MOPT_ESTORE, "%s: trial %lld is gone: somebody has "
                        "deleted the study", self->place, (long long)row);
    rc = read_state(self, moi_sqlite_text(statement, 0), &state);
    history->start[row] = read_time(statement, 1);
    history->complete[row] = read_time(statement, 2);
    sqlite3_reset(statement);
    if (rc)
        return rc;
    clear_row(history, row);
    rc = load_details(self, row, row);
    if (!rc)
        moi_history_set_state(history, row, state);
    return rc;
}

/* All that may have changed among the rows that are known. */
static int32_t load_open(moi_sqlite *self, int64_t known)
{
    const moi_history *history = self->head.history;
    int64_t row, left = history->tally[MOPT_TRIAL_RUNNING] +
                        history->tally[MOPT_TRIAL_WAITING];
    int32_t rc = MOPT_OK;

    for (row = 0; !rc && left > 0 && row < known; row++)
        if (history->state[row] == MOPT_TRIAL_RUNNING ||
            history->state[row] == MOPT_TRIAL_WAITING) {
            rc = reload(self, row);
            left--;
        }
    return rc;
}

static int32_t load_study_notes(moi_sqlite *self)
{
    moi_history *history = self->head.history;
    sqlite3_stmt *statement;
    int32_t found, rc;
    moi_note note;

    rc = moi_sqlite_prepare(self, MOI_SQL_STUDY_NOTES, &statement);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, self->study_id);
    while (!(rc = moi_sqlite_step(self, statement, &found)) && found) {
        rc = moi_grow(self->head.ctx, (void **)&history->notes,
                      &history->note_capacity, history->note_count + 1,
                      sizeof(note));
        if (!rc)
            rc = copy_note(self, statement, &note);
        if (rc)
            break;
        moi_note_put(self->head.ctx, history->notes, &history->note_count,
                     note.key, note.json);
    }
    sqlite3_reset(statement);
    return rc;
}

static int32_t read_version(moi_sqlite *self, int64_t *version)
{
    sqlite3_stmt *statement;
    int32_t found = 0, rc;

    rc = moi_sqlite_prepare(self, MOI_SQL_VERSION, &statement);
    if (!rc)
        rc = moi_sqlite_step(self, statement, &found);
    if (!rc && found)
        *version = sqlite3_column_int64(statement, 0);
    if (found)
        sqlite3_reset(statement);
    return rc;
}

int32_t moi_sqlite_load(moi_sqlite *self)
{
    moi_history *history = self->head.history;
    const int64_t known = history->count;
    int64_t version = 0;
    int32_t rc = read_version(self, &version);

    if (rc || version == self->version)
        return rc;
    moi_history_lock(history);
    rc = load_open(self, known);
    if (!rc)
        rc = load_new(self);
    if (!rc)
        rc = load_study_notes(self);
    moi_history_unlock(history);
    if (!rc)
        self->version = version;
    return rc;
}

int32_t moi_sqlite_pull(moi_store *store)
{
    moi_sqlite *self = (moi_sqlite *)store;
    int64_t version = 0;
    int32_t rc = read_version(self, &version);

    if (rc || version == self->version)
        return rc;
    /* One snapshot for all that is read. */
    rc = moi_sqlite_execute(self, "BEGIN");
    if (rc)
        return rc;
    rc = moi_sqlite_load(self);
    if (!rc)
        rc = moi_sqlite_execute(self, "COMMIT");
    if (rc && !sqlite3_get_autocommit(self->db))
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
