/* SPDX-License-Identifier: MIT
 * lib/learn/nn/predict.c: outputs for rows, and how good they are. */
#include <inttypes.h>

#include "base/context.h"
#include "base/memory.h"
#include "learn/nn/metrics.h"
#include "learn/nn/model_inside.h"
#include "learn/nn/runner.h"

/* Rows whose outputs are held at a time when only figures are wanted. */
#define WINDOW 8192

static int32_t check_ready(const mopt_model *model, const char *function)
{
    if (model->weights == NULL)
        return moi_fail(MOPT_ESTATE,
                        "%s: the model's weights are not set yet", function);
    return MOPT_OK;
}

int32_t mopt_model_predict(const mopt_model *model, const float *x,
                           int64_t rows, float *out, mopt_cancel *cancel)
{
    const char *function = "mopt_model_predict";
    if (model == NULL || (rows != 0 && (x == NULL || out == NULL)))
        return moi_fail_null(function, model == NULL ? "model"
                                       : x == NULL   ? "x"
                                                     : "out");
    int32_t rc = check_ready(model, function);
    if (rc != MOPT_OK)
        return rc;
    int64_t wide = model->inputs + moi_model_outputs(model);
    if (rows < 0 || rows > INT64_MAX / (int64_t)sizeof(float) / wide)
        return moi_fail(MOPT_EINVAL,
                        "%s: rows is %" PRId64 "; allowed is 0 or more, as "
                        "many as memory can have", function, rows);
    moi_runner *runner = NULL;
    rc = moi_runner_create(model, rows, 0, 0, &runner);
    if (rc == MOPT_OK)
        rc = moi_runner_run(runner, &(moi_rows){.x = x}, 0, rows, out, NULL,
                            cancel);
    moi_runner_free(runner);
    return rc;
}

/* ---- data sets ---- */

int32_t moi_model_prepare(const mopt_model *model, const mopt_dataset *data,
                          mopt_dataset **out)
{
    mopt_dataset *ready = NULL;
    int32_t rc = MOPT_OK;
    if (model->transform != NULL && moi_dataset_transform(data) == NULL)
        rc = mopt_transform_apply(model->transform, data, &ready);
    else
        ready = moi_dataset_hold(data);
    if (rc != MOPT_OK)
        return rc;
    if (!moi_dataset_ready(ready))
        rc = moi_fail(MOPT_EINVAL,
                      "the data have columns that are not numbers, or gaps, "
                      "and the model has no transform for them");
    else if (moi_dataset_features(ready) != model->inputs)
        rc = moi_fail(MOPT_EINVAL,
                      "the data have %" PRId64 " features, the model takes "
                      "%" PRId64, moi_dataset_features(ready), model->inputs);
    if (rc == MOPT_OK)
        *out = ready;
    else
        mopt_dataset_free(ready);
    return rc;
}

int32_t mopt_model_predict_dataset(const mopt_model *model,
                                   const mopt_dataset *data, float *out,
                                   int64_t count, mopt_cancel *cancel)
{
    const char *function = "mopt_model_predict_dataset";
    mopt_dataset *ready = NULL;
    moi_runner *runner = NULL;
    if (model == NULL || data == NULL || (out == NULL && count != 0))
        return moi_fail_null(function, model == NULL  ? "model"
                                       : data == NULL ? "data"
                                                      : "out");
    int32_t rc = check_ready(model, function);
    if (rc == MOPT_OK)
        rc = moi_model_prepare(model, data, &ready);
    if (rc != MOPT_OK)
        return rc;
    int64_t rows = moi_dataset_rows(ready), need = 0;
    int64_t outputs = moi_model_outputs(model);
    rc = moi_multiply(rows, outputs, "the outputs", &need);
    if (rc == MOPT_OK && count != need)
        rc = moi_fail(MOPT_EINVAL,
                      "%s: count is %" PRId64 ", but %" PRId64 " rows of "
                      "%" PRId64 " outputs take %" PRId64, function, count,
                      rows, outputs, need);
    if (rc == MOPT_OK)
        rc = moi_runner_create(model, rows, 0, 0, &runner);
    if (rc == MOPT_OK)
        rc = moi_runner_run(runner, &(moi_rows){.data = ready}, 0, rows, out,
                            NULL, cancel);
    mopt_transform *t = moi_dataset_transform(ready);
    if (rc == MOPT_OK && t != NULL && moi_transform_numbers(t) == outputs)
        moi_transform_restore(t, rows, out);
    moi_runner_free(runner);
    mopt_dataset_free(ready);
    return rc;
}

/* ---- evaluation ---- */

/* Everything that measuring takes, freed together. */
typedef struct evaluation {
    mopt_context *ctx;
    mopt_dataset *data;
    moi_loss *loss;
    moi_metrics *metrics;
    moi_answer_fn answer; /* where outputs come from */
    void *user;
    int64_t rows, outputs, window; /* rows at a time */
    moi_real *output;  /* [window][outputs] */
    int64_t *index;    /* [window] */
    int32_t *classes;  /* [window], or NULL */
    moi_real *numbers; /* [window][outputs], or NULL */
} evaluation;

static void evaluation_free(evaluation *e)
{
    moi_metrics_free(e->metrics);
    moi_loss_free(e->loss);
    mopt_dataset_free(e->data);
    moi_free(e->ctx, e->output);
    moi_free(e->ctx, e->index);
    moi_free(e->ctx, e->classes);
    moi_free(e->ctx, e->numbers);
}

static int32_t choose_loss(evaluation *e, const char *name)
{
    int32_t kind = moi_dataset_kind(e->data);
    const moi_loss_kind *loss = name != NULL
                                    ? moi_loss_find(name)
                                    : moi_loss_usual(kind, e->outputs);
    if (loss == NULL)
        return MOPT_EKEY;
    int32_t rc = moi_loss_fits(loss, kind, moi_dataset_targets(e->data),
                               e->outputs);
    if (rc == MOPT_OK)
        rc = moi_loss_create(e->ctx, loss, NULL, e->outputs, &e->loss);
    return rc;
}

static int32_t reserve(evaluation *e)
{
    int32_t kind = moi_dataset_kind(e->data);
    mopt_transform *t = moi_dataset_transform(e->data);
    int64_t targets = moi_dataset_targets(e->data);
    int64_t cells = 0;
    int32_t restores = t != NULL && moi_transform_numbers(t) == targets;
    int32_t rc = moi_metrics_create(
        e->ctx, e->loss, kind, targets, e->outputs, e->rows, MOI_METRICS_AUC,
        restores ? t : NULL, &e->metrics);
    if (rc == MOPT_OK)
        rc = moi_multiply(e->window, e->outputs, "the outputs", &cells);
    if (rc != MOPT_OK)
        return rc;
    e->output = moi_alloc(e->ctx, cells, sizeof(moi_real));
    e->index = moi_alloc(e->ctx, e->window, sizeof(int64_t));
    if (kind == MOPT_TARGET_CLASS)
        e->classes = moi_alloc(e->ctx, e->window, sizeof(int32_t));
    else
        e->numbers = moi_alloc(e->ctx, cells, sizeof(moi_real));
    return e->output != NULL && e->index != NULL &&
                   (e->classes != NULL || e->numbers != NULL)
               ? MOPT_OK
               : MOPT_ENOMEM;
}

static int32_t measure(evaluation *e, const mopt_cancel *cancel)
{
    moi_targets targets = {e->classes, e->numbers};
    for (int64_t first = 0; first < e->rows; first += e->window) {
        int64_t left = e->rows - first;
        int64_t count = left < e->window ? left : e->window;
        int32_t rc = e->answer(e->user, first, count, e->output, cancel);
        if (rc != MOPT_OK)
            return rc;
        for (int64_t i = 0; i < count; i++)
            e->index[i] = first + i;
        if (e->classes != NULL)
            moi_dataset_classes(e->data, e->index, count, e->classes);
        else
            moi_dataset_numbers(e->data, e->index, count, e->numbers);
        moi_metrics_add(e->metrics, count, e->output, &targets);
    }
    return moi_metrics_finish(e->metrics, cancel);
}

/* Measure what e->answer gives for e->data, by a loss that was chosen. */
static int32_t evaluate(evaluation *e, const mopt_cancel *cancel, json_t **out)
{
    json_t *object = NULL;
    int32_t rc = reserve(e);
    if (rc == MOPT_OK)
        rc = measure(e, cancel);
    if (rc == MOPT_OK) {
        object = json_object();
        rc = object != NULL ? moi_metrics_to_json(e->metrics, object)
                            : moi_fail(MOPT_ENOMEM, "no memory for figures");
    }
    if (rc == MOPT_OK)
        *out = object;
    else
        json_decref(object);
    return rc;
}

static void set_data(evaluation *e, mopt_dataset *data)
{
    e->data = data;
    e->rows = moi_dataset_rows(data);
    e->window = e->rows < WINDOW ? e->rows : WINDOW;
}

int32_t moi_answers_measure(const mopt_dataset *data, int64_t outputs,
                            moi_answer_fn answer, void *user,
                            const mopt_cancel *cancel, json_t **out)
{
    evaluation e = {.ctx = moi_dataset_context(data), .outputs = outputs,
                    .answer = answer, .user = user};
    set_data(&e, moi_dataset_hold(data));
    int32_t rc = choose_loss(&e, NULL);
    if (rc == MOPT_OK)
        rc = evaluate(&e, cancel, out);
    evaluation_free(&e);
    return rc;
}

/* A model's outputs for some rows of the data. */
typedef struct witness {
    moi_runner *runner;
    const mopt_dataset *data;
} witness;

static int32_t run_model(void *user, int64_t first, int64_t count,
                         moi_real *out, const mopt_cancel *cancel)
{
    const witness *w = user;
    return moi_runner_run(w->runner, &(moi_rows){.data = w->data}, first,
                          count, NULL, out, cancel);
}

int32_t moi_model_measure(const mopt_model *model, const mopt_dataset *data,
                          const char *loss, const mopt_cancel *cancel,
                          json_t **out)
{
    int32_t rc = check_ready(model, "mopt_model_evaluate");
    if (rc != MOPT_OK)
        return rc;
    witness w = {NULL, NULL};
    evaluation e = {.ctx = model->ctx, .outputs = moi_model_outputs(model),
                    .answer = run_model, .user = &w};
    mopt_dataset *ready = NULL;
    rc = moi_model_prepare(model, data, &ready);
    if (rc == MOPT_OK) {
        set_data(&e, ready);
        w.data = ready;
        rc = choose_loss(&e, loss);
    }
    if (rc == MOPT_OK) {
        int32_t logits = moi_loss_get_kind(e.loss)->flags & MOI_LOSS_LOGITS;
        rc = moi_runner_create(model, e.window,
                               logits != 0 ? MOI_PLAN_LOGITS : 0, 0, &w.runner);
    }
    if (rc == MOPT_OK)
        rc = evaluate(&e, cancel, out);
    moi_runner_free(w.runner);
    evaluation_free(&e);
    return rc;
}

int32_t mopt_model_evaluate(const mopt_model *model, const mopt_dataset *data,
                            const char *loss, mopt_cancel *cancel, char *buf,
                            size_t cap, size_t *needed)
{
    const char *function = "mopt_model_evaluate";
    if (model == NULL || data == NULL || (buf == NULL && cap > 0))
        return moi_fail_null(function, model == NULL  ? "model"
                                       : data == NULL ? "data"
                                                      : "buf");
    json_t *object = NULL;
    int32_t rc = moi_model_measure(model, data, loss, cancel, &object);
    return rc == MOPT_OK
               ? moi_json_finish(model->ctx, object, buf, cap, needed) : rc;
}
