/* SPDX-License-Identifier: MIT
 * lib/search/pruner/threshold.c: stop a trial that reports a value out of
 * bounds, or NaN (Optuna's ThresholdPruner). */
#include <math.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "search/pruner/pruner.h"

/* A bound that is not there. */
#define OPEN 1e300

typedef struct threshold {
    mopt_context *ctx;
    double lower, upper;
    moi_pace pace;
} threshold;

static void destroy(void *state)
{
    threshold *self = state;

    if (self)
        moi_free(self->ctx, self);
}

static int32_t create(mopt_context *ctx, const moi_options *options,
                      void **state)
{
    const double lower = moi_options_float(options, "lower");
    const double upper = moi_options_float(options, "upper");
    char a[MOI_NUMBER_SIZE], b[MOI_NUMBER_SIZE];
    threshold *self;

    if (lower > upper)
        return moi_fail(MOPT_EINVAL, "pruner: 'lower' %s must not be above "
                        "'upper' %s", moi_number_text(lower, a),
                        moi_number_text(upper, b));
    self = moi_calloc(ctx, 1, sizeof(*self));
    if (!self)
        return MOPT_ENOMEM;
    self->ctx = ctx;
    self->lower = lower == -OPEN ? -INFINITY : lower;
    self->upper = upper == OPEN ? INFINITY : upper;
    self->pace = moi_pace_read(options);
    *state = self;
    return MOPT_OK;
}

static int32_t judge(void *state, const moi_history *history, int64_t row,
                     int64_t step, int32_t *prune)
{
    const threshold *self = state;
    double value = NAN;

    *prune = 0;
    if (!moi_pace_due(&self->pace, history->extra[row], step))
        return MOPT_OK;
    moi_extra_report(history->extra[row], step, &value);
    *prune = !(value >= self->lower && value <= self->upper);
    return MOPT_OK;
}

static const moi_key keys[] = {
    MOI_FLOAT("lower", -OPEN, 0, 0, "values below are stopped"),
    MOI_FLOAT("upper", OPEN, 0, 0, "values above are stopped"),
    MOI_PACE_KEYS,
    MOI_KEYS_END,
};

const moi_schema moi_pruner_threshold_schema = {
    "threshold", "stops what reports a value out of bounds", keys};

extern const moi_pruner_kind moi_pruner_threshold;
const moi_pruner_kind moi_pruner_threshold = {&moi_pruner_threshold_schema,
                                              create, destroy, judge};
