/* SPDX-License-Identifier: MIT
 * lib/learn/train/near.h: ranks of one host that see each other's rows, and
 * write each other's weights.
 *
 * Each takes its rows of a batch through the layers and back, in memory that
 * all of them have. Once all have done so, each works out the gradients of its
 * own weights alone, over the rows of all, part by part as ever, changes these
 * weights, and writes them to where the others have theirs. No gradients
 * travel, none are added up over ranks, and ranks wait for each other twice a
 * step. */
#ifndef MOI_LEARN_NEAR_H
#define MOI_LEARN_NEAR_H

#include "learn/train/team.h"

typedef struct moi_near moi_near;

/* For a team that has its buckets. *out receives NULL where that cannot be:
 * ranks on other hosts or in one process, numbers that are to travel
 * otherwise, layers or batches whose gradients are not made of so many parts
 * at once, a model whose weights another trainer has so. They live in shared
 * memory until it is freed. Collective; an error is one of the group, or
 * MOPT_ENOMEM. */
int32_t moi_near_create(const struct mopt_trainer *t, const moi_team *team,
                        moi_near **out);
void moi_near_free(moi_near *near);

/* All ranks' rows of a batch, at their places in it. */
moi_plan *moi_near_plan(const moi_near *near);

/* Once all rows of the batch have gone back: change this rank's weights, and
 * those that the others have of it. What fails, moi_team_fail is told. */
void moi_near_carry(struct mopt_trainer *t);

/* The model goes where nobody else writes: others may still be at a step that
 * this rank gives up because the group is broken. */
void moi_near_leave(moi_near *near);

#endif
