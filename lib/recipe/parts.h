/* SPDX-License-Identifier: MIT
 * lib/recipe/parts.h: the data of a run: loaded and split once, transformed
 * once for each way of preparing it that a trial asks for. */
#ifndef MOI_RECIPE_PARTS_H
#define MOI_RECIPE_PARTS_H

#include <pthread.h>

#include "recipe/mentor.h"

/* One way of preparing: the transform, fitted on the training part only. */
typedef struct moi_prepared {
    struct moi_prepared *next;
    json_t *said; /* the section "data" that asks for it */
    mopt_transform *transform;
    mopt_dataset *train, *validation; /* validation NULL: there is none */
    int64_t inputs, outputs;          /* outputs: classes or numbers a row */
    int32_t target;                   /* MOPT_TARGET_* */
} moi_prepared;

typedef struct moi_parts {
    mopt_context *ctx;
    mopt_dataset *train, *validation, *test; /* raw; NULL: there is none */
    int32_t target;                          /* MOPT_TARGET_* */
    moi_mentors mentors;
    mopt_transform *given; /* the mentor's encoding of inputs, or NULL */
    pthread_mutex_t lock;                    /* of prepared */
    moi_prepared *prepared;
} moi_parts;

/* Are there test rows apart from the others: marked ones, a file of them, or,
 * where none are to be split off, those that a generator makes? */
int32_t moi_parts_has_test(const mopt_config *config);

/* Load and split as the recipe says. To be freed on an error too. */
int32_t moi_parts_load(const mopt_recipe *recipe, mopt_cancel *cancel,
                       moi_parts *parts);
void moi_parts_free(moi_parts *parts);

/* The parts prepared as params say; they live as long as parts does.
 * Thread: any. */
int32_t moi_parts_prepare(moi_parts *parts, const mopt_recipe *recipe,
                          const json_t *params, const moi_prepared **out);

/* {"train": rows, "validation": rows, "test": rows, "features": .., ...}; NULL
 * without memory. */
json_t *moi_parts_describe(const moi_parts *parts);

#endif
