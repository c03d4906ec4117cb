/* SPDX-License-Identifier: MIT
 * lib/learn/train/shard.c: the state of the rule, a piece a rank.
 *
 * Each rank changes its own piece of the weights and hands it to the others,
 * so that it needs the state of that piece alone (Rajbhandari et al. 2020,
 * "ZeRO", stage 1): the update takes a rank's share of the time, too. A rank
 * has some blocks of each bucket, one after the other in its arrays. Files hold
 * the state as a whole. */
#include <string.h>

#include "base/memory.h"
#include "group/pairs.h"
#include "learn/train/trainer.h"

/* ---- whole and in pieces ---- */

static void drop(mopt_trainer *t, moi_real *arrays[MOI_STATES + 1])
{
    for (int32_t k = 0; k < t->states; k++)
        moi_free(t->ctx, arrays[k]);
}

static int32_t take(mopt_trainer *t, int64_t count,
                    moi_real *arrays[MOI_STATES + 1])
{
    for (int32_t k = 0; k < t->states; k++)
        arrays[k] = NULL;
    for (int32_t k = 0; k < t->states; k++) {
        arrays[k] = moi_calloc(t->ctx, count, sizeof(moi_real));
        if (!arrays[k]) {
            drop(t, arrays);
            return MOPT_ENOMEM;
        }
    }
    return MOPT_OK;
}

/* Put arrays in place of those that are there. */
static void install(mopt_trainer *t, moi_real *arrays[MOI_STATES + 1],
                    int32_t folded)
{
    drop(t, t->state);
    for (int32_t k = 0; k < t->states; k++)
        t->state[k] = arrays[k];
    t->team->folded = folded;
    moi_shard_place(t);
}

static int32_t is_whole(const mopt_trainer *t)
{
    return !t->team || t->local || t->team->owners == 1;
}

/* A rank's piece of a bucket: its first weight, and how many. */
static int64_t piece(const moi_bucket *b, int32_t rank, int64_t *first)
{
    *first = b->cuts[rank];
    return b->cuts[rank + 1] - *first;
}

void moi_shard_place(mopt_trainer *t)
{
    const moi_team *team = t->team;
    int32_t rank;

    for (int64_t j = 0; j < t->block_count; j++)
        t->blocks[j].shift = 0;
    if (!team || !team->folded)
        return;
    rank = team->owner;
    for (int64_t i = 0; i < team->bucket_count; i++) {
        const moi_bucket *b = &team->buckets[i];

        for (int64_t j = b->blocks[rank]; j < b->blocks[rank + 1]; j++)
            t->blocks[j].shift = b->cuts[rank] - b->state;
    }
}

/* Copy this rank's pieces of an array between a whole one and its own. */
static void copy_pieces(const moi_team *team, moi_real *whole, moi_real *own,
                        int32_t fold)
{
    for (int64_t i = 0; i < team->bucket_count; i++) {
        const moi_bucket *b = &team->buckets[i];
        int64_t first, count;

        count = piece(b, team->owner, &first);
        if (fold)
            memcpy(own + b->state, whole + first,
                   (size_t)count * sizeof *own);
        else
            memcpy(whole + first, own + b->state,
                   (size_t)count * sizeof *own);
    }
}

void moi_shard_fold(mopt_trainer *t)
{
    moi_real *arrays[MOI_STATES + 1];

    if (t->local)
        moi_local_release(t);
    else if (t->team && t->team->squeeze)
        moi_shard_forget(t, moi_squeeze_errors(t->team->squeeze),
                         t->team->most, 1);
    if (is_whole(t) || t->team->folded)
        return;
    if (take(t, t->team->mine, arrays))
        return;
    for (int32_t k = 0; k < t->states; k++)
        copy_pieces(t->team, t->state[k], arrays[k], 1);
    install(t, arrays, 1);
}

int32_t moi_shard_unfold(mopt_trainer *t)
{
    moi_real *arrays[MOI_STATES + 1];
    int32_t rc;

    if (is_whole(t) || !t->team->folded)
        return MOPT_OK;
    rc = take(t, t->size, arrays);
    if (rc)
        return rc;
    for (int32_t k = 0; k < t->states; k++)
        copy_pieces(t->team, arrays[k], t->state[k], 0);
    install(t, arrays, 0);
    return MOPT_OK;
}

/* ---- to the first rank ---- */

static int32_t receive_all(mopt_trainer *t, const moi_bucket *b)
{
    moi_team *team = t->team;
    int64_t first, count;
    int32_t rc = MOPT_OK;

    for (int32_t i = 1; i < mopt_group_size(team->group); i++) {
        count = piece(b, i, &first);
        for (int32_t k = 0; !rc && k < t->states; k++)
            rc = mopt_group_receive(team->group, i, t->state[k] + first,
                                    count * (int64_t)sizeof(moi_real), NULL);
    }
    return rc;
}

static int32_t send_all(mopt_trainer *t, const moi_bucket *b)
{
    int32_t rank = mopt_group_rank(t->team->group), rc = MOPT_OK;
    int64_t first, count = piece(b, rank, &first);

    if (t->team->folded)
        first = b->state;
    for (int32_t k = 0; !rc && k < t->states; k++)
        rc = mopt_group_send(t->team->group, 0, t->state[k] + first,
                             count * (int64_t)sizeof(moi_real), NULL);
    return rc;
}

/* ---- arrays that ranks have in turn ---- */

static int32_t take_missing(mopt_trainer *t, moi_real **arrays, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!arrays[i]) {
            arrays[i] = moi_calloc(t->ctx, t->size, sizeof **arrays);
            if (!arrays[i])
                return MOPT_ENOMEM;
        }
    return MOPT_OK;
}

/* A rank's arrays go to the first. */
static int32_t pass(mopt_trainer *t, moi_real **arrays, int64_t count,
                    int32_t rank)
{
    mopt_group *group = t->team->group;
    int64_t bytes = t->size * (int64_t)sizeof(moi_real);
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < count; i++)
        rc = mopt_group_rank(group) == 0
                 ? mopt_group_receive(group, rank, arrays[i], bytes, NULL)
                 : mopt_group_send(group, 0, arrays[i], bytes, NULL);
    return rc;
}

int32_t moi_shard_fetch(mopt_trainer *t, moi_real **arrays, int64_t items,
                        int64_t each)
{
    int32_t size = mopt_group_size(t->team->group);
    int32_t rank = mopt_group_rank(t->team->group), rc;

    if (size == 1)
        return MOPT_OK;
    rc = moi_team_settle(
        t, rank == 0 ? take_missing(t, arrays, items * each) : MOPT_OK);
    for (int32_t i = 1; !rc && i < size; i++) {
        int64_t first = moi_pairs_deal(items, size, i);
        int64_t count = moi_pairs_deal(items, size, i + 1) - first;

        if (rank == 0 || rank == i)
            rc = pass(t, arrays + first * each, count * each, i);
    }
    return rc;
}

void moi_shard_forget(const mopt_trainer *t, moi_real **arrays, int64_t items,
                      int64_t each)
{
    int64_t own = moi_pairs_deal(items, mopt_group_size(t->team->group), 1);

    if (mopt_group_rank(t->team->group) > 0)
        return;
    for (int64_t i = own * each; i < items * each; i++) {
        moi_free(t->ctx, arrays[i]);
        arrays[i] = NULL;
    }
}

/* Nobody sends before the first rank has room. */
int32_t moi_shard_collect(mopt_trainer *t)
{
    int32_t first, rc;

    if (t->local)
        return moi_local_collect(t);
    if (t->team && t->team->squeeze) {
        rc = moi_shard_fetch(t, moi_squeeze_errors(t->team->squeeze),
                             t->team->most, 1);
        if (rc)
            return rc;
    }
    if (is_whole(t))
        return MOPT_OK;
    first = mopt_group_rank(t->team->group) == 0;
    rc = moi_team_settle(t, first ? moi_shard_unfold(t) : MOPT_OK);
    for (int64_t i = 0; !rc && i < t->team->bucket_count; i++)
        rc = first ? receive_all(t, &t->team->buckets[i])
                   : send_all(t, &t->team->buckets[i]);
    return rc;
}

/* ---- the update ---- */

int32_t moi_shard_share(mopt_trainer *t, int32_t status)
{
    int32_t rc;

    if (!t->team || t->local)
        return status;
    for (int64_t i = 0; i < t->team->bucket_count; i++)
        moi_bucket_put(t, &t->team->buckets[i]);
    rc = moi_buckets_hand(t, 0, t->team->bucket_count);
    return rc ? rc : moi_team_settle(t, status);
}

/* A rank's sums in the order of its blocks, into a list or out of it; how
 * many. */
static int64_t copy_sums(const mopt_trainer *t, int32_t rank, double *list,
                         int32_t out)
{
    const moi_team *team = t->team;
    int64_t count = 0;

    for (int64_t i = 0; i < team->bucket_count; i++) {
        const int64_t *blocks = team->buckets[i].blocks;

        for (int64_t j = blocks[rank]; j < blocks[rank + 1]; j++, count++)
            if (out)
                t->sums[j] = list[count];
            else
                list[count] = t->sums[j];
    }
    return count;
}

/* Those of each rank with the same weights, to all of them. */
static int32_t share_sums(mopt_trainer *t)
{
    moi_team *team = t->team;
    int64_t places;
    int32_t rc;

    if (is_whole(t))
        return MOPT_OK;
    places = team->places;
    copy_sums(t, mopt_group_rank(team->group), team->sums, 0);
    rc = mopt_group_all_gather(team->group, team->sums,
                               places * (int64_t)sizeof *team->sums,
                               team->sums + places, NULL);
    for (int32_t i = 0; !rc && i < mopt_group_size(team->group); i++)
        copy_sums(t, i, team->sums + places * (i + 1), 1);
    return rc;
}

/* Then from all pieces to all; a tensor that several ranks have counts once. */
static int32_t add_pieces(mopt_trainer *t, double *sum)
{
    double *own = t->mesh_sums, *all = own + t->mesh_blocks;
    int64_t count = t->mesh_blocks * mopt_group_size(t->mesh->copy);
    int32_t rc;

    for (int64_t i = 0; i < t->block_count; i++)
        own[i] = moi_meshed_repeats(t, t->blocks[i].tensor) ? 0 : t->sums[i];
    rc = mopt_group_all_gather(t->mesh->copy, own,
                               t->mesh_blocks * (int64_t)sizeof *own, all,
                               NULL);
    *sum = 0;
    for (int64_t i = 0; i < count; i++)
        *sum += all[i];
    return rc;
}

int32_t moi_shard_sums(mopt_trainer *t, double *sum)
{
    int32_t rc = share_sums(t);

    if (!rc && t->mesh)
        return add_pieces(t, sum);
    *sum = moi_update_sums(t);
    return rc;
}
