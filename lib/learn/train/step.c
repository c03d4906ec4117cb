/* SPDX-License-Identifier: MIT
 * lib/learn/train/step.c: one step: gather, forward, loss, terms, backward,
 * update; on several threads where that pays (docs/design/parallel.md).
 *
 * A batch is cut into chunks of a fixed number of rows, by settings and model
 * alone. A batch of one chunk changes each layer's weights right behind its
 * gradient, while that is in the cache, unless all gradients must be known
 * first. The gradients of several chunks are added up in order, so that chunks
 * worked out elsewhere could be added to the same bits. Nothing here allocates
 * memory. */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/rng.h"
#include "base/threads.h"
#include "learn/optim/clip.h"
#include "learn/train/near.h"
#include "learn/train/trainer.h"

#define LANE_ROWS 16 /* of a chunk, that a thread takes at least */

typedef struct batch {
    mopt_trainer *t;
    const int64_t *index; /* row numbers in the training data */
    int64_t first, rows;  /* of the running batch */
    double weight; /* of all rows in the loss */
    double rate;
    double loss;
    int64_t view; /* of the augmentation */
    moi_pass pass;
    int64_t at, count;  /* the chunk: its first row in the batch, its rows */
    moi_plan *plan;     /* that it goes through, */
    int64_t base;       /* from this row of it on */
    int32_t lanes;      /* threads for it */
    moi_grads_fn hook;  /* told about its gradients; NULL: none are wanted */
    const moi_part *parts; /* that it is cut into for these */
    int64_t part_count;
} batch;

int64_t moi_step_rows(const mopt_trainer *t)
{
    int64_t left = t->rows - t->now.row;

    return left < t->set.batch ? left : t->set.batch;
}

/* ---- the order of rows ---- */

static void arrange(mopt_trainer *t)
{
    moi_rng rng;

    if (t->ordered == t->now.epoch)
        return;
    for (int64_t i = 0; i < t->rows; i++)
        t->order[i] = i;
    if (t->set.shuffle) {
        moi_rng_init(&rng, t->set.seed, 0, MOI_RNG_SHUFFLE,
                     (uint32_t)t->now.epoch);
        moi_rng_shuffle(&rng, t->order, t->rows);
    }
    t->ordered = t->now.epoch;
}

/* ---- the loss and its gradient by the output ---- */

moi_targets moi_worker_targets(moi_worker *w, const mopt_dataset *data,
                               const int64_t *rows, int64_t count)
{
    moi_targets targets = {NULL, NULL};

    if (moi_dataset_kind(data) == MOPT_TARGET_CLASS) {
        moi_dataset_classes(data, rows, count, w->classes);
        targets.classes = w->classes;
    } else if (moi_dataset_kind(data) == MOPT_TARGET_NUMBER) {
        moi_dataset_numbers(data, rows, count, w->numbers);
        targets.numbers = w->numbers;
    }
    return targets;
}

/* Does the trainer's own loss count now? */
static int32_t counts(const mopt_trainer *t)
{
    return t->loss_weight > 0 && t->now.epoch >= t->loss_from;
}

/* The trainer's own loss of a chunk, as its part of the batch's. */
static double own_loss(batch *b, int64_t rows, const moi_real *output,
                       const moi_targets *targets, moi_real *grad)
{
    const mopt_trainer *t = b->t;
    int64_t outputs = moi_model_outputs(t->model);
    double weight = moi_loss_weight(t->loss, rows, targets);
    double share = t->loss_weight, loss;

    if (rows == b->rows && !t->team)
        b->weight = weight;
    else if (b->weight > 0)
        share *= weight / b->weight;
    loss = moi_loss_compute(t->loss, rows, outputs, output, targets, grad);
    if (grad && share != 1)
        moi_grads_scale(rows * outputs, grad, share);
    return share * loss;
}

/* What the extra terms see; the gradients by taps begin at 0. */
static moi_sight look(const batch *b, const moi_worker *w,
                      const int64_t *index, int64_t rows,
                      const moi_targets *targets, moi_real *grad)
{
    const mopt_trainer *t = b->t;
    moi_sight sight = {
        .rows = rows,
        .outputs = moi_model_outputs(t->model),
        .index = index,
        .epoch = t->now.epoch,
        .view = b->view,
        .input = moi_plan_input(w->plan),
        .output = moi_plan_output(w->plan),
        .targets = *targets,
        .grad = grad,
    };

    for (int64_t i = 0; i < t->tap_count; i++) {
        sight.tap[i] = w->tap[i];
        sight.tap_grad[i] = grad ? w->tap_grad[i] : NULL;
    }
    moi_plan_clear_taps(w->plan, rows);
    return sight;
}

/* Loss of some rows of a chunk that went forward, as their part of the
 * batch's; and the gradient if that is wanted. With extra terms, of all. */
static int32_t rows_loss(batch *b, int64_t first, int64_t rows, double *loss)
{
    const mopt_trainer *t = b->t;
    moi_worker *w = &b->t->worker;
    int64_t outputs = moi_model_outputs(t->model);
    const int64_t *index = b->index + b->at + first;
    int64_t at = (b->base + first) * outputs;
    const moi_real *output = moi_plan_output(b->plan) + at;
    moi_real *grad = b->hook ? moi_plan_output_grad(b->plan) + at : NULL;
    moi_targets targets = moi_worker_targets(w, t->train, index, rows);
    moi_sight sight;

    *loss = 0;
    if (counts(t))
        *loss = own_loss(b, rows, output, &targets, grad);
    else if (grad)
        memset(grad, 0, (size_t)(rows * outputs) * sizeof *grad);
    if (!t->term_count)
        return MOPT_OK;
    sight = look(b, w, index, rows, &targets, grad);
    return moi_terms_add(t, &sight, (double)rows / (double)b->rows, loss);
}

/* ---- gradients of a piece ---- */

/* Hook of a batch of one chunk. Only what changed no weight yet may be
 * canceled. */
static int32_t change(void *user, int64_t tensor, int64_t first, int64_t count)
{
    const batch *b = user;
    mopt_trainer *t = b->t;
    moi_slice slice = {tensor, first, count, 0};

    if (!t->fused)
        return moi_cancel_check(t->cancel);
    return moi_update_slice(t, &slice, b->rate, t->worker.grads);
}

/* Hook of a batch of several chunks. */
static int32_t gather(void *user, int64_t tensor, int64_t first, int64_t count)
{
    const batch *b = user;
    const mopt_trainer *t = b->t;
    int64_t at = moi_model_param(t->model, tensor)->offset + first;

    if (!t->spared[tensor])
        moi_grads_add(count, t->worker.grads + at, t->total + at);
    return moi_cancel_check(t->cancel);
}

/* ---- a batch ---- */

/* What all rows weigh in the loss, for batches of several chunks; that of a
 * single chunk is known when its targets are fetched. */
static double batch_weight(const batch *b, moi_worker *w)
{
    const mopt_trainer *t = b->t;
    double weight = 0;

    if (!counts(t) || (b->rows <= t->set.chunk && !t->team))
        return (double)b->rows;
    for (int64_t at = 0; at < b->rows; at += t->set.chunk) {
        int64_t rows = b->rows - at < t->set.chunk ? b->rows - at
                                                   : t->set.chunk;
        moi_targets targets =
            moi_worker_targets(w, t->train, b->index + at, rows);

        weight += moi_loss_weight(t->loss, rows, &targets);
    }
    return weight;
}

/* Let the rows behind a chunk come near while it is worked on: for the rows
 * from first on, those that take their place. */
static void fetch_next(const batch *b, int64_t first, int64_t rows)
{
    const mopt_trainer *t = b->t;
    int64_t next = b->at + b->count + first;
    int64_t left = t->rows - t->now.row - b->first - next;

    if (left > 0)
        moi_dataset_fetch(t->train, b->index + next,
                          left < rows ? left : rows);
}

/* Rows of the chunk, from first on, into x. */
static void fetch_rows(const batch *b, int32_t lane, int64_t first,
                       int64_t rows, moi_real *x)
{
    const mopt_trainer *t = b->t;
    int64_t inputs = moi_model_inputs(t->model);
    const int64_t *index = b->index + b->at + first;
    moi_augment augment = t->augment;

    if (!augment.active) {
        moi_dataset_gather(t->train, index, rows, x);
        return;
    }
    augment.room = t->rooms + lane * inputs;
    moi_dataset_gather_view(t->train, index, rows, &augment, b->view, x);
}

/* ---- pieces of a chunk ---- */

static int32_t forward_rows(void *user, int32_t lane, int64_t piece)
{
    const batch *b = user;
    const mopt_trainer *t = b->t;
    int64_t first = moi_plan_cut(b->count, b->lanes, piece);
    int64_t rows = moi_plan_cut(b->count, b->lanes, piece + 1) - first;
    moi_real *x = moi_plan_input(b->plan);

    fetch_rows(b, lane, first, rows,
               x + (b->base + first) * moi_model_inputs(t->model));
    fetch_next(b, first, rows);
    return moi_plan_forward_rows(b->plan, lane, moi_model_weights(t->model),
                                 b->base + first, rows, &b->pass);
}

static int32_t backward_rows(void *user, int32_t lane, int64_t piece)
{
    const batch *b = user;
    const mopt_trainer *t = b->t;
    int64_t first = moi_plan_cut(b->count, b->lanes, piece);
    int64_t rows = moi_plan_cut(b->count, b->lanes, piece + 1) - first;

    return moi_plan_backward_rows(b->plan, lane, moi_model_weights(t->model),
                                  b->base + first, rows, &b->pass);
}

static int32_t gradients(void *user, int32_t lane, int64_t piece)
{
    const batch *b = user;

    return moi_plan_gradients(b->plan, lane, piece, b->parts, b->part_count);
}

static int32_t forward(batch *b)
{
    return moi_share(b->t->ctx, b->lanes, b->lanes, forward_rows, b);
}

/* May the step still end on the way back without having changed anything? */
static int32_t may_end(const batch *b)
{
    const mopt_trainer *t = b->t;

    if (t->team && t->team->sure)
        return 0;
    return !t->fused || b->lanes > 1;
}

/* One thread goes layer by layer, which is kinder to its cache. Ranks that are
 * near work gradients out when they change the weights. */
static int32_t backward(batch *b)
{
    mopt_trainer *t = b->t;
    int32_t nearby = t->team && t->team->nearby, rc;

    b->pass.cancel = may_end(b) ? t->cancel : NULL;
    if (b->lanes == 1 && !nearby)
        return moi_plan_backward_parts(b->plan, moi_model_weights(t->model),
                                       b->count, &b->pass, b->parts,
                                       b->part_count);
    rc = moi_share(t->ctx, b->lanes, b->lanes, backward_rows, b);
    if (!rc)
        rc = moi_cancel_check(b->pass.cancel);
    return rc || nearby ? rc
                        : moi_share(t->ctx, b->lanes, moi_plan_pieces(b->plan),
                                    gradients, b);
}

int32_t moi_step_lanes(const mopt_trainer *t)
{
    int32_t width = moi_parallel_width(t->ctx);

    return t->lanes < width ? t->lanes : width;
}

/* As many threads as there are rows for, each some. */
static int32_t lanes_of(const batch *b)
{
    int32_t lanes = moi_step_lanes(b->t);
    int64_t most = b->count / LANE_ROWS;

    return most < 1 ? 1 : most < lanes ? (int32_t)most : lanes;
}

/* Take a chunk forward that begins at a row of the batch. */
static int32_t open_chunk(batch *b, int64_t at, int64_t size)
{
    b->at = at;
    b->count = b->rows - at < size ? b->rows - at : size;
    b->lanes = lanes_of(b);
    b->pass.row = b->first + at - b->base;
    b->pass.cancel = b->t->cancel;
    return forward(b);
}

/* Work a chunk out; with its gradient if that is wanted, and the loss is a
 * number. */
static int32_t work_chunk(batch *b, int64_t at, int64_t size, double *loss)
{
    int32_t rc = open_chunk(b, at, size);
    moi_part all = {.rows = b->count, .grads = b->t->worker.grads,
                    .on_grads = b->hook, .user = b};

    if (!rc)
        rc = rows_loss(b, 0, b->count, loss);
    b->parts = &all;
    b->part_count = 1;
    return !rc && b->hook && isfinite(*loss) ? backward(b) : rc;
}

/* ---- a batch in parts ---- */

static int32_t open_stripe(batch *b, int64_t first, int64_t parts)
{
    mopt_trainer *t = b->t;
    moi_team *team = t->team;
    int32_t rc = open_chunk(b, first * team->rows, parts * team->rows);

    for (int64_t i = 0; !rc && i < parts; i++) {
        int64_t at = i * team->rows, left = b->count - at;
        int64_t rows = left < team->rows ? left : team->rows;
        double loss = 0;

        rc = rows_loss(b, at, rows, &loss);
        moi_team_note(team, first + i, loss);
    }
    b->parts = team->list;
    if (b->hook && !team->nearby)
        b->part_count = moi_team_list(team, first, b->count, team->list);
    return rc;
}

/* This rank's parts of the batch; and once the losses of all are known, the
 * loss of all of it. Only then the last gradients, which travel at once; where
 * ranks are near, all of them, for which all rows must have gone back. */
static int32_t work_parts(batch *b)
{
    mopt_trainer *t = b->t;
    moi_team *team = t->team;
    int64_t stripe, at, limit;
    int32_t rc = MOPT_OK;

    moi_team_begin(t, b->rows, b->rate, b->hook != NULL);
    stripe = moi_team_stripe(t);
    limit = team->first + team->count;
    if (team->nearby) {
        b->plan = moi_near_plan(team->near);
        b->base = team->first * team->rows;
    }
    for (at = team->first; !rc && at + stripe < limit; at += stripe) {
        rc = open_stripe(b, at, stripe);
        if (!rc && b->hook)
            rc = backward(b);
    }
    if (!rc && at < limit)
        rc = open_stripe(b, at, limit - at);
    if (!rc && team->nearby && at < limit)
        rc = backward(b);
    rc = moi_team_agree(t, rc, &b->loss);
    if (rc || !b->hook || !isfinite(b->loss) || team->nearby)
        return rc;
    return at < limit ? backward(b) : MOPT_OK;
}

/* ---- parts in a mesh ---- */

static int32_t feed_part(void *user, int64_t part, int64_t rows, moi_real *x)
{
    batch *b = user;

    b->at = part * b->t->team->rows;
    b->count = rows;
    fetch_rows(b, 0, 0, rows, x);
    return MOPT_OK;
}

/* All ranks that share the last layer come to the same: one says so. */
static int32_t judge_part(void *user, int64_t part, int64_t rows,
                          const moi_real *output, moi_real *grad)
{
    batch *b = user;
    mopt_trainer *t = b->t;
    moi_targets targets = moi_worker_targets(
        &t->worker, t->train, b->index + part * t->team->rows, rows);
    double loss = 0;

    if (counts(t))
        loss = own_loss(b, rows, output, &targets, grad);
    else if (grad)
        memset(grad, 0, (size_t)(rows * moi_model_outputs(t->model)) *
                            sizeof *grad);
    if (t->mesh->t == 0)
        moi_team_note(t->team, part, loss);
    return MOPT_OK;
}

static void list_part(void *user, int64_t part, int64_t rows, moi_part *out)
{
    const batch *b = user;

    moi_team_list(b->t->team, part, rows, out);
}

/* Tokens are looked at between parts: a rank that fails inside of one leaves
 * the others waiting, until moi_team_part tells them. */
static int32_t work_mesh(batch *b)
{
    mopt_trainer *t = b->t;
    moi_team *team = t->team;
    moi_run run = {.user = b, .rows = b->rows, .cancel = t->cancel,
                   .pass = b->pass, .feed = feed_part, .judge = judge_part,
                   .list = list_part};
    int32_t rc;

    moi_team_begin(t, b->rows, b->rate, 1);
    team->sure = 1;
    run.first = team->first;
    run.count = team->count;
    rc = moi_pipeline_train(t->pipeline, &run);
    if (!rc)
        rc = moi_cancel_check(t->cancel);
    return rc && rc != MOPT_ECANCELED ? rc : moi_team_agree(t, rc, &b->loss);
}

/* Work the batch out, chunk by chunk. A loss that is no number ends it: the
 * caller looks at that. */
static int32_t work(batch *b)
{
    int64_t chunk = b->t->set.chunk;
    int32_t rc = MOPT_OK;

    if (b->t->mesh)
        return work_mesh(b);
    if (b->t->team)
        return work_parts(b);
    b->loss = 0;
    for (int64_t at = 0; !rc && at < b->rows && isfinite(b->loss);
         at += chunk) {
        double loss = 0;

        rc = work_chunk(b, at, chunk, &loss);
        b->loss += loss;
    }
    return rc;
}

/* Some rows of the running batch. */
static batch prepare(mopt_trainer *t, int64_t first, int64_t rows)
{
    batch b = {.t = t, .first = first, .rows = rows,
               .plan = t->worker.plan};

    arrange(t);
    b.index = t->order + t->now.row + first;
    b.weight = batch_weight(&b, &t->worker);
    b.view = moi_augment_view(&t->augment, t->now.epoch);
    b.pass = (moi_pass){.training = 1,
                        .seed = t->set.seed,
                        .step = (uint64_t)t->now.step};
    return b;
}

double moi_step_weight(mopt_trainer *t)
{
    return prepare(t, 0, moi_step_rows(t)).weight;
}

int32_t moi_step_loss(mopt_trainer *t, double *loss)
{
    batch b = prepare(t, 0, moi_step_rows(t));
    int32_t rc = work(&b);

    *loss = b.loss;
    return rc;
}

/* The weights of a batch whose gradients are all there, as far as they were
 * not changed on the way. */
static int32_t finish(batch *b)
{
    mopt_trainer *t = b->t;
    double scale = 1;
    int32_t rc;

    if (t->fused || (t->team && t->team->eager)) {
        moi_update_cap(t);
        return moi_annex_update(t, b->rate, 1);
    }
    rc = moi_annex_pull(t);
    if (!rc)
        rc = moi_update_clip(t, &scale);
    if (rc)
        return rc;
    if (t->origin)
        return moi_descent_step(t, &b->rate, scale, b->loss);
    rc = moi_step_update(t, b->rate, scale);
    return rc ? rc : moi_annex_update(t, b->rate, scale);
}

static int32_t fail_loss(const batch *b)
{
    const mopt_trainer *t = b->t;

    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): the loss is "
                    "%s; try a smaller learning rate",
                    (long long)t->now.step + 1, (long long)t->now.epoch + 1,
                    isnan(b->loss) ? "NaN" : "infinite");
}

static void begin_step(batch *b)
{
    mopt_trainer *t = b->t;

    b->rate = t->rule.rate * moi_schedule_factor(&t->schedule, t->now.step);
    t->rule.momentum =
        moi_schedule_momentum(&t->schedule, t->now.step, t->momentum);
    moi_optimizer_begin(&t->rule, t->now.step + 1);
    t->touched = 0;
    t->norm = NAN;
    if (t->total && !t->team)
        memset(t->total, 0, (size_t)t->size * sizeof *t->total);
    moi_annex_clear_grads(t);
    b->hook = t->total && !t->team ? gather : change;
}

static int32_t learn(batch *b)
{
    mopt_trainer *t = b->t;
    int32_t rc;

    begin_step(b);
    rc = work(b);
    if (rc && t->team)
        moi_team_recall(t->team, rc);
    if (!rc && !isfinite(b->loss))
        rc = fail_loss(b);
    if (!rc && t->team)
        rc = moi_team_add_up(t);
    if (!rc)
        rc = finish(b);
    if (!rc)
        t->now.rate = b->rate;
    return rc;
}

int32_t moi_step_share(mopt_trainer *t, int64_t first, int64_t rows,
                       double *loss, double *weight)
{
    batch b = prepare(t, first, rows);
    int32_t rc = learn(&b);

    if (rc)
        return rc;
    *loss = b.loss;
    *weight = b.weight;
    return MOPT_OK;
}

int32_t moi_step_take(mopt_trainer *t, double *loss)
{
    batch b = prepare(t, 0, moi_step_rows(t));
    int32_t rc = learn(&b);

    if (rc)
        return t->touched || rc == MOPT_EDIVERGED ? moi_trainer_break(t, rc)
                                                  : rc;
    t->now.loss_sum += b.loss * b.weight;
    t->now.weight_sum += b.weight;
    t->now.row += b.rows;
    t->now.step++;
    if (loss)
        *loss = b.loss;
    return MOPT_OK;
}
