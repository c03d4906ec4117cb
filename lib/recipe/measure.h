/* SPDX-License-Identifier: MIT
 * lib/recipe/measure.h: what a model and its training are worth, by the
 * measures of aims.h. */
#ifndef MOI_RECIPE_MEASURE_H
#define MOI_RECIPE_MEASURE_H

#include <modelopt/trainer.h>

#include "recipe/aims.h"

/* Who is measured. */
typedef struct moi_subject {
    mopt_context *ctx;
    mopt_model *model;
    mopt_trainer *trainer;          /* NULL before training, or without */
    const mopt_dataset *validation; /* transformed; NULL when there is none */
    const char *loss;               /* the loss in use */
    int32_t restored;    /* the weights are those of the best epoch */
    double mentor;       /* accuracy of the first teacher, or NaN */
    mopt_cancel *cancel; /* may be NULL */
    json_t *evaluation;  /* filled on demand, with timing; released by */
    json_t *timing;      /* moi_subject_end */
} moi_subject;

void moi_subject_end(moi_subject *subject);

/* The value of a measure. MOPT_ECANCELED and what the measuring returns. */
int32_t moi_subject_value(moi_subject *subject, const moi_measure *measure,
                          double *out);

/* The same of the epoch that has just ended; validation measures only. */
int32_t moi_subject_epoch(moi_subject *subject, const moi_measure *measure,
                          double *out);

/* Every cost of serving the model, {"params": .., "latency.p50": ..}; the
 * caller releases it. */
int32_t moi_subject_costs(moi_subject *subject, json_t **out);

#endif
