/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/schedule.h: in which order a stage of a pipeline takes
 * its micro-batches forward and back.
 *
 * GPipe (Huang et al. 2019): all forward, then all back; every stage keeps the
 * activations of all. One forward, one back (Narayanan et al. 2019,
 * "PipeDream", with a flush after each batch): a stage goes back as soon as it
 * can, so that it keeps as many as there are stages from it to the end. Both
 * go back in the order of the micro-batches: gradients are added up in it. */
#ifndef MOI_PARALLEL_SCHEDULE_H
#define MOI_PARALLEL_SCHEDULE_H

#include "learn/parallel/parallel.h"

typedef struct moi_pass_op {
    int32_t back;
    int64_t part; /* which micro-batch */
} moi_pass_op;

/* Operations of one stage with so many micro-batches: list[2 * parts]. */
void moi_passes_list(int32_t schedule, int32_t stages, int32_t stage,
                         int64_t parts, moi_pass_op *list);

/* Micro-batches that a stage keeps activations of at a time, at most; number
 * i takes place i modulo it. 0 without any. */
int64_t moi_passes_places(int32_t schedule, int32_t stages, int32_t stage,
                            int64_t parts);

#endif
