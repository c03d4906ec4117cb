/* SPDX-License-Identifier: MIT
 * lib/recipe/run.c: a recipe at work: data, search, winner, test. */
#include "recipe/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "recipe/cases.h"
#include "recipe/result.h"
#include "search/study/study.h"

/* --- Events ------------------------------------------------------------- */

int32_t moi_job_tell(moi_job *job, int32_t event, json_t *json)
{
    char *text = NULL;
    if (job->on_event != NULL && json != NULL &&
        (text = moi_json_dump(job->ctx, json)) != NULL) {
        pthread_mutex_lock(&job->lock);
        int32_t rc = atomic_load(&job->stop) == 0
                         ? job->on_event(job->user, event, text) : 0;
        if (rc != 0)
            atomic_store(&job->stop,
                         rc == MOPT_STOPPED ? MOPT_STOPPED : MOPT_ECALLBACK);
        pthread_mutex_unlock(&job->lock);
    }
    moi_free(job->ctx, text);
    json_decref(json);
    return atomic_load(&job->stop);
}

/* --- One study, one recipe ---------------------------------------------- */

/* Fed by jansson. */
static int hash_piece(const char *piece, size_t size, void *user)
{
    uint64_t *hash = user;
    *hash = moi_hash(*hash, piece, size);
    return 0;
}

/* What must be the same for the values of two trials to be comparable: all of
 * data, model and train but what is searched, and what is measured. Where the
 * data lie does not count. */
static int32_t digest(moi_job *job)
{
    static const char *const kept[] = {"objectives", "constraints", "seed"};
    const json_t *search = json_object_get(job->recipe->doc, "search");
    const mopt_recipe *recipe = job->recipe;
    uint64_t hash = MOI_HASH_START;
    json_t *doc = json_object(), *nothing = json_object();
    int32_t rc = doc && nothing ? MOPT_OK
                                : moi_fail(MOPT_ENOMEM, "no memory");
    for (int64_t i = 0; rc == MOPT_OK && moi_recipe_searched[i] != NULL; i++) {
        json_t *picked = NULL;
        if (!moi_recipe_has(recipe, moi_recipe_searched[i]))
            continue;
        rc = moi_recipe_pick(recipe, moi_recipe_searched[i], nothing, &picked);
        if (rc == MOPT_OK)
            rc = moi_json_add(doc, moi_recipe_searched[i], picked);
    }
    json_object_del(json_object_get(doc, "data"), "base");
    for (int64_t i = 0; rc == MOPT_OK && i < MOI_COUNT(kept); i++)
        json_object_set(doc, kept[i], json_object_get(recipe->doc, kept[i]));
    if (job->starts.on)
        json_object_set(doc, "warm_start",
                        json_object_get(search, "warm_start"));
    if (rc == MOPT_OK)
        json_dump_callback(doc, hash_piece, &hash,
                           JSON_SORT_KEYS | JSON_COMPACT);
    snprintf(job->digest, sizeof(job->digest), "%016" PRIx64, hash);
    json_decref(doc);
    json_decref(nothing);
    return rc;
}

/* Trials of another recipe in the same study could not be compared. */
static int32_t check_digest(moi_job *job)
{
    char json[24];
    json_t *doc = NULL;
    int64_t count = 0;
    int32_t rc = mopt_study_count(job->study, -1, &count);
    if (rc == MOPT_OK && count == 0) {
        snprintf(json, sizeof(json), "\"%s\"", job->digest);
        return mopt_study_set_note(job->study, "recipe", json);
    }
    if (rc == MOPT_OK)
        rc = moi_json_from_study(job->ctx, job->study, &doc);
    if (rc != MOPT_OK)
        return rc;
    const char *note = json_string_value(
        json_object_get(json_object_get(doc, "notes"), "recipe"));
    if (note != NULL && strcmp(note, job->digest) != 0)
        rc = moi_fail(MOPT_EINVAL, "search.storage: the study '%s' in this "
                      "file is of another recipe (its data, model, train, "
                      "objectives or constraints differ), so its values "
                      "cannot be compared; take another search.name or "
                      "another file",
                      json_string_value(json_object_get(doc, "name")));
    json_decref(doc);
    return rc;
}

/* --- The study ---------------------------------------------------------- */

/* "maximize,minimize": one an objective. */
static int32_t set_direction(const moi_job *job, mopt_config *config)
{
    moi_text text;
    moi_text_init(&text, job->ctx);
    for (int64_t i = 0; i < job->aims.goal_count; i++) {
        moi_text_add(&text, i > 0 ? "," : "");
        moi_text_add(&text, job->aims.goals[i].maximize ? "maximize"
                                                        : "minimize");
    }
    int32_t rc = text.status;
    if (rc == MOPT_OK)
        rc = mopt_config_set_text(config, "direction", moi_text_get(&text));
    moi_text_free(&text);
    return rc;
}

/* Who joins goes on with a study that another rank has just opened. */
static int32_t open_study(moi_job *job, int32_t joins)
{
    mopt_config *config = NULL;
    mopt_space *space = NULL;
    int32_t rc = moi_recipe_study(job->recipe, &config);
    if (rc == MOPT_OK)
        rc = set_direction(job, config);
    if (rc == MOPT_OK)
        job->rescue_seconds = moi_config_float(config, "checkpoint_seconds");
    if (rc == MOPT_OK && joins)
        rc = mopt_config_set_bool(config, "resume", 1);
    if (rc == MOPT_OK)
        rc = moi_slots_space(&job->recipe->slots, &space);
    if (rc == MOPT_OK)
        rc = moi_study_create(job->ctx, space, config, job->cancel,
                              &job->study);
    mopt_space_free(space);
    mopt_config_free(config);
    if (rc == MOPT_OK)
        rc = digest(job);
    return rc == MOPT_OK ? check_digest(job) : rc;
}

/* --- The run ------------------------------------------------------------ */

/* How far behind the teacher is known where there is one to ask. */
static int32_t check_gap(const moi_job *job)
{
    const moi_aims *aims = &job->aims;
    int32_t asked = 0;
    for (int64_t i = 0; i < aims->goal_count; i++)
        asked |= aims->goals[i].measure->known == MOI_KNOWN_COMPARED;
    for (int64_t i = 0; i < aims->limit_count; i++)
        asked |= aims->limits[i].measure->known == MOI_KNOWN_COMPARED;
    if (asked && isnan(job->parts.mentors.accuracy))
        return moi_fail(MOPT_EINVAL, "'gap' needs a section \"distill\" with "
                        "a teacher that is a model");
    return MOPT_OK;
}

/* What leaves nothing open has one plan: none that cannot be is found out by a
 * trial. */
static int32_t check_plan(moi_job *job)
{
    const mopt_recipe *recipe = job->recipe;
    mopt_parallel *plan = NULL;
    if (recipe->slots.count > 0 || !moi_course_is_spread(recipe))
        return MOPT_OK;
    int32_t rc = moi_recipe_plan_parts(recipe, &job->parts,
                                       mopt_group_size(recipe->group),
                                       job->cancel, &plan);
    mopt_parallel_free(plan);
    return rc;
}

static int32_t prepare(moi_job *job)
{
    int32_t rc = moi_starts_begin(job);
    if (rc == MOPT_OK)
        rc = moi_parts_load(job->recipe, job->cancel, &job->parts);
    if (rc == MOPT_OK)
        rc = moi_cancel_check(job->cancel);
    if (rc == MOPT_OK)
        rc = moi_aims_settle(&job->aims, job->parts.target,
                             job->parts.validation != NULL);
    if (rc == MOPT_OK)
        rc = check_gap(job);
    if (rc == MOPT_OK)
        rc = check_plan(job);
    if (rc == MOPT_OK)
        rc = moi_job_tell(job, MOPT_EVENT_DATA,
                          moi_parts_describe(&job->parts));
    return rc;
}

static int32_t begin(moi_job *job, const mopt_recipe *recipe)
{
    int32_t rc = moi_crew_begin(job, recipe);
    if (rc == MOPT_OK)
        rc = moi_crew_ready(job, prepare(job));
    return rc == MOPT_OK ? moi_crew_open(job, open_study) : rc;
}

static void end(moi_job *job, int32_t rc, const mopt_result *result)
{
    moi_crew_end(job, rc, result);
    moi_course_end(&job->course);
    mopt_model_free(job->model);
    mopt_study_free(job->study);
    moi_starts_end(job);
    moi_parts_free(&job->parts);
    pthread_mutex_destroy(&job->lock);
}

/* Search, and say what came out. */
static int32_t work(moi_job *job, double started, mopt_result **out)
{
    int32_t rc = moi_job_search(job);
    if (atomic_load(&job->stop) != 0)
        rc = atomic_load(&job->stop);
    rc = moi_crew_meet(job, rc);
    if (rc == MOPT_OK || rc == MOPT_STOPPED || rc == MOPT_ECANCELED)
        rc = moi_job_conclude(job, rc, started, out);
    return rc;
}

int32_t moi_recipe_run_once(const mopt_recipe *recipe, mopt_event_fn on_event,
                            void *user, mopt_cancel *cancel, mopt_result **out)
{
    double started = moi_clock_seconds();
    moi_job job = {.ctx = recipe->ctx, .recipe = recipe,
                   .aims = recipe->aims, .cancel = cancel,
                   .lock = PTHREAD_MUTEX_INITIALIZER, .on_event = on_event,
                   .user = user};
    int32_t rc = begin(&job, recipe);
    if (rc == MOPT_OK)
        rc = moi_crew_follows(&job.crew) ? moi_crew_follow(&job, out)
                                         : work(&job, started, out);
    if (atomic_load(&job.stop) == MOPT_ECALLBACK) {
        mopt_result_free(*out);
        *out = NULL;
        rc = moi_fail(MOPT_ECALLBACK, "on_event returned what it may not");
    }
    end(&job, rc, *out);
    return rc;
}

int32_t mopt_recipe_run(const mopt_recipe *recipe, mopt_event_fn on_event,
                        void *user, mopt_cancel *cancel, mopt_result **out)
{
    if (recipe == NULL)
        return moi_fail_null("mopt_recipe_run", "recipe");
    if (out == NULL)
        return moi_fail_null("mopt_recipe_run", "out");
    *out = NULL;
    int32_t rc = moi_cases_are_several(recipe)
                     ? moi_cases_run(recipe, on_event, user, cancel, out)
                     : moi_recipe_run_once(recipe, on_event, user, cancel,
                                           out);
    if (rc == MOPT_ENOMEM && recipe->group != NULL)
        mopt_group_abort(recipe->group, rc); /* others may wait for this one */
    return rc;
}
