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

int32_t moi_features_open(const mopt_model *model, int64_t said, int64_t rows,
                          moi_features *f)
{
    moi_features made = {0};
    int32_t rc = moi_features_layer(model, said, &made.layer, &made.width);

    if (!rc && made.layer >= 0)
        rc = moi_model_cut(model, made.layer + 1, &made.body);
    if (!rc && made.body)
        rc = moi_runner_create(made.body, rows, 0, 0, &made.runner);
    if (rc)
        moi_features_close(&made);
    else
        *f = made;
    return rc;
}

void moi_features_close(moi_features *f)
{
    moi_runner_free(f->runner);
    mopt_model_free(f->body);
}

/* The inputs themselves. */
static void read_inputs(const moi_features *f, const mopt_dataset *data,
                        int64_t first, int64_t count, float *floats,
                        moi_real *reals, moi_real *row)
{
    for (int64_t i = first; i < first + count; i++) {
        moi_dataset_gather(data, &i, 1, reals ? reals : row);
        for (int64_t k = 0; floats && k < f->width; k++)
            *floats++ = (float)row[k];
        reals += reals ? f->width : 0;
    }
}

int32_t moi_features_read(const moi_features *f, const mopt_dataset *data,
                          int64_t first, int64_t count, float *floats,
                          moi_real *reals, const mopt_cancel *cancel)
{
    mopt_context *ctx = moi_dataset_context(data);
    moi_real *row;

    if (f->runner)
        return moi_runner_run(f->runner, &(moi_rows){.data = data}, first,
                              count, floats, reals, cancel);
    row = moi_alloc(ctx, f->width, sizeof *row);
    if (!row)
        return MOPT_ENOMEM;
    read_inputs(f, data, first, count, floats, reals, row);
    moi_free(ctx, row);
    return moi_cancel_check(cancel);
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
    moi_features f = {0};
    int64_t rows, wanted = 0;
    int32_t rc = check("mopt_model_features", model, data);

    if (!rc && !out)
        return moi_fail_null("mopt_model_features", "out");
    if (rc)
        return rc;
    rows = moi_dataset_rows(data);
    rc = moi_features_open(model, layer, rows, &f);
    if (!rc)
        rc = moi_model_prepare(model, data, &ready);
    if (!rc)
        rc = moi_multiply(rows, f.width, "features", &wanted);
    if (!rc && count != wanted)
        rc = moi_fail(MOPT_EINVAL, "mopt_model_features: count is %lld, the "
                      "rows have %lld features", (long long)count,
                      (long long)wanted);
    if (!rc)
        rc = moi_features_read(&f, ready, 0, rows, out, NULL, cancel);
    moi_features_close(&f);
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
