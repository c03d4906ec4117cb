/* SPDX-License-Identifier: MIT
 * lib/learn/distill/bias.c: output biases that fit the shares of classes.
 *
 * A student that never saw a class knows it from the teacher, but thinks it
 * rare. One offset a class mends that (Hinton, Vinyals and Dean 2015, section
 * 3, where it was found by hand). */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/distill/distiller.h"
#include "learn/nn/runner.h"

#define ROUNDS 200  /* far more than it takes */
#define CLOSE 1e-12 /* offsets that move less have settled */

/* Probabilities of a row whose logits are moved by offsets, added to sums. */
static void add_row(int64_t n, const float *z, const double *offset,
                    double *sums)
{
    double top = -HUGE_VAL, all = 0;

    for (int64_t k = 0; k < n; k++)
        top = fmax(top, (double)z[k] + offset[k]);
    for (int64_t k = 0; k < n; k++)
        all += exp((double)z[k] + offset[k] - top);
    for (int64_t k = 0; k < n; k++)
        sums[k] += exp((double)z[k] + offset[k] - top) / all;
}

static int32_t add_up(int64_t rows, int64_t n, const float *logits,
                      const double *offset, double *sums, mopt_cancel *cancel)
{
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; k < n; k++)
        sums[k] = 0;
    for (int64_t i = 0; !rc && i < rows; i++) {
        add_row(n, logits + i * n, offset, sums);
        rc = i % 64 ? MOPT_OK : moi_cancel_check(cancel);
    }
    return rc;
}

/* Iterative scaling: each class is expected as often as it occurs, which is
 * where the likelihood of the labels is largest. A class that never occurs
 * stays as it is. */
static int32_t fit_offsets(int64_t rows, int64_t n, const float *logits,
                           const double *counts, double *offset, double *sums,
                           mopt_cancel *cancel)
{
    double most = 1;
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; k < n; k++)
        offset[k] = 0;
    for (int32_t r = 0; !rc && r < ROUNDS && most > CLOSE; r++) {
        rc = add_up(rows, n, logits, offset, sums, cancel);
        most = 0;
        for (int64_t k = 0; !rc && k < n; k++)
            if (counts[k] > 0 && sums[k] > 0) {
                offset[k] += log(counts[k] / sums[k]);
                most = fmax(most, fabs(log(counts[k] / sums[k])));
            }
    }
    return rc;
}

/* The bias of the head: its tensor with a number an output. */
static const moi_param *find_bias(const mopt_model *model)
{
    int64_t first, count, n = moi_model_outputs(model);

    moi_model_layer_params(model, moi_model_head(model), &first, &count);
    for (int64_t i = first; i < first + count; i++) {
        const moi_param *p = moi_model_param(model, i);

        if (p->rank == 1 && p->count == n)
            return p;
    }
    return NULL;
}

static int32_t ask(const mopt_model *model, const mopt_dataset *data,
                   mopt_cancel *cancel, float *logits)
{
    moi_runner *runner = NULL;
    int64_t rows = moi_dataset_rows(data);
    int32_t rc = moi_runner_create(model, rows, MOI_PLAN_LOGITS, 0,
                                   &runner);

    if (!rc)
        rc = moi_runner_run(runner, &(moi_rows){.data = data}, 0, rows, logits,
                            NULL, cancel);
    moi_runner_free(runner);
    return rc;
}

static void count_classes(const mopt_dataset *data, double *counts)
{
    for (int64_t i = 0; i < moi_dataset_rows(data); i++) {
        int32_t class_index;

        moi_dataset_classes(data, &i, 1, &class_index);
        counts[class_index]++;
    }
}

int32_t moi_bias_check(const mopt_model *model, const mopt_dataset *data)
{
    if (data && moi_dataset_kind(data) == MOPT_TARGET_CLASS &&
        moi_model_outputs(model) >= 2 && find_bias(model))
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "correct_bias needs validation rows with "
                    "classes, and a model with a bias for each of them");
}

int32_t moi_bias_correct(mopt_model *model, const mopt_dataset *data,
                         mopt_cancel *cancel)
{
    int64_t n = moi_model_outputs(model), rows;
    const moi_param *bias = find_bias(model);
    mopt_context *ctx = moi_model_context(model);
    double *room;
    float *logits;
    int32_t rc;

    rows = moi_dataset_rows(data);
    room = moi_calloc(ctx, 3 * n, sizeof *room);
    logits = moi_alloc(ctx, rows * n, sizeof *logits);
    rc = room && logits ? ask(model, data, cancel, logits) : MOPT_ENOMEM;
    if (!rc) {
        count_classes(data, room);
        rc = fit_offsets(rows, n, logits, room, room + n, room + 2 * n,
                         cancel);
    }
    for (int64_t k = 0; !rc && k < n; k++)
        moi_model_weights(model)[bias->offset + k] += (moi_real)room[n + k];
    moi_free(ctx, room);
    moi_free(ctx, logits);
    return rc;
}
