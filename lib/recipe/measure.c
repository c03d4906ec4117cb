/* SPDX-License-Identifier: MIT
 * lib/recipe/measure.c: what a model and its training are worth. */
#include "recipe/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/data/dataset.h"
#include "learn/nn/model.h"

/* Calls that are timed for the latency: enough for a 99th percentile, and no
 * longer than these seconds. The first ones warm the caches. */
#define CALLS_MAX 400
#define CALLS_WARM 20
#define CALLS_SECONDS 1.0
/* Rows served at a time for the throughput. */
#define BLOCK_ROWS 256

void moi_subject_end(moi_subject *subject)
{
    json_decref(subject->evaluation);
    json_decref(subject->timing);
    subject->evaluation = subject->timing = NULL;
}

/* --- Timing ------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rows of zeros when there are none to take: the time is the same. */
static int32_t timing_rows(const moi_subject *subject, int64_t rows, float *x)
{
    int64_t have = subject->validation == NULL
                       ? 0 : moi_dataset_rows(subject->validation);
    memset(x, 0, (size_t)(rows * moi_model_inputs(subject->model)) *
                     sizeof(*x));
    if (have == 0)
        return MOPT_OK;
    return mopt_dataset_read(subject->validation, 0,
                             have < rows ? have : rows, x, NULL);
}

/* Seconds of each of up to count calls, in order; returns how many. */
static int32_t time_calls(const moi_subject *subject, const float *x,
                          float *y, int64_t rows, double *seconds,
                          int64_t *count)
{
    double start = moi_clock_seconds();
    int64_t done = 0, most = *count;
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < most + CALLS_WARM && rc == MOPT_OK; i++) {
        double before = moi_clock_seconds();
        if (done > 0 && before - start > CALLS_SECONDS)
            break;
        rc = mopt_model_predict(subject->model, x, rows, y, subject->cancel);
        if (i >= CALLS_WARM || before - start > CALLS_SECONDS / 2)
            seconds[done++] = moi_clock_seconds() - before;
    }
    qsort(seconds, (size_t)done, sizeof(*seconds), compare);
    *count = done;
    return rc;
}

static int32_t measure_timing(moi_subject *subject, const float *x, float *y,
                              double *seconds)
{
    int64_t count = CALLS_MAX;
    int32_t rc = time_calls(subject, x, y, 1, seconds, &count);
    if (rc != MOPT_OK)
        return rc;
    double p50 = seconds[count / 2];
    double p99 = seconds[(int64_t)ceil(0.99 * (double)count) - 1];
    count = CALLS_MAX / 10;
    rc = time_calls(subject, x, y, BLOCK_ROWS, seconds, &count);
    if (rc != MOPT_OK)
        return rc;
    subject->timing = json_pack("{sfsfsf}", "latency.p50", p50, "latency.p99",
                                p99, "throughput",
                                BLOCK_ROWS / fmax(seconds[count / 2], 1e-9));
    return subject->timing != NULL
               ? MOPT_OK : moi_fail(MOPT_ENOMEM, "no memory for the timing");
}

static int32_t need_timing(moi_subject *subject)
{
    if (subject->timing != NULL)
        return MOPT_OK;
    float *x = moi_alloc(subject->ctx,
                         BLOCK_ROWS * moi_model_inputs(subject->model),
                         sizeof(*x));
    float *y = moi_alloc(subject->ctx,
                         BLOCK_ROWS * moi_model_outputs(subject->model),
                         sizeof(*y));
    double *seconds = moi_alloc(subject->ctx, CALLS_MAX + CALLS_WARM,
                                sizeof(*seconds));
    int32_t rc = x && y && seconds ? timing_rows(subject, BLOCK_ROWS, x)
                                   : MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = measure_timing(subject, x, y, seconds);
    moi_free(subject->ctx, x);
    moi_free(subject->ctx, y);
    moi_free(subject->ctx, seconds);
    return rc;
}

/* --- Evaluation --------------------------------------------------------- */

/* A metric of a part as the model is, all of them at once. */
static int32_t need_evaluation(moi_subject *subject)
{
    if (subject->evaluation != NULL)
        return MOPT_OK;
    return moi_model_measure(subject->model, subject->validation,
                             subject->loss, subject->cancel,
                             &subject->evaluation);
}

static int32_t from_evaluation(moi_subject *subject, const char *metric,
                               double *out)
{
    int32_t rc = need_evaluation(subject);
    if (rc != MOPT_OK)
        return rc;
    const json_t *value = json_object_get(subject->evaluation, metric);
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    return MOPT_OK;
}

/* --- Values ------------------------------------------------------------- */

static int32_t cost(const moi_subject *subject, const moi_measure *measure,
                    double *out)
{
    const mopt_model *model = subject->model;
    if (strcmp(measure->name, "params") == 0)
        *out = (double)moi_model_weight_count(model);
    else if (strcmp(measure->name, "bytes") == 0)
        *out = (double)moi_model_weight_count(model) * sizeof(float);
    else if (strcmp(measure->name, "flops") == 0)
        *out = (double)moi_model_flops(model);
    else
        *out = (double)moi_model_serving_bytes(model);
    return MOPT_OK;
}

static int32_t timing(moi_subject *subject, const moi_measure *measure,
                      double *out)
{
    int32_t rc = need_timing(subject);
    if (rc == MOPT_OK)
        *out = json_number_value(json_object_get(subject->timing,
                                                 measure->name));
    return rc;
}

int32_t moi_subject_epoch(moi_subject *subject, const moi_measure *measure,
                          double *out)
{
    int32_t rc = mopt_trainer_get(subject->trainer, measure->name, out);
    if (rc != MOPT_EKEY)
        return rc;
    moi_subject_end(subject);
    return from_evaluation(subject, measure->name + strlen(MOI_VALIDATION),
                           out);
}

/* Points of accuracy that are missing to the mentor's. */
static int32_t gap(moi_subject *subject, double *out)
{
    double accuracy = NAN;
    int32_t rc = from_evaluation(subject, "accuracy", &accuracy);
    *out = 100 * (subject->mentor - accuracy);
    return rc;
}

int32_t moi_subject_value(moi_subject *subject, const moi_measure *measure,
                          double *out)
{
    const char *metric = measure->name + strlen(MOI_VALIDATION);
    char figure[64];
    int32_t rc;
    switch (measure->known) {
    case MOI_KNOWN_BUILT:
        return cost(subject, measure, out);
    case MOI_KNOWN_MEASURED:
        return timing(subject, measure, out);
    case MOI_KNOWN_TRAINED:
        if (subject->trainer == NULL)
            return moi_fail(MOPT_ESTATE, "nothing was trained here");
        return mopt_trainer_get(subject->trainer, "seconds", out);
    case MOI_KNOWN_COMPARED:
        return gap(subject, out);
    default:
        break;
    }
    if (subject->trainer == NULL)
        return from_evaluation(subject, metric, out);
    snprintf(figure, sizeof(figure), "%s%s",
             subject->restored ? "best." : MOI_VALIDATION, metric);
    rc = mopt_trainer_get(subject->trainer, figure, out);
    return rc == MOPT_EKEY ? from_evaluation(subject, metric, out) : rc;
}

int32_t moi_subject_costs(moi_subject *subject, json_t **out)
{
    json_t *costs = json_object();
    int32_t rc = costs == NULL
                     ? moi_fail(MOPT_ENOMEM, "no memory for the costs")
                     : MOPT_OK;
    for (const moi_measure *m = moi_measures; m->name && rc == MOPT_OK; m++) {
        double value = 0;
        if (m->known != MOI_KNOWN_BUILT && m->known != MOI_KNOWN_MEASURED)
            continue;
        rc = moi_subject_value(subject, m, &value);
        if (rc == MOPT_OK && m->known == MOI_KNOWN_BUILT)
            rc = moi_json_add_int(costs, m->name, (int64_t)value);
        else if (rc == MOPT_OK)
            rc = moi_json_add_number(costs, m->name, value);
    }
    if (rc == MOPT_OK)
        *out = costs;
    else
        json_decref(costs);
    return rc;
}
