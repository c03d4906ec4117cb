/* SPDX-License-Identifier: MIT
 * lib/search/pruner/patient.c: stop a trial whose last reports brought nothing
 * (Optuna's PatientPruner without another pruner inside). */
#include <math.h>

#include "base/memory.h"
#include "search/pruner/pruner.h"

typedef struct patient {
    mopt_context *ctx;
    int64_t patience;
    double delta;
} patient;

static void destroy(void *state)
{
    patient *self = state;

    if (self)
        moi_free(self->ctx, self);
}

static int32_t create(mopt_context *ctx, const moi_options *options,
                      void **state)
{
    patient *self = moi_calloc(ctx, 1, sizeof(*self));

    if (!self)
        return MOPT_ENOMEM;
    self->ctx = ctx;
    self->patience = moi_options_int(options, "patience");
    self->delta = moi_options_float(options, "min_delta");
    *state = self;
    return MOPT_OK;
}

static int32_t judge(void *state, const moi_history *history, int64_t row,
                     int64_t step, int32_t *prune)
{
    const patient *self = state;
    const moi_extra *extra = history->extra[row];
    const int32_t maximize = history->maximize[0];
    const int64_t after = self->patience + 1;
    const int64_t before = extra->report_count - after;
    double old, new;

    (void)step;
    *prune = 0;
    if (before <= 0)
        return MOPT_OK;
    old = moi_best_report(extra->reports, before, maximize);
    new = moi_best_report(extra->reports + before, after, maximize);
    *prune = maximize ? old - self->delta > new : old + self->delta < new;
    return MOPT_OK;
}

static const moi_key keys[] = {
    MOI_INT("patience", 5, 0, 1e15,
            "reports without an improvement that are let be"),
    MOI_FLOAT("min_delta", 0, 0, 1e300, "what is not yet a worsening"),
    MOI_KEYS_END,
};

const moi_schema moi_pruner_patient_schema = {
    "patient", "stops what has become worse than it was before", keys};

extern const moi_pruner_kind moi_pruner_patient;
const moi_pruner_kind moi_pruner_patient = {&moi_pruner_patient_schema,
                                            create, destroy, judge};
