/* SPDX-License-Identifier: MIT
 * lib/learn/train/update.c: weights changed by their gradients.
 *
 * A rule changes each weight by itself, so that any slice of a tensor may be
 * changed right behind its gradient. What takes a pass over all gradients runs
 * over blocks that the model alone determines, on as many threads as there
 * are: sums over blocks are added up in order. Nothing here allocates
 * memory. */
#include <math.h>

#include "base/threads.h"
#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

moi_real *moi_step_gradient(const mopt_trainer *t)
{
    if (t->team && moi_team_gradient(t->team))
        return moi_team_gradient(t->team);
    return t->total ? t->total : t->worker.grads;
}

int32_t moi_step_fail(const mopt_trainer *t, const char *name)
{
    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): the gradient "
                    "of '%s' is not finite; try a smaller learning rate",
                    (long long)t->now.step + 1, (long long)t->now.epoch + 1,
                    name);
}

/* ---- slices of a tensor ---- */

int32_t moi_update_sleeps(const mopt_trainer *t, int64_t tensor)
{
    return t->frozen[tensor] || t->now.epoch < t->tuning[tensor].thaw;
}

int32_t moi_update_slice(mopt_trainer *t, const moi_slice *slice, double rate,
                         moi_real *grads)
{
    const moi_param *p = moi_model_param(t->model, slice->tensor);
    const moi_tuning *tuning = &t->tuning[slice->tensor];
    int64_t at = p->offset + slice->first, count = slice->count;
    moi_real *w = moi_model_weights(t->model) + at, *g = grads + at;
    moi_real *state[MOI_STATES];

    if (moi_update_sleeps(t, slice->tensor))
        return MOPT_OK;
    for (int32_t k = 0; k < t->rule.states; k++)
        state[k] = t->state[k] + at - slice->shift;
    atomic_store(&t->touched, 1);
    if (t->anchors && !t->origin) /* a line search has done so */
        moi_anchor_pull(t, slice, g);
    /* Up to the next tensor there are zeros: no remainders to walk through. */
    if (slice->first + count == p->count)
        count += -(p->offset + p->count) & 15;
    if (t->set.clip_value > 0)
        moi_grads_clamp(count, g, t->set.clip_value);
    if (!moi_optimizer_update(&t->rule, rate * tuning->rate, tuning->decay,
                              count, w, g, state))
        return MOPT_OK;
    return moi_step_fail(t, p->name);
}

/* ---- passes over all of them ---- */

/* A pass over blocks. */
typedef struct pass {
    mopt_trainer *t;
    int64_t first; /* the block of piece 0 */
    moi_real *grads;
    double rate, scale; /* of an update */
    double limit;       /* clamp to it before measuring, 0: as they are */
} pass;

static int32_t run(pass *all, int64_t first, int64_t limit,
                   moi_piece_fn piece)
{
    const mopt_trainer *t = all->t;

    all->first = first;
    return moi_share(t->ctx, moi_step_lanes(t), limit - first, piece, all);
}

/* Over the blocks that this rank changes. */
static int32_t run_own(pass *all, moi_piece_fn piece)
{
    const mopt_trainer *t = all->t;
    int32_t rank, rc = MOPT_OK;

    if (!t->team)
        return run(all, 0, t->block_count, piece);
    rank = t->team->owner;
    for (int64_t i = 0; !rc && i < t->team->bucket_count; i++) {
        const int64_t *blocks = t->team->buckets[i].blocks;

        rc = run(all, blocks[rank], blocks[rank + 1], piece);
    }
    return rc;
}

static int32_t update_block(void *user, int32_t lane, int64_t piece)
{
    const pass *all = user;
    mopt_trainer *t = all->t;
    const moi_slice *slice = &t->blocks[all->first + piece];
    const moi_param *p = moi_model_param(t->model, slice->tensor);

    (void)lane;
    if (all->scale != 1)
        moi_grads_scale(slice->count, all->grads + p->offset + slice->first,
                        all->scale);
    return moi_update_slice(t, slice, all->rate, all->grads);
}

/* Keep the weights that lead to each unit within max_norm (Srivastava et al.
 * 2014, "Dropout", section 5.1). */
static int32_t cap(void *user, int32_t lane, int64_t tensor)
{
    const mopt_trainer *t = user;
    const moi_param *p = moi_model_param(t->model, tensor);
    int64_t units = p->shape[0];

    if (p->rank >= 2 && !(p->flags & MOI_PARAM_NO_DECAY) &&
        !moi_update_sleeps(t, tensor))
        moi_weights_cap(units, p->count / units,
                        p->flags & MOI_PARAM_TRANSPOSED,
                        moi_model_weights(t->model) + p->offset,
                        t->set.max_norm, t->norms + lane * t->norms_size);
    return MOPT_OK;
}

void moi_update_cap(mopt_trainer *t)
{
    if (t->norms)
        moi_share(t->ctx, moi_step_lanes(t), moi_model_param_count(t->model),
                  cap, t);
}

int32_t moi_update_blocks(mopt_trainer *t, int64_t first, int64_t limit,
                          double rate, double scale)
{
    pass all = {t, 0, moi_step_gradient(t), rate, scale, 0};

    return run(&all, first, limit, update_block);
}

int32_t moi_step_update(mopt_trainer *t, double rate, double scale)
{
    pass all = {t, 0, moi_step_gradient(t), rate, scale, 0};
    int32_t rc;

    for (int64_t i = 0; t->team && i < t->team->bucket_count; i++)
        moi_bucket_mark(t, &t->team->buckets[i]);
    rc = moi_shard_share(t, run_own(&all, update_block));
    if (!rc)
        moi_update_cap(t);
    return rc;
}

/* Into sums: squares of a block of gradients, clamped where that is wanted. */
static int32_t measure_block(void *user, int32_t lane, int64_t piece)
{
    const pass *all = user;
    const mopt_trainer *t = all->t;
    const moi_slice *slice = &t->blocks[all->first + piece];
    moi_real *g = all->grads + slice->first +
                  moi_model_param(t->model, slice->tensor)->offset;

    (void)lane;
    if (all->limit > 0)
        moi_grads_clamp(slice->count, g, all->limit);
    t->sums[all->first + piece] =
        t->frozen[slice->tensor] ? 0 : moi_grads_dot(slice->count, g, g);
    return MOPT_OK;
}

/* Into sums: those of this rank's blocks. */
static void measure(const mopt_trainer *t, double limit)
{
    pass all = {(mopt_trainer *)t, 0, moi_step_gradient(t), 0, 1, limit};

    run_own(&all, measure_block);
}

double moi_update_sums(const mopt_trainer *t)
{
    double sum = 0;

    for (int64_t i = 0; i < t->block_count; i++)
        sum += t->sums[i];
    return sum;
}

/* Known from clipping, else worked out when it is asked for, where all
 * gradients are at hand. */
double moi_step_gradient_norm(const mopt_trainer *t)
{
    if (!isnan(t->norm) || t->mesh || (t->team && t->team->owners > 1))
        return t->norm;
    measure(t, 0);
    return sqrt(moi_update_sums(t) + moi_annex_norm2(t));
}

static int32_t fail_norm(const mopt_trainer *t)
{
    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): the norm of "
                    "the gradients is not finite; try a smaller learning rate",
                    (long long)t->now.step + 1, (long long)t->now.epoch + 1);
}

int32_t moi_update_clip(mopt_trainer *t, double *scale)
{
    double sum;
    int32_t rc;

    *scale = 1;
    if (t->set.clip_norm <= 0)
        return MOPT_OK;
    measure(t, t->set.clip_value);
    rc = moi_shard_sums(t, &sum);
    if (rc)
        return rc;
    t->norm = sqrt(sum + moi_annex_norm2(t));
    if (!isfinite(t->norm))
        return fail_norm(t);
    *scale = moi_clip_factor(t->norm, t->set.clip_norm);
    return MOPT_OK;
}
