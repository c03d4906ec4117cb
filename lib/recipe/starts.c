/* SPDX-License-Identifier: MIT
 * lib/recipe/starts.c: warm starts. Which trial starts from which one, and when
 * that is known; whose weights are kept. */
#include "recipe/starts.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/keep.h"
#include "recipe/result.h"
#include "recipe/run.h"

#define LOOK 0.05   /* seconds between two looks at other processes */
#define PATIENCE 1. /* seconds until those are asked for what they left */

/* --- The keys ----------------------------------------------------------- */

static const moi_key keys[] = {
    MOI_CHOICE("from", "best", "best|nearest",
               "which of the kept trials whose architecture fits: the best, or "
               "the one with the most weights"),
    MOI_INT("round", 10, 1, 1e9,
            "trials in a round; those of the first start afresh, and the "
            "others wait until the rounds before theirs are through"),
    MOI_INT("keep", 10, 1, 1e6,
            "how many of the best trials of earlier rounds may be started "
            "from"),
    MOI_KEYS_END,
};

extern const moi_schema moi_warm_start_schema;
const moi_schema moi_warm_start_schema = {
    "warm_start", "trials of a search that start from earlier ones", keys};

/* --- Life --------------------------------------------------------------- */

int32_t moi_starts_begin(moi_job *job)
{
    moi_starts *starts = &job->starts;
    mopt_config *config = NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&starts->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&starts->lock, NULL);
    int32_t rc = moi_recipe_warm_start(job->recipe, &config);
    if (rc != MOPT_OK || config == NULL)
        return rc;
    starts->on = 1;
    starts->nearest = strcmp(moi_config_text(config, "from"), "nearest") == 0;
    starts->round = moi_config_int(config, "round");
    starts->keep = moi_config_int(config, "keep");
    mopt_config_free(config);
    return moi_keep_place(job, &starts->place);
}

static void end_start(moi_start *start)
{
    json_decref(start->params);
    mopt_model_free(start->model);
}

void moi_starts_end(moi_job *job)
{
    moi_starts *starts = &job->starts;
    for (int64_t i = 0; i < starts->count; i++)
        end_start(&starts->list[i]);
    moi_free(job->ctx, starts->list);
    moi_free(job->ctx, starts->place);
    pthread_cond_destroy(&starts->ended);
    pthread_mutex_destroy(&starts->lock);
}

/* --- The list of those that may be started from ------------------------- */

static int32_t find(moi_job *job, int64_t number, moi_start **out)
{
    moi_starts *starts = &job->starts;
    for (int64_t i = 0; i < starts->count; i++)
        if (starts->list[i].rank.number == number) {
            *out = &starts->list[i];
            return MOPT_OK;
        }
    int32_t rc = moi_grow(job->ctx, (void **)&starts->list, &starts->capacity,
                          starts->count + 1, sizeof(moi_start));
    if (rc != MOPT_OK)
        return rc;
    *out = &starts->list[starts->count++];
    **out = (moi_start){.rank = {.number = number}};
    return MOPT_OK;
}

/* Take one off the list, and its file away. */
static void drop(moi_job *job, int64_t at)
{
    moi_starts *starts = &job->starts;
    moi_keep_forget(job, starts->list[at].rank.number);
    end_start(&starts->list[at]);
    starts->list[at] = starts->list[--starts->count];
}

/* The same of one that came to nothing after all, if it is there. */
static void drop_number(moi_job *job, int64_t number)
{
    for (int64_t i = job->starts.count - 1; i >= 0; i--)
        if (job->starts.list[i].rank.number == number)
            drop(job, i);
}

/* How many of the trials below border are better than one? */
static int64_t better_ones(const moi_job *job, const moi_start *start,
                           int64_t border)
{
    int64_t count = 0;
    for (int64_t i = 0; i < job->starts.count; i++) {
        const moi_start *other = &job->starts.list[i];
        if (other->params != NULL && other->rank.number < border &&
            moi_rank_better(&job->aims, &other->rank, &start->rank))
            count++;
    }
    return count;
}

/* First trial of the first round that is not through: what counts for it, and
 * for later ones, are the best below it and whatever comes. */
static int64_t border_of(const moi_starts *starts, int64_t number)
{
    return number / starts->round * starts->round;
}

static void prune(moi_job *job)
{
    moi_starts *starts = &job->starts;
    int64_t border = border_of(starts, starts->settled);
    for (int64_t i = starts->count - 1; i >= 0; i--) {
        const moi_start *start = &starts->list[i];
        if (start->params != NULL && start->rank.number < border &&
            better_ones(job, start, border) >= starts->keep)
            drop(job, i);
    }
}

/* --- What has ended ----------------------------------------------------- */

/* A complete trial that noted its weights goes on the list. */
static int32_t settle_complete(moi_job *job, const json_t *trial)
{
    const json_t *notes = json_object_get(trial, "notes");
    const char *digest = json_string_value(
        json_object_get(notes, MOI_NOTE_WEIGHTS));
    const json_t *excess = json_object_get(trial, "constraints");
    moi_start *start = NULL;
    if (digest == NULL)
        return MOPT_OK; /* told by another program */
    int32_t rc = find(job, json_integer_value(json_object_get(trial,
                                                              "number")),
                      &start);
    if (rc != MOPT_OK)
        return rc;
    start->params = json_incref(json_object_get(trial, "params"));
    start->rank.value = json_number_value(json_array_get(
        json_object_get(trial, "values"), 0));
    start->rank.missed = 0;
    for (size_t i = 0; i < json_array_size(excess); i++)
        start->rank.missed += fmax(json_number_value(json_array_get(excess,
                                                                    i)), 0);
    strncpy(start->digest, digest, sizeof(start->digest) - 1);
    return MOPT_OK;
}

/* Look at the first trial that was not finished when it was looked at last;
 * *state is what it is now. */
static int32_t settle_next(moi_job *job, int32_t *state)
{
    moi_starts *starts = &job->starts;
    mopt_trial *trial = NULL;
    json_t *doc = NULL;
    int32_t rc = mopt_study_trial(job->study, starts->settled, &trial);
    if (rc != MOPT_OK)
        return rc;
    *state = mopt_trial_state(trial);
    if (*state == MOPT_TRIAL_COMPLETE) {
        rc = moi_json_from_trial(job->ctx, trial, &doc);
        if (rc == MOPT_OK)
            rc = settle_complete(job, doc);
        json_decref(doc);
    }
    mopt_trial_free(trial);
    if (rc != MOPT_OK || *state == MOPT_TRIAL_RUNNING ||
        *state == MOPT_TRIAL_WAITING)
        return rc;
    if (*state != MOPT_TRIAL_COMPLETE)
        drop_number(job, starts->settled);
    starts->settled++;
    return rc;
}

/* Sleep until a trial ends here, or for a moment. */
static void doze(moi_starts *starts)
{
    double end = moi_clock_seconds() + LOOK;
    struct timespec until = {(time_t)end, (long)((end - floor(end)) * 1e9)};
    pthread_cond_timedwait(&starts->ended, &starts->lock, &until);
}

/* Until all trials below border are finished. One that waits to be run, since
 * its process died or gave it back, goes before this one: then, and when
 * nothing happens here for long, this one is given back and asked for again,
 * which looks after the dead. */
static int32_t wait_below(moi_job *job, int64_t border)
{
    moi_starts *starts = &job->starts;
    double began = moi_clock_seconds();
    int32_t rc = MOPT_OK;
    starts->busy--;
    while (rc == MOPT_OK && starts->settled < border) {
        int64_t before = starts->settled;
        int32_t state = MOPT_TRIAL_RUNNING;
        rc = settle_next(job, &state);
        if (rc != MOPT_OK || starts->settled > before)
            continue;
        rc = moi_cancel_check(job->cancel);
        if (rc == MOPT_OK && atomic_load(&job->stop) != 0)
            rc = MOPT_ECANCELED;
        if (rc == MOPT_OK &&
            (state == MOPT_TRIAL_WAITING ||
             (starts->busy == 0 && moi_clock_seconds() > began + PATIENCE))) {
            starts->again = 1;
            rc = MOPT_ECANCELED;
        }
        if (rc == MOPT_OK)
            doze(starts);
    }
    starts->busy++;
    if (rc == MOPT_OK)
        prune(job);
    return rc;
}

/* Look at all that is finished, so that only what may be needed is kept. */
static int32_t settle_all(moi_job *job)
{
    moi_starts *starts = &job->starts;
    int64_t before = -1, count = 0;
    int32_t rc = mopt_study_count(job->study, -1, &count);
    while (rc == MOPT_OK && starts->settled < count &&
           starts->settled > before) {
        int32_t state;
        before = starts->settled;
        rc = settle_next(job, &state);
    }
    if (rc == MOPT_OK)
        prune(job);
    return rc;
}

int32_t moi_starts_again(moi_job *job, int32_t *rc)
{
    moi_starts *starts = &job->starts;
    int32_t again = starts->again && *rc == MOPT_ECANCELED &&
                    moi_cancel_check(job->cancel) == MOPT_OK &&
                    atomic_load(&job->stop) == 0;
    starts->again = 0;
    if (again)
        *rc = MOPT_OK;
    if (again && moi_clock_seconds() < job->end)
        return 1;
    if (starts->on && *rc == MOPT_OK)
        *rc = settle_all(job);
    return 0;
}

void moi_starts_count(moi_job *job, int32_t change)
{
    pthread_mutex_lock(&job->starts.lock);
    job->starts.busy += change;
    pthread_mutex_unlock(&job->starts.lock);
}

void moi_starts_wake(moi_job *job)
{
    pthread_mutex_lock(&job->starts.lock);
    pthread_cond_broadcast(&job->starts.ended);
    pthread_mutex_unlock(&job->starts.lock);
}

/* --- The choice --------------------------------------------------------- */

/* The best one below border that is not better than last; NULL: none. */
static moi_start *next_best(const moi_job *job, int64_t border,
                            const moi_start *last)
{
    moi_start *best = NULL;
    for (int64_t i = 0; i < job->starts.count; i++) {
        moi_start *start = &job->starts.list[i];
        if (start->params == NULL || start->rank.number >= border)
            continue;
        if (last != NULL &&
            !moi_rank_better(&job->aims, &last->rank, &start->rank))
            continue;
        if (best == NULL ||
            moi_rank_better(&job->aims, &start->rank, &best->rank))
            best = start;
    }
    return best;
}

/* Can the attempt go on from that trial: the same inputs, and a model that
 * fits? */
static int32_t look_at(moi_job *job, const moi_start *start,
                       const moi_attempt *attempt, int32_t *fits,
                       int64_t *weights)
{
    moi_attempt other;
    int32_t rc = moi_attempt_begin(&other, job->recipe, &job->aims,
                                   &job->parts, start->params, job->cancel);
    *fits = 0;
    if (rc == MOPT_OK && other.data == attempt->data) {
        rc = moi_model_fits(other.model, attempt->model, fits);
        *weights = moi_model_weight_count(other.model);
    }
    moi_attempt_end(&other);
    return rc;
}

static int32_t choose(moi_job *job, int64_t border, const moi_attempt *attempt,
                      int64_t *number)
{
    moi_starts *starts = &job->starts;
    int64_t most = -1;
    int32_t rc = MOPT_OK;
    *number = -1;
    moi_start *start = next_best(job, border, NULL);
    for (int64_t i = 0; i < starts->keep && start != NULL && rc == MOPT_OK;
         i++) {
        int32_t fits = 0;
        int64_t weights = 0;
        rc = look_at(job, start, attempt, &fits, &weights);
        if (fits && weights > most) {
            *number = start->rank.number;
            most = weights;
        }
        if (fits && !starts->nearest)
            break;
        start = next_best(job, border, start);
    }
    return rc;
}

/* --- Giving ------------------------------------------------------------- */

static int32_t give(moi_job *job, mopt_trial *trial, moi_attempt *attempt)
{
    int64_t border = border_of(&job->starts, mopt_trial_number(trial));
    int64_t from = -1;
    mopt_model *source = NULL;
    int32_t rc = wait_below(job, border);
    if (rc == MOPT_OK)
        rc = choose(job, border, attempt, &from);
    if (rc != MOPT_OK || from < 0)
        return rc;
    rc = moi_keep_recall(job, from, &source);
    if (rc == MOPT_OK)
        rc = moi_attempt_start(attempt, source);
    if (rc == MOPT_OK)
        rc = moi_keep_note_int(trial, MOI_NOTE_STARTED_FROM, from);
    mopt_model_free(source);
    return rc;
}

int32_t moi_starts_give(moi_job *job, mopt_trial *trial, moi_attempt *attempt)
{
    if (!job->starts.on)
        return MOPT_OK;
    pthread_mutex_lock(&job->starts.lock);
    int32_t rc = give(job, trial, attempt);
    pthread_mutex_unlock(&job->starts.lock);
    return rc;
}

int32_t moi_starts_keep(moi_job *job, mopt_trial *trial, moi_attempt *attempt)
{
    moi_start *start = NULL;
    if (!job->starts.on)
        return MOPT_OK;
    int32_t rc = moi_keep_save(job, trial, attempt);
    pthread_mutex_lock(&job->starts.lock);
    if (rc == MOPT_OK)
        rc = find(job, mopt_trial_number(trial), &start);
    if (rc == MOPT_OK) {
        mopt_model_free(start->model);
        start->model = moi_model_hold(attempt->model);
    }
    pthread_mutex_unlock(&job->starts.lock);
    return rc;
}

int32_t moi_starts_recall(moi_job *job, int64_t number, mopt_model **out)
{
    pthread_mutex_lock(&job->starts.lock);
    int32_t rc = moi_keep_recall(job, number, out);
    pthread_mutex_unlock(&job->starts.lock);
    return rc;
}
