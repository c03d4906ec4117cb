/* SPDX-License-Identifier: MIT
 * lib/learn/train/bucket.c: stretches of the weights that travel at once.
 *
 * A bucket is a run of blocks (update.c), some for each rank: it sums their
 * gradients over the ranks, changes them and hands them to the others. Buckets
 * go in the order in which a backward pass is done with them: the last tensor
 * first, a large one from its beginning. */
#include <string.h>

#include "base/memory.h"
#include "learn/train/trainer.h"

static int64_t place_of(const mopt_trainer *t, int64_t block)
{
    const moi_slice *slice = &t->blocks[block];

    if (block == t->block_count)
        return t->size;
    return moi_model_param(t->model, slice->tensor)->offset + slice->first;
}

/* The weights of a bucket that begins at a block: as many as pay for a message.
 * Of the first tensor, which a backward pass comes to last, the last one has
 * half of that: nothing is left to hide it behind. */
static int64_t wanted_at(const mopt_trainer *t, int64_t first, int64_t usual)
{
    int64_t tensor = t->blocks[first].tensor, end;
    const moi_param *param = moi_model_param(t->model, tensor);

    if (tensor != t->blocks[0].tensor)
        return usual;
    end = param->offset + param->count;
    return end - place_of(t, first) < 2 * usual &&
                   end - place_of(t, first) > usual / 2
               ? usual / 2 : usual;
}

/* Where the bucket ends that begins at a block: a large tensor has buckets of
 * its own, small ones are together. */
static int64_t end_of(const mopt_trainer *t, int64_t first, int64_t usual)
{
    int64_t wanted = wanted_at(t, first, usual), end = first + 1;

    while (end < t->block_count &&
           place_of(t, end) - place_of(t, first) < wanted) {
        const moi_slice *next = &t->blocks[end];

        if (next->first == 0 &&
            moi_model_param(t->model, next->tensor)->count >= usual)
            break;
        end++;
    }
    return end;
}

/* Each rank's blocks of first .. limit-1: as many weights for each as can be
 * had. */
static void cut(const mopt_trainer *t, int64_t first, int64_t limit,
                int32_t size, int64_t *blocks, int64_t *cuts)
{
    int64_t at = first, start = place_of(t, first);
    int64_t weights = place_of(t, limit) - start;

    for (int32_t i = 0; i <= size; i++) {
        int64_t wanted = start + weights / size * i + weights % size * i / size;

        while (at < limit &&
               place_of(t, at) + place_of(t, at + 1) < 2 * wanted)
            at++;
        blocks[i] = i == size ? limit : at;
        cuts[i] = place_of(t, blocks[i]);
    }
}

/* Fill buckets in, or with NULL only count them. */
static int64_t list(const mopt_trainer *t, moi_team *team, int64_t *marks)
{
    int32_t size = team->owners;
    int64_t wanted = moi_bucket_weights(size), count = 0;

    for (int64_t at = 0, end; at < t->block_count; at = end, count++) {
        end = end_of(t, at, wanted);
        if (!marks)
            continue;
        team->buckets[count] = (moi_bucket){
            .blocks = marks, .cuts = marks + size + 1};
        cut(t, at, end, size, marks, marks + size + 1);
        for (int64_t i = at; i < end; i++)
            team->buckets[count].size += t->blocks[i].count;
        marks += 2 * (size + 1);
    }
    return count;
}

/* Turn the list round, but for those that begin in the same tensor. */
static void arrange(const mopt_trainer *t, const moi_bucket *from,
                    moi_team *team)
{
    int64_t to = 0;

    for (int64_t end = team->bucket_count, first; end > 0; end = first) {
        for (first = end - 1; first > 0; first--)
            if (t->blocks[from[first - 1].blocks[0]].tensor !=
                t->blocks[from[end - 1].blocks[0]].tensor)
                break;
        for (int64_t i = first; i < end; i++) {
            team->rising[i] = to;
            team->buckets[to++] = from[i];
        }
    }
}

/* Where this rank's pieces lie in its state; and the largest of them, and of
 * buckets. */
static void place_state(moi_team *team)
{
    int32_t rank = team->owner;

    team->mine = team->widest = team->whole = 0;
    for (int64_t i = 0; i < team->bucket_count; i++) {
        moi_bucket *b = &team->buckets[i];
        int64_t width = b->cuts[rank + 1] - b->cuts[rank];
        int64_t whole = b->cuts[team->owners] - b->cuts[0];

        b->state = team->mine;
        team->mine += width;
        if (width > team->widest)
            team->widest = width;
        if (whole > team->whole)
            team->whole = whole;
    }
}

int32_t moi_buckets_make(const mopt_trainer *t, moi_team *team)
{
    int64_t count = list(t, team, NULL);
    int64_t marks = 2 * ((int64_t)team->owners + 1);
    moi_bucket *lined = moi_calloc(t->ctx, count, sizeof *lined);

    team->buckets = moi_calloc(t->ctx, count, sizeof *team->buckets);
    team->marks = moi_calloc(t->ctx, count * marks, sizeof *team->marks);
    team->rising = moi_calloc(t->ctx, count, sizeof *team->rising);
    if (!lined || !team->buckets || !team->marks || !team->rising) {
        moi_free(t->ctx, lined);
        return MOPT_ENOMEM;
    }
    team->bucket_count = list(t, team, team->marks);
    for (int64_t i = 0; i < count; i++)
        lined[i] = team->buckets[i];
    arrange(t, lined, team);
    moi_free(t->ctx, lined);
    place_state(team);
    return MOPT_OK;
}

/* ---- a step ---- */

void moi_buckets_begin(moi_team *team)
{
    for (int64_t i = 0; i < team->bucket_count; i++)
        atomic_store(&team->buckets[i].there, 0);
    if (team->courier)
        moi_courier_begin(team->courier);
}

/* The bucket, as they lie in memory, that has a place. */
static int64_t find(const moi_team *team, int64_t at)
{
    int64_t low = 0, high = team->bucket_count;

    while (high - low > 1) {
        int64_t middle = (low + high) / 2;

        if (team->buckets[team->rising[middle]].cuts[0] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Buckets go in order: those that are whole before the first that is not. */
static void release(moi_team *team)
{
    int64_t count = 0;

    while (count < team->bucket_count &&
           atomic_load(&team->buckets[count].there) ==
               team->buckets[count].size)
        count++;
    moi_courier_release(team->courier, count);
}

void moi_buckets_note(moi_team *team, int64_t first, int64_t count)
{
    int32_t size = team->owners, whole = 0;
    int64_t limit = first + count;

    if (!team->courier)
        return;
    for (int64_t i = find(team, first); first < limit; i++) {
        moi_bucket *b = &team->buckets[team->rising[i]];
        int64_t end = b->cuts[size] < limit ? b->cuts[size] : limit;

        if (atomic_fetch_add(&b->there, end - first) + end - first == b->size)
            whole = 1;
        first = end;
    }
    if (whole)
        release(team);
}

/* This rank's piece of a bucket, for the others. */
static void put(const moi_team *team, const moi_bucket *b, moi_real *data)
{
    if (team->owners > 1)
        moi_reduction_put(team->reduction, b->cuts, (float *)(void *)data);
}

/* Theirs of buckets first .. first + count - 1, once all have put them. */
static int32_t take(const moi_team *team, int64_t first, int64_t count,
                    moi_real *data)
{
    int32_t rc;

    if (team->owners == 1)
        return MOPT_OK;
    rc = moi_reduction_meet(team->reduction);
    for (int64_t i = first; !rc && i < first + count; i++)
        rc = moi_reduction_take(team->reduction, team->buckets[i].cuts,
                                (float *)(void *)data, NULL);
    return rc;
}

int32_t moi_buckets_gather(const moi_team *team)
{
    moi_real *data = moi_team_gradient(team);
    int32_t rc;

    for (int64_t i = 0; i < team->bucket_count; i++)
        put(team, &team->buckets[i], data);
    rc = take(team, 0, team->bucket_count, data);
    return rc ? rc : moi_reduction_meet(team->reduction);
}

/* ---- weights that were changed ---- */

void moi_bucket_mark(const mopt_trainer *t, const moi_bucket *b)
{
    const moi_team *team = t->team;
    int64_t first = b->cuts[team->owner];

    if (team->before)
        memcpy(team->before + b->state, moi_model_weights(t->model) + first,
               (size_t)(b->cuts[team->owner + 1] - first) *
                   sizeof *team->before);
}

/* Halves of what weights have moved by: also here they move by these alone. */
static int32_t hand_halves(mopt_trainer *t, const moi_bucket *b)
{
    const int64_t size = (int64_t)sizeof(uint16_t);
    moi_team *team = t->team;
    int32_t rank = team->owner, rc = MOPT_OK;
    int64_t first = b->cuts[rank], count = b->cuts[rank + 1] - first;
    moi_real *w = moi_model_weights(t->model);
    moi_real *left = t->state[t->rule.states] +
                     (team->folded ? b->state : first);

    moi_squeeze_move(count, w + first, team->before + b->state, left,
                     team->moved[0]);
    for (int32_t k = 1; !rc && k < team->owners; k++) {
        int32_t to = (rank + k) % team->owners;
        int32_t from = (rank - k + team->owners) % team->owners;
        int64_t theirs = b->cuts[from], coming = b->cuts[from + 1] - theirs;

        rc = moi_group_exchange(team->lane, to, team->moved[0], count * size,
                                from, team->moved[1], coming * size, NULL);
        if (!rc)
            moi_squeeze_follow(coming, team->moved[1], w + theirs);
    }
    return rc;
}

void moi_bucket_put(const mopt_trainer *t, const moi_bucket *b)
{
    if (!t->team->before)
        put(t->team, b, moi_model_weights(t->model));
}

int32_t moi_buckets_hand(mopt_trainer *t, int64_t first, int64_t count)
{
    int32_t rc = MOPT_OK;

    if (!t->team->before)
        return take(t->team, first, count, moi_model_weights(t->model));
    for (int64_t i = first; !rc && i < first + count; i++)
        rc = hand_halves(t, &t->team->buckets[i]);
    return rc;
}

/* Change this rank's piece, which is in the cache when others get it. An update
 * that fails is told when all have come by: they wait for this rank's
 * weights. */
static void change(mopt_trainer *t, const moi_bucket *b)
{
    moi_team *team = t->team;
    int32_t rank = team->owner, status;

    moi_bucket_mark(t, b);
    status = moi_update_blocks(t, b->blocks[rank], b->blocks[rank + 1],
                               team->rate, 1);
    if (status)
        moi_team_fail(team, status);
    moi_bucket_put(t, b);
}

/* Ranks of one host wait for each other twice, however many buckets there
 * are. */
int32_t moi_buckets_carry(mopt_trainer *t, int64_t first, int64_t count)
{
    moi_team *team = t->team;
    int32_t rc = moi_reduction_meet(team->reduction);

    for (int64_t i = first; !rc && i < first + count; i++) {
        rc = moi_reduction_scatter(team->reduction, team->buckets[i].cuts,
                                   NULL);
        if (!rc && team->eager)
            change(t, &team->buckets[i]);
    }
    return rc || !team->eager ? rc : moi_buckets_hand(t, first, count);
}
