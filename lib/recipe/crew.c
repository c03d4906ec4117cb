/* SPDX-License-Identifier: MIT
 * lib/recipe/crew.c: the ranks of a group that run one recipe: teams, what a
 * lead tells those who follow it, waiting until all trials are told. */
#include "recipe/crew.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/context.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "group/group.h"
#include "recipe/result.h"
#include "recipe/run.h"
#include "search/store/database.h"
#include "search/study/study.h"

#define LOOK 0.5 /* the longest pause between two looks at what others do */
#define NAP 0.05 /* the shortest, and the longest that a cancel token waits */

int32_t moi_crew_is_first(const moi_crew *crew)
{
    return crew->all == NULL || mopt_group_rank(crew->all) == 0;
}

int32_t moi_crew_follows(const moi_crew *crew)
{
    return crew->team != NULL && mopt_group_rank(crew->team) > 0;
}

static int32_t leads_others(const moi_crew *crew)
{
    return crew->leads != NULL && mopt_group_size(crew->team) > 1;
}

/* --- Teams -------------------------------------------------------------- */

/* Fed by jansson. */
static int hash_piece(const char *piece, size_t size, void *user)
{
    uint64_t *hash = user;
    *hash = moi_hash(*hash, piece, size);
    return 0;
}

/* Where the data lie may differ from host to host, and how a host calls the
 * database. */
static int32_t compare(moi_job *job)
{
    uint64_t hash = MOI_HASH_START;
    json_t *doc = json_deep_copy(job->recipe->doc);
    if (doc == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    json_object_del(json_object_get(doc, "data"), "base");
    json_object_del(json_object_get(doc, "search"), "storage");
    json_dump_callback(doc, hash_piece, &hash, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return moi_group_agree(job->crew.all, "recipe", hash, job->cancel);
}

static int32_t fail_together(const char *key, const char *allowed)
{
    return moi_fail(MOPT_EINVAL, "search.%s: ranks that train each trial "
                    "together run one study in memory, trial by trial; allowed "
                    "is %s", key, allowed);
}

/* 0: nothing is said, or there is one trial, which all train. */
static int64_t ranks_per_trial(const moi_crew *crew, const mopt_config *study)
{
    return crew->recipe.slots.count > 0
               ? moi_config_int(study, "ranks_per_trial") : 0;
}

static int32_t check_enough(const moi_crew *crew, const mopt_config *study)
{
    int64_t per = ranks_per_trial(crew, study);
    int32_t size = crew->all != NULL ? mopt_group_size(crew->all) : 1;
    if (per <= size)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "search.ranks_per_trial: is %lld, and there "
                    "%s; allowed are 0 to %d, or start at least %lld ranks "
                    "(mpirun -n %lld)", (long long)per,
                    size > 1 ? "are fewer ranks" : "is one rank", (int)size,
                    (long long)per, (long long)per);
}

static int32_t check_together(const moi_crew *crew, const mopt_config *study)
{
    int64_t per = ranks_per_trial(crew, study);
    if (per > 0 && per != mopt_group_size(crew->all))
        return moi_fail(MOPT_EINVAL, "search.ranks_per_trial: fewer ranks a "
                        "trial than there are (%d) need a study that they "
                        "share, in search.storage",
                        (int)mopt_group_size(crew->all));
    if (moi_config_int(study, "workers") > 1)
        return fail_together("workers", "1");
    if (moi_config_float(study, "timeout") > 0)
        return fail_together("timeout", "0");
    return MOPT_OK;
}

static int32_t check_teams(const moi_crew *crew, const mopt_config *study,
                           int64_t per)
{
    int32_t size = mopt_group_size(crew->all);
    if (size % per != 0)
        return moi_fail(MOPT_EINVAL, "search.ranks_per_trial: %d ranks cannot "
                        "be divided into teams of %d", (int)size, (int)per);
    if (per > 1 && moi_config_int(study, "workers") > 1)
        return moi_fail(MOPT_EINVAL, "search.workers: ranks that train a trial "
                        "together have one at a time; allowed is 1");
    if (per > 1 && json_object_get(json_object_get(crew->recipe.doc, "search"),
                                   "warm_start") != NULL)
        return moi_fail(MOPT_EUNSUPPORTED, "search.warm_start: trials that "
                        "several ranks train together, on a study that others "
                        "share, cannot start from each other");
    return MOPT_OK;
}

static int32_t divide(moi_crew *crew, const mopt_config *study)
{
    int32_t rank = mopt_group_rank(crew->all);
    int64_t per = ranks_per_trial(crew, study);
    if (per == 0)
        per = crew->recipe.slots.count > 0 ? 1 : mopt_group_size(crew->all);
    int32_t rc = check_teams(crew, study, per);
    if (rc == MOPT_OK)
        rc = mopt_group_split(crew->all, rank / (int32_t)per, rank,
                              &crew->team);
    if (rc == MOPT_OK)
        rc = mopt_group_split(crew->all, rank % per == 0 ? 0 : 1, rank,
                              &crew->leads);
    if (rank % per != 0) {
        mopt_group_free(crew->leads);
        crew->leads = NULL;
    }
    crew->recipe.group = per > 1 ? crew->team : NULL;
    return rc;
}

int32_t moi_crew_begin(moi_job *job, const mopt_recipe *recipe)
{
    moi_crew *crew = &job->crew;
    mopt_config *study = NULL;
    crew->recipe = *recipe;
    crew->all = recipe->group;
    job->recipe = &crew->recipe;
    int32_t rc = crew->all != NULL ? compare(job) : MOPT_OK;
    if (rc == MOPT_OK)
        rc = moi_recipe_study(recipe, &study);
    if (rc == MOPT_OK)
        rc = check_enough(crew, study);
    if (rc == MOPT_OK && crew->all != NULL)
        rc = moi_database_is_shared(moi_config_text(study, "storage"))
                 ? divide(crew, study) : check_together(crew, study);
    mopt_config_free(study);
    return rc;
}

int32_t moi_crew_ready(moi_job *job, int32_t rc)
{
    mopt_group *all = job->crew.all;
    int32_t size = mopt_group_size(all), heard;
    int64_t own = rc, *status;
    if (all == NULL)
        return rc;
    status = moi_alloc(job->ctx, size, sizeof(*status));
    heard = status != NULL ? mopt_group_all_gather(all, &own, sizeof(own),
                                                   status, NULL)
                           : MOPT_ENOMEM;
    for (int32_t i = 0; i < size && rc == MOPT_OK && heard == MOPT_OK; i++)
        if (status[i] != MOPT_OK)
            rc = moi_fail((int32_t)status[i], "rank %d could not begin",
                          (int)i);
    moi_free(job->ctx, status);
    return rc == MOPT_OK ? heard : rc;
}

int32_t moi_crew_open(moi_job *job, int32_t (*make)(moi_job *, int32_t joins))
{
    moi_crew *crew = &job->crew;
    int32_t first = crew->team == NULL || moi_crew_is_first(crew);
    int32_t rc = first ? make(job, 0) : MOPT_OK;
    if (crew->team == NULL)
        return rc;
    if (first && rc == MOPT_OK)
        moi_crew_skip_news(job);
    int64_t opened = rc;
    int32_t heard = mopt_group_broadcast(crew->all, 0, &opened,
                                         sizeof(opened), job->cancel);
    if (first && rc != MOPT_OK)
        return rc;
    if (heard == MOPT_OK && opened != MOPT_OK)
        return moi_fail((int32_t)opened, "rank 0 could not open the study");
    return heard == MOPT_OK && !first && crew->leads != NULL ? make(job, 1)
                                                             : heard;
}

/* --- What a lead tells those who follow --------------------------------- */

#define STILL_HERE 0
#define TRAIN 1
#define END 2

typedef struct message {
    int64_t kind, bytes;
} message;

/* doc may be NULL. */
static int32_t tell(moi_job *job, int64_t kind, const json_t *doc)
{
    mopt_group *team = job->crew.team;
    char *text = doc != NULL ? moi_json_dump(job->ctx, doc) : NULL;
    if (doc != NULL && text == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for a message");
    message head = {kind, text != NULL ? (int64_t)strlen(text) + 1 : 0};
    int32_t rc = mopt_group_broadcast(team, 0, &head, sizeof(head), NULL);
    if (rc == MOPT_OK && head.bytes > 0)
        rc = mopt_group_broadcast(team, 0, text, head.bytes, NULL);
    moi_free(job->ctx, text);
    return rc;
}

static int32_t hear(moi_job *job, int64_t *kind, json_t **doc)
{
    mopt_group *team = job->crew.team;
    message head = {0, 0};
    char *text = NULL;
    int32_t rc = mopt_group_broadcast(team, 0, &head, sizeof(head),
                                      job->cancel);
    if (rc == MOPT_OK && head.bytes > 0 &&
        (text = moi_alloc(job->ctx, head.bytes, 1)) == NULL)
        rc = MOPT_ENOMEM;
    if (rc == MOPT_OK && head.bytes > 0)
        rc = mopt_group_broadcast(team, 0, text, head.bytes, job->cancel);
    if (rc == MOPT_OK && head.bytes > 0)
        rc = moi_json_parse(text, doc);
    moi_free(job->ctx, text);
    *kind = head.kind;
    return rc;
}

int32_t moi_crew_lead(moi_job *job, const moi_attempt *attempt)
{
    const mopt_config *config = attempt->config;
    pthread_mutex_lock(&job->lock);
    job->crew.pause = 0;
    pthread_mutex_unlock(&job->lock);
    if (!leads_others(&job->crew))
        return MOPT_OK;
    json_t *doc = json_pack(
        "{sOsssf}", "params", attempt->params, "checkpoint",
        attempt->rescued ? moi_config_text(config, "checkpoint") : "",
        "seconds", moi_config_float(config, "checkpoint_seconds"));
    int32_t rc = doc != NULL ? tell(job, TRAIN, doc)
                             : moi_fail(MOPT_ENOMEM, "no memory for a trial");
    json_decref(doc);
    return rc;
}

int32_t moi_crew_agree(moi_job *job, int32_t rc)
{
    moi_crew *crew = &job->crew;
    return crew->all != NULL && crew->team == NULL
               ? moi_group_unite(crew->all, rc) : rc;
}

int32_t moi_crew_judge(moi_job *job, int32_t rc)
{
    moi_crew *crew = &job->crew;
    if (rc != MOPT_EPEER || crew->all == NULL)
        return rc;
    pthread_mutex_lock(&job->lock);
    snprintf(crew->lost, sizeof(crew->lost), "%s", moi_last_text());
    pthread_mutex_unlock(&job->lock);
    return MOPT_ECANCELED;
}

/* The end of a run, and what came out, for those who follow. */
static json_t *describe_end(int32_t rc, const mopt_result *result)
{
    json_t *doc = json_pack("{sIss}", "status", (json_int_t)rc, "message",
                            rc < 0 ? moi_last_text() : "");
    if (doc != NULL && result != NULL &&
        (json_object_set(doc, "result", result->doc) != 0 ||
         json_object_set(doc, "story", result->story) != 0)) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

void moi_crew_end(moi_job *job, int32_t rc, const mopt_result *result)
{
    moi_crew *crew = &job->crew;
    if (leads_others(crew)) {
        json_t *doc = describe_end(rc, result);
        /* Whoever does not hear it is gone, or will find this rank gone. */
        tell(job, END, doc);
        json_decref(doc);
    }
    mopt_group_free(crew->leads);
    mopt_group_free(crew->team);
    moi_free(job->ctx, crew->told);
}

/* --- Following ---------------------------------------------------------- */

int32_t moi_crew_on_epoch(void *user, mopt_trainer *trainer)
{
    (void)user;
    (void)trainer;
    return MOPT_OK;
}

/* How it ends is known to the lead as well; what only happened here is not,
 * and ends the team. */
static void train_along(moi_job *job, const json_t *doc)
{
    const char *path = json_string_value(json_object_get(doc, "checkpoint"));
    moi_attempt attempt;
    double values[MOI_GOALS_MAX] = {0}, excess[MOI_LIMITS_MAX] = {0};
    int32_t rc = moi_attempt_begin(&attempt, job->recipe, &job->aims,
                                   &job->parts,
                                   json_object_get(doc, "params"),
                                   job->cancel);
    if (rc == MOPT_OK && path != NULL && path[0] != '\0')
        rc = moi_attempt_rescue(&attempt, path,
                                json_number_value(json_object_get(doc,
                                                                  "seconds")));
    if (rc != MOPT_OK)
        mopt_group_abort(job->crew.team, rc);
    else
        rc = moi_attempt_train(&attempt, moi_crew_on_epoch, NULL);
    if (rc == MOPT_OK)
        moi_attempt_values(&attempt, MOPT_OK, values, excess);
    moi_attempt_end(&attempt);
}

/* A lead without memory may be unable to say what came out. */
static int32_t take_end(moi_job *job, const json_t *doc, mopt_result **out)
{
    json_t *told = json_object_get(doc, "result");
    int32_t rc = (int32_t)json_integer_value(json_object_get(doc, "status"));
    if (rc < 0)
        moi_fail(rc, "%s", json_string_value(json_object_get(doc, "message")));
    if (told == NULL && rc == MOPT_OK)
        return moi_fail(MOPT_EPEER, "the search has ended, and the first of "
                        "the ranks that train together could not tell how");
    if (told == NULL)
        return rc;
    mopt_result *result = moi_calloc(job->ctx, 1, sizeof(*result));
    if (result == NULL)
        return MOPT_ENOMEM;
    result->ctx = moi_context_hold(job->ctx);
    result->doc = json_incref(told);
    result->story = json_incref(json_object_get(doc, "story"));
    *out = result;
    return rc;
}

int32_t moi_crew_follow(moi_job *job, mopt_result **out)
{
    int64_t kind = STILL_HERE;
    int32_t rc = MOPT_OK;
    while (rc == MOPT_OK && kind != END) {
        json_t *doc = NULL;
        rc = hear(job, &kind, &doc);
        if (rc == MOPT_OK && kind == TRAIN)
            train_along(job, doc);
        if (rc == MOPT_OK && kind == END)
            rc = take_end(job, doc, out);
        json_decref(doc);
    }
    return rc;
}

/* --- Waiting for each other --------------------------------------------- */

/* Sleep for a moment, unless the run is to end; those who follow should not
 * think that this rank has died. */
static int32_t doze(moi_job *job)
{
    moi_crew *crew = &job->crew;
    double until;
    int32_t rc = MOPT_OK;
    crew->pause = fmin(LOOK, fmax(NAP, 2 * crew->pause));
    until = moi_clock_seconds() + crew->pause;
    while (rc == MOPT_OK && moi_clock_seconds() < until) {
        moi_clock_sleep(NAP);
        rc = moi_cancel_check(job->cancel);
        if (rc == MOPT_OK)
            rc = atomic_load(&job->stop);
    }
    if (rc == MOPT_OK && leads_others(crew))
        rc = tell(job, STILL_HERE, NULL);
    return rc;
}

int32_t moi_crew_again(moi_job *job, int32_t *rc)
{
    moi_crew *crew = &job->crew;
    int64_t live = 0;
    int32_t due = 0, timely = 1;
    if (crew->lost[0] != '\0')
        *rc = moi_fail(MOPT_EPEER, "%s", crew->lost);
    if (*rc != MOPT_OK || crew->leads == NULL)
        return 0;
    do {
        /* Who asks finds the dead; later nobody asks. */
        timely = moi_clock_seconds() < job->end;
        *rc = timely ? MOPT_OK : moi_study_census(job->study);
        if (*rc == MOPT_OK)
            *rc = moi_study_rest(job->study, &live, &due);
        moi_crew_tell_news(job);
        if (*rc != MOPT_OK || (live == 0 && !(due && timely)))
            return 0;
        if (!due || !timely)
            *rc = doze(job);
    } while (*rc == MOPT_OK && !timely);
    return *rc == MOPT_OK;
}
