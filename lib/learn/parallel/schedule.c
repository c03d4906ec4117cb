/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/schedule.c: the order of a stage's micro-batches. */
#include "learn/parallel/schedule.h"

int64_t moi_passes_places(int32_t schedule, int32_t stages, int32_t stage,
                            int64_t parts)
{
    int64_t ahead = schedule == MOI_GPIPE ? parts : stages - stage;
    return ahead < parts ? ahead : parts;
}

void moi_passes_list(int32_t schedule, int32_t stages, int32_t stage,
                         int64_t parts, moi_pass_op *list)
{
    int64_t places = moi_passes_places(schedule, stages, stage, parts);
    int64_t there = 0, back = 0, at = 0;
    while (there < places)
        list[at++] = (moi_pass_op){0, there++};
    while (back < parts) {
        list[at++] = (moi_pass_op){1, back++};
        if (there < parts)
            list[at++] = (moi_pass_op){0, there++};
    }
}
