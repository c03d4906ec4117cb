/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/probe.c: a head in closed form.
 *
 * Ridge regression on what the head reads, classes as ones among zeros. A row
 * left out has the residual r_i / (1 - h_i), h_i being its leverage: no second
 * fit is needed (Allen 1974, "The relationship between variable selection and
 * data augmentation and a method for prediction", PRESS). */
#include "learn/transfer/probe.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "base/cancel.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/status.h"
#include "learn/transfer/features.h"

#define LEFT_OUT 4096 /* rows that are left out in turn, at most */
#define PENALTIES 13  /* tried: 1e-6 .. 1e6 of the features' mean square */

/* ---- ridge regression ---- */

int32_t moi_ridge_create(mopt_context *ctx, int64_t rows, int64_t width,
                         int64_t targets, moi_ridge *r)
{
    int64_t cells = 0, square = 0, answers = 0;
    int32_t rc = moi_multiply(rows, width, "features", &cells);

    *r = (moi_ridge){.ctx = ctx, .rows = rows, .width = width,
                     .targets = targets};
    if (!rc)
        rc = moi_multiply(width, width, "products of features", &square);
    if (!rc)
        rc = moi_multiply(rows, targets, "targets", &answers);
    if (rc)
        return rc;
    r->x = moi_alloc(ctx, cells, sizeof *r->x);
    r->y = moi_calloc(ctx, answers, sizeof *r->y);
    r->mean_x = moi_calloc(ctx, width, sizeof *r->x);
    r->mean_y = moi_calloc(ctx, targets, sizeof *r->x);
    r->gram = moi_alloc(ctx, square, sizeof *r->x);
    r->cross = moi_alloc(ctx, width * targets, sizeof *r->x);
    r->weights = moi_alloc(ctx, width * targets, sizeof *r->x);
    return r->x && r->y && r->mean_x && r->mean_y && r->gram && r->cross &&
                   r->weights
               ? MOPT_OK : MOPT_ENOMEM;
}

void moi_ridge_clear(moi_ridge *r)
{
    moi_free(r->ctx, r->x);
    moi_free(r->ctx, r->y);
    moi_free(r->ctx, r->mean_x);
    moi_free(r->ctx, r->mean_y);
    moi_free(r->ctx, r->gram);
    moi_free(r->ctx, r->cross);
    moi_free(r->ctx, r->weights);
}

static void centre(int64_t rows, int64_t width, double *x, double *mean)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < width; k++)
            mean[k] += x[i * width + k] / (double)rows;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < width; k++)
            x[i * width + k] -= mean[k];
}

int32_t moi_ridge_begin(moi_ridge *r)
{
    int64_t n = r->rows, d = r->width, k = r->targets;
    int32_t rc;

    centre(n, d, r->x, r->mean_x);
    centre(n, k, r->y, r->mean_y);
    rc = moi_dgemm(r->ctx, 1, 0, d, d, n, 1, r->x, d, r->x, d, 0, r->gram, d);
    return rc ? rc : moi_dgemm(r->ctx, 1, 0, d, k, n, 1, r->x, d, r->y, k, 0,
                               r->cross, k);
}

/* (x^T x + penalty 1)^-1 applied to b[width][count], in place. */
static int32_t divide(const moi_ridge *r, double penalty, int64_t count,
                      double *b)
{
    int64_t d = r->width;
    double *a = moi_alloc(r->ctx, d * d, sizeof *a);
    char text[MOI_NUMBER_SIZE];
    int32_t rc;

    if (!a)
        return MOPT_ENOMEM;
    memcpy(a, r->gram, (size_t)(d * d) * sizeof *a);
    for (int64_t k = 0; k < d; k++)
        a[k * d + k] += penalty;
    rc = moi_dposv(r->ctx, d, count, a, d, b, count);
    moi_free(r->ctx, a);
    return rc <= 0 ? rc : moi_fail(MOPT_EBACKEND, "the features cannot be "
                                   "solved for with a penalty of %s",
                                   moi_number_text(penalty, text));
}

int32_t moi_ridge_solve(moi_ridge *r, double penalty)
{
    memcpy(r->weights, r->cross,
           (size_t)(r->width * r->targets) * sizeof *r->weights);
    r->penalty = penalty;
    return divide(r, penalty, r->targets, r->weights);
}

/* out = y - x weights, for the first count rows. */
static int32_t residuals(const moi_ridge *r, int64_t count, double *out)
{
    int64_t d = r->width, k = r->targets;

    memcpy(out, r->y, (size_t)(count * k) * sizeof *out);
    return moi_dgemm(r->ctx, 0, 0, count, k, d, -1, r->x, d, r->weights, k, 1,
                     out, k);
}

/* The residual of row i without it: both means move too, which adds 1 / rows
 * to its leverage. */
static void leave_out(const moi_ridge *r, int64_t i, const double *solved,
                      double *out)
{
    double leverage = 1 / (double)r->rows;

    for (int64_t k = 0; k < r->width; k++)
        leverage += r->x[i * r->width + k] * solved[k];
    for (int64_t k = 0; k < r->targets; k++)
        out[k] = r->y[i * r->targets + k] + r->mean_y[k] -
                 out[k] / fmax(1 - leverage, 1e-12);
}

int32_t moi_ridge_left_out(const moi_ridge *r, int64_t count, double *out)
{
    int64_t d = r->width;
    double *inverse = moi_calloc(r->ctx, d * d, sizeof *inverse);
    double *solved = moi_alloc(r->ctx, count * d, sizeof *solved);
    int32_t rc = inverse && solved ? MOPT_OK : MOPT_ENOMEM;

    for (int64_t k = 0; !rc && k < d; k++)
        inverse[k * d + k] = 1;
    if (!rc)
        rc = divide(r, r->penalty, d, inverse);
    if (!rc)
        rc = moi_dgemm(r->ctx, 0, 0, count, d, d, 1, r->x, d, inverse, d, 0,
                       solved, d);
    if (!rc)
        rc = residuals(r, count, out);
    for (int64_t i = 0; !rc && i < count; i++)
        leave_out(r, i, solved + i * d, out + i * r->targets);
    moi_free(r->ctx, inverse);
    moi_free(r->ctx, solved);
    return rc;
}

static double squares(const moi_ridge *r, int64_t count, const double *told)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < r->targets; k++) {
            int64_t at = i * r->targets + k;
            double d = r->y[at] + r->mean_y[k] - told[at];

            sum += d * d;
        }
    return sum;
}

int32_t moi_ridge_choose(moi_ridge *r, mopt_cancel *cancel)
{
    int64_t count = r->rows < LEFT_OUT ? r->rows : LEFT_OUT;
    double *told = moi_alloc(r->ctx, count * r->targets, sizeof *told);
    double scale = DBL_MIN, best = HUGE_VAL, chosen = 0;
    int32_t rc = told ? MOPT_OK : MOPT_ENOMEM;

    for (int64_t k = 0; k < r->width; k++)
        scale += r->gram[k * r->width + k] / (double)r->width;
    for (int32_t p = 0; !rc && p < PENALTIES; p++) {
        double penalty = scale * pow(10, p - PENALTIES / 2), found;

        rc = moi_cancel_check(cancel);
        if (!rc)
            rc = moi_ridge_solve(r, penalty);
        if (!rc)
            rc = moi_ridge_left_out(r, count, told);
        found = rc ? HUGE_VAL : squares(r, count, told);
        if (found < best) {
            best = found;
            chosen = penalty;
        }
    }
    moi_free(r->ctx, told);
    return rc ? rc : moi_ridge_solve(r, chosen);
}

/* ---- a head ---- */

/* The loss of classes when what a regression says, times sharpness, is taken
 * for logits. */
static double sharp_loss(const moi_ridge *r, int64_t count, const double *told,
                         const mopt_dataset *data, double sharpness)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        const double *z = told + i * r->targets;
        double top = -HUGE_VAL, all = 0;
        int32_t label;

        moi_dataset_classes(data, &i, 1, &label);
        for (int64_t k = 0; k < r->targets; k++)
            top = fmax(top, sharpness * z[k]);
        for (int64_t k = 0; k < r->targets; k++)
            all += exp(sharpness * z[k] - top);
        sum += log(all) + top - sharpness * z[label];
    }
    return sum;
}

/* The sharpness that makes that loss smallest on rows left out (the loss is
 * convex in it): by golden section between 0.1 and 1,000. */
static int32_t find_sharpness(const moi_ridge *r, const mopt_dataset *data,
                              double *out)
{
    const double golden = 0.6180339887498949;
    int64_t count = r->rows < LEFT_OUT ? r->rows : LEFT_OUT;
    double *told = moi_alloc(r->ctx, count * r->targets, sizeof *told);
    double low = log(0.1), high = log(1000);
    int32_t rc = told ? moi_ridge_left_out(r, count, told) : MOPT_ENOMEM;

    while (!rc && high - low > 0.01) {
        double a = high - golden * (high - low);
        double b = low + golden * (high - low);

        if (sharp_loss(r, count, told, data, exp(a)) <
            sharp_loss(r, count, told, data, exp(b)))
            high = b;
        else
            low = a;
    }
    *out = exp(0.5 * (low + high));
    moi_free(r->ctx, told);
    return rc;
}

/* The head's matrix [width][outputs], in or out of order, and its bias. */
static int32_t find_head(const mopt_model *model, int64_t width,
                         const moi_param **weight, const moi_param **bias)
{
    int64_t first, count, outputs = moi_model_outputs(model);

    *weight = *bias = NULL;
    moi_model_layer_params(model, moi_model_head(model), &first, &count);
    for (int64_t i = first; i < first + count; i++) {
        const moi_param *p = moi_model_param(model, i);

        if (p->rank == 2 && p->count == width * outputs)
            *weight = p;
        if (p->rank == 1 && p->count == outputs)
            *bias = p;
    }
    if (!moi_model_ends_in_probability(model) &&
        !moi_model_ends_in_sums(model))
        return moi_fail(MOPT_EUNSUPPORTED, "method 'probe' needs a last layer "
                        "without a function after it, or softmax");
    if (*weight && *bias)
        return MOPT_OK;
    return moi_fail(MOPT_EUNSUPPORTED, "method 'probe' needs a last layer with "
                    "a matrix and a bias");
}

static void set_head(const moi_ridge *r, double sharpness, mopt_model *model,
                     const moi_param *weight, const moi_param *bias)
{
    moi_real *w = moi_model_weights(model) + weight->offset;
    moi_real *b = moi_model_weights(model) + bias->offset;
    int32_t turned = weight->flags & MOI_PARAM_TRANSPOSED;

    for (int64_t k = 0; k < r->targets; k++) {
        double at = r->mean_y[k];

        for (int64_t i = 0; i < r->width; i++) {
            double value = r->weights[i * r->targets + k];

            at -= r->mean_x[i] * value;
            w[turned ? i * r->targets + k : k * r->width + i] =
                (moi_real)(sharpness * value);
        }
        b[k] = (moi_real)(sharpness * at);
    }
}

static void read_targets(const mopt_dataset *data, moi_ridge *r)
{
    int32_t classes = moi_dataset_kind(data) == MOPT_TARGET_CLASS;

    for (int64_t i = 0; i < r->rows; i++) {
        double *y = r->y + i * r->targets;
        int32_t label;

        if (classes) {
            moi_dataset_classes(data, &i, 1, &label);
            y[label] = 1;
        } else {
            moi_dataset_numbers(data, &i, 1, (moi_real *)(void *)r->weights);
            for (int64_t k = 0; k < r->targets; k++)
                y[k] = (double)((moi_real *)(void *)r->weights)[k];
        }
    }
}

static int32_t fit(moi_ridge *r, mopt_model *model, const mopt_dataset *data,
                   double penalty, mopt_cancel *cancel)
{
    const moi_param *weight, *bias;
    double sharpness = 1;
    int32_t rc = find_head(model, r->width, &weight, &bias);

    if (!rc)
        rc = moi_ridge_begin(r);
    if (!rc)
        rc = penalty > 0 ? moi_ridge_solve(r, penalty)
                         : moi_ridge_choose(r, cancel);
    if (!rc && moi_dataset_kind(data) == MOPT_TARGET_CLASS)
        rc = find_sharpness(r, data, &sharpness);
    if (!rc)
        set_head(r, sharpness, model, weight, bias);
    return rc;
}

/* Rows often come sorted by class, and those left out are the first ones: put
 * them in random order where not all are. */
static int32_t mix(const mopt_dataset *data, mopt_dataset **out)
{
    int64_t rows = moi_dataset_rows(data), *order;
    moi_rng rng;
    int32_t rc;

    if (rows <= LEFT_OUT) {
        *out = moi_dataset_hold(data);
        return MOPT_OK;
    }
    order = moi_alloc(moi_dataset_context(data), rows, sizeof *order);
    if (!order)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < rows; i++)
        order[i] = i;
    moi_rng_init(&rng, 0, 0, MOI_RNG_SHUFFLE, 0);
    moi_rng_shuffle(&rng, order, rows);
    rc = mopt_dataset_select(data, order, rows, out);
    moi_free(moi_dataset_context(data), order);
    return rc;
}

static int32_t fit_head(mopt_model *model, const mopt_dataset *data,
                        double penalty, mopt_cancel *cancel, double *chosen)
{
    int64_t layer, width, outputs = moi_model_outputs(model);
    moi_ridge r;
    int32_t rc = moi_features_layer(model, -1, &layer, &width);

    if (rc)
        return rc;
    if (outputs != moi_dataset_targets(data))
        return moi_fail(MOPT_EUNSUPPORTED, "method 'probe' needs an output a "
                        "class or target number");
    rc = moi_ridge_create(moi_model_context(model), moi_dataset_rows(data),
                          width, outputs, &r);
    if (!rc)
        rc = moi_features_read(model, layer, data, NULL, r.x, cancel);
    if (!rc) {
        read_targets(data, &r);
        rc = fit(&r, model, data, penalty, cancel);
    }
    if (!rc && chosen)
        *chosen = r.penalty;
    moi_ridge_clear(&r);
    return rc;
}

int32_t moi_probe_fit(mopt_model *model, const mopt_dataset *data,
                      double penalty, mopt_cancel *cancel, double *chosen)
{
    mopt_dataset *mixed = NULL;
    int32_t rc = mix(data, &mixed);

    if (!rc)
        rc = fit_head(model, mixed, penalty, cancel, chosen);
    mopt_dataset_free(mixed);
    return rc;
}
