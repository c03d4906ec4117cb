/* SPDX-License-Identifier: MIT
 * lib/search/trial/history.c: every trial of a study, in columns. */
#include "search/trial/history.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

int32_t moi_history_init(moi_history *history, mopt_context *ctx,
                         const mopt_space *space, int64_t objectives,
                         const uint8_t *maximize)
{
    pthread_mutexattr_t kind;

    memset(history, 0, sizeof(*history));
    history->ctx = ctx;
    history->space = space;
    history->objectives = objectives;
    memcpy(history->maximize, maximize, (size_t)objectives);
    history->params = moi_calloc(ctx, space->count, sizeof(double *));
    if (!history->params)
        return MOPT_ENOMEM;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&history->lock, &kind);
    pthread_mutexattr_destroy(&kind);
    return MOPT_OK;
}

void moi_notes_free(mopt_context *ctx, moi_note *notes, int64_t count)
{
    int64_t i;

    for (i = 0; i < count; i++) {
        moi_free(ctx, notes[i].key);
        moi_free(ctx, notes[i].json);
    }
    moi_free(ctx, notes);
}

void moi_extra_free(mopt_context *ctx, moi_extra *extra)
{
    int64_t i;

    if (!extra)
        return;
    for (i = 0; i < extra->cell_count; i++) {
        moi_free(ctx, extra->cells[i].name);
        moi_domain_free(&extra->cells[i].domain);
    }
    moi_free(ctx, extra->cells);
    moi_notes_free(ctx, extra->notes, extra->note_count);
    moi_free(ctx, extra->reports);
    moi_free(ctx, extra->constraints);
    moi_free(ctx, extra->fixed);
    moi_free(ctx, extra->reason);
    moi_free(ctx, extra);
}

void moi_history_clear(moi_history *history)
{
    mopt_context *ctx = history->ctx;
    int64_t p;

    if (!history->params)
        return;
    moi_history_cut(history, 0);
    for (p = 0; p < history->space->count; p++)
        moi_free(ctx, history->params[p]);
    moi_free(ctx, history->params);
    moi_free(ctx, history->state);
    moi_free(ctx, history->id);
    moi_free(ctx, history->start);
    moi_free(ctx, history->complete);
    moi_free(ctx, history->claim);
    moi_free(ctx, history->values);
    moi_free(ctx, history->violation);
    moi_free(ctx, history->extra);
    moi_free(ctx, history->blank);
    moi_notes_free(ctx, history->notes, history->note_count);
    pthread_mutex_destroy(&history->lock);
}

void moi_history_lock(moi_history *history)
{
    pthread_mutex_lock(&history->lock);
}

void moi_history_unlock(moi_history *history)
{
    pthread_mutex_unlock(&history->lock);
}

/* Resize one column. The others may have the new size already: a failure
 * leaves them larger than they need be, no more. */
static int32_t resize(moi_history *history, void *column, int64_t rows,
                      size_t size)
{
    void *old, *grown;

    memcpy(&old, column, sizeof(old));
    grown = moi_realloc(history->ctx, old, rows, size);
    if (!grown)
        return MOPT_ENOMEM;
    memcpy(column, &grown, sizeof(grown));
    return MOPT_OK;
}

static int32_t resize_all(moi_history *history, int64_t rows)
{
    const size_t width = (size_t)history->objectives * sizeof(double);
    int64_t p;
    int32_t rc;

    if ((rc = resize(history, &history->state, rows, 1)) ||
        (rc = resize(history, &history->id, rows, sizeof(int64_t))) ||
        (rc = resize(history, &history->start, rows, sizeof(int64_t))) ||
        (rc = resize(history, &history->complete, rows, sizeof(int64_t))) ||
        (rc = resize(history, &history->claim, rows, sizeof(int64_t))) ||
        (rc = resize(history, &history->values, rows, width)) ||
        (rc = resize(history, &history->violation, rows, sizeof(double))) ||
        (rc = resize(history, &history->extra, rows, sizeof(moi_extra *))) ||
        (rc = resize(history, &history->blank, rows, 1)))
        return rc;
    for (p = 0; p < history->space->count; p++)
        if ((rc = resize(history, &history->params[p], rows, sizeof(double))))
            return rc;
    history->capacity = rows;
    return MOPT_OK;
}

int32_t moi_history_reserve(moi_history *history, int64_t rows)
{
    int64_t wanted = history->capacity + history->capacity / 2 + 16;
    int32_t rc;

    if (rows <= history->capacity)
        return MOPT_OK;
    moi_history_lock(history);
    rc = resize_all(history, wanted > rows ? wanted : rows);
    moi_history_unlock(history);
    return rc;
}

int64_t moi_history_push(moi_history *history, int32_t state, int64_t id)
{
    const int64_t row = history->count++;
    int64_t i;

    history->state[row] = (uint8_t)state;
    history->id[row] = id;
    history->start[row] = 0;
    history->complete[row] = 0;
    history->claim[row] = MOI_CLAIM_NONE;
    for (i = 0; i < history->objectives; i++)
        history->values[row * history->objectives + i] = NAN;
    history->violation[row] = NAN;
    for (i = 0; i < history->space->count; i++)
        history->params[i][row] = NAN;
    history->extra[row] = NULL;
    history->blank[row] = 0;
    history->tally[state]++;
    if (state == MOPT_TRIAL_WAITING && row < history->waiting)
        history->waiting = row;
    return row;
}

void moi_history_cut(moi_history *history, int64_t count)
{
    while (history->count > count) {
        const int64_t row = --history->count;

        history->tally[history->state[row]]--;
        history->blanks -= history->blank[row];
        moi_extra_free(history->ctx, history->extra[row]);
    }
    if (history->waiting > count)
        history->waiting = count;
    if (history->open > count)
        history->open = count;
}

void moi_history_set_state(moi_history *history, int64_t row, int32_t state)
{
    history->tally[history->state[row]]--;
    history->tally[state]++;
    history->state[row] = (uint8_t)state;
    if (state != MOPT_TRIAL_RUNNING)
        history->claim[row] = MOI_CLAIM_NONE;
    if (state == MOPT_TRIAL_WAITING && row < history->waiting)
        history->waiting = row;
    if (moi_history_is_open(history, row) && row < history->open)
        history->open = row;
}

int32_t moi_history_is_open(const moi_history *history, int64_t row)
{
    return history->state[row] == MOPT_TRIAL_RUNNING ||
           history->state[row] == MOPT_TRIAL_WAITING;
}

int64_t moi_history_first_open(moi_history *history)
{
    while (history->open < history->count &&
           !moi_history_is_open(history, history->open))
        history->open++;
    return history->open;
}

int64_t moi_history_live(moi_history *history)
{
    int64_t row = moi_history_first_open(history), live = 0;
    int64_t left = history->tally[MOPT_TRIAL_RUNNING];

    for (; left > 0 && row < history->count; row++)
        if (history->state[row] == MOPT_TRIAL_RUNNING) {
            live += history->claim[row] != MOI_CLAIM_NONE;
            left--;
        }
    return live;
}

void moi_history_set_blank(moi_history *history, int64_t row, int32_t blank)
{
    history->blanks += blank - history->blank[row];
    history->blank[row] = (uint8_t)blank;
}

void moi_history_claim(moi_history *history, int64_t row)
{
    history->claim[row] = ++history->claims;
}

void moi_history_reset(moi_history *history, int64_t row)
{
    moi_extra *extra = history->extra[row];

    history->start[row] = 0;
    history->violation[row] = NAN;
    if (!extra)
        return;
    extra->report_count = 0;
    moi_free(history->ctx, extra->constraints);
    extra->constraints = NULL;
    extra->constraint_count = 0;
}

moi_extra *moi_history_extra(moi_history *history, int64_t row)
{
    if (!history->extra[row])
        history->extra[row] = moi_calloc(history->ctx, 1, sizeof(moi_extra));
    return history->extra[row];
}

void moi_history_point(const moi_history *history, int64_t row, double *point)
{
    int64_t p;

    for (p = 0; p < history->space->count; p++)
        point[p] = history->params[p][row];
}

int64_t moi_history_waiting(moi_history *history)
{
    if (history->tally[MOPT_TRIAL_WAITING] == 0)
        return -1;
    while (history->state[history->waiting] != MOPT_TRIAL_WAITING)
        history->waiting++;
    return history->waiting;
}

int64_t moi_history_finished(const moi_history *history)
{
    return history->tally[MOPT_TRIAL_COMPLETE] +
           history->tally[MOPT_TRIAL_PRUNED] +
           history->tally[MOPT_TRIAL_FAILED];
}

/* Is row a better than row b? Infeasible rows by how far they are off. */
static int32_t better(const moi_history *history, int64_t a, int64_t b)
{
    const double off_a = history->violation[a] > 0 ? history->violation[a] : 0;
    const double off_b = history->violation[b] > 0 ? history->violation[b] : 0;
    const double value_a = history->values[a * history->objectives];
    const double value_b = history->values[b * history->objectives];

    if (off_a != off_b)
        return off_a < off_b;
    return history->maximize[0] ? value_a > value_b : value_a < value_b;
}

int64_t moi_history_best(const moi_history *history)
{
    int64_t row, best = -1;

    for (row = 0; row < history->count; row++)
        if (history->state[row] == MOPT_TRIAL_COMPLETE &&
            !isnan(history->values[row * history->objectives]) &&
            (best < 0 || better(history, row, best)))
            best = row;
    return best;
}

/* Place of the first report at step or later. */
static int64_t find_report(const moi_extra *extra, int64_t step)
{
    int64_t low = 0, high = extra->report_count;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (extra->reports[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t moi_extra_report(const moi_extra *extra, int64_t step, double *value)
{
    int64_t at;

    if (!extra || extra->report_count == 0)
        return 0;
    at = find_report(extra, step);
    if (at == extra->report_count || extra->reports[at].step != step)
        return 0;
    *value = extra->reports[at].value;
    return 1;
}

void moi_extra_put_report(moi_extra *extra, int64_t step, double value)
{
    const int64_t at = find_report(extra, step);

    memmove(&extra->reports[at + 1], &extra->reports[at],
            (size_t)(extra->report_count - at) * sizeof(*extra->reports));
    extra->reports[at] = (moi_report){step, value};
    extra->report_count++;
}

void moi_extra_drop_report(moi_extra *extra, int64_t step)
{
    const int64_t at = find_report(extra, step);

    extra->report_count--;
    memmove(&extra->reports[at], &extra->reports[at + 1],
            (size_t)(extra->report_count - at) * sizeof(*extra->reports));
}

double moi_violation(const double *constraints, int64_t count)
{
    double sum = 0;
    int64_t i;

    for (i = 0; i < count; i++)
        if (constraints[i] > 0)
            sum += constraints[i];
    return sum;
}

void moi_clean_text(char *text)
{
    json_t *probe = json_string(text);

    for (; !probe && *text; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
    json_decref(probe);
}

void moi_note_put(mopt_context *ctx, moi_note *notes, int64_t *count,
                  char *key, char *json)
{
    int64_t i;

    for (i = 0; i < *count; i++)
        if (strcmp(notes[i].key, key) == 0) {
            moi_free(ctx, notes[i].key);
            moi_free(ctx, notes[i].json);
            break;
        }
    if (i == *count)
        (*count)++;
    notes[i] = (moi_note){key, json};
}
