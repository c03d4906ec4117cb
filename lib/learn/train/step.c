/* SPDX-License-Identifier: MIT
 * lib/learn/train/step.c: one step: gather, forward, loss, terms, backward,
 * update.
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
#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

typedef struct batch {
    mopt_trainer *t;
    const int64_t *index; /* row numbers in the training data */
    int64_t rows;
    double weight; /* of all rows in the loss */
    double rate;
    double loss;
    int64_t view; /* of the augmentation */
    moi_pass pass;
} batch;

int64_t moi_step_rows(const mopt_trainer *t)
{
    int64_t left = t->rows - t->now.row;

    return left < t->set.batch ? left : t->set.batch;
}

moi_real *moi_step_gradient(const mopt_trainer *t)
{
    return t->total ? t->total : t->worker.grads;
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
static double own_loss(batch *b, moi_worker *w, int64_t rows,
                       const moi_targets *targets, moi_real *grad)
{
    const mopt_trainer *t = b->t;
    int64_t outputs = moi_model_outputs(t->model);
    double weight = moi_loss_weight(t->loss, rows, targets);
    double share = t->loss_weight, loss;

    if (rows == b->rows)
        b->weight = weight;
    else if (b->weight > 0)
        share *= weight / b->weight;
    loss = moi_loss_compute(t->loss, rows, outputs, moi_plan_output(w->plan),
                            targets, grad);
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

/* Loss of a chunk that went forward, as its part of the batch's; and the
 * gradient unless grad is NULL. */
static int32_t chunk_loss(batch *b, moi_worker *w, const int64_t *index,
                          int64_t rows, moi_real *grad, double *loss)
{
    const mopt_trainer *t = b->t;
    int64_t count = rows * moi_model_outputs(t->model);
    moi_targets targets = moi_worker_targets(w, t->train, index, rows);
    moi_sight sight;

    *loss = 0;
    if (counts(t))
        *loss = own_loss(b, w, rows, &targets, grad);
    else if (grad)
        memset(grad, 0, (size_t)count * sizeof *grad);
    if (!t->term_count)
        return MOPT_OK;
    sight = look(b, w, index, rows, &targets, grad);
    return moi_terms_add(t, &sight, (double)rows / (double)b->rows, loss);
}

/* ---- changing weights ---- */

/* Keep the weights that lead to each unit within max_norm (Srivastava et al.
 * 2014, "Dropout", section 5.1). */
static void cap(const mopt_trainer *t, const moi_param *p, moi_real *w)
{
    int64_t units = p->shape[0];

    if (p->rank >= 2 && !(p->flags & MOI_PARAM_NO_DECAY))
        moi_weights_cap(units, p->count / units,
                        p->flags & MOI_PARAM_TRANSPOSED, w, t->set.max_norm,
                        t->norms);
}

int32_t moi_step_fail(const mopt_trainer *t, const char *name)
{
    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): the gradient "
                    "of '%s' is not finite; try a smaller learning rate",
                    (long long)t->now.step + 1, (long long)t->now.epoch + 1,
                    name);
}

static int32_t update_tensor(mopt_trainer *t, int64_t i, double rate,
                             moi_real *grads)
{
    const moi_param *p = moi_model_param(t->model, i);
    const moi_tuning *tuning = &t->tuning[i];
    moi_real *w = moi_model_weights(t->model) + p->offset;
    moi_real *g = grads + p->offset, *state[MOI_STATES];
    /* Up to the next tensor there are zeros: no remainders to walk through. */
    int64_t count = (p->count + 15) & ~(int64_t)15;

    if (t->frozen[i] || t->now.epoch < tuning->thaw)
        return MOPT_OK;
    for (int32_t k = 0; k < t->rule.states; k++)
        state[k] = t->state[k] + p->offset;
    t->touched = 1;
    if (t->anchors)
        moi_anchor_pull(t, i, g);
    if (t->set.clip_value > 0)
        moi_grads_clamp(count, g, t->set.clip_value);
    if (!moi_optimizer_update(&t->rule, rate * tuning->rate, tuning->decay,
                              count, w, g, state)) {
        if (t->norms)
            cap(t, p, w);
        return MOPT_OK;
    }
    return moi_step_fail(t, p->name);
}

int32_t moi_step_update(mopt_trainer *t, double rate, double scale)
{
    int64_t count = moi_model_param_count(t->model);
    moi_real *grads = moi_step_gradient(t);
    int32_t rc = MOPT_OK;

    if (scale != 1)
        moi_grads_scale(t->size, grads, scale);
    for (int64_t i = 0; !rc && i < count; i++)
        rc = update_tensor(t, i, rate, grads);
    return rc;
}

/* Hook of a batch of one chunk. Only what changed no weight yet may be
 * canceled. */
static int32_t change(void *user, int64_t first, int64_t count)
{
    batch *b = user;
    mopt_trainer *t = b->t;
    int32_t rc = MOPT_OK;

    if (!t->fused)
        return moi_cancel_check(t->cancel);
    for (int64_t i = first; !rc && i < first + count; i++)
        rc = update_tensor(t, i, b->rate, t->worker.grads);
    return rc;
}

/* Hook of a batch of several chunks. */
static int32_t gather(void *user, int64_t first, int64_t count)
{
    batch *b = user;
    mopt_trainer *t = b->t;

    for (int64_t i = first; i < first + count; i++) {
        const moi_param *p = moi_model_param(t->model, i);

        if (!t->spared[i])
            moi_grads_add(p->count, t->worker.grads + p->offset,
                          t->total + p->offset);
    }
    return moi_cancel_check(t->cancel);
}

/* ---- a batch ---- */

/* What all rows weigh in the loss, for batches of several chunks; that of a
 * single chunk is known when its targets are fetched. */
static double batch_weight(const batch *b, moi_worker *w)
{
    const mopt_trainer *t = b->t;
    double weight = 0;

    if (!counts(t) || b->rows <= t->set.chunk)
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

/* Let the rows behind a chunk come near while it is worked on. */
static void fetch_next(const batch *b, int64_t at, int64_t rows)
{
    const mopt_trainer *t = b->t;
    int64_t left = t->rows - t->now.row - at - rows;

    moi_dataset_fetch(t->train, b->index + at + rows,
                      left < rows ? left : rows);
}

static void fetch_rows(const batch *b, int64_t at, int64_t rows)
{
    mopt_trainer *t = b->t;
    moi_real *x = moi_plan_input(t->worker.plan);

    if (t->augment.active)
        moi_dataset_gather_view(t->train, b->index + at, rows, &t->augment,
                                b->view, x);
    else
        moi_dataset_gather(t->train, b->index + at, rows, x);
}

/* Work the batch out, chunk by chunk; with its gradient unless hook is NULL.
 * A loss that is no number ends it: the caller looks at that. */
static int32_t work(batch *b, moi_grads_fn hook)
{
    mopt_trainer *t = b->t;
    moi_worker *w = &t->worker;
    moi_real *grad = hook ? moi_plan_output_grad(w->plan) : NULL;
    const moi_real *weights = moi_model_weights(t->model);
    int32_t rc = MOPT_OK;

    b->loss = 0;
    for (int64_t at = 0; !rc && at < b->rows && isfinite(b->loss);
         at += t->set.chunk) {
        int64_t rows = b->rows - at < t->set.chunk ? b->rows - at
                                                   : t->set.chunk;
        double loss = 0;

        b->pass.row = at;
        fetch_rows(b, at, rows);
        fetch_next(b, at, rows);
        rc = moi_cancel_check(t->cancel);
        if (!rc)
            rc = moi_plan_forward(w->plan, weights, rows, &b->pass);
        if (!rc)
            rc = chunk_loss(b, w, b->index + at, rows, grad, &loss);
        b->loss += loss;
        if (!rc && hook && isfinite(loss))
            rc = moi_plan_backward(w->plan, weights, rows, &b->pass, w->grads,
                                   hook, b);
    }
    return rc;
}

static batch prepare(mopt_trainer *t)
{
    batch b = {.t = t};

    arrange(t);
    b.index = t->order + t->now.row;
    b.rows = moi_step_rows(t);
    b.weight = batch_weight(&b, &t->worker);
    b.view = moi_augment_view(&t->augment, t->now.epoch);
    b.pass = (moi_pass){.training = 1,
                        .seed = t->set.seed,
                        .step = (uint64_t)t->now.step};
    return b;
}

int32_t moi_step_loss(mopt_trainer *t, double *loss)
{
    batch b = prepare(t);
    int32_t rc = work(&b, NULL);

    *loss = b.loss;
    return rc;
}

/* Known from clipping, else worked out when it is asked for. */
double moi_step_gradient_norm(const mopt_trainer *t)
{
    const moi_real *grads = moi_step_gradient(t);
    int64_t count = moi_model_param_count(t->model);
    double sum = 0;

    if (!isnan(t->norm))
        return t->norm;
    for (int64_t i = 0; i < count; i++) {
        const moi_param *p = moi_model_param(t->model, i);

        if (!t->frozen[i])
            sum += moi_grads_dot(p->count, grads + p->offset,
                                 grads + p->offset);
    }
    return sqrt(sum + moi_annex_norm2(t));
}

static int32_t fail_norm(const mopt_trainer *t)
{
    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): the norm of "
                    "the gradients is not finite; try a smaller learning rate",
                    (long long)t->now.step + 1, (long long)t->now.epoch + 1);
}

/* Weights of a batch whose gradients are all there. */
static int32_t finish(batch *b)
{
    mopt_trainer *t = b->t;
    double scale = 1, norm;
    int32_t rc = moi_annex_pull(t);

    if (rc)
        return rc;
    if (t->set.clip_norm > 0) {
        if (t->set.clip_value > 0)
            moi_grads_clamp(t->size, moi_step_gradient(t), t->set.clip_value);
        norm = moi_step_gradient_norm(t);
        if (!isfinite(norm))
            return fail_norm(t);
        scale = moi_clip_factor(norm, t->set.clip_norm);
        t->norm = norm;
    }
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

int32_t moi_step_take(mopt_trainer *t, double *loss)
{
    batch b = prepare(t);
    int32_t rc;

    b.rate = t->rule.rate * moi_schedule_factor(&t->schedule, t->now.step);
    t->rule.momentum =
        moi_schedule_momentum(&t->schedule, t->now.step, t->momentum);
    moi_optimizer_begin(&t->rule, t->now.step + 1);
    t->touched = 0;
    t->norm = NAN;
    if (t->total)
        memset(t->total, 0, (size_t)t->size * sizeof *t->total);
    moi_annex_clear_grads(t);
    rc = work(&b, t->total ? gather : change);
    if (!rc && !isfinite(b.loss))
        rc = fail_loss(&b);
    if (!rc)
        rc = t->fused ? moi_annex_update(t, b.rate, 1) : finish(&b);
    if (rc)
        return t->touched || rc == MOPT_EDIVERGED ? moi_trainer_break(t, rc)
                                                  : rc;
    t->now.rate = b.rate;
    t->now.loss_sum += b.loss * b.weight;
    t->now.weight_sum += b.weight;
    t->now.row += b.rows;
    t->now.step++;
    if (loss)
        *loss = b.loss;
    return MOPT_OK;
}
