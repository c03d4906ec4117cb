/* SPDX-License-Identifier: MIT
 * lib/learn/train/figures.c: the figures of a training. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "learn/train/trainer.h"

static const char *const running[] = {
    "epoch", "step", "seconds", "learning_rate", "gradient_norm", "best.epoch",
};

/* The last epoch's row; NULL before the first. */
static const double *last_row(const mopt_trainer *t)
{
    if (t->flags & MOI_TRAINER_CLOSED)
        return t->closing;
    return t->now.epoch ? moi_epoch_row(t, t->now.epoch) : NULL;
}

static const double *best_row(const mopt_trainer *t)
{
    const double *row = t->now.best ? moi_epoch_row(t, t->now.best) : NULL;

    if ((t->flags & MOI_TRAINER_CLOSED) &&
        (!row ||
         (t->closing[t->monitor] - row[t->monitor]) * t->direction > 0))
        return t->closing;
    return row;
}

/* The nearest of all names, for messages. */
static const char *name_of(const void *list, int64_t i)
{
    static _Thread_local char buf[64];
    const mopt_trainer *t = list;

    if (i < MOI_COUNT(running))
        return running[i];
    moi_epoch_name(t, i - MOI_COUNT(running), buf, sizeof buf);
    return buf;
}

static int32_t fail_figure(const mopt_trainer *t, const char *figure)
{
    int64_t count = MOI_COUNT(running) + t->columns;
    int64_t near = moi_text_nearest(figure, count, name_of, t);

    if (near < 0)
        return moi_fail(MOPT_EKEY, "no figure '%s'", figure);
    return moi_fail(MOPT_EKEY, "no figure '%s'; the nearest is '%s'", figure,
                    name_of(t, near));
}

/* A figure that is known at any time; NaN: not yet. 0: not one of these. */
static int32_t running_figure(const mopt_trainer *t, const char *figure,
                              double *out)
{
    int32_t stepped = t->now.step > 0;

    if (!strcmp(figure, "epoch"))
        *out = (double)t->now.epoch;
    else if (!strcmp(figure, "step"))
        *out = (double)t->now.step;
    else if (!strcmp(figure, "seconds"))
        *out = moi_trainer_seconds(t);
    else if (!strcmp(figure, "learning_rate"))
        *out = stepped ? t->now.rate : NAN;
    else if (!strcmp(figure, "gradient_norm"))
        *out = stepped ? moi_step_gradient_norm(t) : NAN;
    else
        return 0;
    return 1;
}

/* "best.accuracy" is that of validation, else of training. */
static int64_t best_column(const mopt_trainer *t, const char *name)
{
    char full[64];
    int64_t column;

    snprintf(full, sizeof full, "validation.%s", name);
    column = moi_epoch_column(t, full);
    return column < 0 ? moi_epoch_column(t, name) : column;
}

int32_t mopt_trainer_get(const mopt_trainer *trainer, const char *figure,
                         double *out)
{
    const mopt_trainer *t = trainer;
    const double *row;
    int64_t column;
    double value;

    if (!t || !figure || !out)
        return moi_fail_null("mopt_trainer_get", !t        ? "trainer"
                                                 : !figure ? "figure"
                                                           : "out");
    if (!running_figure(t, figure, &value)) {
        int32_t best = !strncmp(figure, "best.", 5);

        column = best ? best_column(t, figure + 5)
                      : moi_epoch_column(t, figure);
        if (column < 0)
            return fail_figure(t, figure);
        row = best ? best_row(t) : last_row(t);
        value = row ? row[column] : NAN;
        if (row && isnan(value))
            return moi_fail(MOPT_ESTATE, "figure '%s' is not a number here",
                            figure);
    }
    if (isnan(value))
        return moi_fail(MOPT_ESTATE, "figure '%s' is not known yet", figure);
    *out = value;
    return MOPT_OK;
}

/* One epoch as an object; NULL without memory. */
static json_t *row_to_json(const mopt_trainer *t, const double *row)
{
    json_t *object = json_object();
    int32_t rc = object ? MOPT_OK : MOPT_ENOMEM;
    char name[64];

    for (int64_t i = 0; !rc && i < t->columns; i++) {
        moi_epoch_name(t, i, name, sizeof name);
        rc = i <= MOI_FIGURE_STEP
                 ? moi_json_add_int(object, name, (int64_t)row[i])
                 : moi_json_add_number(object, name, row[i]);
    }
    if (!rc)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *history_to_json(const mopt_trainer *t)
{
    json_t *array = json_array();
    int64_t count = t->now.epoch + ((t->flags & MOI_TRAINER_CLOSED) != 0);

    for (int64_t i = 1; array && i <= count; i++) {
        const double *row = i <= t->now.epoch ? moi_epoch_row(t, i)
                                              : t->closing;

        if (json_array_append_new(array, row_to_json(t, row))) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

int32_t mopt_trainer_history(const mopt_trainer *trainer, char *buf,
                             size_t cap, size_t *needed)
{
    if (!trainer)
        return moi_fail_null("mopt_trainer_history", "trainer");
    if (!buf && cap > 0)
        return moi_fail_null("mopt_trainer_history", "buf");
    return moi_json_finish(trainer->ctx, history_to_json(trainer), buf, cap,
                           needed);
}
