/* SPDX-License-Identifier: MIT
 * lib/search/study/optimize.h: searches that are asked more than once to go
 * on. */
#ifndef MOI_SEARCH_OPTIMIZE_H
#define MOI_SEARCH_OPTIMIZE_H

#include <modelopt/study.h>

/* "timeout" from now, on the clock; INFINITY without one. */
double moi_study_end(const mopt_study *study);

/* As mopt_study_optimize, but no trial begins after an end on the clock. */
int32_t moi_study_optimize(mopt_study *study, mopt_objective_fn objective,
                           void *user, mopt_cancel *cancel, double end);

#endif
