/* SPDX-License-Identifier: MIT
 * lib/recipe/attempt.c: one training of a recipe. */
#include "recipe/attempt.h"

#include <math.h>
#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "group/group.h"
#include "learn/nn/loss.h"
#include "learn/nn/model.h"
#include "learn/train/trainer.h"

/* Outputs of a model whose last layer leaves them to the data: one a class or
 * target number; one alone where the loss takes two classes so. */
static int64_t outputs_of(const moi_attempt *attempt)
{
    const char *name = moi_config_text(attempt->config, "loss");
    const moi_prepared *data = attempt->data;
    if (data->target != MOPT_TARGET_CLASS || strcmp(name, "auto") == 0)
        return data->outputs;
    const moi_loss_kind *kind = moi_loss_find(name);
    if (kind != NULL &&
        moi_loss_fits(kind, data->target, data->outputs, data->outputs) != 0 &&
        moi_loss_fits(kind, data->target, data->outputs, 1) == MOPT_OK)
        return 1;
    return data->outputs;
}

static int32_t make_model(moi_attempt *attempt, const json_t *params)
{
    const moi_path path = {NULL, "model", 0};
    json_t *tree = NULL;
    if (moi_course_has_source(attempt->recipe))
        return moi_course_make_model(&attempt->course, attempt->recipe,
                                     attempt->parts, attempt->data, params,
                                     attempt->config, &attempt->model);
    int32_t rc = moi_recipe_pick(attempt->recipe, "model", params, &tree);
    if (rc == MOPT_OK)
        rc = moi_model_from_json(attempt->recipe->ctx, tree, &path,
                                 attempt->data->inputs, outputs_of(attempt),
                                 &attempt->model);
    if (rc == MOPT_OK)
        rc = mopt_model_set_transform(attempt->model,
                                      attempt->data->transform);
    json_decref(tree);
    return rc;
}

/* The best epoch is the best by the first objective, if it is known then. */
static int32_t make_config(moi_attempt *attempt, const json_t *params)
{
    const moi_measure *first = attempt->aims->goals[0].measure;
    json_t *picked = NULL;
    int32_t rc = moi_recipe_pick(attempt->recipe, "train", params, &picked);
    if (rc == MOPT_OK)
        rc = moi_recipe_train(attempt->recipe, picked, &attempt->config);
    if (rc == MOPT_OK && first->known == MOI_KNOWN_VALIDATION &&
        !moi_config_has(attempt->config, "monitor"))
        rc = mopt_config_set_text(attempt->config, "monitor", first->name);
    json_decref(picked);
    return rc;
}

int32_t moi_attempt_begin(moi_attempt *attempt, const mopt_recipe *recipe,
                          const moi_aims *aims, moi_parts *parts,
                          const json_t *params, mopt_cancel *cancel)
{
    *attempt = (moi_attempt){.recipe = recipe, .aims = aims, .parts = parts};
    attempt->params = json_incref((json_t *)params);
    int32_t rc = moi_parts_prepare(parts, recipe, params, &attempt->data);
    if (rc == MOPT_OK)
        rc = make_config(attempt, params);
    if (rc == MOPT_OK)
        rc = make_model(attempt, params);
    if (rc != MOPT_OK)
        return rc;
    const char *loss = moi_config_text(attempt->config, "loss");
    attempt->subject = (moi_subject){
        .ctx = recipe->ctx,
        .model = attempt->model,
        .validation = attempt->data->validation,
        .loss = strcmp(loss, "auto") == 0 ? NULL : loss,
        .restored = moi_config_bool(attempt->config, "restore_best"),
        .mentor = parts->mentors.accuracy,
        .cancel = cancel,
    };
    return MOPT_OK;
}

void moi_attempt_end(moi_attempt *attempt)
{
    moi_subject_end(&attempt->subject);
    moi_course_end(&attempt->course);
    json_decref(attempt->params);
    mopt_model_free(attempt->model);
    mopt_config_free(attempt->config);
}

int32_t moi_attempt_start(moi_attempt *attempt, const mopt_model *source)
{
    return mopt_model_grow(source, attempt->model,
                           moi_config_int(attempt->config, "seed"));
}

int32_t moi_attempt_rescue(moi_attempt *attempt, const char *path,
                           double seconds)
{
    mopt_config *config = attempt->config;
    int32_t rc = mopt_config_set_text(config, "checkpoint", path);
    if (rc == MOPT_OK)
        rc = mopt_config_set_int(config, "checkpoint_every", 0);
    if (rc == MOPT_OK)
        rc = mopt_config_set_float(config, "checkpoint_seconds", seconds);
    attempt->rescued = rc == MOPT_OK;
    return rc;
}

/* No rank leaves while others wait for it: one has no memory, or not all find
 * the same file, of which those hear that could have gone on. */
static int32_t agree(mopt_group *group, const char *path, int32_t resumed)
{
    int32_t lack = resumed == MOPT_ENOMEM ? resumed : MOPT_OK;
    int32_t apart = resumed == MOPT_EPEER || resumed == MOPT_EINVAL;
    int32_t rc = moi_group_settle(group, lack);
    if (rc != MOPT_OK)
        return rc;
    if (moi_group_settle(group, apart ? resumed : MOPT_OK) == MOPT_OK)
        return MOPT_OK;
    return moi_fail(MOPT_EIO, "%s: not every rank reads the same there; "
                    "checkpoints of trials must be where all see them", path);
}

/* What is there may be of another training, or damaged: then nothing is lost
 * but time. */
static int32_t go_on(const moi_attempt *attempt)
{
    const char *path = moi_config_text(attempt->config, "checkpoint");
    mopt_group *group = attempt->recipe->group;
    int32_t resumed = mopt_trainer_resume(attempt->course.trainer, path);
    int32_t rc = resumed == MOPT_ENOMEM ? resumed : MOPT_OK;
    if (group != NULL)
        rc = agree(group, path, resumed);
    if (rc == MOPT_OK && resumed != MOPT_OK && resumed != MOPT_ENOENT)
        moi_log(attempt->recipe->ctx, MOPT_LOG_WARN, "recipe",
                "a trial does not go on from its checkpoint, but starts "
                "afresh: %s", moi_last_text());
    return rc;
}

const moi_limit *moi_attempt_broken(moi_attempt *attempt, double *value)
{
    for (int64_t i = 0; i < attempt->aims->limit_count; i++) {
        const moi_limit *limit = &attempt->aims->limits[i];
        if (limit->measure->known == MOI_KNOWN_BUILT &&
            moi_subject_value(&attempt->subject, limit->measure, value) ==
                MOPT_OK &&
            moi_limit_excess(limit, *value) > 0)
            return limit;
    }
    return NULL;
}

int32_t moi_attempt_train(moi_attempt *attempt, mopt_trainer_fn on_epoch,
                          void *user)
{
    moi_course *course = &attempt->course;
    int32_t rc = moi_course_begin(course, attempt->recipe, attempt->parts,
                                  attempt->data, attempt->params,
                                  attempt->config, attempt->model,
                                  attempt->subject.cancel);
    attempt->subject.trainer = course->trainer;
    if (rc == MOPT_OK && attempt->rescued && course->trainer != NULL) {
        course->trainer->flags |= MOI_TRAINER_RESCUE;
        rc = go_on(attempt);
    }
    if (rc == MOPT_OK && on_epoch != NULL && course->trainer != NULL)
        rc = mopt_trainer_on_epoch(course->trainer, on_epoch, user, NULL);
    if (rc == MOPT_OK)
        rc = moi_course_fit(course, attempt->subject.cancel);
    if (attempt->recipe->group != NULL)
        rc = moi_group_unite(attempt->recipe->group, rc);
    if (rc != MOPT_OK || course->trainer == NULL)
        return rc;
    /* The course may outlive what it told of its epochs. */
    return mopt_trainer_on_epoch(course->trainer, NULL, NULL, NULL);
}

static int32_t measure(moi_attempt *attempt, double *values, double *excess)
{
    const moi_aims *aims = attempt->aims;
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < aims->goal_count && rc == MOPT_OK; i++) {
        const moi_measure *measure = aims->goals[i].measure;
        rc = moi_subject_value(&attempt->subject, measure, &values[i]);
        if (rc == MOPT_OK && isnan(values[i]))
            rc = moi_fail(MOPT_ESTATE, "%s is not a number here",
                          measure->name);
    }
    for (int64_t i = 0; i < aims->limit_count && rc == MOPT_OK; i++) {
        double value = NAN;
        rc = moi_subject_value(&attempt->subject, aims->limits[i].measure,
                               &value);
        if (rc == MOPT_ESTATE)
            rc = MOPT_OK; /* not a number, such as the AUC of one class */
        /* What cannot be measured is not met. */
        excess[i] = isnan(value) ? HUGE_VAL
                                 : moi_limit_excess(&aims->limits[i], value);
    }
    return rc;
}

/* What rank 0 found counts: a clock must not send the ranks different ways. */
typedef struct verdict {
    double values[MOI_GOALS_MAX], excess[MOI_LIMITS_MAX];
} verdict;

int32_t moi_attempt_values(moi_attempt *attempt, int32_t status,
                           double *values, double *excess)
{
    const moi_aims *aims = attempt->aims;
    mopt_group *group = attempt->recipe->group;
    verdict found = {0};
    int32_t rc = status;
    if (rc == MOPT_OK)
        rc = measure(attempt, found.values, found.excess);
    if (group != NULL)
        rc = moi_group_unite(group, rc);
    if (rc == MOPT_OK && group != NULL)
        rc = mopt_group_broadcast(group, 0, &found, sizeof(found), NULL);
    for (int64_t i = 0; i < aims->goal_count; i++)
        values[i] = found.values[i];
    for (int64_t i = 0; i < aims->limit_count; i++)
        excess[i] = found.excess[i];
    return rc;
}
