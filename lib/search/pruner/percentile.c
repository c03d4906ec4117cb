/* SPDX-License-Identifier: MIT
 * lib/search/pruner/percentile.c: stop a trial whose best so far is worse than
 * a percentile of what complete trials had at the same step.
 *
 * The rule is Optuna's PercentilePruner, of which MedianPruner is the half:
 * the percentile is interpolated linearly between values (numpy's default),
 * NaN ones left out. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "search/pruner/pruner.h"

typedef struct percentile {
    mopt_context *ctx;
    double share; /* of 100 */
    int64_t startup, least;
    moi_pace pace;
    int64_t capacity;
    double *values; /* of the others at a step */
} percentile;

static void destroy(void *state)
{
    percentile *self = state;

    if (!self)
        return;
    moi_free(self->ctx, self->values);
    moi_free(self->ctx, self);
}

static int32_t create_share(mopt_context *ctx, const moi_options *options,
                            double share, void **state)
{
    percentile *self = moi_calloc(ctx, 1, sizeof(*self));

    if (!self)
        return MOPT_ENOMEM;
    self->ctx = ctx;
    self->share = share;
    self->startup = moi_options_int(options, "startup_trials");
    self->least = moi_options_int(options, "min_trials");
    self->pace = moi_pace_read(options);
    *state = self;
    return MOPT_OK;
}

static int32_t create_median(mopt_context *ctx, const moi_options *options,
                             void **state)
{
    return create_share(ctx, options, 50, state);
}

static int32_t create_percentile(mopt_context *ctx,
                                 const moi_options *options, void **state)
{
    return create_share(ctx, options,
                        moi_options_float(options, "percentile"), state);
}

/* What complete trials reported at a step: all of them are counted, those that
 * are numbers are kept. */
static int32_t gather(percentile *self, const moi_history *history,
                      int64_t step, int64_t *reported, int64_t *numbers)
{
    double value;
    int64_t row;
    int32_t rc;

    *reported = 0;
    *numbers = 0;
    rc = moi_grow(self->ctx, (void **)&self->values, &self->capacity,
                  history->tally[MOPT_TRIAL_COMPLETE], sizeof(double));
    for (row = 0; !rc && row < history->count; row++) {
        if (history->state[row] != MOPT_TRIAL_COMPLETE ||
            !moi_extra_report(history->extra[row], step, &value))
            continue;
        (*reported)++;
        if (!isnan(value))
            self->values[(*numbers)++] = value;
    }
    return rc;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Rounded as numpy does, from the nearer neighbour. */
static double interpolate(double *values, int64_t count, double share)
{
    const double at = share / 100 * (double)(count - 1);
    const int64_t below = (int64_t)floor(at);
    const double part = at - floor(at);
    double gap;

    qsort(values, (size_t)count, sizeof(*values), ascending);
    if (part == 0)
        return values[below];
    gap = values[below + 1] - values[below];
    return part < 0.5 ? values[below] + gap * part
                      : values[below + 1] - gap * (1 - part);
}

static int32_t judge(void *state, const moi_history *history, int64_t row,
                     int64_t step, int32_t *prune)
{
    percentile *self = state;
    const moi_extra *extra = history->extra[row];
    const int32_t maximize = history->maximize[0];
    int64_t reported, numbers;
    double best, limit;
    int32_t rc;

    *prune = 0;
    if (history->tally[MOPT_TRIAL_COMPLETE] == 0 ||
        history->tally[MOPT_TRIAL_COMPLETE] < self->startup ||
        !moi_pace_due(&self->pace, extra, step))
        return MOPT_OK;
    best = moi_best_report(extra->reports, extra->report_count, maximize);
    if (isnan(best)) {
        *prune = 1;
        return MOPT_OK;
    }
    rc = gather(self, history, step, &reported, &numbers);
    if (rc || reported < self->least || numbers == 0)
        return rc;
    limit = interpolate(self->values, numbers,
                        maximize ? 100 - self->share : self->share);
    *prune = maximize ? best < limit : best > limit;
    return MOPT_OK;
}

#define COMMON_KEYS                                                         \
    MOI_INT("startup_trials", 5, 0, 1e15,                                   \
            "complete trials before any is stopped"),                       \
    MOI_PACE_KEYS,                                                          \
    MOI_INT("min_trials", 1, 1, 1e15,                                       \
            "complete trials that must have reported at the step")

static const moi_key median_keys[] = {COMMON_KEYS, MOI_KEYS_END};
static const moi_key percentile_keys[] = {
    MOI_FLOAT("percentile", 25, 0, 100, "share of the trials that are kept"),
    COMMON_KEYS,
    MOI_KEYS_END,
};

const moi_schema moi_pruner_median_schema = {
    "median", "stops what is worse than the median at the same step",
    median_keys};
const moi_schema moi_pruner_percentile_schema = {
    "percentile", "stops what is worse than a percentile at the same step",
    percentile_keys};

extern const moi_pruner_kind moi_pruner_median, moi_pruner_percentile;
const moi_pruner_kind moi_pruner_median = {&moi_pruner_median_schema,
                                           create_median, destroy, judge};
const moi_pruner_kind moi_pruner_percentile = {
    &moi_pruner_percentile_schema, create_percentile, destroy, judge};
