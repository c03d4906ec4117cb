/* SPDX-License-Identifier: MIT
 * lib/learn/train/shard.c: the state of the rule, a piece a rank.
 *
 * Each rank changes its own piece of the weights and hands it to the others,
 * so that it needs the state of that piece alone (Rajbhandari et al. 2020,
 * "ZeRO", stage 1): the update takes a rank's share of the time, too. Pieces
 * begin where blocks of update.c do. Files hold the state as a whole. */
#include <string.h>

#include "base/memory.h"
#include "learn/train/trainer.h"

static int64_t first_of(const mopt_trainer *t, int32_t size, int32_t rank)
{
    return t->block_count / size * rank + t->block_count % size * rank / size;
}

static int64_t place_of(const mopt_trainer *t, int64_t block)
{
    const moi_slice *slice = &t->blocks[block];

    if (block == t->block_count)
        return t->size;
    return moi_model_param(t->model, slice->tensor)->offset + slice->first;
}

void moi_shard_cut(mopt_trainer *t, moi_team *team)
{
    int32_t size = mopt_group_size(team->group);
    int32_t rank = mopt_group_rank(team->group);

    for (int32_t i = 0; i <= size; i++)
        team->cuts[i] = place_of(t, first_of(t, size, i));
    t->block_first = first_of(t, size, rank);
    t->block_limit = first_of(t, size, rank + 1);
}

void moi_shard_recut(mopt_trainer *t)
{
    t->block_first = 0;
    t->block_limit = t->block_count;
    if (t->team)
        moi_shard_cut(t, t->team);
}

/* ---- whole and in pieces ---- */

static void drop(mopt_trainer *t, moi_real *arrays[MOI_STATES])
{
    for (int32_t k = 0; k < t->rule.states; k++)
        moi_free(t->ctx, arrays[k]);
}

static int32_t take(mopt_trainer *t, int64_t count,
                    moi_real *arrays[MOI_STATES])
{
    for (int32_t k = 0; k < t->rule.states; k++)
        arrays[k] = NULL;
    for (int32_t k = 0; k < t->rule.states; k++) {
        arrays[k] = moi_calloc(t->ctx, count, sizeof(moi_real));
        if (!arrays[k]) {
            drop(t, arrays);
            return MOPT_ENOMEM;
        }
    }
    return MOPT_OK;
}

/* Put arrays that begin at a weight in place of those that are there. */
static void install(mopt_trainer *t, moi_real *arrays[MOI_STATES],
                    int64_t first)
{
    drop(t, t->state);
    for (int32_t k = 0; k < t->rule.states; k++)
        t->state[k] = arrays[k];
    t->state_first = first;
}

static int64_t piece(const mopt_trainer *t, int32_t rank)
{
    return t->team->cuts[rank + 1] - t->team->cuts[rank];
}

static int32_t is_whole(const mopt_trainer *t)
{
    return !t->team || mopt_group_size(t->team->group) == 1;
}

void moi_shard_fold(mopt_trainer *t)
{
    moi_real *arrays[MOI_STATES];
    int32_t rank;

    if (is_whole(t) || t->team->folded)
        return;
    rank = mopt_group_rank(t->team->group);
    if (take(t, piece(t, rank), arrays))
        return;
    for (int32_t k = 0; k < t->rule.states; k++)
        memcpy(arrays[k], t->state[k] + t->team->cuts[rank],
               (size_t)piece(t, rank) * sizeof(moi_real));
    install(t, arrays, t->team->cuts[rank]);
    t->team->folded = 1;
}

int32_t moi_shard_unfold(mopt_trainer *t)
{
    moi_real *arrays[MOI_STATES];
    int32_t rank, rc;

    if (is_whole(t) || !t->team->folded)
        return MOPT_OK;
    rank = mopt_group_rank(t->team->group);
    rc = take(t, t->size, arrays);
    if (rc)
        return rc;
    for (int32_t k = 0; k < t->rule.states; k++)
        memcpy(arrays[k] + t->team->cuts[rank], t->state[k],
               (size_t)piece(t, rank) * sizeof(moi_real));
    install(t, arrays, 0);
    t->team->folded = 0;
    return MOPT_OK;
}

/* ---- to the first rank ---- */

static int32_t receive_all(mopt_trainer *t)
{
    moi_team *team = t->team;
    int32_t rc = MOPT_OK;

    for (int32_t i = 1; i < mopt_group_size(team->group); i++)
        for (int32_t k = 0; !rc && k < t->rule.states; k++)
            rc = mopt_group_receive(team->group, i,
                                    t->state[k] + team->cuts[i],
                                    piece(t, i) * (int64_t)sizeof(moi_real),
                                    NULL);
    return rc;
}

static int32_t send_all(mopt_trainer *t)
{
    int32_t rank = mopt_group_rank(t->team->group), rc = MOPT_OK;

    for (int32_t k = 0; !rc && k < t->rule.states; k++)
        rc = mopt_group_send(t->team->group, 0, t->state[k],
                             piece(t, rank) * (int64_t)sizeof(moi_real), NULL);
    return rc;
}

/* Nobody sends before the first rank has room. */
int32_t moi_shard_collect(mopt_trainer *t)
{
    int32_t first, rc;

    if (is_whole(t))
        return MOPT_OK;
    first = mopt_group_rank(t->team->group) == 0;
    rc = moi_team_settle(t, first ? moi_shard_unfold(t) : MOPT_OK);
    if (rc)
        return rc;
    return first ? receive_all(t) : send_all(t);
}

/* ---- the update ---- */

int32_t moi_shard_share(mopt_trainer *t, int32_t status)
{
    if (is_whole(t))
        return status;
    status = moi_team_settle(t, status);
    return status ? status
                  : moi_group_gather_cuts(
                        t->team->group,
                        (float *)(void *)moi_model_weights(t->model),
                        t->team->cuts, NULL);
}

/* Sums of a rank's own blocks, to all; each rank has as many places. */
int32_t moi_shard_sums(mopt_trainer *t)
{
    moi_team *team = t->team;
    int32_t size, rc;
    int64_t places;

    if (is_whole(t))
        return MOPT_OK;
    size = mopt_group_size(team->group);
    places = t->block_count / size + 1;
    memcpy(team->sums, t->sums + t->block_first,
           (size_t)(t->block_limit - t->block_first) * sizeof *team->sums);
    rc = mopt_group_all_gather(team->group, team->sums,
                               places * (int64_t)sizeof *team->sums,
                               team->sums + places, NULL);
    for (int32_t i = 0; !rc && i < size; i++)
        memcpy(t->sums + first_of(t, size, i), team->sums + places * (i + 1),
               (size_t)(first_of(t, size, i + 1) - first_of(t, size, i)) *
                   sizeof *team->sums);
    return rc;
}
