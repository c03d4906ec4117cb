/* SPDX-License-Identifier: MIT
 * lib/recipe/search.c: the trials of a run: each is an attempt whose values
 * the study is told. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/result.h"
#include "recipe/run.h"
#include "search/study/optimize.h"

/* A trial at work. */
typedef struct trial_work {
    moi_job *job;
    mopt_trial *trial;
    moi_attempt attempt;
    int64_t epochs;
    int32_t verdict; /* of the pruner or the store; 0: go on */
    int32_t told_past; /* epochs before a checkpoint are reported */
} trial_work;

/* --- Epochs ------------------------------------------------------------- */

static json_t *describe_epoch(const trial_work *work, mopt_trainer *trainer,
                              const char *name, double value)
{
    double epoch = 0, loss = NAN;
    json_t *event = json_object();
    mopt_trainer_get(trainer, "epoch", &epoch);
    mopt_trainer_get(trainer, "loss", &loss);
    if (event == NULL ||
        moi_json_add_int(event, "trial", mopt_trial_number(work->trial)) ||
        moi_json_add_int(event, "epoch", (int64_t)epoch) ||
        moi_json_add_int(event, "epochs", work->epochs) ||
        moi_json_add_number(event, "loss", loss) ||
        (name != NULL && moi_json_add_number(event, name, value))) {
        json_decref(event);
        return NULL;
    }
    return event;
}

/* What another worker reported before it left the trial, epochs up to last, is
 * reported again for the pruner; what that said to it then is past. */
static int32_t report_past(trial_work *work, double last)
{
    const moi_measure *first = work->job->aims.goals[0].measure;
    json_t *history = NULL;
    int32_t rc = MOPT_OK;
    if (work->told_past || !work->attempt.rescued ||
        work->attempt.course.trainer == NULL ||
        first->known != MOI_KNOWN_VALIDATION)
        return MOPT_OK;
    work->told_past = 1;
    if (last >= 1)
        rc = moi_json_from_history(work->job->ctx,
                                   work->attempt.course.trainer, &history);
    for (int64_t i = 0; rc >= MOPT_OK && (double)i < last; i++) {
        const json_t *value = json_object_get(
            json_array_get(history, (size_t)i), first->name);
        if (json_is_number(value))
            rc = mopt_trial_report(work->trial, i + 1,
                                   json_number_value(value));
    }
    json_decref(history);
    return rc == MOPT_PRUNED ? MOPT_OK : rc;
}

static int32_t on_epoch(void *user, mopt_trainer *trainer)
{
    trial_work *work = user;
    moi_job *job = work->job;
    const moi_measure *first = job->aims.goals[0].measure;
    double epoch = 0, value = NAN;
    int32_t rc = mopt_trainer_get(trainer, "epoch", &epoch);
    const char *name = NULL;
    if (rc == MOPT_OK)
        rc = report_past(work, epoch - 1);
    if (rc == MOPT_OK && first->known == MOI_KNOWN_VALIDATION) {
        name = first->name;
        rc = moi_subject_epoch(&work->attempt.subject, first, &value);
        if (rc == MOPT_ESTATE)
            rc = MOPT_OK;
        if (rc == MOPT_OK)
            rc = mopt_trial_report(work->trial, (int64_t)epoch, value);
    }
    if (rc >= MOPT_OK && job->on_event != NULL &&
        moi_job_tell(job, MOPT_EVENT_EPOCH,
                     describe_epoch(work, trainer, name, value)) != 0)
        return MOPT_STOPPED;
    if (atomic_load(&job->stop) != 0)
        return MOPT_STOPPED;
    if (rc != MOPT_OK)
        work->verdict = rc;
    return rc == MOPT_OK || rc == MOPT_PRUNED ? rc : MOPT_STOPPED;
}

/* --- The best so far ---------------------------------------------------- */

static void keep_best(moi_job *job, moi_attempt *attempt,
                      const moi_rank *rank)
{
    mopt_model *old = NULL;
    moi_course past = {NULL, NULL, NULL, NULL};
    pthread_mutex_lock(&job->lock);
    if (job->model == NULL ||
        moi_rank_better(&job->aims, rank, &job->rank)) {
        old = job->model;
        past = job->course;
        job->model = moi_model_hold(attempt->model);
        job->course = attempt->course;
        attempt->course = (moi_course){NULL, NULL, NULL, NULL};
        job->rank = *rank;
    }
    pthread_mutex_unlock(&job->lock);
    moi_course_end(&past);
    mopt_model_free(old);
}

/* --- One trial ---------------------------------------------------------- */

/* Turn a model away that is too large, before it costs anything. */
static int32_t reject(trial_work *work, const moi_limit *limit, double value)
{
    char number[MOI_NUMBER_SIZE], bound[MOI_NUMBER_SIZE], text[160];
    snprintf(text, sizeof(text), "\"%s is %s, the constraint is %s %s\"",
             limit->measure->name, moi_number_text(value, number),
             limit->is_max ? "at most" : "at least",
             moi_number_text(limit->bound, bound));
    int32_t rc = mopt_trial_set_note(work->trial, "rejected", text);
    return rc == MOPT_OK ? MOPT_PRUNED : rc;
}

static int32_t tell_values(trial_work *work, int32_t status, double *values)
{
    moi_job *job = work->job;
    double excess[MOI_LIMITS_MAX];
    moi_rank rank = {.number = mopt_trial_number(work->trial)};
    int32_t rc = moi_attempt_values(&work->attempt, status, values, excess);
    if (rc == MOPT_OK && job->aims.limit_count > 0)
        rc = mopt_trial_set_constraints(work->trial, excess,
                                        job->aims.limit_count);
    if (rc == MOPT_OK)
        rc = moi_starts_keep(job, work->trial, &work->attempt);
    if (rc != MOPT_OK)
        return rc;
    rank.value = values[0];
    for (int64_t i = 0; i < job->aims.limit_count; i++)
        rank.missed += fmax(excess[i], 0);
    keep_best(job, &work->attempt, &rank);
    return MOPT_OK;
}

/* A trial that another may have to finish writes a checkpoint where there is a
 * place for it, unless the recipe has one of its own. */
static int32_t prepare_rescue(trial_work *work)
{
    const moi_job *job = work->job;
    size_t size = 0;
    if (job->rescue_seconds <= 0 ||
        moi_config_text(work->attempt.config, "checkpoint")[0] != '\0' ||
        (job->crew.all != NULL && job->crew.team == NULL))
        return MOPT_OK;
    int32_t rc = mopt_trial_checkpoint(work->trial, NULL, 0, &size);
    if (rc != MOPT_OK)
        return rc == MOPT_ESTATE ? MOPT_OK : rc;
    char *path = moi_alloc(job->ctx, (int64_t)size, 1);
    if (path == NULL)
        return MOPT_ENOMEM;
    rc = mopt_trial_checkpoint(work->trial, path, size, NULL);
    if (rc == MOPT_OK)
        rc = moi_attempt_rescue(&work->attempt, path, job->rescue_seconds);
    moi_free(job->ctx, path);
    return rc;
}

/* All epochs may have been trained before. */
static int32_t finish(trial_work *work, double *values)
{
    double epoch = 0;
    int32_t rc = MOPT_OK;
    if (work->attempt.rescued && work->attempt.course.trainer != NULL)
        rc = mopt_trainer_get(work->attempt.course.trainer, "epoch", &epoch);
    if (rc == MOPT_OK)
        rc = report_past(work, epoch);
    return tell_values(work, rc, values);
}

/* Up to where other ranks take part. */
static int32_t prepare(trial_work *work)
{
    moi_job *job = work->job;
    moi_attempt *attempt = &work->attempt;
    json_t *whole = NULL;
    double value = 0;
    int32_t rc = moi_json_from_trial(job->ctx, work->trial, &whole);
    if (rc == MOPT_OK)
        rc = moi_attempt_begin(attempt, job->recipe, &job->aims, &job->parts,
                               json_object_get(whole, "params"), job->cancel);
    json_decref(whole);
    if (rc != MOPT_OK)
        return rc;
    const moi_limit *broken = moi_attempt_broken(attempt, &value);
    if (broken != NULL)
        return reject(work, broken, value);
    rc = moi_starts_give(job, work->trial, attempt);
    return rc == MOPT_OK ? prepare_rescue(work) : rc;
}

static int32_t train(trial_work *work, double *values)
{
    moi_attempt *attempt = &work->attempt;
    int32_t rc = moi_crew_agree(work->job, prepare(work));
    if (rc == MOPT_OK) {
        work->epochs = moi_config_int(attempt->config, "epochs");
        rc = moi_crew_lead(work->job, attempt);
    }
    if (rc == MOPT_OK)
        rc = moi_attempt_train(attempt, on_epoch, work);
    if (work->verdict != 0)
        return work->verdict;
    if (rc == MOPT_STOPPED)
        return MOPT_ECANCELED; /* on_event ended the run: not this trial's
                                  fault, it may be taken up again */
    return rc == MOPT_OK ? finish(work, values) : rc;
}

static int32_t objective(void *user, mopt_trial *trial, double *values)
{
    moi_job *job = user;
    trial_work work = {.job = job, .trial = trial};
    if (atomic_load(&job->stop) != 0)
        return MOPT_ECANCELED;
    moi_starts_count(job, 1);
    int32_t rc = moi_crew_agree(job, train(&work, values));
    rc = moi_crew_judge(job, rc);
    moi_attempt_end(&work.attempt);
    moi_starts_count(job, -1);
    return rc;
}

static int32_t on_trial(void *user, mopt_trial *trial)
{
    moi_job *job = user;
    json_t *whole = NULL;
    int32_t rc = MOPT_OK;
    moi_starts_wake(job);
    if (moi_crew_tell_news(job))
        return atomic_load(&job->stop) == 0 ? 0 : MOPT_STOPPED;
    if (job->on_event != NULL)
        rc = moi_json_from_trial(job->ctx, trial, &whole);
    /* What cannot be told is no reason to end a search. */
    if (rc == MOPT_OK)
        moi_job_tell(job, MOPT_EVENT_TRIAL, whole);
    return atomic_load(&job->stop) == 0 ? 0 : MOPT_STOPPED;
}

int32_t moi_job_search(moi_job *job)
{
    int32_t rc = mopt_study_on_trial(job->study, on_trial, job, NULL);
    job->end = moi_study_end(job->study);
    do {
        if (rc == MOPT_OK)
            rc = moi_study_optimize(job->study, objective, job, job->cancel,
                                    job->end);
    } while (moi_starts_again(job, &rc) || moi_crew_again(job, &rc));
    return rc;
}

int32_t moi_job_read(moi_job *job, int64_t number, json_t **out)
{
    mopt_trial *trial = NULL;
    int32_t rc = mopt_study_trial(job->study, number, &trial);
    if (rc == MOPT_OK)
        rc = moi_json_from_trial(job->ctx, trial, out);
    mopt_trial_free(trial);
    return rc;
}

/* --- Once more ---------------------------------------------------------- */

int32_t moi_job_retrain(moi_job *job, const json_t *params, int64_t number,
                        double expected)
{
    moi_attempt attempt;
    if (job->starts.on) {
        job->rank.number = number;
        return moi_starts_recall(job, number, &job->model);
    }
    double values[MOI_GOALS_MAX] = {0}, excess[MOI_LIMITS_MAX];
    int32_t rc = moi_attempt_begin(&attempt, job->recipe, &job->aims,
                                   &job->parts, params, job->cancel);
    if (rc == MOPT_OK)
        rc = moi_crew_lead(job, &attempt);
    if (rc == MOPT_OK)
        rc = moi_attempt_train(&attempt, moi_crew_on_epoch, NULL);
    if (rc == MOPT_OK)
        rc = moi_attempt_values(&attempt, MOPT_OK, values, excess);
    if (rc == MOPT_OK && values[0] != expected &&
        job->aims.goals[0].measure->known == MOI_KNOWN_VALIDATION)
        moi_log(job->ctx, MOPT_LOG_WARN, "recipe",
                "trial %d was trained again, since the study keeps no "
                "weights: %s differs from what it was then; other hardware, "
                "another build or other data", (int)number,
                job->aims.goals[0].measure->name);
    if (rc == MOPT_OK) {
        mopt_model_free(job->model);
        moi_course_end(&job->course);
        job->model = moi_model_hold(attempt.model);
        job->course = attempt.course;
        attempt.course = (moi_course){NULL, NULL, NULL, NULL};
        job->rank.number = number;
    }
    moi_attempt_end(&attempt);
    return rc;
}
