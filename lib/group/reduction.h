/* SPDX-License-Identifier: MIT
 * lib/group/reduction.h: numbers that are worked out in parts, on several
 * ranks, and added up by pairs (pairs.h).
 *
 * Parts are dealt out to the ranks in order, neighbours to one rank. Each
 * works its parts out one after the other, into room that it is given; what
 * can be added up is added up at once, so that a rank keeps a few arrays, not
 * one a part. Then each rank gets the sum of its own piece of the numbers, and
 * all pieces if it wants them. The bits do not depend on the number of ranks.
 *
 * Everything that memory is needed for is taken when it is made. */
#ifndef MOI_GROUP_REDUCTION_H
#define MOI_GROUP_REDUCTION_H

#include "group/group.h"

typedef struct moi_reduction moi_reduction;

/* group: kept by the caller. most: parts, at most. n: numbers a part. cuts:
 * [size + 1], where the ranks' pieces begin; from 0 to n, ascending; kept by
 * the caller. */
int32_t moi_reduction_create(mopt_group *group, int64_t most, int64_t n,
                             const int64_t *cuts, moi_reduction **out);
void moi_reduction_free(moi_reduction *r);

/* Of as many parts this rank has *first .. *first + *count - 1. */
void moi_reduction_deal(const moi_reduction *r, int64_t parts, int64_t *first,
                        int64_t *count);

/* Begin with as many parts; the last result is gone. */
void moi_reduction_begin(moi_reduction *r, int64_t parts);

/* Where the next part of this rank goes: [n], whatever it held before; and
 * tell that it is there. */
float *moi_reduction_room(moi_reduction *r);
void moi_reduction_push(moi_reduction *r);

/* Once all of this rank's parts are there: add up over the ranks. The result
 * is [n], right in this rank's piece; gather makes all of it so. */
int32_t moi_reduction_scatter(moi_reduction *r, const mopt_cancel *cancel);
int32_t moi_reduction_gather(moi_reduction *r, float *data,
                             const mopt_cancel *cancel);
float *moi_reduction_result(const moi_reduction *r);

#endif
