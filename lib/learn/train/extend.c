/* SPDX-License-Identifier: MIT
 * lib/learn/train/extend.c: what is hung onto a trainer: taps, tensors that
 * thaw or are anchored, and parameters beside the model's own. */
#include "learn/train/extend.h"

#include <string.h>

#include "backend/kernels.h"
#include "base/memory.h"
#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

static int32_t need_time(const mopt_trainer *t)
{
    return t->flags & MOI_TRAINER_BEGUN
               ? moi_fail(MOPT_ESTATE, "training has begun") : MOPT_OK;
}

int32_t moi_trainer_add_tap(mopt_trainer *t, int64_t layer, int64_t *tap)
{
    int32_t rc = need_time(t);

    if (rc)
        return rc;
    for (int64_t i = 0; i < t->tap_count; i++)
        if (t->tap_layers[i] == layer) {
            *tap = i;
            return MOPT_OK;
        }
    if (t->tap_count == MOI_TAPS)
        return moi_fail(MOPT_ERANGE, "a trainer has %d taps at most",
                        MOI_TAPS);
    rc = moi_plan_tap(t->worker.plan, layer, &t->worker.tap[t->tap_count],
                      &t->worker.tap_grad[t->tap_count]);
    if (rc)
        return rc;
    *tap = t->tap_count;
    t->tap_layers[t->tap_count++] = layer;
    return MOPT_OK;
}

int32_t moi_trainer_loss_from(mopt_trainer *t, int64_t epoch)
{
    int32_t rc = need_time(t);

    if (!rc)
        t->loss_from = epoch;
    return rc;
}

/* ---- tensors of the model ---- */

int32_t moi_trainer_thaw(mopt_trainer *t, int64_t tensor, int64_t epoch)
{
    int32_t rc = need_time(t);

    if (!rc)
        t->tuning[tensor].thaw = epoch;
    return rc;
}

int32_t moi_trainer_anchor(mopt_trainer *t, int64_t tensor, double strength,
                           const moi_real *origin)
{
    int32_t rc = need_time(t);

    if (rc)
        return rc;
    t->tuning[tensor].anchor = strength;
    t->anchors = origin;
    return MOPT_OK;
}

MOI_CLONES
static void pull_back(int64_t count, const moi_real *restrict w,
                      const moi_real *restrict origin, double strength,
                      moi_real *restrict g)
{
    moi_real s = (moi_real)strength;

    for (int64_t i = 0; i < count; i++)
        g[i] += s * (w[i] - origin[i]);
}

void moi_anchor_pull(const mopt_trainer *t, const moi_slice *slice,
                     moi_real *grads)
{
    double strength = t->tuning[slice->tensor].anchor;
    int64_t at =
        moi_model_param(t->model, slice->tensor)->offset + slice->first;

    if (strength > 0)
        pull_back(slice->count, moi_model_weights(t->model) + at,
                  t->anchors + at, strength, grads);
}

/* ---- the annex ---- */

int32_t moi_trainer_set_annex(mopt_trainer *t, const moi_annex *annex)
{
    int32_t rc = need_time(t);

    if (rc)
        return rc;
    if (t->rule.search)
        return moi_fail(MOPT_EINVAL, "optimizer.line_search does not go with "
                        "parameters beside the model's");
    if (t->local)
        return moi_fail(MOPT_EINVAL, "local_steps does not go with parameters "
                        "beside the model's");
    t->annex_kept = moi_calloc(t->ctx, annex->size, sizeof *t->annex_kept);
    if (!t->annex_kept)
        return MOPT_ENOMEM;
    for (int32_t i = 0; i < t->rule.states; i++) {
        t->annex_state[i] =
            moi_calloc(t->ctx, annex->size, sizeof *t->annex_kept);
        if (!t->annex_state[i])
            return MOPT_ENOMEM;
    }
    t->annex = annex;
    if (annex->pull)
        t->fused = 0;
    return MOPT_OK;
}

static size_t annex_bytes(const mopt_trainer *t)
{
    return t->annex ? (size_t)t->annex->size * sizeof(moi_real) : 0;
}

void moi_annex_keep(mopt_trainer *t)
{
    if (t->annex)
        memcpy(t->annex_kept, t->annex->weights, annex_bytes(t));
}

void moi_annex_restore(mopt_trainer *t)
{
    if (t->annex)
        memcpy(t->annex->weights, t->annex_kept, annex_bytes(t));
}

void moi_annex_exchange(mopt_trainer *t)
{
    if (t->annex)
        moi_reals_swap(t->annex->size, t->annex->weights, t->annex_kept);
}

void moi_annex_clear_grads(mopt_trainer *t)
{
    if (t->annex)
        memset(t->annex->grads, 0, annex_bytes(t));
}

int32_t moi_annex_pull(mopt_trainer *t)
{
    return t->annex && t->annex->pull
               ? t->annex->pull(t->annex->user, moi_step_gradient(t))
               : MOPT_OK;
}

double moi_annex_norm2(const mopt_trainer *t)
{
    return t->annex ? moi_grads_dot(t->annex->size, t->annex->grads,
                                    t->annex->grads)
                    : 0;
}

static int32_t update_param(mopt_trainer *t, const moi_param *p, double rate)
{
    const moi_annex *annex = t->annex;
    moi_real *state[MOI_STATES], *g = annex->grads + p->offset;
    double decay = p->flags & MOI_PARAM_NO_DECAY ? 0 : t->rule.decay;
    int64_t count = (p->count + 15) & ~(int64_t)15;

    for (int32_t k = 0; k < t->rule.states; k++)
        state[k] = t->annex_state[k] + p->offset;
    if (t->set.clip_value > 0)
        moi_grads_clamp(count, g, t->set.clip_value);
    if (!moi_optimizer_update(&t->rule, rate, decay, count,
                              annex->weights + p->offset, g, state))
        return MOPT_OK;
    return moi_step_fail(t, p->name);
}

int32_t moi_annex_update(mopt_trainer *t, double rate, double scale)
{
    const moi_annex *annex = t->annex;
    int32_t rc = MOPT_OK;

    if (!annex)
        return MOPT_OK;
    t->touched = 1;
    if (scale != 1)
        moi_grads_scale(annex->size, annex->grads, scale);
    for (int64_t i = 0; !rc && i < annex->count; i++)
        rc = update_param(t, &annex->params[i], rate);
    return rc || !annex->settle ? rc : annex->settle(annex->user);
}
