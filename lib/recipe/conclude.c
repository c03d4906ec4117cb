/* SPDX-License-Identifier: MIT
 * lib/recipe/conclude.c: the end of a run: the winner, its model, its one look
 * at the test part, and the story that a report tells. */
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/keep.h"
#include "recipe/result.h"
#include "recipe/run.h"
#include "search/store/database.h"

/* --- The winner --------------------------------------------------------- */

/* No trial is complete: tell why the first one failed. */
static int32_t fail_none(const json_t *study)
{
    const json_t *trials = json_object_get(study, "trials");
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const json_t *trial = json_array_get(trials, i);
        const json_t *reason = json_object_get(trial, "reason");
        const json_t *rejected = json_object_get(
            json_object_get(trial, "notes"), "rejected");
        if (!json_is_string(reason))
            reason = rejected;
        if (json_is_string(reason))
            return moi_fail(MOPT_ENOENT, "no trial completed; trial %d: %s",
                            (int)i, json_string_value(reason));
    }
    return moi_fail(MOPT_ENOENT, "no trial completed");
}

/* Trials of an earlier run, or of another process, leave no weights: a study
 * keeps none. The best one is trained again, which gives the same bits on the
 * same machine, and needs no second file that could be lost or belong to
 * something else. */
static int32_t retrain(moi_job *job, const json_t *best)
{
    const json_t *values = json_object_get(best, "values");
    return moi_job_retrain(
        job, json_object_get(best, "params"),
        json_integer_value(json_object_get(best, "number")),
        json_number_value(json_array_get(values, 0)));
}

/* Where a trial of a search with warm starts comes from. */
static void add_lineage(const json_t *trial, json_t *doc)
{
    static const char *const keys[] = {MOI_NOTE_STARTED_FROM,
                                       MOI_NOTE_TOTAL_EPOCHS};
    const json_t *notes = json_object_get(trial, "notes");
    for (int64_t i = 0; doc != NULL && i < MOI_COUNT(keys); i++)
        if (json_object_get(notes, keys[i]) != NULL)
            json_object_set(doc, keys[i], json_object_get(notes, keys[i]));
}

/* {"number": .., "values": {..}, "params": {..}}; "feasible" when there are
 * constraints, "started_from" and "total_epochs" with warm starts. NULL without
 * memory. */
static json_t *describe_best(const moi_job *job, const json_t *best)
{
    const json_t *values = json_object_get(best, "values");
    const json_t *excess = json_object_get(best, "constraints");
    json_t *named = json_object();
    for (int64_t i = 0; i < job->aims.goal_count; i++)
        json_object_set(named, job->aims.goals[i].measure->name,
                        json_array_get(values, (size_t)i));
    json_t *doc = json_pack("{sOsosO}", "number",
                            json_object_get(best, "number"), "values", named,
                            "params", json_object_get(best, "params"));
    int32_t feasible = 1;
    for (size_t i = 0; i < json_array_size(excess); i++)
        feasible = feasible &&
                   json_number_value(json_array_get(excess, i)) <= 0;
    if (doc != NULL && job->aims.limit_count > 0)
        json_object_set_new(doc, "feasible", json_boolean(feasible));
    add_lineage(best, doc);
    return doc;
}

static json_t *count_trials(moi_job *job)
{
    int64_t complete = 0, pruned = 0, failed = 0;
    mopt_study_count(job->study, MOPT_TRIAL_COMPLETE, &complete);
    mopt_study_count(job->study, MOPT_TRIAL_PRUNED, &pruned);
    mopt_study_count(job->study, MOPT_TRIAL_FAILED, &failed);
    return json_pack("{sIsIsI}", "complete", (json_int_t)complete, "pruned",
                     (json_int_t)pruned, "failed", (json_int_t)failed);
}

/* --- Measuring ---------------------------------------------------------- */

static const char *loss_name(const moi_job *job)
{
    const json_t *loss = json_object_get(
        json_object_get(job->recipe->doc, "train"), "loss");
    if (json_is_object(loss))
        loss = json_object_get(loss, "type");
    const char *name = json_string_value(loss);
    return name == NULL || strcmp(name, "auto") == 0 ? NULL : name;
}

static int32_t evaluate(moi_job *job, const mopt_dataset *data,
                        const char *name, json_t *doc)
{
    json_t *metrics = NULL;
    if (data == NULL)
        return MOPT_OK;
    int32_t rc = moi_model_measure(job->model, data, loss_name(job),
                                   job->cancel, &metrics);
    return rc == MOPT_OK ? moi_json_add(doc, name, metrics) : rc;
}

static int32_t measure(moi_job *job, json_t *doc)
{
    moi_subject subject = {.ctx = job->ctx, .model = job->model,
                           .cancel = job->cancel};
    json_t *costs = NULL;
    int32_t rc = evaluate(job, job->parts.validation, "validation", doc);
    if (rc == MOPT_OK)
        rc = evaluate(job, job->parts.test, "test", doc);
    if (rc == MOPT_OK)
        rc = moi_course_tell(&job->course, &job->parts, job->cancel, doc);
    if (rc == MOPT_OK)
        rc = moi_subject_costs(&subject, &costs);
    if (rc == MOPT_OK)
        rc = moi_json_add(doc, "costs", costs);
    moi_subject_end(&subject);
    const json_t *test = json_object_get(doc, "test");
    if (rc == MOPT_OK && test != NULL)
        moi_job_tell(job, MOPT_EVENT_TEST, json_incref((json_t *)test));
    return rc;
}

/* --- The story ---------------------------------------------------------- */

static json_t *describe_aims(const moi_aims *aims)
{
    json_t *goals = json_array(), *limits = json_array();
    for (int64_t i = 0; i < aims->goal_count; i++)
        json_array_append_new(
            goals, json_pack("{sssbss}", "metric", aims->goals[i].measure->name,
                             "maximize", aims->goals[i].maximize, "help",
                             aims->goals[i].measure->help));
    for (int64_t i = 0; i < aims->limit_count; i++)
        json_array_append_new(
            limits, json_pack("{sssf}", "metric",
                              aims->limits[i].measure->name,
                              aims->limits[i].is_max ? "max" : "min",
                              aims->limits[i].bound));
    return json_pack("{soso}", "objectives", goals, "constraints", limits);
}

/* A report is for others to see. */
static void hide_password(json_t *recipe)
{
    json_t *search = json_object_get(recipe, "search");
    const char *place = json_string_value(json_object_get(search, "storage"));
    char shown[256];
    if (place != NULL)
        json_object_set_new(
            search, "storage",
            json_string(moi_database_show(place, shown, sizeof(shown))));
}

static int32_t tell_story(moi_job *job, const json_t *study,
                          mopt_result *result)
{
    json_t *recipe = NULL, *info = NULL, *data = NULL, *model = NULL;
    int32_t rc = moi_json_from_recipe(job->ctx, job->recipe, &recipe);
    if (rc == MOPT_OK)
        rc = moi_json_from_info(job->ctx, &info);
    if (rc == MOPT_OK)
        rc = moi_json_from_data(job->ctx, job->parts.train, &data);
    if (rc == MOPT_OK && job->model != NULL)
        rc = moi_json_from_model(job->ctx, job->model, &model);
    if (rc == MOPT_OK) {
        hide_password(recipe);
        result->story = json_pack(
            "{sOsOsososososo*so*}", "result", result->doc, "study", study,
            "recipe", recipe, "environment", info, "data", data, "aims",
            describe_aims(&job->aims), "rows", moi_parts_describe(&job->parts),
            "model", model);
        if (result->story == NULL)
            rc = moi_fail(MOPT_ENOMEM, "no memory for the result");
    } else {
        json_decref(recipe);
        json_decref(info);
        json_decref(data);
        json_decref(model);
    }
    return rc;
}

/* --- All of it ---------------------------------------------------------- */

static int32_t find_best(moi_job *job, json_t **out)
{
    mopt_trial *best = NULL;
    int32_t rc = mopt_study_best(job->study, &best);
    if (rc == MOPT_OK)
        rc = moi_json_from_trial(job->ctx, best, out);
    mopt_trial_free(best);
    return rc;
}

/* The winner's model and what it is worth, as far as there is time: a run that
 * was stopped does not train once more, a cancelled one does not measure. Of
 * ranks with trials of their own the first does it for all. */
static int32_t judge(moi_job *job, int32_t ended, const json_t *best,
                     json_t *doc)
{
    int64_t number = json_integer_value(json_object_get(best, "number"));
    if (job->rank.number != number) {
        moi_course_end(&job->course);
        mopt_model_free(job->model);
        job->model = NULL;
    }
    if (ended == MOPT_OK)
        moi_crew_fetch(job, number, json_object_get(best, "params"));
    if (job->crew.leads != NULL && !moi_crew_is_first(&job->crew))
        return MOPT_OK;
    int32_t rc = MOPT_OK;
    if (job->model == NULL && ended == MOPT_OK)
        rc = retrain(job, best);
    if (rc == MOPT_OK && job->model != NULL && ended != MOPT_ECANCELED)
        rc = measure(job, doc);
    return rc;
}

static int32_t fill(moi_job *job, int32_t *ended, double started,
                    const json_t *best, const json_t *study,
                    mopt_result *result)
{
    result->doc = json_pack("{soso}", "best", describe_best(job, best),
                            "trials", count_trials(job));
    if (result->doc == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the result");
    int32_t rc = judge(job, *ended, best, result->doc);
    if (rc == MOPT_ECANCELED) {
        *ended = rc;
        rc = MOPT_OK;
    }
    if (rc == MOPT_OK)
        rc = moi_json_add_number(result->doc, "seconds",
                                 moi_clock_seconds() - started);
    if (rc == MOPT_OK)
        rc = tell_story(job, study, result);
    if (rc == MOPT_OK) {
        result->model = job->model;
        job->model = NULL;
        result->finetune = moi_course_take(&job->course);
    }
    return rc;
}

int32_t moi_job_conclude(moi_job *job, int32_t ended, double started,
                         mopt_result **out)
{
    json_t *best = NULL, *study = NULL;
    mopt_result *result = moi_calloc(job->ctx, 1, sizeof(*result));
    if (result == NULL)
        return MOPT_ENOMEM;
    result->ctx = moi_context_hold(job->ctx);
    int32_t rc = moi_json_from_study(job->ctx, job->study, &study);
    if (rc == MOPT_OK)
        rc = find_best(job, &best);
    if (rc != MOPT_OK && ended == MOPT_OK)
        moi_crew_fetch(job, -1, NULL);
    if (rc == MOPT_ENOENT && study != NULL)
        rc = ended == MOPT_OK ? fail_none(study) : ended;
    else if (rc == MOPT_OK)
        rc = fill(job, &ended, started, best, study, result);
    if (rc == MOPT_OK && result->doc != NULL)
        *out = result;
    else
        mopt_result_free(result);
    json_decref(best);
    json_decref(study);
    return rc == MOPT_OK ? ended : rc;
}
