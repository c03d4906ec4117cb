/* SPDX-License-Identifier: MIT
 * lib/learn/distill/report.c: what distilling lost and won. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "learn/distill/distiller.h"
#include "learn/nn/runner.h"
#include "learn/train/judge.h"

/* ---- teachers together ---- */

/* The mean of what all teachers say, softened as the method takes it. */
static int32_t ask_all(const mopt_distill *d, const mopt_dataset *data,
                       mopt_cancel *cancel, float *one, moi_real *reals,
                       moi_real *sum)
{
    int64_t rows = moi_dataset_rows(data);
    int64_t n = moi_model_outputs(d->student);
    moi_match plain = d->match;
    int32_t rc = MOPT_OK;

    plain.temperature = 1;
    for (int64_t i = 0; !rc && i < d->count; i++) {
        moi_real share = (moi_real)(d->teachers[i].weight / d->weights);

        rc = moi_teacher_answer(&d->teachers[i], data, one, cancel);
        for (int64_t k = 0; !rc && k < rows * n; k++)
            reals[k] = (moi_real)one[k];
        if (!rc)
            moi_match_soften(&plain, rows, n, reals);
        for (int64_t k = 0; !rc && k < rows * n; k++)
            sum[k] += share * reals[k];
    }
    return rc;
}

static int64_t largest(int64_t n, const moi_real *row)
{
    int64_t best = 0;

    for (int64_t k = 1; k < n; k++)
        best = row[k] > row[best] ? k : best;
    return best;
}

/* Wrong rows. One output says the second of two classes from soft 0.5, or
 * logit 0, on. */
static int64_t count_wrong(const mopt_distill *d, const mopt_dataset *data,
                           const moi_real *sum)
{
    int64_t n = moi_model_outputs(d->student), wrong = 0;
    moi_real half = d->match.kind->flags & MOI_MATCH_SOFT ? (moi_real)0.5 : 0;

    for (int64_t i = 0; i < moi_dataset_rows(data); i++) {
        int32_t label;
        int64_t said = n == 1 ? sum[i] > half : largest(n, sum + i * n);

        moi_dataset_classes(data, &i, 1, &label);
        wrong += said != label;
    }
    return wrong;
}

static int32_t describe_several(const mopt_distill *d,
                                const mopt_dataset *data, mopt_cancel *cancel,
                                json_t *out)
{
    int64_t rows = moi_dataset_rows(data);
    int64_t count = rows * moi_model_outputs(d->student), wrong;
    float *one = moi_alloc(d->ctx, count, sizeof *one);
    moi_real *reals = moi_alloc(d->ctx, count, sizeof *reals);
    moi_real *sum = moi_calloc(d->ctx, count, sizeof *sum);
    int32_t rc = one && reals && sum
                     ? ask_all(d, data, cancel, one, reals, sum) : MOPT_ENOMEM;

    if (!rc) {
        wrong = count_wrong(d, data, sum);
        rc = moi_json_add_int(out, "errors", wrong);
        if (!rc)
            rc = moi_json_add_number(out, "accuracy",
                                     1 - (double)wrong / (double)rows);
    }
    moi_free(d->ctx, one);
    moi_free(d->ctx, reals);
    moi_free(d->ctx, sum);
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
    if (moi_dataset_kind(data) != MOPT_TARGET_CLASS)
        return MOPT_OK;
    object = json_object();
    rc = object ? describe_several(d, data, cancel, object) : MOPT_ENOMEM;
    if (!rc && teacher_params(d))
        rc = moi_json_add_int(object, "params", teacher_params(d));
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
