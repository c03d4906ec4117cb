/* SPDX-License-Identifier: MIT
 * lib/learn/distill/report.c: what distilling lost and won. */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/memory.h"
#include "learn/distill/distiller.h"
#include "learn/nn/runner.h"
#include "learn/train/judge.h"

/* ---- teachers together ---- */

/* What all teachers say to a data set. */
typedef struct panel {
    const mopt_distill *d;
    int64_t rows, outputs;
    float *one;      /* [rows][outputs], of one teacher */
    moi_real *reals; /* the same */
    moi_real *mix;   /* of all of them */
} panel;

static void dissolve(panel *p)
{
    moi_free(p->d->ctx, p->one);
    moi_free(p->d->ctx, p->reals);
    moi_free(p->d->ctx, p->mix);
}

static int32_t take_room(panel *p)
{
    mopt_context *ctx = p->d->ctx;
    int64_t count = 0;
    int32_t rc = moi_multiply(p->rows, p->outputs, "the outputs", &count);

    if (rc)
        return rc;
    p->one = moi_alloc(ctx, count, sizeof *p->one);
    p->reals = moi_alloc(ctx, count, sizeof *p->reals);
    p->mix = moi_alloc(ctx, count, sizeof *p->mix);
    return p->one && p->reals && p->mix ? MOPT_OK : MOPT_ENOMEM;
}

/* The mean of what all say, as the method takes it without a temperature; as
 * logits. */
static int32_t ask_all(panel *p, const mopt_dataset *data, mopt_cancel *cancel)
{
    const mopt_distill *d = p->d;
    int64_t count = p->rows * p->outputs;
    moi_match plain = d->match;
    int32_t rc = MOPT_OK;

    plain.temperature = 1;
    moi_match_clear(&plain, count, p->mix);
    for (int64_t i = 0; !rc && i < d->count; i++) {
        rc = moi_teacher_answer(&d->teachers[i], data, p->one, cancel);
        if (rc)
            break;
        for (int64_t k = 0; k < count; k++)
            p->reals[k] = (moi_real)p->one[k];
        moi_match_soften(&plain, p->rows, p->outputs, p->reals);
        moi_match_mix(&plain, d->teachers[i].weight / d->weights, count,
                      p->reals, p->mix);
    }
    moi_match_logits(&plain, p->outputs, count, p->mix);
    return rc;
}

static int32_t repeat(void *user, int64_t first, int64_t count, moi_real *out,
                      const mopt_cancel *cancel)
{
    const panel *p = user;

    memcpy(out, p->mix + first * p->outputs,
           (size_t)(count * p->outputs) * sizeof *out);
    return moi_cancel_check(cancel);
}

static int32_t describe_panel(const mopt_distill *d, const mopt_dataset *data,
                              mopt_cancel *cancel, json_t *out)
{
    panel p = {.d = d, .rows = moi_dataset_rows(data),
               .outputs = moi_model_outputs(d->student)};
    json_t *metrics = NULL;
    int32_t rc = take_room(&p);

    if (!rc)
        rc = ask_all(&p, data, cancel);
    if (!rc)
        rc = moi_answers_measure(data, p.outputs, repeat, &p, cancel,
                                 &metrics);
    if (!rc)
        rc = moi_judge_pick(metrics, out);
    json_decref(metrics);
    dissolve(&p);
    return rc;
}

/* Parameters of all teachers; 0 where one is no model of ours. */
static int64_t teacher_params(const mopt_distill *d)
{
    int64_t sum = 0;

    for (int64_t i = 0; i < d->count; i++) {
        if (!d->teachers[i].model)
            return 0;
        sum += moi_model_weight_count(d->teachers[i].model);
    }
    return sum;
}

static int32_t describe_teacher(const mopt_distill *d,
                                const mopt_dataset *data, mopt_cancel *cancel,
                                json_t **out)
{
    json_t *object;
    int32_t rc;

    *out = NULL;
    if (d->count == 1 && d->teachers[0].model)
        return moi_judge_model(d->teachers[0].model, data, cancel, out);
    for (int64_t i = 0; i < d->count; i++)
        if (d->teachers[i].path)
            return MOPT_OK; /* it knows the training rows alone */
    object = json_object();
    rc = object ? MOPT_OK : moi_fail(MOPT_ENOMEM, "no memory for a report");
    if (!rc && teacher_params(d))
        rc = moi_json_add_int(object, "params", teacher_params(d));
    if (!rc)
        rc = describe_panel(d, data, cancel, object);
    if (rc)
        json_decref(object);
    else
        *out = object;
    return rc;
}

int32_t moi_distill_is_poor(mopt_distill *d, mopt_cancel *cancel,
                            int32_t *poor)
{
    json_t *teacher = NULL, *alone = NULL;
    int32_t rc = MOPT_OK;

    *poor = 0;
    if (!d->validation || !(d->flags & MOI_DISTILL_COMPARED))
        return MOPT_OK;
    rc = describe_teacher(d, d->validation, cancel, &teacher);
    if (!rc && teacher)
        rc = moi_judge_model(d->alone, d->validation, cancel, &alone);
    if (!rc && teacher)
        *poor = moi_judge_better(teacher, alone) <= 0;
    json_decref(teacher);
    json_decref(alone);
    return rc;
}

/* ---- the report ---- */

static int32_t warn(json_t *list, const char *text)
{
    return json_array_append_new(list, json_string(text)) ? MOPT_ENOMEM
                                                          : MOPT_OK;
}

static int32_t add_warnings(mopt_distill *d, const json_t *teacher,
                            const json_t *alone, const json_t *student,
                            mopt_cancel *cancel, json_t *list)
{
    int32_t ignore = !strcmp(moi_config_text(d->config, "poor_teacher"),
                             "ignore");
    int32_t poor = 0;
    int32_t rc = ignore ? MOPT_OK : moi_distill_is_poor(d, cancel, &poor);

    if (!rc && poor)
        rc = warn(list, "the teacher cannot help: on the validation data it is "
                        "no better than the student on labels alone");
    if (!rc && alone && moi_judge_better(student, alone) < 0)
        rc = warn(list, "the student is worse than on labels alone: try "
                        "another temperature, a smaller weight, or a better "
                        "teacher");
    if (!rc && !teacher)
        rc = warn(list, "the teacher is known on the training rows alone, and "
                        "was not measured here");
    return rc;
}

static int32_t add_difference(json_t *doc, const char *key, const json_t *a,
                              const json_t *b)
{
    return moi_json_add_number(doc, key,
                               a && b ? moi_judge_better(a, b) : NAN);
}

static int32_t fill(mopt_distill *d, const mopt_dataset *data,
                    mopt_cancel *cancel, json_t *doc)
{
    json_t *teacher = NULL, *alone = NULL, *student = NULL;
    json_t *warnings = json_array();
    int32_t rc = warnings ? describe_teacher(d, data, cancel, &teacher)
                          : MOPT_ENOMEM;

    if (!rc && d->flags & MOI_DISTILL_COMPARED)
        rc = moi_judge_model(d->alone, data, cancel, &alone);
    if (!rc)
        rc = moi_judge_model(d->student, data, cancel, &student);
    if (!rc)
        rc = add_warnings(d, teacher, alone, student, cancel, warnings);
    if (!rc)
        rc = add_difference(doc, "gap", teacher, student);
    if (!rc)
        rc = add_difference(doc, "gain", student, alone);
    if (!rc)
        rc = moi_json_add_number(
            doc, "ratio", teacher_params(d)
                              ? (double)teacher_params(d) /
                                    (double)moi_model_weight_count(d->student)
                              : NAN);
    if (!rc)
        rc = moi_json_add_int(doc, "rows", moi_dataset_rows(data));
    rc = moi_judge_add(doc, rc, "teacher", teacher);
    rc = moi_judge_add(doc, rc, "alone", alone);
    rc = moi_judge_add(doc, rc, "student", student);
    return moi_judge_add(doc, rc, "warnings", warnings);
}

int32_t moi_distill_report(mopt_distill *d, const mopt_dataset *test,
                           mopt_cancel *cancel, json_t **out)
{
    const mopt_dataset *given = test ? test : d->validation;
    mopt_dataset *data = NULL;
    json_t *doc = NULL;
    int32_t rc;

    if (!given || moi_dataset_kind(given) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "mopt_distill_evaluate: there are no "
                        "labelled rows to measure on");
    if (!(d->flags & MOI_DISTILL_FITTED))
        return moi_fail(MOPT_ESTATE, "mopt_distill_evaluate: nothing has been "
                        "distilled yet");
    rc = moi_model_prepare(d->student, given, &data);
    if (!rc) {
        doc = json_object();
        rc = doc ? fill(d, data, cancel, doc)
                 : moi_fail(MOPT_ENOMEM, "no memory for the report");
    }
    mopt_dataset_free(data);
    if (rc)
        json_decref(doc);
    else
        *out = doc;
    return rc;
}

int32_t mopt_distill_evaluate(mopt_distill *distill, const mopt_dataset *test,
                              mopt_cancel *cancel, char *buf, size_t cap,
                              size_t *needed)
{
    json_t *doc = NULL;
    int32_t rc;

    if (!distill)
        return moi_fail_null("mopt_distill_evaluate", "distill");
    rc = moi_distill_report(distill, test, cancel, &doc);
    return rc ? rc : moi_json_finish(distill->ctx, doc, buf, cap, needed);
}
