/* SPDX-License-Identifier: MIT
 * lib/learn/train/trainer.c: making a trainer, and its two extension points:
 * groups of parameters and terms of the loss. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/train/trainer.h"

/* ---- settings of each tensor ---- */

static void tune_group(mopt_trainer *t, const moi_group *group)
{
    int64_t count = moi_model_param_count(t->model);

    for (int64_t i = 0; i < count; i++) {
        moi_tuning *tuning = &t->tuning[i];

        if (!moi_text_glob(group->pattern, moi_model_param(t->model, i)->name))
            continue;
        if (moi_config_has(group->config, "rate"))
            tuning->rate = moi_config_float(group->config, "rate");
        if (moi_config_has(group->config, "weight_decay"))
            tuning->decay = moi_config_float(group->config, "weight_decay");
        if (moi_config_has(group->config, "frozen"))
            t->frozen[i] = moi_config_bool(group->config, "frozen");
    }
}

/* From the rule alone: biases do not decay unless that is asked for. */
static void tune_all(mopt_trainer *t)
{
    int64_t count = moi_model_param_count(t->model);

    for (int64_t i = 0; i < count; i++) {
        int32_t spared =
            moi_model_param(t->model, i)->flags & MOI_PARAM_NO_DECAY;

        t->tuning[i] = (moi_tuning){
            .rate = 1,
            .decay = spared && !t->rule.decay_bias ? 0 : t->rule.decay,
        };
    }
}

/* ---- life ---- */

static int32_t check_create(const char *function, const moi_trainer_of *of)
{
    const mopt_config *config = of->config;

    if (!of->ctx || !of->model || !of->train)
        return moi_fail_null(function, !of->ctx     ? "ctx"
                                       : !of->model ? "model"
                                                    : "train");
    if (!config)
        return MOPT_OK;
    if (moi_config_schema(config) != &moi_train_schema)
        return moi_fail(MOPT_EINVAL,
                        "%s: the config is of kind '%s', wanted is 'train'",
                        function, moi_config_schema(config)->name);
    return moi_config_check(config);
}

static int32_t packs(const mopt_trainer *t)
{
    return strcmp(t->set.compression, "none") != 0;
}

static int32_t check_join(const mopt_trainer *t)
{
    if (sizeof(moi_real) != sizeof(float))
        return moi_fail(MOPT_EUNSUPPORTED, "parts: their gradients are added "
                        "up as numbers of 32 bits");
    if (packs(t) && (t->rule.search || t->set.local_steps))
        return moi_fail(MOPT_EINVAL, "compression: does not go with %s; "
                        "allowed is \"none\"",
                        t->rule.search ? "a line search" : "local_steps");
    if (!t->set.local_steps)
        return MOPT_OK;
    if (t->set.parts)
        return moi_fail(MOPT_EINVAL, "parts: workers with local_steps have "
                        "one share of a batch each; allowed is 0");
    if (t->rule.search)
        return moi_fail(MOPT_EINVAL, "local_steps: a line search looks at the "
                        "whole batch; allowed is 0");
    if (t->set.asynchronous && t->set.local_workers)
        return moi_fail(MOPT_EINVAL, "local_workers: without waiting each "
                        "rank is a worker; allowed is 0");
    return MOPT_OK;
}

/* Workers that do not wait for each other have no team once they began. */
static int32_t make_local(mopt_trainer *t, moi_team **team, moi_local **out)
{
    int32_t rc = moi_local_create(t, *team, out);

    if (!rc && !t->set.asynchronous)
        return MOPT_OK;
    moi_team_free(*team);
    *team = NULL;
    t->set.restore_best = t->set.restore_best && !t->set.asynchronous;
    return rc;
}

/* Work with a group from now on, or in parts all alone. What this rank was
 * refused for, if it was, is an error of all. */
static int32_t join(mopt_trainer *t, mopt_group *group, int32_t refused)
{
    moi_team *team = NULL;
    moi_local *local = NULL;
    int32_t rc = refused ? refused : check_join(t);

    /* A group from before has left the state in pieces of its own. */
    if (!rc)
        rc = moi_shard_unfold(t);
    if (group)
        rc = moi_group_settle(group, rc);
    if (!rc)
        rc = moi_team_create(t, group, &team);
    if (!rc && t->set.local_steps)
        rc = make_local(t, &team, &local);
    if (rc)
        return rc;
    moi_team_free(t->team);
    moi_local_free(t->local);
    t->team = team;
    t->local = local;
    moi_shard_fold(t);
    t->fused = t->fused && local;
    return MOPT_OK;
}

int32_t moi_trainer_make(const char *function, const moi_trainer_of *of,
                         mopt_trainer **out)
{
    mopt_trainer *t;
    int32_t rc = check_create(function, of);

    if (rc)
        return rc;
    t = moi_calloc(of->ctx, 1, sizeof *t);
    if (!t)
        return MOPT_ENOMEM;
    t->ctx = moi_context_hold(of->ctx);
    t->whole = moi_model_hold(of->model);
    t->train = moi_dataset_hold(of->train);
    t->validation = of->validation ? moi_dataset_hold(of->validation) : NULL;
    t->ordered = -1;
    t->now.mark = NAN;
    t->norm = NAN;
    rc = of->config ? moi_config_copy(of->config, &t->config)
                    : moi_config_new(t->ctx, &moi_train_schema, &t->config);
    if (!rc) {
        moi_settings_read(&t->set, t->config);
        rc = moi_optimizer_init(&t->rule, t->config);
    }
    if (rc)
        mopt_trainer_free(t);
    else
        *out = t;
    return rc;
}

int32_t moi_trainer_set_up(mopt_trainer *t)
{
    int32_t rc = MOPT_OK;

    if (!moi_model_ready(t->model))
        rc = mopt_model_init(t->model, (int64_t)t->set.seed);
    t->momentum = t->rule.momentum;
    if (!rc)
        rc = moi_trainer_lay_out(t);
    if (!rc)
        tune_all(t);
    return rc;
}

int32_t moi_trainer_make_whole(const char *function, const moi_trainer_of *of,
                               mopt_trainer **out)
{
    mopt_trainer *t = NULL;
    int32_t rc = moi_trainer_make(function, of, &t);

    if (rc)
        return rc;
    t->model = moi_model_hold(of->model);
    rc = moi_trainer_set_up(t);
    if (rc)
        mopt_trainer_free(t);
    else
        *out = t;
    return rc;
}

int32_t mopt_trainer_create(mopt_context *ctx, mopt_model *model,
                            const mopt_dataset *train,
                            const mopt_dataset *validation,
                            const mopt_config *config, mopt_trainer **out)
{
    const char *function = "mopt_trainer_create";
    moi_trainer_of of = {ctx, model, train, validation, config};
    mopt_trainer *t = NULL;
    int32_t rc = out ? moi_trainer_make_whole(function, &of, &t)
                     : moi_fail_null(function, "out");

    if (!rc && (t->set.parts || t->set.local_steps || packs(t)))
        rc = join(t, NULL, MOPT_OK);
    if (rc)
        mopt_trainer_free(t);
    else
        *out = t;
    return rc;
}

static void drop(moi_listener *listener)
{
    if (listener->destroy)
        listener->destroy(listener->user);
    *listener = (moi_listener){NULL, NULL, NULL};
}

void mopt_trainer_free(mopt_trainer *trainer)
{
    mopt_trainer *t = trainer;
    mopt_context *ctx;

    if (!t)
        return;
    ctx = t->ctx;
    for (int64_t i = 0; i < t->term_count; i++)
        if (t->terms[i].destroy)
            t->terms[i].destroy(t->terms[i].user);
    drop(&t->on_step);
    drop(&t->on_epoch);
    for (int64_t i = 0; i < t->group_count; i++) {
        moi_free(ctx, t->groups[i].pattern);
        mopt_config_free(t->groups[i].config);
    }
    moi_trainer_clear(t);
    moi_free(ctx, t->terms);
    moi_free(ctx, t->groups);
    mopt_config_free(t->config);
    mopt_dataset_free(t->train);
    mopt_dataset_free(t->validation);
    mopt_model_free(t->model);
    mopt_model_free(t->whole);
    moi_free(ctx, t);
    moi_context_release(ctx);
}

/* ---- groups ---- */

static const char *tensor_name(const void *list, int64_t i)
{
    return moi_model_param(list, i)->name;
}

static int32_t check_pattern(const mopt_trainer *t, const char *pattern)
{
    int64_t count = moi_model_param_count(t->whole), near;

    for (int64_t i = 0; i < count; i++)
        if (moi_text_glob(pattern, moi_model_param(t->whole, i)->name))
            return MOPT_OK;
    near = moi_text_nearest(pattern, count, tensor_name, t->whole);
    if (near < 0 && count > 0)
        near = 0;
    return moi_fail(MOPT_EKEY,
                    "no tensor of the model matches '%s'; there is '%s'",
                    pattern, near < 0 ? "" : tensor_name(t->whole, near));
}

int32_t mopt_trainer_add_group(mopt_trainer *trainer, const char *pattern,
                               const mopt_config *config)
{
    mopt_trainer *t = trainer;
    moi_group group = {NULL, NULL};
    int32_t rc;

    if (!t || !pattern || !config)
        return moi_fail_null("mopt_trainer_add_group", !t         ? "trainer"
                                                       : !pattern ? "pattern"
                                                                  : "config");
    if (moi_config_schema(config) != &moi_group_schema)
        return moi_fail(MOPT_EINVAL,
                        "mopt_trainer_add_group: the config is of kind '%s', "
                        "wanted is 'group'",
                        moi_config_schema(config)->name);
    if (t->flags & MOI_TRAINER_BEGUN)
        return moi_fail(MOPT_ESTATE,
                        "mopt_trainer_add_group: training has begun");
    rc = check_pattern(t, pattern);
    if (rc)
        return rc;
    if (moi_grow(t->ctx, (void **)&t->groups, &t->group_room,
                 t->group_count + 1, sizeof *t->groups))
        return MOPT_ENOMEM;
    group.pattern = moi_strdup(t->ctx, pattern);
    if (!group.pattern || moi_config_copy(config, &group.config)) {
        moi_free(t->ctx, group.pattern);
        return MOPT_ENOMEM;
    }
    t->groups[t->group_count++] = group;
    tune_group(t, &group);
    return MOPT_OK;
}

/* ---- groups of ranks ---- */

static int32_t check_group(const mopt_trainer *t)
{
    if (t->flags & MOI_TRAINER_BEGUN)
        return moi_fail(MOPT_ESTATE,
                        "mopt_trainer_set_group: training has begun");
    if (t->mesh)
        return moi_fail(MOPT_ESTATE, "mopt_trainer_set_group: the trainer was "
                        "made for a group and a plan");
    /* Terms that add to its gradients see the rows of one rank. */
    if (t->annex && !t->annex->pull)
        return moi_fail(MOPT_EUNSUPPORTED, "mopt_trainer_set_group: the "
                        "projections of hints are not trained by a group");
    return MOPT_OK;
}

int32_t mopt_trainer_set_group(mopt_trainer *trainer, mopt_group *group)
{
    mopt_trainer *t = trainer;

    if (!t || !group)
        return moi_fail_null("mopt_trainer_set_group",
                             !t ? "trainer" : "group");
    return join(t, group, check_group(t));
}

/* Workers with shares of a batch, and parts that are packed, are as many as
 * pay, whatever a plan says. */
int32_t moi_trainer_share(mopt_trainer *t, mopt_group *group, int64_t parts)
{
    if (!t->set.parts && !t->set.local_steps && !packs(t))
        t->set.parts = parts;
    return join(t, group, MOPT_OK);
}

mopt_group *moi_trainer_group(const mopt_trainer *t)
{
    if (t->team)
        return t->team->own ? NULL : t->team->all;
    return t->local ? moi_local_group(t->local) : NULL;
}

/* ---- callbacks ---- */

static int32_t listen(mopt_trainer *t, moi_listener *listener,
                      mopt_trainer_fn fn, void *user, mopt_destroy_fn destroy)
{
    if (t->flags & MOI_TRAINER_RUNNING)
        return moi_fail(MOPT_ESTATE, "the trainer is at work: a callback may "
                                     "not replace its callbacks");
    drop(listener);
    *listener = (moi_listener){fn, user, destroy};
    return MOPT_OK;
}

int32_t mopt_trainer_on_step(mopt_trainer *trainer, mopt_trainer_fn fn,
                             void *user, mopt_destroy_fn destroy)
{
    if (!trainer)
        return moi_fail_null("mopt_trainer_on_step", "trainer");
    return listen(trainer, &trainer->on_step, fn, user, destroy);
}

int32_t mopt_trainer_on_epoch(mopt_trainer *trainer, mopt_trainer_fn fn,
                              void *user, mopt_destroy_fn destroy)
{
    if (!trainer)
        return moi_fail_null("mopt_trainer_on_epoch", "trainer");
    return listen(trainer, &trainer->on_epoch, fn, user, destroy);
}
