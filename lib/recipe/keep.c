/* SPDX-License-Identifier: MIT
 * lib/recipe/keep.c: the weights of trials.
 *
 * A file is written before its trial is told, and the trial notes a checksum of
 * the weights: whoever finds the trial knows whether a file is the right one. A
 * file that is missing, damaged or of something else costs time, not bits: the
 * trial is trained again as it was, from the same start. */
#include "recipe/keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "learn/nn/model.h"
#include "recipe/result.h"
#include "search/store/database.h"

/* --- Files -------------------------------------------------------------- */

/* Several studies may share a file. */
int32_t moi_keep_place(const moi_job *job, char **out)
{
    mopt_config *config = NULL;
    int32_t rc = moi_recipe_study(job->recipe, &config);
    if (rc != MOPT_OK)
        return rc;
    const char *file = moi_database_file(moi_config_text(config, "storage"));
    if (file != NULL)
        rc = moi_database_beside(job->ctx, file, ".start-",
                                 moi_config_text(config, "name"), out);
    mopt_config_free(config);
    return rc;
}

static int32_t path_of(const moi_job *job, int64_t number, moi_text *text)
{
    moi_text_init(text, job->ctx);
    moi_text_addf(text, "%s%" PRId64 ".safetensors", job->starts.place,
                  number);
    return text->status;
}

void moi_keep_forget(const moi_job *job, int64_t number)
{
    const moi_file_ops *files = job->ctx->files;
    moi_text path;
    if (job->starts.place == NULL)
        return;
    if (path_of(job, number, &path) == MOPT_OK)
        files->unlink(files->user, moi_text_get(&path));
    moi_text_free(&path);
}

/* --- Notes -------------------------------------------------------------- */

int32_t moi_keep_note_int(mopt_trial *trial, const char *key, int64_t value)
{
    char json[24];
    snprintf(json, sizeof(json), "%" PRId64, value);
    return mopt_trial_set_note(trial, key, json);
}

static void digest_of(const mopt_model *model, char digest[17])
{
    uint64_t hash = moi_hash_block(
        MOI_HASH_START, moi_model_weights(model),
        (size_t)moi_model_size(model) * sizeof(moi_real));
    snprintf(digest, 17, "%016" PRIx64, hash);
}

static const json_t *note_of(const json_t *trial, const char *key)
{
    return json_object_get(json_object_get(trial, "notes"), key);
}

/* Its own epochs, and all those of its forebears. */
static int32_t note_epochs(moi_job *job, mopt_trial *trial,
                           const moi_attempt *attempt)
{
    json_t *doc = NULL, *older = NULL;
    double epochs = 0;
    int32_t rc = mopt_trainer_get(attempt->course.trainer, "epoch", &epochs);
    if (rc == MOPT_OK)
        rc = moi_json_from_trial(job->ctx, trial, &doc);
    const json_t *from = note_of(doc, MOI_NOTE_STARTED_FROM);
    if (rc == MOPT_OK && from != NULL)
        rc = moi_job_read(job, json_integer_value(from), &older);
    if (rc == MOPT_OK)
        rc = moi_keep_note_int(
            trial, MOI_NOTE_TOTAL_EPOCHS,
            (int64_t)epochs + json_integer_value(note_of(
                                  older, MOI_NOTE_TOTAL_EPOCHS)));
    json_decref(doc);
    json_decref(older);
    return rc;
}

/* What cannot be written is trained again when it is needed: no reason to lose
 * what the trial found. */
static int32_t write_file(const moi_job *job, int64_t number,
                          const mopt_model *model)
{
    moi_text path;
    if (job->starts.place == NULL)
        return MOPT_OK;
    int32_t rc = path_of(job, number, &path);
    if (rc == MOPT_OK)
        rc = mopt_model_save(model, moi_text_get(&path));
    moi_text_free(&path);
    if (rc == MOPT_OK || rc == MOPT_ENOMEM)
        return rc;
    moi_log(job->ctx, MOPT_LOG_WARN, "recipe",
            "search.warm_start: the weights of trial %d could not be kept: %s",
            (int)number, moi_last_text());
    return MOPT_OK;
}

int32_t moi_keep_save(moi_job *job, mopt_trial *trial,
                      const moi_attempt *attempt)
{
    char digest[17], json[20];
    int32_t rc = note_epochs(job, trial, attempt);
    if (rc == MOPT_OK)
        rc = write_file(job, mopt_trial_number(trial), attempt->model);
    if (rc != MOPT_OK)
        return rc;
    digest_of(attempt->model, digest);
    snprintf(json, sizeof(json), "\"%s\"", digest);
    return mopt_trial_set_note(trial, MOI_NOTE_WEIGHTS, json);
}

/* --- Reading back ------------------------------------------------------- */

static int32_t has_digest(const mopt_model *model, const json_t *trial)
{
    const char *noted = json_string_value(note_of(trial, MOI_NOTE_WEIGHTS));
    char digest[17];
    digest_of(model, digest);
    return noted != NULL && strcmp(noted, digest) == 0;
}

/* Its file, if it is there and right; *out stays NULL otherwise. */
static int32_t load(moi_job *job, const json_t *trial, mopt_model **out)
{
    mopt_model *model = NULL;
    moi_text path;
    if (job->starts.place == NULL)
        return MOPT_OK;
    int32_t rc = path_of(
        job, json_integer_value(json_object_get(trial, "number")), &path);
    if (rc == MOPT_OK)
        rc = mopt_model_load(job->ctx, moi_text_get(&path), &model);
    if (rc == MOPT_OK && has_digest(model, trial))
        *out = model;
    else if (rc != MOPT_ENOMEM)
        moi_log(job->ctx, MOPT_LOG_WARN, "recipe",
                "search.warm_start: %s, so that trial is trained again",
                rc != MOPT_OK ? moi_last_text()
                              : "a file holds other weights than its trial's");
    if (*out == NULL)
        mopt_model_free(model);
    moi_text_free(&path);
    return rc == MOPT_ENOMEM ? rc : MOPT_OK;
}

/* What is in memory or in a file. */
static int32_t fetch(moi_job *job, const json_t *trial, mopt_model **out)
{
    int64_t number = json_integer_value(json_object_get(trial, "number"));
    for (int64_t i = 0; i < job->starts.count; i++) {
        moi_start *start = &job->starts.list[i];
        if (start->rank.number == number && start->model != NULL) {
            *out = moi_model_hold(start->model);
            return MOPT_OK;
        }
    }
    return load(job, trial, out);
}

/* Train a trial as it was trained; *model is its start, or NULL, and then what
 * came out. */
static int32_t repeat(moi_job *job, const json_t *trial, mopt_model **model)
{
    moi_attempt attempt;
    int32_t rc = moi_attempt_begin(&attempt, job->recipe, &job->aims,
                                   &job->parts,
                                   json_object_get(trial, "params"),
                                   job->cancel);
    if (rc == MOPT_OK && *model != NULL)
        rc = moi_attempt_start(&attempt, *model);
    if (rc == MOPT_OK)
        rc = moi_attempt_train(&attempt, NULL, NULL);
    if (rc == MOPT_OK && !has_digest(attempt.model, trial))
        moi_log(job->ctx, MOPT_LOG_WARN, "recipe",
                "trial %d was trained again, since its weights are gone, and "
                "came out different: other hardware, another build or other "
                "data", (int)json_integer_value(json_object_get(trial,
                                                                "number")));
    if (rc == MOPT_OK) {
        mopt_model_free(*model);
        *model = moi_model_hold(attempt.model);
    }
    moi_attempt_end(&attempt);
    return rc;
}

/* line: a trial, and its forebears down to one that starts afresh, or the one
 * behind it has weights, in *model. */
static int32_t trace(moi_job *job, int64_t number, json_t *line,
                     mopt_model **model)
{
    int32_t rc = MOPT_OK;
    while (rc == MOPT_OK && *model == NULL && number >= 0) {
        json_t *trial = NULL;
        rc = moi_job_read(job, number, &trial);
        if (rc == MOPT_OK)
            rc = fetch(job, trial, model);
        const json_t *from = note_of(trial, MOI_NOTE_STARTED_FROM);
        number = from != NULL ? json_integer_value(from) : -1;
        if (rc == MOPT_OK && *model == NULL &&
            json_array_append(line, trial) != 0)
            rc = MOPT_ENOMEM;
        json_decref(trial);
    }
    return rc;
}

/* Remember the weights of a trial that may be started from. */
static void remember(moi_job *job, int64_t number, mopt_model *model)
{
    for (int64_t i = 0; i < job->starts.count; i++) {
        moi_start *start = &job->starts.list[i];
        if (start->rank.number == number && start->model == NULL)
            start->model = moi_model_hold(model);
    }
}

int32_t moi_keep_recall(moi_job *job, int64_t number, mopt_model **out)
{
    mopt_model *model = NULL;
    json_t *line = json_array();
    int32_t rc = line != NULL ? trace(job, number, line, &model) : MOPT_ENOMEM;
    for (size_t i = json_array_size(line); i > 0 && rc == MOPT_OK; i--)
        rc = repeat(job, json_array_get(line, i - 1), &model);
    json_decref(line);
    if (rc == MOPT_OK) {
        remember(job, number, model);
        *out = model;
    } else {
        mopt_model_free(model);
    }
    return rc;
}
