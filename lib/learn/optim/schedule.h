/* SPDX-License-Identifier: MIT
 * lib/learn/optim/schedule.h: how the learning rate goes from step to step.
 *
 * A schedule is a factor on the rate: a function of the step, but for
 * reduce_on_plateau, which keeps a state. Each may begin with a linear
 * warm-up. */
#ifndef MOI_LEARN_SCHEDULE_H
#define MOI_LEARN_SCHEDULE_H

#include "base/config.h"

typedef struct moi_schedule moi_schedule;

typedef struct moi_schedule_kind {
    const moi_schema *schema; /* name and keys */

    /* Read the keys of this kind. */
    void (*setup)(moi_schedule *s, const moi_options *options);

    /* The factor at a step (from 0, after the warm-up). */
    double (*factor)(const moi_schedule *s, int64_t step);
} moi_schedule_kind;

/* What reduce_on_plateau remembers; the rest of a schedule is settings. */
typedef struct moi_plateau {
    double best;     /* the monitored figure; NaN before the first */
    double factor;   /* of the rate, 1 at first */
    int64_t stale;   /* epochs without improvement */
    int64_t cooling; /* epochs that are not counted after a reduction */
} moi_plateau;

struct moi_schedule {
    const moi_schedule_kind *kind;
    int64_t epoch;  /* steps in one */
    int64_t warm;   /* steps of warm-up */
    int64_t length; /* steps after the warm-up */
    double warm_start;
    double factor, final, threshold;
    double rise, start_divisor, final_divisor;
    double low, high; /* momentum of one_cycle */
    int64_t every, patience, cooldown;
    int32_t cycles; /* changes the momentum */
    moi_plateau plateau;
};

/* All schedules, NULL-terminated, for a VARIANT key. */
extern const moi_schema *const moi_schedule_schemas[];

/* Set up the schedule that the key "schedule" of a config chooses; epoch:
 * steps in an epoch, steps: in the whole training. */
int32_t moi_schedule_init(moi_schedule *s, const mopt_config *config,
                          int64_t epoch, int64_t steps);

/* The factor of the rate at a step, from 0. */
double moi_schedule_factor(const moi_schedule *s, int64_t step);

/* The momentum that the schedule wants at a step; otherwise if it has no
 * wish. */
double moi_schedule_momentum(const moi_schedule *s, int64_t step,
                             double otherwise);

/* Tell the monitored figure after an epoch; direction 1: larger is better. */
void moi_schedule_report(moi_schedule *s, double value, int32_t direction);

#endif
