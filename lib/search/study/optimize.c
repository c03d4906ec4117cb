/* SPDX-License-Identifier: MIT
 * lib/search/study/optimize.c: running trials, several at a time.
 *
 * Workers draw trials until the study has enough of them. The caller is one of
 * the workers; with more than one, all of them run as tasks of the context's
 * pool do, so that what they call does not take the pool itself. */
#include "search/study/optimize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/threads.h"
#include "search/study/study.h"

#define MESSAGE_SIZE 1024

/* One call of mopt_study_optimize. */
typedef struct run {
    mopt_study *study;
    mopt_objective_fn objective;
    void *user;
    mopt_cancel *cancel;
    double end; /* on the clock; no trial begins later */
    atomic_int over;
    pthread_mutex_t lock; /* protects what follows, and the callback */
    int32_t outcome;
    char message[MESSAGE_SIZE];
} run;

/* With the lock: end the run; the first outcome stands, but an error goes
 * before MOPT_STOPPED. */
static void note_end(run *self, int32_t outcome)
{
    if (self->outcome == MOPT_OK ||
        (self->outcome > 0 && outcome < 0)) {
        self->outcome = outcome;
        if (outcome < 0)
            snprintf(self->message, sizeof(self->message), "%s",
                     moi_last_text());
    }
    atomic_store(&self->over, 1);
}

static void finish(run *self, int32_t outcome)
{
    pthread_mutex_lock(&self->lock);
    note_end(self, outcome);
    pthread_mutex_unlock(&self->lock);
}

/* What an objective's answer makes of its trial, and of the run. */
static int32_t judge_answer(run *self, int32_t answer, moi_ending *ending,
                            char *reason, size_t size)
{
    ending->values = NULL;
    ending->reason = NULL;
    switch (answer) {
    case MOPT_OK:
    case MOPT_STOPPED:
        ending->state = MOPT_TRIAL_COMPLETE;
        return answer;
    case MOPT_PRUNED:
        ending->state = MOPT_TRIAL_PRUNED;
        return MOPT_OK;
    case MOPT_ECANCELED:
        ending->state = MOPT_TRIAL_WAITING;
        return moi_fail(MOPT_ECANCELED, "the search was canceled");
    default:
        break;
    }
    ending->state = MOPT_TRIAL_FAILED;
    ending->reason = reason;
    if (strcmp(mopt_status_name(answer), "MOPT_UNKNOWN") == 0 || answer > 0) {
        snprintf(reason, size, "the objective returned %d, which is no status",
                 (int)answer);
        return moi_fail(MOPT_ECALLBACK, "%s", reason);
    }
    if (mopt_last_code() == answer)
        snprintf(reason, size, "%s: %s", mopt_status_name(answer),
                 moi_last_text());
    else
        snprintf(reason, size, "%s: %s", mopt_status_name(answer),
                 mopt_status_text(answer));
    moi_log(self->study->ctx, MOPT_LOG_WARN, "study", "a trial failed: %s",
            reason);
    return MOPT_OK;
}

/* Let the host see a trial that has ended. Where that ends the run, it is over
 * before anybody else is let in: then no worker begins another trial. */
static void call_back(run *self, mopt_trial *trial)
{
    mopt_study *study = self->study;
    int32_t answer;

    if (!study->on_trial)
        return;
    pthread_mutex_lock(&self->lock);
    answer = study->on_trial(study->on_trial_user, trial);
    if (answer == MOPT_STOPPED)
        note_end(self, answer);
    else if (answer)
        note_end(self, moi_fail(MOPT_ECALLBACK, "the callback returned %d",
                                (int)answer));
    pthread_mutex_unlock(&self->lock);
}

/* Tell a trial's end. While the store fails it is tried once more: what was
 * computed should not be lost to a moment's trouble. */
static int32_t tell(run *self, mopt_trial *trial, const moi_ending *ending,
                    const double *values)
{
    int32_t tries, rc = MOPT_OK;

    if (ending->state == MOPT_TRIAL_WAITING) {
        moi_study_give_back(self->study, trial->number, trial->claim);
        trial->asked = 0;
        return MOPT_OK;
    }
    if (ending->state != MOPT_TRIAL_COMPLETE)
        values = NULL;
    for (tries = 0; tries < 2; tries++) {
        rc = moi_study_tell_trial(self->study, trial, ending->state, values,
                                  ending->reason, self->cancel);
        if (rc != MOPT_ESTORE && rc != MOPT_ENOMEM)
            break;
    }
    return rc;
}

/* Evaluate a trial and tell what came out. */
static void evaluate(run *self, mopt_trial *trial)
{
    double values[MOI_OBJECTIVE_LIMIT];
    char reason[MESSAGE_SIZE];
    moi_ending ending = {0};
    int32_t answer, outcome, rc;
    int64_t i;

    for (i = 0; i < MOI_OBJECTIVE_LIMIT; i++)
        values[i] = NAN;
    answer = self->objective(self->user, trial, values);
    outcome = judge_answer(self, answer, &ending, reason, sizeof(reason));
    if (outcome)
        finish(self, outcome);
    rc = tell(self, trial, &ending, values);
    if (rc == MOPT_ESTATE) {
        /* Somebody else has it now, or has ended it: what came out here is of
         * no use, and the search goes on. */
        trial->asked = 0;
        moi_log(self->study->ctx, MOPT_LOG_WARN, "study", "%s",
                moi_last_text());
        return;
    }
    if (rc)
        finish(self, rc);
    else if (ending.state != MOPT_TRIAL_WAITING)
        call_back(self, trial);
}

/* May another trial begin? */
static int32_t may_begin(run *self)
{
    if (atomic_load(&self->over))
        return 0;
    if (moi_cancel_check(self->cancel)) {
        finish(self, MOPT_ECANCELED);
        return 0;
    }
    return moi_clock_seconds() < self->end;
}

static void work(void *argument, int64_t task)
{
    run *self = argument;
    mopt_trial *trial;
    int32_t rc;

    (void)task;
    while (may_begin(self)) {
        trial = NULL;
        rc = moi_study_ask(self->study, self->study->trials, self->cancel,
                           &trial);
        if (rc == MOPT_EXHAUSTED || rc == MOPT_STOPPED)
            break;
        if (rc) {
            finish(self, rc);
            break;
        }
        evaluate(self, trial);
        mopt_trial_free(trial);
    }
}

/* A worker's thread: as a task, so that nothing within it uses the pool. */
static void *thread_main(void *argument)
{
    run *self = argument;

    moi_parallel(self->study->ctx, 1, 1, work, self);
    return NULL;
}

/* Start workers beside the caller, who works too. Fewer than asked for will
 * do: the trials are the same. */
static int32_t run_workers(run *self, int32_t workers)
{
    pthread_t *threads = moi_alloc(self->study->ctx, workers,
                                   sizeof(*threads));
    int32_t i, started = 0;

    if (!threads)
        return MOPT_ENOMEM;
    while (started < workers - 1 &&
           moi_thread_start(&threads[started], thread_main, self) == 0)
        started++;
    if (started < workers - 1)
        moi_log(self->study->ctx, MOPT_LOG_WARN, "study",
                "only %d of %d workers could be started", (int)started + 1,
                (int)workers);
    thread_main(self);
    for (i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    moi_free(self->study->ctx, threads);
    return MOPT_OK;
}

double moi_study_end(const mopt_study *study)
{
    return study->timeout > 0 ? moi_clock_seconds() + study->timeout
                              : INFINITY;
}

int32_t moi_study_optimize(mopt_study *study, mopt_objective_fn objective,
                           void *user, mopt_cancel *cancel, double end)
{
    run self = {0};
    int32_t rc = MOPT_OK;

    if (!study->can_sample)
        return moi_fail(MOPT_ESTATE, "the study '%s' was opened without a "
                        "space", study->name);
    self.study = study;
    self.objective = objective;
    self.user = user;
    self.cancel = cancel;
    self.end = end;
    atomic_init(&self.over, 0);
    pthread_mutex_init(&self.lock, NULL);
    if (study->workers > 1)
        rc = run_workers(&self, study->workers);
    else
        work(&self, 0);
    pthread_mutex_destroy(&self.lock);
    if (rc)
        return rc;
    if (self.outcome < 0)
        return moi_fail(self.outcome, "%s", self.message);
    return self.outcome;
}

int32_t mopt_study_optimize(mopt_study *study, mopt_objective_fn objective,
                            void *user, mopt_cancel *cancel)
{
    if (!study)
        return moi_fail_null("mopt_study_optimize", "study");
    if (!objective)
        return moi_fail_null("mopt_study_optimize", "objective");
    return moi_study_optimize(study, objective, user, cancel,
                              moi_study_end(study));
}
