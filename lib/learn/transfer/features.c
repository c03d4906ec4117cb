/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/features.c: what a hidden layer gives. */
#include "learn/transfer/features.h"

#include <stdio.h>
#include <string.h>

#include <modelopt/finetune.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/plan.h"
#include "learn/nn/runner.h"

#define ROWS 512 /* at a time */

int32_t moi_features_layer(const mopt_model *model, int64_t said,
                           int64_t *layer, int64_t *width)
{
    int64_t count = moi_model_layer_count(model);
    int64_t below = moi_model_head(model) - 1;

    *layer = said == -1 ? below : said;
    if (said == -1 && below == -1) {
        *width = moi_model_inputs(model);
        return MOPT_OK;
    }
    if (*layer < 0 || *layer >= count)
        return moi_fail(MOPT_EINVAL, "layer is %lld; the model has the layers "
                        "0 to %lld, and -1 is the one below its head",
                        (long long)said, (long long)count - 1);
    *width = moi_model_layer_width(model, *layer);
    return MOPT_OK;
}

static int32_t read_block(moi_plan *plan, const mopt_model *model,
                          const mopt_dataset *data, int64_t first,
                          int64_t count)
{
    static const moi_pass pass = {.training = 0};
    int64_t index[ROWS];

    for (int64_t i = 0; i < count; i++)
        index[i] = first + i;
    moi_dataset_gather(data, index, count, moi_plan_input(plan));
    return moi_plan_forward(plan, moi_model_weights(model), count, &pass);
}

int32_t moi_features_read(const mopt_model *model, int64_t layer,
                          const mopt_dataset *data, float *floats,
                          double *doubles, mopt_cancel *cancel)
{
    int64_t rows = moi_dataset_rows(data);
    int64_t width = layer < 0 ? moi_model_inputs(model)
                              : moi_model_layer_width(model, layer);
    moi_real *shown = NULL, *unused;
    moi_plan *plan = NULL;
    int32_t rc = moi_plan_create(moi_model_context(model), model, ROWS,
                                 MOI_PLAN_TRAIN, &plan);

    if (!rc && layer < 0)
        shown = moi_plan_input(plan);
    else if (!rc)
        rc = moi_plan_tap(plan, layer, &shown, &unused);
    for (int64_t at = 0; !rc && at < rows; at += ROWS) {
        int64_t count = rows - at < ROWS ? rows - at : ROWS;

        rc = moi_cancel_check(cancel);
        if (!rc)
            rc = read_block(plan, model, data, at, count);
        for (int64_t i = 0; !rc && i < count * width; i++) {
            if (floats)
                floats[at * width + i] = (float)shown[i];
            else
                doubles[at * width + i] = (double)shown[i];
        }
    }
    moi_plan_free(plan);
    return rc;
}

static int32_t check(const char *function, const mopt_model *model,
                     const mopt_dataset *data)
{
    if (!model || !data)
        return moi_fail_null(function, !model ? "model" : "data");
    if (!moi_model_ready(model))
        return moi_fail(MOPT_ESTATE, "%s: the model's weights are not set yet",
                        function);
    return MOPT_OK;
}

int32_t mopt_model_features(const mopt_model *model, int64_t layer,
                            const mopt_dataset *data, float *out,
                            int64_t count, mopt_cancel *cancel)
{
    mopt_dataset *ready = NULL;
    int64_t width = 0, wanted = 0;
    int32_t rc = check("mopt_model_features", model, data);

    if (!rc && !out)
        return moi_fail_null("mopt_model_features", "out");
    if (!rc)
        rc = moi_features_layer(model, layer, &layer, &width);
    if (!rc)
        rc = moi_model_prepare(model, data, &ready);
    if (!rc)
        rc = moi_multiply(moi_dataset_rows(ready), width, "features", &wanted);
    if (!rc && count != wanted)
        rc = moi_fail(MOPT_EINVAL, "mopt_model_features: count is %lld, the "
                      "rows have %lld features", (long long)count,
                      (long long)wanted);
    if (!rc)
        rc = moi_features_read(model, layer, ready, out, NULL, cancel);
    mopt_dataset_free(ready);
    return rc;
}

/* ---- NPY ---- */

/* https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html,
 * version 1.0: the header ends at a multiple of 64. */
static int32_t write_npy(mopt_context *ctx, const char *path, int64_t rows,
                         int64_t width, const float *values)
{
    char head[192] = "\x93NUMPY\x01";
    int32_t length;
    moi_writer *writer = NULL;
    int32_t rc;

    memset(head + 10, ' ', sizeof head - 10);
    length = snprintf(head + 10, sizeof head - 10,
                      "{'descr': '<f4', 'fortran_order': False, 'shape': "
                      "(%lld, %lld), }", (long long)rows, (long long)width);
    head[10 + length] = ' ';
    head[127] = '\n';
    head[8] = 118; /* bytes from 10 to 127 */
    rc = moi_writer_open(ctx, path, &writer);
    if (!rc)
        rc = moi_writer_write(writer, head, 128);
    if (!rc)
        rc = moi_writer_write(writer, values,
                              rows * width * (int64_t)sizeof *values);
    if (!rc)
        rc = moi_writer_commit(writer);
    moi_writer_close(writer);
    return rc;
}

int32_t mopt_model_save_features(const mopt_model *model, int64_t layer,
                                 const mopt_dataset *data, const char *path,
                                 mopt_cancel *cancel)
{
    int64_t width = 0, count = 0;
    float *values = NULL;
    mopt_context *ctx;
    int32_t rc = check("mopt_model_save_features", model, data);

    if (!rc && !path)
        rc = moi_fail_null("mopt_model_save_features", "path");
    if (!rc)
        rc = moi_features_layer(model, layer, &layer, &width);
    if (!rc)
        rc = moi_multiply(moi_dataset_rows(data), width, "features", &count);
    if (rc)
        return rc;
    ctx = moi_model_context(model);
    values = moi_alloc(ctx, count, sizeof *values);
    rc = values ? mopt_model_features(model, layer, data, values, count,
                                      cancel)
                : MOPT_ENOMEM;
    if (!rc)
        rc = write_npy(ctx, path, moi_dataset_rows(data), width, values);
    moi_free(ctx, values);
    return rc;
}
