/* SPDX-License-Identifier: MIT
 * lib/search/pruner/pruner.c: every pruner, and what several of them need. */
#include "search/pruner/pruner.h"

#include <math.h>

extern const moi_pruner_kind moi_pruner_none, moi_pruner_median,
    moi_pruner_percentile, moi_pruner_threshold, moi_pruner_patient;
extern const moi_schema moi_pruner_none_schema, moi_pruner_median_schema,
    moi_pruner_percentile_schema, moi_pruner_threshold_schema,
    moi_pruner_patient_schema;

const moi_pruner_kind *const moi_pruners[] = {
    &moi_pruner_none,
    &moi_pruner_median,
    &moi_pruner_percentile,
    &moi_pruner_threshold,
    &moi_pruner_patient,
    NULL,
};

const moi_schema *const moi_pruner_schemas[] = {
    &moi_pruner_none_schema,
    &moi_pruner_median_schema,
    &moi_pruner_percentile_schema,
    &moi_pruner_threshold_schema,
    &moi_pruner_patient_schema,
    NULL,
};

static const moi_key keys[] = {MOI_KEYS_END};

const moi_schema moi_pruner_none_schema = {"none", "stops no trial", keys};

/* judge is NULL: nobody needs to be asked. */
const moi_pruner_kind moi_pruner_none = {&moi_pruner_none_schema, NULL, NULL,
                                         NULL};

moi_pace moi_pace_read(const moi_options *options)
{
    return (moi_pace){moi_options_int(options, "warmup_steps"),
                      moi_options_int(options, "interval_steps")};
}

int64_t moi_last_step(const moi_extra *extra)
{
    if (!extra || extra->report_count == 0)
        return -1;
    return extra->reports[extra->report_count - 1].step;
}

int32_t moi_pace_due(const moi_pace *pace, const moi_extra *extra,
                     int64_t step)
{
    int64_t start, before = -1;

    if (step < pace->warmup)
        return 0;
    start = (step - pace->warmup) / pace->interval * pace->interval +
            pace->warmup;
    if (extra->report_count > 1)
        before = extra->reports[extra->report_count - 2].step;
    return before < start;
}

double moi_best_report(const moi_report *reports, int64_t count,
                       int32_t maximize)
{
    double best = NAN;
    int64_t i;

    for (i = 0; i < count; i++)
        best = maximize ? fmax(best, reports[i].value)
                        : fmin(best, reports[i].value);
    return best;
}
