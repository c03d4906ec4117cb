/* SPDX-License-Identifier: MIT
 * lib/learn/train/fit.c: the loop: steps and epochs until a limit, a callback
 * or an error ends it, and what the model is left with. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/status.h"
#include "learn/optim/clip.h"
#include "learn/train/near.h"
#include "learn/train/trainer.h"

double moi_trainer_seconds(const mopt_trainer *t)
{
    if (!(t->flags & MOI_TRAINER_RUNNING))
        return t->now.seconds;
    return t->now.seconds + moi_clock_seconds() - t->started;
}

/* ---- what the model holds between calls ---- */

static void exchange(mopt_trainer *t)
{
    moi_reals_swap(t->size, moi_model_weights(t->model), t->kept);
    moi_annex_exchange(t);
    t->flags ^= MOI_TRAINER_SETTLED;
}

/* Was the part of an epoch that a limit left over better than the best? */
static int32_t closing_is_best(const mopt_trainer *t)
{
    double best = moi_epoch_row(t, t->now.best)[t->monitor];

    return (t->flags & MOI_TRAINER_CLOSED) &&
           (t->closing[t->monitor] - best) * t->direction > 0;
}

static void settle(mopt_trainer *t)
{
    if (t->set.restore_best && t->now.best && !t->broken &&
        !closing_is_best(t))
        exchange(t);
}

int32_t moi_trainer_break(mopt_trainer *t, int32_t code)
{
    memcpy(moi_model_weights(t->model), t->kept,
           (size_t)t->size * sizeof *t->kept);
    moi_annex_restore(t);
    t->broken = code;
    return code;
}

/* ---- calls ---- */

void moi_trainer_begin(mopt_trainer *t)
{
    if (t->flags & MOI_TRAINER_BEGUN)
        return;
    memcpy(t->kept, moi_model_weights(t->model),
           (size_t)t->size * sizeof *t->kept);
    moi_annex_keep(t);
    for (int64_t i = 0; i < moi_model_param_count(t->model); i++)
        t->spared[i] = t->frozen[i] && !(t->annex && t->annex->wanted &&
                                         t->annex->wanted[i]);
    if (t->pipeline)
        moi_pipeline_freeze(t->pipeline, t->spared);
    else
        moi_plan_freeze(t->worker.plan, t->spared);
    if (t->team && t->team->near)
        moi_plan_freeze(moi_near_plan(t->team->near), t->spared);
    t->flags |= MOI_TRAINER_BEGUN;
}

static int32_t enter(mopt_trainer *t, mopt_cancel *cancel)
{
    if (t->flags & MOI_TRAINER_RUNNING)
        return moi_fail(MOPT_ESTATE, "the trainer is at work: a callback may "
                                     "not step, fit or resume it");
    if (t->broken)
        return moi_fail(t->broken,
                        "this training ended at step %lld with %s; resume "
                        "from a checkpoint or create a new trainer",
                        (long long)t->now.step,
                        mopt_status_name(t->broken));
    if (t->loss_weight <= 0 && !t->term_count)
        return moi_fail(MOPT_ESTATE, "nothing to learn from: the loss has no "
                                     "weight and no term was added to it");
    moi_trainer_begin(t);
    if (t->flags & MOI_TRAINER_SETTLED)
        exchange(t);
    t->flags |= MOI_TRAINER_RUNNING;
    if (t->team) /* what others know is of an earlier call */
        t->team->known = 0;
    t->started = moi_clock_seconds();
    t->cancel = cancel;
    return MOPT_OK;
}

static void leave(mopt_trainer *t)
{
    t->now.seconds = moi_trainer_seconds(t);
    t->flags &= ~MOI_TRAINER_RUNNING;
    t->cancel = NULL;
}

int32_t moi_trainer_tell(mopt_trainer *t, const moi_listener *listener,
                         const char *which)
{
    int32_t rc = listener->fn ? listener->fn(listener->user, t) : MOPT_OK;

    if (rc != MOPT_OK && rc != MOPT_STOPPED && rc != MOPT_PRUNED)
        rc = moi_fail(MOPT_ECALLBACK,
                      "the %s callback returned %d after step %lld; allowed "
                      "are 0, MOPT_STOPPED and MOPT_PRUNED",
                      which, (int)rc, (long long)t->now.step);
    return listener->fn && t->team ? moi_team_settle(t, rc) : rc;
}

static int32_t at_limit(const mopt_trainer *t)
{
    const moi_progress *now = &t->now;

    return now->ended || now->epoch >= t->set.epochs ||
           (t->set.max_steps > 0 && now->step >= t->set.max_steps) ||
           (t->team ? t->team->late
                    : t->set.max_seconds > 0 &&
                          moi_trainer_seconds(t) >= t->set.max_seconds);
}

static int32_t full(const mopt_trainer *t)
{
    return t->now.row >= t->rows;
}

static int32_t step(mopt_trainer *t, double *loss)
{
    double mean = 0;
    int32_t rc = t->local ? moi_local_step(t, &mean) : moi_step_take(t, &mean);

    if (!rc && loss)
        *loss = mean;
    if (!rc && t->set.checkpoint_seconds > 0)
        rc = moi_checkpoint_due(t, 0);
    return rc ? rc : moi_trainer_tell(t, &t->on_step, "step");
}

/* Cut short by a limit: the running epoch is judged as far as it came. */
static int32_t end(mopt_trainer *t)
{
    int32_t rc = MOPT_OK;

    if (t->set.checkpoint[0] && !(t->flags & MOI_TRAINER_RESCUE) &&
        t->saved_step != t->now.step)
        rc = mopt_trainer_save(t, t->set.checkpoint);
    if (!rc && t->now.row > 0)
        rc = moi_epoch_glance(t);
    return rc;
}

/* Do all ranks end so that they may go on another day? An error of one is
 * known to the others, or will be. */
static int32_t all_cut(mopt_trainer *t, int32_t cut)
{
    if (!t->team || t->team->own)
        return cut;
    return t->team->known && moi_team_vote(t, cut);
}

/* Saving asks ranks how it went; that they know how the call ended stays. */
static void save_cut(mopt_trainer *t)
{
    int32_t rc = mopt_trainer_save(t, t->set.checkpoint);

    if (t->team)
        t->team->known = 1;
    if (rc)
        moi_log(t->ctx, MOPT_LOG_WARN, "train",
                "step %lld, where the training ends early, is in no "
                "checkpoint: %s", (long long)t->now.step, moi_last_text());
}

/* Cut short by a token or a callback: the checkpoint, if there is to be one, is
 * of the last step, as far as a file can hold it. The status stays what it
 * is, and so does its message. */
static void keep_place(mopt_trainer *t, int32_t status)
{
    int32_t cut = status == MOPT_ECANCELED || status == MOPT_STOPPED;
    moi_told told;

    if (!t->set.checkpoint[0] || t->saved_step == t->now.step ||
        (t->local && moi_local_open(t->local)))
        return;
    moi_told_keep(&told);
    if (all_cut(t, cut))
        save_cut(t);
    moi_told_restore(&told);
}

int32_t mopt_trainer_fit(mopt_trainer *trainer, mopt_cancel *cancel)
{
    mopt_trainer *t = trainer;
    int32_t rc;

    if (!t)
        return moi_fail_null("mopt_trainer_fit", "trainer");
    rc = enter(t, cancel);
    if (rc)
        return rc;
    while (!rc) {
        if (full(t))
            rc = moi_epoch_close(t);
        else if (at_limit(t))
            break;
        else
            rc = step(t, NULL);
    }
    if (rc)
        keep_place(t, rc);
    if (!rc && t->local)
        rc = moi_local_flush(t);
    if (!rc)
        rc = end(t);
    if (t->local)
        rc = moi_local_finish(t, rc);
    moi_team_part(t, rc);
    leave(t);
    settle(t);
    return rc;
}

int32_t mopt_trainer_step(mopt_trainer *trainer, double *loss)
{
    mopt_trainer *t = trainer;
    int32_t rc;

    if (!t)
        return moi_fail_null("mopt_trainer_step", "trainer");
    if (at_limit(t) && !full(t) && !t->broken &&
        !(t->flags & MOI_TRAINER_RUNNING))
        return MOPT_EXHAUSTED; /* and the best weights stay where they are */
    rc = enter(t, NULL);
    if (rc)
        return rc;
    if (full(t))
        rc = moi_epoch_close(t);
    if (!rc)
        rc = at_limit(t) ? MOPT_EXHAUSTED : step(t, loss);
    if (!rc && full(t))
        rc = moi_epoch_close(t);
    moi_team_part(t, rc);
    leave(t);
    return rc;
}
