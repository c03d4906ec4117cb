/* SPDX-License-Identifier: MIT
 * lib/search/study/ask.c: handing out trials and taking back results.
 *
 * A trial's point is fixed when it is asked for, and depends on nothing but
 * the seed, its number and the points of trials with lower numbers; trials are
 * numbered under the gate. So any number of workers gets the same trials. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"
#include "search/study/study.h"

/* Fresh draws before the last free points are looked for one by one. */
#define ATTEMPTS 200

/* The same where there is no end of points to look through. */
#define ATTEMPTS_ENDLESS 10000

int32_t moi_trial_new(mopt_study *study, mopt_trial **out)
{
    const size_t width = (size_t)study->space->count * sizeof(double);
    mopt_trial *trial = moi_alloc(study->ctx, 1, sizeof(*trial) + width);

    if (!trial)
        return MOPT_ENOMEM;
    trial->study = study;
    trial->number = -1;
    trial->asked = 0;
    trial->claim = MOI_CLAIM_NONE;
    atomic_fetch_add(&study->refs, 1);
    *out = trial;
    return MOPT_OK;
}

/* One value that was enqueued, by name. */
static int32_t fix_value(const mopt_study *study, const char *name,
                         const json_t *value, double *fixed)
{
    int64_t p = moi_space_find(study->space, name);
    int32_t rc;

    if (p < 0)
        return MOPT_OK;
    rc = moi_domain_read(&study->space->params[p].domain, value, &fixed[p]);
    return rc ? moi_fail_at(rc, "%s: ", name) : MOPT_OK;
}

/* What of a waiting trial's point is given: what it had when it was given
 * back, and what was enqueued. Names that the space does not have are of no
 * use to it. */
static int32_t fix_values(mopt_study *study, int64_t row)
{
    const moi_extra *extra = study->history.extra[row];
    json_t *enqueued = NULL;
    const char *name;
    const json_t *value;
    int64_t p;
    int32_t rc = MOPT_OK;

    for (p = 0; p < study->space->count; p++)
        study->fixed[p] = study->history.params[p][row];
    if (!extra || !extra->fixed)
        return MOPT_OK;
    rc = moi_json_parse(extra->fixed, &enqueued);
    json_object_foreach(enqueued, name, value) {
        p = moi_space_find(study->space, name);
        if (!rc && (p < 0 || isnan(study->fixed[p])))
            rc = fix_value(study, name, value, study->fixed);
    }
    json_decref(enqueued);
    return rc;
}

/* The first point, from a place that the trial's stream gives, that was not
 * drawn: what is left when draws hit nothing but duplicates. */
static int32_t find_left(mopt_study *study, const moi_ask *ask)
{
    const int64_t count = moi_lattice_count(study->lattice);
    int64_t place, i;
    moi_rng rng;

    moi_rng_init(&rng, study->seed, (uint32_t)ask->number, MOI_RNG_SAMPLE, 0);
    place = (int64_t)moi_rng_below(&rng, (uint64_t)count);
    for (i = 0; i < count; i++) {
        moi_lattice_point(study->lattice, place, study->point);
        if (!moi_points_have(&study->points, study->point))
            return MOPT_OK;
        place = place + 1 < count ? place + 1 : 0;
    }
    return moi_fail(MOPT_EXHAUSTED, "all %lld points of the space are drawn",
                    (long long)count);
}

/* Propose until the point is new. What is enqueued in full is taken as it is;
 * what is enqueued in part is tried, and then taken. */
static int32_t propose_new(mopt_study *study, moi_ask *ask, int32_t waiting)
{
    const int64_t count = moi_lattice_count(study->lattice);
    const int64_t attempts =
        count == INT64_MAX && !waiting ? ATTEMPTS_ENDLESS : ATTEMPTS;
    int32_t rc = MOPT_OK;

    if (!waiting && study->points.count >= count)
        return moi_fail(MOPT_EXHAUSTED, "all %lld points of the space are "
                        "drawn", (long long)count);
    for (ask->attempt = 0; ask->attempt < attempts; ask->attempt++) {
        rc = study->sampler->propose(study->sampler_state, ask, study->point);
        if (rc || !moi_points_have(&study->points, study->point))
            return rc;
    }
    if (waiting)
        return MOPT_OK;
    if (count < INT64_MAX)
        return find_left(study, ask);
    return moi_fail(MOPT_EXHAUSTED, "no new point in %d draws",
                    ATTEMPTS_ENDLESS);
}

/* The point of a trial into study->point, with what study->fixed says. */
static int32_t propose(mopt_study *study, int64_t number, int32_t waiting)
{
    moi_ask ask = {study->space, &study->history, NULL, study->seed, number,
                   0, study->fixed};
    int32_t rc;

    if (study->wants_points) {
        rc = moi_points_update(&study->points);
        if (rc)
            return rc;
        ask.points = &study->points;
    }
    if (study->avoid)
        return propose_new(study, &ask, waiting);
    return study->sampler->propose(study->sampler_state, &ask, study->point);
}

/* Write the point of a row into the history. */
static void publish(mopt_study *study, int64_t row, int64_t when, int64_t id)
{
    moi_history *history = &study->history;
    int64_t p;

    moi_history_lock(history);
    if (row == history->count)
        moi_history_push(history, MOPT_TRIAL_RUNNING, id);
    else
        moi_history_set_state(history, row, MOPT_TRIAL_RUNNING);
    moi_history_claim(history, row);
    history->start[row] = when;
    for (p = 0; p < study->space->count; p++)
        history->params[p][row] = study->point[p];
    moi_history_unlock(history);
}

/* Start a trial that waits; in the transaction, history not yet changed. A
 * returned trial keeps its point. */
static int32_t start_waiting(mopt_study *study, int64_t row, int64_t when)
{
    int32_t rc = propose(study, row, 1);

    return rc ? rc : moi_store_start(study->store, row, when, study->point);
}

static int32_t start_new(mopt_study *study, int64_t when, int64_t *id)
{
    const moi_draft draft = {MOPT_TRIAL_RUNNING, when, study->point, NULL};
    int64_t p;
    int32_t rc;

    for (p = 0; p < study->space->count; p++)
        study->fixed[p] = NAN;
    rc = propose(study, study->history.count, 0);
    return rc ? rc : moi_store_add(study->store, &draft, id);
}

/* End a trial within the transaction that is open, and publish it. */
static int32_t end_row(mopt_study *study, int64_t row,
                       const moi_ending *ending);

/* A trial that its workers do not survive is not given to ever more. */
static int32_t check_retries(const mopt_study *study, int64_t row)
{
    const moi_extra *extra = study->history.extra[row];

    if (!extra || extra->retries <= study->retries)
        return MOPT_OK;
    return moi_fail(MOPT_ESTATE, "%lld workers have died while they worked on "
                    "this trial; 'retries' allows %lld",
                    (long long)extra->retries, (long long)study->retries);
}

/* Take a waiting trial out of the way: its enqueued values make no sense, or
 * its workers die. */
static int32_t fail_waiting(mopt_study *study, int64_t row)
{
    const moi_ending ending = {MOPT_TRIAL_FAILED,
                               moi_context_utc_micros(study->ctx), NULL,
                               moi_last_text()};
    moi_text path;
    int32_t rc = moi_study_checkpoint(study, row, &path);

    if (rc)
        moi_store_rollback(study->store);
    else
        rc = end_row(study, row, &ending);
    if (rc)
        moi_text_free(&path);
    else
        moi_study_forget(study, &path);
    return rc;
}

/* In the transaction: send what the dead left running back to waiting, and
 * commit that, in which case *done is 1; otherwise see whether limit trials
 * are finished or under way, MOPT_STOPPED. */
static int32_t take_census(mopt_study *study, int64_t limit, int32_t *done)
{
    int32_t buried = 0, rc;
    int64_t live;

    rc = moi_store_census(study->store, &live, &buried);
    *done = !rc && buried > 0;
    if (*done)
        return moi_store_commit(study->store);
    if (!rc && limit >= 0 &&
        moi_history_finished(&study->history) + live >= limit)
        rc = MOPT_STOPPED;
    if (rc)
        moi_store_rollback(study->store);
    return rc;
}

int32_t moi_study_census(mopt_study *study)
{
    int32_t done = 0, rc;

    pthread_mutex_lock(&study->gate);
    do {
        rc = moi_store_begin(study->store, MOI_STORE_ALL, 0, NULL);
        if (!rc)
            rc = take_census(study, -1, &done);
        if (!rc && !done)
            moi_store_rollback(study->store);
    } while (moi_store_again(study->store, rc));
    if (!rc)
        rc = moi_store_pull(study->store, MOI_NEWS_STATES);
    moi_study_leave(study);
    return rc;
}

/* One round under the gate: *row is the trial that runs now, or -1 if another
 * round is needed, because a trial had to be taken out of the way first. */
static int32_t ask_once(mopt_study *study, int64_t limit,
                        const mopt_cancel *cancel, int64_t *row)
{
    const int64_t when = moi_context_utc_micros(study->ctx);
    int32_t done = 0;
    int64_t id = -1;
    int32_t rc = moi_store_begin(study->store, MOI_STORE_ALL, 0, cancel);

    *row = -1;
    if (!rc)
        rc = take_census(study, limit, &done);
    if (rc || done)
        return rc;
    rc = moi_history_reserve(&study->history, study->history.count + 1);
    if (!rc) {
        *row = moi_history_waiting(&study->history);
        if (*row >= 0 && ((rc = check_retries(study, *row)) != MOPT_OK ||
                          (rc = fix_values(study, *row)) != MOPT_OK) &&
            rc != MOPT_ENOMEM) {
            rc = fail_waiting(study, *row);
            *row = -1;
            return rc;
        }
    }
    if (!rc)
        rc = *row >= 0 ? start_waiting(study, *row, when)
                       : start_new(study, when, &id);
    if (rc) {
        moi_store_rollback(study->store);
        return rc;
    }
    rc = moi_store_commit(study->store);
    if (rc)
        return rc;
    if (*row < 0)
        *row = study->history.count;
    publish(study, *row, when, id);
    return MOPT_OK;
}

int32_t moi_study_ask(mopt_study *study, int64_t limit,
                      const mopt_cancel *cancel, mopt_trial **out)
{
    mopt_trial *trial = NULL;
    int64_t row = -1;
    int32_t rc = moi_trial_new(study, &trial);

    if (rc)
        return rc;
    pthread_mutex_lock(&study->gate);
    do
        rc = ask_once(study, limit, cancel, &row);
    while (rc ? moi_store_again(study->store, rc) : row < 0);
    if (!rc) {
        memcpy(trial->params, study->point,
               (size_t)study->space->count * sizeof(double));
        trial->claim = study->history.claim[row];
    }
    moi_study_leave(study);
    if (rc) {
        mopt_trial_free(trial);
        return rc;
    }
    trial->number = row;
    trial->asked = 1;
    *out = trial;
    return MOPT_OK;
}

int32_t mopt_study_ask(mopt_study *study, mopt_trial **out)
{
    if (!study)
        return moi_fail_null("mopt_study_ask", "study");
    if (!out)
        return moi_fail_null("mopt_study_ask", "out");
    if (!study->can_sample)
        return moi_fail(MOPT_ESTATE, "the study '%s' was opened without a "
                        "space: it can be read, but not asked", study->name);
    return moi_study_ask(study, -1, NULL, out);
}

/* Values of an ending into the history's row. */
static void publish_end(mopt_study *study, int64_t row,
                        const moi_ending *ending, char *reason)
{
    moi_history *history = &study->history;
    int64_t i;

    moi_history_lock(history);
    if (ending->state == MOPT_TRIAL_WAITING)
        moi_history_reset(history, row);
    else
        history->complete[row] = ending->complete;
    for (i = 0; ending->values && i < history->objectives; i++)
        history->values[row * history->objectives + i] = ending->values[i];
    if (reason) {
        moi_free(study->ctx, history->extra[row]->reason);
        history->extra[row]->reason = reason;
    }
    moi_history_set_state(history, row, ending->state);
    moi_history_unlock(history);
}

static int32_t end_row(mopt_study *study, int64_t row,
                       const moi_ending *ending)
{
    moi_history *history = &study->history;
    moi_ending kept = *ending;
    char *reason = NULL;
    int32_t rc = MOPT_OK;

    if (ending->reason) {
        reason = moi_strdup(study->ctx, ending->reason);
        moi_history_lock(history);
        if (!reason || !moi_history_extra(history, row))
            rc = MOPT_ENOMEM;
        else
            moi_clean_text(reason);
        kept.reason = reason;
        moi_history_unlock(history);
    }
    if (!rc)
        rc = moi_store_finish(study->store, row, &kept);
    if (rc)
        moi_store_rollback(study->store);
    else
        rc = moi_store_commit(study->store);
    if (rc) {
        moi_free(study->ctx, reason);
        return rc;
    }
    publish_end(study, row, ending, reason);
    return MOPT_OK;
}

int32_t moi_study_check_claim(const mopt_study *study, int64_t row,
                              int64_t claim)
{
    const moi_history *history = &study->history;

    if (history->state[row] == MOPT_TRIAL_RUNNING &&
        (claim == MOI_CLAIM_NONE || claim == history->claim[row]))
        return MOPT_OK;
    if (history->state[row] == MOPT_TRIAL_WAITING ||
        history->state[row] == MOPT_TRIAL_RUNNING)
        return moi_fail(MOPT_ESTATE, "trial %lld is no longer this worker's: "
                        "there was no sign of life from it for too long, and "
                        "the trial was given to another", (long long)row);
    return moi_fail(MOPT_ESTATE, "trial %lld does not run: it was told "
                    "already", (long long)row);
}

int32_t moi_study_tell(mopt_study *study, int64_t row, int64_t claim,
                       const moi_ending *ending, const mopt_cancel *cancel)
{
    const int32_t how =
        study->lasting && ending->state != MOPT_TRIAL_WAITING
            ? MOI_STORE_LASTING
            : 0;
    int32_t rc;

    pthread_mutex_lock(&study->gate);
    do {
        rc = moi_store_begin(study->store, row, how, cancel);
        if (rc)
            continue;
        rc = moi_study_check_claim(study, row, claim);
        if (rc)
            moi_store_rollback(study->store);
        else
            rc = end_row(study, row, ending);
    } while (moi_store_again(study->store, rc));
    moi_study_leave(study);
    return rc;
}

void moi_study_give_back(mopt_study *study, int64_t row, int64_t claim)
{
    const moi_ending ending = {MOPT_TRIAL_WAITING, 0, NULL, NULL};

    if (moi_study_tell(study, row, claim, &ending, NULL))
        moi_log(study->ctx, MOPT_LOG_WARN, "study",
                "trial %lld could not be given back: %s", (long long)row,
                moi_last_text());
}

static int32_t check_values(const mopt_study *study, int32_t state,
                            const double *values)
{
    if (state < MOPT_TRIAL_COMPLETE || state > MOPT_TRIAL_WAITING)
        return moi_fail(MOPT_EINVAL, "mopt_study_tell: state is %d, but must "
                        "be MOPT_TRIAL_COMPLETE (1), _PRUNED (2), _FAILED (3) "
                        "or _WAITING (4)", (int)state);
    if (state == MOPT_TRIAL_COMPLETE && !values)
        return moi_fail(MOPT_EINVAL, "mopt_study_tell: a complete trial needs "
                        "values (%lld)",
                        (long long)study->history.objectives);
    if (state != MOPT_TRIAL_COMPLETE && values)
        return moi_fail(MOPT_EINVAL, "mopt_study_tell: only a complete trial "
                        "has values");
    return MOPT_OK;
}

/* A pruned trial's value is its last report, as in Optuna; NULL if that is no
 * number, or with several objectives. */
static const double *last_report(mopt_study *study, int64_t row,
                                 double *value)
{
    moi_history *history = &study->history;
    const moi_extra *extra;

    *value = NAN;
    moi_history_lock(history);
    extra = history->extra[row];
    if (extra && extra->report_count > 0)
        *value = extra->reports[extra->report_count - 1].value;
    moi_history_unlock(history);
    return isnan(*value) || history->objectives > 1 ? NULL : value;
}

int32_t moi_study_has_ended(mopt_study *study, int64_t row)
{
    moi_history *history = &study->history;
    int32_t ended;

    moi_history_lock(history);
    ended = !moi_history_is_open(history, row);
    moi_history_unlock(history);
    return ended;
}

int32_t moi_study_tell_trial(mopt_study *study, mopt_trial *trial,
                             int32_t state, const double *values,
                             const char *reason, const mopt_cancel *cancel)
{
    moi_ending ending = {state, 0, values, NULL};
    moi_text path;
    double last;
    int64_t i;
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_tell", "study");
    if (!trial)
        return moi_fail_null("mopt_study_tell", "trial");
    if (trial->study != study)
        return moi_fail(MOPT_EINVAL, "mopt_study_tell: the trial belongs to "
                        "another study");
    if ((rc = check_values(study, state, values)))
        return rc;
    ending.complete = moi_context_utc_micros(study->ctx);
    for (i = 0; values && i < study->history.objectives; i++)
        if (isnan(values[i])) {
            ending.state = MOPT_TRIAL_FAILED;
            ending.reason = "the value is NaN";
            values = ending.values = NULL;
        }
    if (state == MOPT_TRIAL_FAILED)
        ending.reason = reason;
    if (state == MOPT_TRIAL_PRUNED)
        ending.values = last_report(study, trial->number, &last);
    rc = moi_study_checkpoint(study, trial->number, &path);
    if (!rc)
        rc = moi_study_tell(study, trial->number, trial->claim, &ending,
                            cancel);
    if (!rc)
        trial->asked = 0;
    /* Nobody will go on with it, whoever told it: one that was thought dead may
     * write a checkpoint after that. */
    if ((!rc || rc == MOPT_ESTATE) &&
        moi_study_has_ended(study, trial->number))
        moi_study_forget(study, &path);
    else
        moi_text_free(&path);
    return rc;
}

int32_t mopt_study_tell(mopt_study *study, mopt_trial *trial, int32_t state,
                        const double *values, const char *reason)
{
    return moi_study_tell_trial(study, trial, state, values, reason, NULL);
}

/* Every value is one that its parameter can have? */
static int32_t check_enqueued(mopt_study *study, const json_t *params)
{
    const char *name;
    const json_t *value;
    int64_t p;
    double ignored;
    int32_t rc;

    if (!json_is_object(params))
        return moi_fail(MOPT_EINVAL, "mopt_study_enqueue: params must be a "
                        "JSON object, not %s", moi_json_kind(params));
    json_object_foreach((json_t *)params, name, value) {
        rc = moi_space_need(study->space, name, &p);
        if (rc)
            return rc;
        rc = moi_domain_read(&study->space->params[p].domain, value,
                             &ignored);
        if (rc)
            return moi_fail_at(rc, "%s: ", name);
    }
    return MOPT_OK;
}

/* Add a waiting trial, under the gate. */
static int32_t add_waiting(mopt_study *study, char *fixed, moi_extra *extra)
{
    const moi_draft draft = {MOPT_TRIAL_WAITING, 0, NULL, fixed};
    moi_history *history = &study->history;
    int64_t id, row;
    int32_t rc = moi_store_begin(study->store, MOI_STORE_ALL,
                                 study->lasting ? MOI_STORE_LASTING : 0, NULL);

    if (rc)
        return rc;
    rc = moi_history_reserve(history, history->count + 1);
    if (!rc)
        rc = moi_store_add(study->store, &draft, &id);
    if (rc) {
        moi_store_rollback(study->store);
        return rc;
    }
    rc = moi_store_commit(study->store);
    if (rc)
        return rc;
    moi_history_lock(history);
    row = moi_history_push(history, MOPT_TRIAL_WAITING, id);
    extra->fixed = fixed;
    history->extra[row] = extra;
    moi_history_unlock(history);
    return MOPT_OK;
}

int32_t mopt_study_enqueue(mopt_study *study, const char *params)
{
    moi_extra *extra = NULL;
    char *fixed = NULL;
    json_t *document = NULL;
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_enqueue", "study");
    if (!params)
        return moi_fail_null("mopt_study_enqueue", "params");
    if (!study->can_sample)
        return moi_fail(MOPT_ESTATE, "the study '%s' was opened without a "
                        "space", study->name);
    if ((rc = moi_json_parse(params, &document)))
        return rc;
    rc = check_enqueued(study, document);
    if (!rc) {
        fixed = moi_json_dump(study->ctx, document);
        extra = fixed ? moi_calloc(study->ctx, 1, sizeof(*extra)) : NULL;
        rc = extra ? MOPT_OK : MOPT_ENOMEM;
    }
    json_decref(document);
    if (!rc) {
        pthread_mutex_lock(&study->gate);
        do
            rc = add_waiting(study, fixed, extra);
        while (moi_store_again(study->store, rc));
        moi_study_leave(study);
    }
    if (rc) {
        moi_free(study->ctx, fixed);
        moi_free(study->ctx, extra);
    }
    return rc;
}
