/* SPDX-License-Identifier: MIT
 * lib/learn/distill/lesson.c: what a student is taught: terms of the loss that
 * ask the teachers. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "learn/distill/distiller.h"

/* ---- the terms ---- */

/* What the teachers say to a chunk, as the method takes it. */
static int32_t mix_teachers(mopt_distill *d, const moi_sight *sight)
{
    int64_t count = sight->rows * sight->outputs;
    int32_t rc = MOPT_OK;

    moi_match_clear(&d->match, count, d->mix);
    for (int64_t i = 0; !rc && i < d->count; i++) {
        rc = moi_teacher_tell(&d->teachers[i], sight, d->trainer->cancel,
                              d->told);
        if (rc)
            break;
        moi_match_soften(&d->match, sight->rows, sight->outputs, d->told);
        moi_match_mix(&d->match, d->teachers[i].weight / d->weights, count,
                      d->told, d->mix);
    }
    return rc;
}

/* The method's term. It asks the teachers, so that the other two find what the
 * first one shows. */
static int32_t match_term(void *user, const moi_sight *sight, double *loss)
{
    mopt_distill *d = user;
    double ramp = moi_match_ramp(&d->match, sight->epoch);
    moi_pair pair = {
        .rows = sight->rows,
        .outputs = sight->outputs,
        .student = sight->output,
        .teacher = d->mix,
        .classes = sight->targets.classes,
        .soft = d->soft,
        .lse = d->lse,
    };
    int32_t rc = mix_teachers(d, sight);

    if (rc || sight->epoch < d->first)
        return rc;
    *loss = ramp * d->match.kind->loss(&d->match, &pair,
                                       sight->scale * (moi_real)ramp,
                                       sight->grad);
    return MOPT_OK;
}

static int32_t hint_term(void *user, const moi_sight *sight, double *loss)
{
    mopt_distill *d = user;

    return moi_hint_loss(&d->hint, sight, d->tap, d->teachers[0].shown, loss);
}

static int32_t relation_term(void *user, const moi_sight *sight, double *loss)
{
    mopt_distill *d = user;

    if (sight->epoch < d->first)
        return MOPT_OK;
    return moi_relation_loss(&d->relation, sight->rows, d->hint.width,
                             sight->tap[d->tap], d->wide,
                             d->teachers[0].shown, (double)sight->scale,
                             sight->tap_grad[d->tap], d->trainer->cancel,
                             loss);
}

/* ---- hidden layers ---- */

/* The layer that is meant by a number; -1: what the last layer with weights
 * reads. */
static int32_t find_layer(const mopt_model *model, int64_t said,
                          const char *key, int64_t *layer, int64_t *width)
{
    int64_t last = moi_model_head(model);

    *layer = said < 0 ? last - 1 : said;
    if (*layer >= 0 && *layer < moi_model_layer_count(model)) {
        *width = moi_model_layer_width(model, *layer);
        return MOPT_OK;
    }
    if (said < 0)
        return moi_fail(MOPT_EINVAL, "%s: the model has no hidden layer", key);
    return moi_fail(MOPT_EINVAL, "%s is %lld; the model has the layers 0 to "
                    "%lld", key, (long long)said,
                    (long long)moi_model_layer_count(model) - 1);
}

static int32_t is_wanted(const mopt_distill *d)
{
    return d->hint_weight > 0 || d->relation.distance > 0 ||
           d->relation.angle > 0;
}

static int32_t find_layers(mopt_distill *d)
{
    int32_t rc;

    d->taught = -1;
    if (!is_wanted(d))
        return MOPT_OK;
    if (!d->teachers[0].model)
        return moi_fail(MOPT_EINVAL, "hint and relational look into the first "
                        "teacher, which has to be a model for that");
    rc = find_layer(d->student, moi_config_int(d->config, "hint.student"),
                    "hint.student", &d->layer, &d->hint.width);
    return rc ? rc
              : find_layer(d->teachers[0].model,
                           moi_config_int(d->config, "hint.teacher"),
                           "hint.teacher", &d->taught, &d->wide);
}

/* ---- making ready ---- */

/* A file of outputs says nothing on rows that it was not made for. */
static int32_t check_measurable(const mopt_distill *d)
{
    for (int64_t i = 0; moi_distill_refuses(d) && i < d->count; i++)
        if (d->teachers[i].path)
            return moi_fail(MOPT_EINVAL, "poor_teacher is 'refuse', but %s is "
                            "a file of outputs: it knows the training rows "
                            "alone, and cannot be measured",
                            d->teachers[i].path);
    return MOPT_OK;
}

static int32_t take_room(mopt_distill *d)
{
    int64_t chunk = d->trainer->set.chunk;
    int64_t count = chunk * moi_model_outputs(d->student);

    d->told = moi_calloc(d->ctx, count, sizeof *d->told);
    d->soft = moi_calloc(d->ctx, count, sizeof *d->soft);
    d->mix = moi_calloc(d->ctx, count, sizeof *d->mix);
    d->lse = moi_calloc(d->ctx, chunk, sizeof *d->lse);
    return d->told && d->soft && d->mix && d->lse ? MOPT_OK : MOPT_ENOMEM;
}

/* The cache of teacher i: each has a file of its own. */
static int32_t cache_path(const mopt_distill *d, int64_t i, moi_text *path)
{
    const char *said = moi_config_text(d->config, "cache");

    moi_text_init(path, d->ctx);
    if (*said && i == 0)
        moi_text_add(path, said);
    else if (*said)
        moi_text_addf(path, "%s.%lld", said, (long long)i + 1);
    return path->status;
}

static int32_t prepare_teachers(mopt_distill *d, mopt_cancel *cancel)
{
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < d->count; i++) {
        moi_lesson lesson = {
            .data = d->train,
            .augment = &d->trainer->augment,
            .outputs = moi_model_outputs(d->student),
            .chunk = d->trainer->set.chunk,
            .live = !strcmp(moi_config_text(d->config, "outputs"), "live"),
            .layer = i == 0 ? d->taught : -1,
            .cancel = cancel,
        };
        moi_text path;

        rc = cache_path(d, i, &path);
        if (*moi_config_text(d->config, "cache"))
            lesson.cache = moi_text_get(&path);
        if (!rc)
            rc = moi_teacher_prepare(&d->teachers[i], &lesson);
        moi_text_free(&path);
        if (rc && d->count > 1)
            moi_fail_at(rc, "teacher %lld: ", (long long)i);
    }
    return rc;
}

static int32_t add_hidden(mopt_distill *d)
{
    mopt_trainer *t = d->trainer;
    int32_t rc;

    if (!is_wanted(d))
        return MOPT_OK;
    rc = moi_trainer_add_tap(t, d->layer, &d->tap);
    if (!rc && d->hint_weight > 0) {
        rc = moi_hint_init(&d->hint, d->ctx, d->hint.width, d->wide,
                           t->set.chunk, t->set.seed);
        if (!rc)
            rc = moi_trainer_set_annex(t, &d->hint.annex);
        if (!rc)
            rc = moi_trainer_add_term(t, d->hint_weight, hint_term, d, NULL);
    }
    if (rc || (d->relation.distance <= 0 && d->relation.angle <= 0))
        return rc;
    rc = moi_relation_init(&d->relation, d->ctx, d->relation.distance,
                           d->relation.angle, d->hint.width, d->wide);
    return rc ? rc : moi_trainer_add_term(t, 1, relation_term, d, NULL);
}

static int32_t hang(mopt_distill *d)
{
    mopt_trainer *t = d->trainer;
    int32_t labelled = moi_dataset_kind(d->train) != MOPT_TARGET_NONE;
    double weight = labelled ? d->weight : 1;
    int32_t rc = moi_trainer_add_term(t, weight, match_term, d, NULL);

    if (!rc)
        rc = mopt_trainer_set_loss_weight(t, labelled ? 1 - weight : 0);
    if (!rc && d->hint_weight > 0) {
        d->first = moi_config_int(d->config, "hint.epochs");
        rc = moi_trainer_loss_from(t, d->first);
    }
    return rc ? rc : add_hidden(d);
}

int32_t moi_distill_settle(mopt_distill *d, mopt_cancel *cancel)
{
    int32_t rc;

    if (d->trainer)
        return MOPT_OK;
    if (!d->count)
        return moi_fail(MOPT_ESTATE, "there is no teacher yet");
    d->weights = 0;
    for (int64_t i = 0; i < d->count; i++)
        d->weights += d->teachers[i].weight;
    rc = check_measurable(d);
    if (!rc)
        rc = find_layers(d);
    if (!rc)
        rc = mopt_trainer_create(d->ctx, d->student, d->train, d->validation,
                                 d->training, &d->trainer);
    if (!rc)
        rc = mopt_model_copy(d->student, &d->alone);
    if (!rc)
        rc = take_room(d);
    if (!rc)
        rc = prepare_teachers(d, cancel);
    if (!rc)
        rc = hang(d);
    if (rc)
        moi_distill_unsettle(d);
    return rc;
}
