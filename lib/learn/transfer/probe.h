/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/probe.h: a head in closed form. */
#ifndef MOI_LEARN_PROBE_H
#define MOI_LEARN_PROBE_H

#include "learn/data/dataset.h"
#include "learn/nn/model.h"

/* Set a model's head from labelled ready rows. penalty 0: by leave-one-out.
 * *chosen receives the penalty; may be NULL. */
int32_t moi_probe_fit(mopt_model *model, const mopt_dataset *data,
                      double penalty, mopt_cancel *cancel, double *chosen);

#endif
