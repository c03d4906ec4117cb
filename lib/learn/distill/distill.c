/* SPDX-License-Identifier: MIT
 * lib/learn/distill/distill.c: the handle: teachers, student, baseline. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "learn/distill/distiller.h"

static const moi_key keys[] = {
    MOI_VARIANT("method", "kd", moi_match_schemas,
                "how the student is held against the teacher"),
    MOI_FLOAT("weight", 0.9, 0, 1,
              "share of the teacher in the loss; labels have the rest"),
    MOI_FLOAT("hint.weight", 0, 0, 1e6,
              "of the distance between hidden layers, 0: no hints"),
    MOI_INT("hint.student", -1, -1, 1e6,
            "the student's hidden layer, by number; -1: the last one"),
    MOI_INT("hint.teacher", -1, -1, 1e6, "the teacher's"),
    MOI_INT("hint.epochs", 0, 0, 1e9, "first epochs of hints alone"),
    MOI_FLOAT("relational.distance", 0, 0, 1e6,
              "weight of distances between rows; 25 is usual, 0: none"),
    MOI_FLOAT("relational.angle", 0, 0, 1e6,
              "weight of angles between rows; 50 is usual, 0: none"),
    MOI_CHOICE("outputs", "cached", "cached|live",
               "the teacher's: worked out once, or for each batch"),
    {"cache", MOPT_TYPE_TEXT, MOI_KEY_FIXED, 0, 0, 0, "", NULL, NULL,
     "file to keep them in; empty: in memory"},
    MOI_BOOL("baseline", 1, "train the same student on labels alone, too"),
    MOI_BOOL("correct_bias", 0,
             "shift the output biases to the validation labels at the end"),
    MOI_CHOICE("poor_teacher", "warn", "warn|refuse|ignore",
               "what to do about one that is no better than the student"),
    MOI_INT("generations", 1, 1, 100,
            "without a teacher: times that the student teaches the next one"),
    MOI_KEYS_END,
};

const moi_schema moi_distill_schema = {
    "distill", "how a teacher is poured into a student", keys};

/* ---- life ---- */

static int32_t check_kind(const mopt_config *config, const moi_schema *schema)
{
    if (!config)
        return MOPT_OK;
    if (moi_config_schema(config) != schema)
        return moi_fail(MOPT_EINVAL,
                        "mopt_distill_create: a config is of kind '%s', wanted "
                        "is '%s'", moi_config_schema(config)->name,
                        schema->name);
    return moi_config_check(config);
}

static int32_t take_config(mopt_context *ctx, const mopt_config *config,
                           const moi_schema *schema, mopt_config **out)
{
    return config ? moi_config_copy(config, out)
                  : moi_config_new(ctx, schema, out);
}

static void read_config(mopt_distill *d)
{
    moi_match_read(&d->match, d->config);
    d->weight = moi_config_float(d->config, "weight");
    d->hint_weight = moi_config_float(d->config, "hint.weight");
    d->relation.distance = moi_config_float(d->config, "relational.distance");
    d->relation.angle = moi_config_float(d->config, "relational.angle");
}

int32_t mopt_distill_create(mopt_context *ctx, mopt_model *student,
                            const mopt_dataset *train,
                            const mopt_dataset *validation,
                            const mopt_config *config,
                            const mopt_config *training, mopt_distill **out)
{
    mopt_distill *d;
    int32_t rc;

    if (!ctx || !student || !train || !out)
        return moi_fail_null("mopt_distill_create", !ctx       ? "ctx"
                                                    : !student ? "student"
                                                    : !train   ? "train"
                                                               : "out");
    rc = check_kind(config, &moi_distill_schema);
    if (!rc)
        rc = check_kind(training, &moi_train_schema);
    if (rc)
        return rc;
    d = moi_calloc(ctx, 1, sizeof *d);
    if (!d)
        return MOPT_ENOMEM;
    d->ctx = moi_context_hold(ctx);
    d->student = moi_model_hold(student);
    d->train = moi_dataset_hold(train);
    d->validation = validation ? moi_dataset_hold(validation) : NULL;
    rc = take_config(ctx, config, &moi_distill_schema, &d->config);
    if (!rc)
        rc = take_config(ctx, training, &moi_train_schema, &d->training);
    if (!rc)
        rc = moi_distill_encode(d, NULL);
    if (!rc) {
        read_config(d);
        rc = moi_distill_check(d);
    }
    if (rc)
        mopt_distill_free(d);
    else
        *out = d;
    return rc;
}

/* A teacher as it was before it was asked for anything. */
static void forget(moi_teacher *t)
{
    moi_plan_free(t->plan);
    moi_safetensors_free(t->file);
    moi_free(t->ctx, t->own);
    moi_free(t->ctx, t->shown);
    moi_free(t->ctx, t->x);
    moi_free(t->ctx, t->y);
    t->plan = NULL;
    t->file = NULL;
    t->shown = NULL;
    t->table = t->own = t->x = t->y = NULL;
}

void moi_distill_unsettle(mopt_distill *d)
{
    mopt_trainer_free(d->trainer);
    mopt_trainer_free(d->control);
    mopt_model_free(d->alone);
    d->trainer = d->control = NULL;
    d->alone = NULL;
    for (int64_t i = 0; i < d->count; i++)
        forget(&d->teachers[i]);
    moi_free(d->ctx, d->told);
    moi_free(d->ctx, d->soft);
    moi_free(d->ctx, d->mix);
    moi_free(d->ctx, d->lse);
    d->told = d->soft = d->mix = NULL;
    d->lse = NULL;
    if (d->hint.ctx)
        moi_hint_clear(&d->hint);
    if (d->relation.ctx)
        moi_relation_clear(&d->relation);
    d->hint = (moi_hint){.ctx = NULL};
    d->relation.ctx = NULL;
    d->relation.room = NULL;
}

void mopt_distill_free(mopt_distill *distill)
{
    mopt_distill *d = distill;
    mopt_context *ctx;

    if (!d)
        return;
    ctx = d->ctx;
    moi_distill_unsettle(d);
    moi_lineage_clear(&d->lineage);
    for (int64_t i = 0; i < d->count; i++)
        moi_teacher_clear(&d->teachers[i]);
    moi_free(ctx, d->teachers);
    mopt_config_free(d->config);
    mopt_config_free(d->training);
    mopt_dataset_free(d->train);
    mopt_dataset_free(d->validation);
    mopt_model_free(d->student);
    moi_free(ctx, d);
    moi_context_release(ctx);
}

/* ---- teachers ---- */

/* Room for one more, not yet counted. */
static int32_t make_room(mopt_distill *d, double weight, const char *function,
                         moi_teacher **out)
{
    char text[MOI_NUMBER_SIZE];

    if (!isfinite(weight) || weight <= 0)
        return moi_fail(MOPT_EINVAL, "%s: weight is %s, allowed are numbers "
                        "above 0", function, moi_number_text(weight, text));
    if (d->trainer)
        return moi_fail(MOPT_ESTATE, "%s: the teachers are settled", function);
    if (moi_grow(d->ctx, (void **)&d->teachers, &d->room, d->count + 1,
                 sizeof *d->teachers))
        return MOPT_ENOMEM;
    *out = &d->teachers[d->count];
    **out = (moi_teacher){.ctx = d->ctx, .weight = weight};
    return MOPT_OK;
}

int32_t mopt_distill_add_model(mopt_distill *distill, mopt_model *teacher,
                               double weight)
{
    const char *function = "mopt_distill_add_model";
    moi_teacher *t = NULL;
    int32_t rc;

    if (!distill || !teacher)
        return moi_fail_null(function, !distill ? "distill" : "teacher");
    if (!moi_model_ready(teacher))
        return moi_fail(MOPT_ESTATE, "%s: the teacher's weights are not set",
                        function);
    if (teacher == distill->student)
        return moi_fail(MOPT_EINVAL, "%s: the teacher is the student itself; "
                        "copy it", function);
    rc = make_room(distill, weight, function, &t);
    if (!rc)
        rc = moi_distill_encode(distill, teacher);
    if (rc)
        return rc;
    t->model = moi_model_hold(teacher);
    distill->count++;
    return MOPT_OK;
}

int32_t mopt_distill_add_callback(mopt_distill *distill, mopt_teacher_fn fn,
                                  void *user, mopt_destroy_fn destroy,
                                  const char *name, double weight)
{
    const char *function = "mopt_distill_add_callback";
    moi_teacher *t = NULL;
    int32_t rc;

    if (!distill || !fn || !name)
        return moi_fail_null(function, !distill ? "distill"
                                       : !fn    ? "fn"
                                                : "name");
    rc = make_room(distill, weight, function, &t);
    if (rc)
        return rc;
    t->name = moi_strdup(distill->ctx, name);
    if (!t->name)
        return MOPT_ENOMEM;
    t->fn = fn;
    t->user = user;
    t->destroy = destroy;
    distill->count++;
    return MOPT_OK;
}

int32_t mopt_distill_add_file(mopt_distill *distill, const char *path,
                              double weight)
{
    const char *function = "mopt_distill_add_file";
    moi_teacher *t = NULL;
    int32_t rc;

    if (!distill || !path)
        return moi_fail_null(function, !distill ? "distill" : "path");
    rc = make_room(distill, weight, function, &t);
    if (rc)
        return rc;
    t->path = moi_strdup(distill->ctx, path);
    if (!t->path)
        return MOPT_ENOMEM;
    distill->count++;
    return MOPT_OK;
}

/* ---- work ---- */

int32_t mopt_distill_trainer(mopt_distill *distill, mopt_trainer **out)
{
    int32_t rc;

    if (!distill || !out)
        return moi_fail_null("mopt_distill_trainer",
                             !distill ? "distill" : "out");
    rc = moi_distill_settle(distill, NULL);
    if (!rc)
        *out = distill->trainer;
    return rc;
}

static int32_t wants_baseline(const mopt_distill *d)
{
    return moi_config_bool(d->config, "baseline") &&
           moi_dataset_kind(d->train) != MOPT_TARGET_NONE;
}

int32_t moi_distill_plain(const mopt_distill *d, mopt_config **training)
{
    int32_t rc = moi_config_copy(d->training, training);

    return rc ? rc : mopt_config_set_text(*training, "checkpoint", "");
}

static int32_t make_control(mopt_distill *d)
{
    mopt_config *config = NULL;
    int32_t rc = moi_distill_plain(d, &config);

    if (!rc)
        rc = mopt_trainer_create(d->ctx, d->alone, d->train, d->validation,
                                 config, &d->control);
    mopt_config_free(config);
    return rc;
}

static int32_t fit_baseline(mopt_distill *d, mopt_cancel *cancel)
{
    int32_t rc;

    if (!wants_baseline(d) || d->flags & MOI_DISTILL_COMPARED)
        return MOPT_OK;
    rc = d->control ? MOPT_OK : make_control(d);
    if (!rc)
        rc = mopt_trainer_fit(d->control, cancel);
    if (!rc)
        d->flags |= MOI_DISTILL_COMPARED;
    return rc;
}

static int32_t refuse_poor(mopt_distill *d, mopt_cancel *cancel)
{
    int32_t poor = 0, rc;

    if (!moi_distill_refuses(d))
        return MOPT_OK;
    rc = fit_baseline(d, cancel);
    if (!rc)
        rc = moi_distill_is_poor(d, cancel, &poor);
    if (!rc && poor)
        rc = moi_fail(MOPT_EINVAL, "poor_teacher: on the validation data the "
                      "teacher is no better than the student on labels alone");
    return rc;
}

int32_t moi_distill_fit_student(mopt_distill *d, mopt_cancel *cancel)
{
    int32_t rc = MOPT_OK;

    if (d->flags & MOI_DISTILL_FITTED)
        return MOPT_OK;
    if (!d->count)
        rc = moi_distill_raise(d, cancel);
    if (!rc)
        rc = moi_distill_settle(d, cancel);
    if (!rc)
        rc = refuse_poor(d, cancel);
    if (!rc)
        rc = mopt_trainer_fit(d->trainer, cancel);
    if (!rc && moi_config_bool(d->config, "correct_bias"))
        rc = moi_bias_correct(d->student, d->validation, cancel);
    if (!rc)
        d->flags |= MOI_DISTILL_FITTED;
    return rc;
}

int32_t mopt_distill_fit(mopt_distill *distill, mopt_cancel *cancel)
{
    int32_t rc;

    if (!distill)
        return moi_fail_null("mopt_distill_fit", "distill");
    rc = moi_distill_fit_student(distill, cancel);
    return rc ? rc : fit_baseline(distill, cancel);
}
