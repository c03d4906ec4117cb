/* SPDX-License-Identifier: MIT
 * lib/search/study/trial.c: handles to trials.
 *
 * A handle has its own copy of the parameters, which never change; all else is
 * read from the history. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "search/study/study.h"

void mopt_trial_free(mopt_trial *trial)
{
    mopt_study *study;

    if (!trial)
        return;
    study = trial->study;
    if (trial->asked)
        moi_study_give_back(study, trial->number, trial->claim);
    moi_free(study->ctx, trial);
    moi_study_release(study);
}

int64_t mopt_trial_number(const mopt_trial *trial)
{
    return trial ? trial->number : -1;
}

int32_t mopt_trial_state(const mopt_trial *trial)
{
    int32_t state;

    if (!trial)
        return -1;
    moi_history_lock(&trial->study->history);
    state = trial->study->history.state[trial->number];
    moi_history_unlock(&trial->study->history);
    return state;
}

/* A parameter that only the study's file knows. */
static const moi_cell *find_cell(const mopt_trial *trial, const char *name)
{
    const moi_extra *extra = trial->study->history.extra[trial->number];
    int64_t i;

    for (i = 0; extra && i < extra->cell_count; i++)
        if (strcmp(extra->cells[i].name, name) == 0)
            return &extra->cells[i];
    return NULL;
}

/* The domain, to be freed, and the value of a parameter. */
static int32_t find_value(const mopt_trial *trial, const char *name,
                          moi_domain *domain, double *value)
{
    const mopt_study *study = trial->study;
    const moi_cell *cell;
    int64_t p = moi_space_find(study->space, name);

    if (p >= 0 && !isnan(trial->params[p])) {
        *domain = study->space->params[p].domain;
        *value = trial->params[p];
        json_incref(domain->choices);
    } else {
        moi_history_lock(&trial->study->history);
        cell = find_cell(trial, name);
        if (cell) {
            *domain = cell->domain;
            *value = cell->value;
            json_incref(domain->choices);
        }
        moi_history_unlock(&trial->study->history);
        if (!cell && p < 0)
            return moi_space_need(study->space, name, &p);
        if (!cell)
            return moi_fail(MOPT_ESTATE, "%s: does not exist in trial %lld",
                            name, (long long)trial->number);
    }
    return MOPT_OK;
}

/* The value as the user sees it; a new reference. */
static int32_t show_value(const char *function, const mopt_trial *trial,
                          const char *name, const void *out, json_t **shown)
{
    moi_domain domain;
    double value;
    int32_t rc;

    if (!trial)
        return moi_fail_null(function, "trial");
    if (!name)
        return moi_fail_null(function, "name");
    if (!out)
        return moi_fail_null(function, "out");
    rc = find_value(trial, name, &domain, &value);
    if (rc)
        return rc;
    *shown = moi_domain_show(&domain, value);
    moi_domain_free(&domain);
    return *shown ? MOPT_OK : moi_fail(MOPT_ENOMEM, "no memory for '%s'",
                                       name);
}

static int32_t fail_type(const char *name, const json_t *shown,
                         const char *wanted)
{
    char excerpt[MOI_EXCERPT_SIZE];

    return moi_fail(MOPT_EINVAL, "%s: is %s, which is not %s", name,
                    moi_json_excerpt(shown, excerpt), wanted);
}

int32_t mopt_trial_get_float(const mopt_trial *trial, const char *name,
                             double *out)
{
    json_t *shown = NULL;
    int32_t rc = show_value("mopt_trial_get_float", trial, name, out, &shown);

    if (rc)
        return rc;
    if (json_is_number(shown))
        *out = json_number_value(shown);
    else
        rc = fail_type(name, shown, "a number");
    json_decref(shown);
    return rc;
}

int32_t mopt_trial_get_int(const mopt_trial *trial, const char *name,
                           int64_t *out)
{
    json_t *shown = NULL;
    double real;
    int32_t rc = show_value("mopt_trial_get_int", trial, name, out, &shown);

    if (rc)
        return rc;
    real = json_real_value(shown);
    if (json_is_integer(shown))
        *out = json_integer_value(shown);
    else if (json_is_boolean(shown))
        *out = json_is_true(shown);
    else if (json_is_real(shown) && real == floor(real) &&
             fabs(real) <= (double)MOI_DOMAIN_LIMIT)
        *out = (int64_t)real;
    else
        rc = fail_type(name, shown, "an integer");
    json_decref(shown);
    return rc;
}

int32_t mopt_trial_get_index(const mopt_trial *trial, const char *name,
                             int64_t *out)
{
    moi_domain domain;
    double value;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_get_index", "trial");
    if (!name)
        return moi_fail_null("mopt_trial_get_index", "name");
    if (!out)
        return moi_fail_null("mopt_trial_get_index", "out");
    rc = find_value(trial, name, &domain, &value);
    if (rc)
        return rc;
    if (domain.kind == MOI_DOMAIN_CHOICE)
        *out = (int64_t)value;
    else
        rc = moi_fail(MOPT_EINVAL, "%s: is not categorical", name);
    moi_domain_free(&domain);
    return rc;
}

int32_t mopt_trial_get_text(const mopt_trial *trial, const char *name,
                            char *buf, size_t cap, size_t *needed)
{
    json_t *shown = NULL;
    int32_t rc = show_value("mopt_trial_get_text", trial, name, "", &shown);

    if (rc)
        return rc;
    if (!json_is_string(shown))
        return moi_json_finish(trial->study->ctx, shown, buf, cap, needed);
    rc = moi_copy_out(json_string_value(shown), buf, cap, needed);
    json_decref(shown);
    return rc;
}

int32_t mopt_trial_apply(const mopt_trial *trial, mopt_config *config,
                         int64_t *applied)
{
    const mopt_space *space;
    int64_t p, count = 0;
    json_t *shown;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_apply", "trial");
    if (!config)
        return moi_fail_null("mopt_trial_apply", "config");
    space = trial->study->space;
    for (p = 0; p < space->count; p++) {
        const moi_param *param = &space->params[p];

        if (isnan(trial->params[p]))
            continue;
        shown = moi_domain_show(&param->domain, trial->params[p]);
        if (!shown)
            return moi_fail(MOPT_ENOMEM, "no memory for '%s'", param->name);
        rc = moi_config_set_value(config, param->name, shown);
        json_decref(shown);
        if (rc && rc != MOPT_EKEY)
            return rc;
        count += rc == MOPT_OK;
    }
    if (applied)
        *applied = count;
    return MOPT_OK;
}

/* Take the history's lock, the trial's row in full: whoever told it elsewhere
 * may have left more than was read of it. */
static int32_t lock_row(const mopt_trial *trial)
{
    mopt_study *study = trial->study;
    moi_history *history = &study->history;
    int32_t rc = MOPT_OK;

    moi_history_lock(history);
    while (!rc && history->blank[trial->number]) {
        /* The gate goes first. */
        moi_history_unlock(history);
        rc = moi_study_enter(study, MOI_NEWS_RESULTS);
        if (!rc)
            moi_study_leave(study);
        moi_history_lock(history);
    }
    if (rc)
        moi_history_unlock(history);
    return rc;
}

int32_t mopt_trial_value(const mopt_trial *trial, int64_t objective,
                         double *out)
{
    moi_history *history;
    double value;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_value", "trial");
    if (!out)
        return moi_fail_null("mopt_trial_value", "out");
    history = &trial->study->history;
    if (objective < 0 || objective >= history->objectives)
        return moi_fail(MOPT_EINVAL, "mopt_trial_value: objective is %lld, "
                        "but must be 0 to %lld", (long long)objective,
                        (long long)history->objectives - 1);
    rc = lock_row(trial);
    if (rc)
        return rc;
    value = history->values[trial->number * history->objectives + objective];
    moi_history_unlock(history);
    if (isnan(value))
        return moi_fail(MOPT_ESTATE, "trial %lld has no value",
                        (long long)trial->number);
    *out = value;
    return MOPT_OK;
}

/* --- Checkpoints -------------------------------------------------------- */

int32_t moi_study_checkpoint(const mopt_study *study, int64_t row,
                             moi_text *text)
{
    moi_text_init(text, study->ctx);
    if (study->checkpoints)
        moi_text_addf(text, "%s%lld.safetensors", study->checkpoints,
                      (long long)row);
    return text->status;
}

void moi_study_forget(mopt_study *study, moi_text *path)
{
    const moi_file_ops *files = study->ctx->files;

    if (study->checkpoints && path->status == MOPT_OK)
        files->unlink(files->user, moi_text_get(path));
    moi_text_free(path);
}

int32_t mopt_trial_checkpoint(const mopt_trial *trial, char *buf, size_t cap,
                              size_t *needed)
{
    moi_text path;

    if (!trial)
        return moi_fail_null("mopt_trial_checkpoint", "trial");
    if (!trial->study->checkpoints)
        return moi_fail(MOPT_ESTATE, "the study '%s' has no place for "
                        "checkpoints: it is in no file, and 'checkpoints' "
                        "names no folder", trial->study->name);
    moi_study_checkpoint(trial->study, trial->number, &path);
    return moi_text_finish(&path, buf, cap, needed);
}

/* --- Changing a trial --------------------------------------------------- */

/* Start a transaction, under the gate, and make room for an addition to a row
 * that runs; how is MOI_STORE_*. */
static int32_t open_row(mopt_trial *trial, int32_t how, moi_extra **extra)
{
    mopt_study *study = trial->study;
    moi_history *history = &study->history;
    int32_t rc = moi_store_begin(study->store, trial->number, how, NULL);

    if (rc)
        return rc;
    rc = moi_study_check_claim(study, trial->number, trial->claim);
    if (!rc) {
        moi_history_lock(history);
        *extra = moi_history_extra(history, trial->number);
        if (!*extra ||
            moi_grow(study->ctx, (void **)&(*extra)->notes,
                     &(*extra)->note_capacity, (*extra)->note_count + 1,
                     sizeof(moi_note)) ||
            moi_grow(study->ctx, (void **)&(*extra)->reports,
                     &(*extra)->report_capacity, (*extra)->report_count + 1,
                     sizeof(moi_report)))
            rc = MOPT_ENOMEM;
        moi_history_unlock(history);
    }
    if (rc)
        moi_store_rollback(study->store);
    return rc;
}

/* Commit or roll back, as rc says. */
static int32_t close_row(mopt_study *study, int32_t rc)
{
    if (!rc)
        return moi_store_commit(study->store);
    moi_store_rollback(study->store);
    return rc;
}

/* Put a report into the history and ask the pruner. */
static int32_t judge(mopt_study *study, int64_t row, moi_extra *extra,
                     int64_t step, double value, int32_t *prune)
{
    int32_t rc = MOPT_OK;

    *prune = 0;
    moi_history_lock(&study->history);
    moi_extra_put_report(extra, step, value);
    if (study->pruner->judge)
        rc = study->pruner->judge(study->pruner_state, &study->history, row,
                                  moi_last_step(extra), prune);
    moi_history_unlock(&study->history);
    return rc;
}

/* Store a report and ask the pruner, in a transaction. */
static int32_t report(mopt_trial *trial, int64_t step, double value,
                      int32_t *prune)
{
    mopt_study *study = trial->study;
    const int32_t how = study->pruner->judge ? MOI_STORE_NEWS : 0;
    moi_extra *extra;
    double known;
    int32_t rc = open_row(trial, how, &extra);

    if (rc)
        return rc;
    if (moi_extra_report(extra, step, &known))
        return close_row(study, moi_fail(MOPT_EINVAL, "mopt_trial_report: "
                                         "step %lld of trial %lld was "
                                         "reported already", (long long)step,
                                         (long long)trial->number));
    rc = judge(study, trial->number, extra, step, value, prune);
    if (!rc)
        rc = moi_store_report(study->store, trial->number, step, value);
    rc = close_row(study, rc);
    if (rc) {
        moi_history_lock(&study->history);
        moi_extra_drop_report(extra, step);
        moi_history_unlock(&study->history);
    }
    return rc;
}

int32_t mopt_trial_report(mopt_trial *trial, int64_t step, double value)
{
    mopt_study *study;
    int32_t prune, rc;

    if (!trial)
        return moi_fail_null("mopt_trial_report", "trial");
    if (step < 0)
        return moi_fail(MOPT_EINVAL, "mopt_trial_report: step is %lld, but "
                        "must not be negative", (long long)step);
    study = trial->study;
    pthread_mutex_lock(&study->gate);
    do
        rc = report(trial, step, value, &prune);
    while (moi_store_again(study->store, rc));
    moi_study_leave(study);
    if (rc)
        return rc;
    return prune ? MOPT_PRUNED : MOPT_OK;
}

/* Store a note and put it into the history, in a transaction. */
static int32_t set_note(mopt_trial *trial, const char *key, const char *json)
{
    mopt_context *ctx = trial->study->ctx;
    moi_extra *extra;
    char *key_copy, *json_copy;
    int32_t rc = open_row(trial, 0, &extra);

    if (rc)
        return rc;
    key_copy = moi_strdup(ctx, key);
    json_copy = moi_strdup(ctx, json);
    rc = key_copy && json_copy
             ? moi_store_note(trial->study->store, MOI_NOTE_TRIAL,
                              trial->number, key, json)
             : MOPT_ENOMEM;
    rc = close_row(trial->study, rc);
    if (!rc) {
        moi_history_lock(&trial->study->history);
        moi_note_put(ctx, extra->notes, &extra->note_count, key_copy,
                     json_copy);
        moi_history_unlock(&trial->study->history);
    } else {
        moi_free(ctx, key_copy);
        moi_free(ctx, json_copy);
    }
    return rc;
}

int32_t mopt_trial_set_note(mopt_trial *trial, const char *key,
                            const char *json)
{
    mopt_study *study;
    json_t *value = NULL;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_set_note", "trial");
    if (!key)
        return moi_fail_null("mopt_trial_set_note", "key");
    if (!json)
        return moi_fail_null("mopt_trial_set_note", "json");
    if ((rc = moi_name_check("a note's key", key)) ||
        (rc = moi_json_parse(json, &value)))
        return rc;
    json_decref(value);
    study = trial->study;
    pthread_mutex_lock(&study->gate);
    do
        rc = set_note(trial, key, json);
    while (moi_store_again(study->store, rc));
    moi_study_leave(study);
    return rc;
}

/* Constraints as Optuna's attribute has them. */
static char *write_constraints(mopt_context *ctx, const double *values,
                               int64_t count)
{
    moi_text text;
    int64_t i;

    moi_text_init(&text, ctx);
    moi_text_add(&text, "[");
    for (i = 0; i < count; i++) {
        moi_text_add(&text, i > 0 ? ", " : "");
        moi_text_add_number(&text, values[i]);
    }
    moi_text_add(&text, "]");
    if (!text.status)
        return text.data;
    moi_text_free(&text);
    return NULL;
}

static int32_t check_constraints(const double *values, int64_t count)
{
    int64_t i;

    if (count < 1 || count > 4096)
        return moi_fail(MOPT_EINVAL, "mopt_trial_set_constraints: count is "
                        "%lld, but must be 1 to 4096", (long long)count);
    for (i = 0; i < count; i++)
        if (isnan(values[i]))
            return moi_fail(MOPT_EINVAL, "mopt_trial_set_constraints: value "
                            "%lld is NaN", (long long)i);
    return MOPT_OK;
}

/* Store constraints and put them into the history, in a transaction. */
static int32_t set_constraints(mopt_trial *trial, const double *values,
                               int64_t count)
{
    mopt_study *study = trial->study;
    moi_extra *extra;
    double *copy;
    char *json;
    int32_t rc = open_row(trial, 0, &extra);

    if (rc)
        return rc;
    copy = moi_alloc(study->ctx, count, sizeof(*copy));
    json = write_constraints(study->ctx, values, count);
    rc = copy && json ? moi_store_note(study->store, MOI_NOTE_CONSTRAINTS,
                                       trial->number, "constraints", json)
                      : MOPT_ENOMEM;
    rc = close_row(study, rc);
    if (!rc) {
        memcpy(copy, values, (size_t)count * sizeof(*copy));
        moi_history_lock(&study->history);
        moi_free(study->ctx, extra->constraints);
        extra->constraints = copy;
        extra->constraint_count = count;
        study->history.violation[trial->number] = moi_violation(copy, count);
        moi_history_unlock(&study->history);
    } else {
        moi_free(study->ctx, copy);
    }
    moi_free(study->ctx, json);
    return rc;
}

int32_t mopt_trial_set_constraints(mopt_trial *trial, const double *values,
                                   int64_t count)
{
    mopt_study *study;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_set_constraints", "trial");
    if (!values)
        return moi_fail_null("mopt_trial_set_constraints", "values");
    if ((rc = check_constraints(values, count)))
        return rc;
    study = trial->study;
    pthread_mutex_lock(&study->gate);
    do
        rc = set_constraints(trial, values, count);
    while (moi_store_again(study->store, rc));
    moi_study_leave(study);
    return rc;
}

int32_t mopt_trial_to_json(const mopt_trial *trial, char *buf, size_t cap,
                           size_t *needed)
{
    moi_history *history;
    json_t *object;
    int32_t rc;

    if (!trial)
        return moi_fail_null("mopt_trial_to_json", "trial");
    history = &trial->study->history;
    rc = lock_row(trial);
    if (rc)
        return rc;
    object = moi_trial_document(history, trial->number);
    moi_history_unlock(history);
    return moi_json_finish(trial->study->ctx, object, buf, cap, needed);
}
