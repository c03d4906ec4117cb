/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_detail.c: what hangs on trials: parameters,
 * values, reports, notes and attributes, row by row into the history. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "search/store/relational.h"

/* Columns of what hangs on a trial. */
#define COLUMN_NUMBER 2
#define COLUMN_TEXT 3
#define COLUMN_REAL 4
#define COLUMN_JSON 5

/* A value with its type: FINITE, INF_POS, INF_NEG, NAN. */
static double read_value(const mopt_value *row)
{
    const char *type = moi_rel_text_of(&row[COLUMN_TEXT]);

    if (strcmp(type, "INF_POS") == 0)
        return INFINITY;
    if (strcmp(type, "INF_NEG") == 0)
        return -INFINITY;
    return strcmp(type, "FINITE") == 0 ? moi_rel_real_of(&row[COLUMN_REAL])
                                       : NAN;
}

/* Keep a parameter that the space does not have, or has otherwise. */
static int32_t add_cell(moi_relational *self, int64_t row,
                        const mopt_value *fields, moi_domain *domain)
{
    mopt_context *ctx = self->head.ctx;
    moi_extra *extra = moi_history_extra(self->head.history, row);
    moi_cell cell = {NULL, *domain, moi_rel_real_of(&fields[COLUMN_REAL])};

    if (extra)
        cell.name = moi_strdup(ctx, moi_rel_text_of(&fields[COLUMN_TEXT]));
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

static int32_t read_domain(const moi_relational *self, const char *name,
                           const char *text, moi_domain *domain)
{
    int32_t rc = moi_distribution_read(text, domain);

    if (rc == MOPT_EFORMAT)
        return moi_fail_at(moi_rel_bad(self), "%s: parameter '%.64s': ",
                           self->shown, name);
    return rc;
}

static int32_t fail_misfit(const moi_relational *self, const char *name,
                           const moi_domain *own, const moi_domain *old)
{
    char a[MOI_DOMAIN_TEXT], b[MOI_DOMAIN_TEXT];

    return moi_fail(MOPT_EINVAL, "%s: %s: a study cannot have both %s%s, as "
                    "in its trials, and %s%s", self->shown, name,
                    moi_domain_text(old, a), old->log ? " (log)" : "",
                    moi_domain_text(own, b), own->log ? " (log)" : "");
}

/* Does the distribution go with parameter p of the space? The answer for the
 * last text is remembered. */
static int32_t check_fit(moi_relational *self, int64_t p, const char *name,
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

static int32_t take_param(moi_relational *self, int64_t row,
                          const mopt_value *fields)
{
    moi_history *history = self->head.history;
    const char *name = moi_rel_text_of(&fields[COLUMN_TEXT]);
    const char *text = moi_rel_text_of(&fields[COLUMN_JSON]);
    const double value = moi_rel_real_of(&fields[COLUMN_REAL]);
    const int64_t p = moi_space_find(history->space, name);
    moi_domain domain;
    int32_t rc;

    if (p >= 0) {
        rc = check_fit(self, p, name, text);
        if (rc)
            return rc;
        if (self->fits[p] && !isnan(value)) {
            history->params[p][row] =
                moi_domain_snap(&history->space->params[p].domain, value);
            return MOPT_OK;
        }
    }
    rc = read_domain(self, name, text, &domain);
    return rc ? rc : add_cell(self, row, fields, &domain);
}

static int32_t take_value(moi_relational *self, int64_t row,
                          const mopt_value *fields)
{
    moi_history *history = self->head.history;
    const int64_t objective = moi_rel_int_of(&fields[COLUMN_NUMBER]);

    if (objective < 0 || objective >= history->objectives)
        return moi_fail(moi_rel_bad(self), "%s: trial %lld has a value for "
                        "objective %lld of %lld", self->shown, (long long)row,
                        (long long)objective,
                        (long long)history->objectives);
    history->values[row * history->objectives + objective] =
        read_value(fields);
    return MOPT_OK;
}

static int32_t take_report(moi_relational *self, int64_t row,
                           const mopt_value *fields)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    const int64_t step = moi_rel_int_of(&fields[COLUMN_NUMBER]);
    double known;

    if (!extra ||
        moi_grow(self->head.ctx, (void **)&extra->reports,
                 &extra->report_capacity, extra->report_count + 1,
                 sizeof(moi_report)))
        return MOPT_ENOMEM;
    if (!moi_extra_report(extra, step, &known))
        moi_extra_put_report(extra, step, read_value(fields));
    return MOPT_OK;
}

int32_t moi_rel_copy_note(moi_relational *self, const mopt_value *key,
                          const mopt_value *json, moi_note *note)
{
    note->key = moi_strdup(self->head.ctx, moi_rel_text_of(key));
    note->json = moi_strdup(self->head.ctx, moi_rel_text_of(json));
    if (note->key && note->json) {
        moi_clean_text(note->key);
        moi_clean_text(note->json);
        return MOPT_OK;
    }
    moi_free(self->head.ctx, note->key);
    moi_free(self->head.ctx, note->json);
    return MOPT_ENOMEM;
}

static int32_t take_note(moi_relational *self, int64_t row,
                         const mopt_value *fields)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    moi_note note;

    if (!extra ||
        moi_grow(self->head.ctx, (void **)&extra->notes,
                 &extra->note_capacity, extra->note_count + 1,
                 sizeof(note)) ||
        moi_rel_copy_note(self, &fields[COLUMN_TEXT], &fields[COLUMN_JSON],
                          &note))
        return MOPT_ENOMEM;
    moi_note_put(self->head.ctx, extra->notes, &extra->note_count, note.key,
                 note.json);
    return MOPT_OK;
}

/* Add constraints: a list of numbers, or one number. */
static int32_t take_constraints(moi_relational *self, int64_t row,
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

/* The list of an earlier life's numbers, as Optuna's callback keeps it. */
static int64_t count_retries(mopt_context *ctx, const char *text)
{
    json_t *list = moi_json_lenient(ctx, text);
    const int64_t count = (int64_t)json_array_size(list);

    json_decref(list);
    return count;
}

static int32_t take_attribute(moi_relational *self, int64_t row,
                              const mopt_value *fields)
{
    moi_extra *extra = moi_history_extra(self->head.history, row);
    const char *key = moi_rel_text_of(&fields[COLUMN_TEXT]);
    const char *text = moi_rel_text_of(&fields[COLUMN_JSON]);
    char **slot;

    if (!extra)
        return MOPT_ENOMEM;
    if (strncmp(key, "constraints", 11) == 0)
        return take_constraints(self, row, text);
    if (strcmp(key, "retry_history") == 0) {
        extra->retries = count_retries(self->head.ctx, text);
        return MOPT_OK;
    }
    slot = key[1] == 'i' ? &extra->fixed : &extra->reason;
    moi_free(self->head.ctx, *slot);
    *slot = key[1] == 'i' ? moi_strdup(self->head.ctx, text)
                          : read_reason(self->head.ctx, text);
    return *slot ? MOPT_OK : MOPT_ENOMEM;
}

/* Who takes what hangs on trials, by the first column. */
static int32_t (*const takers[])(moi_relational *self, int64_t row,
                                 const mopt_value *fields) = {
    take_param, take_value, take_report, take_note, take_attribute,
};

int32_t moi_rel_take(moi_relational *self, int64_t row,
                     const mopt_value *fields)
{
    const int64_t kind = moi_rel_int_of(&fields[0]);

    return kind >= 0 && kind < MOI_COUNT(takers)
               ? takers[kind](self, row, fields)
               : MOPT_OK;
}
