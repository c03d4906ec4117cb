/* SPDX-License-Identifier: MIT
 * lib/learn/train/local.c: local SGD with an outer step.
 *
 * From the same weights w every worker takes "local_steps" steps on its share
 * of each batch, by the rule and with a state of its own. Then they meet: the
 * mean of w - w_i over the workers is the gradient of a step of SGD with
 * Nesterov momentum on w (Douillard et al. 2023, "DiLoCo"), from whose outcome
 * all go on. Sums go by pairs of workers, so that the bits depend on their
 * number and not on the ranks.
 *
 * Or nobody waits for anybody ("asynchronous"): each rank is a worker, and
 * brings what it has moved to a holder of the weights (holder.h) when it has
 * taken its steps. */
#include "learn/train/local.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/train/holder.h"
#include "learn/train/trainer.h"

struct moi_local {
    mopt_context *ctx;
    int64_t workers, first, count; /* all, and this rank's */
    int32_t states;
    moi_real **weights;  /* [count] */
    moi_real **state;    /* [workers][states]; NULL where it is elsewhere, and
                            of this rank's first, whose is the trainer's */
    moi_real *momentum;
    double *losses;      /* [count], weighted, since the last meeting */
    double rows;         /* what they weigh, of all workers */
    int64_t done;        /* workers that have taken the running step */
    int32_t open;        /* they have weights of their own */
    int64_t share;       /* rows of a batch that a worker has */
    mopt_group *group;   /* of the team; or NULL: there is only this rank */

    /* Where nobody waits: */
    moi_holder *holder;  /* or NULL: they meet */
    int64_t steps, taken; /* till it goes there; since it has been there */
    double start;         /* seconds, at the first of them */
    moi_real *moved;
};

/* ---- life ---- */

static moi_real **state_of(const moi_local *l, int64_t worker)
{
    return l->state + worker * l->states;
}

static int32_t take_block(const mopt_trainer *t, moi_real **out)
{
    *out = moi_calloc(t->ctx, t->size, sizeof **out);
    return *out ? MOPT_OK : MOPT_ENOMEM;
}

static int32_t take_room(const mopt_trainer *t, moi_local *l)
{
    int32_t rc;

    l->weights = moi_calloc(t->ctx, l->count, sizeof *l->weights);
    l->state = moi_calloc(t->ctx, l->workers * l->states, sizeof *l->state);
    l->losses = moi_calloc(t->ctx, l->count, sizeof *l->losses);
    if (!l->weights || !l->state || !l->losses)
        return MOPT_ENOMEM;
    rc = take_block(t, &l->momentum);
    if (!rc && t->set.asynchronous)
        rc = take_block(t, &l->moved);
    for (int64_t i = 0; !rc && i < l->count; i++) {
        rc = take_block(t, &l->weights[i]);
        for (int32_t k = 0; !rc && i > 0 && k < l->states; k++)
            rc = take_block(t, &state_of(l, l->first + i)[k]);
    }
    return rc;
}

int32_t moi_local_create(mopt_trainer *t, const moi_team *team,
                         moi_local **out)
{
    mopt_group *group = team->own ? NULL : team->group;
    moi_local *l = moi_calloc(t->ctx, 1, sizeof *l);
    int32_t rc = MOPT_ENOMEM;

    if (l) {
        *l = (moi_local){.ctx = t->ctx,
                         .workers = team->most,
                         .states = t->rule.states,
                         .share = team->rows,
                         .steps = t->set.local_steps,
                         .group = group};
        moi_reduction_deal(team->reduction, l->workers, &l->first, &l->count);
        rc = take_room(t, l);
    }
    if (group)
        rc = moi_group_settle(group, rc);
    if (!rc && t->set.asynchronous)
        rc = moi_holder_create(t->ctx, group, t->size, t->set.outer_rate,
                               t->set.outer_momentum, &l->holder);
    if (rc)
        moi_local_free(l);
    else
        *out = l;
    return rc;
}

void moi_local_free(moi_local *l)
{
    if (!l)
        return;
    moi_holder_free(l->holder);
    for (int64_t i = 0; l->weights && i < l->count; i++)
        moi_free(l->ctx, l->weights[i]);
    for (int64_t i = 0; l->state && i < l->workers * l->states; i++)
        moi_free(l->ctx, l->state[i]);
    moi_free(l->ctx, l->weights);
    moi_free(l->ctx, l->state);
    moi_free(l->ctx, l->losses);
    moi_free(l->ctx, l->momentum);
    moi_free(l->ctx, l->moved);
    moi_free(l->ctx, l);
}

int32_t moi_local_open(const moi_local *l)
{
    return l->open;
}

void moi_local_restart(moi_local *l)
{
    l->open = 0;
    l->done = 0;
    l->rows = 0;
    l->taken = 0;
    for (int64_t i = 0; i < l->count; i++)
        l->losses[i] = 0;
}

/* ---- steps ---- */

/* Weights and state of a worker of this rank change places with the model's
 * and the trainer's. */
static void change_places(mopt_trainer *t, int64_t i)
{
    moi_local *l = t->local;

    moi_model_exchange(t->model, &l->weights[i]);
    for (int32_t k = 0; i > 0 && k < l->states; k++) {
        moi_real **other = &state_of(l, l->first + i)[k], *own = t->state[k];

        t->state[k] = *other;
        *other = own;
    }
}

/* A step of one worker, as that of a trainer that is alone. */
static int32_t take_step(mopt_trainer *t, int64_t i)
{
    moi_local *l = t->local;
    moi_team *team = t->team;
    int64_t first = (l->first + i) * l->share;
    int64_t left = moi_step_rows(t) - first;
    double loss = 0, weight = 0;
    int32_t rc;

    if (left <= 0)
        return MOPT_OK;
    change_places(t, i);
    t->team = NULL;
    rc = moi_step_share(t, first, left < l->share ? left : l->share, &loss,
                        &weight);
    t->team = team;
    change_places(t, i);
    l->losses[i] += loss * weight;
    if (l->holder)
        l->rows += weight;
    return rc;
}

static int32_t open_holder(mopt_trainer *t)
{
    return moi_holder_open(t->local->holder, moi_model_weights(t->model),
                           t->local->momentum);
}

static int32_t open_round(mopt_trainer *t)
{
    moi_local *l = t->local;
    int32_t rc = MOPT_OK;

    if (l->open)
        return MOPT_OK;
    if (l->holder)
        rc = open_holder(t);
    if (rc)
        return rc;
    moi_local_restart(l);
    l->open = 1;
    l->start = moi_clock_seconds();
    for (int64_t i = 0; i < l->count; i++)
        memcpy(l->weights[i], moi_model_weights(t->model),
               (size_t)t->size * sizeof(moi_real));
    return MOPT_OK;
}

/* ---- meetings ---- */

/* By settings and data alone, unless nobody waits. */
static int32_t is_time(const mopt_trainer *t)
{
    const moi_local *l = t->local;

    return (l->holder ? l->taken >= l->steps
                      : t->now.step % t->set.local_steps == 0) ||
           t->now.row >= t->rows || t->now.step == t->set.max_steps;
}

static void subtract(int64_t n, const moi_real *restrict w,
                     const moi_real *restrict own, int32_t onto,
                     moi_real *restrict to)
{
    if (onto)
        for (int64_t i = 0; i < n; i++)
            to[i] += w[i] - own[i];
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = w[i] - own[i];
}

/* The sum of w - w_i over all workers: the team's gradient, everywhere. */
static int32_t add_up(mopt_trainer *t)
{
    moi_local *l = t->local;
    moi_team *team = t->team;
    int32_t rc;

    for (int64_t i = 0; i < l->count; i++) {
        int64_t one;
        int32_t onto;
        float *place = moi_reduction_place(team->reduction, l->first + i,
                                           &onto, &one);

        subtract(t->size, moi_model_weights(t->model), l->weights[i], onto,
                 (moi_real *)(void *)place);
        moi_reduction_join(team->reduction, l->first + i, 0, t->size);
    }
    rc = moi_buckets_carry(t, 0, team->bucket_count);
    return rc ? rc : moi_buckets_gather(team);
}

static void outer_step(mopt_trainer *t)
{
    moi_local *l = t->local;
    moi_real *restrict w = moi_model_weights(t->model);
    moi_real *restrict m = l->momentum;
    const moi_real *restrict g = moi_team_gradient(t->team);
    moi_real rate = (moi_real)t->set.outer_rate;
    moi_real keep = (moi_real)t->set.outer_momentum;
    moi_real share = (moi_real)(1 / (double)l->workers);

    for (int64_t i = 0; i < t->size; i++) {
        moi_real mean = g[i] * share;

        m[i] = keep * m[i] + mean;
        w[i] -= rate * (mean + keep * m[i]);
    }
}

/* All hear how it went for each; *loss receives the mean since the last
 * meeting. */
static int32_t meet(mopt_trainer *t, int32_t status, double *loss)
{
    moi_local *l = t->local;
    double sum = 0;
    int32_t rc;

    moi_team_begin(t, l->workers * t->team->rows, 0, 1);
    for (int64_t i = 0; i < l->count; i++)
        moi_team_note(t->team, l->first + i, l->losses[i]);
    rc = moi_team_agree(t, status, &sum);
    if (!rc)
        rc = add_up(t);
    if (rc)
        return rc;
    outer_step(t);
    t->now.loss_sum += sum;
    *loss = l->rows > 0 ? sum / l->rows : 0;
    moi_local_restart(l);
    return MOPT_OK;
}

/* Bring the holder what this rank has moved. A slow one takes fewer steps from
 * now on, so that what it brings is not older than what others do (Liu et al.
 * 2024: dynamic local updates). */
static int32_t call_on_holder(mopt_trainer *t, double *loss)
{
    moi_local *l = t->local;
    double speed = (double)l->taken / (moi_clock_seconds() - l->start + 1e-9);
    double share = 1;
    int32_t rc;

    subtract(t->size, moi_model_weights(t->model), l->weights[0], 0, l->moved);
    rc = moi_holder_push(l->holder, l->moved, speed,
                         moi_model_weights(t->model), &share);
    if (rc)
        return rc;
    l->steps = (int64_t)(share * (double)t->set.local_steps);
    if (l->steps < 1)
        l->steps = 1;
    t->now.loss_sum += l->losses[0];
    t->now.weight_sum += l->rows;
    *loss = l->rows > 0 ? l->losses[0] / l->rows : 0;
    moi_local_restart(l);
    return MOPT_OK;
}

/* The step is done by all workers of this rank. */
static void count_step(mopt_trainer *t)
{
    moi_local *l = t->local;

    l->done = 0;
    l->taken++;
    if (!l->holder) {
        double weight = moi_step_weight(t);

        t->team->due = 0;
        l->rows += weight;
        t->now.weight_sum += weight;
    }
    /* A rank may have no worker. */
    t->now.rate = t->rule.rate *
                  moi_schedule_factor(&t->schedule, t->now.step);
    t->now.row += moi_step_rows(t);
    t->now.step++;
}

/* An error of one waits until all hear of it, where they meet; a token
 * cannot. */
int32_t moi_local_step(mopt_trainer *t, double *loss)
{
    moi_local *l = t->local;
    int32_t rc = open_round(t);

    for (; !rc && l->done < l->count; l->done++)
        rc = take_step(t, l->done);
    if (rc == MOPT_ECANCELED) {
        l->done--;
        return rc;
    }
    if (!rc || !l->holder)
        count_step(t);
    *loss = l->count && l->rows > 0 ? l->losses[0] / l->rows : 0;
    if (!l->holder)
        *loss *= (double)l->workers;
    if (l->holder && !rc && is_time(t))
        rc = call_on_holder(t, loss);
    else if (!l->holder && (rc || is_time(t)))
        rc = meet(t, rc, loss);
    return rc == MOPT_EDIVERGED ? moi_trainer_break(t, rc) : rc;
}

int32_t moi_local_flush(mopt_trainer *t)
{
    double loss;

    return t->local->holder && t->local->open ? call_on_holder(t, &loss)
                                              : MOPT_OK;
}

int32_t moi_local_finish(mopt_trainer *t, int32_t status)
{
    moi_holder *holder = t->local->holder;

    if (!holder)
        return status;
    if (status < 0 && status != MOPT_ECANCELED)
        moi_holder_quit(holder, status);
    if (!status)
        status = open_holder(t);
    if (status)
        return status;
    status = moi_holder_close(holder, moi_model_weights(t->model));
    moi_holder_momentum(holder, t->local->momentum);
    return status;
}

/* ---- files ---- */

/* Without meetings, files hold what the first rank has. */
int64_t moi_local_workers(const moi_local *l)
{
    return l->holder ? 1 : l->workers;
}

mopt_group *moi_local_group(const moi_local *l)
{
    return l->group;
}

moi_real *moi_local_momentum(const moi_local *l)
{
    return l->momentum;
}

moi_real *moi_local_state(const mopt_trainer *t, int64_t worker, int32_t state)
{
    const moi_local *l = t->local;

    if (l->holder || (worker == l->first && l->count))
        return t->state[state];
    return state_of(l, worker)[state];
}

/* This rank's first worker has its state in the trainer: lend it. */
static void lend(mopt_trainer *t, int32_t lent)
{
    moi_local *l = t->local;

    for (int32_t k = 0; l->count && k < l->states; k++)
        state_of(l, l->first)[k] = lent ? t->state[k] : NULL;
}

int32_t moi_local_collect(mopt_trainer *t)
{
    moi_local *l = t->local;
    int32_t rc;

    if (l->open)
        return moi_fail(MOPT_ESTATE, "workers have weights of their own: they "
                        "meet every %lld steps, the next save is then",
                        (long long)t->set.local_steps);
    if (l->holder) {
        moi_holder_momentum(l->holder, l->momentum);
        return MOPT_OK;
    }
    lend(t, 1);
    rc = moi_shard_fetch(t, l->state, l->workers, l->states);
    lend(t, 0);
    return rc;
}

void moi_local_release(mopt_trainer *t)
{
    moi_local *l = t->local;

    if (!l->holder)
        moi_shard_forget(t, l->state, l->workers, l->states);
}
