/* SPDX-License-Identifier: MIT
 * lib/learn/train/epoch.c: what happens between epochs: validation, history,
 * the best weights, early stopping, checkpoints. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "learn/optim/clip.h"
#include "learn/train/trainer.h"

/* ---- columns of the history ---- */

static const char *const own_names[MOI_FIGURES] = {"epoch", "step", "loss",
                                                   "learning_rate"};

void moi_epoch_name(const mopt_trainer *t, int64_t column, char *buf,
                    size_t cap)
{
    if (column < MOI_FIGURES)
        snprintf(buf, cap, "%s", own_names[column]);
    else
        snprintf(buf, cap, "validation.%s",
                 moi_metrics_name(t->metrics, column - MOI_FIGURES));
}

int64_t moi_epoch_column(const mopt_trainer *t, const char *name)
{
    char buf[64];

    for (int64_t i = 0; i < t->columns; i++) {
        moi_epoch_name(t, i, buf, sizeof buf);
        if (!strcmp(buf, name))
            return i;
    }
    return -1;
}

const double *moi_epoch_row(const mopt_trainer *t, int64_t epoch)
{
    return t->history + (epoch - 1) * t->columns;
}

static int32_t fail_monitor(const mopt_trainer *t)
{
    char names[512] = "loss", name[64];
    size_t at = strlen(names);

    for (int64_t i = MOI_FIGURES; i < t->columns && at < sizeof names; i++) {
        moi_epoch_name(t, i, name, sizeof name);
        at += (size_t)snprintf(names + at, sizeof names - at, ", %s", name);
    }
    return moi_fail(MOPT_EINVAL, "monitor: no figure '%s' here; there are %s",
                    t->set.monitor, names);
}

int32_t moi_epoch_setup(mopt_trainer *t)
{
    const char *name = t->set.monitor, *metric;

    t->columns = MOI_FIGURES + (t->metrics ? moi_metrics_count(t->metrics) : 0);
    if (!strcmp(name, "auto"))
        name = t->metrics ? "validation.loss" : "loss";
    t->monitor = moi_epoch_column(t, name);
    metric = strchr(name, '.') ? strchr(name, '.') + 1 : name;
    t->direction = moi_metrics_direction(metric);
    if (t->monitor < MOI_FIGURE_LOSS || t->monitor == MOI_FIGURE_RATE ||
        t->direction == 0)
        return fail_monitor(t);
    t->closing = moi_calloc(t->ctx, t->columns, sizeof *t->closing);
    return t->closing ? MOPT_OK : MOPT_ENOMEM;
}

/* ---- validation ---- */

static int32_t validate(mopt_trainer *t)
{
    int64_t rows = moi_dataset_rows(t->validation);
    moi_rows source = {.data = t->validation};
    int32_t rc = MOPT_OK;

    moi_metrics_reset(t->metrics);
    for (int64_t at = 0; !rc && at < rows; at += t->judge_rows) {
        int64_t count = rows - at < t->judge_rows ? rows - at : t->judge_rows;
        const int64_t *index = t->places;
        moi_targets targets;

        for (int64_t i = 0; i < count; i++)
            t->places[i] = at + i;
        rc = t->mesh   ? moi_meshed_predict(t, count)
             : t->team ? moi_team_judge(t, &source, at, count)
                       : moi_runner_run(t->judge, &source, at, count, NULL,
                                        t->judged, t->cancel);
        if (rc || !t->judged)
            continue;
        targets = moi_worker_targets(&t->worker, t->validation, index, count);
        moi_metrics_add(t->metrics, count, t->judged, &targets);
    }
    if (t->judged)
        moi_metrics_finish(t->metrics, NULL);
    return rc;
}

static int32_t fail_judged(const mopt_trainer *t)
{
    return moi_fail(MOPT_EDIVERGED,
                    "training diverged at step %lld (epoch %lld): after it %s "
                    "not finite; try a smaller learning rate",
                    (long long)t->now.step, (long long)t->now.epoch + 1,
                    moi_spoilt(t->size, moi_model_weights(t->model))
                        ? "weights are"
                        : "the validation loss is");
}

/* Figures of the running epoch with the weights as they are. */
static int32_t judge_alone(mopt_trainer *t, double *row)
{
    int32_t rc = t->metrics ? validate(t) : MOPT_OK;

    if (rc)
        return rc;
    row[MOI_FIGURE_EPOCH] = (double)t->now.epoch + 1;
    row[MOI_FIGURE_STEP] = (double)t->now.step;
    row[MOI_FIGURE_LOSS] = t->now.weight_sum > 0
                               ? t->now.loss_sum / t->now.weight_sum
                               : 0;
    row[MOI_FIGURE_RATE] = t->now.rate;
    for (int64_t i = MOI_FIGURES; i < t->columns; i++)
        row[i] = moi_metrics_value(t->metrics, i - MOI_FIGURES);
    rc = t->mesh ? moi_meshed_tell(t, row) : MOPT_OK;
    if (rc)
        return rc;
    if (t->metrics && !isfinite(row[moi_epoch_column(t, "validation.loss")]))
        return fail_judged(t);
    if (moi_spoilt(t->size, moi_model_weights(t->model)))
        return fail_judged(t);
    return MOPT_OK;
}

/* A token of one rank ends it for all. In a mesh all know of tokens already,
 * and an error that they cannot know of is told at the end of the call. */
static int32_t judge(mopt_trainer *t, double *row)
{
    int32_t rc = judge_alone(t, row);

    if (t->mesh && rc && rc != MOPT_EDIVERGED)
        return rc;
    return t->team ? moi_team_settle(t, rc) : rc;
}

int32_t moi_epoch_glance(mopt_trainer *t)
{
    int32_t rc = judge(t, t->closing);

    if (rc == MOPT_EDIVERGED)
        return moi_trainer_break(t, rc);
    if (!rc)
        t->flags |= MOI_TRAINER_CLOSED;
    return rc;
}

/* ---- closing an epoch ---- */

static void keep(mopt_trainer *t)
{
    memcpy(t->kept, moi_model_weights(t->model),
           (size_t)t->size * sizeof *t->kept);
    moi_annex_keep(t);
}

/* Is an epoch's monitored figure better than another by more than delta? */
static int32_t better(const mopt_trainer *t, double value, double than,
                      double delta)
{
    return isnan(than) ? !isnan(value)
                       : (value - than) * t->direction > delta;
}

static void weigh(mopt_trainer *t, const double *row)
{
    moi_progress *now = &t->now;
    double value = row[t->monitor];
    double best = now->best ? moi_epoch_row(t, now->best)[t->monitor] : NAN;
    double change = NAN;

    if (now->epoch > 1)
        change = fabs(row[MOI_FIGURE_LOSS] -
                      moi_epoch_row(t, now->epoch - 1)[MOI_FIGURE_LOSS]);
    now->stale++;
    if (better(t, value, now->mark, t->set.min_delta)) {
        now->mark = value;
        now->stale = 0;
    }
    if (better(t, value, best, 0)) {
        now->best = now->epoch;
        if (t->set.restore_best)
            keep(t);
    }
    if (!t->set.restore_best)
        keep(t);
    if (t->set.patience > 0 && now->stale >= t->set.patience)
        now->ended = 1;
    if (t->set.tolerance > 0 && change < t->set.tolerance)
        now->ended = 1;
    moi_schedule_report(&t->schedule, value, t->direction);
}

static void note(const mopt_trainer *t, const double *row)
{
    char loss[MOI_NUMBER_SIZE], figure[MOI_NUMBER_SIZE], name[64];

    moi_epoch_name(t, t->monitor, name, sizeof name);
    moi_log(t->ctx, MOPT_LOG_INFO, "train", "epoch %lld: loss %s, %s %s",
            (long long)t->now.epoch,
            moi_number_text(row[MOI_FIGURE_LOSS], loss), name,
            moi_number_text(row[t->monitor], figure));
}

int32_t moi_epoch_close(mopt_trainer *t)
{
    moi_progress *now = &t->now;
    double *row;
    int32_t rc;

    if (moi_grow(t->ctx, (void **)&t->history, &t->history_room,
                 (now->epoch + 1) * t->columns, sizeof *t->history))
        return MOPT_ENOMEM;
    row = t->history + now->epoch * t->columns;
    rc = judge(t, row);
    if (rc)
        return rc == MOPT_EDIVERGED ? moi_trainer_break(t, rc) : rc;
    now->epoch++;
    now->row = 0;
    now->loss_sum = now->weight_sum = 0;
    weigh(t, row);
    note(t, row);
    rc = moi_checkpoint_due(t, 1);
    return rc ? rc : moi_trainer_tell(t, &t->on_epoch, "epoch");
}
