/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/probe.c: a head in closed form: ridge regression on what
 * the head reads, classes as ones among zeros. */
#include "learn/transfer/probe.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"
#include "learn/transfer/features.h"
#include "learn/transfer/leaveout.h"

#define LEFT_OUT 2048   /* rows that are left out in turn, at most */
#define WINDOW 4096     /* rows whose features are held at a time, at most */
#define CELLS 2097152   /* numbers of them, where rows are wide */

/* ---- how sure to be ---- */

/* The loss of classes when what a regression says, times sharpness, is taken
 * for logits: its first and second derivative by the sharpness, the mean and
 * the variance of what a row is told, by its softmax. */
static void add_slopes(const double *told, int64_t classes, int32_t label,
                       double sharpness, double *slope, double *bend)
{
    double top = -HUGE_VAL, all = 0, mean = 0, square = 0;

    for (int64_t k = 0; k < classes; k++)
        top = fmax(top, told[k]);
    for (int64_t k = 0; k < classes; k++) {
        double p = exp(sharpness * (told[k] - top));

        all += p;
        mean += p * told[k];
        square += p * told[k] * told[k];
    }
    mean /= all;
    *slope += mean - told[label];
    *bend += square / all - mean * mean;
}

/* The sharpness between 0.1 and 1,000 that makes the loss smallest on rows
 * left out. The loss is convex in it: Newton's steps, and the geometric middle
 * of what is known where one leads out of that. */
static double find_sharpness(const double *told, const int32_t *labels,
                             int64_t rows, int64_t classes)
{
    double low = 0.1, high = 1000, at = 10;

    for (int32_t step = 0; step < 60 && high / low > 1.001; step++) {
        double slope = 0, bend = 0, next;

        for (int64_t i = 0; i < rows; i++)
            add_slopes(told + i * classes, classes, labels[i], at, &slope,
                       &bend);
        *(slope > 0 ? &high : &low) = at;
        next = at - slope / bend;
        if (!(next > low && next < high))
            next = sqrt(low * high);
        if (fabs(next - at) < 1e-6 * at)
            break;
        at = next;
    }
    return at;
}

/* ---- a head ---- */

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
        double at = r->mean[r->width + k];

        for (int64_t i = 0; i < r->width; i++) {
            double value = r->weights[i * r->targets + k];

            at -= r->mean[i] * value;
            w[turned ? i * r->targets + k : k * r->width + i] =
                (moi_real)(sharpness * value);
        }
        b[k] = (moi_real)(sharpness * at);
    }
}

/* ---- rows ---- */

/* A probe at work. */
typedef struct probe {
    mopt_model *model;
    const mopt_dataset *data; /* in random order where not all can be left out
                                 in turn */
    mopt_cancel *cancel;
    moi_features features;
    moi_ridge ridge;
    int64_t window;
    int64_t *index; /* [window] */
    int32_t *labels; /* [window], then those of the rows left out */
    moi_real *x, *y;
} probe;

static void read_targets(probe *p, int64_t first, int64_t count)
{
    int64_t targets = p->ridge.targets;

    for (int64_t i = 0; i < count; i++)
        p->index[i] = first + i;
    if (moi_dataset_kind(p->data) != MOPT_TARGET_CLASS) {
        moi_dataset_numbers(p->data, p->index, count, p->y);
        return;
    }
    moi_dataset_classes(p->data, p->index, count, p->labels);
    memset(p->y, 0, (size_t)(count * targets) * sizeof *p->y);
    for (int64_t i = 0; i < count; i++)
        p->y[i * targets + p->labels[i]] = 1;
}

static int32_t read_rows(probe *p)
{
    int64_t rows = moi_dataset_rows(p->data);
    int32_t rc = MOPT_OK;

    for (int64_t at = 0; !rc && at < rows; at += p->window) {
        int64_t count = rows - at < p->window ? rows - at : p->window;

        rc = moi_features_read(&p->features, p->data, at, count, NULL, p->x,
                               p->cancel);
        if (rc)
            return rc;
        read_targets(p, at, count);
        rc = moi_ridge_add(&p->ridge, count, p->x, p->y);
    }
    moi_ridge_close(&p->ridge);
    return rc;
}

/* ---- the work ---- */

static int32_t sharpen(probe *p, const moi_leaveout *left, double *out)
{
    int64_t kept = p->ridge.kept, classes = p->ridge.targets;
    double *told = moi_alloc(p->ridge.ctx, kept * classes, sizeof *told);
    int32_t rc = told ? moi_leaveout_tell(left, p->ridge.penalty, told)
                      : MOPT_ENOMEM;

    for (int64_t i = 0; i < kept; i++)
        p->index[i] = i;
    moi_dataset_classes(p->data, p->index, kept, p->labels);
    if (!rc)
        *out = find_sharpness(told, p->labels, kept, classes);
    moi_free(p->ridge.ctx, told);
    return rc;
}

static int32_t solve(probe *p, double penalty, double *sharpness)
{
    int32_t classes = moi_dataset_kind(p->data) == MOPT_TARGET_CLASS;
    moi_leaveout left = {0};
    int32_t rc = MOPT_OK;

    if (penalty == 0 || classes)
        rc = moi_leaveout_create(&p->ridge, p->cancel, &left);
    if (!rc && penalty == 0)
        rc = moi_leaveout_choose(&left, p->cancel, &penalty);
    if (!rc)
        rc = moi_ridge_solve(&p->ridge, penalty);
    if (!rc && classes)
        rc = sharpen(p, &left, sharpness);
    moi_leaveout_clear(&left);
    return rc;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
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

static int32_t take_room(probe *p)
{
    mopt_context *ctx = moi_model_context(p->model);
    int64_t rows = moi_dataset_rows(p->data), width = p->features.width;
    int64_t targets = moi_model_outputs(p->model);
    int32_t rc = moi_ridge_create(ctx, width, targets, least(rows, LEFT_OUT),
                                  &p->ridge);

    if (rc)
        return rc;
    p->index = moi_alloc(ctx, WINDOW, sizeof *p->index);
    p->labels = moi_alloc(ctx, WINDOW, sizeof *p->labels);
    p->x = moi_alloc(ctx, p->window * width, sizeof *p->x);
    p->y = moi_alloc(ctx, p->window * targets, sizeof *p->y);
    return p->index && p->labels && p->x && p->y ? MOPT_OK : MOPT_ENOMEM;
}

static void give_room(probe *p)
{
    mopt_context *ctx = moi_model_context(p->model);

    moi_features_close(&p->features);
    moi_ridge_clear(&p->ridge);
    moi_free(ctx, p->index);
    moi_free(ctx, p->labels);
    moi_free(ctx, p->x);
    moi_free(ctx, p->y);
}

static int32_t fit_head(probe *p, double penalty)
{
    const moi_param *weight, *bias;
    double sharpness = 1;
    int32_t rc = find_head(p->model, p->features.width, &weight, &bias);

    if (!rc)
        rc = take_room(p);
    if (!rc)
        rc = read_rows(p);
    if (!rc)
        rc = solve(p, penalty, &sharpness);
    if (!rc)
        set_head(&p->ridge, sharpness, p->model, weight, bias);
    return rc;
}

int32_t moi_probe_fit(mopt_model *model, const mopt_dataset *data,
                      double penalty, mopt_cancel *cancel, double *chosen)
{
    probe p = {.model = model, .cancel = cancel,
               .ridge = {.ctx = moi_model_context(model)}};
    mopt_dataset *mixed = NULL;
    int64_t layer, width;
    int32_t rc = moi_features_layer(model, -1, &layer, &width);

    if (rc)
        return rc;
    if (moi_model_outputs(model) != moi_dataset_targets(data))
        return moi_fail(MOPT_EUNSUPPORTED, "method 'probe' needs an output a "
                        "class or target number");
    p.window = least(WINDOW, 1 + CELLS / width);
    rc = mix(data, &mixed);
    p.data = mixed;
    if (!rc)
        rc = moi_features_open(model, -1, p.window, &p.features);
    if (!rc)
        rc = fit_head(&p, penalty);
    if (!rc && chosen)
        *chosen = p.ridge.penalty;
    give_room(&p);
    mopt_dataset_free(mixed);
    return rc;
}
