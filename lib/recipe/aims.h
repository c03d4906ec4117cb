/* SPDX-License-Identifier: MIT
 * lib/recipe/aims.h: what a recipe can optimise or bound, and its objectives
 * and constraints. */
#ifndef MOI_RECIPE_AIMS_H
#define MOI_RECIPE_AIMS_H

#include <modelopt/data.h>

#include "base/json.h"

/* When a figure is known. */
#define MOI_KNOWN_BUILT 1      /* as soon as the model is made */
#define MOI_KNOWN_TRAINED 2    /* after training, from the trainer */
#define MOI_KNOWN_VALIDATION 3 /* after each epoch, on validation rows */
#define MOI_KNOWN_MEASURED 4   /* by timing the trained model */
#define MOI_KNOWN_COMPARED 5   /* after training, beside a teacher */

typedef struct moi_measure {
    const char *name; /* "validation.accuracy", "params" */
    int32_t known;    /* MOI_KNOWN_* */
    int32_t maximize;
    int32_t target;   /* only for MOPT_TARGET_CLASS or _NUMBER; NONE: both */
    const char *help;
} moi_measure;

#define MOI_VALIDATION "validation."

/* The table, its end has no name. */
extern const moi_measure moi_measures[];

/* What is optimised. */
typedef struct moi_goal {
    const moi_measure *measure;
    int32_t maximize;
} moi_goal;

/* One bound: value <= bound, or value >= bound. */
typedef struct moi_limit {
    const moi_measure *measure;
    int32_t is_max;
    double bound;
} moi_limit;

#define MOI_GOALS_MAX 8
#define MOI_LIMITS_MAX 32

typedef struct moi_aims {
    moi_goal goals[MOI_GOALS_MAX];
    int64_t goal_count;
    moi_limit limits[MOI_LIMITS_MAX];
    int64_t limit_count;
} moi_aims;

/* Read "objectives" and "constraints"; either may be NULL. */
int32_t moi_aims_read(const json_t *objectives, const json_t *constraints,
                      moi_aims *aims);

/* With the data known: the usual objective where none was given; every measure
 * fits the target. has_validation: there is a part to measure on. */
int32_t moi_aims_settle(moi_aims *aims, int32_t target,
                        int32_t has_validation);

/* Where a trial stands, by mopt_study_best's rule: by how far constraints are
 * missed, then the first objective, then the earlier trial. */
typedef struct moi_rank {
    double missed; /* 0: it meets all */
    double value;
    int64_t number;
} moi_rank;

int32_t moi_rank_better(const moi_aims *aims, const moi_rank *a,
                        const moi_rank *b);

/* How far value is from meeting the limit; <= 0: met. */
double moi_limit_excess(const moi_limit *limit, double value);

#endif
